//! Canaries: what a wallet shows and what only it may know is found nowhere but where it must stand, sealed.

use crate::house::{House, id_of, migrations, query};
use crate::people::{Diploma, VCT, Wallet};
use credential::status::StatusReference;
use crypto::secret::Secret;
use serde_json::json;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use store::{Actor, Ctx, Entropy, LogSpec, Store, StoreConfig, TenantId};

const CANARY: &str = "Canary-Ana-5b1f";

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_claim_token_nonce_or_key_is_found_in_database_wal_logs_or_refusals() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // The only test of this binary that listens; what the others log meanwhile does no harm.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").join("tessera.db");
    let store = Store::open(StoreConfig::new(&path, Secret::new([3; 32])), &migrations()).unwrap();
    let system = Ctx::new(TenantId::SYSTEM, Actor::system(), crate::people::now(), Entropy::seeded(9));
    for spec in [LogSpec::of("ledger.test", &TenantId::SYSTEM), LogSpec::system("ledger.test")] {
        store.create_log(&system, &spec).await.unwrap();
    }
    let house = House::over(store, |_| {}).await;
    let mut canaries = vec![CANARY.to_owned()];

    // One flow that is verified and read, one that is rejected, one that waits.
    for good in [true, false] {
        let made = house.ask_with(&json!({"dcql_query": query()})).await;
        let (id, asked) = (id_of(&made), house.fetch(&made).await);
        canaries.push(last(made["request_uri"].as_str().unwrap()));
        let status = Some(StatusReference { uri: house.lists.uri("/status/0"), idx: 7 });
        let diploma = Diploma { vct: VCT, given_name: CANARY, status };
        let text = diploma.issue(&house.wallet.key.public(), &house.issuer);
        let bound = Wallet::disclose(&text, &house.issuer.key.public());
        let shown = if good { house.wallet.bind_to(&bound, &asked) } else { bound.clone() };
        let form = asked.answer(&shown);
        let answered = house.respond(&asked, &form).await;
        let result = house.result(&id).await;
        assert_eq!(result.to_string().contains(CANARY), good);
        assert!(!result["report"].to_string().contains(CANARY));
        assert!(!answered.text().contains(CANARY));
        canaries.extend(bound.split('~').filter(|part| !part.is_empty()).map(str::to_owned));
        canaries.extend([form[9..].to_owned(), shown.rsplit('~').next().unwrap().to_owned()]);
        canaries.extend(secrets(&asked));
    }
    // On one device: held, brought once wrongly; another released.
    for code_is_brought in [false, true] {
        let asks = json!({"dcql_query": query(), "return_uri": "https://rp.example/back"});
        let made = house.ask_with(&asks).await;
        let asked = house.fetch(&made).await;
        let status = Some(StatusReference { uri: house.lists.uri("/status/0"), idx: 7 });
        let diploma = Diploma { vct: VCT, given_name: CANARY, status };
        let text = diploma.issue(&house.wallet.key.public(), &house.issuer);
        let bound = Wallet::disclose(&text, &house.issuer.key.public());
        let answered = house.respond(&asked, &asked.answer(&house.wallet.bind_to(&bound, &asked))).await;
        let way = answered.json()["redirect_uri"].as_str().unwrap().to_owned();
        let code = way.rsplit('=').next().unwrap().to_owned();
        let path = format!("/api/v1/verifications/{}/return", id_of(&made));
        let brought = if code_is_brought { code.as_str() } else { "another-code-than-its-own" };
        let told = house.post(&path, &json!({"response_code": brought})).await;
        assert_eq!(told.text().contains(CANARY), code_is_brought);
        canaries.extend([code, last(made["page"].as_str().unwrap())]);
        canaries.extend(secrets(&asked));
    }
    let (_, waiting) = house.ask().await;
    canaries.extend(secrets(&waiting));
    let bad = house.post("/api/v1/verifications", &json!({"dcql_query": {"credentials": CANARY}})).await;
    assert!(!bad.text().contains(CANARY), "{}", bad.text());
    canaries.push(house.token.clone());

    canaries.retain(|canary| !canary.is_empty());
    let logged = log.0.lock().unwrap().clone();
    assert!(find(&logged, "requestVerification"), "the log was captured");
    for canary in &canaries {
        assert!(canary.len() > 12 && !find(&logged, canary), "{canary} was logged");
    }
    let files = files(path.parent().unwrap());
    assert!(
        files.iter().any(|(name, bytes)| name.ends_with("-wal") && !bytes.is_empty()),
        "the WAL was looked at"
    );
    for (name, bytes) in &files {
        for canary in &canaries {
            assert!(!find(bytes, canary), "{canary} stands in {name}");
        }
    }
}

/// What only the session's wallet may know.
fn secrets(asked: &crate::people::Asked) -> Vec<String> {
    vec![asked.text("nonce").to_owned(), asked.text("state").to_owned(), last(asked.text("response_uri"))]
}

fn last(url: &str) -> String {
    url.rsplit('/').next().unwrap().to_owned()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    found
}

fn find(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
