//! A house of doubles: an authority, signers with certificates, an issuer and a wallet's key, all at one fixed moment.
#![allow(dead_code, reason = "each test file uses its part")]

use credential::credential_type::CredentialType;
use credential::sd_jwt::{self, Subject, Validity};
use credential::status::StatusReference;
use credential::trust::{Anchor, Anchors, Context, PathCache, Trust, TypePattern};
use crypto::jose::jws::{Draft, assemble, x5c_value};
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey, PublicKey};
use crypto::secret::Secret;
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Certificate, Name, NameParts};
use jiff::Timestamp;
use serde_json::{Value, json};
use tessera_openid::vci::NonceKey;

pub(crate) const ISSUER: &str = "https://i.example/t/a";
pub(crate) const VCT: &str = "https://i.example/t/a/vct/diploma";

pub(crate) fn now() -> Timestamp {
    at(0)
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn p256() -> PrivateKey {
    PrivateKey::generate(KeyAlg::P256)
}

pub(crate) fn nonces(tenant: &str) -> NonceKey {
    NonceKey::new(Secret::new([7; 32]), tenant)
}

/// Signs with `alg` in the header, as a wallet signs its proofs.
pub(crate) fn sign(draft: Draft, key: &PrivateKey) -> String {
    let alg = key.alg().default_sign_alg();
    let input = draft.with_alg(alg).signing_input();
    assemble(&input, &key.sign(alg, input.as_bytes()).unwrap())
}

/// An authority and what it signs.
pub(crate) struct Authority {
    key: PrivateKey,
    name: Name,
    pub(crate) certificate: Certificate,
}

/// A key with its certificate.
pub(crate) struct Signer {
    pub(crate) key: PrivateKey,
    pub(crate) der: Vec<u8>,
}

fn name(common: &str) -> Name {
    Name::new(&NameParts { country: None, organisation: None, common_name: common.to_owned() }).unwrap()
}

fn certificate(subject: &str, public_key: PublicKey, by: (&Name, &PrivateKey), profile: Profile) -> Vec<u8> {
    let (issuer, key) = by;
    let draft = TbsDraft {
        subject: name(subject),
        issuer: issuer.clone(),
        issuer_key: key.public(),
        serial: crypto::random::array(),
        not_before: at(-86_400),
        not_after: at(86_400 * 100),
        public_key,
        profile,
    };
    let alg = key.alg().default_sign_alg();
    let signed = draft.to_be_signed(alg).unwrap();
    build::assemble(&signed, alg, &key.sign(alg, &signed).unwrap()).unwrap()
}

impl Authority {
    pub(crate) fn new(common: &str) -> Authority {
        let (key, name) = (p256(), name(common));
        let der = certificate(common, key.public(), (&name, &key), Profile::Ca { path_len: Some(0) });
        Authority { certificate: Certificate::parse(&der).unwrap(), key, name }
    }

    pub(crate) fn signer(&self, common: &str) -> Signer {
        let key = p256();
        let profile = Profile::Leaf(LeafNames { san_uris: vec![ISSUER.to_owned()], ..LeafNames::default() });
        let der = certificate(common, key.public(), (&self.name, &self.key), profile);
        Signer { key, der }
    }

    pub(crate) fn anchors(&self, context: Context, types: &[&str]) -> Anchors {
        let types = types.iter().map(|pattern| TypePattern::parse(pattern).unwrap()).collect();
        let certificate = self.certificate.clone();
        Anchors::new(vec![Anchor { id: "anc_1".to_owned(), certificate, contexts: vec![context], types }])
    }
}

impl Signer {
    /// Signs with `alg` and `x5c`, as custody signs.
    pub(crate) fn sign(&self, draft: Draft) -> String {
        sign(draft.with("x5c", x5c_value(&[&self.der])), &self.key)
    }
}

/// Runs `act` with a view of trust over `anchors`.
pub(crate) fn trusting<T>(anchors: &Anchors, act: impl FnOnce(&Trust<'_>) -> T) -> T {
    let cache = PathCache::new();
    act(&Trust { anchors, cache: &cache, haip: true })
}

/// What an issued diploma may differ in.
pub(crate) struct Diploma<'a> {
    pub(crate) vct: &'a str,
    pub(crate) holder: &'a PublicKey,
    pub(crate) status: bool,
}

impl Diploma<'_> {
    pub(crate) fn issue(&self, signer: &Signer) -> String {
        let rules = json!([
            {"path": ["given_name"], "type": "string", "sd": "always"},
            {"path": ["degree"], "type": "string", "sd": "always"},
        ]);
        let kind = CredentialType::parse(self.vct, &rules).unwrap();
        let Value::Object(claims) = json!({"given_name": "Ana", "degree": "BSc"}) else { unreachable!() };
        let status = StatusReference { uri: format!("{ISSUER}/status/0"), idx: 7 };
        let subject = Subject {
            issuer: ISSUER,
            holder: &Jwk::from_key(self.holder),
            status: self.status.then_some(&status),
            validity: Validity::whole_days(now(), 86_400 * 30, None).unwrap(),
        };
        let mut entropy = |out: &mut [u8]| crypto::random::fill(out);
        let draft = sd_jwt::issue(&kind.accept(&claims).unwrap(), &subject, &mut entropy).unwrap();
        draft.disclosures.assemble(&signer.sign(draft.jws))
    }
}
