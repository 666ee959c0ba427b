//! `tessera verification …`

use super::{Page, Session, Write, encoded, read_json};
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::{Value, json};

/// How long one poll of `--wait` may take; the server answers sooner when the state changes.
const WAIT_S_MAX: u32 = 25;

/// Verbs of verifications.
#[derive(Subcommand)]
pub enum Verb {
    /// Ask a wallet for credentials by a DCQL query
    Create {
        /// A JSON file with the DCQL query, or - for standard input
        #[arg(long)]
        query: String,
        /// Print the request, then wait for the answer and print the result
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        write: Write,
    },
    /// All verifications
    List(#[command(flatten)] Page),
    /// State, claims and report of one verification
    Show {
        /// Its id, `ver_…`
        id: String,
    },
    /// Erase a result at once
    Delete {
        /// Its id
        id: String,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let one = |id: &str| format!("/verifications/{}", encoded(id));
    match verb {
        Verb::Create { query, wait, write } => {
            let sent = crate::client::Sent { idempotency_key: write.idempotency_key.as_deref() };
            let made =
                session.client.post("/verifications", &json!({ "dcql_query": read_json(query)? }), sent)?;
            let id = made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            session.show(&made)?;
            if !wait {
                return Ok(());
            }
            loop {
                let state = session.client.get(&format!("{}?wait_s={WAIT_S_MAX}", one(&id)))?;
                if state.get("state").and_then(Value::as_str) != Some("created") {
                    return session.show(&state);
                }
            }
        }
        Verb::List(page) => session.list("/verifications", page),
        Verb::Show { id } => session.show(&session.client.get(&one(id))?),
        Verb::Delete { id } => {
            session.confirm("Claims and report are erased at once. Go on?")?;
            session.show(&session.client.delete(&one(id))?)
        }
    }
}
