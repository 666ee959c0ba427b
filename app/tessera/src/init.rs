//! `tessera init`: a commented configuration, a root key and a certificate, none of which overwrites anything.

use crate::failure::{Exit, Failure};
use crate::verb::relay::serve::LISTEN as RELAY_LISTENS;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use url::Url;

/// Flags of `init`.
#[derive(clap::Args)]
pub struct Args {
    /// The URL under which others will reach this server, as https://trust.example.org
    #[arg(long)]
    pub public_url: String,
    /// Where to write
    #[arg(long, default_value = ".")]
    pub dir: PathBuf,
    /// Your certificate chain (PEM); without it a self-signed one is made, which browsers and wallets refuse
    #[arg(long, requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its private key (PEM, PKCS#8)
    #[arg(long, requires = "cert")]
    pub key: Option<PathBuf>,
}

/// Days that the self-signed certificate lives: long enough to try, short enough to be replaced.
const SELF_SIGNED_DAYS: i64 = 90;

/// Writes the files and says what to do next.
pub fn run(args: &Args, now: jiff::Timestamp) -> Result<(), Failure> {
    let url = Url::parse(&args.public_url)
        .ok()
        .filter(|url| url.scheme() == "https" && url.path() == "/" && url.query().is_none())
        .ok_or_else(|| {
            Failure::usage("--public-url is not an https origin", "give https://HOST or https://HOST:PORT")
        })?;
    let host = url.host_str().unwrap_or_default().to_owned();
    fs::create_dir_all(&args.dir).map_err(|fault| cannot(&args.dir, &fault))?;
    let dir = fs::canonicalize(&args.dir).map_err(|fault| cannot(&args.dir, &fault))?;
    for name in ["tessera.toml", "root.key"] {
        if dir.join(name).exists() {
            return Err(Failure::usage(
                format!("{} exists", dir.join(name).display()),
                "init never overwrites; name an empty folder with --dir",
            ));
        }
    }
    let (cert, key) = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => (cert.clone(), key.clone()),
        _ => self_signed(&dir, &host, now)?,
    };
    let root: [u8; 32] = crypto::random::array();
    write_new(&dir.join("root.key"), crypto::hex::encode(&root).as_bytes(), 0o600)?;
    let port = url.port_or_known_default().unwrap_or(443);
    write_new(&dir.join("tessera.toml"), config(&url, port, &dir, &cert, &key).as_bytes(), 0o644)?;
    println!("wrote   {}", dir.join("tessera.toml").display());
    println!(
        "wrote   {}   keep a copy elsewhere: without it no key can be opened",
        dir.join("root.key").display()
    );
    if args.cert.is_none() {
        println!("wrote   {}   self-signed, {SELF_SIGNED_DAYS} days: for trying only", cert.display());
    }
    println!("next    tessera serve --config {}", dir.join("tessera.toml").display());
    println!("relay   off; `{}`, then the relay_ lines under [seal]", relay_command(&dir));
    println!("then    tessera login --link-file {}", dir.join("data/first-link").display());
    Ok(())
}

fn self_signed(dir: &Path, host: &str, now: jiff::Timestamp) -> Result<(PathBuf, PathBuf), Failure> {
    let made = crate::certificate::self_signed(host, now, SELF_SIGNED_DAYS).map_err(|fault| {
        Failure::new(
            Exit::Fault,
            "the certificate could not be made",
            fault,
            "give your own with --cert and --key",
        )
    })?;
    let (cert, key) = (dir.join("tls.crt"), dir.join("tls.key"));
    write_new(&cert, made.chain_pem.as_bytes(), 0o644)?;
    write_new(&key, made.key_pem.expose().as_bytes(), 0o600)?;
    Ok((cert, key))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|fault| cannot(path, &fault))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|fault| cannot(path, &fault))
}

fn cannot(path: &Path, fault: &dyn std::fmt::Display) -> Failure {
    Failure::start(
        format!("{} cannot be written", path.display()),
        fault,
        "name a folder of yours with --dir",
    )
}

fn config(url: &Url, port: u16, dir: &Path, cert: &Path, key: &Path) -> String {
    let origin = url.origin().ascii_serialization();
    let (data, root) = (dir.join("data"), dir.join("root.key"));
    format!(
        r#"# Tessera. Unknown keys are refused; every key may also come from the environment, as TESSERA_SERVER__BIND.

[server]
public_url = "{origin}"      # identity in tokens, credentials and logs: choose it once
bind = "[::]:{port}"
outbound_allow = []          # origins that may be reached although their address is private

[tls]                        # TLS 1.3 only
cert_file = "{cert}"
key_file = "{key}"

[store]
dir = "{data}"               # database, guard, first link

[ledger]
checkpoint_ms = 500          # an entry is covered by a signed checkpoint about this long after it was written
pq_signature = true          # checkpoints are signed by ML-DSA-44 beside Ed25519

[custody]
keeper = "software"          # whoever has the root and the database has the keys
root = "file:{root}"         # or "credential:NAME" under systemd
cache_ttl_s = 300

[issuer]
offer_ttl_s = 600
status_ttl_s = 300           # a revocation is seen by other verifiers within this, and two seconds

[verifier]
session_ttl_s = 300
result_ttl_s = 900           # claims are erased after this
status_policy = "if_present" # or "require", "ignore"
return_ttl_s = 300           # on one device the browser comes back within this, or the claims are erased

[seal]
enrolment = "invited"        # or "open"
unanchored = false           # true enrols devices without a document: assurance none
session_ttl_s = 90           # a sign-in waits so long for a wallet
# attestation_roots = ["maker.pem"]  # makers whose security keys count as hardware (phrh)
# Wallets told of sign-ins over a relay: `{relay}` on this machine,
# the id that it prints as Network below, and the three # away:
# relay_push = true
# relay_url = "http://{RELAY_LISTENS}"
# relay_network = ""

[metrics]
bind = "127.0.0.1:9464"      # Prometheus text at /metrics; loopback only

# Access tokens of your own provider, as Keycloak makes them:
# [[api.issuer]]
# url = "https://id.example.org/realms/main"
# audience = "tessera"
# roles_claim = "realm_access.roles"
# tenant_claim = "tenant"
# role_map = {{ "trust-admin" = "admin" }}
"#,
        cert = cert.display(),
        key = key.display(),
        data = data.display(),
        root = root.display(),
        relay = relay_command(dir),
    )
}

/// How the relay is started that these settings go with.
fn relay_command(dir: &Path) -> String {
    format!("tessera relay serve --storage sqlite:{}", dir.join("relay/relay.db").display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_init_writes_is_a_configuration_of_at_most_sixty_lines() {
        let url = Url::parse("https://trust.example.org").unwrap();
        let text = config(&url, 443, Path::new("/x"), Path::new("/x/c"), Path::new("/x/k"));
        assert!(text.lines().count() <= 60);
        let config = crate::config::Config::parse(&text, "f", std::iter::empty())
            .unwrap_or_else(|f| panic!("{}", f.cause));
        assert_eq!(config.server.public_url, "https://trust.example.org");
        assert!(!config.seal.relay_push);
    }

    #[test]
    fn the_lines_of_the_relay_push_sign_ins_once_their_signs_are_gone_and_a_network_is_named() {
        let url = Url::parse("https://trust.example.org").unwrap();
        let text = config(&url, 443, Path::new("/x"), Path::new("/x/c"), Path::new("/x/k"));
        let network = "0f".repeat(32);
        let text = text
            .replace("# relay_", "relay_")
            .replace("relay_network = \"\"", &format!("relay_network = \"{network}\""));
        let config = crate::config::Config::parse(&text, "f", std::iter::empty())
            .unwrap_or_else(|f| panic!("{}", f.cause));
        let over = crate::house::push_over(&config, false).unwrap_or_else(|f| panic!("{}", f.cause));
        let Some(crate::push::Over::Relay { url, network: named }) = over else {
            panic!("no relay is named")
        };
        assert_eq!((url.as_str(), named.to_string()), ("http://127.0.0.1:8100", network));
    }
}
