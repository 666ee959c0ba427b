//! What a tenant keeps by name: queries, and types of transactions with what they authorise.

use crate::house::{House, failure, id_of, outcome, query};
use crate::people::{Asked, now, sign};
use credential::claims_path::ClaimsPath;
use credential::sd_jwt::SdJwt;
use crypto::hash;
use http::StatusCode;
use serde_json::{Value, json};
use tenancy::Role;

#[tokio::test]
async fn a_stored_query_is_asked_by_its_name_and_kept_in_versions() {
    let house = House::new().await;
    let put = |query: Value| json!({"name": "diploma", "dcql_query": query});
    let answered = house.post("/api/v1/queries", &put(query())).await;
    assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text());
    assert!(answered.headers["tessera-event"].to_str().unwrap().starts_with("evt_"));
    let stored = answered.json();
    assert_eq!(
        (&stored["name"], &stored["version"], &stored["dcql_query"]),
        (&json!("diploma"), &json!(1), &query())
    );
    assert_eq!(house.get("/api/v1/queries/diploma").await.json(), stored);

    let made = house.ask_with(&json!({"query": "diploma"})).await;
    let asked = house.fetch(&made).await;
    assert_eq!(asked.claims["dcql_query"], query());
    // A new definition and even its end change nothing for a session that was asked before.
    let mut other = query();
    other["credentials"][0]["claims"] = json!([{"path": ["grade"]}]);
    assert_eq!(house.post("/api/v1/queries", &put(other)).await.json()["version"], 2);
    let listed = house.get("/api/v1/queries").await.json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["version"]), (1, &json!(2)));
    let deleted = house.call("DELETE", "/api/v1/queries/diploma", &house.token, None).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    house.respond(&asked, &asked.answer(&house.shown(&house.diploma(), &asked))).await;
    assert_eq!(house.result(&id_of(&made)).await["state"], "verified");

    assert_eq!(house.get("/api/v1/queries/diploma").await.status, StatusCode::NOT_FOUND);
    let again = house.call("DELETE", "/api/v1/queries/diploma", &house.token, None).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let gone = house.post("/api/v1/verifications", &json!({"query": "diploma"})).await;
    assert_eq!(
        (gone.code().as_str(), gone.pointers()),
        ("verifier/unknown-query", vec!["/query".to_owned()])
    );
    assert_eq!(house.post("/api/v1/queries", &put(query())).await.json()["version"], 3);
    assert_eq!((house.count("query-put").await, house.count("query-retired").await), (3, 1));
}

#[tokio::test]
async fn a_query_that_breaks_a_rule_or_has_no_name_is_not_stored() {
    let house = House::new().await;
    for (body, code, pointer) in [
        (json!({"name": "Big Name", "dcql_query": query()}), "api/invalid", "/name"),
        (json!({"name": "a", "dcql_query": {}}), "verifier/query-invalid", "/dcql_query/credentials"),
        (json!({"name": "a"}), "api/invalid", "/dcql_query"),
    ] {
        let answered = house.post("/api/v1/queries", &body).await;
        assert_eq!(answered.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answered.text());
        assert_eq!(
            (answered.code().as_str(), answered.pointers()),
            (code, vec![pointer.to_owned()]),
            "{body}"
        );
    }
    let both = house.post("/api/v1/verifications", &json!({"dcql_query": query(), "query": "a"})).await;
    assert_eq!((both.code().as_str(), both.pointers()), ("api/invalid", vec!["/query".to_owned()]));
    assert_eq!(house.count("query-put").await, 0);
}

#[tokio::test]
async fn what_one_tenant_keeps_is_unknown_to_another_and_an_auditor_only_reads() {
    let house = House::new().await;
    house.post("/api/v1/queries", &json!({"name": "diploma", "dcql_query": query()})).await;
    house.post("/api/v1/transaction-types", &payment()).await;
    let theirs = house.token_for(&house.other, &[Role::Verifier]).await;
    let auditor = house.token_for(&house.tenant, &[Role::Auditor]).await;
    for (list, one) in [("queries", "diploma"), ("transaction-types", "payment")] {
        let path = format!("/api/v1/{list}/{one}");
        assert_eq!(house.call("GET", &path, &theirs, None).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(house.call("DELETE", &path, &theirs, None).await.status, StatusCode::NOT_FOUND, "{path}");
        let listed = house.call("GET", &format!("/api/v1/{list}"), &theirs, None).await.json();
        assert_eq!(listed["items"], json!([]));
        assert_eq!(house.call("GET", &path, &auditor, None).await.status, StatusCode::OK);
        assert_eq!(house.call("DELETE", &path, &auditor, None).await.status, StatusCode::FORBIDDEN);
    }
    let asked =
        house.call("POST", "/api/v1/verifications", &theirs, Some(&json!({"query": "diploma"}))).await;
    assert_eq!(asked.code(), "verifier/unknown-query");
}

fn payment() -> Value {
    json!({"name": "payment", "fields": [{"name": "amount", "display": "Amount"}, {"name": "note", "required": false}]})
}

fn transfer(ids: &Value) -> Value {
    json!({"type": "payment", "credential_ids": ids, "amount": "10 EUR"})
}

impl House {
    /// Shows a diploma that authorises what these strings say.
    fn authorising(&self, asked: &Asked, sent: &[&str]) -> String {
        let held = SdJwt::parse(&self.diploma()).unwrap().verify(&self.issuer.key.public(), now()).unwrap();
        let paths = [ClaimsPath::of_names(["given_name"]), ClaimsPath::of_names(["degree"])];
        let presentation = held.present(&paths).unwrap();
        let hashes: Vec<[u8; 32]> = sent.iter().map(|text| hash::sha256(text.as_bytes())).collect();
        let draft = presentation.authorising_draft(
            asked.text("client_id"),
            asked.text("nonce"),
            asked.made_at(),
            &hashes,
        );
        presentation.bind(&sign(draft, &self.wallet.key))
    }

    /// Asks with this transaction and answers what the wallet makes of it; the result.
    async fn authorised(
        &self,
        query: &Value,
        data: &Value,
        answer: impl FnOnce(&Asked, &str) -> Value,
    ) -> Value {
        let made = self.ask_with(&json!({"dcql_query": query, "transaction_data": [data]})).await;
        let asked = self.fetch(&made).await;
        let sent = asked.claims["transaction_data"][0].as_str().unwrap().to_owned();
        let plain = json!({"vp_token": answer(&asked, &sent), "state": asked.text("state")});
        self.respond(&asked, &asked.sealed(&plain)).await;
        self.result(&id_of(&made)).await
    }
}

#[tokio::test]
async fn transaction_data_changed_dropped_or_hashed_into_another_credential_is_refused() {
    let house = House::new().await;
    assert_eq!(house.post("/api/v1/transaction-types", &payment()).await.status, StatusCode::CREATED);
    let one = transfer(&json!(["d"]));
    let good = house
        .authorised(&query(), &one, |asked, sent| json!({"d": [house.authorising(asked, &[sent])]}))
        .await;
    assert_eq!((&good["state"], outcome(&good, "VP-027")), (&json!("verified"), "pass".into()), "{good}");
    let dropped =
        house.authorised(&query(), &one, |asked, _| json!({"d": [house.authorising(asked, &[])]})).await;
    assert_eq!(failure(&dropped), "VP-027 key-binding/transaction-data");
    let changed = |asked: &Asked, sent: &str| {
        let text = crypto::base64::url_decode(sent).unwrap();
        let text = String::from_utf8(text).unwrap().replace("10 EUR", "99 EUR");
        json!({"d": [house.authorising(asked, &[&crypto::base64::url_encode(text.as_bytes())])]})
    };
    assert_eq!(
        failure(&house.authorised(&query(), &one, changed).await),
        "VP-027 key-binding/transaction-data"
    );

    // Two credentials: the one that was not asked to authorise does, or both do where one is enough.
    let mut two = query();
    let mut other = two["credentials"][0].clone();
    other["id"] = json!("e");
    two["credentials"].as_array_mut().unwrap().push(other);
    let into_other = |asked: &Asked, sent: &str| json!({"d": [house.authorising(asked, &[])], "e": [house.authorising(asked, &[sent])]});
    let moved = house.authorised(&two, &one, into_other).await;
    assert_eq!(failure(&moved), "VP-027 key-binding/transaction-data");
    let either = transfer(&json!(["d", "e"]));
    let by_one = house.authorised(&two, &either, into_other).await;
    assert_eq!(by_one["state"], "verified", "{by_one}");
    let by_both = |asked: &Asked, sent: &str| json!({"d": [house.authorising(asked, &[sent])], "e": [house.authorising(asked, &[sent])]});
    assert_eq!(
        failure(&house.authorised(&two, &either, by_both).await),
        "VP-027 key-binding/transaction-data"
    );
    let by_none = |asked: &Asked, _: &str| json!({"d": [house.authorising(asked, &[])], "e": [house.authorising(asked, &[])]});
    assert_eq!(
        failure(&house.authorised(&two, &either, by_none).await),
        "VP-027 key-binding/transaction-data"
    );
    assert_eq!(house.count("transaction-type-put").await, 1);
}

#[tokio::test]
async fn what_was_never_asked_to_be_authorised_is_refused() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    let shown = house.authorising(&asked, &["eyJ0eXBlIjoicGF5bWVudCJ9"]);
    house.respond(&asked, &asked.answer(&shown)).await;
    assert_eq!(failure(&house.result(&id).await), "VP-027 key-binding/transaction-data");
}

#[tokio::test]
async fn transaction_data_of_an_unknown_type_or_shape_is_not_asked() {
    let house = House::new().await;
    house.post("/api/v1/transaction-types", &payment()).await;
    let with = |name: &str, value: Value| {
        let mut data = transfer(&json!(["d"]));
        data[name] = value;
        data
    };
    let mut short = transfer(&json!(["d"]));
    short.as_object_mut().unwrap().remove("amount");
    for (data, code, pointer) in [
        (with("type", json!("loan")), "verifier/unknown-transaction-type", "/transaction_data/0/type"),
        (with("colour", json!("red")), "api/invalid", "/transaction_data/0/colour"),
        (short, "api/invalid", "/transaction_data/0/amount"),
        (with("credential_ids", json!(["x"])), "api/invalid", "/transaction_data/0/credential_ids/0"),
        (with("credential_ids", json!([])), "api/invalid", "/transaction_data/0"),
        (with("transaction_data_hashes_alg", json!(["md5"])), "api/invalid", "/transaction_data/0"),
        (with("amount", json!("x".repeat(9_000))), "api/invalid", "/transaction_data/0"),
    ] {
        let body = json!({"dcql_query": query(), "transaction_data": [data]});
        let answered = house.post("/api/v1/verifications", &body).await;
        assert_eq!(answered.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answered.text());
        assert_eq!((answered.code().as_str(), answered.pointers()), (code, vec![pointer.to_owned()]));
    }
    let mut unbound = query();
    unbound["credentials"][0]["require_cryptographic_holder_binding"] = json!(false);
    let body = json!({"dcql_query": unbound, "transaction_data": [transfer(&json!(["d"]))]});
    assert_eq!(house.post("/api/v1/verifications", &body).await.code(), "api/invalid");
    let many = json!({"dcql_query": query(), "transaction_data": vec![transfer(&json!(["d"])); 17]});
    assert_eq!(house.post("/api/v1/verifications", &many).await.pointers(), ["/transaction_data"]);
    // A retired type is none.
    let deleted = house.call("DELETE", "/api/v1/transaction-types/payment", &house.token, None).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let body = json!({"dcql_query": query(), "transaction_data": [transfer(&json!(["d"]))]});
    assert_eq!(house.post("/api/v1/verifications", &body).await.code(), "verifier/unknown-transaction-type");
    assert_eq!(house.count("transaction-type-retired").await, 1);
    assert_eq!(house.count("presentation-requested").await, 0);
}

#[tokio::test]
async fn a_type_of_transactions_names_its_members_within_bounds() {
    let house = House::new().await;
    for (fields, pointer) in [
        (json!([{"name": "a b"}]), "/fields/0/name"),
        (json!([{"name": "type"}]), "/fields/0/name"),
        (json!([{"name": "a"}, {"name": "a"}]), "/fields/1/name"),
        (json!([{"name": "a", "display": "x".repeat(65)}]), "/fields/0/display"),
        (json!((0..33).map(|nth| json!({"name": format!("f{nth}")})).collect::<Vec<_>>()), "/fields"),
    ] {
        let answered = house.post("/api/v1/transaction-types", &json!({"name": "p", "fields": fields})).await;
        assert_eq!(answered.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answered.text());
        assert_eq!(answered.pointers(), [pointer]);
    }
    let made = house.post("/api/v1/transaction-types", &payment()).await.json();
    assert_eq!(made["fields"][0], json!({"name": "amount", "required": true, "display": "Amount"}));
    assert_eq!(house.get("/api/v1/transaction-types").await.json()["items"], json!([made]));
}
