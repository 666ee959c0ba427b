//! Our own API: offers, credentials, types, lists. Four doors have a second, published name.

use super::refusal;
use super::wire::{
    CredentialItem, IssueRequest, ListItem, OfferAnswer, OfferItem, RevokeRequest, StatusAnswer, TypeAnswer,
};
use crate::Issuer;
use crate::page;
use crate::qr;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use edge::cursor::{Listing, PageQuery};
use edge::problem::pages;
use edge::{Answer, Body, Call, Done, Door, Doors, MaybeBody, Path, Permission, Problem, Query, Who};

/// Bytes of an issuing request: a dataset with a portrait.
const ISSUE_BYTES_MAX: usize = 512 << 10;
/// The media type of an offer's picture.
const QR_MEDIA: &str = "image/svg+xml";
/// Bytes of a revocation: two short members.
const REVOKE_BYTES_MAX: usize = 4 << 10;

pub(super) fn doors() -> Doors<Issuer> {
    offers().and(credentials()).and(lists())
}

fn offers() -> Doors<Issuer> {
    let issue = |path, operation| {
        Door::post(path)
            .operation(operation)
            .summary("Offers a credential: a link that one wallet redeems once")
            .who(Who::Role(Permission::CredentialsIssue))
            .body::<IssueRequest>(ISSUE_BYTES_MAX)
            .answer::<OfferAnswer>(201, "the offer with its links")
            .problems(&[
                &page::UNKNOWN_CONFIGURATION,
                &page::CLAIMS_INVALID,
                &page::FORMAT_MISMATCH,
                &page::NOT_OFFERED,
                &page::SIGNER_EXPIRING,
                &page::SIGNER_UNAVAILABLE,
            ])
            .idempotent()
    };
    let show = |path, operation| {
        Door::get(path)
            .operation(operation)
            .summary("Shows an offer, with its links while it is open")
            .who(Who::Role(Permission::CredentialsRead))
            .answer::<OfferAnswer>(200, "the offer")
            .answer_of(200, QR_MEDIA, "its link as a QR code, where Accept asks for one")
            .problems(&[&page::OFFER_GONE])
    };
    Doors::new()
        .door(issue("/api/v1/credentials/issue", "issueCredential"), create_offer)
        .door(issue("/api/v1/offers", "createOffer"), create_offer)
        .door(show("/api/v1/credentials/offer/{id}", "showCredentialOffer"), show_offer)
        .door(show("/api/v1/offers/{id}", "showOffer"), show_offer)
        .door(
            Door::get("/api/v1/offers")
                .operation("listOffers")
                .summary("Lists offers in order of their making")
                .who(Who::Role(Permission::CredentialsRead))
                .query::<PageQuery>()
                .answer::<Listing<OfferItem>>(200, "a page of offers"),
            list_offers,
        )
        .door(
            Door::delete("/api/v1/offers/{id}")
                .operation("cancelOffer")
                .summary("Ends an offer that was not redeemed")
                .who(Who::Role(Permission::CredentialsIssue))
                .empty(204, "the offer is cancelled")
                .problems(&[&page::OFFER_GONE]),
            cancel_offer,
        )
}

fn credentials() -> Doors<Issuer> {
    Doors::new()
        .door(
            Door::get("/api/v1/credentials")
                .operation("listCredentials")
                .summary("Lists credentials in order of their making")
                .who(Who::Role(Permission::CredentialsRead))
                .query::<PageQuery>()
                .answer::<Listing<CredentialItem>>(200, "a page of credentials"),
            list_credentials,
        )
        .door(
            Door::get("/api/v1/credentials/{id}/status")
                .operation("showCredentialStatus")
                .summary("Shows the status of a credential and of each copy")
                .who(Who::Role(Permission::CredentialsRead))
                .answer::<StatusAnswer>(200, "the status"),
            show_status,
        )
        .door(
            Door::post("/api/v1/credentials/{id}/revoke")
                .operation("revokeCredential")
                .summary("Takes a credential back, for good; an open offer of it is cancelled")
                .who(Who::Role(Permission::CredentialsIssue))
                .optional_body::<RevokeRequest>(REVOKE_BYTES_MAX)
                .answer::<StatusAnswer>(200, "the status, the second time too")
                .problems(&[&page::NOT_OFFERED])
                .idempotent(),
            revoke,
        )
}

fn lists() -> Doors<Issuer> {
    Doors::new()
        .door(
            Door::get("/api/v1/credential-types")
                .operation("listCredentialTypes")
                .summary("Lists the credential types of this tenant")
                .who(Who::Role(Permission::CredentialsRead))
                .query::<PageQuery>()
                .answer::<Listing<TypeAnswer>>(200, "a page of types"),
            list_types,
        )
        .door(
            Door::get("/api/v1/credential-types/{name}")
                .operation("showCredentialType")
                .summary("Shows a credential type and its claims")
                .who(Who::Role(Permission::CredentialsRead))
                .answer::<TypeAnswer>(200, "the type"),
            show_type,
        )
        .door(
            Door::get("/api/v1/status-lists")
                .operation("listStatusLists")
                .summary("Lists the published status lists")
                .who(Who::Role(Permission::CredentialsRead))
                .query::<PageQuery>()
                .answer::<Listing<ListItem>>(200, "a page of status lists"),
            list_lists,
        )
}

async fn create_offer(
    State(issuer): State<Issuer>,
    call: Call,
    Body(request): Body<IssueRequest>,
) -> Result<Answer<OfferAnswer>, Problem> {
    request.refuse_what_is_not_offered()?;
    let tenant = tenant(&call).await?;
    let mark = call.mark.as_ref().map(edge::idempotency::Mark::close);
    let (offered, committed) =
        issuer.offer(&call.ctx, &tenant, request.into(), mark).await.map_err(refusal::offer)?;
    Ok(Answer::created(offered.into()).event(&committed))
}

async fn show_offer(
    State(issuer): State<Issuer>,
    call: Call,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let tenant = tenant(&call).await?;
    let offered = issuer.offered(&call.ctx, &tenant, &id).await.map_err(refusal::offer)?;
    let Some(links) = &offered.links else {
        return Err(Problem::of(&page::OFFER_GONE).detail(format!("the offer is {}", offered.state)));
    };
    let picture = wants_picture(&headers).then(|| qr::svg(&links.offer_uri)).flatten();
    Ok(match picture {
        Some(picture) => ([(header::CONTENT_TYPE, QR_MEDIA)], picture).into_response(),
        None => Answer::<OfferAnswer>::ok(offered.into()).into_response(),
    })
}

/// Whether `Accept` names the picture before JSON.
fn wants_picture(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let first = |media: &str| accept.find(media).unwrap_or(usize::MAX);
    first(QR_MEDIA) < first("application/json")
}

async fn list_offers(
    State(issuer): State<Issuer>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<OfferItem>>, Problem> {
    let page = query.page()?;
    let rows = issuer.offers(&call.ctx, &page.after, page.read_limit()).await?;
    let items = rows.into_iter().map(|row| OfferItem::of(row, call.ctx.now)).collect();
    Ok(Listing::answer(items, &page, "/api/v1/offers", |item| item.after.clone()))
}

async fn cancel_offer(
    State(issuer): State<Issuer>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Done, Problem> {
    Ok(Done(issuer.cancel(&call.ctx, &id).await.map_err(refusal::offer)?))
}

async fn list_credentials(
    State(issuer): State<Issuer>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<CredentialItem>>, Problem> {
    let page = query.page()?;
    let rows = issuer.credentials(&call.ctx, &page.after, page.read_limit()).await?;
    let items = rows.into_iter().map(|row| CredentialItem::of(&issuer, row, call.ctx.now)).collect();
    Ok(Listing::answer(items, &page, "/api/v1/credentials", |item| item.after.clone()))
}

async fn show_status(
    State(issuer): State<Issuer>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<StatusAnswer>, Problem> {
    let tenant = tenant(&call).await?;
    let status = issuer.status(&call.ctx, &id).await.map_err(refusal::revoke)?;
    Ok(Answer::ok(StatusAnswer::of(&issuer, &tenant, status, call.ctx.now)))
}

async fn revoke(
    State(issuer): State<Issuer>,
    call: Call,
    Path(id): Path<String>,
    MaybeBody(request): MaybeBody<RevokeRequest>,
) -> Result<Answer<StatusAnswer>, Problem> {
    let request = request.unwrap_or_default();
    request.refuse_what_is_not_offered()?;
    let tenant = tenant(&call).await?;
    let mark = call.mark.as_ref().map(edge::idempotency::Mark::close);
    let reason = request.reason.unwrap_or_default();
    let (status, committed) =
        issuer.revoke(&call.ctx, &tenant, &id, reason, mark).await.map_err(refusal::revoke)?;
    let answer = Answer::ok(StatusAnswer::of(&issuer, &tenant, status, call.ctx.now));
    Ok(match committed {
        Some(committed) => answer.event(&committed),
        None => answer,
    })
}

async fn list_types(
    State(issuer): State<Issuer>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<TypeAnswer>>, Problem> {
    let page = query.page()?;
    let kinds = issuer.kinds(&call.ctx, &page.after.id, page.read_limit()).await?;
    let items = kinds.into_iter().map(TypeAnswer::from).collect();
    Ok(Listing::answer(items, &page, "/api/v1/credential-types", |item| item.after.clone()))
}

async fn show_type(
    State(issuer): State<Issuer>,
    call: Call,
    Path(name): Path<String>,
) -> Result<Answer<TypeAnswer>, Problem> {
    let kind = issuer.kind(&call.ctx, &name).await?.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?;
    Ok(Answer::ok(kind.as_ref().clone().into()))
}

async fn list_lists(
    State(issuer): State<Issuer>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<ListItem>>, Problem> {
    let page = query.page()?;
    let tenant = tenant(&call).await?;
    let rows = issuer.lists(&call.ctx, page.after.id.parse().unwrap_or(-1), page.read_limit()).await?;
    let items = rows.into_iter().map(|row| ListItem::of(&issuer, &tenant, row)).collect();
    Ok(Listing::answer(items, &page, "/api/v1/status-lists", |item| item.after.clone()))
}

/// The name of the caller's tenant, which stands in every identifier of its issuer.
async fn tenant(call: &Call) -> Result<String, Problem> {
    let found = call.edge().tenancy().tenant(&call.ctx, &call.ctx.tenant).await?;
    found.map(|tenant| tenant.name).ok_or_else(|| Problem::of(&pages::NOT_FOUND))
}
