//! Which fault of the room is which problem: one exhaustive match for each operation.

use edge::Problem;
use edge::problem::pages as common;
use jiff::SignedDuration;

use super::pages;
use crate::anchor::AnchorError;
use crate::batch::OrderError;
use crate::keeper::KeeperFault;
use crate::make::KeyError;
use crate::order::OrderRefusal;
use crate::trust_list::TrustListError;

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        let text = error.to_string();
        let invalid =
            |pointer: &str| Self::of(&common::INVALID).detail(text.clone()).at(pointer, text.clone());
        match error {
            KeyError::NotFound => Self::of(&pages::NOT_FOUND),
            KeyError::Alg(rule) => Self::of(&pages::ALG_MISMATCH).detail(text).at("/alg", rule),
            KeyError::Uses(fault) => {
                let pointer = fault.index().map_or("/uses".to_owned(), |index| format!("/uses/{index}"));
                let page = match fault {
                    crate::usage::UsesError::Alg { .. } => &pages::ALG_MISMATCH,
                    _ => &common::INVALID,
                };
                Self::of(page).detail(text.clone()).at(pointer, text)
            }
            KeyError::Label => invalid("/label"),
            KeyError::NoKeeper => invalid("/keeper"),
            KeyError::Policy(fault) => invalid(&format!("/rotation/{}", fault.member)),
            KeyError::Confirm => invalid("/confirm"),
            KeyError::Step(_) | KeyError::TooSoon | KeyError::Pending { .. } => {
                Self::of(&pages::STATE).detail(text)
            }
            KeyError::Raced { .. } => Self::of(&pages::STATE).detail(text).recorded(),
            KeyError::Stale => Self::of(&pages::STALE).at("header:If-Match", "is not the ETag of the key"),
            KeyError::Fixed | KeyError::NoCertificates => Self::of(&pages::USE_REFUSED).detail(text),
            KeyError::NeedsCertificate { .. } => Self::of(&pages::CERTIFICATE_AWAITED).detail(text),
            KeyError::Chain(_) => Self::of(&pages::CERTIFICATE_REFUSED).detail(text),
            KeyError::Approval => Self::of(&pages::APPROVAL_REQUIRED).detail(text),
            KeyError::Idempotency => Self::of(&common::IDEMPOTENCY_BUSY).recorded(),
            KeyError::Root(cause) => {
                tracing::warn!(%cause, "a tenant's root could not sign");
                unavailable()
            }
            KeyError::Keeper(fault) => fault.into(),
            KeyError::Store(fault) => fault.into(),
        }
    }
}

/// A lost keeper is told without its cause, which names rows.
impl From<KeeperFault> for Problem {
    fn from(fault: KeeperFault) -> Self {
        match fault {
            KeeperFault::Store(fault) => fault.into(),
            KeeperFault::Shut { .. } | KeeperFault::Failed => {
                tracing::error!(%fault, "a private part could not be used");
                unavailable()
            }
        }
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let text = error.to_string();
        match error {
            OrderError::NotFound => Self::of(&pages::NOT_FOUND),
            OrderError::RoomKey { .. } => Self::of(&pages::USE_REFUSED).detail(text).recorded(),
            OrderError::State { .. } => Self::of(&pages::STATE).detail(text).recorded(),
            OrderError::Refused { refusal, .. } => Self::from(&refusal).recorded(),
            OrderError::Quota => Self::of(&pages::QUOTA).retry_after(SignedDuration::from_secs(1)),
            OrderError::Idempotency => Self::of(&common::IDEMPOTENCY_BUSY).recorded(),
            OrderError::Keeper(fault) => fault.into(),
            OrderError::Store(fault) => fault.into(),
        }
    }
}

impl From<&OrderRefusal> for Problem {
    fn from(refusal: &OrderRefusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            OrderRefusal::RawDigest => Self::of(&pages::RAW_DIGEST_REFUSED),
            OrderRefusal::Header { name } => Self::of(&pages::HEADER_REFUSED).detail(text).at(
                format!("/header/{}", name.replace('~', "~0").replace('/', "~1")),
                "is written by the signer",
            ),
            OrderRefusal::TooLarge => Self::of(&pages::PAYLOAD_TOO_LARGE),
            OrderRefusal::Alg { .. } => {
                Self::of(&pages::ALG_MISMATCH).detail(text).at("/alg", "does not fit the key")
            }
            OrderRefusal::Use => Self::of(&pages::USE_REFUSED).detail(text),
            OrderRefusal::Member { pointer, rule } => {
                Self::of(&common::INVALID).detail(text).at(*pointer, *rule)
            }
        }
    }
}

impl From<AnchorError> for Problem {
    fn from(error: AnchorError) -> Self {
        let text = error.to_string();
        match error {
            AnchorError::NotFound => Self::of(&common::NOT_FOUND),
            AnchorError::Known => Self::of(&pages::ANCHOR_KNOWN).recorded(),
            AnchorError::Form(rule) => Self::of(&common::INVALID).detail(text).at("/contexts", rule),
            AnchorError::Store(fault) => fault.into(),
        }
    }
}

impl From<TrustListError> for Problem {
    fn from(error: TrustListError) -> Self {
        let text = error.to_string();
        match error {
            TrustListError::NotFound => Self::of(&common::NOT_FOUND),
            TrustListError::Known => Self::of(&pages::LIST_KNOWN).detail(text).recorded(),
            TrustListError::Form(rule) => Self::of(&common::INVALID).detail(text).at("/types", rule),
            TrustListError::NoUri => Self::of(&common::INVALID).detail(text.clone()).at("/signed", text),
            TrustListError::Unreachable(_) => {
                Self::of(&pages::LIST_UNREACHABLE).detail(text.clone()).at("/uri", text)
            }
            // The list may have come from its address: the whole body is at fault.
            TrustListError::Refused(_) | TrustListError::OtherSigner => {
                Self::of(&pages::LIST_REFUSED).detail(text.clone()).at("", text)
            }
            TrustListError::NotNewer { .. } => Self::of(&pages::LIST_NOT_NEWER).detail(text).recorded(),
            TrustListError::Store(fault) => fault.into(),
        }
    }
}

fn unavailable() -> Problem {
    Problem::of(&pages::KEEPER_UNAVAILABLE).retry_after(SignedDuration::from_secs(5))
}
