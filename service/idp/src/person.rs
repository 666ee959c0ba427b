//! Persons: random ids, and the exact limits of sign-ins that a stranger can address to one.
//!
//! A handle is no secret, so whoever knows one can ask for its owner's wallets. Five such starts without an answer, then a pause that
//! doubles; the page looks the same whatever happens here.

use ::store::{Ctx, id};
use jiff::SignedDuration;
use seal::person::PersonId;

/// Prefix of a person's id; it stands in rows and sealed details alone.
pub(crate) const PREFIX: &str = "per";
/// Starts by handle without an answer before a pause: a person who slips needs three.
pub const STARTS_MAX: i64 = 5;
/// The first pause, seconds.
pub const PAUSE_S_MIN: i64 = 60;
/// The longest pause, seconds.
pub const PAUSE_S_MAX: i64 = 86_400;
/// Without a start for this long, seconds, the count begins anew.
pub const STARTS_WINDOW_S: i64 = 3_600;
/// How long a handle rests after its owner said "not me", seconds. Scanning goes on.
pub const NOT_ME_LOCK_S: i64 = 86_400;

/// A person, as far as limits go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) starts: i64,
    pub(crate) started_at_ms: i64,
    pub(crate) pause_s: i64,
    pub(crate) paused_until_ms: i64,
    pub(crate) locked_until_ms: i64,
}

/// What a start by handle meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// It goes to the inbox; this is what is kept. `pauses` says that it was the last one for a while.
    Addressed { kept: Person, pauses: bool },
    /// Nothing happens.
    Resting,
}

impl Person {
    /// Judges a start by handle at `now_ms`.
    pub(crate) fn start(&self, now_ms: i64) -> Start {
        if now_ms < self.locked_until_ms || now_ms < self.paused_until_ms {
            return Start::Resting;
        }
        let idle_since = self.started_at_ms.max(self.paused_until_ms);
        let fresh = now_ms.saturating_sub(idle_since) >= STARTS_WINDOW_S * 1_000;
        let mut kept = self.clone();
        if fresh {
            (kept.starts, kept.pause_s) = (0, 0);
        }
        kept.starts += 1;
        kept.started_at_ms = now_ms;
        let pauses = kept.starts >= STARTS_MAX;
        if pauses {
            kept.pause_s = if kept.pause_s == 0 { PAUSE_S_MIN } else { (kept.pause_s * 2).min(PAUSE_S_MAX) };
            kept.paused_until_ms = now_ms + kept.pause_s * 1_000;
        }
        Start::Addressed { kept, pauses }
    }
}

/// A new person's id.
pub(crate) fn new_id(ctx: &Ctx) -> String {
    id::new(ctx, PREFIX)
}

/// The 128 bits of a person's id.
pub(crate) fn bits(id: &str) -> PersonId {
    PersonId::new(id::bits_of(PREFIX, id).unwrap_or_default())
}

/// When a handle works again after "not me".
pub(crate) fn not_me_until_ms(ctx: &Ctx) -> i64 {
    (ctx.now + SignedDuration::from_secs(NOT_ME_LOCK_S)).as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn person() -> Person {
        Person {
            id: "per_x".to_owned(),
            starts: 0,
            started_at_ms: 0,
            pause_s: 0,
            paused_until_ms: 0,
            locked_until_ms: 0,
        }
    }

    fn addressed(person: &Person, now_ms: i64) -> Person {
        match person.start(now_ms) {
            Start::Addressed { kept, .. } => kept,
            Start::Resting => panic!("rests"),
        }
    }

    #[test]
    fn five_starts_without_an_answer_then_pauses_that_double_to_a_day() {
        let mut person = person();
        for nth in 0..5 {
            person = addressed(&person, NOW + nth * 1_000);
        }
        let mut pauses = Vec::new();
        for _ in 0..13 {
            assert_eq!(person.start(person.paused_until_ms - 1), Start::Resting);
            pauses.push(person.pause_s);
            person = addressed(&person, person.paused_until_ms);
        }
        assert_eq!(pauses[..5], [60, 120, 240, 480, 960]);
        assert_eq!(pauses[11..], [86_400, 86_400]);
    }

    #[test]
    fn an_hour_without_a_start_forgets_the_count_but_not_a_lock() {
        let mut person = person();
        for _ in 0..5 {
            person = addressed(&person, NOW);
        }
        let later = person.paused_until_ms + STARTS_WINDOW_S * 1_000;
        let fresh = addressed(&person, later);
        assert_eq!((fresh.starts, fresh.pause_s), (1, 0));
        person.locked_until_ms = later + 1;
        assert_eq!(person.start(later), Start::Resting);
    }
}
