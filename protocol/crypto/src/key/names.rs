//! The names of algorithms: of a key, and of a signature in JOSE and COSE.

use std::fmt;
use std::str::FromStr;

/// What a key is. One private key has one `KeyAlg` for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyAlg {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// RSA with a modulus of 2048 bits; as a *public* key of somebody else, of 2048 to 3071 bits.
    Rsa2048,
    /// RSA with a modulus of 3072 bits; as a public key of somebody else, of 3072 to 4095 bits.
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// secp256k1 (SEC 2).
    Secp256k1,
    /// ML-DSA-44 (FIPS 204), for log notes alone.
    MlDsa44,
}

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SignAlg {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// ECDSA with secp256k1 and SHA-256 (RFC 8812).
    Es256K,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PSS with SHA-256, salt as long as the digest.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ML-DSA-44 with the empty context.
    MlDsa44,
}

/// A name that is no algorithm of the house.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm")]
pub struct UnknownAlg;

impl KeyAlg {
    /// Every algorithm, for tables and tests.
    pub const ALL: [Self; 8] = [
        Self::P256,
        Self::P384,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::Ed25519,
        Self::Secp256k1,
        Self::MlDsa44,
    ];

    /// The name in our API, store and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
            Self::Ed25519 => "ed25519",
            Self::Secp256k1 => "secp256k1",
            Self::MlDsa44 => "mldsa44",
        }
    }

    /// The algorithm of that name, or of its alias, the JWS name one would sign with (`ES256` is `p256`, `PS256`
    /// is `rsa3072`).
    ///
    /// # Errors
    /// [`UnknownAlg`]; names are compared byte by byte.
    pub fn parse(name: &str) -> Result<Self, UnknownAlg> {
        Ok(match name {
            "ES256" => Self::P256,
            "ES384" => Self::P384,
            "PS256" => Self::Rsa3072,
            "EdDSA" => Self::Ed25519,
            "ES256K" => Self::Secp256k1,
            _ => return Self::ALL.into_iter().find(|alg| alg.as_str() == name).ok_or(UnknownAlg),
        })
    }

    /// The algorithm a key signs with unless something else is asked for.
    pub const fn default_sign_alg(self) -> SignAlg {
        match self {
            Self::P256 => SignAlg::Es256,
            Self::P384 => SignAlg::Es384,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => SignAlg::Ps256,
            Self::Ed25519 => SignAlg::EdDsa,
            Self::Secp256k1 => SignAlg::Es256K,
            Self::MlDsa44 => SignAlg::MlDsa44,
        }
    }

    /// Whether this is RSA of any size.
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }
}

impl SignAlg {
    /// Every algorithm, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::Es256,
        Self::Es384,
        Self::Es256K,
        Self::EdDsa,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Rs256,
        Self::MlDsa44,
    ];

    /// The name in the IANA registry of JOSE algorithms, as we write it.
    pub const fn jws_name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es256K => "ES256K",
            Self::EdDsa => "EdDSA",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::MlDsa44 => "ML-DSA-44",
        }
    }

    /// The algorithm of a JWS that names it so; `Ed25519` (RFC 9864) is read as `EdDSA`. `ML-DSA-44` is not
    /// offered in a JWS, and `none` and the MACs are no signatures.
    ///
    /// # Errors
    /// [`UnknownAlg`].
    pub fn from_jws_name(name: &str) -> Result<Self, UnknownAlg> {
        if name == "Ed25519" {
            return Ok(Self::EdDsa);
        }
        let offered = Self::ALL.into_iter().filter(|alg| *alg != Self::MlDsa44);
        offered.into_iter().find(|alg| alg.jws_name() == name).ok_or(UnknownAlg)
    }

    /// The number in the IANA registry of COSE algorithms, as we write it.
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::Es256K => -47,
            Self::EdDsa => -8,
            Self::Ps256 => -37,
            Self::Ps384 => -38,
            Self::Ps512 => -39,
            Self::Rs256 => -257,
            Self::MlDsa44 => -48,
        }
    }

    /// The number that also fixes the curve (RFC 9864), where there is one; used on request.
    pub const fn cose_id_fully_specified(self) -> i64 {
        match self {
            Self::Es256 => -9,
            Self::Es384 => -51,
            Self::EdDsa => -19,
            other => other.cose_id(),
        }
    }

    /// The algorithm of a COSE header that names it by either number. ML-DSA-44 is not offered there.
    ///
    /// # Errors
    /// [`UnknownAlg`].
    pub fn from_cose_id(id: i64) -> Result<Self, UnknownAlg> {
        let offered = Self::ALL.into_iter().filter(|alg| *alg != Self::MlDsa44);
        offered
            .into_iter()
            .find(|alg| alg.cose_id() == id || alg.cose_id_fully_specified() == id)
            .ok_or(UnknownAlg)
    }

    /// Whether a key of that kind may sign so.
    pub const fn fits(self, key: KeyAlg) -> bool {
        match self {
            Self::Es256 => matches!(key, KeyAlg::P256),
            Self::Es384 => matches!(key, KeyAlg::P384),
            Self::Es256K => matches!(key, KeyAlg::Secp256k1),
            Self::EdDsa => matches!(key, KeyAlg::Ed25519),
            Self::Ps256 | Self::Ps384 | Self::Ps512 | Self::Rs256 => key.is_rsa(),
            Self::MlDsa44 => matches!(key, KeyAlg::MlDsa44),
        }
    }
}

impl fmt::Display for KeyAlg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SignAlg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.jws_name())
    }
}

impl FromStr for KeyAlg {
    type Err = UnknownAlg;

    fn from_str(name: &str) -> Result<Self, UnknownAlg> {
        Self::parse(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_algorithm_is_found_by_its_name() {
        for alg in KeyAlg::ALL {
            assert_eq!(alg.as_str().parse(), Ok(alg));
            assert!(alg.default_sign_alg().fits(alg));
        }
        assert_eq!(KeyAlg::parse("ES256"), Ok(KeyAlg::P256));
        assert_eq!(KeyAlg::parse("PS256"), Ok(KeyAlg::Rsa3072));
        for name in ["", "P256", "es256", "p521", "rsa1024", "HS256", "none"] {
            assert_eq!(KeyAlg::parse(name), Err(UnknownAlg), "{name}");
        }
    }

    #[test]
    fn a_jws_may_name_signatures_only() {
        for alg in SignAlg::ALL.into_iter().filter(|alg| *alg != SignAlg::MlDsa44) {
            assert_eq!(SignAlg::from_jws_name(alg.jws_name()), Ok(alg));
        }
        assert_eq!(SignAlg::from_jws_name("Ed25519"), Ok(SignAlg::EdDsa));
        for name in
            ["none", "None", "NONE", "HS256", "HS384", "HS512", "es256", "ES512", "RS1", "ML-DSA-44", ""]
        {
            assert_eq!(SignAlg::from_jws_name(name), Err(UnknownAlg), "{name}");
        }
    }

    #[test]
    fn cose_numbers_are_read_in_both_forms() {
        for alg in SignAlg::ALL.into_iter().filter(|alg| *alg != SignAlg::MlDsa44) {
            assert_eq!(SignAlg::from_cose_id(alg.cose_id()), Ok(alg));
            assert_eq!(SignAlg::from_cose_id(alg.cose_id_fully_specified()), Ok(alg));
        }
        for id in [0, 5, -36, -48, -65535, i64::MIN] {
            assert_eq!(SignAlg::from_cose_id(id), Err(UnknownAlg), "{id}");
        }
    }
}
