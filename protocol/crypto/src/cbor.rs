//! Deterministic CBOR (RFC 8949, 4.2.1), the one codec for ledger, vault and credentials.
//!
//! ```text
//!   bytes ── decode ──────────────▶ Value ── encode ──▶ the same bytes
//!   bytes ── decode_any_order ────▶ Value    (what wallets send: map keys in any order, all else as strict)
//!   Writer ── item by item ───────▶ bytes    (for structures whose order a standard fixes)
//! ```
//!
//! Absent: floats, `undefined`, other simple values, indefinite lengths, duplicate keys, heads longer than they
//! need be, trailing bytes. So two byte strings that decode are equal exactly when their values are.
//!
//! Memory is bounded by the input: a length is checked against what remains before anything is made of it, and
//! nesting is bounded by the caller, at most [`DEPTH_MAX`].

mod writer;

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

pub use writer::Writer;

/// The deepest nesting any caller may ask for: the reader recurses, and this is far from the end of a stack.
pub const DEPTH_MAX: usize = 64;

/// Items reserved ahead when a list is read. A longer list grows as its items arrive, so that nested headers
/// that each claim the rest of the input reserve little.
const RESERVE_MAX: usize = 64;

/// A CBOR data item of the subset this house writes and reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Major type 0.
    Uint(u64),
    /// Major type 1, as the negative number itself. A number of zero or more is written as major type 0.
    Nint(i64),
    /// Major type 2.
    Bytes(Vec<u8>),
    /// Major type 3.
    Text(String),
    /// Major type 4.
    Array(Vec<Value>),
    /// Major type 5, in any order; [`encode`] sorts. Keys must be distinct.
    Map(Vec<(Value, Value)>),
    /// Major type 6.
    Tag(u64, Box<Value>),
    /// Major type 7, 20 and 21.
    Bool(bool),
    /// Major type 7, 22.
    Null,
}

impl Value {
    /// The number, as major type 0 or 1.
    pub fn int(number: i64) -> Self {
        u64::try_from(number).map_or(Self::Nint(number), Self::Uint)
    }

    /// Text, copied.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Bytes, copied unless owned already.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// The number if this is one that fits.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Uint(number) => i64::try_from(*number).ok(),
            Self::Nint(number) => Some(*number),
            _ => None,
        }
    }

    /// The number if this is one of major type 0.
    pub fn as_uint(&self) -> Option<u64> {
        if let Self::Uint(number) = self { Some(*number) } else { None }
    }

    /// The bytes if this is a byte string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The text if this is a text string.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The items if this is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The pairs if this is a map.
    pub fn as_map(&self) -> Option<&[(Value, Value)]> {
        if let Self::Map(pairs) = self { Some(pairs) } else { None }
    }

    /// The boolean if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The value under a text key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, value)| value)
    }

    /// The value under an integer key, if this is a map that has it.
    pub fn get_int(&self, key: i64) -> Option<&Value> {
        self.as_map()?.iter().find(|(name, _)| name.as_int() == Some(key)).map(|(_, value)| value)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Uint(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What a reader allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CborLimits {
    /// Most bytes of input.
    pub bytes_max: usize,
    /// Deepest nesting of arrays, maps and tags; at most [`DEPTH_MAX`] counts.
    pub depth_max: usize,
}

/// Why bytes are not the CBOR this house reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// More bytes than the limit.
    #[error("more than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// Nested deeper than the limit.
    #[error("nested deeper than {max} at byte {at}")]
    TooDeep {
        /// The limit.
        max: usize,
        /// Place in the input.
        at: usize,
    },
    /// Ends in the middle of an item, a reserved head, or text that is not UTF-8.
    #[error("malformed at byte {at}")]
    Malformed {
        /// Place in the input.
        at: usize,
    },
    /// A float, `undefined`, a simple value, an indefinite length, or a negative number below −2⁶³.
    #[error("an item of a kind that is not used, at byte {at}")]
    Unsupported {
        /// Place in the input.
        at: usize,
    },
    /// Not the deterministic form: keys out of order or a head longer than it need be.
    #[error("not in deterministic form at byte {at}")]
    NotCanonical {
        /// Place in the input.
        at: usize,
    },
    /// The same key twice in a map.
    #[error("a key stands twice in the map at byte {at}")]
    DuplicateKey {
        /// Place in the input.
        at: usize,
    },
    /// Bytes after the item.
    #[error("bytes follow the item at byte {at}")]
    TrailingBytes {
        /// Place in the input.
        at: usize,
    },
}

/// Writes the deterministic form: shortest heads, definite lengths, keys sorted by their encoded bytes.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    write(&mut out, value);
    out.into_writer()
}

/// Reads one item in deterministic form.
///
/// # Errors
/// [`CborError`], for anything but the bytes that [`encode`] would write for the value.
pub fn decode(bytes: &[u8], limits: &CborLimits) -> Result<Value, CborError> {
    Reader::read_all(bytes, limits, KeyOrder::Deterministic)
}

/// Reads one item whose map keys may stand in any order; every other rule of [`decode`] holds. For containers
/// that other people's encoders made (ISO 18013-5 fixes no order), where hashes run over the received bytes.
/// Maps keep the order received.
///
/// # Errors
/// [`CborError`].
pub fn decode_any_order(bytes: &[u8], limits: &CborLimits) -> Result<Value, CborError> {
    Reader::read_all(bytes, limits, KeyOrder::Any)
}

/// As [`decode_any_order`], of the one item at the beginning; with it comes the number of bytes that it takes. For formats that put
/// an item before other bytes without saying how long it is (WebAuthn's authenticator data).
///
/// # Errors
/// [`CborError`].
pub fn decode_first_any_order(bytes: &[u8], limits: &CborLimits) -> Result<(Value, usize), CborError> {
    match decode_any_order(bytes, limits) {
        Ok(value) => Ok((value, bytes.len())),
        Err(CborError::TrailingBytes { at }) => {
            decode_any_order(&bytes[..at], limits).map(|value| (value, at))
        }
        Err(error) => Err(error),
    }
}

fn write(out: &mut Encoder<Vec<u8>>, value: &Value) {
    const INFALLIBLE: &str = "writing to a Vec cannot fail";
    match value {
        Value::Uint(number) => out.u64(*number).map(drop).expect(INFALLIBLE),
        Value::Nint(number) => out.i64(*number).map(drop).expect(INFALLIBLE),
        Value::Bytes(bytes) => out.bytes(bytes).map(drop).expect(INFALLIBLE),
        Value::Text(text) => out.str(text).map(drop).expect(INFALLIBLE),
        Value::Bool(value) => out.bool(*value).map(drop).expect(INFALLIBLE),
        Value::Null => out.null().map(drop).expect(INFALLIBLE),
        Value::Tag(tag, inner) => {
            out.tag(Tag::new(*tag)).map(drop).expect(INFALLIBLE);
            write(out, inner);
        }
        Value::Array(items) => {
            out.array(items.len() as u64).map(drop).expect(INFALLIBLE);
            items.iter().for_each(|item| write(out, item));
        }
        Value::Map(pairs) => {
            out.map(pairs.len() as u64).map(drop).expect(INFALLIBLE);
            let mut sorted: Vec<_> = pairs.iter().map(|(key, value)| (encode(key), value)).collect();
            sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
            debug_assert!(
                sorted.windows(2).all(|pair| pair[0].0 != pair[1].0),
                "a map of ours has distinct keys"
            );
            for (key, value) in sorted {
                out.writer_mut().extend_from_slice(&key);
                write(out, value);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyOrder {
    Deterministic,
    Any,
}

struct Reader<'a> {
    decoder: Decoder<'a>,
    order: KeyOrder,
    depth_max: usize,
}

impl<'a> Reader<'a> {
    fn read_all(bytes: &'a [u8], limits: &CborLimits, order: KeyOrder) -> Result<Value, CborError> {
        if bytes.len() > limits.bytes_max {
            return Err(CborError::TooLong { max: limits.bytes_max });
        }
        let mut reader =
            Self { decoder: Decoder::new(bytes), order, depth_max: limits.depth_max.min(DEPTH_MAX) };
        let value = reader.item(0)?;
        match reader.decoder.position() {
            end if end == bytes.len() => Ok(value),
            at => Err(CborError::TrailingBytes { at }),
        }
    }

    fn item(&mut self, depth: usize) -> Result<Value, CborError> {
        let at = self.decoder.position();
        if depth > self.depth_max {
            return Err(CborError::TooDeep { max: self.depth_max, at });
        }
        let malformed = |_| CborError::Malformed { at };
        let value = match self.decoder.datatype().map_err(malformed)? {
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
                let number = self.decoder.u64().map_err(malformed)?;
                self.shortest_head(at, number, 0)?;
                Value::Uint(number)
            }
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
                let number = self.decoder.i64().map_err(|_| self.refused_number(at))?;
                self.shortest_head(at, !number.cast_unsigned(), 0)?;
                Value::Nint(number)
            }
            Type::Bytes => {
                let bytes = self.decoder.bytes().map_err(malformed)?;
                self.shortest_head(at, bytes.len() as u64, bytes.len())?;
                Value::Bytes(bytes.to_vec())
            }
            Type::String => {
                let text = self.decoder.str().map_err(malformed)?;
                self.shortest_head(at, text.len() as u64, text.len())?;
                Value::Text(text.to_owned())
            }
            Type::Bool => Value::Bool(self.decoder.bool().map_err(malformed)?),
            Type::Null => {
                self.decoder.null().map_err(malformed)?;
                Value::Null
            }
            Type::Tag => {
                let tag = self.decoder.tag().map_err(malformed)?.as_u64();
                self.shortest_head(at, tag, 0)?;
                Value::Tag(tag, Box::new(self.item(depth + 1)?))
            }
            Type::Array => {
                let length = self.decoder.array().map_err(malformed)?.ok_or(CborError::Unsupported { at })?;
                self.array(at, length, depth)?
            }
            Type::Map => {
                let length = self.decoder.map().map_err(malformed)?.ok_or(CborError::Unsupported { at })?;
                self.map(at, length, depth)?
            }
            _ => return Err(CborError::Unsupported { at }),
        };
        Ok(value)
    }

    fn array(&mut self, at: usize, length: u64, depth: usize) -> Result<Value, CborError> {
        self.shortest_head(at, length, 0)?;
        let length = self.fits(at, length, 1)?;
        let mut items = Vec::with_capacity(length.min(RESERVE_MAX));
        for _ in 0..length {
            items.push(self.item(depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, at: usize, length: u64, depth: usize) -> Result<Value, CborError> {
        self.shortest_head(at, length, 0)?;
        let length = self.fits(at, length, 2)?;
        let mut pairs = Vec::with_capacity(length.min(RESERVE_MAX));
        let mut keys: Vec<&'a [u8]> = Vec::with_capacity(length.min(RESERVE_MAX));
        for _ in 0..length {
            let from = self.decoder.position();
            let key = self.item(depth + 1)?;
            let encoded = &self.decoder.input()[from..self.decoder.position()];
            if self.order == KeyOrder::Deterministic {
                match keys.last().map_or(std::cmp::Ordering::Less, |last| last.cmp(&encoded)) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => return Err(CborError::DuplicateKey { at }),
                    std::cmp::Ordering::Greater => return Err(CborError::NotCanonical { at: from }),
                }
            }
            keys.push(encoded);
            pairs.push((key, self.item(depth + 1)?));
        }
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(CborError::DuplicateKey { at });
        }
        Ok(Value::Map(pairs))
    }

    /// The head that began at `at` and ended `after` bytes before the present place took as few bytes as
    /// `argument` needs.
    fn shortest_head(&self, at: usize, argument: u64, after: usize) -> Result<(), CborError> {
        let needed = match argument {
            0..=23 => 1,
            24..=0xff => 2,
            0x100..=0xffff => 3,
            0x1_0000..=0xffff_ffff => 5,
            _ => 9,
        };
        if self.decoder.position() - at - after == needed {
            Ok(())
        } else {
            Err(CborError::NotCanonical { at })
        }
    }

    /// A list of `length` entries of at least `least` bytes each can still be in the input.
    fn fits(&self, at: usize, length: u64, least: usize) -> Result<usize, CborError> {
        let remaining = self.decoder.input().len() - self.decoder.position();
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= remaining / least)
            .ok_or(CborError::Malformed { at })
    }

    /// Whether a negative number that did not read is too small or cut off.
    fn refused_number(&self, at: usize) -> CborError {
        let whole = self.decoder.input().len() >= at + 9;
        if whole { CborError::Unsupported { at } } else { CborError::Malformed { at } }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hex;

    const LIMITS: CborLimits = CborLimits { bytes_max: 1024, depth_max: 8 };

    fn read(text: &str) -> Result<Value, CborError> {
        decode(&hex::decode(text).unwrap(), &LIMITS)
    }

    #[test]
    fn examples_of_rfc_8949_appendix_a_survive_the_round_trip() {
        let examples = [
            ("00", Value::Uint(0)),
            ("17", Value::Uint(23)),
            ("1818", Value::Uint(24)),
            ("1903e8", Value::Uint(1000)),
            ("1bffffffffffffffff", Value::Uint(u64::MAX)),
            ("20", Value::Nint(-1)),
            ("3863", Value::Nint(-100)),
            ("3b7fffffffffffffff", Value::Nint(i64::MIN)),
            ("f4", Value::Bool(false)),
            ("f6", Value::Null),
            ("4401020304", Value::bytes([1, 2, 3, 4])),
            ("62c3bc", Value::text("ü")),
            ("83010203", Value::Array(vec![Value::Uint(1), Value::Uint(2), Value::Uint(3)])),
            ("c11a514b67b0", Value::Tag(1, Box::new(Value::Uint(1_363_896_240)))),
            (
                "a26161016162820203",
                Value::Map(vec![
                    (Value::text("a"), Value::Uint(1)),
                    (Value::text("b"), Value::Array(vec![Value::Uint(2), Value::Uint(3)])),
                ]),
            ),
        ];
        for (text, value) in examples {
            assert_eq!(read(text).as_ref(), Ok(&value), "{text}");
            assert_eq!(hex::encode(&encode(&value)), text);
        }
    }

    #[test]
    fn map_keys_are_sorted_by_their_encoded_bytes() {
        // The order of RFC 8949, 4.2.1: 10, 100, -1, "z", "aa", [100], false.
        let keys = [
            Value::Bool(false),
            Value::Array(vec![Value::Uint(100)]),
            Value::text("aa"),
            Value::text("z"),
            Value::Nint(-1),
            Value::Uint(100),
            Value::Uint(10),
        ];
        let map = Value::Map(keys.into_iter().map(|key| (key, Value::Null)).collect());
        assert_eq!(hex::encode(&encode(&map)), "a70af61864f620f6617af6626161f6811864f6f4f6");
    }

    #[test]
    fn a_head_longer_than_it_need_be_is_refused() {
        for text in
            ["1817", "190018", "1a000003e8", "3817", "580101", "780161", "980101", "b8010101", "d801f6"]
        {
            assert!(matches!(read(text), Err(CborError::NotCanonical { at: 0 })), "{text}");
        }
    }

    #[test]
    fn keys_out_of_order_are_refused_unless_any_order_is_asked_for() {
        let bytes = hex::decode("a2616201616101").unwrap();
        assert_eq!(decode(&bytes, &LIMITS), Err(CborError::NotCanonical { at: 4 }));
        let value = decode_any_order(&bytes, &LIMITS).unwrap();
        assert_eq!(value.as_map().unwrap()[0].0, Value::text("b"));
        assert_eq!(hex::encode(&encode(&value)), "a2616101616201");
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_in_either_order() {
        assert_eq!(read("a2616101616102"), Err(CborError::DuplicateKey { at: 0 }));
        let bytes = hex::decode("a3616101616201616102").unwrap();
        assert_eq!(decode_any_order(&bytes, &LIMITS), Err(CborError::DuplicateKey { at: 0 }));
    }

    #[test]
    fn floats_undefined_simple_values_and_indefinite_lengths_are_refused() {
        for text in
            ["f90000", "fa47c35000", "fb3ff199999999999a", "f7", "f0", "f818", "9fff", "bfff", "5fff", "7fff"]
        {
            assert!(matches!(read(text), Err(CborError::Unsupported { at: 0 })), "{text}: {:?}", read(text));
        }
        assert_eq!(read("3bffffffffffffffff"), Err(CborError::Unsupported { at: 0 }));
    }

    #[test]
    fn cut_off_items_and_reserved_heads_are_refused() {
        for text in
            ["", "18", "19ff", "3b00", "42ff", "6261", "62c328", "82ff", "81", "a101", "c1", "1c", "ff"]
        {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("0000"), Err(CborError::TrailingBytes { at: 1 }));
    }

    #[test]
    fn a_length_beyond_the_input_is_refused_before_anything_is_reserved() {
        for text in ["9bffffffffffffffff", "bbffffffffffffffff", "5bffffffffffffffff", "7bffffffffffffffff"] {
            assert!(matches!(read(text), Err(CborError::Malformed { .. })), "{text}");
        }
        assert_eq!(read("9a0000ffff0000"), Err(CborError::NotCanonical { at: 0 }));
        assert_eq!(read("99ffff0000"), Err(CborError::Malformed { at: 0 }));
        // 600 pairs cannot stand in 800 bytes.
        let mut bytes = vec![0xb9, 0x02, 0x58];
        bytes.resize(800, 0);
        assert_eq!(decode(&bytes, &LIMITS), Err(CborError::Malformed { at: 0 }));
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = |n: usize| [vec![0x81; n], vec![0]].concat();
        assert!(decode(&deep(8), &LIMITS).is_ok());
        assert_eq!(decode(&deep(9), &LIMITS), Err(CborError::TooDeep { max: 8, at: 9 }));
        let greedy = CborLimits { bytes_max: usize::MAX, depth_max: usize::MAX };
        assert_eq!(
            decode(&deep(100_000), &greedy),
            Err(CborError::TooDeep { max: DEPTH_MAX, at: DEPTH_MAX + 1 })
        );
        assert_eq!(decode(&[0; 2000], &LIMITS), Err(CborError::TooLong { max: 1024 }));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<u64>().prop_map(Value::Uint),
            (i64::MIN..0).prop_map(Value::Nint),
            any::<Vec<u8>>().prop_map(Value::Bytes),
            any::<String>().prop_map(Value::Text),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::hash_map(inner.clone(), inner.clone(), 0..6)
                    .prop_map(|map| Value::Map(map.into_iter().collect())),
                (any::<u64>(), inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_survives_the_round_trip(value in any_value()) {
            let limits = CborLimits { bytes_max: 1 << 20, depth_max: 8 };
            let bytes = encode(&value);
            let again = decode(&bytes, &limits).unwrap();
            prop_assert_eq!(encode(&again), bytes.as_slice());
            prop_assert_eq!(encode(&decode_any_order(&bytes, &limits).unwrap()), bytes);
        }

        #[test]
        fn what_decodes_is_what_would_be_encoded(bytes in prop::collection::vec(any::<u8>(), 0..48)) {
            if let Ok(value) = decode(&bytes, &LIMITS) {
                prop_assert_eq!(encode(&value), bytes.clone());
            }
            let _ = decode_any_order(&bytes, &LIMITS);
        }
    }
}
