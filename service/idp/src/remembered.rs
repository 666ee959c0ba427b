//! What a process remembers, so that a request does not read or derive it again. Nothing here can be stale: each thing is either
//! never changed, or asked for by what its row says at this moment.
//!
//! - relying parties, parsed: until a commit changes their table ([`::store::Memo`]);
//! - the three secrets of a tenant: they never change;
//! - access tokens that this process signed: what they say, while the version that signed them is the one in use. Their grant is read
//!   at every use, so an ended one ends here too;
//! - the keys of a session that a wallet has claimed: a function of T0 and the enrolment, and only while the version of S that made
//!   them is the one in use. They go with the session's end, and are wiped then.

use crate::relying_party::RelyingParty;
use crate::signin::{Loaded, SigninError};
use crate::{Idp, store};
use ::store::{Ctx, Memo, Store, StoreFault, TenantId, id};
use crypto::hash;
use crypto::secret::Secret;
use openid::oidc::ProviderTokenClaims;
use seal::code::KeySchedule;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Relying parties: those of a thousand tenants; 4 KiB each.
const PARTIES_MAX: usize = 4_096;
/// Secrets: three a tenant, for as many tenants as have open KEKs.
const SECRETS_MAX: usize = 3 * 4_096;
/// Access tokens: those of half a minute of the rate that one process can serve; half a KiB each. Beyond it tokens are verified again.
const TOKENS_MAX: usize = 8_192;
/// Sessions between claim and answer: minutes of the rate that one process can serve; 200 bytes each.
const SCHEDULES_MAX: usize = 8_192;

/// A shelf with a bound: whoever finds it full empties it, which costs time and nothing else.
struct Shelf<K, V> {
    kept: Mutex<HashMap<K, Arc<V>>>,
    most: usize,
}

impl<K: Eq + Hash, V> Shelf<K, V> {
    fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most }
    }

    fn get(&self, key: &K) -> Option<Arc<V>> {
        self.lock().get(key).cloned()
    }

    fn put(&self, key: K, value: Arc<V>) {
        let mut kept = self.lock();
        if kept.len() >= self.most {
            kept.clear();
        }
        kept.insert(key, value);
    }

    fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<V>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shelves of a process.
pub(crate) struct Remembered {
    parties: Memo<(TenantId, String), Arc<RelyingParty>>,
    tokens: Shelf<(TenantId, [u8; 32]), OwnToken>,
    secrets: Shelf<(TenantId, &'static str), Secret<[u8; 32]>>,
    schedules: Shelf<[u8; 32], Schedule>,
}

/// The keys of one session, with what they hold for beside T0.
struct Schedule {
    enrolment: String,
    until_ms: i64,
    keys: Arc<KeySchedule>,
}

/// An access token that this process signed.
pub(crate) struct OwnToken {
    /// The version that signed it.
    pub(crate) kid: String,
    /// What it says.
    pub(crate) claims: ProviderTokenClaims,
}

impl Remembered {
    /// Empty shelves over this store.
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            parties: Memo::new(store, &["idp_relying_party"], PARTIES_MAX),
            tokens: Shelf::new(TOKENS_MAX),
            secrets: Shelf::new(SECRETS_MAX),
            schedules: Shelf::new(SCHEDULES_MAX),
        }
    }

    /// Keeps what an access token says that was signed here.
    pub(crate) fn keep_token(&self, tenant: &TenantId, token: &str, own: OwnToken) {
        self.tokens.put((tenant.clone(), hash::sha256(token.as_bytes())), Arc::new(own));
    }

    /// An access token that was signed here.
    pub(crate) fn token(&self, tenant: &TenantId, token: &str) -> Option<Arc<OwnToken>> {
        self.tokens.get(&(tenant.clone(), hash::sha256(token.as_bytes())))
    }

    /// A secret that was read before.
    pub(crate) fn secret(&self, tenant: &TenantId, name: &'static str) -> Option<Arc<Secret<[u8; 32]>>> {
        self.secrets.get(&(tenant.clone(), name))
    }

    /// Keeps a secret that was read.
    pub(crate) fn keep_secret(&self, tenant: &TenantId, name: &'static str, value: &Arc<Secret<[u8; 32]>>) {
        self.secrets.put((tenant.clone(), name), value.clone());
    }

    /// A session is over: its keys go.
    pub(crate) fn forget_session(&self, t0: &[u8; 32]) {
        self.schedules.forget(t0);
    }

    /// Forgets sessions and tokens whose time is over.
    pub(crate) fn forget_late(&self, now_ms: i64) {
        self.tokens.lock().retain(|_, own| now_ms.div_euclid(1_000) < own.claims.exp);
        self.schedules.lock().retain(|_, schedule| now_ms < schedule.until_ms);
    }
}

impl Idp {
    /// The relying party as the last commit left it. That there is none is not remembered: anybody may ask for any id.
    pub(crate) async fn party(
        &self,
        ctx: &Ctx,
        client_id: &str,
    ) -> Result<Option<Arc<RelyingParty>>, StoreFault> {
        if !id::is("rp", client_id) {
            return Ok(None);
        }
        let key = (ctx.tenant.clone(), client_id.to_owned());
        let read = async {
            let found = store::relying_party::one(&self.store, ctx, client_id).await;
            found.map_err(Some)?.map(Arc::new).ok_or(None)
        };
        match self.remembered.parties.get(ctx, key, read).await {
            Ok(party) => Ok(Some(party)),
            Err(None) => Ok(None),
            Err(Some(fault)) => Err(fault),
        }
    }

    /// The keys of a session that a wallet has claimed: derived once, while the version of S that they come from is in use. With any
    /// other version custody decides anew, as for each use of a key.
    pub(crate) async fn keys_of(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        enrolment: &crate::enrolment::Enrolment,
    ) -> Result<Arc<KeySchedule>, SigninError> {
        let t0 = &loaded.row.t0;
        if let Some(kept) = self.remembered.schedules.get(t0)
            && kept.enrolment == enrolment.id
            && self.custody.agreement_key(ctx).await.is_ok_and(|key| key.kid == loaded.row.kid_s)
        {
            return Ok(kept.keys.clone());
        }
        let keys = Arc::new(self.derived_keys(ctx, loaded, enrolment).await?);
        let schedule =
            Schedule { enrolment: enrolment.id.clone(), until_ms: loaded.row.ends_at_ms, keys: keys.clone() };
        self.remembered.schedules.put(*t0, Arc::new(schedule));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_shelf_is_emptied_and_goes_on() {
        let shelf = Shelf::new(2);
        for number in 0..5 {
            shelf.put(number, Arc::new(number));
            assert_eq!(shelf.get(&number).as_deref(), Some(&number));
            assert!(shelf.lock().len() <= 2);
        }
    }
}
