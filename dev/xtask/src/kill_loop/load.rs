//! The load: threads that offer credentials, redeem offers as a wallet does, take some credentials back, make keys and sign, and
//! write down every answer.

use super::Chance;
use super::client::{Answer, Client};
use super::journal::{Credential, Journal};
use super::wallet::{Holder, Redeemed};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Threads that write at the same time: enough that one commit holds several units.
pub(crate) const THREADS: u64 = 6;
/// After a 503 a client waits.
const PAUSE: Duration = Duration::from_millis(20);
/// Keys of one thread and round: later signatures use the newest.
const KEYS_MAX: u32 = 3; // so that the list of keys stays short in a long run
/// Offers among which one is picked: none of them is near its end.
const NEWEST: usize = 64;

/// Acts until the server is gone or the round is over.
pub(crate) fn run(client: &Client, journal: &Journal, holder: &Holder, stop: &AtomicBool, seed: u64) {
    let mut chance = Chance::new(seed);
    let (mut own, mut key, mut keys): (Vec<String>, Option<String>, u32) = (Vec::new(), None, 0);
    while !stop.load(Ordering::Relaxed) {
        let went_on = match (chance.below(20), &key) {
            (0..=5, _) => offer(client, journal, &mut own, &mut chance),
            (6..=10, _) => match waiting(journal, &mut chance) {
                Some((id, link)) => redeem(client, journal, holder, &id, &link),
                None => offer(client, journal, &mut own, &mut chance),
            },
            (11..=14, _) => match own.pop() {
                Some(id) => revoke(client, journal, &id),
                None => offer(client, journal, &mut own, &mut chance),
            },
            (15..=18, Some(key)) => sign(client, journal, key),
            _ if keys < KEYS_MAX => {
                keys += 1;
                make_key(client, journal, &mut key)
            }
            _ => offer(client, journal, &mut own, &mut chance),
        };
        if !went_on {
            return;
        }
    }
}

fn offer(client: &Client, journal: &Journal, own: &mut Vec<String>, chance: &mut Chance) -> bool {
    let body = json!({
        "credential_configuration_id": "diploma",
        "claims": { "given_name": "Ana", "family_name": "Specimen", "degree": { "type": "BSc" } },
        "subject_ref": format!("specimen-{}", chance.below(500)),
        "offer_ttl_s": 3_600,
    });
    let answer = client.post("/api/v1/credentials/issue", &body);
    if answer.is_err() {
        journal.acts().unanswered += 1;
    }
    take(journal, answer, 201, |journal, answer| {
        let id = text(answer, "id");
        own.push(id.clone());
        let mut acts = journal.acts();
        acts.credentials.insert(id.clone(), Credential::default());
        acts.offers.push((id.clone(), text(answer, "offer_uri")));
        acts.order.push(id);
    })
}

/// One of the newest offers, whichever start it was made under; each is taken once.
fn waiting(journal: &Journal, chance: &mut Chance) -> Option<(String, String)> {
    let mut acts = journal.acts();
    let from = acts.offers.len().saturating_sub(NEWEST);
    let at = from + usize::try_from(chance.below(NEWEST as u64)).unwrap_or(0);
    let at = at.min(acts.offers.len().checked_sub(1)?);
    Some(acts.offers.swap_remove(at))
}

fn redeem(client: &Client, journal: &Journal, holder: &Holder, id: &str, link: &str) -> bool {
    {
        let mut acts = journal.acts();
        let Some(credential) = acts.credentials.get_mut(id) else { return true };
        if credential.tried {
            return true; // it was taken back, or may have been: its offer is of no use
        }
        credential.asked = true;
    }
    let redeemed = holder.redeem(client, link);
    let mut acts = journal.acts();
    match redeemed {
        Redeemed::Held(place) => {
            if let Some(credential) = acts.credentials.get_mut(id) {
                credential.held = Some(place);
            }
        }
        Redeemed::Gone => return false,
        // Somebody took it back meanwhile: then, and only then, may an honest wallet be refused.
        Redeemed::Strange(fault) if !acts.credentials.get(id).is_some_and(|credential| credential.tried) => {
            acts.strange.push(format!("the wallet with {id}: {fault}"));
        }
        Redeemed::Open | Redeemed::Strange(_) => {
            drop(acts);
            std::thread::sleep(PAUSE);
        }
    }
    true
}

fn revoke(client: &Client, journal: &Journal, id: &str) -> bool {
    if let Some(credential) = journal.acts().credentials.get_mut(id) {
        credential.tried = true;
    }
    let body = json!({ "reason": "superseded" });
    let answer = client.post(&format!("/api/v1/credentials/{id}/revoke"), &body);
    take(journal, answer, 200, |journal, _| {
        if let Some(credential) = journal.acts().credentials.get_mut(id) {
            credential.revoked = true;
        }
    })
}

fn make_key(client: &Client, journal: &Journal, key: &mut Option<String>) -> bool {
    let body = json!({ "alg": "p256", "label": "kill loop", "uses": ["jws:*"] });
    take(journal, client.post("/api/v1/keys", &body), 201, |journal, answer| {
        let id = text(answer, "id");
        journal.acts().keys.push(id.clone());
        *key = Some(id);
    })
}

fn sign(client: &Client, journal: &Journal, key: &str) -> bool {
    let body = json!({ "format": "jws", "typ": "specimen+jwt", "payload": { "amount": "25.00" } });
    take(journal, client.post(&format!("/api/v1/keys/{key}/sign"), &body), 200, |_, _| {})
}

/// Writes an acknowledged act down. False when the server is gone.
fn take(
    journal: &Journal,
    answer: Result<Answer, String>,
    wanted: u16,
    note: impl FnOnce(&Journal, &Value),
) -> bool {
    let Ok(answer) = answer else { return false };
    match &answer.event {
        Some(event) if answer.status == wanted => {
            note(journal, &answer.json());
            journal.acts().events.push(event.clone());
        }
        _ if answer.status == 503 || answer.status == 429 => std::thread::sleep(PAUSE),
        _ => journal.acts().strange.push(format!("{}: {}", answer.status, answer.text)),
    }
    true
}

fn text(answer: &Value, name: &str) -> String {
    answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
