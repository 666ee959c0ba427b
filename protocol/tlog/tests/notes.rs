//! Signed notes, verifier keys and checkpoints: the examples of the texts, and what must be refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crypto::base64::{std_decode, std_encode};
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use tessera_tlog::checkpoint::{Checkpoint, CheckpointFault, OpenFault, SignedCheckpoint};
use tessera_tlog::merkle::root_of;
use tessera_tlog::note::{
    KeyType, Note, NoteFault, SIGNATURES_MAX, SignatureFault, VerifierKey, VerifyFault, VkeyFault,
    message_to_sign,
};

/// c2sp.org/signed-note, "Example".
const FOO_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const FOO_NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

/// golang.org/x/mod/sumdb/note, package documentation.
const NEUMANN_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NEUMANN_NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

const ORIGIN: &str = "h.example/log/t/acme";

struct Signer {
    private: PrivateKey,
    vkey: VerifierKey,
}

impl Signer {
    fn new(name: &str, key_type: KeyType) -> Self {
        let private = PrivateKey::generate(key_type.key_alg());
        let vkey = VerifierKey::new(name, key_type, private.public()).unwrap();
        Self { private, vkey }
    }

    fn sign(&self, note: &mut Note, time_s: u64) -> Result<(), SignatureFault> {
        let message = message_to_sign(note.text(), self.vkey.key_type(), self.vkey.name(), time_s)?;
        let alg = if self.private.alg() == KeyAlg::MlDsa44 { SignAlg::MlDsa44 } else { SignAlg::EdDsa };
        note.attach(&self.vkey, time_s, &self.private.sign(alg, &message).unwrap())
    }
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size: 7, root: root_of(&[[1; 32]]) }
}

fn signed_by(signers: &[&Signer]) -> Note {
    let mut note = Note::unsigned(checkpoint().encode()).unwrap();
    signers.iter().for_each(|signer| signer.sign(&mut note, 1_767_225_600).unwrap());
    note
}

#[test]
fn the_examples_of_the_texts_verify() {
    for (key, note) in [(FOO_KEY, FOO_NOTE), (NEUMANN_KEY, NEUMANN_NOTE)] {
        let key = VerifierKey::parse(key).unwrap();
        let parsed = Note::parse(note.as_bytes()).unwrap();
        let signers = parsed.verify(std::slice::from_ref(&key)).unwrap();
        assert_eq!((signers[0].key, signers[0].time_s), (0, None));
        assert_eq!(parsed.to_string(), note);
    }
    assert_eq!(VerifierKey::parse(FOO_KEY).unwrap().to_string(), FOO_KEY);
}

#[test]
fn the_checkpoint_of_the_text_is_read_and_written() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let checkpoint = Checkpoint::parse(text).unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.encode(), text);
}

#[test]
fn the_cosigned_messages_are_those_of_the_text() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let ed25519 = message_to_sign(text, KeyType::CosignatureEd25519, "w1", 1_679_315_147).unwrap();
    assert_eq!(ed25519, format!("cosignature/v1\ntime 1679315147\n{text}").into_bytes());
    let mldsa = message_to_sign(text, KeyType::MlDsa44, "w1", 1_679_315_147).unwrap();
    let root = std_decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=").unwrap();
    let expected = [
        b"subtree/v1\n\0",
        &b"\x02w1"[..],
        &1_679_315_147u64.to_be_bytes(),
        b"\x1bexample.com/behind-the-sofa",
        &0u64.to_be_bytes(),
        &20_852_163u64.to_be_bytes(),
        &root,
    ];
    assert_eq!(mldsa, expected.concat());
}

#[test]
fn a_checkpoint_signed_by_both_log_keys_opens_with_either_and_both() {
    let (ed, pq) = (Signer::new(ORIGIN, KeyType::Ed25519), Signer::new(ORIGIN, KeyType::MlDsa44));
    let bytes = signed_by(&[&ed, &pq]).to_string().into_bytes();
    for keys in [vec![ed.vkey.clone()], vec![pq.vkey.clone()], vec![ed.vkey, pq.vkey.clone()]] {
        let opened = SignedCheckpoint::open(&bytes, &keys).unwrap();
        assert_eq!(opened.checkpoint(), &checkpoint());
        assert_eq!(opened.signers().len(), keys.len());
    }
    let opened = SignedCheckpoint::open(&bytes, std::slice::from_ref(&pq.vkey)).unwrap();
    assert_eq!(opened.signers()[0].time_s, Some(1_767_225_600));
    let line = Note::parse(&bytes).unwrap().lines()[1].to_string();
    assert!(line.len() < 3_400, "an ML-DSA-44 line has 3.3 kB");
}

#[test]
fn a_note_from_which_the_post_quantum_line_was_stripped_does_not_satisfy_who_holds_that_key() {
    let (ed, pq) = (Signer::new(ORIGIN, KeyType::Ed25519), Signer::new(ORIGIN, KeyType::MlDsa44));
    let bytes = signed_by(&[&ed]).to_string().into_bytes();
    let fault = SignedCheckpoint::open(&bytes, &[ed.vkey, pq.vkey]).unwrap_err();
    assert_eq!(fault, OpenFault::Missing { name: ORIGIN.into(), type_byte: 6 });
}

#[test]
fn a_known_key_with_a_bad_signature_refuses_the_note_even_beside_a_good_one() {
    let (ed, other) = (Signer::new(ORIGIN, KeyType::Ed25519), Signer::new(ORIGIN, KeyType::Ed25519));
    let note = signed_by(&[&ed, &other]);
    let mut lines = note.lines().to_vec();
    lines[1].signature[5] ^= 1;
    let text = format!("{}\n{}\n{}\n", note.text(), lines[0], lines[1]);
    let note = Note::parse(text.as_bytes()).unwrap();
    assert!(note.verify(std::slice::from_ref(&ed.vkey)).is_ok(), "the key of the bad line is unknown here");
    let fault = note.verify(&[ed.vkey, other.vkey]).unwrap_err();
    assert_eq!(fault, VerifyFault::KnownKeyFails { name: ORIGIN.into(), fault: SignatureFault::Bad });
}

#[test]
fn a_second_bad_line_of_the_same_key_refuses_the_note() {
    let ed = Signer::new(ORIGIN, KeyType::Ed25519);
    let note = signed_by(&[&ed]);
    let mut bad = note.lines()[0].clone();
    bad.signature[0] ^= 1;
    let twice = Note::parse(format!("{note}{bad}\n").as_bytes()).unwrap();
    assert!(matches!(twice.verify(&[ed.vkey]), Err(VerifyFault::KnownKeyFails { .. })));
}

#[test]
fn unknown_keys_are_ignored_and_a_note_signed_by_none_is_refused() {
    let (ed, stranger) =
        (Signer::new(ORIGIN, KeyType::Ed25519), Signer::new("witness.example/w", KeyType::Ed25519));
    let note = Note::parse(signed_by(&[&ed, &stranger]).to_string().as_bytes()).unwrap();
    assert_eq!(note.verify(&[ed.vkey]).unwrap().len(), 1);
    let unknown = Signer::new(ORIGIN, KeyType::Ed25519);
    assert_eq!(note.verify(&[unknown.vkey]), Err(VerifyFault::Unsigned));
    assert_eq!(note.verify(&[]), Err(VerifyFault::Unsigned));
}

#[test]
fn one_key_under_two_types_has_two_ids_and_the_signatures_do_not_pass_for_one_another() {
    let plain = Signer::new(ORIGIN, KeyType::Ed25519);
    let cosign = VerifierKey::new(ORIGIN, KeyType::CosignatureEd25519, plain.private.public()).unwrap();
    assert_ne!(plain.vkey.id(), cosign.id());
    let note = signed_by(&[&plain]);
    let timed = [&1u64.to_be_bytes()[..], &note.lines()[0].signature].concat();
    assert_eq!(cosign.verify(note.text(), &timed), Err(SignatureFault::Bad));
}

#[test]
fn a_signature_with_time_0_or_past_the_bound_is_refused() {
    let pq = Signer::new(ORIGIN, KeyType::MlDsa44);
    let mut note = Note::unsigned(checkpoint().encode()).unwrap();
    assert_eq!(pq.sign(&mut note, 0), Err(SignatureFault::Time));
    assert_eq!(pq.sign(&mut note, 1 << 63), Err(SignatureFault::Time));
    let zero = [&0u64.to_be_bytes()[..], &[0; 2420]].concat();
    assert_eq!(pq.vkey.verify(note.text(), &zero), Err(SignatureFault::Time));
}

#[test]
fn a_post_quantum_signature_for_another_name_time_origin_size_or_root_does_not_verify() {
    let pq = Signer::new(ORIGIN, KeyType::MlDsa44);
    let note = signed_by(&[&pq]);
    let signature = &note.lines()[0].signature;
    let renamed = VerifierKey::new("w.example/w", KeyType::MlDsa44, pq.private.public()).unwrap();
    assert_eq!(renamed.verify(note.text(), signature), Err(SignatureFault::Bad));
    let mut later = signature.clone();
    later[7] ^= 1;
    assert_eq!(pq.vkey.verify(note.text(), &later), Err(SignatureFault::Bad));
    let mut other = checkpoint();
    other.size += 1;
    assert_eq!(pq.vkey.verify(&other.encode(), signature), Err(SignatureFault::Bad));
    other = checkpoint();
    other.root[31] ^= 1;
    assert_eq!(pq.vkey.verify(&other.encode(), signature), Err(SignatureFault::Bad));
    assert_eq!(pq.vkey.verify("free text\n", signature), Err(SignatureFault::NoCheckpoint));
}

#[test]
fn a_faulty_signature_is_never_attached() {
    let ed = Signer::new(ORIGIN, KeyType::Ed25519);
    let mut note = Note::unsigned(checkpoint().encode()).unwrap();
    assert_eq!(note.attach(&ed.vkey, 0, &[0; 64]), Err(SignatureFault::Bad));
    assert_eq!(note.attach(&ed.vkey, 0, &[0; 63]), Err(SignatureFault::Length));
    assert!(note.lines().is_empty());
}

#[test]
fn a_note_with_loose_base64_is_refused() {
    let good = FOO_NOTE.trim_end();
    let unpadded = good.trim_end_matches('=');
    let trailing_bits = format!("{}N=", &good[..good.len() - 2]);
    for bad in
        [unpadded.to_owned(), trailing_bits, good.replace("QOkn", "QO kn"), good.replace("QOkn", "QO_n")]
    {
        let fault = Note::parse(format!("{bad}\n").as_bytes()).unwrap_err();
        assert_eq!(fault, NoteFault::Line { line: 1 }, "{bad}");
    }
}

#[test]
fn a_note_with_a_control_byte_is_refused() {
    for byte in (0u8..0x20).filter(|byte| *byte != b'\n') {
        let bad = FOO_NOTE.replacen("example message", &format!("exam{}ple", char::from(byte)), 1);
        assert_eq!(Note::parse(bad.as_bytes()), Err(NoteFault::Characters), "{byte:#04x}");
    }
    let crlf = FOO_NOTE.replace('\n', "\r\n");
    assert_eq!(Note::parse(crlf.as_bytes()), Err(NoteFault::Characters));
    assert_eq!(Note::parse(b"\xff\n\n\xe2\x80\x94 a AAAAAAA=\n"), Err(NoteFault::Characters));
    assert!(Note::unsigned("a\tb\n".into()).is_err());
}

#[test]
fn a_note_without_a_whole_signature_part_is_refused() {
    for bad in [
        "",
        "\n",
        "\n\n",
        "text\n",
        "text\n\n",
        "text\n\nno line\n",
        "text\n\n— a AAAAAAA=",
        "text\n\n— a AAAAAAA=\n\n",
    ] {
        assert!(Note::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    let bad_lines = [
        "— a  AAAAAAA=",
        "— a+b AAAAAAA=",
        "—  AAAAAAA=",
        "— a AAAAAA==",
        "- a AAAAAAA=",
        "—a AAAAAAA=",
        "— a\u{2003}b AAAAAAA=",
    ];
    for line in bad_lines {
        assert!(Note::parse(format!("text\n\n{line}\n").as_bytes()).is_err(), "{line}");
    }
    assert!(Note::parse("text\n\n— a AAAAAAA=\n".as_bytes()).is_ok());
}

#[test]
fn the_text_of_a_note_may_hold_empty_lines_and_ends_at_the_last_one() {
    let note = Note::parse("a\n\nb\n\n— a AAAAAAA=\n".as_bytes()).unwrap();
    assert_eq!(note.text(), "a\n\nb\n");
}

#[test]
fn at_least_16_signatures_are_taken_and_more_than_32_refused() {
    let with = |n: usize| format!("text\n\n{}", "— a AAAAAAA=\n".repeat(n));
    assert_eq!(Note::parse(with(SIGNATURES_MAX).as_bytes()).unwrap().lines().len(), 32);
    assert_eq!(Note::parse(with(33).as_bytes()), Err(NoteFault::TooMany));
    let long = format!("{}\n\n— a AAAAAAA=\n", "x".repeat(64 * 1024));
    assert_eq!(Note::parse(long.as_bytes()), Err(NoteFault::TooLong));
}

#[test]
fn a_verifier_key_has_one_spelling() {
    let cases = [
        (FOO_KEY.replace("530d903a", "530d903b"), VkeyFault::Id),
        (FOO_KEY.replace("530d903a", "530D903A"), VkeyFault::Id),
        (FOO_KEY.replace("foo+", "fop+"), VkeyFault::Id),
        (FOO_KEY.replace("example.com/foo", ""), VkeyFault::Name),
        (FOO_KEY.replace("example.com/foo", "exa mple"), VkeyFault::Name),
        (FOO_KEY.replace("+A", "+B"), VkeyFault::Type(5)),
        ("example.com/foo+530d903a".into(), VkeyFault::Shape),
        ("".into(), VkeyFault::Shape),
        (format!("{FOO_KEY}="), VkeyFault::Shape),
        (format!("a+00000000+{}", std_encode(&[1; 32])), VkeyFault::Key),
        (format!("a+00000000+{}", std_encode(&[6; 33])), VkeyFault::Key),
        (format!("{}+{}", "x".repeat(3000), &FOO_KEY[16..]), VkeyFault::Shape),
    ];
    for (text, fault) in cases {
        assert_eq!(VerifierKey::parse(&text).unwrap_err(), fault, "{text}");
    }
}

#[test]
fn a_checkpoint_has_exactly_three_lines_in_one_spelling() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let cases = [
        (format!("o\n1\n{root}"), CheckpointFault::Lines),
        (format!("o\n1\n{root}\nextension\n"), CheckpointFault::Lines),
        (format!("o\n1\n{root}\n\n"), CheckpointFault::Lines),
        ("o\n1\n".into(), CheckpointFault::Lines),
        (format!("\n1\n{root}\n"), CheckpointFault::Origin),
        (format!("o\n01\n{root}\n"), CheckpointFault::Size),
        (format!("o\n+1\n{root}\n"), CheckpointFault::Size),
        (format!("o\n-1\n{root}\n"), CheckpointFault::Size),
        (format!("o\n\n{root}\n"), CheckpointFault::Size),
        (format!("o\n9223372036854775808\n{root}\n"), CheckpointFault::Size),
        (format!("o\n18446744073709551616\n{root}\n"), CheckpointFault::Size),
        ("o\n1\nAAAA\n".into(), CheckpointFault::Root),
        (format!("o\n1\n{}\n", root.replace('=', "")), CheckpointFault::Root),
        (format!("o\n1\n {root}\n"), CheckpointFault::Root),
    ];
    for (text, fault) in cases {
        assert_eq!(Checkpoint::parse(&text), Err(fault), "{text:?}");
    }
    assert!(Checkpoint::parse(&format!("o\n9223372036854775807\n{root}\n")).is_ok());
}

#[test]
fn a_checkpoint_of_another_log_is_refused_even_with_a_good_signature() {
    let foreign = Signer::new("h.example/log/t/other", KeyType::Ed25519);
    let own = Signer::new(ORIGIN, KeyType::Ed25519);
    let bytes = signed_by(&[&foreign]).to_string().into_bytes();
    let fault = SignedCheckpoint::open(&bytes, &[foreign.vkey]).unwrap_err();
    assert_eq!(fault, OpenFault::Origin { wanted: "h.example/log/t/other".into(), found: ORIGIN.into() });
    assert_eq!(SignedCheckpoint::open(&bytes, &[own.vkey]), Err(OpenFault::Signature(VerifyFault::Unsigned)));
    assert_eq!(SignedCheckpoint::open(&bytes, &[]), Err(OpenFault::NoKey));
}
