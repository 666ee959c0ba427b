//! The rules of the house, as functions that list every break they find.
//!
//! ```text
//! source tree, cargo metadata ──► rules::* ──► Vec<Break>   (tests/house.rs asserts that each list is empty)
//! ```
//! Invariant: a rule reads the tree and reports; it never changes a file. Start reading in [`rules`].

pub mod rules;
pub mod tree;
