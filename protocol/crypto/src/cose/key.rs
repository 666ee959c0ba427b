//! Public keys as `COSE_Key` (RFC 9053, 7; RFC 8812 for secp256k1): how an mdoc names its holder's key.

use crate::cbor::Value;
use crate::key::{KeyAlg, PublicKey, PublicKeyError};

const KTY: i64 = 1;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
/// The private number: never there.
const D: i64 = -4;

const KTY_OKP: u64 = 1;
const KTY_EC2: u64 = 2;

/// Why a value is no public key of the house.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoseKeyError {
    /// Not a map, or a parameter is missing, of another type or length. Compressed points are not taken.
    #[error("a parameter of the key is missing or malformed")]
    Form,
    /// The private parameter is there. It was not read.
    #[error("a private parameter must not be there")]
    Private,
    /// A key type or curve that is not used.
    #[error("a key type or curve that is not used")]
    Unsupported,
    /// The key itself is not acceptable.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
}

/// Reads an EC2 key with both coordinates, or an Ed25519 key. Other parameters are ignored.
///
/// # Errors
/// [`CoseKeyError`].
pub fn from_value(value: &Value) -> Result<PublicKey, CoseKeyError> {
    value.as_map().ok_or(CoseKeyError::Form)?;
    if value.get_int(D).is_some() {
        return Err(CoseKeyError::Private);
    }
    let number = |label| value.get_int(label).and_then(Value::as_uint).ok_or(CoseKeyError::Form);
    let bytes = |label| value.get_int(label).and_then(Value::as_bytes).ok_or(CoseKeyError::Form);
    let (alg, width) = match (number(KTY)?, number(CRV)?) {
        (KTY_EC2, 1) => (KeyAlg::P256, 32),
        (KTY_EC2, 2) => (KeyAlg::P384, 48),
        (KTY_EC2, 8) => (KeyAlg::Secp256k1, 32),
        (KTY_OKP, 6) => return Ok(PublicKey::from_raw(KeyAlg::Ed25519, bytes(X)?)?),
        _ => return Err(CoseKeyError::Unsupported),
    };
    let (x, y) = (bytes(X)?, bytes(Y)?);
    if x.len() != width || y.len() != width {
        return Err(CoseKeyError::Form);
    }
    Ok(PublicKey::from_raw(alg, [&[4], x, y].concat())?)
}

/// The bare `COSE_Key` of an elliptic-curve or Ed25519 key; none for RSA and ML-DSA, which no object names so here.
pub fn to_value(key: &PublicKey) -> Option<Value> {
    let ec2 = |curve: u64| {
        let (x, y) = key.raw()[1..].split_at((key.raw().len() - 1) / 2);
        vec![
            (Value::int(KTY), Value::Uint(KTY_EC2)),
            (Value::int(CRV), Value::Uint(curve)),
            (Value::int(X), Value::bytes(x)),
            (Value::int(Y), Value::bytes(y)),
        ]
    };
    let pairs = match key.alg() {
        KeyAlg::P256 => ec2(1),
        KeyAlg::P384 => ec2(2),
        KeyAlg::Secp256k1 => ec2(8),
        KeyAlg::Ed25519 => vec![
            (Value::int(KTY), Value::Uint(KTY_OKP)),
            (Value::int(CRV), Value::Uint(6)),
            (Value::int(X), Value::bytes(key.raw())),
        ],
        KeyAlg::Rsa2048 | KeyAlg::Rsa3072 | KeyAlg::Rsa4096 | KeyAlg::MlDsa44 => return None,
    };
    Some(Value::Map(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::PrivateKey;

    #[test]
    fn every_key_that_has_a_form_survives_the_round_trip() {
        for alg in [KeyAlg::P256, KeyAlg::P384, KeyAlg::Secp256k1, KeyAlg::Ed25519] {
            let key = PrivateKey::generate(alg).public();
            assert_eq!(from_value(&to_value(&key).unwrap()), Ok(key));
        }
        assert_eq!(to_value(&PrivateKey::generate(KeyAlg::MlDsa44).public()), None);
    }

    #[test]
    fn private_compressed_short_and_foreign_keys_are_refused() {
        let key = PrivateKey::generate(KeyAlg::P256).public();
        let changed = |label: i64, content: Value| {
            let Value::Map(mut pairs) = to_value(&key).unwrap() else { panic!("a map") };
            pairs.retain(|(name, _)| name.as_int() != Some(label));
            pairs.push((Value::int(label), content));
            from_value(&Value::Map(pairs))
        };
        assert_eq!(changed(D, Value::bytes([1])), Err(CoseKeyError::Private));
        assert_eq!(changed(Y, Value::Bool(true)), Err(CoseKeyError::Form), "compressed");
        assert_eq!(changed(X, Value::bytes([1; 31])), Err(CoseKeyError::Form));
        assert!(matches!(changed(X, Value::bytes([1; 32])), Err(CoseKeyError::Key(_))), "off the curve");
        assert_eq!(changed(CRV, Value::Uint(3)), Err(CoseKeyError::Unsupported), "P-521");
        assert_eq!(changed(KTY, Value::Uint(4)), Err(CoseKeyError::Unsupported), "symmetric");
        assert_eq!(from_value(&Value::Null), Err(CoseKeyError::Form));
    }
}
