//! `tessera relay …`
//!
//! ```text
//! privacy flags ──► Stated { budget, spending } ──┬─► budget: what a network would draw, publish and cost
//!                                                 └─► simulate: counts of two worlds, for anybody's statistics
//! ```

pub mod budget;
mod house;
pub mod look;
pub mod privacy;
pub mod serve;
pub mod simulate;

use crate::failure::Failure;
use crate::output::Format;
use clap::Subcommand;

/// How what a relay can carry is measured: not by this binary, since it needs a compiler's release build and a broker beside it.
const BENCH: &str =
    "Bench: in the source tree, cargo bench -p tessera --bench relay (docs/benchmarks.md has its figures)";

/// Verbs of relays.
#[derive(Subcommand)]
#[command(after_help = BENCH)]
pub enum Verb {
    /// Run one relay of a development network
    #[command(alias = "run")]
    Serve(serve::Args),
    /// What a running relay promises, checked by its signatures
    Status(look::StatusArgs),
    /// Every stored column of a relay, the law of its sizes, and the entropy of its rows
    Inspect(look::InspectArgs),
    /// What a privacy budget costs: mechanism, mode, buckets, bytes, and what more events add up to
    Budget(budget::Args),
    /// Counts of two worlds that differ in one cell, for outside audits of (epsilon, delta)
    Simulate(simulate::Args),
}

/// Runs the verb; `serving` makes the runtime of one that serves.
pub fn run<F>(verb: &Verb, format: Format, serving: F) -> Result<(), Failure>
where
    F: FnOnce() -> Result<tokio::runtime::Runtime, Failure>,
{
    match verb {
        Verb::Serve(args) => serving()?.block_on(serve::run(args)),
        Verb::Status(args) => look::status(args, format),
        Verb::Inspect(args) => serving()?.block_on(look::inspect(args, format)),
        Verb::Budget(args) => budget::run(args, format),
        Verb::Simulate(args) => simulate::run(args, format),
    }
}
