//! The wallet's answer: opened, judged by the stored query, and written once.
//!
//! ```text
//! body ─▶ session ─▶ opened ─▶ examined ─▶ lists ─▶ verdict ─▶ Session::step ─▶ unit { state, result, event } ─▶ 200 or 400
//! ```
//! Whoever loses the guard has come too late, and is told what everybody is told.

use crate::asked::with_code;
use crate::secrets::{Secrets, path_sha256};
use crate::store::{self, AskedRow, LateRow, NewResult, NewReturn, OpenedRow};
use crate::trust::Believed;
use crate::{Verifier, status_list::Found};
use ::store::{CommitError, Ctx, Refused, StoreFault, Unit};
use credential::check::Check;
use credential::dcql::{Query, Reader};
use credential::presentation::{PresentedCredential, StatusAnswer, StatusMode};
use credential::trust::Trust;
use crypto::base64;
use crypto::key::Ecdh;
use jiff::{SignedDuration, Timestamp};
use openid::vp::response::{self, Acknowledgement};
use openid::vp::verdict::{self, Pending};
use openid::vp::{
    ClientMetadata, Flow, Input, Judgement, Outcome, Question, Refusal, ResponseMode, ResponseRules, Seal,
    Session, State, TransactionData, Verdict,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use tlog::event::Event;

/// Bytes of a response code: whoever has it speaks for the browser that began.
const RESPONSE_CODE_BYTES: usize = 32;

/// An unreadable answer that meets others at the same moment tries again to be counted; each round one of them is, and a session
/// bears five.
pub(crate) const SETTLE_TRIES: usize = 16;

/// Why an answer was not taken. The wallet is told the same of every refusal.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// A check failed, or there is no such session any more. `recorded`: its event stands.
    #[error("the presentation was not accepted")]
    Refused {
        /// Whether its event stands already.
        recorded: bool,
    },
    /// The store could not; the session still waits.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// The session had moved on when the write came.
#[derive(Debug)]
pub(crate) struct Moved;

impl Refused for Moved {
    fn event(&self) -> Event {
        let (operation, code) = ("postPresentation".to_owned(), "verifier/session-moved".to_owned());
        Event::RequestRefused { status: 400, operation, code }
    }
}

impl Verifier {
    /// Takes a wallet's answer at the secret of a response path.
    ///
    /// # Errors
    /// [`ResponseError`].
    pub async fn respond(
        &self,
        ctx: &Ctx,
        tenant: &str,
        secret: &str,
        body: &[u8],
    ) -> Result<Acknowledgement, ResponseError> {
        let row = store::asked(&self.store, ctx, path_sha256(secret)).await?;
        let row = row.ok_or(ResponseError::Refused { recorded: false })?;
        if row.expires_at_ms <= ctx.now_ms() {
            self.expire(ctx, &row.late()).await?;
            return Err(ResponseError::Refused { recorded: true });
        }
        let opened = store::opened(&self.store, ctx, &row).await?;
        let secrets = Secrets::of(&opened.seed);
        let verdict = self.judge(ctx, &row, &opened, &secrets, body).await?;
        let code = base64::url_encode(&ctx.random::<RESPONSE_CODE_BYTES>());
        let outcome = self.settle(ctx, &row, &verdict, &code).await?;
        Ok(Acknowledgement { redirect_uri: Some(self.way_on(tenant, &row, &secrets, outcome, &code)) })
    }

    /// Where the wallet sends its holder's browser (HAIP 1.0, 5): always somewhere, and with a code only where it must prove that it
    /// is the one that began.
    fn way_on(
        &self,
        tenant: &str,
        row: &AskedRow,
        secrets: &Secrets,
        outcome: Outcome,
        code: &str,
    ) -> String {
        match (&row.return_uri, outcome) {
            (Some(_), Outcome::AwaitingReturn) if row.hosted => {
                with_code(&format!("{}/return", self.links(tenant, secrets).page), code)
            }
            (Some(back), Outcome::AwaitingReturn) => with_code(back, code),
            // The relying party reads how it ended; there is nothing to bind.
            (Some(back), _) => back.clone(),
            (None, _) => format!("{}/done", self.config.doors_at(tenant)),
        }
    }

    /// Ends a session that nobody answered in time; nothing if it ended otherwise meanwhile.
    pub(crate) async fn expire(&self, ctx: &Ctx, late: &LateRow) -> Result<(), StoreFault> {
        let result = NewResult {
            created_at_ms: late.created_at_ms,
            expires_at_ms: late.expires_at_ms,
            ..NewResult::of(&late.id, State::Expired)
        };
        let unit = Unit::new(Event::PresentationExpired { session: late.id.clone() })
            .guard(store::end_session(&late.id, State::Expired.as_str()), Moved)
            .put(store::put_result(&self.store, ctx, &result).await?);
        match self.store.commit(ctx, unit).await {
            Ok(_) | Err(CommitError::Lost(Moved)) => {
                self.waiting.wake(&late.id);
                Ok(())
            }
            Err(CommitError::Fault(fault)) => Err(fault),
        }
    }

    /// Every check of the answer, by what was stored when it was asked for.
    async fn judge(
        &self,
        ctx: &Ctx,
        row: &AskedRow,
        opened: &OpenedRow,
        secrets: &Secrets,
        body: &[u8],
    ) -> Result<Verdict, StoreFault> {
        let query = stored_query(&row.query)?;
        let transactions = stored_transactions(opened)?;
        // What was stored says how the answer comes, never the answer itself.
        let key = match (ResponseMode::parse(&row.response_mode), &opened.response_key) {
            (Some(ResponseMode::DirectPostJwt), Some(key)) => {
                Some(Ecdh::from_secret(key.expose()).map_err(|_| damaged("response_key"))?)
            }
            (Some(ResponseMode::DirectPost), None) => None,
            _ => return Err(damaged("response_mode")),
        };
        let kid = key.as_ref().map(|key| ClientMetadata::kid(&key.public())).unwrap_or_default();
        let rules = ResponseRules {
            seal: key.as_ref().map_or(Seal::Open, |key| Seal::Jwe { key, kid: &kid }),
            state: &secrets.state,
            state_required: query.credentials.iter().any(|one| !one.require_holder_binding),
        };
        let reading = response::open(body, &rules);
        let question = Question {
            query: &query,
            client_id: &row.client_id,
            nonce: &secrets.nonce,
            requested_at: Timestamp::from_millisecond(row.created_at_ms).unwrap_or(ctx.now),
            transactions: &transactions,
        };
        let believed = self.anchors.believed(&self.custody, ctx).await?;
        let trust = Trust { anchors: &believed.anchors, cache: &self.paths, haip: self.config.haip };
        match verdict::examine(reading, &question, &trust, ctx.now) {
            Judgement::Done(verdict) => Ok(verdict),
            Judgement::Waiting(pending) => self.conclude(ctx, row, &believed, pending).await,
        }
    }

    /// The checks of status, with every list that is wanted.
    async fn conclude(
        &self,
        ctx: &Ctx,
        row: &AskedRow,
        believed: &Believed,
        pending: Pending,
    ) -> Result<Verdict, StoreFault> {
        // A word that does not read is no leave to look away.
        let mode = StatusMode::parse(&row.status_policy).unwrap_or(StatusMode::Require);
        let policy = self.config.status(mode);
        let wanted: BTreeSet<String> =
            pending.status_wanted(&policy).iter().map(|one| one.uri.clone()).collect();
        let mut found: BTreeMap<String, Found> = BTreeMap::new();
        for uri in wanted {
            let list = self.status_list(ctx, believed, &uri).await?;
            found.insert(uri, list);
        }
        let look_up = |reference: &credential::status::StatusReference| match found.get(&reference.uri) {
            Some(Ok(kept)) => StatusAnswer::List { list: &kept.list, fetched_at: kept.fetched_at },
            Some(Err(fault)) => StatusAnswer::Fault(*fault),
            None => StatusAnswer::NotWanted,
        };
        Ok(pending.conclude(look_up, &policy, ctx.now))
    }

    /// Moves the session on by the verdict, once.
    async fn settle(
        &self,
        ctx: &Ctx,
        row: &AskedRow,
        verdict: &Verdict,
        code: &str,
    ) -> Result<Outcome, ResponseError> {
        let expires_at = Timestamp::from_millisecond(row.expires_at_ms).unwrap_or(Timestamp::MIN);
        let mut tries_left = row.tries_left;
        for _ in 0..SETTLE_TRIES {
            let flow = match row.return_uri {
                Some(_) => Flow::SameDevice { return_ttl_s: self.config.return_ttl_s },
                None => Flow::CrossDevice,
            };
            let session = Session { state: State::Created { tries_left }, expires_at, flow };
            let (next, answer) = session.step(verdict.input, ctx.now);
            let step = Step { next: next.state, tries_left, code };
            let unit = self.unit(ctx, row, verdict, step).await?;
            match self.store.commit(ctx, unit).await {
                Ok(_) => {
                    if !matches!(next.state, State::Created { .. }) {
                        self.waiting.wake(&row.id);
                    }
                    return answer.map_err(|_: Refusal| ResponseError::Refused { recorded: true });
                }
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
                Err(CommitError::Lost(Moved)) => {}
            }
            match store::tries_left(&self.store, ctx, &row.id).await? {
                Some(left) => tries_left = left,
                None => return Err(ResponseError::Refused { recorded: true }),
            }
        }
        Err(ResponseError::Refused { recorded: true })
    }

    /// What a step means in rows, and its event.
    async fn unit(
        &self,
        ctx: &Ctx,
        row: &AskedRow,
        verdict: &Verdict,
        step: Step<'_>,
    ) -> Result<Unit<Moved>, StoreFault> {
        let Step { next, tries_left, code } = step;
        let event = event(row, verdict, next);
        if matches!(next, State::Created { .. }) {
            return Ok(Unit::new(event).guard(store::spend_try(&row.id, tries_left), Moved));
        }
        let told = Told::of(verdict, next);
        let awaited = awaited(row, next, code);
        // The time of the claims begins when somebody may read them.
        let erase_at_ms =
            (told.claims.is_some() && awaited.is_none()).then(|| erase_at_ms(ctx, row.result_ttl_s));
        let result = NewResult {
            wallet_error: told.wallet_error,
            failure: told.failure.as_deref(),
            report: told.report.as_deref(),
            claims: told.claims.as_deref().map(str::as_bytes),
            created_at_ms: row.created_at_ms,
            expires_at_ms: row.expires_at_ms,
            erase_at_ms,
            shown: verdict.credentials.values().map(|list| list.len() as i64).sum(),
            result_ttl_s: row.result_ttl_s,
            awaited,
            ..NewResult::of(&row.id, next)
        };
        Ok(Unit::new(event)
            .guard(store::end_session(&row.id, next.as_str()), Moved)
            .put(store::put_result(&self.store, ctx, &result).await?))
    }
}

/// One step of a session: where to, what it bore before, and the code of the way back.
struct Step<'a> {
    next: State,
    tries_left: u8,
    code: &'a str,
}

/// When claims that are read from now on are erased.
pub(crate) fn erase_at_ms(ctx: &Ctx, result_ttl_s: i64) -> i64 {
    let kept = SignedDuration::from_secs(result_ttl_s);
    ctx.now.saturating_add(kept).unwrap_or(Timestamp::MAX).as_millisecond()
}

/// How the browser comes back, where it must.
fn awaited(row: &AskedRow, next: State, code: &str) -> Option<NewReturn> {
    let State::AwaitingReturn { tries_left, until } = next else { return None };
    Some(NewReturn {
        code_sha256: path_sha256(code),
        tries_left,
        until_ms: until.as_millisecond(),
        return_uri: row.return_uri.clone()?,
        page_sha256: row.page_sha256.clone().filter(|_| row.hosted),
    })
}

/// What of a verdict is kept.
#[derive(Default)]
struct Told {
    wallet_error: Option<&'static str>,
    failure: Option<String>,
    report: Option<String>,
    claims: Option<String>,
}

impl Told {
    fn of(verdict: &Verdict, state: State) -> Self {
        let report = || serde_json::to_string(&verdict.report).ok();
        match state {
            State::Verified | State::AwaitingReturn { .. } => {
                let claims = Some(credentials(&verdict.credentials).to_string());
                Self { report: report(), claims, ..Self::default() }
            }
            State::Rejected { .. } => {
                let failure = verdict.report.failure_value().map(|value| value.to_string());
                Self { report: report(), failure, ..Self::default() }
            }
            State::Declined { error } => Self { wallet_error: Some(error.as_str()), ..Self::default() },
            State::Created { .. } | State::Expired => Self::default(),
        }
    }
}

/// What was shown, by id of the credential query.
fn credentials(shown: &BTreeMap<String, Vec<PresentedCredential>>) -> Value {
    let all = |list: &Vec<PresentedCredential>| list.iter().map(PresentedCredential::to_value).collect();
    let by_id: Map<String, Value> = shown.iter().map(|(id, list)| (id.clone(), all(list))).collect();
    Value::Object(by_id)
}

fn event(row: &AskedRow, verdict: &Verdict, next: State) -> Event {
    let session = row.id.clone();
    let credentials = verdict.credentials.values().map(|list| list.len() as u64).sum();
    match next {
        State::Verified => Event::PresentationAccepted { credentials, session },
        State::AwaitingReturn { .. } => Event::PresentationHeld { credentials, session },
        State::Rejected { check } => {
            let told = verdict.report.failure().and_then(|failure| failure.code);
            let code = told.or(check.codes().first().copied()).unwrap_or_default().to_owned();
            Event::PresentationRejected { check: number(check), session, code }
        }
        State::Declined { error } => Event::PresentationDeclined { session, code: error.as_str().to_owned() },
        State::Expired => Event::PresentationExpired { session },
        State::Created { .. } => {
            let (Input::Unreadable(check) | Input::Failed(check)) = verdict.input else {
                return Event::PresentationUnreadable { check: 0, session };
            };
            Event::PresentationUnreadable { check: number(check), session }
        }
    }
}

/// 17 of `VP-017`.
pub(crate) fn number(check: Check) -> u64 {
    check.id().trim_start_matches("VP-").parse().unwrap_or(0)
}

/// A query that we wrote always reads.
fn stored_query(text: &str) -> Result<Query, StoreFault> {
    let value: Value = serde_json::from_str(text).map_err(|_| damaged("query"))?;
    Query::parse(&value, Reader::Own).map_err(|_| damaged("query"))
}

/// What was asked to be authorised, as it was sent.
fn stored_transactions(opened: &OpenedRow) -> Result<Vec<TransactionData>, StoreFault> {
    let Some(stored) = &opened.transactions else { return Ok(Vec::new()) };
    let sent: Vec<String> = serde_json::from_slice(stored.expose()).map_err(|_| damaged("transactions"))?;
    sent.iter().map(|one| TransactionData::parse(one).map_err(|_| damaged("transactions"))).collect()
}

fn damaged(column: &str) -> StoreFault {
    StoreFault::Sealed { place: format!("verifier_session.{column}") }
}
