//! What every benchmark of this room measures with: CPU time of its own thread, medians of a few rounds.
#![allow(unreachable_pub, reason = "a module of benchmarks")]

/// Rounds of a figure.
pub const ROUNDS: usize = 5;
const ROUND_CPU_NS: u64 = 1_000_000_000;

/// Runs `act` for about a CPU-second of this thread.
pub fn per_cpu_second(mut act: impl FnMut()) -> f64 {
    let (from_ns, mut count) = (thread_cpu_ns(), 0u32);
    loop {
        for _ in 0..64 {
            act();
        }
        count += 64;
        let spent_ns = thread_cpu_ns() - from_ns;
        if spent_ns >= ROUND_CPU_NS {
            return f64::from(count) * 1e9 / spent_ns as f64;
        }
    }
}

/// CPU time of this thread: on a shared machine wall time measures the neighbours.
fn thread_cpu_ns() -> u64 {
    let schedstat =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux kernel with schedstat");
    schedstat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("the first field is nanoseconds")
}

/// The figure in the middle.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
