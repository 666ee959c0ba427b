//! The root: the one secret under which all other keys of a database are sealed.
//!
//! ```text
//! root R ── seals ──▶ KEK (tenant, purpose, version) ── derives ──▶ one key a field
//! ```
//! The root is never in the database; its id is, so that a wrong one is refused before anything is written. While a
//! root is replaced, old and new stand sealed under each other (`store_root`), so that a start with either goes on.

use crypto::aead;
use crypto::cbor::{self, Value};
use crypto::hash;
use crypto::secret::Secret;

use crate::tenant::TenantId;

/// First bytes of a wrapped KEK.
const KEK_MAGIC: &[u8; 4] = b"TSR1";

/// Bytes of a wrapped KEK: magic, root id, nonce, 32 bytes of key, tag.
const WRAPPED_BYTES: usize = 4 + 8 + 12 + 32 + 16;

/// Names a root without telling it: the first 8 bytes of SHA-256("tessera/root/1" ‖ R).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootId(pub [u8; 8]);

impl RootId {
    /// The id in hexadecimal.
    pub fn to_hex(self) -> String {
        crypto::hex::encode(&self.0)
    }
}

/// The 32 bytes R, with their id.
#[derive(Debug)]
pub struct Root {
    id: RootId,
    key: Secret<[u8; 32]>,
}

impl Root {
    /// Takes the 32 bytes of a root.
    pub fn new(key: Secret<[u8; 32]>) -> Root {
        let digest = hash::sha256_of(&[b"tessera/root/1", key.expose()]);
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        Root { id: RootId(id), key }
    }

    /// Its id.
    pub fn id(&self) -> RootId {
        self.id
    }

    /// `"TSR1" ‖ root id ‖ nonce ‖ GCM(R, nonce, KEK, dCBOR ["tessera/kek/1", tenant, purpose, version])`.
    pub(crate) fn wrap(&self, name: &KekName, nonce: [u8; 12], kek: &[u8; 32]) -> Vec<u8> {
        let sealed = aead::seal_aes256gcm(self.key.expose(), &nonce, &name.aad(), kek);
        [KEK_MAGIC.as_slice(), &self.id.0, &nonce, &sealed].concat()
    }

    /// Opens what [`Root::wrap`] of this root made under this name; `None` for everything else.
    pub(crate) fn unwrap(&self, name: &KekName, wrapped: &[u8]) -> Option<Secret<[u8; 32]>> {
        if root_of(wrapped)? != self.id {
            return None;
        }
        self.open(&name.aad(), &wrapped[12..])
    }

    /// This root sealed under `other`, for the time of a rotation: `nonce ‖ GCM(other, nonce, R, aad)`.
    pub(crate) fn sealed_under(&self, other: &Root, nonce: [u8; 12]) -> Vec<u8> {
        let sealed = aead::seal_aes256gcm(
            other.key.expose(),
            &nonce,
            &rotation_aad(self.id, other.id),
            self.key.expose(),
        );
        [nonce.as_slice(), &sealed].concat()
    }

    /// The root `id` that [`Root::sealed_under`] sealed under this one.
    pub(crate) fn opened_under(&self, id: RootId, sealed: &[u8]) -> Option<Root> {
        let root = Root::new(self.open(&rotation_aad(id, self.id), sealed)?);
        (root.id == id).then_some(root)
    }

    /// Opens `nonce ‖ ciphertext ‖ tag` of 32 bytes.
    fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Secret<[u8; 32]>> {
        let (nonce, sealed) = sealed.split_first_chunk::<12>()?;
        let plain = aead::open_aes256gcm(self.key.expose(), nonce, aad, sealed).ok()?;
        Some(Secret::new(plain.expose().as_slice().try_into().ok()?))
    }
}

/// Which root a wrapped KEK is sealed under.
pub(crate) fn root_of(wrapped: &[u8]) -> Option<RootId> {
    if wrapped.len() != WRAPPED_BYTES || !wrapped.starts_with(KEK_MAGIC) {
        return None;
    }
    wrapped[4..12].try_into().ok().map(RootId)
}

fn rotation_aad(sealed: RootId, under: RootId) -> Vec<u8> {
    let id = |id: RootId| Value::bytes(id.0.to_vec());
    cbor::encode(&Value::Array(vec![Value::text("tessera/root-rotation/1"), id(sealed), id(under)]))
}

/// What a KEK is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Custody's envelope of signing keys.
    Keys,
    /// The field cipher.
    Data,
}

impl Purpose {
    /// Every purpose: a tenant has a KEK for each.
    pub const ALL: [Purpose; 2] = [Purpose::Keys, Purpose::Data];

    /// Its name in rows and associated data.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Keys => "keys",
            Purpose::Data => "data",
        }
    }
}

/// Names one KEK.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KekName {
    pub(crate) tenant: TenantId,
    pub(crate) purpose: Purpose,
    pub(crate) version: u32,
}

impl KekName {
    fn aad(&self) -> Vec<u8> {
        cbor::encode(&Value::Array(vec![
            Value::text("tessera/kek/1"),
            Value::text(self.tenant.as_str()),
            Value::text(self.purpose.as_str()),
            Value::Uint(self.version.into()),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(purpose: Purpose, version: u32) -> KekName {
        KekName { tenant: TenantId::SYSTEM, purpose, version }
    }

    #[test]
    fn a_kek_opens_under_its_own_name_and_root_only() {
        let (root, other) = (Root::new(Secret::new([1; 32])), Root::new(Secret::new([2; 32])));
        let wrapped = root.wrap(&name(Purpose::Data, 1), [3; 12], &[4; 32]);
        assert_eq!(wrapped.len(), WRAPPED_BYTES);
        assert_eq!(&wrapped[..4], b"TSR1");
        assert_eq!(root_of(&wrapped), Some(root.id()));
        assert_eq!(root.unwrap(&name(Purpose::Data, 1), &wrapped).unwrap().expose(), &[4; 32]);
        assert!(root.unwrap(&name(Purpose::Keys, 1), &wrapped).is_none());
        assert!(root.unwrap(&name(Purpose::Data, 2), &wrapped).is_none());
        assert!(other.unwrap(&name(Purpose::Data, 1), &wrapped).is_none());
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(root.unwrap(&name(Purpose::Data, 1), &changed).is_none(), "byte {at}");
        }
    }

    #[test]
    fn during_a_rotation_each_root_opens_the_other() {
        let (old, new) = (Root::new(Secret::new([1; 32])), Root::new(Secret::new([2; 32])));
        let sealed = old.sealed_under(&new, [3; 12]);
        assert_eq!(new.opened_under(old.id(), &sealed).unwrap().id(), old.id());
        assert!(new.opened_under(new.id(), &sealed).is_none());
        assert!(old.opened_under(old.id(), &sealed).is_none());
    }

    #[test]
    fn the_id_of_a_root_tells_nothing_else() {
        let root = Root::new(Secret::new([1; 32]));
        assert_eq!(root.id().to_hex().len(), 16);
        assert!(!format!("{root:?}").contains("1, 1"));
    }
}
