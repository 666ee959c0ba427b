//! Enrolments: challenges, anchors, second devices, locks, ends.

use crate::house::{House, seal_form};
use crate::wallet::{Wallet, challenge_of};
use crypto::base64;
use crypto::key::PublicKey;
use http::StatusCode;
use serde_json::{Value, json};
use tessera_idp::Enrolling;

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_device_enrols_with_a_seal_of_the_organisation_and_is_low() {
    let house = House::new().await;
    let seal = house.seal().await;
    house.events().await;
    let mut wallet = Wallet::new(&house).await;
    let begun = wallet.begin(&house, None).await.json();
    assert_eq!(
        (&begun["face_required"], begun["anchors_accepted"][0]["own"].as_bool()),
        (&json!(false), Some(true))
    );
    let answered = wallet.enrol(&house, Some(&seal)).await;
    assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text());
    assert_eq!(wallet.handle.len(), 9);
    let own = wallet.call(&house, "GET", "/t/default/seal/enrolment", None).await.json();
    assert_eq!(
        own["assurance"],
        json!({"level": "low", "anchor": "listed", "device": "software", "flow": "seal:code"})
    );
    assert_eq!(own["waiting"], json!([]));
    assert_eq!(house.events().await, ["enrolment-started", "enrolment-started", "enrolment-completed"]);
    let kept = house.api("GET", "/api/v1/enrolments", None).await.json();
    assert_eq!(kept["items"][0]["state"], "active");
}

#[tokio::test]
async fn a_challenge_counts_once_and_only_for_the_keys_that_prove_it() {
    let house = House::new().await;
    let mut wallet = Wallet::new(&house).await;
    let challenge = challenge_of(&wallet.begin(&house, None).await);
    let good = wallet.enrol_body(&challenge, None);
    let wrong = wallet.enrol_body(&[7; 32], None);
    assert_eq!(wallet.complete(&house, &wrong).await.refusal(), refusal(401, "seal/proof-invalid"));
    let mut stolen = good.clone();
    stolen["d"] = base64::url_encode(Wallet::new(&house).await.d.public().raw()).into();
    assert_eq!(wallet.complete(&house, &stolen).await.refusal(), refusal(401, "seal/proof-invalid"));
    house.events().await;
    assert_eq!(wallet.complete(&house, &good).await.status, StatusCode::CREATED);
    assert_eq!(wallet.complete(&house, &good).await.refusal().0, 404, "the challenge is spent");
    assert_eq!(house.events().await[0], "enrolment-completed");
    let again = challenge_of(&wallet.begin(&house, None).await);
    let same_key = wallet.enrol_body(&again, None);
    assert_eq!(wallet.complete(&house, &same_key).await.refusal(), refusal(409, "seal/already-enrolled"));
    assert!(house.events().await.contains(&"enrolment-refused".to_owned()));
}

#[tokio::test]
async fn a_challenge_that_is_over_enrols_nobody() {
    let house = House::new().await;
    let mut wallet = Wallet::new(&house).await;
    let challenge = challenge_of(&wallet.begin(&house, None).await);
    house.advance(601);
    let late = wallet.enrol_body(&challenge, None);
    assert_eq!(wallet.complete(&house, &late).await.refusal().0, 404);
}

#[tokio::test]
async fn an_anchor_that_nobody_vouches_for_or_that_was_revoked_is_refused() {
    let house = House::new().await;
    let stranger = House::new().await;
    let foreign = stranger.seal().await;
    let (id, revoked) = house.seal_of(&seal_form()).await;
    let path = format!("/api/v1/document-seals/{id}/revoke");
    assert_eq!(house.api("POST", &path, Some(&json!({"reason": "lost"}))).await.status, 204);
    for (seal, code) in [(&foreign, "seal/anchor-untrusted"), (&revoked, "seal/anchor-revoked")] {
        let mut wallet = Wallet::new(&house).await;
        assert_eq!(wallet.enrol(&house, Some(seal)).await.refusal(), refusal(422, code));
    }
    let mut bent = house.seal().await;
    bent[40] ^= 1;
    let mut wallet = Wallet::new(&house).await;
    assert_eq!(wallet.enrol(&house, Some(&bent)).await.refusal(), refusal(422, "seal/anchor-untrusted"));
    let mut form = seal_form();
    form["claims"]["expiry"] = "2026-11-21".into();
    form["claims"]["number"] = "X-300".into();
    let (_, short) = house.seal_of(&form).await;
    house.advance(3 * 86_400);
    let mut wallet = Wallet::new(&house).await;
    assert_eq!(wallet.enrol(&house, Some(&short)).await.refusal(), refusal(422, "seal/anchor-revoked"));
}

#[tokio::test]
async fn a_seal_that_names_its_device_enrols_no_other() {
    let house = House::new().await;
    let (mut mine, mut other) = (Wallet::new(&house).await, Wallet::new(&house).await);
    let mut form = seal_form();
    let thumbprint = crypto::jwk::Jwk::from_key(&mine.dk.public()).thumbprint();
    form["device_key"] = base64::url_encode(&thumbprint).into();
    let (_, seal) = house.seal_of(&form).await;
    assert_eq!(other.enrol(&house, Some(&seal)).await.refusal(), refusal(422, "seal/document-mismatch"));
    assert_eq!(mine.enrol(&house, Some(&seal)).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn where_invites_are_asked_for_one_counts_once_and_may_ask_for_a_level() {
    let house = House::with(|config| config.enrolment = Enrolling::Invited).await;
    let mut wallet = Wallet::new(&house).await;
    assert_eq!(wallet.begin(&house, None).await.refusal(), refusal(403, "seal/invite-invalid"));
    let invite = async |level: &str| {
        let body = json!({"ttl_s": 3600, "level_min": level});
        let made = house.api("POST", "/api/v1/enrolments/invite", Some(&body)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        made.json()["uri"].as_str().unwrap().split_once('#').unwrap().1.to_owned()
    };
    house.events().await;
    let (any, low) = (invite("none").await, invite("low").await);
    assert_eq!(house.events().await, ["enrolment-invited", "enrolment-invited"]);
    let (first, second) = (wallet.begin(&house, Some(&any)).await, wallet.id.clone());
    let body = wallet.enrol_body(&challenge_of(&first), None);
    assert_eq!(wallet.complete(&house, &body).await.status, StatusCode::CREATED, "{second}");
    let mut next = Wallet::new(&house).await;
    assert_eq!(next.begin(&house, Some(&any)).await.refusal(), refusal(403, "seal/invite-invalid"));
    let begun = next.begin(&house, Some(&low)).await;
    let body = next.enrol_body(&challenge_of(&begun), None);
    assert_eq!(next.complete(&house, &body).await.refusal(), refusal(403, "seal/invite-invalid"));
}

#[tokio::test]
async fn without_leave_nobody_enrols_unanchored() {
    let house = House::with(|config| config.unanchored = false).await;
    let mut wallet = Wallet::new(&house).await;
    assert_eq!(wallet.enrol(&house, None).await.refusal(), refusal(422, "seal/anchor-untrusted"));
}

/// A second device with a photocopy of the first one's document.
async fn photocopied(house: &House) -> (Wallet, Wallet, Vec<u8>) {
    let seal = house.seal().await;
    let first = house.wallet_with(&seal).await;
    let mut second = Wallet::new(house).await;
    let answered = second.enrol(house, Some(&seal)).await;
    assert_eq!(answered.status, StatusCode::ACCEPTED, "{}", answered.text());
    (first, second, seal)
}

#[tokio::test]
async fn a_photocopied_seal_waits_a_day_and_the_first_device_is_told() {
    let house = House::new().await;
    let (first, second, seal) = photocopied(&house).await;
    let shop = house.shop().await;
    let opened = house.open(&shop).await;
    let early = second.claim(&house, &opened).await.err().unwrap();
    assert_eq!(early, refusal(403, "seal/enrolment-waiting"));
    let own = first.call(&house, "GET", "/t/default/seal/enrolment", None).await.json();
    assert_eq!(own["waiting"][0]["enrolment"], second.id.as_str());
    house.advance(86_399);
    house.idp.tidy(&house.ctx(), "default").await.unwrap();
    let opened = house.open(&shop).await;
    assert!(second.claim(&house, &opened).await.is_err());
    house.events().await;
    house.advance(1);
    house.idp.tidy(&house.ctx(), "default").await.unwrap();
    assert!(house.events().await.contains(&"enrolment-approved".to_owned()));
    let opened = house.open(&shop).await;
    second.sign_in(&house, &opened, Some(&seal)).await;
}

#[tokio::test]
async fn the_first_device_lets_the_second_in_at_once_and_a_strangers_cannot() {
    let house = House::new().await;
    let (first, second, _) = photocopied(&house).await;
    let stranger = house.wallet().await;
    let body = json!({"enrolment": second.id});
    let path = "/t/default/seal/enrolment/approve";
    assert_eq!(stranger.call(&house, "POST", path, Some(&body)).await.status, 404);
    assert_eq!(
        second.call(&house, "POST", path, Some(&body)).await.refusal(),
        refusal(403, "seal/enrolment-waiting")
    );
    house.events().await;
    assert_eq!(first.call(&house, "POST", path, Some(&body)).await.status, 204);
    assert_eq!(house.events().await, ["enrolment-approved"]);
    let opened = house.open(&house.shop().await).await;
    assert!(second.claim(&house, &opened).await.is_ok());
}

#[tokio::test]
async fn a_lost_device_is_revoked_and_signs_in_no_more() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let opened = house.open(&shop).await;
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    house.events().await;
    let path = format!("/api/v1/enrolments/{}/revoke", wallet.id);
    let bad = house.api("POST", &path, Some(&json!({"reason": "because"}))).await;
    assert_eq!(bad.pointers(), ["/reason"]);
    assert_eq!(house.api("POST", &path, Some(&json!({"reason": "lost_device"}))).await.status, 204);
    assert!(house.events().await.contains(&"enrolment-revoked".to_owned()));
    let answer = wallet.approval(&house, &claimed, None);
    let refused = wallet.respond(&house, &claimed.sid, &answer).await;
    assert_eq!(refused, Err(refusal(403, "seal/enrolment-revoked")));
    assert_eq!(house.api("POST", &path, Some(&json!({"reason": "lost_device"}))).await.refusal().0, 409);
}

#[tokio::test]
async fn a_locked_device_waits_for_an_operator_and_one_that_left_stays_away() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    house.events().await;
    assert_eq!(wallet.call(&house, "POST", "/t/default/seal/enrolment/lock", None).await.status, 204);
    assert_eq!(house.events().await, ["enrolment-locked"]);
    let refused = wallet.call(&house, "GET", "/t/default/seal/enrolment", None).await;
    assert_eq!(refused.refusal(), refusal(403, "seal/enrolment-locked"));
    let path = format!("/api/v1/enrolments/{}/approve", wallet.id);
    let approved = house.api("POST", &path, None).await;
    assert_eq!(approved.json()["state"], "active");
    assert_eq!(wallet.call(&house, "DELETE", "/t/default/seal/enrolment", None).await.status, 204);
    let refused = wallet.call(&house, "GET", "/t/default/seal/enrolment", None).await;
    assert_eq!(refused.refusal(), refusal(403, "seal/enrolment-revoked"));
}

#[tokio::test]
async fn an_enrolment_ends_with_its_document() {
    let house = House::new().await;
    let mut form = seal_form();
    form["claims"]["expiry"] = "2026-12-01".into();
    let (_, seal) = house.seal_of(&form).await;
    let wallet = house.wallet_with(&seal).await;
    house.advance(13 * 86_400);
    let refused = wallet.call(&house, "GET", "/t/default/seal/enrolment", None).await;
    assert_eq!(refused.refusal(), refusal(403, "seal/enrolment-revoked"));
    house.events().await;
    house.idp.tidy(&house.ctx(), "default").await.unwrap();
    assert!(house.events().await.contains(&"enrolment-revoked".to_owned()));
}

#[tokio::test]
async fn the_keys_that_wallets_pin_stand_in_a_signed_chain() {
    let house = House::new().await;
    let metadata = house.raw("GET", "/.well-known/tessera-seal/t/default", &[], None).await.json();
    assert_eq!(metadata["issuer"], "http://localhost:8400/t/default/idp");
    let chain = metadata["key_chain"].as_array().unwrap();
    let limits = crypto::json::Limits { bytes_max: 8_192, depth_max: 8 };
    let set = crypto::jose::jws::Jws::parse(chain[0].as_str().unwrap(), &limits).unwrap();
    let reply = crypto::jwk::Jwk::from_value(&metadata["reply_jwks"]["keys"][0]).unwrap();
    set.verify(reply.key()).unwrap();
    let claims: Value = serde_json::from_slice(set.payload()).unwrap();
    assert_eq!(claims["agreement"]["kid"], metadata["agreement"]["kid"]);
    assert_eq!((set.typ(), house.count("seal-keys-published").await), (Some("seal-keys+jwt"), 1));
}

/// The reply key that the metadata names now, and what a wallet that pinned `pinned` believes after the chain.
async fn followed(house: &House, pinned: &PublicKey) -> (PublicKey, Option<PublicKey>) {
    let told = house.raw("GET", "/t/default/seal/metadata", &[], None).await.json().to_string();
    let metadata = seal::door::Metadata::parse(told.as_bytes()).unwrap();
    let pins = seal::chain::Pins { number: 0, reply: vec![pinned.clone()], agreement: Vec::new() };
    let followed = pins.follow(&metadata.issuer, &metadata).ok();
    (metadata.reply_keys[0].1.clone(), followed.map(|pins| pins.reply[0].clone()))
}

async fn reply_key_of(house: &House) -> String {
    let keys = house.api("GET", "/api/v1/keys?limit=200", None).await.json();
    let is_reply = |key: &&Value| key["label"] == "replies to wallets";
    keys["items"].as_array().unwrap().iter().find(is_reply).unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_reply_key_that_takes_over_later_is_vouched_for_by_the_one_before() {
    let house = House::new().await;
    let unpinned = crypto::key::PrivateKey::generate(crypto::key::KeyAlg::P256).public();
    let (pinned, stranger) = followed(&house, &unpinned).await;
    assert_eq!(stranger, None);
    let rotate = format!("/api/v1/keys/{}/rotate", reply_key_of(&house).await);
    house.api("POST", &rotate, Some(&json!({"activate": "ahead"}))).await;
    house.idp.tidy(&house.ctx(), "default").await.unwrap();
    house.idp.tidy(&house.ctx(), "default").await.unwrap();
    assert_eq!(house.count("seal-keys-published").await, 2, "it is said once");
    assert_eq!(house.api("POST", &rotate, Some(&json!({}))).await.status, StatusCode::OK);
    let (now, believed) = followed(&house, &pinned).await;
    assert_ne!(now, pinned);
    assert_eq!(believed, Some(now));
}

#[tokio::test]
async fn a_reply_key_that_takes_over_at_once_is_vouched_for_by_nobody() {
    let house = House::new().await;
    let unpinned = crypto::key::PrivateKey::generate(crypto::key::KeyAlg::P256).public();
    let (pinned, _) = followed(&house, &unpinned).await;
    house.advance(2);
    let rotate = format!("/api/v1/keys/{}/rotate", reply_key_of(&house).await);
    house.api("POST", &rotate, Some(&json!({"reason": "compromised"}))).await;
    house.idp.tidy(&house.ctx(), "default").await.unwrap();
    let (now, believed) = followed(&house, &pinned).await;
    assert_eq!(believed, None, "the chain leads no further than the key that may be in other hands");
    assert_eq!(followed(&house, &now).await.1, Some(now), "who enrols from now on begins anew");
    assert_eq!(house.count("seal-keys-published").await, 2);
}
