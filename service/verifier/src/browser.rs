//! The browser that began comes back (OpenID4VP 1.0, 13.3): until then nobody is told what was shown.
//!
//! ```text
//! relying party   return?response_code ─► POST …/return {code} ─► released          the relying party knows its user's session
//! our page        present/{secret} ─cookie─► wallet ─► present/{secret}/return ─► released ─► the relying party's address
//! nobody, late, a wrong code three times, another browser ─► rejected (VP-070), claims erased
//! ```
//! Whoever sends his own link to another's wallet gets nothing: the code goes to the other's browser, which has neither his session
//! nor his cookie.

use crate::Verifier;
use crate::request::ID_PREFIX;
use crate::response::{Moved, SETTLE_TRIES, erase_at_ms, number};
use crate::secrets::{browser_mark, browser_name, path_sha256};
use crate::store::{self, AwaitedRow};
use ::store::{CommitError, Ctx, Reason, StoreFault, Unit, id};
use credential::check::{Check, CheckResult, Detail};
use crypto::hash;
use jiff::Timestamp;
use openid::vp::{Flow, Input, Refusal, Return, Session, State};
use serde_json::{Value, json};
use tlog::event::Event;

/// Bytes of a code that somebody brings: ours has 43.
const CODE_BYTES_MAX: usize = 64;
/// Code of the check that fails where nobody comes back.
const NOT_RETURNED: &str = "session/not-returned";

/// Why a browser that came back is not taken. All read alike.
#[derive(Debug, thiserror::Error)]
pub enum ReturnError {
    /// The code is not this session's, or nobody is awaited. `recorded`: its event stands.
    #[error("the return was refused")]
    Refused {
        /// Whether its event stands already.
        recorded: bool,
    },
    /// The store could not; the session still waits.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Our page for one device.
pub struct Page {
    /// Opens the wallet.
    pub link: String,
    /// The cookie's name, without prefix.
    pub cookie_name: String,
    /// Its value.
    pub cookie: String,
}

/// Who says that the browser is the one that began.
#[derive(Clone, Copy)]
enum Binding {
    RelyingParty,
    Hosted,
}

impl Binding {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RelyingParty => "relying_party",
            Self::Hosted => "hosted",
        }
    }
}

impl Verifier {
    /// The relying party brings the code that came back into the session of its own user.
    ///
    /// # Errors
    /// [`ReturnError`].
    pub async fn returned(&self, ctx: &Ctx, id: &str, code: &str) -> Result<(), ReturnError> {
        let row = if id::is(ID_PREFIX, id) { store::awaited(&self.store, ctx, id).await? } else { None };
        let row = row.ok_or(ReturnError::Refused { recorded: false })?;
        let how = if is_code(&row, code) { Return::Right } else { Return::WrongCode };
        self.come_back(ctx, row, how, Binding::RelyingParty).await
    }

    /// Our page behind its secret, while the session waits. Opening it says that the browser comes back to us.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn page(&self, ctx: &Ctx, tenant: &str, secret: &str) -> Result<Option<Page>, StoreFault> {
        let Some(row) = store::at_page(&self.store, ctx, path_sha256(secret)).await? else { return Ok(None) };
        let expires_at = Timestamp::from_millisecond(row.expires_at_ms).unwrap_or(ctx.now);
        self.store.housekeeping(ctx, Reason::SigninStep, vec![store::open_page(&row.id)]).await?;
        let requested = self.requested(ctx, tenant, row, expires_at).await?;
        Ok(Some(Page {
            link: requested.authorization_request_uri,
            cookie_name: browser_name(secret),
            cookie: browser_mark(secret),
        }))
    }

    /// A browser comes back to our page; where it goes on. `cookie` is what it keeps from having opened the page.
    ///
    /// # Errors
    /// [`ReturnError`].
    pub async fn returned_here(
        &self,
        ctx: &Ctx,
        secret: &str,
        code: &str,
        cookie: Option<&str>,
    ) -> Result<String, ReturnError> {
        let row = store::awaited_at_page(&self.store, ctx, path_sha256(secret)).await?;
        let row = row.ok_or(ReturnError::Refused { recorded: false })?;
        let mark = browser_mark(secret);
        let is_same = cookie.is_some_and(|cookie| hash::equal(cookie.as_bytes(), mark.as_bytes()));
        let how = match (is_code(&row, code), is_same) {
            (true, true) => Return::Right,
            (true, false) => Return::OtherSession,
            (false, _) => Return::WrongCode,
        };
        let on = row.return_uri.clone();
        self.come_back(ctx, row, how, Binding::Hosted).await.map(|()| on)
    }

    /// Moves an awaiting session on, once.
    async fn come_back(
        &self,
        ctx: &Ctx,
        mut row: AwaitedRow,
        how: Return,
        binding: Binding,
    ) -> Result<(), ReturnError> {
        for _ in 0..SETTLE_TRIES {
            let until = Timestamp::from_millisecond(row.until_ms).unwrap_or(Timestamp::MIN);
            let session = Session {
                state: State::AwaitingReturn { tries_left: row.tries_left, until },
                expires_at: until,
                flow: Flow::SameDevice { return_ttl_s: self.config.return_ttl_s },
            };
            let (next, answer) = session.step(Input::Returned(how), ctx.now);
            let unit = match next.state {
                State::Verified => released(ctx, &row, binding),
                State::Rejected { .. } => not_returned(&row),
                _ => Unit::new(Event::ReturnRefused { session: row.id.clone() })
                    .guard(store::spend_return(&row.id, row.tries_left), Moved),
            };
            match self.store.commit(ctx, unit).await {
                Ok(_) => {
                    if next.state.is_final() {
                        self.waiting.wake(&row.id);
                    }
                    return answer.map(|_| ()).map_err(|_: Refusal| ReturnError::Refused { recorded: true });
                }
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
                Err(CommitError::Lost(Moved)) => {}
            }
            let again = store::awaited(&self.store, ctx, &row.id).await?;
            row = again.ok_or(ReturnError::Refused { recorded: true })?;
        }
        Err(ReturnError::Refused { recorded: true })
    }

    /// Ends a session whose browser did not come back in time; nothing if it did meanwhile.
    pub(crate) async fn not_returned(&self, ctx: &Ctx, row: &AwaitedRow) -> Result<(), StoreFault> {
        match self.store.commit(ctx, not_returned(row)).await {
            Ok(_) | Err(CommitError::Lost(Moved)) => {
                self.waiting.wake(&row.id);
                Ok(())
            }
            Err(CommitError::Fault(fault)) => Err(fault),
        }
    }
}

fn is_code(row: &AwaitedRow, code: &str) -> bool {
    code.len() <= CODE_BYTES_MAX && hash::equal(&row.code_sha256, &path_sha256(code))
}

fn released(ctx: &Ctx, row: &AwaitedRow, binding: Binding) -> Unit<Moved> {
    let line = CheckResult::pass(Check::BrowserReturned, Detail::none().word("binding", binding.as_str()));
    let report = with_line(&row.report, &line, "accepted");
    let erase_at_ms = erase_at_ms(ctx, row.result_ttl_s);
    Unit::new(Event::PresentationAccepted { credentials: row.shown, session: row.id.clone() })
        .guard(store::returned(row, binding.as_str(), &report, erase_at_ms), Moved)
}

fn not_returned(row: &AwaitedRow) -> Unit<Moved> {
    let check = Check::BrowserReturned;
    let line = CheckResult::fail(check, NOT_RETURNED, Detail::none());
    let report = with_line(&row.report, &line, "rejected");
    let failure = json!({"check": check.id(), "code": NOT_RETURNED}).to_string();
    let event = Event::PresentationRejected {
        check: number(check),
        session: row.id.clone(),
        code: NOT_RETURNED.to_owned(),
    };
    Unit::new(event).guard(store::not_returned(&row.id, &report, &failure), Moved)
}

/// The report with one line more and the verdict that it means.
fn with_line(report: &str, line: &CheckResult, verdict: &str) -> String {
    let mut report: Value = serde_json::from_str(report).unwrap_or_else(|_| json!({"checks": []}));
    report["verdict"] = json!(verdict);
    if let (Some(checks), Ok(line)) = (report["checks"].as_array_mut(), serde_json::to_value(line)) {
        checks.push(line);
    }
    report.to_string()
}
