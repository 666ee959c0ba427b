//! Every check of the issuing doors, numbered, with its clause and the code that its failure answers.

use crate::oauth::{ErrorCode, OauthError};
use std::fmt;

/// Writes the enum and its tables from one list, so that number, title, clause, code and test cannot drift apart.
macro_rules! checks {
    ($($name:ident $id:literal $code:ident $clause:literal $title:literal $test:literal;)+) => {
        /// One numbered check of the issuing doors.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Check {
            $(#[doc = concat!($id, ": ", $title, " (", $clause, ").")] $name,)+
        }

        impl Check {
            /// Every check, in the order of its number.
            pub const ALL: &'static [Check] = &[$(Check::$name,)+];

            /// Stable number, such as `VCI-024`.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Check::$name => $id,)+ }
            }

            /// What holds when the check passes.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Check::$name => $title,)+ }
            }

            /// The clause that asks for it.
            #[must_use]
            pub fn clause(self) -> &'static str {
                match self { $(Check::$name => $clause,)+ }
            }

            /// The code that a failure answers.
            #[must_use]
            pub fn code(self) -> ErrorCode {
                match self { $(Check::$name => ErrorCode::$code,)+ }
            }

            /// What a failure tells the wallet's developer.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Check::$name => concat!($id, " failed; what must hold: ", $title),)+ }
            }

            /// The test that shows a failure.
            #[must_use]
            pub fn test(self) -> &'static str {
                match self { $(Check::$name => $test,)+ }
            }
        }
    };
}

checks! {
    TokenRequestForm "VCI-001" InvalidRequest "OpenID4VCI 1.0, 6.1"
        "the token request is a strict form with a pre-authorised code"
        "a_token_request_without_a_code_is_invalid_request";
    GrantTypeServed "VCI-002" UnsupportedGrantType "RFC 6749, 5.2"
        "the grant type is served"
        "a_grant_type_that_is_not_served_is_unsupported_grant_type";
    CodeLive "VCI-003" InvalidGrant "OpenID4VCI 1.0, 6.3"
        "the code is known, unspent and in time"
        "an_expired_or_spent_code_is_invalid_grant";
    NoTxCode "VCI-004" InvalidRequest "OpenID4VCI 1.0, 6.3"
        "no transaction code comes where none was asked for"
        "a_transaction_code_that_nobody_asked_for_is_invalid_request";
    NoAuthorizationDetails "VCI-005" InvalidAuthorizationDetails "RFC 9396, 5"
        "no authorization details are asked for, as this build serves none"
        "authorization_details_are_refused_by_name";
    TxCodeThere "VCI-006" InvalidRequest "OpenID4VCI 1.0, 6.1 and 6.3"
        "a transaction code comes where one is asked for"
        "a_missing_transaction_code_is_invalid_request_and_costs_no_try";
    TxCodeRight "VCI-007" InvalidGrant "OpenID4VCI 1.0, 6.3"
        "the transaction code is the right one, and a try was left for it"
        "a_wrong_transaction_code_is_invalid_grant";
    TokenLive "VCI-010" InvalidToken "OpenID4VCI 1.0, 8.3.1.1; RFC 6750, 3.1"
        "the access token is known and in time"
        "an_expired_access_token_is_invalid_token";
    TokenPlace "VCI-011" InvalidRequest "RFC 6750, 2.3; RFC 9700, 4.3.2"
        "the access token is not in the query"
        "an_access_token_in_the_query_is_invalid_request";
    RoundsLeft "VCI-012" CredentialRequestDenied "OpenID4VCI 1.0, 8.3.1.2"
        "the grant still has a request left"
        "a_grant_without_rounds_is_credential_request_denied";
    RequestForm "VCI-013" InvalidCredentialRequest "OpenID4VCI 1.0, 8.2"
        "the request is strict JSON of the right types"
        "a_malformed_request_is_invalid_credential_request";
    OneWish "VCI-014" InvalidCredentialRequest "OpenID4VCI 1.0, 8.2"
        "exactly one of credential_identifier and credential_configuration_id is there"
        "both_ways_to_name_a_credential_or_none_are_invalid_credential_request";
    IdentifierKnown "VCI-015" UnknownCredentialIdentifier "OpenID4VCI 1.0, 8.3.1.2"
        "the credential identifier was given out with this token"
        "an_identifier_that_was_never_given_out_is_unknown_credential_identifier";
    ConfigurationKnown "VCI-016" UnknownCredentialConfiguration "OpenID4VCI 1.0, 8.3.1.2"
        "the configuration belongs to this grant"
        "a_configuration_outside_the_grant_is_unknown_credential_configuration";
    NoResponseEncryption "VCI-017" InvalidEncryptionParameters "OpenID4VCI 1.0, 8.2"
        "no response encryption is asked for, as the metadata offers none"
        "asking_for_response_encryption_is_invalid_encryption_parameters";
    ProofsThere "VCI-020" InvalidProof "OpenID4VCI 1.0, 8.2 and 8.3.1.2"
        "proofs of exactly one type are there"
        "missing_or_mixed_proofs_are_invalid_proof";
    ProofTypeServed "VCI-021" InvalidProof "OpenID4VCI 1.0, 8.2 and 12.2.4"
        "the proof type is served"
        "a_proof_type_that_is_not_served_is_invalid_proof";
    ProofCount "VCI-022" InvalidProof "OpenID4VCI 1.0, 8.2 and 12.2.4"
        "no more proofs than the metadata's batch size"
        "more_proofs_than_the_batch_size_are_invalid_proof";
    ProofParses "VCI-023" InvalidProof "OpenID4VCI 1.0, F.1"
        "the proof is a compact JWS with a JSON object inside"
        "a_proof_that_is_no_jws_is_invalid_proof";
    ProofTyp "VCI-024" InvalidProof "OpenID4VCI 1.0, F.1"
        "typ is openid4vci-proof+jwt"
        "a_proof_of_another_typ_is_invalid_proof";
    ProofAlg "VCI-025" InvalidProof "OpenID4VCI 1.0, F.1 and 12.2.4"
        "alg is in the metadata and fits the key"
        "a_proof_by_an_algorithm_outside_the_metadata_is_invalid_proof";
    ProofKeyNamed "VCI-026" InvalidProof "OpenID4VCI 1.0, F.1"
        "the key is named by jwk alone"
        "a_proof_that_names_its_key_by_kid_or_x5c_is_invalid_proof";
    ProofKeyPublic "VCI-027" InvalidProof "OpenID4VCI 1.0, F.1; RFC 7517"
        "jwk is a usable key without private members"
        "a_private_key_in_jwk_is_invalid_proof";
    ProofNoAttestation "VCI-028" InvalidProof "OpenID4VCI 1.0, F.1"
        "no key attestation is sent, as the metadata asks for none"
        "a_key_attestation_that_nobody_asked_for_is_invalid_proof";
    ProofAudience "VCI-029" InvalidProof "OpenID4VCI 1.0, F.1"
        "aud is this issuer's identifier"
        "a_proof_for_another_issuer_is_invalid_proof";
    ProofTime "VCI-030" InvalidProof "OpenID4VCI 1.0, F.1 and F.4"
        "iat is at most 300 s old and 60 s ahead"
        "a_proof_that_is_too_old_or_from_the_future_is_invalid_proof";
    ProofClient "VCI-031" InvalidProof "OpenID4VCI 1.0, F.1"
        "iss, if there, is the client of the grant"
        "a_proof_of_another_client_is_invalid_proof";
    ProofHasNonce "VCI-032" InvalidProof "OpenID4VCI 1.0, 8.3.1.2 and F.4"
        "every proof carries a nonce"
        "a_proof_without_a_nonce_is_invalid_proof";
    NonceGenuine "VCI-033" InvalidNonce "OpenID4VCI 1.0, 7.2 and F.4"
        "the nonce is ours, for this tenant, in time and unspent"
        "a_nonce_of_another_tenant_is_invalid_nonce";
    OneNonce "VCI-034" InvalidNonce "OpenID4VCI 1.0, 7.2 and F.4"
        "all proofs of a request carry one nonce"
        "proofs_with_different_nonces_are_invalid_nonce";
    ProofSignature "VCI-035" InvalidProof "OpenID4VCI 1.0, F.4"
        "the signature verifies by the key inside the proof"
        "a_proof_signed_by_another_key_is_invalid_proof";
    KeysDistinct "VCI-036" InvalidProof "OpenID4VCI 1.0, 8.2 and F.4"
        "no two proofs carry the same key"
        "the_same_key_twice_is_invalid_proof";
    DpopForm "VCI-040" InvalidDpopProof "RFC 9449, 4.3"
        "one DPoP header at most, and a JWS of its typ by a public key in it and an algorithm of the metadata"
        "a_dpop_proof_that_cannot_be_read_is_invalid_dpop_proof";
    DpopHolds "VCI-041" InvalidDpopProof "RFC 9449, 4.3"
        "the DPoP proof is signed by its key, for this method, address, access token and moment"
        "a_dpop_proof_for_another_door_token_or_moment_is_invalid_dpop_proof";
    DpopNonce "VCI-042" UseDpopNonce "RFC 9449, 8 and 9"
        "the nonce of the DPoP proof, where one is sent or asked for, is ours and in time"
        "a_dpop_nonce_that_is_missing_old_or_of_another_kind_is_use_dpop_nonce";
    DpopUnused "VCI-043" InvalidDpopProof "RFC 9449, 11.1"
        "the DPoP proof was not used before"
        "a_dpop_proof_a_second_time_is_invalid_dpop_proof";
    DpopBound "VCI-044" InvalidToken "RFC 9449, 7.1 and 7.2"
        "a token that is bound to a key comes as DPoP with a proof by that key, any other one as Bearer"
        "a_bound_token_without_its_key_is_invalid_token";
    AttestationPair "VCI-050" InvalidClient "Attestation-based client authentication, draft 07, 6"
        "client attestation and proof of possession come together, each once, as JWS of their typ"
        "an_attestation_without_its_proof_or_of_another_typ_is_refused";
    AttestationTrusted "VCI-051" InvalidClient "OpenID4VC HAIP 1.0, 4.4.1; attestation-based client authentication, draft 07, 8"
        "the certificates of the attestation lead to an anchor for wallet providers"
        "an_attestation_under_another_anchor_is_refused";
    AttestationHolds "VCI-052" InvalidClient "Attestation-based client authentication, draft 07, 5.1"
        "the attestation is signed by its certificate, names client and key, and is in time"
        "an_attestation_expired_without_sub_or_signed_by_another_key_is_refused";
    AttestationPop "VCI-053" InvalidClient "Attestation-based client authentication, draft 07, 5.2"
        "the proof of possession is signed by the attested key, for this server and this moment"
        "a_proof_of_possession_for_another_server_or_by_another_key_is_refused";
    AttestationClient "VCI-054" InvalidClient "Attestation-based client authentication, draft 07, 6.3"
        "client_id, if there, is the attested client"
        "an_attestation_of_another_client_is_refused";
    AttestationUnused "VCI-055" InvalidClient "Attestation-based client authentication, draft 07, 12.1"
        "the proof of possession was not used before"
        "a_proof_of_possession_a_second_time_spends_the_same";
    AttestationThere "VCI-056" InvalidClient "OpenID4VC HAIP 1.0, 4.4.1"
        "a client attestation comes where this issuer asks for one"
        "a_wallet_without_attestation_is_refused_where_one_is_asked_for";
    NotificationForm "VCI-060" InvalidNotificationRequest "OpenID4VCI 1.0, 11.1 and 11.3"
        "the notification is strict JSON with an id and a known event"
        "a_malformed_notification_is_invalid_notification_request";
    NotificationKnown "VCI-061" InvalidNotificationId "OpenID4VCI 1.0, 11.3"
        "the notification id was given out to this grant"
        "a_notification_id_of_nobody_or_of_another_grant_is_invalid_notification_id";
}

/// Why nothing was issued: the first check that failed, and which proof failed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssueRefusal {
    /// The check.
    pub check: Check,
    /// Index of the culprit in the proofs array, where a proof is to blame.
    pub proof: Option<usize>,
}

impl IssueRefusal {
    /// A refusal that no single proof is to blame for.
    #[must_use]
    pub fn of(check: Check) -> IssueRefusal {
        IssueRefusal { check, proof: None }
    }
}

impl fmt::Display for IssueRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.check.id(), self.check.title())?;
        match self.proof {
            Some(index) => write!(f, " (proof {index})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for IssueRefusal {}

impl From<Check> for IssueRefusal {
    fn from(check: Check) -> IssueRefusal {
        IssueRefusal::of(check)
    }
}

impl From<IssueRefusal> for OauthError {
    fn from(refusal: IssueRefusal) -> OauthError {
        OauthError::of(refusal.check.code(), refusal.check.description())
    }
}

/// The rows of `docs/checks/vci.md`: one Markdown table row per check, with a head line.
#[must_use]
pub fn markdown_table() -> String {
    let mut table = String::from("| id | check | clause | code | test |\n|---|---|---|---|---|\n");
    for check in Check::ALL {
        let (id, title, clause, code) = (check.id(), check.title(), check.clause(), check.code().as_str());
        table.push_str(&format!("| {id} | {title} | {clause} | `{code}` | `{}` |\n", check.test()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests that a check may name stand in these files.
    const TESTS: &[&str] = &[
        include_str!("code.rs"),
        include_str!("request.rs"),
        include_str!("grant.rs"),
        include_str!("possession.rs"),
        include_str!("notification.rs"),
        include_str!("../oauth/client_attestation.rs"),
    ];

    #[test]
    fn every_test_that_a_check_names_exists() {
        for check in Check::ALL {
            let line = format!("fn {}()", check.test());
            assert!(TESTS.iter().any(|source| source.contains(&line)), "{}: no {line}", check.id());
        }
    }

    #[test]
    fn ids_grow_and_the_table_has_a_row_for_each() {
        assert!(Check::ALL.is_sorted_by(|a, b| a.id() < b.id()));
        assert_eq!(markdown_table().lines().count(), Check::ALL.len() + 2);
    }

    #[test]
    fn descriptions_use_only_the_characters_that_oauth_allows() {
        for check in Check::ALL {
            let allowed = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(check.description().bytes().all(allowed), "{}", check.id());
        }
    }
}
