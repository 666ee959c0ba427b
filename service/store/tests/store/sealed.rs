//! What is sealed stays sealed: fields, keys, roots.

use std::convert::Infallible;
use std::path::Path;

use crypto::secret::Secret;
use store::{Field, OpenFault, Purpose, Stmt, Store, StoreFault, TenantId, Unit};

use crate::fixture::{self, House, PROBE, Place, ROOT, SECOND, act, act_about};

const FIELD: Field<'_> = Field { table: "probe_thing", column: "note", row: "a" };

#[tokio::test]
async fn a_sealed_value_opens_where_it_was_sealed_and_nowhere_else() {
    let house = House::new().await;
    let other = House::seeded(house.store.clone(), 8).await;
    let sealed = house.store.sealed(&house.ctx, FIELD, b"Ana").await.unwrap();
    assert_eq!(house.store.opened(&house.ctx, FIELD, &sealed).await.unwrap().expose(), b"Ana");
    let places = [
        Field { row: "b", ..FIELD },
        Field { column: "id", ..FIELD },
        Field { table: "probe_line", ..FIELD },
    ];
    for place in places {
        let fault = house.store.opened(&house.ctx, place, &sealed).await.unwrap_err();
        assert!(matches!(fault, StoreFault::Sealed { .. }), "{fault}");
    }
    let fault = house.store.opened(&other.ctx, FIELD, &sealed).await.unwrap_err();
    assert!(matches!(fault, StoreFault::Sealed { .. }), "{fault}");
}

#[tokio::test]
async fn bytes_that_are_no_sealed_value_are_refused_whatever_their_length() {
    let house = House::new().await;
    let sealed = house.store.sealed(&house.ctx, FIELD, b"Ana").await.unwrap();
    let mut unknown_key = sealed.clone();
    unknown_key[1..5].copy_from_slice(&9_u32.to_be_bytes());
    for bytes in (0..sealed.len()).map(|length| sealed[..length].to_vec()).chain([unknown_key]) {
        let fault = house.store.opened(&house.ctx, FIELD, &bytes).await.unwrap_err();
        assert!(matches!(fault, StoreFault::Sealed { .. }), "{fault}");
    }
}

#[tokio::test]
async fn the_same_value_is_never_sealed_to_the_same_bytes() {
    let house = House::new().await;
    let one = house.store.sealed(&house.ctx, FIELD, b"Ana").await.unwrap();
    assert_ne!(one, house.store.sealed(&house.ctx, FIELD, b"Ana").await.unwrap());
}

#[tokio::test]
async fn a_tenant_without_keys_seals_nothing() {
    let house = House::new().await;
    let ctx = house.ctx.for_tenant(TenantId::new(&house.ctx));
    let fault = house.store.sealed(&ctx, FIELD, b"Ana").await.unwrap_err();
    assert!(matches!(fault, StoreFault::NoKey { purpose: "data", .. }), "{fault}");
    house.store.ensure_tenant_keys(&ctx).await.unwrap();
    let one = house.store.kek(&ctx, Purpose::Data).await.unwrap();
    house.store.ensure_tenant_keys(&ctx).await.unwrap();
    house.store.kek_rotated(&ctx);
    let two = house.store.kek(&ctx, Purpose::Data).await.unwrap();
    assert_eq!(one.key().expose(), two.key().expose(), "made once");
    assert_ne!(one.key().expose(), house.store.kek(&ctx, Purpose::Keys).await.unwrap().key().expose());
    assert!(!format!("{one:?}").contains("["), "no byte of a key shows");
}

#[tokio::test]
async fn mac_keys_differ_by_label_and_tenant() {
    let house = House::new().await;
    let other = House::seeded(house.store.clone(), 8).await;
    let key = |ctx, label| house.store.mac_key(ctx, label);
    let one = key(&house.ctx, "nonce").await.unwrap();
    assert_eq!(one.expose(), key(&house.ctx, "nonce").await.unwrap().expose());
    assert_ne!(one.expose(), key(&house.ctx, "cursor").await.unwrap().expose());
    assert_ne!(one.expose(), key(&other.ctx, "nonce").await.unwrap().expose());
}

#[tokio::test]
async fn after_a_new_key_old_values_open_and_new_ones_are_under_the_new_key() {
    let house = House::new().await;
    let old = house.store.sealed(&house.ctx, FIELD, b"Ana").await.unwrap();
    let event = house.store.record(&house.ctx, act_about("opr_bo", "x")).await.unwrap().event_id;
    let next = house.store.next_kek(&house.ctx, Purpose::Data).await.unwrap();
    let unit = Unit::new(act("key_1")).guard(next.clone(), fixture::ThingSpent);
    house.store.commit(&house.ctx, unit).await.unwrap();
    house.store.kek_rotated(&house.ctx);
    let again = Unit::new(act("key_1")).guard(next, fixture::ThingSpent);
    assert!(house.store.commit(&house.ctx, again).await.is_err(), "a version is made once");
    assert_eq!(house.store.kek(&house.ctx, Purpose::Data).await.unwrap().version(), 2);
    assert_eq!(house.store.opened(&house.ctx, FIELD, &old).await.unwrap().expose(), b"Ana");
    let new = house.store.sealed(&house.ctx, FIELD, b"Ana").await.unwrap();
    assert_eq!((&old[..5], &new[..5]), (&[1, 0, 0, 0, 1][..], &[1, 0, 0, 0, 2][..]));
    house.store.record(&house.ctx, act_about("opr_bo", "y")).await.unwrap();
    let detail = house.store.detail(&house.ctx, &house.log(), event, SECOND).await.unwrap().unwrap();
    assert!(detail.detail.is_some(), "the person's key was sealed under the old one");
}

#[tokio::test]
async fn a_kek_moved_to_another_tenant_does_not_open() {
    let house = House::new().await;
    let other = House::seeded(house.store.clone(), 8).await;
    let swap = Stmt::new(
        "UPDATE store_kek SET wrapped = (SELECT wrapped FROM store_kek WHERE tenant_id = $1 AND purpose = 'data')
         WHERE tenant_id = :tenant AND purpose = 'data'",
    );
    let swap = swap.text(other.ctx.tenant.as_str());
    house.store.housekeeping(&house.ctx, store::Reason::Wrapping, vec![swap]).await.unwrap();
    house.store.kek_rotated(&house.ctx);
    let fault = house.store.sealed(&house.ctx, FIELD, b"Ana").await.unwrap_err();
    assert!(matches!(fault, StoreFault::Sealed { .. }), "{fault}");
}

#[tokio::test]
async fn no_secret_and_no_personal_text_stands_in_the_database_or_its_log() {
    let place = Place::new();
    let house = House::over(place.open()).await;
    let sealed = house.store.sealed(&house.ctx, FIELD, b"canary-field-4711").await.unwrap();
    let unit = Unit::<Infallible>::new(act_about("opr_canary-person-4711", "canary-detail-4711"));
    let unit = unit.put(Stmt::new(fixture::PUT).text("a").blob(sealed));
    house.store.commit(&house.ctx, unit).await.unwrap();
    let kek = house.store.kek(&house.ctx, Purpose::Data).await.unwrap();
    let mac = house.store.mac_key(&house.ctx, "nonce").await.unwrap();
    let log = house.store.log(&house.ctx, &house.log()).await.unwrap().unwrap();
    let secrets: [&[u8]; 8] = [
        b"canary-field-4711",
        b"canary-person-4711",
        b"canary-detail-4711",
        b"opr_ana",
        &ROOT,
        kek.key().expose(),
        mac.expose(),
        log.k_index().expose(),
    ];
    // Once with the write-ahead log, once after it was moved into the database.
    assert_absent(&place, &secrets, true);
    drop(house);
    assert_absent(&place, &secrets, false);
}

fn assert_absent(place: &Place, secrets: &[&[u8]], with_wal: bool) {
    let folder = place.path().parent().unwrap().to_owned();
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for (number, secret) in secrets.iter().enumerate() {
            assert!(!holds(&bytes, secret), "secret {number} stands in {}", path.display());
        }
        // The search itself works: types stand in the clear.
        if path.extension().is_some_and(|end| end == if with_wal { "db-wal" } else { "db" }) {
            assert!(holds(&bytes, b"operator-link-spent"), "{}", path.display());
        }
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert_eq!(names.iter().any(|name| name.ends_with("-wal")), with_wal, "{names:?}");
}

fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

fn files(place: &Place) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let read = |path: &Path| std::fs::read(path).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(place.path().parent().unwrap())
        .unwrap()
        .map(|file| file.unwrap())
        .filter(|file| !file.file_name().to_string_lossy().ends_with("-shm"))
        .map(|file| (file.file_name(), read(&file.path())))
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    files.sort();
    files
}

fn open_with(place: &Place, root: [u8; 32]) -> Result<Store, OpenFault> {
    let mut config = place.config();
    config.root = Secret::new(root);
    Store::open(config, &[PROBE])
}

#[tokio::test]
async fn a_wrong_root_stops_the_start_with_nothing_written() {
    let place = Place::new();
    drop(House::over(place.open()).await);
    let before = files(&place);
    let Err(OpenFault::WrongRoot { given, expected }) = open_with(&place, [9; 32]) else {
        panic!("it opened")
    };
    assert_ne!(given, expected);
    assert!(files(&place) == before, "something was written");
    drop(place.open());
}

#[tokio::test]
async fn a_root_is_replaced_while_everything_stays_readable_and_the_old_one_opens_nothing_afterwards() {
    const NEW: [u8; 32] = [9; 32];
    let place = Place::new();
    let house = House::over(place.open()).await;
    let sealed = house.store.sealed(&house.ctx, FIELD, b"Ana").await.unwrap();
    let ctx = house.ctx.clone();
    assert!(house.store.begin_root_rotation(&ctx, Secret::new(NEW)).await.unwrap());
    assert!(!house.store.begin_root_rotation(&ctx, Secret::new([8; 32])).await.unwrap(), "one at a time");
    let opened = house.store.opened(&ctx, FIELD, &sealed).await.unwrap();
    assert_eq!(opened.expose(), b"Ana");
    drop(house);

    // A crash here: either root opens, and the rotation goes on.
    for root in [ROOT, NEW] {
        let store = open_with(&place, root).unwrap();
        assert!(store.is_root_rotating());
        assert_eq!(store.opened(&ctx, FIELD, &sealed).await.unwrap().expose(), b"Ana");
        let early = Unit::new(act("key_1")).guard(store.finish_root_rotation(), fixture::ThingSpent);
        assert!(store.commit(&ctx, early).await.is_err(), "keys are still under the old root");
    }
    assert!(matches!(open_with(&place, [8; 32]), Err(OpenFault::WrongRoot { .. })));

    let store = open_with(&place, ROOT).unwrap();
    while store.rewrap_keks(&ctx).await.unwrap() > 0 {}
    let last = Unit::new(act("key_1")).guard(store.finish_root_rotation(), fixture::ThingSpent);
    store.commit(&ctx, last).await.unwrap();
    store.root_rotated();
    assert!(!store.is_root_rotating());
    assert_eq!(store.opened(&ctx, FIELD, &sealed).await.unwrap().expose(), b"Ana");
    drop(store);

    assert!(matches!(open_with(&place, ROOT), Err(OpenFault::WrongRoot { .. })));
    let store = open_with(&place, NEW).unwrap();
    assert_eq!(store.opened(&ctx, FIELD, &sealed).await.unwrap().expose(), b"Ana");
}
