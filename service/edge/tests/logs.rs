//! What the request log holds: one line a request, allow-listed fields, and none of what a stranger or a secret brought. A process
//! of its own, as subscribers of one process get into one another's way.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]
#![allow(clippy::too_many_lines, reason = "tables of cases are long")]
#![allow(dead_code, reason = "the fixture is shared with the other tests of the room")]

extern crate tessera_edge as edge;

#[path = "edge/house.rs"]
mod house;

use house::House;
use std::io::Write;
use std::sync::{Arc, Mutex};
use store::TenantId;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_canary_of_a_request_stands_in_the_log() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let house = House::new().await;
    let link = house.link(TenantId::SYSTEM, edge::Role::Owner).await;
    let headers = [
        ("x-canary", "canary-header"),
        ("cookie", "a=canary-cookie"),
        ("forwarded", "for=198.51.100.77"),
        ("user-agent", "canary-agent"),
        ("idempotency-key", "canary-key"),
    ];
    let body = r#"{"text":"canary-body","count":"canary-value","canary-member":1}"#;
    for path in [
        "/api/v1/try/notes?q=canary-query",
        "/api/v1/try/kept",
        "/api/v1/tenants/canary-path/suspend",
        "/canary-door",
    ] {
        house.send("POST", path, &house.owner, &headers, Some(body)).await;
        house.send("POST", path, "canary-token", &headers, Some(body)).await;
    }
    let named = [("tessera-tenant", "canary-tenant"), ("host", "canary.example")];
    house.send("GET", "/healthz", "", &named, None).await;
    house.send("GET", "/api/v1/session", &house.owner, &named[..1], None).await;
    house.send("POST", &format!("/once/{link}"), "", &headers[..4], Some("{}")).await;
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let requests: Vec<&str> = text.lines().filter(|line| line.contains("tessera::request")).collect();
    assert_eq!(requests.len(), 11);
    assert!(requests[0].contains("\"operation\":\"echoNote\"") && requests[0].contains("req_"));
    for secret in ["canary", "198.51.100.77", link.as_str(), house.owner.as_str(), "Ana"] {
        assert!(
            !text.contains(secret),
            "{secret}: {}",
            text.lines().find(|line| line.contains(secret)).unwrap()
        );
    }
}
