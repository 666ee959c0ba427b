//! How sign-ins ended: for the browser that began, for the relying party that redeems the code, for people and operators.

use crate::enrolment::Enrolment;
use crate::sealed_claims::Under;
use crate::secret::Name;
use crate::signin::{CheckedRequest, SigninError, loaded, read_request};
use crate::store::result::{ConsentRow, HistoryRow, NewResult, ResultRow};
use crate::{Idp, store};
use ::store::{CommitError, Committed, Ctx, Reason, Refused, StoreFault, Unit, id};
use crypto::hash;
use crypto::secret::Secret;
use seal::code::keys::authorization_code;
use seal::code::proof::SealProof;
use seal::code::{Sid, T0};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tenancy::After;
use tlog::event::Event;

/// Consents that a person is shown at once.
pub(crate) const CONSENTS_MAX: usize = 200; // as every list of the API

/// What a redeemed sign-in tells the relying party's tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// `per_…`.
    pub person: String,
    /// The person, as this relying party knows them.
    pub sub: String,
    /// The device; where a passkey alone answered, the one whose wallet added it.
    pub enrolment: Option<String>,
    /// The class that was reached.
    pub acr: String,
    /// By which means (RFC 8176).
    pub amr: Vec<String>,
    /// Unix seconds of the approval.
    pub auth_time_s: i64,
    /// What the person agreed to, `openid` among it.
    pub granted: Vec<String>,
    /// Of the consent's record.
    pub consent_hash: Option<String>,
    /// `{level, anchor, device, flow}`.
    pub assurance: Option<Value>,
    /// `seal-consent+jwt`, for the relying party.
    pub receipt: Option<String>,
}

/// What a code stands for.
pub struct Redeemable {
    /// The request that it answers.
    pub request: CheckedRequest,
    /// Who signed in, and how.
    pub facts: Facts,
    /// What the person disclosed; none once the code is spent or over.
    pub claims: Option<Map<String, Value>>,
    /// Until when the code may be redeemed.
    pub code_until_ms: i64,
    /// Whether it was.
    pub is_spent: bool,
    /// The grant that it was spent for.
    pub grant_id: Option<String>,
}

/// The end of a session, for its browser.
pub struct Finished {
    /// The request that it answers.
    pub request: CheckedRequest,
    /// `approved`, `denied`, `failed` or `expired`.
    pub outcome: String,
    /// Why.
    pub reason: String,
    /// The code, for an approval whose code is not spent.
    pub code: Option<Secret<String>>,
}

impl Idp {
    /// Where the browser goes: writes nothing, and a reload gives the same.
    ///
    /// # Errors
    /// [`SigninError`]; another browser than the one in T0 gets nothing.
    pub async fn finish(&self, ctx: &Ctx, sid: &Sid, cookie: &str) -> Result<Finished, SigninError> {
        let row = self.result_of(ctx, sid, cookie).await?;
        let request = read_request(row.request(&self.store, ctx).await?.expose())?;
        let live = row.outcome == "approved" && row.code_until_ms > ctx.now_ms();
        let code = if live {
            let t0 = T0::from_stored(row.t0);
            Some(authorization_code(&*self.secret(ctx, Name::Code).await?, sid, &t0))
        } else {
            None
        };
        Ok(Finished { request, outcome: row.outcome, reason: row.reason, code })
    }

    /// What a code stands for, spent or not.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn result_of_code(&self, ctx: &Ctx, code: &str) -> Result<Option<Redeemable>, StoreFault> {
        let row = store::result::of_code(&self.store, ctx, hash::sha256(code.as_bytes())).await?;
        let Some(row) = row else { return Ok(None) };
        let broken = || StoreFault::Sealed { place: "idp_result.facts".to_owned() };
        let facts = row.facts(&self.store, ctx).await?.ok_or_else(broken)?;
        let claims = row
            .claims
            .as_deref()
            .and_then(|sealed| Under::Code.open(code, ctx.tenant.as_str(), &row.sid, sealed));
        Ok(Some(Redeemable {
            request: read_request(row.request(&self.store, ctx).await?.expose())?,
            facts: serde_json::from_slice(facts.expose()).map_err(|_| broken())?,
            claims,
            code_until_ms: row.code_until_ms,
            is_spent: row.spent_at_ms.is_some(),
            grant_id: row.grant,
        }))
    }

    /// The result of a session, for the browser that began it, while it is kept.
    pub(crate) async fn result_of(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        cookie: &str,
    ) -> Result<ResultRow, SigninError> {
        let row = store::result::one(&self.store, ctx, sid.as_bytes()).await?;
        let row = row.ok_or(SigninError::NotFound)?;
        self.same_browser(&row.browser_sha256, cookie)?;
        Ok(row)
    }

    /// A page of the history, oldest first.
    pub(crate) async fn signins(
        &self,
        ctx: &Ctx,
        after: &After,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, StoreFault> {
        store::result::history(&self.store, ctx, after, limit).await
    }

    /// One line of the history, by its id or by its consent.
    pub(crate) async fn signin_line(&self, ctx: &Ctx, any: &str) -> Result<Option<HistoryRow>, StoreFault> {
        if id::is("sig", any) {
            return store::result::history_one(&self.store, ctx, any).await;
        }
        store::result::history_of(&self.store, ctx, any).await
    }

    /// What a person agreed to, newest first.
    pub(crate) async fn consents_of(
        &self,
        ctx: &Ctx,
        enrolment: &Enrolment,
    ) -> Result<Vec<ConsentRow>, StoreFault> {
        store::result::consents(&self.store, ctx, &enrolment.person, CONSENTS_MAX).await
    }

    /// Erases the evidence of a consent at its person's wish.
    pub(crate) async fn erase_consent(
        &self,
        ctx: &Ctx,
        (enrolment, proof): (&Enrolment, &SealProof),
        consent: &str,
    ) -> Result<Committed, SigninError> {
        let event = Event::ConsentErased { person: enrolment.person.clone(), consent: consent.to_owned() };
        let unit = Unit::new(event)
            .guard(store::result::erase_consent(consent, &enrolment.person), ConsentLost::Gone)
            .guard(self.spend_proof(ctx, &enrolment.id, proof), ConsentLost::Replayed);
        self.store.commit(ctx, unit).await.map_err(|error| match error {
            CommitError::Lost(ConsentLost::Gone) => SigninError::NotFound,
            CommitError::Lost(ConsentLost::Replayed) => SigninError::Replayed,
            CommitError::Fault(fault) => fault.into(),
        })
    }

    /// Ends sessions whose time is over: one that a wallet had claimed is an event of its own, the others are counted.
    pub(crate) async fn expire_signins(
        &self,
        ctx: &Ctx,
        flood: &edge::flood::Flood,
        limit: usize,
    ) -> Result<(), StoreFault> {
        for row in store::signin::late(&self.store, ctx, limit).await? {
            let request = row.request(&self.store, ctx).await?;
            let person = match &row.enrolment {
                Some(enrolment) => self.enrolment(ctx, enrolment).await?.map(|it| it.person),
                None => None,
            };
            let event = Event::SigninExpired {
                person: person.clone(),
                signin: row.name(),
                relying_party: row.client_id.clone(),
            };
            let drop = store::signin::drop(&row);
            let Ok(loaded) = loaded(row, self.config.session_ttl_s) else { continue };
            let new = NewResult::expired(&loaded, request.expose());
            let line = HistoryRow::of(&loaded, "expired", "", ctx.now_ms());
            let with =
                vec![store::result::put(&self.store, ctx, &new).await?, store::result::put_history(&line)];
            if person.is_some() {
                let unit = Unit::new(event).guard(drop, Raced).put_all(with);
                match self.store.commit(ctx, unit).await {
                    Ok(_) | Err(CommitError::Lost(Raced)) => {}
                    Err(CommitError::Fault(fault)) => return Err(fault),
                }
            } else if self.store.housekeeping_guarded(ctx, Reason::Expiry, vec![drop], with).await? {
                flood.note(&self.store, ctx, event).await;
            }
            self.changed(&loaded.row.name());
        }
        Ok(())
    }
}

impl<'a> NewResult<'a> {
    fn expired(loaded: &'a crate::signin::Loaded, request: &'a [u8]) -> NewResult<'a> {
        NewResult {
            sid: loaded.row.sid,
            t0: loaded.row.t0,
            outcome: "expired",
            reason: "",
            client_id: &loaded.row.client_id,
            browser_sha256: loaded.row.browser_sha256,
            request,
            code_sha256: None,
            facts: None,
            claims: None,
            device: "",
            code_until_ms: 0,
        }
    }
}

/// R, tag and signature of an answer as they came: what the person and an auditor can check.
pub(crate) fn evidence_of(body: &[u8]) -> Value {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else { return json!({}) };
    let kept = ["r", "tag", "sig"].into_iter();
    kept.filter_map(|name| Some((name.to_owned(), members.get(name)?.clone()))).collect::<Map<_, _>>().into()
}

/// What a lost guard of an erasure means.
#[derive(Debug)]
enum ConsentLost {
    Gone,
    Replayed,
}

impl Refused for ConsentLost {
    fn event(&self) -> Event {
        let (status, code) = match self {
            Self::Gone => (404, "api/not-found"),
            Self::Replayed => (401, "seal/proof-invalid"),
        };
        Event::RequestRefused { status, operation: "eraseConsent".to_owned(), code: code.to_owned() }
    }
}

/// Somebody answered meanwhile.
#[derive(Debug)]
struct Raced;

impl Refused for Raced {
    fn event(&self) -> Event {
        Event::RequestRefused {
            status: 404,
            operation: "expireSignin".to_owned(),
            code: "seal/unknown-session".to_owned(),
        }
    }
}
