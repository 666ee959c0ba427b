//! Forms of our own doors.

use crypto::base64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes as unpadded base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Base64Url(#[schemars(regex(pattern = r"^[A-Za-z0-9_-]*$"))] pub(super) String);

impl Base64Url {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(base64::url_encode(bytes))
    }

    pub(super) fn array<const N: usize>(&self) -> Option<[u8; N]> {
        base64::url_decode(&self.0).ok()?.try_into().ok()
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct IdentityAnswer {
    /// Ed25519 key of the relay.
    pub(super) identity: Base64Url,
    /// SHA-256 of the first manifest, hexadecimal.
    pub(super) network: String,
    /// Version of the manifest in force.
    pub(super) manifest_version: u32,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ChallengeAnswer {
    /// 32 bytes, good once.
    pub(super) challenge: Base64Url,
    /// Unix milliseconds.
    pub(super) expires_at_ms: u64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JoinBody {
    /// Code of the member link, 16 bytes.
    pub(super) code: Base64Url,
    /// Member key, 32 bytes.
    pub(super) key: Base64Url,
    /// From `POST /relay/v1/challenges`.
    pub(super) challenge: Base64Url,
    /// Schnorr proof, 64 bytes.
    pub(super) proof: Base64Url,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct JoinAnswer {
    /// `mbr_…`.
    pub(super) member: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberBody {
    /// Member key, 32 bytes; none for a one-time link.
    #[serde(default)]
    pub(super) key: Option<Base64Url>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct MadeAnswer {
    /// The member, where a key was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) member: Option<String>,
    /// The one-time link, where none was: it is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct MemberItem {
    /// `mbr_…`.
    pub(super) id: String,
    /// `active` or `suspended`.
    pub(super) state: String,
    /// Days since 1970.
    pub(super) added_day: i64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct MemberList {
    /// Members in the order of their ids.
    pub(super) items: Vec<MemberItem>,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberQuery {
    /// Id after which the page begins.
    #[serde(default)]
    pub(super) after: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct PrivacyAnswer {
    /// SHA-256 of the first manifest, hexadecimal.
    pub(super) network: String,
    /// Whether this is a development network.
    pub(super) dev: bool,
    /// `off` or `required`.
    pub(super) tokens: &'static str,
    /// What holds against whom, in words.
    pub(super) guarantee: String,
    /// Total ε, a decimal text.
    pub(super) epsilon: String,
    /// Total δ, a decimal text.
    pub(super) delta: String,
    /// Noise that hops add.
    pub(super) mechanism: &'static str,
    /// Distinct operators.
    pub(super) trust_domains: usize,
    /// Hops of a cascade.
    pub(super) hops: u32,
    /// Rounds that were published and are kept.
    pub(super) rounds_published: u64,
    /// Audit rounds: none with one relay.
    pub(super) rounds_audited: u64,
    /// Links that are open now.
    pub(super) links_open: usize,
    /// What is not hidden.
    pub(super) not_protected: Vec<&'static str>,
}
