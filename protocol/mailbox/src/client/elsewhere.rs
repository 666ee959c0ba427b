//! A contact that is made inside another enrolment, whose own channel stands for the comparison of codes.
//!
//! ```text
//! member (inviter)                              server (accepter)
//!   offer: an invite that is nowhere listed ──────► greet: hello, contact
//!   enrol_by ◄────────────── hello, by that channel
//! ```
//! The invite is never listened for: its hello comes back in the answer, so who stole it later has nothing to accept.

use super::{AcceptRefusal, Client, InviteRefusal, Moment};
use crate::cell::{Class, Direction};
use crate::contact::{Beginning, Contact, ContactId, ContactState};
use crate::enrol::{self, Card, EnrolFault, Keys};
use crate::invite::{Invite, is_name, is_url};
use crypto::secret::Secret;
use crypto::xwing::SecretKey;

/// How long such an invite is good, seconds: as long as a challenge of the enrolment around it.
pub const OFFER_TTL_S: u64 = 600;

/// An invite for one enrolment, with what opens its hello.
pub struct Offer {
    invite: Invite,
    key: SecretKey,
}

impl Offer {
    /// What the other side is given, over the channel that both trust.
    pub fn invite(&self) -> &Invite {
        &self.invite
    }
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Offer(…)")
    }
}

impl Client {
    /// An invite for an enrolment elsewhere. It carries no name: the other side knows who asks, or must not.
    ///
    /// # Errors
    /// [`InviteRefusal::Url`].
    pub fn offer(&self, url: &str, moment: &mut Moment<'_>) -> Result<Offer, InviteRefusal> {
        if !is_url(url) {
            return Err(InviteRefusal::Url);
        }
        let (key, xwing_pk) = SecretKey::generate();
        let invite = Invite {
            network_id: self.network.id,
            expires_s: moment.now_ms / 1_000 + OFFER_TTL_S,
            secret: Secret::new(moment.draw()),
            bucket_seed: Secret::new(*self.bucket_seed.expose()),
            xwing_pk,
            sign_pk: [0; 32],
            url: url.to_owned(),
            name: String::new(),
        };
        Ok(Offer { invite, key })
    }

    /// Accepts an [`Offer`]: a verified contact, and the hello that goes back by the same channel.
    ///
    /// # Errors
    /// [`AcceptRefusal`]; then nothing changes.
    pub fn greet(
        &mut self,
        invite: &Invite,
        moment: &mut Moment<'_>,
    ) -> Result<(ContactId, Vec<u8>), AcceptRefusal> {
        if invite.network_id != self.network.id {
            return Err(AcceptRefusal::Network);
        }
        if invite.expires_s.saturating_mul(1_000) <= moment.now_ms {
            return Err(AcceptRefusal::Expired);
        }
        let epoch = self.network.calendar.epoch_at(self.network_now(moment.now_ms)).unwrap_or(0);
        let card = Card {
            epoch,
            bucket_seed: Secret::new(*self.bucket_seed.expose()),
            sign_pk: [0; 32],
            name: String::new(),
        };
        let (hello, keys) = enrol::greet(invite, &card, &moment.draw())?;
        let theirs = Secret::new(*invite.bucket_seed.expose());
        let id = self.begin_verified((keys, epoch), Direction::Accepter, theirs, &invite.name, moment)?;
        Ok((id, hello))
    }

    /// The hello to an [`Offer`] came back: a verified contact, called `name` here.
    ///
    /// # Errors
    /// [`AcceptRefusal`]; then nothing changes.
    pub fn enrol_by(
        &mut self,
        offer: &Offer,
        hello: &[u8],
        name: &str,
        moment: &mut Moment<'_>,
    ) -> Result<ContactId, AcceptRefusal> {
        let greeted = enrol::receive(&offer.invite, &offer.key, hello)?;
        let running = self.network.calendar.epoch_at(self.network_now(moment.now_ms)).unwrap_or(0);
        // Clocks differ by seconds: a neighbouring epoch is one that begins or ended just now.
        if greeted.card.epoch.abs_diff(running) > 1 {
            return Err(AcceptRefusal::Enrol(EnrolFault::Hello));
        }
        let (theirs, epoch) = (greeted.card.bucket_seed, greeted.card.epoch);
        self.begin_verified((greeted.keys, epoch), Direction::Inviter, theirs, name, moment)
    }

    /// A contact of a root that both sides share already.
    ///
    /// # Errors
    /// [`AcceptRefusal::Full`] or [`AcceptRefusal::Name`].
    pub fn enrolled(
        &mut self,
        root: Secret<[u8; 32]>,
        mine: Direction,
        peer_bucket_seed: Secret<[u8; 32]>,
        name: &str,
        moment: &mut Moment<'_>,
    ) -> Result<ContactId, AcceptRefusal> {
        let epoch = self.network.calendar.epoch_at(self.network_now(moment.now_ms)).unwrap_or(0);
        let keys = Keys { root, transcript: [0; 32], confirm: Secret::new([0; 32]) };
        self.begin_verified((keys, epoch), mine, peer_bucket_seed, name, moment)
    }

    fn begin_verified(
        &mut self,
        (keys, epoch): (Keys, u32),
        mine: Direction,
        peer_bucket_seed: Secret<[u8; 32]>,
        name: &str,
        moment: &mut Moment<'_>,
    ) -> Result<ContactId, AcceptRefusal> {
        if self.contacts.len() >= self.settings.contacts_max() {
            return Err(AcceptRefusal::Full);
        }
        if !is_name(name) {
            return Err(AcceptRefusal::Name);
        }
        let calendar = self.network.calendar;
        let now = self.network_now(moment.now_ms);
        let rounds = [Class::Normal, Class::Fast].map(|class| calendar.round_at(class, now).unwrap_or(0));
        let id = ContactId(moment.draw());
        let beginning = Beginning {
            id,
            name: name.to_owned(),
            mine,
            peer_bucket_seed,
            peer_sign_pk: [0; 32],
            sign_seed: Secret::new(moment.draw()),
        };
        let mut contact = Contact::begin(beginning, keys, epoch, rounds, &calendar);
        self.expected.get_or_insert(rounds[0]);
        contact.enrolment = None;
        (contact.agreed_here, contact.agreed_there) = (true, true);
        contact.state = ContactState::Verified;
        self.contacts.push(contact);
        Ok(id)
    }

    /// Whom a turn went to whose answer has not come; none for a null.
    pub fn awaits(&self, class: Class, round: u64, turn: u8) -> Option<ContactId> {
        let one = self.unanswered.iter().find(|one| (one.0, one.1, one.2) == (class, round, turn))?;
        match one.3 {
            super::Sent::Contact(id) => Some(id),
            super::Sent::Null | super::Sent::Loop => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Calendar;
    use crate::client::{Effect, Input, Network, Settings, Turn};

    const NOW_MS: u64 = 90 * 86_400_000;

    fn client(id: u8, settings: Settings) -> Client {
        let network = Network {
            id: [id; 32],
            calendar: Calendar::new(0, 86_400_000, 60_000, 1_000).unwrap(),
            is_bucketed: false,
            catches_up: true,
            retention_ms: 86_400_000,
            is_dev: false,
            events: 10,
        };
        at(NOW_MS, |moment| Client::new(network, settings, "Ana", moment))
    }

    fn at<R>(now_ms: u64, act: impl FnOnce(&mut Moment<'_>) -> R) -> R {
        act(&mut Moment { now_ms, entropy: &mut crypto::random::fill })
    }

    #[test]
    fn a_hello_that_goes_back_by_another_channel_makes_two_verified_contacts_with_one_root() {
        let (mut wallet, mut server) = (client(1, Settings::MEMBER), client(1, Settings::server(8)));
        let offer = at(NOW_MS, |moment| wallet.offer("http://127.0.0.1:8100", moment)).unwrap();
        assert_eq!(offer.invite().name, "");
        let (there, hello) = at(NOW_MS, |moment| server.greet(offer.invite(), moment)).unwrap();
        // A minute before midnight on one side, a minute after on the other: both begin in the epoch that the hello names.
        let later = NOW_MS + 60_000;
        let here = at(later, |moment| wallet.enrol_by(&offer, &hello, "idp", moment)).unwrap();
        let (here, there) = (wallet.contact(here).unwrap(), server.contact(there).unwrap());
        assert_eq!((here.state(), there.state()), (ContactState::Verified, ContactState::Verified));
        assert_eq!((here.direction(), there.direction()), (Direction::Inviter, Direction::Accepter));
        assert_eq!((here.name(), there.name()), ("idp", ""));
        assert!(wallet.invites().next().is_none());
    }

    /// Takes part in the fast round of a time; its real cell, if it has one.
    fn acts(client: Client, now_ms: u64) -> (Client, Option<Vec<u8>>) {
        at(now_ms, |moment| {
            let (client, _) = client.step(Input::Welcome { now_ms, round_trip_ms: 0 }, moment);
            moment.now_ms += 580;
            let (client, effects) = client.step(Input::Tick, moment);
            let is_real = |turn: &Turn| client.awaits(turn.class, turn.round, turn.turn).is_some();
            let cell = effects.iter().find_map(|effect| match effect {
                Effect::Turn(turn) if is_real(turn) => Some(turn.cell.to_vec()),
                _ => None,
            });
            (client, cell)
        })
    }

    #[test]
    fn a_push_is_heard_also_by_who_was_too_late_to_act_in_its_round_but_of_no_round_far_ahead() {
        let settings = Settings { fast_turns: 1, is_in_normal: false, ..Settings::MEMBER };
        let (mut wallet, mut server) = (client(1, settings), client(1, Settings::server(8)));
        let offer = at(NOW_MS, |moment| wallet.offer("http://127.0.0.1:8100", moment)).unwrap();
        let (to, hello) = at(NOW_MS, |moment| server.greet(offer.invite(), moment)).unwrap();
        at(NOW_MS, |moment| wallet.enrol_by(&offer, &hello, "idp", moment)).unwrap();
        let (wallet, _) = acts(wallet, NOW_MS);
        let first = wallet.last_round(Class::Fast).unwrap();
        server.push(to, b"sign in?", NOW_MS + 90_000).unwrap();
        let (server, cell) = acts(server, NOW_MS + 3_000);
        let (round, rows) = (server.last_round(Class::Fast).unwrap(), cell.unwrap());
        assert_eq!(round, first + 3);
        let class = Class::Fast;
        let (wallet, _) = at(NOW_MS, |moment| {
            wallet.step(Input::Rows { class, round: first + 1_000, rows: &rows }, moment)
        });
        let (mut wallet, effects) =
            at(NOW_MS, |moment| wallet.step(Input::Rows { class, round, rows: &rows }, moment));
        assert_eq!(effects, [Effect::Save]);
        assert_eq!(wallet.take_messages()[0].bytes.expose(), b"sign in?");
    }

    #[test]
    fn an_offer_of_another_network_or_past_its_end_and_a_changed_hello_make_no_contact() {
        let mut wallet = client(1, Settings::MEMBER);
        let mut server = client(1, Settings::server(8));
        let offer = at(NOW_MS, |moment| wallet.offer("http://127.0.0.1:8100", moment)).unwrap();
        let foreign = at(NOW_MS, |moment| client(2, Settings::server(8)).greet(offer.invite(), moment));
        assert_eq!(foreign.unwrap_err(), AcceptRefusal::Network);
        let late = NOW_MS + OFFER_TTL_S * 1_000;
        assert_eq!(at(late, |m| server.greet(offer.invite(), m)).unwrap_err(), AcceptRefusal::Expired);
        let (_, mut hello) = at(NOW_MS, |moment| server.greet(offer.invite(), moment)).unwrap();
        let two_days = NOW_MS + 2 * 86_400_000;
        assert!(at(two_days, |moment| wallet.enrol_by(&offer, &hello, "idp", moment)).is_err());
        hello[1_130] ^= 1;
        assert!(at(NOW_MS, |moment| wallet.enrol_by(&offer, &hello, "idp", moment)).is_err());
        assert!(wallet.contacts().is_empty());
    }
}
