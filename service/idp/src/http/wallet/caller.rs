//! Who calls at a wallet's door: a DeviceKey that signed this very request, and the reply that it is given.

use super::super::refusal;
use crate::Idp;
use crate::enrolment::{Enrolment, State as EnrolmentState};
use crate::page;
use crate::provision::REPLY_USE;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use custody::KeyRef;
use edge::{Call, Problem, Raw};
use seal::code::proof::{self, SealProof};
use seal::code::reply;
use serde_json::{Map, Value};

/// Carries a wallet's proof of each request.
const SEAL_PROOF: HeaderName = HeaderName::from_static("seal-proof");
/// What a signed reply is.
pub(super) const REPLY_MEDIA_TYPE: &str = "application/jwt";

/// A request that an enrolled device signed.
pub(in crate::http) struct Device {
    pub(in crate::http) call: Call,
    pub(in crate::http) enrolment: Enrolment,
    pub(in crate::http) proof: SealProof,
    pub(super) body: Bytes,
}

impl FromRequest<Idp> for Device {
    type Rejection = Problem;

    async fn from_request(request: Request, idp: &Idp) -> Result<Self, Problem> {
        let (call, signed) = signed(request, idp).await?;
        let invalid = || Problem::of(&page::PROOF_INVALID);
        let unchecked = SealProof::parse(&signed.proof).map_err(|_| invalid())?;
        let id = unchecked.kid().ok_or_else(invalid)?.to_owned();
        let enrolment = idp.enrolment(&call.ctx, &id).await?.ok_or_else(invalid)?;
        let proof =
            unchecked.verify(&enrolment.dk, &signed.request(), call.ctx.now).map_err(|_| invalid())?;
        may_act(&enrolment, call.ctx.now_ms())?;
        Ok(Self { call, enrolment, proof, body: signed.body })
    }
}

/// A request that a DeviceKey signed which is not enrolled yet.
pub(super) struct Newcomer {
    pub(super) call: Call,
    pub(super) proof: SealProof,
    pub(super) body: Bytes,
}

impl FromRequest<Idp> for Newcomer {
    type Rejection = Problem;

    async fn from_request(request: Request, idp: &Idp) -> Result<Self, Problem> {
        let (call, signed) = signed(request, idp).await?;
        let unchecked = SealProof::parse(&signed.proof);
        let proof = unchecked.and_then(|it| it.verify_embedded(&signed.request(), call.ctx.now));
        let proof = proof.map_err(|_| Problem::of(&page::PROOF_INVALID))?;
        Ok(Self { call, proof, body: signed.body })
    }
}

/// A request with the header of its proof, whole.
struct SignedRequest {
    method: String,
    url: String,
    proof: String,
    body: Bytes,
}

impl SignedRequest {
    fn request(&self) -> proof::Request<'_> {
        proof::Request { method: &self.method, url: &self.url, body: &self.body }
    }
}

async fn signed(request: Request, idp: &Idp) -> Result<(Call, SignedRequest), Problem> {
    let (mut parts, body) = request.into_parts();
    let call = Call::from_request_parts(&mut parts, idp).await?;
    let proof = one_header(&parts.headers).ok_or_else(|| Problem::of(&page::PROOF_INVALID))?;
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let body = if parts.headers.contains_key(header::CONTENT_TYPE) {
        Raw::from_request(Request::from_parts(parts, body), idp).await?.bytes
    } else {
        Bytes::new()
    };
    let url = format!("{}{path}", idp.config().public_url);
    Ok((call, SignedRequest { method, url, proof, body }))
}

fn one_header(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(SEAL_PROOF).iter();
    let value = all.next()?.to_str().ok()?.to_owned();
    all.next().is_none().then_some(value)
}

fn may_act(enrolment: &Enrolment, now_ms: i64) -> Result<(), Problem> {
    match enrolment.state {
        EnrolmentState::Active if now_ms < enrolment.expires_at_ms => Ok(()),
        EnrolmentState::Active | EnrolmentState::Revoked => Err(Problem::of(&page::ENROLMENT_REVOKED)),
        EnrolmentState::Locked => Err(Problem::of(&page::ENROLMENT_LOCKED)),
        EnrolmentState::Waiting => Err(Problem::of(&page::ENROLMENT_WAITING)),
    }
}

/// A reply, signed by the key that the wallet pinned.
pub(super) async fn replied(
    idp: &Idp,
    call: &Call,
    (enrolment, proof): (&str, &SealProof),
    (status, content): (StatusCode, Value),
) -> Result<Response, Problem> {
    let issuer = idp.config().issuer(call.tenant_name());
    let to = reply::Expected { issuer: &issuer, enrolment, jti: &proof.jti, now: call.ctx.now };
    let content = content.as_object().cloned().unwrap_or_else(Map::new);
    let draft = reply::draft(content, &to);
    let signed =
        idp.custody.sign_jws(&call.ctx, KeyRef::Use(REPLY_USE), draft).await.map_err(refusal::sign)?;
    Ok((status, [(header::CONTENT_TYPE, REPLY_MEDIA_TYPE)], signed.compact).into_response())
}
