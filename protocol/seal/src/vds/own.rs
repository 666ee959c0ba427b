//! Our own seals: the frame of version 4, category 0x54 (even, so not ICAO's), P-256 with SHA-256.
//!
//! ```text
//!   ServiceSeal (kind 01) ─┐                                             ┌─ ServiceSeal
//!   OrganisationSeal (02) ─┴ to_be_signed(heading) ─▶ signed ─▶ assemble ─▶ Vds (verified) ─ read ─┴─ OrganisationSeal
//! ```
//! Texts are UTF-8, dates three bytes as in the frame, integers big-endian, hashes of 32 bytes one after the other.

use crypto::secret::Secret;
use jiff::civil::Date;

use super::c40;
use super::date;
use super::icao::{Header, Vds, VdsError, Version, write_header};
use super::signer::SignerName;
use super::{SEAL_BYTES_MAX, tlv};
use crate::scope::Scopes;

/// The category of our seals.
pub const CATEGORY: u8 = 0x54;
/// The country that stands in them unless another is set.
pub const COUNTRY: &str = "XTS";
/// The signer unless another is set.
pub const SIGNER_ID: &str = "XT01";
/// Most origins, redirect hashes and keys of a Relying Party: a seal has 4 KiB.
pub const LIST_MAX: usize = 16;
/// Most bytes of a text: longer ones do not fit beside the rest.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Most bytes of a photo: what a barcode bears beside the rest.
pub const FACE_BYTES_MAX: usize = 1200;
/// The version of both kinds.
const VERSION: u8 = 1;

/// Why a seal cannot be made, or is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OwnSealError {
    /// Not our category, or a kind that we do not know.
    #[error("not a seal of ours of a kind that is known")]
    Kind,
    /// A message is missing, doubled, unknown or does not read.
    #[error("message {0:02x}")]
    Message(u8),
    /// Longer than a seal may be.
    #[error("more than {SEAL_BYTES_MAX} bytes")]
    TooLong,
    /// The heading cannot be written.
    #[error(transparent)]
    Header(#[from] VdsError),
}

/// What a seal says of its own making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Up to three letters; [`COUNTRY`] unless set.
    pub country: String,
    /// Who signs, with which certificate.
    pub signer: SignerName,
    /// When what it says was established.
    pub issued_on: Date,
    /// When it is signed.
    pub signed_on: Date,
}

/// The place of a seal in a Token Status List.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRef {
    /// The index.
    pub index: u32,
    /// Address of the list.
    pub uri: String,
}

/// What stands behind a Relying Party's keys and origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceProof {
    /// Possession of each key was shown.
    pub key: bool,
    /// Control of each origin was shown.
    pub origin: bool,
    /// The operator vouches.
    pub vouched: bool,
}

/// Kind 01: who a Relying Party is. Public, so that alone it proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSeal {
    /// Its id.
    pub client_id: String,
    /// The name that people are shown.
    pub legal_name: String,
    /// Origins that it may sign people in at.
    pub origins: Vec<String>,
    /// SHA-256 of each redirect URI.
    pub redirect_hashes: Vec<[u8; 32]>,
    /// The most that it may ask for.
    pub scopes: Scopes,
    /// RFC 7638 thumbprints of its signing keys.
    pub thumbprints: Vec<[u8; 32]>,
    /// Last second of its life.
    pub not_after_s: u64,
    /// What was shown.
    pub proof: ServiceProof,
    /// Where it can be revoked.
    pub status: Option<StatusRef>,
}

/// Kind 02: a person as an organisation knows them.
pub struct OrganisationSeal {
    /// Given names.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Day of birth.
    pub birth_date: Date,
    /// Three letters.
    pub nationality: Option<String>,
    /// Number of the document.
    pub number: String,
    /// Last day.
    pub expires_on: Date,
    /// JPEG or WebP.
    pub face: Option<Secret<Vec<u8>>>,
    /// Where it can be revoked.
    pub status: Option<StatusRef>,
    /// The organisation.
    pub organisation: Option<String>,
    /// What the person is there.
    pub role: Option<String>,
    /// SHA-256 thumbprint of the DeviceKey that it is bound to.
    pub device_key: Option<[u8; 32]>,
}

/// It is about a person: logs show none of it.
impl std::fmt::Debug for OrganisationSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OrganisationSeal(…)")
    }
}

/// A seal of ours, whose signature was checked.
#[derive(Debug)]
pub enum OwnSeal {
    /// Kind 01.
    Service(ServiceSeal),
    /// Kind 02.
    Organisation(OrganisationSeal),
}

impl OwnSeal {
    /// What a verified seal says.
    ///
    /// # Errors
    /// [`OwnSealError`].
    pub fn read(seal: &Vds) -> Result<OwnSeal, OwnSealError> {
        match (seal.header().feature, seal.header().category) {
            (ServiceSeal::KIND, CATEGORY) => ServiceSeal::read(seal).map(OwnSeal::Service),
            (OrganisationSeal::KIND, CATEGORY) => OrganisationSeal::read(seal).map(OwnSeal::Organisation),
            _ => Err(OwnSealError::Kind),
        }
    }
}

/// The seal of bytes that were signed, and the signature `r ‖ s` over them with ES256.
pub fn assemble(to_be_signed: &[u8], signature: &[u8; 64]) -> Vec<u8> {
    let mut seal = to_be_signed.to_vec();
    tlv::write(&mut seal, 0xff, signature);
    seal
}

impl ServiceSeal {
    /// The feature byte.
    pub const KIND: u8 = 0x01;

    /// The bytes that the signer signs with ES256.
    ///
    /// # Errors
    /// [`OwnSealError`] when a member does not fit.
    pub fn to_be_signed(&self, heading: &Heading) -> Result<Vec<u8>, OwnSealError> {
        let mut out = begin(heading, Self::KIND)?;
        tlv::write(&mut out, 0x01, &[VERSION]);
        write_text(&mut out, 0x02, &self.client_id)?;
        write_text(&mut out, 0x03, &self.legal_name)?;
        if self.origins.is_empty() || self.origins.iter().any(|origin| origin.contains('\n')) {
            return Err(OwnSealError::Message(0x04));
        }
        bounded(0x04, self.origins.len())?;
        write_text(&mut out, 0x04, &self.origins.join("\n"))?;
        write_hashes(&mut out, 0x05, &self.redirect_hashes)?;
        tlv::write(&mut out, 0x06, &self.scopes.bits().to_be_bytes());
        write_hashes(&mut out, 0x07, &self.thumbprints)?;
        tlv::write(&mut out, 0x08, &self.not_after_s.to_be_bytes());
        let bits =
            u8::from(self.proof.key) | u8::from(self.proof.origin) << 1 | u8::from(self.proof.vouched) << 2;
        tlv::write(&mut out, 0x09, &[bits]);
        write_status(&mut out, 0x0a, self.status.as_ref())?;
        end(out)
    }

    fn read(seal: &Vds) -> Result<ServiceSeal, OwnSealError> {
        let mut messages = Messages::of(seal);
        messages.version()?;
        let seal = ServiceSeal {
            client_id: messages.text(0x02)?,
            legal_name: messages.text(0x03)?,
            origins: messages.text(0x04)?.split('\n').map(str::to_owned).collect(),
            redirect_hashes: messages.hashes(0x05)?,
            scopes: Scopes::from_bits(u32::from_be_bytes(messages.array(0x06)?))
                .ok_or(OwnSealError::Message(0x06))?,
            thumbprints: messages.hashes(0x07)?,
            not_after_s: u64::from_be_bytes(messages.array(0x08)?),
            proof: match messages.array(0x09)? {
                [bits @ 0..=7] => {
                    ServiceProof { key: bits & 1 != 0, origin: bits & 2 != 0, vouched: bits & 4 != 0 }
                }
                _ => return Err(OwnSealError::Message(0x09)),
            },
            status: messages.status(0x0a)?,
        };
        messages.done()?;
        bounded(0x04, seal.origins.len())?;
        if seal.origins.iter().any(String::is_empty) {
            return Err(OwnSealError::Message(0x04));
        }
        Ok(seal)
    }
}

impl OrganisationSeal {
    /// The feature byte.
    pub const KIND: u8 = 0x02;

    /// The bytes that the signer signs with ES256.
    ///
    /// # Errors
    /// [`OwnSealError`] when a member does not fit.
    pub fn to_be_signed(&self, heading: &Heading) -> Result<Vec<u8>, OwnSealError> {
        let day = |tag, date| date::encode(date).map_err(|_| OwnSealError::Message(tag));
        let mut out = begin(heading, Self::KIND)?;
        tlv::write(&mut out, 0x01, &[VERSION]);
        write_text(&mut out, 0x02, &self.given_name)?;
        write_text(&mut out, 0x03, &self.family_name)?;
        tlv::write(&mut out, 0x04, &day(0x04, self.birth_date)?);
        if let Some(nationality) = &self.nationality {
            let coded = c40::encode(nationality).ok().filter(|_| nationality.len() == 3);
            tlv::write(&mut out, 0x05, &coded.ok_or(OwnSealError::Message(0x05))?);
        }
        write_text(&mut out, 0x06, &self.number)?;
        tlv::write(&mut out, 0x07, &day(0x07, self.expires_on)?);
        if let Some(face) = &self.face {
            if !is_face(face.expose()) {
                return Err(OwnSealError::Message(0x08));
            }
            tlv::write(&mut out, 0x08, face.expose());
        }
        write_status(&mut out, 0x09, self.status.as_ref())?;
        for (tag, text) in [(0x0a, &self.organisation), (0x0b, &self.role)] {
            if let Some(text) = text {
                write_text(&mut out, tag, text)?;
            }
        }
        if let Some(thumbprint) = &self.device_key {
            tlv::write(&mut out, 0x0c, thumbprint);
        }
        end(out)
    }

    fn read(seal: &Vds) -> Result<OrganisationSeal, OwnSealError> {
        let mut messages = Messages::of(seal);
        messages.version()?;
        let read = OrganisationSeal {
            given_name: messages.text(0x02)?,
            family_name: messages.text(0x03)?,
            birth_date: messages.date(0x04)?,
            nationality: match messages.optional(0x05)? {
                Some(coded) => Some(nationality(coded)?),
                None => None,
            },
            number: messages.text(0x06)?,
            expires_on: messages.date(0x07)?,
            face: match messages.optional(0x08)? {
                Some(face) if is_face(face) => Some(Secret::new(face.to_vec())),
                Some(_) => return Err(OwnSealError::Message(0x08)),
                None => None,
            },
            status: messages.status(0x09)?,
            organisation: messages.optional_text(0x0a)?,
            role: messages.optional_text(0x0b)?,
            device_key: match messages.optional(0x0c)? {
                Some(hash) => Some(hash.try_into().map_err(|_| OwnSealError::Message(0x0c))?),
                None => None,
            },
        };
        messages.done()?;
        Ok(read)
    }
}

fn nationality(coded: &[u8]) -> Result<String, OwnSealError> {
    let text = c40::decode(coded).ok().filter(|text| text.len() == 3);
    text.ok_or(OwnSealError::Message(0x05))
}

/// JPEG or WebP by its first bytes, within the bound; the picture itself is not opened here.
fn is_face(bytes: &[u8]) -> bool {
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    (bytes.starts_with(&[0xff, 0xd8, 0xff]) || webp) && bytes.len() <= FACE_BYTES_MAX
}

fn begin(heading: &Heading, kind: u8) -> Result<Vec<u8>, OwnSealError> {
    Ok(write_header(&Header {
        version: Version::V4,
        country: heading.country.clone(),
        signer: heading.signer.clone(),
        issued_on: heading.issued_on,
        signed_on: heading.signed_on,
        feature: kind,
        category: CATEGORY,
    })?)
}

/// Room is left for the signature and its two bytes of tag and length.
fn end(out: Vec<u8>) -> Result<Vec<u8>, OwnSealError> {
    if out.len() + 66 > SEAL_BYTES_MAX { Err(OwnSealError::TooLong) } else { Ok(out) }
}

fn bounded(tag: u8, count: usize) -> Result<(), OwnSealError> {
    if count > LIST_MAX { Err(OwnSealError::Message(tag)) } else { Ok(()) }
}

fn write_text(out: &mut Vec<u8>, tag: u8, text: &str) -> Result<(), OwnSealError> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(OwnSealError::Message(tag));
    }
    tlv::write(out, tag, text.as_bytes());
    Ok(())
}

fn write_hashes(out: &mut Vec<u8>, tag: u8, hashes: &[[u8; 32]]) -> Result<(), OwnSealError> {
    bounded(tag, hashes.len())?;
    tlv::write(out, tag, hashes.as_flattened());
    Ok(())
}

fn write_status(out: &mut Vec<u8>, tag: u8, status: Option<&StatusRef>) -> Result<(), OwnSealError> {
    let Some(status) = status else { return Ok(()) };
    if status.uri.is_empty() || status.uri.len() > TEXT_BYTES_MAX {
        return Err(OwnSealError::Message(tag));
    }
    tlv::write(out, tag, &[&status.index.to_be_bytes(), status.uri.as_bytes()].concat());
    Ok(())
}

/// The messages of a seal in the order of their tags; whatever is left over at the end is a fault.
struct Messages<'a> {
    rest: Vec<(u8, &'a [u8])>,
}

impl<'a> Messages<'a> {
    fn of(seal: &'a Vds) -> Self {
        Self { rest: seal.messages() }
    }

    /// The next message, if it has that tag: each stands once, in ascending order.
    fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, OwnSealError> {
        match self.rest.first() {
            Some((found, _)) if *found < tag => Err(OwnSealError::Message(*found)),
            Some((found, value)) if *found == tag => {
                let value = *value;
                self.rest.remove(0);
                Ok(Some(value))
            }
            _ => Ok(None),
        }
    }

    fn required(&mut self, tag: u8) -> Result<&'a [u8], OwnSealError> {
        self.optional(tag)?.ok_or(OwnSealError::Message(tag))
    }

    fn version(&mut self) -> Result<(), OwnSealError> {
        if self.required(0x01)? == [VERSION] { Ok(()) } else { Err(OwnSealError::Message(0x01)) }
    }

    fn array<const N: usize>(&mut self, tag: u8) -> Result<[u8; N], OwnSealError> {
        self.required(tag)?.try_into().map_err(|_| OwnSealError::Message(tag))
    }

    fn text(&mut self, tag: u8) -> Result<String, OwnSealError> {
        self.optional_text(tag)?.ok_or(OwnSealError::Message(tag))
    }

    fn optional_text(&mut self, tag: u8) -> Result<Option<String>, OwnSealError> {
        self.optional(tag)?.map(|value| text_of(tag, value)).transpose()
    }

    fn date(&mut self, tag: u8) -> Result<Date, OwnSealError> {
        date::decode(self.array(tag)?).map_err(|_| OwnSealError::Message(tag))
    }

    fn hashes(&mut self, tag: u8) -> Result<Vec<[u8; 32]>, OwnSealError> {
        let (hashes, rest) = self.required(tag)?.as_chunks::<32>();
        bounded(tag, hashes.len())?;
        if rest.is_empty() { Ok(hashes.to_vec()) } else { Err(OwnSealError::Message(tag)) }
    }

    fn status(&mut self, tag: u8) -> Result<Option<StatusRef>, OwnSealError> {
        let Some(value) = self.optional(tag)? else { return Ok(None) };
        let (index, uri) = value.split_first_chunk::<4>().ok_or(OwnSealError::Message(tag))?;
        Ok(Some(StatusRef { index: u32::from_be_bytes(*index), uri: text_of(tag, uri)? }))
    }

    fn done(self) -> Result<(), OwnSealError> {
        self.rest.first().map_or(Ok(()), |(tag, _)| Err(OwnSealError::Message(*tag)))
    }
}

fn text_of(tag: u8, value: &[u8]) -> Result<String, OwnSealError> {
    let text =
        std::str::from_utf8(value).ok().filter(|text| !text.is_empty() && text.len() <= TEXT_BYTES_MAX);
    text.map(str::to_owned).ok_or(OwnSealError::Message(tag))
}
