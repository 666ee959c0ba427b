//! A serving process of the binary under test, and a plain client of it. Every wait is for a line, an answer or an end.

use crate::program::tessera;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// No start, stop or answer of a debug build takes so long, whatever else the machine does.
pub const WITHIN: Duration = Duration::from_secs(90);

/// A server of `--dev` on a free port. Dropped, it is killed.
pub struct Served {
    child: Child,
    lines: Mutex<Receiver<String>>,
    /// `http://localhost:PORT`
    pub base: String,
    /// The one-time link of the first owner.
    pub first_link: String,
    told: Vec<String>,
}

/// What came back.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body as text.
    pub text: String,
    /// The body as JSON, or null.
    pub json: Value,
}

impl Answer {
    /// The `code` of a problem.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }
}

/// `tessera serve --dev --data DATA --port 0`.
pub fn serve(home: &Path, data: &Path) -> Command {
    let mut command = tessera(home);
    command.args(["serve", "--dev", "--port", "0", "--data"]).arg(data);
    command
}

impl Served {
    /// Starts the server and waits until it says where it is.
    pub fn start(home: &Path, data: &Path) -> Self {
        Self::of(serve(home, data)).unwrap_or_else(|told| panic!("it did not serve:\n{told}"))
    }

    /// Starts a command that serves; what it told if it ended instead.
    pub fn of(mut command: Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        let mut served = Self {
            child,
            lines: Mutex::new(lines),
            base: String::new(),
            first_link: String::new(),
            told: Vec::new(),
        };
        // The line about the context is the first that is written once everything stands.
        while served.base.is_empty() {
            let Some(line) = served.line() else { return Err(served.told.join("\n")) };
            if let Some(address) = line.trim().strip_prefix("Ready") {
                served.base = address.trim().trim_end_matches("/readyz").to_owned();
            }
        }
        Ok(served)
    }

    /// The next line of stderr; `None` at its end.
    fn line(&mut self) -> Option<String> {
        let line = self.lines.get_mut().unwrap().recv_timeout(WITHIN).ok()?;
        self.told.push(line.clone());
        Some(line)
    }

    /// Its process id.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// SIGTERM; how it ended and all that it told on stderr.
    pub fn stop(mut self) -> (ExitStatus, String) {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).unwrap();
        while self.line().is_some() {}
        (self.child.wait().unwrap(), self.told.join("\n"))
    }

    /// Spends the first owner's link; the session's token.
    pub fn session(&mut self, data: &Path) -> String {
        while self.first_link.is_empty() {
            let line = self.line().expect("the first link is told");
            if let Some(link) = line.trim().strip_prefix("First link ") {
                self.first_link = link.trim().to_owned();
            }
        }
        assert_eq!(fs::read_to_string(data.join("first-link")).unwrap(), self.first_link);
        let answer = agent().post(&self.first_link).header("accept", "application/json").send("");
        let answer = read(answer.unwrap());
        answer.json["session_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
    }

    /// GET by an operator inside the tenant `default`.
    pub fn get(&self, path: &str, bearer: &str) -> Answer {
        self.get_in(Some("default"), path, bearer)
    }

    /// GET by an operator inside this tenant, or at home.
    pub fn get_in(&self, tenant: Option<&str>, path: &str, bearer: &str) -> Answer {
        let request = inside(tenant, agent().get(format!("{}{path}", self.base)));
        read(request.header("authorization", format!("Bearer {bearer}")).call().unwrap())
    }

    /// POST by an operator inside the tenant `default`.
    pub fn post(&self, path: &str, bearer: &str, body: &Value) -> Answer {
        self.post_in(Some("default"), path, bearer, body)
    }

    /// POST by an operator inside this tenant, or at home.
    pub fn post_in(&self, tenant: Option<&str>, path: &str, bearer: &str, body: &Value) -> Answer {
        let request = inside(tenant, agent().post(format!("{}{path}", self.base)));
        let request = request.header("authorization", format!("Bearer {bearer}"));
        read(request.content_type("application/json").send(body.to_string()).unwrap())
    }

    /// POST of a form, without a token.
    pub fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        read(agent().post(format!("{}{path}", self.base)).send_form(form.iter().copied()).unwrap())
    }

    /// GET without a token.
    pub fn public(&self, path: &str) -> Answer {
        read(agent().get(format!("{}{path}", self.base)).call().unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn inside<B>(tenant: Option<&str>, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
    match tenant {
        Some(tenant) => request.header("tessera-tenant", tenant),
        None => request,
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
    config.timeout_global(Some(WITHIN)).build().into()
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> Answer {
    let status = answer.status().as_u16();
    let mut text = String::new();
    answer.body_mut().as_reader().take(8 << 20).read_to_string(&mut text).unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, text, json }
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
