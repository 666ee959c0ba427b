//! Pushes of a device: on, by an offer of a relay contact; off again.

use super::super::refusal;
use super::caller::{REPLY_MEDIA_TYPE, replied};
use super::enrolling::offered;
use super::{DEVICE_PROBLEMS, Device};
use crate::Idp;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use crypto::base64;
use edge::{Done, Door, Doors, Problem, Who, strict};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Bytes of the body: an offer in base64url.
const BODY_BYTES_MAX: usize = 4 << 10;

pub(super) fn doors() -> Doors<Idp> {
    let at = |door: Door| door.who(Who::Tenant).problems(DEVICE_PROBLEMS).cors();
    Doors::new()
        .door(
            at(Door::put("/t/{tenant}/seal/enrolment/relay"))
                .operation("turnPushOn")
                .summary("Sign-ins of this device are pushed over a relay from now on")
                .body::<RelayOfferForm>(BODY_BYTES_MAX)
                .answer_of(200, REPLY_MEDIA_TYPE, "the hello to the offer, signed"),
            turn_on,
        )
        .door(
            at(Door::delete("/t/{tenant}/seal/enrolment/relay"))
                .operation("turnPushOff")
                .summary("Nothing is pushed to this device any more; its inbox goes on")
                .empty(204, "it is off"),
            turn_off,
        )
}

/// An offer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RelayOfferForm {
    /// An invite of the relay network that the metadata names, base64url.
    relay: String,
}

async fn turn_on(State(idp): State<Idp>, device: Device) -> Result<Response, Problem> {
    let form: RelayOfferForm = strict::read(&device.body, BODY_BYTES_MAX)?;
    let by = (&device.enrolment, &device.proof);
    let hello = idp.push_on(&device.call.ctx, by, &offered(&form.relay)?).await.map_err(refusal::enrol)?;
    let content = json!({ "relay": base64::url_encode(&hello) });
    replied(&idp, &device.call, (&device.enrolment.id, &device.proof), (StatusCode::OK, content)).await
}

async fn turn_off(State(idp): State<Idp>, device: Device) -> Result<Done, Problem> {
    let done = idp.push_off(&device.call.ctx, (&device.enrolment, &device.proof)).await;
    Ok(Done(done.map_err(refusal::enrol)?))
}
