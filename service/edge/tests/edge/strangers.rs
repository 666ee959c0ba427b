//! Whatever a stranger sends, no reader of edge panics: properties over every parser that stands before a door.

use crate::house::Search;
use edge::cursor::PageQuery;
use edge::host::{Hosts, Met, Network, client};
use edge::{extract, outbound, strict};
use http::Request;
use proptest::prelude::*;
use serde_json::Value;

fn hosts() -> Hosts {
    Hosts::new(&"http://localhost:8400".parse().unwrap(), &[], true)
}

proptest! {
    #[test]
    fn no_query_makes_its_reader_panic(text in ".{0,200}") {
        let _ = extract::query::<Search>(&text);
        let _ = extract::query::<PageQuery>(&text).map(|query| query.page());
    }

    #[test]
    fn no_pair_of_a_query_is_read_as_something_else(limit in 0_u32..1_000_000, word in "[a-z]{1,12}") {
        let query = extract::query::<Search>(&format!("limit={limit}")).unwrap();
        prop_assert_eq!(query.limit, Some(limit));
        let other = extract::query::<Search>(&format!("{word}=1"));
        prop_assert_eq!(other.is_ok(), word == "limit");
    }

    #[test]
    fn no_body_makes_its_reader_panic_and_no_refusal_repeats_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = strict::read::<Value>(&bytes, 256);
        let _ = strict::read::<crate::house::Note>(&bytes, 256);
    }

    #[test]
    fn no_value_stands_in_a_refusal(value in "[a-z]{6,12}") {
        prop_assume!(!["string", "expected", "boolean", "sequence", "integer"].contains(&value.as_str()));
        let body = format!("{{\"text\":\"x\",\"count\":\"{value}\",\"tags\":\"{value}\"}}");
        let problem = strict::read::<crate::house::Note>(body.as_bytes(), 1_000).unwrap_err();
        let document = serde_json::to_string(&problem.document("http://x", "req")).unwrap();
        prop_assert!(!document.contains(&value), "{}", document);
    }

    #[test]
    fn no_header_makes_host_or_client_panic_or_pass(host in "[ -~]{0,60}", forwarded in "[ -~]{0,120}") {
        let request = Request::builder().uri("/").header("host", host.as_str()).header("forwarded", forwarded.as_str());
        let Ok(request) = request.body(()) else { return Ok(()) };
        let (parts, ()) = request.into_parts();
        let ours = matches!(hosts().meet(&parts.uri, &parts.headers), Met::Ours);
        prop_assert_eq!(ours, host.eq_ignore_ascii_case("localhost:8400"));
        let peer = "192.0.2.1:1".parse().unwrap();
        prop_assert_eq!(client(&parts, Some(peer), &[]), peer.ip());
        let _ = client(&parts, Some(peer), &[Network::parse("192.0.2.0/24").unwrap()]);
    }

    #[test]
    fn no_address_makes_the_way_out_panic(text in ".{0,200}", host in "[a-z0-9.:\\[\\]@%-]{0,40}") {
        let _ = outbound::target(&text);
        let _ = outbound::target(&format!("https://{host}/"));
        let _ = Network::parse(&text);
    }
}
