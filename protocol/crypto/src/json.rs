//! Strict JSON (RFC 8259): the one reader for everything that comes from outside.
//!
//! ```text
//!   bytes ── length ── syntax, depth, duplicate members ── end of input ──▶ serde_json::Value
//! ```
//!
//! Refused beyond bad syntax: a member name twice in one object at any level (RFC 8725 and OpenID readers differ
//! on which one wins), a name reserved by the library below, nesting beyond the limit, anything after the value. Memory is bounded by the input.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The deepest nesting any caller may ask for; below the reader's own stop at 128, so that ours is the one met.
pub const DEPTH_MAX: usize = 64;
/// The longest pointer an error carries: member names come from outside.
const POINTER_BYTES_MAX: usize = 256;

/// How the names begin that `serde_json` gives a meaning of its own when it makes a value of a value.
const RESERVED_NAMES: &str = "$serde_json::private::";

/// What a reader allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of input.
    pub bytes_max: usize,
    /// Deepest nesting of objects and arrays (a scalar has depth 0); at most [`DEPTH_MAX`] counts.
    pub depth_max: usize,
}

/// Where the input breaks which rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule} at \"{pointer}\"")]
pub struct JsonError {
    /// JSON Pointer (RFC 6901) to the place, cut at 256 bytes; empty for the whole input.
    pub pointer: String,
    /// What is wrong there.
    pub rule: JsonRule,
}

/// A rule that input may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonRule {
    /// More bytes than the limit.
    #[error("more than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// Nested deeper than the limit.
    #[error("nested deeper than {max}")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// A member name stands twice in one object.
    #[error("a member stands twice")]
    DuplicateMember,
    /// A member name under which the JSON library keeps its own marks. Turned into a struct later, the text inside would be
    /// read anew, by a reader that takes a member twice.
    #[error("a member has a reserved name")]
    ReservedMember,
    /// Not JSON, or not UTF-8.
    #[error("not JSON, line {line} column {column}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// Something other than white space follows the value.
    #[error("more follows the value")]
    TrailingBytes,
}

/// Reads one JSON value that is the whole input.
///
/// # Errors
/// [`JsonError`] with the place and the rule.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, JsonError> {
    if bytes.len() > limits.bytes_max {
        return Err(JsonError { pointer: String::new(), rule: JsonRule::TooLong { max: limits.bytes_max } });
    }
    let fault = Fault::default();
    let depth_max = limits.depth_max.min(DEPTH_MAX);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    match (Node { fault: &fault, depth: 0, depth_max }).deserialize(&mut reader) {
        Ok(value) => reader
            .end()
            .map(|()| value)
            .map_err(|_| JsonError { pointer: String::new(), rule: JsonRule::TrailingBytes }),
        Err(error) => {
            let syntax = JsonRule::Syntax { line: error.line(), column: error.column() };
            Err(JsonError { pointer: fault.pointer(), rule: fault.rule.take().unwrap_or(syntax) })
        }
    }
}

/// Why a value has no canonical form here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// A fraction, or an integer that a double cannot hold exactly.
    #[error("a number that is no integer below 2^53")]
    Number,
    /// A member name outside ASCII: its order would depend on UTF-16.
    #[error("a member name outside ASCII")]
    Name,
}

/// The JSON Canonicalization Scheme (RFC 8785) over objects with ASCII names, arrays, texts, booleans, null and integers whose
/// absolute value is below 2^53; what two readers could write in two ways is refused instead.
///
/// # Errors
/// [`CanonicalError`].
pub fn canonical(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::new();
    write_canonical(value, &mut out)?;
    Ok(out)
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    const INTEGER_END: u64 = 1 << 53;
    match value {
        Value::Null | Value::Bool(_) => out.extend(value.to_string().bytes()),
        Value::Number(number) => {
            let size = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
            if size.is_none_or(|size| size >= INTEGER_END) {
                return Err(CanonicalError::Number);
            }
            out.extend(number.to_string().bytes());
        }
        // serde_json escapes as RFC 8785, 3.2.2.2 asks: the short forms, else \u00xx in lower case, and nothing beyond them.
        Value::String(text) => out.extend(Value::from(text.as_str()).to_string().bytes()),
        Value::Array(items) => {
            out.push(b'[');
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    out.push(b',');
                }
                write_canonical(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut names: Vec<_> = members.iter().collect();
            names.sort_unstable_by_key(|(name, _)| *name);
            out.push(b'{');
            for (nth, (name, item)) in names.into_iter().enumerate() {
                if !name.is_ascii() {
                    return Err(CanonicalError::Name);
                }
                if nth > 0 {
                    out.push(b',');
                }
                out.extend(Value::from(name.as_str()).to_string().bytes());
                out.push(b':');
                write_canonical(item, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// What went wrong, noted while the reader unwinds: serde's own errors cannot carry it.
#[derive(Default)]
struct Fault {
    rule: Cell<Option<JsonRule>>,
    /// Steps from the fault outwards.
    steps: RefCell<Vec<String>>,
}

impl Fault {
    fn step(&self, name: &str) {
        self.steps.borrow_mut().push(name.replace('~', "~0").replace('/', "~1"));
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in self.steps.borrow().iter().rev() {
            pointer.push('/');
            pointer.push_str(step);
        }
        let cut = (0..=POINTER_BYTES_MAX.min(pointer.len())).rev().find(|at| pointer.is_char_boundary(*at));
        pointer.truncate(cut.unwrap_or(0));
        pointer
    }
}

#[derive(Clone, Copy)]
struct Node<'f> {
    fault: &'f Fault,
    depth: usize,
    depth_max: usize,
}

impl Node<'_> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == self.depth_max {
            return Err(self.refuse(JsonRule::TooDeep { max: self.depth_max }));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn refuse<E: serde::de::Error>(self, rule: JsonRule) -> E {
        self.fault.rule.set(Some(rule));
        E::custom(rule)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut array = Vec::new();
        loop {
            match items.next_element_seed(inside) {
                Ok(Some(item)) => array.push(item),
                Ok(None) => return Ok(Value::Array(array)),
                Err(error) => {
                    self.fault.step(&array.len().to_string());
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let twice = object.contains_key(&name);
            if twice || name.starts_with(RESERVED_NAMES) {
                self.fault.step(&name);
                let rule = if twice { JsonRule::DuplicateMember } else { JsonRule::ReservedMember };
                return Err(self.refuse(rule));
            }
            match members.next_value_seed(inside) {
                Ok(value) => object.insert(name, value),
                Err(error) => {
                    self.fault.step(&name);
                    return Err(error);
                }
            };
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const LIMITS: Limits = Limits { bytes_max: 4096, depth_max: 4 };

    fn refused(text: &str) -> (String, JsonRule) {
        let error = parse(text.as_bytes(), &LIMITS).unwrap_err();
        (error.pointer, error.rule)
    }

    #[test]
    fn ordinary_json_is_read_with_its_order_kept() {
        let text = r#" {"b":[1,-2,1.5,true,null],"a":{"ü\u00e9":"x"}} "#;
        let value = parse(text.as_bytes(), &LIMITS).unwrap();
        assert_eq!(value, json!({"b": [1, -2, 1.5, true, null], "a": {"üé": "x"}}));
        assert_eq!(value.as_object().unwrap().keys().collect::<Vec<_>>(), ["b", "a"]);
    }

    #[test]
    fn a_duplicate_member_is_refused_at_any_level_and_by_any_spelling() {
        assert_eq!(refused(r#"{"a":1,"a":1}"#), ("/a".into(), JsonRule::DuplicateMember));
        assert_eq!(refused(r#"{"x":[0,{"b":1,"\u0062":2}]}"#), ("/x/1/b".into(), JsonRule::DuplicateMember));
        assert_eq!(refused(r#"{"a/b~c":{"":1,"":2}}"#), ("/a~1b~0c/".into(), JsonRule::DuplicateMember));
    }

    #[test]
    fn depth_is_bounded_long_before_the_stack() {
        assert!(parse(b"[[[[0]]]]", &LIMITS).is_ok());
        assert_eq!(refused("[[[[[0]]]]]"), ("/0/0/0/0".into(), JsonRule::TooDeep { max: 4 }));
        assert_eq!(refused(r#"{"a":[{"b":{"c":{}}}]}"#), ("/a/0/b/c".into(), JsonRule::TooDeep { max: 4 }));
        let greedy = Limits { bytes_max: usize::MAX, depth_max: usize::MAX };
        let bomb = vec![b'['; 1_000_000];
        assert_eq!(parse(&bomb, &greedy).unwrap_err().rule, JsonRule::TooDeep { max: DEPTH_MAX });
    }

    #[test]
    fn anything_after_the_value_is_refused() {
        assert_eq!(refused("{} {}"), (String::new(), JsonRule::TrailingBytes));
        assert_eq!(refused("1,"), (String::new(), JsonRule::TrailingBytes));
        assert_eq!(refused("{}\0"), (String::new(), JsonRule::TrailingBytes));
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for text in [
            "",
            "{",
            "{'a':1}",
            "[1,]",
            "NaN",
            "01",
            "\"\\ud800\"",
            "\"\n\"",
            "\u{feff}{}",
            "1e999",
            "{\"a\"}",
        ] {
            assert!(matches!(refused(text).1, JsonRule::Syntax { .. }), "{text}");
        }
        assert_eq!(refused("{\"a\":\n[tru]}"), ("/a/0".into(), JsonRule::Syntax { line: 2, column: 5 }));
        assert!(parse(b"\"\xff\"", &LIMITS).is_err());
    }

    #[test]
    fn length_is_checked_first() {
        let long = vec![b'x'; 5000];
        assert_eq!(parse(&long, &LIMITS).unwrap_err().rule, JsonRule::TooLong { max: 4096 });
    }

    #[test]
    fn a_long_member_name_does_not_make_a_long_error() {
        let text = format!("{{\"{}\":x}}", "ü".repeat(1000));
        let error = parse(text.as_bytes(), &LIMITS).unwrap_err();
        assert!(error.pointer.len() <= POINTER_BYTES_MAX);
    }

    #[test]
    fn no_text_inside_a_text_is_read_by_a_laxer_reader_because_of_its_members_name() {
        let inside = r#"{"$serde_json::private::RawValue":"{\"a\":1,\"a\":2}"}"#;
        // What would become of it in a struct's member, were it let in.
        let ordinary: Map<String, Value> =
            [("$serde_json::private::RawValue".to_owned(), json!("{\"a\":1,\"a\":2}"))].into_iter().collect();
        assert_eq!(serde_json::from_value::<Value>(Value::Object(ordinary)).unwrap(), json!({"a": 2}));

        let text = format!("{{\"b\":[{inside}]}}");
        assert_eq!(refused(&text), ("/b/0/$serde_json::private::RawValue".into(), JsonRule::ReservedMember));
        assert_eq!(refused(r#"{"$serde_json::private::Number":"2"}"#).1, JsonRule::ReservedMember);
    }

    #[test]
    fn the_canonical_form_is_that_of_rfc_8785() {
        // RFC 8785, 3.2.2: the texts and literals of its example (its fractions are refused here).
        let text = r#"{"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false],"1":[9007199254740991,-1]}"#;
        let value = parse(text.as_bytes(), &LIMITS).unwrap();
        assert_eq!(
            String::from_utf8(canonical(&value).unwrap()).unwrap(),
            "{\"1\":[9007199254740991,-1],\"literals\":[null,true,false],\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
        assert_eq!(canonical(&json!("\u{7f}\u{2028}\u{8}")).unwrap(), "\"\u{7f}\u{2028}\\b\"".as_bytes());
    }

    #[test]
    fn what_could_be_written_in_two_ways_has_no_canonical_form() {
        for number in [
            json!(1.5),
            json!(1.0),
            json!(9_007_199_254_740_992_u64),
            json!(-9_007_199_254_740_992_i64),
            json!(u64::MAX),
        ] {
            assert_eq!(canonical(&number), Err(CanonicalError::Number), "{number}");
        }
        assert_eq!(canonical(&json!({"a": {"\u{e9}": 1}})), Err(CanonicalError::Name));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_survives_the_round_trip(value in any_json()) {
            let limits = Limits { bytes_max: usize::MAX, depth_max: 8 };
            prop_assert_eq!(parse(value.to_string().as_bytes(), &limits).unwrap(), value);
        }

        #[test]
        fn no_input_panics_and_no_value_is_read_that_serde_json_would_not_read(bytes: Vec<u8>) {
            if let Ok(value) = parse(&bytes, &LIMITS) {
                prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
            }
        }
    }
}
