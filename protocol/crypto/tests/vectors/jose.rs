//! The JOSE files of C2SP/wycheproof through the readers of JWS, JWE and JWK.

use serde_json::Value;
use tessera_crypto::base64::url_decode;
use tessera_crypto::jose::jwe::{Jwe, JweError};
use tessera_crypto::jose::jws::{Jws, JwsError};
use tessera_crypto::json::{self, Limits};
use tessera_crypto::jwk::{Jwk, JwkError};
use tessera_crypto::key::Ecdh;

use crate::data;
use crate::ruling::{Ruling, Wanted};

const LIMITS: Limits = Limits { bytes_max: 64 * 1024, depth_max: 8 };

/// The test groups of a file.
fn groups(file: &str) -> Vec<Value> {
    let bytes = data::read(&format!("wycheproof/{file}"));
    let file = json::parse(&bytes, &Limits { bytes_max: bytes.len(), depth_max: 16 })
        .expect("the file is strict JSON");
    file["testGroups"].as_array().expect("a list of groups").clone()
}

fn tests(group: &Value) -> impl Iterator<Item = (usize, String, Wanted, &Value)> {
    group["tests"].as_array().expect("a list of tests").iter().map(|test| {
        let number = test["tcId"].as_u64().expect("a number");
        let wanted = if test["result"] == "valid" { Wanted::Valid } else { Wanted::Invalid };
        let comment = test["comment"].as_str().unwrap_or_default().to_owned();
        (usize::try_from(number).expect("small"), comment, wanted, test)
    })
}

/// Why a vector was not accepted.
#[derive(Debug)]
enum Refused {
    /// It needs an algorithm or key that is not offered.
    Unsupported,
    /// Anything else.
    Bad,
}

impl From<JwsError> for Refused {
    fn from(error: JwsError) -> Self {
        if error == JwsError::UnsupportedAlg { Self::Unsupported } else { Self::Bad }
    }
}

impl From<JwkError> for Refused {
    fn from(error: JwkError) -> Self {
        if error == JwkError::Unsupported { Self::Unsupported } else { Self::Bad }
    }
}

impl From<JweError> for Refused {
    fn from(error: JweError) -> Self {
        let unsupported = matches!(error, JweError::UnsupportedAlg | JweError::UnsupportedEnc);
        if unsupported { Self::Unsupported } else { Self::Bad }
    }
}

/// Compares: what is valid and offered is accepted, what is valid and not offered is refused for that reason.
fn note(ruling: &mut Ruling, number: usize, comment: &str, wanted: Wanted, outcome: &Result<(), Refused>) {
    let wanted = match (wanted, outcome) {
        (Wanted::Valid, Err(Refused::Unsupported)) => Wanted::Invalid,
        (wanted, _) => wanted,
    };
    ruling.note(number, comment, wanted, outcome.is_ok());
}

fn verify(key: &Value, jws: &Value) -> Result<(), Refused> {
    let jws = Jws::parse(jws.as_str().ok_or(Refused::Bad)?, &LIMITS)?;
    jws.verify_jwk(&Jwk::from_value(key)?).map_err(|_| Refused::Bad)
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn every_jws_is_accepted_or_refused_as_wycheproof_says() {
    let mut ruling = Ruling::new("json_web_signature");
    for group in groups("json_web_signature_test.json") {
        let key = group.get("public").unwrap_or(&group["private"]);
        for (number, comment, wanted, test) in tests(&group) {
            note(&mut ruling, number, &comment, wanted, &verify(key, &test["jws"]));
        }
    }
    ruling.finish(24, 377);
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn every_jwk_is_accepted_or_refused_as_wycheproof_says() {
    let mut ruling = Ruling::new("json_web_key");
    for group in groups("json_web_key_test.json") {
        let set = group.get("public").unwrap_or(&group["private"]);
        let keys = set["keys"].as_array().expect("a key set");
        for (number, comment, wanted, test) in tests(&group) {
            let outcome = keys.iter().map(|key| verify(key, &test["jws"])).reduce(Result::or);
            note(&mut ruling, number, &comment, wanted, &outcome.expect("one key at least"));
        }
    }
    ruling.finish(1, 25);
}

fn decrypt(key: &Value, test: &Value) -> Result<(), Refused> {
    let jwe = Jwe::parse(test["jwe"].as_str().ok_or(Refused::Bad)?, &LIMITS)?;
    let private = url_decode(key["d"].as_str().ok_or(Refused::Bad)?).map_err(|_| Refused::Bad)?;
    let plain = jwe.decrypt(&Ecdh::from_secret(&private).map_err(|_| Refused::Bad)?)?;
    let wanted =
        tessera_crypto::hex::decode(test["pt"].as_str().ok_or(Refused::Bad)?).map_err(|_| Refused::Bad)?;
    if *plain.expose() == wanted { Ok(()) } else { Err(Refused::Bad) }
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn every_jwe_is_opened_or_refused_as_wycheproof_says() {
    let mut ruling = Ruling::new("json_web_encryption");
    for group in groups("json_web_encryption_test.json") {
        for (number, comment, wanted, test) in tests(&group) {
            note(&mut ruling, number, &comment, wanted, &decrypt(&group["private"], test));
        }
    }
    ruling.finish(2, 137);
}
