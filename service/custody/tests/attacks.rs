//! Attacks on keys, each of which must fail: oracle, tenancy, states, once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;

use std::collections::HashSet;
use std::sync::Arc;

use crypto::jose::jws::{Draft, Jws};
use crypto::json::Limits;
use house::{Answered, House};
use serde_json::{Value, json};
use store::{Reason, Stmt};
use tenancy::Role;
use tessera_custody::keeper::KeeperFault;
use tessera_custody::{Config, KeyRef, LIST_USE, REQUEST_USE, SD_JWT_USE, SignError};

const LIMITS: Limits = Limits { bytes_max: 1 << 20, depth_max: 32 };

async fn make(house: &House, token: &str, uses: &[&str]) -> String {
    let answered = house.post("/api/v1/keys", token, json!({"alg":"p256","label":"x","uses":uses})).await;
    assert_eq!(answered.status, 201, "{}", answered.text());
    answered.json()["id"].as_str().unwrap().to_owned()
}

async fn sign(house: &House, token: &str, key_id: &str, body: Value) -> Answered {
    house.post(&format!("/api/v1/keys/{key_id}/sign"), token, body).await
}

/// Edits the database behind the house's back.
async fn edit(house: &House, sql: &'static str, texts: &[&str]) {
    let stmt = texts.iter().fold(Stmt::new(sql), |stmt, text| stmt.text(*text));
    let rows = house.store.housekeeping(&house.system(), Reason::Cursor, vec![stmt]).await.unwrap();
    assert!(rows > 0, "{sql}");
}

#[tokio::test]
async fn no_door_signs_a_digest() {
    let house = House::new().await;
    let token = house.token(&house.tenant, &[Role::IssuerOperator, Role::Admin]).await;
    let key = make(&house, &token, &["jws:*"]).await;
    for body in [
        json!({"format":"raw","payload_b64":"AA"}),
        json!({"format":"jws","typ":"t","digest":"AA"}),
        json!({"format":"jws","typ":"t","hash":"AA"}),
        json!({"format":"jws","typ":"t","payload":{},"digest":null}),
        json!({"format":"digest","payload_b64":"AA"}),
        json!({"digest":"AA"}),
        json!({"hash":"AA","hash_algorithm":"sha2-256"}),
    ] {
        let refused = sign(&house, &token, &key, body.clone()).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (422, "keys/raw-digest-refused"),
            "{body}"
        );
    }
    assert_eq!(house.count("key-used").await, 0);
    assert_eq!(house.count("key-use-refused").await, 7);
}

#[tokio::test]
async fn a_jws_key_signs_no_cose_and_a_cose_key_no_jws() {
    let house = House::new().await;
    let token = house.token(&house.tenant, &[Role::Admin]).await;
    let (jws, cose) = (make(&house, &token, &["jws:*"]).await, make(&house, &token, &["cose:*"]).await);
    let as_jws = json!({"format":"jws","typ":"t","payload":{}});
    let as_cose = json!({"format":"cose_sign1","content_type":"application/cbor","payload_b64":"oA"});
    assert_eq!(sign(&house, &token, &jws, as_cose.clone()).await.code(), "keys/use-refused");
    assert_eq!(sign(&house, &token, &cose, as_jws.clone()).await.code(), "keys/use-refused");
    assert_eq!(sign(&house, &token, &jws, as_jws).await.status, 200);
    assert_eq!(sign(&house, &token, &cose, as_cose).await.status, 200);
}

#[tokio::test]
async fn headers_that_point_to_another_key_or_change_the_meaning_are_refused() {
    let house = House::new().await;
    let token = house.token(&house.tenant, &[Role::Admin]).await;
    let key = make(&house, &token, &["jws:*"]).await;
    for name in
        ["jku", "crit", "x5u", "jwk", "x5c", "x5t", "x5t#S256", "kid", "alg", "typ", "b64", "zip", "enc"]
    {
        let body = json!({"format":"jws","typ":"t","payload":{},"header":{name:["x"]}});
        let refused = sign(&house, &token, &key, body).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (422, "keys/header-refused"),
            "{name}"
        );
        assert_eq!(refused.json()["errors"][0]["pointer"], format!("/header/{name}"));
    }
}

#[tokio::test]
async fn a_typ_outside_the_uses_and_one_that_a_room_signs_are_refused() {
    let house = House::new().await;
    let token = house.token(&house.tenant, &[Role::Admin]).await;
    let (one, any) = (make(&house, &token, &["jws:a+jwt"]).await, make(&house, &token, &["jws:*"]).await);
    let typ = |typ: &str| json!({"format":"jws","typ":typ,"payload":{"vct":"x"}});
    for other in ["b+jwt", "a", "a+jwt2"] {
        assert_eq!(sign(&house, &token, &one, typ(other)).await.code(), "keys/use-refused", "{other}");
    }
    for room in [
        "dc+sd-jwt",
        "DC+SD-JWT",
        "application/dc+sd-jwt",
        "statuslist+jwt",
        "oauth-authz-req+jwt",
        "at+jwt",
        "kb+jwt",
    ] {
        assert_eq!(sign(&house, &token, &any, typ(room)).await.code(), "keys/use-refused", "{room}");
        let uses = [format!("jws:{room}")];
        let made = house.post("/api/v1/keys", &token, json!({"alg":"p256","label":"x","uses":uses})).await;
        assert_eq!(made.json()["errors"][0]["pointer"], "/uses/0", "{room}");
    }
    for uses in [
        json!(["note:ledger.test/log/house"]),
        json!(["ecdh:jwe"]),
        json!(["cose:mso_mdoc"]),
        json!(["jws:*", "cose:*"]),
    ] {
        let made = house.post("/api/v1/keys", &token, json!({"alg":"p256","label":"x","uses":uses})).await;
        assert_eq!(made.status, 422);
    }
}

#[tokio::test]
async fn a_rooms_key_signs_nothing_over_http() {
    let house = House::new().await;
    let token = house.token(&house.tenant, &[Role::Owner]).await;
    for one in [SD_JWT_USE, LIST_USE, REQUEST_USE, "x509:ca"] {
        let key = house.custody.signer(&house.ctx(), KeyRef::Use(one)).await.unwrap().key_id;
        let typ = one.strip_prefix("jws:").unwrap_or("t");
        let refused = sign(&house, &token, &key, json!({"format":"jws","typ":typ,"payload":{}})).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "keys/use-refused"), "{one}");
    }
    assert_eq!(house.count("key-used").await, 0);
}

#[tokio::test]
async fn a_foreign_key_gets_the_404_of_an_absent_one_on_every_route() {
    let house = House::new().await;
    let mine = house.token(&house.tenant, &[Role::Owner]).await;
    let theirs = house.token(&house.other, &[Role::Owner]).await;
    let key = make(&house, &theirs, &["jws:*", "x509:csr"]).await;
    let signed = json!({"format":"jws","typ":"t","payload":{}});
    let routes: [(&str, &str, Option<Value>); 13] = [
        ("GET", "", None),
        ("PATCH", "", Some(json!({"label":"y"}))),
        ("GET", "/accesses", None),
        ("GET", "/public", None),
        ("GET", "/public?format=jwks", None),
        ("POST", "/sign", Some(signed)),
        ("POST", "/rotate", None),
        ("POST", "/versions/1/activate", None),
        ("POST", "/versions/1/freeze", None),
        ("POST", "/versions/1/compromise", None),
        ("POST", "/versions/1/destroy", Some(json!({"confirm":"x","now":true}))),
        ("GET", "/versions/1/csr", None),
        ("POST", "/versions/1/retire", None),
    ];
    let stripped = |answered: &Answered| {
        let mut body = answered.json();
        for member in ["instance", "request_id"] {
            body.as_object_mut().unwrap().remove(member);
        }
        (answered.status, body)
    };
    for (method, rest, body) in routes {
        let foreign = house.call(method, &format!("/api/v1/keys/{key}{rest}"), &mine, body.clone()).await;
        let absent = "/api/v1/keys/key_00000000000000000000000000";
        let absent = house.call(method, &format!("{absent}{rest}"), &mine, body).await;
        assert_eq!(foreign.status, 404, "{method} {rest}: {}", foreign.text());
        assert_eq!(stripped(&foreign), stripped(&absent), "{method} {rest}");
    }
    let shown = house.get(&format!("/api/v1/keys/{key}"), &theirs).await.json();
    assert_eq!((shown["state"].as_str(), shown["label"].as_str()), (Some("active"), Some("x")), "untouched");
    let listed = house.get("/api/v1/keys?limit=200", &mine).await.text();
    assert!(!listed.contains(&key));
}

#[tokio::test]
async fn the_blob_of_one_tenant_does_not_open_under_another() {
    let house = House::new().await;
    let (mine, theirs) = (house.ctx(), house.inside(&house.other));
    let own = house.custody.signer(&mine, KeyRef::Use(SD_JWT_USE)).await.unwrap();
    let foreign = house.custody.signer(&theirs, KeyRef::Use(SD_JWT_USE)).await.unwrap();
    edit(
        &house,
        "UPDATE custody_key_version SET sealed = (SELECT v.sealed FROM custody_key_version v WHERE v.key_id = $2)
         WHERE key_id = $1",
        &[&own.key_id, &foreign.key_id],
    )
    .await;
    let refused =
        house.custody.sign_jws(&mine, KeyRef::Use(SD_JWT_USE), Draft::new("dc+sd-jwt", *b"{}")).await;
    assert_eq!(refused, Err(SignError::Keeper(KeeperFault::Shut { key_id: own.key_id, version: 1 })));
}

#[tokio::test]
async fn the_wrapping_key_of_one_tenant_does_not_open_under_another() {
    let house = House::new().await;
    edit(
        &house,
        "UPDATE store_kek SET wrapped = (SELECT k.wrapped FROM store_kek k WHERE k.tenant_id = $2 AND k.purpose = 'keys')
         WHERE tenant_id = $1 AND purpose = 'keys'",
        &[house.tenant.id.as_str(), house.other.id.as_str()],
    )
    .await;
    house.store.kek_rotated(&house.ctx());
    let refused = house
        .custody
        .sign_jws(&house.ctx(), KeyRef::Use(LIST_USE), Draft::new("statuslist+jwt", *b"{}"))
        .await;
    assert!(matches!(refused, Err(SignError::Keeper(KeeperFault::Store(_)))), "{refused:?}");
}

#[tokio::test]
async fn a_row_that_was_widened_or_moved_does_not_open() {
    for sql in [
        "UPDATE custody_key SET uses = 'jws:*' WHERE key_id = $1",
        "UPDATE custody_key SET uses = 'jws:dc+sd-jwt jws:statuslist+jwt' WHERE key_id = $1",
        "UPDATE custody_key SET alg = 'p384' WHERE key_id = $1",
        "UPDATE custody_key_version SET sealed = X'00' WHERE key_id = $1",
        "UPDATE custody_key_version SET sealed = NULL WHERE key_id = $1",
    ] {
        let house = House::new().await;
        let key_id = house.custody.signer(&house.ctx(), KeyRef::Use(SD_JWT_USE)).await.unwrap().key_id;
        edit(&house, sql, &[&key_id]).await;
        let refused =
            house.custody.sign_jws(&house.ctx(), KeyRef::Id(&key_id), Draft::new("dc+sd-jwt", *b"{}")).await;
        assert!(matches!(refused, Err(SignError::Keeper(KeeperFault::Shut { .. }))), "{sql}: {refused:?}");
    }
}

#[tokio::test]
async fn a_key_that_does_not_open_is_a_503_that_names_no_row() {
    let house = House::new().await;
    let token = house.token(&house.tenant, &[Role::Admin]).await;
    let key = make(&house, &token, &["jws:*"]).await;
    edit(&house, "UPDATE custody_key_version SET sealed = X'54534b31' WHERE key_id = $1", &[&key]).await;
    let refused = sign(&house, &token, &key, json!({"format":"jws","typ":"t","payload":{}})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (503, "keys/keeper-unavailable"));
    assert!(refused.headers.contains_key("retry-after"));
    assert!(!refused.text().contains("sealed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_parallel_rotates_one_wins() {
    let house = Arc::new(House::new().await);
    let token = house.token(&house.tenant, &[Role::Admin]).await;
    let key = make(&house, &token, &["jws:*"]).await;
    let path = format!("/api/v1/keys/{key}/rotate");
    let tries: Vec<_> = (0..64)
        .map(|_| {
            let (house, token, path) = (house.clone(), token.clone(), path.clone());
            tokio::spawn(async move { house.call("POST", &path, &token, None).await })
        })
        .collect();
    let mut won = 0;
    for one in tries {
        let answered = one.await.unwrap();
        won += usize::from(answered.status == 200);
        assert!(answered.status == 200 || answered.code() == "keys/state", "{}", answered.text());
    }
    assert_eq!(won, 1);
    let shown = house.get(&format!("/api/v1/keys/{key}"), &token).await.json();
    assert_eq!((shown["active_version"].as_u64(), shown["versions"].as_array().unwrap().len()), (Some(2), 2));
    assert_eq!(house.count("key-rotated").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_freeze_is_not_overtaken_by_signatures() {
    let house = Arc::new(House::new().await);
    let token = house.token(&house.tenant, &[Role::Admin]).await;
    let key = make(&house, &token, &["jws:*"]).await;
    let signers: Vec<_> = (0..48)
        .map(|_| {
            let (house, token, key) = (house.clone(), token.clone(), key.clone());
            tokio::spawn(async move {
                sign(&house, &token, &key, json!({"format":"jws","typ":"t","payload":{}})).await
            })
        })
        .collect();
    let frozen = house.call("POST", &format!("/api/v1/keys/{key}/versions/1/freeze"), &token, None).await;
    assert_eq!(frozen.status, 200, "{}", frozen.text());
    let mut signed = 0;
    for one in signers {
        let answered = one.await.unwrap();
        signed += usize::from(answered.status == 200);
        assert!(answered.status == 200 || answered.code() == "keys/state", "{}", answered.text());
    }
    assert_eq!(house.count("key-used").await, signed, "each signature that left has its event");
    let used = house.custody.key(&house.ctx(), &key).await.unwrap().versions[0].uses;
    assert_eq!(used, signed as u64);
}

#[tokio::test]
async fn signatures_beyond_the_quota_are_429_and_leave_nothing() {
    let house = House::with(Config { sign_per_s: 2, ..Config::default() }, true).await;
    let token = house.token(&house.tenant, &[Role::Admin]).await;
    let key = make(&house, &token, &["jws:*"]).await;
    let item = json!({"format":"jws","typ":"t","payload":{}});
    let batch: Vec<Value> = (0..256).map(|_| item.clone()).collect();
    assert_eq!(sign(&house, &token, &key, json!({ "items": batch })).await.status, 200);
    let refused = sign(&house, &token, &key, item.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "keys/quota"));
    assert_eq!(refused.headers["retry-after"], "1");
    house.advance(1);
    assert_eq!(sign(&house, &token, &key, item).await.status, 200);
    assert_eq!(house.count("key-used").await, 2);
}

#[tokio::test]
async fn a_key_that_signed_as_often_as_it_may_gets_a_successor() {
    let house = House::new().await;
    let token = house.token(&house.tenant, &[Role::Admin]).await;
    let body =
        json!({"alg":"p256","label":"x","uses":["jws:*"],"rotation":{"max_uses":3,"publish_ahead_s":3600}});
    let key = house.post("/api/v1/keys", &token, body).await.json()["id"].as_str().unwrap().to_owned();
    let item = json!({"format":"jws","typ":"t","payload":{}});
    sign(&house, &token, &key, json!({"items":[item, item, item]})).await;
    house.custody.tick(&house.system()).await.unwrap();
    house.advance(3_600);
    house.custody.tick(&house.system()).await.unwrap();
    let token = house.token(&house.tenant, &[Role::Admin]).await;
    assert_eq!(house.get(&format!("/api/v1/keys/{key}"), &token).await.json()["active_version"], 2);
}

#[tokio::test]
async fn bad_input_of_every_kind_is_refused_with_a_place_and_never_a_500() {
    let house = House::new().await;
    let token = house.token(&house.tenant, &[Role::Owner]).await;
    let key = make(&house, &token, &["jws:*", "x509:csr"]).await;
    let deep = "[".repeat(40) + &"]".repeat(40);
    let bodies = [
        "",
        "null",
        "[]",
        "{",
        "{}",
        "{\"a\":1,\"a\":2}",
        "\u{feff}{}",
        "{\"format\":1}",
        "{\"items\":{}}",
        "{\"items\":[1]}",
        "{\"format\":\"jws\",\"typ\":\"t\",\"payload\":[]}",
        "{\"alg\":\"p256\"}",
        "{\"label\":7}",
        "{\"confirm\":[]}",
        "{\"reason\":\"whim\"}",
        "{\"certificate_pem\":\"x\",\"contexts\":[\"issuer\"]}",
        deep.as_str(),
        "{\"format\":\"jws\",\"typ\":\"t\",\"payload_b64\":\"\\u0000\"}",
        "{\"format\":\"jws\",\"typ\":\"é\",\"payload\":{}}",
    ];
    let paths = [
        "/api/v1/keys".to_owned(),
        format!("/api/v1/keys/{key}/sign"),
        format!("/api/v1/keys/{key}/rotate"),
        format!("/api/v1/keys/{key}/versions/1/freeze"),
        format!("/api/v1/keys/{key}/versions/99999999999/freeze"),
        format!("/api/v1/keys/{key}/versions/-1/destroy"),
        format!("/api/v1/keys/{key}/versions/1/destroy"),
        "/api/v1/keys/%00/sign".to_owned(),
        "/api/v1/trust-anchors".to_owned(),
    ];
    for path in &paths {
        for body in bodies {
            let request = http::Request::post(path)
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/json")
                .body(axum::body::Body::from(body.to_owned()))
                .unwrap();
            let answered = house.send(request).await;
            let status = answered.status.as_u16();
            let is_move = status == 200
                && (path.ends_with("rotate") || path.ends_with("freeze"))
                && matches!(body, "{}" | "");
            assert!((400..500).contains(&status) || is_move, "{path} {body}: {}", answered.text());
        }
    }
    for query in
        ["?limit=0", "?limit=x", "?state=Active", "?alg=rsa", "?after=%21", "?unknown=1", "?limit=1&limit=2"]
    {
        let refused = house.get(&format!("/api/v1/keys{query}"), &token).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "api/invalid-query"), "{query}");
    }
    assert_eq!(house.count("key-used").await, 0);
}

/// Signs `count` times and finds no r twice (nor any signature).
async fn no_r_comes_twice(count: usize) {
    let house = House::new().await;
    let ctx = house.ctx();
    let mut seen = HashSet::new();
    for _ in 0..count {
        let signed = house
            .custody
            .sign_jws(&ctx, KeyRef::Use(SD_JWT_USE), Draft::new("dc+sd-jwt", *b"{}"))
            .await
            .unwrap();
        let jws = Jws::parse(&signed.compact, &LIMITS).unwrap();
        assert!(seen.insert(jws.signature()[..32].to_vec()));
    }
}

#[tokio::test]
async fn of_2000_ecdsa_signatures_no_two_share_r() {
    no_r_comes_twice(2_000).await;
}

#[tokio::test]
#[ignore = "takes a minute: run with --include-ignored"]
async fn of_100000_ecdsa_signatures_no_two_share_r() {
    no_r_comes_twice(100_000).await;
}

#[tokio::test]
async fn roles_reach_only_the_doors_of_their_column() {
    let house = House::new().await;
    let admin = house.token(&house.tenant, &[Role::Admin]).await;
    let key = make(&house, &admin, &["jws:*"]).await;
    let path = format!("/api/v1/keys/{key}");
    let signed = json!({"format":"jws","typ":"t","payload":{}});
    for (role, may_read, may_sign, may_admin, may_audit) in [
        (Role::Owner, true, true, true, true),
        (Role::Admin, true, true, true, true),
        (Role::IssuerOperator, true, true, false, false),
        (Role::Auditor, true, false, false, true),
        (Role::Verifier, false, false, false, false),
    ] {
        let token = house.token(&house.tenant, &[role]).await;
        let status = |may: bool| if may { 200 } else { 403 };
        assert_eq!(house.get(&path, &token).await.status, status(may_read), "{role} reads");
        assert_eq!(
            house.get(&format!("{path}/public"), &token).await.status,
            200,
            "{role} reads a public part"
        );
        assert_eq!(sign(&house, &token, &key, signed.clone()).await.status, status(may_sign), "{role} signs");
        let patched = house.call("PATCH", &path, &token, Some(json!({"label":"y"}))).await;
        assert_eq!(patched.status, status(may_admin), "{role} changes");
        assert_eq!(
            house.get(&format!("{path}/accesses"), &token).await.status,
            status(may_audit),
            "{role} audits"
        );
    }
    for (method, path) in [("GET", path.as_str()), ("POST", "/api/v1/keys"), ("GET", "/api/v1/trust-anchors")]
    {
        assert_eq!(house.call(method, path, "", None).await.status, 401, "nobody without a token");
    }
}
