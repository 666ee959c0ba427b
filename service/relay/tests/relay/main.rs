//! The relay through its doors, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]

mod attacks;
mod house;
mod members;
mod restarts;
mod rooms;
mod rounds;
mod standing;
