//! Certificates and certificate requests, built in two halves around a signature made elsewhere.
//!
//! ```text
//!   TbsDraft or CsrDraft ── to_be_signed(alg) ──▶ bytes ── (keeper signs) ── assemble(bytes, alg, signature) ──▶ DER
//! ```

use der::asn1::ObjectIdentifier;
use jiff::Timestamp;

use super::der_out::{self, OCTET_STRING};
use super::name::Name;
use super::signature::Scheme;
use crate::hash;
use crate::key::{PublicKey, SignAlg};

/// Bytes of a serial number we make: 126 random bits, far from a repeat and always positive.
pub const SERIAL_BYTES: usize = 16;

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// Why a certificate or request cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// No certificate is signed with this algorithm here.
    #[error("certificates are not signed with {alg}")]
    UnsupportedAlg {
        /// The algorithm.
        alg: SignAlg,
    },
    /// A date before 1970, or the end before the beginning.
    #[error("the dates do not fit in a certificate")]
    Dates,
    /// An alternative name or a usage that is empty, not ASCII or no object identifier.
    #[error("an alternative name or usage that does not fit in a certificate")]
    Name,
}

/// What a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// An authority: signs certificates and revocation lists.
    Ca {
        /// How many authorities may stand below it; zero: leaves only.
        path_len: Option<u8>,
    },
    /// A signer of anything but certificates.
    Leaf(LeafNames),
}

/// What a leaf stands for beyond its subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeafNames {
    /// URIs of the subject alternative name.
    pub san_uris: Vec<String>,
    /// Host names of the subject alternative name.
    pub san_dns: Vec<String>,
    /// Extended key usages, dotted; none when empty.
    pub ekus: Vec<String>,
}

/// A certificate before it is signed.
#[derive(Debug, Clone)]
pub struct TbsDraft {
    /// Whom it names.
    pub subject: Name,
    /// Who signs it.
    pub issuer: Name,
    /// The key that will sign it: named by its identifier. The subject's own for a root.
    pub issuer_key: PublicKey,
    /// Random bytes from the caller; the two highest bits are set to `01`, so that the number is positive and
    /// always of this length.
    pub serial: [u8; SERIAL_BYTES],
    /// First moment, cut to the second.
    pub not_before: Timestamp,
    /// Last moment, cut to the second.
    pub not_after: Timestamp,
    /// The key it certifies.
    pub public_key: PublicKey,
    /// What it is for.
    pub profile: Profile,
}

impl TbsDraft {
    /// The `TBSCertificate`: the bytes the issuer's key signs with `alg`.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn to_be_signed(&self, alg: SignAlg) -> Result<Vec<u8>, BuildError> {
        let scheme = Scheme::of(alg).ok_or(BuildError::UnsupportedAlg { alg })?;
        if self.not_after < self.not_before {
            return Err(BuildError::Dates);
        }
        let date = |at| der_out::time(at).ok_or(BuildError::Dates);
        let mut serial = self.serial;
        serial[0] = serial[0] & 0x3f | 0x40;
        let authority = der_out::sequence(&[&der_out::implicit(0, &key_identifier(&self.issuer_key))]);
        let extensions = [
            profile_extensions(&self.profile)?,
            extension(SUBJECT_KEY_ID, false, &der_out::octets(&key_identifier(&self.public_key))),
            extension(AUTHORITY_KEY_ID, false, &authority),
        ]
        .concat();
        Ok(der_out::sequence(&[
            &der_out::explicit(0, &[&der_out::unsigned(&[2])]),
            &der_out::unsigned(&serial),
            &scheme.identifier(),
            self.issuer.der(),
            &der_out::sequence(&[&date(self.not_before)?, &date(self.not_after)?]),
            self.subject.der(),
            &self.public_key.spki_der(),
            &der_out::explicit(3, &[&der_out::sequence(&[&extensions])]),
        ]))
    }
}

/// A request for a certificate (RFC 2986) before it is signed by the key it is about.
#[derive(Debug, Clone)]
pub struct CsrDraft {
    /// Whom the certificate shall name.
    pub subject: Name,
    /// The key it shall certify.
    pub public_key: PublicKey,
    /// What it shall be for.
    pub profile: Profile,
}

impl CsrDraft {
    /// The `CertificationRequestInfo`: the bytes the requesting key signs.
    ///
    /// # Errors
    /// [`BuildError::Name`].
    pub fn to_be_signed(&self) -> Result<Vec<u8>, BuildError> {
        let extensions = der_out::sequence(&[&profile_extensions(&self.profile)?]);
        let request = der_out::sequence(&[
            &der_out::oid(EXTENSION_REQUEST),
            &der_out::tlv(der_out::SET, &[&extensions]),
        ]);
        Ok(der_out::sequence(&[
            &der_out::unsigned(&[0]),
            self.subject.der(),
            &self.public_key.spki_der(),
            &der_out::explicit(0, &[&request]),
        ]))
    }
}

/// The certificate or request made of its signed bytes, the algorithm, and the signature as
/// [`crate::key::PrivateKey::sign`] returns it.
///
/// # Errors
/// [`BuildError::UnsupportedAlg`].
pub fn assemble(signed: &[u8], alg: SignAlg, signature: &[u8]) -> Result<Vec<u8>, BuildError> {
    let scheme = Scheme::of(alg).ok_or(BuildError::UnsupportedAlg { alg })?;
    let signature = der_out::bits(&scheme.wire_signature(signature));
    Ok(der_out::sequence(&[signed, &scheme.identifier(), &signature]))
}

/// The identifier of a key in SKI and AKI: the first 160 bits of SHA-256 over the key (RFC 7093, 2, method 1).
pub fn key_identifier(key: &PublicKey) -> [u8; 20] {
    let digest = hash::sha256(key.raw());
    let mut id = [0; 20];
    id.copy_from_slice(&digest[..20]);
    id
}

fn profile_extensions(profile: &Profile) -> Result<Vec<u8>, BuildError> {
    match profile {
        Profile::Ca { path_len } => {
            let limit = path_len.map(|limit| der_out::unsigned(&[limit])).unwrap_or_default();
            let constraints = der_out::sequence(&[der_out::TRUE, &limit]);
            // keyCertSign and cRLSign: bits 5 and 6, one unused.
            let usage = der_out::tlv(der_out::BIT_STRING, &[&[1, 0b0000_0110]]);
            Ok([extension(BASIC_CONSTRAINTS, true, &constraints), extension(KEY_USAGE, true, &usage)]
                .concat())
        }
        Profile::Leaf(names) => {
            // digitalSignature: bit 0, seven unused.
            let usage = der_out::tlv(der_out::BIT_STRING, &[&[7, 0b1000_0000]]);
            let mut extensions = extension(BASIC_CONSTRAINTS, true, &der_out::sequence(&[]));
            extensions.extend(extension(KEY_USAGE, true, &usage));
            extensions.extend(leaf_extensions(names)?);
            Ok(extensions)
        }
    }
}

fn leaf_extensions(names: &LeafNames) -> Result<Vec<u8>, BuildError> {
    let mut extensions = Vec::new();
    if !names.ekus.is_empty() {
        let parse = |usage: &String| ObjectIdentifier::new(usage).map_err(|_| BuildError::Name);
        let usages: Vec<_> =
            names.ekus.iter().map(|usage| parse(usage).map(der_out::oid)).collect::<Result<_, _>>()?;
        extensions.extend(extension(EXTENDED_KEY_USAGE, false, &der_out::sequence(&[&usages.concat()])));
    }
    let uris = names.san_uris.iter().map(|uri| (6, uri));
    let hosts = names.san_dns.iter().map(|host| (2, host));
    let mut alternatives = Vec::new();
    for (kind, name) in uris.chain(hosts) {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BuildError::Name);
        }
        alternatives.extend(der_out::implicit(kind, name.as_bytes()));
    }
    if !alternatives.is_empty() {
        extensions.extend(extension(SUBJECT_ALT_NAME, false, &der_out::sequence(&[&alternatives])));
    }
    Ok(extensions)
}

fn extension(kind: ObjectIdentifier, critical: bool, content: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { der_out::TRUE } else { &[] };
    der_out::sequence(&[&der_out::oid(kind), critical, &der_out::tlv(OCTET_STRING, &[content])])
}
