//! The one way out cannot be led into our own network: over 200 addresses and spellings, and not one connection at the canary.

use axum::Router;
use axum::routing::get;
use edge::outbound::{Client, ClientFault, Limits, OutboundError, TargetFault, target};
use http::{HeaderMap, StatusCode, header};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use url::Url;

/// A listener that nobody may reach.
async fn canary() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let reached = Arc::new(AtomicUsize::new(0));
    let count = reached.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, reached)
}

/// Addresses off the public Internet, as text that stands in a URL.
const CLOSED: [&str; 62] = [
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "0.1.2.3",
    "10.0.0.1",
    "10.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.1.1",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0x7f.1",
    "3232235521",
    "0xa9fea9fe",
    "2852039166",
    "%31%32%37.0.0.1",
    "１２７.0.0.1",
    "127。0。0。1",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:169.254.169.254]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[2001:db8::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[ff02::1]",
    "[fec0::1]",
];

/// Whole addresses that hide where they lead.
fn hidden(port: u16) -> Vec<String> {
    let templates = [
        "https://localhost:PORT/",
        "https://LOCALHOST:PORT/",
        "https://localhost.:PORT/",
        "https://a.localhost:PORT/",
        "https://user@127.0.0.1:PORT/",
        "https://public.example@127.0.0.1:PORT/",
        "https://127.0.0.1:PORT@public.example/",
        "https://127.0.0.1:PORT#@public.example/",
        "https://127.0.0.1:PORT\\@public.example/",
        "https://@127.0.0.1:PORT/",
        "https://:pw@127.0.0.1:PORT/",
        "https:127.0.0.1:PORT/",
        "https:/127.0.0.1:PORT/",
        "https:///127.0.0.1:PORT/",
        "//127.0.0.1:PORT/",
        "127.0.0.1:PORT",
        "HTTPS://127.0.0.1:PORT/",
        " https://127.0.0.1:PORT/",
        "https://127.0.0.1:PORT/\r\nhost: x",
        "https://127.0.0.1:PORT/%0d%0a",
        "https://127.0.0.1:0PORT/",
        "https://127.0.0.1:PORT/?a=https://public.example",
        "https://[::1%25lo]:PORT/",
        "https://[::1]:PORT/",
        "http://127.0.0.1:PORT/",
        "http://localhost:PORT/",
        "ftp://127.0.0.1:PORT/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:PORT/",
        "dict://127.0.0.1:PORT/",
        "ws://127.0.0.1:PORT/",
        "data:text/plain,x",
        "javascript:1",
        "unix:/run/x.sock",
        "jar:http://127.0.0.1:PORT!/",
        "about:blank",
        "",
        "https://",
        "https:",
        "::",
        "https://:PORT/",
        "https://127.0.0.1.:PORT/",
        "https://127.0.0.1:PORT:443/",
        "https://127.0.0.1%00.example:PORT/",
        "https://[]:PORT/",
        "https://①②⑦.⓪.⓪.①:PORT/",
        "https://loc%61lhost:PORT/",
        "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/",
    ];
    templates.iter().map(|template| template.replace("PORT", &port.to_string())).collect()
}

#[tokio::test]
async fn no_closed_address_in_any_spelling_is_connected_to() {
    let (port, reached) = canary().await;
    let own: Url = "http://localhost:1".parse().unwrap();
    let client = Client::new(&own, &[], &[]).unwrap();
    let mut tried = 0;
    let ports = ["".to_owned(), ":443".to_owned(), format!(":{port}"), ":22".to_owned()];
    let spelled =
        CLOSED.iter().flat_map(|host| ports.iter().map(move |port| format!("https://{host}{port}/")));
    for url in spelled.chain(hidden(port)) {
        let refused = client.get(&url, Limits::of(1_000)).await.unwrap_err();
        let early = matches!(
            refused,
            OutboundError::Target(_)
                | OutboundError::Port(_)
                | OutboundError::NotPublic(_)
                | OutboundError::Unresolved(_)
        );
        assert!(early, "{url}: {refused}");
        tried += 1;
    }
    assert!(tried >= 200, "{tried}");
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

/// A small server of ours: a page, a redirect, a large body, a compressed one.
async fn server(elsewhere: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = format!("http://127.0.0.1:{elsewhere}/");
    let router =
        Router::new()
            .route(
                "/ok",
                get(|headers: HeaderMap| async move {
                    headers[header::ACCEPT_ENCODING].to_str().unwrap().to_owned()
                }),
            )
            .route("/moved", get(|| async move { (StatusCode::FOUND, [(header::LOCATION, to)]) }))
            .route("/large", get(|| async { "x".repeat(5_000) }))
            .route("/packed", get(|| async { ([(header::CONTENT_ENCODING, "gzip")], "not really") }))
            .route("/never", get(|| async { std::future::pending::<()>().await }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

#[tokio::test]
async fn our_own_origin_and_named_ones_are_reached_and_no_other_port_or_scheme_beside_them() {
    let (canary_port, reached) = canary().await;
    let (own_port, named_port) = (server(canary_port).await, server(canary_port).await);
    let own: Url = format!("http://localhost:{own_port}").parse().unwrap();
    let named = vec![format!("http://127.0.0.1:{named_port}")];
    let client = Client::new(&own, &named, &[]).unwrap();
    let get = async |url: String| client.get(&url, Limits::of(1_000)).await;
    let answer = get(format!("http://localhost:{own_port}/ok")).await.unwrap();
    assert_eq!(answer.body, "identity");
    assert!(get(format!("http://127.0.0.1:{named_port}/ok")).await.is_ok());
    for url in [
        format!("http://localhost:{canary_port}/ok"),
        format!("http://127.0.0.1:{own_port}/ok"),
        format!("http://localhost:{named_port}/ok"),
        format!("https://localhost:{own_port}/ok"),
        format!("http://a.localhost:{own_port}/ok"),
        format!("http://[::1]:{own_port}/ok"),
    ] {
        assert!(get(url.clone()).await.is_err(), "{url}");
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_answers_are_bounded() {
    let (canary_port, reached) = canary().await;
    let port = server(canary_port).await;
    let own: Url = format!("http://localhost:{port}").parse().unwrap();
    let client = Client::new(&own, &[], &[]).unwrap();
    let get =
        async |path: &str, limits: Limits| client.get(&format!("{own}{path}"), limits).await.unwrap_err();
    assert!(matches!(get("moved", Limits::of(1_000)).await, OutboundError::Status { status: 302, .. }));
    assert!(matches!(get("large", Limits::of(4_999)).await, OutboundError::TooLarge(_)));
    assert!(matches!(get("packed", Limits::of(1_000)).await, OutboundError::Unreadable(_)));
    let short = Limits { bytes_max: 1_000, total: std::time::Duration::from_millis(20) };
    assert!(matches!(get("never", short).await, OutboundError::TimedOut(_)));
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[test]
fn only_origins_can_be_allowed_and_http_only_to_this_machine() {
    let own: Url = "http://localhost:8400".parse().unwrap();
    let new = |allow: &str| Client::new(&own, &[allow.to_owned()], &[]).map(drop);
    for fine in [
        "https://10.0.0.1",
        "https://idp.internal:8443",
        "http://127.0.0.1:8080/",
        "http://[::1]:1",
        "http://x.localhost",
    ] {
        assert_eq!(new(fine), Ok(()), "{fine}");
    }
    for bad in [
        "http://10.0.0.1",
        "http://idp.internal",
        "https://idp.internal/path",
        "https://u@idp.internal",
        "10.0.0.0/8",
        "*",
        "",
    ] {
        assert_eq!(new(bad), Err(ClientFault::Allow(bad.to_owned())), "{bad}");
    }
}

#[test]
fn an_address_is_judged_by_its_text_before_anything_is_asked() {
    let long = format!("https://public.example/{}", "a".repeat(2_100));
    for (url, fault) in [
        ("http://public.example/", TargetFault::Scheme),
        ("ftp://public.example/", TargetFault::Scheme),
        ("https://u:p@public.example/", TargetFault::Decorated),
        ("https://@public.example/", TargetFault::Decorated),
        ("https://public.example/#x", TargetFault::Decorated),
        ("https://public.example/a b", TargetFault::Malformed),
        ("public.example", TargetFault::Malformed),
        (long.as_str(), TargetFault::Malformed),
    ] {
        assert_eq!(target(url), Err(fault), "{url}");
    }
    assert!(target("https://public.example:8443/a?b=c").is_ok());
}
