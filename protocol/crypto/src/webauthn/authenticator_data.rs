//! Authenticator data (WebAuthn Level 3, 6.1): what the authenticator says, under its signature.

use super::{AUTHENTICATOR_DATA_BYTES_MAX, CREDENTIAL_ID_BYTES_MAX, Expected, LIMITS, WebauthnFault};
use crate::cbor::{self, Value};
use crate::cose;
use crate::hash;
use crate::key::{PublicKey, RsaParts, SignAlg};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

/// What the flags say of the passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flags {
    /// BE: the key may leave the device (a synced passkey).
    pub backup_eligible: bool,
    /// BS: it has.
    pub backed_up: bool,
}

#[derive(Debug, Clone)]
pub(super) struct AuthenticatorData {
    /// As it came: what is signed.
    pub(super) bytes: Vec<u8>,
    rp_id_hash: [u8; 32],
    flags: u8,
    pub(super) counter: u32,
    pub(super) attested: Option<Attested>,
}

/// A fresh credential (6.5.1).
#[derive(Debug, Clone)]
pub(super) struct Attested {
    pub(super) aaguid: [u8; 16],
    pub(super) credential_id: Vec<u8>,
    pub(super) alg: SignAlg,
    pub(super) key: PublicKey,
}

impl AuthenticatorData {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, WebauthnFault> {
        let form = WebauthnFault::Form;
        if bytes.len() > AUTHENTICATOR_DATA_BYTES_MAX {
            return Err(form);
        }
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>().ok_or(form)?;
        let (flags, rest) = rest.split_first().ok_or(form)?;
        let (counter, mut rest) = rest.split_first_chunk::<4>().ok_or(form)?;
        let attested = if flags & ATTESTED == 0 {
            None
        } else {
            let (attested, after) = Attested::parse(rest)?;
            rest = after;
            Some(attested)
        };
        if flags & EXTENSIONS != 0 {
            let (extensions, length) = cbor::decode_first_any_order(rest, &LIMITS).map_err(|_| form)?;
            extensions.as_map().ok_or(form)?;
            rest = &rest[length..];
        }
        if !rest.is_empty() {
            return Err(form);
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            rp_id_hash: *rp_id_hash,
            flags: *flags,
            counter: u32::from_be_bytes(*counter),
            attested,
        })
    }

    #[cfg(test)]
    pub(super) fn flag(&self, bit: u8) -> bool {
        self.flags & bit != 0
    }

    pub(super) fn check(&self, expected: &Expected<'_>) -> Result<Flags, WebauthnFault> {
        if !hash::equal(&self.rp_id_hash, &hash::sha256(expected.rp_id.as_bytes())) {
            return Err(WebauthnFault::RpId);
        }
        if self.flags & USER_PRESENT == 0 {
            return Err(WebauthnFault::UserPresent);
        }
        if self.flags & USER_VERIFIED == 0 {
            return Err(WebauthnFault::UserVerified);
        }
        let flags = Flags {
            backup_eligible: self.flags & BACKUP_ELIGIBLE != 0,
            backed_up: self.flags & BACKED_UP != 0,
        };
        if flags.backed_up && !flags.backup_eligible {
            return Err(WebauthnFault::Backup);
        }
        Ok(flags)
    }
}

impl Attested {
    /// The credential at the beginning, and what follows it.
    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), WebauthnFault> {
        let form = WebauthnFault::Form;
        let (aaguid, rest) = bytes.split_first_chunk::<16>().ok_or(form)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(form)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > CREDENTIAL_ID_BYTES_MAX {
            return Err(form);
        }
        let (credential_id, rest) = rest.split_at_checked(length).ok_or(form)?;
        let (value, length) = cbor::decode_first_any_order(rest, &LIMITS).map_err(|_| form)?;
        let (alg, key) = read_key(&value)?;
        let attested = Self { aaguid: *aaguid, credential_id: credential_id.to_vec(), alg, key };
        Ok((attested, &rest[length..]))
    }
}

/// A `COSE_Key` that names its algorithm: ES256, EdDSA with Ed25519, RS256 (RFC 8230 for RSA).
fn read_key(value: &Value) -> Result<(SignAlg, PublicKey), WebauthnFault> {
    let fault = WebauthnFault::Key;
    let alg = value.get_int(3).and_then(Value::as_int).ok_or(fault)?;
    let alg = SignAlg::from_cose_id(alg).map_err(|_| fault)?;
    let key = match alg {
        SignAlg::Es256 | SignAlg::EdDsa => cose::key::from_value(value).map_err(|_| fault)?,
        SignAlg::Rs256 if value.get_int(1).and_then(Value::as_uint) == Some(3) => {
            let number = |label| value.get_int(label).and_then(Value::as_bytes).ok_or(fault);
            let parts = RsaParts::from_numbers(number(-1)?, number(-2)?).ok_or(fault)?;
            PublicKey::from_rsa_parts(parts).map_err(|_| fault)?
        }
        _ => return Err(fault),
    };
    if alg.fits(key.alg()) { Ok((alg, key)) } else { Err(fault) }
}
