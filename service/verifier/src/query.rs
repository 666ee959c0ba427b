//! Stored queries: what a tenant asks again and again, by name. A session keeps the words that it asked with.

use crate::Verifier;
use crate::asked::own_query;
use crate::named::{NamedError, is_name};
use crate::request::RequestError;
use crate::store::named::{Kind, NamedRow};
use ::store::{Committed, Ctx, Stmt, StoreFault};
use serde_json::Value;

/// A stored query.
pub struct StoredQuery {
    /// Its name.
    pub name: String,
    /// Its version, from 1.
    pub version: i64,
    /// DCQL.
    pub query: Value,
    /// When this version was made, Unix milliseconds.
    pub created_at_ms: i64,
}

/// Why a query was not stored.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// It breaks a rule, or its name does.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It could not be put.
    #[error(transparent)]
    Named(#[from] NamedError),
}

impl Verifier {
    /// Stores a query, or its next version.
    ///
    /// # Errors
    /// [`QueryError`]; nothing is stored then.
    pub async fn put_query(
        &self,
        ctx: &Ctx,
        name: &str,
        query: &Value,
        mark: Option<Stmt>,
    ) -> Result<(StoredQuery, Committed), QueryError> {
        if !is_name(name) {
            return Err(RequestError::bound("/name", NAME_RULE).into());
        }
        let query = own_query(query)?.to_value();
        let (row, committed) = self.put_named(ctx, Kind::Query, name, &query.to_string(), mark).await?;
        Ok((
            StoredQuery { name: row.name, version: row.version, query, created_at_ms: row.created_at_ms },
            committed,
        ))
    }

    /// The stored query of that name.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn query(&self, ctx: &Ctx, name: &str) -> Result<Option<StoredQuery>, StoreFault> {
        self.named(ctx, Kind::Query, name).await?.map(StoredQuery::of).transpose()
    }

    /// Stored queries in order of name.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn queries(
        &self,
        ctx: &Ctx,
        after: &str,
        limit: usize,
    ) -> Result<Vec<StoredQuery>, StoreFault> {
        let rows = self.all_named(ctx, Kind::Query, after, limit).await?;
        rows.into_iter().map(StoredQuery::of).collect()
    }

    /// Retires a stored query.
    ///
    /// # Errors
    /// [`NamedError`].
    pub async fn retire_query(&self, ctx: &Ctx, name: &str) -> Result<Committed, NamedError> {
        self.retire_named(ctx, Kind::Query, name).await
    }
}

/// What a name must be, for whoever gave another.
pub(crate) const NAME_RULE: &str = "is 1 to 64 lower-case letters, digits, hyphens, underscores, dots and colons, beginning with a letter or digit";

impl StoredQuery {
    fn of(row: NamedRow) -> Result<Self, StoreFault> {
        let query = serde_json::from_str(&row.definition)
            .map_err(|_| StoreFault::Sealed { place: "verifier_query.query".into() })?;
        Ok(Self { name: row.name, version: row.version, query, created_at_ms: row.created_at_ms })
    }
}
