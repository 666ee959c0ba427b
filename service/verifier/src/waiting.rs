//! Who waits for a verification to end: a long poll wakes when its session does, in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Long polls at once; one more is answered at once. Each holds a request in flight, of which there are 2,048.
const WAITERS_MAX: usize = 512;

/// The long polls of this process, by session.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<String, Seat>>);

struct Seat {
    bell: Arc<Notify>,
    sitting: usize,
}

/// A place to wait; leaving gives it back.
pub(crate) struct Waiter<'a> {
    waiting: &'a Waiting,
    session: String,
    pub(crate) bell: Arc<Notify>,
}

impl Waiting {
    /// A place beside everybody who waits for `session`; none when too many wait. Taken before the state is read, so that no end
    /// falls between.
    pub(crate) fn join(&self, session: &str) -> Option<Waiter<'_>> {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.values().map(|seat| seat.sitting).sum::<usize>() >= WAITERS_MAX {
            return None;
        }
        let seat =
            seats.entry(session.to_owned()).or_insert_with(|| Seat { bell: Arc::default(), sitting: 0 });
        seat.sitting += 1;
        Some(Waiter { waiting: self, session: session.to_owned(), bell: seat.bell.clone() })
    }

    /// Wakes everybody who waits for `session`.
    pub(crate) fn wake(&self, session: &str) {
        if let Some(seat) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(session) {
            seat.bell.notify_waiters();
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut seats = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seats.get_mut(&self.session) {
            seat.sitting -= 1;
            if seat.sitting == 0 {
                seats.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let waiting = Waiting::default();
        let taken: Vec<_> =
            (0..WAITERS_MAX).map(|nth| waiting.join(&format!("ver_{}", nth % 7)).unwrap()).collect();
        assert!(waiting.join("ver_8").is_none());
        drop(taken);
        assert!(waiting.0.lock().unwrap().is_empty());
        assert!(waiting.join("ver_8").is_some());
    }

    #[tokio::test]
    async fn whoever_sat_down_before_the_bell_wakes() {
        let waiting = Waiting::default();
        let seat = waiting.join("ver_1").unwrap();
        let mut rung = std::pin::pin!(seat.bell.notified());
        rung.as_mut().enable();
        waiting.wake("ver_2");
        waiting.wake("ver_1");
        rung.await;
    }
}
