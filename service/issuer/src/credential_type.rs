//! Credential types: what a tenant issues.
//!
//! A tenant begins with one type, `diploma`, which its first day needs; more are made by its operators.

use crate::store::{self, TypeRow};
use crate::{Issuer, signer};
use ::store::{Ctx, Memo, Stmt, StoreFault, TenantId};
use credential::credential_type::CredentialType;
use openid::vci::CredentialConfiguration;
use openid::vci::metadata::SD_JWT_VC;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tlog::event::Event;

/// Types in one metadata document; a wallet reads all of them.
pub const TYPES_MAX: usize = 200;

/// Types kept parsed: a thousand tenants with one each, a few KiB each. Beyond it the memory starts anew.
const PARSED_MAX: usize = 1_024;

/// Types kept as they were read: as many as are kept parsed.
pub(crate) const KINDS_MAX: usize = PARSED_MAX;

/// Types by tenant and name, as the last commit left them.
pub(crate) type Kinds = Memo<(TenantId, String), Arc<Kind>>;

/// How long a credential of the first type lives.
const DIPLOMA_VALID_FOR_S: i64 = 365 * 86_400;

/// A type, parsed.
#[derive(Clone)]
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
    pub rules: Arc<CredentialType>,
    /// Its rules as they were given.
    pub claims: Arc<Value>,
}

/// Rules that were parsed before, by the words of their row: the same words are the same rules, so nothing here is ever out of date.
#[derive(Default)]
pub(crate) struct Parsed(Mutex<HashMap<(String, String), Rules>>);

type Rules = (Arc<CredentialType>, Arc<Value>);

impl Parsed {
    fn rules(&self, row: &TypeRow) -> Result<Rules, StoreFault> {
        let words = (row.vct.clone(), row.claims.clone());
        if let Some(known) = self.lock().get(&words) {
            return Ok(known.clone());
        }
        let claims: Value = serde_json::from_str(&row.claims).unwrap_or(Value::Null);
        let rules = CredentialType::parse(&row.vct, &claims).map_err(|_| StoreFault::Engine {
            cause: format!("the credential type {} does not parse", row.name),
        })?;
        let rules: Rules = (Arc::new(rules), Arc::new(claims));
        let mut known = self.lock();
        if known.len() >= PARSED_MAX {
            known.clear();
        }
        known.insert(words, rules.clone());
        Ok(rules)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Rules>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    pub async fn kind(&self, ctx: &Ctx, name: &str) -> Result<Option<Arc<Kind>>, StoreFault> {
        // That there is none is not remembered: anybody may ask for any name.
        let read = async {
            let row = store::kind(&self.store, ctx, name).await?.ok_or(None)?;
            Ok(Arc::new(Kind::of(row, &self.parsed)?))
        };
        match self.kinds.get(ctx, (ctx.tenant.clone(), name.to_owned()), read).await {
            Ok(kind) => Ok(Some(kind)),
            Err(None) => Ok(None),
            Err(Some(fault)) => Err(fault),
        }
    }

    /// Types of the tenant in order of name.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn kinds(&self, ctx: &Ctx, after: &str, limit: usize) -> Result<Vec<Kind>, StoreFault> {
        let rows = store::kinds(&self.store, ctx, after, limit).await?;
        rows.into_iter().map(|row| Kind::of(row, &self.parsed)).collect()
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
    fn of(row: TypeRow, parsed: &Parsed) -> Result<Self, StoreFault> {
        let (rules, claims) = parsed.rules(&row)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(vct: &str, claims: &str) -> TypeRow {
        TypeRow {
            name: "diploma".to_owned(),
            format: SD_JWT_VC.to_owned(),
            vct: vct.to_owned(),
            claims: claims.to_owned(),
            valid_for_s: 1,
            version: 1,
            created_at_ms: 0,
        }
    }

    #[test]
    fn rules_are_parsed_once_and_other_words_are_other_rules() {
        let parsed = Parsed::default();
        let one = row("https://issuer.test/one", r#"[{"path":["name"],"type":"string"}]"#);
        let rules = parsed.rules(&one).unwrap().0;
        assert!(Arc::ptr_eq(&rules, &parsed.rules(&one).unwrap().0));
        let changed = row("https://issuer.test/one", r#"[{"path":["name"],"type":"date"}]"#);
        assert!(!Arc::ptr_eq(&rules, &parsed.rules(&changed).unwrap().0));
        let other = row("https://issuer.test/two", &one.claims);
        assert_eq!(parsed.rules(&other).unwrap().0.vct(), "https://issuer.test/two");
        assert!(parsed.rules(&row("https://issuer.test/one", "[{}]")).is_err());
    }

    #[test]
    fn the_memory_is_bounded() {
        let parsed = Parsed::default();
        for nth in 0..PARSED_MAX + 2 {
            parsed.rules(&row(&format!("https://issuer.test/{nth}"), "[]")).unwrap();
        }
        assert!(parsed.lock().len() <= PARSED_MAX);
    }
}
