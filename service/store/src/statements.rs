//! Every statement of this room, so that one test can try each on every engine.

use crate::{detail, event, keyring, keys, ledger, log, open, pending, rotation};

/// The texts, as rooms list theirs.
pub const STATEMENTS: &[&str] = &[
    detail::EXPIRE_DETAILS,
    detail::EXPIRE_SUBJECTS,
    detail::LIST_DETAILS,
    detail::ONE_DETAIL,
    detail::SUBJECT_DETAILS,
    event::PUT_DETAIL,
    event::PUT_EVENT,
    event::PUT_SUBJECT,
    event::SUBJECT_KEY,
    keyring::KEK_IN_USE,
    keyring::KEK_OF_VERSION,
    keys::ALL_LOGS,
    keys::PUT_KEK,
    ledger::OLDEST_PENDING,
    log::CLOSE_LOG,
    log::ONE_LOG,
    log::OPEN_LOG,
    log::PUT_LOG,
    open::WAITING,
    pending::ONE_PENDING,
    pending::SPEND_PENDING,
    pending::TAKE_PENDING,
    rotation::BEGIN_ROTATION,
    rotation::FINISH_ROTATION,
    rotation::OLD_KEKS,
    rotation::REWRAP_KEK,
];
