//! From an offer to a stored credential, and every place where the wallet must stop.

use crate::server::Reply;
use crate::world::{Authority, CANARY, World, at, p256};
use openid::vci::wallet::AcceptFault;
use serde_json::{Value, json};
use tessera_wallet::engine::{AcceptError, HeldState, Wallet, WalletFault, status};
use tessera_wallet::http::HttpFault;

fn accept(world: &World) -> Result<Wallet, AcceptError> {
    let mut wallet = world.wallet();
    let link = world.offer_link();
    let outcome = wallet.accept(&link, None, &mut |_| true);
    match outcome {
        Ok(_) => Ok(wallet),
        Err(fault) => {
            assert!(wallet.list().unwrap().is_empty(), "nothing is stored after {fault}");
            Err(fault)
        }
    }
}

#[track_caller]
fn refused(world: &World) -> AcceptFault {
    match accept(world) {
        Err(AcceptError::Check(fault)) => fault,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was accepted"),
    }
}

/// Changes one member of a JSON answer.
fn member(name: &'static str, value: Value) -> impl Fn(Reply) -> Reply + Send + Sync + 'static {
    move |reply| {
        let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
        body[name] = value.clone();
        Reply::json(reply.status, &body)
    }
}

const ISSUER_METADATA: &str = "/.well-known/openid-credential-issuer/i";
const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server/i";

#[test]
fn an_offer_becomes_a_credential_after_the_holder_saw_who_offers_what() {
    let world = World::new();
    let mut wallet = world.wallet();
    let mut seen = None;
    let held = wallet
        .accept(&world.offer_link(), None, &mut |summary| {
            assert_eq!(world.count("/i/token"), 0, "nothing is redeemed before the holder agreed");
            seen = Some(summary.clone());
            true
        })
        .unwrap();
    let seen = seen.unwrap();
    assert_eq!(
        (seen.issuer.as_str(), seen.vct.as_str()),
        (&*world.with(|it| it.identifier()), &*world.with(|it| it.vct()))
    );
    assert_eq!(
        (seen.issuer_name.as_deref(), seen.name.as_deref()),
        (Some("University of A"), Some("Diploma"))
    );
    let claims: Vec<_> = seen.claims.iter().map(|it| (it.path.as_str(), it.name.as_deref())).collect();
    assert_eq!(claims, [("degree", Some("Degree")), ("given_name", None)]);
    assert_eq!(held.trust_path, ["CN=Signer of A", "CN=Root of A"]);
    assert_eq!((held.state, held.expires_at.is_some()), (HeldState::Usable, true));
    assert_eq!(Value::Object(held.dataset()), json!({"given_name": "Ana", "degree": CANARY, "year": 2026}));
    let listed = wallet.list().unwrap();
    assert_eq!((listed.len(), &listed[0].id), (1, &held.id));
    assert!(!format!("{listed:?}").contains(CANARY));
}

#[test]
fn where_proofs_are_taken_one_fresh_key_asks_for_token_and_credential_with_the_servers_nonce() {
    let world = World::new();
    world.with(|peers| peers.bound = true);
    accept(&world).unwrap();
    let first = world.with(|peers| peers.bound_to.unwrap());
    assert_eq!(
        (world.count("/i/token"), world.count("/i/credential")),
        (2, 1),
        "the nonce is asked for once"
    );
    assert_eq!(world.count("/i/notification"), 1, "the issuer hears that it is stored");
    world.with(|peers| peers.renew_code());
    accept(&world).unwrap();
    assert_ne!(world.with(|peers| peers.bound_to.unwrap()), first);
}

#[test]
fn a_server_that_asks_for_its_nonce_again_is_given_up() {
    let world = World::new();
    world.with(|peers| peers.bound = true);
    world.spoil("/i/token", |_| Reply {
        dpop_nonce: Some("another".to_owned()),
        ..Reply::json(400, &json!({"error": "use_dpop_nonce"}))
    });
    let AcceptFault::Peer(refusal) = refused(&world) else { panic!("another fault") };
    assert_eq!((refusal.code.as_str(), world.count("/i/token")), ("use_dpop_nonce", 2));
}

#[test]
fn each_copy_has_a_fresh_key() {
    let world = World::new();
    let mut wallet = world.holder();
    world.with(|peers| peers.renew_code());
    wallet.accept(&world.offer_link(), None, &mut |_| true).unwrap();
    let keys: Vec<Value> = wallet.list().unwrap().iter().map(|held| held.value()["cnf"].clone()).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn an_offer_that_the_holder_declines_is_not_redeemed() {
    let world = World::new();
    let declined = world.wallet().accept(&world.offer_link(), None, &mut |_| false);
    assert!(matches!(declined, Err(AcceptError::Declined)));
    assert_eq!(world.count("/i/token"), 0);
}

#[test]
fn an_offer_in_the_link_itself_is_taken_too() {
    let world = World::new();
    let link = world.with(|peers| peers.offer().link());
    world.wallet().accept(&link, None, &mut |_| true).unwrap();
    assert_eq!(world.count("/offer"), 0);
}

#[test]
fn a_transaction_code_is_sent_when_it_is_given_and_asked_for_before_anything_is_spent() {
    let world = World::new();
    world.with(|peers| peers.tx_code = true);
    let fault = refused(&world);
    assert!(matches!(fault, AcceptFault::TxCodeNeeded), "{fault}");
    assert_eq!(world.count("/i/token"), 0);
    let link = world.offer_link();
    assert!(world.wallet().accept(&link, Some("4935"), &mut |_| true).is_ok());
}

#[test]
fn metadata_of_another_issuer_than_the_offers_stops_the_wallet() {
    for other in ["https://evil.example/i", "http://localhost:1/i"] {
        let world = World::new();
        world.spoil(ISSUER_METADATA, member("credential_issuer", json!(other)));
        assert!(matches!(refused(&world), AcceptFault::Mismatch { .. }));
        let world = World::new();
        world.spoil(SERVER_METADATA, member("issuer", json!(other)));
        assert!(matches!(refused(&world), AcceptFault::Mismatch { .. }));
        assert_eq!(world.count("/i/token"), 0);
    }
}

#[test]
fn an_offer_or_issuer_by_plain_http_to_another_machine_is_never_asked() {
    let mut wallet = World::new().wallet();
    for link in [
        "openid-credential-offer://?credential_offer_uri=http%3A%2F%2Fi.example%2Foffer",
        "openid-credential-offer://?credential_offer_uri=http%3A%2F%2F169.254.169.254%2Flatest",
        "openid-credential-offer://?credential_offer_uri=file%3A%2F%2F%2Fetc%2Fpasswd",
    ] {
        let fault = wallet.accept(link, None, &mut |_| true).unwrap_err();
        assert!(matches!(fault, AcceptError::Check(AcceptFault::Offer(_))), "{fault}");
    }
    let world = World::new();
    world.spoil("/offer", member("credential_issuer", json!("http://i.example/i")));
    assert!(matches!(refused(&world), AcceptFault::Address { .. }));
}

#[test]
fn an_endpoint_on_another_machine_by_plain_http_stops_the_wallet_before_the_code_is_sent() {
    for name in ["credential_endpoint", "nonce_endpoint"] {
        let world = World::new();
        world.spoil(ISSUER_METADATA, member(name, json!("http://evil.example/take")));
        assert!(matches!(refused(&world), AcceptFault::Address { .. }), "{name}");
        assert_eq!(world.count("/i/token"), 0);
    }
}

#[test]
fn a_credential_bound_to_another_key_is_not_stored() {
    let world = World::new();
    world.with(|peers| peers.holder = Some(p256().public()));
    assert!(matches!(refused(&world), AcceptFault::OtherKey));
}

#[test]
fn a_credential_of_another_type_than_was_offered_is_not_stored() {
    let world = World::new();
    world.with(|peers| peers.vct = Some("https://i.example/pid".to_owned()));
    assert!(matches!(refused(&world), AcceptFault::OtherType));
}

#[test]
fn a_credential_of_an_issuer_under_no_anchor_is_not_stored() {
    let world = World::new();
    world.with(|peers| peers.issuer = Authority::new("Root of B").signer("Signer of A"));
    assert!(matches!(refused(&world), AcceptFault::Untrusted(_)));
}

#[test]
fn a_wallet_without_anchors_trusts_nobody() {
    let world = World::new();
    let stranger = Authority::new("Root of B").pem();
    let mut wallet = Wallet::in_memory(&stranger).unwrap().with_clock(Box::new(|| at(0)));
    let fault = wallet.accept(&world.offer_link(), None, &mut |_| true).unwrap_err();
    assert!(matches!(fault, AcceptError::Check(AcceptFault::Untrusted(_))), "{fault}");
}

#[test]
fn a_refusal_of_the_issuer_is_shown_by_its_code_and_a_spent_offer_stores_nothing() {
    let world = World::new();
    world.holder();
    let fault = refused(&world);
    assert_eq!(fault.to_string(), "the peer answered 400 invalid_grant");
}

#[test]
fn a_redirect_is_followed_nowhere() {
    for path in ["/offer", ISSUER_METADATA, SERVER_METADATA, "/i/token", "/i/nonce", "/i/credential"] {
        let world = World::new();
        let elsewhere = world.with(|peers| format!("{}/elsewhere", peers.origin));
        world.spoil(path, move |_| Reply {
            status: 307,
            location: Some(elsewhere.clone()),
            dpop_nonce: None,
            body: Vec::new(),
        });
        let fault = accept(&world).unwrap_err();
        assert!(
            matches!(fault, AcceptError::Http(HttpFault::Redirect { status: 307, .. })),
            "{path}: {fault}"
        );
        assert_eq!(world.count("/elsewhere"), 0);
    }
}

#[test]
fn a_body_longer_than_its_bound_is_not_read_to_its_end() {
    for path in ["/offer", ISSUER_METADATA, "/i/token", "/i/credential"] {
        let world = World::new();
        world.spoil(path, |_| Reply::of(200, vec![b' '; 5 << 20]));
        let fault = accept(&world).unwrap_err();
        assert!(matches!(fault, AcceptError::Http(HttpFault::TooLong { .. })), "{path}: {fault}");
    }
}

#[test]
fn a_credential_is_found_by_the_beginning_of_its_id_and_forgotten_with_its_key() {
    let world = World::new();
    let mut wallet = world.holder();
    let id = wallet.list().unwrap()[0].id.clone();
    assert_eq!(wallet.held(&id[..8]).unwrap().id, id);
    assert_eq!(wallet.held(&id[4..10]).unwrap().id, id);
    for none in ["", "wcr_zz", "x"] {
        assert!(matches!(wallet.held(none), Err(WalletFault::NotHeld(_))), "{none:?}");
    }
    wallet.delete(&id).unwrap();
    assert!(wallet.list().unwrap().is_empty());
    assert!(matches!(wallet.delete(&id), Err(WalletFault::NotHeld(_))));
}

#[test]
fn a_credential_out_of_its_dates_or_of_an_issuer_no_longer_trusted_is_kept_and_called_so() {
    let world = World::new();
    let home = tempfile::tempdir().unwrap();
    let phrase = || crypto::secret::Secret::new("p".to_owned());
    let pem = world.with(|peers| peers.authority.pem());
    let mut wallet = Wallet::create(home.path(), &phrase(), &[pem]).unwrap().with_clock(Box::new(|| at(0)));
    wallet.accept(&world.offer_link(), None, &mut |_| true).unwrap();
    let mut later = wallet.with_clock(Box::new(|| at(86_400 * 60)));
    assert_eq!(later.list().unwrap()[0].state, HeldState::OutOfDate);
    let anchor = later.anchors()[0].id.clone();
    later.remove_trust(&anchor).unwrap();
    let now = later.with_clock(Box::new(|| at(0)));
    assert_eq!(now.list().unwrap()[0].state, HeldState::Untrusted);
}

#[test]
fn an_anchor_is_added_once_and_a_file_without_certificates_is_refused() {
    let world = World::new();
    let mut wallet = world.wallet();
    let pem = world.with(|peers| peers.authority.pem());
    let other = Authority::new("Root of B").pem();
    assert_eq!(wallet.add_trust(&format!("{pem}{other}{other}")).unwrap(), 1);
    assert_eq!(wallet.anchors().len(), 2);
    for bad in ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        assert!(matches!(wallet.add_trust(bad), Err(WalletFault::Anchors(_))), "{bad:?}");
    }
    assert!(matches!(wallet.remove_trust("anc_0"), Err(WalletFault::NoAnchor(_))));
}

#[test]
fn the_status_is_read_from_the_issuers_list_and_an_untrusted_list_says_nothing() {
    let world = World::new();
    let wallet = world.holder();
    let held = wallet.list().unwrap().remove(0);
    let word = || status::word(&wallet.status(&held));
    assert_eq!(word(), "valid");
    world.with(|peers| peers.revoked = true);
    assert_eq!(word(), "revoked");
    world.with(|peers| peers.list = Authority::new("Root of B").signer("List of A"));
    assert_eq!(word(), "unknown");
    world.spoil("/i/status/0", |_| Reply::of(404, ""));
    assert_eq!(word(), "unknown");
}
