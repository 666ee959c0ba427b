//! The doors of the room: the link, what everybody may read, joining, and members.

mod link;
mod members;
mod public;
mod refusal;
mod wire;

pub use link::WRITE_TIMEOUT;

use crate::Relay;
use edge::Doors;

impl Relay {
    /// Every door of the room.
    pub fn doors(&self) -> Doors {
        link::doors().and(public::doors()).and(members::doors()).with(self.clone())
    }
}
