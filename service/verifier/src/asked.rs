//! What was asked, brought within its bounds before anything is signed or stored.

use crate::Config;
use crate::request::{NewVerification, Prefix, RequestError};
use crate::transaction_type::TransactionType;
use credential::dcql::{self, Format, QUERY_BYTES_MAX, Query, Reader};
use credential::presentation::StatusMode;
use jiff::{SignedDuration, Timestamp};
use openid::vp::transaction::{TRANSACTIONS_MAX, TransactionData};
use openid::vp::{RequestUriMethod, ResponseMode, request};
use openid::wire;
use serde_json::{Map, Value};

/// Longest life of a request, seconds: whoever intercepts the link has that long.
pub const SESSION_TTL_S_MAX: u64 = 3_600;
/// Longest time that claims are kept, seconds: they are another's personal data, wanted for one purpose.
pub const RESULT_TTL_S_MAX: u64 = 86_400;
/// Characters of a scheme that opens a wallet.
pub const SCHEME_CHARS_MAX: usize = 64;

/// What a browser that comes back carries in its address.
pub(crate) const RESPONSE_CODE: &str = "response_code";
/// Schemes that open no wallet, and could do other things in a page that shows the link.
const WEB_SCHEMES: [&str; 9] =
    ["http", "https", "javascript", "data", "file", "blob", "vbscript", "about", "filesystem"];

/// What was asked, within its bounds.
pub(crate) struct Asked {
    pub(crate) query: String,
    pub(crate) dcql_query: Value,
    pub(crate) expires_at: Timestamp,
    pub(crate) result_ttl_s: i64,
    pub(crate) status_policy: StatusMode,
    pub(crate) scheme: String,
    pub(crate) prefix: Prefix,
    pub(crate) response_mode: ResponseMode,
    pub(crate) method: RequestUriMethod,
    /// With it, the browser that began must come back.
    pub(crate) return_uri: Option<String>,
    pub(crate) transactions: Vec<TransactionData>,
    pub(crate) verifier_info: Vec<Value>,
}

impl Asked {
    /// `query` is what `asked` names or holds; `types` are those that its transactions name.
    pub(crate) fn within_bounds(
        config: &Config,
        asked: NewVerification,
        query: &Value,
        types: &[TransactionType],
        now: Timestamp,
    ) -> Result<Self, RequestError> {
        let ttl_s = asked.ttl_s.unwrap_or(config.session_ttl_s);
        if !(1..=SESSION_TTL_S_MAX).contains(&ttl_s) {
            return Err(RequestError::bound("/ttl_s", "is 1 to 3600 seconds"));
        }
        let result_ttl_s = asked.result_ttl_s.unwrap_or(config.result_ttl_s);
        if !(1..=RESULT_TTL_S_MAX).contains(&result_ttl_s) {
            return Err(RequestError::bound("/result_ttl_s", "is 1 to 86400 seconds"));
        }
        let scheme = asked.wallet_scheme.unwrap_or_else(|| request::REQUEST_SCHEME.to_owned());
        if !opens_a_wallet(&scheme) {
            let rule = "is a private-use scheme in lower case, as openid4vp";
            return Err(RequestError::bound("/wallet_scheme", rule));
        }
        ways_allowed(config, asked.prefix, asked.response_mode, asked.method)?;
        let return_uri = return_uri(config, asked.same_device, asked.return_uri)?;
        let query = own_query(query)?;
        let transactions = transactions(&asked.transaction_data, &query, types)?;
        let dcql_query = query.to_value();
        Ok(Self {
            query: dcql_query.to_string(),
            dcql_query,
            expires_at: now + SignedDuration::from_secs(ttl_s.cast_signed()),
            result_ttl_s: result_ttl_s.cast_signed(),
            status_policy: asked.status_policy.unwrap_or(config.status_policy),
            scheme,
            prefix: asked.prefix,
            response_mode: asked.response_mode,
            method: asked.method,
            return_uri,
            transactions,
            verifier_info: verifier_info(config, &query),
        })
    }
}

/// A query of ours that this build serves whole.
pub(crate) fn own_query(value: &Value) -> Result<Query, RequestError> {
    if value.to_string().len() > QUERY_BYTES_MAX {
        return Err(RequestError::bound("/dcql_query", "has at most 32768 bytes"));
    }
    let query = Query::parse(value, Reader::Own).map_err(RequestError::Query)?;
    let missing = dcql::unsupported(&query);
    if missing.is_empty() { Ok(query) } else { Err(RequestError::NotOffered(missing)) }
}

/// What HAIP forbids, and what only a place for trying things may do.
fn ways_allowed(
    config: &Config,
    prefix: Prefix,
    mode: ResponseMode,
    method: RequestUriMethod,
) -> Result<(), RequestError> {
    if config.haip && prefix != Prefix::X509Hash {
        return Err(RequestError::HaipForbids("/client_id_prefix"));
    }
    if config.haip && mode != ResponseMode::DirectPostJwt {
        return Err(RequestError::HaipForbids("/response_mode"));
    }
    if prefix == Prefix::RedirectUri && !config.dev {
        return Err(RequestError::OnlyInDevelopment("/client_id_prefix"));
    }
    if prefix == Prefix::RedirectUri && method != RequestUriMethod::Get {
        let rule = "is get, as there is no signed object to fetch";
        return Err(RequestError::bound("/request_uri_method", rule));
    }
    Ok(())
}

/// Where the browser comes back; given means that it must.
fn return_uri(
    config: &Config,
    same_device: Option<bool>,
    uri: Option<String>,
) -> Result<Option<String>, RequestError> {
    let uri = match (same_device, uri) {
        (None | Some(false), None) => return Ok(None),
        (Some(true), None) => return Err(RequestError::ReturnUri("is required where flow is same_device")),
        (Some(false), Some(_)) => {
            return Err(RequestError::ReturnUri("belongs to the flow same_device alone"));
        }
        (None | Some(true), Some(uri)) => uri,
    };
    // `address` takes no user information and no fragment.
    let parsed = wire::address(&uri, config.reach())
        .map_err(|_| RequestError::ReturnUri("is an absolute https address without fragment"))?;
    if parsed.query_pairs().any(|(name, _)| name == RESPONSE_CODE) {
        return Err(RequestError::ReturnUri("must not hold a response_code of its own"));
    }
    Ok(Some(uri))
}

/// The way back with its code.
pub(crate) fn with_code(uri: &str, code: &str) -> String {
    let joint = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{joint}{RESPONSE_CODE}={code}")
}

/// Transaction data of types that the tenant registered, for credentials that can be bound to their keys.
fn transactions(
    data: &[Map<String, Value>],
    query: &Query,
    types: &[TransactionType],
) -> Result<Vec<TransactionData>, RequestError> {
    if data.len() > TRANSACTIONS_MAX {
        return Err(RequestError::bound("/transaction_data", "has at most 16 members"));
    }
    let mut all = Vec::with_capacity(data.len());
    for (nth, members) in data.iter().enumerate() {
        let at = |rest: &str| format!("/transaction_data/{nth}{rest}");
        let one = TransactionData::encode(members)
            .map_err(|fault| RequestError::Bound { pointer: at(""), rule: fault.to_string() })?;
        let kind = types.iter().find(|known| known.name == one.kind);
        let kind = kind.ok_or_else(|| RequestError::UnknownTransactionType(at("/type")))?;
        kind.accept(members, &at(""))?;
        let can_bind = |id: &String| {
            query.credential(id).is_some_and(|it| it.format == Format::SdJwtVc && it.require_holder_binding)
        };
        if let Some(place) = one.credential_ids.iter().position(|id| !can_bind(id)) {
            let rule = "names a credential of the query that is bound to its holder's key".to_owned();
            return Err(RequestError::Bound { pointer: at(&format!("/credential_ids/{place}")), rule });
        }
        all.push(one);
    }
    Ok(all)
}

/// What others attest of us, as far as it is about credentials of this query.
fn verifier_info(config: &Config, query: &Query) -> Vec<Value> {
    let fits = |info: &&Value| {
        let ids = info.get("credential_ids").and_then(Value::as_array);
        ids.is_none_or(|ids| {
            ids.iter().all(|id| id.as_str().is_some_and(|id| query.credential(id).is_some()))
        })
    };
    config.verifier_info.iter().filter(fits).cloned().collect()
}

/// RFC 3986, 3.1, in lower case, and none that a browser acts on by itself.
fn opens_a_wallet(scheme: &str) -> bool {
    let tail =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
    scheme.len() <= SCHEME_CHARS_MAX
        && scheme.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && scheme.bytes().all(tail)
        && !WEB_SCHEMES.contains(&scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_schemes_that_open_a_wallet_are_taken() {
        for scheme in ["openid4vp", "haip-vp", "eudi.openid4vp+1"] {
            assert!(opens_a_wallet(scheme), "{scheme}");
        }
        for scheme in
            ["", "https", "javascript", "data", "1a", "Openid4vp", "a:b", "a//", "a b", &"a".repeat(65)]
        {
            assert!(!opens_a_wallet(scheme), "{scheme}");
        }
    }

    #[test]
    fn the_code_is_one_more_member_of_the_way_back() {
        assert_eq!(with_code("https://rp.example/back", "c"), "https://rp.example/back?response_code=c");
        assert_eq!(with_code("https://rp.example/?a=b", "c"), "https://rp.example/?a=b&response_code=c");
    }
}
