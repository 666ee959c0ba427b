//! Logs: where a tenant's events go, and the keys that hide what they say.

use std::fmt;

use crypto::random;
use crypto::secret::Secret;

use crate::cipher::{self, Field};
use crate::fault::StoreFault;
use crate::keyring::Kek;
use crate::row::Row;
use crate::stmt::{Effect, Stmt};
use crate::tenant::TenantId;

/// Length of a log id: `t/`, a tenant id, `/e` and an epoch.
const LOG_ID_BYTES_MAX: usize = 64;

/// Names a log: what stands after `<host>/log/` in its origin (`t/ten_…`, `house`, `system`, `t/ten_…/e2`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(String);

impl LogId {
    /// Reads a log id: 1–64 characters of `[a-z0-9_/-]`, no empty part.
    pub fn parse(text: &str) -> Option<LogId> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_/-".contains(&byte);
        let sound = text.len() <= LOG_ID_BYTES_MAX
            && text.bytes().all(known)
            && text.split('/').all(|part| !part.is_empty());
        sound.then(|| LogId(text.to_owned()))
    }

    /// The log of a tenant, of the first epoch; the house log for the instance itself.
    pub fn of(tenant: &TenantId) -> LogId {
        if tenant.is_system() { LogId::house() } else { LogId(format!("t/{tenant}")) }
    }

    /// The house log: acts of the instance. Private.
    pub fn house() -> LogId {
        LogId("house".to_owned())
    }

    /// The system log: hashes only. Public.
    pub fn system() -> LogId {
        LogId("system".to_owned())
    }

    /// The id as it stands in rows and paths.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which events a log takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogKind {
    /// The acts of its tenant.
    Own,
    /// What the whole instance shows to everybody.
    System,
}

impl LogKind {
    /// Its name in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            LogKind::Own => "own",
            LogKind::System => "system",
        }
    }
}

/// A log to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpec {
    /// Its id.
    pub id: LogId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it takes.
    pub kind: LogKind,
    /// Its origin, fixed for ever: `<host>/log/<id>`.
    pub origin: String,
}

impl LogSpec {
    /// The log of `tenant`, or the house log for the instance itself.
    pub fn of(host: &str, tenant: &TenantId) -> LogSpec {
        LogSpec::new(host, LogId::of(tenant), tenant.clone(), LogKind::Own)
    }

    /// The public system log.
    pub fn system(host: &str) -> LogSpec {
        LogSpec::new(host, LogId::system(), TenantId::SYSTEM, LogKind::System)
    }

    fn new(host: &str, id: LogId, tenant: TenantId, kind: LogKind) -> LogSpec {
        LogSpec { origin: format!("{host}/log/{id}"), id, tenant, kind }
    }
}

/// An open log with its keys.
#[derive(Debug)]
pub struct LogKeys {
    pub(crate) id: LogId,
    pub(crate) tenant: TenantId,
    pub(crate) origin: String,
    pub(crate) k_index: Secret<[u8; 32]>,
    pub(crate) k_detail: Secret<[u8; 32]>,
    pub(crate) head_key: Secret<[u8; 32]>,
}

impl LogKeys {
    /// Its id.
    pub fn id(&self) -> &LogId {
        &self.id
    }

    /// Whose it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Its origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Under which persons are referred to in this log.
    pub fn k_index(&self) -> &Secret<[u8; 32]> {
        &self.k_index
    }

    /// From which the salts of this log's heads are made.
    pub fn head_key(&self) -> &Secret<[u8; 32]> {
        &self.head_key
    }
}

pub(crate) const OPEN_LOG: &str =
    "SELECT log_id, tenant_id, origin, k_index, k_detail, head_key FROM store_log
     WHERE tenant_id = $1 AND kind = $2 AND open = 1";
pub(crate) const ONE_LOG: &str =
    "SELECT log_id, tenant_id, origin, k_index, k_detail, head_key FROM store_log WHERE log_id = $1";
pub(crate) const PUT_LOG: &str =
    "INSERT INTO store_log (tenant_id, log_id, kind, origin, open, k_index, k_detail, head_key)
     VALUES ($1, $2, $3, $4, 1, $5, $6, $7) ON CONFLICT DO NOTHING";
pub(crate) const CLOSE_LOG: &str = "UPDATE store_log SET open = 0 WHERE log_id = $1 AND open = 1";

/// The open log of a kind of a tenant.
pub(crate) fn select_open(tenant: &TenantId, kind: LogKind) -> Stmt {
    Stmt::new(OPEN_LOG).text(tenant.as_str()).text(kind.as_str())
}

/// The row of a new log, its keys sealed under the tenant's `data` KEK. Does nothing if the log is there.
pub(crate) fn insert(spec: &LogSpec, kek: &Kek, secrets: &LogSecrets) -> Stmt {
    let row = spec.id.as_str();
    let seal = |column: &'static str, nonce: [u8; 12], key: &[u8; 32]| {
        cipher::seal(kek, &spec.tenant, Field { table: "store_log", column, row }, nonce, key)
    };
    let LogSecrets { keys: [k_index, k_detail, head_key], nonces: [n0, n1, n2] } = secrets;
    Stmt::new(PUT_LOG)
        .text(spec.tenant.as_str())
        .text(row)
        .text(spec.kind.as_str())
        .text(&spec.origin)
        .blob(seal("k_index", *n0, k_index.expose()))
        .blob(seal("k_detail", *n1, k_detail.expose()))
        .blob(seal("head_key", *n2, head_key.expose()))
        .with_effect(Effect::ChangesLogs)
}

/// Fresh randomness for a new log.
pub(crate) struct LogSecrets {
    pub(crate) keys: [Secret<[u8; 32]>; 3],
    pub(crate) nonces: [[u8; 12]; 3],
}

impl LogSecrets {
    /// From the generator of key material, not from a request's entropy.
    pub(crate) fn new() -> LogSecrets {
        LogSecrets {
            keys: std::array::from_fn(|_| Secret::new(random::array())),
            nonces: std::array::from_fn(|_| random::array()),
        }
    }
}

/// Which tenant a row of a log is of, so that its KEK can be found.
pub(crate) fn tenant_of(row: &Row) -> Result<TenantId, StoreFault> {
    TenantId::parse(&row.text(1)?).ok_or(StoreFault::Column { index: 1, wanted: "a tenant id" })
}

/// Which version of the `data` KEK seals a log's keys.
pub(crate) fn kek_version_of(row: &Row) -> Result<u32, StoreFault> {
    cipher::version_of(&row.blob(3)?).ok_or(StoreFault::Sealed { place: "store_log.k_index".to_owned() })
}

/// Opens the row of a log.
pub(crate) fn opened(row: &Row, kek: &Kek) -> Result<LogKeys, StoreFault> {
    let (log_id, tenant) = (row.text(0)?, tenant_of(row)?);
    let open = |index: usize, column: &'static str| {
        let field = Field { table: "store_log", column, row: &log_id };
        let plain = cipher::open(kek, &tenant, field, &row.blob(index)?)?;
        let key = plain.expose().as_slice().try_into().map_err(|_| field.fault())?;
        Ok::<_, StoreFault>(Secret::new(key))
    };
    let (k_index, k_detail, head_key) = (open(3, "k_index")?, open(4, "k_detail")?, open(5, "head_key")?);
    let id = LogId::parse(&log_id).ok_or(StoreFault::Column { index: 0, wanted: "a log id" })?;
    Ok(LogKeys { origin: row.text(2)?, id, k_index, k_detail, head_key, tenant })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_made_of_host_and_id() {
        let tenant = TenantId::parse("ten_00000000000000000000000001").unwrap();
        let spec = LogSpec::of("tessera.example", &tenant);
        assert_eq!(spec.origin, "tessera.example/log/t/ten_00000000000000000000000001");
        assert_eq!(LogSpec::of("tessera.example", &TenantId::SYSTEM).origin, "tessera.example/log/house");
        assert_eq!(LogSpec::system("tessera.example").origin, "tessera.example/log/system");
        assert_eq!(LogId::parse(spec.id.as_str()), Some(spec.id));
    }

    #[test]
    fn strange_log_ids_are_refused() {
        for text in ["", "/", "t/", "/t", "t//a", "../a", "t/A", "t/a.b", "t/é", &"a".repeat(65)] {
            assert_eq!(LogId::parse(text), None, "{text}");
        }
    }
}
