//! The wallet's file: one SQLite database whose records are sealed under a key that only the passphrase gives.
//!
//! ```text
//! passphrase ─ Argon2id(salt) ─► key ─ AES-256-GCM(AAD: kind ‖ 0 ‖ id) ─► record
//! ```
//! Invariant: nothing but salts, ids and ciphertext stands in the file. A wrong passphrase opens nothing, since the first record
//! sealed is a known one.

use argon2::{Algorithm, Argon2, Params, Version};
use crypto::secret::Secret;
use crypto::{aead, random};
use rusqlite::{Connection, OptionalExtension, params};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Memory of one key derivation, KiB: 64 MiB, so that guessing costs.
const ARGON2_MEMORY_KIB: u32 = 64 << 10;
/// Passes over that memory.
const ARGON2_PASSES: u32 = 3;
/// The file's name in the wallet's home.
const FILE: &str = "wallet.db";
/// What the first record holds, so that a wrong passphrase is known at once.
const PROOF: &[u8] = b"tessera/wallet/1";

/// An open wallet file.
pub struct Vault {
    database: Connection,
    key: Secret<[u8; 32]>,
}

/// What a record is; its name is part of what seals it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A held credential with its key.
    Credential,
    /// One line of history.
    Shown,
    /// A trusted certificate.
    Anchor,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Shown => "shown",
            Self::Anchor => "anchor",
        }
    }
}

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
    /// Makes a wallet in `home` (mode 0700).
    pub fn create(home: &Path, passphrase: &Secret<String>) -> Result<Self, VaultFault> {
        let path = home.join(FILE);
        if path.exists() {
            return Err(VaultFault::Exists(home.display().to_string()));
        }
        let storage = |fault: std::io::Error| VaultFault::Storage(fault.to_string());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(storage)?;
        let database = Connection::open(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(storage)?;
        configure(&database)?;
        database.execute_batch(
            "CREATE TABLE wallet_record (kind TEXT NOT NULL, id TEXT NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (kind, id)) STRICT;
             CREATE TABLE wallet_lock (one INTEGER PRIMARY KEY CHECK (one = 1), salt BLOB NOT NULL, proof BLOB NOT NULL) STRICT;",
        )?;
        let salt: [u8; 16] = random::array();
        let key = derive(passphrase, &salt)?;
        let vault = Self { database, key };
        let proof = vault.seal("lock", "1", PROOF);
        vault.database.execute("INSERT INTO wallet_lock (one, salt, proof) VALUES (1, ?1, ?2)", params![salt, proof])?;
        Ok(vault)
    }

    /// Opens the wallet in `home`.
    pub fn open(home: &Path, passphrase: &Secret<String>) -> Result<Self, VaultFault> {
        let path = home.join(FILE);
        if !path.exists() {
            return Err(VaultFault::Missing(home.display().to_string()));
        }
        let database = Connection::open(&path)?;
        configure(&database)?;
        let (salt, proof): (Vec<u8>, Vec<u8>) =
            database.query_row("SELECT salt, proof FROM wallet_lock", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let vault = Self { database, key: derive(passphrase, &salt)? };
        match vault.unseal("lock", "1", &proof) {
            Ok(opened) if opened.expose() == PROOF => Ok(vault),
            _ => Err(VaultFault::Locked),
        }
    }

    /// Writes a record, replacing one of the same kind and id.
    pub fn put(&self, kind: Kind, id: &str, record: &[u8]) -> Result<(), VaultFault> {
        let sealed = self.seal(kind.name(), id, record);
        self.database.execute(
            "INSERT INTO wallet_record (kind, id, sealed) VALUES (?1, ?2, ?3) ON CONFLICT (kind, id) DO UPDATE SET sealed = ?3",
            params![kind.name(), id, sealed],
        )?;
        Ok(())
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
    pub fn list(&self, kind: Kind) -> Result<Vec<(String, Secret<Vec<u8>>)>, VaultFault> {
        let mut statement = self.database.prepare("SELECT id, sealed FROM wallet_record WHERE kind = ?1 ORDER BY id")?;
        let rows = statement.query_map([kind.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut records = Vec::new();
        for row in rows {
            let (id, sealed): (String, Vec<u8>) = row?;
            let record = self.unseal(kind.name(), &id, &sealed)?;
            records.push((id, record));
        }
        Ok(records)
    }

    /// Forgets a record; false if there was none.
    pub fn delete(&self, kind: Kind, id: &str) -> Result<bool, VaultFault> {
        let rows =
            self.database.execute("DELETE FROM wallet_record WHERE kind = ?1 AND id = ?2", params![kind.name(), id])?;
        Ok(rows == 1)
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

fn configure(database: &Connection) -> Result<(), VaultFault> {
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

    fn phrase(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_record_is_read_back_only_with_its_passphrase() {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::create(home.path(), &phrase("right")).unwrap();
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
        let vault = Vault::create(home.path(), &phrase("p")).unwrap();
        vault.put(Kind::Credential, "a", b"canary-claim").unwrap();
        drop(vault);
        let bytes = fs::read(home.path().join(FILE)).unwrap();
        assert!(!bytes.windows(12).any(|window| window == b"canary-claim"));
        assert_eq!(fs::metadata(home.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_record_moved_to_another_id_does_not_open() {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::create(home.path(), &phrase("p")).unwrap();
        vault.put(Kind::Credential, "a", b"x").unwrap();
        vault.database.execute("UPDATE wallet_record SET id = 'b'", []).unwrap();
        assert!(matches!(vault.load(Kind::Credential, "b"), Err(VaultFault::Broken(_))));
    }

    #[test]
    fn a_wallet_is_never_overwritten() {
        let home = tempfile::tempdir().unwrap();
        Vault::create(home.path(), &phrase("p")).unwrap();
        assert!(matches!(Vault::create(home.path(), &phrase("q")), Err(VaultFault::Exists(_))));
    }
}
