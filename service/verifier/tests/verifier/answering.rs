//! Answers: what is accepted, what a wallet and a relying party are told, and that a session ends once.

use crate::house::{House, failure, id_of, outcome, query};
use crate::people::{Asked, VCT, Wallet};
use credential::check::Check;
use http::{StatusCode, header};
use openid::oauth::form;
use serde_json::json;

const REFUSED: &str = "the presentation was not accepted";

/// What a wallet is told of every fault.
fn assert_refused(answered: &crate::house::Answered) {
    let told = answered.json();
    assert_eq!(answered.status, StatusCode::BAD_REQUEST, "{told}");
    assert_eq!(
        (told["error"].as_str(), told["error_description"].as_str()),
        (Some("invalid_request"), Some(REFUSED))
    );
}

#[tokio::test]
async fn a_presentation_that_passes_every_check_is_verified() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    let answered = house.respond(&asked, &asked.answer(&house.shown(&house.diploma(), &asked))).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
    let own = house.lists.own_uri("/t/default/vp/done");
    assert_eq!(answered.json(), json!({"redirect_uri": own}));

    let result = house.result(&id).await;
    let names: Vec<&String> = result.as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "state", "verified_at", "session_binding", "erase_at", "credentials", "report"]);
    assert_eq!(result["state"], "verified");
    assert_eq!(result["verified_at"], "2026-11-20T12:00:00Z");
    assert_eq!(result["erase_at"], "2026-11-20T12:15:00Z");
    assert_eq!(result["session_binding"], "none");
    let shown = &result["credentials"]["d"][0];
    assert_eq!(shown["claims"], json!({"given_name": "Ana", "degree": "BSc"}));
    assert_eq!(
        (shown["format"].as_str(), shown["type"].as_str(), shown["status"].as_str()),
        (Some("dc+sd-jwt"), Some(VCT), Some("valid"))
    );
    assert_eq!(shown["holder_binding"], true);
    assert!(shown["issuer"]["anchor"].as_str().unwrap().starts_with("anc_"));
    assert_eq!(shown["issuer"]["subject"], "CN=Issuer");
    assert_eq!(result["report"]["verdict"], "accepted");
    for check in Check::ALL.iter().filter(|check| !check.id().starts_with("VP-03") && check.id() != "VP-070")
    {
        let expected = match check.id() {
            "VP-027" | "VP-042" | "VP-043" => "skipped",
            _ => "pass",
        };
        assert_eq!(outcome(&result, check.id()), expected, "{}", check.id());
    }
    assert_eq!(house.events().await, ["presentation-accepted", "presentation-requested", "result-read"]);
}

#[tokio::test]
async fn the_tenants_own_root_vouches_for_its_own_types() {
    let house = House::new().await;
    let vct = house.lists.own_uri("/t/default/vct/diploma");
    let diploma = crate::people::Diploma { vct: &vct, given_name: "Ana", status: None };
    let draft = diploma.draft(&house.wallet.key.public(), crate::people::now());
    let signer = custody::KeyRef::Use(custody::SD_JWT_USE);
    let signed = house.custody.sign_jws(&house.ctx(), signer, draft.jws).await.unwrap();
    let text = draft.disclosures.assemble(&signed.compact);
    let public = house.custody.signer(&house.ctx(), signer).await.unwrap().public;
    let mut ask = query();
    ask["credentials"][0]["meta"]["vct_values"] = json!([vct]);
    let made = house.ask_with(&json!({"dcql_query": ask})).await;
    let asked = house.fetch(&made).await;
    let shown = house.wallet.bind_to(&Wallet::disclose(&text, &public), &asked);
    assert_eq!(house.respond(&asked, &asked.answer(&shown)).await.status, StatusCode::OK);
    let result = house.result(&id_of(&made)).await;
    assert_eq!(result["credentials"]["d"][0]["status"], "absent", "{result}");
}

#[tokio::test]
async fn a_second_answer_changes_nothing() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    let form = asked.answer(&house.shown(&house.diploma(), &asked));
    assert_eq!(house.respond(&asked, &form).await.status, StatusCode::OK);
    let before = house.result(&id).await;
    assert_refused(&house.respond(&asked, &form).await);
    assert_refused(&house.respond(&asked, &asked.answer("forged")).await);
    assert_eq!(house.result(&id).await, before);
    assert_eq!(house.count("presentation-accepted").await, 1);
    assert_eq!(house.count("presentation-rejected").await, 0);
}

#[tokio::test]
async fn of_64_answers_at_once_exactly_one_succeeds() {
    let house = std::sync::Arc::new(House::new().await);
    let (id, asked) = house.ask().await;
    let form = asked.answer(&house.shown(&house.diploma(), &asked));
    let tries: Vec<_> = (0..64)
        .map(|_| {
            let (house, asked, form) = (house.clone(), asked.clone(), form.clone());
            tokio::spawn(async move { house.respond(&asked, &form).await.status })
        })
        .collect();
    let mut successes = 0;
    for one in tries {
        let status = one.await.unwrap();
        assert!(matches!(status, StatusCode::OK | StatusCode::BAD_REQUEST), "{status}");
        successes += usize::from(status == StatusCode::OK);
    }
    assert_eq!(successes, 1);
    assert_eq!(house.result(&id).await["state"], "verified");
    assert_eq!(house.count("presentation-accepted").await, 1);
}

#[tokio::test]
async fn a_wallets_no_declines_and_tells_only_that() {
    let house = House::new().await;
    for sealed in [true, false] {
        let (id, asked) = house.ask().await;
        let body = json!({"error": "access_denied", "state": asked.text("state")});
        let form = if sealed {
            asked.sealed(&body)
        } else {
            form::encode(&[("error", "access_denied"), ("state", asked.text("state"))])
        };
        let answered = house.respond(&asked, &form).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
        assert!(answered.json()["redirect_uri"].as_str().unwrap().ends_with("/vp/done"));
        assert_eq!(house.result(&id).await, json!({"id": id, "state": "declined", "error": "access_denied"}));
    }
    // Without the session's state anybody could say no.
    let (id, asked) = house.ask().await;
    let stranger = form::encode(&[("error", "access_denied"), ("state", "guessed")]);
    assert_refused(&house.respond(&asked, &stranger).await);
    assert_eq!(house.result(&id).await["state"], "created");
    assert_eq!(house.count("presentation-declined").await, 2);
}

#[tokio::test]
async fn five_answers_that_cannot_be_read_reject_the_session() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    for form in ["response=x", "", "response=a&response=b", "vp_token=%7B%7D"] {
        assert_refused(&house.respond(&asked, form).await);
        assert_eq!(house.result(&id).await["state"], "created", "{form}");
    }
    // The fifth ends it, whatever comes then.
    assert_refused(&house.respond(&asked, "response=x").await);
    assert_eq!(failure(&house.result(&id).await), "VP-003 presentation/jwe-header");
    assert_refused(&house.respond(&asked, &asked.answer(&house.shown(&house.diploma(), &asked))).await);
    assert_eq!(
        (house.count("presentation-unreadable").await, house.count("presentation-rejected").await),
        (4, 1)
    );
}

#[tokio::test]
async fn a_good_answer_after_four_unreadable_ones_is_verified() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    for _ in 0..4 {
        assert_refused(&house.respond(&asked, "response=x").await);
    }
    house.respond(&asked, &asked.answer(&house.shown(&house.diploma(), &asked))).await;
    assert_eq!(house.result(&id).await["state"], "verified");
}

#[tokio::test]
async fn unreadable_answers_at_once_are_each_counted() {
    let house = std::sync::Arc::new(House::new().await);
    let (id, asked) = house.ask().await;
    let tries: Vec<_> = (0..24)
        .map(|_| {
            let (house, asked) = (house.clone(), asked.clone());
            tokio::spawn(async move { house.respond(&asked, "response=x").await })
        })
        .collect();
    for one in tries {
        assert_refused(&one.await.unwrap());
    }
    assert_eq!(house.result(&id).await["state"], "rejected");
    assert_eq!(
        (house.count("presentation-unreadable").await, house.count("presentation-rejected").await),
        (4, 1)
    );
}

#[tokio::test]
async fn an_answer_that_comes_too_late_expires_the_session() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    let form = asked.answer(&house.shown(&house.diploma(), &asked));
    house.advance(300);
    assert_refused(&house.respond(&asked, &form).await);
    let result = house.result(&id).await;
    assert_eq!(result, json!({"id": id, "state": "expired", "expires_at": "2026-11-20T12:05:00Z"}));
    assert_eq!(house.count("presentation-expired").await, 1);
}

#[tokio::test]
async fn a_session_that_is_over_holds_no_key_and_no_secret() {
    let house = House::new().await;
    let (_, asked) = house.ask().await;
    assert_eq!(secrets_left(&house).await, 3);
    house.respond(&asked, &asked.answer("forged")).await;
    assert_eq!(secrets_left(&house).await, 0);
}

/// Columns of sessions that still hold something sealed.
async fn secrets_left(house: &House) -> i64 {
    let stmt = store::Stmt::new(
        "SELECT COUNT(seed) + COUNT(request) + COUNT(response_key) FROM verifier_session WHERE tenant_id = :tenant",
    );
    house.store.read(&house.ctx()).one(stmt).await.unwrap().unwrap().int(0).unwrap()
}

#[tokio::test]
async fn whoever_posts_to_no_session_is_told_the_same() {
    let house = House::new().await;
    let unknown = house.respond_at("/t/default/vp/response/AAAA", "response=x").await;
    assert_refused(&unknown);
    let (_, asked) = house.ask().await;
    let known = house.respond(&asked, "response=x").await;
    assert_eq!((known.status, known.json()), (unknown.status, unknown.json()));
    assert_eq!(known.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let none = house.respond_at("/t/nobody/vp/response/AAAA", "response=x").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_behind_an_answer_releases_nothing() {
    let house = House::new().await;
    let page = house.call("GET", "/t/default/vp/done", "", None).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    assert!(page.headers.contains_key(header::CONTENT_SECURITY_POLICY));
    assert!(page.text().contains("You can close this page"));
    assert!(!page.text().contains("<script") && !page.text().contains("style="));
}

#[tokio::test]
async fn claims_beyond_the_query_are_dropped_unread_and_told() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    let public = house.issuer.key.public();
    let more = Wallet::disclose_paths(&house.diploma(), &public, &["given_name", "degree", "grade"]);
    house.respond(&asked, &asked.answer(&house.wallet.bind_to(&more, &asked))).await;
    let result = house.result(&id).await;
    assert_eq!(result["credentials"]["d"][0]["claims"], json!({"given_name": "Ana", "degree": "BSc"}));
    assert_eq!(outcome(&result, "VP-044"), "warn");
    assert!(!result.to_string().contains("1.3"));
}

#[tokio::test]
async fn the_answer_is_judged_by_the_request_of_its_own_session_alone() {
    let house = House::new().await;
    let ((one_id, one), (two_id, two)) = (house.ask().await, house.ask().await);
    // Read by the second session's key, bound to the first one's nonce.
    let mixed = two.answer(&house.shown(&house.diploma(), &one));
    assert_refused(&house.respond(&two, &mixed).await);
    assert_eq!(failure(&house.result(&two_id).await), "VP-024 key-binding/wrong-nonce");
    let good = Asked { claims: one.claims.clone() };
    house.respond(&one, &good.answer(&house.shown(&house.diploma(), &one))).await;
    assert_eq!(house.result(&one_id).await["state"], "verified");
}
