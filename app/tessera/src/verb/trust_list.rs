//! `tessera trust-list …`

use super::{Page, Session, Write, encoded, read_input};
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::{Value, json};

/// Verbs of lists of trusted entities.
#[derive(Subcommand)]
pub enum Verb {
    /// Believe whom a signed list of trusted entities names (ETSI TS 119 602, JSON); its signer must stand under an anchor of the
    /// context list-signer
    Import {
        /// The signed list: a file, - for standard input, or an https address, from which newer releases are then fetched every day
        list: String,
        /// A type that its issuers may issue: a vct or doctype, or the beginning of one and *; may be repeated
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        #[command(flatten)]
        write: Write,
    },
    /// All trust lists, with the fault of the last look for a newer release
    List(#[command(flatten)] Page),
    /// One trust list
    Show {
        /// Its id, `tls_…`
        id: String,
    },
    /// Take a newer release in: the one in FILE, or the one at the list's address
    Renew {
        /// Its id
        id: String,
        /// The signed list, or - for standard input
        file: Option<String>,
        #[command(flatten)]
        write: Write,
    },
    /// Believe a list no more, nor anybody whom it alone names
    Remove {
        /// Its id
        id: String,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let one = |id: &str| format!("/trust-lists/{}", encoded(id));
    match verb {
        Verb::Import { list, types, write } => {
            let is_address = list.starts_with("https://") || list.starts_with("http://");
            let mut body =
                if is_address { json!({ "uri": list }) } else { json!({ "signed": signed(list)? }) };
            body["types"] = json!(types);
            session.post("/trust-lists", &body, write)
        }
        Verb::List(page) => session.list("/trust-lists", page),
        Verb::Show { id } => session.show(&session.client.get(&one(id))?),
        Verb::Renew { id, file, write } => {
            let body =
                file.as_deref().map(signed).transpose()?.map_or(json!({}), |text| json!({ "signed": text }));
            session.post(&format!("{}/renew", one(id)), &body, write)
        }
        Verb::Remove { id } => {
            session.confirm("Nobody whom this list alone names is believed from then on. Go on?")?;
            session.show(&session.client.delete(&one(id))?)
        }
    }
}

fn signed(file: &str) -> Result<Value, Failure> {
    Ok(String::from_utf8_lossy(&read_input(file)?).trim().into())
}
