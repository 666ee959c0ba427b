//! Pages for people that edge itself shows: of one-time links, of problems, and what a page's door says when it refuses. Nothing in
//! them comes from anybody but through askama's escaping.

use crate::Edge;
use crate::problem::{Page, Problem};
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use crypto::hash;

/// What every page of the house looks like; the console's own stylesheet comes beside it.
pub(super) const STYLE: &str = include_str!("../../assets/page.css");

/// What a page needs to look like one of ours.
#[derive(Clone, Debug)]
pub struct Look {
    /// Address of the stylesheet, with the hash of its content in its name: a cache may keep it for ever.
    pub css: String,
    /// Whether the page says that this is development.
    pub is_dev: bool,
}

impl Look {
    /// Of this house.
    #[must_use]
    pub fn of(edge: &Edge) -> Self {
        Self { css: format!("/assets/{}", style_name()), is_dev: edge.config().dev }
    }
}

#[derive(Template)]
#[template(path = "once.html")]
struct OncePage {
    look: Look,
    form_token: String,
}

#[derive(Template)]
#[template(path = "gone.html")]
struct GonePage {
    look: Look,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage<'a> {
    look: Look,
    title: &'a str,
    detail: &'a str,
    cause: &'a str,
    fix: &'a str,
    code: &'a str,
    status: u16,
    page: String,
    console: &'a str,
    request_id: &'a str,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    look: Look,
    page: &'static Page,
}

#[derive(Template)]
#[template(path = "problems.html")]
struct ProblemsPage {
    look: Look,
    pages: Vec<&'static Page>,
}

pub(super) fn once(edge: &Edge, form_token: String) -> Response {
    written(StatusCode::OK, &OncePage { look: Look::of(edge), form_token })
}

pub(super) fn gone(edge: &Edge) -> Response {
    written(StatusCode::GONE, &GonePage { look: Look::of(edge) })
}

/// A refusal at a page's door.
pub(crate) fn refused(edge: &Edge, problem: &Problem, request_id: &str) -> Response {
    let page = RefusedPage {
        look: Look::of(edge),
        title: problem.page.title,
        detail: &problem.detail,
        cause: &problem.cause,
        fix: &problem.fix,
        code: problem.page.code,
        status: problem.page.status,
        page: format!("/problems/{}", problem.page.code),
        console: crate::browser::CONSOLE,
        request_id,
    };
    let mut response = written(problem.status(), &page);
    if let Some(wait) = problem.retry_after {
        let wait_s = HeaderValue::from(wait.as_secs().max(1).unsigned_abs());
        response.headers_mut().insert(header::RETRY_AFTER, wait_s);
    }
    response
}

pub(super) fn problem(edge: &Edge, page: &'static Page) -> Response {
    written(StatusCode::OK, &ProblemPage { look: Look::of(edge), page })
}

pub(super) fn problems(edge: &Edge, pages: Vec<&'static Page>) -> Response {
    written(StatusCode::OK, &ProblemsPage { look: Look::of(edge), pages })
}

/// The stylesheet's name, with the hash of its content in it.
pub(super) fn style_name() -> String {
    format!("page-{}.css", crypto::hex::encode(&hash::sha256(STYLE.as_bytes())[..8]))
}

/// A template as an answer.
fn written(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            (status, [(header::CONTENT_TYPE, html)], text).into_response()
        }
        Err(fault) => {
            tracing::error!(%fault, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
