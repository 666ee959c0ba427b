//! The doors of the room: our own API, the wallets' doors of Seal, and those of the OpenID Provider.

mod api;
mod browser;
mod enrolments;
mod op;
mod passkeys;
mod posted;
pub mod refusal;
mod seals;
mod visitor;
mod wallet;
mod wire;

use crate::Idp;
use edge::Doors;

impl Idp {
    /// Every door of the room.
    pub fn doors(&self) -> Doors {
        api::doors()
            .and(enrolments::doors())
            .and(seals::doors())
            .and(wallet::doors())
            .and(op::doors())
            .and(browser::doors())
            .and(passkeys::doors())
            .with(self.clone())
    }
}
