//! The wallet's machine against the issuer's decisions: the whole way once, and every place where the wallet must stop.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;

use credential::trust::Context;
use crypto::jwk::Jwk;
use crypto::key::{PrivateKey, SignAlg};
use house::{Authority, Diploma, ISSUER, Signer, VCT, at, nonces, now, p256, sign, trusting};
use serde_json::{Value, json};
use tessera_openid::errand::{Answered, Errand, Method};
use tessera_openid::oauth::form::{FORM_BYTES_MAX, Form};
use tessera_openid::oauth::{AuthorizationServerMetadata, TokenResponse};
use tessera_openid::vci::wallet::{
    AcceptFault, Described, Granted, IssuerKnown, Offered, Ready, ReceivedCredential, Start,
};
use tessera_openid::vci::{
    CodeState, CredentialConfiguration, CredentialOffer, CredentialRequest, CredentialResponse, Grant,
    IssuerMetadata, NonceResponse, OfferLink, PreAuthorizedRequest, ProofRules, TxCode, TxCodeKey,
};
use tessera_openid::wire::Reach;

fn ok(body: &[u8]) -> Answered<'_> {
    Answered { status: 200, body }
}

fn bytes(message: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap()
}

fn issuer_metadata() -> IssuerMetadata {
    let diploma = CredentialConfiguration::sd_jwt_vc(VCT, "diploma", SignAlg::Es256, &[SignAlg::Es256]);
    IssuerMetadata {
        credential_issuer: ISSUER.to_owned(),
        authorization_servers: Vec::new(),
        credential_endpoint: format!("{ISSUER}/vci/credential"),
        nonce_endpoint: Some(format!("{ISSUER}/vci/nonce")),
        notification_endpoint: None,
        batch_credential_issuance: None,
        display: Vec::new(),
        credential_configurations_supported: [("diploma".to_owned(), diploma)].into(),
    }
}

fn server_metadata() -> AuthorizationServerMetadata {
    AuthorizationServerMetadata::pre_authorized(ISSUER, format!("{ISSUER}/vci/token"))
}

fn offer() -> CredentialOffer {
    CredentialOffer::pre_authorized(ISSUER, &["diploma".to_owned()], "code".to_owned(), None)
}

fn offered(offer: &CredentialOffer) -> Offered {
    match Start::from_link(&offer.link(), Reach::Https).unwrap() {
        Start::Offered(offered) => offered,
        Start::Fetch(_) => panic!("the offer was in the link"),
    }
}

fn known() -> IssuerKnown {
    offered(&offer()).issuer(ok(&bytes(&issuer_metadata()))).unwrap()
}

fn described() -> Described {
    known().server(ok(&bytes(&server_metadata()))).unwrap()
}

fn granted() -> Granted {
    described().token(ok(&bytes(&TokenResponse::bearer("token".to_owned(), 300, None)))).unwrap()
}

fn ready() -> Ready {
    let c_nonce = nonces("a").make([1; 16], now());
    granted().nonce(ok(&bytes(&NonceResponse { c_nonce }))).unwrap()
}

fn grant() -> Grant {
    Grant {
        configuration_ids: vec!["diploma".to_owned()],
        client_id: None,
        token_expires_at: at(300),
        rounds_left: 1,
        copies_max: 1,
        rules: ProofRules {
            issuer: ISSUER.to_owned(),
            algs: vec![SignAlg::Es256],
            batch_size: 1,
            nonces: nonces("a"),
        },
    }
}

fn body(errand: &Errand) -> &[u8] {
    &errand.body.as_ref().unwrap().1
}

/// A house whose authority signs, and a wallet's key.
struct Scene {
    authority: Authority,
    signer: Signer,
    key: PrivateKey,
}

impl Scene {
    fn new() -> Scene {
        let authority = Authority::new("Root of A");
        Scene { signer: authority.signer("Signer of A"), authority, key: p256() }
    }

    fn receive_text(&self, credential: String, types: &[&str]) -> Result<ReceivedCredential, AcceptFault> {
        let anchors = self.authority.anchors(Context::Issuer, types);
        let answer = bytes(&CredentialResponse::of(vec![credential]));
        let jwk = Jwk::from_key(&self.key.public());
        trusting(&anchors, |trust| ready().received(ok(&answer), &jwk, trust, now()))
    }

    fn receive(&self, diploma: &Diploma<'_>) -> Result<ReceivedCredential, AcceptFault> {
        self.receive_text(diploma.issue(&self.signer), &[VCT])
    }
}

#[test]
fn an_offer_by_link_becomes_a_credential_that_the_wallet_accepts() {
    let scene = Scene::new();
    let link = OfferLink::to(&format!("{ISSUER}/vci/offer/secret"));
    let Start::Fetch(fetch) = Start::from_link(&link, Reach::Https).unwrap() else { panic!() };
    assert_eq!((fetch.method, fetch.url.as_str()), (Method::Get, "https://i.example/t/a/vci/offer/secret"));
    let offered = Offered::fetched(ok(&bytes(&offer())), Reach::Https).unwrap();
    assert_eq!(offered.errand().url, "https://i.example/.well-known/openid-credential-issuer/t/a");
    let known = offered.issuer(ok(&bytes(&issuer_metadata()))).unwrap();
    assert_eq!(known.errand().url, "https://i.example/.well-known/oauth-authorization-server/t/a");
    let described = known.server(ok(&bytes(&server_metadata()))).unwrap();
    assert_eq!(described.configuration().0, "diploma");

    let redeem = described.errand(None).unwrap();
    let form = Form::parse(body(&redeem), FORM_BYTES_MAX).unwrap();
    let request = PreAuthorizedRequest::read(&form).unwrap();
    assert_eq!(request.code_sha256(), crypto::hash::sha256(b"code"));
    let state = CodeState { expires_at: at(60), spent: false, tx_code: None };
    let key = TxCodeKey::new(crypto::secret::Secret::new([7; 32]), "a");
    state.redeem(&request, "off_1", &key, now()).unwrap();

    let ready = ready();
    let proof = sign(ready.proof(&Jwk::from_key(&scene.key.public()), now()), &scene.key);
    let ask = ready.errand(&proof);
    assert_eq!(ask.bearer.as_ref().unwrap().expose(), "token");
    let accepted = grant().accept(&CredentialRequest::parse(body(&ask)).unwrap(), now()).unwrap();
    assert_eq!(accepted.keys, [Jwk::from_key(&scene.key.public())]);

    let diploma = Diploma { vct: VCT, holder: accepted.keys[0].key(), status: true };
    let received = scene.receive(&diploma).unwrap();
    assert_eq!((received.issuer.as_str(), received.configuration_id.as_str()), (ISSUER, "diploma"));
    assert_eq!((received.anchor.as_str(), received.certificates().len()), ("anc_1", 1));
    assert_eq!(received.credential.claims()["degree"], "BSc");
}

#[test]
fn metadata_of_another_identifier_stops_the_wallet_even_if_only_a_slash_differs() {
    for other in ["https://i.example/t/a/", "https://i.example/t/A", "https://evil.example/t/a"] {
        let metadata = IssuerMetadata { credential_issuer: other.to_owned(), ..issuer_metadata() };
        let fault = offered(&offer()).issuer(ok(&bytes(&metadata))).unwrap_err();
        assert!(matches!(fault, AcceptFault::Mismatch { .. }), "{other}: {fault}");
        let server = AuthorizationServerMetadata { issuer: other.to_owned(), ..server_metadata() };
        assert!(matches!(known().server(ok(&bytes(&server))), Err(AcceptFault::Mismatch { .. })), "{other}");
    }
}

#[test]
fn an_endpoint_by_plain_http_or_inside_the_machine_stops_the_wallet() {
    for endpoint in ["http://i.example/credential", "http://localhost/credential", "file:///etc/passwd", "x"]
    {
        let metadata = IssuerMetadata { credential_endpoint: endpoint.to_owned(), ..issuer_metadata() };
        assert!(matches!(offered(&offer()).issuer(ok(&bytes(&metadata))), Err(AcceptFault::Address { .. })));
        let metadata = IssuerMetadata { nonce_endpoint: Some(endpoint.to_owned()), ..issuer_metadata() };
        assert!(matches!(offered(&offer()).issuer(ok(&bytes(&metadata))), Err(AcceptFault::Address { .. })));
        let server = AuthorizationServerMetadata { token_endpoint: endpoint.to_owned(), ..server_metadata() };
        assert!(matches!(known().server(ok(&bytes(&server))), Err(AcceptFault::Address { .. })));
    }
}

#[test]
fn an_offer_that_sends_the_code_to_a_server_the_issuer_does_not_name_stops_the_wallet() {
    let mut offer = offer();
    let grant = offer.grants.as_mut().unwrap().pre_authorized_code.as_mut().unwrap();
    grant.authorization_server = Some("https://evil.example".to_owned());
    let fault = offered(&offer).issuer(ok(&bytes(&issuer_metadata()))).unwrap_err();
    assert!(matches!(fault, AcceptFault::ForeignServer));
}

#[test]
fn an_offer_without_a_grant_or_with_nothing_usable_stops_the_wallet() {
    let without = CredentialOffer { grants: None, ..offer() };
    assert!(matches!(Start::from_link(&without.link(), Reach::Https), Err(AcceptFault::NoGrant)));
    let unusable: [fn(&mut CredentialConfiguration); 4] = [
        |it| it.format = "mso_mdoc".to_owned(),
        |it| it.vct = None,
        |it| it.proof_types_supported.clear(),
        |it| it.cryptographic_binding_methods_supported = vec!["did:key".to_owned()],
    ];
    for spoil in unusable {
        let mut metadata = issuer_metadata();
        spoil(metadata.credential_configurations_supported.get_mut("diploma").unwrap());
        let known = offered(&offer()).issuer(ok(&bytes(&metadata))).unwrap();
        assert!(matches!(known.server(ok(&bytes(&server_metadata()))), Err(AcceptFault::NothingUsable)));
    }
}

#[test]
fn a_transaction_code_is_asked_for_before_anything_is_spent() {
    let tx_code = TxCode { input_mode: None, length: Some(6), description: None };
    let offer =
        CredentialOffer::pre_authorized(ISSUER, &["diploma".to_owned()], "code".to_owned(), Some(tx_code));
    let known = offered(&offer).issuer(ok(&bytes(&issuer_metadata()))).unwrap();
    let described = known.server(ok(&bytes(&server_metadata()))).unwrap();
    assert!(described.tx_code().is_some());
    assert!(matches!(described.errand(None), Err(AcceptFault::TxCodeNeeded)));
    let sent = described.errand(Some("493536")).unwrap();
    assert_eq!(Form::parse(body(&sent), FORM_BYTES_MAX).unwrap().get("tx_code"), Some("493536"));
}

#[test]
fn a_refusal_of_the_issuer_is_shown_by_its_code() {
    let refused = Answered { status: 400, body: br#"{"error":"invalid_grant"}"# };
    let fault = described().token(refused).unwrap_err();
    assert_eq!(fault.to_string(), "the peer answered 400 invalid_grant");
}

#[test]
fn a_credential_bound_to_another_key_is_not_stored() {
    let scene = Scene::new();
    let stranger = p256().public();
    let fault = scene.receive(&Diploma { vct: VCT, holder: &stranger, status: true }).unwrap_err();
    assert!(matches!(fault, AcceptFault::OtherKey), "{fault}");
}

#[test]
fn a_credential_of_another_type_or_without_a_status_is_not_stored() {
    let scene = Scene::new();
    let holder = scene.key.public();
    let other = scene.receive(&Diploma { vct: "https://i.example/pid", holder: &holder, status: true });
    assert!(matches!(other.unwrap_err(), AcceptFault::OtherType));
    let statusless = scene.receive(&Diploma { vct: VCT, holder: &holder, status: false });
    assert!(matches!(statusless.unwrap_err(), AcceptFault::NoStatus));
}

#[test]
fn a_credential_of_an_untrusted_issuer_or_of_an_anchor_for_other_types_is_not_stored() {
    let scene = Scene::new();
    let holder = scene.key.public();
    let diploma = Diploma { vct: VCT, holder: &holder, status: true };
    let stranger = Authority::new("Root of B").signer("Signer of B");
    let untrusted = scene.receive_text(diploma.issue(&stranger), &[VCT]).unwrap_err();
    assert!(matches!(untrusted, AcceptFault::Untrusted(_)), "{untrusted}");
    let other_types = scene.receive_text(diploma.issue(&scene.signer), &["urn:eudi:pid:*"]).unwrap_err();
    assert!(matches!(other_types, AcceptFault::OtherContext), "{other_types}");
    let none = scene.receive_text(diploma.issue(&scene.signer), &[]).unwrap_err();
    assert!(matches!(none, AcceptFault::OtherContext), "{none}");
}

#[test]
fn a_credential_changed_after_signing_or_with_a_key_binding_is_not_stored() {
    let scene = Scene::new();
    let holder = scene.key.public();
    let credential = Diploma { vct: VCT, holder: &holder, status: true }.issue(&scene.signer);
    let dot = credential.find('.').unwrap();
    let payload_end = dot + 1 + credential[dot + 1..].find('.').unwrap();
    let payload = crypto::base64::url_decode(&credential[dot + 1..payload_end]).unwrap();
    let mut claims: Value = serde_json::from_slice(&payload).unwrap();
    claims["exp"] = json!(at(86_400 * 60).as_second());
    let forged = crypto::base64::url_encode(claims.to_string().as_bytes());
    let changed = format!("{}.{forged}{}", &credential[..dot], &credential[payload_end..]);
    assert!(matches!(scene.receive_text(changed, &[VCT]), Err(AcceptFault::Rejected(_))));
    let bound = format!("{credential}{}", sign(crypto::jose::jws::Draft::new("kb+jwt", "{}"), &scene.key));
    assert!(matches!(scene.receive_text(bound, &[VCT]), Err(AcceptFault::Bound)));
}

#[test]
fn an_answer_with_no_credential_or_two_is_not_stored() {
    let scene = Scene::new();
    let anchors = scene.authority.anchors(Context::Issuer, &[VCT]);
    let jwk = Jwk::from_key(&scene.key.public());
    for count in [0, 2] {
        let answer = bytes(&CredentialResponse::of(vec!["x".to_owned(); count]));
        let fault =
            trusting(&anchors, |trust| ready().received(ok(&answer), &jwk, trust, now())).unwrap_err();
        assert!(matches!(fault, AcceptFault::Count(found) if found == count), "{fault}");
    }
}
