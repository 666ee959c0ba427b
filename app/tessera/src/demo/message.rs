//! Step Message: two wallets become members of the house's relay and contacts of each other, compare codes, and one writes.

use super::member::{Member, joined};
use super::outsider::Outsider;
use super::report::{Report, Seen};
use crate::house::DATABASE;
use mailbox::client::Client;
use mailbox::contact::{Contact, ContactId};
use mailbox::network::Class;
use serde_json::{Value, json};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use wallet::engine::relay::{Stay, Told};

const STEP: &str = "message";
/// What the two call themselves: words that nothing else in the demo says, so that a dump can be searched for them.
const NAMES: [&str; 2] = ["Ana Quillfeather (specimen)", "Bo Marrowgate (specimen)"];
/// What is written.
const TEXT: &str = "specimen: the lanterns are lit at half past nine";
/// Rounds that both stay online for one another: some seconds, where a few rounds are enough.
const ROUNDS_MAX: u64 = 48;
/// A member of every manifest: that it is found shows that the search reads what the relay wrote.
const IN_EVERY_MANIFEST: &[u8] = b"genesis_ms";

/// What is known once the message came.
struct Delivered {
    round: u64,
    cells: usize,
    code: String,
    contacts: Vec<[u8; 8]>,
}

/// Plays the step.
pub fn step(report: &mut Report, parties: &Outsider) {
    let start = Instant::now();
    let mut delivered = None;
    report.check(
        STEP,
        "story.message",
        "a message comes, in one cell, between contacts who compared codes",
        || {
            let done = deliver(parties)?;
            let seen = Seen::new(
                done.cells == 1,
                format!(
                    "round {}, {} cell of 512 bytes, codes {} compared",
                    done.round, done.cells, done.code
                ),
            );
            delivered = Some(done);
            Ok(seen)
        },
    );
    let Some(done) = delivered else {
        report.step(STEP, start, json!({ "message": "not delivered" }));
        return;
    };
    let data = PathBuf::from(&report.data_dir);
    report.check(STEP, "attack.relay-dump", "names, contacts and texts in the relay's database: 0", || {
        let (bytes, found) = dump(&data, &done)?;
        Ok(Seen::new(found == 0, format!("{found} found in {bytes} bytes")))
    });
    let network = format!("{}/relay/v1/network", parties.base);
    report.urls.insert("relay".into(), Value::String(network));
    report.ids.insert("relay_round".into(), done.round.into());
    report.warn(
        "one-relay",
        "the relay has one operator, so its trust domain is 1; tokens are off: anybody who reaches it may send",
    );
    report.warn(
        "push-by-one-operator",
        "operator can correlate by time: one operator runs the identity provider and the relay that pushes its sign-ins",
    );
    let facts = json!({
        "message": "Ana to Bo through one relay",
        "round": format!("round {}, one 512-byte cell", done.round),
        "trust_domains": "trust domains 1: hides nothing of who is online from its operator",
    });
    report.step(STEP, start, facts);
}

fn deliver(parties: &Outsider) -> Result<Delivered, String> {
    let mut ana = Member::new(joined(parties, NAMES[0])?)?;
    let mut bo = Member::new(joined(parties, NAMES[1])?)?;
    let invite = ana.wallet.relay_invite(&mut ana.mailbox, None).map_err(|fault| fault.to_string())?;
    let invite = mailbox::invite::Invite::parse(invite.expose()).map_err(|fault| fault.to_string())?;
    bo.wallet.relay_accept(&mut bo.mailbox, &invite).map_err(|fault| fault.to_string())?;
    both_until(&mut ana, &mut bo, "unverified", false)?;
    let (of_ana, of_bo) = (ana.contact()?, bo.contact()?);
    let code = |person: &Member, id| {
        person.mailbox.client().contact(id).and_then(Contact::code).ok_or("a contact has no code")
    };
    let (hers, his) = (code(&ana, of_ana)?, code(&bo, of_bo)?);
    if hers != his {
        return Err("the codes differ".to_owned());
    }
    ana.wallet.relay_verify(&mut ana.mailbox, of_ana, his).map_err(|fault| fault.to_string())?;
    bo.wallet.relay_verify(&mut bo.mailbox, of_bo, hers).map_err(|fault| fault.to_string())?;
    let sent = ana.wallet.relay_send(&mut ana.mailbox, of_ana, TEXT.as_bytes());
    let (_, cells) = sent.map_err(|fault| fault.to_string())?;
    let round = both_until(&mut ana, &mut bo, "verified", true)?;
    let letters = bo.wallet.letters().map_err(|fault| fault.to_string())?;
    if !matches!(&letters[..], [one] if one.record.text == TEXT) {
        return Err(format!("{} letters came, not the one that was sent", letters.len()));
    }
    Ok(Delivered { round, cells, code: hers.to_string(), contacts: vec![of_ana.0, of_bo.0] })
}

impl Member {
    fn contact(&self) -> Result<ContactId, String> {
        self.mailbox.client().contacts().first().map(Contact::id).ok_or("no contact".to_owned())
    }

    /// Online until this one and the other have what they wait for; the round in which this one had it.
    fn online(
        &mut self,
        state: &str,
        letter: bool,
        (mine, theirs): (&AtomicBool, &AtomicBool),
    ) -> Result<u64, String> {
        let (came, round) = (Cell::new(!letter), Cell::new(0));
        let mut done = |client: &Client| {
            let stands = client.contacts().first().is_some_and(|one| one.state().word() == state);
            if came.get() && round.get() == 0 {
                round.set(client.last_round(Class::Normal).unwrap_or(0));
            }
            mine.store(stands && came.get(), Ordering::SeqCst);
            stands && came.get() && theirs.load(Ordering::SeqCst)
        };
        let mut told = |told: Told<'_>| {
            if matches!(told, Told::Letters(_)) {
                came.set(true);
            }
        };
        let mut stay = Stay { rounds_min: 0, rounds_max: Some(ROUNDS_MAX), done: &mut done, told: &mut told };
        self.wallet.stay(&mut self.mailbox, &mut stay).map_err(|fault| fault.to_string())?;
        if mine.load(Ordering::SeqCst) {
            Ok(round.get())
        } else {
            Err(format!("not {state} after {ROUNDS_MAX} rounds"))
        }
    }
}

/// Both online at once, for neither reads what the other has not sent; the round in which `bo` had all.
fn both_until(ana: &mut Member, bo: &mut Member, state: &str, letter: bool) -> Result<u64, String> {
    let (hers, his) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| bo.online(state, letter, (&his, &hers)));
        let here = ana.online(state, false, (&hers, &his));
        let there = other.join().map_err(|_| "a wallet broke off".to_owned())?;
        here.and(there)
    })
}

/// The bytes of the database and its journal, and how many canaries stand in them.
fn dump(data: &Path, done: &Delivered) -> Result<(usize, usize), String> {
    let mut bytes = Vec::new();
    for name in [DATABASE.to_owned(), format!("{DATABASE}-wal")] {
        bytes.extend(std::fs::read(data.join(&name)).map_err(|fault| format!("{name}: {fault}"))?);
    }
    if count(&bytes, &[IN_EVERY_MANIFEST.to_vec()]) == 0 {
        return Err("the dump does not hold what the relay surely wrote".to_owned());
    }
    let mut canaries: Vec<Vec<u8>> =
        NAMES.iter().chain([&TEXT]).map(|text| text.as_bytes().to_vec()).collect();
    for contact in &done.contacts {
        canaries.push(contact.to_vec());
        canaries.push(crypto::hex::encode(contact).into_bytes());
    }
    Ok((bytes.len(), count(&bytes, &canaries)))
}

/// Places at which one of the needles stands, in one walk over the bytes.
fn count(bytes: &[u8], needles: &[Vec<u8>]) -> usize {
    let mut begins = [false; 256];
    needles.iter().filter_map(|needle| needle.first()).for_each(|byte| begins[usize::from(*byte)] = true);
    let at = |place: usize| needles.iter().any(|needle| bytes[place..].starts_with(needle));
    bytes.iter().enumerate().filter(|(place, byte)| begins[usize::from(**byte)] && at(*place)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_wherever_it_stands() {
        let needles = [b"abc".to_vec(), b"bd".to_vec()];
        assert_eq!(count(b"abc.ab.bd", &needles), 2);
        assert_eq!(count(b"ab", &needles), 0);
    }
}
