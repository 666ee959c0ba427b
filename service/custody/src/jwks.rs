//! Key sets: the public parts that others verify by, for as long as anything that they signed lives.
//!
//! Invariants: no private part can get here, as a [`PublicKey`](crypto::key::PublicKey) has none; a compromised version is gone at
//! once; a pending one is there ahead of its use; keys that sign no JWS and no COSE (roots, logs, agreement) are not listed.

use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use jiff::Timestamp;
use openid::oauth::PublishedKey;
use serde_json::{Value, json};
use store::{Ctx, StoreFault};

use crate::key::{Key, Owner, Version};
use crate::store as rows;
use crate::usage::Container;
use crate::{Custody, provision, token};

impl Custody {
    /// `I/jwks`: every published version of the tenant's keys for JWS and COSE.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn jwks(&self, ctx: &Ctx) -> Result<Value, StoreFault> {
        let signs = |key: &Key| {
            matches!(key.uses.container(), Container::Jws | Container::JwsRs256 | Container::Cose)
        };
        self.set(ctx, |key| signs(key) && key.slot.as_deref() != Some(token::USE)).await
    }

    /// `I/jwks` of the identity provider: the keys that sign its tokens and receipts, and no others.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn provider_jwks(&self, ctx: &Ctx) -> Result<Value, StoreFault> {
        let signs = |key: &Key| matches!(key.uses.container(), Container::Jws | Container::JwsRs256);
        self.set(ctx, |key| key.owner == Owner::Idp && signs(key)).await
    }

    /// `<public_url>/oauth/jwks`: the keys of access tokens. `ctx` acts for the system tenant.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn token_jwks(&self, ctx: &Ctx) -> Result<Value, StoreFault> {
        self.set(ctx, |key| key.owner == Owner::Custody && key.slot.as_deref() == Some(token::USE)).await
    }

    /// `/.well-known/jwt-vc-issuer/t/TENANT`: the keys that sign the tenant's credentials, and no others.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn vc_issuer(&self, ctx: &Ctx, tenant_name: &str) -> Result<Value, StoreFault> {
        let jwks = self
            .set(ctx, |key| key.owner == Owner::Issuer && key.slot.as_deref() == Some(provision::SD_JWT_USE))
            .await?;
        Ok(json!({ "issuer": self.identifier(tenant_name), "jwks": jwks }))
    }

    /// One key as the set of its versions that are published at `now`.
    pub fn key_set(&self, key: &Key, now: Timestamp) -> Value {
        let published = |version: &&Version| version.state.is_published(version.keep_public_until, now);
        let keys: Vec<Value> =
            key.versions.iter().filter(published).map(|version| jwk(key, version)).collect();
        json!({ "keys": keys })
    }

    /// Hands the access-token keys to edge's token check: at start, and after each move of that key.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn publish_token_keys(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        let published = rows::published(self.store(), ctx).await?;
        let is_token_key = |key: &Key| key.owner == Owner::Custody && key.slot.as_deref() == Some(token::USE);
        let keys = published.iter().filter(|(key, _)| is_token_key(key));
        let keys: Vec<PublishedKey> =
            keys.map(|(_, version)| PublishedKey::signing(&version.public, SignAlg::Es256)).collect();
        self.own_keys().replace(&keys);
        Ok(())
    }

    async fn set(&self, ctx: &Ctx, is_listed: impl Fn(&Key) -> bool) -> Result<Value, StoreFault> {
        let published = rows::published(self.store(), ctx).await?;
        let listed = published.iter().filter(|(key, _)| is_listed(key));
        let keys: Vec<Value> = listed.map(|(key, version)| jwk(key, version)).collect();
        Ok(json!({ "keys": keys }))
    }
}

/// A version as a JWK: public members, `kid`, and what it is for.
pub fn jwk(key: &Key, version: &Version) -> Value {
    match key.uses.container().default_alg(key.alg) {
        // An RSA key signs PS256 to PS512, so no one algorithm may be stated.
        Some(alg) if !key.alg.is_rsa() || key.uses.container() == Container::JwsRs256 => {
            PublishedKey::signing(&version.public, alg).to_value()
        }
        Some(_) => with(&version.public, "sig"),
        None => PublishedKey::encryption(&version.public).to_value(),
    }
}

fn with(public: &crypto::key::PublicKey, usage: &str) -> Value {
    let jwk = Jwk::from_key(public);
    let mut value = jwk.to_value();
    value["kid"] = jwk.kid().into();
    value["use"] = usage.into();
    value
}
