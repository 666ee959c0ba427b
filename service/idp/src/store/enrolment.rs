//! People, their devices, and invites.

use crate::enrolment::{Enrolment, State};
use crate::person::Person;
use crypto::key::{KeyAlg, PublicKey};
use store::{Ctx, Row, Stmt, Store, StoreFault};
use tenancy::After;

pub(super) const STATEMENTS: &[&str] = &[
    PUT,
    ONE,
    OF_PERSON,
    OF_HANDLE,
    LIST,
    LIST_IN_STATE,
    MOVE,
    COUNT_CLAIM,
    USED,
    RIPE,
    OVER,
    PUT_PERSON,
    PERSON,
    PERSON_OF,
    COUNT_START,
    CLEAR_STARTS,
    LOCK_STARTS,
    PUT_INVITE,
    INVITE,
    SPEND_INVITE,
    FORGET_INVITES,
    FORGET,
    FORGET_PERSONS,
];

macro_rules! columns {
    () => {
        "enrolment_id, person_id, state, dk, d, kid_s, assurance, level, commitment, claims, claims_since_ms, waits_until_ms,
     needs_operator, used_at_ms, expires_at_ms, revoked_at_ms, revision, created_at_ms"
    };
}

const PUT: &str = "INSERT INTO idp_enrolment
     (tenant_id, enrolment_id, person_id, state, dk, d, dk_sha256, kid_s, attestation_sha256, assurance, level, commitment,
      handle_mac, relay, claims, claims_since_ms, waits_until_ms, needs_operator, used_at_ms, expires_at_ms, revision, created_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, 0, $14, $15, 0, $16, 1, :now)
     ON CONFLICT DO NOTHING";
const ONE: &str =
    concat!("SELECT ", columns!(), " FROM idp_enrolment WHERE tenant_id = :tenant AND enrolment_id = $1");
const OF_PERSON: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM idp_enrolment WHERE tenant_id = :tenant AND person_id = $1 ORDER BY created_at_ms, enrolment_id LIMIT $2"
);
const OF_HANDLE: &str =
    concat!("SELECT ", columns!(), " FROM idp_enrolment WHERE tenant_id = :tenant AND handle_mac = $1");
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM idp_enrolment WHERE tenant_id = :tenant AND (created_at_ms > $1 OR (created_at_ms = $1 AND enrolment_id > $2))
     ORDER BY created_at_ms, enrolment_id LIMIT $3"
);
const LIST_IN_STATE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM idp_enrolment WHERE tenant_id = :tenant AND state = $3
       AND (created_at_ms > $1 OR (created_at_ms = $1 AND enrolment_id > $2))
     ORDER BY created_at_ms, enrolment_id LIMIT $4"
);
const MOVE: &str =
    "UPDATE idp_enrolment SET state = $3, revoked_at_ms = $4, waits_until_ms = $5, needs_operator = $6,
     relay = CASE WHEN $3 = 'revoked' THEN NULL ELSE relay END, revision = revision + 1 WHERE tenant_id = :tenant AND enrolment_id = $1 AND revision = $2";
const COUNT_CLAIM: &str = "UPDATE idp_enrolment SET claims = $2, claims_since_ms = $3
     WHERE tenant_id = :tenant AND enrolment_id = $1 AND state = 'active' AND claims = $4";
const USED: &str =
    "UPDATE idp_enrolment SET used_at_ms = :now WHERE tenant_id = :tenant AND enrolment_id = $1";
const RIPE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM idp_enrolment WHERE tenant_id = :tenant AND state = 'waiting' AND needs_operator = 0 AND waits_until_ms <= :now
     ORDER BY waits_until_ms LIMIT $1"
);
const OVER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM idp_enrolment WHERE tenant_id = :tenant AND state IN ('active', 'waiting', 'locked') AND expires_at_ms <= :now
     ORDER BY expires_at_ms LIMIT $1"
);
const PUT_PERSON: &str = "INSERT INTO idp_person
     (tenant_id, person_id, commitment, starts, starts_since_ms, pause_s, paused_until_ms, locked_until_ms, created_at_ms)
     VALUES (:tenant, $1, $2, 0, 0, 0, 0, 0, :now) ON CONFLICT DO NOTHING";
const PERSON: &str =
    "SELECT person_id, starts, starts_since_ms, pause_s, paused_until_ms, locked_until_ms FROM idp_person
     WHERE tenant_id = :tenant AND person_id = $1";
const PERSON_OF: &str = "SELECT person_id FROM idp_person WHERE tenant_id = :tenant AND commitment = $1";
const COUNT_START: &str =
    "UPDATE idp_person SET starts = $2, starts_since_ms = :now, pause_s = $3, paused_until_ms = $4
     WHERE tenant_id = :tenant AND person_id = $1 AND starts = $5 AND starts_since_ms = $6";
const CLEAR_STARTS: &str = "UPDATE idp_person SET starts = 0, pause_s = 0, paused_until_ms = 0
     WHERE tenant_id = :tenant AND person_id = $1";
const LOCK_STARTS: &str =
    "UPDATE idp_person SET locked_until_ms = $2 WHERE tenant_id = :tenant AND person_id = $1";
const PUT_INVITE: &str =
    "INSERT INTO idp_invite (tenant_id, invite_id, secret_sha256, level_min, expires_at_ms, created_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, :now)";
const INVITE: &str = "SELECT invite_id FROM idp_invite
     WHERE tenant_id = :tenant AND secret_sha256 = $1 AND expires_at_ms > :now";
const SPEND_INVITE: &str = "DELETE FROM idp_invite WHERE tenant_id = :tenant AND invite_id = $1 AND expires_at_ms > :now AND level_min <= $2";
const FORGET_INVITES: &str = "DELETE FROM idp_invite WHERE tenant_id = :tenant AND expires_at_ms <= :now";
const FORGET: &str = "DELETE FROM idp_enrolment WHERE tenant_id = :tenant AND revoked_at_ms IS NOT NULL AND revoked_at_ms < $1";
const FORGET_PERSONS: &str = "DELETE FROM idp_person WHERE tenant_id = :tenant AND created_at_ms < $1
     AND NOT EXISTS (SELECT 1 FROM idp_enrolment e WHERE e.tenant_id = idp_person.tenant_id AND e.person_id = idp_person.person_id)
     AND NOT EXISTS (SELECT 1 FROM idp_consent c WHERE c.tenant_id = idp_person.tenant_id AND c.person_id = idp_person.person_id)";

/// Members of an enrolment that nobody reads again.
pub(crate) struct NewEnrolment<'a> {
    pub(crate) enrolment: &'a Enrolment,
    pub(crate) attestation_sha256: [u8; 32],
    pub(crate) handle_mac: [u8; 32],
    pub(crate) relay: Option<&'a [u8]>,
}

pub(crate) async fn put(store: &Store, ctx: &Ctx, new: &NewEnrolment<'_>) -> Result<Stmt, StoreFault> {
    let one = new.enrolment;
    let relay = match new.relay {
        Some(contact) => Some(store.sealed(ctx, super::outbox::contact_of(&one.id), contact).await?),
        None => None,
    };
    Ok(Stmt::new(PUT)
        .text(&one.id)
        .text(&one.person)
        .text(one.state.as_str())
        .blob(one.dk.raw())
        .blob(one.d.raw())
        .blob(one.dk_sha256())
        .text(&one.kid_s)
        .blob(new.attestation_sha256)
        .text(one.classes_text())
        .int(one.level())
        .opt_blob(one.commitment)
        .blob(new.handle_mac)
        .opt_blob(relay)
        .opt_int(one.waits_until_ms)
        .bool(one.needs_operator)
        .int(one.expires_at_ms))
}

pub(crate) async fn one(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<Enrolment>, StoreFault> {
    store.read(ctx).one(Stmt::new(ONE).text(id)).await?.as_ref().map(of_row).transpose()
}

pub(crate) async fn of_person(
    store: &Store,
    ctx: &Ctx,
    person: &str,
    limit: usize,
) -> Result<Vec<Enrolment>, StoreFault> {
    many(store, ctx, Stmt::new(OF_PERSON).text(person).int(limit as i64), limit).await
}

pub(crate) async fn of_handle(
    store: &Store,
    ctx: &Ctx,
    handle_mac: [u8; 32],
) -> Result<Option<Enrolment>, StoreFault> {
    store.read(ctx).one(Stmt::new(OF_HANDLE).blob(handle_mac)).await?.as_ref().map(of_row).transpose()
}

pub(crate) async fn list(
    store: &Store,
    ctx: &Ctx,
    after: &After,
    limit: usize,
) -> Result<Vec<Enrolment>, StoreFault> {
    let stmt = Stmt::new(LIST).int(after.at_ms).text(&after.id).int(limit as i64);
    many(store, ctx, stmt, limit).await
}

pub(crate) async fn list_in_state(
    store: &Store,
    ctx: &Ctx,
    (state, after): (State, &After),
    limit: usize,
) -> Result<Vec<Enrolment>, StoreFault> {
    let stmt = Stmt::new(LIST_IN_STATE).int(after.at_ms).text(&after.id).text(state.as_str());
    many(store, ctx, stmt.int(limit as i64), limit).await
}

/// The one statement that decides between two who would move it: it must find the revision that was read.
pub(crate) fn moved(to: &Enrolment) -> Stmt {
    Stmt::new(MOVE)
        .text(&to.id)
        .int(to.revision)
        .text(to.state.as_str())
        .opt_int(to.revoked_at_ms)
        .opt_int(to.waits_until_ms)
        .bool(to.needs_operator)
}

/// Counts a claim; lost when another one was counted meanwhile.
pub(crate) fn count_claim(id: &str, claims: i64, since_ms: i64, read: i64) -> Stmt {
    Stmt::new(COUNT_CLAIM).text(id).int(claims).int(since_ms).int(read)
}

pub(crate) fn used(id: &str) -> Stmt {
    Stmt::new(USED).text(id)
}

/// Those whose wait is over.
pub(crate) async fn ripe(store: &Store, ctx: &Ctx, limit: usize) -> Result<Vec<Enrolment>, StoreFault> {
    many(store, ctx, Stmt::new(RIPE).int(limit as i64), limit).await
}

/// Those whose time is over.
pub(crate) async fn over(store: &Store, ctx: &Ctx, limit: usize) -> Result<Vec<Enrolment>, StoreFault> {
    many(store, ctx, Stmt::new(OVER).int(limit as i64), limit).await
}

/// A new person. One document makes one person, so this is a guard.
pub(crate) fn put_person(id: &str, commitment: Option<[u8; 32]>) -> Stmt {
    Stmt::new(PUT_PERSON).text(id).opt_blob(commitment)
}

/// The person that was enrolled with this document.
pub(crate) async fn person_of(
    store: &Store,
    ctx: &Ctx,
    commitment: &[u8; 32],
) -> Result<Option<String>, StoreFault> {
    store.read(ctx).one(Stmt::new(PERSON_OF).blob(*commitment)).await?.map(|row| row.text(0)).transpose()
}

pub(crate) async fn person(store: &Store, ctx: &Ctx, id: &str) -> Result<Option<Person>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(PERSON).text(id)).await?;
    row.map(|row| {
        Ok(Person {
            id: row.text(0)?,
            starts: row.int(1)?,
            started_at_ms: row.int(2)?,
            pause_s: row.int(3)?,
            paused_until_ms: row.int(4)?,
            locked_until_ms: row.int(5)?,
        })
    })
    .transpose()
}

/// Counts a start; lost when another one was counted meanwhile.
pub(crate) fn count_start(to: &Person, read: &Person) -> Stmt {
    Stmt::new(COUNT_START)
        .text(&to.id)
        .int(to.starts)
        .int(to.pause_s)
        .int(to.paused_until_ms)
        .int(read.starts)
        .int(read.started_at_ms)
}

pub(crate) fn clear_starts(person: &str) -> Stmt {
    Stmt::new(CLEAR_STARTS).text(person)
}

pub(crate) fn lock_starts(person: &str, until_ms: i64) -> Stmt {
    Stmt::new(LOCK_STARTS).text(person).int(until_ms)
}

pub(crate) fn put_invite(id: &str, secret_sha256: [u8; 32], level_min: i64, expires_at_ms: i64) -> Stmt {
    Stmt::new(PUT_INVITE).text(id).blob(secret_sha256).int(level_min).int(expires_at_ms)
}

/// The live invite of this secret.
pub(crate) async fn invite(
    store: &Store,
    ctx: &Ctx,
    secret_sha256: [u8; 32],
) -> Result<Option<String>, StoreFault> {
    store.read(ctx).one(Stmt::new(INVITE).blob(secret_sha256)).await?.map(|row| row.text(0)).transpose()
}

/// Spends an invite once, if the level is what it asks for.
pub(crate) fn spend_invite(id: &str, level: i64) -> Stmt {
    Stmt::new(SPEND_INVITE).text(id).int(level)
}

/// What is past its time: invites; devices 90 days after they ended, and people without any.
pub(crate) fn forget(before_ms: i64) -> Vec<Stmt> {
    vec![
        Stmt::new(FORGET_INVITES),
        Stmt::new(FORGET).int(before_ms),
        Stmt::new(FORGET_PERSONS).int(before_ms),
    ]
}

async fn many(store: &Store, ctx: &Ctx, stmt: Stmt, limit: usize) -> Result<Vec<Enrolment>, StoreFault> {
    store.read(ctx).many(stmt, limit).await?.iter().map(of_row).collect()
}

fn of_row(row: &Row) -> Result<Enrolment, StoreFault> {
    let broken = |index| StoreFault::Column { index, wanted: "what the room wrote" };
    let key = |index| {
        row.blob(index).and_then(|raw| PublicKey::from_raw(KeyAlg::P256, raw).map_err(|_| broken(index)))
    };
    let (anchor, device) = crate::enrolment::classes_of(&row.text(6)?).ok_or_else(|| broken(6))?;
    Ok(Enrolment {
        id: row.text(0)?,
        person: row.text(1)?,
        state: State::parse(&row.text(2)?).ok_or_else(|| broken(2))?,
        dk: key(3)?,
        d: key(4)?,
        kid_s: row.text(5)?,
        anchor,
        device,
        commitment: row.opt_blob(8)?.map(|hash| hash.try_into().map_err(|_| broken(8))).transpose()?,
        claims: row.int(9)?,
        claims_since_ms: row.int(10)?,
        waits_until_ms: row.opt_int(11)?,
        needs_operator: row.bool(12)?,
        used_at_ms: row.int(13)?,
        expires_at_ms: row.int(14)?,
        revoked_at_ms: row.opt_int(15)?,
        revision: row.int(16)?,
        created_at_ms: row.int(17)?,
    })
}
