//! The wallet's choice: which of its credentials answer a query, and which claims of each.

use serde_json::Value;

use super::{
    AKI, ClaimsMatch, CredentialQuery, CredentialSet, Format, Meta, Query, claims_match, wanted_paths,
};
use crate::claims_path::ClaimsPath;

/// A credential that the wallet holds, as the rules see it.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// Its format.
    pub format: Format,
    /// Its `vct`, or its doctype.
    pub kind: &'a str,
    /// Other types it is known by (`aka_vcts`).
    pub aka: Vec<&'a str>,
    /// Its claims, everything disclosed.
    pub claims: &'a Value,
    /// Whether it is bound to a key the wallet holds.
    pub has_holder_key: bool,
    /// AuthorityKeyIdentifiers of its certificates, base64url.
    pub authority_key_ids: Vec<String>,
}

/// What to show for one credential query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The credential query's id.
    pub query: String,
    /// Which of the candidates, by its place; the first that fits. Others that fit as well follow in `alternatives`.
    pub candidate: usize,
    /// Other candidates that would do: the user may choose.
    pub alternatives: Vec<usize>,
    /// The claims to disclose, and nothing else.
    pub paths: Vec<ClaimsPath>,
    /// Whether the verifier insists; an optional one is shown only if the user agrees.
    pub required: bool,
}

/// Something that the verifier requires is not there; then nothing at all is shown (section 6.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the wallet holds nothing that meets the request")]
pub struct NoMatch;

/// Chooses by the verifier's preferences: the first candidate, the first `claim_sets` option, the first set option.
///
/// # Errors
/// [`NoMatch`] when a required part cannot be met.
pub fn select(query: &Query, candidates: &[Candidate<'_>]) -> Result<Vec<Pick>, NoMatch> {
    let picks: Vec<Option<Pick>> =
        query.credentials.iter().map(|credential| pick(credential, candidates)).collect();
    if query.credential_sets.is_empty() {
        return picks.into_iter().collect::<Option<_>>().ok_or(NoMatch);
    }
    let mut chosen: Vec<Pick> = Vec::new();
    for required in [true, false] {
        for set in query.credential_sets.iter().filter(|set| set.required == required) {
            match first_option(set, &picks) {
                Some(option) => {
                    for pick in option {
                        if !chosen.iter().any(|known| known.query == pick.query) {
                            chosen.push(Pick { required, ..pick.clone() });
                        }
                    }
                }
                None if required => return Err(NoMatch),
                None => {}
            }
        }
    }
    if chosen.is_empty() { Err(NoMatch) } else { Ok(chosen) }
}

/// The picks of the first option that is met whole.
fn first_option<'p>(set: &CredentialSet, picks: &'p [Option<Pick>]) -> Option<Vec<&'p Pick>> {
    let of = |id: &String| picks.iter().flatten().find(|pick| pick.query == *id);
    set.options.iter().find_map(|option| option.iter().map(of).collect())
}

fn pick(query: &CredentialQuery, candidates: &[Candidate<'_>]) -> Option<Pick> {
    let mut fitting = candidates.iter().enumerate().filter_map(|(nth, it)| Some((nth, fits(query, it)?)));
    let (candidate, paths) = fitting.next()?;
    // Only candidates that disclose the same claims are true alternatives: the user consents to one list.
    let alternatives = fitting.filter(|(_, other)| *other == paths).map(|(nth, _)| nth).collect();
    Some(Pick { query: query.id.clone(), candidate, alternatives, paths, required: true })
}

/// The paths to disclose, if the candidate meets the query.
fn fits(query: &CredentialQuery, candidate: &Candidate<'_>) -> Option<Vec<ClaimsPath>> {
    let typed = match &query.meta {
        Meta::Any => true,
        Meta::Vct(values) => {
            values.iter().any(|vct| vct == candidate.kind || candidate.aka.contains(&vct.as_str()))
        }
        Meta::Doctype(doctype) => doctype == candidate.kind,
        Meta::Types(_) => false,
    };
    let bound = candidate.has_holder_key || !query.require_holder_binding;
    if query.format != candidate.format || !typed || !bound || !is_authority_met(query, candidate) {
        return None;
    }
    match claims_match(query, candidate.claims) {
        ClaimsMatch::Met(claims) => Some(wanted_paths(&claims)),
        ClaimsMatch::Missing(_) | ClaimsMatch::WrongValue(_) => None,
    }
}

/// Of the ways to name an authority a wallet can check `aki` alone; the others it cannot rule out, and the verifier
/// checks in any case.
fn is_authority_met(query: &CredentialQuery, candidate: &Candidate<'_>) -> bool {
    query.trusted_authorities.is_empty()
        || query.trusted_authorities.iter().any(|authority| {
            authority.kind != AKI
                || authority.values.iter().any(|id| candidate.authority_key_ids.contains(id))
        })
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "json! values read best when handed over")]
mod tests {
    use serde_json::json;

    use super::super::Reader;
    use super::*;

    fn candidate<'a>(kind: &'a str, claims: &'a Value) -> Candidate<'a> {
        Candidate {
            format: Format::SdJwtVc,
            kind,
            aka: Vec::new(),
            claims,
            has_holder_key: true,
            authority_key_ids: vec!["AAAA".into()],
        }
    }

    fn selected(
        query: Value,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<(String, usize, Vec<String>)>, NoMatch> {
        let query = Query::parse(&query, Reader::Wallet).unwrap();
        let picks = select(&query, candidates)?;
        let row = |pick: Pick| {
            (pick.query, pick.candidate, pick.paths.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        Ok(picks.into_iter().map(row).collect())
    }

    fn asks(id: &str, vct: &str, claims: Value) -> Value {
        json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": claims})
    }

    #[test]
    fn the_first_credential_that_meets_the_query_is_picked_with_its_claims_alone() {
        let (short, long) = (json!({"name": "A"}), json!({"name": "A", "age": 7, "extra": 1}));
        let candidates =
            [candidate("x", &long), candidate("v", &short), candidate("v", &long), candidate("v", &long)];
        let query = json!({"credentials": [asks("d", "v", json!([{"path": ["name"]}, {"path": ["age"]}]))]});
        let picks = select(&Query::parse(&query, Reader::Wallet).unwrap(), &candidates).unwrap();
        assert_eq!((picks[0].candidate, &picks[0].alternatives[..]), (2, &[3][..]));
        assert_eq!(selected(query, &candidates).unwrap()[0].2, ["name", "age"]);
    }

    #[test]
    fn nothing_is_shown_when_a_required_part_is_missing() {
        let claims = json!({"name": "A"});
        let candidates = [candidate("v", &claims)];
        let query = json!({"credentials": [asks("d", "v", json!([{"path": ["name"]}])), asks("e", "w", json!([{"path": ["name"]}]))]});
        assert_eq!(selected(query, &candidates), Err(NoMatch));
        assert_eq!(
            selected(json!({"credentials": [asks("d", "v", json!([{"path": ["age"]}]))]}), &candidates),
            Err(NoMatch)
        );
        assert_eq!(
            selected(
                json!({"credentials": [asks("d", "v", json!([{"path": ["name"], "values": ["B"]}]))]}),
                &candidates
            ),
            Err(NoMatch)
        );
    }

    #[test]
    fn an_optional_set_is_picked_if_it_can_be_and_missed_without_harm() {
        let claims = json!({"name": "A"});
        let query = json!({
            "credentials": [asks("d", "v", json!([{"path": ["name"]}])), asks("e", "w", json!([{"path": ["name"]}]))],
            "credential_sets": [{"options": [["e", "d"], ["d"]]}, {"options": [["e"]], "required": false}],
        });
        assert_eq!(selected(query.clone(), &[candidate("v", &claims)]).unwrap().len(), 1);
        assert_eq!(
            selected(query.clone(), &[candidate("v", &claims), candidate("w", &claims)]).unwrap().len(),
            2
        );
        assert_eq!(selected(query, &[candidate("w", &claims)]), Err(NoMatch));
    }

    #[test]
    fn a_credential_without_a_key_or_under_another_authority_does_not_fit() {
        let claims = json!({"name": "A"});
        let query = json!({"credentials": [asks("d", "v", json!([{"path": ["name"]}]))]});
        let keyless = Candidate { has_holder_key: false, ..candidate("v", &claims) };
        assert_eq!(selected(query.clone(), std::slice::from_ref(&keyless)), Err(NoMatch));
        let mut without_binding = query.clone();
        without_binding["credentials"][0]["require_cryptographic_holder_binding"] = json!(false);
        assert!(selected(without_binding, &[keyless]).is_ok());
        let mut under = query;
        under["credentials"][0]["trusted_authorities"] = json!([{"type": "aki", "values": ["BBBB"]}]);
        assert_eq!(selected(under.clone(), &[candidate("v", &claims)]), Err(NoMatch));
        under["credentials"][0]["trusted_authorities"] = json!([{"type": "aki", "values": ["AAAA"]}]);
        assert!(selected(under, &[candidate("v", &claims)]).is_ok());
    }

    #[test]
    fn another_name_of_the_type_fits() {
        let claims = json!({"name": "A"});
        let known_as = Candidate { aka: vec!["urn:pid"], ..candidate("urn:pid:de:1", &claims) };
        let query = json!({"credentials": [asks("d", "urn:pid", json!([{"path": ["name"]}]))]});
        assert!(selected(query, &[known_as]).is_ok());
    }
}
