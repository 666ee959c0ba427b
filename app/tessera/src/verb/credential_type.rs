//! `tessera credential-type …`

use super::{Page, Session, encoded};
use crate::failure::Failure;
use clap::Subcommand;

/// Verbs of credential types.
#[derive(Subcommand)]
pub enum Verb {
    /// All credential types
    List(#[command(flatten)] Page),
    /// One credential type
    Show {
        /// Its name
        name: String,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    match verb {
        Verb::List(page) => session.list("/credential-types", page),
        Verb::Show { name } => {
            session.show(&session.client.get(&format!("/credential-types/{}", encoded(name)))?)
        }
    }
}
