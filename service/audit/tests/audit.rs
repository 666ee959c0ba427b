//! The ledger from its pending entries to what outsiders check, and what must be found when somebody edits the files.

#![allow(unreachable_pub, reason = "modules of one test binary share their fixtures")]
#![allow(clippy::unwrap_used, reason = "a fixture that fails ends its test, as it should")]

#[path = "audit/house.rs"]
mod house;

#[path = "audit/damage.rs"]
mod damage;
#[path = "audit/doors.rs"]
mod doors;
#[path = "audit/opening.rs"]
mod opening;
#[path = "audit/publishing.rs"]
mod publishing;
#[path = "audit/reading.rs"]
mod reading;
#[path = "audit/sequencing.rs"]
mod sequencing;
#[path = "audit/street.rs"]
mod street;
#[path = "audit/tokens.rs"]
mod tokens;
