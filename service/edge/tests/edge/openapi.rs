//! The OpenAPI document: made from the doors, the same each time, with every door and every answer in it.

use crate::house::House;
use serde_json::Value;

#[tokio::test]
async fn the_document_names_every_door_its_security_and_its_answers() {
    let house = House::new().await;
    let reply = house.get("/openapi.json", "").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/json"));
    let document = reply.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["license"]["name"], "Apache-2.0");
    for path in ["/api/v1/tenants", "/api/v1/service-accounts/{id}/rotate-secret", "/log/{path}", "/readyz"] {
        assert!(document["paths"].get(path).is_some(), "{path}");
    }
    assert!(document["paths"]["/once/{token}"].get("get").is_none(), "a page for people stands not in it");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push(operation["operationId"].as_str().unwrap().to_owned());
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.values().all(|answer| !answer["description"].as_str().unwrap().is_empty()));
            for status in ["421", "429", "503"] {
                assert!(responses.contains_key(status), "{method} {path}: {status}");
            }
            if path.starts_with("/api/v1/") && path != "/api/v1/try/search" {
                assert!(responses.contains_key("401") && responses.contains_key("403"), "{method} {path}");
                assert_eq!(operation["security"][0]["bearer"], Value::Array(Vec::new()));
            }
            let named = path.matches('{').count();
            let given = operation["parameters"]
                .as_array()
                .map_or(0, |all| all.iter().filter(|p| p["in"] == "path").count());
            assert_eq!(named, given, "{path}");
        }
    }
    let count = operations.len();
    operations.sort();
    operations.dedup();
    assert_eq!(operations.len(), count);
}

#[tokio::test]
async fn the_document_is_the_same_each_time_and_every_reference_in_it_leads_somewhere() {
    let (one, two) = (House::new().await, House::new().await);
    let text = one.get("/openapi.json", "").await.text;
    assert_eq!(text, two.get("/openapi.json", "").await.text);
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference}"));
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    assert!(!text.contains("\"$schema\""));
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.push(reference.clone());
            }
            members.values().for_each(|member| collect(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
