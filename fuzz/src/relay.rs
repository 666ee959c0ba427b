//! Targets of what relays and their clients say to each other, `protocol/mailbox`.

use std::sync::OnceLock;

use crypto::hpke::HpkePrivateKey;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use crypto::secret::Secret;
use mailbox::frame::{CLOSE_TEXT_BYTES_MAX, FromClient, FromRelay, HEAD_BYTES, Parts, Whole, turn_bytes};
use mailbox::hop::{Seen, open_last, publish};
use mailbox::link::MemberLink;
use mailbox::network::{
    Class, Epoch, HOPS_MAX, Identity, Manifest, NetworkId, Signature, Signed, SignedStatement,
    VerifiedManifest,
};
use mailbox::onion::{Layer, Opener, Path};
use mailbox::statement::{Expected, ROW_BYTES, SignedRound, statement_message};

use crate::input::{accepted, halves, text};

/// Rows that a reader of these targets expects at most.
const ROWS_MAX: u32 = 64;
/// Bytes of an onion of one hop.
const ONION_BYTES: usize = mailbox::frame::onion_bytes(1);
/// Where the onions of these targets go.
const LAYER: Layer = Layer { network: NetworkId([9; 32]), epoch: 3, view: 0, class: Class::Normal, hop: 1 };
/// The round that they are sent for.
const ROUND: u64 = 7;

/// A frame of a client has one spelling and, whatever is in it, the public length of its type. The first byte is the number of hops.
pub fn from_client(bytes: &[u8]) {
    let Some((first, frame)) = bytes.split_first() else { return };
    let k = 1 + usize::from(*first) % HOPS_MAX;
    let Ok((class, read)) = FromClient::parse(frame, k) else { return };
    assert_eq!(read.encode(class), frame);
    match read {
        FromClient::Hello(_) => assert_eq!(frame.len(), HEAD_BYTES + 41),
        FromClient::Turn { .. } => assert_eq!(frame.len(), turn_bytes(k)),
        FromClient::Close(close) => assert!(close.text.len() <= CLOSE_TEXT_BYTES_MAX),
    }
    accepted();
}

/// Frames of a relay, each behind its length in two bytes: a frame has one spelling, and parts come together to what makes the same
/// parts again, or leave nothing behind.
pub fn from_relay(mut bytes: &[u8]) {
    let mut parts = Parts::default();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (frame, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        bytes = rest;
        let Ok((class, read)) = FromRelay::parse(frame) else { continue };
        assert_eq!(read.encode(class), frame);
        accepted();
        let FromRelay::Part(part) = read else { continue };
        match parts.take(part, ROWS_MAX) {
            Ok(Some(whole)) => assert_eq!(again(&whole, class), Some(whole)),
            Ok(None) => continue,
            Err(_) => {}
        }
        assert_eq!(parts, Parts::default(), "what is done, or refused, leaves nothing behind");
    }
}

fn again(whole: &Whole, class: Class) -> Option<Whole> {
    let frames = match whole {
        Whole::Round(round) => round.frames(class),
        Whole::Bucket(bucket) => {
            mailbox::frame::Bucket::frames(class, bucket.round, bucket.bucket, &bucket.rows)
        }
    };
    let mut parts = Parts::default();
    let mut last = None;
    for frame in frames {
        let Ok((_, FromRelay::Part(part))) = FromRelay::parse(&frame) else { panic!("a part that is none") };
        last = parts.take(part, ROWS_MAX).expect("what we write we read");
    }
    last
}

/// What is opened was sealed to this key, for this place and round; a batch loses nothing that opens, and keeps nothing twice. The input
/// is a batch of onions; its first bytes are also a bucket and a cell, which are sealed.
pub fn onion(bytes: &[u8]) {
    let opener = Opener::new(key(3), &LAYER);
    let onions: Vec<&[u8]> = bytes.chunks(ONION_BYTES).collect();
    for onion in &onions {
        // The fixed seeds of the corpus are sealed to this key.
        if opener.open_last(ROUND, onion).is_ok() {
            assert!(opener.open_last(ROUND + 1, onion).is_err(), "an onion of another round opened");
            accepted();
        }
    }
    let batch = onions.iter().copied().chain(onions.iter().copied());
    let opened = open_last(&opener, &mut Seen::default(), ROUND, batch);
    assert_eq!(opened.cells.len() + opened.dropped as usize, 2 * onions.len());
    assert!(opened.cells.len() <= onions.len(), "a cell was taken twice");
    let rows = publish(&opened.cells, 1);
    assert!(
        rows[0].as_chunks::<ROW_BYTES>().0.is_sorted() && rows[0].len() == opened.cells.len() * ROW_BYTES
    );
    let Some((bucket, rest)) = bytes.split_first_chunk::<2>() else { return };
    let Some((cell, _)) = rest.split_first_chunk::<ROW_BYTES>() else { return };
    let path = Path::of_keys(&[Identity(key(3).public())], &LAYER);
    let bucket = u16::from_be_bytes(*bucket);
    let sealed = path.wrap(ROUND, bucket, cell, &[Secret::new([4; 32])]).expect("a sound key");
    assert_eq!(sealed.len(), ONION_BYTES);
    let found = opener.open_last(ROUND, &sealed).expect("what was sealed opens");
    assert_eq!((found.bucket, &found.cell), (bucket, cell));
    assert!(Opener::new(key(5), &LAYER).open_last(ROUND, &sealed).is_err());
    let elsewhere = Layer { class: Class::Fast, ..LAYER };
    assert!(Opener::new(key(3), &elsewhere).open_last(ROUND, &sealed).is_err());
}

/// A statement of a round has one spelling; what one relay signed no other did, and rows that are not its own do not fit it.
pub fn round(bytes: &[u8]) {
    let Ok(read) = SignedRound::parse(bytes) else { return };
    assert_eq!(read.encode(), bytes);
    let statement = read.unverified().clone();
    let own = statement.check_rows(0, bytes, &[]);
    assert!(own.is_err(), "the rows of a round are not its statement");
    let (message, hops) = (statement.message(), statement.hops.clone());
    let places = |key: &PrivateKey| -> Vec<_> { hops.iter().map(|hop| (hop.relay, identity(key))).collect() };
    let signed = statement.clone().signed(vec![sign(relay_key(), &message).0; hops.len()]);
    let expected = Expected {
        network: statement.network,
        class: statement.class,
        epoch: statement.epoch,
        view: statement.view,
        cascade: &places(relay_key()),
    };
    let stranger = places(&PrivateKey::from_secret(KeyAlg::Ed25519, &[2; 32]).expect("a seed of 32 bytes"));
    assert!(signed.clone().verify(&Expected { cascade: &stranger, ..expected }).is_err());
    assert!(read.verify(&expected).is_err(), "signatures of the input are nobody's");
    if signed.verify(&expected).is_ok() {
        accepted();
    }
}

/// A manifest, and after a line feed an epoch: each is signed with the fixed relay's key and believed only then. The whole input is also
/// read as a signed statement.
pub fn network(bytes: &[u8]) {
    if let Ok(read) = SignedStatement::parse(bytes) {
        assert_eq!(SignedStatement::parse(read.encode().as_bytes()).as_ref(), Ok(&read));
    }
    let (manifest, epoch) = halves(bytes);
    let Some(known) = text(manifest).and_then(known) else { return };
    let Some(epoch) = text(epoch) else { return };
    let signed = signed("epoch", epoch);
    let forged = SignedStatement { signatures: Vec::new(), ..signed.clone() };
    let Ok(epoch) = Epoch::parse(signed) else { return };
    let forged = Epoch::parse(forged).expect("signatures are looked at later");
    assert!(forged.verify(&known).is_err(), "an epoch without a signature was believed");
    let Ok(epoch) = epoch.verify(&known) else { return };
    let (it, manifest) = (epoch.epoch(), known.manifest());
    assert_eq!((it.network, it.cascade.len()), (known.network(), manifest.k as usize));
    assert!(it.cascade.iter().all(|place| usize::from(*place) < manifest.relays.len()));
    let _ = Path::new(&epoch, Class::Normal);
    accepted();
}

fn known(manifest: &str) -> Option<VerifiedManifest> {
    let signed = signed("manifest", manifest);
    let id = NetworkId(signed.digest());
    let unsigned = SignedStatement { signatures: Vec::new(), ..signed.clone() };
    let read = Manifest::parse(signed).ok()?;
    let forged = Manifest::parse(unsigned).expect("signatures are looked at later");
    assert!(forged.verify_first(id).is_err(), "a manifest without a signature was believed");
    let elsewhere = read.clone().verify_first(NetworkId([0; 32]));
    assert!(elsewhere.is_err());
    let known = read.verify_first(id).ok()?;
    let it = known.manifest();
    let again = Manifest::parse(self::signed("manifest", &it.encode())).expect("what we write we read");
    let id = NetworkId(self::signed("manifest", &it.encode()).digest());
    assert_eq!(again.verify_first(id).expect("it is signed").manifest(), it);
    let calendar = it.calendar();
    for epoch in [0, 1, u32::MAX] {
        let (cascade, standby) = it.cascade(epoch);
        assert_eq!((cascade.len(), cascade.len() + standby.len()), (it.k as usize, it.relays.len()));
        assert!(
            calendar.first_round(Class::Normal, epoch)
                <= calendar.first_round(Class::Normal, epoch.saturating_add(1))
        );
    }
    assert!((1..=it.relays.len()).contains(&it.trust_domains()));
    Some(known)
}

/// A member link has one spelling and names an address of http or https.
pub fn member_link(bytes: &[u8]) {
    let Some(link) = text(bytes).and_then(MemberLink::parse) else { return };
    assert_eq!(link.encode().map(String::into_bytes).as_deref(), Some(bytes));
    assert!(link.url.starts_with("http"));
    accepted();
}

/// The key of the one relay of these targets.
pub fn relay_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::from_secret(KeyAlg::Ed25519, &[1; 32]).expect("a seed of 32 bytes"))
}

/// A key's public half.
pub fn identity(key: &PrivateKey) -> Identity {
    Identity(key.public().raw().try_into().expect("an Ed25519 key has 32 bytes"))
}

/// Signs a message.
pub fn sign(key: &PrivateKey, message: &[u8]) -> Signature {
    let signature = key.sign(SignAlg::EdDsa, message).expect("the key signs so");
    Signature(signature.try_into().expect("an Ed25519 signature has 64 bytes"))
}

/// A statement with the fixed relay's signature.
pub fn signed(kind: &str, statement: &str) -> SignedStatement {
    let signature = sign(relay_key(), &statement_message(kind, statement.as_bytes()));
    let signatures = vec![Signed { identity: identity(relay_key()), signature }];
    SignedStatement { statement: statement.to_owned(), signatures }
}

/// The hop key of a number.
pub fn key(number: u8) -> HpkePrivateKey {
    HpkePrivateKey::from_secret(&Secret::new([number; 32]))
}

/// An onion that the fixed hop opens.
pub fn sealed(bucket: u16, cell: &[u8; ROW_BYTES], ephemeral: u8) -> Vec<u8> {
    let path = Path::of_keys(&[Identity(key(3).public())], &LAYER);
    path.wrap(ROUND, bucket, cell, &[Secret::new([ephemeral; 32])]).expect("a sound key")
}
