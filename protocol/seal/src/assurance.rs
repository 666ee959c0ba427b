//! How sure an identity is: the highest row of the table that holds.
//!
//! | anchor | device | flow | level |
//! |---|---|---|---|
//! | none, or an unverified image | any | any | none |
//! | seal or credential on a trust list, no face; or face by an unattested client | any | any | low |
//! | seal or IDB, face against its photo, PAD model | attested hardware | code | low |
//! | the same | attested hardware | phr | substantial |
//! | notified eID at High, or chip (PA+CA) with supervised or certified face | attested, BE=0 | phrh | high (candidate) |
//!
//! What is stronger counts as weaker. "Designed to meet": the levels of Regulation (EU) 2015/1502 belong to notified schemes, so
//! that none of its identifiers is emitted.

use serde_json::{Value, json};

use crate::code::Acr;

/// How sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AssuranceLevel {
    /// Nobody vouches for anything.
    None,
    /// Some.
    Low,
    /// Substantial.
    Substantial,
    /// A candidate for high: no notified scheme stands behind it.
    High,
}

/// What the person was enrolled with, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnchorClass {
    /// Nothing, or an image that nobody verified.
    None,
    /// A seal or credential whose signer is on a trust list.
    Listed,
    /// The same, and a face that an attested client matched with the document's photo, alive, with models whose report meets the
    /// bounds.
    ListedWithFace,
    /// A notified eID at level High, or a chip (passive and chip authentication) with a supervised or certified face.
    Chip,
}

/// What holds the DeviceKey, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceClass {
    /// A key of software.
    Software,
    /// Attested hardware whose key may be backed up.
    Attested,
    /// Attested hardware that the key never leaves (BE=0).
    AttestedBound,
}

/// The level with what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Assurance {
    /// The level.
    pub level: AssuranceLevel,
    /// What it was enrolled with.
    pub anchor: AnchorClass,
    /// What holds the key.
    pub device: DeviceClass,
    /// How it signed in.
    pub flow: Acr,
}

/// Judges by the table. A face that an unattested client matched is its own claim and counts as none.
pub fn assurance(anchor: AnchorClass, device: DeviceClass, flow: Acr) -> Assurance {
    let level = if anchor >= AnchorClass::Chip
        && device >= DeviceClass::AttestedBound
        && flow.meets(Acr::Phrh)
    {
        AssuranceLevel::High
    } else if anchor >= AnchorClass::ListedWithFace && device >= DeviceClass::Attested && flow.meets(Acr::Phr)
    {
        AssuranceLevel::Substantial
    } else if anchor >= AnchorClass::Listed {
        AssuranceLevel::Low
    } else {
        AssuranceLevel::None
    };
    Assurance { level, anchor, device, flow }
}

impl AssuranceLevel {
    /// The name in tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            AssuranceLevel::None => "none",
            AssuranceLevel::Low => "low",
            AssuranceLevel::Substantial => "substantial",
            AssuranceLevel::High => "high",
        }
    }

    /// The level of that name.
    pub fn parse(name: &str) -> Option<AssuranceLevel> {
        [Self::None, Self::Low, Self::Substantial, Self::High].into_iter().find(|it| it.as_str() == name)
    }
}

impl AnchorClass {
    /// The name in tokens and rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            AnchorClass::None => "none",
            AnchorClass::Listed => "listed",
            AnchorClass::ListedWithFace => "listed_face",
            AnchorClass::Chip => "chip",
        }
    }

    /// The class of that name.
    pub fn parse(name: &str) -> Option<AnchorClass> {
        [Self::None, Self::Listed, Self::ListedWithFace, Self::Chip]
            .into_iter()
            .find(|it| it.as_str() == name)
    }
}

impl DeviceClass {
    /// The name in tokens and rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeviceClass::Software => "software",
            DeviceClass::Attested => "attested",
            DeviceClass::AttestedBound => "attested_bound",
        }
    }

    /// The class of that name.
    pub fn parse(name: &str) -> Option<DeviceClass> {
        [Self::Software, Self::Attested, Self::AttestedBound].into_iter().find(|it| it.as_str() == name)
    }
}

impl Assurance {
    /// As the claim `assurance` prints it.
    pub fn to_value(&self) -> Value {
        json!({
            "level": self.level.as_str(), "anchor": self.anchor.as_str(), "device": self.device.as_str(),
            "flow": self.flow.as_str(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(anchor: AnchorClass, device: DeviceClass, flow: Acr) -> AssuranceLevel {
        assurance(anchor, device, flow).level
    }

    #[test]
    fn without_an_anchor_nothing_is_assured_whatever_the_device_and_the_flow() {
        assert_eq!(level(AnchorClass::None, DeviceClass::AttestedBound, Acr::Phrh), AssuranceLevel::None);
    }

    #[test]
    fn a_listed_seal_without_a_face_is_low_whatever_the_device_and_the_flow() {
        assert_eq!(level(AnchorClass::Listed, DeviceClass::Software, Acr::SealCode), AssuranceLevel::Low);
        assert_eq!(level(AnchorClass::Listed, DeviceClass::AttestedBound, Acr::Phrh), AssuranceLevel::Low);
    }

    #[test]
    fn a_face_matched_by_an_unattested_client_is_low() {
        assert_eq!(level(AnchorClass::ListedWithFace, DeviceClass::Software, Acr::Phr), AssuranceLevel::Low);
    }

    #[test]
    fn a_face_on_attested_hardware_by_code_is_low_because_a_relay_defeats_the_code() {
        let of = |flow| level(AnchorClass::ListedWithFace, DeviceClass::Attested, flow);
        assert_eq!(of(Acr::SealCode), AssuranceLevel::Low);
        assert_eq!(of(Acr::SealVp), AssuranceLevel::Low);
    }

    #[test]
    fn the_same_with_phr_is_substantial() {
        let of = |device, flow| level(AnchorClass::ListedWithFace, device, flow);
        assert_eq!(of(DeviceClass::Attested, Acr::Phr), AssuranceLevel::Substantial);
        assert_eq!(of(DeviceClass::AttestedBound, Acr::Phrh), AssuranceLevel::Substantial);
    }

    #[test]
    fn a_chip_on_a_bound_key_with_phrh_is_a_candidate_for_high_and_every_lesser_part_lowers_it() {
        let of = |device, flow| level(AnchorClass::Chip, device, flow);
        assert_eq!(of(DeviceClass::AttestedBound, Acr::Phrh), AssuranceLevel::High);
        assert_eq!(of(DeviceClass::Attested, Acr::Phrh), AssuranceLevel::Substantial);
        assert_eq!(of(DeviceClass::AttestedBound, Acr::Phr), AssuranceLevel::Substantial);
        assert_eq!(of(DeviceClass::Software, Acr::Phrh), AssuranceLevel::Low);
    }

    #[test]
    fn the_claim_names_the_level_and_what_it_rests_on_and_no_foreign_identifier() {
        let claim = assurance(AnchorClass::Listed, DeviceClass::Software, Acr::SealCode).to_value();
        assert_eq!(
            claim.to_string(),
            r#"{"level":"low","anchor":"listed","device":"software","flow":"seal:code"}"#
        );
    }
}
