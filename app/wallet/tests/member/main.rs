//! Two wallets and a real relay, over real sockets: membership, enrolment, messages, absence, one process at a time.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop at the first surprise, as tests do")]

mod house;

use house::{House, passphrase};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;
use tessera_wallet::cli::{
    Accept, Alone, Contacts, Join, MakeInvite, Place, Receive, Send, Terminal, Trouble, Verb, perform,
};
use tessera_wallet::engine::Wallet;

struct Holder {
    home: TempDir,
    passphrase_file: std::path::PathBuf,
}

impl Holder {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Wallet::create(home.path(), &passphrase(), &[]).unwrap();
        let passphrase_file = home.path().join("passphrase");
        std::fs::write(&passphrase_file, passphrase().expose()).unwrap();
        Self { home, passphrase_file }
    }

    fn place(&self) -> Place {
        Place {
            home: Some(self.home.path().to_path_buf()),
            passphrase_file: Some(self.passphrase_file.clone()),
            ca: None,
        }
    }

    fn does(&self, verb: &Verb) -> Result<Value, Trouble> {
        does(verb)
    }

    fn invites(&self) -> String {
        let made = self.does(&Verb::Invite(MakeInvite { name: None, place: self.place() })).unwrap();
        made["link"].as_str().unwrap().to_owned()
    }

    fn accepts(&self, uri: &str) -> Result<Value, Trouble> {
        self.does(&Verb::Accept(Accept { uri: uri.to_owned(), tx_code: None, place: self.place() }))
    }

    fn joins(&self, uri: &str, name: &str) -> Result<Value, Trouble> {
        self.does(&Verb::Join(Join { uri: uri.to_owned(), name: name.to_owned(), place: self.place() }))
    }

    fn receives(&self, rounds: u64) -> Vec<String> {
        texts(&self.does(&Verb::Receive(Receive { follow: false, rounds, place: self.place() })).unwrap())
    }

    fn sends(&self, contact: &str, text: &str, wait: bool) -> Result<Value, Trouble> {
        let (contact, text) = (contact.to_owned(), text.to_owned());
        self.does(&Verb::Send(Send { contact, text, wait, place: self.place() }))
    }

    fn contacts(&self) -> Vec<Value> {
        let listed = self.does(&Verb::Contacts(Contacts::List { place: self.place() })).unwrap();
        listed["items"].as_array().unwrap().clone()
    }

    fn verifies(&self, id: &str, code: &str) -> Result<Value, Trouble> {
        let (id, code) = (id.to_owned(), code.to_owned());
        self.does(&Verb::Contacts(Contacts::Verify { id, code, place: self.place() }))
    }
}

fn texts(came: &Value) -> Vec<String> {
    let items = came["items"].as_array().unwrap();
    items.iter().map(|item| item["text"].as_str().unwrap().to_owned()).collect()
}

/// Hands on what is said, as it is said.
struct Says(std::sync::mpsc::Sender<Vec<u8>>);

impl std::io::Write for Says {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Nobody listens any more after the first word.
        let _ = self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn does(verb: &Verb) -> Result<Value, Trouble> {
    does_saying(verb, &mut Vec::new())
}

fn does_saying(verb: &Verb, said: &mut dyn std::io::Write) -> Result<Value, Trouble> {
    let mut out = Vec::new();
    let mut terminal = Terminal {
        out: &mut out,
        said,
        ask: &mut || None,
        passphrase: &mut |_| None,
        json: true,
        yes: true,
        clock: None,
    };
    perform(verb, &mut terminal)?;
    Ok(serde_json::from_slice(&out).unwrap_or(Value::Null))
}

/// Both go online, a few rounds at a time, until their contact is in this state on both sides. How their rounds fall together is
/// the machine's affair: what one misses it fetches later.
fn until_both_are(state: &str, one: &Holder, other: &Holder) -> (Value, Value) {
    let mut seen = (Value::Null, Value::Null);
    for _ in 0..12 {
        std::thread::scope(|scope| {
            let theirs = scope.spawn(|| other.receives(8));
            one.receives(8);
            theirs.join().unwrap();
        });
        seen = (one.contacts().remove(0), other.contacts().remove(0));
        if seen.0["state"] == state && seen.1["state"] == state {
            return seen;
        }
    }
    panic!("not {state} on both sides after 96 rounds: {seen:?}");
}

#[test]
fn two_wallets_enrol_over_a_relay_compare_codes_and_write_to_each_other() {
    let house = House::new();
    let (ana, bo) = (Holder::new(), Holder::new());
    let joined = ana.joins(&house.member_link(), "Ana").unwrap();
    assert!(joined["member"].as_str().unwrap().starts_with("mbr_"));
    assert_eq!(joined["claim"]["epsilon"], "0");
    let invite = ana.invites();
    assert_eq!(ana.contacts()[0]["state"], "invited");
    // An invite brings Bo into the network, which takes cells from anybody while tokens are off.
    let pending = bo.accepts(&invite).unwrap();
    assert_eq!((pending["name"].as_str(), pending["state"].as_str()), (Some("Ana"), Some("pending")));
    let (of_ana, of_bo) = until_both_are("unverified", &ana, &bo);
    assert_eq!(of_ana["code"], of_bo["code"]);
    let code = of_ana["code"].as_str().unwrap().to_owned();
    let (bo_id, ana_id) = (of_ana["id"].as_str().unwrap(), of_bo["id"].as_str().unwrap());
    assert_eq!(ana.verifies(bo_id, "000-000-000").unwrap_err().page.code, "wallet/codes-differ");
    ana.verifies(bo_id, &code).unwrap();
    bo.verifies("Ana", &code).unwrap();
    until_both_are("verified", &ana, &bo);

    // Bo is away while Ana writes; what he missed he fetches, once.
    let sent = ana.sends(bo_id, "while you were away", true).unwrap();
    assert_eq!((sent["state"].as_str(), sent["events"].as_u64()), (Some("sent"), Some(0)));
    ana.sends(bo_id, "and another", false).unwrap();
    ana.receives(6);
    assert_eq!(bo.receives(6), ["while you were away", "and another"]);
    assert!(bo.receives(5).is_empty());
    bo.sends(ana_id, "answer", true).unwrap();
    assert_eq!(ana.receives(5), ["answer"]);
    no_word_stands_in(&house, ana.home.path(), &["while you were away", "Ana"]);
}

/// Nothing that was said stands in a wallet's file.
fn no_word_stands_in(house: &House, home: &Path, words: &[&str]) {
    let file = std::fs::read(home.join("wallet.db")).unwrap();
    for word in words {
        assert!(!file.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
    assert!(house.relay.network().is_some());
    drop(house.store.clone());
}

#[test]
fn a_wallet_that_is_online_is_used_by_one_process_and_takes_what_others_leave() {
    let house = House::new();
    let (ana, bo) = (Holder::new(), Holder::new());
    ana.joins(&house.member_link(), "Ana").unwrap();
    bo.accepts(&ana.invites()).unwrap();
    let (of_ana, _) = until_both_are("unverified", &ana, &bo);
    let bo_id = of_ana["id"].as_str().unwrap().to_owned();
    let received = std::thread::scope(|scope| {
        let (says, said) = std::sync::mpsc::channel();
        let verb = Verb::Receive(Receive { follow: false, rounds: 60, place: ana.place() });
        let online = scope.spawn(move || texts(&does_saying(&verb, &mut Says(says)).unwrap()));
        // Until the other thread is online, the message would be queued by this one.
        assert_eq!(said.recv().unwrap(), b"online\n");
        let left = ana.sends(&bo_id, "left for the one that is online", false).unwrap();
        assert_eq!(left["state"], "left for the process that is online");
        assert_eq!(ana.verifies(&bo_id, "000-000-000").unwrap_err().page.code, "wallet/online-elsewhere");
        assert_eq!(ana.sends(&bo_id, "x", true).unwrap_err().page.code, "wallet/online-elsewhere");
        online.join().unwrap()
    });
    assert!(received.is_empty());
    assert_eq!(bo.receives(6), ["left for the one that is online"]);
}

#[test]
fn what_cannot_be_is_refused_with_its_page() {
    let house = House::new();
    let (ana, bo) = (Holder::new(), Holder::new());
    let code = |trouble: Trouble| trouble.page.code;
    assert_eq!(code(ana.sends("Bo", "x", false).unwrap_err()), "wallet/not-a-member");
    assert_eq!(code(ana.joins("tessera:invite/1#AAAA", "").unwrap_err()), "wallet/usage");
    let link = house.member_link();
    ana.joins(&link, "Ana").unwrap();
    assert_eq!(code(bo.joins(&link, "Bo").unwrap_err()), "wallet/peer-refused");
    assert_eq!(code(ana.sends("Bo", "x", false).unwrap_err()), "wallet/no-contact");
    let own = ana.invites();
    assert_eq!(code(ana.accepts(&own).unwrap_err()), "wallet/invite-rejected");
    bo.accepts(&own).unwrap();
    assert_eq!(code(bo.accepts(&own).unwrap_err()), "wallet/invite-rejected");
    let privacy = bo.does(&Verb::Privacy(Alone { place: bo.place() })).unwrap();
    assert_eq!((privacy["trust_domains"].as_u64(), privacy["events"]["ever"].as_u64()), (Some(1), Some(0)));
    assert!(privacy["not_protected"][0].as_str().unwrap().contains("that you are online"));
    let invited = ana.contacts().remove(0);
    let id = invited["id"].as_str().unwrap().to_owned();
    let removed = ana.does(&Verb::Contacts(Contacts::Remove { id, place: ana.place() })).unwrap();
    assert_eq!(removed["removed"], true);
    assert!(ana.contacts().is_empty());
}

/// RL-34: whoever hands over a link may name any address in it; nothing but the network's own statement is asked for there.
#[test]
fn an_address_that_is_not_in_the_manifest_is_asked_for_the_manifest_and_nothing_else() {
    let house = House::new();
    let (mirror, asked) = house.mirrored();
    let (ana, bo) = (Holder::new(), Holder::new());
    let mut link = mailbox::link::MemberLink::parse(&house.member_link()).unwrap();
    link.url = mirror.clone();
    let refused = ana.joins(&link.encode().unwrap(), "Ana").unwrap_err();
    assert_eq!(refused.page.code, "wallet/relay-rejected", "{refused:?}");
    // The same of an invite: its address is a stranger's, its network is the true one.
    let cy = Holder::new();
    cy.joins(&house.member_link(), "Cy").unwrap();
    let invite = cy.invites();
    let bytes = crypto::base64::url_decode(invite.strip_prefix(mailbox::invite::SCHEME).unwrap()).unwrap();
    let mut invite = mailbox::invite::Invite::parse(&bytes).unwrap();
    invite.url = mirror;
    let refused = bo.accepts(invite.to_link().expose()).unwrap_err();
    assert_eq!(refused.page.code, "wallet/relay-rejected", "{refused:?}");
    assert_eq!(*asked.lock().unwrap(), ["GET /relay/v1/network", "GET /relay/v1/network"]);
}
