//! Credential types: what a tenant issues.
//!
//! A tenant begins with one type, `diploma`, which its first day needs; more are made by its operators.

use crate::store::{self, TypeRow};
use crate::{Issuer, signer};
use ::store::{Ctx, Stmt, StoreFault};
use credential::credential_type::CredentialType;
use openid::vci::CredentialConfiguration;
use openid::vci::metadata::SD_JWT_VC;
use serde_json::{Value, json};
use tlog::event::Event;

/// Types in one metadata document; a wallet reads all of them.
pub const TYPES_MAX: usize = 200;

/// How long a credential of the first type lives.
const DIPLOMA_VALID_FOR_S: i64 = 365 * 86_400;

/// A type, parsed.
pub struct Kind {
    /// Its name, which is also the configuration id and the scope.
    pub name: String,
    /// `dc+sd-jwt`.
    pub format: String,
    /// Seconds that its credentials live unless the request says otherwise.
    pub valid_for_s: i64,
    /// Its version, from 1.
    pub version: i64,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// Its rules.
    pub rules: CredentialType,
    /// Its rules as they were given.
    pub claims: Value,
}

impl Issuer {
    /// Gives a new tenant its first type. Idempotent.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn provision(&self, ctx: &Ctx, tenant: &str) -> Result<(), StoreFault> {
        if store::kind(&self.store, ctx, "diploma").await?.is_some() {
            return Ok(());
        }
        let claims = json!([
            { "path": ["given_name"], "type": "string", "mandatory": true, "sd": "always" },
            { "path": ["family_name"], "type": "string", "sd": "always" },
            { "path": ["birthdate"], "type": "date", "sd": "always" },
            { "path": ["degree"], "type": "object", "sd": "allowed" },
            { "path": ["degree", "type"], "type": "string", "mandatory": true, "sd": "always" },
            { "path": ["degree", "subject"], "type": "string", "sd": "always" },
            { "path": ["graduated_on"], "type": "date", "sd": "always" },
        ]);
        let row = TypeRow {
            name: "diploma".into(),
            format: SD_JWT_VC.into(),
            vct: format!("{}/vct/diploma", self.config.issuer(tenant)),
            claims: claims.to_string(),
            valid_for_s: DIPLOMA_VALID_FOR_S,
            version: 1,
            created_at_ms: ctx.now_ms(),
        };
        let event = Event::CredentialTypePut {
            sha256: crypto::hash::sha256(row.claims.as_bytes()),
            name: row.name.clone(),
            version: 1,
        };
        let put: Stmt = store::put_type(&row);
        let unit = ::store::Unit::<std::convert::Infallible>::new(event).put(put);
        self.store.commit(ctx, unit).await.map(|_| ()).map_err(|fault| match fault {
            ::store::CommitError::Fault(fault) => fault,
            ::store::CommitError::Lost(never) => match never {},
        })
    }

    /// One type of the tenant.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn kind(&self, ctx: &Ctx, name: &str) -> Result<Option<Kind>, StoreFault> {
        store::kind(&self.store, ctx, name).await?.map(Kind::of).transpose()
    }

    /// Types of the tenant in order of name.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn kinds(&self, ctx: &Ctx, after: &str, limit: usize) -> Result<Vec<Kind>, StoreFault> {
        store::kinds(&self.store, ctx, after, limit).await?.into_iter().map(Kind::of).collect()
    }
}

impl tenancy::Prepare for Issuer {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Ctx,
        tenant: &'a tenancy::Tenant,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            self.provision(ctx, &tenant.name).await.map_err(|fault| fault.to_string())?;
            // The first list stands from the first day, so that no verifier learns from its absence that nothing was issued.
            self.keep_lists_open(ctx).await.map_err(|fault| fault.to_string())
        })
    }
}

impl Kind {
    fn of(row: TypeRow) -> Result<Self, StoreFault> {
        let claims: Value = serde_json::from_str(&row.claims).unwrap_or(Value::Null);
        let rules = CredentialType::parse(&row.vct, &claims).map_err(|_| StoreFault::Engine {
            cause: format!("the credential type {} does not parse", row.name),
        })?;
        Ok(Self {
            name: row.name,
            format: row.format,
            valid_for_s: row.valid_for_s,
            version: row.version,
            created_at_ms: row.created_at_ms,
            rules,
            claims,
        })
    }

    /// Its entry in the issuer's metadata.
    pub(crate) fn configuration(&self) -> CredentialConfiguration {
        CredentialConfiguration::sd_jwt_vc(
            self.rules.vct(),
            &self.name,
            signer::CREDENTIAL_ALG,
            &signer::PROOF_ALGS,
        )
    }
}
