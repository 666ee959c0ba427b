//! The cell: 512 bytes that are a tag and a sealed body, or random; nobody without the key can tell which.

use crate::body::{BODY_BYTES, Body, BodyFault};
use crate::label;
pub use crate::network::Class;
use crypto::aead;
use crypto::secret::Secret;

/// Bytes of a cell.
pub const CELL_BYTES: usize = TAG_BYTES + BODY_BYTES + aead::TAG_BYTES;
/// Bytes of the tag in front, by which its receiver finds a cell.
pub const TAG_BYTES: usize = 16;
/// Every key of a chain seals one cell, so the nonce is zero.
const NONCE: [u8; aead::NONCE_BYTES] = [0; aead::NONCE_BYTES];

/// A cell as it travels.
pub type Cell = [u8; CELL_BYTES];
/// Its first bytes: one PRF value for a contact, a direction and a round.
pub type Tag = [u8; TAG_BYTES];

/// Who of a pair sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// From the inviter.
    Inviter = 0,
    /// From who accepted.
    Accepter = 1,
}

/// Where and when a cell belongs: what its seal is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// SHA-256 of the network's first manifest.
    pub network_id: [u8; 32],
    /// Its class of rounds.
    pub class: Class,
    /// Its round.
    pub round: u64,
    /// Who sends.
    pub direction: Direction,
}

/// What seals one cell: a step of a chain. [`seal`] consumes it, so that it cannot seal twice.
pub struct Slot {
    /// The tag.
    pub tag: Tag,
    /// The key.
    pub key: Secret<[u8; 32]>,
}

/// Why a cell with the right tag brings nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CellFault {
    /// Not sealed under this key for this place: forged, or changed on the way.
    #[error("the cell does not open")]
    Sealed,
    /// Sealed by the contact, but its body is malformed.
    #[error(transparent)]
    Body(#[from] BodyFault),
}

impl Direction {
    /// Both.
    pub const ALL: [Direction; 2] = [Direction::Inviter, Direction::Accepter];

    /// The direction of a byte.
    pub fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| *direction as u8 == byte)
    }

    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Inviter => Self::Accepter,
            Self::Accepter => Self::Inviter,
        }
    }
}

/// `tag 16 ‖ GCM(key, body 480, aad = L("cell") ‖ network_id 32 ‖ class u8 ‖ round u64 ‖ direction u8)`.
#[expect(clippy::needless_pass_by_value, reason = "a slot that sealed a cell is gone")]
pub fn seal(slot: Slot, place: &Place, body: &Body) -> Cell {
    let sealed = aead::seal_aes256gcm(slot.key.expose(), &NONCE, &aad(place), body.encode().expose());
    let mut cell = [0; CELL_BYTES];
    let (tag, rest) = cell.split_at_mut(TAG_BYTES);
    tag.copy_from_slice(&slot.tag);
    rest.copy_from_slice(&sealed);
    cell
}

/// Opens a cell whose tag is that of `slot`. The slot stays, since a forged cell may carry the same tag as the true one.
///
/// # Errors
/// [`CellFault`].
pub fn open(slot: &Slot, place: &Place, cell: &Cell) -> Result<Body, CellFault> {
    let plain = aead::open_aes256gcm(slot.key.expose(), &NONCE, &aad(place), &cell[TAG_BYTES..])
        .map_err(|_| CellFault::Sealed)?;
    Ok(Body::parse(plain.expose())?)
}

/// The tag of a cell, true or not.
pub fn tag(cell: &Cell) -> Tag {
    *cell.first_chunk().expect("a cell is longer than its tag")
}

fn aad(place: &Place) -> Vec<u8> {
    label::label(&[
        b"cell",
        &place.network_id,
        &[place.class as u8],
        &place.round.to_be_bytes(),
        &[place.direction as u8],
    ])
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Slot(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Kind;

    const PLACE: Place =
        Place { network_id: [9; 32], class: Class::Normal, round: 77, direction: Direction::Inviter };

    fn slot() -> Slot {
        Slot { tag: [1; TAG_BYTES], key: Secret::new([2; 32]) }
    }

    fn body() -> Body {
        Body { seq: 3, payload: b"hello".to_vec(), ..Body::of(Kind::Data) }
    }

    #[test]
    fn a_cell_is_512_bytes_and_opens_to_its_body() {
        let cell = seal(slot(), &PLACE, &body());
        assert_eq!(cell.len(), 512);
        assert_eq!(tag(&cell), [1; 16]);
        assert_eq!(open(&slot(), &PLACE, &cell).unwrap(), body());
    }

    #[test]
    fn a_cell_belongs_to_one_network_class_round_and_direction() {
        let cell = seal(slot(), &PLACE, &body());
        for other in [
            Place { network_id: [8; 32], ..PLACE },
            Place { class: Class::Fast, ..PLACE },
            Place { round: 78, ..PLACE },
            Place { direction: Direction::Accepter, ..PLACE },
        ] {
            assert_eq!(open(&slot(), &other, &cell).unwrap_err(), CellFault::Sealed);
        }
    }

    #[test]
    fn a_bit_changed_behind_the_tag_is_seen() {
        let cell = seal(slot(), &PLACE, &body());
        for at in TAG_BYTES..CELL_BYTES {
            let mut changed = cell;
            changed[at] ^= 0x10;
            assert_eq!(open(&slot(), &PLACE, &changed).unwrap_err(), CellFault::Sealed);
        }
    }
}
