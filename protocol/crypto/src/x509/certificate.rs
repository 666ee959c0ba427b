//! One certificate, read strictly.

use std::fmt;

use der::asn1::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use jiff::Timestamp;
use x509_cert::certificate::Version;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage as KeyUsageBits, SubjectAltName,
    SubjectKeyIdentifier,
};

use super::name::Name;
use super::signature::Scheme;
use crate::hash;
use crate::hex;
use crate::key::{KeyAlg, PublicKey};

/// Most bytes of a certificate. Those of public authorities have one to three kilobytes.
pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");

/// Why bytes are no certificate that the house takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// More than 16 KiB.
    #[error("more than {CERTIFICATE_BYTES_MAX} bytes")]
    TooLong,
    /// Not a certificate in exact DER, or an extension that does not read.
    #[error("not a certificate in exact DER")]
    Encoding,
    /// Not version 3.
    #[error("not a version 3 certificate")]
    Version,
    /// The key is not P-256, P-384 or RSA of 2048 to 4096 bits.
    #[error("a public key that is not accepted")]
    Key,
    /// Signed with something that is not used, such as SHA-1, or named in two ways.
    #[error("a signature algorithm that is not accepted")]
    SignatureAlgorithm,
    /// A critical extension that is not understood (RFC 5280, 4.2), or name constraints, which are not processed.
    #[error("extension {oid} is not understood")]
    UnknownCritical {
        /// Its object identifier, dotted.
        oid: String,
    },
    /// An extension stands twice (RFC 5280, 4.2).
    #[error("extension {oid} stands twice")]
    DuplicateExtension {
        /// Its object identifier, dotted.
        oid: String,
    },
}

/// What a key may be used for (RFC 5280, 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage {
    /// Signatures over anything but certificates and revocation lists.
    pub digital_signature: bool,
    /// Signatures over certificates.
    pub cert_sign: bool,
    /// Signatures over revocation lists.
    pub crl_sign: bool,
    /// Key agreement.
    pub key_agreement: bool,
}

/// A certificate whose form is sound. Who signed it is the business of [`super::path::verify`].
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    sha256: [u8; 32],
    tbs: Vec<u8>,
    scheme: Scheme,
    signature: Vec<u8>,
    subject: Name,
    issuer: Name,
    serial: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    public_key: PublicKey,
    extensions: Extensions,
}

/// The extensions that are understood.
#[derive(Clone, Default)]
struct Extensions {
    is_ca: bool,
    path_len: Option<u8>,
    key_usage: Option<KeyUsage>,
    ekus: Option<Vec<String>>,
    san_uris: Vec<String>,
    san_dns: Vec<String>,
    ski: Option<Vec<u8>>,
    aki: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads DER.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::TooLong);
        }
        let encoding = |_| CertificateError::Encoding;
        let parsed = x509_cert::Certificate::from_der(der).map_err(encoding)?;
        if parsed.to_der().map_err(encoding)? != der {
            return Err(CertificateError::Encoding);
        }
        let tbs = parsed.tbs_certificate();
        if tbs.version() != Version::V3 {
            return Err(CertificateError::Version);
        }
        if tbs.signature() != parsed.signature_algorithm() {
            return Err(CertificateError::SignatureAlgorithm);
        }
        let scheme = Scheme::from_identifier(tbs.signature()).ok_or(CertificateError::SignatureAlgorithm)?;
        let spki = tbs.subject_public_key_info().to_der().map_err(encoding)?;
        let public_key = PublicKey::from_spki_der(&spki).map_err(|_| CertificateError::Key)?;
        if !public_key.alg().is_rsa() && !matches!(public_key.alg(), KeyAlg::P256 | KeyAlg::P384) {
            return Err(CertificateError::Key);
        }
        let validity = tbs.validity();
        Ok(Self {
            sha256: hash::sha256(der),
            // The whole was compared with its re-encoding, so this part is as it was signed.
            tbs: tbs.to_der().map_err(encoding)?,
            scheme,
            signature: parsed.signature().as_bytes().ok_or(CertificateError::Encoding)?.to_vec(),
            subject: Name::from_parsed(tbs.subject()).ok_or(CertificateError::Encoding)?,
            issuer: Name::from_parsed(tbs.issuer()).ok_or(CertificateError::Encoding)?,
            serial: tbs.serial_number().as_bytes().to_vec(),
            not_before: timestamp(validity.not_before),
            not_after: timestamp(validity.not_after),
            public_key,
            extensions: Extensions::read(tbs.extensions().map(Vec::as_slice).unwrap_or_default())?,
            der: der.to_vec(),
        })
    }

    /// The bytes it was read from.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the DER.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// Whom it names.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// Who issued it, as it says.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// The serial number, big-endian bytes as they stand in the DER.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// First moment of its life.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Last moment of its life, inclusive. "No well-defined end" (year 9999) is the last moment there is.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The key it certifies.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// URIs of the subject alternative name.
    pub fn san_uris(&self) -> &[String] {
        &self.extensions.san_uris
    }

    /// Host names of the subject alternative name.
    pub fn san_dns(&self) -> &[String] {
        &self.extensions.san_dns
    }

    /// Whether it may issue certificates.
    pub fn is_ca(&self) -> bool {
        self.extensions.is_ca
    }

    /// How many intermediates may stand below it; none: no limit of its own.
    pub fn path_len(&self) -> Option<u8> {
        self.extensions.path_len
    }

    /// Key usage, if it states any.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.extensions.key_usage
    }

    /// Extended key usages, dotted, if it states any.
    pub fn ekus(&self) -> Option<&[String]> {
        self.extensions.ekus.as_deref()
    }

    /// Subject key identifier.
    pub fn ski(&self) -> Option<&[u8]> {
        self.extensions.ski.as_deref()
    }

    /// Key identifier of the authority that issued it.
    pub fn aki(&self) -> Option<&[u8]> {
        self.extensions.aki.as_deref()
    }

    /// Whether subject and issuer are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.subject.der() == self.issuer.der()
    }

    /// Whether the signature on it is one of `key`. Nothing else is checked.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.scheme.verifies(key, &self.tbs, &self.signature)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.subject, hex::encode(&self.sha256[..8]))
    }
}

impl Extensions {
    fn read(list: &[Extension]) -> Result<Self, CertificateError> {
        let mut read = Self::default();
        for (place, extension) in list.iter().enumerate() {
            let oid = extension.extn_id;
            if list[..place].iter().any(|earlier| earlier.extn_id == oid) {
                return Err(CertificateError::DuplicateExtension { oid: oid.to_string() });
            }
            if !read.take(extension)? && (extension.critical || oid == NAME_CONSTRAINTS) {
                return Err(CertificateError::UnknownCritical { oid: oid.to_string() });
            }
        }
        Ok(read)
    }

    /// Whether the extension is one that is understood; its content is kept.
    fn take(&mut self, extension: &Extension) -> Result<bool, CertificateError> {
        let content = extension.extn_value.as_bytes();
        match extension.extn_id {
            BASIC_CONSTRAINTS => {
                let constraints: BasicConstraints = read_exact(content)?;
                self.is_ca = constraints.ca;
                self.path_len = constraints.path_len_constraint;
                if self.path_len.is_some() && !self.is_ca {
                    return Err(CertificateError::Encoding); // RFC 5280, 4.2.1.9
                }
            }
            KEY_USAGE => {
                let bits: KeyUsageBits = read_exact(content)?;
                self.key_usage = Some(KeyUsage {
                    digital_signature: bits.digital_signature(),
                    cert_sign: bits.key_cert_sign(),
                    crl_sign: bits.crl_sign(),
                    key_agreement: bits.key_agreement(),
                });
            }
            EXTENDED_KEY_USAGE => {
                let usages: ExtendedKeyUsage = read_exact(content)?;
                self.ekus = Some(usages.0.iter().map(ToString::to_string).collect());
            }
            SUBJECT_ALT_NAME => {
                let names: SubjectAltName = read_exact(content)?;
                for name in names.0 {
                    match name {
                        GeneralName::UniformResourceIdentifier(uri) => self.san_uris.push(uri.to_string()),
                        GeneralName::DnsName(host) => self.san_dns.push(host.to_string()),
                        _ => {}
                    }
                }
            }
            SUBJECT_KEY_ID => {
                let id: SubjectKeyIdentifier = read_exact(content)?;
                self.ski = Some(id.0.as_bytes().to_vec());
            }
            AUTHORITY_KEY_ID => {
                let id: AuthorityKeyIdentifier = read_exact(content)?;
                self.aki = id.key_identifier.map(|id| id.as_bytes().to_vec());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn read_exact<T: for<'a> der::Decode<'a>>(content: &[u8]) -> Result<T, CertificateError> {
    T::from_der(content).map_err(|_| CertificateError::Encoding)
}

fn timestamp(time: x509_cert::time::Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
