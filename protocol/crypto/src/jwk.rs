//! Public keys as JSON (RFC 7517, RFC 7518 section 6, RFC 8037, RFC 8812; `AKP` for ML-DSA).
//!
//! A [`Jwk`] holds a checked [`PublicKey`] and what its writer said of its use. A value with any private member
//! is refused, so that a private key which a peer sends by mistake is never kept or shown.

use serde_json::{Map, Value};

use crate::base64;
use crate::hash;
use crate::key::{KeyAlg, PublicKey, PublicKeyError, RsaParts, SignAlg};

/// Members that carry private or symmetric material (RFC 7518, 6.2.2, 6.3.2, 6.4.1; `priv`: AKP).
const PRIVATE_MEMBERS: [&str; 10] = ["d", "p", "q", "dp", "dq", "qi", "k", "oth", "priv", "seed"];

/// Why a JSON value is no public key of the house.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Not a JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A private or symmetric member is there. Its value was not read.
    #[error("the private member {name} must not be there")]
    PrivateMember {
        /// Its name.
        name: &'static str,
    },
    /// A member is missing, of the wrong type, or not strict base64url of the right length.
    #[error("member {name} is missing or malformed")]
    Member {
        /// Its name.
        name: &'static str,
    },
    /// A key type or curve that is not used.
    #[error("a key type or curve that is not used")]
    Unsupported,
    /// The key itself is not acceptable.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
}

/// A public key with what its JSON said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    key: PublicKey,
    stated_kid: Option<String>,
    stated_alg: Option<String>,
    stated_use: Option<String>,
    key_ops: Option<Vec<String>>,
}

impl Jwk {
    /// Reads a JWK that came through [`crate::json::parse`]. Members that are not understood are ignored, as RFC
    /// 7517 asks; private ones are refused.
    ///
    /// # Errors
    /// [`JwkError`].
    pub fn from_value(value: &Value) -> Result<Self, JwkError> {
        let members = value.as_object().ok_or(JwkError::NotAnObject)?;
        if let Some(name) = PRIVATE_MEMBERS.into_iter().find(|name| members.contains_key(*name)) {
            return Err(JwkError::PrivateMember { name });
        }
        let key = match text(members, "kty")? {
            "EC" => ec_key(members)?,
            "OKP" => match text(members, "crv")? {
                "Ed25519" => PublicKey::from_raw(KeyAlg::Ed25519, bytes(members, "x")?)?,
                _ => return Err(JwkError::Unsupported),
            },
            "RSA" => {
                let (n, e) = (bytes(members, "n")?, bytes(members, "e")?);
                let parts = RsaParts::from_numbers(&n, &e).ok_or(JwkError::Member { name: "n" })?;
                PublicKey::from_rsa_parts(parts)?
            }
            "AKP" => match text(members, "alg")? {
                "ML-DSA-44" => PublicKey::from_raw(KeyAlg::MlDsa44, bytes(members, "pub")?)?,
                _ => return Err(JwkError::Unsupported),
            },
            _ => return Err(JwkError::Unsupported),
        };
        Ok(Self {
            key,
            stated_kid: optional_text(members, "kid")?,
            stated_alg: optional_text(members, "alg")?,
            stated_use: optional_text(members, "use")?,
            key_ops: operations(members)?,
        })
    }

    /// The bare JWK of a key.
    pub fn from_key(key: &PublicKey) -> Self {
        Self { key: key.clone(), stated_kid: None, stated_alg: None, stated_use: None, key_ops: None }
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// SHA-256 thumbprint (RFC 7638).
    pub fn thumbprint(&self) -> [u8; 32] {
        let mut members = self.required_members();
        members.sort_unstable_by_key(|(name, _)| *name);
        // Names and values are letters, digits, `-` and `_`: nothing needs escaping.
        let inner: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        hash::sha256(format!("{{{}}}", inner.join(",")).as_bytes())
    }

    /// The key's id in this house: its thumbprint in base64url.
    pub fn kid(&self) -> String {
        base64::url_encode(&self.thumbprint())
    }

    /// The `kid` the JSON stated, whatever that was.
    pub fn stated_kid(&self) -> Option<&str> {
        self.stated_kid.as_deref()
    }

    /// The `alg` the JSON stated.
    pub fn stated_alg(&self) -> Option<&str> {
        self.stated_alg.as_deref()
    }

    /// The `use` the JSON stated.
    pub fn stated_use(&self) -> Option<&str> {
        self.stated_use.as_deref()
    }

    /// Whether what the JSON stated lets the key verify signatures of that algorithm, and the key fits it: `use`
    /// is `sig` or absent, `key_ops` has `verify` or is absent, `alg` is this one or absent.
    pub fn may_verify(&self, alg: SignAlg) -> bool {
        let stated_alg = self.stated_alg().map(SignAlg::from_jws_name);
        alg.fits(self.key.alg())
            && stated_alg.is_none_or(|stated| stated == Ok(alg))
            && self.stated_use().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"))
    }

    /// `kty` and the members that make the key, nothing else.
    pub fn to_value(&self) -> Value {
        let members = self.required_members().into_iter();
        Value::Object(members.map(|(name, value)| (name.to_owned(), Value::String(value))).collect())
    }

    /// The members RFC 7638, 3.2 hashes, in the order people write them.
    fn required_members(&self) -> Vec<(&'static str, String)> {
        let named = |name: &'static str, value: &str| (name, value.to_owned());
        let number = |name, bytes: &[u8]| (name, base64::url_encode(bytes));
        let raw = self.key.raw();
        let point = |crv| {
            let (x, y) = raw[1..].split_at((raw.len() - 1) / 2);
            vec![named("kty", "EC"), named("crv", crv), number("x", x), number("y", y)]
        };
        match self.key.alg() {
            KeyAlg::P256 => point("P-256"),
            KeyAlg::P384 => point("P-384"),
            KeyAlg::Secp256k1 => point("secp256k1"),
            KeyAlg::Ed25519 => vec![named("kty", "OKP"), named("crv", "Ed25519"), number("x", raw)],
            KeyAlg::MlDsa44 => vec![named("kty", "AKP"), named("alg", "ML-DSA-44"), number("pub", raw)],
            KeyAlg::Rsa2048 | KeyAlg::Rsa3072 | KeyAlg::Rsa4096 => {
                let parts = RsaParts::from_pkcs1(raw).expect("a PublicKey was checked when it was made");
                vec![named("kty", "RSA"), number("n", parts.n.as_bytes()), number("e", parts.e.as_bytes())]
            }
        }
    }
}

fn ec_key(members: &Map<String, Value>) -> Result<PublicKey, JwkError> {
    let (alg, width) = match text(members, "crv")? {
        "P-256" => (KeyAlg::P256, 32),
        "P-384" => (KeyAlg::P384, 48),
        "secp256k1" => (KeyAlg::Secp256k1, 32),
        _ => return Err(JwkError::Unsupported),
    };
    let mut point = vec![4];
    for name in ["x", "y"] {
        let coordinate = bytes(members, name)?;
        if coordinate.len() != width {
            return Err(JwkError::Member { name });
        }
        point.extend(coordinate);
    }
    Ok(PublicKey::from_raw(alg, point)?)
}

fn text<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JwkError> {
    members.get(name).and_then(Value::as_str).ok_or(JwkError::Member { name })
}

fn optional_text(members: &Map<String, Value>, name: &'static str) -> Result<Option<String>, JwkError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.clone())),
        Some(_) => Err(JwkError::Member { name }),
    }
}

fn bytes(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    base64::url_decode(text(members, name)?).map_err(|_| JwkError::Member { name })
}

fn operations(members: &Map<String, Value>) -> Result<Option<Vec<String>>, JwkError> {
    let Some(value) = members.get("key_ops") else { return Ok(None) };
    let names = value
        .as_array()
        .and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
    names.map(Some).ok_or(JwkError::Member { name: "key_ops" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key::PrivateKey;

    fn keys() -> Vec<PublicKey> {
        let algs = [
            KeyAlg::P256,
            KeyAlg::P384,
            KeyAlg::Secp256k1,
            KeyAlg::Rsa2048,
            KeyAlg::Ed25519,
            KeyAlg::MlDsa44,
        ];
        algs.into_iter().map(|alg| PrivateKey::generate(alg).public()).collect()
    }

    #[test]
    fn every_key_survives_the_round_trip_and_keeps_its_thumbprint() {
        for key in keys() {
            let jwk = Jwk::from_key(&key);
            let again = Jwk::from_value(&jwk.to_value()).unwrap();
            assert_eq!(again.key(), &key);
            assert_eq!(again.thumbprint(), jwk.thumbprint());
            assert_eq!(jwk.kid().len(), 43);
        }
    }

    #[test]
    fn the_thumbprint_of_ed25519_is_that_of_rfc_8037() {
        let value =
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert_eq!(Jwk::from_value(&value).unwrap().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_private_member_is_refused_whatever_it_holds() {
        let key = PrivateKey::generate(KeyAlg::P256).public();
        for name in PRIVATE_MEMBERS {
            for content in [json!("AA"), json!(""), json!(null), json!([])] {
                let mut value = Jwk::from_key(&key).to_value();
                value[name] = content;
                assert_eq!(Jwk::from_value(&value), Err(JwkError::PrivateMember { name }));
            }
        }
    }

    #[test]
    fn a_point_off_the_curve_of_another_curve_or_of_loose_length_is_refused() {
        let good = Jwk::from_key(&PrivateKey::generate(KeyAlg::P256).public()).to_value();
        let with = |name: &str, content: Value| {
            let mut value = good.clone();
            value[name] = content;
            Jwk::from_value(&value)
        };
        let x = base64::url_decode(good["x"].as_str().unwrap()).unwrap();
        assert!(matches!(with("y", good["x"].clone()), Err(JwkError::Key(_))), "not on the curve");
        assert!(matches!(with("crv", json!("secp256k1")), Err(JwkError::Key(_))));
        assert_eq!(with("crv", json!("P-384")), Err(JwkError::Member { name: "x" }));
        assert_eq!(with("crv", json!("P-521")), Err(JwkError::Unsupported));
        assert_eq!(with("kty", json!("RSA")), Err(JwkError::Member { name: "n" }));
        assert_eq!(with("kty", json!("oct")), Err(JwkError::Unsupported));
        assert_eq!(with("kty", json!(1)), Err(JwkError::Member { name: "kty" }));
        let longer = base64::url_encode(&[&[0], &x[..]].concat());
        assert_eq!(with("x", json!(longer)), Err(JwkError::Member { name: "x" }));
        let padded = format!("{}=", good["x"].as_str().unwrap());
        assert_eq!(with("x", json!(padded)), Err(JwkError::Member { name: "x" }));
        assert_eq!(Jwk::from_value(&json!([])), Err(JwkError::NotAnObject));
    }

    #[test]
    fn a_stated_use_algorithm_or_operation_binds() {
        let key = PrivateKey::generate(KeyAlg::P256).public();
        let stated = |name: &str, content: Value| {
            let mut value = Jwk::from_key(&key).to_value();
            value[name] = content;
            Jwk::from_value(&value).unwrap().may_verify(SignAlg::Es256)
        };
        assert!(Jwk::from_key(&key).may_verify(SignAlg::Es256));
        assert!(!Jwk::from_key(&key).may_verify(SignAlg::Es384));
        assert!(
            stated("alg", json!("ES256"))
                && stated("use", json!("sig"))
                && stated("key_ops", json!(["verify"]))
        );
        assert!(!stated("alg", json!("ES384")) && !stated("alg", json!("ECDH-ES")));
        assert!(!stated("use", json!("enc")) && !stated("key_ops", json!(["deriveKey"])));
    }
}
