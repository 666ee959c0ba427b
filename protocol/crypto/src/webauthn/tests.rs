//! The standard's own vectors, and an authenticator in software whose every lie is caught.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::*;
use crate::cbor::{self, Value};
use crate::key::{KeyAlg, PrivateKey};
use crate::x509::Certificate;
use crate::{base64, cose, hash, hex};

const ORIGIN: &str = "https://example.org";
const RP_ID: &str = "example.org";

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// WebAuthn Level 3, section "Test Vectors".
fn vectors() -> (Vec<Certificate>, Vec<Json>) {
    let all: Json = serde_json::from_str(include_str!("../../tests/vectors/webauthn.json")).unwrap();
    let root = hex::decode(all["attestation_ca_cert"].as_str().unwrap()).unwrap();
    (vec![Certificate::parse(&root).unwrap()], all["cases"].as_array().unwrap().clone())
}

fn bytes(part: &Json, name: &str) -> Vec<u8> {
    hex::decode(part[name].as_str().unwrap()).unwrap()
}

fn creation(case: &Json, roots: &[Certificate]) -> Result<Passkey, WebauthnFault> {
    let part = &case["creation"];
    let challenge = bytes(part, "challenge");
    let creation = Creation::parse(&bytes(part, "clientDataJSON"), &bytes(part, "attestationObject"))?;
    assert_eq!(creation.challenge(), challenge);
    creation.verify(&Expected { challenge: &challenge, origin: ORIGIN, rp_id: RP_ID }, roots, now())
}

fn assertion(case: &Json, passkey: &Passkey) -> Result<Asserted, WebauthnFault> {
    let part = &case["assertion"];
    let challenge = bytes(part, "challenge");
    let parts = AssertionParts {
        id: &bytes(&case["creation"], "credential_id"),
        client_data_json: &bytes(part, "clientDataJSON"),
        authenticator_data: &bytes(part, "authenticatorData"),
        signature: &bytes(part, "signature"),
        user_handle: &[],
    };
    let expected = Expected { challenge: &challenge, origin: ORIGIN, rp_id: RP_ID };
    Assertion::parse(&parts)?.verify(&expected, passkey, b"")
}

#[test]
fn the_standards_vectors_are_accepted_or_refused_for_the_reason_that_each_gives() {
    let (roots, cases) = vectors();
    let mut seen = 0;
    for case in &cases {
        let made = creation(case, &roots).map(|passkey| passkey.attestation.is_rooted());
        let wanted = match case["name"].as_str().unwrap() {
            "packed-self-es256" => Ok(false),
            "packed-es256" | "packed-rs256" | "tpm-es256" => Ok(true),
            // These authenticators did not verify their user.
            "none-es256" | "none-es256-long-credential-id" | "packed-eddsa" => {
                Err(WebauthnFault::UserVerified)
            }
            "none-es256-crossOrigin" | "none-es256-topOrigin" => Err(WebauthnFault::CrossOrigin),
            "packed-es384" | "packed-es512" | "packed-ed448" => Err(WebauthnFault::Key),
            "android-key-es256" | "apple-es256" | "fido-u2f-es256" => Err(WebauthnFault::Attestation),
            other => panic!("{other} is not ruled on"),
        };
        assert_eq!(made, wanted, "{}", case["name"]);
        seen += 1;
    }
    assert_eq!(seen, 15);
}

/// The passkey of a vector whatever its flags: what the policy above refuses, the mathematics still holds.
fn passkey_of(case: &Json, roots: &[Certificate]) -> Option<Passkey> {
    let part = &case["creation"];
    let Unverified(Creation { client_data, data, statement }) =
        Creation::parse(&bytes(part, "clientDataJSON"), &bytes(part, "attestationObject")).ok()?;
    let attestation = statement.judge(&data, &client_data.hash, roots, now()).unwrap();
    let flags = Flags { backup_eligible: data.flag(0x08), backed_up: data.flag(0x10) };
    let attested = data.attested.unwrap();
    assert_eq!(attested.credential_id, bytes(part, "credential_id"));
    assert_eq!(attested.aaguid.to_vec(), bytes(part, "aaguid"));
    let (credential_id, key, alg, aaguid) =
        (attested.credential_id, attested.key, attested.alg, attested.aaguid);
    Some(Passkey { credential_id, key, alg, counter: data.counter, flags, aaguid, attestation })
}

#[test]
fn every_signature_of_the_vectors_that_are_read_verifies_and_no_flipped_one_does() {
    let (roots, cases) = vectors();
    let mut verified = 0;
    for case in &cases {
        let Some(passkey) = passkey_of(case, &roots) else { continue };
        let part = &case["assertion"];
        let data = bytes(part, "authenticatorData");
        let signed = [&data[..], &hash::sha256(&bytes(part, "clientDataJSON"))].concat();
        let signature = bytes(part, "signature");
        assert!(attestation::verifies(passkey.alg, &passkey.key, &signed, &signature), "{}", case["name"]);
        assert!(!attestation::verifies(passkey.alg, &passkey.key, &signed[1..], &signature));
        verified += 1;
        let whole = assertion(case, &passkey);
        let user_verified = data[32] & 0x04 != 0;
        let crossed = case["name"].as_str().unwrap().contains("Origin");
        let wanted = match (crossed, user_verified) {
            (true, _) => Err(WebauthnFault::CrossOrigin),
            (_, false) => Err(WebauthnFault::UserVerified),
            (_, true) => Ok(()),
        };
        assert_eq!(whole.map(|_| ()), wanted, "{}", case["name"]);
    }
    assert_eq!(verified, 9);
}

#[test]
fn without_its_root_an_attestation_counts_as_none_and_with_a_flipped_byte_it_is_refused() {
    let (roots, cases) = vectors();
    let case = |name: &str| cases.iter().find(|case| case["name"] == name).unwrap().clone();
    for name in ["packed-es256", "tpm-es256"] {
        let case = case(name);
        assert_eq!(creation(&case, &[]).unwrap().attestation, AttestationVerdict::None, "{name}");
        let object = bytes(&case["creation"], "attestationObject");
        let data_at = object.windows(8).position(|at| at == b"authData").unwrap();
        for at in (40..data_at).step_by(7) {
            let mut flipped = object.clone();
            flipped[at] ^= 0x20;
            let mut other = case.clone();
            other["creation"]["attestationObject"] = json!(hex::encode(&flipped));
            let made = creation(&other, &roots);
            assert!(!made.is_ok_and(|passkey| passkey.attestation.is_rooted()), "{name} byte {at}");
        }
    }
}

/// An authenticator that does as it is told.
struct Soft {
    key: PrivateKey,
    flags: u8,
    counter: u32,
    rp_id: &'static str,
    client: Json,
}

const CHALLENGE: [u8; 32] = [7; 32];
const ID: &[u8] = b"credential";

impl Soft {
    fn new(kind: &str) -> Soft {
        let client = json!({
            "type": kind, "challenge": base64::url_encode(&CHALLENGE), "origin": ORIGIN, "crossOrigin": false,
        });
        Soft { key: PrivateKey::generate(KeyAlg::P256), flags: 0x05, counter: 0, rp_id: RP_ID, client }
    }

    fn data(&self, attested: bool) -> Vec<u8> {
        let mut data = hash::sha256(self.rp_id.as_bytes()).to_vec();
        data.push(self.flags | if attested { 0x40 } else { 0 });
        data.extend(self.counter.to_be_bytes());
        if attested {
            data.extend([9; 16]);
            data.extend([0, u8::try_from(ID.len()).unwrap()]);
            data.extend(ID);
            let Some(Value::Map(mut pairs)) = cose::key::to_value(&self.key.public()) else {
                panic!("no map")
            };
            pairs.push((Value::int(3), Value::int(self.key.alg().default_sign_alg().cose_id())));
            data.extend(cbor::encode(&Value::Map(pairs)));
        }
        data
    }

    fn object(&self) -> Vec<u8> {
        cbor::encode(&Value::Map(vec![
            (Value::text("fmt"), Value::text("none")),
            (Value::text("attStmt"), Value::Map(vec![])),
            (Value::text("authData"), Value::bytes(self.data(true))),
        ]))
    }

    fn create(&self) -> Result<Passkey, WebauthnFault> {
        let client = self.client.to_string();
        Creation::parse(client.as_bytes(), &self.object())?.verify(&expected(), &[], now())
    }

    fn sign(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let (data, client) = (self.data(false), self.client.to_string().into_bytes());
        let message = [&data[..], &hash::sha256(&client)].concat();
        let plain = self.key.sign(self.key.alg().default_sign_alg(), &message).unwrap();
        let signature = if self.key.alg() == KeyAlg::P256 { der(&plain) } else { plain };
        (data, client, signature)
    }

    fn get(&self, passkey: &Passkey) -> Result<Asserted, WebauthnFault> {
        let (data, client, signature) = self.sign();
        let parts = AssertionParts {
            id: ID,
            client_data_json: &client,
            authenticator_data: &data,
            signature: &signature,
            user_handle: b"ana",
        };
        Assertion::parse(&parts)?.verify(&expected(), passkey, b"ana")
    }
}

fn expected() -> Expected<'static> {
    Expected { challenge: &CHALLENGE, origin: ORIGIN, rp_id: RP_ID }
}

/// The DER form of `r ‖ s`.
fn der(fixed: &[u8]) -> Vec<u8> {
    let number = |half: &[u8]| {
        let digits = &half[half.iter().take_while(|byte| **byte == 0).count()..];
        let mut out = vec![0; usize::from(digits[0] > 0x7f)];
        out.extend(digits);
        [&[2, u8::try_from(out.len()).unwrap()], &out[..]].concat()
    };
    let both = [number(&fixed[..32]), number(&fixed[32..])].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()], &both[..]].concat()
}

/// A passkey, and its authenticator ready to use it.
fn passkey(change: impl FnOnce(&mut Soft)) -> (Passkey, Soft) {
    let mut soft = Soft::new("webauthn.create");
    change(&mut soft);
    let passkey = soft.create().unwrap();
    soft.client["type"] = json!("webauthn.get");
    (passkey, soft)
}

#[test]
fn a_passkey_is_made_and_used_with_each_algorithm_that_is_offered() {
    for alg in [KeyAlg::P256, KeyAlg::Ed25519] {
        let (passkey, mut soft) = passkey(|it| it.key = PrivateKey::generate(alg));
        assert_eq!((passkey.alg, passkey.credential_id.as_slice()), (alg.default_sign_alg(), ID));
        assert_eq!(soft.get(&passkey), Ok(Asserted { counter: 0, flags: passkey.flags }));
        soft.counter = 1;
        assert_eq!(soft.get(&passkey).unwrap().counter, 1);
    }
}

#[test]
fn an_assertion_without_presence_or_verification_of_the_user_is_refused() {
    let (passkey, mut soft) = passkey(|_| ());
    for (flags, fault) in [(0x04, WebauthnFault::UserPresent), (0x01, WebauthnFault::UserVerified)] {
        soft.flags = flags;
        assert_eq!(soft.get(&passkey), Err(fault));
    }
}

#[test]
fn an_assertion_over_another_challenge_of_another_origin_frame_or_ceremony_is_refused() {
    let (passkey, honest) = passkey(|_| ());
    let key = honest.key.to_secret();
    for (name, value, fault) in [
        ("type", json!("webauthn.create"), WebauthnFault::Type),
        ("challenge", json!(base64::url_encode(&[8; 32])), WebauthnFault::Challenge),
        ("challenge", json!(""), WebauthnFault::Challenge),
        ("challenge", json!("=="), WebauthnFault::Form),
        ("origin", json!("https://example.org.evil.example"), WebauthnFault::Origin),
        ("origin", json!("http://example.org"), WebauthnFault::Origin),
        ("origin", json!("https://example.org:444"), WebauthnFault::Origin),
        ("crossOrigin", json!(true), WebauthnFault::CrossOrigin),
        ("crossOrigin", json!("false"), WebauthnFault::Form),
        ("topOrigin", json!("https://example.com"), WebauthnFault::CrossOrigin),
    ] {
        let mut soft = Soft::new("webauthn.get");
        soft.key = PrivateKey::from_secret(KeyAlg::P256, key.expose()).unwrap();
        soft.client[name] = value.clone();
        assert_eq!(soft.get(&passkey), Err(fault), "{name} {value}");
    }
}

#[test]
fn an_assertion_for_another_relying_party_credential_or_user_is_refused() {
    let (passkey, mut soft) = passkey(|_| ());
    let (data, client, signature) = soft.sign();
    let verify = |id: &[u8], user_handle: &[u8]| {
        let parts = AssertionParts {
            id,
            client_data_json: &client,
            authenticator_data: &data,
            signature: &signature,
            user_handle,
        };
        Assertion::parse(&parts).unwrap().verify(&expected(), &passkey, b"ana").map(|_| ())
    };
    assert_eq!(verify(ID, b"ana"), Ok(()));
    assert_eq!(verify(ID, b""), Ok(()), "a handle is sent for discoverable credentials alone");
    assert_eq!(verify(ID, b"bob"), Err(WebauthnFault::Credential));
    assert_eq!(verify(b"another", b"ana"), Err(WebauthnFault::Credential));
    soft.rp_id = "evil.example";
    assert_eq!(soft.get(&passkey), Err(WebauthnFault::RpId));
}

#[test]
fn a_counter_that_stands_still_or_falls_is_refused_except_where_it_never_moves() {
    let (mut passkey, mut soft) = passkey(|_| ());
    for (kept, sent, good) in
        [(0, 0, true), (0, 1, true), (5, 6, true), (5, 5, false), (5, 4, false), (5, 0, false)]
    {
        (passkey.counter, soft.counter) = (kept, sent);
        let verdict = soft.get(&passkey).map(|asserted| asserted.counter);
        assert_eq!(verdict, if good { Ok(sent) } else { Err(WebauthnFault::Counter) }, "{kept} {sent}");
    }
}

#[test]
fn a_key_that_was_bound_to_its_device_does_not_become_a_synced_one() {
    let (bound, mut soft) = passkey(|_| ());
    assert!(!bound.flags.backup_eligible);
    soft.flags = 0x05 | 0x08;
    assert_eq!(soft.get(&bound), Err(WebauthnFault::Backup));
    soft.flags = 0x05 | 0x10;
    assert_eq!(soft.get(&bound), Err(WebauthnFault::Backup), "backed up without being eligible");
    let (synced, mut soft) = passkey(|it| it.flags = 0x05 | 0x08);
    soft.flags = 0x05 | 0x18;
    assert!(soft.get(&synced).unwrap().flags.backed_up);
}

#[test]
fn a_signature_of_another_key_or_over_other_data_is_refused() {
    let (passkey, soft) = passkey(|_| ());
    let thief = Soft::new("webauthn.get");
    assert_eq!(thief.get(&passkey), Err(WebauthnFault::Signature));
    let (data, client, signature) = soft.sign();
    for at in 0..signature.len() {
        let mut flipped = signature.clone();
        flipped[at] ^= 1;
        let parts = AssertionParts {
            id: ID,
            client_data_json: &client,
            authenticator_data: &data,
            signature: &flipped,
            user_handle: b"",
        };
        let verdict = Assertion::parse(&parts).unwrap().verify(&expected(), &passkey, b"ana");
        assert_eq!(verdict, Err(WebauthnFault::Signature), "byte {at}");
    }
}

#[test]
fn a_creation_without_verification_on_another_origin_or_of_a_key_that_was_not_offered_is_refused() {
    let of = |change: fn(&mut Soft)| {
        let mut soft = Soft::new("webauthn.create");
        change(&mut soft);
        soft.create().map(|_| ())
    };
    assert_eq!(of(|_| ()), Ok(()));
    assert_eq!(of(|it| it.flags = 0x01), Err(WebauthnFault::UserVerified));
    assert_eq!(of(|it| it.flags = 0x15), Err(WebauthnFault::Backup));
    assert_eq!(of(|it| it.client["origin"] = json!("https://evil.example")), Err(WebauthnFault::Origin));
    assert_eq!(of(|it| it.client["type"] = json!("webauthn.get")), Err(WebauthnFault::Type));
    assert_eq!(of(|it| it.rp_id = "evil.example"), Err(WebauthnFault::RpId));
    assert_eq!(of(|it| it.key = PrivateKey::generate(KeyAlg::P384)), Err(WebauthnFault::Key));
    assert_eq!(of(|it| it.key = PrivateKey::generate(KeyAlg::Secp256k1)), Err(WebauthnFault::Key));
}

#[test]
fn cut_lengthened_and_oversized_messages_are_refused_and_nothing_panics() {
    let soft = Soft::new("webauthn.create");
    let (client, object) = (soft.client.to_string().into_bytes(), soft.object());
    for length in 0..object.len() {
        assert!(Creation::parse(&client, &object[..length]).is_err());
    }
    assert!(Creation::parse(&client, &[&object[..], &[0]].concat()).is_err());
    for length in 0..client.len() {
        assert!(Creation::parse(&client[..length], &object).is_err());
    }
    let twice = String::from_utf8(client.clone()).unwrap().replace("{\"type\"", "{\"type\":\"x\",\"type\"");
    assert_eq!(Creation::parse(twice.as_bytes(), &object).unwrap_err(), WebauthnFault::Form);
    let long = vec![b' '; CLIENT_DATA_BYTES_MAX + 1];
    assert_eq!(Creation::parse(&long, &object).unwrap_err(), WebauthnFault::Form);

    let data = soft.data(true);
    for length in 0..data.len() {
        assert!(authenticator_data::AuthenticatorData::parse(&data[..length]).is_err());
    }
    let parts = AssertionParts {
        id: &[0; CREDENTIAL_ID_BYTES_MAX + 1],
        client_data_json: &client,
        authenticator_data: &data,
        signature: &[],
        user_handle: &[],
    };
    assert_eq!(Assertion::parse(&parts).unwrap_err(), WebauthnFault::Form);
    assert_eq!(Assertion::parse(&AssertionParts { id: &[], ..parts }).unwrap_err(), WebauthnFault::Form);
}

#[test]
fn extensions_are_stepped_over_and_nothing_may_follow_them() {
    let mut data = Soft::new("webauthn.get").data(false);
    data[32] |= 0x80;
    let map = cbor::encode(&Value::Map(vec![(Value::text("credProtect"), Value::Uint(2))]));
    let with = |tail: &[u8]| authenticator_data::AuthenticatorData::parse(&[&data[..], tail].concat());
    assert!(with(&map).is_ok());
    assert_eq!(with(&[]).unwrap_err(), WebauthnFault::Form);
    assert_eq!(with(&[&map[..], &[0]].concat()).unwrap_err(), WebauthnFault::Form);
    assert_eq!(with(&[0x80]).unwrap_err(), WebauthnFault::Form, "extensions are a map");
}
