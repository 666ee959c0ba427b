//! The link by which a wallet becomes a member.

use crypto::base64;

use crate::network::NetworkId;

/// A one-time link by which a wallet becomes a member: `tessera:member/1#<base64url>` of `url_len u8 ‖ url ‖ network_id 32 ‖
/// code 16`.
#[derive(Clone, PartialEq, Eq)]
pub struct MemberLink {
    /// Where the token issuer answers.
    pub url: String,
    /// The network.
    pub network: NetworkId,
    /// Spent by joining.
    pub code: [u8; 16],
}

impl std::fmt::Debug for MemberLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemberLink")
            .field("url", &self.url)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

const MEMBER_LINK: &str = "tessera:member/1#";
/// Characters of a link: an address of 255 bytes and 48 more, in base64url.
const LINK_CHARS_MAX: usize = MEMBER_LINK.len() + 406;

impl MemberLink {
    /// Reads a link.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LINK_CHARS_MAX {
            return None;
        }
        let bytes = base64::url_decode(text.strip_prefix(MEMBER_LINK)?).ok()?;
        let (&url_len, rest) = bytes.split_first()?;
        let (url, rest) = rest.split_at_checked(usize::from(url_len))?;
        let (network, code) = rest.split_first_chunk::<32>()?;
        let url = std::str::from_utf8(url).ok()?;
        let plain = (url.starts_with("https://") || url.starts_with("http://"))
            && url.chars().all(|c| c.is_ascii_graphic());
        plain.then_some(())?;
        Some(Self { url: url.to_owned(), network: NetworkId(*network), code: code.try_into().ok()? })
    }

    /// The link; `None` if the address is longer than 255 bytes.
    pub fn encode(&self) -> Option<String> {
        let url_len = u8::try_from(self.url.len()).ok()?;
        let bytes = [&[url_len][..], self.url.as_bytes(), &self.network.0, &self.code].concat();
        Some(format!("{MEMBER_LINK}{}", base64::url_encode(&bytes)))
    }
}
