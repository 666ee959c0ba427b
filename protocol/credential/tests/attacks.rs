//! Attacks on one presentation, each refused by the check that names it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::io::Write as _;

use crypto::base64;
use crypto::hash;
use crypto::jose::jws::{Draft, assemble, x5c_value};
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tessera_credential::check::{Check, Outcome, Report};
use tessera_credential::claims_path::ClaimsPath;
use tessera_credential::presentation::{
    Concluded, StatusAnswer, StatusMode, StatusPolicy, Transaction, examine,
};
use tessera_credential::sd_jwt::{self, SdJwt};
use tessera_credential::status::{Bits, ListFault, ListToken, StatusList, StatusValue};
use tessera_credential::trust::{Anchors, Context};
use world::{
    AUDIENCE, Dates, LIFE, LIST_URI, NONCE, Root, VCT, World, asks, claims, disclosure, failures,
    key_binding, now, query, self_signed, sign,
};

/// The text up to and with its last tilde.
fn bound(presentation: &str) -> &str {
    &presentation[..=presentation.rfind('~').unwrap()]
}

/// The issuer-signed JWT alone.
fn jwt(presentation: &str) -> &str {
    presentation.split('~').next().unwrap()
}

#[test]
fn an_honest_presentation_passes_every_check_and_shows_what_was_asked_for() {
    let world = World::new();
    let concluded = world.check(&world.present(&world.credential()));
    assert_eq!(failures(&concluded.results), [""; 0]);
    let presented = concluded.presented.unwrap();
    assert_eq!(
        Value::Object(presented.claims.clone()),
        json!({"given_name": "Ana", "degree": {"type": "BSc"}})
    );
    assert_eq!((presented.status, presented.holder_binding), ("valid", true));
    assert_eq!((presented.kind.as_str(), presented.issuer.anchor.as_str()), (VCT, "anc_own"));
    assert_eq!(presented.to_value()["valid_until"], "2027-11-21T00:00:00Z");

    let skipped: Vec<_> = concluded
        .results
        .iter()
        .filter(|it| it.outcome == Outcome::Skipped)
        .map(|it| it.check.id())
        .collect();
    assert_eq!(skipped, ["VP-027", "VP-042", "VP-043"]);
    let ids: Vec<_> = concluded.results.iter().map(|it| it.check).collect();
    assert!(ids.is_sorted() && ids.len() == 28);
    assert!(concluded.results.iter().all(|it| it.presentation.as_ref().unwrap().to_string() == "d[0]"));
}

// Attack 1.

#[test]
fn a_stripped_key_binding_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    assert_eq!(world.failures(bound(&presentation)), ["VP-020 key-binding/missing"]);
    assert_eq!(world.failures(&format!("{}x.y.z", bound(&presentation))), ["VP-020 key-binding/malformed"]);
}

#[test]
fn a_key_binding_of_another_session_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    let other = world.bind_with(bound(&presentation), AUDIENCE, "another-nonce", now());
    assert_eq!(world.failures(&other), ["VP-024 key-binding/wrong-nonce"]);
}

#[test]
fn a_key_binding_signed_by_a_key_in_its_own_header_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    let thief = PrivateKey::generate(KeyAlg::P256);
    let draft = key_binding(bound(&presentation), AUDIENCE, NONCE, now());
    let stolen = sign(draft.with("jwk", Jwk::from_key(&thief.public()).to_value()), &thief);
    let stolen = format!("{}{stolen}", bound(&presentation));
    assert_eq!(world.failures(&stolen), ["VP-022 key-binding/bad-signature"]);
}

#[test]
fn a_key_binding_of_another_typ_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    let mut draft = key_binding(bound(&presentation), AUDIENCE, NONCE, now());
    draft.header.insert("typ".into(), "JWT".into());
    let other = format!("{}{}", bound(&presentation), sign(draft, &world.holder));
    assert_eq!(world.failures(&other), ["VP-021 key-binding/wrong-typ"]);

    let header = base64::url_encode(br#"{"alg":"none","typ":"kb+jwt"}"#);
    let unsigned = format!("{}{header}.{}.", bound(&presentation), base64::url_encode(b"{}"));
    assert_eq!(world.failures(&unsigned), ["VP-021 key-binding/unsupported-alg"]);
}

#[test]
fn a_credential_bound_to_no_key_is_refused_where_binding_is_wanted() {
    let world = World::new();
    let mut payload = world.payload();
    payload.as_object_mut().unwrap().shift_remove("cnf");
    let unbound = world.bind(&world.signed_payload(&payload.to_string(), &[]));
    assert_eq!(world.failures(&unbound), ["VP-022 key-binding/no-key no-cnf"]);
    payload["cnf"] = json!({"kid": "somewhere"});
    let elsewhere = world.bind(&world.signed_payload(&payload.to_string(), &[]));
    assert_eq!(world.failures(&elsewhere), ["VP-022 key-binding/no-key cnf-unusable"]);
}

// Attack 2, its half that needs no session.

#[test]
fn a_key_binding_for_another_verifier_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    for audience in ["x509_hash:other", "Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk", ""] {
        let other = world.bind_with(bound(&presentation), audience, NONCE, now());
        assert_eq!(world.failures(&other), ["VP-023 key-binding/wrong-audience"]);
    }
    let mut draft = key_binding(bound(&presentation), AUDIENCE, NONCE, now());
    draft.payload = String::from_utf8(draft.payload)
        .unwrap()
        .replace(&format!("{AUDIENCE:?}"), &format!("[{AUDIENCE:?}]"))
        .into_bytes();
    let list = format!("{}{}", bound(&presentation), sign(draft, &world.holder));
    assert_eq!(world.failures(&list), ["VP-023 key-binding/wrong-audience"]);
}

#[test]
fn a_key_binding_made_too_early_or_in_the_future_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    let at = |seconds| {
        world.bind_with(bound(&presentation), AUDIENCE, NONCE, now() + SignedDuration::from_secs(seconds))
    };
    // The request was made 30 s ago; clocks may differ by 60 s.
    assert_eq!(world.failures(&at(-90)), [""; 0]);
    assert_eq!(world.failures(&at(-91)), ["VP-025 key-binding/too-old"]);
    assert_eq!(world.failures(&at(60)), [""; 0]);
    assert_eq!(world.failures(&at(61)), ["VP-025 key-binding/in-future"]);
}

#[test]
fn a_disclosure_taken_away_after_binding_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    let parts: Vec<&str> = presentation.split('~').collect();
    assert_eq!(parts.len(), 5, "jwt, three disclosures, key binding");
    let cut = format!("{}~{}~{}~{}", parts[0], parts[2], parts[3], parts[4]);
    assert_eq!(world.failures(&cut), ["VP-026 key-binding/wrong-sd-hash", "VP-041 query/claim-missing"]);
}

// Attack 3.

#[test]
fn a_disclosure_forged_doubled_unreferenced_or_of_a_reserved_name_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    let whole = bound(&presentation);
    let forged = disclosure(&json!(["salt", "given_name", "Eve"])).0;
    let padded = base64::url_encode(br#"["salt1","given_name","Eve"]"#) + "=";
    let first = presentation.split('~').nth(1).unwrap();
    for (text, reason) in [
        (format!("{whole}{forged}~"), "unreferenced"),
        (format!("{whole}{first}~"), "disclosure-twice"),
        (format!("{whole}{padded}~"), "malformed"),
        (format!("{whole}{}~", base64::url_encode(b"[1,2]")), "salt-not-text"),
        (format!("{whole}{}~", base64::url_encode(br#"["s","_sd",[]]"#)), "reserved-name"),
        (format!("{whole}{}~", base64::url_encode(br#"["s","a",{"b":1,"b":2}]"#)), "malformed"),
    ] {
        let failed = world.failures(&world.bind(&text));
        assert_eq!(failed, [format!("VP-018 credential/disclosure-invalid {reason}")], "{text}");
    }
}

#[test]
fn even_the_issuer_may_not_hide_or_double_what_must_stand_in_plain_sight() {
    let world = World::new();
    let (hidden, digest) = disclosure(&json!(["salt", "status", {}]));
    let (name, name_digest) = disclosure(&json!(["salt", "given_name", "Eve"]));
    for (member, value, disclosures, reason) in [
        ("_sd", json!([digest]), vec![hidden], "never-disclosable"),
        ("_sd", json!([name_digest]), vec![name], "already-there"),
        ("_sd", json!(["x", "x"]), vec![], "digest-twice"),
        ("_sd_alg", json!("sha-512"), vec![], "sd-alg"),
    ] {
        let mut payload = world.payload();
        payload[member] = value;
        let text = world.bind(&world.signed_payload(&payload.to_string(), &disclosures));
        assert_eq!(world.failures(&text), [format!("VP-018 credential/disclosure-invalid {reason}")]);
    }
}

#[test]
fn a_duplicate_member_in_the_payload_is_refused() {
    let world = World::new();
    let payload = world.payload().to_string().replacen('{', r#"{"vct":"urn:other","#, 1);
    let text = world.bind(&world.signed_payload(&payload, &[]));
    assert_eq!(world.failures(&text), ["VP-010 credential/malformed payload"]);
}

#[test]
fn what_is_no_compact_sd_jwt_is_refused() {
    let world = World::new();
    for (text, reason) in [
        (String::new(), "no-tilde"),
        ("a.b.c".to_owned(), "no-tilde"),
        ("a.b.c~".to_owned(), "jwt"),
        (r#"{"payload":"","signatures":[]}"#.to_owned(), "json-serialisation"),
        ("~".repeat(300 * 1024), "too-large"),
        (format!("a~{}", "b~".repeat(300)), "too-many-disclosures"),
    ] {
        let failed = world.failures(&text);
        assert_eq!(failed[0], format!("VP-010 credential/malformed {reason}"));
    }
}

// Attack 4.

#[test]
fn the_algorithm_comes_from_the_key_and_never_from_the_header() {
    let world = World::new();
    let payload = base64::url_encode(world.payload().to_string().as_bytes());
    let x5c = x5c_value(&world.issuer.chain);
    let header = |alg: &str| {
        base64::url_encode(json!({"alg": alg, "typ": sd_jwt::TYP, "x5c": x5c}).to_string().as_bytes())
    };
    let none = world.bind(&format!("{}.{payload}.~", header("none")));
    assert_eq!(world.failures(&none), ["VP-012 credential/unsupported-alg"]);

    // HS256 keyed with the issuer's public key.
    let input = format!("{}.{payload}", header("HS256"));
    let mac = crypto::hash::hmac_sha256(&world.issuer.key.public().spki_der(), &[input.as_bytes()]);
    let confused = world.bind(&format!("{}~", assemble(&input, &mac)));
    assert_eq!(world.failures(&confused), ["VP-012 credential/unsupported-alg"]);

    // ES256 in the header over a P-384 key.
    let p384 = world.root.signer_with("P-384", KeyAlg::P384, &LIFE);
    let draft = Draft::new(sd_jwt::TYP, world.payload().to_string()).with("x5c", x5c_value(&p384.chain));
    let input = draft.with_alg(SignAlg::Es256).signing_input();
    let signature = p384.key.sign(SignAlg::Es384, input.as_bytes()).unwrap();
    let mixed = world.bind(&format!("{}~", assemble(&input, &signature)));
    assert_eq!(world.failures(&mixed), ["VP-012 credential/alg-key-mismatch"]);
}

#[test]
fn a_payload_changed_after_signing_is_refused() {
    let world = World::new();
    let text = world.signed_payload(&world.payload().to_string(), &[]);
    let parts: Vec<&str> = jwt(&text).split('.').collect();
    let mut payload = world.payload();
    payload["degree"]["type"] = json!("PhD");
    let changed = base64::url_encode(payload.to_string().as_bytes());
    let forged = world.bind(&format!("{}.{changed}.{}~", parts[0], parts[2]));
    assert_eq!(world.failures(&forged), ["VP-017 credential/bad-signature"]);
}

#[test]
fn another_typ_is_refused() {
    let world = World::new();
    for typ in ["vc+sd-jwt", "JWT", "dc+sd-jwt ", "DC+SD-JWT"] {
        let draft = Draft::new(typ, world.payload().to_string());
        let text = world.bind(&format!("{}~", world.issuer.sign(draft)));
        assert_eq!(world.failures(&text), ["VP-011 credential/wrong-typ"], "{typ}");
    }
}

#[test]
fn a_credential_without_certificates_is_refused() {
    let world = World::new();
    let draft = Draft::new(sd_jwt::TYP, world.payload().to_string());
    let bare = world.bind(&format!("{}~", sign(draft.clone(), &world.issuer.key)));
    assert_eq!(world.failures(&bare), ["VP-013 credential/x5c-invalid missing-or-malformed"]);
    let six = draft.clone().with("x5c", x5c_value(&vec![world.issuer.chain[0].clone(); 6]));
    let six = world.bind(&format!("{}~", sign(six, &world.issuer.key)));
    assert_eq!(world.failures(&six), ["VP-013 credential/x5c-invalid missing-or-malformed"]);
    let rubbish = world.bind(&format!("{}~", sign(draft.with("x5c", json!(["AAAA"])), &world.issuer.key)));
    assert_eq!(world.failures(&rubbish), ["VP-013 credential/x5c-invalid unreadable"]);
}

// Attack 5.

#[test]
fn a_chain_to_no_anchor_is_refused_by_name() {
    let mut world = World::new();
    let stranger = Root::new("Example University");
    world.issuer = stranger.signer("Issuer");
    // The name is the anchor's, the key is not: the report names the anchor that is nearest.
    let failed = world.check(&world.present(&world.credential())).results;
    let path = failed.iter().find(|it| it.check == Check::Path).unwrap();
    assert_eq!(failures(&failed), ["VP-014 trust/no-anchor no-anchor"]);
    assert_eq!(path.detail.get("nearest").unwrap()["subject"], "CN=Example University");
    assert_eq!(path.detail.get("chain").unwrap()[0]["subject"], "CN=Issuer");

    world.issuer = Root::new("Somebody Else").signer("Issuer");
    assert_eq!(world.failures(&world.present(&world.credential())), ["VP-014 trust/no-anchor no-anchor"]);
}

#[test]
fn a_chain_that_is_broken_or_out_of_its_dates_is_refused_with_the_reason() {
    let mut world = World::new();
    let ended = Dates { from: "2026-11-01T00:00:00Z", to: "2026-11-20T00:00:00Z" };
    let later = Dates { from: "2026-11-21T00:00:00Z", to: "2027-11-20T00:00:00Z" };
    for (life, reason) in [(ended, "expired"), (later, "not-yet-valid")] {
        world.issuer = world.root.signer_with("Issuer", KeyAlg::P256, &life);
        assert_eq!(
            world.failures(&world.present(&world.credential())),
            [format!("VP-014 trust/{reason} {reason}")]
        );
    }
    // A leaf that issues a leaf.
    let middle = world.root.signer("Middle");
    let pretender = Root {
        name: crypto::x509::Certificate::parse(&middle.chain[0]).unwrap().subject().clone(),
        certificate: world.root.certificate.clone(),
        key: middle.key,
    };
    let mut signer = pretender.signer("Issuer");
    signer.chain.push(middle.chain[0].clone());
    world.issuer = signer;
    assert_eq!(world.failures(&world.present(&world.credential())), ["VP-014 trust/not-a-ca not-a-ca"]);
    world.issuer.chain.pop();
    assert_eq!(world.failures(&world.present(&world.credential())), ["VP-014 trust/no-anchor no-anchor"]);
}

#[test]
fn an_anchor_inside_x5c_fails_with_haip_and_warns_without() {
    let mut world = World::new();
    world.issuer.chain.push(world.root.certificate.der().to_vec());
    let presentation = world.present(&world.credential());
    assert_eq!(world.failures(&presentation), ["VP-015 trust/anchor-in-chain anchor-in-chain"]);
    world.haip = false;
    let concluded = world.check(&presentation);
    let warned: Vec<_> =
        concluded.results.iter().filter(|it| it.outcome == Outcome::Warn).map(|it| it.check.id()).collect();
    assert!(concluded.presented.is_some());
    assert_eq!(warned, ["VP-015"]);
}

#[test]
fn a_self_signed_signer_passes_only_without_haip_and_only_as_an_anchor_itself() {
    let mut world = World::new();
    world.issuer = self_signed();
    let presentation = world.present(&world.credential());
    assert_eq!(world.failures(&presentation), ["VP-015 trust/self-signed-leaf self-signed-leaf"]);
    world.haip = false;
    assert_eq!(world.failures(&presentation), ["VP-015 trust/self-signed-leaf self-signed-leaf"]);
    let mut anchors = world.anchors.list().to_vec();
    let mut pinned = world.root.anchor("anc_pinned", &[Context::Issuer], &[VCT]);
    pinned.certificate = crypto::x509::Certificate::parse(&world.issuer.chain[0]).unwrap();
    anchors.push(pinned);
    world.anchors = Anchors::new(anchors);
    assert_eq!(world.failures(&presentation), [""; 0]);
}

// Attack 6.

#[test]
fn an_anchor_of_another_type_does_not_vouch() {
    let mut world = World::new();
    let presentation = world.present(&world.credential());
    let lists = Root::new("Lists");
    let list_signer = lists.signer("Lists");
    let list = StatusList::new(Bits::One, 1000).unwrap();
    let token = world.list_by(&list_signer, &list, LIST_URI);
    for (contexts, types) in [
        (&[Context::Issuer][..], &["urn:eudi:pid:*"][..]),
        (&[Context::Issuer], &[]),
        (&[Context::Status, Context::Reader], &["*"]),
    ] {
        let own = world.root.anchor("anc_own", contexts, types);
        world.anchors = Anchors::new(vec![own, lists.anchor("anc_lists", &[Context::Status], &[])]);
        let list = world.verified_list(&token);
        let concluded = world.check_with(&presentation, &list);
        assert_eq!(failures(&concluded.results), ["VP-016 trust/wrong-context wrong-context"]);
        assert!(concluded.presented.is_none());
    }
}

#[test]
fn an_alias_counts_only_where_the_anchor_vouches_for_it_too() {
    let mut world = World::new();
    world.query =
        query(&json!({"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1"]},
        "claims": [{"path": ["given_name"]}]}));
    let mut payload = world.payload();
    payload["aka_vcts"] = json!(["urn:eudi:pid:1"]);
    let presentation = world.bind(&world.signed_payload(&payload.to_string(), &[]));
    assert_eq!(world.failures(&presentation), ["VP-040 query/wrong-type"]);
    let both = world.root.anchor("anc_own", &[Context::Issuer, Context::Status], &[VCT, "urn:eudi:pid:*"]);
    world.anchors = Anchors::new(vec![both]);
    assert_eq!(world.failures(&presentation), [""; 0]);
}

#[test]
fn a_kept_verdict_ends_with_the_anchor_that_gave_it() {
    let mut world = World::new();
    let presentation = world.present(&world.credential());
    assert_eq!(world.failures(&presentation), [""; 0]);
    let list = world.good_list();
    world.anchors = Anchors::new(vec![]);
    let concluded = world.check_with(&presentation, &list);
    assert_eq!(failures(&concluded.results), ["VP-014 trust/no-anchor no-anchor"]);
}

#[test]
fn a_kept_verdict_ends_with_its_certificates() {
    let world = World::new();
    let chain = &world.issuer.chain;
    assert!(world.trust().judge(chain, Context::Issuer, now()).unwrap().path().is_ok());
    let after = "2027-12-01T00:00:01Z".parse().unwrap();
    assert!(world.trust().judge(chain, Context::Issuer, after).unwrap().path().is_err());
    assert!(world.trust().judge(chain, Context::Reader, now()).unwrap().path().is_err());
}

#[test]
fn a_status_list_under_an_issuer_anchor_of_someone_else_is_refused() {
    let mut world = World::new();
    let presentation = world.present(&world.credential());
    let other = Root::new("Other Issuer");
    let mut anchors = vec![world.root.anchor("anc_own", &[Context::Issuer], &[VCT])];
    anchors.push(other.anchor("anc_other", &[Context::Issuer], &["urn:other"]));
    world.anchors = Anchors::new(anchors);
    let list = StatusList::new(Bits::One, 131_072).unwrap();
    // Its own anchor may speak, though it is none for status lists.
    let own = world.verified_list(&world.list(&list, LIST_URI));
    assert!(world.check_with(&presentation, &own).presented.is_some());
    let foreign = world.verified_list(&world.list_by(&other.signer("Lists"), &list, LIST_URI));
    let concluded = world.check_with(&presentation, &foreign);
    assert_eq!(failures(&concluded.results), ["VP-050 status/list-untrusted wrong-context"]);
    let reached: Vec<_> = concluded.results.iter().filter(|it| it.check > Check::StatusList).collect();
    assert!(reached.iter().all(|it| it.outcome == Outcome::Skipped) && reached.len() == 4);
    // A stranger's list is not even read.
    let stranger = Root::new("Example University").signer("Lists");
    let token = world.list_by(&stranger, &list, LIST_URI);
    let fault = ListToken::parse(&token).unwrap().verify(&world.trust(), now()).unwrap_err();
    assert_eq!(fault.code(), "status/list-untrusted");
}

// Attack 7.

#[test]
fn a_valid_credential_of_another_type_is_refused() {
    let mut world = World::new();
    world.query = query(&json!({"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:other"]}}));
    let presentation = world.present(&world.credential());
    assert_eq!(world.failures(&presentation), ["VP-040 query/wrong-type"]);
}

#[test]
fn a_missing_claim_is_refused_by_its_path() {
    let world = World::new();
    let shown = world.present_paths(&world.credential(), &[ClaimsPath::of_names(["given_name"])]);
    let concluded = world.check(&shown);
    assert_eq!(failures(&concluded.results), ["VP-041 query/claim-missing"]);
    let claims = concluded.results.iter().find(|it| it.check == Check::Claims).unwrap();
    assert_eq!(claims.detail.get("paths"), Some(json!([["degree", "type"]])));
}

#[test]
fn a_wrong_value_is_refused() {
    let mut world = World::new();
    let presentation = world.present(&world.credential());
    world.query = query(&asks(&json!([{"path": ["degree", "type"], "values": ["MSc", 7]}])));
    assert_eq!(world.failures(&presentation), ["VP-042 query/wrong-value"]);
    world.query = query(&asks(&json!([{"path": ["degree", "type"], "values": ["MSc", "BSc"]}])));
    assert_eq!(world.failures(&presentation), [""; 0]);
}

#[test]
fn an_authority_that_was_not_asked_for_is_refused() {
    let mut world = World::new();
    let presentation = world.present(&world.credential());
    let aki = base64::url_encode(world.root.certificate.ski().unwrap());
    for (kind, value, failed) in [
        ("aki", aki.as_str(), None),
        ("aki", "AAAA", Some("VP-043 query/wrong-authority")),
        ("etsi_tl", aki.as_str(), Some("VP-043 query/wrong-authority")),
    ] {
        let mut asked = asks(&json!([{"path": ["given_name"]}]));
        asked["trusted_authorities"] = json!([{"type": kind, "values": [value]}]);
        world.query = query(&asked);
        assert_eq!(world.failures(&presentation), failed.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn claims_that_were_not_asked_for_are_dropped_with_a_warning() {
    let mut world = World::new();
    let all: Vec<_> = ["given_name", "family_name", "birthdate", "degree"]
        .map(|name| ClaimsPath::of_names([name]))
        .to_vec();
    let presentation = world.present_paths(&world.credential(), &all);
    let concluded = world.check(&presentation);
    let line = |concluded: &Concluded| {
        let line = concluded.results.iter().find(|it| it.check == Check::OverDisclosure).unwrap();
        (line.outcome, line.code, line.detail.get("extra"))
    };
    // family_name, birthdate and degree.grade; degree itself is on the way to degree.type.
    assert_eq!(line(&concluded), (Outcome::Warn, Some("query/over-disclosed"), Some(json!(3))));
    assert!(!concluded.presented.unwrap().to_value().to_string().contains("Canary-7"));
    let exact = world.check(&world.present(&world.credential()));
    assert_eq!(line(&exact), (Outcome::Pass, None, None));
    world.query = query(&json!({"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}}));
    assert!(world.check(&presentation).presented.unwrap().claims.is_empty());
}

#[test]
fn one_whole_option_of_claim_sets_is_enough_and_half_of_each_is_not() {
    let mut world = World::new();
    let mut asked = asks(&json!([
        {"id": "n", "path": ["given_name"]}, {"id": "f", "path": ["family_name"]},
        {"id": "b", "path": ["birthdate"]}, {"id": "d", "path": ["degree", "type"]},
    ]));
    asked["claim_sets"] = json!([["n", "f"], ["b", "d"]]);
    world.query = query(&asked);
    let of = |world: &World, names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| ClaimsPath::of_names([*name])).collect();
        world.present_paths(&world.credential(), &paths)
    };
    let whole = world.check(&of(&world, &["birthdate", "degree"]));
    let shown = whole.presented.unwrap().claims;
    assert_eq!(Value::Object(shown), json!({"birthdate": "1999-02-28", "degree": {"type": "BSc"}}));
    assert_eq!(world.failures(&of(&world, &["given_name", "birthdate"])), ["VP-041 query/claim-missing"]);
}

// Attack 11.

#[test]
fn transaction_data_changed_dropped_or_hashed_into_another_credential_is_refused() {
    let mut world = World::new();
    let (ours, theirs) = (hash::sha256(b"eyJ0eXBlIjoicGF5In0"), hash::sha256(b"eyJ0eXBlIjoicGF5MiJ9"));
    let credential = world.credential();
    let show = |world: &World, hashes: &[[u8; 32]]| {
        let held = SdJwt::parse(&credential).unwrap().verify(&world.issuer.key.public(), now()).unwrap();
        let paths = world.query.claims.iter().flatten().map(|it| it.path.clone()).collect::<Vec<_>>();
        let presentation = held.present(&paths).unwrap();
        let draft = presentation.authorising_draft(AUDIENCE, NONCE, now(), hashes);
        presentation.bind(&sign(draft, &world.holder))
    };
    let fails = |reason: &str| vec![format!("VP-027 key-binding/transaction-data {reason}")];
    // Nothing was asked of this credential.
    assert_eq!(world.failures(&show(&world, &[ours])), fails("not-asked"));
    world.transactions = vec![Transaction { sha256: ours, required: true }];
    assert_eq!(world.failures(&show(&world, &[ours])), [""; 0]);
    assert_eq!(world.failures(&show(&world, &[])), fails("missing"));
    assert_eq!(world.failures(&show(&world, &[theirs])), fails("not-asked"));
    assert_eq!(world.failures(&show(&world, &[ours, theirs])), fails("not-asked"));
    assert_eq!(world.failures(&show(&world, &[ours, ours])), fails("malformed"));
    // What another credential may authorise instead need not be bound here; the whole answer is judged later.
    world.transactions = vec![Transaction { sha256: ours, required: false }];
    assert_eq!(world.failures(&show(&world, &[])), [""; 0]);
}

#[test]
fn a_credential_that_authorises_is_bound_to_its_key_though_the_query_does_not_ask() {
    let mut world = World::new();
    let mut asked = asks(&json!([{"path": ["given_name"]}]));
    asked["require_cryptographic_holder_binding"] = json!(false);
    world.query = query(&asked);
    world.haip = false;
    let held = world.present(&world.credential());
    let stripped = bound(&held).to_owned();
    assert_eq!(world.failures(&stripped), [""; 0]);
    world.transactions = vec![Transaction { sha256: [7; 32], required: true }];
    assert_eq!(world.failures(&stripped), ["VP-020 key-binding/missing"]);
    // HAIP wants the proof of every credential that has a key.
    world.transactions.clear();
    world.haip = true;
    assert_eq!(world.failures(&stripped), ["VP-020 key-binding/missing"]);
}

#[test]
fn a_credential_outside_its_dates_is_refused() {
    let world = World::new();
    for (member, value, code) in [
        ("exp", json!(now().as_second() - 61), "credential/expired"),
        ("nbf", json!(now().as_second() + 61), "credential/not-yet-valid"),
        ("iat", json!(now().as_second() + 61), "credential/not-yet-valid"),
        ("exp", json!("tomorrow"), "credential/dates-invalid"),
    ] {
        let mut payload = world.payload();
        payload[member] = value;
        let text = world.bind(&world.signed_payload(&payload.to_string(), &[]));
        assert_eq!(world.failures(&text), [format!("VP-019 {code}")]);
    }
}

// Attack 10, its half that needs no session, and the other faults of a status.

#[test]
fn a_zlib_bomb_in_a_status_list_is_refused() {
    let world = World::new();
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..20 {
        encoder.write_all(&vec![0; 1024 * 1024]).unwrap();
    }
    let lst = base64::url_encode(&encoder.finish().unwrap());
    let claims = json!({"sub": LIST_URI, "iat": now().as_second(), "status_list": {"bits": 1, "lst": lst}});
    let token = world.lists.sign(Draft::new("statuslist+jwt", claims.to_string()));
    let fault = ListToken::parse(&token).unwrap().verify(&world.trust(), now()).unwrap_err();
    let presentation = world.present(&world.credential());
    let concluded = world.check_answer(&presentation, &StatusAnswer::Fault(fault), &StatusPolicy::default());
    assert_eq!(failures(&concluded.results), ["VP-050 status/list-invalid too-large"]);
}

#[test]
fn an_index_past_the_end_of_the_list_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    let short = world.verified_list(&world.list(&StatusList::new(Bits::One, 412).unwrap(), LIST_URI));
    let long = world.verified_list(&world.list(&StatusList::new(Bits::One, 413).unwrap(), LIST_URI));
    // 412 entries fill whole bytes up to 416, so the shortest list that lacks entry 412 has 408.
    let shorter = world.verified_list(&world.list(&StatusList::new(Bits::One, 408).unwrap(), LIST_URI));
    assert_eq!(short.entries(), 416);
    assert!(world.check_with(&presentation, &long).presented.is_some());
    let concluded = world.check_with(&presentation, &shorter);
    assert_eq!(failures(&concluded.results), ["VP-053 status/index-out-of-range"]);
}

#[test]
fn a_revoked_credential_is_refused_and_a_suspended_one_too() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    for (value, code) in [
        (StatusValue::Invalid, "status/revoked"),
        (StatusValue::Suspended, "status/suspended"),
        (StatusValue::Other(3), "status/unknown-value"),
    ] {
        let mut list = StatusList::new(Bits::Two, 1000).unwrap();
        list.set(412, value).unwrap();
        let list = world.verified_list(&world.list(&list, LIST_URI));
        let concluded = world.check_with(&presentation, &list);
        assert_eq!(failures(&concluded.results), [format!("VP-054 {code}")]);
        assert!(concluded.presented.is_none());
    }
}

#[test]
fn a_list_of_another_uri_is_refused() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    let list = StatusList::new(Bits::One, 1000).unwrap();
    let list = world.verified_list(&world.list(&list, "https://issuer.example/t/default/status/1"));
    assert_eq!(failures(&world.check_with(&presentation, &list).results), ["VP-051 status/wrong-subject"]);
}

#[test]
fn a_stale_list_fails_and_within_the_grace_warns() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    let list = world.good_list();
    let outcome = |age_s: i64, grace_s: u32| {
        let answer = StatusAnswer::List { list: &list, fetched_at: now() - SignedDuration::from_secs(age_s) };
        let policy = StatusPolicy { mode: StatusMode::IfPresent, grace_s };
        let concluded = world.check_answer(&presentation, &answer, &policy);
        let fresh = concluded.results.iter().find(|it| it.check == Check::StatusFresh).unwrap();
        (fresh.outcome, concluded.presented.is_some())
    };
    assert_eq!(outcome(299, 0), (Outcome::Pass, true));
    assert_eq!(outcome(300, 0), (Outcome::Fail, false));
    assert_eq!(outcome(300, 60), (Outcome::Warn, true));
    assert_eq!(outcome(360, 60), (Outcome::Fail, false));
}

#[test]
fn a_status_that_cannot_be_learnt_is_no_valid_status() {
    let world = World::new();
    let presentation = world.present(&world.credential());
    for (answer, failed) in [
        (StatusAnswer::Fault(ListFault::Unreachable), "VP-050 status/unreachable unreachable"),
        (StatusAnswer::Fault(ListFault::Redirected), "VP-050 status/redirected redirected"),
        (StatusAnswer::NotWanted, "VP-050 status/unreachable unreachable"),
    ] {
        let concluded = world.check_answer(&presentation, &answer, &StatusPolicy::default());
        assert_eq!(failures(&concluded.results), [failed]);
    }
    let mut payload = world.payload();
    payload["status"] = json!({"something_else": {}});
    let strange = world.bind(&world.signed_payload(&payload.to_string(), &[]));
    assert_eq!(world.failures(&strange), ["VP-050 status/list-invalid reference"]);
}

#[test]
fn policy_decides_what_a_credential_without_status_is_worth() {
    let world = World::new();
    let without = world.bind(&world.signed_payload(&world.payload().to_string(), &[]));
    let status = |mode| {
        let policy = StatusPolicy { mode, grace_s: 0 };
        let concluded = world.check_answer(&without, &StatusAnswer::NotWanted, &policy);
        concluded.presented.map(|presented| presented.status)
    };
    assert_eq!(status(StatusMode::IfPresent), Some("absent"));
    assert_eq!(status(StatusMode::Ignore), Some("ignored"));
    assert_eq!(status(StatusMode::Require), None);
}

#[test]
fn an_invalid_credential_makes_nobody_fetch_a_list() {
    let world = World::new();
    let policy = StatusPolicy::default();
    let presentation = world.present(&world.credential());
    let good = examine(&presentation, &world.expected(), &world.trust(), now());
    assert_eq!(good.status_wanted(&policy).unwrap().uri, LIST_URI);
    assert!(good.status_wanted(&StatusPolicy { mode: StatusMode::Ignore, ..policy }).is_none());
    let bad = examine(bound(&presentation), &world.expected(), &world.trust(), now());
    assert!(bad.status_wanted(&policy).is_none());
    let concluded = bad.conclude(&StatusAnswer::NotWanted, &policy, now());
    let status: Vec<_> = concluded.results.iter().filter(|it| it.check >= Check::StatusList).collect();
    assert!(status.iter().all(|it| it.outcome == Outcome::Skipped) && status.len() == 5);
}

// Attack 19 at this level.

#[test]
fn a_report_holds_no_claim_salt_nonce_or_token() {
    let mut world = World::new();
    let credential = world.credential();
    let good = world.present(&credential);
    let salts: Vec<String> = credential
        .split('~')
        .skip(1)
        .filter(|text| !text.is_empty())
        .map(|text| {
            serde_json::from_slice::<Value>(&base64::url_decode(text).unwrap()).unwrap()[0]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let mut reports =
        vec![world.check(&good), world.check(&good[..good.len() - 4]), world.check(bound(&good))];
    world.query = query(&asks(&json!([{"path": ["given_name"], "values": ["Eve"]}])));
    reports.push(world.check(&good));
    for concluded in reports {
        let mut report = Report::default();
        report.extend(concluded.results);
        let shown = format!("{} {report:?}", report.to_value());
        for canary in ["Ana", "Canary-7", "BSc", "1999-02-28", NONCE]
            .into_iter()
            .chain(salts.iter().map(String::as_str))
        {
            assert!(!shown.contains(canary), "{canary} in {shown}");
        }
        for part in good.split('~').flat_map(|part| part.split('.')).filter(|part| part.len() > 20) {
            assert!(!shown.contains(part), "a token in {shown}");
        }
    }
    let debug =
        format!("{:?} {:?}", SdJwt::parse(&credential).unwrap(), world.draft(&claims(), 1).disclosures);
    assert!(!debug.contains("Ana") && !debug.contains("Canary-7"));
}

// Attack 20.

#[test]
fn twenty_copies_of_one_dataset_share_nothing_but_their_claims() {
    let world = World::new();
    let copies: Vec<String> = (0..20)
        .map(|seed| {
            let draft = world.draft(&claims(), seed);
            draft.disclosures.assemble(&world.issuer.sign(draft.jws))
        })
        .collect();
    let mut salts = Vec::new();
    let mut digests = Vec::new();
    for copy in &copies {
        for text in copy.split('~').skip(1).filter(|text| !text.is_empty()) {
            let bytes = base64::url_decode(text).unwrap();
            let disclosed: Value = serde_json::from_slice(&bytes).unwrap();
            salts.push(disclosed[0].as_str().unwrap().to_owned());
        }
        let payload: Value =
            serde_json::from_slice(&base64::url_decode(jwt(copy).split('.').nth(1).unwrap()).unwrap())
                .unwrap();
        let sd: Vec<String> = serde_json::from_value(payload["_sd"].clone()).unwrap();
        assert!(sd.is_sorted() && sd.len() == 4, "four hidden members at the root");
        digests.extend(sd);
        for date in ["iat", "exp"] {
            assert_eq!(payload[date].as_i64().unwrap() % 86_400, 0, "{date} is on the day");
        }
    }
    assert!(salts.iter().all(|salt| base64::url_decode(salt).unwrap().len() == 16));
    for mut all in [salts, digests] {
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
