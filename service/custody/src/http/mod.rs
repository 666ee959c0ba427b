//! The doors of keys, tokens and trust.

mod anchors;
mod keys;
mod pages;
mod problem;
mod public;
mod sign;
mod token;
mod versions;
mod view;

use edge::Doors;

use crate::Custody;

/// Every door of the room.
pub fn doors(custody: &Custody) -> Doors {
    keys::doors()
        .and(sign::doors())
        .and(versions::doors())
        .and(public::doors())
        .and(token::doors())
        .and(anchors::doors())
        .with(custody.clone())
}
