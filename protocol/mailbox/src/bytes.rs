//! Fixed, big-endian bytes: a reader that never reads past the end, and a writer.

/// The bytes end too early, go on too long, or hold a length over its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes do not have the shape of their kind")]
pub struct Malformed;

/// Reads from the front of a slice.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of all of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`Malformed`] where fewer are left; so also below.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn slice(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A byte.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    /// Zero or one, and nothing else.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// Two bytes.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// `len u8 ‖ bytes`, at most `bytes_max` of them.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn short(&mut self, bytes_max: usize) -> Result<&'a [u8], Malformed> {
        let count = usize::from(self.u8()?);
        if count > bytes_max { Err(Malformed) } else { self.slice(count) }
    }

    /// `len u32 ‖ bytes`, at most `bytes_max` of them.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn long(&mut self, bytes_max: usize) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        if count > bytes_max { Err(Malformed) } else { self.slice(count) }
    }

    /// How many items follow, at most `items_max`.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn count(&mut self, items_max: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        if count > items_max { Err(Malformed) } else { Ok(count) }
    }

    /// UTF-8 of `len u8 ‖ bytes`.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn text(&mut self, bytes_max: usize) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.short(bytes_max)?).map_err(|_| Malformed)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Nothing is left.
    ///
    /// # Errors
    /// [`Malformed`] where something is.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// Writes at the end of a vector.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Zero or one.
    pub fn flag(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// `len u8 ‖ bytes`.
    ///
    /// # Panics
    /// Over 255 bytes: callers bound their names and addresses before.
    pub fn short(&mut self, bytes: &[u8]) -> &mut Self {
        self.u8(u8::try_from(bytes.len()).expect("callers bound what a byte counts")).raw(bytes)
    }

    /// `len u32 ‖ bytes`.
    ///
    /// # Panics
    /// Over 4 GiB, which no caller holds.
    pub fn long(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }

    /// How many items follow.
    ///
    /// # Panics
    /// Over 2^32, which no caller holds.
    pub fn count(&mut self, items: usize) -> &mut Self {
        self.u32(u32::try_from(items).expect("no list here is near 4 G items"))
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_is_left() {
        let mut writer = Writer::new();
        writer.u8(1).flag(true).u16(2).u32(3).u64(4).short(b"five").long(b"six").raw(b"7");
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        assert_eq!((reader.u8(), reader.flag(), reader.u16()), (Ok(1), Ok(true), Ok(2)));
        assert_eq!((reader.u32(), reader.u64()), (Ok(3), Ok(4)));
        assert_eq!((reader.text(4), reader.long(3)), (Ok("five"), Ok(&b"six"[..])));
        assert_eq!(reader.end(), Err(Malformed));
        assert_eq!((reader.array(), reader.end()), (Ok(*b"7"), Ok(())));
    }

    #[test]
    fn a_reader_never_goes_past_the_end_nor_over_a_bound() {
        assert_eq!(Reader::new(&[0]).u16(), Err(Malformed));
        assert_eq!(Reader::new(&[2]).flag(), Err(Malformed));
        assert_eq!(Reader::new(&[3, 1, 2]).short(9), Err(Malformed));
        assert_eq!(Reader::new(&[2, 1, 2]).short(1), Err(Malformed));
        assert_eq!(Reader::new(&[0xff; 8]).long(usize::MAX), Err(Malformed));
        assert_eq!(Reader::new(&[0, 0, 0, 2, 1, 2]).count(1), Err(Malformed));
        assert_eq!(Reader::new(&[2, 0xc3, 0x28]).text(9), Err(Malformed));
    }
}
