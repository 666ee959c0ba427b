//! What an authenticator says of itself (WebAuthn Level 3, 8), and whether anybody vouches for it.

use der::Decode as _;
use der::asn1::{ObjectIdentifier, OctetStringRef};
use jiff::Timestamp;

use super::WebauthnFault;
use super::authenticator_data::{Attested, AuthenticatorData};
use crate::cbor::Value;
use crate::hash;
use crate::key::{KeyAlg, PublicKey, SignAlg, fixed_from_der};
use crate::x509::Certificate;
use crate::x509::path::{self, PathRules};

/// Most certificates of a statement: leaf, three intermediates and one to spare, as elsewhere in the house.
const CHAIN_MAX: usize = 5;
/// `id-fido-gen-ce-aaguid` (8.2.1).
const AAGUID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.4");
const ORGANISATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
/// `tcg-kp-AIKCertificate` (8.3.1).
const AIK_USAGE: &str = "2.23.133.8.3";
/// `TPM_GENERATED_VALUE` and `TPM_ST_ATTEST_CERTIFY` (TPM 2.0, part 2).
const TPM_GENERATED: [u8; 4] = [0xff, 0x54, 0x43, 0x47];
const TPM_ATTEST_CERTIFY: [u8; 2] = [0x80, 0x17];

/// What stands behind an authenticator's word about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttestationVerdict {
    /// Nothing: no attestation, or the credential's own key, or a maker whose root is not configured. Counts as software.
    None,
    /// A chain to a configured root.
    Rooted {
        /// SHA-256 of the root's certificate.
        root_sha256: [u8; 32],
    },
}

impl AttestationVerdict {
    /// Whether a configured root vouches for the authenticator.
    pub fn is_rooted(self) -> bool {
        matches!(self, Self::Rooted { .. })
    }
}

/// A statement that was read.
#[derive(Debug, Clone)]
pub(super) enum Statement {
    None,
    Packed(Signed),
    Tpm { signed: Signed, certify: Vec<u8>, public_area: Vec<u8> },
}

#[derive(Debug, Clone)]
pub(super) struct Signed {
    alg: SignAlg,
    signature: Vec<u8>,
    chain: Vec<Certificate>,
}

impl Statement {
    pub(super) fn parse(format: &str, statement: &Value) -> Result<Self, WebauthnFault> {
        let fault = WebauthnFault::Attestation;
        let bytes = |name| statement.get(name).and_then(Value::as_bytes).map(<[u8]>::to_vec).ok_or(fault);
        match format {
            "none" if statement.as_map().is_some_and(<[_]>::is_empty) => Ok(Self::None),
            "packed" => Ok(Self::Packed(Signed::parse(statement)?)),
            "tpm" if statement.get("ver").and_then(Value::as_text) == Some("2.0") => Ok(Self::Tpm {
                signed: Signed::parse(statement)?,
                certify: bytes("certInfo")?,
                public_area: bytes("pubArea")?,
            }),
            _ => Err(fault),
        }
    }

    /// A statement that does not hold is refused; one that holds and that no root vouches for is nothing.
    pub(super) fn judge(
        &self,
        data: &AuthenticatorData,
        client_data_hash: &[u8; 32],
        roots: &[Certificate],
        now: Timestamp,
    ) -> Result<AttestationVerdict, WebauthnFault> {
        let fault = WebauthnFault::Attestation;
        let attested = data.attested.as_ref().ok_or(WebauthnFault::Form)?;
        let about = [&data.bytes[..], client_data_hash].concat();
        match self {
            Self::None => Ok(AttestationVerdict::None),
            Self::Packed(signed) => match signed.chain.first() {
                None => {
                    let own = signed.alg == attested.alg
                        && verifies(attested.alg, &attested.key, &about, &signed.signature);
                    if own { Ok(AttestationVerdict::None) } else { Err(fault) }
                }
                Some(leaf) => {
                    let holds = packed_leaf(leaf, &attested.aaguid)
                        && verifies(signed.alg, leaf.public_key(), &about, &signed.signature);
                    if holds { Ok(rooted(&signed.chain, roots, None, now)) } else { Err(fault) }
                }
            },
            Self::Tpm { signed, certify, public_area } => {
                let leaf = signed.chain.first().ok_or(fault)?;
                let holds = names_key(public_area, attested).unwrap_or(false)
                    && certifies(certify, public_area, signed.alg, &about).unwrap_or(false)
                    && aik_leaf(leaf, &attested.aaguid)
                    && verifies(signed.alg, leaf.public_key(), certify, &signed.signature);
                if holds { Ok(rooted(&signed.chain, roots, Some(AIK_USAGE), now)) } else { Err(fault) }
            }
        }
    }
}

impl Signed {
    fn parse(statement: &Value) -> Result<Self, WebauthnFault> {
        let fault = WebauthnFault::Attestation;
        let alg = statement.get("alg").and_then(Value::as_int).ok_or(fault)?;
        let chain = match statement.get("x5c") {
            None => Vec::new(),
            Some(list) => {
                let items = list.as_array().filter(|it| (1..=CHAIN_MAX).contains(&it.len())).ok_or(fault)?;
                let read = |item: &Value| Certificate::parse(item.as_bytes()?).ok();
                items.iter().map(read).collect::<Option<_>>().ok_or(fault)?
            }
        };
        Ok(Self {
            alg: SignAlg::from_cose_id(alg).map_err(|_| fault)?,
            signature: statement.get("sig").and_then(Value::as_bytes).ok_or(fault)?.to_vec(),
            chain,
        })
    }
}

/// A signature as authenticators write it: DER for elliptic curves (6.5.5), plain else.
pub(super) fn verifies(alg: SignAlg, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let width = match key.alg() {
        KeyAlg::P256 | KeyAlg::Secp256k1 => 32,
        KeyAlg::P384 => 48,
        _ => return key.verify(alg, message, signature).is_ok(),
    };
    fixed_from_der(signature, width).is_some_and(|fixed| key.verify(alg, message, &fixed).is_ok())
}

/// A chain to a root of the list. A makers' own signer may itself be configured.
fn rooted(
    chain: &[Certificate],
    roots: &[Certificate],
    eku: Option<&str>,
    now: Timestamp,
) -> AttestationVerdict {
    let rules = PathRules { haip: false, eku, ..PathRules::at(now) };
    match path::verify(chain, roots, &rules) {
        Ok(path) => AttestationVerdict::Rooted { root_sha256: roots[path.anchor].sha256() },
        Err(_) => AttestationVerdict::None,
    }
}

/// 8.2.1: no authority, of the unit that the standard names, and of the same kind of authenticator where it says so.
fn packed_leaf(leaf: &Certificate, aaguid: &[u8; 16]) -> bool {
    let Some(parsed) = reread(leaf) else { return false };
    let subject = parsed.tbs_certificate().subject();
    let unit = subject.iter().any(|attribute| {
        attribute.oid == ORGANISATIONAL_UNIT && attribute.value.value() == b"Authenticator Attestation"
    });
    unit && !leaf.is_ca() && states_aaguid(&parsed, aaguid)
}

/// 8.3.1: an empty subject, the usage of attestation keys, no authority.
fn aik_leaf(leaf: &Certificate, aaguid: &[u8; 16]) -> bool {
    let Some(parsed) = reread(leaf) else { return false };
    let usage = leaf.ekus().is_some_and(|usages| usages.iter().any(|usage| usage == AIK_USAGE));
    parsed.tbs_certificate().subject().is_empty() && usage && !leaf.is_ca() && states_aaguid(&parsed, aaguid)
}

fn reread(certificate: &Certificate) -> Option<x509_cert::Certificate> {
    x509_cert::Certificate::from_der(certificate.der()).ok()
}

/// The extension with the kind of authenticator, if there is one, names this kind and is not critical.
fn states_aaguid(certificate: &x509_cert::Certificate, aaguid: &[u8; 16]) -> bool {
    let extensions = certificate.tbs_certificate().extensions();
    let Some(extension) = extensions.and_then(|list| list.iter().find(|it| it.extn_id == AAGUID)) else {
        return true;
    };
    let stated = <&OctetStringRef>::from_der(extension.extn_value.as_bytes());
    !extension.critical && stated.is_ok_and(|stated| stated.as_bytes() == aaguid)
}

/// Takes fields of TPM structures from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// A field behind its length in two bytes.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::from(length))
    }
}

/// Whether a `TPMT_PUBLIC` is of this very key (TPM 2.0, part 2, 12.2.4).
fn names_key(public_area: &[u8], attested: &Attested) -> Option<bool> {
    const NULL: u16 = 0x0010;
    let mut fields = Fields(public_area);
    let kind = fields.number()?;
    fields.take(2 + 4)?; // name algorithm, attributes
    fields.sized()?; // policy
    if fields.number()? != NULL {
        fields.take(4)?; // cipher: bits, mode
    }
    let scheme = fields.number()?;
    if scheme != NULL {
        fields.take(2)?; // its hash
    }
    let fits = match (kind, attested.key.alg()) {
        (0x0023, KeyAlg::P256) => {
            let curve = fields.number()?;
            if fields.number()? != NULL {
                fields.take(2)?; // key derivation: its hash
            }
            let (x, y) = (fields.sized()?, fields.sized()?);
            curve == 0x0003 && attested.key.raw()[1..] == [padded(x)?, padded(y)?].concat()
        }
        (0x0001, alg) if alg.is_rsa() => {
            fields.take(2)?; // bits
            let exponent = match u32::from_be_bytes(fields.take(4)?.try_into().ok()?) {
                0 => 65_537,
                exponent => exponent,
            };
            let exponent = exponent.to_be_bytes();
            let exponent = &exponent[exponent.iter().take_while(|byte| **byte == 0).count()..];
            let parts = crate::key::RsaParts::from_numbers(fields.sized()?, exponent)?;
            PublicKey::from_rsa_parts(parts).is_ok_and(|key| key == attested.key)
        }
        _ => return None,
    };
    Some(fits && fields.0.is_empty())
}

/// A coordinate, filled to 32 bytes.
fn padded(number: &[u8]) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    out.get_mut(32_usize.checked_sub(number.len())?..)?.copy_from_slice(number);
    Some(out)
}

/// Whether a `TPMS_ATTEST` certifies that public area, over what was asked (TPM 2.0, part 2, 10.12.12).
fn certifies(certify: &[u8], public_area: &[u8], alg: SignAlg, about: &[u8]) -> Option<bool> {
    let mut fields = Fields(certify);
    let head = fields.take(4)? == TPM_GENERATED && fields.take(2)? == TPM_ATTEST_CERTIFY;
    fields.sized()?; // qualified signer
    let extra = fields.sized()?;
    fields.take(8 + 4 + 4 + 1 + 8)?; // clock, resets, restarts, safe; firmware
    let name = fields.sized()?;
    fields.sized()?; // qualified name
    let asked = match alg {
        SignAlg::Es256 | SignAlg::Rs256 | SignAlg::Ps256 => hash::sha256(about).to_vec(),
        SignAlg::Es384 | SignAlg::Ps384 => hash::sha384(about).to_vec(),
        _ => return None,
    };
    let named = match public_area.get(2..4)? {
        [0x00, 0x0b] => [&[0x00, 0x0b], &hash::sha256(public_area)[..]].concat(),
        [0x00, 0x0c] => [&[0x00, 0x0c], &hash::sha384(public_area)[..]].concat(),
        _ => return None,
    };
    Some(head && hash::equal(extra, &asked) && name == named && fields.0.is_empty())
}
