//! Transaction data: what a presentation authorises beside showing itself (OpenID4VP 1.0, 5.1 and 8.4).
//!
//! ```text
//! our own   {type, credential_ids, …} ─encode─▶ string, sent and hashed as it is
//! judged    string ─TransactionData::parse─▶ of_credential ─▶ (each key binding: VP-027) ─▶ check: each bound once
//! ```

use credential::check::{Check, CheckResult, Detail};
use credential::presentation::Transaction;
use crypto::{base64, hash, json};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Most transactions of one request; each is shown to a person and hashed into a key binding.
pub const TRANSACTIONS_MAX: usize = 16;

/// Most bytes of one encoded transaction: a page of text that a person is to read.
pub const TRANSACTION_BYTES_MAX: usize = 8 * 1024;

/// Levels of JSON in one.
const DEPTH_MAX: usize = 8;

/// One transaction, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionData {
    /// The string on the wire, base64url of JSON; the hash runs over it as it stands.
    pub encoded: String,
    /// Its type.
    pub kind: String,
    /// The credential queries, any one of which may authorise it.
    pub credential_ids: Vec<String>,
    /// Names of its other members.
    pub members: Vec<String>,
}

/// Why a string is no transaction data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransactionFault {
    /// Not base64url of a strict JSON object of bounded size.
    #[error("is not base64url of a JSON object of at most 8192 bytes")]
    Encoding,
    /// No `type` that is text.
    #[error("has no type")]
    Type,
    /// `credential_ids` is not a list of ids.
    #[error("has no credential_ids")]
    CredentialIds,
    /// Another hash than SHA-256 alone is offered.
    #[error("offers another hash than sha-256")]
    HashAlg,
}

impl TransactionData {
    /// Reads a string as it is sent.
    ///
    /// # Errors
    /// [`TransactionFault`].
    pub fn parse(encoded: &str) -> Result<TransactionData, TransactionFault> {
        if encoded.len() > TRANSACTION_BYTES_MAX {
            return Err(TransactionFault::Encoding);
        }
        let bytes = base64::url_decode(encoded).map_err(|_| TransactionFault::Encoding)?;
        let limits = json::Limits { bytes_max: TRANSACTION_BYTES_MAX, depth_max: DEPTH_MAX };
        let Ok(Value::Object(members)) = json::parse(&bytes, &limits) else {
            return Err(TransactionFault::Encoding);
        };
        Self::of(encoded.to_owned(), &members)
    }

    /// Encodes an object as it will be sent.
    ///
    /// # Errors
    /// [`TransactionFault`].
    pub fn encode(members: &Map<String, Value>) -> Result<TransactionData, TransactionFault> {
        let text = Value::Object(members.clone()).to_string();
        Self::parse(&base64::url_encode(text.as_bytes()))
    }

    fn of(encoded: String, members: &Map<String, Value>) -> Result<TransactionData, TransactionFault> {
        let kind = members.get("type").and_then(Value::as_str).filter(|kind| !kind.is_empty());
        let kind = kind.ok_or(TransactionFault::Type)?.to_owned();
        let ids = members.get("credential_ids").and_then(Value::as_array);
        let ids = ids.filter(|ids| (1..=TRANSACTIONS_MAX).contains(&ids.len()));
        let ids = ids.and_then(|ids| ids.iter().map(|id| id.as_str().map(str::to_owned)).collect());
        let credential_ids: Vec<String> = ids.ok_or(TransactionFault::CredentialIds)?;
        let distinct: BTreeSet<&String> = credential_ids.iter().collect();
        if distinct.len() != credential_ids.len() {
            return Err(TransactionFault::CredentialIds);
        }
        // The one hash that is checked; an offer of others would let the wallet choose what is not read.
        let sha256 = Value::from(vec!["sha-256"]);
        if members.get("transaction_data_hashes_alg").is_some_and(|offered| *offered != sha256) {
            return Err(TransactionFault::HashAlg);
        }
        let own = ["type", "credential_ids", "transaction_data_hashes_alg"];
        let members = members.keys().filter(|name| !own.contains(&name.as_str())).cloned().collect();
        Ok(TransactionData { encoded, kind, credential_ids, members })
    }

    /// What a key binding says of it.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        hash::sha256(self.encoded.as_bytes())
    }
}

/// What the credential of this query may authorise.
#[must_use]
pub fn of_credential(transactions: &[TransactionData], id: &str) -> Vec<Transaction> {
    let named = transactions.iter().filter(|it| it.credential_ids.iter().any(|known| known == id));
    named.map(|it| Transaction { sha256: it.sha256(), required: it.credential_ids.len() == 1 }).collect()
}

/// VP-027 of the whole answer: each transaction is bound by the credential of exactly one query. A failure alone makes a line, as
/// each presentation has its own.
pub(super) fn check(transactions: &[TransactionData], bound: &[(&str, &[[u8; 32]])]) -> Option<CheckResult> {
    let authorised = |transaction: &&TransactionData| {
        let sha256 = transaction.sha256();
        let by = bound.iter().filter(|(_, hashes)| hashes.contains(&sha256)).map(|(id, _)| *id);
        by.collect::<BTreeSet<&str>>().len() == 1
    };
    let missing = transactions.iter().filter(|it| !authorised(it)).count();
    (missing > 0).then(|| {
        let detail = Detail::none().reason("not-bound-once").number("missing", missing as u64);
        CheckResult::fail(Check::TransactionData, "key-binding/transaction-data", detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn data(value: &Value) -> Result<TransactionData, TransactionFault> {
        TransactionData::encode(value.as_object().unwrap())
    }

    #[test]
    fn a_transaction_is_read_from_the_string_as_it_was_sent() {
        let made = data(&json!({"type": "payment", "credential_ids": ["d"], "amount": "10"})).unwrap();
        assert_eq!(TransactionData::parse(&made.encoded).as_ref(), Ok(&made));
        assert_eq!((made.kind.as_str(), &made.members[..]), ("payment", &["amount".to_owned()][..]));
        // The same object in another text is another transaction to a hash.
        let spaced = base64::url_encode(br#"{ "type":"payment","credential_ids":["d"],"amount":"10"}"#);
        assert_ne!(TransactionData::parse(&spaced).unwrap().sha256(), made.sha256());
        for (value, fault) in [
            (json!({"credential_ids": ["d"]}), TransactionFault::Type),
            (json!({"type": "p"}), TransactionFault::CredentialIds),
            (json!({"type": "p", "credential_ids": []}), TransactionFault::CredentialIds),
            (json!({"type": "p", "credential_ids": ["d", "d"]}), TransactionFault::CredentialIds),
            (
                json!({"type": "p", "credential_ids": ["d"], "transaction_data_hashes_alg": ["md5"]}),
                TransactionFault::HashAlg,
            ),
        ] {
            assert_eq!(data(&value), Err(fault), "{value}");
        }
        assert_eq!(TransactionData::parse("e30="), Err(TransactionFault::Encoding));
        assert_eq!(
            TransactionData::parse(&"A".repeat(TRANSACTION_BYTES_MAX + 1)),
            Err(TransactionFault::Encoding)
        );
    }

    #[test]
    fn each_transaction_is_bound_by_the_credential_of_exactly_one_query() {
        let one = data(&json!({"type": "p", "credential_ids": ["a", "b"]})).unwrap();
        let hash = [one.sha256()];
        let all = [one];
        assert!(check(&all, &[("a", &hash), ("b", &[])]).is_none());
        assert!(check(&all, &[("a", &hash), ("a", &hash)]).is_none(), "two copies of one query");
        assert!(check(&all, &[("a", &hash), ("b", &hash)]).is_some());
        assert!(check(&all, &[("a", &[]), ("b", &[])]).is_some());
        assert!(check(&all, &[]).is_some());
        assert!(check(&[], &[("a", &[])]).is_none());
        assert_eq!(of_credential(&all, "a"), [Transaction { sha256: hash[0], required: false }]);
        assert_eq!(of_credential(&all, "c"), []);
    }

    proptest! {
        #[test]
        fn no_string_makes_the_parser_panic(text in "[A-Za-z0-9_=-]{0,80}", json in ".{0,60}") {
            let _ = TransactionData::parse(&text);
            let _ = TransactionData::parse(&base64::url_encode(json.as_bytes()));
        }
    }
}
