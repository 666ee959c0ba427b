//! `tessera trust-anchor …`

use super::{Page, Session, Write, encoded, read_input};
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::json;

/// Verbs of trust anchors.
#[derive(Subcommand)]
pub enum Verb {
    /// Believe a certificate for the named purposes
    Add {
        /// One certificate in PEM, or - for standard input
        file: String,
        /// What it vouches for: issuer, status, metadata, wallet-provider, key-attestation, reader, list-signer, vds, document-seal;
        /// may be repeated
        #[arg(long = "for", value_name = "CONTEXT", required = true)]
        contexts: Vec<String>,
        /// For an issuer: a type that it may issue, or the beginning of one and *; may be repeated
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        #[command(flatten)]
        write: Write,
    },
    /// All trust anchors of this tenant, each with the contexts it vouches in and the trust list that brings it
    List(#[command(flatten)] Page),
    /// Say whether a chain of certificates leads to an anchor, and if not, at which certificate it breaks and why
    Test {
        /// The chain in PEM, the signer first; or - for standard input
        file: String,
        /// What the chain should vouch for
        #[arg(long = "for", value_name = "CONTEXT", default_value = "issuer")]
        purpose: String,
        /// For an issuer: the type that it should vouch for
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        #[command(flatten)]
        write: Write,
    },
    /// Believe a certificate no more; the tenant's own root stays, and what a trust list brings goes with the list
    Remove {
        /// Its id, `anc_…`
        id: String,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    match verb {
        Verb::Add { file, contexts, types, write } => {
            let body = json!({ "certificate_pem": pem(file)?, "contexts": contexts, "types": types });
            session.post("/trust-anchors", &body, write)
        }
        Verb::List(page) => session.list("/trust-anchors", page),
        Verb::Test { file, purpose, kind, write } => {
            let body = json!({ "chain_pem": pem(file)?, "context": purpose, "type": kind });
            session.post("/trust-anchors/test", &body, write)
        }
        Verb::Remove { id } => {
            session.confirm("Nobody under this certificate is believed from then on. Go on?")?;
            session.show(&session.client.delete(&format!("/trust-anchors/{}", encoded(id)))?)
        }
    }
}

fn pem(file: &str) -> Result<String, Failure> {
    Ok(String::from_utf8_lossy(&read_input(file)?).into_owned())
}
