//! R1: dependencies point down, roles never sideways. R2: `protocol/` has no runtime, network, SQL or clock.

use super::Break;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::collections::BTreeMap;

/// Each room with the rooms that it may use. A room that is not listed here may not exist.
pub const ROOMS: [(&str, &[&str]); 19] = [
    ("crypto", &[]),
    ("tlog", &["crypto"]),
    ("credential", &["crypto"]),
    ("openid", &["crypto", "credential"]),
    ("seal", &["crypto"]),
    ("mailbox", &["crypto", "tlog"]),
    ("store", &["crypto", "tlog"]),
    ("tenancy", &[PROTOCOL, "store"]),
    ("edge", &[PROTOCOL, "store", "tenancy"]),
    ("custody", &[PROTOCOL, "store", "tenancy", "edge"]),
    ("issuer", &[PROTOCOL, "store", "tenancy", "edge", "custody"]),
    ("verifier", &[PROTOCOL, "store", "tenancy", "edge", "custody"]),
    ("idp", &[PROTOCOL, "store", "tenancy", "edge", "custody"]),
    ("relay", &[PROTOCOL, "store", "tenancy", "edge", "custody"]),
    ("audit", &[PROTOCOL, "store", "tenancy", "edge", "custody"]),
    ("wallet", &[PROTOCOL]),
    ("verify", &[PROTOCOL]),
    (
        "tessera",
        &[
            PROTOCOL, "store", "tenancy", "edge", "custody", "issuer", "verifier", "idp", "relay", "audit",
            "wallet", "verify",
        ],
    ),
    // Chores stand outside the house: one of them is a crowd of wallets.
    ("xtask", &[PROTOCOL, "wallet"]),
];

/// Stands for every room of `protocol/`.
const PROTOCOL: &str = "protocol";
const PROTOCOL_ROOMS: [&str; 6] = ["crypto", "tlog", "credential", "openid", "seal", "mailbox"];

/// Crates that do I/O, run tasks, speak HTTP or SQL: none of them below `protocol/`.
const BANNED_BELOW: [&str; 16] = [
    "tokio",
    "axum",
    "hyper",
    "hyper-util",
    "reqwest",
    "ureq",
    "rusqlite",
    "tokio-postgres",
    "tower",
    "http",
    "rustls",
    "tokio-rustls",
    "async-std",
    "smol",
    "mio",
    "tracing-subscriber",
];

/// The dependency graph of the workspace.
pub fn metadata() -> Metadata {
    MetadataCommand::new()
        .current_dir(crate::tree::root())
        .no_deps()
        .exec()
        .expect("cargo metadata runs wherever these tests were built")
}

/// R1, against the table above.
pub fn dependencies_point_down(metadata: &Metadata) -> Vec<Break> {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let mut breaks = Vec::new();
    for package in metadata.workspace_packages() {
        let room = room_of(package);
        let Some(uses) = allowed.get(room) else {
            breaks.push(Break::of("R1", room, "a room that the plan of the house does not list"));
            continue;
        };
        for other in house_dependencies(package) {
            let fine = uses.contains(&other.as_str())
                || (uses.contains(&PROTOCOL) && PROTOCOL_ROOMS.contains(&other.as_str()))
                || other == room;
            if !fine {
                breaks.push(Break::of("R1", room, format!("depends on {other}, which is not below it")));
            }
        }
    }
    breaks
}

/// R2, as far as the dependency lists show it; clippy's `disallowed-methods` sees the rest.
pub fn protocol_is_pure(metadata: &Metadata) -> Vec<Break> {
    let mut breaks = Vec::new();
    for package in metadata.workspace_packages() {
        let room = room_of(package);
        if !PROTOCOL_ROOMS.contains(&room) {
            continue;
        }
        for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
            if BANNED_BELOW.contains(&dependency.name.as_str()) {
                breaks.push(Break::of("R2", room, format!("depends on {}", dependency.name)));
            }
        }
    }
    for file in crate::tree::files("protocol", &[".rs"]).iter().filter(|file| !file.is_test()) {
        for (number, line) in file.code_lines() {
            for banned in
                ["std::fs", "std::net", "std::env", "SystemTime::now", "Instant::now", "Timestamp::now"]
            {
                if line.contains(banned) && !line.trim_start().starts_with("//") {
                    breaks.push(Break::at("R2", &file.path, number, format!("uses {banned}")));
                }
            }
        }
    }
    breaks
}

fn room_of(package: &Package) -> &str {
    package.name.strip_prefix("tessera-").unwrap_or(&package.name)
}

fn house_dependencies(package: &Package) -> Vec<String> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.path.is_some() && dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.strip_prefix("tessera-").unwrap_or(&dependency.name).to_owned())
        .collect()
}
