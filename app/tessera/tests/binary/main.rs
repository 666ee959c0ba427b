//! The binary as its users meet it.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that meets what it does not expect must stop"
)]

mod bad_input;
mod cli;
mod console;
mod faults;
mod openapi;
mod production;
mod program;
mod readme;
mod relay_privacy;
mod restart;
mod served;
mod tutorial;
