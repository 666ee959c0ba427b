//! What our own API takes and gives.

use crate::document_seal::{Issued, NewSeal};
use crate::enrolment::Enrolment;
use crate::relying_party::{Metadata, Registered, RelyingParty};
use crate::signin::at;
use crate::store::document_seal::SealRow;
use crate::store::result::HistoryRow;
use crypto::base64;
use crypto::secret::Secret;
use edge::problem::pages;
use edge::{Call, Problem};
use jiff::civil::Date;
use schemars::JsonSchema;
use seal::code::Acr;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenancy::After;

/// The name of the caller's tenant, which stands in every identifier of its identity provider.
pub(super) async fn tenant(call: &Call) -> Result<String, Problem> {
    let found = call.edge().tenancy().tenant(&call.ctx, &call.ctx.tenant).await?;
    found.map(|tenant| tenant.name).ok_or_else(|| Problem::of(&pages::NOT_FOUND))
}

/// A relying party.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RelyingParty")]
pub(super) struct PartyView {
    #[serde(skip)]
    pub(super) after: After,
    #[serde(skip)]
    revision: i64,
    /// `rp_…`, the `client_id`.
    id: String,
    /// `pending_proof`, `proved` or `active`.
    state: String,
    #[serde(flatten)]
    metadata: Metadata,
    /// Its public keys.
    keys: Vec<Value>,
    /// The bytes of its ServiceSeal, base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_seal: Option<String>,
    /// `dsl_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    document_seal: Option<String>,
    /// When the seal ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed_until: Option<String>,
    /// What keys have to sign and origins to show, base64url. Only while a proof is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<String>,
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// When it was registered.
    created_at: String,
}

impl From<RelyingParty> for PartyView {
    fn from(party: RelyingParty) -> Self {
        Self {
            after: After { at_ms: party.created_at_ms, id: party.client_id.clone() },
            revision: party.revision,
            id: party.client_id,
            state: party.state.as_str().to_owned(),
            metadata: party.metadata,
            keys: party.keys,
            service_seal: party.service_seal.map(|seal| base64::url_encode(&seal)),
            document_seal: party.seal_id,
            sealed_until: party.sealed_until_ms.map(|until| at(until).to_string()),
            challenge: None,
            client_secret: None,
            created_at: at(party.created_at_ms).to_string(),
        }
    }
}

impl PartyView {
    /// Its revision as an entity tag.
    pub(super) fn etag(&self) -> String {
        format!("\"{}\"", self.revision)
    }
}

impl From<Registered> for PartyView {
    fn from(registered: Registered) -> Self {
        Self {
            challenge: registered.challenge.map(|challenge| base64::url_encode(&challenge)),
            client_secret: registered.secret.map(|secret| secret.expose().clone()),
            ..registered.party.into()
        }
    }
}

/// Proofs of a relying party.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProveForm {
    /// One `seal-service-proof+jwt` for each of its keys.
    #[serde(default)]
    #[schemars(length(max = 4))]
    pub(super) proofs: Vec<String>,
}

/// A new invite.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteForm {
    /// Life in seconds, 60 to 604800; a day unless told.
    #[serde(default)]
    #[schemars(range(min = 60, max = 604_800))]
    pub(super) ttl_s: Option<i64>,
    /// `none`, `low`, `substantial` or `high`.
    #[serde(default)]
    pub(super) level_min: Option<String>,
}

/// An invite. Its link is shown this once.
#[derive(Serialize, JsonSchema)]
pub(super) struct InviteView {
    /// `inv_…`.
    pub(super) id: String,
    /// For the wallet; the part behind `#` reaches no server.
    pub(super) uri: String,
    /// When it ends.
    pub(super) expires_at: String,
}

/// An enrolment. It names no person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Enrolment")]
pub(super) struct EnrolmentView {
    #[serde(skip)]
    pub(super) after: After,
    /// `enr_…`.
    id: String,
    /// `waiting`, `active`, `locked` or `revoked`.
    state: String,
    /// Four characters by which its person knows the device.
    device: String,
    /// `{level, anchor, device, flow}` of a sign-in by code.
    assurance: Value,
    /// Whether only an operator can end its wait.
    needs_operator: bool,
    /// Until when it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_until: Option<String>,
    /// When it last signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
    /// When it ends.
    expires_at: String,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// When it was made.
    created_at: String,
}

impl From<&Enrolment> for EnrolmentView {
    fn from(enrolment: &Enrolment) -> Self {
        let told = |ms: i64| at(ms).to_string();
        Self {
            after: After { at_ms: enrolment.created_at_ms, id: enrolment.id.clone() },
            id: enrolment.id.clone(),
            state: enrolment.state.as_str().to_owned(),
            device: enrolment.mark(),
            assurance: enrolment.assurance(Acr::SealCode).to_value(),
            needs_operator: enrolment.needs_operator,
            waits_until: enrolment.waits_until_ms.map(told),
            used_at: (enrolment.used_at_ms > 0).then(|| told(enrolment.used_at_ms)),
            expires_at: told(enrolment.expires_at_ms),
            revoked_at: enrolment.revoked_at_ms.map(told),
            created_at: told(enrolment.created_at_ms),
        }
    }
}

/// Why something ends.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasonForm {
    /// For enrolments `lost_device`, `compromised`, `expired_document` or `user_request`; for seals a word of 1 to 64 characters.
    pub(super) reason: String,
}

/// Which sign-ins are listed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SigninQuery {
    /// Rows of the page, 1 to 200; 50 where none is given.
    #[schemars(range(min = 1, max = 200))]
    pub(super) limit: Option<u32>,
    /// The `next` of the page before.
    pub(super) after: Option<String>,
    /// Only the one with this consent.
    pub(super) consent_hash: Option<String>,
}

/// How a sign-in ended.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Signin")]
pub(super) struct SigninView {
    #[serde(skip)]
    pub(super) after: After,
    /// `sig_…`.
    id: String,
    /// `rp_…`.
    relying_party: String,
    /// `approved`, `denied`, `failed` or `expired`.
    outcome: String,
    /// Why; empty for an approval.
    reason: String,
    /// The class that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    /// Stands in the ID Token and in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    consent_hash: Option<String>,
    /// When it ended.
    ended_at: String,
}

impl From<HistoryRow> for SigninView {
    fn from(row: HistoryRow) -> Self {
        Self {
            after: After { at_ms: row.created_at_ms, id: row.id.clone() },
            id: row.id,
            relying_party: row.client_id,
            outcome: row.outcome,
            reason: row.reason,
            acr: row.acr,
            consent_hash: row.consent_hash,
            ended_at: at(row.created_at_ms).to_string(),
        }
    }
}

/// A document seal to be issued.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SealForm {
    /// `organisation`: services get theirs as relying parties.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// What it says.
    pub(super) claims: SealClaims,
    /// RFC 7638 thumbprint of the DeviceKey that it is bound to, base64url.
    #[serde(default)]
    pub(super) device_key: Option<String>,
}

/// What an organisation's seal says of a person.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SealClaims {
    /// Given names.
    pub(super) given_name: String,
    /// Family name.
    pub(super) family_name: String,
    /// `YYYY-MM-DD`.
    pub(super) birth_date: String,
    /// Number of the document.
    pub(super) number: String,
    /// Last day, `YYYY-MM-DD`.
    pub(super) expiry: String,
    /// Three letters (ICAO 9303-3).
    #[serde(default)]
    pub(super) nationality: Option<String>,
    /// The organisation.
    #[serde(default)]
    pub(super) organisation: Option<String>,
    /// What the person is there.
    #[serde(default)]
    pub(super) role: Option<String>,
    /// JPEG or WebP of at most 1,200 bytes, base64url.
    #[serde(default)]
    pub(super) face: Option<String>,
}

impl SealForm {
    pub(super) fn accept(self) -> Result<NewSeal, Problem> {
        let fault = |pointer: &str, rule: &str| Problem::of(&pages::INVALID).at(pointer, rule);
        if self.kind != "organisation" {
            return Err(fault("/type", "is organisation"));
        }
        let day = |pointer: &str, text: &str| {
            text.parse::<Date>().map_err(|_| fault(pointer, "is a day, YYYY-MM-DD"))
        };
        let bytes = |pointer: &str, text: &str| {
            base64::url_decode(text).map_err(|_| fault(pointer, "is base64url without padding"))
        };
        let claims = self.claims;
        let device_key = match &self.device_key {
            Some(text) => {
                let hash = bytes("/device_key", text)?;
                Some(hash.try_into().map_err(|_| fault("/device_key", "has 32 bytes"))?)
            }
            None => None,
        };
        Ok(NewSeal {
            birth_date: day("/claims/birth_date", &claims.birth_date)?,
            expires_on: day("/claims/expiry", &claims.expiry)?,
            face: match &claims.face {
                Some(text) => Some(Secret::new(bytes("/claims/face", text)?)),
                None => None,
            },
            given_name: claims.given_name,
            family_name: claims.family_name,
            number: claims.number,
            nationality: claims.nationality,
            organisation: claims.organisation,
            role: claims.role,
            device_key,
        })
    }
}

/// A document seal that was issued. Its bytes are shown this once.
#[derive(Serialize, JsonSchema)]
pub(super) struct IssuedSeal {
    /// `dsl_…`.
    id: String,
    /// The bytes, base64url: what a barcode bears.
    seal: String,
    /// When it ends.
    expires_at: String,
}

impl From<Issued> for IssuedSeal {
    fn from(issued: Issued) -> Self {
        Self {
            id: issued.id,
            seal: base64::url_encode(&issued.seal),
            expires_at: issued.expires_at.to_string(),
        }
    }
}

/// What is kept of a document seal: nothing that it says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DocumentSeal")]
pub(super) struct SealView {
    #[serde(skip)]
    pub(super) after: After,
    /// `dsl_…`.
    id: String,
    /// `organisation` or `service`.
    #[serde(rename = "type")]
    kind: String,
    /// SHA-256 of its bytes, hexadecimal.
    sha256: String,
    /// Its place in the tenant's status lists.
    status: StatusView,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it ends.
    expires_at: String,
    /// When it was issued.
    created_at: String,
}

/// A place in a status list.
#[derive(Serialize, JsonSchema)]
pub(super) struct StatusView {
    /// The list's number.
    list: i64,
    /// The entry.
    idx: i64,
}

impl From<SealRow> for SealView {
    fn from(row: SealRow) -> Self {
        Self {
            after: After { at_ms: row.created_at_ms, id: row.id.clone() },
            id: row.id,
            kind: row.kind,
            sha256: crypto::hex::encode(&row.sha256),
            status: StatusView { list: row.list, idx: row.idx },
            revoked_at: row.revoked_at_ms.map(|ms| at(ms).to_string()),
            reason: row.reason,
            expires_at: at(row.expires_at_ms).to_string(),
            created_at: at(row.created_at_ms).to_string(),
        }
    }
}

/// A seal to be looked at.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InspectForm {
    /// The bytes, base64url.
    pub(super) seal: String,
}

/// What was found.
#[derive(Serialize, JsonSchema)]
pub(super) struct Inspection {
    /// Whether every check holds.
    pub(super) ok: bool,
    /// In the order in which they are made; the first that fails ends them.
    pub(super) checks: Vec<CheckView>,
}

/// One check.
#[derive(Serialize, JsonSchema)]
pub(super) struct CheckView {
    /// `form`, `trust`, `signature`, `content`, `status` or `dates`.
    pub(super) check: &'static str,
    /// Whether it holds.
    pub(super) ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
}

/// Reads a word of a reason.
pub(super) fn word(reason: String) -> Result<String, Problem> {
    let fits = (1..=64).contains(&reason.len())
        && reason.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if fits {
        Ok(reason)
    } else {
        Err(Problem::of(&pages::INVALID).at("/reason", "is a word of 1 to 64 characters"))
    }
}
