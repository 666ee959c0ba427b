//! What everybody may read: manifest, epochs, rounds, rows; and how somebody becomes a member.

use super::refusal;
use super::wire::{Base64Url, ChallengeAnswer, IdentityAnswer, JoinAnswer, JoinBody};
use crate::member::JoinRequest;
use crate::{Relay, now_ms, page, store};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use edge::limit::Class as Rate;
use edge::problem::pages;
use edge::{Answer, Body, Call, Door, Doors, Path, Problem, Who};
use http::{HeaderValue, header};
use mailbox::network::Class;
use mailbox::statement::SignedRound;

/// Bytes of a join: four short members.
const JOIN_BYTES_MAX: usize = 4 << 10;
const JSON: &str = "application/json";
const OCTETS: &str = "application/octet-stream";

pub(super) fn doors() -> Doors<Relay> {
    statements().and(rounds()).and(joining())
}

fn statements() -> Doors<Relay> {
    Doors::new()
        .door(
            Door::get("/relay/v1/network")
                .operation("relayNetwork")
                .summary("The signed manifest of the network")
                .who(Who::Public)
                .answer_of(200, JSON, "the manifest, verbatim, with its signatures")
                .problems(&[&page::NOT_RUNNING])
                .cors(),
            network,
        )
        .door(
            Door::get("/relay/v1/epoch")
                .operation("relayEpoch")
                .summary("The signed statement of the running epoch")
                .who(Who::Public)
                .answer_of(200, JSON, "the epoch, verbatim, with its signatures")
                .problems(&[&page::NOT_RUNNING, &page::UNKNOWN_EPOCH])
                .cors(),
            running_epoch,
        )
        .door(
            Door::get("/relay/v1/epoch/{epoch}")
                .operation("relayEpochOf")
                .summary("The signed statement of an epoch; the next one is there before it runs")
                .who(Who::Public)
                .answer_of(200, JSON, "the epoch, verbatim, with its signatures")
                .problems(&[&page::NOT_RUNNING, &page::UNKNOWN_EPOCH])
                .cors(),
            epoch,
        )
        .door(
            Door::get("/relay/v1/identity")
                .operation("relayIdentity")
                .summary("The identity key of this relay")
                .who(Who::Public)
                .answer::<IdentityAnswer>(200, "the key and the network")
                .problems(&[&page::NOT_RUNNING])
                .cors(),
            identity,
        )
}

fn rounds() -> Doors<Relay> {
    Doors::new()
        .door(
            Door::get("/relay/v1/rounds/{class}/{round}")
                .operation("relayRound")
                .summary("The signed statement of a round")
                .who(Who::Public)
                .answer_of(200, OCTETS, "statement and signatures, as in ROUND")
                .problems(&[&page::NOT_RUNNING, &page::UNKNOWN_ROUND])
                .cors(),
            round,
        )
        .door(
            Door::get("/relay/v1/buckets/{class}/{round}/{bucket}")
                .operation("relayBucket")
                .summary("The rows of a round, for who was away; immutable")
                .who(Who::Public)
                .rate(Rate::Log)
                .answer_of(200, OCTETS, "rows of 512 bytes, sorted")
                .problems(&[&page::NOT_RUNNING, &page::UNKNOWN_ROUND])
                .cors(),
            bucket,
        )
}

fn joining() -> Doors<Relay> {
    Doors::new()
        .door(
            Door::post("/relay/v1/challenges")
                .operation("relayChallenge")
                .summary("A challenge for one proof, good for a minute")
                .who(Who::Public)
                .rate(Rate::Code)
                .answer::<ChallengeAnswer>(201, "the challenge")
                .problems(&[&page::NOT_RUNNING, &page::BUSY])
                .cors(),
            challenge,
        )
        .door(
            Door::post("/relay/v1/join")
                .operation("relayJoin")
                .summary("Makes a member of whoever has a link and proves a key")
                .who(Who::Public)
                .rate(Rate::Code)
                .body::<JoinBody>(JOIN_BYTES_MAX)
                .answer::<JoinAnswer>(201, "the member")
                .problems(&[
                    &page::NOT_RUNNING,
                    &page::BUSY,
                    &page::CHALLENGE_SPENT,
                    &page::PROOF_INVALID,
                    &page::LINK_SPENT,
                    &page::MEMBER_KEY,
                ])
                .cors(),
            join,
        )
}

async fn network(State(relay): State<Relay>, _call: Call) -> Result<Response, Problem> {
    let known = relay.network().ok_or_else(refusal::not_running)?;
    // An hour: a manifest changes seldom, and a wallet asks again when a relay answers CLOSE.
    Ok(served(JSON, "public, max-age=3600", known.signed().encode().into_bytes()))
}

async fn running_epoch(State(relay): State<Relay>, call: Call) -> Result<Response, Problem> {
    let live = relay.live().ok_or_else(refusal::not_running)?;
    let number = live.calendar.epoch_at(now_ms(&call.ctx)).unwrap_or(0);
    let ends_at_ms =
        live.calendar.starts_at_ms(Class::Normal, live.calendar.first_round(Class::Normal, number + 1));
    let left_s = ends_at_ms.saturating_sub(now_ms(&call.ctx)) / 1_000;
    statement_of(&relay, &call, number, &format!("public, max-age={left_s}")).await
}

async fn epoch(State(relay): State<Relay>, call: Call, Path(number): Path<u32>) -> Result<Response, Problem> {
    statement_of(&relay, &call, number, IMMUTABLE).await
}

async fn statement_of(relay: &Relay, call: &Call, number: u32, cache: &str) -> Result<Response, Problem> {
    relay.live().ok_or_else(refusal::not_running)?;
    let found = relay.epoch(&relay.inside(&call.ctx), number).await.map_err(|fault| {
        tracing::warn!(%fault, "an epoch cannot be read");
        refusal::not_running()
    })?;
    let epoch = found.ok_or_else(|| Problem::of(&page::UNKNOWN_EPOCH))?;
    Ok(served(JSON, cache, epoch.verified.signed().encode().into_bytes()))
}

async fn identity(State(relay): State<Relay>, _call: Call) -> Result<Answer<IdentityAnswer>, Problem> {
    let live = relay.live().ok_or_else(refusal::not_running)?;
    Ok(Answer::ok(IdentityAnswer {
        identity: Base64Url::of(&live.identity.0),
        network: live.manifest.network().to_string(),
        manifest_version: live.manifest.manifest().version,
    }))
}

async fn round(
    State(relay): State<Relay>,
    call: Call,
    Path((class, number)): Path<(u8, u64)>,
) -> Result<Response, Problem> {
    let statement = statement(&relay, &call, class, number).await?;
    Ok(served(OCTETS, IMMUTABLE, statement))
}

async fn bucket(
    State(relay): State<Relay>,
    call: Call,
    Path((class, number, bucket)): Path<(u8, u64, u16)>,
) -> Result<Response, Problem> {
    // Fast rounds are not caught up, and there is one bucket.
    let unknown = || Problem::of(&page::UNKNOWN_ROUND);
    if class != Class::Normal.number() || bucket != 0 {
        return Err(unknown());
    }
    let signed = statement(&relay, &call, class, number).await?;
    let rows = store::rows(relay.store(), &relay.inside(&call.ctx), Class::Normal, number, bucket).await?;
    // Rows past their retention are gone while the statement is still there.
    let is_whole =
        SignedRound::parse(&signed).is_ok_and(|signed| signed.unverified().check_rows(0, &rows, &[]).is_ok());
    if is_whole { Ok(served(OCTETS, IMMUTABLE, rows)) } else { Err(unknown()) }
}

async fn statement(relay: &Relay, call: &Call, class: u8, number: u64) -> Result<Vec<u8>, Problem> {
    let live = relay.live().ok_or_else(refusal::not_running)?;
    let unknown = || Problem::of(&page::UNKNOWN_ROUND);
    let class = Class::of(class).filter(|_| number < 1 << 62).ok_or_else(unknown)?;
    let lane = live.lanes.iter().find(|lane| lane.class() == class).ok_or_else(unknown)?;
    match class {
        Class::Normal => {
            let found = store::round(relay.store(), &relay.inside(&call.ctx), class, number).await?;
            found.ok_or_else(unknown)
        }
        Class::Fast => lane.remembered(number).map(|published| published.signed.clone()).ok_or_else(unknown),
    }
}

async fn challenge(State(relay): State<Relay>, call: Call) -> Result<Answer<ChallengeAnswer>, Problem> {
    relay.live().ok_or_else(refusal::not_running)?;
    let (challenge, expires_at_ms) = relay.challenge(&call.ctx).map_err(refusal::join)?;
    Ok(Answer::created(ChallengeAnswer { challenge: Base64Url::of(&challenge), expires_at_ms }))
}

async fn join(
    State(relay): State<Relay>,
    call: Call,
    Body(body): Body<JoinBody>,
) -> Result<Answer<JoinAnswer>, Problem> {
    let wrong =
        |pointer: &'static str| Problem::of(&pages::INVALID).at(pointer, "is not base64url of its length");
    let request = JoinRequest {
        code: body.code.array().ok_or_else(|| wrong("/code"))?,
        key: body.key.array().ok_or_else(|| wrong("/key"))?,
        challenge: body.challenge.array().ok_or_else(|| wrong("/challenge"))?,
        proof: body.proof.array().ok_or_else(|| wrong("/proof"))?,
    };
    let (member, committed) = relay.join(&call.ctx, &request).await.map_err(refusal::join)?;
    Ok(Answer::created(JoinAnswer { member }).event(&committed))
}

/// What never changes: a round and an epoch, once they are there.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

fn served(media: &'static str, cache: &str, body: Vec<u8>) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    if let Ok(cache) = HeaderValue::from_str(cache) {
        response.headers_mut().insert(header::CACHE_CONTROL, cache);
    }
    response
}
