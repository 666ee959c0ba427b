//! Schnorr proofs over ristretto255 (RFC 9496), by Fiat and Shamir: that somebody knows the secret of a member key.
//!
//! ```text
//! fields = each `len u32 ‖ bytes`: label, issuer, epoch, challenge, Y, R;  e = SHA-512(fields) mod ℓ;  s = k + e·x;  proof = R ‖ s
//! ```
//!
//! Invariants: the identity is no key and no commitment; what is not the one canonical encoding of a point or a number is refused;
//! `k` is a hash of the secret, of fresh entropy and of the fields, so that neither a poor generator nor a repeat gives `x` away.

use std::fmt;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};
use zeroize::Zeroize;

use crate::hash::sha512;
use crate::random;
use crate::secret::Secret;

/// Bytes of a public key.
pub const PUBLIC_BYTES: usize = 32;
/// Bytes of a proof: `R ‖ s`.
pub const PROOF_BYTES: usize = 64;

/// A proof that does not hold, or a key that is none. Which, is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not hold")]
pub struct SchnorrError;

/// What a proof is for. Every field is framed by its length, so that no byte moves from one into the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The label of the protocol and the purpose.
    pub label: &'a [u8],
    /// Who is to believe it.
    pub issuer: &'a [u8],
    /// The epoch.
    pub epoch: u32,
    /// What the verifier drew, or what is signed.
    pub challenge: &'a [u8],
}

/// A member's secret. Wiped when dropped.
pub struct SchnorrSecret {
    x: Scalar,
    public: [u8; PUBLIC_BYTES],
}

impl SchnorrSecret {
    /// A fresh secret from the provider's own generator.
    pub fn generate() -> Self {
        Self::from_secret(&Secret::new(random::array::<64>()))
    }

    /// The secret of 64 bytes, which are reduced modulo the order. Zero, which nobody draws, gives 1 instead.
    pub fn from_secret(secret: &Secret<[u8; 64]>) -> Self {
        let x = Scalar::from_bytes_mod_order_wide(secret.expose());
        let x = if x == Scalar::ZERO { Scalar::ONE } else { x };
        let public = (&x * RISTRETTO_BASEPOINT_TABLE).compress().to_bytes();
        Self { x, public }
    }

    /// The public key.
    pub fn public(&self) -> [u8; PUBLIC_BYTES] {
        self.public
    }

    /// Proves knowledge of the secret. `entropy` is fresh.
    pub fn prove(&self, statement: &Statement<'_>, entropy: &[u8; 32]) -> [u8; PROOF_BYTES] {
        let fields = statement.fields();
        let drawn = Secret::new([b"schnorr nonce", &self.x.to_bytes()[..], entropy, &fields].concat());
        let k = Secret::new(Scalar::from_bytes_mod_order_wide(&sha512(drawn.expose())));
        let commitment = (k.expose() * RISTRETTO_BASEPOINT_TABLE).compress().to_bytes();
        let e = challenge(&fields, &self.public, &commitment);
        let s = k.expose() + e * self.x;
        let mut proof = [0; PROOF_BYTES];
        proof[..32].copy_from_slice(&commitment);
        proof[32..].copy_from_slice(s.as_bytes());
        proof
    }
}

impl Drop for SchnorrSecret {
    fn drop(&mut self) {
        self.x.zeroize();
    }
}

impl fmt::Debug for SchnorrSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SchnorrSecret(ristretto255)")
    }
}

/// Whether 32 bytes are a key that somebody can have: a canonical point other than the identity.
pub fn is_public_key(public: &[u8; PUBLIC_BYTES]) -> bool {
    point(public).is_ok()
}

/// Checks a proof.
///
/// # Errors
/// [`SchnorrError`] for a wrong proof, the identity, and every encoding that is not canonical.
pub fn verify(
    public: &[u8; PUBLIC_BYTES],
    statement: &Statement<'_>,
    proof: &[u8; PROOF_BYTES],
) -> Result<(), SchnorrError> {
    let (commitment, s) = proof.split_first_chunk::<32>().ok_or(SchnorrError)?;
    let y = point(public)?;
    let r = point(commitment)?;
    let s: [u8; 32] = s.try_into().map_err(|_| SchnorrError)?;
    let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)).ok_or(SchnorrError)?;
    let e = challenge(&statement.fields(), public, commitment);
    let found = RistrettoPoint::vartime_double_scalar_mul_basepoint(&-e, &y, &s);
    if found == r { Ok(()) } else { Err(SchnorrError) }
}

impl Statement<'_> {
    fn fields(&self) -> Vec<u8> {
        framed(&[self.label, self.issuer, &self.epoch.to_be_bytes(), self.challenge])
    }
}

fn challenge(fields: &[u8], public: &[u8; 32], commitment: &[u8; 32]) -> Scalar {
    let hash = sha512(&[fields, &framed(&[public, commitment])].concat());
    Scalar::from_bytes_mod_order_wide(&hash)
}

fn framed(fields: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(fields.iter().map(|field| 4 + field.len()).sum());
    for field in fields {
        let length = u32::try_from(field.len()).expect("fields are far below 4 GiB");
        out.extend(length.to_be_bytes());
        out.extend_from_slice(field);
    }
    out
}

/// Decompressing refuses what is not canonical (RFC 9496, 4.3.1); the identity is refused here.
fn point(bytes: &[u8; 32]) -> Result<RistrettoPoint, SchnorrError> {
    let point = CompressedRistretto(*bytes).decompress().ok_or(SchnorrError)?;
    if point.is_identity() || point == RistrettoPoint::identity() { Err(SchnorrError) } else { Ok(point) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    const STATEMENT: Statement<'static> =
        Statement { label: b"tessera/relay/1 schnorr/join", issuer: &[9; 32], epoch: 7, challenge: &[5; 32] };

    fn bytes(text: &str) -> [u8; 32] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    /// RFC 9496, A.1: multiples of the generator, of which the first is the identity.
    #[test]
    fn multiples_of_the_generator_are_those_of_rfc_9496() {
        let multiples = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
            "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
            "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
        ];
        for (n, encoded) in multiples.iter().enumerate() {
            let point = &Scalar::from(n as u64) * RISTRETTO_BASEPOINT_TABLE;
            assert_eq!(hex::encode(point.compress().as_bytes()), *encoded);
            assert_eq!(is_public_key(&bytes(encoded)), n > 0, "the identity is no key");
        }
    }

    /// RFC 9496, A.3: a few of each kind of encoding that must be refused.
    #[test]
    fn encodings_that_rfc_9496_calls_invalid_are_refused() {
        let invalid = [
            "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // not below p
            "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // not below p
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p
            "0100000000000000000000000000000000000000000000000000000000000000", // negative
            "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // negative
            "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20", // negative
            "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371", // x^2 is no square
            "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f", // x^2 is no square
        ];
        for encoded in invalid {
            assert!(!is_public_key(&bytes(encoded)), "{encoded}");
            let mut proof = SchnorrSecret::generate().prove(&STATEMENT, &[1; 32]);
            proof[..32].copy_from_slice(&bytes(encoded));
            assert_eq!(verify(&SchnorrSecret::generate().public(), &STATEMENT, &proof), Err(SchnorrError));
        }
    }

    #[test]
    fn a_proof_holds_for_its_key_and_statement_alone() {
        let secret = SchnorrSecret::generate();
        let proof = secret.prove(&STATEMENT, &[1; 32]);
        assert_eq!(verify(&secret.public(), &STATEMENT, &proof), Ok(()));
        assert_eq!(verify(&SchnorrSecret::generate().public(), &STATEMENT, &proof), Err(SchnorrError));
        let others = [
            Statement { label: b"tessera/relay/1 schnorr/token", ..STATEMENT },
            Statement { issuer: &[8; 32], ..STATEMENT },
            Statement { epoch: 8, ..STATEMENT },
            Statement { challenge: &[6; 32], ..STATEMENT },
            // A byte moved from one field into the next.
            Statement {
                label: b"tessera/relay/1 schnorr/joi",
                issuer: &[&b"n"[..], &[9; 32]].concat(),
                ..STATEMENT
            },
        ];
        for other in others {
            assert_eq!(verify(&secret.public(), &other, &proof), Err(SchnorrError), "{other:?}");
        }
        for bit in 0..512 {
            let mut changed = proof;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&secret.public(), &STATEMENT, &changed), Err(SchnorrError), "bit {bit}");
        }
    }

    #[test]
    fn a_number_above_the_order_and_the_identity_prove_nothing() {
        let secret = SchnorrSecret::generate();
        let mut proof = secret.prove(&STATEMENT, &[1; 32]);
        // The order of the group, little-endian: s + order is the same number in another coat.
        let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut carry = 0u16;
        for (byte, more) in proof[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(more) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        assert_eq!(verify(&secret.public(), &STATEMENT, &proof), Err(SchnorrError));
        // With Y the identity, R = s·B would pass for any s.
        let k = Scalar::from(42u64);
        let mut forged = [0; PROOF_BYTES];
        forged[..32].copy_from_slice((&k * RISTRETTO_BASEPOINT_TABLE).compress().as_bytes());
        forged[32..].copy_from_slice(k.as_bytes());
        assert_eq!(verify(&[0; 32], &STATEMENT, &forged), Err(SchnorrError));
        assert_eq!(verify(&secret.public(), &STATEMENT, &[0; 64]), Err(SchnorrError));
    }

    #[test]
    fn one_entropy_for_two_statements_does_not_repeat_the_commitment() {
        let secret = SchnorrSecret::generate();
        let one = secret.prove(&STATEMENT, &[1; 32]);
        let other = secret.prove(&Statement { epoch: 8, ..STATEMENT }, &[1; 32]);
        assert_ne!(one[..32], other[..32]);
    }
}
