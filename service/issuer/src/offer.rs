//! Offers: a dataset that fits its type becomes a link that one wallet redeems once.

use crate::credential_type::{Kind, TYPES_MAX};
use crate::store::{self, By, CredentialRow, NewOffer, OfferRow};
use crate::{Issuer, signer};
use ::store::{CommitError, Committed, Ctx, Refused, Stmt, StoreFault, Unit, id};
use credential::sd_jwt::{self, Subject, Validity};
use crypto::jwk::Jwk;
use crypto::secret::Secret;
use crypto::{base64, hash};
use custody::{SignError, SignerInfo};
use jiff::{SignedDuration, Timestamp};
use openid::vci::tx_code;
use openid::vci::{CredentialOffer, OfferLink, TxCode, TxCodeLock};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use tenancy::After;
use tlog::event::Event;

/// Longest life of an offer, seconds: whoever intercepts the link has that long.
pub const OFFER_TTL_S_MAX: u64 = 3_600;
/// Longest life of an offer with a transaction code, seconds: the link alone redeems nothing, and letters take days.
pub const OFFER_TTL_TX_CODE_S_MAX: u64 = 7 * 86_400;
/// Longest life of a credential, seconds: 10 years, the life of the tenant's root.
pub const VALID_FOR_S_MAX: u64 = 3_650 * 86_400;
/// Bytes of a subject reference: an account number or a UUID.
pub const SUBJECT_REF_BYTES_MAX: usize = 256;

/// Bytes that issuer, status and holder's key of a copy take at most: two addresses of ours and an RSA key of 4096 bits.
const SUBJECT_BYTES_MAX: usize = 4 << 10;

/// A form of transaction codes that is not made.
const TX_CODE_FORM: OfferError = OfferError::Bound {
    pointer: "/tx_code",
    rule: "is true, or has a length of 6 to 16, an input_mode of numeric or text, and a description of at most 300 characters",
};

/// What somebody asks to have issued.
pub struct NewCredential {
    /// Credential type; none if the format picks the only one.
    pub configuration: Option<String>,
    /// `format`, if the caller named one.
    pub format: Option<String>,
    /// The dataset.
    pub claims: Map<String, Value>,
    /// Life of the offer, seconds.
    pub offer_ttl_s: Option<u64>,
    /// Life of the credential, seconds.
    pub valid_for_s: Option<u64>,
    /// Whom it is about, in the caller's words.
    pub subject_ref: Option<String>,
    /// The transaction code that the wallet must send, if one.
    pub tx_code: Option<TxCode>,
    /// Copies that one request gets at most; none: as many as the issuer allows.
    pub copies_max: Option<u64>,
}

/// An offer as its maker sees it.
pub struct Offered {
    /// The credential, `crd_…`.
    pub credential_id: String,
    /// The offer, `off_…`.
    pub offer_id: String,
    /// `open`, `spent`, `cancelled`, `expired`.
    pub state: String,
    /// Its format.
    pub format: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether the wallet must send a transaction code.
    pub tx_code_required: bool,
    /// The transaction code; only in the answer that makes the offer.
    pub tx_code: Option<Secret<String>>,
    /// Its links, while it is open.
    pub links: Option<Links>,
}

/// The links and the object of an open offer. They redeem it: no `Debug`.
pub struct Links {
    /// Opens a wallet.
    pub offer_uri: String,
    /// Where the object is fetched.
    pub credential_offer_uri: String,
    /// The object.
    pub offer: CredentialOffer,
}

/// What is sealed into an offer's row.
#[derive(Serialize, Deserialize)]
struct StoredLinks {
    link: String,
    code: String,
    /// How the transaction code is asked for; the code itself stands nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tx_code: Option<TxCode>,
}

/// Why there is no offer.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// No such type.
    #[error("the tenant has no such credential type")]
    UnknownConfiguration,
    /// Another format.
    #[error("the type has another format")]
    FormatMismatch,
    /// The claims do not fit; each with its place.
    #[error("the claims do not fit")]
    Claims(Vec<credential::pointer::PointerError>),
    /// The claims fit, but make no credential: too many, too large, or their signer ends.
    #[error(transparent)]
    Draft(#[from] sd_jwt::IssueError),
    /// A number or text is out of its bound.
    #[error("{pointer} {rule}")]
    Bound {
        /// JSON pointer.
        pointer: &'static str,
        /// Its rule.
        rule: &'static str,
    },
    /// The signer ends soon.
    #[error(transparent)]
    Signer(#[from] SignError),
    /// Unknown to this tenant.
    #[error("no such offer")]
    NotFound,
    /// Spent, cancelled or over.
    #[error("the offer is over")]
    Gone,
    /// The same request was done by another holder of its idempotency key.
    #[error("another request did it")]
    DoneElsewhere,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// What a lost guard of this file means.
#[derive(Debug)]
pub(crate) enum OfferLost {
    /// The idempotency mark went to another request.
    Mark,
    /// The offer was spent, cancelled or over meanwhile.
    Gone { offer: String },
}

impl Refused for OfferLost {
    fn event(&self) -> Event {
        let (offer, code) = match self {
            Self::Mark => (None, "done-elsewhere"),
            Self::Gone { offer } => (Some(offer.clone()), "offer-gone"),
        };
        Event::IssueRefused { holder: None, grant: None, offer, code: code.into() }
    }
}

impl Issuer {
    /// Makes a credential in state `offered` and the one offer of it. `mark` closes an idempotency mark in the same unit.
    ///
    /// # Errors
    /// [`OfferError`]; nothing is stored then.
    pub async fn offer(
        &self,
        ctx: &Ctx,
        tenant: &str,
        asked: NewCredential,
        mark: Option<Stmt>,
    ) -> Result<(Offered, Committed), OfferError> {
        let kind = self.wanted(ctx, &asked).await?;
        let tx_code = tx_code_form(&asked)?;
        let copies_max = self.copies_of(&asked)?;
        let ttl_s = self.life_of(&asked, &kind)?;
        let valid_for_s = asked.valid_for_s.map_or(kind.valid_for_s, u64::cast_signed);
        let left_s = self.config.signer_min_left_s;
        let signer = signer::usable(&self.custody, ctx, signer::CREDENTIAL_USE, left_s).await?;
        tried(&kind, &asked.claims, Validity::whole_days(ctx.now, valid_for_s, signer.ends_at)?, &signer)?;
        let credential_id = id::new(ctx, "crd");
        let offer_id = id::new(ctx, "off");
        let stored = StoredLinks {
            link: base64::url_encode(&ctx.random::<32>()),
            code: base64::url_encode(&ctx.random::<32>()),
            tx_code,
        };
        let (tx_code, lock) = self.tx_code_of(ctx, &offer_id, stored.tx_code.as_ref()).await?;
        let expires_at = ctx.now + SignedDuration::from_secs(ttl_s.cast_signed());
        let dataset = Value::Object(asked.claims).to_string();
        let subject = asked.subject_ref.as_deref();
        let sealed =
            store::seal_credential(&self.store, ctx, &credential_id, subject, dataset.as_bytes()).await?;
        let put_offer = store::put_offer(
            &self.store,
            ctx,
            &NewOffer {
                id: &offer_id,
                credential_id: &credential_id,
                link_sha256: hash::sha256(stored.link.as_bytes()),
                code_sha256: hash::sha256(stored.code.as_bytes()),
                links: serde_json::json!(stored).to_string().as_bytes(),
                expires_at_ms: expires_at.as_millisecond(),
                tx_code: lock,
            },
        )
        .await?;
        let event = Event::OfferCreated {
            holder: asked.subject_ref.clone(),
            ttl_s,
            offer: offer_id.clone(),
            credential: credential_id.clone(),
            configurations: vec![kind.name.clone()],
        };
        let mut unit = Unit::new(event)
            .put(store::put_credential(&credential_id, &kind.name, sealed, valid_for_s, copies_max))
            .put(put_offer);
        if let Some(mark) = mark {
            unit = unit.guard(mark, OfferLost::Mark);
        }
        let committed = self.store.commit(ctx, unit).await.map_err(lost)?;
        let links = Some(self.links(tenant, &kind.name, &stored));
        let offered = Offered {
            credential_id,
            offer_id,
            state: "open".into(),
            format: kind.format.clone(),
            expires_at,
            tx_code_required: tx_code.is_some(),
            tx_code,
            links,
        };
        Ok((offered, committed))
    }

    /// A fresh transaction code of this form, and what is kept of it.
    async fn tx_code_of(
        &self,
        ctx: &Ctx,
        offer: &str,
        form: Option<&TxCode>,
    ) -> Result<(Option<Secret<String>>, Option<TxCodeLock>), StoreFault> {
        let Some(form) = form else { return Ok((None, None)) };
        let code = tx_code::make(form, &mut || ctx.random());
        let mac = self.tx_codes(ctx).await?.mac(offer, code.expose());
        Ok((Some(code), Some(TxCodeLock { mac, tries_left: self.config.tx_code_tries })))
    }

    fn copies_of(&self, asked: &NewCredential) -> Result<usize, OfferError> {
        let most = self.config.batch_size;
        let wanted = asked.copies_max.map_or(Some(most), |copies| usize::try_from(copies).ok());
        wanted.filter(|copies| (1..=most).contains(copies)).ok_or(OfferError::Bound {
            pointer: "/copies_max",
            rule: "is 1 to the batch_size of the metadata",
        })
    }

    /// The type that is named, or the only one of the format.
    async fn wanted(&self, ctx: &Ctx, asked: &NewCredential) -> Result<Arc<Kind>, OfferError> {
        let unnamed = |rule| OfferError::Bound { pointer: "/credential_configuration_id", rule };
        let format = match (&asked.configuration, &asked.format) {
            (Some(name), _) => return self.kind(ctx, name).await?.ok_or(OfferError::UnknownConfiguration),
            (None, Some(format)) => format,
            (None, None) => return Err(unnamed("is required")),
        };
        let mut fitting =
            self.kinds(ctx, "", TYPES_MAX).await?.into_iter().filter(|kind| kind.format == *format);
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(Arc::new(only)),
            (None, _) => Err(OfferError::FormatMismatch),
            (Some(_), Some(_)) => Err(unnamed("is required, as several types have this format")),
        }
    }

    fn life_of(&self, asked: &NewCredential, kind: &Kind) -> Result<u64, OfferError> {
        if asked.format.as_ref().is_some_and(|format| *format != kind.format) {
            return Err(OfferError::FormatMismatch);
        }
        let ttl_s = asked.offer_ttl_s.unwrap_or(self.config.offer_ttl_s);
        let (most, rule) = match asked.tx_code {
            Some(_) => (OFFER_TTL_TX_CODE_S_MAX, "is 1 to 604800 seconds"),
            None => (OFFER_TTL_S_MAX, "is 1 to 3600 seconds, with a transaction code to 604800"),
        };
        if !(1..=most).contains(&ttl_s) {
            return Err(OfferError::Bound { pointer: "/offer_ttl_s", rule });
        }
        if asked.valid_for_s.is_some_and(|s| !(1..=VALID_FOR_S_MAX).contains(&s)) {
            return Err(OfferError::Bound { pointer: "/valid_for_s", rule: "is 1 second to 3650 days" });
        }
        if asked
            .subject_ref
            .as_ref()
            .is_some_and(|text| text.is_empty() || text.len() > SUBJECT_REF_BYTES_MAX)
        {
            return Err(OfferError::Bound { pointer: "/subject_ref", rule: "has 1 to 256 bytes" });
        }
        Ok(ttl_s)
    }

    /// The offer by its own id or its credential's. An offer that is over has no links.
    ///
    /// # Errors
    /// [`OfferError::NotFound`], [`OfferError::Store`].
    pub async fn offered(&self, ctx: &Ctx, tenant: &str, any_id: &str) -> Result<Offered, OfferError> {
        let by = if id::is("crd", any_id) { By::Credential(any_id) } else { By::Id(any_id) };
        let (row, credential) = store::offer(&self.store, ctx, by).await?.ok_or(OfferError::NotFound)?;
        self.view(ctx, tenant, row, &credential).await
    }

    /// Offers in order of their making.
    pub(crate) async fn offers(
        &self,
        ctx: &Ctx,
        after: &After,
        limit: usize,
    ) -> Result<Vec<OfferRow>, StoreFault> {
        store::offers(&self.store, ctx, after, limit).await
    }

    /// What a wallet fetches by the link's secret; reading does not spend it.
    ///
    /// # Errors
    /// [`OfferError::Gone`] for every link that redeems nothing.
    pub async fn offer_object(
        &self,
        ctx: &Ctx,
        tenant: &str,
        secret: &str,
    ) -> Result<CredentialOffer, OfferError> {
        let by = By::Link(hash::sha256(secret.as_bytes()));
        let (row, credential) = store::offer(&self.store, ctx, by).await?.ok_or(OfferError::Gone)?;
        let view = self.view(ctx, tenant, row, &credential).await?;
        view.links.map(|links| links.offer).ok_or(OfferError::Gone)
    }

    /// Ends an offer that was not redeemed; its credential is revoked, as nobody can get it any more.
    ///
    /// # Errors
    /// [`OfferError::NotFound`], [`OfferError::Gone`].
    pub async fn cancel(&self, ctx: &Ctx, offer_id: &str) -> Result<Committed, OfferError> {
        let found = store::offer(&self.store, ctx, By::Id(offer_id)).await?;
        let (row, credential) = found.ok_or(OfferError::NotFound)?;
        let event = Event::OfferCancelled {
            holder: store::subject(&self.store, ctx, &credential).await?,
            offer: row.id.clone(),
            credential: row.credential_id.clone(),
        };
        let unit = Unit::new(event)
            .guard(store::cancel_offer(&row.id), OfferLost::Gone { offer: row.id.clone() })
            .put(store::revoke(&row.credential_id, "other"));
        self.store.commit(ctx, unit).await.map_err(lost)
    }

    async fn view(
        &self,
        ctx: &Ctx,
        tenant: &str,
        row: OfferRow,
        credential: &CredentialRow,
    ) -> Result<Offered, OfferError> {
        let kind = self.kind(ctx, &credential.kind).await?.ok_or(OfferError::NotFound)?;
        let late = row.expires_at_ms <= ctx.now_ms();
        let links = if row.state == "open" && !late {
            let opened = store::links(&self.store, ctx, &row).await?;
            let stored: StoredLinks = serde_json::from_slice(opened.expose())
                .map_err(|_| StoreFault::Sealed { place: "issuer_offer.links".into() })?;
            Some(self.links(tenant, &kind.name, &stored))
        } else {
            None
        };
        let state = if row.state == "open" && late { "expired".into() } else { row.state };
        let expires_at = Timestamp::from_millisecond(row.expires_at_ms).unwrap_or(Timestamp::MIN);
        Ok(Offered {
            credential_id: row.credential_id,
            offer_id: row.id,
            state,
            format: kind.format.clone(),
            expires_at,
            tx_code_required: row.tx_code.is_some(),
            tx_code: None,
            links,
        })
    }

    fn links(&self, tenant: &str, configuration: &str, stored: &StoredLinks) -> Links {
        let issuer = self.config.issuer(tenant);
        let credential_offer_uri = format!("{issuer}/vci/offer/{}", stored.link);
        let configurations = [configuration.to_owned()];
        let (code, tx_code) = (stored.code.clone(), stored.tx_code.clone());
        let offer = CredentialOffer::pre_authorized(&issuer, &configurations, code, tx_code);
        Links { offer_uri: OfferLink::to(&credential_offer_uri), credential_offer_uri, offer }
    }
}

/// The form of the transaction code that is asked for, with what was left open filled in.
fn tx_code_form(asked: &NewCredential) -> Result<Option<TxCode>, OfferError> {
    asked.tx_code.clone().map(|form| tx_code::completed(form).ok_or(TX_CODE_FORM)).transpose()
}

/// Makes a draft for nobody, so that what is offered can also be issued: a wallet learns nothing of bounds that the dataset breaks.
fn tried(
    kind: &Kind,
    claims: &Map<String, Value>,
    validity: Validity,
    signer: &SignerInfo,
) -> Result<(), OfferError> {
    let claims = kind.rules.accept(claims).map_err(OfferError::Claims)?;
    let holder = Jwk::from_key(&signer.public);
    let issuer = "x".repeat(SUBJECT_BYTES_MAX);
    let subject = Subject { issuer: &issuer, holder: &holder, status: None, validity };
    sd_jwt::issue(&claims, &subject, &mut |bytes| bytes.fill(0))?;
    Ok(())
}

fn lost(fault: CommitError<OfferLost>) -> OfferError {
    match fault {
        CommitError::Lost(OfferLost::Mark) => OfferError::DoneElsewhere,
        CommitError::Lost(OfferLost::Gone { .. }) => OfferError::Gone,
        CommitError::Fault(fault) => OfferError::Store(fault),
    }
}
