//! Words: we say what a test shows. Claims that no test can show are refused in docs, pages and messages.

use super::Break;
use crate::tree::File;

/// Claims that nothing here can show.
const CLAIMS: [&str; 8] = [
    "tamper-proof",
    "unhackable",
    "military-grade",
    "100% secure",
    "gdpr-compliant",
    "bank-grade",
    "cannot be modified",
    "guaranteed secure",
];

/// Crates and rooms that would hold whatever nobody placed.
const SHAPELESS: [&str; 6] = ["common", "utils", "types", "traits", "helpers", "test-utils"];

/// No page or source of ours makes such a claim; a line that quotes one to refuse it ends in `words: quoted`.
pub fn claims_are_shown(files: &[File]) -> Vec<Break> {
    let mut breaks = Vec::new();
    for file in files.iter().filter(|file| !file.path.ends_with("rules/words.rs")) {
        for (index, line) in file.text.lines().enumerate() {
            let lower = line.to_lowercase();
            if let Some(claim) = CLAIMS.iter().find(|claim| lower.contains(*claim))
                && !lower.contains("words: quoted")
            {
                breaks.push(Break::at("words", &file.path, index + 1, format!("claims “{claim}”")));
            }
        }
    }
    breaks
}

/// No file or folder is named for nothing.
pub fn names_are_nouns(files: &[File]) -> Vec<Break> {
    let mut breaks = Vec::new();
    for file in files {
        for part in file.path.trim_end_matches(".rs").split('/') {
            if SHAPELESS.contains(&part) {
                breaks.push(Break::of("names", &file.path, format!("“{part}” names nothing")));
            }
        }
    }
    breaks
}
