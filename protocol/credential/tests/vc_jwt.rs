//! `vc+jwt`: issued, held, shown; and what must be refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use crypto::jose::jws::Draft;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tessera_credential::check::Check;
use tessera_credential::credential_type::CredentialType;
use tessera_credential::sd_jwt::{DateFault, Validity};
use tessera_credential::vc_jwt::{
    self, IssueError, ParseError, PresentationRejection, Rejection, Session, Subject, VcJwt, VpJwt,
};
use world::{AUDIENCE, ISSUER, NONCE, World, now, sign};

fn draft(world: &World, types: &[&str]) -> Result<Draft, IssueError> {
    let rules = json!([{"path": ["name"], "type": "string"}, {"path": ["degree"]}]);
    let kind = CredentialType::parse("ExampleDegreeCredential", &rules).unwrap();
    let claims = json!({"name": "Canary-7", "degree": {"type": "BSc"}});
    let types: Vec<String> = types.iter().map(|name| (*name).to_owned()).collect();
    let subject = Subject {
        issuer: ISSUER,
        types: &types,
        holder: &Jwk::from_key(&world.holder.public()),
        status: Some(&World::reference(412)),
        validity: Validity::whole_days(now(), 30 * 86_400, None).unwrap(),
    };
    vc_jwt::issue(&kind.accept(claims.as_object().unwrap()).unwrap(), &subject)
}

fn credential(world: &World) -> String {
    world.issuer.sign(draft(world, &["ExampleDegreeCredential"]).unwrap())
}

/// The payload changed, then signed by the issuer.
fn changed(world: &World, change: impl FnOnce(&mut Value)) -> String {
    let draft = draft(world, &["ExampleDegreeCredential"]).unwrap();
    let mut payload = serde_json::from_slice(&draft.payload).unwrap();
    change(&mut payload);
    world.issuer.sign(Draft::new(vc_jwt::TYP, payload.to_string()))
}

fn verify(world: &World, text: &str) -> Result<VcJwt, Rejection> {
    VcJwt::parse(text).unwrap().verify(&world.issuer.key.public(), now())
}

fn session() -> Session<'static> {
    Session { audience: AUDIENCE, nonce: NONCE, requested_at: now() }
}

fn shown(world: &World, text: &str, audience: &str, nonce: &str, by: &PrivateKey) -> String {
    let held = verify(world, text).unwrap();
    sign(held.presentation_draft(audience, nonce, now()), by)
}

fn refused(world: &World, presentation: &str) -> PresentationRejection {
    let read = VpJwt::parse(presentation).unwrap();
    read.verify(&world.issuer.key.public(), &session(), now()).map(|_| ()).unwrap_err()
}

#[test]
fn a_credential_is_issued_held_shown_and_verified() {
    let world = World::new();
    let text = credential(&world);
    let held = verify(&world, &text).unwrap();
    assert_eq!(held.types(), ["VerifiableCredential", "ExampleDegreeCredential"]);
    assert_eq!(held.issuer(), Some(ISSUER));
    assert_eq!(
        held.credential()["credentialSubject"],
        json!({"name": "Canary-7", "degree": {"type": "BSc"}})
    );
    assert_eq!(held.status(), Ok(Some(World::reference(412))));
    assert_eq!(held.valid_until(), Some("2026-12-21T00:00:00Z".parse().unwrap()));
    assert!(!format!("{held:?}").contains("Canary-7"));
    let presentation = shown(&world, &text, AUDIENCE, NONCE, &world.holder);
    let read = VpJwt::parse(&presentation).unwrap();
    assert_eq!(read.x5c().unwrap(), world.issuer.chain);
    let seen = read.verify(&world.issuer.key.public(), &session(), now()).unwrap();
    assert_eq!(seen.text(), text);
}

#[test]
fn a_credential_of_another_form_is_refused_by_the_member_at_fault() {
    let world = World::new();
    let form = |member: &'static str, change: fn(&mut Value)| {
        let text = changed(&world, change);
        assert_eq!(verify(&world, &text).map(|_| ()), Err(Rejection::Form(member)));
    };
    form("vc", |payload| payload["vc"] = json!({}));
    form("vp", |payload| payload["vp"] = json!({}));
    form("@context", |payload| payload["@context"] = json!(["https://www.w3.org/2018/credentials/v1"]));
    form("type", |payload| payload["type"] = json!(["ExampleDegreeCredential"]));
    form("type", |payload| payload["type"] = json!(vec!["VerifiableCredential"; vc_jwt::TYPES_MAX + 1]));
    form("issuer", |payload| payload["issuer"] = json!({}));
    form("credentialSubject", |payload| payload["credentialSubject"] = json!([]));
    let dates = |change: fn(&mut Value)| verify(&world, &changed(&world, change)).map(|_| ()).unwrap_err();
    assert_eq!(
        dates(|payload| payload["validUntil"] = json!("2026-11-20T17:02:00Z")),
        Rejection::Dates(DateFault::Expired)
    );
    assert_eq!(
        dates(|payload| payload["validFrom"] = json!("2026-11-21T00:00:00Z")),
        Rejection::Dates(DateFault::NotYetValid)
    );
    assert_eq!(
        dates(|payload| payload["validFrom"] = json!("today")),
        Rejection::Dates(DateFault::Malformed)
    );
    assert_eq!(dates(|payload| payload["exp"] = json!(1)), Rejection::Dates(DateFault::Expired));
    assert!(matches!(VcJwt::parse(&credential(&world).replace('.', ";")), Err(ParseError::Jws(_))));
}

#[test]
fn another_typ_key_or_algorithm_is_refused() {
    let world = World::new();
    let plain = world.issuer.sign(Draft::new("JWT", "{}"));
    assert_eq!(verify(&world, &plain).map(|_| ()), Err(Rejection::Typ));
    let by = |key: PrivateKey| {
        VcJwt::parse(&credential(&world)).unwrap().verify(&key.public(), now()).map(|_| ()).unwrap_err()
    };
    assert_eq!(by(PrivateKey::generate(KeyAlg::P256)), Rejection::Signature);
    assert_eq!(by(PrivateKey::generate(KeyAlg::P384)), Rejection::Alg);
}

#[test]
fn a_presentation_of_another_session_verifier_or_holder_is_refused_by_its_check() {
    let world = World::new();
    let text = credential(&world);
    let by = |audience, nonce, key: &PrivateKey| {
        refused(&world, &shown(&world, &text, audience, nonce, key)).check()
    };
    assert_eq!(by("x509_hash:other", NONCE, &world.holder), Check::Audience);
    assert_eq!(by(AUDIENCE, "other", &world.holder), Check::Nonce);
    assert_eq!(by(AUDIENCE, NONCE, &PrivateKey::generate(KeyAlg::P256)), Check::KeyBindingKey);
    let held = verify(&world, &text).unwrap();
    let at = |at| sign(held.presentation_draft(AUDIENCE, NONCE, at), &world.holder);
    let minute = SignedDuration::from_secs(61);
    assert_eq!(refused(&world, &at(now() - minute)).check(), Check::KeyBindingTime);
    assert_eq!(refused(&world, &at(now() + minute)).check(), Check::KeyBindingTime);
    let draft = held.presentation_draft(AUDIENCE, NONCE, now());
    let other_typ = sign(Draft::new("JWT", draft.payload), &world.holder);
    assert_eq!(refused(&world, &other_typ).check(), Check::KeyBindingTyp);
}

#[test]
fn a_presentation_without_its_one_enveloped_credential_is_no_presentation() {
    let world = World::new();
    let held = verify(&world, &credential(&world)).unwrap();
    let draft = held.presentation_draft(AUDIENCE, NONCE, now());
    let with = |change: &dyn Fn(&mut Value)| {
        let mut payload: Value = serde_json::from_slice(&draft.payload).unwrap();
        change(&mut payload);
        VpJwt::parse(&sign(Draft::new(vc_jwt::PRESENTATION_TYP, payload.to_string()), &world.holder))
    };
    assert!(with(&|_| {}).is_ok());
    for change in [
        |payload: &mut Value| payload["verifiableCredential"] = json!([]),
        |payload: &mut Value| {
            let one = payload["verifiableCredential"][0].clone();
            payload["verifiableCredential"].as_array_mut().unwrap().push(one);
        },
        |payload: &mut Value| {
            payload["verifiableCredential"][0]["id"] = json!("https://holder.example/credential")
        },
        |payload: &mut Value| payload["verifiableCredential"][0]["type"] = json!("VerifiableCredential"),
    ] {
        assert!(matches!(with(&change), Err(ParseError::Payload)));
    }
}

#[test]
fn a_credential_has_types_of_its_own() {
    let world = World::new();
    for types in [&[][..], &[""], &["A", "A"], &["VerifiableCredential"]] {
        assert_eq!(draft(&world, types).map(|_| ()), Err(IssueError::Types));
    }
}
