//! Rates at the doors: 429 with `Retry-After`, per actor, per address, per tenant.

use crate::house::House;
use edge::Role;
use edge::limit::RateConfig;
use serde_json::json;
use std::time::Duration;
use store::TenantId;

#[tokio::test]
async fn an_actor_who_writes_too_often_is_told_when_to_come_again() {
    let house =
        House::with(|config| config.rate = RateConfig { write_per_min: 3, ..RateConfig::default() }).await;
    let note = json!({"text": "x"});
    for _ in 0..3 {
        assert_eq!(house.post("/api/v1/try/notes", &house.owner, &note).await.status, 200);
    }
    let limited = house.post("/api/v1/try/notes", &house.owner, &note).await;
    assert_eq!((limited.status.as_u16(), limited.code().as_str()), (429, "api/rate-limited"));
    assert_eq!(limited.header("retry-after"), "20");
    assert_eq!(
        house.get("/api/v1/session", &house.owner).await.status,
        200,
        "reads have a rate of their own"
    );
    let other = house.session(TenantId::SYSTEM, Role::Owner).await;
    assert_eq!(house.post("/api/v1/try/notes", &other, &note).await.status, 200, "so has everybody else");
    house.hand.advance(Duration::from_secs(20));
    assert_eq!(house.post("/api/v1/try/notes", &house.owner, &note).await.status, 200);
    assert_eq!(house.counts().await["rate-limit-tripped"], 1);
}

#[tokio::test]
async fn a_noisy_tenant_does_not_use_up_another() {
    let house =
        House::with(|config| config.rate = RateConfig { tenant_per_s: 5, ..RateConfig::default() }).await;
    house.tenant("noisy").await;
    house.tenant("quiet").await;
    let statuses = async |name: &str, times: usize| {
        let mut all = Vec::new();
        for _ in 0..times {
            all.push(house.get(&format!("/t/{name}/hello"), "").await.status.as_u16());
        }
        all
    };
    assert_eq!(statuses("noisy", 20).await.iter().filter(|status| **status == 200).count(), 5);
    assert!(statuses("quiet", 5).await.iter().all(|status| *status == 200));
}

#[tokio::test]
async fn guessing_links_and_tokens_meets_the_rate_of_the_address() {
    let house =
        House::with(|config| config.rate = RateConfig { public_per_min: 10, ..RateConfig::default() }).await;
    let mut links = Vec::new();
    for _ in 0..70 {
        links.push(
            house.send("POST", &format!("/once/{}", "A".repeat(43)), "", &[], None).await.status.as_u16(),
        );
    }
    assert_eq!(
        (links.iter().filter(|s| **s == 410).count(), links.iter().filter(|s| **s == 429).count()),
        (60, 10)
    );
    let mut tokens = Vec::new();
    for _ in 0..15 {
        tokens.push(house.get("/api/v1/session", "guess").await.status.as_u16());
    }
    assert_eq!(
        (tokens.iter().filter(|s| **s == 401).count(), tokens.iter().filter(|s| **s == 429).count()),
        (10, 5)
    );
    assert_eq!(
        house.get("/api/v1/session", &house.owner).await.status,
        200,
        "a good token is not the address's fault"
    );
}

#[tokio::test]
async fn a_forged_forwarded_header_does_not_buy_a_fresh_rate() {
    let house =
        House::with(|config| config.rate = RateConfig { public_per_min: 5, ..RateConfig::default() }).await;
    let mut statuses = Vec::new();
    for last in 0..10 {
        let forged = format!("for=198.51.100.{last}");
        let headers = [("forwarded", forged.as_str()), ("x-forwarded-for", "203.0.113.9")];
        statuses.push(house.send("GET", "/problems", "", &headers, None).await.status.as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5);
}
