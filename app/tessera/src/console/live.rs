//! `/console/live`: which parts of the pages have changed, as an EventSource reads it.
//!
//! ```text
//! script ─▶ GET live (Last-Event-ID: what it knows) ─▶ looks every two seconds, at most twenty ─▶ changed: ledger signins
//!        ◀─ one event, then it comes again ─▶ loads the same page and swaps the elements of these parts
//! ```
//! A part is known by a digest of what its page reads, so nothing of what changed is told here, and a hint that is lost costs time, never
//! truth. Who may not read a page hears nothing of it.

use super::frame::may;
use crate::house::House;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use crypto::{hash, hex};
use edge::token::Principal;
use edge::{Call, Door, Doors, Permission, Problem, Who};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tenancy::After;

/// How long one answer waits for a change; then the browser comes again by itself.
const WAIT: Duration = Duration::from_secs(20);
/// How often it looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Milliseconds after which a browser comes again: no part is swapped more often than that.
const RETRY_MS: u64 = 1_000;
/// Streams of one session: four tabs. A fifth page is right when it is loaded.
const STREAMS_MAX: usize = 4;
/// Bytes of a digest: two states that read alike are a page that is a change behind.
const DIGEST_BYTES: usize = 6;

pub fn doors() -> Doors<House> {
    Doors::new().door(
        Door::get("/console/live")
            .operation("watchConsole")
            .summary("Which parts of the pages have changed, as an EventSource reads it")
            .who(Who::Operator(Permission::Own))
            .answer_of(200, "text/event-stream", "one hint; the browser comes again by itself")
            .empty(204, "as many pages of this session listen already as may"),
        live,
    )
}

/// How many pages of each session listen.
#[derive(Clone, Debug, Default)]
pub struct Watchers(Arc<Mutex<HashMap<String, usize>>>);

/// A page that listens, until it is dropped.
pub struct Watching {
    watchers: Watchers,
    session: String,
}

impl Watchers {
    /// One more of this session; none where there are enough.
    fn enter(&self, session: &str) -> Option<Watching> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(session.to_owned()).or_default();
        if *count >= STREAMS_MAX {
            return None;
        }
        *count += 1;
        Some(Watching { watchers: self.clone(), session: session.to_owned() })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut all = self.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.session);
            }
        }
    }
}

/// A part of pages by its name there, and how it stands.
type Part = (&'static str, String);

async fn live(State(house): State<House>, call: Call, headers: HeaderMap) -> Result<Response, Problem> {
    let session = call.principal.as_ref().and_then(Principal::session);
    let session = session.map(|known| known.session_id.clone()).unwrap_or_default();
    let Some(_watching) = house.watchers.enter(&session) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let known = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let (mut call, mut left) = (call, WAIT);
    loop {
        let parts = parts(&house, &call).await?;
        let changed = changed(&known, &parts);
        // Who knows nothing yet is told what to know, and nothing of it changed.
        if known.is_empty() || !changed.is_empty() || left.is_zero() {
            let data = if known.is_empty() { String::new() } else { changed.join(" ") };
            let text = format!("retry: {RETRY_MS}\nid: {}\nevent: changed\ndata: {data}\n\n", id(&parts));
            return Ok(([(header::CONTENT_TYPE, "text/event-stream")], text).into_response());
        }
        tokio::time::sleep(LOOK_EVERY.min(left)).await;
        left = left.saturating_sub(LOOK_EVERY);
        call.ctx = call.ctx.child(call.edge().clock().now());
    }
}

/// How every part stands that the operator may see.
async fn parts(house: &House, call: &Call) -> Result<Vec<Part>, Problem> {
    let (ctx, mut parts) = (&call.ctx, Vec::new());
    let mut add = |name, state: String| {
        let digest = hash::sha256(state.as_bytes());
        parts.push((name, hex::encode(&digest[..DIGEST_BYTES])));
    };
    if may(call, Permission::LedgerRead) {
        let look = house.audit.look(ctx, 0).await?;
        add(
            "ledger",
            format!("{:?}", look.map(|look| (look.status.size, look.status.state, look.status.root))),
        );
    }
    if may(call, Permission::SigninsRead) {
        let end = After { at_ms: i64::MAX, id: String::new() };
        let newest = house.idp.newest_signins(ctx, (&end, None), 1).await?;
        add("signins", newest.into_iter().map(|line| line.id).collect());
    }
    if may(call, Permission::EnrolmentsRead) {
        let waiting = super::overview::waiting(house, call).await?;
        add("enrolments", waiting.unwrap_or_default());
    }
    if may(call, Permission::RelayMembersRead) {
        let standing = house.relay.standing(ctx).await?;
        let told = standing.map(|it| (it.rounds_published, it.links_open, it.members, it.last.fell_short));
        add("relay", format!("{told:?}"));
    }
    Ok(parts)
}

/// What a browser that has seen all this sends when it comes again.
fn id(parts: &[Part]) -> String {
    parts.iter().map(|(name, state)| format!("{name}:{state}")).collect::<Vec<_>>().join(",")
}

/// The parts that are not as `known` has them.
fn changed(known: &str, parts: &[Part]) -> Vec<&'static str> {
    let is_known =
        |(name, state): &&Part| known.split(',').any(|one| one.split_once(':') == Some((name, state)));
    parts.iter().filter(|part| !is_known(part)).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_changed_when_it_is_not_as_it_was_known() {
        let parts = vec![("ledger", "aa".to_owned()), ("relay", "bb".to_owned())];
        assert_eq!(changed(&id(&parts), &parts), Vec::<&str>::new());
        assert_eq!(changed("ledger:aa,relay:cc", &parts), ["relay"]);
        assert_eq!(changed("nonsense", &parts), ["ledger", "relay"]);
    }

    #[test]
    fn four_pages_of_a_session_listen_and_a_place_is_free_again_when_one_ends() {
        let watchers = Watchers::default();
        let mut four: Vec<Watching> = (0..STREAMS_MAX).filter_map(|_| watchers.enter("ses_a")).collect();
        assert!(four.len() == STREAMS_MAX && watchers.enter("ses_a").is_none());
        assert!(watchers.enter("ses_b").is_some(), "another session has its own");
        four.pop();
        assert!(watchers.enter("ses_a").is_some());
        drop(four);
        assert!(watchers.0.lock().unwrap().is_empty(), "nothing is kept of who is gone");
    }
}
