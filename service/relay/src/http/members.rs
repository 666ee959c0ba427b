//! Members and the promise of the network, for administrators and auditors.

use super::refusal;
use super::wire::{MadeAnswer, MemberBody, MemberItem, MemberList, MemberQuery, PrivacyAnswer};
use crate::member::Member;
use crate::standing::NOT_PROTECTED;
use crate::{Relay, page};
use axum::extract::State;
use edge::problem::pages;
use edge::{Answer, Call, Done, Door, Doors, MaybeBody, Path, Permission, Problem, Query, Who};
use mailbox::network::Tokens;

/// Bytes of a request for a member: one short member.
const MEMBER_BYTES_MAX: usize = 1 << 10;
/// Members of a page.
const PAGE: usize = 200;

/// Whether the network is the caller's: members are the affair of its tenant, and every other tenant of the house has none.
fn is_own(relay: &Relay, call: &Call) -> bool {
    relay.live().is_some_and(|live| live.tenant == call.ctx.tenant)
}

fn own(relay: &Relay, call: &Call) -> Result<(), Problem> {
    if is_own(relay, call) { Ok(()) } else { Err(Problem::of(&pages::NOT_FOUND)) }
}

pub(super) fn doors() -> Doors<Relay> {
    Doors::new()
        .door(
            Door::post("/api/v1/members")
                .operation("createRelayMember")
                .summary("Adds a member by its key, or makes a one-time link")
                .who(Who::Role(Permission::RelayMembersAdmin))
                .optional_body::<MemberBody>(MEMBER_BYTES_MAX)
                .answer::<MadeAnswer>(201, "the member, or the link")
                .problems(&[&page::NOT_RUNNING, &page::MEMBER_KEY, &page::BUSY]),
            create,
        )
        .door(
            Door::get("/api/v1/members")
                .operation("listRelayMembers")
                .summary("Lists members in the order of their ids")
                .who(Who::Role(Permission::RelayMembersRead))
                .query::<MemberQuery>()
                .answer::<MemberList>(200, "a page of members"),
            list,
        )
        .door(
            Door::get("/api/v1/members/{id}")
                .operation("showRelayMember")
                .summary("Shows a member")
                .who(Who::Role(Permission::RelayMembersRead))
                .answer::<MemberItem>(200, "the member"),
            show,
        )
        .door(
            Door::delete("/api/v1/members/{id}")
                .operation("removeRelayMember")
                .summary("Removes a member and what is kept of it")
                .who(Who::Role(Permission::RelayMembersAdmin))
                .empty(204, "the member is removed")
                .problems(&[&page::MEMBER_STATE]),
            remove,
        )
        .door(
            Door::post("/api/v1/members/{id}/suspend")
                .operation("suspendRelayMember")
                .summary("Gives a member no more tokens")
                .who(Who::Role(Permission::RelayMembersAdmin))
                .answer::<MemberItem>(200, "the member")
                .problems(&[&page::MEMBER_STATE]),
            suspend,
        )
        .door(
            Door::post("/api/v1/members/{id}/resume")
                .operation("resumeRelayMember")
                .summary("Gives a suspended member tokens again")
                .who(Who::Role(Permission::RelayMembersAdmin))
                .answer::<MemberItem>(200, "the member")
                .problems(&[&page::MEMBER_STATE]),
            resume,
        )
        .door(
            Door::get("/api/v1/privacy")
                .operation("showRelayPrivacy")
                .summary("What the network promises, and what it does not")
                .who(Who::Role(Permission::RelayMembersRead))
                .answer::<PrivacyAnswer>(200, "the promise")
                .problems(&[&page::NOT_RUNNING]),
            privacy,
        )
}

async fn create(
    State(relay): State<Relay>,
    call: Call,
    MaybeBody(body): MaybeBody<MemberBody>,
) -> Result<Answer<MadeAnswer>, Problem> {
    match body.and_then(|body| body.key) {
        Some(key) => {
            let key = key
                .array()
                .ok_or_else(|| Problem::of(&pages::INVALID).at("/key", "is not base64url of 32 bytes"))?;
            own(&relay, &call)?;
            let (member, committed) = relay.add_member(&call.ctx, &key).await.map_err(refusal::join)?;
            Ok(Answer::created(MadeAnswer { member: Some(member), link: None }).event(&committed))
        }
        None => {
            own(&relay, &call)?;
            let (link, committed) = relay.member_link(&call.ctx).await.map_err(refusal::join)?;
            let link = link.encode().ok_or_else(|| Problem::of(&pages::FAULT))?;
            Ok(Answer::created(MadeAnswer { member: None, link: Some(link) }).event(&committed))
        }
    }
}

async fn list(
    State(relay): State<Relay>,
    call: Call,
    Query(query): Query<MemberQuery>,
) -> Result<Answer<MemberList>, Problem> {
    if !is_own(&relay, &call) {
        return Ok(Answer::ok(MemberList { items: Vec::new(), next: None }));
    }
    let after = query.after.unwrap_or_default();
    let members = relay.members(&call.ctx, &after, PAGE).await?;
    let next = members.last().filter(|_| members.len() == PAGE).map(|last| last.id.clone());
    Ok(Answer::ok(MemberList { items: members.into_iter().map(item).collect(), next }))
}

async fn show(
    State(relay): State<Relay>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<MemberItem>, Problem> {
    own(&relay, &call)?;
    Ok(Answer::ok(item(relay.member(&call.ctx, &id).await.map_err(refusal::member)?)))
}

async fn remove(State(relay): State<Relay>, call: Call, Path(id): Path<String>) -> Result<Done, Problem> {
    own(&relay, &call)?;
    relay.remove_member(&call.ctx, &id).await.map(Done).map_err(refusal::member)
}

async fn suspend(
    State(relay): State<Relay>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<MemberItem>, Problem> {
    moved(&relay, &call, &id, true).await
}

async fn resume(
    State(relay): State<Relay>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Answer<MemberItem>, Problem> {
    moved(&relay, &call, &id, false).await
}

async fn moved(relay: &Relay, call: &Call, id: &str, suspended: bool) -> Result<Answer<MemberItem>, Problem> {
    own(relay, call)?;
    let committed = relay.suspend_member(&call.ctx, id, suspended).await.map_err(refusal::member)?;
    let member = relay.member(&call.ctx, id).await.map_err(refusal::member)?;
    Ok(Answer::ok(item(member)).event(&committed))
}

async fn privacy(State(relay): State<Relay>, call: Call) -> Result<Answer<PrivacyAnswer>, Problem> {
    let known = relay.network().ok_or_else(refusal::not_running)?;
    let manifest = known.manifest();
    Ok(Answer::ok(PrivacyAnswer {
        network: known.network().to_string(),
        dev: manifest.dev,
        tokens: match manifest.tokens {
            Tokens::Off => "off",
            Tokens::Required => "required",
        },
        guarantee: manifest.guarantee.clone(),
        epsilon: manifest.claim.epsilon.clone(),
        delta: manifest.claim.delta.clone(),
        mechanism: "none: full mode",
        trust_domains: manifest.trust_domains(),
        hops: manifest.k,
        rounds_published: relay.rounds_published(&call.ctx).await?,
        rounds_audited: 0,
        links_open: relay.links_open(),
        not_protected: NOT_PROTECTED.to_vec(),
    }))
}

fn item(member: Member) -> MemberItem {
    MemberItem { id: member.id, state: member.state, added_day: member.added_day }
}
