//! The issuer from outside: through its doors, on an ephemeral store, against wallets of the test's own making.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]

extern crate tessera_issuer as issuer;

mod attacks;
mod attestation;
mod batch;
mod dealing;
mod dpop;
mod house;
mod input;
mod issuing;
mod leaks;
mod lists;
mod notification;
mod offers;
mod parallel;
mod revoking;
mod rooms;
mod tenants;
mod tx_code;
mod wallet;
