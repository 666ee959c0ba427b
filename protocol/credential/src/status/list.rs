//! The list itself: packed values, least significant bits first, zlib around them (Token Status List, 4.1).

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// Bytes of an inflated list: 128 million one-bit entries. A few kilobytes of zlib can claim far more.
pub const INFLATED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Entries of a list we make: a signed list stays under a megabyte even when every second entry is set.
pub const ENTRIES_MAX: u32 = 4 * 1024 * 1024;

/// Bits of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bits {
    /// Valid or not.
    One,
    /// Room for suspension.
    Two,
    /// Read, never made here.
    Four,
    /// Read, never made here.
    Eight,
}

impl Bits {
    /// 1, 2, 4 or 8.
    pub const fn count(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// From the number in a list.
    pub const fn of(count: u64) -> Option<Self> {
        match count {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            4 => Some(Self::Four),
            8 => Some(Self::Eight),
            _ => None,
        }
    }

    const fn entries_in_byte(self) -> usize {
        (8 / self.count()) as usize
    }

    const fn mask(self) -> u8 {
        u8::MAX >> (8 - self.count())
    }
}

/// What an entry says (Token Status List, 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusValue {
    /// 0: as issued.
    Valid,
    /// 1: revoked for good.
    Invalid,
    /// 2: out of force for now.
    Suspended,
    /// Any other: an application's own, and no promise of validity.
    Other(u8),
}

impl StatusValue {
    /// The number in the list.
    pub const fn number(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Suspended => 2,
            Self::Other(number) => number,
        }
    }

    /// From the number in the list.
    pub const fn of(number: u8) -> Self {
        match number {
            0 => Self::Valid,
            1 => Self::Invalid,
            2 => Self::Suspended,
            other => Self::Other(other),
        }
    }
}

/// Why a list cannot be made, read or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Not a zlib stream, or bytes after its end.
    #[error("the list is not a zlib stream")]
    NotZlib,
    /// More than [`INFLATED_BYTES_MAX`], or [`ENTRIES_MAX`] entries of a new list.
    #[error("the list is larger than allowed")]
    TooLarge,
    /// Past the last entry.
    #[error("the index lies past the end of the list")]
    OutOfRange,
    /// The value needs more bits than an entry has.
    #[error("the value does not fit the bits of an entry")]
    ValueTooLarge,
}

/// A list of values, inflated.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusList {
    bits: Bits,
    bytes: Vec<u8>,
}

impl StatusList {
    /// All valid. `entries` is rounded up to whole bytes.
    ///
    /// # Errors
    /// [`ListError::TooLarge`] above [`ENTRIES_MAX`].
    pub fn new(bits: Bits, entries: u32) -> Result<Self, ListError> {
        if entries > ENTRIES_MAX {
            return Err(ListError::TooLarge);
        }
        Ok(Self { bits, bytes: vec![0; (entries as usize).div_ceil(bits.entries_in_byte())] })
    }

    /// A list from its packed bytes, as [`Self::bytes`] gave them.
    ///
    /// # Errors
    /// [`ListError::TooLarge`] above [`INFLATED_BYTES_MAX`].
    pub fn from_bytes(bits: Bits, bytes: Vec<u8>) -> Result<Self, ListError> {
        if bytes.len() > INFLATED_BYTES_MAX { Err(ListError::TooLarge) } else { Ok(Self { bits, bytes }) }
    }

    /// The packed bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bits of an entry.
    pub fn bits(&self) -> Bits {
        self.bits
    }

    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        self.bytes.len() as u64 * self.bits.entries_in_byte() as u64
    }

    /// The value at `idx`.
    ///
    /// # Errors
    /// [`ListError::OutOfRange`].
    pub fn value(&self, idx: u64) -> Result<StatusValue, ListError> {
        let (byte, shift) = self.place(idx)?;
        Ok(StatusValue::of(self.bytes[byte] >> shift & self.bits.mask()))
    }

    /// Changes the value at `idx`.
    ///
    /// # Errors
    /// [`ListError::OutOfRange`], [`ListError::ValueTooLarge`]; nothing is changed then.
    pub fn set(&mut self, idx: u64, value: StatusValue) -> Result<(), ListError> {
        let (byte, shift) = self.place(idx)?;
        let mask = self.bits.mask();
        if value.number() > mask {
            return Err(ListError::ValueTooLarge);
        }
        self.bytes[byte] = self.bytes[byte] & !(mask << shift) | value.number() << shift;
        Ok(())
    }

    /// `lst` before base64url: zlib, level 9.
    pub fn compressed(&self) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        let written = encoder.write_all(&self.bytes).and_then(|()| encoder.finish());
        written.expect("compressing to memory cannot fail")
    }

    /// Inflates `lst`, at most [`INFLATED_BYTES_MAX`] bytes of it: a bomb costs no more than that.
    ///
    /// # Errors
    /// [`ListError::NotZlib`], [`ListError::TooLarge`].
    pub fn inflated(bits: Bits, compressed: &[u8]) -> Result<Self, ListError> {
        let mut decoder = ZlibDecoder::new(compressed);
        let mut bytes = Vec::new();
        let limit = INFLATED_BYTES_MAX as u64 + 1;
        (&mut decoder).take(limit).read_to_end(&mut bytes).map_err(|_| ListError::NotZlib)?;
        if bytes.len() > INFLATED_BYTES_MAX {
            return Err(ListError::TooLarge);
        }
        if decoder.total_in() != compressed.len() as u64 {
            return Err(ListError::NotZlib);
        }
        Ok(Self { bits, bytes })
    }

    fn place(&self, idx: u64) -> Result<(usize, u32), ListError> {
        if idx >= self.entries() {
            return Err(ListError::OutOfRange);
        }
        let (idx, in_byte) = (idx as usize, self.bits.entries_in_byte());
        Ok((idx / in_byte, (idx % in_byte) as u32 * u32::from(self.bits.count())))
    }
}

impl std::fmt::Debug for StatusList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StatusList({} bits, {} entries)", self.bits.count(), self.entries())
    }
}

#[cfg(test)]
mod tests {
    use crypto::base64;

    use super::*;

    fn values(list: &StatusList) -> Vec<u8> {
        (0..list.entries()).map(|idx| list.value(idx).unwrap().number()).collect()
    }

    /// Token Status List, 4.1 and 4.2: 16 entries of one bit, `[0xb9, 0xa3]`, and 12 of two bits.
    #[test]
    fn the_lists_of_the_standard_are_packed_and_compressed_as_it_says() {
        let one = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
        let two = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3];
        for (bits, expected, bytes, lst) in [
            (Bits::One, &one[..], &[0xb9, 0xa3][..], "eNrbuRgAAhcBXQ"),
            (Bits::Two, &two[..], &[0xc9, 0x44, 0xf9][..], "eNo76fITAAPfAgc"),
        ] {
            let mut list = StatusList::new(bits, expected.len() as u32).unwrap();
            for (idx, value) in expected.iter().enumerate() {
                list.set(idx as u64, StatusValue::of(*value)).unwrap();
            }
            assert_eq!(list.bytes(), bytes);
            assert_eq!(base64::url_encode(&list.compressed()), lst);
            let read = StatusList::inflated(bits, &base64::url_decode(lst).unwrap()).unwrap();
            assert_eq!(values(&read), expected);
        }
    }

    #[test]
    fn a_value_can_be_changed_and_changed_back() {
        for bits in [Bits::One, Bits::Two, Bits::Four, Bits::Eight] {
            let mut list = StatusList::new(bits, 1000).unwrap();
            list.set(517, StatusValue::Invalid).unwrap();
            assert_eq!(values(&list).iter().map(|value| u32::from(*value)).sum::<u32>(), 1);
            assert_eq!(list.value(517), Ok(StatusValue::Invalid));
            list.set(517, StatusValue::Valid).unwrap();
            assert_eq!(list, StatusList::new(bits, 1000).unwrap());
        }
    }

    #[test]
    fn an_index_past_the_end_and_a_value_too_large_are_refused() {
        let mut list = StatusList::new(Bits::One, 16).unwrap();
        assert_eq!(list.value(16), Err(ListError::OutOfRange));
        assert_eq!(list.value(u64::MAX), Err(ListError::OutOfRange));
        assert_eq!(list.set(0, StatusValue::Suspended), Err(ListError::ValueTooLarge));
        assert_eq!(StatusList::new(Bits::One, 0).unwrap().value(0), Err(ListError::OutOfRange));
        assert_eq!(StatusList::new(Bits::One, ENTRIES_MAX + 1), Err(ListError::TooLarge));
    }

    #[test]
    fn a_bomb_is_refused_at_the_bound() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        let zeros = vec![0; 1024 * 1024];
        for _ in 0..17 {
            encoder.write_all(&zeros).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 64 * 1024);
        assert_eq!(StatusList::inflated(Bits::One, &bomb), Err(ListError::TooLarge));
    }

    #[test]
    fn what_is_not_one_whole_zlib_stream_is_refused() {
        let good = StatusList::new(Bits::One, 4096).unwrap().compressed();
        for cut in 0..good.len() {
            assert_eq!(StatusList::inflated(Bits::One, &good[..cut]), Err(ListError::NotZlib), "{cut}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert_eq!(StatusList::inflated(Bits::One, &longer), Err(ListError::NotZlib));
        let mut wrong_sum = good;
        *wrong_sum.last_mut().unwrap() ^= 1;
        assert_eq!(StatusList::inflated(Bits::One, &wrong_sum), Err(ListError::NotZlib));
        assert_eq!(StatusList::inflated(Bits::One, b"not zlib"), Err(ListError::NotZlib));
    }
}
