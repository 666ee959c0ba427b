//! What one core does with mobile documents: issue with x5chain and ten elements, judge a DeviceResponse that shows them all.
//!
//! `cargo bench -p tessera-credential --bench mdoc`. As in `sd_jwt`: per CPU-second of this thread, medians of five rounds, each
//! of which also measures the bare signatures.
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod measure;
#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;

use crypto::cose::Sign1Draft;
use crypto::key::{PrivateKey, SignAlg};
use jiff::SignedDuration;
use measure::{ROUNDS, median, per_cpu_second};
use serde_json::{Value, json};
use tessera_credential::claims_path::ClaimsPath;
use tessera_credential::credential_type::CredentialType;
use tessera_credential::mdoc::{self, Elements, Mdoc, SessionTranscript, Subject};
use tessera_credential::presentation::{StatusAnswer, StatusPolicy, examine_mdoc};
use tessera_credential::sd_jwt::Validity;
use tessera_credential::trust::{Anchors, Context};
use world::{AUDIENCE, NONCE, World, now, query};

const DOCTYPE: &str = "org.iso.18013.5.1.mDL";
const NAMESPACE: &str = "org.iso.18013.5.1";
const ELEMENTS: usize = 10;

fn main() {
    let mut world = World::new();
    let names: Vec<String> = (0..ELEMENTS).map(|nth| format!("element_{nth}")).collect();
    let rule = |name: &String| json!({"path": [name], "mdoc": {"namespace": NAMESPACE, "element": name}});
    world.kind = CredentialType::parse(DOCTYPE, &names.iter().map(rule).collect()).unwrap();
    world.anchors =
        Anchors::new(vec![world.root.anchor("anc_own", &[Context::Issuer, Context::Status], &[DOCTYPE])]);
    let claims: Value = names
        .iter()
        .map(|name| (name.clone(), json!(format!("value of {name}"))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let asked: Vec<Value> = names.iter().map(|name| json!({"path": [NAMESPACE, name]})).collect();
    world.query =
        query(&json!({"id": "d", "format": "mso_mdoc", "meta": {"doctype_value": DOCTYPE}, "claims": asked}));

    let document = issue(&world, &claims);
    let key = world.issuer.key.public();
    let held = Mdoc::parse(&document).unwrap().verify(&key, now()).unwrap();
    let transcript =
        SessionTranscript::redirect(AUDIENCE, NONCE, Some(&[7; 32]), "https://verifier.example/response");
    let presentation = held.present(&[ClaimsPath::of_names([NAMESPACE])], &transcript).unwrap();
    let response = presentation.bind(&sign(presentation.sign1.clone(), &world.holder));
    let list = world.good_list();
    let message = [7; 1500];
    let signature = world.issuer.key.sign(SignAlg::Es256, &message).unwrap();

    let mut figures: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        figures[0].push(per_cpu_second(|| {
            drop(black_box(world.issuer.key.sign(SignAlg::Es256, &message).unwrap()))
        }));
        figures[1].push(per_cpu_second(|| drop(black_box(issue(&world, &claims)))));
        figures[2].push(per_cpu_second(|| key.verify(SignAlg::Es256, &message, &signature).unwrap()));
        figures[3].push(per_cpu_second(|| {
            let examined = examine_mdoc(&response, &transcript, &world.expected(), &world.trust(), now());
            let answer = StatusAnswer::List { list: &list, fetched_at: now() };
            let concluded = examined.conclude(&answer, &StatusPolicy::default(), now());
            assert!(black_box(concluded).presented.is_some());
        }));
    }
    let [signs, issues, verifies, judges] = figures.map(median);
    println!(
        "{} characters issued with x5chain and {ELEMENTS} elements, {} presented",
        document.len(),
        response.len()
    );
    println!("P-256 sign                         {signs:>9.0} /CPU-s");
    println!(
        "mdoc issue                         {issues:>9.0} /CPU-s   {:.2} of a bare signature   goal 30,000",
        issues / signs
    );
    println!("P-256 verify                       {verifies:>9.0} /CPU-s");
    println!(
        "DeviceResponse verify, kept path   {judges:>9.0} /CPU-s   {:.2} of two bare verifications   goal 10,000",
        judges / (verifies / 2.0)
    );
}

/// What an issuer does for each copy once it knows the device's key: rules, salts, digests, security object, x5chain, signature.
fn issue(world: &World, claims: &Value) -> String {
    let status = World::reference(412);
    let device_key = world.holder.public();
    let subject = Subject {
        doctype: DOCTYPE,
        device_key: &device_key,
        status: Some(&status),
        validity: Validity::whole_days(now(), SignedDuration::from_hours(24 * 365).as_secs(), None).unwrap(),
        signer_starts_at: None,
    };
    let elements = Elements::of(&world.kind.accept(claims.as_object().unwrap()).unwrap()).unwrap();
    let draft = mdoc::issue(&elements, &subject, &mut |out| crypto::random::fill(out)).unwrap();
    let signed = sign(draft.sign1.with_x5chain(&world.issuer.chain), &world.issuer.key);
    draft.items.assemble(&signed)
}

fn sign(draft: Sign1Draft, key: &PrivateKey) -> Vec<u8> {
    let draft = draft.with_alg(SignAlg::Es256);
    draft.assemble(&key.sign(SignAlg::Es256, &draft.to_be_signed()).unwrap())
}
