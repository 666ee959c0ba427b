//! The client over TLS: which authorities count.

use crate::server::{self, Asked, Reply};
use crate::world::{Authority, World};
use crypto::x509::build::LeafNames;
use openid::errand::Errand;
use openid::vci::wallet::AcceptFault;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::BufReader;
use std::net::TcpListener;
use std::sync::Arc;
use tessera_wallet::engine::AcceptError;
use tessera_wallet::http::{Client, HttpFault};

const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";

/// An https door for `localhost` under an authority; its port.
fn serve(authority: &Authority, mut answer: impl FnMut(Asked) -> Reply + Send + 'static) -> u16 {
    let names = LeafNames {
        san_dns: vec!["localhost".to_owned()],
        ekus: vec![SERVER_AUTH.to_owned()],
        ..LeafNames::default()
    };
    let signer = authority.signer_for("localhost", names);
    let key = PrivatePkcs8KeyDer::from(signer.key.to_secret().expose().clone());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(signer.der)], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream);
            // A client that does not trust us hangs up: that is what one test waits for.
            let asked = server::read(&mut BufReader::new(&mut tls));
            if let Ok(asked) = asked {
                let _ = server::write(&mut tls, &answer(asked));
                tls.conn.send_close_notify();
                let _ = std::io::Write::flush(&mut tls);
            }
        }
    });
    port
}

#[test]
fn https_needs_an_authority_of_this_machine_or_one_that_was_added() {
    let authority = Authority::new("Root of localhost");
    let door = format!("https://localhost:{}/", serve(&authority, |_| Reply::of(200, "{}")));
    let errand = Errand::get(&door, "application/json", 16);
    let stranger = Client::new(None).unwrap().perform(&errand).unwrap_err();
    assert!(matches!(stranger, HttpFault::Unreachable { .. }), "{stranger}");
    let added = Client::new(Some(authority.pem().as_bytes())).unwrap();
    assert_eq!(added.perform(&errand).unwrap().body, b"{}");
}

#[test]
fn an_issuer_of_the_open_net_cannot_send_the_wallet_to_local_doors() {
    let world = World::new();
    let authority = Authority::new("Root of localhost");
    let (mut offer, mut metadata) = world.with(|peers| (peers.offer(), peers.issuer_metadata()));
    metadata.nonce_endpoint = None;
    let local = metadata.credential_endpoint.clone();
    assert!(local.starts_with("http://localhost:"));
    // The identifier names the port, which is known once the door is open.
    let port = serve(&authority, move |asked| {
        metadata.credential_issuer = asked.host.map(|host| format!("https://{host}/i")).unwrap();
        Reply::json(200, &metadata)
    });
    offer.credential_issuer = format!("https://localhost:{port}/i");
    let client = Client::new(Some(authority.pem().as_bytes())).unwrap();
    let fault = world.wallet().with_client(client).accept(&offer.link(), None, &mut |_| true).unwrap_err();
    assert!(matches!(fault, AcceptError::Check(AcceptFault::Address { .. })), "{fault}");
    assert!(world.with(|peers| peers.asked.is_empty()));
}

#[test]
fn every_name_under_localhost_is_this_machine() {
    let port = server::serve(|asked| Reply::of(200, asked.path));
    let client = Client::new(None).unwrap();
    for host in ["localhost", "acme.localhost", "LOCALHOST", "127.0.0.1"] {
        let errand = Errand::get(&format!("http://{host}:{port}/x"), "text/plain", 16);
        assert_eq!(client.perform(&errand).unwrap().body, b"/x", "{host}");
    }
}

#[test]
fn a_token_goes_into_a_header_and_the_body_keeps_its_bound() {
    let port = server::serve(|asked| Reply::of(200, asked.authorization.unwrap_or_default()));
    let client = Client::new(None).unwrap();
    let errand = |bytes_max| {
        let token = crypto::secret::Secret::new("t".to_owned());
        Errand::get(&format!("http://localhost:{port}/"), "text/plain", bytes_max).with_bearer(&token)
    };
    assert_eq!(client.perform(&errand(8)).unwrap().body, b"Bearer t");
    assert!(matches!(client.perform(&errand(7)), Err(HttpFault::TooLong { bytes_max: 7, .. })));
}
