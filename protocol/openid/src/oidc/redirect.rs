//! Redirect URIs: compared byte by byte, but for the port of a native app's loopback address (RFC 8252, 7.3).

use super::client::Client;
use url::{Host, Url};

/// Most bytes of a redirect URI.
pub const REDIRECT_URI_BYTES_MAX: usize = 2_048;

/// Whether browsers of this relying party may be sent to `uri`.
#[must_use]
pub fn is_registered(client: &Client, uri: &str) -> bool {
    uri.len() <= REDIRECT_URI_BYTES_MAX
        && client
            .redirect_uris
            .iter()
            .any(|known| known == uri || client.is_native && is_same_loopback(known, uri))
}

/// Both `http`, both the same loopback host, same path and query; any port. Nothing is mended: the text must be the one that its
/// URL writes, so that no two readers see two addresses in it.
fn is_same_loopback(known: &str, uri: &str) -> bool {
    let (Ok(known), Ok(url)) = (Url::parse(known), Url::parse(uri)) else { return false };
    let plain = |url: &Url| {
        url.scheme() == "http"
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
            && is_loopback(url)
    };
    plain(&known)
        && plain(&url)
        && url.as_str() == uri
        && known.host() == url.host()
        && known.path() == url.path()
        && known.query() == url.query()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::AuthMethod;
    use super::*;
    use proptest::prelude::*;

    fn client(is_native: bool, uri: &str) -> Client {
        Client {
            client_id: "rp_shop".to_owned(),
            redirect_uris: vec![uri.to_owned()],
            is_native,
            scopes: vec!["openid".to_owned()],
            auth_method: AuthMethod::None,
            require_par: true,
            require_pkce: true,
            acr_min: None,
        }
    }

    #[test]
    fn an_address_that_nearly_matches_is_not_the_registered_one() {
        let shop = client(false, "https://shop.example/cb");
        assert!(is_registered(&shop, "https://shop.example/cb"));
        for near in [
            "https://shop.example/cb/",
            "https://shop.example/cb?x=1",
            "https://shop.example/cb#x",
            "https://SHOP.example/cb",
            "https://shop.example:443/cb",
            "https://shop.example/./cb",
            "https://shop.example/c%62",
            "https://shop.example.evil/cb",
            "https://shop.example@evil/cb",
            "http://shop.example/cb",
            "",
        ] {
            assert!(!is_registered(&shop, near), "{near}");
        }
    }

    #[test]
    fn a_native_app_may_listen_on_any_port_of_its_own_loopback_address_and_nowhere_else() {
        let app = client(true, "http://127.0.0.1/cb");
        for port in ["http://127.0.0.1:49152/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1/cb"] {
            assert!(is_registered(&app, port), "{port}");
            assert!(port.ends_with(".1/cb") || !is_registered(&client(false, "http://127.0.0.1/cb"), port));
        }
        for other in [
            "http://127.0.0.2:49152/cb",
            "http://localhost:49152/cb",
            "http://[::1]:49152/cb",
            "https://127.0.0.1:49152/cb",
            "http://127.0.0.1:49152/other",
            "http://127.0.0.1:49152/cb?x",
            "http://127.0.0.1:49152/cb#x",
            "http://a@127.0.0.1:49152/cb",
            "http:\\\\127.0.0.1:49152/cb",
            "http://127.1:49152/cb",
            "http://127.0.0.1.evil:80/cb",
        ] {
            assert!(!is_registered(&app, other), "{other}");
        }
        let web = client(true, "https://app.example/cb");
        assert!(!is_registered(&web, "https://app.example:444/cb"));
    }

    proptest! {
        #[test]
        fn only_a_loopback_address_is_ever_taken_beside_the_registered_one(uri in "https?:[/\\\\]{0,3}[a-z0-9.:@\\[\\]/?#-]{0,24}") {
            let app = client(true, "http://127.0.0.1/cb");
            if is_registered(&app, &uri) {
                let url = Url::parse(&uri).unwrap();
                prop_assert_eq!((url.host_str(), url.path()), (Some("127.0.0.1"), "/cb"));
            }
        }
    }
}
