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
