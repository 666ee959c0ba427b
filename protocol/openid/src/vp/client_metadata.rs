//! Client metadata of a request (OpenID4VP 1.0, 5.1 and 8.3): the key answers are encrypted to, and the formats we read.

use crate::oauth::jwks::{self, Jwks, PublishedKey};
use crypto::jose::jwe::Enc;
use crypto::key::{KeyAlg, PublicKey};
use serde_json::{Map, Value, json};

/// Content encryptions in the order a wallet of ours prefers them.
const PREFERRED: [Enc; 2] = [Enc::A256Gcm, Enc::A128Gcm];

/// What we write into a request of ours.
#[derive(Debug, Clone)]
pub struct ClientMetadata {
    /// The session's response key; none where the answer comes in the clear.
    pub response_key: Option<PublicKey>,
    /// JOSE names of the algorithms we take on an SD-JWT VC.
    pub sd_jwt_algs: Vec<&'static str>,
    /// JOSE names of the algorithms we take on a KB-JWT.
    pub kb_jwt_algs: Vec<&'static str>,
}

impl ClientMetadata {
    /// `kid` of a response key: its RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(response_key: &PublicKey) -> String {
        PublishedKey::encryption(response_key).kid()
    }

    /// The member `client_metadata`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut metadata = json!({
            "vp_formats_supported": {
                "dc+sd-jwt": { "sd-jwt_alg_values": self.sd_jwt_algs, "kb-jwt_alg_values": self.kb_jwt_algs },
            },
        });
        if let Some(key) = &self.response_key {
            metadata["jwks"] = json!(jwks::document(&[PublishedKey::encryption(key)]));
            metadata["encrypted_response_enc_values_supported"] = json!(Enc::ALL.map(Enc::name));
        }
        metadata
    }
}

/// How a wallet encrypts its answer.
#[derive(Debug, Clone)]
pub struct EncryptionChoice {
    /// The verifier's key.
    pub key: PublicKey,
    /// Its `kid`, to be repeated in the JWE.
    pub kid: Option<String>,
    /// The content encryption.
    pub enc: Enc,
}

impl EncryptionChoice {
    /// Chooses from a request's `client_metadata`: the first key this build can encrypt to (P-256, ECDH-ES), skipping all
    /// others, and the best content encryption both know. [`None`] when nothing fits.
    #[must_use]
    pub fn from_metadata(metadata: &Map<String, Value>) -> Option<EncryptionChoice> {
        let jwks = Jwks::from_value(metadata.get("jwks")?).ok()?;
        let key = jwks.keys().iter().find(|key| {
            key.key().alg() == KeyAlg::P256
                && key.stated_use().is_none_or(|usage| usage == "enc")
                && key.stated_alg() == Some("ECDH-ES")
        })?;
        let offered = match metadata.get("encrypted_response_enc_values_supported") {
            // OpenID4VP 1.0, 5.1: A128GCM is what an absent member means.
            None => vec![Enc::A128Gcm.name()],
            Some(listed) => listed.as_array()?.iter().filter_map(Value::as_str).collect(),
        };
        let enc = PREFERRED.into_iter().find(|enc| offered.contains(&enc.name()))?;
        Some(EncryptionChoice { key: key.key().clone(), kid: key.stated_kid().map(str::to_owned), enc })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::jwk::Jwk;
    use crypto::key::{Ecdh, PrivateKey};

    fn ours() -> Value {
        let response_key = Some(Ecdh::generate().public());
        ClientMetadata { response_key, sd_jwt_algs: vec!["ES256"], kb_jwt_algs: vec!["ES256"] }.to_value()
    }

    fn choose(metadata: &Value) -> Option<EncryptionChoice> {
        EncryptionChoice::from_metadata(metadata.as_object().unwrap())
    }

    #[test]
    fn our_own_metadata_offers_a_key_with_kid_and_both_encryptions() {
        let metadata = ours();
        let key = &metadata["jwks"]["keys"][0];
        assert_eq!((key["use"].as_str(), key["alg"].as_str()), (Some("enc"), Some("ECDH-ES")));
        let choice = choose(&metadata).unwrap();
        assert_eq!(choice.kid.as_deref(), key["kid"].as_str());
        assert!(matches!(choice.enc, Enc::A256Gcm));
    }

    #[test]
    fn unusable_encryption_keys_are_skipped() {
        let mut metadata = ours();
        let good = metadata["jwks"]["keys"][0].clone();
        let (mut for_signing, mut without_alg, mut private) = (good.clone(), good.clone(), good.clone());
        for_signing["use"] = json!("sig");
        without_alg.as_object_mut().unwrap().remove("alg");
        private["d"] = json!("AAAA");
        let mut p384 = Jwk::from_key(&PrivateKey::generate(KeyAlg::P384).public()).to_value();
        p384["alg"] = json!("ECDH-ES");
        let unusable =
            [json!({"kty":"OKP","crv":"X25519","x":"AA"}), for_signing, without_alg, private, p384];
        metadata["jwks"]["keys"] = Value::Array(unusable.iter().cloned().chain([good.clone()]).collect());
        assert_eq!(choose(&metadata).unwrap().kid.as_deref(), good["kid"].as_str());
        metadata["jwks"]["keys"] = Value::Array(unusable.to_vec());
        assert!(choose(&metadata).is_none());
    }

    #[test]
    fn an_encryption_that_only_one_side_knows_is_not_chosen() {
        let mut metadata = ours();
        metadata["encrypted_response_enc_values_supported"] = json!(["A128CBC-HS256", "A128GCM"]);
        assert!(matches!(choose(&metadata).unwrap().enc, Enc::A128Gcm));
        metadata["encrypted_response_enc_values_supported"] = json!(["A128CBC-HS256"]);
        assert!(choose(&metadata).is_none());
        metadata.as_object_mut().unwrap().remove("encrypted_response_enc_values_supported");
        assert!(matches!(choose(&metadata).unwrap().enc, Enc::A128Gcm));
    }
}
