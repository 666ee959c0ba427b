//! From bytes of a stranger to a value of ours: strict JSON first, then the shape, each fault with its pointer and its rule.
//!
//! No value of the input stands in a fault: a mistyped member may be a name or a secret.

use crate::problem::{PointerError, Problem, pages};
use crypto::json::{self, JsonError, JsonRule, Limits};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde_json::Value;
use serde_path_to_error::Segment;

/// Nesting of a body under `/api/v1` (L&O §8).
pub const JSON_DEPTH_MAX: usize = 32;

/// Characters of a rule in an answer: the longest list of known members of our own forms.
const RULE_CHARS_MAX: usize = 400;

/// Reads `bytes` as one JSON document of at most `bytes_max` bytes and of the shape `T`.
///
/// # Errors
/// `api/body-too-large`, `api/malformed`, `api/duplicate-member`, `api/too-deep` or `api/invalid`, with pointers.
pub fn read<T: DeserializeOwned>(bytes: &[u8], bytes_max: usize) -> Result<T, Problem> {
    let limits = Limits { bytes_max, depth_max: JSON_DEPTH_MAX };
    shape(json::parse(bytes, &limits).map_err(|fault| refused(&fault, bytes_max))?)
}

/// Gives a parsed value its shape.
///
/// # Errors
/// `api/invalid` with the pointer and the rule.
pub fn shape<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    let kept = value.clone();
    serde_path_to_error::deserialize(Strict(value)).map_err(|fault| {
        let at = pointer(fault.path());
        let found = fault_of(&at, &fault.inner().to_string(), &kept);
        Problem::of(&pages::INVALID)
            .detail(format!("{}: {}", place(&found.pointer), found.detail))
            .at(found.pointer, found.detail)
    })
}

/// A value whose objects are objects: serde would read a list as a structure too, member by member in the order of our source.
struct Strict(Value);

impl<'de> Deserializer<'de> for Strict {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Strict))),
            Value::Object(members) => visitor
                .visit_map(MapDeserializer::new(members.into_iter().map(|(name, it)| (name, Strict(it))))),
            scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                scalar.deserialize_any(visitor)
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Object(_) => self.deserialize_any(visitor),
            _ => Err(serde::de::Error::custom("expected an object")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        // The library's own marks, as that of a text to be kept as it was written, are the library's to read.
        if name.starts_with("$serde_json") {
            return self.0.deserialize_newtype_struct(name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, serde_json::Error> for Strict {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// What the fault of a form or query means, without its values. `at` is the place, `message` serde's.
#[must_use]
pub(crate) fn fault_of(at: &str, message: &str, whole: &Value) -> PointerError {
    if let Some(name) = quoted_after(message, "missing field ") {
        return PointerError::new(format!("{at}/{}", escape(name)), "is required");
    }
    if let Some(name) = quoted_after(message, "unknown field ") {
        let known = quoted_list(message.split_once("expected ").map_or("", |(_, list)| list));
        let parent = at.strip_suffix(&format!("/{}", escape(name))).unwrap_or(at);
        let rule = match nearest(name, &known) {
            Some(near) => format!("is not known; did you mean {near}?"),
            None => "is not known".to_owned(),
        };
        return PointerError::new(format!("{parent}/{}", escape(name)), rule);
    }
    if let Some(name) = quoted_after(message, "duplicate field ") {
        return PointerError::new(format!("{at}/{}", escape(name)), "came twice");
    }
    let rule = match message.split_once("expected ") {
        Some((_, expected)) => {
            let expected = expected.split(" at line ").next().unwrap_or(expected).replace('`', "");
            format!("must be {expected}")
        }
        None if shows_value(message, at, whole) => "is not accepted".to_owned(),
        None => message.to_owned(),
    };
    PointerError::new(at, rule.chars().take(RULE_CHARS_MAX).collect::<String>())
}

fn refused(fault: &JsonError, bytes_max: usize) -> Problem {
    match fault.rule {
        JsonRule::TooLong { .. } => too_large(bytes_max),
        JsonRule::TooDeep { .. } => Problem::of(&pages::TOO_DEEP).at(&fault.pointer, "is nested too deeply"),
        JsonRule::DuplicateMember => {
            Problem::of(&pages::DUPLICATE_MEMBER).at(&fault.pointer, "came twice in one object")
        }
        JsonRule::Syntax { .. } | JsonRule::TrailingBytes | JsonRule::ReservedMember => {
            Problem::of(&pages::MALFORMED).detail(fault.rule.to_string())
        }
    }
}

/// The refusal of a body beyond `bytes_max`.
#[must_use]
pub fn too_large(bytes_max: usize) -> Problem {
    Problem::of(&pages::BODY_TOO_LARGE).detail(format!("this door takes at most {bytes_max} bytes"))
}

fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "the body" } else { pointer }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("/{index}")),
            Segment::Map { key } => text.push_str(&format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}

/// RFC 6901, section 3.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn quoted_after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    let rest = message.strip_prefix(words)?.strip_prefix('`')?;
    // The name itself may hold a backquote: the last one before what serde adds ends it.
    let end = rest.find("`, expected ").or_else(|| rest.find("`, there are ")).or_else(|| rest.rfind('`'))?;
    Some(&rest[..end])
}

fn quoted_list(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The known name that is at most two edits away, the nearest first.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > 64 {
        return None;
    }
    known
        .iter()
        .map(|candidate| (edits(name, candidate), *candidate))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance of two short names.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Whether `message` repeats the value at `at`.
fn shows_value(message: &str, at: &str, whole: &Value) -> bool {
    match whole.pointer(at) {
        Some(Value::String(text)) => !text.is_empty() && message.contains(text.as_str()),
        Some(Value::Number(number)) => message.contains(&number.to_string()),
        Some(Value::Null | Value::Bool(_)) => false,
        Some(Value::Array(_) | Value::Object(_)) | None => message.contains('"'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only the shape is read")]
    struct Form {
        label: String,
        count: Option<u32>,
        inner: Option<Inner>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only the shape is read")]
    struct Inner {
        items: Vec<u8>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Small,
        VeryLarge,
    }

    fn refusal(text: &str) -> (&'static str, String, String) {
        let problem = read::<Form>(text.as_bytes(), 1_000).unwrap_err();
        let error = problem.errors.first().cloned().unwrap_or_else(|| PointerError::new("", ""));
        (problem.page.code, error.pointer, error.detail)
    }

    #[test]
    fn each_fault_has_its_code_its_place_and_its_rule() {
        let cases = [
            (r#"{"label":"x","cuont":1}"#, "api/invalid", "/cuont", "is not known; did you mean count?"),
            (r#"{"label":"x","zzzzzzz":1}"#, "api/invalid", "/zzzzzzz", "is not known"),
            (r"{}", "api/invalid", "/label", "is required"),
            (r#"{"label":"x","count":"canary"}"#, "api/invalid", "/count", "must be u32"),
            (r#"{"label":"x","count":-1}"#, "api/invalid", "/count", "must be u32"),
            (
                r#"{"label":"x","inner":{"items":[1,"canary"]}}"#,
                "api/invalid",
                "/inner/items/1",
                "must be u8",
            ),
            (r#"{"label":"x","inner":{}}"#, "api/invalid", "/inner/items", "is required"),
            (r#"{"label":"x","inner":{"a/b":1}}"#, "api/invalid", "/inner/a~1b", "is not known"),
            (r#"{"label":"x","kind":"canary"}"#, "api/invalid", "/kind", "must be small or very-large"),
            (r#"{"label":"x","label":"y"}"#, "api/duplicate-member", "/label", "came twice in one object"),
        ];
        for (body, code, pointer, rule) in cases {
            assert_eq!(refusal(body), (code, pointer.to_owned(), rule.to_owned()), "{body}");
        }
    }

    #[test]
    fn a_list_is_no_object_however_well_its_items_would_fit() {
        for (body, pointer) in [
            ("[]", ""),
            (r#"["x",1,null,null]"#, ""),
            (r#"{"label":"x","inner":[[1,2]]}"#, "/inner"),
            (r#"{"label":"x","inner":"y"}"#, "/inner"),
        ] {
            let found = refusal(body);
            assert_eq!(found, ("api/invalid", pointer.to_owned(), "must be an object".to_owned()), "{body}");
        }
        let form = r#"{"label":"x","count":7,"inner":{"items":[1]},"kind":"small"}"#;
        assert!(read::<Form>(form.as_bytes(), 1_000).is_ok());
    }

    #[test]
    fn no_value_of_the_body_stands_in_a_refusal() {
        for body in [
            r#"{"label":{"canary":1}}"#,
            r#"{"label":"x","count":"canary"}"#,
            r#"{"label":"x","kind":"canary"}"#,
            r#"{"label":"canary""#,
            r#"["canary"]"#,
            r#""canary""#,
        ] {
            let problem = read::<Form>(body.as_bytes(), 1_000).unwrap_err();
            assert!(!format!("{:?}", problem.document("http://x", "req")).contains("canary"), "{body}");
        }
    }

    #[test]
    fn what_is_no_json_is_malformed_and_what_is_too_large_or_deep_says_so() {
        for body in ["", "{", "nul", "{}x", "\u{feff}{}", "{\"a\":1,}"] {
            assert_eq!(
                read::<Form>(body.as_bytes(), 1_000).unwrap_err().page.code,
                "api/malformed",
                "{body}"
            );
        }
        let deep = "[".repeat(33) + &"]".repeat(33);
        assert_eq!(read::<Form>(deep.as_bytes(), 1_000).unwrap_err().page.code, "api/too-deep");
        assert_eq!(read::<Form>(&[b' '; 1_001], 1_000).unwrap_err().page.code, "api/body-too-large");
    }
}
