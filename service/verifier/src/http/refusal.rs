//! How this room's errors read: problems on our own API, one text for all at the wallet's door.

use crate::browser::ReturnError;
use crate::named::NamedError;
use crate::page;
use crate::query::QueryError;
use crate::request::RequestError;
use crate::response::ResponseError;
use crate::result::ResultError;
use axum::response::{IntoResponse, Response};
use credential::pointer::PointerError;
use custody::SignError;
use edge::problem::pages;
use edge::{OauthAnswer, Page, Problem};
use jiff::SignedDuration;
use openid::vp::response;

/// What a caller waits for before it asks again when a signer ends soon: somebody must rotate it.
const SIGNER_RETRY_S: i64 = 60;

pub(super) fn request(fault: RequestError) -> Problem {
    match fault {
        RequestError::Query(faults) => of_query(&page::QUERY_INVALID, faults),
        RequestError::NotOffered(faults) => of_query(&page::NOT_OFFERED, faults),
        RequestError::Bound { pointer, rule } => {
            Problem::of(&pages::INVALID).detail(format!("{pointer} {rule}")).at(pointer, rule)
        }
        RequestError::UnknownQuery => {
            Problem::of(&page::UNKNOWN_QUERY).at("/query", "is the name of a stored query")
        }
        RequestError::ReturnUri(rule) => Problem::of(&page::RETURN_URI_INVALID).at("/return_uri", rule),
        RequestError::HaipForbids(pointer) => {
            Problem::of(&page::HAIP_FORBIDS).at(pointer, "is forbidden by HAIP")
        }
        RequestError::OnlyInDevelopment(pointer) => {
            Problem::of(&page::NOT_OFFERED).at(pointer, "is offered in development only")
        }
        RequestError::UnknownTransactionType(pointer) => {
            Problem::of(&page::UNKNOWN_TRANSACTION_TYPE).at(pointer, "is a registered type")
        }
        RequestError::Signer(SignError::Expiring { .. }) => {
            Problem::of(&page::SIGNER_EXPIRING).retry_after(SignedDuration::from_secs(SIGNER_RETRY_S))
        }
        RequestError::Signer(SignError::Store(fault)) => fault.into(),
        fault @ (RequestError::Signer(_) | RequestError::NoCertificate | RequestError::SignerMoves) => {
            tracing::error!(%fault, "a presentation request could not be signed");
            Problem::of(&pages::FAULT)
        }
        RequestError::DoneElsewhere => Problem::of(&pages::IDEMPOTENCY_BUSY),
        RequestError::Store(fault) => fault.into(),
    }
}

pub(super) fn result(fault: ResultError) -> Problem {
    match fault {
        ResultError::NotFound => Problem::of(&pages::NOT_FOUND),
        ResultError::Erased => Problem::of(&page::RESULT_ERASED),
        ResultError::Store(fault) => fault.into(),
    }
}

pub(super) fn returned(fault: ReturnError) -> Problem {
    match fault {
        ReturnError::Refused { recorded } => {
            let problem = Problem::of(&page::RETURN_REFUSED);
            if recorded { problem.recorded() } else { problem }
        }
        ReturnError::Store(fault) => fault.into(),
    }
}

pub(super) fn definition(fault: QueryError) -> Problem {
    match fault {
        QueryError::Request(fault) => request(fault),
        QueryError::Named(fault) => named(fault),
    }
}

pub(super) fn named(fault: NamedError) -> Problem {
    match fault {
        NamedError::NotFound => Problem::of(&pages::NOT_FOUND),
        NamedError::TooMany => Problem::of(&page::TOO_MANY_NAMES),
        NamedError::DoneElsewhere => Problem::of(&pages::IDEMPOTENCY_BUSY),
        NamedError::Store(fault) => fault.into(),
    }
}

/// A refusal at the wallet's door.
pub(super) enum Refused {
    /// The one text (OpenID4VP 1.0, 8.2 leaves the words to us).
    Oauth(Box<OauthAnswer>),
    /// A fault of ours, or a body that is none: the gate words it as OAuth does.
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

pub(super) fn response(fault: ResponseError) -> Refused {
    match fault {
        ResponseError::Refused { recorded } => {
            let answer = OauthAnswer::from(response::refused());
            Refused::Oauth(Box::new(if recorded { answer.recorded() } else { answer }))
        }
        ResponseError::Store(fault) => Refused::Problem(Box::new(fault.into())),
    }
}

fn of_query(page: &'static Page, faults: Vec<PointerError>) -> Problem {
    faults.into_iter().fold(Problem::of(page), |problem, fault| {
        problem.at(format!("/dcql_query{}", fault.pointer), fault.detail)
    })
}
