//! Asks an issuer's status list whether a credential still holds. Nobody is told which credential is meant: a list stands for
//! thousands.

use super::{Held, Wallet, reach_of};
use crate::http::HttpFault;
use credential::status::{ListError, ListFault, ListToken, StatusValue, TOKEN_BYTES_MAX};
use openid::errand::{Errand, PeerRefusal};
use openid::wire::{self, AddressFault};

/// `Accept` of a list.
const MEDIA_TYPE: &str = "application/statuslist+jwt";

/// Why the status stays unknown.
#[derive(Debug, thiserror::Error)]
pub enum StatusFault {
    /// The credential names no list.
    #[error("the credential names no status list")]
    None,
    /// The list's address may not be asked.
    #[error("the status list's address: {0}")]
    Address(#[from] AddressFault),
    /// The list's door could not be asked.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// The list's door refused.
    #[error(transparent)]
    Peer(#[from] PeerRefusal),
    /// The list is no list, or nobody whom we trust vouches for it.
    #[error("the status list: {0}")]
    List(#[from] ListFault),
    /// It is another list than was asked for, or its time is over.
    #[error("the status list is another one, or out of its time")]
    Stale,
    /// The credential has no place in it.
    #[error("the status list has no place for this credential: {0}")]
    Place(#[from] ListError),
}

impl Wallet {
    /// The status of a credential by its issuer's list, fetched now.
    ///
    /// # Errors
    /// [`StatusFault`]: then nothing is known, which is not the same as valid.
    pub fn status(&self, held: &Held) -> Result<StatusValue, StatusFault> {
        let reference = held.status.as_ref().ok_or(StatusFault::None)?;
        // A list of an issuer of the open net is not on this machine.
        wire::address(&reference.uri, reach_of(&held.issuer))?;
        let answer = self.client.perform(&Errand::get(&reference.uri, MEDIA_TYPE, TOKEN_BYTES_MAX))?;
        let text = std::str::from_utf8(answer.answered().ok()?).map_err(|_| ListFault::Malformed)?;
        let now = self.now();
        let list = ListToken::parse(text.trim_end())?.verify(&self.trust(), now)?;
        if list.subject() != reference.uri || list.fresh_until(now) <= now {
            return Err(StatusFault::Stale);
        }
        Ok(list.value(reference.idx)?)
    }
}

/// One word, as it is printed.
#[must_use]
pub fn word(status: &Result<StatusValue, StatusFault>) -> &'static str {
    match status {
        Ok(StatusValue::Valid) => "valid",
        Ok(StatusValue::Invalid) => "revoked",
        Ok(StatusValue::Suspended) => "suspended",
        Ok(StatusValue::Other(_)) => "other",
        Err(_) => "unknown",
    }
}
