//! The doors of the room: our own API, and the wallet's doors under `I/vp`.

mod api;
mod browser;
mod definitions;
pub(crate) mod fetch;
mod refusal;
mod wallet;
mod wire;

use crate::Verifier;
use edge::Doors;

impl Verifier {
    /// Every door of the room.
    pub fn doors(&self) -> Doors {
        api::doors().and(definitions::doors()).and(wallet::doors()).and(browser::doors()).with(self.clone())
    }
}
