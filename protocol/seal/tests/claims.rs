//! What a wallet refuses before its person sees anything; and the two JWS of the doors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use crypto::jose::jws::Draft;
use crypto::jwk::Jwk;
use crypto::key::{Ecdh, KeyAlg, PrivateKey};
use serde_json::{Map, Value, json};
use tessera_seal::code::claim::{self, Claim, ClaimRefusal, ClaimReply, Proved, read_uri};
use tessera_seal::code::proof::{self, ProofFault, ProofKey, Request, SealProof};
use tessera_seal::code::reply::{self, Expected, ReplyFault};
use tessera_seal::code::{Context, Sid};
use tessera_seal::scope::Scopes;
use tessera_seal::vds::own::{Heading, ServiceSeal};
use world::{BINDING, CLIENT, ISSUER, Seals, World, after, now, signed};

fn check(world: &World, content: Map<String, Value>) -> Result<Claim, ClaimRefusal> {
    world.with_pins(|pins| claim::check(content, &world.sid, pins, after(2)))
}

fn refusal(world: &World, change: impl FnOnce(&mut ClaimReply)) -> ClaimRefusal {
    check(world, world.content(change)).unwrap_err()
}

/// A reply about a seal made by `seals` of what `change` makes of the service.
fn with_seal(
    reply: &mut ClaimReply,
    world: &World,
    seals: &Seals,
    change: impl FnOnce(&mut ServiceSeal, &mut Heading),
) {
    let (mut service, mut heading) = (world.service.clone(), seals.heading());
    change(&mut service, &mut heading);
    reply.service_seal = seals.sign(&service.to_be_signed(&heading).unwrap());
    reply.context.service_seal = crypto::hash::sha256(&reply.service_seal);
}

#[test]
fn an_honest_claim_is_shown_with_what_the_service_proved_and_the_t0_of_the_server() {
    let world = World::new();
    let claim = check(&world, world.content(|_| ())).unwrap();
    assert_eq!(claim.t0, world.t0());
    assert_eq!(
        (claim.proved, claim.service.legal_name.as_str()),
        (Proved::RequestObject, "Specimen Shop SA")
    );
    assert_eq!(claim.service, world.service);
    assert_eq!(claim.s, world.s.public());
}

#[test]
fn an_address_outside_the_pinned_issuer_is_refused_unfetched() {
    let good = claim::uri(ISSUER, &Sid::new([3; 16]));
    assert_eq!(read_uri(&good, ISSUER), Ok(Sid::new([3; 16])));
    for bad in [
        good.replace("idp.example", "evil.example"),
        good.replace("https://", "http://"),
        good.replace("/t/default", "/t/other"),
        good.replace("idp.example", "idp.example@evil.example"),
        good.replace("/seal/s/", "/seal/s/../"),
        format!("{good}/x"),
        format!("{good}?x"),
        good.replace("/seal/s/", "/idp/seal/s/"),
        String::new(),
    ] {
        assert_eq!(read_uri(&bad, ISSUER), Err(ClaimRefusal::ForeignUri), "{bad}");
    }
}

#[test]
fn a_reply_for_another_session_of_another_issuer_or_with_a_key_that_was_not_pinned_is_refused() {
    let world = World::new();
    assert_eq!(refusal(&world, |it| it.sid = Sid::new([9; 16])), ClaimRefusal::OtherSession);
    assert_eq!(refusal(&world, |it| it.context.issuer.push('x')), ClaimRefusal::OtherIssuer);
    assert_eq!(refusal(&world, |it| it.kid_s = "s-2".to_owned()), ClaimRefusal::AgreementKey);
    let mut content = world.content(|_| ());
    content.insert("E".to_owned(), json!("BAAA"));
    assert_eq!(check(&world, content).unwrap_err(), ClaimRefusal::Form);
}

#[test]
fn another_point_gives_another_t0_so_that_no_answer_of_ours_fits_it() {
    let world = World::new();
    let claim = check(&world, world.content(|it| it.e = Ecdh::generate().public())).unwrap();
    assert_ne!(claim.t0, world.t0());
}

#[test]
fn a_session_that_is_over_or_not_begun_is_refused() {
    let world = World::new();
    assert_eq!(refusal(&world, |it| it.context.expires_at_s = after(2).as_second()), ClaimRefusal::Over);
    assert_eq!(refusal(&world, |it| it.context.issued_at_s = after(120).as_second()), ClaimRefusal::Over);
}

#[test]
fn a_seal_that_is_not_the_contexts_or_is_forged_expired_or_of_somebody_else_is_refused() {
    let world = World::new();
    let mut flipped = world.service_seal.clone();
    flipped[40] ^= 1;
    assert_eq!(refusal(&world, |it| it.service_seal = flipped.clone()), ClaimRefusal::OtherSeal);
    let forged = |it: &mut ClaimReply| {
        it.context.service_seal = crypto::hash::sha256(&flipped);
        it.service_seal = flipped.clone();
    };
    assert_eq!(refusal(&world, forged), ClaimRefusal::Seal);

    let stranger = Seals::new();
    let of = |change: fn(&mut ServiceSeal, &mut Heading), seals: &Seals| {
        refusal(&world, |it| with_seal(it, &world, seals, change))
    };
    assert_eq!(of(|_, _| (), &stranger), ClaimRefusal::Seal, "signed under another root");
    assert_eq!(
        of(|it, _| it.not_after_s = after(1).as_second().unsigned_abs(), &world.seals),
        ClaimRefusal::SealExpired
    );
    assert_eq!(of(|it, _| it.client_id = "rp_bank".to_owned(), &world.seals), ClaimRefusal::OtherService);
    assert_eq!(
        of(|it, _| it.origins = vec!["https://other.example".to_owned()], &world.seals),
        ClaimRefusal::Origin
    );
    let early =
        |_: &mut ServiceSeal, it: &mut Heading| it.signed_on = jiff::civil::Date::constant(2025, 1, 1);
    assert_eq!(of(early, &world.seals), ClaimRefusal::Seal, "signed before its signer was certified");
    assert_eq!(of(|it, _| it.scopes = Scopes::expand("openid").unwrap(), &world.seals), ClaimRefusal::Scope);
}

#[test]
fn a_service_that_proves_nothing_is_shown_as_such_and_cannot_pretend() {
    let world = World::new();
    let nothing = |it: &mut ClaimReply| {
        it.service_jwt.proved = Proved::Nothing;
        it.service_jwt.jwt.clear();
        it.service_jwt.jwk = None;
    };
    assert_eq!(check(&world, world.content(nothing)).unwrap().proved, Proved::Nothing);
    let pretending = |it: &mut ClaimReply| it.service_jwt.jwk = None;
    assert_eq!(refusal(&world, pretending), ClaimRefusal::ProofKey);
}

#[test]
fn a_jwt_under_another_key_with_foreign_audience_old_or_asking_for_something_else_is_refused() {
    let world = World::new();
    let of = |change: fn(&mut Value)| refusal(&world, |it| it.service_jwt.jwt = world.request_object(change));
    assert_eq!(of(|it| it["aud"] = json!("https://other.example")), ClaimRefusal::ProofAudience);
    assert_eq!(
        of(|it| it["aud"] = json!("https://idp.example/t/default/idp.evil.example")),
        ClaimRefusal::ProofAudience
    );
    assert_eq!(of(|it| it["iss"] = json!("rp_bank")), ClaimRefusal::ProofIssuer);
    assert_eq!(of(|it| it["iat"] = json!(now().as_second() - 1300)), ClaimRefusal::ProofTime);
    assert_eq!(of(|it| it["iat"] = json!(now().as_second() + 300)), ClaimRefusal::ProofTime);
    assert_eq!(of(|it| it["nonce"] = json!("n-1")), ClaimRefusal::ProofRequest);
    assert_eq!(of(|it| it["redirect_uri"] = json!("https://evil.example/cb")), ClaimRefusal::ProofRequest);
    assert_eq!(
        of(|it| it["redirect_uri"] = json!("https://shop.example@evil.example/cb")),
        ClaimRefusal::ProofRequest
    );
    assert_eq!(of(|it| it["scope"] = json!("openid")), ClaimRefusal::ProofRequest);

    let other = PrivateKey::generate(KeyAlg::P256);
    let forged = |jwk: Jwk| {
        refusal(&world, |it| {
            it.service_jwt.jwt = signed(&other, Draft::new("oauth-authz-req+jwt", r#"{"iss":"rp_shop"}"#));
            it.service_jwt.jwk = Some(jwk);
        })
    };
    assert_eq!(forged(Jwk::from_key(&other.public())), ClaimRefusal::ProofKey, "not in the seal");
    assert_eq!(
        forged(Jwk::from_key(&world.service_key.public())),
        ClaimRefusal::ProofKey,
        "not its signature"
    );
    assert_eq!(refusal(&world, |it| it.service_jwt.jwt = "e30.e30.".to_owned()), ClaimRefusal::ProofForm);
}

#[test]
fn a_client_assertion_proves_that_the_service_is_there() {
    let world = World::new();
    let assertion = |sub: &str| {
        let claims =
            json!({"iss": CLIENT, "sub": sub, "aud": ISSUER, "exp": after(60).as_second(), "jti": "1"});
        let jwt = signed(&world.service_key, Draft::new("JWT", claims.to_string()));
        check(
            &world,
            world.content(|it| {
                it.service_jwt.proved = Proved::ClientAssertion;
                it.service_jwt.jwt = jwt;
            }),
        )
    };
    assert_eq!(assertion(CLIENT).unwrap().proved, Proved::ClientAssertion);
    assert_eq!(assertion("rp_bank").unwrap_err(), ClaimRefusal::ProofRequest);
}

#[test]
fn a_context_with_a_member_that_is_not_hashed_or_in_another_form_is_refused() {
    let context = World::new().context;
    let jcs = context.jcs().unwrap();
    assert_eq!(Context::parse(&jcs), Ok(context.clone()));
    assert!(Context::parse(&[&jcs[..], b" "].concat()).is_err());
    for (name, value) in [
        ("more", json!(1)),
        ("v", json!("seal/2")),
        ("scopes", json!(["openid", "identity:name"])),
        ("acr", json!("phr ")),
        ("mode", json!("app")),
        ("iat", json!(1.5)),
        ("nonce", json!("")),
        ("tenant", Value::Null),
    ] {
        let mut other = context.to_value();
        other[name] = value;
        assert!(Context::from_value(&other).is_err(), "{name}");
    }
    let decomposed = Context { tenant: "e\u{301}".to_owned(), ..context };
    assert!(decomposed.jcs().is_err(), "texts are in NFC");
}

const URL: &str = "https://idp.example/t/default/seal/sessions/x/response";
const REQUEST: Request<'static> = Request { method: "POST", url: URL, body: b"{}" };

fn proved(key: &PrivateKey, from: ProofKey<'_>, change: impl FnOnce(&mut Value)) -> String {
    let draft = proof::draft(from, &REQUEST, "j-1", now());
    let mut claims: Value = serde_json::from_slice(&draft.payload).unwrap();
    change(&mut claims);
    signed(key, Draft { payload: claims.to_string().into_bytes(), ..draft })
}

#[test]
fn a_proof_holds_for_its_request_key_and_time_alone() {
    let dk = PrivateKey::generate(KeyAlg::P256);
    let verify = |change: fn(&mut Value), request: &Request<'_>, at| {
        let proof = SealProof::parse(&proved(&dk, ProofKey::Enrolment(BINDING), change)).unwrap();
        assert_eq!((proof.kid(), proof.jti()), (Some(BINDING), "j-1"));
        proof.verify(&dk.public(), request, after(at)).map(|proof| proof.jti)
    };
    for at in [-10, 0, 60] {
        assert_eq!(verify(|_| (), &REQUEST, at), Ok("j-1".to_owned()));
    }
    for at in [-11, 61] {
        assert_eq!(verify(|_| (), &REQUEST, at), Err(ProofFault::Time));
    }
    assert_eq!(verify(|_| (), &Request { method: "PUT", ..REQUEST }, 0), Err(ProofFault::Target));
    assert_eq!(verify(|_| (), &Request { url: ISSUER, ..REQUEST }, 0), Err(ProofFault::Target));
    assert_eq!(verify(|_| (), &Request { body: b"{} ", ..REQUEST }, 0), Err(ProofFault::Body));
    let proof = SealProof::parse(&proved(&dk, ProofKey::Enrolment(BINDING), |_| ())).unwrap();
    let other = PrivateKey::generate(KeyAlg::P256).public();
    assert_eq!(proof.clone().verify(&other, &REQUEST, now()), Err(ProofFault::Signature));
    assert_eq!(
        proof.verify_embedded(&REQUEST, now()),
        Err(ProofFault::Key),
        "a key is learnt at enrolment alone"
    );
}

#[test]
fn at_enrolment_the_key_stands_in_the_header_and_signs_for_itself() {
    let dk = PrivateKey::generate(KeyAlg::P256);
    let public = dk.public();
    let compact = proved(&dk, ProofKey::Embedded(&public), |_| ());
    let proof = SealProof::parse(&compact).unwrap();
    assert_eq!(proof.kid(), None);
    assert_eq!(proof.clone().verify_embedded(&REQUEST, now()).unwrap().device_key, public);
    assert_eq!(proof.verify(&public, &REQUEST, now()), Err(ProofFault::Key));
    let other = PrivateKey::generate(KeyAlg::P256);
    let stolen = SealProof::parse(&proved(&other, ProofKey::Embedded(&public), |_| ())).unwrap();
    assert_eq!(stolen.verify_embedded(&REQUEST, now()), Err(ProofFault::Signature));
    let ed = PrivateKey::generate(KeyAlg::P384);
    let draft = proof::draft(ProofKey::Embedded(&ed.public()), &REQUEST, "j", now());
    assert!(SealProof::parse(&signed(&ed, draft)).is_err(), "ES256 alone");
}

#[test]
fn a_proof_of_another_type_with_both_keys_or_without_a_jti_is_malformed() {
    let dk = PrivateKey::generate(KeyAlg::P256);
    let draft = proof::draft(ProofKey::Enrolment(BINDING), &REQUEST, "j-1", now());
    let both = draft.clone().with("jwk", Jwk::from_key(&dk.public()).to_value());
    assert_eq!(SealProof::parse(&signed(&dk, both)).unwrap_err(), ProofFault::Key);
    let dpop = Draft::new("dpop+jwt", draft.payload).with("kid", BINDING);
    assert_eq!(SealProof::parse(&signed(&dk, dpop)).unwrap_err(), ProofFault::Form);
    let of = |change: fn(&mut Value)| {
        SealProof::parse(&proved(&dk, ProofKey::Enrolment(BINDING), change)).is_err()
    };
    assert!(
        of(|it| it["jti"] = json!("")) && of(|it| it["bh"] = json!("AA")) && of(|it| it["iat"] = json!(-1))
    );
}

#[test]
fn a_reply_is_believed_from_the_pinned_key_for_this_wallet_and_request_alone() {
    let world = World::new();
    let expected = Expected { issuer: ISSUER, enrolment: BINDING, jti: "j-1", now: now() };
    let content = world.content(|_| ());
    let compact = signed(&world.reply_key, reply::draft(content.clone(), &expected));
    let key = world.reply_key.public();
    assert_eq!(reply::verify(&compact, &key, &expected), Ok(content.clone()));
    assert_eq!(reply::verify(&compact, &world.dk.public(), &expected), Err(ReplyFault::Signature));
    for other in [
        Expected { issuer: "https://other.example", ..expected },
        Expected { enrolment: "enr_8", ..expected },
        Expected { jti: "j-2", ..expected },
    ] {
        assert_eq!(reply::verify(&compact, &key, &other), Err(ReplyFault::NotOurs));
    }
    for at in [-61, 61] {
        let later = Expected { now: after(at), ..expected };
        assert_eq!(reply::verify(&compact, &key, &later), Err(ReplyFault::Time));
    }
    let wrong_typ = signed(&world.reply_key, Draft::new("jwt", reply::draft(content, &expected).payload));
    assert_eq!(reply::verify(&wrong_typ, &key, &expected), Err(ReplyFault::Form));
    assert_eq!(reply::verify("", &key, &expected), Err(ReplyFault::Form));
}
