//! Several copies at once. Attack 20: what verifiers see of twenty copies must not tell that they belong together.

use crate::house::{House, code, diploma, id};
use crate::wallet::{p256, proof_for};
use crypto::base64;
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use crypto::key::PrivateKey;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LIMITS: Limits = Limits { bytes_max: 1 << 20, depth_max: 32 };

/// Proofs of so many new keys with one nonce.
async fn proofs(house: &House, count: usize) -> Vec<String> {
    let nonce = house.nonce("default").await;
    let keys: Vec<PrivateKey> = (0..count).map(|_| p256()).collect();
    keys.iter().map(|key| proof_for("default", key, &nonce, house.now())).collect()
}

async fn token_for(house: &House, offer: &Value) -> String {
    let granted = house.redeem("default", &code(offer)).await.json();
    granted["access_token"].as_str().unwrap().to_owned()
}

fn copies(answer: &Value) -> Vec<String> {
    let copies = answer["credentials"].as_array().unwrap();
    copies.iter().map(|copy| copy["credential"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn twenty_copies_share_no_salt_key_index_or_order_and_tell_only_the_day() {
    let house = House::with(|config| config.batch_size = 20).await;
    let offer = house.offer().await;
    let token = token_for(&house, &offer).await;
    let issued = house.ask(&token, &proofs(&house, 20).await).await;
    assert_eq!(issued.status, 200, "{}", issued.text());
    let (mut salts, mut keys, mut digests, mut indices) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), Vec::new());
    for text in copies(&issued.json()) {
        for disclosure in text.split('~').skip(1).filter(|part| !part.is_empty()) {
            let parts: Value = serde_json::from_slice(&base64::url_decode(disclosure).unwrap()).unwrap();
            assert!(salts.insert(parts[0].as_str().unwrap().to_owned()), "a salt came twice");
        }
        let jws = Jws::parse(text.split('~').next().unwrap(), &LIMITS).unwrap();
        let claims: Value = serde_json::from_slice(jws.payload()).unwrap();
        assert!(keys.insert(claims["cnf"]["jwk"].to_string()), "a key came twice");
        for digest in claims["_sd"].as_array().unwrap() {
            assert!(digests.insert(digest.to_string()), "a digest came twice");
        }
        assert!(
            ["iat", "nbf", "exp"]
                .iter()
                .all(|name| { claims.get(*name).is_none_or(|at| at.as_i64().unwrap() % 86_400 == 0) })
        );
        indices.push(claims["status"]["status_list"]["idx"].as_i64().unwrap());
    }
    assert_eq!((keys.len(), indices.iter().collect::<BTreeSet<_>>().len()), (20, 20));
    let steps: BTreeSet<i64> = indices.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.len() > 15, "an arithmetic series: {indices:?}");
    assert!(!indices.is_sorted() && !indices.is_sorted_by(|a, b| a > b));
    let status = house.status(&id(&offer)).await;
    assert_eq!(status["copies"].as_array().unwrap().len(), 20);
    assert_eq!(house.count("credential-issued").await, 1, "one answer, one event");
}

#[tokio::test]
async fn a_batch_is_bounded_by_the_metadata_and_by_what_was_offered() {
    let house = House::new().await;
    let offer = house.offer().await;
    let token = token_for(&house, &offer).await;
    let refused = house.ask(&token, &proofs(&house, 11).await).await;
    assert_eq!(refused.refusal(), (400, "invalid_proof".to_owned()));
    assert_eq!(copies(&house.ask(&token, &proofs(&house, 10).await).await.json()).len(), 10);
    let mut body = diploma();
    body["copies_max"] = json!(2);
    let few = house.offer_of(&body).await;
    let token = token_for(&house, &few).await;
    let issued = house.ask(&token, &proofs(&house, 5).await).await.json();
    assert_eq!(copies(&issued).len(), 2, "more keys than copies get fewer credentials");
}

#[tokio::test]
async fn one_nonce_serves_a_batch_and_no_second_one() {
    let house = House::new().await;
    let token = token_for(&house, &house.offer().await).await;
    let nonce = house.nonce("default").await;
    let batch = |_| (0..3).map(|_| proof_for("default", &p256(), &nonce, house.now())).collect::<Vec<_>>();
    assert_eq!(house.ask(&token, &batch(0)).await.status, 200);
    assert_eq!(house.ask(&token, &batch(1)).await.refusal(), (400, "invalid_nonce".to_owned()));
    let mut mixed = proofs(&house, 1).await;
    mixed.extend(proofs(&house, 1).await);
    assert_eq!(house.ask(&token, &mixed).await.refusal(), (400, "invalid_nonce".to_owned()));
}

#[tokio::test]
async fn one_bad_proof_in_a_batch_costs_neither_round_nor_nonce_and_gives_nothing() {
    let house = House::new().await;
    let offer = house.offer().await;
    let token = token_for(&house, &offer).await;
    let good = proofs(&house, 2).await;
    let mut spoiled = good.clone();
    spoiled[1] = good[0].clone();
    assert_eq!(house.ask(&token, &spoiled).await.refusal(), (400, "invalid_proof".to_owned()));
    assert_eq!(house.status(&id(&offer)).await["copies"], json!([]));
    assert_eq!(house.ask(&token, &good).await.status, 200);
}

#[tokio::test]
async fn three_batches_are_all_of_a_token_and_all_of_them_are_revoked_together() {
    let house = House::new().await;
    let offer = house.offer().await;
    let token = token_for(&house, &offer).await;
    for _ in 0..3 {
        assert_eq!(house.ask(&token, &proofs(&house, 10).await).await.status, 200);
    }
    let fourth = house.ask(&token, &proofs(&house, 1).await).await;
    assert_eq!(fourth.refusal(), (400, "credential_request_denied".to_owned()));
    house.revoke(&id(&offer)).await;
    let status = house.status(&id(&offer)).await;
    let copies = status["copies"].as_array().unwrap();
    assert_eq!(copies.len(), 30);
    assert!(copies.iter().all(|copy| copy["status"] == "revoked"));
}

#[tokio::test]
async fn an_issuer_of_single_copies_names_no_batch() {
    let house = House::with(|config| config.batch_size = 1).await;
    let metadata = house.fetch("/.well-known/openid-credential-issuer/t/default").await.json();
    assert_eq!(metadata.get("batch_credential_issuance"), None);
    let token = token_for(&house, &house.offer().await).await;
    assert_eq!(house.ask(&token, &proofs(&house, 2).await).await.refusal().1, "invalid_proof");
}
