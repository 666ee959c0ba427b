//! `[ledger]`: this room's section of the configuration.

use std::path::PathBuf;

use serde::Deserialize;

/// How often a checkpoint may be signed, in milliseconds, unless told.
const CHECKPOINT_MS: u64 = 500;

/// How often pending entries are taken into the tree, in milliseconds.
pub const SEQUENCE_MS: u64 = 100;

/// The section, as the file has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerSection {
    /// Host in the origins of new logs; the host of `public_url` unless told. It never changes an origin that exists.
    pub origin_host: Option<String>,
    /// Milliseconds between checkpoints of a log that grows.
    pub checkpoint_ms: u64,
    /// Folder of the guard; `<data>/guard` unless told. It must not be part of the database's backups.
    pub guard_dir: Option<PathBuf>,
    /// Whether new logs get an ML-DSA-44 key beside the Ed25519 one.
    pub pq_signature: bool,
}

impl Default for LedgerSection {
    fn default() -> LedgerSection {
        LedgerSection { origin_host: None, checkpoint_ms: CHECKPOINT_MS, guard_dir: None, pq_signature: true }
    }
}

/// The section with everything decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// Host in the origins of new logs.
    pub origin_host: String,
    /// `<public_url>`, without a slash at its end.
    pub public_url: String,
    /// Milliseconds between checkpoints.
    pub checkpoint_ms: u64,
    /// Folder of the guard.
    pub guard_dir: PathBuf,
    /// Whether new logs get an ML-DSA-44 key.
    pub pq_signature: bool,
}

impl LedgerSection {
    /// Decides what the file leaves open. `public_host` is the host of `public_url`, `data` the data folder.
    pub fn decided(self, public_url: &str, public_host: &str, data: &std::path::Path) -> AuditConfig {
        AuditConfig {
            origin_host: self.origin_host.unwrap_or_else(|| public_host.to_owned()),
            public_url: public_url.trim_end_matches('/').to_owned(),
            checkpoint_ms: self.checkpoint_ms,
            guard_dir: self.guard_dir.unwrap_or_else(|| data.join("guard")),
            pq_signature: self.pq_signature,
        }
    }
}
