//! Passkeys, and the tickets by which they are added.

use crypto::webauthn::{Flags, Passkey};
use store::{Ctx, Row, Stmt, Store, StoreFault};

pub(super) const STATEMENTS: &[&str] =
    &[PUT, OF_CREDENTIAL, OF_PERSON, COUNT, USE, REMOVE, PUT_TICKET, TICKET, SPEND_TICKET, FORGET_TICKETS];

const PUT: &str = "INSERT INTO idp_passkey
     (tenant_id, passkey_id, person_id, credential_sha256, credential_id, public_key, alg, sign_count, backup_eligible, backed_up,
      aaguid, attested, created_at_ms, used_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, :now, :now) ON CONFLICT DO NOTHING";
const OF_CREDENTIAL: &str = "SELECT passkey_id, person_id, credential_id, public_key, alg, sign_count, backup_eligible, backed_up,
     aaguid, attested, created_at_ms, used_at_ms FROM idp_passkey WHERE tenant_id = :tenant AND credential_sha256 = $1";
const OF_PERSON: &str =
    "SELECT passkey_id, person_id, credential_id, public_key, alg, sign_count, backup_eligible, backed_up,
     aaguid, attested, created_at_ms, used_at_ms FROM idp_passkey
     WHERE tenant_id = :tenant AND person_id = $1 ORDER BY created_at_ms, passkey_id LIMIT $2";
const COUNT: &str = "SELECT COUNT(*) FROM idp_passkey WHERE tenant_id = :tenant AND person_id = $1";
const USE: &str = "UPDATE idp_passkey SET sign_count = $3, backed_up = $4, used_at_ms = :now
     WHERE tenant_id = :tenant AND passkey_id = $1 AND sign_count = $2";
const REMOVE: &str =
    "DELETE FROM idp_passkey WHERE tenant_id = :tenant AND passkey_id = $1 AND person_id = $2";
const PUT_TICKET: &str =
    "INSERT INTO idp_passkey_ticket (tenant_id, ticket_sha256, person_id, challenge, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, $4)";
const TICKET: &str = "SELECT person_id, challenge FROM idp_passkey_ticket
     WHERE tenant_id = :tenant AND ticket_sha256 = $1 AND expires_at_ms > :now";
const SPEND_TICKET: &str = "DELETE FROM idp_passkey_ticket WHERE tenant_id = :tenant AND ticket_sha256 = $1 AND expires_at_ms > :now";
const FORGET_TICKETS: &str =
    "DELETE FROM idp_passkey_ticket WHERE tenant_id = :tenant AND expires_at_ms <= :now";

/// A passkey as it stands.
pub(crate) struct PasskeyRow {
    pub(crate) id: String,
    pub(crate) person: String,
    pub(crate) passkey: Passkey,
    pub(crate) attested: bool,
    pub(crate) created_at_ms: i64,
    pub(crate) used_at_ms: i64,
}

/// A ticket that counts.
pub(crate) struct Ticket {
    pub(crate) person: String,
    pub(crate) challenge: [u8; 32],
}

/// A credential id is new or the row is not written; as a guard it tells.
pub(crate) fn put(id: &str, person: &str, passkey: &Passkey) -> Stmt {
    Stmt::new(PUT)
        .text(id)
        .text(person)
        .blob(crypto::hash::sha256(&passkey.credential_id))
        .blob(passkey.credential_id.clone())
        .blob(passkey.key.spki_der())
        .text(passkey.alg.jws_name())
        .int(i64::from(passkey.counter))
        .bool(passkey.flags.backup_eligible)
        .bool(passkey.flags.backed_up)
        .blob(passkey.aaguid)
        .bool(passkey.attestation.is_rooted())
}

pub(crate) async fn of_credential(
    store: &Store,
    ctx: &Ctx,
    credential_id: &[u8],
) -> Result<Option<PasskeyRow>, StoreFault> {
    let stmt = Stmt::new(OF_CREDENTIAL).blob(crypto::hash::sha256(credential_id));
    store.read(ctx).one(stmt).await?.as_ref().map(of_row).transpose()
}

pub(crate) async fn of_person(
    store: &Store,
    ctx: &Ctx,
    person: &str,
    limit: usize,
) -> Result<Vec<PasskeyRow>, StoreFault> {
    let stmt = Stmt::new(OF_PERSON).text(person).int(limit as i64);
    store.read(ctx).many(stmt, limit).await?.iter().map(of_row).collect()
}

pub(crate) async fn count(store: &Store, ctx: &Ctx, person: &str) -> Result<i64, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(COUNT).text(person)).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// Keeps the counter: the guard that decides between two uses at once.
pub(crate) fn used(row: &PasskeyRow, counter: u32, backed_up: bool) -> Stmt {
    Stmt::new(USE).text(&row.id).int(i64::from(row.passkey.counter)).int(i64::from(counter)).bool(backed_up)
}

pub(crate) fn remove(id: &str, person: &str) -> Stmt {
    Stmt::new(REMOVE).text(id).text(person)
}

pub(crate) fn put_ticket(
    ticket_sha256: [u8; 32],
    person: &str,
    challenge: [u8; 32],
    expires_at_ms: i64,
) -> Stmt {
    Stmt::new(PUT_TICKET).blob(ticket_sha256).text(person).blob(challenge).int(expires_at_ms)
}

pub(crate) async fn ticket(
    store: &Store,
    ctx: &Ctx,
    ticket_sha256: [u8; 32],
) -> Result<Option<Ticket>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(TICKET).blob(ticket_sha256)).await?;
    row.map(|row| Ok(Ticket { person: row.text(0)?, challenge: row.array(1)? })).transpose()
}

/// Spends a ticket once.
pub(crate) fn spend_ticket(ticket_sha256: [u8; 32]) -> Stmt {
    Stmt::new(SPEND_TICKET).blob(ticket_sha256)
}

pub(crate) fn forget_tickets() -> Stmt {
    Stmt::new(FORGET_TICKETS)
}

fn of_row(row: &Row) -> Result<PasskeyRow, StoreFault> {
    let broken = |index| StoreFault::Column { index, wanted: "what the room wrote" };
    let flags = Flags { backup_eligible: row.bool(6)?, backed_up: row.bool(7)? };
    let key = (row.blob(3)?, row.text(4)?);
    let passkey = Passkey::kept(row.blob(2)?, (&key.0, &key.1), row.int(5)?, flags, row.array(8)?);
    Ok(PasskeyRow {
        id: row.text(0)?,
        person: row.text(1)?,
        passkey: passkey.ok_or_else(|| broken(3))?,
        attested: row.bool(9)?,
        created_at_ms: row.int(10)?,
        used_at_ms: row.int(11)?,
    })
}
