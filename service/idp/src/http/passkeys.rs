//! Passkeys: what a wallet does about them, and the page and doors by which a browser adds one.

use super::browser::malformed;
use super::refusal;
use super::wallet::{DEVICE_PROBLEMS, Device};
use crate::passkey::PasskeyError;
use crate::{Idp, page, pages};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::limit::Class;
use edge::problem::pages as common;
use edge::{Answer, Call, Door, Doors, Path, Problem, Who};
use serde::{Deserialize, Serialize};

pub(super) fn doors() -> Doors<Idp> {
    passkey_doors().and(wallet_doors())
}

fn wallet_doors() -> Doors<Idp> {
    let at = |door: Door| door.who(Who::Tenant).problems(DEVICE_PROBLEMS).cors();
    Doors::new()
        .door(
            at(Door::post("/t/{tenant}/seal/passkeys/ticket"))
                .operation("askForPasskeyTicket")
                .summary("A link by which one passkey may be added for the person of this device, once, for five minutes")
                .answer::<TicketView>(201, "the link"),
            ask_ticket,
        )
        .door(
            at(Door::get("/t/{tenant}/seal/passkeys"))
                .operation("listOwnPasskeys")
                .summary("The person's passkeys")
                .answer::<PasskeysView>(200, "the passkeys"),
            list_passkeys,
        )
        .door(
            at(Door::delete("/t/{tenant}/seal/passkeys/{id}"))
                .operation("removeOwnPasskey")
                .summary("Removes a passkey of the person")
                .empty(204, "it is gone"),
            remove_passkey,
        )
}

/// A link for a browser.
#[derive(Serialize, schemars::JsonSchema)]
struct TicketView {
    /// The page; the ticket stands in its fragment, which reaches no server.
    url: String,
    /// When it ends.
    expires_at: String,
}

/// The person's passkeys.
#[derive(Serialize, schemars::JsonSchema)]
struct PasskeysView {
    /// Oldest first.
    items: Vec<PasskeyItem>,
}

/// A passkey.
#[derive(Serialize, schemars::JsonSchema)]
struct PasskeyItem {
    /// `pky_…`.
    id: String,
    /// Whether it may be copied between devices.
    synced: bool,
    /// Whether its maker vouches for it.
    attested: bool,
    /// When it was added.
    created_at: String,
    /// When it was last used.
    used_at: String,
}

async fn ask_ticket(State(idp): State<Idp>, device: Device) -> Result<Answer<TicketView>, Problem> {
    let (call, own) = (&device.call, &device.enrolment);
    let spend = idp.spend_proof(&call.ctx, &own.id, &device.proof);
    let (ticket, until_ms) =
        idp.passkey_ticket(&call.ctx, (&own.person, &own.id), spend).await.map_err(wallet_problem)?;
    let url = format!("{}/passkeys#{}", idp.config().issuer(call.tenant_name()), ticket.expose());
    Ok(Answer::created(TicketView { url, expires_at: crate::signin::at(until_ms).to_string() }))
}

async fn list_passkeys(State(idp): State<Idp>, device: Device) -> Result<Answer<PasskeysView>, Problem> {
    let found = idp.passkeys(&device.call.ctx, &device.enrolment.person).await?;
    let at = |ms| crate::signin::at(ms).to_string();
    let item = |line: crate::passkey::PasskeyLine| PasskeyItem {
        id: line.id,
        synced: line.synced,
        attested: line.attested,
        created_at: at(line.created_at_ms),
        used_at: at(line.used_at_ms),
    };
    Ok(Answer::ok(PasskeysView { items: found.into_iter().map(item).collect() }))
}

async fn remove_passkey(
    State(idp): State<Idp>,
    Path((_, id)): Path<(String, String)>,
    device: Device,
) -> Result<StatusCode, Problem> {
    let (ctx, own) = (&device.call.ctx, &device.enrolment);
    let spend = idp.spend_proof(ctx, &own.id, &device.proof);
    match idp.remove_passkey(ctx, &own.person, &id, spend).await.map_err(wallet_problem)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::of(&common::NOT_FOUND).recorded()),
    }
}

fn wallet_problem(fault: PasskeyError) -> Problem {
    match fault {
        PasskeyError::Replayed => refusal::signin(crate::signin::SigninError::Replayed).recorded(),
        other => passkey_problem(other),
    }
}

fn passkey_doors() -> Doors<Idp> {
    Doors::new()
        .door(
            Door::get("/t/{tenant}/idp/passkeys")
                .operation("showPasskeyPage")
                .summary("The page on which a passkey is added; its ticket stands in the fragment")
                .who(Who::Tenant)
                .rate(Class::Page)
                .answer_of(200, "text/html", "the page")
                .page(),
            passkey_page,
        )
        .door(
            Door::post("/t/{tenant}/idp/passkeys/begin")
                .operation("beginPasskey")
                .summary("The challenge behind a ticket; spends nothing")
                .who(Who::Tenant)
                .rate(Class::Code)
                .body::<TicketForm>(SMALL_BODY_BYTES_MAX)
                .answer::<BegunView>(200, "challenge and user id")
                .problems(&[&page::PASSKEY_TICKET]),
            begin_passkey,
        )
        .door(
            Door::post("/t/{tenant}/idp/passkeys")
                .operation("addPasskey")
                .summary("Adds a passkey by a ticket, once (WebAuthn Level 3, 7.1)")
                .who(Who::Tenant)
                .rate(Class::Code)
                .body::<PasskeyForm>(SMALL_BODY_BYTES_MAX)
                .answer::<AddedView>(201, "its id")
                .problems(&[&page::PASSKEY_TICKET, &page::PASSKEY_REFUSED]),
            add_passkey,
        )
}

/// A ticket.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct TicketForm {
    /// From the fragment of the link.
    ticket: String,
}

/// What a browser makes a passkey with.
#[derive(Serialize, schemars::JsonSchema)]
struct BegunView {
    /// base64url.
    challenge: String,
    /// base64url.
    user_id: String,
}

/// What a browser made.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasskeyForm {
    /// From the fragment of the link.
    ticket: String,
    /// base64url.
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    /// base64url.
    #[serde(rename = "attestationObject")]
    attestation_object: String,
}

/// A passkey that was added.
#[derive(Serialize, schemars::JsonSchema)]
struct AddedView {
    /// `pky_…`.
    id: String,
}

async fn passkey_page(State(idp): State<Idp>, call: Call) -> Html<String> {
    let issuer = idp.config().issuer(call.tenant_name());
    let url = format!("{issuer}/passkeys");
    Html(pages::passkeys(&idp.assets(), idp.rp_id(), &issuer, &url))
}

async fn begin_passkey(
    State(idp): State<Idp>,
    call: Call,
    edge::Body(form): edge::Body<TicketForm>,
) -> Result<Answer<BegunView>, Problem> {
    let begun = idp.begin_passkey(&call.ctx, &form.ticket).await.map_err(passkey_problem)?;
    let text = |bytes: &[u8]| crypto::base64::url_encode(bytes);
    Ok(Answer::ok(BegunView { challenge: text(&begun.challenge), user_id: text(&begun.user_id) }))
}

async fn add_passkey(
    State(idp): State<Idp>,
    call: Call,
    edge::Body(form): edge::Body<PasskeyForm>,
) -> Result<Answer<AddedView>, Problem> {
    let bytes = |text: &str| crypto::base64::url_decode(text).map_err(|_| malformed());
    let (data, object) = (bytes(&form.client_data_json)?, bytes(&form.attestation_object)?);
    let id = idp.add_passkey(&call.ctx, &form.ticket, (&data, &object)).await.map_err(passkey_problem)?;
    Ok(Answer::created(AddedView { id }))
}

fn passkey_problem(fault: PasskeyError) -> Problem {
    match fault {
        PasskeyError::Ticket => Problem::of(&page::PASSKEY_TICKET),
        // The refusal's event stands with the ticket that it spent.
        PasskeyError::Creation(_) | PasskeyError::Known | PasskeyError::Replayed => {
            Problem::of(&page::PASSKEY_REFUSED).recorded()
        }
        PasskeyError::Store(fault) => fault.into(),
    }
}
