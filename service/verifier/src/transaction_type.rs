//! Types of transaction data: what a tenant may have authorised with a credential, and the members that each has.

use crate::Verifier;
use crate::named::{NamedError, is_name};
use crate::query::{NAME_RULE, QueryError};
use crate::request::RequestError;
use crate::store::named::{Kind, NamedRow};
use ::store::{Committed, Ctx, Stmt, StoreFault};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Members of one type: a person reads them all.
pub const FIELDS_MAX: usize = 32;
/// Characters of a member's name and of what it is called.
const FIELD_CHARS_MAX: usize = 64;
/// Members that every transaction has (OpenID4VP 1.0, 8.4).
const COMMON: [&str; 3] = ["type", "credential_ids", "transaction_data_hashes_alg"];

/// One member of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name in the transaction data.
    pub name: String,
    /// Whether each transaction has it; true if absent.
    #[serde(default = "required")]
    pub required: bool,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

const fn required() -> bool {
    true
}

/// A type of transaction data.
pub struct TransactionType {
    /// Its name: the member `type`.
    pub name: String,
    /// Its version, from 1.
    pub version: i64,
    /// Its members.
    pub fields: Vec<Field>,
    /// When this version was made, Unix milliseconds.
    pub created_at_ms: i64,
}

impl Verifier {
    /// Registers a type, or its next version.
    ///
    /// # Errors
    /// [`QueryError`]; nothing is stored then.
    pub async fn put_transaction_type(
        &self,
        ctx: &Ctx,
        name: &str,
        fields: Vec<Field>,
        mark: Option<Stmt>,
    ) -> Result<(TransactionType, Committed), QueryError> {
        if !is_name(name) {
            return Err(RequestError::bound("/name", NAME_RULE).into());
        }
        within_bounds(&fields)?;
        let definition = serde_json::to_string(&fields).unwrap_or_default();
        let (row, committed) = self.put_named(ctx, Kind::TxType, name, &definition, mark).await?;
        let (name, version) = (row.name, row.version);
        Ok((TransactionType { name, version, fields, created_at_ms: row.created_at_ms }, committed))
    }

    /// The type of that name.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn transaction_type(
        &self,
        ctx: &Ctx,
        name: &str,
    ) -> Result<Option<TransactionType>, StoreFault> {
        self.named(ctx, Kind::TxType, name).await?.map(TransactionType::of).transpose()
    }

    /// Types in order of name.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn transaction_types(
        &self,
        ctx: &Ctx,
        after: &str,
        limit: usize,
    ) -> Result<Vec<TransactionType>, StoreFault> {
        let rows = self.all_named(ctx, Kind::TxType, after, limit).await?;
        rows.into_iter().map(TransactionType::of).collect()
    }

    /// Retires a type.
    ///
    /// # Errors
    /// [`NamedError`].
    pub async fn retire_transaction_type(&self, ctx: &Ctx, name: &str) -> Result<Committed, NamedError> {
        self.retire_named(ctx, Kind::TxType, name).await
    }
}

impl TransactionType {
    fn of(row: NamedRow) -> Result<Self, StoreFault> {
        let fields = serde_json::from_str(&row.definition)
            .map_err(|_| StoreFault::Sealed { place: "verifier_tx_type.fields".into() })?;
        Ok(Self { name: row.name, version: row.version, fields, created_at_ms: row.created_at_ms })
    }

    /// Whether a transaction at `pointer` has every member that it must have and no other.
    pub(crate) fn accept(&self, members: &Map<String, Value>, pointer: &str) -> Result<(), RequestError> {
        let at = |name: &str, rule: &str| RequestError::bound(&format!("{pointer}/{name}"), rule);
        let unknown = members.keys().find(|name| {
            !COMMON.contains(&name.as_str()) && !self.fields.iter().any(|field| field.name == **name)
        });
        if let Some(name) = unknown {
            return Err(at(name, "is no member of this type of transaction"));
        }
        match self.fields.iter().find(|field| field.required && !members.contains_key(&field.name)) {
            Some(field) => Err(at(&field.name, "is required by this type of transaction")),
            None => Ok(()),
        }
    }
}

fn within_bounds(fields: &[Field]) -> Result<(), RequestError> {
    if fields.len() > FIELDS_MAX {
        return Err(RequestError::bound("/fields", "has at most 32 members"));
    }
    let fits = |text: &str| (1..=FIELD_CHARS_MAX).contains(&text.chars().count());
    for (nth, field) in fields.iter().enumerate() {
        let at = |name: &str, rule: &str| RequestError::bound(&format!("/fields/{nth}/{name}"), rule);
        let is_word =
            field.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !fits(&field.name) || !is_word {
            return Err(at("name", "is 1 to 64 letters, digits, hyphens and underscores"));
        }
        if COMMON.contains(&field.name.as_str()) {
            return Err(at("name", "is a member of every transaction"));
        }
        if fields[..nth].iter().any(|known| known.name == field.name) {
            return Err(at("name", "stands twice"));
        }
        if field.display.as_deref().is_some_and(|display| !fits(display)) {
            return Err(at("display", "is 1 to 64 characters"));
        }
    }
    Ok(())
}
