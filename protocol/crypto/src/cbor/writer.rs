//! Writing item by item, for structures whose order and form stand in a standard.
//!
//! What is written is deterministic as long as the caller writes map keys in their order and as many items as it announced.

use super::{Value, encode};

/// Bytes under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Nothing yet; room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// An array of `length` items, which follow.
    pub fn array(&mut self, length: usize) -> &mut Self {
        self.head(4, length as u64)
    }

    /// A map of `length` pairs, which follow: key, value, key, value.
    pub fn map(&mut self, length: usize) -> &mut Self {
        self.head(5, length as u64)
    }

    /// A tag; the item it is on follows.
    pub fn tag(&mut self, tag: u64) -> &mut Self {
        self.head(6, tag)
    }

    /// A number.
    pub fn uint(&mut self, number: u64) -> &mut Self {
        self.head(0, number)
    }

    /// A text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.head(3, text.len() as u64).raw(text.as_bytes())
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(2, bytes.len() as u64).raw(bytes)
    }

    /// `null`.
    pub fn null(&mut self) -> &mut Self {
        self.raw(&[0xf6])
    }

    /// Any item.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Uint(number) => self.uint(*number),
            other => self.raw(&encode(other)),
        }
    }

    /// Items that are encoded already.
    pub fn raw(&mut self, encoded: &[u8]) -> &mut Self {
        self.0.extend_from_slice(encoded);
        self
    }

    /// The shortest head (RFC 8949, 4.2.1).
    fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        let kind = major << 5;
        match argument {
            0..=23 => self.raw(&[kind | argument as u8]),
            24..=0xff => self.raw(&[kind | 24, argument as u8]),
            0x100..=0xffff => self.raw(&[kind | 25]).raw(&(argument as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.raw(&[kind | 26]).raw(&(argument as u32).to_be_bytes()),
            _ => self.raw(&[kind | 27]).raw(&argument.to_be_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_item_by_item_is_what_the_codec_writes() {
        for number in [0, 23, 24, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX] {
            let mut out = Writer::default();
            out.array(2).uint(number).tag(number).null();
            let value = Value::Array(vec![Value::Uint(number), Value::Tag(number, Box::new(Value::Null))]);
            assert_eq!(out.finish(), encode(&value), "{number}");
        }
        let long = vec![7; 300];
        let value = Value::Map(vec![
            (Value::text("a"), Value::Bytes(long.clone())),
            (Value::text("b"), Value::Array(vec![Value::Bool(true), Value::int(-4), Value::text("é")])),
        ]);
        let mut out = Writer::with_capacity(400);
        out.map(2).text("a").bytes(&long).text("b").array(3);
        out.value(&Value::Bool(true)).value(&Value::int(-4)).value(&Value::text("é"));
        assert_eq!(out.finish(), encode(&value));
    }
}
