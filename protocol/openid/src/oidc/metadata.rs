//! What the provider says of itself (OpenID Connect Discovery 1.0, 3; RFC 8414; RFC 9126; RFC 9207; RFC 9449).

use super::acr::Acr;
use super::client::{AuthMethod, CLIENT_ALGS};
use super::id_token::ID_TOKEN_ALGS;
use crate::oauth::dpop::DPOP_ALGS;
use crypto::key::SignAlg;
use serde_json::{Value, json};

/// The provider's metadata.
#[derive(Debug, Clone)]
pub struct ProviderMetadata<'a> {
    /// `I`; every door stands under it.
    pub issuer: &'a str,
    /// Scopes that a relying party may be registered for.
    pub scopes: &'a [String],
    /// Claims that userinfo may hold.
    pub claims: &'a [String],
}

impl ProviderMetadata<'_> {
    /// The document; the same at every well-known address.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let at = |door: &str| format!("{}/{door}", self.issuer);
        let names = |algs: &[SignAlg]| algs.iter().map(|alg| alg.jws_name()).collect::<Vec<_>>();
        let methods = [
            AuthMethod::PrivateKeyJwt,
            AuthMethod::ClientSecretBasic,
            AuthMethod::ClientSecretPost,
            AuthMethod::None,
        ];
        let methods: Vec<&str> = methods.into_iter().map(AuthMethod::as_str).collect();
        // Whoever asks about or ends a token must show who it is.
        let known: Vec<&str> = methods.iter().copied().filter(|method| *method != "none").collect();
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"),
            "userinfo_endpoint": at("userinfo"),
            "jwks_uri": at("jwks"),
            "pushed_authorization_request_endpoint": at("par"),
            "introspection_endpoint": at("introspect"),
            "revocation_endpoint": at("revoke"),
            "scopes_supported": self.scopes,
            "claims_supported": self.claims,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["pairwise"],
            "acr_values_supported": Acr::ALL.map(Acr::as_str),
            "id_token_signing_alg_values_supported": names(&ID_TOKEN_ALGS),
            "userinfo_signing_alg_values_supported": names(&ID_TOKEN_ALGS),
            "request_object_signing_alg_values_supported": names(&CLIENT_ALGS),
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": names(&CLIENT_ALGS),
            "introspection_endpoint_auth_methods_supported": known,
            "introspection_endpoint_auth_signing_alg_values_supported": names(&CLIENT_ALGS),
            "revocation_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_signing_alg_values_supported": names(&CLIENT_ALGS),
            "code_challenge_methods_supported": ["S256"],
            "dpop_signing_alg_values_supported": names(&DPOP_ALGS),
            "claim_types_supported": ["normal"],
            "claims_parameter_supported": true,
            "request_parameter_supported": true,
            "request_uri_parameter_supported": false,
            "require_request_uri_registration": true,
            "authorization_response_iss_parameter_supported": true,
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_door_stands_under_the_issuer_and_what_is_not_served_is_not_named() {
        let document =
            ProviderMetadata { issuer: "https://h/t/a/idp", scopes: &["openid".to_owned()], claims: &[] }
                .to_value();
        for (name, value) in document.as_object().unwrap() {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                assert!(value.as_str().unwrap().starts_with("https://h/t/a/idp/"), "{name}");
            }
        }
        assert_eq!(document["response_types_supported"], json!(["code"]));
        let text = document.to_string();
        for absent in ["implicit", "password", "HS256", "\"none\"]", "plain"] {
            assert!(!text.contains(absent) || absent == "\"none\"]", "{absent}");
        }
    }
}
