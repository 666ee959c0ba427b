//! The other ways: an answer in the clear, other names of ours, a request for a wallet's nonce, and what HAIP forbids.

use crate::house::{House, failure, id_of, outcome, path_of, query};
use crate::people::Asked;
use axum::body::Body;
use credential::trust::{Anchor, Anchors, Context, PathCache, Trust};
use http::{Request, StatusCode, header};
use openid::errand::Answered as Fetched;
use openid::oauth::form;
use openid::vp::wallet::{CheckedRequest, PresentationLink};
use openid::wire::Reach;
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";

fn asking(members: &Value) -> Value {
    let mut body = json!({"dcql_query": query()});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

impl House {
    async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> crate::house::Answered {
        let request = Request::post(path).header(header::CONTENT_TYPE, FORM);
        self.send(request.body(Body::from(form::encode(fields))).unwrap()).await
    }

    /// The form of an answer in the clear.
    fn in_the_clear(&self, asked: &Asked, state: Option<&str>) -> String {
        let vp_token = json!({"d": [self.shown(&self.diploma(), asked)]}).to_string();
        let state = state.map(|state| ("state", state));
        form::encode(
            &[Some(("vp_token", vp_token.as_str())), state].into_iter().flatten().collect::<Vec<_>>(),
        )
    }
}

#[tokio::test]
async fn an_answer_in_the_clear_is_taken_where_it_was_asked_for() {
    let house = House::new().await;
    let body = asking(&json!({"response_mode": "direct_post"}));
    let made = house.ask_with(&body).await;
    let asked = house.fetch(&made).await;
    assert_eq!(asked.text("response_mode"), "direct_post");
    assert!(asked.claims["client_metadata"].get("jwks").is_none());
    let form = house.in_the_clear(&asked, Some(asked.text("state")));
    assert_eq!(house.respond(&asked, &form).await.status, StatusCode::OK);
    let result = house.result(&id_of(&made)).await;
    assert_eq!(result["credentials"]["d"][0]["claims"]["given_name"], "Ana", "{result}");
    assert_eq!((outcome(&result, "VP-003"), outcome(&result, "VP-006")), ("skipped".into(), "pass".into()));
    // The nonce binds it where every credential proves its key.
    let made = house.ask_with(&body).await;
    let asked = house.fetch(&made).await;
    assert_eq!(house.respond(&asked, &house.in_the_clear(&asked, None)).await.status, StatusCode::OK);
    let made = house.ask_with(&body).await;
    let asked = house.fetch(&made).await;
    let wrong = house.in_the_clear(&asked, Some("guessed"));
    assert_eq!(house.respond(&asked, &wrong).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(failure(&house.result(&id_of(&made)).await), "VP-006 session/wrong-state");
    assert_eq!(house.count("presentation-accepted").await, 2);
}

#[tokio::test]
async fn an_answer_comes_only_as_the_stored_request_asked() {
    let house = House::new().await;
    let (id, sealed) = house.ask().await;
    let open = house.in_the_clear(&sealed, Some(sealed.text("state")));
    assert_eq!(house.respond(&sealed, &open).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(house.result(&id).await["state"], "created");
    let made = house.ask_with(&asking(&json!({"response_mode": "direct_post"}))).await;
    let asked = house.fetch(&made).await;
    for form in ["response=x", "vp_token=x", "vp_token=[]", ""] {
        assert_eq!(house.respond(&asked, form).await.status, StatusCode::BAD_REQUEST, "{form}");
    }
    assert_eq!(house.result(&id_of(&made)).await["state"], "created");
    assert_eq!(house.count("presentation-unreadable").await, 5);
}

#[tokio::test]
async fn a_verifier_named_by_its_host_is_taken_by_our_wallet() {
    let house = House::new().await;
    let made = house.ask_with(&asking(&json!({"client_id_prefix": "x509_san_dns"}))).await;
    assert_eq!(made["client_id"], "x509_san_dns:localhost");
    let link =
        PresentationLink::parse(made["authorization_request_uri"].as_str().unwrap(), Reach::LoopbackHttp);
    let fetched = house.call("GET", &path_of(made["request_uri"].as_str().unwrap()), "", None).await;
    let root = house.custody.root_certificate(&house.ctx()).await.unwrap().unwrap();
    let anchor =
        Anchor { id: "anc_1".into(), certificate: root, contexts: vec![Context::Reader], types: Vec::new() };
    let (anchors, cache) = (Anchors::new(vec![anchor]), PathCache::new());
    let trust = Trust { anchors: &anchors, cache: &cache, haip: true };
    let answer = Fetched { status: 200, body: &fetched.body };
    let now = house.edge.clock().now();
    CheckedRequest::check(&link.unwrap(), answer, &trust, Reach::LoopbackHttp, now).unwrap();
    let asked = house.fetch(&made).await;
    house.respond(&asked, &asked.answer(&house.shown(&house.diploma(), &asked))).await;
    assert_eq!(house.result(&id_of(&made)).await["state"], "verified");
}

#[tokio::test]
async fn an_unsigned_request_is_made_in_development_only() {
    let house = House::new().await;
    let body = asking(&json!({"client_id_prefix": "redirect_uri", "response_mode": "direct_post"}));
    let answered = house.post("/api/v1/verifications", &body).await;
    assert_eq!(
        (answered.code().as_str(), answered.pointers()),
        ("verifier/not-offered", vec!["/client_id_prefix".to_owned()])
    );
    let dev = House::with(|config| config.dev = true).await;
    let made = dev.ask_with(&body).await;
    assert!(made.get("request_uri").is_none());
    assert_eq!(dev.result(&id_of(&made)).await, made, "the link stands while it waits");
    let link = made["authorization_request_uri"].as_str().unwrap();
    let (_, parameters) = link.split_once('?').unwrap();
    let read = form::Form::parse(parameters.as_bytes(), 64 << 10).unwrap();
    assert_eq!(read.get("client_id"), made["client_id"].as_str());
    let text = |name: &str| json!(read.get(name).unwrap());
    let asked = Asked {
        claims: json!({
            "client_id": text("client_id"), "nonce": text("nonce"), "state": text("state"),
            "response_uri": text("response_uri"), "iat": crate::people::now().as_second(),
        }),
    };
    let form = dev.in_the_clear(&asked, Some(asked.text("state")));
    assert_eq!(dev.respond(&asked, &form).await.status, StatusCode::OK);
    assert_eq!(dev.result(&id_of(&made)).await["state"], "verified");
    assert_eq!(dev.count("presentation-requested").await, 1);
}

#[tokio::test]
async fn what_haip_forbids_is_refused_by_its_pointer() {
    let house = House::with(|config| (config.haip, config.dev) = (true, true)).await;
    for (member, value) in [
        ("response_mode", "direct_post"),
        ("client_id_prefix", "x509_san_dns"),
        ("client_id_prefix", "redirect_uri"),
    ] {
        let answered = house.post("/api/v1/verifications", &asking(&json!({member: value}))).await;
        assert_eq!(answered.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            (answered.code().as_str(), answered.pointers()),
            ("verifier/haip-forbids", vec![format!("/{member}")])
        );
    }
    assert_eq!(house.count("presentation-requested").await, 0);
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
async fn a_request_is_signed_anew_for_a_wallets_nonce_so_often_and_no_more() {
    let house = House::new().await;
    let made = house.ask_with(&asking(&json!({"request_uri_method": "post"}))).await;
    let link = made["authorization_request_uri"].as_str().unwrap();
    assert!(link.ends_with("&request_uri_method=post"), "{link}");
    assert_eq!(house.result(&id_of(&made)).await, made);
    let path = path_of(made["request_uri"].as_str().unwrap());
    let plain = house.fetch(&made).await;
    let without = house.post_form(&path, &[("wallet_metadata", "{}")]).await;
    assert_eq!(Asked::read(&without.text()).claims, plain.claims);
    let mine = house.post_form(&path, &[("wallet_nonce", "w-1"), ("wallet_metadata", "{}")]).await;
    assert_eq!(mine.status, StatusCode::OK, "{}", mine.text());
    assert_eq!(mine.headers[header::CONTENT_TYPE], "application/oauth-authz-req+jwt");
    let asked = Asked::read(&mine.text());
    assert_eq!(asked.text("wallet_nonce"), "w-1");
    assert_eq!((asked.text("nonce"), asked.text("state")), (plain.text("nonce"), plain.text("state")));
    let long = house.post_form(&path, &[("wallet_nonce", &"n".repeat(257))]).await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY);
    for nth in 2..=8 {
        let again = house.post_form(&path, &[("wallet_nonce", &format!("w-{nth}"))]).await;
        assert_eq!(again.status, StatusCode::OK, "{nth}");
    }
    assert_eq!(house.post_form(&path, &[("wallet_nonce", "w-9")]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.count("presentation-requested").await, 9);
    house.respond(&asked, &asked.answer(&house.shown(&house.diploma(), &asked))).await;
    assert_eq!(house.result(&id_of(&made)).await["state"], "verified");
    // A request whose link does not say so is fetched by GET alone.
    let plain = house.ask_with(&json!({"dcql_query": query()})).await;
    let path = path_of(plain["request_uri"].as_str().unwrap());
    assert_eq!(house.post_form(&path, &[("wallet_nonce", "w")]).await.status, StatusCode::NOT_FOUND);
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
async fn what_others_attest_of_us_stands_in_each_request_that_it_is_about() {
    let about = json!({"format": "jwt", "data": "e30.e30.AA"});
    let elsewhere = json!({"format": "jwt", "data": "e30.e30.AB", "credential_ids": ["other"]});
    let infos = vec![about.clone(), elsewhere];
    let house = House::with(|config| config.verifier_info = infos).await;
    let (_, asked) = house.ask().await;
    assert_eq!(asked.claims["verifier_info"], json!([about]));
}
