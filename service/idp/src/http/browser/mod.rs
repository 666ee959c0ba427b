//! The browser's doors: the authorization door, the session's page and its hints, and what the browser does with both.
//!
//! ```text
//! opening ─► session_page ─► hints: state, events ─► acts: handle, assertion, answer, renew, cancel ─► finish
//! ```
//! One cookie names the browser; each POST carries the form token of its session too. POSTs of other sites (`authorize`) use neither
//! and answer 303 to a GET, where the Lax cookie arrives.

mod act;
mod hints;
mod opening;
mod session_page;
mod state;

use crate::signin::SigninError;
use crate::{Idp, page};
use axum::http::{HeaderMap, header};
use edge::problem::pages as common;
use edge::{Doors, Problem};
use seal::code::Sid;

pub(super) fn doors() -> Doors<Idp> {
    opening::doors().and(session_page::doors()).and(hints::doors()).and(act::doors())
}

fn sid_of(text: &str) -> Result<Sid, Problem> {
    Sid::parse(text).map_err(|_| Problem::of(&page::UNKNOWN_SESSION))
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

fn problem_of(fault: SigninError) -> Problem {
    match fault {
        SigninError::NotFound | SigninError::RequestSpent | SigninError::PartyInactive => {
            Problem::of(&page::UNKNOWN_SESSION)
        }
        SigninError::OtherBrowser => Problem::of(&page::OTHER_BROWSER),
        SigninError::Malformed => malformed(),
        SigninError::AlreadyClaimed
        | SigninError::AssertionPending
        | SigninError::OutOfTurn
        | SigninError::Replayed
        | SigninError::RateLimited => Problem::of(&page::OUT_OF_TURN),
        SigninError::Sign(custody::SignError::Store(fault)) | SigninError::Store(fault) => fault.into(),
        SigninError::Sign(fault) => {
            tracing::error!(%fault, "a key of sign-in could not be used");
            Problem::of(&common::FAULT)
        }
    }
}

pub(super) fn malformed() -> Problem {
    Problem::of(&common::BAD_REQUEST).detail("the body lacks a member or cannot be read")
}
