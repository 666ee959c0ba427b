//! `/console/relying-parties`: services that may ask people to sign in, what each proved, and how its page looks.

use super::frame::{Frame, next, shown, time};
use crate::house::House;
use askama::Template;
use axum::extract::State;
use axum::response::Html;
use crypto::{base64, hash};
use edge::cursor::PageQuery;
use edge::problem::pages;
use edge::{Call, Door, Doors, Path, Permission, Problem, Query, Who};
use idp::relying_party::{RelyingParty, State as PartyState};
use idp::relying_party_proof::{PROVED_KEYS, PROVED_ORIGINS, VOUCHED};
use tenancy::After;

const PATH: &str = "/console/relying-parties";
const READ: Who = Who::Operator(Permission::RelyingPartiesRead);

pub fn doors() -> Doors<House> {
    Doors::new()
        .door(
            Door::get("/console/relying-parties")
                .operation("showRelyingParties")
                .summary("Services that may ask people to sign in")
                .who(READ)
                .query::<PageQuery>()
                .answer_of(200, "text/html", "the page"),
            list,
        )
        .door(
            Door::get("/console/relying-parties/{id}")
                .operation("showRelyingPartyPage")
                .summary("One service: what it proved, its seal, its snippet")
                .who(READ)
                .answer_of(200, "text/html", "the page")
                .problems(&[&pages::NOT_FOUND]),
            one,
        )
}

#[derive(Template)]
#[template(path = "console/relying_parties.html")]
struct PartiesPage {
    frame: Frame,
    parties: Vec<PartyLine>,
    next: Option<String>,
}

struct PartyLine {
    id: String,
    name: String,
    origins: String,
    state: &'static str,
    proved: String,
    created_at: String,
}

#[derive(Template)]
#[template(path = "console/relying_party.html")]
struct PartyPage {
    frame: Frame,
    party: PartyLine,
    legal_name: String,
    scopes: String,
    redirect_uris: Vec<String>,
    auth_method: String,
    acr_min: String,
    keys: usize,
    seal: Option<String>,
    sealed_until: String,
    issuer: String,
    attempt: Option<Attempt>,
}

/// A request that the service did not make: people see its page, and what comes of it is of no use to anybody.
struct Attempt {
    authorize: String,
    redirect_uri: String,
    scope: String,
    code_challenge: String,
}

async fn list(
    State(house): State<House>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Html<String>, Problem> {
    let page = query.page()?;
    let mut found = house.idp.relying_parties(&call.ctx, &page.after, page.read_limit()).await?;
    let key = |party: &RelyingParty| After { at_ms: party.created_at_ms, id: party.client_id.clone() };
    let next = next(&mut found, &page, ("/relying-parties", ""), key);
    let same = ("tessera relying-party list", "GET /api/v1/relying-parties");
    shown(&PartiesPage {
        frame: Frame::of(&call, PATH, "Relying parties", same),
        parties: found.iter().map(line).collect(),
        next,
    })
}

async fn one(
    State(house): State<House>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Html<String>, Problem> {
    let found = house.idp.relying_party(&call.ctx, &id).await?;
    let party = found.ok_or_else(|| Problem::of(&pages::NOT_FOUND))?;
    let issuer = house.idp.config().issuer(call.tenant_name());
    let (cli, api) =
        (format!("tessera relying-party show {id}"), format!("GET /api/v1/relying-parties/{id}"));
    shown(&PartyPage {
        frame: Frame::of(&call, PATH, &party.metadata.name, (&cli, &api)),
        attempt: attempt(&call, &party, &issuer),
        party: line(&party),
        legal_name: party.metadata.legal_name,
        scopes: party.metadata.scopes.join(" "),
        redirect_uris: party.metadata.redirect_uris,
        auth_method: party.metadata.auth_method,
        acr_min: party.metadata.acr_min,
        keys: party.keys.len(),
        sealed_until: party.sealed_until_ms.map(time).unwrap_or_default(),
        seal: party.seal_id,
        issuer,
    })
}

fn line(party: &RelyingParty) -> PartyLine {
    PartyLine {
        id: party.client_id.clone(),
        name: party.metadata.name.clone(),
        origins: party.metadata.origins.join(" "),
        state: match party.state {
            PartyState::PendingProof => "waits for its proof",
            PartyState::Proved => "proved, its seal is being made",
            PartyState::Active => "active",
        },
        proved: proved(party),
        created_at: time(party.created_at_ms),
    }
}

/// What a service proved, in words.
fn proved(party: &RelyingParty) -> String {
    if party.state == PartyState::PendingProof {
        return "nothing yet".to_owned();
    }
    let words = [
        (PROVED_KEYS, "holds its keys"),
        (PROVED_ORIGINS, "holds its origins"),
        (VOUCHED, "an operator vouched for its origins"),
    ];
    let bits = party.proof_bits();
    let said: Vec<&str> = words.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, words)| *words).collect();
    said.join(", ")
}

/// Only for services whose requests may come through the browser: the others sign or push theirs.
fn attempt(call: &Call, party: &RelyingParty, issuer: &str) -> Option<Attempt> {
    let may = party.state == PartyState::Active && !party.metadata.require_par;
    let redirect_uri = party.metadata.redirect_uris.first().filter(|_| may)?;
    Some(Attempt {
        authorize: format!("{issuer}/authorize"),
        redirect_uri: redirect_uri.clone(),
        scope: "openid".to_owned(),
        // Of a verifier that nobody has: the code at the end redeems nothing.
        code_challenge: base64::url_encode(&hash::sha256(&call.ctx.random::<32>())),
    })
}
