//! What credentials of one type may hold: the rules an issuer sets once and every dataset must fit.
//!
//! ```text
//! [{"path":["degree","type"],"type":"string","mandatory":true,"sd":"always"}] ─parse─▶ CredentialType
//! dataset ─CredentialType::accept─▶ AcceptedClaims { claims, frame } ─sd_jwt::issue─▶ Draft
//!                                                   └─mdoc::Elements::of─▶ Elements ─mdoc::issue─▶ Draft
//! ```
//! Type Metadata (SD-JWT VC, section 5.6) and what is issued agree because both come from these rules. A dataset that
//! does not fit is answered with every fault at once, each with its place; a fault never repeats a value.

use serde_json::{Map, Value};

use crate::claims_path::{ClaimsPath, Step};
use crate::mdoc::{self, Encoding};
use crate::pointer::{Pointer, PointerError};
use crate::sd_jwt::{Frame, is_reserved, is_reserved_name};
use crate::type_metadata::TypeMetadata;

/// Rules in one type; an identity credential with every optional claim has about forty.
pub const RULES_MAX: usize = 128;
/// Levels of a dataset: the reader's bound of 16 less payload, disclosure and slack.
pub const CLAIMS_DEPTH_MAX: usize = 12;
/// Bytes of a `vct`: it stands in every credential and in every query.
pub const VCT_BYTES_MAX: usize = 1024;
/// Faults reported at once: enough to mend a form, not enough to fill an answer.
pub const FAULTS_MAX: usize = 32;

/// A type of credential: its name and the claims it may hold.
#[derive(Clone, Debug)]
pub struct CredentialType {
    vct: String,
    rules: Vec<ClaimRule>,
    tree: RuleTree,
    frame: Frame,
    metadata: Option<TypeMetadata>,
}

/// One claim that credentials of a type may hold.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimRule {
    /// Where it stands; names and `null` only.
    pub path: ClaimsPath,
    /// What kind of value it has.
    pub kind: ClaimKind,
    /// Whether every credential of the type must hold it.
    pub mandatory: bool,
    /// Whether the holder may keep it back.
    pub sd: SelectiveDisclosure,
    /// Names for people, as `display` of SD-JWT VC, section 5.6.2; kept as given.
    pub display: Option<Value>,
    /// The element that it is in an mdoc of the same dataset; none: it is not in there.
    pub mdoc: Option<MdocElement>,
}

/// Where a claim stands in an mdoc (`mdoc`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MdocElement {
    /// The namespace.
    pub namespace: String,
    /// The element's identifier in it.
    pub element: String,
    /// How its text is written.
    pub encoding: Encoding,
}

/// The kind of a claim's value (`type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClaimKind {
    /// Any JSON value but null.
    #[default]
    Any,
    /// Text.
    String,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A full date, `2026-11-20`.
    Date,
    /// An object.
    Object,
    /// An array.
    Array,
}

/// `sd` of SD-JWT VC, section 5.6.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelectiveDisclosure {
    /// Always a disclosure.
    Always,
    /// May be one: we make it one, as that tells a verifier less.
    #[default]
    Allowed,
    /// In plain sight of every verifier.
    Never,
}

/// A dataset that fits its type, and what of it becomes disclosures.
#[derive(Clone, Copy, Debug)]
pub struct AcceptedClaims<'a> {
    pub(crate) vct: &'a str,
    pub(crate) vct_integrity: Option<&'a str>,
    pub(crate) claims: &'a Map<String, Value>,
    pub(crate) frame: &'a Frame,
    pub(crate) rules: &'a [ClaimRule],
}

impl CredentialType {
    /// Reads the rules: `claims` is the array of rule objects. Pointers of faults start at `/vct` and `/claims`.
    ///
    /// # Errors
    /// Every fault with its place: a path twice, a reserved claim, an unknown member, a bound.
    pub fn parse(vct: &str, claims: &Value) -> Result<Self, Vec<PointerError>> {
        let mut faults = Vec::new();
        if vct.is_empty() || vct.len() > VCT_BYTES_MAX {
            faults.push(Pointer::Root.member("vct").error(format!("a vct has 1 to {VCT_BYTES_MAX} bytes")));
        }
        let at = Pointer::Root.member("claims");
        let Some(list) = claims.as_array().filter(|list| list.len() <= RULES_MAX) else {
            faults.push(at.error(format!("claims is an array of at most {RULES_MAX} rules")));
            return Err(faults);
        };
        let mut rules: Vec<ClaimRule> = Vec::with_capacity(list.len());
        for (nth, rule) in list.iter().enumerate() {
            match ClaimRule::parse(rule, &at.index(nth)) {
                Ok(rule) if rules.iter().any(|known| known.path == rule.path) => {
                    faults.push(at.index(nth).member("path").error("this path already has a rule"));
                }
                Ok(rule) => rules.push(rule),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(Self::of_rules(vct, rules)) } else { Err(faults) }
    }

    fn of_rules(vct: &str, rules: Vec<ClaimRule>) -> Self {
        let mut tree = RuleTree::default();
        let mut frame = Frame::default();
        for (nth, rule) in rules.iter().enumerate() {
            tree.insert(rule.path.steps(), nth);
            if rule.sd != SelectiveDisclosure::Never {
                frame.mark(&rule.path);
            }
        }
        Self { vct: vct.to_owned(), rules, tree, frame, metadata: None }
    }

    /// The type with its Type Metadata, whose digest stands in every credential from then on: for an issuer that serves the
    /// document at the `vct`. `about` is the part for people, see [`TypeMetadata::of`].
    ///
    /// # Errors
    /// As [`TypeMetadata::of`].
    pub fn described(mut self, about: &Value) -> Result<Self, PointerError> {
        self.metadata = Some(TypeMetadata::of(&self, about)?);
        Ok(self)
    }

    /// The document of a type that was [`Self::described`].
    pub fn metadata(&self) -> Option<&TypeMetadata> {
        self.metadata.as_ref()
    }

    /// The type's identifier, the `vct` of its credentials.
    pub fn vct(&self) -> &str {
        &self.vct
    }

    /// Its rules in the order given.
    pub fn rules(&self) -> &[ClaimRule] {
        &self.rules
    }

    /// Checks a dataset against the rules. Pointers of faults start at the dataset's root (`/degree/type`).
    ///
    /// # Errors
    /// At most [`FAULTS_MAX`] faults: a claim that the type has not, of another kind, missing, reserved, too deep.
    pub fn accept<'a>(
        &'a self,
        claims: &'a Map<String, Value>,
    ) -> Result<AcceptedClaims<'a>, Vec<PointerError>> {
        let mut walk = Walk { rules: &self.rules, faults: Vec::new() };
        for (name, value) in claims {
            let at = Pointer::Root.member(name);
            if is_reserved(name) {
                walk.fault(&at, "the issuer sets this claim itself");
            } else {
                walk.value(value, self.tree.names.get(name), &at, 1);
            }
        }
        for rule in self.rules.iter().filter(|rule| rule.mandatory && rule.path.select_in(claims).is_empty())
        {
            walk.faults.push(missing(&rule.path));
        }
        walk.faults.truncate(FAULTS_MAX);
        if walk.faults.is_empty() {
            Ok(AcceptedClaims {
                vct: &self.vct,
                vct_integrity: self.metadata.as_ref().map(TypeMetadata::integrity),
                claims,
                frame: &self.frame,
                rules: &self.rules,
            })
        } else {
            Err(walk.faults)
        }
    }
}

impl ClaimRule {
    fn parse(value: &Value, at: &Pointer<'_>) -> Result<Self, PointerError> {
        let members = value.as_object().ok_or_else(|| at.error("a rule is an object"))?;
        for name in members.keys() {
            if !["path", "type", "mandatory", "sd", "display", "mdoc"].contains(&name.as_str()) {
                let known = "a rule has path, type, mandatory, sd, display and mdoc only";
                return Err(at.member(name).error(known));
            }
        }
        let path = members.get("path").unwrap_or(&Value::Null);
        let path = ClaimsPath::parse(path).map_err(|fault| at.member("path").error(fault.to_string()))?;
        check_rule_path(&path).map_err(|detail| at.member("path").error(detail))?;
        let kind = word(members, "type", at, ClaimKind::parse)?.unwrap_or_default();
        let sd = word(members, "sd", at, SelectiveDisclosure::parse)?.unwrap_or_default();
        let mandatory = match members.get("mandatory") {
            None => false,
            Some(value) => value.as_bool().ok_or_else(|| at.member("mandatory").error("true or false"))?,
        };
        let mdoc = match members.get("mdoc") {
            None => None,
            Some(value) => Some(MdocElement::parse(value, &path, &at.member("mdoc"))?),
        };
        Ok(Self { path, kind, mandatory, sd, display: members.get("display").cloned(), mdoc })
    }
}

impl MdocElement {
    fn parse(value: &Value, path: &ClaimsPath, at: &Pointer<'_>) -> Result<Self, PointerError> {
        let members = value.as_object().ok_or_else(|| at.error("an element is an object"))?;
        for name in members.keys() {
            if !["namespace", "element", "encoding"].contains(&name.as_str()) {
                return Err(at.member(name).error("an element has namespace, element and encoding only"));
            }
        }
        if path.steps().iter().any(|step| !matches!(step, Step::Name(_))) {
            return Err(at.error("an element is one claim, not every element of an array"));
        }
        let name = |member: &str| {
            let text = members.get(member).and_then(Value::as_str);
            let text = text.filter(|text| (1..=mdoc::NAME_BYTES_MAX).contains(&text.len()));
            let expected = format!("text of 1 to {} bytes", mdoc::NAME_BYTES_MAX);
            text.map(str::to_owned).ok_or_else(|| at.member(member).error(expected))
        };
        let encoding = word(members, "encoding", at, Encoding::parse)?.unwrap_or_default();
        Ok(Self { namespace: name("namespace")?, element: name("element")?, encoding })
    }
}

impl ClaimKind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "any" => Self::Any,
            "string" => Self::String,
            "number" => Self::Number,
            "integer" => Self::Integer,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "object" => Self::Object,
            "array" => Self::Array,
            _ => return None,
        })
    }

    /// The word in a rule.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Object => "object",
            Self::Array => "array",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Any => !value.is_null(),
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Boolean => value.is_boolean(),
            Self::Date => value.as_str().is_some_and(is_full_date),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
        }
    }
}

impl SelectiveDisclosure {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "always" => Self::Always,
            "allowed" => Self::Allowed,
            "never" => Self::Never,
            _ => return None,
        })
    }

    /// The word in a rule and in Type Metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Allowed => "allowed",
            Self::Never => "never",
        }
    }
}

/// The rules by their paths, so that a dataset is walked once.
#[derive(Clone, Debug, Default)]
struct RuleTree {
    rule: Option<usize>,
    names: std::collections::BTreeMap<String, RuleTree>,
    elements: Option<Box<RuleTree>>,
}

impl RuleTree {
    fn insert(&mut self, steps: &[Step], rule: usize) {
        let Some((step, below)) = steps.split_first() else {
            self.rule = Some(rule);
            return;
        };
        match step {
            Step::Name(name) => self.names.entry(name.clone()).or_default().insert(below, rule),
            // check_rule_path lets no index through; it would mean the same as null here.
            Step::All | Step::Index(_) => self.elements.get_or_insert_default().insert(below, rule),
        }
    }

    /// A rule on a whole value, with none for its parts: whatever is inside belongs to it.
    fn is_whole(&self) -> bool {
        self.rule.is_some() && self.names.is_empty() && self.elements.is_none()
    }
}

struct Walk<'a> {
    rules: &'a [ClaimRule],
    faults: Vec<PointerError>,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, node: Option<&RuleTree>, at: &Pointer<'_>, depth: usize) {
        let Some(node) = node else { return self.fault(at, "the credential type has no such claim") };
        if self.faults.len() >= FAULTS_MAX {
            return;
        }
        if let Some(rule) = node.rule.map(|nth| &self.rules[nth])
            && !rule.kind.fits(value)
        {
            return self.fault(at, &format!("the credential type wants {} here", rule.kind.as_str()));
        }
        if node.is_whole() {
            return self.whole(value, at, depth);
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let at = at.member(name);
                    if is_reserved_name(name) {
                        self.fault(&at, "SD-JWT keeps this name for itself");
                    } else {
                        self.value(value, node.names.get(name), &at, depth + 1);
                    }
                }
            }
            Value::Array(elements) => {
                for (nth, value) in elements.iter().enumerate() {
                    self.value(value, node.elements.as_deref(), &at.index(nth), depth + 1);
                }
            }
            _ if node.rule.is_none() => self.fault(at, "the credential type wants an object or array here"),
            _ => {}
        }
    }

    /// A value under a rule that says nothing of its parts: only the names and the depth are ours to check.
    fn whole(&mut self, value: &Value, at: &Pointer<'_>, depth: usize) {
        if depth > CLAIMS_DEPTH_MAX {
            return self.fault(at, &format!("claims go at most {CLAIMS_DEPTH_MAX} levels deep"));
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if is_reserved_name(name) {
                        self.fault(&at.member(name), "SD-JWT keeps this name for itself");
                    } else {
                        self.whole(value, &at.member(name), depth + 1);
                    }
                }
            }
            Value::Array(elements) => {
                for (nth, value) in elements.iter().enumerate() {
                    self.whole(value, &at.index(nth), depth + 1);
                }
            }
            _ => {}
        }
    }

    fn fault(&mut self, at: &Pointer<'_>, detail: &str) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(at.error(detail));
        }
    }
}

fn check_rule_path(path: &ClaimsPath) -> Result<(), &'static str> {
    match path.steps().first() {
        Some(Step::Name(name)) if is_reserved(name) => return Err("the issuer sets this claim itself"),
        Some(Step::Name(_)) => {}
        _ => return Err("a path starts with the name of a claim"),
    }
    for step in path.steps() {
        match step {
            Step::Name(name) if is_reserved_name(name) => return Err("SD-JWT keeps this name for itself"),
            Step::Index(_) => return Err("a rule is for every element of an array: null, not an index"),
            _ => {}
        }
    }
    if path.steps().len() >= CLAIMS_DEPTH_MAX {
        Err("the path is deeper than a dataset may be")
    } else {
        Ok(())
    }
}

fn missing(path: &ClaimsPath) -> PointerError {
    fn at(steps: &[Step], parent: &Pointer<'_>) -> PointerError {
        match steps.split_first() {
            Some((Step::Name(name), below)) => at(below, &parent.member(name)),
            Some((Step::Index(_) | Step::All, below)) => at(below, &parent.member("-")),
            None => parent.error("the credential type makes this claim mandatory"),
        }
    }
    at(path.steps(), &Pointer::Root)
}

fn word<T>(
    members: &Map<String, Value>,
    name: &str,
    at: &Pointer<'_>,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, PointerError> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let known = match name {
        "sd" => "always, allowed or never",
        "encoding" => "plain, bytes or date-time",
        _ => "any, string, number, integer, boolean, date, object or array",
    };
    value.as_str().and_then(parse).map(Some).ok_or_else(|| at.member(name).error(known))
}

/// `2026-11-20` and nothing looser (RFC 3339 full-date).
fn is_full_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "json! values read best when handed over")]
mod tests {
    use serde_json::json;

    use super::*;

    fn diploma() -> CredentialType {
        let rules = json!([
            {"path": ["given_name"], "type": "string", "mandatory": true, "sd": "always"},
            {"path": ["birthdate"], "type": "date"},
            {"path": ["degree"], "type": "object", "sd": "never"},
            {"path": ["degree", "type"], "type": "string", "mandatory": true, "sd": "always"},
            {"path": ["grades", null, "mark"], "type": "integer"},
            {"path": ["extra"], "type": "any", "sd": "allowed"},
        ]);
        CredentialType::parse("https://issuer.example/diploma", &rules).unwrap()
    }

    fn faults(claims: Value) -> Vec<(String, String)> {
        let claims = claims.as_object().unwrap().clone();
        let faults = diploma().accept(&claims).map(|_| ()).unwrap_err();
        faults.into_iter().map(|fault| (fault.pointer, fault.detail)).collect()
    }

    #[test]
    fn a_dataset_that_fits_is_accepted() {
        let claims = json!({
            "given_name": "Ana", "birthdate": "1999-02-28", "degree": {"type": "BSc"},
            "grades": [{"mark": 1}, {"mark": 2}], "extra": {"anything": [1, {"deep": true}]},
        });
        assert!(diploma().accept(claims.as_object().unwrap()).is_ok());
    }

    #[test]
    fn every_claim_that_does_not_fit_is_named_by_its_place() {
        let pointers: Vec<_> = faults(json!({
            "given_name": 7, "birthdate": "1999-02-30", "degree": {"colour": "red"}, "grades": [{"mark": 1.5}],
            "nickname": "A", "exp": 1, "extra": {"_sd": []},
        }))
        .into_iter()
        .map(|(pointer, _)| pointer)
        .collect();
        assert_eq!(
            pointers,
            [
                "/given_name",
                "/birthdate",
                "/degree/colour",
                "/grades/0/mark",
                "/nickname",
                "/exp",
                "/extra/_sd",
                "/degree/type"
            ]
        );
    }

    #[test]
    fn a_fault_never_repeats_the_value() {
        let all = format!("{:?}", faults(json!({"given_name": ["canary-7"], "degree": {"type": 4711}})));
        assert!(!all.contains("canary-7") && !all.contains("4711"));
    }

    #[test]
    fn a_dataset_deeper_than_the_bound_is_refused() {
        let mut deep = json!(1);
        for _ in 0..20 {
            deep = json!([deep]);
        }
        let faults = faults(json!({"given_name": "A", "degree": {"type": "B"}, "extra": deep}));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].1.contains("levels deep"));
    }

    #[test]
    fn rules_that_contradict_the_format_are_refused_with_their_place() {
        let rules = json!([
            {"path": ["vct"]}, {"path": ["a", "_sd"]}, {"path": [null]}, {"path": ["a", 0]}, {"path": ["b"], "sd": "maybe"},
            {"path": ["c"], "type": "text"}, {"path": ["d"], "mandatory": "yes"}, {"path": ["e"], "colour": 1},
            {"path": ["f"]}, {"path": ["f"]}, 7, {"path": ["g"], "mdoc": {"namespace": "n"}},
            {"path": ["h", null], "mdoc": {"namespace": "n", "element": "e"}},
            {"path": ["i"], "mdoc": {"namespace": "n", "element": "e", "encoding": "hex"}},
        ]);
        let faults = CredentialType::parse("", &rules).unwrap_err();
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/vct",
                "/claims/0/path",
                "/claims/1/path",
                "/claims/2/path",
                "/claims/3/path",
                "/claims/4/sd",
                "/claims/5/type",
                "/claims/6/mandatory",
                "/claims/7/colour",
                "/claims/9/path",
                "/claims/10",
                "/claims/11/mdoc/element",
                "/claims/12/mdoc",
                "/claims/13/mdoc/encoding"
            ]
        );
    }
}
