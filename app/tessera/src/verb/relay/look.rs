//! `tessera relay status` and `tessera relay inspect`: what a relay says of itself, and what its disk would tell a thief.

use super::house::{Plan, RelayHouse};
use super::serve::database;
use crate::failure::Failure;
use crate::house::fault_of;
use crate::output::{self, Format};
use serde_json::{Value, json};
use std::time::Duration;

/// A question to a relay takes no longer.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of an answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 << 10;

/// Flags of `status`.
#[derive(clap::Args, Clone)]
pub struct StatusArgs {
    /// Where the relay answers
    #[arg(long, default_value = "http://localhost:8100")]
    relay: String,
}

/// Flags of `inspect`.
#[derive(clap::Args, Clone)]
pub struct InspectArgs {
    /// The store of a relay that does not run: sqlite:PATH
    #[arg(long)]
    storage: String,
    /// Where the relay answers when it runs; its network is bound to that
    #[arg(long, default_value = "http://localhost:8100")]
    relay: String,
}

/// Asks a running relay.
pub fn status(args: &StatusArgs, format: Format) -> Result<(), Failure> {
    let base = args.relay.trim_end_matches('/');
    let signed = ask(&format!("{base}/relay/v1/network"))?;
    let signed = mailbox::network::SignedStatement::parse(signed.as_bytes())
        .map_err(|fault| fault_of("the manifest cannot be read", &fault))?;
    let id = mailbox::network::NetworkId(signed.digest());
    let known = mailbox::network::Manifest::parse(signed)
        .and_then(|unverified| unverified.verify_first(id))
        .map_err(|fault| fault_of("the manifest does not hold", &fault))?;
    let epoch = mailbox::network::SignedStatement::parse(ask(&format!("{base}/relay/v1/epoch"))?.as_bytes())
        .and_then(mailbox::network::Epoch::parse)
        .and_then(|unverified| unverified.verify(&known))
        .map_err(|fault| fault_of("the epoch does not hold", &fault))?;
    let manifest = known.manifest();
    let answer = json!({
        "network": known.network().to_string(),
        "dev": manifest.dev,
        "tokens": manifest.tokens,
        "guarantee": manifest.guarantee,
        "trust_domains": manifest.trust_domains(),
        "hops": manifest.k,
        "round_ms": manifest.classes.iter().map(|class| class.round_ms).collect::<Vec<_>>(),
        "mechanism": manifest.classes[0].mechanism,
        "epoch": epoch.epoch().epoch,
        "clients_max": epoch.epoch().clients_max,
        "rows_max": epoch.epoch().classes[0].rows,
        "slices": "rounds, members, catch-up, fast rounds; not yet: tokens, several hops, private retrieval, audit rounds",
    });
    output::print(format, &answer);
    Ok(())
}

/// Opens the store of a relay and shows every column of it.
pub async fn inspect(args: &InspectArgs, format: Format) -> Result<(), Failure> {
    let database = database(&args.storage)?;
    let missing = !database.exists();
    if missing {
        return Err(super::privacy::usage(
            "--storage names no store",
            "there is no such file",
            "name the store of a relay",
        ));
    }
    let config = relay::Config::new(&args.relay);
    let columns: Vec<Value> = relay::inspect::COLUMNS
        .iter()
        .map(|one| json!({"table": one.table, "column": one.column, "size": one.size, "tells": one.tells}))
        .collect();
    let measured = RelayHouse::measured(Plan { public_url: args.relay.clone(), database, config }).await?;
    let answer = json!({
        "columns": columns,
        "rounds": measured.rounds,
        "bytes_of_rows": measured.bytes,
        "rows_lawful": measured.is_lawful,
        "entropy_bits_per_byte": measured.entropy_millibits as f64 / 1_000.0,
    });
    output::print(format, &answer);
    Ok(())
}

fn ask(url: &str) -> Result<String, Failure> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(ASK_TIMEOUT)).build().into();
    let unreachable = |fault: ureq::Error| {
        Failure::start(format!("{url} does not answer"), fault, "start it: tessera relay serve --dev")
    };
    let mut answer = agent.get(url).call().map_err(unreachable)?;
    answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(unreachable)
}
