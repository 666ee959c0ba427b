//! The field cipher: values at rest under the tenant's key, bound to their place.
//!
//! `01 ‖ kek_version u32be ‖ nonce[12] ‖ ciphertext ‖ tag`: AES-256-GCM under HKDF(KEK, X) with associated data X, X
//! = canonical CBOR `["tessera/field/1", tenant, table, column, row id]`. A value that is moved to another row,
//! column or tenant does not open.

use crypto::aead;
use crypto::cbor::{self, Value};
use crypto::secret::Secret;

use crate::fault::StoreFault;
use crate::keyring::Kek;
use crate::tenant::TenantId;

/// First byte of a sealed field.
const VERSION: u8 = 1;

/// Where a sealed value stands.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Table, with the room's prefix.
    pub table: &'a str,
    /// Column.
    pub column: &'a str,
    /// The row's key within its tenant, as text; a key of several parts is joined with `/`.
    pub row: &'a str,
}

impl Field<'_> {
    fn place(&self, tenant: &TenantId) -> Vec<u8> {
        cbor::encode(&Value::Array(vec![
            Value::text("tessera/field/1"),
            Value::text(tenant.as_str()),
            Value::text(self.table),
            Value::text(self.column),
            Value::text(self.row),
        ]))
    }

    pub(crate) fn fault(&self) -> StoreFault {
        StoreFault::Sealed { place: format!("{}.{}", self.table, self.column) }
    }
}

/// Seals `plain` for its place.
pub(crate) fn seal(kek: &Kek, tenant: &TenantId, field: Field<'_>, nonce: [u8; 12], plain: &[u8]) -> Vec<u8> {
    let place = field.place(tenant);
    let key = kek.derive(&[&place]);
    let sealed = aead::seal_aes256gcm(key.expose(), &nonce, &place, plain);
    [[VERSION].as_slice(), &kek.version().to_be_bytes(), &nonce, &sealed].concat()
}

/// Which KEK version a sealed value needs; `None` if it is no sealed value.
pub(crate) fn version_of(sealed: &[u8]) -> Option<u32> {
    let (version, rest) = sealed.split_first()?;
    let kek = rest.first_chunk::<4>()?;
    (*version == VERSION).then(|| u32::from_be_bytes(*kek))
}

/// Opens a value that was sealed for this place under this KEK.
pub(crate) fn open(
    kek: &Kek,
    tenant: &TenantId,
    field: Field<'_>,
    sealed: &[u8],
) -> Result<Secret<Vec<u8>>, StoreFault> {
    if version_of(sealed) != Some(kek.version()) {
        return Err(field.fault());
    }
    let place = field.place(tenant);
    let key = kek.derive(&[&place]);
    let (nonce, sealed) = sealed[5..].split_first_chunk::<12>().ok_or_else(|| field.fault())?;
    aead::open_aes256gcm(key.expose(), nonce, &place, sealed).map_err(|_| field.fault())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: Field<'_> = Field { table: "issuer_grant", column: "claims", row: "grt_7" };

    #[test]
    fn a_value_opens_only_where_it_was_sealed() {
        let kek = Kek::new(1, Secret::new([7; 32]));
        let other = TenantId::parse("ten_00000000000000000000000001").unwrap();
        let sealed = seal(&kek, &TenantId::SYSTEM, FIELD, [9; 12], b"Ana");
        assert_eq!(open(&kek, &TenantId::SYSTEM, FIELD, &sealed).unwrap().expose(), b"Ana");
        let moved = [
            (TenantId::SYSTEM, Field { row: "grt_8", ..FIELD }),
            (TenantId::SYSTEM, Field { column: "name", ..FIELD }),
            (TenantId::SYSTEM, Field { table: "issuer_offer", ..FIELD }),
            (other, FIELD),
        ];
        for (tenant, field) in moved {
            let fault = open(&kek, &tenant, field, &sealed).unwrap_err();
            assert!(matches!(fault, StoreFault::Sealed { .. }), "{fault}");
        }
    }

    #[test]
    fn a_change_anywhere_is_seen() {
        let kek = Kek::new(1, Secret::new([7; 32]));
        let sealed = seal(&kek, &TenantId::SYSTEM, FIELD, [9; 12], b"Ana");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&kek, &TenantId::SYSTEM, FIELD, &changed).is_err(), "byte {at}");
            assert!(open(&kek, &TenantId::SYSTEM, FIELD, &sealed[..at]).is_err(), "length {at}");
        }
    }
}
