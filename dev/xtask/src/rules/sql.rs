//! R3: SQL stands only in a room's `store.rs` (or `store/`) and migrations, and touches only tables with the room's prefix.
//! Beside it: every column of every migration says what data it holds, how long, and how it is erased.

use super::Break;
use crate::tree::{File, files};

/// Words that begin a statement; the text test looks for them inside string literals.
const STATEMENT_WORDS: [&str; 5] = ["SELECT ", "INSERT INTO ", "DELETE FROM ", "UPDATE ", "CREATE TABLE "];
/// Words after which a table is named.
const TABLE_WORDS: [&str; 5] = ["FROM", "INTO", "UPDATE", "JOIN", "TABLE"];
/// Data categories of a column tag.
const CATEGORIES: [&str; 8] =
    ["none", "pseudonym", "identity", "contact", "biometric", "content", "key", "secret"];

/// R3 over every room of `service/` and every door of `app/` but the wallet, which keeps its own file.
pub fn sql_stands_in_store(service: &[File]) -> Vec<Break> {
    let mut breaks = Vec::new();
    for file in service.iter().filter(|file| !file.is_test()) {
        let room = room_of(&file.path);
        let is_store = room == "store" || file.path.ends_with("/store.rs") || file.path.contains("/store/");
        for (number, line) in file.code_lines() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            if !is_store && STATEMENT_WORDS.iter().any(|word| literal_begins(line, word)) {
                breaks.push(Break::at("R3", &file.path, number, "SQL outside store.rs"));
            }
            if is_store && line.contains('"') {
                breaks.extend(foreign_tables(room, line).map(|table| {
                    Break::at(
                        "R3",
                        &file.path,
                        number,
                        format!("touches table {table}, which is not {room}'s"),
                    )
                }));
            }
        }
    }
    breaks
}

/// Every column of every migration carries `-- data: …; keep: …; erase: …`.
pub fn columns_are_tagged() -> Vec<Break> {
    let mut breaks = Vec::new();
    for file in files("service", &[".sql"]) {
        let room = room_of(&file.path).to_owned();
        for (index, line) in file.text.lines().enumerate() {
            if let Some(table) = line.trim().strip_prefix("CREATE TABLE ") {
                let table = table.trim_start_matches("IF NOT EXISTS ");
                if !table.starts_with(&format!("{room}_")) {
                    breaks.push(Break::at(
                        "R3",
                        &file.path,
                        index + 1,
                        format!("table {table} lacks the prefix {room}_"),
                    ));
                }
            }
            if is_column(line) && !is_tagged(line) {
                breaks.push(Break::at("R3", &file.path, index + 1, "column without its data tag"));
            }
        }
    }
    breaks
}

fn room_of(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

fn literal_begins(line: &str, word: &str) -> bool {
    line.contains(&format!("\"{word}"))
}

fn foreign_tables<'a>(room: &'a str, line: &'a str) -> impl Iterator<Item = &'a str> + 'a {
    let words: Vec<&str> =
        line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
    let mut found = Vec::new();
    for pair in words.windows(2) {
        let (word, table) = (pair[0], pair[1]);
        let names_table = TABLE_WORDS.contains(&word)
            && table.contains('_')
            && table.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if names_table && !table.starts_with(&format!("{room}_")) && !table.starts_with("sqlite_") {
            found.push(table);
        }
    }
    found.into_iter()
}

fn is_column(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (Some(name), Some(kind)) = (words.next(), words.next()) else { return false };
    let kind = kind.trim_end_matches(',');
    name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
        && ["BIGINT", "TEXT", "BLOB"].contains(&kind)
}

fn is_tagged(line: &str) -> bool {
    let Some((_, tag)) = line.split_once("-- data: ") else { return false };
    let category = tag.split([';', ' ']).next().unwrap_or_default();
    CATEGORIES.contains(&category) && tag.contains("keep:") && tag.contains("erase:")
}
