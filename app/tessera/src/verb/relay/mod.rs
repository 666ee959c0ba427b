//! `tessera relay …`
//!
//! ```text
//! privacy flags ──► Stated { budget, spending } ──┬─► budget: what a network would draw, publish and cost
//!                                                 └─► simulate: counts of two worlds, for anybody's statistics
//! ```

pub mod budget;
pub mod privacy;
pub mod simulate;

use crate::failure::Failure;
use crate::output::Format;
use clap::Subcommand;

/// Verbs of relays.
#[derive(Subcommand)]
pub enum Verb {
    /// What a privacy budget costs: mechanism, mode, buckets, bytes, and what more events add up to
    Budget(budget::Args),
    /// Counts of two worlds that differ in one cell, for outside audits of (epsilon, delta)
    Simulate(simulate::Args),
}

/// Runs the verb.
pub fn run(verb: &Verb, format: Format) -> Result<(), Failure> {
    match verb {
        Verb::Budget(args) => budget::run(args, format),
        Verb::Simulate(args) => simulate::run(args, format),
    }
}
