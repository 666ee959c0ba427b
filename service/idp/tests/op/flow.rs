//! The whole way: request, session, approval, code, tokens, claims; and what stands nowhere.

use crate::house::{House, ISSUER, now, rooms};
use crate::person::{FAMILY_NAME, GIVEN_NAME, Person};
use crate::shop::{CALLBACK, Shop, claims_of};
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use crypto::secret::Secret;
use http::StatusCode;
use openid::oauth::Jwks;
use seal::scope::Scope;
use serde_json::json;
use std::sync::{Arc, Mutex};
use store::{Actor, Ctx, Entropy, LogSpec, Store, StoreConfig, TenantId};
use tlog::entry::PublicField;

const LIMITS: Limits = Limits { bytes_max: 64 << 10, depth_max: 8 };

#[tokio::test]
async fn a_person_signs_in_and_the_relying_party_gets_what_was_granted_and_no_more() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let code = shop.code_without(&house, &ana, &[], &[Scope::FamilyName]).await;
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    assert_eq!(tokens["scope"], "identity:given_name offline_access openid");
    assert_eq!(tokens["token_type"], "DPoP");
    let userinfo = shop.userinfo(&house, tokens["access_token"].as_str().unwrap()).await;
    let id_token = claims_of(tokens["id_token"].as_str().unwrap());
    assert_eq!(userinfo.json(), json!({"given_name": GIVEN_NAME, "sub": id_token["sub"]}));
    assert_eq!(
        (&id_token["nonce"], &id_token["acr"], &id_token["aud"]),
        (&json!("n-1"), &json!("seal:code"), &json!(shop.client_id))
    );
    assert!(
        id_token.get("given_name").is_none(),
        "claims stand in the ID Token only if they are asked for there"
    );
    assert_eq!(house.last_event().await, "tokens-issued");
    assert_eq!(house.count("signin-approved").await, 1);
}

#[tokio::test]
async fn tokens_and_the_receipt_verify_under_the_published_keys_and_name_one_consent() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let tokens = shop.tokens(&house, &ana).await;
    let keys = house.get(&format!("{ISSUER}/jwks"), &[]).await.json();
    let keys = Jwks::from_value(&keys).unwrap();
    for (member, typ) in
        [("access_token", "at+jwt"), ("id_token", "JWT"), ("consent_receipt", "seal-consent+jwt")]
    {
        let jws = Jws::parse(tokens[member].as_str().unwrap(), &LIMITS).unwrap();
        assert_eq!(jws.typ(), Some(typ));
        jws.verify_jwk(keys.signing_key(jws.kid().unwrap(), jws.alg()).unwrap()).unwrap();
    }
    let id_token = claims_of(tokens["id_token"].as_str().unwrap());
    let receipt = claims_of(tokens["consent_receipt"].as_str().unwrap());
    assert_eq!((&receipt["aud"], &receipt["sub"]), (&json!(shop.client_id), &id_token["sub"]));
    assert_eq!(id_token["consent_hash"].as_str().unwrap().len(), 43);
    assert!(receipt.get("person").is_none() && !receipt.to_string().contains(&ana.binding));
}

#[tokio::test]
async fn the_consent_hash_of_the_id_token_is_the_public_field_of_the_approvals_leaf() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let code = shop.code(&house, &ana, &[("scope", "openid")]).await;
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let id_token = claims_of(tokens["id_token"].as_str().unwrap());
    let hash = crypto::base64::url_decode(id_token["consent_hash"].as_str().unwrap()).unwrap();
    let leaf = house.leaf("signin-approved").await;
    assert_eq!(leaf.public.iter().find(|(key, _)| *key == 10).unwrap().1, PublicField::Bytes(hash));
}

#[tokio::test]
async fn claims_asked_for_in_the_id_token_stand_there() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let claims = r#"{"id_token":{"given_name":null}}"#;
    let code = shop.code(&house, &ana, &[("claims", claims)]).await;
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    assert_eq!(claims_of(tokens["id_token"].as_str().unwrap())["given_name"], GIVEN_NAME);
}

#[tokio::test]
async fn a_finish_answers_the_same_again_and_writes_nothing() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    visit.approve(&house, &ana, &[]).await;
    let before = house.events().await.len();
    let (first, second) = (visit.finish(&house).await, visit.finish(&house).await);
    assert_eq!(first.status, StatusCode::SEE_OTHER);
    assert_eq!(first.header("location"), second.header("location"));
    assert!(first.header("location").starts_with(CALLBACK));
    assert_eq!((first.back("state").as_deref(), first.back("iss").as_deref()), (Some("s-1"), Some(ISSUER)));
    assert_eq!(house.events().await.len(), before);
}

#[tokio::test]
async fn a_refusal_reaches_the_relying_party_as_access_denied_with_state_and_issuer() {
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let claimed = ana.claim(&house, &visit.sid).await;
    ana.deny(&house, &claimed).await;
    let back = visit.finish(&house).await;
    assert_eq!(back.back("error").as_deref(), Some("access_denied"));
    assert_eq!((back.back("state").as_deref(), back.back("iss").as_deref()), (Some("s-1"), Some(ISSUER)));
    assert!(back.back("code").is_none());
    assert_eq!(house.last_event().await, "signin-denied");
}

#[tokio::test]
async fn every_person_has_another_name_at_every_relying_party_of_another_host() {
    let house = House::new().await;
    let ana = Person::new(&house).await;
    let other = json!({"origins": ["http://127.0.0.1:4999"], "redirect_uris": ["http://127.0.0.1:4999/cb"]});
    let (shop, bank) = (Shop::new(&house).await, Shop::with(&house, &other).await);
    let sub = async |shop: &Shop, uri: &str| {
        let code = shop.code(&house, &ana, &[("scope", "openid"), ("redirect_uri", uri)]).await;
        let tokens = shop.redeem(&house, &code, &[("redirect_uri", uri)]).await.json();
        claims_of(tokens["id_token"].as_str().unwrap())["sub"].as_str().unwrap().to_owned()
    };
    let at_shop = sub(&shop, CALLBACK).await;
    assert_eq!(at_shop, sub(&shop, CALLBACK).await);
    assert_ne!(at_shop, sub(&bank, "http://127.0.0.1:4999/cb").await);
}

#[tokio::test]
async fn what_a_person_disclosed_stands_in_no_file_of_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = StoreConfig::new(dir.path().join("data/tessera.db"), Secret::new([7; 32]));
    // The standing clock is years away from the one of the folder.
    config.pending.age_ms_max = i64::MAX;
    let store = Store::open(config, &rooms()).unwrap();
    let system = Ctx::new(TenantId::SYSTEM, Actor::system(), now(), Entropy::seeded(1));
    store.ensure_tenant_keys(&system).await.unwrap();
    for spec in [LogSpec::of("ledger.test", &TenantId::SYSTEM), LogSpec::system("ledger.test")] {
        store.create_log(&system, &spec).await.unwrap();
    }
    let house = House::over(store, |_| {}).await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let code = shop.code(&house, &ana, &[]).await;
    let sign = |place: &str, secrets: &[&str]| {
        for entry in std::fs::read_dir(dir.path().join("data")).unwrap() {
            let path = entry.unwrap().path();
            let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            for secret in secrets {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{place}: {secret} stands in {}", path.display());
            }
        }
    };
    sign("before the code is redeemed", &[GIVEN_NAME, FAMILY_NAME, &code]);
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let (access, refresh) =
        (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    sign("after", &[GIVEN_NAME, FAMILY_NAME, &code, access, refresh, &ana.handle]);
    assert_eq!(shop.userinfo(&house, access).await.json()["family_name"], FAMILY_NAME);
}

/// Where the log of one test goes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_line_of_the_log_names_a_person_a_code_a_token_or_a_cookie() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // The only test of this binary that listens; what the others log meanwhile does no harm.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let house = House::new().await;
    let (shop, ana) = (Shop::new(&house).await, Person::with_document(&house).await);
    let visit = shop.visit(&house, &[]).await;
    visit.approve(&house, &ana, &[]).await;
    let code = visit.finish(&house).await.back("code").unwrap();
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    shop.userinfo(&house, &text("access_token")).await;
    shop.redeem(&house, &code, &[]).await;
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("fetchTokens"), "the log is there");
    let cookie = visit.cookie.split('=').nth(1).unwrap().to_owned();
    let secrets = [
        GIVEN_NAME.to_owned(),
        FAMILY_NAME.to_owned(),
        code,
        text("access_token"),
        text("refresh_token"),
        text("id_token"),
        cookie,
    ];
    for secret in secrets.iter().chain([&ana.handle, &visit.form_token]) {
        assert!(!log.contains(secret.as_str()), "{secret} stands in the log");
    }
}
