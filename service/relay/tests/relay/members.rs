//! Joining by a link and a proof, and what an administrator may do.

use crate::house::House;
use crypto::base64;
use crypto::schnorr::SchnorrSecret;
use mailbox::link::MemberLink;
use serde_json::{Value, json};
use tenancy::service_account::NewAccount;
use tenancy::{Role, Roles};
use tessera_relay::member::{join_label, join_statement};

async fn token(house: &House, role: Role) -> String {
    token_in(house, &house.ctx(), role).await
}

/// A token of a service account in the tenant of `ctx`.
async fn token_in(house: &House, ctx: &store::Ctx, role: Role) -> String {
    let new = NewAccount { name: "test".to_owned(), roles: Roles::of(&[role]), ttl_s: None, jwk: None };
    let tenancy = house.edge.tenancy();
    let made = tenancy.create_account(ctx, Roles::of(&[Role::Owner]), new, None).await.unwrap();
    let pair = format!("{}:{}", made.account.id, made.secret.unwrap().expose());
    let basic = base64::std_encode(pair.as_bytes());
    let (status, body) = house.form("/oauth/token", &basic, "grant_type=client_credentials").await;
    assert_eq!(status, 200);
    json(&body)["access_token"].as_str().unwrap().to_owned()
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

async fn challenge(house: &House) -> [u8; 32] {
    let (status, body) = house.http("POST", "/relay/v1/challenges", "", "").await;
    assert_eq!(status, 201);
    base64::url_decode(json(&body)["challenge"].as_str().unwrap()).unwrap().try_into().unwrap()
}

fn request(link: &MemberLink, secret: &SchnorrSecret, challenge: &[u8; 32], issuer: &[u8; 32]) -> Value {
    let label = join_label();
    let proof = secret.prove(&join_statement(&label, issuer, 0, challenge), &[1; 32]);
    json!({
        "code": base64::url_encode(&link.code),
        "key": base64::url_encode(&secret.public()),
        "challenge": base64::url_encode(challenge),
        "proof": base64::url_encode(&proof),
    })
}

async fn join(house: &House, body: &Value) -> (u16, Value) {
    let (status, body) = house.http("POST", "/relay/v1/join", "", &body.to_string()).await;
    (status, json(&body))
}

fn issuer(house: &House) -> [u8; 32] {
    house.manifest().manifest().token_issuer.identity.0
}

#[tokio::test]
async fn a_link_makes_one_member_and_is_spent() {
    let house = House::new().await;
    let (link, _) = house.relay.member_link(&house.ctx()).await.unwrap();
    assert_eq!(link.network, house.manifest().network());
    let ana = SchnorrSecret::generate();
    let (status, body) = join(&house, &request(&link, &ana, &challenge(&house).await, &issuer(&house))).await;
    assert_eq!(status, 201, "{body}");
    let id = body["member"].as_str().unwrap().to_owned();
    let bo = SchnorrSecret::generate();
    let (status, body) = join(&house, &request(&link, &bo, &challenge(&house).await, &issuer(&house))).await;
    assert_eq!((status, body["code"].as_str()), (409, Some("relay/link-spent")));
    let member = house.relay.member(&house.ctx(), &id).await.unwrap();
    assert_eq!(member.state, "active");
    assert_eq!(member.added_day, house.now_ms() as i64 / 86_400_000);
    let events = house.events().await;
    assert!(
        events.ends_with(
            &["relay-member-invited", "relay-member-added", "relay-join-refused"].map(String::from)
        )
    );
}

#[tokio::test]
async fn sixty_four_wallets_with_one_link_make_one_member() {
    let house = House::new().await;
    let (link, _) = house.relay.member_link(&house.ctx()).await.unwrap();
    let issuer = issuer(&house);
    let tries = (0..64).map(|_| async {
        let secret = SchnorrSecret::generate();
        let (challenge, _) = house.relay.challenge(&house.ctx()).unwrap();
        let label = join_label();
        let proof = secret.prove(&join_statement(&label, &issuer, 0, &challenge), &[1; 32]);
        let request =
            tessera_relay::member::JoinRequest { code: link.code, key: secret.public(), challenge, proof };
        house.relay.join(&house.ctx(), &request).await.is_ok()
    });
    let made = futures_util::future::join_all(tries).await;
    assert_eq!(made.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(house.count("relay-member-added").await, 1);
    assert_eq!(house.count("relay-join-refused").await, 63);
}

#[tokio::test]
async fn a_proof_for_another_relay_epoch_or_challenge_makes_nobody() {
    let house = House::new().await;
    let (link, _) = house.relay.member_link(&house.ctx()).await.unwrap();
    let secret = SchnorrSecret::generate();
    let foreign = request(&link, &secret, &challenge(&house).await, &[9; 32]);
    assert_eq!(join(&house, &foreign).await.1["code"], "relay/proof-invalid");
    let used = challenge(&house).await;
    let mut changed = request(&link, &secret, &used, &issuer(&house));
    changed["key"] = base64::url_encode(&SchnorrSecret::generate().public()).into();
    assert_eq!(join(&house, &changed).await.1["code"], "relay/proof-invalid");
    // The challenge is spent by the attempt.
    let again = request(&link, &secret, &used, &issuer(&house));
    assert_eq!(join(&house, &again).await.1["code"], "relay/challenge-spent");
    let late = challenge(&house).await;
    house.sleepwalk(60_000);
    let late = request(&link, &secret, &late, &issuer(&house));
    assert_eq!(join(&house, &late).await.1["code"], "relay/challenge-spent");
    assert_eq!(house.count("relay-join-refused").await, 4);
    // And nothing was spent of the link.
    let good = request(&link, &secret, &challenge(&house).await, &issuer(&house));
    assert_eq!(join(&house, &good).await.0, 201);
}

#[tokio::test]
async fn the_identity_and_what_is_no_point_are_no_member_keys() {
    let house = House::new().await;
    let (link, _) = house.relay.member_link(&house.ctx()).await.unwrap();
    for key in [[0; 32], [0xff; 32]] {
        let mut body = request(&link, &SchnorrSecret::generate(), &challenge(&house).await, &issuer(&house));
        body["key"] = base64::url_encode(&key).into();
        // With Y the identity, R = s·B would pass in a verifier that takes it.
        body["proof"] = base64::url_encode(&[0; 64]).into();
        let (status, answer) = join(&house, &body).await;
        assert_eq!((status, answer["code"].as_str()), (401, Some("relay/proof-invalid")));
    }
}

#[tokio::test]
async fn an_expired_link_makes_nobody() {
    let house = House::new().await;
    let (link, _) = house.relay.member_link(&house.ctx()).await.unwrap();
    house.sleepwalk(7 * 86_400_000);
    let secret = SchnorrSecret::generate();
    let label = join_label();
    let (challenge, _) = house.relay.challenge(&house.ctx()).unwrap();
    let proof = secret.prove(&join_statement(&label, &issuer(&house), 7, &challenge), &[1; 32]);
    let request =
        tessera_relay::member::JoinRequest { code: link.code, key: secret.public(), challenge, proof };
    let refused = house.relay.join(&house.ctx(), &request).await.unwrap_err();
    assert_eq!(refused.code(), "relay/link-spent");
    house.relay.tidy(&house.ctx()).await.unwrap();
}

#[tokio::test]
async fn an_administrator_adds_suspends_resumes_and_removes_members() {
    let house = House::new().await;
    let admin = token(&house, Role::Admin).await;
    let key = json!({"key": base64::url_encode(&SchnorrSecret::generate().public())}).to_string();
    let (status, body) = house.http("POST", "/api/v1/members", &admin, &key).await;
    assert_eq!(status, 201);
    let id = json(&body)["member"].as_str().unwrap().to_owned();
    let (status, body) = house.http("POST", "/api/v1/members", &admin, &key).await;
    assert_eq!((status, json(&body)["code"].as_str()), (422, Some("relay/member-key")));
    let (status, body) = house.http("POST", "/api/v1/members", &admin, "").await;
    assert_eq!(status, 201);
    assert!(MemberLink::parse(json(&body)["link"].as_str().unwrap()).is_some());
    for (verb, status, state) in
        [("suspend", 200, "suspended"), ("suspend", 409, ""), ("resume", 200, "active"), ("resume", 409, "")]
    {
        let (found, body) = house.http("POST", &format!("/api/v1/members/{id}/{verb}"), &admin, "").await;
        assert_eq!(found, status, "{verb}");
        if status == 200 {
            assert_eq!(json(&body)["state"], state);
        }
    }
    let (_, body) = house.http("GET", "/api/v1/members", &admin, "").await;
    assert_eq!(json(&body)["items"].as_array().unwrap().len(), 1);
    let (status, _) = house.http("DELETE", &format!("/api/v1/members/{id}"), &admin, "").await;
    assert_eq!(status, 204);
    assert_eq!(house.http("GET", &format!("/api/v1/members/{id}"), &admin, "").await.0, 404);
    assert_eq!(house.count("relay-member-added").await, 1);
    assert_eq!(house.count("relay-member-suspended").await, 1);
    assert_eq!(house.count("relay-member-resumed").await, 1);
    assert_eq!(house.count("relay-member-removed").await, 1);
}

#[tokio::test]
async fn an_administrator_of_another_tenant_neither_sees_nor_makes_nor_ends_members() {
    let house = House::new().await;
    let admin = token(&house, Role::Admin).await;
    let key = json!({"key": base64::url_encode(&SchnorrSecret::generate().public())}).to_string();
    let (_, body) = house.http("POST", "/api/v1/members", &admin, &key).await;
    let id = json(&body)["member"].as_str().unwrap().to_owned();
    let stranger = token_in(&house, &house.other_tenant().await, Role::Admin).await;
    let (status, body) = house.http("GET", "/api/v1/members", &stranger, "").await;
    assert_eq!((status, json(&body)["items"].as_array().unwrap().len()), (200, 0));
    for (method, path) in [
        ("GET", format!("/api/v1/members/{id}")),
        ("DELETE", format!("/api/v1/members/{id}")),
        ("POST", format!("/api/v1/members/{id}/suspend")),
        ("POST", format!("/api/v1/members/{id}/resume")),
    ] {
        assert_eq!(house.http(method, &path, &stranger, "").await.0, 404, "{method} {path}");
    }
    for body in ["", key.as_str()] {
        assert_eq!(house.http("POST", "/api/v1/members", &stranger, body).await.0, 404);
    }
    let (_, body) = house.http("GET", "/api/v1/members", &admin, "").await;
    assert_eq!(json(&body)["items"][0]["state"], "active");
    assert_eq!(house.count("relay-member-added").await, 1);
}

#[tokio::test]
async fn an_auditor_reads_the_promise_and_the_members_and_changes_nothing() {
    let house = House::new().await;
    let auditor = token(&house, Role::Auditor).await;
    let (status, body) = house.http("GET", "/api/v1/privacy", &auditor, "").await;
    let promise = json(&body);
    assert_eq!(status, 200);
    assert_eq!((promise["tokens"].as_str(), promise["dev"].as_bool()), (Some("off"), Some(true)));
    assert_eq!((promise["epsilon"].as_str(), promise["trust_domains"].as_u64()), (Some("0"), Some(1)));
    assert_eq!(house.http("GET", "/api/v1/members", &auditor, "").await.0, 200);
    assert_eq!(house.http("POST", "/api/v1/members", &auditor, "").await.0, 403);
    assert_eq!(house.http("GET", "/api/v1/privacy", "", "").await.0, 401);
    assert_eq!(house.http("GET", "/api/v1/privacy", &token(&house, Role::Verifier).await, "").await.0, 403);
}
