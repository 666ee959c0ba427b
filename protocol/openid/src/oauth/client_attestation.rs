//! Attestation-based client authentication: a wallet's maker vouches for a key, and the wallet shows that it holds it.
//!
//! ```text
//! OAuth-Client-Attestation, -PoP ── read ──▶ ClientAttestation ── verify(Trust, rules, now) ──▶ AttestedClient, a jti to be spent
//! ```
//!
//! Invariants: the two headers come together or not at all; the attestation is believed by its certificates, the proof by the key
//! inside the attestation and by nothing else; a proof is for one server and one moment; its `jti` is spent by the caller.

use super::error::OauthError;
use crate::wire;
use credential::trust::{Context, Trust};
use crypto::hash;
use crypto::jose::jws::{Draft, Jws};
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The draft that OpenID4VCI 1.0 points to.
pub const SPEC_REVISION: &str = "draft-ietf-oauth-attestation-based-client-auth-07";

/// `token_endpoint_auth_methods_supported`.
pub const AUTH_METHOD: &str = "attest_jwt_client_auth";

/// `typ` of an attestation.
pub const ATTESTATION_TYP: &str = "oauth-client-attestation+jwt";

/// `typ` of the proof that goes with it.
pub const POP_TYP: &str = "oauth-client-attestation-pop+jwt";

/// Algorithms of attestations and of their proofs.
pub const ATTESTATION_ALGS: [SignAlg; 3] = [SignAlg::Es256, SignAlg::Es384, SignAlg::EdDsa];

/// Most bytes of an attestation: five certificates, a key and a few names.
pub const ATTESTATION_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of a proof: five short claims.
pub const POP_BYTES_MAX: usize = 4 * 1024;

/// Oldest proof that is taken, in seconds: as old as a nonce may be.
pub const POP_AGE_S_MAX: i64 = 300;

/// Seconds that a wallet's clock, or its maker's, may lie ahead of ours.
pub const AHEAD_S_MAX: i64 = 60;

/// Most bytes of a client id.
pub const CLIENT_ID_BYTES_MAX: usize = 256;

/// Most bytes of a `jti`.
pub const JTI_BYTES_MAX: usize = 256;

/// Both headers, read and not yet believed.
#[derive(Debug)]
pub struct ClientAttestation {
    attestation: Jws,
    pop: Jws,
}

/// What a door asks of them.
#[derive(Debug, Clone, Copy)]
pub struct AttestationRules<'a> {
    /// Who makes wallets that are believed.
    pub trust: &'a Trust<'a>,
    /// This server's identifier: the audience of the proof, byte by byte.
    pub issuer: &'a str,
    /// `client_id` of the request, if it has one.
    pub client_id: Option<&'a str>,
}

/// A wallet that its maker vouches for and that is here. The proof must be spent before anything is done for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestedClient {
    /// `sub` of the attestation.
    pub client_id: String,
    /// SHA-256 thumbprint of the attested key.
    pub thumbprint: [u8; 32],
    /// What is spent: SHA-256 over thumbprint and `jti`, so that no wallet spends another's.
    pub spent: [u8; 32],
    /// Until when that must be remembered.
    pub expires_at: Timestamp,
}

/// Why a wallet is not believed; the door answers 401 `invalid_client` to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttestationFault {
    /// One header without the other, one of them twice, or no JWS of its typ by an algorithm that is taken.
    #[error("attestation and proof do not come together, or cannot be read")]
    Pair,
    /// Its certificates lead to no anchor for wallet providers.
    #[error("nobody vouches for the attestation")]
    Untrusted,
    /// Signature, `sub`, `cnf`, `exp`, `nbf` or `iat` of the attestation.
    #[error("the attestation does not hold")]
    Attestation,
    /// Signature, `aud`, `iat`, `exp`, `iss` or `jti` of the proof.
    #[error("the proof of possession does not hold")]
    Pop,
    /// The request names another client.
    #[error("the attestation is of another client")]
    OtherClient,
    /// The same proof came before.
    #[error("the proof of possession was used before")]
    Replayed,
    /// No attestation came where one is asked for.
    #[error("a client attestation is asked for here")]
    Missing,
}

impl From<AttestationFault> for OauthError {
    fn from(_: AttestationFault) -> OauthError {
        OauthError::invalid_client()
    }
}

/// The proof that a wallet signs with the key that its attestation names; the signer adds `alg`.
#[must_use]
pub fn pop_draft(client_id: &str, issuer: &str, jti: &str, now: Timestamp) -> Draft {
    let claims = json!({"iss": client_id, "aud": issuer, "jti": jti, "iat": now.as_second()});
    Draft::new(POP_TYP, claims.to_string())
}

impl ClientAttestation {
    /// Reads the two headers of a request, each of which came once at most; none of both is no attestation.
    ///
    /// # Errors
    /// [`AttestationFault::Pair`].
    pub fn read(
        attestation: Option<&str>,
        pop: Option<&str>,
    ) -> Result<Option<ClientAttestation>, AttestationFault> {
        match (attestation, pop) {
            (None, None) => Ok(None),
            (Some(attestation), Some(pop)) => Ok(Some(ClientAttestation {
                attestation: parse(attestation, ATTESTATION_TYP, ATTESTATION_BYTES_MAX)?,
                pop: parse(pop, POP_TYP, POP_BYTES_MAX)?,
            })),
            _ => Err(AttestationFault::Pair),
        }
    }

    /// Judges both: the certificates, the attestation, the proof by the attested key, the client.
    ///
    /// # Errors
    /// [`AttestationFault`].
    pub fn verify(
        self,
        rules: &AttestationRules<'_>,
        now: Timestamp,
    ) -> Result<AttestedClient, AttestationFault> {
        let chain = self.attestation.x5c().map_err(|_| AttestationFault::Untrusted)?;
        let judged = rules
            .trust
            .judge(&chain, Context::WalletProvider, now)
            .map_err(|_| AttestationFault::Untrusted)?;
        judged.path().map_err(|_| AttestationFault::Untrusted)?;
        self.attestation.verify(judged.signer()).map_err(|_| AttestationFault::Attestation)?;
        let (client_id, key) = self.attested(now).ok_or(AttestationFault::Attestation)?;
        let (jti, end_s) =
            self.possessed(&key, &client_id, rules.issuer, now).ok_or(AttestationFault::Pop)?;
        if rules.client_id.is_some_and(|named| named != client_id) {
            return Err(AttestationFault::OtherClient);
        }
        let thumbprint = key.thumbprint();
        Ok(AttestedClient {
            spent: hash::sha256_of(&[&thumbprint, b"attestation-pop", jti.as_bytes()]),
            expires_at: Timestamp::from_second(end_s).map_err(|_| AttestationFault::Pop)?,
            client_id,
            thumbprint,
        })
    }

    /// `sub` and `cnf.jwk`, if its dates hold.
    fn attested(&self, now: Timestamp) -> Option<(String, Jwk)> {
        let claims = claims(&self.attestation, ATTESTATION_BYTES_MAX)?;
        let now_s = now.as_second();
        if wire::numeric_date(claims.get("exp"))? <= now_s {
            return None;
        }
        for name in ["nbf", "iat"] {
            if let Some(from) = claims.get(name)
                && wire::numeric_date(Some(from))? > now_s.saturating_add(AHEAD_S_MAX)
            {
                return None;
            }
        }
        let client_id = wire::text(claims.get("sub"), CLIENT_ID_BYTES_MAX)?.to_owned();
        let key = Jwk::from_value(claims.get("cnf")?.get("jwk")?).ok()?;
        Some((client_id, key))
    }

    /// `jti` of the proof and the second at which nobody takes it any more.
    fn possessed(&self, key: &Jwk, client_id: &str, issuer: &str, now: Timestamp) -> Option<(String, i64)> {
        self.pop.verify_jwk(key).ok()?;
        let claims = claims(&self.pop, POP_BYTES_MAX)?;
        // A list of several servers would make one proof good at each of them.
        let audience = match claims.get("aud")? {
            Value::Array(only) if only.len() == 1 => only.first()?.as_str()?,
            other => other.as_str()?,
        };
        let iat = wire::numeric_date(claims.get("iat"))?;
        let age_s = now.as_second().saturating_sub(iat);
        let is_fresh = (-AHEAD_S_MAX..=POP_AGE_S_MAX).contains(&age_s);
        if let Some(exp) = claims.get("exp")
            && wire::numeric_date(Some(exp))? <= now.as_second()
        {
            return None;
        }
        let is_own = claims.get("iss").is_none_or(|iss| iss.as_str() == Some(client_id));
        let jti = wire::text(claims.get("jti"), JTI_BYTES_MAX)?.to_owned();
        (audience == issuer && is_fresh && is_own).then_some((jti, iat + POP_AGE_S_MAX + AHEAD_S_MAX))
    }
}

fn parse(text: &str, typ: &str, bytes_max: usize) -> Result<Jws, AttestationFault> {
    let jws = Jws::parse(text, &Limits { bytes_max, depth_max: wire::DEPTH_MAX })
        .map_err(|_| AttestationFault::Pair)?;
    let is_taken = jws.typ() == Some(typ) && ATTESTATION_ALGS.contains(&jws.alg());
    if is_taken { Ok(jws) } else { Err(AttestationFault::Pair) }
}

fn claims(jws: &Jws, bytes_max: usize) -> Option<Map<String, Value>> {
    match wire::json(jws.payload(), bytes_max).ok()? {
        Value::Object(claims) => Some(claims),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Authority, Signer, at, now, p256, sign};
    use crate::vci::Check;
    use credential::trust::{Anchors, PathCache};
    use crypto::jose::jws::x5c_value;
    use crypto::key::PrivateKey;
    use proptest::prelude::*;

    const ISSUER: &str = "https://i.example/t/a";
    const CLIENT: &str = "https://wallet.example/app";

    struct Maker {
        anchors: Anchors,
        signer: Signer,
        wallet: PrivateKey,
    }

    impl Maker {
        fn new() -> Maker {
            let authority = Authority::new("Wallet Root");
            let anchors = authority.anchors(Context::WalletProvider);
            Maker { anchors, signer: authority.leaf("Wallet Maker"), wallet: p256() }
        }

        fn claims(&self) -> Value {
            let jwk = Jwk::from_key(&self.wallet.public()).to_value();
            json!({"iss": "https://wallet.example", "sub": CLIENT, "exp": at(3_600).as_second(), "cnf": {"jwk": jwk}})
        }

        fn attestation(&self, claims: &Value) -> String {
            let draft = Draft::new(ATTESTATION_TYP, claims.to_string());
            sign(draft.with("x5c", x5c_value(&[&self.signer.der])), &self.signer.key)
        }

        fn verify(
            &self,
            attestation: &str,
            pop: &str,
            client_id: Option<&str>,
        ) -> Result<AttestedClient, AttestationFault> {
            let cache = PathCache::new();
            let trust = Trust { anchors: &self.anchors, cache: &cache, haip: true };
            let rules = AttestationRules { trust: &trust, issuer: ISSUER, client_id };
            ClientAttestation::read(Some(attestation), Some(pop))?.unwrap().verify(&rules, now())
        }

        fn good_pop(&self) -> String {
            sign(pop_draft(CLIENT, ISSUER, "1", now()), &self.wallet)
        }

        fn with_attestation(&self, name: &str, value: Value) -> AttestationFault {
            let mut claims = self.claims();
            claims[name] = value;
            self.verify(&self.attestation(&claims), &self.good_pop(), None).unwrap_err()
        }

        fn with_pop(&self, name: &str, value: Value) -> Result<AttestedClient, AttestationFault> {
            let draft = pop_draft(CLIENT, ISSUER, "1", now());
            let mut claims: Value = serde_json::from_slice(&draft.payload).unwrap();
            claims[name] = value;
            let pop = sign(Draft::new(POP_TYP, claims.to_string()), &self.wallet);
            self.verify(&self.attestation(&self.claims()), &pop, None)
        }
    }

    #[test]
    fn a_wallet_that_its_maker_vouches_for_is_known_by_its_sub() {
        let maker = Maker::new();
        let attestation = maker.attestation(&maker.claims());
        let known = maker.verify(&attestation, &maker.good_pop(), Some(CLIENT)).unwrap();
        assert_eq!((known.client_id.as_str(), known.expires_at), (CLIENT, at(360)));
        assert_eq!(known.thumbprint, Jwk::from_key(&maker.wallet.public()).thumbprint());
    }

    #[test]
    fn an_attestation_without_its_proof_or_of_another_typ_is_refused() {
        let maker = Maker::new();
        let (attestation, pop) = (maker.attestation(&maker.claims()), maker.good_pop());
        assert!(ClientAttestation::read(None, None).unwrap().is_none());
        for (attestation, pop) in [
            (Some(attestation.as_str()), None),
            (None, Some(pop.as_str())),
            (Some(pop.as_str()), Some(attestation.as_str())),
            (Some("x"), Some(pop.as_str())),
            (Some(attestation.as_str()), Some("a.b.c")),
        ] {
            assert_eq!(ClientAttestation::read(attestation, pop).unwrap_err(), AttestationFault::Pair);
        }
        let unsigned = Draft::new(POP_TYP, "{}").with("alg", "none").signing_input();
        let refused = ClientAttestation::read(Some(&attestation), Some(&format!("{unsigned}.")));
        assert_eq!(refused.unwrap_err(), AttestationFault::Pair);
        assert_eq!(Check::from(AttestationFault::Pair), Check::AttestationPair);
        assert_eq!(Check::AttestationPair.code().status(), 401);
    }

    #[test]
    fn an_attestation_under_another_anchor_is_refused() {
        let (maker, stranger) = (Maker::new(), Maker::new());
        let foreign = stranger.attestation(&stranger.claims());
        let refused = maker.verify(&foreign, &stranger.good_pop(), None);
        assert_eq!(refused, Err(AttestationFault::Untrusted));
        let bare = sign(Draft::new(ATTESTATION_TYP, maker.claims().to_string()), &maker.signer.key);
        assert_eq!(maker.verify(&bare, &maker.good_pop(), None), Err(AttestationFault::Untrusted));
        let issuers = Authority::new("Issuers");
        let of_issuers =
            Maker { anchors: issuers.anchors(Context::Issuer), signer: issuers.leaf("L"), wallet: p256() };
        let attestation = of_issuers.attestation(&of_issuers.claims());
        let refused = of_issuers.verify(&attestation, &of_issuers.good_pop(), None);
        assert_eq!(refused, Err(AttestationFault::Untrusted), "an anchor for issuers vouches for no wallet");
    }

    #[test]
    fn an_attestation_expired_without_sub_or_signed_by_another_key_is_refused() {
        let maker = Maker::new();
        let private = json!({"jwk": {"kty": "EC", "crv": "P-256", "d": "AQ", "x": "AQ", "y": "AQ"}});
        for (name, value) in [
            ("exp", json!(now().as_second())),
            ("exp", Value::Null),
            ("sub", Value::Null),
            ("sub", json!("")),
            ("sub", json!("s".repeat(CLIENT_ID_BYTES_MAX + 1))),
            ("nbf", json!(at(61).as_second())),
            ("iat", json!("today")),
            ("cnf", json!({})),
            ("cnf", private),
        ] {
            assert_eq!(
                maker.with_attestation(name, value.clone()),
                AttestationFault::Attestation,
                "{name} {value}"
            );
        }
        let draft = Draft::new(ATTESTATION_TYP, maker.claims().to_string());
        let forged = sign(draft.with("x5c", x5c_value(&[&maker.signer.der])), &p256());
        assert_eq!(maker.verify(&forged, &maker.good_pop(), None), Err(AttestationFault::Attestation));
    }

    #[test]
    fn a_proof_of_possession_for_another_server_or_by_another_key_is_refused() {
        let maker = Maker::new();
        for (name, value) in [
            ("aud", json!("https://i.example/t/b")),
            ("aud", json!([ISSUER, "https://i.example/t/b"])),
            ("aud", Value::Null),
            ("iat", json!(at(-301).as_second())),
            ("iat", json!(at(61).as_second())),
            ("iat", Value::Null),
            ("exp", json!(now().as_second())),
            ("iss", json!("https://other.example")),
            ("jti", Value::Null),
            ("jti", json!("j".repeat(JTI_BYTES_MAX + 1))),
        ] {
            assert_eq!(maker.with_pop(name, value.clone()), Err(AttestationFault::Pop), "{name} {value}");
        }
        assert!(maker.with_pop("aud", json!([ISSUER])).is_ok());
        let by_other = sign(pop_draft(CLIENT, ISSUER, "1", now()), &p256());
        let attestation = maker.attestation(&maker.claims());
        assert_eq!(maker.verify(&attestation, &by_other, None), Err(AttestationFault::Pop));
    }

    #[test]
    fn an_attestation_of_another_client_is_refused() {
        let maker = Maker::new();
        let attestation = maker.attestation(&maker.claims());
        let refused = maker.verify(&attestation, &maker.good_pop(), Some("other"));
        assert_eq!(refused, Err(AttestationFault::OtherClient));
    }

    #[test]
    fn a_proof_of_possession_a_second_time_spends_the_same() {
        let maker = Maker::new();
        let attestation = maker.attestation(&maker.claims());
        let spent = |pop: &str| maker.verify(&attestation, pop, None).unwrap().spent;
        let again = sign(pop_draft(CLIENT, ISSUER, "1", at(-5)), &maker.wallet);
        let other = sign(pop_draft(CLIENT, ISSUER, "2", now()), &maker.wallet);
        assert_eq!(
            spent(&maker.good_pop()),
            spent(&again),
            "another signature over the same jti is no other proof"
        );
        assert_ne!(spent(&maker.good_pop()), spent(&other));
        assert_eq!(Check::from(AttestationFault::Replayed), Check::AttestationUnused);
    }

    #[test]
    fn a_wallet_without_attestation_is_refused_where_one_is_asked_for() {
        assert_eq!(Check::from(AttestationFault::Missing), Check::AttestationThere);
        assert_eq!(OauthError::from(AttestationFault::Missing), OauthError::invalid_client());
    }

    proptest! {
        #[test]
        fn no_headers_make_the_reader_panic(one in "[A-Za-z0-9._-]{0,120}", other in ".{0,60}") {
            let _ = ClientAttestation::read(Some(&one), Some(&other));
            let _ = ClientAttestation::read(Some(&other), Some(&one));
        }
    }
}
