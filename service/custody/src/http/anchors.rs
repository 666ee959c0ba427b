//! `/api/v1/trust-anchors`: which certificates the tenant believes, and for what.

use axum::extract::State as Room;
use crypto::hex;
use crypto::x509::{Certificate, pem};
use edge::door::BODY_BYTES_MAX;
use edge::problem::pages as common;
use edge::{Answer, Body, Call, Done, Door, Doors, Path, Permission, Problem, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pages;
use crate::{Anchor, Context, Contexts, Custody};

const READ: Who = Who::Role(Permission::TrustAnchorsRead);
const ADMIN: Who = Who::Role(Permission::TrustAnchorsAdmin);

pub(super) fn doors() -> Doors<Custody> {
    Doors::new()
        .door(
            Door::post("/api/v1/trust-anchors")
                .operation("addTrustAnchor")
                .summary("Believes a certificate for the named purposes")
                .who(ADMIN)
                .body::<AnchorForm>(BODY_BYTES_MAX)
                .answer::<AnchorView>(201, "The anchor")
                .problems(&[&pages::ANCHOR_KNOWN]),
            add,
        )
        .door(
            Door::get("/api/v1/trust-anchors")
                .operation("listTrustAnchors")
                .summary("Every trust anchor of the tenant, the oldest first")
                .who(READ)
                .answer::<AnchorList>(200, "The anchors"),
            list,
        )
        .door(
            Door::delete("/api/v1/trust-anchors/{id}")
                .operation("removeTrustAnchor")
                .summary("Believes a certificate no more; the tenant's own root stays")
                .who(ADMIN)
                .empty(204, "Removed"),
            remove,
        )
}

/// A new trust anchor.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AnchorForm {
    /// One certificate in PEM.
    certificate_pem: String,
    /// `issuer`, `status`, `metadata`, `wallet-provider`, `key-attestation`, `reader`, `list-signer`, `vds`,
    /// `document-seal`.
    #[schemars(length(min = 1, max = 9))]
    contexts: Vec<String>,
    /// For `issuer`: the types it may issue, each a `vct` or doctype, or the beginning of one and `*`.
    #[serde(default)]
    #[schemars(length(max = 64))]
    types: Vec<String>,
}

/// A trust anchor.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TrustAnchor")]
struct AnchorView {
    /// `anc_…`.
    id: String,
    /// Whom the certificate names.
    subject: String,
    /// SHA-256 of the certificate, hexadecimal.
    sha256: String,
    /// What it vouches for.
    contexts: Vec<String>,
    /// The types it may issue.
    types: Vec<String>,
    /// Whether it is the tenant's own root.
    own: bool,
    /// The trust list that brings it, with which it goes.
    list: Option<String>,
    /// When the certificate ends.
    not_after: String,
    /// When it was added.
    created_at: String,
}

/// Trust anchors.
#[derive(Debug, Serialize, JsonSchema)]
struct AnchorList {
    /// The oldest first.
    items: Vec<AnchorView>,
    /// Null: all fit one page.
    next: Option<String>,
}

impl From<&Anchor> for AnchorView {
    fn from(anchor: &Anchor) -> Self {
        Self {
            id: anchor.id.clone(),
            subject: anchor.certificate.subject().to_string(),
            sha256: hex::encode(&anchor.certificate.sha256()),
            contexts: anchor.contexts.iter().map(|context| context.as_str().to_owned()).collect(),
            types: anchor.patterns.clone(),
            own: anchor.is_own,
            list: anchor.list.clone(),
            not_after: anchor.certificate.not_after().to_string(),
            created_at: anchor.created_at.to_string(),
        }
    }
}

/// `POST /api/v1/trust-anchors`.
async fn add(
    Room(custody): Room<Custody>,
    call: Call,
    Body(body): Body<AnchorForm>,
) -> Result<Answer<AnchorView>, Problem> {
    let certificate = certificate(&body.certificate_pem)?;
    let contexts = contexts(&body.contexts)?;
    let (anchor, committed) = custody.add_anchor(&call.ctx, certificate, contexts, body.types).await?;
    Ok(Answer::created(AnchorView::from(&anchor)).event(&committed))
}

/// `GET /api/v1/trust-anchors`.
async fn list(Room(custody): Room<Custody>, call: Call) -> Result<Answer<AnchorList>, Problem> {
    let anchors = custody.all_anchors(&call.ctx).await?;
    Ok(Answer::ok(AnchorList { items: anchors.iter().map(AnchorView::from).collect(), next: None }))
}

/// `DELETE /api/v1/trust-anchors/{id}`.
async fn remove(Room(custody): Room<Custody>, call: Call, Path(id): Path<String>) -> Result<Done, Problem> {
    Ok(Done(custody.remove_anchor(&call.ctx, &id).await?))
}

fn certificate(text: &str) -> Result<Certificate, Problem> {
    let refused =
        |rule: String| Problem::of(&common::INVALID).detail(rule.clone()).at("/certificate_pem", rule);
    let ders = pem::decode_certificates(text).map_err(|fault| refused(fault.to_string()))?;
    let [der] = ders.as_slice() else { return Err(refused("is one certificate in PEM".to_owned())) };
    Certificate::parse(der).map_err(|fault| refused(fault.to_string()))
}

fn contexts(words: &[String]) -> Result<Contexts, Problem> {
    let read = |(index, word): (usize, &String)| {
        let rule =
            "must be issuer, status, metadata, wallet-provider, key-attestation, reader or list-signer";
        Context::parse(word)
            .ok_or_else(|| Problem::of(&common::INVALID).at(format!("/contexts/{index}"), rule))
    };
    let contexts: Vec<Context> = words.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    Ok(Contexts::of(&contexts))
}
