//! Pushes that wait, and the relay contacts of the devices that they go to.

use crypto::secret::Secret;
use store::{Ctx, Field, Row, Stmt, Store, StoreFault};

pub(super) const STATEMENTS: &[&str] =
    &[PUT, WAITING, END, END_OF_DEVICE, FORGET, DEVICES, CONTACT, ADVANCE, SET_CONTACT];

const PUT: &str =
    "INSERT INTO idp_outbox (tenant_id, push_id, enrolment_id, payload, created_at_ms, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, :now, $4)";
const WAITING: &str = "SELECT push_id, enrolment_id, payload, expires_at_ms FROM idp_outbox
     WHERE tenant_id = :tenant ORDER BY created_at_ms, push_id LIMIT $1";
const END: &str = "DELETE FROM idp_outbox WHERE tenant_id = :tenant AND push_id = $1";
const END_OF_DEVICE: &str = "DELETE FROM idp_outbox WHERE tenant_id = :tenant AND enrolment_id = $1";
const FORGET: &str = "DELETE FROM idp_outbox WHERE tenant_id = :tenant AND expires_at_ms <= :now";
const DEVICES: &str = "SELECT enrolment_id FROM idp_enrolment
     WHERE tenant_id = :tenant AND person_id = $1 AND state = 'active' AND expires_at_ms > :now AND relay IS NOT NULL
     ORDER BY created_at_ms, enrolment_id LIMIT $2";
const CONTACT: &str = "SELECT relay FROM idp_enrolment
     WHERE tenant_id = :tenant AND enrolment_id = $1 AND state = 'active' AND expires_at_ms > :now AND relay IS NOT NULL";
const ADVANCE: &str = "UPDATE idp_enrolment SET relay = $2
     WHERE tenant_id = :tenant AND enrolment_id = $1 AND state = 'active' AND relay = $3";
const SET_CONTACT: &str = "UPDATE idp_enrolment SET relay = $2
     WHERE tenant_id = :tenant AND enrolment_id = $1 AND state = 'active'";

/// A push as it waits, still sealed.
pub(crate) struct PushRow {
    pub(crate) id: String,
    pub(crate) enrolment: String,
    payload: Vec<u8>,
    pub(crate) expires_at_ms: i64,
}

/// A contact as it rests: sealed, which is also what names its version, and opened.
pub(crate) struct ContactRow {
    pub(crate) sealed: Vec<u8>,
    pub(crate) plain: Secret<Vec<u8>>,
}

impl PushRow {
    pub(crate) async fn payload(&self, store: &Store, ctx: &Ctx) -> Result<Secret<Vec<u8>>, StoreFault> {
        store.opened(ctx, payload_of(&self.id), &self.payload).await
    }
}

pub(crate) async fn put(
    store: &Store,
    ctx: &Ctx,
    (id, enrolment): (&str, &str),
    payload: &[u8],
    expires_at_ms: i64,
) -> Result<Stmt, StoreFault> {
    let sealed = store.sealed(ctx, payload_of(id), payload).await?;
    Ok(Stmt::new(PUT).text(id).text(enrolment).blob(sealed).int(expires_at_ms))
}

/// Whatever waits, also what is over, oldest first.
pub(crate) async fn waiting(store: &Store, ctx: &Ctx, limit: usize) -> Result<Vec<PushRow>, StoreFault> {
    let item = |row: &Row| {
        Ok(PushRow {
            id: row.text(0)?,
            enrolment: row.text(1)?,
            payload: row.blob(2)?,
            expires_at_ms: row.int(3)?,
        })
    };
    store.read(ctx).many(Stmt::new(WAITING).int(limit as i64), limit).await?.iter().map(item).collect()
}

pub(crate) fn end(id: &str) -> Stmt {
    Stmt::new(END).text(id)
}

/// What waits for a device goes when something newer does, or its contact ends.
pub(crate) fn end_of_device(enrolment: &str) -> Stmt {
    Stmt::new(END_OF_DEVICE).text(enrolment)
}

/// What is over, also where nobody carries pushes.
pub(crate) fn forget() -> Stmt {
    Stmt::new(FORGET)
}

/// Devices of a person that take pushes.
pub(crate) async fn devices(
    store: &Store,
    ctx: &Ctx,
    person: &str,
    limit: usize,
) -> Result<Vec<String>, StoreFault> {
    let stmt = Stmt::new(DEVICES).text(person).int(limit as i64);
    store.read(ctx).many(stmt, limit).await?.iter().map(|row| row.text(0)).collect()
}

/// The contact of a device that may sign in.
pub(crate) async fn contact(
    store: &Store,
    ctx: &Ctx,
    enrolment: &str,
) -> Result<Option<ContactRow>, StoreFault> {
    let Some(row) = store.read(ctx).one(Stmt::new(CONTACT).text(enrolment)).await? else { return Ok(None) };
    let sealed = row.blob(0)?;
    let plain = store.opened(ctx, contact_of(enrolment), &sealed).await?;
    Ok(Some(ContactRow { sealed, plain }))
}

/// Moves a contact on from the state that was read; lost where somebody else moved it.
pub(crate) async fn advance(
    store: &Store,
    ctx: &Ctx,
    (enrolment, read): (&str, &[u8]),
    contact: &[u8],
) -> Result<Stmt, StoreFault> {
    let sealed = store.sealed(ctx, contact_of(enrolment), contact).await?;
    Ok(Stmt::new(ADVANCE).text(enrolment).blob(sealed).blob(read))
}

/// Gives an active device a contact, or takes it away.
pub(crate) async fn set_contact(
    store: &Store,
    ctx: &Ctx,
    enrolment: &str,
    contact: Option<&[u8]>,
) -> Result<Stmt, StoreFault> {
    let sealed = match contact {
        Some(contact) => Some(store.sealed(ctx, contact_of(enrolment), contact).await?),
        None => None,
    };
    Ok(Stmt::new(SET_CONTACT).text(enrolment).opt_blob(sealed))
}

/// Where a contact stands: the cipher binds it to its device.
pub(crate) fn contact_of(enrolment: &str) -> Field<'_> {
    Field { table: "idp_enrolment", column: "relay", row: enrolment }
}

fn payload_of(id: &str) -> Field<'_> {
    Field { table: "idp_outbox", column: "payload", row: id }
}
