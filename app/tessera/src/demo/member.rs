//! A member of the house's relay: a wallet that joined by a link of the relay's administrator.

use super::outsider::Outsider;
use crate::client::Sent;
use serde_json::{Value, json};
use wallet::engine::Wallet;
use wallet::engine::relay::{Mailbox, RelayLink};

/// One member of the story, with its state open.
pub(super) struct Member {
    pub(super) wallet: Wallet,
    pub(super) mailbox: Mailbox,
}

/// A wallet that has joined, whatever it does next.
pub(super) fn joined(parties: &Outsider, name: &str) -> Result<Wallet, String> {
    let made = parties.relay()?.post("/members", &json!({}), Sent::default()).map_err(|f| f.what)?;
    let link = made.get("link").and_then(Value::as_str).ok_or("the answer has no link")?;
    let RelayLink::Member(link) = RelayLink::parse(link).map_err(|fault| fault.to_string())? else {
        return Err("the link is none for a member".to_owned());
    };
    let mut wallet = Wallet::in_memory(&parties.anchors).map_err(|fault| fault.to_string())?;
    wallet.relay_join(&link, name).map_err(|fault| fault.to_string())?;
    Ok(wallet)
}

impl Member {
    pub(super) fn new(wallet: Wallet) -> Result<Self, String> {
        let mailbox = wallet.mailbox().map_err(|fault| fault.to_string())?;
        Ok(Self { wallet, mailbox })
    }
}
