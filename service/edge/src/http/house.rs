//! Health, the OpenAPI document, and the pages of problems.

use super::{html, wants_html};
use crate::Edge;
use crate::door::{Door, Doors, Who};
use crate::extract::{Call, Path};
use crate::front::Arrived;
use crate::health::{Readiness, Status};
use crate::limit::Class;
use crate::problem::{Page, Problem, pages};
use crate::{Answer, Permission};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn doors() -> Doors<Edge> {
    Doors::new()
        .door(
            Door::get("/healthz")
                .operation("healthz")
                .summary("Whether the process lives")
                .who(Who::Public)
                .answer::<Alive>(200, "It lives")
                .problems(&[&pages::LEDGER_UNAVAILABLE]),
            healthz,
        )
        .door(
            Door::get("/readyz")
                .operation("readyz")
                .summary("Whether the house can do its work; details on loopback or for auditors")
                .who(Who::LogReader)
                .rate(Class::Public)
                .answer::<Readiness>(200, "It can")
                .answer::<Readiness>(503, "A part is down"),
            readyz,
        )
        .door(
            Door::get("/openapi.json")
                .operation("openapi")
                .summary("The OpenAPI 3.1 document of these doors")
                .who(Who::Public)
                .answer_of(200, "application/json", "The document")
                .cors(),
            openapi,
        )
        .door(
            Door::get("/problems")
                .operation("listProblems")
                .summary("Every problem code")
                .who(Who::Public)
                .answer::<ProblemList>(200, "The codes")
                .answer_of(200, "text/html", "The codes, for browsers"),
            list_problems,
        )
        .door(
            Door::get("/problems/{room}/{code}")
                .operation("showProblem")
                .summary("What a problem code means, its cause and its fix")
                .who(Who::Public)
                .answer::<ProblemPage>(200, "The page")
                .answer_of(200, "text/html", "The page, for browsers")
                .problems(&[&pages::NO_SUCH_PROBLEM]),
            show_problem,
        )
        .door(
            Door::get("/assets/{name}")
                .operation("fetchPageAsset")
                .summary("The stylesheet of the pages for people")
                .who(Who::Public)
                .answer_of(200, "text/css", "The file")
                .page(),
            asset,
        )
}

/// What `/healthz` answers.
#[derive(Debug, Serialize, JsonSchema)]
struct Alive {
    /// `ok`.
    status: Status,
}

/// `GET /healthz`.
async fn healthz(State(edge): State<Edge>) -> Result<Answer<Alive>, Problem> {
    if edge.store().is_ended() {
        return Err(Problem::of(&pages::LEDGER_UNAVAILABLE));
    }
    Ok(Answer::ok(Alive { status: Status::Ok }))
}

/// `GET /readyz`.
async fn readyz(State(edge): State<Edge>, call: Call, Extension(arrived): Extension<Arrived>) -> Response {
    let mut found = edge.health().ask(call.ctx.now).await;
    if !arrived.address.is_loopback() && !call.roles().may(Permission::ConfigRead) {
        found.checks.iter_mut().for_each(|check| check.detail = None);
    }
    let status = if found.status == Status::Down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, axum::Json(found)).into_response()
}

/// `GET /openapi.json`.
async fn openapi(State(edge): State<Edge>) -> Response {
    let mut response = edge.document().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// The pages in short.
#[derive(Debug, Serialize, JsonSchema)]
struct ProblemList {
    /// Ordered by code.
    items: Vec<ProblemPage>,
}

/// The page of a problem code.
#[derive(Debug, Serialize, JsonSchema)]
struct ProblemPage {
    /// The stable code.
    code: String,
    /// The HTTP status.
    status: u16,
    /// What it means in one line.
    title: String,
    /// What it means.
    meaning: String,
    /// The usual cause.
    cause: String,
    /// What mends it.
    fix: String,
    /// A command that helps; empty where none does.
    command: String,
}

impl From<&Page> for ProblemPage {
    fn from(page: &Page) -> Self {
        Self {
            code: page.code.to_owned(),
            status: page.status,
            title: page.title.to_owned(),
            meaning: page.meaning.to_owned(),
            cause: page.cause.to_owned(),
            fix: page.fix.to_owned(),
            command: page.command.to_owned(),
        }
    }
}

/// `GET /problems`.
async fn list_problems(State(edge): State<Edge>, headers: HeaderMap) -> Response {
    let pages = edge.pages();
    if wants_html(&headers) {
        return html::problems(&edge, pages.iter().collect());
    }
    Answer::ok(ProblemList { items: pages.iter().map(ProblemPage::from).collect() }).into_response()
}

/// `GET /problems/{room}/{code}`: HTML for browsers, JSON for all others.
async fn show_problem(
    State(edge): State<Edge>,
    Path((room, code)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(found) = edge.pages().get(&format!("{room}/{code}")) else {
        return Problem::of(&pages::NO_SUCH_PROBLEM).into_response();
    };
    if !wants_html(&headers) {
        return Answer::ok(ProblemPage::from(found)).into_response();
    }
    html::problem(&edge, found)
}

/// `GET /assets/{name}`: the name holds the hash of the content, so that a cache may keep it for ever.
async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    if name != html::style_name() {
        return Err(Problem::of(&pages::NOT_FOUND));
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, html::STYLE).into_response())
}
