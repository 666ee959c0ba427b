//! VP-040 to VP-044: whether what is shown is what was asked for.

use serde_json::{Map, Value};

use super::{Lines, Registered};
use crate::check::{Check, Detail};
use crate::claims_path::Step;
use crate::dcql::{AKI, ClaimsMatch, ClaimsQuery, CredentialQuery, Meta, claims_match};
use crate::sd_jwt::{Placed, Unfolded};
use crate::trust::{Context, Judged, Trust};

/// VP-040. An alias (`aka_vcts`) counts only if the issuer's anchor vouches for that type as well: an issuer trusted
/// for one type cannot make itself one of another.
pub(super) fn check_type(
    lines: &mut Lines,
    query: &CredentialQuery,
    registered: &Registered,
    judged: Option<&Judged>,
    trust: &Trust<'_>,
) {
    let Meta::Vct(wanted) = &query.meta else {
        return lines.judge(Check::Type, query.meta == Meta::Any, "query/wrong-type", || {
            Detail::none().reason("meta")
        });
    };
    let Some(vct) = &registered.vct else {
        return lines.fail(Check::Type, "query/wrong-type", Detail::none().reason("no-vct"));
    };
    let vouches =
        |kind: &str| judged.is_some_and(|it| it.vouches_for(trust.anchors, Context::Issuer, kind).is_some());
    let alias = |kind: &String| registered.aka_vcts.contains(kind) && vouches(kind);
    let holds = wanted.contains(vct) || wanted.iter().any(alias);
    lines.judge(Check::Type, holds, "query/wrong-type", || {
        Detail::none().number("types_asked", wanted.len() as u64)
    });
}

/// VP-043: `aki` is looked up in the chain; a kind that is not evaluated fails, as it could not have been met.
pub(super) fn check_authorities(lines: &mut Lines, query: &CredentialQuery, judged: Option<&Judged>) {
    if query.trusted_authorities.is_empty() {
        return lines.skip(Check::TrustedAuthorities, "not-asked");
    }
    let Some(judged) = judged else { return lines.skip(Check::TrustedAuthorities, "no-certificates") };
    let ids: Vec<String> = judged.chain().iter().filter_map(|it| it.authority_key_id_text()).collect();
    let holds = query
        .trusted_authorities
        .iter()
        .filter(|authority| authority.kind == AKI)
        .any(|authority| authority.values.iter().any(|value| ids.contains(value)));
    lines.judge(Check::TrustedAuthorities, holds, "query/wrong-authority", Detail::none);
}

/// VP-041, VP-042 and VP-044; the claims that were asked for, if they are all there.
pub(super) fn check_claims(
    lines: &mut Lines,
    query: &CredentialQuery,
    unfolded: Option<Unfolded>,
) -> Option<Map<String, Value>> {
    let Some(Unfolded { claims, placed }) = unfolded else {
        lines.skip_missing(&[Check::Claims, Check::Values, Check::OverDisclosure], "disclosures-invalid");
        return None;
    };
    let mut claims = Value::Object(claims);
    let paths =
        |claims: &[&ClaimsQuery]| Detail::none().paths("paths", claims.iter().map(|claim| &claim.path));
    match claims_match(query, &claims) {
        ClaimsMatch::Met(met) => {
            lines.pass(Check::Claims, Detail::none());
            if met.iter().any(|claim| !claim.values.is_empty()) {
                lines.pass(Check::Values, Detail::none());
            } else {
                lines.skip(Check::Values, "not-asked");
            }
            check_over_disclosure(lines, &met, &placed);
            let paths: Vec<&[Step]> = met.iter().map(|claim| claim.path.steps()).collect();
            match (cut(&mut claims, &paths), claims) {
                (true, Value::Object(members)) => Some(members),
                _ => Some(Map::new()),
            }
        }
        ClaimsMatch::Missing(missing) => {
            lines.fail(Check::Claims, "query/claim-missing", paths(&missing));
            lines.skip(Check::Values, "claim-missing");
            None
        }
        ClaimsMatch::WrongValue(wrong) => {
            lines.pass(Check::Claims, Detail::none());
            lines.fail(Check::Values, "query/wrong-value", paths(&wrong));
            None
        }
    }
}

/// VP-044, of what was asked for and met: a disclosure that is not at such a claim, inside it or on the way to it was shown for
/// nothing. That harms the holder alone, so it is told and not refused.
fn check_over_disclosure(lines: &mut Lines, met: &[&ClaimsQuery], placed: &[Placed]) {
    let asked =
        |place: &[Step]| met.iter().any(|claim| claim.path.covers(place) || claim.path.goes_below(place));
    let extra = placed.iter().filter(|placed| !asked(&placed.place)).count();
    if extra == 0 {
        lines.pass(Check::OverDisclosure, Detail::none());
    } else {
        let detail = Detail::none().number("extra", extra as u64);
        lines.warn(Check::OverDisclosure, "query/over-disclosed", detail);
    }
}

/// Cuts `value` down to what `paths`, seen from it, select, dropping everything else unread; whether anything is left.
fn cut(value: &mut Value, paths: &[&[Step]]) -> bool {
    if paths.iter().any(|path| path.is_empty()) {
        return true;
    }
    let below = |meets: &dyn Fn(&Step) -> bool| -> Vec<&[Step]> {
        paths.iter().filter(|path| meets(&path[0])).map(|path| &path[1..]).collect()
    };
    match value {
        _ if paths.is_empty() => false,
        Value::Object(members) => {
            let named = |name: &str| below(&|step| matches!(step, Step::Name(wanted) if wanted == name));
            members.retain(|name, value| cut(value, &named(name)));
            true
        }
        Value::Array(elements) => {
            let at = |nth: u64| below(&|step| *step == Step::All || *step == Step::Index(nth));
            let mut nth = 0;
            elements.retain_mut(|value| {
                nth += 1;
                cut(value, &at(nth - 1))
            });
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::claims_path::ClaimsPath;

    #[test]
    fn only_what_was_asked_for_is_kept() {
        let mut claims = json!({
            "vct": "v", "name": "Ana", "secret": "canary",
            "degree": {"type": "BSc", "grade": 1}, "courses": [{"name": "a", "mark": 1}, {"name": "b", "mark": 2}],
        });
        let path = |value: Value| ClaimsPath::parse(&value).unwrap();
        let paths = [json!(["name"]), json!(["degree", "type"]), json!(["courses", null, "name"])].map(path);
        let steps: Vec<&[Step]> = paths.iter().map(ClaimsPath::steps).collect();
        let mut shown = claims.clone();
        assert!(cut(&mut shown, &steps));
        assert_eq!(
            shown,
            json!({"name": "Ana", "degree": {"type": "BSc"}, "courses": [{"name": "a"}, {"name": "b"}]})
        );
        assert!(!cut(&mut claims, &[]));
    }
}
