//! Moving versions: rotate, activate, retire, freeze, unfreeze, compromise, destroy; requests for certificates, and chains that come
//! back.
//!
//! ```text
//! load key ── Key::step | Key::succeed (pure) ── unit { guard: revision as read, versions that changed, one event }
//! ```
//! Of any number who read the same revision one wins; the others are refused and nothing of theirs was done.

use crypto::hash;
use crypto::key::SignAlg;
use crypto::x509::build;
use jiff::{SignedDuration, Timestamp};
use store::{Committed, Ctx, Stmt, Unit};
use tlog::event::Event;

use crate::chain::{self, Chain, LeafNames};
use crate::keeper::{KeeperFault, Made};
use crate::key::{Key, Owner, Version};
use crate::make::{KeyError, created, lost};
use crate::rotation::{ChainKind, Step};
use crate::sign;
use crate::state::{State, Verb};
use crate::store::{self as rows, NewVersion};
use crate::usage::Container;
use crate::{Custody, token};

/// A rotation so soon after another is the same wish arriving twice: 64 at once make one new version.
const ROTATE_GAP_MS: i64 = 1_000;

/// How a key is rotated by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotate {
    /// A version takes over at once: the pending one, or a fresh one.
    Now,
    /// A fresh version is published now and takes over after `publish_ahead_s`.
    Ahead,
    /// A fresh version takes over at once, and the old one is given up.
    Compromised,
}

/// What is written when a key moves.
struct Move {
    /// The revision that was read.
    read: i64,
    /// Versions whose rows changed.
    changed: Vec<u32>,
    /// The event.
    event: Event,
    /// What goes with it.
    with: Option<Stmt>,
    /// The request's idempotency mark.
    mark: Option<Stmt>,
}

impl Custody {
    /// Rotates a key by hand. `mark` closes the request's idempotency mark in the same unit.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn rotate(
        &self,
        ctx: &Ctx,
        key_id: &str,
        how: Rotate,
        mark: Option<Stmt>,
    ) -> Result<(Key, Committed), KeyError> {
        let key = self.movable(ctx, key_id).await?;
        match how {
            Rotate::Ahead => {
                if let Some(pending) = key.pending() {
                    return Err(KeyError::Pending { version: pending.number });
                }
                let ahead_s = i64::try_from(key.policy.publish_ahead_s).unwrap_or(i64::MAX);
                self.publish(ctx, key, ctx.now + SignedDuration::from_secs(ahead_s), mark).await
            }
            Rotate::Now | Rotate::Compromised => {
                too_soon(&key, ctx.now)?;
                self.take_over(ctx, key, how == Rotate::Compromised, mark).await
            }
        }
    }

    /// Does one of `activate`, `retire`, `freeze`, `unfreeze` and `compromise` to a version.
    ///
    /// # Errors
    /// [`KeyError`]; every pair that the table of states lacks is [`KeyError::Step`].
    pub async fn move_version(
        &self,
        ctx: &Ctx,
        key_id: &str,
        number: u32,
        verb: Verb,
        mark: Option<Stmt>,
    ) -> Result<(Key, Committed), KeyError> {
        let mut key = self.movable(ctx, key_id).await?;
        let version = key.version(number).ok_or(KeyError::NotFound)?;
        if verb == Verb::Activate && version.state == State::Pending {
            has_certificate(&key, version)?;
        }
        let (read, old) = (key.revision, key.in_use);
        let changed = key.step(number, verb, ctx.now)?;
        let version = key.version(number).ok_or(KeyError::NotFound)?;
        let (key_id, version_number, kid) = (key.id.clone(), number, version.kid.clone());
        let event = match verb {
            Verb::Activate | Verb::Rotate => {
                let retired_version = old.filter(|old| *old != number);
                Event::KeyActivated { key_id, version: version_number, kid, retired_version }
            }
            Verb::Freeze => Event::KeyFrozen { key_id, version: version_number },
            Verb::Unfreeze => Event::KeyUnfrozen { key_id, version: version_number },
            Verb::Retire => Event::KeyRetired { key_id, version: version_number },
            Verb::Compromise => Event::KeyCompromised { key_id, version: version_number },
            Verb::Destroy => Event::KeyDestroyed { key_id, version: version_number },
        };
        let erased = (verb == Verb::Destroy).then(|| rows::erase_sealed(&key.id, number));
        self.commit_move(ctx, key, Move { read, changed, event, with: erased, mark }).await
    }

    /// Destroys the private part of a version by hand: in development only, as elsewhere it asks for a second owner.
    ///
    /// # Errors
    /// [`KeyError::Approval`] outside development, else as [`Custody::move_version`].
    pub async fn destroy(
        &self,
        ctx: &Ctx,
        key_id: &str,
        number: u32,
        (confirm, now): (&str, bool),
        mark: Option<Stmt>,
    ) -> Result<(Key, Committed), KeyError> {
        let key = self.movable(ctx, key_id).await?;
        let version = key.version(number).ok_or(KeyError::NotFound)?;
        if version.kid != confirm {
            return Err(KeyError::Confirm);
        }
        version.state.step(Verb::Destroy)?;
        if !self.is_dev() || !now {
            return Err(KeyError::Approval);
        }
        self.move_version(ctx, key_id, number, Verb::Destroy, mark).await
    }

    /// The request for a certificate of a version, in PEM, signed by that version.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn certificate_request(
        &self,
        ctx: &Ctx,
        key_id: &str,
        number: u32,
    ) -> Result<String, KeyError> {
        let key = self.key(ctx, key_id).await?;
        let version = key.version(number).ok_or(KeyError::NotFound)?;
        takes_certificates(&key)?;
        if !matches!(version.state, State::Pending | State::Active) {
            return Err(KeyError::Step(crate::state::NoSuchStep {
                from: version.state,
                verb: Verb::Activate,
            }));
        }
        let failed = || KeyError::Keeper(KeeperFault::Failed);
        let by_label = || LeafNames {
            common_name: key.label.chars().take(64).collect(),
            country: None,
            san_uri: None,
            san_dns: None,
        };
        let names = key.names.clone().unwrap_or_else(by_label);
        let to_be_signed = chain::request(&names, &version.public).ok_or_else(failed)?;
        let alg = if key.alg.is_rsa() && key.uses.container() == Container::JwsRs256 {
            SignAlg::Rs256
        } else {
            key.alg.default_sign_alg()
        };
        let sealed = rows::sealed(self.store(), ctx, key_id, number).await?;
        let handle = sign::handle(&key, number, sealed.as_deref());
        let signature = self.keeper().sign(self.store(), ctx, handle, alg, &to_be_signed).await?;
        let der = build::assemble(&to_be_signed, alg, &signature).map_err(|_| failed())?;
        self.store()
            .record(ctx, sign::csr_event(ctx, &key, number, alg, hash::sha256(&to_be_signed)))
            .await?;
        Ok(pem("CERTIFICATE REQUEST", &der))
    }

    /// Takes the chain that an outside authority made for a version. From then on new versions of the key wait for theirs.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn put_certificate(
        &self,
        ctx: &Ctx,
        key_id: &str,
        number: u32,
        pem_text: &str,
    ) -> Result<(Key, Committed), KeyError> {
        let mut key = self.movable(ctx, key_id).await?;
        takes_certificates(&key)?;
        let read = key.revision;
        let place =
            key.versions.iter().position(|version| version.number == number).ok_or(KeyError::NotFound)?;
        let version = &key.versions[place];
        if !matches!(version.state, State::Pending | State::Active | State::Frozen) {
            return Err(KeyError::Step(crate::state::NoSuchStep {
                from: version.state,
                verb: Verb::Activate,
            }));
        }
        let chain = Chain::of_outside(pem_text, &version.public, ctx.now)?;
        let leaf_sha256 = chain.certificates.first().map(|leaf| hash::sha256(leaf)).unwrap_or_default();
        let event = Event::KeyCertified { leaf_sha256, key_id: key.id.clone(), version: number };
        let put = rows::put_chain(&key.id, number, &chain);
        key.versions[place].chain = Some(chain);
        key.versions[place].blocked_at = None;
        key.chain_kind = ChainKind::Outside;
        self.commit_move(ctx, key, Move { read, changed: Vec::new(), event, with: Some(put), mark: None })
            .await
    }

    /// Does what the rotation found to be due.
    pub(crate) async fn do_step(&self, ctx: &Ctx, key: Key, step: Step) -> Result<(), KeyError> {
        let key_id = key.id.clone();
        match step {
            Step::Publish { activate_at } => self.publish(ctx, key, activate_at, None).await.map(drop),
            Step::Activate { version } => {
                self.move_version(ctx, &key_id, version, Verb::Activate, None).await.map(drop)
            }
            Step::Destroy { version } => {
                self.move_version(ctx, &key_id, version, Verb::Destroy, None).await.map(drop)
            }
            Step::Block { version } => {
                let (read, mut key) = (key.revision, key);
                if let Some(blocked) = key.versions.iter_mut().find(|one| one.number == version) {
                    blocked.blocked_at = Some(ctx.now);
                }
                let event = Event::KeyRotationBlocked {
                    key_id,
                    version,
                    code: "keys/certificate-awaited".to_owned(),
                };
                self.commit_move(
                    ctx,
                    key,
                    Move { read, changed: vec![version], event, with: None, mark: None },
                )
                .await
                .map(drop)
            }
        }
    }

    /// A fresh version waits until `activate_at`.
    async fn publish(
        &self,
        ctx: &Ctx,
        mut key: Key,
        activate_at: Timestamp,
        mark: Option<Stmt>,
    ) -> Result<(Key, Committed), KeyError> {
        let (read, number) = (key.revision, key.last_version + 1);
        let (mut version, made) = self.make_version(ctx, &key, number).await?;
        version.activate_at = Some(activate_at);
        let event = created(&key, &version);
        let put = put_made(&key.id, &version, made);
        key.last_version = number;
        key.versions.insert(0, version);
        self.commit_move(ctx, key, Move { read, changed: Vec::new(), event, with: Some(put), mark }).await
    }

    /// A version takes over at once.
    async fn take_over(
        &self,
        ctx: &Ctx,
        mut key: Key,
        compromised: bool,
        mark: Option<Stmt>,
    ) -> Result<(Key, Committed), KeyError> {
        let (read, old) = (key.revision, key.in_use);
        let waiting = key.pending().filter(|_| !compromised).map(|version| version.number);
        let id = key.id.clone();
        let rotated = |version: &Version| Event::KeyRotated {
            compromised,
            key_id: id.clone(),
            version: version.number,
            kid: version.kid.clone(),
            retired_version: old,
        };
        if let Some(number) = waiting {
            has_certificate(&key, key.version(number).ok_or(KeyError::NotFound)?)?;
            let changed = key.step(number, Verb::Rotate, ctx.now)?;
            let event = rotated(key.version(number).ok_or(KeyError::NotFound)?);
            return self.commit_move(ctx, key, Move { read, changed, event, with: None, mark }).await;
        }
        let number = key.last_version + 1;
        if key.chain_kind == ChainKind::Outside {
            return Err(KeyError::NeedsCertificate { version: number });
        }
        let (version, made) = self.make_version(ctx, &key, number).await?;
        let changed = key.succeed(version, compromised, ctx.now)?;
        let version = key.version(number).ok_or(KeyError::NotFound)?;
        let (event, put) = (rotated(version), put_made(&key.id, version, made));
        self.commit_move(ctx, key, Move { read, changed, event, with: Some(put), mark }).await
    }

    /// One unit: the key as it is to be, guarded by the revision it was read at; the versions that changed; what goes with it.
    async fn commit_move(&self, ctx: &Ctx, mut key: Key, this: Move) -> Result<(Key, Committed), KeyError> {
        let Move { read, changed, event, with, mark } = this;
        let moved = key.versions.iter().filter(|version| changed.contains(&version.number));
        let mut unit = Unit::new(event)
            .guard(rows::move_key(&key, read), KeyError::Raced { key_id: key.id.clone() })
            .put_all(moved.map(|version| rows::move_version(&key.id, version)))
            .put_all(with);
        if let Some(mark) = mark {
            unit = unit.guard(mark, KeyError::Idempotency);
        }
        let committed = self.store().commit(ctx, unit).await.map_err(lost)?;
        key.revision += 1;
        for version in key.versions.iter().filter(|version| changed.contains(&version.number)) {
            if matches!(version.state, State::Compromised | State::Destroyed) {
                self.keeper().forget(&ctx.tenant, &key.id, version.number);
            }
        }
        if key.slot.as_deref() == Some(token::USE) {
            self.publish_token_keys(ctx).await?;
        }
        Ok((key, committed))
    }

    async fn movable(&self, ctx: &Ctx, key_id: &str) -> Result<Key, KeyError> {
        let key = self.key(ctx, key_id).await?;
        if key.rotates() { Ok(key) } else { Err(KeyError::Fixed) }
    }
}

fn put_made(key_id: &str, version: &Version, made: Made) -> Stmt {
    rows::put_version(key_id, NewVersion { version, sealed: made.sealed, kek_version: made.kek_version })
}

fn too_soon(key: &Key, now: Timestamp) -> Result<(), KeyError> {
    let last = key.in_use.and_then(|number| key.version(number)).filter(|version| version.number > 1);
    match last.and_then(|version| version.activated_at) {
        Some(at) if now.as_millisecond() - at.as_millisecond() < ROTATE_GAP_MS => Err(KeyError::TooSoon),
        _ => Ok(()),
    }
}

fn has_certificate(key: &Key, version: &Version) -> Result<(), KeyError> {
    if key.chain_kind == ChainKind::Outside && version.chain.is_none() {
        return Err(KeyError::NeedsCertificate { version: version.number });
    }
    Ok(())
}

fn takes_certificates(key: &Key) -> Result<(), KeyError> {
    let has_chain = key.owner != Owner::Api && key.chain_kind != ChainKind::None;
    if has_chain || key.uses.asks_for_certificates() { Ok(()) } else { Err(KeyError::NoCertificates) }
}

/// One PEM block (RFC 7468).
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let encoded = crypto::base64::std_encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
