//! Documents in and out of a terminal, for other people's software to check (`interop/credentials/mdoc.py`).
//!
//! It reads JSON and writes JSON. `{"verb": "issue", "now": …}` makes a root, a signer, a device and a document, and shows part of
//! it to a verifier; `"read"` judges the document and the response beside it. `now` is in Unix seconds.
#![allow(clippy::unwrap_used, reason = "an example ends when something is amiss")]

use std::io::Read as _;

use crypto::cose::Sign1Draft;
use crypto::key::{KeyAlg, PrivateKey};
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Certificate, Name, NameParts};
use crypto::{base64, hex, random};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tessera_credential::check::PresentationName;
use tessera_credential::claims_path::ClaimsPath;
use tessera_credential::credential_type::CredentialType;
use tessera_credential::dcql::{Query, Reader};
use tessera_credential::mdoc::{self, Elements, Mdoc, SIGNER_EKU, SessionTranscript, Subject};
use tessera_credential::presentation::{Expected, StatusAnswer, StatusMode, StatusPolicy, examine_mdoc};
use tessera_credential::sd_jwt::Validity;
use tessera_credential::status::StatusReference;
use tessera_credential::trust::{Anchor, Anchors, Context, PathCache, Trust, TypePattern};

const DOCTYPE: &str = "org.iso.18013.5.1.mDL";
const NAMESPACE: &str = "org.iso.18013.5.1";
const DAY_H: i64 = 24;

fn main() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let input: Value = serde_json::from_str(&input).unwrap();
    let now = Timestamp::from_second(input["now"].as_i64().unwrap()).unwrap();
    let answer = match input["verb"].as_str() {
        Some("issue") => issue(now),
        Some("read") => read(&input, now),
        _ => panic!("issue or read"),
    };
    println!("{answer}");
}

fn issue(now: Timestamp) -> Value {
    let (root, signer, device) = (key(), key(), key());
    let root_der = certificate(("Specimen Root", &root), ("Specimen Root", &root), now);
    let signer_der = certificate(("Specimen Root", &root), ("Specimen Signer", &signer), now);
    let element = |name: &str| json!({"namespace": NAMESPACE, "element": name});
    let rules = json!([
        {"path": ["family_name"], "type": "string", "mdoc": element("family_name")},
        {"path": ["birthdate"], "type": "date", "mdoc": element("birth_date")},
        {"path": ["adult"], "type": "boolean", "mdoc": element("age_over_18")},
        {"path": ["photo"], "mdoc": {"namespace": NAMESPACE, "element": "portrait", "encoding": "bytes"}},
        {"path": ["height"], "type": "integer", "mdoc": element("height")},
    ]);
    let claims = json!({"family_name": "Specimen", "birthdate": "1999-02-28", "adult": true, "photo": "_9j_", "height": 170});
    let kind = CredentialType::parse(DOCTYPE, &rules).unwrap();
    let elements = Elements::of(&kind.accept(claims.as_object().unwrap()).unwrap()).unwrap();
    let status = StatusReference { uri: "https://issuer.example/status/0".to_owned(), idx: 412 };
    let subject = Subject {
        doctype: DOCTYPE,
        device_key: &device.public(),
        status: Some(&status),
        validity: Validity::whole_days(now, 30 * 86_400, None).unwrap(),
        signer_starts_at: None,
    };
    let draft = mdoc::issue(&elements, &subject, &mut |out| random::fill(out)).unwrap();
    let signed = sign(draft.sign1.with_x5chain(&[signer_der]), &signer);
    let document = draft.items.assemble(&signed);

    let held = Mdoc::parse(&document).unwrap().verify(&signer.public(), now).unwrap();
    let request = json!({"client_id": "x509_hash:specimen", "nonce": "n-0S6_WzA2Mj", "response_uri": "https://verifier.example/r",
        "thumbprint": hex::encode(&[7; 32])});
    let shown =
        [ClaimsPath::of_names([NAMESPACE, "age_over_18"]), ClaimsPath::of_names([NAMESPACE, "portrait"])];
    let presentation = held.present(&shown, &transcript(&request)).unwrap();
    let signed = sign(presentation.sign1.clone(), &device);
    json!({
        "root": base64::std_encode(&root_der), "issuer_signed": document, "device_response": presentation.bind(&signed),
        "doctype": DOCTYPE, "claims": held.claims(), "request": request,
    })
}

fn read(input: &Value, now: Timestamp) -> Value {
    let text = |name: &str| input[name].as_str().unwrap();
    let document = Mdoc::parse(text("issuer_signed")).unwrap();
    let signer = Certificate::parse(&document.x5chain().unwrap()[0]).unwrap();
    let held = match document.verify(signer.public_key(), now) {
        Ok(held) => held,
        Err(rejection) => return json!({"rejected": rejection.to_string()}),
    };
    let anchor = Anchor {
        id: "anc_1".to_owned(),
        certificate: Certificate::parse(&base64::std_decode(text("root")).unwrap()).unwrap(),
        contexts: vec![Context::Issuer],
        types: vec![TypePattern::parse(held.doctype()).unwrap()],
    };
    let query = json!({"credentials": [{"id": "d", "format": "mso_mdoc", "meta": {"doctype_value": held.doctype()},
        "claims": input["paths"]}]});
    let query = Query::parse(&query, Reader::Own).unwrap().credentials.remove(0);
    let expected = Expected {
        query: &query,
        name: PresentationName { query: "d".into(), index: 0 },
        audience: "",
        nonce: "",
        requested_at: now,
        transactions: &[],
    };
    let trust = Trust { anchors: &Anchors::new(vec![anchor]), cache: &PathCache::new(), haip: true };
    let examined =
        examine_mdoc(text("device_response"), &transcript(&input["request"]), &expected, &trust, now);
    let policy = StatusPolicy { mode: StatusMode::Ignore, grace_s: 0 };
    let concluded = examined.conclude(&StatusAnswer::NotWanted, &policy, now);
    let failed = concluded.results.iter().filter(|it| it.outcome.as_str() == "fail");
    let failed: Vec<_> =
        failed.map(|it| format!("{} {}", it.check.id(), it.code.unwrap_or_default())).collect();
    let status = held.security_object().status().unwrap();
    json!({
        "doctype": held.doctype(), "claims": held.claims(), "failed": failed,
        "status": status.map(|it| json!({"uri": it.uri, "idx": it.idx})),
        "presented": concluded.presented.map(|it| it.claims),
    })
}

fn transcript(request: &Value) -> SessionTranscript {
    let text = |name: &str| request[name].as_str().unwrap();
    let thumbprint: [u8; 32] = hex::decode(text("thumbprint")).unwrap().try_into().unwrap();
    SessionTranscript::redirect(text("client_id"), text("nonce"), Some(&thumbprint), text("response_uri"))
}

fn key() -> PrivateKey {
    PrivateKey::generate(KeyAlg::P256)
}

fn sign(draft: Sign1Draft, key: &PrivateKey) -> Vec<u8> {
    let alg = key.alg().default_sign_alg();
    let draft = draft.with_alg(alg);
    draft.assemble(&key.sign(alg, &draft.to_be_signed()).unwrap())
}

fn certificate(issuer: (&str, &PrivateKey), subject: (&str, &PrivateKey), now: Timestamp) -> Vec<u8> {
    let name = |common_name: &str| {
        let country = Some("DE".to_owned());
        Name::new(&NameParts { common_name: common_name.to_owned(), country, ..NameParts::default() })
            .unwrap()
    };
    let profile = if issuer.0 == subject.0 {
        Profile::Ca { path_len: Some(0) }
    } else {
        Profile::Leaf(LeafNames { ekus: vec![SIGNER_EKU.to_owned()], ..LeafNames::default() })
    };
    let draft = TbsDraft {
        subject: name(subject.0),
        issuer: name(issuer.0),
        issuer_key: issuer.1.public(),
        serial: [7; 16],
        not_before: now - SignedDuration::from_hours(2 * DAY_H),
        not_after: now + SignedDuration::from_hours(100 * DAY_H),
        public_key: subject.1.public(),
        profile,
    };
    let alg = issuer.1.alg().default_sign_alg();
    let signed = draft.to_be_signed(alg).unwrap();
    build::assemble(&signed, alg, &issuer.1.sign(alg, &signed).unwrap()).unwrap()
}
