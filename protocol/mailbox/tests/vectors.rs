//! Our own vectors, which another client of the network must pass: see `vectors/SOURCE.md`.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop at the first surprise, as tests do")]

use crypto::hex;
use crypto::secret::Secret;
use serde_json::Value;
use tessera_mailbox::body::{Body, Kind};
use tessera_mailbox::calendar::Calendar;
use tessera_mailbox::cell::{self, Class, Direction, Place, Slot};
use tessera_mailbox::chain::{Line, Source};
use tessera_mailbox::contact::bucket_of;
use tessera_mailbox::enrol::{self, Card, Code};
use tessera_mailbox::invite::Invite;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn class(value: &Value) -> Class {
    Class::of(u8::try_from(number(value)).unwrap()).unwrap()
}

fn direction(value: &Value) -> Direction {
    Direction::of(u8::try_from(number(value)).unwrap()).unwrap()
}

#[test]
fn bodies_are_written_and_read_as_the_vectors_say() {
    let vectors = read(include_str!("vectors/body.json"));
    assert_eq!(list(&vectors["accepted"]).len(), 4);
    for case in list(&vectors["accepted"]) {
        let body = Body {
            kind: Kind::of(number(&case["kind"]) as u8).unwrap(),
            flags: number(&case["flags"]) as u16,
            seq: number(&case["seq"]) as u32,
            ack: number(&case["ack"]) as u32,
            ack_bits: number(&case["ack_bits"]) as u32,
            message: number(&case["message"]) as u32,
            fragment: number(&case["fragment"]) as u16,
            fragments: number(&case["fragments"]) as u16,
            payload: bytes(&case["payload"]),
        };
        assert_eq!(body.encode().expose(), &bytes(&case["body"]));
        assert_eq!(Body::parse(&bytes(&case["body"])).unwrap(), body);
    }
    assert_eq!(list(&vectors["refused"]).len(), 11);
    for case in list(&vectors["refused"]) {
        assert!(Body::parse(&bytes(&case["body"])).is_err(), "{}", case["why"]);
    }
}

#[test]
fn cells_are_sealed_and_opened_as_the_vectors_say() {
    let vectors = read(include_str!("vectors/cell.json"));
    assert_eq!(list(&vectors["cells"]).len(), 3);
    for case in list(&vectors["cells"]) {
        let place = Place {
            network_id: array(&case["network_id"]),
            class: class(&case["class"]),
            round: number(&case["round"]),
            direction: direction(&case["direction"]),
        };
        let slot = || Slot { tag: array(&case["tag"]), key: Secret::new(array(&case["key"])) };
        let body = Body::parse(&bytes(&case["body"])).unwrap();
        let expected: [u8; 512] = array(&case["cell"]);
        assert_eq!(cell::seal(slot(), &place, &body), expected);
        assert_eq!(cell::open(&slot(), &place, &expected).unwrap(), body);
    }
}

#[test]
fn chains_give_the_tags_and_keys_of_the_vectors() {
    let vectors = read(include_str!("vectors/chain.json"));
    let lengths = ["genesis_ms", "epoch_ms", "normal_ms", "fast_ms"].map(|name| number(&vectors[name]));
    let calendar = Calendar::new(lengths[0], lengths[1], lengths[2], lengths[3]).unwrap();
    assert_eq!(list(&vectors["cases"]).len(), 8);
    for case in list(&vectors["cases"]) {
        let source = if case["ratchets"].as_bool().unwrap() { Source::Ratchet } else { Source::Fixed };
        let root = Secret::new(array(&vectors["root"]));
        let mut line = Line::open(source, root, number(&vectors["epoch"]) as u32, &calendar);
        for round in list(&case["rounds"]) {
            let slot = line
                .slot(
                    class(&case["class"]),
                    direction(&case["direction"]),
                    number(&round["round"]),
                    &calendar,
                )
                .unwrap();
            assert_eq!(slot.tag, array(&round["tag"]), "{round}");
            assert_eq!(slot.key.expose(), &array::<32>(&round["key"]), "{round}");
        }
    }
}

#[test]
fn an_invite_becomes_the_keys_and_the_code_of_the_vectors() {
    let vector = read(include_str!("vectors/invite.json"));
    let invite = Invite {
        network_id: array(&vector["network_id"]),
        expires_s: number(&vector["expires_s"]),
        secret: Secret::new(array(&vector["secret"])),
        bucket_seed: Secret::new(array(&vector["bucket_seed"])),
        xwing_pk: array(&vector["xwing_pk"]),
        sign_pk: array(&vector["sign_pk"]),
        url: vector["url"].as_str().unwrap().to_owned(),
        name: vector["name"].as_str().unwrap().to_owned(),
    };
    assert_eq!(invite.encode().expose(), &bytes(&vector["invite"]));
    assert_eq!(invite.root().expose(), &array::<32>(&vector["invite_root"]));
    for case in list(&vector["buckets"]) {
        let bucket =
            bucket_of(&invite.bucket_seed, number(&case["epoch"]) as u32, number(&case["buckets"]) as u16);
        assert_eq!(u64::from(bucket), number(&case["bucket"]));
    }
    let (nonce_a, nonce_b): ([u8; 16], [u8; 16]) = (array(&vector["nonce_a"]), array(&vector["nonce_b"]));
    let card = Card {
        epoch: number(&vector["card"]["epoch"]) as u32,
        bucket_seed: Secret::new(array(&vector["card"]["bucket_seed"])),
        sign_pk: array(&vector["card"]["sign_pk"]),
        name: vector["card"]["name"].as_str().unwrap().to_owned(),
    };
    let shared = Secret::new(array(&vector["shared"]));
    let (hello, keys) = enrol::greet_with(&invite, &card, &nonce_b, &array(&vector["ciphertext"]), &shared);
    assert_eq!(hello, bytes(&vector["hello"]));
    let greeted = enrol::receive_with(&invite, &shared, &hello).unwrap();
    assert_eq!(greeted.card.name, card.name);
    for keys in [&keys, &greeted.keys] {
        assert_eq!(keys.transcript, array(&vector["transcript"]));
        assert_eq!(keys.root.expose(), &array::<32>(&vector["root"]));
        let confirm = |side, nonce| enrol::confirm(&keys.confirm, &keys.transcript, side, nonce);
        assert_eq!(confirm(Direction::Inviter, &nonce_a), bytes(&vector["confirm_a"]));
        assert_eq!(confirm(Direction::Accepter, &nonce_b), bytes(&vector["confirm_b"]));
        let code = Code::of(&keys.transcript, &nonce_a, &nonce_b);
        assert_eq!(code.to_string(), vector["code"].as_str().unwrap());
    }
    enrol::check_commitment(&nonce_b, &invite.digest(), &greeted.commitment).unwrap();
}

#[test]
fn the_recipient_can_forge_a_transcript_so_nobody_can_prove_who_wrote_a_cell() {
    let calendar = Calendar::new(0, 6_000, 60, 0).unwrap();
    let line = || Line::open(Source::Ratchet, Secret::new([5; 32]), 0, &calendar);
    let place = Place { network_id: [1; 32], class: Class::Normal, round: 7, direction: Direction::Inviter };
    let said = |text: &[u8]| Body { seq: 1, message: 1, payload: text.to_vec(), ..Body::of(Kind::Data) };
    let sealed = |mut line: Line, text: &[u8]| {
        let slot = line.slot(place.class, place.direction, place.round, &calendar).unwrap();
        cell::seal(slot, &place, &said(text))
    };
    // The inviter writes one thing; the accepter, who holds the same chains, writes another in the inviter's name.
    let true_one = sealed(line(), b"no");
    let forged = sealed(line(), b"yes");
    let slot = line().slot(place.class, place.direction, place.round, &calendar).unwrap();
    assert_eq!(cell::tag(&true_one), cell::tag(&forged));
    assert_eq!(cell::open(&slot, &place, &true_one).unwrap(), said(b"no"));
    assert_eq!(cell::open(&slot, &place, &forged).unwrap(), said(b"yes"));
}
