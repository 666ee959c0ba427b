//! Judging one presentation, of an SD-JWT VC or an mdoc: every check that can run does, so that a report lists all faults.
//!
//! ```text
//! text + Expected + Trust + now ─examine, examine_mdoc─▶ Examined ─status_wanted─▶ (the service fetches the list)
//! Examined + StatusAnswer + StatusPolicy ─conclude─▶ Concluded { results, presented }
//! ```
//! Invariants: [`PresentedCredential`] exists only if no check failed; it holds the claims that were asked for and no
//! others; the status is looked up last and only of a credential that is valid so far, so that an invalid one makes
//! nobody fetch anything.

mod binding;
mod issuer;
mod mdoc;
mod query;
mod status;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::check::{Check, CheckResult, Detail, Outcome, PresentationName};
use crate::dcql::CredentialQuery;
use crate::sd_jwt::{self, ClaimFault, Dates, Parts};
use crate::status::StatusReference;
use crate::trust::Trust;

pub use mdoc::examine_mdoc;
pub use status::{StatusAnswer, StatusMode, StatusPolicy};

/// What the verifier stored when it asked.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// What was asked for.
    pub query: &'a CredentialQuery,
    /// Which presentation of the answer this is.
    pub name: PresentationName,
    /// Our full client identifier, prefix included.
    pub audience: &'a str,
    /// The session's nonce.
    pub nonce: &'a str,
    /// When the request was made.
    pub requested_at: Timestamp,
    /// What this credential may authorise.
    pub transactions: &'a [Transaction],
}

/// Transaction data that a credential may authorise (OpenID4VP 1.0, 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// SHA-256 of the string as it was sent.
    pub sha256: [u8; 32],
    /// Whether no other credential could do it instead.
    pub required: bool,
}

/// A presentation after every check but those of its status.
#[derive(Debug)]
pub struct Examined {
    results: Vec<CheckResult>,
    name: PresentationName,
    presented: Option<PresentedCredential>,
    status: Result<Option<StatusReference>, ClaimFault>,
    anchor_sha256: Option<[u8; 32]>,
    transactions: Vec<[u8; 32]>,
}

/// A presentation after every check.
#[derive(Debug)]
pub struct Concluded {
    /// One line for each check, in the order of their numbers.
    pub results: Vec<CheckResult>,
    /// What was shown; only if no check failed.
    pub presented: Option<PresentedCredential>,
}

/// What a verifier learns. Its claims are personal data: `Debug` shows their count.
#[derive(Clone, PartialEq)]
pub struct PresentedCredential {
    /// `dc+sd-jwt` or `mso_mdoc`.
    pub format: &'static str,
    /// The type: `vct` or document type.
    pub kind: String,
    /// The claims that were asked for.
    pub claims: Map<String, Value>,
    /// `valid`; `absent` when the credential names no list; `ignored` by policy.
    pub status: &'static str,
    /// Whether the holder proved the key.
    pub holder_binding: bool,
    /// `exp` or `validUntil`.
    pub valid_until: Option<Timestamp>,
    /// Who issued it.
    pub issuer: IssuerFacts,
}

/// Who issued a credential, by certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerFacts {
    /// Subject of the signer's certificate.
    pub subject: String,
    /// SHA-256 of the signer's certificate.
    pub certificate_sha256: [u8; 32],
    /// The anchor that vouches, `anc_…`.
    pub anchor: String,
}

/// Checks everything about `text` that needs no status list.
pub fn examine(text: &str, expected: &Expected<'_>, trust: &Trust<'_>, now: Timestamp) -> Examined {
    let mut lines = Lines { results: Vec::with_capacity(Check::ALL.len()) };
    let found = match Parts::split(text) {
        Ok(parts) => examine_parts(&mut lines, &parts, expected, trust, now),
        Err(fault) => {
            lines.fail(Check::Parses, "credential/malformed", Detail::none().reason(fault.word()));
            Found::nothing(Vec::new())
        }
    };
    let Found { presented, status, anchor_sha256, transactions } = found;
    if presented.is_none() && lines.is_valid() {
        // A part is missing that no check spoke of: whatever it is, nobody vouches for it.
        lines.fail(Check::Parses, "credential/malformed", Detail::none().reason("incomplete"));
    }
    lines.skip_missing(EXAMINED, "not-reached");
    let presented = presented.filter(|_| lines.is_valid());
    let (results, name) = (lines.results, expected.name.clone());
    Examined { results, name, presented, status, anchor_sha256, transactions }
}

/// What a presentation's parts told.
struct Found {
    presented: Option<PresentedCredential>,
    status: Result<Option<StatusReference>, ClaimFault>,
    anchor_sha256: Option<[u8; 32]>,
    transactions: Vec<[u8; 32]>,
}

impl Found {
    fn nothing(transactions: Vec<[u8; 32]>) -> Self {
        Self { presented: None, status: Ok(None), anchor_sha256: None, transactions }
    }
}

fn examine_parts(
    lines: &mut Lines,
    parts: &Parts<'_>,
    expected: &Expected<'_>,
    trust: &Trust<'_>,
    now: Timestamp,
) -> Found {
    let Some(signed) = issuer::check_form(lines, parts.jwt) else {
        let bound = binding::check(lines, parts, expected, binding::Holder::Unknown, trust.haip, now);
        return Found::nothing(bound.transactions);
    };
    let issuer::Signed { jws, payload } = signed;
    let registered = Registered::of(&payload);
    let judged = issuer::check_signer(lines, &jws, trust, now);
    issuer::check_dates(lines, &registered.dates, now);
    let anchor = issuer::check_context(lines, judged.as_deref(), trust, registered.vct.as_deref());
    let claims = issuer::check_disclosures(lines, payload, &parts.disclosures);
    let holder = binding::Holder::Stated(&registered.holder);
    let bound = binding::check(lines, parts, expected, holder, trust.haip, now);
    query::check_type(lines, expected.query, &registered, judged.as_deref(), trust);
    query::check_authorities(lines, expected.query, judged.as_deref());
    let asked = query::check_claims(lines, expected.query, claims);

    let anchor_sha256 = judged.as_deref().and_then(|judged| Some(judged.path().ok()?.anchor_sha256));
    let presented = (|| {
        let signer = judged.as_deref()?.chain().first()?;
        Some(PresentedCredential {
            format: sd_jwt::TYP,
            kind: registered.vct.clone()?,
            claims: asked?,
            status: "absent",
            holder_binding: bound.is_there,
            valid_until: registered.dates.as_ref().ok()?.expires_at,
            issuer: IssuerFacts {
                subject: signer.subject.clone(),
                certificate_sha256: signer.sha256,
                anchor: anchor?,
            },
        })
    })();
    Found { presented, status: registered.status, anchor_sha256, transactions: bound.transactions }
}

impl Examined {
    /// Whether no check failed so far.
    pub fn is_valid(&self) -> bool {
        self.presented.is_some()
    }

    /// Digests of the transaction data that its key binding binds.
    pub fn transactions(&self) -> &[[u8; 32]] {
        &self.transactions
    }

    /// The list to fetch: only of a credential that is valid so far, and only if policy wants it.
    pub fn status_wanted(&self, policy: &StatusPolicy) -> Option<&StatusReference> {
        if !self.is_valid() || policy.mode == StatusMode::Ignore {
            return None;
        }
        self.status.as_ref().ok()?.as_ref()
    }

    /// The last checks, with the list that [`Self::status_wanted`] named.
    pub fn conclude(self, answer: &StatusAnswer<'_>, policy: &StatusPolicy, now: Timestamp) -> Concluded {
        let Self { results, name, mut presented, status, anchor_sha256, .. } = self;
        let mut lines = Lines { results };
        if let Some(presented) = &mut presented {
            let reference = status::Asked { reference: &status, anchor_sha256: anchor_sha256.as_ref() };
            presented.status = status::check(&mut lines, &reference, answer, policy, now);
        }
        lines.skip_missing(STATUS, "credential-invalid");
        let presented = presented.filter(|_| lines.is_valid());
        lines.results.sort_by_key(|result| result.check);
        let results = lines.results.into_iter().map(|result| result.of(&name)).collect();
        Concluded { results, presented }
    }
}

impl PresentedCredential {
    /// As our API shows it.
    pub fn to_value(&self) -> Value {
        json!({
            "format": self.format,
            "type": self.kind,
            "claims": self.claims,
            "status": self.status,
            "holder_binding": self.holder_binding,
            "valid_until": self.valid_until.map(|end| end.to_string()),
            "issuer": {
                "subject": self.issuer.subject,
                "x5t_s256": crypto::base64::url_encode(&self.issuer.certificate_sha256),
                "anchor": self.issuer.anchor,
            },
        })
    }
}

impl std::fmt::Debug for PresentedCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PresentedCredential({}, {} claims)", self.kind, self.claims.len())
    }
}

/// The checks of [`examine`], in order.
const EXAMINED: &[Check] = &[
    Check::Parses,
    Check::Typ,
    Check::AlgFitsKey,
    Check::X5c,
    Check::Path,
    Check::AnchorOutside,
    Check::Context,
    Check::Signature,
    Check::Disclosures,
    Check::Dates,
    Check::KeyBinding,
    Check::KeyBindingTyp,
    Check::KeyBindingKey,
    Check::Audience,
    Check::Nonce,
    Check::KeyBindingTime,
    Check::SdHash,
    Check::TransactionData,
    Check::Type,
    Check::Claims,
    Check::Values,
    Check::TrustedAuthorities,
    Check::OverDisclosure,
];

/// The checks of [`Examined::conclude`], in order.
const STATUS: &[Check] =
    &[Check::StatusList, Check::StatusSubject, Check::StatusFresh, Check::StatusIndex, Check::StatusValue];

/// The registered claims, read from the payload alone: none of them may be a disclosure.
struct Registered {
    vct: Option<String>,
    aka_vcts: Vec<String>,
    dates: Result<Dates, sd_jwt::DateFault>,
    holder: Result<Option<crypto::jwk::Jwk>, ClaimFault>,
    status: Result<Option<StatusReference>, ClaimFault>,
}

impl Registered {
    fn of(payload: &Map<String, Value>) -> Self {
        let aka_vcts = sd_jwt::aka_vcts(payload).unwrap_or_default();
        Self {
            vct: sd_jwt::vct(payload).ok().map(str::to_owned),
            aka_vcts: aka_vcts.into_iter().map(str::to_owned).collect(),
            dates: Dates::read(payload),
            holder: sd_jwt::holder_key(payload),
            status: StatusReference::of(payload),
        }
    }
}

/// The lines of a report under way.
struct Lines {
    results: Vec<CheckResult>,
}

impl Lines {
    fn pass(&mut self, check: Check, detail: Detail) {
        self.results.push(CheckResult::pass(check, detail));
    }

    fn fail(&mut self, check: Check, code: &'static str, detail: Detail) {
        self.results.push(CheckResult::fail(check, code, detail));
    }

    fn warn(&mut self, check: Check, code: &'static str, detail: Detail) {
        self.results.push(CheckResult::warn(check, code, detail));
    }

    fn skip(&mut self, check: Check, reason: &'static str) {
        self.results.push(CheckResult::skipped(check, reason));
    }

    /// Pass without detail, or fail with it.
    fn judge(&mut self, check: Check, holds: bool, code: &'static str, detail: impl FnOnce() -> Detail) {
        if holds { self.pass(check, Detail::none()) } else { self.fail(check, code, detail()) }
    }

    /// A line for every check of `wanted` that has none, so that no report is silent about one.
    fn skip_missing(&mut self, wanted: &[Check], reason: &'static str) {
        for check in wanted {
            if !self.results.iter().any(|result| result.check == *check) {
                self.skip(*check, reason);
            }
        }
    }

    fn is_valid(&self) -> bool {
        self.results.iter().all(|result| result.outcome != Outcome::Fail)
    }
}
