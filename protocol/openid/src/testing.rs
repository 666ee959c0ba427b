//! What the tests of this room share: a fixed time, and a signer in place of custody.

use crypto::jose::jws::{Draft, assemble};
use crypto::key::{KeyAlg, PrivateKey};
use jiff::Timestamp;

/// The `now` of every test.
pub(crate) fn now() -> Timestamp {
    at(0)
}

/// So many seconds after [`now`].
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A fresh P-256 key.
pub(crate) fn p256() -> PrivateKey {
    PrivateKey::generate(KeyAlg::P256)
}

/// Signs as custody or a wallet would.
pub(crate) fn sign(draft: Draft, key: &PrivateKey) -> String {
    let alg = key.alg().default_sign_alg();
    let input = draft.with_alg(alg).signing_input();
    let signature = key.sign(alg, input.as_bytes()).unwrap();
    assemble(&input, &signature)
}
