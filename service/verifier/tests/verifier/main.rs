//! The verifier from outside: through its doors, on an ephemeral store, against wallets and lists of the test's own making.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]
#![allow(clippy::too_many_lines, reason = "tables of cases are long")]

extern crate tessera_verifier as verifier;

mod answering;
mod asking;
mod attacks;
mod dcql;
mod documents;
mod house;
mod leaks;
mod lists;
mod people;
mod results;
mod returning;
mod stored;
mod ways;
