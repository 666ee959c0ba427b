//! What only this session's wallet may know, all of it from one seed.

use crypto::base64;
use crypto::hash;
use crypto::secret::Secret;

/// Bytes of a seed.
pub(crate) const SEED_BYTES: usize = 32;
/// Bytes of `state` (OpenID4VP 1.0, 5.3 wants it unguessable).
const STATE_BYTES: usize = 16;

/// Bytes that tell a cookie's name from another's.
const COOKIE_NAME_BYTES: usize = 9;

/// The session's texts. No `Debug`: whoever has them can answer in the wallet's place.
pub(crate) struct Secrets {
    /// 32 bytes; binds key bindings to the session.
    pub(crate) nonce: String,
    /// 16 bytes; binds the answer to the session.
    pub(crate) state: String,
    /// Last segment of `request_uri`.
    pub(crate) request: String,
    /// Last segment of `response_uri`.
    pub(crate) response: String,
    /// Segment of the page on the same device.
    pub(crate) page: String,
}

impl Secrets {
    /// The texts of `seed`; none tells of another.
    pub(crate) fn of(seed: &Secret<[u8; SEED_BYTES]>) -> Self {
        let draw = |label: &[u8]| hash::hmac_sha256(seed.expose(), &[b"tessera/vp/1/", label]);
        Self {
            nonce: base64::url_encode(&draw(b"nonce")),
            state: base64::url_encode(&draw(b"state")[..STATE_BYTES]),
            request: base64::url_encode(&draw(b"request")),
            response: base64::url_encode(&draw(b"response")),
            page: base64::url_encode(&draw(b"page")),
        }
    }
}

/// What a browser that opened the page of this secret keeps in a cookie: whoever was only sent the way back has it not.
pub(crate) fn browser_mark(page_secret: &str) -> String {
    base64::url_encode(&hash::hmac_sha256(page_secret.as_bytes(), &[b"tessera/vp/1/browser"]))
}

/// Tells the cookie of one session from another's in the same browser.
pub(crate) fn browser_name(page_secret: &str) -> String {
    base64::url_encode(
        &hash::hmac_sha256(page_secret.as_bytes(), &[b"tessera/vp/1/name"])[..COOKIE_NAME_BYTES],
    )
}

/// By what a secret of a path is found.
pub(crate) fn path_sha256(secret: &str) -> [u8; 32] {
    hash::sha256(secret.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_a_seed_are_distinct_and_always_the_same() {
        let seed = Secret::new([7; SEED_BYTES]);
        let (one, again) = (Secrets::of(&seed), Secrets::of(&seed));
        assert_eq!(
            (&one.nonce, &one.state, &one.request, &one.response),
            (&again.nonce, &again.state, &again.request, &again.response)
        );
        assert_ne!(browser_mark(&one.page), browser_mark(&one.request));
        let mut all = [browser_mark(&one.page), one.nonce, one.request, one.response, one.state, one.page];
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1] && !pair[1].starts_with(&pair[0])));
        assert_ne!(Secrets::of(&Secret::new([8; SEED_BYTES])).nonce, again.nonce);
    }
}
