//! From a closed batch to a published round: open, sort, write, sign, commit, push; and what a tick of the relay moves.

use crate::epoch::{EpochError, OpenEpoch};
use crate::lane::{Batch, Due, Lane};
use crate::network::RelayFault;
use crate::{Live, Relay, now_ms, store};
use ::store::{CommitError, Ctx, Reason, StoreFault, Unit};
use crypto::hash::sha256;
use crypto::secret::Secret;
use custody::SignError;
use mailbox::cover::noise_stream;
use mailbox::cover::sample::Stream;
use mailbox::frame::{self, onion_bytes};
use mailbox::hop;
use mailbox::label::expand;
use mailbox::network::{Class, Mechanism};
use mailbox::onion::Innermost;
use mailbox::round::{self, Input, Round, State};
use mailbox::statement::{
    HopLine, MechanismLine, ROW_BYTES, RoundStatement, buckets_root, index_of, rows_digest,
};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use tlog::event::Event;

/// A round that failed to come out is tried again after this long, milliseconds.
pub(crate) const RETRY_MS: u64 = 1_000;
/// Fast rounds that share one event of the ledger: one a minute.
pub(crate) const FAST_ROUNDS_AN_EVENT: u64 = 60;

/// A round that is out, in the frames that every reader gets.
pub(crate) struct Published {
    pub(crate) number: u64,
    pub(crate) signed: Vec<u8>,
    pub(crate) frames: Vec<Vec<u8>>,
}

/// Why a round did not come out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The key of its epoch is erased: its cells can be opened by nobody.
    #[error("the key of epoch {0} is erased")]
    Erased(u32),
    #[error(transparent)]
    Epoch(#[from] EpochError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Fast rounds since the last event, and SHA-256 over their statements' hashes so far.
#[derive(Default)]
pub(crate) struct FastTally {
    rounds: AtomicU64,
}

impl Relay {
    /// Moves every lane as far as `ctx.now` allows; answers when to come again, Unix milliseconds.
    ///
    /// # Errors
    /// [`RelayFault`]: nothing is lost, the next tick tries again.
    pub async fn advance(&self, ctx: &Ctx) -> Result<u64, RelayFault> {
        let ctx = &self.inside(ctx);
        let Some(live) = self.live() else { return Ok(now_ms(ctx) + RETRY_MS) };
        let _moving = self.0.moving.lock().await;
        self.open_epochs(ctx).await?;
        let mut next = now_ms(ctx) + 60_000;
        for lane in &live.lanes {
            next = next.min(self.advance_lane(ctx, live, lane).await?);
        }
        Ok(next)
    }

    /// Publishes rounds that an interrupted process left, oldest first; the running one goes on.
    pub(crate) async fn take_up(&self, ctx: &Ctx) -> Result<(), RelayFault> {
        let Some(live) = self.live() else { return Ok(()) };
        let Some(lane) = live.lanes.first() else { return Ok(()) };
        let running = live.calendar.round_at(lane.class(), now_ms(ctx)).unwrap_or(0);
        let is_over = now_ms(ctx) >= round::closes_at_ms(&live.calendar, lane.class(), running);
        self.take_up_before(ctx, lane, running + u64::from(is_over)).await
    }

    /// Rounds before `number` whose cells still wait: interrupted, or failed.
    async fn take_up_before(&self, ctx: &Ctx, lane: &Arc<Lane>, number: u64) -> Result<(), RelayFault> {
        for waiting in store::intake_rounds(self.store(), ctx, lane.class()).await? {
            if waiting < number {
                self.take_up_round(ctx, lane, waiting).await?;
            }
        }
        Ok(())
    }

    async fn advance_lane(&self, ctx: &Ctx, live: &Live, lane: &Arc<Lane>) -> Result<u64, RelayFault> {
        if let Some(closed) = lane.mixed() {
            let publishes_at = round::publishes_at_ms(&live.calendar, lane.class(), closed.number);
            if now_ms(ctx) < publishes_at {
                lane.keep_mixed(closed);
                return Ok(publishes_at);
            }
            self.bring_out(ctx, lane, closed).await;
        }
        match lane.due(now_ms(ctx)) {
            Due::At(at) => Ok(at),
            Due::Open(number) => {
                if lane.class() == Class::Normal {
                    self.take_up_before(ctx, lane, number).await?;
                }
                let epoch = live.calendar.epoch_of(lane.class(), number);
                let Some(open) = self.epoch(ctx, epoch).await? else { return Ok(now_ms(ctx) + RETRY_MS) };
                let part = match lane.class() {
                    Class::Normal => store::next_part(self.store(), ctx, lane.class(), number).await?,
                    Class::Fast => 0,
                };
                if part > 0 {
                    // Begun before a restart: what was taken then is part of the round.
                    let cells = self.kept_cells(ctx, lane.class(), number).await?;
                    lane.begin(number, open.capacity(lane.class(), self.covers_max()), part);
                    lane.remember(cells);
                } else {
                    lane.begin(number, open.capacity(lane.class(), self.covers_max()), 0);
                }
                Ok(round::closes_at_ms(&live.calendar, lane.class(), number))
            }
            Due::Close(number) => {
                let Some(batch) = lane.close(self, ctx).await else { return Ok(now_ms(ctx) + RETRY_MS) };
                let is_idle = lane.class() == Class::Fast && batch.cells.is_empty() && !lane.has_readers();
                if is_idle {
                    return Ok(live.calendar.starts_at_ms(lane.class(), number + 1));
                }
                match self.mix(ctx, lane, batch).await {
                    Ok(closed) => lane.keep_mixed(closed),
                    Err(fault) => self.stalled(ctx, lane, number, &fault).await,
                }
                Ok(round::publishes_at_ms(&live.calendar, lane.class(), number))
            }
        }
    }

    /// Opens and sorts a batch; its rows are durable afterwards, and served by nobody before its statement is.
    async fn mix(&self, ctx: &Ctx, lane: &Arc<Lane>, batch: Batch) -> Result<Mixed, PublishError> {
        let Batch { number, round, cells } = batch;
        let epoch = lane.calendar().epoch_of(lane.class(), number);
        let open = self.epoch(ctx, epoch).await?.ok_or(PublishError::Erased(epoch))?;
        // The covers are drawn before anything is opened: they cannot depend on the load.
        let covers = self.covers(ctx);
        let rows = opened(lane.clone(), open, number, cells, covers).await?;
        let (round, _) = round.step(Input::Mix);
        if lane.class() == Class::Normal {
            // A round that is mixed a second time, after a crash, may have fewer parts.
            let gone = store::forget_round_rows(lane.class(), number);
            self.store().housekeeping(ctx, Reason::RelayIntake, vec![gone]).await?;
            for part in store::put_rows(lane.class(), number, 0, &rows) {
                self.store().housekeeping(ctx, Reason::RelayIntake, vec![part]).await?;
            }
        }
        Ok(Mixed { number, epoch, round, rows })
    }

    /// Signs, commits and pushes a mixed round. On a fault its cells stay in the intake and the next tick takes it up.
    async fn bring_out(&self, ctx: &Ctx, lane: &Arc<Lane>, mixed: Mixed) {
        let number = mixed.number;
        if let Err(fault) = self.publish(ctx, lane, mixed).await {
            self.stalled(ctx, lane, number, &fault).await;
        }
    }

    async fn publish(&self, ctx: &Ctx, lane: &Arc<Lane>, mixed: Mixed) -> Result<(), PublishError> {
        let Some(live) = self.live() else { return Ok(()) };
        let Mixed { number, epoch, round, rows } = mixed;
        let (round, _) = round.step(Input::Publish);
        let count = u32::try_from(rows.len() / ROW_BYTES).unwrap_or(u32::MAX);
        let buckets = [&rows];
        let hop = HopLine {
            relay: 0,
            cells_in: 0,
            cells_out: count,
            dropped: 0,
            digest: rows_digest(&buckets),
            seed_commit: [0; 32],
            coin_commit: [0; 32],
            coin: [0; 32],
        };
        let statement = RoundStatement {
            network: live.manifest.network(),
            class: lane.class(),
            epoch,
            view: 0,
            round: number,
            collect_from: number,
            mechanism: self.mechanism_line(),
            buckets: 1,
            rows: count,
            hops: vec![hop],
            buckets_root: buckets_root(&buckets),
        };
        let (signature, key_use) = self.custody().sign_statement(ctx, &statement.message()).await?;
        let signed = statement.signed(vec![signature]);
        let bytes = signed.encode();
        let (round, _) = round.step(Input::Sign);
        debug_assert_eq!(round.state(), State::Signed);
        let sha256 = sha256(&bytes);
        let event = |rounds| Event::RelayRound {
            class: lane.class().number().into(),
            round: number,
            rounds,
            sha256,
            key_use: key_use.clone(),
        };
        match lane.class() {
            Class::Normal => {
                let unit = Unit::<Infallible>::new(event(1))
                    .put(store::put_round(lane.class(), number, bytes.clone()))
                    .put(store::forget_intake(lane.class(), number));
                match self.store().commit(ctx, unit).await {
                    Ok(_) => {}
                    Err(CommitError::Fault(fault)) => return Err(fault.into()),
                    Err(CommitError::Lost(never)) => match never {},
                }
            }
            Class::Fast => {
                if let Some(rounds) = lane.tally.another() {
                    self.store().record(ctx, event(rounds)).await?;
                }
            }
        }
        let ready = frame::Round { signed, index: index_of(&rows), path: Vec::new() };
        let mut frames = ready.frames(lane.class());
        frames.extend(frame::Bucket::frames(lane.class(), number, 0, &rows));
        lane.push(&Arc::new(Published { number, signed: bytes, frames }));
        Ok(())
    }

    /// Cover cells of a round, from a fresh seed that is nowhere kept: each is 512 bytes that nobody can tell from a sealed cell.
    fn covers(&self, ctx: &Ctx) -> Vec<Innermost> {
        let Some(cover) = &self.config().cover else { return Vec::new() };
        let seed = Secret::new(ctx.random::<32>());
        let drawn = cover.draw(&mut noise_stream(&seed)).min(self.covers_max());
        let mut stream = Stream::new(expand(&seed, &[b"dummy"]));
        let cell = |_| {
            let mut cell = [0; ROW_BYTES];
            stream.fill(&mut cell);
            Innermost { bucket: 0, cell }
        };
        (0..drawn).map(cell).collect()
    }

    fn mechanism_line(&self) -> MechanismLine {
        match self.config().mechanism() {
            Mechanism::None => MechanismLine::default(),
            Mechanism::Gaussian { sigma2, shift } => MechanismLine { kind: 1, num: sigma2, den: 1, shift },
            Mechanism::Laplace { num, den, shift } => MechanismLine { kind: 2, num, den, shift },
        }
    }

    async fn stalled(&self, ctx: &Ctx, lane: &Arc<Lane>, number: u64, fault: &PublishError) {
        tracing::warn!(%fault, class = lane.class().number(), round = number, "a round did not come out in its time");
        let event = Event::RelayRoundStalled { class: lane.class().number().into(), round: number };
        if let Err(fault) = self.store().record(ctx, event).await {
            tracing::warn!(%fault, "the stalled round could not be recorded");
        }
    }

    async fn take_up_round(&self, ctx: &Ctx, lane: &Arc<Lane>, number: u64) -> Result<(), RelayFault> {
        let cells = self.kept_cells(ctx, lane.class(), number).await?;
        let batch = Batch { number, round: Round::at(State::Closed, 1), cells };
        match self.mix(ctx, lane, batch).await {
            Ok(mixed) => self.bring_out(ctx, lane, mixed).await,
            Err(PublishError::Erased(_)) => {
                // Nobody can open them any more: they are no cells now. Their senders saw no statement and repeat.
                let gone = store::forget_intake(lane.class(), number);
                self.store().housekeeping(ctx, Reason::Expiry, vec![gone]).await?;
                self.stalled(ctx, lane, number, &PublishError::Erased(0)).await;
            }
            Err(fault) => self.stalled(ctx, lane, number, &fault).await,
        }
        Ok(())
    }

    async fn kept_cells(&self, ctx: &Ctx, class: Class, number: u64) -> Result<Vec<Vec<u8>>, StoreFault> {
        let blobs = store::intake(self.store(), ctx, class, number).await?;
        Ok(blobs.iter().flat_map(|blob| blob.chunks_exact(onion_bytes(1))).map(<[u8]>::to_vec).collect())
    }
}

impl FastTally {
    /// Counts a round; answers how many an event is due for.
    fn another(&self) -> Option<u64> {
        let rounds = self.rounds.fetch_add(1, Ordering::Relaxed) + 1;
        if rounds < FAST_ROUNDS_AN_EVENT {
            return None;
        }
        self.rounds.store(0, Ordering::Relaxed);
        Some(rounds)
    }
}

/// A round whose rows are made.
pub(crate) struct Mixed {
    pub(crate) number: u64,
    epoch: u32,
    round: Round,
    rows: Vec<u8>,
}

/// Opening is all of a relay's computing: it runs beside the sockets, on as many cores as there are.
async fn opened(
    lane: Arc<Lane>,
    open: Arc<OpenEpoch>,
    number: u64,
    cells: Vec<Vec<u8>>,
    covers: Vec<Innermost>,
) -> Result<Vec<u8>, PublishError> {
    let erased = PublishError::Erased(open.verified.epoch().epoch);
    let work = move || {
        let opener = open.opener(lane.class())?;
        let mut seen = lane.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = hop::open_last(opener, &mut seen, number, cells.iter().map(Vec::as_slice));
        batch.cells.extend(covers);
        Some(hop::publish(&batch.cells, 1).swap_remove(0))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Some(rows)) => Ok(rows),
        Ok(None) | Err(_) => Err(erased),
    }
}
