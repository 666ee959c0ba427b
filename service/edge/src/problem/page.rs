//! The page of a problem code: meaning, cause, fix, command. Rooms declare theirs as statics and hand them to their doors.

use std::collections::BTreeMap;

/// What `GET /problems/<room>/<code>` shows, and where a [`super::Problem`] gets its status, title, cause and fix.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// `<room>/<kebab-case>`, stable for ever.
    pub code: &'static str,
    /// The HTTP status of every problem with this code.
    pub status: u16,
    /// What it means in one line, lower case, as the CLI prints it.
    pub title: &'static str,
    /// What it means, in a few sentences.
    pub meaning: &'static str,
    /// The usual cause.
    pub cause: &'static str,
    /// What mends it.
    pub fix: &'static str,
    /// A command that helps; empty where none does.
    pub command: &'static str,
}

impl Page {
    /// Where the page stands under `<public_url>`.
    #[must_use]
    pub fn url(&self, base: &str) -> String {
        format!("{}/problems/{}", base.trim_end_matches('/'), self.code)
    }
}

/// All pages of a program, by code.
#[derive(Clone, Debug, Default)]
pub struct Pages(BTreeMap<&'static str, &'static Page>);

impl Pages {
    /// Adds a page.
    ///
    /// # Panics
    /// When another page has the code already: two rooms chose one word, which the first start of a test shows.
    pub fn add(&mut self, page: &'static Page) {
        let known = self.0.insert(page.code, page);
        assert!(known.is_none_or(|known| known == page), "two pages share the code {}", page.code);
    }

    /// The page of `code`.
    #[must_use]
    pub fn get(&self, code: &str) -> Option<&'static Page> {
        self.0.get(code).copied()
    }

    /// Every page, ordered by code.
    pub fn iter(&self) -> impl Iterator<Item = &'static Page> {
        self.0.values().copied()
    }
}
