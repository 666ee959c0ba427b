//! `/api/v1/operators`: invited, listed and revoked; a link is shown in the one answer that makes it.

use super::Empty;
use crate::cursor::{Listing, PageQuery};
use crate::door::{BODY_BYTES_MAX, Door, Doors, SMALL_BODY_BYTES_MAX, Who};
use crate::extract::{Body, Call, MaybeBody, Path, Query};
use crate::problem::{Problem, pages as common, tenancy_pages as pages};
use crate::{Answer, Done, Edge, Permission, Role};
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tenancy::After;
use tenancy::operator::{Link, Operator, OperatorError};

const READ: Who = Who::Role(Permission::OperatorsRead);
const ADMIN: Who = Who::Role(Permission::OperatorsAdmin);

pub(super) fn doors() -> Doors<Edge> {
    Doors::new()
        .door(
            Door::post("/api/v1/operators")
                .operation("inviteOperator")
                .summary("Invites an operator; the link is shown this once")
                .who(ADMIN)
                .body::<InviteOperator>(BODY_BYTES_MAX)
                .answer::<Invited>(201, "The operator's id and link")
                .problems(&[&pages::ROLE_REFUSED])
                .idempotent(),
            invite,
        )
        .door(
            Door::get("/api/v1/operators")
                .operation("listOperators")
                .summary("A page of the tenant's operators, the oldest first")
                .who(READ)
                .query::<PageQuery>()
                .answer::<Listing<OperatorView>>(200, "The page"),
            list,
        )
        .door(
            Door::get("/api/v1/operators/{id}")
                .operation("showOperator")
                .summary("One operator")
                .who(READ)
                .answer::<OperatorView>(200, "The operator"),
            show,
        )
        .door(
            Door::post("/api/v1/operators/{id}/link")
                .operation("linkOperator")
                .summary("Makes another one-time link for an operator; shown this once")
                .who(ADMIN)
                .optional_body::<Empty>(SMALL_BODY_BYTES_MAX)
                .answer::<Invited>(201, "The operator's id and link")
                .problems(&[&pages::OPERATOR_REVOKED]),
            link,
        )
        .door(
            Door::delete("/api/v1/operators/{id}")
                .operation("revokeOperator")
                .summary("Revokes an operator; sessions and links end at once")
                .who(ADMIN)
                .empty(204, "Revoked")
                .problems(&[&pages::LAST_OWNER, &pages::OPERATOR_REVOKED]),
            revoke,
        )
}

/// A new operator.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InviteOperator {
    /// What people call them.
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// The one role.
    role: Role,
}

/// A link, shown this once.
#[derive(Debug, Serialize, JsonSchema)]
struct Invited {
    /// `opr_…`.
    id: String,
    /// The one-time link.
    link: String,
    /// When the link ends by itself.
    expires_at: String,
}

/// An operator.
#[derive(Debug, Serialize, JsonSchema)]
struct OperatorView {
    /// `opr_…`.
    id: String,
    /// What people call them.
    name: String,
    /// The one role.
    role: Role,
    /// When they were invited.
    created_at: String,
    /// When they were revoked; null while they may act.
    revoked_at: Option<String>,
    #[serde(skip)]
    #[schemars(skip)]
    after: After,
}

impl From<Operator> for OperatorView {
    fn from(operator: Operator) -> Self {
        Self {
            after: After { at_ms: operator.created_at.as_millisecond(), id: operator.id.clone() },
            id: operator.id,
            name: operator.name,
            role: operator.role,
            created_at: operator.created_at.to_string(),
            revoked_at: operator.revoked_at.map(|at| at.to_string()),
        }
    }
}

/// `POST /api/v1/operators`.
async fn invite(
    State(edge): State<Edge>,
    call: Call,
    Body(body): Body<InviteOperator>,
) -> Result<Answer<Invited>, Problem> {
    if !call.roles().iter().any(|role| role.may_grant(body.role)) {
        return Err(Problem::of(&pages::ROLE_REFUSED).at("/role", "is above your own"));
    }
    let close = call.mark.as_ref().map(crate::idempotency::Mark::close);
    let (_, link, committed) = edge.tenancy().invite(&call.ctx, &body.name, body.role, close).await?;
    Ok(Answer::created(shown(&edge, &link)).event(&committed))
}

/// `POST /api/v1/operators/{id}/link`.
async fn link(
    State(edge): State<Edge>,
    call: Call,
    Path(id): Path<String>,
    MaybeBody(_): MaybeBody<Empty>,
) -> Result<Answer<Invited>, Problem> {
    let (link, committed) = edge.tenancy().operator_link(&call.ctx, &id).await?;
    Ok(Answer::created(shown(&edge, &link)).event(&committed))
}

/// `GET /api/v1/operators`.
async fn list(
    State(edge): State<Edge>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<OperatorView>>, Problem> {
    let page = query.page()?;
    let operators = edge.tenancy().operators(&call.ctx, &page.after, page.read_limit()).await?;
    let views = operators.into_iter().map(OperatorView::from).collect();
    Ok(Listing::answer(views, &page, "/api/v1/operators", |view| view.after.clone()))
}

/// `GET /api/v1/operators/{id}`.
async fn show(
    State(edge): State<Edge>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<OperatorView>, Problem> {
    Ok(Answer::ok(OperatorView::from(edge.tenancy().operator(&call.ctx, &id).await?)))
}

/// `DELETE /api/v1/operators/{id}`.
async fn revoke(State(edge): State<Edge>, call: Call, Path(id): Path<String>) -> Result<Done, Problem> {
    Ok(Done(edge.tenancy().revoke_operator(&call.ctx, &id).await?))
}

fn shown(edge: &Edge, link: &Link) -> Invited {
    Invited {
        id: link.operator_id.clone(),
        link: format!("{}/once/{}", edge.config().console_base(), link.token.expose()),
        expires_at: link.expires_at.to_string(),
    }
}

impl From<OperatorError> for Problem {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::NotFound => Self::of(&common::NOT_FOUND),
            OperatorError::Name => Self::of(&common::INVALID).at("/name", error.to_string()),
            OperatorError::Revoked => Self::of(&pages::OPERATOR_REVOKED),
            OperatorError::LastOwner => Self::of(&pages::LAST_OWNER).recorded(),
            OperatorError::Repeated => Self::of(&common::IDEMPOTENCY_BUSY).recorded(),
            OperatorError::Store(fault) => fault.into(),
        }
    }
}
