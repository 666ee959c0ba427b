//! The verbs, shared by `tessera-verify` and `tessera verify`.
//!
//! Exit codes: 0 verified, 1 proven bad, 2 usage or unreadable input, 3 refused, 4 unreachable. Whatever is not 0 says
//! on stderr, in four lines, what, why, what to do, and where to read more.

use crate::finding::Finding;
use crate::http::HttpFault;
use crate::log::{LogError, LogReport, LogRequest, OldCheckpoint};
use crate::source::{FetchFault, Source};
use crate::text;
use crypto::secret::Secret;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tlog::note::{NOTE_BYTES_MAX, VerifierKey, VkeyFault};
use tlog::proof_file::{PROOF_FILE_BYTES_MAX, ProofFileFault};

/// Environment variable that may hold the read token of a private log.
const BEARER_VARIABLE: &str = "TESSERA_LOG_TOKEN";

/// Longest token or CA file that is read.
const INPUT_BYTES_MAX: usize = 1024 * 1024;

/// A run shorter than this shows no progress.
const QUIET_FOR: Duration = Duration::from_millis(500);

/// On a terminal the line is drawn anew this often; elsewhere a line is written each [`LINE_EVERY`].
const REDRAW_EVERY: Duration = Duration::from_millis(200);

/// Where stderr is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What can be verified.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Verify {
    /// Recompute a whole log: every entry, tile and root, and that older checkpoints are its beginning
    Log(LogArgs),
    /// Check a proof file without any server
    Proof(ProofArgs),
}

/// Arguments of `verify log`.
#[derive(Clone, Debug, clap::Args)]
pub struct LogArgs {
    /// URL of the log (`/checkpoint` and `/tile/…` follow), or a folder with the same paths
    #[arg(value_name = "URL|DIR")]
    pub source: String,
    /// Verifier key of the log, as `name+id+key`; repeated, each key must have signed
    #[arg(long, value_name = "VKEY", required = true)]
    pub vkey: Vec<String>,
    /// An older checkpoint that you kept; repeatable
    #[arg(long, value_name = "CHECKPOINT")]
    pub old: Vec<PathBuf>,
    /// Go on from the checkpoint in this file, and put the new one there if the log verifies
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// File with the read token of a private log (`-`: standard input; or in TESSERA_LOG_TOKEN)
    #[arg(long, value_name = "FILE")]
    pub bearer_file: Option<PathBuf>,
    /// Trust these authorities for https instead of this machine's (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Show no progress
    #[arg(long)]
    pub no_progress: bool,
}

/// Arguments of `verify proof`.
#[derive(Clone, Debug, clap::Args)]
pub struct ProofArgs {
    /// The proof file (`-`: standard input)
    pub file: PathBuf,
    /// Verifier key of the log; repeated, each key must have signed
    #[arg(long, value_name = "VKEY", required = true)]
    pub vkey: Vec<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs a verb: the report goes to stdout, errors and progress to stderr.
pub fn run(verb: Verify) -> ExitCode {
    let outcome = match verb {
        Verify::Log(args) => run_log(&args),
        Verify::Proof(args) => run_proof(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprint!("{trouble}");
            ExitCode::from(trouble.exit)
        }
    }
}

fn run_log(args: &LogArgs) -> Result<(), Trouble> {
    let keys = vkeys(&args.vkey)?;
    let old: Result<Vec<_>, _> = args.old.iter().map(old_checkpoint).collect();
    let state = args.state.as_deref().filter(|path| path.exists()).map(old_checkpoint).transpose()?;
    let source = open_source(args)?;
    let request = LogRequest { source: &source, keys: &keys, old: old?, state };
    let mut progress = Progress::new(!args.no_progress && !args.json);
    let report = crate::log::log(&request, &mut |done, all| progress.show(done, all));
    progress.clear();
    let report = report.map_err(|error| Trouble::of_log(error, &source))?;
    if report.finding.is_none() {
        args.state.as_deref().map_or(Ok(()), |path| save_state(path, &report))?;
    }
    if args.json {
        print_out(&format!("{:#}\n", text::log_json(&report, &keys)));
    }
    match &report.finding {
        Some(finding) => Err(Trouble::of_finding(finding)),
        None if args.json => Ok(()),
        None => {
            let state = args.state.as_ref().map(|path| path.display().to_string());
            print_out(&text::log_lines(&report, &keys, state.as_deref()));
            Ok(())
        }
    }
}

fn run_proof(args: &ProofArgs) -> Result<(), Trouble> {
    let keys = vkeys(&args.vkey)?;
    let bytes = read_input(&args.file, PROOF_FILE_BYTES_MAX)?;
    let report =
        crate::proof::proof(&bytes, &keys).map_err(|fault| Trouble::of_proof_file(&args.file, fault))?;
    if args.json {
        print_out(&format!("{:#}\n", text::proof_json(&report, &keys)));
    }
    match report.verdict {
        Err(fault) => Err(Trouble {
            exit: 1,
            code: "verify/proof-invalid",
            error: format!("{} proves nothing", args.file.display()),
            cause: fault.to_string(),
            fix: "ask for the proof again; if it stays bad, keep the file: it is evidence".into(),
        }),
        Ok(_) if args.json => Ok(()),
        Ok(proven) => {
            print_out(&text::proof_lines(&proven));
            Ok(())
        }
    }
}

fn vkeys(texts: &[String]) -> Result<Vec<VerifierKey>, Trouble> {
    let parse = |text: &String| VerifierKey::parse(text).map_err(|fault| Trouble::of_vkey(text, fault));
    texts.iter().map(parse).collect()
}

fn old_checkpoint(path: impl AsRef<Path>) -> Result<OldCheckpoint, Trouble> {
    let path = path.as_ref();
    Ok(OldCheckpoint { name: path.display().to_string(), note: read_input(path, NOTE_BYTES_MAX)? })
}

fn open_source(args: &LogArgs) -> Result<Source, Trouble> {
    if !args.source.contains("://") {
        return Ok(Source::Dir(PathBuf::from(&args.source)));
    }
    let bearer = match &args.bearer_file {
        Some(path) => {
            let bytes = Secret::new(read_input(path, INPUT_BYTES_MAX)?);
            let token = std::str::from_utf8(bytes.expose()).map(str::trim);
            Some(Secret::new(token.map_err(|_| Trouble::unreadable(path, "it is no text"))?.to_owned()))
        }
        None => std::env::var(BEARER_VARIABLE).ok().map(Secret::new),
    };
    let ca = args.ca.as_deref().map(|path| read_input(path, INPUT_BYTES_MAX)).transpose()?;
    Source::http(&args.source, bearer, ca.as_deref()).map_err(|fault| Trouble::of_http(&fault))
}

fn read_input(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Trouble> {
    let unreadable = |fault: std::io::Error| Trouble::unreadable(path, &fault.to_string());
    let input: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(std::fs::File::open(path).map_err(unreadable)?),
    };
    let mut bytes = Vec::new();
    input.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() <= bytes_max { Ok(bytes) } else { Err(Trouble::unreadable(path, "it is too long")) }
}

/// Puts the verified checkpoint where the next run begins; whole or not at all.
fn save_state(path: &Path, report: &LogReport) -> Result<(), Trouble> {
    let Some(head) = &report.checkpoint else { return Ok(()) };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        file.write_all(head.note().to_string().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    });
    written.map_err(|fault| Trouble {
        exit: 2,
        code: "verify/usage",
        error: format!("the log verifies, but the state cannot be kept in {}", path.display()),
        cause: fault.to_string(),
        fix: "give a file that can be written".into(),
    })
}

fn print_out(report: &str) {
    // A reader that went away (`| head`) is no fault of the check.
    let _ = std::io::stdout().write_all(report.as_bytes());
}

/// What went wrong, in the four lines of the house.
#[derive(Debug)]
struct Trouble {
    exit: u8,
    code: &'static str,
    error: String,
    cause: String,
    fix: String,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (error, cause) = (text::printable(&self.error), text::printable(&self.cause));
        writeln!(f, "error: {error:<65} {}", self.code)?;
        writeln!(f, "  cause  {cause}")?;
        writeln!(f, "  fix    {}", text::printable(&self.fix))?;
        writeln!(f, "  page   docs/problems/{}.md", self.code)
    }
}

impl Trouble {
    fn usage(error: String, cause: String, fix: &str) -> Self {
        Self { exit: 2, code: "verify/usage", error, cause, fix: fix.to_owned() }
    }

    fn unreadable(path: &Path, cause: &str) -> Self {
        Self::usage(
            format!("{} cannot be read", path.display()),
            cause.to_owned(),
            "give a file that exists and can be read",
        )
    }

    fn of_vkey(text: &str, fault: VkeyFault) -> Self {
        let shown: String = text.chars().take(60).collect();
        Self::usage(
            format!("not a verifier key: {shown}"),
            fault.to_string(),
            "take it from the /keys door of the log, and compare its fingerprint by another way",
        )
    }

    fn of_http(fault: &HttpFault) -> Self {
        let fix = match fault {
            HttpFault::Ca => "give a PEM file of certificates with --ca",
            HttpFault::Url(_) => "give the URL of a log, as https://HOST/log/t/TENANT",
            HttpFault::Plain(_) => "use https; plain http is for this machine alone",
        };
        Self::usage("the log cannot be asked".into(), fault.to_string(), fix)
    }

    fn of_proof_file(path: &Path, fault: ProofFileFault) -> Self {
        let error = format!("{} is no proof file", path.display());
        Self::usage(error, fault.to_string(), "give a file that `tessera ledger prove` wrote")
    }

    fn of_finding(finding: &Finding) -> Self {
        let fix = match finding {
            Finding::Checkpoint(_) => {
                "compare the verifier key by another way; if it is right, keep the checkpoint: it is evidence"
            }
            _ => {
                "keep what you fetched and your old checkpoints: together they prove the fault; ask who runs the log"
            }
        };
        Self {
            exit: 1,
            code: finding.code(),
            error: "the log does not verify".into(),
            cause: finding.to_string(),
            fix: fix.into(),
        }
    }

    fn of_log(error: LogError, source: &Source) -> Self {
        let over_http = matches!(source, Source::Http { .. });
        match error {
            LogError::Keys => {
                Self::usage("the keys do not fit".into(), error.to_string(), "give keys of one origin")
            }
            LogError::Old { name, fault } => Self::usage(
                format!("{name} cannot be used"),
                fault.to_string(),
                "give a checkpoint of this log, as it was served",
            ),
            LogError::Fetch(fault) => Self::of_fetch(&fault, over_http),
        }
    }

    fn of_fetch(fault: &FetchFault, over_http: bool) -> Self {
        let (exit, code, error, fix) = match fault {
            FetchFault::Refused { status: 401 | 403, .. } => (
                3,
                "verify/refused",
                "the log may not be read",
                "give a read token of this log with --bearer-file",
            ),
            FetchFault::Refused { status: 410, .. } => (
                3,
                "verify/pruned",
                "the log no longer shows its beginning",
                "go on from a --state that you kept",
            ),
            FetchFault::Refused { .. } => {
                (3, "verify/refused", "the server refuses", "check the URL; redirects are not followed")
            }
            FetchFault::Missing { .. } if over_http => (
                3,
                "verify/refused",
                "there is no log at this URL",
                "check the URL; /checkpoint must answer under it",
            ),
            FetchFault::Unreachable { .. } => (
                4,
                "verify/unreachable",
                "the log cannot be reached",
                "check host, port and certificate, and try again",
            ),
            FetchFault::Missing { .. } | FetchFault::Unreadable { .. } | FetchFault::TooLong { .. } => (
                2,
                "verify/usage",
                "there is no log in this folder",
                "give the folder that holds `checkpoint` and `tile`",
            ),
        };
        Self { exit, code, error: error.into(), cause: fault.to_string(), fix: fix.into() }
    }
}

/// A line on stderr for runs that take long.
struct Progress {
    shown: bool,
    terminal: bool,
    started: Instant,
    last: Instant,
    drawn: bool,
}

impl Progress {
    fn new(shown: bool) -> Self {
        let now = Instant::now();
        Self { shown, terminal: std::io::stderr().is_terminal(), started: now, last: now, drawn: false }
    }

    fn show(&mut self, done: u64, all: u64) {
        let every = if self.terminal { REDRAW_EVERY } else { LINE_EVERY };
        if !self.shown || self.started.elapsed() < QUIET_FOR || self.last.elapsed() < every {
            return;
        }
        self.last = Instant::now();
        let percent = done.saturating_mul(100).checked_div(all).unwrap_or(100);
        let line = format!("verifying: {done} of {all} entries, {percent} %");
        if self.terminal {
            eprint!("\r{line}\x1b[K");
            self.drawn = true;
        } else {
            eprintln!("{line}");
        }
    }

    fn clear(&self) {
        if self.drawn {
            eprint!("\r\x1b[K");
        }
    }
}
