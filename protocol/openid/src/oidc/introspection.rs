//! What a relying party learns of its own tokens (RFC 7662), and how it ends them (RFC 7009).

use super::id_token::{Confirmation, ProviderTokenClaims};
use crate::oauth::error::OauthError;
use crate::oauth::form::Form;
use crypto::secret::Secret;
use serde::Serialize;

/// The `token` of a request at either door. The hint is not looked at: the two kinds cannot be mixed up.
///
/// # Errors
/// `invalid_request` when it is missing or longer than any token of ours.
pub fn token_of(form: &Form) -> Result<Secret<String>, OauthError> {
    let text = form.get("token").filter(|text| text.len() <= crate::oauth::access_token::TOKEN_BYTES_MAX);
    text.map(|text| Secret::new(text.to_owned()))
        .ok_or_else(|| OauthError::invalid_request("token is missing"))
}

/// An answer of the introspection door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Introspection {
    /// Whether the token opens anything now.
    pub active: bool,
    /// The rest, if it does.
    #[serde(flatten)]
    pub facts: Option<TokenFacts>,
}

/// What is said of a token that opens something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct TokenFacts {
    /// Granted scopes.
    pub scope: String,
    /// The relying party.
    pub client_id: String,
    /// `DPoP` or `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// The person, for this relying party's sector.
    pub sub: String,
    /// The provider.
    pub iss: String,
    /// Unix seconds of its end.
    pub exp: i64,
    /// Unix seconds of its making.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// The key it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    pub cnf: Option<Confirmation>,
}

impl Introspection {
    /// Nothing is said of a token that opens nothing, or of another client's (RFC 7662, 2.2).
    #[must_use]
    pub const fn inactive() -> Introspection {
        Introspection { active: false, facts: None }
    }

    /// An access token whose grant stands.
    #[must_use]
    pub fn of_access_token(claims: &ProviderTokenClaims) -> Introspection {
        let token_type = if claims.cnf.is_some() { "DPoP" } else { "Bearer" };
        let facts = TokenFacts {
            scope: claims.scope.clone(),
            client_id: claims.client_id.clone(),
            token_type: Some(token_type.to_owned()),
            sub: claims.sub.clone(),
            iss: claims.iss.clone(),
            exp: claims.exp,
            iat: Some(claims.iat),
            cnf: claims.cnf.clone(),
        };
        Introspection { active: true, facts: Some(facts) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::acr::Acr;
    use super::*;
    use serde_json::json;

    #[test]
    fn of_a_token_that_opens_nothing_nothing_is_said() {
        assert_eq!(serde_json::to_value(Introspection::inactive()).unwrap(), json!({"active": false}));
    }

    #[test]
    fn of_an_access_token_its_scope_its_key_and_its_end_are_said() {
        let claims = ProviderTokenClaims {
            iss: "https://i".to_owned(),
            aud: "https://i".to_owned(),
            sub: "s".to_owned(),
            client_id: "rp_shop".to_owned(),
            scope: "openid".to_owned(),
            iat: 1,
            exp: 301,
            jti: "j".to_owned(),
            auth_time: 1,
            acr: Acr::Code,
            cnf: Some(Confirmation { jkt: "k".to_owned() }),
            sid: "x".to_owned(),
        };
        let said = serde_json::to_value(Introspection::of_access_token(&claims)).unwrap();
        assert_eq!(
            said,
            json!({"active": true, "scope": "openid", "client_id": "rp_shop", "token_type": "DPoP", "sub": "s",
                "iss": "https://i", "exp": 301, "iat": 1, "cnf": {"jkt": "k"}})
        );
    }
}
