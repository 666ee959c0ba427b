//! Targets of a member of the relay, `protocol/mailbox`.

use crypto::secret::Secret;
use mailbox::body::Body;
use mailbox::calendar::Calendar;
use mailbox::cell::{self, CELL_BYTES, Class, Direction, Place, Slot, TAG_BYTES};
use mailbox::client::{Client, Network, Settings};
use mailbox::enrol::{self, HELLO_BYTES_MAX};
use mailbox::invite::{INVITE_BYTES_MAX, Invite};

use crate::input::{accepted, text};

/// Bytes behind the tag of a fixed cell, for inputs that are no sealed body.
const PLACE: Place =
    Place { network_id: [7; 32], class: Class::Normal, round: 9, direction: Direction::Inviter };

/// An invite has one spelling in bytes and one in each of its texts, and bounds hold.
pub fn invite(bytes: &[u8]) {
    let read = [Invite::parse(bytes).ok(), text(bytes).and_then(|text| Invite::from_link(text).ok())];
    for invite in read.into_iter().flatten() {
        let encoded = invite.encode();
        assert!(encoded.expose().len() <= INVITE_BYTES_MAX);
        for again in [
            Invite::parse(encoded.expose()),
            Invite::from_link(invite.to_link().expose()),
            Invite::from_link(invite.to_qr_text().expose()),
        ] {
            assert_eq!(again.expect("what we write we read").digest(), invite.digest());
        }
        accepted();
    }
    if Invite::parse(bytes).is_ok_and(|invite| invite.encode().expose() != bytes) {
        panic!("two spellings of one invite");
    }
}

/// A hello opens only where it was sealed: any other bytes are refused without a key.
pub fn hello(bytes: &[u8]) {
    let (invite, shared) = (fixed_invite(), Secret::new([4; 32]));
    if let Ok(greeted) = enrol::receive_with(&invite, &shared, bytes) {
        assert!(bytes.len() <= HELLO_BYTES_MAX);
        assert!(mailbox::invite::is_name(&greeted.card.name));
        assert!(enrol::receive_with(&invite, &Secret::new([5; 32]), bytes).is_err());
        accepted();
    }
    assert!(enrol::check_confirm(&Secret::new([6; 32]), &[0; 32], Direction::Inviter, bytes).is_err());
}

/// A body has one spelling.
pub fn body(bytes: &[u8]) {
    if let Ok(body) = Body::parse(bytes) {
        assert_eq!(body.encode().expose(), bytes);
        accepted();
    }
}

/// A cell opens in one place and under one key; the fuzzer's bytes are opened as they are, and sealed as a body.
pub fn cell(bytes: &[u8]) {
    let slot = |key: u8| Slot { tag: [1; TAG_BYTES], key: Secret::new([key; 32]) };
    if let Ok(cell) = <&[u8; CELL_BYTES]>::try_from(bytes) {
        let _ = cell::open(&slot(2), &PLACE, cell);
    }
    let Ok(body) = Body::parse(bytes) else { return };
    let sealed = cell::seal(slot(2), &PLACE, &body);
    assert_eq!(cell::open(&slot(2), &PLACE, &sealed).expect("what was sealed opens"), body);
    assert!(cell::open(&slot(3), &PLACE, &sealed).is_err());
    let elsewhere = Place { round: 10, ..PLACE };
    assert!(cell::open(&slot(2), &elsewhere, &sealed).is_err());
    accepted();
}

/// A state that is read is written to the same bytes, but for cells whose fate nobody knows any more; then it is stable.
pub fn state(bytes: &[u8]) {
    let calendar = Calendar::new(0, 86_400_000, 60_000, 1_000).expect("whole rounds");
    let network = Network {
        id: [7; 32],
        calendar,
        is_bucketed: false,
        catches_up: true,
        retention_ms: 1 << 30,
        is_dev: true,
        events: 1_000,
    };
    let Ok(client) = Client::decode(bytes, network, Settings::MEMBER) else { return };
    let written = client.encode();
    let again = Client::decode(written.expose(), network, Settings::MEMBER).expect("what we write we read");
    assert_eq!(again.encode().expose(), written.expose());
    accepted();
}

/// The invite that every hello of these targets answers.
pub fn fixed_invite() -> Invite {
    Invite {
        network_id: [7; 32],
        expires_s: 1_800_000_000,
        secret: Secret::new([1; 32]),
        bucket_seed: Secret::new([2; 32]),
        xwing_pk: [3; crypto::xwing::PUBLIC_BYTES],
        sign_pk: [0; 32],
        url: "https://relay.example".to_owned(),
        name: "Ana".to_owned(),
    }
}
