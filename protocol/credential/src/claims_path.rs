//! Claims path pointers: which claim of a JSON credential is meant (OpenID4VP 1.0, section 7; SD-JWT VC, section 5.6.1).
//!
//! ```text
//! ["degrees", null, "type"] ─parse─▶ ClaimsPath ─select(credential)─▶ every `type` in `degrees`
//! ```
//! The same pointers name claims in queries, in the rules of a credential type and in the wallet's choice.

use std::fmt;

use serde_json::{Map, Value};

/// Steps in one path: deeper than any credential we read (depth 16 less the payload's own level and slack).
pub const STEPS_MAX: usize = 12;
/// Bytes of one name in a path; a name in a credential is bounded by its disclosure, one in a query by this.
pub const STEP_BYTES_MAX: usize = 256;

/// A path from the root of a credential to one claim, or through `null` to several.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimsPath(Vec<Step>);

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The member of an object with this name.
    Name(String),
    /// The element of an array at this index, from 0.
    Index(u64),
    /// Every element of an array (`null`).
    All,
}

/// Why a JSON value is no claims path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not an array, or an empty one.
    #[error("a path is a non-empty array of names, indices and null")]
    NotAnArray,
    /// More than [`STEPS_MAX`] steps.
    #[error("a path has at most {STEPS_MAX} steps")]
    TooLong,
    /// A step that is neither text, null nor a non-negative integer, or a name longer than [`STEP_BYTES_MAX`].
    #[error("a step is a name of at most {STEP_BYTES_MAX} bytes, a non-negative integer or null")]
    BadStep,
}

impl ClaimsPath {
    /// A path of names only. Panics never; an empty list makes a path that selects the root and is only for tests of
    /// callers, so give at least one name.
    pub fn of_names<const N: usize>(names: [&str; N]) -> Self {
        Self(names.into_iter().map(|name| Step::Name(name.to_owned())).collect())
    }

    /// Reads `["degree","type"]`.
    pub fn parse(value: &Value) -> Result<Self, PathError> {
        let steps = value.as_array().filter(|steps| !steps.is_empty()).ok_or(PathError::NotAnArray)?;
        if steps.len() > STEPS_MAX {
            return Err(PathError::TooLong);
        }
        steps.iter().map(Step::parse).collect::<Option<_>>().map(Self).ok_or(PathError::BadStep)
    }

    /// The wire form.
    pub fn to_value(&self) -> Value {
        Value::Array(self.0.iter().map(Step::to_value).collect())
    }

    /// The steps from the root down.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The claims this path selects in a credential whose root is `root` (section 7.1.1).
    ///
    /// Empty when the path selects nothing, or when a step meets a value of the wrong kind, for which the standard
    /// says "abort": to the asker both mean that the claim is not there.
    pub fn select<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        Self::descend(vec![root], &self.0)
    }

    /// As [`Self::select`], from the members of the root.
    pub fn select_in<'a>(&self, members: &'a Map<String, Value>) -> Vec<&'a Value> {
        match self.0.split_first() {
            Some((Step::Name(name), below)) => Self::descend(members.get(name).into_iter().collect(), below),
            _ => Vec::new(),
        }
    }

    fn descend<'a>(mut selected: Vec<&'a Value>, steps: &[Step]) -> Vec<&'a Value> {
        for step in steps {
            let mut next = Vec::with_capacity(selected.len());
            for value in selected {
                match (step, value) {
                    (Step::Name(name), Value::Object(members)) => next.extend(members.get(name)),
                    (Step::Index(index), Value::Array(elements)) => {
                        next.extend(usize::try_from(*index).ok().and_then(|index| elements.get(index)));
                    }
                    (Step::All, Value::Array(elements)) => next.extend(elements),
                    _ => return Vec::new(),
                }
            }
            selected = next;
        }
        selected
    }

    /// Whether `place`, a path without `null`, lies on or below what this path selects.
    pub fn covers(&self, place: &[Step]) -> bool {
        self.0.len() <= place.len() && self.0.iter().zip(place).all(|(step, at)| step.meets(at))
    }

    /// Whether `place`, a path without `null`, is exactly one of the places this path selects.
    pub fn is_at(&self, place: &[Step]) -> bool {
        self.0.len() == place.len() && self.covers(place)
    }

    /// Whether this path selects something below `place`.
    pub fn goes_below(&self, place: &[Step]) -> bool {
        self.0.len() > place.len() && place.iter().zip(&self.0).all(|(at, step)| step.meets(at))
    }
}

impl Step {
    fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::All),
            Value::String(name) if name.len() <= STEP_BYTES_MAX => Some(Self::Name(name.clone())),
            Value::Number(index) => index.as_u64().map(Self::Index),
            _ => None,
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Name(name) => Value::from(name.as_str()),
            Self::Index(index) => Value::from(*index),
            Self::All => Value::Null,
        }
    }

    fn meets(&self, at: &Step) -> bool {
        self == at || matches!((self, at), (Self::All, Self::Index(_)))
    }
}

/// `degrees[*].type`, for people.
impl fmt::Display for ClaimsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if nth == 0 => write!(f, "{name}")?,
                Step::Name(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::All => write!(f, "[*]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "json! values read best when handed over")]
mod tests {
    use serde_json::json;

    use super::*;

    /// The credential of OpenID4VP 1.0, section 7.3, shortened.
    fn arthur() -> Value {
        json!({
            "name": "Arthur Dent",
            "address": {"street_address": "42 Market Street", "locality": "Milliways"},
            "degrees": [{"type": "Bachelor of Science"}, {"type": "Master of Science"}],
            "nationalities": ["British", "Betelgeusian"],
        })
    }

    fn selected(path: Value) -> Vec<Value> {
        ClaimsPath::parse(&path).unwrap().select(&arthur()).into_iter().cloned().collect()
    }

    #[test]
    fn the_paths_of_the_standard_select_what_it_says() {
        assert_eq!(selected(json!(["name"])), [json!("Arthur Dent")]);
        assert_eq!(selected(json!(["address"])), [arthur()["address"].clone()]);
        assert_eq!(selected(json!(["address", "street_address"])), [json!("42 Market Street")]);
        assert_eq!(selected(json!(["degrees", null, "type"])).len(), 2);
        assert_eq!(selected(json!(["nationalities", 1])), [json!("Betelgeusian")]);
    }

    #[test]
    fn a_step_that_meets_the_wrong_kind_of_value_selects_nothing() {
        for path in
            [json!(["name", "first"]), json!(["address", 0]), json!(["address", null]), json!(["degrees", 9])]
        {
            assert!(selected(path.clone()).is_empty(), "{path}");
        }
    }

    #[test]
    fn a_path_is_a_bounded_list_of_names_indices_and_null() {
        assert_eq!(ClaimsPath::parse(&json!([])), Err(PathError::NotAnArray));
        assert_eq!(ClaimsPath::parse(&json!("name")), Err(PathError::NotAnArray));
        assert_eq!(ClaimsPath::parse(&json!(["a", -1])), Err(PathError::BadStep));
        assert_eq!(ClaimsPath::parse(&json!(["a", 1.5])), Err(PathError::BadStep));
        assert_eq!(ClaimsPath::parse(&json!([["a"]])), Err(PathError::BadStep));
        assert_eq!(ClaimsPath::parse(&json!(vec!["a"; STEPS_MAX + 1])), Err(PathError::TooLong));
        assert_eq!(ClaimsPath::parse(&json!(["a".repeat(STEP_BYTES_MAX + 1)])), Err(PathError::BadStep));
    }

    #[test]
    fn null_covers_every_index_and_what_lies_below() {
        let path = ClaimsPath::parse(&json!(["degrees", null])).unwrap();
        let place = [Step::Name("degrees".into()), Step::Index(7), Step::Name("type".into())];
        assert!(
            path.covers(&place)
                && !path.is_at(&place)
                && path.is_at(&place[..2])
                && path.goes_below(&place[..1])
        );
        assert_eq!(path.to_string(), "degrees[*]");
    }
}
