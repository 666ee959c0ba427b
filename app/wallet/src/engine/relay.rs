//! The member of a relay network in this wallet: membership, contacts, and what it sends and receives.
//!
//! ```text
//! member link ─ join ─► membership (manifest, key)      invite | accept | verify | send ─► state in the vault
//! Wallet::mailbox ─► Mailbox (locked) ─ Wallet::stay ─► link to the relay: one cell in each round ─► letters in the vault
//! ```
//! Every decision is made by `mailbox::client`; this module keeps its state, carries its cells and asks the relay for what it
//! publishes. Invariants: one process of a wallet is online at a time, since two would use the same keys; the state is in the file
//! before a cell of it leaves; letters are stored in the transaction that stores the state they came with; no address is dialled
//! that is not in the manifest.

mod doors;
mod link;
mod online;
mod push;

pub use doors::RelayFault;
pub use online::{Stay, Told};
pub use push::{PushError, PushState, Pushed, PushedSignin};

use super::{Wallet, new_id};
use crate::record::{self, LetterRecord, MembershipRecord, OutgoingRecord};
use crate::vault::{Kind, Vault, VaultFault};
use crypto::hex;
use crypto::secret::Secret;
use mailbox::client::{
    AcceptRefusal, Client, InviteRefusal, Message, Moment, Network, SendRefusal, Settings, VerifyRefusal,
};
use mailbox::contact::{Contact, ContactId};
use mailbox::enrol::Code;
use mailbox::invite::{Invite, InviteFault};
use mailbox::link::MemberLink;
use mailbox::network::{Manifest, NetworkId, SignedStatement, Tokens, VerifiedManifest};
use std::fs::File;
use std::path::PathBuf;

/// Id of the one membership.
const MEMBERSHIP: &str = "1";
/// Id of the client's core beside its contacts.
const CORE: &str = "core";
/// Letters that are kept; beyond, the oldest that were read go.
pub const LETTERS_MAX: usize = 10_000;
/// Letters that wait for the process that is online.
pub const OUTGOING_MAX: usize = 256;
/// The file that the process which is online holds.
const LOCK: &str = "relay.lock";

/// Why a relay verb does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The file.
    #[error(transparent)]
    Vault(#[from] VaultFault),
    /// The relay's doors and link.
    #[error(transparent)]
    Relay(#[from] RelayFault),
    /// This wallet is in no network.
    #[error("this wallet has joined no relay network")]
    NotMember,
    /// It is in one already.
    #[error("this wallet is a member of another network already: {0}")]
    OtherNetwork(String),
    /// Another process of this wallet is online.
    #[error("another process of this wallet is online")]
    OnlineElsewhere,
    /// The link is neither a member link nor an invite.
    #[error("not a member link, and not an invite: {0}")]
    Link(InviteFault),
    /// No contact, or several, go by this name or id.
    #[error("no one contact here goes by {0}")]
    NoContact(String),
    /// The network asks for tokens, and so for a member link.
    #[error("the network takes members only: ask its operator for a member link")]
    MembersOnly,
    /// See [`InviteRefusal`].
    #[error(transparent)]
    Invite(#[from] InviteRefusal),
    /// See [`AcceptRefusal`].
    #[error(transparent)]
    Accept(#[from] AcceptRefusal),
    /// See [`SendRefusal`].
    #[error(transparent)]
    Send(#[from] SendRefusal),
    /// See [`VerifyRefusal`].
    #[error(transparent)]
    Verify(#[from] VerifyRefusal),
    /// As many letters wait as can.
    #[error("{OUTGOING_MAX} letters wait for the process that is online")]
    OutgoingFull,
    /// The contact reads nothing.
    #[error("this contact pushes sign-ins and reads nothing")]
    OnlyPushes,
}

/// What is read from a link before anything is done.
#[derive(Debug)]
pub enum RelayLink {
    /// To become a member.
    Member(MemberLink),
    /// To become somebody's contact.
    Invite(Box<Invite>),
}

/// The membership.
#[derive(Debug)]
pub struct Membership {
    /// The network, as its relays signed it.
    pub manifest: VerifiedManifest,
    /// The relay that is dialled.
    pub url: String,
    /// What the member calls himself.
    pub name: String,
    /// The member's id, where one was given.
    pub member: Option<String>,
}

/// The open state of a member: nobody else of this wallet is online while it lives.
#[derive(Debug)]
pub struct Mailbox {
    client: Option<Client>,
    membership: Membership,
    _lock: Option<File>,
}

/// A letter that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its id here.
    pub id: String,
    /// What it holds.
    pub record: LetterRecord,
}

impl RelayLink {
    /// Whether a link is for the relay, by its scheme.
    #[must_use]
    pub fn is_one(link: &str) -> bool {
        link.starts_with("tessera:")
    }

    /// Reads a member link or an invite.
    ///
    /// # Errors
    /// [`RelayError::Link`].
    pub fn parse(link: &str) -> Result<Self, RelayError> {
        if let Some(member) = MemberLink::parse(link) {
            return Ok(Self::Member(member));
        }
        Invite::from_link(link).map(|invite| Self::Invite(Box::new(invite))).map_err(RelayError::Link)
    }
}

impl Wallet {
    /// Becomes a member by a one-time link.
    ///
    /// # Errors
    /// [`RelayError`]; nothing is stored then.
    pub fn relay_join(&mut self, link: &MemberLink, name: &str) -> Result<Membership, RelayError> {
        if let Some(known) = self.membership_record()? {
            return Err(RelayError::OtherNetwork(known.network));
        }
        let manifest = doors::network(&self.client, &link.url, link.network)?;
        let seed = Secret::new(crypto::random::array::<64>());
        let member = doors::join(&self.client, &manifest, link, &seed, self.relay_now_ms())?;
        self.begin_membership(&manifest, &link.url, name, Some(member), &seed)
    }

    /// Enters the network of an invite, where tokens are off; a member of it stays one.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn relay_enter(&mut self, invite: &Invite, name: &str) -> Result<Membership, RelayError> {
        let network = NetworkId(invite.network_id);
        match self.membership_record()? {
            Some(known) if known.network == network.to_string() => return self.membership(),
            Some(known) => return Err(RelayError::OtherNetwork(known.network)),
            None => {}
        }
        let manifest = doors::network(&self.client, &invite.url, network)?;
        if manifest.manifest().tokens != Tokens::Off {
            return Err(RelayError::MembersOnly);
        }
        let seed = Secret::new(crypto::random::array::<64>());
        self.begin_membership(&manifest, &invite.url, name, None, &seed)
    }

    /// The membership.
    ///
    /// # Errors
    /// [`RelayError::NotMember`].
    pub fn membership(&self) -> Result<Membership, RelayError> {
        self.membership_record()?.ok_or(RelayError::NotMember)?.read()
    }

    /// Opens the member's state for changes; nobody else of this wallet can be online meanwhile.
    ///
    /// # Errors
    /// [`RelayError::NotMember`], [`RelayError::OnlineElsewhere`].
    pub fn mailbox(&self) -> Result<Mailbox, RelayError> {
        let membership = self.membership()?;
        let lock = self.vault.home().map(|home| lock(home.join(LOCK))).transpose()?;
        Ok(Mailbox { client: Some(self.load(&membership)?), membership, _lock: lock })
    }

    /// The member's state as it stands in the file, to look at.
    ///
    /// # Errors
    /// [`RelayError::NotMember`].
    pub fn mailbox_seen(&self) -> Result<(Client, Membership), RelayError> {
        let membership = self.membership()?;
        Ok((self.load(&membership)?, membership))
    }

    /// Makes an invite; its bytes. With a name, the member calls himself so from now on.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn relay_invite(
        &mut self,
        mailbox: &mut Mailbox,
        name: Option<&str>,
    ) -> Result<Secret<Vec<u8>>, RelayError> {
        if let Some(name) = name {
            mailbox.client_mut().set_name(name);
        }
        let url = mailbox.membership.url.clone();
        let mut now = self.relay_now_ms();
        let bytes =
            mailbox.act(&mut now, |client, moment| client.invite(&url, moment).map(Invite::encode))?;
        self.store_mailbox(mailbox)?;
        Ok(bytes)
    }

    /// Accepts an invite; the contact, still pending.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn relay_accept(&mut self, mailbox: &mut Mailbox, invite: &Invite) -> Result<ContactId, RelayError> {
        let mut now = self.relay_now_ms();
        let id = mailbox.act(&mut now, |client, moment| client.accept(invite, moment))?;
        self.store_mailbox(mailbox)?;
        Ok(id)
    }

    /// Says that the codes agree; whether both sides said so by now.
    ///
    /// # Errors
    /// [`RelayError::Verify`].
    pub fn relay_verify(
        &mut self,
        mailbox: &mut Mailbox,
        id: ContactId,
        code: Code,
    ) -> Result<bool, RelayError> {
        let both = mailbox.client_mut().verify(id, code)?;
        self.store_mailbox(mailbox)?;
        Ok(both)
    }

    /// Queues a letter; its number, and how many cells and so rounds it takes.
    ///
    /// # Errors
    /// [`RelayError::Send`].
    pub fn relay_send(
        &mut self,
        mailbox: &mut Mailbox,
        id: ContactId,
        text: &[u8],
    ) -> Result<(u32, usize), RelayError> {
        if self.only_pushes(id)? {
            return Err(RelayError::OnlyPushes);
        }
        let now_ms = self.relay_now_ms();
        let queued = mailbox.client_mut().send(id, text, now_ms)?;
        self.store_mailbox(mailbox)?;
        Ok(queued)
    }

    /// Leaves a letter for the process that is online.
    ///
    /// # Errors
    /// [`RelayError::OutgoingFull`].
    pub fn relay_leave(&mut self, id: ContactId, text: &[u8]) -> Result<(), RelayError> {
        if self.only_pushes(id)? {
            return Err(RelayError::OnlyPushes);
        }
        if self.vault.count(Kind::Outgoing)? >= OUTGOING_MAX {
            return Err(RelayError::OutgoingFull);
        }
        let record = OutgoingRecord::of(&hex::encode(&id.0), text, self.relay_now_ms());
        // Names sort by time, so that letters leave in the order they were written.
        let name = format!("{:016x}{}", self.relay_now_ms(), new_id(""));
        Ok(self.vault.put(Kind::Outgoing, &name, &record::encode(&record))?)
    }

    /// Blocks a contact: its keys are dropped.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn relay_block(&mut self, mailbox: &mut Mailbox, id: ContactId) -> Result<(), RelayError> {
        mailbox.client_mut().block(id);
        self.store_mailbox(mailbox).map(drop)
    }

    /// Forgets a contact and its keys; letters stay.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn relay_remove(&mut self, mailbox: &mut Mailbox, id: ContactId) -> Result<(), RelayError> {
        mailbox.client_mut().remove(id);
        self.store_mailbox(mailbox)?;
        self.vault.delete(&[(Kind::Mailbox, &hex::encode(&id.0))])?;
        Ok(())
    }

    /// Takes an open invite back, by the beginning of its digest; false where no one fits.
    ///
    /// # Errors
    /// [`RelayError`].
    pub fn relay_withdraw(&mut self, mailbox: &mut Mailbox, digest_hex: &str) -> Result<bool, RelayError> {
        let done = mailbox.client_mut().withdraw(digest_hex);
        self.store_mailbox(mailbox)?;
        Ok(done)
    }

    /// Letters that came, oldest first.
    ///
    /// # Errors
    /// [`VaultFault`].
    pub fn letters(&self) -> Result<Vec<Letter>, VaultFault> {
        let mut letters = Vec::new();
        for (id, bytes) in self.vault.list(Kind::Letter)? {
            let record =
                record::decode(bytes.expose()).ok_or_else(|| VaultFault::Broken(format!("letter {id}")))?;
            letters.push(Letter { id, record });
        }
        letters.sort_by_key(|letter| (letter.record.at_ms, letter.record.order));
        Ok(letters)
    }

    /// Marks letters as read.
    ///
    /// # Errors
    /// [`VaultFault`].
    pub fn mark_read(&mut self, letters: &[Letter]) -> Result<(), VaultFault> {
        let records: Vec<(String, Vec<u8>)> = letters
            .iter()
            .filter(|letter| !letter.record.is_read)
            .map(|letter| (letter.id.clone(), record::encode(&letter.record.read())))
            .collect();
        let records: Vec<_> =
            records.iter().map(|(id, bytes)| (Kind::Letter, id.as_str(), &bytes[..])).collect();
        self.vault.put_all(&records)
    }

    /// Unix milliseconds by the wallet's clock.
    #[must_use]
    pub fn clock_ms(&self) -> i64 {
        self.now().as_millisecond()
    }

    /// The same as the relay counts them.
    pub(super) fn relay_now_ms(&self) -> u64 {
        u64::try_from(self.clock_ms()).unwrap_or(0)
    }

    /// State, and the letters and pushes that came with it, in one transaction; the pushes.
    fn store_mailbox(&mut self, mailbox: &mut Mailbox) -> Result<Vec<Pushed>, RelayError> {
        let mut pushes = Vec::new();
        let mut records: Vec<(Kind, String, Secret<Vec<u8>>)> = Vec::new();
        let order = mailbox.client_mut().take_messages();
        for (order, message) in (0..).zip(order) {
            if message.class == mailbox::cell::Class::Fast {
                let Some(pushed) = self.judged(&message)? else { continue };
                if let Some((id, bytes)) = self.push_record(&pushed)? {
                    records.push((Kind::Push, id, bytes));
                }
                pushes.push(pushed);
                continue;
            }
            let record = letter_of(&message, mailbox.client().contact(message.contact), order);
            records.push((Kind::Letter, new_id("ltr"), Secret::new(record::encode(&record))));
        }
        let client = mailbox.client();
        records.push((Kind::Mailbox, CORE.to_owned(), client.encode_core()));
        for contact in client.contacts() {
            if let Some(bytes) = client.encode_contact(contact.id()) {
                records.push((Kind::Mailbox, hex::encode(&contact.id().0), bytes));
            }
        }
        let records: Vec<_> =
            records.iter().map(|(kind, id, bytes)| (*kind, id.as_str(), &bytes.expose()[..])).collect();
        self.vault.put_all(&records)?;
        Ok(pushes)
    }

    /// Letters that others of this wallet left go into the outbox; what cannot be sent is dropped with its contact.
    fn take_outgoing(&mut self, mailbox: &mut Mailbox) -> Result<(), RelayError> {
        let left = self.vault.list(Kind::Outgoing)?;
        if left.is_empty() {
            return Ok(());
        }
        let now_ms = self.relay_now_ms();
        let mut done: Vec<String> = Vec::new();
        for (id, bytes) in left {
            let record: Option<OutgoingRecord> = record::decode(bytes.expose());
            let full = record.and_then(|record| {
                let contact = contact_id(&record.contact)?;
                Some(mailbox.client_mut().send(contact, &record.bytes()?, now_ms))
            });
            if matches!(full, Some(Err(SendRefusal::Queue(_)))) {
                break;
            }
            done.push(id);
        }
        self.store_mailbox(mailbox)?;
        let done: Vec<_> = done.iter().map(|id| (Kind::Outgoing, id.as_str())).collect();
        self.vault.delete(&done)?;
        Ok(())
    }

    fn begin_membership(
        &mut self,
        manifest: &VerifiedManifest,
        url: &str,
        name: &str,
        member: Option<String>,
        seed: &Secret<[u8; 64]>,
    ) -> Result<Membership, RelayError> {
        if !mailbox::invite::is_name(name) {
            return Err(InviteRefusal::Name.into());
        }
        let record = MembershipRecord::of(manifest, url, name, member, seed);
        let network = Network::of(manifest.network(), manifest.manifest());
        let mut entropy = crypto::random::fill;
        let mut moment = Moment { now_ms: self.relay_now_ms(), entropy: &mut entropy };
        let client = Client::new(network, Settings::MEMBER, name, &mut moment);
        self.vault.put_all(&[
            (Kind::Membership, MEMBERSHIP, &record::encode(&record)),
            (Kind::Mailbox, CORE, client.encode_core().expose()),
        ])?;
        self.membership()
    }

    fn membership_record(&self) -> Result<Option<MembershipRecord>, VaultFault> {
        let Some(bytes) = self.vault.load(Kind::Membership, MEMBERSHIP)? else { return Ok(None) };
        let broken = || VaultFault::Broken("membership".to_owned());
        record::decode(bytes.expose()).ok_or_else(broken).map(Some)
    }

    fn load(&self, membership: &Membership) -> Result<Client, RelayError> {
        load(&self.vault, membership, self.member_settings()?)
    }
}

impl MembershipRecord {
    fn read(self) -> Result<Membership, RelayError> {
        let broken = || VaultFault::Broken("membership".to_owned());
        let network = NetworkId::parse(&self.network).ok_or_else(broken)?;
        let signed = SignedStatement::parse(self.manifest.as_bytes()).map_err(|_| broken())?;
        let manifest = Manifest::parse(signed).and_then(|manifest| manifest.verify_first(network));
        Ok(Membership {
            manifest: manifest.map_err(|_| broken())?,
            url: self.url,
            name: self.name,
            member: self.member,
        })
    }
}

impl Mailbox {
    /// The member.
    ///
    /// # Panics
    /// Never: the client is away only within a step.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.client.as_ref().expect("a step gives the client back")
    }

    /// The membership.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// A contact by its id, the beginning of it, or its name.
    ///
    /// # Errors
    /// [`RelayError::NoContact`].
    pub fn find(&self, wanted: &str) -> Result<ContactId, RelayError> {
        find(self.client(), wanted)
    }

    fn client_mut(&mut self) -> &mut Client {
        self.client.as_mut().expect("a step gives the client back")
    }

    fn act<R>(&mut self, now_ms: &mut u64, does: impl FnOnce(&mut Client, &mut Moment<'_>) -> R) -> R {
        let mut entropy = crypto::random::fill;
        let mut moment = Moment { now_ms: *now_ms, entropy: &mut entropy };
        does(self.client_mut(), &mut moment)
    }
}

/// A contact by its id, the beginning of it, or its name.
///
/// # Errors
/// [`RelayError::NoContact`] where none, or several, fit.
pub fn find(client: &Client, wanted: &str) -> Result<ContactId, RelayError> {
    let digits = wanted.strip_prefix("ctc_").unwrap_or(wanted);
    let fits = |contact: &&Contact| {
        contact.name() == wanted
            || (digits.len() >= 4 && hex::encode(&contact.id().0).starts_with(&digits.to_ascii_lowercase()))
    };
    let mut found = client.contacts().iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.id()),
        _ => Err(RelayError::NoContact(wanted.to_owned())),
    }
}

/// An id as people see it.
#[must_use]
pub fn shown_id(id: ContactId) -> String {
    format!("ctc_{}", hex::encode(&id.0))
}

fn contact_id(digits: &str) -> Option<ContactId> {
    hex::decode(digits).ok()?.try_into().ok().map(ContactId)
}

fn load(vault: &Vault, membership: &Membership, settings: Settings) -> Result<Client, RelayError> {
    let broken = |what: &str| VaultFault::Broken(format!("mailbox {what}"));
    let network = Network::of(membership.manifest.network(), membership.manifest.manifest());
    let core = vault.load(Kind::Mailbox, CORE)?.ok_or_else(|| broken(CORE))?;
    let mut client = Client::decode_core(core.expose(), network, settings).map_err(|_| broken(CORE))?;
    for (id, bytes) in vault.list(Kind::Mailbox)? {
        if id != CORE {
            client.add_contact(bytes.expose()).map_err(|_| broken(&id))?;
        }
    }
    Ok(client)
}

/// Held as long as the file lives; the system gives it back when the process ends.
fn lock(path: PathBuf) -> Result<File, RelayError> {
    let storage = |fault: std::io::Error| VaultFault::Storage(fault.to_string());
    let file = File::options().create(true).append(true).open(path).map_err(storage)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(RelayError::OnlineElsewhere),
        Err(std::fs::TryLockError::Error(fault)) => Err(storage(fault).into()),
    }
}

fn letter_of(message: &Message, from: Option<&Contact>, order: u32) -> LetterRecord {
    let name = from.map_or("", Contact::name);
    let at_ms = i64::try_from(message.received_at_ms).unwrap_or(i64::MAX);
    LetterRecord::of(
        &shown_id(message.contact),
        name,
        message.state.word(),
        message.bytes.expose(),
        at_ms,
        order,
    )
}
