//! The wallet's file: one SQLite database whose records are sealed under a key that only the passphrase gives.
//!
//! ```text
//! passphrase ─ Argon2id(salt) ─► key ─ AES-256-GCM(AAD: kind ‖ 0 ‖ id) ─► record
//! ```
//! Invariant: nothing but salts, random ids and ciphertext stands in the file. A wrong passphrase opens nothing, since the first
//! record sealed is a known one. A record that was changed, or moved to another kind or id, does not open; that somebody who can
//! write the file took a whole record away, or put an older copy of the file in its place, cannot be seen.

use argon2::{Algorithm, Argon2, Params, Version};
use crypto::secret::Secret;
use crypto::{aead, random};
use rusqlite::{Connection, OptionalExtension, params};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Memory of one key derivation, KiB: 64 MiB, so that guessing costs.
const ARGON2_MEMORY_KIB: u32 = 64 << 10;
/// Passes over that memory.
const ARGON2_PASSES: u32 = 3;
/// How long one process waits while another writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The file's name in the wallet's home.
const FILE: &str = "wallet.db";
/// What the first record holds, so that a wrong passphrase is known at once.
const PROOF: &[u8] = b"tessera/wallet/1";

const SCHEMA: &str = "
    CREATE TABLE wallet_record (kind TEXT NOT NULL, id TEXT NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (kind, id)) STRICT;
    CREATE TABLE wallet_lock (one INTEGER PRIMARY KEY CHECK (one = 1), salt BLOB NOT NULL, proof BLOB NOT NULL) STRICT;";

/// An open wallet file.
pub struct Vault {
    database: Connection,
    key: Secret<[u8; 32]>,
}

/// What a record is; its name is part of what seals it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A held credential.
    Credential,
    /// The software key of a held credential, under the credential's id.
    Key,
    /// One line of history.
    Shown,
    /// A trusted certificate.
    Anchor,
    /// This device at an identity provider, with its keys.
    Enrolment,
    /// One sign-in, as its person decided it.
    Signin,
    /// The relay network that this wallet is a member of.
    Membership,
    /// The member's state: its core, and each contact with its chains.
    Mailbox,
    /// A letter that came over the relay.
    Letter,
    /// A letter that waits for the process that is online.
    Outgoing,
    /// A sign-in that was pushed.
    Push,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Key => "key",
            Self::Shown => "shown",
            Self::Anchor => "anchor",
            Self::Enrolment => "enrolment",
            Self::Signin => "signin",
            Self::Membership => "membership",
            Self::Mailbox => "mailbox",
            Self::Letter => "letter",
            Self::Outgoing => "outgoing",
            Self::Push => "push",
        }
    }
}

/// The id of a record, and what it holds.
pub type Record = (String, Secret<Vec<u8>>);

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultFault {
    /// There is none.
    #[error("there is no wallet in {0}")]
    Missing(String),
    /// There is one already.
    #[error("there is a wallet in {0} already")]
    Exists(String),
    /// The passphrase is wrong, or the file was changed.
    #[error("the passphrase does not open this wallet")]
    Locked,
    /// A record was changed or moved.
    #[error("record {0} was changed")]
    Broken(String),
    /// The file system or SQLite refused.
    #[error("the wallet's file: {0}")]
    Storage(String),
}

impl From<rusqlite::Error> for VaultFault {
    fn from(fault: rusqlite::Error) -> Self {
        Self::Storage(fault.to_string())
    }
}

impl Vault {
    /// Makes a wallet in `home` (mode 0700); the file (mode 0600) is whole or, after a crash, empty and may be made again.
    pub fn create(home: &Path, passphrase: &Secret<String>) -> Result<Self, VaultFault> {
        let path = home.join(FILE);
        if is_there(&path) {
            return Err(VaultFault::Exists(home.display().to_string()));
        }
        let storage = |fault: std::io::Error| VaultFault::Storage(fault.to_string());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(storage)?;
        fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(storage)?;
        let salt: [u8; 16] = random::array();
        let key = derive(passphrase, &salt)?;
        let mut vault = Self { database: Connection::open(&path)?, key };
        configure(&vault.database)?;
        let proof = vault.seal("lock", "1", PROOF);
        let transaction = vault.database.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction
            .execute("INSERT INTO wallet_lock (one, salt, proof) VALUES (1, ?1, ?2)", params![salt, proof])?;
        transaction.commit()?;
        Ok(vault)
    }

    /// A wallet without a file, under a key that nobody knows: for holders that end with their process.
    pub fn in_memory() -> Result<Self, VaultFault> {
        let database = Connection::open_in_memory()?;
        database.execute_batch(SCHEMA)?;
        Ok(Self { database, key: Secret::new(random::array()) })
    }

    /// Opens the wallet in `home`.
    pub fn open(home: &Path, passphrase: &Secret<String>) -> Result<Self, VaultFault> {
        let path = home.join(FILE);
        if !is_there(&path) {
            return Err(VaultFault::Missing(home.display().to_string()));
        }
        let database = Connection::open(&path)?;
        configure(&database)?;
        let (salt, proof): (Vec<u8>, Vec<u8>) =
            database
                .query_row("SELECT salt, proof FROM wallet_lock", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let vault = Self { database, key: derive(passphrase, &salt)? };
        match vault.unseal("lock", "1", &proof) {
            Ok(opened) if opened.expose() == PROOF => Ok(vault),
            _ => Err(VaultFault::Locked),
        }
    }

    /// The folder of the file; none for a wallet in memory.
    pub fn home(&self) -> Option<PathBuf> {
        let path = self.database.path().filter(|path| !path.is_empty())?;
        Path::new(path).parent().map(Path::to_path_buf)
    }

    /// Writes a record, replacing one of the same kind and id.
    pub fn put(&mut self, kind: Kind, id: &str, record: &[u8]) -> Result<(), VaultFault> {
        self.put_all(&[(kind, id, record)])
    }

    /// Writes records, all or none.
    pub fn put_all(&mut self, records: &[(Kind, &str, &[u8])]) -> Result<(), VaultFault> {
        let sealed: Vec<_> = records
            .iter()
            .map(|(kind, id, record)| (kind.name(), *id, self.seal(kind.name(), id, record)))
            .collect();
        let transaction = self.database.transaction()?;
        for (kind, id, sealed) in sealed {
            transaction.execute(
                "INSERT INTO wallet_record (kind, id, sealed) VALUES (?1, ?2, ?3) ON CONFLICT (kind, id) DO UPDATE SET sealed = ?3",
                params![kind, id, sealed],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// How many records of a kind there are.
    pub fn count(&self, kind: Kind) -> Result<usize, VaultFault> {
        let sql = "SELECT count(*) FROM wallet_record WHERE kind = ?1";
        let count: i64 = self.database.query_row(sql, [kind.name()], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Reads one record.
    pub fn load(&self, kind: Kind, id: &str) -> Result<Option<Secret<Vec<u8>>>, VaultFault> {
        let sealed: Option<Vec<u8>> = self
            .database
            .query_row(
                "SELECT sealed FROM wallet_record WHERE kind = ?1 AND id = ?2",
                params![kind.name(), id],
                |row| row.get(0),
            )
            .optional()?;
        sealed.map(|sealed| self.unseal(kind.name(), id, &sealed)).transpose()
    }

    /// Reads all records of a kind, in order of id.
    pub fn list(&self, kind: Kind) -> Result<Vec<Record>, VaultFault> {
        let mut statement =
            self.database.prepare("SELECT id, sealed FROM wallet_record WHERE kind = ?1 ORDER BY id")?;
        let rows = statement.query_map([kind.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut records = Vec::new();
        for row in rows {
            let (id, sealed): (String, Vec<u8>) = row?;
            let record = self.unseal(kind.name(), &id, &sealed)?;
            records.push((id, record));
        }
        Ok(records)
    }

    /// Forgets records, all or none of them; false if not one was there. What they were is overwritten in the file.
    pub fn delete(&mut self, records: &[(Kind, &str)]) -> Result<bool, VaultFault> {
        let transaction = self.database.transaction()?;
        let mut rows = 0;
        for (kind, id) in records {
            let sql = "DELETE FROM wallet_record WHERE kind = ?1 AND id = ?2";
            rows += transaction.execute(sql, params![kind.name(), id])?;
        }
        transaction.commit()?;
        Ok(rows > 0)
    }

    fn seal(&self, kind: &str, id: &str, record: &[u8]) -> Vec<u8> {
        let nonce: [u8; 12] = random::array();
        let mut sealed = nonce.to_vec();
        sealed.extend(aead::seal_aes256gcm(self.key.expose(), &nonce, &aad(kind, id), record));
        sealed
    }

    fn unseal(&self, kind: &str, id: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, VaultFault> {
        let broken = || VaultFault::Broken(format!("{kind} {id}"));
        let (nonce, sealed) = sealed.split_first_chunk::<12>().ok_or_else(broken)?;
        aead::open_aes256gcm(self.key.expose(), nonce, &aad(kind, id), sealed).map_err(|_| broken())
    }
}

/// A file of no bytes is what a crash leaves before the first transaction: no wallet yet.
fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

fn configure(database: &Connection) -> Result<(), VaultFault> {
    database.busy_timeout(BUSY_TIMEOUT)?;
    database.pragma_update(None, "journal_mode", "DELETE")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.pragma_update(None, "secure_delete", "ON")?;
    database.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(())
}

fn aad(kind: &str, id: &str) -> Vec<u8> {
    [kind.as_bytes(), &[0], id.as_bytes()].concat()
}

fn derive(passphrase: &Secret<String>, salt: &[u8]) -> Result<Secret<[u8; 32]>, VaultFault> {
    let fault = |fault: argon2::Error| VaultFault::Storage(fault.to_string());
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, 1, Some(32)).map_err(fault)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), salt, &mut key)
        .map_err(fault)?;
    Ok(Secret::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn phrase(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_record_is_read_back_only_with_its_passphrase() {
        let home = tempfile::tempdir().unwrap();
        let mut vault = Vault::create(home.path(), &phrase("right")).unwrap();
        vault.put(Kind::Credential, "a", b"canary-claim").unwrap();
        drop(vault);
        assert!(matches!(Vault::open(home.path(), &phrase("wrong")), Err(VaultFault::Locked)));
        let vault = Vault::open(home.path(), &phrase("right")).unwrap();
        assert_eq!(vault.load(Kind::Credential, "a").unwrap().unwrap().expose(), b"canary-claim");
        assert!(vault.load(Kind::Shown, "a").unwrap().is_none());
    }

    #[test]
    fn nothing_of_a_record_stands_in_the_file() {
        let home = tempfile::tempdir().unwrap();
        let mut vault = Vault::create(home.path(), &phrase("p")).unwrap();
        vault.put(Kind::Credential, "a", b"canary-claim").unwrap();
        drop(vault);
        let bytes = fs::read(home.path().join(FILE)).unwrap();
        assert!(!bytes.windows(12).any(|window| window == b"canary-claim"));
        assert_eq!(fs::metadata(home.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_record_moved_to_another_id_does_not_open() {
        let home = tempfile::tempdir().unwrap();
        let mut vault = Vault::create(home.path(), &phrase("p")).unwrap();
        vault.put(Kind::Credential, "a", b"x").unwrap();
        vault.database.execute("UPDATE wallet_record SET id = 'b'", []).unwrap();
        assert!(matches!(vault.load(Kind::Credential, "b"), Err(VaultFault::Broken(_))));
    }

    #[test]
    fn a_wallet_is_never_overwritten() {
        let home = tempfile::tempdir().unwrap();
        drop(Vault::create(home.path(), &phrase("p")).unwrap());
        assert!(matches!(Vault::create(home.path(), &phrase("q")), Err(VaultFault::Exists(_))));
    }

    #[test]
    fn a_file_that_a_crash_left_empty_is_no_wallet_and_may_be_made_again() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(FILE), b"").unwrap();
        assert!(matches!(Vault::open(home.path(), &phrase("p")), Err(VaultFault::Missing(_))));
        Vault::create(home.path(), &phrase("p")).unwrap();
        Vault::open(home.path(), &phrase("p")).unwrap();
    }

    #[test]
    fn a_deleted_record_leaves_nothing_in_the_file() {
        let home = tempfile::tempdir().unwrap();
        let mut vault = Vault::create(home.path(), &phrase("p")).unwrap();
        vault.put(Kind::Credential, "canary-id", b"x").unwrap();
        assert!(vault.delete(&[(Kind::Credential, "canary-id"), (Kind::Key, "canary-id")]).unwrap());
        assert!(!vault.delete(&[(Kind::Credential, "canary-id")]).unwrap());
        assert_eq!(vault.count(Kind::Credential).unwrap(), 0);
        drop(vault);
        let bytes = fs::read(home.path().join(FILE)).unwrap();
        assert!(!bytes.windows(9).any(|window| window == b"canary-id"));
    }
}
