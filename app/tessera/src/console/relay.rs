//! `/console/relay` and `/console/privacy`: how the network runs, what it promises, and what it does not protect.

use super::frame::{Frame, shown};
use super::plot::{self, Svg};
use crate::house::House;
use ::relay::standing::{NOT_PROTECTED, Spent, Standing};
use askama::Template;
use axum::extract::State;
use axum::response::Html;
use edge::{Call, Door, Doors, Permission, Problem, Who};

const READ: Who = Who::Operator(Permission::RelayMembersRead);

pub fn doors() -> Doors<House> {
    Doors::new()
        .door(
            Door::get("/console/relay")
                .operation("showRelay")
                .summary("How the relay's network runs")
                .who(READ)
                .answer_of(200, "text/html", "the page"),
            running,
        )
        .door(
            Door::get("/console/privacy")
                .operation("showPrivacy")
                .summary("What the network promises, and what it does not protect")
                .who(READ)
                .answer_of(200, "text/html", "the page"),
            privacy,
        )
}

#[derive(Template)]
#[template(path = "console/relay.html")]
struct RelayPage {
    frame: Frame,
    standing: Option<Standing>,
}

#[derive(Template)]
#[template(path = "console/privacy.html")]
struct PrivacyPage {
    frame: Frame,
    standing: Option<Standing>,
    gauge: Option<Svg>,
    is_kept: bool,
    presence: Vec<(u64, String)>,
    not_protected: &'static [&'static str],
}

async fn running(State(house): State<House>, call: Call) -> Result<Html<String>, Problem> {
    let standing = house.relay.standing(&call.ctx).await?;
    let same = ("tessera relay status", "GET /relay/v1/network");
    shown(&RelayPage { frame: Frame::of(&call, "/console/relay", "Relay", same), standing })
}

async fn privacy(State(house): State<House>, call: Call) -> Result<Html<String>, Problem> {
    let standing = house.relay.standing(&call.ctx).await?;
    let same = ("tessera relay budget", "GET /api/v1/privacy");
    shown(&PrivacyPage {
        frame: Frame::of(&call, "/console/privacy", "Privacy", same),
        gauge: standing.as_ref().map(gauge),
        is_kept: standing.as_ref().is_some_and(Standing::is_kept),
        presence: standing.iter().flat_map(|standing| standing.presence.iter().map(told)).collect(),
        not_protected: &NOT_PROTECTED,
        standing,
    })
}

/// The composed total against the promise.
pub fn gauge(standing: &Standing) -> Svg {
    plot::gauge(&plot::Gauge {
        spent: (standing.spent.epsilon, standing.spent.delta),
        limit: (standing.limit.epsilon, standing.limit.delta),
        events: standing.limit.events,
        fell_short: standing.last.fell_short,
        looked: standing.last.looked,
    })
}

fn told(spent: &Spent) -> (u64, String) {
    (spent.events, format!("ε {} at δ {}", plot::figure(spent.epsilon), plot::figure(spent.delta)))
}
