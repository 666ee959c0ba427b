//! Targets of `protocol/openid`.

use credential::dcql::{Query, Reader, answer};
use credential::trust::Trust;
use crypto::base64;
use crypto::jose::jwe::{Enc, encrypt_ecdh_es};
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use jiff::Timestamp;
use openid::errand::Answered;
use openid::oauth::access_token::SKEW_S_MAX;
use openid::oauth::client_attestation::CLIENT_ID_BYTES_MAX as ATTESTED_ID_BYTES_MAX;
use openid::oauth::client_auth::{ASSERTION_LIFE_S_MAX, JWT_BEARER};
use openid::oauth::form::{FORM_BYTES_MAX, Form, encode};
use openid::oauth::jwks::JWKS_KEYS_MAX;
use openid::oauth::{
    AccessToken, AccessTokenClaims, AttestationRules, AuthorizationServerMetadata, ClientAttestation, ClientAuth,
    ClientCredentialsRequest, Expected, GrantType, Jwks, TokenResponse,
};
use openid::vci::notification::NOTIFICATION_BYTES_MAX;
use openid::vci::offer::{OFFER_BYTES_MAX, OFFER_LINK_BYTES_MAX};
use openid::vci::request::{PROOFS_MAX, WANTED_BYTES_MAX};
use openid::vci::wallet::{Offered, Start};
use openid::vci::{
    CredentialOffer, CredentialRequest, CredentialResponse, IssuerMetadata, NonceResponse, NotificationEvent,
    NotificationRequest, OfferLink, PreAuthorizedRequest, ProofRules, Proofs, Wanted,
};
use openid::vp::wallet::{CheckedRequest, LINK_BYTES_MAX, PresentationLink, acknowledged};
use openid::vp::{ClientId, Reply, ResponseRules, Seal, TransactionData, response};
use openid::wire::{self, Reach, URL_BYTES_MAX};
use serde_json::{Value, json};

use crate::fixed::{self, ISSUER, parties};
use crate::input::{self, halves, lines, text};

/// `kid` of the fixed client's key, and of the key that answers are encrypted to.
pub const KID: &str = "k";
/// The state of the session.
pub const STATE: &str = "s-1";
/// The id of the client.
pub const CLIENT: &str = "svc_1";

/// Fields survive the round trip; whoever reads a grant reads it of the same fields.
pub fn form(bytes: &[u8]) {
    let Ok(form) = Form::parse(bytes, FORM_BYTES_MAX) else { return };
    let fields: Vec<_> =
        form.names().map(|name| (name, form.get(name).expect("names have values"))).collect();
    let again = Form::parse(encode(&fields).as_bytes(), 3 * FORM_BYTES_MAX).expect("what we write we read");
    assert!(again.names().map(|name| (name, again.get(name).expect("names have values"))).eq(fields));
    let _ = GrantType::read(&form);
    let client = ClientCredentialsRequest::read(&form);
    let code = PreAuthorizedRequest::read(&form);
    assert!(client.is_err() || code.is_err(), "one request is of one grant");
    if let Ok(code) = code {
        let _ = code.code_sha256();
        input::accepted();
    }
}

/// `{header}\n{claims}` of an assertion, or `[Authorization header]\n[form]`. An assertion holds under one key and for one client.
pub fn client_auth(bytes: &[u8]) {
    let (header, body) = if bytes.first() == Some(&b'{') {
        let Some(assertion) = input::signed(bytes, &parties().holder) else { return };
        (
            None,
            encode(&[("client_assertion_type", JWT_BEARER), ("client_assertion", &assertion)]).into_bytes(),
        )
    } else {
        let (header, body) = halves(bytes);
        (text(header).filter(|header| !header.is_empty()), body.to_vec())
    };
    let Ok(form) = Form::parse(&body, FORM_BYTES_MAX) else { return };
    let read = || ClientAuth::read(header, &form);
    match read() {
        Ok(ClientAuth::Assertion(assertion)) => {
            let audiences = [ISSUER];
            let named = assertion.client_id().to_owned();
            if let Ok(verified) = assertion.verify(&keys(&parties().holder), &audiences, fixed::now()) {
                assert_eq!(verified.client_id, named);
                input::accepted();
                let life_s = verified.expires_at.as_second() - fixed::now().as_second();
                assert!((1..=ASSERTION_LIFE_S_MAX).contains(&life_s));
                let Ok(ClientAuth::Assertion(again)) = read() else { panic!("it was read before") };
                assert!(again.verify(&keys(&parties().wrong), &audiences, fixed::now()).is_err());
            }
        }
        Ok(ClientAuth::Secret { client_id, secret }) => {
            assert!(client_id.len() <= 256);
            assert!(!secret.matches_sha256(&[0; 32]));
        }
        Ok(ClientAuth::None { .. }) | Err(_) => {}
    }
}

/// `{header}\n{claims}`: a token holds under one key, of one issuer, for one audience, in its time.
pub fn access_token(bytes: &[u8]) {
    let Some(token) = input::signed(bytes, &parties().holder) else { return };
    let Ok(read) = AccessToken::parse(&token) else { return };
    let expected = Expected { issuer: ISSUER, audience: ISSUER, algs: &[SignAlg::Es256], skew_s: 60 };
    let _ = (read.claimed_issuer(), read.kid());
    let Ok(verified) = read.verify(&keys(&parties().holder), &expected, fixed::now()) else { return };
    assert_eq!(verified.claims.get("iss"), Some(&json!(ISSUER)));
    assert!(verified.claims.get("aud").is_some_and(|aud| aud.to_string().contains(ISSUER)));
    assert!(verified.expires_at.as_second() + SKEW_S_MAX > fixed::now().as_second());
    if let Ok(claims) = AccessTokenClaims::read(&verified) {
        assert_eq!(claims.sub, verified.subject);
        input::accepted();
    }
    let again = || AccessToken::parse(&token).expect("it was read before");
    assert!(again().verify(&keys(&parties().wrong), &expected, fixed::now()).is_err());
    let elsewhere = Expected { issuer: "https://other.example", ..expected };
    assert!(again().verify(&keys(&parties().holder), &elsewhere, fixed::now()).is_err());
}

/// A set is bounded, and each key in it survives the round trip.
pub fn jwks(bytes: &[u8]) {
    let Ok(set) = Jwks::parse(bytes) else { return };
    assert!(set.keys().len() + set.skipped() <= JWKS_KEYS_MAX);
    for key in set.keys() {
        let again = Jwk::from_value(&key.to_value()).expect("what we write we read");
        assert_eq!(again.key(), key.key());
        let alg = key.key().alg().default_sign_alg();
        if let Some(kid) = key.stated_kid()
            && let Ok(found) = set.signing_key(kid, alg)
        {
            assert_eq!(found, key);
            assert!(found.may_verify(alg));
            input::accepted();
        }
        let _ = set.only_signing_key(alg);
    }
}

/// `{offer}`, or a link. An offer survives the way into a link and back.
pub fn offer(bytes: &[u8]) {
    let offer = if bytes.first() == Some(&b'{') {
        CredentialOffer::parse(bytes).ok()
    } else {
        let Some(text) = text(bytes) else { return };
        assert!(
            OfferLink::parse(text, Reach::Https).is_err()
                || OfferLink::parse(text, Reach::LoopbackHttp).is_ok()
        );
        match OfferLink::parse(text, Reach::LoopbackHttp) {
            Ok(OfferLink::ByValue(offer)) => Some(offer),
            Ok(OfferLink::ByReference(address)) => {
                let again = OfferLink::parse(&OfferLink::to(&address), Reach::LoopbackHttp);
                assert_eq!(again.expect("what we write we read"), OfferLink::ByReference(address));
                None
            }
            Err(_) => None,
        }
    };
    let Some(offer) = offer else { return };
    let link = offer.link();
    let json = serde_json::to_vec(&offer).expect("texts and integers");
    if link.len() <= OFFER_LINK_BYTES_MAX && json.len() <= OFFER_BYTES_MAX {
        let again = OfferLink::parse(&link, Reach::Https).expect("what we write we read");
        assert_eq!(again, OfferLink::ByValue(offer));
        input::accepted();
    }
}

/// Metadata survives the round trip.
pub fn issuer_metadata(bytes: &[u8]) {
    let Ok(metadata) = IssuerMetadata::parse(bytes) else { return };
    let value = serde_json::to_value(&metadata).expect("maps of texts");
    if !input::has_float(&value) {
        let again = IssuerMetadata::parse(value.to_string().as_bytes()).expect("what we write we read");
        assert_eq!(again, metadata);
        input::accepted();
    }
}

/// What a wallet is answered, line by line: offer, issuer, server, token, nonce, credential. Nothing makes it hold a credential
/// that our authority did not vouch for, and nothing makes it leave https.
pub fn vci_wallet(bytes: &[u8]) {
    let mut answers = lines(bytes).into_iter().map(|body| Answered { status: 200, body });
    let mut next = || answers.next().unwrap_or(Answered { status: 400, body: b"{}" });
    let first = next();
    let offered = match text(first.body).map(|link| Start::from_link(link, Reach::Https)) {
        Some(Ok(Start::Offered(offered))) => offered,
        Some(Ok(Start::Fetch(errand))) => return assert_https(&errand.url),
        _ => match Offered::fetched(first, Reach::Https) {
            Ok(offered) => offered,
            Err(_) => return small_answers(first.body),
        },
    };
    assert_https(&offered.errand().url);
    let Ok(known) = offered.issuer(next()) else { return };
    assert_https(&known.errand().url);
    let Ok(described) = known.server(next()) else { return };
    if let Ok(errand) = described.errand(Some("1")) {
        assert_https(&errand.url);
    }
    let Ok(granted) = described.token(next()) else { return };
    if let Some(errand) = granted.errand() {
        assert_https(&errand.url);
    }
    let Ok(ready) = granted.nonce(next()) else { return };
    assert_https(&ready.errand("x").url);
    let key = Jwk::from_key(&parties().holder.public());
    let _ = ready.proof(&key, fixed::now());
    let last = next();
    // The last line is a credential answer, or what one is made of.
    let body = match CredentialResponse::parse(last.body) {
        Ok(_) => last.body.to_vec(),
        Err(_) => {
            let Some(text) = input::sd_jwt(&join(last.body), &parties().leaf, &parties().holder) else {
                return;
            };
            json!({ "credentials": [{ "credential": text }] }).to_string().into_bytes()
        }
    };
    let answer = Answered { status: 200, body: &body };
    if let Ok(received) = ready.received(answer, &key, &parties().trust(), fixed::now()) {
        assert!(received.credential.status().is_ok_and(|status| status.is_some()));
        input::accepted();
        let bound_to = received.credential.holder_key().ok().flatten();
        assert!(bound_to.is_some_and(|bound_to| bound_to.thumbprint() == key.thumbprint()));
        let leaf = crypto::hash::sha256(fixed::LEAF_DER);
        assert!(
            received
                .certificates()
                .first()
                .is_some_and(|signer| signer.sha256 == leaf || signer.subject.contains("Leaf"))
        );
    }
}

/// A request is bounded, and wants one thing.
pub fn credential_request(bytes: &[u8]) {
    if let Ok(request) = CredentialRequest::parse(bytes) {
        let (Wanted::Identifier(wanted) | Wanted::Configuration(wanted)) = &request.wanted;
        assert!(!wanted.is_empty() && wanted.len() <= WANTED_BYTES_MAX);
        if let Some(Proofs::Jwt(proofs)) = &request.proofs {
            assert!((1..=PROOFS_MAX).contains(&proofs.len()));
            input::accepted();
        }
    }
    let (header, query) = halves(bytes);
    if let Ok(shown) = openid::vci::request::access_token(text(header), text(query)) {
        assert!(!shown.token.is_empty() && shown.token.len() <= header.len());
    }
}

/// A notification is bounded, and tells one of three things; what it tells twice is no news.
pub fn vci_notification(bytes: &[u8]) {
    let Ok(request) = NotificationRequest::parse(bytes) else { return };
    assert!(bytes.len() <= NOTIFICATION_BYTES_MAX);
    assert_eq!(NotificationEvent::parse(request.event.as_str()), Some(request.event));
    assert!(request.event.is_news(None) && !request.event.is_news(Some(request.event)));
    input::accepted();
}

/// `{header}\n{claims}\n{header}\n{claims}`, the first pair signed by the leaf, the second by the wallet: a wallet is believed for its
/// own key, at this server and under this authority alone.
pub fn client_attestation(bytes: &[u8]) {
    let parts = input::lines(bytes);
    let [header, claims, pop_header, pop_claims] = parts[..] else {
        let _ = ClientAttestation::read(text(bytes), text(bytes));
        return;
    };
    let attestation = input::sign(header, claims, &parties().leaf);
    let pop = input::sign(pop_header, pop_claims, &parties().holder);
    let judge = |trust: &Trust<'_>, issuer: &str| {
        let read = ClientAttestation::read(Some(&attestation), Some(&pop)).ok().flatten()?;
        read.verify(&AttestationRules { trust, issuer, client_id: None }, fixed::now()).ok()
    };
    let Some(client) = judge(&parties().trust(), ISSUER) else { return };
    assert_eq!(client.thumbprint, Jwk::from_key(&parties().holder.public()).thumbprint());
    assert!(!client.client_id.is_empty() && client.client_id.len() <= ATTESTED_ID_BYTES_MAX);
    assert!(client.expires_at > fixed::now());
    assert_eq!(judge(&parties().trust(), "https://i.example/t/b"), None);
    assert_eq!(judge(&parties().wrong_trust(), ISSUER), None);
    input::accepted();
}

/// `{header}\n{claims}`: a proof proves the key that signed it and no other, with a nonce of this tenant and no other.
pub fn proof(bytes: &[u8]) {
    let Some(proof) = input::signed(bytes, &parties().holder) else { return };
    let rules = |tenant| ProofRules {
        issuer: ISSUER.to_owned(),
        algs: vec![SignAlg::Es256, SignAlg::EdDsa],
        batch_size: 2,
        nonces: fixed::nonces(tenant),
    };
    let Ok(verified) = rules("a").verify_all(std::slice::from_ref(&proof), None, fixed::now()) else {
        return;
    };
    assert_eq!(verified.len(), 1);
    if bytes.first() == Some(&b'{') {
        assert_eq!(*verified[0].key.key(), parties().holder.public());
        input::accepted();
    }
    assert!(rules("b").verify_all(std::slice::from_ref(&proof), None, fixed::now()).is_err());
    assert!(rules("a").verify_all(&[proof.clone(), proof], None, fixed::now()).is_err(), "one key twice");
}

/// A text is a nonce only if we made it; one that we make of the input's bytes holds in its time and for its tenant.
pub fn nonce(bytes: &[u8]) {
    let (nonces, now) = (fixed::nonces("a"), fixed::now());
    if let Some(text) = text(bytes)
        && nonces.verify(text, now).is_ok()
    {
        let made = base64::url_decode(text).expect("it was read");
        let random: [u8; 16] = made[9..25].try_into().expect("sixteen bytes");
        let at_ms = i64::from_be_bytes(made[1..9].try_into().expect("eight bytes"));
        let at = Timestamp::from_millisecond(at_ms).expect("it was read");
        assert_eq!(nonces.make(random, at), text);
        input::accepted();
    }
    let Some((random, rest)) = bytes.split_first_chunk::<16>() else { return };
    let Some(Ok(at)) = rest.first_chunk::<8>().map(|ms| Timestamp::from_millisecond(i64::from_be_bytes(*ms)))
    else {
        return;
    };
    let made = nonces.make(*random, at);
    let in_time = nonces.verify(&made, now).is_ok();
    let age_ms = now.as_millisecond() - at.as_millisecond();
    assert_eq!(in_time, (0..300_000).contains(&age_ms), "{age_ms}");
    assert!(fixed::nonces("b").verify(&made, now).is_err());
}

/// The same members in a form in the clear; and what a request may ask to authorise, which is hashed as it was sent.
fn in_the_clear(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let body = encode(&[("vp_token", text), ("state", STATE)]);
        let rules = ResponseRules { seal: Seal::Open, state: STATE, state_required: true };
        if let Reply::Answer(answer) = response::open(body.as_bytes(), &rules).reply {
            assert_eq!(input::json(bytes), Some(Value::Object(answer.vp_token)));
        }
    }
    let encoded = crypto::base64::url_encode(bytes);
    if let Ok(read) = TransactionData::parse(&encoded) {
        assert!(read.encoded == encoded && !read.kind.is_empty() && !read.credential_ids.is_empty());
    }
}

/// `{members}` encrypted to the session's key, or a form. Only who knows the state answers or declines.
pub fn vp_response(bytes: &[u8]) {
    let body = if bytes.first() == Some(&b'{') {
        let sealed =
            encrypt_ecdh_es(&parties().response.public(), Some(KID), Enc::A128Gcm, None, None, bytes);
        encode(&[("response", &sealed.expect("sealed to a P-256 key"))]).into_bytes()
    } else {
        bytes.to_vec()
    };
    in_the_clear(bytes);
    let rules = |key| ResponseRules { seal: Seal::Jwe { key, kid: KID }, state: STATE, state_required: true };
    let reading = response::open(&body, &rules(&parties().response));
    assert!(!reading.checks.is_empty());
    let _ = reading.reply.input();
    match reading.reply {
        Reply::Answer(answer) => {
            let members = input::json(bytes).expect("it was read");
            assert_eq!(members.get("state"), Some(&json!(STATE)));
            let query = json!({"credentials": [{"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}, "multiple": true}]});
            let query = Query::parse(&query, Reader::Own).expect("a query of ours");
            if let Ok(presented) = answer::presentations(&query, &answer.vp_token) {
                assert!(!presented.is_empty() && presented.iter().all(|one| &*one.name.query == "d"));
                input::accepted();
            }
            let other = response::open(&body, &rules(&parties().wrong_response));
            assert!(!matches!(other.reply, Reply::Answer(_)));
        }
        Reply::Declined(_) => {
            assert!(text(bytes).is_some_and(|text| text.contains(STATE) || text.contains(['%', '\\'])))
        }
        Reply::Unreadable(_) | Reply::Failed(_) => {}
    }
}

/// `{header}\n{claims}` signed by a reader of ours. A request is believed only under the right anchor, and posts only to https.
pub fn request_object(bytes: &[u8]) {
    let Some(compact) = input::signed(bytes, &parties().leaf) else { return };
    let limits = Limits { bytes_max: 128 * 1024, depth_max: 16 };
    let leaf = Jws::parse(&compact, &limits).ok().and_then(|jws| jws.x5c().ok()?.into_iter().next());
    let client_id = ClientId::x509_hash(leaf.as_deref().unwrap_or(fixed::LEAF_DER)).to_string();
    let link = PresentationLink { client_id, request_uri: "https://v.example/r".to_owned() };
    let check = |trust: &Trust<'_>| {
        let answer = Answered { status: 200, body: compact.as_bytes() };
        CheckedRequest::check(&link, answer, trust, Reach::Https, fixed::now())
    };
    let Ok(checked) = check(&parties().trust()) else { return };
    assert!(check(&parties().wrong_trust()).is_err());
    assert_https(checked.response_uri());
    input::accepted();
    assert_eq!(checked.client_id(), link.client_id);
    let _ = checked.select(&[]);
    assert_https(&checked.decline().expect("the key was checked").url);
    let _ = checked.answer(&[]);
}

/// A link survives the round trip; addresses are https, or http on loopback where that is allowed.
pub fn presentation_link(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(link) = PresentationLink::parse(text, Reach::LoopbackHttp) {
        let query = encode(&[("client_id", &link.client_id), ("request_uri", &link.request_uri)]);
        let again = format!("openid4vp://?{query}");
        if again.len() <= LINK_BYTES_MAX {
            assert_eq!(
                PresentationLink::parse(&again, Reach::LoopbackHttp).expect("what we write we read"),
                link
            );
        }
    }
    if let Ok(client_id) = ClientId::parse(text) {
        assert_eq!(client_id.to_string(), text);
    }
    if let Ok(address) = wire::address(text, Reach::LoopbackHttp) {
        assert!(address.scheme() == "https" || wire::address(text, Reach::Https).is_err());
        assert!(
            address.username().is_empty() && address.password().is_none() && address.fragment().is_none()
        );
        input::accepted();
        if let Ok(known) = wire::well_known(text, "x", Reach::LoopbackHttp)
            && known.len() <= URL_BYTES_MAX
        {
            let there = wire::address(&known, Reach::LoopbackHttp).expect("an address beside an address");
            assert_eq!(
                (there.scheme(), there.host(), there.port()),
                (address.scheme(), address.host(), address.port())
            );
        }
    }
    let _ = acknowledged(Answered { status: 200, body: bytes });
    let _ = Answered { status: 400, body: bytes }.ok().map_err(|refusal| refusal.to_string());
}

fn keys(key: &crypto::key::PrivateKey) -> Jwks {
    let mut value = Jwk::from_key(&key.public()).to_value();
    value["kid"] = json!(KID);
    Jwks::from_value(&json!({ "keys": [value] })).expect("a set of ours")
}

/// Answers that the wallet's machine reads late, read at once.
fn small_answers(body: &[u8]) {
    if let Ok(answer) = TokenResponse::parse(body) {
        round_trip(&answer, TokenResponse::parse);
    }
    if let Ok(answer) = NonceResponse::parse(body) {
        round_trip(&answer, NonceResponse::parse);
    }
    if let Ok(answer) = CredentialResponse::parse(body) {
        round_trip(&answer, CredentialResponse::parse);
    }
    if let Ok(answer) = AuthorizationServerMetadata::parse(body) {
        round_trip(&answer, AuthorizationServerMetadata::parse);
    }
}

fn round_trip<T: serde::Serialize + PartialEq, E>(answer: &T, parse: impl Fn(&[u8]) -> Result<T, E>) {
    let written = serde_json::to_vec(answer).expect("texts and integers");
    // Escapes may lengthen a text beyond the bound of its message; then it is refused, and that is all.
    assert!(parse(&written).is_ok_and(|again| again == *answer) || written.len() > 8 * 1024);
}

/// A credential in one line: its lines stand apart by tabs.
fn join(line: &[u8]) -> Vec<u8> {
    line.iter().map(|byte| if *byte == b'\t' { b'\n' } else { *byte }).collect()
}

fn assert_https(url: &str) {
    assert!(
        url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
            || wire::address(url, Reach::Https).is_ok(),
        "{url}"
    );
}
