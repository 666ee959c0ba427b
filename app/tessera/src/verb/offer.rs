//! `tessera offer …`

use super::{Page, Session, Write, encoded, read_json};
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::json;

/// Verbs of offers.
#[derive(Subcommand)]
pub enum Verb {
    /// Make an offer: a link that one wallet redeems once
    Create {
        /// The credential type, as `diploma`
        #[arg(long = "type")]
        kind: String,
        /// A JSON file of claims, or - for standard input
        #[arg(long)]
        claims: String,
        /// Seconds until the offer ends
        #[arg(long)]
        offer_ttl_s: Option<u32>,
        /// Ask the wallet for six digits as well, which the answer tells once: hand them over by another way
        #[arg(long)]
        tx_code: bool,
        /// Copies that one request of the wallet gets at most
        #[arg(long)]
        copies_max: Option<u32>,
        #[command(flatten)]
        write: Write,
    },
    /// All offers
    List(#[command(flatten)] Page),
    /// One offer
    Show {
        /// Its id, `off_…` or `crd_…`
        id: String,
    },
    /// End an offer that was not redeemed
    Cancel {
        /// Its id
        id: String,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let one = |id: &str| format!("/offers/{}", encoded(id));
    match verb {
        Verb::Create { kind, claims, offer_ttl_s, tx_code, copies_max, write } => {
            let mut body = json!({ "credential_configuration_id": kind, "claims": read_json(claims)? });
            if let Some(ttl) = offer_ttl_s {
                body["offer_ttl_s"] = json!(ttl);
            }
            if *tx_code {
                body["tx_code"] = json!(true);
            }
            if let Some(copies) = copies_max {
                body["copies_max"] = json!(copies);
            }
            session.post("/offers", &body, write)
        }
        Verb::List(page) => session.list("/offers", page),
        Verb::Show { id } => session.show(&session.client.get(&one(id))?),
        Verb::Cancel { id } => session.show(&session.client.delete(&one(id))?),
    }
}
