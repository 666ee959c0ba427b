//! R7: no file over 800 lines (tests aside). Clippy's `too_many_lines` keeps functions at 70.

use super::Break;
use crate::tree::File;

/// Lines of a source file, its unit tests aside.
pub const FILE_LINES_MAX: usize = 800;

/// R7 over all code.
pub fn files_are_small(code: &[File]) -> Vec<Break> {
    code.iter()
        .filter(|file| !file.is_test())
        .filter_map(|file| {
            let lines = file.code_lines().count();
            (lines > FILE_LINES_MAX).then(|| {
                Break::at("R7", &file.path, lines, format!("{lines} lines; the bound is {FILE_LINES_MAX}"))
            })
        })
        .collect()
}
