//! What wallets read before they enrol: the keys to pin, how they came to be, and what is accepted.

use crate::provision::KEY_SETS_MAX;
use crate::{Enrolling, Idp, store};
use ::store::Ctx;
use crypto::base64;
use crypto::jwk::Jwk;
use custody::{Context, KeyError, SignError};
use schemars::JsonSchema;
use seal::code::answer::BODY_BYTES_MAX;
use seal::code::document::DOCUMENT_BYTES_MAX;
use serde::Serialize;
use serde_json::{Value, json};

/// `/seal/metadata`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SealMetadata")]
pub struct Metadata {
    /// `I`.
    issuer: String,
    /// Protocol versions.
    versions: Vec<&'static str>,
    /// Keys that sign replies (RFC 7517).
    reply_jwks: Value,
    /// S: `{kid, jwk, next?}`.
    agreement: Value,
    /// Sets of the two keys, oldest first, each signed by the reply key of the set before.
    key_chain: Vec<String>,
    /// Certificates of those who sign our own seals, DER in base64url.
    signers: Vec<String>,
    /// Whose documents are accepted: `{kind, context, subject, certificate}`.
    anchors: Vec<Value>,
    /// The relay over which sign-ins are pushed, where one is: `{network, url}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<Value>,
    /// Bounds and rules that a wallet must know.
    limits: Value,
}

/// Why metadata cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// A key is not there.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The root is not there.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] ::store::StoreFault),
}

impl Idp {
    /// The tenant's metadata for wallets.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub async fn seal_metadata(&self, ctx: &Ctx, tenant: &str) -> Result<Metadata, MetadataError> {
        let agreement = self.custody.agreement_key(ctx).await?;
        let reply = self.reply_key(ctx).await?;
        let jwk = |public| Jwk::from_key(public).to_value();
        let mut reply_jwk = jwk(&reply.public);
        reply_jwk["kid"] = reply.kid.into();
        reply_jwk["alg"] = "ES256".into();
        let mut told = json!({ "kid": agreement.kid, "jwk": jwk(&agreement.public) });
        if let Some((kid, public)) = &agreement.next {
            told["next"] = json!({ "kid": kid, "jwk": jwk(public) });
        }
        let mut chain = store::secret::key_sets(&self.store, ctx, KEY_SETS_MAX).await?;
        chain.reverse();
        Ok(Metadata {
            issuer: self.config.issuer(tenant),
            versions: vec!["seal/1"],
            reply_jwks: json!({ "keys": [reply_jwk] }),
            agreement: told,
            key_chain: chain.into_iter().map(|set| set.statement).collect(),
            signers: self
                .custody
                .seal_certificates(ctx)
                .await?
                .iter()
                .map(|der| base64::url_encode(der))
                .collect(),
            anchors: self.accepted(ctx).await?,
            relay: self
                .push_network()
                .map(|over| json!({ "network": crypto::hex::encode(&over.network.id), "url": over.url })),
            limits: json!({
                "body_bytes_max": BODY_BYTES_MAX, "document_bytes_max": DOCUMENT_BYTES_MAX,
                "session_ttl_s": self.config.session_ttl_s,
                "enrolment": match self.config.enrolment {
                    Enrolling::Invited => "invited",
                    Enrolling::Open => "open",
                },
                "unanchored": self.config.unanchored,
            }),
        })
    }

    /// Whose documents are accepted as anchors: the tenant's root first, which wallets pin.
    pub(crate) async fn accepted(&self, ctx: &Ctx) -> Result<Vec<Value>, MetadataError> {
        let all = self.custody.all_anchors(ctx).await?;
        let told = |context: &str, own: bool, certificate: &crypto::x509::Certificate| {
            json!({
                "kind": "vds", "context": context, "own": own,
                "certificate": base64::url_encode(certificate.der()),
            })
        };
        let mut accepted = Vec::new();
        for anchor in &all {
            for context in [Context::DocumentSeal, Context::Vds] {
                let own = anchor.is_own && context == Context::DocumentSeal;
                if own || anchor.contexts.has(context) {
                    accepted.push(told(context.as_str(), anchor.is_own, &anchor.certificate));
                }
            }
        }
        Ok(accepted)
    }
}
