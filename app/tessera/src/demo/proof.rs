//! Step Proof: an outsider recomputes the logs and checks one entry without any server.

use super::outsider::Outsider;
use super::report::{Report, Seen};
use crypto::secret::Secret;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tlog::note::{NOTE_BYTES_MAX, VerifierKey};
use verify::source::Source;

const STEP: &str = "proof";
/// How often a proof is asked for while no checkpoint covers the entry; one does within a second.
const TRIES_MAX: u32 = 60;
/// Between two tries.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// Plays the step.
pub fn step(report: &mut Report, parties: &Outsider) {
    let start = Instant::now();
    let folder = PathBuf::from(&report.data_dir);
    let mut files = Vec::new();
    let mut hashes = 0;
    report.check(
        STEP,
        "proof.entry",
        "one entry is proved offline, by its proof file and the log's key",
        || {
            let keys = keys_of(parties, &parties.ledger())?;
            let (index, proof) = newest_issued(parties)?;
            files.push(keep(&folder, "proof", "entry.tlog-proof", &proof)?);
            let checked = verify::proof(proof.as_bytes(), &keys).map_err(|fault| fault.to_string())?;
            let holds = checked.verdict.is_ok() && checked.index == index;
            hashes = proof
                .lines()
                .skip_while(|line| !line.starts_with("index"))
                .skip(1)
                .take_while(|line| !line.is_empty())
                .count();
            Ok(Seen::new(holds, format!("entry {index}, credential-issued, with {hashes} hashes")))
        },
    );
    let mut size = 0;
    let mut root = String::new();
    report.check(
        STEP,
        "proof.tenant-log",
        "every entry, tile and root of the tenant's log is recomputed",
        || {
            let (entries, hash, note) = recompute(parties, &parties.ledger(), Some(&parties.log_token))?;
            (size, root) = (entries, hash);
            files.push(keep(&folder, "checkpoint", "checkpoint", &note)?);
            Ok(Seen::new(size > 0, format!("{size} entries, root {root}")))
        },
    );
    report.check(
        STEP,
        "proof.system-log",
        "every entry, tile and root of the public log is recomputed, without a token",
        || {
            let (size, root, _) = recompute(parties, &format!("{}/log/system", parties.base), None)?;
            Ok(Seen::new(size >= 2, format!("{size} entries, root {root}")))
        },
    );
    report.files.extend(files.into_iter().map(|(name, path)| (name.to_owned(), json!(path))));
    report.ids.insert("tree_size".into(), json!(size));
    report.ids.insert("root_hash".into(), json!(root));
    let facts = json!({ "entries": format!("{size} entries recomputed"), "proof": format!("one entry proved offline with {hashes} hashes") });
    report.step(STEP, start, facts);
}

/// The log's verifier keys, as `/keys` gives them.
pub fn keys_of(parties: &Outsider, log: &str) -> Result<Vec<VerifierKey>, String> {
    let client = parties.client()?;
    let (_, text) = client.get_text(&format!("{log}/keys")).map_err(|f| f.what)?;
    text.lines().map(|line| VerifierKey::parse(line).map_err(|fault| fault.to_string())).collect()
}

/// Size, root and signed note of a log, after every entry, tile and root was recomputed.
fn recompute(parties: &Outsider, log: &str, token: Option<&str>) -> Result<(u64, String, String), String> {
    let keys = keys_of(parties, log)?;
    let bearer = token.map(|token| Secret::new(token.to_owned()));
    let source = Source::http(log, bearer, None).map_err(|fault| fault.to_string())?;
    published(&source)?;
    let request = verify::log::LogRequest { source: &source, keys: &keys, old: Vec::new(), state: None };
    let report = verify::log::log(&request, &mut |_, _| {}).map_err(|fault| fault.to_string())?;
    if let Some(finding) = report.finding {
        return Err(finding.to_string());
    }
    let signed = report.checkpoint.ok_or("no checkpoint could be believed")?;
    let checkpoint = signed.checkpoint();
    let note = source.fetch("checkpoint", NOTE_BYTES_MAX).map_err(|fault| fault.to_string())?;
    let note = String::from_utf8(note).map_err(|fault| fault.to_string())?;
    Ok((checkpoint.size, crypto::base64::std_encode(&checkpoint.root), note))
}

/// The newest checkpoint; a young log has none for up to half a second.
pub fn published(source: &Source) -> Result<Vec<u8>, String> {
    let mut fault = String::new();
    for _ in 0..TRIES_MAX {
        match source.fetch("checkpoint", NOTE_BYTES_MAX) {
            Ok(note) => return Ok(note),
            Err(not_yet) => fault = not_yet.to_string(),
        }
        std::thread::sleep(TRY_EVERY);
    }
    Err(fault)
}

/// Writes a file beside the data: the proof and the checkpoint are an outsider's to keep.
fn keep(folder: &Path, name: &'static str, file: &str, text: &str) -> Result<(&'static str, String), String> {
    let path = folder.join(file);
    std::fs::write(&path, text).map_err(|fault| fault.to_string())?;
    Ok((name, path.display().to_string()))
}

/// Index and proof file of the newest `credential-issued`, once a checkpoint covers it.
fn newest_issued(parties: &Outsider) -> Result<(u64, String), String> {
    let client = parties.client()?;
    let mut found = None;
    for _ in 0..TRIES_MAX {
        let answer = client.get("/ledger/events?type=credential-issued").map_err(|f| f.what)?;
        let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        found = items.iter().filter_map(|item| item.get("index").and_then(Value::as_u64)).max();
        if found.is_some() {
            break;
        }
        std::thread::sleep(TRY_EVERY);
    }
    let index = found.ok_or("the log holds no credential-issued")?;
    for _ in 0..TRIES_MAX {
        let (status, text) = client.get_text(&format!("/ledger/events/{index}/proof")).map_err(|f| f.what)?;
        if status == 200 {
            return Ok((index, text));
        }
        std::thread::sleep(TRY_EVERY);
    }
    Err("no checkpoint covered the entry in time".to_owned())
}
