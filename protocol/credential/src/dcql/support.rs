//! What this build does not serve yet.

use super::{AKI, CredentialQuery, Format, Query};
use crate::pointer::{Pointer, PointerError};

/// The members of our own query that this build would not honour, each with its place, so that a service refuses them
/// aloud (422) and never ignores one in silence. Empty: the query is served whole.
pub fn unsupported(query: &Query) -> Vec<PointerError> {
    let at = Pointer::Root.member("credentials");
    let mut faults = Vec::new();
    for (nth, credential) in query.credentials.iter().enumerate() {
        unsupported_in(credential, &at.index(nth), &mut faults);
    }
    faults
}

fn unsupported_in(credential: &CredentialQuery, at: &Pointer<'_>, faults: &mut Vec<PointerError>) {
    if credential.format != Format::SdJwtVc {
        faults.push(at.member("format").error("this build verifies dc+sd-jwt"));
    }
    // An authority that nobody evaluates would let no presentation pass, or worse, look as if it had been checked.
    for (nth, authority) in credential.trusted_authorities.iter().enumerate() {
        if authority.kind != AKI {
            let place = at.member("trusted_authorities");
            let place = place.index(nth);
            faults.push(place.member("type").error("this build evaluates aki; it knows no trusted lists"));
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
    fn a_query_with_every_member_for_sd_jwt_credentials_is_served_whole() {
        let query = json!({
            "credentials": [
                {"id": "d", "format": "dc+sd-jwt", "multiple": true, "meta": {"vct_values": ["v"]},
                 "trusted_authorities": [{"type": "aki", "values": ["AAAA"]}],
                 "require_cryptographic_holder_binding": false,
                 "claims": [{"id": "a", "path": ["n"]}, {"id": "b", "path": ["m"], "values": [1]}],
                 "claim_sets": [["a"], ["b"]]},
                {"id": "e", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}}],
            "credential_sets": [{"options": [["d"], ["e"]]}],
        });
        assert!(pointers(query).is_empty());
    }

    #[test]
    fn every_member_that_is_not_served_is_named() {
        let query = json!({"credentials": [
            {"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]},
             "trusted_authorities": [{"type": "aki", "values": ["AAAA"]}, {"type": "etsi_tl", "values": ["https://l.example"]}]},
            {"id": "e", "format": "mso_mdoc", "meta": {"doctype_value": "x"}}]});
        assert_eq!(pointers(query), ["/credentials/0/trusted_authorities/1/type", "/credentials/1/format"]);
    }
}
