//! Writes the seeds of every corpus: `cargo run --example seeds`. Each is a sample that its target takes to its end, made by
//! the same code that makes the real thing.

mod credential;
mod crypto;
mod doors;
mod mailbox;
mod mdoc;
mod member;
mod openid;
mod provider;
mod relay;
mod seal;
mod tlog;

use std::fs;

/// A seed is a start, not a load.
const SEED_BYTES_MAX: usize = 4 * 1024;

fn main() {
    for (target, seeds) in
        [crypto::all(), tlog::all(), credential::all(), mdoc::all(), openid::all(), provider::all(), mailbox::all(), member::all(), relay::all(), doors::all(), seal::all()].into_iter().flatten()
    {
        assert!(tessera_fuzz::TARGETS.iter().any(|(name, _)| *name == target), "{target} is no target");
        let folder = format!("{}/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(&folder).expect("the folder can be made");
        assert!((1..=16).contains(&seeds.len()), "{target} has {} seeds", seeds.len());
        for (nth, seed) in seeds.iter().enumerate() {
            assert!(seed.len() <= SEED_BYTES_MAX, "{target} {nth} has {} bytes", seed.len());
            fs::write(format!("{folder}/seed-{nth:02}"), seed).expect("the folder can be written");
        }
    }
}

/// The seeds of one target.
type Seeds = (&'static str, Vec<Vec<u8>>);

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}
