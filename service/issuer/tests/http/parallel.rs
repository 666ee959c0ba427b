//! What may be spent once is spent once, however many come at the same time.

use crate::house::{House, code, id};
use crate::wallet::{p256, proof_for};
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// Runs 64 tries at the same time on threads of their own and gives the number that succeeded.
async fn sixty_four<F: Future<Output = StatusCode> + Send + 'static>(one: impl Fn() -> F) -> usize {
    let running: Vec<_> = (0..64).map(|_| tokio::spawn(one())).collect();
    let mut succeeded = 0;
    for handle in running {
        let status = handle.await.unwrap();
        assert!(status == 200 || status == 400, "{status}");
        succeeded += usize::from(status == 200);
    }
    succeeded
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_redemptions_of_one_code_give_one_token() {
    let house = Arc::new(House::new().await);
    let code = code(&house.offer().await);
    let succeeded = sixty_four(|| {
        let (house, code) = (house.clone(), code.clone());
        async move { house.redeem("default", &code).await.status }
    });
    assert_eq!(succeeded.await, 1);
    assert_eq!((house.count("access-granted").await, house.count("issue-refused").await), (1, 63));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_requests_with_one_nonce_give_one_credential() {
    let house = Arc::new(House::new().await);
    let offer = house.offer().await;
    let granted = house.redeem("default", &code(&offer)).await.json();
    let token = granted["access_token"].as_str().unwrap().to_owned();
    let nonce = house.nonce("default").await;
    let succeeded = sixty_four(|| {
        let (house, token, nonce) = (house.clone(), token.clone(), nonce.clone());
        async move {
            let proof = proof_for("default", &p256(), &nonce, house.now());
            house.ask(&token, &[proof]).await.status
        }
    });
    assert_eq!(succeeded.await, 1);
    assert_eq!((house.count("credential-issued").await, house.count("issue-refused").await), (1, 63));
    assert_eq!(house.status(&id(&offer)).await["copies"].as_array().unwrap().len(), 1);
    assert_eq!(house.count("request-refused").await, 0, "each refusal is one event");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_requests_with_a_nonce_each_give_the_three_rounds_of_their_token() {
    let house = Arc::new(House::new().await);
    let token = house.access_token().await;
    let succeeded = sixty_four(|| {
        let (house, token) = (house.clone(), token.clone());
        async move {
            let proof = proof_for("default", &p256(), &house.nonce("default").await, house.now());
            house.ask(&token, &[proof]).await.status
        }
    });
    assert_eq!(succeeded.await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revocation_among_requests_leaves_no_valid_copy() {
    let house = Arc::new(House::new().await);
    let offer = house.offer().await;
    let granted = house.redeem("default", &code(&offer)).await.json();
    let token = granted["access_token"].as_str().unwrap().to_owned();
    let revoked = {
        let (house, id) = (house.clone(), id(&offer));
        tokio::spawn(async move { house.revoke(&id).await.status })
    };
    sixty_four(|| {
        let (house, token) = (house.clone(), token.clone());
        async move {
            let proof = proof_for("default", &p256(), &house.nonce("default").await, house.now());
            house.ask(&token, &[proof]).await.status
        }
    })
    .await;
    assert_eq!(revoked.await.unwrap(), 200);
    let status = house.status(&id(&offer)).await;
    assert_eq!(status["status"], "revoked");
    assert!(status["copies"].as_array().unwrap().iter().all(|copy| copy["status"] == json!("revoked")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_readers_of_a_changed_list_cost_one_signature() {
    let house = Arc::new(House::new().await);
    let (credential, _) = house.collected().await;
    assert_eq!(house.fetch("/t/default/status/0").await.status, 200);
    house.revoke(&credential).await;
    let succeeded = sixty_four(|| {
        let house = house.clone();
        async move { house.fetch("/t/default/status/0").await.status }
    });
    assert_eq!(succeeded.await, 64);
    assert_eq!(house.count("status-list-signed").await, 2);
}
