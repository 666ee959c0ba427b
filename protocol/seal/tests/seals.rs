//! Document seals: our own, their signers, and what an attacker may try.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use crypto::secret::Secret;
use crypto::x509::build::{LeafNames, Profile};
use jiff::civil::Date;
use proptest::prelude::*;
use tessera_seal::scope::Scopes;
use tessera_seal::vds::icao::{Vds, VdsError, Version};
use tessera_seal::vds::own::{OrganisationSeal, OwnSeal, OwnSealError, StatusRef, assemble};
use tessera_seal::vds::signer::{SignerCertificate, SignerKey, SignerName};
use tessera_seal::vds::trust::{Authority, Rules, TrustFault, judge};
use tessera_seal::vds::{SEAL_BYTES_MAX, Seal as _, SealFault};
use world::{LIFE, Seals, World, certify, name, now};

fn organisation() -> OrganisationSeal {
    OrganisationSeal {
        given_name: "Ana".to_owned(),
        family_name: "Specimen".to_owned(),
        birth_date: Date::constant(1990, 2, 28),
        nationality: Some("UTO".to_owned()),
        number: "A-1".to_owned(),
        expires_on: Date::constant(2028, 1, 1),
        face: Some(Secret::new([&[0xff, 0xd8, 0xff][..], &[1; 500]].concat())),
        status: Some(StatusRef { index: 7, uri: "https://idp.example/t/default/seal/status/0".to_owned() }),
        organisation: Some("Specimen Works".to_owned()),
        role: None,
        device_key: Some([5; 32]),
    }
}

fn read(seals: &Seals, bytes: &[u8]) -> OwnSeal {
    let seal = Vds::parse(bytes).unwrap().verify(&SignerKey::Nist(seals.signer.public())).unwrap();
    OwnSeal::read(&seal).unwrap()
}

#[test]
fn a_service_seal_says_what_was_signed() {
    let world = World::new();
    let OwnSeal::Service(service) = read(&world.seals, &world.service_seal) else { panic!("another kind") };
    assert_eq!(service, world.service);
    let seal = Vds::parse(&world.service_seal).unwrap();
    assert_eq!(seal.signer().id(), "XT01");
    assert_eq!(seal.signed_on(), Date::constant(2026, 11, 20));
    let seal = seal.verify(&SignerKey::Nist(world.seals.signer.public())).unwrap();
    let header = seal.header();
    assert_eq!(
        (header.version, header.country.as_str(), header.feature, header.category),
        (Version::V4, "XTS", 1, 0x54)
    );
}

#[test]
fn an_organisations_seal_says_what_was_signed_and_debug_says_nothing_of_the_person() {
    let seals = Seals::new();
    let bytes = seals.sign(&organisation().to_be_signed(&seals.heading()).unwrap());
    let OwnSeal::Organisation(read) = read(&seals, &bytes) else { panic!("another kind") };
    let wanted = organisation();
    assert_eq!(
        (&read.given_name, &read.family_name, &read.number),
        (&wanted.given_name, &wanted.family_name, &wanted.number)
    );
    assert_eq!(
        (read.birth_date, read.expires_on, read.device_key),
        (wanted.birth_date, wanted.expires_on, wanted.device_key)
    );
    assert_eq!(
        (&read.nationality, &read.organisation, &read.role),
        (&wanted.nationality, &wanted.organisation, &wanted.role)
    );
    assert_eq!(read.status, wanted.status);
    assert_eq!(
        read.face.as_ref().map(|face| face.expose().clone()),
        wanted.face.map(|face| face.expose().clone())
    );
    let seal = Vds::parse(&bytes).unwrap();
    let shown = format!("{read:?} {seal:?}");
    assert!(!shown.contains("Ana") && !shown.contains("Specimen"), "{shown}");
}

#[test]
fn no_byte_before_the_signature_and_none_of_the_signature_can_be_changed() {
    let world = World::new();
    let key = SignerKey::Nist(world.seals.signer.public());
    let good = &world.service_seal;
    for at in 0..good.len() {
        for bit in [0x01, 0x80] {
            let mut flipped = good.clone();
            flipped[at] ^= bit;
            assert!(
                Vds::parse(&flipped).is_err() || Vds::parse(&flipped).unwrap().verify(&key).is_err(),
                "byte {at}"
            );
        }
    }
}

#[test]
fn a_seal_cut_anywhere_lengthened_or_too_long_is_refused_by_place() {
    let good = World::new().service_seal;
    for length in 0..good.len() {
        assert!(Vds::parse(&good[..length]).is_err(), "{length} bytes");
    }
    let longer = [&good[..], &[0x01, 0x01, 0x00]].concat();
    assert_eq!(Vds::parse(&longer).unwrap_err(), VdsError::Unsigned, "something follows the signature");
    assert_eq!(Vds::parse(&[0xdc; SEAL_BYTES_MAX + 1]).unwrap_err(), VdsError::TooLong);
    assert_eq!(Vds::parse(b"").unwrap_err(), VdsError::Magic);
    assert_eq!(Vds::parse(&[0xdc, 0x04, 0, 0]).unwrap_err(), VdsError::Magic);
    assert_eq!(Vds::parse(&[0xdc, 0x03, 0xd9]).unwrap_err(), VdsError::Header { field: "country", at: 2 });
    let twice = [&good[..], &[0xff, 0x40], &[0; 64]].concat();
    assert_eq!(Vds::parse(&twice).unwrap_err(), VdsError::Unsigned, "two signatures");
}

#[test]
fn another_key_another_curve_and_a_curve_that_is_not_checked_have_names() {
    let world = World::new();
    let verify = |key: &SignerKey| Vds::parse(&world.service_seal).unwrap().verify(key).map(|_| ());
    assert_eq!(
        verify(&SignerKey::Nist(PrivateKey::generate(KeyAlg::P256).public())),
        Err(SealFault::BadSignature)
    );
    assert_eq!(
        verify(&SignerKey::Nist(PrivateKey::generate(KeyAlg::P384).public())),
        Err(SealFault::BadSignature)
    );
    assert_eq!(verify(&SignerKey::Unsupported), Err(SealFault::UnsupportedCurve));
    let (tbs, _) = world.service_seal.split_at(world.service_seal.len() - 66);
    for (length, fault) in
        [(56, Ok(SealFault::UnsupportedCurve)), (128, Ok(SealFault::UnsupportedCurve)), (65, Err(()))]
    {
        let mut seal = tbs.to_vec();
        tessera_seal::vds::tlv::write(&mut seal, 0xff, &vec![1; length]);
        match (Vds::parse(&seal), fault) {
            (Ok(seal), Ok(fault)) => {
                assert_eq!(
                    seal.verify(&SignerKey::Nist(world.seals.signer.public())).map(|_| ()),
                    Err(fault)
                );
            }
            (Err(error), Err(())) => assert_eq!(error, VdsError::SignatureLength(length)),
            (parsed, _) => panic!("{length}: {parsed:?}"),
        }
    }
}

#[test]
fn messages_doubled_out_of_order_unknown_or_of_another_length_are_refused_by_tag() {
    let world = World::new();
    let key = SignerKey::Nist(world.seals.signer.public());
    let reread = |change: &dyn Fn(&mut Messages)| {
        let seal = Vds::parse(&world.service_seal).unwrap().verify(&key).unwrap();
        let mut messages: Messages =
            seal.messages().into_iter().map(|(tag, value)| (tag, value.to_vec())).collect();
        change(&mut messages);
        let first = messages_at(seal.tbs());
        let mut out = seal.tbs()[..first].to_vec();
        for (tag, value) in &messages {
            tessera_seal::vds::tlv::write(&mut out, *tag, value);
        }
        let seal = Vds::parse(&world.seals.sign(&out)).unwrap().verify(&key).unwrap();
        OwnSeal::read(&seal).map(|_| ())
    };
    assert_eq!(reread(&|_| ()), Ok(()));
    assert_eq!(reread(&|it| it.push((0x02, b"again".to_vec()))), Err(OwnSealError::Message(0x02)));
    assert_eq!(reread(&|it| it.push((0x40, vec![]))), Err(OwnSealError::Message(0x40)));
    assert_eq!(reread(&|it| it.swap(1, 2)), Err(OwnSealError::Message(0x02)));
    assert_eq!(
        reread(&|it| {
            it.remove(2);
        }),
        Err(OwnSealError::Message(0x03))
    );
    assert_eq!(reread(&|it| it[0].1[0] = 2), Err(OwnSealError::Message(0x01)));
    assert_eq!(reread(&|it| it[2].1 = vec![0xff]), Err(OwnSealError::Message(0x03)), "not UTF-8");
    assert_eq!(reread(&|it| it[4].1.truncate(31)), Err(OwnSealError::Message(0x05)));
    assert_eq!(
        reread(&|it| it[5].1 = vec![0, 2, 0, 0]),
        Err(OwnSealError::Message(0x06)),
        "a bit that means nothing"
    );
    assert_eq!(reread(&|it| it[7].1.truncate(7)), Err(OwnSealError::Message(0x08)));
    assert_eq!(reread(&|it| it[8].1[0] = 8), Err(OwnSealError::Message(0x09)));
}

/// Messages with their tags.
type Messages = Vec<(u8, Vec<u8>)>;

/// Where the messages of a seal of ours begin: behind the dates, kind and category.
fn messages_at(tbs: &[u8]) -> usize {
    let category = tbs.windows(5).position(|at| at[0] == 0x01 && at[1] == 0x54 && at[2..] == [1, 1, 1]);
    category.unwrap() + 2
}

#[test]
fn a_seal_that_would_not_fit_is_not_made() {
    let world = World::new();
    let heading = world.seals.heading();
    let with = |change: fn(&mut tessera_seal::vds::own::ServiceSeal)| {
        let mut service = world.service.clone();
        change(&mut service);
        service.to_be_signed(&heading).map(|_| ())
    };
    assert_eq!(with(|it| it.origins.clear()), Err(OwnSealError::Message(0x04)));
    assert_eq!(with(|it| it.origins = vec!["a\nb".to_owned()]), Err(OwnSealError::Message(0x04)));
    assert_eq!(with(|it| it.legal_name = "x".repeat(1025)), Err(OwnSealError::Message(0x03)));
    assert_eq!(with(|it| it.thumbprints = vec![[0; 32]; 17]), Err(OwnSealError::Message(0x07)));
    let all = with(|it| {
        it.legal_name = "x".repeat(1024);
        it.client_id = "y".repeat(1024);
        it.origins = vec!["z".repeat(1024)];
        it.thumbprints = vec![[0; 32]; 16];
        it.redirect_hashes = vec![[0; 32]; 16];
    });
    assert_eq!(all, Err(OwnSealError::TooLong));
    let mut person = organisation();
    person.face = Some(Secret::new(vec![0; 10]));
    assert_eq!(person.to_be_signed(&heading).unwrap_err(), OwnSealError::Message(0x08));
}

#[test]
fn the_scopes_of_a_seal_are_a_ceiling_by_bits() {
    let world = World::new();
    let OwnSeal::Service(service) = read(&world.seals, &world.service_seal) else { panic!("another kind") };
    assert_eq!(service.scopes.bits(), 1 << 7 | 1 << 13 | 1);
    assert!(Scopes::expand("identity:full").unwrap().within(&service.scopes).is_err());
}

fn judged(
    seals: &Seals,
    signed_on: Date,
    authorities: &[Authority],
    rules: &Rules,
) -> Result<String, TrustFault> {
    let certificates = [seals.certificate()];
    let signer = seals.heading().signer;
    judge(&signer, signed_on, &certificates, authorities, rules).map(SignerCertificate::reference)
}

#[test]
fn a_signer_is_believed_under_its_authority_on_the_days_of_both_while_nobody_revoked_it() {
    let seals = Seals::new();
    let rules = Rules { now: now(), stale_ok_d: 0 };
    let day = Date::constant(2026, 11, 20);
    let reference = seals.certificate().reference();
    assert_eq!(judged(&seals, day, &[seals.authority()], &rules), Ok(reference.clone()));
    assert_eq!(judged(&seals, day, &[], &rules), Err(TrustFault::NoAnchor));
    assert_eq!(judged(&seals, day, &[Seals::new().authority()], &rules), Err(TrustFault::NoAnchor));
    assert_eq!(
        judged(&seals, Date::constant(2025, 12, 31), &[seals.authority()], &rules),
        Err(TrustFault::SignerDates)
    );
    assert_eq!(
        judged(&seals, Date::constant(2026, 11, 23), &[seals.authority()], &rules),
        Err(TrustFault::Future)
    );
    let revoking = Authority { revoked: vec![reference], ..seals.authority() };
    assert_eq!(judged(&seals, day, &[revoking], &rules), Err(TrustFault::Revoked));
    let stale = Authority { next_update: Some(world::after(-3600)), ..seals.authority() };
    assert_eq!(judged(&seals, day, std::slice::from_ref(&stale), &rules), Err(TrustFault::Stale));
    assert!(judged(&seals, day, &[stale], &Rules { stale_ok_d: 1, ..rules }).is_ok());
    let other = SignerName::new("XT02", &seals.certificate().reference()).unwrap();
    let fault = judge(&other, day, &[seals.certificate()], &[seals.authority()], &rules).unwrap_err();
    assert_eq!(fault, TrustFault::UnknownSigner);
}

#[test]
fn a_leaf_is_no_authority_and_a_forged_certificate_is_none_of_its_issuers() {
    let seals = Seals::new();
    let rules = Rules { now: now(), stale_ok_d: 0 };
    let thief = PrivateKey::generate(KeyAlg::P256);
    let leaf = Profile::Leaf(LeafNames::default());
    let by_leaf = certify((&seals.signer, &name("XT", "01")), &name("XT", "01"), &thief, leaf.clone(), LIFE);
    let forged = certify((&thief, &seals.root_name), &name("XT", "01"), &thief, leaf, LIFE);
    for der in [by_leaf, forged] {
        let certificate = [SignerCertificate::parse(&der).unwrap()];
        let signer = SignerName::new("XT01", &certificate[0].reference()).unwrap();
        let leaf = Authority { certificate: seals.certificate(), revoked: vec![], next_update: None };
        let authorities = [seals.authority(), leaf];
        let fault =
            judge(&signer, Date::constant(2026, 11, 20), &certificate, &authorities, &rules).unwrap_err();
        assert_eq!(fault, TrustFault::NoAnchor);
    }
}

#[test]
fn a_reference_is_compared_without_its_leading_zeros() {
    let seals = Seals::new();
    let certificate = seals.certificate();
    let with_zeros = SignerName::new("XT01", &format!("00{}", certificate.reference())).unwrap();
    assert!(certificate.is_named(&with_zeros));
    assert!(!certificate.is_named(&SignerName::new("XT01", "5B").unwrap()));
    assert_eq!(SignerName::new("XT0", "5B"), None);
    assert_eq!(SignerName::new("xt01", "5B"), None);
    assert_eq!(SignerName::new("XT01", &"F".repeat(41)), None);
}

proptest! {
    #[test]
    fn no_input_panics_and_what_is_read_has_its_bytes_kept(tail in prop::collection::vec(any::<u8>(), 0..200), version in 2..5_u8) {
        let bytes = [&[0xdc, version][..], &tail].concat();
        if let Ok(seal) = Vds::parse(&bytes) {
            let fault = seal.verify(&SignerKey::Nist(PrivateKey::generate(KeyAlg::P256).public()));
            prop_assert!(fault.is_err());
        }
    }

    #[test]
    fn whatever_a_service_is_called_its_seal_reads_back(legal_name in "\\PC{1,60}", bits in 0..(1_u32 << 17), end: u64) {
        let world = World::new();
        let mut service = world.service.clone();
        (service.legal_name, service.not_after_s) = (legal_name, end);
        service.scopes = Scopes::from_bits(bits).unwrap();
        let tbs = service.to_be_signed(&world.seals.heading()).unwrap();
        let signature = world.seals.signer.sign(SignAlg::Es256, &tbs).unwrap().try_into().unwrap();
        let OwnSeal::Service(again) = read(&world.seals, &assemble(&tbs, &signature)) else { panic!("another kind") };
        prop_assert_eq!(again, service);
    }
}
