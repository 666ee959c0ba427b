//! The invite: what one person hands to another, by a way that both trust more than the network.
//!
//! `"TSI1" ‖ flags u8 ‖ network_id 32 ‖ expires_s u64 ‖ secret 32 ‖ bucket_seed 32 ‖ xwing_pk 1216 ‖ sign_pk 32 ‖ url_len u8 ‖ url ‖
//! name_len u8 ‖ name ≤ 32`, as `tessera:invite/1#<base64url>`, in base45 for a QR code, or as a file.

use crate::base45;
use crate::bytes::{Malformed, Reader, Writer};
use crate::label;
use crypto::secret::Secret;
use crypto::{base64, hash, xwing};

/// How long an invite may be accepted: long enough for a letter, short enough to be forgotten.
pub const INVITE_TTL_S_MAX: u64 = 7 * 24 * 60 * 60;
/// Bytes of a name that somebody gives himself.
pub const NAME_BYTES_MAX: usize = 32;
/// Bytes of a relay's address; a byte counts them.
pub const URL_BYTES_MAX: usize = 255;
/// Bytes of the longest invite.
pub const INVITE_BYTES_MAX: usize = FIXED_BYTES + URL_BYTES_MAX + NAME_BYTES_MAX;
/// What a link to an invite begins with.
pub const SCHEME: &str = "tessera:invite/1#";

const MAGIC: &[u8; 4] = b"TSI1";
const FIXED_BYTES: usize = 4 + 1 + 32 + 8 + 32 + 32 + xwing::PUBLIC_BYTES + 32 + 1 + 1;

/// An invite, as it was made or read. Whoever holds it can accept it.
pub struct Invite {
    /// The network where the inviter reads.
    pub network_id: [u8; 32],
    /// The end of its time, Unix seconds.
    pub expires_s: u64,
    /// What the accepter's first cells are found by.
    pub secret: Secret<[u8; 32]>,
    /// Where the inviter reads.
    pub bucket_seed: Secret<[u8; 32]>,
    /// What the accepter encapsulates to.
    pub xwing_pk: [u8; xwing::PUBLIC_BYTES],
    /// The inviter's key for this contact; zeros for one who signs nothing.
    pub sign_pk: [u8; 32],
    /// A relay of the network.
    pub url: String,
    /// What the inviter calls himself; nobody vouches for it.
    pub name: String,
}

/// Why something is no invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InviteFault {
    /// Neither a link nor a QR text of an invite.
    #[error("not a link to an invite")]
    Link,
    /// Its bytes do not have the shape.
    #[error("not an invite, or not a whole one")]
    Shape,
    /// It asks for what this program does not know.
    #[error("an invite of a later version")]
    Flags,
    /// The address is none of a relay.
    #[error("the invite holds no address of a relay")]
    Url,
    /// The name is too long, or holds control characters.
    #[error("the name in the invite cannot be shown")]
    Name,
}

impl From<Malformed> for InviteFault {
    fn from(_: Malformed) -> Self {
        Self::Shape
    }
}

impl Invite {
    /// The bytes that both sides hash.
    ///
    /// # Panics
    /// With an address or a name over their bounds: whoever makes an invite checks them before, by [`is_name`] and [`is_url`].
    pub fn encode(&self) -> Secret<Vec<u8>> {
        let mut writer = Writer::new();
        writer.raw(MAGIC).u8(0).raw(&self.network_id).u64(self.expires_s);
        writer.raw(self.secret.expose()).raw(self.bucket_seed.expose());
        writer.raw(&self.xwing_pk).raw(&self.sign_pk);
        writer.short(self.url.as_bytes()).short(self.name.as_bytes());
        Secret::new(writer.into_bytes())
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// [`InviteFault`].
    pub fn parse(bytes: &[u8]) -> Result<Self, InviteFault> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != *MAGIC {
            return Err(InviteFault::Shape);
        }
        if reader.u8()? != 0 {
            return Err(InviteFault::Flags);
        }
        let (network_id, expires_s) = (reader.array()?, reader.u64()?);
        let (secret, bucket_seed) = (Secret::new(reader.array()?), Secret::new(reader.array()?));
        let (xwing_pk, sign_pk) = (reader.array()?, reader.array()?);
        let url = reader.text(URL_BYTES_MAX).map_err(|_| InviteFault::Url)?.to_owned();
        let name = reader.text(NAME_BYTES_MAX).map_err(|_| InviteFault::Name)?.to_owned();
        reader.end()?;
        if !is_url(&url) {
            return Err(InviteFault::Url);
        }
        if !is_name(&name) {
            return Err(InviteFault::Name);
        }
        Ok(Self { network_id, expires_s, secret, bucket_seed, xwing_pk, sign_pk, url, name })
    }

    /// The link that people send.
    pub fn to_link(&self) -> Secret<String> {
        Secret::new(format!("{SCHEME}{}", base64::url_encode(self.encode().expose())))
    }

    /// Reads a link, or the text of a QR code.
    ///
    /// # Errors
    /// [`InviteFault`].
    pub fn from_link(text: &str) -> Result<Self, InviteFault> {
        // Both forms are longer than the bytes; a text over twice their bound is none.
        if text.len() > 2 * INVITE_BYTES_MAX {
            return Err(InviteFault::Link);
        }
        let bytes = match text.strip_prefix(SCHEME) {
            Some(encoded) => base64::url_decode(encoded).map_err(|_| InviteFault::Link)?,
            None => base45::decode(text).map_err(|_| InviteFault::Link)?,
        };
        Self::parse(Secret::new(bytes).expose())
    }

    /// The text of a QR code.
    pub fn to_qr_text(&self) -> Secret<String> {
        Secret::new(base45::encode(self.encode().expose()))
    }

    /// SHA-256 of the bytes: what both sides call it.
    pub fn digest(&self) -> [u8; 32] {
        hash::sha256(self.encode().expose())
    }

    /// The root of its chains, for every epoch: `HKDF-Extract(salt L("invite"), secret)`.
    pub fn root(&self) -> Secret<[u8; 32]> {
        root_of(&self.secret)
    }
}

/// See [`Invite::root`].
pub(crate) fn root_of(secret: &Secret<[u8; 32]>) -> Secret<[u8; 32]> {
    label::extract(&label::label(&[b"invite"]), &[secret.expose()])
}

/// Whether somebody may call himself so: up to 32 bytes, no control characters; empty for one who gives no name.
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}

/// Whether this may be the address of a relay: printable ASCII after `https://` or `http://`. Whether it may be dialled, the
/// manifest says.
pub fn is_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    url.len() <= URL_BYTES_MAX
        && host.is_some_and(|host| !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic()))
}

impl std::fmt::Debug for Invite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Invite(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite() -> Invite {
        Invite {
            network_id: [1; 32],
            expires_s: 1_800_000_000,
            secret: Secret::new([2; 32]),
            bucket_seed: Secret::new([3; 32]),
            xwing_pk: [4; xwing::PUBLIC_BYTES],
            sign_pk: [5; 32],
            url: "https://relay.example".to_owned(),
            name: "Zoë".to_owned(),
        }
    }

    #[test]
    fn an_invite_is_read_back_from_its_link_its_qr_text_and_its_bytes() {
        let invite = invite();
        for read in [
            Invite::from_link(invite.to_link().expose()).unwrap(),
            Invite::from_link(invite.to_qr_text().expose()).unwrap(),
            Invite::parse(invite.encode().expose()).unwrap(),
        ] {
            assert_eq!(read.digest(), invite.digest());
            assert_eq!((read.url, read.name), (invite.url.clone(), invite.name.clone()));
        }
    }

    #[test]
    fn a_name_or_address_that_could_fool_a_person_is_refused() {
        let with = |url: &str, name: &str| {
            let changed = Invite { url: url.to_owned(), name: name.to_owned(), ..invite() };
            Invite::parse(changed.encode().expose()).unwrap_err()
        };
        assert_eq!(with("https://relay.example", "a\nb"), InviteFault::Name);
        assert_eq!(with("https://", ""), InviteFault::Url);
        assert_eq!(with("ftp://relay.example", ""), InviteFault::Url);
        assert_eq!(with("https://re lay.example", ""), InviteFault::Url);
        assert_eq!(with("https://relay.example", &"x".repeat(33)), InviteFault::Name);
    }

    #[test]
    fn every_cut_and_every_longer_invite_is_refused() {
        let bytes = invite().encode();
        let bytes = bytes.expose();
        assert!((0..bytes.len()).all(|length| Invite::parse(&bytes[..length]).is_err()));
        assert_eq!(Invite::parse(&[bytes, &[0][..]].concat()).unwrap_err(), InviteFault::Shape);
        let mut later = bytes.clone();
        later[4] = 1;
        assert_eq!(Invite::parse(&later).unwrap_err(), InviteFault::Flags);
        assert_eq!(Invite::from_link("openid-credential-offer://?x").unwrap_err(), InviteFault::Link);
    }
}
