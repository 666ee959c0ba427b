//! All SQL of the room; that of status lists in [`list`].

mod list;

use crypto::secret::Secret;
use openid::vci::TxCodeLock;
use store::{Ctx, Field, Migrations, Row, Stmt, Store, StoreFault};
use tenancy::After;

pub(crate) use list::{
    ListRow, blocks_left, close_lists, due_lists, list, lists, next_block, next_list, put_blocks, put_list,
    revoked, seal_block, sign_list,
};

/// The room's migrations.
pub const MIGRATIONS: Migrations = Migrations {
    room: "issuer",
    list: &[
        ("0001_credentials.sql", include_str!("migrations/0001_credentials.sql")),
        ("0002_revoked.sql", include_str!("migrations/0002_revoked.sql")),
        ("0003_wallets.sql", include_str!("migrations/0003_wallets.sql")),
    ],
};

/// Every statement of the room, so that one test tries each on every engine.
pub const STATEMENTS: &[&str] = &[
    PUT_TYPE,
    TYPE,
    TYPES,
    PUT_CREDENTIAL,
    CREDENTIAL,
    CREDENTIALS,
    ISSUED,
    REVOKE,
    REVOKE_COPIES,
    PUT_OFFER,
    OFFER_BY_ID,
    OFFER_OF,
    OFFER_BY_LINK,
    OFFER_BY_CODE,
    OFFERS,
    SPEND_OFFER,
    TAKE_TRY,
    LOCK_OFFER,
    CANCEL_OFFER,
    EXPIRE_OFFER,
    LATE_OFFERS,
    PUT_GRANT,
    GRANT,
    SPEND_ROUND,
    END_GRANTS,
    PUT_COPY,
    PUT_NOTIFICATION,
    NOTIFICATION,
    NOTIFIED,
    REVOKE_NOTIFIED,
    NOTIFIED_COUNT,
    FORGET_NOTIFICATIONS,
    COPIES,
    COPIES_COUNT,
    SPEND_NONCE,
    SPENT,
    FORGET_SPENT,
    FORGET_OFFERS,
    FORGET_GRANTS,
    FORGET_DATASETS,
    FORGET_COPIES,
    FORGET_CREDENTIALS,
    list::PUT_LIST,
    list::LIST,
    list::LISTS,
    list::NEXT_LIST,
    list::TOUCH_LIST,
    list::SIGN_LIST,
    list::CLOSE_LISTS,
    list::DUE_LISTS,
    list::REVOKED_INDICES,
    list::PUT_BLOCKS,
    list::PUT_BLOCK,
    list::NEXT_BLOCK,
    list::TAKE_BLOCK,
    list::BLOCKS_LEFT,
];

macro_rules! offer_columns {
    () => {
        "o.offer_id, o.credential_id, o.links, o.state, o.created_at_ms, o.expires_at_ms, o.tx_code_mac, o.tx_code_tries"
    };
}

macro_rules! credential_columns {
    () => {
        "c.credential_id, c.type, c.status, c.reason, c.subject, c.dataset, c.valid_for_s, c.expires_at_ms, c.created_at_ms,
         c.changed_at_ms, c.copies_max"
    };
}

/// An offer and its credential, which never goes before it: one read finds both.
macro_rules! offered {
    ($found_by:literal) => {
        concat!(
            "SELECT ",
            offer_columns!(),
            ", ",
            credential_columns!(),
            " FROM issuer_offer o JOIN issuer_credential c ON c.tenant_id = o.tenant_id AND c.credential_id = o.credential_id
             WHERE o.tenant_id = :tenant AND ",
            $found_by
        )
    };
}

/// Columns of [`offer_columns`], so that a joined credential begins behind them.
const OFFER_WIDTH: usize = 8;
/// Columns of a grant, as [`GRANT`] reads them.
const GRANT_WIDTH: usize = 7;

const PUT_TYPE: &str =
    "INSERT INTO issuer_type (tenant_id, name, format, vct, claims, valid_for_s, version, created_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, 1, :now) ON CONFLICT DO NOTHING";
const TYPE: &str = "SELECT name, format, vct, claims, valid_for_s, version, created_at_ms FROM issuer_type
     WHERE tenant_id = :tenant AND name = $1";
const TYPES: &str = "SELECT name, format, vct, claims, valid_for_s, version, created_at_ms FROM issuer_type
     WHERE tenant_id = :tenant AND name > $1 ORDER BY name LIMIT $2";
const PUT_CREDENTIAL: &str = "INSERT INTO issuer_credential
     (tenant_id, credential_id, type, status, subject, dataset, valid_for_s, created_at_ms, changed_at_ms, copies_max)
     VALUES (:tenant, $1, $2, 'offered', $3, $4, $5, :now, :now, $6)";
const CREDENTIAL: &str =
    "SELECT credential_id, type, status, reason, subject, dataset, valid_for_s, expires_at_ms, created_at_ms,
     changed_at_ms, copies_max FROM issuer_credential WHERE tenant_id = :tenant AND credential_id = $1";
const CREDENTIALS: &str =
    "SELECT credential_id, type, status, reason, subject, dataset, valid_for_s, expires_at_ms, created_at_ms,
     changed_at_ms, copies_max FROM issuer_credential
     WHERE tenant_id = :tenant AND (created_at_ms > $1 OR (created_at_ms = $1 AND credential_id > $2))
     ORDER BY created_at_ms, credential_id LIMIT $3";
const ISSUED: &str = "UPDATE issuer_credential SET status = 'valid', expires_at_ms = $2, changed_at_ms = :now
     WHERE tenant_id = :tenant AND credential_id = $1 AND status IN ('offered', 'valid')";
const REVOKE: &str =
    "UPDATE issuer_credential SET status = 'revoked', reason = $2, dataset = NULL, changed_at_ms = :now
     WHERE tenant_id = :tenant AND credential_id = $1 AND status <> 'revoked'";
const REVOKE_COPIES: &str =
    "UPDATE issuer_copy SET status = 'revoked' WHERE tenant_id = :tenant AND credential_id = $1";
const PUT_OFFER: &str = "INSERT INTO issuer_offer
     (tenant_id, offer_id, credential_id, link_sha256, code_sha256, links, state, created_at_ms, expires_at_ms,
      tx_code_mac, tx_code_tries)
     VALUES (:tenant, $1, $2, $3, $4, $5, 'open', :now, $6, $7, $8)";
const OFFER_BY_ID: &str = offered!("o.offer_id = $1");
const OFFER_OF: &str = offered!("o.credential_id = $1 ORDER BY o.created_at_ms DESC LIMIT 1");
const OFFER_BY_LINK: &str = offered!("o.link_sha256 = $1");
const OFFER_BY_CODE: &str = offered!("o.code_sha256 = $1");
const OFFERS: &str =
    "SELECT offer_id, credential_id, links, state, created_at_ms, expires_at_ms, tx_code_mac, tx_code_tries
     FROM issuer_offer WHERE tenant_id = :tenant AND (created_at_ms > $1 OR (created_at_ms = $1 AND offer_id > $2))
     ORDER BY created_at_ms, offer_id LIMIT $3";
const SPEND_OFFER: &str = "UPDATE issuer_offer SET state = 'spent'
     WHERE tenant_id = :tenant AND offer_id = $1 AND state = 'open' AND expires_at_ms > :now
     AND (tx_code_mac IS NULL OR tx_code_tries > 0)";
const TAKE_TRY: &str = "UPDATE issuer_offer SET tx_code_tries = tx_code_tries - 1
     WHERE tenant_id = :tenant AND offer_id = $1 AND state = 'open' AND tx_code_tries > 1";
const LOCK_OFFER: &str = "UPDATE issuer_offer SET tx_code_tries = 0, state = 'locked'
     WHERE tenant_id = :tenant AND offer_id = $1 AND state = 'open' AND tx_code_tries = 1";
const CANCEL_OFFER: &str = "UPDATE issuer_offer SET state = 'cancelled' WHERE tenant_id = :tenant AND offer_id = $1 AND state = 'open'";
const EXPIRE_OFFER: &str = "UPDATE issuer_offer SET state = 'expired'
     WHERE tenant_id = :tenant AND offer_id = $1 AND state = 'open' AND expires_at_ms <= :now";
const LATE_OFFERS: &str =
    "SELECT offer_id, credential_id, links, state, created_at_ms, expires_at_ms, tx_code_mac, tx_code_tries
     FROM issuer_offer WHERE tenant_id = :tenant AND state = 'open' AND expires_at_ms <= :now ORDER BY expires_at_ms LIMIT $1";
const PUT_GRANT: &str = "INSERT INTO issuer_grant
     (tenant_id, grant_id, offer_id, credential_id, token_sha256, client_id, rounds_left, created_at_ms, expires_at_ms,
      dpop_jkt)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, :now, $7, $8)";
const GRANT: &str = concat!(
    "SELECT g.grant_id, g.offer_id, g.credential_id, g.client_id, g.rounds_left, g.expires_at_ms, g.dpop_jkt, ",
    credential_columns!(),
    " FROM issuer_grant g JOIN issuer_credential c ON c.tenant_id = g.tenant_id AND c.credential_id = g.credential_id
     WHERE g.tenant_id = :tenant AND g.token_sha256 = $1"
);
const SPEND_ROUND: &str = "UPDATE issuer_grant SET rounds_left = rounds_left - 1
     WHERE tenant_id = :tenant AND grant_id = $1 AND rounds_left > 0 AND expires_at_ms > :now";
const END_GRANTS: &str =
    "UPDATE issuer_grant SET rounds_left = 0 WHERE tenant_id = :tenant AND credential_id = $1";
const PUT_COPY: &str = "INSERT INTO issuer_copy
     (tenant_id, credential_id, copy, configuration, list, idx, key_id, status, issued_at_ms, expires_at_ms,
      notification_sha256)
     SELECT :tenant, $1, COALESCE(MAX(copy), 0) + 1, $2, $3, $4, $5, 'valid', :now, $6, $7 FROM issuer_copy
     WHERE tenant_id = :tenant AND credential_id = $1";
const PUT_NOTIFICATION: &str = "INSERT INTO issuer_notification
     (tenant_id, sha256, grant_id, credential_id, event, created_at_ms) VALUES (:tenant, $1, $2, $3, '', :now)";
const NOTIFICATION: &str =
    "SELECT event FROM issuer_notification WHERE tenant_id = :tenant AND sha256 = $1 AND grant_id = $2";
const NOTIFIED: &str = "UPDATE issuer_notification SET event = $2
     WHERE tenant_id = :tenant AND sha256 = $1 AND event = $3";
const REVOKE_NOTIFIED: &str = "UPDATE issuer_copy SET status = 'revoked'
     WHERE tenant_id = :tenant AND credential_id = $1 AND notification_sha256 = $2";
const NOTIFIED_COUNT: &str = "SELECT COUNT(*) FROM issuer_copy
     WHERE tenant_id = :tenant AND credential_id = $1 AND notification_sha256 = $2 AND status = 'valid'";
const COPIES: &str = "SELECT copy, configuration, list, idx, status, expires_at_ms FROM issuer_copy
     WHERE tenant_id = :tenant AND credential_id = $1 ORDER BY copy";
const COPIES_COUNT: &str =
    "SELECT COUNT(*) FROM issuer_copy WHERE tenant_id = :tenant AND credential_id = $1";
const SPEND_NONCE: &str = "INSERT INTO issuer_spent (tenant_id, sha256, expires_at_ms) VALUES (:tenant, $1, $2) ON CONFLICT DO NOTHING";
const SPENT: &str = "SELECT 1 FROM issuer_spent WHERE tenant_id = :tenant AND sha256 = $1";
const FORGET_SPENT: &str = "DELETE FROM issuer_spent WHERE tenant_id = :tenant AND expires_at_ms < :now";
const FORGET_OFFERS: &str =
    "DELETE FROM issuer_offer WHERE tenant_id = :tenant AND state <> 'open' AND expires_at_ms < $1";
const FORGET_GRANTS: &str = "DELETE FROM issuer_grant WHERE tenant_id = :tenant AND expires_at_ms < $1";
// The plus keeps SQLite from walking all grants that live for each credential: those of the credential are few.
const FORGET_DATASETS: &str = "UPDATE issuer_credential SET dataset = NULL,
       changed_at_ms = CASE WHEN status = 'offered' THEN :now ELSE changed_at_ms END,
       status = CASE WHEN status = 'offered' THEN 'expired' ELSE status END
     WHERE tenant_id = :tenant AND dataset IS NOT NULL
     AND NOT EXISTS (SELECT 1 FROM issuer_offer WHERE issuer_offer.tenant_id = :tenant AND state = 'open'
       AND issuer_offer.credential_id = issuer_credential.credential_id)
     AND NOT EXISTS (SELECT 1 FROM issuer_grant WHERE issuer_grant.tenant_id = :tenant AND rounds_left > 0
       AND +issuer_grant.expires_at_ms > :now AND issuer_grant.credential_id = issuer_credential.credential_id)";
const FORGET_COPIES: &str = "DELETE FROM issuer_copy WHERE tenant_id = :tenant AND expires_at_ms < $1";
const FORGET_NOTIFICATIONS: &str =
    "DELETE FROM issuer_notification WHERE tenant_id = :tenant AND created_at_ms < $1";
const FORGET_CREDENTIALS: &str = "DELETE FROM issuer_credential WHERE tenant_id = :tenant
     AND (expires_at_ms < $1 OR (expires_at_ms IS NULL AND dataset IS NULL AND changed_at_ms < $1))";
/// A credential type as it is stored.
pub(crate) struct TypeRow {
    pub(crate) name: String,
    pub(crate) format: String,
    pub(crate) vct: String,
    pub(crate) claims: String,
    pub(crate) valid_for_s: i64,
    pub(crate) version: i64,
    pub(crate) created_at_ms: i64,
}

/// A credential, its dataset still sealed.
pub(crate) struct CredentialRow {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    subject: Option<Vec<u8>>,
    dataset: Option<Vec<u8>>,
    pub(crate) valid_for_s: i64,
    pub(crate) expires_at_ms: Option<i64>,
    pub(crate) created_at_ms: i64,
    pub(crate) changed_at_ms: i64,
    pub(crate) copies_max: i64,
}

/// An offer, its links still sealed.
pub(crate) struct OfferRow {
    pub(crate) id: String,
    pub(crate) credential_id: String,
    links: Vec<u8>,
    pub(crate) state: String,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: i64,
    pub(crate) tx_code: Option<TxCodeLock>,
}

/// A grant behind an access token.
pub(crate) struct GrantRow {
    pub(crate) id: String,
    pub(crate) offer_id: String,
    pub(crate) credential_id: String,
    pub(crate) client_id: Option<String>,
    pub(crate) rounds_left: i64,
    pub(crate) expires_at_ms: i64,
    /// Thumbprint of the key that the token is bound to.
    pub(crate) dpop_jkt: Option<[u8; 32]>,
}

/// One copy.
pub(crate) struct CopyRow {
    pub(crate) copy: i64,
    pub(crate) configuration: String,
    pub(crate) list: i64,
    pub(crate) idx: i64,
    pub(crate) status: String,
    pub(crate) expires_at_ms: i64,
}

pub(crate) fn put_type(row: &TypeRow) -> Stmt {
    Stmt::new(PUT_TYPE)
        .text(&row.name)
        .text(&row.format)
        .text(&row.vct)
        .text(&row.claims)
        .int(row.valid_for_s)
}

pub(crate) async fn kind(store: &Store, ctx: &Ctx, name: &str) -> Result<Option<TypeRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(TYPE).text(name)).await?.map(|row| type_row(&row)).transpose()
}

pub(crate) async fn kinds(
    store: &Store,
    ctx: &Ctx,
    after: &str,
    limit: usize,
) -> Result<Vec<TypeRow>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(TYPES).text(after).int(limit as i64), limit).await?;
    rows.iter().map(type_row).collect()
}

/// What is sealed into a credential's row.
pub(crate) struct Sealed {
    pub(crate) subject: Option<Vec<u8>>,
    pub(crate) dataset: Vec<u8>,
}

pub(crate) async fn seal_credential(
    store: &Store,
    ctx: &Ctx,
    id: &str,
    subject: Option<&str>,
    dataset: &[u8],
) -> Result<Sealed, StoreFault> {
    let subject = match subject {
        Some(text) => Some(store.sealed(ctx, subject_field(id), text.as_bytes()).await?),
        None => None,
    };
    Ok(Sealed { subject, dataset: store.sealed(ctx, dataset_field(id), dataset).await? })
}

pub(crate) fn put_credential(
    id: &str,
    kind: &str,
    sealed: Sealed,
    valid_for_s: i64,
    copies_max: usize,
) -> Stmt {
    Stmt::new(PUT_CREDENTIAL)
        .text(id)
        .text(kind)
        .opt_blob(sealed.subject)
        .blob(sealed.dataset)
        .int(valid_for_s)
        .int(copies_max as i64)
}

pub(crate) async fn credential(
    store: &Store,
    ctx: &Ctx,
    id: &str,
) -> Result<Option<CredentialRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(CREDENTIAL).text(id)).await?.map(|row| credential_row(&row, 0)).transpose()
}

pub(crate) async fn credentials(
    store: &Store,
    ctx: &Ctx,
    after: &After,
    limit: usize,
) -> Result<Vec<CredentialRow>, StoreFault> {
    let stmt = Stmt::new(CREDENTIALS).int(after.at_ms).text(&after.id).int(limit as i64);
    store.read(ctx).many(stmt, limit).await?.iter().map(|row| credential_row(row, 0)).collect()
}

pub(crate) async fn dataset(
    store: &Store,
    ctx: &Ctx,
    row: &CredentialRow,
) -> Result<Option<Secret<Vec<u8>>>, StoreFault> {
    match &row.dataset {
        Some(sealed) => store.opened(ctx, dataset_field(&row.id), sealed).await.map(Some),
        None => Ok(None),
    }
}

pub(crate) async fn subject(
    store: &Store,
    ctx: &Ctx,
    row: &CredentialRow,
) -> Result<Option<String>, StoreFault> {
    match &row.subject {
        Some(sealed) => {
            let opened = store.opened(ctx, subject_field(&row.id), sealed).await?;
            Ok(Some(String::from_utf8_lossy(opened.expose()).into_owned()))
        }
        None => Ok(None),
    }
}

pub(crate) fn issued(credential: &str, expires_at_ms: i64) -> Stmt {
    Stmt::new(ISSUED).text(credential).int(expires_at_ms)
}

pub(crate) fn revoke(credential: &str, reason: &str) -> Stmt {
    Stmt::new(REVOKE).text(credential).text(reason)
}

/// Copies, open grants and lists that a revocation touches.
pub(crate) fn revoke_copies(credential: &str) -> [Stmt; 3] {
    [REVOKE_COPIES, END_GRANTS, list::TOUCH_LIST].map(|sql| Stmt::new(sql).text(credential))
}

/// An offer as it is made.
pub(crate) struct NewOffer<'a> {
    pub(crate) id: &'a str,
    pub(crate) credential_id: &'a str,
    pub(crate) link_sha256: [u8; 32],
    pub(crate) code_sha256: [u8; 32],
    pub(crate) links: &'a [u8],
    pub(crate) expires_at_ms: i64,
    pub(crate) tx_code: Option<TxCodeLock>,
}

pub(crate) async fn put_offer(store: &Store, ctx: &Ctx, offer: &NewOffer<'_>) -> Result<Stmt, StoreFault> {
    let links = store.sealed(ctx, links_field(offer.id), offer.links).await?;
    Ok(Stmt::new(PUT_OFFER)
        .text(offer.id)
        .text(offer.credential_id)
        .blob(offer.link_sha256)
        .blob(offer.code_sha256)
        .blob(links)
        .int(offer.expires_at_ms)
        .opt_blob(offer.tx_code.map(|lock| lock.mac.to_vec()))
        .int(offer.tx_code.map_or(0, |lock| i64::from(lock.tries_left))))
}

/// How an offer is looked up.
pub(crate) enum By<'a> {
    /// `off_…`
    Id(&'a str),
    /// `crd_…`
    Credential(&'a str),
    /// SHA-256 of its link's secret.
    Link([u8; 32]),
    /// SHA-256 of its code.
    Code([u8; 32]),
}

/// The offer and its credential.
pub(crate) async fn offer(
    store: &Store,
    ctx: &Ctx,
    by: By<'_>,
) -> Result<Option<(OfferRow, CredentialRow)>, StoreFault> {
    let stmt = match by {
        By::Id(id) => Stmt::new(OFFER_BY_ID).text(id),
        By::Credential(id) => Stmt::new(OFFER_OF).text(id),
        By::Link(sha256) => Stmt::new(OFFER_BY_LINK).blob(sha256),
        By::Code(sha256) => Stmt::new(OFFER_BY_CODE).blob(sha256),
    };
    let both = |row: Row| Ok((offer_row(&row)?, credential_row(&row, OFFER_WIDTH)?));
    store.read(ctx).one(stmt).await?.map(both).transpose()
}

pub(crate) async fn offers(
    store: &Store,
    ctx: &Ctx,
    after: &After,
    limit: usize,
) -> Result<Vec<OfferRow>, StoreFault> {
    let stmt = Stmt::new(OFFERS).int(after.at_ms).text(&after.id).int(limit as i64);
    store.read(ctx).many(stmt, limit).await?.iter().map(offer_row).collect()
}

pub(crate) async fn late_offers(store: &Store, ctx: &Ctx, limit: usize) -> Result<Vec<OfferRow>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(LATE_OFFERS).int(limit as i64), limit).await?;
    rows.iter().map(offer_row).collect()
}

pub(crate) async fn links(store: &Store, ctx: &Ctx, row: &OfferRow) -> Result<Secret<Vec<u8>>, StoreFault> {
    store.opened(ctx, links_field(&row.id), &row.links).await
}

pub(crate) fn spend_offer(id: &str) -> Stmt {
    Stmt::new(SPEND_OFFER).text(id)
}

/// Takes one of several tries for an offer's transaction code.
pub(crate) fn take_try(id: &str) -> Stmt {
    Stmt::new(TAKE_TRY).text(id)
}

/// Takes the last try.
pub(crate) fn lock_offer(id: &str) -> Stmt {
    Stmt::new(LOCK_OFFER).text(id)
}

pub(crate) fn cancel_offer(id: &str) -> Stmt {
    Stmt::new(CANCEL_OFFER).text(id)
}

pub(crate) fn expire_offer(id: &str) -> Stmt {
    Stmt::new(EXPIRE_OFFER).text(id)
}

pub(crate) fn put_grant(row: &GrantRow, token_sha256: [u8; 32]) -> Stmt {
    Stmt::new(PUT_GRANT)
        .text(&row.id)
        .text(&row.offer_id)
        .text(&row.credential_id)
        .blob(token_sha256)
        .opt_text(row.client_id.as_deref())
        .int(row.rounds_left)
        .int(row.expires_at_ms)
        .opt_blob(row.dpop_jkt.map(|jkt| jkt.to_vec()))
}

/// The grant behind an access token, and its credential.
pub(crate) async fn grant(
    store: &Store,
    ctx: &Ctx,
    token_sha256: [u8; 32],
) -> Result<Option<(GrantRow, CredentialRow)>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(GRANT).blob(token_sha256)).await?;
    row.map(|row| {
        let grant = GrantRow {
            id: row.text(0)?,
            offer_id: row.text(1)?,
            credential_id: row.text(2)?,
            client_id: row.opt_text(3)?,
            rounds_left: row.int(4)?,
            expires_at_ms: row.int(5)?,
            dpop_jkt: row.opt_blob(6)?.map(|jkt| hash_of("issuer_grant.dpop_jkt", jkt)).transpose()?,
        };
        Ok((grant, credential_row(&row, GRANT_WIDTH)?))
    })
    .transpose()
}

pub(crate) fn spend_round(grant: &str) -> Stmt {
    Stmt::new(SPEND_ROUND).text(grant)
}

/// Spends what counts once: a `c_nonce`, the `jti` of a proof.
pub(crate) fn spend(sha256: [u8; 32], expires_at_ms: i64) -> Stmt {
    Stmt::new(SPEND_NONCE).blob(sha256).int(expires_at_ms)
}

pub(crate) async fn is_spent(store: &Store, ctx: &Ctx, sha256: [u8; 32]) -> Result<bool, StoreFault> {
    Ok(store.read(ctx).one(Stmt::new(SPENT).blob(sha256)).await?.is_some())
}

/// A copy as it is written.
pub(crate) struct NewCopy<'a> {
    pub(crate) credential_id: &'a str,
    pub(crate) configuration: &'a str,
    pub(crate) list: i64,
    pub(crate) idx: i64,
    pub(crate) key_id: &'a str,
    pub(crate) expires_at_ms: i64,
    /// SHA-256 of the id that a notification about it names.
    pub(crate) notification_sha256: [u8; 32],
}

pub(crate) fn put_copy(copy: &NewCopy<'_>) -> Stmt {
    Stmt::new(PUT_COPY)
        .text(copy.credential_id)
        .text(copy.configuration)
        .int(copy.list)
        .int(copy.idx)
        .text(copy.key_id)
        .int(copy.expires_at_ms)
        .blob(copy.notification_sha256)
}

pub(crate) fn put_notification(sha256: [u8; 32], grant: &str, credential: &str) -> Stmt {
    Stmt::new(PUT_NOTIFICATION).blob(sha256).text(grant).text(credential)
}

/// What was told last under this id, if the id was given out to this grant; empty for nothing yet.
pub(crate) async fn notification(
    store: &Store,
    ctx: &Ctx,
    sha256: [u8; 32],
    grant: &str,
) -> Result<Option<String>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(NOTIFICATION).blob(sha256).text(grant)).await?;
    row.map(|row| row.text(0)).transpose()
}

/// Keeps what is told now, if `before` is still what was told last.
pub(crate) fn notified(sha256: [u8; 32], event: &str, before: &str) -> Stmt {
    Stmt::new(NOTIFIED).blob(sha256).text(event).text(before)
}

/// Copies of this notification id that are valid.
pub(crate) async fn notified_count(
    store: &Store,
    ctx: &Ctx,
    credential: &str,
    sha256: [u8; 32],
) -> Result<u64, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(NOTIFIED_COUNT).text(credential).blob(sha256)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.unwrap_or(0).unsigned_abs())
}

/// Revokes the copies of one answer and says so in their lists.
pub(crate) fn revoke_notified(credential: &str, sha256: [u8; 32]) -> [Stmt; 2] {
    [Stmt::new(REVOKE_NOTIFIED).text(credential).blob(sha256), Stmt::new(list::TOUCH_LIST).text(credential)]
}

pub(crate) async fn copies(store: &Store, ctx: &Ctx, credential: &str) -> Result<Vec<CopyRow>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(COPIES).text(credential), COPIES_MAX).await?;
    let copy = |row: &Row| {
        Ok(CopyRow {
            copy: row.int(0)?,
            configuration: row.text(1)?,
            list: row.int(2)?,
            idx: row.int(3)?,
            status: row.text(4)?,
            expires_at_ms: row.int(5)?,
        })
    };
    rows.iter().map(copy).collect()
}

/// Copies that one answer lists: ten requests of the largest batch.
const COPIES_MAX: usize = 320;

pub(crate) async fn copies_count(store: &Store, ctx: &Ctx, credential: &str) -> Result<u64, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(COPIES_COUNT).text(credential)).await?;
    Ok(row.map(|row| row.int(0)).transpose()?.unwrap_or(0).unsigned_abs())
}

/// What is past its time: spent nonces at once, datasets that nobody can fetch, ended offers and grants after a day, copies and
/// credentials a year after their end. An offered credential that nobody can fetch any more is expired.
pub(crate) fn forget(day_ago_ms: i64, year_ago_ms: i64) -> Vec<Stmt> {
    vec![
        Stmt::new(FORGET_SPENT),
        Stmt::new(FORGET_DATASETS),
        Stmt::new(FORGET_OFFERS).int(day_ago_ms),
        Stmt::new(FORGET_GRANTS).int(day_ago_ms),
        Stmt::new(FORGET_COPIES).int(year_ago_ms),
        Stmt::new(FORGET_NOTIFICATIONS).int(year_ago_ms),
        Stmt::new(FORGET_CREDENTIALS).int(year_ago_ms),
    ]
}

fn type_row(row: &Row) -> Result<TypeRow, StoreFault> {
    Ok(TypeRow {
        name: row.text(0)?,
        format: row.text(1)?,
        vct: row.text(2)?,
        claims: row.text(3)?,
        valid_for_s: row.int(4)?,
        version: row.int(5)?,
        created_at_ms: row.int(6)?,
    })
}

/// The credential whose columns begin at `first`.
fn credential_row(row: &Row, first: usize) -> Result<CredentialRow, StoreFault> {
    Ok(CredentialRow {
        id: row.text(first)?,
        kind: row.text(first + 1)?,
        status: row.text(first + 2)?,
        reason: row.opt_text(first + 3)?,
        subject: row.opt_blob(first + 4)?,
        dataset: row.opt_blob(first + 5)?,
        valid_for_s: row.int(first + 6)?,
        expires_at_ms: row.opt_int(first + 7)?,
        created_at_ms: row.int(first + 8)?,
        changed_at_ms: row.int(first + 9)?,
        copies_max: row.int(first + 10)?,
    })
}

fn offer_row(row: &Row) -> Result<OfferRow, StoreFault> {
    Ok(OfferRow {
        id: row.text(0)?,
        credential_id: row.text(1)?,
        links: row.blob(2)?,
        state: row.text(3)?,
        created_at_ms: row.int(4)?,
        expires_at_ms: row.int(5)?,
        tx_code: match row.opt_blob(6)? {
            Some(mac) => Some(TxCodeLock {
                mac: hash_of("issuer_offer.tx_code_mac", mac)?,
                tries_left: u32::try_from(row.int(7)?).unwrap_or(0),
            }),
            None => None,
        },
    })
}

fn hash_of(place: &str, bytes: Vec<u8>) -> Result<[u8; 32], StoreFault> {
    bytes.try_into().map_err(|_| StoreFault::Engine { cause: format!("{place} has another length") })
}

fn subject_field(row: &str) -> Field<'_> {
    Field { table: "issuer_credential", column: "subject", row }
}

fn dataset_field(row: &str) -> Field<'_> {
    Field { table: "issuer_credential", column: "dataset", row }
}

fn links_field(row: &str) -> Field<'_> {
    Field { table: "issuer_offer", column: "links", row }
}
