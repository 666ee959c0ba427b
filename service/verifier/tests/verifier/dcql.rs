//! DCQL through the doors: sets, options, values, authorities; judged by the stored query alone.

use crate::house::{House, failure, id_of, outcome, query, query_of};
use crate::people::{Asked, Diploma, Root, Signer, VCT, Wallet};
use crypto::base64;
use custody::Context;
use http::StatusCode;
use serde_json::{Value, json};

const LICENCE: &str = "urn:licence";

impl House {
    /// Asks with this query and answers these presentations; the result.
    async fn answered(&self, query: &Value, answer: impl FnOnce(&Asked) -> Value) -> Value {
        let made = self.ask_with(&json!({"dcql_query": query})).await;
        let asked = self.fetch(&made).await;
        let plain = json!({"vp_token": answer(&asked), "state": asked.text("state")});
        self.respond(&asked, &asked.sealed(&plain)).await;
        self.result(&id_of(&made)).await
    }

    /// Presents claims of the diploma.
    fn showing(&self, asked: &Asked, claims: &[&str]) -> String {
        let text = Wallet::disclose_paths(&self.diploma(), &self.issuer.key.public(), claims);
        self.wallet.bind_to(&text, asked)
    }

    /// Presents a licence of this office.
    fn licence(&self, office: &Signer, asked: &Asked) -> String {
        let licence = Diploma { vct: LICENCE, given_name: "Ana", status: None };
        let text = licence.issue(&self.wallet.key.public(), office);
        self.wallet.bind_to(&Wallet::disclose(&text, &office.key.public()), asked)
    }

    /// An office that the tenant believes for licences.
    async fn office(&self) -> Signer {
        let office = Root::new("Office");
        self.believe(&office, &[Context::Issuer], &[LICENCE]).await;
        office.signer("Issuer")
    }
}

fn asks(id: &str, vct: &str, claims: &Value) -> Value {
    json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": claims})
}

#[tokio::test]
async fn one_of_two_required_credentials_is_not_enough() {
    let house = House::new().await;
    let office = house.office().await;
    let names = json!([{"path": ["given_name"]}]);
    let both = json!({"credentials": [asks("d", VCT, &names), asks("l", LICENCE, &names)]});
    let one = house.answered(&both, |asked| json!({"d": [house.showing(asked, &["given_name"])]})).await;
    assert_eq!(failure(&one), "VP-060 query/incomplete");
    let answer = |asked: &Asked| json!({"d": [house.showing(asked, &["given_name"])], "l": [house.licence(&office, asked)]});
    let result = house.answered(&both, answer).await;
    assert_eq!(result["state"], "verified", "{result}");
    assert_eq!(result["credentials"]["l"][0]["type"], LICENCE);
    assert_eq!(house.count("presentation-accepted").await, 1);
}

#[tokio::test]
async fn one_whole_option_of_a_set_is_enough_and_what_serves_none_is_dropped() {
    let house = House::new().await;
    let names = json!([{"path": ["given_name"]}]);
    let query = json!({
        "credentials": [asks("d", VCT, &names), asks("l", LICENCE, &names), asks("e", VCT, &names)],
        "credential_sets": [{"options": [["l"], ["d"]]}, {"options": [["e", "l"]], "required": false}],
    });
    let result = house.answered(&query, |asked| json!({"d": [house.showing(asked, &["given_name"])]})).await;
    assert_eq!(result["state"], "verified", "{result}");
    let answer = |asked: &Asked| json!({"d": [house.showing(asked, &["given_name"])], "e": [house.showing(asked, &["given_name"])]});
    let beside = house.answered(&query, answer).await;
    let ids: Vec<&String> = beside["credentials"].as_object().unwrap().keys().collect();
    assert_eq!(ids, ["d"], "half an optional set was shown for nothing");
    let warned = |line: &&Value| line["id"] == "VP-044" && line["outcome"] == "warn";
    assert_eq!(beside["report"]["checks"].as_array().unwrap().iter().filter(warned).count(), 1);
    let none = house.answered(&query, |asked| json!({"e": [house.showing(asked, &["given_name"])]})).await;
    assert_eq!(failure(&none), "VP-060 query/incomplete");
}

#[tokio::test]
async fn one_option_of_claim_sets_shown_whole_is_enough() {
    let house = House::new().await;
    let mut asked = asks(
        "d",
        VCT,
        &json!([{"id": "n", "path": ["given_name"]}, {"id": "g", "path": ["grade"]}, {"id": "d", "path": ["degree"]}]),
    );
    asked["claim_sets"] = json!([["n", "g"], ["d"]]);
    let query = query_of(&asked);
    let result = house.answered(&query, |asked| json!({"d": [house.showing(asked, &["degree"])]})).await;
    assert_eq!(result["credentials"]["d"][0]["claims"], json!({"degree": "BSc"}), "{result}");
    let half = house.answered(&query, |asked| json!({"d": [house.showing(asked, &["grade"])]})).await;
    assert_eq!(failure(&half), "VP-041 query/claim-missing");
}

#[tokio::test]
async fn a_value_of_another_type_or_text_is_refused() {
    let house = House::new().await;
    for (values, verdict) in [
        (json!(["MSc", "BSc"]), None),
        (json!(["MSc"]), Some("VP-042 query/wrong-value")),
        (json!([true, 7, "bsc"]), Some("VP-042 query/wrong-value")),
    ] {
        let query = query_of(&asks("d", VCT, &json!([{"path": ["degree"], "values": values}])));
        let result = house.answered(&query, |asked| json!({"d": [house.showing(asked, &["degree"])]})).await;
        match verdict {
            None => assert_eq!(outcome(&result, "VP-042"), "pass", "{result}"),
            Some(verdict) => assert_eq!(failure(&result), verdict, "{values}"),
        }
    }
}

#[tokio::test]
async fn an_issuer_under_another_authority_is_refused() {
    let house = House::new().await;
    let key_id = base64::url_encode(house.university.certificate.ski().unwrap());
    for (value, passes) in [(key_id.as_str(), true), ("s9tIpPmhxdiuNkHMEWNpYim8S8Y", false)] {
        let mut asked = asks("d", VCT, &json!([{"path": ["degree"]}]));
        asked["trusted_authorities"] = json!([{"type": "aki", "values": [value]}]);
        let query = query_of(&asked);
        let result = house.answered(&query, |asked| json!({"d": [house.showing(asked, &["degree"])]})).await;
        if passes {
            assert_eq!(outcome(&result, "VP-043"), "pass", "{result}");
        } else {
            assert_eq!(failure(&result), "VP-043 query/wrong-authority");
        }
    }
}

#[tokio::test]
async fn several_presentations_answer_only_a_query_that_takes_them_and_each_must_hold() {
    let house = House::new().await;
    let mut asked = asks("d", VCT, &json!([{"path": ["degree"]}]));
    let two =
        |asked: &Asked| json!({"d": [house.showing(asked, &["degree"]), house.showing(asked, &["degree"])]});
    let once = house.answered(&query_of(&asked), two).await;
    assert_eq!(failure(&once), "VP-007 presentation/unexpected");
    asked["multiple"] = json!(true);
    let result = house.answered(&query_of(&asked), two).await;
    assert_eq!(result["credentials"]["d"].as_array().unwrap().len(), 2, "{result}");
    let (_, other) = house.ask().await;
    let bad =
        |asked: &Asked| json!({"d": [house.showing(asked, &["degree"]), house.showing(&other, &["degree"])]});
    let one_bad = house.answered(&query_of(&asked), bad).await;
    assert_eq!(failure(&one_bad), "VP-024 key-binding/wrong-nonce");
    assert_eq!(one_bad["failure"]["credential"], "d[1]");
}

#[tokio::test]
async fn where_no_key_is_asked_for_only_the_state_binds_the_answer() {
    let house = House::new().await;
    let mut asked = query()["credentials"][0].clone();
    asked["require_cryptographic_holder_binding"] = json!(false);
    let body = json!({"dcql_query": query_of(&asked)});
    let unbound = Wallet::disclose(&house.diploma(), &house.issuer.key.public());
    let made = house.ask_with(&body).await;
    let request = house.fetch(&made).await;
    let without = json!({"vp_token": {"d": [&unbound]}});
    assert_eq!(house.respond(&request, &request.sealed(&without)).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(failure(&house.result(&id_of(&made)).await), "VP-006 session/wrong-state");
    let made = house.ask_with(&body).await;
    let request = house.fetch(&made).await;
    assert_eq!(house.respond(&request, &request.answer(&unbound)).await.status, StatusCode::OK);
    let result = house.result(&id_of(&made)).await;
    assert_eq!(result["credentials"]["d"][0]["holder_binding"], false, "{result}");
}
