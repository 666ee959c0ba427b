//! The life of a round at a hop, as a value.
//!
//! | state | open | close | mix | hand over | publish | sign | kill |
//! |---|---|---|---|---|---|---|---|
//! | committed | collecting | – | – | – | – | – | dead |
//! | collecting | – | closed | – | – | – | – | dead |
//! | closed | – | – | mixed | – | – | – | dead |
//! | mixed | – | – | – | handed-over (k > 1) | published (k = 1) | – | dead |
//! | handed-over | – | – | – | – | published | – | dead |
//! | published | – | – | – | – | – | signed | dead |
//! | signed, dead | – | – | – | – | – | – | – |
//!
//! Invariants: a round never goes back, so its output is made once; what is refused leaves the state as it was. A cascade of one
//! hands over by publishing.

use crate::calendar::{COLLECT_TO_HUNDREDTHS, Calendar};
use crate::network::Class;

/// By when a round is published, in hundredths of T.
pub const PUBLISH_AT_HUNDREDTHS: u64 = 90;

/// Where a round stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum State {
    /// Its seed is drawn.
    Committed = 0,
    /// It takes cells.
    Collecting = 1,
    /// It takes no more.
    Closed = 2,
    /// Its output is made and durable.
    Mixed = 3,
    /// The next hop has it.
    HandedOver = 4,
    /// Its rows are out.
    Published = 5,
    /// Every hop signed its statement.
    Signed = 6,
    /// Nothing of it will be published; senders repeat.
    Dead = 7,
}

/// What happens to a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Input {
    /// Its time begins.
    Open,
    /// Collecting ends.
    Close,
    /// The batch was opened and mixed, and the output is durable.
    Mix,
    /// The next hop gave a receipt.
    HandOver,
    /// The rows are durable.
    Publish,
    /// All signatures are there.
    Sign,
    /// It cannot go on.
    Kill,
}

/// An input that the state does not take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a round that is {state:?} does not take {input:?}")]
pub struct RoundRefusal {
    /// Where it stands.
    pub state: State,
    /// What was refused.
    pub input: Input,
}

/// A round at a hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Round {
    state: State,
    hops: u8,
}

impl Round {
    /// A round whose seed is drawn, in a cascade of `hops`.
    pub const fn committed(hops: u8) -> Self {
        Self { state: State::Committed, hops }
    }

    /// A round taken up after a restart.
    pub const fn at(state: State, hops: u8) -> Self {
        Self { state, hops }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// The next state; a refusal leaves it where it is.
    pub fn step(self, input: Input) -> (Self, Result<(), RoundRefusal>) {
        let next = match (self.state, input) {
            (State::Committed, Input::Open) => Some(State::Collecting),
            (State::Collecting, Input::Close) => Some(State::Closed),
            (State::Closed, Input::Mix) => Some(State::Mixed),
            (State::Mixed, Input::HandOver) if self.hops > 1 => Some(State::HandedOver),
            (State::Mixed, Input::Publish) if self.hops == 1 => Some(State::Published),
            (State::HandedOver, Input::Publish) => Some(State::Published),
            (State::Published, Input::Sign) => Some(State::Signed),
            (State::Signed | State::Dead, _) => None,
            (_, Input::Kill) => Some(State::Dead),
            _ => None,
        };
        match next {
            Some(state) => (Self { state, ..self }, Ok(())),
            None => (self, Err(RoundRefusal { state: self.state, input })),
        }
    }
}

/// When a round stops taking cells.
pub fn closes_at_ms(calendar: &Calendar, class: Class, round: u64) -> u64 {
    part_of(calendar, class, round, COLLECT_TO_HUNDREDTHS)
}

/// When the rows of a round go out: not earlier, so that the moment tells nothing of the load.
pub fn publishes_at_ms(calendar: &Calendar, class: Class, round: u64) -> u64 {
    part_of(calendar, class, round, PUBLISH_AT_HUNDREDTHS)
}

/// When hop `i` of `k` (from 1) sends: at 0.60 + i·0.30/k of the round, not earlier.
pub fn sends_at_ms(calendar: &Calendar, class: Class, round: u64, i: u64, k: u64) -> u64 {
    let span = PUBLISH_AT_HUNDREDTHS - COLLECT_TO_HUNDREDTHS;
    let round_ms = calendar.round_ms(class).unwrap_or(0);
    calendar.starts_at_ms(class, round) + round_ms * (COLLECT_TO_HUNDREDTHS * k + span * i) / (100 * k)
}

fn part_of(calendar: &Calendar, class: Class, round: u64, hundredths: u64) -> u64 {
    calendar.starts_at_ms(class, round) + calendar.round_ms(class).unwrap_or(0) * hundredths / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INPUTS: [Input; 7] =
        [Input::Open, Input::Close, Input::Mix, Input::HandOver, Input::Publish, Input::Sign, Input::Kill];

    /// The table of the module, written a second time.
    fn table(state: State, input: Input, hops: u8) -> Option<State> {
        use State::{Closed, Collecting, Committed, Dead, HandedOver, Mixed, Published, Signed};
        if matches!(state, Signed | Dead) {
            return None;
        }
        match input {
            Input::Kill => Some(Dead),
            Input::Open => (state == Committed).then_some(Collecting),
            Input::Close => (state == Collecting).then_some(Closed),
            Input::Mix => (state == Closed).then_some(Mixed),
            Input::HandOver => (state == Mixed && hops > 1).then_some(HandedOver),
            Input::Publish => (state == if hops == 1 { Mixed } else { HandedOver }).then_some(Published),
            Input::Sign => (state == Published).then_some(Signed),
        }
    }

    proptest! {
        #[test]
        fn random_inputs_find_no_other_edge(hops in 1u8..4, inputs in proptest::collection::vec(0usize..7, 0..40)) {
            let mut round = Round::committed(hops);
            for input in inputs {
                let (before, input) = (round.state(), INPUTS[input]);
                let (next, outcome) = round.step(input);
                match table(before, input, hops) {
                    Some(state) => {
                        prop_assert_eq!((next.state(), outcome), (state, Ok(())));
                        prop_assert!(state as u8 > before as u8, "a round never goes back");
                    }
                    None => {
                        prop_assert_eq!(next.state(), before);
                        prop_assert_eq!(outcome, Err(RoundRefusal { state: before, input }));
                    }
                }
                round = next;
            }
        }
    }

    #[test]
    fn phases_stand_where_the_protocol_puts_them() {
        let calendar = Calendar::new(1_000, 86_400_000, 60_000, 1_000).unwrap();
        assert_eq!(closes_at_ms(&calendar, Class::Normal, 2), 121_000 + 36_000);
        assert_eq!(publishes_at_ms(&calendar, Class::Normal, 2), 121_000 + 54_000);
        assert_eq!(
            sends_at_ms(&calendar, Class::Normal, 2, 3, 3),
            publishes_at_ms(&calendar, Class::Normal, 2)
        );
        assert_eq!(sends_at_ms(&calendar, Class::Normal, 2, 1, 3), 121_000 + 42_000);
        assert_eq!(closes_at_ms(&calendar, Class::Fast, 0), 1_600);
    }
}
