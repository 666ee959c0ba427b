//! Our own API: enrolments.

use super::refusal;
use super::wire::{EnrolmentView, InviteForm, InviteView, ReasonForm, tenant};
use crate::Idp;
use crate::enrolment::Ending;
use crate::page;
use axum::extract::State;
use edge::cursor::{Listing, PageQuery};
use edge::extract::MaybeBody;
use edge::problem::pages;
use edge::{Answer, Body, Call, Done, Door, Doors, Path, Permission, Problem, Query, Who};
use seal::assurance::AssuranceLevel;

/// Bytes of a form: two short members.
const FORM_BYTES_MAX: usize = 4 << 10;
/// Life of an invite unless told, seconds: a day.
const INVITE_TTL_S: i64 = 86_400;
/// Longest life of an invite, seconds: a week.
const INVITE_TTL_S_MAX: i64 = 604_800;

pub(super) fn doors() -> Doors<Idp> {
    let read = Who::Role(Permission::EnrolmentsRead);
    let admin = Who::Role(Permission::EnrolmentsAdmin);
    Doors::new()
        .door(
            Door::post("/api/v1/enrolments/invite")
                .operation("inviteEnrolment")
                .summary("Invites somebody to enrol a device")
                .who(admin)
                .optional_body::<InviteForm>(FORM_BYTES_MAX)
                .answer::<InviteView>(201, "the invite with its link, shown this once")
                .idempotent(),
            invite,
        )
        .door(
            Door::get("/api/v1/enrolments")
                .operation("listEnrolments")
                .summary("Lists enrolled devices in order of their making; no person is named")
                .who(read)
                .query::<PageQuery>()
                .answer::<Listing<EnrolmentView>>(200, "a page of enrolments"),
            list,
        )
        .door(
            Door::get("/api/v1/enrolments/{id}")
                .operation("showEnrolment")
                .summary("Shows an enrolled device")
                .who(read)
                .answer::<EnrolmentView>(200, "the enrolment"),
            show,
        )
        .door(
            Door::post("/api/v1/enrolments/{id}/approve")
                .operation("approveEnrolment")
                .summary("Lets a waiting device in, or unlocks one")
                .who(admin)
                .answer::<EnrolmentView>(200, "the enrolment")
                .problems(&[&page::OUT_OF_TURN]),
            approve,
        )
        .door(
            Door::post("/api/v1/enrolments/{id}/revoke")
                .operation("revokeEnrolment")
                .summary("Ends a device for ever, and every grant that it signed for")
                .who(admin)
                .body::<ReasonForm>(FORM_BYTES_MAX)
                .empty(204, "it is revoked")
                .problems(&[&page::OUT_OF_TURN]),
            revoke,
        )
}

async fn invite(
    State(idp): State<Idp>,
    call: Call,
    MaybeBody(form): MaybeBody<InviteForm>,
) -> Result<Answer<InviteView>, Problem> {
    let (ttl_s, level) = accept(&form.unwrap_or_default())?;
    let tenant = tenant(&call).await?;
    let mark = call.mark.as_ref().map(edge::idempotency::Mark::close);
    let (invited, committed) = idp.invite(&call.ctx, (ttl_s, level), mark).await.map_err(refusal::enrol)?;
    let view = InviteView {
        uri: format!("{}/seal/enrol#{}", idp.config().base(&tenant), invited.secret.expose()),
        id: invited.id,
        expires_at: invited.expires_at.to_string(),
    };
    Ok(Answer::created(view).event(&committed))
}

async fn list(
    State(idp): State<Idp>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<EnrolmentView>>, Problem> {
    let page = query.page()?;
    let found = idp.enrolments(&call.ctx, &page.after, page.read_limit()).await?;
    let items = found.iter().map(EnrolmentView::from).collect();
    Ok(Listing::answer(items, &page, "/api/v1/enrolments", |item| item.after.clone()))
}

async fn show(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<EnrolmentView>, Problem> {
    let found = idp.enrolment(&call.ctx, &id).await?;
    Ok(Answer::ok((&found.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?).into()))
}

async fn approve(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<EnrolmentView>, Problem> {
    let (approved, committed) = idp.approve_enrolment(&call.ctx, &id, None).await.map_err(refusal::enrol)?;
    Ok(Answer::ok((&approved).into()).event(&committed))
}

async fn revoke(
    State(idp): State<Idp>,
    call: Call,
    Path(id): Path<String>,
    Body(form): Body<ReasonForm>,
) -> Result<Done, Problem> {
    let ending = Ending::parse(&form.reason).ok_or_else(|| {
        Problem::of(&pages::INVALID)
            .at("/reason", "is lost_device, compromised, expired_document or user_request")
    })?;
    Ok(Done(idp.revoke_enrolment(&call.ctx, &id, ending, None).await.map_err(refusal::enrol)?))
}

fn accept(form: &InviteForm) -> Result<(i64, AssuranceLevel), Problem> {
    let ttl_s = form.ttl_s.unwrap_or(INVITE_TTL_S);
    if !(60..=INVITE_TTL_S_MAX).contains(&ttl_s) {
        return Err(Problem::of(&pages::INVALID).at("/ttl_s", "is 60 to 604800 seconds"));
    }
    let level = AssuranceLevel::parse(form.level_min.as_deref().unwrap_or("none"));
    let level = level
        .ok_or_else(|| Problem::of(&pages::INVALID).at("/level_min", "is none, low, substantial or high"))?;
    Ok((ttl_s, level))
}
