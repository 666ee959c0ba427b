//! Canaries: what a wallet gets and whom it is about is found nowhere but where it must stand, sealed.

use crate::house::{House, code, diploma, migrations};
use crate::wallet;
use crypto::secret::Secret;
use serde_json::json;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use store::{Actor, Ctx, Entropy, LogSpec, Store, StoreConfig, TenantId};

const CLAIM: &str = "Canary-Ana-5b1f";
const SUBJECT: &str = "canary-student-4711";

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
async fn no_claim_code_link_token_nonce_or_subject_is_found_in_database_wal_leaves_logs_or_refusals() {
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
    let now = crate::house::NOW.parse().unwrap();
    let system = Ctx::new(TenantId::SYSTEM, Actor::system(), now, Entropy::seeded(9));
    for spec in [LogSpec::of("ledger.test", &TenantId::SYSTEM), LogSpec::system("ledger.test")] {
        store.create_log(&system, &spec).await.unwrap();
    }
    let house = House::over(store, |_| {}).await;
    let mut canaries = vec![CLAIM.to_owned(), SUBJECT.to_owned()];
    let mut refusals = String::new();

    let mut body = diploma();
    body["claims"]["given_name"] = CLAIM.into();
    body["subject_ref"] = SUBJECT.into();
    // Long enough to be sought.
    body["tx_code"] = json!({"length": 16, "input_mode": "text"});
    // One that is collected and revoked, one that is kept open.
    for collect in [true, false] {
        let key = [("idempotency-key", if collect { "k-1" } else { "k-2" })];
        let offer = house.post_as("/api/v1/credentials/issue", &house.token, &key, &body).await.json();
        let tx_code = offer["tx_code"].as_str().unwrap().to_owned();
        canaries.push(code(&offer));
        canaries.push(tx_code);
        let link = offer["credential_offer_uri"].as_str().unwrap();
        canaries.push(link.rsplit('/').next().unwrap().to_owned());
        if collect {
            let (received, _) = wallet::collect(&house, &offer).await;
            let text = received.credential.text();
            canaries.extend(text.split('~').filter(|part| !part.is_empty()).map(str::to_owned));
            refusals += &house.redeem("default", &code(&offer)).await.text();
            house.revoke(&crate::house::id(&offer)).await;
        }
    }
    let token = house.access_token().await;
    let nonce = house.nonce("default").await;
    let stolen = wallet::proof_for("other", &wallet::p256(), &nonce, house.now());
    refusals += &house.ask(&token, std::slice::from_ref(&stolen)).await.text();
    canaries.extend([token, nonce, stolen, house.token.clone()]);
    body["claims"]["birthdate"] = CLAIM.into();
    refusals += &house.post("/api/v1/credentials/issue", &body).await.text();
    refusals += &house.post("/api/v1/credentials/issue", &json!({"claims": CLAIM})).await.text();
    refusals += &house
        .post("/api/v1/credentials/issue", &json!({"credential_configuration_id": CLAIM, "claims": {}}))
        .await
        .text();
    house.issuer.tidy(&house.ctx()).await.unwrap();

    canaries.retain(|canary| !canary.is_empty());
    let logged = log.0.lock().unwrap().clone();
    assert!(find(&logged, "housekeeping") || find(&logged, "issueCredential"), "the log was captured");
    let leaves = house.leaves().await.concat();
    let files = files(path.parent().unwrap());
    let has_wal = files.iter().any(|(name, bytes)| name.ends_with("-wal") && !bytes.is_empty());
    assert!(has_wal, "the WAL was looked at");
    for canary in &canaries {
        assert!(canary.len() > 12, "{canary} is too short to be sought");
        assert!(!find(&logged, canary), "{canary} was logged");
        assert!(!find(&leaves, canary), "{canary} stands in a leaf");
        assert!(!refusals.contains(canary.as_str()), "{canary} stands in a refusal");
        for (name, bytes) in &files {
            assert!(!find(bytes, canary), "{canary} stands in {name}");
        }
    }
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
