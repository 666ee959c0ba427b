//! What the demo found, as `--json` prints it: schema `tessera.demo/1` (`docs/schema/demo-1.json`).
//!
//! Steps and checks of parts that do not exist yet are absent, never faked.

use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Instant;

/// The whole object.
#[derive(Serialize)]
pub struct Report {
    /// `tessera.demo/1`
    pub schema: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// Whether every check is.
    pub ok: bool,
    /// RFC 3339.
    pub started_at: String,
    /// The whole story.
    pub elapsed_ms: u64,
    /// Where the data is.
    pub data_dir: String,
    /// `127.0.0.1:PORT`, for programs that cannot resolve localhost names.
    pub connect: String,
    /// Every door worth knowing.
    pub urls: Map<String, Value>,
    /// Credentials until the demo stops; the only secrets in this object.
    pub auth: Map<String, Value>,
    /// What the story made.
    pub ids: Map<String, Value>,
    /// Files that outlive `--exit` only with `--keep`.
    pub files: Map<String, Value>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Every claim with what was expected and seen.
    pub checks: Vec<Check>,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

/// One step of the story.
#[derive(Serialize)]
pub struct Step {
    /// From 1.
    pub n: usize,
    /// `keys`, `credential`, `sign-in`, `message`, `attacks`, `proof`.
    pub name: &'static str,
    /// Whether it went well.
    pub ok: bool,
    /// How long it took.
    pub ms: u64,
    /// What it shows, in plain members.
    pub facts: Map<String, Value>,
}

/// One check.
#[derive(Serialize)]
pub struct Check {
    /// `story.…`, `attack.…`, `proof.…`: never changes.
    pub id: &'static str,
    /// The step it belongs to.
    pub step: &'static str,
    /// Whether what was observed is what was expected.
    pub ok: bool,
    /// In words.
    pub expected: String,
    /// In words.
    pub observed: String,
    /// The problem or check that refused, where one did.
    pub problem: Option<String>,
    /// How long it took.
    pub ms: u64,
}

/// A warning.
#[derive(Serialize)]
pub struct Warning {
    /// A stable name.
    pub id: &'static str,
    /// In words.
    pub text: String,
}

/// What one check saw.
pub struct Seen {
    /// Whether it is as expected.
    pub ok: bool,
    /// In words.
    pub observed: String,
    /// The refusal's code, where there is one.
    pub problem: Option<String>,
}

impl Seen {
    /// As expected or not.
    pub fn new(ok: bool, observed: impl Into<String>) -> Self {
        Self { ok, observed: observed.into(), problem: None }
    }

    /// A refusal by `problem`.
    pub fn refused(ok: bool, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { ok, observed: format!("refused: {problem}"), problem: Some(problem) }
    }
}

impl Report {
    /// An empty report.
    pub fn new(started_at: jiff::Timestamp, data_dir: &std::path::Path, connect: String) -> Self {
        Self {
            schema: "tessera.demo/1",
            version: env!("CARGO_PKG_VERSION"),
            ok: false,
            started_at: started_at.to_string(),
            elapsed_ms: 0,
            data_dir: data_dir.display().to_string(),
            connect,
            urls: Map::new(),
            auth: Map::new(),
            ids: Map::new(),
            files: Map::new(),
            steps: Vec::new(),
            checks: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Runs one check and keeps what it saw; a fault is a failed check with its words.
    pub fn check(
        &mut self,
        step: &'static str,
        id: &'static str,
        expected: &str,
        act: impl FnOnce() -> Result<Seen, String>,
    ) -> bool {
        let start = Instant::now();
        let seen = act().unwrap_or_else(|fault| Seen::new(false, fault));
        let ms = milliseconds(start);
        let ok = seen.ok;
        self.checks.push(Check {
            id,
            step,
            ok,
            expected: expected.to_owned(),
            observed: seen.observed,
            problem: seen.problem,
            ms,
        });
        ok
    }

    /// Closes a step: it went well if all of its checks did.
    pub fn step(&mut self, name: &'static str, start: Instant, facts: Value) -> bool {
        let ok = self.checks.iter().filter(|check| check.step == name).all(|check| check.ok);
        let facts = match facts {
            Value::Object(members) => members,
            other => Map::from_iter([("fact".to_owned(), other)]),
        };
        self.steps.push(Step { n: self.steps.len() + 1, name, ok, ms: milliseconds(start), facts });
        ok
    }

    /// Adds a warning.
    pub fn warn(&mut self, id: &'static str, text: impl Into<String>) {
        self.warnings.push(Warning { id, text: text.into() });
    }

    /// The end: all checks ok, and at least one was made.
    pub fn close(&mut self, start: Instant) {
        self.ok = !self.checks.is_empty() && self.checks.iter().all(|check| check.ok);
        self.elapsed_ms = milliseconds(start);
    }

    /// The object.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_else(|fault| json!({ "ok": false, "fault": fault.to_string() }))
    }
}

/// Whole milliseconds since `start`.
pub fn milliseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_without_checks_is_not_ok() {
        let mut report = Report::new(jiff::Timestamp::UNIX_EPOCH, std::path::Path::new("/x"), String::new());
        report.close(Instant::now());
        assert!(!report.ok);
    }

    #[test]
    fn one_failed_check_fails_its_step_and_the_story() {
        let mut report = Report::new(jiff::Timestamp::UNIX_EPOCH, std::path::Path::new("/x"), String::new());
        report.check("keys", "story.keys", "a key", || Ok(Seen::new(true, "a key")));
        report.check("keys", "story.token", "a token", || Err("nothing there".to_owned()));
        assert!(!report.step("keys", Instant::now(), json!({})));
        report.close(Instant::now());
        assert!(!report.ok);
        assert_eq!(report.checks[1].observed, "nothing there");
    }
}
