//! A self-signed certificate for trying: what `init` makes when it is given none.

use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use crypto::secret::Secret;
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Name, NameParts, pem};
use jiff::{SignedDuration, Timestamp};

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

    #[test]
    fn the_server_takes_what_was_made() {
        let made =
            self_signed("trust.example.org", Timestamp::from_second(1_767_225_600).unwrap(), 1).unwrap();
        let key = made.key_pem.expose().as_bytes();
        assert!(edge::server::tls::ServerCertificate::from_pem(made.chain_pem.as_bytes(), key).is_ok());
    }
}
