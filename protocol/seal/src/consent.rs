//! What a person agreed to, as it was shown, as it is kept, and as the Relying Party can prove it.

use crypto::jose::jws::Draft;
use crypto::key::SignAlg;
use crypto::{base64, hash};
use serde_json::{Value, json};

use crate::code::Acr;
use crate::scope::Scopes;
use crate::wire::{WireError, jcs};

/// The `typ` of a receipt.
pub const RECEIPT_TYP: &str = "seal-consent+jwt";

/// The text over which a person decides: legal name, purpose, granted scopes, one a line. No line feed stands in any of them.
pub fn text(legal_name: &str, purpose: &str, granted: &Scopes) -> String {
    let flat = |text: &str| text.replace(['\n', '\r'], " ");
    let mut lines = vec![flat(legal_name), flat(purpose)];
    lines.extend(granted.iter().map(|scope| scope.as_str().to_owned()));
    lines.join("\n")
}

/// The record of one consent. Its hash stands in the ID Token and in the log; the salt makes that hash blind once the record is
/// erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Names it.
    pub consent_id: String,
    /// Drawn for it.
    pub salt: [u8; 16],
    /// The identity provider.
    pub issuer: String,
    /// The Relying Party.
    pub client_id: String,
    /// SHA-256 of its ServiceSeal.
    pub service_seal: [u8; 32],
    /// The person, as that Relying Party knows them.
    pub sub: String,
    /// Asked for.
    pub requested: Scopes,
    /// Agreed to.
    pub granted: Scopes,
    /// Not agreed to.
    pub denied: Scopes,
    /// What for, as it was shown.
    pub purpose: String,
    /// SHA-256 of the text as it was shown.
    pub consent_text: [u8; 32],
    /// The class of the sign-in.
    pub acr: Acr,
    /// When, in seconds since 1970.
    pub at_s: i64,
}

impl Record {
    /// As it is kept.
    pub fn to_value(&self) -> Value {
        json!({
            "v": "seal/1", "consent_id": self.consent_id, "salt": base64::url_encode(&self.salt), "issuer": self.issuer,
            "client_id": self.client_id, "service_seal": base64::url_encode(&self.service_seal), "sub": self.sub,
            "requested": self.requested.to_value(), "granted": self.granted.to_value(),
            "denied": self.denied.to_value(), "purpose": self.purpose,
            "consent_text": base64::url_encode(&self.consent_text), "acr": self.acr.as_str(), "at": self.at_s,
        })
    }

    /// The bytes that are hashed and kept.
    ///
    /// # Errors
    /// [`WireError::NotCanonical`] when a text is not in NFC.
    pub fn jcs(&self) -> Result<Vec<u8>, WireError> {
        jcs(&self.to_value())
    }

    /// The receipt for the Relying Party, to be signed by the server with ES256. It bears nothing of the DeviceKey, which would
    /// link a person across Relying Parties.
    pub fn receipt(&self) -> Draft {
        let mut claims = self.to_value();
        claims["iss"] = self.issuer.as_str().into();
        claims["aud"] = self.client_id.as_str().into();
        claims["iat"] = self.at_s.into();
        Draft::new(RECEIPT_TYP, claims.to_string()).with_alg(SignAlg::Es256)
    }
}

/// `consent_hash`: base64url of the hash of a record's bytes.
pub fn hash_text(record: &[u8]) -> String {
    base64::url_encode(&hash::sha256(record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Scope;

    fn record() -> Record {
        Record {
            consent_id: "con_1".to_owned(),
            salt: [1; 16],
            issuer: "https://idp.example/t/default/idp".to_owned(),
            client_id: "rp_shop".to_owned(),
            service_seal: [2; 32],
            sub: "s".to_owned(),
            requested: Scopes::from_iter([Scope::Openid, Scope::AgeOver18]),
            granted: Scopes::from_iter([Scope::Openid]),
            denied: Scopes::from_iter([Scope::AgeOver18]),
            purpose: "Age check".to_owned(),
            consent_text: [3; 32],
            acr: Acr::SealCode,
            at_s: 1_800_000_000,
        }
    }

    #[test]
    fn every_member_and_the_salt_are_in_the_hash() {
        let hash = |record: &Record| hash_text(&record.jcs().unwrap());
        let kept = hash(&record());
        assert_eq!(kept.len(), 43);
        for change in [
            |it: &mut Record| it.salt[0] = 0,
            |it: &mut Record| it.sub.push('x'),
            |it: &mut Record| it.granted = it.requested.clone(),
            |it: &mut Record| it.acr = Acr::Phr,
            |it: &mut Record| it.at_s += 1,
        ] {
            let mut other = record();
            change(&mut other);
            assert_ne!(hash(&other), kept);
        }
    }

    #[test]
    fn the_text_has_one_scope_a_line_and_no_line_of_anybody_elses() {
        let granted = Scopes::expand("openid identity:age_verification").unwrap();
        let shown = text("Shop SA", "Age\nidentity:full", &granted);
        assert_eq!(shown, "Shop SA\nAge identity:full\nidentity:age_over_18\nopenid");
    }

    #[test]
    fn a_receipt_names_the_relying_party_and_nothing_of_the_device() {
        let draft = record().receipt();
        let claims: Value = serde_json::from_slice(&draft.payload).unwrap();
        assert_eq!(
            (claims["aud"].as_str(), claims["granted"].to_string()),
            (Some("rp_shop"), "[\"openid\"]".into())
        );
        assert_eq!(draft.header["typ"], RECEIPT_TYP);
    }
}
