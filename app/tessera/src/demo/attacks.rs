//! Step Attacks: what an attacker would try, through the same doors, each of which must refuse.

use super::credential::{Shown, ask, offer};
use super::outsider::Outsider;
use super::proof::{keys_of, published};
use super::report::{Report, Seen};
use crate::client::Sent;
use crypto::secret::Secret;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Instant;
use verify::source::Source;
use wallet::engine::steps::{self, Binding};
use wallet::engine::{Choice, Wallet};

const STEP: &str = "attacks";
/// How many redeem one code at the same moment.
const AT_ONCE: usize = 64;
/// Entries that one bundle of a tile log holds (C2SP tlog-tiles).
const BUNDLE_ENTRIES: u64 = 256;
/// Bytes of a file of a log: the largest is a bundle.
const LOG_FILE_BYTES_MAX: usize = 1 << 20;

/// Plays the step. `shown` is what the step before left.
pub fn step(report: &mut Report, parties: &Outsider, shown: Option<Shown>) {
    let start = Instant::now();
    let Some(shown) = shown else {
        report.check(STEP, "story.revocation", "a credential to attack", || {
            Err("the step before made none".to_owned())
        });
        report.step(STEP, start, json!({ "attacks": "not played" }));
        return;
    };
    report.check(
        STEP,
        "attack.replayed-response",
        "the same response a second time: 400, state unchanged",
        || replayed(parties, &shown.wallet),
    );
    report.check(STEP, "attack.parallel-spend", "64 redeem one code at once: one token", || {
        parallel(parties, &shown.wallet)
    });
    report.check(
        STEP,
        "attack.stripped-key-binding",
        "a presentation without its key binding: VP-020",
        || judged(parties, &shown.wallet, Binding::Stripped, "VP-020"),
    );
    report.check(
        STEP,
        "attack.cross-tenant",
        "another tenant's client sees the 404 of an unknown object",
        || {
            let stranger = parties.stranger()?;
            let answer = stranger.get(&format!("/verification/{}", shown.verification));
            let failure = answer.err().ok_or("the other tenant was answered")?;
            Ok(Seen::refused(&*failure.code == "api/not-found", failure.code))
        },
    );
    report.check(
        STEP,
        "story.revocation",
        "the credential is taken back, and says when others see it",
        || {
            let client = parties.client()?;
            let body = json!({ "reason": "superseded" });
            let status = client
                .post(&format!("/credentials/{}/revoke", shown.credential), &body, Sent::default())
                .map_err(|f| f.what)?;
            let holds = status["status"] == "revoked" && status["visible_by"].is_string();
            Ok(Seen::new(
                holds,
                format!("revoked, visible by {}", status["visible_by"].as_str().unwrap_or("?")),
            ))
        },
    );
    report.ids.insert("revoked".into(), shown.credential.clone().into());
    report.check(STEP, "attack.revoked-credential", "the revoked credential is refused: VP-054", || {
        judged(parties, &shown.wallet, Binding::Key, "VP-054")
    });
    report.check(
        STEP,
        "attack.ledger-edit",
        "one changed byte in a copy of the log is found, and its entry named",
        || edited(parties),
    );
    let facts = json!({
        "attacks": "replayed response · 64 at once, 1 through · stripped key binding · other tenant · revoked · edited log copy",
    });
    report.step(STEP, start, facts);
}

fn replayed(parties: &Outsider, wallet: &Wallet) -> Result<Seen, String> {
    let client = parties.client()?;
    let asked = ask(parties, &client)?;
    let prepared = steps::prepare_presentation(wallet, &asked.uri, &Choice::default(), Binding::Key)
        .map_err(|f| f.to_string())?;
    let first = steps::send(wallet.client(), &prepared.errand).map_err(|f| f.to_string())?;
    let second = steps::send(wallet.client(), &prepared.errand).map_err(|f| f.to_string())?;
    let result = client.get(&format!("/verification/{}", asked.id)).map_err(|f| f.what)?;
    let holds = first == 200 && second == 400 && result["state"] == "verified";
    Ok(Seen::new(holds, format!("first {first}, second {second}, state {}", result["state"])))
}

fn parallel(parties: &Outsider, wallet: &Wallet) -> Result<Seen, String> {
    let client = parties.client()?;
    let offer = offer(&client)?;
    let errand = steps::token_request(wallet, &offer.uri, None).map_err(|f| f.to_string())?;
    let statuses = steps::send_in_parallel(wallet.client(), &errand, AT_ONCE);
    let through = statuses.iter().filter(|status| matches!(status, Ok(200))).count();
    let refused = statuses.iter().filter(|status| matches!(status, Ok(400))).count();
    Ok(Seen::new(
        through == 1 && refused == AT_ONCE - 1,
        format!("{AT_ONCE} at once: {through} through, {refused} refused"),
    ))
}

/// Presents, expects a 400 for the wallet, and the named check for the verifier.
fn judged(parties: &Outsider, wallet: &Wallet, binding: Binding, check: &str) -> Result<Seen, String> {
    let client = parties.client()?;
    let asked = ask(parties, &client)?;
    let prepared = steps::prepare_presentation(wallet, &asked.uri, &Choice::default(), binding)
        .map_err(|f| f.to_string())?;
    let status = steps::send(wallet.client(), &prepared.errand).map_err(|f| f.to_string())?;
    let result = client.get(&format!("/verification/{}", asked.id)).map_err(|f| f.what)?;
    let failed = result.pointer("/failure/check").and_then(Value::as_str).unwrap_or("nothing").to_owned();
    let holds = status == 400
        && result["state"] == "rejected"
        && failed == check
        && result.get("credentials").is_none();
    Ok(Seen::refused(holds, failed))
}

/// Copies the tenant's log to a folder, changes one byte of one entry, and lets the outsider's checker look at both.
fn edited(parties: &Outsider) -> Result<Seen, String> {
    let keys = keys_of(parties, &parties.ledger())?;
    let source = Source::http(&parties.ledger(), Some(Secret::new(parties.log_token.clone())), None)
        .map_err(|f| f.to_string())?;
    let folder = tempfile::tempdir().map_err(|f| f.to_string())?;
    let checkpoint = published(&source)?;
    let size: u64 = String::from_utf8_lossy(&checkpoint)
        .lines()
        .nth(1)
        .and_then(|line| line.parse().ok())
        .ok_or("no size")?;
    if size == 0 || size >= BUNDLE_ENTRIES {
        return Err(format!("the log of the story has {size} entries"));
    }
    let bundle = format!("tile/entries/000.p/{size}");
    write(folder.path(), "checkpoint", &checkpoint)?;
    for path in [bundle.clone(), format!("tile/0/000.p/{size}")] {
        let bytes = source.fetch(&path, LOG_FILE_BYTES_MAX).map_err(|f| f.to_string())?;
        write(folder.path(), &path, &bytes)?;
    }
    let copy = Source::Dir(folder.path().to_owned());
    let look = || {
        let request = verify::log::LogRequest { source: &copy, keys: &keys, old: Vec::new(), state: None };
        verify::log::log(&request, &mut |_, _| {}).map_err(|fault| fault.to_string())
    };
    if let Some(finding) = look()?.finding {
        return Err(format!("the honest copy does not verify: {finding}"));
    }
    let mut bytes = source.fetch(&bundle, LOG_FILE_BYTES_MAX).map_err(|f| f.to_string())?;
    let last = bytes.len().checked_sub(1).ok_or("the bundle is empty")?;
    bytes[last] ^= 1;
    write(folder.path(), &bundle, &bytes)?;
    let found = look()?.finding.ok_or("the edited copy verifies")?;
    let named = found.index() == Some(size - 1);
    Ok(Seen { ok: named, observed: found.to_string(), problem: Some(found.code().to_owned()) })
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), String> {
    let path = folder.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|fault| fault.to_string())?;
    }
    fs::write(path, bytes).map_err(|fault| fault.to_string())
}
