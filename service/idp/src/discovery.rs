//! What the provider says of itself: metadata and keys.

use crate::Idp;
use ::store::{Ctx, StoreFault};
use openid::oidc::ProviderMetadata;
use seal::scope::Scope;
use serde_json::Value;

/// Scopes beside the atomic ones, which stand for several.
const COMPOSITES: [&str; 5] =
    ["profile", "identity:basic", "identity:age_verification", "identity:full", "identity:full_with_photo"];

/// Claims of every sign-in.
const TOKEN_CLAIMS: [&str; 11] =
    ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "consent_hash"];

impl Idp {
    /// The metadata of a tenant's provider; the same at each well-known address.
    #[must_use]
    pub fn provider_metadata(&self, tenant: &str) -> Value {
        let atomic = Scope::ALL.iter().map(|scope| scope.as_str());
        let scopes: Vec<String> = atomic.chain(COMPOSITES).map(str::to_owned).collect();
        let of_scopes = Scope::ALL.iter().flat_map(|scope| scope.claims().iter().copied());
        let claims: Vec<String> = TOKEN_CLAIMS.into_iter().chain(of_scopes).map(str::to_owned).collect();
        ProviderMetadata { issuer: &self.config.issuer(tenant), scopes: &scopes, claims: &claims }.to_value()
    }

    /// The public parts of the keys that sign tokens and receipts.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn provider_jwks(&self, ctx: &Ctx) -> Result<Value, StoreFault> {
        self.custody.provider_jwks(ctx).await
    }
}
