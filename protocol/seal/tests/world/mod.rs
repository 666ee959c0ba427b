//! A small world for tests and benchmarks: a provider, a Relying Party with its seal, and a wallet in the middle of a sign-in.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file and benchmark uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crypto::hash;
use crypto::jose::jws::{Draft, assemble};
use crypto::jwk::Jwk;
use crypto::key::{Ecdh, KeyAlg, PrivateKey, SignAlg};
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Name, NameParts};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};
use tessera_seal::Unverified;
use tessera_seal::code::answer::{self, Answering, FacePolicy, Policy};
use tessera_seal::code::claim::{AssertionState, ClaimReply, Pinned, Proved, ServiceJwt};
use tessera_seal::code::document::Document;
use tessera_seal::code::{
    Acr, Answer, Context, Decision, FaceVerdict, KeySchedule, Mode, Parties, Session, Sid, T0,
};
use tessera_seal::scope::Scopes;
use tessera_seal::vds::own::{self, COUNTRY, Heading, SIGNER_ID, ServiceProof, ServiceSeal};
use tessera_seal::vds::signer::{SignerCertificate, SignerName};
use tessera_seal::vds::trust::Authority;

pub const ISSUER: &str = "https://idp.example/t/default/idp";
pub const CLIENT: &str = "rp_shop";
pub const ORIGIN: &str = "https://shop.example";
pub const NONCE: &str = "n-0";
pub const BINDING: &str = "enr_7";
pub const SCOPES: &str = "openid identity:age_over_18 identity:trust_level";

pub fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub fn after(seconds: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_secs(seconds)
}

/// A certificate authority for seals, and one signer under it.
pub struct Seals {
    pub root: PrivateKey,
    pub root_name: Name,
    pub signer: PrivateKey,
    pub root_der: Vec<u8>,
    pub signer_der: Vec<u8>,
}

pub fn name(country: &str, common_name: &str) -> Name {
    let parts =
        NameParts { country: Some(country.into()), common_name: common_name.into(), ..NameParts::default() };
    Name::new(&parts).unwrap()
}

pub fn certify(
    issuer: (&PrivateKey, &Name),
    subject: &Name,
    key: &PrivateKey,
    profile: Profile,
    dates: (&str, &str),
) -> Vec<u8> {
    let draft = TbsDraft {
        subject: subject.clone(),
        issuer: issuer.1.clone(),
        issuer_key: issuer.0.public(),
        serial: [0x5b; 16],
        not_before: dates.0.parse().unwrap(),
        not_after: dates.1.parse().unwrap(),
        public_key: key.public(),
        profile,
    };
    let alg = issuer.0.alg().default_sign_alg();
    let tbs = draft.to_be_signed(alg).unwrap();
    build::assemble(&tbs, alg, &issuer.0.sign(alg, &tbs).unwrap()).unwrap()
}

pub const LIFE: (&str, &str) = ("2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z");

impl Seals {
    pub fn new() -> Seals {
        let (root, signer) = (PrivateKey::generate(KeyAlg::P256), PrivateKey::generate(KeyAlg::P256));
        let root_name = name("XT", "Specimen seals root");
        let root_der =
            certify((&root, &root_name), &root_name, &root, Profile::Ca { path_len: Some(0) }, LIFE);
        let leaf = Profile::Leaf(LeafNames::default());
        let signer_der = certify((&root, &root_name), &name("XT", "01"), &signer, leaf, LIFE);
        Seals { root, root_name, signer, root_der, signer_der }
    }

    pub fn certificate(&self) -> SignerCertificate {
        SignerCertificate::parse(&self.signer_der).unwrap()
    }

    pub fn authority(&self) -> Authority {
        let certificate = SignerCertificate::parse(&self.root_der).unwrap();
        Authority { certificate, revoked: vec![], next_update: None }
    }

    pub fn heading(&self) -> Heading {
        Heading {
            country: COUNTRY.to_owned(),
            signer: SignerName::new(SIGNER_ID, &self.certificate().reference()).unwrap(),
            issued_on: Date::constant(2026, 11, 1),
            signed_on: Date::constant(2026, 11, 20),
        }
    }

    pub fn sign(&self, to_be_signed: &[u8]) -> Vec<u8> {
        let signature = self.signer.sign(SignAlg::Es256, to_be_signed).unwrap();
        own::assemble(to_be_signed, &signature.try_into().unwrap())
    }
}

/// Everybody, and one session that the wallet has claimed.
pub struct World {
    pub seals: Seals,
    pub service_key: PrivateKey,
    pub service: ServiceSeal,
    pub service_seal: Vec<u8>,
    pub s: Ecdh,
    pub e: Ecdh,
    pub d: Ecdh,
    pub dk: PrivateKey,
    pub reply_key: PrivateKey,
    pub sid: Sid,
    pub context: Context,
}

impl World {
    pub fn new() -> World {
        let seals = Seals::new();
        let service_key = PrivateKey::generate(KeyAlg::P256);
        let service = ServiceSeal {
            client_id: CLIENT.to_owned(),
            legal_name: "Specimen Shop SA".to_owned(),
            origins: vec![ORIGIN.to_owned(), "https://m.shop.example".to_owned()],
            redirect_hashes: vec![hash::sha256(b"https://shop.example/cb")],
            scopes: Scopes::expand("openid identity:age_over_18 identity:trust_level identity:name").unwrap(),
            thumbprints: vec![Jwk::from_key(&service_key.public()).thumbprint()],
            not_after_s: after(86_400).as_second().unsigned_abs(),
            proof: ServiceProof { key: true, origin: true, vouched: false },
            status: None,
        };
        let service_seal = seals.sign(&service.to_be_signed(&seals.heading()).unwrap());
        let context = Context {
            tenant: "default".to_owned(),
            issuer: ISSUER.to_owned(),
            client_id: CLIENT.to_owned(),
            rp_origin: ORIGIN.to_owned(),
            service_seal: hash::sha256(&service_seal),
            scopes: Scopes::expand(SCOPES).unwrap(),
            nonce: hash::sha256(NONCE.as_bytes()),
            browser: hash::sha256(b"cookie"),
            acr: Acr::SealCode,
            mode: Mode::Web,
            issued_at_s: now().as_second(),
            expires_at_s: now().as_second() + 12 * 90,
        };
        World {
            seals,
            service_key,
            service,
            service_seal,
            s: Ecdh::generate(),
            e: Ecdh::generate(),
            d: Ecdh::generate(),
            dk: PrivateKey::generate(KeyAlg::P256),
            reply_key: PrivateKey::generate(KeyAlg::P256),
            sid: Sid::new([3; 16]),
            context,
        }
    }

    pub fn t0(&self) -> T0 {
        self.context.t0(&self.e.public(), &self.sid).unwrap()
    }

    /// The server's keys of the session.
    pub fn keys(&self) -> KeySchedule {
        let (s, e, d, dk) = (self.s.public(), self.e.public(), self.d.public(), self.dk.public());
        KeySchedule::server(&self.t0(), &Parties { s: &s, e: &e, d: &d, dk: &dk }, &self.s, &self.e).unwrap()
    }

    /// The wallet's.
    pub fn wallet_keys(&self) -> KeySchedule {
        let (s, e, d, dk) = (self.s.public(), self.e.public(), self.d.public(), self.dk.public());
        KeySchedule::wallet(&self.t0(), &Parties { s: &s, e: &e, d: &d, dk: &dk }, &self.d).unwrap()
    }

    /// What the wallet answers, after `change`.
    pub fn answer(&self, change: impl FnOnce(&mut Answering<'_>)) -> Answer {
        self.answer_showing(None, change)
    }

    pub fn answer_showing(
        &self,
        document: Option<&Document>,
        change: impl FnOnce(&mut Answering<'_>),
    ) -> Answer {
        let keys = self.wallet_keys();
        let mut answering = Answering {
            sid: self.sid,
            t0: self.t0(),
            binding: BINDING,
            keys: &keys,
            decision: Decision::Approve,
            granted: Scopes::expand("openid identity:trust_level").unwrap(),
            denied: Scopes::expand("identity:age_over_18").unwrap(),
            consent_text: "text",
            face: FaceVerdict::none(),
            document,
            now: after(30),
        };
        change(&mut answering);
        answer::answer(&answering, &self.dk).unwrap()
    }

    /// Through the wire, as the server gets it.
    pub fn received(answer: &Answer) -> Unverified<Answer> {
        Answer::parse(answer.to_value().to_string().as_bytes()).unwrap()
    }

    pub fn with_session<T>(&self, run: impl FnOnce(&Session<'_>) -> T) -> T {
        let (keys, t0, device_key) = (self.keys(), self.t0(), self.dk.public());
        run(&Session {
            context: &self.context,
            sid: &self.sid,
            t0: &t0,
            binding: BINDING,
            device_key: &device_key,
            keys: &keys,
        })
    }

    pub fn policy(&self) -> Policy<'_> {
        Policy {
            asked: &self.context.scopes,
            commitment: None,
            face: FacePolicy::Optional,
            asked_acr: self.context.acr,
            reached_acr: Acr::SealCode,
        }
    }

    /// A request object as the Relying Party signs it, after `change`.
    pub fn request_object(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": CLIENT, "client_id": CLIENT, "aud": ISSUER, "iat": now().as_second() - 5,
            "exp": now().as_second() + 60, "nonce": NONCE, "scope": "openid identity:trust_level",
            "claims": {"id_token": {"age_over_18": null, "shoe_size": null}},
            "redirect_uri": "https://shop.example/cb", "response_type": "code",
        });
        change(&mut claims);
        signed(&self.service_key, Draft::new("oauth-authz-req+jwt", claims.to_string()))
    }

    pub fn claim_reply(&self) -> ClaimReply {
        ClaimReply {
            sid: self.sid,
            context: self.context.clone(),
            e: self.e.public(),
            kid_s: "s-1".to_owned(),
            service_seal: self.service_seal.clone(),
            service_jwt: ServiceJwt {
                proved: Proved::RequestObject,
                jwt: self.request_object(|_| ()),
                jwk: Some(Jwk::from_key(&self.service_key.public())),
            },
            browser: "192.0.2.0/24, Firefox".to_owned(),
            assertion: AssertionState::None,
            purpose: "Age check".to_owned(),
        }
    }

    pub fn content(&self, change: impl FnOnce(&mut ClaimReply)) -> Map<String, Value> {
        let mut reply = self.claim_reply();
        change(&mut reply);
        reply.to_content()
    }

    pub fn with_pins<T>(&self, run: impl FnOnce(&Pinned<'_>) -> T) -> T {
        let agreement = [("s-1".to_owned(), self.s.public())];
        let (signers, authorities) = ([self.seals.certificate()], [self.seals.authority()]);
        run(&Pinned { issuer: ISSUER, agreement: &agreement, signers: &signers, authorities: &authorities })
    }
}

pub fn signed(key: &PrivateKey, draft: Draft) -> String {
    let alg = key.alg().default_sign_alg();
    let input = draft.with_alg(alg).signing_input();
    assemble(&input, &key.sign(alg, input.as_bytes()).unwrap())
}
