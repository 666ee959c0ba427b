//! Security headers of every answer, made by one function (experience §8).

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The policy of every HTML page: nothing but our own files, no inline script or style, no frames.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
trusted-types 'none'";

/// The policy of what is no page: it runs and loads nothing, should a browser show it.
pub const CONTENT_SECURITY_POLICY_DATA: &str = "default-src 'none'; frame-ancestors 'none'";

/// Two years, as the preload list asks.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=63072000; includeSubDomains; preload";

const PERMISSIONS_POLICY: &str = "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), \
geolocation=(), microphone=(), payment=(), usb=()";

/// Sets what every answer carries. What a handler has set of `Cache-Control` and the content policy stays.
pub fn harden(headers: &mut HeaderMap, https: bool, cors: bool) {
    let is_page =
        headers.get(header::CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"text/html"));
    // Once for all of them, and the few that HTTP itself adds.
    headers.reserve(16);
    let policy = if is_page { CONTENT_SECURITY_POLICY } else { CONTENT_SECURITY_POLICY_DATA };
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(policy));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let resource = if cors { "cross-origin" } else { "same-origin" };
    let fixed = [
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", resource),
        ("permissions-policy", PERMISSIONS_POLICY),
    ];
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if cors {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("DPoP-Nonce, WWW-Authenticate, Retry-After, X-Request-Id"),
        );
    }
    if https {
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT_SECURITY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gets_the_strict_policy_and_nothing_is_cached_by_default() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        harden(&mut headers, true, false);
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], CONTENT_SECURITY_POLICY);
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(headers[header::STRICT_TRANSPORT_SECURITY], STRICT_TRANSPORT_SECURITY);
        assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
        for word in ["unsafe-inline", "unsafe-eval", "nonce-", "https:"] {
            assert!(!CONTENT_SECURITY_POLICY.contains(word), "{word}");
        }
    }

    #[test]
    fn plain_http_promises_no_transport_security() {
        let mut headers = HeaderMap::new();
        harden(&mut headers, false, true);
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }
}
