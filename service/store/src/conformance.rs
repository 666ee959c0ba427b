//! Whether a room's tables and statements are what both engines take. For tests: each room calls these with its own
//! migrations and its own `STATEMENTS`.

use rusqlite::Connection;
use tokio_postgres::{Client, NoTls};

use crate::migrations::{self, Dialect, Migrations};
use crate::stmt::Template;

/// Environment variable with the URL of a PostgreSQL server on which a schema may be made and dropped.
pub const POSTGRES_URL: &str = "TESSERA_TEST_PG";

/// Applies the migrations on a fresh SQLite database and prepares every statement.
///
/// # Errors
/// One line for each migration or statement that the engine refuses.
pub fn try_on_sqlite(rooms: &[Migrations], statements: &[&'static str]) -> Result<(), Vec<String>> {
    let conn = Connection::open_in_memory().map_err(|error| vec![error.to_string()])?;
    let mut faults = Vec::new();
    for (name, sql) in files(rooms) {
        let done = conn.execute_batch(&migrations::text_for(Dialect::Sqlite, sql));
        faults.extend(done.err().map(|error| format!("{name}: {error}")));
    }
    for sql in statements {
        let done = Template::read(sql)
            .and_then(|template| conn.prepare(&template.sqlite).map(drop).map_err(|error| error.to_string()));
        faults.extend(done.err().map(|error| format!("{sql}: {error}")));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Applies the migrations in a schema of its own on the PostgreSQL server at `url`, prepares every statement there,
/// and drops the schema.
///
/// # Errors
/// One line for each migration or statement that the engine refuses, or why the server cannot be reached.
pub async fn try_on_postgres(
    url: &str,
    rooms: &[Migrations],
    statements: &[&'static str],
) -> Result<(), Vec<String>> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.map_err(|error| vec![told(&error)])?;
    let serving = tokio::spawn(connection);
    let schema = format!("tessera_try_{}", crypto::hex::encode(&crypto::random::array::<8>()));
    let make = format!("CREATE SCHEMA {schema}; SET search_path TO {schema}");
    let faults = match client.batch_execute(&make).await {
        Ok(()) => faults_of(&client, rooms, statements).await,
        Err(error) => vec![told(&error)],
    };
    let dropped = client.batch_execute(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await;
    drop(client);
    let _ = serving.await;
    dropped.map_err(|error| vec![told(&error)])?;
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

async fn faults_of(client: &Client, rooms: &[Migrations], statements: &[&'static str]) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, sql) in files(rooms) {
        let done = client.batch_execute(&migrations::text_for(Dialect::Postgres, sql)).await;
        faults.extend(done.err().map(|error| format!("{name}: {}", told(&error))));
    }
    for sql in statements {
        match Template::read(sql) {
            Ok(template) => {
                let done = client.prepare(&template.postgres).await;
                faults.extend(done.err().map(|error| format!("{sql}: {}", told(&error))));
            }
            Err(cause) => faults.push(format!("{sql}: {cause}")),
        }
    }
    faults
}

/// The store's own files, then the rooms'.
fn files(rooms: &[Migrations]) -> impl Iterator<Item = (&'static str, &'static str)> {
    std::iter::once(&migrations::STORE).chain(rooms).flat_map(|room| room.list).copied()
}

fn told(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} {}", error.code().code(), error.message()),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_is_taken_by_sqlite() {
        assert_eq!(try_on_sqlite(&[], crate::STATEMENTS), Ok(()));
    }

    #[test]
    fn a_statement_that_does_not_fit_is_named() {
        let faults = try_on_sqlite(&[], &["SELECT gone FROM store_event", "SELECT $2"]).unwrap_err();
        assert_eq!(faults.len(), 2);
        assert!(faults[0].starts_with("SELECT gone FROM store_event: no such column"), "{faults:?}");
    }

    #[tokio::test]
    #[ignore = "needs PostgreSQL: set TESSERA_TEST_PG"]
    async fn every_statement_is_taken_by_postgresql() {
        let url = std::env::var(POSTGRES_URL).expect("TESSERA_TEST_PG is set");
        assert_eq!(try_on_postgres(&url, &[], crate::STATEMENTS).await, Ok(()));
        let faults = try_on_postgres(&url, &[], &["SELECT gone FROM store_event"]).await.unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}
