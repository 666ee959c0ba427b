//! Passkeys: added by a ticket that the person's wallet asked for, used by the browser that signs in, on our own origin.
//!
//! ```text
//! wallet ─► ticket, five minutes, once ─► browser: begin ─► challenge ─► create ─► unit { ticket spent, credential new, event }
//! browser ─► assertion over T0 (or over its own answer) ─► judged ─► counter kept by guard ─► Asserted
//! ```
//! A signed-in page adds none: whoever relays it would keep one. A passkey ends with the device whose wallet asked for it: whoever had
//! that device in their hands could have added one.

use crate::secret::Name;
use crate::signin::Asserted;
use crate::store::passkey::{self as rows, PasskeyRow, Ticket};
use crate::{Idp, person};
use ::store::{CommitError, Ctx, Reason, Refused, Stmt, StoreFault, Unit, id};
use crypto::hash;
use crypto::secret::Secret;
use crypto::webauthn::{Assertion, AssertionParts, Creation, Expected, Passkey, WebauthnFault, rp_id_of};
use crypto::x509::Certificate;
use seal::person::pairwise_sub;
use tlog::event::Event;

/// Life of a ticket, seconds: from the wallet to the browser beside it.
pub const TICKET_TTL_S: i64 = 300;
/// Passkeys of one person: one for each device, and some to spare.
pub const PASSKEYS_MAX: usize = 20;

/// Why no passkey is added.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// The ticket is spent, over, or none of ours.
    #[error("the ticket is spent or over")]
    Ticket,
    /// What the browser made does not hold. The ticket is spent.
    #[error("the passkey does not hold: {0}")]
    Creation(WebauthnFault),
    /// The credential is known already, or the person has too many. The ticket is spent.
    #[error("the passkey is known, or there are too many")]
    Known,
    /// The proof of the wallet was used before.
    #[error("the proof was used before")]
    Replayed,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// What a browser makes a passkey with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The challenge.
    pub challenge: [u8; 32],
    /// `user.id`: the person, for authenticators alone.
    pub user_id: Vec<u8>,
}

/// A passkey as its person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyLine {
    /// `pky_…`.
    pub id: String,
    /// Whether it may be copied between devices.
    pub synced: bool,
    /// Whether its maker vouches for it.
    pub attested: bool,
    /// When it was added.
    pub created_at_ms: i64,
    /// When it was last used.
    pub used_at_ms: i64,
}

/// What a lost guard of this file means.
#[derive(Debug)]
enum Lost {
    Ticket,
    Known,
    Replayed,
}

impl Refused for Lost {
    fn event(&self) -> Event {
        let code = match self {
            Self::Ticket => "ticket",
            Self::Known => "known",
            Self::Replayed => "replayed",
        };
        Event::PasskeyRefused { code: code.to_owned() }
    }
}

impl Idp {
    /// A ticket for the person of a wallet that proved itself; `spend` consumes that proof.
    ///
    /// # Errors
    /// [`PasskeyError::Replayed`], [`PasskeyError::Store`].
    pub async fn passkey_ticket(
        &self,
        ctx: &Ctx,
        (person, enrolment): (&str, &str),
        spend: Stmt,
    ) -> Result<(Secret<String>, i64), PasskeyError> {
        let ticket = Secret::new(crypto::base64::url_encode(&ctx.random::<32>()));
        let until_ms = ctx.now_ms() + TICKET_TTL_S * 1_000;
        let event = Event::PasskeyInvited {
            person: person.to_owned(),
            ttl_s: TICKET_TTL_S.unsigned_abs(),
            enrolment: enrolment.to_owned(),
        };
        let row =
            rows::put_ticket(ticket_sha256(ticket.expose()), (person, enrolment), ctx.random(), until_ms);
        let unit = Unit::new(event).guard(spend, Lost::Replayed).put(row);
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok((ticket, until_ms)),
            Err(CommitError::Lost(_)) => Err(PasskeyError::Replayed),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// What a browser with a ticket makes a passkey with. Spends nothing.
    ///
    /// # Errors
    /// [`PasskeyError::Ticket`], [`PasskeyError::Store`].
    pub async fn begin_passkey(&self, ctx: &Ctx, ticket: &str) -> Result<Begun, PasskeyError> {
        let found = self.live_ticket(ctx, ticket_sha256(ticket)).await?;
        let user_id = self.passkey_user(ctx, &found.person).await?;
        Ok(Begun { challenge: found.challenge, user_id })
    }

    /// Adds what a browser made. Whatever comes of it, the ticket is spent.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub async fn add_passkey(
        &self,
        ctx: &Ctx,
        ticket: &str,
        (client_data_json, attestation_object): (&[u8], &[u8]),
    ) -> Result<String, PasskeyError> {
        let sha256 = ticket_sha256(ticket);
        let found = self.live_ticket(ctx, sha256).await?;
        let expected = self.expected(&found.challenge);
        let roots = self.attestation_roots();
        let made = Creation::parse(client_data_json, attestation_object)
            .and_then(|creation| creation.verify(&expected, &roots, ctx.now));
        let passkey = match made {
            Ok(passkey) => passkey,
            Err(fault) => {
                self.spend_ticket_refused(ctx, sha256, &fault.to_string()).await?;
                return Err(PasskeyError::Creation(fault));
            }
        };
        if rows::count(&self.store, ctx, &found.person).await? >= PASSKEYS_MAX as i64 {
            self.spend_ticket_refused(ctx, sha256, "too-many").await?;
            return Err(PasskeyError::Known);
        }
        self.keep_passkey(ctx, sha256, &found, &passkey).await
    }

    /// A ticket that counts: its time is not over, and its device may sign in.
    async fn live_ticket(&self, ctx: &Ctx, sha256: [u8; 32]) -> Result<Ticket, PasskeyError> {
        let found = rows::ticket(&self.store, ctx, sha256).await?.ok_or(PasskeyError::Ticket)?;
        let device = self.enrolment(ctx, &found.enrolment).await?;
        let may = device.is_some_and(|device| device.may_sign(ctx.now_ms()));
        if may { Ok(found) } else { Err(PasskeyError::Ticket) }
    }

    async fn keep_passkey(
        &self,
        ctx: &Ctx,
        ticket_sha256: [u8; 32],
        Ticket { person, enrolment, .. }: &Ticket,
        passkey: &Passkey,
    ) -> Result<String, PasskeyError> {
        let passkey_id = id::new(ctx, "pky");
        let event = Event::PasskeyAdded {
            person: person.clone(),
            attested: passkey.attestation.is_rooted(),
            synced: passkey.flags.backup_eligible,
            passkey: passkey_id.clone(),
        };
        let unit = Unit::new(event)
            .guard(rows::spend_ticket(ticket_sha256), Lost::Ticket)
            .guard(rows::put(&passkey_id, (person, enrolment), passkey), Lost::Known);
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok(passkey_id),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
            Err(CommitError::Lost(Lost::Known)) => {
                self.spend_ticket_refused(ctx, ticket_sha256, "known").await?;
                Err(PasskeyError::Known)
            }
            Err(CommitError::Lost(_)) => Err(PasskeyError::Ticket),
        }
    }

    async fn spend_ticket_refused(&self, ctx: &Ctx, sha256: [u8; 32], code: &str) -> Result<(), StoreFault> {
        let unit = Unit::new(Event::PasskeyRefused { code: code.to_owned() })
            .guard(rows::spend_ticket(sha256), Lost::Ticket);
        match self.store.commit(ctx, unit).await {
            Ok(_) | Err(CommitError::Lost(_)) => Ok(()),
            Err(CommitError::Fault(fault)) => Err(fault),
        }
    }

    /// The passkeys of a person.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn passkeys(&self, ctx: &Ctx, person: &str) -> Result<Vec<PasskeyLine>, StoreFault> {
        let rows = rows::of_person(&self.store, ctx, person, PASSKEYS_MAX).await?;
        let line = |row: PasskeyRow| PasskeyLine {
            id: row.id,
            synced: row.passkey.flags.backup_eligible,
            attested: row.attested,
            created_at_ms: row.created_at_ms,
            used_at_ms: row.used_at_ms,
        };
        Ok(rows.into_iter().map(line).collect())
    }

    /// Removes a passkey of a person; whether there was one. `spend` consumes the wallet's proof.
    ///
    /// # Errors
    /// [`PasskeyError::Replayed`], [`PasskeyError::Store`].
    pub async fn remove_passkey(
        &self,
        ctx: &Ctx,
        person: &str,
        passkey: &str,
        spend: Stmt,
    ) -> Result<bool, PasskeyError> {
        let event = Event::PasskeyRemoved { person: person.to_owned(), passkey: passkey.to_owned() };
        let unit =
            Unit::new(event).guard(rows::remove(passkey, person), Lost::Known).guard(spend, Lost::Replayed);
        match self.store.commit(ctx, unit).await {
            Ok(_) => Ok(true),
            Err(CommitError::Lost(Lost::Replayed)) => Err(PasskeyError::Replayed),
            Err(CommitError::Lost(_)) => Ok(false),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Judges an assertion over `challenge`; `None` for one that does not hold, whatever was wrong with it.
    pub(crate) async fn asserted_over(
        &self,
        ctx: &Ctx,
        challenge: &[u8],
        parts: &AssertionParts<'_>,
    ) -> Result<Option<Asserted>, StoreFault> {
        let Ok(assertion) = Assertion::parse(parts) else { return Ok(None) };
        let Some(row) = rows::of_credential(&self.store, ctx, assertion.credential_id()).await? else {
            return Ok(None);
        };
        let device = self.enrolment(ctx, &row.enrolment).await?;
        if !device.is_some_and(|device| device.may_sign(ctx.now_ms())) {
            tracing::info!("a passkey of a device that may not sign in was used");
            return Ok(None);
        }
        let user = self.passkey_user(ctx, &row.person).await?;
        let asserted = match assertion.verify(&self.expected(challenge), &row.passkey, &user) {
            Ok(asserted) => asserted,
            Err(fault) => {
                tracing::info!(%fault, "an assertion does not hold");
                return Ok(None);
            }
        };
        // Two uses of one counter at once: one of them is a copy.
        let kept = rows::used(&row, asserted.counter, asserted.flags.backed_up);
        if !self.store.housekeeping_guarded(ctx, Reason::SigninStep, vec![kept], Vec::new()).await? {
            return Ok(None);
        }
        let is_bound = row.attested && !asserted.flags.backup_eligible;
        let (acr, key) =
            if is_bound { ("phrh", "hwk") } else { ("phr", if row.attested { "hwk" } else { "swk" }) };
        let amr = [key, "pop", "mfa"].map(str::to_owned).to_vec();
        Ok(Some(Asserted { person: row.person, enrolment: row.enrolment, acr: acr.to_owned(), amr }))
    }

    /// Forgets tickets whose time is over, and passkeys of devices that are forgotten.
    pub(crate) fn forget_passkeys() -> [Stmt; 2] {
        [rows::forget_tickets(), rows::forget()]
    }

    /// The host that passkeys are made for.
    #[must_use]
    pub fn rp_id(&self) -> &str {
        rp_id_of(self.config.origin())
    }

    fn expected<'a>(&'a self, challenge: &'a [u8]) -> Expected<'a> {
        Expected::at(self.config.origin(), challenge)
    }

    fn attestation_roots(&self) -> Vec<Certificate> {
        self.config.attestation_roots.iter().filter_map(|der| Certificate::parse(der).ok()).collect()
    }

    /// What authenticators know a person by: neither the person's id nor any relying party's `sub`.
    async fn passkey_user(&self, ctx: &Ctx, person: &str) -> Result<Vec<u8>, StoreFault> {
        let key = self.secret(ctx, Name::Pairwise).await?;
        let text = pairwise_sub(&key, "passkey", &person::bits(person));
        Ok(crypto::base64::url_decode(&text).unwrap_or_default())
    }
}

fn ticket_sha256(ticket: &str) -> [u8; 32] {
    hash::sha256(ticket.as_bytes())
}
