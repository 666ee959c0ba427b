//! Whatever a stranger sends, a parser answers and does not panic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;

use credential::trust::Context;
use crypto::key::Ecdh;
use house::{Authority, at, nonces, now, trusting};
use proptest::prelude::*;
use tessera_openid::errand::Answered;
use tessera_openid::oauth::client_auth::JWT_BEARER;
use tessera_openid::oauth::form::{FORM_BYTES_MAX, Form, encode};
use tessera_openid::oauth::{AuthorizationServerMetadata, ClientAuth, TokenResponse};
use tessera_openid::vci::{
    CredentialOffer, CredentialRequest, CredentialResponse, IssuerMetadata, NonceResponse,
    PreAuthorizedRequest, ProofRules,
};
use tessera_openid::vp::wallet::{CheckedRequest, PresentationLink};
use tessera_openid::vp::{ResponseRules, Seal, response};
use tessera_openid::wire::Reach;

/// JSON-like text: mostly broken, sometimes whole, with member names of these protocols in it.
fn json_like() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("credential_issuer"),
        Just("credential_configurations_supported"),
        Just("grants"),
        Just("proofs"),
        Just("jwt"),
        Just("keys"),
        Just("vp_token"),
        Just("x"),
    ];
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        "\"[a-z:/.]{0,12}\"",
        "[\\[\\]{}\",:]{0,6}",
    ];
    proptest::collection::vec((name, value), 0..5).prop_map(|members| {
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

/// Three or five parts of base64url, the first one a header that gets through.
fn jose_like() -> impl Strategy<Value = String> {
    let header = prop_oneof![
        Just(r#"{"alg":"ES256","typ":"openid4vci-proof+jwt","jwk":{}}"#),
        Just(r#"{"alg":"ES256","typ":"oauth-authz-req+jwt","x5c":["AAAA"]}"#),
        Just(r#"{"alg":"ES256","typ":"JWT"}"#),
        Just(r#"{"alg":"ECDH-ES","enc":"A128GCM","kid":"k","epk":{}}"#),
        Just(r#"{"alg":7}"#),
    ];
    (header, json_like(), "[A-Za-z0-9_-]{0,12}", any::<bool>()).prop_map(|(header, payload, tail, five)| {
        let part = |text: &str| crypto::base64::url_encode(text.as_bytes());
        let middle = if five { "..AAAA." } else { "." };
        format!("{}{middle}{}.{tail}", part(header), part(&payload))
    })
}

proptest! {
    #[test]
    fn no_message_in_json_makes_a_parser_panic(text in json_like()) {
        let bytes = text.as_bytes();
        let _ = CredentialOffer::parse(bytes);
        let _ = CredentialRequest::parse(bytes);
        let _ = CredentialResponse::parse(bytes);
        let _ = IssuerMetadata::parse(bytes);
        let _ = NonceResponse::parse(bytes);
        let _ = TokenResponse::parse(bytes);
        let _ = AuthorizationServerMetadata::parse(bytes);
    }

    #[test]
    fn no_signed_or_encrypted_text_makes_a_parser_panic(text in jose_like()) {
        let rules = ProofRules { issuer: "i".to_owned(), algs: vec![], batch_size: 1, nonces: nonces("a") };
        prop_assert!(rules.verify_all(std::slice::from_ref(&text), None, now()).is_err());
        let body = encode(&[("client_assertion_type", JWT_BEARER), ("client_assertion", &text)]);
        let _ = ClientAuth::read(None, &Form::parse(body.as_bytes(), FORM_BYTES_MAX).unwrap());
        let key = Ecdh::generate();
        let rules = ResponseRules { seal: Seal::Jwe { key: &key, kid: "k" }, state: "s", state_required: false };
        let _ = response::open(encode(&[("response", &text)]).as_bytes(), &rules);
        let link = PresentationLink { client_id: "x".to_owned(), request_uri: "https://v.example".to_owned() };
        let anchors = Authority::new("Root").anchors(Context::Reader, &[]);
        let answer = Answered { status: 200, body: text.as_bytes() };
        let refused = trusting(&anchors, |trust| CheckedRequest::check(&link, answer, trust, Reach::Https, at(0)));
        prop_assert!(refused.is_err());
    }

    #[test]
    fn no_form_or_link_makes_a_parser_panic(text in ".{0,80}", query in "[a-z_]{0,12}=[a-zA-Z0-9%:/._-]{0,40}") {
        if let Ok(form) = Form::parse(query.as_bytes(), FORM_BYTES_MAX) {
            let _ = PreAuthorizedRequest::read(&form);
        }
        let _ = PresentationLink::parse(&text, Reach::LoopbackHttp);
        let _ = PresentationLink::parse(&format!("openid4vp://?{query}&client_id=a"), Reach::LoopbackHttp);
    }
}
