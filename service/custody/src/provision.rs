//! What a tenant and the instance have from the start: roots, signers with their leaves, the access-token key, the keys of logs.
//!
//! ```text
//! tenancy::create_tenant ── Prepare ──▶ root ─▶ first anchor ─▶ issuer, list and request signers, each with a leaf
//! first start ── provision_system ──▶ access-token key ─▶ edge's token check
//! ```
//! Everything here is found if it is there and made if it is not, so a crash in the middle is mended by calling again.

use std::pin::Pin;

use crypto::key::{KeyAlg, PublicKey};
use crypto::x509::Certificate;
use store::{CommitError, Ctx, Unit, id};
use tenancy::Tenant;

use crate::anchor::{self, Anchor, AnchorError, Context, Contexts};
use crate::chain::LeafNames;
use crate::key::{Key, Owner};
use crate::make::{KeyError, RoomKey};
use crate::rotation::Policy;
use crate::store as rows;
use crate::usage::Use;
use crate::{Custody, token};

/// The use of the SD-JWT VC signer.
pub const SD_JWT_USE: &str = "jws:dc+sd-jwt";
/// The use of the status-list signer.
pub const LIST_USE: &str = "jws:statuslist+jwt";
/// The use of the signer of presentation requests.
pub const REQUEST_USE: &str = "jws:oauth-authz-req+jwt";

/// The use of a relay's identity key.
pub const RELAY_USE: &str = "relay:statement";

/// The public parts of a log's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeys {
    /// The Ed25519 key.
    pub ed25519: PublicKey,
    /// The ML-DSA-44 key.
    pub mldsa44: PublicKey,
}

impl Custody {
    /// Makes the keys of a tenant: its root, which is its first anchor, and a leaf for each signer. `ctx` acts inside the tenant,
    /// whose wrapping keys and log are there; `name` is its name in paths.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn provision(&self, ctx: &Ctx, name: &str) -> Result<(), KeyError> {
        self.store().ensure_tenant_keys(ctx).await?;
        let identifier = self.identifier(name);
        self.make_root(ctx, &format!("{name} root")).await?;
        self.make_own_anchor(ctx, &identifier).await?;
        let by_uri = |role: &str| LeafNames {
            common_name: format!("{name} {role}"),
            country: None,
            san_uri: Some(identifier.clone()),
            san_dns: None,
        };
        let by_host = LeafNames {
            common_name: format!("{name} verifier"),
            country: None,
            san_uri: None,
            san_dns: Some(self.host().to_owned()),
        };
        let signers = [
            (Owner::Issuer, SD_JWT_USE, "credential signer", by_uri("issuer")),
            (Owner::Issuer, LIST_USE, "status list signer", by_uri("status list signer")),
            (Owner::Verifier, REQUEST_USE, "request signer", by_host),
        ];
        for (owner, one, label, names) in signers {
            let policy = self.config().rotation;
            let key = RoomKey { owner, alg: KeyAlg::P256, uses: &[one], label, names: Some(names), policy };
            self.make_key(ctx, &key).await?;
        }
        Ok(())
    }

    /// Makes the access-token key of the instance and hands its public part to the token check. `ctx` acts for the system tenant.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn provision_system(&self, ctx: &Ctx) -> Result<(), KeyError> {
        self.store().ensure_tenant_keys(ctx).await?;
        let key = RoomKey {
            owner: Owner::Custody,
            alg: KeyAlg::P256,
            uses: &[token::USE],
            label: "access tokens",
            names: None,
            policy: self.config().rotation,
        };
        self.make_key(ctx, &key).await?;
        self.publish_token_keys(ctx).await?;
        Ok(())
    }

    /// Makes the two keys of a log, unless they stand, and answers their public parts. `ctx` acts for the system tenant, which holds
    /// all log keys; they are not rotated by the job.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] if `origin` cannot name a log, else as [`Custody::make_key`].
    pub async fn provision_log(&self, ctx: &Ctx, origin: &str) -> Result<LogKeys, KeyError> {
        self.store().ensure_tenant_keys(ctx).await?;
        let one = Use::note(origin).ok_or(KeyError::NotFound)?;
        let make = |alg| {
            let never = Policy { rotate_every_s: 0, ..Policy::default() };
            let uses = [one.as_str()];
            async move {
                let key = RoomKey {
                    owner: Owner::Audit,
                    alg,
                    uses: &uses,
                    label: "log key",
                    names: None,
                    policy: never,
                };
                self.make_key(ctx, &key).await.and_then(public_of)
            }
        };
        Ok(LogKeys { ed25519: make(KeyAlg::Ed25519).await?, mldsa44: make(KeyAlg::MlDsa44).await? })
    }

    /// Makes the identity key of the tenant's relay, unless it stands, and answers its public part. It is named in manifests, so the
    /// job does not rotate it.
    ///
    /// # Errors
    /// As [`Custody::make_key`].
    pub async fn provision_relay(&self, ctx: &Ctx) -> Result<PublicKey, KeyError> {
        let never = Policy { rotate_every_s: 0, ..Policy::default() };
        let key = RoomKey {
            owner: Owner::Relay,
            alg: KeyAlg::Ed25519,
            uses: &[RELAY_USE],
            label: "relay identity",
            names: None,
            policy: never,
        };
        self.make_key(ctx, &key).await.and_then(public_of)
    }

    /// The certificate of the tenant's root.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn root_certificate(&self, ctx: &Ctx) -> Result<Option<Certificate>, KeyError> {
        let root = rows::signer_of_slot(self.store(), ctx, crate::chain::ROOT_USE).await?;
        let chain = root.and_then(|root| root.version.chain);
        Ok(chain.and_then(|chain| Certificate::parse(chain.certificates.first()?).ok()))
    }

    /// The tenant's own root vouches for its own types, lists, metadata and requests.
    async fn make_own_anchor(&self, ctx: &Ctx, identifier: &str) -> Result<(), KeyError> {
        let Some(certificate) = self.root_certificate(ctx).await? else { return Err(KeyError::NotFound) };
        let known = rows::anchors(self.store(), ctx).await?;
        if known.iter().any(|anchor| anchor.certificate.sha256() == certificate.sha256()) {
            return Ok(());
        }
        let anchor = Anchor {
            id: id::new(ctx, "anc"),
            certificate,
            contexts: Contexts::of(&[Context::Issuer, Context::Status, Context::Metadata, Context::Reader]),
            patterns: vec![format!("{identifier}/vct/*")],
            is_own: true,
            list: None,
            created_at: ctx.now,
        };
        let unit = Unit::new(anchor::added(&anchor)).guard(rows::put_anchor(&anchor), AnchorError::Known);
        match self.store().commit(ctx, unit).await {
            Ok(_) | Err(CommitError::Lost(_)) => Ok(()),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }
}

impl tenancy::Prepare for Custody {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Ctx,
        tenant: &'a Tenant,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move { self.provision(ctx, &tenant.name).await.map_err(|error| error.to_string()) })
    }
}

fn public_of(key: Key) -> Result<PublicKey, KeyError> {
    key.versions.into_iter().next().map(|version| version.public).ok_or(KeyError::NotFound)
}
