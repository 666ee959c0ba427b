//! ML-DSA-44 (FIPS 204), pure, with the empty context: the second signature of log notes.

use aws_lc_rs::signature::{self, KeyPair as _, ParsedPublicKey, PqdsaKeyPair};
use zeroize::Zeroizing;

use crate::random;
use crate::secret::Secret;

/// Bytes of a public key.
pub(super) const KEY_BYTES: usize = 1312;
const SEED_BYTES: usize = 32;

/// A key with the seed it was expanded from.
pub(super) struct Pair {
    pair: PqdsaKeyPair,
    seed: Secret<[u8; SEED_BYTES]>,
}

impl Pair {
    pub(super) fn generate() -> Option<Self> {
        let seed = Zeroizing::new(random::array::<SEED_BYTES>());
        Self::from_seed(&*seed)
    }

    pub(super) fn from_seed(seed: &[u8]) -> Option<Self> {
        let pair = PqdsaKeyPair::from_seed(&signature::ML_DSA_44_SIGNING, seed).ok()?;
        Some(Self { pair, seed: Secret::new(seed.try_into().ok()?) })
    }

    pub(super) fn to_seed(&self) -> Secret<Vec<u8>> {
        Secret::new(self.seed.expose().to_vec())
    }

    pub(super) fn public_raw(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; signature::ML_DSA_44_SIGNING.signature_len()];
        let length = self.pair.sign(message, &mut signature).ok()?;
        signature.truncate(length);
        Some(signature)
    }
}

/// A verifier for the encoded public key.
pub(super) fn parse_public(raw: &[u8]) -> Option<ParsedPublicKey> {
    let fits = raw.len() == KEY_BYTES;
    fits.then(|| ParsedPublicKey::new(&signature::ML_DSA_44, raw).ok()).flatten()
}
