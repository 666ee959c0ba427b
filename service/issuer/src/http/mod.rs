//! The doors of the room: our own API, and the wallet's doors under `I`.

mod api;
mod refusal;
mod wallet;
mod wire;

use crate::Issuer;
use edge::Doors;

impl Issuer {
    /// Every door of the room.
    pub fn doors(&self) -> Doors {
        api::doors().and(wallet::doors()).with(self.clone())
    }
}
