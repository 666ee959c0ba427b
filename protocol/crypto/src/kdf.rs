//! HKDF-SHA256 (RFC 5869).

use aws_lc_rs::hkdf;

use crate::hash;
use crate::secret::Secret;

/// `N` bytes of key material from `ikm`, `salt` (empty: a string of zeros, as the RFC says) and the parts of
/// `info` written one after the other. Callers frame `info` with a fixed label, so that no two uses collide.
///
/// # Panics
/// At compile time of the call when `N` is over 8160, the most HKDF-SHA256 can give.
pub fn hkdf_sha256<const N: usize>(ikm: &[u8], salt: &[u8], info: &[&[u8]]) -> Secret<[u8; N]> {
    const { assert!(N <= 255 * 32, "HKDF-SHA256 gives at most 255 blocks") };
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(ikm);
    let mut out = Secret::new([0; N]);
    prk.expand(info, Bytes(N))
        .and_then(|okm| okm.fill(out.place()))
        .expect("the length is within the bound checked above");
    out
}

/// HKDF-Extract (RFC 5869, 2.2) of the parts of `ikm` written one after the other: for protocols whose two steps are made in two
/// places, as when a keeper holds the agreement key. Everything else takes [`hkdf_sha256`].
pub fn extract_sha256(salt: &[u8], ikm: &[&[u8]]) -> Secret<[u8; 32]> {
    Secret::new(hash::hmac_sha256(salt, ikm))
}

/// HKDF-Expand (RFC 5869, 2.3) of what [`extract_sha256`] gave.
///
/// # Panics
/// At compile time of the call when `N` is over 8160, the most HKDF-SHA256 can give.
pub fn expand_sha256<const N: usize>(prk: &Secret<[u8; 32]>, info: &[&[u8]]) -> Secret<[u8; N]> {
    const { assert!(N <= 255 * 32, "HKDF-SHA256 gives at most 255 blocks") };
    let mut out = Secret::new([0; N]);
    hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, prk.expose())
        .expand(info, Bytes(N))
        .and_then(|okm| okm.fill(out.place()))
        .expect("the length is within the bound checked above");
    out
}

struct Bytes(usize);

impl hkdf::KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn output_is_that_of_rfc_5869_case_1() {
        let salt = hex::decode("000102030405060708090a0b0c").unwrap();
        let info = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap();
        let okm = hkdf_sha256::<42>(&[0x0b; 22], &salt, &[&info[..4], &info[4..]]);
        assert_eq!(
            hex::encode(okm.expose()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }

    #[test]
    fn an_empty_salt_is_allowed_as_in_rfc_5869_case_3() {
        let okm = hkdf_sha256::<42>(&[0x0b; 22], &[], &[]);
        assert_eq!(
            hex::encode(okm.expose()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }

    #[test]
    fn the_two_steps_give_what_the_one_gives_and_the_rfc_prints() {
        let salt = hex::decode("000102030405060708090a0b0c").unwrap();
        let info = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap();
        let prk = extract_sha256(&salt, &[&[0x0b; 20], &[0x0b; 2]]);
        assert_eq!(
            hex::encode(prk.expose()),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
        );
        let okm = expand_sha256::<42>(&prk, &[&info]);
        assert_eq!(okm.expose(), hkdf_sha256::<42>(&[0x0b; 22], &salt, &[&info]).expose());
    }
}
