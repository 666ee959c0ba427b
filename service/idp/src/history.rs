//! How sign-ins ended, for operators: lines without a person, and counts of them.

use crate::Idp;
use crate::store::history as rows;
use ::store::{Ctx, StoreFault};
use tenancy::After;

/// The ways in which a sign-in ends.
pub const OUTCOMES: [&str; 4] = ["approved", "denied", "failed", "expired"];
/// Steps that are counted at once: ninety days.
pub const STEPS_MAX: usize = 90;

/// How one sign-in ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigninLine {
    /// `sig_…`.
    pub id: String,
    /// `rp_…`.
    pub relying_party: String,
    /// One of [`OUTCOMES`].
    pub outcome: String,
    /// Why; empty for an approval.
    pub reason: String,
    /// The class that was reached.
    pub acr: Option<String>,
    /// Stands in the ID Token and in the log.
    pub consent_hash: Option<String>,
    /// When it ended, Unix milliseconds.
    pub ended_at_ms: i64,
}

/// How many sign-ins ended in one way within one step of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigninCount {
    /// Which step, from 0.
    pub step: usize,
    /// One of [`OUTCOMES`].
    pub outcome: String,
    /// How many.
    pub count: u64,
}

impl Idp {
    /// A page of the history behind `before`, newest first; of one outcome or of all.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn newest_signins(
        &self,
        ctx: &Ctx,
        (before, outcome): (&After, Option<&str>),
        limit: usize,
    ) -> Result<Vec<SigninLine>, StoreFault> {
        let found = rows::newest(&self.store, ctx, (before, outcome.unwrap_or_default()), limit).await?;
        let line = |row: crate::store::result::HistoryRow| SigninLine {
            id: row.id,
            relying_party: row.client_id,
            outcome: row.outcome,
            reason: row.reason,
            acr: row.acr,
            consent_hash: row.consent_hash,
            ended_at_ms: row.created_at_ms,
        };
        Ok(found.into_iter().map(line).collect())
    }

    /// Sign-ins since `from_ms` by outcome, in steps of `step_ms`; at most [`STEPS_MAX`] of them.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn signin_counts(
        &self,
        ctx: &Ctx,
        from_ms: i64,
        step_ms: i64,
    ) -> Result<Vec<SigninCount>, StoreFault> {
        let most = STEPS_MAX * OUTCOMES.len();
        let found = rows::counts(&self.store, ctx, (from_ms, step_ms.max(1)), most).await?;
        let count = |row: rows::CountRow| {
            let step = usize::try_from(row.step).ok().filter(|step| *step < STEPS_MAX)?;
            Some(SigninCount { step, outcome: row.outcome, count: row.count.unsigned_abs() })
        };
        Ok(found.into_iter().filter_map(count).collect())
    }
}
