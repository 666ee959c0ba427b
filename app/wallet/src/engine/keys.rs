//! How a wallet goes on hearing a provider whose keys moved: by the signed chain from the keys that it pinned, and by no other way.
//!
//! ```text
//! answer ─ under a pinned key ─► heard
//!        └ under another ─► metadata ─► chain from the pinned key ─► new pins kept ─► the same answer again
//! ```
//! Nothing is asked twice: what a door answered is looked at again, as the request may have been spent.

use super::Wallet;
use super::device::{Ask, Device, DoorFault};
use crate::record;
use crate::vault::{Kind, VaultFault};
use crypto::base64;
use crypto::key::PublicKey;
use openid::errand::Errand;
use seal::chain::Pins;
use seal::code::reply::ReplyFault;
use seal::door::{METADATA_BYTES_MAX, Metadata};
use serde_json::{Map, Value};

impl Wallet {
    /// Asks a door whose answer is signed; with the content comes the device, if what it pins has changed.
    pub(super) fn ask_signed(
        &mut self,
        device: &Device,
        ask: &Ask<'_>,
    ) -> Result<(Map<String, Value>, Option<Device>), DoorFault> {
        let now = (self.clock)();
        let (jti, body) = device.ask(&self.client, ask, now)?;
        match device.read(&jti, &body, now) {
            Err(DoorFault::Reply(ReplyFault::Signature)) => {
                let renewed = self.renewed(device)?;
                Ok((renewed.read(&jti, &body, now)?, Some(renewed)))
            }
            other => Ok((other?, None)),
        }
    }

    /// The device with the keys that count now, kept. The certificates of those who sign seals are taken as they are told: they must
    /// lead to the roots that were pinned, and those never move.
    pub(super) fn renewed(&mut self, device: &Device) -> Result<Device, DoorFault> {
        let metadata = self.told_at(&device.record.base)?;
        let pins = device.pins().follow(device.issuer(), &metadata)?;
        let id = &device.record.binding;
        let mut record = self
            .enrolment_records()?
            .into_iter()
            .find(|record| record.binding == *id)
            .ok_or_else(|| broken(id))?;
        record.pin(&pins);
        record.signers = metadata.signers.iter().map(|der| base64::url_encode(der)).collect();
        let kept = record::encode(&record);
        let renewed =
            Device::of(record).ok_or_else(|| DoorFault::Form("its keys or certificates".to_owned()))?;
        self.vault.put(Kind::Enrolment, id, &kept)?;
        Ok(renewed)
    }

    /// What a provider says of itself; whose it is, is not looked at yet.
    pub(super) fn told_at(&self, base: &str) -> Result<Metadata, DoorFault> {
        let url = format!("{base}/seal/metadata");
        let answer = self.client.perform(&Errand::get(&url, "application/json", METADATA_BYTES_MAX))?;
        if answer.status != 200 {
            return Err(super::device::refusal(answer.status, &answer.body));
        }
        Metadata::parse(&answer.body).map_err(|fault| DoorFault::Form(fault.to_string()))
    }
}

impl record::EnrolmentRecord {
    /// Takes what is pinned.
    pub(super) fn pin(&mut self, pins: &Pins) {
        let text = |key: &PublicKey| base64::url_encode(key.raw());
        self.key_set = pins.number;
        self.reply_keys = pins.reply.iter().map(text).collect();
        self.agreement = pins.agreement.iter().map(|(kid, key)| (kid.clone(), text(key))).collect();
    }
}

fn broken(id: &str) -> DoorFault {
    DoorFault::Vault(VaultFault::Broken(format!("enrolment {id}")))
}
