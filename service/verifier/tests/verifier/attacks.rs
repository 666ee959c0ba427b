//! The attacks on a verifier, each refused by the check that names it; the wallet is told the same of each.

use crate::house::{House, Served, failure, id_of, outcome, query};
use crate::people::{
    Diploma, LIFE, Root, Signer, VCT, Wallet, key_binding, list_draft, now, self_signed, sign,
};
use credential::status::{Bits, StatusList, StatusReference, StatusValue};
use crypto::base64;
use crypto::jose::jwe::{Enc, encrypt_ecdh_es};
use crypto::jose::jws::{Draft, x5c_value};
use crypto::jwk::Jwk;
use crypto::key::{Ecdh, KeyAlg, PrivateKey};
use crypto::x509::build::{LeafNames, Profile};
use custody::Context;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use http::StatusCode;
use openid::oauth::form;
use serde_json::{Value, json};
use std::io::Write as _;

impl House {
    /// Posts a presentation that must be refused, and answers by which check.
    async fn refused(&self, make: impl AsyncFnOnce(&crate::people::Asked) -> String) -> String {
        let (id, asked) = self.ask().await;
        let presentation = make(&asked).await;
        let answered = self.respond(&asked, &asked.answer(&presentation)).await;
        assert_eq!(answered.status, StatusCode::BAD_REQUEST, "{}", answered.text());
        assert_eq!(answered.json()["error_description"], "the presentation was not accepted");
        failure(&self.result(&id).await)
    }

    /// A diploma by another signer, shown properly.
    async fn refused_by(&self, signer: &Signer, vct: &str) -> String {
        let status = Some(StatusReference { uri: self.lists.uri("/status/0"), idx: 7 });
        let diploma = Diploma { vct, given_name: "Ana", status };
        let text = diploma.issue(&self.wallet.key.public(), signer);
        let shown = Wallet::disclose(&text, &signer.key.public());
        self.refused(async |asked| self.wallet.bind_to(&shown, asked)).await
    }

    fn disclosed(&self) -> String {
        Wallet::disclose(&self.diploma(), &self.issuer.key.public())
    }
}

#[tokio::test]
async fn a_key_binding_stripped_from_another_session_or_by_a_key_of_its_own_is_refused() {
    let house = House::new().await;
    let stripped = house.refused(async |_| house.disclosed()).await;
    assert_eq!(stripped, "VP-020 key-binding/missing");
    let (_, other) = house.ask().await;
    let elsewhere = house.refused(async |_| house.wallet.bind_to(&house.disclosed(), &other)).await;
    assert_eq!(elsewhere, "VP-024 key-binding/wrong-nonce");
    let thief = PrivateKey::generate(KeyAlg::P256);
    let stolen = house
        .refused(async |asked| {
            let text = house.disclosed();
            let draft = key_binding(&text, asked.text("client_id"), asked.text("nonce"), now());
            format!("{text}{}", sign(draft.with("jwk", Jwk::from_key(&thief.public()).to_value()), &thief))
        })
        .await;
    assert_eq!(stolen, "VP-022 key-binding/bad-signature");
    assert_eq!(house.count("presentation-rejected").await, 3);
    assert_eq!(house.count("presentation-accepted").await, 0);
}

#[tokio::test]
async fn a_presentation_for_another_verifier_is_refused() {
    let house = House::new().await;
    let replayed = house
        .refused(async |asked| {
            let other = "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk";
            house.wallet.bind(&house.disclosed(), other, asked.text("nonce"), now())
        })
        .await;
    assert_eq!(replayed, "VP-023 key-binding/wrong-audience");
}

#[tokio::test]
async fn a_disclosure_doubled_forged_or_in_padded_base64_is_refused() {
    let house = House::new().await;
    let text = house.disclosed();
    let (rest, last) = text.trim_end_matches('~').rsplit_once('~').unwrap();
    let forged = base64::url_encode(json!(["c2FsdA", "given_name", "Eve"]).to_string().as_bytes());
    for changed in
        [format!("{rest}~{last}~{last}~"), format!("{rest}~{last}~{forged}~"), format!("{rest}~{last}==~")]
    {
        let refused = house.refused(async |asked| house.wallet.bind_to(&changed, asked)).await;
        assert_eq!(refused, "VP-018 credential/disclosure-invalid", "{changed}");
    }
    let duplicate = format!(r#"{{"vct":"{VCT}","vct":"other","iat":1,"exp":4102444800}}"#);
    let signed = format!("{}~", house.issuer.sign(Draft::new("dc+sd-jwt", duplicate)));
    let refused = house.refused(async |asked| house.wallet.bind_to(&signed, asked)).await;
    assert_eq!(refused, "VP-010 credential/malformed");
}

#[tokio::test]
async fn an_algorithm_that_does_not_fit_the_key_is_refused() {
    let house = House::new().await;
    let text = house.disclosed();
    let (jwt, rest) = text.split_once('~').unwrap();
    let payload = jwt.split('.').nth(1).unwrap();
    let with = |header: Value, signature: &[u8]| {
        let header = base64::url_encode(header.to_string().as_bytes());
        format!("{header}.{payload}.{}~{rest}", base64::url_encode(signature))
    };
    let x5c = x5c_value(&house.issuer.chain);
    let none = with(json!({"alg": "none", "typ": "dc+sd-jwt", "x5c": x5c}), b"");
    let mac = crypto::hash::hmac_sha256(house.issuer.key.public().raw(), &[b"x"]);
    let hs256 = with(json!({"alg": "HS256", "typ": "dc+sd-jwt", "x5c": x5c}), &mac);
    for forged in [none, hs256] {
        let refused = house.refused(async |asked| house.wallet.bind_to(&forged, asked)).await;
        assert!(refused == "VP-012 credential/unsupported-alg", "{refused}");
    }
    let p384 = house.university.signer_with("Issuer", KeyAlg::P384, LIFE);
    let es256 = with(json!({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": x5c_value(&p384.chain)}), &[7; 64]);
    let refused = house.refused(async |asked| house.wallet.bind_to(&es256, asked)).await;
    assert_eq!(refused, "VP-012 credential/alg-key-mismatch");
}

#[tokio::test]
async fn a_chain_that_leads_to_no_anchor_is_refused_with_its_reason() {
    let house = House::with(|config| config.haip = true).await;
    let stranger = Root::new("Stranger").signer("Issuer");
    assert_eq!(house.refused_by(&stranger, VCT).await, "VP-014 trust/no-anchor");
    let late = ("2026-11-01T00:00:00Z", "2026-11-20T11:59:59Z");
    let expired = house.university.signer_with("Issuer", KeyAlg::P256, late);
    assert_eq!(house.refused_by(&expired, VCT).await, "VP-014 trust/expired");
    let middle = house.university.below("Faculty", Profile::Ca { path_len: Some(0) });
    let missing = middle.signer("Issuer");
    assert_eq!(house.refused_by(&missing, VCT).await, "VP-014 trust/no-anchor");
    let no_ca = house.university.below("Dean", Profile::Leaf(LeafNames::default()));
    let mut by_leaf = no_ca.signer("Issuer");
    by_leaf.chain.push(no_ca.certificate.der().to_vec());
    assert_eq!(house.refused_by(&by_leaf, VCT).await, "VP-014 trust/not-a-ca");
    let mut inside = house.university.signer("Issuer");
    inside.chain.push(house.university.certificate.der().to_vec());
    assert_eq!(house.refused_by(&inside, VCT).await, "VP-015 trust/anchor-in-chain");
    assert_eq!(house.refused_by(&self_signed(), VCT).await, "VP-015 trust/self-signed-leaf");
}

#[tokio::test]
async fn an_anchor_inside_the_chain_only_warns_without_haip() {
    let house = House::new().await;
    let mut inside = house.university.signer("Issuer");
    inside.chain.push(house.university.certificate.der().to_vec());
    let text =
        Diploma { vct: VCT, given_name: "Ana", status: None }.issue(&house.wallet.key.public(), &inside);
    let (id, asked) = house.ask().await;
    let shown = house.wallet.bind_to(&Wallet::disclose(&text, &inside.key.public()), &asked);
    house.respond(&asked, &asked.answer(&shown)).await;
    let result = house.result(&id).await;
    assert_eq!((result["state"].as_str(), outcome(&result, "VP-015").as_str()), (Some("verified"), "warn"));
}

#[tokio::test]
async fn an_anchor_of_another_type_or_purpose_does_not_vouch() {
    let house = House::new().await;
    let (licences, lists) = (Root::new("Licences"), Root::new("List keeper"));
    house.believe(&licences, &[Context::Issuer], &["urn:licence:*"]).await;
    house.believe(&lists, &[Context::Status], &[]).await;
    assert_eq!(house.refused_by(&licences.signer("Issuer"), VCT).await, "VP-016 trust/wrong-context");
    let by_list_keeper = house.refused_by(&lists.signer("Issuer"), VCT).await;
    assert!(by_list_keeper.ends_with("trust/wrong-context"), "{by_list_keeper}");
    // An issuer's anchor under the list of somebody else's credential.
    let uri = house.lists.uri("/status/foreign");
    let foreign = licences.signer("Lists").list(&uri, 1_024, 7, StatusValue::Valid, now());
    house.lists.serve("/status/foreign", Served::Token(foreign));
    let result = house.present(&house.diploma_at("/status/foreign")).await;
    assert_eq!(failure(&result), "VP-050 status/list-untrusted");
}

#[tokio::test]
async fn what_was_not_asked_for_is_refused() {
    let house = House::new().await;
    house.believe(&Root::new("Other"), &[Context::Issuer], &["urn:other"]).await;
    let university = Root::new("Both");
    house.believe(&university, &[Context::Issuer], &[VCT, "urn:transcript"]).await;
    let signer = university.signer("Issuer");
    assert_eq!(house.refused_by(&signer, "urn:transcript").await, "VP-040 query/wrong-type");
    let public = house.issuer.key.public();
    let fewer = Wallet::disclose_paths(&house.diploma(), &public, &["degree"]);
    let missing = house.refused(async |asked| house.wallet.bind_to(&fewer, asked)).await;
    assert_eq!(missing, "VP-041 query/claim-missing");
    // Under another id, in another shape, twice, or not at all.
    for token in
        ["{\"x\":[\"P\"]}", "{\"d\":\"P\"}", "{\"d\":[\"P\",\"P\"]}", "{\"d\":[\"P\"],\"x\":[\"P\"]}"]
    {
        let (id, asked) = house.ask().await;
        let shown = house.shown(&house.diploma(), &asked);
        let vp_token: Value = serde_json::from_str(&token.replace('P', &shown)).unwrap();
        let plain = json!({"vp_token": vp_token, "state": asked.text("state")});
        assert_eq!(house.respond(&asked, &asked.sealed(&plain)).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(failure(&house.result(&id).await), "VP-007 presentation/unexpected", "{token}");
    }
}

#[tokio::test]
async fn an_answer_to_another_sessions_key_or_a_compressed_one_is_unreadable() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    let plain =
        json!({"vp_token": {"d": [house.shown(&house.diploma(), &asked)]}, "state": asked.text("state")});
    let plain = plain.to_string();
    let (theirs, ours) = (Ecdh::generate().public(), asked.key());
    let sealed = |key, kid| {
        let jwe = encrypt_ecdh_es(key, Some(kid), Enc::A256Gcm, None, None, plain.as_bytes()).unwrap();
        form::encode(&[("response", &jwe)])
    };
    for form in [sealed(&theirs, asked.kid()), sealed(&ours, "another")] {
        assert_eq!(house.respond(&asked, &form).await.status, StatusCode::BAD_REQUEST);
    }
    let good =
        encrypt_ecdh_es(&asked.key(), Some(asked.kid()), Enc::A256Gcm, None, None, plain.as_bytes()).unwrap();
    let (header, rest) = good.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&base64::url_decode(header).unwrap()).unwrap();
    header["zip"] = json!("DEF");
    let zipped = format!("{}.{rest}", base64::url_encode(header.to_string().as_bytes()));
    let answered = house.respond(&asked, &form::encode(&[("response", &zipped)])).await;
    assert_eq!(answered.status, StatusCode::BAD_REQUEST);
    assert_eq!(house.result(&id).await["state"], "created");
    // Both offered encryptions are read.
    assert_eq!(house.respond(&asked, &sealed(&ours, asked.kid())).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_beyond_its_bound_is_refused_before_it_is_read() {
    let house = House::new().await;
    let (id, asked) = house.ask().await;
    let large = format!("response={}", "a".repeat(512 << 10));
    assert_eq!(house.respond(&asked, &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    // 100 MB that never come: the length alone is enough.
    let told = http::Request::post(asked.response_path())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-length", "100000000");
    let answered = house.send(told.body(axum::body::Body::from("response=a")).unwrap()).await;
    assert_eq!(answered.status, StatusCode::PAYLOAD_TOO_LARGE);
    let json = http::Request::post(asked.response_path()).header("content-type", "application/json");
    let answered = house.send(json.body(axum::body::Body::from("{}")).unwrap()).await;
    assert_eq!(answered.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(house.result(&id).await["state"], "created");
    assert_eq!(house.count("presentation-unreadable").await, 0, "no try was spent");
}

#[tokio::test]
async fn a_bomb_in_a_status_list_and_an_index_past_its_end_are_refused() {
    let house = House::new().await;
    let uri = house.lists.uri("/status/bomb");
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..17 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let small = StatusList::new(Bits::One, 8).unwrap();
    let mut draft = list_draft(&uri, &small, now(), 300);
    let mut claims: Value = serde_json::from_slice(&draft.payload).unwrap();
    claims["status_list"]["lst"] = json!(base64::url_encode(&encoder.finish().unwrap()));
    draft.payload = claims.to_string().into_bytes();
    house.lists.serve("/status/bomb", Served::Token(house.university.signer("Lists").sign(draft)));
    let result = house.present(&house.diploma_at("/status/bomb")).await;
    assert_eq!(failure(&result), "VP-050 status/list-invalid");
    let past = house.diploma_with(&house.lists.uri("/status/0"), 1_024);
    assert_eq!(failure(&house.present(&past).await), "VP-053 status/index-out-of-range");
}

#[tokio::test]
async fn a_status_uri_into_our_own_network_is_never_connected() {
    let house = House::new().await;
    // A third port of this machine, which nobody allowed; whoever connects is seen.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    for uri in [
        format!("http://127.0.0.1:{port}/status/0"),
        format!("https://127.0.0.1:{port}/status/0"),
        format!("http://localhost:{port}/status/0"),
        format!("http://[::1]:{port}/status/0"),
        format!("http://user@127.0.0.1:{}/status/0", house.lists.port),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://[fe80::1]/status/0".to_owned(),
        "https://10.0.0.1/status/0".to_owned(),
        "file:///etc/passwd".to_owned(),
        "data:application/statuslist+jwt,x".to_owned(),
        "status/0".to_owned(),
    ] {
        let result = house.present(&house.diploma_with(&uri, 7)).await;
        assert_eq!(failure(&result), "VP-050 status/unreachable", "{uri}");
        assert_eq!(
            listener.accept().unwrap_err().kind(),
            std::io::ErrorKind::WouldBlock,
            "{uri} was connected"
        );
    }
    house.lists.serve("/status/moved", Served::Moved(format!("http://127.0.0.1:{port}/status/0")));
    let moved = house.present(&house.diploma_at("/status/moved")).await;
    assert_eq!(failure(&moved), "VP-050 status/redirected");
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn nothing_but_status_lists_is_fetched_and_only_of_valid_credentials() {
    let house = House::new().await;
    let vct = house.lists.uri("/vct/diploma");
    house.believe(&Root::new("Unused"), &[Context::Issuer], &["urn:unused"]).await;
    let university = Root::new("Fetched");
    house.believe(&university, &[Context::Issuer, Context::Status], &[&vct]).await;
    let signer = university.signer("Issuer");
    let status = Some(StatusReference { uri: house.lists.uri("/status/mine"), idx: 7 });
    let diploma = Diploma { vct: &vct, given_name: "Ana", status };
    let draft = diploma.draft(&house.wallet.key.public(), now());
    let beside = draft.jws.with("jku", house.lists.uri("/jwks")).with("x5u", house.lists.uri("/x5u"));
    let text = draft.disclosures.assemble(&signer.sign(beside));
    let mut ask = query();
    ask["credentials"][0]["meta"]["vct_values"] = json!([vct]);
    let made = house.ask_with(&json!({"dcql_query": ask})).await;
    let asked = house.fetch(&made).await;
    let shown = house.wallet.bind_to(&Wallet::disclose(&text, &signer.key.public()), &asked);
    // Bound to another session, it is invalid, and not even its list is fetched.
    let (_, other) = house.ask().await;
    let elsewhere = house.wallet.bind_to(&Wallet::disclose(&text, &signer.key.public()), &other);
    house.refused(async |_| elsewhere.clone()).await;
    assert_eq!(house.lists.fetched("/status/mine"), 0);
    house.respond(&asked, &asked.answer(&shown)).await;
    let result = house.result(&id_of(&made)).await;
    assert_eq!(failure(&result), "VP-050 status/unreachable");
    assert_eq!(outcome(&result, "VP-017"), "pass");
    for path in ["/vct/diploma", "/jwks", "/x5u", "/.well-known/jwt-vc-issuer"] {
        assert_eq!(house.lists.fetched(path), 0, "{path}");
    }
    assert_eq!(house.lists.fetched("/status/mine"), 1);
}
