//! Starts `tessera relay serve` and asks it over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest that a test waits for anything: far above what any machine takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A relay that runs until it is dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) port: u16,
    /// What it said until it was ready.
    pub(crate) said: String,
}

impl Served {
    pub(crate) fn start(home: &Path, flags: &[&str]) -> Served {
        let mut child = command(home, flags).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        // The warning is the last line of a start.
        while !said.contains(" Warning ") {
            let read = lines.read_line(&mut said).unwrap();
            assert!(read > 0, "the relay ended: {said}");
        }
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let address = said.split("plain http on ").nth(1).unwrap().lines().next().unwrap();
        let port = address.rsplit(':').next().unwrap().trim().parse().unwrap();
        Served { child, port, said }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A start that is refused: exit code and words.
pub(crate) fn refused(home: &Path, flags: &[&str]) -> (Option<i32>, String) {
    let output = command(home, flags).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn command(home: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.env_clear().env("HOME", home).current_dir(home).args(["relay", "serve"]).args(flags);
    command
}

/// A GET; status and body.
pub(crate) fn http(port: u16, path: &str) -> (u16, Vec<u8>) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(socket, "GET {path} HTTP/1.0\r\nhost: localhost:{port}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.split_off(head + 4))
}

/// Asks again until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}
