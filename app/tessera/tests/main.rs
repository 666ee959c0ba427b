//! The binary as its users meet it.

mod cli;
mod openapi;
mod program;
mod readme;
