//! Document seals of the tenant's own: issued, listed, inspected, revoked.
//!
//! ```text
//! claims ─► place in a status list ─► bytes ─► custody signs ─► unit { place taken (guard), event } ─► seal, given once
//! revoke ─► list signed anew at its next reading
//! ```
//! The content of a seal is not kept: only its hash, its place and its end.

use crate::store::document_seal::SealRow;
use crate::{Idp, store};
use ::store::{CommitError, Committed, Ctx, Refused, Stmt, StoreFault, Unit, id};
use credential::status::{Bits, ListDraft, StatusList, StatusValue};
use crypto::hash;
use crypto::secret::Secret;
use custody::{KeyRef, LIST_USE, SignError, SignerInfo};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use seal::vds::own::{self, Heading, OrganisationSeal, OwnSealError, StatusRef};
use seal::vds::signer::{SignerCertificate, SignerName};
use tenancy::After;
use tlog::event::{Event, KeyUse};

/// Entries of one list: a fetch of a few kilobytes, and a crowd of others to hide in.
pub const LIST_ENTRIES: i64 = 131_072;
/// Tries for a free place; a list is closed when it is half full, so ten misses in a row are one in a thousand.
const PLACE_TRIES_MAX: usize = 10;
/// Longest life of a document seal, days: ten years, as a passport.
pub const SEAL_DAYS_MAX: i64 = 3_653;
/// Lists are signed anew at least this often, seconds.
const RESIGN_S: i64 = 3_600;
/// Seconds that a signed list counts.
const LIST_EXP_S: i64 = 43_200;
/// Seconds that others may keep a list: a revocation is unseen as long.
const LIST_TTL_S: u32 = 300;

/// What an organisation's seal says of a person.
pub struct NewSeal {
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
    /// The organisation.
    pub organisation: Option<String>,
    /// What the person is there.
    pub role: Option<String>,
    /// JPEG or WebP.
    pub face: Option<Secret<Vec<u8>>>,
    /// RFC 7638 thumbprint of the DeviceKey that it is bound to.
    pub device_key: Option<[u8; 32]>,
}

/// A seal that was issued.
pub struct Issued {
    /// `dsl_…`.
    pub id: String,
    /// Its bytes, this once.
    pub seal: Vec<u8>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why a seal is not made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No such seal.
    #[error("there is no such document seal")]
    NotFound,
    /// It was revoked before.
    #[error("the document seal was revoked before")]
    RevokedIsFinal,
    /// What it is to say does not fit.
    #[error(transparent)]
    Content(#[from] OwnSealError),
    /// Its end is past, or too far away.
    #[error("the expiry is not between today and ten years from now")]
    Expiry,
    /// Every place that was tried was taken, or another request did it.
    #[error("another request was faster")]
    Raced,
    /// A list could not be made. A fault of ours.
    #[error(transparent)]
    List(#[from] credential::status::ListError),
    /// The signer could not.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// What a lost guard of this file means.
#[derive(Debug)]
pub(crate) enum SealLost {
    /// The place is taken.
    Place,
    /// It was revoked before, or the idempotency mark went to another request.
    Gone,
}

impl Refused for SealLost {
    fn event(&self) -> Event {
        Event::RequestRefused {
            status: 409,
            operation: "changeDocumentSeal".to_owned(),
            code: "seal/revoked-is-final".to_owned(),
        }
    }
}

/// A seal ready to be kept: its bytes, its row, and the key that signed it.
pub(crate) struct Made {
    pub(crate) seal: Vec<u8>,
    pub(crate) row: SealRow,
    pub(crate) key: KeyUse,
}

impl Idp {
    /// Issues a seal of the organisation for a person. It is told once and not kept.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn issue_seal(
        &self,
        ctx: &Ctx,
        tenant: &str,
        new: &NewSeal,
        mark: Option<Stmt>,
    ) -> Result<(Issued, Committed), SealError> {
        let today = ctx.now.to_zoned(TimeZone::UTC).date();
        let expires_at = end_of(new.expires_on).ok_or(SealError::Expiry)?;
        let longest = ctx.now + SignedDuration::from_secs(SEAL_DAYS_MAX * 86_400);
        if new.expires_on < today || expires_at > longest {
            return Err(SealError::Expiry);
        }
        for _ in 0..PLACE_TRIES_MAX {
            let made = self
                .make_seal(ctx, tenant, ("organisation", expires_at), |heading, status| {
                    organisation(new, status).to_be_signed(heading)
                })
                .await?;
            let event = Event::DocumentSealIssued {
                seal_sha256: made.row.sha256,
                document_seal: made.row.id.clone(),
                kind: made.row.kind.clone(),
                key_use: made.key.clone(),
            };
            let mut unit = Unit::new(event)
                .guard(store::document_seal::put(&made.row), SealLost::Place)
                .put(store::document_seal::deal(made.row.list));
            if let Some(mark) = &mark {
                unit = unit.guard(mark.clone(), SealLost::Gone);
            }
            match self.store.commit(ctx, unit).await {
                Ok(committed) => {
                    return Ok((Issued { id: made.row.id, seal: made.seal, expires_at }, committed));
                }
                Err(CommitError::Lost(SealLost::Place)) => {}
                Err(CommitError::Lost(SealLost::Gone)) => return Err(SealError::Raced),
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(SealError::Raced)
    }

    /// Signs the bytes that `content` makes of a heading and a place in a list. Nothing is kept yet.
    pub(crate) async fn make_seal(
        &self,
        ctx: &Ctx,
        tenant: &str,
        (kind, expires_at): (&str, Timestamp),
        content: impl FnOnce(&Heading, StatusRef) -> Result<Vec<u8>, OwnSealError>,
    ) -> Result<Made, SealError> {
        let (list, idx) = self.place(ctx).await?;
        let signer = self.custody.seal_signer(ctx, custody::SIGNER_LEFT_S_MIN).await?;
        let status = StatusRef { index: idx, uri: self.config.list_uri(tenant, list) };
        let bytes = content(&self.heading(ctx, &signer)?, status)?;
        let signed = self.custody.sign_vds(ctx, &signer.kid, &bytes, expires_at).await?;
        let signature: [u8; 64] = signed.signature.try_into().map_err(|_| SealError::Raced)?;
        let seal = own::assemble(&bytes, &signature);
        let row = SealRow {
            id: id::new(ctx, "dsl"),
            kind: kind.to_owned(),
            sha256: hash::sha256(&seal),
            list,
            idx: idx.into(),
            revoked_at_ms: None,
            reason: None,
            expires_at_ms: expires_at.as_millisecond(),
            created_at_ms: ctx.now_ms(),
        };
        Ok(Made { seal, row, key: signed.key })
    }

    /// Revokes a seal for ever.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn revoke_seal(&self, ctx: &Ctx, seal: &str, reason: &str) -> Result<Committed, SealError> {
        let row = self.seal_row(ctx, seal).await?.ok_or(SealError::NotFound)?;
        if row.revoked_at_ms.is_some() {
            return Err(SealError::RevokedIsFinal);
        }
        let event = Event::DocumentSealRevoked { document_seal: row.id.clone(), reason: reason.to_owned() };
        let [revoke, grow] = store::document_seal::revoke(&row.id, reason);
        let unit = Unit::new(event).guard(revoke, SealLost::Gone).put(grow);
        self.store.commit(ctx, unit).await.map_err(|error| match error {
            CommitError::Lost(_) => SealError::RevokedIsFinal,
            CommitError::Fault(fault) => fault.into(),
        })
    }

    /// What is kept of a seal.
    pub(crate) async fn seal_row(&self, ctx: &Ctx, seal: &str) -> Result<Option<SealRow>, StoreFault> {
        if !id::is("dsl", seal) {
            return Ok(None);
        }
        store::document_seal::one(&self.store, ctx, seal).await
    }

    /// A page of seals, oldest first.
    pub(crate) async fn seals(
        &self,
        ctx: &Ctx,
        after: &After,
        limit: usize,
    ) -> Result<Vec<SealRow>, StoreFault> {
        store::document_seal::listing(&self.store, ctx, after, limit).await
    }

    /// The signed list of this number; one that changed is signed before it is answered.
    pub(crate) async fn seal_list(&self, ctx: &Ctx, tenant: &str, number: i64) -> Result<String, SealError> {
        let row = store::document_seal::list(&self.store, ctx, number).await?.ok_or(SealError::NotFound)?;
        let hour_ago_ms = ctx.now_ms() - RESIGN_S * 1_000;
        if row.version == row.signed_version && row.signed_at_ms > hour_ago_ms {
            return Ok(row.token);
        }
        let entries = u32::try_from(row.entries).unwrap_or(0);
        let mut list = StatusList::new(Bits::One, entries)?;
        for idx in store::document_seal::revoked(&self.store, ctx, row.list).await? {
            list.set(idx.into(), StatusValue::Invalid)?;
        }
        let expires_at = ctx.now + SignedDuration::from_secs(LIST_EXP_S);
        let uri = self.config.list_uri(tenant, row.list);
        let draft =
            ListDraft { uri: &uri, issued_at: ctx.now, expires_at, ttl_s: LIST_TTL_S, aggregation_uri: None }
                .draft(&list);
        let signed = self.custody.sign_jws_until(ctx, KeyRef::Use(LIST_USE), draft, expires_at).await?;
        let event = Event::StatusListSigned {
            list: row.list.unsigned_abs(),
            sha256: hash::sha256(signed.compact.as_bytes()),
            key_use: signed.key,
        };
        let put = store::document_seal::sign(row.list, row.version, &signed.compact);
        match self.store.commit(ctx, Unit::<SealLost>::new(event).put(put)).await {
            Ok(_) | Err(CommitError::Lost(_)) => Ok(signed.compact),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Signs lists that changed or whose hour came.
    pub(crate) async fn sign_seal_lists(
        &self,
        ctx: &Ctx,
        tenant: &str,
        limit: usize,
    ) -> Result<(), SealError> {
        let hour_ago_ms = ctx.now_ms() - RESIGN_S * 1_000;
        for number in store::document_seal::due(&self.store, ctx, hour_ago_ms, limit).await? {
            self.seal_list(ctx, tenant, number).await?;
        }
        Ok(())
    }

    /// A random place of the newest list; a new list once that is half full.
    async fn place(&self, ctx: &Ctx) -> Result<(i64, u32), SealError> {
        for _ in 0..2 {
            let newest = store::document_seal::newest_list(&self.store, ctx).await?;
            let number = match newest {
                Some(found) if found.dealt * 2 < found.entries => {
                    let drawn = u64::from_be_bytes(ctx.random());
                    let idx = drawn % found.entries.unsigned_abs();
                    return Ok((found.list, u32::try_from(idx).unwrap_or(0)));
                }
                Some(full) => full.list + 1,
                None => 0,
            };
            let event =
                Event::StatusListOpened { list: number.unsigned_abs(), entries: LIST_ENTRIES.unsigned_abs() };
            let open = store::document_seal::open_list(number, LIST_ENTRIES);
            match self.store.commit(ctx, Unit::new(event).guard(open, SealLost::Place)).await {
                Ok(_) | Err(CommitError::Lost(_)) => {}
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(SealError::Raced)
    }

    fn heading(&self, ctx: &Ctx, signer: &SignerInfo) -> Result<Heading, SealError> {
        let broken = || SealError::Sign(SignError::NotFound);
        let leaf = signer.chain.first().ok_or_else(broken)?;
        let leaf = SignerCertificate::parse(leaf).map_err(|_| broken())?;
        let name =
            leaf.signer_id().and_then(|id| SignerName::new(id, &leaf.reference())).ok_or_else(broken)?;
        let today = ctx.now.to_zoned(TimeZone::UTC).date();
        Ok(Heading { country: self.config.country.clone(), signer: name, issued_on: today, signed_on: today })
    }
}

fn organisation(new: &NewSeal, status: StatusRef) -> OrganisationSeal {
    OrganisationSeal {
        given_name: new.given_name.clone(),
        family_name: new.family_name.clone(),
        birth_date: new.birth_date,
        nationality: new.nationality.clone(),
        number: new.number.clone(),
        expires_on: new.expires_on,
        face: new.face.as_ref().map(|face| Secret::new(face.expose().clone())),
        status: Some(status),
        organisation: new.organisation.clone(),
        role: new.role.clone(),
        device_key: new.device_key,
    }
}

/// The last moment of a day.
fn end_of(day: Date) -> Option<Timestamp> {
    Some(day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
