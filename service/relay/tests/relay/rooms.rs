//! What the room asks of both engines.

use crate::house::migrations;
use store::conformance;
use tessera_relay::STATEMENTS;

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
    let source = include_str!("../../src/store.rs");
    let consts =
        source.lines().filter(|line| line.starts_with("const ") && line.contains(": &str =")).count();
    assert_eq!(consts, STATEMENTS.len());
}
