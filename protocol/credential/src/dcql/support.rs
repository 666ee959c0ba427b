//! What this build does not serve yet.

use super::{CredentialQuery, Format, Query};
use crate::pointer::{Pointer, PointerError};

/// The members of our own query that this build would not honour, each with its place, so that a service refuses them
/// aloud (422) and never ignores one in silence. Empty: the query is served whole.
pub fn unsupported(query: &Query) -> Vec<PointerError> {
    let root = Pointer::Root;
    let mut faults = Vec::new();
    let at = root.member("credentials");
    for (nth, credential) in query.credentials.iter().enumerate() {
        if nth > 0 {
            faults.push(at.index(nth).error("this build asks for one credential at a time"));
        } else {
            unsupported_in(credential, &at.index(nth), &mut faults);
        }
    }
    if !query.credential_sets.is_empty() {
        faults.push(root.member("credential_sets").error("this build does not evaluate credential_sets"));
    }
    faults
}

fn unsupported_in(credential: &CredentialQuery, at: &Pointer<'_>, faults: &mut Vec<PointerError>) {
    let mut refuse = |member: &str, detail: &str| faults.push(at.member(member).error(detail));
    if credential.format != Format::SdJwtVc {
        refuse("format", "this build verifies dc+sd-jwt");
    }
    if credential.multiple {
        refuse("multiple", "this build takes one presentation");
    }
    if !credential.trusted_authorities.is_empty() {
        refuse("trusted_authorities", "this build does not evaluate trusted_authorities");
    }
    if !credential.require_holder_binding {
        refuse("require_cryptographic_holder_binding", "this build wants the holder's key");
    }
    if !credential.claim_sets.is_empty() {
        refuse("claim_sets", "this build does not evaluate claim_sets");
    }
    for (nth, claim) in credential.claims.iter().flatten().enumerate() {
        if !claim.values.is_empty() {
            let detail = "this build does not evaluate values";
            faults.push(at.member("claims").index(nth).member("values").error(detail));
        }
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "json! values read best when handed over")]
mod tests {
    use serde_json::{Value, json};

    use super::super::Reader;
    use super::*;

    fn pointers(query: Value) -> Vec<String> {
        let query = Query::parse(&query, Reader::Own).unwrap();
        unsupported(&query).into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn one_credential_with_plain_claims_is_served_whole() {
        let query = json!({"credentials": [
            {"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}, "claims": [{"path": ["degree", "type"]}]}]});
        assert!(pointers(query).is_empty());
    }

    #[test]
    fn every_member_that_is_not_served_is_named() {
        let query = json!({
            "credentials": [
                {"id": "d", "format": "mso_mdoc", "multiple": true, "meta": {"doctype_value": "x"},
                 "trusted_authorities": [{"type": "aki", "values": ["AAAA"]}],
                 "require_cryptographic_holder_binding": false,
                 "claims": [{"id": "a", "path": ["n", "e"]}, {"id": "b", "path": ["n", "f"], "values": [1]}],
                 "claim_sets": [["a"]]},
                {"id": "e", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}}],
            "credential_sets": [{"options": [["d"], ["e"]]}],
        });
        assert_eq!(
            pointers(query),
            [
                "/credentials/0/format",
                "/credentials/0/multiple",
                "/credentials/0/trusted_authorities",
                "/credentials/0/require_cryptographic_holder_binding",
                "/credentials/0/claim_sets",
                "/credentials/0/claims/1/values",
                "/credentials/1",
                "/credential_sets"
            ]
        );
    }
}
