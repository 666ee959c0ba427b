//! Authorization server metadata (RFC 8414; OpenID4VCI 1.0, 12.3).

use super::token::PRE_AUTHORIZED_CODE;
use super::{client_attestation, dpop};
use crate::wire::{self, WireError};
use crypto::key::SignAlg;
use serde::{Deserialize, Serialize};

/// Suffix of the well-known address.
pub const WELL_KNOWN: &str = "oauth-authorization-server";

/// Most bytes of a server's metadata that a wallet reads.
pub const SERVER_METADATA_BYTES_MAX: usize = 64 * 1024;

/// What an authorization server serves; members this build does not use are ignored when read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationServerMetadata {
    /// The server's identifier, compared byte by byte.
    pub issuer: String,
    /// Where tokens are asked for.
    pub token_endpoint: String,
    /// Where its keys stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Compulsory in RFC 8414; empty where no authorization endpoint is served.
    #[serde(default)]
    pub response_types_supported: Vec<String>,
    /// Grants the token endpoint takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grant_types_supported: Vec<String>,
    /// How clients prove themselves there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Algorithms of `private_key_jwt` assertions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// Algorithms of DPoP proofs (RFC 9449, 5.1); empty where none are taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// Algorithms of client attestations (attestation-based client authentication, 10.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_attestation_signing_alg_values_supported: Vec<String>,
    /// Algorithms of the proofs that go with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_attestation_pop_signing_alg_values_supported: Vec<String>,
    /// A wallet may redeem a pre-authorised code without naming itself.
    #[serde(rename = "pre-authorized_grant_anonymous_access_supported", default)]
    pub anonymous_pre_authorized: bool,
}

impl AuthorizationServerMetadata {
    /// The metadata of a server that only redeems pre-authorised codes, from anonymous wallets.
    #[must_use]
    pub fn pre_authorized(issuer: &str, token_endpoint: String) -> AuthorizationServerMetadata {
        AuthorizationServerMetadata {
            issuer: issuer.to_owned(),
            token_endpoint,
            jwks_uri: None,
            response_types_supported: Vec::new(),
            grant_types_supported: vec![PRE_AUTHORIZED_CODE.to_owned()],
            token_endpoint_auth_methods_supported: vec!["none".to_owned()],
            token_endpoint_auth_signing_alg_values_supported: Vec::new(),
            dpop_signing_alg_values_supported: Vec::new(),
            client_attestation_signing_alg_values_supported: Vec::new(),
            client_attestation_pop_signing_alg_values_supported: Vec::new(),
            anonymous_pre_authorized: true,
        }
    }

    /// The same where DPoP proofs are taken.
    #[must_use]
    pub fn with_dpop(mut self) -> AuthorizationServerMetadata {
        self.dpop_signing_alg_values_supported = names(&dpop::DPOP_ALGS);
        self
    }

    /// The same where wallets may attest themselves, or must.
    #[must_use]
    pub fn with_attestation(mut self, is_required: bool) -> AuthorizationServerMetadata {
        if is_required {
            self.token_endpoint_auth_methods_supported.clear();
            self.anonymous_pre_authorized = false;
        }
        self.token_endpoint_auth_methods_supported.push(client_attestation::AUTH_METHOD.to_owned());
        self.client_attestation_signing_alg_values_supported = names(&client_attestation::ATTESTATION_ALGS);
        self.client_attestation_pop_signing_alg_values_supported =
            names(&client_attestation::ATTESTATION_ALGS);
        self
    }

    /// Reads a server's metadata, as a wallet gets it.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<AuthorizationServerMetadata, WireError> {
        wire::read(bytes, SERVER_METADATA_BYTES_MAX)
    }
}

fn names(algs: &[SignAlg]) -> Vec<String> {
    algs.iter().map(|alg| alg.jws_name().to_owned()).collect()
}
