//! Dealing status indices: a process takes a whole block of shuffled indices out of the store, then deals from memory.
//!
//! A crash wastes the rest of its block and nothing else; no index is dealt twice, since the block's row is gone before the first
//! one is dealt.

use crate::Issuer;
use crate::store;
use ::store::{CommitError, Ctx, Reason, Refused, StoreFault, TenantId, Unit};
use credential::status::{BLOCK_ENTRIES, IndexBlock, shuffled_blocks};
use std::collections::HashMap;
use std::sync::Arc;
use tlog::event::Event;
use tokio::sync::Mutex;

/// Blocks that must be left before a new list is opened: a tenth of a list of 512 blocks.
const BLOCKS_LEFT_MIN: u64 = 52;
/// How often a lost race for a block is tried again; each loss means that another process won one.
const TRIES_MAX: usize = 16;

/// Blocks in memory, one a tenant.
#[derive(Default)]
pub(crate) struct Dealer {
    blocks: Mutex<HashMap<TenantId, Arc<Mutex<Option<Held>>>>>,
}

struct Held {
    list: i64,
    indices: IndexBlock,
}

/// A place in a list that nobody else has or will get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) list: i64,
    pub(crate) idx: i64,
}

/// Another process opened the list meanwhile.
#[derive(Debug)]
struct ListThere;

impl Refused for ListThere {
    fn event(&self) -> Event {
        Event::IssueRefused { holder: None, grant: None, offer: None, code: "status-list-there".into() }
    }
}

impl Issuer {
    /// The next place of the tenant's lists.
    pub(crate) async fn deal(&self, ctx: &Ctx) -> Result<Place, StoreFault> {
        let held = self.dealer.blocks.lock().await.entry(ctx.tenant.clone()).or_default().clone();
        let mut held = held.lock().await;
        for _ in 0..TRIES_MAX {
            if let Some(place) = held.as_mut().and_then(Held::deal) {
                return Ok(place);
            }
            *held = self.take_block(ctx).await?;
        }
        Err(StoreFault::Busy)
    }

    async fn take_block(&self, ctx: &Ctx) -> Result<Option<Held>, StoreFault> {
        let Some(found) = store::next_block(&self.store, ctx).await? else {
            self.open_list(ctx).await?;
            return Ok(None);
        };
        if !self.store.housekeeping_guarded(ctx, Reason::IndexBlock, vec![found.take], Vec::new()).await? {
            return Ok(None);
        }
        let indices = IndexBlock::from_bytes(found.indices.expose())
            .map_err(|_| StoreFault::Sealed { place: "issuer_status_block.indices".into() })?;
        Ok(Some(Held { list: found.list, indices }))
    }

    /// Opens the next list when nearly all blocks are taken.
    pub(crate) async fn keep_lists_open(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        if store::blocks_left(&self.store, ctx).await? >= BLOCKS_LEFT_MIN {
            return Ok(());
        }
        self.open_list(ctx).await
    }

    async fn open_list(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        let lists = store::lists(&self.store, ctx, -1, 1_000).await?;
        let number = lists.last().map_or(0, |last| last.list + 1);
        let entries = self.config.status_entries;
        let blocks = shuffled_blocks(entries, &mut |bytes| fill(ctx, bytes));
        let event = Event::StatusListOpened { list: number.unsigned_abs(), entries: u64::from(entries) };
        let mut unit = Unit::new(event).guard(store::put_list(number, entries), ListThere);
        for (nth, chunk) in blocks.chunks(store::BLOCKS_A_STATEMENT).enumerate() {
            let first = nth * store::BLOCKS_A_STATEMENT;
            let mut sealed = Vec::with_capacity(store::BLOCKS_A_STATEMENT);
            for place in 0..store::BLOCKS_A_STATEMENT {
                // The last statement of a small list is filled with empty blocks, which are dealt as nothing.
                let plain = chunk.get(place).map(IndexBlock::to_bytes).unwrap_or_default();
                sealed.push(store::seal_block(&self.store, ctx, number, first + place, &plain).await?);
            }
            unit = unit.put(store::put_blocks(number, first, sealed));
        }
        for full in lists.iter().filter(|list| list.state == "open").rev().skip(1) {
            unit = unit.put(store::close_list(full.list));
        }
        match self.store.commit(ctx, unit).await {
            Ok(_) | Err(CommitError::Lost(ListThere)) => Ok(()),
            Err(CommitError::Fault(fault)) => Err(fault),
        }
    }
}

impl Held {
    fn deal(&mut self) -> Option<Place> {
        self.indices.deal().map(|idx| Place { list: self.list, idx: i64::from(idx) })
    }
}

/// Fills a slice from the request's own entropy.
pub(crate) fn fill(ctx: &Ctx, bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(BLOCK_ENTRIES) {
        let drawn: [u8; BLOCK_ENTRIES] = ctx.random();
        chunk.copy_from_slice(&drawn[..chunk.len()]);
    }
}
