//! The holder's side: which elements to show, and what the device signs.

use crypto::base64;
use crypto::cbor::Writer;
use crypto::cose::Sign1Draft;

use super::item::{Item, tagged};
use super::{Mdoc, SessionTranscript, VERSION};
use crate::claims_path::{ClaimsPath, Step};

/// `DeviceNameSpaces` without elements: nothing is vouched for by the device alone.
const NO_NAMESPACES: [u8; 1] = [0xa0];

/// Why a choice of elements makes no presentation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresentError {
    /// The document has no such element.
    #[error("the document has no element at {0}")]
    NotThere(ClaimsPath),
}

/// A document cut down to chosen elements, ready for the device's signature. `Debug` shows nothing of it.
pub struct Presentation {
    doctype: String,
    /// `IssuerSigned`, encoded.
    signed: Vec<u8>,
    /// What the device signs over.
    pub sign1: Sign1Draft,
}

impl Mdoc {
    /// Shows the elements at `paths` (namespace, element, and what is inside it) and nothing else, for one request.
    ///
    /// # Errors
    /// [`PresentError::NotThere`] for a path that selects nothing, before anything is shown.
    pub fn present(
        &self,
        paths: &[ClaimsPath],
        transcript: &SessionTranscript,
    ) -> Result<Presentation, PresentError> {
        let claims = self.claims();
        if let Some(path) = paths.iter().find(|path| path.select_in(&claims).is_empty()) {
            return Err(PresentError::NotThere(path.clone()));
        }
        let shown: Vec<&Item> = self.signed.items.iter().filter(|item| is_wanted(item, paths)).collect();
        let payload = transcript.device_authentication(self.doctype(), &NO_NAMESPACES);
        Ok(Presentation {
            doctype: self.doctype().to_owned(),
            signed: issuer_signed(&shown, &self.auth),
            sign1: Sign1Draft { detached: true, ..Sign1Draft::new(payload) },
        })
    }
}

impl Presentation {
    /// The `DeviceResponse` in base64url: `device_signature` is the signed form of [`Self::sign1`], untagged and without its
    /// payload, as [`Sign1Draft::assemble`] gives it.
    pub fn bind(&self, device_signature: &[u8]) -> String {
        let mut out = Writer::with_capacity(self.signed.len() + 512);
        out.map(3).text("status").uint(0).text("version").text(VERSION).text("documents").array(1);
        out.map(3).text("docType").text(&self.doctype).text("deviceSigned").map(2);
        out.text("deviceAuth").map(1).text("deviceSignature").raw(device_signature);
        out.text("nameSpaces").raw(&tagged(&NO_NAMESPACES)).text("issuerSigned").raw(&self.signed);
        base64::url_encode(&out.finish())
    }
}

impl std::fmt::Debug for Presentation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Presentation({} bytes)", self.signed.len())
    }
}

/// Items stand together by namespace, as they were read.
fn issuer_signed(shown: &[&Item], auth: &[u8]) -> Vec<u8> {
    let bytes: usize = shown.iter().map(|item| item.encoded.len() + 8).sum();
    let mut out = Writer::with_capacity(bytes + 2 * 1024);
    let groups: Vec<&[&Item]> = shown.chunk_by(|a, b| a.namespace == b.namespace).collect();
    out.map(1 + usize::from(!groups.is_empty())).text("issuerAuth").raw(auth);
    if !groups.is_empty() {
        out.text("nameSpaces").map(groups.len());
    }
    for group in groups {
        out.text(&group[0].namespace).array(group.len());
        for item in group {
            out.raw(&item.tagged());
        }
    }
    out.finish()
}

fn is_wanted(item: &Item, paths: &[ClaimsPath]) -> bool {
    let place = [Step::Name(item.namespace.clone()), Step::Name(item.element.clone())];
    paths.iter().any(|path| path.covers(&place) || path.goes_below(&place))
}
