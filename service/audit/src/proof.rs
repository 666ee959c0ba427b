//! Proofs: that an entry is in the published tree, and that one tree goes on from another.

use std::collections::BTreeMap;

use ::store::{Ctx, EventId, StoreFault};
use crypto::base64::std_encode;
use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;
use tlog::commitment::SaltedDetail;
use tlog::entry::{Entry, PublicField};
use tlog::merkle::Hash;
use tlog::proof::{PathFault, consistency_path, inclusion_path};
use tlog::proof_file::{Extra, ProofFile};
use tlog::tile::{NodeReader, TilePath, tiles_for_consistency, tiles_for_inclusion};

use crate::Audit;
use crate::event::EventKey;
use crate::log::Log;
use crate::store;

/// What is known of the proof of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofAnswer {
    /// The text of a `.tlog-proof` file.
    File(Vec<u8>),
    /// The event is kept, and no checkpoint covers it yet: ask again in a second.
    NotCovered,
    /// The log has no such event.
    Unknown,
}

/// That the tree of `from` entries is the beginning of the tree of `to` entries.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ConsistencyView {
    /// Id of the log.
    pub log: String,
    /// Its origin.
    pub origin: String,
    /// The smaller size.
    pub from: u64,
    /// The larger size.
    pub to: u64,
    /// Root at the smaller size, base64.
    pub from_root: String,
    /// Root at the larger size, base64.
    pub to_root: String,
    /// Hashes of the proof (RFC 6962, 2.1.2), base64.
    pub path: Vec<String>,
    /// The newest checkpoint, whose size is at least `to`.
    pub checkpoint: String,
}

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofFault {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The sizes do not admit one, or no checkpoint covers the larger.
    #[error("no proof from {from} to {to}: the log is published up to {published}")]
    OutOfRange {
        /// The smaller size.
        from: u64,
        /// The larger size.
        to: u64,
        /// The published size.
        published: u64,
    },
    /// Rows are missing from the tree.
    #[error("the tree lacks what the proof needs")]
    Incomplete,
}

/// Entries that wait and are looked at for a field: as many as one step takes. Behind them an answer is "not yet" a moment later.
const PENDING_LOOKED_AT_MAX: usize = 512;

/// Public fields that are salted hashes, so that nobody guesses them: type and key.
const SALTED: [(&str, u8); 1] = [("signin-approved", 10)];

/// The salted fields that an entry shows.
pub(crate) fn salted_fields(leaf: &[u8]) -> Vec<[u8; 32]> {
    let Ok(entry) = Entry::decode(leaf) else { return Vec::new() };
    let is_salted = |key: u8| SALTED.iter().any(|(kind, salted)| *kind == entry.kind && *salted == key);
    let fields = entry.public.iter().filter(|(key, _)| is_salted(*key));
    let bytes = |field: &PublicField| match field {
        PublicField::Bytes(bytes) => <[u8; 32]>::try_from(bytes.as_slice()).ok(),
        PublicField::Uint(_) | PublicField::List(_) => None,
    };
    fields.filter_map(|(_, field)| bytes(field)).collect()
}

impl Audit {
    /// The proof of an event of the tenant's own log, with its entry, and with its detail if it is handed in.
    pub(crate) async fn inclusion(
        &self,
        ctx: &Ctx,
        log: &Log,
        key: EventKey,
        detail: Option<SaltedDetail>,
    ) -> Result<ProofAnswer, ProofFault> {
        let ctx = &log.ctx(ctx);
        let Some((index, leaf)) = self.placed(ctx, log, key).await? else {
            return Ok(match key {
                EventKey::Id(id) if self.store.pending(ctx, &log.id, id).await?.is_some() => {
                    ProofAnswer::NotCovered
                }
                _ => ProofAnswer::Unknown,
            });
        };
        let Some(published) = log.published().filter(|published| published.size > index) else {
            return Ok(ProofAnswer::NotCovered);
        };
        let tiles = self.load(ctx, log, tiles_for_inclusion(index, published.size)).await?;
        let mut reader = NodeReader::new(published.size, |path| tiles.get(&path).cloned());
        let path = inclusion_path(index, published.size, |height, index| reader.node(height, index));
        let path = path.map_err(|_| ProofFault::Incomplete)?;
        let extra = Some(Extra { entry: leaf, detail }.encode());
        let file = ProofFile { extra, index, path, checkpoint: published.note.clone() };
        Ok(ProofAnswer::File(file.encode()))
    }

    /// The proof of an event in the log of the tenant of `ctx`, without its detail.
    pub async fn proof_of(&self, ctx: &Ctx, event: EventId) -> Result<ProofAnswer, ProofFault> {
        match self.log(&::store::LogId::of(&ctx.tenant)) {
            Some(log) => self.inclusion(ctx, &log, EventKey::Id(event), None).await,
            None => Ok(ProofAnswer::Unknown),
        }
    }

    /// The proof of the entry that shows a salted field, with the entry and without its detail: knowing the value is the right to it.
    pub(crate) async fn proof_of_field(
        &self,
        ctx: &Ctx,
        log: &Log,
        field: &[u8; 32],
    ) -> Result<ProofAnswer, ProofFault> {
        let ctx = &log.ctx(ctx);
        if let Some(index) = store::index_of_field(&self.store, ctx, &log.id, field).await? {
            return self.inclusion(ctx, log, EventKey::Index(index), None).await;
        }
        let pending = self.store.take_pending(ctx, &log.id, PENDING_LOOKED_AT_MAX).await?;
        let waits = pending.iter().any(|row| salted_fields(&row.leaf).contains(field));
        Ok(if waits { ProofAnswer::NotCovered } else { ProofAnswer::Unknown })
    }

    /// The proof that the tree of `to` entries (the published one unless told) goes on from that of `from`.
    pub(crate) async fn consistency(
        &self,
        ctx: &Ctx,
        log: &Log,
        from: u64,
        to: Option<u64>,
    ) -> Result<ConsistencyView, ProofFault> {
        let ctx = &log.ctx(ctx);
        let published = log.published();
        let size = published.as_ref().map_or(0, |row| row.size);
        let to = to.unwrap_or(size);
        let (Some(published), true) = (published, from <= to && to <= size && to > 0) else {
            return Err(ProofFault::OutOfRange { from, to, published: size });
        };
        let tiles = self.load(ctx, log, tiles_for_consistency(from, to)).await?;
        let mut reader = NodeReader::new(to, |path| tiles.get(&path).cloned());
        let path = consistency_path(from, to, |height, index| reader.node(height, index));
        let path = path.map_err(|fault| match fault {
            PathFault::OutOfRange => ProofFault::OutOfRange { from, to, published: size },
            PathFault::NodeMissing { .. } => ProofFault::Incomplete,
        })?;
        let tree = crate::tree::Tree { store: &self.store, ctx, id: &log.id };
        let from_root = tree.root(from).await?.ok_or(ProofFault::Incomplete)?;
        let to_root = tree.root(to).await?.ok_or(ProofFault::Incomplete)?;
        Ok(ConsistencyView {
            log: log.id.to_string(),
            origin: log.origin.clone(),
            from,
            to,
            from_root: std_encode(&from_root),
            to_root: std_encode(&to_root),
            path: path.iter().map(|hash| std_encode(hash)).collect(),
            checkpoint: String::from_utf8_lossy(&published.note).into_owned(),
        })
    }

    /// Index and leaf of an entry of the tree.
    pub(crate) async fn placed(
        &self,
        ctx: &Ctx,
        log: &Log,
        key: EventKey,
    ) -> Result<Option<(u64, Vec<u8>)>, StoreFault> {
        match key {
            EventKey::Id(id) => store::index_of(&self.store, ctx, &log.id, &id).await,
            EventKey::Index(index) => {
                let Some(end) = index.checked_add(1) else { return Ok(None) };
                let mut rows = store::entries(&self.store, ctx, &log.id, index..end).await?;
                Ok(rows.pop().map(|row| (row.index, row.leaf)))
            }
        }
    }

    async fn load(
        &self,
        ctx: &Ctx,
        log: &Log,
        paths: Vec<TilePath>,
    ) -> Result<BTreeMap<TilePath, Vec<Hash>>, ProofFault> {
        let mut tiles = BTreeMap::new();
        for path in paths {
            let hashes = self.hashes(ctx, log, path).await?.ok_or(ProofFault::Incomplete)?;
            tiles.insert(path, hashes);
        }
        Ok(tiles)
    }
}
