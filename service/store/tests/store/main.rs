//! The store from outside, on real database files. Test names are what they show.

// Rooms know this crate by its short name.
extern crate tessera_store as store;

mod fixture;
mod units;
