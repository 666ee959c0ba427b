//! When a key gets a new version: a pure decision over the key's versions and one time.
//!
//! ```text
//! Policy + versions + now ── due ──▶ [Publish | Activate | Block | Destroy]      jobs.rs does them, each one unit, one event
//! ```
//!
//! A version lives: made `publish_ahead_s` before its time, so that whoever caches the JWKS knows it when it signs · in use for
//! `rotate_every_s`, or until two thirds of its certificate's life, or `max_uses` · its public part kept as long as what it signed
//! lives · its private part destroyed `destroy_after_s` after it retired. A frozen version is left alone.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::state::State;

/// Least time between two rotations: below it the versions of a key would crowd its JWKS.
pub const ROTATE_EVERY_S_MIN: u64 = 3_600;

/// How long a JWKS may be cached (`max-age`); a version is published at least as long ahead, unless its chain travels with it.
pub const JWKS_MAX_AGE_S: u64 = 3_600;

/// Longest time in a policy: ten years, the life of a tenant's root.
pub const POLICY_S_MAX: u64 = 315_576_000;

/// When a key gets a new version. Times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "KeyRotation")]
pub struct Policy {
    /// Age at which a version is replaced; 0 = never, least 3,600.
    pub rotate_every_s: u64,
    /// How long before its use a version is published; 0 only if its chain travels with what it signs, else at least 3,600.
    pub publish_ahead_s: u64,
    /// Signatures after which a version is replaced; 0 = no bound.
    pub max_uses: u64,
    /// How long a retired version stays published; longer if what it signed lives longer.
    pub keep_public_s: u64,
    /// How long after it retired the private part is destroyed.
    pub destroy_after_s: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rotate_every_s: 7_776_000,
            publish_ahead_s: 86_400,
            max_uses: 0,
            keep_public_s: 2_592_000,
            destroy_after_s: 604_800,
        }
    }
}

/// A member of a policy that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{rule}")]
pub struct PolicyError {
    /// Which member.
    pub member: &'static str,
    /// Its rule.
    pub rule: &'static str,
}

impl Policy {
    /// Checks the ranges. `in_x5c`: the chain travels with what the key signs, so nobody caches its public part.
    ///
    /// # Errors
    /// The first member that is out of its range.
    pub fn check(&self, in_x5c: bool) -> Result<(), PolicyError> {
        let err = |member, rule| Err(PolicyError { member, rule });
        if self.rotate_every_s != 0 && !(ROTATE_EVERY_S_MIN..=POLICY_S_MAX).contains(&self.rotate_every_s) {
            return err("rotate_every_s", "is 0 for never, or 3600 to 315576000");
        }
        if !in_x5c && self.publish_ahead_s < JWKS_MAX_AGE_S {
            return err("publish_ahead_s", "is at least 3600, because others cache the JWKS as long");
        }
        if self.publish_ahead_s > POLICY_S_MAX
            || (self.rotate_every_s != 0 && self.publish_ahead_s > self.rotate_every_s)
        {
            return err("publish_ahead_s", "is at most rotate_every_s");
        }
        if self.max_uses > i64::MAX.unsigned_abs() {
            return err("max_uses", "is too large");
        }
        if !(JWKS_MAX_AGE_S..=POLICY_S_MAX).contains(&self.keep_public_s) {
            return err("keep_public_s", "is 3600 to 315576000");
        }
        if self.destroy_after_s > POLICY_S_MAX {
            return err("destroy_after_s", "is at most 315576000");
        }
        Ok(())
    }

    /// Until when the public part of a version that retires at `retired` stays published; `longest_life_s` is that of what it
    /// signed.
    pub fn keep_public_until(&self, retired: Timestamp, longest_life_s: u64) -> Timestamp {
        after(retired, self.keep_public_s.max(longest_life_s))
    }

    /// When the private part of a version that retired at `retired` is destroyed.
    pub fn destroy_at(&self, retired: Timestamp) -> Timestamp {
        after(retired, self.destroy_after_s)
    }
}

/// Where a key's certificates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// It has none.
    None,
    /// The tenant's root signs them at once.
    Own,
    /// An outside authority: a version waits until its chain is put.
    Outside,
}

/// What the decision needs of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aged {
    /// Its number.
    pub version: u32,
    /// Its state.
    pub state: State,
    /// When a pending version is to take over.
    pub activate_at: Option<Timestamp>,
    /// When it began to sign.
    pub activated_at: Option<Timestamp>,
    /// When its private part is to go.
    pub destroy_at: Option<Timestamp>,
    /// Signatures so far.
    pub uses: u64,
    /// Begin and end of its certificate.
    pub certificate: Option<(Timestamp, Timestamp)>,
    /// Whether its blocked rotation has been told already.
    pub is_blocked: bool,
}

/// One thing that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a pending version that takes over at `activate_at`.
    Publish {
        /// When it takes over.
        activate_at: Timestamp,
    },
    /// The pending version takes over.
    Activate {
        /// Which.
        version: u32,
    },
    /// The pending version should take over and has no certificate: tell it, once.
    Block {
        /// Which.
        version: u32,
    },
    /// The private part of a retired version goes.
    Destroy {
        /// Which.
        version: u32,
    },
}

/// Everything that is due at `now`; calling again after it was done yields nothing.
pub fn due(policy: &Policy, chain: ChainKind, versions: &[Aged], now: Timestamp) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(step) = succession(policy, chain, versions, now) {
        steps.push(step);
    }
    for version in versions {
        let is_over = version.state == State::Retired && version.destroy_at.is_some_and(|at| at <= now);
        if is_over {
            steps.push(Step::Destroy { version: version.version });
        }
    }
    steps
}

/// When the version in use is to be replaced; `None` if never, or nothing is in use.
pub fn next_rotation(policy: &Policy, versions: &[Aged], now: Timestamp) -> Option<Timestamp> {
    let pending = versions.iter().find(|version| version.state == State::Pending);
    if let Some(at) = pending.and_then(|version| version.activate_at) {
        return Some(at);
    }
    let active = versions.iter().find(|version| version.state == State::Active)?;
    replace_at(policy, active, now)
}

fn succession(policy: &Policy, chain: ChainKind, versions: &[Aged], now: Timestamp) -> Option<Step> {
    let active = versions.iter().find(|version| version.state == State::Active)?;
    let pending = versions.iter().find(|version| version.state == State::Pending);
    if let Some(pending) = pending {
        let is_due = pending.activate_at.is_some_and(|at| at <= now);
        let waits = chain == ChainKind::Outside && pending.certificate.is_none();
        return match (is_due, waits) {
            (true, false) => Some(Step::Activate { version: pending.version }),
            (true, true) if !pending.is_blocked => Some(Step::Block { version: pending.version }),
            _ => None,
        };
    }
    let due = replace_at(policy, active, now)?;
    let publish_at = due - seconds(policy.publish_ahead_s);
    // After a long sleep the version still stands in the JWKS for its whole time before it signs.
    (publish_at <= now).then(|| Step::Publish { activate_at: due.max(after(now, policy.publish_ahead_s)) })
}

fn replace_at(policy: &Policy, active: &Aged, now: Timestamp) -> Option<Timestamp> {
    let since = active.activated_at?;
    let by_age = (policy.rotate_every_s > 0).then(|| after(since, policy.rotate_every_s));
    let by_certificate = active.certificate.map(|(begin, end)| begin + end.duration_since(begin) * 2 / 3);
    let by_uses = (policy.max_uses > 0 && active.uses >= policy.max_uses).then_some(now);
    [by_age, by_certificate, by_uses].into_iter().flatten().min()
}

fn seconds(count: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(count).unwrap_or(i64::MAX))
}

/// `from` and `count` seconds; the end of time if that is later.
fn after(from: Timestamp, count: u64) -> Timestamp {
    from.checked_add(seconds(count)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const RULES: Policy = Policy {
        rotate_every_s: 10 * 86_400,
        publish_ahead_s: 86_400,
        max_uses: 0,
        keep_public_s: 86_400,
        destroy_after_s: 0,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn version(number: u32, state: State) -> Aged {
        Aged {
            version: number,
            state,
            activate_at: None,
            activated_at: Some(at(0)),
            destroy_at: None,
            uses: 0,
            certificate: None,
            is_blocked: false,
        }
    }

    fn pending(number: u32, activate_at: i64) -> Aged {
        Aged { activate_at: Some(at(activate_at)), activated_at: None, ..version(number, State::Pending) }
    }

    fn due_at(versions: &[Aged], now: i64) -> Vec<Step> {
        due(&RULES, ChainKind::None, versions, at(now))
    }

    #[test]
    fn a_successor_is_published_a_day_ahead_and_takes_over_when_due() {
        let one = version(1, State::Active);
        assert_eq!(due_at(&[one], 9 * DAY - 1), []);
        assert_eq!(due_at(&[one], 9 * DAY), [Step::Publish { activate_at: at(10 * DAY) }]);
        let two = pending(2, 10 * DAY);
        assert_eq!(due_at(&[one, two], 10 * DAY - 1), []);
        assert_eq!(due_at(&[one, two], 10 * DAY), [Step::Activate { version: 2 }]);
        assert_eq!(next_rotation(&RULES, &[one, two], at(0)), Some(at(10 * DAY)));
    }

    #[test]
    fn after_a_long_sleep_the_successor_is_still_published_before_it_signs() {
        let step = due_at(&[version(1, State::Active)], 100 * DAY);
        assert_eq!(step, [Step::Publish { activate_at: at(101 * DAY) }]);
    }

    #[test]
    fn a_frozen_key_and_one_without_a_version_in_use_are_left_alone() {
        for state in [State::Frozen, State::Retired, State::Compromised, State::Destroyed] {
            assert_eq!(due_at(&[version(1, state), pending(2, DAY)], 100 * DAY), [], "{state}");
        }
        assert_eq!(due_at(&[], 100 * DAY), []);
    }

    #[test]
    fn zero_means_never() {
        let never = Policy { rotate_every_s: 0, ..RULES };
        assert_eq!(due(&never, ChainKind::None, &[version(1, State::Active)], at(1_000 * DAY)), []);
        assert_eq!(next_rotation(&never, &[version(1, State::Active)], at(0)), None);
    }

    #[test]
    fn a_certificate_brings_a_successor_at_two_thirds_of_its_life() {
        let policy = Policy { rotate_every_s: 0, publish_ahead_s: 0, ..RULES };
        let certified = Aged { certificate: Some((at(0), at(30 * DAY))), ..version(1, State::Active) };
        assert_eq!(due(&policy, ChainKind::Own, &[certified], at(20 * DAY - 1)), []);
        let step = due(&policy, ChainKind::Own, &[certified], at(20 * DAY));
        assert_eq!(step, [Step::Publish { activate_at: at(20 * DAY) }]);
    }

    #[test]
    fn too_many_uses_bring_a_successor_which_is_published_first() {
        let policy = Policy { max_uses: 100, ..RULES };
        let used = |uses| Aged { uses, ..version(1, State::Active) };
        assert_eq!(due(&policy, ChainKind::None, &[used(99)], at(DAY)), []);
        let step = due(&policy, ChainKind::None, &[used(100)], at(DAY));
        assert_eq!(step, [Step::Publish { activate_at: at(2 * DAY) }]);
    }

    #[test]
    fn a_version_that_waits_for_an_outside_certificate_blocks_once_and_the_old_one_goes_on() {
        let (one, two) = (version(1, State::Active), pending(2, 10 * DAY));
        let outside = |two| due(&RULES, ChainKind::Outside, &[one, two], at(11 * DAY));
        assert_eq!(outside(two), [Step::Block { version: 2 }]);
        assert_eq!(outside(Aged { is_blocked: true, ..two }), []);
        let certified = Aged { is_blocked: true, certificate: Some((at(0), at(90 * DAY))), ..two };
        assert_eq!(outside(certified), [Step::Activate { version: 2 }]);
    }

    #[test]
    fn only_retired_private_parts_are_destroyed_by_time() {
        for state in State::ALL {
            let old = Aged { destroy_at: Some(at(DAY)), ..version(1, state) };
            let expected: &[Step] =
                if state == State::Retired { &[Step::Destroy { version: 1 }] } else { &[] };
            let steps = due(&Policy { rotate_every_s: 0, ..RULES }, ChainKind::None, &[old], at(DAY));
            assert_eq!(steps, expected, "{state}");
            assert_eq!(due_at(&[Aged { state: State::Retired, ..old }], DAY - 1), []);
        }
    }

    #[test]
    fn a_public_part_is_kept_as_long_as_the_longest_life_it_signed() {
        assert_eq!(RULES.keep_public_until(at(0), 0), at(DAY));
        assert_eq!(RULES.keep_public_until(at(0), 365 * 86_400), at(365 * DAY));
        assert_eq!(RULES.keep_public_until(Timestamp::MAX, u64::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_policy_out_of_range_names_its_member() {
        let cases = [
            (Policy { rotate_every_s: 60, ..RULES }, "rotate_every_s"),
            (Policy { rotate_every_s: u64::MAX, ..RULES }, "rotate_every_s"),
            (Policy { publish_ahead_s: 3_599, ..RULES }, "publish_ahead_s"),
            (Policy { publish_ahead_s: 11 * 86_400, ..RULES }, "publish_ahead_s"),
            (Policy { max_uses: u64::MAX, ..RULES }, "max_uses"),
            (Policy { keep_public_s: 0, ..RULES }, "keep_public_s"),
            (Policy { destroy_after_s: u64::MAX, ..RULES }, "destroy_after_s"),
        ];
        for (policy, member) in cases {
            assert_eq!(policy.check(false).unwrap_err().member, member);
        }
        assert_eq!(Policy::default().check(false), Ok(()));
        assert_eq!(Policy { publish_ahead_s: 0, ..RULES }.check(true), Ok(()));
    }
}
