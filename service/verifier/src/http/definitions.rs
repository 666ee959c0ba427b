//! Our own API: what a tenant keeps by name, queries and types of transactions.

use super::refusal;
use crate::Verifier;
use crate::named::NamedError;
use crate::page;
use crate::query::StoredQuery;
use crate::result::time;
use crate::transaction_type::{Field, TransactionType};
use axum::extract::State;
use edge::cursor::{Listing, PageQuery};
use edge::problem::pages;
use edge::{Answer, Body, Call, Done, Door, Doors, Path, Permission, Problem, Query, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tenancy::After;

/// Bytes of a definition: a query of 32 KiB, pretty-printed.
const DEFINITION_BYTES_MAX: usize = 64 << 10;

/// A query to be stored.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QueryRequest {
    /// 1 to 64 lower-case letters, digits, hyphens, underscores, dots and colons. A name in use takes the next version.
    name: String,
    /// What is asked for, in DCQL (OpenID4VP 1.0, 6).
    dcql_query: Map<String, Value>,
}

/// A stored query.
#[derive(Serialize, JsonSchema)]
struct QueryAnswer {
    #[serde(skip)]
    after: After,
    /// Its name, which `query` of a verification takes.
    name: String,
    /// Its version, from 1.
    version: i64,
    /// What is asked for, in DCQL.
    dcql_query: Value,
    /// When this version was made.
    created_at: String,
}

/// A type of transaction data to be registered.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TransactionTypeRequest {
    /// The member `type` of such transaction data; a name in use takes the next version.
    name: String,
    /// The members that it has beside `type` and `credential_ids`, at most 32.
    #[schemars(length(max = 32))]
    fields: Vec<Field>,
}

/// A type of transaction data.
#[derive(Serialize, JsonSchema)]
struct TransactionTypeAnswer {
    #[serde(skip)]
    after: After,
    /// The member `type` of such transaction data.
    name: String,
    /// Its version, from 1.
    version: i64,
    /// Its members.
    fields: Vec<Field>,
    /// When this version was made.
    created_at: String,
}

impl From<StoredQuery> for QueryAnswer {
    fn from(stored: StoredQuery) -> Self {
        Self {
            after: by_name(&stored.name),
            version: stored.version,
            dcql_query: stored.query,
            created_at: time(stored.created_at_ms).to_string(),
            name: stored.name,
        }
    }
}

impl From<TransactionType> for TransactionTypeAnswer {
    fn from(kind: TransactionType) -> Self {
        Self {
            after: by_name(&kind.name),
            version: kind.version,
            fields: kind.fields,
            created_at: time(kind.created_at_ms).to_string(),
            name: kind.name,
        }
    }
}

/// Lists of names go on behind a name.
fn by_name(name: &str) -> After {
    After { at_ms: 0, id: name.to_owned() }
}

pub(super) fn doors() -> Doors<Verifier> {
    queries().and(transaction_types())
}

fn queries() -> Doors<Verifier> {
    Doors::new()
        .door(
            Door::post("/api/v1/queries")
                .operation("putQuery")
                .summary("Stores a query by name; a name in use takes its next version")
                .who(Who::Role(Permission::VerificationsRequest))
                .body::<QueryRequest>(DEFINITION_BYTES_MAX)
                .answer::<QueryAnswer>(201, "the stored query")
                .problems(&[&page::QUERY_INVALID, &page::NOT_OFFERED, &page::TOO_MANY_NAMES])
                .idempotent(),
            put_query,
        )
        .door(
            Door::get("/api/v1/queries")
                .operation("listQueries")
                .summary("Lists stored queries in order of name")
                .who(Who::Role(Permission::VerificationsRead))
                .query::<PageQuery>()
                .answer::<Listing<QueryAnswer>>(200, "a page of queries"),
            list_queries,
        )
        .door(
            Door::get("/api/v1/queries/{name}")
                .operation("showQuery")
                .summary("Shows a stored query")
                .who(Who::Role(Permission::VerificationsRead))
                .answer::<QueryAnswer>(200, "the stored query"),
            show_query,
        )
        .door(
            Door::delete("/api/v1/queries/{name}")
                .operation("deleteQuery")
                .summary("Retires a stored query; verifications that used it are judged by it all the same")
                .who(Who::Role(Permission::VerificationsRequest))
                .empty(204, "it is retired"),
            delete_query,
        )
}

fn transaction_types() -> Doors<Verifier> {
    Doors::new()
        .door(
            Door::post("/api/v1/transaction-types")
                .operation("putTransactionType")
                .summary("Registers a type of transaction data; a name in use takes its next version")
                .who(Who::Role(Permission::VerificationsRequest))
                .body::<TransactionTypeRequest>(DEFINITION_BYTES_MAX)
                .answer::<TransactionTypeAnswer>(201, "the type")
                .problems(&[&page::TOO_MANY_NAMES])
                .idempotent(),
            put_type,
        )
        .door(
            Door::get("/api/v1/transaction-types")
                .operation("listTransactionTypes")
                .summary("Lists types of transaction data in order of name")
                .who(Who::Role(Permission::VerificationsRead))
                .query::<PageQuery>()
                .answer::<Listing<TransactionTypeAnswer>>(200, "a page of types"),
            list_types,
        )
        .door(
            Door::get("/api/v1/transaction-types/{name}")
                .operation("showTransactionType")
                .summary("Shows a type of transaction data")
                .who(Who::Role(Permission::VerificationsRead))
                .answer::<TransactionTypeAnswer>(200, "the type"),
            show_type,
        )
        .door(
            Door::delete("/api/v1/transaction-types/{name}")
                .operation("deleteTransactionType")
                .summary("Retires a type of transaction data")
                .who(Who::Role(Permission::VerificationsRequest))
                .empty(204, "it is retired"),
            delete_type,
        )
}

async fn put_query(
    State(verifier): State<Verifier>,
    call: Call,
    Body(request): Body<QueryRequest>,
) -> Result<Answer<QueryAnswer>, Problem> {
    let mark = call.mark.as_ref().map(edge::idempotency::Mark::close);
    let query = Value::Object(request.dcql_query);
    let put = verifier.put_query(&call.ctx, &request.name, &query, mark).await;
    let (stored, committed) = put.map_err(refusal::definition)?;
    Ok(Answer::created(stored.into()).event(&committed))
}

async fn list_queries(
    State(verifier): State<Verifier>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<QueryAnswer>>, Problem> {
    let page = query.page()?;
    let rows = verifier.queries(&call.ctx, &page.after.id, page.read_limit()).await?;
    let items: Vec<QueryAnswer> = rows.into_iter().map(QueryAnswer::from).collect();
    Ok(Listing::answer(items, &page, "/api/v1/queries", |item| item.after.clone()))
}

async fn show_query(
    State(verifier): State<Verifier>,
    call: Call,
    Path(name): Path<String>,
) -> Result<Answer<QueryAnswer>, Problem> {
    let stored = verifier.query(&call.ctx, &name).await?;
    stored.map(|stored| Answer::ok(stored.into())).ok_or_else(|| Problem::of(&pages::NOT_FOUND))
}

async fn delete_query(
    State(verifier): State<Verifier>,
    call: Call,
    Path(name): Path<String>,
) -> Result<Done, Problem> {
    Ok(Done(verifier.retire_query(&call.ctx, &name).await.map_err(refusal::named)?))
}

async fn put_type(
    State(verifier): State<Verifier>,
    call: Call,
    Body(request): Body<TransactionTypeRequest>,
) -> Result<Answer<TransactionTypeAnswer>, Problem> {
    let mark = call.mark.as_ref().map(edge::idempotency::Mark::close);
    let put = verifier.put_transaction_type(&call.ctx, &request.name, request.fields, mark).await;
    let (kind, committed) = put.map_err(refusal::definition)?;
    Ok(Answer::created(kind.into()).event(&committed))
}

async fn list_types(
    State(verifier): State<Verifier>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<TransactionTypeAnswer>>, Problem> {
    let page = query.page()?;
    let rows = verifier.transaction_types(&call.ctx, &page.after.id, page.read_limit()).await?;
    let items: Vec<TransactionTypeAnswer> = rows.into_iter().map(TransactionTypeAnswer::from).collect();
    Ok(Listing::answer(items, &page, "/api/v1/transaction-types", |item| item.after.clone()))
}

async fn show_type(
    State(verifier): State<Verifier>,
    call: Call,
    Path(name): Path<String>,
) -> Result<Answer<TransactionTypeAnswer>, Problem> {
    let kind = verifier.transaction_type(&call.ctx, &name).await?;
    kind.map(|kind| Answer::ok(kind.into())).ok_or_else(|| Problem::of(&pages::NOT_FOUND))
}

async fn delete_type(
    State(verifier): State<Verifier>,
    call: Call,
    Path(name): Path<String>,
) -> Result<Done, Problem> {
    let retired: Result<_, NamedError> = verifier.retire_transaction_type(&call.ctx, &name).await;
    Ok(Done(retired.map_err(refusal::named)?))
}
