//! `/console`: what an operator looks at first.

use super::frame::{Frame, may, shown};
use super::plot::Svg;
use super::{relay, signins};
use crate::house::House;
use askama::Template;
use axum::extract::State;
use axum::response::Html;
use edge::health::Status;
use edge::{Call, Door, Doors, Permission, Problem, Who};
use idp::enrolment;
use tenancy::After;

/// Enrolments that are counted as waiting: beyond it the page says "more than".
const WAITING_MAX: usize = 100;

pub fn doors() -> Doors<House> {
    Doors::new().door(
        Door::get("/console")
            .operation("showConsole")
            .summary("The console's first page")
            .who(Who::Operator(Permission::Own))
            .answer_of(200, "text/html", "the page"),
        page,
    )
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct OverviewPage {
    frame: Frame,
    is_system: bool,
    warnings: Vec<String>,
    waiting: Option<String>,
    signins: Option<Svg>,
    gauge: Option<Svg>,
    ledger: Option<LedgerHead>,
}

struct LedgerHead {
    size: u64,
    signed_at: String,
    state: String,
}

async fn page(State(house): State<House>, call: Call) -> Result<Html<String>, Problem> {
    let signins = match may(&call, Permission::SigninsRead) {
        true => Some(signins::plot(&house, &call, signins::Range::Day).await?),
        false => None,
    };
    let ledger = match may(&call, Permission::LedgerRead) {
        true => house.audit.look(&call.ctx, 0).await?.map(|look| LedgerHead {
            size: look.status.size,
            signed_at: look.status.signed_at.unwrap_or_default(),
            state: look.status.state,
        }),
        false => None,
    };
    let gauge = match may(&call, Permission::RelayMembersRead) {
        true => house.relay.standing(&call.ctx).await?.as_ref().map(relay::gauge),
        false => None,
    };
    shown(&OverviewPage {
        is_system: call.ctx.tenant.is_system(),
        warnings: warnings(&house, &call).await,
        waiting: waiting(&house, &call).await?,
        frame: Frame::of(&call, "/console", "Overview", ("tessera status", "GET /readyz")),
        signins,
        gauge,
        ledger,
    })
}

/// Which part of the house does not do its work; each with the line that `/readyz` says of it.
async fn warnings(house: &House, call: &Call) -> Vec<String> {
    let found = house.edge.health().ask(call.ctx.now).await;
    let bad = found.checks.into_iter().filter(|check| check.status != Status::Ok);
    let may_read = may(call, Permission::ConfigRead);
    bad.map(|check| match check.detail.filter(|_| may_read) {
        Some(detail) => format!("{}: {detail}", check.name),
        None => check.name,
    })
    .collect()
}

/// How many devices wait for an operator, in words.
pub async fn waiting(house: &House, call: &Call) -> Result<Option<String>, Problem> {
    if !may(call, Permission::EnrolmentsRead) {
        return Ok(None);
    }
    let asked = (enrolment::State::Waiting, &After::start());
    let count = house.idp.enrolments_in_state(&call.ctx, asked, WAITING_MAX + 1).await?.len();
    Ok(Some(match count {
        0 => "No device waits.".to_owned(),
        1 => "One device waits.".to_owned(),
        count if count > WAITING_MAX => format!("More than {WAITING_MAX} devices wait."),
        count => format!("{count} devices wait."),
    }))
}
