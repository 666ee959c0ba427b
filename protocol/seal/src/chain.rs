//! The chain of key sets: how a wallet that pinned a reply key comes to believe another one, and a new agreement key.
//!
//! ```text
//! pinned reply key ── signed ──▶ set n (S, reply key) ── signed ──▶ set n+1 … ──▶ what counts now
//! ```
//! A set that the key before did not sign is not believed: then the wallet enrols again.

use crypto::jose::jws::Jws;
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PublicKey, SignAlg};
use serde_json::{Map, Value};

use crate::wire::object;

/// The `typ` of a signed set of keys.
pub const TYP: &str = "seal-keys+jwt";
/// Most bytes of a set: two keys and an address.
const SET_BYTES_MAX: usize = 8 * 1024;

/// What a wallet pins of its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    /// Signs what the wallet is told.
    pub reply: PublicKey,
    /// S.
    pub agreement: PublicKey,
}

/// Follows the sets of `issuer` from the reply key that is pinned, oldest first; `None` when no set leads on from it.
pub fn follow(issuer: &str, pinned: &PublicKey, sets: &[String]) -> Option<Pins> {
    let mut believed = pinned.clone();
    let mut pins = None;
    for set in sets {
        if let Some(next) = read(issuer, &believed, set) {
            believed = next.reply.clone();
            pins = Some(next);
        }
    }
    pins
}

fn read(issuer: &str, by: &PublicKey, set: &str) -> Option<Pins> {
    let limits = Limits { bytes_max: SET_BYTES_MAX, depth_max: 8 };
    let jws = Jws::parse(set, &limits).ok()?;
    if jws.typ() != Some(TYP) || jws.alg() != SignAlg::Es256 || jws.verify(by).is_err() {
        return None;
    }
    let claims = object(jws.payload(), SET_BYTES_MAX).ok()?;
    let is_ours = claims.get("iss").and_then(Value::as_str) == Some(issuer);
    let pins = Pins { reply: key(&claims, "reply")?, agreement: key(&claims, "agreement")? };
    is_ours.then_some(pins)
}

fn key(claims: &Map<String, Value>, name: &str) -> Option<PublicKey> {
    let jwk = Jwk::from_value(claims.get(name)?.get("jwk")?).ok()?;
    (jwk.key().alg() == KeyAlg::P256).then(|| jwk.key().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::jose::jws::{Draft, assemble};
    use crypto::key::PrivateKey;
    use serde_json::json;

    const ISSUER: &str = "https://idp.example/t/default/idp";

    fn fresh() -> PrivateKey {
        PrivateKey::generate(KeyAlg::P256)
    }

    fn set(issuer: &str, by: &PrivateKey, reply: &PrivateKey) -> String {
        let jwk = |key: &PrivateKey| json!({"kid": "k", "jwk": Jwk::from_key(&key.public()).to_value()});
        let claims =
            json!({"iss": issuer, "iat": 1, "number": 1, "agreement": jwk(reply), "reply": jwk(reply)});
        let input = Draft::new(TYP, claims.to_string()).with_alg(SignAlg::Es256).signing_input();
        assemble(&input, &by.sign(SignAlg::Es256, input.as_bytes()).unwrap())
    }

    #[test]
    fn a_wallet_believes_the_key_that_the_pinned_one_signed_and_the_one_after_it() {
        let (one, two, three) = (fresh(), fresh(), fresh());
        let sets = [set(ISSUER, &one, &one), set(ISSUER, &one, &two), set(ISSUER, &two, &three)];
        assert_eq!(follow(ISSUER, &one.public(), &sets).unwrap().reply, three.public());
        // A wallet that enrolled later begins in the middle.
        assert_eq!(follow(ISSUER, &two.public(), &sets).unwrap().reply, three.public());
    }

    #[test]
    fn a_set_that_the_key_before_did_not_sign_is_not_believed() {
        let (one, two, stranger) = (fresh(), fresh(), fresh());
        assert_eq!(follow(ISSUER, &one.public(), &[set(ISSUER, &two, &two)]), None);
        let sets = [set(ISSUER, &one, &one), set(ISSUER, &stranger, &stranger)];
        assert_eq!(follow(ISSUER, &one.public(), &sets).unwrap().reply, one.public());
        // Nor one of another provider, or one that was spoiled.
        assert_eq!(follow(ISSUER, &one.public(), &[set("https://other.example", &one, &two)]), None);
        assert_eq!(follow(ISSUER, &one.public(), &["a.b.c".to_owned(), String::new()]), None);
    }
}
