//! How a session is answered, once: by the wallet that claimed it, or by the browser's own passkey.
//!
//! ```text
//! answer ─► keys anew ─► tag, code, signature, document ─► verdict ─► unit { DELETE (guard), result, consent, history, event }
//! ```
//! No verdict leaves before its commit, and nobody but the one who deleted the row has one: of many answers one holds, the others
//! find nothing.

use crate::document::{DocumentError, Verified};
use crate::enrolment::Enrolment;
use crate::result::evidence_of;
use crate::signin::{Asserted, Loaded, SigninError};
use crate::store::result::{HistoryRow, NewResult};
use crate::{Idp, person, store};
use ::store::{CommitError, Ctx, Refused, Stmt, StoreFault, Unit};
use seal::code::answer::{Answer, Approved, FacePolicy, Policy, Shown, open_browser};
use seal::code::proof::SealProof;
use seal::code::signin::Decided;
use seal::code::{Acr, DenyReason, Failure, Input, Opened, Session, Sid, Signin, Verdict};
use seal::handle::device_mark;
use serde_json::{Value, json};
use tlog::event::Event;

/// The end of a session as its wallet or browser hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `approved`, `denied` or `failed`.
    pub outcome: &'static str,
    /// Empty for an approval.
    pub reason: String,
}

/// What a lost guard of this file means.
#[derive(Debug)]
pub(crate) enum EndLost {
    /// Somebody else ended the session, or its time is over.
    Gone,
    /// The proof was used before.
    Replayed,
}

impl Refused for EndLost {
    fn event(&self) -> Event {
        let (status, code) = match self {
            Self::Gone => (404, "seal/unknown-session"),
            Self::Replayed => (401, "seal/proof-invalid"),
        };
        Event::RequestRefused { status, operation: "answerSignin".to_owned(), code: code.to_owned() }
    }
}

impl Idp {
    /// A wallet answers. The answer of the one who ends the session is the verdict; everybody else finds nothing.
    ///
    /// # Errors
    /// [`SigninError`]; a check that fails is an [`Outcome`], not an error.
    pub(crate) async fn answer(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        (enrolment, proof): (&Enrolment, &SealProof),
        body: &[u8],
    ) -> Result<Outcome, SigninError> {
        let answer = Answer::parse(body).map_err(|_| SigninError::Malformed)?;
        let loaded = self.wallet_session(ctx, sid).await?;
        if loaded.row.enrolment.as_deref() != Some(&enrolment.id) {
            return Err(SigninError::NotFound);
        }
        let loaded = self.unless_in_vain(ctx, loaded, enrolment).await?;
        let keys = self.keys_of(ctx, &loaded, enrolment).await?;
        let t0 = loaded.t0();
        let session = Session {
            context: &loaded.context,
            sid,
            t0: &t0,
            binding: &enrolment.id,
            device_key: &enrolment.dk,
            keys: &keys,
        };
        let opened = answer.open(&session, ctx.now);
        let (verdict, document) = self.decided(ctx, &loaded, enrolment, opened).await?;
        let input = Input::Answers { enrolment: enrolment.id.clone(), verdict: decided_of(&verdict) };
        let (_, effect) = loaded.machine.clone().step(input, ctx.now);
        effect?;
        let by = (Some(enrolment), Some(proof));
        match verdict {
            Err(failure) => self.end_failed(ctx, &loaded, by, &failure.to_string()).await,
            Ok(Verdict::Denied(reason)) => self.end_denied(ctx, &loaded, by, reason.as_str()).await,
            Ok(Verdict::Approved(approved)) => {
                let evidence = evidence_of(body);
                let asserted = self.asserted_of(ctx, &loaded).await?;
                self.end_approved(ctx, &loaded, by, (approved, document, asserted), evidence).await
            }
        }
    }

    /// The browser's own passkey answers: `asserted` is its verified assertion over these very bytes of R.
    ///
    /// # Errors
    /// [`SigninError`].
    pub async fn answer_in_browser(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        cookie: &str,
        (r, asserted): (&[u8], Option<&Asserted>),
    ) -> Result<Outcome, SigninError> {
        let loaded = self.browser_session(ctx, sid, cookie).await?;
        let opened = open_browser(r, &loaded.context, sid, &loaded.t0(), ctx.now);
        let reached = asserted.and_then(|it| Acr::parse(&it.acr));
        let verdict = match (opened, reached) {
            (Err(failure), _) => Err(failure),
            (Ok(_), None) => Err(Failure::Signature),
            (Ok(opened), Some(reached)) => opened.decide(None, &policy(&loaded, None, reached)),
        };
        let (_, effect) = loaded.machine.clone().step(Input::BrowserAnswers(decided_of(&verdict)), ctx.now);
        effect?;
        match verdict {
            Err(failure) => self.end_failed(ctx, &loaded, (None, None), &failure.to_string()).await,
            Ok(Verdict::Denied(reason)) => self.end_denied(ctx, &loaded, (None, None), reason.as_str()).await,
            Ok(Verdict::Approved(approved)) => {
                let evidence = json!({ "r": crypto::base64::url_encode(r) });
                self.end_approved(ctx, &loaded, (None, None), (approved, None, asserted.cloned()), evidence)
                    .await
            }
        }
    }

    /// Judges what opened, with the document that came with it.
    async fn decided(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        enrolment: &Enrolment,
        opened: Result<Opened, Failure>,
    ) -> Result<(Result<Verdict, Failure>, Option<Verified>), SigninError> {
        let opened = match opened {
            Ok(opened) => opened,
            Err(failure) => return Ok((Err(failure), None)),
        };
        let (shown, document) = match opened.document() {
            None => (None, None),
            Some(document) => match self.verified(ctx, document).await {
                Ok(verified) => (Some(Ok(Shown { commitment: verified.commitment })), Some(verified)),
                Err(DocumentError::Failure(failure)) => (Some(Err(failure)), None),
                Err(DocumentError::Store(fault)) => return Err(fault.into()),
            },
        };
        let asserted = self.asserted_of(ctx, loaded).await?;
        let reached = asserted.and_then(|it| Acr::parse(&it.acr)).unwrap_or(Acr::SealCode);
        // A needed assertion that is missing is not a failure: the machine says that it is pending.
        let pending = loaded.row.assertion_needed && loaded.row.asserted_person.is_none();
        let reached = if pending { loaded.context.acr } else { reached };
        let asked = self.least_acr(ctx, loaded).await?;
        let policy = Policy { asked_acr: asked, ..policy(loaded, enrolment.commitment.as_ref(), reached) };
        Ok((opened.decide(shown, &policy), document))
    }

    /// Who has no passkey would wait in vain for an assertion: the answer is judged without one, and the class as it is.
    async fn unless_in_vain(
        &self,
        ctx: &Ctx,
        loaded: Loaded,
        enrolment: &Enrolment,
    ) -> Result<Loaded, SigninError> {
        let waits = loaded.row.assertion_needed && loaded.row.asserted_person.is_none();
        if waits && store::passkey::count(&self.store, ctx, &enrolment.person).await? == 0 {
            return Ok(loaded.without_assertion());
        }
        Ok(loaded)
    }

    /// The least class that is an approval: what was only wished for may be lower, never what the relying party is registered with.
    async fn least_acr(&self, ctx: &Ctx, loaded: &Loaded) -> Result<Acr, SigninError> {
        if loaded.context.acr == Acr::SealCode || self.request_of(ctx, &loaded.row).await?.acr_essential {
            return Ok(loaded.context.acr);
        }
        let party = self.party(ctx, &loaded.row.client_id).await?.ok_or(SigninError::NotFound)?;
        Ok(party.metadata.acr_min())
    }

    async fn asserted_of(&self, ctx: &Ctx, loaded: &Loaded) -> Result<Option<Asserted>, StoreFault> {
        let broken = || StoreFault::Sealed { place: "idp_signin.assertion".to_owned() };
        match loaded.row.assertion(&self.store, ctx).await? {
            Some(plain) => serde_json::from_slice(plain.expose()).map(Some).map_err(|_| broken()),
            None => Ok(None),
        }
    }

    async fn end_approved(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        by: (Option<&Enrolment>, Option<&SealProof>),
        approved: (Approved, Option<Verified>, Option<Asserted>),
        evidence: Value,
    ) -> Result<Outcome, SigninError> {
        let person = by.0.map(|it| &it.person).or(approved.2.as_ref().map(|it| &it.person)).cloned();
        let person = person.ok_or(SigninError::OutOfTurn)?;
        let approval = self.approval(ctx, loaded, (by.0, &person), approved, evidence).await?;
        let mut with: Vec<Stmt> = vec![
            approval.result,
            store::result::put_history(&approval.history),
            store::enrolment::clear_starts(&person),
        ];
        with.extend(approval.consent);
        with.extend(by.0.map(|enrolment| store::enrolment::used(&enrolment.id)));
        self.end(ctx, loaded, by, (approval.event, with), loaded.row.assertion_needed).await?;
        Ok(Outcome { outcome: "approved", reason: String::new() })
    }

    pub(crate) async fn end_failed(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        by: (Option<&Enrolment>, Option<&SealProof>),
        code: &str,
    ) -> Result<Outcome, SigninError> {
        let event = Event::SigninFailed {
            person: by.0.map(|it| it.person.clone()),
            signin: loaded.row.name(),
            relying_party: loaded.row.client_id.clone(),
            requested: names(&loaded.context.scopes),
            code: code.to_owned(),
        };
        let with = self.ending_rows(ctx, loaded, ("failed", code), by.0).await?;
        self.end(ctx, loaded, by, (event, with), false).await?;
        Ok(Outcome { outcome: "failed", reason: code.to_owned() })
    }

    async fn end_denied(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        by: (Option<&Enrolment>, Option<&SealProof>),
        reason: &str,
    ) -> Result<Outcome, SigninError> {
        let mut with = self.ending_rows(ctx, loaded, ("denied", reason), by.0).await?;
        if let Some(enrolment) = by.0 {
            if reason == DenyReason::NotMe.as_str() {
                with.push(store::enrolment::lock_starts(&enrolment.person, person::not_me_until_ms(ctx)));
            } else {
                with.push(store::enrolment::clear_starts(&enrolment.person));
            }
        }
        let event = Event::SigninDenied {
            person: by.0.map(|it| it.person.clone()),
            signin: loaded.row.name(),
            relying_party: loaded.row.client_id.clone(),
            requested: names(&loaded.context.scopes),
            reason: reason.to_owned(),
        };
        self.end(ctx, loaded, by, (event, with), false).await?;
        Ok(Outcome { outcome: "denied", reason: reason.to_owned() })
    }

    /// The browser ended the session: it cancelled, or its assertion failed.
    pub(crate) async fn end_in_browser(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        next: &Signin,
    ) -> Result<(), SigninError> {
        match next {
            Signin::Failed(cause) => {
                self.end_failed(ctx, loaded, (None, None), &cause.to_string()).await.map(drop)
            }
            _ => self.end_denied(ctx, loaded, (None, None), "cancelled").await.map(drop),
        }
    }

    async fn ending_rows(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        (outcome, reason): (&str, &str),
        enrolment: Option<&Enrolment>,
    ) -> Result<Vec<Stmt>, SigninError> {
        let request = loaded.row.request(&self.store, ctx).await?;
        let device = enrolment.map(|it| device_mark(&it.dk)).unwrap_or_default();
        let new = NewResult { device: &device, ..NewResult::of(loaded, outcome, reason, request.expose()) };
        let result = store::result::put(&self.store, ctx, &new).await?;
        let line = HistoryRow::of(loaded, outcome, reason, ctx.now_ms());
        Ok(vec![result, store::result::put_history(&line)])
    }

    /// The one unit of a verdict.
    async fn end(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        (enrolment, proof): (Option<&Enrolment>, Option<&SealProof>),
        (event, with): (Event, Vec<Stmt>),
        needs_assertion: bool,
    ) -> Result<(), SigninError> {
        let sid = &loaded.row.sid;
        let claimed = loaded.row.enrolment.is_some();
        let guard = match enrolment {
            Some(enrolment) if claimed => store::signin::end(sid, &enrolment.id, needs_assertion),
            _ => store::signin::end_in_browser(sid, &loaded.row.state),
        };
        let mut unit = Unit::new(event).guard(guard, EndLost::Gone);
        if let (Some(enrolment), Some(proof)) = (enrolment, proof) {
            unit = unit.guard(self.spend_proof(ctx, &enrolment.id, proof), EndLost::Replayed);
        }
        match self.store.commit(ctx, unit.put_all(with)).await {
            Ok(_) => {
                self.remembered.forget_session(&loaded.row.t0);
                self.changed(&loaded.row.name());
                Ok(())
            }
            Err(CommitError::Lost(EndLost::Gone)) => Err(SigninError::NotFound),
            Err(CommitError::Lost(EndLost::Replayed)) => Err(SigninError::Replayed),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }
}

fn policy<'a>(loaded: &'a Loaded, commitment: Option<&'a [u8; 32]>, reached_acr: Acr) -> Policy<'a> {
    Policy {
        asked: &loaded.context.scopes,
        commitment,
        face: FacePolicy::Optional,
        asked_acr: loaded.context.acr,
        reached_acr,
    }
}

fn decided_of(verdict: &Result<Verdict, Failure>) -> Result<Decided, Failure> {
    match verdict {
        Ok(Verdict::Approved(_)) => Ok(Decided::Approved),
        Ok(Verdict::Denied(reason)) => Ok(Decided::Denied(*reason)),
        Err(failure) => Err(*failure),
    }
}

pub(crate) fn names(scopes: &seal::scope::Scopes) -> Vec<String> {
    scopes.iter().map(|scope| scope.as_str().to_owned()).collect()
}

impl<'a> NewResult<'a> {
    /// A result that redeems nothing.
    pub(crate) fn of(
        loaded: &'a Loaded,
        outcome: &'a str,
        reason: &'a str,
        request: &'a [u8],
    ) -> NewResult<'a> {
        NewResult {
            sid: loaded.row.sid,
            t0: loaded.row.t0,
            outcome,
            reason,
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

impl HistoryRow {
    /// A line without a consent.
    pub(crate) fn of(loaded: &Loaded, outcome: &str, reason: &str, now_ms: i64) -> HistoryRow {
        HistoryRow {
            id: loaded.row.name(),
            client_id: loaded.row.client_id.clone(),
            outcome: outcome.to_owned(),
            reason: reason.to_owned(),
            acr: None,
            consent_hash: None,
            created_at_ms: now_ms,
        }
    }
}
