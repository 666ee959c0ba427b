//! What a hop does with a batch: open, drop what does not open or was seen, mix; the last one sorts rows into buckets.
//!
//! ```text
//! onions ─ open, drop ─▶ cells ─ shuffle(seed) ─▶ next hop
//!                          └──── publish ─▶ rows of each bucket, sorted by bytes
//! ```
//!
//! Invariants: the order of what goes out says nothing of the order of what came in; an onion is handled once in four rounds; what
//! was dropped is a count and nothing else. Noise is not drawn here: a full-mode cascade of one hop needs none.

use std::collections::{HashMap, HashSet};

use crypto::ctr::KeyStream;
use crypto::secret::Secret;

use crate::label::expand;
use crate::onion::{Innermost, NULL_BUCKET, Opener, Row};

/// Rounds over which a repeated `enc` is known.
pub const SEEN_ROUNDS: u64 = 4;

/// The `enc` of every onion of the last [`SEEN_ROUNDS`] rounds.
#[derive(Debug, Default)]
pub struct Seen {
    rounds: HashMap<u64, HashSet<[u8; 32]>>,
}

impl Seen {
    /// Whether `enc` is new; it is known from then on.
    fn is_new(&mut self, round: u64, enc: [u8; 32]) -> bool {
        let known = self.rounds.values().any(|seen| seen.contains(&enc));
        !known && self.rounds.entry(round).or_default().insert(enc)
    }

    /// Forgets rounds that are too old for `round`.
    fn turn_to(&mut self, round: u64) {
        self.rounds.retain(|&seen, _| seen + SEEN_ROUNDS > round && seen <= round);
    }
}

/// A batch that a hop has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<T> {
    /// What opened, in no order that tells anything once it is shuffled.
    pub cells: Vec<T>,
    /// What did not open, or was seen before.
    pub dropped: u32,
}

/// Opens the onions of a round at the last hop, which in a cascade of one is also the entry.
pub fn open_last<'a>(
    opener: &Opener,
    seen: &mut Seen,
    round: u64,
    onions: impl Iterator<Item = &'a [u8]>,
) -> Opened<Innermost> {
    seen.turn_to(round);
    let mut opened = Opened { cells: Vec::with_capacity(onions.size_hint().0), dropped: 0 };
    for onion in onions {
        let new = Opener::enc(onion).is_some_and(|enc| seen.is_new(round, enc));
        match opener.open_last(round, onion) {
            Ok(cell) if new => opened.cells.push(cell),
            Ok(_) | Err(_) => opened.dropped = opened.dropped.saturating_add(1),
        }
    }
    opened
}

/// Fisher and Yates over AES-256-CTR under X(seed, "shuffle"): every order is equally likely.
///
/// # Panics
/// Never: a batch has fewer than 2^32 cells.
pub fn shuffle<T>(seed: &Secret<[u8; 32]>, cells: &mut [T]) {
    let mut numbers = Numbers::new(&expand::<32>(seed, &[b"shuffle"]));
    for last in (1..cells.len()).rev() {
        let bound = u32::try_from(last + 1).expect("a batch has fewer than 2^32 cells");
        cells.swap(last, numbers.below(bound) as usize);
    }
}

/// Numbers from a key stream, big-endian, four bytes each.
struct Numbers {
    stream: KeyStream,
    block: [u8; 64],
    at: usize,
}

impl Numbers {
    fn new(key: &Secret<[u8; 32]>) -> Self {
        Self { stream: KeyStream::aes256(key.expose()), block: [0; 64], at: 64 }
    }

    fn next(&mut self) -> u32 {
        if self.at == self.block.len() {
            self.stream.fill(&mut self.block);
            self.at = 0;
        }
        let number = self.block[self.at..].first_chunk().expect("a block holds whole numbers");
        self.at += 4;
        u32::from_be_bytes(*number)
    }

    /// Numbers from the largest multiple of the bound on are passed over: they would favour small places.
    fn below(&mut self, bound: u32) -> u32 {
        let fair_below = (1u64 << 32) / u64::from(bound) * u64::from(bound);
        loop {
            let number = self.next();
            if u64::from(number) < fair_below {
                return number % bound;
            }
        }
    }
}

/// The rows of each bucket, sorted by their bytes. In full mode (`buckets` = 1) a null cell is stored like any other; else it goes
/// nowhere, as does a cell for a bucket that does not exist.
pub fn publish(cells: &[Innermost], buckets: u16) -> Vec<Vec<u8>> {
    let mut rows: Vec<Vec<&Row>> = vec![Vec::new(); usize::from(buckets)];
    for cell in cells {
        let bucket = if buckets == 1 { 0 } else { cell.bucket };
        if let Some(bucket) =
            rows.get_mut(usize::from(bucket)).filter(|_| buckets == 1 || cell.bucket != NULL_BUCKET)
        {
            bucket.push(&cell.cell);
        }
    }
    rows.into_iter()
        .map(|mut rows| {
            rows.sort_unstable();
            rows.into_iter().flatten().copied().collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Class, NetworkId};
    use crate::onion::Layer;
    use crypto::hpke::{self, HpkePrivateKey, Info};

    const LAYER: Layer =
        Layer { network: NetworkId([9; 32]), epoch: 0, view: 0, class: Class::Normal, hop: 1 };

    fn opener() -> Opener {
        Opener::new(HpkePrivateKey::from_secret(&Secret::new([3; 32])), &LAYER)
    }

    fn onion(round: u64, mark: u8) -> Vec<u8> {
        let info = Info::new(&crate::label::label(&[b"onion", &[9; 32], &[0; 6], &[0, 1]]));
        let public = HpkePrivateKey::from_secret(&Secret::new([3; 32])).public();
        let plain = [&[0, 0][..], &[mark; 512]].concat();
        let sealed =
            hpke::seal(&public, &info, &round.to_be_bytes(), &plain, &Secret::new([mark; 32])).unwrap();
        [&sealed.enc[..], &sealed.ciphertext].concat()
    }

    fn marks(opened: &Opened<Innermost>) -> Vec<u8> {
        opened.cells.iter().map(|cell| cell.cell[0]).collect()
    }

    #[test]
    fn a_replay_within_a_round_and_across_rounds_is_dropped() {
        let (opener, mut seen) = (opener(), Seen::default());
        let (one, other) = (onion(7, 1), onion(7, 2));
        let batch = [&one[..], &other, &one];
        let opened = open_last(&opener, &mut seen, 7, batch.into_iter());
        assert_eq!((marks(&opened), opened.dropped), (vec![1, 2], 1));
        // Another round has another aad, so it does not open there either.
        let opened = open_last(&opener, &mut seen, 8, [&one[..]].into_iter());
        assert_eq!((marks(&opened), opened.dropped), (vec![], 1));
        // The same round again, as a replayed batch.
        let opened = open_last(&opener, &mut seen, 8, [&onion(8, 1)[..], &onion(8, 3)].into_iter());
        assert_eq!((marks(&opened), opened.dropped), (vec![3], 1), "the enc of mark 1 was seen in round 7");
    }

    #[test]
    fn a_bit_flipped_onion_is_dropped_and_the_others_arrive() {
        let mut bad = onion(7, 2);
        bad[200] ^= 1;
        let batch = [&onion(7, 1)[..], &bad, &onion(7, 3), &[0; 20]];
        let opened = open_last(&opener(), &mut Seen::default(), 7, batch.into_iter());
        assert_eq!((marks(&opened), opened.dropped), (vec![1, 3], 2));
    }

    #[test]
    fn the_seen_set_holds_four_rounds_and_no_more() {
        let mut seen = Seen::default();
        for round in 0..100 {
            open_last(&opener(), &mut seen, round, [&onion(round, round as u8)[..]].into_iter());
        }
        assert_eq!(seen.rounds.len() as u64, SEEN_ROUNDS);
    }

    #[test]
    fn published_rows_are_in_the_order_of_their_bytes_whoever_came_first() {
        let cell = |mark: u8, bucket| Innermost { bucket, cell: [mark; 512] };
        let one = publish(&[cell(3, 0), cell(1, NULL_BUCKET), cell(2, 5)], 1);
        let other = publish(&[cell(2, 5), cell(3, 0), cell(1, NULL_BUCKET)], 1);
        assert_eq!(one, other);
        assert_eq!(one, [[[1; 512], [2; 512], [3; 512]].concat()]);
        let bucketed = publish(&[cell(3, 1), cell(1, NULL_BUCKET), cell(2, 5)], 2);
        assert_eq!(bucketed, [vec![], vec![3; 512]]);
    }

    #[test]
    fn every_order_is_equally_likely() {
        let mut counts = HashMap::new();
        for number in 0..240_000u32 {
            let mut cells = [0, 1, 2, 3];
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&number.to_be_bytes());
            shuffle(&Secret::new(seed), &mut cells);
            *counts.entry(cells).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        let chi2: f64 = counts.values().map(|&n| (f64::from(n) - 10_000.0).powi(2) / 10_000.0).sum();
        // 23 degrees of freedom: 49.7 is passed by one in a thousand.
        assert!(chi2 < 49.7, "{chi2}");
    }
}
