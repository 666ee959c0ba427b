//! Noise draws and simulated rounds a second, of one core. Peer: none; the parts below are what a draw costs at least.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench measures the clock and stops when it fails"
)]

use crypto::ctr::KeyStream;
use crypto::secret::Secret;
use std::hint::black_box;
use std::time::Instant;
use tessera_mailbox::budget::plan::{Cascade, Topology};
use tessera_mailbox::budget::{PrivacyBudget, Spending};
use tessera_mailbox::cover::{Cover, Mechanism, Ratio, noise, noise_stream};
use tessera_mailbox::simulation::{Load, Place, Setting, Simulation, View, World};

const DRAWS: u32 = 1_000_000;
const RUNS: usize = 5;

fn main() {
    for (name, mechanism, shift) in [
        ("gaussian 43,597", Mechanism::Gaussian { sigma2: 43_597 }, 1_300),
        ("gaussian 44", Mechanism::Gaussian { sigma2: 44 }, 35),
        ("laplace 1/20", Mechanism::Laplace { epsilon_b: Ratio { num: 1, den: 20 } }, 277),
    ] {
        let cover = Cover::new(mechanism, shift).unwrap();
        let mut stream = noise_stream(&Secret::new([7; 32]));
        let seconds = median(|| (0..DRAWS).for_each(|_| _ = black_box(cover.draw(&mut stream))));
        println!("{name}: {:.0} draws/s", f64::from(DRAWS) / seconds);
    }
    let cover = Cover::new(Mechanism::Gaussian { sigma2: 4_360 }, 388).unwrap();
    let seconds = median(|| drop(black_box(noise(&Secret::new([7; 32]), &cover, 171, 1))));
    println!("noise of a round, 171 buckets: {:.2} ms", seconds * 1e3);
    let mut bytes = vec![0; 1 << 20];
    let seconds = median(|| KeyStream::aes256(&[7; 32]).fill(black_box(&mut bytes)));
    println!("AES-256-CTR, the stream under it: {:.2} GB/s", (1 << 20) as f64 / seconds / 1e9);
    for view in [View::Count, View::Unfilled] {
        for load in [Load::Fixed(10), Load::Binomial("0.05".parse().unwrap())] {
            let simulation = Simulation::new(setting(view, load)).unwrap();
            let seconds = median(|| {
                for world in [World::A, World::B] {
                    simulation.world(world).for_each(|row| drop(black_box(row)));
                }
            });
            println!("200,000 rounds, {view:?}, {load:?}: {seconds:.2} s in memory");
        }
    }
}

fn setting(view: View, load: Load) -> Setting {
    Setting {
        rounds: 100_000,
        users: 1_000,
        cascade: Cascade::new(3, Topology::Ring, None).unwrap(),
        buckets: 4,
        budget: PrivacyBudget::new("1".parse().unwrap(), "1e-6".parse().unwrap(), 1).unwrap(),
        spending: Spending::Total,
        noise_in_full: true,
        load,
        worlds: [Place::Null, Place::Bucket(0)],
        breached: None,
        view: Some(view),
        seed: [1; 32],
    }
}

fn median(mut run: impl FnMut()) -> f64 {
    let mut seconds: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[RUNS / 2]
}
