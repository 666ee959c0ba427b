//! The doors of keys: what each does, and its event.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;

use coset::CborSerializable;
use crypto::base64;
use crypto::cbor::CborLimits;
use crypto::cose::Sign1;
use crypto::hash;
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::{PublicKey, SignAlg};
use crypto::x509::build::{self, Profile, TbsDraft};
use crypto::x509::{Certificate, Name, NameParts, pem};
use house::{Answered, House, PUBLIC_URL};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::Store;
use tenancy::Role;
use tessera_custody::{Config, Settings};

const LIMITS: Limits = Limits { bytes_max: 1 << 20, depth_max: 32 };
const COSE: CborLimits = CborLimits { bytes_max: 1 << 20, depth_max: 16 };

/// An admin's token of the tenant `default`.
async fn admin(house: &House) -> String {
    house.token(&house.tenant, &[Role::Admin]).await
}

async fn make(house: &House, token: &str, alg: &str, uses: &[&str]) -> Value {
    let body = json!({ "alg": alg, "label": format!("a {alg} key"), "uses": uses });
    let answered = house.post("/api/v1/keys", token, body).await;
    assert_eq!(answered.status, 201, "{}", answered.text());
    answered.json()
}

fn id(key: &Value) -> &str {
    key["id"].as_str().unwrap()
}

async fn public(house: &House, token: &str, key: &Value) -> PublicKey {
    let answered = house.get(&format!("/api/v1/keys/{}/public", id(key)), token).await;
    Jwk::from_value(&answered.json()).unwrap().key().clone()
}

async fn sign(house: &House, token: &str, key: &Value, body: Value) -> Answered {
    house.post(&format!("/api/v1/keys/{}/sign", id(key)), token, body).await
}

#[tokio::test]
async fn every_algorithm_makes_a_key_that_signs_a_jws_and_a_cose_object() {
    let house = House::new().await;
    let token = admin(&house).await;
    for (alg, jws_alg, cose_id) in [
        ("p256", "ES256", -7),
        ("p384", "ES384", -35),
        ("ed25519", "EdDSA", -8),
        ("secp256k1", "ES256K", -47),
        ("rsa2048", "PS256", -37),
    ] {
        let key = make(&house, &token, alg, &["jws:*"]).await;
        let answered =
            sign(&house, &token, &key, json!({"format":"jws","typ":"example+jwt","payload":{"b":1,"a":1.0}}))
                .await;
        let answer = answered.json();
        assert_eq!(
            (answer["alg"].as_str(), answer["version"].as_u64()),
            (Some(jws_alg), Some(1)),
            "{answer}"
        );
        assert_eq!((&answer["use_seq"], &answer["receipt"]), (&Value::Null, &Value::Null));
        let jws = Jws::parse(answer["jws"].as_str().unwrap(), &LIMITS).unwrap();
        jws.verify(&public(&house, &token, &key).await).unwrap();
        assert_eq!((jws.typ(), jws.kid()), (Some("example+jwt"), key["versions"][0]["kid"].as_str()));
        assert_eq!(jws.payload(), br#"{"b":1,"a":1.0}"#);

        let key = make(&house, &token, alg, &["cose:application/cbor"]).await;
        let body = json!({"format":"cose_sign1","content_type":"application/cbor","payload_b64":"oA","external_aad_b64":"AQI"});
        let answer = sign(&house, &token, &key, body).await.json();
        let bytes = base64::url_decode(answer["cose_b64"].as_str().unwrap()).unwrap();
        Sign1::parse(&bytes, &COSE)
            .unwrap()
            .verify(&public(&house, &token, &key).await, &[1, 2], None)
            .unwrap();
        let theirs = coset::CoseSign1::from_slice(&bytes[1..]).unwrap();
        assert_eq!(bytes[0], 0xd2, "tag 18");
        let header = &theirs.protected.header;
        assert_eq!(
            header.alg,
            Some(coset::Algorithm::Assigned(coset::iana::EnumI64::from_i64(cose_id).unwrap()))
        );
        assert_eq!(header.content_type, Some(coset::ContentType::Text("application/cbor".to_owned())));
        assert_eq!(base64::url_encode(&header.key_id), answer["kid"].as_str().unwrap());
        assert_eq!(theirs.payload.as_deref(), Some(&[0xa0][..]));
    }
    assert_eq!(house.count("key-used").await, 10);
}

#[tokio::test]
async fn rs256_is_signed_by_keys_of_that_use_alone_and_other_algorithms_on_request() {
    let house = House::new().await;
    let token = admin(&house).await;
    let old = make(&house, &token, "rsa2048", &["jws-rs256:example+jwt"]).await;
    let new = make(&house, &token, "rsa2048", &["jws:example+jwt"]).await;
    let body = |alg: Option<&str>| {
        let mut body = json!({"format":"jws","typ":"example+jwt","payload":{}});
        if let Some(alg) = alg {
            body["alg"] = alg.into();
        }
        body
    };
    assert_eq!(sign(&house, &token, &old, body(None)).await.json()["alg"], "RS256");
    assert_eq!(sign(&house, &token, &new, body(None)).await.json()["alg"], "PS256");
    for alg in ["PS384", "PS512"] {
        let answer = sign(&house, &token, &new, body(Some(alg))).await.json();
        let jws = Jws::parse(answer["jws"].as_str().unwrap(), &LIMITS).unwrap();
        jws.verify(&public(&house, &token, &new).await).unwrap();
        assert_eq!(jws.alg(), SignAlg::from_jws_name(alg).unwrap());
    }
    for (key, alg) in [(&old, "PS256"), (&new, "RS256"), (&new, "ES256"), (&new, "none"), (&new, "HS256")] {
        assert_eq!(sign(&house, &token, key, body(Some(alg))).await.code(), "keys/alg-mismatch", "{alg}");
    }
}

#[tokio::test]
async fn an_object_is_signed_as_it_was_written_without_its_white_space() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:*"]).await;
    let body = "{\"format\":\"jws\", \"typ\":\"t\", \"payload\": { \"z\" : 1e2 , \"a\" : 12345678901234567890123 , \"\\u0061b\" : \"x y\" } }";
    let request = http::Request::post(format!("/api/v1/keys/{}/sign", id(&key)))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(axum::body::Body::from(body))
        .unwrap();
    let answer = house.send(request).await.json();
    let jws = Jws::parse(answer["jws"].as_str().unwrap(), &LIMITS).unwrap();
    let expected = "{\"z\":1e2,\"a\":12345678901234567890123,\"\\u0061b\":\"x y\"}";
    assert_eq!(std::str::from_utf8(jws.payload()).unwrap(), expected);
}

#[tokio::test]
async fn a_batch_is_one_event_and_a_bad_item_does_not_touch_the_others() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:a+jwt"]).await;
    let item = |typ: &str| json!({"format":"jws","typ":typ,"payload":{}});
    let body = json!({"items":[item("a+jwt"), item("b+jwt"), {"format":"raw","digest":"AA"}, item("a+jwt")]});
    let answered = sign(&house, &token, &key, body).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    let answer = answered.json();
    let codes: Vec<&str> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["problem"]["code"].as_str().unwrap_or("signed"))
        .collect();
    assert_eq!(codes, ["signed", "keys/use-refused", "keys/raw-digest-refused", "signed"]);
    assert_eq!(house.count("key-used").await, 1);
    assert!(answered.headers.contains_key("tessera-event"));
    let many: Vec<Value> = (0..256).map(|_| item("a+jwt")).collect();
    let answered = sign(&house, &token, &key, json!({ "items": many })).await;
    assert_eq!(answered.json()["items"].as_array().unwrap().len(), 256);
    let too_many: Vec<Value> = (0..257).map(|_| item("a+jwt")).collect();
    for items in [too_many, Vec::new()] {
        let refused = sign(&house, &token, &key, json!({ "items": items })).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "api/invalid"));
    }
    let refused =
        sign(&house, &token, &key, json!({"items":[item("a+jwt"), {"format":"jws","typo":"x"}]})).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/items/1/typo");
}

#[tokio::test]
async fn a_key_is_listed_shown_and_changed_with_its_etag() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:*"]).await;
    let path = format!("/api/v1/keys/{}", id(&key));
    let listed = house.get("/api/v1/keys?alg=p256&state=active&label=a%20p256%20key", &token).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["id"], key["id"]);
    let page = house.get("/api/v1/keys?limit=2", &token).await.json();
    let next = page["next"].as_str().unwrap();
    let rest = house.get(&format!("/api/v1/keys?limit=200&after={next}"), &token).await.json();
    let count = page["items"].as_array().unwrap().len() + rest["items"].as_array().unwrap().len();
    assert_eq!(count, 5, "root, three signers and this key");
    let shown = house.get(&path, &token).await;
    assert_eq!(shown.json(), key);
    let etag = shown.headers["etag"].to_str().unwrap().to_owned();
    let patch = async |tag: &str, body: Value| {
        let request = http::Request::patch(&path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("if-match", tag);
        house.send(request.body(axum::body::Body::from(body.to_string())).unwrap()).await
    };
    let changed = patch(&etag, json!({"label":"new","rotation":{"max_uses":5}})).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let changed = changed.json();
    assert_eq!((changed["label"].as_str(), changed["rotation"]["max_uses"].as_u64()), (Some("new"), Some(5)));
    assert_eq!(changed["rotation"]["rotate_every_s"], key["rotation"]["rotate_every_s"]);
    assert_eq!(patch(&etag, json!({"label":"newer"})).await.status, 412);
    assert_eq!(
        patch("*", json!({"rotation":{"rotate_every_s":60}})).await.json()["errors"][0]["pointer"],
        "/rotation/rotate_every_s"
    );
    assert_eq!(house.get(&path, &token).await.json()["label"], "new");
    assert_eq!(house.count("key-changed").await, 1);
}

#[tokio::test]
async fn a_public_part_comes_in_five_formats() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:*"]).await;
    let get = async |format: &str| {
        house.get(&format!("/api/v1/keys/{}/public?format={format}", id(&key)), &token).await
    };
    let jwk = get("jwk").await.json();
    let expected = Jwk::from_value(&jwk).unwrap();
    assert_eq!(
        (jwk["kid"].as_str(), jwk["alg"].as_str(), jwk["use"].as_str()),
        (Some(expected.kid().as_str()), Some("ES256"), Some("sig"))
    );
    assert_eq!(get("jwks").await.json()["keys"], json!([jwk]));
    let pem_text = get("pem").await.text();
    let der = base64::std_decode(&pem_text.lines().filter(|line| !line.starts_with('-')).collect::<String>())
        .unwrap();
    assert_eq!(&PublicKey::from_spki_der(&der).unwrap(), expected.key());
    assert_eq!(get("raw").await.body, expected.key().raw());
    let cose = coset::CoseKey::from_slice(&get("cose").await.body).unwrap();
    assert_eq!(base64::url_encode(&cose.key_id), expected.kid());
    assert_eq!(get("ssh").await.status, 422);
    assert_eq!(
        house.get(&format!("/api/v1/keys/{}/public?version=9", id(&key)), &token).await.code(),
        "keys/not-found"
    );
}

#[tokio::test]
async fn a_rotated_key_signs_with_its_new_version_and_both_stand_in_the_jwks() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:*"]).await;
    let path = format!("/api/v1/keys/{}", id(&key));
    let rotated = house.call("POST", &format!("{path}/rotate"), &token, None).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    let rotated = rotated.json();
    assert_eq!(
        (rotated["active_version"].as_u64(), rotated["versions"][1]["state"].as_str()),
        (Some(2), Some("retired"))
    );
    let answer = sign(&house, &token, &key, json!({"format":"jws","typ":"t","payload":{}})).await.json();
    assert_eq!(answer["version"], 2);
    let jwks = house.get("/t/default/jwks", "").await;
    assert_eq!(jwks.headers["cache-control"], "public, max-age=3600");
    assert_eq!(jwks.headers["access-control-allow-origin"], "*");
    let kids = |jwks: &Answered| -> Vec<String> {
        jwks.json()["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|jwk| jwk["kid"].as_str().unwrap().to_owned())
            .collect()
    };
    let versions = rotated["versions"].as_array().unwrap().clone();
    for version in &versions {
        assert!(kids(&jwks).contains(&version["kid"].as_str().unwrap().to_owned()));
    }
    house.advance(2);
    let compromised =
        house.post(&format!("{path}/rotate"), &token, json!({"reason":"compromised"})).await.json();
    assert_eq!(compromised["versions"][1]["state"], "compromised");
    let jwks = house.get("/t/default/jwks", "").await;
    assert!(!kids(&jwks).contains(&versions[0]["kid"].as_str().unwrap().to_owned()), "withdrawn at once");
    assert!(kids(&jwks).contains(&versions[1]["kid"].as_str().unwrap().to_owned()), "the retired one stays");
    assert_eq!(house.count("key-rotated").await, 2);
}

#[tokio::test]
async fn a_version_made_ahead_waits_its_time_or_is_activated_by_hand() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:*"]).await;
    let path = format!("/api/v1/keys/{}", id(&key));
    let ahead = house.post(&format!("{path}/rotate"), &token, json!({"activate":"ahead"})).await.json();
    assert_eq!(
        (ahead["active_version"].as_u64(), ahead["versions"][0]["state"].as_str()),
        (Some(1), Some("pending"))
    );
    assert_eq!(ahead["versions"][0]["activate_at"], "2026-11-21T12:00:00Z");
    assert_eq!(ahead["next_rotation_at"], "2026-11-21T12:00:00Z");
    let again = house.post(&format!("{path}/rotate"), &token, json!({"activate":"ahead"})).await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "keys/state"));
    let wrong = house
        .post(&format!("{path}/rotate"), &token, json!({"activate":"ahead","reason":"compromised"}))
        .await;
    assert_eq!(wrong.json()["errors"][0]["pointer"], "/activate");
    let active =
        house.post(&format!("{path}/versions/2/activate"), &token, json!({"reason":"now"})).await.json();
    assert_eq!(
        (active["active_version"].as_u64(), active["versions"][1]["state"].as_str()),
        (Some(2), Some("retired"))
    );
    assert_eq!(house.count("key-activated").await, 1);
}

#[tokio::test]
async fn every_verb_that_the_table_lacks_is_refused_by_name() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:*"]).await;
    let verb = async |verb: &str| {
        house.call("POST", &format!("/api/v1/keys/{}/versions/1/{verb}", id(&key)), &token, None).await
    };
    for refused in ["activate", "unfreeze"] {
        assert_eq!(verb(refused).await.code(), "keys/state", "{refused}");
    }
    assert_eq!(verb("freeze").await.json()["state"], "frozen");
    assert_eq!(
        sign(&house, &token, &key, json!({"format":"jws","typ":"t","payload":{}})).await.code(),
        "keys/state"
    );
    assert_eq!(verb("unfreeze").await.json()["state"], "active");
    assert_eq!(verb("retire").await.json()["state"], "retired");
    for refused in ["activate", "freeze", "unfreeze", "retire"] {
        assert_eq!(verb(refused).await.code(), "keys/state", "{refused}");
    }
    assert_eq!(verb("compromise").await.json()["state"], "compromised");
    let refused = house.events_of(&house.tenant.id).await;
    assert!(refused.contains(&"key-use-refused".to_owned()));
}

#[tokio::test]
async fn a_private_part_is_destroyed_by_hand_in_development_only() {
    for is_dev in [true, false] {
        let house = House::with(tessera_custody::Config::default(), is_dev).await;
        let owner = house.token(&house.tenant, &[Role::Owner]).await;
        let key = make(&house, &owner, "p256", &["jws:*"]).await;
        let path = format!("/api/v1/keys/{}/versions/1", id(&key));
        let kid = key["versions"][0]["kid"].as_str().unwrap();
        let destroy = async |body: Value| house.post(&format!("{path}/destroy"), &owner, body).await;
        assert_eq!(destroy(json!({"confirm":kid,"now":true})).await.code(), "keys/state", "an active one");
        house.call("POST", &format!("{path}/retire"), &owner, None).await;
        assert_eq!(
            destroy(json!({"confirm":"wrong","now":true})).await.json()["errors"][0]["pointer"],
            "/confirm"
        );
        assert_eq!(destroy(json!({"confirm":kid})).await.code(), "keys/approval-required");
        let last = destroy(json!({"confirm":kid,"now":true})).await;
        if is_dev {
            assert_eq!(last.json()["versions"][0]["state"], "destroyed");
            assert_eq!(house.count("key-destroyed").await, 1);
        } else {
            assert_eq!(last.code(), "keys/approval-required");
        }
        let admin = house.token(&house.tenant, &[Role::Admin]).await;
        let forbidden = house.post(&format!("{path}/destroy"), &admin, json!({"confirm":kid})).await;
        assert_eq!((forbidden.status.as_u16(), forbidden.code().as_str()), (403, "api/forbidden"));
    }
}

#[tokio::test]
async fn an_outside_certificate_is_asked_for_put_and_carried_and_the_next_version_waits_for_its_own() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:*", "x509:csr"]).await;
    let path = format!("/api/v1/keys/{}", id(&key));
    let csr = house.get(&format!("{path}/versions/1/csr"), &token).await;
    assert!(csr.text().starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"), "{}", csr.text());
    let chain = outside_chain(&public(&house, &token, &key).await, house.now());
    let put = async |version: u32, chain: &str| {
        let request = http::Request::put(format!("{path}/versions/{version}/certificate"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/pem-certificate-chain");
        house.send(request.body(axum::body::Body::from(chain.to_owned())).unwrap()).await
    };
    let no_x5c = sign(&house, &token, &key, json!({"format":"jws","typ":"t","payload":{},"x5c":true})).await;
    assert_eq!(no_x5c.json()["errors"][0]["pointer"], "/x5c");
    let done = put(1, &chain).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(house.count("key-certified").await, 1);
    let answer =
        sign(&house, &token, &key, json!({"format":"jws","typ":"t","payload":{},"x5c":true})).await.json();
    let jws = Jws::parse(answer["jws"].as_str().unwrap(), &LIMITS).unwrap();
    let leaf = Certificate::parse(&jws.x5c().unwrap()[0]).unwrap();
    jws.verify(leaf.public_key()).unwrap();
    assert_eq!(
        house.post(&format!("{path}/rotate"), &token, json!({})).await.code(),
        "keys/certificate-awaited"
    );
    house.post(&format!("{path}/rotate"), &token, json!({"activate":"ahead"})).await;
    assert_eq!(put(2, &chain).await.code(), "keys/certificate-refused", "it certifies version 1");
    house.advance(86_400);
    house.custody.tick(&house.system()).await.unwrap();
    house.custody.tick(&house.system()).await.unwrap();
    assert_eq!(house.count("key-rotation-blocked").await, 1, "told once");
    assert!(house.custody.is_rotation_blocked(&house.system()).await.unwrap());
    assert_eq!(
        house.get(&path, &token_of(&house).await).await.json()["active_version"],
        1,
        "the old one goes on"
    );
    let plain = make(&house, &token_of(&house).await, "p256", &["jws:*"]).await;
    let refused =
        house.get(&format!("/api/v1/keys/{}/versions/1/csr", id(&plain)), &token_of(&house).await).await;
    assert_eq!(refused.code(), "keys/use-refused");
}

#[tokio::test]
async fn a_wrapping_key_that_has_wrapped_enough_gives_way_and_what_it_wrapped_still_opens() {
    let mut settings = Settings::new(PUBLIC_URL, true, Config::default());
    settings.kek_wraps_max = 8;
    let house = House::set(Store::ephemeral(&house::ROOMS).unwrap(), settings).await;
    let token = admin(&house).await;
    let first = make(&house, &token, "p256", &["jws:*"]).await;
    assert_eq!(house.count("kek-rotated").await, 0, "a new tenant has fewer keys");
    for _ in 0..8 {
        make(&house, &token, "p256", &["jws:*"]).await;
    }
    assert_eq!(house.count("kek-rotated").await, 1);
    house.advance(301); // no private part is open any more
    house.custody.tick(&house.system()).await.unwrap();
    let body = json!({"format":"jws","typ":"t","payload":{}});
    assert_eq!(sign(&house, &token, &first, body).await.status, 200);
}

#[tokio::test]
async fn the_end_of_a_chain_is_told_once_for_each_of_four_days() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:*", "x509:csr"]).await;
    let chain = outside_chain(&public(&house, &token, &key).await, house.now());
    let request = http::Request::put(format!("/api/v1/keys/{}/versions/1/certificate", id(&key)))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/pem-certificate-chain");
    assert_eq!(house.send(request.body(axum::body::Body::from(chain)).unwrap()).await.status, 200);
    let told = async |days: u64| {
        house.advance(days * 86_400);
        house.custody.tick(&house.system()).await.unwrap();
        house.custody.tick(&house.system()).await.unwrap();
        house.count("signer-expiring").await
    };
    let before = told(300).await;
    let mut known = vec![before];
    for days in [36, 16, 7, 6] {
        known.push(told(days).await);
    }
    let steps: Vec<_> = known.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|told| *told >= 1), "{known:?}");
    assert_eq!(house.count("signer-expiring").await, known[4]);
    assert_eq!(told(0).await, known[4], "none is told twice");
}

async fn token_of(house: &House) -> String {
    admin(house).await
}

/// A chain of an authority that the house does not know.
fn outside_chain(public: &PublicKey, now: Timestamp) -> String {
    let ca = crypto::key::PrivateKey::generate(crypto::key::KeyAlg::P256);
    let name =
        |text: &str| Name::new(&NameParts { common_name: text.to_owned(), ..NameParts::default() }).unwrap();
    let draft = |subject: &str, key: &PublicKey, profile| TbsDraft {
        subject: name(subject),
        issuer: name("outside"),
        issuer_key: ca.public(),
        serial: [5; 16],
        not_before: now - SignedDuration::from_hours(1),
        not_after: now + SignedDuration::from_hours(24 * 365),
        public_key: key.clone(),
        profile,
    };
    let signed = |draft: TbsDraft| {
        let tbs = draft.to_be_signed(SignAlg::Es256).unwrap();
        build::assemble(&tbs, SignAlg::Es256, &ca.sign(SignAlg::Es256, &tbs).unwrap()).unwrap()
    };
    let leaf = signed(draft("signer", public, Profile::Leaf(build::LeafNames::default())));
    let root = signed(draft("outside", &ca.public(), Profile::Ca { path_len: None }));
    pem::encode_chain(&[leaf, root])
}

#[tokio::test]
async fn accesses_tell_who_used_a_key_whatever_room_wrote_the_event() {
    let house = House::new().await;
    let token = admin(&house).await;
    let auditor = house.token(&house.tenant, &[Role::Auditor]).await;
    let key = make(&house, &token, "p256", &["jws:a+jwt"]).await;
    sign(&house, &token, &key, json!({"format":"jws","typ":"a+jwt","payload":{}})).await;
    house.advance(1);
    sign(&house, &token, &key, json!({"format":"jws","typ":"b+jwt","payload":{}})).await;
    house.advance(1);
    let item = json!({"format":"jws","typ":"a+jwt","payload":{}});
    sign(&house, &token, &key, json!({"items":[item, item]})).await;
    let path = format!("/api/v1/keys/{}/accesses", id(&key));
    let found = house.get(&path, &auditor).await.json();
    let told: Vec<_> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["count"].as_u64(), item["outcome"].as_str()))
        .collect();
    assert_eq!(told, [(Some(2), Some("done")), (Some(0), Some("refused")), (Some(1), Some("done"))]);
    assert!(found["items"][0]["actor"].as_str().unwrap().starts_with("svc_"));
    assert!(found["items"][0]["request"].as_str().unwrap().starts_with("req_"));
    let first = house.get(&format!("{path}?limit=1"), &auditor).await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    let next = house
        .get(&format!("{path}?limit=5&after={}", first["next"].as_str().unwrap()), &auditor)
        .await
        .json();
    assert_eq!(next["items"].as_array().unwrap().len(), 2);
    let signer =
        house.custody.signer(&house.ctx(), tessera_custody::KeyRef::Use("jws:dc+sd-jwt")).await.unwrap();
    let none = house.get(&format!("/api/v1/keys/{}/accesses", signer.key_id), &auditor).await.json();
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn the_same_idempotency_key_signs_and_makes_once() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:*"]).await;
    let send = async |path: &str, body: &Value| {
        let request = http::Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("idempotency-key", "one");
        house.send(request.body(axum::body::Body::from(body.to_string())).unwrap()).await
    };
    let path = format!("/api/v1/keys/{}/sign", id(&key));
    let body = json!({"format":"jws","typ":"t","payload":{}});
    let (first, second) = (send(&path, &body).await, send(&path, &body).await);
    assert_eq!((first.status.as_u16(), &first.body), (200, &second.body));
    assert_eq!(house.count("key-used").await, 1);
    assert_eq!(
        send(&path, &json!({"format":"jws","typ":"u","payload":{}})).await.code(),
        "api/idempotency-reuse"
    );
}

#[tokio::test]
async fn the_tenants_public_documents_name_their_own_keys_alone() {
    let house = House::new().await;
    let token = admin(&house).await;
    let api_key = make(&house, &token, "p256", &["jws:*"]).await;
    let sets = [house.get("/t/default/jwks", "").await.json(), house.get("/t/other/jwks", "").await.json()];
    assert_eq!(sets[0]["keys"].as_array().unwrap().len(), 4, "three signers and the key of the API; no root");
    assert_eq!(sets[1]["keys"].as_array().unwrap().len(), 3);
    let issuer = house.get("/.well-known/jwt-vc-issuer/t/default", "").await.json();
    assert_eq!(issuer["issuer"], "http://localhost:8400/t/default");
    let listed = issuer["jwks"]["keys"].as_array().unwrap();
    assert_eq!(listed.len(), 1);
    assert_ne!(listed[0]["kid"], api_key["versions"][0]["kid"], "a key of the API signs no credential");
    let anchors = house.get("/t/default/trust/anchors.pem", "").await;
    let ders = pem::decode_certificates(&anchors.text()).unwrap();
    let root = house.custody.root_certificate(&house.ctx()).await.unwrap().unwrap();
    assert_eq!(ders, [root.der().to_vec()]);
    let tokens = house.get("/oauth/jwks", "").await.json();
    assert_eq!(tokens["keys"].as_array().unwrap().len(), 1);
    for path in ["/t/absent/jwks", "/t/absent/trust/anchors.pem", "/.well-known/jwt-vc-issuer/t/absent"] {
        assert_eq!(house.get(path, "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn an_anchor_is_added_listed_and_removed_and_the_own_root_stays() {
    let house = House::new().await;
    let token = admin(&house).await;
    let other_root = house.custody.root_certificate(&house.inside(&house.other)).await.unwrap().unwrap();
    let text = pem::encode_chain(&[other_root.der()]);
    let body = json!({"certificate_pem":text,"contexts":["issuer","status"],"types":["http://localhost:8400/t/other/vct/*"]});
    let added = house.post("/api/v1/trust-anchors", &token, body.clone()).await;
    assert_eq!(added.status, 201, "{}", added.text());
    let anchor = added.json();
    assert_eq!(anchor["sha256"], crypto::hex::encode(&hash::sha256(other_root.der())));
    assert_eq!(house.post("/api/v1/trust-anchors", &token, body).await.code(), "keys/anchor-known");
    let listed = house.get("/api/v1/trust-anchors", &token).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let path = |anchor: &Value| format!("/api/v1/trust-anchors/{}", anchor["id"].as_str().unwrap());
    let own = listed["items"].as_array().unwrap().iter().find(|anchor| anchor["own"] == true).unwrap();
    assert_eq!(house.call("DELETE", &path(own), &token, None).await.status, 404, "the own root stays");
    assert_eq!(house.call("DELETE", &path(&anchor), &token, None).await.status, 204);
    assert_eq!(house.call("DELETE", &path(&anchor), &token, None).await.status, 404);
    for (contexts, types) in [
        (json!([]), json!([])),
        (json!(["issuer"]), json!([])),
        (json!(["status"]), json!(["x"])),
        (json!(["root"]), json!([])),
    ] {
        let body = json!({"certificate_pem":text,"contexts":contexts,"types":types});
        assert_eq!(house.post("/api/v1/trust-anchors", &token, body).await.status, 422);
    }
    assert_eq!(house.count("anchor-removed").await, 1);
}

#[tokio::test]
async fn every_problem_that_a_door_answers_is_declared() {
    let house = House::new().await;
    let token = admin(&house).await;
    let key = make(&house, &token, "p256", &["jws:*"]).await;
    sign(&house, &token, &key, json!({"format":"raw","digest":"AA"})).await;
    sign(&house, &token, &key, json!({"format":"jws","typ":"t","payload":{},"header":{"kid":"x"}})).await;
    house.post("/api/v1/keys", &token, json!({"alg":"p521","label":"x","uses":["jws:*"]})).await;
    house.post("/api/v1/keys", &token, json!({"alg":"p256","label":"","uses":["jws:*"]})).await;
    house.get("/api/v1/keys/key_absent", &token).await;
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
#[ignore = "making large RSA keys takes seconds: run with --include-ignored"]
async fn large_rsa_keys_are_made_and_sign() {
    let house = House::new().await;
    let token = admin(&house).await;
    for alg in ["rsa3072", "rsa4096"] {
        let key = make(&house, &token, alg, &["jws:*"]).await;
        let answer =
            sign(&house, &token, &key, json!({"format":"jws","typ":"t","payload":{},"alg":"PS512"})).await;
        let jws = Jws::parse(answer.json()["jws"].as_str().unwrap(), &LIMITS).unwrap();
        jws.verify(&public(&house, &token, &key).await).unwrap();
    }
}

#[tokio::test]
async fn aliases_name_algorithms_and_short_rsa_is_refused_where_the_instance_says_so() {
    let config = tessera_custody::Config { rsa_bits_min: 3072, ..tessera_custody::Config::default() };
    let house = House::with(config, true).await;
    let token = admin(&house).await;
    for (alias, alg) in [("ES256", "p256"), ("ES384", "p384"), ("EdDSA", "ed25519"), ("ES256K", "secp256k1")]
    {
        assert_eq!(make(&house, &token, alias, &["jws:*"]).await["alg"], alg);
    }
    for alg in ["rsa2048", "rsa1024", "mldsa44", "HS256", "none", ""] {
        let refused =
            house.post("/api/v1/keys", &token, json!({"alg":alg,"label":"x","uses":["jws:*"]})).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "keys/alg-mismatch"), "{alg}");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/alg");
    }
}
