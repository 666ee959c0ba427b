//! Issuing: every claim in plain sight.

use crypto::jose::jws;
use crypto::jwk::Jwk;
use serde_json::{Map, Value, json};

use super::{CONTEXT, CREDENTIAL_TYPE, TYP, TYPES_MAX, UNDEFINED_TERMS, VC_JWT_BYTES_MAX};
use crate::credential_type::AcceptedClaims;
use crate::sd_jwt::Validity;
use crate::status::StatusReference;

/// Bytes kept free for header, certificates and signature, which are added when the payload is signed.
const ENVELOPE_BYTES: usize = 32 * 1024;

/// Whom and what a credential is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// `issuer`: the issuer identifier.
    pub issuer: &'a str,
    /// The types beside `VerifiableCredential`.
    pub types: &'a [String],
    /// `cnf.jwk`: the public key of this copy's holder.
    pub holder: &'a Jwk,
    /// `status.status_list`: this copy's own place in a list.
    pub status: Option<&'a StatusReference>,
    /// `validFrom`, `validUntil`: whole days.
    pub validity: Validity,
}

/// Why a dataset becomes no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// None or too many types, an empty one, or one twice.
    #[error("a credential has 1 to {TYPES_MAX} types of its own, each once")]
    Types,
    /// The whole is larger than [`VC_JWT_BYTES_MAX`].
    #[error("a credential has at most {VC_JWT_BYTES_MAX} bytes")]
    TooLarge,
}

/// What the issuer's key signs; the signer adds `alg` and `x5c`.
///
/// # Errors
/// See [`IssueError`].
pub fn issue(accepted: &AcceptedClaims<'_>, subject: &Subject<'_>) -> Result<jws::Draft, IssueError> {
    let own = subject.types;
    let sound = |(nth, name): (usize, &String)| {
        !name.is_empty() && name != CREDENTIAL_TYPE && !own[..nth].contains(name)
    };
    if !(1..TYPES_MAX).contains(&own.len()) || !own.iter().enumerate().all(sound) {
        return Err(IssueError::Types);
    }
    let types = std::iter::once(CREDENTIAL_TYPE).chain(own.iter().map(String::as_str));
    let mut credential = Map::new();
    credential.insert("@context".into(), json!([CONTEXT, UNDEFINED_TERMS]));
    credential.insert("type".into(), types.collect());
    credential.insert("issuer".into(), subject.issuer.into());
    credential.insert("validFrom".into(), subject.validity.issued_at().to_string().into());
    credential.insert("validUntil".into(), subject.validity.expires_at().to_string().into());
    credential.insert("credentialSubject".into(), Value::Object(accepted.claims.clone()));
    credential.insert("cnf".into(), json!({ "jwk": subject.holder.to_value() }));
    if let Some(status) = subject.status {
        credential.insert("status".into(), status.to_value());
    }
    let payload = serde_json::to_vec(&credential).expect("a JSON value written to memory cannot fail");
    if payload.len() / 3 * 4 + ENVELOPE_BYTES > VC_JWT_BYTES_MAX {
        return Err(IssueError::TooLarge);
    }
    Ok(jws::Draft::new(TYP, payload))
}
