//! What the server acknowledged, in the client's own memory: the side of the story that no kill can touch.

use super::wallet::Place;
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
    /// Offers that were acknowledged and not yet redeemed: credential and link. They outlive a kill.
    pub(crate) offers: Vec<(String, String)>,
    /// Keys.
    pub(crate) keys: Vec<String>,
    /// `Tessera-Event` of every act, in the order of the answers.
    pub(crate) events: Vec<String>,
    /// Offers that were asked for and not answered: each may have been made or not.
    pub(crate) unanswered: usize,
    /// Answers of the server that are neither an act nor a pause: faults to be shown.
    pub(crate) strange: Vec<String>,
}

impl Acts {
    /// A credential in the wallet that no event issued.
    pub(crate) fn unissued(&self, issued: &BTreeMap<String, String>) -> Option<String> {
        let held = self.credentials.iter().filter(|(_, credential)| credential.held.is_some());
        held.map(|(id, _)| id).find(|id| !issued.contains_key(*id)).cloned()
    }
}

/// What is known of one credential.
#[derive(Clone, Default)]
pub(crate) struct Credential {
    /// Its offer was redeemed; whether it was issued is open while no credential came.
    pub(crate) asked: bool,
    /// The wallet has it, with this place in a status list.
    pub(crate) held: Option<Place>,
    /// Its revocation was asked for; whether it was done is open while there is no answer.
    pub(crate) tried: bool,
    /// Its revocation was acknowledged.
    pub(crate) revoked: bool,
}

impl Credential {
    /// Whether a status fits what was acknowledged.
    pub(crate) fn fits(&self, status: &str) -> bool {
        match status {
            "revoked" => self.tried,
            "valid" => self.asked && !self.revoked,
            "offered" | "expired" => self.held.is_none() && !self.revoked,
            _ => false,
        }
    }

    /// What its list must say: `None` while a revocation is open.
    pub(crate) fn is_revoked(&self) -> Option<bool> {
        (self.tried == self.revoked).then_some(self.revoked)
    }
}

/// How much the journal holds.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) credentials: usize,
    pub(crate) held: usize,
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
            held: acts.credentials.values().filter(|credential| credential.held.is_some()).count(),
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
        let open = Credential { tried: true, ..Credential::default() };
        assert!(open.fits("revoked") && open.fits("offered") && open.is_revoked().is_none());
        let done = Credential { tried: true, revoked: true, ..Credential::default() };
        assert!(done.fits("revoked") && !done.fits("offered") && done.is_revoked() == Some(true));
        let untouched = Credential::default();
        assert!(!untouched.fits("revoked") && untouched.is_revoked() == Some(false));
    }

    #[test]
    fn an_unanswered_issuance_may_have_been_done_or_not_and_an_answered_one_must_stand() {
        let open = Credential { asked: true, ..Credential::default() };
        assert!(open.fits("valid") && open.fits("offered"));
        let place = Place { uri: "http://localhost/t/default/status/0".to_owned(), idx: 7 };
        let held = Credential { asked: true, held: Some(place), ..Credential::default() };
        assert!(held.fits("valid") && !held.fits("offered") && !held.fits("revoked"));
        assert!(!Credential::default().fits("valid"));
    }
}
