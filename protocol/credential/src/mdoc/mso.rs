//! `MobileSecurityObject` (ISO/IEC 18013-5, 9.1.2.4): digests, device key, dates and status under the issuer's signature.

use crypto::cbor::{self, Value as Cbor, Writer};
use crypto::cose::{self, Sign1};
use crypto::hash;
use crypto::key::{KeyAlg, PublicKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::element::{DATE_TIME, json_of};
use super::issue::Subject;
use super::item::Item;
use super::{DIGESTS_MAX, ENCODED, LIMITS, NAMESPACES_MAX, VERSION, is_name};
use crate::sd_jwt::{CLOCK_SKEW_S, ClaimFault};
use crate::status::StatusReference;

/// Bytes of a `tdate`; honest ones have twenty.
const DATE_BYTES_MAX: usize = 40;

/// Why a payload is no security object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MsoFault {
    /// No payload, or not `#6.24(bstr)` around the CBOR that is read.
    #[error("the security object is not encoded CBOR")]
    Encoding,
    /// A member is missing or of another type, or a bound does not hold.
    #[error("a member of the security object is missing or malformed")]
    Form,
    /// Not version 1.0.
    #[error("the security object is not of version {VERSION}")]
    Version,
    /// None of the three hashes of the standard.
    #[error("the security object names a digest algorithm that is not read")]
    DigestAlgorithm,
    /// The device key is malformed or of a kind that devices do not sign with.
    #[error("the security object names no usable device key")]
    DeviceKey,
}

impl MsoFault {
    /// The closed word of a report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Encoding => "mso-encoding",
            Self::Form => "mso-form",
            Self::Version => "mso-version",
            Self::DigestAlgorithm => "digest-algorithm",
            Self::DeviceKey => "device-key",
        }
    }
}

/// Why a document is not in its dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ValidityFault {
    /// `validUntil` has passed.
    #[error("the document has expired")]
    Expired,
    /// `validFrom`, or `signed`, lies ahead.
    #[error("the document is not yet valid")]
    NotYetValid,
    /// `signed` lies outside the life of the signer's certificate.
    #[error("the document was signed outside the life of its signer's certificate")]
    OutsideSigner,
}

impl ValidityFault {
    /// The closed word of a report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::OutsideSigner => "signed-outside-signer",
        }
    }
}

/// The hash of `valueDigests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DigestAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// By namespace: ids, and the digests under them.
type Digests = Vec<(String, Vec<(u64, Vec<u8>)>)>;

/// What an issuer signed about a document.
#[derive(Clone, Debug)]
pub struct SecurityObject {
    doctype: String,
    algorithm: DigestAlgorithm,
    digests: Digests,
    device_key: PublicKey,
    signed_at: Timestamp,
    valid_from: Timestamp,
    valid_until: Timestamp,
    status: Result<Option<StatusReference>, ClaimFault>,
}

impl SecurityObject {
    /// Reads the payload of `issuerAuth`; nothing in it may be believed before the signature holds.
    pub(crate) fn read(issuer_auth: &Sign1) -> Result<Self, MsoFault> {
        let decode = |bytes| cbor::decode_any_order(bytes, &LIMITS).map_err(|_| MsoFault::Encoding);
        let Cbor::Tag(ENCODED, inner) = decode(issuer_auth.payload().ok_or(MsoFault::Encoding)?)? else {
            return Err(MsoFault::Encoding);
        };
        let object = decode(inner.as_bytes().ok_or(MsoFault::Encoding)?)?;
        let member = |name| object.get(name).ok_or(MsoFault::Form);
        if member("version")?.as_text() != Some(VERSION) {
            return Err(MsoFault::Version);
        }
        let algorithm = match member("digestAlgorithm")?.as_text() {
            Some("SHA-256") => DigestAlgorithm::Sha256,
            Some("SHA-384") => DigestAlgorithm::Sha384,
            Some("SHA-512") => DigestAlgorithm::Sha512,
            _ => return Err(MsoFault::DigestAlgorithm),
        };
        let device_key = member("deviceKeyInfo")?.get("deviceKey").ok_or(MsoFault::DeviceKey)?;
        let validity = member("validityInfo")?;
        let date = |name| validity.get(name).and_then(date).ok_or(MsoFault::Form);
        Ok(Self {
            doctype: member("docType")?.as_text().filter(|it| is_name(it)).ok_or(MsoFault::Form)?.to_owned(),
            algorithm,
            digests: read_digests(member("valueDigests")?).ok_or(MsoFault::Form)?,
            device_key: cose::key::from_value(device_key)
                .ok()
                .filter(|key| is_device_alg(key.alg()))
                .ok_or(MsoFault::DeviceKey)?,
            signed_at: date("signed")?,
            valid_from: date("validFrom")?,
            valid_until: date("validUntil")?,
            status: read_status(object.get("status")),
        })
    }

    /// The document type that the issuer vouches for.
    pub fn doctype(&self) -> &str {
        &self.doctype
    }

    /// The key that a device must sign with.
    pub fn device_key(&self) -> &PublicKey {
        &self.device_key
    }

    /// `signed`.
    pub fn signed_at(&self) -> Timestamp {
        self.signed_at
    }

    /// `validFrom`.
    pub fn valid_from(&self) -> Timestamp {
        self.valid_from
    }

    /// `validUntil`.
    pub fn valid_until(&self) -> Timestamp {
        self.valid_until
    }

    /// `status.status_list` (Token Status List, 6.3).
    ///
    /// # Errors
    /// [`ClaimFault::Status`]: a status that cannot be read is not a valid one.
    pub fn status(&self) -> Result<Option<&StatusReference>, ClaimFault> {
        self.status.as_ref().map(Option::as_ref).map_err(|fault| *fault)
    }

    /// Whether the digest of the item, over its bytes as received, stands under its namespace and id.
    pub(crate) fn has_digest(&self, item: &Item) -> bool {
        let namespace = self.digests.iter().find(|(name, _)| *name == item.namespace);
        let stated = namespace.and_then(|(_, digests)| digests.iter().find(|(id, _)| *id == item.digest_id));
        stated.is_some_and(|(_, stated)| hash::equal(stated, &self.algorithm.digest(&item.tagged())))
    }

    /// Whether `now` lies in its dates, give or take [`CLOCK_SKEW_S`], and `signed` in the signer's life.
    pub(crate) fn check_dates(
        &self,
        signer: Option<(Timestamp, Timestamp)>,
        now: Timestamp,
    ) -> Result<(), ValidityFault> {
        let skew = SignedDuration::from_secs(CLOCK_SKEW_S);
        if self.signed_at.max(self.valid_from).duration_since(now) > skew {
            return Err(ValidityFault::NotYetValid);
        }
        if now.duration_since(self.valid_until) >= skew {
            return Err(ValidityFault::Expired);
        }
        if signer.is_some_and(|(from, to)| self.signed_at < from || self.signed_at > to) {
            return Err(ValidityFault::OutsideSigner);
        }
        Ok(())
    }
}

impl DigestAlgorithm {
    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => hash::sha256(bytes).to_vec(),
            Self::Sha384 => hash::sha384(bytes).to_vec(),
            Self::Sha512 => hash::sha512(bytes).to_vec(),
        }
    }
}

/// Keys that devices sign with (ISO/IEC 18013-5, table B.3, as far as the house has them).
pub(super) const fn is_device_alg(alg: KeyAlg) -> bool {
    matches!(alg, KeyAlg::P256 | KeyAlg::P384 | KeyAlg::Ed25519)
}

fn read_digests(value: &Cbor) -> Option<Digests> {
    let namespaces = value.as_map().filter(|it| (1..=NAMESPACES_MAX).contains(&it.len()))?;
    let mut count = 0;
    let mut digests = Digests::with_capacity(namespaces.len());
    for (name, listed) in namespaces {
        let listed = listed.as_map()?;
        count += listed.len();
        if count > DIGESTS_MAX {
            return None;
        }
        let one = |(id, digest): &(Cbor, Cbor)| Some((id.as_uint()?, digest.as_bytes()?.to_vec()));
        let listed = listed.iter().map(one).collect::<Option<_>>()?;
        digests.push((name.as_text().filter(|name| is_name(name))?.to_owned(), listed));
    }
    Some(digests)
}

/// `tdate`: tag 0 around RFC 3339 text.
fn date(value: &Cbor) -> Option<Timestamp> {
    let Cbor::Tag(DATE_TIME, text) = value else { return None };
    text.as_text().filter(|text| text.len() <= DATE_BYTES_MAX)?.parse().ok()
}

fn read_status(status: Option<&Cbor>) -> Result<Option<StatusReference>, ClaimFault> {
    let Some(status) = status else { return Ok(None) };
    let status: Value = json_of(status).ok_or(ClaimFault::Status)?;
    StatusReference::of(&Map::from_iter([("status".to_owned(), status)]))
}

/// A security object to be signed; every map in deterministic order.
pub(super) struct Unsigned<'a> {
    pub(super) subject: &'a Subject<'a>,
    /// By namespace in the order of map keys; the place of a digest is its id.
    pub(super) digests: &'a [(&'a str, Vec<[u8; 32]>)],
}

impl Unsigned<'_> {
    /// None for a device key that documents do not name.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let subject = self.subject;
        let device_key =
            cose::key::to_value(subject.device_key).filter(|_| is_device_alg(subject.device_key.alg()))?;
        let digests: usize = self.digests.iter().map(|(name, digests)| name.len() + 40 * digests.len()).sum();
        let mut out = Writer::with_capacity(digests + 512);
        out.map(6 + usize::from(subject.status.is_some()));
        if let Some(status) = subject.status {
            out.text("status").map(1).text("status_list").map(2);
            out.text("idx").uint(status.idx).text("uri").text(&status.uri);
        }
        out.text("docType").text(subject.doctype).text("version").text(VERSION);
        let validity = subject.validity;
        out.text("validityInfo").map(3).text("signed");
        put_date(&mut out, validity.issued_at()).text("validFrom");
        put_date(&mut out, validity.issued_at()).text("validUntil");
        put_date(&mut out, validity.expires_at()).text("valueDigests").map(self.digests.len());
        for (name, digests) in self.digests {
            out.text(name).map(digests.len());
            for (id, digest) in digests.iter().enumerate() {
                out.uint(id as u64).bytes(digest);
            }
        }
        out.text("deviceKeyInfo").map(1).text("deviceKey").value(&device_key);
        out.text("digestAlgorithm").text("SHA-256");
        Some(out.finish())
    }
}

fn put_date(out: &mut Writer, at: Timestamp) -> &mut Writer {
    out.tag(DATE_TIME).text(&at.to_string())
}
