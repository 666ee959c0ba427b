//! What the room asks of both engines.

use crate::house::migrations;
use issuer::STATEMENTS;
use store::conformance;

#[test]
fn every_statement_is_one_that_sqlite_takes() {
    conformance::try_on_sqlite(&migrations(), STATEMENTS).unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TESSERA_TEST_PG"]
async fn every_statement_is_one_that_postgresql_takes() {
    let url = std::env::var(conformance::POSTGRES_URL).unwrap();
    conformance::try_on_postgres(&url, &migrations(), STATEMENTS).await.unwrap();
}

#[test]
fn every_statement_of_the_source_is_tried() {
    let sources = [include_str!("../../src/store.rs"), include_str!("../../src/store/list.rs")];
    let is_statement = |line: &&str| {
        let line = line.strip_prefix("pub(super) ").unwrap_or(line);
        line.starts_with("const ") && line.contains(": &str =")
    };
    let consts: usize = sources.iter().map(|source| source.lines().filter(is_statement).count()).sum();
    assert_eq!(consts, STATEMENTS.len());
}
