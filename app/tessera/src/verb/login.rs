//! `tessera login --link URL`: spends a one-time link and keeps the operator's session for the CLI.

use crate::cli::Common;
use crate::client::{Client, Sent};
use crate::context::{self, Context, Login};
use crate::failure::{Exit, Failure};
use crate::verb::read_input;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `login`.
#[derive(clap::Args)]
pub struct Args {
    /// A file that holds the one-time link, or - for standard input (`serve` writes <data>/first-link)
    #[arg(long, conflicts_with = "link", required_unless_present = "link")]
    link_file: Option<String>,
    /// The one-time link itself; it works once and for 15 minutes
    #[arg(long)]
    link: Option<String>,
    /// The name of the context to write
    #[arg(long, default_value = "default")]
    name: String,
    /// A CA or self-signed certificate (PEM) to trust for this server
    #[arg(long)]
    ca: Option<PathBuf>,
}

/// Spends the link and writes the context.
pub fn run(args: &Args, common: &Common) -> Result<(), Failure> {
    let link = match (&args.link, &args.link_file) {
        (Some(link), _) => link.clone(),
        (None, Some(file)) => String::from_utf8_lossy(&read_input(file)?).trim().to_owned(),
        (None, None) => {
            return Err(Failure::usage("no link is given", "give --link URL or --link-file FILE"));
        }
    };
    let (base, secret) = link.rsplit_once("/once/").ok_or_else(|| {
        Failure::usage(
            "this is no one-time link",
            "a link looks like https://HOST/once/…; `tessera operator link` makes one",
        )
    })?;
    let ca_pem = args
        .ca
        .as_ref()
        .map(std::fs::read)
        .transpose()
        .map_err(|fault| Failure::usage(format!("--ca: {fault}"), "name a PEM file"))?;
    let client = Client::anonymous(base, ca_pem.as_deref(), Duration::from_secs(common.timeout_s))?;
    let answer = client.post(&format!("/once/{secret}"), &json!({}), Sent::default())?;
    let token = answer.get("session_token").and_then(Value::as_str).ok_or_else(|| {
        Failure::new(Exit::Fault, "the answer has no session", "", "check the server's version")
    })?;
    let login = Login::Session { token: token.to_owned() };
    let path = context::save(&args.name, &Context { url: base.to_owned(), login, ca_file: args.ca.clone() })?;
    eprintln!("logged in; context {} stands in {}", args.name, path.display());
    Ok(())
}
