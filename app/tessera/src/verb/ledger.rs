//! `tessera ledger …`: reading the log, proving an entry, handing out read tokens.

use super::{Page, Session, encoded};
use crate::failure::{Exit, Failure};
use clap::Subcommand;
use serde_json::{Value, json};
use std::time::Duration;

/// How long `tail` waits between two looks.
const TAIL_INTERVAL: Duration = Duration::from_secs(1);
/// How often `prove` asks again while the checkpoint does not cover the entry; it does within a second.
const PROOF_TRIES_MAX: u32 = 20;

/// Verbs of the ledger.
#[derive(Subcommand)]
pub enum Verb {
    /// Print entries as they are written, until Ctrl-C
    Tail,
    /// Entries, newest last
    List {
        /// Only entries of this type, as `credential-issued`
        #[arg(long = "type")]
        kind: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// One entry, with its details where you may read them
    Show {
        /// Its index or `evt_…`
        entry: String,
    },
    /// A proof file for one entry, which `tessera verify proof` checks offline
    Prove {
        /// Its index or `evt_…`
        entry: String,
        /// Where to write it; standard output if absent
        #[arg(long)]
        out: Option<std::path::PathBuf>,
    },
    /// Proof hashes that the log of one size continues the log of another
    Consistency {
        /// The older size
        from: u64,
        /// The newer size
        to: u64,
    },
    /// The newest checkpoint
    Checkpoint,
    /// The log's verifier keys: compare their fingerprints by another way
    Keys,
    /// Size, root, state and lag of the log
    Status,
    /// Read tokens for outsiders
    #[command(subcommand)]
    Token(TokenVerb),
}

/// Verbs of read tokens.
#[derive(Subcommand)]
pub enum TokenVerb {
    /// Make a token that reads one log and nothing else; it is shown this once
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// The log, as `t/acme`; this tenant's own if absent
        #[arg(long)]
        log: Option<String>,
        /// Days until it ends, at most 365
        #[arg(long, default_value_t = 30)]
        ttl_d: u32,
    },
    /// All tokens
    List(#[command(flatten)] Page),
    /// End a token at once
    Revoke {
        /// Its id, `lgt_…`
        id: String,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    match verb {
        Verb::Tail => tail(session),
        Verb::List { kind, page } => {
            let path = kind.as_ref().map_or_else(
                || "/ledger/events".to_owned(),
                |kind| format!("/ledger/events?type={}", encoded(kind)),
            );
            session.list(&path, page)
        }
        Verb::Show { entry } => {
            session.show(&session.client.get(&format!("/ledger/events/{}", encoded(entry)))?)
        }
        Verb::Prove { entry, out } => prove(session, entry, out.as_deref()),
        Verb::Consistency { from, to } => {
            session.show(&session.client.get(&format!("/ledger/consistency?from={from}&to={to}"))?)
        }
        Verb::Checkpoint => text(session, "checkpoint"),
        Verb::Keys => text(session, "keys"),
        Verb::Status => session.show(&session.client.get("/ledger/status")?),
        Verb::Token(verb) => token(verb, session),
    }
}

/// One of the log's own doors, which outsiders read too.
fn text(session: &Session, door: &str) -> Result<(), Failure> {
    let status = session.client.get("/ledger/status")?;
    let log = status.get("log").and_then(Value::as_str).ok_or_else(|| {
        Failure::new(Exit::Fault, "the status names no log", "", "check the server's version")
    })?;
    print!("{}", session.client.get_text(&format!("/log/{log}/{door}"))?.1);
    Ok(())
}

fn prove(session: &Session, entry: &str, out: Option<&std::path::Path>) -> Result<(), Failure> {
    for _ in 0..PROOF_TRIES_MAX {
        let (status, proof) = session.client.get_text(&format!("/ledger/events/{}/proof", encoded(entry)))?;
        if status == 200 {
            let Some(path) = out else {
                print!("{proof}");
                return Ok(());
            };
            return std::fs::write(path, proof).map_err(|fault| {
                Failure::usage(format!("{} cannot be written: {fault}", path.display()), "name another file")
            });
        }
        std::thread::sleep(TAIL_INTERVAL / 4);
    }
    Err(Failure::new(
        Exit::Unreachable,
        "no checkpoint covers this entry yet",
        "the log may be quarantined",
        "see `tessera ledger status`",
    ))
}

fn tail(session: &Session) -> Result<(), Failure> {
    let mut after: Option<String> = None;
    loop {
        let query = after.as_ref().map_or_else(String::new, |after| format!("?after={}", encoded(after)));
        let answer = session.client.get(&format!("/ledger/events{query}"))?;
        for item in answer.get("items").and_then(Value::as_array).into_iter().flatten() {
            println!("{}", crate::output::printable(&item.to_string()));
            if let Some(index) = item.get("index").and_then(Value::as_u64) {
                after = Some(index.to_string());
            }
        }
        std::thread::sleep(TAIL_INTERVAL);
    }
}

fn token(verb: &TokenVerb, session: &Session) -> Result<(), Failure> {
    match verb {
        TokenVerb::Create { name, log, ttl_d } => {
            let mut body = json!({ "name": name, "ttl_s": u64::from(*ttl_d) * 86_400 });
            if let Some(log) = log {
                body["log"] = json!(log);
            }
            session.show(&session.client.post("/ledger/tokens", &body, Default::default())?)
        }
        TokenVerb::List(page) => session.list("/ledger/tokens", page),
        TokenVerb::Revoke { id } => {
            session.show(&session.client.delete(&format!("/ledger/tokens/{}", encoded(id)))?)
        }
    }
}
