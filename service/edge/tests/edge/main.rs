//! Edge from outside: through its router, and where the socket matters through a real listener. One binary, one house per test.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]
#![allow(clippy::too_many_lines, reason = "tables of cases are long")]

extern crate tessera_edge as edge;

mod house;
mod idempotency;
mod input;
mod links;
mod openapi;
mod outbound;
mod outside;
mod parties;
mod rates;
mod socket;
mod strangers;
mod tokens;
