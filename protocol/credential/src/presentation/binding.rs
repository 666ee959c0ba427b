//! VP-020 to VP-027: the holder shows this credential to us, now.

use crypto::base64;
use crypto::hash;
use crypto::jose::jws::JwsError;
use crypto::jwk::Jwk;
use jiff::{SignedDuration, Timestamp};

use super::{Expected, Lines};
use crate::check::{Check, Detail};
use crate::sd_jwt::{CLOCK_SKEW_S, ClaimFault, KEY_BINDING_TYP, KeyBinding, KeyBindingError, Parts};

/// What the credential says of its holder's key.
#[derive(Clone, Copy)]
pub(super) enum Holder<'a> {
    /// The credential could not be read.
    Unknown,
    /// Its `cnf`.
    Stated(&'a Result<Option<Jwk>, ClaimFault>),
}

const ALL: &[Check] = &[
    Check::KeyBinding,
    Check::KeyBindingTyp,
    Check::KeyBindingKey,
    Check::Audience,
    Check::Nonce,
    Check::KeyBindingTime,
    Check::SdHash,
    Check::TransactionData,
];

/// What a key binding came to.
#[derive(Default)]
pub(super) struct Bound {
    /// Whether one was there; whether it holds is told by the report.
    pub(super) is_there: bool,
    /// Digests of the transaction data that it binds.
    pub(super) transactions: Vec<[u8; 32]>,
}

/// Makes the checks. `haip`: whoever can prove a key must (HAIP 1.0, 5).
pub(super) fn check(
    lines: &mut Lines,
    parts: &Parts<'_>,
    expected: &Expected<'_>,
    holder: Holder<'_>,
    haip: bool,
    now: Timestamp,
) -> Bound {
    // Whether a binding is wanted is our decision, never the sender's (RFC 9901, 7.3 step 1).
    let Some(text) = parts.key_binding else {
        let is_bound = !matches!(holder, Holder::Stated(Ok(None)));
        let authorises = expected.transactions.iter().any(|transaction| transaction.required);
        let wanted = expected.query.require_holder_binding || (haip && is_bound) || authorises;
        if wanted {
            lines.fail(Check::KeyBinding, "key-binding/missing", Detail::none());
        }
        lines.skip_missing(ALL, if wanted { "no-key-binding" } else { "not-asked" });
        return Bound::default();
    };
    let mut bound = Bound { is_there: true, transactions: Vec::new() };
    match KeyBinding::parse(text) {
        Ok(binding) => {
            lines.pass(Check::KeyBinding, Detail::none());
            check_parsed(lines, &binding, parts.bound, expected, holder, now);
            bound.transactions = check_transactions(lines, &binding, expected);
        }
        Err(KeyBindingError::Jws(JwsError::UnsupportedAlg)) => {
            lines.pass(Check::KeyBinding, Detail::none());
            lines.fail(Check::KeyBindingTyp, "key-binding/unsupported-alg", Detail::none());
        }
        Err(_) => lines.fail(Check::KeyBinding, "key-binding/malformed", Detail::none()),
    }
    lines.skip_missing(ALL, "not-reached");
    bound
}

fn check_parsed(
    lines: &mut Lines,
    binding: &KeyBinding,
    bound: &str,
    expected: &Expected<'_>,
    holder: Holder<'_>,
    now: Timestamp,
) {
    let typ = || Detail::none().word("expected", KEY_BINDING_TYP);
    lines.judge(Check::KeyBindingTyp, binding.has_typ(), "key-binding/wrong-typ", typ);
    match holder {
        Holder::Unknown => lines.skip(Check::KeyBindingKey, "credential-unreadable"),
        Holder::Stated(Ok(Some(key))) => {
            let alg = || Detail::none().word("alg", binding.alg().jws_name());
            lines.judge(Check::KeyBindingKey, binding.is_signed_by(key), "key-binding/bad-signature", alg);
        }
        Holder::Stated(Ok(None)) => {
            lines.fail(Check::KeyBindingKey, "key-binding/no-key", Detail::none().reason("no-cnf"));
        }
        Holder::Stated(Err(_)) => {
            lines.fail(Check::KeyBindingKey, "key-binding/no-key", Detail::none().reason("cnf-unusable"));
        }
    }
    let audience = binding.text("aud") == Some(expected.audience);
    lines.judge(Check::Audience, audience, "key-binding/wrong-audience", Detail::none);
    let nonce =
        binding.text("nonce").is_some_and(|nonce| hash::equal(nonce.as_bytes(), expected.nonce.as_bytes()));
    lines.judge(Check::Nonce, nonce, "key-binding/wrong-nonce", Detail::none);
    check_time(lines, binding, expected.requested_at, now);
    let sd_hash = binding.text("sd_hash").and_then(|text| base64::url_decode(text).ok());
    let same = sd_hash.is_some_and(|claimed| hash::equal(&claimed, &hash::sha256(bound.as_bytes())));
    lines.judge(Check::SdHash, same, "key-binding/wrong-sd-hash", Detail::none);
}

/// VP-027 (OpenID4VP 1.0, 8.4 and B.3.3): what only this credential can authorise is bound by it, and nothing is that it was not
/// asked to authorise. Digests are compared over the strings as we sent them.
fn check_transactions(lines: &mut Lines, binding: &KeyBinding, expected: &Expected<'_>) -> Vec<[u8; 32]> {
    let bound = match binding.transactions() {
        Ok(None) if expected.transactions.is_empty() => {
            lines.skip(Check::TransactionData, "not-asked");
            return Vec::new();
        }
        Ok(bound) => bound.unwrap_or_default(),
        Err(_) => {
            let detail = Detail::none().reason("malformed");
            lines.fail(Check::TransactionData, "key-binding/transaction-data", detail);
            return Vec::new();
        }
    };
    let known = |hash: &[u8; 32]| expected.transactions.iter().any(|it| hash::equal(&it.sha256, hash));
    let missing =
        expected.transactions.iter().filter(|it| it.required && !bound.contains(&it.sha256)).count();
    let detail = |reason: &'static str| Detail::none().reason(reason);
    if !bound.iter().all(known) {
        lines.fail(Check::TransactionData, "key-binding/transaction-data", detail("not-asked"));
    } else if missing > 0 {
        let detail = detail("missing").number("missing", missing as u64);
        lines.fail(Check::TransactionData, "key-binding/transaction-data", detail);
    } else {
        lines.pass(Check::TransactionData, Detail::none().number("transactions", bound.len() as u64));
    }
    bound
}

/// Not before the request was made and not after now, give or take honest clocks; its own dates hold too.
fn check_time(lines: &mut Lines, binding: &KeyBinding, requested_at: Timestamp, now: Timestamp) {
    let skew = SignedDuration::from_secs(CLOCK_SKEW_S);
    let dates = binding.dates().ok();
    let issued_at = dates.and_then(|dates| dates.issued_at);
    let code = match (dates, issued_at) {
        (Some(_), Some(issued_at)) if requested_at.duration_since(issued_at) > skew => "key-binding/too-old",
        (Some(_), Some(issued_at)) if issued_at.duration_since(now) > skew => "key-binding/in-future",
        (Some(dates), Some(_)) if dates.check(now).is_ok() => {
            return lines.pass(Check::KeyBindingTime, Detail::none());
        }
        _ => "key-binding/dates-invalid",
    };
    let detail = Detail::none().time("requested_at", requested_at).time("now", now);
    let detail = issued_at.into_iter().fold(detail, |detail, at| detail.time("iat", at));
    lines.fail(Check::KeyBindingTime, code, detail);
}
