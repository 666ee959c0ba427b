//! `tessera`: one binary with every verb. Reads environment, files and the clock; wires rooms together; holds no rule.
//!
//! ```text
//! argv ─► cli ─┬─ serve, demo ─► house (store → tenancy → edge → custody → audit → roles) ─► running
//!              ├─ key, offer, ledger, … ─► verb ─► client ─► HTTP API
//!              └─ verify, wallet ─► their own libraries
//! ```
//! Start reading at `house.rs`.

#![allow(unreachable_pub, reason = "a binary exports nothing: pub marks what a module offers the others")]

mod certificate;
mod cli;
mod client;
mod config;
mod console;
mod context;
mod demo;
mod docs;
mod doctor;
mod failure;
mod house;
mod init;
mod jobs;
mod output;
mod push;
mod root;
mod running;
mod serve;
mod verb;

use clap::Parser;
use cli::{Cli, Noun};
use failure::{Exit, Failure};
use output::Format;
use std::process::ExitCode;
use verb::Session;

/// A request makes hundreds of short-lived texts and trees on one thread and drops some on another: 12 % of a sign-in's time was spent
/// in the C library's allocator, and 9 % is in this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let cli = match Cli::try_parse_from(cli::joined(args)) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(Exit::Usage as u8) } else { ExitCode::SUCCESS };
        }
    };
    log_to_stderr();
    match cli.noun {
        Noun::Verify(verb) => verify::cli::run(verb),
        Noun::Wallet(verb) => wallet::cli::run(&verb, cli.common.output == Format::Json, cli.common.yes),
        ref noun => match run(noun, &cli) {
            Ok(code) => code,
            Err(failure) => {
                eprint!("{}", failure.render(cli.common.output == Format::Json));
                ExitCode::from(failure.exit as u8)
            }
        },
    }
}

fn run(noun: &Noun, cli: &Cli) -> Result<ExitCode, Failure> {
    let session = || Session::open(&cli.common);
    match noun {
        Noun::Demo(args) => return demo::run(args),
        Noun::Doctor(args) => return doctor::run(args, cli.common.output),
        Noun::Serve(args) => runtime()?.block_on(serve::run(args))?,
        Noun::Init(args) => init::run(args, now())?,
        Noun::Login(args) => verb::login::run(args, &cli.common)?,
        Noun::Context(verb) => verb::context::run(verb, cli.common.output)?,
        Noun::Openapi => println!("{}", demo::openapi(&runtime()?)?),
        Noun::Tenant(verb) => verb::tenant::run(verb, &session()?)?,
        Noun::Operator(verb) => verb::operator::run(verb, &session()?)?,
        Noun::ServiceAccount(verb) => verb::service_account::run(verb, &session()?)?,
        Noun::Key(verb) => verb::key::run(verb, &session()?)?,
        Noun::CredentialType(verb) => verb::credential_type::run(verb, &session()?)?,
        Noun::Offer(verb) => verb::offer::run(verb, &session()?)?,
        Noun::Credential(verb) => verb::credential::run(verb, &session()?)?,
        Noun::Verification(verb) => verb::verification::run(verb, &session()?)?,
        Noun::StatusList(verb) => verb::status_list::run(verb, &session()?)?,
        Noun::TrustAnchor(verb) => verb::trust_anchor::run(verb, &session()?)?,
        Noun::TrustList(verb) => verb::trust_list::run(verb, &session()?)?,
        Noun::RelyingParty(verb) => verb::relying_party::run(verb, &session()?)?,
        Noun::Enrolment(verb) => verb::enrolment::run(verb, &session()?)?,
        Noun::Signin(verb) => verb::signin::run(verb, &session()?)?,
        Noun::DocumentSeal(verb) => verb::document_seal::run(verb, &session()?)?,
        Noun::Ledger(verb) => verb::ledger::run(verb, &session()?)?,
        Noun::Relay(verb) => verb::relay::run(verb, cli.common.output, runtime)?,
        Noun::Verify(_) | Noun::Wallet(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The runtime of a process that serves.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|fault| {
        Failure::start("the runtime cannot start", fault, "check the limits of this process")
    })?;
    let _inside = runtime.enter();
    outlive_file_limits();
    Ok(runtime)
}

/// A file-size limit (`ulimit -f`) is answered like a full disk, by refusing changes, instead of ending the process: with SIGXFSZ
/// caught, the write itself fails.
fn outlive_file_limits() {
    use tokio::signal::unix::{SignalKind, signal};
    let limit = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    // The handler stays for the life of the process, also when nobody listens.
    if let Err(fault) = signal(limit) {
        tracing::warn!(%fault, "a file-size limit would end this process");
    }
}

/// The one clock of the commands; rooms are given the time.
#[expect(clippy::disallowed_methods, reason = "app/ reads the clock for everybody below")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// JSON lines on stderr; `TESSERA_LOG` sets what is told.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TESSERA_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
