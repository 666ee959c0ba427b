//! R1 to R8 of the house, and four rules on words: one file a rule, each a function that lists the breaks.

pub mod bounds;
pub mod dependencies;
pub mod events;
pub mod layers;
pub mod sizes;
pub mod sql;
pub mod tcb;
pub mod web;
pub mod words;

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
pub struct Break {
    /// The rule, as `R3`.
    pub rule: &'static str,
    /// File and line, or package.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl Break {
    pub(crate) fn at(rule: &'static str, path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { rule, place: format!("{path}:{line}"), what: what.into() }
    }

    pub(crate) fn of(rule: &'static str, place: &str, what: impl Into<String>) -> Self {
        Self { rule, place: place.to_owned(), what: what.into() }
    }
}
