//! The verb of pushes: how the sign-ins of each identity provider come.

use super::{Place, Terminal, Trouble, answer};
use crate::engine::Wallet;
use crate::engine::relay::{Membership, PushError, Pushed, shown_id};
use crate::http::host_of;
use crate::page;
use crate::text::line;
use serde_json::{Value, json};

/// How sign-ins come.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Push {
    /// Have sign-ins pushed over the relay network that this wallet is a member of
    On {
        /// The identity provider, as https://HOST/t/NAME; without it all that push over this network
        #[arg(value_name = "URI")]
        uri: Option<String>,
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
    /// Ask for sign-ins instead
    Off {
        /// The identity provider; without it all
        #[arg(value_name = "URI")]
        uri: Option<String>,
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
    /// List how the sign-ins of each identity provider come
    List {
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
}

pub(super) fn push(verb: &Push, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let wallet = match verb {
        Push::On { uri, place } => {
            let mut wallet = place.open(terminal)?;
            let mut mailbox = wallet.mailbox()?;
            terminal.tell(
                "while this wallet is online it takes part in fast rounds: some 30 kB a minute, and the relay sees that it does\n",
            );
            wallet.push_on(&mut mailbox, uri.as_deref())?;
            wallet
        }
        Push::Off { uri, place } => {
            let mut wallet = place.open(terminal)?;
            let mut mailbox = wallet.mailbox()?;
            wallet.push_off(&mut mailbox, uri.as_deref())?;
            wallet
        }
        Push::List { place } => place.open(terminal)?,
    };
    terminal.answer(&answer::list(states(&wallet)?))
}

fn states(wallet: &Wallet) -> Result<Vec<Value>, Trouble> {
    let state = |one: crate::engine::relay::PushState| {
        json!({
            "issuer": one.issuer,
            "sign_ins": if one.contact.is_some() { "pushed over the relay" } else { "asked for" },
            "contact": one.contact.map(shown_id),
        })
    };
    Ok(wallet.push_states()?.into_iter().map(state).collect())
}

/// What pushes leave visible, for `wallet privacy`.
pub(super) fn told(wallet: &Wallet, membership: &Membership) -> Result<Value, Trouble> {
    let domains = membership.manifest.manifest().trust_domains();
    let seen = |issuer: &str| match domains {
        1 if host_of(issuer) == host_of(&membership.url) => {
            "operator can correlate by time: one operator runs the identity provider and the relay"
        }
        1 => "the operators of the identity provider and of the relay, together, can correlate by time",
        _ => "not by any one operator of a relay",
    };
    let pushed = wallet.push_states()?.into_iter().filter(|one| one.contact.is_some());
    Ok(pushed.map(|one| json!({ "issuer": one.issuer, "who_signs_in_when": seen(&one.issuer) })).collect())
}

/// One line of a push that came.
pub(super) fn said(pushed: &Pushed) -> String {
    match &pushed.signin {
        Ok(signin) => {
            let rp = if signin.rp.is_empty() { "a service" } else { &signin.rp };
            format!(
                "a sign-in at {} waits until {}: tessera wallet approve {}",
                line(rp),
                signin.expires_at,
                line(&signin.claim_uri)
            )
        }
        Err(refusal) => format!("a push of {} was refused: {refusal}", line(&pushed.issuer)),
    }
}

impl From<PushError> for Trouble {
    fn from(fault: PushError) -> Self {
        let page = match fault {
            PushError::Relay(fault) => return fault.into(),
            PushError::Provider(fault) => return fault.into(),
            PushError::NotEnrolled(_) => &page::USAGE,
            PushError::NotOffered(_) => &page::NOT_A_MEMBER,
        };
        Self::of(page, fault.to_string())
    }
}
