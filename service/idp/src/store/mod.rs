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
        ("0005_fewer_indexes.sql", include_str!("../migrations/0005_fewer_indexes.sql")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use ::store::{Actor, Ctx, Entropy, Reason, Store, StoreConfig, TenantId};
    use crypto::secret::Secret;

    #[tokio::test]
    async fn an_id_that_was_spent_before_its_table_was_built_anew_stays_spent() {
        let folder = tempfile::tempdir().unwrap();
        let open = |list| {
            let config = StoreConfig::new(folder.path().join("tessera.db"), Secret::new([7; 32]));
            Store::open(config, &[Migrations { room: "idp", list }]).unwrap()
        };
        let ctx =
            Ctx::new(TenantId::SYSTEM, Actor::system(), jiff::Timestamp::UNIX_EPOCH, Entropy::seeded(7));
        let spend = |id| vec![signin::spend_jti([id; 32], 60_000)];
        let before = open(&MIGRATIONS.list[..4]);
        assert_eq!(before.housekeeping(&ctx, Reason::SigninStep, spend(1)).await, Ok(1));
        drop(before);
        let after = open(MIGRATIONS.list);
        assert_eq!(after.housekeeping(&ctx, Reason::SigninStep, spend(1)).await, Ok(0));
        assert_eq!(after.housekeeping(&ctx, Reason::SigninStep, spend(2)).await, Ok(1));
        assert_eq!(after.housekeeping(&ctx, Reason::SigninStep, spend(2)).await, Ok(0));
    }
}
