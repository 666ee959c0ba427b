//! Our own API: verifications. Two doors have a second, published name.

use super::refusal;
use super::wire::{ReturnRequest, VerificationAnswer, VerificationItem, VerificationRequest, WaitQuery};
use crate::Verifier;
use crate::page;
use crate::result::WAIT_S_MAX;
use axum::extract::State;
use edge::cursor::{Listing, PageQuery};
use edge::problem::pages;
use edge::{Answer, Body, Call, Done, Door, Doors, Path, Permission, Problem, Query, Who};
use std::time::Duration;

/// Bytes of a request: a query of 32 KiB, pretty-printed, and a few short members.
const REQUEST_BYTES_MAX: usize = 64 << 10;

/// Bytes of a code and its braces.
const RETURN_BYTES_MAX: usize = 1 << 10;

pub(super) fn doors() -> Doors<Verifier> {
    let ask = |path, operation| {
        Door::post(path)
            .operation(operation)
            .summary("Asks a wallet for a credential: a link that is answered once")
            .who(Who::Role(Permission::VerificationsRequest))
            .body::<VerificationRequest>(REQUEST_BYTES_MAX)
            .answer::<VerificationAnswer>(201, "the request with its links")
            .problems(&[
                &page::QUERY_INVALID,
                &page::NOT_OFFERED,
                &page::HAIP_FORBIDS,
                &page::UNKNOWN_QUERY,
                &page::UNKNOWN_TRANSACTION_TYPE,
                &page::RETURN_URI_INVALID,
                &page::SIGNER_EXPIRING,
            ])
            .idempotent()
    };
    let show = |path, operation| {
        Door::get(path)
            .operation(operation)
            .summary("Shows where a verification stands, with its claims while they are kept")
            .who(Who::Role(Permission::VerificationsRead))
            .query::<WaitQuery>()
            .answer::<VerificationAnswer>(200, "the verification")
            .problems(&[&page::RESULT_ERASED])
    };
    let take = |path, operation| {
        Door::post(path)
            .operation(operation)
            .summary("Takes the code that the browser brought back, in the session of its user; the claims are released")
            .who(Who::Role(Permission::VerificationsRequest))
            .body::<ReturnRequest>(RETURN_BYTES_MAX)
            .answer::<VerificationAnswer>(200, "the verification")
            .problems(&[&page::RETURN_REFUSED, &page::RESULT_ERASED])
    };
    Doors::new()
        .door(take("/api/v1/verification/{id}/return", "returnVerification"), returned)
        .door(take("/api/v1/verifications/{id}/return", "completeVerification"), returned)
        .door(ask("/api/v1/verification/request", "requestVerification"), create)
        .door(ask("/api/v1/verifications", "createVerification"), create)
        .door(show("/api/v1/verification/{id}", "readVerification"), show_one)
        .door(show("/api/v1/verifications/{id}", "showVerification"), show_one)
        .door(
            Door::get("/api/v1/verifications")
                .operation("listVerifications")
                .summary("Lists verifications in order of their making")
                .who(Who::Role(Permission::VerificationsRead))
                .query::<PageQuery>()
                .answer::<Listing<VerificationItem>>(200, "a page of verifications"),
            list,
        )
        .door(
            Door::delete("/api/v1/verifications/{id}")
                .operation("deleteVerification")
                .summary("Ends a verification and erases its claims and report at once")
                .who(Who::Role(Permission::VerificationsRequest))
                .empty(204, "it is erased")
                .problems(&[&page::RESULT_ERASED]),
            delete,
        )
}

async fn create(
    State(verifier): State<Verifier>,
    call: Call,
    Body(request): Body<VerificationRequest>,
) -> Result<Answer<VerificationAnswer>, Problem> {
    let asked = request.accept()?;
    let tenant = tenant(&call).await?;
    let mark = call.mark.as_ref().map(edge::idempotency::Mark::close);
    let (requested, committed) =
        verifier.request(&call.ctx, &tenant, asked, mark).await.map_err(refusal::request)?;
    Ok(Answer::created(requested.into()).event(&committed))
}

async fn show_one(
    State(verifier): State<Verifier>,
    call: Call,
    Path(id): Path<String>,
    Query(query): Query<WaitQuery>,
) -> Result<Answer<VerificationAnswer>, Problem> {
    let wait = wait(&query)?;
    let tenant = tenant(&call).await?;
    let standing = verifier.standing(&call.ctx, &tenant, &id, wait, call.edge().clock()).await;
    Ok(Answer::ok(standing.map_err(refusal::result)?.into()))
}

async fn returned(
    State(verifier): State<Verifier>,
    call: Call,
    Path(id): Path<String>,
    Body(request): Body<ReturnRequest>,
) -> Result<Answer<VerificationAnswer>, Problem> {
    let tenant = tenant(&call).await?;
    verifier.returned(&call.ctx, &id, &request.response_code).await.map_err(refusal::returned)?;
    let standing = verifier.standing(&call.ctx, &tenant, &id, Duration::ZERO, call.edge().clock()).await;
    Ok(Answer::ok(standing.map_err(refusal::result)?.into()))
}

async fn list(
    State(verifier): State<Verifier>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<VerificationItem>>, Problem> {
    let page = query.page()?;
    let rows = verifier.verifications(&call.ctx, &page.after, page.read_limit()).await?;
    let items = rows.into_iter().map(|row| VerificationItem::of(row, call.ctx.now)).collect();
    Ok(Listing::answer(items, &page, "/api/v1/verifications", |item| item.after.clone()))
}

async fn delete(
    State(verifier): State<Verifier>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Done, Problem> {
    Ok(Done(verifier.delete(&call.ctx, &id).await.map_err(refusal::result)?))
}

fn wait(query: &WaitQuery) -> Result<Duration, Problem> {
    match query.wait_s.unwrap_or(0) {
        seconds @ 0..=WAIT_S_MAX => Ok(Duration::from_secs(seconds.into())),
        _ => Err(Problem::of(&pages::INVALID_QUERY).at("?wait_s", "is 0 to 25 seconds")),
    }
}

/// The name of the caller's tenant, which stands in every link of its verifier.
async fn tenant(call: &Call) -> Result<String, Problem> {
    let found = call.edge().tenancy().tenant(&call.ctx, &call.ctx.tenant).await?;
    found.map(|tenant| tenant.name).ok_or_else(|| Problem::of(&pages::NOT_FOUND))
}
