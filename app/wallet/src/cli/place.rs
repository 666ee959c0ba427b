//! Where a wallet is and how it is opened: folder, passphrase, authorities; and the files that verbs name.

use super::{Terminal, Trouble};
use crate::engine::Wallet;
use crate::http::Client;
use crate::page;
use crypto::secret::Secret;
use std::io::{BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};

/// Holds the passphrase, where neither a file nor a person gives it.
const PASSPHRASE_VARIABLE: &str = "TESSERA_WALLET_PASSPHRASE";
/// Longest passphrase.
const PASSPHRASE_BYTES_MAX: u64 = 1024;
/// Longest line of standard input: a code.
const LINE_BYTES_MAX: u64 = 1024;
/// Longest file of certificates.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Options of every verb.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Place {
    /// The wallet's folder [default: $XDG_DATA_HOME/tessera/wallet]
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// File with the passphrase (`-`: standard input; or in TESSERA_WALLET_PASSPHRASE); else it is asked for
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Trust these authorities for https beside this machine's (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

impl Place {
    /// The wallet's folder.
    pub(super) fn home(&self) -> Result<PathBuf, Trouble> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        self.home
            .clone()
            .or_else(|| variable("XDG_DATA_HOME").map(|data| data.join("tessera/wallet")))
            .or_else(|| variable("HOME").map(|home| home.join(".local/share/tessera/wallet")))
            .ok_or_else(|| Trouble::of(&page::USAGE, "neither --home nor HOME says where the wallet is"))
    }

    /// The open wallet.
    pub(super) fn open(&self, terminal: &mut Terminal<'_>) -> Result<Wallet, Trouble> {
        let home = self.home()?;
        let client =
            Client::new(self.ca.as_deref().map(|file| read(file, FILE_BYTES_MAX)).transpose()?.as_deref())
                .map_err(|fault| Trouble::of(&page::USAGE, fault.to_string()))?;
        let passphrase = match self.given_passphrase()? {
            Some(given) => given,
            None => (terminal.passphrase)("passphrase: ").ok_or_else(no_passphrase)?,
        };
        let wallet = Wallet::open(&home, &passphrase)?.with_client(client);
        Ok(match terminal.clock() {
            Some(clock) => wallet.with_clock(clock),
            None => wallet,
        })
    }

    /// The passphrase of a new wallet, typed twice by a person.
    pub(super) fn new_passphrase(&self, terminal: &mut Terminal<'_>) -> Result<Secret<String>, Trouble> {
        let chosen = match self.given_passphrase()? {
            Some(given) => given,
            None => {
                let first = (terminal.passphrase)("new passphrase: ").ok_or_else(no_passphrase)?;
                let again = (terminal.passphrase)("once more: ").ok_or_else(no_passphrase)?;
                if !crypto::hash::equal(first.expose().as_bytes(), again.expose().as_bytes()) {
                    return Err(Trouble::of(&page::USAGE, "the two passphrases differ"));
                }
                first
            }
        };
        if chosen.expose().is_empty() {
            return Err(Trouble::of(&page::USAGE, "an empty passphrase protects nothing"));
        }
        Ok(chosen)
    }

    /// From the file, else from the environment.
    fn given_passphrase(&self) -> Result<Option<Secret<String>>, Trouble> {
        let Some(file) = &self.passphrase_file else {
            return Ok(std::env::var(PASSPHRASE_VARIABLE).ok().map(Secret::new));
        };
        let bytes = Secret::new(read(file, PASSPHRASE_BYTES_MAX)?);
        let text = std::str::from_utf8(bytes.expose()).map_err(|_| unreadable(file, "it is no text"))?;
        let line = text.strip_suffix('\n').unwrap_or(text);
        Ok(Some(Secret::new(line.strip_suffix('\r').unwrap_or(line).to_owned())))
    }
}

/// Asks a person for a passphrase without showing it.
pub(super) fn hidden(question: &str) -> Option<Secret<String>> {
    // rpassword speaks to the controlling terminal; without one nobody can be asked.
    if !std::io::stdin().is_terminal() && !std::io::stderr().is_terminal() {
        return None;
    }
    rpassword::prompt_password(question).ok().map(Secret::new)
}

/// A text file that a verb names.
pub(super) fn read_text(file: &Path) -> Result<String, Trouble> {
    String::from_utf8(read(file, FILE_BYTES_MAX)?).map_err(|_| unreadable(file, "it is no text"))
}

/// The bytes of a file that an option names.
pub(super) fn read_bytes(file: &Path) -> Result<Vec<u8>, Trouble> {
    read(file, FILE_BYTES_MAX)
}

/// The next line of standard input, which may be no terminal; none at its end.
pub(super) fn line_of_input() -> Result<Option<String>, Trouble> {
    let mut line = String::new();
    let read = std::io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line);
    let read = read.map_err(|fault| Trouble::of(&page::USAGE, format!("standard input: {fault}")))?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}

fn read(file: &Path, bytes_max: u64) -> Result<Vec<u8>, Trouble> {
    let fault = |fault: std::io::Error| unreadable(file, &fault.to_string());
    let input: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(std::fs::File::open(file).map_err(fault)?),
    };
    let mut bytes = Vec::new();
    input.take(bytes_max + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 <= bytes_max { Ok(bytes) } else { Err(unreadable(file, "it is too long")) }
}

fn unreadable(file: &Path, why: &str) -> Trouble {
    Trouble::of(&page::USAGE, format!("{}: {why}", file.display()))
}

fn no_passphrase() -> Trouble {
    Trouble::of(&page::USAGE, "no passphrase, and nobody can be asked here; give --passphrase-file")
}
