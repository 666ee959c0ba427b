//! Elements: JSON on our API's side, CBOR on the wire.

use crypto::base64;
use crypto::cbor::Value as Cbor;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{DEPTH_MAX, ELEMENTS_MAX, NAMESPACES_MAX, is_name};
use crate::claims_path::Step;
use crate::credential_type::{AcceptedClaims, ClaimKind, ClaimRule};

/// Tag of `tdate`, a date and time (RFC 8949, 3.4.1).
pub(super) const DATE_TIME: u64 = 0;
/// Tag of `full-date` (RFC 8943).
const FULL_DATE: u64 = 1004;

/// How the text of a claim is written as an element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As its kind says: text, or `full-date` for a claim of the kind `date`.
    #[default]
    Plain,
    /// A byte string; the claim is its base64url (portraits).
    Bytes,
    /// `tdate`; the claim is RFC 3339 text.
    DateTime,
}

impl Encoding {
    /// From the word in a rule.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "plain" => Some(Self::Plain),
            "bytes" => Some(Self::Bytes),
            "date-time" => Some(Self::DateTime),
            _ => None,
        }
    }
}

/// Why a value becomes no element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElementError {
    /// More than [`ELEMENTS_MAX`] elements or [`NAMESPACES_MAX`] namespaces.
    #[error("a document has at most {ELEMENTS_MAX} elements in {NAMESPACES_MAX} namespaces")]
    TooMany,
    /// A name that is empty or too long.
    #[error("a namespace or element identifier is empty or too long")]
    Name,
    /// The namespace has this element already.
    #[error("an element stands twice in its namespace")]
    Twice,
    /// A number with a fraction, or one beyond 64 bits: elements are exact.
    #[error("a number with a fraction cannot be an element")]
    Number,
    /// Text that is not what its encoding says.
    #[error("a text is not what its encoding says")]
    Encoding,
    /// Nested deeper than readers go.
    #[error("an element goes at most {DEPTH_MAX} levels deep")]
    TooDeep,
}

/// The elements of a new document, by namespace. They are personal data: `Debug` shows their count.
#[derive(Clone, Default, PartialEq)]
pub struct Elements(pub(super) Vec<Namespace>);

/// One namespace of a new document.
#[derive(Clone, PartialEq)]
pub(super) struct Namespace {
    pub(super) name: String,
    pub(super) elements: Vec<(String, Cbor)>,
}

impl Elements {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those claims of a dataset whose rule names a namespace and an element (`mdoc`). Claims without stay in the other
    /// forms of the dataset.
    ///
    /// # Errors
    /// [`ElementError`].
    pub fn of(accepted: &AcceptedClaims<'_>) -> Result<Self, ElementError> {
        let mut elements = Self::new();
        for rule in accepted.rules {
            let Some(mdoc) = &rule.mdoc else { continue };
            let Some(value) = rule.path.select_in(accepted.claims).first().copied() else { continue };
            let mut place = rule.path.steps().to_vec();
            let value = cbor_of(value, mdoc.encoding, &mut place, accepted.rules)?;
            elements.add(&mdoc.namespace, &mdoc.element, value)?;
        }
        Ok(elements)
    }

    /// One more element.
    ///
    /// # Errors
    /// [`ElementError::TooMany`], [`ElementError::Name`], [`ElementError::Twice`].
    pub fn add(&mut self, namespace: &str, element: &str, value: Cbor) -> Result<(), ElementError> {
        if !is_name(namespace) || !is_name(element) {
            return Err(ElementError::Name);
        }
        if self.count() == ELEMENTS_MAX {
            return Err(ElementError::TooMany);
        }
        let namespaces = self.0.len();
        match self.0.iter_mut().find(|known| known.name == namespace) {
            Some(known) if known.elements.iter().any(|(name, _)| name == element) => {
                return Err(ElementError::Twice);
            }
            Some(known) => known.elements.push((element.to_owned(), value)),
            None if namespaces == NAMESPACES_MAX => return Err(ElementError::TooMany),
            None => self
                .0
                .push(Namespace { name: namespace.to_owned(), elements: vec![(element.to_owned(), value)] }),
        }
        Ok(())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.iter().map(|namespace| namespace.elements.len()).sum()
    }
}

impl std::fmt::Debug for Elements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Elements({} in {} namespaces)", self.count(), self.0.len())
    }
}

/// `place` is where the value stands in the dataset, so that dates inside an element are written as dates too.
fn cbor_of(
    value: &Value,
    encoding: Encoding,
    place: &mut Vec<Step>,
    rules: &[ClaimRule],
) -> Result<Cbor, ElementError> {
    // The item's map and the value's own levels must stay within what readers take.
    if place.len() + 2 > DEPTH_MAX {
        return Err(ElementError::TooDeep);
    }
    Ok(match value {
        Value::Null => Cbor::Null,
        Value::Bool(value) => Cbor::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Cbor::Uint(number),
            (None, Some(number)) => Cbor::int(number),
            (None, None) => return Err(ElementError::Number),
        },
        Value::String(text) => text_of(text, encoding, is_date(place, rules))?,
        Value::Array(items) => {
            place.push(Step::All);
            let items: Result<_, _> =
                items.iter().map(|item| cbor_of(item, Encoding::Plain, place, rules)).collect();
            place.pop();
            Cbor::Array(items?)
        }
        Value::Object(members) => {
            let mut pairs = Vec::with_capacity(members.len());
            for (name, value) in members {
                place.push(Step::Name(name.clone()));
                pairs.push((Cbor::text(name.as_str()), cbor_of(value, Encoding::Plain, place, rules)?));
                place.pop();
            }
            Cbor::Map(pairs)
        }
    })
}

fn is_date(place: &[Step], rules: &[ClaimRule]) -> bool {
    rules.iter().any(|rule| rule.kind == ClaimKind::Date && rule.path.steps() == place)
}

fn text_of(text: &str, encoding: Encoding, is_date: bool) -> Result<Cbor, ElementError> {
    match encoding {
        Encoding::Bytes => base64::url_decode(text).map(Cbor::Bytes).map_err(|_| ElementError::Encoding),
        Encoding::DateTime if text.parse::<Timestamp>().is_err() => Err(ElementError::Encoding),
        Encoding::DateTime => Ok(Cbor::Tag(DATE_TIME, Box::new(Cbor::text(text)))),
        Encoding::Plain if is_date => Ok(Cbor::Tag(FULL_DATE, Box::new(Cbor::text(text)))),
        Encoding::Plain => Ok(Cbor::text(text)),
    }
}

/// An element as JSON (RFC 8949, 6.1): byte strings as base64url, tags left out. None for a map with keys that JSON has not.
pub(super) fn json_of(value: &Cbor) -> Option<Value> {
    Some(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(value) => (*value).into(),
        Cbor::Uint(number) => (*number).into(),
        Cbor::Nint(number) => (*number).into(),
        Cbor::Text(text) => text.as_str().into(),
        Cbor::Bytes(bytes) => base64::url_encode(bytes).into(),
        Cbor::Tag(_, inner) => json_of(inner)?,
        Cbor::Array(items) => Value::Array(items.iter().map(json_of).collect::<Option<_>>()?),
        Cbor::Map(pairs) => {
            let mut members = Map::new();
            for (name, value) in pairs {
                members.insert(name.as_text()?.to_owned(), json_of(value)?);
            }
            Value::Object(members)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::credential_type::CredentialType;

    fn elements(rules: &Value, claims: &Value) -> Result<Elements, ElementError> {
        let kind = CredentialType::parse("org.example.doc", rules).unwrap();
        Elements::of(&kind.accept(claims.as_object().unwrap()).unwrap())
    }

    fn mapped(element: &str) -> Value {
        json!({"namespace": "ns", "element": element})
    }

    #[test]
    fn claims_become_elements_as_their_rules_say() {
        let rules = json!([
            {"path": ["birthdate"], "type": "date", "mdoc": mapped("birth_date")},
            {"path": ["photo"], "type": "string", "mdoc": {"namespace": "ns", "element": "portrait", "encoding": "bytes"}},
            {"path": ["at"], "type": "string", "mdoc": {"namespace": "other", "element": "at", "encoding": "date-time"}},
            {"path": ["may"], "type": "array", "mdoc": mapped("may")},
            {"path": ["may", null, "since"], "type": "date"},
            {"path": ["may", null, "code"]},
            {"path": ["elsewhere"]},
        ]);
        let claims = json!({
            "birthdate": "1999-02-28", "photo": "_9j_", "at": "2026-11-20T17:03:09Z", "elsewhere": 1,
            "may": [{"since": "2018-08-09", "code": -3}],
        });
        let tagged = |tag, text: &str| Cbor::Tag(tag, Box::new(Cbor::text(text)));
        let since = vec![
            (Cbor::text("since"), tagged(FULL_DATE, "2018-08-09")),
            (Cbor::text("code"), Cbor::Nint(-3)),
        ];
        let mut expected = Elements::new();
        expected.add("ns", "birth_date", tagged(FULL_DATE, "1999-02-28")).unwrap();
        expected.add("ns", "portrait", Cbor::bytes([0xff, 0xd8, 0xff])).unwrap();
        expected.add("other", "at", tagged(DATE_TIME, "2026-11-20T17:03:09Z")).unwrap();
        expected.add("ns", "may", Cbor::Array(vec![Cbor::Map(since)])).unwrap();
        let elements = elements(&rules, &claims).unwrap();
        assert!(elements == expected && elements.count() == 4);
        assert_eq!(format!("{elements:?}"), "Elements(4 in 2 namespaces)");
        assert_eq!(json_of(&elements.0[0].elements[2].1), Some(claims["may"].clone()));
    }

    #[test]
    fn what_has_no_exact_form_is_refused() {
        let rule = |encoding: &str| json!([{"path": ["a"], "mdoc": {"namespace": "ns", "element": "a", "encoding": encoding}}]);
        assert_eq!(elements(&rule("plain"), &json!({"a": 1.5})), Err(ElementError::Number));
        assert_eq!(elements(&rule("bytes"), &json!({"a": "_9j_="})), Err(ElementError::Encoding));
        assert_eq!(elements(&rule("date-time"), &json!({"a": "yesterday"})), Err(ElementError::Encoding));
        let mut twice = Elements::new();
        twice.add("ns", "a", Cbor::Null).unwrap();
        assert_eq!(twice.add("ns", "a", Cbor::Null), Err(ElementError::Twice));
        assert_eq!(twice.add("ns", "", Cbor::Null), Err(ElementError::Name));
        assert_eq!(json_of(&Cbor::Map(vec![(Cbor::Uint(1), Cbor::Null)])), None);
        for nth in 1..ELEMENTS_MAX {
            twice.add("ns", &format!("e{nth}"), Cbor::Null).unwrap();
        }
        assert_eq!(twice.add("ns", "one more", Cbor::Null), Err(ElementError::TooMany));
    }
}
