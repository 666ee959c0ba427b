//! A link by which one passkey is added for the person of this device: opened in the browser that shall have it, once.
//!
//! A passkey is added by the wallet alone, never from a page that is signed in: whoever relays that page would keep one.

use super::device::{Ask, DoorFault, Key};
use super::{SigninError, Wallet};
use crate::text;
use openid::errand::Method;
use openid::wire;
use serde_json::{Value, json};

/// Bytes of the door's answer.
const TICKET_BYTES_MAX: usize = 4 * 1024;
/// Longest link: an issuer and 43 characters behind it.
const LINK_BYTES_MAX: usize = 2 * 1024;
/// Longest time, RFC 3339.
const TIME_BYTES_MAX: usize = 64;

/// What its person opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyLink {
    /// The page of the identity provider, with the ticket behind `#`.
    pub url: String,
    /// When it ends.
    pub expires_at: String,
}

impl Wallet {
    /// Asks the identity provider of `address` (a tenant's base or its issuer) for a link that adds one passkey.
    ///
    /// # Errors
    /// [`SigninError::NotEnrolled`] where no device of this wallet is enrolled there; [`SigninError::Door`], also for a link that
    /// does not lead to the provider that was pinned.
    pub fn passkey_link(&self, address: &str) -> Result<PasskeyLink, SigninError> {
        let address = address.trim_end_matches('/');
        let is_meant = |issuer: &str| issuer == address || issuer.strip_suffix("/idp") == Some(address);
        let mut devices = self.devices()?.into_iter();
        let device = devices.find(|device| is_meant(device.issuer())).ok_or(SigninError::NotEnrolled)?;
        let path = "passkeys/ticket".to_owned();
        let ask = Ask { method: Method::Post, path, body: Vec::new(), key: Key::Enrolled };
        let (_, body) = device.ask(&self.client, &ask, self.now())?;
        Ok(read(&body, device.issuer())?)
    }
}

/// The link of an answer. It must be the pinned provider's own page: a passkey is made for the host that a person opens.
fn read(body: &[u8], issuer: &str) -> Result<PasskeyLink, DoorFault> {
    let unreadable = || DoorFault::Form("its link for a passkey".to_owned());
    let answer = wire::json(body, TICKET_BYTES_MAX).map_err(|_| unreadable())?;
    let url = wire::text(answer.get("url"), LINK_BYTES_MAX).ok_or_else(unreadable)?;
    let ticket = url.strip_prefix(issuer).and_then(|rest| rest.strip_prefix("/passkeys#"));
    let is_ticket = |it: &str| crypto::base64::url_decode(it).is_ok_and(|bytes| bytes.len() == 32);
    if !ticket.is_some_and(is_ticket) {
        return Err(unreadable());
    }
    let expires_at = wire::text(answer.get("expires_at"), TIME_BYTES_MAX).ok_or_else(unreadable)?;
    Ok(PasskeyLink { url: url.to_owned(), expires_at: text::line(expires_at) })
}

impl PasskeyLink {
    /// As the verb answers it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({ "url": self.url, "expires_at": self.expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.example/t/default/idp";
    const TICKET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn answered(url: &str) -> Vec<u8> {
        json!({ "url": url, "expires_at": "2027-01-15T08:05:00Z" }).to_string().into_bytes()
    }

    #[test]
    fn the_link_of_the_pinned_provider_is_read() {
        let url = format!("{ISSUER}/passkeys#{TICKET}");
        assert_eq!(read(&answered(&url), ISSUER).unwrap().url, url);
    }

    #[test]
    fn a_link_that_leads_anywhere_else_is_not_shown() {
        for url in [
            format!("https://idp.example.evil/t/default/idp/passkeys#{TICKET}"),
            format!("{ISSUER}.evil/passkeys#{TICKET}"),
            format!("{ISSUER}/passkeys?next=x#{TICKET}"),
            format!("{ISSUER}/passkeys#{TICKET}\u{1b}[2J"),
            format!("{ISSUER}/passkeys#AAAA"),
            format!("{ISSUER}/passkeys"),
        ] {
            assert!(matches!(read(&answered(&url), ISSUER), Err(DoorFault::Form(_))), "{url}");
        }
        assert!(read(b"{}", ISSUER).is_err());
    }
}
