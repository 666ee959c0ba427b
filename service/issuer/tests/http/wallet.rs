//! A wallet: our own machine of the holder's side, and proofs made by hand where a test must break one.

use crate::house::{House, path_of};
use credential::trust::{Anchor, Anchors, Context, PathCache, Trust, TypePattern};
use crypto::jose::jws::{self, Draft};
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use http::{Request, header};
use jiff::Timestamp;
use openid::errand::{Answered as Came, Errand, Method};
use openid::oauth::dpop;
use openid::vci::proof;
use openid::vci::wallet::{Offered, ReceivedCredential, Start};
use openid::wire::Reach;
use serde_json::Value;

pub(crate) fn p256() -> PrivateKey {
    PrivateKey::generate(KeyAlg::P256)
}

pub(crate) fn sign(draft: Draft, key: &PrivateKey) -> String {
    let input = draft.with_alg(SignAlg::Es256).signing_input();
    jws::assemble(&input, &key.sign(SignAlg::Es256, input.as_bytes()).unwrap())
}

/// A good proof of `key` for the issuer of `tenant`.
pub(crate) fn proof_for(tenant: &str, key: &PrivateKey, nonce: &str, now: Timestamp) -> String {
    sign(draft(tenant, key, nonce, now), key)
}

pub(crate) fn draft(tenant: &str, key: &PrivateKey, nonce: &str, now: Timestamp) -> Draft {
    let issuer = format!("{}/t/{tenant}", crate::house::PUBLIC_URL);
    proof::draft(&Jwk::from_key(&key.public()), &issuer, Some(nonce), None, now)
}

/// What the tenant believes: its own root.
pub(crate) async fn anchors(house: &House) -> Anchors {
    let known = house.custody.all_anchors(&house.ctx()).await.unwrap();
    let anchor = |known: custody::Anchor| Anchor {
        id: known.id,
        certificate: known.certificate,
        contexts: known.contexts.iter().map(|context| Context::parse(context.as_str()).unwrap()).collect(),
        types: known.patterns.iter().map(|pattern| TypePattern::parse(pattern).unwrap()).collect(),
    };
    Anchors::new(known.into_iter().map(anchor).collect())
}

/// Goes the whole way from the link to the credential, with a fresh key.
pub(crate) async fn collect(house: &House, offer: &Value) -> (ReceivedCredential, PrivateKey) {
    let key = p256();
    let jwk = Jwk::from_key(&key.public());
    let link = offer["offer_uri"].as_str().unwrap();
    let Start::Fetch(errand) = Start::from_link(link, Reach::LoopbackHttp).unwrap() else { unreachable!() };
    let body = run(house, errand).await;
    let offered = Offered::fetched(came(&body), Reach::LoopbackHttp).unwrap();
    let body = run(house, offered.errand()).await;
    let known = offered.issuer(came(&body)).unwrap();
    let body = run(house, known.errand()).await;
    let described = known.server(came(&body)).unwrap();
    assert!(described.takes_dpop());
    let bound_to = p256();
    let tx_code = offer["tx_code"].as_str();
    let body = run(house, proved(house, &bound_to, described.errand(tx_code).unwrap())).await;
    let granted = described.token(came(&body)).unwrap();
    let body = run(house, granted.errand().unwrap()).await;
    let ready = granted.nonce(came(&body)).unwrap();
    let proof = sign(ready.proof(&jwk, house.now()), &key);
    let body = run(house, proved(house, &bound_to, ready.errand(&proof))).await;
    let (anchors, cache) = (anchors(house).await, PathCache::new());
    let trust = Trust { anchors: &anchors, cache: &cache, haip: true };
    let received = ready.received(came(&body), &jwk, &trust, house.now()).unwrap();
    let told = run(house, proved(house, &bound_to, received.stored().unwrap())).await;
    assert_eq!(told.0, 204);
    (received, key)
}

/// The errand with a proof of `key`, as a wallet sends it where the metadata takes proofs.
fn proved(house: &House, key: &PrivateKey, mut errand: Errand) -> Errand {
    let token = errand.bearer.as_ref().map(|token| token.expose().as_str());
    let expected = dpop::Expected { method: "POST", url: &errand.url, access_token: token, nonces: &[] };
    let jti = crypto::base64::url_encode(&crypto::random::array::<16>());
    let draft = dpop::draft(&Jwk::from_key(&key.public()), &expected, &jti, None, house.now());
    errand.proof = Some(("DPoP", sign(draft, key)));
    errand
}

fn came((status, body): &(u16, Vec<u8>)) -> Came<'_> {
    Came { status: *status, body }
}

async fn run(house: &House, errand: Errand) -> (u16, Vec<u8>) {
    let method = if errand.method == Method::Get { "GET" } else { "POST" };
    let mut request = Request::builder().method(method).uri(path_of(&errand.url));
    request = request.header(header::ACCEPT, errand.accept);
    if let Some(bearer) = &errand.bearer {
        let scheme = if errand.proof.is_some() { "DPoP" } else { "Bearer" };
        request = request.header(header::AUTHORIZATION, format!("{scheme} {}", bearer.expose()));
    }
    if let Some((name, proof)) = &errand.proof {
        request = request.header(*name, proof);
    }
    let body = errand.body.map(|(media, body)| {
        request = std::mem::take(&mut request).header(header::CONTENT_TYPE, media);
        body
    });
    let answered = house.send(request.body(body.unwrap_or_default().into()).unwrap()).await;
    (answered.status.as_u16(), answered.body)
}
