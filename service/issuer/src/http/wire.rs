//! What our own API takes and gives.

use crate::credential_type::Kind;
use crate::offer::{NewCredential, Offered};
use crate::revoke::{Reason, Status};
use crate::store::{CredentialRow, ListRow, OfferRow};
use crate::{Issuer, status_list};
use edge::Problem;
use jiff::Timestamp;
use openid::vci::tx_code::six_digits;
use openid::vci::{CredentialOffer, TxCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use tenancy::After;

/// The one grant of this version.
const PRE_AUTHORIZED: &str = "pre_authorized_code";

/// A credential to be issued.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IssueRequest {
    /// The credential type, as `diploma`; may be left out where `format` picks the tenant's only type.
    pub(super) credential_configuration_id: Option<String>,
    /// `dc+sd-jwt`; must agree with the type.
    pub(super) format: Option<String>,
    /// The dataset; must fit the type.
    pub(super) claims: Map<String, Value>,
    /// `pre_authorized_code`, the only grant of this version.
    pub(super) grant: Option<String>,
    /// Seconds until the offer ends, at most 3600; with a transaction code at most 604800.
    #[schemars(range(min = 1, max = 604_800))]
    pub(super) offer_ttl_s: Option<u64>,
    /// Seconds until the credential ends; the type's own if absent.
    #[schemars(range(min = 1))]
    pub(super) valid_for_s: Option<u64>,
    /// Whom it is about, in your words; never shown to the wallet.
    pub(super) subject_ref: Option<String>,
    /// Not in this version: 422.
    credential_configuration_ids: Option<Value>,
    /// A code that reaches the holder by another way and that the wallet must send: `true` for six digits, or its form.
    tx_code: Option<TxCodeWish>,
    /// Copies that one request gets at most; the batch size of the metadata if absent.
    #[schemars(range(min = 1))]
    copies_max: Option<u64>,
    /// Not in this version: 422 unless false.
    deferred: Option<Value>,
    /// Not in this version: 422 unless false.
    refreshable: Option<Value>,
}

impl IssueRequest {
    /// Members that the published API has and this version lacks: named, never ignored.
    pub(super) fn refuse_what_is_not_offered(&self) -> Result<(), Problem> {
        let is = |value: &Option<Value>, fine: Value| value.as_ref().is_none_or(|value| *value == fine);
        let asked = [
            ("/credential_configuration_ids", self.credential_configuration_ids.is_none()),
            ("/deferred", is(&self.deferred, Value::Bool(false))),
            ("/refreshable", is(&self.refreshable, Value::Bool(false))),
            ("/grant", self.grant.as_ref().is_none_or(|grant| grant == PRE_AUTHORIZED)),
        ];
        let lacking: Vec<&str> =
            asked.iter().filter(|(_, fine)| !fine).map(|(pointer, _)| *pointer).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let problem = Problem::of(&crate::page::NOT_OFFERED);
        Err(lacking.into_iter().fold(problem, |problem, at| problem.at(at, "is not part of this version")))
    }
}

/// Whether there is a transaction code, and of which form.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum TxCodeWish {
    /// Six digits, or none.
    Flag(bool),
    /// Another form.
    Form(TxCodeForm),
}

/// The form of a transaction code.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TxCodeForm {
    /// Characters, 6 to 16; 6 if absent.
    #[schemars(range(min = 6, max = 16))]
    length: Option<u32>,
    /// `numeric`, the default, or `text`.
    input_mode: Option<String>,
    /// What the wallet tells its holder, at most 300 characters.
    description: Option<String>,
}

impl From<TxCodeWish> for Option<TxCode> {
    fn from(wish: TxCodeWish) -> Self {
        match wish {
            TxCodeWish::Flag(wanted) => wanted.then(six_digits),
            TxCodeWish::Form(TxCodeForm { length, input_mode, description }) => {
                Some(TxCode { input_mode, length, description })
            }
        }
    }
}

impl From<IssueRequest> for NewCredential {
    fn from(request: IssueRequest) -> Self {
        Self {
            configuration: request.credential_configuration_id,
            format: request.format,
            claims: request.claims,
            offer_ttl_s: request.offer_ttl_s,
            valid_for_s: request.valid_for_s,
            subject_ref: request.subject_ref,
            tx_code: request.tx_code.and_then(Option::from),
            copies_max: request.copies_max,
        }
    }
}

/// An offer.
#[derive(Serialize, JsonSchema)]
pub(super) struct OfferAnswer {
    /// The credential, `crd_…`.
    id: String,
    /// The offer, `off_…`.
    offer_id: String,
    /// `offered`, `spent`, `cancelled`, `locked` or `expired`.
    status: String,
    /// `dc+sd-jwt`.
    format: String,
    /// When the offer ends.
    expires_at: String,
    /// Whether the wallet must send a transaction code.
    tx_code_required: bool,
    /// The transaction code, for whoever hands it to the holder; in the answer that makes the offer and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_code: Option<String>,
    /// Opens a wallet; a link that redeems the offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    offer_uri: Option<String>,
    /// Where the wallet fetches the offer object.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_offer_uri: Option<String>,
    /// The offer object (OpenID4VCI 1.0, 4.1.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_offer: Option<CredentialOffer>,
}

impl From<Offered> for OfferAnswer {
    fn from(offered: Offered) -> Self {
        let (offer_uri, credential_offer_uri, credential_offer) = match offered.links {
            Some(links) => (Some(links.offer_uri), Some(links.credential_offer_uri), Some(links.offer)),
            None => (None, None, None),
        };
        let status = if offered.state == "open" { "offered".to_owned() } else { offered.state };
        Self {
            id: offered.credential_id,
            offer_id: offered.offer_id,
            status,
            format: offered.format,
            expires_at: offered.expires_at.to_string(),
            tx_code_required: offered.tx_code_required,
            tx_code: offered.tx_code.map(|code| code.expose().clone()),
            offer_uri,
            credential_offer_uri,
            credential_offer,
        }
    }
}

/// One row of the offers.
#[derive(Serialize, JsonSchema)]
pub(super) struct OfferItem {
    #[serde(skip)]
    pub(super) after: After,
    /// `off_…`
    id: String,
    /// `crd_…`
    credential_id: String,
    /// `offered`, `spent`, `cancelled`, `locked` or `expired`.
    status: String,
    /// When it was made.
    created_at: String,
    /// When it ends.
    expires_at: String,
}

impl OfferItem {
    pub(super) fn of(row: OfferRow, now: Timestamp) -> Self {
        let status = match row.state.as_str() {
            "open" if row.expires_at_ms <= now.as_millisecond() => "expired".to_owned(),
            "open" => "offered".to_owned(),
            other => other.to_owned(),
        };
        Self {
            after: After { at_ms: row.created_at_ms, id: row.id.clone() },
            id: row.id,
            credential_id: row.credential_id,
            status,
            created_at: time(row.created_at_ms),
            expires_at: time(row.expires_at_ms),
        }
    }
}

/// A revocation.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeRequest {
    /// Why; `other` if absent.
    pub(super) reason: Option<Reason>,
    /// Not in this version: 422; all copies are revoked.
    copies: Option<Value>,
}

impl RevokeRequest {
    pub(super) fn refuse_what_is_not_offered(&self) -> Result<(), Problem> {
        match self.copies {
            None => Ok(()),
            Some(_) => {
                Err(Problem::of(&crate::page::NOT_OFFERED).at("/copies", "is not part of this version"))
            }
        }
    }
}

/// A credential's status.
#[derive(Serialize, JsonSchema)]
pub(super) struct StatusAnswer {
    /// `crd_…`
    id: String,
    /// `offered`, `valid`, `revoked` or `expired`.
    status: &'static str,
    /// Why it was revoked.
    reason: Option<String>,
    /// When that changed.
    changed_at: String,
    /// When every verifier that honours `ttl` has seen the last change.
    visible_by: Option<String>,
    /// When the credential ends.
    expires_at: Option<String>,
    /// Its copies.
    copies: Vec<CopyStatus>,
}

/// One copy's status.
#[derive(Serialize, JsonSchema)]
struct CopyStatus {
    /// From 1.
    copy: i64,
    /// The credential type.
    credential_configuration_id: String,
    /// `valid`, `revoked` or `expired`.
    status: String,
    /// When it ends.
    expires_at: String,
    /// Its place.
    status_list: StatusPlace,
}

/// A place in a status list.
#[derive(Serialize, JsonSchema)]
struct StatusPlace {
    /// The list.
    uri: String,
    /// The entry.
    idx: i64,
}

impl StatusAnswer {
    pub(super) fn of(issuer: &Issuer, tenant: &str, status: Status, now: Timestamp) -> Self {
        let copies = status.copies.into_iter().map(|copy| CopyStatus {
            copy: copy.copy,
            credential_configuration_id: copy.configuration,
            status: if copy.status == "valid" && copy.expires_at_ms <= now.as_millisecond() {
                "expired".into()
            } else {
                copy.status
            },
            expires_at: time(copy.expires_at_ms),
            status_list: StatusPlace { uri: issuer.config.list_uri(tenant, copy.list), idx: copy.idx },
        });
        Self {
            id: status.row.id.clone(),
            status: status.status,
            reason: status.row.reason.clone(),
            changed_at: time(status.row.changed_at_ms),
            visible_by: status.visible_by.map(|at| at.to_string()),
            expires_at: status.row.expires_at_ms.map(time),
            copies: copies.collect(),
        }
    }
}

/// One row of the credentials.
#[derive(Serialize, JsonSchema)]
pub(super) struct CredentialItem {
    #[serde(skip)]
    pub(super) after: After,
    /// `crd_…`
    id: String,
    /// The credential type.
    credential_configuration_id: String,
    /// `offered`, `valid`, `revoked` or `expired`.
    status: &'static str,
    /// When it was offered.
    created_at: String,
    /// When it ends.
    expires_at: Option<String>,
}

impl CredentialItem {
    pub(super) fn of(issuer: &Issuer, row: CredentialRow, now: Timestamp) -> Self {
        let judged = issuer.judge(row, Vec::new(), now);
        Self {
            after: After { at_ms: judged.row.created_at_ms, id: judged.row.id.clone() },
            status: judged.status,
            credential_configuration_id: judged.row.kind.clone(),
            created_at: time(judged.row.created_at_ms),
            expires_at: judged.row.expires_at_ms.map(time),
            id: judged.row.id,
        }
    }
}

/// A credential type.
#[derive(Serialize, JsonSchema)]
pub(super) struct TypeAnswer {
    #[serde(skip)]
    pub(super) after: After,
    /// Its name; also its configuration id.
    name: String,
    /// `dc+sd-jwt`.
    format: String,
    /// The type identifier in its credentials.
    vct: String,
    /// Seconds that its credentials live.
    valid_for_s: i64,
    /// From 1.
    version: i64,
    /// When it was made.
    created_at: String,
    /// Its claims: path, type, mandatory, sd.
    claims: Value,
}

impl From<Kind> for TypeAnswer {
    fn from(kind: Kind) -> Self {
        Self {
            after: After { at_ms: kind.created_at_ms, id: kind.name.clone() },
            vct: kind.rules.vct().to_owned(),
            name: kind.name,
            format: kind.format,
            valid_for_s: kind.valid_for_s,
            version: kind.version,
            created_at: time(kind.created_at_ms),
            claims: Arc::unwrap_or_clone(kind.claims),
        }
    }
}

/// One row of the status lists.
#[derive(Serialize, JsonSchema)]
pub(super) struct ListItem {
    #[serde(skip)]
    pub(super) after: After,
    /// Its number.
    list: i64,
    /// Where it is served.
    uri: String,
    /// Entries: the herd in which one credential hides.
    entries: i64,
    /// `open` or `full`.
    state: String,
    /// When it was last signed.
    signed_at: Option<String>,
}

impl ListItem {
    pub(super) fn of(issuer: &Issuer, tenant: &str, row: ListRow) -> Self {
        Self {
            after: After { at_ms: 0, id: row.list.to_string() },
            uri: issuer.config.list_uri(tenant, row.list),
            list: row.list,
            entries: row.entries,
            state: row.state,
            signed_at: status_list::signed_at(row.signed_at_ms).map(|at| at.to_string()),
        }
    }
}

/// Where all lists of an issuer are named (Token Status List, 9.2).
#[derive(Serialize, JsonSchema)]
pub(super) struct Aggregation {
    /// The lists' URIs.
    pub(super) status_lists: Vec<String>,
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MIN).to_string()
}
