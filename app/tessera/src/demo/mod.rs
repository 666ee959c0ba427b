//! `tessera demo`: the server of `serve --dev`, plus scripted outsiders that use only loopback HTTP doors.
//!
//! ```text
//! start ─► tenants ─► keys ─► credential ─► sign-in ─► message ─► attacks ─► proof ─► Report ─► screen, or one JSON object
//! ```
//! Every step and attack speaks HTTP as a stranger would; nothing here reaches into a room but to start it.

mod attacks;
mod credential;
mod keys;
mod member;
mod message;
mod outsider;
mod proof;
mod report;
mod screen;
mod signin;

use crate::context::{self, Context, Login};
use crate::failure::{Exit, Failure};
use crate::house::{House, fault_of};
use crate::running::told_to_stop;
use crate::serve;
use outsider::Outsider;
use report::Report;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Rounds of the demo's relay: the shortest that a development network has.
const ROUND_MS: u64 = 250;

/// Flags of `demo`.
#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON object (schema tessera.demo/1) when the story is over; progress goes to stderr
    #[arg(long)]
    json: bool,
    /// End after the story instead of staying up
    #[arg(long)]
    exit: bool,
    /// Keep the data in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// The port; without it 8400 or the next free one to 8420; 0 takes any free one
    #[arg(long)]
    port: Option<u16>,
}

/// Where the demo's data is: a folder that outlives it, or one that does not.
enum Data {
    Kept(PathBuf),
    Scratch(tempfile::TempDir),
}

impl Data {
    fn path(&self) -> &std::path::Path {
        match self {
            Self::Kept(path) => path,
            Self::Scratch(folder) => folder.path(),
        }
    }
}

/// Plays the story; exit 0 if every check holds, 1 if one does not, 4 if nothing could start.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let runtime = crate::runtime()?;
    runtime.block_on(play(args))
}

async fn play(args: &Args) -> Result<ExitCode, Failure> {
    let start = Instant::now();
    let data = match &args.keep {
        Some(path) => Data::Kept(path.clone()),
        None => {
            Data::Scratch(tempfile::Builder::new().prefix("tessera-demo-").tempdir().map_err(|fault| {
                Failure::start("no scratch folder can be made", fault, "set TMPDIR, or use --keep DIR")
            })?)
        }
    };
    let port = args.port.unwrap_or(serve::DEV_PORT);
    let listener = serve::listen_on_loopback(port, args.port.is_none()).await?;
    let house = serve::open_development(&listener, data.path(), ROUND_MS).await?;
    house.open_relay().await?;
    let running = serve::start_development(house, listener, args.port == Some(0)).await?;
    let mut out: Box<dyn Write + Send> =
        if args.json { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) };
    let _ = writeln!(out, "{}", screen::opening(args.keep.is_some()));
    let parties = outsider::prepare(&running).await?;
    let mut report = Report::new(crate::now(), data.path(), running.address.to_string());
    outsider::describe(&mut report, &running, &parties);
    describe_console(&mut report, &running.house).await?;
    let context = Context {
        url: parties.base.clone(),
        login: Login::ServiceAccount {
            client_id: parties.own.client_id.clone(),
            client_secret: parties.own.client_secret.clone(),
        },
        ca_file: None,
    };
    let report = tokio::task::spawn_blocking(move || {
        story(&mut report, &parties, &mut out);
        report.close(start);
        screen::closing(&mut out, &report);
        report
    })
    .await
    .map_err(|fault| {
        Failure::new(
            Exit::Fault,
            "the story broke off",
            fault.to_string(),
            "this is a defect: please report it",
        )
    })?;
    if args.json {
        println!("{}", report.to_json());
        let _ = std::io::stdout().flush();
    }
    if !args.exit {
        // A context that cannot be written costs the CLI, not the demo.
        if let Err(failure) = context::save("demo", &context) {
            eprint!("{}", failure.render(false));
        }
        told_to_stop().await;
        context::remove("demo");
    }
    let ok = report.ok;
    running.stop().await;
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(Exit::CheckFailed as u8) })
}

/// Where the console is, and a link that opens it once: the demo's person is an owner of the instance.
async fn describe_console(report: &mut Report, house: &House) -> Result<(), Failure> {
    let base = house.edge.config().console_base();
    let made = house.tenancy.first_link(&house.edge.tick()).await;
    let link = made.map_err(|fault| fault_of("the console's link cannot be made", &fault))?;
    report.urls.insert("console".to_owned(), format!("{base}{}", edge::browser::CONSOLE).into());
    if let Some(link) = link {
        report.urls.insert("console_once".to_owned(), format!("{base}/once/{}", link.token.expose()).into());
    }
    Ok(())
}

/// The steps in order; a step that fails does not stop those that do not need it.
fn story(report: &mut Report, parties: &Outsider, out: &mut dyn Write) {
    keys::step(report, parties);
    show_last(report, out);
    let held = credential::step(report, parties);
    show_last(report, out);
    signin::step(report, parties);
    show_last(report, out);
    message::step(report, parties);
    show_last(report, out);
    attacks::step(report, parties, held);
    show_last(report, out);
    proof::step(report, parties);
    show_last(report, out);
}

fn show_last(report: &Report, out: &mut dyn Write) {
    if let Some(step) = report.steps.last() {
        screen::step(out, report, step);
    }
}

/// The OpenAPI document of this build, as a server on `http://localhost:8400` would give it.
pub fn openapi(runtime: &tokio::runtime::Runtime) -> Result<String, Failure> {
    runtime.block_on(async {
        let data = tempfile::tempdir()
            .map_err(|fault| Failure::start("no scratch folder can be made", fault, "set TMPDIR"))?;
        let listener = serve::listen_on_loopback(0, false).await?;
        let house = serve::open_development(&listener, data.path(), ROUND_MS).await?;
        let running = serve::start_development(house, listener, true).await?;
        let base = running.house.edge.config().base().to_owned();
        let asked = base.clone();
        let document = tokio::task::spawn_blocking(move || {
            let client = crate::client::Client::anonymous(&asked, None, std::time::Duration::from_secs(10))?;
            client.get("/openapi.json")
        })
        .await
        .map_err(|fault| {
            Failure::new(Exit::Fault, "the document broke off", fault.to_string(), "please report it")
        })??;
        running.stop().await;
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        Ok(text.replace(&base, "http://localhost:8400"))
    })
}
