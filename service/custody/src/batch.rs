//! `POST sign`: one order or a batch, signed with a key of the API.
//!
//! ```text
//! Orders ── key of the API? active? quota ── covered? algorithm? ── keeper.sign ── commit(key-used, guard: still active) ──▶ Batch
//! ```
//!
//! Invariants: a signature leaves after its event is durable, and only if the version was active then; a key of a room is refused,
//! and so is what rooms alone sign; a refusal of a known key is an event.

use crypto::hash;
use crypto::key::SignAlg;
use store::{CommitError, Committed, Ctx, Refused, Stmt, StoreFault, Unit};
use thiserror::Error;
use tlog::event::{Event, KeyUse};

use crate::Custody;
use crate::keeper::KeeperFault;
use crate::key::Owner;
use crate::order::{Drafted, Order, OrderRefusal, Output, Signing};
use crate::sign::{KeyMoved, KeyRef, SignError, event_container, handle};
use crate::state::State;
use crate::store::{self as rows, Signer};
use crate::usage::Container;

/// Digests that one event lists; a larger batch is told by one digest over all of them, as a detail has 4 KiB.
const DIGESTS_MAX: usize = 64;

/// What `POST sign` answers.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The `kid` of the version that signed.
    pub kid: String,
    /// The version that signed.
    pub version: u32,
    /// For each order what was made of it.
    pub items: Vec<Result<Item, OrderRefusal>>,
    /// The event, durable before this is answered; of a batch of refusals theirs.
    pub committed: Committed,
}

/// One signed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The object.
    pub output: Output,
    /// Name of the algorithm.
    pub alg: &'static str,
}

/// Why `POST sign` signs nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderError {
    /// The tenant has no such key; a foreign one reads alike.
    #[error("there is no such key")]
    NotFound,
    /// The key belongs to a room.
    #[error("the key belongs to the {owner}")]
    RoomKey {
        /// Whose it is.
        owner: &'static str,
        /// The event that recorded it.
        recorded: Committed,
    },
    /// No version of the key signs now.
    #[error("the key is {state}")]
    State {
        /// The state of its version in use, or of the newest.
        state: State,
        /// The event that recorded it.
        recorded: Committed,
    },
    /// The one order was refused.
    #[error("{refusal}")]
    Refused {
        /// Why.
        refusal: OrderRefusal,
        /// The event that recorded it.
        recorded: Committed,
    },
    /// The account signs faster than it may.
    #[error("the account signs faster than it may")]
    Quota,
    /// Another request with the same idempotency key did it.
    #[error("another request with this idempotency key was faster")]
    Idempotency,
    /// The keeper could not.
    #[error(transparent)]
    Keeper(#[from] KeeperFault),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// What `POST sign` is given: one order, or a batch.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Each, or why its form was refused.
    pub items: Vec<Result<Order, OrderRefusal>>,
    /// Whether they came as `items`: then a refusal stands beside the others' results.
    pub is_batch: bool,
}

impl Custody {
    /// Signs for the API with a key of the API. `mark` closes the request's idempotency mark in the same unit.
    ///
    /// # Errors
    /// [`OrderError`]; every refusal of a known key has its event.
    pub async fn sign_orders(
        &self,
        ctx: &Ctx,
        key_id: &str,
        orders: Orders,
        mark: Option<Stmt>,
    ) -> Result<Batch, OrderError> {
        let signer = match self.signer_row(ctx, KeyRef::Id(key_id)).await {
            Ok(signer) => signer,
            Err(SignError::NotActive { key_id, state }) => {
                let recorded = self.refused(ctx, &key_id, None, "keys/state").await?;
                return Err(OrderError::State { state, recorded });
            }
            Err(SignError::Store(fault)) => return Err(fault.into()),
            Err(_) => return Err(OrderError::NotFound),
        };
        let container = signer.key.uses.container();
        if signer.key.owner != Owner::Api {
            let recorded = self.refused(ctx, key_id, Some(container), "keys/use-refused").await?;
            return Err(OrderError::RoomKey { owner: signer.key.owner.as_str(), recorded });
        }
        if !self.quota().take(ctx, orders.items.len()) {
            return Err(OrderError::Quota);
        }
        let drafted = draft_all(&signer, orders.items);
        if let [Err(refusal)] = drafted.as_slice()
            && !orders.is_batch
        {
            let recorded = self.refused(ctx, key_id, Some(container), code(refusal)).await?;
            return Err(OrderError::Refused { refusal: refusal.clone(), recorded });
        }
        self.sign_drafted(ctx, &signer, drafted, mark).await
    }

    async fn sign_drafted(
        &self,
        ctx: &Ctx,
        signer: &Signer,
        drafted: Vec<Result<Drafted, OrderRefusal>>,
        mark: Option<Stmt>,
    ) -> Result<Batch, OrderError> {
        let container = signer.key.uses.container();
        let (mut items, mut digests, mut alg) = (Vec::with_capacity(drafted.len()), Vec::new(), None);
        for one in drafted {
            let drafted = match one {
                Ok(drafted) => drafted,
                Err(refusal) => {
                    items.push(Err(refusal));
                    continue;
                }
            };
            let handle = handle(&signer.key, signer.version.number, signer.sealed.as_deref());
            let signature =
                self.keeper().sign(self.store(), ctx, handle, drafted.alg, &drafted.to_be_signed).await?;
            digests.push(hash::sha256(&drafted.to_be_signed));
            alg = Some(drafted.alg);
            let alg = drafted.alg_name;
            items.push(Ok(Item { output: drafted.finish(&signature), alg }));
        }
        let Some(alg) = alg else {
            let refusal = items.iter().find_map(|item| item.as_ref().err()).map_or("keys/use-refused", code);
            let committed = self.refused(ctx, &signer.key.id, Some(container), refusal).await?;
            return Ok(Batch {
                kid: signer.version.kid.clone(),
                version: signer.version.number,
                items,
                committed,
            });
        };
        let count = u32::try_from(digests.len()).unwrap_or(u32::MAX);
        let event = used_event(ctx, signer, alg, count, digests);
        // The guard: whoever froze the version a moment ago is not overtaken by a signature.
        let mut unit = Unit::new(event).guard(
            rows::count_uses(&signer.key.id, signer.version.number, count),
            Moved::State(signer.key.id.clone()),
        );
        if let Some(mark) = mark {
            unit = unit.guard(mark, Moved::Idempotency);
        }
        match self.store().commit(ctx, unit).await {
            Ok(committed) => Ok(Batch {
                kid: signer.version.kid.clone(),
                version: signer.version.number,
                items,
                committed,
            }),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
            Err(CommitError::Lost(Moved::Idempotency)) => Err(OrderError::Idempotency),
            Err(CommitError::Lost(Moved::State(key_id))) => {
                let known = rows::key(self.store(), ctx, &key_id).await?.ok_or(OrderError::NotFound)?;
                let recorded = self.refused(ctx, &key_id, Some(container), "keys/state").await?;
                Err(OrderError::State { state: known.state(), recorded })
            }
        }
    }

    /// Records that a use of a known key was refused.
    pub(crate) async fn refused(
        &self,
        ctx: &Ctx,
        key_id: &str,
        container: Option<Container>,
        code: &str,
    ) -> Result<Committed, StoreFault> {
        let event = Event::KeyUseRefused {
            container: container.map(|container| event_container(container, false)),
            key_id: key_id.to_owned(),
            code: code.to_owned(),
        };
        self.store().record(ctx, event).await
    }
}

/// What a lost guard of `POST sign` means.
enum Moved {
    State(String),
    Idempotency,
}

impl Refused for Moved {
    fn event(&self) -> Event {
        match self {
            Self::State(key_id) => KeyMoved(key_id.clone()).event(),
            Self::Idempotency => Event::RequestRefused {
                status: 409,
                operation: "signWithKey".to_owned(),
                code: "api/idempotency-busy".to_owned(),
            },
        }
    }
}

/// Stable code of a refused order.
pub(crate) const fn code(refusal: &OrderRefusal) -> &'static str {
    match refusal {
        OrderRefusal::RawDigest => "keys/raw-digest-refused",
        OrderRefusal::Header { .. } => "keys/header-refused",
        OrderRefusal::TooLarge => "keys/payload-too-large",
        OrderRefusal::Alg { .. } => "keys/alg-mismatch",
        OrderRefusal::Use => "keys/use-refused",
        OrderRefusal::Member { .. } => "api/invalid",
    }
}

/// Uses first, then the algorithm; a batch signs with one algorithm, as its event names one.
fn draft_all(
    signer: &Signer,
    orders: Vec<Result<Order, OrderRefusal>>,
) -> Vec<Result<Drafted, OrderRefusal>> {
    let container = signer.key.uses.container();
    let by = Signing {
        key: signer.key.alg,
        container,
        kid: &signer.version.kid,
        chain: signer.version.chain.as_ref().map(|chain| chain.certificates.as_slice()),
    };
    let mut alg = None;
    let mut draft = |order: Order| {
        let covered = signer.key.uses.covers(order.container(container), order.profile());
        if !covered || order.is_for_rooms() {
            return Err(OrderRefusal::Use);
        }
        let drafted = order.draft(&by)?;
        if *alg.get_or_insert(drafted.alg) != drafted.alg {
            return Err(OrderRefusal::Member {
                pointer: "/alg",
                rule: "is the same for all items of a batch",
            });
        }
        Ok(drafted)
    };
    orders.into_iter().map(|order| order.and_then(&mut draft)).collect()
}

fn used_event(ctx: &Ctx, signer: &Signer, alg: SignAlg, count: u32, digests: Vec<[u8; 32]>) -> Event {
    let digests = if digests.len() > DIGESTS_MAX { vec![hash::sha256(&digests.concat())] } else { digests };
    Event::KeyUsed {
        container: event_container(signer.key.uses.container(), false),
        alg,
        count: count.into(),
        key_use: KeyUse { key_id: signer.key.id.clone(), version: signer.version.number, count },
        request: ctx.request_id.to_string(),
        digests,
    }
}
