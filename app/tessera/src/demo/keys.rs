//! Step Keys: signing keys made and used over HTTP; nothing private ever comes back.

use super::outsider::Outsider;
use super::report::{Report, Seen};
use crate::client::Sent;
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use crypto::jwk::Jwk;
use serde_json::{Value, json};
use std::time::Instant;

const STEP: &str = "keys";
/// Keys that the story makes.
const KEYS: usize = 3;
/// What a signed object of the story may be.
const LIMITS: Limits = Limits { bytes_max: 16 << 10, depth_max: 8 };
/// Members of a private JWK (RFC 7518, 6).
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// Plays the step.
pub fn step(report: &mut Report, parties: &Outsider) {
    let start = Instant::now();
    let mut ids: Vec<String> = Vec::new();
    report.check(STEP, "story.keys", "three signing keys, made by the API", || {
        let client = parties.client()?;
        for number in 1..=KEYS {
            let body = json!({ "alg": "p256", "label": format!("demo {number}"), "uses": ["jws:*"] });
            let made = client.post("/keys", &body, Sent::default()).map_err(|f| f.what)?;
            let id = made.get("id").and_then(Value::as_str).ok_or("the answer has no id")?;
            ids.push(id.to_owned());
        }
        Ok(Seen::new(ids.len() == KEYS, format!("{} keys, the first is {}", ids.len(), ids[0])))
    });
    report.check(STEP, "story.signature", "a JWS that verifies by the published key", || {
        let client = parties.client()?;
        let key = ids.first().ok_or("no key was made")?;
        let body = json!({ "format": "jws", "typ": "specimen+jwt", "payload": { "amount": "25.00" } });
        let signed = client.post(&format!("/keys/{key}/sign"), &body, Sent::default()).map_err(|f| f.what)?;
        let compact = signed.get("jws").and_then(Value::as_str).ok_or("the answer has no jws")?;
        let public = client.get(&format!("/keys/{key}/public?format=jwk")).map_err(|f| f.what)?;
        let jwk = Jwk::from_value(&public).map_err(|fault| fault.to_string())?;
        let jws = Jws::parse(compact, &LIMITS).map_err(|fault| fault.to_string())?;
        let holds = jws.verify(jwk.key()).is_ok();
        Ok(Seen::new(holds, format!("signed by {}, verified by its public part", jwk.kid())))
    });
    report.check(STEP, "story.no-private-part", "no answer about a key holds a private member", || {
        let client = parties.client()?;
        let mut answers = 0;
        for key in &ids {
            for path in [
                format!("/keys/{key}"),
                format!("/keys/{key}/public?format=jwk"),
                format!("/keys/{key}/public?format=jwks"),
            ] {
                let answer = client.get(&path).map_err(|f| f.what)?;
                if let Some(member) = private_member(&answer) {
                    return Ok(Seen::new(false, format!("{path} holds {member}")));
                }
                answers += 1;
            }
        }
        Ok(Seen::new(answers == KEYS * 3, format!("{answers} answers looked through")))
    });
    report.ids.insert("signing_keys".into(), json!(ids));
    let facts = json!({
        "tenant": format!("tenant {}", parties.own.name),
        "keys": format!("{} signing keys (P-256) in the software keeper", ids.len()),
    });
    report.step(STEP, start, facts);
}

/// The first private member anywhere in an answer.
fn private_member(value: &Value) -> Option<&'static str> {
    match value {
        Value::Object(members) => {
            let is_jwk = members.contains_key("kty");
            let own = PRIVATE_MEMBERS.into_iter().find(|name| is_jwk && members.contains_key(*name));
            own.or_else(|| members.values().find_map(private_member))
        }
        Value::Array(items) => items.iter().find_map(private_member),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_member_is_found_wherever_it_hides() {
        assert_eq!(private_member(&json!({ "keys": [{ "kty": "EC", "d": "x" }] })), Some("d"));
        assert_eq!(private_member(&json!({ "keys": [{ "kty": "EC", "x": "x" }] })), None);
    }
}
