//! Epochs: a fresh hop key for each, its statement signed one epoch ahead, the key erased four rounds after its end.

use crate::network::commit;
use crate::{Live, Relay, now_ms, store};
use ::store::{Ctx, StoreFault, Unit};
use crypto::hpke::HpkePrivateKey;
use crypto::secret::Secret;
use custody::SignError;
use mailbox::network::{
    CELLS_MAX, Class, Epoch, EpochClass, NetworkRejection, OnionKey, SignedStatement, VerifiedEpoch,
};
use mailbox::onion::{Layer, Opener};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use tlog::event::Event;

/// Fewest clients that sizes are made for: a network of five should not tell that it is one of five.
pub const CLIENTS_MIN: u32 = 64;
/// Rounds after the end of an epoch at which its key is erased: late cells of its last rounds are opened until then.
pub const KEY_ROUNDS: u64 = 4;

/// Why an epoch is not open.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// What is kept does not hold.
    #[error("the kept epoch is not sound: {0}")]
    Kept(#[from] NetworkRejection),
    /// Signing.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// An epoch with what opens its cells.
pub(crate) struct OpenEpoch {
    pub(crate) verified: VerifiedEpoch,
    /// None once the key is erased.
    openers: Option<[Opener; 2]>,
}

impl OpenEpoch {
    /// What opens cells of a class.
    pub(crate) fn opener(&self, class: Class) -> Option<&Opener> {
        self.openers.as_ref().map(|openers| &openers[usize::from(class.number())])
    }

    /// Cells that a round takes: its rows less the most covers.
    pub(crate) fn capacity(&self, class: Class, covers_max: u32) -> u32 {
        self.verified.epoch().class(class).map_or(0, |class| class.rows.saturating_sub(covers_max))
    }
}

/// Epochs that are open: the running one, the next, and one that just ended.
#[derive(Default)]
pub(crate) struct Epochs(Mutex<BTreeMap<u32, Arc<OpenEpoch>>>);

impl Epochs {
    pub(crate) fn get(&self, epoch: u32) -> Option<Arc<OpenEpoch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&epoch).cloned()
    }

    fn put(&self, number: u32, epoch: OpenEpoch) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::new(epoch));
    }

    fn forget_before(&self, epoch: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|&number, _| number >= epoch);
    }
}

impl Relay {
    /// Opens the running epoch and the next.
    pub(crate) async fn open_epochs(&self, ctx: &Ctx) -> Result<(), EpochError> {
        let Some(live) = self.live() else { return Ok(()) };
        let running = live.calendar.epoch_at(now_ms(ctx)).unwrap_or(0);
        for number in [running, running.saturating_add(1)] {
            if live.epochs.get(number).is_none() {
                self.open_epoch(ctx, live, number).await?;
            }
        }
        Ok(())
    }

    /// The most covers of a round: twice the shift, which a draw passes with a chance of about delta.
    pub(crate) fn covers_max(&self) -> u32 {
        self.config().cover.map_or(0, |cover| cover.shift().saturating_mul(2))
    }

    /// An epoch by its number: open, or as it is kept.
    pub(crate) async fn epoch(&self, ctx: &Ctx, number: u32) -> Result<Option<Arc<OpenEpoch>>, EpochError> {
        let Some(live) = self.live() else { return Ok(None) };
        if let Some(open) = live.epochs.get(number) {
            return Ok(Some(open));
        }
        let Some(text) = store::statement(self.store(), ctx, "epoch", version(number)).await? else {
            return Ok(None);
        };
        Ok(Some(Arc::new(self.kept_epoch(ctx, live, number, &text).await?)))
    }

    /// Erases keys of epochs that ended four rounds ago, each with its event.
    pub(crate) async fn erase_epoch_keys(&self, ctx: &Ctx) -> Result<(), EpochError> {
        let Some(live) = self.live() else { return Ok(()) };
        let round_ms = live.calendar.round_ms(Class::Normal).unwrap_or(0);
        let late = now_ms(ctx).saturating_sub(KEY_ROUNDS * round_ms);
        let keep_from = live.calendar.epoch_at(late).unwrap_or(0);
        for epoch in store::epoch_keys_before(self.store(), ctx, keep_from).await? {
            let event = Event::RelayEpochKeyErased { epoch: epoch.into() };
            commit(self, ctx, Unit::<Infallible>::new(event).put(store::erase_epoch_key(epoch))).await?;
        }
        live.epochs.forget_before(keep_from);
        Ok(())
    }

    async fn open_epoch(&self, ctx: &Ctx, live: &Live, number: u32) -> Result<(), EpochError> {
        if let Some(text) = store::statement(self.store(), ctx, "epoch", version(number)).await? {
            let kept = self.kept_epoch(ctx, live, number, &text).await?;
            live.epochs.put(number, kept);
            return Ok(());
        }
        let secret = Secret::new(ctx.random::<32>());
        let key = HpkePrivateKey::from_secret(&secret);
        let epoch = self.composed(ctx, live, number, mailbox::network::Identity(key.public())).await?;
        let (signed, key_use) = self.signed(ctx, live.identity, "epoch", epoch.encode()).await?;
        let body = signed.encode();
        let verified = Epoch::parse(signed)?.verify(&live.manifest)?;
        let event = Event::RelayEpochOpened { epoch: number.into(), sha256: verified.digest(), key_use };
        let unit = Unit::<Infallible>::new(event)
            .put(store::put_statement("epoch", version(number), &body))
            .put(store::put_epoch_key(self.store(), ctx, number, &secret).await?);
        commit(self, ctx, unit).await?;
        live.epochs.put(number, OpenEpoch { openers: Some(openers(live, number, &secret)), verified });
        Ok(())
    }

    async fn kept_epoch(
        &self,
        ctx: &Ctx,
        live: &Live,
        number: u32,
        text: &str,
    ) -> Result<OpenEpoch, EpochError> {
        let verified = Epoch::parse(SignedStatement::parse(text.as_bytes())?)?.verify(&live.manifest)?;
        let secret = store::epoch_key(self.store(), ctx, number).await?;
        let secret = secret.and_then(|secret| secret.expose().as_slice().try_into().ok().map(Secret::new));
        Ok(OpenEpoch { openers: secret.map(|secret| openers(live, number, &secret)), verified })
    }

    /// Sizes follow from declared figures, never from live counts.
    async fn composed(
        &self,
        ctx: &Ctx,
        live: &Live,
        number: u32,
        key: OnionKey,
    ) -> Result<Epoch, EpochError> {
        let members = store::members_count(self.store(), ctx).await?;
        let members = u32::try_from(members).unwrap_or(CELLS_MAX).next_power_of_two().max(CLIENTS_MIN);
        let clients_max = self.config().clients_max.unwrap_or(members);
        let (cascade, standby) = live.manifest.manifest().cascade(number);
        let class = |class: Class| {
            // An office of quick sign-ins is a quarter of a network, and no smaller than the smallest.
            let clients = if class == Class::Fast { (clients_max / 4).max(CLIENTS_MIN) } else { clients_max };
            let covers = u64::from(self.covers_max());
            let rows = ((u64::from(clients) * 11).div_ceil(10) + covers).min(u64::from(CELLS_MAX));
            EpochClass {
                id: class.number(),
                from_round: live.calendar.first_round(class, number),
                buckets: 1,
                rows: u32::try_from(rows).unwrap_or(CELLS_MAX),
            }
        };
        Ok(Epoch {
            network: live.manifest.network(),
            epoch: number,
            view: 0,
            manifest_version: live.manifest.manifest().version,
            cascade,
            standby,
            onion_keys: vec![key],
            token_key: None,
            clients_max,
            classes: live.lanes.iter().map(|lane| class(lane.class())).collect(),
        })
    }
}

fn openers(live: &Live, epoch: u32, secret: &Secret<[u8; 32]>) -> [Opener; 2] {
    [Class::Normal, Class::Fast].map(|class| {
        let layer = Layer { network: live.manifest.network(), epoch, view: 0, class, hop: 1 };
        Opener::new(HpkePrivateKey::from_secret(secret), &layer)
    })
}

/// An epoch's place among the statements: views of one stand beside each other.
fn version(epoch: u32) -> u64 {
    u64::from(epoch) << 16
}
