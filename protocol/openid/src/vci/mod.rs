//! OpenID for Verifiable Credential Issuance 1.0: how a wallet comes by a credential.
//!
//! ```text
//! issuer  CredentialOffer ─link─▶ wallet          PreAuthorizedRequest ─▶ CodeState::redeem ─▶ TokenResponse
//!         nonce::make ─▶ NonceResponse            CredentialRequest ─▶ Grant::accept ─▶ AcceptedRequest ─▶ CredentialResponse
//! wallet  wallet::OfferLink ─▶ Offered ─▶ Described ─▶ Granted ─▶ Ready ─▶ ReceivedCredential
//! ```
//!
//! Invariants: every refusal is an [`IssueRefusal`] that names one numbered [`Check`], and the check alone decides the error
//! code; a proof is verified only by the key inside it and counts only with a nonce we made; metadata names only what this
//! build serves. Spending (codes, nonces, rounds) is the caller's guarded write: a decision here never makes anything unique.
//!
//! Start reading at [`grant`].

pub mod check;
pub mod code;
pub mod grant;
pub mod metadata;
pub mod nonce;
pub mod notification;
pub mod offer;
pub mod possession;
pub mod proof;
pub mod request;
pub mod response;
pub mod tx_code;
pub mod wallet;

pub use check::{Check, IssueRefusal};
pub use code::{CodeState, PreAuthorizedRequest, Redemption};
pub use grant::{AcceptedRequest, Grant};
pub use metadata::{CredentialConfiguration, IssuerMetadata};
pub use nonce::{NonceFault, NonceKey, SpentNonce};
pub use notification::{NotificationEvent, NotificationRequest};
pub use offer::{CredentialOffer, OfferGrants, OfferLink, PreAuthorizedCode, TxCode};
pub use possession::DpopRules;
pub use proof::{ProofRules, VerifiedProof};
pub use request::{CredentialRequest, Proofs, Scheme, ShownToken, Wanted};
pub use response::{CredentialResponse, IssuedCredential, NonceResponse};
pub use tx_code::{TxCodeKey, TxCodeLock};
