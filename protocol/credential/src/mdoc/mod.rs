//! Mobile documents (ISO/IEC 18013-5:2021) as OpenID4VCI and OpenID4VP carry them: elements under a signed list of their digests.
//!
//! ```text
//! issuer    Elements + Subject + entropy ─issue─▶ Draft { sign1, items } ─(signed outside)─▶ assemble ─▶ IssuerSigned, base64url
//! reader    text ─Mdoc::parse─▶ Unverified<Mdoc> ─verify(key, now)─▶ Mdoc { claims, device key, validity, status }
//! holder    Mdoc ─present(paths, transcript)─▶ Presentation ─sign1─▶ (signed outside) ─bind─▶ DeviceResponse, base64url
//! verifier  text + SessionTranscript ─presentation::examine_mdoc─▶ Examined { one line for each check, what was shown }
//! ```
//! Invariants. Only definite lengths, shortest heads and distinct map keys are read, map keys in any order, so that
//! `#6.24(bstr)` has one encoding and digests run over the bytes as received. An element identifier or digest id that
//! stands twice in a namespace is refused: nobody may choose which of two is meant. The device signs; a MAC, which would
//! need a key agreed with the verifier, is refused by name. Elements signed by the device alone are counted and not read.
//!
//! Absent: ISO's own proximity and online engagements, reader authentication, more than one document in a response.
//!
//! Start reading at [`issue`], then [`crate::presentation::examine_mdoc`].

mod element;
mod hold;
mod issue;
mod item;
mod mso;
mod read;
mod response;
mod transcript;

pub use element::{ElementError, Elements, Encoding};
pub use hold::{PresentError, Presentation};
pub use issue::{Draft, IssueError, Items, Subject, issue};
pub use mso::{MsoFault, SecurityObject, ValidityFault};
pub use read::{IssuerSigned, Mdoc, ParseError, Rejection};
pub use response::{DeviceResponse, ResponseError};
pub use transcript::SessionTranscript;

pub(crate) use read::fits;

use crypto::cbor::CborLimits;
use crypto::key::SignAlg;

/// Format identifier (OpenID4VCI 1.0, A.2; OpenID4VP 1.0, B.2).
pub const FORMAT: &str = "mso_mdoc";
/// Extended key usage of a document signer (ISO/IEC 18013-5, B.1.4), for certificates of an IACA.
pub const SIGNER_EKU: &str = "1.0.18013.5.1.2";

/// Bytes of an `IssuerSigned` or a `DeviceResponse`: as of an SD-JWT, several portraits fit.
pub const MDOC_BYTES_MAX: usize = 256 * 1024;
/// Elements of one document; an mDL with every optional element has about forty.
pub const ELEMENTS_MAX: usize = 256;
/// Namespaces of one document: its type's, a country's and a few more.
pub const NAMESPACES_MAX: usize = 16;
/// Digests of one security object: issuers may list decoys and elements they did not hand over.
pub const DIGESTS_MAX: usize = 1024;
/// Bytes of one item with its salt and name: a portrait fits.
pub const ITEM_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a document type, namespace or element identifier, which stand in queries too.
pub const NAME_BYTES_MAX: usize = 256;
/// Levels of CBOR in each part; recursion ends here.
pub const DEPTH_MAX: usize = 16;
/// Bytes of a new salt (ISO/IEC 18013-5, 9.1.2.5 asks for at least 16).
pub const SALT_BYTES: usize = 32;

/// Tag of a byte string that holds encoded CBOR (RFC 8949, 3.4.5.1).
const ENCODED: u64 = 24;
/// Version of every structure of the first edition.
const VERSION: &str = "1.0";

const LIMITS: CborLimits = CborLimits { bytes_max: MDOC_BYTES_MAX, depth_max: DEPTH_MAX };
const ITEM_LIMITS: CborLimits = CborLimits { bytes_max: ITEM_BYTES_MAX, depth_max: DEPTH_MAX };

/// Whether issuers and devices may sign so (ISO/IEC 18013-5, table B.3, as far as the house has keys for it).
const fn is_mdoc_alg(alg: SignAlg) -> bool {
    matches!(alg, SignAlg::Es256 | SignAlg::Es384 | SignAlg::EdDsa)
}

/// Whether a text may name a document type, namespace or element.
fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
}
