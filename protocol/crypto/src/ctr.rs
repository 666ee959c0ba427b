//! AES in counter mode (NIST SP 800-38A, 6.5) as a stream of pseudorandom bytes: the key is fresh for every stream, so the
//! counter begins at zero.

use aws_lc_rs::cipher::{
    AES_128, AES_256, Algorithm, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

/// The most that is encrypted at once; longer wishes are met in parts.
const PART_BYTES: usize = 4096;

/// Zeros, since the stream is what encrypts them.
const ZEROS: [u8; PART_BYTES] = [0; PART_BYTES];

/// The key stream of one key, from its first byte on. No `Debug`: who knows a byte knows a choice.
pub struct KeyStream(StreamingEncryptingKey);

impl KeyStream {
    /// AES-256 under a key that makes no other stream.
    pub fn aes256(key: &[u8; 32]) -> Self {
        Self::new(&AES_256, key)
    }

    /// AES-128 under a key that makes no other stream.
    pub fn aes128(key: &[u8; 16]) -> Self {
        Self::new(&AES_128, key)
    }

    /// Fills `out` with the next bytes of the stream. `out` is a whole number of 16-byte blocks.
    ///
    /// # Panics
    /// When `out` is not a whole number of blocks.
    pub fn fill(&mut self, out: &mut [u8]) {
        assert!(out.len().is_multiple_of(16), "a key stream is read in whole blocks");
        for part in out.chunks_mut(PART_BYTES) {
            self.0
                .less_safe_update(&ZEROS[..part.len()], part)
                .expect("counter mode gives a block for a block");
        }
    }

    fn new(algorithm: &'static Algorithm, key: &[u8]) -> Self {
        let key = UnboundCipherKey::new(algorithm, key).expect("the type of the key fixes its length");
        let zero = EncryptionContext::Iv128(FixedLength::from([0; 16]));
        Self(StreamingEncryptingKey::less_safe_ctr(key, zero).expect("AES has a counter mode"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn the_first_block_is_the_hash_key_of_gcm() {
        // NIST SP 800-38D, test cases 1 and 13 (McGrew and Viega): H = AES_K(0^128) for the key of zeros.
        let mut block = [0; 16];
        KeyStream::aes128(&[0; 16]).fill(&mut block);
        assert_eq!(hex::encode(&block), "66e94bd4ef8a2c3b884cfa59ca342b2e");
        KeyStream::aes256(&[0; 32]).fill(&mut block);
        assert_eq!(hex::encode(&block), "dc95c078a2408989ad48a21492842087");
    }

    #[test]
    fn the_second_block_encrypts_the_counter_one() {
        // McGrew and Viega, test case 1: E_K(Y_0) for Y_0 = 0^127 1 and the key of zeros is the tag of nothing.
        let mut blocks = [0; 32];
        KeyStream::aes128(&[0; 16]).fill(&mut blocks);
        assert_eq!(hex::encode(&blocks[16..]), "58e2fccefa7e3061367f1d57a4e7455a");
    }

    #[test]
    fn a_stream_read_in_parts_is_the_stream_read_at_once() {
        let (mut whole, mut parts) = (vec![1; 3 * PART_BYTES + 16], vec![2; 3 * PART_BYTES + 16]);
        KeyStream::aes256(&[7; 32]).fill(&mut whole);
        let mut stream = KeyStream::aes256(&[7; 32]);
        let (first, rest) = parts.split_at_mut(48);
        stream.fill(first);
        stream.fill(rest);
        assert_eq!(whole, parts);
    }
}
