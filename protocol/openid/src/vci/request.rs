//! The credential request (OpenID4VCI 1.0, 8.2), and the access token it comes with.

use super::check::{Check, IssueRefusal};
use crate::wire;
use serde_json::{Map, Value};
use std::fmt;

/// Most bytes of a credential request: ten proofs with their keys fit twenty times.
pub const CREDENTIAL_REQUEST_BYTES_MAX: usize = 256 * 1024;

/// Most bytes of a configuration id or credential identifier.
pub const WANTED_BYTES_MAX: usize = 512;

/// Most proofs that are looked at, whatever a batch size says.
pub const PROOFS_MAX: usize = 64;

/// Most bytes of an access token at these doors; ours have 43.
pub const BEARER_BYTES_MAX: usize = 512;

/// A credential request of the right types; what it asks for is judged by [`super::Grant::accept`].
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialRequest {
    /// What the wallet wants.
    pub wanted: Wanted,
    /// What it proves its keys with; [`None`] when `proofs` is absent.
    pub proofs: Option<Proofs>,
    /// `credential_response_encryption` is there.
    pub wants_encryption: bool,
}

/// Which credential is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// `credential_identifier`, as given out with the token.
    Identifier(String),
    /// `credential_configuration_id` of the metadata.
    Configuration(String),
}

/// The one kind of proofs of a request.
#[derive(Clone, PartialEq, Eq)]
pub enum Proofs {
    /// Compact JWS of Appendix F.1, none of them parsed yet.
    Jwt(Vec<String>),
    /// A kind this build does not serve.
    Unserved,
}

impl CredentialRequest {
    /// Reads a request body. Unknown members are ignored, duplicates refused.
    ///
    /// # Errors
    /// [`Check::RequestForm`], [`Check::OneWish`], [`Check::ProofsThere`].
    pub fn parse(body: &[u8]) -> Result<CredentialRequest, IssueRefusal> {
        let Ok(Value::Object(members)) = wire::json(body, CREDENTIAL_REQUEST_BYTES_MAX) else {
            return Err(Check::RequestForm.into());
        };
        Ok(CredentialRequest {
            wanted: wanted(&members)?,
            proofs: proofs(&members)?,
            wants_encryption: members.contains_key("credential_response_encryption"),
        })
    }
}

/// How an access token is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 6750, 2.1.
    Bearer,
    /// RFC 9449, 7.1.
    Dpop,
}

/// The access token of a wallet door, unproved. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShownToken<'a> {
    /// How it is shown.
    pub scheme: Scheme,
    /// The token.
    pub token: &'a str,
}

impl fmt::Debug for ShownToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShownToken").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// The access token of a wallet door, unproved.
///
/// # Errors
/// [`Check::TokenPlace`] when a token stands in the query, whatever else is there; [`Check::TokenLive`] when there is no
/// usable `Authorization: Bearer` or `DPoP`.
pub fn access_token<'a>(
    authorization: Option<&'a str>,
    query: Option<&str>,
) -> Result<ShownToken<'a>, IssueRefusal> {
    let in_query = |query: &str| {
        url::form_urlencoded::parse(query.as_bytes())
            .any(|(name, _)| name.eq_ignore_ascii_case("access_token"))
    };
    if query.is_some_and(in_query) {
        return Err(Check::TokenPlace.into());
    }
    let (scheme, token) = authorization.and_then(|header| header.split_once(' ')).ok_or(Check::TokenLive)?;
    let token = token.trim();
    let known = [("bearer", Scheme::Bearer), ("dpop", Scheme::Dpop)];
    let scheme = known.into_iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
    match scheme {
        Some((_, scheme)) if !token.is_empty() && token.len() <= BEARER_BYTES_MAX => {
            Ok(ShownToken { scheme, token })
        }
        _ => Err(Check::TokenLive.into()),
    }
}

impl fmt::Debug for CredentialRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialRequest").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

fn wanted(members: &Map<String, Value>) -> Result<Wanted, IssueRefusal> {
    let text = |value| wire::text(Some(value), WANTED_BYTES_MAX).map(str::to_owned).ok_or(Check::RequestForm);
    match (members.get("credential_identifier"), members.get("credential_configuration_id")) {
        (Some(identifier), None) => Ok(Wanted::Identifier(text(identifier)?)),
        (None, Some(configuration)) => Ok(Wanted::Configuration(text(configuration)?)),
        _ => Err(Check::OneWish.into()),
    }
}

fn proofs(members: &Map<String, Value>) -> Result<Option<Proofs>, IssueRefusal> {
    let Some(proofs) = members.get("proofs") else {
        // `proof`, in the singular, is of drafts before the final text: to us no proof is there.
        return Ok(None);
    };
    let kinds = proofs.as_object().ok_or(Check::ProofsThere)?;
    let mut kinds = kinds.iter();
    let (Some((kind, listed)), None) = (kinds.next(), kinds.next()) else {
        return Err(Check::ProofsThere.into());
    };
    let listed = listed.as_array().filter(|listed| !listed.is_empty()).ok_or(Check::ProofsThere)?;
    if kind != "jwt" {
        return Ok(Some(Proofs::Unserved));
    }
    if listed.len() > PROOFS_MAX {
        return Err(Check::ProofCount.into());
    }
    let texts = listed.iter().map(|proof| proof.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    Ok(Some(Proofs::Jwt(texts.ok_or(Check::ProofsThere)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::ErrorCode;
    use proptest::prelude::*;

    fn refusal(body: &str) -> Check {
        CredentialRequest::parse(body.as_bytes()).unwrap_err().check
    }

    #[test]
    fn a_request_names_one_credential_and_one_kind_of_proof() {
        let body = br#"{"credential_configuration_id":"diploma","proofs":{"jwt":["a.b.c"]},"unknown":1}"#;
        let request = CredentialRequest::parse(body).unwrap();
        assert_eq!(request.wanted, Wanted::Configuration("diploma".to_owned()));
        assert!(request.proofs == Some(Proofs::Jwt(vec!["a.b.c".to_owned()])) && !request.wants_encryption);
    }

    #[test]
    fn a_malformed_request_is_invalid_credential_request() {
        for body in
            ["", "[]", "{", r#"{"credential_configuration_id":1}"#, r#"{"credential_configuration_id":""}"#]
        {
            assert_eq!(refusal(body), Check::RequestForm, "{body}");
        }
        let twice = r#"{"credential_configuration_id":"a","credential_configuration_id":"a"}"#;
        assert_eq!(refusal(twice), Check::RequestForm);
        assert_eq!(Check::RequestForm.code(), ErrorCode::InvalidCredentialRequest);
    }

    #[test]
    fn both_ways_to_name_a_credential_or_none_are_invalid_credential_request() {
        for body in ["{}", r#"{"credential_configuration_id":"a","credential_identifier":"b"}"#] {
            assert_eq!(refusal(body), Check::OneWish, "{body}");
        }
        assert_eq!(Check::OneWish.code(), ErrorCode::InvalidCredentialRequest);
    }

    #[test]
    fn missing_or_mixed_proofs_are_invalid_proof() {
        for proofs in [
            "{}",
            "[]",
            r#"{"jwt":[]}"#,
            r#"{"jwt":"x"}"#,
            r#"{"jwt":[1]}"#,
            r#"{"jwt":["a"],"attestation":["b"]}"#,
        ] {
            let body = format!(r#"{{"credential_configuration_id":"a","proofs":{proofs}}}"#);
            assert_eq!(refusal(&body), Check::ProofsThere, "{proofs}");
        }
        let none = CredentialRequest::parse(br#"{"credential_configuration_id":"a"}"#).unwrap();
        assert!(none.proofs.is_none());
        assert_eq!(Check::ProofsThere.code(), ErrorCode::InvalidProof);
    }

    #[test]
    fn an_access_token_in_the_query_is_invalid_request() {
        for query in ["access_token=x", "a=1&access_token=x", "%61ccess_token=x", "access_token"] {
            let refused = access_token(Some("Bearer y"), Some(query)).unwrap_err();
            assert_eq!((refused.check, refused.check.code()), (Check::TokenPlace, ErrorCode::InvalidRequest));
        }
        let shown = |scheme| ShownToken { scheme, token: "y" };
        assert_eq!(access_token(Some("bearer y"), Some("lang=en")).unwrap(), shown(Scheme::Bearer));
        assert_eq!(access_token(Some("DPoP y"), None).unwrap(), shown(Scheme::Dpop));
        for header in [None, Some("Basic y"), Some("Bearer"), Some("Bearer "), Some("DPoP")] {
            assert_eq!(access_token(header, None).unwrap_err().check, Check::TokenLive, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(text in ".{0,200}", json in r#"\{"(proofs|credential_identifier)":[\[\]{}":,a-z]{0,60}\}"#) {
            let _ = CredentialRequest::parse(text.as_bytes());
            let _ = CredentialRequest::parse(json.as_bytes());
        }
    }
}
