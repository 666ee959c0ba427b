//! `/console/enrolments`: devices of people, without the people.

use super::frame::{Frame, may, next, shown, step_up, time};
use super::sign_in::{STEP_UP, TokenForm};
use crate::house::House;
use askama::Template;
use axum::extract::State;
use axum::response::{Html, Redirect};
use edge::cursor::{self, PageQuery};
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::problem::pages;
use edge::{Call, Door, Doors, Form, Path, Permission, Problem, Query, Who};
use idp::enrolment::{Ending, Enrolment, State as Standing};
use idp::http::refusal;
use idp::page::OUT_OF_TURN;
use seal::code::Acr;
use serde::Deserialize;
use tenancy::After;

const PATH: &str = "/console/enrolments";
const READ: Who = Who::Operator(Permission::EnrolmentsRead);
const ADMIN: Who = Who::Operator(Permission::EnrolmentsAdmin);

/// The states in words and as the filter says them; empty: all.
const STATES: [(&str, &str); 5] = [
    ("", "every state"),
    ("waiting", "waiting"),
    ("active", "active"),
    ("locked", "locked"),
    ("revoked", "revoked"),
];

pub fn doors() -> Doors<House> {
    Doors::new()
        .door(
            Door::get("/console/enrolments")
                .operation("showEnrolments")
                .summary("Devices that may sign people in, and those that wait")
                .who(READ)
                .query::<EnrolmentQuery>()
                .answer_of(200, "text/html", "the page"),
            list,
        )
        .door(
            Door::get("/console/enrolments/{id}")
                .operation("showEnrolmentPage")
                .summary("One device, and what may be done with it")
                .who(READ)
                .answer_of(200, "text/html", "the page")
                .problems(&[&pages::NOT_FOUND]),
            one,
        )
        .door(
            Door::post("/console/enrolments/{id}/approve")
                .operation("approveEnrolmentByPage")
                .summary("Lets a waiting device in, or unlocks one")
                .who(ADMIN)
                .form::<TokenForm>(SMALL_BODY_BYTES_MAX)
                .empty(303, "to the device")
                .problems(&[&pages::NOT_FOUND, &OUT_OF_TURN]),
            approve,
        )
        .door(
            Door::post("/console/enrolments/{id}/revoke")
                .operation("revokeEnrolmentByPage")
                .summary("Ends a device for ever")
                .who(ADMIN)
                .form::<RevokeForm>(SMALL_BODY_BYTES_MAX)
                .empty(303, "to the device")
                .problems(&[&pages::NOT_FOUND, &pages::INVALID, &OUT_OF_TURN, &STEP_UP]),
            revoke,
        )
}

/// Which devices.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct EnrolmentQuery {
    limit: Option<u32>,
    after: Option<String>,
    state: Option<String>,
}

/// Why a device ends.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by name; this describes it")]
struct RevokeForm {
    form_token: String,
    reason: String,
}

#[derive(Template)]
#[template(path = "console/enrolments.html")]
struct EnrolmentsPage {
    frame: Frame,
    states: Vec<Choice>,
    devices: Vec<DeviceLine>,
    next: Option<String>,
}

/// A line of the filter.
struct Choice {
    value: &'static str,
    words: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "console/enrolment.html")]
struct EnrolmentPage {
    frame: Frame,
    device: DeviceLine,
    can_approve: bool,
    can_revoke: bool,
    endings: [(&'static str, &'static str); 4],
}

struct DeviceLine {
    id: String,
    mark: String,
    state: &'static str,
    level: String,
    needs_operator: bool,
    created_at: String,
    waits_until: String,
    used_at: String,
    expires_at: String,
    revoked_at: String,
}

async fn list(
    State(house): State<House>,
    call: Call,
    Query(query): Query<EnrolmentQuery>,
) -> Result<Html<String>, Problem> {
    let page = PageQuery { limit: query.limit, after: query.after }.page()?;
    let state = query.state.filter(|state| !state.is_empty());
    let found = devices(&house, &call, &page, state.as_deref()).await;
    let mut found = found?;
    let filters = state.as_ref().map_or_else(String::new, |state| format!("state={state}&"));
    let key = |device: &Enrolment| After { at_ms: device.created_at_ms, id: device.id.clone() };
    let next = next(&mut found, &page, ("/enrolments", &filters), key);
    let same = ("tessera enrolment list", "GET /api/v1/enrolments");
    shown(&EnrolmentsPage {
        frame: Frame::of(&call, PATH, "Enrolments", same),
        states: STATES.map(|(value, words)| choice(value, words, state.as_deref())).into(),
        devices: found.iter().map(line).collect(),
        next,
    })
}

fn choice(value: &'static str, words: &'static str, chosen: Option<&str>) -> Choice {
    Choice { value, words, is_chosen: chosen.unwrap_or_default() == value }
}

async fn devices(
    house: &House,
    call: &Call,
    page: &cursor::Page,
    state: Option<&str>,
) -> Result<Vec<Enrolment>, Problem> {
    let Some(state) = state else {
        return Ok(house.idp.enrolments(&call.ctx, &page.after, page.read_limit()).await?);
    };
    let unknown = || Problem::of(&pages::INVALID_QUERY).at("?state", "is waiting, active, locked or revoked");
    let state = Standing::parse(state).ok_or_else(unknown)?;
    Ok(house.idp.enrolments_in_state(&call.ctx, (state, &page.after), page.read_limit()).await?)
}

async fn one(
    State(house): State<House>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Html<String>, Problem> {
    let found = house.idp.enrolment(&call.ctx, &id).await?;
    let device = found.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?;
    let (cli, api) = (format!("tessera enrolment show {id}"), format!("GET /api/v1/enrolments/{id}"));
    let is_admin = may(&call, Permission::EnrolmentsAdmin);
    shown(&EnrolmentPage {
        frame: Frame::of(&call, PATH, &format!("Device {}", device.mark()), (&cli, &api)),
        can_approve: is_admin && matches!(device.state, Standing::Waiting | Standing::Locked),
        can_revoke: is_admin && device.state != Standing::Revoked,
        endings: [
            (Ending::LostDevice.as_str(), "The device is gone"),
            (Ending::Compromised.as_str(), "Somebody else may hold its keys"),
            (Ending::ExpiredDocument.as_str(), "Its document is over"),
            (Ending::UserRequest.as_str(), "Its person wants so"),
        ],
        device: line(&device),
    })
}

async fn approve(
    State(house): State<House>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Redirect, Problem> {
    house.idp.approve_enrolment(&call.ctx, &id, None).await.map_err(refusal::enrol)?;
    Ok(Redirect::to(&format!("{PATH}/{id}")))
}

async fn revoke(
    State(house): State<House>,
    call: Call,
    Path(id): Path<String>,
    Form(form): Form,
) -> Result<Redirect, Problem> {
    step_up(&call)?;
    let ending = Ending::parse(form.get("reason").unwrap_or_default()).ok_or_else(|| {
        Problem::of(&pages::INVALID)
            .at("/reason", "is lost_device, compromised, expired_document or user_request")
    })?;
    house.idp.revoke_enrolment(&call.ctx, &id, ending, None).await.map_err(refusal::enrol)?;
    Ok(Redirect::to(&format!("{PATH}/{id}")))
}

fn line(device: &Enrolment) -> DeviceLine {
    let told = |ms: Option<i64>| ms.map(time).unwrap_or_default();
    DeviceLine {
        id: device.id.clone(),
        mark: device.mark(),
        state: device.state.as_str(),
        level: device.assurance(Acr::SealCode).level.as_str().to_owned(),
        needs_operator: device.needs_operator,
        created_at: time(device.created_at_ms),
        waits_until: told(device.waits_until_ms),
        used_at: told(Some(device.used_at_ms).filter(|at| *at > 0)),
        expires_at: time(device.expires_at_ms),
        revoked_at: told(device.revoked_at_ms),
    }
}
