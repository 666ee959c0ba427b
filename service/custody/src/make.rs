//! Making keys and their versions, and changing what a key is called and when it rotates.
//!
//! ```text
//! NewKey ── keeper.make ── own root signs the leaf, if it has one ──▶ unit { key, version 1 active, key-created }
//! ```

use crypto::key::KeyAlg;
use store::{CommitError, Committed, Ctx, Refused, Stmt, StoreFault, Unit, id};
use thiserror::Error;
use tlog::event::Event;

use crate::chain::{self, Chain, ChainError, LeafNames};
use crate::keeper::{KeeperFault, Made};
use crate::key::{Key, KeyFilter, LABEL_CHARS_MAX, Owner, Page, Version};
use crate::rotation::{ChainKind, Policy, PolicyError};
use crate::sign::SignError;
use crate::state::{NoSuchStep, State, Verb};
use crate::store::{self as rows, NewVersion};
use crate::usage::{Container, Uses, UsesError};
use crate::{Custody, keeper};

/// A key that a room asks for. The room finds it again by its first use.
#[derive(Clone, Debug)]
pub struct RoomKey<'a> {
    /// The room.
    pub owner: Owner,
    /// What it is.
    pub alg: KeyAlg,
    /// What it is for.
    pub uses: &'a [&'a str],
    /// What lists call it.
    pub label: &'a str,
    /// Whom its certificates name, if the tenant's root signs them.
    pub names: Option<LeafNames>,
    /// When it rotates.
    pub policy: Policy,
}

/// A key that somebody asks for over HTTP.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// 1 to 100 characters.
    pub label: String,
    /// Name of the algorithm, or its alias.
    pub alg: String,
    /// What it is for.
    pub uses: Vec<String>,
    /// Where it is to live; the configured keeper unless told.
    pub keeper: Option<String>,
    /// When it rotates.
    pub rotation: Policy,
}

/// What is changed of a key.
#[derive(Clone, Debug, Default)]
pub struct KeyChange {
    /// A new label.
    pub label: Option<String>,
    /// A new policy.
    pub rotation: Option<Policy>,
    /// The revision that the change was made for; any, if none is given.
    pub revision: Option<i64>,
}

/// Why a key is not made, changed or moved. Nothing was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The tenant has no such key or version; a foreign one reads alike.
    #[error("there is no such key")]
    NotFound,
    /// No algorithm of this name, or one that is not made here.
    #[error("{0}")]
    Alg(&'static str),
    /// The uses.
    #[error(transparent)]
    Uses(#[from] UsesError),
    /// The label.
    #[error("a label has 1 to {LABEL_CHARS_MAX} characters, none of them a control character")]
    Label,
    /// No keeper of this name.
    #[error("this build has the software keeper only")]
    NoKeeper,
    /// The rotation policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The version is not in a state that has this step.
    #[error(transparent)]
    Step(#[from] NoSuchStep),
    /// Somebody else moved the key since it was read.
    #[error("the key was changed by another request")]
    Raced {
        /// Which key.
        key_id: String,
    },
    /// The revision of `If-Match` is not the key's.
    #[error("the key was changed since you read it")]
    Stale,
    /// A version waits already.
    #[error("version {version} is pending already")]
    Pending {
        /// Which.
        version: u32,
    },
    /// The version in use took over less than a second ago.
    #[error("the key was rotated less than a second ago")]
    TooSoon,
    /// A log's key or a tenant's root.
    #[error("the keys of logs and the root of a tenant are not moved by this door")]
    Fixed,
    /// The version needs a certificate of an outside authority first.
    #[error("version {version} waits for its certificate")]
    NeedsCertificate {
        /// Which.
        version: u32,
    },
    /// The key has nothing to do with certificates.
    #[error("the key has no use x509:csr")]
    NoCertificates,
    /// The chain is not taken.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Destroying by hand asks for what this build does not have.
    #[error("destroying a key asks for a second owner, which is not served yet")]
    Approval,
    /// The confirmation is not the version's `kid`.
    #[error("confirm must be the kid of the version")]
    Confirm,
    /// Another request with the same idempotency key did it.
    #[error("another request with this idempotency key was faster")]
    Idempotency,
    /// The tenant's root could not sign.
    #[error("the tenant's root could not sign: {0}")]
    Root(Box<SignError>),
    /// The keeper could not.
    #[error(transparent)]
    Keeper(#[from] KeeperFault),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Refused for KeyError {
    fn event(&self) -> Event {
        match self {
            Self::Raced { key_id } => Event::KeyUseRefused {
                container: None,
                key_id: key_id.clone(),
                code: "keys/state".to_owned(),
            },
            _ => Event::RequestRefused {
                status: 409,
                operation: "changeKey".to_owned(),
                code: "api/idempotency-busy".to_owned(),
            },
        }
    }
}

impl Custody {
    /// Makes a key for the API, with one active version.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn create_key(
        &self,
        ctx: &Ctx,
        new: ApiKey,
        mark: Option<Stmt>,
    ) -> Result<(Key, Committed), KeyError> {
        check_label(&new.label)?;
        if new.keeper.as_deref().is_some_and(|keeper| keeper != self.keeper().kind().as_str()) {
            return Err(KeyError::NoKeeper);
        }
        let alg = self.api_alg(&new.alg)?;
        let uses = Uses::parse_for_api(&new.uses, alg)?;
        new.rotation.check(false)?;
        let key = self.blank(ctx, Owner::Api, (alg, uses), new.label, new.rotation);
        let (key, committed) = self.insert(ctx, key, mark).await?;
        Ok((key, committed))
    }

    /// Makes a room's key, unless the room has it: then answers it as it is.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn make_key(&self, ctx: &Ctx, new: &RoomKey<'_>) -> Result<Key, KeyError> {
        let uses = Uses::parse(new.uses, new.alg)?;
        let first = new.uses.first().and_then(|one| crate::usage::Use::parse(one));
        let slot = first.map(|one| Key::slot_of(&one, new.alg)).ok_or(UsesError::Empty)?;
        if let Some(known) = rows::key_of_slot(self.store(), ctx, &slot).await? {
            return Ok(known);
        }
        let mut key = self.blank(ctx, new.owner, (new.alg, uses), new.label.to_owned(), new.policy);
        key.slot = Some(slot.clone());
        key.names.clone_from(&new.names);
        key.chain_kind = if new.names.is_some() { ChainKind::Own } else { ChainKind::None };
        match self.insert(ctx, key, None).await {
            Ok((key, _)) => Ok(key),
            // Another start made it meanwhile.
            Err(KeyError::Raced { .. }) => {
                rows::key_of_slot(self.store(), ctx, &slot).await?.ok_or(KeyError::NotFound)
            }
            Err(error) => Err(error),
        }
    }

    /// Changes label and policy.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn change_key(
        &self,
        ctx: &Ctx,
        key_id: &str,
        change: KeyChange,
    ) -> Result<(Key, Committed), KeyError> {
        let mut key = self.key(ctx, key_id).await?;
        let read = key.revision;
        if change.revision.is_some_and(|revision| revision != read) {
            return Err(KeyError::Stale);
        }
        if let Some(label) = change.label {
            check_label(&label)?;
            key.label = label;
        }
        if let Some(policy) = change.rotation {
            policy.check(key.travels_with_chain())?;
            if policy != key.policy && !key.rotates() {
                return Err(KeyError::Fixed);
            }
            key.policy = policy;
        }
        let unit = Unit::new(Event::KeyChanged { key_id: key.id.clone() })
            .guard(rows::change_key(&key, read), KeyError::Raced { key_id: key.id.clone() });
        let committed = self.store().commit(ctx, unit).await.map_err(lost)?;
        key.revision += 1;
        Ok((key, committed))
    }

    /// The key with its newest versions.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], [`KeyError::Store`].
    pub async fn key(&self, ctx: &Ctx, key_id: &str) -> Result<Key, KeyError> {
        rows::key(self.store(), ctx, key_id).await?.ok_or(KeyError::NotFound)
    }

    /// A page of keys, oldest first.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn keys(&self, ctx: &Ctx, filter: &KeyFilter, page: &Page) -> Result<Vec<Key>, StoreFault> {
        rows::keys(self.store(), ctx, filter, page).await
    }

    /// The root of the tenant with its certificate, which is its first anchor. Made once.
    pub(crate) async fn make_root(&self, ctx: &Ctx, common_name: &str) -> Result<Key, KeyError> {
        if let Some(known) = rows::key_of_slot(self.store(), ctx, chain::ROOT_USE).await? {
            return Ok(known);
        }
        let uses = Uses::parse(&[chain::ROOT_USE], KeyAlg::P256)?;
        let never = Policy { rotate_every_s: 0, ..Policy::default() };
        let mut key = self.blank(ctx, Owner::Custody, (KeyAlg::P256, uses), common_name.to_owned(), never);
        key.slot = Some(chain::ROOT_USE.to_owned());
        let made = self.material(ctx, &key, 1).await?;
        let unsigned = chain::root(common_name, &made.public, ctx.random(), ctx.now);
        let unsigned = unsigned.ok_or(KeyError::Keeper(KeeperFault::Failed))?;
        let signature = made.sign(crypto::key::SignAlg::Es256, &unsigned.to_be_signed)?;
        let mut version = Version::new(1, made.public.clone(), ctx.now);
        version.chain = unsigned.sign(&signature);
        match self.insert_with(ctx, key, version, made, None).await {
            Ok((key, _)) => Ok(key),
            Err(KeyError::Raced { .. }) => {
                rows::key_of_slot(self.store(), ctx, chain::ROOT_USE).await?.ok_or(KeyError::NotFound)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a version of `key` and, if the tenant's root signs its certificates, its leaf.
    pub(crate) async fn make_version(
        &self,
        ctx: &Ctx,
        key: &Key,
        number: u32,
    ) -> Result<(Version, Made), KeyError> {
        let made = self.material(ctx, key, number).await?;
        let mut version = Version::new(number, made.public.clone(), ctx.now);
        if let (ChainKind::Own, Some(names)) = (key.chain_kind, &key.names) {
            version.chain = Some(self.issue_leaf(ctx, names, &version).await?);
        }
        Ok((version, made))
    }

    async fn material(&self, ctx: &Ctx, key: &Key, number: u32) -> Result<Made, KeyError> {
        let made = self.keeper().make(self.store(), ctx, (&key.id, number), (key.alg, &key.uses)).await?;
        if rows::wrapped(self.store(), ctx, made.kek_version).await? >= self.kek_wraps_max() {
            self.next_kek(ctx, made.kek_version).await?;
        }
        Ok(made)
    }

    /// A KEK that has wrapped enough gives way to a new one; what it wrapped stays readable.
    async fn next_kek(&self, ctx: &Ctx, full: u32) -> Result<(), KeyError> {
        let stmt = self.store().next_kek(ctx, store::Purpose::Keys).await?;
        let event = Event::KekRotated { version: u64::from(full) + 1, purpose: "keys".to_owned() };
        let unit = Unit::new(event).guard(stmt, KeyError::Raced { key_id: String::new() });
        match self.store().commit(ctx, unit).await {
            Ok(_) | Err(CommitError::Lost(_)) => self.store().kek_rotated(ctx),
            Err(CommitError::Fault(fault)) => return Err(fault.into()),
        }
        Ok(())
    }

    async fn issue_leaf(&self, ctx: &Ctx, names: &LeafNames, version: &Version) -> Result<Chain, KeyError> {
        let failed = || KeyError::Keeper(KeeperFault::Failed);
        let root = self.root_certificate(ctx).await?.ok_or_else(failed)?;
        let unsigned =
            chain::leaf(names, &version.public, &root, ctx.random(), ctx.now).ok_or_else(failed)?;
        let signed = self.sign_x509(ctx, &unsigned.to_be_signed).await;
        let (signature, _) = signed.map_err(|error| KeyError::Root(Box::new(error)))?;
        unsigned.sign(&signature).ok_or_else(failed)
    }

    fn blank(
        &self,
        ctx: &Ctx,
        owner: Owner,
        (alg, uses): (KeyAlg, Uses),
        label: String,
        policy: Policy,
    ) -> Key {
        Key {
            id: id::new(ctx, "key"),
            slot: None,
            label,
            owner,
            alg,
            keeper: self.keeper().kind(),
            uses,
            chain_kind: ChainKind::None,
            names: None,
            policy,
            in_use: None,
            last_version: 1,
            resting: State::Active,
            revision: 1,
            created_at: ctx.now,
            versions: Vec::new(),
        }
    }

    async fn insert(&self, ctx: &Ctx, key: Key, mark: Option<Stmt>) -> Result<(Key, Committed), KeyError> {
        let (version, made) = self.make_version(ctx, &key, 1).await?;
        self.insert_with(ctx, key, version, made, mark).await
    }

    async fn insert_with(
        &self,
        ctx: &Ctx,
        mut key: Key,
        version: Version,
        made: keeper::Made,
        mark: Option<Stmt>,
    ) -> Result<(Key, Committed), KeyError> {
        key.versions.push(version);
        key.step(1, Verb::Activate, ctx.now)?;
        let version = &key.versions[0];
        let new = NewVersion { version, sealed: made.sealed, kek_version: made.kek_version };
        let mut unit = Unit::new(created(&key, version))
            .guard(rows::put_key(&key), KeyError::Raced { key_id: key.id.clone() })
            .put(rows::put_version(&key.id, new));
        if let Some(mark) = mark {
            unit = unit.guard(mark, KeyError::Idempotency);
        }
        let committed = self.store().commit(ctx, unit).await.map_err(lost)?;
        Ok((key, committed))
    }

    /// Algorithms that the API makes: all but those for rooms, RSA no shorter than configured.
    fn api_alg(&self, name: &str) -> Result<KeyAlg, KeyError> {
        let unknown = "is p256, p384, rsa2048, rsa3072, rsa4096, ed25519 or secp256k1";
        let alg = KeyAlg::parse(name).map_err(|_| KeyError::Alg(unknown))?;
        let bits = match alg {
            KeyAlg::MlDsa44 => return Err(KeyError::Alg(unknown)),
            KeyAlg::Rsa2048 => 2048,
            KeyAlg::Rsa3072 => 3072,
            KeyAlg::P256 | KeyAlg::P384 | KeyAlg::Rsa4096 | KeyAlg::Ed25519 | KeyAlg::Secp256k1 => u32::MAX,
        };
        if bits < self.config().rsa_bits_min {
            return Err(KeyError::Alg("is shorter than this instance allows (custody.rsa_bits_min)"));
        }
        Ok(alg)
    }
}

/// The event of a new version.
pub(crate) fn created(key: &Key, version: &Version) -> Event {
    Event::KeyCreated {
        alg: key.alg,
        key_id: key.id.clone(),
        version: version.number,
        kid: version.kid.clone(),
        owner: key.owner.as_str().to_owned(),
        keeper: key.keeper.as_str().to_owned(),
        uses: shown_uses(key),
    }
}

/// Uses as an event tells them: the origin of a log stands in its own events.
fn shown_uses(key: &Key) -> Vec<String> {
    let shown = |one: &crate::usage::Use| match one.container() {
        Container::Note => "note".to_owned(),
        _ => one.to_string(),
    };
    key.uses.iter().map(shown).collect()
}

pub(crate) fn lost(error: CommitError<KeyError>) -> KeyError {
    match error {
        CommitError::Lost(lost) => lost,
        CommitError::Fault(fault) => KeyError::Store(fault),
    }
}

fn check_label(label: &str) -> Result<(), KeyError> {
    let sound =
        (1..=LABEL_CHARS_MAX).contains(&label.chars().count()) && !label.chars().any(char::is_control);
    if sound { Ok(()) } else { Err(KeyError::Label) }
}
