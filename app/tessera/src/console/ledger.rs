//! `/console/ledger`: how the tenant's log stands, and how an outsider checks it.

use super::frame::{Frame, shown};
use crate::house::House;
use askama::Template;
use audit::LogLook;
use axum::extract::State;
use axum::response::Html;
use edge::{Call, Door, Doors, Permission, Problem, Who};

/// Checkpoints that the page shows.
const CHECKPOINTS: usize = 10;

pub fn doors() -> Doors<House> {
    Doors::new().door(
        Door::get("/console/ledger")
            .operation("showLedger")
            .summary("How the tenant's log stands, with its last checkpoints")
            .who(Who::Operator(Permission::LedgerRead))
            .answer_of(200, "text/html", "the page"),
        page,
    )
}

#[derive(Template)]
#[template(path = "console/ledger.html")]
struct LedgerPage {
    frame: Frame,
    look: Option<LogLook>,
    verify: String,
}

async fn page(State(house): State<House>, call: Call) -> Result<Html<String>, Problem> {
    let look = house.audit.look(&call.ctx, CHECKPOINTS).await?;
    let base = house.edge.config().base();
    let verify = look.as_ref().map_or_else(String::new, |look| {
        // The Ed25519 key: the other one, ML-DSA-44, fills a screen.
        let vkey = look.vkeys.first().map(String::as_str).unwrap_or_default();
        format!("tessera verify log {base}/log/{} --vkey '{vkey}' --bearer-file token.txt", look.status.log)
    });
    let same = ("tessera ledger status", "GET /api/v1/ledger/status");
    shown(&LedgerPage { frame: Frame::of(&call, "/console/ledger", "Ledger", same), look, verify })
}
