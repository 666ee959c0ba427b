//! Members around one relay: enrolment, absence, loss, restarts, rollbacks, forgeries.

mod world;

use crypto::secret::Secret;
use std::collections::BTreeSet;
use tessera_mailbox::account::OverBudget;
use tessera_mailbox::body::{Body, Kind};
use tessera_mailbox::cell::{CELL_BYTES, Cell, Class, Direction, Place, Slot, TAG_BYTES, seal};
use tessera_mailbox::client::{Input, Network, Notice, Reason, SendRefusal, Settings, VerifyRefusal};
use tessera_mailbox::contact::ContactState;
use tessera_mailbox::delivery::MESSAGE_BYTES_MAX;
use tessera_mailbox::frame::TurnCode;
use world::{Dice, T, URL, World, network};

#[test]
fn two_members_enrol_compare_codes_and_write_to_each_other() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, ana) = world.befriend(0, 1);
    let (at_ana, at_bo) = (world.client(0).contact(bo).unwrap(), world.client(1).contact(ana).unwrap());
    assert_eq!((at_ana.name(), at_bo.name()), ("Bo", "Ana"));
    assert_eq!(at_ana.code(), at_bo.code());
    assert_eq!(at_ana.state(), ContactState::Unverified);
    assert_eq!(world.client(0).invites().count(), 0);
    world.send(0, bo, "hello Bo");
    world.send(1, ana, "hello Ana");
    world.rounds(2);
    assert_eq!(world.texts(1), ["hello Bo"]);
    assert_eq!(world.texts(0), ["hello Ana"]);
    world.rounds(20);
    assert_eq!(world.client(0).contact(bo).unwrap().waiting(), 0);
    assert_eq!(world.client(1).contact(ana).unwrap().waiting(), 0);
    assert!(world.no_tag_was_made_twice());
}

#[test]
fn a_contact_is_verified_when_both_persons_said_that_the_codes_agree() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, ana) = world.befriend(0, 1);
    let code = world.client(0).contact(bo).unwrap().code().unwrap();
    let other = tessera_mailbox::enrol::Code::parse("000-000-001").unwrap();
    assert_eq!(world.act(0, |client, _| client.verify(bo, other)), Err(VerifyRefusal::Differ));
    assert_eq!(world.act(0, |client, _| client.verify(bo, code)), Ok(false));
    world.rounds(3);
    assert_eq!(world.client(0).contact(bo).unwrap().state(), ContactState::Unverified);
    assert_eq!(world.client(1).contact(ana).unwrap().agreed(), (false, true));
    assert_eq!(world.act(1, |client, _| client.verify(ana, code)), Ok(true));
    world.rounds(3);
    assert_eq!(world.client(0).contact(bo).unwrap().state(), ContactState::Verified);
    assert!(world.members[0].notices.contains(&Notice::Verified(bo)));
    world.send(0, bo, "now");
    world.rounds(1);
    assert_eq!(world.members[1].messages[0].1, ContactState::Verified);
}

#[test]
fn two_messages_to_one_person_in_the_same_second_both_arrive() {
    let mut world = World::new(&["Ana", "Bo", "Cy"]);
    let (bo, _) = world.befriend(0, 1);
    let (bo_of_cy, _) = world.befriend(2, 1);
    for text in ["one", "two"] {
        world.send(0, bo, text);
        world.send(2, bo_of_cy, text);
    }
    world.rounds(3);
    let mut texts = world.texts(1);
    texts.sort();
    assert_eq!(texts, ["one", "one", "two", "two"]);
}

#[test]
fn a_message_of_the_largest_size_arrives_whole() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    let long = "é".repeat(MESSAGE_BYTES_MAX / 2);
    world.send(0, bo, &long);
    world.rounds(63);
    assert!(world.texts(1).is_empty());
    world.rounds(1);
    assert_eq!(world.texts(1), [long]);
}

#[test]
fn a_message_arrives_after_an_absence_of_240_rounds_and_over_the_end_of_an_epoch() {
    for away in [1u64, 7, 8, 9, 240, 1_500, 3_000] {
        let mut world = World::new(&["Ana", "Bo"]);
        let (bo, ana) = world.befriend(0, 1);
        world.offline(1);
        world.send(0, bo, "while you were away");
        world.rounds(away);
        world.send(0, bo, "just now");
        world.rounds(1);
        world.online(1);
        world.rounds(2 + away.div_ceil(64) * 2);
        assert_eq!(world.texts(1), ["while you were away", "just now"], "away {away}");
        assert_eq!(world.client(1).behind(), 0);
        world.send(1, ana, "back");
        world.rounds(12);
        assert_eq!(world.texts(0), ["back"]);
        assert_eq!(world.client(0).contact(bo).unwrap().waiting(), 0, "away {away}");
    }
}

#[test]
fn a_message_arrives_days_after_the_last_contact_and_nobody_subscribes_again() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    for who in [0, 1] {
        world.offline(who);
    }
    world.now_ms += 13 * 86_400_000;
    world.online(0);
    world.send(0, bo, "after thirteen days");
    world.rounds(2);
    world.offline(0);
    world.now_ms += 86_400_000;
    world.online(1);
    // One request for 64 rounds each round; rounds without a blob are none of the reader's business.
    world.rounds(400);
    assert_eq!(world.texts(1), ["after thirteen days"]);
}

#[test]
fn an_invite_is_answered_while_the_inviter_is_away() {
    let mut world = World::new(&["Ana", "Bo"]);
    let invite = world.invite(0);
    world.offline(0);
    world.rounds(5);
    let ana = world.accept(1, &invite);
    world.rounds(100);
    world.online(0);
    world.rounds(10);
    assert!(world.client(1).contact(ana).unwrap().code().is_some());
    assert_eq!(world.client(0).contacts()[0].code(), world.client(1).contact(ana).unwrap().code());
}

#[test]
fn whatever_the_relay_loses_every_message_comes_exactly_once() {
    for seed in 0..4 {
        let mut world = World::new(&["Ana", "Bo"]);
        let (bo, ana) = world.befriend(0, 1);
        world.dice = world::Dice::new(100 + seed);
        world.loses_percent = 25;
        let texts: Vec<String> = (0..30).map(|number| format!("{number:02}")).collect();
        for text in &texts {
            world.send(0, bo, text);
            world.send(1, ana, text);
            world.rounds(1);
        }
        for _ in 0..80 {
            world.rounds(5);
            if world.client(0).contact(bo).unwrap().waiting()
                + world.client(1).contact(ana).unwrap().waiting()
                == 0
            {
                break;
            }
            // Something new to say shows what was lost at the end.
            world.send(0, bo, "zz");
            world.send(1, ana, "zz");
        }
        for who in [0, 1] {
            let mut came = world.texts(who);
            came.retain(|text| text != "zz");
            came.sort();
            assert_eq!(came, texts, "seed {seed}");
        }
        assert!(world.no_tag_was_made_twice());
    }
}

#[test]
fn a_process_that_ends_at_any_time_loses_and_repeats_nothing() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    let texts: Vec<String> = (0..40).map(|number| format!("{number:02}")).collect();
    for text in &texts {
        world.send(0, bo, text);
        world.rounds(1);
        let (one, two) = (world.dice.hits(50), world.dice.hits(50));
        if one {
            world.restart(0);
        }
        if two {
            world.restart(1);
        }
    }
    for _ in 0..20 {
        world.rounds(6);
        world.send(1, world.client(1).contacts()[0].id(), "so far so good");
    }
    assert_eq!(world.texts(1), texts);
    assert!(world.no_tag_was_made_twice());
}

#[test]
fn after_a_rollback_no_key_seals_twice() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    let old = world.members[0].saved.clone();
    for number in 0..30 {
        world.send(0, bo, &format!("before {number}"));
        world.rounds(1);
    }
    // In the very round in which the newer state has sent, and then time after time.
    let start = world.now_ms;
    world.now_ms = start + T * 56 / 100;
    world.send(0, bo, "in this round");
    world.tick(0);
    for _ in 0..5 {
        world.restart_from(0, &old);
        world.send(0, bo, "after the rollback");
        world.tick(0);
    }
    world.publish(Class::Normal, world.round());
    world.now_ms = start + T;
    for _ in 0..5 {
        world.restart_from(0, &old);
        world.send(0, bo, "after the rollback");
        world.rounds(3);
    }
    assert!(world.no_tag_was_made_twice());
}

#[test]
fn nothing_is_done_for_a_round_that_ran_when_the_state_was_read_back() {
    let mut world = World::new(&["Ana"]);
    world.rounds(1);
    world.restart(0);
    let made = world.made.len();
    world.rounds(1);
    assert_eq!(world.made.len(), made);
    world.rounds(1);
    assert_eq!(world.made.len(), made + 1);
}

#[test]
fn a_person_in_the_middle_of_an_enrolment_makes_the_codes_differ() {
    let mut world = World::new(&["Ana", "Bo", "Mallory"]);
    let for_bo = world.invite(0);
    let from_mallory = world.invite(2);
    // Mallory takes Ana's invite and hands Bo one of her own.
    world.accept(2, &for_bo);
    let at_bo = world.accept(1, &from_mallory);
    world.rounds(12);
    let ana_sees = world.client(0).contacts()[0].code().unwrap();
    let bo_sees = world.client(1).contact(at_bo).unwrap().code().unwrap();
    assert_ne!(ana_sees, bo_sees);
    let bo = world.client(0).contacts()[0].id();
    assert_eq!(world.act(0, |client, _| client.verify(bo, bo_sees)), Err(VerifyRefusal::Differ));
}

#[test]
fn a_stolen_invite_stays_unverified_and_its_holder_gets_nothing() {
    let mut world = World::new(&["Ana", "Bo", "thief"]);
    let invite = world.invite(0);
    world.accept(2, &invite);
    world.rounds(6);
    let at_bo = world.accept(1, &invite);
    world.rounds(20);
    let thief = &world.client(0).contacts()[0];
    assert_eq!((world.client(0).contacts().len(), thief.state()), (1, ContactState::Unverified));
    let (thief, thief_code) = (thief.id(), thief.code().unwrap());
    // The thief says that the codes agree; Ana never did.
    let ana = world.client(2).contacts()[0].id();
    world.act(2, |client, _| client.verify(ana, thief_code)).unwrap();
    world.rounds(20);
    assert_eq!(world.client(0).contact(thief).unwrap().state(), ContactState::Unverified);
    let bo = world.client(1).contact(at_bo).unwrap();
    assert_eq!((bo.state(), bo.code()), (ContactState::Pending, None));
    assert_eq!(
        world.act(1, |client, moment| client.send(at_bo, b"x", moment.now_ms)),
        Err(SendRefusal::State(ContactState::Pending))
    );
}

#[test]
fn a_forged_cell_with_the_same_tag_suppresses_nothing() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    world.tampers = Some(|cells| {
        let forged: Vec<_> = cells
            .iter()
            .flat_map(|cell| {
                [0x00, 0xff].map(|byte| {
                    let mut forged = *cell;
                    forged[TAG_BYTES..].fill(byte);
                    forged
                })
            })
            .collect();
        cells.extend(forged);
        let twice = cells.clone();
        cells.extend(twice);
    });
    world.send(0, bo, "true");
    world.rounds(3);
    assert_eq!(world.texts(1), ["true"]);
}

#[test]
fn covers_and_messages_have_equal_size_and_equal_bytes() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, ana) = world.befriend(0, 1);
    world.made.clear();
    for number in 0..300 {
        world.send(0, bo, &"aaaaaaaaaaaaaaaa".repeat(number % 20));
        world.send(1, ana, "");
        world.rounds(1);
    }
    let real = histogram(&world);
    world.rounds(40);
    world.made.clear();
    world.rounds(300);
    let cover = histogram(&world);
    for (counts, cells) in [real, cover] {
        assert_eq!(cells, 600);
        // 255 degrees of freedom: 99.9 % of uniform bytes stay below 330.
        let expected = (cells * CELL_BYTES) as f64 / 256.0;
        let chi2: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
        assert!(chi2 < 360.0, "chi2 {chi2}");
    }
}

/// A naive Bayes classifier over every place and byte of a cell, trained on half of 100,000 cells: it ranks the other half no better
/// than chance does.
#[test]
fn a_trained_classifier_tells_no_message_from_a_cover() {
    const HALF: usize = 25_000;
    let mut dice = Dice::new(2);
    let cell = |real: bool, number: usize, dice: &mut Dice| -> Cell {
        if !real {
            let mut cell = [0; CELL_BYTES];
            dice.fill(&mut cell);
            return cell;
        }
        let (mut tag, mut key) = ([0; TAG_BYTES], [0; 32]);
        dice.fill(&mut tag);
        dice.fill(&mut key);
        // As unlike random bytes as a message can be.
        let payload = b"the same words again and again ".repeat(number % 14);
        let body = Body { seq: number as u32, message: 1, payload, ..Body::of(Kind::Data) };
        let direction = [Direction::Inviter, Direction::Accepter][number % 2];
        let place = Place { network_id: [7; 32], class: Class::Normal, round: number as u64, direction };
        seal(Slot { tag, key: Secret::new(key) }, &place, &body)
    };
    // How often each byte stood at each place, and one time more, of covers and of messages.
    let mut counts = [vec![1_u32; CELL_BYTES * 256], vec![1_u32; CELL_BYTES * 256]];
    for number in 0..HALF {
        for real in [false, true] {
            for (at, byte) in cell(real, number, &mut dice).iter().enumerate() {
                counts[usize::from(real)][at * 256 + usize::from(*byte)] += 1;
            }
        }
    }
    let weights: Vec<f32> =
        counts[1].iter().zip(&counts[0]).map(|(real, cover)| (*real as f32 / *cover as f32).ln()).collect();
    let score = |cell: &Cell| -> f32 {
        cell.iter().enumerate().map(|(at, byte)| weights[at * 256 + usize::from(*byte)]).sum()
    };
    let mut scores: Vec<(f32, bool)> = (HALF..2 * HALF)
        .flat_map(|number| [false, true].map(|real| (score(&cell(real, number, &mut dice)), real)))
        .collect();
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The share of pairs of a cover and a message that are ranked rightly.
    let (mut covers, mut pairs) = (0_u64, 0_u64);
    for (_, real) in &scores {
        if *real {
            pairs += covers;
        } else {
            covers += 1;
        }
    }
    let auc = pairs as f64 / (HALF * HALF) as f64;
    assert!((0.49..=0.51).contains(&auc), "AUC {auc}");
}

fn histogram(world: &World) -> ([usize; 256], usize) {
    let mut counts = [0; 256];
    for (_, _, _, cell) in &world.made {
        assert_eq!(cell.len(), 512);
        cell.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    }
    (counts, world.made.len())
}

#[test]
fn every_member_sends_one_cell_in_every_round_whatever_it_has_to_say() {
    let mut world = World::new(&["Ana", "Bo", "Cy"]);
    let (bo, _) = world.befriend(0, 1);
    world.made.clear();
    let first = world.round();
    for number in 0..50 {
        if number % 3 == 0 {
            world.send(0, bo, "much to say, and then again nothing");
            world.send(0, bo, &"x".repeat(5_000));
        }
        world.rounds(1);
    }
    for who in 0..3 {
        let rounds: Vec<u64> = world.made.iter().filter(|made| made.0 == who).map(|made| made.2).collect();
        assert_eq!(rounds, (first..first + 50).collect::<Vec<_>>());
    }
}

#[test]
fn no_value_on_the_wire_names_a_recipient_or_comes_twice() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    for number in 0..200 {
        world.send(0, bo, &format!("{number}"));
        world.rounds(1);
    }
    let mut blocks = BTreeSet::new();
    for (_, _, _, cell) in &world.made {
        for block in cell.as_chunks::<16>().0 {
            assert!(blocks.insert(*block), "a block of 16 bytes came twice");
        }
    }
    assert!(world.intake.is_empty());
}

#[test]
fn a_contact_cannot_read_the_cells_of_another() {
    let mut world = World::new(&["Ana", "Bo", "Cy"]);
    let (bo, _) = world.befriend(0, 1);
    let (cy, _) = world.befriend(0, 2);
    let saved = world.members[2].saved.clone();
    world.send(0, bo, "for Bo alone");
    world.rounds(2);
    assert_eq!(world.texts(1), ["for Bo alone"]);
    assert!(world.texts(2).is_empty());
    // Nor under any other key of Cy's: nothing of hers has moved by the rows.
    world.restart_from(2, &saved);
    world.send(0, cy, "for Cy");
    world.rounds(3);
    assert_eq!(world.texts(2), ["for Cy"]);
}

#[test]
fn a_seized_state_opens_no_past_round() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    let first = world.round();
    for number in 0..30 {
        world.send(0, bo, &format!("{number}"));
        world.rounds(1);
    }
    assert_eq!(world.texts(1).len(), 30);
    // Who takes both states now, and has recorded every round, reads none of them.
    for who in [0, 1] {
        let seized = world.members[who].saved.clone();
        world.members[who].messages.clear();
        world.restart_from(who, &seized);
        for round in first..first + 30 {
            let rows = world.published[&(0, round)].clone();
            world.step(who, Input::Rows { class: Class::Normal, round, rows: &rows });
            world.step(who, Input::Blob { round, rows: Some(&rows) });
        }
        world.save(who);
        assert!(world.texts(who).is_empty());
    }
}

#[test]
fn with_a_clock_that_is_an_hour_off_only_nulls_go_out_and_nothing_is_believed() {
    for off in [3_600_000, -3_600_000, 16_000, -16_000] {
        let mut world = World::new(&["Ana", "Bo"]);
        let (bo, _) = world.befriend(0, 1);
        let last = world.client(0).last_round(Class::Normal);
        world.offline(0);
        world.members[0].clock_off_ms = off;
        world.online(0);
        world.send(0, bo, "waits");
        let made = world.made.len();
        world.rounds(5);
        assert_eq!(world.made[made..].iter().filter(|made| made.0 == 0).count(), 5);
        assert!(world.texts(1).is_empty());
        assert_eq!(world.client(0).last_round(Class::Normal), last);
        assert!(world.members[0].notices.contains(&Notice::Degraded(Reason::ClockOff)));
        world.offline(0);
        world.members[0].clock_off_ms = off / 10_000;
        world.online(0);
        world.rounds(3);
        assert_eq!(world.texts(1), ["waits"]);
        assert!(world.members[0].notices.contains(&Notice::Recovered));
    }
}

#[test]
fn without_a_statement_for_three_rounds_only_nulls_go_out() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    world.rounds(2);
    for _ in 0..6 {
        let round = world.round();
        world.now_ms = world.network.calendar.starts_at_ms(Class::Normal, round) + T * 56 / 100;
        world.tick(0);
        world.now_ms += T * 44 / 100;
        world.intake.clear();
    }
    assert!(world.members[0].notices.contains(&Notice::Degraded(Reason::NoStatement)));
    world.send(0, bo, "once there is a statement");
    let round = world.round();
    world.now_ms = world.network.calendar.starts_at_ms(Class::Normal, round) + T * 56 / 100;
    world.tick(0);
    world.publish(Class::Normal, round);
    assert!(world.texts(1).is_empty());
    world.now_ms = world.network.calendar.starts_at_ms(Class::Normal, round + 1);
    world.rounds(2);
    assert_eq!(world.texts(1), ["once there is a statement"]);
    assert!(world.members[0].notices.contains(&Notice::Recovered));
}

#[test]
fn a_trouble_that_only_the_driver_sees_stops_real_cells() {
    for reason in [
        Reason::WeakStatement,
        Reason::UnderNoise,
        Reason::NoTokens,
        Reason::TooFewDomains,
        Reason::RelaysChanged,
    ] {
        let mut world = World::new(&["Ana", "Bo"]);
        let (bo, _) = world.befriend(0, 1);
        world.step(0, Input::Trouble(reason));
        world.send(0, bo, "waits");
        world.rounds(3);
        assert!(world.texts(1).is_empty());
        world.step(0, Input::Cleared(reason));
        world.rounds(1);
        assert_eq!(world.texts(1), ["waits"]);
    }
}

#[test]
fn a_wallet_that_runs_twice_stops_when_its_token_was_spent_by_the_other() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    world.send(0, bo, "by the clone");
    world.code = TurnCode::Spent;
    world.rounds(1);
    world.code = TurnCode::Accepted;
    world.rounds(5);
    assert!(world.members[0].notices.contains(&Notice::Degraded(Reason::RunsTwice)));
    assert!(world.texts(1).is_empty());
    assert!(world.no_tag_was_made_twice());
}

#[test]
fn a_cell_that_the_relay_does_not_take_stays_in_the_outbox() {
    for code in [TurnCode::RoundClosed, TurnCode::Full, TurnCode::Token, TurnCode::Length] {
        let mut world = World::new(&["Ana", "Bo"]);
        let (bo, _) = world.befriend(0, 1);
        world.send(0, bo, "not taken, then taken");
        world.code = code;
        world.rounds(2);
        assert!(world.texts(1).is_empty());
        world.code = TurnCode::Accepted;
        world.rounds(1);
        assert_eq!(world.texts(1), ["not taken, then taken"]);
        assert!(world.no_tag_was_made_twice());
    }
}

#[test]
fn an_ack_and_the_word_that_codes_agree_survive_a_refused_turn_and_a_restart() {
    for restarts in [false, true] {
        let mut world = World::new(&["Ana", "Bo"]);
        let (bo, ana) = world.befriend(0, 1);
        world.rounds(20);
        let code = world.client(0).contact(bo).unwrap().code().unwrap();
        world.act(0, |client, _| client.verify(bo, code)).unwrap();
        world.code = TurnCode::RoundClosed;
        world.rounds(1);
        world.code = TurnCode::Accepted;
        if restarts {
            world.restart(0);
        }
        world.rounds(3);
        assert_eq!(world.client(1).contact(ana).unwrap().agreed(), (false, true));
    }
}

#[test]
fn a_round_that_dies_is_repeated() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    world.send(0, bo, "twice tried");
    let round = world.round();
    world.now_ms = world.network.calendar.starts_at_ms(Class::Normal, round) + T * 56 / 100;
    world.tick(0);
    world.intake.clear();
    world.step(0, Input::Dead { class: Class::Normal, round });
    world.now_ms = world.network.calendar.starts_at_ms(Class::Normal, round + 1);
    world.rounds(1);
    assert_eq!(world.texts(1), ["twice tried"]);
    assert!(world.no_tag_was_made_twice());
}

#[test]
fn a_blocked_contact_is_not_heard_and_a_removed_one_is_forgotten() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, ana) = world.befriend(0, 1);
    assert!(world.act(1, |client, _| client.block(ana)));
    world.send(0, bo, "unheard");
    world.rounds(3);
    assert!(world.texts(1).is_empty());
    assert_eq!(world.client(1).contact(ana).unwrap().state(), ContactState::Blocked);
    assert!(world.act(1, |client, _| client.remove(ana)));
    assert!(world.client(1).contact(ana).is_none());
}

#[test]
fn after_a_restore_every_contact_needs_a_new_invite() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    world.act(0, |client, _| client.forget_chains());
    assert_eq!(world.client(0).contact(bo).unwrap().state(), ContactState::Gone);
    assert!(world.act(0, |client, moment| client.send(bo, b"x", moment.now_ms)).is_err());
}

#[test]
fn real_cells_of_bucketed_rounds_are_counted_and_wait_when_the_promise_is_spent() {
    let mut world = World::with(Network { events: 40, ..network(true) }, &["Ana", "Bo"]);
    let epoch = world.network.calendar.epoch_at(world.now_ms).unwrap();
    for who in [0, 1] {
        world.step(who, Input::Epoch { epoch, buckets: 4 });
    }
    let (bo, _) = world.befriend(0, 1);
    world.rounds(20);
    let before = world.client(0).contact(bo).unwrap().tally().ever();
    assert!(before >= 2, "two confirms at least");
    let idle = world.client(0).tally().ever();
    world.rounds(10);
    assert_eq!(world.client(0).tally().ever(), idle, "nulls cost nothing");
    for number in 0..60 {
        world.send(0, bo, &format!("{number:02}"));
        world.rounds(1);
    }
    let notices = &world.members[0].notices;
    assert!(notices.contains(&Notice::BudgetNear(bo)) && notices.contains(&Notice::BudgetSpent(bo)));
    let came = world.texts(1).len();
    assert!(came < 60, "{came}");
    world.act(0, |client, _| client.accept_budget(bo));
    let settings = *world.client(0).settings();
    world.act(0, |client, _| client.set_settings(Settings { over_budget: OverBudget::Warn, ..settings }));
    let settings = *world.client(1).settings();
    world.act(1, |client, _| client.set_settings(Settings { over_budget: OverBudget::Warn, ..settings }));
    world.rounds(80);
    assert_eq!(world.texts(1).len(), 60);
}

#[test]
fn full_mode_costs_no_events() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    world.send(0, bo, "free");
    world.rounds(3);
    assert_eq!((world.client(0).tally().ever(), world.client(1).tally().ever()), (0, 0));
}

#[test]
fn without_the_buckets_of_the_epoch_only_nulls_go_out() {
    let mut world = World::with(network(true), &["Ana"]);
    world.rounds(1);
    assert_eq!(world.members[0].notices, [Notice::Degraded(Reason::NoEpoch)]);
    let epoch = world.network.calendar.epoch_at(world.now_ms).unwrap();
    world.step(0, Input::Epoch { epoch, buckets: 4 });
    world.rounds(1);
    assert!(world.members[0].notices.contains(&Notice::Recovered));
}

#[test]
fn cells_to_oneself_come_back_and_their_loss_is_told() {
    let mut world = World::with(network(false), &[]);
    world.join("Ana", Settings { loop_one_in: 2, ..Settings::MEMBER });
    world.rounds(120);
    assert!(world.members[0].notices.is_empty());
    assert!(world.no_tag_was_made_twice());
    world.loses_percent = 60;
    world.rounds(120);
    assert!(world.members[0].notices.contains(&Notice::LoopsLost));
}

#[test]
fn a_server_sends_its_cells_in_every_fast_round_and_a_late_push_is_dropped_unsent() {
    let mut world = World::with(network(false), &[]);
    world.join("idp", Settings::server(8));
    world.join("Ana", Settings { fast_turns: 1, is_in_normal: false, ..Settings::MEMBER });
    world.join("Bo", Settings { fast_turns: 1, is_in_normal: false, ..Settings::MEMBER });
    let mut ids = Vec::new();
    for who in [1, 2] {
        use tessera_mailbox::cell::Direction;
        let key = || crypto::secret::Secret::new([who as u8; 32]);
        let seed = |client: &tessera_mailbox::client::Client| *client.bucket_seed().expose();
        let (at_server, at_member) = (seed(world.client(0)), seed(world.client(who)));
        let member = move || crypto::secret::Secret::new(at_member);
        ids.push(
            world.act(0, |idp, moment| {
                idp.enrolled(key(), Direction::Inviter, member(), "w", moment).unwrap()
            }),
        );
        let server = move || crypto::secret::Secret::new(at_server);
        world.act(who, |wallet, moment| {
            wallet.enrolled(key(), Direction::Accepter, server(), "idp", moment).unwrap()
        });
    }
    let now_ms = world.now_ms;
    world.act(0, |idp, _| {
        idp.push(ids[0], b"sign in?", now_ms + 90_000).unwrap();
        idp.push(ids[0], b"again?", now_ms + 90_000).unwrap();
        idp.push(ids[1], b"too late", now_ms).unwrap();
        assert!(idp.push(ids[1], &[0; 455], now_ms + 1).is_err());
    });
    let first = world.network.calendar.round_at(Class::Fast, world.now_ms).unwrap();
    for round in first..first + 4 {
        let start = world.network.calendar.starts_at_ms(Class::Fast, round);
        world.now_ms = start + 560;
        (0..3).for_each(|who| world.tick(who));
        world.now_ms = start + 970;
        world.publish(Class::Fast, round);
        let of_server = world.made.iter().filter(|made| made.0 == 0 && made.2 == round).count();
        assert_eq!(of_server, 8);
    }
    assert_eq!(world.texts(1), ["sign in?", "again?"]);
    assert!(world.texts(2).is_empty());
    assert!(world.no_tag_was_made_twice());
}

#[test]
fn a_server_keeps_each_contact_apart_and_reads_it_back() {
    let mut world = World::with(network(false), &[]);
    world.join("idp", Settings::server(8));
    let (root, seed) = (crypto::secret::Secret::new([1; 32]), crypto::secret::Secret::new([2; 32]));
    let direction = tessera_mailbox::cell::Direction::Inviter;
    let id = world.act(0, |idp, moment| idp.enrolled(root, direction, seed, "w", moment).unwrap());
    let core = world.client(0).encode_core();
    let contact = world.client(0).encode_contact(id).unwrap();
    let mut read =
        tessera_mailbox::client::Client::decode_core(core.expose(), world.network, Settings::server(8))
            .unwrap();
    assert_eq!(read.add_contact(contact.expose()).unwrap(), id);
    assert!(read.add_contact(contact.expose()).is_err());
    assert_eq!(read.encode().expose(), world.client(0).encode().expose());
}

#[test]
fn bounds_hold_for_invites_and_for_what_waits() {
    let mut world = World::new(&["Ana", "Bo"]);
    let (bo, _) = world.befriend(0, 1);
    for _ in 0..32 {
        world.invite(0);
    }
    assert!(world.act(0, |client, moment| client.invite(URL, moment).is_err()));
    let most = vec![1; MESSAGE_BYTES_MAX];
    let now_ms = world.now_ms;
    for _ in 0..64 {
        world.act(0, |client, _| client.send(bo, &most, now_ms)).unwrap();
    }
    assert!(world.act(0, |client, _| client.send(bo, b"one more", now_ms)).is_err());
}
