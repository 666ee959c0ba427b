//! What the README says is true: its first command, and that every test it names exists.

use crate::program::{root, stderr, stdout, tessera};
use serde_json::Value;
use std::fs;

/// Check ids of this version; they never change.
const CHECKS: [&str; 23] = [
    "story.keys",
    "story.signature",
    "story.no-private-part",
    "story.credential",
    "story.presentation",
    "story.revocation",
    "story.relying-party",
    "story.enrolment",
    "story.sign-in",
    "attack.wrong-code",
    "attack.phishing-relay",
    "attack.scope-overreach",
    "story.message",
    "attack.relay-dump",
    "attack.replayed-response",
    "attack.parallel-spend",
    "attack.revoked-credential",
    "attack.stripped-key-binding",
    "attack.cross-tenant",
    "attack.ledger-edit",
    "proof.entry",
    "proof.tenant-log",
    "proof.system-log",
];

#[test]
fn the_demo_tells_its_story_and_every_check_holds() {
    let home = tempfile::tempdir().unwrap();
    let output = tessera(home.path()).args(["demo", "--json", "--exit", "--port", "0"]).output().unwrap();
    let report: Value =
        serde_json::from_str(&stdout(&output)).unwrap_or_else(|fault| panic!("{fault}\n{}", stderr(&output)));
    let failed: Vec<&Value> =
        report["checks"].as_array().unwrap().iter().filter(|check| check["ok"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?}\n{}", stderr(&output));
    assert_eq!(report["ok"], true);
    assert_eq!(output.status.code(), Some(0));
    let ids: Vec<&str> =
        report["checks"].as_array().unwrap().iter().filter_map(|check| check["id"].as_str()).collect();
    for id in CHECKS {
        assert!(ids.contains(&id), "{id} is missing from {ids:?}");
    }
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(root().join("docs/schema/demo-1.json")).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator
        .iter_errors(&report)
        .map(|fault| format!("{} at {}", fault, fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert_no_secret_outside_auth(&report);
}

/// The secrets of `auth` stand nowhere else in the object.
fn assert_no_secret_outside_auth(report: &Value) {
    let auth = &report["auth"];
    let mut rest = report.clone();
    rest.as_object_mut().unwrap().remove("auth");
    let rest = rest.to_string();
    for secret in [&auth["client_secret"], &auth["log_token"], &auth["other_tenant"]["client_secret"]] {
        assert!(!rest.contains(secret.as_str().unwrap()));
    }
}

#[test]
fn every_test_that_the_readme_names_exists() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let named: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| ") && line.ends_with("` |"))
        .filter_map(|line| line.rsplit('`').nth(1))
        .collect();
    assert!(named.len() >= 8, "the table of claims has {} rows", named.len());
    let mut sources = String::new();
    for folder in ["protocol", "service", "app", "dev"] {
        collect(&root().join(folder), &mut sources);
    }
    for name in named {
        assert!(
            sources.contains(&format!("fn {name}(")),
            "the README names the test {name}, which does not exist"
        );
    }
}

fn collect(folder: &std::path::Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            collect(&path, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            sources.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}
