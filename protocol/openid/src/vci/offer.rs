//! Credential offers (OpenID4VCI 1.0, 4.1): the object, and the link that carries it or leads to it.

use crate::oauth::form::{self, Form};
use crate::wire::{self, AddressFault, Reach, WireError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most bytes of an offer object.
pub const OFFER_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of an offer link; an offer by value in a QR code is far shorter.
pub const OFFER_LINK_BYTES_MAX: usize = 24 * 1024;

/// Most configurations in one offer: the forms of one dataset.
pub const OFFER_CONFIGURATIONS_MAX: usize = 8;

/// Most bytes of a pre-authorised code or an identifier inside an offer; our codes have 43.
pub const OFFER_TEXT_BYTES_MAX: usize = 2048;

/// Scheme that opens a wallet (OpenID4VCI 1.0, 4.1.1).
pub const OFFER_SCHEME: &str = "openid-credential-offer";

/// What an issuer offers a wallet. `Debug` hides the code inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialOffer {
    /// Issuer identifier, compared byte by byte with the metadata.
    pub credential_issuer: String,
    /// Ids within the metadata's `credential_configurations_supported`.
    pub credential_configuration_ids: Vec<String>,
    /// How a token may be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<OfferGrants>,
}

/// Grants of an offer; those this build does not serve are ignored when read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OfferGrants {
    /// The pre-authorised code grant.
    #[serde(
        rename = "urn:ietf:params:oauth:grant-type:pre-authorized_code",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub pre_authorized_code: Option<PreAuthorizedCode>,
}

/// The pre-authorised code grant of an offer. `Debug` hides the code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PreAuthorizedCode {
    /// The code: single use, short-lived.
    #[serde(rename = "pre-authorized_code")]
    pub code: String,
    /// Present when the wallet must ask its holder for a transaction code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_code: Option<TxCode>,
    /// Which of the metadata's authorization servers takes the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_server: Option<String>,
}

/// How a transaction code is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TxCode {
    /// `numeric` (the default) or `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_mode: Option<String>,
    /// Its length in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// What to tell the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A link that opened the wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferLink {
    /// The offer stands in the link.
    ByValue(CredentialOffer),
    /// The offer is to be fetched by GET.
    ByReference(String),
}

/// Why an offer or its link was not taken.
#[derive(Debug, thiserror::Error)]
pub enum OfferFault {
    /// Not a link with exactly one of `credential_offer` and `credential_offer_uri`.
    #[error("not a credential offer link")]
    Link,
    /// The address in the link may not be fetched.
    #[error("the offer's address: {0}")]
    Address(#[from] AddressFault),
    /// The object cannot be read.
    #[error("the offer: {0}")]
    Wire(#[from] WireError),
    /// No configuration, too many, one twice, or an overlong text.
    #[error("the offer names no credentials, or too many")]
    Configurations,
}

impl CredentialOffer {
    /// An offer of `configurations` against a pre-authorised code.
    #[must_use]
    pub fn pre_authorized(
        issuer: &str,
        configurations: &[String],
        code: String,
        tx_code: Option<TxCode>,
    ) -> Self {
        let grant = PreAuthorizedCode { code, tx_code, authorization_server: None };
        CredentialOffer {
            credential_issuer: issuer.to_owned(),
            credential_configuration_ids: configurations.to_vec(),
            grants: Some(OfferGrants { pre_authorized_code: Some(grant) }),
        }
    }

    /// Reads an offer object.
    ///
    /// # Errors
    /// [`OfferFault`].
    pub fn parse(bytes: &[u8]) -> Result<CredentialOffer, OfferFault> {
        let offer: CredentialOffer = wire::read(bytes, OFFER_BYTES_MAX)?;
        let ids = &offer.credential_configuration_ids;
        let fits = |text: &str| !text.is_empty() && text.len() <= OFFER_TEXT_BYTES_MAX;
        let twice = ids.iter().enumerate().any(|(index, id)| ids[..index].contains(id));
        if ids.is_empty() || ids.len() > OFFER_CONFIGURATIONS_MAX || twice || !ids.iter().all(|id| fits(id)) {
            return Err(OfferFault::Configurations);
        }
        let code = offer.grants.as_ref().and_then(|grants| grants.pre_authorized_code.as_ref());
        if !fits(&offer.credential_issuer) || code.is_some_and(|grant| !fits(&grant.code)) {
            return Err(OfferFault::Configurations);
        }
        Ok(offer)
    }

    /// The link that carries this offer by value.
    #[must_use]
    pub fn link(&self) -> String {
        // A struct of texts and integers always serialises.
        let json = serde_json::to_string(self).expect("texts and integers serialise");
        format!("{OFFER_SCHEME}://?{}", form::encode(&[("credential_offer", &json)]))
    }
}

impl OfferLink {
    /// The link that leads to an offer object at `credential_offer_uri`.
    #[must_use]
    pub fn to(credential_offer_uri: &str) -> String {
        format!("{OFFER_SCHEME}://?{}", form::encode(&[("credential_offer_uri", credential_offer_uri)]))
    }

    /// Reads a link that opened the wallet.
    ///
    /// # Errors
    /// [`OfferFault`].
    pub fn parse(link: &str, reach: Reach) -> Result<OfferLink, OfferFault> {
        if link.len() > OFFER_LINK_BYTES_MAX {
            return Err(OfferFault::Link);
        }
        let query = link
            .strip_prefix(OFFER_SCHEME)
            .and_then(|rest| rest.strip_prefix("://").or(rest.strip_prefix(':')))
            .and_then(|rest| rest.split_once('?'))
            .map(|(_, query)| query)
            .ok_or(OfferFault::Link)?;
        let form = Form::parse(query.as_bytes(), OFFER_LINK_BYTES_MAX).map_err(|_| OfferFault::Link)?;
        match (form.get("credential_offer"), form.get("credential_offer_uri")) {
            (Some(offer), None) => Ok(OfferLink::ByValue(CredentialOffer::parse(offer.as_bytes())?)),
            (None, Some(address)) => {
                wire::address(address, reach)?;
                Ok(OfferLink::ByReference(address.to_owned()))
            }
            _ => Err(OfferFault::Link),
        }
    }
}

impl fmt::Debug for PreAuthorizedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreAuthorizedCode").field("tx_code", &self.tx_code).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer() -> CredentialOffer {
        CredentialOffer::pre_authorized(
            "https://i.example/t/a",
            &["diploma".to_owned()],
            "canary".to_owned(),
            None,
        )
    }

    #[test]
    fn an_offer_has_the_members_of_the_standard() {
        assert_eq!(
            serde_json::to_value(offer()).unwrap(),
            serde_json::json!({
                "credential_issuer": "https://i.example/t/a",
                "credential_configuration_ids": ["diploma"],
                "grants": {"urn:ietf:params:oauth:grant-type:pre-authorized_code": {"pre-authorized_code": "canary"}}
            })
        );
    }

    #[test]
    fn both_kinds_of_link_are_read_back() {
        let by_value = OfferLink::parse(&offer().link(), Reach::Https).unwrap();
        assert_eq!(by_value, OfferLink::ByValue(offer()));
        let address = "https://i.example/t/a/vci/offer/x";
        let link = OfferLink::to(address);
        assert_eq!(
            link,
            "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fi.example%2Ft%2Fa%2Fvci%2Foffer%2Fx"
        );
        assert_eq!(
            OfferLink::parse(&link, Reach::Https).unwrap(),
            OfferLink::ByReference(address.to_owned())
        );
    }

    #[test]
    fn a_link_with_both_kinds_none_or_a_plain_http_address_is_refused() {
        let both = format!("{}&credential_offer_uri=https%3A%2F%2Fa", offer().link());
        for link in [
            both.as_str(),
            "openid-credential-offer://?x=1",
            "openid-credential-offer://",
            "https://a/?credential_offer=%7B%7D",
        ] {
            assert!(matches!(OfferLink::parse(link, Reach::Https), Err(OfferFault::Link)), "{link}");
        }
        let plain = OfferLink::to("http://i.example/offer");
        assert!(matches!(OfferLink::parse(&plain, Reach::LoopbackHttp), Err(OfferFault::Address(_))));
    }

    #[test]
    fn an_offer_of_nothing_or_of_one_thing_twice_is_refused() {
        for ids in ["[]", r#"["a","a"]"#, r#"[""]"#] {
            let text = format!(r#"{{"credential_issuer":"https://a","credential_configuration_ids":{ids}}}"#);
            assert!(
                matches!(CredentialOffer::parse(text.as_bytes()), Err(OfferFault::Configurations)),
                "{ids}"
            );
        }
    }

    #[test]
    fn the_code_is_not_in_debug_output() {
        assert!(!format!("{:?}", offer()).contains("canary"));
    }

    proptest! {
        #[test]
        fn no_link_makes_the_parser_panic(text in ".{0,120}", query in "[a-z_=&%0-9{}\":]{0,120}") {
            let _ = OfferLink::parse(&text, Reach::Https);
            let _ = OfferLink::parse(&format!("{OFFER_SCHEME}://?{query}"), Reach::Https);
            let _ = CredentialOffer::parse(text.as_bytes());
        }
    }
}
