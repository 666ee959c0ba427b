//! Pushes: a sign-in that waits for a person is told to that person's devices over a relay, by a loop that is not in this room.
//!
//! ```text
//! enrolment, or PUT seal/enrolment/relay: offer ─► greet ─► contact, sealed      (the enrolment's channel stands for the codes)
//! a sign-in is addressed ─► unit { …, row of the outbox } ─► loop: waiting_pushes ─► seal_push: chain moved on, durable ─► cell
//!                                                                                    accepted ─► end_push
//! ```
//! Invariants: a row holds what one cell carries and ends with its sign-in; a device has one row, the newest; the chain of a contact
//! is durable before a cell of it leaves, so no key seals twice; a row that was sealed and not accepted is sealed anew, by a later key.

use crate::enrolment::{EnrolError, EnrolLost, Enrolment, Lost, lost};
use crate::signin::Opened;
use crate::{Idp, store};
use ::store::{Committed, Ctx, Reason, Stmt, StoreFault, TenantId, Unit, id};
use crypto::secret::Secret;
use mailbox::client::{Client, Moment, Network, Settings};
use mailbox::invite::Invite;
use seal::code::proof::SealProof;
use seal::push::{PUSH_BYTES_MAX, Push};
use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};
use tlog::event::Event;
use tokio::sync::Notify;

/// Cells of a server in a fast round; also how many devices one sign-in is told to, and how many pushes one look takes.
pub const PUSH_TURNS: u8 = 8;
/// Rows that one look at a tenant reads: those that are over end with it.
const ROWS_MAX: usize = 64;
/// Bytes of a network's id before each contact: contacts of another network are none.
const NETWORK_BYTES: usize = 32;

/// The relay network over which this process pushes.
#[derive(Clone, Debug)]
pub struct PushNetwork {
    /// Its id and rhythm.
    pub network: Network,
    /// Where the relay answers, as wallets reach it.
    pub url: String,
}

/// What this process knows of pushes: the network, and which tenants have some.
#[derive(Default)]
pub(crate) struct Pushing {
    network: OnceLock<PushNetwork>,
    tenants: Mutex<BTreeSet<TenantId>>,
    bell: Notify,
}

/// A push that waits, with the contact that it goes to.
pub struct WaitingPush {
    /// `psh_…`.
    pub id: String,
    enrolment: String,
    /// What the cell carries.
    pub payload: Secret<Vec<u8>>,
    /// When it is of no use any more, Unix milliseconds.
    pub expires_at_ms: u64,
    /// The contact, as `mailbox::client` encodes it.
    pub contact: Secret<Vec<u8>>,
    read: Vec<u8>,
}

/// A contact that was made with a device.
pub(crate) struct Greeted {
    /// What is kept of it.
    pub(crate) kept: Secret<Vec<u8>>,
    /// What the device needs to have it too.
    pub(crate) hello: Vec<u8>,
}

impl Idp {
    /// Pushes go over this network from now on. It is said once in the life of a process; a second time changes nothing.
    pub fn push_over(&self, network: PushNetwork) {
        let _ = self.pushing.network.set(network);
    }

    /// The network over which this process pushes; none where it does not.
    pub fn push_network(&self) -> Option<&PushNetwork> {
        self.pushing.network.get()
    }

    /// Tenants that were told to have pushes since the last call.
    pub fn tenants_with_pushes(&self) -> Vec<TenantId> {
        let mut tenants = self.pushing.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *tenants).into_iter().collect()
    }

    /// Until some tenant has a push.
    pub async fn until_pushes(&self) {
        self.pushing.bell.notified().await;
    }

    /// Pushes of a tenant that wait, at most one a device; those that are over, or go nowhere, end here unsent.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn waiting_pushes(&self, ctx: &Ctx) -> Result<Vec<WaitingPush>, StoreFault> {
        let Some(PushNetwork { network, .. }) = self.push_network() else { return Ok(Vec::new()) };
        let (mut waiting, mut past) = (Vec::new(), Vec::new());
        for row in store::outbox::waiting(&self.store, ctx, ROWS_MAX).await? {
            let lives = row.expires_at_ms > ctx.now_ms();
            let contact =
                if lives { store::outbox::contact(&self.store, ctx, &row.enrolment).await? } else { None };
            let ours = contact.and_then(|it| {
                let (id, contact) = it.plain.expose().split_first_chunk::<NETWORK_BYTES>()?;
                (*id == network.id).then(|| (it.sealed, Secret::new(contact.to_vec())))
            });
            let Some((read, contact)) = ours else {
                past.push(store::outbox::end(&row.id));
                continue;
            };
            let payload = row.payload(&self.store, ctx).await?;
            let expires_at_ms = row.expires_at_ms.unsigned_abs();
            waiting.push(WaitingPush {
                id: row.id,
                enrolment: row.enrolment,
                payload,
                expires_at_ms,
                contact,
                read,
            });
        }
        if !past.is_empty() {
            self.store.housekeeping(ctx, Reason::Expiry, past).await?;
        }
        Ok(waiting)
    }

    /// A key of the contact is used up: its state after that is durable when this returns. False where somebody else moved the
    /// contact meanwhile; then nothing may be sent.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn seal_push(
        &self,
        ctx: &Ctx,
        push: &WaitingPush,
        contact: &Secret<Vec<u8>>,
    ) -> Result<bool, StoreFault> {
        let Some(PushNetwork { network, .. }) = self.push_network() else { return Ok(false) };
        let kept = kept(&network.id, contact);
        let moved =
            store::outbox::advance(&self.store, ctx, (&push.enrolment, &push.read), kept.expose()).await?;
        self.store.housekeeping_guarded(ctx, Reason::SigninStep, vec![moved], Vec::new()).await
    }

    /// The relay has the cell.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn end_push(&self, ctx: &Ctx, id: &str) -> Result<(), StoreFault> {
        self.store.housekeeping(ctx, Reason::SigninStep, vec![store::outbox::end(id)]).await.map(drop)
    }

    /// A device has pushes from now on, over the contact that it offers; the hello that makes it a contact there too.
    pub(crate) async fn push_on(
        &self,
        ctx: &Ctx,
        (device, proof): (&Enrolment, &SealProof),
        offer: &[u8],
    ) -> Result<Vec<u8>, EnrolError> {
        let Some(greeted) = self.greeted(ctx, offer)? else { return Err(refused_offer()) };
        self.set_push(ctx, (device, proof), Some(greeted.kept.expose())).await?;
        Ok(greeted.hello)
    }

    /// A device has no pushes any more; what waits for it goes.
    pub(crate) async fn push_off(
        &self,
        ctx: &Ctx,
        by: (&Enrolment, &SealProof),
    ) -> Result<Committed, EnrolError> {
        self.set_push(ctx, by, None).await
    }

    async fn set_push(
        &self,
        ctx: &Ctx,
        (device, proof): (&Enrolment, &SealProof),
        contact: Option<&[u8]>,
    ) -> Result<Committed, EnrolError> {
        let event = Event::EnrolmentPushSet {
            person: device.person.clone(),
            on: contact.is_some(),
            enrolment: device.id.clone(),
        };
        let raced = |what| EnrolLost { enrolment: device.id.clone(), what };
        let set = store::outbox::set_contact(&self.store, ctx, &device.id, contact).await?;
        let unit = Unit::new(event)
            .guard(set, raced(Lost::Raced))
            .guard(self.spend_proof(ctx, &device.id, proof), raced(Lost::Jti))
            .put(store::outbox::end_of_device(&device.id));
        self.store.commit(ctx, unit).await.map_err(lost)
    }

    /// Answers the offer of a device. None where this process pushes over no network; an offer of another one is refused.
    pub(crate) fn greeted(&self, ctx: &Ctx, offer: &[u8]) -> Result<Option<Greeted>, EnrolError> {
        let Some(PushNetwork { network, .. }) = self.push_network() else { return Ok(None) };
        let invite = Invite::parse(offer).map_err(|_| refused_offer())?;
        // Key material is not drawn from the request. A client of its own for each: contacts share no seed that could link them.
        let mut entropy = crypto::random::fill;
        let mut moment = Moment { now_ms: ctx.now_ms().unsigned_abs(), entropy: &mut entropy };
        let mut client = Client::new(*network, Settings::server(PUSH_TURNS), "", &mut moment);
        let (id, hello) = client.greet(&invite, &mut moment).map_err(|_| refused_offer())?;
        let contact = client.encode_contact(id).ok_or_else(refused_offer)?;
        Ok(Some(Greeted { kept: kept(&network.id, &contact), hello }))
    }

    /// The rows by which a sign-in is told to a person's devices; for nobody one that is over at once, so that the time of an answer
    /// does not tell a known handle from an unknown one.
    pub(crate) async fn pushed(
        &self,
        ctx: &Ctx,
        opened: &Opened,
        person: Option<&str>,
    ) -> Result<Vec<Stmt>, StoreFault> {
        if self.push_network().is_none() {
            return Ok(Vec::new());
        }
        let push = Push {
            sid: opened.sid,
            issuer: opened.context.issuer.clone(),
            rp: opened.context.rp_origin.clone(),
            expires_at_s: opened.expires_at.as_second(),
        };
        let devices = usize::from(PUSH_TURNS);
        let mut devices =
            store::outbox::devices(&self.store, ctx, person.unwrap_or_default(), devices).await?;
        let payload = push.encode().unwrap_or_else(|| {
            devices.clear();
            vec![0; PUSH_BYTES_MAX]
        });
        let mut until_ms = opened.expires_at.as_millisecond();
        if devices.is_empty() {
            (devices, until_ms) = (vec![String::new()], ctx.now_ms());
        }
        let mut stmts = Vec::new();
        for device in &devices {
            let id = id::new(ctx, "psh");
            stmts.push(store::outbox::end_of_device(device));
            stmts.push(store::outbox::put(&self.store, ctx, (&id, device), &payload, until_ms).await?);
        }
        Ok(stmts)
    }

    /// Tells the loop that a tenant has pushes. Called after the commit; a loop that misses it looks at every tenant now and then.
    pub(crate) fn ring(&self, ctx: &Ctx) {
        if self.push_network().is_some() {
            let mut tenants = self.pushing.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            tenants.insert(ctx.tenant.clone());
            self.pushing.bell.notify_one();
        }
    }
}

fn kept(network: &[u8; NETWORK_BYTES], contact: &Secret<Vec<u8>>) -> Secret<Vec<u8>> {
    Secret::new([&network[..], contact.expose()].concat())
}

fn refused_offer() -> EnrolError {
    EnrolError::Member { pointer: "/relay", rule: "is an offer in the relay network that the metadata names" }
}

impl std::fmt::Debug for WaitingPush {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WaitingPush({})", self.id)
    }
}
