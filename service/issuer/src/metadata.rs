//! The two metadata documents of a tenant's issuer: only what this version serves, as a wallet uses what it sees.

use crate::Issuer;
use crate::credential_type::TYPES_MAX;
use ::store::{Ctx, Memo, StoreFault, TenantId};
use openid::oauth::AuthorizationServerMetadata;
use openid::vci::IssuerMetadata;
use openid::vci::metadata::BatchIssuance;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::sync::Arc;

/// A smaller batch is none (OpenID4VCI 1.0, 12.2.4).
const BATCH_SIZE_MIN: usize = 2;

/// Documents kept written out: one of each of a thousand tenants, a KiB and more each.
pub(crate) const DOCUMENTS_MAX: usize = 1_024;

/// Issuer metadata by tenant, as its types are since the last commit.
pub(crate) type Documents = Memo<(TenantId, String), Document>;

/// A document as it is sent, written out once.
#[derive(Clone, Debug)]
pub struct Document(Arc<RawValue>);

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl Issuer {
    /// OpenID4VCI 1.0, 12.2.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn issuer_document(&self, ctx: &Ctx, tenant: &str) -> Result<Document, StoreFault> {
        let read = async {
            let written = serde_json::value::to_raw_value(&self.issuer_metadata(ctx, tenant).await?);
            let written = written.map_err(|fault| StoreFault::Engine { cause: fault.to_string() })?;
            Ok(Document(Arc::from(written)))
        };
        self.documents.get(ctx, (ctx.tenant.clone(), tenant.to_owned()), read).await
    }

    async fn issuer_metadata(&self, ctx: &Ctx, tenant: &str) -> Result<IssuerMetadata, StoreFault> {
        let issuer = self.config.issuer(tenant);
        let batch_size = self.config.batch_size;
        let kinds = self.kinds(ctx, "", TYPES_MAX).await?;
        Ok(IssuerMetadata {
            credential_endpoint: format!("{issuer}/vci/credential"),
            nonce_endpoint: Some(format!("{issuer}/vci/nonce")),
            notification_endpoint: Some(format!("{issuer}/vci/notification")),
            credential_issuer: issuer,
            authorization_servers: Vec::new(),
            batch_credential_issuance: (batch_size >= BATCH_SIZE_MIN).then_some(BatchIssuance { batch_size }),
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
            .with_dpop()
            .with_attestation(self.config.wallet_attestation_required)
    }
}
