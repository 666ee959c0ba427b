//! Frames of the link: exact lengths, parts in order, nothing read that is not the frame of its type.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]

use mailbox::frame::{
    Bucket, CLOSE_TEXT_BYTES_MAX, Close, CloseCode, FRAME_BYTES_MAX, Fetch, FrameRejection, FromClient,
    FromRelay, Hello, Part, Parts, Round, Turn, TurnCode, Turned, Welcome, Whole, onion_bytes, turn_bytes,
};
use mailbox::network::{Class, NetworkId};
use mailbox::statement::{
    HopLine, MechanismLine, ROW_BYTES, RoundStatement, SignedRound, buckets_root, index_of, rows_digest,
};
use proptest::prelude::*;
use tessera_mailbox as mailbox;

fn hello() -> Hello {
    Hello { network: NetworkId([9; 32]), manifest_version: 1, turns: 1, fetch: Fetch::Bucket, bucket: 0 }
}

fn turn(k: usize) -> FromClient {
    let turn = Turn { round: 7, token: [0; 48], onion: vec![3; onion_bytes(k)], bucket: 0 };
    FromClient::Turn { number: 0, turn }
}

fn round(rows: &[u8]) -> Round {
    let buckets = [rows];
    let hop = HopLine {
        relay: 0,
        cells_in: 0,
        cells_out: 1,
        dropped: 0,
        digest: rows_digest(&buckets),
        seed_commit: [0; 32],
        coin_commit: [0; 32],
        coin: [0; 32],
    };
    let statement = RoundStatement {
        network: NetworkId([9; 32]),
        class: Class::Normal,
        epoch: 0,
        view: 0,
        round: 7,
        collect_from: 7,
        mechanism: MechanismLine::default(),
        buckets: 1,
        rows: (rows.len() / ROW_BYTES) as u32,
        hops: vec![hop],
        buckets_root: buckets_root(&buckets),
    };
    let signed: SignedRound = statement.signed(vec![[1; 64]]);
    Round { signed, index: index_of(rows), path: vec![] }
}

fn whole(frames: &[Vec<u8>], rows_max: u32) -> Result<Option<Whole>, FrameRejection> {
    let mut parts = Parts::default();
    let mut last = Ok(None);
    for frame in frames {
        let (_, FromRelay::Part(part)) = FromRelay::parse(frame).unwrap() else { panic!("no part") };
        last = parts.take(part, rows_max);
    }
    last
}

#[test]
fn every_frame_of_a_client_has_its_public_size() {
    assert_eq!(FromClient::Hello(hello()).encode(Class::Normal).len(), 4 + 41);
    for k in 1..=7 {
        assert_eq!(turn(k).encode(Class::Normal).len(), turn_bytes(k));
        assert_eq!(turn_bytes(k), 4 + 8 + 48 + 514 + 48 * k + 2);
    }
    for class in [Class::Normal, Class::Fast] {
        for frame in [FromClient::Hello(hello()), turn(3)] {
            assert_eq!(FromClient::parse(&frame.encode(class), 3), Ok((class, frame)));
        }
    }
}

#[test]
fn every_frame_of_a_relay_reads_back() {
    let welcome = Welcome { now_ms: 1, round: 2, epoch: 3, view: 4, epoch_digest: [5; 32] };
    let turned = Turned { round: 7, code: TurnCode::Full };
    let close = Close::new(CloseCode::Busy, "too many");
    for frame in
        [FromRelay::Welcome(welcome), FromRelay::Turned { number: 3, turned }, FromRelay::Close(close)]
    {
        assert_eq!(FromRelay::parse(&frame.encode(Class::Fast)), Ok((Class::Fast, frame)));
    }
    assert_eq!(FromRelay::Turned { number: 0, turned }.encode(Class::Normal).len(), 13);
}

#[test]
fn a_frame_one_byte_shorter_or_longer_is_refused() {
    for frame in [FromClient::Hello(hello()).encode(Class::Normal), turn(1).encode(Class::Normal)] {
        assert_eq!(FromClient::parse(&frame[..frame.len() - 1], 1), Err(FrameRejection::Length));
        assert_eq!(FromClient::parse(&[&frame[..], &[0]].concat(), 1), Err(FrameRejection::Length));
    }
    // The length of an onion is that of the epoch's hops.
    assert_eq!(FromClient::parse(&turn(2).encode(Class::Normal), 1), Err(FrameRejection::Length));
    assert_eq!(FromClient::parse(&[0x44, 0, 0, 0], 1), Err(FrameRejection::Type));
    assert_eq!(FromClient::parse(&[0x01, 9, 0, 0], 1), Err(FrameRejection::Class));
    assert_eq!(FromClient::parse(&vec![0x03; FRAME_BYTES_MAX + 1], 1), Err(FrameRejection::Length));
    let mut odd = FromClient::Hello(hello()).encode(Class::Normal);
    odd[4] = 2;
    assert_eq!(FromClient::parse(&odd, 1), Err(FrameRejection::Field), "another version");
    let many = FromClient::Hello(Hello { turns: 17, ..hello() }).encode(Class::Normal);
    assert_eq!(FromClient::parse(&many, 1), Err(FrameRejection::Field));
}

#[test]
fn a_round_and_its_rows_travel_in_parts_and_come_together() {
    for count in [0, 1, 3, 2_047, 2_048, 4_100] {
        let rows: Vec<u8> = (0..count * ROW_BYTES).map(|at| (at * 7 / 5) as u8).collect();
        let frames = Bucket::frames(Class::Normal, 7, 0, &rows);
        assert_eq!(frames.len(), (10 + rows.len()).div_ceil(FRAME_BYTES_MAX - 4).max(1));
        assert!(frames.iter().all(|frame| frame.len() <= FRAME_BYTES_MAX));
        let expected = Whole::Bucket(Bucket { round: 7, bucket: 0, rows: rows.clone() });
        assert_eq!(whole(&frames, count as u32), Ok(Some(expected)), "{count} rows");
        let round = round(&rows);
        assert_eq!(whole(&round.frames(Class::Normal), count as u32), Ok(Some(Whole::Round(round))));
    }
}

#[test]
fn parts_out_of_order_or_too_many_are_refused() {
    let frames = Bucket::frames(Class::Normal, 7, 0, &vec![1; 4_100 * ROW_BYTES]);
    assert_eq!(frames.len(), 3);
    assert_eq!(whole(&[frames[0].clone(), frames[2].clone()], 5_000), Err(FrameRejection::Order));
    assert_eq!(whole(&[frames[1].clone(), frames[1].clone()], 5_000), Err(FrameRejection::Order));
    assert_eq!(whole(&frames, 1_000), Err(FrameRejection::Length), "more rows than the reader expects");
    let short = [&frames[0][..100], &[][..]].concat();
    assert_eq!(whole(&[short], 5_000), Err(FrameRejection::Length), "only the last part is short");
}

#[test]
fn the_text_of_a_close_is_cut_at_a_letter() {
    let close = Close::new(CloseCode::Bye, &"é".repeat(100));
    assert!(close.text.len() <= CLOSE_TEXT_BYTES_MAX && close.text.chars().all(|c| c == 'é'));
    let frame = FromClient::Close(close);
    assert_eq!(FromClient::parse(&frame.encode(Class::Normal), 1), Ok((Class::Normal, frame)));
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700), kind in 0u8..0x30) {
        let mut framed = vec![kind, 0, 0, 0];
        framed.extend(&bytes);
        for frame in [&bytes, &framed] {
            if let Ok((class, read)) = FromClient::parse(frame, 1) {
                prop_assert_eq!(&read.encode(class), frame);
            }
            if let Ok((class, read)) = FromRelay::parse(frame) {
                prop_assert_eq!(&read.encode(class), frame);
                if let FromRelay::Part(part) = read {
                    let part: Part = part;
                    let _ = Parts::default().take(part, 100);
                }
            }
        }
    }
}
