//! Attacks on the wallet's doors: each refused with its code, nothing spent, one event.

use crate::house::{House, code};
use crate::wallet::{draft, p256, proof_for, sign};
use crypto::base64;
use serde_json::{Value, json};

/// The refusal of these proofs, after which the same token and nonce still give a credential.
async fn refused(house: &House, make: impl AsyncFn(&House, &str) -> Vec<String>) -> String {
    let token = house.access_token().await;
    let nonce = house.nonce("default").await;
    house.events().await;
    let answered = house.ask(&token, &make(house, &nonce).await).await;
    let code = answered.code();
    assert_eq!(answered.status, 400, "{}", answered.text());
    assert_eq!(house.events().await, ["issue-refused"], "{code}");
    let good = proof_for("default", &p256(), &nonce, house.now());
    assert_eq!(house.ask(&token, &[good]).await.status, 200, "nothing was spent");
    code
}

#[tokio::test]
async fn a_private_key_in_the_proof_is_invalid_proof() {
    let house = House::new().await;
    let code = refused(&house, async |house, nonce| {
        let key = p256();
        let draft = draft("default", &key, nonce, house.now());
        let mut jwk = draft.header["jwk"].clone();
        jwk["d"] = base64::url_encode(&[7; 32]).into();
        vec![sign(draft.with("jwk", jwk), &key)]
    });
    assert_eq!(code.await, "invalid_proof");
}

#[tokio::test]
async fn a_proof_for_another_issuer_is_invalid_proof() {
    let house = House::new().await;
    let code =
        refused(&house, async |house, nonce| vec![proof_for("other", &p256(), nonce, house.now())]).await;
    assert_eq!(code, "invalid_proof");
}

#[tokio::test]
async fn a_proof_that_another_key_signed_is_invalid_proof() {
    let house = House::new().await;
    let code = refused(&house, async |house, nonce| {
        vec![sign(draft("default", &p256(), nonce, house.now()), &p256())]
    });
    assert_eq!(code.await, "invalid_proof");
}

#[tokio::test]
async fn the_same_key_twice_is_invalid_proof() {
    let house = House::new().await;
    let code = refused(&house, async |house, nonce| {
        let proof = proof_for("default", &p256(), nonce, house.now());
        vec![proof.clone(), proof]
    });
    assert_eq!(code.await, "invalid_proof");
}

#[tokio::test]
async fn a_nonce_of_another_tenant_an_old_one_and_a_made_up_one_are_invalid_nonce() {
    let house = House::new().await;
    let code = refused(&house, async |house, _| {
        vec![proof_for("default", &p256(), &house.nonce("other").await, house.now())]
    });
    assert_eq!(code.await, "invalid_nonce");
    let code = refused(&house, async |house, nonce| {
        let forged = format!("{}A", &nonce[..nonce.len() - 1]);
        let other = if forged == nonce { format!("{}Q", &nonce[..nonce.len() - 1]) } else { forged };
        vec![proof_for("default", &p256(), &other, house.now())]
    });
    assert_eq!(code.await, "invalid_nonce");
    let old = house.nonce("default").await;
    house.advance(301);
    let code = refused(&house, async |house, _| vec![proof_for("default", &p256(), &old, house.now())]);
    assert_eq!(code.await, "invalid_nonce");
}

#[tokio::test]
async fn a_spent_nonce_is_refused_before_an_index_is_dealt_for_it() {
    let house = House::new().await;
    let token = house.access_token().await;
    let nonce = house.nonce("default").await;
    let proof = || proof_for("default", &p256(), &nonce, house.now());
    assert_eq!(house.ask(&token, &[proof()]).await.status, 200);
    house.events().await;
    assert_eq!(house.ask(&token, &[proof()]).await.refusal(), (400, "invalid_nonce".to_owned()));
    assert_eq!(house.events().await, ["issue-refused"]);
}

#[tokio::test]
async fn a_proof_of_another_time_or_algorithm_is_invalid_proof() {
    let house = House::new().await;
    for shift in [-301_i64, 61] {
        let code = refused(&house, async |house, nonce| {
            let at = house.now() + jiff::SignedDuration::from_secs(shift);
            vec![proof_for("default", &p256(), nonce, at)]
        });
        assert_eq!(code.await, "invalid_proof", "{shift}");
    }
    let code = refused(&house, async |house, nonce| {
        let key = p256();
        let good = proof_for("default", &key, nonce, house.now());
        let mut parts: Vec<&str> = good.split('.').collect();
        let mut header: Value = serde_json::from_slice(&base64::url_decode(parts[0]).unwrap()).unwrap();
        header["alg"] = "none".into();
        let header = base64::url_encode(header.to_string().as_bytes());
        parts[0] = &header;
        vec![parts.join(".")]
    });
    assert_eq!(code.await, "invalid_proof");
}

#[tokio::test]
async fn a_token_in_the_query_is_refused_even_beside_a_good_one() {
    let house = House::new().await;
    let token = house.access_token().await;
    let nonce = house.nonce("default").await;
    let proof = proof_for("default", &p256(), &nonce, house.now());
    let body = json!({"credential_configuration_id": "diploma", "proofs": {"jwt": [proof]}});
    let path = format!("/t/default/vci/credential?access_token={token}");
    for bearer in ["", token.as_str()] {
        let refused = house.post_as(&path, bearer, &[], &body).await;
        assert_eq!(refused.refusal(), (400, "invalid_request".to_owned()));
    }
    assert_eq!(house.ask(&token, &[proof]).await.status, 200);
}

#[tokio::test]
async fn a_request_without_a_token_or_with_one_of_the_api_is_401() {
    let house = House::new().await;
    let nonce = house.nonce("default").await;
    let proof = proof_for("default", &p256(), &nonce, house.now());
    for token in ["", "x", house.token.as_str()] {
        let refused = house.ask(token, std::slice::from_ref(&proof)).await;
        assert_eq!(refused.refusal(), (401, "invalid_token".to_owned()));
        assert!(refused.headers.contains_key("www-authenticate"));
    }
    let token = format!("Bearer {}", house.access_token().await);
    let twice = [
        ("content-type", "application/json"),
        ("authorization", token.as_str()),
        ("authorization", "Bearer x"),
    ];
    let refused = house.raw("POST", "/t/default/vci/credential", "", &twice, "{}").await;
    assert_eq!(refused.refusal(), (401, "invalid_token".to_owned()), "two tokens are none");
    assert_eq!(house.count("issue-refused").await, 0, "strangers do not fill the log");
}

#[tokio::test]
async fn a_code_that_comes_twice_a_transaction_code_and_unknown_codes_give_no_token() {
    let house = House::new().await;
    let code = code(&house.offer().await);
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Apre-authorized_code";
    let cases = [
        (format!("{grant}&pre-authorized_code={code}&tx_code=493536"), "invalid_request"),
        (format!("{grant}&pre-authorized_code={code}&pre-authorized_code={code}"), "invalid_request"),
        (
            format!("{grant}&pre-authorized_code={code}&authorization_details=%5B%5D"),
            "invalid_authorization_details",
        ),
        (format!("{grant}&pre-authorized_code=unknown"), "invalid_grant"),
        (format!("{grant}&pre-authorized_code={}", "x".repeat(300)), "invalid_grant"),
        (grant.to_owned(), "invalid_request"),
        ("grant_type=authorization_code&code=x".to_owned(), "unsupported_grant_type"),
        (String::new(), "invalid_request"),
        ("%zz".to_owned(), "invalid_request"),
    ];
    for (form, error) in cases {
        let refused = house.form("/t/default/vci/token", form.clone()).await;
        assert_eq!(refused.refusal(), (400, error.to_owned()), "{form}");
    }
    assert_eq!(house.count("issue-refused").await, 1, "only the offer that is known");
    assert_eq!(house.redeem("default", &code).await.status, 200, "the code stayed good");
}
