//! Step Sign-in: a shop sends a person to the identity provider; browser, wallet and shop each do their part over HTTP.

mod shop;

use super::outsider::Outsider;
use super::report::{Report, Seen};
use crate::client::Sent;
use seal::code::response::DenyReason;
use seal::scope::{Scope, Scopes};
use serde_json::{Value, json};
use shop::{Browser, Shop};
use std::time::Instant;
use wallet::engine::Wallet;

const STEP: &str = "sign-in";
/// Who signs in; nobody real.
const PERSON: [(&str, &str); 5] = [
    ("given_name", "Ana"),
    ("family_name", "Specimen"),
    ("birth_date", "1990-04-12"),
    ("number", "SPECIMEN-1"),
    ("expiry", "2031-01-01"),
];

/// What was signed in, for the steps after it.
struct Signed {
    code: String,
    age_over_18: bool,
    acr: String,
    consent_hash: String,
}

/// Plays the step.
pub fn step(report: &mut Report, parties: &Outsider) {
    let start = Instant::now();
    let mut shop = None;
    report.check(STEP, "story.relying-party", "a shop is registered and sealed", || {
        let made = Shop::register(parties)?;
        let seen = Seen::new(true, format!("{} may ask for {}", made.client_id, shop::SCOPES));
        shop = Some(made);
        Ok(seen)
    });
    let mut ana = None;
    report.check(STEP, "story.enrolment", "a wallet enrols by an organisation's seal", || {
        let (wallet, seen) = enrolled(parties)?;
        ana = Some(wallet);
        Ok(seen)
    });
    let (Some(shop), Some(mut ana)) = (shop, ana) else {
        report.step(STEP, start, json!({ "sign-in": "not played" }));
        return;
    };
    let mut signed = None;
    report.check(
        STEP,
        "story.sign-in",
        "the shop learns that the person is over 18, and nothing else",
        || {
            let done = sign_in(&shop, &mut ana)?;
            let holds = done.age_over_18 && done.acr == "seal:code";
            let seen = Seen::new(holds, format!("acr {}, consent {}…", done.acr, &done.consent_hash[..8]));
            signed = Some(done);
            Ok(seen)
        },
    );
    report.check(STEP, "attack.wrong-code", "a code that the page does not show approves nothing", || {
        wrong_code(&shop, &mut ana)
    });
    report.check(
        STEP,
        "attack.scope-overreach",
        "a scope that is not registered: refused before a session is",
        || {
            let refused = shop.push("openid identity:full").err().ok_or("it was accepted")?;
            Ok(Seen::refused(refused == "invalid_scope", refused))
        },
    );
    report.ids.insert("relying_party".into(), shop.client_id.clone().into());
    let facts = match &signed {
        Some(signed) => json!({
            "sign-in": "a shop asks whether Ana is over 18",
            "code": format!("browser shows {}, wallet read {}", spaced(&signed.code), spaced(&signed.code)),
            "acr": signed.acr,
            "verified": "shop verified the ID token",
        }),
        None => json!({ "sign-in": "failed" }),
    };
    report.warn(
        "code-can-be-relayed",
        "a sign-in by code alone can be relayed in real time: acr seal:code says so; services that need more ask for phr",
    );
    report.step(STEP, start, facts);
}

fn enrolled(parties: &Outsider) -> Result<(Wallet, Seen), String> {
    let claims: serde_json::Map<String, Value> =
        PERSON.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let issued = parties
        .client()?
        .post("/document-seals", &json!({ "type": "organisation", "claims": claims }), Sent::default())
        .map_err(|failure| failure.what)?;
    let document = issued.get("seal").and_then(Value::as_str).ok_or("no seal")?;
    let document = crypto::base64::url_decode(document).map_err(|_| "the seal is no base64url")?;
    let mut wallet = Wallet::in_memory(&parties.anchors).map_err(|fault| fault.to_string())?;
    let made = wallet.enrol(&parties.issuer(), Some(&document)).map_err(|fault| fault.to_string())?;
    let level = made.assurance.get("level").and_then(Value::as_str).unwrap_or("?").to_owned();
    Ok((wallet, Seen::new(level == "low", format!("device {}, assurance {level}", made.device))))
}

/// From the shop's button to its ID Token.
fn sign_in(shop: &Shop, ana: &mut Wallet) -> Result<Signed, String> {
    let asked = shop.push(shop::SCOPES)?;
    let mut browser = Browser::new()?;
    let session = browser.open(&shop.authorize(&asked))?;
    let claimed = ana.claim(&session.claim_uri).map_err(|fault| fault.to_string())?;
    let code = browser.state(&session)?.code.ok_or("the page shows no code")?;
    let granted = Scopes::from_iter([Scope::AgeOver18]);
    let decided = ana.approve(&claimed, &code, &granted).map_err(|fault| fault.to_string())?;
    if decided.outcome != "approved" {
        return Err(format!("the sign-in was {}: {}", decided.outcome, decided.reason));
    }
    let callback = browser.finish(&session)?;
    let tokens = shop.redeem(&asked, &callback)?;
    let info = shop.userinfo(&tokens)?;
    let only = info
        .as_object()
        .is_some_and(|members| members.keys().all(|name| name == "sub" || name == "age_over_18"));
    let claim = |name: &str| tokens.id_token.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Signed {
        code,
        age_over_18: only && info["age_over_18"] == true,
        acr: claim("acr"),
        consent_hash: Some(claim("consent_hash")).filter(|hash| hash.len() == 43).ok_or("no consent hash")?,
    })
}

/// Somebody shows the person a page of his own making, with a code of his own making.
fn wrong_code(shop: &Shop, ana: &mut Wallet) -> Result<Seen, String> {
    let asked = shop.push(shop::SCOPES)?;
    let mut browser = Browser::new()?;
    let session = browser.open(&shop.authorize(&asked))?;
    let claimed = ana.claim(&session.claim_uri).map_err(|fault| fault.to_string())?;
    let shown = browser.state(&session)?.code.ok_or("the page shows no code")?;
    let made_up = if shown == "000000" { "000001" } else { "000000" };
    let refused = ana.approve(&claimed, made_up, &Scopes::default()).err();
    let denied = ana.deny(&claimed, DenyReason::CodeMismatch).map_err(|fault| fault.to_string())?;
    let told = browser.finish(&session)?;
    let error = told.query_pairs().find(|(name, _)| name == "error").map(|(_, value)| value.into_owned());
    let holds = refused.is_some() && denied.outcome == "denied" && error.as_deref() == Some("access_denied");
    Ok(Seen::refused(holds, error.unwrap_or_else(|| "nothing".to_owned())))
}

fn spaced(code: &str) -> String {
    let (first, second) = code.split_at(code.len() / 2);
    format!("{first} {second}")
}
