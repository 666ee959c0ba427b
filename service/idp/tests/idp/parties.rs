//! Relying parties: what they prove, and the seal that says so.

use crate::house::{House, shop};
use crypto::base64;
use crypto::hash;
use crypto::jose::jws::{Draft, assemble};
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use seal::vds::icao::Vds;
use seal::vds::own::{OwnSeal, ServiceSeal};
use seal::vds::signer::{SignerCertificate, SignerKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ISSUER: &str = "http://localhost:8400/t/default/idp";

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A form for a relying party with this key.
fn keyed(key: &PrivateKey) -> Value {
    let mut form = shop();
    form["auth_method"] = "private_key_jwt".into();
    form["jwks"] = json!({"keys": [Jwk::from_key(&key.public()).to_value()]});
    form
}

fn proof(house: &House, key: &PrivateKey, party: &Value) -> Value {
    json!({
        "iss": party["id"], "aud": ISSUER, "challenge": party["challenge"], "origins": ["http://localhost:4999"],
        "iat": house.now().as_second(), "signed_by": Jwk::from_key(&key.public()).kid(),
    })
}

fn signed(key: &PrivateKey, typ: &str, claims: &Value) -> String {
    let input = Draft::new(typ, claims.to_string()).with_alg(SignAlg::Es256).signing_input();
    assemble(&input, &key.sign(SignAlg::Es256, input.as_bytes()).unwrap())
}

async fn prove(house: &House, party: &Value, proofs: &[String]) -> crate::house::Answered {
    let path = format!("/api/v1/relying-parties/{}/prove", party["id"].as_str().unwrap());
    house.api("POST", &path, Some(&json!({"proofs": proofs}))).await
}

/// What a wallet reads of a seal, checked by the tenant's root.
async fn read(house: &House, party: &Value) -> ServiceSeal {
    let bytes = base64::url_decode(party["service_seal"].as_str().unwrap()).unwrap();
    let metadata = house.raw("GET", "/t/default/seal/metadata", &[], None).await.json();
    let root = base64::url_decode(metadata["anchors"][0]["certificate"].as_str().unwrap()).unwrap();
    let root = SignerCertificate::parse(&root).unwrap();
    let info = house.custody.seal_signer(&house.ctx(), 0).await.unwrap();
    let leaf = SignerCertificate::parse(&info.chain[0]).unwrap();
    assert!(leaf.is_issued_by(&root));
    let unverified = Vds::parse(&bytes).unwrap();
    assert!(leaf.is_named(unverified.signer()));
    match OwnSeal::read(&unverified.verify(&SignerKey::Nist(info.public)).unwrap()).unwrap() {
        OwnSeal::Service(seal) => seal,
        OwnSeal::Organisation(_) => panic!("of a person"),
    }
}

#[tokio::test]
async fn the_quick_start_registers_a_shop_that_is_active_and_vouched_for() {
    let house = House::new().await;
    let party = house.shop().await;
    assert_eq!(
        (&party["state"], &party["scopes"]),
        (&json!("active"), &json!(["identity:age_over_18", "offline_access", "openid"]))
    );
    assert_eq!(
        house.events().await,
        ["relying-party-registered", "status-list-opened", "relying-party-sealed"]
    );
    let seal = read(&house, &party).await;
    assert_eq!(
        (seal.client_id.as_str(), seal.legal_name.as_str()),
        (party["id"].as_str().unwrap(), "Shop SA")
    );
    assert!(seal.proof.vouched && !seal.proof.key && !seal.proof.origin);
    assert_eq!(seal.redirect_hashes, [hash::sha256(b"http://localhost:4999/cb")]);
    let listed = house.api("GET", "/api/v1/relying-parties", None).await.json();
    assert_eq!(listed["items"][0]["id"], party["id"]);
}

#[tokio::test]
async fn a_key_is_proved_before_anything_is_sealed() {
    let house = House::new().await;
    let key = PrivateKey::generate(KeyAlg::P256);
    let party = house.api("POST", "/api/v1/relying-parties", Some(&keyed(&key))).await.json();
    assert_eq!((party["state"].as_str(), party.get("service_seal")), (Some("pending_proof"), None));
    house.events().await;
    let good = proof(&house, &key, &party);
    let bent = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&key, "seal-service-proof+jwt", &claims)
    };
    let stranger = PrivateKey::generate(KeyAlg::P256);
    let ours = signed(&key, "seal-service-proof+jwt", &good);
    for proofs in [
        vec![],
        vec![bent("aud", "https://other.example".into())],
        vec![bent("iss", "rp_other".into())],
        vec![bent("challenge", base64::url_encode(&[7; 32]).into())],
        vec![bent("origins", json!(["https://other.example"]))],
        vec![bent("iat", 1.into())],
        vec![signed(&key, "JWT", &good)],
        vec![signed(&stranger, "seal-service-proof+jwt", &good)],
        vec![ours.clone(), ours.clone()],
    ] {
        let refused = prove(&house, &party, &proofs).await;
        assert_eq!(refused.refusal(), refusal(422, "seal/service-proof"), "{}", refused.text());
    }
    assert!(house.events().await.iter().all(|event| event == "relying-party-refused"));
    let proved = prove(&house, &party, std::slice::from_ref(&ours)).await.json();
    assert_eq!(proved["state"], "active");
    let seal = read(&house, &proved).await;
    assert!(seal.proof.key && seal.proof.vouched);
    assert_eq!(seal.thumbprints, [Jwk::from_key(&key.public()).thumbprint()]);
    let events = house.events().await;
    assert_eq!(events.first().map(String::as_str), Some("relying-party-proved"));
    assert_eq!(prove(&house, &party, &[ours]).await.refusal(), refusal(409, "seal/no-challenge"));
}

#[tokio::test]
async fn a_challenge_that_is_over_proves_nothing() {
    let house = House::new().await;
    let key = PrivateKey::generate(KeyAlg::P256);
    let party = house.api("POST", "/api/v1/relying-parties", Some(&keyed(&key))).await.json();
    house.advance(601);
    let late = signed(&key, "seal-service-proof+jwt", &proof(&house, &key, &party));
    assert_eq!(prove(&house, &party, &[late]).await.refusal(), refusal(409, "seal/no-challenge"));
}

#[tokio::test]
async fn new_scopes_or_origins_end_the_seal_at_once_and_a_new_name_makes_a_new_one() {
    let house = House::new().await;
    let party = house.shop().await;
    let path = format!("/api/v1/relying-parties/{}", party["id"].as_str().unwrap());
    let old = party["document_seal"].as_str().unwrap().to_owned();
    house.events().await;
    let renamed = house.api("PATCH", &path, Some(&json!({"legal_name": "Shop plc"}))).await.json();
    assert_eq!(renamed["state"], "active");
    assert_eq!(read(&house, &renamed).await.legal_name, "Shop plc");
    assert_eq!(house.events().await, ["relying-party-changed", "relying-party-sealed"]);
    let status = house.api("GET", &format!("/api/v1/document-seals/{old}"), None).await.json();
    assert_eq!((status["reason"].as_str(), status["revoked_at"].is_string()), (Some("replaced"), true));
    let key = PrivateKey::generate(KeyAlg::P256);
    let jwks = json!({"keys": [Jwk::from_key(&key.public()).to_value()]});
    let rekeyed = house.api("PATCH", &path, Some(&json!({"jwks": jwks}))).await.json();
    assert_eq!(rekeyed["state"], "pending_proof");
    let second = renamed["document_seal"].as_str().unwrap();
    let status = house.api("GET", &format!("/api/v1/document-seals/{second}"), None).await.json();
    assert!(status["revoked_at"].is_string());
    let unknown = house.api("PATCH", &path, Some(&json!({"colour": "red"}))).await;
    assert_eq!(unknown.status, 422);
    assert_eq!(
        house.api("PATCH", &path, Some(&json!({"auth_method": "client_secret_post"}))).await.status,
        422
    );
}

#[tokio::test]
async fn reseal_makes_a_new_seal_and_delete_ends_it() {
    let house = House::new().await;
    let party = house.shop().await;
    let path = format!("/api/v1/relying-parties/{}", party["id"].as_str().unwrap());
    let resealed = house.api("POST", &format!("{path}/reseal"), None).await.json();
    assert_ne!(resealed["service_seal"], party["service_seal"]);
    house.events().await;
    assert_eq!(house.api("DELETE", &path, None).await.status, 204);
    assert_eq!(house.events().await, ["relying-party-removed"]);
    let seal = resealed["document_seal"].as_str().unwrap();
    let status = house.api("GET", &format!("/api/v1/document-seals/{seal}"), None).await.json();
    assert_eq!(status["reason"], "removed");
    assert_eq!(house.api("GET", &path, None).await.status, 404);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_its_successor_voids_it() {
    let house = House::new().await;
    let mut form = shop();
    form["auth_method"] = "client_secret_basic".into();
    let party = house.api("POST", "/api/v1/relying-parties", Some(&form)).await.json();
    let secret = party["client_secret"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/relying-parties/{}", party["id"].as_str().unwrap());
    assert!(house.api("GET", &path, None).await.json().get("client_secret").is_none());
    let kept = house.idp.relying_party(&house.ctx(), party["id"].as_str().unwrap()).await.unwrap().unwrap();
    assert!(kept.knows(&secret) && !kept.knows("another"));
    let rotated = house.api("POST", &format!("{path}/rotate-secret"), None).await.json();
    let kept = house.idp.relying_party(&house.ctx(), party["id"].as_str().unwrap()).await.unwrap().unwrap();
    assert!(kept.knows(rotated["client_secret"].as_str().unwrap()) && !kept.knows(&secret));
}

#[tokio::test]
async fn what_breaks_a_rule_is_named_and_nothing_is_registered() {
    let house = House::new().await;
    let mut form = shop();
    form["redirect_uris"] = json!(["https://evil.example/cb"]);
    form["scopes"] = json!(["openid", "identity:iris"]);
    let refused = house.api("POST", "/api/v1/relying-parties", Some(&form)).await;
    assert_eq!(
        (refused.status.as_u16(), refused.pointers()),
        (422, vec!["/redirect_uris/0".to_owned(), "/scopes/1".to_owned()])
    );
    assert_eq!(house.api("GET", "/api/v1/relying-parties", None).await.json()["items"], json!([]));
}

#[tokio::test]
async fn nothing_of_a_relying_party_is_fetched_from_a_private_address() {
    let house = House::with(|config| config.is_dev = true).await;
    for address in ["https://10.0.0.1", "https://169.254.169.254", "https://127.0.0.1", "https://[::1]"] {
        let mut form = shop();
        form["origins"] = json!([address]);
        form["redirect_uris"] = json!([format!("{address}/cb")]);
        form["origin_proof"] = "fetch".into();
        let party = house.api("POST", "/api/v1/relying-parties", Some(&form)).await.json();
        let refused = prove(&house, &party, &[]).await;
        assert_eq!(refused.refusal(), refusal(422, "seal/service-proof"));
        assert_eq!(refused.pointers(), [format!("{address}/.well-known/tessera-service")]);
        let mut form = shop();
        form["sector_identifier_uri"] = format!("{address}/sector").into();
        let refused = house.api("POST", "/api/v1/relying-parties", Some(&form)).await;
        assert_eq!(refused.pointers(), ["/sector_identifier_uri"]);
        let mut form = shop();
        form["auth_method"] = "private_key_jwt".into();
        form["jwks_uri"] = format!("{address}/jwks").into();
        let party = house.api("POST", "/api/v1/relying-parties", Some(&form)).await.json();
        assert_eq!(prove(&house, &party, &[]).await.pointers(), ["/jwks_uri"]);
    }
}

/// Serves one JSON at every path, on loopback, until it is dropped.
async fn site(body: impl Fn(&str) -> (u16, String) + Send + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = vec![0; 4_096];
            let read = socket.read(&mut buffer).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default();
            let (status, body) = body(path);
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nlocation: /elsewhere\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    origin
}

#[tokio::test]
async fn an_origin_shows_the_challenge_and_a_redirect_is_not_followed() {
    let shown = std::sync::Arc::new(std::sync::Mutex::new((404_u16, String::new())));
    let served = shown.clone();
    let origin = site(move |_| served.lock().unwrap().clone()).await;
    let house = House::reaching(std::slice::from_ref(&origin)).await;
    let mut form = shop();
    form["origins"] = json!([origin]);
    form["redirect_uris"] = json!([format!("{origin}/cb")]);
    form["origin_proof"] = "fetch".into();
    let party = house.api("POST", "/api/v1/relying-parties", Some(&form)).await.json();
    let right = json!({"client_id": party["id"], "challenge": party["challenge"], "jkt": []});
    let mut other = right.clone();
    other["challenge"] = base64::url_encode(&[1; 32]).into();
    let mut foreign = right.clone();
    foreign["client_id"] = "rp_other".into();
    let mut keyed = right.clone();
    keyed["jkt"] = json!(["abc"]);
    for (status, body) in [(404, &right), (302, &right), (200, &other), (200, &foreign), (200, &keyed)] {
        *shown.lock().unwrap() = (status, body.to_string());
        assert_eq!(
            prove(&house, &party, &[]).await.refusal(),
            refusal(422, "seal/service-proof"),
            "{status} {body}"
        );
    }
    *shown.lock().unwrap() = (200, right.to_string());
    let proved = prove(&house, &party, &[]).await.json();
    assert_eq!(proved["state"], "active", "{proved}");
    let seal = read(&house, &proved).await;
    assert!(seal.proof.origin && !seal.proof.vouched);
}

#[tokio::test]
async fn a_change_for_another_revision_than_the_one_that_was_read_is_refused() {
    let house = House::new().await;
    let party = house.shop().await;
    let path = format!("/api/v1/relying-parties/{}", party["id"].as_str().unwrap());
    let read = house.api("GET", &path, None).await;
    let etag = read.headers["etag"].to_str().unwrap().to_owned();
    let bearer = format!("Bearer {}", house.token);
    let change = async |name: &str, etag: &str| {
        let headers = [("authorization", bearer.as_str()), ("if-match", etag)];
        house.raw("PATCH", &path, &headers, Some(&json!({"name": name}))).await
    };
    assert_eq!(change("Shop one", &etag).await.status, 200);
    assert_eq!(change("Shop two", &etag).await.refusal(), refusal(412, "seal/changed-since"));
    assert_eq!(house.api("GET", &path, None).await.json()["name"], "Shop one");
}
