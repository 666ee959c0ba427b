//! Targets of `protocol/seal`, and of `crypto::webauthn`, which it signs people in with.

use ::crypto::hash;
use ::crypto::key::{KeyAlg, PublicKey, SignAlg};
use ::crypto::webauthn::{self, AssertionParts, Creation};
use ::seal::code::answer::{Answer, CLOCK_AHEAD_S};
use ::seal::code::claim::{self, ClaimReply};
use ::seal::code::proof::{Request, SealProof};
use ::seal::code::{Acr, Context, KeySchedule, Mode, Parties, Response, Session, Sid};
use ::seal::handle::Handle;
use ::seal::scope::{Scopes, ScopeFault};
use ::seal::vds::icao::Vds;
use ::seal::vds::own::{self, OwnSeal};
use ::seal::vds::signer::{SignerCertificate, SignerKey};
use ::seal::vds::{base45, barcode, c40, date, tlv};
use serde_json::Value;

use crate::fixed::{self, parties};
use crate::input::{self, halves};

/// The provider of the fuzzer's sign-ins.
pub const IDP: &str = "https://i.example/t/a/idp";
/// The address that proofs are for.
pub const DOOR: &str = "https://i.example/t/a/seal/sessions/AAAAAAAAAAAAAAAAAAAAAA/response";
/// The origin of passkeys.
pub const ORIGIN: &str = "https://i.example";

/// The session that every answer is for.
pub fn context() -> Context {
    Context {
        tenant: "a".to_owned(),
        issuer: IDP.to_owned(),
        client_id: "rp".to_owned(),
        rp_origin: "https://shop.example".to_owned(),
        service_seal: [1; 32],
        scopes: Scopes::expand("openid identity:name").expect("scopes of the protocol"),
        nonce: [2; 32],
        browser: [3; 32],
        acr: Acr::SealCode,
        mode: Mode::Web,
        issued_at_s: fixed::now().as_second(),
        expires_at_s: fixed::now().as_second() + 1080,
    }
}

/// What both sides of that session hold: its sid, and the keys of a wallet whose agreement key is the server's own.
pub fn session<T>(run: impl FnOnce(&Session<'_>) -> T) -> T {
    let (context, sid) = (context(), Sid::new([0; 16]));
    let (s, e) = (&parties().response, &parties().wrong_response);
    let (s_point, e_point, dk) = (s.public(), e.public(), parties().holder.public());
    let t0 = context.t0(&e_point, &sid).expect("the context is in NFC");
    let keys = Parties { s: &s_point, e: &e_point, d: &s_point, dk: &dk };
    let keys = KeySchedule::server(&t0, &keys, s, e).expect("keys on P-256");
    run(&Session { context: &context, sid: &sid, t0: &t0, binding: "enr_1", device_key: &dk, keys: &keys })
}

/// R is read only in the one form that is written, and an answer with it opens only where tag and signature are of the session.
pub fn seal_response(bytes: &[u8]) {
    if let Ok(answer) = Answer::parse(bytes) {
        session(|session| assert!(answer.open(session, fixed::now()).is_err(), "nobody signed it"));
    }
    let Ok(response) = Response::parse(bytes) else { return };
    assert_eq!(response.jcs().expect("it was read in its form"), bytes);
    session(|session| {
        let tag = session.keys.response_tag(bytes);
        let message = ::seal::code::response::message(session.t0, bytes, &tag);
        let key = &parties().holder;
        let sig = key.sign(SignAlg::Es256, &message).expect("a key signs with its own algorithm");
        let sig = sig.try_into().expect("r and s of P-256");
        let answer = Answer { r: bytes.to_vec(), tag, sig, doc: vec![] };
        let again = Answer::parse(answer.to_value().to_string().as_bytes()).expect("what we write we read");
        if again.open(session, fixed::now()).is_ok() {
            assert!(response.sid == *session.sid && response.t0 == *session.t0 && response.doc.is_none());
            assert!(response.issued_at_s <= fixed::now().as_second() + CLOCK_AHEAD_S);
            input::accepted();
        }
    });
}

/// A context is read only in the one form that is hashed; a claim reply survives the round trip.
pub fn seal_context(bytes: &[u8]) {
    if let Ok(context) = Context::parse(bytes) {
        assert_eq!(context.jcs().expect("it was read in its form"), bytes);
        input::accepted();
    }
    let Some(Value::Object(content)) = input::json(bytes) else { return };
    if let Ok(reply) = ClaimReply::from_content(content) {
        let again = ClaimReply::from_content(reply.to_content()).expect("what we write we read");
        assert_eq!((again.context, again.e, again.purpose), (reply.context, reply.e, reply.purpose));
        input::accepted();
    }
}

/// `{header}\n{claims}`: a proof holds for its key, request and time alone.
pub fn seal_proof(bytes: &[u8]) {
    let Some(compact) = input::signed(bytes, &parties().holder) else { return };
    let Ok(proof) = SealProof::parse(&compact) else { return };
    let _ = (proof.kid(), proof.jti());
    let request = Request { method: "POST", url: DOOR, body: b"{}" };
    let (key, wrong) = (parties().holder.public(), parties().wrong.public());
    assert!(proof.clone().verify(&wrong, &request, fixed::now()).is_err());
    assert!(proof.clone().verify(&key, &Request { body: b"[]", ..request }, fixed::now()).is_err() || bytes.is_empty());
    let embedded = proof.clone().verify_embedded(&request, fixed::now());
    let known = proof.verify(&key, &request, fixed::now());
    assert!(embedded.is_err() || known.is_err(), "one way or the other");
    if let Ok(proof) = known.or(embedded) {
        assert_eq!(proof.device_key, key);
        input::accepted();
    }
}

/// Short texts of people, addresses, scopes: what is read is written back.
pub fn seal_text(bytes: &[u8]) {
    let Some(text) = input::text(bytes) else { return };
    if let Some(handle) = Handle::parse(text) {
        assert_eq!(Handle::parse(&handle.to_string()), Some(handle));
        input::accepted();
    }
    if let Ok(sid) = claim::read_uri(text, IDP) {
        assert_eq!(claim::uri(IDP, &sid), text);
        input::accepted();
    }
    match Scopes::expand(text) {
        Ok(scopes) => {
            assert_eq!(Scopes::expand(&scopes.to_string()).as_ref(), Ok(&scopes));
            input::accepted();
        }
        Err(fault) => assert_ne!(fault, ScopeFault::Unregistered(::seal::scope::Scope::Openid)),
    }
}

/// A seal signed by nobody is never believed; signed by the leaf it is, under its key alone, with every message in place.
pub fn vds(bytes: &[u8]) {
    let key = SignerKey::Nist(parties().leaf.public());
    let wrong = SignerKey::Nist(parties().wrong.public());
    if let Ok(seal) = Vds::parse(bytes) {
        let _ = (seal.signer().to_string(), seal.signed_on());
        assert!(seal.clone().verify(&wrong).is_err());
        if let Ok(seal) = seal.verify(&key) {
            assert_eq!(seal.bytes(), bytes);
            let _ = OwnSeal::read(&seal);
            input::accepted();
        }
        return;
    }
    let signature = parties().leaf.sign(SignAlg::Es256, bytes).expect("a key signs with its own algorithm");
    let sealed = own::assemble(bytes, &signature.try_into().expect("r and s of P-256"));
    let Ok(seal) = Vds::parse(&sealed) else { return };
    assert!(seal.clone().verify(&wrong).is_err());
    // The input may itself end in the beginning of a message: then other bytes were signed than are checked.
    if let Ok(seal) = seal.verify(&key) {
        assert!(seal.messages().len() <= tlv::MESSAGES_MAX);
        input::accepted();
    }
}

/// The messages of our own seals, behind a heading that fits: the first byte is the kind.
pub fn own_seal(bytes: &[u8]) {
    let Some((kind, messages)) = bytes.split_first() else { return };
    let mut tbs = own_heading();
    tbs.extend([*kind, own::CATEGORY]);
    tbs.extend_from_slice(messages);
    let signature = parties().leaf.sign(SignAlg::Es256, &tbs).expect("a key signs with its own algorithm");
    let sealed = own::assemble(&tbs, &signature.try_into().expect("r and s of P-256"));
    let Ok(seal) = Vds::parse(&sealed) else { return };
    let Ok(seal) = seal.verify(&SignerKey::Nist(parties().leaf.public())) else { return };
    match OwnSeal::read(&seal) {
        Ok(OwnSeal::Service(service)) => {
            assert!((1..=own::LIST_MAX).contains(&service.origins.len()));
            assert!(service.legal_name.len() <= own::TEXT_BYTES_MAX);
            input::accepted();
        }
        Ok(OwnSeal::Organisation(person)) => {
            assert!(person.face.is_none_or(|face| face.expose().len() <= own::FACE_BYTES_MAX));
            input::accepted();
        }
        Err(_) => {}
    }
}

/// What stands before the kind in a seal of ours: `XTS`, `XT01` with reference 5B, both dates.
pub fn own_heading() -> Vec<u8> {
    let day = date::encode(jiff::civil::Date::constant(2026, 11, 20)).expect("a day of this century");
    let text = |text| c40::encode(text).expect("letters and digits");
    [&[0xdc, 0x03][..], &text("XTS"), &text("XT0102"), &text("5B"), &day, &day].concat()
}

/// C40, dates, Base45 and messages: what is read is written back.
pub fn seal_codings(bytes: &[u8]) {
    if let Ok(text) = c40::decode(bytes) {
        assert_eq!(c40::encode(&text).as_deref(), Ok(bytes));
        input::accepted();
    }
    if let Ok(bytes) = <[u8; 3]>::try_from(bytes)
        && let Ok(day) = date::decode(bytes)
    {
        assert_eq!(date::encode(day), Ok(bytes));
    }
    if let Ok(messages) = tlv::read(bytes, 0) {
        let mut again = Vec::new();
        for message in &messages {
            tlv::write(&mut again, message.tag, message.value);
        }
        // 128 has two spellings; whatever was read, the same is read of what we write.
        let same = tlv::read(&again, 0).expect("what we write we read");
        let parts = |list: &[tlv::Message<'_>]| -> Vec<(u8, Vec<u8>)> {
            list.iter().map(|message| (message.tag, message.value.to_vec())).collect()
        };
        assert_eq!(parts(&same), parts(&messages));
        input::accepted();
    }
    if let Some(text) = input::text(bytes) {
        if let Ok(read) = base45::decode(text) {
            assert_eq!(base45::encode(&read), text);
            input::accepted();
        }
        let _ = barcode::of_text(text);
    }
    assert_eq!(base45::decode(&base45::encode(bytes)).as_deref(), Ok(bytes));
}

/// A certificate of a signer vouches for nothing by itself; only the authority's own leaf is issued by it.
pub fn signer_certificate(bytes: &[u8]) {
    let Ok(certificate) = SignerCertificate::parse(bytes) else { return };
    assert_eq!(certificate.der(), bytes);
    let _ = (certificate.reference(), certificate.signer_id(), certificate.is_ca(), certificate.is_issued_by(&certificate));
    let stranger = SignerCertificate::parse(fixed::STRANGER_DER).expect("a certificate of this package");
    assert!(!certificate.is_issued_by(&stranger) || bytes == fixed::STRANGER_DER);
    assert!(certificate.key().verify(bytes, &[0; 64]).is_err());
    input::accepted();
}

/// `{client data}\n` and an attestation object: what is made is a key of ours over our challenge, and its first assertion is
/// judged too.
pub fn webauthn_creation(bytes: &[u8]) {
    let (client, object) = halves(bytes);
    let Ok(creation) = Creation::parse(client, object) else { return };
    let challenge = creation.challenge().to_vec();
    let expected = webauthn::Expected { challenge: &challenge, origin: ORIGIN, rp_id: "i.example" };
    let elsewhere = webauthn::Expected { origin: "https://evil.example", ..expected };
    assert!(creation.clone().verify(&elsewhere, &[], fixed::now()).is_err());
    let other = webauthn::Expected { challenge: b"another", ..expected };
    assert!(challenge == b"another" || creation.clone().verify(&other, &[], fixed::now()).is_err());
    if let Ok(passkey) = creation.verify(&expected, &[], fixed::now()) {
        assert!(!passkey.attestation.is_rooted(), "no root is configured");
        assert!(matches!(passkey.key.alg(), KeyAlg::P256 | KeyAlg::Ed25519) || passkey.key.alg().is_rsa());
        input::accepted();
    }
}

/// `{client data}\n` and authenticator data, signed by the passkey: it holds for that passkey, challenge and origin alone.
pub fn webauthn_assertion(bytes: &[u8]) {
    let (client, data) = halves(bytes);
    let signed = [data, &hash::sha256(client)].concat();
    let key = &parties().log;
    let signature = key.sign(SignAlg::EdDsa, &signed).expect("a key signs with its own algorithm");
    let parts = AssertionParts {
        id: b"passkey",
        client_data_json: client,
        authenticator_data: data,
        signature: &signature,
        user_handle: &[],
    };
    let Ok(assertion) = webauthn::Assertion::parse(&parts) else { return };
    let challenge = assertion.challenge().to_vec();
    let expected = webauthn::Expected { challenge: &challenge, origin: ORIGIN, rp_id: "i.example" };
    let passkey = |key: PublicKey, alg| webauthn::Passkey {
        credential_id: b"passkey".to_vec(),
        key,
        alg,
        counter: 3,
        flags: webauthn::Flags { backup_eligible: false, backed_up: false },
        aaguid: [0; 16],
        attestation: webauthn::AttestationVerdict::None,
    };
    let wrong = passkey(parties().wrong.public(), SignAlg::Es256);
    assert!(assertion.clone().verify(&expected, &wrong, b"").is_err());
    if let Ok(asserted) = assertion.verify(&expected, &passkey(key.public(), SignAlg::EdDsa), b"") {
        assert!(asserted.counter > 3 && !asserted.flags.backed_up);
        input::accepted();
    }
}
