//! `POST /api/v1/trust-anchors/test`: whether a chain leads to an anchor, and if not, where it breaks.

use axum::extract::State as Room;
use credential::trust::{Context, JudgeError, Judged, PathCache, Trust};
use crypto::x509::pem;
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::problem::pages as common;
use edge::{Answer, Body, Call, Door, Doors, Permission, Problem, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Custody;

pub(super) fn doors() -> Doors<Custody> {
    Doors::new().door(
        Door::post("/api/v1/trust-anchors/test")
            .operation("testTrustPath")
            .summary(
                "Whether a chain of certificates leads to an anchor, and if not, where it breaks and why",
            )
            .who(Who::Role(Permission::TrustAnchorsRead))
            .body::<TrialForm>(SMALL_BODY_BYTES_MAX)
            .answer::<TrialView>(200, "The verdict, as VP-014 to VP-016 of a report have it"),
        test,
    )
}

/// A chain and what it should vouch for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrialForm {
    /// One to five certificates in PEM, the signer first.
    chain_pem: String,
    /// `issuer`, `status`, `metadata`, `wallet-provider`, `key-attestation`, `reader`, `list-signer`.
    context: String,
    /// For `issuer`: the type that it should vouch for, a `vct` or doctype.
    r#type: Option<String>,
}

/// What became of a chain.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TrustPathTest")]
struct TrialView {
    /// `vouched` or `refused`.
    verdict: &'static str,
    /// The anchor that vouches.
    anchor: Option<String>,
    /// The first moment at which a certificate of the path ends.
    ends_at: Option<String>,
    /// Why it is refused: `no-anchor`, `anchor-in-chain`, `self-signed-leaf`, `wrong-order`, `not-a-ca`, `path-too-long`, `expired`,
    /// `not-yet-valid`, `bad-signature`, `wrong-context`, `eku`, `name-mismatch`, or `other-types`: an anchor vouches for other
    /// types than this.
    reason: Option<String>,
    /// The certificate at fault, by its place in the chain; the chain's length means the anchor.
    certificate: Option<usize>,
    /// With `no-anchor` and `wrong-context`: the anchor that is nearest by name or key.
    nearest: Option<Value>,
    /// The certificates: subject, serial, key identifiers, dates, SHA-256.
    chain: Vec<Value>,
}

/// `POST /api/v1/trust-anchors/test`.
async fn test(
    Room(custody): Room<Custody>,
    call: Call,
    Body(body): Body<TrialForm>,
) -> Result<Answer<TrialView>, Problem> {
    let refused = |place: &str, rule: String| {
        Problem::of(&common::INVALID).detail(rule.clone()).at(place.to_owned(), rule)
    };
    let context = Context::parse(&body.context).ok_or_else(|| {
        let names = Context::ALL.map(Context::as_str).join(", ");
        refused("/context", format!("is one of {names}"))
    })?;
    let chain = pem::decode_certificates(&body.chain_pem)
        .map_err(|fault| refused("/chain_pem", fault.to_string()))?;
    let anchors = custody.believed(&call.ctx).await?;
    let trust = Trust { anchors: &anchors, cache: &PathCache::new(), haip: false };
    let judged = trust
        .judge(&chain, context, call.ctx.now)
        .map_err(|fault: JudgeError| refused("/chain_pem", fault.to_string()))?;
    let vouching = judged.vouches_for(&anchors, context, body.r#type.as_deref().unwrap_or_default());
    let untyped = context == Context::Issuer && body.r#type.is_none();
    Ok(Answer::ok(view(&judged, vouching.map(|anchor| anchor.id.clone()), untyped)))
}

/// `untyped`: nobody asked for a type, so the path alone decides.
fn view(judged: &Judged, anchor: Option<String>, untyped: bool) -> TrialView {
    let chain = judged.chain().iter().map(|facts| facts.to_value()).collect();
    let refused = |reason: String, certificate| TrialView {
        verdict: "refused",
        anchor: None,
        ends_at: None,
        reason: Some(reason),
        certificate,
        nearest: judged.nearest().map(|facts| facts.to_value()),
        chain,
    };
    match judged.path() {
        Err(fault) => refused(fault.reason.to_string(), Some(fault.certificate)),
        Ok(_) if anchor.is_none() && !untyped => refused("other-types".to_owned(), None),
        Ok(path) => TrialView {
            verdict: "vouched",
            anchor,
            ends_at: Some(path.ends_at.to_string()),
            reason: None,
            certificate: None,
            nearest: None,
            chain: judged.chain().iter().map(|facts| facts.to_value()).collect(),
        },
    }
}
