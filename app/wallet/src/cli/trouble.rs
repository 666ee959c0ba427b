//! What a verb says when it fails: four lines (what, cause, fix, page), and the exit code that scripts read.

use crate::anchor::AnchorFault;
use crate::engine::relay::{RelayError, RelayFault};
use crate::engine::{AcceptError, PresentError, WalletFault};
use crate::http::HttpFault;
use crate::page::{self, Page};
use crate::text;
use crate::vault::VaultFault;
use mailbox::client::{AcceptRefusal, InviteRefusal, SendRefusal, VerifyRefusal};
use mailbox::delivery::QueueRefusal;
use openid::errand::PeerRefusal;
use openid::vci::offer::OfferFault;
use openid::vci::wallet::AcceptFault;
use openid::vp::wallet::{AnswerFault, RequestFault};
use serde_json::json;

/// One failure, as a person and a script meet it.
#[derive(Debug)]
pub struct Trouble {
    /// What kind it is: code, exit code, title and advice.
    pub page: &'static Page,
    /// Why, in this case.
    pub cause: String,
}

impl Trouble {
    pub(super) fn of(page: &'static Page, cause: impl Into<String>) -> Self {
        Self { page, cause: cause.into() }
    }

    /// The four lines, or one JSON object.
    #[must_use]
    pub fn render(&self, as_json: bool) -> String {
        let Page { code, title, fix, .. } = self.page;
        let cause = text::line(&self.cause);
        let page = format!("docs/problems/{code}.md");
        if as_json {
            return text::json(
                &json!({ "title": title, "code": code, "cause": cause, "fix": fix, "page": page }),
            );
        }
        let (first, rest) = title.split_at(1);
        let what = format!("{}{rest}", first.to_ascii_lowercase());
        format!("error: {what:<65} {code}\n  cause  {cause}\n  fix    {fix}\n  page   {page}\n")
    }
}

impl From<VaultFault> for Trouble {
    fn from(fault: VaultFault) -> Self {
        let page = match &fault {
            VaultFault::Missing(_) => &page::NO_WALLET,
            VaultFault::Exists(_) => &page::WALLET_EXISTS,
            VaultFault::Locked => &page::LOCKED,
            VaultFault::Broken(_) => &page::DAMAGED,
            VaultFault::Storage(_) => &page::STORAGE,
        };
        Self::of(page, fault.to_string())
    }
}

impl From<WalletFault> for Trouble {
    fn from(fault: WalletFault) -> Self {
        match fault {
            WalletFault::Vault(fault) => fault.into(),
            WalletFault::Http(fault) => fault.into(),
            WalletFault::Anchors(AnchorFault::TooMany) => Self::of(&page::FULL, fault.to_string()),
            WalletFault::Anchors(_) => Self::of(&page::USAGE, fault.to_string()),
            WalletFault::NotHeld(_) | WalletFault::NoAnchor(_) => {
                Self::of(&page::NOT_HELD, fault.to_string())
            }
        }
    }
}

impl From<RelayError> for Trouble {
    fn from(fault: RelayError) -> Self {
        let page = match &fault {
            RelayError::Vault(_) | RelayError::Relay(_) => return Self::of_relay(fault),
            RelayError::NotMember | RelayError::OtherNetwork(_) | RelayError::MembersOnly => {
                &page::NOT_A_MEMBER
            }
            RelayError::OnlineElsewhere => &page::ONLINE_ELSEWHERE,
            RelayError::Link(_) => &page::USAGE,
            RelayError::NoContact(_)
            | RelayError::Send(SendRefusal::Unknown | SendRefusal::State(_))
            | RelayError::Verify(VerifyRefusal::Unknown | VerifyRefusal::State(_)) => &page::NO_CONTACT,
            RelayError::Verify(VerifyRefusal::Differ) => &page::CODES_DIFFER,
            RelayError::Invite(InviteRefusal::Name | InviteRefusal::Url)
            | RelayError::Accept(AcceptRefusal::Name)
            | RelayError::Send(SendRefusal::Queue(QueueRefusal::TooLong)) => &page::USAGE,
            RelayError::Invite(InviteRefusal::Full)
            | RelayError::Accept(AcceptRefusal::Full)
            | RelayError::Send(SendRefusal::Queue(QueueRefusal::Full))
            | RelayError::OutgoingFull => &page::FULL,
            RelayError::OnlyPushes => &page::NO_CONTACT,
            RelayError::Accept(
                AcceptRefusal::Network
                | AcceptRefusal::Expired
                | AcceptRefusal::Own
                | AcceptRefusal::Again
                | AcceptRefusal::Enrol(_),
            ) => &page::INVITE_REJECTED,
        };
        Self::of(page, fault.to_string())
    }
}

impl Trouble {
    fn of_relay(fault: RelayError) -> Self {
        match fault {
            RelayError::Vault(fault) => fault.into(),
            RelayError::Relay(RelayFault::Http(fault)) => fault.into(),
            RelayError::Relay(RelayFault::Refused { status, .. }) if status < 500 => {
                Self::of(&page::PEER_REFUSED, fault.to_string())
            }
            RelayError::Relay(RelayFault::Refused { .. } | RelayFault::Link(_)) => {
                Self::of(&page::UNREACHABLE, fault.to_string())
            }
            other => Self::of(&page::RELAY_REJECTED, other.to_string()),
        }
    }
}

impl From<HttpFault> for Trouble {
    fn from(fault: HttpFault) -> Self {
        let page = match &fault {
            HttpFault::Address { .. } | HttpFault::Ca => &page::USAGE,
            HttpFault::Redirect { .. } | HttpFault::TooLong { .. } => &page::PEER_REFUSED,
            HttpFault::Unreachable { .. } => &page::UNREACHABLE,
        };
        Self::of(page, fault.to_string())
    }
}

impl From<&PeerRefusal> for Trouble {
    fn from(refusal: &PeerRefusal) -> Self {
        let page = if refusal.status >= 500 { &page::UNREACHABLE } else { &page::PEER_REFUSED };
        let PeerRefusal { status, code } = refusal;
        match code.as_str() {
            "unnamed" => Self::of(page, format!("the peer answered {status}")),
            code => Self::of(page, format!("the peer answered {status} {code}")),
        }
    }
}

impl From<AcceptError> for Trouble {
    fn from(fault: AcceptError) -> Self {
        match fault {
            AcceptError::Declined => Self::of(&page::DECLINED, "you said no"),
            AcceptError::Full => Self::of(&page::FULL, fault.to_string()),
            AcceptError::Http(fault) => fault.into(),
            AcceptError::Vault(fault) => fault.into(),
            AcceptError::Sign(_) => Self::of(&page::FAULT, fault.to_string()),
            AcceptError::Check(fault) => Self::of_accept(&fault),
        }
    }
}

impl From<PresentError> for Trouble {
    fn from(fault: PresentError) -> Self {
        match fault {
            PresentError::Http(fault) => fault.into(),
            PresentError::Vault(fault) => fault.into(),
            PresentError::Request(fault) => Self::of_request(&fault),
            PresentError::Answer(AnswerFault::Peer(refusal)) => (&refusal).into(),
            PresentError::Answer(AnswerFault::Wire(_)) => Self::of(&page::PEER_REFUSED, fault.to_string()),
            PresentError::SelectionUnfit | PresentError::Claims(_) => {
                Self::of(&page::USAGE, fault.to_string())
            }
            PresentError::Answer(AnswerFault::Encryption) | PresentError::Sign(_) => {
                Self::of(&page::FAULT, fault.to_string())
            }
        }
    }
}

impl Trouble {
    fn of_accept(fault: &AcceptFault) -> Self {
        let page = match fault {
            AcceptFault::Peer(refusal) => return refusal.into(),
            AcceptFault::Offer(OfferFault::Link | OfferFault::Address(_)) | AcceptFault::TxCodeNeeded => {
                &page::USAGE
            }
            AcceptFault::Offer(OfferFault::Wire(_) | OfferFault::Configurations)
            | AcceptFault::Wire { .. }
            | AcceptFault::Address { .. }
            | AcceptFault::Mismatch { .. }
            | AcceptFault::NoGrant
            | AcceptFault::ForeignServer
            | AcceptFault::NothingUsable
            | AcceptFault::TokenType => &page::OFFER_REJECTED,
            AcceptFault::Certificates(_) | AcceptFault::Untrusted(_) | AcceptFault::OtherContext => {
                &page::ISSUER_UNTRUSTED
            }
            AcceptFault::Count(_)
            | AcceptFault::Parse(_)
            | AcceptFault::Bound
            | AcceptFault::X5c(_)
            | AcceptFault::Rejected(_)
            | AcceptFault::OtherType
            | AcceptFault::OtherKey
            | AcceptFault::NoStatus => &page::CREDENTIAL_REJECTED,
        };
        Self::of(page, fault.to_string())
    }

    fn of_request(fault: &RequestFault) -> Self {
        let page = match fault {
            RequestFault::Peer(refusal) => return refusal.into(),
            RequestFault::Link => &page::USAGE,
            RequestFault::Certificates(_) | RequestFault::Untrusted(_) => &page::VERIFIER_UNTRUSTED,
            RequestFault::Address { .. }
            | RequestFault::Object
            | RequestFault::OtherClient
            | RequestFault::ClientId(_)
            | RequestFault::OtherCertificate
            | RequestFault::Signature
            | RequestFault::OutOfTime
            | RequestFault::Parameter(_)
            | RequestFault::UnknownTransaction
            | RequestFault::Query(_)
            | RequestFault::NoEncryption => &page::REQUEST_REJECTED,
        };
        Self::of(page, fault.to_string())
    }
}
