//! What a wallet does with a session before it answers: claim it, look at it, ask for time.
//!
//! ```text
//! claim ─► unit { open → claimed, jti, count } ─► reply with everything that T0 hashes
//! ```

use crate::enrolment::Enrolment;
use crate::relying_party::RelyingParty;
use crate::signin::{AssertionState, Loaded, SigninError};
use crate::{Idp, person, store};
use ::store::{Ctx, Reason, StoreFault};
use jiff::Timestamp;
use seal::code::proof::SealProof;
use seal::code::signin::{Cause, Claimed};
use seal::code::{Effect, Input, Sid, Signin};
use serde::Deserialize;
use std::sync::Arc;

/// Claims of one enrolment an hour; a hundred times as many in development.
pub const CLAIMS_PER_HOUR_MAX: i64 = 60;
/// How much wider that is in development.
const DEV_FACTOR: i64 = 100;
/// The window of that count, milliseconds.
const HOUR_MS: i64 = 3_600_000;

/// What the wallet is told of a session that it claimed.
pub(crate) struct Claim {
    pub(crate) loaded: Loaded,
    pub(crate) party: Arc<RelyingParty>,
    pub(crate) proof: ServiceProof,
    pub(crate) hint: String,
    pub(crate) assertion: AssertionState,
}

/// How the relying party proved itself: of the kept request, what the wallet is told.
#[derive(Deserialize)]
pub(crate) struct ServiceProof {
    pub(crate) proof_kind: String,
    pub(crate) proof_jwt: Option<String>,
}

impl Idp {
    /// A wallet claims a session. A repeat by the same wallet gets the same answer.
    ///
    /// # Errors
    /// [`SigninError`].
    pub(crate) async fn claim(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        (enrolment, proof): (&Enrolment, &SealProof),
    ) -> Result<Claim, SigninError> {
        let mut loaded = self.wallet_session(ctx, sid).await?;
        let person = person::bits(&enrolment.person);
        let input = Input::Claims { enrolment: enrolment.id.clone(), person };
        let (next, effect) = loaded.machine.clone().step(input, ctx.now);
        match effect? {
            Some(Effect::End) => {
                let cause = Cause::OtherPerson.to_string();
                self.end_failed(ctx, &loaded, (Some(enrolment), Some(proof)), &cause).await?;
                return Err(SigninError::NotFound);
            }
            Some(Effect::Claim) if loaded.row.enrolment.is_none() => {
                self.keep_claim(ctx, &loaded, &next, (enrolment, proof)).await?;
                loaded.claimed_by(enrolment, next);
            }
            Some(Effect::Claim) => self.spend_now(ctx, enrolment, proof).await?,
            _ => return Err(SigninError::OutOfTurn),
        }
        let party = self.party(ctx, &loaded.row.client_id).await?.ok_or(SigninError::NotFound)?;
        let request = loaded.row.request(&self.store, ctx).await?;
        let broken = |_| StoreFault::Sealed { place: "idp_signin.request".to_owned() };
        let proof: ServiceProof = serde_json::from_slice(request.expose()).map_err(broken)?;
        let hint = loaded.row.hint(&self.store, ctx).await?;
        let hint = String::from_utf8_lossy(hint.expose()).into_owned();
        let assertion = assertion_of(&loaded);
        Ok(Claim { loaded, party, proof, hint, assertion })
    }

    async fn keep_claim(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        next: &Signin,
        (enrolment, proof): (&Enrolment, &SealProof),
    ) -> Result<(), SigninError> {
        let Signin::Claimed(Claimed { ends_at, .. }) = next else { return Err(SigninError::OutOfTurn) };
        let fresh = ctx.now_ms() - enrolment.claims_since_ms >= HOUR_MS;
        let (count, since_ms) =
            if fresh { (1, ctx.now_ms()) } else { (enrolment.claims + 1, enrolment.claims_since_ms) };
        let most = CLAIMS_PER_HOUR_MAX * if self.config.is_dev { DEV_FACTOR } else { 1 };
        if count > most {
            return Err(SigninError::RateLimited);
        }
        let until_ms = ends_at.as_millisecond().min(loaded.row.ends_at_ms);
        let guards = vec![
            self.spend_proof(ctx, &enrolment.id, proof),
            store::signin::claim(&loaded.row.sid, &enrolment.id, &enrolment.person, until_ms),
            store::enrolment::count_claim(&enrolment.id, count, since_ms, enrolment.claims),
        ];
        if self.store.housekeeping_guarded(ctx, Reason::SigninStep, guards, Vec::new()).await? {
            self.changed(&loaded.row.name());
            return Ok(());
        }
        // Lost: to another wallet, to a replay of this proof, or to time.
        let now = self.wallet_session(ctx, &loaded.sid()).await?;
        match &now.row.enrolment {
            Some(other) if *other != enrolment.id => Err(SigninError::AlreadyClaimed),
            _ => Err(SigninError::Replayed),
        }
    }

    /// Spends a proof where nothing else is written.
    pub(crate) async fn spend_now(
        &self,
        ctx: &Ctx,
        enrolment: &Enrolment,
        proof: &SealProof,
    ) -> Result<(), SigninError> {
        let guards = vec![self.spend_proof(ctx, &enrolment.id, proof)];
        let spent = self.store.housekeeping_guarded(ctx, Reason::SigninStep, guards, Vec::new()).await?;
        if spent { Ok(()) } else { Err(SigninError::Replayed) }
    }

    /// A wallet looks at the session that it claimed.
    pub(crate) async fn claimed_state(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        enrolment: &Enrolment,
    ) -> Result<(String, AssertionState), SigninError> {
        let loaded = self.wallet_session(ctx, sid).await?;
        if loaded.row.enrolment.as_deref() != Some(&enrolment.id) {
            return Err(SigninError::NotFound);
        }
        Ok((loaded.row.state.clone(), assertion_of(&loaded)))
    }

    /// A wallet asks for more time.
    pub(crate) async fn renew_claimed(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        (enrolment, proof): (&Enrolment, &SealProof),
    ) -> Result<Timestamp, SigninError> {
        let loaded = self.wallet_session(ctx, sid).await?;
        if loaded.row.enrolment.as_deref() != Some(&enrolment.id) {
            return Err(SigninError::NotFound);
        }
        let (next, effect) = loaded.machine.clone().step(Input::Renews, ctx.now);
        effect?;
        self.spend_now(ctx, enrolment, proof).await?;
        self.extend(ctx, &loaded, &next).await?;
        Ok(next.ends_at().unwrap_or(ctx.now))
    }
}

fn assertion_of(loaded: &Loaded) -> AssertionState {
    match (loaded.row.asserted_person.is_some(), loaded.row.assertion_needed) {
        (true, _) => AssertionState::Done,
        (false, true) => AssertionState::Required,
        (false, false) => AssertionState::None,
    }
}
