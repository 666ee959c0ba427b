//! Hints: the browser's ways to hear that its sign-in changed, by long poll or as an EventSource.

use super::super::visitor::cookie_there;
use super::state::{StateView, seen_of, word_of};
use super::{problem_of, sid_of};
use crate::signin::SessionState;
use crate::waiting::TOPIC;
use crate::{Idp, page};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use edge::limit::Class;
use edge::{Answer, Call, Door, Doors, Path, Problem, Query, Who};
use seal::code::Sid;
use serde::Deserialize;
use std::time::Duration;
use store::{Heard, Listener};

/// Longest wait of a poll, seconds.
const WAIT_S_MAX: u64 = 25;
/// How long one answer of the hints waits, seconds; then the browser comes again by itself.
const EVENTS_WAIT_S: u64 = 20;
/// How often a waiter looks again without a hint: another process may have changed the row.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

pub(super) fn doors() -> Doors<Idp> {
    Doors::new()
        .door(
            Door::get("/t/{tenant}/idp/sessions/{sid}/state")
                .operation("showSigninState")
                .summary("How a sign-in stands, for the browser that began it; waits for a change")
                .who(Who::Tenant)
                .rate(Class::Page)
                .query::<StateQuery>()
                .answer::<StateView>(200, "the state, and the code once a wallet has claimed it")
                .problems(&[&page::UNKNOWN_SESSION, &page::OTHER_BROWSER]),
            state,
        )
        .door(
            Door::get("/t/{tenant}/idp/sessions/{sid}/events")
                .operation("watchSignin")
                .summary("Hints that a sign-in changed, as an EventSource reads them")
                .who(Who::Tenant)
                .rate(Class::Page)
                .answer_of(200, "text/event-stream", "one hint; the browser comes again by itself")
                .problems(&[&page::UNKNOWN_SESSION, &page::OTHER_BROWSER]),
            events,
        )
}

/// Which change to wait for.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct StateQuery {
    /// Seconds to wait for a change, at most 25.
    wait: Option<u64>,
    /// The state that the caller knows.
    seen: Option<String>,
}

async fn state(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
    Query(query): Query<StateQuery>,
) -> Result<Answer<StateView>, Problem> {
    let (sid, cookie) = (sid_of(&sid)?, cookie_there(&idp, &headers)?);
    let wait = Duration::from_secs(query.wait.unwrap_or(0).min(WAIT_S_MAX));
    let seen = query.seen.unwrap_or_default();
    let state = idp.wait_for(&call, &sid, &cookie, wait, &seen).await?;
    Ok(Answer::ok(idp.state_view(call.tenant_name(), &sid, &state)))
}

async fn events(
    State(idp): State<Idp>,
    call: Call,
    headers: HeaderMap,
    Path((_, sid)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (sid, cookie) = (sid_of(&sid)?, cookie_there(&idp, &headers)?);
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let wait = Duration::from_secs(EVENTS_WAIT_S);
    let state = idp.wait_for(&call, &sid, &cookie, wait, &seen).await?;
    let (id, is_over) = (seen_of(&state), matches!(state, SessionState::Ended { .. }));
    let data = if is_over { "done" } else { word_of(&state) };
    let text = format!("retry: 300\nid: {id}\nevent: state\ndata: {data}\n\n");
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], text).into_response())
}

impl Idp {
    /// Looks until the session is no longer what the caller has seen.
    async fn wait_for(
        &self,
        call: &Call,
        sid: &Sid,
        cookie: &str,
        wait: Duration,
        seen: &str,
    ) -> Result<SessionState, Problem> {
        let key = ::store::id::from_bits("sig", sid.as_bytes());
        let (mut left, mut ctx) = (wait, call.ctx.clone());
        // Listening begins before the first look, so that no change falls between.
        let mut listener = self.store.bus().subscribe();
        loop {
            let state = self.session_state(&ctx, sid, cookie).await.map_err(problem_of)?;
            let has_news = seen_of(&state) != seen && word_of(&state) != seen;
            if has_news || left.is_zero() {
                return Ok(state);
            }
            let step = left.min(LOOK_AGAIN);
            left -= step;
            // A hint that is lost costs time, never truth.
            let _ = tokio::time::timeout(step, told(&mut listener, &key)).await;
            ctx = ctx.child(call.edge().clock().now());
        }
    }
}

/// Returns when somebody says that `key` changed, or that hints were lost.
async fn told(listener: &mut Listener, key: &str) {
    loop {
        match listener.next().await {
            Some(Heard::Hint(hint)) if hint.topic != TOPIC || hint.ids != key => {}
            Some(Heard::Hint(_) | Heard::Reread) => return,
            None => std::future::pending::<()>().await,
        }
    }
}
