//! `/api/v1/ledger`: what a tenant's own people read of their log, and the tokens they give to outsiders.

use std::sync::Arc;

use ::store::{Committed, Ctx, LogId};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use edge::answer::{Answer, Done};
use edge::cursor::{self, Listing, PageQuery};
use edge::extract::{Body, Call, Path, Query};
use edge::problem::{Problem, pages};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tenancy::After;

use super::pages::UNKNOWN_LOG;
use crate::Audit;
use crate::event::{EventKey, EventQuery, EventView};
use crate::log::Log;
use crate::proof::{ConsistencyView, ProofAnswer};
use crate::status::{CheckpointView, LogStatus};
use crate::token::{TokenOrder, TokenView};

/// Which log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OfLog {
    /// Its id; the tenant's own unless told. Operators of the instance have `house` and `system`.
    log: Option<String>,
}

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsOf {
    /// Id of the log; the tenant's own unless told.
    log: Option<String>,
    /// Only this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only from this time on, RFC 3339.
    from: Option<String>,
    /// Only before this time, RFC 3339.
    to: Option<String>,
    /// Only behind this index.
    after: Option<u64>,
    /// At most so many, 1 to 200.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// Which checkpoints.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckpointsOf {
    /// Id of the log; the tenant's own unless told.
    log: Option<String>,
    /// Only smaller ones than this size.
    after: Option<u64>,
    /// At most so many, 1 to 200.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// Between which sizes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    /// Id of the log; the tenant's own unless told.
    log: Option<String>,
    /// The smaller size.
    from: u64,
    /// The larger size; the published one unless told.
    to: Option<u64>,
}

/// A log token to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateToken {
    /// Id of the log that it reads; the tenant's own unless told.
    log: Option<String>,
    /// What its maker calls it, 1 to 100 characters.
    name: String,
    /// Seconds that it lives, 60 to 31,536,000.
    ttl_s: u64,
}

/// A log token, shown this once.
#[derive(Serialize, JsonSchema)]
pub(super) struct CreatedToken {
    #[serde(flatten)]
    view: TokenView,
    /// `tlr_…`: the bearer text. It is not kept here and cannot be shown again.
    token: String,
}

/// `GET /api/v1/ledger/events`.
pub(super) async fn events(
    State(audit): State<Audit>,
    call: Call,
    Query(of): Query<EventsOf>,
) -> Result<Answer<Listing<EventView>>, Problem> {
    let log = log_of(&audit, &call.ctx, of.log.as_deref())?;
    let query = EventQuery {
        from_s: of.from.as_deref().map(|text| second_of("?from", text)).transpose()?,
        to_s: of.to.as_deref().map(|text| second_of("?to", text)).transpose()?,
        after: of.after,
        limit: cursor::page(of.limit, None)?.limit,
        kind: of.kind,
    };
    let (items, next) = audit.events(&call.ctx, &log, &query, "listEvents").await?;
    let own = [("log", of.log), ("type", query.kind), ("from", of.from), ("to", of.to)];
    Ok(listing("/api/v1/ledger/events", query.limit, own, items, next))
}

/// `GET /api/v1/ledger/events/{event}`.
pub(super) async fn event(
    State(audit): State<Audit>,
    call: Call,
    Path(event): Path<String>,
    Query(of): Query<OfLog>,
) -> Result<Answer<EventView>, Problem> {
    let log = log_of(&audit, &call.ctx, of.log.as_deref())?;
    let key = EventKey::parse(&event).ok_or_else(not_found)?;
    audit.event(&call.ctx, &log, key, "showEvent").await?.map(Answer::ok).ok_or_else(not_found)
}

/// `GET /api/v1/ledger/events/{event}/proof`.
pub(super) async fn proof(
    State(audit): State<Audit>,
    call: Call,
    Path(event): Path<String>,
    Query(of): Query<OfLog>,
) -> Result<Response, Problem> {
    let log = log_of(&audit, &call.ctx, of.log.as_deref())?;
    let key = EventKey::parse(&event).ok_or_else(not_found)?;
    // Asked twice, so that a detail is opened and its reading recorded only for a proof that is given.
    if !matches!(audit.inclusion(&call.ctx, &log, key, None).await?, ProofAnswer::File(_)) {
        return proof_answer(audit.inclusion(&call.ctx, &log, key, None).await?);
    }
    let detail = audit.detail_for_proof(&call.ctx, &log, key, "proveEvent").await?;
    proof_answer(audit.inclusion(&call.ctx, &log, key, detail).await?)
}

/// `GET /api/v1/ledger/checkpoints`.
pub(super) async fn checkpoints(
    State(audit): State<Audit>,
    call: Call,
    Query(of): Query<CheckpointsOf>,
) -> Result<Answer<Listing<CheckpointView>>, Problem> {
    let log = log_of(&audit, &call.ctx, of.log.as_deref())?;
    let limit = cursor::page(of.limit, None)?.limit;
    let mut items = audit.checkpoints(&call.ctx, &log, of.after.unwrap_or(u64::MAX), limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.size);
    Ok(listing("/api/v1/ledger/checkpoints", limit, [("log", of.log)], items, next))
}

/// `GET /api/v1/ledger/status`.
pub(super) async fn status(
    State(audit): State<Audit>,
    call: Call,
    Query(of): Query<OfLog>,
) -> Result<Answer<LogStatus>, Problem> {
    let log = log_of(&audit, &call.ctx, of.log.as_deref())?;
    Ok(Answer::ok(audit.status_of(call.ctx.now, &log)))
}

/// `GET /api/v1/ledger/consistency`.
pub(super) async fn consistency(
    State(audit): State<Audit>,
    call: Call,
    Query(between): Query<Between>,
) -> Result<Answer<ConsistencyView>, Problem> {
    let log = log_of(&audit, &call.ctx, between.log.as_deref())?;
    Ok(Answer::ok(audit.consistency(&call.ctx, &log, between.from, between.to).await?))
}

/// `POST /api/v1/ledger/tokens`.
pub(super) async fn create_token(
    State(audit): State<Audit>,
    call: Call,
    Body(body): Body<CreateToken>,
) -> Result<Answer<CreatedToken>, Problem> {
    let log = body.log.unwrap_or_else(|| LogId::of(&call.ctx.tenant).to_string());
    let order = TokenOrder { log, name: body.name, ttl_s: body.ttl_s };
    let mark = call.mark.as_ref().map(|mark| mark.close());
    let issued = audit.issue_token(&call.ctx, &order, mark).await?;
    let token = issued.token.expose().clone();
    Ok(Answer::created(CreatedToken { view: issued.view, token })
        .event(&Committed { event_id: issued.event }))
}

/// `GET /api/v1/ledger/tokens`.
pub(super) async fn tokens(
    State(audit): State<Audit>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<TokenView>>, Problem> {
    let page = query.page()?;
    let items = audit.tokens(&call.ctx, (page.after.at_ms, &page.after.id), page.read_limit()).await?;
    let key = |token: &TokenView| After { at_ms: token.created_at_ms, id: token.id.clone() };
    Ok(Listing::answer(items, &page, "/api/v1/ledger/tokens", key))
}

/// `DELETE /api/v1/ledger/tokens/{id}`.
pub(super) async fn revoke_token(
    State(audit): State<Audit>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Done, Problem> {
    let event_id = audit.revoke_token(&call.ctx, &id).await?;
    Ok(Done(Committed { event_id }))
}

/// The log of the caller's tenant that is named; another tenant's is as good as none.
fn log_of(audit: &Audit, ctx: &Ctx, named: Option<&str>) -> Result<Arc<Log>, Problem> {
    let id = named.map_or_else(|| Some(LogId::of(&ctx.tenant)), LogId::parse);
    let log = id.and_then(|id| audit.log(&id)).filter(|log| log.tenant == ctx.tenant);
    log.ok_or_else(|| Problem::of(&UNKNOWN_LOG))
}

/// A page whose cursor is a number, with the filters kept in the link to the next.
fn listing<T: Serialize, const N: usize>(
    path: &str,
    limit: usize,
    own: [(&str, Option<String>); N],
    items: Vec<T>,
    next: Option<u64>,
) -> Answer<Listing<T>> {
    let link = next.map(|next| {
        let own = own.into_iter().filter_map(|(name, value)| Some(format!("{name}={}&", escaped(&value?))));
        format!("<{path}?{}limit={limit}&after={next}>; rel=\"next\"", own.collect::<String>())
    });
    let answer = Answer::ok(Listing { items, next: next.map(|next| next.to_string()) });
    match link {
        Some(link) => answer.header(header::LINK, &link),
        None => answer,
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986, 2.3).
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The second at or after an instant, as leaves have whole seconds.
fn second_of(pointer: &'static str, text: &str) -> Result<u64, Problem> {
    let rule = "a time of RFC 3339 since 1970";
    let at: Option<Timestamp> = text.parse().ok();
    let second = at.map(|at| at.as_second() + i64::from(at.subsec_nanosecond() > 0));
    let second = second.and_then(|second| u64::try_from(second).ok());
    second.ok_or_else(|| {
        Problem::of(&pages::INVALID_QUERY).detail(format!("{pointer}: {rule}")).at(pointer, rule)
    })
}

pub(super) fn proof_answer(answer: ProofAnswer) -> Result<Response, Problem> {
    let text = [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))];
    match answer {
        ProofAnswer::File(bytes) => Ok((text, bytes).into_response()),
        ProofAnswer::NotCovered => {
            let later = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
            Ok((StatusCode::ACCEPTED, text, later, "not covered by a checkpoint yet\n").into_response())
        }
        ProofAnswer::Unknown => Err(not_found()),
    }
}

fn not_found() -> Problem {
    Problem::of(&pages::NOT_FOUND)
}
