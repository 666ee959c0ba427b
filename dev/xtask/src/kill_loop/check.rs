//! The checks after each start: what was acknowledged is there, and the log verifies against every checkpoint kept before.

use super::client::Client;
use super::journal::Journal;
use super::server::Place;
use super::wallet::Holder;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What was acknowledged long ago is looked at by sample in each round, and whole at the end.
const SAMPLE: usize = 24;
/// Entries come into the log within 100 ms and under a checkpoint within 500; a debug build may take longer.
const SEQUENCED_WITHIN: Duration = Duration::from_secs(20);
/// Between two questions.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// `verify log` of the largest log of a run, in a debug build.
const VERIFIED_WITHIN: Duration = Duration::from_secs(120);
/// Older checkpoints that one run of `verify log` is given: the first, the last, and some between.
const OLD_MAX: usize = 40; // each costs a consistency proof
/// Events of one round that are proved: each is a process.
const PROVED: usize = 4;
/// Life of the log token: longer than any run.
const TOKEN_TTL_S: u64 = 7 * 86_400;

/// What outlives a round: checkpoints, the log token, how far the entries were read.
pub(crate) struct Kept {
    folder: PathBuf,
    access: Option<Access>,
    checkpoints: Vec<PathBuf>,
    newest: Option<String>,
    /// Index of every event in the log, as first seen.
    places: BTreeMap<String, u64>,
    read_to: Option<u64>,
    looked_at: usize,
    /// The event that issued each credential, from the log.
    issued: BTreeMap<String, String>,
    holder: Option<Arc<Holder>>,
}

/// How the log is read.
struct Access {
    log: String,
    token_file: PathBuf,
    vkeys: Vec<String>,
}

/// What a round reports.
pub(crate) struct Seen {
    pub(crate) size: u64,
    pub(crate) kept: usize,
}

impl Kept {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            access: None,
            checkpoints: Vec::new(),
            newest: None,
            places: BTreeMap::new(),
            read_to: None,
            looked_at: 0,
            issued: BTreeMap::new(),
            holder: None,
        }
    }

    /// The wallet, which believes whom it believed at the first start.
    pub(crate) fn holder(&mut self, client: &Client) -> Result<Arc<Holder>, String> {
        if self.holder.is_none() {
            self.holder = Some(Arc::new(Holder::new(client)?));
        }
        self.holder.clone().ok_or_else(|| "no wallet".to_owned())
    }

    /// Keeps the newest checkpoint that is served: whatever was seen once must stand for ever.
    pub(crate) fn look(&mut self, client: &Client) {
        let Some(access) = &self.access else { return };
        if let Ok(answer) = client.get(&format!("/log/{}/checkpoint", access.log))
            && answer.status == 200
        {
            self.newest = Some(answer.text);
        }
    }

    /// Puts the newest checkpoint that was seen into a file.
    fn put_down(&mut self) -> Result<(), String> {
        let Some(note) = self.newest.take() else { return Ok(()) };
        let path = self.folder.join(format!("checkpoint-{:05}", self.checkpoints.len()));
        fs::write(&path, note).map_err(|fault| fault.to_string())?;
        self.checkpoints.push(path);
        Ok(())
    }

    /// The checkpoints of this round's check: evenly spread, the newest always among them.
    fn old(&self) -> Vec<&PathBuf> {
        let step = self.checkpoints.len().div_ceil(OLD_MAX).max(1);
        self.checkpoints.iter().rev().step_by(step).collect()
    }

    /// Makes a log token once, and reads the keys of the log.
    fn open(&mut self, client: &Client) -> Result<(), String> {
        if self.access.is_some() {
            return Ok(());
        }
        let body = json!({ "name": "kill loop", "ttl_s": TOKEN_TTL_S });
        let made = client.post("/api/v1/ledger/tokens", &body)?.json();
        let member = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(log), Some(token)) = (member("log"), member("token")) else {
            return Err(format!("no log token: {made}"));
        };
        let token_file = self.folder.join("log-token");
        fs::write(&token_file, token).map_err(|fault| fault.to_string())?;
        let keys = client.get(&format!("/log/{log}/keys"))?.text;
        let vkeys = keys.lines().map(str::to_owned).collect();
        self.access = Some(Access { log, token_file, vkeys });
        Ok(())
    }
}

/// What happened since the last check, a sample of what is older, and the log.
pub(crate) fn after_start(
    place: &Place,
    client: &Client,
    journal: &Journal,
    kept: &mut Kept,
) -> Result<Seen, String> {
    kept.open(client)?;
    kept.put_down()?;
    no_strange_answer(journal)?;
    events(client, journal, kept)?;
    let (fresh, old) = {
        let acts = journal.acts();
        let fresh = acts.order.get(kept.looked_at..).unwrap_or_default().to_vec();
        kept.looked_at = acts.order.len();
        let step = acts.order.len().div_ceil(SAMPLE).max(1);
        (fresh, acts.order.iter().step_by(step).cloned().collect::<Vec<_>>())
    };
    for id in fresh.iter().chain(&old) {
        one_status(client, journal, id)?;
    }
    lists(client, journal, kept)?;
    keys(client, journal)?;
    one_by_one(client, journal)?;
    covered(client, kept)?;
    proved(place, client, journal, kept)?;
    verified(place, kept)
}

/// Everything that was ever acknowledged, by the lists of the API.
pub(crate) fn whole(
    place: &Place,
    client: &Client,
    journal: &Journal,
    kept: &mut Kept,
) -> Result<Seen, String> {
    let seen = after_start(place, client, journal, kept)?;
    kept.read_to = None;
    events(client, journal, kept)?;
    let listed = list(client, "/api/v1/credentials")?;
    let known: Vec<String> = journal.acts().order.clone();
    for id in known {
        let status = listed.get(&id).and_then(|item| item.get("status")).and_then(Value::as_str);
        let status = status.ok_or_else(|| format!("the credential {id} was acknowledged and is lost"))?;
        fits(journal, &id, status)?;
    }
    let acts = journal.acts();
    let unknown = listed.keys().filter(|id| !acts.credentials.contains_key(*id)).count();
    if unknown > acts.unanswered {
        return Err(format!(
            "{unknown} credentials stand that no answer named; only {} were open",
            acts.unanswered
        ));
    }
    drop(acts);
    Ok(seen)
}

fn no_strange_answer(journal: &Journal) -> Result<(), String> {
    let acts = journal.acts();
    acts.strange.first().map_or(Ok(()), |first| {
        Err(format!(
            "{} answers under load were neither an act nor a pause; the first: {first}",
            acts.strange.len()
        ))
    })
}

fn one_status(client: &Client, journal: &Journal, id: &str) -> Result<(), String> {
    let answer = client.get(&format!("/api/v1/credentials/{id}/status"))?;
    let body = answer.json();
    let Some(status) = body.get("status").and_then(Value::as_str).filter(|_| answer.status == 200) else {
        return Err(format!(
            "the credential {id} was acknowledged and is lost: {} {}",
            answer.status, answer.text
        ));
    };
    fits(journal, id, status)?;
    let held = journal.acts().credentials.get(id).and_then(|credential| credential.held.clone());
    let Some(held) = held else { return Ok(()) };
    let place = body.pointer("/copies/0/status_list").cloned().unwrap_or_default();
    let same = place.get("uri").and_then(Value::as_str) == Some(&held.uri)
        && place.get("idx").and_then(Value::as_u64) == Some(held.idx);
    match same {
        true => Ok(()),
        false => Err(format!("the credential {id} has the place {held:?} and is listed at {place}")),
    }
}

/// The published lists say of every credential in the wallet what was acknowledged.
fn lists(client: &Client, journal: &Journal, kept: &mut Kept) -> Result<(), String> {
    let holder = kept.holder(client)?;
    let places: Vec<_> = {
        let acts = journal.acts();
        let held = acts.credentials.values();
        held.filter_map(|one| Some((one.held.clone()?, one.is_revoked()))).collect()
    };
    let distinct: BTreeSet<_> = places.iter().map(|(place, _)| (&place.uri, place.idx)).collect();
    if distinct.len() != places.len() {
        return Err("two credentials have one place in a status list".to_owned());
    }
    holder.lists(client, &places)
}

/// A few acknowledged acts, proved to an outsider who has no server; and the issuing of a credential that the wallet has.
fn proved(place: &Place, client: &Client, journal: &Journal, kept: &Kept) -> Result<(), String> {
    let access = kept.access.as_ref().ok_or("no access to the log")?;
    let events: Vec<String> = {
        let acts = journal.acts();
        let step = acts.events.len().div_ceil(PROVED).max(1);
        let issued = acts.order.iter().rev().find_map(|id| {
            acts.credentials.get(id).filter(|one| one.held.is_some()).and_then(|_| kept.issued.get(id))
        });
        acts.events.iter().rev().step_by(step).chain(issued).cloned().collect()
    };
    for event in events {
        let answer = client.get(&format!("/api/v1/ledger/events/{event}/proof"))?;
        if answer.status != 200 {
            return Err(format!(
                "the event {event} was acknowledged and cannot be proved: {}",
                answer.status
            ));
        }
        let (file, err) = (kept.folder.join("event.tlog-proof"), kept.folder.join("proof.err"));
        fs::write(&file, &answer.text).map_err(|fault| fault.to_string())?;
        let mut command = place.command();
        command.args(["verify", "proof"]).arg(&file);
        access.vkeys.iter().for_each(|vkey| {
            command.args(["--vkey", vkey]);
        });
        let told = fs::File::create(&err).map_err(|fault| fault.to_string())?;
        let status =
            command.stdout(Stdio::null()).stderr(told).status().map_err(|fault| fault.to_string())?;
        if !status.success() {
            let told = fs::read_to_string(&err).unwrap_or_default();
            return Err(format!("the proof of {event} proves nothing ({status}): {told}"));
        }
    }
    Ok(())
}

fn fits(journal: &Journal, id: &str, status: &str) -> Result<(), String> {
    let known = journal.acts().credentials.get(id).cloned().unwrap_or_default();
    match known.fits(status) {
        true => Ok(()),
        false if known.revoked => {
            Err(format!("the revocation of {id} was acknowledged and is lost: it is {status}"))
        }
        false if known.held.is_some() => {
            Err(format!("the wallet has the credential {id}, which is {status}"))
        }
        false => Err(format!("the credential {id} is {status}, which nobody asked for")),
    }
}

fn keys(client: &Client, journal: &Journal) -> Result<(), String> {
    let listed = list(client, "/api/v1/keys")?;
    let acts = journal.acts();
    acts.keys
        .iter()
        .find(|id| !listed.contains_key(*id))
        .map_or(Ok(()), |lost| Err(format!("the key {lost} was acknowledged and is lost")))
}

/// A sample of the events by their own door.
fn one_by_one(client: &Client, journal: &Journal) -> Result<(), String> {
    let sample: Vec<String> = {
        let acts = journal.acts();
        let step = acts.events.len().div_ceil(SAMPLE).max(1);
        acts.events.iter().rev().step_by(step).cloned().collect()
    };
    for event in sample {
        let answer = client.get(&format!("/api/v1/ledger/events/{event}"))?;
        if answer.status != 200 || answer.json().get("id").and_then(Value::as_str) != Some(&event) {
            return Err(format!("the event {event} was acknowledged and is lost: {}", answer.status));
        }
    }
    Ok(())
}

/// Reads the log on from where it was read to, until every acknowledged event stood in it; no event ever moves.
fn events(client: &Client, journal: &Journal, kept: &mut Kept) -> Result<(), String> {
    let begun = Instant::now();
    let wanted: BTreeSet<String> = journal.acts().events.iter().cloned().collect();
    if wanted.len() != journal.acts().events.len() {
        return Err("two acts were acknowledged with one event".to_owned());
    }
    let again = kept.read_to.is_none();
    let mut met: BTreeSet<String> = BTreeSet::new();
    loop {
        while page(client, kept, &mut met)? {}
        let missing = |id: &&String| !(met.contains(*id) || (!again && kept.places.contains_key(*id)));
        let unissued = journal.acts().unissued(&kept.issued);
        let lost = match (wanted.iter().find(missing), unissued) {
            (Some(event), _) => format!("the event {event} was acknowledged and is not in the log"),
            (None, Some(id)) => {
                format!("the wallet has the credential {id}, which no event of the log issued")
            }
            (None, None) => return Ok(()),
        };
        if begun.elapsed() > SEQUENCED_WITHIN {
            return Err(lost);
        }
        std::thread::sleep(ASK_EVERY);
    }
}

/// Waits until a checkpoint covers every entry that was read, so that what is verified next holds all of them.
fn covered(client: &Client, kept: &Kept) -> Result<(), String> {
    let access = kept.access.as_ref().ok_or("no access to the log")?;
    let wanted = kept.read_to.map_or(0, |index| index + 1);
    let begun = Instant::now();
    loop {
        let answer = client.get(&format!("/log/{}/checkpoint", access.log))?;
        let size = answer.text.lines().nth(1).and_then(|line| line.parse::<u64>().ok());
        if answer.status == 200 && size.is_some_and(|size| size >= wanted) {
            return Ok(());
        }
        if begun.elapsed() > SEQUENCED_WITHIN {
            return Err(format!("no checkpoint covers {wanted} entries: {} {}", answer.status, answer.text));
        }
        std::thread::sleep(ASK_EVERY);
    }
}

/// One page of entries; whether there are more.
fn page(client: &Client, kept: &mut Kept, met: &mut BTreeSet<String>) -> Result<bool, String> {
    let after = kept.read_to.map_or_else(String::new, |index| format!("&after={index}"));
    let answer = client.get(&format!("/api/v1/ledger/events?limit=200{after}"))?;
    let body = answer.json();
    let Some(items) = body.get("items").and_then(Value::as_array).filter(|_| answer.status == 200) else {
        return Err(format!("the entries cannot be read: {} {}", answer.status, answer.text));
    };
    for item in items {
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let index = item.get("index").and_then(Value::as_u64).ok_or("an entry without an index")?;
        let next = kept.read_to.map_or(0, |read| read + 1);
        if index != next {
            return Err(format!("entry {index} came where {next} was due"));
        }
        let known = *kept.places.entry(id.clone()).or_insert(index);
        if known != index {
            return Err(format!("the event {id} was entry {known} and is entry {index} now"));
        }
        if item.get("type").and_then(Value::as_str) == Some("credential-issued") {
            let credential = item.pointer("/detail/credential").and_then(Value::as_str);
            let credential = credential.ok_or_else(|| format!("the event {id} names no credential"))?;
            let first = kept.issued.entry(credential.to_owned()).or_insert_with(|| id.clone());
            if *first != id {
                return Err(format!("the credential {credential} was issued twice: {first} and {id}"));
            }
        }
        kept.read_to = Some(index);
        met.insert(id);
    }
    Ok(body.get("next").is_some_and(Value::is_string))
}

/// All items of a list, by id.
fn list(client: &Client, path: &str) -> Result<BTreeMap<String, Value>, String> {
    let mut found = BTreeMap::new();
    let mut after = String::new();
    loop {
        let answer = client.get(&format!("{path}?limit=200{after}"))?;
        let body = answer.json();
        let Some(items) = body.get("items").and_then(Value::as_array).filter(|_| answer.status == 200) else {
            return Err(format!("{path} cannot be read: {} {}", answer.status, answer.text));
        };
        for item in items {
            let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
            if found.insert(id.to_owned(), item.clone()).is_some() {
                return Err(format!("{path} lists {id} twice"));
            }
        }
        match body.get("next").and_then(Value::as_str) {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(found),
        }
    }
}

/// The outsider's check, by the program's own verb and with nothing but what an outsider has.
fn verified(place: &Place, kept: &Kept) -> Result<Seen, String> {
    let access = kept.access.as_ref().ok_or("no access to the log")?;
    let mut command = place.command();
    command.args(["verify", "log", "--json", "--no-progress"]);
    command.arg(format!("{}/log/{}", place.base(), access.log));
    command.arg("--bearer-file").arg(&access.token_file);
    access.vkeys.iter().for_each(|vkey| {
        command.args(["--vkey", vkey]);
    });
    let old = kept.old();
    for path in &old {
        command.arg("--old").arg(path);
    }
    let (out, err) = (kept.folder.join("verify.out"), kept.folder.join("verify.err"));
    let file = |path: &Path| fs::File::create(path).map_err(|fault| fault.to_string());
    command.stdout(Stdio::from(file(&out)?)).stderr(Stdio::from(file(&err)?));
    let mut child = command.spawn().map_err(|fault| fault.to_string())?;
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|fault| fault.to_string())? {
            Some(status) => break status,
            None if begun.elapsed() > VERIFIED_WITHIN => {
                let _ = child.kill();
                let _ = child.wait();
                return Err("`verify log` did not end in time".to_owned());
            }
            None => std::thread::sleep(ASK_EVERY),
        }
    };
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    if !status.success() {
        return Err(format!("the log does not verify ({status}): {}", text(&err)));
    }
    let report: Value = serde_json::from_str(&text(&out)).unwrap_or(Value::Null);
    let size = report.get("size").or_else(|| report.pointer("/checkpoint/size")).and_then(Value::as_u64);
    let size = size.ok_or_else(|| format!("`verify log` says no size: {report}"))?;
    Ok(Seen { size, kept: old.len() })
}
