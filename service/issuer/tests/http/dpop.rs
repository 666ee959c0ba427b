//! Tokens that are bound to a key. Attack 15: a token without its key, a proof that comes again, one for another door, token or
//! moment, one with a nonce that is none of ours. Nothing is spent by a refused request.

use crate::house::{Answered, House, PUBLIC_URL, code};
use crate::wallet::{p256, proof_for, sign};
use crypto::jwk::Jwk;
use crypto::key::PrivateKey;
use openid::oauth::dpop::{self, Expected};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two proofs never have one `jti`.
static SERIAL: AtomicUsize = AtomicUsize::new(0);

/// A fresh proof of `key` for a door of the tenant `default`.
fn proof(house: &House, key: &PrivateKey, door: &str, token: Option<&str>, nonce: Option<&str>) -> String {
    let url = format!("{PUBLIC_URL}/t/default/vci/{door}");
    let expected = Expected { method: "POST", url: &url, access_token: token, nonces: &[] };
    let jti = SERIAL.fetch_add(1, Ordering::SeqCst).to_string();
    sign(dpop::draft(&Jwk::from_key(&key.public()), &expected, &jti, nonce, house.now()), key)
}

/// A token that is bound to a new key.
async fn bound(house: &House) -> (PrivateKey, String) {
    let key = p256();
    let offer = house.offer().await;
    let proof = proof(house, &key, "token", None, None);
    let granted = house.redeem_with("default", &code(&offer), &[], &[("dpop", &proof)]).await.json();
    (key, granted["access_token"].as_str().unwrap().to_owned())
}

/// Asks for a diploma, the token shown by `scheme`, with these DPoP headers.
async fn ask(house: &House, scheme: &str, token: &str, dpop: &[&str]) -> Answered {
    let authorization = format!("{scheme} {token}");
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(dpop.iter().map(|proof| ("dpop", *proof)));
    let nonce = house.nonce("default").await;
    house.ask_with(&headers, &[proof_for("default", &p256(), &nonce, house.now())]).await
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_lives_an_hour_and_opens_with_its_proof() {
    let house = House::new().await;
    let key = p256();
    let offer = house.offer().await;
    let redeeming = proof(&house, &key, "token", None, None);
    let granted = house.redeem_with("default", &code(&offer), &[], &[("dpop", &redeeming)]).await;
    assert_eq!(granted.json()["token_type"], "DPoP");
    assert_eq!(granted.json()["expires_in"], 3_600);
    assert!(!granted.header("dpop-nonce").is_empty());
    assert_eq!(
        granted.headers["access-control-expose-headers"].to_str().unwrap().matches("DPoP-Nonce").count(),
        1
    );
    let token = granted.json()["access_token"].as_str().unwrap().to_owned();
    house.advance(3_500);
    let nonce = granted.header("dpop-nonce");
    let asking = proof(&house, &key, "credential", Some(&token), None);
    let issued = ask(&house, "DPoP", &token, &[&asking]).await;
    assert_eq!(issued.status, 200, "{}", issued.text());
    assert_ne!(issued.header("dpop-nonce"), nonce);
    house.advance(100);
    let asking = proof(&house, &key, "credential", Some(&token), None);
    assert_eq!(ask(&house, "DPoP", &token, &[&asking]).await.refusal(), (401, "invalid_token".to_owned()));
    for event in ["access-granted", "credential-issued", "issue-refused"] {
        assert_eq!(house.count(event).await, 1, "{event}");
    }
}

#[tokio::test]
async fn a_bound_token_without_its_key_is_401_and_challenged() {
    let house = House::new().await;
    let (key, token) = bound(&house).await;
    let thief = p256();
    house.events().await;
    let own = || proof(&house, &key, "credential", Some(&token), None);
    let stolen = proof(&house, &thief, "credential", Some(&token), None);
    for (scheme, proofs) in
        [("Bearer", vec![]), ("DPoP", vec![]), ("Bearer", vec![own()]), ("DPoP", vec![stolen])]
    {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let refused = ask(&house, scheme, &token, &proofs).await;
        assert_eq!(refused.refusal(), (401, "invalid_token".to_owned()), "{scheme} {}", proofs.len());
        assert!(refused.header("www-authenticate").starts_with("DPoP "), "{scheme}");
    }
    assert_eq!(house.events().await, ["issue-refused"; 4]);
    let bearer = house.access_token().await;
    let refused =
        ask(&house, "DPoP", &bearer, &[&proof(&house, &key, "credential", Some(&bearer), None)]).await;
    assert_eq!(refused.refusal(), (401, "invalid_token".to_owned()), "an unbound token is no DPoP token");
    assert_eq!(ask(&house, "DPoP", &token, &[&own()]).await.status, 200, "nothing was spent");
}

#[tokio::test]
async fn a_proof_for_another_door_token_method_or_moment_is_invalid_dpop_proof() {
    let house = House::new().await;
    let (key, token) = bound(&house).await;
    let good = proof(&house, &key, "credential", Some(&token), None);
    let elsewhere = proof(&house, &key, "notification", Some(&token), None);
    let other_token = proof(&house, &key, "credential", Some("other"), None);
    let no_token = proof(&house, &key, "credential", None, None);
    let twice = [good.as_str(), good.as_str()];
    for proofs in [&[elsewhere.as_str()][..], &[&other_token], &[&no_token], &["x"], &twice] {
        let refused = ask(&house, "DPoP", &token, proofs).await;
        assert_eq!(refused.refusal(), (401, "invalid_dpop_proof".to_owned()), "{proofs:?}");
        assert!(refused.header("www-authenticate").starts_with("DPoP "));
        assert!(!refused.header("dpop-nonce").is_empty());
    }
    house.advance(61);
    assert_eq!(ask(&house, "DPoP", &token, &[&good]).await.refusal().1, "invalid_dpop_proof", "too old");
    let offer = house.offer().await;
    let wrong = house.redeem_with("default", &code(&offer), &[], &[("dpop", &elsewhere)]).await;
    assert_eq!(wrong.refusal(), (400, "invalid_dpop_proof".to_owned()), "400 at the token door");
    assert_eq!(house.redeem("default", &code(&offer)).await.status, 200, "the code stayed good");
}

#[tokio::test]
async fn a_proof_that_comes_again_is_refused_at_every_door() {
    let house = House::new().await;
    let (key, token) = bound(&house).await;
    let used = proof(&house, &key, "credential", Some(&token), None);
    assert_eq!(ask(&house, "DPoP", &token, &[&used]).await.status, 200);
    house.events().await;
    assert_eq!(ask(&house, "DPoP", &token, &[&used]).await.refusal(), (401, "invalid_dpop_proof".to_owned()));
    assert_eq!(house.events().await, ["issue-refused"]);
    let (one, other) = (house.offer().await, house.offer().await);
    let redeeming = proof(&house, &key, "token", None, None);
    let redeem = async |offer| house.redeem_with("default", &code(offer), &[], &[("dpop", &redeeming)]).await;
    assert_eq!(redeem(&one).await.status, 200);
    assert_eq!(redeem(&other).await.refusal(), (400, "invalid_dpop_proof".to_owned()));
    assert_eq!(house.redeem("default", &code(&other)).await.status, 200, "the code stayed good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_requests_with_one_proof_give_one_credential() {
    let house = Arc::new(House::new().await);
    let (key, token) = bound(&house).await;
    let used = proof(&house, &key, "credential", Some(&token), None);
    let all: Vec<_> = (0..64)
        .map(|_| {
            let (house, token, used) = (house.clone(), token.clone(), used.clone());
            tokio::spawn(async move { ask(&house, "DPoP", &token, &[&used]).await.status.as_u16() })
        })
        .collect();
    let mut issued = 0;
    for one in all {
        let status = one.await.unwrap();
        assert!(status == 200 || status == 401 || status == 400, "{status}");
        issued += usize::from(status == 200);
    }
    assert_eq!((issued, house.count("credential-issued").await), (1, 1));
}

#[tokio::test]
async fn a_nonce_of_any_door_serves_every_door_and_one_that_is_old_or_of_another_kind_does_not() {
    let house = House::with(|config| config.dpop_nonce_required = true).await;
    let key = p256();
    let offer = house.offer().await;
    let redeem = async |nonce: Option<&str>| {
        let proof = proof(&house, &key, "token", None, nonce);
        house.redeem_with("default", &code(&offer), &[], &[("dpop", &proof)]).await
    };
    let asked = redeem(None).await;
    assert_eq!(asked.refusal(), (400, "use_dpop_nonce".to_owned()));
    let c_nonce = house.nonce("default").await;
    assert_eq!(
        redeem(Some(&c_nonce)).await.refusal().1,
        "use_dpop_nonce",
        "a c_nonce is no nonce for proofs"
    );
    let elsewhere = house.raw("POST", "/t/other/vci/nonce", "", &[], "").await;
    let of_other = redeem(Some(elsewhere.header("dpop-nonce"))).await;
    assert_eq!(of_other.refusal().1, "use_dpop_nonce", "another tenant's");
    let given = asked.header("dpop-nonce").to_owned();
    let granted = redeem(Some(&given)).await;
    assert_eq!(granted.status, 200, "{}", granted.text());
    let token = granted.json()["access_token"].as_str().unwrap().to_owned();
    let at_credential = |nonce: &str| proof(&house, &key, "credential", Some(&token), Some(nonce));
    let from_nonce_door = house.raw("POST", "/t/default/vci/nonce", "", &[], "").await;
    for nonce in [given.as_str(), from_nonce_door.header("dpop-nonce")] {
        assert_eq!(ask(&house, "DPoP", &token, &[&at_credential(nonce)]).await.status, 200, "carried over");
    }
    house.advance(300);
    let old = ask(&house, "DPoP", &token, &[&at_credential(&given)]).await;
    assert_eq!(old.refusal(), (401, "use_dpop_nonce".to_owned()));
    assert!(old.header("www-authenticate").contains("use_dpop_nonce"));
    let fresh = old.header("dpop-nonce").to_owned();
    assert_eq!(ask(&house, "DPoP", &token, &[&at_credential(&fresh)]).await.status, 200);
}

#[tokio::test]
async fn asking_for_a_nonce_costs_no_try_of_a_transaction_code() {
    let house = House::with(|config| config.dpop_nonce_required = true).await;
    let mut body = crate::house::diploma();
    body["tx_code"] = true.into();
    let offer = house.offer_of(&body).await;
    let key = p256();
    for _ in 0..6 {
        let bare = proof(&house, &key, "token", None, None);
        let asked =
            house.redeem_with("default", &code(&offer), &[("tx_code", "1")], &[("dpop", &bare)]).await;
        assert_eq!(asked.refusal().1, "use_dpop_nonce");
    }
    let right = offer["tx_code"].as_str().unwrap();
    let good = house.redeem_with("default", &code(&offer), &[("tx_code", right)], &[]).await;
    assert_eq!(good.status, 200, "a wallet without proofs needs no nonce");
}
