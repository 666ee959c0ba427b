//! What a wallet's machine asks its app to send, and what the app brings back.
//!
//! The app follows no redirect, sends no cookie, and bounds what it reads by [`Errand::answer_bytes_max`].

use crate::wire;
use crypto::secret::Secret;
use std::fmt;

/// Most bytes of an error answer that is looked at.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of an error code that is shown.
const CODE_BYTES_MAX: usize = 64;

/// One exchange with a peer. `Debug` shows neither body nor token.
pub struct Errand {
    /// How it is sent.
    pub method: Method,
    /// Absolute address, checked already.
    pub url: String,
    /// `Accept`.
    pub accept: &'static str,
    /// `Authorization: Bearer …`, if any.
    pub bearer: Option<Secret<String>>,
    /// A header that proves who sends it, by its name: `Seal-Proof`, `DPoP`.
    pub proof: Option<(&'static str, String)>,
    /// Of a POST or PUT: `Content-Type` and body.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// Most bytes of the answer's body that may be read.
    pub answer_bytes_max: usize,
}

/// How an errand is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

/// What came back.
#[derive(Clone, Copy)]
pub struct Answered<'a> {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

/// The peer did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the peer answered {status} {code}")]
pub struct PeerRefusal {
    /// HTTP status.
    pub status: u16,
    /// The `error` of its answer, where that is a code of lower-case letters and `_`; else `unnamed`.
    pub code: String,
}

impl Errand {
    /// GET.
    #[must_use]
    pub fn get(url: &str, accept: &'static str, answer_bytes_max: usize) -> Errand {
        Errand {
            method: Method::Get,
            url: url.to_owned(),
            accept,
            bearer: None,
            proof: None,
            body: None,
            answer_bytes_max,
        }
    }

    /// POST of a form that is answered in JSON.
    #[must_use]
    pub fn post_form(url: &str, body: String, answer_bytes_max: usize) -> Errand {
        Errand::post(url, "application/x-www-form-urlencoded", body.into_bytes(), answer_bytes_max)
    }

    /// POST that is answered in JSON.
    #[must_use]
    pub fn post(url: &str, content_type: &'static str, body: Vec<u8>, answer_bytes_max: usize) -> Errand {
        Errand {
            method: Method::Post,
            body: Some((content_type, body)),
            ..Errand::get(url, "application/json", answer_bytes_max)
        }
    }

    /// POST without a body that is answered in JSON.
    #[must_use]
    pub fn post_empty(url: &str, answer_bytes_max: usize) -> Errand {
        Errand { method: Method::Post, ..Errand::get(url, "application/json", answer_bytes_max) }
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_bearer(self, token: &Secret<String>) -> Errand {
        Errand { bearer: Some(Secret::new(token.expose().clone())), ..self }
    }

    /// The same with a header that proves who sends it.
    #[must_use]
    pub fn with_proof(self, name: &'static str, proof: String) -> Errand {
        Errand { proof: Some((name, proof)), ..self }
    }
}

impl<'a> Answered<'a> {
    /// The body of a 200.
    ///
    /// # Errors
    /// [`PeerRefusal`] for any other status.
    pub fn ok(self) -> Result<&'a [u8], PeerRefusal> {
        if self.status == 200 { Ok(self.body) } else { Err(self.refusal()) }
    }

    fn refusal(self) -> PeerRefusal {
        let said = wire::json(self.body, REFUSAL_BYTES_MAX).ok();
        let code = said.as_ref().and_then(|body| wire::text(body.get("error"), CODE_BYTES_MAX));
        // A code is shown to people: nothing but the letters of real codes gets through.
        let plain = |code: &&str| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let code = code.filter(plain).unwrap_or("unnamed").to_owned();
        PeerRefusal { status: self.status, code }
    }
}

impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errand").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_a_code_and_never_free_text_of_the_peer() {
        let of = |body: &str| Answered { status: 400, body: body.as_bytes() }.ok().unwrap_err().code;
        assert_eq!(of(r#"{"error":"invalid_grant","error_description":"x"}"#), "invalid_grant");
        for body in [r#"{"error":"\u001b[31m"}"#, r#"{"error":7}"#, "<html>", ""] {
            assert_eq!(of(body), "unnamed", "{body}");
        }
    }

    #[test]
    fn neither_token_nor_body_is_in_debug_output() {
        let errand = Errand::post_form("https://a/canary", "canary".to_owned(), 1)
            .with_bearer(&Secret::new("canary".to_owned()));
        assert!(!format!("{errand:?}").contains("canary"));
    }
}
