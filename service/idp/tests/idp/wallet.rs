//! A wallet of a test: its keys, its proofs, and the answers that it makes.

use crate::house::{Answered, COOKIE, House, PUBLIC_URL};
use crypto::base64;
use crypto::jose::jws::assemble;
use crypto::key::{Ecdh, KeyAlg, PrivateKey, PublicKey, SignAlg};
use http::StatusCode;
use seal::code::answer::{Answer, Answering, answer};
use seal::code::document::{Document, DocumentKind};
use seal::code::keys::{enrolment_prk, enrolment_proof, read_point};
use seal::code::proof::{ProofKey, Request, draft};
use seal::code::reply::{Expected, verify};
use seal::code::{Context, Decision, FaceVerdict, KeySchedule, Parties, Sid, T0};
use seal::consent;
use seal::scope::Scopes;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_idp::signin::{Opened, SessionState};

pub(crate) struct Wallet {
    pub(crate) dk: PrivateKey,
    pub(crate) d: Ecdh,
    pub(crate) id: String,
    pub(crate) handle: String,
    pub(crate) s: PublicKey,
    reply_key: PublicKey,
    next: AtomicU64,
}

/// What a wallet knows of a session that it claimed.
pub(crate) struct Claimed {
    pub(crate) sid: Sid,
    pub(crate) context: Context,
    pub(crate) t0: T0,
    pub(crate) keys: KeySchedule,
    pub(crate) told: Map<String, Value>,
}

impl Wallet {
    /// New keys, and what the metadata pins.
    pub(crate) async fn new(house: &House) -> Wallet {
        let metadata = house.raw("GET", "/t/default/seal/metadata", &[], None).await.json();
        Wallet {
            dk: PrivateKey::generate(KeyAlg::P256),
            d: Ecdh::generate(),
            id: String::new(),
            handle: String::new(),
            s: key_of(&metadata["agreement"]["jwk"]),
            reply_key: key_of(&metadata["reply_jwks"]["keys"][0]),
            next: AtomicU64::new(1),
        }
    }

    pub(crate) fn jti(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let mark = crypto::hash::sha256(self.dk.public().raw());
        format!("{}-{number}", base64::url_encode(&mark[..8]))
    }

    /// Gets a challenge.
    pub(crate) async fn begin(&mut self, house: &House, invite: Option<&str>) -> Answered {
        let mut body = json!({"wallet": "test wallet 1"});
        if let Some(invite) = invite {
            body["invite"] = invite.into();
        }
        let answered = house.raw("POST", "/t/default/seal/enrolments", &[], Some(&body)).await;
        if answered.status == StatusCode::CREATED {
            self.id = answered.json()["enrolment"].as_str().unwrap().to_owned();
        }
        answered
    }

    /// The body of an enrolment with this challenge and document.
    pub(crate) fn enrol_body(&self, challenge: &[u8; 32], seal: Option<&[u8]>) -> Value {
        let prk = enrolment_prk(&self.d, &self.s, challenge).unwrap();
        let proof = enrolment_proof(&prk, &self.dk.public(), challenge);
        let text = |bytes: &[u8]| base64::url_encode(bytes);
        let anchor = match seal {
            Some(seal) => json!({"kind": "vds", "data": text(seal)}),
            None => json!({"kind": "none", "data": ""}),
        };
        json!({
            "dk": text(self.dk.public().raw()), "d": text(self.d.public().raw()),
            "attestation": {"format": "none", "data": ""}, "anchor": anchor,
            "face": FaceVerdict::none().to_value(), "d_proof": text(&proof),
        })
    }

    /// Enrols with a document, or without.
    pub(crate) async fn enrol(&mut self, house: &House, seal: Option<&[u8]>) -> Answered {
        let begun = self.begin(house, None).await;
        let challenge = challenge_of(&begun);
        let body = self.enrol_body(&challenge, seal);
        self.complete(house, &body).await
    }

    pub(crate) async fn complete(&mut self, house: &House, body: &Value) -> Answered {
        let path = format!("/t/default/seal/enrolments/{}", self.id);
        let jti = self.jti();
        let proof = self.proof_with(house, ("PUT", &path), Some(body), (&jti, true));
        let answered = house.raw("PUT", &path, &[("seal-proof", &proof)], Some(body)).await;
        if answered.status.is_success() {
            let reply = self.read(house, &answered, &jti);
            self.handle = reply["handle"].as_str().unwrap().to_owned();
        }
        answered
    }

    /// Completes with this body; what the signed reply says.
    pub(crate) async fn complete_with(&mut self, house: &House, body: &Value) -> Map<String, Value> {
        let path = format!("/t/default/seal/enrolments/{}", self.id);
        let jti = self.jti();
        let proof = self.proof_with(house, ("PUT", &path), Some(body), (&jti, true));
        let answered = house.raw("PUT", &path, &[("seal-proof", &proof)], Some(body)).await;
        assert!(answered.status.is_success(), "{}", answered.text());
        let reply = self.read(house, &answered, &jti);
        self.handle = reply["handle"].as_str().unwrap().to_owned();
        reply
    }

    pub(crate) fn proof(&self, house: &House, (method, path): (&str, &str), body: Option<&Value>) -> String {
        self.proof_with(house, (method, path), body, (&self.jti(), false))
    }

    pub(crate) fn proof_with(
        &self,
        house: &House,
        (method, path): (&str, &str),
        body: Option<&Value>,
        (jti, embedded): (&str, bool),
    ) -> String {
        let url = format!("{PUBLIC_URL}{}", path.split('?').next().unwrap());
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = Request { method, url: &url, body: body.as_bytes() };
        let public = self.dk.public();
        let key = if embedded { ProofKey::Embedded(&public) } else { ProofKey::Enrolment(&self.id) };
        let input = draft(key, &request, jti, house.now()).signing_input();
        assemble(&input, &self.dk.sign(SignAlg::Es256, input.as_bytes()).unwrap())
    }

    /// A signed request of the enrolled device.
    pub(crate) async fn call(
        &self,
        house: &House,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Answered {
        let proof = self.proof(house, (method, path), body);
        house.raw(method, path, &[("seal-proof", &proof)], body).await
    }

    /// A signed request whose reply is signed too.
    pub(crate) async fn ask(
        &self,
        house: &House,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Map<String, Value>, (u16, String)> {
        let jti = self.jti();
        let proof = self.proof_with(house, (method, path), body, (&jti, false));
        let answered = house.raw(method, path, &[("seal-proof", &proof)], body).await;
        if answered.status.is_success() {
            Ok(self.read(house, &answered, &jti))
        } else {
            Err(answered.refusal())
        }
    }

    /// Checks a reply by the pinned key.
    pub(crate) fn read(&self, house: &House, answered: &Answered, jti: &str) -> Map<String, Value> {
        let issuer = format!("{PUBLIC_URL}/t/default/idp");
        let expected = Expected { issuer: &issuer, enrolment: &self.id, jti, now: house.now() };
        verify(&answered.text(), &self.reply_key, &expected).unwrap()
    }

    pub(crate) async fn claim(&self, house: &House, opened: &Opened) -> Result<Claimed, (u16, String)> {
        let path = format!("/t/default/seal/sessions/{}/claim", opened.sid);
        let told = self.ask(house, "POST", &path, Some(&json!({}))).await?;
        let context = Context::from_value(&told["ctx"]).unwrap();
        let e = read_point(&base64::url_decode(told["E"].as_str().unwrap()).unwrap()).unwrap();
        let sid = Sid::parse(told["sid"].as_str().unwrap()).unwrap();
        let t0 = context.t0(&e, &sid).unwrap();
        let dk = self.dk.public();
        let d = self.d.public();
        let parties = Parties { s: &self.s, e: &e, d: &d, dk: &dk };
        let keys = KeySchedule::wallet(&t0, &parties, &self.d).unwrap();
        Ok(Claimed { sid, context, t0, keys, told })
    }

    /// An answer that agrees to everything, with this document.
    pub(crate) fn approval(&self, house: &House, claimed: &Claimed, seal: Option<&[u8]>) -> Answer {
        let document = seal.map(|seal| Document::new(DocumentKind::Vds, seal.to_vec()));
        let granted = claimed.context.scopes.clone();
        let granted = if document.is_some() { granted } else { granted.without(&needing_a_document()) };
        let denied = claimed.context.scopes.without(&granted);
        self.answer(house, claimed, Decision::Approve, (granted, denied), document.as_ref())
    }

    pub(crate) fn answer(
        &self,
        house: &House,
        claimed: &Claimed,
        decision: Decision,
        (granted, denied): (Scopes, Scopes),
        document: Option<&Document>,
    ) -> Answer {
        let text = consent::text("Shop SA", "", &granted);
        let answering = Answering {
            sid: claimed.sid,
            t0: claimed.t0,
            binding: &self.id,
            keys: &claimed.keys,
            decision,
            granted,
            denied,
            consent_text: &text,
            face: FaceVerdict::none(),
            document,
            now: house.now(),
        };
        answer(&answering, &self.dk).unwrap()
    }

    pub(crate) async fn respond(
        &self,
        house: &House,
        sid: &Sid,
        answer: &Answer,
    ) -> Result<Map<String, Value>, (u16, String)> {
        let path = format!("/t/default/seal/sessions/{sid}/response");
        self.ask(house, "POST", &path, Some(&answer.to_value())).await
    }

    /// Claims and approves.
    pub(crate) async fn sign_in(&self, house: &House, opened: &Opened, seal: Option<&[u8]>) -> Claimed {
        let claimed = self.claim(house, opened).await.unwrap();
        let answer = self.approval(house, &claimed, seal);
        let reply = self.respond(house, &claimed.sid, &answer).await.unwrap();
        assert_eq!(reply["outcome"], "approved", "{reply:?}");
        claimed
    }
}

fn needing_a_document() -> Scopes {
    seal::scope::Scope::ALL.iter().copied().filter(|scope| scope.needs_document()).collect()
}

pub(crate) fn challenge_of(begun: &Answered) -> [u8; 32] {
    base64::url_decode(begun.json()["challenge"].as_str().unwrap()).unwrap().try_into().unwrap()
}

fn key_of(jwk: &Value) -> PublicKey {
    crypto::jwk::Jwk::from_value(jwk).unwrap().key().clone()
}

/// The code that the browser shows; none while no wallet has claimed.
pub(crate) async fn shown_code(house: &House, sid: &Sid) -> Option<String> {
    match house.idp.session_state(&house.ctx(), sid, COOKIE).await.unwrap() {
        SessionState::Claimed { code, .. } => Some(code.expose().clone()),
        _ => None,
    }
}

/// How the browser hears that a session ended.
pub(crate) async fn ended(house: &House, sid: &Sid) -> (String, String) {
    match house.idp.session_state(&house.ctx(), sid, COOKIE).await.unwrap() {
        SessionState::Ended { outcome, reason, .. } => (outcome, reason),
        state => panic!("{state:?}"),
    }
}
