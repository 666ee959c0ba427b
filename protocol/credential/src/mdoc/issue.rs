//! Issuing one copy: elements become salted items, their digests the security object that the issuer's key signs.

use crypto::base64;
use crypto::cbor::Writer;
use crypto::cose::Sign1Draft;
use crypto::hash;
use crypto::key::PublicKey;
use jiff::Timestamp;

use super::element::{Elements, Namespace};
use super::item::{self, tagged};
use super::mso::Unsigned;
use super::{ITEM_BYTES_MAX, MDOC_BYTES_MAX, is_name};
use crate::entropy::Pool;
use crate::sd_jwt::Validity;
use crate::status::StatusReference;

/// Bytes kept free for headers, certificates and signature, which are added when the security object is signed.
const ENVELOPE_BYTES: usize = 32 * 1024;

/// Whom and what a document is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The document type.
    pub doctype: &'a str,
    /// The public key of this copy's device: P-256, P-384 or Ed25519.
    pub device_key: &'a PublicKey,
    /// This copy's own place in a status list.
    pub status: Option<&'a StatusReference>,
    /// `signed` and `validFrom`, and `validUntil`: whole days.
    pub validity: Validity,
    /// The first moment of the signer's certificate: `signed` may not lie before it.
    pub signer_starts_at: Option<Timestamp>,
}

/// A document before its signature.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the issuer's key signs; the signer adds the algorithm (protected) and its certificates (unprotected).
    pub sign1: Sign1Draft,
    /// What travels beside it.
    pub items: Items,
}

/// The items of a new document, encoded. They hold personal data: `Debug` shows the count.
#[derive(Clone, PartialEq, Eq)]
pub struct Items(Vec<(String, Vec<Vec<u8>>)>);

/// Why elements become no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// No element at all: no rule of the type names one, or the dataset has none of them.
    #[error("no claim of the dataset is an element of the document")]
    NoElements,
    /// One item is larger than [`ITEM_BYTES_MAX`].
    #[error("an element has at most {ITEM_BYTES_MAX} bytes")]
    ElementTooLarge,
    /// The whole is larger than [`MDOC_BYTES_MAX`].
    #[error("a document has at most {MDOC_BYTES_MAX} bytes")]
    TooLarge,
    /// A document type that is empty or too long.
    #[error("the document type is empty or too long")]
    DocType,
    /// A device key of a kind that devices do not sign with.
    #[error("the device key is not of a kind that documents name")]
    DeviceKey,
    /// The signer's certificate begins after the day on which the document is signed.
    #[error("the signer's certificate begins after the day of signing")]
    Dates,
}

/// Makes one copy. `entropy` fills the slices it is given; salts and the order of digests come from it alone.
///
/// # Errors
/// A bound that the reader keeps too: see [`IssueError`].
pub fn issue(
    elements: &Elements,
    subject: &Subject<'_>,
    entropy: &mut dyn FnMut(&mut [u8]),
) -> Result<Draft, IssueError> {
    if elements.count() == 0 {
        return Err(IssueError::NoElements);
    }
    if !is_name(subject.doctype) {
        return Err(IssueError::DocType);
    }
    if subject.signer_starts_at.is_some_and(|starts_at| subject.validity.issued_at() < starts_at) {
        return Err(IssueError::Dates);
    }
    let mut pool = Pool::new(entropy);
    let mut items = Vec::with_capacity(elements.0.len());
    let mut digests = Vec::with_capacity(elements.0.len());
    for namespace in in_order(&elements.0) {
        let (written, hashed) = namespace_items(namespace, &mut pool)?;
        items.push((namespace.name.clone(), written));
        digests.push((namespace.name.as_str(), hashed));
    }
    let security_object = Unsigned { subject, digests: &digests }.encode().ok_or(IssueError::DeviceKey)?;
    let items = Items(items);
    if items.bytes() + security_object.len() + ENVELOPE_BYTES > MDOC_BYTES_MAX {
        return Err(IssueError::TooLarge);
    }
    Ok(Draft { sign1: Sign1Draft::new(tagged(&security_object)), items })
}

/// Namespaces as map keys stand: shorter first, then byte by byte.
fn in_order(namespaces: &[Namespace]) -> Vec<&Namespace> {
    let mut sorted: Vec<_> = namespaces.iter().collect();
    sorted.sort_by_key(|namespace| (namespace.name.len(), namespace.name.as_str()));
    sorted
}

type NamespaceItems = (Vec<Vec<u8>>, Vec<[u8; 32]>);

/// The items in the order of the elements; their digests in the order of their ids, which is drawn, so that an id says
/// nothing of its element.
fn namespace_items(namespace: &Namespace, pool: &mut Pool<'_>) -> Result<NamespaceItems, IssueError> {
    let ids = shuffled(namespace.elements.len(), pool);
    let mut written = Vec::with_capacity(ids.len());
    let mut digests = vec![[0; 32]; ids.len()];
    for (id, (element, value)) in ids.into_iter().zip(&namespace.elements) {
        let item = item::write(id as u64, &pool.take(), element, value);
        if item.len() > ITEM_BYTES_MAX {
            return Err(IssueError::ElementTooLarge);
        }
        digests[id] = hash::sha256(&item);
        written.push(item);
    }
    Ok((written, digests))
}

/// 0…n−1, Fisher–Yates.
fn shuffled(count: usize, pool: &mut Pool<'_>) -> Vec<usize> {
    let mut ids: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        ids.swap(last, pool.below(last as u32 + 1) as usize);
    }
    ids
}

impl Items {
    /// The document, `IssuerSigned` in base64url: `issuer_auth` is the signed object, untagged, as [`Sign1Draft::assemble`]
    /// gives it.
    pub fn assemble(&self, issuer_auth: &[u8]) -> String {
        let mut out = Writer::with_capacity(self.bytes() + 2 * 1024);
        out.map(2).text("issuerAuth").raw(issuer_auth).text("nameSpaces").map(self.0.len());
        for (namespace, items) in &self.0 {
            out.text(namespace).array(items.len());
            for item in items {
                out.raw(item);
            }
        }
        base64::url_encode(&out.finish())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(_, items)| items.len()).sum()
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(name, items)| name.len() + 8 + items.iter().map(Vec::len).sum::<usize>()).sum()
    }
}

impl std::fmt::Debug for Items {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Items({})", self.count())
    }
}
