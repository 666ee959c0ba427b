//! Dealing indices: the whole list is shuffled once and cut into blocks, so that an index tells nothing of when its
//! credential was issued and none is dealt twice.

use crate::entropy::Pool;

use super::ENTRIES_MAX;

/// Entries of a block: one encrypted row; a crash wastes at most this many.
pub const BLOCK_ENTRIES: usize = 256;

/// Up to [`BLOCK_ENTRIES`] indices of one list in the order they are to be dealt.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexBlock(Vec<u32>);

/// A stored block is not what [`IndexBlock::to_bytes`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a block of indices")]
pub struct BlockError;

impl IndexBlock {
    /// Takes the next index.
    pub fn deal(&mut self) -> Option<u32> {
        self.0.pop()
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// Four bytes each, big-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|idx| idx.to_be_bytes()).collect()
    }

    /// # Errors
    /// [`BlockError`] for a length that is no block's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlockError> {
        let (indices, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() || indices.len() > BLOCK_ENTRIES {
            return Err(BlockError);
        }
        Ok(Self(indices.iter().map(|idx| u32::from_be_bytes(*idx)).collect()))
    }
}

/// Indices say which credential is meant: `Debug` shows how many are left.
impl std::fmt::Debug for IndexBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IndexBlock({})", self.0.len())
    }
}

/// Every index of a list of `entries` (at most [`ENTRIES_MAX`]), Fisher–Yates shuffled with `entropy`, in blocks.
pub fn shuffled_blocks(entries: u32, entropy: &mut dyn FnMut(&mut [u8])) -> Vec<IndexBlock> {
    let entries = entries.min(ENTRIES_MAX);
    let mut pool = Pool::new(entropy);
    let mut indices: Vec<u32> = (0..entries).collect();
    for last in (1..entries).rev() {
        let drawn = pool.below(last + 1);
        indices.swap(last as usize, drawn as usize);
    }
    indices.chunks(BLOCK_ENTRIES).map(|block| IndexBlock(block.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 in counter mode: random enough, and the same in every run.
    fn seeded(seed: u64) -> impl FnMut(&mut [u8]) {
        let mut count = 0u64;
        move |out| {
            for chunk in out.chunks_mut(32) {
                count += 1;
                let block = crypto::hash::sha256_of(&[&seed.to_be_bytes(), &count.to_be_bytes()]);
                chunk.copy_from_slice(&block[..chunk.len()]);
            }
        }
    }

    fn dealt(blocks: Vec<IndexBlock>) -> Vec<u32> {
        blocks.into_iter().flat_map(|mut block| std::iter::from_fn(move || block.deal())).collect()
    }

    #[test]
    fn every_index_is_dealt_exactly_once() {
        let blocks = shuffled_blocks(131_072, &mut seeded(1));
        assert_eq!(blocks.len(), 512);
        let mut dealt = dealt(blocks);
        assert_ne!(dealt, (0..131_072).collect::<Vec<_>>());
        dealt.sort_unstable();
        assert_eq!(dealt, (0..131_072).collect::<Vec<_>>());
    }

    #[test]
    fn another_seed_deals_another_order() {
        assert_ne!(
            dealt(shuffled_blocks(1000, &mut seeded(1))),
            dealt(shuffled_blocks(1000, &mut seeded(2)))
        );
        assert!(shuffled_blocks(0, &mut seeded(1)).is_empty());
        assert_eq!(dealt(shuffled_blocks(257, &mut seeded(1))).len(), 257);
    }

    #[test]
    fn the_first_indices_do_not_lean_to_one_side() {
        // 400 lists of 1,000: the mean of the first index is 499.5 with a deviation of about 14.
        let first: u32 = (0..400).map(|seed| dealt(shuffled_blocks(1000, &mut seeded(seed)))[0]).sum();
        let mean = f64::from(first) / 400.0;
        assert!((430.0..570.0).contains(&mean), "{mean}");
    }

    #[test]
    fn a_block_survives_storage_and_rubbish_does_not() {
        let mut block = shuffled_blocks(100, &mut seeded(1)).remove(0);
        block.deal();
        assert_eq!(IndexBlock::from_bytes(&block.to_bytes()), Ok(block));
        assert_eq!(IndexBlock::from_bytes(&[1, 2, 3]), Err(BlockError));
        assert_eq!(IndexBlock::from_bytes(&[0; 4 * (BLOCK_ENTRIES + 1)]), Err(BlockError));
    }
}
