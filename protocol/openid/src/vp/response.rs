//! The wallet's answer at the response address (OpenID4VP 1.0, 8.2, 8.3 and 8.5): opened here, judged by `credential`.

use super::error::WalletError;
use super::session::Input;
use crate::oauth::OauthError;
use crate::oauth::form::{Form, FormError};
use crate::wire;
use credential::check::{Check, CheckResult, Detail};
use crypto::jose::jwe::Jwe;
use crypto::json::Limits;
use crypto::key::Ecdh;
use crypto::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// Most bytes of a response body: several documents with portraits, encrypted and encoded.
pub const RESPONSE_BYTES_MAX: usize = 512 * 1024;

/// What an answer is opened and measured by; all of it from the stored session.
#[derive(Debug)]
pub struct ResponseRules<'a> {
    /// How the answer is sealed.
    pub seal: Seal<'a>,
    /// The session's `state`.
    pub state: &'a str,
    /// Some queried credential needs no holder binding, so nothing but `state` binds the answer to the session.
    pub state_required: bool,
}

/// How an answer is sealed, as the request asked.
#[derive(Debug, Clone, Copy)]
pub enum Seal<'a> {
    /// `direct_post.jwt`: encrypted.
    Jwe {
        /// The session's own key.
        key: &'a Ecdh,
        /// Its `kid`, as it stood in the request.
        kid: &'a str,
    },
    /// `direct_post`: in the clear.
    Open,
}

/// An opened answer: the checks that were made, and what to do next.
#[derive(Debug)]
pub struct Reading {
    /// VP-001 to VP-006, as far as they were reached.
    pub checks: Vec<CheckResult>,
    /// What the body turned out to be.
    pub reply: Reply,
}

/// What a response body turned out to be.
#[derive(Debug)]
pub enum Reply {
    /// Presentations, to be examined.
    Answer(Answer),
    /// An error of the wallet, with the right `state`.
    Declined(WalletError),
    /// Malformed or undecryptable: costs the session a try.
    Unreadable(Check),
    /// Well-formed and wrong.
    Failed(Check),
}

/// Presentations by the id of the credential query, not looked at yet. `Debug` shows ids only.
pub struct Answer {
    /// `vp_token`.
    pub vp_token: Map<String, Value>,
}

/// What the response door answers with 200 (OpenID4VP 1.0, 8.2).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Where the wallet sends the holder's browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
}

/// The one answer to every fault, so that a wallet does not learn which check failed.
#[must_use]
pub fn refused() -> OauthError {
    OauthError::invalid_request("the presentation was not accepted")
}

impl Reply {
    /// The session's input, unless there are presentations that must be examined first.
    #[must_use]
    pub fn input(&self) -> Option<Input> {
        match self {
            Reply::Answer(_) => None,
            Reply::Declined(error) => Some(Input::WalletError(*error)),
            Reply::Unreadable(check) => Some(Input::Unreadable(*check)),
            Reply::Failed(check) => Some(Input::Failed(*check)),
        }
    }
}

/// Opens a response body: form, kind, JWE, JSON, `state`.
#[must_use]
pub fn open(body: &[u8], rules: &ResponseRules<'_>) -> Reading {
    let mut checks = Vec::new();
    let reply = open_into(&mut checks, body, rules).unwrap_or_else(|reply| reply);
    Reading { checks, reply }
}

/// `Err` is an early end, `Ok` the full way.
fn open_into(checks: &mut Vec<CheckResult>, body: &[u8], rules: &ResponseRules<'_>) -> Result<Reply, Reply> {
    let form = Form::parse(body, RESPONSE_BYTES_MAX).map_err(|fault| {
        let code = match fault {
            FormError::TooLarge => "presentation/too-large",
            FormError::TooManyFields | FormError::Encoding | FormError::Duplicate => "presentation/malformed",
        };
        unreadable(checks, Check::Form, code)
    })?;
    pass(checks, Check::Form);
    let kinds = ["response", "error", "vp_token"].map(|name| form.get(name));
    match (kinds, rules.seal) {
        ([Some(response), None, None], Seal::Jwe { key, kid }) => {
            pass(checks, Check::AnswerKind);
            let plain = open_jwe(checks, response, key, kid)?;
            let Ok(Value::Object(mut members)) = wire::json(plain.expose(), RESPONSE_BYTES_MAX) else {
                return Err(unreadable(checks, Check::StrictJson, "presentation/not-json"));
            };
            let reply = match (members.remove("vp_token"), members.get("error")) {
                (Some(Value::Object(vp_token)), None) => Reply::Answer(Answer { vp_token }),
                (None, Some(Value::String(error))) => Reply::Declined(WalletError::parse(error)),
                _ => return Err(unreadable(checks, Check::StrictJson, "presentation/not-json")),
            };
            pass(checks, Check::StrictJson);
            check_state(checks, members.get("state"), rules, reply)
        }
        ([None, None, Some(vp_token)], Seal::Open) => {
            pass(checks, Check::AnswerKind);
            for check in [Check::JweHeader, Check::Decrypts] {
                checks.push(CheckResult::skipped(check, "not-encrypted"));
            }
            let Ok(Value::Object(vp_token)) = wire::json(vp_token.as_bytes(), RESPONSE_BYTES_MAX) else {
                return Err(unreadable(checks, Check::StrictJson, "presentation/not-json"));
            };
            pass(checks, Check::StrictJson);
            let state = form.get("state").map(Value::from);
            check_state(checks, state.as_ref(), rules, Reply::Answer(Answer { vp_token }))
        }
        ([None, Some(error), None], _) => {
            pass(checks, Check::AnswerKind);
            // A stranger may post a form; only whoever saw the request knows `state`.
            if !form.get("state").is_some_and(|state| same(state, rules.state)) {
                return Err(unreadable(checks, Check::State, "session/wrong-state"));
            }
            pass(checks, Check::State);
            Ok(Reply::Declined(WalletError::parse(error)))
        }
        // Two kinds at once, none, or the kind of another response mode than was asked for.
        _ => Err(unreadable(checks, Check::AnswerKind, "presentation/answer-kind")),
    }
}

fn open_jwe(
    checks: &mut Vec<CheckResult>,
    response: &str,
    key: &Ecdh,
    kid: &str,
) -> Result<Secret<Vec<u8>>, Reply> {
    let limits = Limits { bytes_max: RESPONSE_BYTES_MAX, depth_max: wire::DEPTH_MAX };
    let header_fault = |checks: &mut _| unreadable(checks, Check::JweHeader, "presentation/jwe-header");
    let jwe = Jwe::parse(response, &limits).map_err(|_| header_fault(checks))?;
    // RFC 7517, 4.5 lets a kid be any text: compared, never looked up.
    if jwe.kid() != Some(kid) {
        return Err(header_fault(checks));
    }
    pass(checks, Check::JweHeader);
    let plain =
        jwe.decrypt(key).map_err(|_| unreadable(checks, Check::Decrypts, "presentation/undecryptable"))?;
    pass(checks, Check::Decrypts);
    Ok(plain)
}

/// VP-006: a wrong `state` fails always, a missing one where nothing else binds the answer to the session.
fn check_state(
    checks: &mut Vec<CheckResult>,
    state: Option<&Value>,
    rules: &ResponseRules<'_>,
    reply: Reply,
) -> Result<Reply, Reply> {
    let right = match state {
        Some(Value::String(state)) => same(state, rules.state),
        Some(_) => false,
        None => !rules.state_required && matches!(reply, Reply::Answer(_)),
    };
    if !right {
        checks.push(CheckResult::fail(Check::State, "session/wrong-state", Detail::none()));
        return Err(Reply::Failed(Check::State));
    }
    pass(checks, Check::State);
    Ok(reply)
}

fn same(sent: &str, ours: &str) -> bool {
    crypto::hash::equal(sent.as_bytes(), ours.as_bytes())
}

fn pass(checks: &mut Vec<CheckResult>, check: Check) {
    checks.push(CheckResult::pass(check, Detail::none()));
}

fn unreadable(checks: &mut Vec<CheckResult>, check: Check, code: &'static str) -> Reply {
    checks.push(CheckResult::fail(check, code, Detail::none()));
    Reply::Unreadable(check)
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.vp_token.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::form::encode;
    use credential::check::Outcome;
    use crypto::jose::jwe::{Enc, encrypt_ecdh_es};
    use proptest::prelude::*;
    use serde_json::json;

    fn rules(key: &Ecdh) -> ResponseRules<'_> {
        ResponseRules { seal: Seal::Jwe { key, kid: "k" }, state: "s", state_required: false }
    }

    fn jwe(key: &Ecdh, kid: Option<&str>, plain: &str) -> String {
        encrypt_ecdh_es(&key.public(), kid, Enc::A128Gcm, None, None, plain.as_bytes()).unwrap()
    }

    fn open_fields(key: &Ecdh, fields: &[(&str, &str)]) -> Reading {
        open(encode(fields).as_bytes(), &rules(key))
    }

    fn open_plain(key: &Ecdh, plain: &str) -> Reading {
        open_fields(key, &[("response", &jwe(key, Some("k"), plain))])
    }

    /// The check an unreadable response failed, after the report was seen to end with it.
    fn unreadable(reading: &Reading) -> Check {
        let last = reading.checks.last().unwrap();
        assert_eq!(last.outcome, Outcome::Fail);
        let Reply::Unreadable(check) = reading.reply else { panic!("{:?}", reading.reply) };
        assert_eq!(last.check, check);
        check
    }

    #[test]
    fn a_good_answer_passes_the_first_six_checks() {
        let key = Ecdh::generate();
        for enc in Enc::ALL {
            let plain = json!({"vp_token": {"d": ["x"]}, "state": "s"}).to_string();
            let jwe =
                encrypt_ecdh_es(&key.public(), Some("k"), enc, Some(b"u"), Some(b"v"), plain.as_bytes())
                    .unwrap();
            let reading = open_fields(&key, &[("response", &jwe)]);
            let ids: Vec<&str> = reading.checks.iter().map(|line| line.check.id()).collect();
            assert_eq!(ids, ["VP-001", "VP-002", "VP-003", "VP-004", "VP-005", "VP-006"]);
            assert!(reading.checks.iter().all(|line| line.outcome == Outcome::Pass));
            let Reply::Answer(answer) = reading.reply else { panic!() };
            assert_eq!(Value::Object(answer.vp_token), json!({"d": ["x"]}));
        }
    }

    #[test]
    fn a_body_too_large_or_with_a_parameter_twice_is_malformed() {
        let key = Ecdh::generate();
        let large = vec![b'a'; RESPONSE_BYTES_MAX + 1];
        let reading = open(&large, &rules(&key));
        assert_eq!(unreadable(&reading), Check::Form);
        assert_eq!(reading.checks[0].code, Some("presentation/too-large"));
        let twice = open(b"response=a&response=b", &rules(&key));
        assert_eq!((unreadable(&twice), twice.checks[0].code), (Check::Form, Some("presentation/malformed")));
    }

    #[test]
    fn a_body_of_two_kinds_of_none_or_in_the_clear_is_refused() {
        let key = Ecdh::generate();
        let of = |fields: &[(&str, &str)]| unreadable(&open_fields(&key, fields));
        assert_eq!(of(&[]), Check::AnswerKind);
        assert_eq!(of(&[("response", "x"), ("error", "access_denied")]), Check::AnswerKind);
        assert_eq!(of(&[("vp_token", "{}"), ("state", "s")]), Check::AnswerKind);
    }

    #[test]
    fn a_jwe_to_another_sessions_key_or_with_its_kid_is_unreadable() {
        let (ours, theirs) = (Ecdh::generate(), Ecdh::generate());
        let plain = r#"{"vp_token":{},"state":"s"}"#;
        let of = |kid, key| unreadable(&open_fields(&ours, &[("response", &jwe(key, kid, plain))]));
        assert_eq!(of(Some("k"), &theirs), Check::Decrypts);
        assert_eq!(of(Some("other"), &ours), Check::JweHeader);
        assert_eq!(of(None, &ours), Check::JweHeader);
    }

    #[test]
    fn a_jwe_with_zip_crit_or_another_algorithm_is_unreadable() {
        let key = Ecdh::generate();
        let good = jwe(&key, Some("k"), "{}");
        let (header, rest) = good.split_once('.').unwrap();
        let header: Value = serde_json::from_slice(&crypto::base64::url_decode(header).unwrap()).unwrap();
        for (name, value) in [
            ("zip", json!("DEF")),
            ("crit", json!(["x"])),
            ("alg", json!("RSA-OAEP")),
            ("enc", json!("A128CBC-HS256")),
        ] {
            let mut changed = header.clone();
            changed[name] = value;
            let text = format!("{}.{rest}", crypto::base64::url_encode(changed.to_string().as_bytes()));
            assert_eq!(unreadable(&open_fields(&key, &[("response", &text)])), Check::JweHeader, "{name}");
        }
    }

    #[test]
    fn what_decrypts_to_anything_but_one_answer_in_strict_json_is_unreadable() {
        let key = Ecdh::generate();
        for plain in [
            "",
            "[]",
            r#"{"state":"s"}"#,
            r#"{"vp_token":"x","state":"s"}"#,
            r#"{"vp_token":{},"vp_token":{},"state":"s"}"#,
            r#"{"vp_token":{"d":["x"],"d":["y"]},"state":"s"}"#,
            r#"{"vp_token":{},"error":"access_denied","state":"s"}"#,
        ] {
            assert_eq!(unreadable(&open_plain(&key, plain)), Check::StrictJson, "{plain}");
        }
    }

    #[test]
    fn a_wrong_state_fails_always_and_a_missing_one_only_where_nothing_else_binds() {
        let key = Ecdh::generate();
        for plain in [
            r#"{"vp_token":{},"state":"t"}"#,
            r#"{"vp_token":{},"state":1}"#,
            r#"{"vp_token":{},"state":""}"#,
        ] {
            assert!(matches!(open_plain(&key, plain).reply, Reply::Failed(Check::State)), "{plain}");
        }
        let without = r#"{"vp_token":{}}"#;
        assert!(matches!(open_plain(&key, without).reply, Reply::Answer(_)));
        let body = encode(&[("response", &jwe(&key, Some("k"), without))]);
        let strict = ResponseRules { state_required: true, ..rules(&key) };
        assert!(matches!(open(body.as_bytes(), &strict).reply, Reply::Failed(Check::State)));
    }

    #[test]
    fn an_answer_in_the_clear_is_read_only_where_it_was_asked_for() {
        let key = Ecdh::generate();
        let rules = ResponseRules { seal: Seal::Open, state: "s", state_required: false };
        let of = |fields: &[(&str, &str)]| open(encode(fields).as_bytes(), &rules);
        let good = of(&[("vp_token", r#"{"d":["x"]}"#), ("state", "s")]);
        let Reply::Answer(answer) = &good.reply else { panic!("{:?}", good.reply) };
        assert_eq!(Value::Object(answer.vp_token.clone()), json!({"d": ["x"]}));
        let skipped: Vec<&str> = good
            .checks
            .iter()
            .filter(|line| line.outcome == Outcome::Skipped)
            .map(|line| line.check.id())
            .collect();
        assert_eq!(skipped, ["VP-003", "VP-004"]);
        assert!(matches!(of(&[("vp_token", "{}")]).reply, Reply::Answer(_)));
        assert!(matches!(of(&[("vp_token", "{}"), ("state", "t")]).reply, Reply::Failed(Check::State)));
        for text in ["", "[]", "x", r#"{"d":["x"],"d":["y"]}"#] {
            let reading = of(&[("vp_token", text), ("state", "s")]);
            assert!(
                matches!(reading.reply, Reply::Unreadable(Check::StrictJson | Check::AnswerKind)),
                "{text}"
            );
        }
        let sealed = jwe(&key, Some("k"), r#"{"vp_token":{},"state":"s"}"#);
        assert_eq!(unreadable(&of(&[("response", &sealed)])), Check::AnswerKind);
        let strict = ResponseRules { state_required: true, ..rules };
        let reading = open(encode(&[("vp_token", "{}")]).as_bytes(), &strict);
        assert!(matches!(reading.reply, Reply::Failed(Check::State)));
        let no = of(&[("error", "access_denied"), ("state", "s")]);
        assert!(matches!(no.reply, Reply::Declined(WalletError::AccessDenied)));
    }

    #[test]
    fn a_wallet_error_counts_only_with_the_right_state() {
        let key = Ecdh::generate();
        let plain = open_fields(&key, &[("error", "access_denied"), ("state", "s")]);
        assert!(matches!(plain.reply, Reply::Declined(WalletError::AccessDenied)));
        let sealed = open_plain(&key, r#"{"error":"vp_formats_not_supported","state":"s"}"#);
        assert!(matches!(sealed.reply, Reply::Declined(WalletError::VpFormatsNotSupported)));
        assert_eq!(
            unreadable(&open_fields(&key, &[("error", "access_denied"), ("state", "t")])),
            Check::State
        );
        assert_eq!(unreadable(&open_fields(&key, &[("error", "access_denied")])), Check::State);
        assert!(matches!(open_plain(&key, r#"{"error":"x"}"#).reply, Reply::Failed(Check::State)));
    }

    #[test]
    fn nothing_of_an_answer_is_in_debug_output_or_in_the_report() {
        let key = Ecdh::generate();
        let reading = open_plain(&key, r#"{"vp_token":{"d":["canary"]},"state":"canary"}"#);
        let shown = format!("{reading:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(
            body in proptest::collection::vec(any::<u8>(), 0..200),
            jwe in "[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,20}){4}",
        ) {
            let key = Ecdh::generate();
            let _ = open(&body, &rules(&key));
            let _ = open_fields(&key, &[("response", &jwe)]);
        }

        #[test]
        fn no_plaintext_makes_the_reader_panic(plain in r#"\{("(vp_token|state|error)":[\[\]{}":,a-z]{0,20},?){0,3}\}"#) {
            let key = Ecdh::generate();
            let _ = open_plain(&key, &plain);
        }
    }
}
