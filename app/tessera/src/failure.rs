//! What a verb says when it fails: four lines (what, cause, fix, page), and the exit code that scripts read.

use serde_json::{Value, json};
use std::fmt;

/// The exit codes of every verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// A check said no: a bad proof, a red line of `doctor`.
    CheckFailed = 1,
    /// The command line or a file it names is wrong.
    Usage = 2,
    /// The server refused (4xx).
    Refused = 3,
    /// Unreachable, timed out, or could not start.
    Unreachable = 4,
    /// Our fault.
    Fault = 5,
}

/// One failure, as a person and a script meet it.
#[derive(Debug)]
pub struct Failure {
    /// What happened, in one clause.
    pub what: String,
    /// A stable code, as `issuer/offer-gone`; empty where none exists.
    pub code: Box<str>,
    /// Why.
    pub cause: String,
    /// What to do.
    pub fix: String,
    /// A page that says more.
    pub page: Option<Box<str>>,
    /// The exit code.
    pub exit: Exit,
    /// The problem document that a server sent.
    pub problem: Option<Box<Value>>,
}

impl Failure {
    /// A failure without a page.
    pub fn new(
        exit: Exit,
        what: impl Into<String>,
        cause: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            code: Box::default(),
            cause: cause.into(),
            fix: fix.into(),
            page: None,
            exit,
            problem: None,
        }
    }

    /// Wrong usage.
    pub fn usage(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what, "", fix)
    }

    /// A process that could not start.
    pub fn start(what: impl Into<String>, cause: impl fmt::Display, fix: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, what, cause.to_string(), fix)
    }

    /// With a stable code.
    pub fn code(mut self, code: impl Into<Box<str>>) -> Self {
        self.code = code.into();
        self
    }

    /// From a problem document (RFC 9457) or an OAuth error.
    pub fn from_answer(status: u16, body: &Value) -> Self {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let exit = if status >= 500 { Exit::Unreachable } else { Exit::Refused };
        let mut cause = text("cause");
        for error in body.get("errors").and_then(Value::as_array).into_iter().flatten() {
            let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            cause.push_str(&format!("\n         {} {}", part("pointer"), part("detail")));
        }
        let first = [
            text("title"),
            text("error_description"),
            text("error"),
            format!("the server answered {status}"),
        ];
        let detail = text("detail");
        Self {
            what: first.into_iter().find(|t| !t.is_empty()).unwrap_or_default(),
            code: [text("code"), text("error")]
                .into_iter()
                .find(|t| !t.is_empty())
                .unwrap_or_default()
                .into(),
            cause: if cause.is_empty() { detail } else { cause },
            fix: text("fix"),
            page: Some(text("type")).filter(|page| page.starts_with("http")).map(Into::into),
            exit,
            problem: Some(Box::new(body.clone())),
        }
    }

    /// The four lines, or the problem document where JSON was asked for.
    pub fn render(&self, as_json: bool) -> String {
        if as_json {
            let own = json!({ "title": self.what, "code": self.code, "cause": self.cause, "fix": self.fix });
            return format!("{}\n", self.problem.as_deref().unwrap_or(&own));
        }
        let mut text = format!("error: {}", self.what);
        if !self.code.is_empty() {
            text.push_str(&format!(
                "{:>width$}",
                self.code,
                width = (78usize.saturating_sub(text.len())).max(self.code.len() + 2)
            ));
        }
        text.push('\n');
        for (name, value) in [("cause", &self.cause), ("fix", &self.fix)] {
            if !value.is_empty() {
                text.push_str(&format!("  {name:<6} {value}\n"));
            }
        }
        if let Some(page) = &self.page {
            text.push_str(&format!("  page   {page}\n"));
        }
        crate::output::printable(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_four_lines() {
        let body = json!({"type": "http://localhost/problems/issuer/offer-gone", "title": "this offer was already spent",
            "code": "issuer/offer-gone", "cause": "it was collected", "fix": "make a new one"});
        let text = Failure::from_answer(410, &body).render(false);
        assert_eq!(text.lines().count(), 4);
        assert!(text.starts_with("error: this offer was already spent"));
        assert!(text.lines().next().is_some_and(|line| line.ends_with("issuer/offer-gone")));
    }

    #[test]
    fn escape_codes_of_a_server_never_reach_the_terminal() {
        let body = json!({"title": "a\u{1b}[2Jb\u{202e}c", "code": "x/y"});
        let text = Failure::from_answer(400, &body).render(false);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
}
