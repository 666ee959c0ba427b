//! The two metadata documents of a tenant's issuer: only what this version serves, as a wallet uses what it sees.

use crate::Issuer;
use crate::credential_type::TYPES_MAX;
use ::store::{Ctx, StoreFault};
use openid::oauth::AuthorizationServerMetadata;
use openid::vci::IssuerMetadata;

impl Issuer {
    /// OpenID4VCI 1.0, 12.2.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn issuer_metadata(&self, ctx: &Ctx, tenant: &str) -> Result<IssuerMetadata, StoreFault> {
        let issuer = self.config.issuer(tenant);
        let kinds = self.kinds(ctx, "", TYPES_MAX).await?;
        Ok(IssuerMetadata {
            credential_endpoint: format!("{issuer}/vci/credential"),
            nonce_endpoint: Some(format!("{issuer}/vci/nonce")),
            credential_issuer: issuer,
            authorization_servers: Vec::new(),
            batch_credential_issuance: None,
            display: Vec::new(),
            credential_configurations_supported: kinds
                .into_iter()
                .map(|kind| (kind.name.clone(), kind.configuration()))
                .collect(),
        })
    }

    /// RFC 8414; the issuer is its own authorization server.
    pub fn server_metadata(&self, tenant: &str) -> AuthorizationServerMetadata {
        let issuer = self.config.issuer(tenant);
        AuthorizationServerMetadata::pre_authorized(&issuer, format!("{issuer}/vci/token"))
    }
}
