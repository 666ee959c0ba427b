//! Entries, schema 1: the bytes that are hashed for ever.
//!
//! One entry is one canonical CBOR map with unsigned keys, at most 1,024 bytes, typically 120. It says *that*
//! something happened, of which type and in which second; who, to whom and the particulars stand in an erasable
//! detail, to which key 7 commits. Public fields are numbers and bytes, never text.
//!
//! | key | content |
//! |---|---|
//! | 0 | 1, the schema |
//! | 1 | type, text `[a-z0-9-]{3,48}` |
//! | 2 | Unix second (a claim; the index is the order) |
//! | 3 | [`Outcome`] |
//! | 4 | [`ActorKind`] |
//! | 5 | event id, 16 bytes |
//! | 6 | subject commitment, 32 bytes, only if about a person |
//! | 7 | detail commitment, 32 bytes |
//! | 8 | SHA-256 of the policy or configuration that decided, where one did |
//! | 10–31 | public fields |

use crate::merkle::Hash;
use crypto::cbor::{self, CborLimits, Value};

/// The schema that key 0 states.
pub const SCHEMA: u64 = 1;

/// Longest entry: eight times the typical one, so that no event can be a carrier for something else.
pub const ENTRY_BYTES_MAX: usize = 1_024;

/// Shortest and longest type name.
pub const KIND_BYTES: std::ops::RangeInclusive<usize> = 3..=48;

/// Longest byte string in a public field: a hash of 512 bits.
pub const PUBLIC_BYTES_MAX: usize = 64;

/// Longest list in a public field.
pub const PUBLIC_LIST_MAX: usize = 16;

/// The keys of public fields.
pub const PUBLIC_KEYS: std::ops::RangeInclusive<u8> = 10..=31;

/// Strictly what [`Entry`] writes: the map, a list in it, its items.
const LIMITS: CborLimits = CborLimits { bytes_max: ENTRY_BYTES_MAX, depth_max: 3 };

/// How an act ended; fixed by the type of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Done,
    /// Policy said no.
    Refused,
    /// A fault prevented it.
    Failed,
    /// Nobody answered in time.
    TimedOut,
}

impl Outcome {
    /// In the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Done, Self::Refused, Self::Failed, Self::TimedOut];

    /// The number in key 3.
    pub fn code(self) -> u64 {
        self as u64
    }

    /// The word that people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
        }
    }
}

/// What kind of party acted; never who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// The instance itself: a job, a start.
    System,
    /// A person who runs the house.
    Operator,
    /// A service account.
    Service,
    /// Someone with a wallet.
    Holder,
    /// A party that relies on credentials or sign-ins.
    RelyingParty,
    /// Another instance, relay or witness.
    Peer,
    /// Nobody who could be told apart.
    Anonymous,
}

impl ActorKind {
    /// In the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::System,
        Self::Operator,
        Self::Service,
        Self::Holder,
        Self::RelyingParty,
        Self::Peer,
        Self::Anonymous,
    ];

    /// The number in key 4.
    pub fn code(self) -> u64 {
        self as u64
    }

    /// The word that people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Operator => "operator",
            Self::Service => "service",
            Self::Holder => "holder",
            Self::RelyingParty => "relying-party",
            Self::Peer => "peer",
            Self::Anonymous => "anonymous",
        }
    }
}

/// A public field: what a leaf may show of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicField {
    /// A number.
    Uint(u64),
    /// At most [`PUBLIC_BYTES_MAX`] bytes.
    Bytes(Vec<u8>),
    /// At most [`PUBLIC_LIST_MAX`] numbers and byte strings; no list in a list.
    List(Vec<PublicField>),
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Type of the event, from the catalogue.
    pub kind: String,
    /// Unix second at which the deciding request came.
    pub second: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What kind of party acted.
    pub actor: ActorKind,
    /// Random, unique in the log; shown as `evt_…`.
    pub event_id: [u8; 16],
    /// Commitment to the person it is about, if it is about one.
    pub subject: Option<Hash>,
    /// Commitment to the detail.
    pub detail: Hash,
    /// SHA-256 of the policy or configuration that decided.
    pub policy: Option<Hash>,
    /// Public fields by key, ascending.
    pub public: Vec<(u8, PublicField)>,
}

/// Why an entry cannot be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Not canonical CBOR, or too long.
    #[error("not a canonical entry: {0}")]
    Cbor(#[from] cbor::CborError),
    /// Longer than [`ENTRY_BYTES_MAX`].
    #[error("the entry is longer than 1,024 bytes")]
    TooLong,
    /// Not a map with unsigned keys.
    #[error("an entry is a map with unsigned keys")]
    NotAMap,
    /// The entry states another schema.
    #[error("the entry has another schema than 1")]
    Schema,
    /// A key that must be there is absent.
    #[error("key {0} is missing")]
    Missing(u8),
    /// The value under a key breaks its rule.
    #[error("the value of key {0} breaks its rule")]
    Value(u64),
    /// A key that the schema does not have.
    #[error("schema 1 has no key {0}")]
    UnknownKey(u64),
}

impl Entry {
    /// The canonical bytes, which are hashed.
    pub fn encode(&self) -> Result<Vec<u8>, EntryFault> {
        self.check()?;
        let uint = |key: u8| Value::Uint(u64::from(key));
        let mut map = vec![
            (uint(0), Value::Uint(SCHEMA)),
            (uint(1), Value::Text(self.kind.clone())),
            (uint(2), Value::Uint(self.second)),
            (uint(3), Value::Uint(self.outcome.code())),
            (uint(4), Value::Uint(self.actor.code())),
            (uint(5), Value::bytes(self.event_id)),
        ];
        map.extend(self.subject.map(|subject| (uint(6), Value::bytes(subject))));
        map.push((uint(7), Value::bytes(self.detail)));
        map.extend(self.policy.map(|policy| (uint(8), Value::bytes(policy))));
        map.extend(self.public.iter().map(|(key, field)| (uint(*key), field.to_cbor())));
        let bytes = cbor::encode(&Value::Map(map));
        if bytes.len() <= ENTRY_BYTES_MAX { Ok(bytes) } else { Err(EntryFault::TooLong) }
    }

    /// Reads exactly what [`Entry::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryFault> {
        let Value::Map(pairs) = cbor::decode(bytes, &LIMITS)? else { return Err(EntryFault::NotAMap) };
        let mut fields = Fields::of(pairs)?;
        if fields.uint(0)? != SCHEMA {
            return Err(EntryFault::Schema);
        }
        let entry = Self {
            kind: fields.text(1)?,
            second: fields.uint(2)?,
            outcome: fields.one_of(3, &Outcome::ALL)?,
            actor: fields.one_of(4, &ActorKind::ALL)?,
            event_id: fields.bytes(5)?,
            subject: fields.optional_bytes(6)?,
            detail: fields.bytes(7)?,
            policy: fields.optional_bytes(8)?,
            public: fields.rest()?,
        };
        entry.check()?;
        Ok(entry)
    }

    /// The rules that types do not hold.
    fn check(&self) -> Result<(), EntryFault> {
        if !is_kind(&self.kind) {
            return Err(EntryFault::Value(1));
        }
        let mut before = None;
        for (key, field) in &self.public {
            if !PUBLIC_KEYS.contains(key) {
                return Err(EntryFault::UnknownKey(u64::from(*key)));
            }
            if before >= Some(*key) || !field.is_sound() {
                return Err(EntryFault::Value(u64::from(*key)));
            }
            before = Some(*key);
        }
        Ok(())
    }
}

/// Whether a text can be the type of an entry: `[a-z0-9-]{3,48}`.
pub fn is_kind(text: &str) -> bool {
    KIND_BYTES.contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl PublicField {
    fn is_sound(&self) -> bool {
        match self {
            Self::Uint(_) => true,
            Self::Bytes(bytes) => bytes.len() <= PUBLIC_BYTES_MAX,
            Self::List(items) => {
                items.len() <= PUBLIC_LIST_MAX
                    && items.iter().all(|item| !matches!(item, Self::List(_)) && item.is_sound())
            }
        }
    }

    fn to_cbor(&self) -> Value {
        match self {
            Self::Uint(number) => Value::Uint(*number),
            Self::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Self::List(items) => Value::Array(items.iter().map(Self::to_cbor).collect()),
        }
    }

    fn from_cbor(value: Value) -> Option<Self> {
        match value {
            Value::Uint(number) => Some(Self::Uint(number)),
            Value::Bytes(bytes) => Some(Self::Bytes(bytes)),
            Value::Array(items) => {
                items.into_iter().map(Self::from_cbor).collect::<Option<_>>().map(Self::List)
            }
            Value::Nint(_)
            | Value::Text(_)
            | Value::Map(_)
            | Value::Tag(..)
            | Value::Bool(_)
            | Value::Null => None,
        }
    }
}

/// The pairs of an entry that have not been read yet.
struct Fields(std::collections::BTreeMap<u64, Value>);

impl Fields {
    fn of(pairs: Vec<(Value, Value)>) -> Result<Self, EntryFault> {
        let keyed = pairs.into_iter().map(|(key, value)| Some((key.as_uint()?, value)));
        keyed.collect::<Option<_>>().map(Self).ok_or(EntryFault::NotAMap)
    }

    fn take(&mut self, key: u8) -> Result<Value, EntryFault> {
        self.0.remove(&u64::from(key)).ok_or(EntryFault::Missing(key))
    }

    fn uint(&mut self, key: u8) -> Result<u64, EntryFault> {
        self.take(key)?.as_uint().ok_or(EntryFault::Value(u64::from(key)))
    }

    fn text(&mut self, key: u8) -> Result<String, EntryFault> {
        let Value::Text(text) = self.take(key)? else { return Err(EntryFault::Value(u64::from(key))) };
        Ok(text)
    }

    fn one_of<T: Copy>(&mut self, key: u8, all: &[T]) -> Result<T, EntryFault> {
        let place = usize::try_from(self.uint(key)?).ok();
        place.and_then(|place| all.get(place).copied()).ok_or(EntryFault::Value(u64::from(key)))
    }

    fn bytes<const N: usize>(&mut self, key: u8) -> Result<[u8; N], EntryFault> {
        let value = self.take(key)?;
        value.as_bytes().and_then(|b| b.try_into().ok()).ok_or(EntryFault::Value(u64::from(key)))
    }

    fn optional_bytes<const N: usize>(&mut self, key: u8) -> Result<Option<[u8; N]>, EntryFault> {
        if self.0.contains_key(&u64::from(key)) { self.bytes(key).map(Some) } else { Ok(None) }
    }

    /// The public fields; any other key that is left is unknown.
    fn rest(self) -> Result<Vec<(u8, PublicField)>, EntryFault> {
        let mut public = Vec::new();
        for (key, value) in self.0 {
            let known = u8::try_from(key).ok().filter(|key| PUBLIC_KEYS.contains(key));
            let field = PublicField::from_cbor(value).ok_or(EntryFault::Value(key));
            public.push((known.ok_or(EntryFault::UnknownKey(key))?, field?));
        }
        Ok(public)
    }
}
