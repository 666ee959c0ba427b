//! Certificates of a tenant's keys: its own root, the leaves that root signs, and chains of an outside authority.
//!
//! ```text
//! root (x509:ca, P-256, 10 years) ── signs at once ──▶ leaf of each signer (397 days) ──▶ x5c: leaf, then intermediates; never the root
//! outside authority ── PUT certificate ──▶ checked against the version's public part ──▶ x5c
//! ```
//!
//! Own root and leaves begin at 00:00 UTC of the day before, because issue times are cut to the day.

use crypto::cbor::{self, CborLimits, Value};
use crypto::key::{PublicKey, SignAlg};
use crypto::x509::build::{self, CsrDraft, Profile, TbsDraft};
use crypto::x509::{Certificate, Name, NameParts, path, pem};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// The use of a tenant's root.
pub const ROOT_USE: &str = "x509:ca";
/// Days of a root: ten years.
pub const ROOT_DAYS: i64 = 3_653;
/// Days of a leaf.
pub const LEAF_DAYS: i64 = 397;
/// Seconds that every certificate of a path must have left before anything is signed under it.
pub const SIGNER_LEFT_S_MIN: i64 = 86_400;
/// Bytes of a chain at rest: five certificates of 16 KiB.
const CHAIN_BYTES_MAX: usize = 96 * 1024;
/// Bytes of stored names: a URI and a host.
const NAMES_BYTES_MAX: usize = 4 * 1024;

const DAY_S: i64 = 86_400;

/// Certificates of one version, leaf first, without the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// DER of each.
    pub certificates: Vec<Vec<u8>>,
    /// First moment at which all are valid.
    pub from: Timestamp,
    /// Earliest end of any certificate of the path, an own root's included.
    pub until: Timestamp,
}

/// Whom a leaf names: made once for a key, and again for each of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafNames {
    /// Common name of the subject.
    pub common_name: String,
    /// Country of the subject, two letters: signers of document seals are found by it.
    pub country: Option<String>,
    /// URI of the subject alternative name.
    pub san_uri: Option<String>,
    /// Host of the subject alternative name.
    pub san_dns: Option<String>,
}

/// Why a chain is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChainError {
    /// Not PEM certificates.
    #[error("not one to {} certificates in PEM", path::CHAIN_MAX)]
    Pem,
    /// One of them is not a certificate that the house takes.
    #[error("certificate {index} is not accepted: {cause}")]
    Certificate {
        /// Its place, from 0.
        index: usize,
        /// Why.
        cause: String,
    },
    /// The first certificate is for another key.
    #[error("the first certificate does not certify this version")]
    OtherKey,
    /// Each certificate must be signed by the next.
    #[error("certificate {index} is not signed by the one behind it")]
    Order {
        /// Its place, from 0.
        index: usize,
    },
    /// It ends too soon, or has not begun.
    #[error("the chain is not valid for another day")]
    Dates,
}

impl Chain {
    /// The column of a row.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(&Value::Array(
            self.certificates.iter().map(|der| Value::bytes(der.as_slice())).collect(),
        ))
    }

    /// Reads [`Chain::to_bytes`].
    pub fn from_bytes(bytes: &[u8], from: Timestamp, until: Timestamp) -> Option<Chain> {
        let limits = CborLimits { bytes_max: CHAIN_BYTES_MAX, depth_max: 2 };
        let value = cbor::decode(bytes, &limits).ok()?;
        let certificates: Option<Vec<Vec<u8>>> =
            value.as_array()?.iter().map(|der| der.as_bytes().map(<[u8]>::to_vec)).collect();
        Some(Chain { certificates: certificates.filter(|list| !list.is_empty())?, from, until })
    }

    /// The chain in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode_chain(&self.certificates)
    }

    /// Whether each certificate of the path has more than `left_s` seconds left at `now`.
    pub fn is_good(&self, now: Timestamp, left_s: i64) -> bool {
        self.from <= now && self.until.duration_since(now) > SignedDuration::from_secs(left_s)
    }

    /// A chain that an outside authority made for `public`.
    ///
    /// # Errors
    /// [`ChainError`]. A root at the end is dropped: it never travels.
    pub fn of_outside(pem_text: &str, public: &PublicKey, now: Timestamp) -> Result<Chain, ChainError> {
        let ders = pem::decode_certificates(pem_text).map_err(|_| ChainError::Pem)?;
        if ders.len() > path::CHAIN_MAX {
            return Err(ChainError::Pem);
        }
        let parse = |(index, der): (usize, &Vec<u8>)| {
            Certificate::parse(der)
                .map_err(|cause| ChainError::Certificate { index, cause: cause.to_string() })
        };
        let mut chain: Vec<Certificate> = ders.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        if chain.first().is_none_or(|leaf| leaf.public_key() != public) {
            return Err(ChainError::OtherKey);
        }
        for (index, pair) in chain.windows(2).enumerate() {
            if pair[0].issuer() != pair[1].subject() || !pair[0].is_signed_by(pair[1].public_key()) {
                return Err(ChainError::Order { index });
            }
        }
        let from = chain.iter().map(Certificate::not_before).max().unwrap_or(now);
        let until = chain.iter().map(Certificate::not_after).min().unwrap_or(now);
        if chain.len() > 1 && chain.last().is_some_and(|last| last.issuer() == last.subject()) {
            chain.pop();
        }
        let chain = Chain { certificates: chain.iter().map(|one| one.der().to_vec()).collect(), from, until };
        if chain.is_good(now, SIGNER_LEFT_S_MIN) { Ok(chain) } else { Err(ChainError::Dates) }
    }
}

impl LeafNames {
    /// The column of a row.
    pub fn to_bytes(&self) -> Vec<u8> {
        let optional = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::text);
        let mut list = vec![Value::text(&self.common_name), optional(&self.san_uri), optional(&self.san_dns)];
        // Names without a country stand as they always did.
        list.extend(self.country.as_deref().map(Value::text));
        cbor::encode(&Value::Array(list))
    }

    /// Reads [`LeafNames::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Option<LeafNames> {
        let value = cbor::decode(bytes, &CborLimits { bytes_max: NAMES_BYTES_MAX, depth_max: 2 }).ok()?;
        let ([common_name, san_uri, san_dns], country) = match value.as_array()? {
            [names @ .., country] if names.len() == 3 => (names.first_chunk::<3>()?, Some(country)),
            names => (names.first_chunk::<3>().filter(|three| three.len() == names.len())?, None),
        };
        let owned = |value: &Value| value.as_text().map(str::to_owned);
        Some(LeafNames {
            common_name: owned(common_name)?,
            country: country.and_then(owned),
            san_uri: owned(san_uri),
            san_dns: owned(san_dns),
        })
    }

    fn profile(&self) -> Profile {
        Profile::Leaf(build::LeafNames {
            san_uris: self.san_uri.iter().cloned().collect(),
            san_dns: self.san_dns.iter().cloned().collect(),
            ekus: Vec::new(),
        })
    }

    fn subject(&self) -> Option<Name> {
        Name::new(&NameParts {
            common_name: self.common_name.clone(),
            country: self.country.clone(),
            ..NameParts::default()
        })
    }
}

/// A certificate that waits for its signature.
pub struct Unsigned {
    /// The bytes that the issuer's key signs.
    pub to_be_signed: Vec<u8>,
    from: Timestamp,
    until: Timestamp,
    alg: SignAlg,
}

impl Unsigned {
    /// The chain of one certificate that this signature makes of it.
    pub fn sign(self, signature: &[u8]) -> Option<Chain> {
        let der = build::assemble(&self.to_be_signed, self.alg, signature).ok()?;
        Some(Chain { certificates: vec![der], from: self.from, until: self.until })
    }
}

/// A self-signed root for `public`, P-256.
pub fn root(
    common_name: &str,
    public: &PublicKey,
    serial: [u8; build::SERIAL_BYTES],
    now: Timestamp,
) -> Option<Unsigned> {
    let subject = Name::new(&NameParts { common_name: common_name.to_owned(), ..NameParts::default() })?;
    let from = day_before(now);
    let until = from + SignedDuration::from_secs(ROOT_DAYS * DAY_S);
    let draft = TbsDraft {
        issuer: subject.clone(),
        subject,
        issuer_key: public.clone(),
        serial,
        not_before: from,
        not_after: until,
        public_key: public.clone(),
        profile: Profile::Ca { path_len: Some(0) },
    };
    Some(Unsigned {
        to_be_signed: draft.to_be_signed(SignAlg::Es256).ok()?,
        from,
        until,
        alg: SignAlg::Es256,
    })
}

/// A leaf for `public` under `root`, which never outlives it.
pub fn leaf(
    names: &LeafNames,
    public: &PublicKey,
    root: &Certificate,
    serial: [u8; build::SERIAL_BYTES],
    now: Timestamp,
) -> Option<Unsigned> {
    let from = day_before(now).max(root.not_before());
    let until = (from + SignedDuration::from_secs(LEAF_DAYS * DAY_S)).min(root.not_after());
    let draft = TbsDraft {
        subject: names.subject()?,
        issuer: root.subject().clone(),
        issuer_key: root.public_key().clone(),
        serial,
        not_before: from,
        not_after: until,
        public_key: public.clone(),
        profile: names.profile(),
    };
    Some(Unsigned {
        to_be_signed: draft.to_be_signed(SignAlg::Es256).ok()?,
        from,
        until,
        alg: SignAlg::Es256,
    })
}

/// The request for a certificate of `public`: the bytes its own key signs.
pub fn request(names: &LeafNames, public: &PublicKey) -> Option<Vec<u8>> {
    let draft = CsrDraft { subject: names.subject()?, public_key: public.clone(), profile: names.profile() };
    draft.to_be_signed().ok()
}

/// 00:00 UTC of the day before.
fn day_before(now: Timestamp) -> Timestamp {
    let midnight = now.as_second().div_euclid(DAY_S) * DAY_S;
    Timestamp::from_second(midnight - DAY_S).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::key::{KeyAlg, PrivateKey};
    use crypto::x509::path::{LeafName, PathRules};

    const NOW: &str = "2026-11-20T12:34:56Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn names() -> LeafNames {
        let san_uri = Some("https://host.test/t/default".to_owned());
        LeafNames { common_name: "default issuer".to_owned(), country: None, san_uri, san_dns: None }
    }

    fn signed(key: &PrivateKey, unsigned: Unsigned) -> Chain {
        let signature = key.sign(SignAlg::Es256, &unsigned.to_be_signed).unwrap();
        unsigned.sign(&signature).unwrap()
    }

    fn made() -> (PrivateKey, Certificate, Chain) {
        let (ca, key) = (PrivateKey::generate(KeyAlg::P256), PrivateKey::generate(KeyAlg::P256));
        let root = signed(&ca, root("default root", &ca.public(), [7; 16], now()).unwrap());
        let root = Certificate::parse(&root.certificates[0]).unwrap();
        let leaf = signed(&ca, leaf(&names(), &key.public(), &root, [9; 16], now()).unwrap());
        (key, root, leaf)
    }

    #[test]
    fn a_leaf_leads_to_its_root_and_begins_the_day_before() {
        let (_, root, leaf) = made();
        assert!(root.is_ca());
        assert_eq!(root.not_before().to_string(), "2026-11-19T00:00:00Z");
        assert_eq!((root.not_after().duration_since(root.not_before())).as_secs(), ROOT_DAYS * DAY_S);
        assert_eq!(leaf.from.to_string(), "2026-11-19T00:00:00Z");
        assert_eq!(leaf.until.duration_since(leaf.from).as_secs(), LEAF_DAYS * DAY_S);
        let chain = [Certificate::parse(&leaf.certificates[0]).unwrap()];
        let rules =
            PathRules { name: Some(LeafName::Uri("https://host.test/t/default")), ..PathRules::at(now()) };
        path::verify(&chain, &[root], &rules).unwrap();
    }

    #[test]
    fn a_leaf_never_outlives_its_root() {
        let (_, root, _) = made();
        let late = root.not_after() - SignedDuration::from_secs(30 * DAY_S);
        let public = PrivateKey::generate(KeyAlg::P256).public();
        let unsigned = leaf(&names(), &public, &root, [1; 16], late).unwrap();
        assert_eq!(unsigned.until, root.not_after());
    }

    #[test]
    fn a_chain_is_good_until_a_day_before_its_end() {
        let (_, _, leaf) = made();
        assert!(leaf.is_good(now(), SIGNER_LEFT_S_MIN));
        assert!(leaf.is_good(leaf.until - SignedDuration::from_secs(DAY_S + 1), SIGNER_LEFT_S_MIN));
        assert!(!leaf.is_good(leaf.until - SignedDuration::from_secs(DAY_S), SIGNER_LEFT_S_MIN));
        assert!(!leaf.is_good(leaf.from - SignedDuration::from_secs(1), SIGNER_LEFT_S_MIN));
    }

    #[test]
    fn rows_read_back() {
        let (_, _, leaf) = made();
        assert_eq!(Chain::from_bytes(&leaf.to_bytes(), leaf.from, leaf.until), Some(leaf.clone()));
        assert_eq!(Chain::from_bytes(&[0x80], leaf.from, leaf.until), None);
        let abroad = LeafNames { country: Some("XT".to_owned()), ..names() };
        for names in [names(), abroad] {
            assert_eq!(LeafNames::from_bytes(&names.to_bytes()), Some(names));
        }
    }

    #[test]
    fn an_outside_chain_must_certify_the_key_in_order() {
        let (key, root, leaf) = made();
        let pem = |ders: &[&[u8]]| pem::encode_chain(ders);
        let (leaf, root) = (leaf.certificates[0].as_slice(), root.der());
        let taken = Chain::of_outside(&pem(&[leaf, root]), &key.public(), now()).unwrap();
        assert_eq!(taken.certificates, [leaf.to_vec()], "the root is dropped");
        let refused = |text: &str, public: &PublicKey| Chain::of_outside(text, public, now()).unwrap_err();
        let other = PrivateKey::generate(KeyAlg::P256).public();
        assert_eq!(refused(&pem(&[leaf]), &other), ChainError::OtherKey);
        assert_eq!(refused(&pem(&[leaf, leaf]), &key.public()), ChainError::Order { index: 0 });
        assert_eq!(refused("", &key.public()), ChainError::Pem);
        assert_eq!(refused(&pem(&[leaf; 6]), &key.public()), ChainError::Pem);
        let over = now() + SignedDuration::from_secs(400 * DAY_S);
        assert_eq!(Chain::of_outside(&pem(&[leaf]), &key.public(), over), Err(ChainError::Dates));
    }
}
