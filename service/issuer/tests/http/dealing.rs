//! Indices: none twice, none in a row, and what a crash wastes.

use crate::house::{House, PUBLIC_URL};
use crypto::base64;
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use issuer::{Config, Issuer};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LIMITS: Limits = Limits { bytes_max: 1 << 20, depth_max: 32 };

/// The payload under the signature of a credential.
fn payload(credential: &str) -> Value {
    let jws = Jws::parse(credential.split('~').next().unwrap(), &LIMITS).unwrap();
    serde_json::from_slice(jws.payload()).unwrap()
}

#[tokio::test]
async fn salts_keys_and_indices_of_many_credentials_differ_and_their_dates_tell_only_the_day() {
    let house = House::new().await;
    let (mut salts, mut keys, mut indices) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for _ in 0..40 {
        house.advance(21);
        let (_, text) = house.collected().await;
        for disclosure in text.split('~').skip(1).filter(|part| !part.is_empty()) {
            let parts: Value = serde_json::from_slice(&base64::url_decode(disclosure).unwrap()).unwrap();
            let salt = parts[0].as_str().unwrap().to_owned();
            assert!(base64::url_decode(&salt).unwrap().len() >= 16);
            assert!(salts.insert(salt), "a salt came twice");
        }
        let claims = payload(&text);
        assert!(keys.insert(claims["cnf"]["jwk"].to_string()), "a key came twice");
        assert_eq!(claims["iat"], json!(1_795_132_800), "2026-11-20T00:00:00Z");
        assert_eq!(claims["exp"].as_i64().unwrap() % 86_400, 0);
        indices.push(claims["status"]["status_list"]["idx"].as_i64().unwrap());
    }
    assert_eq!(indices.iter().collect::<BTreeSet<_>>().len(), 40);
    let steps: BTreeSet<i64> = indices.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.len() > 30, "an arithmetic series: {indices:?}");
    assert!(!indices.is_sorted() && !indices.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn two_processes_deal_2000_indices_and_none_twice() {
    let house = House::new().await;
    let second = Issuer::new(
        house.store.clone(),
        house.custody.clone(),
        Config { status_entries: 17 * 256, ..Config::new(PUBLIC_URL) },
    );
    let ctx = house.ctx();
    let (mut places, mut handles) = (BTreeSet::new(), Vec::new());
    for issuer in [house.issuer.clone(), second] {
        for _ in 0..4 {
            let (issuer, ctx) = (issuer.clone(), ctx.clone());
            handles.push(tokio::spawn(async move {
                let mut dealt = Vec::new();
                for _ in 0..250 {
                    dealt.push(issuer.deal(&ctx).await.unwrap());
                }
                dealt
            }));
        }
    }
    for handle in handles {
        for place in handle.await.unwrap() {
            assert!(places.insert(place), "{place:?} was dealt twice");
        }
    }
    assert_eq!(places.len(), 2_000);
    assert_eq!(house.count("status-list-opened").await, 1);
}

#[tokio::test]
async fn a_crash_wastes_a_block_and_nothing_else() {
    let house = House::with(|config| config.status_entries = 3 * 256).await;
    let ctx = house.ctx();
    let mut places = BTreeSet::new();
    for _ in 0..10 {
        // A process that ends after one place: the rest of its block is lost with its memory.
        let config = Config { status_entries: 3 * 256, ..Config::new(PUBLIC_URL) };
        let issuer = Issuer::new(house.store.clone(), house.custody.clone(), config);
        assert!(places.insert(issuer.deal(&ctx).await.unwrap()));
    }
    assert_eq!(house.count("status-list-opened").await, 4, "ten blocks, three to a list");
    assert_eq!(places.iter().map(|place| place.list).collect::<BTreeSet<_>>(), BTreeSet::from([0, 1, 2, 3]));
}

#[tokio::test]
async fn a_list_of_one_entry_deals_it_and_the_next_list_opens() {
    let house = House::with(|config| config.status_entries = 1).await;
    let ctx = house.ctx();
    let mut places = Vec::new();
    for _ in 0..40 {
        let place = house.issuer.deal(&ctx).await.unwrap();
        places.push((place.list, place.idx));
    }
    assert_eq!(places, (0..40).map(|list| (list, 0)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_tick_opens_the_next_list_when_a_tenth_of_the_blocks_is_left_and_not_again() {
    let house = House::new().await;
    let ctx = house.ctx();
    for _ in 0..2 {
        house.issuer.tidy(&ctx).await.unwrap();
    }
    assert_eq!(house.count("status-list-opened").await, 1);
    for _ in 0..15 * 256 + 1 {
        house.issuer.deal(&ctx).await.unwrap();
    }
    for _ in 0..3 {
        house.issuer.tidy(&ctx).await.unwrap();
    }
    assert_eq!(house.count("status-list-opened").await, 2);
    let lists = house.get("/api/v1/status-lists").await.json();
    assert_eq!((&lists["items"][0]["state"], &lists["items"][1]["state"]), (&json!("full"), &json!("open")));
}

#[tokio::test]
async fn a_list_of_the_whole_size_opens_in_one_unit() {
    let house = House::with(|config| *config = Config::new(PUBLIC_URL)).await;
    house.collected().await;
    let lists = house.get("/api/v1/status-lists").await.json();
    assert_eq!(lists["items"][0]["entries"], 131_072);
    let largest = House::with(|config| config.status_entries = issuer::config::STATUS_ENTRIES_MAX).await;
    largest.collected().await;
}

#[test]
fn settings_out_of_bounds_are_named() {
    let good = Config::new(PUBLIC_URL);
    assert_eq!(good.check(), Ok(()));
    type Break = fn(&mut Config);
    let cases: [(&str, Break); 7] = [
        ("offer_ttl_s", |config| config.offer_ttl_s = 3_601),
        ("access_bearer_ttl_s", |config| config.access_bearer_ttl_s = 301),
        ("rounds_max", |config| config.rounds_max = 0),
        ("status_entries", |config| config.status_entries = 0),
        ("status_ttl_s", |config| config.status_ttl_s = 0),
        ("status_exp_s", |config| config.status_exp_s = 299),
        ("signer_min_left_s", |config| config.signer_min_left_s = -1),
    ];
    for (name, break_it) in cases {
        let mut config = good.clone();
        break_it(&mut config);
        assert_eq!(config.check().unwrap_err().name, name);
    }
}
