//! The catalogue of events: every security-relevant act of the house, in one enum.
//!
//! `Event → Leaf::of(stamp, k_subject) → entry bytes + salted detail`. A room names its act by a variant; the fixed
//! outcome, the log, and which fields are public for ever (*leaf*) or erasable (*detail*) are declared once, beside
//! the meaning, in `ledger.rs`, `keys.rs`, `tenancy.rs`, `credentials.rs`, `signin.rs` and `relay.rs`. `docs/events.md` is generated from the
//! same declaration.
//!
//! Invariants, each a test: names are unique, kebab-case and stable for ever (a new meaning is a new name); a leaf
//! holds numbers and bytes, never text; no field holds a secret, token, code or claim; a detail names no person but
//! its subject; every entry fits its bound.
//!
//! To add an event: write it in the file of its room, then `UPDATE_DOCS=1 cargo test -p tessera-tlog`.

#[macro_use]
mod catalogue;
#[macro_use]
mod ledger;
#[macro_use]
mod keys;
#[macro_use]
mod tenancy;
#[macro_use]
mod credentials;
#[macro_use]
mod signin;
#[macro_use]
mod relay;
mod page;
mod values;

pub use page::markdown;
pub use values::{Container, Form, KeyUse};
use values::{DetailValue, LeafValue, SubjectValue};

use crate::commitment::{DETAIL_BYTES_MAX, SALT_BYTES, SaltedDetail, subject_commitment};
use crate::entry::{ActorKind, Entry, EntryFault, Outcome, PublicField};
use crate::merkle::Hash;
use crypto::cbor;
use crypto::key::{KeyAlg, SignAlg};

ledger_events! { [keys_events tenancy_events credentials_events signin_events relay_events catalogue] }

/// Which log takes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogChoice {
    /// The log of the acting tenant; for the instance itself the house log.
    Own,
    /// The public system log: hashes only.
    System,
}

/// The most sensitive kind of data in the detail of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataCategory {
    /// Nothing about a person.
    None,
    /// Random ids that we alone can tie to a person.
    Pseudonym,
}

impl DataCategory {
    /// The word in `-- data:` comments and in `docs/events.md`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pseudonym => "pseudonym",
        }
    }
}

/// The person that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Kind of person, as `holder`.
    pub kind: &'static str,
    /// Our identifier of the person within the tenant.
    pub identifier: String,
}

/// What the catalogue says of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldDoc {
    /// Its key: 10–31 in the leaf, from 1 in the detail.
    pub key: u8,
    /// Its name, as in JSON.
    pub name: &'static str,
    /// Its Rust type.
    pub ty: &'static str,
    /// Its meaning.
    pub doc: &'static str,
}

/// What the catalogue says of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventDoc {
    /// The room whose document lists it.
    pub room: &'static str,
    /// Its name, for ever.
    pub name: &'static str,
    /// Its meaning, in lines.
    pub doc: &'static [&'static str],
    /// How it ends.
    pub outcome: Outcome,
    /// The log that takes it.
    pub log: LogChoice,
    /// Data category of its detail.
    pub data: DataCategory,
    /// Kind of person it is about, if it may be about one.
    pub subject: Option<&'static str>,
    /// Public fields, ascending by key.
    pub leaf: &'static [FieldDoc],
    /// Erasable fields, ascending by key.
    pub detail: &'static [FieldDoc],
}

/// What the catalogue says of a type name; `None` if this build does not know it.
pub fn describe(name: &str) -> Option<&'static EventDoc> {
    CATALOGUE.iter().find(|event| event.name == name)
}

impl Event {
    /// The key that signed in the same unit, or the first of several.
    pub fn key_use(&self) -> Option<&KeyUse> {
        self.key_uses().into_iter().next()
    }
}

/// What the request gives to an entry, beside the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Random, from the request's entropy.
    pub event_id: [u8; 16],
    /// Random, from the request's entropy.
    pub salt: [u8; SALT_BYTES],
    /// Unix second of the request.
    pub second: u64,
    /// What kind of party acted.
    pub actor: ActorKind,
    /// SHA-256 of the policy or configuration that decided.
    pub policy: Option<Hash>,
}

/// An event made ready for its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The entry's canonical bytes.
    pub entry: Vec<u8>,
    /// The detail that the entry commits to, to be sealed under `k_subject` or `k_detail`.
    pub detail: SaltedDetail,
}

/// Why an event cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafFault {
    /// The entry breaks a rule of the schema.
    #[error(transparent)]
    Entry(#[from] EntryFault),
    /// The detail is longer than its bound.
    #[error("the detail is longer than {DETAIL_BYTES_MAX} bytes")]
    DetailTooLong,
    /// The event is about a person, and no key of that person was given; or the reverse.
    #[error("the key of the subject is missing, or there is no subject")]
    SubjectKey,
}

impl Leaf {
    /// Composes the entry of an event. `k_subject` must be there exactly if the event is about a person.
    pub fn of(event: &Event, stamp: &Stamp, k_subject: Option<&[u8; 32]>) -> Result<Self, LeafFault> {
        if event.subject().is_some() != k_subject.is_some() {
            return Err(LeafFault::SubjectKey);
        }
        let detail = SaltedDetail { salt: stamp.salt, detail: event.detail() };
        if detail.detail.len() > DETAIL_BYTES_MAX {
            return Err(LeafFault::DetailTooLong);
        }
        let entry = Entry {
            kind: event.name().to_owned(),
            second: stamp.second,
            outcome: event.outcome(),
            actor: stamp.actor,
            event_id: stamp.event_id,
            subject: k_subject.map(|k| subject_commitment(k, &stamp.event_id)),
            detail: detail.commitment(),
            policy: stamp.policy,
            public: event.public(),
        };
        Ok(Self { entry: entry.encode()?, detail })
    }
}

#[cfg(test)]
mod tests;
