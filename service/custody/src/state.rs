//! The states of a key version: one pure, total function.
//!
//! | from | activate | rotate | freeze · unfreeze | retire | compromise | destroy | signs | in JWKS |
//! |---|---|---|---|---|---|---|---|---|
//! | pending | active | active | – | – | compromised | destroyed | no | yes, ahead of use |
//! | active | – | retired | frozen · – | retired | compromised | – | yes | yes |
//! | frozen | – | retired | – · active | retired | compromised | – | no | yes |
//! | retired | – | – | – | – | compromised | destroyed | no | until `keep_public_until` |
//! | compromised | – | – | – | – | – | destroyed | no | removed at once |
//! | destroyed | – | – | – | – | – | – | no | as before: a public part outlives the private one |

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

/// What a version of a key may be used for at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "KeyState")]
pub enum State {
    /// Published ahead of its use.
    Pending,
    /// The one that signs.
    Active,
    /// Held back by an operator; the job leaves it alone.
    Frozen,
    /// Signs no more; what it signed still verifies.
    Retired,
    /// What it signed must not be believed.
    Compromised,
    /// The private part is gone.
    Destroyed,
}

/// What somebody does to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// A pending version begins to sign.
    Activate,
    /// A pending version takes over; the one in use makes room.
    Rotate,
    /// Stops signing until further notice.
    Freeze,
    /// Signs again.
    Unfreeze,
    /// Signs no more.
    Retire,
    /// Is believed no more.
    Compromise,
    /// The private part goes.
    Destroy,
}

/// A pair that the table does not have. The version stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a version that is {from} has no {verb}")]
pub struct NoSuchStep {
    /// The state that stays.
    pub from: State,
    /// What was asked.
    pub verb: Verb,
}

impl State {
    /// Every state, in the order of the table.
    pub const ALL: [State; 6] =
        [State::Pending, State::Active, State::Frozen, State::Retired, State::Compromised, State::Destroyed];

    /// The table of this module.
    ///
    /// # Errors
    /// [`NoSuchStep`] for every pair that the table does not have; nothing changes then.
    pub const fn step(self, verb: Verb) -> Result<State, NoSuchStep> {
        match (self, verb) {
            (State::Pending, Verb::Activate | Verb::Rotate) | (State::Frozen, Verb::Unfreeze) => {
                Ok(State::Active)
            }
            (State::Active | State::Frozen, Verb::Rotate | Verb::Retire) => Ok(State::Retired),
            (State::Active, Verb::Freeze) => Ok(State::Frozen),
            (State::Pending | State::Active | State::Frozen | State::Retired, Verb::Compromise) => {
                Ok(State::Compromised)
            }
            (State::Pending | State::Retired | State::Compromised, Verb::Destroy) => Ok(State::Destroyed),
            (
                State::Pending
                | State::Active
                | State::Frozen
                | State::Retired
                | State::Compromised
                | State::Destroyed,
                _,
            ) => Err(NoSuchStep { from: self, verb }),
        }
    }

    /// Whether a version in this state signs.
    pub const fn signs(self) -> bool {
        matches!(self, State::Active)
    }

    /// Whether this is the version in use: at most one of a key is.
    pub const fn in_use(self) -> bool {
        matches!(self, State::Active | State::Frozen)
    }

    /// Whether the public part is published at `now`. `keep_public_until` is set when a version retires and taken away
    /// when it is compromised.
    pub fn is_published(self, keep_public_until: Option<Timestamp>, now: Timestamp) -> bool {
        match self {
            State::Pending | State::Active | State::Frozen => true,
            State::Retired | State::Destroyed => keep_public_until.is_some_and(|until| now < until),
            State::Compromised => false,
        }
    }

    /// The word in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Active => "active",
            State::Frozen => "frozen",
            State::Retired => "retired",
            State::Compromised => "compromised",
            State::Destroyed => "destroyed",
        }
    }

    /// Reads [`State::as_str`].
    pub fn parse(text: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl Verb {
    /// Every verb, in the order of the table.
    pub const ALL: [Verb; 7] = [
        Verb::Activate,
        Verb::Rotate,
        Verb::Freeze,
        Verb::Unfreeze,
        Verb::Retire,
        Verb::Compromise,
        Verb::Destroy,
    ];

    /// The word in paths and sentences.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Activate => "activate",
            Verb::Rotate => "rotate",
            Verb::Freeze => "freeze",
            Verb::Unfreeze => "unfreeze",
            Verb::Retire => "retire",
            Verb::Compromise => "compromise",
            Verb::Destroy => "destroy",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `keys` as the page has it, one line a state; `–` is no step.
    const TABLE: [(&str, [&str; 7]); 6] = [
        ("pending", ["active", "active", "–", "–", "–", "compromised", "destroyed"]),
        ("active", ["–", "retired", "frozen", "–", "retired", "compromised", "–"]),
        ("frozen", ["–", "retired", "–", "active", "retired", "compromised", "–"]),
        ("retired", ["–", "–", "–", "–", "–", "compromised", "destroyed"]),
        ("compromised", ["–", "–", "–", "–", "–", "–", "destroyed"]),
        ("destroyed", ["–", "–", "–", "–", "–", "–", "–"]),
    ];

    #[test]
    fn every_pair_of_state_and_verb_is_as_the_table_says() {
        for ((from, row), state) in TABLE.into_iter().zip(State::ALL) {
            assert_eq!(state.as_str(), from);
            for (wanted, verb) in row.into_iter().zip(Verb::ALL) {
                match state.step(verb) {
                    Ok(next) => assert_eq!(next.as_str(), wanted, "{from} {verb}"),
                    Err(refusal) => {
                        assert_eq!(wanted, "–", "{from} {verb}");
                        assert_eq!(refusal, NoSuchStep { from: state, verb });
                    }
                }
            }
        }
    }

    #[test]
    fn no_walk_leads_back_from_compromised_or_destroyed_to_a_state_that_signs() {
        for first in Verb::ALL {
            for second in Verb::ALL {
                for state in [State::Compromised, State::Destroyed] {
                    let end = state.step(first).and_then(|next| next.step(second));
                    assert!(end.is_err(), "{state} {first} {second}");
                }
            }
        }
        assert!(State::ALL.into_iter().filter(|state| state.signs()).eq([State::Active]));
    }

    #[test]
    fn a_public_part_stays_as_long_as_it_is_needed_and_goes_at_once_when_it_must() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let (before, after) =
            (now - jiff::SignedDuration::from_secs(1), now + jiff::SignedDuration::from_secs(1));
        for state in [State::Pending, State::Active, State::Frozen] {
            assert!(state.is_published(None, now));
        }
        for state in [State::Retired, State::Destroyed] {
            assert!(state.is_published(Some(after), now));
            assert!(!state.is_published(Some(now), now));
            assert!(!state.is_published(Some(before), now));
            assert!(!state.is_published(None, now));
        }
        assert!(!State::Compromised.is_published(Some(after), now));
    }

    #[test]
    fn words_read_back_as_states() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("Active"), None);
    }
}
