//! Two tenants in one house: neither learns that the other's things exist.

use crate::house::{House, code, id};
use crate::wallet::{p256, proof_for};
use serde_json::{Value, json};
use tenancy::Role;

/// A body without what differs between any two answers.
fn body(mut value: Value) -> Value {
    for changing in ["instance", "request_id"] {
        value.as_object_mut().unwrap().remove(changing);
    }
    value
}

#[tokio::test]
async fn an_id_of_another_tenant_reads_as_one_that_never_was() {
    let house = House::new().await;
    let (issued, _) = house.collected().await;
    let open = house.offer().await;
    let stranger = house.token_for(&house.other, Role::IssuerOperator).await;
    let offer = open["offer_id"].as_str().unwrap();
    let crd = |tail: &str, id: &str| format!("/api/v1/credentials/{id}{tail}");
    let cases = [
        ("GET", crd("/status", &issued), crd("/status", "crd_00000000000000000000000000")),
        ("POST", crd("/revoke", &issued), crd("/revoke", "crd_00000000000000000000000000")),
        (
            "GET",
            format!("/api/v1/offers/{offer}"),
            "/api/v1/offers/off_00000000000000000000000000".to_owned(),
        ),
        (
            "GET",
            format!("/api/v1/credentials/offer/{}", id(&open)),
            "/api/v1/credentials/offer/crd_0".to_owned(),
        ),
        ("DELETE", format!("/api/v1/offers/{offer}"), "/api/v1/offers/x".to_owned()),
    ];
    for (method, theirs, absent) in cases {
        let foreign = house.raw(method, &theirs, &stranger, &[], "").await;
        let never = house.raw(method, &absent, &stranger, &[], "").await;
        assert_eq!((foreign.status.as_u16(), never.status.as_u16()), (404, 404), "{theirs}");
        assert_eq!(body(foreign.json()), body(never.json()), "{theirs}");
    }
    for list in ["offers", "credentials"] {
        let rows = house.raw("GET", &format!("/api/v1/{list}"), &stranger, &[], "").await.json();
        assert_eq!(rows["items"], json!([]), "{list}");
    }
    assert_eq!(house.status(&issued).await["status"], "valid");
    assert_eq!(house.redeem("default", &code(&open)).await.status, 200);
}

#[tokio::test]
async fn codes_links_and_tokens_of_one_tenant_open_nothing_at_another() {
    let house = House::new().await;
    let offer = house.offer().await;
    let link = offer["credential_offer_uri"].as_str().unwrap().rsplit('/').next().unwrap();
    assert_eq!(house.fetch(&format!("/t/other/vci/offer/{link}")).await.status, 404);
    assert_eq!(house.redeem("other", &code(&offer)).await.refusal(), (400, "invalid_grant".to_owned()));
    let granted = house.redeem("default", &code(&offer)).await.json();
    let token = granted["access_token"].as_str().unwrap();
    let proof = proof_for("other", &p256(), &house.nonce("other").await, house.now());
    let request = json!({"credential_configuration_id": "diploma", "proofs": {"jwt": [proof]}});
    let refused = house.post_as("/t/other/vci/credential", token, &[], &request).await;
    assert_eq!(refused.refusal(), (401, "invalid_token".to_owned()));
    let proof = proof_for("default", &p256(), &house.nonce("default").await, house.now());
    assert_eq!(house.ask(token, &[proof]).await.status, 200);
}

#[tokio::test]
async fn a_path_that_is_not_exactly_the_tenant_s_is_404() {
    let house = House::new().await;
    house.collected().await;
    for path in [
        "/t/Default/status/0",
        "/t/DEFAULT/status",
        "/t/none/status/0",
        "/t/other/status/1",
        "/t/default/.well-known/openid-credential-issuer",
        "/t/default/.well-known/oauth-authorization-server",
        "/t/default/.well-known/openid-configuration",
        "/.well-known/openid-credential-issuer",
        "/.well-known/openid-credential-issuer/default",
        "/.well-known/openid-credential-issuer/t/Default",
        "/.well-known/openid-credential-issuer/t/default/",
        "/.well-known/oauth-authorization-server/t/none",
        "/t/default/vci/offer/x",
        "/t/default/vci/offer",
    ] {
        assert_eq!(house.fetch(path).await.status, 404, "{path}");
    }
    for path in ["/t/Default/vci/token", "/t/none/vci/credential", "/t/none/vci/nonce"] {
        let media = [("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(house.raw("POST", path, "", &media, "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn roles_decide_who_issues_who_reads_and_who_does_neither() {
    let house = House::new().await;
    let (credential, _) = house.collected().await;
    let status = format!("/api/v1/credentials/{credential}/status");
    let revoke = format!("/api/v1/credentials/{credential}/revoke");
    for (role, reads) in [(Role::Auditor, true), (Role::Verifier, false)] {
        let token = house.token_for(&house.tenant, role).await;
        let read = house.raw("GET", &status, &token, &[], "").await.status;
        assert_eq!(read.as_u16(), if reads { 200 } else { 403 }, "{role:?}");
        assert_eq!(house.raw("POST", &revoke, &token, &[], "").await.code(), "api/forbidden");
        let issue = house.post_as("/api/v1/credentials/issue", &token, &[], &crate::house::diploma()).await;
        assert_eq!(issue.code(), "api/forbidden");
    }
    for token in ["", "x"] {
        assert_eq!(house.raw("GET", &status, token, &[], "").await.code(), "api/unauthenticated");
    }
    assert_eq!(house.status(&credential).await["status"], "valid");
}
