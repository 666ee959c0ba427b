//! `cargo bench -p tessera --bench relay`: what one relay opens, proves and delivers, over real sockets, beside an unprotected broker.
//!
//! ```text
//! parts: seal, open, prove, verify, one core ─► ladder: more and more links, until a round is not whole ─► interleaved: relay,
//! mosquitto at QoS 0 and at QoS 1, five times
//! ```
//! Prints figures; asserts that every accepted cell was published in its round. Only the server's CPU time counts: the clients run on the
//! same machine. Without `mosquitto` (`MOSQUITTO` names another program) the broker's rows are skipped, aloud.

#[path = "relay/broker.rs"]
mod broker;
#[path = "relay/links.rs"]
mod links;
#[path = "relay/parts.rs"]
mod parts;
#[path = "relay/process.rs"]
mod process;

use links::Delivered;

/// Runs of each figure; the median is printed.
const RUNS: usize = 5;
/// Links that the ladder tries, each with sixteen cells a round. A round costs each of them its whole rows, so bytes grow with the
/// square; beyond 80 the clients on the same two threads send too late.
const LADDER: [usize; 3] = [20, 40, 80];

fn main() {
    // `cargo test` runs benches too, without this flag: figures of a debug build would say nothing.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    parts::run();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut best = LADDER[0];
    for links in LADDER {
        let delivered = runtime.block_on(links::run(links, false));
        println!("{}", delivered.line());
        if !delivered.is_whole() {
            break;
        }
        best = links;
    }
    let broker = broker::program();
    if broker.is_none() {
        println!(
            "SKIPPED: mosquitto is not here, so nothing stands beside the relay (Debian: mosquitto; or name it in MOSQUITTO)"
        );
    }
    let (mut relay, mut qos) = (Vec::new(), [Vec::new(), Vec::new()]);
    let mut calm_and_troubled = [Vec::new(), Vec::new()];
    println!("load {} before, {RUNS} runs of each in turns", load());
    for _ in 0..RUNS {
        for (is_troubled, runs) in [false, true].into_iter().zip(&mut calm_and_troubled) {
            runs.push(runtime.block_on(links::run(LADDER[0], is_troubled)));
        }
        relay.push(runtime.block_on(links::run(best, false)));
        for (level, runs) in (0..=1).zip(&mut qos) {
            runs.extend(broker.as_ref().map(|program| runtime.block_on(broker::run(program, level))));
        }
    }
    println!("load {} after; medians of {RUNS} by messages per CPU-second of the server:", load());
    relay.sort_by(|a, b| a.per_cpu().total_cmp(&b.per_cpu()));
    println!("relay      {}", relay[RUNS / 2].line());
    println!("           every run: {}", relay.iter().map(Delivered::short).collect::<Vec<_>>().join(", "));
    for (level, mut runs) in (0..=1).zip(qos).filter(|(_, runs)| !runs.is_empty()) {
        runs.sort_by(|a: &broker::Carried, b| a.per_cpu().total_cmp(&b.per_cpu()));
        println!("mosquitto  {}", runs[RUNS / 2].line(level));
        let every: Vec<String> = runs.iter().map(|run| format!("{:.0}", run.per_cpu())).collect();
        println!("           every run: {}", every.join(", "));
    }
    for (what, mut runs) in ["calm", "with a slow reader, idle links and junk"].iter().zip(calm_and_troubled)
    {
        runs.sort_by_key(Delivered::p99);
        println!("{what}, by p99: {}", runs[RUNS / 2].line());
        let every: Vec<String> = runs.iter().map(|run| links::shown(run.p99())).collect();
        println!("           p99 of every run: {}", every.join(", "));
    }
}

/// What else the machine does: the load of the last minute.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}
