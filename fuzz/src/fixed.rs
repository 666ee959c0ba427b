//! The same keys, certificates and moment in every run, so that a corpus stays good. They protect nothing.

use std::sync::OnceLock;

use ::credential::trust::{Anchor, Anchors, Context, PathCache, Trust, TypePattern};
use ::crypto::key::{Ecdh, KeyAlg, PrivateKey};
use ::crypto::secret::Secret;
use ::crypto::x509::Certificate;
use ::openid::vci::NonceKey;
use ::tlog::note::{KeyType, VerifierKey};
use jiff::Timestamp;

/// The issuer, and the audience of everything that is sent to it.
pub const ISSUER: &str = "https://i.example/t/a";
/// A type that the anchors vouch for.
pub const VCT: &str = "https://i.example/t/a/vct/diploma";
/// The name of the log's key.
pub const ORIGIN: &str = "log.example/t/a";

/// The certificate of the leaf, as `x5c` bears it.
pub const LEAF_DER: &[u8] = include_bytes!("../fixed/leaf.der");
/// The certificate of the authority that signed the leaf.
pub const AUTHORITY_DER: &[u8] = include_bytes!("../fixed/authority.der");
/// Another authority of the same name.
pub const STRANGER_DER: &[u8] = include_bytes!("../fixed/stranger.der");

/// Everybody.
pub struct Fixed {
    /// The certified signer of credentials, lists and requests: P-256.
    pub leaf: PrivateKey,
    /// The wallet's key, and that of a client: P-256.
    pub holder: PrivateKey,
    /// The key of a log.
    pub log: PrivateKey,
    /// A key that nobody is to believe.
    pub wrong: PrivateKey,
    /// The key that answers are encrypted to.
    pub response: Ecdh,
    /// Another such key.
    pub wrong_response: Ecdh,
    /// The authority.
    pub authority: Certificate,
    /// Another of the same name.
    pub stranger: Certificate,
    anchors: Anchors,
    strangers: Anchors,
    cache: PathCache,
}

/// The parties, made once in a process.
pub fn parties() -> &'static Fixed {
    static PARTIES: OnceLock<Fixed> = OnceLock::new();
    PARTIES.get_or_init(|| {
        let p256 =
            |pkcs8: &[u8]| PrivateKey::from_secret(KeyAlg::P256, pkcs8).expect("a key of this package");
        let authority = Certificate::parse(AUTHORITY_DER).expect("a certificate of this package");
        let stranger = Certificate::parse(STRANGER_DER).expect("a certificate of this package");
        Fixed {
            leaf: p256(include_bytes!("../fixed/leaf.p8")),
            holder: p256(include_bytes!("../fixed/holder.p8")),
            log: PrivateKey::from_secret(KeyAlg::Ed25519, &[3; 32]).expect("any 32 bytes are a seed"),
            wrong: p256(include_bytes!("../fixed/wrong.p8")),
            response: Ecdh::from_secret(&[5; 32]).expect("a number below the order of the curve"),
            wrong_response: Ecdh::from_secret(&[6; 32]).expect("a number below the order of the curve"),
            anchors: anchors(&authority),
            strangers: anchors(&stranger),
            authority,
            stranger,
            cache: PathCache::new(),
        }
    })
}

impl Fixed {
    /// Trust in the authority.
    pub fn trust(&self) -> Trust<'_> {
        Trust { anchors: &self.anchors, cache: &self.cache, haip: true }
    }

    /// Trust in the stranger only: nothing that any input can hold leads there.
    pub fn wrong_trust(&self) -> Trust<'_> {
        Trust { anchors: &self.strangers, cache: &self.cache, haip: true }
    }

    /// The log's key as checkers hold it.
    pub fn log_key(&self, key_type: KeyType) -> VerifierKey {
        VerifierKey::new(ORIGIN, key_type, self.log.public()).expect("an Ed25519 key under a key name")
    }

    /// A key under the log's name that is not the log's.
    pub fn wrong_log_key(&self, key_type: KeyType) -> VerifierKey {
        let key = PrivateKey::from_secret(KeyAlg::Ed25519, &[4; 32]).expect("any 32 bytes are a seed");
        VerifierKey::new(ORIGIN, key_type, key.public()).expect("an Ed25519 key under a key name")
    }
}

/// The moment of every check.
pub fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a moment in 2027")
}

/// The nonces of a tenant.
pub fn nonces(tenant: &str) -> NonceKey {
    NonceKey::new(Secret::new([7; 32]), tenant)
}

/// The leaf and its key as the two PEM files of a server.
pub fn server_pair() -> (Vec<u8>, Vec<u8>) {
    let chain = ::crypto::x509::pem::encode_chain(&[LEAF_DER.to_vec()]);
    let key = ::crypto::base64::std_encode(include_bytes!("../fixed/leaf.p8"));
    let key = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
    (chain.into_bytes(), key.into_bytes())
}

fn anchors(certificate: &Certificate) -> Anchors {
    let everything = TypePattern::parse("*").expect("the pattern of every type");
    Anchors::new(vec![Anchor {
        id: "anc_1".to_owned(),
        certificate: certificate.clone(),
        contexts: vec![Context::Issuer, Context::Status, Context::Reader, Context::WalletProvider, Context::ListSigner],
        types: vec![everything],
    }])
}
