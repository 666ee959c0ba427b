//! `/console/passkeys`: an operator's own.

use super::frame::{Frame, shown, step_up, time};
use super::sign_in::{
    ChallengeView, PASSKEY_BUSY, PASSKEY_REFUSED, STEP_UP, TokenForm, challenge_view, refused,
};
use crate::house::House;
use askama::Template;
use axum::extract::State;
use axum::response::{Html, Redirect};
use edge::door::SMALL_BODY_BYTES_MAX;
use edge::problem::pages;
use edge::token::Principal;
use edge::{Answer, Call, Door, Doors, Form, Path, Permission, Problem, Who};
use store::Ctx;

const PATH: &str = "/console/passkeys";
const OWN: Who = Who::Operator(Permission::Own);

pub fn doors() -> Doors<House> {
    Doors::new()
        .door(
            Door::get("/console/passkeys")
                .operation("showOperatorPasskeys")
                .summary("The operator's own passkeys")
                .who(OWN)
                .answer_of(200, "text/html", "the page"),
            page,
        )
        .door(
            Door::post("/console/passkeys/challenge")
                .operation("beginOperatorPasskey")
                .summary("A challenge for a new passkey")
                .who(OWN)
                .form::<TokenForm>(SMALL_BODY_BYTES_MAX)
                .answer::<ChallengeView>(200, "the challenge")
                .problems(&[&PASSKEY_BUSY]),
            begin,
        )
        .door(
            Door::post("/console/passkeys")
                .operation("addOperatorPasskey")
                .summary("Adds what the browser made")
                .who(OWN)
                .form::<CreationForm>(SMALL_BODY_BYTES_MAX)
                .empty(303, "to the list")
                .problems(&[&PASSKEY_REFUSED, &pages::INVALID, &STEP_UP]),
            add,
        )
        .door(
            Door::post("/console/passkeys/{id}/remove")
                .operation("removeOperatorPasskey")
                .summary("Removes a passkey")
                .who(OWN)
                .form::<TokenForm>(SMALL_BODY_BYTES_MAX)
                .empty(303, "to the list")
                .problems(&[&pages::NOT_FOUND, &STEP_UP]),
            remove,
        )
}

/// What `navigator.credentials.create` gave, in base64url, and what the operator calls it.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by name; this describes it")]
struct CreationForm {
    form_token: String,
    label: String,
    client_data_json: String,
    attestation_object: String,
}

#[derive(Template)]
#[template(path = "console/passkeys.html")]
struct PasskeysPage {
    frame: Frame,
    user: String,
    passkeys: Vec<PasskeyLine>,
}

struct PasskeyLine {
    id: String,
    label: String,
    synced: bool,
    created_at: String,
    used_at: String,
}

async fn page(State(house): State<House>, call: Call) -> Result<Html<String>, Problem> {
    let (home, operator) = own(&call)?;
    let found = house.tenancy.operator_passkeys(&home, &operator).await?;
    let line = |passkey: tenancy::passkey::OperatorPasskey| PasskeyLine {
        id: passkey.id,
        label: passkey.label,
        synced: passkey.synced,
        created_at: time(passkey.created_at.as_millisecond()),
        used_at: time(passkey.used_at.as_millisecond()),
    };
    shown(&PasskeysPage {
        frame: Frame::of(&call, PATH, "Your passkeys", ("", "")),
        passkeys: found.into_iter().map(line).collect(),
        user: operator,
    })
}

async fn begin(State(house): State<House>, call: Call) -> Result<Answer<ChallengeView>, Problem> {
    let (home, operator) = own(&call)?;
    let challenge = house.tenancy.passkey_challenge(&home, Some(&operator)).await.map_err(refused)?;
    Ok(Answer::ok(challenge_view(&house, &challenge, &operator)))
}

async fn add(State(house): State<House>, call: Call, Form(form): Form) -> Result<Redirect, Problem> {
    step_up(&call)?;
    let (home, operator) = own(&call)?;
    let bytes =
        |name: &str| crypto::base64::url_decode(form.get(name).unwrap_or_default()).unwrap_or_default();
    let (data, object) = (bytes("client_data_json"), bytes("attestation_object"));
    let origin = house.edge.config().console_base();
    let label = form.get("label").unwrap_or_default();
    let added = house.tenancy.add_operator_passkey(&home, (origin, &operator, label), (&data, &object)).await;
    added.map_err(refused)?;
    Ok(Redirect::to(PATH))
}

async fn remove(State(house): State<House>, call: Call, Path(id): Path<String>) -> Result<Redirect, Problem> {
    step_up(&call)?;
    let (home, operator) = own(&call)?;
    house.tenancy.remove_operator_passkey(&home, &operator, &id).await.map_err(refused)?;
    Ok(Redirect::to(PATH))
}

/// The operator, in their own tenant, wherever they act.
fn own(call: &Call) -> Result<(Ctx, String), Problem> {
    let Principal { home, id, .. } =
        call.principal.as_ref().ok_or_else(|| Problem::of(&pages::SIGNED_OUT))?;
    Ok((call.ctx.for_tenant(home.clone()), id.clone()))
}
