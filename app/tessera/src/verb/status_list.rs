//! `tessera status-list …`

use super::{Page, Session};
use crate::failure::Failure;
use clap::Subcommand;

/// Verbs of status lists.
#[derive(Subcommand)]
pub enum Verb {
    /// All status lists of this tenant
    List(#[command(flatten)] Page),
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let Verb::List(page) = verb;
    session.list("/status-lists", page)
}
