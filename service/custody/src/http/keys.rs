//! `/api/v1/keys`: made, listed, shown, changed; who used one.

use axum::extract::State as Room;
use axum::http::{HeaderMap, header};
use edge::cursor::{self, Listing};
use edge::door::BODY_BYTES_MAX;
use edge::idempotency::Mark;
use edge::problem::pages as common;
use edge::{Answer, Body, Call, Door, Doors, Path, Permission, Problem, Query, Who};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::EventId;
use tenancy::After;

use super::pages;
use super::view::{KeyView, RotationForm};
use crate::Custody;
use crate::access::Access;
use crate::key::{Key, KeyFilter, Page};
use crate::make::{ApiKey, KeyChange};
use crate::state::State;

const READ: Who = Who::Role(Permission::KeysRead);
const ADMIN: Who = Who::Role(Permission::KeysAdmin);

pub(super) fn doors() -> Doors<Custody> {
    Doors::new()
        .door(
            Door::post("/api/v1/keys")
                .operation("createKey")
                .summary("Makes a signing key with one active version")
                .who(ADMIN)
                .body::<CreateKey>(BODY_BYTES_MAX)
                .answer::<KeyView>(201, "The key")
                .problems(&[&pages::ALG_MISMATCH, &pages::KEEPER_UNAVAILABLE, &pages::STATE])
                .idempotent(),
            create,
        )
        .door(
            Door::get("/api/v1/keys")
                .operation("listKeys")
                .summary("A page of the tenant's keys, the oldest first")
                .who(READ)
                .query::<KeysQuery>()
                .answer::<Listing<KeyView>>(200, "The page"),
            list,
        )
        .door(
            Door::get("/api/v1/keys/{id}")
                .operation("showKey")
                .summary("One key with its versions")
                .who(READ)
                .answer::<KeyView>(200, "The key")
                .problems(&[&pages::NOT_FOUND]),
            show,
        )
        .door(
            Door::patch("/api/v1/keys/{id}")
                .operation("changeKey")
                .summary("Changes label and rotation of a key")
                .who(ADMIN)
                .body::<ChangeKey>(BODY_BYTES_MAX)
                .answer::<KeyView>(200, "The key")
                .problems(&[&pages::NOT_FOUND, &pages::STATE, &pages::STALE, &pages::USE_REFUSED]),
            change,
        )
        .door(
            Door::get("/api/v1/keys/{id}/accesses")
                .operation("listKeyAccesses")
                .summary("Who used a key and what was refused, the newest first")
                .who(Who::Role(Permission::KeysAccesses))
                .query::<cursor::PageQuery>()
                .answer::<Listing<AccessView>>(200, "The page; it may be short and still have a next one")
                .problems(&[&pages::NOT_FOUND]),
            accesses,
        )
}

/// A new key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    /// `p256` (`ES256`), `p384` (`ES384`), `rsa2048`, `rsa3072` (`PS256`), `rsa4096`, `ed25519` (`EdDSA`), `secp256k1` (`ES256K`).
    alg: String,
    /// 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    label: String,
    /// `jws:TYP`, `jws:*`, `jws-rs256:TYP`, `cose:CONTENT-TYPE`, `x509:ca`; `x509:csr` may join any.
    #[schemars(length(min = 1, max = 16))]
    uses: Vec<String>,
    /// Where it is to live: `software`.
    #[serde(default)]
    keeper: Option<String>,
    /// When it gets a new version; the instance's defaults where nothing is said.
    #[serde(default)]
    rotation: RotationForm,
}

/// What is changed of a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeKey {
    /// A new label.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    label: Option<String>,
    /// Members of the rotation policy that change.
    #[serde(default)]
    rotation: Option<RotationForm>,
}

/// Which keys a list shows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeysQuery {
    /// Only in this state.
    state: Option<String>,
    /// Only of this algorithm.
    alg: Option<String>,
    /// Only with exactly this label.
    label: Option<String>,
    /// Rows of the page, 1 to 200; 50 where none is given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// One use of a key.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "KeyAccess")]
struct AccessView {
    /// The event that tells of it, `evt_…`; the ledger shows its index and proof.
    event: String,
    /// Type of the event.
    #[serde(rename = "type")]
    event_type: String,
    /// When.
    at: String,
    /// Who asked for it; null if that was erased.
    actor: Option<String>,
    /// The request, if the event names it.
    request: Option<String>,
    /// The container of the key's uses.
    container: String,
    /// The version that signed; 0 for a refusal.
    version: u64,
    /// Signatures made; 0 for a refusal.
    count: u64,
    /// `done` or `refused`.
    outcome: String,
}

/// `POST /api/v1/keys`.
async fn create(
    Room(custody): Room<Custody>,
    call: Call,
    Body(body): Body<CreateKey>,
) -> Result<Answer<KeyView>, Problem> {
    let new = ApiKey {
        label: body.label,
        alg: body.alg,
        uses: body.uses,
        keeper: body.keeper,
        rotation: body.rotation.over(custody.config().rotation),
    };
    let mark = call.mark.as_ref().map(Mark::close);
    let (key, committed) = custody.create_key(&call.ctx, new, mark).await?;
    Ok(shown(Answer::created, &key, call.ctx.now).event(&committed))
}

/// `GET /api/v1/keys`.
async fn list(
    Room(custody): Room<Custody>,
    call: Call,
    Query(query): Query<KeysQuery>,
) -> Result<Answer<Listing<KeyView>>, Problem> {
    let page = cursor::page(query.limit, query.after.as_deref())?;
    let filter = filter(query)?;
    let rows = Page { after: behind(&page.after), limit: page.read_limit() };
    let keys = custody.keys(&call.ctx, &filter, &rows).await?;
    let views = keys.iter().map(|key| KeyView::of(key, call.ctx.now)).collect();
    Ok(Listing::answer(views, &page, "/api/v1/keys", |view| view.after.clone().unwrap_or(After::start())))
}

/// `GET /api/v1/keys/{id}`.
async fn show(
    Room(custody): Room<Custody>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<KeyView>, Problem> {
    Ok(shown(Answer::ok, &custody.key(&call.ctx, &id).await?, call.ctx.now))
}

/// `PATCH /api/v1/keys/{id}`.
async fn change(
    Room(custody): Room<Custody>,
    call: Call,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body<ChangeKey>,
) -> Result<Answer<KeyView>, Problem> {
    let known = custody.key(&call.ctx, &id).await?;
    let change = KeyChange {
        label: body.label,
        rotation: body.rotation.map(|form| form.over(known.policy)),
        revision: if_match(&headers, known.revision),
    };
    let (key, committed) = custody.change_key(&call.ctx, &id, change).await?;
    Ok(shown(Answer::ok, &key, call.ctx.now).event(&committed))
}

/// `GET /api/v1/keys/{id}/accesses`.
async fn accesses(
    Room(custody): Room<Custody>,
    call: Call,
    Path(id): Path<String>,
    Query(query): Query<cursor::PageQuery>,
) -> Result<Answer<Listing<AccessView>>, Problem> {
    let page = query.page()?;
    let after = behind(&page.after).and_then(|(at_ms, id)| Some((at_ms, EventId::parse(&id)?)));
    let found = custody.accesses(&call.ctx, &id, after, page.limit).await?;
    let container = custody.key(&call.ctx, &id).await?.uses.container().as_str();
    let next = found.next.map(|(at_ms, event)| cursor::encode(&After { at_ms, id: event.to_string() }));
    let items = found.items.into_iter().map(|access| AccessView::of(access, container)).collect();
    Ok(Answer::ok(Listing { items, next }))
}

impl AccessView {
    fn of(access: Access, container: &str) -> Self {
        Self {
            event: access.event.to_string(),
            event_type: access.event_type,
            at: Timestamp::from_millisecond(access.at_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
            actor: access.actor,
            request: access.request,
            container: container.to_owned(),
            version: access.version,
            count: access.count,
            outcome: access.outcome.to_owned(),
        }
    }
}

/// A key with its revision as ETag.
pub(super) fn shown(answer: fn(KeyView) -> Answer<KeyView>, key: &Key, now: Timestamp) -> Answer<KeyView> {
    answer(KeyView::of(key, now)).header(header::ETAG, &format!("\"{}\"", key.revision))
}

/// The revision that `If-Match` asks for; `*` and its absence ask for any. What is no ETag of ours is no revision of the key.
fn if_match(headers: &HeaderMap, known: i64) -> Option<i64> {
    let wanted = headers.get(header::IF_MATCH)?.to_str().unwrap_or_default();
    let is_match =
        wanted.split(',').any(|tag| matches!(tag.trim(), "*") || tag.trim() == format!("\"{known}\""));
    (!is_match).then_some(known - 1)
}

fn filter(query: KeysQuery) -> Result<KeyFilter, Problem> {
    let invalid = |at: &str, rule: &str| Problem::of(&common::INVALID_QUERY).at(at, rule);
    let state = match query.state {
        Some(text) => {
            let rule = "must be pending, active, frozen, retired, compromised or destroyed";
            Some(State::parse(&text).ok_or_else(|| invalid("?state", rule))?)
        }
        None => None,
    };
    let alg = match query.alg {
        Some(text) => Some(text.parse().map_err(|_| invalid("?alg", "must be an algorithm, as p256"))?),
        None => None,
    };
    Ok(KeyFilter { state, alg, label: query.label })
}

fn behind(after: &After) -> Option<(i64, String)> {
    (!after.id.is_empty()).then(|| (after.at_ms, after.id.clone()))
}
