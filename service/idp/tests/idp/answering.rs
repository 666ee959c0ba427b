//! Answers: one holds, and whoever bends one fails.

use crate::house::{COOKIE, House, seal_form};
use crate::wallet::{Wallet, ended, shown_code};
use seal::code::{Decision, DenyReason};
use seal::scope::{Scope, Scopes};
use serde_json::json;
use tessera_idp::signin::{Asserted, SessionState};

const GONE: (u16, &str) = (404, "seal/unknown-session");

fn refusal(pair: (u16, &str)) -> (u16, String) {
    (pair.0, pair.1.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_parallel_answers_one_has_the_verdict_and_63_find_nothing() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let opened = house.open(&shop).await;
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    let answer = wallet.approval(&house, &claimed, None);
    house.events().await;
    let answers: Vec<_> = (0..64).map(|_| wallet.respond(&house, &claimed.sid, &answer)).collect();
    let found = futures_join(answers).await;
    let approved = found.iter().filter(|it| it.as_ref().is_ok_and(|it| it["outcome"] == "approved")).count();
    let gone = found.iter().filter(|it| **it == Err(refusal(GONE))).count();
    assert_eq!((approved, gone), (1, 63));
    let events = house.events().await;
    assert_eq!(events.iter().filter(|event| *event == "signin-approved").count(), 1);
}

/// Polls all at once, in turn.
async fn futures_join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut pinned: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pinned.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, slot) in pinned.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *slot = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().map(Option::unwrap).collect()
}

#[tokio::test]
async fn an_answer_that_comes_again_finds_nothing() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let opened = house.open(&shop).await;
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    let answer = wallet.approval(&house, &claimed, None);
    wallet.respond(&house, &claimed.sid, &answer).await.unwrap();
    assert_eq!(wallet.respond(&house, &claimed.sid, &answer).await, Err(refusal(GONE)));
}

#[tokio::test]
async fn an_answer_of_one_session_fails_another() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let (one, other) = (house.open(&shop).await, house.open(&shop).await);
    let first = wallet.claim(&house, &one).await.unwrap();
    let second = wallet.claim(&house, &other).await.unwrap();
    let answer = wallet.approval(&house, &first, None);
    house.events().await;
    let reply = wallet.respond(&house, &second.sid, &answer).await.unwrap();
    assert_eq!(
        (&reply["outcome"], &reply["reason"]),
        (&json!("failed"), &json!("response-of-another-session"))
    );
    assert_eq!(house.events().await, ["signin-failed"]);
    assert_eq!(
        ended(&house, &other.sid).await,
        ("failed".to_owned(), "response-of-another-session".to_owned())
    );
}

#[tokio::test]
async fn an_answer_that_is_bent_anywhere_fails_and_says_where() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    type Bend = fn(&mut seal::code::Answer);
    let bends: [(&str, Bend); 4] = [
        ("response-tag", |answer| answer.tag[0] ^= 1),
        ("response-signature", |answer| answer.sig[5] ^= 1),
        ("response-not-canonical", |answer| answer.r.push(b' ')),
        ("document-sealed", |answer| answer.doc = vec![0; 40]),
    ];
    for (reason, bend) in bends {
        let opened = house.open(&shop).await;
        let claimed = wallet.claim(&house, &opened).await.unwrap();
        let mut answer = wallet.approval(&house, &claimed, None);
        bend(&mut answer);
        let reply = wallet.respond(&house, &claimed.sid, &answer).await.unwrap();
        assert_eq!((&reply["outcome"], &reply["reason"]), (&json!("failed"), &json!(reason)));
    }
    let opened = house.open(&shop).await;
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    let more = Scopes::from_iter([Scope::Openid, Scope::Photo]);
    let answer = wallet.answer(&house, &claimed, Decision::Approve, (more, Scopes::default()), None);
    assert_eq!(wallet.respond(&house, &claimed.sid, &answer).await.unwrap()["reason"], "scope-not-asked");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_changes_nothing() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let opened = house.open(&shop).await;
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    let path = format!("/t/default/seal/sessions/{}/response", claimed.sid);
    let refused = wallet.ask(&house, "POST", &path, Some(&json!({"r": "x"}))).await;
    assert_eq!(refused, Err(refusal((400, "api/bad-request"))));
    let answer = wallet.approval(&house, &claimed, None);
    assert_eq!(wallet.respond(&house, &claimed.sid, &answer).await.unwrap()["outcome"], "approved");
}

#[tokio::test]
async fn the_first_device_has_the_session_and_the_page_names_it() {
    let house = House::new().await;
    let (shop, wallet, attacker) = (house.shop().await, house.wallet().await, house.wallet().await);
    let opened = house.open(&shop).await;
    attacker.claim(&house, &opened).await.unwrap();
    let refused = wallet.claim(&house, &opened).await.err().unwrap();
    assert_eq!(refused, refusal((409, "seal/already-claimed")));
    let SessionState::Claimed { device, .. } =
        house.idp.session_state(&house.ctx(), &opened.sid, COOKIE).await.unwrap()
    else {
        panic!("claimed")
    };
    assert_eq!(device, seal::handle::device_mark(&attacker.dk.public()));
    // A repeat of the same device is told the same.
    assert!(attacker.claim(&house, &opened).await.is_ok());
}

#[tokio::test]
async fn a_session_of_one_device_is_nothing_to_another() {
    let house = House::new().await;
    let (shop, wallet, other) = (house.shop().await, house.wallet().await, house.wallet().await);
    let opened = house.open(&shop).await;
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    let answer = wallet.approval(&house, &claimed, None);
    assert_eq!(other.respond(&house, &claimed.sid, &answer).await, Err(refusal(GONE)));
    let path = format!("/t/default/seal/sessions/{}", claimed.sid);
    assert_eq!(other.ask(&house, "GET", &path, None).await, Err(refusal(GONE)));
    let state = wallet.ask(&house, "GET", &path, None).await.unwrap();
    assert_eq!((&state["state"], &state["assertion"]), (&json!("claimed"), &json!("none")));
}

#[tokio::test]
async fn made_up_codes_end_in_a_signed_no() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let opened = house.open(&shop).await;
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    let code = shown_code(&house, &opened.sid).await.unwrap();
    assert!(!claimed.keys.service_code().matches(if code == "000000" { "000001" } else { "000000" }));
    house.events().await;
    let no = Decision::Deny(DenyReason::CodeMismatch);
    let answer =
        wallet.answer(&house, &claimed, no, (Scopes::default(), claimed.context.scopes.clone()), None);
    let reply = wallet.respond(&house, &claimed.sid, &answer).await.unwrap();
    assert_eq!((&reply["outcome"], &reply["reason"]), (&json!("denied"), &json!("code_mismatch")));
    assert_eq!(house.events().await, ["signin-denied"]);
}

#[tokio::test]
async fn a_document_that_is_not_the_enrolments_or_counts_no_more_fails_the_sign_in() {
    let house = House::new().await;
    let shop = house.shop().await;
    let (id, seal) = house.seal_of(&seal_form()).await;
    let mut other = seal_form();
    other["claims"]["number"] = "X-999".into();
    let (_, foreign) = house.seal_of(&other).await;
    let wallet = house.wallet_with(&seal).await;
    let mut tampered = seal.clone();
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    for (document, reason) in [
        (&foreign, "document-mismatch"),
        (&tampered, "document-invalid"),
        (&seal[..30].to_vec(), "document-invalid"),
    ] {
        let opened = house.open(&shop).await;
        let claimed = wallet.claim(&house, &opened).await.unwrap();
        let answer = wallet.approval(&house, &claimed, Some(document));
        let reply = wallet.respond(&house, &claimed.sid, &answer).await.unwrap();
        assert_eq!((&reply["outcome"], &reply["reason"]), (&json!("failed"), &json!(reason)));
    }
    let path = format!("/api/v1/document-seals/{id}/revoke");
    assert_eq!(house.api("POST", &path, Some(&json!({"reason": "lost"}))).await.status, 204);
    let opened = house.open(&shop).await;
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    let answer = wallet.approval(&house, &claimed, Some(&seal));
    assert_eq!(wallet.respond(&house, &claimed.sid, &answer).await.unwrap()["reason"], "document-revoked");
}

#[tokio::test]
async fn claims_of_a_document_need_that_document() {
    let house = House::new().await;
    let (shop, seal) = (house.shop().await, house.seal().await);
    let wallet = house.wallet_with(&seal).await;
    let opened = house.open(&shop).await;
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    let all = claimed.context.scopes.clone();
    let answer = wallet.answer(&house, &claimed, Decision::Approve, (all, Scopes::default()), None);
    assert_eq!(wallet.respond(&house, &claimed.sid, &answer).await.unwrap()["reason"], "document-missing");
}

async fn phr(house: &House, wallet: &Wallet) -> (tessera_idp::signin::Opened, Asserted) {
    let shop = house.shop().await;
    let mut request = house.request(&shop);
    request.acr = "phr".to_owned();
    let opened = house.open_with(&request).await;
    let person = person_of(house, wallet).await;
    let enrolment = wallet.id.clone();
    (
        opened,
        Asserted { person, enrolment, acr: "phr".to_owned(), amr: vec!["pop".to_owned(), "mfa".to_owned()] },
    )
}

/// The person of a wallet, as the facts of a sign-in tell the token door.
async fn person_of(house: &House, wallet: &Wallet) -> String {
    let shop = house.shop().await;
    let opened = house.open(&shop).await;
    wallet.sign_in(house, &opened, None).await;
    let code = house.idp.finish(&house.ctx(), &opened.sid, COOKIE).await.unwrap().code.unwrap();
    house.idp.result_of_code(&house.ctx(), code.expose()).await.unwrap().unwrap().facts.person
}

#[tokio::test]
async fn a_sign_in_that_asks_for_phr_and_has_the_browsers_own_assertion_is_one() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let (opened, asserted) = phr(&house, &wallet).await;
    assert!(opened.assertion_needed);
    let claimed = wallet.claim(&house, &opened).await.unwrap();
    assert_eq!(claimed.told["assertion"], "required");
    house.idp.post_assertion(&house.ctx(), &opened.sid, COOKIE, Some(&asserted)).await.unwrap();
    let answer = wallet.approval(&house, &claimed, None);
    assert_eq!(wallet.respond(&house, &claimed.sid, &answer).await.unwrap()["outcome"], "approved");
    let code = house.idp.finish(&house.ctx(), &opened.sid, COOKIE).await.unwrap().code.unwrap();
    let facts = house.idp.result_of_code(&house.ctx(), code.expose()).await.unwrap().unwrap().facts;
    assert_eq!(facts.acr, "phr");
    assert!(facts.amr.contains(&"pop".to_owned()));
}

#[tokio::test]
async fn an_assertion_of_another_person_or_one_that_is_false_ends_the_sign_in() {
    let house = House::new().await;
    let (wallet, other) = (house.wallet().await, house.wallet().await);
    let (opened, _) = phr(&house, &wallet).await;
    let (second, stranger) = phr(&house, &other).await;
    wallet.claim(&house, &opened).await.unwrap();
    house.events().await;
    house.idp.post_assertion(&house.ctx(), &opened.sid, COOKIE, Some(&stranger)).await.unwrap();
    assert_eq!(
        ended(&house, &opened.sid).await,
        ("failed".to_owned(), "assertion-of-another-person".to_owned())
    );
    house.idp.post_assertion(&house.ctx(), &second.sid, COOKIE, None).await.unwrap();
    assert_eq!(ended(&house, &second.sid).await, ("failed".to_owned(), "assertion-invalid".to_owned()));
    assert_eq!(house.events().await, ["signin-failed", "signin-failed"]);
}

#[tokio::test]
async fn after_an_assertion_the_wallet_of_another_person_cannot_claim() {
    let house = House::new().await;
    let (wallet, attacker) = (house.wallet().await, house.wallet().await);
    let (opened, asserted) = phr(&house, &wallet).await;
    house.idp.post_assertion(&house.ctx(), &opened.sid, COOKIE, Some(&asserted)).await.unwrap();
    let inbox = wallet.call(&house, "GET", "/t/default/seal/inbox", None).await.json();
    assert_eq!(inbox["sessions"][0]["sid"], opened.sid.to_string(), "the assertion addresses its person");
    assert_eq!(attacker.claim(&house, &opened).await.err().unwrap(), refusal(GONE));
    assert_eq!(
        ended(&house, &opened.sid).await,
        ("failed".to_owned(), "assertion-of-another-person".to_owned())
    );
}

#[tokio::test]
async fn a_proof_that_was_used_or_is_for_something_else_opens_no_door() {
    let house = House::new().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    let opened = house.open(&shop).await;
    let path = format!("/t/default/seal/sessions/{}/claim", opened.sid);
    let body = json!({});
    let send = async |proof: &str, body: &serde_json::Value| {
        house.raw("POST", &path, &[("seal-proof", proof)], Some(body)).await.status.as_u16()
    };
    let elsewhere = wallet.proof(&house, ("POST", "/t/default/seal/sessions/x/claim"), Some(&body));
    let other_method = wallet.proof(&house, ("GET", &path), Some(&body));
    let other_body = wallet.proof(&house, ("POST", &path), Some(&json!({"a": 1})));
    let old = wallet.proof(&house, ("POST", &path), Some(&body));
    for proof in [&elsewhere, &other_method, &other_body] {
        assert_eq!(send(proof, &body).await, 401);
    }
    house.advance(61);
    assert_eq!(send(&old, &body).await, 401, "an old proof");
    let good = wallet.proof(&house, ("POST", &path), Some(&body));
    assert_eq!(send(&good, &body).await, 200);
    assert_eq!(send(&good, &body).await, 401, "the same proof again");
    let path_of_another = house.raw("POST", &path, &[], Some(&body)).await;
    assert_eq!(path_of_another.refusal(), refusal((401, "seal/proof-invalid")));
}
