//! Every event of the catalogue is raised by a room and asserted by a test: an act that no test has seen in the log is none that
//! an auditor may count on.
//!
//! *Raised*: `Event::Variant` stands in code of `service/` or `app/`. *Asserted*: the event's name stands, as a whole string, inside
//! an `assert…!(…)` of a test there; a name in a comment, a document or a list beside the assertion does not count.

use super::Break;
use crate::tree::File;
use std::collections::BTreeSet;

/// Names that are declared, as a name is chosen once for ever, while nothing raises them yet. The list only shrinks: an entry that
/// is raised breaks the rule until it has its test and is gone from here.
pub const NOT_RAISED_YET: &[&str] = &[
    // credentials
    "credential-type-retired",
    "metadata-signed",
    // keys
    "root-rotated",
    // ledger
    "log-closed",
    "quarantine-lifted",
    "schema-migrated",
    // tenancy
    "config-document-changed",
];

/// Names of rooms in the making, whose tests come with their doors. The list only shrinks: an entry that is raised and asserted
/// breaks the rule until it is gone from here.
pub const IN_THE_MAKING: &[&str] = &[];

/// The two lists of exceptions.
#[derive(Clone, Copy, Debug)]
pub struct Exceptions<'a> {
    /// As [`NOT_RAISED_YET`]: excuses a name that nothing raises.
    pub not_raised_yet: &'a [&'a str],
    /// As [`IN_THE_MAKING`]: excuses also a name that is raised and not yet asserted.
    pub in_the_making: &'a [&'a str],
}

/// The lists of this tree.
pub const EXCEPTIONS: Exceptions<'static> =
    Exceptions { not_raised_yet: NOT_RAISED_YET, in_the_making: IN_THE_MAKING };

/// An event of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name in the log.
    pub name: String,
    /// Its variant of `Event`.
    pub variant: String,
    /// The file that declares it.
    pub path: String,
}

/// The declarations in the files of `protocol/tlog/src/event`: `Variant = "name", Outcome, …`.
pub fn declared(files: &[File]) -> Vec<Declared> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !file.is_test()) {
        for line in file.text.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
            let Some((variant, rest)) = line.split_once(" = \"") else { continue };
            let Some((name, rest)) = rest.split_once("\", ") else { continue };
            let outcome = rest.split(',').next().unwrap_or_default();
            if ["Done", "Refused", "Failed", "TimedOut"].contains(&outcome) && is_ident(variant) {
                let (name, variant) = (name.to_owned(), variant.to_owned());
                found.push(Declared { name, variant, path: file.path.clone() });
            }
        }
    }
    found
}

/// The rule, on the catalogue and the sources of `service/` and `app/`.
pub fn events_are_raised(declared: &[Declared], code: &[File], exceptions: Exceptions<'_>) -> Vec<Break> {
    let asserted: BTreeSet<String> = code.iter().flat_map(|file| asserted_strings(&tests_of(file))).collect();
    let mut breaks = Vec::new();
    for event in declared {
        let raised = code.iter().find_map(|file| raised_at(file, &event.variant));
        let making = exceptions.in_the_making.contains(&event.name.as_str());
        let listed = making || exceptions.not_raised_yet.contains(&event.name.as_str());
        match (raised, asserted.contains(&event.name)) {
            (Some(_), true) if !listed => {}
            (Some(_), false) if making => {}
            (None, _) if listed => {}
            (Some((path, line)), true) => {
                let what =
                    format!("{} is raised and asserted: take it off the list of exceptions", event.name);
                breaks.push(Break::at("events", path, line, what));
            }
            (Some((path, line)), false) => {
                let what = format!("raises {}, which no test of the room asserts", event.name);
                breaks.push(Break::at("events", path, line, what));
            }
            (None, _) => {
                let what = format!("declares {}, which nothing raises", event.name);
                breaks.push(Break::of("events", &event.path, what));
            }
        }
    }
    let all = exceptions.not_raised_yet.iter().chain(exceptions.in_the_making);
    for name in all.filter(|name| !declared.iter().any(|event| event.name == **name)) {
        breaks.push(Break::of("events", "the list of exceptions", format!("{name} is no event")));
    }
    breaks
}

/// Where a file that is no test names the variant first.
fn raised_at<'a>(file: &'a File, variant: &str) -> Option<(&'a str, usize)> {
    if file.is_test() {
        return None;
    }
    let wanted = format!("Event::{variant}");
    let names = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        let mut found = code.match_indices(&wanted);
        found.any(|(at, _)| !code[at + wanted.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    file.code_lines().find(|(_, line)| names(line)).map(|(number, _)| (file.path.as_str(), number))
}

/// The part of a file that is test code, without whole lines of comment.
fn tests_of(file: &File) -> String {
    let code = if file.is_test() { 0 } else { file.code_lines().count() };
    let lines = file.text.lines().skip(code);
    lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every whole string literal within the parentheses of an `assert…!`.
fn asserted_strings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("assert") {
        rest = &rest[at + "assert".len()..];
        let name = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(rest.len());
        if let Some(inside) = rest[name..].strip_prefix("!(") {
            strings_within(inside, &mut found);
        }
    }
    found
}

/// The literals up to the parenthesis that closes the one before `text`.
fn strings_within(text: &str, found: &mut Vec<String>) {
    let (mut depth, mut literal, mut escaped) = (1_u32, None::<String>, false);
    for (at, c) in text.char_indices() {
        match (&mut literal, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), '"') => {
                found.push(std::mem::take(open));
                literal = None;
            }
            (Some(open), c) => open.push(c),
            // '"' and '(' as characters are no literal's begin and no parenthesis.
            (None, '"' | '(' | ')') if text[..at].ends_with('\'') && text[at + 1..].starts_with('\'') => {}
            (None, '"') => literal = Some(String::new()),
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => return,
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
    }
}

fn is_ident(text: &str) -> bool {
    !text.is_empty() && text.chars().all(char::is_alphanumeric)
}
