//! Step Sign-in: a shop sends a person to the identity provider; browser, wallet and shop each do their part over HTTP.

mod passkey;
mod shop;

use super::member::{self, Member};
use super::outsider::Outsider;
use super::report::{Report, Seen};
use crate::client::Sent;
use mailbox::client::Client;
use mailbox::network::Class;
use passkey::Passkey;
use seal::code::response::DenyReason;
use seal::scope::{Scope, Scopes};
use serde_json::{Value, json};
use shop::{Browser, Shop};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wallet::engine::Wallet;
use wallet::engine::relay::{Pushed, Stay, Told};

const STEP: &str = "sign-in";
/// Rounds that the wallet listens at most; a push takes three.
const ROUNDS_MAX: u64 = 48;
/// How long the wallet may take until it hears fast rounds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The request that no code alone fulfils (OpenID Connect Core 1.0, 5.5.1.1).
const PHISHING_RESISTANT: &str = r#"{"id_token":{"acr":{"essential":true,"value":"phr"}}}"#;
/// Where the proxy's page seems to be.
const PROXY_ORIGIN: &str = "http://login.evil.localhost:4998";
const PROXY_HOST: &str = "login.evil.localhost";
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
    round: u64,
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
    report.check(
        STEP,
        "story.enrolment",
        "a wallet enrols by an organisation's seal, and has sign-ins pushed",
        || {
            let (person, seen) = enrolled(parties)?;
            ana = Some(person);
            Ok(seen)
        },
    );
    let (Some(shop), Some(mut ana)) = (shop, ana) else {
        report.step(STEP, start, json!({ "sign-in": "not played" }));
        return;
    };
    let mut signed = None;
    report.check(
        STEP,
        "story.sign-in",
        "the shop learns that the person is over 18, and nothing else; the wallet hears of it by the relay",
        || {
            let done = sign_in(&shop, &mut ana)?;
            let holds = done.age_over_18 && done.acr == "seal:code";
            let seen = Seen::new(
                holds,
                format!(
                    "pushed in round {}, acr {}, consent {}…",
                    done.round,
                    done.acr,
                    &done.consent_hash[..8]
                ),
            );
            signed = Some(done);
            Ok(seen)
        },
    );
    attacks(report, parties, &shop, &mut ana.member.wallet);
    report.ids.insert("relying_party".into(), shop.client_id.clone().into());
    let facts = match &signed {
        Some(signed) => json!({
            "sign-in": "a shop asks whether Ana is over 18",
            "code": format!("browser shows {}, wallet read {}", spaced(&signed.code), spaced(&signed.code)),
            "push": format!("push by Relay, round {}, one 512-byte cell", signed.round),
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

/// What somebody else tries.
fn attacks(report: &mut Report, parties: &Outsider, shop: &Shop, wallet: &mut Wallet) {
    report.check(STEP, "attack.wrong-code", "a code that the page does not show approves nothing", || {
        wrong_code(shop, wallet)
    });
    report.check(
        STEP,
        "attack.phishing-relay",
        "a page on another name that relays in real time: fails where the shop asks for phr (by code alone it would sign in)",
        || phishing_relay(parties, shop, wallet),
    );
    report.check(
        STEP,
        "attack.scope-overreach",
        "a scope that is not registered: refused before a session is",
        || {
            let refused = shop.push("openid identity:full").err().ok_or("it was accepted")?;
            Ok(Seen::refused(refused == "invalid_scope", refused))
        },
    );
}

/// Who signs in: a member of the relay whose wallet is enrolled.
struct Person {
    member: Member,
    handle: String,
}

fn enrolled(parties: &Outsider) -> Result<(Person, Seen), String> {
    let claims: serde_json::Map<String, Value> =
        PERSON.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let issued = parties
        .client()?
        .post("/document-seals", &json!({ "type": "organisation", "claims": claims }), Sent::default())
        .map_err(|failure| failure.what)?;
    let document = issued.get("seal").and_then(Value::as_str).ok_or("no seal")?;
    let document = crypto::base64::url_decode(document).map_err(|_| "the seal is no base64url")?;
    let mut wallet = member::joined(parties, "Ana (specimen)")?;
    let made = wallet.enrol(&parties.issuer(), Some(&document)).map_err(|fault| fault.to_string())?;
    let level = made.assurance.get("level").and_then(Value::as_str).unwrap_or("?").to_owned();
    let sign_ins = if made.pushes { "sign-ins pushed" } else { "sign-ins asked for" };
    let observed = format!("device {}, assurance {level}, {sign_ins}", made.device);
    let person = Person { member: Member::new(wallet)?, handle: made.handle };
    Ok((person, Seen::new(level == "low" && made.pushes, observed)))
}

/// From the shop's button to its ID Token: the browser names the wallet, and the wallet hears of it in a round of the relay.
fn sign_in(shop: &Shop, ana: &mut Person) -> Result<Signed, String> {
    let asked = shop.push(shop::SCOPES)?;
    let mut browser = Browser::new()?;
    let session = browser.open(&shop.authorize(&asked))?;
    let handle = json!({ "handle": ana.handle });
    let (is_listening, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let pushed = std::thread::scope(|scope| {
        let listening = scope.spawn(|| hear(&mut ana.member, &is_listening, &over));
        let start = Instant::now();
        while !is_listening.load(Ordering::SeqCst) && !listening.is_finished() && start.elapsed() < PATIENCE {
            std::thread::sleep(LOOK_EVERY);
        }
        let posted = browser.post(&session, "handle", &handle);
        over.store(posted.is_err(), Ordering::SeqCst);
        let pushed = listening.join().map_err(|_| "the wallet broke off".to_owned())?;
        posted?;
        pushed
    })?;
    let signin = pushed.signin.map_err(|refusal| refusal.to_string())?;
    if signin.claim_uri != session.claim_uri {
        return Err("another sign-in was pushed".to_owned());
    }
    let wallet = &mut ana.member.wallet;
    let claimed = wallet.claim(&signin.claim_uri).map_err(|fault| fault.to_string())?;
    let code = browser.state(&session)?.code.ok_or("the page shows no code")?;
    let granted = Scopes::from_iter([Scope::AgeOver18]);
    let decided = wallet.approve(&claimed, &code, &granted).map_err(|fault| fault.to_string())?;
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
        round: pushed.round,
        age_over_18: only && info["age_over_18"] == true,
        acr: claim("acr"),
        consent_hash: Some(claim("consent_hash")).filter(|hash| hash.len() == 43).ok_or("no consent hash")?,
    })
}

/// Online until a sign-in is pushed, or `over`; says when fast rounds are heard.
fn hear(member: &mut Member, is_listening: &AtomicBool, over: &AtomicBool) -> Result<Pushed, String> {
    let pushed: RefCell<Option<Pushed>> = RefCell::default();
    let before = member.mailbox.client().last_round(Class::Fast);
    let mut done = |client: &Client| {
        is_listening.store(client.last_round(Class::Fast) > before, Ordering::SeqCst);
        over.load(Ordering::SeqCst) || pushed.borrow().is_some()
    };
    let mut told = |told: Told<'_>| {
        if let Told::Push(came) = told {
            *pushed.borrow_mut() = Some(came.clone());
        }
    };
    let mut stay = Stay { rounds_min: 0, rounds_max: Some(ROUNDS_MAX), done: &mut done, told: &mut told };
    member.wallet.stay(&mut member.mailbox, &mut stay).map_err(|fault| fault.to_string())?;
    pushed.into_inner().ok_or_else(|| format!("nothing was pushed in {ROUNDS_MAX} rounds"))
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

/// A page on another name stands between the person and the provider: it shows the true code and passes everything on. The shop asks
/// for phr, so the browser must prove itself, and writes the name that it sees.
fn phishing_relay(parties: &Outsider, shop: &Shop, ana: &mut Wallet) -> Result<Seen, String> {
    let mut passkey = Passkey::new();
    let issuer = format!("{}/idp", parties.issuer());
    let link = ana.passkey_link(&parties.issuer()).map_err(|fault| fault.to_string())?;
    let ticket = link.url.split_once('#').map(|(_, ticket)| ticket).ok_or("the link has no ticket")?;
    let own = Browser::new()?;
    let begun = own.post_to(&format!("{issuer}/passkeys/begin"), &json!({ "ticket": ticket }))?;
    let challenge = begun.get("challenge").and_then(Value::as_str).ok_or("no challenge")?;
    let challenge = crypto::base64::url_decode(challenge).map_err(|_| "the challenge is no base64url")?;
    let mut added = passkey.create(&challenge, &parties.base, "localhost");
    added["ticket"] = ticket.into();
    own.post_to(&format!("{issuer}/passkeys"), &added)?;

    let asked = shop.push_with("openid", &[("claims", PHISHING_RESISTANT)])?;
    let mut proxy = Browser::new()?;
    let session = proxy.open(&shop.authorize(&asked))?;
    let claimed = ana.claim(&session.claim_uri).map_err(|fault| fault.to_string())?;
    let shown = proxy.state(&session)?;
    let (code, challenge) = (shown.code.ok_or("no code")?, shown.challenge.ok_or("no challenge")?);
    let asserted = passkey.assert(&challenge, PROXY_ORIGIN, PROXY_HOST)?;
    let relayed = proxy.post(&session, "assertion", &asserted)?;
    let approved = ana.approve(&claimed, &code, &Scopes::default()).err();
    let told = proxy.finish(&session)?;
    let has_code = told.query_pairs().any(|(name, _)| name == "code");
    let holds = relayed.state == "failed" && approved.is_some() && !has_code;
    Ok(Seen::refused(holds, relayed.state))
}

fn spaced(code: &str) -> String {
    let (first, second) = code.split_at(code.len() / 2);
    format!("{first} {second}")
}
