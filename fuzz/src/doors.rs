//! Targets of `service/`: what a stranger's request is read by before any room sees it.

use crate::input::{self, halves, lines, text};
use edge::cursor::{self, PageQuery};
use edge::host::{self, Hosts, Met, Network};
use edge::outbound::target;
use edge::server::tls::{CHAIN_MAX, ServerCertificate};
use edge::strict;
use http::Request;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;
use store::{EventId, LogId, TenantId, id};
use url::Url;

/// Our own address in these targets.
const PUBLIC_URL: &str = "https://trust.example:8443";
/// Who opens the connection.
const PEER: [u8; 4] = [192, 0, 2, 9];
/// A word of the input that no refusal may repeat.
const CANARY: &str = "canary";
/// Bytes of a body that a door of these targets takes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A form with every shape that ours have.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner: Option<Inner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<serde_json::Map<String, Value>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    items: Vec<u8>,
    more: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Small,
    VeryLarge,
}

/// A body of the API is an object of its form and nothing else; a refusal shows none of its values.
pub fn body(bytes: &[u8]) {
    match strict::read::<Form>(bytes, BODY_BYTES_MAX) {
        Ok(form) => {
            input::accepted();
            let value: Value = serde_json::from_slice(bytes).expect("another reader reads it too");
            assert!(value.is_object(), "a list is no form");
            let written = serde_json::to_vec(&form).expect("a form can be written");
            let again = strict::read::<Form>(&written, 4 * BODY_BYTES_MAX).expect("what was written is read");
            assert!(again == form || input::has_float(&value));
        }
        Err(problem) => {
            assert!((400..500).contains(&problem.page.status), "{}", problem.page.code);
            let shown = format!("{:?}", problem.document("http://x", "req"));
            assert!(!shown.contains(CANARY) || !holds_canary_in_values_alone(bytes), "{shown}");
        }
    }
}

/// Whether the word stands in no name: names are shown, so that a misspelt one can be found.
fn holds_canary_in_values_alone(bytes: &[u8]) -> bool {
    fn names(value: &Value) -> bool {
        match value {
            Value::Object(members) => members.iter().any(|(name, it)| name.contains(CANARY) || names(it)),
            Value::Array(items) => items.iter().any(names),
            _ => false,
        }
    }
    serde_json::from_slice::<Value>(bytes).is_ok_and(|value| !names(&value))
}

/// The query of a list: what is read bounds the page, and its cursor is written back.
pub fn query(bytes: &[u8]) {
    let Some(query) = text(bytes) else { return };
    let Ok(read) = edge::extract::query::<PageQuery>(query) else { return };
    let Ok(page) = read.page() else { return };
    input::accepted();
    assert!((1..=200).contains(&page.limit));
    if read.after.is_some() {
        let again = cursor::page(read.limit, Some(&cursor::encode(&page.after))).expect("a cursor of ours");
        assert_eq!(again, page);
    }
}

/// Lines `name: value`: only our own host is ours, and who speaks is believed only from a proxy of ours.
pub fn host(bytes: &[u8]) {
    let Some(parts) = head(bytes) else { return };
    let ours = Hosts::new(&Url::parse(PUBLIC_URL).expect("a URL"), &[], false);
    if let Met::Ours = ours.meet(&parts.uri, &parts.headers) {
        input::accepted();
        let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        assert!(host.is_some_and(|host| host.eq_ignore_ascii_case("trust.example:8443")), "{host:?}");
    }
    let peer = Some(SocketAddr::from((PEER, 5_000)));
    assert_eq!(host::client(&parts, peer, &[]), IpAddr::from(PEER), "nobody is believed");
    let proxies = [Network::parse("192.0.2.0/24").expect("a network")];
    let _ = host::client(&parts, peer, &proxies);
    for line in lines(bytes) {
        if let Some(network) = text(line).and_then(Network::parse) {
            let _ = host::client(&parts, peer, &[network]);
        }
    }
}

fn head(bytes: &[u8]) -> Option<Parts> {
    let mut request = Request::builder().uri("/x?y=1");
    for line in lines(bytes) {
        if let Some((name, value)) = text(line).and_then(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// An address that somebody names: nothing but https to a host, or http to this machine, with no user and no fragment.
pub fn outbound(bytes: &[u8]) {
    let Some(address) = text(bytes) else { return };
    let Ok(taken) = target(address) else { return };
    input::accepted();
    let url = Url::parse(address).expect("it was read");
    let local = url.host_str().is_some_and(|host| {
        let host = host.trim_end_matches('.');
        host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]"
    });
    assert!(url.scheme() == "https" || url.scheme() == "http" && local, "{url}");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{url}");
    if url.as_str().len() <= edge::outbound::URL_BYTES_MAX {
        assert_eq!(target(url.as_str()), Ok(taken), "{url}");
    }
}

/// Ids are written back as they were read.
pub fn ids(bytes: &[u8]) {
    let Some(word) = text(bytes) else { return };
    for prefix in ["evt", "ten", "crd", "svc"] {
        if let Some(bits) = id::bits_of(prefix, word) {
            input::accepted();
            assert_eq!(id::from_bits(prefix, &bits), word);
        }
    }
    assert!(EventId::parse(word).is_none_or(|event| event.to_string() == word));
    assert!(TenantId::parse(word).is_none_or(|tenant| tenant.as_str() == word));
    assert!(LogId::parse(word).is_none_or(|log| log.as_str() == word && !word.contains("..")));
}

/// `{chain PEM}` and the fixed key: a file that an operator puts in the place of the server's certificate.
pub fn server_certificate(bytes: &[u8]) {
    static FIXED: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(crate::fixed::server_pair);
    let (_, key) = &*FIXED;
    if let Ok(certificate) = ServerCertificate::from_pem(bytes, key) {
        input::accepted();
        assert!((1..=CHAIN_MAX).contains(&certificate.chain().len()));
    }
    let (chain, key) = halves(bytes);
    let _ = ServerCertificate::from_pem(chain, key);
}
