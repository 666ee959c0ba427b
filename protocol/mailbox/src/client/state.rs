//! A client as bytes, for a store that encrypts them: whole, or its core and each contact apart, as servers keep them.
//!
//! Whole: `core ‖ count u32 ‖ count × (len u32 ‖ contact)`. Every part begins with its own four letters and a version.

use super::{
    CONTACTS_MAX, Client, INBOX_MAX, INVITES_MAX, Loops, MISSED_MAX, Message, Network, OpenInvite,
    SERVER_CONTACTS_MAX, Settings,
};
use crate::account::Tally;
use crate::bytes::{Malformed, Reader, Writer};
use crate::cell::{Class, Direction};
use crate::chain::Line;
use crate::contact::{Contact, ContactId, ContactState, Ears, Enrolment, Greeting, PUSHES_MAX, Push};
use crate::delivery::{Inbox, MESSAGE_BYTES_MAX, Outbox};
use crate::enrol::Code;
use crate::invite::{INVITE_BYTES_MAX, Invite, NAME_BYTES_MAX, is_name};
use crate::listener::Listener;
use crypto::secret::Secret;
use crypto::xwing::{SECRET_BYTES, SecretKey};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Bytes of a contact: a full outbox, and half-finished messages beside it.
pub const CONTACT_BYTES_MAX: usize = 4 << 20;
/// Bytes of a whole state: a thousand contacts seldom have more than their keys.
pub const STATE_BYTES_MAX: usize = 256 << 20;

const CORE_MAGIC: &[u8; 4] = b"TSC\x01";
const CONTACT_MAGIC: &[u8; 4] = b"TSK\x01";
/// Cells to oneself that a state may hold.
const LOOPS_MAX: usize = 1_024;
/// Half-heard hellos of one invite.
const PARTIAL_MAX: usize = 8;

impl Client {
    /// The whole state.
    pub fn encode(&self) -> Secret<Vec<u8>> {
        let mut writer = Writer::new();
        writer.long(self.encode_core().expose()).count(self.contacts.len());
        for contact in &self.contacts {
            writer.long(encode_contact(contact).expose());
        }
        Secret::new(writer.into_bytes())
    }

    /// Reads a whole state. Rounds that may have run since it was written are left out.
    ///
    /// # Errors
    /// [`Malformed`]; also for the state of another network.
    pub fn decode(bytes: &[u8], network: Network, settings: Settings) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut client = Self::decode_core(reader.long(STATE_BYTES_MAX)?, network, settings)?;
        for _ in 0..reader.count(CONTACTS_MAX.max(SERVER_CONTACTS_MAX))? {
            client.add_contact(reader.long(CONTACT_BYTES_MAX)?)?;
        }
        reader.end()?;
        Ok(client)
    }

    /// Everything but the contacts.
    pub fn encode_core(&self) -> Secret<Vec<u8>> {
        let mut writer = Writer::new();
        writer.raw(CORE_MAGIC).raw(&self.network.id).short(self.name.as_bytes());
        writer.raw(self.bucket_seed.expose());
        for last in self.last_round.iter().chain([&self.expected]) {
            writer.flag(last.is_some()).u64(last.unwrap_or(0));
        }
        writer.count(self.missed.len());
        for (from, to) in &self.missed {
            writer.u64(*from).u64(*to);
        }
        writer.flag(self.buckets.is_some());
        let (epoch, buckets) = self.buckets.unwrap_or((0, 0));
        writer.u32(epoch).u16(buckets);
        self.tally.write(&mut writer);
        self.loops.sender.write(&mut writer);
        self.loops.line.write(&mut writer);
        self.loops.listener.write(&mut writer);
        writer.flag(self.loops.warned).count(self.loops.sent.len());
        for (round, came) in &self.loops.sent {
            writer.u64(*round).flag(*came);
        }
        writer.count(self.invites.len());
        self.invites.iter().for_each(|open| write_invite(open, &mut writer));
        writer.count(self.inbox.len());
        self.inbox.iter().for_each(|message| write_message(message, &mut writer));
        Secret::new(writer.into_bytes())
    }

    /// Reads a core; contacts are added one by one.
    ///
    /// # Errors
    /// [`Malformed`]; also for the state of another network.
    pub fn decode_core(bytes: &[u8], network: Network, settings: Settings) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != *CORE_MAGIC || reader.array()? != network.id {
            return Err(Malformed);
        }
        let name = read_name(&mut reader)?;
        let bucket_seed = Secret::new(reader.array()?);
        let last_round = [read_round(&mut reader)?, read_round(&mut reader)?];
        let expected = read_round(&mut reader)?;
        let mut missed = VecDeque::new();
        for _ in 0..reader.count(MISSED_MAX)? {
            let (from, to) = (reader.u64()?, reader.u64()?);
            let after = missed.back().is_none_or(|(_, end): &(u64, u64)| *end < from);
            if from > to || to == u64::MAX || !after {
                return Err(Malformed);
            }
            missed.push_back((from, to));
        }
        let known = reader.flag()?;
        let buckets = Some((reader.u32()?, reader.u16()?)).filter(|_| known);
        let tally = Tally::read(&mut reader)?;
        let loops = read_loops(&mut reader)?;
        let mut invites = Vec::new();
        for _ in 0..reader.count(INVITES_MAX)? {
            invites.push(read_invite(&mut reader)?);
        }
        let mut inbox = VecDeque::new();
        for _ in 0..reader.count(INBOX_MAX)? {
            inbox.push_back(read_message(&mut reader)?);
        }
        reader.end()?;
        Ok(Self {
            network,
            settings,
            name,
            bucket_seed,
            contacts: Vec::new(),
            invites,
            loops,
            inbox,
            tally,
            last_round,
            expected,
            missed,
            buckets,
            next_contact: 0,
            link: None,
            is_fresh: true,
            unanswered: Vec::new(),
            reasons: BTreeSet::new(),
            was_degraded: false,
            fetching: None,
            told_spent: BTreeSet::new(),
        })
    }

    /// One contact.
    pub fn encode_contact(&self, id: ContactId) -> Option<Secret<Vec<u8>>> {
        self.contact(id).map(encode_contact)
    }

    /// Adds a contact that [`Client::encode_contact`] wrote.
    ///
    /// # Errors
    /// [`Malformed`]; also when it is there already, or there are as many as can be.
    pub fn add_contact(&mut self, bytes: &[u8]) -> Result<ContactId, Malformed> {
        let mut contact = decode_contact(bytes)?;
        let id = contact.id;
        if self.contact(id).is_some() || self.contacts.len() >= self.settings.contacts_max() {
            return Err(Malformed);
        }
        // Whether the relay took what was sent last, nobody knows any more.
        if let Some(last) = self.last_round[Class::Normal as usize] {
            contact.unsent(last);
        }
        self.contacts.push(contact);
        Ok(id)
    }
}

fn encode_contact(contact: &Contact) -> Secret<Vec<u8>> {
    let mut writer = Writer::new();
    writer.raw(CONTACT_MAGIC).raw(&contact.id.0).short(contact.name.as_bytes());
    writer.u8(contact.state as u8).u8(contact.mine as u8);
    writer.raw(contact.peer_bucket_seed.expose()).raw(&contact.peer_sign_pk).raw(contact.sign_seed.expose());
    writer.flag(contact.ears.is_some());
    if let Some(ears) = &contact.ears {
        ears.line.write(&mut writer);
        ears.normal.write(&mut writer);
        ears.fast.write(&mut writer);
    }
    writer.flag(contact.greeting.is_some());
    if let Some(greeting) = &contact.greeting {
        greeting.line.write(&mut writer);
        greeting.outbox.write(&mut writer);
        writer.u64(greeting.expires_at_ms);
    }
    writer.flag(contact.enrolment.is_some());
    if let Some(enrolment) = &contact.enrolment {
        writer.raw(&enrolment.transcript).raw(enrolment.confirm.expose()).raw(&enrolment.nonce);
        writer.flag(enrolment.committed.is_some());
        if let Some((invite, committed)) = &enrolment.committed {
            writer.raw(invite).raw(committed);
        }
    }
    writer.flag(contact.code.is_some()).u32(contact.code.map_or(0, Code::number));
    writer.flag(contact.agreed_here).flag(contact.agreed_there);
    contact.outbox.write(&mut writer);
    contact.inbox.write(&mut writer);
    writer.u32(contact.last_push_seq).count(contact.pushes.len());
    for push in &contact.pushes {
        writer.u64(push.expires_at_ms).long(push.payload.expose());
    }
    for round in [contact.ack_due, contact.last_ack] {
        writer.flag(round.is_some()).u64(round.unwrap_or(0));
    }
    contact.tally.write(&mut writer);
    Secret::new(writer.into_bytes())
}

fn decode_contact(bytes: &[u8]) -> Result<Contact, Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.array()? != *CONTACT_MAGIC {
        return Err(Malformed);
    }
    let (id, name) = (ContactId(reader.array()?), read_name(&mut reader)?);
    let state = ContactState::of(reader.u8()?).ok_or(Malformed)?;
    let mine = Direction::of(reader.u8()?).ok_or(Malformed)?;
    let peer_bucket_seed = Secret::new(reader.array()?);
    let (peer_sign_pk, sign_seed) = (reader.array()?, Secret::new(reader.array()?));
    let ears = match reader.flag()? {
        true => Some(Ears {
            line: Line::read(&mut reader)?,
            normal: Listener::read(&mut reader)?,
            fast: Listener::read(&mut reader)?,
        }),
        false => None,
    };
    let greeting = match reader.flag()? {
        true => Some(Greeting {
            line: Line::read(&mut reader)?,
            outbox: Outbox::read(&mut reader)?,
            expires_at_ms: reader.u64()?,
        }),
        false => None,
    };
    let enrolment = match reader.flag()? {
        true => Some(read_enrolment(&mut reader)?),
        false => None,
    };
    let has_code = reader.flag()?;
    let code = Code::of_number(reader.u32()?).ok_or(Malformed)?;
    let (agreed_here, agreed_there) = (reader.flag()?, reader.flag()?);
    let (outbox, inbox) = (Outbox::read(&mut reader)?, Inbox::read(&mut reader)?);
    let last_push_seq = reader.u32()?;
    let mut pushes = VecDeque::new();
    for _ in 0..reader.count(PUSHES_MAX)? {
        let expires_at_ms = reader.u64()?;
        let payload = Secret::new(reader.long(crate::body::PAYLOAD_BYTES_MAX)?.to_vec());
        pushes.push_back(Push { payload, expires_at_ms });
    }
    let (ack_due, last_ack) = (read_round(&mut reader)?, read_round(&mut reader)?);
    let tally = Tally::read(&mut reader)?;
    reader.end()?;
    Ok(Contact {
        id,
        name,
        state,
        mine,
        peer_bucket_seed,
        peer_sign_pk,
        sign_seed,
        ears,
        greeting,
        enrolment,
        code: Some(code).filter(|_| has_code),
        agreed_here,
        agreed_there,
        outbox,
        inbox,
        pushes,
        last_push_seq,
        ack_due,
        last_ack,
        tally,
    })
}

fn read_enrolment(reader: &mut Reader<'_>) -> Result<Enrolment, Malformed> {
    let (transcript, confirm) = (reader.array()?, Secret::new(reader.array()?));
    let nonce = reader.array()?;
    let committed = match reader.flag()? {
        true => Some((reader.array()?, reader.array()?)),
        false => None,
    };
    Ok(Enrolment { transcript, confirm, nonce, committed })
}

fn read_loops(reader: &mut Reader<'_>) -> Result<Loops, Malformed> {
    let (sender, line) = (Line::read(reader)?, Line::read(reader)?);
    let listener = Listener::read(reader)?;
    let warned = reader.flag()?;
    let mut sent = VecDeque::new();
    for _ in 0..reader.count(LOOPS_MAX)? {
        sent.push_back((reader.u64()?, reader.flag()?));
    }
    Ok(Loops { sender, line, listener, sent, warned })
}

fn write_invite(open: &OpenInvite, writer: &mut Writer) {
    writer.long(open.invite.encode().expose()).raw(open.key.to_secret().expose());
    writer.raw(open.sign_seed.expose());
    open.line.write(writer);
    open.listener.write(writer);
    writer.count(open.partial.len());
    for (message, parts) in &open.partial {
        writer.u32(*message);
        for part in parts {
            writer.flag(part.is_some()).long(part.as_deref().unwrap_or_default());
        }
    }
}

fn read_invite(reader: &mut Reader<'_>) -> Result<OpenInvite, Malformed> {
    let invite = Invite::parse(reader.long(INVITE_BYTES_MAX)?).map_err(|_| Malformed)?;
    let key = SecretKey::from_secret(reader.slice(SECRET_BYTES)?).map_err(|_| Malformed)?;
    let sign_seed = Secret::new(reader.array()?);
    let (line, listener) = (Line::read(reader)?, Listener::read(reader)?);
    let mut partial = BTreeMap::new();
    for _ in 0..reader.count(PARTIAL_MAX)? {
        let message = reader.u32()?;
        let mut parts = [None, None, None];
        for part in &mut parts {
            let has_come = reader.flag()?;
            let bytes = reader.long(crate::body::PAYLOAD_BYTES_MAX)?;
            *part = has_come.then(|| bytes.to_vec());
        }
        partial.insert(message, parts);
    }
    Ok(OpenInvite { invite, key, sign_seed, line, listener, partial })
}

fn write_message(message: &Message, writer: &mut Writer) {
    writer.raw(&message.contact.0).u8(message.state as u8).u8(message.class.number());
    writer.u64(message.round).u64(message.received_at_ms).long(message.bytes.expose());
}

fn read_message(reader: &mut Reader<'_>) -> Result<Message, Malformed> {
    Ok(Message {
        contact: ContactId(reader.array()?),
        state: ContactState::of(reader.u8()?).ok_or(Malformed)?,
        class: Class::of(reader.u8()?).ok_or(Malformed)?,
        round: reader.u64()?,
        received_at_ms: reader.u64()?,
        bytes: Secret::new(reader.long(MESSAGE_BYTES_MAX)?.to_vec()),
    })
}

fn read_name(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    let name = reader.text(NAME_BYTES_MAX)?;
    if is_name(name) { Ok(name.to_owned()) } else { Err(Malformed) }
}

fn read_round(reader: &mut Reader<'_>) -> Result<Option<u64>, Malformed> {
    let known = reader.flag()?;
    Ok(Some(reader.u64()?).filter(|_| known))
}
