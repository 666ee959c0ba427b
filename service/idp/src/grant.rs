//! Grants: what a relying party may do for a person, until it ends. Its end is the end of every token, at once.

use crate::Idp;
use crate::store::op::{self as rows, GrantRow};
use ::store::{CommitError, Ctx, Refused, Stmt, StoreFault, Unit};
use openid::oidc::Acr;
use serde::{Deserialize, Serialize};
use tlog::event::Event;

/// Seconds that a grant is remembered after its end: so long a replay still finds the one that it ends.
pub(crate) const GRANT_KEPT_S: i64 = 600;

/// What a grant knows of the sign-in behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantFacts {
    /// The person, as this relying party knows them.
    pub(crate) sub: String,
    /// Unix seconds of the approval.
    pub(crate) auth_time: i64,
    /// By which means.
    pub(crate) amr: Vec<String>,
    /// Of the consent.
    pub(crate) consent_hash: Option<String>,
}

/// A grant that stands.
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) facts: GrantFacts,
    pub(crate) scopes: Vec<String>,
    pub(crate) acr: Acr,
    pub(crate) jkt: Option<String>,
}

/// The grant had ended already.
#[derive(Debug)]
pub(crate) struct Ended(pub(crate) Event);

impl Refused for Ended {
    fn event(&self) -> Event {
        self.0.clone()
    }
}

impl Idp {
    /// The grant, if it stands and its time is not over.
    pub(crate) async fn standing_grant(&self, ctx: &Ctx, id: &str) -> Result<Option<Grant>, StoreFault> {
        let row = rows::grant(&self.store, ctx, id).await?;
        let stands = |row: &GrantRow| row.ended_at_ms.is_none() && row.expires_at_ms > ctx.now_ms();
        match row.filter(stands) {
            Some(row) => self.opened_grant(ctx, row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn opened_grant(&self, ctx: &Ctx, row: GrantRow) -> Result<Grant, StoreFault> {
        let damaged = || StoreFault::Sealed { place: "idp_grant.facts".to_owned() };
        let facts = rows::grant_facts(&self.store, ctx, &row).await?;
        let facts = serde_json::from_slice(facts.expose()).map_err(|_| damaged())?;
        Ok(Grant {
            facts,
            scopes: row.scopes.split(' ').map(str::to_owned).collect(),
            acr: Acr::parse(&row.acr).ok_or_else(damaged)?,
            id: row.id,
            client_id: row.client_id,
            jkt: row.jkt,
        })
    }

    /// Ends a grant for the reason that `event` states, with everything that its tokens open; nothing if it had ended.
    pub(crate) async fn end_grant(&self, ctx: &Ctx, id: &str, event: Event) -> Result<(), StoreFault> {
        let unit =
            Unit::new(event.clone()).guard(rows::end_grant(id), Ended(event)).put_all(rows::after_end(id));
        match self.store.commit(ctx, unit).await {
            Ok(_) | Err(CommitError::Lost(Ended(_))) => Ok(()),
            Err(CommitError::Fault(fault)) => Err(fault),
        }
    }

    /// Forgets pushed requests, claims, refresh tokens and grants that are past their time.
    pub(crate) async fn forget_op(&self, ctx: &Ctx) -> Result<u64, StoreFault> {
        let mut stmts = rows::forget(ctx.now_ms() - GRANT_KEPT_S * 1_000);
        stmts.extend(Idp::forget_passkeys());
        self.store.housekeeping(ctx, ::store::Reason::Expiry, stmts).await
    }
}

/// Ends every grant that a device signed for: goes into the unit that revokes it.
pub(crate) fn end_of_enrolment(enrolment: &str) -> Stmt {
    rows::end_of_enrolment(enrolment)
}
