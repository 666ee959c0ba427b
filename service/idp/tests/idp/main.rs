//! The identity provider through its doors, on a real store with a standing clock.
