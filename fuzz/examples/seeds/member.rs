//! Seeds of a member of the relay.

use super::Seeds;
use crypto::secret::Secret;
use mailbox::body::{Body, Kind, PAYLOAD_BYTES_MAX};
use mailbox::calendar::Calendar;
use mailbox::client::{Client, Moment, Network, Settings};
use mailbox::enrol::{self, Card};
use tessera_fuzz::member::fixed_invite;

pub(super) fn all() -> Vec<Seeds> {
    vec![
        ("mailbox_invite", invites()),
        ("mailbox_hello", hellos()),
        ("mailbox_body", bodies()),
        ("mailbox_cell", bodies()),
        ("mailbox_state", states()),
    ]
}

fn invites() -> Vec<Vec<u8>> {
    let invite = fixed_invite();
    vec![
        invite.encode().expose().clone(),
        invite.to_link().expose().clone().into_bytes(),
        invite.to_qr_text().expose().clone().into_bytes(),
    ]
}

fn hellos() -> Vec<Vec<u8>> {
    let card = |name: &str| Card {
        epoch: 3,
        bucket_seed: Secret::new([8; 32]),
        sign_pk: [0; 32],
        name: name.to_owned(),
    };
    let hello = |name: &str| {
        enrol::greet_with(&fixed_invite(), &card(name), &[9; 16], &[5; 1_120], &Secret::new([4; 32])).0
    };
    vec![hello("Bo"), hello("")]
}

fn bodies() -> Vec<Vec<u8>> {
    let of = |kind: Kind, payload: Vec<u8>| Body { seq: 1, message: 1, payload, ..Body::of(kind) };
    [
        of(Kind::Data, b"hello".to_vec()),
        of(Kind::Data, vec![0xff; PAYLOAD_BYTES_MAX]),
        of(Kind::Ack, Vec::new()),
    ]
    .iter()
    .map(|body| body.encode().expose().clone())
    .collect()
}

/// A fresh member: with an invite or a contact it would be over the bound of a seed.
fn states() -> Vec<Vec<u8>> {
    let network = Network {
        id: [7; 32],
        calendar: Calendar::new(0, 86_400_000, 60_000, 1_000).expect("whole rounds"),
        is_bucketed: false,
        catches_up: true,
        retention_ms: 1 << 30,
        is_dev: true,
        events: 1_000,
    };
    let mut entropy = |bytes: &mut [u8]| bytes.fill(6);
    let mut moment = Moment { now_ms: 86_400_000, entropy: &mut entropy };
    let mut client = Client::new(network, Settings::MEMBER, "Ana", &mut moment);
    let fresh = client.encode().expose().clone();
    let direction = mailbox::cell::Direction::Inviter;
    let (root, seed) = (Secret::new([1; 32]), Secret::new([2; 32]));
    let id = client.enrolled(root, direction, seed, "Bo", &mut moment).expect("there is room");
    client.send(id, b"hello", 86_400_000).expect("there is room");
    vec![fresh, client.encode().expose().clone()]
}
