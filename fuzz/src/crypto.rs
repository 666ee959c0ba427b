//! Targets of `protocol/crypto`.

use crypto::base64;
use crypto::cbor::{self, CborLimits};
use crypto::cose::{Sign1, Sign1Draft, key};
use crypto::hex;
use crypto::jose::jwe::{self, Enc, Jwe};
use crypto::jose::jws::{Jws, assemble};
use crypto::json::{self, JsonRule, Limits};
use crypto::jwk::Jwk;
use crypto::key::{PublicKey, SignAlg};
use crypto::x509::path::{self, PathRules};
use crypto::x509::{Certificate, Name, pem};
use serde_json::Value;

use crate::fixed::{self, parties};
use crate::input::{self, halves, text};

const CBOR: CborLimits = CborLimits { bytes_max: 64 * 1024, depth_max: 16 };
const JSON: Limits = Limits { bytes_max: 64 * 1024, depth_max: 16 };

/// What decodes is written back to the same bytes; in any order, to bytes that decode.
pub fn cbor(bytes: &[u8]) {
    let strict = cbor::decode(bytes, &CBOR);
    if let Ok(value) = &strict {
        assert_eq!(cbor::encode(value), bytes);
        input::accepted();
        assert_eq!(cbor::decode_any_order(bytes, &CBOR).as_ref(), Ok(value));
    }
    if let Ok(value) = cbor::decode_any_order(bytes, &CBOR) {
        let sorted = cbor::encode(&value);
        assert_eq!(sorted.len(), bytes.len());
        let again = cbor::decode(&sorted, &CBOR).expect("what we write we read");
        assert_eq!(cbor::encode(&again), sorted);
        assert_eq!(strict.is_ok(), sorted == bytes);
    }
}

/// Whatever is read, another reader reads alike; whatever only ours refuses breaks a rule that the other does not have.
pub fn json(bytes: &[u8]) {
    let other = serde_json::from_slice::<Value>(bytes);
    match json::parse(bytes, &JSON) {
        Ok(value) => {
            assert_eq!(Some(&value), other.ok().as_ref());
            input::accepted();
            if !input::has_float(&value) {
                let written = value.to_string();
                assert_eq!(json::parse(written.as_bytes(), &JSON).as_ref(), Ok(&value));
            }
        }
        Err(fault) => {
            let syntax = matches!(fault.rule, JsonRule::Syntax { .. } | JsonRule::TrailingBytes);
            assert!(!syntax || other.is_err(), "{fault}");
        }
    }
}

/// One spelling for each value; hexadecimal up to its case.
pub fn base(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(read) = base64::url_decode(text) {
        assert_eq!(base64::url_encode(&read), text);
    }
    if let Ok(read) = base64::std_decode(text) {
        assert_eq!(base64::std_encode(&read), text);
        input::accepted();
    }
    if let Ok(read) = hex::decode(text) {
        assert_eq!(hex::encode(&read), text.to_ascii_lowercase());
    }
}

/// A key survives the round trip, and carries no private member.
pub fn jwk(bytes: &[u8]) {
    let Some(value) = input::json(bytes) else { return };
    let Ok(jwk) = Jwk::from_value(&value) else { return };
    let again = Jwk::from_value(&jwk.to_value()).expect("what we write we read");
    assert_eq!((again.key(), again.thumbprint()), (jwk.key(), jwk.thumbprint()));
    assert!(value.get("d").is_none() && value.get("k").is_none());
    assert!(jwk.key().verify(jwk.key().alg().default_sign_alg(), b"message", &[1; 64]).is_err());
    let der = jwk.key().spki_der();
    assert_eq!(PublicKey::from_spki_der(&der).as_ref(), Ok(jwk.key()));
    input::accepted();
}

/// The compact form is written back; a signature holds under one key only, and never under the algorithm of another.
pub fn jws(bytes: &[u8]) {
    let Some(compact) = input::signed(bytes, &parties().leaf) else { return };
    let Ok(jws) = Jws::parse(&compact, &JSON) else { return };
    assert_eq!(assemble(jws.signing_input(), jws.signature()), compact);
    let _ = jws.x5c();
    if let Ok(jwk) = jws.jwk()
        && jws.verify_jwk(&jwk).is_ok()
    {
        assert!(jwk.may_verify(jws.alg()));
    }
    if jws.verify(&parties().leaf.public()).is_ok() {
        assert_eq!(jws.alg(), SignAlg::Es256);
        input::accepted();
    }
    if jws.verify(&parties().log.public()).is_ok() {
        assert_eq!(jws.alg(), SignAlg::EdDsa);
    }
    assert!(jws.verify(&parties().wrong.public()).is_err());
}

/// `{header}` of the fuzzer with content that nobody sealed never opens; what we seal opens under one key only.
pub fn jwe(bytes: &[u8]) {
    let compact = if bytes.first() == Some(&b'{') {
        let (header, plain) = halves(bytes);
        let sealed = jwe::encrypt_ecdh_es(
            &parties().response.public(),
            text(header),
            Enc::A128Gcm,
            None,
            Some(plain),
            plain,
        )
        .expect("sealed to a P-256 key");
        // A `kid` can be any text, so the header may well be past its bound: then it is not read, and that is all.
        if let Ok(jwe) = Jwe::parse(&sealed, &JSON) {
            assert_eq!(
                jwe.decrypt(&parties().response).expect("sealed to this key").expose().as_slice(),
                plain
            );
            assert!(jwe.decrypt(&parties().wrong_response).is_err());
        }
        format!(
            "{}..{}.{}.{}",
            base64::url_encode(header),
            "A".repeat(16),
            base64::url_encode(plain),
            "A".repeat(22)
        )
    } else {
        let Some(text) = text(bytes) else { return };
        text.to_owned()
    };
    let Ok(jwe) = Jwe::parse(&compact, &JSON) else { return };
    let _ = (jwe.kid(), jwe.apu(), jwe.apv());
    if jwe.decrypt(&parties().response).is_ok() {
        input::accepted();
    }
    if bytes.first() == Some(&b'{') {
        assert!(jwe.decrypt(&parties().response).is_err());
    }
    assert!(jwe.decrypt(&parties().wrong_response).is_err());
}

/// A signature holds under one key only; whatever payload we sign is read back.
pub fn cose_sign1(bytes: &[u8]) {
    let key = &parties().log;
    if let Ok(object) = Sign1::parse(bytes, &CBOR) {
        let _ = object.x5chain();
        let _ = (object.alg(), object.protected_len(), object.payload(), object.signature());
        assert!(object.verify(&parties().wrong.public(), b"", None).is_err());
        if object.verify(&key.public(), b"", None).is_ok() {
            assert_eq!(object.alg(), SignAlg::EdDsa);
            assert!(object.payload().is_some());
            input::accepted();
        }
        let _ = object.verify(&key.public(), b"", Some(b"payload"));
        return;
    }
    let draft = Sign1Draft::new(bytes).with_alg(SignAlg::EdDsa);
    let signature =
        key.sign(SignAlg::EdDsa, &draft.to_be_signed()).expect("a key signs with its own algorithm");
    let limits = CborLimits { bytes_max: 2 * 1024 * 1024, depth_max: 16 };
    let object = Sign1::parse(&draft.assemble(&signature), &limits).expect("what we write we read");
    assert_eq!(object.payload(), Some(bytes));
    assert!(object.verify(&key.public(), b"", None).is_ok());
    assert!(object.verify(&key.public(), b"x", None).is_err());
}

/// A key survives the round trip.
pub fn cose_key(bytes: &[u8]) {
    let Ok(value) = cbor::decode_any_order(bytes, &CBOR) else { return };
    let Ok(read) = key::from_value(&value) else { return };
    let written = key::to_value(&read).expect("what is read from COSE is written as COSE");
    assert_eq!(key::from_value(&written).as_ref(), Ok(&read));
    input::accepted();
}

/// The DER is kept as it came; only the leaf and the authority themselves bear the authority's signature.
pub fn certificate(bytes: &[u8]) {
    let Ok(certificate) = Certificate::parse(bytes) else { return };
    assert_eq!(certificate.der(), bytes);
    assert_eq!(Name::from_der(certificate.subject().der()).as_ref(), Some(certificate.subject()));
    let _ = (certificate.san_uris(), certificate.san_dns(), certificate.ekus(), certificate.path_len());
    let _ = (certificate.ski(), certificate.aki(), certificate.key_usage(), certificate.is_self_issued());
    let _ = certificate.is_signed_by(certificate.public_key());
    if certificate.is_signed_by(parties().authority.public_key()) {
        assert!(certificate.public_key() == parties().authority.public_key() || is_leaf(&certificate));
        input::accepted();
    }
    assert!(!certificate.is_signed_by(parties().stranger.public_key()) || bytes == fixed::STRANGER_DER);
}

/// A chain of certificates, each behind its length in two bytes. Nothing leads to the stranger; to the authority only the leaf.
pub fn path(bytes: &[u8]) {
    let mut rest = bytes;
    let mut chain = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<2>()
        && chain.len() < 6
    {
        let (der, tail) = tail.split_at(usize::from(u16::from_be_bytes(*length)).min(tail.len()));
        let Ok(certificate) = Certificate::parse(der) else { return };
        chain.push(certificate);
        rest = tail;
    }
    let parties = parties();
    for haip in [true, false] {
        let rules = PathRules { haip, ..PathRules::at(fixed::now()) };
        if let Some((last, below)) = chain.split_last() {
            let _ = path::verify(below, std::slice::from_ref(last), &rules);
        }
        let to = |anchor: &Certificate| path::verify(&chain, std::slice::from_ref(anchor), &rules);
        if let Ok(path) = to(&parties.authority) {
            assert!(is_leaf(&chain[0]) || !haip);
            assert!(path.ends_at > rules.now);
            input::accepted();
            assert!(!haip || (chain.len() == 1 && !path.anchor_in_chain));
        }
        let strange = chain.iter().any(|one| one.der() == fixed::STRANGER_DER);
        assert!(strange || to(&parties.stranger).is_err());
        assert!(!haip || to(&parties.stranger).is_err());
    }
}

/// What is found in a text is found again in the text we write of it.
pub fn pem(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(found) = pem::decode_certificates(text) {
        assert_eq!(pem::decode_certificates(&pem::encode_chain(&found)), Ok(found));
        input::accepted();
    }
}

/// Keys and names in DER have one spelling.
pub fn spki_and_name(bytes: &[u8]) {
    if let Ok(key) = PublicKey::from_spki_der(bytes) {
        assert_eq!(key.spki_der(), bytes);
        assert_eq!(
            Jwk::from_value(&Jwk::from_key(&key).to_value()).map(|jwk| jwk.key().clone()).as_ref(),
            Ok(&key)
        );
    }
    if let Some(name) = Name::from_der(bytes) {
        assert_eq!(name.der(), bytes);
        input::accepted();
        let _ = (name.country(), name.to_string());
    }
}

fn is_leaf(certificate: &Certificate) -> bool {
    *certificate.public_key() == parties().leaf.public()
}
