//! No private part leaves: not in an answer, not in a row, not in the write-ahead log, not in a line of the program's log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crypto::key::{KeyAlg, SignAlg};
use crypto::secret::Secret;
use crypto::{base64, hex};
use house::{House, ROOMS};
use serde_json::{Value, json};
use store::{Actor, Ctx, Entropy, LogSpec, Purpose, Stmt, Store, StoreConfig, TenantId};
use tenancy::Role;
use tessera_custody::envelope::{self, Binding};
use tessera_custody::keeper::{Handle, Keeper, Software};
use tessera_custody::{Config, KeyRef};

/// Members that hold private parts in JWK, COSE_Key and our own rows.
const PRIVATE: [&str; 13] =
    ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "seed", "sealed", "secret", "private_key"];

/// A store in a folder that the test can read, with the logs of the instance.
async fn store_in(folder: &Path) -> Store {
    let store =
        Store::open(StoreConfig::new(folder.join("tessera.db"), Secret::new([9; 32])), &ROOMS).unwrap();
    let now = house::NOW.parse().unwrap();
    let ctx = Ctx::new(TenantId::SYSTEM, Actor::system(), now, Entropy::seeded(3));
    store.create_log(&ctx, &LogSpec::of("ledger.test", &TenantId::SYSTEM)).await.unwrap();
    store.create_log(&ctx, &LogSpec::system("ledger.test")).await.unwrap();
    store
}

/// Everything that the program logs, as text.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<String>>);

impl tracing::Subscriber for Recorder {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

impl tracing::field::Visit for Recorder {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

/// The private parts of every version in the database, opened as the keeper would.
async fn private_parts(house: &House) -> Vec<Vec<u8>> {
    let rows = Stmt::new(
        "SELECT v.tenant_id, v.key_id, v.version, k.alg, k.uses, v.sealed FROM custody_key_version v
         JOIN custody_key k ON k.tenant_id = v.tenant_id AND k.key_id = v.key_id WHERE v.sealed IS NOT NULL",
    );
    let mut found = Vec::new();
    for row in house.store.read(&house.system()).many(rows, 1_000).await.unwrap() {
        let ctx = house.system().for_tenant(TenantId::parse(&row.text(0).unwrap()).unwrap());
        let uses = tessera_custody::usage::Uses::from_text(&row.text(4).unwrap()).unwrap();
        let (key_id, alg) = (row.text(1).unwrap(), row.text(3).unwrap().parse().unwrap());
        let version = row.int(2).unwrap().try_into().unwrap();
        let sealed = row.blob(5).unwrap();
        let kek_version = envelope::kek_version(&sealed).unwrap();
        let kek = house.store.kek_of_version(&ctx, Purpose::Keys, kek_version).await.unwrap();
        let binding = Binding { tenant_id: ctx.tenant.as_str(), key_id: &key_id, version, alg, uses: &uses };
        let secret = envelope::open(kek.key(), &binding, &sealed).unwrap();
        found.extend(needles(secret.expose()));
        found.push(kek.key().expose().to_vec());
    }
    found
}

/// The whole secret, and of a PKCS #8 file of an elliptic curve the bare number.
fn needles(secret: &[u8]) -> Vec<Vec<u8>> {
    let number =
        secret.windows(2).position(|pair| pair == [0x04, 0x20]).map(|at| secret[at + 2..at + 34].to_vec());
    [Some(secret.to_vec()), number].into_iter().flatten().collect()
}

fn holds(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

fn assert_absent(hay: &[u8], parts: &[Vec<u8>], place: &str) {
    let forms = |part: &Vec<u8>| {
        let texts = [hex::encode(part), base64::url_encode(part), base64::std_encode(part)];
        texts.into_iter().map(String::into_bytes).chain([part.clone()])
    };
    // One pass over the hay: each form is looked for where its first bytes stand.
    let mut begun: HashMap<[u8; 16], Vec<Vec<u8>>> = HashMap::new();
    for form in parts.iter().flat_map(forms) {
        begun.entry(form[..16].try_into().unwrap()).or_default().push(form);
    }
    for (at, window) in hay.windows(16).enumerate() {
        let known = begun.get(window).into_iter().flatten().any(|form| hay[at..].starts_with(form));
        assert!(!known, "a private part stands in {place} at byte {at}");
    }
}

/// No member of any depth has a name that private parts have.
fn assert_public(value: &Value, place: &str) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                assert!(!PRIVATE.contains(&name.as_str()), "{place}: member {name}");
                assert_public(value, place);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| assert_public(item, place)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Makes a key of each algorithm, uses it through every door, and answers every body that came back.
async fn every_answer(house: &House) -> Vec<(String, Vec<u8>)> {
    let token = house.token(&house.tenant, &[Role::Owner]).await;
    let mut answers = Vec::new();
    for alg in ["p256", "p384", "ed25519", "secp256k1", "rsa2048"] {
        let csr = if matches!(alg, "ed25519" | "secp256k1") { None } else { Some("x509:csr") };
        let uses: Vec<&str> = ["jws:*"].into_iter().chain(csr).collect();
        let made = house.post("/api/v1/keys", &token, json!({"alg":alg,"label":"x","uses":uses})).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let key = made.json();
        answers.push((format!("POST keys {alg}"), made.body));
        let path = format!("/api/v1/keys/{}", key["id"].as_str().unwrap());
        for rest in [
            "",
            "/accesses",
            "/public",
            "/public?format=jwks",
            "/public?format=pem",
            "/public?format=cose",
            "/public?format=raw",
            "/versions/1/csr",
        ] {
            answers
                .push((format!("GET {rest} {alg}"), house.get(&format!("{path}{rest}"), &token).await.body));
        }
        let kid = key["versions"][0]["kid"].clone();
        for (rest, body) in [
            ("/sign", json!({"format":"jws","typ":"t","payload":{}})),
            ("/sign", json!({"format":"jws","typ":"t","payload":{},"header":{"jwk":{}}})),
            ("/rotate", json!({})),
            ("/versions/1/freeze", json!({})),
            ("/versions/1/destroy", json!({"confirm":kid,"now":true})),
        ] {
            answers.push((
                format!("POST {rest} {alg}"),
                house.post(&format!("{path}{rest}"), &token, body).await.body,
            ));
        }
    }
    for path in [
        "/api/v1/keys?limit=200",
        "/api/v1/trust-anchors",
        "/t/default/jwks",
        "/oauth/jwks",
        "/.well-known/jwt-vc-issuer/t/default",
        "/t/default/trust/anchors.pem",
        "/openapi.json",
    ] {
        answers.push((path.to_owned(), house.get(path, &token).await.body));
    }
    answers
}

#[tokio::test]
async fn a_private_part_stands_in_no_answer_row_write_ahead_log_or_log_line() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let guard = tracing::subscriber::set_default(recorder.clone());
    let house = House::on(store_in(folder.path()).await, Config::default(), true).await;
    house.custody.provision_log(&house.system(), "ledger.test/log/house").await.unwrap();
    house.custody.sign_note(&house.system(), "ledger.test/log/house", KeyAlg::MlDsa44, b"x").await.unwrap();
    let parts = private_parts(&house).await;
    let answers = every_answer(&house).await;
    let parts: Vec<_> = parts.into_iter().chain(private_parts(&house).await).collect();
    assert!(parts.len() > 30);
    drop(guard);
    for (place, body) in &answers {
        assert_absent(body, &parts, place);
        if let Ok(value) = serde_json::from_slice::<Value>(body)
            && place != "/openapi.json"
        {
            assert_public(&value, place);
        }
    }
    let logged = recorder.0.lock().unwrap().clone();
    assert!(!logged.is_empty(), "the program logged something");
    assert_absent(logged.as_bytes(), &parts, "the log");
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if let Ok(bytes) = std::fs::read(&path) {
            assert_absent(&bytes, &parts, &path.display().to_string());
        }
    }
}

#[tokio::test]
async fn the_search_finds_what_it_looks_for() {
    let house = House::new().await;
    let parts = private_parts(&house).await;
    let (first, text) = (parts[0].clone(), base64::url_encode(&parts[1]));
    let found = |hay: &[u8]| std::panic::catch_unwind(|| assert_absent(hay, &parts, "a trap")).is_err();
    assert!(found(&[b"xx", first.as_slice(), b"yy"].concat()));
    assert!(found(text.as_bytes()));
    assert!(!found(b"nothing"));
    assert!(std::panic::catch_unwind(|| assert_public(&json!([{"a":{"d":"x"}}]), "a trap")).is_err());
}

#[tokio::test]
async fn debug_of_keys_keepers_and_signatures_shows_no_private_part() {
    let house = House::new().await;
    let key_id = house.custody.signer(&house.ctx(), KeyRef::Use("jws:dc+sd-jwt")).await.unwrap().key_id;
    let key = house.custody.key(&house.ctx(), &key_id).await.unwrap();
    let parts = private_parts(&house).await;
    let shown = format!("{key:?} {:?} {:?}", house.custody, house.edge.tokens());
    assert_absent(shown.as_bytes(), &parts, "Debug");
}

#[tokio::test]
async fn a_destroyed_private_part_is_gone_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::on(store_in(folder.path()).await, Config::default(), true).await;
    let token = house.token(&house.tenant, &[Role::Owner]).await;
    let key = house
        .post("/api/v1/keys", &token, json!({"alg":"ed25519","label":"x","uses":["jws:*"]}))
        .await
        .json();
    let path = format!("/api/v1/keys/{}", key["id"].as_str().unwrap());
    let stmt = Stmt::new("SELECT sealed FROM custody_key_version WHERE key_id = $1")
        .text(key["id"].as_str().unwrap());
    let blob = house.store.read(&house.ctx()).one(stmt.clone()).await.unwrap().unwrap().blob(0).unwrap();
    house.call("POST", &format!("{path}/versions/1/retire"), &token, None).await;
    let body = json!({"confirm":key["versions"][0]["kid"],"now":true});
    assert_eq!(house.post(&format!("{path}/versions/1/destroy"), &token, body).await.status, 200);
    assert_eq!(house.store.read(&house.ctx()).one(stmt).await.unwrap().unwrap().opt_blob(0).unwrap(), None);
    let answers = house.get(&path, &token).await.json();
    assert_eq!(answers["versions"][0]["state"], "destroyed");
    drop(house);
    // The last handle writes the log back into the file, where secure_delete has overwritten the cell.
    let file = std::fs::read(folder.path().join("tessera.db")).unwrap();
    assert!(!holds(&file, &blob[..64]), "the sealed blob is overwritten too");
}

#[tokio::test]
async fn a_blob_alone_signs_nothing_without_the_store_that_wrapped_it() {
    let (house, other) = (House::new().await, House::new().await);
    let key_id = house.custody.signer(&house.ctx(), KeyRef::Use("jws:dc+sd-jwt")).await.unwrap().key_id;
    let key = house.custody.key(&house.ctx(), &key_id).await.unwrap();
    let stmt = Stmt::new("SELECT sealed FROM custody_key_version WHERE key_id = $1").text(&key_id);
    let blob = house.store.read(&house.ctx()).one(stmt).await.unwrap().unwrap().blob(0).unwrap();
    let keeper = Keeper::Software(Software::new(300));
    let handle = Handle { key_id: &key_id, version: 1, alg: key.alg, uses: &key.uses, sealed: Some(&blob) };
    assert!(keeper.sign(&house.store, &house.ctx(), handle, SignAlg::Es256, b"m").await.is_ok());
    let stolen = Keeper::Software(Software::new(300));
    assert!(stolen.sign(&other.store, &other.ctx(), handle, SignAlg::Es256, b"m").await.is_err());
}
