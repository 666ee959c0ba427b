//! A holder's wallet: it redeems offers, keeps credentials under a passphrase, and shows only what was asked and agreed to.
//!
//! ```text
//! offer link ─► openid::vci::wallet ─► http ─► credential ─► vault
//! request    ─► openid::vp::wallet  ─► consent ─► key binding ─► encrypted response ─► http
//! ```
//! Invariants: a failed check is never overridden by `--yes`; keys are software keys and are called so; nothing but ciphertext
//! stands in the wallet's file. Start reading in [`vault`] and `engine`.

pub mod vault;
