//! Signing for rooms, which put the use of the key into their own event.
//!
//! ```text
//! KeyRef + Draft ── signer: active? chain good for a day? covered? ── keeper.sign ──▶ Signed { compact, key } ──▶ the room's own unit
//! ```
//!
//! Invariants: what signs is what the last commit left ([`store::Memo`]: a key that is disabled in this process signs nothing
//! afterwards, in another one nothing after a second); nothing is signed under a path that ends within a day; a public part stays published
//! as long as what it signed lives. Signing over HTTP is [`crate::batch`].

use std::sync::Arc;

use crypto::cose::Sign1Draft;
use crypto::jose::jws::{self, Draft};
use crypto::key::{KeyAlg, PublicKey, SignAlg};
use crypto::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use store::{CommitError, Ctx, Refused, StoreFault, TenantId, Unit};
use thiserror::Error;
use tlog::event::{self as events, Event, KeyUse};

use crate::chain::SIGNER_LEFT_S_MIN;
use crate::keeper::{Handle, KeeperFault};
use crate::key::Key;
use crate::state::State;
use crate::store::{self as rows, Signer};
use crate::usage::{Container, Use};
use crate::{Custody, agree, key};

/// Lives are rounded up to whole days, so that the row of a version is written seldom.
const LIFE_STEP_S: u64 = 86_400;

/// Signers remembered: four of each of a thousand tenants; a few KiB each.
pub(crate) const SIGNERS_MAX: usize = 4_096;

/// By what a signer is remembered: whose, whether by its use, and the use or the id.
pub(crate) type Named = (TenantId, bool, String);

/// Which key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRef<'a> {
    /// The room's key of this use, as `jws:dc+sd-jwt`.
    Use(&'a str),
    /// This key, `key_…`.
    Id(&'a str),
}

/// What a room gets back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The compact JWS.
    pub compact: String,
    /// The `kid` of the version that signed.
    pub kid: String,
    /// For the room's own event.
    pub key: KeyUse,
}

/// What a room gets back for a COSE_Sign1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCose {
    /// The COSE_Sign1.
    pub bytes: Vec<u8>,
    /// The `kid` of the version that signed.
    pub kid: String,
    /// For the room's own event.
    pub key: KeyUse,
}

/// The version that a room's key signs with now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerInfo {
    /// `key_…`.
    pub key_id: String,
    /// Its version.
    pub version: u32,
    /// The version's `kid`.
    pub kid: String,
    /// How it signs unless told otherwise.
    pub alg: SignAlg,
    /// Its public part.
    pub public: PublicKey,
    /// DER certificates for x5c: leaf, then intermediates, never the root. Empty without a chain.
    pub chain: Vec<Vec<u8>>,
    /// Earliest end of any certificate of its path, the root's included.
    pub ends_at: Option<Timestamp>,
}

/// Why a room's signature was not made. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignError {
    /// The tenant has no such key.
    #[error("there is no such key")]
    NotFound,
    /// The key is not for this.
    #[error("the uses of the key do not cover this")]
    UseRefused {
        /// Which key.
        key_id: String,
    },
    /// No version of the key signs now.
    #[error("the key is {state}")]
    NotActive {
        /// Which key.
        key_id: String,
        /// The state of its version in use, or of the newest.
        state: State,
    },
    /// The key does not sign with this algorithm.
    #[error("the key does not sign with this algorithm")]
    Alg {
        /// Which key.
        key_id: String,
    },
    /// A certificate of the path ends within a day (`issuer/signer-expiring`).
    #[error("the signer's certificates end at {ends_at}")]
    Expiring {
        /// Which key.
        key_id: String,
        /// When.
        ends_at: Timestamp,
    },
    /// The keeper could not.
    #[error(transparent)]
    Keeper(#[from] KeeperFault),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl SignError {
    /// Whether asking again later may succeed without anybody mending anything here: the door answers 503.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Expiring { .. } | Self::Keeper(_) | Self::Store(_))
    }
}

impl Custody {
    /// Signs a JWS with the key of a room. Writes `alg`, and `x5c` if the key has a chain, else `kid`, into the header; `typ` must
    /// be covered by the key's uses.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign_jws(&self, ctx: &Ctx, key: KeyRef<'_>, draft: Draft) -> Result<Signed, SignError> {
        self.sign_jws_until(ctx, key, draft, ctx.now).await
    }

    /// As [`Custody::sign_jws`], for an object that lives until `until`: the public part stays published at least as long after
    /// the version retires.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign_jws_until(
        &self,
        ctx: &Ctx,
        key: KeyRef<'_>,
        draft: Draft,
        until: Timestamp,
    ) -> Result<Signed, SignError> {
        let signer = self.ready(ctx, key).await?;
        let container = signer.key.uses.container();
        let typ = draft.header.get("typ").and_then(Value::as_str).unwrap_or_default();
        let fits = matches!(container, Container::Jws | Container::JwsRs256);
        if !fits || !signer.key.uses.covers(container, typ) {
            return Err(SignError::UseRefused { key_id: signer.key.id.clone() });
        }
        let alg = default_alg(&signer.key)?;
        let mut draft = draft;
        for ours in ["kid", "x5c"] {
            draft.header.shift_remove(ours);
        }
        let draft = match &signer.version.chain {
            Some(chain) => draft.with_alg(alg).with("x5c", jws::x5c_value(&chain.certificates)),
            None => draft.with_alg(alg).with("kid", signer.version.kid.as_str()),
        };
        self.keep_public(ctx, &signer, until).await?;
        let signing_input = draft.signing_input();
        let signature = self.sign_bytes(ctx, &signer, alg, signing_input.as_bytes()).await?;
        let key = self.used(ctx, &signer, 1);
        Ok(Signed {
            compact: jws::assemble(&signing_input, &signature),
            kid: signer.version.kid.clone(),
            key,
        })
    }

    /// Signs a COSE_Sign1 with the key of a room, which puts everything but `alg` (1) into the draft: this adds it to the protected
    /// header. `profile` is the content type, or `mso_mdoc`.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign_cose(
        &self,
        ctx: &Ctx,
        key: KeyRef<'_>,
        profile: &str,
        mut draft: Sign1Draft,
        until: Timestamp,
    ) -> Result<SignedCose, SignError> {
        let signer = self.ready(ctx, key).await?;
        if !signer.key.uses.covers(Container::Cose, profile) {
            return Err(SignError::UseRefused { key_id: signer.key.id.clone() });
        }
        let alg = default_alg(&signer.key)?;
        draft = draft.with_alg(alg);
        self.keep_public(ctx, &signer, until).await?;
        let signature = self.sign_bytes(ctx, &signer, alg, &draft.to_be_signed()).await?;
        let key = self.used(ctx, &signer, 1);
        Ok(SignedCose { bytes: draft.assemble(&signature), kid: signer.version.kid.clone(), key })
    }

    /// Signs the message of a note line with the log key of `origin` and `alg` (`ed25519` or `mldsa44`). `ctx` acts for the system
    /// tenant, which holds all log keys. No event: the checkpoint is the record.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign_note(
        &self,
        ctx: &Ctx,
        origin: &str,
        alg: KeyAlg,
        message: &[u8],
    ) -> Result<Vec<u8>, SignError> {
        let one = Use::note(origin).ok_or(SignError::NotFound)?;
        let signer = self.ready_in_slot(ctx, &Key::slot_of(&one, alg)).await?;
        self.sign_bytes(ctx, &signer, alg.default_sign_alg(), message).await
    }

    /// Signs the message of a relay statement with the tenant's `relay:statement` key. The message begins with the label of its
    /// kind, so no statement passes for another.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign_statement(&self, ctx: &Ctx, message: &[u8]) -> Result<([u8; 64], KeyUse), SignError> {
        let signer = self.ready_in_slot(ctx, crate::provision::RELAY_USE).await?;
        let signature = self.sign_bytes(ctx, &signer, SignAlg::EdDsa, message).await?;
        let signature = signature.try_into().map_err(|_| SignError::Alg { key_id: signer.key.id.clone() })?;
        let key = self.used(ctx, &signer, 1);
        Ok((signature, key))
    }

    /// Signs a `TBSCertificate` with the tenant's root (ES256; the answer is `r ‖ s`).
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign_x509(&self, ctx: &Ctx, to_be_signed: &[u8]) -> Result<(Vec<u8>, KeyUse), SignError> {
        let signer = self.ready_in_slot(ctx, crate::chain::ROOT_USE).await?;
        let signature = self.sign_bytes(ctx, &signer, SignAlg::Es256, to_be_signed).await?;
        let key = self.used(ctx, &signer, 1);
        Ok((signature, key))
    }

    /// The shared secret of the room's `ecdh:…` key and `peer`: the x coordinate, for a key derivation. `version`: which version
    /// the peer encrypted to; retired ones agree until they are destroyed.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn agree(
        &self,
        ctx: &Ctx,
        key: KeyRef<'_>,
        version: Option<u32>,
        peer: &PublicKey,
    ) -> Result<Secret<Vec<u8>>, SignError> {
        let known = match key {
            KeyRef::Id(id) => rows::key(self.store(), ctx, id).await?,
            KeyRef::Use(slot) => rows::key_of_slot(self.store(), ctx, slot).await?,
        };
        let gives = |key: &Key| key.uses.container() == Container::Ecdh && !agree::is_derived_only(&key.uses);
        let known = known.filter(gives).ok_or(SignError::NotFound)?;
        let not_active = |state| SignError::NotActive { key_id: known.id.clone(), state };
        let number = version.or(known.in_use).ok_or_else(|| not_active(known.state()))?;
        let state = known.version(number).ok_or(SignError::NotFound)?.state;
        if !matches!(state, State::Active | State::Retired) {
            return Err(not_active(state));
        }
        let sealed = rows::sealed(self.store(), ctx, &known.id, number).await?;
        let handle = handle(&known, number, sealed.as_deref());
        Ok(self.keeper().agree(self.store(), ctx, handle, peer).await?)
    }

    /// A key for MACs that live for minutes; it changes with the tenant's `data` KEK.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn mac_key(&self, ctx: &Ctx, label: &str) -> Result<Secret<[u8; 32]>, StoreFault> {
        self.store().mac_key(ctx, label).await
    }

    /// The version that a key signs with now.
    ///
    /// # Errors
    /// [`SignError::NotFound`], [`SignError::NotActive`], [`SignError::Store`]. A chain that ends soon is no error here.
    pub async fn signer(&self, ctx: &Ctx, key: KeyRef<'_>) -> Result<SignerInfo, SignError> {
        info(self.signer_row(ctx, key).await?.as_ref())
    }

    /// The signer-expiry guard, for whoever would spend something before it signs: refuses when any certificate of the path has
    /// `left_s` seconds or less ([`crate::SIGNER_LEFT_S_MIN`] is what signing itself asks for).
    ///
    /// # Errors
    /// [`SignError::Expiring`], and those of [`Custody::signer`].
    pub async fn usable(&self, ctx: &Ctx, key: KeyRef<'_>, left_s: i64) -> Result<SignerInfo, SignError> {
        let signer = self.signer_row(ctx, key).await?;
        in_time(&signer, ctx.now, left_s)?;
        info(&signer)
    }

    /// DER certificates for x5c of the key's version in use: leaf, then intermediates, never the root.
    ///
    /// # Errors
    /// As [`Custody::signer`].
    pub async fn chain(&self, ctx: &Ctx, key: KeyRef<'_>) -> Result<Vec<Vec<u8>>, SignError> {
        Ok(self.signer(ctx, key).await?.chain)
    }

    /// The public parts of a log's keys, once they are made.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn note_key(
        &self,
        ctx: &Ctx,
        origin: &str,
        alg: KeyAlg,
    ) -> Result<Option<PublicKey>, StoreFault> {
        let Some(one) = Use::note(origin) else { return Ok(None) };
        let signer = rows::signer_of_slot(self.store(), ctx, &Key::slot_of(&one, alg)).await?;
        Ok(signer.map(|signer| signer.version.public))
    }

    pub(crate) async fn ready(&self, ctx: &Ctx, key: KeyRef<'_>) -> Result<Arc<Signer>, SignError> {
        let signer = self.signer_row(ctx, key).await?;
        in_time(&signer, ctx.now, SIGNER_LEFT_S_MIN)?;
        Ok(signer)
    }

    async fn ready_in_slot(&self, ctx: &Ctx, slot: &str) -> Result<Arc<Signer>, SignError> {
        self.ready(ctx, KeyRef::Use(slot)).await
    }

    /// Loads the version in use; it must sign.
    pub(crate) async fn signer_row(&self, ctx: &Ctx, key: KeyRef<'_>) -> Result<Arc<Signer>, SignError> {
        if let Some(signer) = self.in_use(ctx, key).await? {
            let state = signer.version.state;
            if state.signs() {
                return Ok(signer);
            }
            return Err(SignError::NotActive { key_id: signer.key.id.clone(), state });
        }
        // No version is in use: say which state it is, if there is such a key.
        let known = match key {
            KeyRef::Use(slot) => rows::key_of_slot(self.store(), ctx, slot).await?,
            KeyRef::Id(id) => rows::key(self.store(), ctx, id).await?,
        };
        let key = known.ok_or(SignError::NotFound)?;
        Err(SignError::NotActive { state: key.state(), key_id: key.id })
    }

    /// The version in use, as the last commit left it. That there is none is not remembered: anybody may ask for any id.
    async fn in_use(&self, ctx: &Ctx, key: KeyRef<'_>) -> Result<Option<Arc<Signer>>, StoreFault> {
        let (by_use, text) = match key {
            KeyRef::Use(slot) => (true, slot),
            KeyRef::Id(id) => (false, id),
        };
        let read = async {
            let found = match key {
                KeyRef::Use(slot) => rows::signer_of_slot(self.store(), ctx, slot).await,
                KeyRef::Id(id) => rows::signer(self.store(), ctx, id).await,
            };
            found.map_err(Some)?.map(Arc::new).ok_or(None)
        };
        match self.signers().get(ctx, (ctx.tenant.clone(), by_use, text.to_owned()), read).await {
            Ok(signer) => Ok(Some(signer)),
            Err(None) => Ok(None),
            Err(Some(fault)) => Err(fault),
        }
    }

    pub(crate) async fn sign_bytes(
        &self,
        ctx: &Ctx,
        signer: &Signer,
        alg: SignAlg,
        message: &[u8],
    ) -> Result<Vec<u8>, SignError> {
        let handle = handle(&signer.key, signer.version.number, signer.sealed.as_deref());
        Ok(self.keeper().sign(self.store(), ctx, handle, alg, message).await?)
    }

    /// Counts in memory; the job writes it each minute.
    pub(crate) fn used(&self, ctx: &Ctx, signer: &Signer, count: u32) -> KeyUse {
        self.counts().add(&ctx.tenant, &signer.key.id, signer.version.number, count.into());
        KeyUse { key_id: signer.key.id.clone(), version: signer.version.number, count }
    }

    /// Makes sure, before it is signed, that the public part outlives what lives until `until`.
    pub(crate) async fn keep_public(
        &self,
        ctx: &Ctx,
        signer: &Signer,
        until: Timestamp,
    ) -> Result<(), SignError> {
        let life_s = until.duration_since(ctx.now).max(SignedDuration::ZERO).as_secs().unsigned_abs();
        let life_s = life_s.div_ceil(LIFE_STEP_S) * LIFE_STEP_S;
        let known = signer.version.longest_life_s.max(signer.key.policy.keep_public_s);
        if life_s <= known {
            return Ok(());
        }
        let (key_id, number) = (&signer.key.id, signer.version.number);
        let retired = || SignError::NotActive { key_id: key_id.clone(), state: State::Retired };
        let unit = Unit::new(Event::KeyChanged { key_id: key_id.clone() })
            .guard(rows::raise_life(key_id, number, life_s), KeyMoved(key_id.clone()))
            .put(rows::touch_key(key_id));
        match self.store().commit(ctx, unit).await {
            Ok(_) => Ok(()),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
            // Another request may have raised it further meanwhile.
            Err(CommitError::Lost(_)) => {
                let again = self.signer_row(ctx, KeyRef::Id(key_id)).await?;
                let same = again.version.number == number && again.version.longest_life_s >= life_s;
                if same { Ok(()) } else { Err(retired()) }
            }
        }
    }
}

/// The version moved on while a signature was made ready.
pub(crate) struct KeyMoved(pub(crate) String);

impl Refused for KeyMoved {
    fn event(&self) -> Event {
        Event::KeyUseRefused { container: None, key_id: self.0.clone(), code: "keys/state".to_owned() }
    }
}

/// The container as events number it.
pub(crate) const fn event_container(container: Container, csr: bool) -> events::Container {
    match container {
        Container::Jws => events::Container::Jws,
        Container::JwsRs256 => events::Container::JwsRs256,
        Container::Cose => events::Container::Cose,
        Container::X509 if csr => events::Container::X509Csr,
        Container::X509 => events::Container::X509Ca,
        Container::Note => events::Container::Note,
        Container::Ecdh => events::Container::Ecdh,
        Container::Vds => events::Container::Vds,
        Container::Relay => events::Container::Relay,
    }
}

/// The event of a certificate request that a key signed.
pub(crate) fn csr_event(ctx: &Ctx, key: &Key, version: u32, alg: SignAlg, digest: [u8; 32]) -> Event {
    Event::KeyUsed {
        container: event_container(Container::X509, true),
        alg,
        count: 1,
        key_use: KeyUse { key_id: key.id.clone(), version, count: 1 },
        request: ctx.request_id.to_string(),
        digests: vec![digest],
    }
}

pub(crate) fn handle<'a>(key: &'a key::Key, version: u32, sealed: Option<&'a [u8]>) -> Handle<'a> {
    Handle { key_id: &key.id, version, alg: key.alg, uses: &key.uses, sealed }
}

fn default_alg(key: &Key) -> Result<SignAlg, SignError> {
    key.uses.container().default_alg(key.alg).ok_or_else(|| SignError::Alg { key_id: key.id.clone() })
}

fn in_time(signer: &Signer, now: Timestamp, left_s: i64) -> Result<(), SignError> {
    match &signer.version.chain {
        Some(chain) if !chain.is_good(now, left_s) => {
            Err(SignError::Expiring { key_id: signer.key.id.clone(), ends_at: chain.until })
        }
        _ => Ok(()),
    }
}

pub(crate) fn info(signer: &Signer) -> Result<SignerInfo, SignError> {
    let chain = signer.version.chain.as_ref();
    Ok(SignerInfo {
        key_id: signer.key.id.clone(),
        version: signer.version.number,
        kid: signer.version.kid.clone(),
        alg: default_alg(&signer.key)?,
        public: signer.version.public.clone(),
        chain: chain.map(|chain| chain.certificates.clone()).unwrap_or_default(),
        ends_at: chain.map(|chain| chain.until),
    })
}
