//! Vector A: every value that the protocol prints.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use crypto::key::{Ecdh, SignAlg};
use crypto::{base64, hash, hex, kdf};
use serde_json::{Value, json};
use tessera_seal::code::response::message;
use tessera_seal::code::{Context, KeySchedule, Parties, Response, Sid};

fn vector() -> Value {
    serde_json::from_str(include_str!("vectors/a.json")).unwrap()
}

fn key(vector: &Value, name: &str) -> Ecdh {
    let digits = vector["keys"][name].as_str().unwrap().to_lowercase();
    Ecdh::from_secret(&hex::decode(&digits).unwrap()).unwrap()
}

fn want<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector["want"][name].as_str().unwrap()
}

fn hashed(vector: &Value, name: &str) -> Value {
    base64::url_encode(&hash::sha256(vector["hashed"][name].as_str().unwrap().as_bytes())).into()
}

fn sid(vector: &Value) -> Sid {
    Sid::new(hex::decode(vector["sid"].as_str().unwrap()).unwrap().try_into().unwrap())
}

fn context(vector: &Value) -> Context {
    let mut ctx = vector["ctx"].clone();
    for name in ["service_seal", "nonce", "browser"] {
        ctx[name] = hashed(vector, name);
    }
    Context::from_value(&ctx).unwrap()
}

#[test]
fn both_sides_derive_the_values_of_vector_a() {
    let vector = vector();
    let (s, e, d) = (key(&vector, "s"), key(&vector, "e"), key(&vector, "d"));
    // A key for agreement and one for signatures have the same point for the same number.
    let public = [s.public(), e.public(), d.public(), key(&vector, "dk").public()];
    let parties = Parties { s: &public[0], e: &public[1], d: &public[2], dk: &public[3] };
    let context = context(&vector);
    assert_eq!(context.jcs().unwrap(), want(&vector, "ctx").as_bytes());
    assert_eq!(context.jcs().unwrap().len(), 405);

    let t0 = context.t0(parties.e, &sid(&vector)).unwrap();
    assert_eq!(
        hex::encode(t0.as_bytes()),
        "84a8eb26c8fde6054c4870f17e0548aa8ee4e9440b12ab74173548248a8c94cf"
    );
    let tail = KeySchedule::tail(&e, parties.d).unwrap();
    let prk = kdf::extract_sha256(t0.as_bytes(), &[s.agree(parties.d).unwrap().expose(), tail.expose()]);
    assert_eq!(hex::encode(prk.expose()), "a421f0e5b319c6e1694f89a061b7ce88aa742bb57d5c82d7e989a3ff1dd5a609");

    for keys in [
        KeySchedule::from_prk(prk, &parties),
        KeySchedule::server(&t0, &parties, &s, &e).unwrap(),
        KeySchedule::wallet(&t0, &parties, &d).unwrap(),
    ] {
        assert_eq!(keys.service_code().expose(), "711316");
        assert_eq!(keys.user_code().expose(), "488791");
        let r = want(&vector, "r").as_bytes();
        assert_eq!(r.len(), 369);
        let tag = keys.response_tag(r);
        assert_eq!(hex::encode(&tag), "843cfcf73fde71ea66c0043d9e2997650fb64116637378e5a5cd9ca6883d1cba");
        let m = message(&t0, r, &tag);
        assert_eq!(
            hex::encode(&hash::sha256(&m)),
            "4cdd8cfff2e15b603ccfa276ea87d9e9df07b64259a647334324a8fc65eeb4c7"
        );
        let sig = hex::decode(concat!(
            "0f722bd07768378234429143ec63b67da48daa2854b40967171f5d67172abb1e",
            "a4040cdf4d74461851d8d138724b139be2025b129ccb56e143eac9490cd93b28"
        ));
        public[3].verify(SignAlg::Es256, &m, &sig.unwrap()).unwrap();
    }
}

#[test]
fn the_response_of_vector_a_is_read_and_written_back_to_the_same_bytes() {
    let vector = vector();
    let r = want(&vector, "r").as_bytes();
    let response = Response::parse(r).unwrap();
    assert_eq!(response.jcs().unwrap(), r);
    assert_eq!((response.binding.as_str(), response.sid), ("enr_vector", sid(&vector)));
    let mut members = vector["r"].clone();
    members["sid"] = json!(sid(&vector).to_string());
    members["t0"] = json!(base64::url_encode(response.t0.as_bytes()));
    members["consent_text"] = hashed(&vector, "consent_text");
    members["usr_otp"] = json!("488791");
    assert_eq!(crypto::json::canonical(&members).unwrap(), r);
}

#[test]
#[ignore = "needs python3: run where it is installed"]
fn another_program_computes_the_same_vector_from_its_inputs() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
    let done = Command::new("python3").args(["recompute.py", "a.json"]).current_dir(folder).status().unwrap();
    assert!(done.success());
}
