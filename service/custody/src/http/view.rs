//! Keys as the API shows them. No member can hold a private part: the values come from [`Key`], which has none.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenancy::After;

use crate::key::{Key, Version};
use crate::rotation::{self, Policy};
use crate::state::State;

/// A key.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub(super) struct KeyView {
    /// `key_…`.
    id: String,
    /// What its makers call it.
    label: String,
    /// `api`, or the part of Tessera that made it and alone signs with it.
    owner: String,
    /// `p256`, `p384`, `rsa2048`, `rsa3072`, `rsa4096`, `ed25519`, `secp256k1` or `mldsa44`.
    alg: String,
    /// Where its private parts live.
    keeper: String,
    /// What protects them: `software` stands for this process and its root.
    assurance: String,
    /// What it signs.
    uses: Vec<String>,
    /// State of the version in use; without one, of the newest.
    state: State,
    /// The version in use: active or frozen.
    active_version: Option<u32>,
    /// When it gets a new version.
    rotation: Policy,
    /// When the next version takes over, as far as it is known now.
    next_rotation_at: Option<String>,
    /// Signing policy; this build has none.
    policy: Option<Value>,
    /// When it was made.
    created_at: String,
    /// Newest first.
    versions: Vec<VersionView>,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) after: Option<After>,
}

/// A version of a key.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "KeyVersion")]
struct VersionView {
    /// Counts from 1.
    version: u32,
    /// RFC 7638 thumbprint, base64url.
    kid: String,
    /// Its state.
    state: State,
    /// When it was made.
    created_at: String,
    /// When a pending version is to take over.
    activate_at: Option<String>,
    /// When it began to sign.
    activated_at: Option<String>,
    /// When it retired.
    retired_at: Option<String>,
    /// Until when its public part stays published after that.
    keep_public_until: Option<String>,
    /// When its private part goes, or went.
    destroy_at: Option<String>,
    /// Earliest end of its certificates.
    certificate_ends_at: Option<String>,
}

impl KeyView {
    pub(super) fn of(key: &Key, now: Timestamp) -> Self {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            after: Some(After { at_ms: key.created_at.as_millisecond(), id: key.id.clone() }),
            id: key.id.clone(),
            label: key.label.clone(),
            owner: key.owner.as_str().to_owned(),
            alg: key.alg.as_str().to_owned(),
            keeper: key.keeper.as_str().to_owned(),
            assurance: key.keeper.as_str().to_owned(),
            uses: key.uses.iter().map(ToString::to_string).collect(),
            state: key.state(),
            active_version: key.in_use,
            rotation: key.policy,
            next_rotation_at: text(rotation::next_rotation(&key.policy, &key.aged(), now)),
            policy: None,
            created_at: key.created_at.to_string(),
            versions: key.versions.iter().map(VersionView::of).collect(),
        }
    }
}

impl VersionView {
    fn of(version: &Version) -> Self {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            version: version.number,
            kid: version.kid.clone(),
            state: version.state,
            created_at: version.created_at.to_string(),
            activate_at: text(version.activate_at),
            activated_at: text(version.activated_at),
            retired_at: text(version.retired_at),
            keep_public_until: text(version.keep_public_until),
            destroy_at: text(version.destroy_at),
            certificate_ends_at: text(version.chain.as_ref().map(|chain| chain.until)),
        }
    }
}

/// A rotation policy as it is given: what is left out stays as it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotationForm {
    /// Age at which a version is replaced; 0 = never, least 3,600.
    #[schemars(range(max = 315_576_000))]
    rotate_every_s: Option<u64>,
    /// How long before its use a version is published; at least 3,600.
    #[schemars(range(max = 315_576_000))]
    publish_ahead_s: Option<u64>,
    /// Signatures after which a version is replaced; 0 = no bound.
    #[schemars(range(max = 9_223_372_036_854_775_807_u64))]
    max_uses: Option<u64>,
    /// How long a retired version stays published.
    #[schemars(range(min = 3_600, max = 315_576_000))]
    keep_public_s: Option<u64>,
    /// How long after it retired the private part is destroyed.
    #[schemars(range(max = 315_576_000))]
    destroy_after_s: Option<u64>,
}

impl RotationForm {
    /// The policy with what is given put over `base`.
    pub(super) fn over(self, base: Policy) -> Policy {
        Policy {
            rotate_every_s: self.rotate_every_s.unwrap_or(base.rotate_every_s),
            publish_ahead_s: self.publish_ahead_s.unwrap_or(base.publish_ahead_s),
            max_uses: self.max_uses.unwrap_or(base.max_uses),
            keep_public_s: self.keep_public_s.unwrap_or(base.keep_public_s),
            destroy_after_s: self.destroy_after_s.unwrap_or(base.destroy_after_s),
        }
    }
}
