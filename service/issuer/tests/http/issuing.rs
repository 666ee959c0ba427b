//! Issuing: the whole way of a wallet, and what the credential says.

use crate::house::{House, PUBLIC_URL, code, id};
use crate::wallet;
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use serde_json::{Value, json};

const LIMITS: Limits = Limits { bytes_max: 1 << 20, depth_max: 32 };

#[tokio::test]
async fn a_wallet_collects_what_was_offered_and_every_act_is_one_event() {
    let house = House::new().await;
    // The first credential opens the list, and the keys' room notes until when the signer stays published.
    house.collected().await;
    house.events().await;
    let offer = house.offer().await;
    let (received, key) = wallet::collect(&house, &offer).await;
    let issuer = format!("{PUBLIC_URL}/t/default");
    assert_eq!((received.issuer.as_str(), received.configuration_id.as_str()), (issuer.as_str(), "diploma"));
    let claims = received.credential.claims();
    assert_eq!((&claims["given_name"], &claims["degree"]["type"]), (&json!("Ana"), &json!("BSc")));
    assert_eq!((&claims["iss"], &claims["vct"]), (&json!(issuer), &json!(format!("{issuer}/vct/diploma"))));
    assert_eq!(claims["status"]["status_list"]["uri"], json!(format!("{issuer}/status/0")));
    let bound_to = received.credential.holder_key().unwrap().unwrap();
    assert_eq!(bound_to.key(), &key.public());
    let jws = Jws::parse(received.credential.text().split('~').next().unwrap(), &LIMITS).unwrap();
    assert_eq!((jws.typ(), jws.x5c().unwrap().len()), (Some("dc+sd-jwt"), 1), "the root is never in x5c");
    assert_eq!(
        house.events().await,
        ["offer-created", "access-granted", "credential-issued", "notification-received"]
    );

    let status = house.status(&id(&offer)).await;
    assert_eq!((&status["status"], &status["visible_by"]), (&json!("valid"), &Value::Null));
    let copy = &status["copies"][0];
    assert_eq!((&copy["copy"], &copy["status"]), (&json!(1), &json!("valid")));
    assert_eq!(copy["status_list"], claims["status"]["status_list"]);
    assert_eq!(status["copies"].as_array().unwrap().len(), 1);
    assert_eq!(status["expires_at"], "2027-11-21T00:00:00Z");
}

#[tokio::test]
async fn a_lost_answer_loses_nothing_but_three_answers_are_all() {
    let house = House::new().await;
    let token = house.access_token().await;
    for round in 0..4 {
        let nonce = house.nonce("default").await;
        let proof = wallet::proof_for("default", &wallet::p256(), &nonce, house.now());
        let answered = house.ask(&token, &[proof]).await;
        match round {
            3 => assert_eq!(answered.refusal(), (400, "credential_request_denied".to_owned())),
            _ => assert_eq!(answered.status, 200, "{}", answered.text()),
        }
    }
    assert_eq!((house.count("credential-issued").await, house.count("issue-refused").await), (3, 1));
    house.issuer.tidy(&house.ctx()).await.unwrap();
    house.events().await;
}

#[tokio::test]
async fn an_access_token_ends_after_300_seconds_whatever_the_body_says() {
    let house = House::new().await;
    let token = house.access_token().await;
    house.advance(300);
    house.events().await;
    let nonce = house.nonce("default").await;
    let proof = wallet::proof_for("default", &wallet::p256(), &nonce, house.now());
    for body in [
        json!({"credential_configuration_id": "diploma", "proofs": {"jwt": [proof]}}).to_string(),
        "{".to_owned(),
    ] {
        let media = [("content-type", "application/json")];
        let late = house.raw("POST", "/t/default/vci/credential", &token, &media, body).await;
        assert_eq!(late.refusal(), (401, "invalid_token".to_owned()));
        assert!(late.header("www-authenticate").contains("invalid_token"));
    }
    assert_eq!(house.events().await, ["issue-refused", "issue-refused"]);
}

#[tokio::test]
async fn the_metadata_names_only_what_is_served() {
    let house = House::new().await;
    let metadata = house.fetch("/.well-known/openid-credential-issuer/t/default").await.json();
    let issuer = format!("{PUBLIC_URL}/t/default");
    assert_eq!(metadata["credential_issuer"], json!(issuer));
    let diploma = &metadata["credential_configurations_supported"]["diploma"];
    assert_eq!((&diploma["format"], &diploma["scope"]), (&json!("dc+sd-jwt"), &json!("diploma")));
    let server = house.fetch("/.well-known/oauth-authorization-server/t/default").await.json();
    assert_eq!(
        (&server["issuer"], &server["token_endpoint"]),
        (&json!(issuer), &json!(format!("{issuer}/vci/token")))
    );
    assert_eq!(metadata["batch_credential_issuance"], json!({"batch_size": 10}));
    assert_eq!(metadata["notification_endpoint"], json!(format!("{issuer}/vci/notification")));
    assert_eq!(server["dpop_signing_alg_values_supported"], json!(["ES256", "EdDSA"]));
    assert_eq!(server["token_endpoint_auth_methods_supported"], json!(["none", "attest_jwt_client_auth"]));
    let absent = [
        (&metadata, "deferred_credential_endpoint"),
        (&metadata, "credential_response_encryption"),
        (&server, "pushed_authorization_request_endpoint"),
        (&server, "authorization_endpoint"),
    ];
    for (document, name) in absent {
        assert!(document.get(name).is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_signer_that_ends_within_a_day_refuses_and_nothing_is_spent() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    let leaf = house.custody.signer(&house.ctx(), custody::KeyRef::Use("jws:dc+sd-jwt")).await.unwrap();
    let late = leaf.ends_at.unwrap() - jiff::SignedDuration::from_hours(23);
    house.advance((late.as_second() - house.now().as_second()).unsigned_abs());
    let bearer = house.token_for(&house.tenant, tenancy::Role::IssuerOperator).await;
    let refused = house.post_as("/api/v1/credentials/issue", &bearer, &[], &crate::house::diploma()).await;
    assert_eq!(refused.refusal(), (503, "issuer/signer-expiring".to_owned()));
    assert!(refused.headers.contains_key("retry-after"));
    let path = format!("/api/v1/credentials/{credential}/revoke");
    assert_eq!(house.raw("POST", &path, &bearer, &[], "").await.status, 200, "taking back needs no signer");
    let list = house.fetch("/t/default/status/0").await;
    assert_eq!(list.refusal(), (503, "issuer/signer-expiring".to_owned()));
    assert_eq!((house.count("offer-created").await, house.count("status-list-signed").await), (1, 0));
}

#[tokio::test]
async fn a_signer_that_would_end_too_soon_costs_the_wallet_neither_round_nor_nonce() {
    // Of a signer of 397 days at least 398 must be left: none has that.
    let short = House::with(|config| config.signer_min_left_s = 0).await;
    let offer = short.offer().await;
    let granted = short.redeem("default", &code(&offer)).await.json();
    let token = granted["access_token"].as_str().unwrap();
    let nonce = short.nonce("default").await;
    let proof = wallet::proof_for("default", &wallet::p256(), &nonce, short.now());
    let ctx = short.ctx();
    let strict = issuer::Config { signer_min_left_s: 398 * 86_400, ..issuer::Config::new(PUBLIC_URL) };
    let strict = issuer::Issuer::new(short.store.clone(), short.custody.clone(), strict);
    let body = json!({"credential_configuration_id": "diploma", "proofs": {"jwt": [proof]}}).to_string();
    short.events().await;
    let bearer = format!("Bearer {token}");
    let access = openid::vci::request::access_token(Some(&bearer), None).unwrap();
    let shown = issuer::possession::Shown { access, dpop: None };
    let refused = strict.issue(&ctx, "default", &shown, body.as_bytes()).await;
    assert!(matches!(
        refused,
        Err(issuer::credential::IssueError::Signer(custody::SignError::Expiring { .. }))
    ));
    assert!(short.events().await.is_empty());
    assert_eq!(short.ask(token, &[proof]).await.status, 200, "code, round and nonce stayed good");
}

#[tokio::test]
async fn the_wallet_is_told_503_when_the_signer_ends_too_soon() {
    let house = House::with(|config| config.signer_min_left_s = 0).await;
    let token = house.access_token().await;
    let nonce = house.nonce("default").await;
    let strict = issuer::Config { signer_min_left_s: 398 * 86_400, ..issuer::Config::new(PUBLIC_URL) };
    let strict = issuer::Issuer::new(house.store.clone(), house.custody.clone(), strict);
    let router = house.edge.router(custody::http::doors(&house.custody).and(strict.doors()));
    let house = house.behind(router);
    let proof = wallet::proof_for("default", &wallet::p256(), &nonce, house.now());
    let refused = house.ask(&token, &[proof]).await;
    assert_eq!(refused.refusal(), (503, "temporarily_unavailable".to_owned()));
    assert!(refused.headers.contains_key("retry-after"));
}
