//! Samples for `service/edge` and `service/store`.

use edge::cursor;
use serde_json::json;
use tenancy::After;
use tessera_fuzz::fixed::server_pair;

use crate::{Seeds, texts};

pub fn all() -> Vec<Seeds> {
    let form = json!({
        "label": "x", "count": 7, "inner": { "items": [1, 2], "more": true }, "kind": "very-large", "claims": { "a": [1] }
    });
    let after = After { at_ms: 1_767_225_600_000, id: "svc_0123456789abcdefghjkmnpqrs".to_owned() };
    let page = format!("limit=200&after={}", cursor::encode(&after));
    vec![
        (
            "body",
            texts([&form.to_string(), r#"{"label":"x","count":"canary"}"#, r#"["x",1,null]"#, r#"{"lable":"x"}"#]),
        ),
        ("query", texts(["limit=7", &page, "limti=1", "limit=1&limit=2"])),
        (
            "host",
            texts([
                "host: trust.example:8443",
                "host: TRUST.example:8443\nforwarded: for=203.0.113.7, for=\"[2001:db8::1]:80\"\n192.0.2.0/24",
                "host: trust.example:8443:443\nx-forwarded-for: 198.51.100.1, 192.0.2.3:80",
            ]),
        ),
        (
            "outbound",
            texts([
                "https://issuer.example/t/acme/status/1",
                "http://localhost:8400/x?y=1",
                "https://user@host.example/",
                "http://127.0.0.1:8400/",
            ]),
        ),
        (
            "ids",
            texts([
                "evt_0123456789abcdefghjkmnpqrs",
                "t/ten_0123456789abcdefghjkmnpqrs/e2",
                "system",
                "crd_70000000000000000000000000",
            ]),
        ),
        ("server_certificate", vec![server_pair().0]),
    ]
}
