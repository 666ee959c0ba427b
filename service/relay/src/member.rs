//! Members: who may draw tokens. The relay knows a key and a day, and nothing that ties them to a cell.

use crate::{Relay, now_ms, store};
use ::store::{CommitError, Committed, Ctx, Refused, StoreFault, Unit, id};
use crypto::hash::sha256;
use crypto::schnorr::{self, PROOF_BYTES, PUBLIC_BYTES, Statement};
use mailbox::label::label;
use mailbox::link::MemberLink;
use mailbox::network::Class;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use tlog::event::Event;

/// How long a member link is good, milliseconds: seven days, as an invitation by post or by a colleague takes.
pub const LINK_TTL_MS: i64 = 7 * 86_400_000;
/// How long a challenge is good, milliseconds.
pub const CHALLENGE_TTL_MS: u64 = 60_000;
/// Challenges that are open at once: more than ten a minute from a thousand addresses.
pub const CHALLENGES_MAX: usize = 10_000;

/// Prefix of a member's id.
pub const MEMBER_PREFIX: &str = "mbr";

/// Open challenges, in memory: a restart spends them all.
#[derive(Default)]
pub(crate) struct Challenges(Mutex<HashMap<[u8; 32], u64>>);

impl Challenges {
    fn open(&self, challenge: [u8; 32], now_ms: u64) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= CHALLENGES_MAX {
            open.retain(|_, until_ms| *until_ms > now_ms);
        }
        let fits = open.len() < CHALLENGES_MAX;
        if fits {
            open.insert(challenge, now_ms + CHALLENGE_TTL_MS);
        }
        fits
    }

    fn spend(&self, challenge: &[u8; 32], now_ms: u64) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(challenge).is_some_and(|until_ms| until_ms > now_ms)
    }
}

/// What somebody who wants to be a member sends.
#[derive(Clone, Copy, Debug)]
pub struct JoinRequest {
    /// The link's code.
    pub code: [u8; 16],
    /// The member key.
    pub key: [u8; PUBLIC_BYTES],
    /// From the relay, good once.
    pub challenge: [u8; 32],
    /// Over [`join_statement`].
    pub proof: [u8; PROOF_BYTES],
}

/// Why somebody did not become a member.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The challenge is unknown, used or late.
    #[error("the challenge is spent")]
    ChallengeSpent,
    /// The proof.
    #[error("the proof does not hold")]
    Proof,
    /// The link is unknown, used or late.
    #[error("the link is spent")]
    LinkSpent,
    /// The key is a member's already, or no point.
    #[error("the key is no new member key")]
    Key,
    /// Too many challenges are open.
    #[error("too many challenges are open")]
    Busy,
    /// The network is not open.
    #[error("the relay does not run")]
    NotRunning,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl JoinError {
    /// The code of its problem.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ChallengeSpent => "relay/challenge-spent",
            Self::Proof => "relay/proof-invalid",
            Self::LinkSpent => "relay/link-spent",
            Self::Key => "relay/member-key",
            Self::Busy => "relay/busy",
            Self::NotRunning => "relay/not-running",
            Self::Store(_) => "store",
        }
    }
}

impl Refused for JoinError {
    fn event(&self) -> Event {
        Event::RelayJoinRefused { code: self.code().to_owned() }
    }
}

/// Why a member was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// No such member.
    #[error("there is no such member")]
    NotFound,
    /// In another state.
    #[error("the member is in another state")]
    State,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Refused for MemberError {
    fn event(&self) -> Event {
        Event::RelayJoinRefused { code: "relay/member-state".to_owned() }
    }
}

/// A member, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `mbr_…`.
    pub id: String,
    /// `active` or `suspended`.
    pub state: String,
    /// The day it was added, days since 1970: no moment is kept.
    pub added_day: i64,
}

/// What a joining key proves knowledge of: label, relay, epoch, challenge.
pub fn join_statement<'a>(
    label: &'a [u8],
    identity: &'a [u8; 32],
    epoch: u32,
    challenge: &'a [u8; 32],
) -> Statement<'a> {
    Statement { label, issuer: identity, epoch, challenge }
}

/// The label of a joining proof.
pub fn join_label() -> Vec<u8> {
    label(&[b"schnorr/join"])
}

impl Relay {
    /// A challenge and when it ends, Unix milliseconds.
    ///
    /// # Errors
    /// [`JoinError::Busy`].
    pub fn challenge(&self, ctx: &Ctx) -> Result<([u8; 32], u64), JoinError> {
        let challenge = ctx.random();
        let opened = self.0.challenges.open(challenge, now_ms(ctx));
        if opened { Ok((challenge, now_ms(ctx) + CHALLENGE_TTL_MS)) } else { Err(JoinError::Busy) }
    }

    /// A one-time link for a new member.
    ///
    /// # Errors
    /// [`JoinError`].
    pub async fn member_link(&self, ctx: &Ctx) -> Result<(MemberLink, Committed), JoinError> {
        let live = self.live().ok_or(JoinError::NotRunning)?;
        let ctx = &self.inside(ctx);
        let code: [u8; 16] = ctx.random();
        let unit = Unit::<Infallible>::new(Event::RelayMemberInvited {})
            .put(store::put_link(sha256(&code), ctx.now_ms() + LINK_TTL_MS));
        let committed = match self.store().commit(ctx, unit).await {
            Ok(committed) => committed,
            Err(CommitError::Fault(fault)) => return Err(fault.into()),
            Err(CommitError::Lost(never)) => match never {},
        };
        let link =
            MemberLink { url: self.config().public_url.clone(), network: live.manifest.network(), code };
        Ok((link, committed))
    }

    /// Makes a member of whoever has an unused link and proves the key.
    ///
    /// # Errors
    /// [`JoinError`]; every refusal is an event.
    pub async fn join(&self, ctx: &Ctx, request: &JoinRequest) -> Result<(String, Committed), JoinError> {
        let ctx = &self.inside(ctx);
        let refused = match self.checked(ctx, request) {
            Ok(()) => return self.add(ctx, &request.key, Some(sha256(&request.code))).await,
            Err(refused) => refused,
        };
        self.store().record(ctx, refused.event()).await?;
        Err(refused)
    }

    /// Adds a member by its key: an administrator who was given it.
    ///
    /// # Errors
    /// [`JoinError::Key`].
    pub async fn add_member(
        &self,
        ctx: &Ctx,
        key: &[u8; PUBLIC_BYTES],
    ) -> Result<(String, Committed), JoinError> {
        let ctx = &self.inside(ctx);
        if schnorr::is_public_key(key) {
            return self.add(ctx, key, None).await;
        }
        self.store().record(ctx, JoinError::Key.event()).await?;
        Err(JoinError::Key)
    }

    /// A member.
    ///
    /// # Errors
    /// [`MemberError`].
    pub async fn member(&self, ctx: &Ctx, id: &str) -> Result<Member, MemberError> {
        let row = store::member(self.store(), &self.inside(ctx), id).await?.ok_or(MemberError::NotFound)?;
        Ok(Member { id: row.id, state: row.state, added_day: row.added_day })
    }

    /// Members in the order of their ids, from `after` on.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn members(&self, ctx: &Ctx, after: &str, limit: usize) -> Result<Vec<Member>, StoreFault> {
        let rows = store::members(self.store(), &self.inside(ctx), after, limit).await?;
        let member =
            |row: store::MemberRow| Member { id: row.id, state: row.state, added_day: row.added_day };
        Ok(rows.into_iter().map(member).collect())
    }

    /// Stops, or starts again, giving tokens to a member.
    ///
    /// # Errors
    /// [`MemberError`].
    pub async fn suspend_member(
        &self,
        ctx: &Ctx,
        id: &str,
        suspended: bool,
    ) -> Result<Committed, MemberError> {
        let ctx = &self.inside(ctx);
        self.member(ctx, id).await?;
        let member = id.to_owned();
        let (event, from, to) = if suspended {
            (Event::RelayMemberSuspended { member }, "active", "suspended")
        } else {
            (Event::RelayMemberResumed { member }, "suspended", "active")
        };
        let unit = Unit::new(event).guard(store::move_member(id, from, to), MemberError::State);
        self.store().commit(ctx, unit).await.map_err(lost)
    }

    /// Removes a member and what is kept of it.
    ///
    /// # Errors
    /// [`MemberError`].
    pub async fn remove_member(&self, ctx: &Ctx, id: &str) -> Result<Committed, MemberError> {
        let ctx = &self.inside(ctx);
        self.member(ctx, id).await?;
        let unit = Unit::new(Event::RelayMemberRemoved { member: id.to_owned() })
            .guard(store::remove_member(id), MemberError::State);
        self.store().commit(ctx, unit).await.map_err(lost)
    }

    fn checked(&self, ctx: &Ctx, request: &JoinRequest) -> Result<(), JoinError> {
        let live = self.live().ok_or(JoinError::NotRunning)?;
        if !self.0.challenges.spend(&request.challenge, now_ms(ctx)) {
            return Err(JoinError::ChallengeSpent);
        }
        let epoch = live.calendar.epoch_at(now_ms(ctx)).unwrap_or(0);
        let label = join_label();
        let holds = |epoch| {
            let statement = join_statement(&label, &live.identity.0, epoch, &request.challenge);
            schnorr::verify(&request.key, &statement, &request.proof).is_ok()
        };
        // A proof made in the last seconds of an epoch is one of the epoch before.
        let just_ended = live.calendar.epoch_at(now_ms(ctx).saturating_sub(CHALLENGE_TTL_MS));
        let proves = holds(epoch) || just_ended.is_some_and(|before| before != epoch && holds(before));
        if proves { Ok(()) } else { Err(JoinError::Proof) }
    }

    async fn add(
        &self,
        ctx: &Ctx,
        key: &[u8; PUBLIC_BYTES],
        link: Option<[u8; 32]>,
    ) -> Result<(String, Committed), JoinError> {
        let id = id::new(ctx, MEMBER_PREFIX);
        let day = ctx.now_ms().div_euclid(86_400_000);
        let event = Event::RelayMemberAdded { member: id.clone(), by_link: u64::from(link.is_some()) };
        let mut unit = Unit::new(event);
        if let Some(sha256) = link {
            unit = unit.guard(store::spend_link(sha256), JoinError::LinkSpent);
        }
        let unit = unit.guard(store::put_member(&id, key, day), JoinError::Key);
        match self.store().commit(ctx, unit).await {
            Ok(committed) => Ok((id, committed)),
            Err(CommitError::Lost(refused)) => Err(refused),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Rounds that stand, for `privacy` and `status`.
    pub(crate) async fn rounds_published(&self, ctx: &Ctx) -> Result<u64, StoreFault> {
        store::rounds_count(self.store(), &self.inside(ctx), Class::Normal).await
    }
}

fn lost(error: CommitError<MemberError>) -> MemberError {
    match error {
        CommitError::Lost(lost) => lost,
        CommitError::Fault(fault) => fault.into(),
    }
}
