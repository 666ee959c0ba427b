//! Specimen seals of other people's libraries, of no real person.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use crypto::{base64, hex};
use serde_json::Value;
use tessera_seal::vds::SealFault;
use tessera_seal::vds::icao::Vds;
use tessera_seal::vds::mrz;
use tessera_seal::vds::signer::SignerCertificate;

fn file(name: &str) -> Value {
    let folder = std::env::var("TESSERA_TEST_DATA").expect("set TESSERA_TEST_DATA");
    let text = std::fs::read_to_string(PathBuf::from(folder).join("seals").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn certificates() -> BTreeMap<String, SignerCertificate> {
    let read = |(name, text): (&String, &Value)| {
        let der = base64::std_decode(text.as_str().unwrap()).unwrap();
        (name.clone(), SignerCertificate::parse(&der).unwrap())
    };
    file("vdstools.json")["certificates"].as_object().unwrap().iter().map(read).collect()
}

/// What becomes of a specimen.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Verifies,
    NoCertificate,
    UnsupportedCurve,
    Unsigned,
}

fn answer(bytes: &[u8], certificates: &BTreeMap<String, SignerCertificate>) -> Answer {
    let Ok(seal) = Vds::parse(bytes) else { return Answer::Unsigned };
    let Some(certificate) = certificates.values().find(|it| it.is_named(seal.signer())) else {
        return Answer::NoCertificate;
    };
    match seal.verify(certificate.key()) {
        Ok(_) => Answer::Verifies,
        Err(SealFault::UnsupportedCurve) => Answer::UnsupportedCurve,
        Err(SealFault::BadSignature) => panic!("a bad signature"),
    }
}

/// No byte before the signature may be changed.
fn refused_when_flipped(name: &str, bytes: &[u8], certificates: &BTreeMap<String, SignerCertificate>) {
    let seal = Vds::parse(bytes).unwrap();
    let key = certificates.values().find(|it| it.is_named(seal.signer())).unwrap().key();
    for at in 0..bytes.len() - 66 {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1;
        let verified = Vds::parse(&flipped).is_ok_and(|seal| seal.verify(key).is_ok());
        assert!(!verified, "{name} with byte {at} flipped");
    }
}

#[test]
#[ignore = "needs the public test vectors: set TESSERA_TEST_DATA"]
fn the_specimens_of_vdstools_verify_or_are_answered_by_name() {
    let certificates = certificates();
    let mut counts = BTreeMap::new();
    for seal in file("vdstools.json")["seals"].as_array().unwrap() {
        let name = seal["name"].as_str().unwrap();
        let bytes = hex::decode(seal["hex"].as_str().unwrap()).unwrap();
        let wanted = match name {
            "residentPermit"
            | "socialInsurance"
            | "arrivalAttestation"
            | "supplementSheet"
            | "addressStickerPassport"
            | "emergenyTravelDoc"
            | "permanentResidencePermit" => Answer::Verifies,
            "addressStickerId" | "visa_224bitSig" => Answer::UnsupportedCurve,
            // The reference of `meldebescheinigung`, counted in decimal as its signer does, leads to a signature.
            "arrivalAttestationV02" | "ankunftsnwPapier" | "utoVisa" | "meldebescheinigung" => {
                Answer::NoCertificate
            }
            _ => Answer::Unsigned,
        };
        assert_eq!(answer(&bytes, &certificates), wanted, "{name}");
        if wanted == Answer::Verifies {
            refused_when_flipped(name, &bytes, &certificates);
        }
        *counts.entry(format!("{wanted:?}")).or_insert(0) += 1;
    }
    let counts: Vec<_> = counts.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(counts, ["NoCertificate 4", "Unsigned 4", "UnsupportedCurve 2", "Verifies 7"]);
}

#[test]
#[ignore = "needs the public test vectors: set TESSERA_TEST_DATA"]
fn the_zone_of_a_specimen_names_its_document() {
    let certificates = certificates();
    let mut read = 0;
    for seal in file("vdstools.json")["seals"].as_array().unwrap() {
        let bytes = hex::decode(seal["hex"].as_str().unwrap()).unwrap();
        if answer(&bytes, &certificates) != Answer::Verifies {
            continue;
        }
        let seal = Vds::parse(&bytes).unwrap();
        let key = certificates.values().find(|it| it.is_named(seal.signer())).unwrap().key().clone();
        let Some(zone) = mrz::of_seal(&seal.verify(&key).unwrap()) else { continue };
        assert!(!zone.number.is_empty() && !zone.family_name.is_empty() && zone.birth_date.len() == 6);
        read += 1;
    }
    assert_eq!(
        read, 4,
        "residence permit, arrival attestation, supplementary sheet, emergency travel document"
    );
}

#[test]
#[ignore = "needs the public test vectors: set TESSERA_TEST_DATA"]
fn the_specimens_of_li0ard_all_verify() {
    let certificates = certificates();
    let seals = file("li0ard.json");
    let seals = seals["seals"].as_array().unwrap();
    assert_eq!(seals.len(), 9);
    for seal in seals {
        let name = seal["name"].as_str().unwrap();
        let bytes = hex::decode(seal["hex"].as_str().unwrap()).unwrap();
        assert_eq!(answer(&bytes, &certificates), Answer::Verifies, "{name}");
        refused_when_flipped(name, &bytes, &certificates);
    }
}
