//! Passkeys, and the tickets by which they are added.

use crypto::webauthn::{Flags, Passkey};
use store::{Ctx, Row, Stmt, Store, StoreFault};

pub(super) const STATEMENTS: &[&str] = &[
    PUT,
    OF_CREDENTIAL,
    OF_PERSON,
    COUNT,
    USE,
    REMOVE,
    FORGET,
    PUT_TICKET,
    TICKET,
    SPEND_TICKET,
    FORGET_TICKETS,
];

const PUT: &str = "INSERT INTO idp_passkey
     (tenant_id, passkey_id, person_id, credential_sha256, credential_id, public_key, alg, sign_count, backup_eligible, backed_up,
      aaguid, attested, enrolment_id, created_at_ms, used_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, :now, :now) ON CONFLICT DO NOTHING";
const OF_CREDENTIAL: &str = "SELECT passkey_id, person_id, credential_id, public_key, alg, sign_count, backup_eligible, backed_up,
     aaguid, attested, created_at_ms, used_at_ms, enrolment_id FROM idp_passkey WHERE tenant_id = :tenant AND credential_sha256 = $1";
const OF_PERSON: &str =
    "SELECT passkey_id, person_id, credential_id, public_key, alg, sign_count, backup_eligible, backed_up,
     aaguid, attested, created_at_ms, used_at_ms, enrolment_id FROM idp_passkey
     WHERE tenant_id = :tenant AND person_id = $1 ORDER BY created_at_ms, passkey_id LIMIT $2";
const COUNT: &str = "SELECT COUNT(*) FROM idp_passkey p
     JOIN idp_enrolment e ON e.tenant_id = p.tenant_id AND e.enrolment_id = p.enrolment_id
     WHERE p.tenant_id = :tenant AND p.person_id = $1 AND e.state = 'active' AND e.expires_at_ms > :now";
const USE: &str = "UPDATE idp_passkey SET sign_count = $3, backed_up = $4, used_at_ms = :now
     WHERE tenant_id = :tenant AND passkey_id = $1 AND sign_count = $2";
const REMOVE: &str =
    "DELETE FROM idp_passkey WHERE tenant_id = :tenant AND passkey_id = $1 AND person_id = $2";
const FORGET: &str =
    "DELETE FROM idp_passkey WHERE tenant_id = :tenant AND NOT EXISTS (SELECT 1 FROM idp_enrolment e
     WHERE e.tenant_id = idp_passkey.tenant_id AND e.enrolment_id = idp_passkey.enrolment_id)";
const PUT_TICKET: &str =
    "INSERT INTO idp_passkey_ticket (tenant_id, ticket_sha256, person_id, challenge, expires_at_ms, enrolment_id)
     VALUES (:tenant, $1, $2, $3, $4, $5)";
const TICKET: &str = "SELECT person_id, challenge, enrolment_id FROM idp_passkey_ticket
     WHERE tenant_id = :tenant AND ticket_sha256 = $1 AND expires_at_ms > :now";
const SPEND_TICKET: &str = "DELETE FROM idp_passkey_ticket WHERE tenant_id = :tenant AND ticket_sha256 = $1 AND expires_at_ms > :now";
const FORGET_TICKETS: &str =
    "DELETE FROM idp_passkey_ticket WHERE tenant_id = :tenant AND expires_at_ms <= :now";

/// A passkey as it stands.
pub(crate) struct PasskeyRow {
    pub(crate) id: String,
    pub(crate) person: String,
    /// The device whose wallet asked for it.
    pub(crate) enrolment: String,
    pub(crate) passkey: Passkey,
    pub(crate) attested: bool,
    pub(crate) created_at_ms: i64,
    pub(crate) used_at_ms: i64,
}

/// A ticket that counts.
pub(crate) struct Ticket {
    pub(crate) person: String,
    pub(crate) enrolment: String,
    pub(crate) challenge: [u8; 32],
}

/// A credential id is new or the row is not written; as a guard it tells.
pub(crate) fn put(id: &str, (person, enrolment): (&str, &str), passkey: &Passkey) -> Stmt {
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
        .text(enrolment)
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

/// How many passkeys of a person may sign in now: those of devices that may.
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

/// Forgets the passkeys of devices that are forgotten.
pub(crate) fn forget() -> Stmt {
    Stmt::new(FORGET)
}

pub(crate) fn put_ticket(
    ticket_sha256: [u8; 32],
    (person, enrolment): (&str, &str),
    challenge: [u8; 32],
    expires_at_ms: i64,
) -> Stmt {
    Stmt::new(PUT_TICKET).blob(ticket_sha256).text(person).blob(challenge).int(expires_at_ms).text(enrolment)
}

pub(crate) async fn ticket(
    store: &Store,
    ctx: &Ctx,
    ticket_sha256: [u8; 32],
) -> Result<Option<Ticket>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(TICKET).blob(ticket_sha256)).await?;
    let ticket =
        |row: Row| Ok(Ticket { person: row.text(0)?, challenge: row.array(1)?, enrolment: row.text(2)? });
    row.map(ticket).transpose()
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
        // Nobody's, if it was there before any device stood beside it and none was found.
        enrolment: row.opt_text(12)?.unwrap_or_default(),
    })
}
