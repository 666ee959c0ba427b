//! How this room's errors read at its own doors and at those of wallets.

use crate::document_seal::SealError;
use crate::enrolment::EnrolError;
use crate::metadata::MetadataError;
use crate::page;
use crate::relying_party::PartyError;
use crate::signin::SigninError;
use custody::SignError;
use edge::Problem;
use edge::problem::pages;
use jiff::SignedDuration;

/// What a caller waits for before it asks again when a signer ends soon: somebody must rotate it.
const SIGNER_RETRY_S: i64 = 60;
/// What a device waits for when it claimed too often.
const CLAIMS_RETRY_S: i64 = 60;

pub(super) fn party(fault: PartyError) -> Problem {
    match fault {
        PartyError::NotFound => Problem::of(&pages::NOT_FOUND),
        PartyError::Form(faults) => faults
            .into_iter()
            .fold(Problem::of(&pages::INVALID), |problem, fault| problem.at(fault.pointer, fault.rule)),
        PartyError::NoChallenge => Problem::of(&page::NO_CHALLENGE),
        PartyError::Proof { pointer, rule } => {
            Problem::of(&page::SERVICE_PROOF).detail(format!("{pointer} {rule}")).at(pointer, rule).recorded()
        }
        PartyError::NotProved | PartyError::NoSecret | PartyError::Raced => Problem::of(&page::OUT_OF_TURN),
        PartyError::Stale => Problem::of(&page::CHANGED_SINCE),
        PartyError::DoneElsewhere => Problem::of(&pages::IDEMPOTENCY_BUSY),
        PartyError::Seal(fault) => seal(fault),
        PartyError::Store(fault) => fault.into(),
    }
}

pub(super) fn seal(fault: SealError) -> Problem {
    match fault {
        SealError::NotFound => Problem::of(&pages::NOT_FOUND),
        SealError::RevokedIsFinal => Problem::of(&page::REVOKED_IS_FINAL),
        SealError::Content(fault) => Problem::of(&pages::INVALID)
            .detail(format!("the seal cannot say this: {fault}"))
            .at("/claims", fault.to_string()),
        SealError::Expiry => {
            Problem::of(&pages::INVALID).at("/claims/expiry", "is a day from today to ten years from now")
        }
        SealError::Raced => Problem::of(&pages::IDEMPOTENCY_BUSY),
        SealError::List(fault) => fault_of_ours(&fault),
        SealError::Sign(fault) => sign(fault),
        SealError::Store(fault) => fault.into(),
    }
}

/// How a refused enrolment reads at a door.
pub fn enrol(fault: EnrolError) -> Problem {
    let recorded = fault.code().is_some();
    let problem = match fault {
        EnrolError::NotFound => Problem::of(&pages::NOT_FOUND),
        EnrolError::Invite => Problem::of(&page::INVITE_INVALID),
        EnrolError::Member { pointer, rule } => {
            Problem::of(&pages::INVALID).detail(format!("{pointer} {rule}")).at(pointer, rule)
        }
        EnrolError::Proof | EnrolError::Replayed => Problem::of(&page::PROOF_INVALID),
        EnrolError::AlreadyEnrolled => Problem::of(&page::ALREADY_ENROLLED),
        EnrolError::AnchorUntrusted => Problem::of(&page::ANCHOR_UNTRUSTED),
        EnrolError::AnchorRevoked => Problem::of(&page::ANCHOR_REVOKED),
        EnrolError::Mismatch => Problem::of(&page::DOCUMENT_MISMATCH),
        EnrolError::Unattested => Problem::of(&page::KEY_UNATTESTED),
        EnrolError::OutOfTurn | EnrolError::Raced => Problem::of(&page::OUT_OF_TURN),
        EnrolError::NeedsOperator => Problem::of(&page::NEEDS_OPERATOR),
        EnrolError::Sign(fault) => sign(fault),
        EnrolError::Store(fault) => fault.into(),
    };
    if recorded { problem.recorded() } else { problem }
}

pub(crate) fn signin(fault: SigninError) -> Problem {
    match fault {
        SigninError::NotFound => Problem::of(&page::UNKNOWN_SESSION),
        SigninError::OtherBrowser | SigninError::Replayed => Problem::of(&page::PROOF_INVALID),
        SigninError::PartyInactive | SigninError::RequestSpent | SigninError::OutOfTurn => {
            Problem::of(&page::OUT_OF_TURN)
        }
        SigninError::AlreadyClaimed => Problem::of(&page::ALREADY_CLAIMED),
        SigninError::AssertionPending => Problem::of(&page::ASSERTION_PENDING),
        SigninError::RateLimited => {
            Problem::of(&page::RATE_LIMITED).retry_after(SignedDuration::from_secs(CLAIMS_RETRY_S))
        }
        SigninError::Malformed => Problem::of(&pages::BAD_REQUEST).detail("the answer cannot be read"),
        SigninError::Sign(fault) => sign(fault),
        SigninError::Store(fault) => fault.into(),
    }
}

pub(super) fn metadata(fault: MetadataError) -> Problem {
    match fault {
        MetadataError::Sign(fault) => sign(fault),
        MetadataError::Key(fault) => fault_of_ours(&fault),
        MetadataError::Store(fault) => fault.into(),
    }
}

pub(super) fn sign(fault: SignError) -> Problem {
    match fault {
        SignError::Expiring { .. } => {
            Problem::of(&page::SIGNER_EXPIRING).retry_after(SignedDuration::from_secs(SIGNER_RETRY_S))
        }
        SignError::Store(fault) => fault.into(),
        fault @ (SignError::NotFound
        | SignError::UseRefused { .. }
        | SignError::NotActive { .. }
        | SignError::Alg { .. }
        | SignError::Keeper(_)) => fault_of_ours(&fault),
    }
}

fn fault_of_ours(fault: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%fault, "the identity provider failed");
    Problem::of(&pages::FAULT)
}
