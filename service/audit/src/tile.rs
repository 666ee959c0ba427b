//! Tiles and bundles as outsiders get them: any width up to the published one, also of a tile that is full by now.

use ::store::{Ctx, LogId, StoreFault};
use tlog::merkle::Hash;
use tlog::note::VerifierKey;
use tlog::tile::{Level, TILE_WIDTH, TilePath, encode_bundle, encode_hashes};

use crate::Audit;
use crate::log::Log;
use crate::tree::{Tree, full_tiles};

impl Audit {
    /// The newest checkpoint of a log, a signed note; `None` if there is no such log, or nothing was signed.
    pub fn checkpoint(&self, id: &LogId) -> Option<Vec<u8>> {
        Some(self.log(id)?.published()?.note.clone())
    }

    /// The keys that sign a log, Ed25519 first; none if there is no such log.
    pub fn vkeys(&self, id: &LogId) -> Vec<VerifierKey> {
        self.log(id).map(|log| log.vkeys.clone()).unwrap_or_default()
    }

    /// The bytes under a path; `None` if the published tree has no such tile.
    pub async fn tile(&self, ctx: &Ctx, id: &LogId, path: TilePath) -> Result<Option<Vec<u8>>, StoreFault> {
        let Some(log) = self.log(id).filter(|log| path.exists_at(log.published_size())) else {
            return Ok(None);
        };
        let log = &log;
        let ctx = &log.ctx(ctx);
        match path.level {
            Level::Hashes(_) => Ok(self.hashes(ctx, log, path).await?.map(|hashes| encode_hashes(&hashes))),
            Level::Entries => {
                let tree = Tree { store: &self.store, ctx, id: &log.id };
                let start = path.n * TILE_WIDTH as u64;
                let leaves = tree.leaves(start..start + path.width() as u64).await?;
                // Leaves are at most 1,024 bytes; a longer one was put there by hand, and is then as good as missing.
                Ok(leaves.and_then(|leaves| encode_bundle(leaves.iter().map(Vec::as_slice)).ok()))
            }
        }
    }

    /// The hashes under a path of the published tree; `None` if rows are missing. `ctx` is of the log's tenant.
    pub(crate) async fn hashes(
        &self,
        ctx: &Ctx,
        log: &Log,
        path: TilePath,
    ) -> Result<Option<Vec<Hash>>, StoreFault> {
        let Level::Hashes(level) = path.level else { return Ok(None) };
        let tree = Tree { store: &self.store, ctx, id: &log.id };
        let cut = |mut hashes: Vec<Hash>| {
            hashes.truncate(path.width());
            (hashes.len() == path.width()).then_some(hashes)
        };
        let edge = log.sound_edge();
        if let Some(edge) = &edge
            && path.n == full_tiles(level, edge.size())
        {
            return Ok(cut(edge.partial(level).to_vec()));
        }
        if let Some(hashes) = tree.full_tile(level, path.n).await? {
            return Ok(cut(hashes));
        }
        // Only a damaged tree comes here: it is shown as far as it goes, so that outsiders see the damage.
        let size = log.published_size();
        let is_partial = path.n == full_tiles(level, size);
        Ok(if is_partial { tree.partial(level, size).await?.and_then(cut) } else { None })
    }
}
