//! The root key of the software keeper: read at start from a file of ours or a systemd credential, never from anywhere else.

use crate::failure::Failure;
use crypto::secret::Secret;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes of the file: 32 raw, or 64 hexadecimal digits and a line feed.
const FILE_BYTES_MAX: u64 = 80;

/// Reads the root that `source` (`file:PATH` or `credential:NAME`) names; a relative path lies beside the configuration.
pub fn read(source: &str, beside: &Path) -> Result<Secret<[u8; 32]>, Failure> {
    let path = match source.split_once(':') {
        Some(("file", path)) => beside.join(path),
        Some(("credential", name)) => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                Failure::usage(
                    "there is no CREDENTIALS_DIRECTORY",
                    "start by systemd with LoadCredential=, or use file:PATH",
                )
            })?;
            PathBuf::from(folder).join(name)
        }
        _ => {
            return Err(Failure::usage(
                format!("custody.root = {source} names no source"),
                "use file:PATH or credential:NAME",
            ));
        }
    };
    let metadata = fs::metadata(&path).map_err(|fault| {
        Failure::start(
            format!("the root key {} cannot be read", path.display()),
            fault,
            "tessera init makes one",
        )
    })?;
    if metadata.mode() & 0o077 != 0 {
        return Err(Failure::usage(
            format!(
                "the root key {} may be read by others (mode {:o})",
                path.display(),
                metadata.mode() & 0o777
            ),
            format!("chmod 600 {}", path.display()),
        ));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(wrong(&path));
    }
    let bytes = Secret::new(fs::read(&path).map_err(|fault| {
        Failure::start(format!("the root key {} cannot be read", path.display()), fault, "check its owner")
    })?);
    decode(bytes.expose()).ok_or_else(|| wrong(&path))
}

/// Reads the root of a development folder, or makes it. Of two processes that make it at the same moment both read the first one's:
/// a key that another process put in its place would close the data of the first for ever.
pub fn of_development(data: &Path) -> Result<Secret<[u8; 32]>, Failure> {
    let path = data.join("root.key");
    if !path.exists() {
        let fresh = Secret::new(crypto::random::array::<32>());
        let text = Secret::new(crypto::hex::encode(fresh.expose()));
        let own = data.join(format!("root.key.{}", crypto::hex::encode(&crypto::random::array::<8>())));
        crate::context::write_private(&own, text.expose().as_bytes())?;
        let linked = fs::hard_link(&own, &path);
        let _ = fs::remove_file(&own);
        // A file system without links: written as every private file is.
        if linked.is_err() && !path.exists() {
            crate::context::write_private(&path, text.expose().as_bytes())?;
        }
    }
    read("file:root.key", data)
}

fn decode(bytes: &[u8]) -> Option<Secret<[u8; 32]>> {
    if let Ok(raw) = <[u8; 32]>::try_from(bytes) {
        return Some(Secret::new(raw));
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let decoded = Secret::new(crypto::hex::decode(text).ok()?);
    <[u8; 32]>::try_from(decoded.expose().as_slice()).ok().map(Secret::new)
}

fn wrong(path: &Path) -> Failure {
    Failure::usage(
        format!("{} is no root key", path.display()),
        "it holds 32 bytes, or 64 hexadecimal digits",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_root_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        fs::write(&path, [7; 32]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read("file:root.key", folder.path()).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read("file:root.key", folder.path()).ok().unwrap().expose(), &[7; 32]);
    }

    #[test]
    fn many_that_make_the_root_of_a_new_folder_at_once_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let make = || *of_development(folder.path()).ok().unwrap().expose();
        let roots: Vec<[u8; 32]> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..16).map(|_| scope.spawn(make)).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(roots.iter().all(|root| *root == roots[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "one file and no rest");
    }

    #[test]
    fn raw_and_hexadecimal_roots_are_read_and_nothing_else() {
        assert!(decode(&[1; 32]).is_some());
        assert!(decode(format!("{}\n", "ab".repeat(32)).as_bytes()).is_some());
        assert!(decode(&[1; 31]).is_none());
        assert!(decode(b"not a key").is_none());
    }
}
