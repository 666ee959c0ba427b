//! Reports as people and programs read them.

use crate::log::{LogReport, OldReport};
use crate::proof::ProofReport;
use crypto::base64::std_encode;
use crypto::cbor::Value as Cbor;
use crypto::hex;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use tlog::checkpoint::SignedCheckpoint;
use tlog::entry::{Entry, PublicField};
use tlog::event::{FieldDoc, describe};
use tlog::note::{KeyType, VerifierKey};
use tlog::proof_file::Proven;

/// The report of `verify log` as one JSON object.
pub(crate) fn log_json(report: &LogReport, keys: &[VerifierKey]) -> Value {
    let head = report.checkpoint.as_ref().map(SignedCheckpoint::checkpoint);
    json!({
        "verdict": if report.finding.is_none() { "verified" } else { "bad" },
        "origin": report.origin,
        "size": head.map(|head| head.size),
        "root": head.map(|head| std_encode(&head.root)),
        "signers": report.checkpoint.as_ref().map(|head| signers_json(head, keys)),
        "resumed_from": report.resumed_from,
        "entries": report.counts.entries,
        "foreign_entries": report.counts.foreign,
        "bundles": report.counts.bundles,
        "tiles": report.counts.tiles,
        "old": report.old.iter().map(old_json).collect::<Vec<_>>(),
        "fault": report.finding.as_ref().map(|finding| json!({
            "code": finding.code(),
            "message": finding.to_string(),
            "index": finding.index(),
            "path": finding.path(),
        })),
    })
}

fn old_json(old: &OldReport) -> Value {
    json!({ "name": old.name, "size": old.size, "recomputed": old.recomputed, "proof": old.proof })
}

fn signers_json(head: &SignedCheckpoint, keys: &[VerifierKey]) -> Vec<Value> {
    let signer = |signer: &tlog::note::Signer| {
        let key = &keys[signer.key];
        json!({
            "name": key.name(),
            "id": hex::encode(&key.id()),
            "type": type_word(key.key_type()),
            "fingerprint": hex::encode(&key.fingerprint()),
            "time": signer.time_s.map(time_word),
        })
    };
    head.signers().iter().map(signer).collect()
}

/// The report of a verified log, in lines.
pub(crate) fn log_lines(report: &LogReport, keys: &[VerifierKey], state: Option<&str>) -> String {
    let Some(head) = &report.checkpoint else { return String::new() };
    let (size, root) = (head.checkpoint().size, std_encode(&head.checkpoint().root));
    let counts = &report.counts;
    let mut text = format!("verified: {}\n", report.origin);
    line(&mut text, "size", format_args!("{size} entries, root {root}"));
    for signer in head.signers() {
        let key = &keys[signer.key];
        let time = signer.time_s.map_or(String::new(), |time| format!(" at {}", time_word(time)));
        let (id, type_word) = (hex::encode(&key.id()), type_word(key.key_type()));
        line(&mut text, "signed", format_args!("{}+{id} {type_word}{time}", key.name()));
        line(&mut text, "", format_args!("key fingerprint {}", hex::encode(&key.fingerprint())));
    }
    let from = report.resumed_from.map_or(String::new(), |from| format!(" after the {from} verified before"));
    let (entries, bundles, tiles) = (counts.entries, counts.bundles, counts.tiles);
    line(
        &mut text,
        "read",
        format_args!("{entries} entries{from}, {bundles} bundles, {tiles} tiles; all recomputed"),
    );
    if counts.foreign > 0 {
        line(&mut text, "note", format_args!("{} entries are not of schema 1", counts.foreign));
    }
    for old in &report.old {
        let how = match old.recomputed {
            Some(true) => "by recomputation and by proof",
            _ => "by proof (it lies before the state)",
        };
        line(&mut text, "old", format_args!("{} (size {}): same history, {how}", old.name, old.size));
    }
    if let Some(state) = state {
        line(&mut text, "state", format_args!("this checkpoint is now in {state}"));
    }
    text
}

/// The report of `verify proof` as one JSON object.
pub(crate) fn proof_json(report: &ProofReport, keys: &[VerifierKey]) -> Value {
    match &report.verdict {
        Err(fault) => json!({
            "verdict": "bad",
            "index": report.index,
            "fault": { "code": "verify/proof-invalid", "message": fault.to_string(), "index": report.index },
        }),
        Ok(proven) => {
            let head = proven.checkpoint.checkpoint();
            json!({
                "verdict": "verified",
                "origin": head.origin,
                "index": proven.index,
                "leaf_hash": hex::encode(&proven.leaf),
                "size": head.size,
                "root": std_encode(&head.root),
                "signers": signers_json(&proven.checkpoint, keys),
                "event": event_json(proven),
                "fault": Value::Null,
            })
        }
    }
}

fn event_json(proven: &Proven) -> Value {
    let entry = &proven.entry;
    json!({
        "type": entry.kind,
        "at": time_word(entry.second),
        "outcome": entry.outcome.as_str(),
        "actor_kind": entry.actor.as_str(),
        "event_id": hex::encode(&entry.event_id),
        "subject_commitment": entry.subject.map(|subject| hex::encode(&subject)),
        "policy_sha256": entry.policy.map(|policy| hex::encode(&policy)),
        "public": public_json(entry),
        "detail": proven.detail.as_ref().map(|detail| detail_json(&entry.kind, detail)),
    })
}

fn public_json(entry: &Entry) -> Map<String, Value> {
    fn field(value: &PublicField) -> Value {
        match value {
            PublicField::Uint(number) => json!(number),
            PublicField::Bytes(bytes) => json!(hex::encode(bytes)),
            PublicField::List(items) => items.iter().map(field).collect(),
        }
    }
    let names = describe(&entry.kind).map_or(&[][..], |event| event.leaf);
    entry.public.iter().map(|(key, value)| (name_of(names, u64::from(*key)), field(value))).collect()
}

/// The detail under the catalogue's field names; a key that this build does not know keeps its number.
fn detail_json(kind: &str, detail: &Cbor) -> Value {
    fn plain(value: &Cbor) -> Value {
        match value {
            Cbor::Uint(number) => json!(number),
            Cbor::Nint(number) => json!(number),
            Cbor::Bytes(bytes) => json!(hex::encode(bytes)),
            Cbor::Text(text) => json!(text),
            Cbor::Array(items) => items.iter().map(plain).collect(),
            Cbor::Map(pairs) => {
                pairs.iter().map(|(key, value)| (plain(key).to_string(), plain(value))).collect()
            }
            Cbor::Tag(_, inner) => plain(inner),
            Cbor::Bool(value) => json!(value),
            Cbor::Null => Value::Null,
        }
    }
    let names = describe(kind).map_or(&[][..], |event| event.detail);
    let Some(pairs) = detail.as_map() else { return plain(detail) };
    let named = |(key, value): &(Cbor, Cbor)| {
        let name = key.as_uint().map_or_else(|| plain(key).to_string(), |key| name_of(names, key));
        (name, plain(value))
    };
    Value::Object(pairs.iter().map(named).collect())
}

fn name_of(names: &[FieldDoc], key: u64) -> String {
    let known = names.iter().find(|field| u64::from(field.key) == key);
    known.map_or_else(|| key.to_string(), |field| field.name.to_owned())
}

/// A proof that holds, in lines.
pub(crate) fn proof_lines(proven: &Proven) -> String {
    let (entry, head) = (&proven.entry, proven.checkpoint.checkpoint());
    let mut text = format!("verified: entry {} of {}\n", proven.index, head.origin);
    let (outcome, actor) = (entry.outcome.as_str(), entry.actor.as_str());
    line(
        &mut text,
        "event",
        format_args!("{} ({outcome}) by {actor} at {}", entry.kind, time_word(entry.second)),
    );
    line(&mut text, "leaf", format_args!("{}", hex::encode(&proven.leaf)));
    for (name, value) in &public_json(entry) {
        line(&mut text, "public", format_args!("{name} = {}", one_line(value)));
    }
    match proven.detail.as_ref().map(|detail| detail_json(&entry.kind, detail)) {
        Some(Value::Object(fields)) => {
            for (name, value) in &fields {
                line(&mut text, "detail", format_args!("{name} = {}", one_line(value)));
            }
        }
        Some(other) => line(&mut text, "detail", format_args!("{}", one_line(&other))),
        None => line(&mut text, "detail", format_args!("erased, or not in this file")),
    }
    line(&mut text, "tree", format_args!("{} entries, root {}", head.size, std_encode(&head.root)));
    text
}

fn one_line(value: &Value) -> String {
    printable(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str())
}

fn line(text: &mut String, word: &str, rest: std::fmt::Arguments<'_>) {
    writeln!(text, "  {word:<7} {rest}").expect("writing to a String cannot fail");
}

/// A text with control, escape and bidirectional characters written out, so that a log cannot draw on a terminal.
pub(crate) fn printable(text: &str) -> String {
    let strange = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if strange(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

fn type_word(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::Ed25519 => "Ed25519",
        KeyType::CosignatureEd25519 => "Ed25519 cosignature",
        KeyType::MlDsa44 => "ML-DSA-44",
    }
}

fn time_word(second: u64) -> String {
    let stamp = i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok());
    stamp.map_or_else(|| format!("second {second}"), |stamp| stamp.to_string())
}
