//! Whether claims meet a credential query, the one rule that verifier and wallet share.

use serde_json::Value;

use super::{ClaimsQuery, CredentialQuery};
use crate::claims_path::ClaimsPath;

/// How claims meet a credential query.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimsMatch<'q> {
    /// These claims of the query are met: all of them, or one whole option of `claim_sets`.
    Met(Vec<&'q ClaimsQuery>),
    /// These are not there; of `claim_sets`, those of the first option.
    Missing(Vec<&'q ClaimsQuery>),
    /// All are there, and these have none of the values asked for.
    WrongValue(Vec<&'q ClaimsQuery>),
}

/// Compares `claims`, the unfolded claims of a credential, with what `query` asks (section 6.4.1).
///
/// A query without `claims` asks for nothing that could be kept back and is met by anything.
pub fn claims_match<'q>(query: &'q CredentialQuery, claims: &Value) -> ClaimsMatch<'q> {
    let options = wanted_options(query);
    let mut first_fault = None;
    for option in options {
        match option_match(option, claims) {
            ClaimsMatch::Met(met) => return ClaimsMatch::Met(met),
            fault => first_fault = first_fault.or(Some(fault)),
        }
    }
    first_fault.unwrap_or(ClaimsMatch::Met(Vec::new()))
}

/// The paths of some claims queries.
pub fn wanted_paths(claims: &[&ClaimsQuery]) -> Vec<ClaimsPath> {
    claims.iter().map(|claim| claim.path.clone()).collect()
}

/// The combinations of claims that would do, best first.
fn wanted_options(query: &CredentialQuery) -> Vec<Vec<&ClaimsQuery>> {
    let claims = query.claims.as_deref().unwrap_or_default();
    if query.claim_sets.is_empty() {
        return vec![claims.iter().collect()];
    }
    let of = |id: &String| claims.iter().find(|claim| claim.id.as_ref() == Some(id));
    query.claim_sets.iter().map(|set| set.iter().filter_map(of).collect()).collect()
}

fn option_match<'q>(option: Vec<&'q ClaimsQuery>, claims: &Value) -> ClaimsMatch<'q> {
    let missing: Vec<_> =
        option.iter().copied().filter(|claim| claim.path.select(claims).is_empty()).collect();
    if !missing.is_empty() {
        return ClaimsMatch::Missing(missing);
    }
    let wrong: Vec<_> = option.iter().copied().filter(|claim| !has_value(claim, claims)).collect();
    if wrong.is_empty() { ClaimsMatch::Met(option) } else { ClaimsMatch::WrongValue(wrong) }
}

/// Type and value must both be equal (section 6.3): `1` is not `"1"` and not `1.0`.
fn has_value(claim: &ClaimsQuery, claims: &Value) -> bool {
    claim.values.is_empty() || claim.path.select(claims).into_iter().any(|value| claim.values.contains(value))
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "json! values read best when handed over")]
mod tests {
    use serde_json::json;

    use super::super::{Query, Reader};
    use super::*;

    fn query(claims: Value, sets: Option<Value>) -> CredentialQuery {
        let mut credential =
            json!({"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}, "claims": claims});
        if let Some(sets) = sets {
            credential["claim_sets"] = sets;
        }
        Query::parse(&json!({ "credentials": [credential] }), Reader::Own).unwrap().credentials.remove(0)
    }

    fn met(query: &CredentialQuery, claims: Value) -> Option<Vec<String>> {
        match claims_match(query, &claims) {
            ClaimsMatch::Met(met) => Some(met.iter().map(|claim| claim.path.to_string()).collect()),
            _ => None,
        }
    }

    #[test]
    fn all_claims_are_wanted_without_sets() {
        let query = query(json!([{"path": ["a"]}, {"path": ["b", "c"]}]), None);
        assert_eq!(
            met(&query, json!({"a": 1, "b": {"c": null}, "x": 0})),
            Some(vec!["a".into(), "b.c".into()])
        );
        assert_eq!(met(&query, json!({"a": 1, "b": {}})), None);
    }

    #[test]
    fn the_first_whole_set_is_taken_and_half_a_set_is_none() {
        let claims =
            json!([{"id": "a", "path": ["a"]}, {"id": "b", "path": ["b"]}, {"id": "c", "path": ["c"]}]);
        let query = query(claims, Some(json!([["a", "b"], ["c"]])));
        assert_eq!(met(&query, json!({"a": 1, "b": 1, "c": 1})), Some(vec!["a".into(), "b".into()]));
        assert_eq!(met(&query, json!({"a": 1, "c": 1})), Some(vec!["c".into()]));
        assert_eq!(met(&query, json!({"a": 1})), None);
    }

    #[test]
    fn a_value_is_compared_by_type_and_value() {
        let query = query(json!([{"path": ["n", null], "values": ["1", 2, true]}]), None);
        for (claims, is_met) in [
            (json!({"n": ["1"]}), true),
            (json!({"n": [0, 2]}), true),
            (json!({"n": [true]}), true),
            (json!({"n": [1]}), false),
            (json!({"n": ["2"]}), false),
            (json!({"n": [2.0]}), false),
            (json!({"n": ["true"]}), false),
        ] {
            assert_eq!(met(&query, claims.clone()).is_some(), is_met, "{claims}");
        }
    }

    #[test]
    fn a_query_without_claims_is_met_by_anything() {
        let mut query = query(json!([{"path": ["a"]}]), None);
        query.claims = None;
        assert_eq!(met(&query, json!({})), Some(vec![]));
    }
}
