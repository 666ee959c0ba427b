//! The bus: a hint that something changed, so that whoever waits reads the store sooner.
//!
//! Lossy by design: it carries ids, never secrets; receivers read the store, and also poll.

use tokio::sync::broadcast;

/// Hints a slow receiver may fall behind before it is told to read everything again.
pub const HINTS_MAX: usize = 1_024;

/// Bytes of a hint's ids; longer ones become "read all of this topic again".
pub const HINT_BYTES_MAX: usize = 4_096;

/// One hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// What it is about: `verifier.status-list`.
    pub topic: &'static str,
    /// Which rows, in the topic's own form; empty: any of them.
    pub ids: String,
}

/// What a receiver gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something changed.
    Hint(Hint),
    /// Hints were lost: read everything again.
    Reread,
}

/// The bus of one process.
#[derive(Clone, Debug)]
pub struct Bus(broadcast::Sender<Hint>);

impl Bus {
    pub(crate) fn new() -> Bus {
        Bus(broadcast::Sender::new(HINTS_MAX))
    }

    /// Tells everybody who listens now. Publish after the commit: whoever hears it reads.
    pub fn publish(&self, topic: &'static str, ids: impl Into<String>) {
        let ids = Some(ids.into()).filter(|ids| ids.len() <= HINT_BYTES_MAX).unwrap_or_default();
        // Nobody listening is no fault.
        let _ = self.0.send(Hint { topic, ids });
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// One receiver's queue.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<Hint>);

impl Listener {
    /// The next hint; `None` when the store is closed.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(hint) => Some(Heard::Hint(hint)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Heard::Reread),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_receiver_is_told_to_read_again() {
        let bus = Bus::new();
        let mut listener = bus.subscribe();
        for number in 0..=HINTS_MAX {
            bus.publish("audit.grown", number.to_string());
        }
        assert_eq!(listener.next().await, Some(Heard::Reread));
        assert_eq!(listener.next().await, Some(Heard::Hint(Hint { topic: "audit.grown", ids: "1".into() })));
    }

    #[tokio::test]
    async fn ids_that_are_too_long_mean_all_of_them() {
        let bus = Bus::new();
        let mut listener = bus.subscribe();
        bus.publish("audit.grown", "a".repeat(HINT_BYTES_MAX + 1));
        drop(bus);
        assert_eq!(
            listener.next().await,
            Some(Heard::Hint(Hint { topic: "audit.grown", ids: String::new() }))
        );
        assert_eq!(listener.next().await, None);
    }
}
