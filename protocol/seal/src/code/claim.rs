//! What a wallet checks before it shows a sign-in to its person.
