//! Our own API: document seals; and the public lists of those that count no more.

use super::refusal;
use super::wire::{
    CheckView, InspectForm, Inspection, IssuedSeal, ReasonForm, SealForm, SealView, tenant, word,
};
use crate::Idp;
use crate::page;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use crypto::base64;
use edge::cursor::{Listing, PageQuery};
use edge::problem::pages;
use edge::{Answer, Body, Call, Done, Door, Doors, Path, Permission, Problem, Query, Who};
use seal::vds::SEAL_BYTES_MAX;

/// Bytes of a form: a seal of 4 KiB with a face, in base64url.
const FORM_BYTES_MAX: usize = 16 << 10;
/// The media type of a signed list (Token Status List, 8.1).
const LIST_MEDIA_TYPE: &str = "application/statuslist+jwt";

pub(super) fn doors() -> Doors<Idp> {
    let read = Who::Role(Permission::DocumentSealsRead);
    let issue = Who::Role(Permission::DocumentSealsIssue);
    Doors::new()
        .door(
            Door::post("/api/v1/document-seals")
                .operation("issueDocumentSeal")
                .summary("Issues a document seal for a person; what it says is not kept")
                .who(issue)
                .body::<SealForm>(FORM_BYTES_MAX)
                .answer::<IssuedSeal>(201, "the seal, shown this once")
                .problems(&[&page::SIGNER_EXPIRING])
                .idempotent(),
            create,
        )
        .door(
            Door::get("/api/v1/document-seals")
                .operation("listDocumentSeals")
                .summary("Lists document seals in order of their making, without what they say")
                .who(read)
                .query::<PageQuery>()
                .answer::<Listing<SealView>>(200, "a page of document seals"),
            list,
        )
        .door(
            Door::get("/api/v1/document-seals/{id}")
                .operation("showDocumentSeal")
                .summary("Shows whether a document seal counts")
                .who(read)
                .answer::<SealView>(200, "the document seal"),
            show,
        )
        .door(
            Door::post("/api/v1/document-seals/{id}/revoke")
                .operation("revokeDocumentSeal")
                .summary("Revokes a document seal for ever")
                .who(issue)
                .body::<ReasonForm>(FORM_BYTES_MAX)
                .empty(204, "it is revoked")
                .problems(&[&page::REVOKED_IS_FINAL]),
            revoke,
        )
        .door(
            Door::post("/api/v1/document-seals/inspect")
                .operation("inspectDocumentSeal")
                .summary("Checks a document seal and tells each check; what it says is not told")
                .who(read)
                .body::<InspectForm>(FORM_BYTES_MAX)
                .answer::<Inspection>(200, "the checks"),
            inspect,
        )
        .door(
            Door::get("/t/{tenant}/seal/status/{list}")
                .operation("fetchSealStatusList")
                .summary("A signed list of document seals that count no more (Token Status List)")
                .who(Who::Tenant)
                .answer_of(200, LIST_MEDIA_TYPE, "the list")
                .problems(&[&page::SIGNER_EXPIRING])
                .cors(),
            status_list,
        )
}

async fn create(
    State(idp): State<Idp>,
    call: Call,
    Body(form): Body<SealForm>,
) -> Result<Answer<IssuedSeal>, Problem> {
    let new = form.accept()?;
    let tenant = tenant(&call).await?;
    let mark = call.mark.as_ref().map(edge::idempotency::Mark::close);
    let (issued, committed) = idp.issue_seal(&call.ctx, &tenant, &new, mark).await.map_err(refusal::seal)?;
    Ok(Answer::created(issued.into()).event(&committed))
}

async fn list(
    State(idp): State<Idp>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<SealView>>, Problem> {
    let page = query.page()?;
    let found = idp.seals(&call.ctx, &page.after, page.read_limit()).await?;
    let items = found.into_iter().map(SealView::from).collect();
    Ok(Listing::answer(items, &page, "/api/v1/document-seals", |item| item.after.clone()))
}

async fn show(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<SealView>, Problem> {
    let found = idp.seal_row(&call.ctx, &id).await?;
    Ok(Answer::ok(found.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?.into()))
}

async fn revoke(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
    Body(form): Body<ReasonForm>,
) -> Result<Done, Problem> {
    let reason = word(form.reason)?;
    Ok(Done(idp.revoke_seal(&call.ctx, &id, &reason).await.map_err(refusal::seal)?))
}

async fn inspect(
    State(idp): State<Idp>,
    call: Call,
    Body(form): Body<InspectForm>,
) -> Result<Answer<Inspection>, Problem> {
    let bytes = base64::url_decode(&form.seal).ok().filter(|bytes| bytes.len() <= SEAL_BYTES_MAX);
    let bytes = bytes
        .ok_or_else(|| Problem::of(&pages::INVALID).at("/seal", "is base64url of at most 4096 bytes"))?;
    let checks = idp.inspected(&call.ctx, &bytes).await?;
    let ok = checks.iter().all(|check| check.ok);
    let told =
        |check: crate::document::Check| CheckView { check: check.check, ok: check.ok, code: check.code };
    Ok(Answer::ok(Inspection { ok, checks: checks.into_iter().map(told).collect() }))
}

async fn status_list(
    State(idp): State<Idp>,
    call: Call,
    Path((_, list)): Path<(String, i64)>,
) -> Result<impl IntoResponse, Problem> {
    let token = idp.seal_list(&call.ctx, call.tenant_name(), list).await.map_err(refusal::seal)?;
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, LIST_MEDIA_TYPE), (header::CACHE_CONTROL, "public, max-age=300")];
    Ok((headers, token))
}
