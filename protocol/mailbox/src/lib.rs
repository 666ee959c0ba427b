//! What a relay and its clients do: cells, chains, cover and its budget, as values.
//!
//! ```text
//!   invite ─ accept ─► hello ─► confirm ─► contact ─┐
//!                                                   ├─ client ─ one cell and one fetch a round ─► relay ─► rows ─► client
//!   text ─ outbox ─► body 480 ─ chain ─► cell 512 ──┘
//! ```
//! Invariants, all by absence: nothing here reads a clock, draws randomness by itself (key pairs aside) or does I/O; no key seals
//! twice, since a step of a chain is consumed by the cell it makes; nothing on the wire names a recipient; a cover cell and a real
//! one differ in nothing that a relay can see.
//!
//! Start reading at [`cell`] and [`chain`], then [`invite`] and [`client`].

pub mod account;
pub mod base45;
pub mod body;
pub mod budget;
pub mod bytes;
pub mod calendar;
pub mod cell;
pub mod chain;
pub mod client;
pub mod contact;
pub mod cover;
pub mod delivery;
pub mod enrol;
pub mod invite;
pub mod label;
pub mod listener;

pub mod frame;
pub mod hop;
pub mod link;
pub mod network;
pub mod onion;
pub mod round;
pub mod simulation;
pub mod statement;
