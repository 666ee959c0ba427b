//! Step Credential: a diploma is offered, redeemed by a wallet, shown to a verifier, and judged.

use super::outsider::Outsider;
use super::report::{Report, Seen};
use crate::client::{Client, Sent};
use serde_json::{Value, json};
use std::time::Instant;
use wallet::engine::{Choice, Outcome, Wallet};

const STEP: &str = "credential";

/// What the step leaves for those after it.
pub struct Shown {
    /// Ana's wallet, with her diploma.
    pub wallet: Wallet,
    /// The credential, `crd_…`.
    pub credential: String,
    /// The verification that accepted it, `ver_…`.
    pub verification: String,
}

/// Plays the step.
pub fn step(report: &mut Report, parties: &Outsider) -> Option<Shown> {
    let start = Instant::now();
    let mut ana = Wallet::in_memory(&parties.anchors).ok();
    let mut credential = None;
    report.check(STEP, "story.credential", "a wallet redeems the offer and checks what it gets", || {
        let ana = ana.as_mut().ok_or("no wallet")?;
        let client = parties.client()?;
        let offer = offer(&client)?;
        let held = ana.accept(&offer.uri, None, &mut |_| true).map_err(|fault| fault.to_string())?;
        let degree = held.value().pointer("/degree/type").and_then(Value::as_str) == Some("BSc");
        credential = Some(offer.credential);
        Ok(Seen::new(degree, format!("{} of {}, bound to a key of the wallet", held.vct, parties.own.name)))
    });
    let mut verification = None;
    report.check(STEP, "story.presentation", "the verifier accepts one claim and learns no other", || {
        let ana = ana.as_mut().ok_or("no wallet")?;
        let client = parties.client()?;
        let asked = ask(parties, &client)?;
        let answered =
            ana.present(&asked.uri, &Choice::default(), &mut |_| true).map_err(|fault| fault.to_string())?;
        let result = client.get(&format!("/verification/{}", asked.id)).map_err(|f| f.what)?;
        let claims = result.pointer("/credentials/d/0/claims").cloned().unwrap_or_default();
        let holds = matches!(answered.outcome, Outcome::Delivered)
            && result["state"] == "verified"
            && claims == json!({ "degree": { "type": "BSc" } });
        let checks = result.pointer("/report/checks").and_then(Value::as_array).map_or(0, Vec::len);
        verification = Some(asked.id);
        Ok(Seen::new(holds, format!("state {}, {checks} checks, claims {claims}", result["state"])))
    });
    let (Some(wallet), Some(credential), Some(verification)) = (ana, credential, verification) else {
        report.step(STEP, start, json!({ "diploma": "not issued" }));
        return None;
    };
    note_ids(report, parties, &credential);
    let facts = json!({
        "diploma": "a diploma for Ana Specimen by OpenID4VCI",
        "shown": "shown to a verifier by OpenID4VP",
    });
    report.step(STEP, start, facts);
    Some(Shown { wallet, credential, verification })
}

fn note_ids(report: &mut Report, parties: &Outsider, credential: &str) {
    report.ids.insert("credential_type".into(), "diploma".into());
    report.ids.insert("sd_jwt".into(), credential.into());
    let status = parties.client().and_then(|client| {
        client.get(&format!("/credentials/{credential}/status")).map_err(|failure| failure.what)
    });
    let index = status.ok().and_then(|status| status.pointer("/copies/0/status_list/idx").cloned());
    report.ids.insert("status_index".into(), index.unwrap_or_default());
}

/// An offer as the issuer's client gets it.
pub struct Offer {
    /// `crd_…`
    pub credential: String,
    /// Opens a wallet.
    pub uri: String,
}

/// Offers Ana's diploma.
pub fn offer(client: &Client) -> Result<Offer, String> {
    let body = json!({
        "credential_configuration_id": "diploma",
        "claims": { "given_name": "Ana", "family_name": "Specimen", "degree": { "type": "BSc" } },
        "subject_ref": "specimen-student-4711",
    });
    let made = client.post("/credentials/issue", &body, Sent::default()).map_err(|f| f.what)?;
    Ok(Offer { credential: member(&made, "id")?, uri: member(&made, "offer_uri")? })
}

/// A request as the verifier's client gets it.
pub struct Asked {
    /// `ver_…`
    pub id: String,
    /// Opens a wallet.
    pub uri: String,
}

/// Asks for the degree and nothing else.
pub fn ask(parties: &Outsider, client: &Client) -> Result<Asked, String> {
    let vct = format!("{}/vct/diploma", parties.issuer());
    let query = json!({ "credentials": [
        { "id": "d", "format": "dc+sd-jwt", "meta": { "vct_values": [vct] }, "claims": [{ "path": ["degree", "type"] }] }
    ] });
    let made = client
        .post("/verification/request", &json!({ "dcql_query": query }), Sent::default())
        .map_err(|f| f.what)?;
    Ok(Asked { id: member(&made, "id")?, uri: member(&made, "authorization_request_uri")? })
}

fn member(value: &Value, name: &str) -> Result<String, String> {
    value
        .get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| format!("the answer has no {name}"))
}
