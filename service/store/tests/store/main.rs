//! The store from outside, on real database files. Test names are what they show.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

// Rooms know this crate by its short name.
extern crate tessera_store as store;

mod crash;
mod disk;
mod fixture;
mod ledger;
mod memo;
mod opening;
mod sealed;
mod units;
