//! Samples for `protocol/openid`.

use crypto::base64::std_encode;
use crypto::jose::jws::x5c_value;
use crypto::jwk::Jwk;
use crypto::key::SignAlg;
use openid::oauth::AuthorizationServerMetadata;
use openid::oauth::client_attestation::{ATTESTATION_TYP, POP_TYP, pop_draft};
use openid::oauth::client_auth::JWT_BEARER;
use openid::oauth::form::encode;
use openid::oauth::jwks::{PublishedKey, document};
use openid::oauth::token::PRE_AUTHORIZED_CODE;
use openid::vci::offer::TxCode;
use openid::vci::{CredentialConfiguration, CredentialOffer, IssuerMetadata, OfferLink, metadata};
use openid::vp::{ClientId, ClientMetadata, RequestObject, RequestUriMethod, ResponseMode};
use serde_json::{Value, json};
use tessera_fuzz::fixed::{ISSUER, LEAF_DER, VCT, nonces, now, parties};
use tessera_fuzz::openid::{CLIENT, KID, STATE};

use crate::credential::{credential, header};
use crate::{Seeds, texts};

pub fn all() -> Vec<Seeds> {
    vec![
        ("form", forms()),
        ("client_auth", client_auths()),
        ("access_token", access_tokens()),
        ("jwks", jwks()),
        ("offer", offers()),
        ("issuer_metadata", vec![json_of(&issuer_metadata())]),
        ("vci_wallet", vci_wallets()),
        ("credential_request", credential_requests()),
        ("vci_notification", vci_notifications()),
        ("client_attestation", client_attestations()),
        ("proof", proofs()),
        ("nonce", vec![nonces("a").make([1; 16], now()).into_bytes(), nonce_parts(0), nonce_parts(-1_000)]),
        ("vp_response", vp_responses()),
        ("request_object", request_objects()),
        ("presentation_link", presentation_links()),
    ]
}

fn json_of(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and integers")
}

fn signed(header: &Value, claims: &Value) -> Vec<u8> {
    format!("{header}\n{claims}").into_bytes()
}

fn forms() -> Vec<Vec<u8>> {
    let code = encode(&[
        ("grant_type", PRE_AUTHORIZED_CODE),
        ("pre-authorized_code", "a b+c/é"),
        ("client_id", CLIENT),
    ]);
    let client = encode(&[("grant_type", "client_credentials"), ("scope", "a b")]);
    [code, client, "tx_code=1&a=&b&c%3d=%C3%a9".to_owned()].map(String::into_bytes).to_vec()
}

fn client_auths() -> Vec<Vec<u8>> {
    let basic = format!("Basic {}\ngrant_type=client_credentials", std_encode(b"svc_1:se%2Bcret"));
    let post = format!("\n{}", encode(&[("client_id", CLIENT), ("client_secret", "secret")]));
    let assertion = signed(
        &json!({"alg": "ES256", "typ": "JWT", "kid": KID}),
        &json!({"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "jti": "1", "iat": now().as_second(), "exp": now().as_second() + 60}),
    );
    let form =
        format!("\n{}", encode(&[("client_assertion_type", JWT_BEARER), ("client_assertion", "e30.e30.AA")]));
    vec![basic.into_bytes(), post.into_bytes(), assertion, form.into_bytes(), b"\nclient_id=svc_1".to_vec()]
}

fn access_tokens() -> Vec<Vec<u8>> {
    let claims = json!({
        "iss": ISSUER, "aud": ISSUER, "sub": CLIENT, "client_id": CLIENT, "tenant": "default", "roles": ["issuer-operator"],
        "scope": "a b", "iat": now().as_second(), "exp": now().as_second() + 900, "jti": "1",
    });
    let outside = json!({
        "iss": ISSUER, "aud": ["account", ISSUER], "sub": "u", "azp": "app", "nbf": 1.5, "exp": now().as_second() + 900,
        "realm_access": {"roles": ["x"]},
    });
    vec![
        signed(&json!({"alg": "ES256", "typ": "at+jwt", "kid": KID}), &claims),
        signed(&json!({"alg": "ES256", "typ": "JWT", "kid": KID}), &outside),
    ]
}

fn jwks() -> Vec<Vec<u8>> {
    let (leaf, log) = (parties().leaf.public(), parties().log.public());
    let ours = document(&[
        PublishedKey::signing(&leaf, SignAlg::Es256),
        PublishedKey::signing(&log, SignAlg::EdDsa),
        PublishedKey::encryption(&parties().response.public()),
    ]);
    let mut one = Jwk::from_key(&leaf).to_value();
    one["kid"] = json!("a");
    one["key_ops"] = json!(["verify"]);
    let mixed = json!({"keys": [one.clone(), one, {"kty": "oct", "k": "AA"}, {"kty": "OKP", "crv": "X448", "x": "AA"}]});
    vec![json_of(&ours), json_of(&mixed)]
}

fn offer() -> CredentialOffer {
    let tx_code = TxCode { input_mode: Some("numeric".to_owned()), length: Some(4), description: None };
    CredentialOffer::pre_authorized(ISSUER, &["diploma".to_owned()], "code".to_owned(), Some(tx_code))
}

fn offers() -> Vec<Vec<u8>> {
    vec![
        json_of(&offer()),
        offer().link().into_bytes(),
        OfferLink::to("https://i.example/t/a/vci/offer/x").into_bytes(),
        b"openid-credential-offer:?credential_offer_uri=http%3A%2F%2Flocalhost:1/x".to_vec(),
    ]
}

fn issuer_metadata() -> IssuerMetadata {
    let mut configuration =
        CredentialConfiguration::sd_jwt_vc(VCT, "diploma", SignAlg::Es256, &[SignAlg::Es256]);
    configuration.credential_metadata = Some(metadata::CredentialMetadata {
        display: vec![json!({"name": "Diploma", "locale": "en"})],
        claims: vec![json!({"path": ["given_name"]})],
    });
    IssuerMetadata {
        credential_issuer: ISSUER.to_owned(),
        authorization_servers: vec![ISSUER.to_owned()],
        credential_endpoint: format!("{ISSUER}/credential"),
        nonce_endpoint: Some(format!("{ISSUER}/nonce")),
        notification_endpoint: None,
        batch_credential_issuance: Some(metadata::BatchIssuance { batch_size: 4 }),
        display: vec![json!({"name": "A"})],
        credential_configurations_supported: [("diploma".to_owned(), configuration)].into(),
    }
}

fn vci_wallets() -> Vec<Vec<u8>> {
    let server = AuthorizationServerMetadata::pre_authorized(ISSUER, format!("{ISSUER}/token"));
    let lines = [
        offer().link().into_bytes(),
        json_of(&issuer_metadata()),
        json_of(&server),
        json_of(&json!({"access_token": "t", "token_type": "Bearer", "expires_in": 300})),
        json_of(&json!({"c_nonce": "n"})),
        credential().replace('\n', "\t").into_bytes(),
    ];
    let by_object = [
        vec![json_of(&offer())],
        lines[1..5].to_vec(),
        vec![br#"{"credentials":[{"credential":"a~"}]}"#.to_vec()],
    ];
    let mut seeds = vec![lines.join(&b'\n'), by_object.concat().join(&b'\n')];
    seeds.extend(lines[2..5].iter().cloned());
    seeds
}

fn credential_requests() -> Vec<Vec<u8>> {
    texts([
        r#"{"credential_configuration_id":"diploma","proofs":{"jwt":["e30.e30.AA","e30.e30.AB"]}}"#,
        r#"{"credential_identifier":"d","proofs":{"attestation":["x"]},"credential_response_encryption":{}}"#,
        "Bearer token\na=1&access%5ftoken=x",
        "bearer  token ",
    ])
}

fn vci_notifications() -> Vec<Vec<u8>> {
    texts([
        r#"{"notification_id":"n","event":"credential_accepted"}"#,
        r#"{"notification_id":"n","event":"credential_deleted","event_description":"no","x":[1]}"#,
        r#"{"notification_id":"n","notification_id":"m","event":"credential_failure"}"#,
    ])
}

fn client_attestations() -> Vec<Vec<u8>> {
    let jwk = Jwk::from_key(&parties().holder.public()).to_value();
    let header = json!({"alg": "ES256", "typ": ATTESTATION_TYP, "x5c": x5c_value(&[LEAF_DER])});
    let end = now().as_second() + 3_600;
    let claims = json!({"iss": "https://m.example", "sub": "w", "exp": end, "cnf": {"jwk": jwk}});
    let proof = pop_draft("w", ISSUER, "1", now());
    let pop_header = json!({"alg": "ES256", "typ": POP_TYP}).to_string().into_bytes();
    let first = signed(&header, &claims);
    let lines = |pop: Vec<u8>| [first.clone(), pop_header.clone(), pop].join(&b'\n');
    let elsewhere = json!({"aud": ["https://i.example/t/b"], "iat": now().as_second(), "jti": "1"});
    vec![lines(proof.payload), lines(elsewhere.to_string().into_bytes()), b"a.b.c".to_vec()]
}

fn proofs() -> Vec<Vec<u8>> {
    let jwk = Jwk::from_key(&parties().holder.public()).to_value();
    let header = json!({"alg": "ES256", "typ": "openid4vci-proof+jwt", "jwk": jwk});
    let nonce = nonces("a").make([1; 16], now());
    let claims = json!({"iss": "w", "aud": ISSUER, "iat": now().as_second(), "nonce": nonce});
    let attested = json!({"alg": "ES256", "typ": "openid4vci-proof+jwt", "key_attestation": "x", "jwk": jwk});
    vec![signed(&header, &claims), signed(&attested, &claims)]
}

fn nonce_parts(age_ms: i64) -> Vec<u8> {
    [&[1; 16][..], &(now().as_millisecond() + age_ms).to_be_bytes()].concat()
}

fn vp_responses() -> Vec<Vec<u8>> {
    let answer = json!({"vp_token": {"d": ["a~b", "c~"]}, "state": STATE});
    let declined = json!({"error": "access_denied", "state": STATE});
    let form = encode(&[("error", "access_denied"), ("state", STATE)]);
    vec![
        json_of(&answer),
        json_of(&declined),
        form.into_bytes(),
        b"response=e30..AA.AA.AA".to_vec(),
        b"vp_token=%7B%7D".to_vec(),
    ]
}

fn client_id() -> ClientId {
    ClientId::x509_hash(LEAF_DER)
}

fn request_objects() -> Vec<Vec<u8>> {
    let request = RequestObject {
        client_id: client_id(),
        response_uri: "https://v.example/response".to_owned(),
        nonce: "n".to_owned(),
        state: STATE.to_owned(),
        issued_at: now(),
        expires_at: now() + jiff::SignedDuration::from_secs(300),
        dcql_query: json!({"credentials": [{"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}}]}),
        client_metadata: ClientMetadata {
            response_key: Some(parties().response.public()),
            sd_jwt_algs: vec!["ES256"],
            kb_jwt_algs: vec!["ES256"],
        },
        response_mode: ResponseMode::DirectPostJwt,
        transaction_data: Vec::new(),
        verifier_info: Vec::new(),
        wallet_nonce: None,
    };
    let payload = request.draft().payload;
    let mut other: Value = serde_json::from_slice(&payload).expect("what we write we read");
    other["transaction_data"] = json!(["AA"]);
    let header = header("oauth-authz-req+jwt");
    vec![[header.to_string().as_bytes(), b"\n", &payload].concat(), signed(&header, &other)]
}

fn presentation_links() -> Vec<Vec<u8>> {
    vec![
        RequestObject::link(&client_id(), "https://v.example/r?a=b", RequestUriMethod::Get, "openid4vp")
            .into_bytes(),
        b"openid4vp:?client_id=x509_hash%3AAA&request_uri=http://127.0.0.1:1/r".to_vec(),
        client_id().to_string().into_bytes(),
        b"https://a.example:8443/t/a/".to_vec(),
        b"http://[::1]:2/x?y".to_vec(),
        br#"{"redirect_uri":"https://v.example/done"}"#.to_vec(),
        br#"{"error":"invalid_grant"}"#.to_vec(),
    ]
}
