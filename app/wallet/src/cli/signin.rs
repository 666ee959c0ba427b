//! The verbs of sign-in: enrol this device, decide on a sign-in with the page in sight, and add a passkey beside it.

use super::{Place, Terminal, Trouble, answer, place};
use crate::engine::{
    Claimed, DoorFault, EnrolError, EnrolmentSummary, SigninError, TYPINGS_MAX, browser_proves,
};
use crate::page;
use crate::record::SigninRecord;
use crate::text::line;
use seal::code::claim::Proved;
use seal::code::response::DenyReason;
use seal::scope::Scopes;
use serde_json::{Value, json};
use std::path::PathBuf;

/// First byte of a visible digital seal, as a scanner gives it.
const SEAL_MAGIC: u8 = 0xDC;

/// Arguments of `wallet enrol`.
#[derive(Clone, Debug, clap::Args)]
pub struct Enrol {
    /// The identity provider: a tenant's address as https://HOST/t/NAME, or an invite's link
    #[arg(value_name = "URI")]
    pub uri: String,
    /// The document seal that anchors the enrolment: its bytes, or base64url as the API gives it
    #[arg(long, value_name = "FILE")]
    pub document_seal: Option<PathBuf>,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet approve`.
#[derive(Clone, Debug, clap::Args)]
pub struct Approve {
    /// The link of the page's QR code; without one, or as `next`, the sign-in that waits
    #[arg(value_name = "URI", default_value = "next")]
    pub uri: String,
    /// Read the code that the page shows from standard input
    #[arg(long, value_name = "-", value_parser = ["-"])]
    pub code: Option<String>,
    /// Let the service have these (identity:age_over_18,offline_access) and nothing else; else each is asked
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', conflicts_with = "deny")]
    pub grant: Option<Vec<String>>,
    /// Refuse, and sign that
    #[arg(long)]
    pub deny: bool,
    /// Refuse, and say that you did not begin this sign-in: the page's handle start is locked for a day
    #[arg(long, conflicts_with = "deny", conflicts_with = "grant")]
    pub not_me: bool,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet passkey`.
#[derive(Clone, Debug, clap::Args)]
pub struct AddPasskey {
    /// The identity provider: a tenant's address as https://HOST/t/NAME
    #[arg(value_name = "URI")]
    pub uri: String,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

pub(super) fn enrol(args: &Enrol, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let document = args.document_seal.as_deref().map(place::read_bytes).transpose()?.map(seal_bytes);
    let document = document.transpose()?;
    let mut wallet = args.place.open(terminal)?;
    terminal.tell(&format!("enrols at   {}\n", line(&args.uri)));
    terminal.tell("keys        two software keys, kept in this wallet's file\n");
    terminal.tell("pins        whoever answers there now: the address must come from somebody you trust\n");
    if !terminal.agrees("enrol this device?")? {
        return Err(Trouble::of(&page::DECLINED, "you said no"));
    }
    let enrolled = wallet.enrol(&args.uri, document.as_deref())?;
    terminal.answer(&summary(&enrolled))
}

pub(super) fn approve(args: &Approve, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let mut wallet = args.place.open(terminal)?;
    let claimed = if args.uri == "next" { wallet.claim_next()? } else { wallet.claim(&args.uri)? };
    terminal.tell(&told(&claimed));
    if args.deny || args.not_me {
        let reason = if args.not_me { DenyReason::NotMe } else { DenyReason::User };
        return ended(&wallet.deny(&claimed, reason)?, terminal);
    }
    let Some(code) = typed_code(args, &claimed, terminal)? else {
        let decided = wallet.deny(&claimed, DenyReason::CodeMismatch)?;
        terminal.tell(
            "the code is not the one of this sign-in: refused, and signed so. The page may be a fake.\n",
        );
        return ended(&decided, terminal);
    };
    let granted = match &args.grant {
        Some(names) => Scopes::expand(&names.join(" "))
            .map_err(|fault| Trouble::of(&page::USAGE, format!("--grant: {fault}")))?,
        None => chosen(&claimed, terminal)?,
    };
    if args.grant.is_none() && !terminal.agrees("sign in?")? {
        return ended(&wallet.deny(&claimed, DenyReason::User)?, terminal);
    }
    ended(&wallet.approve(&claimed, &code, &granted)?, terminal)
}

pub(super) fn passkey(args: &AddPasskey, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let wallet = args.place.open(terminal)?;
    let link = wallet.passkey_link(&args.uri)?;
    terminal.tell("open this link yourself, in the browser that shall have the passkey: it works once, and whoever has it may use it\n");
    terminal.answer(&link.to_value())
}

/// A code that fits, within the typings that a person has; none when all were wrong.
fn typed_code(
    args: &Approve,
    claimed: &Claimed,
    terminal: &mut Terminal<'_>,
) -> Result<Option<String>, Trouble> {
    for _ in 0..TYPINGS_MAX {
        let typed = match args.code {
            Some(_) => place::line_of_input()?,
            None => terminal.question("code that the page shows: ")?,
        };
        let Some(typed) = typed else { return Ok(None) };
        if claimed.code_fits(&typed) {
            return Ok(Some(typed));
        }
        terminal.tell("that is not it\n");
    }
    Ok(None)
}

/// One question a scope.
fn chosen(claimed: &Claimed, terminal: &mut Terminal<'_>) -> Result<Scopes, Trouble> {
    let mut granted = Vec::new();
    for scope in claimed.choices().iter() {
        if terminal.agrees(&format!("let it have {scope}?"))? {
            granted.push(scope);
        }
    }
    Ok(Scopes::from_iter(granted))
}

fn told(claimed: &Claimed) -> String {
    let claim = claimed.claim();
    let mut told = String::new();
    let mut say = |name: &str, value: &str| told.push_str(&format!("{name:<11} {}\n", line(value)));
    say("service", &claim.service.legal_name);
    say("at", &claim.context.rp_origin);
    say(
        "proved",
        match claim.proved {
            Proved::RequestObject => "it signed this very request",
            Proved::ClientAssertion => "it signed that it is there",
            Proved::Nothing => "nothing itself; the operator vouches",
        },
    );
    say("browser", &claim.browser);
    if browser_proves(claim) {
        say("", "and the browser must prove itself with a passkey");
    }
    if !claim.purpose.is_empty() {
        say("purpose", &claim.purpose);
    }
    for scope in claimed.choices().iter() {
        say("asks for", scope.as_str());
    }
    say("gets never", "your device key, your handle, this wallet's name");
    told
}

fn ended(decided: &crate::engine::Decided, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let granted: Vec<&str> = decided.granted.iter().map(seal::scope::Scope::as_str).collect();
    terminal.answer(&json!({ "outcome": decided.outcome, "reason": decided.reason, "granted": granted }))?;
    match decided.outcome.as_str() {
        "approved" => Ok(()),
        "denied" => Err(Trouble::of(&page::SIGNIN_DENIED, "it was refused with your signature")),
        _ => {
            Err(Trouble::of(&page::SIGNIN_FAILED, format!("the identity provider says: {}", decided.reason)))
        }
    }
}

fn summary(enrolled: &EnrolmentSummary) -> Value {
    json!({
        "issuer": enrolled.issuer,
        "handle": enrolled.handle,
        "device": enrolled.device,
        "keys": "software keys",
        "assurance": enrolled.assurance,
        "expires_at": enrolled.expires_at.to_string(),
        "waits_until": enrolled.waits_until.map(|at| at.to_string()),
        "sign_ins": if enrolled.pushes { "pushed over the relay" } else { "asked for" },
    })
}

/// A line of `wallet history`.
pub(super) fn history(entry: &SigninRecord) -> Value {
    json!({
        "at": entry.at().to_string(),
        "outcome": entry.outcome,
        "answered_to": entry.origin,
        "verifier": entry.service,
        "client_id": entry.issuer,
        "shown": entry.granted,
    })
}

/// Bytes of a seal in a file: as scanned, or in base64url.
fn seal_bytes(file: Vec<u8>) -> Result<Vec<u8>, Trouble> {
    if file.first() == Some(&SEAL_MAGIC) {
        return Ok(file);
    }
    let text = std::str::from_utf8(&file).unwrap_or_default().trim();
    crypto::base64::url_decode(text)
        .ok()
        .filter(|bytes| bytes.first() == Some(&SEAL_MAGIC))
        .ok_or_else(|| Trouble::of(&page::USAGE, "--document-seal: no seal is in this file"))
}

impl From<EnrolError> for Trouble {
    fn from(fault: EnrolError) -> Self {
        let page = match fault {
            EnrolError::Door(fault) => return fault.into(),
            EnrolError::Wallet(fault) => return fault.into(),
            EnrolError::Address(_) | EnrolError::DocumentNeeded | EnrolError::Already(_) => &page::USAGE,
            EnrolError::Full => &page::FULL,
            EnrolError::OtherIssuer(_) | EnrolError::Agree(_) => &page::SIGNIN_REJECTED,
        };
        Self::of(page, fault.to_string())
    }
}

impl From<SigninError> for Trouble {
    fn from(fault: SigninError) -> Self {
        let page = match fault {
            SigninError::Door(fault) => return fault.into(),
            SigninError::Wallet(fault) => return fault.into(),
            SigninError::NotEnrolled | SigninError::NothingWaits | SigninError::NotAsked(_) => &page::USAGE,
            SigninError::Refused(_) | SigninError::Agree(_) => &page::SIGNIN_REJECTED,
            SigninError::Code => &page::SIGNIN_DENIED,
            SigninError::Answer(_) => &page::FAULT,
        };
        Self::of(page, fault.to_string())
    }
}

impl From<DoorFault> for Trouble {
    fn from(fault: DoorFault) -> Self {
        let page = match fault {
            DoorFault::Http(fault) => return fault.into(),
            DoorFault::Refused { status, .. } if status >= 500 => &page::UNREACHABLE,
            DoorFault::Refused { .. } => &page::PEER_REFUSED,
            DoorFault::Vault(fault) => return fault.into(),
            DoorFault::Keys(_) => &page::KEYS_BROKEN,
            DoorFault::Reply(_) | DoorFault::Form(_) => &page::SIGNIN_REJECTED,
            DoorFault::Sign(_) => &page::FAULT,
        };
        Self::of(page, fault.to_string())
    }
}

/// Lines of history of both kinds, newest first.
pub(super) fn merged(shown: Vec<Value>, signed_in: &[SigninRecord]) -> Value {
    let mut all: Vec<Value> = shown.into_iter().chain(signed_in.iter().map(history)).collect();
    all.sort_by(|a, b| b["at"].as_str().cmp(&a["at"].as_str()));
    answer::list(all)
}
