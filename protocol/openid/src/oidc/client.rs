//! What a relying party is registered for, as far as the provider's decisions read it.

use super::acr::Acr;
use crypto::key::SignAlg;
use serde::{Deserialize, Serialize};

/// Most redirect URIs of a relying party.
pub const REDIRECT_URIS_MAX: usize = 32;

/// How a relying party shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// A signed assertion (RFC 7523).
    PrivateKeyJwt,
    /// Nothing; then every token is bound to a DPoP key.
    None,
    /// A secret in the Basic header.
    ClientSecretBasic,
    /// A secret in the form.
    ClientSecretPost,
}

/// Algorithms of assertions and request objects.
pub const CLIENT_ALGS: [SignAlg; 3] = [SignAlg::Es256, SignAlg::EdDsa, SignAlg::Ps256];

/// A relying party, as the judge of its requests sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// `client_id`.
    pub client_id: String,
    /// Where browsers may be sent.
    pub redirect_uris: Vec<String>,
    /// Whether it is an app on the person's own device (RFC 8252): loopback addresses with any port.
    pub is_native: bool,
    /// Scopes it may ask for.
    pub scopes: Vec<String>,
    /// How it shows who it is.
    pub auth_method: AuthMethod,
    /// Whether requests must be pushed (RFC 9126).
    pub require_par: bool,
    /// Whether a code challenge must be there.
    pub require_pkce: bool,
    /// The least `acr` it takes.
    pub acr_min: Option<Acr>,
}

impl AuthMethod {
    /// The name in metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AuthMethod::PrivateKeyJwt => "private_key_jwt",
            AuthMethod::None => "none",
            AuthMethod::ClientSecretBasic => "client_secret_basic",
            AuthMethod::ClientSecretPost => "client_secret_post",
        }
    }

    /// Whether the relying party has something that only it knows.
    #[must_use]
    pub const fn is_confidential(self) -> bool {
        !matches!(self, AuthMethod::None)
    }
}

impl Client {
    /// Whether a code challenge must be there: always for a client that has neither key nor secret.
    #[must_use]
    pub const fn needs_pkce(&self) -> bool {
        self.require_pkce || !self.auth_method.is_confidential()
    }
}
