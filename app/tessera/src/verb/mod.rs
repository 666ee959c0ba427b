//! The administrative verbs: each reads its flags, makes one call of the HTTP API, prints the answer.
//!
//! ```text
//! flags ──► Session { client, format } ──► /api/v1 ──► output::print
//! ```

pub mod context;
pub mod credential;
pub mod credential_type;
pub mod document_seal;
pub mod enrolment;
pub mod key;
pub mod ledger;
pub mod login;
pub mod offer;
pub mod operator;
pub mod relay;
pub mod relying_party;
pub mod service_account;
pub mod signin;
pub mod status_list;
pub mod tenant;
pub mod trust_anchor;
pub mod trust_list;
pub mod verification;

use crate::cli::Common;
use crate::client::Client;
use crate::context as contexts;
use crate::failure::Failure;
use crate::output::{self, Format};
use clap::Args;
use serde_json::Value;
use std::io::Read;
use std::time::Duration;

/// What a file or standard input may hold for one request: the API's own body bound.
const INPUT_BYTES_MAX: u64 = 1 << 20;

/// An open connection and how to print what it answers.
pub struct Session {
    /// The client, authorised.
    pub client: Client,
    /// The format asked for.
    pub format: Format,
    /// Whether questions are answered with yes.
    pub yes: bool,
}

/// Options of every list.
#[derive(Args, Clone)]
pub struct Page {
    /// How many items, at most 200
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// The cursor that the page before printed as `next`
    #[arg(long)]
    after: Option<String>,
}

/// Options of every write.
#[derive(Args, Clone)]
pub struct Write {
    /// Makes a repetition of this very call safe (1–64 characters)
    #[arg(long)]
    idempotency_key: Option<String>,
}

impl Session {
    /// Opens the connection that the common options name.
    pub fn open(common: &Common) -> Result<Self, Failure> {
        let timeout = Duration::from_secs(common.timeout_s);
        let client = match (&common.url, &common.token_file) {
            (Some(url), Some(file)) => {
                let token = read_secret(file)?;
                Client::anonymous(url, None, timeout)?.with_bearer(token.trim())
            }
            _ => Client::open(&contexts::load(common.context.as_deref())?, timeout)?,
        };
        let client = client.in_tenant(common.tenant.as_deref());
        Ok(Self { client, format: common.output, yes: common.yes })
    }

    fn show(&self, answer: &Value) -> Result<(), Failure> {
        output::print(self.format, answer);
        Ok(())
    }

    fn list(&self, path: &str, page: &Page) -> Result<(), Failure> {
        let mut query = format!("{path}{}limit={}", if path.contains('?') { '&' } else { '?' }, page.limit);
        if let Some(after) = &page.after {
            query.push_str(&format!("&after={}", encoded(after)));
        }
        let answer = self.client.get(&query)?;
        if let (Format::Table, Some(next)) = (self.format, answer.get("next").and_then(Value::as_str)) {
            output::print(self.format, &answer);
            eprintln!("more: --after {}", output::printable(next));
            return Ok(());
        }
        self.show(&answer)
    }

    fn post(&self, path: &str, body: &Value, write: &Write) -> Result<(), Failure> {
        let sent = crate::client::Sent { idempotency_key: write.idempotency_key.as_deref() };
        self.show(&self.client.post(path, body, sent)?)
    }

    /// Asks before something that cannot be undone; `--yes` answers.
    fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        eprint!("{question} [y/N] ");
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        if read.is_ok() && line.trim().eq_ignore_ascii_case("y") {
            return Ok(());
        }
        Err(Failure::usage("not confirmed", "answer y, or give --yes"))
    }
}

/// Percent-encodes one path segment or query value.
pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Reads a file, or standard input for `-`, bounded.
pub fn read_input(file: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let fault = |fault: std::io::Error| {
        Failure::usage(format!("{file} cannot be read: {fault}"), "name a file, or - for standard input")
    };
    match file {
        "-" => std::io::stdin().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fault)?,
        path => std::fs::File::open(path)
            .map_err(fault)?
            .take(INPUT_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(fault)?,
    };
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        return Err(Failure::usage(format!("{file} is larger than {INPUT_BYTES_MAX} bytes"), "send less"));
    }
    Ok(bytes)
}

/// Reads a JSON file.
pub fn read_json(file: &str) -> Result<Value, Failure> {
    serde_json::from_slice(&read_input(file)?).map_err(|fault| {
        Failure::usage(format!("{file} is not JSON: {fault}"), "mend the file at that place")
    })
}

/// Reads a secret: a file that others may read is refused.
pub fn read_secret(file: &str) -> Result<String, Failure> {
    use std::os::unix::fs::PermissionsExt;
    if file != "-" {
        let mode = std::fs::metadata(file).map(|m| m.permissions().mode()).unwrap_or(0);
        if mode & 0o077 != 0 {
            return Err(Failure::usage(
                format!("{file} may be read by others (mode {:o})", mode & 0o777),
                format!("chmod 600 {file}"),
            ));
        }
    }
    String::from_utf8(read_input(file)?)
        .map_err(|_| Failure::usage(format!("{file} is not text"), "give the token alone"))
}
