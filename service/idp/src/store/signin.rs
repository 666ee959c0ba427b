//! Sign-ins in the making, and token ids that were seen.

use crypto::secret::Secret;
use store::{Ctx, Field, Row, Stmt, Store, StoreFault};

pub(super) const STATEMENTS: &[&str] = &[
    PUT,
    ONE,
    OF_REQUEST,
    INBOX,
    CLAIM,
    EXTEND,
    ASSERT,
    ADDRESS,
    UNADDRESS,
    END,
    END_IN_BROWSER,
    DROP,
    LATE,
    SPEND_JTI,
    FORGET_JTIS,
];

macro_rules! columns {
    () => {
        "sid, state, client_id, request, request_sha256, ctx, point, ephemeral, kid_s, t0, browser_sha256, hint,
     assertion_needed, asserted, assertion, addressed, asserted_person, enrolment_id, renewals, created_at_ms, expires_at_ms,
     ends_at_ms"
    };
}

const PUT: &str = concat!(
    "INSERT INTO idp_signin (tenant_id, ",
    columns!(),
    ") VALUES (:tenant, $1, 'open', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, NULL, NULL, NULL, NULL, $13, :now, $14, $15)"
);
const ONE: &str = concat!("SELECT ", columns!(), " FROM idp_signin WHERE tenant_id = :tenant AND sid = $1");
const OF_REQUEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM idp_signin WHERE tenant_id = :tenant AND request_sha256 = $1 AND browser_sha256 = $2 AND expires_at_ms > :now
     ORDER BY created_at_ms DESC LIMIT 1"
);
const INBOX: &str = "SELECT sid, expires_at_ms FROM idp_signin
     WHERE tenant_id = :tenant AND addressed = $1 AND expires_at_ms > :now
     AND (state = 'open' OR enrolment_id = $2) ORDER BY created_at_ms LIMIT $3";
const CLAIM: &str =
    "UPDATE idp_signin SET state = 'claimed', enrolment_id = $2, expires_at_ms = $3, addressed = $4
     WHERE tenant_id = :tenant AND sid = $1 AND state = 'open' AND expires_at_ms > :now
     AND (asserted = 0 OR asserted_person = $4)";
const EXTEND: &str = "UPDATE idp_signin SET expires_at_ms = $2
     WHERE tenant_id = :tenant AND sid = $1 AND state = 'claimed' AND expires_at_ms > :now AND expires_at_ms <= $2";
const ASSERT: &str = "UPDATE idp_signin
     SET asserted = 1, assertion = $2, asserted_person = $3, addressed = CASE WHEN state = 'open' THEN $3 ELSE addressed END
     WHERE tenant_id = :tenant AND sid = $1 AND asserted = 0 AND expires_at_ms > :now";
const ADDRESS: &str = "UPDATE idp_signin SET addressed = $2
     WHERE tenant_id = :tenant AND sid = $1 AND state = 'open' AND expires_at_ms > :now";
const UNADDRESS: &str = "UPDATE idp_signin SET addressed = NULL
     WHERE tenant_id = :tenant AND addressed = $1 AND sid <> $2 AND state = 'open'";
const END: &str = "DELETE FROM idp_signin
     WHERE tenant_id = :tenant AND sid = $1 AND state = 'claimed' AND enrolment_id = $2 AND expires_at_ms > :now
     AND ($3 = 0 OR assertion_needed = 0 OR asserted = 1)";
const END_IN_BROWSER: &str =
    "DELETE FROM idp_signin WHERE tenant_id = :tenant AND sid = $1 AND state = $2 AND expires_at_ms > :now";
const DROP: &str = "DELETE FROM idp_signin
     WHERE tenant_id = :tenant AND sid = $1 AND state = $2 AND expires_at_ms = $3";
const LATE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM idp_signin WHERE tenant_id = :tenant AND expires_at_ms <= :now ORDER BY expires_at_ms LIMIT $1"
);
const SPEND_JTI: &str = "INSERT INTO idp_jti (tenant_id, jti_sha256, expires_at_ms) VALUES (:tenant, $1, $2) ON CONFLICT DO NOTHING";
const FORGET_JTIS: &str = "DELETE FROM idp_jti WHERE tenant_id = :tenant AND expires_at_ms <= :now";

/// A sign-in as it is written.
pub(crate) struct NewSignin<'a> {
    pub(crate) sid: [u8; 16],
    pub(crate) client_id: &'a str,
    pub(crate) request: &'a [u8],
    pub(crate) request_sha256: [u8; 32],
    pub(crate) context: &'a str,
    pub(crate) point: &'a [u8],
    pub(crate) ephemeral: &'a [u8],
    pub(crate) kid_s: &'a str,
    pub(crate) t0: [u8; 32],
    pub(crate) browser_sha256: [u8; 32],
    pub(crate) hint: &'a [u8],
    pub(crate) assertion_needed: bool,
    pub(crate) renewals: u8,
    pub(crate) expires_at_ms: i64,
    pub(crate) ends_at_ms: i64,
}

/// A sign-in as it stands, still sealed.
pub(crate) struct SigninRow {
    pub(crate) sid: [u8; 16],
    pub(crate) state: String,
    pub(crate) client_id: String,
    request: Vec<u8>,
    pub(crate) request_sha256: [u8; 32],
    pub(crate) context: String,
    pub(crate) point: Vec<u8>,
    ephemeral: Vec<u8>,
    pub(crate) kid_s: String,
    pub(crate) t0: [u8; 32],
    pub(crate) browser_sha256: [u8; 32],
    hint: Vec<u8>,
    pub(crate) assertion_needed: bool,
    assertion: Option<Vec<u8>>,
    pub(crate) addressed: Option<String>,
    pub(crate) asserted_person: Option<String>,
    pub(crate) enrolment: Option<String>,
    pub(crate) renewals: u8,
    pub(crate) expires_at_ms: i64,
    pub(crate) ends_at_ms: i64,
}

impl SigninRow {
    /// `sig_…`.
    pub(crate) fn name(&self) -> String {
        name(&self.sid)
    }

    pub(crate) async fn request(&self, store: &Store, ctx: &Ctx) -> Result<Secret<Vec<u8>>, StoreFault> {
        store.opened(ctx, field("request", &self.name()), &self.request).await
    }

    pub(crate) async fn ephemeral(&self, store: &Store, ctx: &Ctx) -> Result<Secret<Vec<u8>>, StoreFault> {
        store.opened(ctx, field("ephemeral", &self.name()), &self.ephemeral).await
    }

    pub(crate) async fn hint(&self, store: &Store, ctx: &Ctx) -> Result<Secret<Vec<u8>>, StoreFault> {
        store.opened(ctx, field("hint", &self.name()), &self.hint).await
    }

    pub(crate) async fn assertion(
        &self,
        store: &Store,
        ctx: &Ctx,
    ) -> Result<Option<Secret<Vec<u8>>>, StoreFault> {
        match &self.assertion {
            Some(sealed) => store.opened(ctx, field("assertion", &self.name()), sealed).await.map(Some),
            None => Ok(None),
        }
    }
}

/// A sign-in's name in lists and events.
pub(crate) fn name(sid: &[u8; 16]) -> String {
    store::id::from_bits("sig", sid)
}

pub(crate) async fn put(store: &Store, ctx: &Ctx, new: &NewSignin<'_>) -> Result<Stmt, StoreFault> {
    let row = name(&new.sid);
    Ok(Stmt::new(PUT)
        .blob(new.sid)
        .text(new.client_id)
        .blob(store.sealed(ctx, field("request", &row), new.request).await?)
        .blob(new.request_sha256)
        .text(new.context)
        .blob(new.point)
        .blob(store.sealed(ctx, field("ephemeral", &row), new.ephemeral).await?)
        .text(new.kid_s)
        .blob(new.t0)
        .blob(new.browser_sha256)
        .blob(store.sealed(ctx, field("hint", &row), new.hint).await?)
        .bool(new.assertion_needed)
        .int(new.renewals.into())
        .int(new.expires_at_ms)
        .int(new.ends_at_ms))
}

pub(crate) async fn one(store: &Store, ctx: &Ctx, sid: &[u8; 16]) -> Result<Option<SigninRow>, StoreFault> {
    store.read(ctx).one(Stmt::new(ONE).blob(*sid)).await?.as_ref().map(of_row).transpose()
}

/// The live sign-in that this browser began with this request.
pub(crate) async fn of_request(
    store: &Store,
    ctx: &Ctx,
    request_sha256: &[u8; 32],
    browser_sha256: &[u8; 32],
) -> Result<Option<SigninRow>, StoreFault> {
    let stmt = Stmt::new(OF_REQUEST).blob(*request_sha256).blob(*browser_sha256);
    store.read(ctx).one(stmt).await?.as_ref().map(of_row).transpose()
}

/// Live sign-ins addressed to a person, as one of their devices may see them: id and end.
pub(crate) async fn inbox(
    store: &Store,
    ctx: &Ctx,
    (person, enrolment): (&str, &str),
    limit: usize,
) -> Result<Vec<([u8; 16], i64)>, StoreFault> {
    let stmt = Stmt::new(INBOX).text(person).text(enrolment).int(limit as i64);
    let item = |row: &Row| Ok((row.array(0)?, row.int(1)?));
    store.read(ctx).many(stmt, limit).await?.iter().map(item).collect()
}

/// The first wallet fixes the enrolment; a browser's assertion, if there is one, must be of the same person.
pub(crate) fn claim(sid: &[u8; 16], enrolment: &str, person: &str, expires_at_ms: i64) -> Stmt {
    Stmt::new(CLAIM).blob(*sid).text(enrolment).int(expires_at_ms).text(person)
}

pub(crate) fn extend(sid: &[u8; 16], expires_at_ms: i64) -> Stmt {
    Stmt::new(EXTEND).blob(*sid).int(expires_at_ms)
}

/// Keeps the one assertion of the browser; in an open sign-in it also addresses that person's wallets.
pub(crate) async fn assert(
    store: &Store,
    ctx: &Ctx,
    sid: &[u8; 16],
    facts: &[u8],
    person: &str,
) -> Result<Stmt, StoreFault> {
    let sealed = store.sealed(ctx, field("assertion", &name(sid)), facts).await?;
    Ok(Stmt::new(ASSERT).blob(*sid).blob(sealed).text(person))
}

/// Addresses an open sign-in to a person, or to nobody: both write one row.
pub(crate) fn address(sid: &[u8; 16], person: Option<&str>) -> Stmt {
    Stmt::new(ADDRESS).blob(*sid).opt_text(person)
}

/// A person has one addressed sign-in: the newest.
pub(crate) fn unaddress_others(sid: &[u8; 16], person: &str) -> Stmt {
    Stmt::new(UNADDRESS).text(person).blob(*sid)
}

/// The guard of single use: whoever deletes the row has the verdict. With `approves` a needed assertion must be there.
pub(crate) fn end(sid: &[u8; 16], enrolment: &str, approves: bool) -> Stmt {
    Stmt::new(END).blob(*sid).text(enrolment).bool(approves)
}

/// The same where the browser ends it: the state is the one that was read.
pub(crate) fn end_in_browser(sid: &[u8; 16], state: &str) -> Stmt {
    Stmt::new(END_IN_BROWSER).blob(*sid).text(state)
}

/// Deletes a sign-in whose time is over, or that a renewal replaces, if it is still the one that was read.
pub(crate) fn drop(row: &SigninRow) -> Stmt {
    Stmt::new(DROP).blob(row.sid).text(&row.state).int(row.expires_at_ms)
}

pub(crate) async fn late(store: &Store, ctx: &Ctx, limit: usize) -> Result<Vec<SigninRow>, StoreFault> {
    let rows = store.read(ctx).many(Stmt::new(LATE).int(limit as i64), limit).await?;
    rows.iter().map(of_row).collect()
}

/// Spends a token id once; `hash` frames who made it.
pub(crate) fn spend_jti(hash: [u8; 32], expires_at_ms: i64) -> Stmt {
    Stmt::new(SPEND_JTI).blob(hash).int(expires_at_ms)
}

pub(crate) fn forget_jtis() -> Stmt {
    Stmt::new(FORGET_JTIS)
}

fn field<'a>(column: &'a str, row: &'a str) -> Field<'a> {
    Field { table: "idp_signin", column, row }
}

fn of_row(row: &Row) -> Result<SigninRow, StoreFault> {
    Ok(SigninRow {
        sid: row.array(0)?,
        state: row.text(1)?,
        client_id: row.text(2)?,
        request: row.blob(3)?,
        request_sha256: row.array(4)?,
        context: row.text(5)?,
        point: row.blob(6)?,
        ephemeral: row.blob(7)?,
        kid_s: row.text(8)?,
        t0: row.array(9)?,
        browser_sha256: row.array(10)?,
        hint: row.blob(11)?,
        assertion_needed: row.bool(12)?,
        assertion: row.opt_blob(14)?,
        addressed: row.opt_text(15)?,
        asserted_person: row.opt_text(16)?,
        enrolment: row.opt_text(17)?,
        renewals: u8::try_from(row.int(18)?)
            .map_err(|_| StoreFault::Column { index: 18, wanted: "a small number" })?,
        expires_at_ms: row.int(20)?,
        ends_at_ms: row.int(21)?,
    })
}
