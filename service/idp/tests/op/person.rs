//! Somebody with a wallet, played by the functions of `protocol/seal`.

use crate::house::{Answered, House, ISSUER, URL};
use crypto::base64::{url_decode, url_encode};
use crypto::hash::sha256;
use crypto::jose::jws::{Jws, assemble};
use crypto::json::Limits;
use crypto::key::{Ecdh, KeyAlg, PrivateKey, PublicKey, SignAlg};
use http::StatusCode;
use seal::code::answer::{Answering, answer};
use seal::code::document::{Document, DocumentKind};
use seal::code::keys::{enrolment_prk, enrolment_proof};
use seal::code::proof::{self, ProofKey};
use seal::code::{Context, Decision, DenyReason, FaceVerdict, KeySchedule, Parties, Sid};
use seal::scope::{Scope, Scopes};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// Stands in no table, log line or leaf.
pub(crate) const GIVEN_NAME: &str = "Canaria";
pub(crate) const FAMILY_NAME: &str = "Kanarienvogel";

pub(crate) struct Person {
    dk: PrivateKey,
    d: Ecdh,
    s: PublicKey,
    pub(crate) binding: String,
    pub(crate) handle: String,
    document: Option<Vec<u8>>,
    next: AtomicU64,
}

/// A session that the wallet claimed.
pub(crate) struct Claimed {
    pub(crate) sid: Sid,
    pub(crate) context: Context,
    pub(crate) keys: KeySchedule,
    pub(crate) content: Value,
}

impl Person {
    /// Somebody without a document.
    pub(crate) async fn new(house: &House) -> Person {
        Person::enrolled(house, None).await
    }

    /// Somebody with a document seal of the tenant.
    pub(crate) async fn with_document(house: &House) -> Person {
        let claims = json!({"given_name": GIVEN_NAME, "family_name": FAMILY_NAME, "birth_date": "1990-05-17",
            "number": "X1234567", "expiry": "2030-01-01"});
        let issued =
            house.api("/api/v1/document-seals", &json!({"type": "organisation", "claims": claims})).await;
        let seal = url_decode(issued["seal"].as_str().unwrap()).unwrap();
        Person::enrolled(house, Some(seal)).await
    }

    async fn enrolled(house: &House, document: Option<Vec<u8>>) -> Person {
        let metadata = house.get("/t/default/seal/metadata", &[]).await.json();
        let s = crypto::jwk::Jwk::from_value(&metadata["agreement"]["jwk"]).unwrap().key().clone();
        let mut person = Person {
            dk: PrivateKey::generate(KeyAlg::P256),
            d: Ecdh::generate(),
            s,
            binding: String::new(),
            handle: String::new(),
            document,
            next: AtomicU64::new(0),
        };
        let begun = house.json("/t/default/seal/enrolments", &[], &json!({"wallet": "test 1"})).await.json();
        let challenge: [u8; 32] =
            url_decode(begun["challenge"].as_str().unwrap()).unwrap().try_into().unwrap();
        let prk = enrolment_prk(&person.d, &person.s, &challenge).unwrap();
        let d_proof = enrolment_proof(&prk, &person.dk.public(), &challenge);
        let anchor = match &person.document {
            Some(seal) => json!({"kind": "vds", "data": url_encode(seal)}),
            None => json!({"kind": "none"}),
        };
        let body = json!({
            "dk": url_encode(person.dk.public().raw()), "d": url_encode(person.d.public().raw()),
            "attestation": {"format": "none"}, "anchor": anchor, "d_proof": url_encode(&d_proof),
        });
        let id = begun["enrolment"].as_str().unwrap().to_owned();
        let path = format!("/t/default/seal/enrolments/{id}");
        let answered = person.send(house, "PUT", &path, Some(&body), true).await;
        assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text());
        let content = content(&answered);
        person.binding = content["binding"].as_str().unwrap().to_owned();
        person.handle = content["handle"].as_str().unwrap().to_owned();
        person
    }

    /// A request with its proof.
    pub(crate) async fn send(
        &self,
        house: &House,
        method: &str,
        path: &str,
        body: Option<&Value>,
        is_newcomer: bool,
    ) -> Answered {
        let text = body.map(Value::to_string).unwrap_or_default();
        let url = format!("{URL}{}", path.split('?').next().unwrap());
        let request = proof::Request { method, url: &url, body: text.as_bytes() };
        let jti = format!("j{}", self.next.fetch_add(1, Ordering::Relaxed));
        let public = self.dk.public();
        let key = if is_newcomer { ProofKey::Embedded(&public) } else { ProofKey::Enrolment(&self.binding) };
        let input = proof::draft(key, &request, &jti, house.now()).signing_input();
        let proof = assemble(&input, &self.dk.sign(SignAlg::Es256, input.as_bytes()).unwrap());
        let body = body.map(|_| ("application/json", text));
        house.call(method, path, &[("seal-proof", &proof)], body).await
    }

    pub(crate) async fn claim_answer(&self, house: &House, sid: &str) -> Answered {
        let path = format!("/t/default/seal/sessions/{sid}/claim");
        self.send(house, "POST", &path, Some(&json!({})), false).await
    }

    pub(crate) async fn claim(&self, house: &House, sid: &str) -> Claimed {
        let answered = self.claim_answer(house, sid).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
        let content = content(&answered);
        let context = Context::from_value(&content["ctx"]).unwrap();
        let e = url_decode(content["E"].as_str().unwrap()).unwrap();
        let e = PublicKey::from_raw(KeyAlg::P256, e).unwrap();
        let sid = Sid::parse(sid).unwrap();
        let t0 = context.t0(&e, &sid).unwrap();
        let dk = self.dk.public();
        let parties = Parties { s: &self.s, e: &e, d: &self.d.public(), dk: &dk };
        let keys = KeySchedule::wallet(&t0, &parties, &self.d).unwrap();
        Claimed { sid, context, keys, content }
    }

    /// Types the code that the browser shows, and agrees to everything but `denied`.
    pub(crate) async fn approve(
        &self,
        house: &House,
        claimed: &Claimed,
        code: &str,
        denied: &[Scope],
    ) -> Value {
        assert!(claimed.keys.service_code().matches(code), "the page shows another code than the wallet has");
        content(&self.answer(house, claimed, Decision::Approve, denied).await)
    }

    pub(crate) async fn deny(&self, house: &House, claimed: &Claimed) -> Value {
        content(&self.answer(house, claimed, Decision::Deny(DenyReason::User), &[]).await)
    }

    pub(crate) async fn answer(
        &self,
        house: &House,
        claimed: &Claimed,
        decision: Decision,
        denied: &[Scope],
    ) -> Answered {
        let denied = denied.iter().copied().collect::<Scopes>();
        let granted = match decision {
            Decision::Approve => claimed.context.scopes.without(&denied),
            Decision::Deny(_) => Scopes::default(),
        };
        let e = url_decode(claimed.content["E"].as_str().unwrap()).unwrap();
        let e = PublicKey::from_raw(KeyAlg::P256, e).unwrap();
        let shows = granted.iter().any(Scope::needs_document);
        let document = self
            .document
            .as_ref()
            .filter(|_| shows)
            .map(|seal| Document::new(DocumentKind::Vds, seal.clone()));
        let answering = Answering {
            sid: claimed.sid,
            t0: claimed.context.t0(&e, &claimed.sid).unwrap(),
            binding: &self.binding,
            keys: &claimed.keys,
            decision,
            denied: claimed.context.scopes.without(&granted),
            granted,
            consent_text: "text",
            face: FaceVerdict::none(),
            document: document.as_ref(),
            now: house.now(),
        };
        let answer = answer(&answering, &self.dk).unwrap();
        let path = format!("/t/default/seal/sessions/{}/response", claimed.sid);
        self.send(house, "POST", &path, Some(&answer.to_value()), false).await
    }
}

/// What a signed reply says; its signature is the wallet's own business and tested there.
pub(crate) fn content(answered: &Answered) -> Value {
    assert!(answered.status.is_success(), "{} {}", answered.status, answered.text());
    let limits = Limits { bytes_max: 64 << 10, depth_max: 8 };
    let jws = Jws::parse(&answered.text(), &limits).unwrap();
    let claims: Value = serde_json::from_slice(jws.payload()).unwrap();
    assert_eq!(claims["iss"], ISSUER);
    claims
}

/// base64url of SHA-256: hashes as tokens have them.
pub(crate) fn hash_text(text: &str) -> String {
    url_encode(&sha256(text.as_bytes()))
}
