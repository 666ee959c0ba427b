//! The OpenAPI 3.1 document, made from the doors themselves.
//!
//! `DoorSpec → path item; schemars → components.schemas; pages → answers`. The order is the doors' own, so the text is the same each
//! time; a snapshot in the tree shows every change of the API.

use crate::door::{AnswerSpec, DoorSpec, SchemaOf, Who, Wording};
use crate::oauth::OauthDocument;
use crate::problem::{Document, MEDIA_TYPE, Page, pages};
use http::Method;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The document of these doors; `base` is `<public_url>`.
#[must_use]
pub fn document(specs: &[DoorSpec], base: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = SchemaGenerator::new(settings);
    let problem = generator.subschema_for::<Document>().to_value();
    let oauth = generator.subschema_for::<OauthDocument>().to_value();
    let mut paths = Map::new();
    for spec in specs.iter().filter(|spec| spec.documented) {
        let refusal = match spec.wording {
            Wording::Problems | Wording::Html => (MEDIA_TYPE, &problem),
            Wording::Oauth => ("application/json", &oauth),
        };
        let operation = operation(&mut generator, spec, refusal);
        let item = paths.entry(path_text(spec.path)).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(spec.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    let schemas: Map<String, Value> = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tessera",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Issue, hold, show, check and revoke credentials, on a ledger that outsiders verify.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": base }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "An access token of POST /oauth/token or of a configured outside issuer, or an operator's session."
                }
            }
        }
    })
}

fn operation(generator: &mut SchemaGenerator, spec: &DoorSpec, refusal: (&str, &Value)) -> Value {
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), json!(spec.operation));
    operation.insert("summary".to_owned(), json!(spec.summary));
    operation.insert("tags".to_owned(), json!([tag(spec.path)]));
    operation.insert("security".to_owned(), security(spec.who));
    let parameters = parameters(spec);
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), json!(parameters));
    }
    if !spec.bodies.is_empty() {
        let content: Map<String, Value> =
            spec.bodies.iter().map(|body| (body.media.to_owned(), media(generator, body.schema))).collect();
        let required = !spec.bodies.iter().any(|body| body.optional);
        operation.insert("requestBody".to_owned(), json!({ "required": required, "content": content }));
    }
    operation.insert("responses".to_owned(), responses(generator, spec, refusal));
    Value::Object(operation)
}

/// Answers first, then refusals by status. A status that is both (a page of 503) keeps both media types.
fn responses(generator: &mut SchemaGenerator, spec: &DoorSpec, refusal: (&str, &Value)) -> Value {
    let mut by_status: BTreeMap<u16, (String, Map<String, Value>)> = BTreeMap::new();
    for answer in &spec.answers {
        let entry =
            by_status.entry(answer.status).or_insert_with(|| (answer.description.to_owned(), Map::new()));
        if let Some(media_type) = answer.media {
            entry.1.insert(media_type.to_owned(), answer_media(generator, answer));
        }
    }
    let mut refusals: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for page in problems(spec) {
        refusals.entry(page.status).or_default().push(page.code);
    }
    for (status, mut codes) in refusals {
        codes.sort_unstable();
        codes.dedup();
        let text = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        let entry = by_status.entry(status).or_insert_with(|| (String::new(), Map::new()));
        entry.0 = if entry.0.is_empty() { text } else { format!("{}; or {text}", entry.0) };
        entry.1.insert(refusal.0.to_owned(), json!({ "schema": refusal.1 }));
    }
    let mut responses = Map::new();
    for (status, (description, content)) in by_status {
        let mut response = Map::new();
        response.insert("description".to_owned(), json!(description));
        if !content.is_empty() {
            response.insert("content".to_owned(), Value::Object(content));
        }
        responses.insert(status.to_string(), Value::Object(response));
    }
    Value::Object(responses)
}

/// Every problem that the door may answer: its own, and those that its kind of door brings.
fn problems(spec: &DoorSpec) -> Vec<&'static Page> {
    let mut all: Vec<&'static Page> = vec![
        &pages::BAD_REQUEST,
        &pages::UNKNOWN_HOST,
        &pages::RATE_LIMITED,
        &pages::FAULT,
        &pages::OVERLOADED,
        &pages::TIMED_OUT,
        &pages::LEDGER_UNAVAILABLE,
    ];
    match spec.who {
        Who::Role(_) => all.extend([
            &pages::UNAUTHENTICATED,
            &pages::FORBIDDEN,
            &pages::NOT_FOUND,
            &pages::LEDGER_QUARANTINED,
        ]),
        Who::Tenant => all.extend([&pages::NOT_FOUND, &pages::LEDGER_QUARANTINED]),
        Who::LogReader => all.extend([&pages::UNAUTHENTICATED, &pages::NOT_FOUND]),
        Who::Public if spec.path.contains('{') => all.push(&pages::NOT_FOUND),
        // Pages for people stand in no document.
        Who::Operator(_) | Who::Visitor | Who::Public => {}
    }
    if !spec.bodies.is_empty() {
        all.extend([
            &pages::BODY_TOO_LARGE,
            &pages::BODY_TIMEOUT,
            &pages::UNSUPPORTED_MEDIA_TYPE,
            &pages::MALFORMED,
            &pages::DUPLICATE_MEMBER,
            &pages::TOO_DEEP,
            &pages::INVALID,
        ]);
    }
    if spec.query.is_some() {
        all.push(&pages::INVALID_QUERY);
    }
    if spec.method == Method::POST {
        all.push(&pages::IDEMPOTENCY_KEY);
    }
    if spec.idempotent {
        all.extend([&pages::IDEMPOTENCY_REUSE, &pages::IDEMPOTENCY_BUSY, &pages::IDEMPOTENCY_DONE]);
    }
    if spec.wording == Wording::Oauth {
        use crate::problem::oauth_pages;
        all.extend([&oauth_pages::INVALID_REQUEST, &oauth_pages::INVALID_CLIENT]);
    }
    all.extend(spec.problems.iter().copied());
    all
}

fn answer_media(generator: &mut SchemaGenerator, answer: &AnswerSpec) -> Value {
    media(generator, answer.schema)
}

fn media(generator: &mut SchemaGenerator, schema: Option<SchemaOf>) -> Value {
    match schema {
        Some(schema) => json!({ "schema": schema(generator).to_value() }),
        None => json!({}),
    }
}

fn parameters(spec: &DoorSpec) -> Vec<Value> {
    let mut all: Vec<Value> = path_parameters(spec.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }))
        .collect();
    if let Some(query) = spec.query {
        all.extend(query_parameters(query));
    }
    if spec.idempotent {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key and body again get the same answer, for 24 hours.",
            "schema": { "type": "string", "pattern": "^[ -~]{1,64}$" }
        }));
    }
    if matches!(spec.who, Who::Role(_)) {
        all.push(json!({
            "name": "Tessera-Tenant", "in": "header", "required": false,
            "description": "Name or id of the tenant to act in; for operators of the system tenant.",
            "schema": { "type": "string" }
        }));
    }
    all
}

/// Members of a query's form, as parameters. Inlined, as parameters of several doors share no component.
fn query_parameters(schema: SchemaOf) -> Vec<Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let form = schema(&mut SchemaGenerator::new(settings)).to_value();
    let required: Vec<&str> = form
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let Some(members) = form.get("properties").and_then(Value::as_object) else { return Vec::new() };
    members
        .iter()
        .map(|(name, schema)| {
            let mut schema = schema.clone();
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            not_null(&mut schema);
            let mut parameter = json!({
                "name": name, "in": "query", "required": required.contains(&name.as_str()), "schema": schema
            });
            if let (Some(description), Some(parameter)) = (description, parameter.as_object_mut()) {
                parameter.insert("description".to_owned(), description);
            }
            parameter
        })
        .collect()
}

/// A query has no null: an absent parameter is absent.
fn not_null(schema: &mut Value) {
    if schema.get("default").is_some_and(Value::is_null)
        && let Some(members) = schema.as_object_mut()
    {
        members.remove("default");
    }
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(Value::Array(forms)) = object.get_mut(word) {
            forms.retain(|form| form.get("type") != Some(&json!("null")));
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
}

fn security(who: Who) -> Value {
    match who {
        Who::Role(_) => json!([{ "bearer": [] }]),
        Who::LogReader => json!([{}, { "bearer": [] }]),
        Who::Public | Who::Tenant | Who::Operator(_) | Who::Visitor => json!([]),
    }
}

/// `/log/{*path}` is `/log/{path}` in OpenAPI.
fn path_text(path: &str) -> String {
    path.replace("{*", "{")
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0.trim_start_matches('*')))
}

/// The collection, which groups doors on a page.
fn tag(path: &str) -> &str {
    let path = path.strip_prefix("/api/v1/").or_else(|| path.strip_prefix("/t/{tenant}/")).unwrap_or(path);
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if first.is_empty() || first.starts_with('{') || first.starts_with('.') { "house" } else { first }
}
