//! Whether a certificate vouches for a seal.
