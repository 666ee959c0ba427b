//! A device's own affairs: its enrolment, what its person agreed to, and the sign-ins that wait for it.

use super::super::refusal;
use super::{DEVICE_PROBLEMS, Device};
use crate::Idp;
use crate::enrolment::State as EnrolmentState;
use crate::inbox::WAIT_S_MAX;
use axum::extract::State;
use edge::problem::pages;
use edge::{Answer, Done, Door, Doors, Path, Problem, Query, Who, strict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn doors() -> Doors<Idp> {
    let at = |door: Door| door.who(Who::Tenant).problems(DEVICE_PROBLEMS).cors();
    Doors::new()
        .door(
            at(Door::get("/t/{tenant}/seal/enrolment"))
                .operation("showOwnEnrolment")
                .summary("The device's own enrolment, and devices of the same person that wait")
                .answer::<DeviceView>(200, "the enrolment"),
            show_device,
        )
        .door(
            at(Door::delete("/t/{tenant}/seal/enrolment"))
                .operation("endOwnEnrolment")
                .summary("Ends the device's own enrolment and every grant that it signed for")
                .empty(204, "it is revoked"),
            end_device,
        )
        .door(
            at(Door::post("/t/{tenant}/seal/enrolment/lock"))
                .operation("lockOwnEnrolment")
                .summary("Locks the device; an operator unlocks it")
                .empty(204, "it is locked"),
            lock_device,
        )
        .door(
            at(Door::post("/t/{tenant}/seal/enrolment/approve"))
                .operation("approveOtherEnrolment")
                .summary("Lets another device of the same person in at once")
                .body::<ApproveForm>(1 << 10)
                .empty(204, "it may sign in"),
            approve_device,
        )
        .door(
            at(Door::get("/t/{tenant}/seal/consents"))
                .operation("listOwnConsents")
                .summary("What the person agreed to, with the evidence, newest first")
                .answer::<ConsentsView>(200, "the consents"),
            list_consents,
        )
        .door(
            at(Door::delete("/t/{tenant}/seal/consents/{id}"))
                .operation("eraseOwnConsent")
                .summary("Erases the evidence of a consent")
                .empty(204, "it is erased"),
            erase_consent,
        )
        .door(
            at(Door::get("/t/{tenant}/seal/inbox"))
                .operation("readInbox")
                .summary("Sign-ins that wait for this device, by long poll")
                .query::<InboxQuery>()
                .answer::<InboxView>(200, "what waits"),
            read_inbox,
        )
}

/// Which device is approved.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ApproveForm {
    /// `enr_…`.
    enrolment: String,
}

/// How long the inbox may wait.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InboxQuery {
    /// Seconds, 0 to 25.
    #[schemars(range(max = 25))]
    wait: Option<u32>,
}

/// What waits.
#[derive(Serialize, JsonSchema)]
struct InboxView {
    sessions: Vec<WaitingView>,
}

/// A sign-in that waits.
#[derive(Serialize, JsonSchema)]
struct WaitingView {
    /// base64url.
    sid: String,
    /// What the wallet claims.
    claim_uri: String,
    /// When it ends.
    expires_at: String,
}

/// The device's own enrolment.
#[derive(Serialize, JsonSchema)]
struct DeviceView {
    /// `enr_…`.
    binding: String,
    /// `active`.
    state: &'static str,
    /// Four characters by which the person knows the device.
    device: String,
    /// `{level, anchor, device, flow}` of a sign-in by code.
    assurance: Value,
    /// When it ends.
    expires_at: String,
    /// Devices of the same person that wait: approve them, or tell an operator.
    waiting: Vec<Value>,
}

/// What a person agreed to.
#[derive(Serialize, JsonSchema)]
struct ConsentsView {
    /// `{id, relying_party, at, evidence}`.
    items: Vec<Value>,
}

async fn show_device(State(idp): State<Idp>, device: Device) -> Result<Answer<DeviceView>, Problem> {
    let own = &device.enrolment;
    let others = idp.devices(&device.call.ctx, &own.person).await?;
    let waiting = others.iter().filter(|it| it.state == EnrolmentState::Waiting).map(|it| {
        json!({
            "enrolment": it.id, "device": it.mark(), "needs_operator": it.needs_operator,
            "waits_until": it.waits_until_ms.map(|ms| crate::signin::at(ms).to_string()),
        })
    });
    Ok(Answer::ok(DeviceView {
        binding: own.id.clone(),
        state: own.state.as_str(),
        device: own.mark(),
        assurance: own.assurance(seal::code::Acr::SealCode).to_value(),
        expires_at: crate::signin::at(own.expires_at_ms).to_string(),
        waiting: waiting.collect(),
    }))
}

async fn end_device(State(idp): State<Idp>, device: Device) -> Result<Done, Problem> {
    let by = Some((&device.enrolment, &device.proof));
    let ending = crate::enrolment::Ending::UserRequest;
    let done = idp.revoke_enrolment(&device.call.ctx, &device.enrolment.id, ending, by).await;
    Ok(Done(done.map_err(refusal::enrol)?))
}

async fn lock_device(State(idp): State<Idp>, device: Device) -> Result<Done, Problem> {
    let done = idp.lock_enrolment(&device.call.ctx, &device.enrolment, &device.proof).await;
    Ok(Done(done.map_err(refusal::enrol)?))
}

async fn approve_device(State(idp): State<Idp>, device: Device) -> Result<Done, Problem> {
    let form: ApproveForm = strict::read(&device.body, 1 << 10)?;
    let by = Some((&device.enrolment, &device.proof));
    let done = idp.approve_enrolment(&device.call.ctx, &form.enrolment, by).await;
    Ok(Done(done.map_err(refusal::enrol)?.1))
}

async fn list_consents(State(idp): State<Idp>, device: Device) -> Result<Answer<ConsentsView>, Problem> {
    let found = idp.consents_of(&device.call.ctx, &device.enrolment).await?;
    let item = |consent: crate::store::result::ConsentRow| {
        let evidence: Value = serde_json::from_slice(consent.evidence.expose()).unwrap_or(Value::Null);
        json!({
            "id": consent.id, "relying_party": consent.client_id,
            "at": crate::signin::at(consent.created_at_ms).to_string(), "evidence": evidence,
        })
    };
    Ok(Answer::ok(ConsentsView { items: found.into_iter().map(item).collect() }))
}

async fn erase_consent(
    State(idp): State<Idp>,
    Path((_, id)): Path<(String, String)>,
    device: Device,
) -> Result<Done, Problem> {
    let by = (&device.enrolment, &device.proof);
    let done = idp.erase_consent(&device.call.ctx, by, &id).await;
    Ok(Done(done.map_err(|fault| refusal::signin(fault).recorded())?))
}

async fn read_inbox(
    State(idp): State<Idp>,
    Query(query): Query<InboxQuery>,
    device: Device,
) -> Result<Answer<InboxView>, Problem> {
    let wait_s = query.wait.unwrap_or(0);
    if wait_s > WAIT_S_MAX {
        return Err(Problem::of(&pages::INVALID_QUERY).at("?wait", "is 0 to 25 seconds"));
    }
    let call = &device.call;
    let wait = Duration::from_secs(wait_s.into());
    let waits = idp.inbox((&call.ctx, call.edge().clock()), &device.enrolment, wait).await?;
    let base = idp.config().base(call.tenant_name());
    let view = |it: crate::inbox::Waits| WaitingView {
        claim_uri: format!("{base}/seal/s/{}", it.sid),
        sid: it.sid.to_string(),
        expires_at: it.expires_at.to_string(),
    };
    Ok(Answer::ok(InboxView { sessions: waits.into_iter().map(view).collect() }))
}
