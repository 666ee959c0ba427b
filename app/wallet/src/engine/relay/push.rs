//! Sign-ins that an identity provider pushes over the relay: the contact that enrolment makes, and what comes by it.
//!
//! ```text
//! enrol, or push_on: offer ─► the provider's wallet door ─► signed reply: hello ─► contact of this provider alone
//! fast round ─► cell ─► push: of the provider that the contact was made with, not over ─► kept ─► Wallet::claim_next
//! ```
//! A push is a hint: the sign-in that it names is fetched, checked and answered over HTTP as if its code had been scanned.

use super::super::device::{Ask, Device, DoorFault};
use super::super::enrol::EnrolError;
use super::super::{Wallet, WalletFault, new_id};
use super::{Mailbox, RelayError};
use crate::record::{self, PushRecord};
use crate::vault::{Kind, Record, VaultFault};
use crypto::secret::Secret;
use crypto::{base64, hex};
use jiff::Timestamp;
use mailbox::client::{Message, Moment, Offer, Settings};
use mailbox::contact::ContactId;
use mailbox::invite::NAME_BYTES_MAX;
use openid::errand::Method;
use seal::code::claim;
use seal::door::PushOn;
use seal::push::{Push, PushRefusal};
use serde_json::json;

/// Pushes that are kept; a person answers one sign-in at a time.
const PUSHES_MAX: usize = 16;

/// A sign-in that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The identity provider that the contact was made with.
    pub issuer: String,
    /// The round that brought it.
    pub round: u64,
    /// The sign-in, or why it counts for nothing.
    pub signin: Result<PushedSignin, PushRefusal>,
}

/// What is known of it before it is claimed; nothing of it is signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedSignin {
    /// Where the service says to be; may be empty.
    pub rp: String,
    /// What [`Wallet::claim`] takes.
    pub claim_uri: String,
    /// When it ends unless it is claimed.
    pub expires_at: Timestamp,
}

/// How the sign-ins of one provider come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushState {
    /// The identity provider.
    pub issuer: String,
    /// The relay contact that its pushes come by; none where the wallet asks.
    pub contact: Option<ContactId>,
}

/// Why pushes are not turned on or off.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// No enrolment here is at this provider.
    #[error("this wallet is enrolled at no identity provider that goes by {0}")]
    NotEnrolled(String),
    /// It pushes over no relay, or over one of another network.
    #[error("{0} pushes over no relay network that this wallet is a member of")]
    NotOffered(String),
    /// The member.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The provider.
    #[error(transparent)]
    Provider(#[from] EnrolError),
}

impl From<DoorFault> for PushError {
    fn from(fault: DoorFault) -> Self {
        Self::Provider(fault.into())
    }
}

impl From<WalletFault> for PushError {
    fn from(fault: WalletFault) -> Self {
        Self::Provider(fault.into())
    }
}

impl Wallet {
    /// How sign-ins come, a line a provider.
    ///
    /// # Errors
    /// [`WalletFault`].
    pub fn push_states(&self) -> Result<Vec<PushState>, WalletFault> {
        let state = |device: Device| PushState {
            issuer: device.issuer().to_owned(),
            contact: device.record.push.as_deref().and_then(super::contact_id),
        };
        Ok(self.devices()?.into_iter().map(state).collect())
    }

    /// Turns pushes on at the providers that `wanted` names (all without it) and that push over this wallet's network; how many.
    ///
    /// # Errors
    /// [`PushError`]; those before it stay on.
    pub fn push_on(&mut self, mailbox: &mut Mailbox, wanted: Option<&str>) -> Result<usize, PushError> {
        let devices = self.devices_named(wanted)?;
        let mut on = 0;
        for mut device in devices {
            let metadata = self.metadata(&device.record.base)?;
            let ours = mailbox.membership().manifest.network().to_string();
            if metadata.relay.as_deref() != Some(&ours) {
                if wanted.is_some() {
                    return Err(PushError::NotOffered(device.issuer().to_owned()));
                }
                continue;
            }
            let offer = self.push_offer(mailbox)?;
            let text = base64::url_encode(offer.invite().encode().expose());
            let ask = Ask {
                method: Method::Put,
                ..Ask::post("enrolment/relay".to_owned(), &json!({ "relay": text }))
            };
            let (content, renewed) = self.ask_signed(&device, &ask)?;
            device = renewed.unwrap_or(device);
            let hello = PushOn::from_content(content).map_err(|fault| DoorFault::Form(fault.to_string()))?;
            // The contact of before, if there is one, is heard no more.
            self.push_forgotten(mailbox, &mut device)?;
            let contact = self.push_begun(mailbox, &offer, &hello.hello, device.issuer())?;
            device.record.push = Some(hex::encode(&contact.0));
            self.keep_device(&device)?;
            on += 1;
        }
        match wanted {
            None if on == 0 => Err(PushError::NotOffered("no identity provider".to_owned())),
            _ => Ok(on),
        }
    }

    /// Turns pushes off; the wallet asks again.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn push_off(&mut self, mailbox: &mut Mailbox, wanted: Option<&str>) -> Result<usize, PushError> {
        let devices = self.devices_named(wanted)?;
        let mut off = 0;
        for mut device in devices.into_iter().filter(|device| device.record.push.is_some()) {
            let ask = Ask { method: Method::Delete, ..Ask::get("enrolment/relay".to_owned()) };
            device.ask(&self.client, &ask, (self.clock)())?;
            self.push_forgotten(mailbox, &mut device)?;
            self.keep_device(&device)?;
            off += 1;
        }
        Ok(off)
    }

    /// Sign-ins that were pushed and are not over, newest first: links to claim.
    pub(in super::super) fn pushed_links(&self) -> Result<Vec<String>, VaultFault> {
        let now_s = self.now().as_second();
        let mut found: Vec<PushRecord> = self
            .vault
            .list(Kind::Push)?
            .iter()
            .filter_map(|(_, bytes)| record::decode(bytes.expose()))
            .filter(|one: &PushRecord| one.expires_at_s > now_s)
            .collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.expires_at_s));
        Ok(found.into_iter().map(|one| one.claim_uri).collect())
    }

    /// An offer of a contact, where this wallet is a member of `network` and no other process of it is online.
    pub(in super::super) fn push_offered(&self, network: Option<&str>) -> Option<(Mailbox, Offer)> {
        let ours = self.membership().ok()?.manifest.network().to_string();
        let mailbox = self.mailbox().ok().filter(|_| network == Some(&ours))?;
        let offer = self.push_offer(&mailbox).ok()?;
        Some((mailbox, offer))
    }

    /// The contact of an offer whose hello came back, stored.
    pub(in super::super) fn push_begun(
        &mut self,
        mailbox: &mut Mailbox,
        offer: &Offer,
        hello: &[u8],
        issuer: &str,
    ) -> Result<ContactId, RelayError> {
        let name = contact_name(issuer);
        let mut now = self.relay_now_ms();
        let id = mailbox.act(&mut now, |client, moment| client.enrol_by(offer, hello, &name, moment))?;
        let settings = Settings { fast_turns: 1, ..*mailbox.client().settings() };
        mailbox.client_mut().set_settings(settings);
        self.store_mailbox(mailbox)?;
        Ok(id)
    }

    /// Takes part in fast rounds only where something may come in them: each costs bytes, and tells the relay that it does.
    pub(super) fn member_settings(&self) -> Result<Settings, RelayError> {
        let pushed = self.enrolment_records()?.iter().any(|record| record.push.is_some());
        Ok(Settings { fast_turns: u8::from(pushed), ..Settings::MEMBER })
    }

    /// Whether this contact only pushes sign-ins.
    pub(super) fn only_pushes(&self, id: ContactId) -> Result<bool, RelayError> {
        let digits = hex::encode(&id.0);
        Ok(self.enrolment_records()?.iter().any(|record| record.push.as_deref() == Some(&digits)))
    }

    /// What a cell of a fast round says; none where its contact is no provider's.
    pub(super) fn judged(&self, message: &Message) -> Result<Option<Pushed>, RelayError> {
        let digits = hex::encode(&message.contact.0);
        let records = self.enrolment_records()?;
        let Some(record) = records.into_iter().find(|record| record.push.as_deref() == Some(&digits)) else {
            return Ok(None);
        };
        let signin =
            Push::parse(message.bytes.expose(), &record.issuer, self.now()).map(|push| PushedSignin {
                claim_uri: claim::uri(&record.issuer, &push.sid),
                expires_at: Timestamp::from_second(push.expires_at_s).unwrap_or(Timestamp::MIN),
                rp: push.rp,
            });
        Ok(Some(Pushed { issuer: record.issuer, round: message.round, signin }))
    }

    /// The record of a push; those that are over make place.
    pub(super) fn push_record(&mut self, pushed: &Pushed) -> Result<Option<Record>, RelayError> {
        let Ok(signin) = &pushed.signin else { return Ok(None) };
        let now_s = self.now().as_second();
        let kept = self.vault.list(Kind::Push)?;
        let lives = |bytes: &Secret<Vec<u8>>| {
            record::decode(bytes.expose()).is_some_and(|one: PushRecord| one.expires_at_s > now_s)
        };
        let past: Vec<_> = kept.iter().filter(|(_, bytes)| !lives(bytes)).collect();
        let full = kept.len() - past.len() >= PUSHES_MAX;
        let past: Vec<_> = past.iter().map(|(id, _)| (Kind::Push, id.as_str())).collect();
        self.vault.delete(&past)?;
        if full {
            return Ok(None);
        }
        let record = PushRecord::of(&signin.claim_uri, signin.expires_at.as_second());
        Ok(Some((new_id("psh"), Secret::new(record::encode(&record)))))
    }

    fn push_offer(&self, mailbox: &Mailbox) -> Result<Offer, RelayError> {
        let mut entropy = crypto::random::fill;
        let mut moment = Moment { now_ms: self.relay_now_ms(), entropy: &mut entropy };
        Ok(mailbox.client().offer(&mailbox.membership().url, &mut moment)?)
    }

    fn push_forgotten(&mut self, mailbox: &mut Mailbox, device: &mut Device) -> Result<(), RelayError> {
        match device.record.push.take().as_deref().and_then(super::contact_id) {
            Some(old) => self.relay_remove(mailbox, old),
            None => Ok(()),
        }
    }

    fn devices_named(&self, wanted: Option<&str>) -> Result<Vec<Device>, PushError> {
        let mut devices = self.devices()?;
        let base = wanted.map(|wanted| wanted.trim_end_matches('/').trim_end_matches("/idp"));
        devices.retain(|device| base.is_none_or(|base| device.record.base == base));
        if devices.is_empty() {
            return Err(PushError::NotEnrolled(wanted.unwrap_or("any name").to_owned()));
        }
        Ok(devices)
    }
}

/// What a provider is called among the contacts.
fn contact_name(issuer: &str) -> String {
    let mut name = format!("sign-in {}", crate::http::host_of(issuer));
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::EnrolmentRecord;
    use crate::vault::Vault;
    use mailbox::cell::Class;
    use mailbox::contact::ContactState;
    use seal::code::Sid;

    const ISSUER: &str = "https://idp.example/t/default/idp";
    const CONTACT: ContactId = ContactId([7; 8]);

    /// A wallet that is enrolled there, with pushes.
    fn wallet() -> Wallet {
        let mut wallet = Wallet::over(Vault::in_memory().unwrap()).unwrap();
        let record = EnrolmentRecord {
            v: record::VERSION,
            issuer: ISSUER.to_owned(),
            base: "https://idp.example/t/default".to_owned(),
            binding: "enr_1".to_owned(),
            handle: String::new(),
            device: String::new(),
            dk: String::new(),
            d: String::new(),
            reply_keys: Vec::new(),
            key_set: 0,
            agreement: Vec::new(),
            signers: Vec::new(),
            anchors: Vec::new(),
            document: None,
            expires_at_ms: 0,
            push: Some(hex::encode(&CONTACT.0)),
        };
        wallet.vault.put(Kind::Enrolment, "enr_1", &record::encode(&record)).unwrap();
        wallet.with_clock(Box::new(|| Timestamp::from_second(1_000).unwrap()))
    }

    fn message(contact: ContactId, issuer: &str, sid: u8, expires_at_s: i64) -> Message {
        let push = Push {
            sid: Sid::new([sid; 16]),
            issuer: issuer.to_owned(),
            rp: "https://shop.example".to_owned(),
            expires_at_s,
        };
        Message {
            contact,
            state: ContactState::Verified,
            class: Class::Fast,
            round: 3,
            received_at_ms: 0,
            bytes: Secret::new(push.encode().unwrap()),
        }
    }

    #[test]
    fn a_push_that_names_another_issuer_than_its_contacts_is_refused_and_kept_nowhere() {
        let mut wallet = wallet();
        let foreign = message(CONTACT, "https://idp.example/t/other/idp", 1, 1_090);
        let judged = wallet.judged(&foreign).unwrap().unwrap();
        assert_eq!(judged.signin, Err(PushRefusal::OtherIssuer));
        assert_eq!(wallet.push_record(&judged).unwrap().map(drop), None);
        let late = wallet.judged(&message(CONTACT, ISSUER, 1, 1_000)).unwrap().unwrap();
        assert_eq!(late.signin, Err(PushRefusal::Over));
        assert_eq!(wallet.judged(&message(ContactId([8; 8]), ISSUER, 1, 1_090)).unwrap(), None);
        assert!(wallet.pushed_links().unwrap().is_empty());
    }

    #[test]
    fn pushed_sign_ins_are_kept_until_they_are_over_newest_first_and_no_more_than_can_be() {
        let mut wallet = wallet();
        for (sid, ends) in (0..20).zip(1_001..) {
            let judged = wallet.judged(&message(CONTACT, ISSUER, sid, ends)).unwrap().unwrap();
            if let Some((id, bytes)) = wallet.push_record(&judged).unwrap() {
                wallet.vault.put(Kind::Push, &id, bytes.expose()).unwrap();
            }
        }
        let links = wallet.pushed_links().unwrap();
        assert_eq!(links.len(), PUSHES_MAX);
        let newest = claim::uri(ISSUER, &Sid::new([15; 16]));
        assert_eq!(links[0], newest);
        let mut later = wallet.with_clock(Box::new(|| Timestamp::from_second(1_010).unwrap()));
        assert_eq!(later.pushed_links().unwrap().len(), 6);
        let judged = later.judged(&message(CONTACT, ISSUER, 99, 1_099)).unwrap().unwrap();
        let (id, bytes) = later.push_record(&judged).unwrap().unwrap();
        later.vault.put(Kind::Push, &id, bytes.expose()).unwrap();
        assert_eq!(later.vault.count(Kind::Push).unwrap(), 7, "those that are over made place");
    }

    #[test]
    fn a_contact_that_only_pushes_is_written_to_by_nobody() {
        let wallet = wallet();
        assert!(wallet.only_pushes(CONTACT).unwrap());
        assert!(!wallet.only_pushes(ContactId([8; 8])).unwrap());
        assert_eq!(wallet.member_settings().unwrap().fast_turns, 1);
    }

    #[test]
    fn a_provider_is_named_by_its_host_within_the_bound() {
        assert_eq!(contact_name(ISSUER), "sign-in idp.example");
        let long = format!("https://{}.example/t/x/idp", "a".repeat(60));
        assert_eq!(contact_name(&long).len(), NAME_BYTES_MAX);
    }
}
