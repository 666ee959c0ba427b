//! `docs/checks/seal.md` names tests that stand.

use std::path::Path;

/// Attacks of the design that belong to what is built: each has a row.
const ATTACKS: [u32; 23] =
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24];

#[test]
fn every_row_of_seals_checks_names_tests_that_stand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/checks/seal.md")).unwrap();
    let mut tests = String::new();
    for room in ["protocol", "service/idp", "app/wallet", "app/tessera/tests"] {
        collect(&root.join(room), "rs", &mut tests);
    }
    let mut browser = String::new();
    collect(&root.join("interop/signin"), "mjs", &mut browser);
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| SL-")).collect();
    for id in ATTACKS {
        assert!(rows.iter().any(|row| row.starts_with(&format!("| SL-{id} |"))), "SL-{id}");
    }
    for row in rows {
        let shown = row.rsplit('|').nth(1).unwrap();
        let (named, quoted) = (between(shown, '`'), between(shown, '"'));
        assert!(!named.is_empty() || !quoted.is_empty(), "{row}");
        for name in named {
            assert!(tests.contains(&format!("fn {name}(")), "{name} does not stand");
        }
        for name in quoted {
            assert!(browser.contains(name), "\"{name}\" does not stand");
        }
    }
}

fn between(text: &str, mark: char) -> Vec<&str> {
    text.split(mark).skip(1).step_by(2).collect()
}

fn collect(folder: &Path, ending: &str, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "node_modules" {
            collect(&path, ending, into);
        } else if path.extension().is_some_and(|it| it == ending) {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
