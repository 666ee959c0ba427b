//! Answers of a wallet: what holds, and what an attacker may try.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use crypto::key::{Ecdh, KeyAlg, PrivateKey};
use crypto::{base64, hash};
use serde_json::json;
use tessera_seal::code::answer::{self, FacePolicy, Shown, browser_challenge, open_browser};
use tessera_seal::code::document::{Document, DocumentKind};
use tessera_seal::code::response::{FaceMatch, Liveness};
use tessera_seal::code::{Acr, Answer, Decision, DenyReason, FaceVerdict, Failure, Response, Sid, Verdict};
use tessera_seal::scope::{Scope, Scopes};
use world::{World, after};

/// The verdict on an answer that shows no document.
fn verdict(world: &World, answer: &Answer) -> Result<Verdict, Failure> {
    world.with_session(|session| {
        let no_document = |_: &Document| Err(Failure::DocumentInvalid);
        answer::check(World::received(answer), session, no_document, &world.policy(), after(31))
    })
}

fn failure(world: &World, answer: &Answer) -> Failure {
    verdict(world, answer).unwrap_err()
}

/// The same answer with another R under the same tag and signature.
fn with_r(answer: &Answer, r: Vec<u8>) -> Answer {
    Answer { r, ..answer.clone() }
}

#[test]
fn an_honest_approval_signs_in_with_what_was_granted() {
    let world = World::new();
    let Ok(Verdict::Approved(approved)) = verdict(&world, &world.answer(|_| ())) else {
        panic!("not approved")
    };
    assert_eq!(approved.granted.to_string(), "identity:trust_level openid");
    assert_eq!(approved.denied.to_string(), "identity:age_over_18");
    assert_eq!((approved.acr, approved.r), (Acr::SealCode, approved.response.jcs().unwrap()));
}

#[test]
fn openid_has_no_switch_so_an_approval_grants_it() {
    let world = World::new();
    let answer = world.answer(|it| it.granted = Scopes::default());
    let Ok(Verdict::Approved(approved)) = verdict(&world, &answer) else { panic!("not approved") };
    assert_eq!(approved.granted.to_string(), "openid");
}

#[test]
fn a_signed_denial_is_a_verdict_with_its_reason() {
    let world = World::new();
    for reason in [DenyReason::CodeMismatch, DenyReason::NotMe, DenyReason::User] {
        let answer = world.answer(|it| {
            it.decision = Decision::Deny(reason);
            it.granted = Scopes::default();
        });
        let Ok(Verdict::Denied(found)) = verdict(&world, &answer) else { panic!("not denied") };
        assert_eq!(found, reason);
    }
}

#[test]
fn a_response_written_in_another_way_fails_although_it_says_the_same() {
    let world = World::new();
    let answer = world.answer(|_| ());
    let text = String::from_utf8(answer.r.clone()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut members: Vec<_> = value.as_object().unwrap().iter().collect();
    members.reverse();
    let reversed =
        serde_json::Value::Object(members.into_iter().map(|(k, v)| (k.clone(), v.clone())).collect());
    for other in [
        format!(" {text}"),
        text.replace(':', ": "),
        text.replace("seal/1", "seal\\/1"),
        text.replace("approve", "appro\\u0076e"),
        text.replace("\"denied\"", "\"denied\":[],\"denied\""),
        text.replace("\"iat\":", "\"extra\":0,\"iat\":"),
        reversed.to_string(),
    ] {
        assert_eq!(failure(&world, &with_r(&answer, other.into_bytes())), Failure::NotCanonical);
    }
}

#[test]
fn a_scope_added_or_moved_after_the_decision_fails_by_its_tag() {
    let world = World::new();
    let answer = world.answer(|_| ());
    let mut response = Response::parse(&answer.r).unwrap();
    response.granted = world.context.scopes.clone();
    response.denied = Scopes::default();
    assert_eq!(failure(&world, &with_r(&answer, response.jcs().unwrap())), Failure::Tag);
}

#[test]
fn a_scope_that_was_not_asked_for_or_is_granted_and_denied_fails() {
    let world = World::new();
    let more = world.answer(|it| it.granted = Scopes::expand("openid identity:name").unwrap());
    assert_eq!(failure(&world, &more), Failure::Scope);
    let both = world.answer(|it| it.denied = Scopes::expand("identity:trust_level").unwrap());
    assert_eq!(failure(&world, &both), Failure::Scope);
}

#[test]
fn an_answer_of_another_session_context_or_enrolment_fails() {
    let world = World::new();
    let other_sid = world.answer(|it| it.sid = Sid::new([4; 16]));
    assert_eq!(failure(&world, &other_sid), Failure::OtherSession);
    let mut other = World { context: world.context.clone(), ..World::new() };
    other.context.rp_origin = "https://fake.example".to_owned();
    let t0 = other.t0();
    assert_eq!(failure(&world, &world.answer(|it| it.t0 = t0)), Failure::OtherSession);
    assert_eq!(failure(&world, &world.answer(|it| it.binding = "enr_8")), Failure::OtherEnrolment);
}

#[test]
fn an_answer_made_before_the_session_or_in_the_future_fails() {
    let world = World::new();
    for (at, good) in [(-1, false), (0, true), (41, true), (42, false)] {
        let answer = world.answer(|it| it.now = after(at));
        let verdict = verdict(&world, &answer).map(|_| ());
        assert_eq!(verdict, if good { Ok(()) } else { Err(Failure::Time) }, "{at}");
    }
}

#[test]
fn with_another_e_s_d_or_device_key_on_the_servers_side_the_answer_fails() {
    let fresh = World::new;
    for change in [
        (|it: &mut World| it.s = Ecdh::generate()) as fn(&mut World),
        |it| it.d = Ecdh::generate(),
        |it| it.dk = PrivateKey::generate(KeyAlg::P256),
    ] {
        let mut world = fresh();
        let answer = world.answer(|_| ());
        change(&mut world);
        assert_eq!(failure(&world, &answer), Failure::Tag);
    }
    let mut world = fresh();
    let answer = world.answer(|_| ());
    world.e = Ecdh::generate();
    assert_eq!(failure(&world, &answer), Failure::OtherSession, "E is in T0");
}

#[test]
fn a_swapped_tag_or_signature_fails_by_name() {
    let world = World::new();
    let (one, other) = (world.answer(|_| ()), world.answer(|it| it.consent_text = "other"));
    assert_eq!(failure(&world, &Answer { tag: other.tag, ..one.clone() }), Failure::Tag);
    assert_eq!(failure(&world, &Answer { sig: other.sig, ..one.clone() }), Failure::Signature);
    let by_another = World { dk: PrivateKey::generate(KeyAlg::P256), ..World::new() };
    let forged = by_another.answer(|_| ()).sig;
    assert_eq!(failure(&world, &Answer { sig: forged, ..one.clone() }), Failure::Signature);
    for bit in [0, 100, 255] {
        let mut tag = one.tag;
        tag[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(failure(&world, &Answer { tag, ..one.clone() }), Failure::Tag);
    }
}

#[test]
fn an_approval_without_the_wallets_code_fails() {
    let world = World::new();
    let keys = world.wallet_keys();
    let answer = world.answer(|_| ());
    let mut response = Response::parse(&answer.r).unwrap();
    for code in ["", "000000", "12345"] {
        if keys.user_code().matches(code) {
            continue;
        }
        response.usr_otp = code.to_owned();
        let r = response.jcs().unwrap();
        let forged = Answer { tag: keys.response_tag(&r), r, ..answer.clone() };
        assert_eq!(failure(&world, &forged), Failure::Code);
    }
}

fn document() -> Document {
    Document::new(DocumentKind::Vds, b"specimen".to_vec())
}

#[test]
fn a_document_opens_in_its_session_alone_and_must_be_the_enrolments() {
    let world = World::new();
    let shown = document();
    let answer = world.answer_showing(Some(&shown), |it| {
        it.granted = Scopes::expand("openid identity:age_over_18").unwrap();
        it.denied = Scopes::default();
    });
    let check = |answer: &Answer, kept: Option<&[u8; 32]>, found: Result<Shown, Failure>| {
        world.with_session(|session| {
            let policy = answer::Policy { commitment: kept, ..world.policy() };
            let verify = |document: &Document| {
                assert_eq!(
                    (document.kind, document.data.expose().as_slice()),
                    (DocumentKind::Vds, &b"specimen"[..])
                );
                found
            };
            answer::check(World::received(answer), session, verify, &policy, after(31)).map(|_| ())
        })
    };
    let (mine, other) = ([1; 32], [2; 32]);
    assert_eq!(check(&answer, Some(&mine), Ok(Shown { commitment: mine })), Ok(()));
    assert_eq!(check(&answer, Some(&mine), Ok(Shown { commitment: other })), Err(Failure::DocumentMismatch));
    assert_eq!(check(&answer, None, Ok(Shown { commitment: mine })), Err(Failure::DocumentMismatch));
    assert_eq!(check(&answer, Some(&mine), Err(Failure::DocumentRevoked)), Err(Failure::DocumentRevoked));

    let mut cut = answer.clone();
    cut.doc.pop();
    assert_eq!(failure(&world, &cut), Failure::DocumentSealed);
    assert_eq!(failure(&world, &Answer { doc: vec![], ..answer.clone() }), Failure::DocumentSealed);
    let without = world.answer(|_| ());
    assert_eq!(failure(&world, &Answer { doc: answer.doc.clone(), ..without }), Failure::DocumentSealed);
    let elsewhere = World::new();
    let foreign = document().seal(&elsewhere.wallet_keys(), &elsewhere.t0()).unwrap();
    let mut response = Response::parse(&answer.r).unwrap();
    response.doc = Some(hash::sha256(&foreign));
    let r = response.jcs().unwrap();
    let tag = world.wallet_keys().response_tag(&r);
    let m = tessera_seal::code::response::message(&world.t0(), &r, &tag);
    let sig = world.dk.sign(crypto::key::SignAlg::Es256, &m).unwrap().try_into().unwrap();
    assert_eq!(failure(&world, &Answer { r, tag, sig, doc: foreign }), Failure::DocumentSealed);
}

#[test]
fn what_only_a_document_can_answer_is_not_granted_without_one() {
    let world = World::new();
    let answer = world.answer(|it| {
        it.granted = Scopes::expand("identity:age_over_18").unwrap();
        it.denied = Scopes::default();
    });
    assert_eq!(failure(&world, &answer), Failure::DocumentMissing);
}

#[test]
fn a_face_that_does_not_match_or_is_not_alive_fails_and_a_missing_one_only_where_one_is_needed() {
    let world = World::new();
    let face = |verdict, pad| FaceVerdict { verdict, pad, bucket: 3, model_id: "ab".repeat(16) };
    let check = |face: FaceVerdict, policy: FacePolicy| {
        let answer = world.answer(|it| it.face = face);
        world.with_session(|session| {
            let policy = answer::Policy { face: policy, ..world.policy() };
            let opened = World::received(&answer).open(session, after(31)).unwrap();
            opened.decide(None, &policy).map(|_| ())
        })
    };
    let good = face(FaceMatch::Match, Liveness::Pass);
    assert_eq!(check(good.clone(), FacePolicy::Required), Ok(()));
    assert_eq!(check(good, FacePolicy::Optional), Ok(()));
    assert_eq!(check(FaceVerdict::none(), FacePolicy::Optional), Ok(()));
    assert_eq!(check(FaceVerdict::none(), FacePolicy::Required), Err(Failure::Face));
    assert_eq!(check(face(FaceMatch::NoMatch, Liveness::Pass), FacePolicy::Optional), Err(Failure::Face));
    assert_eq!(check(face(FaceMatch::Match, Liveness::Fail), FacePolicy::Optional), Err(Failure::Face));
    assert_eq!(check(face(FaceMatch::Match, Liveness::None), FacePolicy::Required), Err(Failure::Face));
}

#[test]
fn a_class_below_the_one_asked_for_is_unmet_and_a_relayable_one_never_meets_phr() {
    let world = World::new();
    let check = |asked_acr, reached_acr| {
        world.with_session(|session| {
            let policy = answer::Policy { asked_acr, reached_acr, ..world.policy() };
            let opened = World::received(&world.answer(|_| ())).open(session, after(31)).unwrap();
            opened.decide(None, &policy).map(|_| ())
        })
    };
    assert_eq!(check(Acr::Phr, Acr::SealCode), Err(Failure::Acr));
    assert_eq!(check(Acr::Phr, Acr::SealVp), Err(Failure::Acr));
    assert_eq!(check(Acr::Phrh, Acr::Phr), Err(Failure::Acr));
    assert_eq!(check(Acr::SealVp, Acr::SealCode), Ok(()));
    assert_eq!(check(Acr::Phr, Acr::Phrh), Ok(()));
}

/// R of browser mode, which the page writes.
fn browser_response(world: &World, change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let answer = world.answer(|_| ());
    let mut value: serde_json::Value = serde_json::from_slice(&answer.r).unwrap();
    value["binding"] = json!("");
    value["usr_otp"] = json!("");
    change(&mut value);
    crypto::json::canonical(&value).unwrap()
}

#[test]
fn in_browser_mode_nothing_is_granted_that_needs_a_document_and_no_wallets_member_is_filled() {
    let world = World::new();
    let open = |r: &[u8]| open_browser(r, &world.context, &world.sid, &world.t0(), after(31)).map(|_| ());
    assert_eq!(open(&browser_response(&world, |_| ())), Ok(()));
    for (name, value, failure) in [
        ("granted", json!(["identity:age_over_18"]), Failure::Scope),
        ("usr_otp", json!("123456"), Failure::Code),
        ("binding", json!("enr_7"), Failure::OtherEnrolment),
        ("doc", json!(base64::url_encode(&[0; 32])), Failure::DocumentSealed),
        ("iat", json!(0), Failure::Time),
        ("sid", json!(Sid::new([9; 16]).to_string()), Failure::OtherSession),
    ] {
        let r = browser_response(&world, |it| it[name] = value);
        assert_eq!(open(&r), Err(failure), "{name}");
    }
    let r = browser_response(&world, |_| ());
    let opened = open_browser(&r, &world.context, &world.sid, &world.t0(), after(31)).unwrap();
    let policy = answer::Policy { reached_acr: Acr::Phr, face: FacePolicy::Required, ..world.policy() };
    let Ok(Verdict::Approved(approved)) = opened.decide(None, &policy) else { panic!("not approved") };
    assert_eq!(approved.granted, Scopes::from_iter([Scope::Openid, Scope::TrustLevel]));
    assert_ne!(browser_challenge(&world.t0(), &r), browser_challenge(&world.t0(), b"{}"));
}

#[test]
fn a_body_of_another_shape_is_refused_before_anything_is_checked() {
    let world = World::new();
    let body = world.answer(|_| ()).to_value();
    let with = |name: &str, value: serde_json::Value| {
        let mut body = body.clone();
        body[name] = value;
        Answer::parse(body.to_string().as_bytes()).is_err()
    };
    assert!(!with("doc", json!("")));
    assert!(
        with("tag", json!("AA")) && with("sig", json!(base64::url_encode(&[0; 63]))) && with("r", json!(7))
    );
    assert!(with("more", json!(1)) && with("doc", json!("=")));
    assert!(Answer::parse(b"{}").is_err() && Answer::parse(b"").is_err());
    assert!(Answer::parse(&vec![b' '; answer::BODY_BYTES_MAX + 1]).is_err());
}

#[test]
fn nothing_that_is_logged_shows_a_code_a_key_or_a_document() {
    let world = World::new();
    let answer = world.answer(|_| ());
    let response = Response::parse(&answer.r).unwrap();
    let code = world.keys().user_code();
    let shown = format!("{:?} {:?} {:?} {:?} {code:?}", world.keys(), answer, response, document());
    assert!(!shown.contains(code.expose()) && !shown.contains(world::BINDING), "{shown}");
}
