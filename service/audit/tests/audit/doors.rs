//! The doors of the logs, and who may come through them.

use std::io::Read;

use http::StatusCode;
use serde_json::json;
use store::LogId;
use tenancy::Role;
use tlog::checkpoint::SignedCheckpoint;
use tlog::event::{Event, KeyUse};
use tlog::note::VerifierKey;
use tlog::proof_file::ProofFile;
use tlog::tile::{Level, TilePath};

use crate::street::Street;

#[tokio::test]
async fn a_stranger_reads_the_system_log_from_any_origin() {
    let street = Street::new().await;
    let checkpoint = street.get("/log/system/checkpoint", "").await;
    assert_eq!(checkpoint.status, StatusCode::OK);
    assert_eq!(checkpoint.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(checkpoint.header("cache-control"), "public, max-age=1");
    assert_eq!(checkpoint.header("access-control-allow-origin"), "*");
    let keys = street.get("/log/system/keys", "").await.text();
    let keys: Vec<_> = keys.lines().map(|line| VerifierKey::parse(line).unwrap()).collect();
    assert_eq!(keys, street.audit.vkeys(&LogId::system()));
    let size = SignedCheckpoint::open(&checkpoint.body, &keys).unwrap().checkpoint().size;
    for level in [Level::Hashes(0), Level::Entries] {
        let path = TilePath::at(level, 0, size).unwrap();
        let tile = street.get(&format!("/log/system/{path}"), "").await;
        assert_eq!(tile.status, StatusCode::OK);
        assert_eq!(tile.header("content-type"), "application/octet-stream");
        assert_eq!(tile.header("cache-control"), "public, max-age=31536000, immutable");
    }
}

#[tokio::test]
async fn the_well_known_place_names_the_system_log_and_its_keys() {
    let street = Street::new().await;
    let found = street.get("/.well-known/tessera-ledger", "").await;
    assert_eq!(found.header("access-control-allow-origin"), "*");
    let body = found.json();
    assert_eq!(body["system_origin"], "house.example/log/system");
    assert_eq!(body["url"], "https://house.example/log/system");
    assert_eq!(body["vkeys"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_private_log_asks_a_stranger_for_a_token() {
    let street = Street::new().await;
    for log in [street.log(&street.a), LogId::house()] {
        for thing in ["checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"] {
            let refused = street.get(&format!("/log/{log}/{thing}"), "").await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{log} {thing}");
            assert!(refused.header("www-authenticate").starts_with("Bearer"));
        }
        assert_eq!(street.get(&format!("/log/{log}/keys"), "").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_log_token_reads_its_log_and_is_kept_from_shared_caches() {
    let street = Street::new().await;
    let (_, token) = street.log_token(&street.a, 3_600).await;
    street.settle().await;
    let checkpoint = street.get(&format!("/log/{}/checkpoint", street.log(&street.a)), &token).await;
    assert_eq!(checkpoint.status, StatusCode::OK);
    assert_eq!(checkpoint.header("cache-control"), "private, max-age=1");
    assert_eq!(checkpoint.header("access-control-allow-origin"), "");
    assert_eq!(checkpoint.header("vary"), "Authorization");
}

#[tokio::test]
async fn a_log_token_of_one_tenant_does_not_read_the_log_of_another() {
    let street = Street::new().await;
    let (_, token) = street.log_token(&street.a, 3_600).await;
    for log in [street.log(&street.b), LogId::house()] {
        let refused = street.get(&format!("/log/{log}/checkpoint"), &token).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_revoked_log_token_reads_nothing_at_once() {
    let street = Street::new().await;
    let (id, token) = street.log_token(&street.a, 3_600).await;
    let admin = street.bearer(&street.a, &[Role::Admin]).await;
    let path = format!("/log/{}/checkpoint", street.log(&street.a));
    assert_eq!(street.get(&path, &token).await.status, StatusCode::OK);
    let revoked = street.call("DELETE", &format!("/api/v1/ledger/tokens/{id}"), &admin, None).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert!(revoked.header("tessera-event").starts_with("evt_"));
    assert_eq!(street.get(&path, &token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(street.count(&street.a, "log-token-revoked").await, 1);
}

#[tokio::test]
async fn an_expired_log_token_reads_nothing() {
    let street = Street::new().await;
    let (_, token) = street.log_token(&street.a, 60).await;
    let path = format!("/log/{}/checkpoint", street.log(&street.a));
    street.advance(59);
    assert_eq!(street.get(&path, &token).await.status, StatusCode::OK);
    street.advance(1);
    assert_eq!(street.get(&path, &token).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_log_token_opens_no_door_of_the_api() {
    let street = Street::new().await;
    let (id, token) = street.log_token(&street.a, 3_600).await;
    for path in ["/api/v1/ledger/events", "/api/v1/ledger/status", "/api/v1/ledger/tokens", "/api/v1/keys"] {
        assert_eq!(street.get(path, &token).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let revoke = street.call("DELETE", &format!("/api/v1/ledger/tokens/{id}"), &token, None).await;
    assert_eq!(revoke.status, StatusCode::UNAUTHORIZED);
    let body = json!({"name": "x", "ttl_s": 60});
    let create = street.call("POST", "/api/v1/ledger/tokens", &token, Some(body)).await;
    assert_eq!(create.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn texts_that_look_like_a_log_token_are_none() {
    let street = Street::new().await;
    let (_, token) = street.log_token(&street.a, 3_600).await;
    let path = format!("/log/{}/checkpoint", street.log(&street.a));
    let cut = &token[..token.len() - 1];
    for text in [cut, &format!("{token}A"), &token.to_uppercase(), "tlr_", &token[4..], &format!("{cut}=")] {
        assert_eq!(street.get(&path, text).await.status, StatusCode::UNAUTHORIZED, "{text}");
    }
}

#[tokio::test]
async fn an_auditor_of_the_tenant_reads_its_log_and_others_do_not() {
    let street = Street::new().await;
    let path = format!("/log/{}/checkpoint", street.log(&street.a));
    for role in [Role::Owner, Role::Admin, Role::Auditor] {
        let bearer = street.bearer(&street.a, &[role]).await;
        assert_eq!(street.get(&path, &bearer).await.status, StatusCode::OK, "{role}");
    }
    for role in [Role::Verifier, Role::IssuerOperator] {
        let bearer = street.bearer(&street.a, &[role]).await;
        assert_eq!(street.get(&path, &bearer).await.status, StatusCode::UNAUTHORIZED, "{role}");
    }
    let other = street.bearer(&street.b, &[Role::Owner]).await;
    assert_eq!(street.get(&path, &other).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(street.get("/log/house/checkpoint", &other).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_the_published_tree_does_not_have_looks_like_what_never_was() {
    let street = Street::new().await;
    let mut bodies = Vec::new();
    for path in [
        "/log/nobody/checkpoint",
        "/log/t/ten_00000000000000000000000000/checkpoint",
        "/log/system/policy",
        "/log/system/tile/0/001",
        "/log/system/tile/0/000",
        "/log/system/tile/entries/000.p/255",
        "/log/system/tile/1/000.p/1",
        "/log/system/tile/64/000",
        "/log/system/tile/00/000",
        "/log/system/tile/0/x000/000",
        "/log/system/tile/0/0000",
        "/log/system/tile/0/000.p/0",
        "/log/system/tile/0/000.p/01",
        "/log/system/tile/0/000.p/256",
        "/log/system/tile/0/%30%30%30.p/1",
        "/log/system/tile/0/..%2f000.p/1",
        "/log/%2e%2e/system/checkpoint",
        "/log/system/%2e%2e/house/checkpoint",
        "/log/system/../house/checkpoint",
        "/log/system/./checkpoint",
        "/log//system/checkpoint",
        "/log/SYSTEM/checkpoint",
        &format!("/log/system/tile/0/{}000", "x001/".repeat(60)),
    ] {
        let answered = street.get(path, "").await;
        assert_eq!(answered.status, StatusCode::NOT_FOUND, "{path}");
        bodies.push(answered.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "equal bodies");
}

#[tokio::test]
async fn a_head_request_answers_as_a_get_without_the_body() {
    let street = Street::new().await;
    let head = street.call("HEAD", "/log/system/checkpoint", "", None).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("cache-control"), "public, max-age=1");
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let refused = street.call(method, "/log/system/checkpoint", "", None).await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
}

#[tokio::test]
async fn every_width_up_to_the_published_one_is_served() {
    let street = Street::new().await;
    street.append(&street.a, 300).await;
    street.settle().await;
    let (_, token) = street.log_token(&street.a, 3_600).await;
    let log = street.log(&street.a);
    for width in 1..=255_u64 {
        for level in ["0", "entries"] {
            let path = format!("/log/{log}/tile/{level}/000.p/{width}");
            let tile = street.get(&path, &token).await;
            assert_eq!(tile.status, StatusCode::OK, "{path}");
        }
    }
    let full = street.get(&format!("/log/{log}/tile/0/000"), &token).await;
    assert_eq!(full.body.len(), 8_192);
}

#[tokio::test]
async fn a_bundle_is_packed_for_those_who_take_gzip() {
    let street = Street::new().await;
    let size = street.audit.checkpoint(&LogId::system()).unwrap();
    let keys = street.audit.vkeys(&LogId::system());
    let size = SignedCheckpoint::open(&size, &keys).unwrap().checkpoint().size;
    let path = format!("/log/system/{}", TilePath::at(Level::Entries, 0, size).unwrap());
    let plain = street.get(&path, "").await;
    let ask = async |coding: &str| {
        let request = http::Request::get(&path).header("accept-encoding", coding);
        street.send(request.body(axum::body::Body::empty()).unwrap()).await
    };
    let packed = ask("br, gzip").await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.header("vary"), "Accept-Encoding");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    for coding in ["identity", "gzip;q=0", "br", ""] {
        assert_eq!(ask(coding).await.body, plain.body, "{coding}");
    }
}

#[tokio::test]
async fn whoever_knows_a_salted_field_has_the_proof_of_its_entry_without_a_token() {
    let street = Street::new().await;
    let (log, keys) = (street.log(&street.a), street.audit.vkeys(&street.log(&street.a)));
    let consent = [0x5c; 32];
    street.store.record(&street.ctx(&street.a), approved(consent)).await.unwrap();
    let path = format!("/log/{log}/proof?field={}", crypto::hex::encode(&consent));
    assert_eq!(street.get(&path, "").await.status, StatusCode::ACCEPTED, "nothing covers it yet");
    street.settle().await;
    let file = street.get(&path, "").await;
    assert_eq!(file.status, StatusCode::OK);
    let proven = ProofFile::parse(&file.body).unwrap().verify(&keys).unwrap();
    assert!(proven.detail.is_none(), "the detail stays the tenant's");
    assert_eq!(proven.entry.kind, "signin-approved");
}

#[tokio::test]
async fn a_field_that_is_unknown_guessable_or_another_tenants_proves_nothing() {
    let street = Street::new().await;
    let consent = [0x5c; 32];
    street.store.record(&street.ctx(&street.a), approved(consent)).await.unwrap();
    let guessable = Event::RelyingPartySealed {
        seal_sha256: [0x5e; 32],
        relying_party: "rp_1".to_owned(),
        document_seal: "dsl_1".to_owned(),
        revoked: None,
        key_use: key_use(),
    };
    street.store.record(&street.ctx(&street.a), guessable).await.unwrap();
    street.settle().await;
    let (a, b) = (street.log(&street.a), street.log(&street.b));
    let hex = crypto::hex::encode(&consent);
    for path in [
        format!("/log/{b}/proof?field={hex}"),
        format!("/log/{a}/proof?field={}", crypto::hex::encode(&[0x5e; 32])),
        format!("/log/{a}/proof?field={}", crypto::hex::encode(&[0; 32])),
        format!("/log/{a}/proof?field={}", &hex[2..]),
        format!("/log/{a}/proof?field={hex}&x=1"),
        format!("/log/{a}/proof"),
    ] {
        assert_eq!(street.get(&path, "").await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

fn approved(consent_sha256: [u8; 32]) -> Event {
    Event::SigninApproved {
        person: "per_1".to_owned(),
        consent_sha256,
        acr: 0,
        level: 1,
        signin: "sig_1".to_owned(),
        relying_party: "rp_1".to_owned(),
        requested: vec!["openid".to_owned()],
        granted: vec!["openid".to_owned()],
        denied: Vec::new(),
        enrolment: None,
        key_use: key_use(),
    }
}

fn key_use() -> KeyUse {
    KeyUse { key_id: "key_1".to_owned(), version: 1, count: 1 }
}
