//! The answer's outer shape: which presentations it holds, and whether those that passed are enough.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{CredentialSet, ITEMS_MAX, Query};
use crate::check::{Check, CheckResult, Detail, PresentationName};

/// One presentation of an answer, unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented<'a> {
    /// Which credential query it answers, and its place there.
    pub name: PresentationName,
    /// The presentation as received.
    pub text: &'a str,
}

/// Why `vp_token` does not fit the query (VP-007).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AnswerFault {
    /// No presentation at all.
    #[error("the answer holds no presentation")]
    Empty,
    /// An id that the query has not.
    #[error("the answer names a credential that was not asked for")]
    UnknownId,
    /// Not a list of texts.
    #[error("the answer is not a list of presentations for each id")]
    NotTexts,
    /// None, more than one without `multiple`, or more than 16 in all.
    #[error("the answer has another number of presentations than asked for")]
    Count,
}

impl AnswerFault {
    /// The failed check for the report.
    pub fn result(self) -> CheckResult {
        let word = match self {
            Self::Empty => "empty",
            Self::UnknownId => "unknown-id",
            Self::NotTexts => "not-texts",
            Self::Count => "count",
        };
        CheckResult::fail(Check::AnswerShape, "presentation/unexpected", Detail::none().reason(word))
    }
}

/// Takes `vp_token` apart (VP-007): known ids, one text each unless `multiple`, at most [`ITEMS_MAX`] in all, as each costs
/// several signatures to check.
///
/// # Errors
/// The first [`AnswerFault`]; the answer is not read further.
pub fn presentations<'a>(
    query: &Query,
    vp_token: &'a Map<String, Value>,
) -> Result<Vec<Presented<'a>>, AnswerFault> {
    let mut presentations = Vec::new();
    if vp_token.is_empty() {
        return Err(AnswerFault::Empty);
    }
    for (id, texts) in vp_token {
        let asked = query.credential(id).ok_or(AnswerFault::UnknownId)?;
        let texts = texts.as_array().ok_or(AnswerFault::NotTexts)?;
        let query: Arc<str> = asked.id.as_str().into();
        let max = if asked.multiple { ITEMS_MAX } else { 1 };
        if texts.is_empty() || texts.len() > max || presentations.len() + texts.len() > ITEMS_MAX {
            return Err(AnswerFault::Count);
        }
        for (index, text) in texts.iter().enumerate() {
            let text = text.as_str().ok_or(AnswerFault::NotTexts)?;
            let name = PresentationName { query: Arc::clone(&query), index };
            presentations.push(Presented { name, text });
        }
    }
    Ok(presentations)
}

/// Whether the credential queries in `accepted` are enough (VP-060): without `credential_sets` all of them, else one
/// whole option of each required set, and of any set if none is required: half an option is no answer.
pub fn complete(query: &Query, accepted: &[&str]) -> CheckResult {
    let missing = if query.credential_sets.is_empty() {
        query.credentials.iter().filter(|credential| !accepted.contains(&credential.id.as_str())).count()
    } else {
        let unmet = |set: &&CredentialSet| !whole_options(set, accepted).any(|_| true);
        let required = query.credential_sets.iter().filter(|set| set.required).filter(unmet).count();
        let none = query.credential_sets.iter().all(|set| unmet(&set));
        required.max(usize::from(none))
    };
    if missing == 0 {
        CheckResult::pass(Check::Required, Detail::none())
    } else {
        CheckResult::fail(
            Check::Required,
            "query/incomplete",
            Detail::none().number("missing", missing as u64),
        )
    }
}

/// Which of `accepted` the query asked to have together: what belongs to no whole option of a set was shown for nothing and
/// is dropped unread, as a claim beyond the query is.
pub fn counted<'a>(query: &Query, accepted: &[&'a str]) -> Vec<&'a str> {
    let serves = |id: &&&str| {
        query.credential_sets.is_empty()
            || query.credential_sets.iter().any(|set| {
                whole_options(set, accepted).any(|option| option.iter().any(|known| known == **id))
            })
    };
    accepted.iter().filter(serves).copied().collect()
}

/// The options of a set that are met whole.
fn whole_options<'q>(set: &'q CredentialSet, accepted: &[&str]) -> impl Iterator<Item = &'q Vec<String>> {
    set.options.iter().filter(|option| option.iter().all(|id| accepted.contains(&id.as_str())))
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "json! values read best when handed over")]
mod tests {
    use serde_json::json;

    use super::super::Reader;
    use super::*;
    use crate::check::Outcome;

    fn query(sets: Option<Value>) -> Query {
        let mut query = json!({"credentials": [
            {"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}, "multiple": true},
            {"id": "b", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}},
            {"id": "c", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}}]});
        if let Some(sets) = sets {
            query["credential_sets"] = sets;
        }
        Query::parse(&query, Reader::Own).unwrap()
    }

    fn fault(vp_token: Value) -> Option<AnswerFault> {
        presentations(&query(None), vp_token.as_object().unwrap()).err()
    }

    #[test]
    fn a_presentation_that_was_not_asked_for_is_refused() {
        assert_eq!(fault(json!({"z": ["p"]})), Some(AnswerFault::UnknownId));
        assert_eq!(fault(json!({"a": ["p"], "z": ["p"]})), Some(AnswerFault::UnknownId));
        assert_eq!(fault(json!({"b": ["p", "p"]})), Some(AnswerFault::Count));
        assert_eq!(fault(json!({"b": []})), Some(AnswerFault::Count));
        assert_eq!(fault(json!({"a": vec!["p"; ITEMS_MAX + 1]})), Some(AnswerFault::Count));
        assert_eq!(fault(json!({"a": vec!["p"; ITEMS_MAX], "b": ["p"]})), Some(AnswerFault::Count));
        assert_eq!(fault(json!({"b": "p"})), Some(AnswerFault::NotTexts));
        assert_eq!(fault(json!({"b": [{"jwt": "p"}]})), Some(AnswerFault::NotTexts));
        assert_eq!(fault(json!({})), Some(AnswerFault::Empty));
        assert_eq!(AnswerFault::UnknownId.result().outcome, Outcome::Fail);
    }

    #[test]
    fn each_presentation_has_its_name() {
        let vp_token = json!({"a": ["p", "q"], "b": ["r"]});
        let found = presentations(&query(None), vp_token.as_object().unwrap()).unwrap();
        let names: Vec<_> = found.iter().map(|it| (it.name.to_string(), it.text)).collect();
        assert_eq!(names, [("a[0]".into(), "p"), ("a[1]".into(), "q"), ("b[0]".into(), "r")]);
    }

    #[test]
    fn one_of_two_required_credentials_is_not_enough() {
        assert_eq!(complete(&query(None), &["a", "b"]).outcome, Outcome::Fail);
        assert_eq!(complete(&query(None), &["a", "b", "c"]).outcome, Outcome::Pass);
        let sets = json!([{"options": [["a"], ["b", "c"]]}, {"options": [["c"]], "required": false}]);
        let query = query(Some(sets));
        assert_eq!(complete(&query, &["a"]).outcome, Outcome::Pass);
        assert_eq!(complete(&query, &["b", "c"]).outcome, Outcome::Pass);
        assert_eq!(complete(&query, &["b"]).outcome, Outcome::Fail);
        assert_eq!(complete(&query, &["c"]).outcome, Outcome::Fail);
    }

    #[test]
    fn half_an_option_is_no_answer_and_what_serves_no_option_does_not_count() {
        let optional = json!([{"options": [["a", "b"]], "required": false}]);
        let optional = query(Some(optional));
        assert_eq!(complete(&optional, &["a"]).outcome, Outcome::Fail);
        assert_eq!(complete(&optional, &["a", "b"]).outcome, Outcome::Pass);
        let sets = query(Some(json!([{"options": [["c"]]}, {"options": [["a", "b"]], "required": false}])));
        assert_eq!(complete(&sets, &["a", "c"]).outcome, Outcome::Pass);
        assert_eq!(counted(&sets, &["a", "c"]), ["c"]);
        assert_eq!(counted(&sets, &["a", "b", "c"]), ["a", "b", "c"]);
        assert_eq!(counted(&query(None), &["a"]), ["a"]);
    }
}
