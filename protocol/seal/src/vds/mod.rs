//! Document seals: signed bytes small enough for a barcode.
