//! The relay through its doors, over real sockets.

mod attacks;
mod house;
mod members;
mod restarts;
mod rooms;
mod rounds;
