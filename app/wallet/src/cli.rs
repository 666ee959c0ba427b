//! The verbs of `tessera wallet`.
//!
//! ```text
//! Verb ─ run ─► Terminal (stdout, stderr, questions) ─ perform ─► engine ─► answer | Trouble ─► four lines, exit code
//! ```
//! Exit codes: 0 done, 1 a check said no, 2 usage, 3 the peer refused, 4 unreachable, 5 our fault. Answers go to stdout; what
//! the holder is told and asked goes to stderr, so that `-o json` stays one object.

mod answer;
mod consent;
mod place;
mod push;
mod relay;
mod signin;
mod trouble;

pub use place::Place;
pub use push::Push;
pub use relay::{Alone, Contacts, Join, MakeInvite, Receive, Send};
pub use signin::{AddPasskey, Approve, Enrol};
pub use trouble::Trouble;

use crate::engine::relay::RelayLink;
use crate::engine::{Choice, Clock, Outcome, Wallet};
use crate::page;
use crate::text;
use consent::{agrees_to_offer, agrees_to_request};
use crypto::secret::Secret;
use jiff::Timestamp;
use serde_json::Value;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// What a holder can do.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Verb {
    /// Make a wallet: an encrypted file for credentials and their software keys
    Init(Init),
    /// Accept an offered credential, after showing who offers what; or a relay invite
    Accept(Accept),
    /// List the credentials in the wallet
    List(List),
    /// Show one credential with its claims
    Show(Show),
    /// Forget a credential and its software key
    Delete(Delete),
    /// Answer a verifier's request, after showing who asks and each claim that would be seen
    Present(Present),
    /// Enrol this device at an identity provider, so that it may sign you in
    Enrol(Enrol),
    /// Decide on a sign-in, with the code that its page shows
    Approve(Approve),
    /// How sign-ins come: pushed over the relay, or asked for
    #[command(subcommand)]
    Push(Push),
    /// Get a link that adds one passkey to the browser in which you open it
    Passkey(AddPasskey),
    /// What was shown to whom, and what was signed in where; kept only here
    History(History),
    /// Whom this wallet trusts
    #[command(subcommand)]
    Trust(Trust),
    /// Become a member of a relay network
    Join(Join),
    /// Make an invite: a link that one person accepts once
    Invite(MakeInvite),
    /// Members of the relay network that you know
    #[command(subcommand)]
    Contacts(Contacts),
    /// Send a message over the relay
    Send(Send),
    /// Go online and print the messages that came
    Receive(Receive),
    /// What the relay network promises, and how much of it is spent
    Privacy(Alone),
    /// Stay online, so that going online tells nobody anything
    Daemon(Alone),
}

/// Arguments of `wallet init`.
#[derive(Clone, Debug, clap::Args)]
pub struct Init {
    /// Trust these certificates (PEM) as issuers, verifiers and signers of status lists; repeatable
    #[arg(long, value_name = "FILE")]
    pub trust: Vec<PathBuf>,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet accept`.
#[derive(Clone, Debug, clap::Args)]
pub struct Accept {
    /// The offer's link, as openid-credential-offer://…, or an invite, as tessera:invite/…
    #[arg(value_name = "URI")]
    pub uri: String,
    /// The transaction code that came by another way
    #[arg(long, value_name = "N")]
    pub tx_code: Option<String>,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet list`.
#[derive(Clone, Debug, clap::Args)]
pub struct List {
    /// Ask the issuers' status lists whether each still holds
    #[arg(long)]
    pub check: bool,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet show`.
#[derive(Clone, Debug, clap::Args)]
pub struct Show {
    /// Id of the credential, or its beginning
    #[arg(value_name = "ID")]
    pub id: String,
    /// Ask the issuer's status list whether it still holds
    #[arg(long)]
    pub check: bool,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet delete`.
#[derive(Clone, Debug, clap::Args)]
pub struct Delete {
    /// Id of the credential, or its beginning
    #[arg(value_name = "ID")]
    pub id: String,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet present`.
#[derive(Clone, Debug, clap::Args)]
pub struct Present {
    /// The request's link, as openid4vp://…
    #[arg(value_name = "URI")]
    pub uri: String,
    /// Show this credential, where several would do
    #[arg(long, value_name = "ID")]
    pub select: Option<String>,
    /// Show these claims and no others (degree.type,name); a request that needs more is declined
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    pub disclose: Option<Vec<String>>,
    /// Show also what the verifier asks for without insisting
    #[arg(long)]
    pub optional: bool,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet history`.
#[derive(Clone, Debug, clap::Args)]
pub struct History {
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Whom the wallet trusts.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Trust {
    /// Trust the certificates of a file (PEM)
    Add {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
    /// List the trust anchors
    List {
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
    /// Trust an anchor no longer
    Remove {
        /// Id of the anchor
        #[arg(value_name = "ID")]
        id: String,
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
}

/// Where a verb speaks and asks.
pub struct Terminal<'a> {
    /// Answers: stdout.
    pub out: &'a mut dyn Write,
    /// What the holder is told: stderr.
    pub said: &'a mut dyn Write,
    /// Asks a question and returns the line that was typed; none when nobody can be asked.
    pub ask: &'a mut dyn FnMut() -> Option<String>,
    /// Asks for a passphrase without showing it; none when nobody can be asked.
    pub passphrase: &'a mut dyn FnMut(&str) -> Option<Secret<String>>,
    /// Answers are JSON.
    pub json: bool,
    /// Questions are answered with yes; checks are not.
    pub yes: bool,
    /// The clock, if not the system's.
    pub clock: Option<fn() -> Timestamp>,
}

/// Runs a verb on the real terminal.
#[must_use]
pub fn run(verb: &Verb, json: bool, yes: bool) -> ExitCode {
    let mut terminal = Terminal {
        out: &mut std::io::stdout(),
        said: &mut std::io::stderr(),
        ask: &mut line_of_stdin,
        passphrase: &mut place::hidden,
        json,
        yes,
        clock: None,
    };
    match perform(verb, &mut terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprint!("{}", trouble.render(json));
            ExitCode::from(trouble.page.exit)
        }
    }
}

/// Performs a verb.
///
/// # Errors
/// [`Trouble`], to be printed.
pub fn perform(verb: &Verb, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    match verb {
        Verb::Init(args) => init(args, terminal),
        Verb::Accept(args) => accept(args, terminal),
        Verb::List(args) => list(args, terminal),
        Verb::Show(args) => show(args, terminal),
        Verb::Delete(args) => delete(args, terminal),
        Verb::Present(args) => present(args, terminal),
        Verb::Enrol(args) => signin::enrol(args, terminal),
        Verb::Approve(args) => signin::approve(args, terminal),
        Verb::Push(verb) => push::push(verb, terminal),
        Verb::Passkey(args) => signin::passkey(args, terminal),
        Verb::History(args) => history(args, terminal),
        Verb::Trust(verb) => trust(verb, terminal),
        Verb::Join(args) => relay::join(args, terminal),
        Verb::Invite(args) => relay::invite(args, terminal),
        Verb::Contacts(verb) => relay::contacts(verb, terminal),
        Verb::Send(args) => relay::send(args, terminal),
        Verb::Receive(args) => relay::receive(args, terminal),
        Verb::Privacy(args) => relay::privacy(args, terminal),
        Verb::Daemon(args) => relay::daemon(args, terminal),
    }
}

fn init(args: &Init, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let anchors: Result<Vec<String>, Trouble> =
        args.trust.iter().map(|file| place::read_text(file)).collect();
    let anchors = anchors?;
    let home = args.place.home()?;
    let passphrase = args.place.new_passphrase(terminal)?;
    let wallet = Wallet::create(&home, &passphrase, &anchors)?;
    if wallet.anchors().is_empty() {
        terminal.tell("no trust anchor yet: add some with `tessera wallet trust add FILE`\n");
    }
    terminal.answer(&answer::made(&home, wallet.anchors().len()))
}

fn accept(args: &Accept, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    if RelayLink::is_one(&args.uri) {
        return relay::accept_link(&args.uri, &args.place, terminal);
    }
    let mut wallet = args.place.open(terminal)?;
    let offer = wallet.offer(&args.uri)?;
    if !agrees_to_offer(offer.summary(), terminal)? {
        return Err(Trouble::of(&page::DECLINED, "you said no"));
    }
    let asked = match (&args.tx_code, &offer.summary().tx_code) {
        (None, Some(_)) => terminal.question("transaction code: ")?,
        _ => None,
    };
    let held = wallet.redeem(offer, args.tx_code.as_deref().or(asked.as_deref()))?;
    terminal.answer(&answer::credential(&held, None))
}

fn list(args: &List, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let wallet = args.place.open(terminal)?;
    let mut items = Vec::new();
    for held in wallet.list()? {
        let status = args.check.then(|| wallet.status(&held));
        items.push(answer::summary(&held, status.as_ref()));
    }
    terminal.answer(&answer::list(items))
}

fn show(args: &Show, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let wallet = args.place.open(terminal)?;
    let held = wallet.held(&args.id)?;
    let status = args.check.then(|| wallet.status(&held));
    if let Some(Err(fault)) = &status {
        terminal.tell(&format!("status unknown: {}\n", text::line(&fault.to_string())));
    }
    terminal.answer(&answer::credential(&held, status.as_ref()))
}

fn delete(args: &Delete, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let mut wallet = args.place.open(terminal)?;
    let held = wallet.held(&args.id)?;
    terminal.tell(&format!("{}  {}\n", held.id, text::line(&held.vct)));
    if !terminal.agrees("forget it and its software key for good?")? {
        return Err(Trouble::of(&page::DECLINED, "you said no: it was kept"));
    }
    wallet.delete(&held.id)?;
    terminal.answer(&serde_json::json!({ "id": held.id, "deleted": true }))
}

fn present(args: &Present, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let mut wallet = args.place.open(terminal)?;
    let choice =
        Choice { select: args.select.as_deref(), disclose: args.disclose.clone(), optional: args.optional };
    let request = wallet.request(&args.uri, &choice)?;
    let beyond = request.summary().beyond_choice.clone();
    let agreed = agrees_to_request(request.summary(), terminal)?;
    let answered = if agreed { wallet.answer(request)? } else { wallet.decline(request)? };
    terminal.answer(&answer::answered(&answered))?;
    match (answered.outcome, beyond) {
        (Outcome::Delivered, _) => Ok(()),
        (Outcome::NoMatch, _) => {
            Err(Trouble::of(&page::NOTHING_SHOWN, "nothing in this wallet fits the request"))
        }
        (Outcome::Declined, Some(path)) => Err(Trouble::of(
            &page::NOTHING_SHOWN,
            format!("it needs {path}, which --disclose does not allow"),
        )),
        (Outcome::Declined, None) => Err(Trouble::of(&page::NOTHING_SHOWN, "you said no")),
    }
}

fn history(args: &History, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let wallet = args.place.open(terminal)?;
    let shown = wallet.history()?.iter().map(answer::history).collect();
    terminal.answer(&signin::merged(shown, &wallet.signins()?))
}

fn trust(verb: &Trust, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    match verb {
        Trust::Add { file, place } => {
            let pem = place::read_text(file)?;
            let mut wallet = place.open(terminal)?;
            let added = wallet.add_trust(&pem)?;
            terminal.answer(&serde_json::json!({ "added": added, "anchors": wallet.anchors().len() }))
        }
        Trust::List { place } => {
            let wallet = place.open(terminal)?;
            terminal.answer(&answer::list(wallet.anchors().iter().map(answer::anchor)))
        }
        Trust::Remove { id, place } => {
            let mut wallet = place.open(terminal)?;
            wallet.remove_trust(id)?;
            terminal.answer(&serde_json::json!({ "id": id, "removed": true }))
        }
    }
}

impl Terminal<'_> {
    /// Tells the holder something. Texts of peers must have gone through [`text::line`].
    fn tell(&mut self, said: &str) {
        // A reader that went away is no fault of the verb.
        let _ = self.said.write_all(text::printable(said).as_bytes());
    }

    /// Prints the answer.
    fn answer(&mut self, answer: &Value) -> Result<(), Trouble> {
        let printed = if self.json { text::json(answer) } else { answer::table(answer) };
        match self.out.write_all(printed.as_bytes()).and_then(|()| self.out.flush()) {
            // A reader that went away (`| head`) is no fault of the verb.
            Err(fault) if fault.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Trouble::of(&page::STORAGE, fault.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Asks for a yes; `--yes` gives it.
    fn agrees(&mut self, question: &str) -> Result<bool, Trouble> {
        if self.yes {
            return Ok(true);
        }
        let typed = self.question(&format!("{question} [y/N] "))?.unwrap_or_default();
        Ok(matches!(typed.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    fn question(&mut self, question: &str) -> Result<Option<String>, Trouble> {
        self.tell(question);
        let _ = self.said.flush();
        let typed = (self.ask)();
        if typed.is_none() {
            self.tell("\n");
        }
        let typed = typed
            .ok_or_else(|| Trouble::of(&page::USAGE, "nobody can be asked here; --yes answers questions"))?;
        Ok(Some(typed.trim().to_owned()))
    }

    fn clock(&self) -> Option<Clock> {
        self.clock.map(|clock| Box::new(clock) as Clock)
    }
}

/// A line that somebody types; none when stdin is no terminal.
fn line_of_stdin() -> Option<String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return None;
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).ok().map(|_| line)
}
