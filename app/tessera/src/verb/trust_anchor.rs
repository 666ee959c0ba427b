//! `tessera trust-anchor …`

use super::{Page, Session};
use crate::failure::Failure;
use clap::Subcommand;

/// Verbs of trust anchors.
#[derive(Subcommand)]
pub enum Verb {
    /// All trust anchors of this tenant, each with the contexts it vouches in
    List(#[command(flatten)] Page),
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let Verb::List(page) = verb;
    session.list("/trust-anchors", page)
}
