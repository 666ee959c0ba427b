//! The identity provider: who signs in where, by a device key and with the consent that its person signed.
