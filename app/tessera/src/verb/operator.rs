//! `tessera operator …`

use super::Session;
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::json;

/// Verbs of operators.
#[derive(Subcommand)]
pub enum Verb {
    /// Make a one-time link for a new operator; it is shown this once
    Invite {
        /// The operator's name
        name: String,
        /// owner, admin, issuer-operator, verifier or auditor
        #[arg(long)]
        role: String,
    },
    /// All operators
    List(#[command(flatten)] super::Page),
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    match verb {
        Verb::Invite { name, role } => session.show(&session.client.post(
            "/operators",
            &json!({ "name": name, "role": role }),
            Default::default(),
        )?),
        Verb::List(page) => session.list("/operators", page),
    }
}
