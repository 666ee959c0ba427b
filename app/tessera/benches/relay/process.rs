//! Processes under measure: the relay as its manual starts it, and how much CPU time a process has had.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ticks of the system's clock in a second: what `/proc` counts in on Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// A process that ends with its owner.
pub(super) struct Process(pub(super) Child);

impl Process {
    /// CPU seconds so far, user and system.
    pub(super) fn cpu_s(&self) -> f64 {
        cpu_s(self.0.id())
    }
}

/// CPU seconds that a process has had, user and system; zero where there is no `/proc`.
pub(super) fn cpu_s(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| after_name.split(' ').nth(field).and_then(|text| text.parse::<f64>().ok());
    (ticks(12).unwrap_or(0.0) + ticks(13).unwrap_or(0.0)) / TICKS_A_SECOND
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a relay of a development network on a free port.
pub(super) fn relay(home: &Path, round_ms: u64, clients_max: usize) -> (Process, u16) {
    let (round, clients) = (format!("{round_ms}ms"), clients_max.to_string());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .args(["relay", "serve", "--dev", "--port", "0", "--fast-round", "0"])
        .args(["--round", &round, "--clients-max", &clients])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is built");
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().expect("piped above"));
    while !said.contains(" Warning ") {
        assert!(lines.read_line(&mut said).expect("a line") > 0, "the relay ended: {said}");
    }
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    let address = said.split("plain http on ").nth(1).and_then(|rest| rest.lines().next());
    let port =
        address.and_then(|address| address.rsplit(':').next()).and_then(|port| port.trim().parse().ok());
    (Process(child), port.expect("it says where"))
}

/// The body of a GET.
pub(super) fn get(port: u16, path: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    write!(socket, "GET {path} HTTP/1.0\r\nhost: localhost:{port}\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("it answers");
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    answer.split_off(head + 4)
}
