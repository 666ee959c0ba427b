//! What the person decided: the response R, which the wallet authenticates and signs.

use crypto::{base64, hash};
use serde_json::{Value, json};

use super::context::{Sid, T0};
use crate::scope::Scopes;
use crate::wire::{Members, WireError, jcs, object};

/// Most bytes of R: two lists of at most eighteen scopes and fixed members.
pub const RESPONSE_BYTES_MAX: usize = 4 * 1024;
/// Longest id of an enrolment, in bytes.
const BINDING_BYTES_MAX: usize = 64;
/// Digits of a code.
const CODE_BYTES_MAX: usize = 6;

/// Why the person refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenyReason {
    /// Three codes were typed and none was the right one: the page may be a fake.
    CodeMismatch,
    /// The person did not begin this sign-in.
    NotMe,
    /// The person does not want it.
    User,
}

impl DenyReason {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            DenyReason::CodeMismatch => "code_mismatch",
            DenyReason::NotMe => "not_me",
            DenyReason::User => "user",
        }
    }
}

/// What the person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Signed in, with what was granted.
    Approve,
    /// Not signed in.
    Deny(DenyReason),
}

/// Whether a face was found to be that of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaceMatch {
    /// It is.
    Match,
    /// It is not.
    NoMatch,
    /// Nobody looked.
    None,
}

/// Whether the face was alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// It was.
    Pass,
    /// It was not.
    Fail,
    /// Nobody looked.
    None,
}

/// What the wallet says of a face: never an image, never a raw score.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FaceVerdict {
    /// Same face as in the document.
    pub verdict: FaceMatch,
    /// Presentation attack detection.
    pub pad: Liveness,
    /// Decile above the threshold, 0 to 9.
    pub bucket: u8,
    /// 32 hexadecimal digits of the hash of the models' description; empty without a verdict.
    pub model_id: String,
}

impl FaceVerdict {
    /// Nobody looked.
    pub const fn none() -> FaceVerdict {
        FaceVerdict { verdict: FaceMatch::None, pad: Liveness::None, bucket: 0, model_id: String::new() }
    }

    /// As it stands in R and in an enrolment.
    pub fn to_value(&self) -> Value {
        let verdict = match self.verdict {
            FaceMatch::Match => "match",
            FaceMatch::NoMatch => "no_match",
            FaceMatch::None => "none",
        };
        let pad = match self.pad {
            Liveness::Pass => "pass",
            Liveness::Fail => "fail",
            Liveness::None => "none",
        };
        json!({"verdict": verdict, "pad": pad, "bucket": self.bucket, "model_id": self.model_id})
    }

    /// Reads what [`FaceVerdict::to_value`] wrote.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_value(value: &Value) -> Result<FaceVerdict, WireError> {
        let bad = WireError::Member("face");
        let mut members = Members::of(value, "face")?;
        let face = FaceVerdict {
            verdict: match members.text("verdict", 16)?.as_str() {
                "match" => FaceMatch::Match,
                "no_match" => FaceMatch::NoMatch,
                "none" => FaceMatch::None,
                _ => return Err(bad),
            },
            pad: match members.text("pad", 8)?.as_str() {
                "pass" => Liveness::Pass,
                "fail" => Liveness::Fail,
                "none" => Liveness::None,
                _ => return Err(bad),
            },
            bucket: members.value("bucket")?.as_u64().and_then(|it| u8::try_from(it).ok()).ok_or(bad)?,
            model_id: members.text("model_id", 32)?,
        };
        members.done()?;
        let id_fits = if face.verdict == FaceMatch::None && face.pad == Liveness::None {
            face.model_id.is_empty()
        } else {
            face.model_id.len() == 32
                && face.model_id.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        };
        if face.bucket <= 9 && id_fits { Ok(face) } else { Err(bad) }
    }
}

/// R, read. Whether any of it holds is for [`super::answer`] to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Of which session.
    pub sid: Sid,
    /// Over which context.
    pub t0: T0,
    /// The enrolment; empty in browser mode.
    pub binding: String,
    /// What was decided.
    pub decision: Decision,
    /// What the person agreed to.
    pub granted: Scopes,
    /// What the person did not agree to.
    pub denied: Scopes,
    /// SHA-256 of the consent text as it was shown.
    pub consent_text: [u8; 32],
    /// What the wallet says of a face.
    pub face: FaceVerdict,
    /// The wallet's code; empty in browser mode.
    pub usr_otp: String,
    /// SHA-256 of the sealed document; none without one.
    pub doc: Option<[u8; 32]>,
    /// When the person decided, in seconds since 1970.
    pub issued_at_s: i64,
}

impl Response {
    /// The bytes that are hashed and signed.
    ///
    /// # Errors
    /// [`WireError::NotCanonical`] when a text is not in NFC.
    pub fn jcs(&self) -> Result<Vec<u8>, WireError> {
        let (decision, reason) = match self.decision {
            Decision::Approve => ("approve", ""),
            Decision::Deny(reason) => ("deny", reason.as_str()),
        };
        jcs(&json!({
            "v": "seal/1", "sid": self.sid.to_string(), "t0": base64::url_encode(self.t0.as_bytes()),
            "binding": self.binding, "decision": decision, "reason": reason, "granted": self.granted.to_value(),
            "denied": self.denied.to_value(), "consent_text": base64::url_encode(&self.consent_text),
            "face": self.face.to_value(), "usr_otp": self.usr_otp,
            "doc": self.doc.map(|hash| base64::url_encode(&hash)).unwrap_or_default(), "iat": self.issued_at_s,
        }))
    }

    /// Reads R; the bytes must be the ones that [`Response::jcs`] writes, so that nothing can stand in what was signed that is not
    /// also in what was read.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<Response, WireError> {
        let mut members = Members::new(object(bytes, RESPONSE_BYTES_MAX)?);
        members.exactly("v", "seal/1")?;
        let mut scopes = |name| Scopes::from_sorted(&members.value(name)?).ok_or(WireError::Member(name));
        let (granted, denied) = (scopes("granted")?, scopes("denied")?);
        let decision = members.text("decision", 8)?;
        let reason = members.text("reason", 16)?;
        let response = Response {
            sid: Sid::parse(&members.text("sid", 22)?)?,
            t0: T0::from_stored(members.array("t0")?),
            binding: members.text("binding", BINDING_BYTES_MAX)?,
            decision: read_decision(&decision, &reason)?,
            granted,
            denied,
            consent_text: members.array("consent_text")?,
            face: FaceVerdict::from_value(&members.value("face")?)?,
            usr_otp: members.text("usr_otp", CODE_BYTES_MAX)?,
            doc: match members.bytes("doc", 32)? {
                empty if empty.is_empty() => None,
                hash => Some(hash.try_into().map_err(|_| WireError::Member("doc"))?),
            },
            issued_at_s: members.seconds("iat")?,
        };
        members.done()?;
        if response.jcs()? == bytes { Ok(response) } else { Err(WireError::NotCanonical) }
    }
}

/// The code and the binding stay out of logs.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Response({}, {:?})", self.sid, self.decision)
    }
}

/// `M = frame("seal/1 resp", T0, H(JCS(R)), tag)`: what the DeviceKey signs. In browser mode the tag is empty and the challenge of
/// the assertion is `H(M)`.
pub fn message(t0: &T0, response: &[u8], tag: &[u8]) -> Vec<u8> {
    super::frame("seal/1 resp", &[t0.as_bytes(), &hash::sha256(response), tag])
}

fn read_decision(decision: &str, reason: &str) -> Result<Decision, WireError> {
    Ok(match (decision, reason) {
        ("approve", "") => Decision::Approve,
        ("deny", "code_mismatch") => Decision::Deny(DenyReason::CodeMismatch),
        ("deny", "not_me") => Decision::Deny(DenyReason::NotMe),
        ("deny", "user") => Decision::Deny(DenyReason::User),
        _ => return Err(WireError::Member("decision")),
    })
}
