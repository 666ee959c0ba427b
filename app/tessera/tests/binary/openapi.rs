//! R6: the committed OpenAPI document is the one that the doors of this build make.

use crate::program::{root, stderr, stdout, tessera};
use serde_json::Value;
use std::fs;

const DOCUMENT: &str = "docs/openapi.json";

#[test]
fn the_committed_openapi_document_is_that_of_the_doors() {
    let home = tempfile::tempdir().unwrap();
    let output = tessera(home.path()).arg("openapi").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let path = root().join(DOCUMENT);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, stdout(&output)).unwrap();
    }
    let real: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let committed: Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap_or_default()).unwrap_or_default();
    assert!(
        real == committed,
        "{DOCUMENT} differs: run `UPDATE_DOCS=1 cargo test -p tessera` and review the change"
    );
    let doors = real["paths"].as_object().unwrap().len();
    assert!(doors > 40, "{doors} paths");
}

/// What OpenAPI 3.1 allows beside a path's operations, and what an operation, a parameter, an answer and a media type of ours have.
const OPERATION: [&str; 8] =
    ["operationId", "summary", "description", "tags", "security", "parameters", "requestBody", "responses"];
const PARAMETER: [&str; 5] = ["name", "in", "description", "required", "schema"];

/// The meta-schema of the OpenAPI Initiative is not carried here: its rules for what our document uses are these, and the schemas are
/// held to their own meta-schema, JSON Schema 2020-12.
#[test]
fn the_committed_openapi_document_keeps_the_rules_of_openapi_3_1() {
    let text = fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    only(&document, &["openapi", "info", "servers", "paths", "components"], "the document");
    assert_eq!(document["openapi"], "3.1.0");
    only(&document["info"], &["title", "version", "description", "license"], "info");
    only(&document["info"]["license"], &["name", "identifier"], "license");
    only(&document["components"], &["schemas", "securitySchemes"], "components");
    let (mut schemas, mut names) = (Vec::new(), Vec::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with('/'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(["get", "put", "post", "delete", "patch"].contains(&method.as_str()), "{place}");
            operation_is_sound(&document, path, operation, &place, &mut schemas);
            names.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "an operation's name stands once");
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{name}");
        schemas.push((name.clone(), schema.clone()));
    }
    for (place, schema) in schemas {
        if let Err(fault) = jsonschema::meta::validate(&schema) {
            panic!("{place}: {fault} at {}", fault.instance_path());
        }
        every_reference_leads_somewhere(&document, &schema, &place);
    }
}

fn operation_is_sound(
    document: &Value,
    path: &str,
    operation: &Value,
    place: &str,
    schemas: &mut Vec<(String, Value)>,
) {
    only(operation, &OPERATION, place);
    let known = document["components"]["securitySchemes"].as_object().unwrap();
    for requirement in operation["security"].as_array().unwrap() {
        for (name, scopes) in requirement.as_object().unwrap() {
            assert!(
                known.contains_key(name) && scopes.as_array().is_some_and(Vec::is_empty),
                "{place}: {name}"
            );
        }
    }
    let mut seen = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        only(parameter, &PARAMETER, place);
        let (name, at) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
        assert!(["path", "query", "header"].contains(&at), "{place}: {at}");
        let in_path = path.contains(&format!("{{{name}}}"));
        assert!(
            (at == "path") == in_path && (at != "path" || parameter["required"] == true),
            "{place}: {name}"
        );
        assert!(
            !["accept", "content-type", "authorization"].contains(&name.to_lowercase().as_str()),
            "{place}"
        );
        assert!(!seen.contains(&(name, at)), "{place}: {name} twice");
        seen.push((name, at));
        schemas.push((format!("{place} {name}"), parameter["schema"].clone()));
    }
    let named = seen.iter().filter(|(_, at)| *at == "path").count();
    assert_eq!(path.matches('{').count(), named, "{place}: every parameter of the path is described");
    if let Some(body) = operation.get("requestBody") {
        only(body, &["required", "content", "description"], place);
        assert!(!body["content"].as_object().unwrap().is_empty(), "{place}");
        media_are_sound(&body["content"], place, schemas);
    }
    let answers = operation["responses"].as_object().unwrap();
    assert!(!answers.is_empty(), "{place}");
    for (status, answer) in answers {
        assert!(
            status.len() == 3 && ('1'..='5').contains(&status.chars().next().unwrap()),
            "{place}: {status}"
        );
        only(answer, &["description", "content", "headers"], place);
        assert!(answer["description"].is_string(), "{place}: {status}");
        media_are_sound(&answer["content"], &format!("{place} {status}"), schemas);
    }
}

fn media_are_sound(content: &Value, place: &str, schemas: &mut Vec<(String, Value)>) {
    for (media, of) in content.as_object().into_iter().flatten() {
        assert!(media.split('/').count() == 2 && !media.contains(' '), "{place}: {media}");
        only(of, &["schema"], place);
        schemas.extend(of.get("schema").map(|schema| (format!("{place} {media}"), schema.clone())));
    }
}

/// Fails on a member that is none of these.
fn only(value: &Value, names: &[&str], place: &str) {
    let members = value.as_object().unwrap_or_else(|| panic!("{place} is no object: {value}"));
    for name in members.keys() {
        assert!(names.contains(&name.as_str()), "{place} has {name}");
    }
}

fn every_reference_leads_somewhere(document: &Value, value: &Value, place: &str) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{place}: {reference}"));
                assert!(document.pointer(pointer).is_some(), "{place}: {reference}");
            }
            members.values().for_each(|member| every_reference_leads_somewhere(document, member, place));
        }
        Value::Array(items) => {
            items.iter().for_each(|item| every_reference_leads_somewhere(document, item, place))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
