//! Issuer metadata (OpenID4VCI 1.0, 12.2): only what this build serves, as a wallet uses what it sees.

use crate::wire::{self, WireError};
use crypto::key::SignAlg;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Suffix of the well-known address.
pub const WELL_KNOWN: &str = "openid-credential-issuer";

/// Most bytes of an issuer's metadata that a wallet reads: hundreds of configurations with logos by address.
pub const ISSUER_METADATA_BYTES_MAX: usize = 1024 * 1024;

/// `format` of an SD-JWT VC.
pub const SD_JWT_VC: &str = "dc+sd-jwt";

/// What an issuer offers and where; members this build does not use are ignored when read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IssuerMetadata {
    /// Issuer identifier, compared byte by byte.
    pub credential_issuer: String,
    /// Authorization servers; the issuer is its own when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_servers: Vec<String>,
    /// Where credentials are asked for.
    pub credential_endpoint: String,
    /// Where nonces come from; absent when proofs need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce_endpoint: Option<String>,
    /// Where wallets tell what became of credentials; absent when nobody listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_endpoint: Option<String>,
    /// Present when several proofs may come in one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_credential_issuance: Option<BatchIssuance>,
    /// The issuer's names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<Value>,
    /// Configurations by id.
    pub credential_configurations_supported: BTreeMap<String, CredentialConfiguration>,
}

/// Bounds of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchIssuance {
    /// Most proofs of one request.
    pub batch_size: usize,
}

/// One kind of credential in one format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CredentialConfiguration {
    /// `dc+sd-jwt`, `mso_mdoc`, …
    pub format: String,
    /// Scope that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Type of an SD-JWT VC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vct: Option<String>,
    /// Algorithms the credential is signed with: JOSE names, or COSE numbers for an mdoc.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credential_signing_alg_values_supported: Vec<Value>,
    /// How a credential is bound to the holder's key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cryptographic_binding_methods_supported: Vec<String>,
    /// Proof types by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub proof_types_supported: BTreeMap<String, ProofType>,
    /// How a wallet shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_metadata: Option<CredentialMetadata>,
}

/// What a proof type asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProofType {
    /// JOSE names of the algorithms.
    pub proof_signing_alg_values_supported: Vec<String>,
    /// Present when the wallet must attest its keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_attestations_required: Option<Value>,
}

/// How a wallet shows a credential and its claims.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CredentialMetadata {
    /// Names, logos, colours by locale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<Value>,
    /// Claims by path, with names by locale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Value>,
}

impl CredentialConfiguration {
    /// A holder-bound SD-JWT VC whose proofs are plain `jwt` ones.
    #[must_use]
    pub fn sd_jwt_vc(
        vct: &str,
        scope: &str,
        signed_by: SignAlg,
        proofs_by: &[SignAlg],
    ) -> CredentialConfiguration {
        let proof_signing_alg_values_supported =
            proofs_by.iter().map(|alg| alg.jws_name().to_owned()).collect();
        let jwt = ProofType { proof_signing_alg_values_supported, key_attestations_required: None };
        CredentialConfiguration {
            format: SD_JWT_VC.to_owned(),
            scope: Some(scope.to_owned()),
            vct: Some(vct.to_owned()),
            credential_signing_alg_values_supported: vec![Value::from(signed_by.jws_name())],
            cryptographic_binding_methods_supported: vec!["jwk".to_owned()],
            proof_types_supported: BTreeMap::from([("jwt".to_owned(), jwt)]),
            credential_metadata: None,
        }
    }
}

impl IssuerMetadata {
    /// Reads an issuer's metadata, as a wallet gets it.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<IssuerMetadata, WireError> {
        wire::read(bytes, ISSUER_METADATA_BYTES_MAX)
    }
}
