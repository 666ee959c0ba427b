//! Trust anchors as values.

use crypto::hash;
use crypto::x509::Certificate;

/// Bytes of a type pattern: a type identifier and a star.
const PATTERN_BYTES_MAX: usize = 1024;

/// What an anchor is trusted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// Issuers of credentials of the types it names.
    Issuer,
    /// Status lists of any credential.
    Status,
    /// Signed metadata of issuers.
    Metadata,
    /// Wallet attestations.
    WalletProvider,
    /// Key attestations.
    KeyAttestation,
    /// Verifiers, to a wallet.
    Reader,
    /// Trust lists.
    ListSigner,
}

impl Context {
    /// Every context.
    pub const ALL: [Context; 7] = [
        Self::Issuer,
        Self::Status,
        Self::Metadata,
        Self::WalletProvider,
        Self::KeyAttestation,
        Self::Reader,
        Self::ListSigner,
    ];

    /// `wallet-provider` and so on, as our API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Status => "status",
            Self::Metadata => "metadata",
            Self::WalletProvider => "wallet-provider",
            Self::KeyAttestation => "key-attestation",
            Self::Reader => "reader",
            Self::ListSigner => "list-signer",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|context| context.as_str() == name)
    }
}

/// Which types an issuer's anchor vouches for: one `vct` or doctype, or with a star at its end all that begin so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TypePattern(String);

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pattern is a type, or the beginning of one and a single * at the end, at most {PATTERN_BYTES_MAX} bytes"
)]
pub struct PatternError;

impl TypePattern {
    /// Reads `https://issuer.example/diploma`, `urn:eudi:pid:*` or `*`.
    ///
    /// # Errors
    /// [`PatternError`] for an empty text, a star elsewhere than at the end, or too many bytes.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let star_inside = text.find('*').is_some_and(|at| at + 1 != text.len());
        if text.is_empty() || text.len() > PATTERN_BYTES_MAX || star_inside {
            return Err(PatternError);
        }
        Ok(Self(text.to_owned()))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `kind` is one of its types; compared byte by byte.
    pub fn matches(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => kind == self.0,
        }
    }
}

/// A certificate that we believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// `anc_…`.
    pub id: String,
    /// The certificate.
    pub certificate: Certificate,
    /// What for.
    pub contexts: Vec<Context>,
    /// Of which types; asked in the context [`Context::Issuer`] only. Empty: of none.
    pub types: Vec<TypePattern>,
}

/// A tenant's anchors at one moment.
#[derive(Clone, Debug)]
pub struct Anchors {
    list: Vec<Anchor>,
    /// Of the whole set: a kept verdict belongs to the set it was made with.
    fingerprint: [u8; 32],
}

impl Anchors {
    /// A set. Made once per change, not per check.
    pub fn new(list: Vec<Anchor>) -> Self {
        let mut described = Vec::new();
        for anchor in &list {
            let contexts: Vec<_> = anchor.contexts.iter().map(|context| context.as_str()).collect();
            let types: Vec<_> = anchor.types.iter().map(TypePattern::as_str).collect();
            let line = (&anchor.id, crypto::hex::encode(&anchor.certificate.sha256()), contexts, types);
            described.push(serde_json::json!([line.0, line.1, line.2, line.3]));
        }
        let fingerprint = hash::sha256(serde_json::Value::Array(described).to_string().as_bytes());
        Self { list, fingerprint }
    }

    /// The anchors.
    pub fn list(&self) -> &[Anchor] {
        &self.list
    }

    pub(super) fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Certificates that vouch in `context`, and those that do not.
    pub(super) fn split(&self, context: Context) -> (Vec<Certificate>, Vec<Certificate>) {
        let (inside, outside): (Vec<&Anchor>, Vec<&Anchor>) =
            self.list.iter().partition(|anchor| anchor.contexts.contains(&context));
        let certificates = |anchors: Vec<&Anchor>| anchors.iter().map(|it| it.certificate.clone()).collect();
        (certificates(inside), certificates(outside))
    }

    /// The first anchor with this certificate that vouches in `context`, for an issuer also for the type `kind`.
    pub(super) fn vouching(
        &self,
        certificate_sha256: &[u8; 32],
        context: Context,
        kind: &str,
    ) -> Option<&Anchor> {
        self.list.iter().find(|anchor| {
            anchor.certificate.sha256() == *certificate_sha256
                && anchor.contexts.contains(&context)
                && (context != Context::Issuer || anchor.types.iter().any(|pattern| pattern.matches(kind)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_type_or_its_beginning() {
        let exact = TypePattern::parse("urn:pid").unwrap();
        assert!(exact.matches("urn:pid") && !exact.matches("urn:pid:1") && !exact.matches("URN:PID"));
        let beginning = TypePattern::parse("urn:pid:*").unwrap();
        assert!(beginning.matches("urn:pid:de") && !beginning.matches("urn:pid"));
        assert!(TypePattern::parse("*").unwrap().matches("anything"));
        for bad in ["", "a*b", "**", &"a".repeat(PATTERN_BYTES_MAX + 1)] {
            assert_eq!(TypePattern::parse(bad), Err(PatternError));
        }
    }

    #[test]
    fn every_context_has_one_name() {
        for context in Context::ALL {
            assert_eq!(Context::parse(context.as_str()), Some(context));
        }
        assert_eq!(Context::parse("Issuer"), None);
    }
}
