//! All SQL of the room, a file a noun.

use ::store::Migrations;

/// The room's migrations.
pub const MIGRATIONS: Migrations = Migrations {
    room: "idp",
    list: &[("0001_signin.sql", include_str!("../migrations/0001_signin.sql"))],
};

/// Every statement of the room, so that one test tries each on every engine.
pub fn statements() -> Vec<&'static str> {
    let files: &[&[&'static str]] = &[];
    files.concat()
}
