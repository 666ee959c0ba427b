//! Trust anchors: which certificates a tenant believes, and for what.
//!
//! An anchor for one purpose never vouches for another: it names its contexts, and as an issuer's the types it may issue. A tenant's
//! own root is its first anchor, for its own types.

use std::sync::Arc;

use crypto::hash;
use crypto::x509::Certificate;
use jiff::Timestamp;
use store::{CommitError, Committed, Ctx, Refused, Row, StoreFault, Unit, id};
use thiserror::Error;
use tlog::event::Event;

use crate::trust_list::KnownList;
use crate::{Custody, store as rows};

/// Tenants whose rows are remembered: with ten anchors each about 10 MB.
pub(crate) const TENANTS_MAX: usize = 1_024;

/// Types that one anchor names: a certificate that vouches for more is written twice.
pub const PATTERNS_MAX: usize = 64;
/// Characters of a pattern, as of a `vct`.
pub const PATTERN_CHARS_MAX: usize = 512;

/// What an anchor may vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// Issuers of credentials, of the types its patterns name.
    Issuer,
    /// Signers of status lists.
    Status,
    /// Signers of metadata.
    Metadata,
    /// Providers of wallets.
    WalletProvider,
    /// Signers of key attestations.
    KeyAttestation,
    /// Verifiers that ask for presentations.
    Reader,
    /// Signers of trust lists.
    ListSigner,
    /// Signers of visible digital seals of states (ICAO 9303-13).
    Vds,
    /// Signers of document seals of an organisation.
    DocumentSeal,
}

/// A set of contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contexts(Vec<Context>);

/// A trust anchor of a tenant.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// `anc_…`.
    pub id: String,
    /// The certificate.
    pub certificate: Certificate,
    /// What it vouches for.
    pub contexts: Contexts,
    /// Types it may issue: a `vct` or doctype, or the beginning of one and `*`. None: no type.
    pub patterns: Vec<String>,
    /// Whether it is the tenant's own root, which is not removed.
    pub is_own: bool,
    /// The trust list that brings it, with which it goes.
    pub list: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// The anchors of a tenant as they stand in the store, not yet parsed: whoever parsed the same before need not again.
pub struct AnchorRows {
    rows: Vec<Row>,
    lists: Vec<KnownList>,
    digest: [u8; 32],
}

impl AnchorRows {
    fn of(rows: Vec<Row>, lists: Vec<KnownList>) -> Result<AnchorRows, StoreFault> {
        let mut said = Vec::new();
        for row in &rows {
            let texts = [
                row.text(0)?.into_bytes(),
                row.blob(1)?,
                row.text(2)?.into_bytes(),
                row.text(3)?.into_bytes(),
            ];
            for column in texts {
                said.extend((column.len() as u64).to_be_bytes());
                said.extend(column);
            }
            said.extend([row.int(4)?, row.int(5)?].map(i64::to_be_bytes).concat());
        }
        // No column of an anchor's row is so long, so a list never reads like one.
        for list in &lists {
            said.extend(u64::MAX.to_be_bytes());
            said.extend(list.sha256);
            said.extend(list.anchor_sha256);
            said.extend(hash::sha256(format!("{}\n{}", list.id, list.types.join(" ")).as_bytes()));
        }
        Ok(AnchorRows { digest: hash::sha256(&said), rows, lists })
    }

    /// Names every byte of the rows: two sets that differ anywhere have two names.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The anchors, oldest first, and then those that lists bring.
    ///
    /// # Errors
    /// [`StoreFault::Column`].
    pub fn parse(&self) -> Result<Vec<Anchor>, StoreFault> {
        let mut anchors: Vec<Anchor> = self.rows.iter().map(rows::anchor_of_row).collect::<Result<_, _>>()?;
        let listed: Vec<Anchor> = self.lists.iter().flat_map(|list| list.anchors(&anchors)).collect();
        anchors.extend(listed);
        Ok(anchors)
    }
}

/// Why an anchor is not added or removed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AnchorError {
    /// No such anchor, or the tenant's own root.
    #[error("there is no such trust anchor")]
    NotFound,
    /// The certificate is an anchor already.
    #[error("this certificate is an anchor already")]
    Known,
    /// No context was named, or a type pattern is malformed.
    #[error("{0}")]
    Form(&'static str),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Refused for AnchorError {
    fn event(&self) -> Event {
        let (operation, code) = ("changeTrustAnchors".to_owned(), "keys/anchor".to_owned());
        Event::RequestRefused { status: 409, operation, code }
    }
}

impl Context {
    /// Every context.
    pub const ALL: [Context; 9] = [
        Context::Issuer,
        Context::Status,
        Context::Metadata,
        Context::WalletProvider,
        Context::KeyAttestation,
        Context::Reader,
        Context::ListSigner,
        Context::Vds,
        Context::DocumentSeal,
    ];

    /// The word in rows, bodies and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Status => "status",
            Self::Metadata => "metadata",
            Self::WalletProvider => "wallet-provider",
            Self::KeyAttestation => "key-attestation",
            Self::Reader => "reader",
            Self::ListSigner => "list-signer",
            Self::Vds => "vds",
            Self::DocumentSeal => "document-seal",
        }
    }

    /// Reads [`Context::as_str`].
    pub fn parse(text: &str) -> Option<Context> {
        Self::ALL.into_iter().find(|context| context.as_str() == text)
    }
}

impl Contexts {
    /// The set of these.
    pub fn of(contexts: &[Context]) -> Contexts {
        let mut list = contexts.to_vec();
        list.sort_unstable();
        list.dedup();
        Contexts(list)
    }

    /// Whether `context` is in the set.
    pub fn has(&self, context: Context) -> bool {
        self.0.contains(&context)
    }

    /// The contexts, in order.
    pub fn iter(&self) -> impl Iterator<Item = Context> {
        self.0.iter().copied()
    }

    /// The column of a row: words separated by spaces.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|context| context.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Reads [`Contexts::to_text`]; an unknown word is `None`.
    pub fn from_text(text: &str) -> Option<Contexts> {
        let list: Option<Vec<Context>> = text.split_ascii_whitespace().map(Context::parse).collect();
        list.map(|list| Contexts::of(&list))
    }
}

impl Anchor {
    /// Whether it vouches for `context`, and as an issuer's for this type.
    pub fn vouches(&self, context: Context, type_name: Option<&str>) -> bool {
        self.contexts.has(context)
            && (context != Context::Issuer
                || type_name.is_none_or(|name| self.patterns.iter().any(|pattern| matches(pattern, name))))
    }
}

impl Custody {
    /// Anchors of the tenant that vouch for `context`; for [`Context::Issuer`] those that may issue `type_name` (all, if none is
    /// named), oldest first.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn anchors(
        &self,
        ctx: &Ctx,
        context: Context,
        type_name: Option<&str>,
    ) -> Result<Vec<Anchor>, StoreFault> {
        let all = self.all_anchors(ctx).await?;
        Ok(all.into_iter().filter(|anchor| anchor.vouches(context, type_name)).collect())
    }

    /// Every anchor of the tenant, oldest first, and then those that its trust lists bring.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn all_anchors(&self, ctx: &Ctx) -> Result<Vec<Anchor>, StoreFault> {
        self.anchor_rows(ctx).await?.parse()
    }

    /// As [`Custody::all_anchors`], for whoever keeps what it parsed.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn anchor_rows(&self, ctx: &Ctx) -> Result<Arc<AnchorRows>, StoreFault> {
        let read = async {
            let lists = rows::trust_lists(self.store(), ctx).await?;
            AnchorRows::of(rows::anchor_rows(self.store(), ctx).await?, lists).map(Arc::new)
        };
        self.known_anchors().get(ctx, ctx.tenant.clone(), read).await
    }

    /// Adds an anchor.
    ///
    /// # Errors
    /// [`AnchorError`].
    pub async fn add_anchor(
        &self,
        ctx: &Ctx,
        certificate: Certificate,
        contexts: Contexts,
        patterns: Vec<String>,
    ) -> Result<(Anchor, Committed), AnchorError> {
        let anchor = Anchor {
            id: id::new(ctx, "anc"),
            certificate,
            contexts,
            patterns,
            is_own: false,
            list: None,
            created_at: ctx.now,
        };
        check(&anchor)?;
        let unit = Unit::new(added(&anchor)).guard(rows::put_anchor(&anchor), AnchorError::Known);
        let committed = self.store().commit(ctx, unit).await.map_err(lost)?;
        Ok((anchor, committed))
    }

    /// Lets the tenant's own root vouch for a type of the tenant that is not named `I/vct/…`. Does nothing if it does already.
    ///
    /// # Errors
    /// [`AnchorError`].
    pub async fn allow_own_type(&self, ctx: &Ctx, pattern: &str) -> Result<(), AnchorError> {
        let all = rows::anchors(self.store(), ctx).await?;
        let mut own = all.into_iter().find(|anchor| anchor.is_own).ok_or(AnchorError::NotFound)?;
        if own.vouches(Context::Issuer, Some(pattern)) {
            return Ok(());
        }
        let before = own.patterns.join(" ");
        own.patterns.push(pattern.to_owned());
        check(&own)?;
        let unit = Unit::new(added(&own)).guard(rows::change_patterns(&own, &before), AnchorError::Known);
        self.store().commit(ctx, unit).await.map_err(lost).map(drop)
    }

    /// Removes an anchor; not the tenant's own root.
    ///
    /// # Errors
    /// [`AnchorError`].
    pub async fn remove_anchor(&self, ctx: &Ctx, anchor_id: &str) -> Result<Committed, AnchorError> {
        let known = rows::anchor(self.store(), ctx, anchor_id).await?;
        let anchor = known.filter(|anchor| !anchor.is_own).ok_or(AnchorError::NotFound)?;
        let event = Event::AnchorRemoved {
            certificate_sha256: anchor.certificate.sha256(),
            anchor: anchor.id.clone(),
        };
        let unit = Unit::new(event).guard(rows::remove_anchor(anchor_id), AnchorError::NotFound);
        self.store().commit(ctx, unit).await.map_err(lost)
    }
}

/// The event of a new anchor.
pub(crate) fn added(anchor: &Anchor) -> Event {
    Event::AnchorAdded {
        certificate_sha256: anchor.certificate.sha256(),
        anchor: anchor.id.clone(),
        contexts: anchor.contexts.iter().map(|context| context.as_str().to_owned()).collect(),
    }
}

fn check(anchor: &Anchor) -> Result<(), AnchorError> {
    if anchor.contexts.iter().next().is_none() {
        return Err(AnchorError::Form("an anchor names at least one context"));
    }
    check_patterns(&anchor.patterns).map_err(AnchorError::Form)?;
    if anchor.contexts.has(Context::Issuer) == anchor.patterns.is_empty() {
        return Err(AnchorError::Form(
            "an anchor for issuers names their types, and no other anchor names any",
        ));
    }
    Ok(())
}

/// Whether these are patterns that an anchor may have; if not, the rule.
pub(crate) fn check_patterns(patterns: &[String]) -> Result<(), &'static str> {
    let sound = |pattern: &String| {
        let stem = pattern.strip_suffix('*').unwrap_or(pattern);
        pattern.len() <= PATTERN_CHARS_MAX
            && !stem.is_empty()
            && stem.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*')
    };
    if patterns.len() <= PATTERNS_MAX && patterns.iter().all(sound) {
        Ok(())
    } else {
        Err("a pattern is a type, or the beginning of one and *; at most 64 of 512 characters")
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |stem| name.starts_with(stem))
}

fn lost(error: CommitError<AnchorError>) -> AnchorError {
    match error {
        CommitError::Lost(lost) => lost,
        CommitError::Fault(fault) => AnchorError::Store(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_a_type_or_its_beginning() {
        assert!(matches("https://a/vct/*", "https://a/vct/diploma"));
        assert!(matches("org.iso.18013.5.1.mDL", "org.iso.18013.5.1.mDL"));
        assert!(!matches("org.iso.18013.5.1.mDL", "org.iso.18013.5.1.mDL2"));
        assert!(!matches("https://a/vct/*", "https://b/vct/diploma"));
    }

    #[test]
    fn contexts_read_back_and_unknown_ones_are_refused() {
        let contexts = Contexts::of(&[Context::Reader, Context::Issuer, Context::Reader]);
        assert_eq!(contexts.to_text(), "issuer reader");
        assert_eq!(Contexts::from_text("issuer reader"), Some(contexts));
        assert_eq!(Contexts::from_text("issuer root"), None);
        for context in Context::ALL {
            assert_eq!(Context::parse(context.as_str()), Some(context));
        }
    }
}
