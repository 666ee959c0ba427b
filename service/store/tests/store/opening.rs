//! Opening: whose folder, which schema, which mode.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use store::{Migrations, OpenFault, Stmt, Store};

use crate::fixture::{House, PROBE, PROBE_SQL, Place, act, child, child_role, config_at};

fn refused(opened: Result<Store, OpenFault>) -> OpenFault {
    match opened {
        Ok(_) => panic!("it opened"),
        Err(fault) => fault,
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart() {
    let place = Place::new();
    let house = House::over(place.open()).await;
    house.store.record(&house.ctx, act("key_1")).await.unwrap();
    let House { store, ctx } = house;
    drop(store);
    let house = House { store: place.open(), ctx };
    assert_eq!(house.events().await, ["key-changed"]);
    assert_eq!(house.store.waiting()[&house.log()].rows, 1);
    house.store.record(&house.ctx, act("key_1")).await.unwrap();
    assert_eq!(house.events().await.len(), 2);
}

/// What a process leaves that is killed while it gives a new database its journal mode: a first page, and the head of a journal
/// (SQLite file format, 3) which says that the file was empty before.
#[test]
fn a_first_start_that_was_killed_over_its_journal_mode_is_taken_up_by_the_next() {
    let place = Place::new();
    drop(place.open());
    let folder = place.path().parent().unwrap().to_owned();
    for file in std::fs::read_dir(&folder).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let mut page = vec![0; 4_096];
    page[..28].copy_from_slice(b"SQLite format 3\0\x10\0\x02\x02\0\x40\x20\x20\0\0\0\x01");
    std::fs::write(place.path(), page).unwrap();
    let mut journal = vec![0; 512];
    journal[..8].copy_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    journal[20..28].copy_from_slice(&[0, 0, 2, 0, 0, 0, 0x10, 0]);
    std::fs::write(place.path().with_extension("db-journal"), &journal).unwrap();
    drop(place.open());
    assert!(!place.path().with_extension("db-journal").exists());
}

#[tokio::test]
async fn a_second_store_on_the_folder_is_refused() {
    let place = Place::new();
    let store = place.open();
    assert!(matches!(refused(Store::open(place.config(), &[PROBE])), OpenFault::InUse { .. }));
    drop(store);
    drop(place.open());
}

#[test]
fn a_second_process_on_the_folder_is_refused() {
    let place = Place::new();
    let _store = place.open();
    let output = child("second", "opening::second_process", &place.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("in use by another process"), "{said}");
}

#[test]
#[ignore = "started by another test"]
fn second_process() {
    if let Some(path) = child_role("second") {
        println!("{}", refused(Store::open(config_at(path), &[PROBE])));
    }
}

#[test]
fn only_the_owner_may_read_the_files() {
    let place = Place::new();
    let _store = place.open();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = place.path().parent().unwrap().to_owned();
    assert_eq!(mode(folder.clone()), 0o700);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(path.clone()), 0o600, "{}", path.display());
    }
}

#[test]
fn a_file_that_others_may_read_is_closed_to_them() {
    let place = Place::new();
    drop(place.open());
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let _store = place.open();
    assert_eq!(std::fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_path_below_a_file_is_refused_by_name() {
    let place = Place::new();
    std::fs::write(place.0.path().join("data"), "not a folder").unwrap();
    let fault = refused(Store::open(place.config(), &[PROBE]));
    assert!(matches!(fault, OpenFault::Folder { .. }), "{fault}");
    assert!(fault.to_string().contains("data"), "{fault}");
}

#[test]
fn a_folder_that_takes_no_files_is_refused_by_name() {
    // Nobody can make files here, not even root.
    let fault = refused(Store::open(config_at("/proc/self/tessera.db"), &[PROBE]));
    assert!(matches!(fault, OpenFault::Folder { .. }), "{fault}");
    assert!(fault.to_string().contains("/proc/self"), "{fault}");
}

#[test]
fn a_read_only_folder_is_refused_by_name() {
    let place = Place::new();
    let folder = place.path().parent().unwrap().to_owned();
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();
    let opened = Store::open(place.config(), &[PROBE]);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    match opened {
        Err(fault) => assert!(matches!(fault, OpenFault::Folder { .. }), "{fault}"),
        Ok(_) => assert!(rustix::process::geteuid().is_root(), "modes bind everybody but root"),
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let place = Place::new();
    std::fs::create_dir(place.path().parent().unwrap()).unwrap();
    std::fs::write(
        place.path(),
        "a letter, not a database, and long enough to have a header of 100 bytes".repeat(9),
    )
    .unwrap();
    let before = std::fs::read(place.path()).unwrap();
    let fault = refused(Store::open(place.config(), &[PROBE]));
    assert!(matches!(&fault, OpenFault::Unreadable { path, .. } if *path == place.path()), "{fault}");
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn a_new_migration_is_applied_once_and_keeps_the_rows() {
    const MORE: Migrations = Migrations {
        room: "probe",
        list: &[
            ("0001_probe.sql", PROBE_SQL),
            ("0002_more.sql", "CREATE TABLE probe_more (id TEXT NOT NULL PRIMARY KEY);"),
        ],
    };
    let place = Place::new();
    let House { store, ctx } = House::over(place.open()).await;
    store.record(&ctx, act("key_1")).await.unwrap();
    drop(store);
    for _ in 0..2 {
        let house = House { store: Store::open(place.config(), &[MORE]).unwrap(), ctx: ctx.clone() };
        assert_eq!(house.events().await.len(), 1);
        let count = Stmt::new("SELECT COUNT(*) FROM probe_more");
        assert_eq!(house.store.read(&house.ctx).one(count).await.unwrap().unwrap().int(0), Ok(0));
    }
    let fault = refused(Store::open(place.config(), &[PROBE]));
    assert_eq!(fault, OpenFault::MigrationNewer { room: "probe".into(), number: 2, known: 1 });
}

#[test]
fn a_migration_that_was_changed_after_it_was_applied_refuses_the_start() {
    const CHANGED: Migrations =
        Migrations { room: "probe", list: &[("0001_probe.sql", "CREATE TABLE other (a TEXT);")] };
    let place = Place::new();
    drop(place.open());
    let fault = refused(Store::open(place.config(), &[CHANGED]));
    assert_eq!(fault, OpenFault::MigrationChanged { room: "probe".into(), name: "0001_probe.sql".into() });
    drop(place.open());
}

#[test]
fn a_migration_that_fails_leaves_the_database_as_it_was() {
    const BROKEN: Migrations = Migrations {
        room: "probe",
        list: &[
            ("0001_probe.sql", PROBE_SQL),
            ("0002_more.sql", "CREATE TABLE probe_more (a TEXT); SELECT gone;"),
        ],
    };
    let place = Place::new();
    drop(place.open());
    let fault = refused(Store::open(place.config(), &[BROKEN]));
    assert!(matches!(&fault, OpenFault::MigrationFailed { name, .. } if name == "0002_more.sql"), "{fault}");
    drop(place.open());
}

#[test]
fn a_database_that_is_a_link_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    drop(place.open());
    std::fs::create_dir(other.path().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(place.path(), other.path()).unwrap();
    // Two folders, two locks, one database: the lock would protect nothing.
    let fault = refused(Store::open(other.config(), &[PROBE]));
    assert!(matches!(fault, OpenFault::Folder { .. }), "{fault}");
}
