//! `tessera relying-party …`

use super::{Page, Session, Write, encoded, read_json};
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::json;

/// Verbs of relying parties.
#[derive(Subcommand)]
pub enum Verb {
    /// Register a service that may ask people to sign in
    Create {
        /// A JSON file of what is registered (name, legal_name, origins, redirect_uris, scopes, …), or - for standard input
        #[arg(long, value_name = "FILE")]
        file: String,
        #[command(flatten)]
        write: Write,
    },
    /// All relying parties
    List(#[command(flatten)] Page),
    /// One relying party: what it proved, and its seal
    Show {
        /// Its id, `rp_…`
        id: String,
    },
    /// Hand in what it signed to prove its keys
    Prove {
        /// Its id
        id: String,
        /// A JSON file: the list of its proofs
        #[arg(long, value_name = "FILE")]
        proofs: String,
        #[command(flatten)]
        write: Write,
    },
    /// Make a new seal of what is registered; the one before is revoked at once
    Reseal {
        /// Its id
        id: String,
        #[command(flatten)]
        write: Write,
    },
    /// Remove it; its seal is revoked at once
    Delete {
        /// Its id
        id: String,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let one = |id: &str| format!("/relying-parties/{}", encoded(id));
    match verb {
        Verb::Create { file, write } => session.post("/relying-parties", &read_json(file)?, write),
        Verb::List(page) => session.list("/relying-parties", page),
        Verb::Show { id } => session.show(&session.client.get(&one(id))?),
        Verb::Prove { id, proofs, write } => {
            session.post(&format!("{}/prove", one(id)), &json!({ "proofs": read_json(proofs)? }), write)
        }
        Verb::Reseal { id, write } => session.post(&format!("{}/reseal", one(id)), &json!({}), write),
        Verb::Delete { id } => {
            session.confirm(&format!("remove {id}? Nobody can sign in there any more"))?;
            session.show(&session.client.delete(&one(id))?)
        }
    }
}
