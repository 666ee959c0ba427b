//! All SQL of the room, a file a noun.

pub(crate) mod document_seal;
pub(crate) mod enrolment;
pub(crate) mod history;
pub(crate) mod op;
pub(crate) mod outbox;
pub(crate) mod passkey;
pub(crate) mod relying_party;
pub(crate) mod result;
pub(crate) mod secret;
pub(crate) mod signin;

use ::store::Migrations;

/// The room's migrations.
pub const MIGRATIONS: Migrations = Migrations {
    room: "idp",
    list: &[
        ("0001_signin.sql", include_str!("../migrations/0001_signin.sql")),
        ("0002_op.sql", include_str!("../migrations/0002_op.sql")),
        ("0003_outbox.sql", include_str!("../migrations/0003_outbox.sql")),
        ("0004_passkey_device.sql", include_str!("../migrations/0004_passkey_device.sql")),
    ],
};

/// Every statement of the room, so that one test tries each on every engine.
pub fn statements() -> Vec<&'static str> {
    let files: &[&[&'static str]] = &[
        document_seal::STATEMENTS,
        enrolment::STATEMENTS,
        history::STATEMENTS,
        op::STATEMENTS,
        outbox::STATEMENTS,
        passkey::STATEMENTS,
        relying_party::STATEMENTS,
        result::STATEMENTS,
        secret::STATEMENTS,
        signin::STATEMENTS,
    ];
    files.concat()
}
