//! R8: every named bound says why it has that value.

use super::Break;
use crate::tree::File;

/// R8, as far as text shows it: a `…_MAX` constant has a comment above or beside it.
pub fn bounds_have_reasons(code: &[File]) -> Vec<Break> {
    let mut breaks = Vec::new();
    for file in code.iter().filter(|file| !file.is_test()) {
        let mut previous = "";
        for (number, line) in file.code_lines() {
            let is_bound = line.contains("const ") && line.contains("_MAX:");
            if is_bound && !previous.trim_start().starts_with("//") && !line.contains("//") {
                breaks.push(Break::at("R8", &file.path, number, "a bound without its reason"));
            }
            previous = line;
        }
    }
    breaks
}
