//! The machine of a sign-in against its table: no other edge exists.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tessera_seal::code::signin::{Cause, Decided, RENEWALS_MAX, Terms};
use tessera_seal::code::{DenyReason, Effect, Failure, Input, Refusal, Signin};
use tessera_seal::person::PersonId;

const ANA: PersonId = PersonId::new([1; 16]);
const BOB: PersonId = PersonId::new([2; 16]);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn terms(assertion_needed: bool) -> Terms {
    Terms { life_s: 90, began_at: at(0), assertion_needed }
}

fn claims(enrolment: &str, person: PersonId) -> Input {
    Input::Claims { enrolment: enrolment.to_owned(), person }
}

fn answers(enrolment: &str, verdict: Result<Decided, Failure>) -> Input {
    Input::Answers { enrolment: enrolment.to_owned(), verdict }
}

fn open(assertion_needed: bool) -> Signin {
    Signin::pushed(at(0)).step(Input::Opened(terms(assertion_needed)), at(0)).0
}

fn claimed(assertion_needed: bool) -> Signin {
    open(assertion_needed).step(claims("enr_a", ANA), at(1)).0
}

#[test]
fn a_sign_in_by_code_goes_from_pushed_to_approved() {
    let (state, effect) = Signin::pushed(at(0)).step(Input::Opened(terms(false)), at(59));
    assert_eq!((effect, state.ends_at()), (Ok(Some(Effect::Begin)), Some(at(149))));
    let (state, effect) = state.step(claims("enr_a", ANA), at(100));
    assert_eq!((effect, state.ends_at()), (Ok(Some(Effect::Claim)), Some(at(190))));
    let (state, effect) = state.step(answers("enr_a", Ok(Decided::Approved)), at(120));
    assert_eq!((state, effect), (Signin::Approved, Ok(Some(Effect::End))));
}

#[test]
fn a_request_that_nobody_opens_ends_after_a_minute() {
    let pushed = Signin::pushed(at(0));
    assert_eq!(pushed.clone().step(Input::Tick, at(59)), (pushed.clone(), Ok(None)));
    assert_eq!(
        pushed.clone().step(Input::Opened(terms(false)), at(60)),
        (Signin::Expired, Err(Refusal::Over))
    );
    assert_eq!(pushed.step(Input::Tick, at(60)), (Signin::Expired, Ok(Some(Effect::End))));
}

#[test]
fn a_second_wallet_is_refused_and_the_first_may_ask_again() {
    let state = claimed(false);
    let (same, answer) = state.clone().step(claims("enr_b", BOB), at(2));
    assert_eq!((&same, answer), (&state, Err(Refusal::AlreadyClaimed)));
    assert_eq!(same.step(claims("enr_a", ANA), at(2)), (state, Ok(Some(Effect::Claim))));
}

#[test]
fn an_assertion_of_another_person_than_the_wallets_fails_in_either_order() {
    let asserted = open(true).step(Input::Asserted(Some(BOB)), at(1)).0;
    assert_eq!(asserted.step(claims("enr_a", ANA), at(2)).0, Signin::Failed(Cause::OtherPerson));
    let after_claim = claimed(true).step(Input::Asserted(Some(BOB)), at(2)).0;
    assert_eq!(after_claim, Signin::Failed(Cause::OtherPerson));
    assert_eq!(claimed(true).step(Input::Asserted(None), at(2)).0, Signin::Failed(Cause::Assertion));
}

#[test]
fn where_an_assertion_is_needed_an_approval_waits_for_it_and_nothing_else_replaces_it() {
    let (state, answer) = claimed(true).step(answers("enr_a", Ok(Decided::Approved)), at(2));
    assert_eq!((&state, answer), (&claimed(true), Err(Refusal::AssertionPending)));
    let state = state.step(Input::Asserted(Some(ANA)), at(3)).0;
    assert_eq!(state.clone().step(Input::Asserted(Some(ANA)), at(4)).1, Err(Refusal::AssertionSpent));
    assert_eq!(state.step(answers("enr_a", Ok(Decided::Approved)), at(5)).0, Signin::Approved);
    let denied = claimed(true).step(answers("enr_a", Ok(Decided::Denied(DenyReason::NotMe))), at(2)).0;
    assert_eq!(denied, Signin::Denied(Some(DenyReason::NotMe)));
    let failed = claimed(true).step(answers("enr_a", Err(Failure::Tag)), at(2)).0;
    assert_eq!(failed, Signin::Failed(Cause::Answer(Failure::Tag)));
}

#[test]
fn an_open_page_begins_anew_ten_times_and_no_more() {
    let mut state = open(false).step(Input::Asserted(Some(ANA)), at(1)).0;
    for nth in 1..=i64::from(RENEWALS_MAX) {
        let (next, effect) = state.step(Input::Renews, at(70 * nth));
        assert_eq!((effect, next.ends_at()), (Ok(Some(Effect::Replace)), Some(at(70 * nth + 90))));
        let Signin::Open(open) = &next else { panic!("not open") };
        assert_eq!((open.asserted, open.terms.began_at), (None, at(70 * nth)), "T0 is another");
        state = next;
    }
    assert_eq!(state.step(Input::Renews, at(720)).1, Err(Refusal::RenewedTooOften));
}

#[test]
fn a_claimed_session_is_extended_to_its_last_end_and_never_past_it() {
    let mut state = claimed(false);
    for _ in 0..20 {
        let ends_at = state.ends_at().unwrap();
        let (next, effect) = state.step(Input::Renews, ends_at - SignedDuration::from_secs(1));
        assert_eq!(effect, Ok(Some(Effect::Extend)));
        state = next;
    }
    assert_eq!(state.ends_at(), Some(at(12 * 90)));
    assert_eq!(
        state.step(answers("enr_a", Ok(Decided::Approved)), at(12 * 90)),
        (Signin::Expired, Err(Refusal::Over))
    );
}

#[test]
fn the_browsers_own_answer_counts_while_no_wallet_has_claimed() {
    let verdict = Input::BrowserAnswers(Ok(Decided::Approved));
    assert_eq!(open(false).step(verdict.clone(), at(1)).0, Signin::Approved);
    let (same, answer) = claimed(false).step(verdict, at(2));
    assert_eq!((same, answer), (claimed(false), Err(Refusal::OutOfTurn)));
}

#[test]
fn an_answer_of_a_wallet_that_did_not_claim_changes_nothing() {
    let (same, answer) = claimed(false).step(answers("enr_b", Ok(Decided::Approved)), at(2));
    assert_eq!((same, answer), (claimed(false), Err(Refusal::OutOfTurn)));
    assert_eq!(open(false).step(answers("enr_b", Ok(Decided::Approved)), at(2)).1, Err(Refusal::OutOfTurn));
}

fn any_input() -> impl Strategy<Value = Input> {
    let person = prop_oneof![Just(ANA), Just(BOB)];
    let verdict = || {
        prop_oneof![
            Just(Ok(Decided::Approved)),
            Just(Ok(Decided::Denied(DenyReason::User))),
            Just(Err(Failure::Signature)),
        ]
    };
    let enrolment = || prop_oneof![Just("enr_a".to_owned()), Just("enr_b".to_owned())];
    prop_oneof![
        any::<bool>().prop_map(|needed| Input::Opened(terms(needed))),
        Just(Input::Reloaded),
        Just(Input::Handle),
        prop::option::of(person.clone()).prop_map(Input::Asserted),
        (enrolment(), person).prop_map(|(enrolment, person)| Input::Claims { enrolment, person }),
        Just(Input::Renews),
        (enrolment(), verdict()).prop_map(|(enrolment, verdict)| Input::Answers { enrolment, verdict }),
        verdict().prop_map(Input::BrowserAnswers),
        Just(Input::Cancels),
        Just(Input::Tick),
    ]
}

fn name(state: &Signin) -> &'static str {
    match state {
        Signin::Pushed { .. } => "pushed",
        Signin::Open(_) => "open",
        Signin::Claimed(_) => "claimed",
        Signin::Approved => "approved",
        Signin::Denied(_) => "denied",
        Signin::Failed(_) => "failed",
        Signin::Expired => "expired",
    }
}

/// Every change of state that the table has, by the input that may make it.
fn in_table(from: &str, input: &Input, to: &str) -> bool {
    let answered = |verdict: &Result<Decided, Failure>| match verdict {
        Ok(Decided::Approved) => "approved",
        Ok(Decided::Denied(_)) => "denied",
        Err(_) => "failed",
    };
    match (from, input) {
        ("pushed", Input::Opened(_)) => to == "open",
        ("open" | "claimed", Input::Asserted(_)) => to == "failed",
        ("open", Input::Claims { .. }) => matches!(to, "claimed" | "failed"),
        ("claimed", Input::Answers { verdict, .. }) | ("open", Input::BrowserAnswers(verdict)) => {
            to == answered(verdict)
        }
        ("open" | "claimed", Input::Cancels) => to == "denied",
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn random_walks_take_no_edge_that_the_table_lacks(
        walk in prop::collection::vec((any_input(), 0..40_i64), 1..40),
    ) {
        let (mut state, mut now) = (Signin::pushed(at(0)), 0);
        let mut approvals = 0;
        for (input, pause) in walk {
            now += pause;
            let before = state.clone();
            let over = before.ends_at().is_some_and(|ends_at| ends_at <= at(now));
            let (after, answer) = state.step(input.clone(), at(now));
            let (from, to) = (name(&before), name(&after));
            if let Some(ends_at) = after.ends_at() {
                prop_assert!(ends_at > at(now), "what is not over has time left");
            }
            if before.ends_at().is_none() {
                prop_assert_eq!(&after, &before, "what is final stays");
                prop_assert_eq!(answer, if input == Input::Tick { Ok(None) } else { Err(Refusal::Over) });
            } else if over {
                prop_assert_eq!(to, "expired");
                prop_assert_eq!(answer.is_ok(), input == Input::Tick);
            } else if from == to {
                prop_assert!(answer != Ok(Some(Effect::End)), "the row goes with the state alone");
                if answer.is_err() {
                    prop_assert_eq!(&after, &before, "a refusal changes nothing");
                }
            } else {
                prop_assert!(in_table(from, &input, to), "{from} by {input:?} to {to}");
                prop_assert!(answer.is_ok());
                prop_assert_eq!(answer == Ok(Some(Effect::End)), after.ends_at().is_none());
            }
            if from != "approved" && to == "approved" {
                approvals += 1;
                if let Signin::Claimed(claimed) = &before {
                    prop_assert!(!claimed.terms.assertion_needed || claimed.asserted == Some(claimed.person));
                }
            }
            state = after;
        }
        prop_assert!(approvals <= 1);
    }
}
