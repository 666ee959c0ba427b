//! OpenID for Verifiable Presentations 1.0: how a verifier asks and a wallet answers.
//!
//! ```text
//! verifier  RequestObject ─draft─▶ (custody signs) ─▶ link ─▶ … ─▶ response::open ─▶ Reply
//!           Reading ─verdict::examine─▶ Pending ─conclude─▶ Verdict { report, input, credentials }
//!           input ─Session::step─▶ (Session, Result<Outcome, Refusal>)
//! wallet    wallet::PresentationLink ─▶ CheckedRequest ─▶ Selection ─▶ KB-JWT drafts ─▶ Reply, encrypted
//! ```
//!
//! Invariants: an answer is judged by the stored query and session, never by what the answer says of itself; to the wallet all
//! faults read alike ([`response::refused`]); a final session has no way on; nothing here spends anything: that a session ends
//! once is the caller's guarded write.
//!
//! Checks of a verification are numbered in [`credential::check`]; this module makes VP-001 to VP-006 and puts the others
//! together.
//!
//! Start reading at [`session`] and [`verdict`].

pub mod client_id;
pub mod client_metadata;
pub mod error;
pub mod request;
pub mod response;
pub mod session;
pub mod transaction;
pub mod verdict;
pub mod wallet;

pub use client_id::{ClientId, ClientIdFault};
pub use client_metadata::{ClientMetadata, EncryptionChoice};
pub use error::WalletError;
pub use request::{RequestObject, RequestUriMethod, ResponseMode};
pub use response::{Answer, Reading, Reply, ResponseRules, Seal};
pub use session::{Flow, Input, Outcome, Refusal, Return, Session, State};
pub use transaction::TransactionData;
pub use verdict::{Judgement, Pending, Question, Verdict};
