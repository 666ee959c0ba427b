//! Persons, and the name under which each Relying Party knows one.

use std::fmt;

use crypto::secret::Secret;
use crypto::{base64, hash, hex};

use crate::code::frame;

/// A person: 128 random bits. Never shown to a Relying Party.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonId([u8; 16]);

impl PersonId {
    /// Of these bytes, which were drawn for it.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonId({}…)", hex::encode(&self.0[..2]))
    }
}

/// The pairwise `sub`: base64url of `HMAC(k_pairwise, frame("seal/1 sub", sector, person))`. `sector` is the Relying Party's host
/// or that of its `sector_identifier_uri`.
pub fn pairwise_sub(k_pairwise: &Secret<[u8; 32]>, sector: &str, person: &PersonId) -> String {
    let framed = frame("seal/1 sub", &[sector.as_bytes(), &person.0]);
    base64::url_encode(&hash::hmac_sha256(k_pairwise.expose(), &[&framed]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_another_sub_at_each_sector_and_the_same_one_again() {
        let key = Secret::new([7; 32]);
        let person = PersonId::new([1; 16]);
        let at_shop = pairwise_sub(&key, "shop.example", &person);
        assert_eq!(at_shop.len(), 43);
        assert_eq!(at_shop, pairwise_sub(&key, "shop.example", &person));
        assert_ne!(at_shop, pairwise_sub(&key, "bank.example", &person));
        assert_ne!(at_shop, pairwise_sub(&key, "shop.example", &PersonId::new([2; 16])));
        assert_ne!(at_shop, pairwise_sub(&Secret::new([8; 32]), "shop.example", &person));
    }

    #[test]
    fn debug_shows_too_little_of_a_person_to_follow_one() {
        assert_eq!(format!("{:?}", PersonId::new([0xab; 16])), "PersonId(abab…)");
    }
}
