//! What a provider pushes to a wallet: that a sign-in waits. A hint and no more: everything that counts is fetched and checked as
//! if the link had been scanned.
//!
//! ```text
//!   Push ── encode: JCS {v, sid, issuer, rp, exp}, one cell ──▶ bytes ── parse: of the issuer that is pinned, not over ──▶ Push
//! ```

use crate::code::Sid;
use crate::wire::{Members, WireError, jcs, object};
use jiff::Timestamp;
use serde_json::json;

/// Bytes of a push: what one cell of a relay carries, since a second cell would tell that something is said.
pub const PUSH_BYTES_MAX: usize = 454;

/// The version of what is pushed.
const VERSION: i64 = 1;

/// A sign-in that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Names the session.
    pub sid: Sid,
    /// `I` of the provider.
    pub issuer: String,
    /// Origin of the service, to be shown until the signed claim is there; empty where it is too long.
    pub rp: String,
    /// When the session ends unless it is claimed, Unix seconds.
    pub expires_at_s: i64,
}

/// Why a push counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushRefusal {
    /// It is none.
    #[error("the push cannot be read")]
    Form,
    /// The contact is of one provider, the push of another.
    #[error("the push names another identity provider")]
    OtherIssuer,
    /// The session is over.
    #[error("the push came too late")]
    Over,
}

impl From<WireError> for PushRefusal {
    fn from(_: WireError) -> Self {
        Self::Form
    }
}

impl Push {
    /// The bytes for one cell; none where even without the service's origin they are too many.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let bytes = |rp: &str| {
            let value = json!({
                "v": VERSION, "sid": self.sid.to_string(), "issuer": self.issuer, "rp": rp, "exp": self.expires_at_s,
            });
            jcs(&value).ok().filter(|bytes| bytes.len() <= PUSH_BYTES_MAX)
        };
        bytes(&self.rp).or_else(|| bytes(""))
    }

    /// Reads a push of the contact that was made with `issuer`.
    ///
    /// # Errors
    /// [`PushRefusal`].
    pub fn parse(bytes: &[u8], issuer: &str, now: Timestamp) -> Result<Push, PushRefusal> {
        let mut members = Members::new(object(bytes, PUSH_BYTES_MAX)?);
        if members.seconds("v")? != VERSION {
            return Err(PushRefusal::Form);
        }
        let push = Push {
            sid: Sid::new(members.array("sid")?),
            issuer: members.text("issuer", PUSH_BYTES_MAX)?,
            rp: members.text("rp", PUSH_BYTES_MAX)?,
            expires_at_s: members.seconds("exp")?,
        };
        members.done()?;
        if push.issuer != issuer {
            return Err(PushRefusal::OtherIssuer);
        }
        if push.expires_at_s <= now.as_second() {
            return Err(PushRefusal::Over);
        }
        Ok(push)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.example/t/default/idp";

    fn push() -> Push {
        Push {
            sid: Sid::new([7; 16]),
            issuer: ISSUER.to_owned(),
            rp: "https://shop.example".to_owned(),
            expires_at_s: 90,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_push_is_canonical_and_fits_one_cell() {
        let bytes = push().encode().unwrap();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            "{\"exp\":90,\"issuer\":\"https://idp.example/t/default/idp\",\"rp\":\"https://shop.example\",\
             \"sid\":\"BwcHBwcHBwcHBwcHBwcHBw\",\"v\":1}"
        );
        assert_eq!(Push::parse(&bytes, ISSUER, at(89)), Ok(push()));
    }

    #[test]
    fn an_origin_that_does_not_fit_is_left_out_and_an_issuer_that_does_not_is_not_pushed() {
        let long = Push { rp: format!("https://{}.example", "a".repeat(400)), ..push() };
        let read = Push::parse(&long.encode().unwrap(), ISSUER, at(1)).unwrap();
        assert_eq!(read.rp, "");
        let issuer = format!("https://{}.example/t/x/idp", "a".repeat(400));
        assert_eq!(Push { issuer, ..push() }.encode(), None);
    }

    #[test]
    fn a_push_of_another_issuer_a_late_one_and_what_is_none_are_refused() {
        let bytes = push().encode().unwrap();
        let refused = |bytes: &[u8], issuer, now| Push::parse(bytes, issuer, now).unwrap_err();
        assert_eq!(refused(&bytes, "https://idp.example/t/other/idp", at(1)), PushRefusal::OtherIssuer);
        assert_eq!(refused(&bytes, ISSUER, at(90)), PushRefusal::Over);
        let text = String::from_utf8(bytes).unwrap();
        for other in
            ["", "{}", &text.replace("\"v\":1", "\"v\":2"), &text.replace("\"exp\"", "\"x\":1,\"exp\"")]
        {
            assert_eq!(refused(other.as_bytes(), ISSUER, at(1)), PushRefusal::Form, "{other}");
        }
    }
}
