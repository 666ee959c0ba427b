//! The doors of the logs, as C2SP tlog-tiles lays them out: what an outsider needs to check everything.
//!
//! Invariants: a private log answers only a token for that log, or a role in its tenant; an unknown path and a tile past the
//! published size give the same bytes; a path with an escape is never decoded, so it names nothing.

use std::io::Write;

use ::store::LogId;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use edge::extract::Call;
use edge::problem::{Problem, pages};
use flate2::Compression;
use flate2::write::GzEncoder;
use schemars::JsonSchema;
use serde::Serialize;
use tenancy::Permission;
use tlog::tile::{Level, TilePath};

use crate::Audit;
use crate::log::Log;
use crate::proof::ProofAnswer;

/// Longest path of a log door that is looked at: a log id of 64 bytes and a tile path of 96.
const PATH_BYTES_MAX: usize = 192;

/// How long a checkpoint may be taken from a cache: it is replaced twice a second.
const CHECKPOINT_AGE: &str = "max-age=1";

/// How long a tile may be taken from a cache: it never changes.
const TILE_AGE: &str = "max-age=31536000, immutable";

/// How long the keys may be taken from a cache: they change by rotation, which overlaps by days.
const KEYS_AGE: &str = "max-age=300";

/// What a path under a log names.
#[derive(Debug, PartialEq, Eq)]
enum Thing {
    Checkpoint,
    Keys,
    Proof,
    Tile(TilePath),
}

/// `GET /log/{*path}`.
pub(super) async fn read(
    State(audit): State<Audit>,
    call: Call,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let spelled = match tenant_name(uri.path()) {
        Some((name, rest)) => by_id(&call, name, rest).await?,
        None => None,
    };
    let Some((id, thing)) = named(spelled.as_deref().unwrap_or(uri.path())) else { return Ok(not_found()) };
    let Some(log) = audit.log(&id) else { return Ok(not_found()) };
    if thing == Thing::Proof {
        return proof(&audit, &call, &log, uri.query()).await;
    }
    if thing != Thing::Keys && !may_read(&audit, &call, &log).await? {
        let mut problem = Problem::of(&pages::UNAUTHENTICATED);
        problem.challenge = Some(HeaderValue::from_static("Bearer realm=\"tessera\""));
        return Err(problem);
    }
    let is_bundle = matches!(&thing, Thing::Tile(path) if path.level == Level::Entries);
    let found = match thing {
        Thing::Checkpoint => log.published().map(|row| (row.note.clone(), TEXT, CHECKPOINT_AGE)),
        Thing::Keys => Some((keys_text(&log).into_bytes(), TEXT, KEYS_AGE)),
        Thing::Proof => None,
        Thing::Tile(path) => {
            audit.tile(&call.ctx, &log.id, path).await?.map(|bytes| (bytes, OCTETS, TILE_AGE))
        }
    };
    let Some((bytes, media, age)) = found else { return Ok(not_found()) };
    if !is_bundle {
        return Ok(answer(&log, bytes, media, age));
    }
    let packed = if takes_gzip(&headers) { gzip(&bytes) } else { None };
    let is_packed = packed.is_some();
    let mut response = answer(&log, packed.unwrap_or(bytes), media, age);
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if is_packed {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// `?field=` and 64 hexadecimal digits: the proof of the entry that shows this salted field. No token: the value is the right.
async fn proof(audit: &Audit, call: &Call, log: &Log, query: Option<&str>) -> Result<Response, Problem> {
    let field = query.and_then(|query| query.strip_prefix("field=")).filter(|hex| hex.len() == 64);
    let field = field.and_then(|hex| crypto::hex::decode(hex).ok()).and_then(|bytes| bytes.try_into().ok());
    let Some(field) = field else { return Ok(not_found()) };
    match audit.proof_of_field(&call.ctx, log, &field).await? {
        ProofAnswer::Unknown => Ok(not_found()),
        found => super::api::proof_answer(found),
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const OCTETS: &str = "application/octet-stream";

/// What `/.well-known/tessera-ledger` says.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WellKnown {
    /// Origin of the public system log.
    system_origin: String,
    /// Where it is read: `/checkpoint` and `/tile/…` follow.
    url: String,
    /// Its keys, Ed25519 first.
    vkeys: Vec<String>,
    /// Witnesses that cosign it; none yet.
    witnesses: Vec<String>,
    /// Milliseconds between checkpoints of a log that grows.
    checkpoint_ms: u64,
}

/// `GET /.well-known/tessera-ledger`.
pub(super) async fn well_known(State(audit): State<Audit>) -> Result<Json<WellKnown>, Problem> {
    let log = audit.log(&LogId::system()).ok_or_else(|| Problem::of(&pages::NOT_FOUND))?;
    Ok(Json(WellKnown {
        system_origin: log.origin.clone(),
        url: format!("{}/log/{}", audit.config.public_url, log.id),
        vkeys: log.vkeys.iter().map(ToString::to_string).collect(),
        witnesses: Vec::new(),
        checkpoint_ms: audit.config.checkpoint_ms,
    }))
}

/// Reads the path as it came over the wire; `None` for everything that is not exactly one spelling of a thing.
fn named(path: &str) -> Option<(LogId, Thing)> {
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let rest = path.strip_prefix("/log/")?;
    let (id, thing) = if let Some(id) = rest.strip_suffix("/checkpoint") {
        (id, Thing::Checkpoint)
    } else if let Some(id) = rest.strip_suffix("/keys") {
        (id, Thing::Keys)
    } else if let Some(id) = rest.strip_suffix("/proof") {
        (id, Thing::Proof)
    } else {
        let at = rest.find("/tile/")?;
        (&rest[..at], Thing::Tile(TilePath::parse(&rest[at + 1..])?))
    };
    Some((LogId::parse(id)?, thing))
}

/// A tenant's log may be asked for by the tenant's name too: the name, and what follows it. An id (`ten_…`) is no name.
fn tenant_name(path: &str) -> Option<(&str, &str)> {
    let (name, rest) = path.strip_prefix("/log/t/")?.split_once('/')?;
    (path.len() <= PATH_BYTES_MAX && tenancy::tenant::is_name(name)).then_some((name, rest))
}

/// The same path by the tenant's id, which is the log's own.
async fn by_id(call: &Call, name: &str, rest: &str) -> Result<Option<String>, Problem> {
    let found = call.edge().tenancy().tenant_named(&call.ctx, name).await?;
    Ok(found.map(|tenant| format!("/log/t/{}/{rest}", tenant.id)))
}

/// Whether whoever calls may read this log: everybody the system log, else a token of this log, or an auditor of its tenant.
async fn may_read(audit: &Audit, call: &Call, log: &Log) -> Result<bool, Problem> {
    if log.public {
        return Ok(true);
    }
    if call.principal.is_some() {
        return Ok(call.ctx.tenant == log.tenant && call.roles().may(Permission::LedgerRead));
    }
    match &call.bearer {
        Some(bearer) => Ok(audit.token_reads(&call.ctx, bearer.expose(), &log.id).await?),
        None => Ok(false),
    }
}

fn keys_text(log: &Log) -> String {
    log.vkeys.iter().map(|vkey| format!("{vkey}\n")).collect()
}

fn answer(log: &Log, bytes: Vec<u8>, media: &'static str, age: &'static str) -> Response {
    let mut response = bytes.into_response();
    let whose = if log.public { "public" } else { "private" };
    let cache = HeaderValue::from_str(&format!("{whose}, {age}"));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, cache.unwrap_or(HeaderValue::from_static("no-store")));
    if log.public {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        headers.insert(header::VARY, HeaderValue::from_static("Authorization"));
    }
    headers.insert(NOSNIFF, HeaderValue::from_static("nosniff"));
    response
}

const NOSNIFF: HeaderName = header::X_CONTENT_TYPE_OPTIONS;

/// Whether the caller takes gzip. Hashes do not pack, entries halve.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = lists.flat_map(|list| list.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = matches!(weight.replace(' ', "").as_str(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// The same bytes for every thing that is not there.
fn not_found() -> Response {
    let headers = [(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::NOT_FOUND, headers, "not found\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_log_is_known_by_its_name_and_an_id_is_no_name() {
        assert_eq!(tenant_name("/log/t/acme-bank/tile/0/000"), Some(("acme-bank", "tile/0/000")));
        for path in
            ["/log/t/ten_1/keys", "/log/system/keys", "/log/t/acme", "/log/t/../keys", "/log/t/%61b/keys"]
        {
            assert_eq!(tenant_name(path), None, "{path}");
        }
    }

    #[test]
    fn a_path_names_a_log_and_a_thing_in_one_spelling() {
        let id = |text| LogId::parse(text).unwrap();
        let tile = |text| Thing::Tile(TilePath::parse(text).unwrap());
        assert_eq!(named("/log/system/checkpoint"), Some((LogId::system(), Thing::Checkpoint)));
        assert_eq!(named("/log/t/ten_1/keys"), Some((id("t/ten_1"), Thing::Keys)));
        assert_eq!(
            named("/log/house/tile/0/x001/067.p/3"),
            Some((LogId::house(), tile("tile/0/x001/067.p/3")))
        );
        assert_eq!(named("/log/house/tile/entries/000"), Some((LogId::house(), tile("tile/entries/000"))));
    }

    #[test]
    fn escapes_dots_doubled_slashes_and_loose_numbers_name_nothing() {
        for path in [
            "/log/house/../system/checkpoint",
            "/log/house/%2e%2e/system/checkpoint",
            "/log/%68ouse/checkpoint",
            "/log//house/checkpoint",
            "/log/house//checkpoint",
            "/log/house/checkpoint/",
            "/log/checkpoint",
            "/log/house/tile/0/%30%30%30",
            "/log/house/tile/64/000",
            "/log/house/tile/00/000",
            "/log/house/tile/0/x000/000",
            "/log/house/tile/0/0000",
            "/log/house/tile/0/000.p/0",
            "/log/house/tile/0/000.p/256",
            "/log/house/tile/0/000.p/01",
            "/log/house/tile/8/0/000",
            "/log/house/tile/0/../0/000",
            "/log/house/tile/entries/-01",
            "/log/HOUSE/checkpoint",
            "/log/house/policy",
        ] {
            assert_eq!(named(path), None, "{path}");
        }
        assert_eq!(named(&format!("/log/{}/checkpoint", "a".repeat(PATH_BYTES_MAX))), None);
    }
}
