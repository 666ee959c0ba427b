//! Status lists: kept while they are fresh, dropped at a hint, never believed longer than they say.

use crate::house::{House, Served, failure, outcome, query};
use crate::people::{Diploma, VCT, Wallet, list_draft, now};
use credential::presentation::StatusMode;
use credential::status::{Bits, StatusList, StatusValue};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn a_list_is_fetched_once_while_it_is_fresh() {
    let house = House::new().await;
    for _ in 0..3 {
        assert_eq!(house.present(&house.diploma()).await["state"], "verified");
    }
    assert_eq!(house.lists.fetched("/status/0"), 1);
    house.advance(299);
    house.present(&house.diploma()).await;
    assert_eq!(house.lists.fetched("/status/0"), 1);
    house.advance(1);
    house.present(&house.diploma()).await;
    assert_eq!(house.lists.fetched("/status/0"), 2);
}

#[tokio::test]
async fn many_presentations_at_once_fetch_a_list_once() {
    let house = Arc::new(House::new().await);
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let house = house.clone();
            tokio::spawn(async move { house.present(&house.diploma()).await })
        })
        .collect();
    for one in tries {
        assert_eq!(one.await.unwrap()["state"], "verified");
    }
    assert_eq!(house.lists.fetched("/status/0"), 1);
}

#[tokio::test]
async fn a_revoked_credential_is_refused_and_a_suspended_one_too() {
    let house = House::new().await;
    for (path, value, wanted) in [
        ("/status/1", StatusValue::Invalid, "VP-054 status/revoked"),
        ("/status/2", StatusValue::Suspended, "VP-054 status/suspended"),
    ] {
        house.serve_status(path, value);
        assert_eq!(failure(&house.present(&house.diploma_at(path)).await), wanted);
    }
}

#[tokio::test]
async fn a_hint_drops_the_copy_at_once_so_that_the_next_presentation_sees_the_revocation() {
    let house = House::new().await;
    // A list of another instance, and one of this very house.
    let own = house.lists.own_uri("/t/default/status/0");
    let list = |value| house.university.signer("Lists").list(&own, 1_024, 7, value, now());
    house.lists.serve("/t/default/status/0", Served::Token(list(StatusValue::Valid)));
    for (path, uri) in [("/status/0", house.lists.uri("/status/0")), ("/t/default/status/0", own.clone())] {
        let diploma = house.diploma_with(&uri, 7);
        assert_eq!(house.present(&diploma).await["state"], "verified");
        if uri == own {
            house.lists.serve(path, Served::Token(list(StatusValue::Invalid)));
        } else {
            house.serve_status(path, StatusValue::Invalid);
        }
        assert_eq!(house.present(&diploma).await["state"], "verified", "{path}: the copy is fresh");
        house.store.bus().publish(verifier::LIST_CHANGED, uri.as_str());
        assert_eq!(failure(&house.present(&diploma).await), "VP-054 status/revoked", "{path}");
        assert_eq!(house.lists.fetched(path), 2);
    }
}

#[tokio::test]
async fn a_list_that_a_hint_overtakes_on_its_way_is_not_kept() {
    let house = House::new().await;
    let uri = house.lists.uri("/status/0");
    let token = house.university.signer("Lists").list(&uri, 1_024, 7, StatusValue::Valid, now());
    house.lists.serve("/status/0", Served::Overtaken(token, house.store.clone(), uri));
    // It was asked for before the change; whoever comes later sees the change.
    assert_eq!(house.present(&house.diploma()).await["state"], "verified");
    house.serve_status("/status/0", StatusValue::Invalid);
    assert_eq!(failure(&house.present(&house.diploma()).await), "VP-054 status/revoked");
}

#[tokio::test]
async fn a_hint_about_another_list_or_topic_drops_nothing_and_a_flood_of_them_everything() {
    let house = House::new().await;
    house.present(&house.diploma()).await;
    house.store.bus().publish(verifier::LIST_CHANGED, house.lists.uri("/status/1"));
    house.store.bus().publish("audit.grown", house.lists.uri("/status/0"));
    house.present(&house.diploma()).await;
    assert_eq!(house.lists.fetched("/status/0"), 1);
    for _ in 0..2_000 {
        house.store.bus().publish("audit.grown", "");
    }
    house.present(&house.diploma()).await;
    assert_eq!(house.lists.fetched("/status/0"), 2, "hints were lost: nothing kept is believed");
    // A job that hears them in time keeps the copies.
    for _ in 0..3 {
        for _ in 0..900 {
            house.store.bus().publish("audit.grown", "");
        }
        house.verifier.refresh_lists(&house.ctx()).await.unwrap();
    }
    house.present(&house.diploma()).await;
    assert_eq!(house.lists.fetched("/status/0"), 2);
}

#[tokio::test]
async fn lists_in_use_are_fetched_in_the_background_before_their_time_is_over() {
    let house = House::new().await;
    house.present(&house.diploma()).await;
    house.verifier.refresh_lists(&house.ctx()).await.unwrap();
    assert_eq!(house.lists.fetched("/status/0"), 1);
    house.advance(299);
    house.serve_status("/status/0", StatusValue::Invalid);
    house.verifier.refresh_lists(&house.ctx()).await.unwrap();
    house.advance(5);
    house.verifier.refresh_lists(&house.ctx()).await.unwrap();
    assert_eq!(house.lists.fetched("/status/0"), 2);
    assert_eq!(failure(&house.present(&house.diploma()).await), "VP-054 status/revoked");
    assert_eq!(house.lists.fetched("/status/0"), 2, "the presentation itself fetched nothing");
    // Nobody asks for it any more.
    for _ in 0..10 {
        house.advance(600);
        house.verifier.refresh_lists(&house.ctx()).await.unwrap();
    }
    let fetched = house.lists.fetched("/status/0");
    house.advance(600);
    house.verifier.refresh_lists(&house.ctx()).await.unwrap();
    assert_eq!(house.lists.fetched("/status/0"), fetched);
}

#[tokio::test]
async fn a_list_that_cannot_be_reached_refuses_and_an_older_copy_counts_only_within_the_grace() {
    for (grace_s, wanted) in [(0, "VP-052 status/stale"), (60, "verified")] {
        let house = House::with(|config| config.status_grace_s = grace_s).await;
        house.present(&house.diploma()).await;
        house.lists.serve("/status/0", Served::Broken);
        house.advance(330);
        let result = house.present(&house.diploma()).await;
        if wanted == "verified" {
            assert_eq!(
                (result["state"].as_str(), outcome(&result, "VP-052").as_str()),
                (Some("verified"), "warn")
            );
            house.advance(31);
            assert_eq!(failure(&house.present(&house.diploma()).await), "VP-052 status/stale");
        } else {
            assert_eq!(failure(&result), wanted);
        }
        assert_eq!(
            failure(&house.present(&house.diploma_at("/status/none")).await),
            "VP-050 status/unreachable"
        );
    }
}

#[tokio::test]
async fn a_door_that_just_failed_is_left_alone_for_a_moment() {
    let house = House::new().await;
    house.lists.serve("/status/0", Served::Broken);
    for _ in 0..3 {
        assert_eq!(failure(&house.present(&house.diploma()).await), "VP-050 status/unreachable");
    }
    assert_eq!(house.lists.fetched("/status/0"), 1);
    house.serve_status("/status/0", StatusValue::Valid);
    house.advance(5);
    assert_eq!(house.present(&house.diploma()).await["state"], "verified");
}

#[tokio::test]
async fn a_list_of_another_uri_of_nobody_or_that_is_none_is_refused() {
    let house = House::new().await;
    let signer = house.university.signer("Lists");
    let list = StatusList::new(Bits::One, 1_024).unwrap();
    let uri = |path: &str| house.lists.uri(path);
    let moved = signer.sign(list_draft(&uri("/status/other"), &list, now(), 300));
    let stranger = crate::people::Root::new("Stranger").signer("Lists");
    let foreign = stranger.sign(list_draft(&uri("/status/b"), &list, now(), 300));
    let future =
        signer.sign(list_draft(&uri("/status/c"), &list, now() + jiff::SignedDuration::from_mins(5), 300));
    for (path, token, wanted) in [
        ("/status/a", moved, "VP-051 status/wrong-subject"),
        ("/status/b", foreign, "VP-050 status/list-untrusted"),
        ("/status/c", future, "VP-052 status/stale"),
        ("/status/d", "no token".to_owned(), "VP-050 status/list-invalid"),
    ] {
        house.lists.serve(path, Served::Token(token));
        assert_eq!(failure(&house.present(&house.diploma_at(path)).await), wanted, "{path}");
    }
}

#[tokio::test]
async fn an_anchor_that_was_removed_no_longer_vouches_for_a_kept_list() {
    let house = House::new().await;
    let keeper = crate::people::Root::new("List keeper");
    house.believe(&keeper, &[custody::Context::Status], &[]).await;
    let uri = house.lists.uri("/status/kept");
    let token = keeper.signer("Lists").list(&uri, 1_024, 7, StatusValue::Valid, now());
    house.lists.serve("/status/kept", Served::Token(token));
    assert_eq!(house.present(&house.diploma_at("/status/kept")).await["state"], "verified");
    let anchors = house.custody.all_anchors(&house.ctx()).await.unwrap();
    let known =
        anchors.iter().find(|anchor| anchor.certificate.sha256() == keeper.certificate.sha256()).unwrap();
    house.custody.remove_anchor(&house.ctx(), &known.id).await.unwrap();
    let result = house.present(&house.diploma_at("/status/kept")).await;
    assert_eq!(failure(&result), "VP-050 status/list-untrusted");
}

#[tokio::test]
async fn an_anchor_counts_from_its_adding_until_its_removal() {
    let house = House::new().await;
    let academy = crate::people::Root::new("Academy");
    let signer = academy.signer("Issuer");
    let diploma = Diploma { vct: VCT, given_name: "Ana", status: None };
    let text = diploma.issue(&house.wallet.key.public(), &signer);
    let shown = Wallet::disclose(&text, &signer.key.public());
    let present = async || {
        let (id, asked) = house.ask().await;
        house.respond(&asked, &asked.answer(&house.wallet.bind_to(&shown, &asked))).await;
        house.result(&id).await
    };
    assert_eq!(failure(&present().await), "VP-014 trust/no-anchor");
    house.believe(&academy, &[custody::Context::Issuer], &[VCT]).await;
    assert_eq!(present().await["state"], "verified");
    let anchors = house.custody.all_anchors(&house.ctx()).await.unwrap();
    let known =
        anchors.iter().find(|anchor| anchor.certificate.sha256() == academy.certificate.sha256()).unwrap();
    house.custody.remove_anchor(&house.ctx(), &known.id).await.unwrap();
    assert_eq!(failure(&present().await), "VP-014 trust/no-anchor");
    assert_eq!(house.count("presentation-accepted").await, 1);
    assert_eq!(house.count("presentation-rejected").await, 2);
}

#[tokio::test]
async fn a_restart_keeps_the_lists_of_others_and_none_of_its_own() {
    let house = House::new().await;
    let own = house.lists.own_uri("/t/default/status/0");
    let token = house.university.signer("Lists").list(&own, 1_024, 7, StatusValue::Valid, now());
    house.lists.serve("/t/default/status/0", Served::Token(token));
    house.present(&house.diploma()).await;
    house.present(&house.diploma_with(&own, 7)).await;
    let again = house.restarted();
    again.present(&again.diploma()).await;
    assert_eq!(again.lists.fetched("/status/0"), 1);
    again.present(&again.diploma_with(&own, 7)).await;
    assert_eq!(again.lists.fetched("/t/default/status/0"), 2);
}

#[tokio::test]
async fn the_policy_says_whether_a_status_is_looked_at() {
    let house = House::with(|config| config.status_policy = StatusMode::Require).await;
    let diploma = Diploma { vct: VCT, given_name: "Ana", status: None };
    let without = diploma.issue(&house.wallet.key.public(), &house.issuer);
    assert_eq!(failure(&house.present(&without).await), "VP-050 status/missing");
    let body = |policy: &str| json!({"dcql_query": query(), "status_policy": policy});
    let absent = house.present_with(&body("if_present"), &without).await;
    assert_eq!(absent["credentials"]["d"][0]["status"], "absent");
    house.serve_status("/status/1", StatusValue::Invalid);
    let ignored = house.present_with(&body("ignore"), &house.diploma_at("/status/1")).await;
    assert_eq!(ignored["credentials"]["d"][0]["status"], "ignored");
    assert_eq!(house.lists.fetched("/status/1"), 0);
    assert_eq!(failure(&house.present(&house.diploma_at("/status/1")).await), "VP-054 status/revoked");
}

#[tokio::test]
async fn a_refusal_for_its_status_tells_the_wallet_nothing_of_it() {
    let house = House::new().await;
    house.serve_status("/status/1", StatusValue::Invalid);
    let (_, asked) = house.ask().await;
    let text = Wallet::disclose(&house.diploma_at("/status/1"), &house.issuer.key.public());
    let revoked = house.respond(&asked, &asked.answer(&house.wallet.bind_to(&text, &asked))).await;
    let (_, asked) = house.ask().await;
    let forged = house.respond(&asked, &asked.answer("forged")).await;
    let told =
        |answered: &crate::house::Answered| -> (StatusCode, Value) { (answered.status, answered.json()) };
    assert_eq!(told(&revoked), told(&forged));
}
