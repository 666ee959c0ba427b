//! Samples for `protocol/seal` and `crypto::webauthn`.

use crypto::cbor::{Value as Cbor, encode};
use crypto::cose::key;
use crypto::key::PrivateKey;
use crypto::{base64, hash};
use seal::code::claim::{AssertionState, ClaimReply, Proved, ServiceJwt, uri};
use seal::code::proof::{ProofKey, Request, draft};
use seal::code::{Decision, FaceVerdict, Response, Sid};
use seal::scope::Scopes;
use seal::vds::own::{Heading, OrganisationSeal, ServiceProof, ServiceSeal, StatusRef};
use seal::vds::signer::SignerName;
use seal::vds::{base45, c40};
use serde_json::json;
use tessera_fuzz::fixed::{AUTHORITY_DER, LEAF_DER, now, parties};
use tessera_fuzz::seal::{DOOR, IDP, ORIGIN, context, own_heading, session};

use crate::{Seeds, texts};

pub fn all() -> Vec<Seeds> {
    vec![
        ("seal_response", responses()),
        ("seal_context", contexts()),
        ("seal_proof", proofs()),
        ("seal_text", seal_texts()),
        ("vds", vec![service_tbs(), person_tbs()]),
        ("own_seal", [service_tbs(), person_tbs()].map(|tbs| kind_and_messages(&tbs)).to_vec()),
        ("seal_codings", codings()),
        ("signer_certificate", vec![LEAF_DER.to_vec(), AUTHORITY_DER.to_vec()]),
        ("webauthn_creation", creations()),
        ("webauthn_assertion", assertions()),
    ]
}

fn responses() -> Vec<Vec<u8>> {
    session(|session| {
        let of = |decision, granted: &str, face: FaceVerdict| {
            let response = Response {
                sid: *session.sid,
                t0: *session.t0,
                binding: "enr_1".to_owned(),
                decision,
                granted: Scopes::expand(granted).expect("scopes of the protocol"),
                denied: Scopes::default(),
                consent_text: [4; 32],
                face,
                usr_otp: session.keys.user_code().expose().to_owned(),
                doc: None,
                issued_at_s: now().as_second(),
            };
            response.jcs().expect("texts in NFC")
        };
        let face = FaceVerdict { model_id: "ab".repeat(16), bucket: 3, verdict: seal::code::response::FaceMatch::Match, ..FaceVerdict::none() };
        let deny = Decision::Deny(seal::code::DenyReason::NotMe);
        vec![
            of(Decision::Approve, "openid identity:name", FaceVerdict::none()),
            of(Decision::Approve, "openid", face),
            of(deny, "", FaceVerdict::none()),
            json!({"r": "e30", "tag": base64::url_encode(&[0; 32]), "sig": base64::url_encode(&[0; 64]), "doc": ""})
                .to_string()
                .into_bytes(),
        ]
    })
}

fn contexts() -> Vec<Vec<u8>> {
    let reply = ClaimReply {
        sid: Sid::new([0; 16]),
        context: context(),
        e: parties().response.public(),
        kid_s: "s-1".to_owned(),
        service_seal: vec![0xdc, 0x03],
        service_jwt: ServiceJwt { proved: Proved::Nothing, jwt: String::new(), jwk: None },
        browser: "192.0.2.0/24, Firefox".to_owned(),
        assertion: AssertionState::Required,
        purpose: "Age check".to_owned(),
    };
    let content = serde_json::Value::Object(reply.to_content()).to_string();
    vec![context().jcs().expect("texts in NFC"), content.into_bytes()]
}

fn proofs() -> Vec<Vec<u8>> {
    let request = Request { method: "POST", url: DOOR, body: b"{}" };
    let public = parties().holder.public();
    [ProofKey::Enrolment("enr_1"), ProofKey::Embedded(&public)]
        .map(|key| {
            let draft = draft(key, &request, "jti-1", now());
            let header = serde_json::Value::Object(draft.header).to_string();
            [header.as_bytes(), b"\n", &draft.payload].concat()
        })
        .to_vec()
}

fn seal_texts() -> Vec<Vec<u8>> {
    let mut seeds = texts(["K7QF-3M2P", "k7qf 3m2o", "openid profile identity:full_with_photo email"]);
    seeds.push(uri(IDP, &Sid::new([7; 16])).into_bytes());
    seeds
}

fn heading() -> Heading {
    let day = jiff::civil::Date::constant(2026, 11, 20);
    let signer = SignerName::new("XT01", "5B").expect("letters and digits");
    Heading { country: "XTS".to_owned(), signer, issued_on: day, signed_on: day }
}

fn service_tbs() -> Vec<u8> {
    let service = ServiceSeal {
        client_id: "rp".to_owned(),
        legal_name: "Specimen Shop SA".to_owned(),
        origins: vec!["https://shop.example".to_owned(), "https://m.shop.example".to_owned()],
        redirect_hashes: vec![[1; 32]],
        scopes: Scopes::expand("openid identity:full").expect("scopes of the protocol"),
        thumbprints: vec![[2; 32], [3; 32]],
        not_after_s: 1_900_000_000,
        proof: ServiceProof { key: true, origin: false, vouched: true },
        status: Some(StatusRef { index: 7, uri: "https://i.example/t/a/seal/status/0".to_owned() }),
    };
    service.to_be_signed(&heading()).expect("it fits")
}

fn person_tbs() -> Vec<u8> {
    let person = OrganisationSeal {
        given_name: "Ana".to_owned(),
        family_name: "Specimen".to_owned(),
        birth_date: jiff::civil::Date::constant(1990, 2, 28),
        nationality: Some("UTO".to_owned()),
        number: "A1".to_owned(),
        expires_on: jiff::civil::Date::constant(2028, 1, 1),
        face: Some(vec![0xff, 0xd8, 0xff, 0].into()),
        status: None,
        organisation: Some("Specimen Works".to_owned()),
        role: Some("guide".to_owned()),
        device_key: Some([5; 32]),
    };
    person.to_be_signed(&heading()).expect("it fits")
}

/// As the target `own_seal` takes it: the heading is put before it there.
fn kind_and_messages(tbs: &[u8]) -> Vec<u8> {
    let at = own_heading().len();
    [&tbs[at..=at], &tbs[at + 2..]].concat()
}

fn codings() -> Vec<Vec<u8>> {
    let mut seeds = vec![c40::encode("UTTS025B").expect("letters and digits"), vec![0x31, 0x9e, 0xf5]];
    let mut messages = Vec::new();
    seal::vds::tlv::write(&mut messages, 1, &[7; 3]);
    seal::vds::tlv::write(&mut messages, 2, &[8; 200]);
    seeds.push(messages);
    seeds.push(base45::encode(b"Hello!!").into_bytes());
    seeds.push(b"TS1:BB8".to_vec());
    seeds
}

fn client_data(kind: &str) -> Vec<u8> {
    let challenge = base64::url_encode(&[9; 32]);
    json!({"type": kind, "challenge": challenge, "origin": ORIGIN, "crossOrigin": false}).to_string().into_bytes()
}

fn authenticator_data(flags: u8, counter: u32) -> Vec<u8> {
    [&hash::sha256(b"i.example")[..], &[flags], &counter.to_be_bytes()].concat()
}

fn creations() -> Vec<Vec<u8>> {
    let object = |key: &PrivateKey, alg: i64| {
        let Some(Cbor::Map(mut pairs)) = key::to_value(&key.public()) else { panic!("not a key of COSE") };
        pairs.push((Cbor::int(3), Cbor::int(alg)));
        let credential = [&[0; 16][..], &[0, 7], b"passkey", &encode(&Cbor::Map(pairs))].concat();
        let object = Cbor::Map(vec![
            (Cbor::text("fmt"), Cbor::text("none")),
            (Cbor::text("attStmt"), Cbor::Map(vec![])),
            (Cbor::text("authData"), Cbor::bytes([authenticator_data(0x45, 0), credential].concat())),
        ]);
        [&client_data("webauthn.create")[..], b"\n", &encode(&object)].concat()
    };
    vec![object(&parties().holder, -7), object(&parties().log, -8)]
}

fn assertions() -> Vec<Vec<u8>> {
    let with = |data: Vec<u8>| [&client_data("webauthn.get")[..], b"\n", &data].concat();
    let extensions = encode(&Cbor::Map(vec![(Cbor::text("credProtect"), Cbor::Uint(2))]));
    vec![
        with(authenticator_data(0x05, 4)),
        with([authenticator_data(0x85, 5), extensions].concat()),
        with(authenticator_data(0x05, 3)),
    ]
}
