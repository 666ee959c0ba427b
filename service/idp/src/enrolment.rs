//! Enrolments: devices that may sign a person in, from the challenge to their end.
//!
//! ```text
//! begin ─► challenge ─► complete: DK signs, D agrees, anchor verifies ─┬─► active
//!                                                                      └─► waiting (second device) ─ approved, or time ─► active
//! active ─ lock ─► locked ─ operator ─► active          any ─ revoke ─► revoked
//! ```
//! Kept of a person: two public keys, a keyed commitment, classes. No name, no photo, no document.

use crate::document::{DocumentError, Verified};
use crate::outbox::Greeted;
use crate::relying_party::CHALLENGE_TTL_S;
use crate::{Enrolling, Idp, person, store};
use ::store::{CommitError, Committed, Ctx, Refused, StoreFault, Unit, id};
use crypto::hash;
use crypto::jwk::Jwk;
use crypto::key::PublicKey;
use crypto::secret::Secret;
use custody::SignError;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use seal::assurance::{AnchorClass, Assurance, AssuranceLevel, DeviceClass, assurance};
use seal::code::document::{Document, DocumentKind};
use seal::code::proof::SealProof;
use seal::code::{Acr, Failure, frame, keys};
use seal::handle::{Handle, device_mark};
use tenancy::After;
use tlog::event::Event;

/// Longest life of an enrolment, seconds: two years, then the person is looked at again.
pub const ENROLMENT_TTL_S_MAX: i64 = 2 * 365 * 86_400;
/// Devices of one person that are looked at: more than anybody carries.
pub(crate) const DEVICES_MAX: usize = 64;

/// Where an enrolment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A second device that must wait, or be approved.
    Waiting,
    /// It may sign in.
    Active,
    /// Its person locked it.
    Locked,
    /// It may never sign in again.
    Revoked,
}

/// Why an enrolment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The device is gone.
    LostDevice,
    /// Somebody else may hold its keys.
    Compromised,
    /// Its document is over.
    ExpiredDocument,
    /// Its person wanted so.
    UserRequest,
}

/// A device of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Enrolment {
    /// `enr_…`: the `binding` of an answer.
    pub id: String,
    /// `per_…`.
    pub(crate) person: String,
    /// Where it stands.
    pub state: State,
    /// The DeviceKey.
    pub dk: PublicKey,
    /// The agreement key.
    pub d: PublicKey,
    /// The version of our agreement key that was in use.
    pub kid_s: String,
    /// What it was enrolled with.
    pub anchor: AnchorClass,
    /// What holds its key.
    pub device: DeviceClass,
    /// Of the document it was enrolled with.
    pub(crate) commitment: Option<[u8; 32]>,
    pub(crate) claims: i64,
    pub(crate) claims_since_ms: i64,
    /// Until when it waits.
    pub waits_until_ms: Option<i64>,
    /// Whether only an operator can end its wait.
    pub needs_operator: bool,
    /// When it last signed in; 0: never.
    pub used_at_ms: i64,
    /// When it ends.
    pub expires_at_ms: i64,
    /// When it was revoked.
    pub revoked_at_ms: Option<i64>,
    pub(crate) revision: i64,
    /// When it was made.
    pub created_at_ms: i64,
}

/// What a wallet needs to enrol.
pub struct Begun {
    /// `enr_…`.
    pub enrolment: String,
    /// 32 bytes that prove possession of D.
    pub challenge: [u8; 32],
    /// When the challenge ends.
    pub expires_at: Timestamp,
}

/// What a wallet sends to complete it.
pub(crate) struct Completion {
    pub(crate) dk: PublicKey,
    pub(crate) d: PublicKey,
    pub(crate) attestation_format: String,
    pub(crate) attestation_data: Vec<u8>,
    pub(crate) anchor_kind: String,
    pub(crate) anchor_data: Vec<u8>,
    pub(crate) d_proof: [u8; 32],
    /// An offer of a relay contact, if the device wants pushes.
    pub(crate) relay: Option<Vec<u8>>,
}

/// A device that is enrolled, with what is told once.
pub(crate) struct Completed {
    pub(crate) enrolment: Enrolment,
    pub(crate) handle: Handle,
    /// The hello to its offer, where pushes go over a relay.
    pub(crate) hello: Option<Vec<u8>>,
}

/// An invite that was made.
pub struct Invited {
    /// `inv_…`.
    pub id: String,
    /// Its secret, this once.
    pub secret: Secret<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why somebody is not enrolled, or an enrolment does not move.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// No such enrolment, or its challenge is over.
    #[error("there is no such enrolment")]
    NotFound,
    /// No invite, or one that is spent, over, or asks for more.
    #[error("an invite is needed")]
    Invite,
    /// A member of the body breaks a rule.
    #[error("{pointer} {rule}")]
    Member {
        /// JSON pointer.
        pointer: &'static str,
        /// Its rule.
        rule: &'static str,
    },
    /// The key does not prove itself.
    #[error("the keys do not prove themselves")]
    Proof,
    /// The proof was seen before.
    #[error("the proof was used before")]
    Replayed,
    /// This DeviceKey is enrolled already.
    #[error("the device key is enrolled already")]
    AlreadyEnrolled,
    /// Nobody that we believe vouches for the anchor.
    #[error("the anchor is not believed")]
    AnchorUntrusted,
    /// The anchor was revoked or is over.
    #[error("the anchor counts no more")]
    AnchorRevoked,
    /// The document is bound to another device.
    #[error("the document is of another device")]
    Mismatch,
    /// The attestation is of a kind that is not verified here.
    #[error("the device key is not attested as asked")]
    Unattested,
    /// It is not where this can happen.
    #[error("the enrolment does not stand where this may happen")]
    OutOfTurn,
    /// An operator has to decide.
    #[error("an operator has to approve this device")]
    NeedsOperator,
    /// Somebody else moved it meanwhile.
    #[error("the enrolment was changed by another request")]
    Raced,
    /// The agreement key could not be used.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl EnrolError {
    /// The stable code, where a refusal is an event.
    pub(crate) const fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Invite => "seal/invite-invalid",
            Self::Proof | Self::Replayed => "seal/proof-invalid",
            Self::AlreadyEnrolled => "seal/already-enrolled",
            Self::AnchorUntrusted => "seal/anchor-untrusted",
            Self::AnchorRevoked => "seal/anchor-revoked",
            Self::Mismatch => "seal/document-mismatch",
            Self::Unattested => "seal/key-unattested",
            _ => return None,
        })
    }
}

/// What a lost guard of this file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    Challenge,
    Invite,
    Jti,
    Device,
    Person,
    Raced,
    Mark,
}

#[derive(Debug)]
pub(crate) struct EnrolLost {
    pub(crate) enrolment: String,
    pub(crate) what: Lost,
}

impl Refused for EnrolLost {
    fn event(&self) -> Event {
        let code = match self.what {
            Lost::Challenge => "seal/unknown-enrolment",
            Lost::Invite => "seal/invite-invalid",
            Lost::Jti => "seal/proof-invalid",
            Lost::Device => "seal/already-enrolled",
            Lost::Person | Lost::Raced => "raced",
            Lost::Mark => "done-elsewhere",
        };
        Event::EnrolmentRefused { enrolment: Some(self.enrolment.clone()), code: code.to_owned() }
    }
}

impl State {
    /// The word in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Revoked => "revoked",
        }
    }

    /// Reads [`State::as_str`].
    pub fn parse(text: &str) -> Option<State> {
        let all = [Self::Waiting, Self::Active, Self::Locked, Self::Revoked];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

impl Ending {
    /// The word in bodies and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LostDevice => "lost_device",
            Self::Compromised => "compromised",
            Self::ExpiredDocument => "expired_document",
            Self::UserRequest => "user_request",
        }
    }

    /// Reads [`Ending::as_str`].
    pub fn parse(text: &str) -> Option<Ending> {
        let all = [Self::LostDevice, Self::Compromised, Self::ExpiredDocument, Self::UserRequest];
        all.into_iter().find(|ending| ending.as_str() == text)
    }
}

impl Enrolment {
    /// What a sign-in of this class with this device is worth.
    pub fn assurance(&self, flow: Acr) -> Assurance {
        assurance(self.anchor, self.device, flow)
    }

    /// The mark by which people know the device.
    pub fn mark(&self) -> String {
        device_mark(&self.dk)
    }

    pub(crate) fn dk_sha256(&self) -> [u8; 32] {
        hash::sha256(self.dk.raw())
    }

    pub(crate) fn level(&self) -> i64 {
        level_number(self.assurance(Acr::SealCode).level)
    }

    pub(crate) fn classes_text(&self) -> String {
        format!("{} {}", self.anchor.as_str(), self.device.as_str())
    }

    /// Whether it may sign in at `now_ms`.
    pub(crate) fn may_sign(&self, now_ms: i64) -> bool {
        self.state == State::Active && now_ms < self.expires_at_ms
    }
}

/// Reads the classes of a row.
pub(crate) fn classes_of(text: &str) -> Option<(AnchorClass, DeviceClass)> {
    let (anchor, device) = text.split_once(' ')?;
    Some((AnchorClass::parse(anchor)?, DeviceClass::parse(device)?))
}

/// The number of a level in events and rows.
pub(crate) const fn level_number(level: AssuranceLevel) -> i64 {
    match level {
        AssuranceLevel::None => 0,
        AssuranceLevel::Low => 1,
        AssuranceLevel::Substantial => 2,
        AssuranceLevel::High => 3,
    }
}

impl Idp {
    /// Invites somebody to enrol.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub async fn invite(
        &self,
        ctx: &Ctx,
        (ttl_s, level_min): (i64, AssuranceLevel),
        mark: Option<::store::Stmt>,
    ) -> Result<(Invited, Committed), EnrolError> {
        let invite = id::new(ctx, "inv");
        let secret = Secret::new(crypto::base64::url_encode(&ctx.random::<32>()));
        let expires_at = ctx.now + SignedDuration::from_secs(ttl_s);
        let level = level_number(level_min);
        let event = Event::EnrolmentInvited {
            ttl_s: ttl_s.unsigned_abs(),
            level_min: level.unsigned_abs(),
            invite: invite.clone(),
        };
        let secret_sha256 = hash::sha256(secret.expose().as_bytes());
        let row = store::enrolment::put_invite(&invite, secret_sha256, level, expires_at.as_millisecond());
        let mut unit = Unit::new(event).put(row);
        if let Some(mark) = mark {
            unit = unit.guard(mark, EnrolLost { enrolment: invite.clone(), what: Lost::Mark });
        }
        let committed = self.store.commit(ctx, unit).await.map_err(lost)?;
        Ok((Invited { id: invite, secret, expires_at }, committed))
    }

    /// Gives a wallet its challenge.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub async fn begin_enrolment(&self, ctx: &Ctx, invite: Option<&str>) -> Result<Begun, EnrolError> {
        let invite = match invite {
            Some(secret) => {
                let found =
                    store::enrolment::invite(&self.store, ctx, hash::sha256(secret.as_bytes())).await?;
                Some(found.ok_or(EnrolError::Invite)?)
            }
            None if self.config.enrolment == Enrolling::Open => None,
            None => return Err(EnrolError::Invite),
        };
        let begun = Begun {
            enrolment: id::new(ctx, "enr"),
            challenge: ctx.random(),
            expires_at: ctx.now + SignedDuration::from_secs(CHALLENGE_TTL_S),
        };
        let event = Event::EnrolmentStarted { enrolment: begun.enrolment.clone(), invite: invite.clone() };
        let until_ms = begun.expires_at.as_millisecond();
        let row = store::relying_party::put_challenge(
            &begun.enrolment,
            &begun.challenge,
            invite.as_deref(),
            until_ms,
        );
        self.store.commit(ctx, Unit::new(event).put(row)).await.map_err(lost)?;
        Ok(begun)
    }

    /// Enrols a device whose key signed `proof`. Two that bring one document at once are one person: the later one waits.
    ///
    /// # Errors
    /// [`EnrolError`]; nothing is kept then.
    pub(crate) async fn complete_enrolment(
        &self,
        ctx: &Ctx,
        enrolment: &str,
        proof: &SealProof,
        completion: &Completion,
    ) -> Result<Completed, EnrolError> {
        let challenge = store::relying_party::challenge(&self.store, ctx, enrolment).await?;
        let challenge = challenge.ok_or(EnrolError::NotFound)?;
        let kid_s = self.possessed(ctx, proof, completion, &challenge.challenge).await?;
        let document = self.anchored(ctx, completion).await?;
        let greeted = match &completion.relay {
            Some(offer) => self.greeted(ctx, offer)?,
            None => None,
        };
        for _ in 0..2 {
            let made = self.device(ctx, enrolment, completion, document.as_ref(), &kid_s).await?;
            match self.keep_device(ctx, made, (proof, completion, greeted.as_ref()), &challenge).await {
                Err(CommitError::Lost(EnrolLost { what: Lost::Person, .. })) => {}
                kept => return kept.map_err(lost),
            }
        }
        Err(EnrolError::Raced)
    }

    /// Whether the wallet holds the private halves of DK and D. Answers the version of S that it agreed with.
    async fn possessed(
        &self,
        ctx: &Ctx,
        proof: &SealProof,
        completion: &Completion,
        challenge: &[u8; 32],
    ) -> Result<String, EnrolError> {
        if proof.device_key != completion.dk || completion.dk == completion.d {
            return Err(EnrolError::Proof);
        }
        let kid_s = self.custody.agreement_key(ctx).await?.kid;
        let derived = self.custody.agree_hkdf(ctx, &kid_s, &completion.d, challenge, b"").await?;
        let expected = keys::enrolment_proof(&derived.prk, &completion.dk, challenge);
        if hash::equal(&expected, &completion.d_proof) { Ok(kid_s) } else { Err(EnrolError::Proof) }
    }

    /// The anchor, if there is one; none only where the operator allows it.
    async fn anchored(&self, ctx: &Ctx, completion: &Completion) -> Result<Option<Verified>, EnrolError> {
        if completion.attestation_format != "none" {
            return Err(EnrolError::Unattested);
        }
        if completion.anchor_kind == "none" {
            return if self.config.unanchored { Ok(None) } else { Err(EnrolError::AnchorUntrusted) };
        }
        let kind = DocumentKind::parse(&completion.anchor_kind).ok_or(EnrolError::AnchorUntrusted)?;
        let document = Document::new(kind, completion.anchor_data.clone());
        let verified = match self.verified(ctx, &document).await {
            Ok(verified) => verified,
            Err(DocumentError::Failure(Failure::DocumentRevoked | Failure::DocumentExpired)) => {
                return Err(EnrolError::AnchorRevoked);
            }
            Err(DocumentError::Failure(_)) => return Err(EnrolError::AnchorUntrusted),
            Err(DocumentError::Store(fault)) => return Err(fault.into()),
        };
        let bound = verified
            .device_key
            .is_none_or(|thumbprint| hash::equal(&thumbprint, &Jwk::from_key(&completion.dk).thumbprint()));
        if bound { Ok(Some(verified)) } else { Err(EnrolError::Mismatch) }
    }

    /// The device as it is to be kept, and whether its person is new. A photocopy of a document proves nothing: whoever brings a
    /// document that is enrolled already waits.
    async fn device(
        &self,
        ctx: &Ctx,
        enrolment: &str,
        completion: &Completion,
        document: Option<&Verified>,
        kid_s: &str,
    ) -> Result<(Enrolment, bool), EnrolError> {
        let commitment = document.map(|document| document.commitment);
        let known = match &commitment {
            Some(commitment) => store::enrolment::person_of(&self.store, ctx, commitment).await?,
            None => None,
        };
        let is_new = known.is_none();
        let longest = ctx.now + SignedDuration::from_secs(ENROLMENT_TTL_S_MAX);
        let expires_at =
            document.and_then(|it| end_of(it.expires_on)).map_or(longest, |end| end.min(longest));
        let mut made = Enrolment {
            id: enrolment.to_owned(),
            person: known.unwrap_or_else(|| person::new_id(ctx)),
            state: if is_new { State::Active } else { State::Waiting },
            dk: completion.dk.clone(),
            d: completion.d.clone(),
            kid_s: kid_s.to_owned(),
            anchor: if document.is_some() { AnchorClass::Listed } else { AnchorClass::None },
            device: DeviceClass::Software,
            commitment,
            claims: 0,
            claims_since_ms: 0,
            waits_until_ms: None,
            needs_operator: false,
            used_at_ms: 0,
            expires_at_ms: expires_at.as_millisecond(),
            revoked_at_ms: None,
            revision: 1,
            created_at_ms: ctx.now_ms(),
        };
        if !is_new {
            let others = store::enrolment::of_person(&self.store, ctx, &made.person, DEVICES_MAX).await?;
            let best = others.iter().map(Enrolment::level).max().unwrap_or(0);
            let wait = SignedDuration::from_secs(self.config.second_device_wait_s.cast_signed());
            made.waits_until_ms = Some((ctx.now + wait).as_millisecond());
            // A weaker device, or one that could be `substantial`, never comes in by waiting alone.
            made.needs_operator =
                made.level() < best || made.level() >= level_number(AssuranceLevel::Substantial);
        }
        Ok((made, is_new))
    }

    async fn keep_device(
        &self,
        ctx: &Ctx,
        (made, is_new): (Enrolment, bool),
        (proof, completion, greeted): (&SealProof, &Completion, Option<&Greeted>),
        challenge: &store::relying_party::Challenge,
    ) -> Result<Completed, CommitError<EnrolLost>> {
        let handle = Handle::from_entropy(ctx.random());
        let new = store::enrolment::NewEnrolment {
            enrolment: &made,
            attestation_sha256: hash::sha256(&completion.attestation_data),
            handle_mac: self.handle_mac(ctx, &handle).await?,
            relay: greeted.map(|greeted| &greeted.kept.expose()[..]),
        };
        let event = Event::EnrolmentCompleted {
            person: made.person.clone(),
            level: made.level().unsigned_abs(),
            waits: made.state == State::Waiting,
            enrolment: made.id.clone(),
            anchor: made.anchor.as_str().to_owned(),
            device: made.device.as_str().to_owned(),
        };
        let lost = |what| EnrolLost { enrolment: made.id.clone(), what };
        let mut unit = Unit::new(event)
            .guard(
                store::relying_party::spend_challenge(&made.id, &challenge.challenge),
                lost(Lost::Challenge),
            )
            .guard(self.spend_proof(ctx, &made.id, proof), lost(Lost::Jti));
        if let Some(invite) = &challenge.invite {
            unit = unit.guard(store::enrolment::spend_invite(invite, made.level()), lost(Lost::Invite));
        }
        if is_new {
            unit =
                unit.guard(store::enrolment::put_person(&made.person, made.commitment), lost(Lost::Person));
        }
        unit = unit.guard(store::enrolment::put(&self.store, ctx, &new).await?, lost(Lost::Device));
        self.store.commit(ctx, unit).await?;
        Ok(Completed { enrolment: made, handle, hello: greeted.map(|greeted| greeted.hello.clone()) })
    }

    /// The one use of a proof's id.
    pub(crate) fn spend_proof(&self, ctx: &Ctx, enrolment: &str, proof: &SealProof) -> ::store::Stmt {
        let hash = hash::sha256(&frame("seal/1 jti", &[enrolment.as_bytes(), proof.jti.as_bytes()]));
        // A proof counts for 60 s and may be made 10 s ahead: then it is refused by its time.
        let until = ctx.now + SignedDuration::from_secs(120);
        store::signin::spend_jti(hash, until.as_millisecond())
    }

    /// The enrolment of this id.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn enrolment(&self, ctx: &Ctx, id: &str) -> Result<Option<Enrolment>, StoreFault> {
        if !id::is("enr", id) {
            return Ok(None);
        }
        store::enrolment::one(&self.store, ctx, id).await
    }

    /// A page of enrolments, oldest first.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn enrolments(
        &self,
        ctx: &Ctx,
        after: &After,
        limit: usize,
    ) -> Result<Vec<Enrolment>, StoreFault> {
        store::enrolment::list(&self.store, ctx, after, limit).await
    }

    /// A page of the enrolments that stand in this state, oldest first.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn enrolments_in_state(
        &self,
        ctx: &Ctx,
        (state, after): (State, &After),
        limit: usize,
    ) -> Result<Vec<Enrolment>, StoreFault> {
        store::enrolment::list_in_state(&self.store, ctx, (state, after), limit).await
    }

    /// Devices of the same person, oldest first.
    pub(crate) async fn devices(&self, ctx: &Ctx, person: &str) -> Result<Vec<Enrolment>, StoreFault> {
        store::enrolment::of_person(&self.store, ctx, person, DEVICES_MAX).await
    }

    /// Lets a waiting device in, or unlocks one. `by`: a live device of the same person with the proof of its request; an operator
    /// without.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub async fn approve_enrolment(
        &self,
        ctx: &Ctx,
        id: &str,
        by: Option<(&Enrolment, &SealProof)>,
    ) -> Result<(Enrolment, Committed), EnrolError> {
        let mut found = self.enrolment(ctx, id).await?.ok_or(EnrolError::NotFound)?;
        match by {
            Some((device, _)) if device.person != found.person => return Err(EnrolError::NotFound),
            Some(_) if found.state != State::Waiting => return Err(EnrolError::OutOfTurn),
            Some(_) if found.needs_operator => return Err(EnrolError::NeedsOperator),
            None if !matches!(found.state, State::Waiting | State::Locked) => {
                return Err(EnrolError::OutOfTurn);
            }
            _ => {}
        }
        (found.state, found.waits_until_ms, found.needs_operator) = (State::Active, None, false);
        let event = Event::EnrolmentApproved {
            person: found.person.clone(),
            enrolment: found.id.clone(),
            by: by.map(|(device, _)| device.id.clone()),
        };
        let committed = self.move_enrolment(ctx, &found, event, by, Vec::new()).await?;
        Ok((found, committed))
    }

    /// Locks a device at its person's wish; an operator unlocks it.
    pub(crate) async fn lock_enrolment(
        &self,
        ctx: &Ctx,
        device: &Enrolment,
        proof: &SealProof,
    ) -> Result<Committed, EnrolError> {
        let mut locked = device.clone();
        locked.state = State::Locked;
        let event = Event::EnrolmentLocked { person: device.person.clone(), enrolment: device.id.clone() };
        self.move_enrolment(ctx, &locked, event, Some((device, proof)), Vec::new()).await
    }

    /// Ends a device for ever; its grants end in the same unit.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub async fn revoke_enrolment(
        &self,
        ctx: &Ctx,
        id: &str,
        ending: Ending,
        by: Option<(&Enrolment, &SealProof)>,
    ) -> Result<Committed, EnrolError> {
        let mut found = self.enrolment(ctx, id).await?.ok_or(EnrolError::NotFound)?;
        if found.state == State::Revoked {
            return Err(EnrolError::OutOfTurn);
        }
        (found.state, found.revoked_at_ms) = (State::Revoked, Some(ctx.now_ms()));
        let event = Event::EnrolmentRevoked {
            person: found.person.clone(),
            enrolment: found.id.clone(),
            reason: ending.as_str().to_owned(),
        };
        let grants = vec![crate::grant::end_of_enrolment(&found.id)];
        self.move_enrolment(ctx, &found, event, by, grants).await
    }

    async fn move_enrolment(
        &self,
        ctx: &Ctx,
        to: &Enrolment,
        event: Event,
        by: Option<(&Enrolment, &SealProof)>,
        with: Vec<::store::Stmt>,
    ) -> Result<Committed, EnrolError> {
        let raced = |what| EnrolLost { enrolment: to.id.clone(), what };
        let mut unit = Unit::new(event).guard(store::enrolment::moved(to), raced(Lost::Raced)).put_all(with);
        if let Some((device, proof)) = by {
            unit = unit.guard(self.spend_proof(ctx, &device.id, proof), raced(Lost::Jti));
        }
        self.store.commit(ctx, unit).await.map_err(lost)
    }

    /// Lets devices in whose wait is over, and ends those whose time is.
    pub(crate) async fn ripen_enrolments(&self, ctx: &Ctx, limit: usize) -> Result<(), StoreFault> {
        let settled = |done: Result<(), EnrolError>| match done {
            Err(EnrolError::Store(fault)) => Err(fault),
            // Somebody else was faster.
            _ => Ok(()),
        };
        for ripe in store::enrolment::ripe(&self.store, ctx, limit).await? {
            settled(self.approve_enrolment(ctx, &ripe.id, None).await.map(drop))?;
        }
        for over in store::enrolment::over(&self.store, ctx, limit).await? {
            let ended = self.revoke_enrolment(ctx, &over.id, Ending::ExpiredDocument, None).await;
            settled(ended.map(drop))?;
        }
        Ok(())
    }
}

pub(crate) fn lost(error: CommitError<EnrolLost>) -> EnrolError {
    match error {
        CommitError::Fault(fault) => fault.into(),
        CommitError::Lost(lost) => match lost.what {
            Lost::Challenge => EnrolError::NotFound,
            Lost::Invite => EnrolError::Invite,
            Lost::Jti => EnrolError::Replayed,
            Lost::Device => EnrolError::AlreadyEnrolled,
            Lost::Person | Lost::Raced | Lost::Mark => EnrolError::Raced,
        },
    }
}

/// The last moment of a day.
fn end_of(day: Date) -> Option<Timestamp> {
    Some(day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
