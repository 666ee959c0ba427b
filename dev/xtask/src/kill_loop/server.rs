//! The process under test: started, waited for, killed; ours alone, by its own handle.

use super::client::{Client, agent, get_plain};
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A start that takes longer has failed.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Between two questions while it starts.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// Where one run lives.
pub(crate) struct Place {
    pub(crate) binary: PathBuf,
    pub(crate) data: PathBuf,
    home: PathBuf,
    log: PathBuf,
    port: u16,
}

impl Place {
    pub(crate) fn new(binary: &Path, folder: &Path) -> Result<Self, String> {
        let home = folder.join("home");
        fs::create_dir_all(&home).map_err(|fault| fault.to_string())?;
        // A port that is free now; the process takes the same one at every start, as its public URL names it.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(|fault| fault.to_string())?.port();
        let (data, log) = (folder.join("data"), folder.join("server.log"));
        Ok(Self { binary: binary.to_owned(), data, home, log, port })
    }

    pub(crate) fn base(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The program, in a home of its own.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", self.home.join("config"))
            .env("XDG_DATA_HOME", self.home.join("share"))
            .stdin(Stdio::null());
        command
    }

    fn log(&self) -> Result<File, String> {
        OpenOptions::new().create(true).append(true).open(&self.log).map_err(|fault| fault.to_string())
    }
}

/// A running process. Dropped, it is killed: none outlives the run.
pub(crate) struct Server<'a> {
    place: &'a Place,
    child: Child,
    started: Instant,
}

impl<'a> Server<'a> {
    pub(crate) fn start(place: &'a Place) -> Result<Self, String> {
        let log = place.log()?;
        let mut command = place.command();
        command.args(["serve", "--dev", "--port", &place.port.to_string(), "--data"]).arg(&place.data);
        command.stdout(Stdio::null()).stderr(log);
        let child = command.spawn().map_err(|fault| format!("the program cannot be started: {fault}"))?;
        Ok(Self { place, child, started: Instant::now() })
    }

    /// Waits until `/readyz` says ok and the client of `--dev` is there; how long the first took from the start.
    pub(crate) fn wait_ready(&mut self) -> Result<Duration, String> {
        let (agent, url) = (agent(), format!("{}/readyz", self.place.base()));
        let mut ready = None;
        let mut last = String::new();
        while self.started.elapsed() < READY_WITHIN {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the program ended with {status} instead of serving: {}", self.tail()));
            }
            match get_plain(&agent, &url) {
                Some((200, _)) => {
                    let took = *ready.get_or_insert_with(|| self.started.elapsed());
                    if self.place.data.join("dev-client").is_file() {
                        return Ok(took);
                    }
                }
                Some((status, text)) => last = format!("{status} {text}"),
                None => {}
            }
            std::thread::sleep(ASK_EVERY);
        }
        Err(format!("not ready within {} s: {last} {}", READY_WITHIN.as_secs(), self.tail()))
    }

    /// A client with a token of this process.
    pub(crate) fn client(&self) -> Result<Client, String> {
        let path = self.place.data.join("dev-client");
        let mut fault = String::new();
        // The file stands before the account answers by some milliseconds, and is written in one move.
        while self.started.elapsed() < READY_WITHIN {
            let text = fs::read_to_string(&path).unwrap_or_default();
            match text.trim().split_once(' ').map(|(id, secret)| Client::open(&self.place.base(), id, secret))
            {
                Some(Ok(client)) => return Ok(client),
                Some(Err(why)) => fault = why,
                None => fault = format!("{} is not whole", path.display()),
            }
            std::thread::sleep(ASK_EVERY * 10);
        }
        Err(fault)
    }

    /// SIGKILL to this child, and waits for its end.
    pub(crate) fn kill(mut self) -> Result<(), String> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(format!("the program ended by itself with {status}: {}", self.tail()));
        }
        self.child.kill().and_then(|()| self.child.wait()).map_err(|fault| fault.to_string())?;
        Ok(())
    }

    /// The last lines that the process wrote.
    fn tail(&self) -> String {
        let text = fs::read_to_string(&self.place.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
