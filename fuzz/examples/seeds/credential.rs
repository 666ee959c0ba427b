//! Samples for `protocol/credential`.

use credential::status::Bits;
use crypto::base64::std_encode;
use crypto::jwk::Jwk;
use serde_json::{Value, json};
use tessera_fuzz::credential::{AUDIENCE, NONCE, packed};
use tessera_fuzz::fixed::{ISSUER, LEAF_DER, VCT, now, parties};
use tessera_fuzz::input::sd_jwt;

use crate::{Seeds, texts};

pub fn all() -> Vec<Seeds> {
    vec![
        ("sd_jwt", sd_jwts()),
        ("presentation", presentations()),
        ("status_list", status_lists()),
        ("status_token", status_tokens()),
        ("trust_list", trust_lists()),
        ("dcql", queries()),
        (
            "claims_path",
            texts([
                "[\"degrees\",null,\"type\"]\n{\"degrees\":[{\"type\":1},{}]}",
                "[0,\"a\"]\n[{\"a\":2}]",
                "[]\n{}",
            ]),
        ),
        ("credential_type", credential_types()),
    ]
}

/// The header of what the leaf signs.
pub fn header(typ: &str) -> Value {
    json!({"alg": "ES256", "typ": typ, "x5c": [std_encode(LEAF_DER)]})
}

/// A credential as its lines, with its disclosures.
pub fn credential() -> String {
    let payload = json!({
        "iss": ISSUER, "vct": VCT, "iat": now().as_second(), "exp": now().as_second() + 86_400, "_sd_alg": "sha-256",
        "cnf": {"jwk": Jwk::from_key(&parties().holder.public()).to_value()},
        "status": {"status_list": {"idx": 7, "uri": "https://i.example/t/a/status/0"}},
        "_sd": ["#1", "#2"], "nationalities": ["DE", {"...": "#4"}],
    });
    [
        header("dc+sd-jwt").to_string(),
        payload.to_string(),
        json!(["c2FsdA", "given_name", "Ana"]).to_string(),
        json!(["c2FsdB", "degree", {"type": "BSc", "_sd": ["#3"]}]).to_string(),
        json!(["c2FsdC", "grade", 1]).to_string(),
        json!(["c2FsdD", "FR"]).to_string(),
    ]
    .join("\n")
}

fn sd_jwts() -> Vec<Vec<u8>> {
    let small = format!(
        "{}\n{}",
        json!({"alg": "ES256", "typ": "dc+sd-jwt"}),
        json!({"vct": "urn:a", "a": [1, {"b": null}]})
    );
    let parties = parties();
    let compact =
        |text: &str| sd_jwt(text.as_bytes(), &parties.leaf, &parties.holder).expect("text").into_bytes();
    vec![
        credential().into_bytes(),
        small.clone().into_bytes(),
        compact(&small),
        compact(&bound(&credential())),
    ]
}

/// With a key binding for the fixed session.
fn bound(credential: &str) -> String {
    let payload = json!({"iat": now().as_second(), "aud": AUDIENCE, "nonce": NONCE, "sd_hash": "#h"});
    format!("{credential}\n!{payload}")
}

fn presentations() -> Vec<Vec<u8>> {
    let parties = parties();
    let whole = bound(&credential());
    let compact = sd_jwt(whole.as_bytes(), &parties.leaf, &parties.holder).expect("text");
    vec![whole.into_bytes(), credential().into_bytes(), compact.into_bytes()]
}

fn status_lists() -> Vec<Vec<u8>> {
    let zlib = |bits: Bits| crypto::base64::url_decode(&packed(bits, 4096)).expect("what we write we read");
    let mut seeds: Vec<_> = [(0, Bits::One), (1, Bits::Two), (3, Bits::Eight)]
        .map(|(first, bits)| [&[first], &zlib(bits)[..]].concat())
        .to_vec();
    // The example of the Token Status List draft: sixteen entries of one bit.
    seeds.push([&[0][..], &crypto::base64::url_decode("eNrbuRgAAhcBXQ").expect("base64url")].concat());
    seeds
}

fn status_tokens() -> Vec<Vec<u8>> {
    let claims = json!({
        "sub": "https://i.example/t/a/status/0", "iat": now().as_second(), "exp": now().as_second() + 3600, "ttl": 300,
        "status_list": {"bits": 1, "lst": packed(Bits::One, 1024), "aggregation_uri": "https://i.example/lists"},
    });
    let bare =
        json!({"sub": "a", "iat": now().as_second(), "status_list": {"bits": 8, "lst": "eNrbuRgAAhcBXQ"}});
    [claims, bare].map(|claims| format!("{}\n{claims}", header("statuslist+jwt")).into_bytes()).to_vec()
}

fn trust_lists() -> Vec<Vec<u8>> {
    let name = json!([{"lang": "en", "value": "Specimen"}]);
    let service = |kind: &str, status: Value| {
        json!({"ServiceInformation": {
            "ServiceName": name, "ServiceStatus": status,
            "ServiceTypeIdentifier": format!("http://uri.etsi.org/19602/SvcType/{kind}"),
            "ServiceDigitalIdentity": {"X509Certificates": [{"val": std_encode(LEAF_DER)}]},
        }})
    };
    let notified = "http://uri.etsi.org/19602/PubEAAProvidersList/SvcStatus/notified";
    let (issued_at, next_update) =
        (now().to_string(), (now() + jiff::SignedDuration::from_hours(24)).to_string());
    let list = json!({
        "ListAndSchemeInformation": {
            "LoTEVersionIdentifier": 1, "LoTESequenceNumber": 1, "SchemeOperatorName": name, "SchemeTerritory": "EU",
            "ListIssueDateTime": issued_at, "NextUpdate": next_update,
        },
        "TrustedEntitiesList": [{
            "TrustedEntityInformation": {"TEName": name},
            "TrustedEntityServices": [service("PubEAA/Issuance", notified.into()), service("WRPRC/Issuance", notified.into())],
        }],
    });
    let wrapped = json!({ "LoTE": list });
    [list, wrapped].map(|list| format!("{}\n{list}", header("JOSE")).into_bytes()).to_vec()
}

fn queries() -> Vec<Vec<u8>> {
    let all = json!({
        "credentials": [
            {"id": "a", "format": "dc+sd-jwt", "multiple": true, "meta": {"vct_values": [VCT]},
             "claims": [{"id": "x", "path": ["given_name"], "values": ["Ana", 1, true]}, {"id": "y", "path": ["nationalities", null]}],
             "claim_sets": [["x", "y"], ["x"]],
             "trusted_authorities": [{"type": "aki", "values": ["AAAA"]}]},
            {"id": "b", "format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"},
             "claims": [{"path": ["org.iso.18013.5.1", "age_over_18"]}], "require_cryptographic_holder_binding": false},
            {"id": "c", "format": "vc+jwt", "meta": {"type_values": [["A", "B"]]}},
        ],
        "credential_sets": [{"options": [["a"], ["b", "c"]], "required": false}],
    });
    let one = json!({"credentials": [{"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]},
        "claims": [{"path": ["degree", "type"]}]}]});
    vec![all.to_string().into_bytes(), one.to_string().into_bytes()]
}

fn credential_types() -> Vec<Vec<u8>> {
    let rules = json!([
        {"path": ["given_name"], "type": "string", "mandatory": true, "sd": "always"},
        {"path": ["birthdate"], "type": "date", "sd": "always", "display": [{"name": "Born", "locale": "en"}]},
        {"path": ["degree"], "type": "object", "sd": "always"},
        {"path": ["degree", "grade"], "type": "any", "sd": "always"},
        {"path": ["nationalities"], "type": "array", "sd": "never"},
        {"path": ["nationalities", null], "type": "string", "sd": "always"},
    ]);
    let claims = json!({
        "given_name": "Ana", "birthdate": "1999-02-28", "degree": {"grade": [1, {"a": null}]}, "nationalities": ["DE", "FR"],
    });
    let kinds = ["any", "string", "number", "integer", "boolean", "date", "object", "array"];
    let rule = |(nth, kind)| json!({"path": [format!("c{nth}")], "type": kind, "sd": "never"});
    let plain: Value = kinds.iter().enumerate().map(rule).collect();
    let values =
        json!({"c0": 1, "c1": "a", "c2": 2.5, "c3": 3, "c4": true, "c5": "2000-02-29", "c6": {}, "c7": []});
    vec![format!("{rules}\n{claims}").into_bytes(), format!("{plain}\n{values}").into_bytes()]
}
