//! Who am I, and the end of a session.

use crate::door::{Door, Doors, Who};
use crate::extract::Call;
use crate::problem::{Problem, pages};
use crate::token::By;
use crate::{Answer, Done, Edge, Permission};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use tenancy::operator::OperatorError;

pub(super) fn doors() -> Doors<Edge> {
    Doors::new()
        .door(
            Door::get("/api/v1/session")
                .operation("showSession")
                .summary("Who the bearer of the token is")
                .who(Who::Role(Permission::Own))
                .answer::<Bearer>(200, "The bearer"),
            show,
        )
        .door(
            Door::delete("/api/v1/session")
                .operation("endSession")
                .summary("Ends the operator's session that the request bears")
                .who(Who::Role(Permission::Own))
                .empty(204, "Ended"),
            end,
        )
}

/// Who bears a token.
#[derive(Debug, Serialize, JsonSchema)]
struct Bearer {
    /// `session`, `token` or `outside`.
    by: String,
    /// `opr_…`, `svc_…`, or `<iss>#<sub>` of an outside issuer's caller.
    id: String,
    /// The tenant that the request acts in.
    tenant: String,
    /// The caller's own tenant.
    home: String,
    /// The caller's roles.
    roles: Vec<String>,
}

/// `GET /api/v1/session`.
async fn show(call: Call) -> Result<Answer<Bearer>, Problem> {
    let principal = call.principal.as_ref().ok_or_else(|| Problem::of(&pages::UNAUTHENTICATED))?;
    Ok(Answer::ok(Bearer {
        by: match principal.by {
            By::Session(_) => "session",
            By::Token => "token",
            By::Outside { .. } => "outside",
        }
        .to_owned(),
        id: principal.id.clone(),
        tenant: call.ctx.tenant.to_string(),
        home: principal.home.to_string(),
        roles: principal.roles.iter().map(|role| role.to_string()).collect(),
    }))
}

/// `DELETE /api/v1/session`. A token of ours ends by itself: only sessions are ended here.
async fn end(State(edge): State<Edge>, call: Call) -> Result<Done, Problem> {
    let session = call.principal.as_ref().and_then(|principal| principal.session());
    let session = session.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?;
    match edge.tenancy().close_session(&call.ctx, session).await {
        Ok(committed) => Ok(Done(committed)),
        Err(OperatorError::Store(fault)) => Err(fault.into()),
        Err(_) => Err(Problem::of(&pages::NOT_FOUND).recorded()),
    }
}
