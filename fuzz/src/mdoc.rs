//! Targets of mobile documents and of status lists as CWT.

use std::sync::OnceLock;

use credential::check::PresentationName;
use credential::claims_path::ClaimsPath;
use credential::dcql::{CredentialQuery, Query, Reader};
use credential::mdoc::{DeviceResponse, Mdoc, SessionTranscript};
use credential::presentation::{Expected, StatusAnswer, StatusMode, StatusPolicy, examine_mdoc};
use credential::status::{CWT_TYP, ListToken};
use crypto::base64;
use crypto::cbor::{self, CborLimits, Value as Cbor};
use crypto::cose::{self, Sign1Draft};
use crypto::hash;
use crypto::key::PrivateKey;
use serde_json::json;

use crate::fixed::{self, LEAF_DER, parties};
use crate::input;

/// The type of documents here.
pub const DOCTYPE: &str = "org.iso.18013.5.1.mDL";
/// Its namespace.
pub const NAMESPACE: &str = "org.iso.18013.5.1";

const LIMITS: CborLimits = CborLimits { bytes_max: 64 * 1024, depth_max: 16 };

/// The transcript of the one session there is.
pub fn transcript() -> SessionTranscript {
    SessionTranscript::redirect("x509_hash:a", "n-0S6_WzA2Mj", Some(&[7; 32]), "https://v.example/r")
}

/// A document holds under one key only; any part of it may be shown, and is then read back.
pub fn mdoc(bytes: &[u8]) {
    let parties = parties();
    let text = base64::url_encode(&issuer_signed(bytes).unwrap_or_else(|| bytes.to_vec()));
    let Ok(unverified) = Mdoc::parse(&text) else { return };
    let _ = (unverified.x5chain(), unverified.alg());
    let Ok(held) = unverified.verify(&parties.leaf.public(), fixed::now()) else { return };
    let again = Mdoc::parse(&text).expect("it was read before");
    assert!(again.verify(&parties.wrong.public(), fixed::now()).is_err());
    let _ = (held.security_object().status(), held.security_object().device_key());
    let claims = held.claims();
    let paths: Option<Vec<_>> = claims.keys().map(|name| ClaimsPath::parse(&json!([name])).ok()).collect();
    for paths in [Some(Vec::new()), paths].into_iter().flatten() {
        let shown = held.present(&paths, &transcript()).expect("each is there");
        let text = shown.bind(&sign(shown.sign1.clone(), &parties.holder));
        let response = DeviceResponse::parse(&text).expect("what we show we read");
        assert_eq!(response.doctype(), held.doctype());
        input::accepted();
    }
}

/// Whatever a device sends is believed only under the right anchor and for the one session.
pub fn device_response(bytes: &[u8]) {
    let parties = parties();
    let text = issuer_signed(bytes).and_then(|document| shown(&base64::url_encode(&document)));
    let text = text.unwrap_or_else(|| base64::url_encode(bytes));
    let now = fixed::now();
    let expected = Expected {
        query: query(),
        name: PresentationName { query: "d".into(), index: 0 },
        audience: "",
        nonce: "",
        requested_at: now,
        transactions: &[],
    };
    let policy = StatusPolicy { mode: StatusMode::Ignore, grace_s: 0 };
    let seen = examine_mdoc(&text, &transcript(), &expected, &parties.trust(), now);
    let _ = seen.status_wanted(&StatusPolicy::default());
    let Some(presented) = seen.conclude(&StatusAnswer::NotWanted, &policy, now).presented else { return };
    assert_eq!(presented.kind, DOCTYPE);
    assert!(presented.claims.keys().all(|name| name == NAMESPACE), "only what was asked for");
    input::accepted();
    let other = SessionTranscript::dc_api("https://v.example", "n-0S6_WzA2Mj", Some(&[7; 32]));
    assert!(!examine_mdoc(&text, &other, &expected, &parties.trust(), now).is_valid());
    assert!(!examine_mdoc(&text, &transcript(), &expected, &parties.wrong_trust(), now).is_valid());
}

/// The claims of a list, which the leaf signs, or a whole token: believed only under the right anchor.
pub fn status_cwt(bytes: &[u8]) {
    let parties = parties();
    let is_claims = cbor::decode_any_order(bytes, &LIMITS).is_ok_and(|claims| claims.as_map().is_some());
    let token = if is_claims { cwt(bytes) } else { bytes.to_vec() };
    let Ok(read) = ListToken::parse_cwt(&token) else { return };
    let Ok(list) = read.verify(&parties.trust(), fixed::now()) else { return };
    let _ = (list.subject(), list.fresh_until(fixed::now()), list.value(0));
    input::accepted();
    assert!(list.value(list.entries()).is_err());
    let again = ListToken::parse_cwt(&token).expect("it was read before");
    assert!(again.verify(&parties.wrong_trust(), fixed::now()).is_err());
}

/// The claims of a list signed by the leaf.
pub fn cwt(claims: &[u8]) -> Vec<u8> {
    let protected = vec![(cose::TYPE, Cbor::text(CWT_TYP))];
    let draft = Sign1Draft { protected, tagged: true, ..Sign1Draft::new(claims) };
    sign(draft.with_x5chain(&[LEAF_DER]), &parties().leaf)
}

/// `IssuerSigned` of a map with `nameSpaces`, whose items stand without tag 24, and `object`: the security object, which gets the
/// items' digests if it has none and is signed by the leaf. None for other input.
pub fn issuer_signed(bytes: &[u8]) -> Option<Vec<u8>> {
    let value = cbor::decode_any_order(bytes, &LIMITS).ok()?;
    let mut namespaces = Vec::new();
    let mut digests = Vec::new();
    for (name, items) in value.get("nameSpaces")?.as_map()? {
        let mut digested = Vec::new();
        let mut tagged = Vec::new();
        for item in items.as_array()? {
            let item_tagged = encoded(item);
            let digest =
                (item.get("digestID")?.clone(), Cbor::bytes(hash::sha256(&cbor::encode(&item_tagged))));
            if !digested.iter().any(|(id, _)| *id == digest.0) {
                digested.push(digest);
            }
            tagged.push(item_tagged);
        }
        namespaces.push((name.clone(), Cbor::Array(tagged)));
        digests.push((name.clone(), Cbor::Map(digested)));
    }
    let mut object = value.get("object")?.as_map()?.to_vec();
    if value.get("object")?.get("valueDigests").is_none() {
        object.push((Cbor::text("valueDigests"), Cbor::Map(digests)));
    }
    let payload = cbor::encode(&encoded(&Cbor::Map(object)));
    let auth = sign(Sign1Draft::new(payload).with_x5chain(&[LEAF_DER]), &parties().leaf);
    // Larger than the input by digests, certificate and signature.
    let limits = CborLimits { bytes_max: 4 * LIMITS.bytes_max, ..LIMITS };
    let auth = cbor::decode_any_order(&auth, &limits).expect("what we write we read");
    let document = vec![(Cbor::text("nameSpaces"), Cbor::Map(namespaces)), (Cbor::text("issuerAuth"), auth)];
    Some(cbor::encode(&Cbor::Map(document)))
}

/// Everything in a document, shown by the holder; none for a document that does not hold.
pub fn shown(document: &str) -> Option<String> {
    let parties = parties();
    let held = Mdoc::parse(document).ok()?.verify(&parties.leaf.public(), fixed::now()).ok()?;
    let paths: Option<Vec<_>> =
        held.claims().keys().map(|name| ClaimsPath::parse(&json!([name])).ok()).collect();
    let presentation = held.present(&paths?, &transcript()).ok()?;
    Some(presentation.bind(&sign(presentation.sign1.clone(), &parties.holder)))
}

fn encoded(value: &Cbor) -> Cbor {
    Cbor::Tag(24, Box::new(Cbor::Bytes(cbor::encode(value))))
}

fn sign(draft: Sign1Draft, key: &PrivateKey) -> Vec<u8> {
    let alg = key.alg().default_sign_alg();
    let draft = draft.with_alg(alg);
    draft.assemble(&key.sign(alg, &draft.to_be_signed()).expect("a key signs with its own algorithm"))
}

fn query() -> &'static CredentialQuery {
    static QUERY: OnceLock<CredentialQuery> = OnceLock::new();
    QUERY.get_or_init(|| {
        let query = json!({"credentials": [{"id": "d", "format": "mso_mdoc", "meta": {"doctype_value": DOCTYPE},
            "claims": [{"path": [NAMESPACE, "family_name"]}]}]});
        Query::parse(&query, Reader::Own).expect("a query of ours").credentials.remove(0)
    })
}
