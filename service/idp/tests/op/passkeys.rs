//! Passkeys over T0: a phishing-resistant sign-in, and everything that must not pass for one.

use crate::house::{Answered, House, ISSUER, URL};
use crate::person::Person;
use crate::shop::{Shop, Visit, claims_of};
use crypto::base64::{url_decode, url_encode};
use crypto::cbor::{self, Value as Cbor};
use crypto::hash::sha256;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use http::StatusCode;
use seal::code::answer::browser_challenge;
use seal::code::response::Response;
use seal::code::{Decision, FaceVerdict, Sid, T0};
use seal::scope::Scopes;
use serde_json::{Value, json};
use tessera_idp::Config;

/// A specimen maker of authenticators: `attestation/make.sh`.
const MAKER_ROOT: &[u8] = include_bytes!("attestation/root.der");
const MAKER_LEAF: &[u8] = include_bytes!("attestation/leaf.der");
const MAKER_KEY: &[u8] = include_bytes!("attestation/leaf.pkcs8");

const PHR: &str = r#"{"id_token":{"acr":{"essential":true,"value":"phr"}}}"#;
/// User present, user verified.
const UP_UV: u8 = 0x05;

/// A passkey in software, as an authenticator and its browser together.
struct Authenticator {
    key: PrivateKey,
    id: [u8; 16],
    origin: &'static str,
    rp_id: &'static str,
    flags: u8,
    counter: u32,
    /// Whether its maker vouches for it (`packed`).
    is_attested: bool,
}

impl Authenticator {
    fn new() -> Authenticator {
        let key = PrivateKey::generate(KeyAlg::P256);
        let id = key.public().raw()[1..17].try_into().unwrap();
        Authenticator {
            key,
            id,
            origin: URL,
            rp_id: "localhost",
            flags: UP_UV,
            counter: 1,
            is_attested: false,
        }
    }

    /// One that its maker vouches for.
    fn attested() -> Authenticator {
        Authenticator { is_attested: true, ..Authenticator::new() }
    }

    fn client_data(&self, kind: &str, challenge: &[u8]) -> Vec<u8> {
        let data = json!({"type": kind, "challenge": url_encode(challenge), "origin": self.origin, "crossOrigin": false});
        data.to_string().into_bytes()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let mut data = sha256(self.rp_id.as_bytes()).to_vec();
        data.push(self.flags | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn create(&self, challenge: &[u8]) -> Value {
        let public = self.key.public();
        let (x, y) = public.raw()[1..].split_at(32);
        let int = |value: i64| if value < 0 { Cbor::Nint(value) } else { Cbor::Uint(value.unsigned_abs()) };
        let cose = cbor::encode(&Cbor::Map(vec![
            (int(1), int(2)),
            (int(3), int(-7)),
            (int(-1), int(1)),
            (int(-2), Cbor::bytes(x)),
            (int(-3), Cbor::bytes(y)),
        ]));
        let mut data = self.data(0x40);
        data.extend([0; 16]);
        data.extend([0, 16]);
        data.extend(self.id);
        data.extend(cose);
        let client_data = self.client_data("webauthn.create", challenge);
        let (format, statement) = self.statement(&[data.clone(), sha256(&client_data).to_vec()].concat());
        let object = cbor::encode(&Cbor::Map(vec![
            (Cbor::text("fmt"), Cbor::text(format)),
            (Cbor::text("attStmt"), Cbor::Map(statement)),
            (Cbor::text("authData"), Cbor::bytes(data)),
        ]));
        json!({"clientDataJSON": url_encode(&client_data), "attestationObject": url_encode(&object)})
    }

    /// What its maker says of what it made (WebAuthn Level 3, 8.2); nothing without one.
    fn statement(&self, about: &[u8]) -> (&'static str, Vec<(Cbor, Cbor)>) {
        if !self.is_attested {
            return ("none", Vec::new());
        }
        let maker = PrivateKey::from_secret(KeyAlg::P256, MAKER_KEY).unwrap();
        let signature = der(&maker.sign(SignAlg::Es256, about).unwrap());
        let statement = vec![
            (Cbor::text("alg"), Cbor::Nint(-7)),
            (Cbor::text("sig"), Cbor::bytes(signature)),
            (Cbor::text("x5c"), Cbor::Array(vec![Cbor::bytes(MAKER_LEAF.to_vec())])),
        ];
        ("packed", statement)
    }

    fn assert(&mut self, challenge: &[u8]) -> Value {
        self.counter += 1;
        let (client_data, data) = (self.client_data("webauthn.get", challenge), self.data(0));
        let signed = [data.clone(), sha256(&client_data).to_vec()].concat();
        let signature = der(&self.key.sign(SignAlg::Es256, &signed).unwrap());
        json!({"id": url_encode(&self.id), "clientDataJSON": url_encode(&client_data), "authenticatorData": url_encode(&data),
            "signature": url_encode(&signature), "userHandle": ""})
    }
}

/// ECDSA-Sig-Value, as authenticators write it.
fn der(raw: &[u8]) -> Vec<u8> {
    let int = |half: &[u8]| {
        let mut bytes: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        if bytes.first().is_none_or(|byte| byte & 0x80 != 0) {
            bytes.insert(0, 0);
        }
        [vec![2, bytes.len() as u8], bytes].concat()
    };
    let (r, s) = raw.split_at(32);
    let both = [int(r), int(s)].concat();
    [vec![0x30, both.len() as u8], both].concat()
}

/// A link of the person's wallet.
async fn ticket(house: &House, person: &Person) -> String {
    let made = person.send(house, "POST", "/t/default/seal/passkeys/ticket", None, false).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    made.json()["url"].as_str().unwrap().split('#').nth(1).unwrap().to_owned()
}

async fn begin(house: &House, ticket: &str) -> Answered {
    house.json(&format!("{ISSUER}/passkeys/begin"), &[], &json!({"ticket": ticket})).await
}

async fn add(house: &House, ticket: &str, passkey: &Authenticator) -> Answered {
    let begun = begin(house, ticket).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.text());
    let challenge = url_decode(begun.json()["challenge"].as_str().unwrap()).unwrap();
    let mut body = passkey.create(&challenge);
    body["ticket"] = ticket.into();
    house.json(&format!("{ISSUER}/passkeys"), &[], &body).await
}

/// A person with a passkey.
async fn ana(house: &House) -> (Person, Authenticator) {
    ana_with(house, Authenticator::new()).await
}

async fn ana_with(house: &House, passkey: Authenticator) -> (Person, Authenticator) {
    let person = Person::new(house).await;
    let added = add(house, &ticket(house, &person).await, &passkey).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text());
    (person, passkey)
}

async fn challenge(house: &House, visit: &Visit) -> Vec<u8> {
    let state = visit.state(house).await;
    url_decode(state["webauthn"]["challenge"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_passkey_is_added_by_a_wallets_link_once() {
    let house = House::new().await;
    let person = Person::new(&house).await;
    let link = ticket(&house, &person).await;
    assert_eq!(house.last_event().await, "passkey-invited");
    assert_eq!(add(&house, &link, &Authenticator::new()).await.status, StatusCode::CREATED);
    assert_eq!(house.last_event().await, "passkey-added");
    assert_eq!(begin(&house, &link).await.code(), "seal/passkey-ticket");
    let listed = person.send(&house, "GET", "/t/default/seal/passkeys", None, false).await.json();
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/t/default/seal/passkeys/{id}");
    let stranger = Person::new(&house).await;
    assert_eq!(stranger.send(&house, "DELETE", &path, None, false).await.status, StatusCode::NOT_FOUND);
    assert_eq!(person.send(&house, "DELETE", &path, None, false).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.last_event().await, "passkey-removed");
}

#[tokio::test]
async fn a_link_is_spent_by_a_passkey_that_does_not_hold_and_ends_after_five_minutes() {
    let house = House::new().await;
    let person = Person::new(&house).await;
    for bad in [
        Authenticator { origin: "http://evil.example", ..Authenticator::new() },
        Authenticator { rp_id: "evil.example", ..Authenticator::new() },
        Authenticator { flags: 0x01, ..Authenticator::new() },
    ] {
        let link = ticket(&house, &person).await;
        assert_eq!(add(&house, &link, &bad).await.code(), "seal/passkey-refused");
        assert_eq!(house.last_event().await, "passkey-refused");
        assert_eq!(begin(&house, &link).await.code(), "seal/passkey-ticket");
    }
    let late = ticket(&house, &person).await;
    house.advance(300);
    assert_eq!(begin(&house, &late).await.code(), "seal/passkey-ticket");
}

#[tokio::test]
async fn an_assertion_of_the_browser_makes_a_sign_in_phishing_resistant() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let (person, mut passkey) = ana(&house).await;
    let visit = shop.visit(&house, &[("scope", "openid"), ("claims", PHR)]).await;
    assert_eq!(visit.state(&house).await["assertion"], "required");
    let over = challenge(&house, &visit).await;
    let asserted = visit.post(&house, "assertion", &passkey.assert(&over)).await;
    assert_eq!(asserted.json()["assertion"], "done", "{}", asserted.text());
    visit.approve(&house, &person, &[]).await;
    let page =
        house.get(&format!("{ISSUER}/sessions/{}", visit.sid), &[("cookie", &visit.cookie)]).await.text();
    for goes_on in ["http-equiv=\"refresh\"", "data-go=\""] {
        assert!(
            page.contains(goes_on),
            "the browser proved itself, so the page goes on, with a script and without"
        );
    }
    let code = visit.finish(&house).await.back("code").unwrap();
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let id_token = claims_of(tokens["id_token"].as_str().unwrap());
    assert_eq!(id_token["acr"], "phr");
    assert!(id_token["amr"].as_array().unwrap().contains(&json!("pop")));
}

#[tokio::test]
async fn without_the_browsers_assertion_an_approval_waits() {
    let house = House::new().await;
    let shop = Shop::with(&house, &json!({"acr_min": "phr"})).await;
    let (person, mut passkey) = ana(&house).await;
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let claimed = person.claim(&house, &visit.sid).await;
    let early = person.answer(&house, &claimed, Decision::Approve, &[]).await;
    assert_eq!((early.status, early.code().as_str()), (StatusCode::CONFLICT, "seal/assertion-pending"));
    let over = challenge(&house, &visit).await;
    assert_eq!(visit.post(&house, "assertion", &passkey.assert(&over)).await.status, StatusCode::OK);
    let late = person.answer(&house, &claimed, Decision::Approve, &[]).await;
    assert_eq!(crate::person::content(&late)["outcome"], "approved");
    assert!(visit.finish(&house).await.back("code").is_some());
}

#[tokio::test]
async fn who_has_no_passkey_does_not_wait_and_the_service_hears_that_its_class_is_not_met() {
    let house = House::new().await;
    let (shop, person) = (Shop::with(&house, &json!({"acr_min": "phr"})).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let claimed = person.claim(&house, &visit.sid).await;
    let answered = person.answer(&house, &claimed, Decision::Approve, &[]).await;
    let outcome = crate::person::content(&answered);
    assert_eq!((&outcome["outcome"], &outcome["reason"]), (&json!("failed"), &json!("unmet-acr")));
    assert_eq!(house.last_event().await, "signin-failed");
    let back = visit.finish(&house).await;
    assert_eq!(back.back("error").as_deref(), Some("unmet_authentication_requirements"));
}

#[tokio::test]
async fn a_class_that_is_only_wished_for_is_the_lower_true_one_for_who_has_no_passkey() {
    let house = House::new().await;
    let (shop, person) = (Shop::new(&house).await, Person::new(&house).await);
    let visit = shop.visit(&house, &[("scope", "openid"), ("acr_values", "phr")]).await;
    visit.approve(&house, &person, &[]).await;
    let code = visit.finish(&house).await.back("code").unwrap();
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    assert_eq!(claims_of(tokens["id_token"].as_str().unwrap())["acr"], "seal:code");
}

#[tokio::test]
async fn a_relaying_proxy_on_another_origin_succeeds_by_code_alone_and_the_class_says_so() {
    // RFC 10027: a code that a person copies does not stop a proxy that relays in real time. The proxy is the browser here.
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let (victim, _) = ana(&house).await;
    let proxy = shop.visit(&house, &[("scope", "openid")]).await;
    proxy.approve(&house, &victim, &[]).await;
    let code = proxy.finish(&house).await.back("code").unwrap();
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    assert_eq!(claims_of(tokens["id_token"].as_str().unwrap())["acr"], "seal:code");
}

#[tokio::test]
async fn the_same_proxy_fails_where_the_service_asks_for_a_phishing_resistant_class() {
    let house = House::new().await;
    let shop = Shop::with(&house, &json!({"acr_min": "phr"})).await;
    let (victim, passkey) = ana(&house).await;
    let mut passkey = passkey;
    for (origin, rp_id) in
        [("http://evil.localhost:8400", "evil.localhost"), ("http://evil.localhost:8400", "localhost")]
    {
        let proxy = shop.visit(&house, &[("scope", "openid")]).await;
        let claimed = victim.claim(&house, &proxy.sid).await;
        let over = challenge(&house, &proxy).await;
        // The victim's browser signs for the origin that it sees.
        (passkey.origin, passkey.rp_id) = (origin, rp_id);
        let relayed = proxy.post(&house, "assertion", &passkey.assert(&over)).await;
        assert_eq!(relayed.json()["state"], "failed", "{}", relayed.text());
        assert_eq!(house.last_event().await, "signin-failed");
        let answered = victim.answer(&house, &claimed, Decision::Approve, &[]).await;
        assert_eq!(answered.status, StatusCode::NOT_FOUND);
        assert!(proxy.finish(&house).await.back("code").is_none());
    }
}

#[tokio::test]
async fn an_assertion_is_one_try_over_this_session_by_this_person_with_a_growing_counter() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let (person, mut passkey) = ana(&house).await;
    let (_, mut others) = ana(&house).await;
    let outcome = async |visit: &Visit, body: &Value| {
        visit.post(&house, "assertion", body).await.json()["state"].clone()
    };
    // Over another session.
    let (visit, other) =
        (shop.visit(&house, &[("scope", "openid")]).await, shop.visit(&house, &[("scope", "openid")]).await);
    let foreign = passkey.assert(&challenge(&house, &other).await);
    assert_eq!(outcome(&visit, &foreign).await, "failed");
    // Not verified who touched it.
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    passkey.flags = 0x01;
    let over = challenge(&house, &visit).await;
    assert_eq!(outcome(&visit, &passkey.assert(&over)).await, "failed");
    passkey.flags = UP_UV;
    // A counter that does not grow.
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let over = challenge(&house, &visit).await;
    assert_eq!(outcome(&visit, &passkey.assert(&over)).await, "open");
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    passkey.counter -= 1;
    let over = challenge(&house, &visit).await;
    assert_eq!(outcome(&visit, &passkey.assert(&over)).await, "failed");
    // Of another person than the one whose wallet claimed.
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    person.claim(&house, &visit.sid).await;
    let over = challenge(&house, &visit).await;
    assert_eq!(outcome(&visit, &others.assert(&over)).await, "failed");
    assert_eq!(house.last_event().await, "signin-failed");
}

#[tokio::test]
async fn a_passkey_that_may_be_copied_is_not_the_class_that_is_bound_to_hardware() {
    let house = House::new().await;
    let shop = Shop::with(&house, &json!({"acr_min": "phrh"})).await;
    let (person, mut passkey) = ana(&house).await;
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let claimed = person.claim(&house, &visit.sid).await;
    let over = challenge(&house, &visit).await;
    assert_eq!(visit.post(&house, "assertion", &passkey.assert(&over)).await.status, StatusCode::OK);
    let answered = person.answer(&house, &claimed, Decision::Approve, &[]).await;
    let outcome = crate::person::content(&answered);
    assert_eq!((&outcome["outcome"], &outcome["reason"]), (&json!("failed"), &json!("unmet-acr")));
    let back = visit.finish(&house).await;
    assert_eq!(back.back("error").as_deref(), Some("unmet_authentication_requirements"));
}

#[tokio::test]
async fn a_passkey_alone_signs_in_on_our_page_for_nothing_but_the_name() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let (_, mut passkey) = ana(&house).await;
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let answered = alone(&house, &visit, &mut passkey).await;
    assert_eq!(answered.json()["state"], "approved", "{}", answered.text());
    let code = visit.finish(&house).await.back("code").unwrap();
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    assert_eq!(claims_of(tokens["id_token"].as_str().unwrap())["acr"], "phr");
    assert_eq!(house.last_event().await, "tokens-issued");
}

/// A house that believes the specimen maker.
async fn house_of_maker() -> House {
    House::with(|config: &mut Config| config.attestation_roots = vec![MAKER_ROOT.to_vec()]).await
}

/// A sign-in by code and passkey where the service asks for the class that is bound to hardware: the outcome, and where it leads.
async fn bound_sign_in(
    house: &House,
    (person, passkey): (&Person, &mut Authenticator),
) -> (Value, Shop, Answered) {
    let shop = Shop::with(house, &json!({"acr_min": "phrh"})).await;
    let visit = shop.visit(house, &[("scope", "openid")]).await;
    let claimed = person.claim(house, &visit.sid).await;
    let over = challenge(house, &visit).await;
    assert_eq!(visit.post(house, "assertion", &passkey.assert(&over)).await.status, StatusCode::OK);
    let outcome = crate::person::content(&person.answer(house, &claimed, Decision::Approve, &[]).await);
    (outcome, shop, visit.finish(house).await)
}

#[tokio::test]
async fn a_passkey_that_its_maker_vouches_for_and_nobody_can_copy_signs_in_as_bound_to_hardware() {
    let house = house_of_maker().await;
    let (person, mut passkey) = ana_with(&house, Authenticator::attested()).await;
    let (outcome, shop, back) = bound_sign_in(&house, (&person, &mut passkey)).await;
    assert_eq!(outcome["outcome"], "approved", "{outcome}");
    let tokens = shop.redeem(&house, &back.back("code").unwrap(), &[]).await.json();
    let id_token = claims_of(tokens["id_token"].as_str().unwrap());
    assert_eq!(id_token["acr"], "phrh");
    assert!(id_token["amr"].as_array().unwrap().contains(&json!("hwk")));
    assert_eq!(house.leaf("passkey-added").await.kind, "passkey-added");
}

#[tokio::test]
async fn a_passkey_that_can_be_copied_is_never_bound_to_hardware_whoever_vouches_for_it() {
    let house = house_of_maker().await;
    // BE: it may be backed up, so other devices may hold it.
    let copied = Authenticator { flags: UP_UV | 0x08, ..Authenticator::attested() };
    let (person, mut passkey) = ana_with(&house, copied).await;
    let (outcome, _, back) = bound_sign_in(&house, (&person, &mut passkey)).await;
    assert_eq!((&outcome["outcome"], &outcome["reason"]), (&json!("failed"), &json!("unmet-acr")));
    assert_eq!(back.back("error").as_deref(), Some("unmet_authentication_requirements"));
    assert_eq!(house.last_event().await, "signin-failed");
}

#[tokio::test]
async fn a_maker_whom_nobody_configured_vouches_for_nothing() {
    let house = House::new().await;
    let (person, mut passkey) = ana_with(&house, Authenticator::attested()).await;
    let (outcome, _, back) = bound_sign_in(&house, (&person, &mut passkey)).await;
    assert_eq!(outcome["reason"], "unmet-acr");
    assert!(back.back("code").is_none());
    assert_eq!(house.last_event().await, "signin-failed");
}

/// What the browser gets for an answer by passkey alone.
async fn alone(house: &House, visit: &Visit, passkey: &mut Authenticator) -> Answered {
    let t0: [u8; 32] = challenge(house, visit).await.try_into().unwrap();
    let response = Response {
        sid: Sid::parse(&visit.sid).unwrap(),
        t0: T0::from_stored(t0),
        binding: String::new(),
        decision: Decision::Approve,
        granted: Scopes::expand("openid").unwrap(),
        denied: Scopes::default(),
        consent_text: sha256(b"text"),
        face: FaceVerdict::none(),
        usr_otp: String::new(),
        doc: None,
        issued_at_s: house.now().as_second(),
    };
    let r = response.jcs().unwrap();
    let webauthn = passkey.assert(&browser_challenge(&T0::from_stored(t0), &r));
    visit.post(house, "answer", &json!({"r": url_encode(&r), "webauthn": webauthn})).await
}

async fn revoke(house: &House, person: &Person, reason: &str) {
    let path = format!("/api/v1/enrolments/{}/revoke", person.binding);
    let bearer = format!("Bearer {}", house.token);
    let answered = house.json(&path, &[("authorization", &bearer)], &json!({"reason": reason})).await;
    assert_eq!(answered.status, StatusCode::NO_CONTENT, "{}", answered.text());
}

#[tokio::test]
async fn the_passkeys_of_a_revoked_device_sign_nobody_in() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let (person, mut passkey) = ana(&house).await;
    revoke(&house, &person, "lost_device").await;
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let answered = alone(&house, &visit, &mut passkey).await;
    assert_eq!(answered.json()["state"], "failed", "{}", answered.text());
    assert_eq!(house.last_event().await, "signin-failed");
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    let over = challenge(&house, &visit).await;
    let asserted = visit.post(&house, "assertion", &passkey.assert(&over)).await;
    assert_eq!(asserted.json()["state"], "failed", "{}", asserted.text());
    assert!(visit.finish(&house).await.back("code").is_none());
}

#[tokio::test]
async fn a_link_of_a_device_that_was_revoked_since_adds_no_passkey() {
    let house = House::new().await;
    let person = Person::new(&house).await;
    let link = ticket(&house, &person).await;
    revoke(&house, &person, "compromised").await;
    assert_eq!(begin(&house, &link).await.code(), "seal/passkey-ticket");
    assert_eq!(house.last_event().await, "request-refused");
    assert_eq!(house.count("enrolment-revoked").await, 1);
}

#[tokio::test]
async fn the_passkey_of_a_locked_device_rests_until_an_operator_unlocks_it() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let (person, mut passkey) = ana(&house).await;
    let locked = person.send(&house, "POST", "/t/default/seal/enrolment/lock", None, false).await;
    assert_eq!(locked.status, StatusCode::NO_CONTENT);
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    assert_eq!(alone(&house, &visit, &mut passkey).await.json()["state"], "failed");
    house.api(&format!("/api/v1/enrolments/{}/approve", person.binding), &json!({})).await;
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    assert_eq!(alone(&house, &visit, &mut passkey).await.json()["state"], "approved");
    assert_eq!(house.last_event().await, "signin-approved");
}

#[tokio::test]
async fn revoking_a_device_ends_what_its_passkey_signed_for_too() {
    let house = House::new().await;
    let shop = Shop::new(&house).await;
    let (person, mut passkey) = ana(&house).await;
    let visit = shop.visit(&house, &[("scope", "openid")]).await;
    assert_eq!(alone(&house, &visit, &mut passkey).await.json()["state"], "approved");
    let code = visit.finish(&house).await.back("code").unwrap();
    let tokens = shop.redeem(&house, &code, &[]).await.json();
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(shop.userinfo(&house, access_token).await.status, StatusCode::OK);
    let amr = claims_of(tokens["id_token"].as_str().unwrap())["amr"].clone();
    assert_eq!(amr, json!(["swk", "pop", "mfa"]), "what the browser proved itself by");
    revoke(&house, &person, "lost_device").await;
    assert_eq!(shop.userinfo(&house, access_token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.last_event().await, "request-refused");
    assert_eq!(house.count("enrolment-revoked").await, 1);
}
