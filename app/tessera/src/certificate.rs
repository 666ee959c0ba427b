//! The server's certificate: read from its two files, looked at while the program runs, and made for trying by `init`.
//!
//! `Files::open → ServerCertificate`, then every few seconds `Files::look`: what changed and serves is used for connections from now
//! on; what does not serve is told once, and the old pair stays. Whoever renews writes two files: between them they do not fit.

use crate::failure::Failure;
use crypto::hash::sha256;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use crypto::secret::Secret;
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Name, NameParts, pem};
use edge::outbound::{Client, ClientFault};
use edge::server::tls::{ServerCertificate, TlsFault};
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the files are looked at: who renews a certificate waits no longer for it, and two small files cost nothing.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Bytes of either file: ten certificates are far below.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Where certificate and key lie, and what was last seen there.
pub struct Files {
    chain: PathBuf,
    key: PathBuf,
    certificate: ServerCertificate,
    seen: [u8; 32],
}

/// Why the pair in the files is not the one in use.
#[derive(Debug, thiserror::Error)]
pub enum RenewFault {
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    File(PathBuf, io::Error),
    /// The pair does not serve.
    #[error(transparent)]
    Pair(#[from] TlsFault),
    /// Our own client cannot trust it.
    #[error(transparent)]
    Client(#[from] ClientFault),
}

impl Files {
    /// Reads the pair for the first time.
    ///
    /// # Errors
    /// A [`Failure`] that stops the start.
    pub fn open(chain: PathBuf, key: PathBuf) -> Result<Self, Failure> {
        let (read_chain, read_key) = (read(&chain), read(&key));
        let unread = |name: &str, fault: &RenewFault| {
            Failure::start(format!("{name}: {fault}"), "", "tessera init makes one for trying")
        };
        let read_chain = read_chain.map_err(|fault| unread("tls.cert_file", &fault))?;
        let read_key = read_key.map_err(|fault| unread("tls.key_file", &fault))?;
        let certificate = ServerCertificate::from_pem(read_chain.expose(), read_key.expose());
        let certificate = certificate.map_err(|fault| {
            Failure::start(
                "the certificate cannot be used",
                fault,
                "tls.cert_file and tls.key_file belong together",
            )
        })?;
        let seen = mark(&read_chain, &read_key);
        Ok(Self { chain, key, certificate, seen })
    }

    /// The pair in use.
    pub fn certificate(&self) -> &ServerCertificate {
        &self.certificate
    }

    /// Takes what changed; whether anything did. `client` trusts the new certificate then, as it trusted the old one.
    ///
    /// # Errors
    /// [`RenewFault`]: the old pair stays. The same fault of the same bytes is told once.
    pub fn look(&mut self, client: &Client) -> Result<bool, RenewFault> {
        let pair = read(&self.chain).and_then(|chain| Ok((chain, read(&self.key)?)));
        let (chain, key) = match pair {
            Ok(pair) => pair,
            Err(_) if self.seen == UNREAD => return Ok(false),
            Err(fault) => {
                self.seen = UNREAD;
                return Err(fault);
            }
        };
        let mark = mark(&chain, &key);
        if mark == self.seen {
            return Ok(false);
        }
        self.seen = mark;
        self.certificate.replace(chain.expose(), key.expose())?;
        client.trust(&self.certificate.chain())?;
        Ok(true)
    }
}

/// Stands for files that cannot be read.
const UNREAD: [u8; 32] = [0; 32];

fn read(path: &Path) -> Result<Secret<Vec<u8>>, RenewFault> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    let bytes = Secret::new(bytes);
    read.map(|_| bytes).map_err(|fault| RenewFault::File(path.to_owned(), fault))
}

fn mark(chain: &Secret<Vec<u8>>, key: &Secret<Vec<u8>>) -> [u8; 32] {
    let (chain, key) = (sha256(chain.expose()), sha256(key.expose()));
    sha256(&[chain, key].concat())
}

/// A certificate and its key, both PEM.
pub struct Made {
    /// The certificate.
    pub chain_pem: String,
    /// Its private key, PKCS#8.
    pub key_pem: Secret<String>,
}

/// Makes a P-256 certificate for `host`, from an hour ago for `days`.
pub fn self_signed(host: &str, now: Timestamp, days: i64) -> Result<Made, String> {
    let key = PrivateKey::generate(KeyAlg::P256);
    let name = Name::new(&NameParts { common_name: host.to_owned(), ..NameParts::default() })
        .ok_or_else(|| format!("{host} cannot stand in a certificate"))?;
    let draft = TbsDraft {
        subject: name.clone(),
        issuer: name,
        issuer_key: key.public(),
        serial: crypto::random::array(),
        not_before: now - SignedDuration::from_hours(1),
        not_after: now + SignedDuration::from_hours(24 * days),
        public_key: key.public(),
        profile: Profile::Leaf(LeafNames { san_dns: vec![host.to_owned()], ..LeafNames::default() }),
    };
    let tbs = draft.to_be_signed(SignAlg::Es256).map_err(|fault| fault.to_string())?;
    let signature = key.sign(SignAlg::Es256, &tbs).map_err(|fault| fault.to_string())?;
    let der = build::assemble(&tbs, SignAlg::Es256, &signature).map_err(|fault| fault.to_string())?;
    Ok(Made { chain_pem: pem::encode_chain(&[der]), key_pem: private_key_pem(key.to_secret().expose()) })
}

/// PKCS#8 as PEM (RFC 7468, 10).
fn private_key_pem(der: &[u8]) -> Secret<String> {
    let body = Secret::new(crypto::base64::std_encode(der));
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in body.expose().as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(host: &str) -> Made {
        self_signed(host, Timestamp::from_second(1_767_225_600).unwrap(), 1).unwrap()
    }

    /// The two files of a folder.
    fn files(folder: &Path) -> (PathBuf, PathBuf) {
        (folder.join("tls.crt"), folder.join("tls.key"))
    }

    fn put(folder: &Path, made: &Made) {
        let (chain, key) = files(folder);
        fs::write(chain, &made.chain_pem).unwrap();
        fs::write(key, made.key_pem.expose()).unwrap();
    }

    fn client() -> Client {
        Client::new(&url::Url::parse("https://trust.example.org").unwrap(), &[], &[]).unwrap()
    }

    #[test]
    fn the_server_takes_what_was_made() {
        let made = made("trust.example.org");
        let key = made.key_pem.expose().as_bytes();
        assert!(ServerCertificate::from_pem(made.chain_pem.as_bytes(), key).is_ok());
    }

    #[test]
    fn a_renewed_pair_is_taken_once_it_is_whole_and_half_of_one_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (made("trust.example.org"), made("trust.example.org"));
        put(folder.path(), &first);
        let (chain, key) = files(folder.path());
        let (mut files, client) = (Files::open(chain.clone(), key).unwrap(), client());
        let old = files.certificate().chain();
        assert!(!files.look(&client).unwrap(), "nothing changed");

        fs::write(chain, &second.chain_pem).unwrap();
        assert!(matches!(files.look(&client), Err(RenewFault::Pair(TlsFault::Unfit(_)))));
        assert!(!files.look(&client).unwrap(), "the same half is told once");
        assert_eq!(files.certificate().chain(), old);

        put(folder.path(), &second);
        assert!(files.look(&client).unwrap());
        assert_ne!(files.certificate().chain(), old);
        assert!(!files.look(&client).unwrap());
    }

    #[test]
    fn a_broken_or_missing_file_leaves_the_old_pair_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let first = made("trust.example.org");
        put(folder.path(), &first);
        let (chain, key) = files(folder.path());
        let (mut files, client) = (Files::open(chain.clone(), key.clone()).unwrap(), client());
        let old = files.certificate().chain();

        fs::write(&chain, "no PEM").unwrap();
        assert!(matches!(files.look(&client), Err(RenewFault::Pair(TlsFault::Chain))));
        fs::remove_file(&key).unwrap();
        assert!(matches!(files.look(&client), Err(RenewFault::File(path, _)) if path == key));
        assert!(!files.look(&client).unwrap(), "told once");
        assert_eq!(files.certificate().chain(), old);

        put(folder.path(), &first);
        assert!(files.look(&client).unwrap(), "the old pair is there again");
        assert_eq!(files.certificate().chain(), old);
    }
}
