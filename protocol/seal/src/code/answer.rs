//! The answer of a wallet: built on its side, opened and judged on the server's.
//!
//! ```text
//!   wallet: Answering ── answer ──▶ Answer { r, tag, sig, doc }
//!   server: Answer::parse ─▶ Unverified<Answer> ── open(session, now) ─▶ Opened { response, document }
//!             (the service verifies the document: signature, anchor, status, dates)
//!           Opened ── decide(shown, policy) ─▶ Verdict
//!   browser mode: open_browser(r, …) ─▶ Opened, after the service has verified the assertion over its challenge
//! ```
//!
//! The order of the checks is fixed and the first fault is the answer: R canonical; t0, sid, binding; iat; tag; code; signature;
//! document opens; (document itself); its commitment; granted within asked; face; acr.

use crypto::base64;
use crypto::hash;
use crypto::key::{PrivateKey, PublicKey, SignAlg, SignError};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::{Acr, Context, Sid, T0};
use super::document::{Document, SEALED_BYTES_MAX};
use super::keys::KeySchedule;
use super::response::{
    Decision, DenyReason, FaceMatch, FaceVerdict, Liveness, RESPONSE_BYTES_MAX, Response, message,
};
use crate::Unverified;
use crate::scope::{Scope, Scopes};
use crate::wire::{Members, WireError, object};

/// Most bytes of a request body at a wallet door.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Seconds that a wallet's clock may be ahead of ours.
pub const CLOCK_AHEAD_S: i64 = 10;

/// An answer as it came.
#[derive(Clone)]
pub struct Answer {
    /// R, as received.
    pub r: Vec<u8>,
    /// HMAC over R.
    pub tag: [u8; 32],
    /// Signature of the DeviceKey, `r ‖ s`.
    pub sig: [u8; 64],
    /// The sealed document; empty without one.
    pub doc: Vec<u8>,
}

impl Answer {
    /// Reads the body of `POST …/response`: `{r, tag, sig, doc}`, each in base64url.
    ///
    /// # Errors
    /// [`WireError`]: answered 400, and nothing changes.
    pub fn parse(body: &[u8]) -> Result<Unverified<Answer>, WireError> {
        let mut members = Members::new(object(body, BODY_BYTES_MAX)?);
        let answer = Answer {
            r: members.bytes("r", RESPONSE_BYTES_MAX)?,
            tag: members.array("tag")?,
            sig: members.array("sig")?,
            doc: members.bytes("doc", SEALED_BYTES_MAX)?,
        };
        members.done()?;
        Ok(Unverified::new(answer))
    }

    /// The body that [`Answer::parse`] reads.
    pub fn to_value(&self) -> Value {
        let text = |bytes: &[u8]| base64::url_encode(bytes);
        json!({"r": text(&self.r), "tag": text(&self.tag), "sig": text(&self.sig), "doc": text(&self.doc)})
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer(…)")
    }
}

/// What the server holds of the session that is answered.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// The context.
    pub context: &'a Context,
    /// The session.
    pub sid: &'a Sid,
    /// Its T0.
    pub t0: &'a T0,
    /// The id of the enrolment that claimed it.
    pub binding: &'a str,
    /// The DeviceKey of that enrolment.
    pub device_key: &'a PublicKey,
    /// The session's keys, derived anew.
    pub keys: &'a KeySchedule,
}

/// Why an answer fails. Every one of them ends the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// R is not the canonical form of what it says.
    #[error("response-not-canonical")]
    NotCanonical,
    /// R is of another session or another context.
    #[error("response-of-another-session")]
    OtherSession,
    /// R is of another enrolment.
    #[error("response-of-another-enrolment")]
    OtherEnrolment,
    /// R was made before the session or in the future.
    #[error("response-time")]
    Time,
    /// The tag is not that of the session's keys over R.
    #[error("response-tag")]
    Tag,
    /// The wallet's code is not the session's.
    #[error("response-code")]
    Code,
    /// The signature is not the DeviceKey's, or not over this.
    #[error("response-signature")]
    Signature,
    /// The document is not the one in R, or does not open.
    #[error("document-sealed")]
    DocumentSealed,
    /// A document is needed for what was granted and is not there.
    #[error("document-missing")]
    DocumentMissing,
    /// The document is malformed or its signature does not verify.
    #[error("document-invalid")]
    DocumentInvalid,
    /// The document's signer leads to no anchor.
    #[error("document-untrusted")]
    DocumentUntrusted,
    /// The document was revoked, or its status cannot be learnt.
    #[error("document-revoked")]
    DocumentRevoked,
    /// The document is outside its dates.
    #[error("document-expired")]
    DocumentExpired,
    /// The document is not the one of the enrolment.
    #[error("document-mismatch")]
    DocumentMismatch,
    /// Something was granted or denied that was not asked for, or both at once.
    #[error("scope-not-asked")]
    Scope,
    /// The face does not satisfy the policy.
    #[error("face")]
    Face,
    /// The sign-in is less sure than was asked for.
    #[error("unmet-acr")]
    Acr,
}

/// An answer whose form, keys and signature hold.
#[derive(Debug)]
pub struct Opened {
    response: Response,
    r: Vec<u8>,
    document: Option<Document>,
    browser_mode: bool,
}

impl Unverified<Answer> {
    /// Checks everything that needs the session alone: up to and including that the document opens.
    ///
    /// # Errors
    /// [`Failure`], the first in the order of the module's head.
    pub fn open(self, session: &Session<'_>, now: Timestamp) -> Result<Opened, Failure> {
        let answer = self.into_inner();
        let response = read(&answer.r, session.context, session.sid, session.t0, session.binding, now)?;
        let tag = session.keys.response_tag(&answer.r);
        if !hash::equal(&tag, &answer.tag) {
            return Err(Failure::Tag);
        }
        let no_code = response.usr_otp.is_empty() && response.decision != Decision::Approve;
        if !no_code && !session.keys.user_code().matches(&response.usr_otp) {
            return Err(Failure::Code);
        }
        let signed = message(session.t0, &answer.r, &answer.tag);
        session.device_key.verify(SignAlg::Es256, &signed, &answer.sig).map_err(|_| Failure::Signature)?;
        let document = match (&response.doc, answer.doc.as_slice()) {
            (None, []) => None,
            (Some(stated), sealed) if hash::equal(stated, &hash::sha256(sealed)) => {
                let document = Document::open(sealed, session.keys, session.t0);
                Some(document.ok_or(Failure::DocumentSealed)?)
            }
            _ => return Err(Failure::DocumentSealed),
        };
        Ok(Opened { response, r: answer.r, document, browser_mode: false })
    }
}

/// The challenge of the assertion in browser mode: `H(M)` with an empty tag.
pub fn browser_challenge(t0: &T0, r: &[u8]) -> [u8; 32] {
    hash::sha256(&message(t0, r, &[]))
}

/// Opens an answer of browser mode. The caller has verified the assertion over [`browser_challenge`] of these very bytes.
///
/// # Errors
/// [`Failure`]; beyond those of a wallet's answer, members that need an agreement key must be empty, and only `openid`,
/// `offline_access` and `identity:trust_level` can be granted.
pub fn open_browser(
    r: &[u8],
    context: &Context,
    sid: &Sid,
    t0: &T0,
    now: Timestamp,
) -> Result<Opened, Failure> {
    let response = read(r, context, sid, t0, "", now)?;
    if !response.usr_otp.is_empty() {
        return Err(Failure::Code);
    }
    if response.doc.is_some() {
        return Err(Failure::DocumentSealed);
    }
    if response.face != FaceVerdict::none() {
        return Err(Failure::Face);
    }
    if !response.granted.is_subset(&browser_scopes()) {
        return Err(Failure::Scope);
    }
    Ok(Opened { response, r: r.to_vec(), document: None, browser_mode: true })
}

/// The most that can be granted in browser mode, where no document can be shown.
pub fn browser_scopes() -> Scopes {
    Scopes::from_iter([Scope::Openid, Scope::OfflineAccess, Scope::TrustLevel])
}

fn read(
    r: &[u8],
    context: &Context,
    sid: &Sid,
    t0: &T0,
    binding: &str,
    now: Timestamp,
) -> Result<Response, Failure> {
    let response = Response::parse(r).map_err(|_| Failure::NotCanonical)?;
    if response.sid != *sid || !hash::equal(response.t0.as_bytes(), t0.as_bytes()) {
        return Err(Failure::OtherSession);
    }
    if response.binding != binding {
        return Err(Failure::OtherEnrolment);
    }
    let moments = context.issued_at_s..=now.as_second().saturating_add(CLOCK_AHEAD_S);
    if !moments.contains(&response.issued_at_s) {
        return Err(Failure::Time);
    }
    Ok(response)
}

/// What must be known, beside the answer, to judge it.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// What was asked for: `ctx.scopes`.
    pub asked: &'a Scopes,
    /// The commitment of the document that the enrolment was made with; none for an enrolment without one.
    pub commitment: Option<&'a [u8; 32]>,
    /// What is demanded of the face.
    pub face: FacePolicy,
    /// The least class asked for.
    pub asked_acr: Acr,
    /// The class that this sign-in reaches.
    pub reached_acr: Acr,
}

/// What is demanded of the face of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FacePolicy {
    /// Nothing; but what is stated must not say that it is another face or no living one.
    Optional,
    /// A match of a living face.
    Required,
}

/// A document that the service has found good: signature, anchor, status, dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// [`crate::anchor::commitment`] of what it names.
    pub commitment: [u8; 32],
}

/// The end of an answer that holds.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one stands on the stack of a request, for a moment")]
pub enum Verdict {
    /// Signed in.
    Approved(Approved),
    /// The person refused, and signed that.
    Denied(DenyReason),
}

/// An approval that holds. Only [`Opened::decide`] makes one.
#[derive(Debug)]
pub struct Approved {
    /// R.
    pub response: Response,
    /// R as it was received: kept with the tag and the signature for the person and the auditor.
    pub r: Vec<u8>,
    /// What the person agreed to; with `openid`, which has no switch, if it was asked for.
    pub granted: Scopes,
    /// Everything asked for that was not granted.
    pub denied: Scopes,
    /// The class of the sign-in.
    pub acr: Acr,
}

impl Opened {
    /// What was decided.
    pub fn decision(&self) -> Decision {
        self.response.decision
    }

    /// What was granted, as R says it.
    pub fn granted(&self) -> &Scopes {
        &self.response.granted
    }

    /// The document that was shown, to be verified.
    pub fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// Judges the rest; `shown` is what the service found of [`Opened::document`].
    ///
    /// # Errors
    /// [`Failure`], the first in the order of the module's head.
    pub fn decide(
        self,
        shown: Option<Result<Shown, Failure>>,
        policy: &Policy<'_>,
    ) -> Result<Verdict, Failure> {
        if let Decision::Deny(reason) = self.response.decision {
            return Ok(Verdict::Denied(reason));
        }
        let shown = shown.transpose()?;
        if self.document.is_some() != shown.is_some() {
            return Err(Failure::DocumentMissing);
        }
        if let Some(shown) = shown
            && !policy.commitment.is_some_and(|kept| hash::equal(kept, &shown.commitment))
        {
            return Err(Failure::DocumentMismatch);
        }
        let (granted, denied) = (&self.response.granted, &self.response.denied);
        if !granted.is_subset(policy.asked) || !denied.is_subset(policy.asked) || !granted.is_disjoint(denied)
        {
            return Err(Failure::Scope);
        }
        if shown.is_none() && granted.iter().any(Scope::needs_document) {
            return Err(Failure::DocumentMissing);
        }
        if !self.browser_mode && !face_holds(&self.response.face, policy.face) {
            return Err(Failure::Face);
        }
        if !policy.reached_acr.meets(policy.asked_acr) {
            return Err(Failure::Acr);
        }
        let mut granted = granted.clone();
        if policy.asked.contains(Scope::Openid) {
            granted = granted.union(&Scopes::from_iter([Scope::Openid]));
        }
        let denied = policy.asked.without(&granted);
        Ok(Verdict::Approved(Approved {
            response: self.response,
            r: self.r,
            granted,
            denied,
            acr: policy.reached_acr,
        }))
    }
}

fn face_holds(face: &FaceVerdict, policy: FacePolicy) -> bool {
    match policy {
        FacePolicy::Optional => face.verdict != FaceMatch::NoMatch && face.pad != Liveness::Fail,
        FacePolicy::Required => face.verdict == FaceMatch::Match && face.pad == Liveness::Pass,
    }
}

/// Opens and judges in one go, where the document can be verified without waiting.
///
/// # Errors
/// [`Failure`].
pub fn check(
    answer: Unverified<Answer>,
    session: &Session<'_>,
    verify: impl FnOnce(&Document) -> Result<Shown, Failure>,
    policy: &Policy<'_>,
    now: Timestamp,
) -> Result<Verdict, Failure> {
    let opened = answer.open(session, now)?;
    let shown = opened.document().map(verify);
    opened.decide(shown, policy)
}

/// What the wallet answers with.
#[derive(Debug)]
pub struct Answering<'a> {
    /// The session.
    pub sid: Sid,
    /// Its T0, computed from the claim reply.
    pub t0: T0,
    /// Its own enrolment.
    pub binding: &'a str,
    /// Its keys of the session.
    pub keys: &'a KeySchedule,
    /// What the person decided.
    pub decision: Decision,
    /// What the person agreed to.
    pub granted: Scopes,
    /// What the person did not agree to.
    pub denied: Scopes,
    /// The consent text exactly as it was shown.
    pub consent_text: &'a str,
    /// What its models say of a face.
    pub face: FaceVerdict,
    /// The document, if one is shown.
    pub document: Option<&'a Document>,
    /// Now.
    pub now: Timestamp,
}

/// Why a wallet cannot answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Something is too long or not in NFC.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The DeviceKey did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// R, tag, signature and sealed document.
///
/// # Errors
/// [`AnswerError`].
pub fn answer(answering: &Answering<'_>, device_key: &PrivateKey) -> Result<Answer, AnswerError> {
    let sealed = match answering.document {
        Some(document) => document.seal(answering.keys, &answering.t0)?,
        None => Vec::new(),
    };
    let response = Response {
        sid: answering.sid,
        t0: answering.t0,
        binding: answering.binding.to_owned(),
        decision: answering.decision,
        granted: answering.granted.clone(),
        denied: answering.denied.clone(),
        consent_text: hash::sha256(answering.consent_text.as_bytes()),
        face: answering.face.clone(),
        usr_otp: answering.keys.user_code().expose().to_owned(),
        doc: (!sealed.is_empty()).then(|| hash::sha256(&sealed)),
        issued_at_s: answering.now.as_second(),
    };
    let r = response.jcs()?;
    let tag = answering.keys.response_tag(&r);
    let sig = device_key.sign(SignAlg::Es256, &message(&answering.t0, &r, &tag))?;
    let sig = sig.try_into().map_err(|_| SignError::Provider)?;
    Ok(Answer { r, tag, sig, doc: sealed })
}
