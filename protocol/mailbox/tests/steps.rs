//! Random inputs: whatever comes, a client keeps its rules and its state survives its bytes.

use proptest::prelude::*;
use tessera_mailbox::calendar::Calendar;
use tessera_mailbox::cell::{Class, Direction};
use tessera_mailbox::client::{Client, Effect, Input, Moment, Network, Reason, Settings};
use tessera_mailbox::frame::TurnCode;

const T: u64 = 60_000;
const START: u64 = 100 * 86_400_000 - 30 * T;

#[derive(Debug, Clone)]
enum Act {
    Welcome(i64),
    Pass(u64),
    Tick,
    Turned(u64, u8),
    Rows(u64, Vec<u8>),
    Dead(u64),
    Blob(u64, Option<Vec<u8>>),
    Trouble,
    Cleared,
    Lost,
    Send,
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let rows = prop::collection::vec(any::<u8>(), 0..1_100);
    prop_oneof![
        2 => prop_oneof![Just(0), -20_000..20_000i64, any::<i64>()].prop_map(Act::Welcome),
        6 => prop_oneof![0..T, 0..400 * T].prop_map(Act::Pass),
        8 => Just(Act::Tick),
        3 => (0..40u64, 0..6u8).prop_map(|(back, code)| Act::Turned(back, code)),
        3 => (0..40u64, rows.clone()).prop_map(|(back, rows)| Act::Rows(back, rows)),
        1 => (0..40u64).prop_map(Act::Dead),
        3 => (0..500u64, prop::option::of(rows)).prop_map(|(back, rows)| Act::Blob(back, rows)),
        1 => Just(Act::Trouble),
        1 => Just(Act::Cleared),
        1 => Just(Act::Lost),
        2 => Just(Act::Send),
        1 => Just(Act::Restart),
    ]
}

fn code(byte: u8) -> TurnCode {
    [
        TurnCode::Accepted,
        TurnCode::RoundClosed,
        TurnCode::Token,
        TurnCode::Spent,
        TurnCode::Length,
        TurnCode::Full,
    ][usize::from(byte % 6)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_comes_no_round_is_served_twice_and_the_state_is_saved_before_a_cell_leaves(
        acts in prop::collection::vec(act(), 1..60),
    ) {
        let network = Network {
            id: [7; 32],
            calendar: Calendar::new(0, 86_400_000, T, 1_000).unwrap(),
            is_bucketed: false,
            catches_up: true,
            retention_ms: 86_400_000,
            is_dev: false,
            events: 10,
        };
        let mut dice = 7u8;
        let mut entropy = move |bytes: &mut [u8]| {
            for byte in bytes {
                dice = dice.wrapping_mul(13).wrapping_add(41);
                *byte = dice;
            }
        };
        let mut now_ms = START;
        let mut moment = Moment { now_ms, entropy: &mut entropy };
        let mut client = Client::new(network, Settings::MEMBER, "Ana", &mut moment);
        let secret = |byte| crypto::secret::Secret::new([byte; 32]);
        let id = client.enrolled(secret(1), Direction::Inviter, secret(2), "Bo", &mut moment).unwrap();
        let mut saved = client.encode().expose().clone();
        // While the clock is trusted, rounds only go up; what was sent for a round is never sent again.
        let mut last: Option<u64> = None;
        for one in acts {
            let running = network.calendar.round_at(Class::Normal, now_ms).unwrap();
            let class = Class::Normal;
            let mut step = |client: Client, input: Input<'_>| -> (Client, Vec<Effect>) {
                client.step(input, &mut Moment { now_ms, entropy: &mut entropy })
            };
            let (next, effects) = match &one {
                Act::Pass(ms) => {
                    now_ms += ms;
                    continue;
                }
                Act::Send => {
                    let _ = client.send(id, b"something to say", now_ms);
                    continue;
                }
                Act::Restart => {
                    client = Client::decode(&saved, network, Settings::MEMBER).unwrap();
                    continue;
                }
                Act::Welcome(off) => step(client, Input::Welcome { now_ms: now_ms.saturating_add_signed(*off), round_trip_ms: 3 }),
                Act::Tick => step(client, Input::Tick),
                Act::Turned(back, byte) => {
                    let round = running.saturating_sub(*back);
                    step(client, Input::Turned { class, round, turn: 0, code: code(*byte) })
                }
                Act::Rows(back, rows) => step(client, Input::Rows { class, round: running.saturating_sub(*back), rows }),
                Act::Dead(back) => step(client, Input::Dead { class, round: running.saturating_sub(*back) }),
                Act::Blob(back, rows) => {
                    step(client, Input::Blob { round: running.saturating_sub(*back), rows: rows.as_deref() })
                }
                Act::Trouble => step(client, Input::Trouble(Reason::UnderNoise)),
                Act::Cleared => step(client, Input::Cleared(Reason::UnderNoise)),
                Act::Lost => step(client, Input::Lost),
            };
            client = next;
            let is_trusted = !client.reasons().any(|reason| reason == Reason::ClockOff);
            let believed = client.last_round(class).filter(|_| is_trusted);
            for (at, effect) in effects.iter().enumerate() {
                match effect {
                    Effect::Save => saved = client.encode().expose().clone(),
                    Effect::Turn(turn) if Some(turn.round) == believed => {
                        prop_assert!(last.is_none_or(|last| last < turn.round));
                        prop_assert!(effects[..at].contains(&Effect::Save));
                        last = Some(turn.round);
                    }
                    Effect::Turn(_) | Effect::Fetch { .. } | Effect::Tell(_) => {}
                }
            }
            let read = Client::decode(client.encode().expose(), network, Settings::MEMBER);
            prop_assert!(read.is_ok());
        }
    }
}
