//! The verifier's session, cross-device: a value that a response, a refusal or time moves on, once.

use super::error::WalletError;
use credential::check::Check;
use jiff::Timestamp;

/// How many unreadable responses a session bears; whoever knows its response address can send some.
pub const UNREADABLE_TRIES: u8 = 5;

/// A verification between its requests.
///
/// | state | input | next | answer |
/// |---|---|---|---|
/// | created | unreadable response, tries left | created, one try less | [`Refusal::Unreadable`] |
/// | created | unreadable response, last try | rejected | [`Refusal::Rejected`] |
/// | created | readable response, a check failed | rejected | [`Refusal::Rejected`] |
/// | created | readable response, all checks passed | verified | [`Outcome::Verified`] |
/// | created | wallet error | declined | [`Outcome::Declined`] |
/// | created | time passes, `expires_at` ahead | created | [`Outcome::Waiting`] |
/// | created | anything at or after `expires_at` | expired | [`Outcome::Expired`] to time, else [`Refusal::Expired`] |
/// | final | time passes | unchanged | [`Outcome::Waiting`] |
/// | final | any response | unchanged | [`Refusal::Final`] |
///
/// With a final state the caller destroys the response key, in the same unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Where it stands.
    pub state: State,
    /// When it ends unanswered.
    pub expires_at: Timestamp,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waiting for its one answer.
    Created {
        /// Unreadable responses it still bears; at least 1.
        tries_left: u8,
    },
    /// The presentation was accepted.
    Verified,
    /// The presentation failed a check, or too many responses could not be read.
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
    /// Nothing but time.
    Tick,
}

/// What a step achieved; a response that achieves something is answered 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Keep claims and report.
    Verified,
    /// Keep the wallet's error.
    Declined,
    /// The session has just ended unanswered.
    Expired,
    /// Nothing to do.
    Waiting,
}

/// Why a response achieved nothing. To the wallet all of them read alike: [`super::response::refused`], 400.
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
    /// The response came too late; the session has just expired.
    #[error("the session is over")]
    Expired,
    /// The session was final before.
    #[error("the session had its answer before")]
    Final,
}

impl Session {
    /// A fresh session.
    #[must_use]
    pub fn new(expires_at: Timestamp) -> Session {
        Session { state: State::Created { tries_left: UNREADABLE_TRIES }, expires_at }
    }

    /// Moves the session on. The session to keep comes back also when the input is refused.
    #[must_use = "the session to keep comes back"]
    pub fn step(self, input: Input, now: Timestamp) -> (Session, Result<Outcome, Refusal>) {
        let State::Created { tries_left } = self.state else {
            let answer = if input == Input::Tick { Ok(Outcome::Waiting) } else { Err(Refusal::Final) };
            return (self, answer);
        };
        if now >= self.expires_at {
            let answer = if input == Input::Tick { Ok(Outcome::Expired) } else { Err(Refusal::Expired) };
            return (self.with(State::Expired), answer);
        }
        match input {
            Input::Tick => (self, Ok(Outcome::Waiting)),
            Input::Accepted => (self.with(State::Verified), Ok(Outcome::Verified)),
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

    fn with(self, state: State) -> Session {
        Session { state, ..self }
    }
}

impl State {
    /// Whether nothing can change it any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, State::Created { .. })
    }

    /// The state's name in our API and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Created { .. } => "created",
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
        Session::new(at(END))
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
            Just(Input::Tick),
        ]
    }

    /// The table of [`Session`], written a second time: which edges there are.
    fn is_edge(from: State, to: State, input: Input, late: bool) -> bool {
        use State::{Created, Declined, Expired, Rejected, Verified};
        match (from, to) {
            (Created { tries_left: a }, Created { tries_left: b }) => {
                !late
                    && match input {
                        Input::Tick => a == b,
                        Input::Unreadable(_) => a == b + 1 && b > 0,
                        Input::Failed(_) | Input::Accepted | Input::WalletError(_) => false,
                    }
            }
            (Created { .. }, Verified) => !late && input == Input::Accepted,
            (Created { .. }, Declined { .. }) => !late && matches!(input, Input::WalletError(_)),
            (Created { tries_left }, Rejected { .. }) => {
                !late
                    && match input {
                        Input::Failed(_) => true,
                        Input::Unreadable(_) => tries_left == 1,
                        Input::Accepted | Input::WalletError(_) | Input::Tick => false,
                    }
            }
            (Created { .. }, Expired) => late,
            (same, again) => same == again,
        }
    }

    proptest! {
        #[test]
        fn random_walks_find_no_edge_outside_the_table(
            walk in proptest::collection::vec((input(), 0..2 * END), 0..24),
        ) {
            let mut session = fresh();
            let mut successes = 0;
            for (input, second) in walk {
                let (next, answer) = session.step(input, at(second));
                let late = second >= END;
                prop_assert!(is_edge(session.state, next.state, input, late), "{session:?} {input:?} {next:?}");
                prop_assert!(!session.state.is_final() || next == session);
                prop_assert_eq!(next.expires_at, session.expires_at);
                successes += usize::from(matches!(answer, Ok(Outcome::Verified | Outcome::Declined)));
                session = next;
            }
            prop_assert!(successes <= 1);
        }
    }
}
