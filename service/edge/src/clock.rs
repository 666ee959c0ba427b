//! The clock of a program: read once per request, at the door, and by what measures durations.

use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Wall time for [`store::Ctx`] and a steady time for limits and measurements. `app/` makes the real one; tests make one that
/// stands until they move it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Source>);

trait Source: Send + Sync {
    fn now(&self) -> Timestamp;
    fn steady(&self) -> Duration;
}

impl Clock {
    /// The clock of a running program. `now` reads the wall clock; only `app/` may.
    #[must_use]
    pub fn running(now: fn() -> Timestamp) -> Self {
        Self(Arc::new(Running { now, start: std::time::Instant::now() }))
    }

    /// A clock that stands at `now` until it is moved.
    #[must_use]
    pub fn standing(now: Timestamp) -> (Self, Hand) {
        let hand = Hand(Arc::new(Mutex::new((now, Duration::ZERO))));
        (Self(Arc::new(hand.clone())), hand)
    }

    /// Wall time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// Time since some fixed moment; never goes back.
    #[must_use]
    pub fn steady(&self) -> Duration {
        self.0.steady()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

struct Running {
    now: fn() -> Timestamp,
    start: std::time::Instant,
}

impl Source for Running {
    fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn steady(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Moves a standing clock.
#[derive(Clone, Debug)]
pub struct Hand(Arc<Mutex<(Timestamp, Duration)>>);

impl Hand {
    /// Moves both times forward.
    pub fn advance(&self, by: Duration) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.0 += SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        times.1 += by;
    }
}

impl Source for Hand {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn steady(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

impl governor::clock::Clock for Clock {
    type Instant = Duration;

    fn now(&self) -> Self::Instant {
        self.steady()
    }
}
