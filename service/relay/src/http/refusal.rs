//! How this room's errors read.

use crate::member::{JoinError, MemberError};
use crate::page;
use edge::Problem;
use edge::problem::pages;
use jiff::SignedDuration;

pub(super) fn not_running() -> Problem {
    Problem::of(&page::NOT_RUNNING).retry_after(SignedDuration::from_secs(1))
}

pub(super) fn join(fault: JoinError) -> Problem {
    match fault {
        JoinError::ChallengeSpent => Problem::of(&page::CHALLENGE_SPENT).recorded(),
        JoinError::Proof => Problem::of(&page::PROOF_INVALID).recorded(),
        JoinError::LinkSpent => Problem::of(&page::LINK_SPENT).recorded(),
        JoinError::Key => Problem::of(&page::MEMBER_KEY).recorded(),
        JoinError::Busy => Problem::of(&page::BUSY).retry_after(SignedDuration::from_secs(60)),
        JoinError::NotRunning => not_running(),
        JoinError::Store(fault) => fault.into(),
    }
}

pub(super) fn member(fault: MemberError) -> Problem {
    match fault {
        MemberError::NotFound => Problem::of(&pages::NOT_FOUND),
        MemberError::State => Problem::of(&page::MEMBER_STATE).recorded(),
        MemberError::Store(fault) => fault.into(),
    }
}
