//! A lane: the rounds of one class, from the first accepted cell to the push of what was published.
//!
//! ```text
//! offer ─► pending ─ 20 ms ─► one blob, one commit ─► "accepted", cells ─ close ─► batch ─► publish ─► push
//! ```
//! Owner of a cell: whoever sent it, until "accepted"; the intake table from then on, until the unit that publishes the round. A
//! crash in between loses nothing: the next start publishes the round from the table. Fast lanes touch no disk: a crash loses their
//! cells, and senders repeat.

use crate::publish::{FastTally, Mixed, Published};
use crate::{Relay, store};
use ::store::{Ctx, Reason};
use mailbox::calendar::Calendar;
use mailbox::frame::{TurnCode, onion_bytes};
use mailbox::hop::Seen;
use mailbox::network::Class;
use mailbox::round::{self, Input, Round, State};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a cell waits for others, so that many share one commit.
pub const GROUP_MS: u64 = 20;
/// Rounds that wait for one reader; a reader that is further behind is dropped, so that it costs nobody else.
pub const PUSHES_MAX: usize = 4;
/// Rounds in which a turn must have been accepted for a link to be pushed to.
pub const TURN_ROUNDS: u64 = 2;
/// Rounds that a fast lane keeps in memory: nobody catches up further.
pub const FAST_ROUNDS_KEPT: usize = 64;

/// The rounds of one class.
pub(crate) struct Lane {
    class: Class,
    calendar: Calendar,
    collect: Mutex<Collect>,
    /// One writer of intake at a time; closing waits for it.
    flushing: tokio::sync::Mutex<()>,
    pub(crate) seen: Mutex<Seen>,
    readers: Mutex<Readers>,
    /// A round that waits for its moment.
    mixed: Mutex<Option<Mixed>>,
    pub(crate) tally: FastTally,
    /// Fast lanes: what others keep in tables.
    kept: Mutex<VecDeque<Arc<Published>>>,
}

/// What a round has taken so far.
struct Collect {
    /// None before the first round of this process.
    round: Option<(u64, Round)>,
    capacity: u32,
    taken: u32,
    pending: Vec<Pending>,
    cells: Vec<Vec<u8>>,
    part: i64,
    is_flushing: bool,
}

struct Pending {
    onion: Vec<u8>,
    answer: oneshot::Sender<TurnCode>,
}

/// Links that want what is published.
#[derive(Default)]
struct Readers {
    next: u64,
    open: HashMap<u64, Reader>,
}

struct Reader {
    pushes: mpsc::Sender<Arc<Published>>,
    /// Last round in which a turn was accepted.
    turned: Option<u64>,
}

/// One link among the readers of a lane; gone when it is dropped.
pub(crate) struct Seat {
    lane: Arc<Lane>,
    number: u64,
    pub(crate) pushes: mpsc::Receiver<Arc<Published>>,
}

/// A closed round with its cells, in the order of their coming: it leaves this room sorted or not at all.
pub(crate) struct Batch {
    pub(crate) number: u64,
    pub(crate) round: Round,
    pub(crate) cells: Vec<Vec<u8>>,
}

/// What is due in a lane.
pub(crate) enum Due {
    /// Nothing before this moment, Unix milliseconds.
    At(u64),
    /// A round is to be closed.
    Close(u64),
    /// A round may begin; the epoch's capacity is needed.
    Open(u64),
}

impl Lane {
    pub(crate) fn new(class: Class, calendar: Calendar) -> Self {
        let collect = Collect {
            round: None,
            capacity: 0,
            taken: 0,
            pending: Vec::new(),
            cells: Vec::new(),
            part: 0,
            is_flushing: false,
        };
        Self {
            class,
            calendar,
            collect: Mutex::new(collect),
            flushing: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
            readers: Mutex::default(),
            mixed: Mutex::default(),
            tally: FastTally::default(),
            kept: Mutex::default(),
        }
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }

    pub(crate) fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// What comes next. A round is begun only while it still takes cells.
    pub(crate) fn due(&self, now_ms: u64) -> Due {
        let collect = self.collect();
        let closes_at = |number| round::closes_at_ms(&self.calendar, self.class, number);
        if let Some((number, at)) = &collect.round
            && at.state() == State::Collecting
        {
            let closes_at = closes_at(*number);
            return if now_ms >= closes_at { Due::Close(*number) } else { Due::At(closes_at) };
        }
        let Some(number) = self.calendar.round_at(self.class, now_ms) else {
            return Due::At(self.calendar.starts_at_ms(self.class, 0));
        };
        let is_done = collect.round.as_ref().is_some_and(|(last, _)| *last >= number);
        if is_done || now_ms >= closes_at(number) {
            Due::At(self.calendar.starts_at_ms(self.class, number + 1))
        } else {
            Due::Open(number)
        }
    }

    /// Begins a round. `part` is the first number of its blobs: a round that was begun before a restart has some.
    pub(crate) fn begin(&self, number: u64, capacity: u32, part: i64) {
        let (round, _) = Round::committed(1).step(Input::Open);
        let mut collect = self.collect();
        collect.round = Some((number, round));
        (collect.capacity, collect.taken, collect.part) = (capacity, 0, part);
        collect.cells = Vec::new();
    }

    /// Stops taking cells, waits for what is being written, and hands over what was taken.
    pub(crate) async fn close(self: &Arc<Self>, relay: &Relay, ctx: &Ctx) -> Option<Batch> {
        {
            let mut collect = self.collect();
            let (number, round) = collect.round?;
            let (closed, _) = round.step(Input::Close);
            collect.round = Some((number, closed));
        }
        while self.flush(relay, ctx).await {}
        let mut collect = self.collect();
        let (number, round) = collect.round?;
        Some(Batch { number, round, cells: std::mem::take(&mut collect.cells) })
    }

    /// Takes an onion for `round`. The answer comes when it is durable; in a fast lane at once.
    pub(crate) async fn offer(
        self: &Arc<Self>,
        relay: &Relay,
        ctx: &Ctx,
        round: u64,
        onion: Vec<u8>,
    ) -> TurnCode {
        let waiting = {
            let mut collect = self.collect();
            let is_open = collect
                .round
                .as_ref()
                .is_some_and(|(number, at)| *number == round && at.state() == State::Collecting);
            if !is_open || crate::now_ms(ctx) >= round::closes_at_ms(&self.calendar, self.class, round) {
                return TurnCode::RoundClosed;
            }
            if collect.taken >= collect.capacity {
                return TurnCode::Full;
            }
            collect.taken += 1;
            if self.class == Class::Fast {
                collect.cells.push(onion);
                return TurnCode::Accepted;
            }
            let (answer, waiting) = oneshot::channel();
            collect.pending.push(Pending { onion, answer });
            if !collect.is_flushing {
                collect.is_flushing = true;
                let (lane, relay, ctx) = (self.clone(), relay.clone(), ctx.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(GROUP_MS)).await;
                    while lane.flush(&relay, &ctx).await {}
                });
            }
            waiting
        };
        // A writer that went away accepted nothing: the sender keeps its cell.
        waiting.await.unwrap_or(TurnCode::Full)
    }

    /// Writes what waits as one blob and answers; whether there was anything.
    async fn flush(self: &Arc<Self>, relay: &Relay, ctx: &Ctx) -> bool {
        let _writing = self.flushing.lock().await;
        let (number, part, mut batch) = {
            let mut collect = self.collect();
            // A blob stays below its bound; the rest is written next.
            let most = store::PART_BYTES_MAX / onion_bytes(1);
            let fits = collect.pending.len().min(most);
            let rest = collect.pending.split_off(fits);
            let batch = std::mem::replace(&mut collect.pending, rest);
            collect.is_flushing = !collect.pending.is_empty();
            let Some((number, _)) = collect.round.filter(|_| !batch.is_empty()) else { return false };
            collect.part += 1;
            (number, collect.part - 1, batch)
        };
        let blob = batch.iter().flat_map(|one| &one.onion).copied().collect();
        let stmt = store::put_intake(self.class, number, part, blob);
        let written = relay.store().housekeeping(ctx, Reason::RelayIntake, vec![stmt]).await;
        let code = match written {
            Ok(_) => {
                let cells = batch.iter_mut().map(|one| std::mem::take(&mut one.onion));
                self.collect().cells.extend(cells);
                TurnCode::Accepted
            }
            Err(fault) => {
                tracing::warn!(%fault, "cells could not be written; their senders keep them");
                TurnCode::Full
            }
        };
        for one in batch {
            let _ = one.answer.send(code);
        }
        true
    }

    /// Cells that this round took before a restart.
    pub(crate) fn remember(&self, cells: Vec<Vec<u8>>) {
        let mut collect = self.collect();
        collect.taken = collect.taken.saturating_add(u32::try_from(cells.len()).unwrap_or(u32::MAX));
        collect.cells.extend(cells);
    }

    /// The round that waits for its moment.
    pub(crate) fn mixed(&self) -> Option<Mixed> {
        self.mixed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn keep_mixed(&self, mixed: Mixed) {
        *self.mixed.lock().unwrap_or_else(PoisonError::into_inner) = Some(mixed);
    }

    /// A seat among the readers.
    pub(crate) fn sit(self: &Arc<Self>) -> Seat {
        let (pushes, receiver) = mpsc::channel(PUSHES_MAX);
        let mut readers = self.readers();
        let number = readers.next;
        readers.next += 1;
        readers.open.insert(number, Reader { pushes, turned: None });
        Seat { lane: self.clone(), number, pushes: receiver }
    }

    /// Whether anybody listens.
    pub(crate) fn has_readers(&self) -> bool {
        !self.readers().open.is_empty()
    }

    /// Gives what was published to those who took a turn lately. Who has not read the last rounds is dropped.
    pub(crate) fn push(&self, published: &Arc<Published>) {
        if self.class == Class::Fast {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back(published.clone());
            while kept.len() > FAST_ROUNDS_KEPT {
                kept.pop_front();
            }
        }
        let recent = |turned: u64| turned + TURN_ROUNDS > published.number;
        self.readers().open.retain(|_, reader| {
            !reader.turned.is_some_and(recent) || reader.pushes.try_send(published.clone()).is_ok()
        });
    }

    /// A fast round that is still in memory.
    pub(crate) fn remembered(&self, number: u64) -> Option<Arc<Published>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|published| published.number == number).cloned()
    }

    fn collect(&self) -> MutexGuard<'_, Collect> {
        self.collect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// A turn was accepted: what is published now comes here too.
    pub(crate) fn turned(&self, round: u64) {
        if let Some(reader) = self.lane.readers().open.get_mut(&self.number) {
            reader.turned = Some(round);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.lane.readers().open.remove(&self.number);
    }
}
