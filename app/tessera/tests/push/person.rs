//! Somebody with a wallet that is a member of the house's relay and enrolled at its identity provider.

use crate::house::House;
use mailbox::client::Client;
use mailbox::network::Class;
use seal::scope::Scopes;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wallet::engine::Wallet;
use wallet::engine::relay::{Mailbox, Pushed, RelayLink, Stay, Told};

/// What the member calls herself: words that no row of a relay may hold.
pub(crate) const NAME: &str = "Canary Quillfeather";
/// Longest that a test waits for anything: far above what any machine takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Person {
    pub(crate) wallet: Wallet,
    pub(crate) mailbox: Mailbox,
    pub(crate) handle: String,
}

impl Person {
    /// Joins the relay's network first, so that enrolment makes the contact.
    pub(crate) fn enrolled(house: &House, link: &str) -> Person {
        let mut wallet = Wallet::in_memory(&house.anchors()).unwrap();
        joins(&mut wallet, link);
        let enrolled = wallet.enrol(&house.issuer(), None).unwrap();
        assert!(enrolled.pushes);
        let mailbox = wallet.mailbox().unwrap();
        Person { wallet, mailbox, handle: enrolled.handle }
    }

    /// An invite by which others enter the network too, while tokens are off.
    pub(crate) fn invites(&mut self) -> String {
        let invite = self.wallet.relay_invite(&mut self.mailbox, None).unwrap();
        format!("tessera:invite/1#{}", crypto::base64::url_encode(invite.expose()))
    }

    /// Online until so many sign-ins were pushed, or `over`; each with the moment at which it came.
    pub(crate) fn hears(
        &mut self,
        count: usize,
        listens: &AtomicBool,
        over: &AtomicBool,
    ) -> Vec<(Pushed, Instant)> {
        let pushed: RefCell<Vec<(Pushed, Instant)>> = RefCell::default();
        let (start, before) = (Instant::now(), self.mailbox.client().last_round(Class::Fast));
        let mut done = |client: &Client| {
            listens.store(client.last_round(Class::Fast) > before, Ordering::SeqCst);
            assert!(start.elapsed() < PATIENCE, "nothing was pushed");
            over.load(Ordering::SeqCst) || pushed.borrow().len() >= count
        };
        let mut told = |told: Told<'_>| {
            if let Told::Push(came) = told {
                pushed.borrow_mut().push((came.clone(), Instant::now()));
            }
        };
        let mut stay = Stay { rounds_min: 0, rounds_max: None, done: &mut done, told: &mut told };
        self.wallet.stay(&mut self.mailbox, &mut stay).unwrap();
        pushed.into_inner()
    }

    /// Claims a link and approves with the code that the page shows.
    pub(crate) fn signs_in(&mut self, claim_uri: &str, code: impl FnOnce() -> String) -> String {
        let claimed = self.wallet.claim(claim_uri).unwrap();
        self.wallet.approve(&claimed, &code(), &Scopes::default()).unwrap().outcome
    }
}

/// A wallet that is enrolled and in no network, and its handle.
pub(crate) fn enrolled_alone(house: &House) -> (Wallet, String) {
    let mut wallet = Wallet::in_memory(&house.anchors()).unwrap();
    let enrolled = wallet.enrol(&house.issuer(), None).unwrap();
    assert!(!enrolled.pushes);
    (wallet, enrolled.handle)
}

/// Enters the network of a member link or an invite.
pub(crate) fn joins(wallet: &mut Wallet, link: &str) {
    match RelayLink::parse(link).unwrap() {
        RelayLink::Member(link) => wallet.relay_join(&link, NAME).unwrap(),
        RelayLink::Invite(invite) => wallet.relay_enter(&invite, NAME).unwrap(),
    };
}

/// Waits until `flag`.
pub(crate) fn until(flag: &AtomicBool) {
    let start = Instant::now();
    while !flag.load(Ordering::SeqCst) {
        assert!(start.elapsed() < PATIENCE, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}
