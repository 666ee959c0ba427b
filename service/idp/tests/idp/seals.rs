//! Document seals: issued once, listed without content, inspected, revoked for ever.

use crate::house::{House, seal_form};
use crypto::base64;
use serde_json::json;
use tenancy::Role;

#[tokio::test]
async fn a_seal_is_told_once_and_only_its_hash_is_kept() {
    let house = House::new().await;
    house.events().await;
    let (id, seal) = house.seal_of(&seal_form()).await;
    assert_eq!(house.events().await, ["status-list-opened", "document-seal-issued"]);
    let shown = house.api("GET", &format!("/api/v1/document-seals/{id}"), None).await.json();
    assert_eq!(shown["sha256"], crypto::hex::encode(&crypto::hash::sha256(&seal)));
    assert!(!shown.to_string().contains("Ana") && shown.get("seal").is_none());
    let inspect = json!({"seal": base64::url_encode(&seal)});
    let found = house.api("POST", "/api/v1/document-seals/inspect", Some(&inspect)).await.json();
    assert_eq!(found["ok"], true);
    let checks: Vec<&str> =
        found["checks"].as_array().unwrap().iter().map(|it| it["check"].as_str().unwrap()).collect();
    assert_eq!(checks, ["form", "trust", "signature", "content", "status", "dates"]);
    assert!(!found.to_string().contains("Ruiz"));
}

#[tokio::test]
async fn a_revoked_seal_stays_revoked_and_the_signed_list_says_so() {
    let house = House::new().await;
    let (id, seal) = house.seal_of(&seal_form()).await;
    let list = async || house.raw("GET", "/t/default/seal/status/0", &[], None).await.text();
    let place = house.api("GET", &format!("/api/v1/document-seals/{id}"), None).await.json()["status"]["idx"]
        .as_u64()
        .unwrap();
    let before = list().await;
    house.events().await;
    let path = format!("/api/v1/document-seals/{id}/revoke");
    assert_eq!(house.api("POST", &path, Some(&json!({"reason": "lost"}))).await.status, 204);
    let after = list().await;
    assert_ne!(before, after);
    assert_eq!(house.events().await, ["document-seal-revoked", "status-list-signed"]);
    assert!(!revoked(&before, place) && revoked(&after, place));
    let again = house.api("POST", &path, Some(&json!({"reason": "lost"}))).await;
    assert_eq!(again.refusal(), (409, "seal/revoked-is-final".to_owned()));
    let inspect = json!({"seal": base64::url_encode(&seal)});
    let found = house.api("POST", "/api/v1/document-seals/inspect", Some(&inspect)).await.json();
    assert_eq!(found["checks"][4], json!({"check": "status", "ok": false, "code": "revoked"}));
}

/// Reads one bit of a signed list.
fn revoked(token: &str, place: u64) -> bool {
    use std::io::Read as _;
    let payload = base64::url_decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims["sub"], "http://localhost:8400/t/default/seal/status/0");
    let packed = base64::url_decode(claims["status_list"]["lst"].as_str().unwrap()).unwrap();
    let mut bits = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut bits).unwrap();
    bits[usize::try_from(place / 8).unwrap()] >> (place % 8) & 1 == 1
}

#[tokio::test]
async fn what_does_not_fit_is_named_and_nothing_is_issued() {
    let house = House::new().await;
    let with = |name: &str, value: serde_json::Value| {
        let mut form = seal_form();
        form["claims"][name] = value;
        form
    };
    house.events().await;
    for (form, pointer) in [
        (with("birth_date", "yesterday".into()), "/claims/birth_date"),
        (with("expiry", "2020-01-01".into()), "/claims/expiry"),
        (with("expiry", "2099-01-01".into()), "/claims/expiry"),
        (with("face", "!".into()), "/claims/face"),
        (with("face", base64::url_encode(b"no picture").into()), "/claims"),
        (with("given_name", "".into()), "/claims"),
        (json!({"type": "passport", "claims": seal_form()["claims"]}), "/type"),
    ] {
        let refused = house.api("POST", "/api/v1/document-seals", Some(&form)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.pointers()),
            (422, vec![pointer.to_owned()]),
            "{}",
            refused.text()
        );
    }
    assert_eq!(house.count("document-seal-issued").await, 0);
}

#[tokio::test]
async fn a_seal_of_another_tenant_or_one_that_was_changed_does_not_verify() {
    let (house, stranger) = (House::new().await, House::new().await);
    let foreign = stranger.seal().await;
    let mut bent = house.seal().await;
    let last = bent.len() - 1;
    bent[last] ^= 1;
    // Both houses draw the same serial numbers, so the stranger's seal names our signer and fails by its signature.
    for (seal, check) in [(&foreign, "signature"), (&bent, "signature"), (&b"x".to_vec(), "form")] {
        let inspect = json!({"seal": base64::url_encode(seal)});
        let found = house.api("POST", "/api/v1/document-seals/inspect", Some(&inspect)).await.json();
        let last = found["checks"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&found["ok"], &last["check"], &last["ok"]),
            (&json!(false), &json!(check), &json!(false))
        );
    }
}

#[tokio::test]
async fn a_verifier_inspects_and_does_not_issue() {
    let mut house = House::new().await;
    let seal = house.seal().await;
    house.token = house.token_for(Role::Verifier).await;
    let inspect = json!({"seal": base64::url_encode(&seal)});
    assert_eq!(house.api("POST", "/api/v1/document-seals/inspect", Some(&inspect)).await.status, 200);
    assert_eq!(house.api("POST", "/api/v1/document-seals", Some(&seal_form())).await.status, 403);
    assert_eq!(house.api("GET", "/api/v1/signins", None).await.status, 403);
    assert_eq!(house.api("GET", "/api/v1/enrolments", None).await.status, 403);
}

/// A seal of another organisation's signer, and that signer's certificate.
fn foreign_seal(house: &House) -> (Vec<u8>, Vec<u8>) {
    use crypto::key::{KeyAlg, PrivateKey, SignAlg};
    use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
    use crypto::x509::{Name, NameParts};
    use seal::vds::own::{Heading, OrganisationSeal, assemble};
    use seal::vds::signer::{SignerCertificate, SignerName};
    let key = PrivateKey::generate(KeyAlg::P256);
    let parts =
        NameParts { country: Some("XO".to_owned()), common_name: "07".to_owned(), ..NameParts::default() };
    let name = Name::new(&parts).unwrap();
    let draft = TbsDraft {
        subject: name.clone(),
        issuer: name,
        issuer_key: key.public(),
        serial: [0x5b; 16],
        not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2027-01-01T00:00:00Z".parse().unwrap(),
        public_key: key.public(),
        profile: Profile::Leaf(LeafNames::default()),
    };
    let to_be_signed = draft.to_be_signed(SignAlg::Es256).unwrap();
    let signature = key.sign(SignAlg::Es256, &to_be_signed).unwrap();
    let der = build::assemble(&to_be_signed, SignAlg::Es256, &signature).unwrap();
    let certificate = SignerCertificate::parse(&der).unwrap();
    let today = house.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let heading = Heading {
        country: "XTS".to_owned(),
        signer: SignerName::new("XO07", &certificate.reference()).unwrap(),
        issued_on: today,
        signed_on: today,
    };
    let person = OrganisationSeal {
        given_name: "Bo".to_owned(),
        family_name: "Lund".to_owned(),
        birth_date: "1985-05-05".parse().unwrap(),
        nationality: Some("SWE".to_owned()),
        number: "O-1".to_owned(),
        expires_on: "2027-12-31".parse().unwrap(),
        face: None,
        status: None,
        organisation: Some("Other".to_owned()),
        role: None,
        device_key: None,
    };
    let bytes = person.to_be_signed(&heading).unwrap();
    let signature = key.sign(SignAlg::Es256, &bytes).unwrap().try_into().unwrap();
    (assemble(&bytes, &signature), der)
}

#[tokio::test]
async fn a_seal_of_another_organisation_counts_once_its_signer_is_an_anchor_for_seals() {
    let mut house = House::new().await;
    let (seal, der) = foreign_seal(&house);
    let mut wallet = crate::wallet::Wallet::new(&house).await;
    let refused = wallet.enrol(&house, Some(&seal)).await;
    assert_eq!(refused.refusal(), (422, "seal/anchor-untrusted".to_owned()));
    house.token = house.token_for(Role::Owner).await;
    let pem = crypto::x509::pem::encode_chain(&[&der]);
    let anchor = async |context: &str| {
        let body = json!({"certificate_pem": pem, "contexts": [context]});
        let added = house.api("POST", "/api/v1/trust-anchors", Some(&body)).await;
        assert_eq!(added.status, 201, "{}", added.text());
        added.json()["id"].as_str().unwrap().to_owned()
    };
    let reader = anchor("reader").await;
    let refused = wallet.enrol(&house, Some(&seal)).await;
    assert_eq!(
        refused.refusal(),
        (422, "seal/anchor-untrusted".to_owned()),
        "an anchor for readers vouches for no seal"
    );
    house.api("DELETE", &format!("/api/v1/trust-anchors/{reader}"), None).await;
    anchor("document-seal").await;
    let enrolled = wallet.enrol(&house, Some(&seal)).await;
    assert_eq!(enrolled.status, 201, "{}", enrolled.text());
    let shop = house.shop().await;
    let opened = house.open(&shop).await;
    wallet.sign_in(&house, &opened, Some(&seal)).await;
}
