//! The verifier's session: a value that a response, a returning browser, a refusal or time moves on, once.

use super::error::WalletError;
use credential::check::Check;
use jiff::{SignedDuration, Timestamp};

/// How many unreadable responses a session bears; whoever knows its response address can send some.
pub const UNREADABLE_TRIES: u8 = 5;

/// How many wrong response codes a session bears; a code has 256 bits, so more would only serve a mistake.
pub const RETURN_TRIES: u8 = 3;

/// Longest time that a browser may take to come back, seconds; whoever reads over its shoulder has that long.
pub const RETURN_TTL_S_MAX: u32 = 600;

/// A verification between its requests.
///
/// | state | input | next | answer |
/// |---|---|---|---|
/// | created | unreadable response, tries left | created, one try less | [`Refusal::Unreadable`] |
/// | created | unreadable response, last try | rejected | [`Refusal::Rejected`] |
/// | created | readable response, a check failed | rejected | [`Refusal::Rejected`] |
/// | created | all checks passed, cross-device | verified | [`Outcome::Verified`] |
/// | created | all checks passed, same device | awaiting_return | [`Outcome::AwaitingReturn`] |
/// | created | wallet error | declined | [`Outcome::Declined`] |
/// | created | time passes, `expires_at` ahead | created | [`Outcome::Waiting`] |
/// | created | anything at or after `expires_at` | expired | [`Outcome::Expired`] to time, else [`Refusal::Expired`] |
/// | created | a browser that comes back | unchanged | [`Refusal::NotAwaited`] |
/// | awaiting_return | the right code in the same session | verified | [`Outcome::Verified`] |
/// | awaiting_return | a wrong code, tries left | awaiting_return, one try less | [`Refusal::WrongCode`] |
/// | awaiting_return | a wrong code, last try; another session | rejected | [`Refusal::Rejected`] |
/// | awaiting_return | any response | unchanged | [`Refusal::Final`] |
/// | awaiting_return | anything at or after its end | rejected | [`Outcome::NotReturned`] to time, else [`Refusal::Rejected`] |
/// | final | time passes | unchanged | [`Outcome::Waiting`] |
/// | final | any response, any browser | unchanged | [`Refusal::Final`] |
///
/// With every state but `created` the caller destroys the response key, in the same unit; with `rejected` also what was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Where it stands.
    pub state: State,
    /// When it ends unanswered.
    pub expires_at: Timestamp,
    /// Whether the browser that began must come back.
    pub flow: Flow,
}

/// Whether the browser that began must come back (OpenID4VP 1.0, 13.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The wallet is on another device: nothing binds its holder to the browser.
    CrossDevice,
    /// The wallet sends the browser back with a code.
    SameDevice {
        /// Seconds it may take.
        return_ttl_s: u32,
    },
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waiting for its one answer.
    Created {
        /// Unreadable responses it still bears; at least 1.
        tries_left: u8,
    },
    /// The presentation passed; nobody is told before the browser is back.
    AwaitingReturn {
        /// Wrong codes it still bears; at least 1.
        tries_left: u8,
        /// When it ends without it.
        until: Timestamp,
    },
    /// The presentation was accepted.
    Verified,
    /// The presentation failed a check, too many responses could not be read, or the browser did not come back.
    Rejected {
        /// The first check that failed.
        check: Check,
    },
    /// The wallet answered an error.
    Declined {
        /// Which.
        error: WalletError,
    },
    /// Nobody answered in time.
    Expired,
}

/// What happens to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A response that is malformed or does not decrypt.
    Unreadable(Check),
    /// A well-formed response that failed a check.
    Failed(Check),
    /// A well-formed response that passed every check.
    Accepted,
    /// The wallet answered an error, with the right `state`.
    WalletError(WalletError),
    /// A browser came back.
    Returned(Return),
    /// Nothing but time.
    Tick,
}

/// How a browser came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// With the code, in the session that began.
    Right,
    /// With a code that is not this session's.
    WrongCode,
    /// With the code, in another browser than the one that began: somebody was sent another's link.
    OtherSession,
}

/// What a step achieved; a response that achieves something is answered 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Keep claims and report.
    Verified,
    /// Keep claims and report, show them to nobody, and send the browser back with a fresh code.
    AwaitingReturn,
    /// Keep the wallet's error.
    Declined,
    /// The session has just ended unanswered.
    Expired,
    /// The browser did not come back in time; what was shown goes.
    NotReturned,
    /// Nothing to do.
    Waiting,
}

/// Why a response or a return achieved nothing. To the wallet all of them read alike: [`super::response::refused`], 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The response cannot be read; another may come.
    #[error("the response cannot be read: {}", check.id())]
    Unreadable {
        /// Which check failed.
        check: Check,
        /// How many more may fail so.
        tries_left: u8,
    },
    /// The session has just been rejected.
    #[error("the presentation was rejected: {}", check.id())]
    Rejected {
        /// Which check failed first.
        check: Check,
    },
    /// The code is another's; the right one may still come.
    #[error("the response code is not this session's")]
    WrongCode {
        /// How many more may be wrong.
        tries_left: u8,
    },
    /// No browser is awaited yet.
    #[error("the session waits for its answer")]
    NotAwaited,
    /// The response came too late; the session has just expired.
    #[error("the session is over")]
    Expired,
    /// The session had its answer before.
    #[error("the session had its answer before")]
    Final,
}

impl Session {
    /// A fresh session.
    #[must_use]
    pub fn new(expires_at: Timestamp, flow: Flow) -> Session {
        Session { state: State::Created { tries_left: UNREADABLE_TRIES }, expires_at, flow }
    }

    /// Moves the session on. The session to keep comes back also when the input is refused.
    #[must_use = "the session to keep comes back"]
    pub fn step(self, input: Input, now: Timestamp) -> (Session, Result<Outcome, Refusal>) {
        match self.state {
            State::Created { tries_left } => self.answered(tries_left, input, now),
            State::AwaitingReturn { tries_left, until } => self.returned(tries_left, until, input, now),
            State::Verified | State::Rejected { .. } | State::Declined { .. } | State::Expired => {
                let answer = if input == Input::Tick { Ok(Outcome::Waiting) } else { Err(Refusal::Final) };
                (self, answer)
            }
        }
    }

    fn answered(self, tries_left: u8, input: Input, now: Timestamp) -> (Session, Result<Outcome, Refusal>) {
        if now >= self.expires_at {
            let answer = if input == Input::Tick { Ok(Outcome::Expired) } else { Err(Refusal::Expired) };
            return (self.with(State::Expired), answer);
        }
        match input {
            Input::Tick => (self, Ok(Outcome::Waiting)),
            Input::Returned(_) => (self, Err(Refusal::NotAwaited)),
            Input::Accepted => match self.flow {
                Flow::CrossDevice => (self.with(State::Verified), Ok(Outcome::Verified)),
                Flow::SameDevice { return_ttl_s } => {
                    let wait = SignedDuration::from_secs(i64::from(return_ttl_s.min(RETURN_TTL_S_MAX)));
                    let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
                    let state = State::AwaitingReturn { tries_left: RETURN_TRIES, until };
                    (self.with(state), Ok(Outcome::AwaitingReturn))
                }
            },
            Input::WalletError(error) => (self.with(State::Declined { error }), Ok(Outcome::Declined)),
            Input::Failed(check) => (self.with(State::Rejected { check }), Err(Refusal::Rejected { check })),
            Input::Unreadable(check) => match tries_left.saturating_sub(1) {
                0 => (self.with(State::Rejected { check }), Err(Refusal::Rejected { check })),
                tries_left => {
                    (self.with(State::Created { tries_left }), Err(Refusal::Unreadable { check, tries_left }))
                }
            },
        }
    }

    fn returned(
        self,
        tries_left: u8,
        until: Timestamp,
        input: Input,
        now: Timestamp,
    ) -> (Session, Result<Outcome, Refusal>) {
        let check = Check::BrowserReturned;
        let rejected = self.with(State::Rejected { check });
        if now >= until {
            let over = if input == Input::Tick {
                Ok(Outcome::NotReturned)
            } else {
                Err(Refusal::Rejected { check })
            };
            return (rejected, over);
        }
        match input {
            Input::Tick => (self, Ok(Outcome::Waiting)),
            Input::Returned(Return::Right) => (self.with(State::Verified), Ok(Outcome::Verified)),
            Input::Returned(Return::OtherSession) => (rejected, Err(Refusal::Rejected { check })),
            Input::Returned(Return::WrongCode) => match tries_left.saturating_sub(1) {
                0 => (rejected, Err(Refusal::Rejected { check })),
                tries_left => {
                    let state = State::AwaitingReturn { tries_left, until };
                    (self.with(state), Err(Refusal::WrongCode { tries_left }))
                }
            },
            Input::Unreadable(_) | Input::Failed(_) | Input::Accepted | Input::WalletError(_) => {
                (self, Err(Refusal::Final))
            }
        }
    }

    fn with(self, state: State) -> Session {
        Session { state, ..self }
    }
}

impl State {
    /// Whether nothing can change it any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, State::Created { .. } | State::AwaitingReturn { .. })
    }

    /// The state's name in our API and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Created { .. } => "created",
            State::AwaitingReturn { .. } => "awaiting_return",
            State::Verified => "verified",
            State::Rejected { .. } => "rejected",
            State::Declined { .. } => "declined",
            State::Expired => "expired",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const END: i64 = 300;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn fresh() -> Session {
        Session::new(at(END), Flow::CrossDevice)
    }

    /// A session on one device that was answered at second 1.
    fn awaiting() -> Session {
        let fresh = Session::new(at(END), Flow::SameDevice { return_ttl_s: 300 });
        let (session, outcome) = fresh.step(Input::Accepted, at(1));
        assert_eq!(outcome, Ok(Outcome::AwaitingReturn));
        session
    }

    #[test]
    fn a_session_on_one_device_is_verified_only_by_the_browser_that_comes_back_in_time() {
        let (verified, outcome) = awaiting().step(Input::Returned(Return::Right), at(300));
        assert_eq!((verified.state, outcome), (State::Verified, Ok(Outcome::Verified)));
        let check = Check::BrowserReturned;
        for late in [Input::Returned(Return::Right), Input::Returned(Return::WrongCode), Input::Accepted] {
            let (session, answer) = awaiting().step(late, at(301));
            assert_eq!(
                (session.state, answer),
                (State::Rejected { check }, Err(Refusal::Rejected { check }))
            );
        }
        assert_eq!(awaiting().step(Input::Tick, at(301)).1, Ok(Outcome::NotReturned));
        let (other, answer) = awaiting().step(Input::Returned(Return::OtherSession), at(2));
        assert_eq!((other.state, answer), (State::Rejected { check }, Err(Refusal::Rejected { check })));
        let (same, answer) = awaiting().step(Input::Accepted, at(2));
        assert_eq!((same, answer), (awaiting(), Err(Refusal::Final)));
        assert_eq!(fresh().step(Input::Returned(Return::Right), at(1)), (fresh(), Err(Refusal::NotAwaited)));
    }

    #[test]
    fn three_wrong_codes_reject_the_session() {
        let mut session = awaiting();
        for tries_left in (1..RETURN_TRIES).rev() {
            let (next, answer) = session.step(Input::Returned(Return::WrongCode), at(2));
            assert_eq!(answer, Err(Refusal::WrongCode { tries_left }));
            session = next;
        }
        let (last, answer) = session.step(Input::Returned(Return::WrongCode), at(2));
        let check = Check::BrowserReturned;
        assert_eq!((last.state, answer), (State::Rejected { check }, Err(Refusal::Rejected { check })));
        assert_eq!(last.step(Input::Returned(Return::Right), at(3)), (last, Err(Refusal::Final)));
    }

    #[test]
    fn a_response_that_passes_verifies_and_a_second_one_changes_nothing() {
        let (session, outcome) = fresh().step(Input::Accepted, at(1));
        assert_eq!((session.state, outcome), (State::Verified, Ok(Outcome::Verified)));
        for again in [Input::Accepted, Input::Failed(Check::Nonce), Input::Unreadable(Check::Decrypts)] {
            assert_eq!(session.step(again, at(2)), (session, Err(Refusal::Final)));
        }
    }

    #[test]
    fn five_unreadable_responses_reject_the_session() {
        let mut session = fresh();
        for tries_left in (1..UNREADABLE_TRIES).rev() {
            let (next, answer) = session.step(Input::Unreadable(Check::Decrypts), at(1));
            assert_eq!(answer, Err(Refusal::Unreadable { check: Check::Decrypts, tries_left }));
            session = next;
        }
        let (last, answer) = session.step(Input::Unreadable(Check::Form), at(1));
        assert_eq!(
            (last.state, answer),
            (State::Rejected { check: Check::Form }, Err(Refusal::Rejected { check: Check::Form }))
        );
    }

    #[test]
    fn a_good_response_after_the_end_expires_the_session() {
        assert!(fresh().step(Input::Accepted, at(END - 1)).1.is_ok());
        let (session, answer) = fresh().step(Input::Accepted, at(END));
        assert_eq!((session.state, answer), (State::Expired, Err(Refusal::Expired)));
        assert_eq!(fresh().step(Input::Tick, at(END)).1, Ok(Outcome::Expired));
    }

    fn input() -> impl Strategy<Value = Input> {
        prop_oneof![
            Just(Input::Unreadable(Check::Decrypts)),
            Just(Input::Failed(Check::Nonce)),
            Just(Input::Accepted),
            Just(Input::WalletError(WalletError::AccessDenied)),
            Just(Input::Returned(Return::Right)),
            Just(Input::Returned(Return::WrongCode)),
            Just(Input::Returned(Return::OtherSession)),
            Just(Input::Tick),
        ]
    }

    /// The table of [`Session`], written a second time: which edges there are.
    fn is_edge(from: Session, to: State, input: Input, now: Timestamp) -> bool {
        use State::{AwaitingReturn, Created, Declined, Expired, Rejected, Verified};
        let same_device = from.flow != Flow::CrossDevice;
        let late = now >= from.expires_at;
        match (from.state, to) {
            (Created { tries_left: a }, Created { tries_left: b }) => {
                !late
                    && match input {
                        Input::Tick | Input::Returned(_) => a == b,
                        Input::Unreadable(_) => a == b + 1 && b > 0,
                        Input::Failed(_) | Input::Accepted | Input::WalletError(_) => false,
                    }
            }
            (Created { .. }, Verified) => !late && input == Input::Accepted && !same_device,
            (Created { .. }, AwaitingReturn { tries_left, .. }) => {
                !late && input == Input::Accepted && same_device && tries_left == RETURN_TRIES
            }
            (Created { .. }, Declined { .. }) => !late && matches!(input, Input::WalletError(_)),
            (Created { tries_left }, Rejected { .. }) => {
                !late
                    && match input {
                        Input::Failed(_) => true,
                        Input::Unreadable(_) => tries_left == 1,
                        _ => false,
                    }
            }
            (Created { .. }, Expired) => late,
            (AwaitingReturn { until, .. }, Verified) => {
                now < until && input == Input::Returned(Return::Right)
            }
            (AwaitingReturn { tries_left, until }, Rejected { check }) => {
                check == Check::BrowserReturned
                    && (now >= until
                        || input == Input::Returned(Return::OtherSession)
                        || (input == Input::Returned(Return::WrongCode) && tries_left == 1))
            }
            (AwaitingReturn { tries_left: a, until }, AwaitingReturn { tries_left: b, until: still }) => {
                until == still
                    && now < until
                    && match input {
                        Input::Returned(Return::WrongCode) => a == b + 1 && b > 0,
                        Input::Returned(_) => false,
                        _ => a == b,
                    }
            }
            (same, again) => same == again,
        }
    }

    proptest! {
        #[test]
        fn random_walks_find_no_edge_outside_the_table(
            walk in proptest::collection::vec((input(), 0..2 * END), 0..24),
            same_device in any::<bool>(),
        ) {
            let flow = if same_device { Flow::SameDevice { return_ttl_s: 300 } } else { Flow::CrossDevice };
            let mut session = Session { flow, ..fresh() };
            let mut successes = 0;
            for (input, second) in walk {
                let (next, answer) = session.step(input, at(second));
                prop_assert!(is_edge(session, next.state, input, at(second)), "{session:?} {input:?} {next:?}");
                prop_assert!(!session.state.is_final() || next == session);
                prop_assert_eq!((next.expires_at, next.flow), (session.expires_at, session.flow));
                successes += usize::from(matches!(answer, Ok(Outcome::Verified | Outcome::Declined)));
                session = next;
            }
            prop_assert!(successes <= 1);
        }
    }
}
