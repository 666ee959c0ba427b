//! The console's own files: a stylesheet and a script, with the hash of their content in their names.

use crate::house::House;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use crypto::hash;
use edge::problem::pages;
use edge::{Door, Doors, Path, Problem, Who};

/// The stylesheet, beside the one of every page.
pub const STYLE: &str = include_str!("../../assets/console.css");
/// The script: passkeys, what has changed, and how long a session lasts.
pub const SCRIPT: &str = include_str!("../../assets/console.js");

pub fn doors() -> Doors<House> {
    Doors::new().door(
        Door::get("/console/assets/{name}")
            .operation("fetchConsoleAsset")
            .summary("The stylesheet and the script of the console")
            .who(Who::Public)
            .answer_of(200, "text/css", "the file")
            .page(),
        asset,
    )
}

/// The address of a file.
pub fn address(text: &str, ending: &str) -> String {
    format!("{}/assets/{}", edge::browser::CONSOLE, name(text, ending))
}

fn name(text: &str, ending: &str) -> String {
    format!("console-{}.{ending}", crypto::hex::encode(&hash::sha256(text.as_bytes())[..8]))
}

async fn asset(Path(asked): Path<String>) -> Result<Response, Problem> {
    let (text, media) = if asked == name(STYLE, "css") {
        (STYLE, "text/css; charset=utf-8")
    } else if asked == name(SCRIPT, "js") {
        (SCRIPT, "text/javascript; charset=utf-8")
    } else {
        return Err(Problem::of(&pages::NOT_FOUND));
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, text).into_response())
}
