//! A sign-in between its requests: a value that the browser, the wallet and time move on, once.

use jiff::{SignedDuration, Timestamp};

use super::answer::Failure;
use super::context::LIVES_MAX;
use super::response::DenyReason;
use crate::person::PersonId;

/// Life of a request that was pushed and not opened, in seconds: the redirect takes one.
pub const PUSHED_LIFE_S: i64 = 60;
/// How often a page that nobody claims may begin anew: with the last one it has stood open for a quarter of an hour.
pub const RENEWALS_MAX: u8 = 10;

/// What a session was made with; all of it stands in its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Life between two signs of life, in seconds (`session_ttl_s`).
    pub life_s: i64,
    /// `ctx.iat`.
    pub began_at: Timestamp,
    /// Whether the class asked for needs an assertion of the browser.
    pub assertion_needed: bool,
}

impl Terms {
    /// `ctx.exp`: the last possible end.
    pub fn last_end(&self) -> Timestamp {
        after(self.began_at, self.life_s.saturating_mul(LIVES_MAX))
    }
}

/// A sign-in.
///
/// | state | input | next | effect or refusal |
/// |---|---|---|---|
/// | Pushed | browser opens | Open, end = now + life | [`Effect::Begin`] |
/// | Open, Claimed | browser reloads | same | [`Effect::Show`] |
/// | Open | handle | Open | [`Effect::AddressHandle`] |
/// | Open | assertion holds | Open | [`Effect::AddressPerson`] |
/// | Claimed | assertion of the claiming person holds | Claimed | [`Effect::Asserted`] |
/// | Claimed | assertion of another person | Failed | [`Effect::End`] |
/// | Open, Claimed | assertion does not hold | Failed | [`Effect::End`] |
/// | Open, Claimed | second assertion | same | [`Refusal::AssertionSpent`] |
/// | Open | wallet claims | Claimed, end = now + life | [`Effect::Claim`] |
/// | Open | wallet of another person than the asserted one claims | Failed | [`Effect::End`] |
/// | Claimed | the same wallet claims | Claimed | [`Effect::Claim`] |
/// | Claimed | another wallet claims | Claimed | [`Refusal::AlreadyClaimed`] |
/// | Open | browser renews, fewer than [`RENEWALS_MAX`] times | Open, end = now + life | [`Effect::Replace`] |
/// | Open | browser renews once more | Open | [`Refusal::RenewedTooOften`] |
/// | Claimed | browser or wallet renews | Claimed, end + life, at most `ctx.exp` | [`Effect::Extend`] |
/// | Claimed | answer of the claiming wallet holds | Approved | [`Effect::End`] |
/// | Claimed | the same, only the assertion is missing | Claimed | [`Refusal::AssertionPending`] |
/// | Claimed | answer of the claiming wallet fails a check | Failed | [`Effect::End`] |
/// | Open | answer of the browser's own passkey holds | Approved | [`Effect::End`] |
/// | Open | answer of the browser's own passkey fails | Failed | [`Effect::End`] |
/// | Claimed | wallet denies | Denied | [`Effect::End`] |
/// | Open, Claimed | browser cancels | Denied | [`Effect::End`] |
/// | Pushed, Open, Claimed | anything at or after the end | Expired | [`Effect::End`] to time, else [`Refusal::Over`] |
/// | Pushed, Open, Claimed | time passes | same | nothing |
/// | any | anything else | same | [`Refusal::OutOfTurn`] |
/// | final | anything | same | [`Refusal::Over`]; nothing to time |
///
/// With [`Effect::End`] the row goes, in the unit that keeps the result and names the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signin {
    /// The Relying Party has pushed a request that nobody has opened.
    Pushed {
        /// When it ends.
        ends_at: Timestamp,
    },
    /// A browser has opened it; no wallet has claimed it.
    Open(Open),
    /// A wallet has claimed it.
    Claimed(Claimed),
    /// The person has signed in.
    Approved,
    /// The person or the browser has refused.
    Denied(Option<DenyReason>),
    /// A check failed.
    Failed(Cause),
    /// Nobody did anything in time.
    Expired,
}

/// A session that no wallet has claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// What it was made with.
    pub terms: Terms,
    /// When it ends.
    pub ends_at: Timestamp,
    /// How often it has begun anew.
    pub renewals: u8,
    /// Whose assertion the browser has made.
    pub asserted: Option<PersonId>,
}

/// A session that a wallet has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// What it was made with.
    pub terms: Terms,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Whose assertion the browser has made.
    pub asserted: Option<PersonId>,
    /// The enrolment that claimed it.
    pub enrolment: String,
    /// Whose that is.
    pub person: PersonId,
}

/// Why a session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Cause {
    /// The answer failed a check.
    #[error("{0}")]
    Answer(Failure),
    /// The browser's assertion did not hold.
    #[error("assertion-invalid")]
    Assertion,
    /// The browser's assertion and the wallet are of different persons.
    #[error("assertion-of-another-person")]
    OtherPerson,
}

/// What happens to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A browser opens the pushed request.
    Opened(Terms),
    /// The browser that opened it asks for the page again.
    Reloaded,
    /// The browser posts a handle, known or not.
    Handle,
    /// The browser posts an assertion: whose, if it holds.
    Asserted(Option<PersonId>),
    /// A wallet claims.
    Claims {
        /// Its enrolment.
        enrolment: String,
        /// Whose that is.
        person: PersonId,
    },
    /// Browser or wallet asks for more time.
    Renews,
    /// A wallet answers.
    Answers {
        /// Its enrolment.
        enrolment: String,
        /// What the checks of [`super::answer`] gave.
        verdict: Result<Decided, Failure>,
    },
    /// The browser answers by its own passkey.
    BrowserAnswers(Result<Decided, Failure>),
    /// The browser cancels.
    Cancels,
    /// Nothing but time.
    Tick,
}

/// What an answer that holds decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decided {
    /// Signed in.
    Approved,
    /// Refused.
    Denied(DenyReason),
}

/// What the caller does, in one unit with the new state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Make sid, E, T0 and, unless the browser has one, its cookie.
    Begin,
    /// Show the page as it stands.
    Show,
    /// Put the session into the inbox of the person with that handle, if there is one; show the same either way.
    AddressHandle,
    /// Put the session into the inbox of this person's wallets.
    AddressPerson(PersonId),
    /// Keep that the assertion is there.
    Asserted,
    /// Answer the claim, always with the same content; the browser may show its code.
    Claim,
    /// Delete the row; make new sid, E, T0 for the same request.
    Replace,
    /// Keep the later end.
    Extend,
    /// Delete the row, keep the result, name the event.
    End,
}

/// Why an input changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// There is no such session any more: 404.
    #[error("the session is over")]
    Over,
    /// The session is not, or no more, where this may happen: 409.
    #[error("the session does not stand where this may happen")]
    OutOfTurn,
    /// Another wallet was first: 409.
    #[error("another wallet has claimed the session")]
    AlreadyClaimed,
    /// The answer holds, but the class asked for needs the browser's assertion too: 409, and the same answer may come again.
    #[error("the browser's assertion is not there yet")]
    AssertionPending,
    /// There is one try.
    #[error("the session has had its one assertion")]
    AssertionSpent,
    /// The page has stood open for too long.
    #[error("the session was renewed too often")]
    RenewedTooOften,
}

/// The state to keep, and what to do or why nothing is done.
pub type Step = (Signin, Result<Option<Effect>, Refusal>);

impl Signin {
    /// A request that was accepted just now.
    pub fn pushed(now: Timestamp) -> Signin {
        Signin::Pushed { ends_at: after(now, PUSHED_LIFE_S) }
    }

    /// When it ends unless something happens; none once it is final.
    pub fn ends_at(&self) -> Option<Timestamp> {
        match self {
            Signin::Pushed { ends_at }
            | Signin::Open(Open { ends_at, .. })
            | Signin::Claimed(Claimed { ends_at, .. }) => Some(*ends_at),
            Signin::Approved | Signin::Denied(_) | Signin::Failed(_) | Signin::Expired => None,
        }
    }

    /// Moves the session on. The state to keep comes back also when the input is refused.
    #[must_use = "the state to keep comes back"]
    pub fn step(self, input: Input, now: Timestamp) -> Step {
        let over = match self.ends_at() {
            None if input == Input::Tick => return (self, Ok(None)),
            None => return (self, Err(Refusal::Over)),
            Some(ends_at) => ends_at <= now,
        };
        match (self, input) {
            (_, Input::Tick) if over => (Signin::Expired, Ok(Some(Effect::End))),
            (_, _) if over => (Signin::Expired, Err(Refusal::Over)),
            (same, Input::Tick) => (same, Ok(None)),
            (Signin::Pushed { .. }, Input::Opened(terms)) => {
                (Signin::Open(Open::begun(terms, 0, now)), Ok(Some(Effect::Begin)))
            }
            (Signin::Open(open), input) => open.step(input, now),
            (Signin::Claimed(claimed), input) => claimed.step(input),
            (same, _) => (same, Err(Refusal::OutOfTurn)),
        }
    }
}

impl Open {
    fn begun(terms: Terms, renewals: u8, now: Timestamp) -> Open {
        Open { terms, ends_at: after(now, terms.life_s).min(terms.last_end()), renewals, asserted: None }
    }

    fn step(mut self, input: Input, now: Timestamp) -> Step {
        match input {
            Input::Reloaded => (Signin::Open(self), Ok(Some(Effect::Show))),
            Input::Handle => (Signin::Open(self), Ok(Some(Effect::AddressHandle))),
            Input::Asserted(_) if self.asserted.is_some() => {
                (Signin::Open(self), Err(Refusal::AssertionSpent))
            }
            Input::Asserted(Some(person)) => {
                self.asserted = Some(person);
                (Signin::Open(self), Ok(Some(Effect::AddressPerson(person))))
            }
            Input::Asserted(None) => failed(Cause::Assertion),
            Input::Claims { person, .. } if self.asserted.is_some_and(|asserted| asserted != person) => {
                failed(Cause::OtherPerson)
            }
            Input::Claims { enrolment, person } => {
                let ends_at = after(now, self.terms.life_s).min(self.terms.last_end());
                let (terms, asserted) = (self.terms, self.asserted);
                let claimed = Claimed { terms, ends_at, asserted, enrolment, person };
                (Signin::Claimed(claimed), Ok(Some(Effect::Claim)))
            }
            Input::Renews if self.renewals >= RENEWALS_MAX => {
                (Signin::Open(self), Err(Refusal::RenewedTooOften))
            }
            Input::Renews => {
                // A new context begins now: its `iat`, its T0 and so its assertion are new too.
                let terms = Terms { began_at: now, ..self.terms };
                (Signin::Open(Open::begun(terms, self.renewals + 1, now)), Ok(Some(Effect::Replace)))
            }
            Input::BrowserAnswers(verdict) => decided(verdict),
            Input::Cancels => (Signin::Denied(None), Ok(Some(Effect::End))),
            Input::Opened(_) | Input::Answers { .. } | Input::Tick => {
                (Signin::Open(self), Err(Refusal::OutOfTurn))
            }
        }
    }
}

impl Claimed {
    fn step(mut self, input: Input) -> Step {
        match input {
            Input::Reloaded => (Signin::Claimed(self), Ok(Some(Effect::Show))),
            Input::Asserted(_) if self.asserted.is_some() => {
                (Signin::Claimed(self), Err(Refusal::AssertionSpent))
            }
            Input::Asserted(Some(person)) if person == self.person => {
                self.asserted = Some(person);
                (Signin::Claimed(self), Ok(Some(Effect::Asserted)))
            }
            Input::Asserted(Some(_)) => failed(Cause::OtherPerson),
            Input::Asserted(None) => failed(Cause::Assertion),
            Input::Claims { enrolment, .. } => {
                let answer = if enrolment == self.enrolment {
                    Ok(Some(Effect::Claim))
                } else {
                    Err(Refusal::AlreadyClaimed)
                };
                (Signin::Claimed(self), answer)
            }
            Input::Renews => {
                self.ends_at = after(self.ends_at, self.terms.life_s).min(self.terms.last_end());
                (Signin::Claimed(self), Ok(Some(Effect::Extend)))
            }
            Input::Answers { enrolment, .. } if enrolment != self.enrolment => {
                (Signin::Claimed(self), Err(Refusal::OutOfTurn))
            }
            Input::Answers { verdict: Ok(Decided::Approved), .. }
                if self.terms.assertion_needed && self.asserted.is_none() =>
            {
                (Signin::Claimed(self), Err(Refusal::AssertionPending))
            }
            Input::Answers { verdict, .. } => decided(verdict),
            Input::Cancels => (Signin::Denied(None), Ok(Some(Effect::End))),
            Input::Opened(_) | Input::Handle | Input::BrowserAnswers(_) | Input::Tick => {
                (Signin::Claimed(self), Err(Refusal::OutOfTurn))
            }
        }
    }
}

fn decided(verdict: Result<Decided, Failure>) -> Step {
    match verdict {
        Ok(Decided::Approved) => (Signin::Approved, Ok(Some(Effect::End))),
        Ok(Decided::Denied(reason)) => (Signin::Denied(Some(reason)), Ok(Some(Effect::End))),
        Err(failure) => failed(Cause::Answer(failure)),
    }
}

fn failed(cause: Cause) -> Step {
    (Signin::Failed(cause), Ok(Some(Effect::End)))
}

/// Later by that many seconds, or the end of time.
fn after(moment: Timestamp, seconds: i64) -> Timestamp {
    moment.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
