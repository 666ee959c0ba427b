//! `tessera service-account …`

use super::{Page, Session, Write, encoded};
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::json;

/// Verbs of service accounts.
#[derive(Subcommand)]
pub enum Verb {
    /// Make a service account; its secret is shown this once
    Create {
        /// What it is for
        name: String,
        /// A role it may act in; may be repeated. Never more than the maker's own
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// Days until it ends, at most 730
        #[arg(long, default_value_t = 365)]
        ttl_d: u32,
        #[command(flatten)]
        write: Write,
    },
    /// All service accounts
    List(#[command(flatten)] Page),
    /// One service account
    Show {
        /// Its id
        id: String,
    },
    /// Replace the secret; the old one ends at once
    RotateSecret {
        /// Its id
        id: String,
    },
    /// End a service account
    Revoke {
        /// Its id
        id: String,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let one = |id: &str, verb: &str| format!("/service-accounts/{}{verb}", encoded(id));
    match verb {
        Verb::Create { name, roles, ttl_d, write } => {
            let body = json!({ "name": name, "roles": roles, "ttl_s": u64::from(*ttl_d) * 86_400 });
            session.post("/service-accounts", &body, write)
        }
        Verb::List(page) => session.list("/service-accounts", page),
        Verb::Show { id } => session.show(&session.client.get(&one(id, ""))?),
        Verb::RotateSecret { id } => {
            session.confirm("The old secret ends at once. Go on?")?;
            session.show(&session.client.post(&one(id, "/rotate-secret"), &json!({}), Default::default())?)
        }
        Verb::Revoke { id } => {
            session.confirm("Programs that use this account are refused from now on. Go on?")?;
            session.show(&session.client.delete(&one(id, ""))?)
        }
    }
}
