//! Bytes from strangers to typed messages: strict JSON first, then the shape, then an address.

use crypto::json::{JsonError, Limits};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};

/// Deepest nesting of any message of these protocols that we read; credential metadata, the deepest, stays below 12.
pub const DEPTH_MAX: usize = 16;

/// Longest address that is read or built, in bytes; browsers and QR codes give up not far beyond.
pub const URL_BYTES_MAX: usize = 2048;

/// Why a message could not be read; it names places, never values.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not JSON, too large, too deep, or a member came twice.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// A member is missing or has another type than the message asks for.
    #[error("the member at {at} is missing or has the wrong type")]
    Shape {
        /// Path of the culprit, `.` for the message itself.
        at: String,
    },
}

/// Parses strict JSON of at most `bytes_max` bytes into `T`. Members that `T` does not know are ignored unless `T` refuses
/// them; members that come twice are refused at every level.
///
/// # Errors
/// [`WireError`], without any value of the message in it.
pub fn read<T: DeserializeOwned>(bytes: &[u8], bytes_max: usize) -> Result<T, WireError> {
    shape(json(bytes, bytes_max)?)
}

/// Parses strict JSON of at most `bytes_max` bytes.
///
/// # Errors
/// [`WireError::Json`].
pub fn json(bytes: &[u8], bytes_max: usize) -> Result<Value, WireError> {
    Ok(crypto::json::parse(bytes, &Limits { bytes_max, depth_max: DEPTH_MAX })?)
}

/// Gives a parsed value its type.
///
/// # Errors
/// [`WireError::Shape`] with the path of the culprit.
pub fn shape<T: DeserializeOwned>(value: Value) -> Result<T, WireError> {
    serde_path_to_error::deserialize(value).map_err(|fault| WireError::Shape { at: fault.path().to_string() })
}

/// Where an address that a peer names may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// `https` only: production.
    Https,
    /// `https`, and `http` to this very machine: development.
    LoopbackHttp,
}

/// Why an address was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// Not an absolute URL with a host, or too long.
    #[error("not an absolute URL with a host of at most {URL_BYTES_MAX} bytes")]
    Malformed,
    /// Neither `https` nor (in development) `http` on loopback.
    #[error("only https is allowed here")]
    Scheme,
    /// It carries a user name, a password or a fragment.
    #[error("user information and fragments are not allowed here")]
    Decorated,
}

/// Checks an address that a peer names before anybody connects to it.
///
/// The URL reader mends what people type: it trims spaces and control characters, drops tabs and line feeds, takes `\` for
/// `/` and any number of slashes behind the scheme. None of that is taken here: two readers must not see two hosts in one
/// text.
///
/// # Errors
/// [`AddressFault`].
pub fn address(text: &str, reach: Reach) -> Result<Url, AddressFault> {
    if text.len() > URL_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err(AddressFault::Malformed);
    }
    let url = Url::parse(text).map_err(|_| AddressFault::Malformed)?;
    match (url.scheme(), reach) {
        ("https", _) => {}
        ("http", Reach::LoopbackHttp) if is_loopback(&url) => {}
        _ => return Err(AddressFault::Scheme),
    }
    if url.host_str().is_none_or(str::is_empty) || !host_follows_two_slashes(text, &url) {
        return Err(AddressFault::Malformed);
    }
    // `https://@host` has user information too, an empty one that the URL reader drops.
    let authority = text.split(['/', '?', '#']).nth(2).unwrap_or_default();
    if authority.contains('@') || url.fragment().is_some() {
        return Err(AddressFault::Decorated);
    }
    Ok(url)
}

/// The well-known address of an identifier, its path inserted behind `suffix` (RFC 8414, 3.1; OpenID4VCI 1.0, 12.2.2):
/// `https://host/t/a` and `openid-credential-issuer` give `https://host/.well-known/openid-credential-issuer/t/a`. The
/// identifier's own bytes are kept, as it is compared byte by byte.
///
/// # Errors
/// [`AddressFault`]; an identifier with a query is malformed.
pub fn well_known(identifier: &str, suffix: &str, reach: Reach) -> Result<String, AddressFault> {
    if address(identifier, reach)?.query().is_some() {
        return Err(AddressFault::Malformed);
    }
    let host_at = identifier.find("://").ok_or(AddressFault::Malformed)? + 3;
    let path_at = identifier[host_at..].find('/').map_or(identifier.len(), |at| host_at + at);
    let (origin, path) = identifier.split_at(path_at);
    Ok(format!("{origin}/.well-known/{suffix}{}", path.strip_suffix('/').unwrap_or(path)))
}

/// A NumericDate (RFC 7519, 2) in whole seconds; a fraction is cut off, as other people's libraries send some.
pub(crate) fn numeric_date(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    value.as_i64().or_else(|| {
        // Beyond year 9999 nothing here is meaningful, and the cast below stays exact.
        let seconds = value.as_f64().filter(|s| s.is_finite() && s.abs() < 253_402_300_800.0)?;
        #[allow(clippy::cast_possible_truncation, reason = "bounded on the line above")]
        Some(seconds.floor() as i64)
    })
}

/// A non-empty text of at most `bytes_max` bytes.
pub fn text(value: Option<&Value>, bytes_max: usize) -> Option<&str> {
    value?.as_str().filter(|text| !text.is_empty() && text.len() <= bytes_max)
}

/// `url` was read from `text`, in which nothing was trimmed: its scheme stands at the beginning.
fn host_follows_two_slashes(text: &str, url: &Url) -> bool {
    let behind = text.get(url.scheme().len()..).and_then(|rest| rest.strip_prefix("://"));
    behind.is_some_and(|host| !host.starts_with('/'))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_path_of_an_identifier_is_inserted_behind_the_well_known_suffix() {
        let of = |identifier| well_known(identifier, "x", Reach::LoopbackHttp).unwrap();
        assert_eq!(of("https://host.example/t/a"), "https://host.example/.well-known/x/t/a");
        assert_eq!(of("https://host.example/t/a/"), "https://host.example/.well-known/x/t/a");
        assert_eq!(of("https://host.example"), "https://host.example/.well-known/x");
        assert_eq!(of("http://localhost:8400/t/a"), "http://localhost:8400/.well-known/x/t/a");
    }

    #[test]
    fn plain_http_is_taken_only_in_development_and_only_on_loopback() {
        for loopback in ["http://localhost:1/", "http://a.localhost/", "http://127.0.0.9/", "http://[::1]:2/"]
        {
            assert!(address(loopback, Reach::LoopbackHttp).is_ok(), "{loopback}");
            assert_eq!(address(loopback, Reach::Https), Err(AddressFault::Scheme));
        }
        for outside in
            ["http://localhost.example/", "http://10.0.0.1/", "ftp://localhost/", "file:///etc/passwd"]
        {
            assert_eq!(address(outside, Reach::LoopbackHttp), Err(AddressFault::Scheme), "{outside}");
        }
    }

    #[test]
    fn an_address_with_a_password_or_a_fragment_is_refused() {
        for text in
            ["https://a:b@host/", "https://a@host/", "https://@host/", "https://:@host", "https://host/#x"]
        {
            assert_eq!(address(text, Reach::Https), Err(AddressFault::Decorated), "{text}");
        }
    }

    #[test]
    fn a_spelling_in_which_another_reader_could_see_another_host_is_refused() {
        for text in [
            "https://a.\0",
            " https://a/",
            "https://a/\n",
            "https://a\t.example/",
            "https:a.example",
            "https:/a.example",
            "https:////a.example/t",
            "https:a://b",
            "https:\\\\a.example",
            "https://a.example\\@b.example/",
            "https://b\u{fc}cher.example/",
        ] {
            assert_eq!(address(text, Reach::Https), Err(AddressFault::Malformed), "{text:?}");
            assert_eq!(well_known(text, "x", Reach::Https), Err(AddressFault::Malformed), "{text:?}");
        }
        assert!(address("HTTPS://A.example:443/t%20a?b", Reach::Https).is_ok());
    }

    #[test]
    fn a_shape_fault_names_the_place_and_not_the_value() {
        #[derive(Debug, serde::Deserialize)]
        struct Message {
            #[allow(dead_code, reason = "only its shape is tested")]
            count: u32,
        }
        let fault = read::<Message>(br#"{"count":"canary"}"#, 64).unwrap_err().to_string();
        assert!(fault.contains("count") && !fault.contains("canary"), "{fault}");
    }

    proptest! {
        #[test]
        fn no_text_makes_an_address_panic(text in ".{0,200}") {
            let _ = address(&text, Reach::LoopbackHttp);
            let _ = well_known(&text, "x", Reach::LoopbackHttp);
        }

        #[test]
        fn a_well_known_address_is_of_the_same_host(text in "https?:/{0,3}[a-z.:\\\\@\\[\\]0-9/?#-]{0,24}") {
            if let Ok(known) = well_known(&text, "x", Reach::LoopbackHttp) {
                let (known, own) = (address(&known, Reach::LoopbackHttp).unwrap(), address(&text, Reach::LoopbackHttp).unwrap());
                prop_assert_eq!((known.host(), known.port()), (own.host(), own.port()));
            }
        }
    }
}
