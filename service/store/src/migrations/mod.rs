//! Migrations: forward-only, numbered per room, applied at start.
//!
//! A file's text is for both engines; a line `-- sqlite` or `-- postgres` starts a part for one of them, `-- both`
//! ends it. `BLOB` is written `BYTEA` for PostgreSQL. The SHA-256 of each applied file is kept: a file that changed,
//! or a number this program does not know, refuses the start.
//!
//! # Append-only tables
//! A room writes these triggers for each of its append-only tables (here `audit_entry`, ordered by `idx` within
//! `log_id`); they are a second line behind the signed root. `recursive_triggers` is on, so `REPLACE` meets the
//! DELETE trigger, and the INSERT trigger leaves no hole and no second row for an index.
//! ```sql
//! -- sqlite
//! CREATE TRIGGER audit_entry_update BEFORE UPDATE ON audit_entry
//!   BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
//! CREATE TRIGGER audit_entry_delete BEFORE DELETE ON audit_entry
//!   BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
//! CREATE TRIGGER audit_entry_insert BEFORE INSERT ON audit_entry
//!   WHEN NEW.idx <> (SELECT COALESCE(MAX(idx) + 1, 0) FROM audit_entry WHERE log_id = NEW.log_id)
//!   BEGIN SELECT RAISE(ABORT, 'audit_entry grows by one'); END;
//! -- postgres
//! CREATE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS
//!   $$ BEGIN RAISE EXCEPTION 'audit_entry is append-only'; END $$;
//! CREATE TRIGGER audit_entry_change BEFORE UPDATE OR DELETE ON audit_entry
//!   FOR EACH ROW EXECUTE FUNCTION audit_entry_refuse();
//! -- both
//! ```

use rusqlite::{Connection, OptionalExtension, params};

use crate::fault::OpenFault;
use crate::open::unreadable;

/// The migrations of one room, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The room, which is also the prefix of its tables: `issuer`.
    pub room: &'static str,
    /// File name and text of each: `("0001_grants.sql", include_str!("migrations/0001_grants.sql"))`.
    pub list: &'static [(&'static str, &'static str)],
}

/// The store's own.
pub(crate) const STORE: Migrations =
    Migrations { room: "store", list: &[("0001_ledger.sql", include_str!("0001_ledger.sql"))] };

/// Which engine a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL 15 and newer.
    Postgres,
}

/// The text of a migration file for one engine.
pub fn text_for(dialect: Dialect, sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut part = None;
    for line in sql.lines() {
        match line.trim() {
            "-- sqlite" => part = Some(Dialect::Sqlite),
            "-- postgres" => part = Some(Dialect::Postgres),
            "-- both" => part = None,
            _ if part.is_none_or(|part| part == dialect) => {
                text.push_str(&line_for(dialect, line));
                text.push('\n');
            }
            _ => {}
        }
    }
    text
}

fn line_for(dialect: Dialect, line: &str) -> String {
    let code = line.find("--").map_or(line, |start| &line[..start]);
    match dialect {
        Dialect::Sqlite => line.to_owned(),
        Dialect::Postgres => {
            let word = |char: char| char.is_ascii_alphanumeric() || char == '_';
            let mut text = String::with_capacity(code.len());
            for piece in code.split_inclusive(|char| !word(char)) {
                match piece.strip_suffix(|char| !word(char)).unwrap_or(piece) {
                    "BLOB" => text.push_str(&piece.replacen("BLOB", "BYTEA", 1)),
                    _ => text.push_str(piece),
                }
            }
            text
        }
    }
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS store_migration (
  room TEXT NOT NULL, -- data: none; keep: always; erase: never
  number BIGINT NOT NULL, -- data: none; keep: always; erase: never
  name TEXT NOT NULL, -- data: none; keep: always; erase: never
  hash BLOB NOT NULL, -- data: none; keep: always; erase: never
  PRIMARY KEY (room, number)
)";

/// Refuses a database whose migrations this program does not know. Reads only.
pub(crate) fn check(conn: &Connection, rooms: &[Migrations]) -> Result<(), OpenFault> {
    if !has_table(conn)? {
        return Ok(());
    }
    let mut stmt = conn
        .prepare("SELECT room, number, name, hash FROM store_migration ORDER BY room, number")
        .map_err(unreadable)?;
    let applied = stmt
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .and_then(Iterator::collect::<Result<Vec<(String, i64, String, Vec<u8>)>, _>>)
        .map_err(unreadable)?;
    for (room, number, name, hash) in applied {
        // A room that this program does not have keeps its tables: another program may run it on the same database.
        let Some(known) = rooms.iter().find(|known| known.room == room) else { continue };
        let Some((_, sql)) = usize::try_from(number - 1).ok().and_then(|index| known.list.get(index)) else {
            return Err(OpenFault::MigrationNewer { room, number, known: known.list.len() as i64 });
        };
        if hash != crypto::hash::sha256(sql.as_bytes()) {
            return Err(OpenFault::MigrationChanged { room, name });
        }
    }
    Ok(())
}

/// Applies what is missing, in one transaction. Answers how many were applied.
pub(crate) fn apply(conn: &mut Connection, rooms: &[Migrations]) -> Result<usize, OpenFault> {
    let transaction =
        conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(unreadable)?;
    transaction.execute_batch(TABLE).map_err(unreadable)?;
    let mut applied = 0;
    for known in rooms {
        for (number, (name, sql)) in (1_i64..).zip(known.list) {
            let query = "SELECT 1 FROM store_migration WHERE room = ?1 AND number = ?2";
            let found = transaction.query_row(query, params![known.room, number], |_| Ok(())).optional();
            if found.map_err(unreadable)?.is_some() {
                continue;
            }
            let failed = |error: rusqlite::Error| OpenFault::MigrationFailed {
                room: known.room.to_owned(),
                name: (*name).to_owned(),
                cause: error.to_string(),
            };
            transaction.execute_batch(&text_for(Dialect::Sqlite, sql)).map_err(failed)?;
            let insert = "INSERT INTO store_migration (room, number, name, hash) VALUES (?1, ?2, ?3, ?4)";
            let hash = crypto::hash::sha256(sql.as_bytes());
            transaction
                .execute(insert, params![known.room, number, name, hash.as_slice()])
                .map_err(failed)?;
            applied += 1;
        }
    }
    transaction.commit().map_err(unreadable)?;
    Ok(applied)
}

fn has_table(conn: &Connection) -> Result<bool, OpenFault> {
    let query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'store_migration'";
    Ok(conn.query_row(query, [], |_| Ok(())).optional().map_err(unreadable)?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "CREATE TABLE a (b BLOB NOT NULL, BLOBS TEXT); -- a BLOB\n-- sqlite\nS;\n-- postgres\nP;\n-- both\nB;\n";

    #[test]
    fn each_engine_gets_its_parts() {
        assert_eq!(
            text_for(Dialect::Sqlite, SQL),
            "CREATE TABLE a (b BLOB NOT NULL, BLOBS TEXT); -- a BLOB\nS;\nB;\n"
        );
        assert_eq!(
            text_for(Dialect::Postgres, SQL),
            "CREATE TABLE a (b BYTEA NOT NULL, BLOBS TEXT); \nP;\nB;\n"
        );
    }
}
