//! Our own API: relying parties and sign-ins.

use super::refusal;
use super::wire::{PartyView, ProveForm, SigninQuery, SigninView, tenant};
use crate::Idp;
use crate::page;
use crate::relying_party_form::Form;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use edge::cursor::{Listing, PageQuery};
use edge::problem::pages;
use edge::{Answer, Body, Call, Done, Door, Doors, Path, Permission, Problem, Query, Who};
use serde_json::{Map, Value};

/// Bytes of a relying party: eight origins, sixteen addresses, four keys and purposes in thirty languages.
const PARTY_BYTES_MAX: usize = 128 << 10;
/// Bytes of proofs: four JWS.
const PROOFS_BYTES_MAX: usize = 40 << 10;

const READ: Who = Who::Role(Permission::RelyingPartiesRead);
const ADMIN: Who = Who::Role(Permission::RelyingPartiesAdmin);

pub(super) fn doors() -> Doors<Idp> {
    parties().and(moves()).and(signins())
}

fn parties() -> Doors<Idp> {
    Doors::new()
        .door(
            Door::post("/api/v1/relying-parties")
                .operation("createRelyingParty")
                .summary("Registers a service that may ask people to sign in")
                .who(ADMIN)
                .body::<Form>(PARTY_BYTES_MAX)
                .answer::<PartyView>(201, "the relying party, with its challenge or its seal")
                .problems(&[&page::SIGNER_EXPIRING, &page::OUT_OF_TURN])
                .idempotent(),
            create,
        )
        .door(
            Door::get("/api/v1/relying-parties")
                .operation("listRelyingParties")
                .summary("Lists relying parties in order of their making")
                .who(READ)
                .query::<PageQuery>()
                .answer::<Listing<PartyView>>(200, "a page of relying parties"),
            list,
        )
        .door(
            Door::get("/api/v1/relying-parties/{id}")
                .operation("showRelyingParty")
                .summary("Shows a relying party, what it proved and its seal")
                .who(READ)
                .answer::<PartyView>(200, "the relying party"),
            show,
        )
        .door(
            Door::patch("/api/v1/relying-parties/{id}")
                .operation("updateRelyingParty")
                .summary("Changes a relying party; new origins, keys or scopes need a new proof and end its seal at once")
                .who(ADMIN)
                .body::<Map<String, Value>>(PARTY_BYTES_MAX)
                .answer::<PartyView>(200, "the relying party")
                .problems(&[&page::SIGNER_EXPIRING, &page::OUT_OF_TURN, &page::CHANGED_SINCE]),
            update,
        )
        .door(
            Door::delete("/api/v1/relying-parties/{id}")
                .operation("deleteRelyingParty")
                .summary("Removes a relying party; its seal is revoked at once")
                .who(ADMIN)
                .empty(204, "it is gone")
                .problems(&[&page::OUT_OF_TURN]),
            remove,
        )
}

fn moves() -> Doors<Idp> {
    Doors::new()
        .door(
            Door::post("/api/v1/relying-parties/{id}/prove")
                .operation("proveRelyingParty")
                .summary("Takes a relying party's proofs of its keys, looks at its origins, and seals it")
                .who(ADMIN)
                .body::<ProveForm>(PROOFS_BYTES_MAX)
                .answer::<PartyView>(200, "the relying party, active")
                .problems(&[
                    &page::SERVICE_PROOF,
                    &page::NO_CHALLENGE,
                    &page::SIGNER_EXPIRING,
                    &page::OUT_OF_TURN,
                ]),
            prove,
        )
        .door(
            Door::post("/api/v1/relying-parties/{id}/reseal")
                .operation("resealRelyingParty")
                .summary("Makes a new seal of what is registered; the one before is revoked at once")
                .who(ADMIN)
                .answer::<PartyView>(200, "the relying party")
                .problems(&[&page::SIGNER_EXPIRING, &page::OUT_OF_TURN]),
            reseal,
        )
        .door(
            Door::post("/api/v1/relying-parties/{id}/rotate-secret")
                .operation("rotateRelyingPartySecret")
                .summary("Gives a relying party another secret; the one before is void at once")
                .who(ADMIN)
                .answer::<PartyView>(200, "the relying party with its new secret, shown this once")
                .problems(&[&page::OUT_OF_TURN]),
            rotate_secret,
        )
}

fn signins() -> Doors<Idp> {
    let read = Who::Role(Permission::SigninsRead);
    Doors::new()
        .door(
            Door::get("/api/v1/signins")
                .operation("listSignins")
                .summary("Lists how sign-ins ended, or finds one by its consent")
                .who(read)
                .query::<SigninQuery>()
                .answer::<Listing<SigninView>>(200, "a page of sign-ins"),
            list_signins,
        )
        .door(
            Door::get("/api/v1/signins/{id}")
                .operation("showSignin")
                .summary("Shows how a sign-in ended")
                .who(read)
                .answer::<SigninView>(200, "the sign-in"),
            show_signin,
        )
}

async fn create(
    State(idp): State<Idp>,
    call: Call,
    Body(form): Body<Form>,
) -> Result<Answer<PartyView>, Problem> {
    let tenant = tenant(&call).await?;
    let mark = call.mark.as_ref().map(edge::idempotency::Mark::close);
    let (registered, committed) =
        idp.register(&call.ctx, &tenant, form, mark).await.map_err(refusal::party)?;
    Ok(Answer::created(registered.into()).event(&committed))
}

async fn list(
    State(idp): State<Idp>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<PartyView>>, Problem> {
    let page = query.page()?;
    let found = idp.relying_parties(&call.ctx, &page.after, page.read_limit()).await?;
    let items = found.into_iter().map(PartyView::from).collect();
    Ok(Listing::answer(items, &page, "/api/v1/relying-parties", |item| item.after.clone()))
}

async fn show(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<PartyView>, Problem> {
    let found = idp.relying_party(&call.ctx, &id).await?;
    Ok(tagged(found.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?.into()))
}

async fn update(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(change): Body<Map<String, Value>>,
) -> Result<Answer<PartyView>, Problem> {
    let tenant = tenant(&call).await?;
    let changed = idp.change_party(&call.ctx, &tenant, (&id, if_match(&headers)), &change).await;
    let (registered, committed) = changed.map_err(refusal::party)?;
    Ok(tagged(registered.into()).event(&committed))
}

/// A relying party with its revision as ETag.
fn tagged(view: PartyView) -> Answer<PartyView> {
    let etag = view.etag();
    Answer::ok(view).header(header::ETAG, &etag)
}

/// The revision that `If-Match` asks for; `*` and its absence ask for any. What is no ETag of ours is no revision.
fn if_match(headers: &HeaderMap) -> Option<i64> {
    let wanted = headers.get(header::IF_MATCH)?.to_str().unwrap_or_default();
    (wanted != "*").then(|| wanted.trim_matches('"').parse().unwrap_or(-1))
}

async fn remove(State(idp): State<Idp>, call: Call, Path(id): Path<String>) -> Result<Done, Problem> {
    Ok(Done(idp.remove_party(&call.ctx, &id).await.map_err(refusal::party)?))
}

async fn prove(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
    Body(form): Body<ProveForm>,
) -> Result<Answer<PartyView>, Problem> {
    let tenant = tenant(&call).await?;
    let proved = idp.prove(&call.ctx, &tenant, &id, &form.proofs).await.map_err(refusal::party)?;
    Ok(Answer::ok(proved.into()))
}

async fn reseal(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<PartyView>, Problem> {
    let tenant = tenant(&call).await?;
    Ok(Answer::ok(idp.reseal(&call.ctx, &tenant, &id).await.map_err(refusal::party)?.into()))
}

async fn rotate_secret(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<PartyView>, Problem> {
    let (registered, committed) = idp.rotate_secret(&call.ctx, &id).await.map_err(refusal::party)?;
    Ok(Answer::ok(registered.into()).event(&committed))
}

async fn list_signins(
    State(idp): State<Idp>,
    call: Call,
    Query(query): Query<SigninQuery>,
) -> Result<Answer<Listing<SigninView>>, Problem> {
    let page = PageQuery { limit: query.limit, after: query.after }.page()?;
    let found = match &query.consent_hash {
        Some(hash) => idp.signin_line(&call.ctx, hash).await?.into_iter().collect(),
        None => idp.signins(&call.ctx, &page.after, page.read_limit()).await?,
    };
    let items = found.into_iter().map(SigninView::from).collect();
    Ok(Listing::answer(items, &page, "/api/v1/signins", |item| item.after.clone()))
}

async fn show_signin(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<SigninView>, Problem> {
    let found = idp.signin_line(&call.ctx, &id).await?;
    Ok(Answer::ok(found.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?.into()))
}
