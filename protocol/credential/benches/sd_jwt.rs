//! What one core does with SD-JWT VC: issue with `x5c` and ten disclosures, verify with key binding and a kept path.
//!
//! `cargo bench -p tessera-credential`. Figures are per CPU-second of this thread, medians of five rounds; each round
//! also measures the bare signatures, so that a ratio says what our part costs whatever the machine does meanwhile.
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod measure;
#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;

use crypto::jose::jws::x5c_value;
use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use jiff::SignedDuration;
use measure::{ROUNDS, median, per_cpu_second};
use serde_json::{Value, json};
use tessera_credential::claims_path::ClaimsPath;
use tessera_credential::credential_type::CredentialType;
use tessera_credential::presentation::{StatusAnswer, StatusPolicy, examine};
use tessera_credential::sd_jwt::{self, Subject, Validity};
use tessera_credential::status::{Bits, StatusList, shuffled_blocks};
use world::{ISSUER, VCT, World, asks, now, query};

const CLAIMS: usize = 10;

fn main() {
    let mut world = World::new();
    let names: Vec<String> = (0..CLAIMS).map(|nth| format!("claim_{nth}")).collect();
    let rules: Vec<Value> = names.iter().map(|name| json!({"path": [name], "sd": "always"})).collect();
    world.kind = CredentialType::parse(VCT, &rules.into()).unwrap();
    let claims: Value = names
        .iter()
        .map(|name| (name.clone(), json!(format!("value of {name}"))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let asked: Vec<Value> = names.iter().map(|name| json!({"path": [name]})).collect();
    world.query = query(&asks(&asked.into()));
    let paths: Vec<ClaimsPath> = names.iter().map(|name| ClaimsPath::of_names([name])).collect();

    let holder = Jwk::from_key(&world.holder.public());
    let credential = issue(&world, &claims, &holder);
    let presentation = world.present_paths(&credential, &paths);
    let list = world.good_list();
    let message = [7; 1500];
    let signature = world.issuer.key.sign(SignAlg::Es256, &message).unwrap();
    let public = world.issuer.key.public();

    let mut sign = Vec::new();
    let mut verify = Vec::new();
    let mut issued = Vec::new();
    let mut judged = Vec::new();
    for _ in 0..ROUNDS {
        sign.push(per_cpu_second(|| {
            drop(black_box(world.issuer.key.sign(SignAlg::Es256, &message).unwrap()))
        }));
        issued.push(per_cpu_second(|| drop(black_box(issue(&world, &claims, &holder)))));
        verify.push(per_cpu_second(|| public.verify(SignAlg::Es256, &message, &signature).unwrap()));
        judged.push(per_cpu_second(|| {
            let examined = examine(&presentation, &world.expected(), &world.trust(), now());
            let answer = StatusAnswer::List { list: &list, fetched_at: now() };
            let concluded = examined.conclude(&answer, &StatusPolicy::default(), now());
            assert!(black_box(concluded).presented.is_some());
        }));
    }
    let [sign, verify, issued, judged] = [sign, verify, issued, judged].map(median);
    println!(
        "{} bytes issued with x5c and {CLAIMS} disclosures, {} presented",
        credential.len(),
        presentation.len()
    );
    println!("P-256 sign                  {sign:>9.0} /CPU-s");
    println!(
        "SD-JWT VC issue             {issued:>9.0} /CPU-s   {:.2} of a bare signature   goal 40,000",
        issued / sign
    );
    println!("P-256 verify                {verify:>9.0} /CPU-s");
    println!(
        "SD-JWT+KB verify, kept path {judged:>9.0} /CPU-s   {:.2} of two bare verifications   goal 11,000",
        judged / (verify / 2.0)
    );

    let mut list = StatusList::new(Bits::One, 131_072).unwrap();
    for mut block in shuffled_blocks(131_072, &mut world::seeded(1)).into_iter().take(8) {
        while let Some(idx) = block.deal() {
            list.set(u64::from(idx), tessera_credential::status::StatusValue::Invalid).unwrap();
        }
    }
    let lists = median(
        (0..ROUNDS).map(|_| per_cpu_second(|| drop(black_box(world.list(&list, world::LIST_URI))))).collect(),
    );
    println!("list of 131,072, 2,048 revoked: {:.2} ms to compress and sign   goal < 10 ms", 1000.0 / lists);
}

/// What an issuer does for each copy once it knows the holder's key: rules, salts, digests, payload, header with `x5c`, signature.
fn issue(world: &World, claims: &Value, holder: &Jwk) -> String {
    let status = World::reference(412);
    let subject = Subject {
        issuer: ISSUER,
        holder,
        status: Some(&status),
        validity: Validity::whole_days(now(), SignedDuration::from_hours(24 * 365).as_secs(), None).unwrap(),
    };
    let accepted = world.kind.accept(claims.as_object().unwrap()).unwrap();
    let draft = sd_jwt::issue(&accepted, &subject, &mut |out| crypto::random::fill(out)).unwrap();
    let signed = world::sign(draft.jws.with("x5c", x5c_value(&world.issuer.chain)), &world.issuer.key);
    draft.disclosures.assemble(&signed)
}
