//! The signed list (Token Status List, 5.1 and 8.3).

use std::sync::Arc;

use crypto::base64;
use crypto::cbor::Value as Cbor;
use crypto::cose::Sign1;
use crypto::jose::jws::{self, Jws};
use crypto::json::{self, Limits};
use crypto::key::PublicKey;
use crypto::x509::path::PathReason;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{Bits, ListError, StatusList, StatusValue, TYP, cwt};
use crate::Unverified;
use crate::sd_jwt::{CLOCK_SKEW_S, Dates};
use crate::trust::{Context, Judged, Trust};

/// Bytes of a list token: what the outbound client fetches at most.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Shortest time a list is kept before it is fetched again, whatever its `ttl` says, seconds: an issuer that says 1 s must not
/// make every presentation a fetch, as that would show it who is checked and when.
pub const TTL_MIN_S: u64 = 60;
/// Longest time a list is kept, whatever its `ttl` says, seconds: a revocation counts here within a day at the latest.
pub const TTL_MAX_S: u64 = 24 * 3600;
/// Levels of JSON in a token: claims, `status_list`, its members, and room for claims we do not know.
const DEPTH_MAX: usize = 8;

/// What a list token will say.
#[derive(Clone, Copy, Debug)]
pub struct ListDraft<'a> {
    /// The URI at which it is served; `sub`.
    pub uri: &'a str,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `ttl`, seconds.
    pub ttl_s: u32,
    /// `aggregation_uri`, where all lists of the issuer are named.
    pub aggregation_uri: Option<&'a str>,
}

impl ListDraft<'_> {
    /// What the list signer's key signs; the signer adds `alg` and `x5c`.
    pub fn draft(&self, list: &StatusList) -> jws::Draft {
        let mut status_list = Map::new();
        status_list.insert("bits".into(), list.bits().count().into());
        status_list.insert("lst".into(), base64::url_encode(&list.compressed()).into());
        if let Some(uri) = self.aggregation_uri {
            status_list.insert("aggregation_uri".into(), uri.into());
        }
        let claims = json!({
            "sub": self.uri,
            "iat": self.issued_at.as_second(),
            "exp": self.expires_at.as_second(),
            "ttl": self.ttl_s,
            "status_list": status_list,
        });
        jws::Draft::new(TYP, claims.to_string())
    }
}

/// Why there is no list to look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListFault {
    /// It could not be fetched.
    #[error("the list cannot be reached")]
    Unreachable,
    /// Its door redirects, which nobody may follow.
    #[error("the list's door redirects")]
    Redirected,
    /// Not a JWS or COSE_Sign1 of bounded size with a signature algorithm.
    #[error("the list is not a signed token")]
    Malformed,
    /// The type is not that of a list.
    #[error("the token is not of the type of a status list")]
    Typ,
    /// A claim is missing or of the wrong kind.
    #[error("a claim of the list is missing or malformed")]
    Claims,
    /// No readable `x5c` or `x5chain`.
    #[error("the list brings no certificates")]
    Certificates,
    /// The certificates lead to no anchor that may vouch for lists.
    #[error("the list's certificates lead to no anchor: {0:?}")]
    Path(PathReason),
    /// The signature is not by that key.
    #[error("the list's signature does not verify")]
    Signature,
    /// The packed list is malformed or inflates past the bound.
    #[error(transparent)]
    List(#[from] ListError),
}

impl ListFault {
    /// The code of VP-050.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "status/unreachable",
            Self::Redirected => "status/redirected",
            Self::Path(_) | Self::Signature | Self::Certificates => "status/list-untrusted",
            Self::Malformed | Self::Typ | Self::Claims | Self::List(_) => "status/list-invalid",
        }
    }

    /// The closed word of a report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Redirected => "redirected",
            Self::Malformed => "malformed",
            Self::Typ => "typ",
            Self::Claims => "claims",
            Self::Certificates => "certificates",
            Self::Path(_) => "path",
            Self::Signature => "signature",
            Self::List(ListError::TooLarge) => "too-large",
            Self::List(_) => "not-zlib",
        }
    }
}

/// A list token, parsed; its list is still compressed.
#[derive(Debug)]
pub struct ListToken(Form);

/// The two forms in which a list is signed.
#[derive(Debug)]
enum Form {
    Jwt { jws: Jws, claims: Map<String, Value> },
    Cwt { signed: Box<Sign1>, claims: Cbor },
}

/// What either form says, its list still compressed.
pub(super) struct Contents {
    pub(super) subject: String,
    pub(super) dates: Dates,
    pub(super) ttl_s: Option<u64>,
    pub(super) bits: Bits,
    pub(super) lst: Vec<u8>,
}

impl ListToken {
    /// Reads a JWT. Nothing is inflated before its signature holds, so a stranger's bomb costs nothing.
    ///
    /// # Errors
    /// [`ListFault::Malformed`], [`ListFault::Typ`].
    pub fn parse(text: &str) -> Result<Unverified<Self>, ListFault> {
        let limits = Limits { bytes_max: TOKEN_BYTES_MAX, depth_max: DEPTH_MAX };
        let jws = Jws::parse(text, &limits).map_err(|_| ListFault::Malformed)?;
        if jws.typ() != Some(TYP) {
            return Err(ListFault::Typ);
        }
        match json::parse(jws.payload(), &limits) {
            Ok(Value::Object(claims)) => Ok(Unverified::new(Self(Form::Jwt { jws, claims }))),
            _ => Err(ListFault::Malformed),
        }
    }

    /// Reads a CWT; as [`Self::parse`].
    ///
    /// # Errors
    /// [`ListFault::Malformed`], [`ListFault::Typ`].
    pub fn parse_cwt(bytes: &[u8]) -> Result<Unverified<Self>, ListFault> {
        let (signed, claims) = cwt::parse(bytes)?;
        Ok(Unverified::new(Self(Form::Cwt { signed: Box::new(signed), claims })))
    }

    fn chain(&self) -> Option<Vec<Vec<u8>>> {
        match &self.0 {
            Form::Jwt { jws, .. } => jws.x5c().ok(),
            Form::Cwt { signed, .. } => signed.x5chain().ok(),
        }
    }

    fn is_signed_by(&self, key: &PublicKey) -> bool {
        match &self.0 {
            Form::Jwt { jws, .. } => jws.verify(key).is_ok(),
            Form::Cwt { signed, .. } => signed.verify(key, b"", None).is_ok(),
        }
    }

    fn contents(&self) -> Result<Contents, ListFault> {
        match &self.0 {
            Form::Jwt { claims, .. } => Contents::of(claims),
            Form::Cwt { claims, .. } => cwt::contents(claims),
        }
    }
}

impl Unverified<ListToken> {
    /// The list, if an anchor for status lists vouches for its signer, or an issuer's anchor does: whether that one is
    /// the credential's own is decided when a credential is looked up.
    ///
    /// # Errors
    /// See [`ListFault`].
    pub fn verify(self, trust: &Trust<'_>, now: Timestamp) -> Result<VerifiedList, ListFault> {
        let token = self.into_inner();
        let chain = token.chain().ok_or(ListFault::Certificates)?;
        let judge = |context| trust.judge(&chain, context, now).map_err(|_| ListFault::Certificates);
        let mut context = Context::Status;
        let mut judged = judge(context)?;
        if let Err(fault) = judged.path() {
            context = Context::Issuer;
            judged = judge(context)?;
            judged.path().map_err(|_| ListFault::Path(fault.reason))?;
        }
        if !token.is_signed_by(judged.signer()) {
            return Err(ListFault::Signature);
        }
        VerifiedList::of(token.contents()?, context, judged)
    }
}

impl Contents {
    fn of(claims: &Map<String, Value>) -> Result<Self, ListFault> {
        let subject = claims.get("sub").and_then(Value::as_str).ok_or(ListFault::Claims)?.to_owned();
        let ttl_s = match claims.get("ttl") {
            None => None,
            Some(ttl) => Some(ttl.as_u64().filter(|ttl| *ttl > 0).ok_or(ListFault::Claims)?),
        };
        let packed = claims.get("status_list").ok_or(ListFault::Claims)?;
        let bits = packed.get("bits").and_then(Value::as_u64).and_then(Bits::of).ok_or(ListFault::Claims)?;
        let lst = packed.get("lst").and_then(Value::as_str).ok_or(ListFault::Claims)?;
        let lst = base64::url_decode(lst).map_err(|_| ListFault::Claims)?;
        let dates = Dates::read(claims).map_err(|_| ListFault::Claims)?;
        Ok(Self { subject, dates, ttl_s, bits, lst })
    }
}

/// A list that an anchor vouches for, inflated.
#[derive(Debug)]
pub struct VerifiedList {
    list: StatusList,
    subject: String,
    dates: Dates,
    ttl_s: Option<u64>,
    context: Context,
    judged: Arc<Judged>,
}

impl VerifiedList {
    fn of(contents: Contents, context: Context, judged: Arc<Judged>) -> Result<Self, ListFault> {
        let Contents { subject, dates, ttl_s, bits, lst } = contents;
        if dates.issued_at.is_none() {
            return Err(ListFault::Claims);
        }
        Ok(Self { list: StatusList::inflated(bits, &lst)?, subject, dates, ttl_s, context, judged })
    }

    /// `sub`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Until when a list fetched at `fetched_at` counts as fresh: its `ttl`, clamped, and never past its `exp`.
    pub fn fresh_until(&self, fetched_at: Timestamp) -> Timestamp {
        let ttl_s = self.ttl_s.unwrap_or(TTL_MAX_S).clamp(TTL_MIN_S, TTL_MAX_S);
        let ttl = SignedDuration::from_secs(ttl_s as i64);
        let by_ttl = fetched_at.saturating_add(ttl).unwrap_or(Timestamp::MAX);
        self.dates.expires_at.map_or(by_ttl, |expires_at| expires_at.min(by_ttl))
    }

    /// Whether its `iat` lies ahead of `now` by more than honest clocks differ.
    pub(crate) fn is_from_the_future(&self, now: Timestamp) -> bool {
        let skew = SignedDuration::from_secs(CLOCK_SKEW_S);
        self.dates.issued_at.is_some_and(|issued_at| issued_at.duration_since(now) > skew)
    }

    /// The value at `idx`.
    ///
    /// # Errors
    /// [`ListError::OutOfRange`].
    pub fn value(&self, idx: u64) -> Result<StatusValue, ListError> {
        self.list.value(idx)
    }

    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        self.list.entries()
    }

    /// The certificates that vouch for it.
    pub fn judged(&self) -> &Judged {
        &self.judged
    }

    /// Whether it may speak for a credential whose own path ends at `anchor_sha256`: an anchor for status lists may
    /// speak for all, another only for its own.
    pub(crate) fn speaks_for(&self, anchor_sha256: Option<&[u8; 32]>) -> bool {
        self.context == Context::Status
            || self.judged.path().is_ok_and(|vouched| Some(&vouched.anchor_sha256) == anchor_sha256)
    }
}
