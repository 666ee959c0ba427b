//! What a tenant defines under a name, in versions: the one way that queries and types of transactions are put and retired.

use crate::Verifier;
use crate::store::named::{self, Kind, NamedRow};
use ::store::{CommitError, Committed, Ctx, Refused, Stmt, StoreFault, Unit};
use crypto::hash;
use tlog::event::Event;

/// Names of one kind that a tenant may use, the retired among them: a page of a console lists them.
const NAMES_MAX: i64 = 1_000;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 64;
/// A definition that somebody else puts at the same moment is put again upon theirs; once more is enough for people.
const PUT_TRIES: usize = 4;

/// Why a definition was not put or retired.
#[derive(Debug, thiserror::Error)]
pub enum NamedError {
    /// No definition of that name is in use.
    #[error("there is none of that name")]
    NotFound,
    /// The tenant has used too many names.
    #[error("too many names")]
    TooMany,
    /// The same request was done by another holder of its idempotency key.
    #[error("another request did it")]
    DoneElsewhere,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// A definition moved on between its reading and its writing, or its idempotency mark went to another request.
#[derive(Debug)]
enum Lost {
    Version,
    Mark,
}

impl Refused for Lost {
    fn event(&self) -> Event {
        let (operation, code) = ("putDefinition".to_owned(), "api/idempotency-busy".to_owned());
        Event::RequestRefused { status: 409, operation, code }
    }
}

impl Verifier {
    /// Puts the next version of a definition, which the caller has checked.
    pub(crate) async fn put_named(
        &self,
        ctx: &Ctx,
        kind: Kind,
        name: &str,
        definition: &str,
        mark: Option<Stmt>,
    ) -> Result<(NamedRow, Committed), NamedError> {
        for _ in 0..PUT_TRIES {
            let known = named::one(&self.store, ctx, kind, name).await?;
            if known.is_none() && named::count(&self.store, ctx, kind).await? >= NAMES_MAX {
                return Err(NamedError::TooMany);
            }
            let version = known.map_or(1, |row| row.version + 1);
            let unit = Unit::new(put_event(kind, name, version, definition))
                .guard(named::put(kind, name, version, definition), Lost::Version);
            let unit = mark.clone().into_iter().fold(unit, |unit, mark| unit.guard(mark, Lost::Mark));
            match self.store.commit(ctx, unit).await {
                Ok(committed) => {
                    let row = NamedRow {
                        name: name.to_owned(),
                        version,
                        definition: definition.to_owned(),
                        created_at_ms: ctx.now_ms(),
                        retired: false,
                    };
                    return Ok((row, committed));
                }
                Err(CommitError::Lost(Lost::Version)) => {}
                Err(CommitError::Lost(Lost::Mark)) => return Err(NamedError::DoneElsewhere),
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(StoreFault::Busy.into())
    }

    /// Retires a definition; sessions that use it keep its words.
    pub(crate) async fn retire_named(
        &self,
        ctx: &Ctx,
        kind: Kind,
        name: &str,
    ) -> Result<Committed, NamedError> {
        let name = name.to_owned();
        let event = match kind {
            Kind::Query => Event::QueryRetired { name: name.clone() },
            Kind::TxType => Event::TransactionTypeRetired { name: name.clone() },
        };
        let unit = Unit::new(event).guard(named::retire(kind, &name), Lost::Version);
        self.store.commit(ctx, unit).await.map_err(|fault| match fault {
            CommitError::Lost(_) => NamedError::NotFound,
            CommitError::Fault(fault) => fault.into(),
        })
    }

    /// The definition of that name that is in use.
    pub(crate) async fn named(
        &self,
        ctx: &Ctx,
        kind: Kind,
        name: &str,
    ) -> Result<Option<NamedRow>, StoreFault> {
        if !is_name(name) {
            return Ok(None);
        }
        let row = named::one(&self.store, ctx, kind, name).await?;
        Ok(row.filter(|row| !row.retired))
    }

    /// Definitions in use, in order of name.
    pub(crate) async fn all_named(
        &self,
        ctx: &Ctx,
        kind: Kind,
        after: &str,
        limit: usize,
    ) -> Result<Vec<NamedRow>, StoreFault> {
        named::page(&self.store, ctx, kind, after, limit).await
    }
}

/// Lower-case letters, digits, hyphens, underscores, dots and, inside, colons: types of transactions are often URNs.
pub(crate) fn is_name(name: &str) -> bool {
    let middle = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.' | b':')
    };
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(middle)
        && name.as_bytes()[0].is_ascii_alphanumeric()
}

fn put_event(kind: Kind, name: &str, version: i64, definition: &str) -> Event {
    let (sha256, name) = (hash::sha256(definition.as_bytes()), name.to_owned());
    let version = u32::try_from(version).unwrap_or(u32::MAX);
    match kind {
        Kind::Query => Event::QueryPut { sha256, name, version },
        Kind::TxType => Event::TransactionTypePut { sha256, name, version },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_short_word_in_lower_case() {
        for name in ["diploma", "a", "urn:example:payment:1", "over-18_v2.1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", "A", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
