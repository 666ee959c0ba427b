//! Mobile documents: issued, shown and judged; and everything that must be refused, one test for each attack.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use crypto::cbor::{self, CborLimits, Value as Cbor};
use crypto::cose::Sign1Draft;
use crypto::key::{KeyAlg, PrivateKey, PublicKey, SignAlg};
use crypto::{base64, hash};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tessera_credential::check::{Check, Outcome};
use tessera_credential::claims_path::ClaimsPath;
use tessera_credential::credential_type::CredentialType;
use tessera_credential::dcql::CredentialQuery;
use tessera_credential::mdoc::{
    self, Elements, IssueError, Mdoc, ParseError, PresentError, Rejection, SessionTranscript, Subject,
    ValidityFault,
};
use tessera_credential::presentation::{
    Concluded, Expected, StatusAnswer, StatusPolicy, Transaction, examine_mdoc,
};
use tessera_credential::sd_jwt::Validity;
use tessera_credential::status::StatusReference;
use tessera_credential::trust::{Anchors, Context};
use world::{AUDIENCE, Dates, NONCE, Signer, World, now, query, seeded};

const DOCTYPE: &str = "org.iso.18013.5.1.mDL";
const NAMESPACE: &str = "org.iso.18013.5.1";
const RESPONSE_URI: &str = "https://verifier.example/t/default/vp/response/secret";
const ORIGIN: &str = "https://verifier.example";
const LIMITS: CborLimits = CborLimits { bytes_max: 1 << 20, depth_max: 32 };

fn transcript() -> SessionTranscript {
    SessionTranscript::redirect(AUDIENCE, NONCE, Some(&[7; 32]), RESPONSE_URI)
}

fn rules() -> Value {
    let element = |name: &str| json!({"namespace": NAMESPACE, "element": name});
    json!([
        {"path": ["family_name"], "type": "string", "mandatory": true, "mdoc": element("family_name")},
        {"path": ["given_name"], "type": "string", "mdoc": element("given_name")},
        {"path": ["birthdate"], "type": "date", "mdoc": element("birth_date")},
        {"path": ["adult"], "type": "boolean", "mdoc": element("age_over_18")},
        {"path": ["note"], "type": "string", "mdoc": {"namespace": "org.example.1", "element": "note"}},
        {"path": ["only_in_json"], "type": "string"},
    ])
}

fn claims() -> Value {
    json!({
        "family_name": "Canary-7", "given_name": "Ana", "birthdate": "1999-02-28", "adult": true, "note": "x",
        "only_in_json": "y",
    })
}

fn asks(claims: &Value) -> CredentialQuery {
    query(&json!({"id": "d", "format": "mso_mdoc", "meta": {"doctype_value": DOCTYPE}, "claims": claims}))
}

/// The parties of `World`, with documents in place of SD-JWTs.
struct House {
    world: World,
    kind: CredentialType,
}

/// What of a document is other than usual.
struct Odd {
    signer_key: Option<PrivateKey>,
    alg: Option<SignAlg>,
    at: Timestamp,
    device: PublicKey,
}

impl House {
    fn new() -> Self {
        let mut world = World::new();
        let own = world.root.anchor("anc_own", &[Context::Issuer, Context::Status], &[DOCTYPE]);
        world.anchors = Anchors::new(vec![own]);
        world.query = asks(
            &json!([{"path": [NAMESPACE, "family_name"]}, {"path": [NAMESPACE, "age_over_18"], "values": [true]}]),
        );
        Self { world, kind: CredentialType::parse(DOCTYPE, &rules()).unwrap() }
    }

    fn usual(&self) -> Odd {
        Odd { signer_key: None, alg: None, at: now(), device: self.world.holder.public() }
    }

    fn draft(&self, odd: &Odd) -> mdoc::Draft {
        let claims = claims();
        let elements = Elements::of(&self.kind.accept(claims.as_object().unwrap()).unwrap()).unwrap();
        let status = World::reference(412);
        let subject = Subject {
            doctype: DOCTYPE,
            device_key: &odd.device,
            status: Some(&status),
            validity: Validity::whole_days(odd.at, 365 * 86_400, None).unwrap(),
            signer_starts_at: None,
        };
        mdoc::issue(&elements, &subject, &mut seeded(1)).unwrap()
    }

    fn issue(&self, odd: &Odd) -> String {
        let draft = self.draft(odd);
        let key = odd.signer_key.as_ref().unwrap_or(&self.world.issuer.key);
        let signed = sign_as(draft.sign1.clone().with_x5chain(&self.world.issuer.chain), key, odd.alg);
        draft.items.assemble(&signed)
    }

    fn document(&self) -> String {
        self.issue(&self.usual())
    }

    fn held(&self, text: &str) -> Mdoc {
        Mdoc::parse(text).unwrap().verify(&self.world.issuer.key.public(), now()).unwrap()
    }

    /// Shown by the holder as the query asks, over `transcript`.
    fn present(&self, held: &Mdoc, transcript: &SessionTranscript) -> String {
        let claims = self.world.query.claims.iter().flatten();
        let paths: Vec<ClaimsPath> = claims.map(|claim| claim.path.clone()).collect();
        let presentation = held.present(&paths, transcript).unwrap();
        let signed = sign_as(presentation.sign1.clone(), &self.world.holder, None);
        presentation.bind(&signed)
    }

    fn response(&self) -> String {
        self.present(&self.held(&self.document()), &transcript())
    }

    fn conclude(&self, response: &str, transcript: &SessionTranscript, at: Timestamp) -> Concluded {
        let list = self.world.good_list();
        let expected = Expected { requested_at: at, ..self.world.expected() };
        let examined = examine_mdoc(response, transcript, &expected, &self.world.trust(), at);
        let answer = StatusAnswer::List { list: &list, fetched_at: at };
        examined.conclude(&answer, &StatusPolicy::default(), at)
    }

    fn failures(&self, response: &str) -> Vec<String> {
        self.failures_over(response, &transcript())
    }

    fn failures_over(&self, response: &str, transcript: &SessionTranscript) -> Vec<String> {
        let concluded = self.conclude(response, transcript, now());
        let failures = world::failures(&concluded.results);
        assert_eq!(concluded.presented.is_none(), !failures.is_empty());
        failures
    }
}

fn sign_as(draft: Sign1Draft, key: &PrivateKey, alg: Option<SignAlg>) -> Vec<u8> {
    let own = key.alg().default_sign_alg();
    let draft = draft.with_alg(alg.unwrap_or(own));
    draft.assemble(&key.sign(own, &draft.to_be_signed()).unwrap())
}

/// Decodes, lets `change` work on the value, encodes.
fn changed(text: &str, change: impl FnOnce(&mut Cbor)) -> String {
    let mut value = cbor::decode_any_order(&base64::url_decode(text).unwrap(), &LIMITS).unwrap();
    change(&mut value);
    base64::url_encode(&cbor::encode(&value))
}

fn at<'v>(value: &'v mut Cbor, path: &[&str]) -> &'v mut Cbor {
    path.iter().fold(value, |value, step| match value {
        Cbor::Map(pairs) => {
            let pair = pairs.iter_mut().find(|(key, _)| key.as_text() == Some(step));
            &mut pair.unwrap_or_else(|| panic!("no {step}")).1
        }
        Cbor::Array(items) => &mut items[step.parse::<usize>().unwrap()],
        _ => panic!("nothing below {step}"),
    })
}

fn array(value: &mut Cbor) -> &mut Vec<Cbor> {
    if let Cbor::Array(items) = value { items } else { panic!("an array") }
}

/// Opens `#6.24(bstr)`, changes what is inside, closes it.
fn inside(tagged: &mut Cbor, change: impl FnOnce(&mut Cbor)) {
    let Cbor::Tag(24, inner) = tagged else { panic!("tag 24") };
    let mut value = cbor::decode_any_order(inner.as_bytes().unwrap(), &LIMITS).unwrap();
    change(&mut value);
    **inner = Cbor::Bytes(cbor::encode(&value));
}

/// The security object changed and signed anew by the issuer.
fn resigned(house: &House, change: impl FnOnce(&mut Cbor)) -> String {
    let draft = house.draft(&house.usual());
    let mut object = cbor::decode(&draft.sign1.payload, &LIMITS).unwrap();
    inside(&mut object, change);
    let sign1 = Sign1Draft::new(cbor::encode(&object)).with_x5chain(&house.world.issuer.chain);
    let signed = sign_as(sign1, &house.world.issuer.key, None);
    draft.items.assemble(&signed)
}

const DOCUMENT: &[&str] = &["documents", "0"];
const ITEMS: &[&str] = &["documents", "0", "issuerSigned", "nameSpaces", NAMESPACE];

#[test]
fn a_document_is_issued_held_shown_and_judged() {
    let house = House::new();
    let held = house.held(&house.document());
    assert_eq!((held.doctype(), held.count()), (DOCTYPE, 5));
    assert_eq!(
        Value::from(held.claims()),
        json!({
            NAMESPACE: {"family_name": "Canary-7", "given_name": "Ana", "birth_date": "1999-02-28", "age_over_18": true},
            "org.example.1": {"note": "x"},
        })
    );
    let object = held.security_object();
    assert_eq!(object.device_key(), &house.world.holder.public());
    assert_eq!(object.signed_at(), "2026-11-20T00:00:00Z".parse().unwrap());
    assert_eq!(object.valid_until(), "2027-11-21T00:00:00Z".parse().unwrap());
    assert_eq!(object.status(), Ok(Some(&World::reference(412))));

    let concluded = house.conclude(&house.response(), &transcript(), now());
    assert_eq!(world::failures(&concluded.results), [""; 0]);
    let presented = concluded.presented.unwrap();
    assert_eq!((presented.format, presented.kind.as_str()), ("mso_mdoc", DOCTYPE));
    assert_eq!(
        Value::from(presented.claims.clone()),
        json!({NAMESPACE: {"family_name": "Canary-7", "age_over_18": true}})
    );
    assert_eq!((presented.status, presented.holder_binding), ("valid", true));
    assert_eq!(presented.valid_until, Some(object.valid_until()));
    assert_eq!(presented.issuer.anchor, "anc_own");
}

#[test]
fn a_report_names_every_check_of_the_format_and_no_value() {
    let house = House::new();
    let concluded = house.conclude(&house.response(), &transcript(), now());
    let lines: Vec<_> = concluded.results.iter().map(|it| (it.check.id(), it.outcome)).collect();
    for check in
        ["VP-030", "VP-031", "VP-032", "VP-033", "VP-034", "VP-035", "VP-036", "VP-014", "VP-016", "VP-054"]
    {
        assert!(lines.contains(&(check, Outcome::Pass)), "{check}");
    }
    let text = format!("{:?}", concluded.results);
    assert!(!text.contains("Canary-7") && !text.contains(NONCE));
}

#[test]
fn only_the_elements_that_were_asked_for_leave_the_wallet() {
    let house = House::new();
    let held = house.held(&house.document());
    let shown = house.present(&held, &transcript());
    let text = String::from_utf8_lossy(&base64::url_decode(&shown).unwrap()).into_owned();
    assert!(text.contains("Canary-7") && !text.contains("1999-02-28") && !text.contains("given_name"));
    let missing = ClaimsPath::of_names([NAMESPACE, "height"]);
    let refused = held.present(std::slice::from_ref(&missing), &transcript()).unwrap_err();
    assert_eq!(refused, PresentError::NotThere(missing));
    let nothing = held.present(&[], &transcript()).unwrap();
    let nothing = nothing.bind(&sign_as(nothing.sign1.clone(), &house.world.holder, None));
    assert_eq!(house.failures(&nothing), ["VP-041 query/claim-missing"]);
}

#[test]
fn more_than_was_asked_for_is_dropped_with_a_warning() {
    let house = House::new();
    let held = house.held(&house.document());
    let presentation = held.present(&[ClaimsPath::of_names([NAMESPACE])], &transcript()).unwrap();
    let shown = presentation.bind(&sign_as(presentation.sign1.clone(), &house.world.holder, None));
    let concluded = house.conclude(&shown, &transcript(), now());
    let extra = concluded.results.iter().find(|it| it.check == Check::OverDisclosure).unwrap();
    assert_eq!((extra.outcome, extra.detail.get("extra")), (Outcome::Warn, Some(2.into())));
    let presented = concluded.presented.unwrap();
    assert_eq!(presented.claims[NAMESPACE].as_object().unwrap().len(), 2);
}

#[test]
fn copies_have_salts_digests_and_ids_of_their_own_and_dates_on_the_day() {
    let house = House::new();
    let claims = claims();
    let elements = Elements::of(&house.kind.accept(claims.as_object().unwrap()).unwrap()).unwrap();
    let device = house.world.holder.public();
    let mut entropy = seeded(3);
    let mut payloads = Vec::new();
    let mut orders = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let subject = Subject {
            doctype: DOCTYPE,
            device_key: &device,
            status: None,
            validity: Validity::whole_days(now(), 86_400, None).unwrap(),
            signer_starts_at: None,
        };
        let draft = mdoc::issue(&elements, &subject, &mut entropy).unwrap();
        let text = draft.items.assemble(&draft.sign1.clone().with_alg(SignAlg::Es256).assemble(&[0; 64]));
        let value = cbor::decode(&base64::url_decode(&text).unwrap(), &LIMITS).unwrap();
        let items = value.get("nameSpaces").unwrap().get(NAMESPACE).unwrap().as_array().unwrap();
        let ids = items.iter().map(|item| {
            let Cbor::Tag(24, inner) = item else { panic!("tag 24") };
            cbor::decode(inner.as_bytes().unwrap(), &LIMITS)
                .unwrap()
                .get("digestID")
                .unwrap()
                .as_uint()
                .unwrap()
        });
        let ids: Vec<u64> = ids.collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3]);
        orders.insert(ids);
        payloads.push(hash::sha256(&draft.sign1.payload));
    }
    payloads.sort_unstable();
    payloads.dedup();
    assert!(payloads.len() == 20 && orders.len() > 5, "{} orders", orders.len());
}

#[test]
fn a_document_is_not_issued_empty_nor_before_its_signer_nor_for_a_strange_key() {
    let house = House::new();
    let device = house.world.holder.public();
    let strange = PrivateKey::generate(KeyAlg::Secp256k1).public();
    let mut elements = Elements::new();
    let validity = Validity::whole_days(now(), 86_400, None).unwrap();
    let subject =
        Subject { doctype: DOCTYPE, device_key: &device, status: None, validity, signer_starts_at: None };
    let issue = |elements: &Elements, subject: &Subject<'_>| {
        mdoc::issue(elements, subject, &mut seeded(1)).map(|_| ()).unwrap_err()
    };
    assert_eq!(issue(&elements, &subject), IssueError::NoElements);
    elements.add("ns", "portrait", Cbor::bytes(vec![0; mdoc::ITEM_BYTES_MAX])).unwrap();
    assert_eq!(issue(&elements, &subject), IssueError::ElementTooLarge);
    let mut elements = Elements::new();
    elements.add("ns", "a", Cbor::Null).unwrap();
    let late = Subject { signer_starts_at: Some("2026-11-20T08:00:00Z".parse().unwrap()), ..subject };
    assert_eq!(issue(&elements, &late), IssueError::Dates);
    assert_eq!(issue(&elements, &Subject { device_key: &strange, ..subject }), IssueError::DeviceKey);
    assert_eq!(issue(&elements, &Subject { doctype: "", ..subject }), IssueError::DocType);
    for nth in 0..8 {
        elements.add("ns", &format!("p{nth}"), Cbor::bytes(vec![0; 40_000])).unwrap();
    }
    assert_eq!(issue(&elements, &subject), IssueError::TooLarge);
}

#[test]
fn an_element_altered_after_signing_has_no_digest() {
    let house = House::new();
    let altered = changed(&house.response(), |response| {
        let items = array(at(response, ITEMS));
        inside(&mut items[0], |item| *at(item, &["elementValue"]) = Cbor::text("Eve"));
    });
    assert_eq!(house.failures(&altered), ["VP-033 mdoc/digest"]);
    let altered = changed(&house.document(), |document| {
        let items = array(at(document, &["nameSpaces", NAMESPACE]));
        inside(&mut items[0], |item| *at(item, &["elementValue"]) = Cbor::text("Eve"));
    });
    let refused = Mdoc::parse(&altered).unwrap().verify(&house.world.issuer.key.public(), now());
    assert_eq!(refused.map(|_| ()).unwrap_err(), Rejection::Digest);
}

#[test]
fn an_element_moved_to_another_name_or_namespace_has_no_digest() {
    let house = House::new();
    let held = house.held(&house.document());
    let paths = [ClaimsPath::of_names([NAMESPACE]), ClaimsPath::of_names(["org.example.1"])];
    let presentation = held.present(&paths, &transcript()).unwrap();
    let all = presentation.bind(&sign_as(presentation.sign1.clone(), &house.world.holder, None));
    assert_eq!(house.failures(&all), [""; 0]);
    let renamed = changed(&all, |response| {
        inside(&mut array(at(response, ITEMS))[1], |item| {
            *at(item, &["elementIdentifier"]) = "nickname".into()
        });
    });
    assert_eq!(house.failures(&renamed), ["VP-033 mdoc/digest"]);
    let moved = changed(&all, |response| {
        let item = array(at(response, ITEMS)).remove(1);
        let namespaces = at(response, &["documents", "0", "issuerSigned", "nameSpaces"]);
        *at(namespaces, &["org.example.1"]) = Cbor::Array(vec![item]);
    });
    assert_eq!(house.failures(&moved), ["VP-033 mdoc/digest"]);
}

#[test]
fn an_item_of_another_document_of_the_same_issuer_has_no_digest() {
    let house = House::new();
    let other = {
        let claims = json!({"family_name": "Other", "adult": true});
        let elements = Elements::of(&house.kind.accept(claims.as_object().unwrap()).unwrap()).unwrap();
        let device = house.world.holder.public();
        let validity = Validity::whole_days(now(), 86_400, None).unwrap();
        let subject =
            Subject { doctype: DOCTYPE, device_key: &device, status: None, validity, signer_starts_at: None };
        let draft = mdoc::issue(&elements, &subject, &mut seeded(9)).unwrap();
        let signed = sign_as(
            draft.sign1.clone().with_x5chain(&house.world.issuer.chain),
            &house.world.issuer.key,
            None,
        );
        house.present(&house.held(&draft.items.assemble(&signed)), &transcript())
    };
    let mut foreign = Cbor::Null;
    changed(&other, |response| foreign = array(at(response, ITEMS))[0].clone());
    let swapped = changed(&house.response(), |response| *at(response, ITEMS) = Cbor::Array(vec![foreign]));
    assert_eq!(house.failures(&swapped), ["VP-033 mdoc/digest", "VP-041 query/claim-missing"]);
}

#[test]
fn a_digest_id_or_an_element_that_stands_twice_is_refused() {
    let house = House::new();
    let doubled = changed(&house.response(), |response| {
        let items = array(at(response, ITEMS));
        items.push(items[0].clone());
    });
    assert_eq!(house.failures(&doubled), ["VP-030 mdoc/malformed item-twice"]);
    for (member, value) in [("digestID", Cbor::Uint(99)), ("elementIdentifier", "other".into())] {
        let doubled = changed(&house.response(), |response| {
            let items = array(at(response, ITEMS));
            let mut second = items[0].clone();
            inside(&mut second, |item| *at(item, &[member]) = value.clone());
            items.push(second);
        });
        assert_eq!(house.failures(&doubled), ["VP-030 mdoc/malformed item-twice"], "{member}");
    }
    // In the security object the same id twice is a duplicate key of a map.
    let draft = house.draft(&house.usual());
    let mut payload = draft.sign1.payload.clone();
    let place = payload.windows(3).position(|window| window == [0x01, 0x58, 0x20]).unwrap();
    payload[place] = 0;
    let sign1 = Sign1Draft::new(payload).with_x5chain(&house.world.issuer.chain);
    let doubled = draft.items.assemble(&sign_as(sign1, &house.world.issuer.key, None));
    assert_eq!(Mdoc::parse(&doubled).unwrap_err(), ParseError::SecurityObject(mdoc::MsoFault::Encoding));
}

#[test]
fn a_device_signature_over_another_request_is_refused() {
    let house = House::new();
    let held = house.held(&house.document());
    let key = Some(&[7; 32]);
    let refused = ["VP-035 mdoc/device-signature bad-signature"];
    for other in [
        SessionTranscript::redirect(AUDIENCE, "of-another-session", key, RESPONSE_URI),
        SessionTranscript::redirect("x509_hash:other", NONCE, key, RESPONSE_URI),
        SessionTranscript::redirect(AUDIENCE, NONCE, key, "https://verifier.example/other"),
        SessionTranscript::redirect(AUDIENCE, NONCE, Some(&[8; 32]), RESPONSE_URI),
        SessionTranscript::redirect(AUDIENCE, NONCE, None, RESPONSE_URI),
        SessionTranscript::dc_api(ORIGIN, NONCE, key),
    ] {
        assert_eq!(house.failures(&house.present(&held, &other)), refused);
    }
}

#[test]
fn an_answer_over_the_digital_credentials_api_holds_for_its_origin_nonce_and_key_alone() {
    let house = House::new();
    let held = house.held(&house.document());
    let asked = SessionTranscript::dc_api(ORIGIN, NONCE, Some(&[7; 32]));
    assert_eq!(house.failures_over(&house.present(&held, &asked), &asked), [""; 0]);
    for other in [
        SessionTranscript::dc_api("https://evil.example", NONCE, Some(&[7; 32])),
        SessionTranscript::dc_api(ORIGIN, "other", Some(&[7; 32])),
        SessionTranscript::dc_api(ORIGIN, NONCE, None),
        transcript(),
    ] {
        let failures = house.failures_over(&house.present(&held, &other), &asked);
        assert_eq!(failures, ["VP-035 mdoc/device-signature bad-signature"]);
    }
}

#[test]
fn another_document_type_than_the_issuer_signed_is_refused() {
    let house = House::new();
    let renamed = changed(&house.response(), |response| {
        *at(at(response, DOCUMENT), &["docType"]) = "org.example.other".into();
    });
    let failures = house.failures(&renamed);
    assert_eq!(failures, ["VP-031 mdoc/doctype", "VP-035 mdoc/device-signature bad-signature"]);
    // An issuer that may vouch for this type alone cannot make another one.
    let other = resigned(&house, |object| *at(object, &["docType"]) = "org.example.other".into());
    let response = house.present(&house.held(&other), &transcript());
    assert_eq!(
        house.failures(&response),
        ["VP-016 trust/wrong-context wrong-context", "VP-040 query/wrong-type"]
    );
}

#[test]
fn a_document_out_of_its_dates_is_refused() {
    let house = House::new();
    let response = house.response();
    let at_time = |text: &str| {
        let concluded = house.conclude(&response, &transcript(), text.parse().unwrap());
        let failures = world::failures(&concluded.results);
        failures.into_iter().filter(|failure| !failure.contains("status/stale")).collect::<Vec<_>>()
    };
    assert_eq!(at_time("2027-11-21T00:00:59Z"), [""; 0], "clocks differ");
    assert_eq!(at_time("2027-11-21T00:01:00Z"), ["VP-034 mdoc/validity expired"]);
    assert_eq!(at_time("2026-11-19T23:58:59Z"), ["VP-034 mdoc/validity not-yet-valid"]);
    let date = |text: &str| Cbor::Tag(0, Box::new(Cbor::text(text)));
    let ahead = resigned(&house, |object| {
        *at(object, &["validityInfo", "validFrom"]) = date("2026-12-01T00:00:00Z");
    });
    let refused = Mdoc::parse(&ahead).unwrap().verify(&house.world.issuer.key.public(), now());
    assert_eq!(refused.map(|_| ()).unwrap_err(), Rejection::Validity(ValidityFault::NotYetValid));
}

#[test]
fn a_document_signed_outside_its_signers_life_is_refused() {
    let mut house = House::new();
    let life = Dates { from: "2026-11-20T12:00:00Z", to: "2027-12-01T00:00:00Z" };
    house.world.issuer = house.world.root.signer_with("Issuer", KeyAlg::P256, &life);
    assert_eq!(house.failures(&house.response()), ["VP-034 mdoc/validity signed-outside-signer"]);
}

#[test]
fn the_algorithm_comes_from_the_signers_key() {
    let mut house = House::new();
    // ES256 in the header over the certificate of a P-384 key, and the reverse.
    let es256 = house.issue(&Odd { alg: Some(SignAlg::Es384), ..house.usual() });
    let refused = Mdoc::parse(&es256).unwrap().verify(&house.world.issuer.key.public(), now());
    assert_eq!(refused.map(|_| ()).unwrap_err(), Rejection::Alg);
    house.world.issuer = house.world.root.signer_with("Issuer", KeyAlg::P384, &world::LIFE);
    assert_eq!(house.failures(&house.response()), [""; 0], "P-384 with its own algorithm");
    let held = house.held(&house.document());
    let shown = house.present(&held, &transcript());
    let mixed = changed(&shown, |response| {
        *at(response, &["documents", "0", "issuerSigned", "issuerAuth", "0"]) =
            Cbor::bytes([0xa1, 0x01, 0x26]);
    });
    let failures = house.failures(&mixed);
    assert_eq!(failures, ["VP-012 credential/alg-key-mismatch", "VP-032 mdoc/issuer-auth bad-signature"]);
    for alg in [[0xa1, 0x01, 0x05], [0xa1, 0x01, 0x27]] {
        // HMAC is no algorithm at all; EdDSA is one, of other keys.
        let mixed = changed(&shown, |response| {
            *at(response, &["documents", "0", "issuerSigned", "issuerAuth", "0"]) = Cbor::bytes(alg);
        });
        assert!(house.failures(&mixed)[0].starts_with("VP-012 "), "{alg:?}");
    }
}

#[test]
fn a_document_signed_by_another_key_than_its_certificates_is_refused() {
    let house = House::new();
    let forged = house.issue(&Odd { signer_key: Some(PrivateKey::generate(KeyAlg::P256)), ..house.usual() });
    let refused = Mdoc::parse(&forged).unwrap().verify(&house.world.issuer.key.public(), now());
    assert_eq!(refused.map(|_| ()).unwrap_err(), Rejection::Signature);
    let good = house.response();
    let mut auth = Cbor::Null;
    changed(&forged, |document| auth = at(document, &["issuerAuth"]).clone());
    let response = changed(&good, |response| {
        *at(response, &["documents", "0", "issuerSigned", "issuerAuth"]) = auth;
    });
    assert_eq!(house.failures(&response), ["VP-032 mdoc/issuer-auth bad-signature"]);
}

#[test]
fn a_device_key_of_another_curve_or_person_does_not_sign_for_this_document() {
    let mut house = House::new();
    let held = house.held(&house.document());
    house.world.holder = PrivateKey::generate(KeyAlg::P256);
    let refused = ["VP-035 mdoc/device-signature bad-signature"];
    assert_eq!(house.failures(&house.present(&held, &transcript())), refused);
    for alg in [KeyAlg::P384, KeyAlg::Ed25519, KeyAlg::Secp256k1] {
        house.world.holder = PrivateKey::generate(alg);
        let refused = ["VP-035 mdoc/device-signature alg"];
        assert_eq!(house.failures(&house.present(&held, &transcript())), refused, "{alg}");
    }
    for alg in [KeyAlg::P384, KeyAlg::Ed25519] {
        house.world.holder = PrivateKey::generate(alg);
        assert_eq!(house.failures(&house.response()), [""; 0], "{alg} as the device's own");
    }
}

#[test]
fn a_mac_is_refused_by_name() {
    let house = House::new();
    let with_mac = changed(&house.response(), |response| {
        *at(response, &["documents", "0", "deviceSigned", "deviceAuth"]) =
            Cbor::Map(vec![("deviceMac".into(), Cbor::Array(vec![Cbor::bytes([0xa1, 0x01, 0x05])]))]);
    });
    assert_eq!(house.failures(&with_mac), ["VP-036 mdoc/device-mac"]);
    let both = changed(&house.response(), |response| {
        let Cbor::Map(auth) = at(response, &["documents", "0", "deviceSigned", "deviceAuth"]) else {
            panic!()
        };
        auth.push(("deviceMac".into(), Cbor::Null));
    });
    assert_eq!(house.failures(&both), ["VP-030 mdoc/malformed form"]);
}

#[test]
fn a_device_signature_with_a_payload_of_its_own_is_refused() {
    let house = House::new();
    let own = changed(&house.response(), |response| {
        *at(response, &["documents", "0", "deviceSigned", "deviceAuth", "deviceSignature", "2"]) =
            Cbor::bytes(*b"something else");
    });
    assert_eq!(house.failures(&own), ["VP-030 mdoc/malformed device-signature"]);
}

#[test]
fn elements_of_the_device_alone_are_covered_by_its_signature_and_never_shown() {
    let house = House::new();
    let slipped = changed(&house.response(), |response| {
        let device = at(response, &["documents", "0", "deviceSigned", "nameSpaces"]);
        inside(device, |namespaces| {
            let elements = Cbor::Map(vec![("age_over_18".into(), Cbor::Bool(true))]);
            *namespaces = Cbor::Map(vec![(NAMESPACE.into(), elements)]);
        });
    });
    assert_eq!(house.failures(&slipped), ["VP-035 mdoc/device-signature bad-signature"]);
}

#[test]
fn a_response_of_another_shape_is_refused_with_its_reason() {
    let house = House::new();
    let good = house.response();
    let reason = |text: &str| house.failures(text).remove(0);
    let with = |path: &[&str], value: Cbor| changed(&good, |response| *at(response, path) = value);
    assert_eq!(reason("not base64url!"), "VP-030 mdoc/malformed encoding");
    assert_eq!(reason(""), "VP-030 mdoc/malformed encoding");
    assert_eq!(reason(&"A".repeat(400_000)), "VP-030 mdoc/malformed too-large");
    assert_eq!(reason(&format!("{good}AA")), "VP-030 mdoc/malformed encoding");
    assert_eq!(reason(&with(&["status"], Cbor::Uint(10))), "VP-030 mdoc/malformed status");
    assert_eq!(reason(&with(&["version"], "2.0".into())), "VP-030 mdoc/malformed version");
    assert_eq!(reason(&with(&["documents"], Cbor::Array(vec![]))), "VP-030 mdoc/malformed documents");
    let two = changed(&good, |response| {
        let documents = array(at(response, &["documents"]));
        documents.push(documents[0].clone());
    });
    assert_eq!(reason(&two), "VP-030 mdoc/malformed documents");
    assert_eq!(reason(&with(ITEMS, Cbor::Array(vec![]))), "VP-030 mdoc/malformed form");
    assert_eq!(reason(&with(ITEMS, Cbor::Array(vec![Cbor::Null]))), "VP-030 mdoc/malformed item");
    // A map key twice, and an indefinite length: the strict reader takes neither.
    let bytes = base64::url_decode(&good).unwrap();
    let twice = [&[0xa4][..], &bytes[1..], &[0x66], b"status", &[0]].concat();
    assert_eq!(reason(&base64::url_encode(&twice)), "VP-030 mdoc/malformed encoding");
    let indefinite = [&[0xbf][..], &bytes[1..], &[0xff]].concat();
    assert_eq!(reason(&base64::url_encode(&indefinite)), "VP-030 mdoc/malformed encoding");
    let deep = [vec![0x81; 40], vec![0]].concat();
    assert_eq!(reason(&base64::url_encode(&deep)), "VP-030 mdoc/malformed encoding");
}

#[test]
fn a_security_object_of_another_kind_is_refused_with_its_reason() {
    let house = House::new();
    let reason = |path: &[&str], value: Cbor| {
        let document = resigned(&house, |object| *at(object, path) = value);
        let ParseError::SecurityObject(fault) = Mdoc::parse(&document).unwrap_err() else { panic!() };
        fault.word()
    };
    assert_eq!(reason(&["version"], "1.1".into()), "mso-version");
    assert_eq!(reason(&["digestAlgorithm"], "MD5".into()), "digest-algorithm");
    assert_eq!(reason(&["deviceKeyInfo"], Cbor::Map(vec![])), "device-key");
    assert_eq!(reason(&["validityInfo", "signed"], "2026-11-20T00:00:00Z".into()), "mso-form");
    assert_eq!(reason(&["valueDigests"], Cbor::Map(vec![])), "mso-form");
    let many = (0..=mdoc::DIGESTS_MAX as u64).map(|id| (Cbor::Uint(id), Cbor::bytes([0; 32]))).collect();
    assert_eq!(reason(&["valueDigests", NAMESPACE], Cbor::Map(many)), "mso-form");
}

#[test]
fn a_status_that_cannot_be_read_is_a_fault_and_a_revoked_document_is_refused() {
    let house = House::new();
    let odd = resigned(&house, |object| *at(object, &["status"]) = Cbor::Map(vec![]));
    let response = house.present(&house.held(&odd), &transcript());
    let failures = house.failures(&response);
    assert!(failures[0].starts_with("VP-050 "), "{failures:?}");

    let mut list =
        tessera_credential::status::StatusList::new(tessera_credential::status::Bits::One, 131_072).unwrap();
    list.set(412, tessera_credential::status::StatusValue::Invalid).unwrap();
    let token = house.world.list(&list, world::LIST_URI);
    let revoked = house.world.verified_list(&token);
    let expected = house.world.expected();
    let examined = examine_mdoc(&house.response(), &transcript(), &expected, &house.world.trust(), now());
    let wanted = StatusReference { uri: world::LIST_URI.into(), idx: 412 };
    assert_eq!(examined.status_wanted(&StatusPolicy::default()), Some(&wanted));
    let answer = StatusAnswer::List { list: &revoked, fetched_at: now() };
    let concluded = examined.conclude(&answer, &StatusPolicy::default(), now());
    assert_eq!(world::failures(&concluded.results), ["VP-054 status/revoked"]);
}

#[test]
fn certificates_that_lead_elsewhere_or_are_missing_are_refused() {
    let mut house = House::new();
    let good = house.response();
    let without = changed(&good, |response| {
        *at(response, &["documents", "0", "issuerSigned", "issuerAuth", "1"]) = Cbor::Map(vec![]);
    });
    assert_eq!(
        house.failures(&without),
        ["VP-013 credential/x5c-invalid missing-or-malformed", "VP-032 mdoc/issuer-auth no-certificates"]
    );
    let self_signed: Signer = world::self_signed();
    house.world.issuer = self_signed;
    assert_eq!(house.failures(&house.response())[0], "VP-015 trust/self-signed-leaf self-signed-leaf");
    house.world.issuer = world::Root::new("Stranger").signer("Issuer");
    assert_eq!(house.failures(&house.response())[0], "VP-014 trust/no-anchor no-anchor");
}

#[test]
fn a_certificate_for_another_use_signs_no_documents() {
    let mut house = House::new();
    // ISO/IEC 18013-5, B.1.7: who reads documents is certified by the same authorities as who signs them.
    house.world.issuer = house.world.root.signer_for("Reader", "1.0.18013.5.1.6");
    assert_eq!(house.failures(&house.response()), ["VP-032 mdoc/issuer-auth signer-usage"]);
    house.world.issuer = house.world.root.signer_for("Signer", mdoc::SIGNER_EKU);
    assert_eq!(house.failures(&house.response()), [""; 0]);
}

#[test]
fn a_document_authorises_no_transaction() {
    let house = House::new();
    let transaction = Transaction { sha256: [1; 32], required: true };
    let expected = Expected { transactions: std::slice::from_ref(&transaction), ..house.world.expected() };
    let examined = examine_mdoc(&house.response(), &transcript(), &expected, &house.world.trust(), now());
    assert!(!examined.is_valid());
    let concluded = examined.conclude(&StatusAnswer::NotWanted, &StatusPolicy::default(), now());
    assert_eq!(world::failures(&concluded.results), ["VP-027 key-binding/transaction-data missing"]);
}

#[test]
fn an_old_request_is_no_fault_of_a_document_whose_transcript_is_new() {
    let house = House::new();
    let later = now() + SignedDuration::from_mins(5);
    assert!(house.conclude(&house.response(), &transcript(), later).presented.is_some());
}
