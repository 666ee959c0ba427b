//! The checks of a verification and the report they fill (`docs/checks/vp.md` is rendered from this file).
//!
//! ```text
//! Check (what, clause, codes) + Outcome + Detail ─▶ CheckResult ─collected─▶ Report ─to_value─▶ JSON for our API
//! ```
//! Invariant: a report names checks, our own query's paths, certificates, times and counts. [`Detail`] takes no free
//! text, so that no claim value, salt, nonce or token can get in.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::claims_path::ClaimsPath;
use crate::trust::CertificateFacts;

macro_rules! checks {
    ($($name:ident = $id:literal, $title:literal, $clause:literal, [$($code:literal),+], $test:expr;)+) => {
        /// One numbered check. The number is stable for ever; a check that goes out of use keeps its number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Check {
            $(#[doc = concat!($id, ": ", $title, " (", $clause, ")")] $name,)+
        }

        impl Check {
            /// Every check in the order of the report.
            pub const ALL: &[Check] = &[$(Check::$name,)+];

            /// `VP-017`.
            pub const fn id(self) -> &'static str {
                match self { $(Check::$name => $id,)+ }
            }

            /// What holds when the check passes, for people.
            pub const fn title(self) -> &'static str {
                match self { $(Check::$name => $title,)+ }
            }

            /// Where a standard asks for it.
            pub const fn clause(self) -> &'static str {
                match self { $(Check::$name => $clause,)+ }
            }

            /// The stable codes with which it can fail or warn; the first is the usual one.
            pub const fn codes(self) -> &'static [&'static str] {
                match self { $(Check::$name => &[$($code),+],)+ }
            }

            /// The test of this room that shows it failing; none where another room makes the check.
            pub const fn test(self) -> Option<&'static str> {
                match self { $(Check::$name => $test,)+ }
            }
        }
    };
}

checks! {
    Form = "VP-001", "the response is a form of bounded size", "OpenID4VP 1.0, 8.2 and 8.3.1",
        ["presentation/malformed", "presentation/too-large"], None;
    AnswerKind = "VP-002", "the response is one kind of answer", "OpenID4VP 1.0, 8.3.1 and 8.5",
        ["presentation/answer-kind"], None;
    JweHeader = "VP-003", "the JWE header is one that was offered", "OpenID4VP 1.0, 8.3; HAIP 1.0, 5",
        ["presentation/jwe-header"], None;
    Decrypts = "VP-004", "the response decrypts with this session's key", "OpenID4VP 1.0, 8.3",
        ["presentation/undecryptable"], None;
    StrictJson = "VP-005", "the response holds strict JSON", "RFC 8259, 4; OpenID4VP 1.0, 8.1",
        ["presentation/not-json"], None;
    State = "VP-006", "the state is the session's", "OpenID4VP 1.0, 5.3 and 8.2",
        ["session/wrong-state"], None;
    AnswerShape = "VP-007", "ids and counts fit the query", "OpenID4VP 1.0, 8.1",
        ["presentation/unexpected"], Some("a_presentation_that_was_not_asked_for_is_refused");

    Parses = "VP-010", "the credential parses", "RFC 9901, 4 and 7.1",
        ["credential/malformed"], Some("a_duplicate_member_in_the_payload_is_refused");
    Typ = "VP-011", "typ is dc+sd-jwt", "SD-JWT VC -19, 2.2.1",
        ["credential/wrong-typ"], Some("another_typ_is_refused");
    AlgFitsKey = "VP-012", "alg is a signature that fits the signer's key", "RFC 9901, 7.1 step 2; RFC 8725, 3.1",
        ["credential/alg-key-mismatch", "credential/unsupported-alg"],
        Some("the_algorithm_comes_from_the_key_and_never_from_the_header");
    X5c = "VP-013", "x5c holds one to five certificates", "RFC 7515, 4.1.6; SD-JWT VC -19, 2.5",
        ["credential/x5c-invalid"], Some("a_credential_without_certificates_is_refused");
    Path = "VP-014", "the certificates lead to an anchor", "RFC 5280, 6.1; SD-JWT VC -19, 2.5",
        ["trust/no-anchor", "trust/wrong-order", "trust/not-a-ca", "trust/path-too-long", "trust/expired",
         "trust/not-yet-valid", "trust/bad-signature", "trust/eku", "trust/name-mismatch"],
        Some("a_chain_to_no_anchor_is_refused_by_name");
    AnchorOutside = "VP-015", "the anchor is not inside x5c and the signer not self-signed", "HAIP 1.0, 6.1.1",
        ["trust/anchor-in-chain", "trust/self-signed-leaf"],
        Some("an_anchor_inside_x5c_fails_with_haip_and_warns_without");
    Context = "VP-016", "the anchor vouches for this type", "SD-JWT VC -19, 2.5; this project's trust rules",
        ["trust/wrong-context"], Some("an_anchor_of_another_type_does_not_vouch");
    Signature = "VP-017", "the issuer's signature verifies", "RFC 9901, 7.1 step 2",
        ["credential/bad-signature"], Some("a_payload_changed_after_signing_is_refused");
    Disclosures = "VP-018", "every disclosure belongs to the credential", "RFC 9901, 7.1 steps 3 to 5",
        ["credential/disclosure-invalid"],
        Some("a_disclosure_forged_doubled_unreferenced_or_of_a_reserved_name_is_refused");
    Dates = "VP-019", "the credential is in its dates", "RFC 9901, 7.1 step 6; RFC 7519, 4.1",
        ["credential/expired", "credential/not-yet-valid", "credential/dates-invalid"],
        Some("a_credential_outside_its_dates_is_refused");

    KeyBinding = "VP-020", "a key binding is there", "RFC 9901, 7.3 step 2",
        ["key-binding/missing", "key-binding/malformed"], Some("a_stripped_key_binding_is_refused");
    KeyBindingTyp = "VP-021", "typ is kb+jwt and alg a signature", "RFC 9901, 4.3 and 7.3 step 5",
        ["key-binding/wrong-typ", "key-binding/unsupported-alg"], Some("a_key_binding_of_another_typ_is_refused");
    KeyBindingKey = "VP-022", "the key binding is signed by the credential's cnf.jwk", "RFC 9901, 7.3 step 5",
        ["key-binding/bad-signature", "key-binding/no-key"],
        Some("a_key_binding_signed_by_a_key_in_its_own_header_is_refused");
    Audience = "VP-023", "aud is our full client identifier", "OpenID4VP 1.0, 14.2 and 14.10",
        ["key-binding/wrong-audience"], Some("a_key_binding_for_another_verifier_is_refused");
    Nonce = "VP-024", "nonce is this session's", "OpenID4VP 1.0, 14.2; RFC 9901, 7.3 step 5",
        ["key-binding/wrong-nonce"], Some("a_key_binding_of_another_session_is_refused");
    KeyBindingTime = "VP-025", "iat lies between the request and now", "RFC 9901, 7.3 step 5",
        ["key-binding/too-old", "key-binding/in-future", "key-binding/dates-invalid"],
        Some("a_key_binding_made_too_early_or_in_the_future_is_refused");
    SdHash = "VP-026", "sd_hash is that of what was presented", "RFC 9901, 4.3.1",
        ["key-binding/wrong-sd-hash"], Some("a_disclosure_taken_away_after_binding_is_refused");
    TransactionData = "VP-027", "the transaction data was bound", "OpenID4VP 1.0, 8.4 and B.3.3",
        ["key-binding/transaction-data"],
        Some("transaction_data_changed_dropped_or_hashed_into_another_credential_is_refused");

    DeviceResponse = "VP-030", "the DeviceResponse parses", "ISO/IEC 18013-5, 8.3", ["mdoc/malformed"],
        Some("a_response_of_another_shape_is_refused_with_its_reason");
    DocType = "VP-031", "docType is that of the security object", "ISO/IEC 18013-5, 9.3.1", ["mdoc/doctype"],
        Some("another_document_type_than_the_issuer_signed_is_refused");
    IssuerAuth = "VP-032", "issuerAuth verifies to an anchor", "ISO/IEC 18013-5, 9.3.1", ["mdoc/issuer-auth"],
        Some("a_document_signed_by_another_key_than_its_certificates_is_refused");
    Digests = "VP-033", "every element has its digest", "ISO/IEC 18013-5, 9.3.1", ["mdoc/digest"],
        Some("an_element_altered_after_signing_has_no_digest");
    ValidityInfo = "VP-034", "the document is in its dates", "ISO/IEC 18013-5, 9.3.1", ["mdoc/validity"],
        Some("a_document_out_of_its_dates_is_refused");
    DeviceSignature = "VP-035", "the device signed this session's transcript", "ISO/IEC 18013-5, 9.1.3; OpenID4VP 1.0, B.2.6",
        ["mdoc/device-signature"],
        Some("a_device_signature_over_another_request_is_refused");
    NoDeviceMac = "VP-036", "the device signed and did not send a MAC", "ISO/IEC 18013-5, 9.1.3.5", ["mdoc/device-mac"],
        Some("a_mac_is_refused_by_name");

    Type = "VP-040", "the credential is of a type that was asked for", "OpenID4VP 1.0, B.3.5; SD-JWT VC -19, 2.2.2",
        ["query/wrong-type"], Some("a_valid_credential_of_another_type_is_refused");
    Claims = "VP-041", "every claim that was asked for is there", "OpenID4VP 1.0, 6.4.1 and 8.6",
        ["query/claim-missing"], Some("a_missing_claim_is_refused_by_its_path");
    Values = "VP-042", "claims have the values that were asked for", "OpenID4VP 1.0, 6.3 and 8.6",
        ["query/wrong-value"], Some("a_wrong_value_is_refused");
    TrustedAuthorities = "VP-043", "the issuer is one of the authorities asked for", "OpenID4VP 1.0, 6.1.1",
        ["query/wrong-authority"], Some("an_authority_that_was_not_asked_for_is_refused");
    OverDisclosure = "VP-044", "nothing was disclosed that was not asked for", "OpenID4VP 1.0, 6.4",
        ["query/over-disclosed"], Some("claims_that_were_not_asked_for_are_dropped_with_a_warning");

    StatusList = "VP-050", "the status list is there and vouched for", "Token Status List -20, 8.3 steps 2 and 3",
        ["status/unreachable", "status/redirected", "status/list-invalid", "status/list-untrusted", "status/missing"],
        Some("a_status_list_under_an_issuer_anchor_of_someone_else_is_refused");
    StatusSubject = "VP-051", "the list's sub is the credential's uri", "Token Status List -20, 8.3 step 4",
        ["status/wrong-subject"], Some("a_list_of_another_uri_is_refused");
    StatusFresh = "VP-052", "the list is fresh", "Token Status List -20, 8.3 step 4",
        ["status/stale"], Some("a_stale_list_fails_and_within_the_grace_warns");
    StatusIndex = "VP-053", "the index lies inside the list", "Token Status List -20, 8.3 step 6",
        ["status/index-out-of-range"], Some("an_index_past_the_end_of_the_list_is_refused");
    StatusValue = "VP-054", "the status is valid", "Token Status List -20, 7.1 and 8.3 step 7",
        ["status/revoked", "status/suspended", "status/unknown-value"],
        Some("a_revoked_credential_is_refused_and_a_suspended_one_too");

    Required = "VP-060", "every required credential and set was presented", "OpenID4VP 1.0, 6.4.2 and 8.6",
        ["query/incomplete"], Some("one_of_two_required_credentials_is_not_enough");
    BrowserReturned = "VP-070", "the browser that began came back", "OpenID4VP 1.0, 13.3 and 14.3",
        ["session/not-returned"], None;
}

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not hold; the presentation is rejected.
    Fail,
    /// It does not hold, and policy lets that pass.
    Warn,
    /// It was not made: nothing asked for it, or what it looks at is not there.
    Skipped,
}

impl Outcome {
    /// `pass`, `fail`, `warn`, `skipped`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Skipped => "skipped",
        }
    }
}

/// Which presentation of an answer is meant: `d[0]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PresentationName {
    /// The `id` of the credential query, our own text.
    pub query: Arc<str>,
    /// The place in the answer's array for that id, from 0.
    pub index: usize,
}

impl fmt::Display for PresentationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.query, self.index)
    }
}

/// What a check saw, for the operator who must understand a refusal.
///
/// Built only from words of this program, numbers, times, certificates and paths of our own query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail(Vec<(&'static str, Fact)>);

/// Kept as it is and written out only when a report is shown, since most never are.
#[derive(Clone, Debug, PartialEq)]
enum Fact {
    Word(&'static str),
    Number(u64),
    Time(Timestamp),
    Paths(Vec<ClaimsPath>),
    Certificate(Box<CertificateFacts>),
    Chain(Arc<[CertificateFacts]>),
}

impl Detail {
    /// Nothing to add.
    pub fn none() -> Self {
        Self::default()
    }

    /// A closed word of this program under `key`.
    #[must_use]
    pub fn word(self, key: &'static str, word: &'static str) -> Self {
        self.with(key, Fact::Word(word))
    }

    /// The one word that says why: `reason`.
    #[must_use]
    pub fn reason(self, word: &'static str) -> Self {
        self.word("reason", word)
    }

    /// A count, size, bound or index.
    #[must_use]
    pub fn number(self, key: &'static str, number: u64) -> Self {
        self.with(key, Fact::Number(number))
    }

    /// A time, RFC 3339.
    #[must_use]
    pub fn time(self, key: &'static str, time: Timestamp) -> Self {
        self.with(key, Fact::Time(time))
    }

    /// Paths of our own query.
    #[must_use]
    pub fn paths<'a>(self, key: &'static str, paths: impl IntoIterator<Item = &'a ClaimsPath>) -> Self {
        self.with(key, Fact::Paths(paths.into_iter().cloned().collect()))
    }

    /// The certificate at fault.
    #[must_use]
    pub fn certificate(self, key: &'static str, certificate: &CertificateFacts) -> Self {
        self.with(key, Fact::Certificate(Box::new(certificate.clone())))
    }

    /// The certificates of `x5c`, signer first.
    #[must_use]
    pub fn chain(self, certificates: &Arc<[CertificateFacts]>) -> Self {
        self.with("chain", Fact::Chain(Arc::clone(certificates)))
    }

    /// One fact by its key, as it stands in the report.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, fact)| fact.to_value())
    }

    /// As it stands in the report.
    pub fn to_value(&self) -> Value {
        let facts = self.0.iter().map(|(key, fact)| ((*key).to_owned(), fact.to_value()));
        Value::Object(facts.collect())
    }

    fn with(mut self, key: &'static str, fact: Fact) -> Self {
        self.0.push((key, fact));
        self
    }
}

impl Fact {
    fn to_value(&self) -> Value {
        match self {
            Self::Word(word) => (*word).into(),
            Self::Number(number) => (*number).into(),
            Self::Time(time) => time.to_string().into(),
            Self::Paths(paths) => paths.iter().map(ClaimsPath::to_value).collect(),
            Self::Certificate(certificate) => certificate.to_value(),
            Self::Chain(chain) => chain.iter().map(CertificateFacts::to_value).collect(),
        }
    }
}

impl Serialize for Detail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, fact)| (*key, fact)))
    }
}

impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Word(word) => serializer.serialize_str(word),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Time(time) => serializer.collect_str(time),
            Self::Paths(paths) => serializer.collect_seq(paths.iter().map(ClaimsPath::to_value)),
            Self::Certificate(certificate) => certificate.to_value().serialize(serializer),
            Self::Chain(chain) => serializer.collect_seq(chain.iter().map(CertificateFacts::to_value)),
        }
    }
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckResult {
    /// Which check.
    pub check: Check,
    /// Of which presentation; none for checks of the whole answer.
    pub presentation: Option<PresentationName>,
    /// What became of it.
    pub outcome: Outcome,
    /// With `fail` and `warn`: one of [`Check::codes`].
    pub code: Option<&'static str>,
    /// What it saw.
    pub detail: Detail,
}

impl CheckResult {
    /// The check holds.
    pub fn pass(check: Check, detail: Detail) -> Self {
        Self { check, presentation: None, outcome: Outcome::Pass, code: None, detail }
    }

    /// The check does not hold, for the reason of `code`.
    pub fn fail(check: Check, code: &'static str, detail: Detail) -> Self {
        debug_assert!(check.codes().contains(&code), "{code} is not a code of {}", check.id());
        Self { check, presentation: None, outcome: Outcome::Fail, code: Some(code), detail }
    }

    /// The check does not hold and policy lets that pass.
    pub fn warn(check: Check, code: &'static str, detail: Detail) -> Self {
        Self { outcome: Outcome::Warn, ..Self::fail(check, code, detail) }
    }

    /// The check was not made; `reason` is a closed word.
    pub fn skipped(check: Check, reason: &'static str) -> Self {
        Self {
            check,
            presentation: None,
            outcome: Outcome::Skipped,
            code: None,
            detail: Detail::none().reason(reason),
        }
    }

    /// The same line, said of one presentation.
    #[must_use]
    pub fn of(mut self, presentation: &PresentationName) -> Self {
        self.presentation = Some(presentation.clone());
        self
    }

    fn to_value(&self) -> Value {
        let mut line = Map::new();
        line.insert("id".into(), self.check.id().into());
        if let Some(presentation) = &self.presentation {
            line.insert("credential".into(), presentation.to_string().into());
        }
        line.insert("outcome".into(), self.outcome.as_str().into());
        if let Some(code) = self.code {
            line.insert("code".into(), code.into());
        }
        line.insert("title".into(), self.check.title().into());
        line.insert("detail".into(), self.detail.to_value());
        Value::Object(line)
    }
}

/// As [`CheckResult::to_value`], without the value in between.
impl Serialize for CheckResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("id", self.check.id())?;
        if let Some(presentation) = &self.presentation {
            line.serialize_entry("credential", &presentation.to_string())?;
        }
        line.serialize_entry("outcome", self.outcome.as_str())?;
        if let Some(code) = self.code {
            line.serialize_entry("code", code)?;
        }
        line.serialize_entry("title", self.check.title())?;
        line.serialize_entry("detail", &self.detail)?;
        line.end()
    }
}

/// Every check that was made on an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    results: Vec<CheckResult>,
}

impl Report {
    /// Adds lines; a report is read in the order of the checks' numbers, presentation by presentation.
    pub fn extend(&mut self, results: impl IntoIterator<Item = CheckResult>) {
        self.results.extend(results);
    }

    /// The lines so far.
    pub fn results(&self) -> &[CheckResult] {
        &self.results
    }

    /// No check failed. An empty report has accepted nothing and is not accepted.
    pub fn is_accepted(&self) -> bool {
        !self.results.is_empty() && self.failure().is_none()
    }

    /// The first failure, which names the refusal.
    pub fn failure(&self) -> Option<&CheckResult> {
        self.results.iter().find(|result| result.outcome == Outcome::Fail)
    }

    /// `{"verdict":"accepted","checks":[…]}`, as our API shows it and the verifier keeps it.
    pub fn to_value(&self) -> Value {
        json!({
            "verdict": if self.is_accepted() { "accepted" } else { "rejected" },
            "checks": self.results.iter().map(CheckResult::to_value).collect::<Vec<_>>(),
        })
    }

    /// `{"check":"VP-054","code":"status/revoked","credential":"d[0]"}` of the first failure.
    pub fn failure_value(&self) -> Option<Value> {
        let failure = self.failure()?;
        let mut value = Map::new();
        value.insert("check".into(), failure.check.id().into());
        value.insert("code".into(), failure.code.into());
        if let Some(presentation) = &failure.presentation {
            value.insert("credential".into(), presentation.to_string().into());
        }
        Some(Value::Object(value))
    }
}

/// As [`Report::to_value`], without the value in between: a report has forty lines, and every presentation has one.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_map(Some(2))?;
        report.serialize_entry("verdict", if self.is_accepted() { "accepted" } else { "rejected" })?;
        report.serialize_entry("checks", &self.results)?;
        report.end()
    }
}

/// The rows of `docs/checks/vp.md`: one Markdown table row per check, with a head line. `elsewhere` names the tests of
/// the checks that other rooms make.
pub fn markdown_table(elsewhere: &[(Check, &str)]) -> String {
    let mut table = String::from("| id | check | clause | codes | test |\n|---|---|---|---|---|\n");
    for check in Check::ALL {
        let codes = check.codes().iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(" ");
        let theirs = elsewhere.iter().find(|(known, _)| known == check).map(|(_, test)| *test);
        let test = check.test().or(theirs).map_or_else(|| "–".to_owned(), |test| format!("`{test}`"));
        let (id, title, clause) = (check.id(), check.title(), check.clause());
        table.push_str(&format!("| {id} | {title} | {clause} | {codes} | {test} |\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests that a check may name stand in these files.
    const TESTS: &[&str] = &[
        include_str!("../tests/attacks.rs"),
        include_str!("../tests/mdoc.rs"),
        include_str!("dcql/answer.rs"),
    ];

    #[test]
    fn every_test_that_a_check_names_exists() {
        for check in Check::ALL {
            if let Some(test) = check.test() {
                let line = format!("fn {test}()");
                assert!(TESTS.iter().any(|source| source.contains(&line)), "{}: no test {test}", check.id());
            }
        }
    }

    #[test]
    fn ids_grow_and_codes_are_not_shared() {
        assert!(Check::ALL.is_sorted_by(|a, b| a.id() < b.id()));
        let mut codes: Vec<_> = Check::ALL.iter().flat_map(|check| check.codes()).collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn the_first_failure_names_the_refusal_and_warnings_do_not_reject() {
        let of = PresentationName { query: "d".into(), index: 0 };
        let mut report = Report::default();
        assert!(!report.is_accepted(), "nothing was checked");
        report.extend([
            CheckResult::pass(Check::Parses, Detail::none()).of(&of),
            CheckResult::warn(Check::AnchorOutside, "trust/anchor-in-chain", Detail::none()).of(&of),
        ]);
        assert!(report.is_accepted());
        report.extend([CheckResult::fail(Check::StatusValue, "status/revoked", Detail::none()).of(&of)]);
        assert_eq!(report.to_value()["verdict"], "rejected");
        assert_eq!(
            report.failure_value(),
            Some(json!({"check": "VP-054", "code": "status/revoked", "credential": "d[0]"}))
        );
        assert_eq!(report.to_value()["checks"][1]["outcome"], "warn");
        assert_eq!(serde_json::to_string(&report).unwrap(), report.to_value().to_string());
    }

    #[test]
    fn a_report_is_written_as_its_value_is() {
        let time: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let detail = Detail::none().reason("why \"so\"").number("count", u64::MAX).time("at", time);
        let path = ClaimsPath::parse(&json!(["degree", 0, null])).unwrap();
        let mut report = Report::default();
        assert_eq!(serde_json::to_string(&report).unwrap(), report.to_value().to_string());
        let of = PresentationName { query: "d".into(), index: 1 };
        report.extend([
            CheckResult::pass(Check::Parses, detail).of(&of),
            CheckResult::pass(Check::Claims, Detail::none().paths("paths", [&path])),
        ]);
        assert_eq!(serde_json::to_string(&report).unwrap(), report.to_value().to_string());
    }

    #[test]
    fn the_table_has_a_row_for_every_check() {
        let table = markdown_table(&[(Check::State, "another_state_is_refused")]);
        assert_eq!(table.lines().count(), Check::ALL.len() + 2);
        assert!(table.contains("| `session/wrong-state` | `another_state_is_refused` |"));
    }
}
