//! Where the CLI's verbs go: named contexts under `$XDG_CONFIG_HOME/tessera/`, each a 0600 file with URL and credentials.

use crate::failure::{Exit, Failure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

/// One place that verbs can speak to.
#[derive(Serialize, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// `public_url` of the server.
    pub url: String,
    /// How this user proves who he is.
    pub login: Login,
    /// A CA or self-signed certificate (PEM) to trust for this server alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// What a context authenticates with. No `Debug`: it holds secrets.
#[derive(Serialize, Deserialize, Clone)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Login {
    /// An operator's session, from a one-time link.
    Session {
        /// The session's token.
        token: String,
    },
    /// A service account.
    ServiceAccount {
        /// `svc_…`.
        client_id: String,
        /// Its secret.
        client_secret: String,
    },
}

/// Folder of the contexts.
pub fn folder() -> PathBuf {
    let base = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into())).join(".config");
    base.unwrap_or_else(home).join("tessera")
}

/// Writes a context, readable by its owner alone, and makes it the current one.
pub fn save(name: &str, context: &Context) -> Result<PathBuf, Failure> {
    let folder = folder();
    let path = folder.join(format!("{name}.context.json"));
    let text = serde_json::to_vec_pretty(context).map_err(|fault| cannot_write(&path, &fault))?;
    fs::create_dir_all(&folder).map_err(|fault| cannot_write(&path, &fault))?;
    write_private(&path, &text)?;
    write_private(&folder.join("current"), name.as_bytes())?;
    Ok(path)
}

/// Forgets a context.
pub fn remove(name: &str) {
    let folder = folder();
    let _ = fs::remove_file(folder.join(format!("{name}.context.json")));
    if fs::read_to_string(folder.join("current")).is_ok_and(|current| current == name) {
        let _ = fs::remove_file(folder.join("current"));
    }
}

/// Reads the named context, or the current one. A file that others may read is refused.
pub fn load(name: Option<&str>) -> Result<Context, Failure> {
    let folder = folder();
    let current = || fs::read_to_string(folder.join("current")).ok();
    let Some(name) = name.map(str::to_owned).or_else(current) else {
        return Err(Failure::usage(
            "no context is set",
            "start `tessera demo` or `tessera serve --dev`, or run `tessera login --url URL --link LINK`",
        ));
    };
    let path = folder.join(format!("{name}.context.json"));
    let metadata = fs::metadata(&path).map_err(|_| {
        Failure::usage(format!("there is no context {name}"), "see `tessera context list`, or log in again")
    })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} may be read by others", path.display()),
            format!("its mode is {:o}; it holds a credential", metadata.permissions().mode() & 0o777),
            format!("chmod 600 {}", path.display()),
        ));
    }
    let text = fs::read_to_string(&path).map_err(|fault| cannot_write(&path, &fault))?;
    serde_json::from_str(&text).map_err(|_| {
        Failure::usage(format!("{} is not a context", path.display()), "delete it and log in again")
    })
}

/// Names of all contexts.
pub fn list() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            entry.file_name().to_string_lossy().strip_suffix(".context.json").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

/// Writes a file with mode 0600 in one move, whatever it was before: whole and durable, or not at all. A process that is killed
/// half-way leaves no key file that is empty.
pub fn write_private(path: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let _ = fs::remove_file(&beside);
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            fs::File::open(folder.unwrap_or(std::path::Path::new(".")))?.sync_all()
        });
    written.map_err(|fault| {
        let _ = fs::remove_file(&beside);
        cannot_write(path, &fault)
    })
}

fn cannot_write(path: &std::path::Path, fault: &dyn std::fmt::Display) -> Failure {
    Failure::start(
        format!("{} cannot be used", path.display()),
        fault,
        "check the folder's owner, mode and free space",
    )
}
