//! Seal/1: the mutual code between the browser that wants in, the identity provider and the wallet.
//!
//! ```text
//!   context ─▶ T0 ─▶ keys (svc, usr, K_mac, K_doc) ─▶ response R ─▶ tag, M, signature ─▶ answer::open ─▶ decide
//!   signin: the machine of a session       claim: what the wallet checks       proof, reply: the JWS of the doors
//! ```
//!
//! Start reading at [`context`]; [`signin`] has the table of states.

pub mod answer;
pub mod claim;
pub mod context;
pub mod document;
mod frame;
pub mod keys;
pub mod proof;
pub mod reply;
pub mod response;
pub mod signin;

pub use answer::{Answer, Answering, Failure, Opened, Session, Verdict};
pub use context::{Acr, Context, Mode, Sid, T0};
pub use frame::frame;
pub use keys::{KeySchedule, OneTimeCode, Parties};
pub use response::{Decision, DenyReason, FaceVerdict, Response};
pub use signin::{Effect, Input, Refusal, Signin};
