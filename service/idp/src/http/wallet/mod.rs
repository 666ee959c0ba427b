//! The wallets' doors of Seal. Every request but the first carries `Seal-Proof`; what a wallet acts upon is signed by the reply key.
//!
//! ```text
//! metadata ─► enrolling: begin, complete ─► device: itself, consents, inbox; push ─► session: claim, look, renew, answer
//! ```
//! Who calls is settled in [`caller`] before any of them runs.

mod caller;
mod device;
mod enrolling;
mod push;
mod session;

use super::refusal;
use crate::metadata::Metadata;
use crate::{Idp, page};
use axum::extract::State;
use axum::response::Html;
use edge::{Answer, Call, Door, Doors, Problem, Who};

pub(super) use caller::Device;

/// What a browser without a wallet sees behind a link that is meant for one.
const HELP_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Open this with your wallet</title></head>\n\
<body><main><h1>Open this with your wallet</h1><p>This link is for a wallet that signs you in without a password. \
Scan the code on the first device with it, or open the link on the device that has it.</p></main></body>\n</html>\n";

pub(super) fn doors() -> Doors<Idp> {
    public().and(enrolling::doors()).and(device::doors()).and(push::doors()).and(session::doors())
}

fn public() -> Doors<Idp> {
    let metadata = |path, operation| {
        Door::get(path)
            .operation(operation)
            .summary("What a wallet reads before it enrols: keys to pin, their chain, what is accepted")
            .who(Who::Tenant)
            .answer::<Metadata>(200, "the metadata")
            .problems(&[&page::SIGNER_EXPIRING])
            .cors()
    };
    let help = |path, operation| {
        Door::get(path)
            .operation(operation)
            .summary("The page behind a link that is meant for a wallet")
            .who(Who::Tenant)
            .answer_of(200, "text/html", "the page")
            .page()
    };
    Doors::new()
        .door(metadata("/t/{tenant}/seal/metadata", "fetchSealMetadata"), show_metadata)
        .door(metadata("/.well-known/tessera-seal/t/{tenant}", "fetchSealMetadataInserted"), show_metadata)
        .door(help("/t/{tenant}/seal/s/{sid}", "showClaimHelp"), help_page)
        .door(help("/t/{tenant}/seal/enrol", "showEnrolHelp"), help_page)
}

/// What any door of an enrolled device may answer.
pub(super) const DEVICE_PROBLEMS: &[&edge::Page] = &[
    &page::PROOF_INVALID,
    &page::ENROLMENT_REVOKED,
    &page::ENROLMENT_LOCKED,
    &page::ENROLMENT_WAITING,
    &page::NEEDS_OPERATOR,
    &page::UNKNOWN_SESSION,
    &page::OUT_OF_TURN,
    &page::SIGNER_EXPIRING,
];

async fn show_metadata(State(idp): State<Idp>, call: Call) -> Result<Answer<Metadata>, Problem> {
    let told = idp.seal_metadata(&call.ctx, call.tenant_name()).await;
    Ok(Answer::ok(told.map_err(refusal::metadata)?))
}

async fn help_page() -> Html<&'static str> {
    Html(HELP_PAGE)
}
