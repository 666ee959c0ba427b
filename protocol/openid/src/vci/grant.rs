//! The decision of the credential door: a grant as it was loaded, and what it accepts.

use super::check::{Check, IssueRefusal};
use super::nonce::SpentNonce;
use super::proof::ProofRules;
use super::request::{CredentialRequest, Proofs, Wanted};
use crypto::jwk::Jwk;
use jiff::Timestamp;

/// A grant behind an access token, loaded by the token's hash; a token that nobody knows has no grant, and the caller answers
/// [`Check::TokenLive`].
#[derive(Debug)]
pub struct Grant {
    /// Configurations of the offer.
    pub configuration_ids: Vec<String>,
    /// Client of the token; anonymous wallets have none.
    pub client_id: Option<String>,
    /// When the access token ends.
    pub token_expires_at: Timestamp,
    /// How many requests may still succeed.
    pub rounds_left: u32,
    /// Most copies of one request; more keys get fewer credentials.
    pub copies_max: usize,
    /// What the issuer asks of proofs.
    pub rules: ProofRules,
}

/// What is to be issued. Nothing is spent yet: the caller's unit spends one round of the grant and the nonce, by guards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRequest {
    /// Which configuration.
    pub configuration_id: String,
    /// One credential for each of these keys, which are distinct; 1 to `copies_max`.
    pub keys: Vec<Jwk>,
    /// The nonce of all proofs.
    pub nonce: SpentNonce,
}

impl Grant {
    /// Makes every check the standard asks for, cheap ones first.
    ///
    /// # Errors
    /// [`IssueRefusal`] naming the first check that failed.
    pub fn accept(
        &self,
        request: &CredentialRequest,
        now: Timestamp,
    ) -> Result<AcceptedRequest, IssueRefusal> {
        if now >= self.token_expires_at {
            return Err(Check::TokenLive.into());
        }
        if self.rounds_left == 0 {
            return Err(Check::RoundsLeft.into());
        }
        let configuration_id = match &request.wanted {
            Wanted::Configuration(id) if self.configuration_ids.contains(id) => id.clone(),
            Wanted::Configuration(_) => return Err(Check::ConfigurationKnown.into()),
            // This build gives out no identifiers with a token, so it knows none.
            Wanted::Identifier(_) => return Err(Check::IdentifierKnown.into()),
        };
        if request.wants_encryption {
            return Err(Check::NoResponseEncryption.into());
        }
        let proofs = match &request.proofs {
            Some(Proofs::Jwt(proofs)) => proofs,
            Some(Proofs::Unserved) => return Err(Check::ProofTypeServed.into()),
            None => return Err(Check::ProofsThere.into()),
        };
        let verified = self.rules.verify_all(proofs, self.client_id.as_deref(), now)?;
        let nonce = verified.first().map(|proof| proof.nonce).ok_or(Check::ProofsThere)?;
        let keys = verified.into_iter().take(self.copies_max.max(1)).map(|proof| proof.key).collect();
        Ok(AcceptedRequest { configuration_id, keys, nonce })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::{ErrorCode, OauthError};
    use crate::testing::{at, now, p256, sign};
    use crate::vci::nonce::NonceKey;
    use crate::vci::proof;
    use crypto::jose::jws::Draft;
    use crypto::key::{KeyAlg, PrivateKey, SignAlg};
    use crypto::secret::Secret;
    use serde_json::{Value, json};

    const ISSUER: &str = "https://i.example/t/a";

    fn nonces(tenant: &str) -> NonceKey {
        NonceKey::new(Secret::new([7; 32]), tenant)
    }

    fn grant() -> Grant {
        Grant {
            configuration_ids: vec!["diploma".to_owned()],
            client_id: None,
            token_expires_at: at(300),
            rounds_left: 1,
            copies_max: 10,
            rules: ProofRules {
                issuer: ISSUER.to_owned(),
                algs: vec![SignAlg::Es256],
                batch_size: 10,
                nonces: nonces("a"),
            },
        }
    }

    fn nonce() -> String {
        nonces("a").make([1; 16], now())
    }

    fn draft(key: &PrivateKey) -> Draft {
        proof::draft(&Jwk::from_key(&key.public()), ISSUER, Some(&nonce()), None, now())
    }

    /// The proof with one claim changed, or taken away by `null`.
    fn with_claim(key: &PrivateKey, name: &str, value: Value) -> String {
        let draft = draft(key);
        let mut claims: Value = serde_json::from_slice(&draft.payload).unwrap();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        sign(Draft { payload: claims.to_string().into_bytes(), ..draft }, key)
    }

    fn with_header(key: &PrivateKey, name: &str, value: Value) -> String {
        sign(draft(key).with(name, value), key)
    }

    fn request(proofs: &[String]) -> CredentialRequest {
        let body = json!({"credential_configuration_id": "diploma", "proofs": {"jwt": proofs}});
        CredentialRequest::parse(body.to_string().as_bytes()).unwrap()
    }

    fn accept(proofs: &[String]) -> Result<AcceptedRequest, IssueRefusal> {
        grant().accept(&request(proofs), now())
    }

    /// The check that refuses these proofs, after its code was seen to be `code`.
    fn refusal(proofs: &[String], code: ErrorCode) -> Check {
        let refusal = accept(proofs).unwrap_err();
        let answer = OauthError::from(refusal);
        assert_eq!((answer.error, answer.status), (code, code.status()), "{refusal}");
        refusal.check
    }

    fn invalid_proof(proof: String) -> Check {
        refusal(&[proof], ErrorCode::InvalidProof)
    }

    #[test]
    fn a_good_proof_is_accepted_with_its_key_and_nonce() {
        let key = p256();
        let accepted = accept(&[sign(draft(&key), &key)]).unwrap();
        assert_eq!(accepted.configuration_id, "diploma");
        assert_eq!(accepted.keys, [Jwk::from_key(&key.public())]);
        assert_eq!(accepted.nonce.hash, crypto::hash::sha256(nonce().as_bytes()));
        assert_eq!(accepted.nonce.expires_at, at(300));
    }

    #[test]
    fn more_keys_than_copies_get_fewer_credentials() {
        let keys = [p256(), p256(), p256()];
        let proofs = keys.iter().map(|key| sign(draft(key), key)).collect::<Vec<_>>();
        let grant = Grant { copies_max: 2, ..grant() };
        assert_eq!(grant.accept(&request(&proofs), now()).unwrap().keys.len(), 2);
    }

    #[test]
    fn an_expired_access_token_is_invalid_token() {
        let key = p256();
        let refusal = grant().accept(&request(&[sign(draft(&key), &key)]), at(300)).unwrap_err();
        assert_eq!(
            OauthError::from(refusal),
            OauthError::of(ErrorCode::InvalidToken, Check::TokenLive.description())
        );
        assert_eq!(OauthError::from(refusal).status, 401);
    }

    #[test]
    fn a_grant_without_rounds_is_credential_request_denied() {
        let spent = Grant { rounds_left: 0, ..grant() };
        let refusal = spent.accept(&request(&["x".to_owned()]), now()).unwrap_err();
        assert_eq!(refusal.check.code(), ErrorCode::CredentialRequestDenied);
    }

    #[test]
    fn an_identifier_that_was_never_given_out_is_unknown_credential_identifier() {
        let request = CredentialRequest::parse(br#"{"credential_identifier":"diploma"}"#).unwrap();
        let refusal = grant().accept(&request, now()).unwrap_err();
        assert_eq!(refusal.check.code(), ErrorCode::UnknownCredentialIdentifier);
    }

    #[test]
    fn a_configuration_outside_the_grant_is_unknown_credential_configuration() {
        let request = CredentialRequest::parse(br#"{"credential_configuration_id":"pid"}"#).unwrap();
        let refusal = grant().accept(&request, now()).unwrap_err();
        assert_eq!(refusal.check.code(), ErrorCode::UnknownCredentialConfiguration);
    }

    #[test]
    fn asking_for_response_encryption_is_invalid_encryption_parameters() {
        let body = br#"{"credential_configuration_id":"diploma","credential_response_encryption":{"enc":"A256GCM"}}"#;
        let refusal = grant().accept(&CredentialRequest::parse(body).unwrap(), now()).unwrap_err();
        assert_eq!(refusal.check.code(), ErrorCode::InvalidEncryptionParameters);
    }

    #[test]
    fn a_request_without_proofs_is_invalid_proof() {
        let request = CredentialRequest::parse(br#"{"credential_configuration_id":"diploma"}"#).unwrap();
        let refusal = grant().accept(&request, now()).unwrap_err();
        assert_eq!((refusal.check, refusal.check.code()), (Check::ProofsThere, ErrorCode::InvalidProof));
    }

    #[test]
    fn a_proof_type_that_is_not_served_is_invalid_proof() {
        let body = br#"{"credential_configuration_id":"diploma","proofs":{"attestation":["x"]}}"#;
        let refusal = grant().accept(&CredentialRequest::parse(body).unwrap(), now()).unwrap_err();
        assert_eq!((refusal.check, refusal.check.code()), (Check::ProofTypeServed, ErrorCode::InvalidProof));
    }

    #[test]
    fn more_proofs_than_the_batch_size_are_invalid_proof() {
        let proofs = vec!["x".to_owned(); 11];
        assert_eq!(refusal(&proofs, ErrorCode::InvalidProof), Check::ProofCount);
    }

    #[test]
    fn a_proof_that_is_no_jws_is_invalid_proof() {
        for text in ["x", "a.b.c", "..", "e30.e30.AA"] {
            assert_eq!(invalid_proof(text.to_owned()), Check::ProofParses, "{text}");
        }
        let key = p256();
        assert_eq!(invalid_proof(with_header(&key, "crit", json!(["x"]))), Check::ProofParses);
        let text = Draft { payload: b"\"text\"".to_vec(), ..draft(&key) };
        assert_eq!(invalid_proof(sign(text, &key)), Check::ProofParses);
    }

    #[test]
    fn a_proof_of_another_typ_is_invalid_proof() {
        let key = p256();
        for typ in ["JWT", "kb+jwt", "OPENID4VCI-PROOF+JWT"] {
            assert_eq!(invalid_proof(with_header(&key, "typ", json!(typ))), Check::ProofTyp, "{typ}");
        }
    }

    #[test]
    fn a_proof_by_an_algorithm_outside_the_metadata_is_invalid_proof() {
        let p384 = PrivateKey::generate(KeyAlg::P384);
        assert_eq!(invalid_proof(sign(draft(&p384), &p384)), Check::ProofAlg);
        let unsigned = draft(&p256()).with("alg", "none").signing_input();
        assert_eq!(invalid_proof(format!("{unsigned}.")), Check::ProofAlg);
        let mac = draft(&p256()).with("alg", "HS256").signing_input();
        assert_eq!(invalid_proof(format!("{mac}.AAAA")), Check::ProofAlg);
        // ES256 in the header over a P-384 key.
        let misfit = draft(&p384).with_alg(SignAlg::Es256).signing_input();
        assert_eq!(invalid_proof(format!("{misfit}.AAAA")), Check::ProofAlg);
    }

    #[test]
    fn a_proof_that_names_its_key_by_kid_or_x5c_is_invalid_proof() {
        let key = p256();
        for (name, value) in
            [("kid", json!("did:example:1")), ("x5c", json!(["AAAA"])), ("jku", json!("https://a"))]
        {
            assert_eq!(invalid_proof(with_header(&key, name, value.clone())), Check::ProofKeyNamed, "{name}");
            let mut without_jwk = draft(&key).with(name, value);
            without_jwk.header.shift_remove("jwk");
            assert_eq!(invalid_proof(sign(without_jwk, &key)), Check::ProofKeyNamed, "{name}");
        }
    }

    #[test]
    fn a_private_key_in_jwk_is_invalid_proof() {
        let key = p256();
        let mut jwk = Jwk::from_key(&key.public()).to_value();
        jwk["d"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(invalid_proof(with_header(&key, "jwk", jwk)), Check::ProofKeyPublic);
        let mut off_curve = Jwk::from_key(&key.public()).to_value();
        off_curve["x"] = off_curve["y"].clone();
        assert_eq!(invalid_proof(with_header(&key, "jwk", off_curve)), Check::ProofKeyPublic);
    }

    #[test]
    fn a_key_attestation_that_nobody_asked_for_is_invalid_proof() {
        assert_eq!(
            invalid_proof(with_header(&p256(), "key_attestation", json!("x"))),
            Check::ProofNoAttestation
        );
    }

    #[test]
    fn a_proof_for_another_issuer_is_invalid_proof() {
        let key = p256();
        for audience in
            [json!("https://i.example/t/b"), json!("https://i.example/t/a/"), json!([ISSUER]), Value::Null]
        {
            assert_eq!(invalid_proof(with_claim(&key, "aud", audience)), Check::ProofAudience);
        }
    }

    #[test]
    fn a_proof_that_is_too_old_or_from_the_future_is_invalid_proof() {
        let key = p256();
        for iat in [
            json!(at(-301).as_second()),
            json!(at(61).as_second()),
            json!("now"),
            Value::Null,
            json!(i64::MIN),
        ] {
            assert_eq!(invalid_proof(with_claim(&key, "iat", iat)), Check::ProofTime);
        }
        for iat in [at(-300), at(60)] {
            assert!(accept(&[with_claim(&key, "iat", json!(iat.as_second()))]).is_ok());
        }
    }

    #[test]
    fn a_proof_of_another_client_is_invalid_proof() {
        let key = p256();
        let grant = Grant { client_id: Some("wallet".to_owned()), ..grant() };
        let of = |client| grant.accept(&request(&[with_claim(&key, "iss", json!(client))]), now());
        assert!(of("wallet").is_ok());
        assert_eq!(of("other").unwrap_err(), IssueRefusal { check: Check::ProofClient, proof: Some(0) });
        assert_eq!(invalid_proof(with_claim(&key, "iss", json!(1))), Check::ProofClient);
    }

    #[test]
    fn a_proof_without_a_nonce_is_invalid_proof() {
        assert_eq!(invalid_proof(with_claim(&p256(), "nonce", Value::Null)), Check::ProofHasNonce);
    }

    #[test]
    fn a_nonce_of_another_tenant_is_invalid_nonce() {
        let key = p256();
        let foreign = nonces("b").make([1; 16], now());
        let old = nonces("a").make([1; 16], at(-300));
        for nonce in [foreign, old, "canary".to_owned(), String::new()] {
            let proof = with_claim(&key, "nonce", json!(nonce));
            assert_eq!(refusal(&[proof], ErrorCode::InvalidNonce), Check::NonceGenuine);
        }
    }

    #[test]
    fn proofs_with_different_nonces_are_invalid_nonce() {
        let (one, other) = (p256(), p256());
        let second = with_claim(&other, "nonce", json!(nonces("a").make([2; 16], now())));
        assert_eq!(refusal(&[sign(draft(&one), &one), second], ErrorCode::InvalidNonce), Check::OneNonce);
    }

    #[test]
    fn a_proof_signed_by_another_key_is_invalid_proof() {
        let (named, signer) = (p256(), p256());
        assert_eq!(invalid_proof(sign(draft(&named), &signer)), Check::ProofSignature);
    }

    #[test]
    fn the_same_key_twice_is_invalid_proof() {
        let key = p256();
        let again = accept(&[sign(draft(&key), &key), sign(draft(&key), &key)]).unwrap_err();
        assert_eq!(again, IssueRefusal { check: Check::KeysDistinct, proof: Some(1) });
        assert_eq!(again.check.code(), ErrorCode::InvalidProof);
    }

    #[test]
    fn no_refusal_repeats_what_the_wallet_sent() {
        let key = p256();
        let proofs =
            [with_claim(&key, "nonce", json!("canary-nonce")), with_claim(&key, "aud", json!("canary-aud"))];
        for proof in proofs {
            let refusal = accept(&[proof]).unwrap_err();
            let shown = format!("{refusal} {refusal:?} {}", OauthError::from(refusal));
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}
