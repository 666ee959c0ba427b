//! Each dependency line says why it is there, and the second bindings that the house refuses stay out.

use super::Break;

/// Crates that the house refuses by name, each with what stands in its place.
const REFUSED: [(&str, &str); 7] = [
    ("openssl", "aws-lc-rs"),
    ("ring", "aws-lc-rs"),
    ("native-tls", "rustls"),
    ("sqlx", "rusqlite"),
    ("diesel", "rusqlite"),
    ("reqwest", "edge::outbound, ureq"),
    ("chrono", "jiff"),
];

/// Every third-party line of `[workspace.dependencies]` ends in a reason.
pub fn dependencies_have_reasons(manifest: &str) -> Vec<Break> {
    let mut breaks = Vec::new();
    let mut inside = false;
    for (index, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        }
        let is_dependency =
            inside && line.contains('=') && !line.starts_with('#') && !line.contains("path = ");
        if is_dependency && line.rsplit_once(" # ").is_none_or(|(_, reason)| reason.trim().len() < 8) {
            breaks.push(Break::at("reason", "Cargo.toml", index + 1, "a dependency without its reason"));
        }
    }
    breaks
}

/// Refused crates are not direct dependencies of any room.
pub fn refused_crates_stay_out(metadata: &cargo_metadata::Metadata) -> Vec<Break> {
    let mut breaks = Vec::new();
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            if let Some((name, instead)) = REFUSED.iter().find(|(name, _)| *name == dependency.name) {
                breaks.push(Break::of(
                    "refused",
                    &package.name,
                    format!("depends on {name}; the house uses {instead}"),
                ));
            }
        }
    }
    breaks
}
