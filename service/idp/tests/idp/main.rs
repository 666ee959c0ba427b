//! The identity provider through its doors, on a real store with a standing clock.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answering;
mod checks;
mod enrolling;
mod house;
mod leaks;
mod limits;
mod parties;
mod pushing;
mod rooms;
mod seals;
mod signing_in;
mod wallet;
