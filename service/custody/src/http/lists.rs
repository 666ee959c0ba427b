//! `/api/v1/trust-lists`: lists of trusted entities that the tenant believes.

use axum::extract::State as Room;
use crypto::hex;
use edge::door::BODY_BYTES_MAX;
use edge::problem::pages as common;
use edge::{Answer, Body, Call, Done, Door, Doors, MaybeBody, Path, Permission, Problem, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pages;
use crate::trust_list::{KnownList, Source, TrustLists};

const READ: Who = Who::Role(Permission::TrustAnchorsRead);
const ADMIN: Who = Who::Role(Permission::TrustAnchorsAdmin);

pub(super) fn doors() -> Doors<TrustLists> {
    Doors::new()
        .door(
            Door::post("/api/v1/trust-lists")
                .operation("importTrustList")
                .summary("Believes whom a signed list of trusted entities names (ETSI TS 119 602)")
                .who(ADMIN)
                .body::<ListForm>(BODY_BYTES_MAX)
                .answer::<ListView>(201, "The list")
                .problems(&[&pages::LIST_REFUSED, &pages::LIST_UNREACHABLE, &pages::LIST_KNOWN]),
            import,
        )
        .door(
            Door::get("/api/v1/trust-lists")
                .operation("listTrustLists")
                .summary("Every trust list of the tenant, the oldest first")
                .who(READ)
                .answer::<ListPage>(200, "The lists"),
            list,
        )
        .door(
            Door::get("/api/v1/trust-lists/{id}")
                .operation("showTrustList")
                .summary("One trust list")
                .who(READ)
                .answer::<ListView>(200, "The list"),
            show,
        )
        .door(
            Door::post("/api/v1/trust-lists/{id}/renew")
                .operation("renewTrustList")
                .summary("Takes a newer release in: the one in the body, or the one at the list's address")
                .who(ADMIN)
                .optional_body::<RenewForm>(BODY_BYTES_MAX)
                .answer::<ListView>(200, "The list as it stands now")
                .problems(&[&pages::LIST_REFUSED, &pages::LIST_UNREACHABLE, &pages::LIST_NOT_NEWER]),
            renew,
        )
        .door(
            Door::delete("/api/v1/trust-lists/{id}")
                .operation("removeTrustList")
                .summary("Believes a list no more, nor anybody whom it alone names")
                .who(ADMIN)
                .empty(204, "Removed"),
            remove,
        )
}

/// A list to believe: exactly one of `uri` and `signed`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListForm {
    /// An https address; newer releases are fetched from there every day.
    #[schemars(length(max = 2048))]
    uri: Option<String>,
    /// The signed list (JAdES in compact form); newer releases are brought.
    signed: Option<String>,
    /// Which types the issuers of the list may issue: each a `vct` or doctype, or the beginning of one and `*`.
    #[serde(default)]
    #[schemars(length(max = 64))]
    types: Vec<String>,
}

/// A newer release.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RenewForm {
    /// The signed list.
    signed: Option<String>,
}

/// A trust list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TrustList")]
struct ListView {
    /// `tls_…`.
    id: String,
    /// Where newer releases come from.
    uri: Option<String>,
    /// The operator of its scheme.
    operator: Option<String>,
    /// `LoTEType`.
    kind: Option<String>,
    /// Its territory.
    territory: Option<String>,
    /// `LoTESequenceNumber`.
    sequence: u64,
    /// SHA-256 of the signed list, hexadecimal.
    sha256: String,
    /// When its signer will have replaced it.
    next_update: Option<String>,
    /// Which types its issuers may issue.
    types: Vec<String>,
    /// How many certificates it vouches for.
    anchors: u64,
    /// How many of its services vouch for nobody here: of another kind, withdrawn, or without a certificate.
    skipped: u64,
    /// When this release was taken in.
    imported_at: String,
    /// When a newer one was last looked for.
    checked_at: String,
    /// Why that look brought nothing.
    fault: Option<String>,
}

/// Trust lists.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TrustListList")]
struct ListPage {
    /// The oldest first.
    items: Vec<ListView>,
    /// Null: all fit one page.
    next: Option<String>,
}

impl From<&KnownList> for ListView {
    fn from(known: &KnownList) -> Self {
        let read = known.read();
        let fault = read.as_ref().err().map(ToString::to_string).or_else(|| known.fault.clone());
        let list = read.ok();
        let list = list.as_ref();
        Self {
            id: known.id.clone(),
            uri: known.uri.clone(),
            operator: list.map(|list| list.operator.clone()),
            kind: list.and_then(|list| list.kind.clone()),
            territory: list.and_then(|list| list.territory.clone()),
            sequence: known.sequence,
            sha256: hex::encode(&known.sha256),
            next_update: list.map(|list| list.next_update.to_string()),
            types: known.types.clone(),
            anchors: list.map_or(0, |list| list.entries.len() as u64),
            skipped: list.map_or(0, |list| list.skipped),
            imported_at: known.imported_at.to_string(),
            checked_at: known.checked_at.to_string(),
            fault,
        }
    }
}

/// `POST /api/v1/trust-lists`.
async fn import(
    Room(lists): Room<TrustLists>,
    call: Call,
    Body(body): Body<ListForm>,
) -> Result<Answer<ListView>, Problem> {
    let source = match (body.uri, body.signed) {
        (Some(uri), None) => Source::Uri(uri),
        (None, Some(signed)) => Source::Signed(signed),
        _ => return Err(Problem::of(&common::INVALID).at("", "has exactly one of uri and signed")),
    };
    let (list, committed) = lists.import(&call.ctx, source, body.types).await?;
    Ok(Answer::created(ListView::from(&list)).event(&committed))
}

/// `GET /api/v1/trust-lists`.
async fn list(Room(lists): Room<TrustLists>, call: Call) -> Result<Answer<ListPage>, Problem> {
    let all = lists.all(&call.ctx).await?;
    Ok(Answer::ok(ListPage { items: all.iter().map(ListView::from).collect(), next: None }))
}

/// `GET /api/v1/trust-lists/{id}`.
async fn show(
    Room(lists): Room<TrustLists>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<ListView>, Problem> {
    Ok(Answer::ok(ListView::from(&lists.one(&call.ctx, &id).await?)))
}

/// `POST /api/v1/trust-lists/{id}/renew`.
async fn renew(
    Room(lists): Room<TrustLists>,
    call: Call,
    Path(id): Path<String>,
    MaybeBody(body): MaybeBody<RenewForm>,
) -> Result<Answer<ListView>, Problem> {
    let brought = body.and_then(|body| body.signed);
    let (list, committed) = lists.renew(&call.ctx, &id, brought).await?;
    let answer = Answer::ok(ListView::from(&list));
    Ok(match &committed {
        Some(committed) => answer.event(committed),
        None => answer,
    })
}

/// `DELETE /api/v1/trust-lists/{id}`.
async fn remove(Room(lists): Room<TrustLists>, call: Call, Path(id): Path<String>) -> Result<Done, Problem> {
    Ok(Done(lists.remove(&call.ctx, &id).await?))
}
