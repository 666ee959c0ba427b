//! All SQL of the room.

use crypto::key::{KeyAlg, PublicKey};
use jiff::Timestamp;
use store::{Ctx, Migrations, Row, Stmt, Store, StoreFault};

use crate::anchor::{Anchor, Contexts};
use crate::chain::{Chain, LeafNames};
use crate::envelope::KeeperKind;
use crate::key::{Key, KeyFilter, Owner, Page, Version};
use crate::rotation::{ChainKind, Policy};
use crate::state::State;
use crate::trust_list::KnownList;
use crate::usage::Uses;

/// The room's migrations.
pub const MIGRATIONS: Migrations = Migrations {
    room: "custody",
    list: &[
        ("0001_keys.sql", include_str!("migrations/0001_keys.sql")),
        ("0002_trust_lists.sql", include_str!("migrations/0002_trust_lists.sql")),
    ],
};

/// Versions of one key that are read: the newest; older ones are destroyed and published no more.
const VERSIONS_MAX: usize = 256;

/// Versions that one key set lists: far above what a tenant publishes; whoever reads sets takes 64.
const PUBLISHED_MAX: usize = 1_000;

/// Keys that the job reads at a time.
pub(crate) const KEYS_PAGE_ROWS: usize = 200;

/// Anchors of one tenant.
pub(crate) const ANCHORS_MAX: usize = 1_000;

/// Lists of trusted entities of one tenant: each may bring a thousand anchors.
pub(crate) const TRUST_LISTS_MAX: usize = 16;

macro_rules! list_columns {
    () => {
        "list_id, uri, types, signed, sha256, sequence, anchor_sha256, imported_at_ms, checked_at_ms, fault"
    };
}

macro_rules! key_columns {
    () => {
        "k.key_id, k.slot, k.label, k.owner, k.alg, k.keeper, k.uses, k.chain_kind, k.names, k.rotate_every_s,
         k.publish_ahead_s, k.max_uses, k.keep_public_s, k.destroy_after_s, k.in_use, k.last_version, k.state,
         k.revision, k.created_at_ms"
    };
}

macro_rules! version_columns {
    () => {
        "v.version, v.kid, v.state, v.public, v.chain, v.chain_from_ms, v.chain_until_ms, v.uses, v.longest_life_s,
         v.created_at_ms, v.activate_at_ms, v.activated_at_ms, v.retired_at_ms, v.keep_public_until_ms,
         v.destroy_at_ms, v.blocked_at_ms, v.warned_days"
    };
}

/// Columns of [`key_columns`], so that a joined version begins behind them.
const KEY_WIDTH: usize = 19;
/// Columns of [`version_columns`].
const VERSION_WIDTH: usize = 17;

const PUT_KEY: &str = "INSERT INTO custody_key (tenant_id, key_id, slot, label, owner, alg, keeper, uses, chain_kind, names,
     rotate_every_s, publish_ahead_s, max_uses, keep_public_s, destroy_after_s, in_use, last_version, state, revision, created_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1, 1, 'active', 1, :now)
     ON CONFLICT DO NOTHING";
const PUT_VERSION: &str = "INSERT INTO custody_key_version (tenant_id, key_id, version, kid, state, public, sealed, kek_version,
     chain, chain_from_ms, chain_until_ms, uses, longest_life_s, created_at_ms, activate_at_ms, activated_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, :now, $11, $12) ON CONFLICT DO NOTHING";
const KEY_BY_ID: &str =
    concat!("SELECT ", key_columns!(), " FROM custody_key k WHERE k.tenant_id = :tenant AND k.key_id = $1");
const KEY_BY_SLOT: &str =
    concat!("SELECT ", key_columns!(), " FROM custody_key k WHERE k.tenant_id = :tenant AND k.slot = $1");
const KEYS_PAGE: &str = concat!(
    "SELECT ",
    key_columns!(),
    " FROM custody_key k WHERE k.tenant_id = :tenant AND ($1 = '' OR k.state = $1) AND ($2 = '' OR k.alg = $2)
     AND ($3 = '' OR k.label = $3) AND (k.created_at_ms > $4 OR (k.created_at_ms = $4 AND k.key_id > $5))
     ORDER BY k.created_at_ms, k.key_id"
);
const VERSIONS: &str = concat!(
    "SELECT ",
    version_columns!(),
    " FROM custody_key_version v WHERE v.tenant_id = :tenant AND v.key_id = $1 ORDER BY v.version DESC"
);
const SIGNER_BY_SLOT: &str = concat!(
    "SELECT ",
    key_columns!(),
    ", ",
    version_columns!(),
    ", v.sealed FROM custody_key k
     JOIN custody_key_version v ON v.tenant_id = k.tenant_id AND v.key_id = k.key_id AND v.version = k.in_use
     WHERE k.tenant_id = :tenant AND k.slot = $1"
);
const SIGNER_BY_ID: &str = concat!(
    "SELECT ",
    key_columns!(),
    ", ",
    version_columns!(),
    ", v.sealed FROM custody_key k
     JOIN custody_key_version v ON v.tenant_id = k.tenant_id AND v.key_id = k.key_id AND v.version = k.in_use
     WHERE k.tenant_id = :tenant AND k.key_id = $1"
);
const SEALED: &str =
    "SELECT sealed FROM custody_key_version WHERE tenant_id = :tenant AND key_id = $1 AND version = $2";
const MOVE_KEY: &str = "UPDATE custody_key SET in_use = $3, last_version = $4, state = $5, chain_kind = $6, revision = revision + 1
     WHERE tenant_id = :tenant AND key_id = $1 AND revision = $2";
const CHANGE_KEY: &str =
    "UPDATE custody_key SET label = $3, rotate_every_s = $4, publish_ahead_s = $5, max_uses = $6,
     keep_public_s = $7, destroy_after_s = $8, revision = revision + 1
     WHERE tenant_id = :tenant AND key_id = $1 AND revision = $2";
const MOVE_VERSION: &str = "UPDATE custody_key_version SET state = $3, activate_at_ms = $4, activated_at_ms = $5, retired_at_ms = $6,
     keep_public_until_ms = $7, destroy_at_ms = $8, blocked_at_ms = $9
     WHERE tenant_id = :tenant AND key_id = $1 AND version = $2";
const ERASE_SEALED: &str =
    "UPDATE custody_key_version SET sealed = NULL WHERE tenant_id = :tenant AND key_id = $1 AND version = $2";
const PUT_CHAIN: &str = "UPDATE custody_key_version SET chain = $3, chain_from_ms = $4, chain_until_ms = $5, blocked_at_ms = NULL,
     warned_days = NULL WHERE tenant_id = :tenant AND key_id = $1 AND version = $2";
const WARN: &str = "UPDATE custody_key_version SET warned_days = $3 WHERE tenant_id = :tenant AND key_id = $1 AND version = $2";
const COUNT_USES: &str = "UPDATE custody_key_version SET uses = uses + $3
     WHERE tenant_id = :tenant AND key_id = $1 AND version = $2 AND state = 'active'";
const ADD_USES: &str = "UPDATE custody_key_version SET uses = uses + $3 WHERE tenant_id = :tenant AND key_id = $1 AND version = $2";
const RAISE_LIFE: &str = "UPDATE custody_key_version SET longest_life_s = $3
     WHERE tenant_id = :tenant AND key_id = $1 AND version = $2 AND state = 'active'";
const TOUCH_KEY: &str =
    "UPDATE custody_key SET revision = revision + 1 WHERE tenant_id = :tenant AND key_id = $1";
const PUBLISHED: &str = concat!(
    "SELECT ",
    key_columns!(),
    ", ",
    version_columns!(),
    " FROM custody_key k JOIN custody_key_version v ON v.tenant_id = k.tenant_id AND v.key_id = k.key_id
     WHERE k.tenant_id = :tenant AND (k.slot IS NULL OR k.slot NOT LIKE 'note:%') AND (v.state IN ('pending', 'active', 'frozen')
       OR (v.state IN ('retired', 'destroyed') AND v.keep_public_until_ms > :now))
     ORDER BY k.created_at_ms, k.key_id, v.version DESC"
);
const MOVING_KEYS: &str = concat!(
    "SELECT ",
    key_columns!(),
    " FROM custody_key k WHERE k.tenant_id = :tenant AND k.key_id > $1
     AND (k.slot IS NULL OR k.slot NOT LIKE 'note:%') ORDER BY k.key_id"
);
const WRAPPED: &str =
    "SELECT COUNT(*) FROM custody_key_version WHERE tenant_id = :tenant AND kek_version = $1";
const TENANTS_WITH_KEYS: &str =
    "SELECT DISTINCT tenant_id FROM custody_key WHERE tenant_id > $1 ORDER BY tenant_id";
const BLOCKED: &str =
    "SELECT COUNT(*) FROM custody_key_version WHERE blocked_at_ms IS NOT NULL AND state = 'pending'";

const PUT_ANCHOR: &str =
    "INSERT INTO custody_anchor (tenant_id, anchor_id, sha256, certificate, contexts, patterns, is_own,
     created_at_ms) VALUES (:tenant, $1, $2, $3, $4, $5, $6, :now) ON CONFLICT DO NOTHING";
const REMOVE_ANCHOR: &str =
    "DELETE FROM custody_anchor WHERE tenant_id = :tenant AND anchor_id = $1 AND is_own = 0";
const CHANGE_PATTERNS: &str =
    "UPDATE custody_anchor SET patterns = $3 WHERE tenant_id = :tenant AND anchor_id = $1 AND patterns = $2";
const ANCHORS: &str =
    "SELECT anchor_id, certificate, contexts, patterns, is_own, created_at_ms FROM custody_anchor
     WHERE tenant_id = :tenant ORDER BY created_at_ms, anchor_id";
const ANCHOR: &str =
    "SELECT anchor_id, certificate, contexts, patterns, is_own, created_at_ms FROM custody_anchor
     WHERE tenant_id = :tenant AND anchor_id = $1";

const PUT_TRUST_LIST: &str =
    "INSERT INTO custody_trust_list (tenant_id, list_id, uri, types, signed, sha256, sequence, anchor_sha256,
     imported_at_ms, checked_at_ms, fault, created_at_ms)
     SELECT :tenant, $1, $2, $3, $4, $5, $6, $7, :now, :now, NULL, :now
     WHERE (SELECT COUNT(*) FROM custody_trust_list WHERE tenant_id = :tenant) < $8 ON CONFLICT DO NOTHING";
const REPLACE_TRUST_LIST: &str =
    "UPDATE custody_trust_list SET signed = $2, sha256 = $3, sequence = $4, imported_at_ms = :now,
     checked_at_ms = :now, fault = NULL WHERE tenant_id = :tenant AND list_id = $1 AND sequence < $4";
const TRUST_LIST_CHECKED: &str = "UPDATE custody_trust_list SET checked_at_ms = :now, fault = $2 WHERE tenant_id = :tenant AND list_id = $1";
const REMOVE_TRUST_LIST: &str =
    "DELETE FROM custody_trust_list WHERE tenant_id = :tenant AND list_id = $1 AND sha256 = $2";
const TRUST_LISTS: &str = concat!(
    "SELECT ",
    list_columns!(),
    " FROM custody_trust_list WHERE tenant_id = :tenant ORDER BY created_at_ms, list_id"
);
const TRUST_LIST: &str = concat!(
    "SELECT ",
    list_columns!(),
    " FROM custody_trust_list WHERE tenant_id = :tenant AND list_id = $1"
);
const TENANTS_WITH_LISTS: &str = "SELECT DISTINCT tenant_id FROM custody_trust_list WHERE tenant_id > $1 AND uri IS NOT NULL ORDER BY tenant_id";

/// Every statement of the room, so that one test tries each on every engine.
pub const STATEMENTS: &[&str] = &[
    PUT_KEY,
    PUT_VERSION,
    KEY_BY_ID,
    KEY_BY_SLOT,
    KEYS_PAGE,
    VERSIONS,
    SIGNER_BY_SLOT,
    SIGNER_BY_ID,
    SEALED,
    MOVE_KEY,
    CHANGE_KEY,
    MOVE_VERSION,
    ERASE_SEALED,
    PUT_CHAIN,
    WARN,
    COUNT_USES,
    ADD_USES,
    RAISE_LIFE,
    TOUCH_KEY,
    PUBLISHED,
    MOVING_KEYS,
    WRAPPED,
    TENANTS_WITH_KEYS,
    BLOCKED,
    PUT_ANCHOR,
    REMOVE_ANCHOR,
    CHANGE_PATTERNS,
    ANCHORS,
    ANCHOR,
    PUT_TRUST_LIST,
    REPLACE_TRUST_LIST,
    TRUST_LIST_CHECKED,
    REMOVE_TRUST_LIST,
    TRUST_LISTS,
    TRUST_LIST,
    TENANTS_WITH_LISTS,
];

/// A version that is to be written for the first time.
pub(crate) struct NewVersion<'a> {
    pub(crate) version: &'a Version,
    pub(crate) sealed: Vec<u8>,
    pub(crate) kek_version: u32,
}

/// The row that signs: a key, its version in use, and the blob.
pub(crate) struct Signer {
    pub(crate) key: Key,
    pub(crate) version: Version,
    pub(crate) sealed: Option<Vec<u8>>,
}

pub(crate) fn put_key(key: &Key) -> Stmt {
    Stmt::new(PUT_KEY)
        .text(&key.id)
        .opt_text(key.slot.as_deref())
        .text(&key.label)
        .text(key.owner.as_str())
        .text(key.alg.as_str())
        .text(key.keeper.as_str())
        .text(key.uses.to_text())
        .text(chain_word(key.chain_kind))
        .opt_blob(key.names.as_ref().map(LeafNames::to_bytes))
        .int(integer(key.policy.rotate_every_s))
        .int(integer(key.policy.publish_ahead_s))
        .int(integer(key.policy.max_uses))
        .int(integer(key.policy.keep_public_s))
        .int(integer(key.policy.destroy_after_s))
}

pub(crate) fn put_version(key_id: &str, new: NewVersion<'_>) -> Stmt {
    let NewVersion { version, sealed, kek_version } = new;
    let chain = version.chain.as_ref();
    Stmt::new(PUT_VERSION)
        .text(key_id)
        .int(version.number.into())
        .text(&version.kid)
        .text(version.state.as_str())
        .blob(version.public.spki_der())
        .blob(sealed)
        .int(kek_version.into())
        .opt_blob(chain.map(Chain::to_bytes))
        .opt_int(chain.map(|chain| chain.from.as_millisecond()))
        .opt_int(chain.map(|chain| chain.until.as_millisecond()))
        .opt_int(version.activate_at.map(Timestamp::as_millisecond))
        .opt_int(version.activated_at.map(Timestamp::as_millisecond))
}

/// The key with its newest versions.
pub(crate) async fn key(store: &Store, ctx: &Ctx, key_id: &str) -> Result<Option<Key>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(KEY_BY_ID).text(key_id)).await?;
    with_versions(store, ctx, row).await
}

/// The key of a slot with its newest versions.
pub(crate) async fn key_of_slot(store: &Store, ctx: &Ctx, slot: &str) -> Result<Option<Key>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(KEY_BY_SLOT).text(slot)).await?;
    with_versions(store, ctx, row).await
}

async fn with_versions(store: &Store, ctx: &Ctx, row: Option<Row>) -> Result<Option<Key>, StoreFault> {
    let Some(row) = row else { return Ok(None) };
    let mut key = key_of_row(&row)?;
    key.versions = versions(store, ctx, &key.id).await?;
    Ok(Some(key))
}

async fn versions(store: &Store, ctx: &Ctx, key_id: &str) -> Result<Vec<Version>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(VERSIONS).text(key_id), VERSIONS_MAX).await?;
    rows.iter().map(|row| version_of_row(row, 0)).collect()
}

/// One page of keys, oldest first, with their versions.
pub(crate) async fn keys(
    store: &Store,
    ctx: &Ctx,
    filter: &KeyFilter,
    page: &Page,
) -> Result<Vec<Key>, StoreFault> {
    let (after_ms, after_id) = page.after.as_ref().map_or((i64::MIN, ""), |(at, id)| (*at, id.as_str()));
    let stmt = Stmt::new(KEYS_PAGE)
        .text(filter.state.map_or("", State::as_str))
        .text(filter.alg.map_or("", KeyAlg::as_str))
        .text(filter.label.as_deref().unwrap_or(""))
        .int(after_ms)
        .text(after_id);
    let mut keys = Vec::new();
    for row in store.read(ctx).many(stmt, page.limit).await? {
        let mut key = key_of_row(&row)?;
        key.versions = versions(store, ctx, &key.id).await?;
        keys.push(key);
    }
    Ok(keys)
}

/// Keys of the tenant with their versions, by id behind `after`: what the job walks over. Keys of logs are not moved, so they are
/// left out; the system tenant has two for each log.
pub(crate) async fn moving_keys(store: &Store, ctx: &Ctx, after: &str) -> Result<Vec<Key>, StoreFault> {
    let mut keys = Vec::new();
    for row in store.read(ctx).many(Stmt::new(MOVING_KEYS).text(after), KEYS_PAGE_ROWS).await? {
        let mut key = key_of_row(&row)?;
        key.versions = versions(store, ctx, &key.id).await?;
        keys.push(key);
    }
    Ok(keys)
}

pub(crate) async fn signer_of_slot(
    store: &Store,
    ctx: &Ctx,
    slot: &str,
) -> Result<Option<Signer>, StoreFault> {
    store.read(ctx).one(Stmt::new(SIGNER_BY_SLOT).text(slot)).await?.as_ref().map(signer_of_row).transpose()
}

pub(crate) async fn signer(store: &Store, ctx: &Ctx, key_id: &str) -> Result<Option<Signer>, StoreFault> {
    store.read(ctx).one(Stmt::new(SIGNER_BY_ID).text(key_id)).await?.as_ref().map(signer_of_row).transpose()
}

/// The blob of a version, whatever its state.
pub(crate) async fn sealed(
    store: &Store,
    ctx: &Ctx,
    key_id: &str,
    version: u32,
) -> Result<Option<Vec<u8>>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(SEALED).text(key_id).int(version.into())).await?;
    row.map_or(Ok(None), |row| row.opt_blob(0))
}

/// The one statement that decides between two who would move a key: it must find the revision that was read.
pub(crate) fn move_key(key: &Key, read_revision: i64) -> Stmt {
    Stmt::new(MOVE_KEY)
        .text(&key.id)
        .int(read_revision)
        .int(key.in_use.map_or(0, i64::from))
        .int(key.last_version.into())
        .text(key.state().as_str())
        .text(chain_word(key.chain_kind))
}

pub(crate) fn change_key(key: &Key, read_revision: i64) -> Stmt {
    Stmt::new(CHANGE_KEY)
        .text(&key.id)
        .int(read_revision)
        .text(&key.label)
        .int(integer(key.policy.rotate_every_s))
        .int(integer(key.policy.publish_ahead_s))
        .int(integer(key.policy.max_uses))
        .int(integer(key.policy.keep_public_s))
        .int(integer(key.policy.destroy_after_s))
}

pub(crate) fn move_version(key_id: &str, version: &Version) -> Stmt {
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    Stmt::new(MOVE_VERSION)
        .text(key_id)
        .int(version.number.into())
        .text(version.state.as_str())
        .opt_int(ms(version.activate_at))
        .opt_int(ms(version.activated_at))
        .opt_int(ms(version.retired_at))
        .opt_int(ms(version.keep_public_until))
        .opt_int(ms(version.destroy_at))
        .opt_int(ms(version.blocked_at))
}

pub(crate) fn erase_sealed(key_id: &str, version: u32) -> Stmt {
    Stmt::new(ERASE_SEALED).text(key_id).int(version.into())
}

pub(crate) fn put_chain(key_id: &str, version: u32, chain: &Chain) -> Stmt {
    Stmt::new(PUT_CHAIN)
        .text(key_id)
        .int(version.into())
        .blob(chain.to_bytes())
        .int(chain.from.as_millisecond())
        .int(chain.until.as_millisecond())
}

/// Remembers for how many days left the end of a version's chain was told.
pub(crate) fn warn(key_id: &str, version: u32, days: i64) -> Stmt {
    Stmt::new(WARN).text(key_id).int(version.into()).int(days)
}

/// Counts signatures, if the version still signs: the guard of a unit that releases them.
pub(crate) fn count_uses(key_id: &str, version: u32, count: u32) -> Stmt {
    Stmt::new(COUNT_USES).text(key_id).int(version.into()).int(count.into())
}

/// Counts signatures that rooms made, whatever became of the version since.
pub(crate) fn add_uses(key_id: &str, version: u32, count: u64) -> Stmt {
    Stmt::new(ADD_USES).text(key_id).int(version.into()).int(integer(count))
}

pub(crate) fn raise_life(key_id: &str, version: u32, life_s: u64) -> Stmt {
    Stmt::new(RAISE_LIFE).text(key_id).int(version.into()).int(integer(life_s))
}

/// Makes whoever read the key before lose its guard.
pub(crate) fn touch_key(key_id: &str) -> Stmt {
    Stmt::new(TOUCH_KEY).text(key_id)
}

/// Keys with those versions whose public part stands in the JWKS at `ctx.now`, newest version first.
pub(crate) async fn published(store: &Store, ctx: &Ctx) -> Result<Vec<(Key, Version)>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(PUBLISHED), PUBLISHED_MAX).await?;
    rows.iter().map(|row| Ok((key_of_row(row)?, version_of_row(row, KEY_WIDTH)?))).collect()
}

/// How many private parts a KEK has wrapped.
pub(crate) async fn wrapped(store: &Store, ctx: &Ctx, kek_version: u32) -> Result<u64, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(WRAPPED).int(kek_version.into())).await?;
    row.map_or(Ok(0), |row| count(&row, 0))
}

/// Tenants that have keys, after `after`, in order: the walk of the job.
pub(crate) async fn tenants_with_keys(
    store: &Store,
    ctx: &Ctx,
    after: &str,
    limit: usize,
) -> Result<Vec<String>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(TENANTS_WITH_KEYS).text(after), limit).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Versions of the whole instance whose rotation waits for an outside certificate.
pub(crate) async fn blocked(store: &Store, ctx: &Ctx) -> Result<u64, StoreFault> {
    store.read(ctx).one(Stmt::new(BLOCKED)).await?.map_or(Ok(0), |row| count(&row, 0))
}

pub(crate) fn put_anchor(anchor: &Anchor) -> Stmt {
    Stmt::new(PUT_ANCHOR)
        .text(&anchor.id)
        .blob(anchor.certificate.sha256())
        .blob(anchor.certificate.der())
        .text(anchor.contexts.to_text())
        .text(anchor.patterns.join(" "))
        .bool(anchor.is_own)
}

pub(crate) fn remove_anchor(anchor_id: &str) -> Stmt {
    Stmt::new(REMOVE_ANCHOR).text(anchor_id)
}

/// Gives an anchor other patterns, if it still has those that were read.
pub(crate) fn change_patterns(anchor: &Anchor, before: &str) -> Stmt {
    Stmt::new(CHANGE_PATTERNS).text(&anchor.id).text(before).text(anchor.patterns.join(" "))
}

pub(crate) async fn anchors(store: &Store, ctx: &Ctx) -> Result<Vec<Anchor>, StoreFault> {
    anchor_rows(store, ctx).await?.iter().map(anchor_of_row).collect()
}

/// The rows of [`anchors`], for [`anchor_of_row`].
pub(crate) async fn anchor_rows(store: &Store, ctx: &Ctx) -> Result<Vec<Row>, StoreFault> {
    store.read(ctx).many(Stmt::new(ANCHORS), ANCHORS_MAX).await
}

pub(crate) async fn anchor(store: &Store, ctx: &Ctx, anchor_id: &str) -> Result<Option<Anchor>, StoreFault> {
    store.read(ctx).one(Stmt::new(ANCHOR).text(anchor_id)).await?.as_ref().map(anchor_of_row).transpose()
}

pub(crate) fn put_trust_list(list: &KnownList) -> Stmt {
    Stmt::new(PUT_TRUST_LIST)
        .text(&list.id)
        .opt_text(list.uri.as_deref())
        .text(list.types.join(" "))
        .text(&list.signed)
        .blob(list.sha256)
        .int(list.sequence as i64)
        .blob(list.anchor_sha256)
        .int(TRUST_LISTS_MAX as i64)
}

/// Puts a newer release in the place of the one that stands.
pub(crate) fn replace_trust_list(list: &KnownList) -> Stmt {
    Stmt::new(REPLACE_TRUST_LIST)
        .text(&list.id)
        .text(&list.signed)
        .blob(list.sha256)
        .int(list.sequence as i64)
}

pub(crate) fn trust_list_checked(list_id: &str, fault: Option<&str>) -> Stmt {
    Stmt::new(TRUST_LIST_CHECKED).text(list_id).opt_text(fault)
}

/// Removes a list, if it still is the release that was read.
pub(crate) fn remove_trust_list(list: &KnownList) -> Stmt {
    Stmt::new(REMOVE_TRUST_LIST).text(&list.id).blob(list.sha256)
}

pub(crate) async fn trust_lists(store: &Store, ctx: &Ctx) -> Result<Vec<KnownList>, StoreFault> {
    store.read(ctx).many(Stmt::new(TRUST_LISTS), TRUST_LISTS_MAX).await?.iter().map(list_of_row).collect()
}

pub(crate) async fn trust_list(
    store: &Store,
    ctx: &Ctx,
    list_id: &str,
) -> Result<Option<KnownList>, StoreFault> {
    store.read(ctx).one(Stmt::new(TRUST_LIST).text(list_id)).await?.as_ref().map(list_of_row).transpose()
}

pub(crate) async fn tenants_with_lists(
    store: &Store,
    ctx: &Ctx,
    after: &str,
    limit: usize,
) -> Result<Vec<String>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(TENANTS_WITH_LISTS).text(after), limit).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

pub(crate) fn list_of_row(row: &Row) -> Result<KnownList, StoreFault> {
    let digest =
        |index| row.blob(index)?.try_into().map_err(|_| StoreFault::Column { index, wanted: "a SHA-256" });
    Ok(KnownList {
        id: row.text(0)?,
        uri: row.opt_text(1)?,
        types: row.text(2)?.split_ascii_whitespace().map(str::to_owned).collect(),
        signed: row.text(3)?,
        sha256: digest(4)?,
        sequence: count(row, 5)?,
        anchor_sha256: digest(6)?,
        imported_at: time(row, 7)?,
        checked_at: time(row, 8)?,
        fault: row.opt_text(9)?,
    })
}

pub(crate) fn anchor_of_row(row: &Row) -> Result<Anchor, StoreFault> {
    let certificate = crypto::x509::Certificate::parse(&row.blob(1)?).ok();
    Ok(Anchor {
        id: row.text(0)?,
        certificate: certificate.ok_or(StoreFault::Column { index: 1, wanted: "a certificate" })?,
        contexts: Contexts::from_text(&row.text(2)?)
            .ok_or(StoreFault::Column { index: 2, wanted: "contexts" })?,
        patterns: row.text(3)?.split_ascii_whitespace().map(str::to_owned).collect(),
        is_own: row.bool(4)?,
        list: None,
        created_at: time(row, 5)?,
    })
}

fn signer_of_row(row: &Row) -> Result<Signer, StoreFault> {
    Ok(Signer {
        key: key_of_row(row)?,
        version: version_of_row(row, KEY_WIDTH)?,
        sealed: row.opt_blob(KEY_WIDTH + VERSION_WIDTH)?,
    })
}

fn key_of_row(row: &Row) -> Result<Key, StoreFault> {
    let bad = |index, wanted| StoreFault::Column { index, wanted };
    let names = row.opt_blob(8)?;
    Ok(Key {
        id: row.text(0)?,
        slot: row.opt_text(1)?,
        label: row.text(2)?,
        owner: Owner::parse(&row.text(3)?).ok_or(bad(3, "an owner"))?,
        alg: KeyAlg::parse(&row.text(4)?).map_err(|_| bad(4, "an algorithm"))?,
        keeper: KeeperKind::parse(&row.text(5)?).ok_or(bad(5, "a keeper"))?,
        uses: Uses::from_text(&row.text(6)?).ok_or(bad(6, "uses"))?,
        chain_kind: chain_kind(&row.text(7)?).ok_or(bad(7, "a kind of chain"))?,
        names: match names {
            Some(bytes) => Some(LeafNames::from_bytes(&bytes).ok_or(bad(8, "names of a leaf"))?),
            None => None,
        },
        policy: Policy {
            rotate_every_s: count(row, 9)?,
            publish_ahead_s: count(row, 10)?,
            max_uses: count(row, 11)?,
            keep_public_s: count(row, 12)?,
            destroy_after_s: count(row, 13)?,
        },
        in_use: Some(number(row, 14)?).filter(|version| *version > 0),
        last_version: number(row, 15)?,
        resting: State::parse(&row.text(16)?).ok_or(bad(16, "a state"))?,
        revision: row.int(17)?,
        created_at: time(row, 18)?,
        versions: Vec::new(),
    })
}

fn version_of_row(row: &Row, at: usize) -> Result<Version, StoreFault> {
    let bad = |index, wanted| StoreFault::Column { index, wanted };
    let chain = match (row.opt_blob(at + 4)?, opt_time(row, at + 5)?, opt_time(row, at + 6)?) {
        (Some(bytes), Some(from), Some(until)) => {
            Some(Chain::from_bytes(&bytes, from, until).ok_or(bad(at + 4, "a chain"))?)
        }
        _ => None,
    };
    Ok(Version {
        number: number(row, at)?,
        kid: row.text(at + 1)?,
        state: State::parse(&row.text(at + 2)?).ok_or(bad(at + 2, "a state"))?,
        public: PublicKey::from_spki_der(&row.blob(at + 3)?).map_err(|_| bad(at + 3, "a public key"))?,
        chain,
        uses: count(row, at + 7)?,
        longest_life_s: count(row, at + 8)?,
        created_at: time(row, at + 9)?,
        activate_at: opt_time(row, at + 10)?,
        activated_at: opt_time(row, at + 11)?,
        retired_at: opt_time(row, at + 12)?,
        keep_public_until: opt_time(row, at + 13)?,
        destroy_at: opt_time(row, at + 14)?,
        blocked_at: opt_time(row, at + 15)?,
        warned_days: row.opt_int(at + 16)?,
    })
}

const fn chain_word(kind: ChainKind) -> &'static str {
    match kind {
        ChainKind::None => "none",
        ChainKind::Own => "own",
        ChainKind::Outside => "outside",
    }
}

fn chain_kind(word: &str) -> Option<ChainKind> {
    [ChainKind::None, ChainKind::Own, ChainKind::Outside].into_iter().find(|kind| chain_word(*kind) == word)
}

/// Counts beyond `i64` do not occur: policies and lives are bounded far below.
fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(row: &Row, index: usize) -> Result<u64, StoreFault> {
    u64::try_from(row.int(index)?).map_err(|_| StoreFault::Column { index, wanted: "a count" })
}

fn number(row: &Row, index: usize) -> Result<u32, StoreFault> {
    u32::try_from(row.int(index)?).map_err(|_| StoreFault::Column { index, wanted: "a number" })
}

fn time(row: &Row, index: usize) -> Result<Timestamp, StoreFault> {
    opt_time(row, index)?.ok_or(StoreFault::Column { index, wanted: "a time" })
}

fn opt_time(row: &Row, index: usize) -> Result<Option<Timestamp>, StoreFault> {
    let read =
        |ms| Timestamp::from_millisecond(ms).map_err(|_| StoreFault::Column { index, wanted: "a time" });
    row.opt_int(index)?.map(read).transpose()
}
