//! The verbs of a member: join, invite, contacts, send, receive, privacy, daemon.

use super::{Place, Terminal, Trouble, answer, push};
use crate::engine::Wallet;
use crate::engine::relay::{Letter, Mailbox, Membership, RelayError, RelayLink, Stay, Told, find, shown_id};
use crate::page;
use crate::text;
use crypto::{base64, hex};
use mailbox::budget::{self, Adjacency};
use mailbox::client::{Client, Notice};
use mailbox::contact::{Contact, ContactId, ContactState};
use mailbox::cover::{Cover, Mechanism, Ratio};
use mailbox::enrol::Code;
use mailbox::invite::{Invite, SCHEME};
use mailbox::link::MemberLink;
use mailbox::network::{self, Class, Manifest};
use serde_json::{Value, json};
use std::io::Read;

/// Rounds that a verb stays online at least: going online for one message would be a sign.
const ROUNDS_MIN: u64 = 5;
/// Rounds that `send --wait` waits at most; then the message stays queued.
const WAIT_ROUNDS_MAX: u64 = 600;

/// Arguments of `wallet join`.
#[derive(Clone, Debug, clap::Args)]
pub struct Join {
    /// The member link, as tessera:member/1#…, or an invite
    #[arg(value_name = "URI")]
    pub uri: String,
    /// What you call yourself; your contacts see it
    #[arg(long, value_name = "NAME", default_value = "")]
    pub name: String,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet invite`.
#[derive(Clone, Debug, clap::Args)]
pub struct MakeInvite {
    /// What you call yourself; who accepts sees it
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Contacts of the wallet.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Contacts {
    /// List contacts and open invites
    List {
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
    /// Show one contact, with the code to compare
    Show {
        /// Id, the beginning of it, or name
        #[arg(value_name = "ID")]
        id: String,
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
    /// Say that the codes agree, after you compared them by voice or in person
    Verify {
        /// Id, the beginning of it, or name
        #[arg(value_name = "ID")]
        id: String,
        /// The code that the other person reads out
        #[arg(long, value_name = "123-456-789")]
        code: String,
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
    /// Hear nothing of a contact any more: its keys are dropped for good
    Block {
        /// Id, the beginning of it, or name
        #[arg(value_name = "ID")]
        id: String,
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
    /// Forget a contact or an open invite; letters stay
    Remove {
        /// Id, the beginning of it, or name
        #[arg(value_name = "ID")]
        id: String,
        /// Where the wallet is.
        #[command(flatten)]
        place: Place,
    },
}

/// Arguments of `wallet send`.
#[derive(Clone, Debug, clap::Args)]
pub struct Send {
    /// Id, the beginning of it, or name
    #[arg(value_name = "CONTACT")]
    pub contact: String,
    /// The message, or - for standard input
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Go online until all of it is sent; at least five rounds
    #[arg(long)]
    pub wait: bool,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet receive`.
#[derive(Clone, Debug, clap::Args)]
pub struct Receive {
    /// Stay online and print what comes, until it is stopped
    #[arg(long)]
    pub follow: bool,
    /// Rounds to stay online; at least five
    #[arg(long, value_name = "N", default_value_t = ROUNDS_MIN, conflicts_with = "follow")]
    pub rounds: u64,
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `wallet privacy` and `wallet daemon`.
#[derive(Clone, Debug, clap::Args)]
pub struct Alone {
    /// Where the wallet is.
    #[command(flatten)]
    pub place: Place,
}

pub(super) fn join(args: &Join, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    match RelayLink::parse(&args.uri)? {
        RelayLink::Member(link) => become_member(&link, args, terminal),
        RelayLink::Invite(invite) => accept(&invite, &args.name, &args.place, terminal),
    }
}

/// `wallet accept` of a relay link.
pub(super) fn accept_link(uri: &str, place: &Place, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let args = Join { uri: uri.to_owned(), name: String::new(), place: place.clone() };
    join(&args, terminal)
}

fn become_member(link: &MemberLink, args: &Join, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let mut wallet = args.place.open(terminal)?;
    let membership = wallet.relay_join(link, &args.name)?;
    terminal.answer(&network_answer(&membership))
}

fn accept(invite: &Invite, name: &str, place: &Place, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let mut wallet = place.open(terminal)?;
    wallet.relay_enter(invite, name)?;
    let mut mailbox = wallet.mailbox()?;
    terminal.tell(&format!("an invite of somebody who calls himself {}\n", quoted(&invite.name)));
    if !terminal.agrees("answer it?")? {
        return Err(Trouble::of(&page::DECLINED, "you said no: the invite stays good until it ends"));
    }
    let id = wallet.relay_accept(&mut mailbox, invite)?;
    terminal.tell(
        "go online with `tessera wallet receive` until the contact is unverified; then compare the codes\n",
    );
    let contact = mailbox.client().contact(id).map(contact_answer);
    terminal.answer(&contact.unwrap_or(Value::Null))
}

pub(super) fn invite(args: &MakeInvite, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let mut wallet = args.place.open(terminal)?;
    let mut mailbox = wallet.mailbox()?;
    let bytes = wallet.relay_invite(&mut mailbox, args.name.as_deref())?;
    terminal.tell("whoever holds this link can accept it, once: hand it over by a way that you both trust\n");
    let made = mailbox.client().invites().last().map(invite_answer).unwrap_or_default();
    let link = format!("{SCHEME}{}", base64::url_encode(bytes.expose()));
    let qr_text = mailbox::base45::encode(bytes.expose());
    // An encoded invite is over a thousand characters: a table would cut it.
    if !terminal.json {
        terminal.plain(&link)?;
        return Ok(());
    }
    let mut answer = made;
    answer["link"] = link.into();
    answer["qr_text"] = qr_text.into();
    terminal.answer(&answer)
}

pub(super) fn contacts(verb: &Contacts, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    match verb {
        Contacts::List { place } => {
            let wallet = place.open(terminal)?;
            let (client, _) = wallet.mailbox_seen()?;
            let known = client.contacts().iter().map(contact_answer);
            terminal.answer(&answer::list(known.chain(client.invites().map(invite_answer))))
        }
        Contacts::Show { id, place } => {
            let wallet = place.open(terminal)?;
            let (client, membership) = wallet.mailbox_seen()?;
            let id = find(&client, id)?;
            let shown = client.contact(id).map(|contact| spent_answer(contact, &client, &membership));
            terminal.answer(&shown.unwrap_or(Value::Null))
        }
        Contacts::Verify { id, code, place } => {
            let code = Code::parse(code)
                .ok_or_else(|| Trouble::of(&page::USAGE, "a code has nine digits, as 123-456-789"))?;
            let (mut wallet, mut mailbox, id) = opened(id, place, terminal)?;
            wallet.relay_verify(&mut mailbox, id, code)?;
            terminal.answer(&mailbox.client().contact(id).map(contact_answer).unwrap_or(Value::Null))
        }
        Contacts::Block { id, place } => {
            let (mut wallet, mut mailbox, id) = opened(id, place, terminal)?;
            if !terminal.agrees("drop its keys for good?")? {
                return Err(Trouble::of(&page::DECLINED, "you said no: nothing changed"));
            }
            wallet.relay_block(&mut mailbox, id)?;
            terminal.answer(&mailbox.client().contact(id).map(contact_answer).unwrap_or(Value::Null))
        }
        Contacts::Remove { id, place } => remove(id, place, terminal),
    }
}

fn remove(id: &str, place: &Place, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let mut wallet = place.open(terminal)?;
    let mut mailbox = wallet.mailbox()?;
    if let Some(digest) = id.strip_prefix("inv_") {
        if !wallet.relay_withdraw(&mut mailbox, digest)? {
            return Err(RelayError::NoContact(id.to_owned()).into());
        }
        return terminal.answer(&json!({ "id": id, "removed": true }));
    }
    let found = mailbox.find(id)?;
    if !terminal.agrees("forget it and its keys for good?")? {
        return Err(Trouble::of(&page::DECLINED, "you said no: it was kept"));
    }
    wallet.relay_remove(&mut mailbox, found)?;
    terminal.answer(&json!({ "id": shown_id(found), "removed": true }))
}

fn opened(
    id: &str,
    place: &Place,
    terminal: &mut Terminal<'_>,
) -> Result<(Wallet, Mailbox, ContactId), Trouble> {
    let wallet = place.open(terminal)?;
    let mailbox = wallet.mailbox()?;
    let id = mailbox.find(id)?;
    Ok((wallet, mailbox, id))
}

pub(super) fn send(args: &Send, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let mut wallet = args.place.open(terminal)?;
    let message = text_of(&args.text)?;
    let mut mailbox = match wallet.mailbox() {
        Err(RelayError::OnlineElsewhere) if !args.wait => {
            let (client, membership) = wallet.mailbox_seen()?;
            let id = open_contact(&client, &args.contact)?;
            let cells = mailbox::delivery::cut(message.as_bytes())
                .map_err(|refusal| RelayError::Send(refusal.into()))?
                .len();
            wallet.relay_leave(id, message.as_bytes())?;
            return terminal.answer(&sent_answer(
                id,
                cells,
                "left for the process that is online",
                &membership,
            ));
        }
        other => other?,
    };
    let id = mailbox.find(&args.contact)?;
    warn_unverified(mailbox.client(), id, terminal);
    let (_, cells) = wallet.relay_send(&mut mailbox, id, message.as_bytes())?;
    if !args.wait {
        terminal.tell("going online in order to send is a sign; `tessera wallet daemon` is online anyway\n");
        return terminal.answer(&sent_answer(id, cells, "queued", mailbox.membership()));
    }
    let unsent = |client: &Client| client.contact(id).is_some_and(|contact| contact.unsent_cells() > 0);
    let mut stay = Stay {
        rounds_min: ROUNDS_MIN,
        rounds_max: Some(WAIT_ROUNDS_MAX),
        done: &mut |client| !unsent(client),
        told: &mut |told| tell(&told, terminal),
    };
    wallet.stay(&mut mailbox, &mut stay)?;
    let word = if unsent(mailbox.client()) { "queued" } else { "sent" };
    terminal.answer(&sent_answer(id, cells, word, mailbox.membership()))
}

pub(super) fn receive(args: &Receive, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let mut wallet = args.place.open(terminal)?;
    let mut mailbox = match wallet.mailbox() {
        // What came is in the file already.
        Err(RelayError::OnlineElsewhere) if !args.follow => return print_unread(&mut wallet, terminal),
        other => other?,
    };
    if !args.follow {
        let rounds = args.rounds.max(ROUNDS_MIN);
        let mut stay = Stay {
            rounds_min: rounds,
            rounds_max: None,
            done: &mut |client| client.behind() == 0,
            told: &mut |told| tell(&told, terminal),
        };
        wallet.stay(&mut mailbox, &mut stay)?;
        return print_unread(&mut wallet, terminal);
    }
    follow(&mut wallet, &mut mailbox, terminal, true)
}

pub(super) fn daemon(args: &Alone, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let mut wallet = args.place.open(terminal)?;
    let mut mailbox = wallet.mailbox()?;
    follow(&mut wallet, &mut mailbox, terminal, false)
}

/// Stays online until the process is ended; one line for each letter, if they are printed here.
fn follow(
    wallet: &mut Wallet,
    mailbox: &mut Mailbox,
    terminal: &mut Terminal<'_>,
    prints: bool,
) -> Result<(), Trouble> {
    let mut printed: Vec<String> = Vec::new();
    let before: Vec<Letter> = if prints { wallet.letters()? } else { Vec::new() };
    for letter in before.iter().filter(|letter| !letter.record.is_read) {
        terminal.letter(letter)?;
        printed.push(letter.id.clone());
    }
    wallet.mark_read(&before)?;
    let mut stay = Stay {
        rounds_min: 0,
        rounds_max: None,
        done: &mut |_| false,
        told: &mut |told| match told {
            Told::Letters(letters) if prints => {
                for letter in
                    letters.iter().filter(|letter| !printed.contains(&letter.id)).collect::<Vec<_>>()
                {
                    // A reader that went away ends with the next verb.
                    let _ = terminal.letter(letter);
                    printed.push(letter.id.clone());
                }
            }
            other => tell(&other, terminal),
        },
    };
    wallet.stay(mailbox, &mut stay)?;
    Ok(())
}

fn print_unread(wallet: &mut Wallet, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let unread: Vec<Letter> = wallet.letters()?.into_iter().filter(|letter| !letter.record.is_read).collect();
    terminal.answer(&answer::list(unread.iter().map(letter_answer)))?;
    Ok(wallet.mark_read(&unread)?)
}

pub(super) fn privacy(args: &Alone, terminal: &mut Terminal<'_>) -> Result<(), Trouble> {
    let wallet = args.place.open(terminal)?;
    let (client, membership) = wallet.mailbox_seen()?;
    let mut answer = network_answer(&membership);
    answer["missed_rounds"] = client.behind().into();
    let now_ms = u64::try_from(wallet.clock_ms()).unwrap_or(0);
    let manifest = membership.manifest.manifest();
    answer["events"] = tally_answer(client.tally(), now_ms, manifest);
    answer["contacts"] = client
        .contacts()
        .iter()
        .map(|contact| {
            json!({
                "id": shown_id(contact.id()),
                "name": contact.name(),
                "events": tally_answer(contact.tally(), now_ms, manifest),
            })
        })
        .collect::<Vec<Value>>()
        .into();
    answer["sign_in_push"] = push::told(&wallet, &membership)?;
    answer["not_protected"] = json!(NOT_PROTECTED);
    terminal.answer(&answer)
}

/// What no setting of this network hides: a line each.
const NOT_PROTECTED: [&str; 10] = [
    "that you are online, when, and from which address",
    "how many members there are",
    "a contact who tells",
    "an operator of every relay",
    "denial of service",
    "catching up after absence",
    "metadata recorded today against a quantum computer",
    "traffic beyond the promised events",
    "several devices",
    "groups",
];

fn network_answer(membership: &Membership) -> Value {
    let manifest = membership.manifest.manifest();
    json!({
        "network": membership.manifest.network().to_string(),
        "name": manifest.name,
        "relay": membership.url,
        "relays": manifest.n,
        "hops": manifest.k,
        "trust_domains": manifest.trust_domains(),
        "round_ms": manifest.class(Class::Normal).map(|rule| rule.round_ms),
        "claim": { "epsilon": manifest.claim.epsilon, "delta": manifest.claim.delta, "events": manifest.claim.events },
        "guarantee": manifest.guarantee,
        "member": membership.member,
    })
}

fn contact_answer(contact: &Contact) -> Value {
    json!({
        "id": shown_id(contact.id()),
        "name": contact.name(),
        "state": contact.state().word(),
        "code": contact.code().map(|code| code.to_string()),
        "waiting": contact.waiting(),
    })
}

fn spent_answer(contact: &Contact, client: &Client, membership: &Membership) -> Value {
    let mut value = contact_answer(contact);
    let (here, there) = contact.agreed();
    value["agreed"] = json!({ "here": here, "there": there });
    let now = client.last_round(Class::Normal).unwrap_or(0);
    let now_ms = client.network().calendar.starts_at_ms(Class::Normal, now);
    value["events"] = tally_answer(contact.tally(), now_ms, membership.manifest.manifest());
    value
}

fn invite_answer(invite: &Invite) -> Value {
    let ends = i64::try_from(invite.expires_s).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    json!({
        "id": format!("inv_{}", &hex::encode(&invite.digest())[..16]),
        "name": invite.name,
        "state": "invited",
        "code": null,
        "waiting": 0,
        "expires_at": ends.map(|at| at.to_string()),
    })
}

fn letter_answer(letter: &Letter) -> Value {
    let record = &letter.record;
    json!({
        "id": letter.id,
        "at": record.at().to_string(),
        "contact": record.contact,
        "name": record.name,
        "state": record.state,
        "text": record.text,
    })
}

fn sent_answer(id: ContactId, cells: usize, word: &str, membership: &Membership) -> Value {
    let manifest = membership.manifest.manifest();
    let is_bucketed = manifest.class(Class::Normal).is_some_and(|rule| rule.mode == network::Mode::Bucketed);
    json!({
        "contact": shown_id(id),
        "state": word,
        "rounds": cells,
        "events": if is_bucketed { cells } else { 0 },
    })
}

/// Events of this month and for ever, with the ε that they add up to at the promised δ.
fn tally_answer(tally: &mailbox::account::Tally, now_ms: u64, manifest: &Manifest) -> Value {
    let (month, ever) = (tally.in_month(now_ms), tally.ever());
    json!({
        "month": month,
        "month_epsilon": epsilon(month, manifest),
        "ever": ever,
        "ever_epsilon": epsilon(ever, manifest),
    })
}

/// ε of so many events at the promised δ; 0 in full mode, where cells show nothing.
fn epsilon(events: u64, manifest: &Manifest) -> Option<f64> {
    let rule = manifest.class(Class::Normal)?;
    let (mechanism, shift) = match &rule.mechanism {
        _ if events == 0 || rule.mode == network::Mode::Full => return Some(0.0),
        network::Mechanism::None => return None,
        network::Mechanism::Gaussian { sigma2, shift } => (Mechanism::Gaussian { sigma2: *sigma2 }, *shift),
        network::Mechanism::Laplace { num, den, shift } => {
            (Mechanism::Laplace { epsilon_b: Ratio { num: *num, den: *den } }, *shift)
        }
    };
    let cover = Cover::new(mechanism, u64::from(shift)).ok()?;
    let delta: f64 = manifest.claim.delta.parse().ok()?;
    let (epsilon, _) = budget::account::composed(&cover, Adjacency::Substitution, events, delta / 2.0);
    Some((epsilon * 1_000.0).ceil() / 1_000.0)
}

fn open_contact(client: &Client, wanted: &str) -> Result<ContactId, RelayError> {
    let id = find(client, wanted)?;
    match client.contact(id) {
        Some(contact) if contact.is_open() => Ok(id),
        Some(contact) => Err(RelayError::Send(mailbox::client::SendRefusal::State(contact.state()))),
        None => Err(RelayError::NoContact(wanted.to_owned())),
    }
}

fn warn_unverified(client: &Client, id: ContactId, terminal: &mut Terminal<'_>) {
    if client.contact(id).is_some_and(|contact| contact.state() == ContactState::Unverified) {
        terminal.tell("unverified: whoever took the invite could be the peer; compare the codes\n");
    }
}

fn text_of(argument: &str) -> Result<String, Trouble> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    let bytes_max = mailbox::delivery::MESSAGE_BYTES_MAX as u64 + 1;
    std::io::stdin()
        .take(bytes_max)
        .read_to_string(&mut text)
        .map_err(|fault| Trouble::of(&page::USAGE, format!("standard input: {fault}")))?;
    Ok(text)
}

fn quoted(name: &str) -> String {
    if name.is_empty() { "nothing".to_owned() } else { format!("“{}”", text::line(name)) }
}

/// What a person is told meanwhile.
fn tell(told: &Told<'_>, terminal: &mut Terminal<'_>) {
    let said = match told {
        Told::Round(_) | Told::Letters(_) => return,
        Told::Push(pushed) => push::said(pushed),
        Told::Online => "online".to_owned(),
        Told::Broken(fault) => format!("{fault}; trying again"),
        Told::Notice(notice) => match notice {
            Notice::Degraded(reason) => format!("only nulls are sent: {}", reason.words()),
            Notice::Recovered => "messages are sent again".to_owned(),
            Notice::Enrolled(id) => {
                format!("{} is a contact now, unverified: compare the codes", shown_id(*id))
            }
            Notice::Verified(id) => format!("{} is verified on both sides", shown_id(*id)),
            Notice::ConfirmRefused(id) => format!("an answer for {} did not hold", shown_id(*id)),
            Notice::BudgetNear(id) => {
                format!("80 % of the promised events with {} are spent", shown_id(*id))
            }
            Notice::BudgetSpent(id) => {
                format!("the promised events with {} are spent: its messages wait", shown_id(*id))
            }
            Notice::Undelivered(id, message) => {
                format!("message {message} to {} was given up after 30 days", shown_id(*id))
            }
            Notice::LoopsLost => "more than 5 % of the cells to yourself were lost in 24 hours".to_owned(),
        },
    };
    terminal.tell(&format!("{}\n", text::line(&said)));
}

impl Terminal<'_> {
    /// Prints one letter as it comes: a line, or a JSON object on a line.
    fn letter(&mut self, letter: &Letter) -> Result<(), Trouble> {
        let value = letter_answer(letter);
        if self.json {
            return self.plain(&value.to_string());
        }
        let record = &letter.record;
        let name = if record.name.is_empty() { &record.contact } else { &record.name };
        let line = format!("{}  {} ({})  {}", record.at(), text::line(name), record.state, record.text);
        self.plain(&text::printable(&line).replace('\n', "\n    "))
    }

    fn plain(&mut self, line: &str) -> Result<(), Trouble> {
        let written = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        match written {
            Err(fault) if fault.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Trouble::of(&page::STORAGE, fault.to_string()))
            }
            _ => Ok(()),
        }
    }
}
