//! `tessera signin …`

use super::{Page, Session, encoded};
use crate::failure::Failure;
use clap::Subcommand;

/// Verbs of sign-ins.
#[derive(Subcommand)]
pub enum Verb {
    /// How sign-ins ended; no person is named
    List(#[command(flatten)] Page),
    /// How one ended
    Show {
        /// Its id, `sig_…`
        id: String,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    match verb {
        Verb::List(page) => session.list("/signins", page),
        Verb::Show { id } => session.show(&session.client.get(&format!("/signins/{}", encoded(id)))?),
    }
}
