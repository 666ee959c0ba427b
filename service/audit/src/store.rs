//! All SQL of the room. Every statement of a tenant's log runs under a `Ctx` of that tenant.

use ::store::{Ctx, EventId, LogId, Migrations, Row, Stmt, Store, StoreFault, TenantId};
use jiff::Timestamp;
use tlog::merkle::Hash;
use tlog::note::VerifierKey;
use tlog::tile::{FullTile, TILE_WIDTH, decode_hashes, encode_hashes};

/// The tables of this room.
pub const MIGRATIONS: Migrations = Migrations {
    room: "audit",
    list: &[
        ("0001_tree.sql", include_str!("migrations/0001_tree.sql")),
        ("0002_field.sql", include_str!("migrations/0002_field.sql")),
    ],
};

/// Every statement of this room, so that one test tries each on PostgreSQL.
pub const STATEMENTS: &[&str] = &[
    LOGS,
    LOG,
    PUT_LOG,
    ADVANCE,
    PUT_ENTRY,
    ENTRIES,
    ENTRY_COUNT,
    INDEX_OF,
    PUT_FIELD,
    INDEX_OF_FIELD,
    PUT_TILE,
    TILES,
    TILE_COUNT,
    PUT_CHECKPOINT,
    PRUNE_CHECKPOINTS,
    LATEST_CHECKPOINT,
    CHECKPOINTS,
    PUT_TOKEN,
    TOKENS,
    TOKEN,
    TOKEN_BY_HASH,
    REVOKE_TOKEN,
    EXPIRE_TOKENS,
];

/// Logs read at once at a start.
const LOGS_PAGE: usize = 1_000;

/// Checkpoints kept beside the newest, for those who ask for the last minutes; anybody who needs an older one has kept it.
const CHECKPOINTS_KEPT: i64 = 256;

/// Days that an ended token stays in the list.
const TOKEN_KEPT_MS: i64 = 30 * 86_400_000;

const LOGS: &str = "SELECT tenant_id, log_id, origin, public, epoch, size, root, vkeys FROM audit_log
     WHERE log_id > $1 ORDER BY log_id";
const LOG: &str =
    "SELECT tenant_id, log_id, origin, public, epoch, size, root, vkeys FROM audit_log WHERE log_id = $1";
const PUT_LOG: &str =
    "INSERT INTO audit_log (tenant_id, log_id, origin, public, epoch, state, size, root, vkeys, created_at_ms)
     VALUES (:tenant, $1, $2, $3, 1, 'open', 0, $4, $5, :now) ON CONFLICT DO NOTHING";
const ADVANCE: &str = "UPDATE audit_log SET size = $4, root = $5
     WHERE tenant_id = :tenant AND log_id = $1 AND size = $2 AND root = $3 AND state = 'open'";
const PUT_ENTRY: &str =
    "INSERT INTO audit_entry (tenant_id, log_id, idx, event_id, leaf) VALUES (:tenant, $1, $2, $3, $4)";
const ENTRIES: &str = "SELECT idx, leaf FROM audit_entry
     WHERE tenant_id = :tenant AND log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";
const ENTRY_COUNT: &str =
    "SELECT COALESCE(MAX(idx) + 1, 0) FROM audit_entry WHERE tenant_id = :tenant AND log_id = $1";
const INDEX_OF: &str =
    "SELECT idx, leaf FROM audit_entry WHERE event_id = $1 AND log_id = $2 AND tenant_id = :tenant";
const PUT_FIELD: &str = "INSERT INTO audit_field (tenant_id, log_id, field, idx) VALUES (:tenant, $1, $2, $3) ON CONFLICT DO NOTHING";
const INDEX_OF_FIELD: &str =
    "SELECT idx FROM audit_field WHERE tenant_id = :tenant AND log_id = $1 AND field = $2";
const PUT_TILE: &str =
    "INSERT INTO audit_tile (tenant_id, log_id, level, n, hashes) VALUES (:tenant, $1, $2, $3, $4)";
const TILES: &str = "SELECT n, hashes FROM audit_tile
     WHERE tenant_id = :tenant AND log_id = $1 AND level = $2 AND n >= $3 AND n < $4 ORDER BY n";
const TILE_COUNT: &str = "SELECT COALESCE(MAX(n) + 1, 0) FROM audit_tile
     WHERE tenant_id = :tenant AND log_id = $1 AND level = $2";
const PUT_CHECKPOINT: &str =
    "INSERT INTO audit_checkpoint (tenant_id, log_id, size, root, signed_at_ms, note)
     VALUES (:tenant, $1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
const PRUNE_CHECKPOINTS: &str =
    "DELETE FROM audit_checkpoint WHERE tenant_id = :tenant AND log_id = $1 AND size <
     (SELECT MIN(size) FROM (SELECT size FROM audit_checkpoint WHERE tenant_id = :tenant AND log_id = $1
                             ORDER BY size DESC LIMIT $2) AS kept)";
const LATEST_CHECKPOINT: &str = "SELECT size, root, signed_at_ms, note FROM audit_checkpoint
     WHERE tenant_id = :tenant AND log_id = $1 ORDER BY size DESC LIMIT 1";
const CHECKPOINTS: &str = "SELECT size, root, signed_at_ms, note FROM audit_checkpoint
     WHERE tenant_id = :tenant AND log_id = $1 AND size < $2 ORDER BY size DESC";
const PUT_TOKEN: &str =
    "INSERT INTO audit_token (tenant_id, token_id, log_id, name, sha256, created_at_ms, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, :now, $5)";
const TOKENS: &str =
    "SELECT token_id, log_id, name, created_at_ms, expires_at_ms, revoked_at_ms FROM audit_token
     WHERE tenant_id = :tenant AND (created_at_ms > $1 OR (created_at_ms = $1 AND token_id > $2))
     ORDER BY created_at_ms, token_id";
const TOKEN: &str =
    "SELECT token_id, log_id, name, created_at_ms, expires_at_ms, revoked_at_ms FROM audit_token
     WHERE tenant_id = :tenant AND token_id = $1";
const TOKEN_BY_HASH: &str = "SELECT log_id FROM audit_token
     WHERE sha256 = $1 AND revoked_at_ms IS NULL AND expires_at_ms > :now";
const REVOKE_TOKEN: &str = "UPDATE audit_token SET revoked_at_ms = :now
     WHERE tenant_id = :tenant AND token_id = $1 AND revoked_at_ms IS NULL AND expires_at_ms > :now";
const EXPIRE_TOKENS: &str = "DELETE FROM audit_token WHERE expires_at_ms < $1 OR revoked_at_ms < $1";

/// A log as its row has it.
#[derive(Clone, Debug)]
pub(crate) struct LogRow {
    pub(crate) tenant: TenantId,
    pub(crate) id: LogId,
    pub(crate) origin: String,
    pub(crate) public: bool,
    pub(crate) epoch: i64,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) vkeys: Vec<VerifierKey>,
}

/// An entry of the tree.
#[derive(Clone, Debug)]
pub(crate) struct EntryRow {
    pub(crate) index: u64,
    pub(crate) leaf: Vec<u8>,
}

/// A signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointRow {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) signed_at_ms: i64,
    pub(crate) note: Vec<u8>,
}

/// A log token without its secret.
#[derive(Clone, Debug)]
pub(crate) struct TokenRow {
    pub(crate) id: String,
    pub(crate) log: LogId,
    pub(crate) name: String,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: i64,
    pub(crate) revoked_at_ms: Option<i64>,
}

/// Every log of the instance, by id.
pub(crate) async fn logs(store: &Store, ctx: &Ctx) -> Result<Vec<LogRow>, StoreFault> {
    let mut logs: Vec<LogRow> = Vec::new();
    loop {
        let after = logs.last().map_or("", |log| log.id.as_str());
        let rows = store.read(ctx).many(Stmt::new(LOGS).text(after), LOGS_PAGE).await?;
        for row in &rows {
            logs.push(log_row(row)?);
        }
        if rows.len() < LOGS_PAGE {
            return Ok(logs);
        }
    }
}

/// One log.
pub(crate) async fn log(store: &Store, ctx: &Ctx, id: &LogId) -> Result<Option<LogRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(LOG).text(id.as_str())).await?.as_ref().map(log_row).transpose()
}

/// The row of a new log; does nothing if it is there.
pub(crate) fn put_log(id: &LogId, origin: &str, public: bool, root: &Hash, vkeys: &[VerifierKey]) -> Stmt {
    let vkeys: Vec<String> = vkeys.iter().map(ToString::to_string).collect();
    Stmt::new(PUT_LOG).text(id.as_str()).text(origin).bool(public).blob(*root).text(vkeys.join("\n"))
}

/// Moves the head of a tree; touches no row unless size and root are what the sequencer started from.
pub(crate) fn advance(id: &LogId, from: (u64, &Hash), to: (u64, &Hash)) -> Stmt {
    Stmt::new(ADVANCE).text(id.as_str()).int(from.0 as i64).blob(*from.1).int(to.0 as i64).blob(*to.1)
}

/// Where an entry stands that shows a salted field.
pub(crate) fn put_field(id: &LogId, field: &[u8; 32], index: u64) -> Stmt {
    Stmt::new(PUT_FIELD).text(id.to_string()).blob(*field).int(index as i64)
}

/// The index of the entry that shows this salted field.
pub(crate) async fn index_of_field(
    store: &Store,
    ctx: &Ctx,
    id: &LogId,
    field: &[u8; 32],
) -> Result<Option<u64>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(INDEX_OF_FIELD).text(id.to_string()).blob(*field)).await?;
    row.map(|row| row.int(0).map(i64::unsigned_abs)).transpose()
}

/// Appends an entry.
pub(crate) fn put_entry(id: &LogId, index: u64, event_id: &EventId, leaf: Vec<u8>) -> Stmt {
    Stmt::new(PUT_ENTRY).text(id.as_str()).int(index as i64).blob(*event_id.bytes()).blob(leaf)
}

/// Appends a full tile.
pub(crate) fn put_tile(id: &LogId, tile: &FullTile) -> Stmt {
    let stmt = Stmt::new(PUT_TILE).text(id.as_str()).int(i64::from(tile.level)).int(tile.n as i64);
    stmt.blob(encode_hashes(&tile.hashes))
}

/// Entries `from..to`, in order; fewer if some are missing.
pub(crate) async fn entries(
    store: &Store,
    ctx: &Ctx,
    id: &LogId,
    range: std::ops::Range<u64>,
) -> Result<Vec<EntryRow>, StoreFault> {
    let limit = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let stmt = Stmt::new(ENTRIES).text(id.as_str()).int(range.start as i64).int(range.end as i64);
    let rows = store.read(ctx).many(stmt, limit).await?;
    rows.iter().map(|row| Ok(EntryRow { index: unsigned(row, 0)?, leaf: row.blob(1)? })).collect()
}

/// One more than the highest index in the entries.
pub(crate) async fn entry_count(store: &Store, ctx: &Ctx, id: &LogId) -> Result<u64, StoreFault> {
    count(store, ctx, Stmt::new(ENTRY_COUNT).text(id.as_str())).await
}

/// Index and leaf of an event of this log; `None` while it is not in the tree.
pub(crate) async fn index_of(
    store: &Store,
    ctx: &Ctx,
    id: &LogId,
    event_id: &EventId,
) -> Result<Option<(u64, Vec<u8>)>, StoreFault> {
    let stmt = Stmt::new(INDEX_OF).blob(*event_id.bytes()).text(id.as_str());
    let row = store.read(ctx).one(stmt).await?;
    row.map(|row| Ok((unsigned(&row, 0)?, row.blob(1)?))).transpose()
}

/// Full tiles `from..to` of a level, in order; fewer if some are missing or have another length than a full tile.
pub(crate) async fn tiles(
    store: &Store,
    ctx: &Ctx,
    id: &LogId,
    level: u8,
    range: std::ops::Range<u64>,
) -> Result<Vec<(u64, Vec<Hash>)>, StoreFault> {
    let limit = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let stmt = Stmt::new(TILES).text(id.as_str()).int(i64::from(level));
    let stmt = stmt.int(range.start as i64).int(range.end as i64);
    let rows = store.read(ctx).many(stmt, limit).await?;
    let mut tiles = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(hashes) = decode_hashes(&row.blob(1)?, TILE_WIDTH) {
            tiles.push((unsigned(row, 0)?, hashes));
        }
    }
    Ok(tiles)
}

/// One more than the highest number among the full tiles of a level.
pub(crate) async fn tile_count(store: &Store, ctx: &Ctx, id: &LogId, level: u8) -> Result<u64, StoreFault> {
    count(store, ctx, Stmt::new(TILE_COUNT).text(id.as_str()).int(i64::from(level))).await
}

/// The row of a signed checkpoint; does nothing if this size was signed before.
pub(crate) fn put_checkpoint(id: &LogId, row: &CheckpointRow) -> Stmt {
    let stmt = Stmt::new(PUT_CHECKPOINT).text(id.as_str()).int(row.size as i64).blob(row.root);
    stmt.int(row.signed_at_ms).blob(row.note.as_slice())
}

/// Forgets checkpoints older than the kept ones.
pub(crate) fn prune_checkpoints(id: &LogId) -> Stmt {
    Stmt::new(PRUNE_CHECKPOINTS).text(id.as_str()).int(CHECKPOINTS_KEPT)
}

/// The newest checkpoint, if one was signed.
pub(crate) async fn latest_checkpoint(
    store: &Store,
    ctx: &Ctx,
    id: &LogId,
) -> Result<Option<CheckpointRow>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(LATEST_CHECKPOINT).text(id.as_str())).await?;
    row.as_ref().map(checkpoint_row).transpose()
}

/// Checkpoints of less than `below` entries, newest first.
pub(crate) async fn checkpoints(
    store: &Store,
    ctx: &Ctx,
    id: &LogId,
    below: u64,
    limit: usize,
) -> Result<Vec<CheckpointRow>, StoreFault> {
    let stmt = Stmt::new(CHECKPOINTS).text(id.as_str()).int(i64::try_from(below).unwrap_or(i64::MAX));
    store.read(ctx).many(stmt, limit).await?.iter().map(checkpoint_row).collect()
}

/// The row of a new token.
pub(crate) fn put_token(id: &str, log: &LogId, name: &str, sha256: &Hash, expires_at_ms: i64) -> Stmt {
    Stmt::new(PUT_TOKEN).text(id).text(log.as_str()).text(name).blob(*sha256).int(expires_at_ms)
}

/// Tokens of the tenant behind (`created_at_ms`, id), oldest first.
pub(crate) async fn tokens(
    store: &Store,
    ctx: &Ctx,
    after: (i64, &str),
    limit: usize,
) -> Result<Vec<TokenRow>, StoreFault> {
    let stmt = Stmt::new(TOKENS).int(after.0).text(after.1);
    store.read(ctx).many(stmt, limit).await?.iter().map(token_row).collect()
}

/// One token of the tenant.
pub(crate) async fn token(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<TokenRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(TOKEN).text(id)).await?.as_ref().map(token_row).transpose()
}

/// Which log the token with this hash reads now; `None` if there is none, or it is revoked or expired.
pub(crate) async fn log_of_token(
    store: &Store,
    ctx: &Ctx,
    sha256: &Hash,
) -> Result<Option<LogId>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(TOKEN_BY_HASH).blob(*sha256)).await?;
    row.map(|row| log_id(&row, 0)).transpose()
}

/// Ends a token that has not ended yet; guarded, it touches one row or none.
pub(crate) fn revoke_token(id: &str) -> Stmt {
    Stmt::new(REVOKE_TOKEN).text(id)
}

/// Forgets tokens that ended long ago, of every tenant.
pub(crate) fn expire_tokens(now: Timestamp) -> Stmt {
    Stmt::new(EXPIRE_TOKENS).int(now.as_millisecond().saturating_sub(TOKEN_KEPT_MS))
}

fn log_row(row: &Row) -> Result<LogRow, StoreFault> {
    let vkeys = row.text(7)?;
    let vkeys = vkeys.lines().map(VerifierKey::parse).collect::<Result<_, _>>();
    Ok(LogRow {
        tenant: TenantId::parse(&row.text(0)?)
            .ok_or(StoreFault::Column { index: 0, wanted: "a tenant id" })?,
        id: log_id(row, 1)?,
        origin: row.text(2)?,
        public: row.bool(3)?,
        epoch: row.int(4)?,
        size: unsigned(row, 5)?,
        root: row.array(6)?,
        vkeys: vkeys.map_err(|_| StoreFault::Column { index: 7, wanted: "verifier keys" })?,
    })
}

fn checkpoint_row(row: &Row) -> Result<CheckpointRow, StoreFault> {
    Ok(CheckpointRow {
        size: unsigned(row, 0)?,
        root: row.array(1)?,
        signed_at_ms: row.int(2)?,
        note: row.blob(3)?,
    })
}

fn token_row(row: &Row) -> Result<TokenRow, StoreFault> {
    Ok(TokenRow {
        id: row.text(0)?,
        log: log_id(row, 1)?,
        name: row.text(2)?,
        created_at_ms: row.int(3)?,
        expires_at_ms: row.int(4)?,
        revoked_at_ms: row.opt_int(5)?,
    })
}

async fn count(store: &Store, ctx: &Ctx, stmt: Stmt) -> Result<u64, StoreFault> {
    store.read(ctx).one(stmt).await?.map_or(Ok(0), |row| unsigned(&row, 0))
}

fn log_id(row: &Row, index: usize) -> Result<LogId, StoreFault> {
    LogId::parse(&row.text(index)?).ok_or(StoreFault::Column { index, wanted: "a log id" })
}

fn unsigned(row: &Row, index: usize) -> Result<u64, StoreFault> {
    u64::try_from(row.int(index)?).map_err(|_| StoreFault::Column { index, wanted: "a number from 0" })
}
