//! What the server acknowledged, in the client's own memory: the side of the story that no kill can touch.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared by the threads of the load and the checks.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Acts>);

/// Acts that were acknowledged, and those that were tried.
#[derive(Default)]
pub(crate) struct Acts {
    /// Credentials by id.
    pub(crate) credentials: BTreeMap<String, Credential>,
    /// Credentials in the order in which they were acknowledged.
    pub(crate) order: Vec<String>,
    /// Keys.
    pub(crate) keys: Vec<String>,
    /// `Tessera-Event` of every act, in the order of the answers.
    pub(crate) events: Vec<String>,
    /// Offers that were asked for and not answered: each may have been made or not.
    pub(crate) unanswered: usize,
    /// Answers of the server that are neither an act nor a pause: faults to be shown.
    pub(crate) strange: Vec<String>,
}

/// What is known of one credential.
#[derive(Clone, Copy, Default)]
pub(crate) struct Credential {
    /// Its revocation was asked for; whether it was done is open while there is no answer.
    pub(crate) tried: bool,
    /// Its revocation was acknowledged.
    pub(crate) revoked: bool,
}

impl Credential {
    /// Whether a status fits what was acknowledged.
    pub(crate) fn fits(self, status: &str) -> bool {
        match status {
            "revoked" => self.tried,
            "offered" | "expired" => !self.revoked,
            _ => false,
        }
    }
}

/// How much the journal holds.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) credentials: usize,
    pub(crate) revocations: usize,
    pub(crate) keys: usize,
    pub(crate) events: usize,
}

impl Journal {
    /// The acts, for as long as the guard lives.
    pub(crate) fn acts(&self) -> MutexGuard<'_, Acts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn counts(&self) -> Counts {
        let acts = self.acts();
        Counts {
            credentials: acts.credentials.len(),
            revocations: acts.credentials.values().filter(|credential| credential.revoked).count(),
            keys: acts.keys.len(),
            events: acts.events.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unanswered_revocation_may_have_been_done_or_not_and_an_answered_one_must_stand() {
        let open = Credential { tried: true, revoked: false };
        assert!(open.fits("revoked") && open.fits("offered"));
        let done = Credential { tried: true, revoked: true };
        assert!(done.fits("revoked") && !done.fits("offered"));
        assert!(!Credential::default().fits("revoked"));
    }
}
