//! How this room's errors read: problems on our own API, the standards' own JSON at the wallet's doors.

use crate::credential::IssueError;
use crate::grant::GrantError;
use crate::offer::OfferError;
use crate::page;
use crate::revoke::RevokeError;
use crate::status_list::ListError;
use ::credential::sd_jwt;
use ::store::StoreFault;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use custody::SignError;
use edge::problem::pages;
use edge::{OauthAnswer, Problem};
use jiff::SignedDuration;
use openid::oauth::{ErrorCode, OauthError};
use openid::vci::{Check, IssueRefusal};

/// A nonce for DPoP proofs (RFC 9449, 8.1).
pub(super) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Seconds after which a caller may ask again when a signer ends soon or is away: somebody must mend it first.
const SIGNER_RETRY_S: i64 = 60;

pub(super) fn offer(fault: OfferError) -> Problem {
    match fault {
        OfferError::UnknownConfiguration => Problem::of(&page::UNKNOWN_CONFIGURATION)
            .at("/credential_configuration_id", "must name one of the tenant's credential types"),
        OfferError::FormatMismatch => {
            Problem::of(&page::FORMAT_MISMATCH).at("/format", "must be the format of the credential type")
        }
        OfferError::Claims(faults) => {
            faults.into_iter().fold(Problem::of(&page::CLAIMS_INVALID), |problem, fault| {
                problem.at(format!("/claims{}", fault.pointer), fault.detail)
            })
        }
        OfferError::Draft(sd_jwt::IssueError::Dates) => signer_expiring(),
        OfferError::Draft(fault) => Problem::of(&page::CLAIMS_INVALID).at("/claims", fault.to_string()),
        OfferError::Bound { pointer, rule } => {
            Problem::of(&pages::INVALID).detail(format!("{pointer} {rule}")).at(pointer, rule)
        }
        OfferError::Signer(fault) => signer(fault),
        OfferError::NotFound => Problem::of(&pages::NOT_FOUND),
        // Both are lost guards: the refusal's event stands in place of the unit's.
        OfferError::Gone => Problem::of(&page::OFFER_GONE).recorded(),
        OfferError::DoneElsewhere => Problem::of(&pages::IDEMPOTENCY_BUSY).recorded(),
        OfferError::Store(fault) => fault.into(),
    }
}

pub(super) fn revoke(fault: RevokeError) -> Problem {
    match fault {
        RevokeError::NotFound => Problem::of(&pages::NOT_FOUND),
        RevokeError::DoneElsewhere => Problem::of(&pages::IDEMPOTENCY_BUSY).recorded(),
        RevokeError::Store(fault) => fault.into(),
    }
}

pub(super) fn list(fault: ListError) -> Problem {
    match fault {
        ListError::NotFound => Problem::of(&pages::NOT_FOUND),
        ListError::Signer(fault) => signer(fault),
        ListError::List(fault) => {
            tracing::error!(%fault, "a status list could not be made");
            Problem::of(&pages::FAULT)
        }
        ListError::Store(fault) => fault.into(),
    }
}

pub(super) fn signer(fault: SignError) -> Problem {
    match fault {
        SignError::Expiring { .. } => signer_expiring(),
        SignError::Store(fault) => fault.into(),
        passing if passing.passes() => {
            tracing::warn!(fault = %passing, "a signer of the issuer cannot sign now");
            Problem::of(&page::SIGNER_UNAVAILABLE).retry_after(SignedDuration::from_secs(SIGNER_RETRY_S))
        }
        other => {
            tracing::error!(fault = %other, "a signature of the issuer could not be made");
            Problem::of(&pages::FAULT)
        }
    }
}

fn signer_expiring() -> Problem {
    Problem::of(&page::SIGNER_EXPIRING).retry_after(SignedDuration::from_secs(SIGNER_RETRY_S))
}

/// A refusal at a wallet's door: the standard's words, or a problem that the gate words as the standard does.
pub(super) enum Refused {
    /// A check of the standard.
    Oauth(Box<OauthAnswer>),
    /// Anything else.
    Problem(Box<Problem>),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Oauth(answer) => answer.into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<StoreFault> for Refused {
    fn from(fault: StoreFault) -> Self {
        Problem::from(fault).into()
    }
}

impl Refused {
    /// With a nonce for the next DPoP proof (RFC 9449, 8 and 9).
    pub(super) fn with_dpop_nonce(self, nonce: Option<&str>) -> Self {
        match (self, nonce.and_then(|nonce| HeaderValue::from_str(nonce).ok())) {
            (Self::Oauth(answer), Some(nonce)) => Self::Oauth(Box::new(answer.header(DPOP_NONCE, nonce))),
            (other, _) => other,
        }
    }
}

pub(super) fn grant(fault: GrantError) -> Refused {
    match fault {
        GrantError::Refused { refusal, recorded } => refused(refusal, recorded),
        GrantError::Store(fault) => fault.into(),
    }
}

pub(super) fn issue(fault: IssueError) -> Refused {
    match fault {
        IssueError::Refused { refusal, recorded } => refused_resource(refusal, recorded),
        IssueError::Signer(fault) => signer(fault).into(),
        IssueError::Draft(_) => {
            let denied = "the credential cannot be made in this form any more";
            let answer = OauthAnswer::from(OauthError::of(ErrorCode::CredentialRequestDenied, denied));
            Refused::Oauth(Box::new(answer))
        }
        IssueError::Store(fault) => fault.into(),
    }
}

/// `recorded` says that the event of this refusal stands already, so that the gate counts no second one.
pub(super) fn refused(refusal: IssueRefusal, recorded: bool) -> Refused {
    let answer = OauthAnswer::from(OauthError::from(refusal));
    Refused::Oauth(Box::new(if recorded { answer.recorded() } else { answer }))
}

/// The same at a door that an access token opens: there a fault of a proof is a 401 with a challenge (RFC 9449, 7.1).
pub(super) fn refused_resource(refusal: IssueRefusal, recorded: bool) -> Refused {
    let mut error = OauthError::from(refusal);
    if matches!(error.error, ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce) {
        error.status = 401;
    }
    let mut answer = OauthAnswer::from(error);
    if refusal.check == Check::DpopBound {
        let challenge =
            HeaderValue::from_static("DPoP realm=\"tessera\", error=\"invalid_token\", algs=\"ES256 EdDSA\"");
        answer = answer.header(header::WWW_AUTHENTICATE, challenge);
    }
    Refused::Oauth(Box::new(if recorded { answer.recorded() } else { answer }))
}
