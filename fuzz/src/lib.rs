//! What each fuzz target does with the bytes it is given, and the fixed parties it does it for.
//!
//! ```text
//!   fuzz_targets/<name>.rs ──▶ crypto | tlog | credential | mdoc | openid | provider | mailbox | relay | doors | seal ::<name>(bytes) ──▶ nothing, or a panic that is a finding
//!                                        │
//!                                input, fixed
//! ```
//!
//! A target asserts more than "no panic" where a text allows it: what is read is written back byte for byte, what one key
//! accepts no other key does, what is issued is read back. What stands behind a signature is reached by signing the fuzzer's
//! own header and payload with a fixed key ([`input::signed`]), so the fuzzer sees the claims and not base64.
//!
//! Start with [`input`]; the seeds of every corpus are written by `examples/seeds`.

pub mod credential;
pub mod crypto;
pub mod doors;
pub mod fixed;
pub mod input;
pub mod mailbox;
pub mod mdoc;
pub mod member;
pub mod openid;
pub mod provider;
pub mod relay;
pub mod seal;
pub mod tlog;

/// What a fuzzer, or a test, gives bytes to.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its binary and of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("cbor", crypto::cbor),
    ("json", crypto::json),
    ("base", crypto::base),
    ("jwk", crypto::jwk),
    ("jws", crypto::jws),
    ("jwe", crypto::jwe),
    ("cose_sign1", crypto::cose_sign1),
    ("cose_key", crypto::cose_key),
    ("certificate", crypto::certificate),
    ("path", crypto::path),
    ("pem", crypto::pem),
    ("spki_and_name", crypto::spki_and_name),
    ("note", tlog::note),
    ("checkpoint", tlog::checkpoint),
    ("tile_path", tlog::tile_path),
    ("bundle", tlog::bundle),
    ("entry", tlog::entry),
    ("proof_file", tlog::proof_file),
    ("vkey", tlog::vkey),
    ("sd_jwt", credential::sd_jwt),
    ("presentation", credential::presentation),
    ("status_list", credential::status_list),
    ("status_token", credential::status_token),
    ("trust_list", credential::trust_list),
    ("dcql", credential::dcql),
    ("claims_path", credential::claims_path),
    ("credential_type", credential::credential_type),
    ("mdoc", mdoc::mdoc),
    ("device_response", mdoc::device_response),
    ("status_cwt", mdoc::status_cwt),
    ("form", openid::form),
    ("client_auth", openid::client_auth),
    ("access_token", openid::access_token),
    ("jwks", openid::jwks),
    ("offer", openid::offer),
    ("issuer_metadata", openid::issuer_metadata),
    ("vci_wallet", openid::vci_wallet),
    ("credential_request", openid::credential_request),
    ("vci_notification", openid::vci_notification),
    ("client_attestation", openid::client_attestation),
    ("proof", openid::proof),
    ("nonce", openid::nonce),
    ("vp_response", openid::vp_response),
    ("request_object", openid::request_object),
    ("presentation_link", openid::presentation_link),
    ("oauth_dpop", provider::oauth_dpop),
    ("oauth_pkce", provider::oauth_pkce),
    ("oidc_request", provider::oidc_request),
    ("oidc_request_object", provider::oidc_request_object),
    ("oidc_token_request", provider::oidc_token_request),
    ("oidc_id_token_hint", provider::oidc_id_token_hint),
    ("body", doors::body),
    ("query", doors::query),
    ("host", doors::host),
    ("outbound", doors::outbound),
    ("ids", doors::ids),
    ("server_certificate", doors::server_certificate),
    ("mailbox_invite", member::invite),
    ("mailbox_hello", member::hello),
    ("mailbox_body", member::body),
    ("mailbox_cell", member::cell),
    ("mailbox_state", member::state),
    ("mailbox_from_client", relay::from_client),
    ("mailbox_from_relay", relay::from_relay),
    ("mailbox_onion", relay::onion),
    ("mailbox_round", relay::round),
    ("mailbox_network", relay::network),
    ("mailbox_member_link", relay::member_link),
    ("decimal", mailbox::decimal),
    ("simulation", mailbox::simulation),
    ("seal_response", seal::seal_response),
    ("seal_context", seal::seal_context),
    ("seal_proof", seal::seal_proof),
    ("seal_text", seal::seal_text),
    ("vds", seal::vds),
    ("own_seal", seal::own_seal),
    ("seal_codings", seal::seal_codings),
    ("signer_certificate", seal::signer_certificate),
    ("webauthn_creation", seal::webauthn_creation),
    ("webauthn_assertion", seal::webauthn_assertion),
];
