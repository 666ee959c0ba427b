//! X-Wing against the draft's own vectors and against another implementation.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop at the first surprise, as tests do")]

#[expect(deprecated, reason = "the provider keeps ML-KEM keys expanded")]
use ml_kem::ExpandedKeyEncoding;
use ml_kem::array::Array;
use ml_kem::{FromSeed, KeyExport, MlKem768};
use serde::Deserialize;
use shake::{ExtendableOutput, Shake256, Update, XofReader};
use tessera_crypto::xwing::{self, SecretKey};
use tessera_crypto::{hash, hex};
use x_wing::{Decapsulate, Encapsulate};

#[derive(Deserialize)]
struct Vector {
    seed: String,
    pk: String,
    ct: String,
    ss: String,
}

/// The key of a draft's seed, in the form that this program keeps.
fn expanded(seed: &[u8]) -> (SecretKey, Vec<u8>) {
    let mut drawn = [0; 96];
    let mut shake = Shake256::default();
    shake.update(seed);
    shake.finalize_xof().read(&mut drawn);
    let (decapsulation, encapsulation) = MlKem768::from_seed(&Array::try_from(&drawn[..64]).unwrap());
    #[expect(deprecated, reason = "the provider keeps ML-KEM keys expanded")]
    let secret = [decapsulation.to_expanded_bytes().as_slice(), &drawn[64..]].concat();
    (SecretKey::from_secret(&secret).unwrap(), encapsulation.to_bytes().to_vec())
}

#[test]
fn the_vectors_of_the_draft_open() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors/x_wing.json")).unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let (secret, ml_kem_public) = expanded(&hex::decode(&vector.seed).unwrap());
        assert_eq!(hex::encode(&ml_kem_public), vector.pk[..2 * ml_kem_public.len()]);
        let ciphertext = hex::decode(&vector.ct).unwrap().try_into().unwrap();
        let shared = secret.decapsulate(&ciphertext).unwrap();
        assert!(hash::equal(shared.expose(), &hex::decode(&vector.ss).unwrap()));
    }
}

#[test]
fn another_implementation_opens_ours_and_we_open_its() {
    let theirs = x_wing::DecapsulationKey::from([7; 32]);
    let their_public = x_wing::Decapsulator::encapsulation_key(&theirs).to_bytes();
    let (ciphertext, ours) = xwing::encapsulate(their_public.as_slice().try_into().unwrap()).unwrap();
    let opened = theirs.decapsulate(&Array::try_from(&ciphertext[..]).unwrap());
    assert_eq!(opened.as_slice(), ours.expose());

    let (secret, public) = SecretKey::generate();
    let public = x_wing::EncapsulationKey::try_from(&public[..]).unwrap();
    let (ciphertext, theirs) = public.encapsulate_with_rng(&mut Drawn(1));
    let opened = secret.decapsulate(ciphertext.as_slice().try_into().unwrap()).unwrap();
    assert_eq!(opened.expose(), theirs.as_slice());
}

/// Bytes that differ; an oracle needs no secrets.
struct Drawn(u8);

impl x_wing::kem::common::rand_core::TryRng for Drawn {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.0 = self.0.wrapping_add(1);
        Ok(u32::from(self.0))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for byte in bytes {
            self.0 = self.0.wrapping_add(41);
            *byte = self.0;
        }
        Ok(())
    }
}

impl x_wing::kem::common::rand_core::TryCryptoRng for Drawn {}
