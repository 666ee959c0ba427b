//! What the room asks of both engines.

use crate::house::migrations;
use store::conformance;
use tessera_idp::statements;

#[test]
fn every_statement_is_one_that_sqlite_takes() {
    conformance::try_on_sqlite(&migrations(), &statements()).unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TESSERA_TEST_PG"]
async fn every_statement_is_one_that_postgresql_takes() {
    let url = std::env::var(conformance::POSTGRES_URL).unwrap();
    conformance::try_on_postgres(&url, &migrations(), &statements()).await.unwrap();
}

#[test]
fn every_statement_of_the_source_is_tried() {
    let sources = [
        include_str!("../../src/store/document_seal.rs"),
        include_str!("../../src/store/enrolment.rs"),
        include_str!("../../src/store/history.rs"),
        include_str!("../../src/store/op.rs"),
        include_str!("../../src/store/outbox.rs"),
        include_str!("../../src/store/passkey.rs"),
        include_str!("../../src/store/relying_party.rs"),
        include_str!("../../src/store/result.rs"),
        include_str!("../../src/store/secret.rs"),
        include_str!("../../src/store/signin.rs"),
    ];
    let consts: usize = sources
        .iter()
        .map(|source| {
            source.lines().filter(|line| line.starts_with("const ") && line.contains(": &str =")).count()
        })
        .sum();
    assert_eq!(consts, statements().len());
}
