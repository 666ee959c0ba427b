//! Passkeys of operators: added by one who is signed in, then another way to sign in.
//!
//! ```text
//! signed in ─► challenge, five minutes, once ─► browser: create ─► unit { challenge spent, credential new, event }
//! nobody    ─► challenge, five minutes, once ─► browser: get ─► judged ─► unit { challenge spent, counter kept, session, event }
//! ```
//! What a browser sent is judged by `crypto::webauthn`, as everywhere in the house. A try spends its challenge, whatever comes of it.

use crate::operator::Session;
use crate::store::passkey as rows;
use crate::{Tenancy, operator};
use ::store::{Actor, CommitError, Committed, Ctx, Reason, Refused, Stmt, StoreFault, Unit, id};
use crypto::hash;
use crypto::secret::Secret;
use crypto::webauthn::{Assertion, AssertionParts, Creation, Expected, WebauthnFault};
use jiff::Timestamp;
use tlog::event::Event;

/// Life of a challenge, seconds: somebody looks for a security key.
pub const CHALLENGE_TTL_S: i64 = 300;
/// Challenges that are open at once: more than every operator of a house needs, and few enough to count at each.
pub const CHALLENGES_MAX: i64 = 10_000;
/// Passkeys of one operator: one for each device, and some to spare.
pub const PASSKEYS_MAX: usize = 20;
/// Bytes of what an operator calls a passkey: a line of a list.
pub const LABEL_BYTES_MAX: usize = 100;

/// A passkey as its operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorPasskey {
    /// `pky_…`.
    pub id: String,
    /// What its operator calls it; encrypted at rest.
    pub label: String,
    /// Whether it may be copied between devices.
    pub synced: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
}

/// Why no passkey was added, used or removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// The challenge is spent, over, or none of ours.
    #[error("the challenge is spent or over")]
    Challenge,
    /// What the browser sent does not hold. Its challenge is spent.
    #[error("the passkey does not hold: {0}")]
    Refused(WebauthnFault),
    /// The credential is nobody's: none of ours, or of an operator who was revoked.
    #[error("no operator has this passkey")]
    Unknown,
    /// The credential is known already, or there are too many. The challenge is spent.
    #[error("the passkey is known, or there are too many")]
    Known,
    /// A label is empty, too long, or holds control characters.
    #[error("a label has 1 to 100 bytes and no control character")]
    Label,
    /// The operator has no such passkey.
    #[error("there is no such passkey")]
    NotFound,
    /// Too many challenges are open.
    #[error("too many challenges are open")]
    Busy,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// What a lost guard of this file means, and of whom it tells.
#[derive(Debug)]
struct Lost {
    operator: String,
    what: PasskeyError,
}

impl Refused for Lost {
    fn event(&self) -> Event {
        refused_event(Some(&self.operator), &self.what)
    }
}

impl PasskeyError {
    /// The event of this refusal where no operator is known.
    #[must_use]
    pub fn event(&self) -> Event {
        refused_event(None, self)
    }

    fn code(&self) -> String {
        match self {
            Self::Challenge => "challenge".to_owned(),
            Self::Refused(fault) => fault.to_string(),
            Self::Unknown | Self::NotFound => "unknown".to_owned(),
            Self::Known => "known".to_owned(),
            Self::Label => "label".to_owned(),
            Self::Busy | Self::Store(_) => "busy".to_owned(),
        }
    }
}

impl Tenancy {
    /// A challenge for a browser: to add a passkey for `operator_id`, or to sign in whoever it will be.
    ///
    /// # Errors
    /// [`PasskeyError::Busy`], [`PasskeyError::Store`].
    pub async fn passkey_challenge(
        &self,
        ctx: &Ctx,
        operator_id: Option<&str>,
    ) -> Result<[u8; 32], PasskeyError> {
        if rows::challenges_count(&self.store, ctx).await? >= CHALLENGES_MAX {
            return Err(PasskeyError::Busy);
        }
        let challenge = ctx.random::<32>();
        let until_ms = ctx.now_ms() + CHALLENGE_TTL_S * 1_000;
        let put = rows::put_challenge(hash::sha256(&challenge), operator_id.unwrap_or_default(), until_ms);
        self.store.housekeeping(ctx, Reason::SigninStep, vec![put]).await?;
        Ok(challenge)
    }

    /// Adds what the browser of a signed-in operator made on `origin`. Its user id is the operator's id.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub async fn add_operator_passkey(
        &self,
        ctx: &Ctx,
        (origin, operator_id, label): (&str, &str, &str),
        (client_data_json, attestation_object): (&[u8], &[u8]),
    ) -> Result<String, PasskeyError> {
        if label.is_empty() || label.len() > LABEL_BYTES_MAX || label.chars().any(char::is_control) {
            return Err(PasskeyError::Label);
        }
        let made = match Creation::parse(client_data_json, attestation_object) {
            Ok(made) => made,
            // No challenge is known yet, so none is spent.
            Err(fault) => return self.refuse(ctx, operator_id, PasskeyError::Refused(fault)).await,
        };
        let challenge = made.challenge().to_vec();
        let spend = rows::spend_challenge(&challenge, operator_id);
        let passkey = match made.verify(&Expected::at(origin, &challenge), &[], ctx.now) {
            Ok(passkey) => passkey,
            Err(fault) => return self.spent(ctx, operator_id, spend, PasskeyError::Refused(fault)).await,
        };
        if rows::count(&self.store, ctx, operator_id).await? >= PASSKEYS_MAX as i64 {
            return self.spent(ctx, operator_id, spend, PasskeyError::Known).await;
        }
        let passkey_id = id::new(ctx, "pky");
        let sealed = self.store.sealed(ctx, rows::label_field(&passkey_id), label.as_bytes()).await?;
        let event = Event::OperatorPasskeyAdded {
            operator: operator_id.to_owned(),
            synced: passkey.flags.backup_eligible,
            passkey: passkey_id.clone(),
        };
        let lost = |what| Lost { operator: operator_id.to_owned(), what };
        let unit = Unit::new(event)
            .guard(spend.clone(), lost(PasskeyError::Challenge))
            .guard(rows::put(&passkey_id, operator_id, &passkey, sealed), lost(PasskeyError::Known));
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok(passkey_id),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
            Err(CommitError::Lost(Lost { what: PasskeyError::Known, .. })) => {
                self.store.housekeeping(ctx, Reason::SigninStep, vec![spend]).await?;
                Err(PasskeyError::Known)
            }
            Err(CommitError::Lost(lost)) => Err(lost.what),
        }
    }

    /// Opens a session for whoever's passkey answered a challenge on `origin`; the operator's own tenant follows from the passkey.
    ///
    /// # Errors
    /// [`PasskeyError::Unknown`] is not recorded yet: its event is for the door to count, as any stranger can cause it.
    pub async fn sign_in_by_passkey(
        &self,
        ctx: &Ctx,
        origin: &str,
        parts: &AssertionParts<'_>,
    ) -> Result<Session, PasskeyError> {
        let Ok(assertion) = Assertion::parse(parts) else { return Err(PasskeyError::Unknown) };
        let found = rows::of_credential(&self.store, ctx, assertion.credential_id()).await?;
        let row = found.ok_or(PasskeyError::Unknown)?;
        let mut inside = ctx.for_tenant(row.tenant.clone());
        inside.actor = Actor::operator(&row.operator_id);
        let challenge = assertion.challenge().to_vec();
        let spend = rows::spend_challenge(&challenge, "");
        let user = row.operator_id.as_bytes();
        let asserted = match assertion.verify(&Expected::at(origin, &challenge), &row.passkey, user) {
            Ok(asserted) => asserted,
            Err(fault) => {
                return self.spent(&inside, &row.operator_id, spend, PasskeyError::Refused(fault)).await;
            }
        };
        let (opening, put) = self.opening(&inside, &row.operator_id, "passkey");
        let event = Event::OperatorSessionOpened {
            operator: row.operator_id.clone(),
            ttl_s: self.config.session_ttl_s.unsigned_abs(),
            method: "passkey".to_owned(),
        };
        let lost = |what| Lost { operator: row.operator_id.clone(), what };
        // Two uses of one counter at once: one of them is a copy.
        let kept = rows::used(&row, asserted.counter, asserted.flags.backed_up);
        let unit = Unit::new(event)
            .guard(spend, lost(PasskeyError::Challenge))
            .guard(kept, lost(PasskeyError::Refused(WebauthnFault::Counter)))
            .put(put);
        let committed = self.store.commit(&inside, unit).await.map_err(lost_to)?;
        let operator = match self.operator(&inside, &row.operator_id).await {
            Ok(operator) => operator,
            Err(operator::OperatorError::Store(fault)) => return Err(fault.into()),
            Err(_) => return Err(PasskeyError::Unknown),
        };
        Ok(opening.opened(operator, row.tenant, committed))
    }

    /// The passkeys of an operator, oldest first.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn operator_passkeys(
        &self,
        ctx: &Ctx,
        operator_id: &str,
    ) -> Result<Vec<OperatorPasskey>, StoreFault> {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut found = Vec::new();
        for row in rows::of_operator(&self.store, ctx, operator_id, PASSKEYS_MAX).await? {
            let label: Secret<Vec<u8>> =
                self.store.opened(ctx, rows::label_field(&row.id), &row.label).await?;
            found.push(OperatorPasskey {
                label: String::from_utf8_lossy(label.expose()).into_owned(),
                synced: row.synced,
                created_at: at(row.created_at_ms),
                used_at: at(row.used_at_ms),
                id: row.id,
            });
        }
        Ok(found)
    }

    /// Removes a passkey of an operator. Sessions that it opened go on until their end.
    ///
    /// # Errors
    /// [`PasskeyError::NotFound`], [`PasskeyError::Store`].
    pub async fn remove_operator_passkey(
        &self,
        ctx: &Ctx,
        operator_id: &str,
        passkey_id: &str,
    ) -> Result<Committed, PasskeyError> {
        let event = Event::OperatorPasskeyRemoved {
            operator: operator_id.to_owned(),
            passkey: passkey_id.to_owned(),
        };
        let lost = Lost { operator: operator_id.to_owned(), what: PasskeyError::NotFound };
        let unit = Unit::new(event).guard(rows::remove(passkey_id, operator_id), lost);
        self.store.commit(ctx, unit).await.map_err(lost_to)
    }

    /// Spends the challenge of a try that does not hold, and says why.
    async fn spent<T>(
        &self,
        ctx: &Ctx,
        operator_id: &str,
        spend: Stmt,
        what: PasskeyError,
    ) -> Result<T, PasskeyError> {
        let lost = Lost { operator: operator_id.to_owned(), what: PasskeyError::Challenge };
        let unit = Unit::new(refused_event(Some(operator_id), &what)).guard(spend, lost);
        match self.store.commit(ctx, unit).await {
            Ok(_) => Err(what),
            Err(fault) => Err(lost_to(fault)),
        }
    }

    async fn refuse<T>(&self, ctx: &Ctx, operator_id: &str, what: PasskeyError) -> Result<T, PasskeyError> {
        self.store.record(ctx, refused_event(Some(operator_id), &what)).await?;
        Err(what)
    }
}

fn refused_event(operator: Option<&str>, what: &PasskeyError) -> Event {
    Event::OperatorPasskeyRefused { operator: operator.map(str::to_owned), code: what.code() }
}

fn lost_to(error: CommitError<Lost>) -> PasskeyError {
    match error {
        CommitError::Lost(lost) => lost.what,
        CommitError::Fault(fault) => fault.into(),
    }
}
