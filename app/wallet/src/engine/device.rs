//! This device at an identity provider: what it pinned when it enrolled, its two keys, and how it speaks there.
//!
//! Every request carries a proof by the DeviceKey; every answer that matters is signed by the reply key that was pinned.

use super::{Wallet, WalletFault};
use crate::http::{Client, HttpFault};
use crate::record::{self, EnrolmentRecord};
use crate::vault::{Kind, VaultFault};
use crypto::jose::jws::{self, Draft};
use crypto::key::{Ecdh, KeyAlg, PrivateKey, PublicKey, SignAlg, SignError};
use crypto::{base64, random};
use jiff::Timestamp;
use openid::errand::{Errand, Method};
use seal::chain::{Break, Pins};
use seal::code::claim::Pinned;
use seal::code::proof::{self, ProofKey};
use seal::code::reply::{self, REPLY_BYTES_MAX, ReplyFault};
use seal::vds::signer::SignerCertificate;
use seal::vds::trust::Authority;
use serde_json::{Map, Value};

/// Devices of one wallet: one an identity provider.
pub(super) const ENROLMENTS_MAX: usize = 100;
/// Bytes of a refusal that are looked at.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;
/// Longest code of a refusal that is shown.
const CODE_BYTES_MAX: usize = 64;

/// Why the provider is not heard.
#[derive(Debug, thiserror::Error)]
pub enum DoorFault {
    /// It cannot be asked.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// It refused.
    #[error("the identity provider answered {status} {code}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its stable code, or `unnamed`.
        code: String,
    },
    /// Its answer is not signed as it must be.
    #[error("the answer is not the identity provider's: {0}")]
    Reply(#[from] ReplyFault),
    /// Its answer does not have the form of one.
    #[error("the answer of the identity provider cannot be read: {0}")]
    Form(String),
    /// Its keys changed, and the change does not follow from those that were pinned.
    #[error("the identity provider's keys changed: {0}")]
    Keys(#[from] Break),
    /// The DeviceKey did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The wallet's file.
    #[error(transparent)]
    Vault(#[from] VaultFault),
}

/// A device that is enrolled.
pub struct Device {
    pub(super) record: EnrolmentRecord,
    pub(super) dk: PrivateKey,
    pub(super) d: Ecdh,
    pub(super) reply_keys: Vec<PublicKey>,
    pub(super) agreement: Vec<(String, PublicKey)>,
    signers: Vec<SignerCertificate>,
    authorities: Vec<Authority>,
}

impl Device {
    /// The device of a record; none where the record does not hold what it must.
    pub(super) fn of(record: EnrolmentRecord) -> Option<Device> {
        let bytes = |text: &String| base64::url_decode(text).ok();
        let point = |text: &String| PublicKey::from_raw(KeyAlg::P256, bytes(text)?).ok();
        let certificates = |all: &[String]| -> Option<Vec<SignerCertificate>> {
            all.iter().map(|text| SignerCertificate::parse(&bytes(text)?).ok()).collect()
        };
        let authority = |certificate| Authority { certificate, revoked: Vec::new(), next_update: None };
        Some(Device {
            dk: PrivateKey::from_secret(KeyAlg::P256, &bytes(&record.dk)?).ok()?,
            d: Ecdh::from_secret(&bytes(&record.d)?).ok()?,
            reply_keys: record.reply_keys.iter().map(point).collect::<Option<_>>()?,
            agreement: record
                .agreement
                .iter()
                .map(|(kid, key)| Some((kid.clone(), point(key)?)))
                .collect::<Option<_>>()?,
            signers: certificates(&record.signers)?,
            authorities: certificates(&record.anchors)?.into_iter().map(authority).collect(),
            record,
        })
    }

    /// `I`, the identity provider.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.record.issuer
    }

    /// What a person types into a page that cannot be scanned.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.record.handle
    }

    /// The keys that it goes on from, when they change.
    pub(super) fn pins(&self) -> Pins {
        let (reply, agreement) = (self.reply_keys.clone(), self.agreement.clone());
        Pins { number: self.record.key_set, reply, agreement }
    }

    /// What the wallet pinned.
    pub(super) fn pinned(&self) -> Pinned<'_> {
        Pinned {
            issuer: &self.record.issuer,
            agreement: &self.agreement,
            signers: &self.signers,
            authorities: &self.authorities,
        }
    }

    /// Asks a door of this provider; the answer is the body as it came.
    pub(super) fn ask(
        &self,
        client: &Client,
        ask: &Ask<'_>,
        now: Timestamp,
    ) -> Result<(String, Vec<u8>), DoorFault> {
        let url = format!("{}/seal/{}", self.record.base, ask.path);
        let (target, _) = url.split_once('?').unwrap_or((&url, ""));
        let request = proof::Request { method: ask.method_name(), url: target, body: &ask.body };
        let jti = base64::url_encode(&random::array::<16>());
        let key = match ask.key {
            Key::Enrolled => ProofKey::Enrolment(&self.record.binding),
            Key::Embedded(key) => ProofKey::Embedded(key),
        };
        let proof = sign(&proof::draft(key, &request, &jti, now), &self.dk)?;
        let errand = Errand {
            method: ask.method,
            body: (!ask.body.is_empty()).then(|| ("application/json", ask.body.clone())),
            ..Errand::get(&url, "application/jwt, application/json", REPLY_BYTES_MAX)
        };
        let answer = client.perform(&errand.with_proof("Seal-Proof", proof))?;
        if (200..300).contains(&answer.status) {
            return Ok((jti, answer.body));
        }
        Err(refusal(answer.status, &answer.body))
    }

    /// The content of a signed answer to the request that was proved with `jti`.
    pub(super) fn read(
        &self,
        jti: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Map<String, Value>, DoorFault> {
        let compact = std::str::from_utf8(body).map_err(|_| ReplyFault::Form)?;
        let expected =
            reply::Expected { issuer: &self.record.issuer, enrolment: &self.record.binding, jti, now };
        let mut last = ReplyFault::Signature;
        for key in &self.reply_keys {
            match reply::verify(compact.trim(), key, &expected) {
                Ok(content) => return Ok(content),
                Err(fault) => last = fault,
            }
        }
        Err(last.into())
    }
}

/// One request at a wallet door.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// Below `/seal/`.
    pub(super) path: String,
    /// Empty without one.
    pub(super) body: Vec<u8>,
    pub(super) key: Key<'a>,
}

/// How the DeviceKey is named.
pub(super) enum Key<'a> {
    Enrolled,
    Embedded(&'a PublicKey),
}

impl Ask<'_> {
    pub(super) fn get(path: String) -> Ask<'static> {
        Ask { method: Method::Get, path, body: Vec::new(), key: Key::Enrolled }
    }

    pub(super) fn post(path: String, body: &Value) -> Ask<'static> {
        Ask { method: Method::Post, path, body: body.to_string().into_bytes(), key: Key::Enrolled }
    }

    const fn method_name(&self) -> &'static str {
        match self.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

impl Wallet {
    /// Every device of this wallet, one an identity provider.
    ///
    /// # Errors
    /// [`WalletFault`].
    pub fn devices(&self) -> Result<Vec<Device>, WalletFault> {
        let broken = |id: &str| WalletFault::Vault(VaultFault::Broken(format!("enrolment {id}")));
        let device = |record: EnrolmentRecord| {
            let id = record.binding.clone();
            Device::of(record).ok_or_else(|| broken(&id))
        };
        self.enrolment_records()?.into_iter().map(device).collect()
    }

    /// The same as they are kept.
    pub(super) fn enrolment_records(&self) -> Result<Vec<EnrolmentRecord>, VaultFault> {
        let broken = |id: &str| VaultFault::Broken(format!("enrolment {id}"));
        let all = self.vault.list(Kind::Enrolment)?;
        all.iter().map(|(id, bytes)| record::decode(bytes.expose()).ok_or_else(|| broken(id))).collect()
    }

    /// Keeps what is known of a device.
    pub(super) fn keep_device(&mut self, device: &Device) -> Result<(), WalletFault> {
        let record = &device.record;
        Ok(self.vault.put(Kind::Enrolment, &record.binding, &record::encode(record))?)
    }
}

/// A refusal by its stable code; free text of the peer is not shown.
pub(super) fn refusal(status: u16, body: &[u8]) -> DoorFault {
    let said = openid::wire::json(body, REFUSAL_BYTES_MAX).ok();
    let code = said.as_ref().and_then(|body| openid::wire::text(body.get("code"), CODE_BYTES_MAX));
    let plain = |code: &&str| code.bytes().all(|byte| byte.is_ascii_lowercase() || b"-/".contains(&byte));
    DoorFault::Refused { status, code: code.filter(plain).unwrap_or("unnamed").to_owned() }
}

pub(super) fn sign(draft: &Draft, key: &PrivateKey) -> Result<String, SignError> {
    let input = draft.signing_input();
    Ok(jws::assemble(&input, &key.sign(SignAlg::Es256, input.as_bytes())?))
}
