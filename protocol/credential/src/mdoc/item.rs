//! `IssuerSignedItem`: one element with the salt that hides its digest (ISO/IEC 18013-5, 8.3.2.1.2.2 and 9.1.2.5).

use crypto::cbor::{self, Value as Cbor, Writer};
use serde_json::Value;

use super::element::json_of;
use super::{ENCODED, ITEM_LIMITS, SALT_BYTES, is_name};

/// Bytes that surround name and value: four keys, the number, the salt and heads.
const OVERHEAD_BYTES: usize = 48 + SALT_BYTES + 32;

/// One element as received. It is personal data: `Debug` shows its name only.
#[derive(Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) namespace: String,
    pub(super) digest_id: u64,
    pub(crate) element: String,
    pub(super) value: Value,
    /// The bytes inside tag 24, as received.
    pub(super) encoded: Vec<u8>,
}

impl Item {
    /// Reads `#6.24(bstr .cbor IssuerSignedItem)`. None for anything else.
    pub(super) fn read(namespace: &str, tagged: &Cbor) -> Option<Self> {
        let Cbor::Tag(ENCODED, inner) = tagged else { return None };
        let encoded = inner.as_bytes()?;
        let item = cbor::decode_any_order(encoded, &ITEM_LIMITS).ok()?;
        item.get("random")?.as_bytes()?;
        Some(Self {
            namespace: namespace.to_owned(),
            digest_id: item.get("digestID")?.as_uint()?,
            element: item.get("elementIdentifier")?.as_text().filter(|name| is_name(name))?.to_owned(),
            value: json_of(item.get("elementValue")?)?,
            encoded: encoded.to_vec(),
        })
    }

    /// The bytes that the digest covers: tag 24 and its byte string, whose one encoding this is.
    pub(super) fn tagged(&self) -> Vec<u8> {
        tagged(&self.encoded)
    }
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Item({} {})", self.namespace, self.element)
    }
}

/// `#6.24(bstr)` around encoded CBOR.
pub(super) fn tagged(encoded: &[u8]) -> Vec<u8> {
    let mut out = Writer::with_capacity(encoded.len() + 8);
    out.tag(ENCODED).bytes(encoded);
    out.finish()
}

/// A new item with tag 24; its keys stand in deterministic order.
pub(super) fn write(digest_id: u64, salt: &[u8; SALT_BYTES], element: &str, value: &Cbor) -> Vec<u8> {
    let mut out = Writer::with_capacity(OVERHEAD_BYTES + element.len());
    out.map(4).text("random").bytes(salt).text("digestID").uint(digest_id);
    out.text("elementValue").value(value).text("elementIdentifier").text(element);
    tagged(&out.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_deterministic_and_reads_back() {
        let written = write(7, &[3; SALT_BYTES], "given_name", &Cbor::text("Ana"));
        let value = cbor::decode(&written, &ITEM_LIMITS).unwrap();
        let item = Item::read("ns", &value).unwrap();
        assert!(cbor::decode(&item.encoded, &ITEM_LIMITS).is_ok());
        assert_eq!((item.digest_id, item.element.as_str(), &item.value), (7, "given_name", &"Ana".into()));
        assert_eq!(item.tagged(), written);
        assert_eq!(format!("{item:?}"), "Item(ns given_name)");
    }

    #[test]
    fn what_is_no_item_is_refused() {
        let tag = |tag, inner: &Cbor| Cbor::Tag(tag, Box::new(Cbor::Bytes(cbor::encode(inner))));
        let item = |name: &str| {
            Cbor::Map(vec![
                ("digestID".into(), 1.into()),
                ("random".into(), Cbor::bytes([1; 16])),
                ("elementIdentifier".into(), name.into()),
                ("elementValue".into(), Cbor::Null),
            ])
        };
        assert!(Item::read("ns", &tag(24, &item("a"))).is_some());
        assert!(Item::read("ns", &tag(25, &item("a"))).is_none());
        assert!(Item::read("ns", &item("a")).is_none(), "no tag");
        assert!(Item::read("ns", &tag(24, &item(""))).is_none());
        assert!(Item::read("ns", &tag(24, &Cbor::Null)).is_none());
        assert!(
            Item::read("ns", &Cbor::Tag(24, Box::new(Cbor::bytes([0xa0, 0])))).is_none(),
            "bytes behind it"
        );
    }
}
