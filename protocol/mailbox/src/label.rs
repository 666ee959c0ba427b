//! `L` and `X`: every hash, key and signature of this protocol begins with its own label, so that no two uses collide.

use crypto::kdf;
use crypto::secret::Secret;

/// What every label begins with; the space at its end is part of it.
pub const PREFIX: &str = "tessera/relay/1 ";

/// `L(x)` = "tessera/relay/1 " ‖ x, for the parts of x written one after the other.
pub fn label(x: &[&[u8]]) -> Vec<u8> {
    [&[PREFIX.as_bytes()], x].concat().concat()
}

/// `X(key, x, N)` = HKDF-Expand-SHA256(key, L(x), N), for the parts of x written one after the other.
pub fn expand<const N: usize>(key: &Secret<[u8; 32]>, x: &[&[u8]]) -> Secret<[u8; N]> {
    kdf::expand_sha256(key, &[&[PREFIX.as_bytes()], x].concat())
}

/// HKDF-Extract(salt, ikm).
pub fn extract(salt: &[u8], ikm: &[&[u8]]) -> Secret<[u8; 32]> {
    kdf::extract_sha256(salt, ikm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_prefix_and_its_parts() {
        assert_eq!(label(&[b"chain", &[0, 1]]), b"tessera/relay/1 chain\x00\x01");
    }

    #[test]
    fn other_labels_give_other_keys() {
        let key = Secret::new([7; 32]);
        let one = expand::<32>(&key, &[b"step"]);
        assert_eq!(one.expose(), expand::<32>(&key, &[b"st", b"ep"]).expose());
        assert_ne!(one.expose(), expand::<32>(&key, &[b"segment"]).expose());
    }
}
