//! One device: what was shown is released only to the browser that began.

use crate::house::{Answered, House, failure, id_of, outcome, path_of, query};
use crate::people::Asked;
use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

const BACK: &str = "https://rp.example/back?lang=de";

impl House {
    /// A verification on one device, and the request that its wallet fetches.
    async fn begin(&self) -> (Value, Asked) {
        let made = self.ask_with(&json!({"dcql_query": query(), "return_uri": BACK})).await;
        let asked = self.fetch(&made).await;
        (made, asked)
    }

    /// A wallet shows its diploma; where it sends the browser.
    async fn way_back(&self, asked: &Asked) -> String {
        let answered = self.respond(asked, &asked.answer(&self.shown(&self.diploma(), asked))).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
        answered.json()["redirect_uri"].as_str().unwrap().to_owned()
    }

    /// The relying party brings a code.
    async fn bring(&self, id: &str, code: &str) -> Answered {
        self.post(&format!("/api/v1/verification/{id}/return"), &json!({"response_code": code})).await
    }

    /// A browser goes to an address of ours.
    async fn browse(&self, uri: &str, cookie: Option<&str>) -> Answered {
        let target = url::Url::parse(uri).unwrap();
        let mut request = Request::get(&target[url::Position::BeforePath..]);
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Results that still hold claims.
    async fn claims_kept(&self) -> i64 {
        let stmt = store::Stmt::new("SELECT COUNT(claims) FROM verifier_result WHERE tenant_id = :tenant");
        self.store.read(&self.ctx()).one(stmt).await.unwrap().unwrap().int(0).unwrap()
    }
}

fn code_of(uri: &str) -> String {
    let uri = url::Url::parse(uri).unwrap();
    let code = uri.query_pairs().find(|(name, _)| name == "response_code").unwrap().1.into_owned();
    assert_eq!(crypto::base64::url_decode(&code).unwrap().len(), 32);
    code
}

fn assert_refused(answered: &Answered) {
    assert_eq!(answered.status, StatusCode::FORBIDDEN, "{}", answered.text());
    assert_eq!(answered.code(), "verifier/return-refused");
}

#[tokio::test]
async fn on_one_device_nobody_is_told_before_the_browser_is_back() {
    let house = House::new().await;
    let (made, asked) = house.begin().await;
    let id = id_of(&made);
    assert!(made["page"].as_str().unwrap().contains("/t/default/vp/present/"));
    let way = house.way_back(&asked).await;
    assert!(way.starts_with(&format!("{BACK}&response_code=")), "{way}");
    let waiting = json!({"id": id, "state": "awaiting_return", "expires_at": "2026-11-20T12:05:00Z"});
    assert_eq!(house.result(&id).await, waiting);
    assert_eq!(house.count("result-read").await, 0);

    let released = house.bring(&id, &code_of(&way)).await;
    assert_eq!(released.status, StatusCode::OK, "{}", released.text());
    let result = released.json();
    assert_eq!(result["state"], "verified");
    assert_eq!(result["session_binding"], "relying_party");
    assert_eq!(result["erase_at"], "2026-11-20T12:15:00Z");
    assert_eq!(result["credentials"]["d"][0]["claims"], json!({"given_name": "Ana", "degree": "BSc"}));
    assert_eq!(
        (outcome(&result, "VP-070"), &result["report"]["verdict"]),
        ("pass".into(), &json!("accepted"))
    );
    assert_eq!(
        house.events().await,
        ["presentation-accepted", "presentation-held", "presentation-requested", "result-read"]
    );
    // A code is good once.
    assert_refused(&house.bring(&id, &code_of(&way)).await);
    assert_eq!(house.result(&id).await["state"], "verified");
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
async fn whoever_sends_his_own_link_to_anothers_wallet_gets_nothing() {
    let house = House::new().await;
    let (attackers, asked) = house.begin().await;
    let (victims, _) = house.begin().await;
    // The victim's wallet answers the attacker's request: the code goes into the victim's browser.
    let code = code_of(&house.way_back(&asked).await);
    // There it stands in the session of another verification, or of none.
    assert_refused(&house.bring(&id_of(&victims), &code).await);
    // The attacker knows his `ver_…`, and no code.
    for guess in ["", "guessed", &crypto::base64::url_encode(&[7; 32])] {
        assert_refused(&house.bring(&id_of(&attackers), guess).await);
    }
    let result = house.result(&id_of(&attackers)).await;
    assert_eq!(failure(&result), "VP-070 session/not-returned");
    assert_eq!(house.claims_kept().await, 0);
    // Too late for the right one.
    assert_refused(&house.bring(&id_of(&attackers), &code).await);
    assert_eq!(house.count("return-refused").await, 2);
    assert_eq!(house.count("presentation-rejected").await, 1);
    assert_eq!(house.count("presentation-accepted").await + house.count("result-read").await, 0);
}

#[tokio::test]
async fn a_right_code_after_two_wrong_ones_is_taken() {
    let house = House::new().await;
    let (made, asked) = house.begin().await;
    let code = code_of(&house.way_back(&asked).await);
    for _ in 0..2 {
        assert_refused(&house.bring(&id_of(&made), "wrong").await);
    }
    assert_eq!(house.bring(&id_of(&made), &code).await.json()["state"], "verified");
}

#[tokio::test]
async fn a_browser_that_comes_too_late_ends_it_and_the_claims_are_erased() {
    let house = House::new().await;
    let (made, asked) = house.begin().await;
    let (swept, asked_too) = house.begin().await;
    let code = code_of(&house.way_back(&asked).await);
    house.way_back(&asked_too).await;
    house.advance(299);
    assert_eq!(house.result(&id_of(&made)).await["state"], "awaiting_return");
    house.advance(1);
    assert_refused(&house.bring(&id_of(&made), &code).await);
    assert_eq!(failure(&house.result(&id_of(&made)).await), "VP-070 session/not-returned");
    // Without anybody asking, the job ends the other.
    house.verifier.tidy(&house.ctx()).await.unwrap();
    assert_eq!((house.claims_kept().await, house.count("presentation-rejected").await), (0, 2));
    assert_eq!(failure(&house.result(&id_of(&swept)).await), "VP-070 session/not-returned");
}

#[tokio::test]
async fn of_64_returns_at_once_exactly_one_succeeds() {
    let house = std::sync::Arc::new(House::new().await);
    let (made, asked) = house.begin().await;
    let (id, code) = (id_of(&made), code_of(&house.way_back(&asked).await));
    let tries: Vec<_> = (0..64)
        .map(|_| {
            let (house, id, code) = (house.clone(), id.clone(), code.clone());
            tokio::spawn(async move { house.bring(&id, &code).await.status })
        })
        .collect();
    let mut successes = 0;
    for one in tries {
        let status = one.await.unwrap();
        assert!(matches!(status, StatusCode::OK | StatusCode::FORBIDDEN), "{status}");
        successes += usize::from(status == StatusCode::OK);
    }
    assert_eq!((successes, house.count("presentation-accepted").await), (1, 1));
}

#[tokio::test]
async fn a_second_answer_while_the_browser_is_awaited_changes_nothing() {
    let house = House::new().await;
    let (made, asked) = house.begin().await;
    let form = asked.answer(&house.shown(&house.diploma(), &asked));
    let code = code_of(&house.way_back(&asked).await);
    assert_eq!(house.respond(&asked, &form).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(house.bring(&id_of(&made), &code).await.json()["state"], "verified");
}

#[tokio::test]
async fn what_was_deleted_is_released_to_nobody() {
    let house = House::new().await;
    let (made, asked) = house.begin().await;
    let code = code_of(&house.way_back(&asked).await);
    let path = format!("/api/v1/verifications/{}", id_of(&made));
    assert_eq!(house.call("DELETE", &path, &house.token, None).await.status, StatusCode::NO_CONTENT);
    assert_refused(&house.bring(&id_of(&made), &code).await);
    assert_eq!(house.get(&path).await.status, StatusCode::GONE);
    assert_eq!(house.claims_kept().await, 0);
}

#[tokio::test]
async fn a_no_on_one_device_goes_back_without_a_code() {
    let house = House::new().await;
    let (made, asked) = house.begin().await;
    let no = asked.sealed(&json!({"error": "access_denied", "state": asked.text("state")}));
    assert_eq!(house.respond(&asked, &no).await.json(), json!({"redirect_uri": BACK}));
    assert_eq!(house.result(&id_of(&made)).await["state"], "declined");
}

#[tokio::test]
async fn our_page_releases_to_the_browser_that_opened_it_and_to_no_other() {
    let house = House::new().await;
    for is_same in [true, false] {
        let (made, asked) = house.begin().await;
        let page = house.browse(made["page"].as_str().unwrap(), None).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        assert!(page.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
        assert!(page.headers.contains_key(header::CONTENT_SECURITY_POLICY));
        let link = made["authorization_request_uri"].as_str().unwrap().replace('&', "&amp;");
        assert!(page.text().contains(&format!("href=\"{link}\"")), "{}", page.text());
        assert!(!page.text().contains("<script") && !page.text().contains("style="));
        let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"));
        let pair = cookie.split(';').next().unwrap();

        let way = house.way_back(&asked).await;
        let door = format!("{}/return?response_code=", made["page"].as_str().unwrap());
        assert!(way.starts_with(&door), "{way}");
        let answered = house.browse(&way, is_same.then_some(pair)).await;
        if is_same {
            assert_eq!(answered.status, StatusCode::SEE_OTHER, "{}", answered.text());
            assert_eq!(answered.headers[header::LOCATION], BACK);
            let result = house.result(&id_of(&made)).await;
            assert_eq!(
                (&result["state"], &result["session_binding"]),
                (&json!("verified"), &json!("hosted"))
            );
        } else {
            // The right code in a browser that never opened the page: somebody was sent another's link.
            assert_eq!(answered.status, StatusCode::FORBIDDEN);
            assert_eq!(failure(&house.result(&id_of(&made)).await), "VP-070 session/not-returned");
            assert_eq!(house.browse(&way, Some(pair)).await.status, StatusCode::FORBIDDEN, "it is over");
        }
    }
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
async fn a_page_that_leads_nowhere_is_not_found() {
    let house = House::new().await;
    let (made, _) = house.begin().await;
    let path = path_of(made["page"].as_str().unwrap());
    assert_eq!(house.call("GET", "/t/default/vp/present/AAAA", "", None).await.status, StatusCode::NOT_FOUND);
    let elsewhere = path.replace("/t/default/", "/t/other/");
    assert_eq!(house.call("GET", &elsewhere, "", None).await.status, StatusCode::NOT_FOUND);
    house.advance(300);
    assert_eq!(house.call("GET", &path, "", None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_address_that_no_browser_can_come_back_to_is_refused() {
    let house = House::new().await;
    for body in [
        json!({"return_uri": "http://rp.example/back"}),
        json!({"return_uri": "http://127.0.0.1:1/back"}),
        json!({"return_uri": "https://rp.example/back#part"}),
        json!({"return_uri": "https://user@rp.example/back"}),
        json!({"return_uri": "https://rp.example/back?response_code=x"}),
        json!({"return_uri": "app:back"}),
        json!({"return_uri": format!("https://rp.example/{}", "a".repeat(2_048))}),
        json!({"flow": "same_device"}),
        json!({"flow": "cross_device", "return_uri": BACK}),
    ] {
        let mut whole = body.clone();
        whole["dcql_query"] = query();
        let answered = house.post("/api/v1/verifications", &whole).await;
        assert_eq!(answered.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(
            (answered.code().as_str(), answered.pointers()),
            ("verifier/return-uri-invalid", vec!["/return_uri".to_owned()]),
            "{body}"
        );
    }
    let dev = House::with(|config| config.dev = true).await;
    dev.ask_with(&json!({"dcql_query": query(), "return_uri": "http://127.0.0.1:1/back"})).await;
}
