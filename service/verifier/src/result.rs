//! Results: where a verification stands, its claims while they are kept, and their erasure.

use crate::Verifier;
use crate::request::{ID_PREFIX, Requested};
use crate::response::Moved;
use crate::store::{self, ListingRow, NewResult, OpenRow, ResultRow};
use ::store::{CommitError, Committed, Ctx, Refused, StoreFault, Unit, id};
use edge::Clock;
use jiff::Timestamp;
use openid::vp::State;
use serde_json::Value;
use serde_json::value::RawValue;
use std::pin::pin;
use std::time::Duration;
use tenancy::After;
use tlog::event::Event;

/// Longest time that a question waits for an answer, seconds; proxies give up at 30.
pub const WAIT_S_MAX: u32 = 25;
/// Who waits looks again at least this often: the bell rings in this process only.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A session that ends between two looks is looked at again; once is enough, as an end is final.
const DELETE_TRIES: usize = 3;

/// [`State::AwaitingReturn`] in the store.
const AWAITING_RETURN: &str = "awaiting_return";

/// Where a verification stands.
pub enum Standing {
    /// It waits for its answer.
    Open(Requested),
    /// It was answered and waits for the browser that began.
    Awaiting {
        /// `ver_…`.
        id: String,
        /// Until when.
        until: Timestamp,
    },
    /// It is over.
    Ended(Box<Ended>),
}

/// How a verification ended. Claims are personal data: no `Debug`.
pub struct Ended {
    /// `ver_…`.
    pub id: String,
    /// `verified`, `rejected`, `declined`, `expired`.
    pub state: String,
    /// When it ended.
    pub ended_at: Timestamp,
    /// When it ends or would have ended unanswered.
    pub expires_at: Timestamp,
    /// The wallet's error, with `declined`.
    pub wallet_error: Option<String>,
    /// The first check that failed, with `rejected`.
    pub failure: Option<Value>,
    /// Every check, with `verified` and `rejected`: as it was written, and handed on without being taken apart.
    pub report: Option<Box<RawValue>>,
    /// What was shown, with `verified`, while it is kept.
    pub credentials: Option<Value>,
    /// How the browser that began is known to be the one that showed: `none`, `relying_party`, `hosted`.
    pub session_binding: String,
    /// When the claims are erased.
    pub erase_at: Option<Timestamp>,
    /// When they were.
    pub erased_at: Option<Timestamp>,
}

/// Why a result is not shown or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// Unknown to this tenant.
    #[error("no such verification")]
    NotFound,
    /// Somebody deleted it.
    #[error("the result was erased")]
    Erased,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// The result changed between its reading and its writing.
#[derive(Debug)]
struct Changed;

impl Refused for Changed {
    fn event(&self) -> Event {
        let (operation, code) = ("deleteVerification".to_owned(), "verifier/session-moved".to_owned());
        Event::RequestRefused { status: 409, operation, code }
    }
}

impl Verifier {
    /// Where a verification stands, as soon as it is over or `wait` has passed. Claims that are handed out are an event.
    ///
    /// # Errors
    /// [`ResultError`].
    pub async fn standing(
        &self,
        ctx: &Ctx,
        tenant: &str,
        id: &str,
        wait: Duration,
        clock: &Clock,
    ) -> Result<Standing, ResultError> {
        if !id::is(ID_PREFIX, id) {
            return Err(ResultError::NotFound);
        }
        let (mut left, mut ctx) = (wait, ctx.clone());
        loop {
            let seat = self.waiting.join(id).filter(|_| !left.is_zero());
            let Some(seat) = seat else { return self.look(&ctx, tenant, id).await };
            let mut rung = pin!(seat.bell.notified());
            rung.as_mut().enable();
            match self.look(&ctx, tenant, id).await? {
                Standing::Open(_) | Standing::Awaiting { .. } => {}
                ended @ Standing::Ended(_) => return Ok(ended),
            }
            let step = left.min(LOOK_AGAIN);
            left -= step;
            let _ = tokio::time::timeout(step, rung).await;
            // Whoever wakes is a new request with a new time.
            ctx = ctx.child(clock.now());
        }
    }

    /// Verifications in order of their making, the deleted ones left out.
    pub(crate) async fn verifications(
        &self,
        ctx: &Ctx,
        after: &After,
        limit: usize,
    ) -> Result<Vec<ListingRow>, StoreFault> {
        store::listing(&self.store, ctx, after, limit).await
    }

    /// Ends a verification if it waits, and erases what is kept of it: claims and report.
    ///
    /// # Errors
    /// [`ResultError`].
    pub async fn delete(&self, ctx: &Ctx, id: &str) -> Result<Committed, ResultError> {
        if !id::is(ID_PREFIX, id) {
            return Err(ResultError::NotFound);
        }
        for _ in 0..DELETE_TRIES {
            let event = Event::ResultErased { session: id.to_owned() };
            let unit = if let Some(row) = store::open(&self.store, ctx, id).await? {
                let result = NewResult {
                    created_at_ms: row.created_at_ms,
                    expires_at_ms: row.expires_at_ms,
                    deleted_at_ms: Some(ctx.now_ms()),
                    ..NewResult::of(id, State::Expired)
                };
                Unit::new(event)
                    .guard(store::end_session(id, State::Expired.as_str()), Changed)
                    .put(store::put_result(&self.store, ctx, &result).await?)
            } else {
                let row = store::result(&self.store, ctx, id).await?.ok_or(ResultError::NotFound)?;
                if row.deleted {
                    return Err(ResultError::Erased);
                }
                Unit::new(event).guard(store::erase_result(id), Changed)
            };
            match self.store.commit(ctx, unit).await {
                Ok(committed) => {
                    self.waiting.wake(id);
                    return Ok(committed);
                }
                Err(CommitError::Lost(Changed)) => {}
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(StoreFault::Busy.into())
    }

    /// Erases the claims of a result that are past their time; nothing if somebody did it before.
    pub(crate) async fn erase_claims(&self, ctx: &Ctx, id: &str) -> Result<(), StoreFault> {
        let unit =
            Unit::new(Event::ResultErased { session: id.to_owned() }).guard(store::erase_claims(id), Moved);
        match self.store.commit(ctx, unit).await {
            Ok(_) | Err(CommitError::Lost(Moved)) => Ok(()),
            Err(CommitError::Fault(fault)) => Err(fault),
        }
    }

    async fn look(&self, ctx: &Ctx, tenant: &str, id: &str) -> Result<Standing, ResultError> {
        if let Some(row) = store::open(&self.store, ctx, id).await? {
            return self.open(ctx, tenant, row).await;
        }
        let mut row = store::result(&self.store, ctx, id).await?.ok_or(ResultError::NotFound)?;
        if let Some(until) = row.awaited_until() {
            if ctx.now_ms() < until {
                return Ok(Standing::Awaiting { id: row.id, until: time(until) });
            }
            // Nobody has written down yet that its browser is late.
            if let Some(late) = store::awaited(&self.store, ctx, id).await? {
                self.not_returned(ctx, &late).await?;
            }
            row = store::result(&self.store, ctx, id).await?.ok_or(ResultError::NotFound)?;
        }
        if row.deleted {
            return Err(ResultError::Erased);
        }
        let in_time = row.erase_at_ms.is_some_and(|at| ctx.now_ms() < at);
        let claims = if in_time { store::claims(&self.store, ctx, &row).await? } else { None };
        let credentials = claims.and_then(|claims| serde_json::from_slice(claims.expose()).ok());
        if credentials.is_some() {
            self.store.record(ctx, Event::ResultRead { session: id.to_owned() }).await?;
        }
        Ok(Standing::Ended(Box::new(ended(row, credentials, ctx.now))))
    }

    /// A session that waits, or one that is over by time though nobody has written it down yet.
    async fn open(&self, ctx: &Ctx, tenant: &str, row: OpenRow) -> Result<Standing, ResultError> {
        let expires_at = time(row.expires_at_ms);
        if expires_at <= ctx.now {
            return Ok(Standing::Ended(Box::new(Ended {
                id: row.id,
                state: State::Expired.as_str().to_owned(),
                ended_at: expires_at,
                expires_at,
                wallet_error: None,
                failure: None,
                report: None,
                credentials: None,
                session_binding: "none".to_owned(),
                erase_at: None,
                erased_at: None,
            })));
        }
        Ok(Standing::Open(self.requested(ctx, tenant, row, expires_at).await?))
    }
}

impl ResultRow {
    /// Until when its browser is awaited, if it still is.
    fn awaited_until(&self) -> Option<i64> {
        let is_awaited = self.state == AWAITING_RETURN && !self.deleted;
        self.return_until_ms.filter(|_| is_awaited)
    }
}

fn ended(row: ResultRow, credentials: Option<Value>, now: Timestamp) -> Ended {
    let read = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    let erase_at = row.erase_at_ms.map(time);
    let erased_at = row.erased_at_ms.map(time).or(erase_at.filter(|at| *at <= now));
    Ended {
        ended_at: time(row.ended_at_ms),
        expires_at: time(row.expires_at_ms),
        wallet_error: row.wallet_error,
        session_binding: row.session_binding,
        failure: read(row.failure),
        report: row.report.and_then(|text| RawValue::from_string(text).ok()),
        credentials,
        erase_at,
        erased_at,
        id: row.id,
        state: row.state,
    }
}

pub(crate) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MIN)
}
