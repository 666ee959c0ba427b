//! What the server answers to a wallet, signed by its pinned reply key: whoever steals a wallet's agreement key cannot play the
//! server.

use crypto::jose::jws::{Draft, Jws};
use crypto::json::Limits;
use crypto::key::{PublicKey, SignAlg};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::wire::object;

/// The `typ` of the header.
pub const TYP: &str = "seal-reply+jwt";
/// Most bytes of a reply: a claim reply holds a context, a seal and the JWT of a Relying Party.
pub const REPLY_BYTES_MAX: usize = 64 * 1024;
/// Seconds that the two clocks may differ.
pub const SKEW_S: i64 = 60;

/// What a reply must be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The pinned issuer.
    pub issuer: &'a str,
    /// Our own enrolment.
    pub enrolment: &'a str,
    /// The `jti` of the proof that it replies to.
    pub jti: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// Why a reply is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReplyFault {
    /// Not a reply in form.
    #[error("reply-malformed")]
    Form,
    /// Not signed by the pinned key.
    #[error("reply-signature")]
    Signature,
    /// Of another issuer, for another enrolment, or to another request.
    #[error("reply-not-ours")]
    NotOurs,
    /// Made long ago or in the future.
    #[error("reply-time")]
    Time,
}

/// The members that every reply has beside its content.
const FRAME: [&str; 4] = ["iss", "aud", "iat", "re"];

/// A reply to be signed by the reply key with ES256: `content` and the members of the frame.
pub fn draft(content: Map<String, Value>, to: &Expected<'_>) -> Draft {
    let mut claims = content;
    claims.insert("iss".to_owned(), to.issuer.into());
    claims.insert("aud".to_owned(), to.enrolment.into());
    claims.insert("iat".to_owned(), to.now.as_second().into());
    claims.insert("re".to_owned(), to.jti.into());
    Draft::new(TYP, Value::Object(claims).to_string()).with_alg(SignAlg::Es256)
}

/// The content of a reply that the pinned key signed for this enrolment and request.
///
/// # Errors
/// [`ReplyFault`].
pub fn verify(
    compact: &str,
    reply_key: &PublicKey,
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, ReplyFault> {
    let limits = Limits { bytes_max: REPLY_BYTES_MAX, depth_max: 8 };
    let jws = Jws::parse(compact, &limits).map_err(|_| ReplyFault::Form)?;
    if jws.typ() != Some(TYP) || jws.alg() != SignAlg::Es256 {
        return Err(ReplyFault::Form);
    }
    jws.verify(reply_key).map_err(|_| ReplyFault::Signature)?;
    let mut claims = object(jws.payload(), REPLY_BYTES_MAX).map_err(|_| ReplyFault::Form)?;
    let [issuer, audience, issued_at, re] = FRAME.map(|name| claims.shift_remove(name));
    let says = |value: Option<Value>, wanted: &str| value.as_ref().and_then(Value::as_str) == Some(wanted);
    if !says(issuer, expected.issuer) || !says(audience, expected.enrolment) || !says(re, expected.jti) {
        return Err(ReplyFault::NotOurs);
    }
    let issued_at = issued_at.and_then(|value| value.as_i64()).ok_or(ReplyFault::Form)?;
    if issued_at.abs_diff(expected.now.as_second()) > SKEW_S.unsigned_abs() {
        return Err(ReplyFault::Time);
    }
    Ok(claims)
}
