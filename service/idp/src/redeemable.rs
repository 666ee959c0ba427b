//! What the answer of a wallet leaves for the token door: facts beside the request, claims under the code.
//!
//! ```text
//! answer's unit ─► idp_result { request, Facts as JSON (encrypted), Under::Code.seal(code, tenant id, sid, claims) }
//! token door    ─► result_of_code(code) ─► Redeemable ─► store::result::spend(code_sha256, grant) in the unit of the grant
//! ```

use crate::sealed_claims::Under;
use crate::signin::CheckedRequest;
use crate::{Idp, store};
use ::store::{Ctx, StoreFault};
use crypto::hash;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What an approved sign-in established. The answer writes it into the result, sealed by the field cipher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The person, as this relying party knows them: pairwise.
    pub sub: String,
    /// The person's id; never leaves.
    pub person: String,
    /// The device that answered; none where a passkey alone did.
    pub enrolment: Option<String>,
    /// Atomic scopes that were granted, sorted.
    pub granted: Vec<String>,
    /// `seal:code`, `phr` or `phrh`: the true value.
    pub acr: String,
    /// By which means (RFC 8176).
    pub amr: Vec<String>,
    /// Unix seconds of the approval.
    pub auth_time_s: i64,
    /// base64url of SHA-256 of the consent record.
    pub consent_hash: Option<String>,
    /// The relying party's receipt, `seal-consent+jwt`.
    pub receipt: Option<String>,
}

/// The result behind a code.
pub struct Redeemable {
    /// The session.
    pub sid: [u8; 16],
    /// What was asked.
    pub request: CheckedRequest,
    /// What was established.
    pub facts: Facts,
    /// What was granted; none once the code was redeemed or its time is over.
    pub claims: Option<Map<String, Value>>,
    /// Whether the code was redeemed.
    pub is_spent: bool,
    /// By which grant.
    pub grant_id: Option<String>,
    /// Until when it can be.
    pub code_until_ms: i64,
}

impl Idp {
    /// The approved result that a code redeems, spent or not; `None` for whatever is no code.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn result_of_code(&self, ctx: &Ctx, code: &str) -> Result<Option<Redeemable>, StoreFault> {
        let row = store::result::of_code(&self.store, ctx, hash::sha256(code.as_bytes())).await?;
        let Some(row) = row.filter(|row| row.outcome == "approved") else { return Ok(None) };
        let damaged = |column: &str| StoreFault::Sealed { place: format!("idp_result.{column}") };
        let request = row.request(&self.store, ctx).await?;
        let facts = row.facts(&self.store, ctx).await?.ok_or_else(|| damaged("facts"))?;
        let claims = match &row.claims {
            Some(sealed) => {
                let opened = Under::Code.open(code, ctx.tenant.as_str(), &row.sid, sealed);
                Some(opened.ok_or_else(|| damaged("claims"))?)
            }
            None => None,
        };
        Ok(Some(Redeemable {
            sid: row.sid,
            request: serde_json::from_slice(request.expose()).map_err(|_| damaged("request"))?,
            facts: serde_json::from_slice(facts.expose()).map_err(|_| damaged("facts"))?,
            claims,
            is_spent: row.spent_at_ms.is_some(),
            grant_id: row.grant,
            code_until_ms: row.code_until_ms,
        }))
    }
}
