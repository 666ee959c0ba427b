//! What the tests of this room share: a fixed time, and a signer in place of custody.

use credential::trust::{Anchor, Anchors, Context};
use crypto::jose::jws::{Draft, assemble};
use crypto::key::{KeyAlg, PrivateKey, PublicKey};
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Certificate, Name, NameParts};
use jiff::Timestamp;

/// The `now` of every test.
pub(crate) fn now() -> Timestamp {
    at(0)
}

/// So many seconds after [`now`].
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A fresh P-256 key.
pub(crate) fn p256() -> PrivateKey {
    PrivateKey::generate(KeyAlg::P256)
}

/// Signs as custody or a wallet would.
pub(crate) fn sign(draft: Draft, key: &PrivateKey) -> String {
    let alg = key.alg().default_sign_alg();
    let input = draft.with_alg(alg).signing_input();
    let signature = key.sign(alg, input.as_bytes()).unwrap();
    assemble(&input, &signature)
}

/// An authority and what it certifies.
pub(crate) struct Authority {
    key: PrivateKey,
    name: Name,
    certificate: Certificate,
}

/// A key with its certificate.
pub(crate) struct Signer {
    pub(crate) key: PrivateKey,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(common: &str) -> Authority {
        let (key, name) = (p256(), name(common));
        let der = certificate(common, key.public(), (&name, &key), Profile::Ca { path_len: Some(0) });
        Authority { certificate: Certificate::parse(&der).unwrap(), key, name }
    }

    pub(crate) fn leaf(&self, common: &str) -> Signer {
        let key = p256();
        let profile = Profile::Leaf(LeafNames::default());
        let der = certificate(common, key.public(), (&self.name, &self.key), profile);
        Signer { key, der }
    }

    /// Itself as the one anchor, for `context` alone.
    pub(crate) fn anchors(&self, context: Context) -> Anchors {
        let certificate = self.certificate.clone();
        Anchors::new(vec![Anchor {
            id: "anc_1".to_owned(),
            certificate,
            contexts: vec![context],
            types: Vec::new(),
        }])
    }
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
