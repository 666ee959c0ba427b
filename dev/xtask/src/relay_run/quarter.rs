//! Rounds of 250 ms: a crowd of wallets with full outboxes, two letters of one second, and one wallet that is away.

use super::program::{Home, PASSPHRASE, free_port, line_of};
use super::{Order, at, disk, tap};
use crypto::secret::Secret;
use mailbox::contact::{ContactId, ContactState};
use mailbox::invite::Invite;
use mailbox::link::MemberLink;
use std::fs;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use wallet::engine::Wallet;
use wallet::engine::relay::{Mailbox, RelayError, Stay};

/// The shortest round of a development network.
const ROUND: Duration = Duration::from_millis(250);
/// Rounds of one try of two wallets to become contacts, and how often they try: how their rounds fall together is the machine's
/// affair.
const ENROL_ROUNDS: u64 = 12;
const ENROL_TRIES_MAX: u32 = 12;
/// Rounds beyond one for each letter after which a letter is lost: acknowledgements, and rounds that a busy machine misses.
const SPARE_ROUNDS: u64 = 4_000;
/// What every letter begins with: it must not stand on the relay's disk.
const MARK: &str = "specimen letter";
/// How often the crowd is told about.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A wallet and its one partner; the third has one more contact.
struct Person {
    name: String,
    wallet: Wallet,
    mailbox: Mailbox,
    partner: Option<ContactId>,
}

pub(super) fn run(order: &Order, folder: &Path) -> Result<Vec<String>, String> {
    let home = Home::new(&order.binary, folder.join("relay"))?;
    let port = free_port()?;
    let seen = tap::open(port)?;
    let store = home.folder.join("store");
    let storage = format!("sqlite://{}/relay.db", store.display());
    let listen = format!("[::1]:{port}");
    let serve = ["relay", "serve", "--dev", "--listen", &listen, "--storage", &storage];
    let (relay, said) = home.serves(&[&serve[..], &["--round", "250ms", "--fast-round", "0"]].concat())?;
    let mut people = crowd(order, &folder.join("wallets"), line_of(&said, "Member")?)?;
    let mut told =
        vec![format!("{} wallets enrolled in pairs over the tap; codes equal on both sides", people.len())];
    told.push(one_second(&mut people)?);
    let began = Instant::now();
    told.extend(letters(order, &mut people)?);
    told.push(format!(
        "from the first queued letter to the last acknowledgement: {} s",
        began.elapsed().as_secs()
    ));
    // What the wallets call each other, before their files are closed.
    let words = words(&people);
    drop(people);
    drop(relay);
    told.push(frames(&seen.lock().unwrap_or_else(PoisonError::into_inner), order)?);
    told.push(disk::inspected(&home, &storage, &format!("http://localhost:{port}"))?);
    let bytes = disk::names_none_of(&store, &words)?;
    told.push(format!(
        "the relay's folder, {bytes} bytes: none of {} names, contact ids, addresses and beginnings of letters, in no coding",
        words.len()
    ));
    Ok(told)
}

/// Makes the wallets; the first joins by the member link, each other by the invite of its partner.
fn crowd(order: &Order, homes: &Path, link: &str) -> Result<Vec<Person>, String> {
    let mut people: Vec<Person> = Vec::new();
    let mut wallets = std::thread::scope(|scope| {
        let made: Vec<_> = (0..order.wallets)
            .map(|number| {
                let home = homes.join(format!("{number:02}"));
                scope.spawn(move || {
                    fs::create_dir_all(&home).map_err(|fault| fault.to_string())?;
                    let passphrase = Secret::new(PASSPHRASE.to_owned());
                    Wallet::create(&home, &passphrase, &[]).map_err(|fault| fault.to_string())
                })
            })
            .collect();
        let wallets =
            made.into_iter().map(|wallet| wallet.join().unwrap_or(Err("a thread stopped".to_owned())));
        wallets.collect::<Result<Vec<Wallet>, String>>()
    })?;
    let link = MemberLink::parse(link).ok_or("the relay's member link cannot be read")?;
    for number in 0..order.wallets {
        let (mut wallet, name) = (wallets.remove(0), format!("Specimen-{number:02}"));
        let invite = match people.last_mut().filter(|_| number > 0) {
            None => None,
            Some(before) => Some(invited(before)?),
        };
        match &invite {
            None => wallet.relay_join(&link, &name).map_err(fault)?,
            Some(invite) => wallet.relay_enter(invite, &name).map_err(fault)?,
        };
        let mut mailbox = wallet.mailbox().map_err(fault)?;
        // Odd ones answer the invite of the one before them; even ones only learn the network from it.
        if let Some(invite) = invite.filter(|_| number % 2 == 1) {
            wallet.relay_accept(&mut mailbox, &invite).map_err(fault)?;
        }
        people.push(Person { name, wallet, mailbox, partner: None });
    }
    let extra = invited(&mut people[1])?;
    let third = &mut people[2];
    third.wallet.relay_accept(&mut third.mailbox, &extra).map_err(fault)?;
    enrolled(&mut people)?;
    Ok(people)
}

fn invited(person: &mut Person) -> Result<Invite, String> {
    let bytes = person.wallet.relay_invite(&mut person.mailbox, None).map_err(fault)?;
    Invite::parse(bytes.expose()).map_err(|fault| format!("an invite: {fault}"))
}

/// Everybody stays online until every pair is enrolled, with equal codes.
fn enrolled(people: &mut [Person]) -> Result<(), String> {
    for _ in 0..ENROL_TRIES_MAX {
        all(people, |_, person| stay(person, ENROL_ROUNDS, ENROL_ROUNDS, &mut |_| true))?;
        let open = |person: &Person| {
            let contacts = person.mailbox.client().contacts();
            !contacts.is_empty() && contacts.iter().all(|contact| contact.state() == ContactState::Unverified)
        };
        if people.iter().all(open) {
            break;
        }
    }
    for number in 0..people.len() {
        let partner = people[number ^ 1].name.clone();
        let person = &people[number];
        let found = person.mailbox.client().contacts().iter().find(|contact| contact.name() == partner);
        let code = found.and_then(|contact| contact.code());
        let (name, id) = (person.name.clone(), found.map(|contact| contact.id()));
        let theirs =
            people[number ^ 1].mailbox.client().contacts().iter().find(|contact| contact.name() == name);
        if code.is_none() || code != theirs.and_then(|contact| contact.code()) {
            return Err(format!("{name} and {partner} are not contacts with one code"));
        }
        people[number].partner = id;
    }
    Ok(())
}

/// Two people write to one within a second; both letters come, once.
fn one_second(people: &mut [Person]) -> Result<String, String> {
    let receiver = people[1].name.clone();
    let began = Instant::now();
    for number in [0, 2] {
        let text = format!("{MARK} of one second, from {number}");
        let person = &mut people[number];
        let to = person.mailbox.find(&receiver).map_err(fault)?;
        person.wallet.relay_send(&mut person.mailbox, to, text.as_bytes()).map_err(fault)?;
    }
    let written = began.elapsed();
    all(&mut people[..3], |_, person| stay(person, ENROL_ROUNDS, ENROL_ROUNDS, &mut |_| true))?;
    let came = people[1].wallet.letters().map_err(|fault| fault.to_string())?;
    people[1].wallet.mark_read(&came).map_err(|fault| fault.to_string())?;
    let mut texts: Vec<_> = came.iter().map(|letter| letter.record.text.clone()).collect();
    texts.sort();
    if written > Duration::from_secs(1)
        || texts != [0, 2].map(|number| format!("{MARK} of one second, from {number}"))
    {
        return Err(format!("two letters, written within {} ms: {texts:?}", written.as_millis()));
    }
    Ok(format!("two letters to one person, written within {} ms: both came, once", written.as_millis()))
}

/// Everybody writes all letters to his partner, and stays until each of his own was acknowledged. The last one is away at first.
fn letters(order: &Order, people: &mut [Person]) -> Result<Vec<String>, String> {
    let (count, last, whole) = (order.letters, people.len() - 1, order.letters * people.len());
    let queued = Instant::now();
    all(people, |number, person| {
        let partner = person.partner.ok_or("no partner")?;
        for letter in 0..count {
            let text = format!("{MARK} {letter:04} of {number:02}");
            person.wallet.relay_send(&mut person.mailbox, partner, text.as_bytes()).map_err(fault)?;
        }
        Ok(())
    })?;
    println!("quarter: {whole} letters queued in {} s", queued.elapsed().as_secs());
    let (came, finished, everybody) = (AtomicUsize::new(0), AtomicUsize::new(0), people.len());
    let away = ROUND * u32::try_from(order.away_rounds).unwrap_or(u32::MAX);
    let began = Instant::now();
    let done = std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch(&came, whole, began));
        let done = all(people, |number, person| {
            if number == last {
                std::thread::sleep(away);
            }
            let rounds_max = count as u64 + order.away_rounds + SPARE_ROUNDS;
            let (mut had, mut is_done) = (0, false);
            // Until everybody's letters are here and acknowledged: who leaves earlier owes others an acknowledgement.
            let stayed = stay(person, 1, rounds_max, &mut |wallet_has| {
                came.fetch_add(wallet_has.letters - had, Ordering::Relaxed);
                had = wallet_has.letters;
                if !is_done && wallet_has.letters >= count && wallet_has.waiting == 0 {
                    is_done = true;
                    finished.fetch_add(1, Ordering::Relaxed);
                }
                finished.load(Ordering::Relaxed) == everybody
            });
            // Whoever gave up has lost a letter: that is told below, and the watch must not wait for it.
            came.fetch_add(count.saturating_sub(had), Ordering::Relaxed);
            stayed
        });
        let _ = watch.join();
        done
    });
    done?;
    let took = began.elapsed();
    let mut waits = Vec::new();
    for (number, person) in people.iter().enumerate() {
        let came = person.wallet.letters().map_err(|fault| fault.to_string())?;
        let own: Vec<_> = came.iter().filter(|letter| !letter.record.is_read).collect();
        let expected: Vec<String> =
            (0..count).map(|letter| format!("{MARK} {letter:04} of {:02}", number ^ 1)).collect();
        let mut texts: Vec<String> = own.iter().map(|letter| letter.record.text.clone()).collect();
        texts.sort();
        if texts != expected {
            return Err(format!("{} has {} letters of {count}, or one twice", person.name, texts.len()));
        }
        let mut times: Vec<i64> = own.iter().map(|letter| letter.record.at_ms).collect();
        times.sort_unstable();
        waits.extend(times.windows(2).map(|two| Duration::from_millis((two[1] - two[0]).unsigned_abs())));
    }
    waits.sort_unstable();
    Ok(vec![
        format!(
            "{whole} of {whole} letters came, each once, in {} s: {:.0} a second; from one letter of a partner to the next p50 {} ms, p99 {} ms",
            took.as_secs(),
            whole as f64 / took.as_secs_f64(),
            at(&waits, 50),
            at(&waits, 99)
        ),
        format!(
            "one wallet was away for the first {} rounds and has every letter of them",
            order.away_rounds
        ),
    ])
}

/// Says how far the crowd is.
fn watch(came: &AtomicUsize, all: usize, began: Instant) {
    let mut told = Instant::now();
    while came.load(Ordering::Relaxed) < all {
        std::thread::sleep(ROUND);
        if told.elapsed() > TELL_EVERY {
            println!(
                "quarter: {:>4} s, {} of {all} letters came",
                began.elapsed().as_secs(),
                came.load(Ordering::Relaxed)
            );
            told = Instant::now();
        }
    }
}

/// What a wallet has so far.
struct Has {
    letters: usize,
    waiting: usize,
}

/// Stays online for `rounds_min` to `rounds_max` rounds, until it is done.
fn stay(
    person: &mut Person,
    rounds_min: u64,
    rounds_max: u64,
    done: &mut dyn FnMut(Has) -> bool,
) -> Result<(), String> {
    let partner = person.partner;
    let letters = std::cell::Cell::new(0);
    let mut stay = Stay {
        rounds_min,
        rounds_max: Some(rounds_max),
        done: &mut |client| {
            let contact = partner.and_then(|id| client.contact(id));
            done(Has { letters: letters.get(), waiting: contact.map_or(0, |contact| contact.waiting()) })
        },
        told: &mut |told| {
            if let wallet::engine::relay::Told::Letters(unread) = told {
                letters.set(unread.len());
            }
        },
    };
    person.wallet.stay(&mut person.mailbox, &mut stay).map_err(fault).map(|_| ())
}

/// The same for everybody at once, each in a thread.
fn all<F>(people: &mut [Person], does: F) -> Result<(), String>
where
    F: Fn(usize, &mut Person) -> Result<(), String> + Sync,
{
    std::thread::scope(|scope| {
        let does = &does;
        let threads: Vec<_> =
            (0..).zip(people).map(|(number, person)| scope.spawn(move || does(number, person))).collect();
        threads.into_iter().try_for_each(|one| one.join().unwrap_or(Err("a thread stopped".to_owned())))
    })
}

/// What must not stand on the relay's disk.
fn words(people: &[Person]) -> Vec<Vec<u8>> {
    let ids = people
        .iter()
        .flat_map(|person| person.mailbox.client().contacts())
        .map(|contact| contact.id().0.to_vec());
    let names = people.iter().map(|person| person.name.clone().into_bytes());
    [MARK, "127.0.0.1", "[::1]"]
        .map(|word| word.as_bytes().to_vec())
        .into_iter()
        .chain(ids)
        .chain(names)
        .collect()
}

/// What the tap saw: sizes alone.
fn frames(seen: &tap::Seen, order: &Order) -> Result<String, String> {
    if let Some(fault) = seen.faults.first() {
        return Err(format!("{} frames are not of their public size; the first: {fault}", seen.faults.len()));
    }
    let turns: u64 =
        seen.frames.iter().filter(|((up, kind, _), _)| *up && *kind == 3).map(|(_, count)| count).sum();
    if turns < order.letters as u64 * order.wallets as u64 {
        return Err(format!("the tap saw {turns} turns: fewer than there were letters"));
    }
    let sizes: Vec<String> = seen
        .frames
        .iter()
        .map(|((up, kind, length), count)| {
            let way = if *up { "up" } else { "down" };
            let size = if *length == 0 { "by its rows".to_owned() } else { format!("{length} bytes") };
            format!("{way} {kind:02x} {size} × {count}")
        })
        .collect();
    Ok(format!(
        "the tap on {} links: every frame of its public size, never two turns in a round ({}); {} MB up, {} MB down",
        seen.links,
        sizes.join(", "),
        seen.bytes_up / 1_000_000,
        seen.bytes_down / 1_000_000
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn fault(fault: RelayError) -> String {
    fault.to_string()
}
