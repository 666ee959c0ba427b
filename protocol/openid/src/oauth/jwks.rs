//! JWK sets (RFC 7517, 5): a peer's keys read with bounds, our own keys shown without private parts.

use crate::wire::{self, WireError};
use crypto::jwk::Jwk;
use crypto::key::{PublicKey, SignAlg};
use serde_json::{Value, json};

/// Most bytes of a fetched key set.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;

/// Most keys of a key set; the largest identity providers publish fewer than twenty.
pub const JWKS_KEYS_MAX: usize = 64;

/// Keys of one party that this build can use.
#[derive(Debug, Clone, Default)]
pub struct Jwks {
    keys: Vec<Jwk>,
    skipped: usize,
}

/// One of our own keys, as we show it.
#[derive(Debug, Clone)]
pub struct PublishedKey {
    jwk: Jwk,
    usage: &'static str,
    alg: &'static str,
}

/// Why a key set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// Not strict JSON, or too large.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// No `keys` array, or an element that is no object.
    #[error("not a JWK set")]
    NotASet,
    /// More than [`JWKS_KEYS_MAX`] keys.
    #[error("the set has more than {JWKS_KEYS_MAX} keys")]
    TooManyKeys,
}

/// Why no key was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupFault {
    /// No usable key has this `kid`; a fetched set may be stale.
    #[error("no key has this kid")]
    Unknown,
    /// Two keys claim this `kid`, so it names none.
    #[error("more than one key has this kid")]
    Ambiguous,
    /// The key is there, but not for this algorithm or not for signatures.
    #[error("the key is not for this algorithm")]
    Unfit,
}

impl Jwks {
    /// Parses a JWK set of at most [`JWKS_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`JwksError`]. A key that this build cannot use does not spoil the set (RFC 7517, 5): it is skipped; so is one that
    /// carries a private member, as nothing signed by it proves anything any more.
    pub fn parse(bytes: &[u8]) -> Result<Jwks, JwksError> {
        Jwks::from_value(&wire::json(bytes, JWKS_BYTES_MAX)?)
    }

    /// Reads a JWK set that stands inside another message.
    ///
    /// # Errors
    /// As [`Jwks::parse`].
    pub fn from_value(set: &Value) -> Result<Jwks, JwksError> {
        let listed = set.get("keys").and_then(Value::as_array).ok_or(JwksError::NotASet)?;
        if listed.len() > JWKS_KEYS_MAX {
            return Err(JwksError::TooManyKeys);
        }
        if !listed.iter().all(Value::is_object) {
            return Err(JwksError::NotASet);
        }
        let keys: Vec<Jwk> = listed.iter().filter_map(|value| Jwk::from_value(value).ok()).collect();
        let skipped = listed.len() - keys.len();
        Ok(Jwks { keys, skipped })
    }

    /// The set of keys that are known by other means, such as the registered keys of a client.
    #[must_use]
    pub fn of(keys: Vec<Jwk>) -> Jwks {
        Jwks { keys, skipped: 0 }
    }

    /// The keys that can be used, in the order they were listed.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// How many listed keys this build cannot use.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The one key named `kid`, if it is for signatures by `alg`.
    ///
    /// # Errors
    /// [`LookupFault`]; two keys under one `kid` give none.
    pub fn signing_key(&self, kid: &str, alg: SignAlg) -> Result<&Jwk, LookupFault> {
        one(self.keys.iter().filter(|key| key.stated_kid() == Some(kid)), alg)
    }

    /// The only key of the set, if it is for signatures by `alg`: for messages that name no `kid`.
    ///
    /// # Errors
    /// [`LookupFault`].
    pub fn only_signing_key(&self, alg: SignAlg) -> Result<&Jwk, LookupFault> {
        one(self.keys.iter(), alg)
    }
}

impl PublishedKey {
    /// A key for signatures.
    #[must_use]
    pub fn signing(key: &PublicKey, alg: SignAlg) -> PublishedKey {
        PublishedKey { jwk: Jwk::from_key(key), usage: "sig", alg: alg.jws_name() }
    }

    /// A P-256 key that others encrypt to (ECDH-ES).
    #[must_use]
    pub fn encryption(key: &PublicKey) -> PublishedKey {
        PublishedKey { jwk: Jwk::from_key(key), usage: "enc", alg: "ECDH-ES" }
    }

    /// Its `kid`: the RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> String {
        self.jwk.kid()
    }

    /// The JWK: public members, `kid`, `use`, `alg`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut value = self.jwk.to_value();
        value["kid"] = Value::from(self.kid());
        value["use"] = Value::from(self.usage);
        value["alg"] = Value::from(self.alg);
        value
    }
}

/// The document that a JWKS door serves.
#[must_use]
pub fn document(keys: &[PublishedKey]) -> Value {
    json!({ "keys": keys.iter().map(PublishedKey::to_value).collect::<Vec<_>>() })
}

fn one<'k>(mut named: impl Iterator<Item = &'k Jwk>, alg: SignAlg) -> Result<&'k Jwk, LookupFault> {
    let key = named.next().ok_or(LookupFault::Unknown)?;
    if named.next().is_some() {
        return Err(LookupFault::Ambiguous);
    }
    if key.may_verify(alg) { Ok(key) } else { Err(LookupFault::Unfit) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::key::{KeyAlg, PrivateKey};
    use proptest::prelude::*;

    fn jwk() -> Jwk {
        Jwk::from_key(&PrivateKey::generate(KeyAlg::P256).public())
    }

    fn named(kid: &str) -> Value {
        let mut value = jwk().to_value();
        value["kid"] = json!(kid);
        value
    }

    fn set(keys: &[Value]) -> Jwks {
        Jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn our_own_set_is_read_back_and_finds_its_key() {
        let key = PublishedKey::signing(jwk().key(), SignAlg::Es256);
        let read = Jwks::parse(document(std::slice::from_ref(&key)).to_string().as_bytes()).unwrap();
        assert!(read.signing_key(&key.kid(), SignAlg::Es256).is_ok());
        assert_eq!(read.signing_key("other", SignAlg::Es256).unwrap_err(), LookupFault::Unknown);
    }

    #[test]
    fn two_keys_under_one_kid_give_none() {
        let keys = set(&[named("a"), named("a")]);
        assert_eq!(keys.signing_key("a", SignAlg::Es256).unwrap_err(), LookupFault::Ambiguous);
    }

    #[test]
    fn a_key_for_another_algorithm_or_for_encryption_signs_nothing() {
        let keys = set(&[named("a")]);
        assert_eq!(keys.signing_key("a", SignAlg::Es384).unwrap_err(), LookupFault::Unfit);
        let mut encryption = named("b");
        encryption["use"] = json!("enc");
        assert_eq!(set(&[encryption]).signing_key("b", SignAlg::Es256).unwrap_err(), LookupFault::Unfit);
        let mut other = named("c");
        other["alg"] = json!("ES512");
        assert_eq!(set(&[other]).signing_key("c", SignAlg::Es256).unwrap_err(), LookupFault::Unfit);
    }

    #[test]
    fn a_key_that_we_cannot_use_is_skipped_and_a_leaked_one_too() {
        let mut leaked = named("leaked");
        leaked["d"] = json!("AAAA");
        let keys = set(&[
            json!({"kty":"OKP","crv":"X448","x":"AA"}),
            json!({"kty":"oct","k":"AA"}),
            leaked,
            named("a"),
        ]);
        assert_eq!((keys.keys().len(), keys.skipped()), (1, 3));
    }

    #[test]
    fn a_set_of_too_many_keys_or_of_another_shape_is_refused() {
        let many = vec![json!({}); JWKS_KEYS_MAX + 1];
        let refused = Jwks::parse(json!({ "keys": many }).to_string().as_bytes());
        assert!(matches!(refused, Err(JwksError::TooManyKeys)));
        for other in ["[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[1]}"#] {
            assert!(matches!(Jwks::parse(other.as_bytes()), Err(JwksError::NotASet)), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_document_makes_the_parser_panic(text in r#"[\[\]{}":,a-z0-9]{0,120}"#) {
            let _ = Jwks::parse(text.as_bytes());
        }
    }
}
