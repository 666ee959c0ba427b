//! The doors of keys, tokens and trust.

mod anchors;
mod keys;
mod lists;
mod pages;
mod problem;
mod public;
mod sign;
mod token;
mod trial;
mod versions;
mod view;

use edge::Doors;

use crate::{Custody, TrustLists};

/// The doors of trust lists, which go out to fetch them.
pub fn list_doors(lists: &TrustLists) -> Doors {
    lists::doors().with(lists.clone())
}

/// Every other door of the room.
pub fn doors(custody: &Custody) -> Doors {
    keys::doors()
        .and(sign::doors())
        .and(versions::doors())
        .and(public::doors())
        .and(token::doors())
        .and(anchors::doors())
        .and(trial::doors())
        .with(custody.clone())
}
