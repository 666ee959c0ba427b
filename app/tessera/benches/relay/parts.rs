//! What one core does: cells sealed and opened, member keys proved and verified.

use super::RUNS;
use super::process::cpu_s;
use crypto::hpke::HpkePrivateKey;
use crypto::schnorr::{SchnorrSecret, Statement, verify};
use crypto::secret::Secret;
use mailbox::hop::{Seen, open_last, publish};
use mailbox::network::{Class, Identity, NetworkId};
use mailbox::onion::{Layer, Opener, Path};
use std::hint::black_box;
use std::time::Instant;

/// Cells of one run.
const CELLS: usize = 20_000;
/// Proofs of one run.
const PROOFS: usize = 20_000;

/// Runs every part in turn, five times, and prints medians.
pub(super) fn run() {
    let (secret, hop) = (SchnorrSecret::generate(), Hop::new());
    let statement = Statement { label: b"bench", issuer: &[1; 32], epoch: 1, challenge: &[2; 32] };
    let (proof, public) = (secret.prove(&statement, &[3; 32]), secret.public());
    let onions = hop.sealed();
    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..RUNS {
        rates[0].push(rate(CELLS, || drop(black_box(hop.sealed()))));
        rates[1].push(rate(CELLS, || hop.open(&onions)));
        rates[2].push(rate(PROOFS, || {
            (0..PROOFS).for_each(|_| _ = black_box(secret.prove(&statement, &[3; 32])))
        }));
        rates[3].push(rate(PROOFS, || {
            (0..PROOFS).for_each(|_| verify(black_box(&public), &statement, &proof).expect("our own proof"));
        }));
    }
    for (what, mut rates) in
        ["cells sealed", "cells opened and sorted", "schnorr proofs made", "schnorr proofs verified"]
            .iter()
            .zip(rates)
    {
        rates.sort_by(f64::total_cmp);
        println!("{what}, /s/core: {:.0} ({:.0} to {:.0})", rates[RUNS / 2], rates[0], rates[RUNS - 1]);
    }
}

/// A hop that is the whole cascade, and the way to it.
struct Hop {
    path: Path,
    opener: Opener,
}

impl Hop {
    fn new() -> Self {
        let key = HpkePrivateKey::from_secret(&Secret::new([3; 32]));
        let layer = Layer { network: NetworkId([9; 32]), epoch: 0, view: 0, class: Class::Normal, hop: 1 };
        Self { path: Path::of_keys(&[Identity(key.public())], &layer), opener: Opener::new(key, &layer) }
    }

    fn sealed(&self) -> Vec<Vec<u8>> {
        let onion = |_| {
            self.path.wrap(7, 0, &[5; 512], &[Secret::new(crypto::random::array())]).expect("a sound key")
        };
        (0..CELLS).map(onion).collect()
    }

    fn open(&self, onions: &[Vec<u8>]) {
        let opened = open_last(&self.opener, &mut Seen::default(), 7, onions.iter().map(Vec::as_slice));
        assert_eq!(publish(&opened.cells, 1)[0].len(), CELLS * 512);
    }
}

/// Per second of this process' CPU time, which other work on the machine does not take from it; by the clock where there is no `/proc`.
fn rate(times: usize, act: impl FnOnce()) -> f64 {
    let (start, before) = (Instant::now(), cpu_s(std::process::id()));
    act();
    let used = cpu_s(std::process::id()) - before;
    times as f64 / if used > 0.0 { used } else { start.elapsed().as_secs_f64() }
}
