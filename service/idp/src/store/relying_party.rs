//! Relying parties and the challenges that they, and enrolling devices, have to sign.

use crate::relying_party::{Metadata, RelyingParty, State};
use serde_json::Value;
use store::{Ctx, Row, Stmt, Store, StoreFault};
use tenancy::After;

pub(super) const STATEMENTS: &[&str] = &[
    PUT,
    ONE,
    LIST,
    CHANGE,
    SEAL,
    REMOVE,
    EXPIRING,
    PUT_CHALLENGE,
    CHALLENGE,
    SPEND_CHALLENGE,
    FORGET_CHALLENGES,
];

const PUT: &str = "INSERT INTO idp_relying_party
     (tenant_id, client_id, name, state, metadata, keys, secret_sha256, revision, created_at_ms)
     VALUES (:tenant, $1, $2, $3, $4, $5, $6, 1, :now)";
const ONE: &str = "SELECT client_id, state, metadata, keys, secret_sha256, service_seal, seal_id, sealed_until_ms, revision,
     created_at_ms FROM idp_relying_party WHERE tenant_id = :tenant AND client_id = $1";
const LIST: &str = "SELECT client_id, state, metadata, keys, secret_sha256, service_seal, seal_id, sealed_until_ms, revision,
     created_at_ms FROM idp_relying_party
     WHERE tenant_id = :tenant AND (created_at_ms > $1 OR (created_at_ms = $1 AND client_id > $2))
     ORDER BY created_at_ms, client_id LIMIT $3";
const CHANGE: &str =
    "UPDATE idp_relying_party SET name = $3, state = $4, metadata = $5, keys = $6, secret_sha256 = $7, revision = revision + 1
     WHERE tenant_id = :tenant AND client_id = $1 AND revision = $2";
const SEAL: &str = "UPDATE idp_relying_party
     SET state = 'active', keys = $3, service_seal = $4, seal_id = $5, sealed_until_ms = $6, revision = revision + 1
     WHERE tenant_id = :tenant AND client_id = $1 AND revision = $2";
const REMOVE: &str =
    "DELETE FROM idp_relying_party WHERE tenant_id = :tenant AND client_id = $1 AND revision = $2";
const EXPIRING: &str = "SELECT client_id FROM idp_relying_party
     WHERE tenant_id = :tenant AND state = 'active' AND sealed_until_ms <= $1 ORDER BY sealed_until_ms LIMIT $2";
const PUT_CHALLENGE: &str = "INSERT INTO idp_challenge (tenant_id, about, challenge, invite_id, expires_at_ms)
     VALUES (:tenant, $1, $2, $3, $4)
     ON CONFLICT (tenant_id, about) DO UPDATE SET challenge = excluded.challenge, expires_at_ms = excluded.expires_at_ms";
const CHALLENGE: &str = "SELECT challenge, invite_id FROM idp_challenge
     WHERE tenant_id = :tenant AND about = $1 AND expires_at_ms > :now";
const SPEND_CHALLENGE: &str = "DELETE FROM idp_challenge
     WHERE tenant_id = :tenant AND about = $1 AND challenge = $2 AND expires_at_ms > :now";
const FORGET_CHALLENGES: &str =
    "DELETE FROM idp_challenge WHERE tenant_id = :tenant AND expires_at_ms <= :now";

/// What somebody has to sign.
pub(crate) struct Challenge {
    pub(crate) challenge: [u8; 32],
    pub(crate) invite: Option<String>,
}

pub(crate) fn put(party: &RelyingParty) -> Stmt {
    Stmt::new(PUT)
        .text(&party.client_id)
        .text(&party.metadata.name)
        .text(party.state.as_str())
        .text(party.metadata.to_text())
        .text(Value::Array(party.keys.clone()).to_string())
        .opt_blob(party.secret_sha256)
}

pub(crate) async fn one(
    store: &Store,
    ctx: &Ctx,
    client_id: &str,
) -> Result<Option<RelyingParty>, StoreFault> {
    store.read(ctx).one(Stmt::new(ONE).text(client_id)).await?.as_ref().map(of_row).transpose()
}

pub(crate) async fn list(
    store: &Store,
    ctx: &Ctx,
    after: &After,
    limit: usize,
) -> Result<Vec<RelyingParty>, StoreFault> {
    let stmt = Stmt::new(LIST).int(after.at_ms).text(&after.id).int(limit as i64);
    store.read(ctx).many(stmt, limit).await?.iter().map(of_row).collect()
}

/// The one statement that decides between two who would change it: it must find the revision that was read.
pub(crate) fn change(party: &RelyingParty) -> Stmt {
    Stmt::new(CHANGE)
        .text(&party.client_id)
        .int(party.revision)
        .text(&party.metadata.name)
        .text(party.state.as_str())
        .text(party.metadata.to_text())
        .text(Value::Array(party.keys.clone()).to_string())
        .opt_blob(party.secret_sha256)
}

/// Gives it a seal, and the keys that the seal names.
pub(crate) fn seal(party: &RelyingParty, (seal_id, seal): (&str, &[u8]), until_ms: i64) -> Stmt {
    Stmt::new(SEAL)
        .text(&party.client_id)
        .int(party.revision)
        .text(Value::Array(party.keys.clone()).to_string())
        .blob(seal)
        .text(seal_id)
        .int(until_ms)
}

pub(crate) fn remove(party: &RelyingParty) -> Stmt {
    Stmt::new(REMOVE).text(&party.client_id).int(party.revision)
}

/// Those whose seal ends before `before_ms`.
pub(crate) async fn expiring(
    store: &Store,
    ctx: &Ctx,
    before_ms: i64,
    limit: usize,
) -> Result<Vec<String>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(EXPIRING).int(before_ms).int(limit as i64), limit).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// A challenge for `about` (`rp_…` or `enr_…`); one before it is void.
pub(crate) fn put_challenge(
    about: &str,
    challenge: &[u8; 32],
    invite: Option<&str>,
    expires_at_ms: i64,
) -> Stmt {
    Stmt::new(PUT_CHALLENGE).text(about).blob(*challenge).opt_text(invite).int(expires_at_ms)
}

pub(crate) async fn challenge(
    store: &Store,
    ctx: &Ctx,
    about: &str,
) -> Result<Option<Challenge>, StoreFault> {
    let row = store.read(ctx).one(Stmt::new(CHALLENGE).text(about)).await?;
    row.map(|row| Ok(Challenge { challenge: row.array(0)?, invite: row.opt_text(1)? })).transpose()
}

/// Spends a challenge once.
pub(crate) fn spend_challenge(about: &str, challenge: &[u8; 32]) -> Stmt {
    Stmt::new(SPEND_CHALLENGE).text(about).blob(*challenge)
}

pub(crate) fn forget_challenges() -> Stmt {
    Stmt::new(FORGET_CHALLENGES)
}

fn of_row(row: &Row) -> Result<RelyingParty, StoreFault> {
    let broken = |index| StoreFault::Column { index, wanted: "what the room wrote" };
    let keys: Value = serde_json::from_str(&row.text(3)?).map_err(|_| broken(3))?;
    Ok(RelyingParty {
        client_id: row.text(0)?,
        state: State::parse(&row.text(1)?).ok_or_else(|| broken(1))?,
        metadata: Metadata::from_text(&row.text(2)?).ok_or_else(|| broken(2))?,
        keys: keys.as_array().cloned().ok_or_else(|| broken(3))?,
        secret_sha256: row.opt_blob(4)?.map(|hash| hash.try_into().map_err(|_| broken(4))).transpose()?,
        service_seal: row.opt_blob(5)?,
        seal_id: row.opt_text(6)?,
        sealed_until_ms: row.opt_int(7)?,
        revision: row.int(8)?,
        created_at_ms: row.int(9)?,
    })
}
