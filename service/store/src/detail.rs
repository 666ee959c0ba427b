//! What events say beyond their leaves: read by auditors, erased with the person.

use crypto::secret::Secret;
use tlog::commitment::{self, SaltedDetail};

use crate::cipher;
use crate::ctx::Ctx;
use crate::event;
use crate::fault::StoreFault;
use crate::id::EventId;
use crate::log::{LogId, LogKeys};
use crate::root::Purpose;
use crate::row::Row;
use crate::stmt::Stmt;
use crate::store::Store;
use crate::unit::Reason;

/// Details listed at once.
pub const DETAILS_MAX: usize = 500;

/// Details deleted in one unit of expiry.
pub const EXPIRY_ROWS: i64 = 1_000;

/// The detail of an event, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDetail {
    /// Which event.
    pub event_id: EventId,
    /// In which log.
    pub log: LogId,
    /// Its type, as in the leaf.
    pub event_type: String,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// Who acted, if known and not erased.
    pub actor: Option<String>,
    /// The log's reference of the person it is about.
    pub subject_ref: Option<[u8; 32]>,
    /// Salt and canonical CBOR; `None` if the person's key was erased.
    pub detail: Option<SaltedDetail>,
}

/// Which details are listed: newest first.
#[derive(Clone, Debug, Default)]
pub struct DetailQuery {
    /// Only this type.
    pub event_type: Option<String>,
    /// Only at or after this time.
    pub from_ms: Option<i64>,
    /// Only before this time.
    pub to_ms: Option<i64>,
    /// Only after this one, in the order of the list: time and event of the last one seen.
    pub after: Option<(i64, EventId)>,
}

pub(crate) const ONE_DETAIL: &str =
    "SELECT event_id, type, at_ms, subject_ref, actor, sealed FROM store_event_detail
     WHERE tenant_id = $1 AND log_id = $2 AND at_ms >= $3 AND at_ms < $3 + 1000 AND event_id = $4";
pub(crate) const LIST_DETAILS: &str =
    "SELECT event_id, type, at_ms, subject_ref, actor, sealed FROM store_event_detail
     WHERE tenant_id = $1 AND log_id = $2 AND at_ms >= $3 AND at_ms < $4
     AND (type = $5 OR $5 = '') AND (at_ms < $6 OR (at_ms = $6 AND event_id < $7))
     ORDER BY at_ms DESC, event_id DESC";
pub(crate) const SUBJECT_DETAILS: &str =
    "SELECT event_id, type, at_ms, subject_ref, actor, sealed FROM store_event_detail
     WHERE tenant_id = $1 AND log_id = $2 AND subject_ref = $3 ORDER BY at_ms, event_id";
pub(crate) const EXPIRE_DETAILS: &str =
    "DELETE FROM store_event_detail WHERE tenant_id = :tenant AND (log_id, at_ms, event_id) IN
     (SELECT log_id, at_ms, event_id FROM store_event_detail
      WHERE tenant_id = :tenant AND expires_at_ms <= :now ORDER BY expires_at_ms LIMIT $1)";
pub(crate) const EXPIRE_SUBJECTS: &str = "DELETE FROM store_subject WHERE tenant_id = :tenant AND NOT EXISTS
     (SELECT 1 FROM store_event_detail d WHERE d.tenant_id = store_subject.tenant_id
      AND d.log_id = store_subject.log_id AND d.subject_ref = store_subject.subject_ref)";

impl Store {
    /// The detail of one event of a log, which happened in this Unix second (key 2 of its entry); `None` if it never
    /// was there, or has expired.
    pub async fn detail(
        &self,
        ctx: &Ctx,
        log: &LogId,
        event: EventId,
        second: u64,
    ) -> Result<Option<EventDetail>, StoreFault> {
        let Some(keys) = self.log(ctx, log).await? else { return Ok(None) };
        let Some(at_ms) = i64::try_from(second).ok().and_then(|second| second.checked_mul(1_000)) else {
            return Ok(None);
        };
        let stmt =
            Stmt::new(ONE_DETAIL).text(keys.tenant.as_str()).text(log.as_str()).int(at_ms).blob(event.0);
        match self.read(ctx).one(stmt).await? {
            Some(row) => self.open_detail(ctx, &keys, &row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Details of a log, newest first, at most `limit` and [`DETAILS_MAX`].
    pub async fn details(
        &self,
        ctx: &Ctx,
        log: &LogId,
        query: &DetailQuery,
        limit: usize,
    ) -> Result<Vec<EventDetail>, StoreFault> {
        let Some(keys) = self.log(ctx, log).await? else { return Ok(Vec::new()) };
        let (after_ms, after_id) =
            query.after.map_or((i64::MAX, [0xff; 16]), |(at_ms, event)| (at_ms, event.0));
        let stmt = Stmt::new(LIST_DETAILS)
            .text(keys.tenant.as_str())
            .text(log.as_str())
            .int(query.from_ms.unwrap_or(i64::MIN))
            .int(query.to_ms.unwrap_or(i64::MAX))
            .text(query.event_type.clone().unwrap_or_default())
            .int(after_ms)
            .blob(after_id);
        self.open_details(ctx, &keys, stmt, limit.min(DETAILS_MAX)).await
    }

    /// Every readable detail about one person in a log, oldest first, at most [`crate::ROWS_MAX`].
    pub async fn details_about(
        &self,
        ctx: &Ctx,
        log: &LogId,
        kind: &str,
        identifier: &str,
    ) -> Result<Vec<EventDetail>, StoreFault> {
        let Some(keys) = self.log(ctx, log).await? else { return Ok(Vec::new()) };
        let reference = commitment::subject_ref(keys.k_index.expose(), kind, identifier);
        let stmt = Stmt::new(SUBJECT_DETAILS).text(keys.tenant.as_str()).text(log.as_str()).blob(reference);
        self.open_details(ctx, &keys, stmt, crate::ROWS_MAX).await
    }

    /// Deletes details of the tenant of `ctx` that are past their time, at most [`EXPIRY_ROWS`], and the keys of
    /// persons who have none left. Answers how many rows went.
    pub async fn expire_details(&self, ctx: &Ctx) -> Result<u64, StoreFault> {
        let details =
            self.housekeeping(ctx, Reason::Expiry, vec![Stmt::new(EXPIRE_DETAILS).int(EXPIRY_ROWS)]).await?;
        if details == 0 {
            return Ok(0);
        }
        Ok(details + self.housekeeping(ctx, Reason::Expiry, vec![Stmt::new(EXPIRE_SUBJECTS)]).await?)
    }

    async fn open_details(
        &self,
        ctx: &Ctx,
        log: &LogKeys,
        stmt: Stmt,
        limit: usize,
    ) -> Result<Vec<EventDetail>, StoreFault> {
        let rows = self.read(ctx).many(stmt, limit).await?;
        let mut details = Vec::with_capacity(rows.len());
        for row in &rows {
            details.push(self.open_detail(ctx, log, row).await?);
        }
        Ok(details)
    }

    async fn open_detail(&self, ctx: &Ctx, log: &LogKeys, row: &Row) -> Result<EventDetail, StoreFault> {
        let event_id = EventId(row.array(0)?);
        let subject_ref = row.opt_blob(3)?.map(|_| row.array(3)).transpose()?;
        let key = match subject_ref {
            Some(reference) => self.subject_key(ctx, log, &reference).await?,
            None => Some(Secret::new(*log.k_detail.expose())),
        };
        let sealed = row.blob(5)?;
        let fault = || StoreFault::Sealed { place: "store_event_detail.sealed".to_owned() };
        let open = |key: Secret<[u8; 32]>| {
            SaltedDetail::open(key.expose(), &log.origin, event_id.bytes(), &sealed).ok_or_else(fault)
        };
        let place = event_id.to_string();
        let actor = match row.opt_blob(4)? {
            Some(sealed) => Some(self.text_in(ctx, log, event::actor_field(&place), &sealed).await?),
            None => None,
        };
        Ok(EventDetail {
            event_id,
            log: log.id.clone(),
            event_type: row.text(1)?,
            at_ms: row.int(2)?,
            actor,
            subject_ref,
            detail: key.map(open).transpose()?,
        })
    }

    /// The person's key; `None` once the person was erased.
    async fn subject_key(
        &self,
        ctx: &Ctx,
        log: &LogKeys,
        reference: &[u8; 32],
    ) -> Result<Option<Secret<[u8; 32]>>, StoreFault> {
        let stmt =
            Stmt::new(event::SUBJECT_KEY).text(log.tenant.as_str()).text(log.id.as_str()).blob(*reference);
        let Some(row) = self.read(ctx).one(stmt).await? else { return Ok(None) };
        let place = crypto::hex::encode(reference);
        let field = event::subject_field(&place);
        let plain = self.opened_in(ctx, log, field, &row.blob(0)?).await?;
        let key = plain.expose().as_slice().try_into().map_err(|_| field.fault())?;
        Ok(Some(Secret::new(key)))
    }

    async fn text_in(
        &self,
        ctx: &Ctx,
        log: &LogKeys,
        field: cipher::Field<'_>,
        sealed: &[u8],
    ) -> Result<String, StoreFault> {
        let plain = self.opened_in(ctx, log, field, sealed).await?;
        String::from_utf8(plain.expose().clone()).map_err(|_| field.fault())
    }

    /// Opens a field of the log's own tenant, which may be the instance's while `ctx` acts for another.
    async fn opened_in(
        &self,
        ctx: &Ctx,
        log: &LogKeys,
        field: cipher::Field<'_>,
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, StoreFault> {
        let version = cipher::version_of(sealed).ok_or_else(|| field.fault())?;
        let kek = self.load_kek(ctx, &log.tenant, Purpose::Data, Some(version)).await?;
        cipher::open(&kek, &log.tenant, field, sealed)
    }
}
