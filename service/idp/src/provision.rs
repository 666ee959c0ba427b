//! What a tenant has from its first day as an identity provider: keys, and the signed set of those that wallets pin.
//!
//! Everything is found if it is there and made if it is not, so a crash in the middle is mended by calling again.

use crate::store::secret::KeySet;
use crate::{Idp, store};
use ::store::{CommitError, Ctx, Refused, StoreFault, Unit};
use crypto::hash;
use crypto::jose::jws::Draft;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PublicKey};
use custody::{
    AGREE_USE, KeyError, KeyRef, LeafNames, Owner, Policy, RoomKey, SEAL_USE, SignError, SignerInfo,
};
use serde_json::json;
use std::pin::Pin;
use tenancy::Tenant;
use tlog::event::Event;

/// The use of the key that answers wallets.
pub const REPLY_USE: &str = "jws:seal-reply+jwt";
/// What else it signs: receipts, and the sets of keys.
const REPLY_USES: [&str; 3] = [REPLY_USE, "jws:seal-consent+jwt", "jws:seal-keys+jwt"];
/// Sets that metadata shows: a wallet that slept through more enrols again.
pub(crate) const KEY_SETS_MAX: usize = 16;

/// Why the keys are not there.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key could not be used.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Another start wrote the set meanwhile.
#[derive(Debug)]
struct SetThere;

impl Refused for SetThere {
    fn event(&self) -> Event {
        Event::RequestRefused {
            status: 409,
            operation: "publishSealKeys".to_owned(),
            code: "raced".to_owned(),
        }
    }
}

impl Idp {
    /// Makes the keys of a tenant, unless they stand, and publishes their first set. `ctx` acts inside the tenant.
    ///
    /// # Errors
    /// [`ProvisionError`].
    pub async fn provision(&self, ctx: &Ctx, tenant: &str) -> Result<(), ProvisionError> {
        // Wallets pin these two; they move when an operator moves them, and then by the chain alone.
        let pinned = Policy { rotate_every_s: 0, ..Policy::default() };
        let (country, number) = self.config.signer_id.split_at(2);
        let names = LeafNames {
            common_name: number.to_owned(),
            country: Some(country.to_owned()),
            san_uri: Some(self.config.issuer(tenant)),
            san_dns: None,
        };
        let keys: [(&[&str], _, _, _); 3] = [
            (&[AGREE_USE], "sign-in agreement", None, pinned),
            (&REPLY_USES, "replies to wallets", None, pinned),
            (&[SEAL_USE], "document seals", Some(names), Policy::default()),
        ];
        for (uses, label, names, policy) in keys {
            let key = RoomKey { owner: Owner::Idp, alg: KeyAlg::P256, uses, label, names, policy };
            self.custody.make_key(ctx, &key).await?;
        }
        self.provision_token_keys(ctx).await?;
        self.publish_keys(ctx, tenant).await
    }

    /// Publishes the set of keys that wallets pin, if it is not the newest already. A reply key that is to take over later is
    /// vouched for by the one before while that one still signs; one that took over at once is vouched for by nobody, so wallets
    /// enrol again: a former key that may be in other hands must not name its successor.
    ///
    /// # Errors
    /// [`ProvisionError`].
    pub(crate) async fn publish_keys(&self, ctx: &Ctx, tenant: &str) -> Result<(), ProvisionError> {
        let agreement = self.custody.agreement_key(ctx).await?;
        let reply = self.reply_key(ctx).await?;
        let newest = store::secret::key_sets(&self.store, ctx, 1).await?.into_iter().next();
        let next = self.next_reply(ctx, &reply).await?;
        // The newest set is signed by the key that signs now, or names the one that is to take over.
        let is_announced = |set: &KeySet| next.as_ref().is_some_and(|(kid, _)| set.kid_reply == *kid);
        let signs = |set: &KeySet| set.kid_reply == reply.kid;
        let (kid_reply, reply) = match (&newest, next.clone()) {
            // Whoever signs this would be the one that does not sign yet: it is said when it does.
            (Some(set), _) if is_announced(set) => return Ok(()),
            (Some(set), Some(next)) if signs(set) => next,
            _ => (reply.kid, reply.public),
        };
        if newest.as_ref().is_some_and(|set| set.kid_s == agreement.kid && set.kid_reply == kid_reply) {
            return Ok(());
        }
        let number = newest.map_or(1, |set| set.number + 1);
        let claims = json!({
            "iss": self.config.issuer(tenant), "iat": ctx.now.as_second(), "number": number,
            "agreement": {"kid": agreement.kid, "jwk": Jwk::from_key(&agreement.public).to_value()},
            "reply": {"kid": kid_reply, "jwk": Jwk::from_key(&reply).to_value()},
        });
        let draft = Draft::new(seal::chain::TYP, claims.to_string());
        let signed = self.custody.sign_jws(ctx, KeyRef::Use(REPLY_USE), draft).await?;
        let event = Event::SealKeysPublished {
            sha256: hash::sha256(signed.compact.as_bytes()),
            number: number.unsigned_abs(),
            key_use: signed.key,
        };
        let set = KeySet { number, kid_s: agreement.kid, kid_reply, statement: signed.compact };
        let unit = Unit::new(event).guard(store::secret::put_key_set(&set), SetThere);
        match self.store.commit(ctx, unit).await {
            Ok(_) | Err(CommitError::Lost(SetThere)) => Ok(()),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// The version of the reply key that is to take over, if one waits.
    async fn next_reply(
        &self,
        ctx: &Ctx,
        reply: &SignerInfo,
    ) -> Result<Option<(String, PublicKey)>, ProvisionError> {
        let key = self.custody.key(ctx, &reply.key_id).await?;
        Ok(key.pending().map(|version| (version.kid.clone(), version.public.clone())))
    }

    /// The key that answers wallets.
    pub(crate) async fn reply_key(&self, ctx: &Ctx) -> Result<SignerInfo, SignError> {
        self.custody.signer(ctx, KeyRef::Use(REPLY_USE)).await
    }
}

impl tenancy::Prepare for Idp {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Ctx,
        tenant: &'a Tenant,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move { self.provision(ctx, &tenant.name).await.map_err(|error| error.to_string()) })
    }
}
