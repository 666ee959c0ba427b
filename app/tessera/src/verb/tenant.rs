//! `tessera tenant …`

use super::{Page, Session, Write, encoded};
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::json;

/// Verbs of tenants.
#[derive(Subcommand)]
pub enum Verb {
    /// Make a tenant: its keys, certificates and log come with it
    Create {
        /// Its name in URLs: 2–40 of a–z, 0–9 and -
        name: String,
        /// Its name for people
        #[arg(long)]
        title: Option<String>,
        #[command(flatten)]
        write: Write,
    },
    /// All tenants
    List(#[command(flatten)] Page),
    /// One tenant
    Show {
        /// Its id or name
        tenant: String,
    },
    /// Refuse every change of a tenant until it is resumed
    Suspend {
        /// Its id or name
        tenant: String,
    },
    /// Let a suspended tenant work again
    Resume {
        /// Its id or name
        tenant: String,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let one = |tenant: &str, verb: &str| format!("/tenants/{}{verb}", encoded(tenant));
    match verb {
        Verb::Create { name, title, write } => {
            let title = title.as_deref().unwrap_or(name);
            session.post("/tenants", &json!({ "name": name, "title": title }), write)
        }
        Verb::List(page) => session.list("/tenants", page),
        Verb::Show { tenant } => session.show(&session.client.get(&one(tenant, ""))?),
        Verb::Suspend { tenant } => {
            session.show(&session.client.post(&one(tenant, "/suspend"), &json!({}), Default::default())?)
        }
        Verb::Resume { tenant } => {
            session.show(&session.client.post(&one(tenant, "/resume"), &json!({}), Default::default())?)
        }
    }
}
