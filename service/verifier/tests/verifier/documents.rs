//! What is committed and must agree with the code: the statements on both engines, the tables of checks, the problem pages.

use crate::house::{House, migrations};
use credential::check::Check;
use http::StatusCode;
use std::path::PathBuf;

/// Tests elsewhere in the house that show a check failing, for the checks that no room below makes.
const ELSEWHERE: &[(Check, &str)] = &[
    (Check::Form, "a_body_too_large_or_with_a_parameter_twice_is_malformed"),
    (Check::AnswerKind, "a_body_of_two_kinds_of_none_or_in_the_clear_is_refused"),
    (Check::JweHeader, "a_jwe_with_zip_crit_or_another_algorithm_is_unreadable"),
    (Check::Decrypts, "a_jwe_to_another_sessions_key_or_with_its_kid_is_unreadable"),
    (Check::StrictJson, "what_decrypts_to_anything_but_one_answer_in_strict_json_is_unreadable"),
    (Check::BrowserReturned, "whoever_sends_his_own_link_to_anothers_wallet_gets_nothing"),
    (Check::State, "a_wrong_state_fails_always_and_a_missing_one_only_where_nothing_else_binds"),
];

/// Where those tests stand.
const TESTS: &[&str] =
    &[include_str!("../../../../protocol/openid/src/vp/response.rs"), include_str!("returning.rs")];

#[test]
fn every_test_that_the_table_names_exists() {
    for (check, test) in ELSEWHERE {
        let line = format!("fn {test}()");
        assert!(TESTS.iter().any(|source| source.contains(&line)), "{}: no test {test}", check.id());
    }
}

#[test]
fn the_tables_of_checks_are_those_of_the_code() {
    let vp = format!(
        "# Checks of a presentation\n\nWhat the verifier checks, in the order of its report. Written by \
         `UPDATE_DOCS=1 cargo test -p tessera-verifier`.\nA check without a test belongs to a part that this version does not \
         have; its outcome is `skipped` or absent.\n\n{}",
        credential::check::markdown_table(ELSEWHERE)
    );
    let vci = format!(
        "# Checks of a credential request\n\nWhat the issuer checks before it issues. Written by \
         `UPDATE_DOCS=1 cargo test -p tessera-verifier`.\n\n{}",
        openid::vci::check::markdown_table()
    );
    for (name, text) in [("vp.md", vp), ("vci.md", vci)] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/checks").join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "docs/checks/{name} is old: run UPDATE_DOCS=1 cargo test -p tessera-verifier");
    }
}

#[test]
fn every_statement_is_taken_by_sqlite() {
    store::conformance::try_on_sqlite(&migrations(), verifier::STATEMENTS).unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TESSERA_TEST_PG"]
async fn every_statement_is_taken_by_postgresql() {
    let url = std::env::var(store::conformance::POSTGRES_URL).unwrap();
    store::conformance::try_on_postgres(&url, &migrations(), verifier::STATEMENTS).await.unwrap();
}

#[tokio::test]
async fn every_problem_of_the_room_has_its_page() {
    let house = House::new().await;
    for page in verifier::page::ALL {
        let shown = house.call("GET", &format!("/problems/{}", page.code), "", None).await;
        assert_eq!(shown.status, StatusCode::OK, "{}", page.code);
    }
}
