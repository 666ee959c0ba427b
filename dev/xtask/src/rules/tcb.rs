//! R5: the dependency list of the outsider's checker is committed, so that a new dependency is seen in review.

use super::Break;
use crate::tree::root;
use std::process::Command;

/// Where the list stands.
pub const LIST: &str = "docs/tcb.txt";

/// The normal dependencies of `tessera-verify`, one `name version` a line, sorted.
pub fn list() -> String {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["tree", "--offline", "--locked", "-p", "tessera-verify", "-e", "normal", "--prefix", "none"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--format", "{p}"])
        .output()
        .expect("cargo tree runs wherever these tests were built");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| line.split(" (").next().unwrap_or_default().trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort();
    lines.dedup();
    format!(
        "# Every package that is compiled into tessera-verify (x86_64-unknown-linux-gnu), its own rooms included.\n{}\n",
        lines.join("\n")
    )
}

/// R5: the committed list is the real one.
pub fn list_is_committed() -> Vec<Break> {
    let committed = std::fs::read_to_string(root().join(LIST)).unwrap_or_default();
    let real = list();
    if committed == real {
        return Vec::new();
    }
    vec![Break::of(
        "R5",
        LIST,
        "differs from `cargo tree`: run `cargo run -p xtask -- tcb` and review the change",
    )]
}
