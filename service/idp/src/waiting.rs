//! Who waits for a sign-in or an inbox to change: a long poll wakes when it does in this process, and looks again every two seconds
//! for what other processes did.

use crate::Idp;
use ::store::Ctx;
use edge::Clock;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Long polls at once; one more is answered at once. Each holds a request in flight, of which there are 2,048.
const WAITERS_MAX: usize = 512;
/// How long a hint that was lost, or told to another process, delays a waiter: it costs time, never truth.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What hints of this room are about; ids are sids and persons.
pub const TOPIC: &str = "idp.signin";

/// The long polls of this process.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<String, Seat>>);

struct Seat {
    bell: Arc<Notify>,
    sitting: usize,
}

/// A place to wait; leaving gives it back.
pub(crate) struct Waiter<'a> {
    waiting: &'a Waiting,
    key: String,
    bell: Arc<Notify>,
}

impl Waiting {
    /// A place beside everybody who waits for `key`; none when too many wait.
    fn join(&self, key: &str) -> Option<Waiter<'_>> {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.values().map(|seat| seat.sitting).sum::<usize>() >= WAITERS_MAX {
            return None;
        }
        let seat = seats.entry(key.to_owned()).or_insert_with(|| Seat { bell: Arc::default(), sitting: 0 });
        seat.sitting += 1;
        Some(Waiter { waiting: self, key: key.to_owned(), bell: seat.bell.clone() })
    }

    /// Wakes everybody who waits for `key`.
    fn wake(&self, key: &str) {
        if let Some(seat) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            seat.bell.notify_waiters();
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut seats = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seats.get_mut(&self.key) {
            seat.sitting -= 1;
            if seat.sitting == 0 {
                seats.remove(&self.key);
            }
        }
    }
}

impl Idp {
    /// Tells whoever waits for `key` (a `sig_…` or `per_…`) that it changed. Called after the commit.
    pub(crate) fn changed(&self, key: &str) {
        self.waiting.wake(key);
        self.store.bus().publish(TOPIC, key);
    }

    /// Looks until `look` says that it is worth an answer, or `wait` is over; whoever wakes is a new request with a new time.
    ///
    /// # Errors
    /// Those of `look`.
    pub async fn poll<T, E, F: Future<Output = Result<(T, bool), E>>>(
        &self,
        (ctx, clock): (&Ctx, &Clock),
        key: &str,
        wait: Duration,
        mut look: impl FnMut(Ctx) -> F,
    ) -> Result<T, E> {
        let (mut left, mut ctx) = (wait, ctx.clone());
        loop {
            let seat = self.waiting.join(key).filter(|_| !left.is_zero());
            let Some(seat) = seat else { return Ok(look(ctx).await?.0) };
            let mut rung = pin!(seat.bell.notified());
            rung.as_mut().enable();
            let (found, worth) = look(ctx.clone()).await?;
            if worth {
                return Ok(found);
            }
            let step = left.min(LOOK_AGAIN);
            left -= step;
            let _ = tokio::time::timeout(step, rung).await;
            ctx = ctx.child(clock.now());
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
            (0..WAITERS_MAX).map(|nth| waiting.join(&format!("sig_{}", nth % 7)).unwrap()).collect();
        assert!(waiting.join("sig_8").is_none());
        drop(taken);
        assert!(waiting.0.lock().unwrap().is_empty());
    }
}
