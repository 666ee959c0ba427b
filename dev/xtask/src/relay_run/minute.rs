//! Rounds of a minute: the command line of the manual, two wallets by their verbs, and how long a letter takes.

use super::program::{Home, Running, free_port, line_of};
use super::{Order, at, disk};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// T.
const ROUND: Duration = Duration::from_secs(60);
/// A letter that takes longer has missed the goal.
const GOAL: Duration = Duration::from_secs(140);
/// A letter that takes longer is lost.
const LOST: Duration = Duration::from_secs(600);
/// Rounds within which two wallets become contacts: about six are needed.
const ENROL_ROUNDS_MAX: u32 = 20;
/// What every letter begins with: it must not stand on the relay's disk.
const MARK: &str = "specimen minute";

/// A wallet whose `receive --follow` runs.
struct Online<'a> {
    home: &'a Home,
    _following: Running,
    letters: Receiver<(Instant, String)>,
}

pub(super) fn run(order: &Order, folder: &Path) -> Result<Vec<String>, String> {
    if order.minutes == 0 {
        return Ok(vec!["left out".to_owned()]);
    }
    let relay = Home::new(&order.binary, folder.join("relay"))?;
    let (ana, bo) =
        (Home::new(&order.binary, folder.join("ana"))?, Home::new(&order.binary, folder.join("bo"))?);
    let port = free_port()?.to_string();
    let store = relay.folder.join("store");
    let storage = format!("sqlite://{}/relay.db", store.display());
    let seed = ["relay", "run", "--port", &port, "--storage", &storage];
    let cover = ["--cover-traffic-epsilon", "0.1", "--cover-traffic-delta", "1e-6"];
    let (running, said) = relay.serves(&[&seed[..], &cover].concat())?;
    for (home, name) in [(&ana, "Ana"), (&bo, "Bo")] {
        home.does(&["wallet", "init"]).map_err(|fault| format!("{name}: {fault}"))?;
    }
    ana.does(&["wallet", "join", line_of(&said, "Member")?, "--name", "Ana-of-the-minutes"])?;
    let invite = ana.does(&["wallet", "invite", "-o", "json"])?;
    let link = invite["link"].as_str().ok_or("no invite")?;
    bo.does(&["wallet", "join", link, "--name", "Bo-of-the-minutes", "--yes"])?;
    let (ana, bo) = (Online::new(&ana)?, Online::new(&bo)?);
    let began = Instant::now();
    until_contacts(&ana, &bo, began)?;
    let enrolled = began.elapsed();
    println!("minute: contacts after {} s", enrolled.as_secs());
    let mut waits = Vec::new();
    for number in 0..order.minutes {
        // Letters are written at any moment of a round, not at its beginning; both people write at once.
        std::thread::sleep(ROUND * u32::try_from(number % 7).unwrap_or(0) / 7);
        let (to_bo, to_ana) = (
            Letter::send(&ana, "Bo-of-the-minutes", number)?,
            Letter::send(&bo, "Ana-of-the-minutes", number)?,
        );
        waits.extend([to_bo.comes(&bo)?, to_ana.comes(&ana)?]);
        let last = waits[2 * number].max(waits[2 * number + 1]).as_secs();
        println!("minute: letter {} of {}, the last took {last} s", 2 * number + 2, 2 * order.minutes);
    }
    drop((ana, bo, running));
    waits.sort_unstable();
    let late = waits.iter().filter(|wait| **wait > GOAL).count();
    let mut lines = vec![
        format!(
            "contacts after {} s; no command but the manual's: tessera {}",
            enrolled.as_secs(),
            seed[..2].join(" ")
        ),
        format!(
            "{} of {} letters came, each once; from `send` to its line p50 {} ms, p95 {} ms, most {} ms; {late} took more than {} s",
            waits.len(),
            2 * order.minutes,
            at(&waits, 50),
            at(&waits, 95),
            at(&waits, 100),
            GOAL.as_secs()
        ),
    ];
    if late > 0 {
        return Err(lines.join("; "));
    }
    lines.push(disk::inspected(&relay, &storage, &format!("http://localhost:{port}"))?);
    let words = [MARK, "of-the-minutes", "127.0.0.1"].map(|word| word.as_bytes().to_vec());
    let bytes = disk::names_none_of(&store, &words)?;
    lines.push(format!("the relay's folder, {bytes} bytes: no name, letter or address"));
    Ok(lines)
}

impl<'a> Online<'a> {
    fn new(home: &'a Home) -> Result<Self, String> {
        let mut command = home.command(&["wallet", "receive", "--follow", "-o", "json"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|fault| fault.to_string())?;
        let lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let (sender, letters) = channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).all(|line| sender.send((Instant::now(), line)).is_ok())
        });
        Ok(Self { home, _following: Running(child), letters })
    }

    /// Whether its one contact is enrolled.
    fn has_contact(&self) -> Result<bool, String> {
        let listed = self.home.does(&["wallet", "contacts", "list", "-o", "json"])?;
        let items = listed["items"].as_array().ok_or("no contacts are listed")?;
        Ok(items.iter().any(|item| item["state"] == "unverified"))
    }
}

fn until_contacts(ana: &Online<'_>, bo: &Online<'_>, began: Instant) -> Result<(), String> {
    while !(ana.has_contact()? && bo.has_contact()?) {
        if began.elapsed() > ROUND * ENROL_ROUNDS_MAX {
            return Err(format!("two wallets are no contacts after {ENROL_ROUNDS_MAX} rounds"));
        }
        std::thread::sleep(Duration::from_secs(5));
    }
    Ok(())
}

/// A letter on its way.
struct Letter {
    text: String,
    sent: Instant,
}

impl Letter {
    /// Leaves a letter with the process that is online.
    fn send(from: &Online<'_>, name: &str, number: usize) -> Result<Self, String> {
        let (text, sent) = (format!("{MARK} {number:03} to {name}"), Instant::now());
        from.home.does(&["wallet", "send", name, &text, "-o", "json"])?;
        Ok(Self { text, sent })
    }

    /// Waits for its line; how long it took.
    fn comes(self, to: &Online<'_>) -> Result<Duration, String> {
        let Self { text, sent } = self;
        let lost = |_| format!("“{text}” did not come within {} s", LOST.as_secs());
        let (came, line) = to.letters.recv_timeout(LOST).map_err(lost)?;
        let letter: Value = serde_json::from_str(&line).map_err(|fault| format!("{line}: {fault}"))?;
        if letter["text"] != text.as_str() {
            return Err(format!("“{text}” was expected, and this came: {line}"));
        }
        Ok(came.saturating_duration_since(sent))
    }
}
