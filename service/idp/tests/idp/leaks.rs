//! Canaries: codes, keys, documents and claims are found nowhere but where they must stand, sealed; a stolen database opens nothing.

use crate::house::{COOKIE, House, migrations, seal_form};
use crate::wallet::shown_code;
use crypto::base64;
use crypto::secret::Secret;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use store::{Actor, Ctx, Entropy, LogSpec, Store, StoreConfig, TenantId};
use tessera_idp::sealed_claims::Under;

const CANARY: &str = "Canary-Ana-5b1f-2c77";

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

/// A house on a database file, with its logs.
async fn on_file(path: &Path) -> House {
    let store = Store::open(StoreConfig::new(path, Secret::new([3; 32])), &migrations()).unwrap();
    let now = crate::house::NOW.parse().unwrap();
    let system = Ctx::new(TenantId::SYSTEM, Actor::system(), now, Entropy::seeded(9));
    for spec in [LogSpec::of("ledger.test", &TenantId::SYSTEM), LogSpec::system("ledger.test")] {
        store.create_log(&system, &spec).await.unwrap();
    }
    House::over(store, &[], |_| {}).await
}

#[tokio::test]
async fn no_code_key_document_or_claim_is_found_in_database_wal_or_logs() {
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
    let house = on_file(&path).await;
    let mut form = seal_form();
    form["claims"]["given_name"] = CANARY.into();
    form["claims"]["number"] = "Canary-number-991".into();
    let shop = house.shop().await;
    let (_, seal) = house.seal_of(&form).await;
    let wallet = house.wallet_with(&seal).await;
    let mut canaries = vec![CANARY.as_bytes().to_vec(), b"Canary-number-991".to_vec(), seal.clone()];
    canaries.push(base64::url_encode(&seal).into_bytes());
    canaries.push(wallet.handle.clone().into_bytes());
    canaries.push(wallet.handle.replace('-', "").into_bytes());

    // One that is approved, one that fails, one that waits.
    for good in [true, false] {
        let opened = house.open(&shop).await;
        let claimed = wallet.claim(&house, &opened).await.unwrap();
        let mut answer = wallet.approval(&house, &claimed, Some(&seal));
        answer.tag[0] ^= u8::from(!good);
        canaries.push(answer.doc.clone());
        let reply = wallet.respond(&house, &claimed.sid, &answer).await.unwrap();
        assert_eq!(reply["outcome"] == "approved", good);
        let finished = house.idp.finish(&house.ctx(), &opened.sid, COOKIE).await.unwrap();
        if let Some(code) = finished.code {
            let found = house.idp.result_of_code(&house.ctx(), code.expose()).await.unwrap().unwrap();
            canaries.push(code.expose().clone().into_bytes());
            canaries.push(found.facts.sub.into_bytes());
        }
    }
    let waiting = house.open(&shop).await;
    wallet.claim(&house, &waiting).await.unwrap();
    let shown = shown_code(&house, &waiting.sid).await.unwrap();
    canaries.push(format!("\"{shown}\"").into_bytes());
    canaries.push(COOKIE.as_bytes().to_vec());
    canaries.push(b"192.0.2.0/24 Firefox".to_vec());
    canaries.push(house.token.clone().into_bytes());

    let logged = log.0.lock().unwrap().clone();
    assert!(find(&logged, b"housekeeping"), "the log was captured");
    let files = files(path.parent().unwrap());
    assert!(
        files.iter().any(|(name, bytes)| name.ends_with("-wal") && !bytes.is_empty()),
        "the WAL was looked at"
    );
    for canary in &canaries {
        let shown = String::from_utf8_lossy(canary).into_owned();
        assert!(canary.len() > 7 && !find(&logged, canary), "{shown} was logged");
        for (name, bytes) in &files {
            assert!(!find(bytes, canary), "{shown} stands in {name}");
        }
    }
}

#[tokio::test]
async fn a_stolen_database_with_one_live_code_opens_that_one_result() {
    let house = House::new().await;
    let (shop, seal) = (house.shop().await, house.seal().await);
    let wallet = house.wallet_with(&seal).await;
    let mut codes = Vec::new();
    for _ in 0..2 {
        let opened = house.open(&shop).await;
        wallet.sign_in(&house, &opened, Some(&seal)).await;
        let code = house.idp.finish(&house.ctx(), &opened.sid, COOKIE).await.unwrap().code.unwrap();
        codes.push((opened.sid, code));
    }
    // The claims of each, as they rest.
    let stmt = store::Stmt::new("SELECT sid, claims FROM idp_result WHERE tenant_id = :tenant");
    let rows = house.store.read(&house.ctx()).many(stmt, 10).await.unwrap();
    let tenant = house.tenant.id.as_str();
    let (sid, code) = &codes[0];
    let opened: Vec<bool> = rows
        .iter()
        .map(|row| {
            let place: [u8; 16] = row.array(0).unwrap();
            let claims = Under::Code.open(code.expose(), tenant, &place, &row.blob(1).unwrap());
            assert_eq!(claims.is_some(), place == *sid.as_bytes());
            claims.is_some()
        })
        .collect();
    assert_eq!(opened.iter().filter(|opened| **opened).count(), 1);
    house.advance(61);
    house.idp.tidy(&house.ctx(), "default").await.unwrap();
    let stmt = store::Stmt::new("SELECT sid, claims FROM idp_result WHERE tenant_id = :tenant");
    let rows = house.store.read(&house.ctx()).many(stmt, 10).await.unwrap();
    assert!(rows.iter().all(|row| row.opt_blob(1).unwrap().is_none()), "claims go with their code");
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    found
}

fn find(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
