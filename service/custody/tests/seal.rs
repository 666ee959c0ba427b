//! What Seal asks of custody: agreement that gives derived keys alone, signatures over document seals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;

use crypto::kdf;
use crypto::key::{Ecdh, KeyAlg, SignAlg};
use crypto::x509::Certificate;
use crypto::x509::path::{self, PathRules};
use house::House;
use tessera_custody::moves::Rotate;
use tessera_custody::{AGREE_USE, KeyError, KeyRef, LeafNames, Owner, Policy, RoomKey, SEAL_USE, SignError};

async fn agreement(house: &House) -> tessera_custody::Key {
    let key = RoomKey {
        owner: Owner::Idp,
        alg: KeyAlg::P256,
        uses: &[AGREE_USE],
        label: "agreement",
        names: None,
        policy: Policy::default(),
    };
    house.custody.make_key(&house.ctx(), &key).await.unwrap()
}

async fn signer(house: &House) -> tessera_custody::Key {
    let names = LeafNames {
        common_name: "01".to_owned(),
        country: Some("XT".to_owned()),
        san_uri: None,
        san_dns: None,
    };
    let key = RoomKey {
        owner: Owner::Idp,
        alg: KeyAlg::P256,
        uses: &[SEAL_USE],
        label: "seals",
        names: Some(names),
        policy: Policy::default(),
    };
    house.custody.make_key(&house.ctx(), &key).await.unwrap()
}

#[tokio::test]
async fn both_sides_of_an_agreement_extract_the_same_key() {
    let house = House::new().await;
    agreement(&house).await;
    let ctx = house.ctx();
    let ours = house.custody.agreement_key(&ctx).await.unwrap();
    let wallet = Ecdh::generate();
    let derived =
        house.custody.agree_hkdf(&ctx, &ours.kid, &wallet.public(), b"salt", b"tail").await.unwrap();
    let shared = wallet.agree(&ours.public).unwrap();
    let theirs = kdf::extract_sha256(b"salt", &[shared.expose(), b"tail"]);
    assert_eq!(derived.prk.expose(), theirs.expose());
    assert_eq!(derived.public, ours.public);
}

#[tokio::test]
async fn the_shared_point_of_a_seal_key_is_given_to_nobody() {
    let house = House::new().await;
    agreement(&house).await;
    let peer = Ecdh::generate().public();
    let refused = house.custody.agree(&house.ctx(), KeyRef::Use(AGREE_USE), None, &peer).await;
    assert!(matches!(refused, Err(SignError::NotFound)), "{refused:?}");
}

#[tokio::test]
async fn a_device_that_pinned_a_retired_agreement_key_still_agrees_with_it() {
    let house = House::new().await;
    let key = agreement(&house).await;
    let ctx = house.ctx();
    let before = house.custody.agreement_key(&ctx).await.unwrap();
    house.hand.advance(std::time::Duration::from_secs(10));
    let ctx = house.ctx();
    house.custody.rotate(&ctx, &key.id, Rotate::Now, None).await.unwrap();
    let after = house.custody.agreement_key(&ctx).await.unwrap();
    assert_ne!(before.kid, after.kid);
    let wallet = Ecdh::generate();
    house.custody.agree_hkdf(&ctx, &before.kid, &wallet.public(), b"s", b"").await.unwrap();
    let unknown = house.custody.agree_hkdf(&ctx, "nobody", &wallet.public(), b"s", b"").await;
    assert!(matches!(unknown.err(), Some(SignError::NotFound)));
}

#[tokio::test]
async fn a_document_seal_is_signed_under_a_certificate_of_the_tenants_root() {
    let house = House::new().await;
    signer(&house).await;
    let ctx = house.ctx();
    let info = house.custody.seal_signer(&ctx, 0).await.unwrap();
    let signed = house.custody.sign_vds(&ctx, &info.kid, b"seal bytes", ctx.now).await.unwrap();
    info.public.verify(SignAlg::Es256, b"seal bytes", &signed.signature).unwrap();
    let root = house.custody.root_certificate(&ctx).await.unwrap().unwrap();
    let leaf = Certificate::parse(&info.chain[0]).unwrap();
    path::verify(&[leaf], &[root], &PathRules::at(ctx.now)).unwrap();
    let other = house.custody.sign_vds(&ctx, "another version", b"seal bytes", ctx.now).await;
    assert!(matches!(other, Err(SignError::UseRefused { .. })));
}

#[tokio::test]
async fn no_key_of_the_api_agrees_or_signs_for_seal() {
    let house = House::new().await;
    for one in [AGREE_USE, SEAL_USE, "jws:seal-reply+jwt", "jws:seal-keys+jwt", "jws:seal-consent+jwt"] {
        let new = tessera_custody::make::ApiKey {
            label: "mine".to_owned(),
            alg: "p256".to_owned(),
            uses: vec![one.to_owned()],
            keeper: None,
            rotation: Policy::default(),
        };
        let refused = house.custody.create_key(&house.ctx(), new, None).await;
        assert!(matches!(refused, Err(KeyError::Uses(_))), "{one}");
    }
}
