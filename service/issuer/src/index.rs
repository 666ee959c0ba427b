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

/// Bytes that are drawn at once for less than a block: those of a salt.
const SALT_BYTES: usize = 16;
/// The part of a list, one in so many, that must be left; below it the next list is opened.
const LEFT_PART: u64 = 10;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The list's number.
    pub list: i64,
    /// The entry in it.
    pub idx: i64,
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
    /// The next place of the tenant's lists. Whoever asks has it for good, used or not.
    ///
    /// # Errors
    /// [`StoreFault`]; `Busy` when other processes won every block that was tried for.
    pub async fn deal(&self, ctx: &Ctx) -> Result<Place, StoreFault> {
        let held = self.held(ctx).await;
        let mut held = held.lock().await;
        for _ in 0..TRIES_MAX {
            if let Some(place) = held.as_mut().and_then(Held::deal) {
                return Ok(place);
            }
            *held = self.take_block(ctx).await?;
        }
        held.as_mut().and_then(Held::deal).ok_or(StoreFault::Busy)
    }

    /// Opens the next list when nearly all blocks are taken.
    pub(crate) async fn keep_lists_open(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        let held = self.held(ctx).await;
        let _turn = held.lock().await;
        let blocks = u64::from(self.config.status_entries).div_ceil(BLOCK_ENTRIES as u64);
        if store::blocks_left(&self.store, ctx).await? >= blocks.div_ceil(LEFT_PART) {
            return Ok(());
        }
        self.open_list(ctx).await
    }

    /// The tenant's block, behind the lock in whose turn blocks are taken and lists opened.
    async fn held(&self, ctx: &Ctx) -> Arc<Mutex<Option<Held>>> {
        self.dealer.blocks.lock().await.entry(ctx.tenant.clone()).or_default().clone()
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

    async fn open_list(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        let number = store::next_list(&self.store, ctx).await?;
        let entries = self.config.status_entries;
        let mut sealed = Vec::new();
        for (block, plain) in (0..).zip(shuffled_blocks(entries, &mut |bytes| fill(ctx, bytes))) {
            sealed.push(store::seal_block(&self.store, ctx, number, block, &plain.to_bytes()).await?);
        }
        let event = Event::StatusListOpened { list: number.unsigned_abs(), entries: u64::from(entries) };
        let unit = Unit::new(event)
            .guard(store::put_list(number, entries), ListThere)
            .put(store::close_lists(number))
            .put_all(store::put_blocks(number, sealed));
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
    // A salt has sixteen bytes, a shuffled list many: neither draws much that it does not use.
    let mut chunks = bytes.chunks_exact_mut(BLOCK_ENTRIES);
    for chunk in &mut chunks {
        chunk.copy_from_slice(&ctx.random::<BLOCK_ENTRIES>());
    }
    for chunk in chunks.into_remainder().chunks_mut(SALT_BYTES) {
        chunk.copy_from_slice(&ctx.random::<SALT_BYTES>()[..chunk.len()]);
    }
}
