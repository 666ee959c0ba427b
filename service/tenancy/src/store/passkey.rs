//! Passkeys of operators, and the challenges that they answer.

use crypto::hash;
use crypto::webauthn::{Flags, Passkey};
use store::{Ctx, Field, Row, Stmt, Store, StoreFault, TenantId};

pub(super) const PUT: &str = "INSERT INTO tenancy_operator_passkey
     (tenant_id, passkey_id, operator_id, credential_sha256, credential_id, public_key, alg, sign_count, backup_eligible, backed_up,
      aaguid, label, created_at_ms, used_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, :now, :now) ON CONFLICT DO NOTHING";
pub(super) const OF_CREDENTIAL: &str =
    "SELECT p.tenant_id, p.operator_id, p.passkey_id, p.credential_id, p.public_key, p.alg, p.sign_count,
     p.backup_eligible, p.backed_up, p.aaguid FROM tenancy_operator_passkey p
     JOIN tenancy_operator o ON o.tenant_id = p.tenant_id AND o.operator_id = p.operator_id
     WHERE p.credential_sha256 = $1 AND o.revoked_at_ms IS NULL";
pub(super) const OF_OPERATOR: &str =
    "SELECT passkey_id, label, backup_eligible, created_at_ms, used_at_ms FROM tenancy_operator_passkey
     WHERE tenant_id = :tenant AND operator_id = $1 ORDER BY created_at_ms, passkey_id LIMIT $2";
pub(super) const COUNT: &str =
    "SELECT COUNT(*) FROM tenancy_operator_passkey WHERE tenant_id = :tenant AND operator_id = $1";
pub(super) const USE: &str =
    "UPDATE tenancy_operator_passkey SET sign_count = $3, backed_up = $4, used_at_ms = :now
     WHERE tenant_id = :tenant AND passkey_id = $1 AND sign_count = $2";
pub(super) const REMOVE: &str =
    "DELETE FROM tenancy_operator_passkey WHERE tenant_id = :tenant AND passkey_id = $1 AND operator_id = $2";
pub(super) const END: &str =
    "DELETE FROM tenancy_operator_passkey WHERE tenant_id = :tenant AND operator_id = $1";
pub(super) const PUT_CHALLENGE: &str =
    "INSERT INTO tenancy_operator_challenge (tenant_id, challenge_sha256, operator_id, expires_at_ms)
     VALUES (:tenant, $1, $2, $3)";
pub(super) const CHALLENGES_COUNT: &str = "SELECT COUNT(*) FROM tenancy_operator_challenge";
// By its hash alone: whose it is stands in the row, and one of nobody yet is answered inside the tenant of whoever it turns out to be.
pub(super) const SPEND_CHALLENGE: &str = "DELETE FROM tenancy_operator_challenge
     WHERE challenge_sha256 = $1 AND operator_id = $2 AND expires_at_ms > :now";
pub(super) const EXPIRE_CHALLENGES: &str =
    "DELETE FROM tenancy_operator_challenge WHERE expires_at_ms <= :now";

/// A passkey with its operator, in whichever tenant.
pub(crate) struct PasskeyRow {
    pub(crate) tenant: TenantId,
    pub(crate) operator_id: String,
    pub(crate) id: String,
    pub(crate) passkey: Passkey,
}

/// A passkey as lists show it, its label still sealed.
pub(crate) struct LineRow {
    pub(crate) id: String,
    pub(crate) label: Vec<u8>,
    pub(crate) synced: bool,
    pub(crate) created_at_ms: i64,
    pub(crate) used_at_ms: i64,
}

/// Where a passkey's label is sealed.
pub(crate) fn label_field(passkey_id: &str) -> Field<'_> {
    Field { table: "tenancy_operator_passkey", column: "label", row: passkey_id }
}

/// A credential is new or the row is not written; as a guard it tells.
pub(crate) fn put(id: &str, operator_id: &str, passkey: &Passkey, sealed_label: Vec<u8>) -> Stmt {
    Stmt::new(PUT)
        .text(id)
        .text(operator_id)
        .blob(hash::sha256(&passkey.credential_id))
        .blob(passkey.credential_id.clone())
        .blob(passkey.key.spki_der())
        .text(passkey.alg.jws_name())
        .int(i64::from(passkey.counter))
        .bool(passkey.flags.backup_eligible)
        .bool(passkey.flags.backed_up)
        .blob(passkey.aaguid)
        .blob(sealed_label)
}

/// The passkey of a credential whose operator may act: a credential names no tenant.
pub(crate) async fn of_credential(
    store: &Store,
    ctx: &Ctx,
    credential_id: &[u8],
) -> Result<Option<PasskeyRow>, StoreFault> {
    let stmt = Stmt::new(OF_CREDENTIAL).blob(hash::sha256(credential_id));
    store.read(ctx).one(stmt).await?.as_ref().map(of_row).transpose()
}

pub(crate) async fn of_operator(
    store: &Store,
    ctx: &Ctx,
    operator_id: &str,
    limit: usize,
) -> Result<Vec<LineRow>, StoreFault> {
    let stmt = Stmt::new(OF_OPERATOR).text(operator_id).int(i64::try_from(limit).unwrap_or(i64::MAX));
    let line = |row: &Row| {
        Ok(LineRow {
            id: row.text(0)?,
            label: row.blob(1)?,
            synced: row.bool(2)?,
            created_at_ms: row.int(3)?,
            used_at_ms: row.int(4)?,
        })
    };
    store.read(ctx).many(stmt, limit).await?.iter().map(line).collect()
}

pub(crate) async fn count(store: &Store, ctx: &Ctx, operator_id: &str) -> Result<i64, StoreFault> {
    store.read(ctx).one(Stmt::new(COUNT).text(operator_id)).await?.map_or(Ok(0), |row| row.int(0))
}

/// Keeps the counter: the guard that decides between two uses at once.
pub(crate) fn used(row: &PasskeyRow, counter: u32, backed_up: bool) -> Stmt {
    Stmt::new(USE).text(&row.id).int(i64::from(row.passkey.counter)).int(i64::from(counter)).bool(backed_up)
}

pub(crate) fn remove(id: &str, operator_id: &str) -> Stmt {
    Stmt::new(REMOVE).text(id).text(operator_id)
}

pub(crate) fn end(operator_id: &str) -> Stmt {
    Stmt::new(END).text(operator_id)
}

/// `operator_id` is empty for nobody yet.
pub(crate) fn put_challenge(challenge_sha256: [u8; 32], operator_id: &str, expires_at_ms: i64) -> Stmt {
    Stmt::new(PUT_CHALLENGE).blob(challenge_sha256).text(operator_id).int(expires_at_ms)
}

pub(crate) async fn challenges_count(store: &Store, ctx: &Ctx) -> Result<i64, StoreFault> {
    store.read(ctx).one(Stmt::new(CHALLENGES_COUNT)).await?.map_or(Ok(0), |row| row.int(0))
}

/// Spends a challenge once; as a guard it tells.
pub(crate) fn spend_challenge(challenge: &[u8], operator_id: &str) -> Stmt {
    Stmt::new(SPEND_CHALLENGE).blob(hash::sha256(challenge)).text(operator_id)
}

pub(crate) fn expire_challenges() -> Stmt {
    Stmt::new(EXPIRE_CHALLENGES)
}

fn of_row(row: &Row) -> Result<PasskeyRow, StoreFault> {
    let broken = |index| StoreFault::Column { index, wanted: "what the room wrote" };
    let flags = Flags { backup_eligible: row.bool(7)?, backed_up: row.bool(8)? };
    let key = (row.blob(4)?, row.text(5)?);
    let passkey = Passkey::kept(row.blob(3)?, (&key.0, &key.1), row.int(6)?, flags, row.array(9)?);
    Ok(PasskeyRow {
        tenant: super::tenant_id(row, 0)?,
        operator_id: row.text(1)?,
        id: row.text(2)?,
        passkey: passkey.ok_or_else(|| broken(4))?,
    })
}
