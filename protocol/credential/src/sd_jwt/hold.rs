//! The holder's side: which disclosures to show, and what the key binding must say.

use crypto::hash;
use jiff::Timestamp;

use super::{Disclosed, KeyBinding, SdJwt};
use crate::claims_path::ClaimsPath;

/// Why a choice of claims makes no presentation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresentError {
    /// The credential has no such claim.
    #[error("the credential has no claim at {0}")]
    NotThere(ClaimsPath),
}

/// A credential cut down to chosen claims, ready for a key binding. `Debug` shows nothing of it.
pub struct Presentation {
    bound: String,
}

impl SdJwt {
    /// Shows the claims at `paths` and nothing else: their disclosures, those they hang in and those inside them.
    ///
    /// # Errors
    /// [`PresentError::NotThere`] for a path that selects nothing, before anything is shown.
    pub fn present(&self, paths: &[ClaimsPath]) -> Result<Presentation, PresentError> {
        if let Some(path) = paths.iter().find(|path| path.select(self.claims()).is_empty()) {
            return Err(PresentError::NotThere(path.clone()));
        }
        let mut bound = format!("{}~", self.jwt());
        for disclosed in self.disclosures().iter().filter(|disclosed| is_wanted(disclosed, paths)) {
            bound.push_str(&disclosed.encoded);
            bound.push('~');
        }
        Ok(Presentation { bound })
    }
}

impl Presentation {
    /// What the holder's key signs for one verifier (RFC 9901, 4.3): `aud`, `nonce`, `iat` and the digest of what is
    /// shown. The signer adds `alg`.
    pub fn key_binding_draft(&self, audience: &str, nonce: &str, now: Timestamp) -> crypto::jose::jws::Draft {
        self.authorising_draft(audience, nonce, now, &[])
    }

    /// The same, which also authorises what these digests stand for: each is that of a `transaction_data` string as it was
    /// received (OpenID4VP 1.0, B.3.3).
    pub fn authorising_draft(
        &self,
        audience: &str,
        nonce: &str,
        now: Timestamp,
        transactions: &[[u8; 32]],
    ) -> crypto::jose::jws::Draft {
        KeyBinding::draft(audience, nonce, now, &hash::sha256(self.bound.as_bytes()), transactions)
    }

    /// The presentation with its signed key binding.
    pub fn bind(self, key_binding: &str) -> String {
        self.bound + key_binding
    }

    /// The presentation of a credential that needs no holder binding.
    pub fn without_key_binding(self) -> String {
        self.bound
    }
}

impl std::fmt::Debug for Presentation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Presentation({} bytes)", self.bound.len())
    }
}

/// A disclosure is shown when it is at a chosen claim, inside one, or on the way to one.
fn is_wanted(disclosed: &Disclosed, paths: &[ClaimsPath]) -> bool {
    paths.iter().any(|path| path.covers(&disclosed.place) || path.goes_below(&disclosed.place))
}
