//! `tessera document-seal …`

use super::{Page, Session, Write, encoded, read_json};
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::json;

/// Verbs of document seals.
#[derive(Subcommand)]
pub enum Verb {
    /// Issue a seal that says who somebody is, by this organisation's word; what it says is not kept
    Create {
        /// A JSON file of claims (given_name, family_name, birth_date, number, expiry), or - for standard input
        #[arg(long, value_name = "FILE")]
        claims: String,
        #[command(flatten)]
        write: Write,
    },
    /// All seals, without what they say
    List(#[command(flatten)] Page),
    /// Whether one counts
    Show {
        /// Its id, `dsl_…`
        id: String,
    },
    /// Revoke one for ever
    Revoke {
        /// Its id
        id: String,
        /// Why, for the record: up to 64 characters
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        write: Write,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let one = |id: &str| format!("/document-seals/{}", encoded(id));
    match verb {
        Verb::Create { claims, write } => {
            let body = json!({ "type": "organisation", "claims": read_json(claims)? });
            session.post("/document-seals", &body, write)
        }
        Verb::List(page) => session.list("/document-seals", page),
        Verb::Show { id } => session.show(&session.client.get(&one(id))?),
        Verb::Revoke { id, reason, write } => {
            session.confirm(&format!("revoke {id} for ever?"))?;
            session.post(&format!("{}/revoke", one(id)), &json!({ "reason": reason }), write)
        }
    }
}
