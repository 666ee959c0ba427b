//! The program under test, in a home of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A passphrase for every wallet of a run; it protects nothing.
pub(super) const PASSPHRASE: &str = "a specimen passphrase";

/// Where a program runs.
pub(super) struct Home {
    binary: PathBuf,
    pub(super) folder: PathBuf,
}

/// A child that ends with its owner.
pub(super) struct Running(pub(super) Child);

impl Home {
    pub(super) fn new(binary: &Path, folder: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&folder).map_err(|fault| fault.to_string())?;
        Ok(Self { binary: binary.to_owned(), folder })
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .env("HOME", &self.folder)
            .env("XDG_CONFIG_HOME", self.folder.join("config"))
            .env("XDG_DATA_HOME", self.folder.join("share"))
            .env("TESSERA_WALLET_PASSPHRASE", PASSPHRASE)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .args(args);
        command
    }

    /// Runs a verb to its end; what it printed, as JSON where it is.
    pub(super) fn does(&self, args: &[&str]) -> Result<serde_json::Value, String> {
        let output = self.command(args).output().map_err(|fault| fault.to_string())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("tessera {}: {said}", args.join(" ")));
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap_or(serde_json::Value::Null))
    }

    /// Starts a relay; what it said, once it serves.
    pub(super) fn serves(&self, args: &[&str]) -> Result<(Running, String), String> {
        let child = self.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|fault| fault.to_string())?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no stderr")?);
        let (mut said, running) = (String::new(), Running(child));
        // The warning is the last line of a start.
        while !said.contains(" Warning ") {
            if lines.read_line(&mut said).map_err(|fault| fault.to_string())? == 0 {
                return Err(format!("the relay ended: {said}"));
            }
        }
        let log = self.folder.join("relay.log");
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = lines.read_to_end(&mut rest);
            let _ = fs::write(log, rest);
        });
        Ok((running, said))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What stands behind a word at the beginning of a line that was said.
pub(super) fn line_of<'a>(said: &'a str, word: &str) -> Result<&'a str, String> {
    let found = said.lines().find_map(|line| line.trim().strip_prefix(word));
    found.map(str::trim).ok_or_else(|| format!("no line says {word}: {said}"))
}

/// A port of loopback that is free now.
pub(super) fn free_port() -> Result<u16, String> {
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    Ok(free.map_err(|fault| fault.to_string())?.port())
}
