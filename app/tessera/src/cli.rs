//! The command line: nouns, verbs and common options, as `experience.md` registers them. `--help` teaches.

use crate::demo;
use crate::output::Format;
use crate::verb::{
    context, credential, credential_type, document_seal, enrolment, key, ledger, login, offer, operator,
    relay, relying_party, service_account, signin, status_list, tenant, trust_anchor, trust_list,
    verification,
};
use crate::{doctor, init, serve};
use clap::{Args, Parser, Subcommand};

/// Two-word nouns that may be typed with a space.
pub const TWO_WORD_NOUNS: [(&str, &str); 6] = [
    ("service", "account"),
    ("credential", "type"),
    ("status", "list"),
    ("trust", "anchor"),
    ("trust", "list"),
    ("relying", "party"),
];

/// Self-hosted trust infrastructure: keys, credentials, and a ledger that outsiders verify.
#[derive(Parser)]
#[command(name = "tessera", version, about, max_term_width = 110, arg_required_else_help = true)]
pub struct Cli {
    /// Common options.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub noun: Noun,
}

/// Options of every verb.
#[derive(Args, Clone)]
pub struct Common {
    /// Which server: a name of `tessera context list`
    #[arg(long, global = true, env = "TESSERA_CONTEXT")]
    pub context: Option<String>,
    /// The server's public URL, instead of a context (needs --token-file)
    #[arg(long, global = true, requires = "token_file")]
    pub url: Option<String>,
    /// A file (0600) that holds a bearer token; `-` reads standard input
    #[arg(long, global = true)]
    pub token_file: Option<String>,
    /// Act in this tenant (name or id); only operators of the instance may name one
    #[arg(long, global = true)]
    pub tenant: Option<String>,
    /// How answers are printed
    #[arg(long, short = 'o', global = true, value_enum, default_value = "table", env = "TESSERA_OUTPUT")]
    pub output: Format,
    /// Seconds until a request is given up
    #[arg(long, global = true, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout_s: u64,
    /// Answers questions with yes (never a failed check)
    #[arg(long, global = true)]
    pub yes: bool,
}

/// Every noun of this build.
#[derive(Subcommand)]
pub enum Noun {
    /// Play the whole story on embedded SQLite, with its attacks, and prove it from the ledger
    Demo(demo::Args),
    /// Run the server: `--dev` for one computer, `--config FILE` in production
    Serve(serve::Args),
    /// Write a commented configuration, a root key and a certificate
    Init(init::Args),
    /// Check an installation, a line a check
    Doctor(doctor::Args),
    /// Spend a one-time link and keep the operator's session for this computer
    Login(login::Args),
    /// Name the servers that verbs speak to
    #[command(subcommand)]
    Context(context::Verb),
    /// Print the OpenAPI 3.1 document of this build
    Openapi,
    /// Tenants: each with its own keys, logs and roles
    #[command(subcommand)]
    Tenant(tenant::Verb),
    /// Operators of this installation
    #[command(subcommand)]
    Operator(operator::Verb),
    /// Service accounts: programs that call the API
    #[command(subcommand, name = "service-account")]
    ServiceAccount(service_account::Verb),
    /// Signing keys: made, used and rotated; never shown
    #[command(subcommand)]
    Key(key::Verb),
    /// Kinds of credentials that this tenant issues
    #[command(subcommand, name = "credential-type")]
    CredentialType(credential_type::Verb),
    /// Offers: links that a wallet redeems once
    #[command(subcommand)]
    Offer(offer::Verb),
    /// Credentials that were issued: status, revocation; inspection of a file
    #[command(subcommand)]
    Credential(credential::Verb),
    /// Requests to wallets, and what came back
    #[command(subcommand)]
    Verification(verification::Verb),
    /// Published status lists
    #[command(subcommand, name = "status-list")]
    StatusList(status_list::Verb),
    /// Certificates that this tenant trusts, each for what
    #[command(subcommand, name = "trust-anchor")]
    TrustAnchor(trust_anchor::Verb),
    /// Lists of trusted entities: anchors in bulk
    #[command(subcommand, name = "trust-list")]
    TrustList(trust_list::Verb),
    /// Services that may ask people to sign in
    #[command(subcommand, name = "relying-party")]
    RelyingParty(relying_party::Verb),
    /// Devices that may sign their people in
    #[command(subcommand)]
    Enrolment(enrolment::Verb),
    /// How sign-ins ended
    #[command(subcommand)]
    Signin(signin::Verb),
    /// Seals by which this organisation says who somebody is
    #[command(subcommand, name = "document-seal")]
    DocumentSeal(document_seal::Verb),
    /// The tamper-evident log: read it, prove an entry, hand out read tokens (alias: audit)
    #[command(subcommand, alias = "audit")]
    Ledger(ledger::Verb),
    /// Check a log or a proof from outside: no account, no trust in the server
    #[command(subcommand)]
    Verify(verify::cli::Verify),
    /// Relays: messages whose metadata is protected, with a guarantee that outsiders can check
    #[command(subcommand)]
    Relay(relay::Verb),
    /// A holder's wallet in the terminal
    #[command(subcommand)]
    Wallet(wallet::cli::Verb),
}

/// Joins a two-word noun before clap sees it, so that `trust anchor list` is `trust-anchor list`.
pub fn joined(args: Vec<String>) -> Vec<String> {
    let is_pair = |pair: &[String]| TWO_WORD_NOUNS.iter().any(|(a, b)| pair[0] == *a && pair[1] == *b);
    let Some(at) = args.windows(2).position(is_pair) else { return args };
    let leads = args[1..at].iter().all(|word| word.starts_with('-'));
    if !leads {
        return args;
    }
    let mut joined = args;
    let second = joined.remove(at + 1);
    joined[at] = format!("{}-{second}", joined[at]);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_two_word_noun_may_be_typed_with_a_space() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(joined(words("tessera trust anchor list")), words("tessera trust-anchor list"));
        assert_eq!(
            joined(words("tessera offer create trust anchor")),
            words("tessera offer create trust anchor")
        );
    }
}
