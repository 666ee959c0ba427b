//! What Seal asks of custody: agreement from which only a derived key comes out, and signatures over document seals.
//!
//! ```text
//! idp ── agree_hkdf(kid of S, peer, salt, tail) ──▶ keeper: HKDF-Extract(salt, ECDH(S, peer) ‖ tail) ──▶ 32 bytes
//! idp ── sign_vds(bytes) ──▶ keeper ──▶ r ‖ s, with the certificate that vouches for it
//! ```
//! Invariants: a key of use `ecdh:seal` has this one operation, so nobody gets its shared points; neither use can be made, or used,
//! over HTTP.

use std::sync::Arc;

use crypto::key::{PublicKey, SignAlg};
use crypto::secret::Secret;
use jiff::Timestamp;
use store::{Ctx, StoreFault};
use tlog::event::KeyUse;

use crate::Custody;
use crate::key::{Key, Version};
use crate::sign::{self, KeyRef, SignError, SignerInfo};
use crate::state::State;
use crate::store as rows;
use crate::usage::{Container, Uses};

/// The use of the identity provider's static agreement key.
pub const AGREE_USE: &str = "ecdh:seal";
/// The use of the signer of document seals.
pub const SEAL_USE: &str = "vds:seal";

/// The static agreement key as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementKey {
    /// Names the version.
    pub kid: String,
    /// Its public part.
    pub public: PublicKey,
    /// The version that will take over, if it is known.
    pub next: Option<(String, PublicKey)>,
}

/// What comes out of an agreement.
pub struct Derived {
    /// The extracted key.
    pub prk: Secret<[u8; 32]>,
    /// The public part of the version that agreed.
    pub public: PublicKey,
}

/// A signature over a document seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedSeal {
    /// `r ‖ s`, 64 bytes.
    pub signature: Vec<u8>,
    /// For the room's own event.
    pub key: KeyUse,
}

/// The agreement key with its versions as the last commit left it, and the sealed private parts of those that agree.
pub(crate) struct Agreeing {
    key: Key,
    sealed: Vec<(u32, Option<Vec<u8>>)>,
}

impl Custody {
    /// The agreement key: as it is remembered, or as its rows say. That there is none is not remembered.
    async fn agreeing(&self, ctx: &Ctx) -> Result<Arc<Agreeing>, SignError> {
        let read = async {
            let key = rows::key_of_slot(self.store(), ctx, AGREE_USE).await?.ok_or(SignError::NotFound)?;
            let mut sealed = Vec::new();
            for version in key.versions.iter().filter(|version| agrees(version.state)) {
                sealed
                    .push((version.number, rows::sealed(self.store(), ctx, &key.id, version.number).await?));
            }
            Ok(Arc::new(Agreeing { key, sealed }))
        };
        self.known_agreeing().get(ctx, ctx.tenant.clone(), read).await
    }

    /// The agreement key in use.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn agreement_key(&self, ctx: &Ctx) -> Result<AgreementKey, SignError> {
        let agreeing = self.agreeing(ctx).await?;
        let known = &agreeing.key;
        let not_active = || SignError::NotActive { key_id: known.id.clone(), state: known.state() };
        let current = known.in_use.and_then(|number| known.version(number)).ok_or_else(not_active)?;
        if current.state != State::Active {
            return Err(not_active());
        }
        let named = |version: &Version| (version.kid.clone(), version.public.clone());
        let next = known.versions.iter().find(|version| version.state == State::Pending).map(named);
        let (kid, public) = named(current);
        Ok(AgreementKey { kid, public, next })
    }

    /// `HKDF-Extract(salt, ECDH(S, peer) ‖ tail)` for the version `kid` of the agreement key. A retired version agrees until it is
    /// destroyed, as devices pinned it.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn agree_hkdf(
        &self,
        ctx: &Ctx,
        kid: &str,
        peer: &PublicKey,
        salt: &[u8],
        tail: &[u8],
    ) -> Result<Derived, SignError> {
        let agreeing = self.agreeing(ctx).await?;
        let known = &agreeing.key;
        let version = known.versions.iter().find(|version| version.kid == kid).ok_or(SignError::NotFound)?;
        if !agrees(version.state) {
            return Err(SignError::NotActive { key_id: known.id.clone(), state: version.state });
        }
        let sealed = agreeing.sealed.iter().find(|(number, _)| *number == version.number);
        let sealed = sealed.and_then(|(_, sealed)| sealed.as_deref());
        let handle = sign::handle(known, version.number, sealed);
        let prk = self.keeper().agree_hkdf(self.store(), ctx, handle, peer, (salt, tail)).await?;
        Ok(Derived { prk, public: version.public.clone() })
    }

    /// The signer of document seals, which must have `left_s` seconds left: its reference stands in what is signed.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn seal_signer(&self, ctx: &Ctx, left_s: i64) -> Result<SignerInfo, SignError> {
        self.usable(ctx, KeyRef::Use(SEAL_USE), left_s).await
    }

    /// Certificates of every version whose seals still count, DER: seals outlive the version that signed them.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn seal_certificates(&self, ctx: &Ctx) -> Result<Vec<Vec<u8>>, StoreFault> {
        let Some(known) = rows::key_of_slot(self.store(), ctx, SEAL_USE).await? else {
            return Ok(Vec::new());
        };
        let counts = |version: &&Version| {
            matches!(version.state, State::Active | State::Frozen | State::Retired | State::Destroyed)
        };
        let leaf = |version: &Version| version.chain.as_ref()?.certificates.first().cloned();
        Ok(known.versions.iter().filter(counts).filter_map(leaf).collect())
    }

    /// Signs the bytes of a document seal, which are hashed by the keeper. `kid` is the version whose reference stands in them.
    ///
    /// # Errors
    /// [`SignError`]; [`SignError::UseRefused`] when another version signs by now.
    pub async fn sign_vds(
        &self,
        ctx: &Ctx,
        kid: &str,
        to_be_signed: &[u8],
        until: Timestamp,
    ) -> Result<SignedSeal, SignError> {
        let signer = self.ready(ctx, KeyRef::Use(SEAL_USE)).await?;
        if signer.version.kid != kid || signer.key.uses.container() != Container::Vds {
            return Err(SignError::UseRefused { key_id: signer.key.id.clone() });
        }
        self.keep_public(ctx, &signer, until).await?;
        let signature = self.sign_bytes(ctx, &signer, SignAlg::Es256, to_be_signed).await?;
        let key = self.used(ctx, &signer, 1);
        Ok(SignedSeal { signature, key })
    }
}

/// Whether a version in this state agrees: a retired one does until it is destroyed.
const fn agrees(state: State) -> bool {
    matches!(state, State::Active | State::Retired)
}

/// Whether no shared point of this key is given out.
pub(crate) fn is_derived_only(uses: &Uses) -> bool {
    uses.covers(Container::Ecdh, "seal")
}
