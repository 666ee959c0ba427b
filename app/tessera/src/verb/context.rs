//! `tessera context …`: which servers this computer knows.

use crate::context;
use crate::failure::Failure;
use crate::output::{self, Format};
use clap::Subcommand;
use serde_json::json;

/// Verbs of contexts.
#[derive(Subcommand)]
pub enum Verb {
    /// Names of all contexts
    List,
    /// Make a context the current one
    Use {
        /// Its name
        name: String,
    },
    /// Forget a context and its credential
    Delete {
        /// Its name
        name: String,
    },
}

/// Runs the verb; no server is asked.
pub fn run(verb: &Verb, format: Format) -> Result<(), Failure> {
    match verb {
        Verb::List => {
            let items: Vec<_> = context::list().into_iter().map(|name| json!({ "name": name })).collect();
            output::print(format, &json!({ "items": items, "next": null }));
        }
        Verb::Use { name } => {
            let found = context::load(Some(name))?;
            context::save(name, &found)?;
        }
        Verb::Delete { name } => context::remove(name),
    }
    Ok(())
}
