//! Passkeys of operators, by a software authenticator on an ephemeral store: added, used, copied, replayed, and on wrong origins.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]

use crypto::base64::url_encode;
use crypto::cbor::{self, Value as Cbor};
use crypto::hash::sha256;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use crypto::webauthn::AssertionParts;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::Arc;
use store::{Actor, Ctx, Entropy, LogId, Store, TenantId};
use tenancy::operator::Session;
use tenancy::passkey::PasskeyError;
use tenancy::{Role, Tenancy};
use tessera_tenancy as tenancy;
use tlog::entry::Entry;

const ORIGIN: &str = "https://console.example";
/// User present, user verified.
const UP_UV: u8 = 0x05;

struct House {
    store: Store,
    tenancy: Tenancy,
    entropy: Entropy,
    now: Timestamp,
}

/// A passkey in software, as an authenticator and its browser together.
#[derive(Clone)]
struct Passkey {
    key: Arc<PrivateKey>,
    id: [u8; 16],
    origin: &'static str,
    rp_id: &'static str,
    flags: u8,
    counter: u32,
    user: Vec<u8>,
}

/// What a browser sends to sign in.
struct Assertion {
    client_data: Vec<u8>,
    data: Vec<u8>,
    signature: Vec<u8>,
}

impl House {
    fn new() -> House {
        let store = Store::ephemeral(&[tenancy::MIGRATIONS]).unwrap();
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("console.example"));
        House { store, tenancy, entropy: Entropy::seeded(7), now: "2026-11-20T10:00:00Z".parse().unwrap() }
    }

    fn ctx(&self) -> Ctx {
        Ctx::new(TenantId::SYSTEM, Actor::system(), self.now, self.entropy.clone())
    }

    async fn operator(&self) -> String {
        self.tenancy.invite(&self.ctx(), "Ana", Role::Owner, None).await.unwrap().0.id
    }

    async fn add(&self, operator: &str, passkey: &Passkey) -> Result<String, PasskeyError> {
        let challenge = self.tenancy.passkey_challenge(&self.ctx(), Some(operator)).await.unwrap();
        self.add_over(operator, passkey, &challenge).await
    }

    async fn add_over(
        &self,
        operator: &str,
        passkey: &Passkey,
        challenge: &[u8],
    ) -> Result<String, PasskeyError> {
        let (data, object) = passkey.create(challenge);
        self.tenancy.add_operator_passkey(&self.ctx(), (ORIGIN, operator, "laptop"), (&data, &object)).await
    }

    /// An operator with a passkey.
    async fn ana(&self) -> (String, Passkey) {
        let operator = self.operator().await;
        let passkey = Passkey::of(&operator);
        self.add(&operator, &passkey).await.unwrap();
        (operator, passkey)
    }

    async fn sign_in(&self, passkey: &mut Passkey) -> Result<Session, PasskeyError> {
        let challenge = self.tenancy.passkey_challenge(&self.ctx(), None).await.unwrap();
        let asserted = passkey.assert(&challenge);
        self.sign_in_with(passkey, &asserted).await
    }

    async fn sign_in_with(&self, passkey: &Passkey, asserted: &Assertion) -> Result<Session, PasskeyError> {
        let parts = AssertionParts {
            id: &passkey.id,
            client_data_json: &asserted.client_data,
            authenticator_data: &asserted.data,
            signature: &asserted.signature,
            user_handle: &passkey.user,
        };
        self.tenancy.sign_in_by_passkey(&self.ctx(), ORIGIN, &parts).await
    }

    async fn last_event(&self) -> String {
        let waiting = self.store.take_pending(&self.ctx(), &LogId::of(&TenantId::SYSTEM), 512).await.unwrap();
        Entry::decode(&waiting.last().unwrap().leaf).unwrap().kind
    }
}

impl Passkey {
    fn of(operator: &str) -> Passkey {
        let key = Arc::new(PrivateKey::generate(KeyAlg::P256));
        let id = key.public().raw()[1..17].try_into().unwrap();
        let user = operator.as_bytes().to_vec();
        Passkey { key, id, origin: ORIGIN, rp_id: "console.example", flags: UP_UV, counter: 1, user }
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

    fn create(&self, challenge: &[u8]) -> (Vec<u8>, Vec<u8>) {
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
        let object = cbor::encode(&Cbor::Map(vec![
            (Cbor::text("fmt"), Cbor::text("none")),
            (Cbor::text("attStmt"), Cbor::Map(Vec::new())),
            (Cbor::text("authData"), Cbor::bytes(data)),
        ]));
        (self.client_data("webauthn.create", challenge), object)
    }

    fn assert(&mut self, challenge: &[u8]) -> Assertion {
        self.counter += 1;
        let (client_data, data) = (self.client_data("webauthn.get", challenge), self.data(0));
        let signed = [data.clone(), sha256(&client_data).to_vec()].concat();
        Assertion { client_data, data, signature: der(&self.key.sign(SignAlg::Es256, &signed).unwrap()) }
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

#[tokio::test]
async fn an_operator_adds_a_passkey_and_signs_in_by_it() {
    let house = House::new();
    let operator = house.operator().await;
    let mut passkey = Passkey::of(&operator);
    let id = house.add(&operator, &passkey).await.unwrap();
    assert_eq!(house.last_event().await, "operator-passkey-added");
    let session = house.sign_in(&mut passkey).await.unwrap();
    assert_eq!(house.last_event().await, "operator-session-opened");
    assert_eq!((session.operator.id.as_str(), session.operator.role), (operator.as_str(), Role::Owner));
    let known = house.tenancy.session(&house.ctx(), session.token.expose()).await.unwrap().unwrap();
    assert_eq!(known.operator_id, operator);
    let listed = house.tenancy.operator_passkeys(&house.ctx(), &operator).await.unwrap();
    assert_eq!((listed.len(), listed[0].id.as_str(), listed[0].label.as_str()), (1, id.as_str(), "laptop"));
    house.tenancy.remove_operator_passkey(&house.ctx(), &operator, &id).await.unwrap();
    assert_eq!(house.last_event().await, "operator-passkey-removed");
    assert_eq!(house.sign_in(&mut passkey).await.unwrap_err(), PasskeyError::Unknown);
    let again = house.tenancy.remove_operator_passkey(&house.ctx(), &operator, &id).await;
    assert_eq!(again.unwrap_err(), PasskeyError::NotFound);
}

#[tokio::test]
async fn an_assertion_opens_one_session_also_when_it_comes_64_times_at_once() {
    let house = Arc::new(House::new());
    let (_, mut passkey) = house.ana().await;
    let challenge = house.tenancy.passkey_challenge(&house.ctx(), None).await.unwrap();
    let asserted = Arc::new(passkey.assert(&challenge));
    let tries = (0..64).map(|_| {
        let (house, passkey, asserted) = (house.clone(), passkey.clone(), asserted.clone());
        tokio::spawn(async move { house.sign_in_with(&passkey, &asserted).await.is_ok() })
    });
    let mut opened = 0;
    for one in tries.collect::<Vec<_>>() {
        opened += usize::from(one.await.unwrap());
    }
    assert_eq!(opened, 1);
    assert_eq!(house.last_event().await, "operator-passkey-refused");
}

#[tokio::test]
async fn a_challenge_is_of_one_use_one_purpose_one_operator_and_five_minutes() {
    let mut house = House::new();
    let (ana, ben) = (house.operator().await, house.operator().await);
    let challenge = house.tenancy.passkey_challenge(&house.ctx(), Some(&ana)).await.unwrap();
    let other = house.add_over(&ben, &Passkey::of(&ben), &challenge).await.unwrap_err();
    assert_eq!(other, PasskeyError::Challenge, "of another operator");
    let mut passkey = Passkey::of(&ana);
    house.add_over(&ana, &passkey, &challenge).await.unwrap();
    let again = house.add_over(&ana, &Passkey::of(&ana), &challenge).await.unwrap_err();
    assert_eq!(again, PasskeyError::Challenge, "spent");
    let adding = house.tenancy.passkey_challenge(&house.ctx(), Some(&ana)).await.unwrap();
    let asserted = passkey.assert(&adding);
    let crossed = house.sign_in_with(&passkey, &asserted).await.unwrap_err();
    assert_eq!(crossed, PasskeyError::Challenge, "made to add one, not to sign in");
    let late = house.tenancy.passkey_challenge(&house.ctx(), None).await.unwrap();
    house.now += SignedDuration::from_secs(tenancy::passkey::CHALLENGE_TTL_S + 1);
    let asserted = passkey.assert(&late);
    let late = house.sign_in_with(&passkey, &asserted).await.unwrap_err();
    assert_eq!(late, PasskeyError::Challenge, "over");
    let asserted = passkey.assert(&[7; 32]);
    assert_eq!(
        house.sign_in_with(&passkey, &asserted).await.unwrap_err(),
        PasskeyError::Challenge,
        "invented"
    );
}

#[tokio::test]
async fn a_passkey_of_another_origin_host_user_or_touch_opens_nothing_and_spends_its_try() {
    let house = House::new();
    let (_, passkey) = house.ana().await;
    type Change = fn(&mut Passkey);
    let changes: [(&str, Change); 6] = [
        ("wrong-origin", |it| it.origin = "https://console.example.evil"),
        ("wrong-rp-id", |it| it.rp_id = "evil.example"),
        ("user-not-verified", |it| it.flags = 0x01),
        ("user-not-present", |it| it.flags = 0x04),
        ("wrong-credential", |it| it.user = b"opr_other".to_vec()),
        ("bad-signature", |it| it.key = Arc::new(PrivateKey::generate(KeyAlg::P256))),
    ];
    for (code, change) in changes {
        let mut wrong = passkey.clone();
        change(&mut wrong);
        let challenge = house.tenancy.passkey_challenge(&house.ctx(), None).await.unwrap();
        let asserted = wrong.assert(&challenge);
        let refused = house.sign_in_with(&wrong, &asserted).await.unwrap_err();
        assert!(
            matches!(&refused, PasskeyError::Refused(fault) if fault.to_string() == code),
            "{code}: {refused}"
        );
        assert_eq!(house.last_event().await, "operator-passkey-refused");
        let mut right = passkey.clone();
        let asserted = right.assert(&challenge);
        assert_eq!(
            house.sign_in_with(&right, &asserted).await.unwrap_err(),
            PasskeyError::Challenge,
            "{code}"
        );
    }
    assert!(house.sign_in(&mut passkey.clone()).await.is_ok());
}

#[tokio::test]
async fn a_copied_passkey_whose_counter_stands_still_is_refused() {
    let house = House::new();
    let (_, mut passkey) = house.ana().await;
    let mut copy = passkey.clone();
    house.sign_in(&mut passkey).await.unwrap();
    let refused = house.sign_in(&mut copy).await.unwrap_err();
    assert!(matches!(&refused, PasskeyError::Refused(fault) if fault.to_string() == "counter-not-grown"));
}

#[tokio::test]
async fn a_revoked_operators_passkey_is_nobodys() {
    let house = House::new();
    let (ana, mut passkey) = house.ana().await;
    house.operator().await;
    house.tenancy.revoke_operator(&house.ctx(), &ana).await.unwrap();
    assert_eq!(house.sign_in(&mut passkey).await.unwrap_err(), PasskeyError::Unknown);
    assert!(house.tenancy.operator_passkeys(&house.ctx(), &ana).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_credential_is_one_operators_and_labels_are_encrypted_where_they_lie() {
    let house = House::new();
    let (ana, passkey) = house.ana().await;
    let ben = house.operator().await;
    assert_eq!(house.add(&ben, &passkey).await.unwrap_err(), PasskeyError::Known);
    assert_eq!(house.last_event().await, "operator-passkey-refused");
    let row = house
        .store
        .read(&house.ctx())
        .one(store::Stmt::new("SELECT label FROM tenancy_operator_passkey"))
        .await
        .unwrap()
        .unwrap();
    let sealed = row.blob(0).unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("laptop"));
    for label in ["", "a\nb", &"x".repeat(101)] {
        let challenge = house.tenancy.passkey_challenge(&house.ctx(), Some(&ana)).await.unwrap();
        let (data, object) = Passkey::of(&ana).create(&challenge);
        let named = (ORIGIN, ana.as_str(), label);
        let refused = house.tenancy.add_operator_passkey(&house.ctx(), named, (&data, &object)).await;
        assert_eq!(refused.unwrap_err(), PasskeyError::Label);
    }
}

#[tokio::test]
async fn a_page_that_looks_by_itself_keeps_no_session_alive() {
    let mut house = House::new();
    let operator = house.operator().await;
    let mut passkey = Passkey::of(&operator);
    house.add(&operator, &passkey).await.unwrap();
    let session = house.sign_in(&mut passkey).await.unwrap();
    let begun = house.now;
    for minutes in [20, 29] {
        house.now = begun + SignedDuration::from_mins(minutes);
        let known =
            house.tenancy.watched_session(&house.ctx(), session.token.expose()).await.unwrap().unwrap();
        let ends_at = begun + SignedDuration::from_secs(house.tenancy.config().session_ttl_s);
        assert_eq!(known.ends_at_ms, ends_at.as_millisecond());
    }
    house.now = begun + SignedDuration::from_mins(31);
    assert_eq!(house.tenancy.watched_session(&house.ctx(), session.token.expose()).await.unwrap(), None);
    // What a person does keeps it.
    let session = house.sign_in(&mut passkey).await.unwrap();
    let begun = house.now;
    for minutes in [20, 40] {
        house.now = begun + SignedDuration::from_mins(minutes);
        assert!(house.tenancy.session(&house.ctx(), session.token.expose()).await.unwrap().is_some());
    }
}
