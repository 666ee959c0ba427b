//! What a wallet does with a sign-in: claims it, looks at it, asks for time, answers it.

use super::super::refusal;
use super::caller::{REPLY_MEDIA_TYPE, replied};
use super::{DEVICE_PROBLEMS, Device};
use crate::claim::Claim;
use crate::signin::AssertionState;
use crate::{Idp, page};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use crypto::base64;
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use edge::{Door, Doors, Path, Problem, Who, strict};
use schemars::JsonSchema;
use seal::code::Sid;
use seal::code::answer::BODY_BYTES_MAX;
use seal::code::claim::SERVICE_JWT_BYTES_MAX;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) fn doors() -> Doors<Idp> {
    let at = |door: Door| door.who(Who::Tenant).problems(DEVICE_PROBLEMS).cors();
    Doors::new()
        .door(
            at(Door::post("/t/{tenant}/seal/sessions/{sid}/claim"))
                .operation("claimSignin")
                .summary("Claims a sign-in: the first device has it")
                .body::<EmptyForm>(1 << 10)
                .answer_of(200, REPLY_MEDIA_TYPE, "everything that both sides hash, signed")
                .problems(&[&page::ALREADY_CLAIMED, &page::RATE_LIMITED]),
            claim,
        )
        .door(
            at(Door::get("/t/{tenant}/seal/sessions/{sid}"))
                .operation("showClaimedSignin")
                .summary("Where a claimed sign-in stands")
                .answer_of(200, REPLY_MEDIA_TYPE, "its state, signed"),
            show_session,
        )
        .door(
            at(Door::post("/t/{tenant}/seal/sessions/{sid}/renew"))
                .operation("renewClaimedSignin")
                .summary("Asks for more time; nobody starts again")
                .answer_of(200, REPLY_MEDIA_TYPE, "the new end, signed"),
            renew,
        )
        .door(
            at(Door::post("/t/{tenant}/seal/sessions/{sid}/response"))
                .operation("answerSignin")
                .summary("Takes the answer of a wallet, once")
                .body::<ResponseForm>(BODY_BYTES_MAX)
                .answer_of(200, REPLY_MEDIA_TYPE, "the outcome, signed")
                .problems(&[&page::ASSERTION_PENDING]),
            respond,
        )
}

/// Nothing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EmptyForm {}

/// An answer, for the OpenAPI document. Bytes are base64url.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the body is read by seal::code::answer; this describes it")]
struct ResponseForm {
    /// R in its canonical form.
    r: String,
    /// HMAC over R.
    tag: String,
    /// The DeviceKey's signature.
    sig: String,
    /// The sealed document; empty without one.
    doc: String,
}

async fn claim(
    State(idp): State<Idp>,
    Path((_, sid)): Path<(String, String)>,
    device: Device,
) -> Result<Response, Problem> {
    let _: EmptyForm = strict::read(&device.body, 1 << 10)?;
    let by = (&device.enrolment, &device.proof);
    let claim = idp.claim(&device.call.ctx, &read_sid(&sid)?, by).await.map_err(refusal::signin)?;
    let content = claim_content(&claim);
    replied(&idp, &device.call, (&device.enrolment.id, &device.proof), (StatusCode::OK, content)).await
}

fn claim_content(claim: &Claim) -> Value {
    let seal = claim.party.service_seal.as_deref().unwrap_or_default();
    json!({
        "sid": claim.loaded.sid().to_string(), "ctx": claim.loaded.context.to_value(),
        "E": base64::url_encode(&claim.loaded.row.point), "kid_s": claim.loaded.row.kid_s,
        "service_seal": base64::url_encode(seal),
        "service_proof": service_proof(claim),
        "browser": claim.hint, "assertion": assertion(claim.assertion),
        "purpose": claim.party.metadata.purpose_text(),
    })
}

/// What the relying party signed, with the key that did, whose thumbprint stands in its seal.
fn service_proof(claim: &Claim) -> Value {
    let jwt = claim.proof.proof_jwt.clone().unwrap_or_default();
    let limits = Limits { bytes_max: SERVICE_JWT_BYTES_MAX, depth_max: 8 };
    let signed = Jws::parse(&jwt, &limits).ok();
    let signer = |jws: &Jws| claim.party.jwks().into_iter().find(|jwk| jws.verify_jwk(jwk).is_ok());
    let mut proof = json!({ "kind": claim.proof.proof_kind, "jwt": jwt });
    if let Some(jwk) = signed.as_ref().and_then(signer) {
        proof["jwk"] = jwk.to_value();
    }
    proof
}

async fn show_session(
    State(idp): State<Idp>,
    Path((_, sid)): Path<(String, String)>,
    device: Device,
) -> Result<Response, Problem> {
    let found = idp.claimed_state(&device.call.ctx, &read_sid(&sid)?, &device.enrolment).await;
    let (state, asserted) = found.map_err(refusal::signin)?;
    let content = json!({ "state": state, "assertion": assertion(asserted) });
    replied(&idp, &device.call, (&device.enrolment.id, &device.proof), (StatusCode::OK, content)).await
}

async fn renew(
    State(idp): State<Idp>,
    Path((_, sid)): Path<(String, String)>,
    device: Device,
) -> Result<Response, Problem> {
    let by = (&device.enrolment, &device.proof);
    let until = idp.renew_claimed(&device.call.ctx, &read_sid(&sid)?, by).await.map_err(refusal::signin)?;
    let content = json!({ "expires_at": until.to_string() });
    replied(&idp, &device.call, (&device.enrolment.id, &device.proof), (StatusCode::OK, content)).await
}

async fn respond(
    State(idp): State<Idp>,
    Path((_, sid)): Path<(String, String)>,
    device: Device,
) -> Result<Response, Problem> {
    let by = (&device.enrolment, &device.proof);
    let answered = idp.answer(&device.call.ctx, &read_sid(&sid)?, by, &device.body).await;
    let outcome = answered.map_err(refusal::signin)?;
    let content = json!({ "outcome": outcome.outcome, "reason": outcome.reason });
    replied(&idp, &device.call, (&device.enrolment.id, &device.proof), (StatusCode::OK, content)).await
}

fn read_sid(text: &str) -> Result<Sid, Problem> {
    Sid::parse(text).map_err(|_| Problem::of(&page::UNKNOWN_SESSION))
}

const fn assertion(state: AssertionState) -> &'static str {
    match state {
        AssertionState::None => "none",
        AssertionState::Required => "required",
        AssertionState::Done => "done",
    }
}
