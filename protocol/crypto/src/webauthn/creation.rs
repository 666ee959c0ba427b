//! A passkey is made (WebAuthn Level 3, 7.1).

use jiff::Timestamp;

use super::attestation::{AttestationVerdict, Statement};
use super::authenticator_data::AuthenticatorData;
use super::client_data::ClientData;
use super::{Expected, Flags, LIMITS, Unverified, WebauthnFault};
use crate::cbor::{self, Value};
use crate::key::{PublicKey, SignAlg};
use crate::x509::Certificate;

/// What a browser sent after `navigator.credentials.create`.
#[derive(Debug, Clone)]
pub struct Creation {
    pub(super) client_data: ClientData,
    pub(super) data: AuthenticatorData,
    pub(super) statement: Statement,
}

/// A passkey: what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// At most 1,023 bytes. Whether it is new is for the caller's table to say.
    pub credential_id: Vec<u8>,
    /// Its key.
    pub key: PublicKey,
    /// The algorithm that the key is for.
    pub alg: SignAlg,
    /// How often it has signed, as it says.
    pub counter: u32,
    /// BE and BS.
    pub flags: Flags,
    /// The kind of authenticator, as it says.
    pub aaguid: [u8; 16],
    /// What stands behind that.
    pub attestation: AttestationVerdict,
}

impl Passkey {
    /// A passkey out of the columns that a table keeps of it; none where they do not read. What its maker vouched for stands in the
    /// table's own column: an assertion does not look at it.
    pub fn kept(
        credential_id: Vec<u8>,
        (spki_der, alg): (&[u8], &str),
        counter: i64,
        flags: Flags,
        aaguid: [u8; 16],
    ) -> Option<Passkey> {
        Some(Passkey {
            credential_id,
            key: PublicKey::from_spki_der(spki_der).ok()?,
            alg: SignAlg::from_jws_name(alg).ok()?,
            counter: u32::try_from(counter).ok()?,
            flags,
            aaguid,
            attestation: AttestationVerdict::None,
        })
    }
}

impl Creation {
    /// Reads `clientDataJSON` and `attestationObject`.
    ///
    /// # Errors
    /// [`WebauthnFault::Form`], [`WebauthnFault::Key`], or [`WebauthnFault::Attestation`] for a format that is not read.
    pub fn parse(
        client_data_json: &[u8],
        attestation_object: &[u8],
    ) -> Result<Unverified<Creation>, WebauthnFault> {
        let form = WebauthnFault::Form;
        let object = cbor::decode_any_order(attestation_object, &LIMITS).map_err(|_| form)?;
        let format = object.get("fmt").and_then(Value::as_text).ok_or(form)?;
        let data = object.get("authData").and_then(Value::as_bytes).ok_or(form)?;
        let statement = object.get("attStmt").ok_or(form)?;
        Ok(Unverified(Creation {
            client_data: ClientData::parse(client_data_json)?,
            data: AuthenticatorData::parse(data)?,
            statement: Statement::parse(format, statement)?,
        }))
    }
}

impl Unverified<Creation> {
    /// What was answered, unproved: only for finding which challenge to spend.
    pub fn challenge(&self) -> &[u8] {
        self.0.client_data.challenge()
    }

    /// Checks everything, the attestation included; `roots` are those of makers of authenticators that the operator trusts.
    ///
    /// # Errors
    /// [`WebauthnFault`], the first in the order of the standard.
    pub fn verify(
        self,
        expected: &Expected<'_>,
        roots: &[Certificate],
        now: Timestamp,
    ) -> Result<Passkey, WebauthnFault> {
        let Unverified(Creation { client_data, data, statement }) = self;
        client_data.check("webauthn.create", expected)?;
        let flags = data.check(expected)?;
        let attestation = statement.judge(&data, &client_data.hash, roots, now)?;
        let attested = data.attested.ok_or(WebauthnFault::Form)?;
        Ok(Passkey {
            credential_id: attested.credential_id,
            key: attested.key,
            alg: attested.alg,
            counter: data.counter,
            flags,
            aaguid: attested.aaguid,
            attestation,
        })
    }
}
