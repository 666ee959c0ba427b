//! `tessera credential …`

use super::{Page, Session, Write, encoded};
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::json;

/// Verbs of credentials.
#[derive(Subcommand)]
pub enum Verb {
    /// All credentials
    List(#[command(flatten)] Page),
    /// The status of one credential and of each copy
    Status {
        /// Its id, `crd_…`
        id: String,
    },
    /// Take a credential back, for good
    Revoke {
        /// Its id, `crd_…`
        id: String,
        /// key_compromise, superseded, affiliation_changed, holder_request or other
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        write: Write,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let one = |id: &str, verb: &str| format!("/credentials/{}{verb}", encoded(id));
    match verb {
        Verb::List(page) => session.list("/credentials", page),
        Verb::Status { id } => session.show(&session.client.get(&one(id, "/status"))?),
        Verb::Revoke { id, reason, write } => {
            session.confirm("A revocation is final. Go on?")?;
            let body = reason.as_ref().map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
            session.post(&one(id, "/revoke"), &body, write)
        }
    }
}
