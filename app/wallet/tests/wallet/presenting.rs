//! From a request to an answer: what is shown, what is refused, what is kept.

use crate::server::Reply;
use crate::world::{Authority, CANARY, World, p256, sign};
use credential::check::Check;
use crypto::jose::jws::{Draft, x5c_value};
use openid::vp::wallet::{AnswerFault, RequestFault};
use openid::vp::{Input, WalletError, request};
use serde_json::{Value, json};
use tessera_wallet::engine::steps::{self, Binding};
use tessera_wallet::engine::{Choice, Outcome, PresentError, Wallet};
use tessera_wallet::http::HttpFault;
use tessera_wallet::record::Delivery;

fn present(world: &World, wallet: &mut Wallet) -> Result<Outcome, PresentError> {
    let link = world.request_link();
    wallet.present(&link, &Choice::default(), &mut |_| true).map(|answered| answered.outcome)
}

/// A request that the wallet must refuse: nothing is answered, nobody is asked, nothing is written down.
#[track_caller]
fn refused(world: &World) -> RequestFault {
    let mut wallet = world.holder();
    let link = world.request_link();
    let refused =
        wallet.present(&link, &Choice::default(), &mut |_| panic!("the holder was asked")).unwrap_err();
    assert_eq!(world.count("/response"), 0);
    assert!(wallet.history().unwrap().is_empty());
    match refused {
        PresentError::Request(fault) => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn a_request_is_answered_with_the_claims_that_were_asked_for_and_no_others() {
    let world = World::new();
    let mut wallet = world.holder();
    let mut seen = None;
    let answered = wallet
        .present(&world.request_link(), &Choice::default(), &mut |summary| {
            assert_eq!(world.count("/response"), 0, "nothing leaves before the holder agreed");
            seen = Some(summary.clone());
            true
        })
        .unwrap();
    let seen = seen.unwrap();
    assert_eq!(
        (seen.verifier[0].subject.as_str(), seen.anchor.as_deref()),
        ("CN=Verifier A", Some("CN=Root of A"))
    );
    assert!(seen.answer_to.starts_with("localhost:"));
    // What cannot be kept back is shown to the holder like everything else that the verifier will see.
    let mut claims: Vec<_> = seen.items[0].claims.iter().map(|it| (it.path(), it.text())).collect();
    claims.sort();
    assert_eq!(claims, [("degree".to_owned(), CANARY.to_owned()), ("year".to_owned(), "2026".to_owned())]);
    assert_eq!(answered.outcome, Outcome::Delivered);
    assert!(answered.redirect_uri.unwrap().ends_with("/done"));
    assert_eq!(world.with(|peers| peers.input), Some(Input::Accepted));
    assert_eq!(world.with(|peers| peers.seen.take()), Some(json!({"degree": CANARY})));
}

#[test]
fn an_answer_goes_in_the_clear_where_the_request_says_so_and_the_holder_is_told() {
    let world = World::new();
    let mut wallet = world.holder();
    world.change("response_mode", json!("direct_post"));
    for (agrees, input) in [(true, Input::Accepted), (false, Input::WalletError(WalletError::AccessDenied))] {
        let told = &mut |summary: &tessera_wallet::engine::RequestSummary| {
            assert!(!summary.is_encrypted);
            agrees
        };
        wallet.present(&world.request_link(), &Choice::default(), told).unwrap();
        assert_eq!(world.with(|peers| peers.input), Some(input));
    }
}

#[test]
fn the_first_combination_that_can_be_met_is_shown_and_the_holder_sees_all_that_is_asked() {
    let world = World::new();
    let mut wallet = world.holder();
    let mut query = world.with(|peers| peers.object().dcql_query);
    let other = json!({"id": "l", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:licence"]}});
    query["credentials"][0]["claims"] = json!([
        {"id": "p", "path": ["passport"]}, {"id": "g", "path": ["degree"], "values": [CANARY, "other"]},
    ]);
    query["credentials"][0]["claim_sets"] = json!([["p", "g"], ["g"]]);
    query["credentials"].as_array_mut().unwrap().push(other);
    query["credential_sets"] =
        json!([{"options": [["d", "l"], ["d"]]}, {"options": [["l"]], "required": false}]);
    world.change("dcql_query", query);
    let mut seen = None;
    wallet
        .present(&world.request_link(), &Choice::default(), &mut |summary| {
            seen = Some(summary.clone());
            true
        })
        .unwrap();
    assert_eq!(
        world.with(|peers| (peers.input, peers.seen.take())),
        (Some(Input::Accepted), Some(json!({"degree": CANARY})))
    );
    let seen = seen.unwrap();
    assert_eq!((seen.asks[0].query.as_str(), seen.asks[0].combinations), ("d", 2));
    assert_eq!(seen.asks[0].claims, ["passport".to_owned(), format!("degree = \"{CANARY}\" or \"other\"")]);
    assert_eq!(
        (seen.asks[1].types.as_slice(), seen.asks[1].claims.len()),
        (&["urn:licence".to_owned()][..], 0)
    );
    assert_eq!(seen.enough[0].options, [vec!["d".to_owned(), "l".to_owned()], vec!["d".to_owned()]]);
    assert!(seen.enough[0].required && !seen.enough[1].required);
}

#[test]
fn history_names_who_asked_and_which_claims_but_never_their_values() {
    let world = World::new();
    let mut wallet = world.holder();
    present(&world, &mut wallet).unwrap();
    wallet.present(&world.request_link(), &Choice::default(), &mut |_| false).unwrap();
    let history = wallet.history().unwrap();
    let outcomes: Vec<_> = history.iter().map(|entry| entry.outcome).collect();
    assert!(outcomes.contains(&Delivery::Delivered) && outcomes.contains(&Delivery::Declined));
    let delivered = history.iter().find(|entry| entry.outcome == Delivery::Delivered).unwrap();
    assert_eq!(delivered.verifier, ["CN=Verifier A"]);
    assert_eq!(delivered.shown[0].claims.len(), 2);
    assert!(history.iter().filter(|entry| entry.outcome == Delivery::Declined).all(|it| it.shown.is_empty()));
    assert!(!format!("{history:?}").contains(CANARY));
}

#[test]
fn a_no_and_no_match_are_answered_alike_and_only_after_the_holder_was_asked() {
    let world = World::new();
    let denied = Some(Input::WalletError(WalletError::AccessDenied));
    let declined = world.holder().present(&world.request_link(), &Choice::default(), &mut |_| false).unwrap();
    assert_eq!((declined.outcome, world.with(|peers| peers.input.take())), (Outcome::Declined, denied));

    let mut asked = 0;
    let mut empty = world.wallet();
    for word in [true, false] {
        let answered = empty
            .present(&world.request_link(), &Choice::default(), &mut |summary| {
                asked += 1;
                assert!(summary.items.is_empty());
                word
            })
            .unwrap();
        assert_eq!((answered.outcome, world.with(|peers| peers.input.take())), (Outcome::NoMatch, denied));
        assert!(answered.shown.is_empty());
    }
    assert_eq!(asked, 2);
}

#[test]
fn a_list_of_claims_that_may_be_shown_is_never_overstepped() {
    let world = World::new();
    let mut wallet = world.holder();
    let only = |paths: &[&str]| Choice {
        disclose: Some(paths.iter().map(|path| (*path).to_owned()).collect()),
        ..Choice::default()
    };
    // `year` cannot be kept back, so a list without it forbids the whole.
    let answered = wallet.present(&world.request_link(), &only(&["degree"]), &mut |_| true).unwrap();
    assert_eq!((answered.outcome, world.with(|peers| peers.seen.take())), (Outcome::Declined, None));
    let answered = wallet.present(&world.request_link(), &only(&["degree", "year"]), &mut |_| true).unwrap();
    assert_eq!(answered.outcome, Outcome::Delivered);
}

#[test]
fn the_selected_credential_is_shown_and_one_that_does_not_fit_stops_everything() {
    let world = World::new();
    let mut wallet = world.holder();
    world.with(|peers| peers.renew_code());
    wallet.accept(&world.offer_link(), None, &mut |_| true).unwrap();
    for held in wallet.list().unwrap() {
        let choice = Choice { select: Some(&held.id), ..Choice::default() };
        let answered = wallet.present(&world.request_link(), &choice, &mut |_| true).unwrap();
        assert_eq!(answered.shown[0].credential, held.id);
    }
    let sent = world.count("/response");
    let choice = Choice { select: Some("wcr_none"), ..Choice::default() };
    let unfit = wallet.present(&world.request_link(), &choice, &mut |_| panic!("the holder was asked"));
    assert!(matches!(unfit, Err(PresentError::SelectionUnfit)));
    assert_eq!(world.count("/response"), sent);
}

#[test]
fn the_holder_is_told_when_a_copy_is_shown_to_the_same_verifier_again() {
    let world = World::new();
    let mut wallet = world.holder();
    let mut told = Vec::new();
    for _ in 0..2 {
        let mut note = |summary: &tessera_wallet::engine::RequestSummary| {
            told.push(summary.items[0].shown_before);
            true
        };
        wallet.present(&world.request_link(), &Choice::default(), &mut note).unwrap();
    }
    assert_eq!(told, [false, true]);
}

#[test]
fn an_expired_credential_is_not_offered_to_anyone() {
    let world = World::new();
    let home = tempfile::tempdir().unwrap();
    let phrase = crypto::secret::Secret::new("p".to_owned());
    let pem = world.with(|peers| peers.authority.pem());
    let mut wallet =
        Wallet::create(home.path(), &phrase, &[pem]).unwrap().with_clock(Box::new(crate::world::now));
    wallet.accept(&world.offer_link(), None, &mut |_| true).unwrap();
    let mut later = wallet.with_clock(Box::new(|| crate::world::at(86_400 * 60)));
    world.with(|peers| {
        let now = crate::world::at(86_400 * 60).as_second();
        peers.change = Some(Box::new(move |claims| {
            claims["iat"] = json!(now);
            claims["exp"] = json!(now + 300);
        }));
    });
    assert_eq!(present(&world, &mut later).unwrap(), Outcome::NoMatch);
}

#[test]
fn a_verifiers_refusal_reaches_the_holder_and_history_says_that_it_was_seen() {
    let world = World::new();
    let mut wallet = world.holder();
    world.with(|peers| peers.revoked = true);
    let fault = present(&world, &mut wallet).unwrap_err();
    assert!(
        matches!(&fault, PresentError::Answer(AnswerFault::Peer(refusal)) if refusal.status == 400),
        "{fault}"
    );
    assert_eq!(wallet.history().unwrap()[0].outcome, Delivery::Refused);
}

#[test]
fn an_answer_whose_arrival_is_unknown_stays_in_history_as_sent() {
    let world = World::new();
    let mut wallet = world.holder();
    world.spoil("/response", |_| Reply {
        status: 302,
        location: Some("http://localhost:1/".to_owned()),
        dpop_nonce: None,
        body: Vec::new(),
    });
    let fault = present(&world, &mut wallet).unwrap_err();
    assert!(matches!(fault, PresentError::Http(HttpFault::Redirect { .. })), "{fault}");
    let history = wallet.history().unwrap();
    assert_eq!((history[0].outcome, history[0].shown.len()), (Delivery::Sent, 1));
}

#[test]
fn a_request_that_nobody_signed_is_refused() {
    let world = World::new();
    let payload = world.with(|peers| peers.object().draft().payload);
    let claims = String::from_utf8(payload).unwrap();
    let unsigned = format!(
        "{}.{}.",
        crypto::base64::url_encode(br#"{"alg":"none","typ":"oauth-authz-req+jwt"}"#),
        crypto::base64::url_encode(claims.as_bytes())
    );
    for body in [unsigned, claims, String::new(), "<html>".to_owned()] {
        world.spoil("/request", move |_| Reply::of(200, body.clone()));
        let fault = refused(&world);
        assert!(matches!(fault, RequestFault::Object), "{fault}");
        world.with(|peers| peers.renew_code());
    }
}

#[test]
fn a_request_signed_without_certificates_or_by_another_key_is_refused() {
    let world = World::new();
    let (draft, der) = world.with(|peers| (peers.object().draft(), peers.verifier.der.clone()));
    let by_nobody = sign(draft, &p256());
    world.spoil("/request", move |_| Reply::of(200, by_nobody.clone()));
    assert!(matches!(refused(&world), RequestFault::Object));
    world.with(|peers| peers.renew_code());
    let draft = world.with(|peers| peers.object().draft());
    let by_another = sign(draft.with("x5c", x5c_value(&[&der])), &p256());
    world.spoil("/request", move |_| Reply::of(200, by_another.clone()));
    assert!(matches!(refused(&world), RequestFault::Signature));
}

#[test]
fn a_request_of_another_client_than_the_link_names_is_refused() {
    let world = World::new();
    world.change("client_id", json!("x509_hash:AAAA"));
    assert!(matches!(refused(&world), RequestFault::OtherClient));
    // The link of one verifier, the signed request of another under the same root.
    let world = World::new();
    let link = world.request_link();
    let mut wallet = world.holder();
    world.with(|peers| peers.verifier = peers.authority.signer("Verifier B"));
    let fault =
        wallet.present(&link, &Choice::default(), &mut |_| panic!("the holder was asked")).unwrap_err();
    assert!(matches!(fault, PresentError::Request(RequestFault::OtherClient)), "{fault}");
}

#[test]
fn a_verifier_under_no_anchor_of_this_wallet_is_refused() {
    let world = World::new();
    world.with(|peers| peers.verifier = Authority::new("Root of B").signer("Verifier A"));
    assert!(matches!(refused(&world), RequestFault::Untrusted(_)));
}

#[test]
fn a_request_out_of_its_time_or_without_a_nonce_or_with_an_unknown_transaction_is_refused() {
    type Expected = fn(&RequestFault) -> bool;
    let cases: [(&'static str, Value, Expected); 7] = [
        ("exp", json!(1_799_999_000), |fault| matches!(fault, RequestFault::OutOfTime)),
        ("iat", json!(1_800_001_000), |fault| matches!(fault, RequestFault::OutOfTime)),
        ("nonce", Value::Null, |fault| matches!(fault, RequestFault::Parameter("nonce"))),
        ("redirect_uri", json!("https://v.example"), |fault| {
            matches!(fault, RequestFault::Parameter("redirect_uri"))
        }),
        ("response_uri", json!("http://v.example/r"), |fault| matches!(fault, RequestFault::Address { .. })),
        ("transaction_data", json!(["e30"]), |fault| matches!(fault, RequestFault::UnknownTransaction)),
        ("client_metadata", json!({}), |fault| matches!(fault, RequestFault::NoEncryption)),
    ];
    for (claim, value, expected) in cases {
        let world = World::new();
        world.change(claim, value);
        let fault = refused(&world);
        assert!(expected(&fault), "{claim}: {fault}");
    }
}

#[test]
fn a_request_of_another_typ_is_refused() {
    let world = World::new();
    let other = world.with(|peers| peers.verifier.sign(Draft::new("JWT", peers.object().draft().payload)));
    world.spoil("/request", move |_| Reply::of(200, other.clone()));
    assert!(matches!(refused(&world), RequestFault::Object));
    assert_eq!(request::REQUEST_TYP, "oauth-authz-req+jwt");
}

#[test]
fn a_link_with_the_request_inside_or_to_another_machine_by_plain_http_is_refused() {
    let mut wallet = World::new().wallet();
    for link in [
        "openid4vp://?client_id=a&request=x",
        "openid4vp://?client_id=a&request_uri=http%3A%2F%2Fv.example%2Fr",
        "https://v.example",
        "",
    ] {
        let fault = wallet.present(link, &Choice::default(), &mut |_| true).unwrap_err();
        assert!(matches!(fault, PresentError::Request(_)), "{link}: {fault}");
    }
}

#[test]
fn a_request_longer_than_its_bound_and_a_redirect_are_refused() {
    let world = World::new();
    let mut wallet = world.holder();
    world.spoil("/request", |_| Reply::of(200, vec![b'a'; 1 << 20]));
    assert!(matches!(present(&world, &mut wallet), Err(PresentError::Http(HttpFault::TooLong { .. }))));
    let elsewhere = world.with(|peers| format!("{}/elsewhere", peers.origin));
    world.spoil("/request", move |_| Reply {
        status: 302,
        location: Some(elsewhere.clone()),
        dpop_nonce: None,
        body: Vec::new(),
    });
    assert!(matches!(present(&world, &mut wallet), Err(PresentError::Http(HttpFault::Redirect { .. }))));
    assert_eq!(world.count("/elsewhere"), 0);
}

#[test]
fn an_attacker_who_sends_an_answer_twice_gets_one_success() {
    let world = World::new();
    let wallet = world.holder();
    let prepared =
        steps::prepare_presentation(&wallet, &world.request_link(), &Choice::default(), Binding::Key)
            .unwrap();
    assert!(wallet.history().unwrap().is_empty());
    assert_eq!(steps::send(wallet.client(), &prepared.errand), Ok(200));
    assert_eq!(steps::send(wallet.client(), &prepared.errand), Ok(400));
}

#[test]
fn an_attacker_without_the_key_is_refused_by_name() {
    let world = World::new();
    let wallet = world.holder();
    let link = world.request_link();
    let stripped =
        steps::prepare_presentation(&wallet, &link, &Choice::default(), Binding::Stripped).unwrap();
    assert_eq!(steps::send(wallet.client(), &stripped.errand), Ok(400));
    assert_eq!(world.with(|peers| peers.input), Some(Input::Failed(Check::KeyBinding)));
}

#[test]
fn an_attacker_who_redeems_one_offer_many_times_at_once_gets_one_token() {
    let world = World::new();
    let wallet = world.wallet();
    let errand = steps::token_request(&wallet, &world.offer_link(), None).unwrap();
    let statuses = steps::send_in_parallel(wallet.client(), &errand, 16);
    let taken = statuses.iter().filter(|status| **status == Ok(200)).count();
    assert_eq!((statuses.len(), taken), (16, 1));
}

#[test]
fn a_credential_request_can_be_prepared_and_sent_by_hand() {
    let world = World::new();
    let wallet = world.wallet();
    let errand = steps::credential_request(&wallet, &world.offer_link(), None).unwrap();
    assert_eq!(world.count("/i/credential"), 0);
    assert_eq!(steps::send(wallet.client(), &errand), Ok(200));
    assert!(wallet.list().unwrap().is_empty());
}
