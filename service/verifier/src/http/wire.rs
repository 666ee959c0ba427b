//! What our own API takes and gives.

use crate::page;
use crate::request::{Asks, NewVerification, Prefix, Requested};
use crate::result::{Ended, Standing, time};
use crate::store::ListingRow;
use credential::presentation::StatusMode;
use edge::Problem;
use edge::problem::pages;
use jiff::Timestamp;
use openid::vp::{RequestUriMethod, ResponseMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tenancy::After;

/// A credential to be shown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerificationRequest {
    /// What is asked for, in DCQL (OpenID4VP 1.0, 6): credentials of format `dc+sd-jwt`; `trusted_authorities` of type `aki`.
    dcql_query: Option<Map<String, Value>>,
    /// Seconds until the request ends unanswered, at most 3600; 300 if absent.
    #[schemars(range(min = 1, max = 3600))]
    ttl_s: Option<u64>,
    /// Seconds that the claims are kept, at most 86400; 900 if absent.
    #[schemars(range(min = 1, max = 86400))]
    result_ttl_s: Option<u64>,
    /// Whether a credential's status is looked at: `if_present` if absent.
    status_policy: Option<StatusWord>,
    /// The scheme that opens the wallet; `openid4vp` if absent.
    wallet_scheme: Option<String>,
    /// Instead of `dcql_query`: the name of a stored query.
    query: Option<String>,
    /// `same_device` or `cross_device`; follows from `return_uri` if absent.
    flow: Option<Value>,
    /// Where the wallet sends the browser back with a `response_code`: an https address without fragment. Nobody sees the claims before
    /// that code is posted to `…/return`.
    return_uri: Option<String>,
    /// `x509_hash` if absent; `x509_san_dns`; in development `redirect_uri`, unsigned.
    client_id_prefix: Option<Value>,
    /// `direct_post.jwt` if absent, encrypted; `direct_post`, in the clear inside TLS.
    response_mode: Option<Value>,
    /// How the wallet fetches the request: `get` if absent; `post`, with a nonce of its own.
    request_uri_method: Option<Value>,
    /// What is to be authorised, at most 16: objects with a registered `type`, `credential_ids` of the query, and the members of that type.
    transaction_data: Option<Vec<Map<String, Value>>>,
    /// `redirect`, the only channel of this version.
    channel: Option<Value>,
    /// Not in this version: 422 unless empty.
    expected_origins: Option<Value>,
}

/// The code that a browser brought back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReturnRequest {
    /// `response_code` of the address that the browser came back to.
    #[schemars(length(max = 64))]
    pub(super) response_code: String,
}

/// Whether a credential's status is looked at.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StatusWord {
    /// If it names one.
    IfPresent,
    /// A credential without one is refused.
    Require,
    /// Never.
    Ignore,
}

impl VerificationRequest {
    /// What is asked for; members that the published API has and this version lacks are named, never ignored.
    pub(super) fn accept(self) -> Result<NewVerification, Problem> {
        let is = |value: &Option<Value>, fine: &Value| value.as_ref().is_none_or(|value| value == fine);
        let flow =
            word(self.flow.as_ref(), &[("same_device", Some(true)), ("cross_device", Some(false))], None);
        let prefixes = [
            ("x509_hash", Prefix::X509Hash),
            ("x509_san_dns", Prefix::X509SanDns),
            ("redirect_uri", Prefix::RedirectUri),
        ];
        let prefix = word(self.client_id_prefix.as_ref(), &prefixes, Prefix::X509Hash);
        let modes = ResponseMode::ALL.map(|mode| (mode.as_str(), mode));
        let mode = word(self.response_mode.as_ref(), &modes, ResponseMode::DirectPostJwt);
        let methods = [RequestUriMethod::Get, RequestUriMethod::Post].map(|it| (it.as_str(), it));
        let method = word(self.request_uri_method.as_ref(), &methods, RequestUriMethod::Get);
        let members = [
            ("/flow", flow.is_some()),
            ("/client_id_prefix", prefix.is_some()),
            ("/response_mode", mode.is_some()),
            ("/request_uri_method", method.is_some()),
            ("/channel", is(&self.channel, &json!("redirect"))),
            ("/expected_origins", is(&self.expected_origins, &json!([]))),
        ];
        not_offered(&members)?;
        Ok(NewVerification {
            query: asks(self.dcql_query, self.query)?,
            ttl_s: self.ttl_s,
            result_ttl_s: self.result_ttl_s,
            status_policy: self.status_policy.map(StatusMode::from),
            wallet_scheme: self.wallet_scheme,
            same_device: flow.flatten(),
            return_uri: self.return_uri,
            prefix: prefix.unwrap_or_default(),
            response_mode: mode.unwrap_or_default(),
            method: method.unwrap_or_default(),
            transaction_data: self.transaction_data.unwrap_or_default(),
        })
    }
}

/// A word of the published API; none for one that this version lacks.
fn word<T: Copy>(given: Option<&Value>, known: &[(&str, T)], absent: T) -> Option<T> {
    match given {
        None => Some(absent),
        Some(given) => known.iter().find(|(name, _)| given == name).map(|(_, word)| *word),
    }
}

/// Refuses the members that are not offered, all at once.
fn not_offered(members: &[(&str, bool)]) -> Result<(), Problem> {
    let missing: Vec<&str> =
        members.iter().filter(|(_, offered)| !offered).map(|(pointer, _)| *pointer).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let problem = Problem::of(&page::NOT_OFFERED);
    let named =
        missing.iter().fold(problem, |problem, pointer| problem.at(*pointer, "is not part of this version"));
    Err(named.detail(format!("{} is not part of this version", missing.join(", "))))
}

/// One of the two ways to say what is asked for.
fn asks(query: Option<Map<String, Value>>, name: Option<String>) -> Result<Asks, Problem> {
    match (query, name) {
        (Some(query), None) => Ok(Asks::Query(Value::Object(query))),
        (None, Some(name)) => Ok(Asks::Stored(name)),
        (None, None) => {
            let problem = Problem::of(&pages::INVALID).detail("/dcql_query is missing");
            Err(problem.at("/dcql_query", "is required, or query"))
        }
        (Some(_), Some(_)) => {
            let problem = Problem::of(&pages::INVALID).detail("dcql_query and query exclude each other");
            Err(problem.at("/query", "stands in place of dcql_query"))
        }
    }
}

impl From<StatusWord> for StatusMode {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::IfPresent => Self::IfPresent,
            StatusWord::Require => Self::Require,
            StatusWord::Ignore => Self::Ignore,
        }
    }
}

/// The query of one verification.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitQuery {
    /// Seconds to wait for the verification to end, at most 25; the answer comes as soon as it does.
    #[schemars(range(min = 0, max = 25))]
    pub(super) wait_s: Option<u32>,
}

/// Where a verification stands. Links come only while it waits, claims only once it is verified.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct VerificationAnswer {
    /// `ver_…`
    id: String,
    /// `created`, `awaiting_return`, `verified`, `rejected`, `declined` or `expired`.
    state: String,
    /// Who asks, with its prefix. Only in `created`.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// Where the wallet fetches the signed request. Only in `created`, and not where the link holds the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_uri: Option<String>,
    /// Opens a wallet. Only in `created`.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_request_uri: Option<String>,
    /// Our page for the device of the wallet, in place of a page of the relying party's own. Only in `created`, with `return_uri`.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    /// When it ends unanswered, or has; or until when the browser is awaited. Only in `created`, `awaiting_return` and `expired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// When it was accepted. Only in `verified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<String>,
    /// How the browser that began is known to be the one that showed: `none`, `relying_party` or `hosted`. Only in `verified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_binding: Option<String>,
    /// When the claims are erased. Only in `verified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    erase_at: Option<String>,
    /// When they were; then `credentials` is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<String>,
    /// What was shown, by id of the credential query. Only in `verified`, while it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<Value>,
    /// The first check that failed: `check`, `code`, `credential`. Only in `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Value>,
    /// The error that the wallet gave. Only in `declined`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// `verdict` and every check with its outcome. Only in `verified` and `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    report: Option<Box<RawValue>>,
}

impl From<Requested> for VerificationAnswer {
    fn from(open: Requested) -> Self {
        Self {
            id: open.id,
            state: "created".to_owned(),
            client_id: Some(open.client_id),
            request_uri: open.request_uri,
            page: open.page,
            authorization_request_uri: Some(open.authorization_request_uri),
            expires_at: Some(open.expires_at.to_string()),
            ..Self::default()
        }
    }
}

impl From<Standing> for VerificationAnswer {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Open(open) => open.into(),
            Standing::Awaiting { id, until } => Self {
                id,
                state: "awaiting_return".to_owned(),
                expires_at: Some(until.to_string()),
                ..Self::default()
            },
            Standing::Ended(ended) => Self::from(*ended),
        }
    }
}

impl From<Ended> for VerificationAnswer {
    fn from(ended: Ended) -> Self {
        let at = |state: &str, at: Timestamp| (ended.state == state).then(|| at.to_string());
        Self {
            verified_at: at("verified", ended.ended_at),
            expires_at: at("expired", ended.expires_at),
            session_binding: Some(ended.session_binding.clone()).filter(|_| ended.state == "verified"),
            erase_at: ended.erase_at.map(|at| at.to_string()),
            erased_at: ended.erased_at.map(|at| at.to_string()),
            credentials: ended.credentials,
            failure: ended.failure,
            error: ended.wallet_error,
            report: ended.report,
            id: ended.id,
            state: ended.state,
            ..Self::default()
        }
    }
}

/// One row of the verifications.
#[derive(Serialize, JsonSchema)]
pub(super) struct VerificationItem {
    #[serde(skip)]
    pub(super) after: After,
    /// `ver_…`
    id: String,
    /// `created`, `awaiting_return`, `verified`, `rejected`, `declined` or `expired`.
    state: String,
    /// When it was made.
    created_at: String,
    /// When it ends or would have ended unanswered.
    expires_at: String,
}

impl VerificationItem {
    pub(super) fn of(row: ListingRow, now: Timestamp) -> Self {
        let expires_at = time(row.expires_at_ms);
        let late = row.state == "created" && expires_at <= now;
        Self {
            after: After { at_ms: row.created_at_ms, id: row.id.clone() },
            id: row.id,
            state: if late { "expired".to_owned() } else { row.state },
            created_at: time(row.created_at_ms).to_string(),
            expires_at: expires_at.to_string(),
        }
    }
}
