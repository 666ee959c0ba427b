//! ICAO visible digital seals, versions 3 and 4 (ICAO Doc 9303-13; profiles of BSI TR-03137 and TR-03171).
//!
//! ```text
//! DC │ 02 = v3, 03 = v4 │ country, C40 2 B │ v3: signer 4 + reference 5 characters, C40 6 B
//!                                          │ v4: signer 4 + length 2, C40 4 B; reference, C40
//!    │ issued, signed: 3 B each │ feature │ category │ messages … │ FF length r‖s
//! ```
//! The length of a version 4 reference is hexadecimal; the signer `DEZV` writes it in decimal.

use jiff::civil::Date;

use super::c40;
use super::date;
use super::signer::SignerName;
use super::tlv::{self, TlvError};
use super::{SEAL_BYTES_MAX, Seal};
use crate::Unverified;

/// The tag of the signature, which ends a seal.
const SIGNATURE: u8 = 0xff;
/// The signer that counts its references' characters in decimal.
const DECIMAL_SIGNER: &str = "DEZV";

/// Why bytes are no seal that can be checked. Names places and tags, never content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VdsError {
    /// More than 4 KiB.
    #[error("more than {SEAL_BYTES_MAX} bytes")]
    TooLong,
    /// It does not begin as a seal of version 3 or 4.
    #[error("not a seal of version 3 or 4")]
    Magic,
    /// A field of the header is cut off or does not read.
    #[error("header field {field} at byte {at}")]
    Header {
        /// Which.
        field: &'static str,
        /// Its offset.
        at: usize,
    },
    /// The messages break off.
    #[error(transparent)]
    Messages(#[from] TlvError),
    /// There is no signature, or something follows it.
    #[error("no signature at the end")]
    Unsigned,
    /// A signature of a length that no curve of Doc 9303-13 gives.
    #[error("a signature of {0} bytes")]
    SignatureLength(usize),
}

/// The versions of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// Byte 02.
    V3,
    /// Byte 03.
    V4,
}

/// What stands before the messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Of the frame.
    pub version: Version,
    /// Who issued the document: two or three letters.
    pub country: String,
    /// Who signed, and with which certificate.
    pub signer: SignerName,
    /// When the document was issued.
    pub issued_on: Date,
    /// When the seal was signed.
    pub signed_on: Date,
    /// What the messages mean, within the category.
    pub feature: u8,
    /// Whose definitions hold: odd is ICAO's, even somebody else's.
    pub category: u8,
}

/// A seal. That a value of this type exists outside [`Unverified`] says that its signature was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Vds {
    bytes: Vec<u8>,
    header: Header,
    messages_at: usize,
    signature_at: usize,
    signature: Vec<u8>,
}

impl Vds {
    /// Reads a seal; the signature covers the bytes as they are.
    ///
    /// # Errors
    /// [`VdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Unverified<Vds>, VdsError> {
        if bytes.len() > SEAL_BYTES_MAX {
            return Err(VdsError::TooLong);
        }
        let (header, messages_at) = read_header(bytes)?;
        let messages = tlv::read(bytes, messages_at)?;
        let (last, before) = messages.split_last().ok_or(VdsError::Unsigned)?;
        if last.tag != SIGNATURE || before.iter().any(|message| message.tag == SIGNATURE) {
            return Err(VdsError::Unsigned);
        }
        if !matches!(last.value.len(), 56 | 64 | 96 | 128) {
            return Err(VdsError::SignatureLength(last.value.len()));
        }
        Ok(Unverified::new(Vds {
            header,
            messages_at,
            signature_at: last.at,
            signature: last.value.to_vec(),
            bytes: bytes.to_vec(),
        }))
    }

    /// What stands before the messages.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The whole, as it was received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The messages, in order, without the signature.
    pub fn messages(&self) -> Vec<(u8, &[u8])> {
        let signed = &self.bytes[..self.signature_at];
        let messages = tlv::read(signed, self.messages_at).expect("they were read before");
        messages.into_iter().map(|message| (message.tag, message.value)).collect()
    }

    /// The first message with that tag.
    pub fn message(&self, tag: u8) -> Option<&[u8]> {
        self.messages().into_iter().find(|(found, _)| *found == tag).map(|(_, value)| value)
    }
}

impl Seal for Vds {
    fn tbs(&self) -> &[u8] {
        &self.bytes[..self.signature_at]
    }

    fn signature(&self) -> &[u8] {
        &self.signature
    }

    fn signer(&self) -> &SignerName {
        &self.header.signer
    }

    fn signed_on(&self) -> Date {
        self.header.signed_on
    }
}

/// A seal is about a person: logs show who signed it, no more.
impl std::fmt::Debug for Vds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vds({:02x}{:02x} by {})", self.header.feature, self.header.category, self.header.signer)
    }
}

/// Takes fields from the front.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], VdsError> {
        let taken =
            self.bytes.get(self.at..self.at + count).ok_or(VdsError::Header { field, at: self.at })?;
        self.at += count;
        Ok(taken)
    }

    fn c40(&mut self, characters: usize, field: &'static str) -> Result<String, VdsError> {
        let at = self.at;
        let text = c40::decode(self.take(c40::bytes_of(characters), field)?).ok();
        // A country of one letter may stand as that letter alone, filled by nothing.
        let fits = |text: &String| text.len() == characters || (field == "country" && text.len() == 1);
        text.filter(fits).ok_or(VdsError::Header { field, at })
    }

    fn date(&mut self, field: &'static str) -> Result<Date, VdsError> {
        let at = self.at;
        let taken = self.take(3, field)?;
        date::decode([taken[0], taken[1], taken[2]]).map_err(|_| VdsError::Header { field, at })
    }
}

fn read_header(bytes: &[u8]) -> Result<(Header, usize), VdsError> {
    let version = match bytes {
        [0xdc, 0x02, ..] => Version::V3,
        [0xdc, 0x03, ..] => Version::V4,
        _ => return Err(VdsError::Magic),
    };
    let mut fields = Fields { bytes, at: 2 };
    let country = fields.c40(3, "country")?.trim_end().to_owned();
    let at = fields.at;
    let signer = match version {
        Version::V3 => {
            let both = fields.c40(9, "signer")?;
            let (id, reference) = both.split_at(4);
            SignerName::new(id, reference)
        }
        Version::V4 => {
            let both = fields.c40(6, "signer")?;
            let (id, length) = both.split_at(4);
            let radix = if id == DECIMAL_SIGNER { 10 } else { 16 };
            let length = usize::from_str_radix(length, radix)
                .map_err(|_| VdsError::Header { field: "reference length", at })?;
            SignerName::new(id, &fields.c40(length, "reference")?)
        }
    };
    let header = Header {
        version,
        country,
        signer: signer.ok_or(VdsError::Header { field: "signer", at })?,
        issued_on: fields.date("issued")?,
        signed_on: fields.date("signed")?,
        feature: fields.take(1, "feature")?[0],
        category: fields.take(1, "category")?[0],
    };
    Ok((header, fields.at))
}

/// Writes the frame of version 4 up to where the messages begin.
///
/// # Errors
/// [`VdsError::Header`] when a field cannot be written.
pub(super) fn write_header(header: &Header) -> Result<Vec<u8>, VdsError> {
    let bad = |field| VdsError::Header { field, at: 0 };
    let mut out = vec![0xdc, 0x03];
    let coded = |text: &str, field| c40::encode(text).map_err(|_| bad(field));
    if header.country.len() > 3 {
        return Err(bad("country"));
    }
    out.extend(coded(&format!("{:<3}", header.country), "country")?);
    let reference = header.signer.reference();
    if header.signer.id() == DECIMAL_SIGNER || reference.len() > 0xff {
        return Err(bad("signer"));
    }
    out.extend(coded(&format!("{}{:02X}", header.signer.id(), reference.len()), "signer")?);
    out.extend(coded(reference, "reference")?);
    out.extend(date::encode(header.issued_on).map_err(|_| bad("issued"))?);
    out.extend(date::encode(header.signed_on).map_err(|_| bad("signed"))?);
    out.extend([header.feature, header.category]);
    Ok(out)
}
