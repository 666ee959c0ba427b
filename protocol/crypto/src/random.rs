//! Random bytes from aws-lc-rs, for the two places that may draw them.
//!
//! Rooms draw from their `Ctx`, whose entropy is made from this; a keeper makes key material with it. No
//! other code calls it, so that a seeded test world stays reproducible.

/// Fills `bytes` from the provider's generator.
///
/// # Panics
/// When the operating system refuses entropy: nothing may be made or signed after that.
pub fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the provider's generator never fails once the process has started");
}

/// `N` random bytes.
///
/// # Panics
/// As [`fill`].
pub fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_draws_differ() {
        assert_ne!(super::array::<32>(), super::array::<32>());
    }
}
