//! Copies of a closed database, edited behind the program's back, then served: start checks and the outsider's checker.
//!
//! Whoever owns the database can drop its triggers. What he does then is found by the right edge, by the guard, or by anybody who
//! kept a checkpoint; each test says by whom.

use crate::program::{stderr, tessera};
use crate::served::{Answer, Served, copy};
use rusqlite::Connection;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tempfile::TempDir;

/// Acts of each of the two parts of the log: the first 256 entries are in a full tile, and beyond the reach of the start checks.
const ACTS: usize = 270;
/// Threads that act.
const THREADS: usize = 6;

/// A database that was closed in order, and what an outsider kept of its log.
struct Original {
    folder: TempDir,
    /// An owner's session.
    session: String,
    /// `t/ten_…`
    log: String,
    /// Reads the log.
    log_token: String,
    vkeys: Vec<String>,
    early_size: u64,
    late_size: u64,
}

/// The original, made once for all tests that run at this time; the last one removes it.
fn original() -> Arc<Original> {
    static SHARED: Mutex<Weak<Original>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let made = Arc::new(Original::make());
        *shared = Arc::downgrade(&made);
        made
    })
}

impl Original {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut served = Served::start(folder.path(), &data);
        let session = served.session(&data);
        let token = served.post("/api/v1/ledger/tokens", &session, &json!({ "name": "a", "ttl_s": 86_400 }));
        let text =
            |name: &str| token.json[name].as_str().unwrap_or_else(|| panic!("{}", token.text)).to_owned();
        let (log, log_token) = (text("log"), text("token"));
        let keys = served.public(&format!("/log/{log}/keys")).text;
        let vkeys = keys.lines().map(str::to_owned).collect();
        act(&served, &session);
        // An orderly stop signs the last checkpoint.
        assert!(served.stop().0.success());
        let kept = |name: &str| {
            let conn = Connection::open(data.join("tessera.db")).unwrap();
            let newest =
                "SELECT size, note FROM audit_checkpoint WHERE log_id = ?1 ORDER BY size DESC LIMIT 1";
            let row =
                conn.query_row(newest, [&log], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)));
            let (size, note) = row.unwrap();
            fs::write(folder.path().join(name), note).unwrap();
            let head = "SELECT size FROM audit_log WHERE log_id = ?1";
            let whole: i64 = conn.query_row(head, [&log], |row| row.get(0)).unwrap();
            assert_eq!(size, whole, "an orderly stop leaves no entry without a checkpoint");
            u64::try_from(size).unwrap()
        };
        let early_size = kept("early.checkpoint");
        copy(&data, &folder.path().join("early"));
        let served = Served::start(folder.path(), &data);
        act(&served, &session);
        assert!(served.stop().0.success());
        let late_size = kept("late.checkpoint");
        assert!(early_size > 256 && late_size > 512, "{early_size}, {late_size}");
        Self { folder, session, log, log_token, vkeys, early_size, late_size }
    }

    /// A copy of the last state.
    fn late(&self) -> EditedCopy<'_> {
        self.copy("data")
    }

    fn copy(&self, of: &str) -> EditedCopy<'_> {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        copy(&self.folder.path().join(of), &data);
        EditedCopy { original: self, home, data }
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Many credentials are offered.
fn act(served: &Served, session: &str) {
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..ACTS / THREADS).for_each(|_| assert_eq!(offer(served, session).status, 201)));
        }
    });
}

fn offer(served: &Served, session: &str) -> Answer {
    let body = json!({
        "credential_configuration_id": "diploma",
        "claims": { "given_name": "Ana", "family_name": "Specimen", "degree": { "type": "BSc" } },
    });
    served.post("/api/v1/credentials/issue", session, &body)
}

/// A copy that somebody edits and then serves.
struct EditedCopy<'a> {
    original: &'a Original,
    home: TempDir,
    data: PathBuf,
}

impl EditedCopy<'_> {
    /// Works on the closed database with its triggers dropped; `:log` is the tenant's log.
    fn edit(&self, statements: &[&str]) {
        let conn = Connection::open(self.data.join("tessera.db")).unwrap();
        let names = "SELECT name FROM sqlite_master WHERE type = 'trigger'";
        let triggers: Vec<String> = conn
            .prepare(names)
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(triggers.len() >= 8, "the database guards itself");
        for trigger in triggers {
            conn.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
        }
        for statement in statements {
            let changed = conn.execute(statement, [&self.original.log]);
            assert!(changed.unwrap_or_else(|fault| panic!("{statement}: {fault}")) > 0, "{statement}");
        }
    }

    /// Changes the last byte of an entry: it stays well-formed.
    fn change_entry(&self, index: u64) {
        self.edit(&[&format!(
            "UPDATE audit_entry SET leaf = CAST(substr(leaf, 1, length(leaf) - 1) || \
             CASE substr(leaf, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB) WHERE log_id = ?1 AND idx = {index}"
        )]);
    }

    fn swap_entries(&self, one: u64, other: u64) {
        let set = |to: &str, from: &str| {
            format!("UPDATE audit_entry SET idx = {to} WHERE log_id = ?1 AND idx = {from}")
        };
        let (one, other) = (one.to_string(), other.to_string());
        let steps = [set("-1", &one), set(&one, &other), set(&other, "-1")];
        self.edit(&steps.each_ref().map(String::as_str));
    }

    fn serve(&self) -> Served {
        Served::start(self.home.path(), &self.data)
    }

    /// `verify log` against both kept checkpoints: it must end with 1; what it says.
    fn found(&self, served: &Served) -> String {
        self.verify(served, 1)
    }

    fn verify(&self, served: &Served, exit: i32) -> String {
        let original = self.original;
        let mut command = tessera(self.home.path());
        command.args(["verify", "log", "--no-progress"]).arg(format!("{}/log/{}", served.base, original.log));
        original.vkeys.iter().for_each(|vkey| {
            command.args(["--vkey", vkey]);
        });
        for old in ["early.checkpoint", "late.checkpoint"] {
            command.arg("--old").arg(original.kept(old));
        }
        let output = command.env("TESSERA_LOG_TOKEN", &original.log_token).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{}", stderr(&output));
        stderr(&output)
    }

    /// The log is quarantined by this invariant: nothing changes, reads go on.
    fn assert_quarantined(&self, served: &Served, invariant: &str) {
        let ready = served.public("/readyz");
        assert_eq!(ready.status, 503, "{}", ready.text);
        assert!(ready.text.contains(&format!("is quarantined: {invariant}:")), "{}", ready.text);
        assert!(ready.text.contains("tessera ledger status"), "the way out is named: {}", ready.text);
        let refused = offer(served, &self.original.session);
        assert_eq!((refused.status, refused.code()), (503, "ledger/quarantined"), "{}", refused.text);
        let path = "/api/v1/credentials?limit=1";
        assert_eq!(served.get(path, &self.original.session).status, 200);
        let path = format!("/log/{}/checkpoint", self.original.log);
        assert_eq!(served.get(&path, &self.original.log_token).status, 200);
        assert_eq!(served.public("/healthz").status, 200);
    }

    /// The start checks cannot see it: the server works.
    fn assert_unseen(&self, served: &Served) {
        let ready = served.public("/readyz");
        assert_eq!(ready.status, 200, "{}", ready.text);
        assert_eq!(offer(served, &self.original.session).status, 201);
    }
}

/// Replaces the guard of a copy by that of another state.
fn put_guard(from: &Path, copy: &EditedCopy<'_>) {
    fs::copy(from.join("guard/guard.log"), copy.data.join("guard/guard.log")).unwrap();
}

#[test]
fn an_unedited_copy_serves_and_verifies() {
    let original = original();
    let copy = original.late();
    let served = copy.serve();
    copy.assert_unseen(&served);
    copy.verify(&served, 0);
}

#[test]
fn an_entry_changed_long_ago_is_named_by_its_index() {
    let original = original();
    let copy = original.late();
    copy.change_entry(10);
    let served = copy.serve();
    copy.assert_unseen(&served);
    let found = copy.found(&served);
    assert!(found.contains("entry 10 does not match tile/0/000"), "{found}");
}

#[test]
fn an_entry_changed_at_the_right_edge_stops_the_log_at_start() {
    let original = original();
    let copy = original.late();
    copy.change_entry(original.late_size - 3);
    let served = copy.serve();
    copy.assert_quarantined(&served, "I1");
    let found = copy.found(&served);
    assert!(found.contains("entries were changed between"), "{found}");
}

#[test]
fn an_entry_changed_with_its_tile_stops_the_log_at_start() {
    let original = original();
    let copy = original.late();
    copy.change_entry(10);
    // The tile follows the changed entry: hash 10 of it is recomputed as any editor could.
    let conn = Connection::open(copy.data.join("tessera.db")).unwrap();
    let leaf: Vec<u8> = conn
        .query_row("SELECT leaf FROM audit_entry WHERE log_id = ?1 AND idx = 10", [&original.log], |row| {
            row.get(0)
        })
        .unwrap();
    let mut hashes: Vec<u8> = conn
        .query_row(
            "SELECT hashes FROM audit_tile WHERE log_id = ?1 AND level = 0 AND n = 0",
            [&original.log],
            |row| row.get(0),
        )
        .unwrap();
    hashes[320..352].copy_from_slice(&tlog::merkle::leaf_hash(&leaf));
    let sql = "UPDATE audit_tile SET hashes = ?2 WHERE log_id = ?1 AND level = 0 AND n = 0";
    assert_eq!(conn.execute(sql, rusqlite::params![original.log, hashes]).unwrap(), 1);
    drop(conn);
    let served = copy.serve();
    copy.assert_quarantined(&served, "I1");
    let found = copy.found(&served);
    assert!(found.contains("verify/root-mismatch"), "{found}");
    assert!(found.contains(&format!("between 0 and {}", original.early_size)), "{found}");
}

#[test]
fn a_deleted_entry_is_named_by_its_index() {
    let original = original();
    let copy = original.late();
    copy.edit(&["DELETE FROM audit_entry WHERE log_id = ?1 AND idx = 10"]);
    let served = copy.serve();
    copy.assert_unseen(&served);
    let found = copy.found(&served);
    assert!(found.contains("tile/entries/000"), "{found}");
}

#[test]
fn a_deleted_entry_over_which_the_others_close_stops_the_log_at_start() {
    let original = original();
    let copy = original.late();
    copy.edit(&[
        "DELETE FROM audit_entry WHERE log_id = ?1 AND idx = 10",
        "UPDATE audit_entry SET idx = -idx WHERE log_id = ?1 AND idx > 10",
        "UPDATE audit_entry SET idx = -idx - 1 WHERE log_id = ?1 AND idx < 0",
        "UPDATE audit_log SET size = size - 1 WHERE log_id = ?1",
    ]);
    let served = copy.serve();
    copy.assert_quarantined(&served, "I1");
    let found = copy.found(&served);
    assert!(found.contains("entries 10, 11, 12") && found.contains("tile/0/000"), "{found}");
}

#[test]
fn two_swapped_entries_are_both_named() {
    let original = original();
    let copy = original.late();
    copy.swap_entries(10, 20);
    let served = copy.serve();
    copy.assert_unseen(&served);
    let found = copy.found(&served);
    assert!(found.contains("entries 10, 20 do not match tile/0/000"), "{found}");
}

#[test]
fn two_entries_swapped_at_the_right_edge_stop_the_log_at_start() {
    let original = original();
    let copy = original.late();
    copy.swap_entries(original.late_size - 3, original.late_size - 2);
    let served = copy.serve();
    copy.assert_quarantined(&served, "I1");
    assert!(copy.found(&served).contains("verify/root-mismatch"));
}

#[test]
fn a_tail_cut_to_an_older_checkpoint_is_stopped_by_the_guard() {
    let original = original();
    let copy = original.late();
    let size = original.early_size;
    copy.edit(&[
        &format!("DELETE FROM audit_entry WHERE log_id = ?1 AND idx >= {size}"),
        &format!("DELETE FROM audit_tile WHERE log_id = ?1 AND (level > 0 OR n >= {})", size / 256),
        &format!("DELETE FROM audit_checkpoint WHERE log_id = ?1 AND size > {size}"),
        &format!(
            "UPDATE audit_log SET size = {size}, root = (SELECT root FROM audit_checkpoint \
             WHERE audit_checkpoint.log_id = ?1 AND audit_checkpoint.size = {size}) WHERE log_id = ?1"
        ),
    ]);
    let served = copy.serve();
    copy.assert_quarantined(&served, "I2");
    let found = copy.found(&served);
    assert!(found.contains("the log shrank") && found.contains("late.checkpoint"), "{found}");
}

#[test]
fn an_older_copy_restored_is_stopped_by_the_guard() {
    let original = original();
    let copy = original.copy("early");
    put_guard(&original.kept("data"), &copy);
    let served = copy.serve();
    copy.assert_quarantined(&served, "I2");
    let found = copy.found(&served);
    assert!(found.contains("the log shrank") && found.contains("late.checkpoint"), "{found}");
}

#[test]
fn a_guard_put_back_alone_is_seen_by_what_was_published() {
    let original = original();
    let copy = original.late();
    put_guard(&original.kept("early"), &copy);
    let served = copy.serve();
    copy.assert_quarantined(&served, "I2");
    copy.verify(&served, 0);
}

#[test]
fn an_older_copy_restored_with_its_guard_is_found_by_whoever_kept_a_checkpoint() {
    let original = original();
    let copy = original.copy("early");
    let served = copy.serve();
    copy.assert_unseen(&served);
    let found = copy.found(&served);
    assert!(found.contains("the log shrank") && found.contains("late.checkpoint"), "{found}");
    // It grows past the size that was kept: now it is another history.
    act(&served, &original.session);
    act(&served, &original.session);
    assert!(served.stop().0.success());
    let served = copy.serve();
    let found = copy.found(&served);
    assert!(found.contains("the log forked") && found.contains("late.checkpoint"), "{found}");
}
