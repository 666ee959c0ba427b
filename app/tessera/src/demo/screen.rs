//! The demo as a person sees it: one line a step, a mark a check, then where to go on.

use super::report::{Report, Step};
use std::io::Write;

/// Width to which a step's facts are padded before its time.
const LINE_CHARS: usize = 100;

/// The first line.
pub fn opening(keep: bool) -> String {
    let data = if keep { "data kept" } else { "data removed at exit (--keep DIR)" };
    format!(
        "tessera {} · DEV mode · plain http on 127.0.0.1 · {data} · Ctrl-C stops",
        env!("CARGO_PKG_VERSION")
    )
}

/// One finished step with its checks.
pub fn step(out: &mut dyn Write, report: &Report, step: &Step) {
    let facts: Vec<String> = step
        .facts
        .values()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    let line = format!(" {} {:<11} {}", step.n, title(step.name), facts.join(" · "));
    let _ = writeln!(out, "{line:<LINE_CHARS$} {:>6} ms", step.ms);
    for check in report.checks.iter().filter(|check| check.step == step.name) {
        let mark = if check.ok { "✓" } else { "✗" };
        let _ = writeln!(out, "               {mark} {:<28} {}", check.id, check.observed);
        if !check.ok {
            let _ = writeln!(out, "                 expected: {}", check.expected);
        }
    }
}

/// What stays up, and what to try.
pub fn closing(out: &mut dyn Write, report: &Report) {
    let failed = report.checks.iter().filter(|check| !check.ok).count();
    let _ = writeln!(
        out,
        " {} of {} checks hold · {} ms",
        report.checks.len() - failed,
        report.checks.len(),
        report.elapsed_ms
    );
    for warning in &report.warnings {
        let _ = writeln!(out, " ! {}", warning.text);
    }
    for (name, key) in
        [("Console", "console_once"), ("API", "openapi"), ("Docs", "docs"), ("Ledger", "ledger")]
    {
        if let Some(url) = report.urls.get(key).and_then(serde_json::Value::as_str) {
            let once = if key == "console_once" { "     works once, 15 minutes" } else { "" };
            let _ = writeln!(out, " {name:<10} {url}{once}");
        }
    }
    let _ = writeln!(out, " Try        tessera key list · tessera ledger list · tessera ledger prove 3");
}

fn title(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}
