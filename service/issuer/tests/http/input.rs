//! Bad input of every kind: a stable code, the place, nothing stored, never a 500.

use crate::house::{House, diploma};
use crate::wallet::{p256, proof_for};
use serde_json::{Value, json};

const ISSUE: &str = "/api/v1/credentials/issue";
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// The request for a diploma with one member changed.
fn with(name: &str, value: Value) -> Value {
    let mut body = diploma();
    body[name] = value;
    body
}

#[tokio::test]
async fn claims_that_do_not_fit_are_422_with_pointers_and_nothing_is_stored() {
    let house = House::new().await;
    let cases = [
        (json!({}), vec!["/claims/given_name", "/claims/degree/type"]),
        (json!({"given_name": "Ana", "degree": {"type": 7}}), vec!["/claims/degree/type"]),
        (json!({"given_name": ["Ana"], "degree": {"type": "x"}}), vec!["/claims/given_name"]),
        (json!({"given_name": "Ana", "degree": {"type": "x"}, "hobby": "x"}), vec!["/claims/hobby"]),
        (
            json!({"given_name": "Ana", "degree": {"type": "x"}, "birthdate": "31.12.1999"}),
            vec!["/claims/birthdate"],
        ),
        (json!({"given_name": "Ana", "degree": {"type": "x"}, "iss": "x"}), vec!["/claims/iss"]),
        (json!({"given_name": "Ana", "degree": {"type": "x"}, "_sd": ["x"]}), vec!["/claims/_sd"]),
        (json!({"given_name": null, "degree": null}), vec![]),
    ];
    for (claims, pointers) in cases {
        let refused = house.post(ISSUE, &with("claims", claims.clone())).await;
        assert_eq!(refused.refusal(), (422, "issuer/claims-invalid".to_owned()), "{claims}");
        for pointer in pointers {
            assert!(refused.pointers().contains(&pointer.to_owned()), "{claims}: {}", refused.text());
        }
    }
    assert_eq!(house.count("offer-created").await, 0);
    assert_eq!(house.get("/api/v1/credentials").await.json()["items"], json!([]));
}

#[tokio::test]
async fn every_member_that_this_version_lacks_is_refused_by_its_pointer() {
    let house = House::new().await;
    let lacking = [
        ("deferred", json!(true)),
        ("refreshable", json!(true)),
        ("grant", json!("authorization_code")),
        ("credential_configuration_ids", json!(["diploma"])),
    ];
    for (name, value) in &lacking {
        let refused = house.post(ISSUE, &with(name, value.clone())).await;
        assert_eq!(refused.refusal(), (422, "issuer/not-offered".to_owned()), "{name}");
        assert_eq!(refused.pointers(), [format!("/{name}")]);
    }
    let mut all = diploma();
    lacking.into_iter().for_each(|(name, value)| all[name] = value);
    assert_eq!(house.post(ISSUE, &all).await.pointers().len(), 4);
    assert_eq!(house.count("offer-created").await, 0);
    let fine = [
        ("tx_code", json!(false)),
        ("copies_max", json!(1)),
        ("deferred", json!(false)),
        ("refreshable", json!(false)),
        ("grant", json!("pre_authorized_code")),
    ];
    let mut all = diploma();
    fine.into_iter().for_each(|(name, value)| all[name] = value);
    assert_eq!(house.post(ISSUE, &all).await.status, 201, "what says no more than the default is fine");
    let (credential, _) = house.collected().await;
    let refused =
        house.post(&format!("/api/v1/credentials/{credential}/revoke"), &json!({"copies": [1]})).await;
    assert_eq!(
        (refused.code(), refused.pointers()),
        ("issuer/not-offered".to_owned(), vec!["/copies".to_owned()])
    );
    assert_eq!(house.status(&credential).await["status"], "valid");
}

#[tokio::test]
async fn numbers_and_texts_out_of_bounds_are_422_at_their_place() {
    let house = House::new().await;
    let cases = [
        ("offer_ttl_s", json!(0)),
        ("offer_ttl_s", json!(3601)),
        ("copies_max", json!(0)),
        ("copies_max", json!(11)),
        ("copies_max", json!("5")),
        ("tx_code", json!("493536")),
        ("tx_code", json!({"length": 5})),
        ("tx_code", json!({"length": 17})),
        ("tx_code", json!({"input_mode": "binary"})),
        ("tx_code", json!({"description": ""})),
        ("tx_code", json!({"description": "d".repeat(301)})),
        ("tx_code", json!({"value": "493536"})),
        ("offer_ttl_s", json!(-1)),
        ("offer_ttl_s", json!("600")),
        ("offer_ttl_s", json!(1.5)),
        ("offer_ttl_s", json!(1e30)),
        ("valid_for_s", json!(0)),
        ("valid_for_s", json!(315_360_001)),
        ("valid_for_s", json!(u64::MAX)),
        ("subject_ref", json!("")),
        ("subject_ref", json!("x".repeat(257))),
        ("claims", json!([])),
        ("credential_configuration_id", json!(7)),
        ("unknown", json!(1)),
    ];
    for (name, value) in cases {
        let refused = house.post(ISSUE, &with(name, value.clone())).await;
        assert_eq!(refused.refusal(), (422, "api/invalid".to_owned()), "{name} {value}");
        assert_eq!(refused.pointers(), [format!("/{name}")], "{value}");
    }
    assert_eq!(house.count("offer-created").await, 0);
    let longest = with("valid_for_s", json!(315_360_000));
    assert_eq!(house.post(ISSUE, &longest).await.status, 201);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_have_stable_codes_at_our_own_doors() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    let revoke = format!("/api/v1/credentials/{credential}/revoke");
    let deep = format!("{{\"claims\":{}{}}}", "{\"a\":".repeat(40), "1".to_owned() + &"}".repeat(40));
    let huge = format!("{{\"claims\":{{\"given_name\":\"{}\"}}}}", "x".repeat(600_000));
    let cases = [
        ("", 400, "api/malformed"),
        ("{", 400, "api/malformed"),
        ("{}x", 400, "api/malformed"),
        ("\u{feff}{}", 400, "api/malformed"),
        ("[]", 422, "api/invalid"),
        ("null", 422, "api/invalid"),
        ("{\"claims\":{},\"claims\":{}}", 400, "api/duplicate-member"),
        ("{\"claims\":{\"a\":1,\"a\":2}}", 400, "api/duplicate-member"),
        (deep.as_str(), 400, "api/too-deep"),
        (huge.as_str(), 413, "api/body-too-large"),
    ];
    for (body, status, code) in cases {
        for path in [ISSUE, "/api/v1/offers"] {
            let refused = house.raw("POST", path, &house.token, &JSON, body.to_owned()).await;
            assert_eq!(refused.refusal(), (status, code.to_owned()), "{path} {:.60}", body);
        }
    }
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"] {
        let refused = house.raw("POST", ISSUE, &house.token, &[("content-type", media)], "{}").await;
        assert_eq!(refused.refusal(), (415, "api/unsupported-media-type".to_owned()), "{media}");
    }
    for (body, code) in [
        ("{\"reason\":\"whim\"}", "api/invalid"),
        ("{\"reason\":1}", "api/invalid"),
        ("{\"raeson\":\"other\"}", "api/invalid"),
        ("[]", "api/invalid"),
        ("{", "api/malformed"),
    ] {
        let refused = house.raw("POST", &revoke, &house.token, &JSON, body.to_owned()).await;
        assert_eq!(refused.code(), code, "{body}");
    }
    let large = format!("{{\"reason\":\"{}\"}}", "x".repeat(5_000));
    assert_eq!(house.raw("POST", &revoke, &house.token, &JSON, large).await.status, 413);
    assert_eq!(house.status(&credential).await["status"], "valid");
    assert_eq!(house.count("offer-created").await, 1);
}

#[tokio::test]
async fn ids_and_queries_that_cannot_be_read_are_refused_without_a_fault() {
    let house = House::new().await;
    for id in ["x", "off_", "crd_", "%00", "%27%3B--", &"a".repeat(500), "%ff%fe", "..%2f.."] {
        for path in
            [format!("offers/{id}"), format!("credentials/{id}/status"), format!("credential-types/{id}")]
        {
            let refused = house.get(&format!("/api/v1/{path}")).await;
            assert!(matches!(refused.status.as_u16(), 404 | 400), "{path}: {}", refused.text());
            assert!(refused.code().starts_with("api/"), "{path}");
        }
    }
    for query in ["limit=0", "limit=201", "limit=x", "after=x", "limit=1&limit=2", "unknown=1"] {
        for path in ["offers", "credentials", "credential-types", "status-lists"] {
            let refused = house.get(&format!("/api/v1/{path}?{query}")).await;
            assert_eq!(refused.refusal(), (422, "api/invalid-query".to_owned()), "{path} {query}");
        }
    }
}

#[tokio::test]
async fn bad_credential_requests_have_the_standard_s_codes_and_spend_nothing() {
    let house = House::new().await;
    let token = house.access_token().await;
    let nonce = house.nonce("default").await;
    let path = "/t/default/vci/credential";
    let deep = "[".repeat(80) + &"]".repeat(80);
    let deep = format!("{{\"credential_configuration_id\":\"diploma\",\"x\":{deep}}}");
    let cases = [
        ("", "invalid_credential_request"),
        ("{", "invalid_credential_request"),
        ("[]", "invalid_credential_request"),
        ("{}", "invalid_credential_request"),
        (
            "{\"credential_configuration_id\":\"diploma\",\"credential_configuration_id\":\"diploma\"}",
            "invalid_credential_request",
        ),
        (
            "{\"credential_configuration_id\":\"diploma\",\"credential_identifier\":\"x\"}",
            "invalid_credential_request",
        ),
        ("{\"credential_configuration_id\":7}", "invalid_credential_request"),
        (deep.as_str(), "invalid_credential_request"),
        ("{\"credential_configuration_id\":\"pid\"}", "unknown_credential_configuration"),
        ("{\"credential_identifier\":\"diploma\"}", "unknown_credential_identifier"),
        ("{\"credential_configuration_id\":\"diploma\"}", "invalid_proof"),
        ("{\"credential_configuration_id\":\"diploma\",\"proofs\":{\"jwt\":[]}}", "invalid_proof"),
        (
            "{\"credential_configuration_id\":\"diploma\",\"proofs\":{\"attestation\":[\"x\"]}}",
            "invalid_proof",
        ),
        ("{\"credential_configuration_id\":\"diploma\",\"proofs\":{\"jwt\":[\"x\"]}}", "invalid_proof"),
        (
            "{\"credential_configuration_id\":\"diploma\",\"credential_response_encryption\":{}}",
            "invalid_encryption_parameters",
        ),
    ];
    for (body, error) in cases {
        let refused = house.raw("POST", path, &token, &JSON, body.to_owned()).await;
        assert_eq!(refused.refusal(), (400, error.to_owned()), "{body:.90}");
    }
    let huge = format!("{{\"credential_configuration_id\":\"{}\"}}", "x".repeat(300_000));
    assert_eq!(house.raw("POST", path, &token, &JSON, huge).await.status, 413);
    let media = [("content-type", "application/jwt")];
    assert_eq!(house.raw("POST", path, &token, &media, "x").await.status, 415);
    let good = proof_for("default", &p256(), &nonce, house.now());
    let body = json!({"credential_configuration_id": "diploma", "proofs": {"jwt": [good]}, "unknown": 1});
    assert_eq!(house.post_as(path, &token, &[], &body).await.status, 200, "unknown members are ignored here");
}

#[tokio::test]
async fn a_dataset_of_the_largest_size_is_refused_or_issued_and_never_a_fault() {
    let house = House::new().await;
    for bytes in [1_000, 60_000, 400_000] {
        let claims = json!({"given_name": "x".repeat(bytes), "degree": {"type": "BSc"}});
        let answered = house.post(ISSUE, &with("claims", claims)).await;
        match answered.status.as_u16() {
            201 => drop(crate::wallet::collect(&house, &answered.json()).await),
            _ => assert_eq!(answered.refusal(), (422, "issuer/claims-invalid".to_owned()), "{bytes}"),
        }
    }
}
