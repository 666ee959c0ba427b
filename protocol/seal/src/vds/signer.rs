//! Who signs seals: names, certificates, and keys on the curves that authorities use.

use std::fmt;

use crypto::hash;
use crypto::key::{KeyAlg, PublicKey, SignAlg};
use crypto::x509::Certificate;
use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode as _, Encode as _, Reader as _, SliceReader};
use jiff::Timestamp;

use super::SealFault;
use super::brainpool::BrainpoolKey;

/// Longest reference to a certificate, in characters: a serial number of 20 bytes in hexadecimal.
const REFERENCE_CHARS_MAX: usize = 40;
/// Most bytes of a certificate; those of authorities have one to three kilobytes.
const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const BRAINPOOL_P256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.7");
const BRAINPOOL_P384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.11");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Signer and certificate as a seal names them: `UTTS` and `5B`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignerName {
    id: String,
    reference: String,
}

impl SignerName {
    /// Four characters, the first two a country, and a reference; spaces at the end are filling.
    pub fn new(id: &str, reference: &str) -> Option<SignerName> {
        let fits = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let reference = reference.trim_end();
        let good = id.len() == 4 && fits(id) && fits(reference) && reference.len() <= REFERENCE_CHARS_MAX;
        good.then(|| SignerName { id: id.to_owned(), reference: reference.to_owned() })
    }

    /// The signer: country and two characters.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The certificate, as the seal writes it.
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

impl fmt::Display for SignerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.id, self.reference)
    }
}

/// The key of a signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerKey {
    /// P-256 or P-384; RSA for authorities above signers.
    Nist(PublicKey),
    /// brainpoolP256r1 or brainpoolP384r1.
    Brainpool(BrainpoolKey),
    /// A curve that is not checked here.
    Unsupported,
}

impl SignerKey {
    /// Checks `r ‖ s` over `message`, hashed as the length of the signature asks (Doc 9303-13, 2.4).
    ///
    /// # Errors
    /// [`SealFault`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SealFault> {
        let good = match (self, signature.len()) {
            (SignerKey::Unsupported, _) | (_, 56 | 128) => return Err(SealFault::UnsupportedCurve),
            (SignerKey::Nist(key), 64) if key.alg() == KeyAlg::P256 => {
                key.verify(SignAlg::Es256, message, signature).is_ok()
            }
            (SignerKey::Nist(key), 96) if key.alg() == KeyAlg::P384 => {
                key.verify(SignAlg::Es384, message, signature).is_ok()
            }
            (SignerKey::Brainpool(key), 64) if key.signature_bytes() == 64 => {
                key.verifies(&hash::sha256(message), signature)
            }
            (SignerKey::Brainpool(key), 96) if key.signature_bytes() == 96 => {
                key.verifies(&hash::sha384(message), signature)
            }
            _ => false,
        };
        if good { Ok(()) } else { Err(SealFault::BadSignature) }
    }
}

/// Bytes that are no certificate of a signer or authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate in exact DER")]
pub struct CertificateError;

/// A certificate of a signer or of an authority above it: as [`Certificate`], and also on Brainpool curves.
#[derive(Clone)]
pub struct SignerCertificate {
    der: Vec<u8>,
    tbs: Vec<u8>,
    algorithm: ObjectIdentifier,
    signature: Vec<u8>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    signer_id: Option<String>,
    serial: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    is_ca: bool,
    key: SignerKey,
    /// The house's own reading, where the certificate is of a kind that it takes.
    house: Option<Certificate>,
}

impl SignerCertificate {
    /// Reads DER.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn parse(der: &[u8]) -> Result<SignerCertificate, CertificateError> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError);
        }
        SignerCertificate::read(der).ok_or(CertificateError)
    }

    fn read(der: &[u8]) -> Option<SignerCertificate> {
        let parsed = x509_cert::Certificate::from_der(der).ok()?;
        let tbs = parsed.tbs_certificate();
        if parsed.to_der().ok()? != der || tbs.signature() != parsed.signature_algorithm() {
            return None;
        }
        let house = Certificate::parse(der).ok();
        let key = match &house {
            Some(certificate) => SignerKey::Nist(certificate.public_key().clone()),
            None => read_key(tbs.subject_public_key_info())?,
        };
        let moment = |time: x509_cert::time::Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
            Timestamp::from_second(seconds).ok()
        };
        Some(SignerCertificate {
            tbs: tbs.to_der().ok()?,
            algorithm: tbs.signature().oid,
            signature: parsed.signature().as_bytes()?.to_vec(),
            subject: tbs.subject().to_der().ok()?,
            issuer: tbs.issuer().to_der().ok()?,
            signer_id: signer_id(tbs.subject()),
            serial: tbs.serial_number().as_bytes().to_vec(),
            not_before: moment(tbs.validity().not_before)?,
            not_after: moment(tbs.validity().not_after)?,
            is_ca: is_ca(&parsed),
            key,
            house,
            der: der.to_vec(),
        })
    }

    /// The bytes it was read from.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The key.
    pub fn key(&self) -> &SignerKey {
        &self.key
    }

    /// First moment of its life.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Last moment of its life.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether it may issue certificates.
    pub fn is_ca(&self) -> bool {
        self.is_ca
    }

    /// The serial number in hexadecimal, upper case, without leading zeros: what a seal's reference names.
    pub fn reference(&self) -> String {
        strip_zeros(&crypto::hex::encode(&self.serial).to_uppercase())
    }

    /// Country and common name: what a seal's signer names. None when it lacks one.
    pub fn signer_id(&self) -> Option<&str> {
        self.signer_id.as_deref()
    }

    /// Whether a seal with that signer means this certificate.
    pub fn is_named(&self, name: &SignerName) -> bool {
        self.signer_id.as_deref() == Some(name.id()) && self.reference() == strip_zeros(name.reference())
    }

    /// Whether `authority` issued it: by name and by signature. Nothing else is checked.
    pub fn is_issued_by(&self, authority: &SignerCertificate) -> bool {
        if self.issuer != authority.subject {
            return false;
        }
        match (&self.house, &authority.key) {
            (Some(child), SignerKey::Nist(key)) => child.is_signed_by(key),
            _ => self.ecdsa_verifies(&authority.key).unwrap_or(false),
        }
    }

    /// The DER signature of an issuer where either of the two is on a Brainpool curve.
    fn ecdsa_verifies(&self, key: &SignerKey) -> Option<bool> {
        let width = match key {
            SignerKey::Brainpool(key) => key.signature_bytes() / 2,
            SignerKey::Nist(key) if key.alg() == KeyAlg::P256 => 32,
            SignerKey::Nist(key) if key.alg() == KeyAlg::P384 => 48,
            SignerKey::Nist(_) | SignerKey::Unsupported => return None,
        };
        let fixed = fixed_signature(&self.signature, width)?;
        Some(match (key, self.algorithm) {
            (SignerKey::Brainpool(key), ECDSA_SHA256) => key.verifies(&hash::sha256(&self.tbs), &fixed),
            (SignerKey::Brainpool(key), ECDSA_SHA384) => key.verifies(&hash::sha384(&self.tbs), &fixed),
            (SignerKey::Brainpool(key), ECDSA_SHA512) => key.verifies(&hash::sha512(&self.tbs), &fixed),
            (SignerKey::Nist(key), ECDSA_SHA256) => key.verify(SignAlg::Es256, &self.tbs, &fixed).is_ok(),
            (SignerKey::Nist(key), ECDSA_SHA384) => key.verify(SignAlg::Es384, &self.tbs, &fixed).is_ok(),
            _ => false,
        })
    }
}

impl fmt::Debug for SignerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerCertificate({} {})", self.signer_id.as_deref().unwrap_or("?"), self.reference())
    }
}

fn strip_zeros(reference: &str) -> String {
    reference.trim_start_matches('0').to_owned()
}

/// A key that the house does not know: an elliptic curve by its name. One that is stated by its parameters, or is of another
/// curve, is no key that can be checked.
fn read_key(info: &x509_cert::spki::SubjectPublicKeyInfoOwned) -> Option<SignerKey> {
    let point = info.subject_public_key.as_bytes()?;
    if info.algorithm.oid != EC_PUBLIC_KEY {
        return Some(SignerKey::Unsupported);
    }
    let curve = info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    match curve {
        Some(BRAINPOOL_P256R1) if point.len() == 65 => {
            BrainpoolKey::from_point(point).map(SignerKey::Brainpool)
        }
        Some(BRAINPOOL_P384R1) if point.len() == 97 => {
            BrainpoolKey::from_point(point).map(SignerKey::Brainpool)
        }
        Some(BRAINPOOL_P256R1 | BRAINPOOL_P384R1) => None,
        _ => Some(SignerKey::Unsupported),
    }
}

fn signer_id(name: &x509_cert::name::Name) -> Option<String> {
    let text = |kind: ObjectIdentifier| {
        name.iter()
            .find(|attribute| attribute.oid == kind)
            .and_then(|attribute| std::str::from_utf8(attribute.value.value()).ok())
    };
    Some(format!("{}{}", text(COUNTRY)?, text(COMMON_NAME)?))
}

fn is_ca(certificate: &x509_cert::Certificate) -> bool {
    use x509_cert::ext::pkix::BasicConstraints;
    let constraints = certificate.tbs_certificate().get_extension::<BasicConstraints>();
    constraints.is_ok_and(|found| found.is_some_and(|(_, constraints)| constraints.ca))
}

/// `r ‖ s` of a DER signature, each filled to `width` bytes.
fn fixed_signature(signature: &[u8], width: usize) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(signature).ok()?;
    let numbers = reader
        .sequence(|inner| Ok::<_, der::Error>([UintRef::decode(inner)?, UintRef::decode(inner)?]))
        .ok()?;
    reader.finish().ok()?;
    let mut fixed = Vec::with_capacity(2 * width);
    for number in numbers {
        let bytes = number.as_bytes();
        fixed.extend(std::iter::repeat_n(0, width.checked_sub(bytes.len())?));
        fixed.extend_from_slice(bytes);
    }
    Some(fixed)
}
