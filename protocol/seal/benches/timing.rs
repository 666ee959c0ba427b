//! Whether a stopwatch can tell a nearly right tag, code or handle from a wrong one: `cargo bench -p tessera-seal`.
//!
//! Two classes of guesses take turns, drawn by a fixed generator: one differs from the secret in its first byte, the other in its
//! last. For each comparison 10^5 samples of a class are taken, the slowest tenth cut off (the machine does other things), and Welch's
//! t printed. Above 4.5 the process fails: that is evidence of a difference. Below it nothing is proved, it was merely not seen.
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a stopwatch is what this is")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;
use std::time::Instant;

use crypto::hash;
use tessera_seal::handle::Handle;
use world::World;

const SAMPLES: usize = 100_000;
/// Comparisons of one sample: one alone is shorter than the clock's step.
const REPEATS: usize = 16;
const T_MAX: f64 = 4.5;

fn main() {
    let world = World::new();
    let code = world.keys().service_code();
    let tag = world.keys().response_tag(b"R");
    let handle = Handle::parse("K7QF-3M2P").unwrap().hash();
    let code_text = code.expose().to_owned();
    let change = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(bytes).unwrap()
    };
    let flip = |bytes: &[u8; 32], at: usize| {
        let mut flipped = *bytes;
        flipped[at] ^= 0xff;
        flipped
    };
    let codes = [change(&code_text, 0), change(&code_text, 5)];
    let (tags, handles) = ([flip(&tag, 0), flip(&tag, 31)], [flip(&handle, 0), flip(&handle, 31)]);
    let results = [
        ("code", t_of(|class| code.matches(black_box(&codes[class])))),
        ("tag", t_of(|class| hash::equal(&tag, black_box(&tags[class])))),
        ("handle", t_of(|class| hash::equal(&handle, black_box(&handles[class])))),
    ];
    // A comparison that stops early must be seen, or the measurement means nothing.
    let early =
        t_of(|class| black_box(&tag).iter().zip(black_box(&tags[class])).all(|(a, b)| black_box(a) == b));
    println!("a comparison that stops early: t = {early:.2} (must be over {T_MAX})");
    let mut failed = early.abs() < T_MAX;
    for (name, t) in results {
        println!("{name}: Welch t = {t:.2} over {SAMPLES} samples of each class (bound {T_MAX})");
        failed |= t.abs() >= T_MAX;
    }
    if failed {
        std::process::exit(1);
    }
}

/// Welch's t of the two classes' times.
fn t_of(compare: impl Fn(usize) -> bool) -> f64 {
    let mut times = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while times.iter().any(|class| class.len() < SAMPLES) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let class = usize::from(state & 1 == 1);
        let begins = Instant::now();
        for _ in 0..REPEATS {
            black_box(compare(black_box(class)));
        }
        let took = begins.elapsed().as_nanos() as f64;
        if times[class].len() < SAMPLES {
            times[class].push(took);
        }
    }
    let mut both: Vec<f64> = times.concat();
    both.sort_by(f64::total_cmp);
    let cut = both[both.len() * 9 / 10];
    let [a, b] = times.map(|class| moments(class.into_iter().filter(|time| *time <= cut)));
    (a.0 - b.0) / (a.1 / a.2 + b.1 / b.2).sqrt()
}

/// Mean, variance and count.
fn moments(times: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let times: Vec<f64> = times.collect();
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance, count)
}
