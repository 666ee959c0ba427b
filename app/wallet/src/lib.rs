//! A holder's wallet: it redeems offers, keeps credentials under a passphrase, and shows only what was asked and agreed to.
//!
//! ```text
//! offer link ─► openid::vci::wallet ─► http ─► (holder agrees) ─► checks ─► vault
//! request    ─► openid::vp::wallet  ─► what would be seen ─► (holder agrees) ─► key binding ─► encrypted answer ─► http
//! ```
//! Invariants: a failed check is never overridden by `--yes`; a request that fails a check is not answered at all; keys are
//! software keys and are called so; nothing but ciphertext stands in the wallet's file; no text of a peer reaches a terminal
//! with its control characters. Start reading in [`engine`]; the verbs are in [`cli`].

pub mod anchor;
pub mod cli;
pub mod engine;
pub mod http;
pub mod page;
pub mod record;
pub mod text;
pub mod vault;
