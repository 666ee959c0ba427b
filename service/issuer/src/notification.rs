//! What wallets tell of the copies they were given (OpenID4VCI 1.0, 11).
//!
//! An id is good for the grant that it was given to and for no other. What is told twice is one event; a loss is final.

use crate::Issuer;
use crate::credential::{IssueError, Loaded};
use crate::possession::{Shown, ToSpend};
use crate::revoke::LIST_CHANGED;
use crate::store;
use ::store::{CommitError, Ctx, Unit};
use openid::vci::{Check, NotificationEvent, NotificationRequest};
use tlog::event::Event;

/// The door's name under `I/vci`.
const DOOR: &str = "notification";

/// What is told now, what was told before, and the proof that came with it.
struct News {
    request: NotificationRequest,
    before: String,
    proof: Option<ToSpend>,
}

impl Issuer {
    /// Takes a notification; one that tells nothing new changes nothing.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn notify(
        &self,
        ctx: &Ctx,
        tenant: &str,
        shown: &Shown<'_>,
        body: &[u8],
    ) -> Result<(), IssueError> {
        let loaded = self.loaded(ctx, shown.access.token).await?;
        let proof = match self.shown(ctx, tenant, DOOR, &loaded, shown).await? {
            Ok(proof) => proof,
            Err(check) => return Err(self.refuse(ctx, &loaded, check.into()).await?),
        };
        let request = match NotificationRequest::parse(body) {
            Ok(request) => request,
            Err(refusal) => return Err(self.refuse(ctx, &loaded, refusal).await?),
        };
        let sha256 = request.id_sha256();
        let Some(before) = store::notification(&self.store, ctx, sha256, &loaded.grant.id).await? else {
            return Err(self.refuse(ctx, &loaded, Check::NotificationKnown.into()).await?);
        };
        if !request.event.is_news(NotificationEvent::parse(&before)) {
            return Ok(());
        }
        self.keep(ctx, tenant, &loaded, News { request, before, proof }).await
    }

    async fn keep(&self, ctx: &Ctx, tenant: &str, loaded: &Loaded, news: News) -> Result<(), IssueError> {
        let News { request, before, proof } = news;
        let (sha256, credential) = (request.id_sha256(), &loaded.credential.id);
        let revokes = request.event.is_loss() && self.config.revoke_on_failure;
        let revoked = match revokes {
            true => store::notified_count(&self.store, ctx, credential, sha256).await?,
            false => 0,
        };
        let event = Event::NotificationReceived {
            holder: loaded.holder.clone(),
            revoked,
            grant: loaded.grant.id.clone(),
            credential: credential.clone(),
            told: request.event.as_str().to_owned(),
        };
        let notified = store::notified(sha256, request.event.as_str(), &before);
        let mut unit = Unit::new(event).guard(notified, loaded.lost(Check::NotificationKnown));
        if let Some(proof) = proof {
            unit = unit.guard(proof.stmt(), loaded.lost(proof.check));
        }
        if revokes {
            unit = unit.put_all(store::revoke_notified(credential, sha256));
        }
        match self.store.commit(ctx, unit).await {
            Ok(_) if revoked > 0 => self.tell_lists(ctx, tenant, credential).await,
            Ok(_) => Ok(()),
            Err(CommitError::Lost(lost)) if lost.check == Check::NotificationKnown => Ok(()),
            Err(CommitError::Lost(lost)) => {
                Err(IssueError::Refused { refusal: lost.check.into(), recorded: true })
            }
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Hints that the lists of a credential's copies changed.
    async fn tell_lists(&self, ctx: &Ctx, tenant: &str, credential: &str) -> Result<(), IssueError> {
        for copy in store::copies(&self.store, ctx, credential).await? {
            self.store.bus().publish(LIST_CHANGED, self.config.list_uri(tenant, copy.list));
        }
        Ok(())
    }
}
