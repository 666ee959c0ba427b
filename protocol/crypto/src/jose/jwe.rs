//! Encrypted objects in compact form (RFC 7516).
