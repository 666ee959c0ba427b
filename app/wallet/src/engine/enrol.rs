//! Enrolment: this device becomes one that may sign its person in at an identity provider.
//!
//! ```text
//! address ─► metadata, pinned ─► challenge ─► DK, D, document ─► signed reply ─► vault
//! ```
//! What is pinned here is believed from now on: reply key, agreement key, root. So the address must come by a way that its person
//! trusts, and nothing but https (on this very machine also http) is asked.

use super::device::{Ask, Device, DoorFault, ENROLMENTS_MAX, Key, refusal};
use super::{Wallet, WalletFault};
use crate::record::{self, EnrolmentRecord};
use crate::vault::VaultFault;
use crypto::base64;
use crypto::key::{AgreeError, Ecdh, KeyAlg, PrivateKey};
use openid::errand::{Errand, Method};
use openid::wire::{self, AddressFault, Reach};
use seal::chain::Pins;
use seal::code::document::DocumentKind;
use seal::code::keys::{enrolment_prk, enrolment_proof};
use seal::code::response::FaceVerdict;
use seal::door::{BEGIN_BYTES_MAX, Begin, Begun, Enrolled, Enrolling, Metadata};
use serde_json::Value;

/// Why this device is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The address may not be asked.
    #[error("the address of the identity provider: {0}")]
    Address(#[from] AddressFault),
    /// The provider names another address as its own.
    #[error("the identity provider calls itself {0}")]
    OtherIssuer(String),
    /// A device is enrolled there already.
    #[error("this wallet is enrolled there already, with the handle {0}")]
    Already(String),
    /// The wallet is full.
    #[error("the wallet is enrolled at {ENROLMENTS_MAX} identity providers already")]
    Full,
    /// No document was given, and the provider takes none without.
    #[error("the identity provider enrols nobody without a document; give one with --document-seal")]
    DocumentNeeded,
    /// The provider's agreement key is none.
    #[error(transparent)]
    Agree(#[from] AgreeError),
    /// The provider.
    #[error(transparent)]
    Door(#[from] DoorFault),
    /// The wallet.
    #[error(transparent)]
    Wallet(#[from] WalletFault),
}

/// What its person is told of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentSummary {
    /// `I`.
    pub issuer: String,
    /// For pages that cannot be scanned.
    pub handle: String,
    /// Four characters that name this device on pages.
    pub device: String,
    /// Level of assurance.
    pub assurance: Value,
    /// End.
    pub expires_at: jiff::Timestamp,
    /// Until when it waits, where it must.
    pub waits_until: Option<jiff::Timestamp>,
    /// Whether its sign-ins come over the relay; else the wallet asks.
    pub pushes: bool,
}

impl Wallet {
    /// Enrols at the identity provider of `address`, a tenant's base (`https://HOST/t/NAME`) with an invite behind `#`, if one is
    /// needed. `document` is the seal that anchors it.
    ///
    /// # Errors
    /// [`EnrolError`]; nothing is kept after one.
    pub fn enrol(&mut self, address: &str, document: Option<&[u8]>) -> Result<EnrolmentSummary, EnrolError> {
        let (base, invite) = match address.split_once('#') {
            Some((base, invite)) => (base, Some(invite.to_owned())),
            None => (address, None),
        };
        let base = base.trim_end_matches('/').trim_end_matches("/seal/enrol");
        wire::address(base, Reach::LoopbackHttp)?;
        let devices = self.devices()?;
        if devices.len() >= ENROLMENTS_MAX {
            return Err(EnrolError::Full);
        }
        let metadata = self.metadata(base)?;
        if let Some(device) = devices.iter().find(|device| device.issuer() == metadata.issuer) {
            return Err(EnrolError::Already(device.handle().to_owned()));
        }
        if document.is_none() && !metadata.unanchored {
            return Err(EnrolError::DocumentNeeded);
        }
        let begun = self.begin(base, invite)?;
        let kind = if document.is_some() { DocumentKind::Vds.as_str() } else { "none" };
        let (dk, d) = (PrivateKey::generate(KeyAlg::P256), Ecdh::generate());
        let (_, s) = metadata.agreement.first().ok_or_else(|| unreadable(&"its agreement key"))?;
        let prk = enrolment_prk(&d, s, &begun.challenge)?;
        let offered = self.push_offered(metadata.relay.as_deref());
        let enrolling = Enrolling {
            dk: dk.public(),
            d: d.public(),
            attestation_format: "none".to_owned(),
            attestation: Vec::new(),
            anchor_kind: kind.to_owned(),
            anchor: document.unwrap_or_default().to_vec(),
            face: FaceVerdict::none(),
            d_proof: enrolment_proof(&prk, &dk.public(), &begun.challenge),
            relay: offered.as_ref().map(|(_, offer)| offer.invite().encode().expose().clone()),
        };
        let mut draft = drafted(base, &metadata, &begun, (&dk, &d), document);
        draft.pin(&Pins::first(&metadata));
        let mut device = Device::of(draft).ok_or_else(|| unreadable(&"its keys or certificates"))?;
        let public = dk.public();
        let ask = Ask {
            method: Method::Put,
            path: format!("enrolments/{}", begun.enrolment),
            body: enrolling.to_value().to_string().into_bytes(),
            key: Key::Embedded(&public),
        };
        let now = (self.clock)();
        let (jti, body) = device.ask(&self.client, &ask, now)?;
        let content = device.read(&jti, &body, now)?;
        let enrolled = Enrolled::from_content(content).map_err(|fault| unreadable(&fault))?;
        if enrolled.binding != device.record.binding {
            return Err(unreadable(&"it enrolled another device").into());
        }
        device.record.handle.clone_from(&enrolled.handle);
        device.record.device.clone_from(&enrolled.device);
        device.record.expires_at_ms = enrolled.expires_at.as_millisecond();
        if let (Some((mut mailbox, offer)), Some(hello)) = (offered, &enrolled.relay) {
            // Without the contact the device is enrolled all the same, and asks.
            let contact = self.push_begun(&mut mailbox, &offer, hello, &metadata.issuer).ok();
            device.record.push = contact.map(|contact| crypto::hex::encode(&contact.0));
        }
        self.keep_device(&device)?;
        Ok(EnrolmentSummary {
            issuer: metadata.issuer,
            handle: enrolled.handle,
            device: enrolled.device,
            assurance: enrolled.assurance,
            expires_at: enrolled.expires_at,
            waits_until: enrolled.waits_until,
            pushes: device.record.push.is_some(),
        })
    }

    pub(super) fn metadata(&self, base: &str) -> Result<Metadata, EnrolError> {
        let metadata = self.told_at(base)?;
        if metadata.issuer != format!("{base}/idp") {
            return Err(EnrolError::OtherIssuer(metadata.issuer));
        }
        Ok(metadata)
    }

    fn begin(&self, base: &str, invite: Option<String>) -> Result<Begun, EnrolError> {
        let begin = Begin { invite, wallet: "tessera wallet (terminal)".to_owned() };
        let body = begin.to_value().to_string().into_bytes();
        let errand =
            Errand::post(&format!("{base}/seal/enrolments"), "application/json", body, BEGIN_BYTES_MAX);
        let answer = self.client.perform(&errand).map_err(DoorFault::Http)?;
        if answer.status != 201 {
            return Err(refusal(answer.status, &answer.body).into());
        }
        Ok(Begun::parse(&answer.body).map_err(|fault| unreadable(&fault))?)
    }
}

impl From<VaultFault> for EnrolError {
    fn from(fault: VaultFault) -> Self {
        Self::Wallet(fault.into())
    }
}

fn unreadable(what: &dyn std::fmt::Display) -> DoorFault {
    DoorFault::Form(what.to_string())
}

/// The record of a device that is about to enrol; the keys of the provider are pinned next.
fn drafted(
    base: &str,
    metadata: &Metadata,
    begun: &Begun,
    (dk, d): (&PrivateKey, &Ecdh),
    document: Option<&[u8]>,
) -> EnrolmentRecord {
    let text = |bytes: &[u8]| base64::url_encode(bytes);
    let texts = |all: &[Vec<u8>]| all.iter().map(|der| text(der)).collect();
    EnrolmentRecord {
        v: record::VERSION,
        issuer: metadata.issuer.clone(),
        base: base.to_owned(),
        binding: begun.enrolment.clone(),
        handle: String::new(),
        device: String::new(),
        dk: text(dk.to_secret().expose()),
        d: text(d.to_secret().expose()),
        reply_keys: Vec::new(),
        key_set: 0,
        agreement: Vec::new(),
        signers: texts(&metadata.signers),
        anchors: texts(&metadata.anchors),
        document: document.map(text),
        expires_at_ms: 0,
        push: None,
    }
}
