//! What holds for every dataset and every input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};
use tessera_credential::check::Outcome;
use tessera_credential::claims_path::ClaimsPath;
use tessera_credential::credential_type::CredentialType;
use tessera_credential::dcql::{Candidate, ClaimsMatch, Format, Query, Reader, answer, claims_match, select};
use tessera_credential::sd_jwt::{NEVER_DISCLOSABLE, SdJwt};
use tessera_credential::status::{Bits, ListToken, StatusList, shuffled_blocks};
use world::{VCT, World, asks, now, query, seeded};

/// A part of a dataset and whether it becomes a disclosure.
#[derive(Clone, Debug)]
enum Part {
    Whole(Value),
    Object(BTreeMap<String, (bool, Part)>),
    Array(bool, Vec<Value>),
}

impl Part {
    fn value(&self) -> Value {
        match self {
            Self::Whole(value) => value.clone(),
            Self::Object(members) => members
                .iter()
                .map(|(name, (_, part))| (name.clone(), part.value()))
                .collect::<Map<_, _>>()
                .into(),
            Self::Array(_, elements) => elements.clone().into(),
        }
    }

    /// The rules of this part, and the places a holder may choose to show.
    fn rules(&self, path: &[Value], rules: &mut Vec<Value>, places: &mut Vec<Value>) {
        match self {
            Self::Whole(_) => {}
            Self::Object(members) => {
                for (name, (marked, part)) in members {
                    let path = [path, &[name.as_str().into()]].concat();
                    rules.push(json!({"path": path, "sd": if *marked { "always" } else { "never" }}));
                    places.push(path.clone().into());
                    part.rules(&path, rules, places);
                }
            }
            Self::Array(marked, elements) => {
                let each = [path, &[Value::Null]].concat();
                rules.push(json!({"path": each, "sd": if *marked { "always" } else { "never" }}));
                places.extend((0..elements.len()).map(|nth| [path, &[nth.into()]].concat().into()));
            }
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z_ö/~ ]{1,8}".prop_filter("the issuer's own", |name| {
        !NEVER_DISCLOSABLE.contains(&name.as_str()) && !["iat", "_sd", "_sd_alg"].contains(&name.as_str())
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from)
    ]
}

fn whole() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..3)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn object(part: impl Strategy<Value = Part> + 'static) -> impl Strategy<Value = Part> {
    prop::collection::btree_map(name(), (any::<bool>(), part), 1..4).prop_map(Part::Object)
}

fn dataset() -> impl Strategy<Value = Part> {
    let part = whole().prop_map(Part::Whole).prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            object(inner),
            (any::<bool>(), prop::collection::vec(whole(), 0..4))
                .prop_map(|(marked, all)| Part::Array(marked, all)),
        ]
    });
    object(part)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_issued_disclosed_and_verified_is_what_was_asked_for(
        dataset in dataset(), chosen in prop::collection::vec(any::<Index>(), 0..5), seed: u64,
    ) {
        let (mut rules, mut places) = (Vec::new(), Vec::new());
        dataset.rules(&[], &mut rules, &mut places);
        let mut world = World::new();
        world.kind = CredentialType::parse(VCT, &rules.into()).unwrap();
        let claims = dataset.value();
        let draft = world.draft(&claims, seed);
        let credential = draft.disclosures.assemble(&world.issuer.sign(draft.jws));

        let held = SdJwt::parse(&credential).unwrap().verify(&world.issuer.key.public(), now()).unwrap();
        for (name, value) in claims.as_object().unwrap() {
            prop_assert_eq!(held.claims().get(name), Some(value));
        }

        let mut paths: Vec<ClaimsPath> = chosen
            .iter()
            .map(|nth| ClaimsPath::parse(nth.get(&places)).unwrap())
            .filter(|path| path.steps().iter().all(|step| !matches!(step, tessera_credential::claims_path::Step::Index(_))))
            .collect();
        paths.sort();
        paths.dedup();
        let asked: Vec<Value> = paths.iter().map(|path| json!({"path": path.to_value()})).collect();
        world.query = match asked.is_empty() {
            true => query(&json!({"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}})),
            false => query(&asks(&asked.into())),
        };
        let concluded = world.check(&world.present_paths(&credential, &paths));
        prop_assert_eq!(world::failures(&concluded.results), Vec::<String>::new());
        let shown = Value::Object(concluded.presented.unwrap().claims);
        for path in &paths {
            prop_assert_eq!(path.select(&shown), path.select(&claims), "{}", path);
        }
        for name in shown.as_object().unwrap().keys() {
            let asked = paths.iter().any(|path| path.to_value()[0] == name.as_str());
            prop_assert!(asked, "{} was not asked for", name);
        }
    }

    #[test]
    fn a_holder_who_chooses_nothing_shows_no_disclosure_at_all(dataset in dataset(), seed: u64) {
        let (mut rules, mut places) = (Vec::new(), Vec::new());
        dataset.rules(&[], &mut rules, &mut places);
        let mut world = World::new();
        world.kind = CredentialType::parse(VCT, &rules.into()).unwrap();
        let draft = world.draft(&dataset.value(), seed);
        let credential = draft.disclosures.assemble(&world.issuer.sign(draft.jws));
        let held = SdJwt::parse(&credential).unwrap().verify(&world.issuer.key.public(), now()).unwrap();
        let bare = held.present(&[]).unwrap().without_key_binding();
        prop_assert_eq!(bare.matches('~').count(), 1);
    }

    #[test]
    fn each_sd_holds_a_power_of_two_of_sorted_digests(dataset in dataset(), seed: u64) {
        let (mut rules, mut places) = (Vec::new(), Vec::new());
        dataset.rules(&[], &mut rules, &mut places);
        let mut world = World::new();
        world.kind = CredentialType::parse(VCT, &rules.into()).unwrap();
        let payload: Value = serde_json::from_slice(&world.draft(&dataset.value(), seed).jws.payload).unwrap();
        let mut open = vec![&payload];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(members) => {
                    if let Some(digests) = members.get("_sd") {
                        let digests: Vec<&str> = digests.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
                        prop_assert!(digests.len() >= 4 && digests.len().is_power_of_two() && digests.is_sorted());
                    }
                    open.extend(members.values());
                }
                Value::Array(elements) => open.extend(elements),
                _ => {}
            }
        }
    }

    #[test]
    fn one_changed_byte_of_a_presentation_is_never_accepted(at: Index, byte in 0x21u8..0x7f) {
        let world = World::new();
        let good = world.present(&world.credential());
        let mut changed = good.clone().into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != byte);
        changed[at] = byte;
        let changed = String::from_utf8(changed).unwrap();
        prop_assert!(world.check(&changed).presented.is_none(), "byte {} of {}", at, good.len());
    }
}

/// JSON of any shape, with the names the readers look for.
fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "credentials",
        "id",
        "format",
        "meta",
        "claims",
        "path",
        "values",
        "claim_sets",
        "credential_sets",
        "options",
        "vct_values",
        "type",
        "sd",
        "mandatory",
        "trusted_authorities",
        "_sd",
        "...",
        "x",
    ]);
    let leaf = prop_oneof![Just(Value::Null), scalar(), Just(json!("dc+sd-jwt")), Just(json!("always"))];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_reader_panics(text in ".{0,200}", bytes: Vec<u8>, json in any_json(), pieces in "[A-Za-z0-9_.~-]{0,300}") {
        for text in [&text, &pieces] {
            let _ = SdJwt::parse(text);
            let _ = ListToken::parse(text);
        }
        for bits in [Bits::One, Bits::Two, Bits::Four, Bits::Eight] {
            let _ = StatusList::inflated(bits, &bytes);
        }
        let _ = CredentialType::parse(VCT, &json);
        let _ = ClaimsPath::parse(&json);
        for reader in [Reader::Own, Reader::Wallet] {
            if let Ok(query) = Query::parse(&json, reader) {
                prop_assert_eq!(Query::parse(&query.to_value(), reader), Ok(query.clone()));
                let _ = answer::presentations(&query, json.as_object().unwrap());
            }
        }
    }

    #[test]
    fn every_payload_is_read_or_refused(payload in any_json(), disclosed in prop::collection::vec(any_json(), 0..4)) {
        let world = World::new();
        let disclosures: Vec<String> = disclosed.iter().map(|json| world::disclosure(json).0).collect();
        let text = world.signed_payload(&payload.to_string(), &disclosures);
        let _ = SdJwt::parse(&text);
        prop_assert!(world.check_answer(
            &world.bind(&text),
            &tessera_credential::presentation::StatusAnswer::NotWanted,
            &tessera_credential::presentation::StatusPolicy::default(),
        ).presented.is_none());
    }

    #[test]
    fn every_list_deals_each_index_once(entries in 0u32..2000, seed: u64) {
        let blocks = shuffled_blocks(entries, &mut seeded(seed));
        let mut dealt: Vec<u32> =
            blocks.into_iter().flat_map(|mut block| std::iter::from_fn(move || block.deal())).collect();
        dealt.sort_unstable();
        prop_assert!(dealt.into_iter().eq(0..entries));
    }
}

/// A credential query of type `kind` over the claims `a` to `d`.
fn credential_query(kind: usize) -> impl Strategy<Value = Value> {
    let values = prop::option::weighted(0.3, prop::collection::vec(0..3i64, 1..3));
    let claims = prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c", "d"]), values, 1..4);
    (claims, prop::collection::vec(prop::collection::vec(any::<Index>(), 1..3), 0..3)).prop_map(
        move |(claims, sets)| {
            let names: Vec<&str> = claims.keys().copied().collect();
            let claims = claims.iter().map(|(name, values)| {
                let mut claim = json!({"id": name, "path": [name]});
                if let Some(values) = values {
                    claim["values"] = json!(values);
                }
                claim
            });
            let mut query = json!({
                "id": format!("q{kind}"), "format": "dc+sd-jwt", "meta": {"vct_values": [format!("v{kind}")]},
                "claims": claims.collect::<Vec<_>>(),
            });
            if !sets.is_empty() {
                let of = |set: Vec<Index>| set.iter().map(|it| *it.get(&names)).collect::<Vec<_>>();
                query["claim_sets"] = json!(sets.into_iter().map(of).collect::<Vec<_>>());
            }
            query
        },
    )
}

fn whole_query() -> impl Strategy<Value = Value> {
    let ids = prop::collection::vec(prop::sample::select(vec!["q0", "q1", "q2"]), 1..3);
    let set = (prop::collection::vec(ids, 1..3), any::<bool>())
        .prop_map(|(options, required)| json!({"options": options, "required": required}));
    let credentials = (credential_query(0), credential_query(1), credential_query(2));
    (credentials, prop::collection::vec(set, 0..3)).prop_map(|((a, b, c), sets)| {
        let mut query = json!({"credentials": [a, b, c]});
        if !sets.is_empty() {
            query["credential_sets"] = json!(sets);
        }
        query
    })
}

proptest! {
    #[test]
    fn what_a_wallet_selects_is_enough_and_where_it_finds_nothing_there_is_nothing(
        query in whole_query(),
        held in prop::collection::vec(
            (0..3usize, prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c", "d"]), 0..3i64, 0..5)),
            0..5,
        ),
    ) {
        let query = Query::parse(&query, Reader::Own).unwrap();
        let held: Vec<(String, Value)> =
            held.into_iter().map(|(kind, claims)| (format!("v{kind}"), json!(claims))).collect();
        let candidates: Vec<Candidate<'_>> = held
            .iter()
            .map(|(kind, claims)| Candidate {
                format: Format::SdJwtVc,
                kind,
                aka: Vec::new(),
                claims,
                has_holder_key: true,
                authority_key_ids: Vec::new(),
            })
            .collect();
        match select(&query, &candidates) {
            Ok(picks) => {
                let ids: Vec<&str> = picks.iter().map(|pick| pick.query.as_str()).collect();
                prop_assert_eq!(answer::complete(&query, &ids).outcome, Outcome::Pass);
                prop_assert_eq!(answer::counted(&query, &ids), ids);
                for pick in &picks {
                    let asked = query.credential(&pick.query).unwrap();
                    let all = candidates[pick.candidate].claims.as_object().unwrap();
                    let shown = |name: &String| {
                        pick.paths.iter().any(|path| path == &ClaimsPath::of_names([name.as_str()]))
                    };
                    let cut: Map<String, Value> =
                        all.iter().filter(|(name, _)| shown(name)).map(|(name, it)| (name.clone(), it.clone())).collect();
                    prop_assert!(matches!(claims_match(asked, &cut.into()), ClaimsMatch::Met(_)));
                }
            }
            Err(_) => {
                let fits = |asked: &&tessera_credential::dcql::CredentialQuery| {
                    let kind = asked.id.replace('q', "v");
                    held.iter().any(|(it, claims)| {
                        *it == kind && matches!(claims_match(asked, claims), ClaimsMatch::Met(_))
                    })
                };
                let ids: Vec<&str> =
                    query.credentials.iter().filter(fits).map(|asked| asked.id.as_str()).collect();
                prop_assert_eq!(answer::complete(&query, &ids).outcome, Outcome::Fail);
            }
        }
    }
}
