//! The wallet against an issuer and a verifier that speak HTTP on loopback, honest and hostile, at one fixed moment.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accepting;
mod following;
mod http;
mod pages;
mod presenting;
mod server;
mod verbs;
mod world;
