//! Lists of trusted entities: anchors in bulk, signed by somebody whom an anchor of the tenant lets sign lists.
//!
//! ```text
//! text or URI ─▶ signature under list-signer anchors ─▶ newer? same anchor as before? ─▶ one row: the list as it was signed
//! row ─▶ anchors, as long as its signer's anchor stands                    every day, or an hour after a fault: fetched again
//! ```
//! Invariants: a list never goes back (`LoTESequenceNumber`) and never passes to another signer's anchor; an import that fails leaves
//! what stood; a list names issuers, but which types they may issue the tenant says.

use credential::trust::list::{LIST_BYTES_MAX, SignedList, TrustList, TrustListFault, VerifiedTrustList};
use credential::trust::{self, Anchors, PathCache, Trust};
use crypto::hash;
use edge::outbound::{Client, Limits, OutboundError};
use jiff::{SignedDuration, Timestamp};
use store::{CommitError, Committed, Ctx, Reason, Refused, StoreFault, TenantId, Unit, id};
use thiserror::Error;
use tlog::event::Event;

use crate::anchor::{Anchor, Context, Contexts};
use crate::{Custody, anchor, store as rows};

/// A list is fetched again after so long.
const IMPORT_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// And after a fault so soon.
const RETRY_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Tenants that one page of the walk reads.
const TENANTS_PAGE: usize = 500;

/// A list as its row holds it.
#[derive(Clone, Debug)]
pub struct KnownList {
    /// `tls_…`.
    pub id: String,
    /// Where newer releases come from; none: they are brought.
    pub uri: Option<String>,
    /// Types that the issuers of the list may issue, as patterns of an anchor.
    pub types: Vec<String>,
    /// The list as it was signed.
    pub signed: String,
    /// SHA-256 of that.
    pub sha256: [u8; 32],
    /// `LoTESequenceNumber`.
    pub sequence: u64,
    /// Certificate of the anchor that its signer stands under.
    pub anchor_sha256: [u8; 32],
    /// When this release was taken in.
    pub imported_at: Timestamp,
    /// When a newer one was last looked for.
    pub checked_at: Timestamp,
    /// Why the last look brought nothing.
    pub fault: Option<String>,
}

/// Where a list comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// An https address; the list is fetched from there from now on.
    Uri(String),
    /// The signed list itself.
    Signed(String),
}

/// Why a list is not taken in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrustListError {
    /// No such list.
    #[error("there is no such trust list")]
    NotFound,
    /// A list of this address stands, or as many as there may be.
    #[error("a list of this address stands already, or there are 16 lists")]
    Known,
    /// A type pattern is malformed, or issuers are named and no type is.
    #[error("{0}")]
    Form(&'static str),
    /// It was neither brought nor has it an address.
    #[error("the list has no address: bring the newer release")]
    NoUri,
    /// It could not be fetched.
    #[error(transparent)]
    Unreachable(#[from] OutboundError),
    /// It is not believed.
    #[error(transparent)]
    Refused(#[from] TrustListFault),
    /// Not newer than what stands.
    #[error("the list has number {found}; number {known} stands")]
    NotNewer {
        /// The number of the list that stands.
        known: u64,
        /// The number that came.
        found: u64,
    },
    /// Signed under another anchor than the one before.
    #[error("the list is signed under another anchor than the release before it")]
    OtherSigner,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Refused for TrustListError {
    fn event(&self) -> Event {
        let (operation, code) = ("importTrustList".to_owned(), "keys/trust-list".to_owned());
        Event::RequestRefused { status: 409, operation, code }
    }
}

impl KnownList {
    /// What the list says. It was verified when it was taken in.
    ///
    /// # Errors
    /// [`TrustListFault`], if this build reads less than the one that took it in.
    pub fn read(&self) -> Result<TrustList, TrustListFault> {
        SignedList::parse(&self.signed)?.verified_before()
    }

    /// The anchors that it brings, if the anchor of its signer is among `anchors` and may still sign lists.
    pub(crate) fn anchors(&self, anchors: &[Anchor]) -> Vec<Anchor> {
        let stands = anchors.iter().any(|anchor| {
            anchor.contexts.has(Context::ListSigner) && anchor.certificate.sha256() == self.anchor_sha256
        });
        if !stands {
            return Vec::new();
        }
        let list = match self.read() {
            Ok(list) => list,
            Err(fault) => {
                tracing::warn!(list = self.id, %fault, "a trust list is not read any more and brings no anchors");
                return Vec::new();
            }
        };
        let anchor = |(nth, entry): (usize, trust::list::ListEntry)| {
            let context = context(entry.context);
            Anchor {
                id: format!("{}.{nth}", self.id),
                certificate: entry.certificate,
                contexts: Contexts::of(&[context]),
                patterns: if context == Context::Issuer { self.types.clone() } else { Vec::new() },
                is_own: false,
                list: Some(self.id.clone()),
                created_at: self.imported_at,
            }
        };
        list.entries.into_iter().enumerate().map(anchor).collect()
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let wait = if self.fault.is_some() { RETRY_AFTER } else { IMPORT_EVERY };
        self.uri.is_some() && now.duration_since(self.checked_at) >= wait
    }
}

/// The part of the room that takes lists in, which goes out to fetch them.
#[derive(Clone, Debug)]
pub struct TrustLists {
    custody: Custody,
    outbound: Client,
}

impl TrustLists {
    /// Beside the room, with the one client that leaves the house.
    pub const fn new(custody: Custody, outbound: Client) -> Self {
        Self { custody, outbound }
    }

    /// Every list of the tenant, oldest first.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn all(&self, ctx: &Ctx) -> Result<Vec<KnownList>, StoreFault> {
        rows::trust_lists(self.custody.store(), ctx).await
    }

    /// One list.
    ///
    /// # Errors
    /// [`TrustListError::NotFound`], [`TrustListError::Store`].
    pub async fn one(&self, ctx: &Ctx, list_id: &str) -> Result<KnownList, TrustListError> {
        rows::trust_list(self.custody.store(), ctx, list_id).await?.ok_or(TrustListError::NotFound)
    }

    /// Takes a list in for the first time.
    ///
    /// # Errors
    /// [`TrustListError`].
    pub async fn import(
        &self,
        ctx: &Ctx,
        source: Source,
        types: Vec<String>,
    ) -> Result<(KnownList, Committed), TrustListError> {
        anchor::check_patterns(&types).map_err(TrustListError::Form)?;
        let (uri, signed) = match source {
            Source::Uri(uri) => (Some(uri.clone()), self.fetch(&uri).await?),
            Source::Signed(signed) => (None, signed),
        };
        let verified = self.verify(ctx, &signed).await?;
        let names_issuers = verified.list.entries.iter().any(|entry| entry.context == trust::Context::Issuer);
        if names_issuers && types.is_empty() {
            return Err(TrustListError::Form("the list names issuers: say which types they may issue"));
        }
        let list = KnownList {
            id: id::new(ctx, "tls"),
            uri,
            types,
            sha256: hash::sha256(signed.as_bytes()),
            signed,
            sequence: verified.list.sequence,
            anchor_sha256: verified.anchor_sha256,
            imported_at: ctx.now,
            checked_at: ctx.now,
            fault: None,
        };
        let unit = Unit::new(imported(&list, &verified.list))
            .guard(rows::put_trust_list(&list), TrustListError::Known);
        let committed = self.custody.store().commit(ctx, unit).await.map_err(lost)?;
        Ok((list, committed))
    }

    /// Looks for a newer release: the one that is brought, else the one at the list's address. Nothing is committed if it is the very
    /// one that stands.
    ///
    /// # Errors
    /// [`TrustListError`]; what stood stands then.
    pub async fn renew(
        &self,
        ctx: &Ctx,
        list_id: &str,
        brought: Option<String>,
    ) -> Result<(KnownList, Option<Committed>), TrustListError> {
        let known = self.one(ctx, list_id).await?;
        let outcome = self.newer(ctx, &known, brought).await;
        match &outcome {
            Ok((_, Some(_))) => {}
            Ok((_, None)) => self.note(ctx, list_id, None).await?,
            Err(fault) => self.note(ctx, list_id, Some(fault)).await?,
        }
        outcome
    }

    async fn newer(
        &self,
        ctx: &Ctx,
        known: &KnownList,
        brought: Option<String>,
    ) -> Result<(KnownList, Option<Committed>), TrustListError> {
        let signed = match (brought, &known.uri) {
            (Some(signed), _) => signed,
            (None, Some(uri)) => self.fetch(uri).await?,
            (None, None) => return Err(TrustListError::NoUri),
        };
        let sha256 = hash::sha256(signed.as_bytes());
        if sha256 == known.sha256 {
            return Ok((KnownList { checked_at: ctx.now, fault: None, ..known.clone() }, None));
        }
        let verified = self.verify(ctx, &signed).await?;
        let not_newer = TrustListError::NotNewer { known: known.sequence, found: verified.list.sequence };
        if verified.list.sequence <= known.sequence {
            return Err(not_newer);
        }
        if verified.anchor_sha256 != known.anchor_sha256 {
            return Err(TrustListError::OtherSigner);
        }
        let newer = KnownList {
            signed,
            sha256,
            sequence: verified.list.sequence,
            imported_at: ctx.now,
            checked_at: ctx.now,
            fault: None,
            ..known.clone()
        };
        let unit =
            Unit::new(imported(&newer, &verified.list)).guard(rows::replace_trust_list(&newer), not_newer);
        let committed = self.custody.store().commit(ctx, unit).await.map_err(lost)?;
        Ok((newer, Some(committed)))
    }

    /// Believes a list no more, nor anybody whom it alone names.
    ///
    /// # Errors
    /// [`TrustListError::NotFound`], [`TrustListError::Store`].
    pub async fn remove(&self, ctx: &Ctx, list_id: &str) -> Result<Committed, TrustListError> {
        let list = self.one(ctx, list_id).await?;
        let event = Event::TrustListRemoved { sha256: list.sha256, list: list.id.clone() };
        let unit = Unit::new(event).guard(rows::remove_trust_list(&list), TrustListError::NotFound);
        self.custody.store().commit(ctx, unit).await.map_err(lost)
    }

    /// Renews what is due, tenant by tenant. `ctx` acts for the system tenant as the instance itself.
    ///
    /// # Errors
    /// [`StoreFault`] when the walk itself cannot go on.
    pub async fn tick(&self, ctx: &Ctx) -> Result<(), StoreFault> {
        let mut after = String::new();
        loop {
            let tenants = rows::tenants_with_lists(self.custody.store(), ctx, &after, TENANTS_PAGE).await?;
            let Some(last) = tenants.last() else { return Ok(()) };
            after.clone_from(last);
            for tenant in tenants.iter().filter_map(|id| TenantId::parse(id)) {
                let inside = ctx.for_tenant(tenant);
                for list in self.all(&inside).await?.into_iter().filter(|list| list.is_due(inside.now)) {
                    if let Err(fault) = self.renew(&inside, &list.id, None).await {
                        tracing::warn!(tenant = %inside.tenant, list = list.id, %fault, "a trust list was not renewed; the one that stood still counts");
                    }
                }
            }
        }
    }

    async fn fetch(&self, uri: &str) -> Result<String, TrustListError> {
        let answer = self.outbound.get(uri, Limits::of(LIST_BYTES_MAX)).await?;
        String::from_utf8(answer.body.to_vec()).map_err(|_| TrustListFault::Malformed.into())
    }

    async fn verify(&self, ctx: &Ctx, signed: &str) -> Result<VerifiedTrustList, TrustListError> {
        let believed = self.custody.believed(ctx).await?;
        let trust = Trust { anchors: &believed, cache: &PathCache::new(), haip: false };
        Ok(SignedList::parse(signed)?.verify(&trust, ctx.now)?)
    }

    async fn note(&self, ctx: &Ctx, list_id: &str, fault: Option<&TrustListError>) -> Result<(), StoreFault> {
        let fault = fault.map(ToString::to_string);
        let stmt = rows::trust_list_checked(list_id, fault.as_deref());
        self.custody.store().housekeeping(ctx, Reason::Cursor, vec![stmt]).await.map(drop)
    }
}

impl Custody {
    /// Every anchor of the tenant as the path check wants it.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn believed(&self, ctx: &Ctx) -> Result<Anchors, StoreFault> {
        let anchor = |known: Anchor| trust::Anchor {
            id: known.id,
            contexts: known
                .contexts
                .iter()
                .filter_map(|context| trust::Context::parse(context.as_str()))
                .collect(),
            types: known
                .patterns
                .iter()
                .filter_map(|pattern| trust::TypePattern::parse(pattern).ok())
                .collect(),
            certificate: known.certificate,
        };
        Ok(Anchors::new(self.all_anchors(ctx).await?.into_iter().map(anchor).collect()))
    }
}

/// Contexts of a list have the same names here.
fn context(context: trust::Context) -> Context {
    Context::parse(context.as_str()).expect("every context of the protocol is one of the room")
}

fn imported(known: &KnownList, list: &TrustList) -> Event {
    Event::TrustListImported {
        sha256: known.sha256,
        sequence: known.sequence,
        list: known.id.clone(),
        anchors: list.entries.len() as u64,
    }
}

fn lost(error: CommitError<TrustListError>) -> TrustListError {
    match error {
        CommitError::Lost(lost) => lost,
        CommitError::Fault(fault) => TrustListError::Store(fault),
    }
}
