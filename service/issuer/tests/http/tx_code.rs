//! Transaction codes. Attack 13: whoever saw the link guesses the code, one after the other or all at once. Five tries and the offer
//! is dead, for the right code too; nobody learns from an answer which of the two it was.

use crate::house::{Answered, House, code, diploma, id};
use serde_json::{Value, json};
use std::sync::Arc;

/// An offer whose code is asked for.
async fn offer(house: &House) -> Value {
    let mut body = diploma();
    body["tx_code"] = json!(true);
    house.offer_of(&body).await
}

fn right(offer: &Value) -> String {
    offer["tx_code"].as_str().unwrap().to_owned()
}

/// A code of the same form that is not the right one.
fn wrong(offer: &Value, nth: u32) -> String {
    let right: u32 = right(offer).parse().unwrap();
    format!("{:06}", (right + 1 + nth) % 1_000_000)
}

async fn redeem(house: &House, offer: &Value, tx_code: &str) -> Answered {
    house.redeem_with("default", &code(offer), &[("tx_code", tx_code)], &[]).await
}

#[tokio::test]
async fn a_transaction_code_of_six_digits_is_told_once_and_redeems_its_offer() {
    let house = House::new().await;
    let offer = offer(&house).await;
    assert!(right(&offer).len() == 6 && right(&offer).bytes().all(|byte| byte.is_ascii_digit()));
    let grant = &offer["credential_offer"]["grants"]["urn:ietf:params:oauth:grant-type:pre-authorized_code"];
    assert_eq!(grant["tx_code"], json!({"input_mode": "numeric", "length": 6}));
    let shown = house.get(&format!("/api/v1/offers/{}", offer["offer_id"].as_str().unwrap())).await;
    assert!(!shown.text().contains(&right(&offer)));
    let mut expected = offer.clone();
    expected.as_object_mut().unwrap().remove("tx_code");
    assert_eq!((shown.json(), &shown.json()["tx_code_required"]), (expected, &json!(true)));
    assert_eq!(redeem(&house, &offer, &right(&offer)).await.status, 200);
    assert_eq!(house.events().await, ["offer-created", "access-granted"]);
}

#[tokio::test]
async fn a_transaction_code_has_the_form_that_was_asked_for() {
    let house = House::new().await;
    let mut body = diploma();
    body["tx_code"] = json!({"length": 8, "input_mode": "text", "description": "sent by letter"});
    let offer = house.offer_of(&body).await;
    let grant = &offer["credential_offer"]["grants"]["urn:ietf:params:oauth:grant-type:pre-authorized_code"];
    assert_eq!(grant["tx_code"], body["tx_code"]);
    assert_eq!(right(&offer).len(), 8);
    assert!(right(&offer).bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    assert_eq!(redeem(&house, &offer, &right(&offer)).await.status, 200);
}

#[tokio::test]
async fn five_wrong_transaction_codes_end_an_offer_for_the_right_one_too() {
    let house = House::new().await;
    let offer = offer(&house).await;
    house.events().await;
    for nth in 0..5 {
        let refused = redeem(&house, &offer, &wrong(&offer, nth)).await;
        assert_eq!(refused.refusal(), (400, "invalid_grant".to_owned()));
    }
    let dead = redeem(&house, &offer, &right(&offer)).await;
    assert_eq!(dead.refusal(), (400, "invalid_grant".to_owned()));
    let refusals = ["issue-refused"; 4];
    assert_eq!(house.events().await, [&refusals[..], &["offer-locked", "issue-refused"]].concat());
    let path = format!("/api/v1/offers/{}", offer["offer_id"].as_str().unwrap());
    assert_eq!(house.get(&path).await.refusal(), (410, "issuer/offer-gone".to_owned()));
    house.issuer.tidy(&house.ctx()).await.unwrap();
    assert_eq!(house.status(&id(&offer)).await["status"], "expired", "nobody can fetch it any more");
}

#[tokio::test]
async fn four_wrong_transaction_codes_leave_one_try_for_the_right_one() {
    let house = House::new().await;
    let offer = offer(&house).await;
    for nth in 0..4 {
        redeem(&house, &offer, &wrong(&offer, nth)).await;
    }
    assert_eq!(redeem(&house, &offer, &right(&offer)).await.status, 200);
    assert_eq!((house.count("issue-refused").await, house.count("offer-locked").await), (4, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_wrong_transaction_codes_at_once_end_an_offer_for_the_right_one_too() {
    let house = Arc::new(House::new().await);
    let offer = offer(&house).await;
    let guess = |nth| {
        let (house, offer) = (house.clone(), offer.clone());
        tokio::spawn(async move { redeem(&house, &offer, &wrong(&offer, nth)).await.refusal() })
    };
    let guesses: Vec<_> = (0..64).map(guess).collect();
    for guess in guesses {
        assert_eq!(guess.await.unwrap(), (400, "invalid_grant".to_owned()));
    }
    let dead = redeem(&house, &offer, &right(&offer)).await;
    assert_eq!(dead.refusal(), (400, "invalid_grant".to_owned()));
    assert_eq!((house.count("offer-locked").await, house.count("access-granted").await), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_right_transaction_code_sixty_four_times_at_once_gives_one_token() {
    let house = Arc::new(House::new().await);
    let offer = offer(&house).await;
    let one = || {
        let (house, offer) = (house.clone(), offer.clone());
        tokio::spawn(async move { redeem(&house, &offer, &right(&offer)).await.status.as_u16() })
    };
    let all: Vec<_> = (0..64).map(|_| one()).collect();
    let mut given = 0;
    for one in all {
        given += usize::from(one.await.unwrap() == 200);
    }
    assert_eq!(given, 1);
}

#[tokio::test]
async fn a_missing_transaction_code_costs_no_try_and_a_long_one_does() {
    let house = House::new().await;
    let offer = offer(&house).await;
    for _ in 0..6 {
        let missing = house.redeem("default", &code(&offer)).await;
        assert_eq!(missing.refusal(), (400, "invalid_request".to_owned()));
    }
    for _ in 0..4 {
        let long = redeem(&house, &offer, &right(&offer).repeat(20)).await;
        assert_eq!(long.refusal(), (400, "invalid_grant".to_owned()));
    }
    assert_eq!(redeem(&house, &offer, &right(&offer)).await.status, 200);
    assert_eq!(house.count("issue-refused").await, 10, "the offer is known, so each refusal is an event");
}

#[tokio::test]
async fn the_transaction_code_of_one_offer_opens_no_other() {
    let house = House::new().await;
    let (one, other) = (offer(&house).await, offer(&house).await);
    if right(&one) != right(&other) {
        let refused = redeem(&house, &other, &right(&one)).await;
        assert_eq!(refused.refusal(), (400, "invalid_grant".to_owned()));
    }
    assert_eq!(redeem(&house, &other, &right(&other)).await.status, 200);
}

#[tokio::test]
async fn an_offer_with_a_transaction_code_lives_up_to_seven_days() {
    let house = House::new().await;
    let mut body = diploma();
    body["offer_ttl_s"] = json!(604_800);
    let refused = house.post("/api/v1/offers", &body).await;
    assert_eq!(
        (refused.code(), refused.pointers()),
        ("api/invalid".to_owned(), vec!["/offer_ttl_s".to_owned()])
    );
    body["tx_code"] = json!(true);
    let offer = house.offer_of(&body).await;
    body["offer_ttl_s"] = json!(604_801);
    assert_eq!(house.post("/api/v1/offers", &body).await.code(), "api/invalid");
    house.advance(604_799);
    assert_eq!(redeem(&house, &offer, &right(&offer)).await.status, 200);
}

#[tokio::test]
async fn an_offer_is_shown_as_a_picture_where_accept_asks_for_one() {
    let house = House::new().await;
    let offer = offer(&house).await;
    let path = format!("/api/v1/offers/{}", offer["offer_id"].as_str().unwrap());
    let picture = house.raw("GET", &path, &house.token, &[("accept", "image/svg+xml")], "").await;
    assert_eq!((picture.status.as_u16(), picture.header("content-type")), (200, "image/svg+xml"));
    assert_eq!(picture.header("cache-control"), "no-store");
    let text = picture.text();
    assert!(text.starts_with("<svg ") && !text.contains("script") && !text.contains(&right(&offer)));
    for accept in ["application/json", "*/*", "application/json, image/svg+xml"] {
        let shown = house.raw("GET", &path, &house.token, &[("accept", accept)], "").await;
        assert_eq!(shown.header("content-type"), "application/json", "{accept}");
    }
    assert_eq!(house.raw("DELETE", &path, &house.token, &[], "").await.status, 204);
    let gone = house.raw("GET", &path, &house.token, &[("accept", "image/svg+xml")], "").await;
    assert_eq!(gone.refusal(), (410, "issuer/offer-gone".to_owned()));
    assert_eq!(redeem(&house, &offer, &right(&offer)).await.refusal().1, "invalid_grant");
}
