//! The OpenID Provider through its doors: a relying party, a browser and a wallet, on a real store with a standing clock.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod asking;
mod browsing;
mod flow;
mod house;
mod passkeys;
mod person;
mod remembering;
mod shop;
mod tokens;
