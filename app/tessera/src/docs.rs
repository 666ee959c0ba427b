//! `/docs`: the pages of this version, as the Markdown they are written in.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use edge::extract::Path;
use edge::problem::pages;
use edge::{Door, Doors, Problem, Who};

/// Name and text of each page; the first is the index.
const PAGES: &[(&str, &str)] = &[
    ("README", include_str!("../../../README.md")),
    ("ARCHITECTURE", include_str!("../../../ARCHITECTURE.md")),
    ("SECURITY", include_str!("../../../SECURITY.md")),
    ("threat-model", include_str!("../../../docs/threat-model.md")),
    ("events", include_str!("../../../docs/events.md")),
    ("first-credential", include_str!("../../../docs/tutorials/first-credential.md")),
];

/// The doors of the docs.
pub fn doors() -> Doors {
    Doors::new()
        .door(
            Door::get("/docs")
                .operation("listDocs")
                .summary("The first page of the docs")
                .who(Who::Public)
                .answer_of(200, "text/markdown", "the page"),
            index,
        )
        .door(
            Door::get("/docs/{page}")
                .operation("showDocs")
                .summary("One page of the docs")
                .who(Who::Public)
                .answer_of(200, "text/markdown", "the page"),
            page,
        )
}

async fn index() -> Response {
    let names: Vec<String> = PAGES.iter().map(|(name, _)| format!("- [{name}](/docs/{name})")).collect();
    markdown(format!("# Docs of tessera {}\n\n{}\n", env!("CARGO_PKG_VERSION"), names.join("\n")))
}

async fn page(Path(name): Path<String>) -> Result<Response, Problem> {
    let found = PAGES.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| markdown((*text).to_owned())).ok_or_else(|| Problem::of(&pages::NOT_FOUND))
}

fn markdown(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response()
}
