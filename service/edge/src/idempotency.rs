//! `Idempotency-Key`: the same request twice is one act (experience §7).
//!
//! ```text
//! key, body ─▶ mark inserted? ─yes─▶ act: its unit closes the mark ─▶ answer kept, encrypted
//!                   └no─▶ other body: 422 · running: 409 · done: the same answer, or 409 if a crash lost it
//! ```
//!
//! The mark is closed by the act's own unit, as a guard: so even if a mark was taken over because its first holder seemed dead, only
//! one of the two can commit. A refusal keeps nothing: the request may be mended and sent again with the same key.

use crate::problem::{Problem, pages};
use crate::store;
use crate::{Edge, answer::EVENT_HEADER};
use ::store::{Ctx, Reason, Stmt, StoreFault, id};
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use crypto::hash;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Name of the request header.
pub const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Characters of a key (experience §7).
pub const KEY_CHARS_MAX: usize = 64;
/// Answers larger than this are not kept; every answer of a door that takes keys is far smaller.
pub const ANSWER_BYTES_MAX: usize = 256 << 10;
/// An act is given up for dead after this: twice the time that a request may take.
const LEASE_S: i64 = 120;
/// What says that an answer is one that was kept.
const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The mark of a request that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub(crate) actor: String,
    pub(crate) key_sha256: [u8; 32],
    pub(crate) mark_id: String,
}

impl Mark {
    /// Closes the mark: goes as a guard into the unit of the act, `unit.guard(mark.close(), …)`. Losing it means that another
    /// request with the same key did the act.
    #[must_use]
    pub fn close(&self) -> Stmt {
        store::close_mark(self)
    }
}

/// What a request with a key meets.
pub(crate) enum Begun {
    /// Nobody has done it: go on.
    Fresh(Mark),
    /// It was done: this is its answer.
    Replay(Response),
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// The key of a request, if it has one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut all = headers.get_all(KEY_HEADER).iter();
    let Some(value) = all.next() else { return Ok(None) };
    let refused =
        || Problem::of(&pages::IDEMPOTENCY_KEY).at("header:Idempotency-Key", "1 to 64 printable characters");
    if all.next().is_some() {
        return Err(refused());
    }
    let text = value.to_str().map_err(|_| refused())?;
    let sound =
        (1..=KEY_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if sound { Ok(Some(text.to_owned())) } else { Err(refused()) }
}

/// What stands for the request: method, path with query, and body.
pub(crate) fn digest(method: &Method, path: &str, body: &Bytes) -> [u8; 32] {
    hash::sha256_of(&[method.as_str().as_bytes(), b"\0", path.as_bytes(), b"\0", body])
}

pub(crate) async fn begin(
    edge: &Edge,
    ctx: &Ctx,
    actor: &str,
    key: &str,
    request_sha256: [u8; 32],
) -> Result<Begun, Problem> {
    let mark = Mark {
        actor: actor.to_owned(),
        key_sha256: hash::sha256(key.as_bytes()),
        mark_id: id::new(ctx, "idm"),
    };
    let lease_until = ctx.now + SignedDuration::from_secs(LEASE_S);
    let expires_at = ctx.now + SignedDuration::from_secs(edge.config().idempotency_ttl_s);
    // At most twice: an expired mark is removed, then this one is inserted.
    for _ in 0..2 {
        let insert = store::put_mark(&mark, request_sha256, lease_until, expires_at);
        if edge.store().housekeeping_guarded(ctx, Reason::IdempotencyMark, vec![insert], Vec::new()).await? {
            return Ok(Begun::Fresh(mark));
        }
        let Some(known) = store::mark(edge.store(), ctx, &mark).await? else { continue };
        if known.expires_at_ms <= ctx.now_ms() {
            let delete = store::drop_expired_mark(&mark, &known.mark_id);
            edge.store().housekeeping(ctx, Reason::IdempotencyMark, vec![delete]).await?;
            continue;
        }
        return met(edge, ctx, mark, known, request_sha256, lease_until).await;
    }
    Err(busy())
}

async fn met(
    edge: &Edge,
    ctx: &Ctx,
    mark: Mark,
    known: store::MarkRow,
    request_sha256: [u8; 32],
    lease_until: jiff::Timestamp,
) -> Result<Begun, Problem> {
    if !hash::equal(&known.request_sha256, &request_sha256) {
        return Err(
            Problem::of(&pages::IDEMPOTENCY_REUSE).at("header:Idempotency-Key", "stands for another request")
        );
    }
    if let Some(sealed) = &known.answer {
        let plain = edge.store().opened(ctx, store::mark_answer(&known.mark_id), sealed).await?;
        return replay(plain.expose()).map(Begun::Replay);
    }
    let alive = known.lease_until_ms > ctx.now_ms();
    if alive {
        return Err(busy());
    }
    if known.done {
        return Err(Problem::of(&pages::IDEMPOTENCY_DONE));
    }
    let take = store::take_mark(&mark, &known.mark_id, lease_until);
    let taken =
        edge.store().housekeeping_guarded(ctx, Reason::IdempotencyMark, vec![take], Vec::new()).await?;
    if taken { Ok(Begun::Fresh(mark)) } else { Err(busy()) }
}

fn busy() -> Problem {
    Problem::of(&pages::IDEMPOTENCY_BUSY).retry_after(SignedDuration::from_secs(1))
}

/// Keeps the answer of a success; frees the key after a refusal or a fault that did nothing. An answer that cannot be kept is
/// still given: the mark says done.
pub(crate) async fn finish(edge: &Edge, ctx: &Ctx, mark: &Mark, response: Response) -> Response {
    let success = response.status().is_success();
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, Problem::of(&pages::FAULT)).into_response();
    };
    let outcome = if success {
        keep(edge, ctx, mark, parts.status, &parts.headers, &body).await
    } else {
        let free = vec![store::free_mark(mark)];
        edge.store().housekeeping(ctx, Reason::IdempotencyMark, free).await.map(drop)
    };
    if let Err(fault) = outcome {
        tracing::warn!(request_id = %ctx.request_id, %fault, "an idempotent answer was not kept");
    }
    Response::from_parts(parts, Body::from(body))
}

async fn keep(
    edge: &Edge,
    ctx: &Ctx,
    mark: &Mark,
    status: StatusCode,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<(), StoreFault> {
    let kept_headers = [header::CONTENT_TYPE, header::LOCATION, EVENT_HEADER];
    let headers = kept_headers
        .iter()
        .filter_map(|name| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned())))
        .collect();
    let answer = match std::str::from_utf8(body) {
        Ok(text) if text.len() <= ANSWER_BYTES_MAX => {
            let kept = Kept { status: status.as_u16(), headers, body: text.to_owned() };
            let plain = serde_json::to_vec(&kept).unwrap_or_default();
            Some(edge.store().sealed(ctx, store::mark_answer(&mark.mark_id), &plain).await?)
        }
        Ok(_) | Err(_) => None,
    };
    let stmt = store::keep_answer(mark, answer);
    edge.store().housekeeping(ctx, Reason::IdempotencyMark, vec![stmt]).await.map(drop)
}

fn replay(plain: &[u8]) -> Result<Response, Problem> {
    let kept: Kept = serde_json::from_slice(plain).map_err(|_| Problem::of(&pages::FAULT))?;
    let status = StatusCode::from_u16(kept.status).map_err(|_| Problem::of(&pages::FAULT))?;
    let mut response = (status, kept.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in &kept.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
    Ok(response)
}
