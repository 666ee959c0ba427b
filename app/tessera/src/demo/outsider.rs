//! The parties of the story: two tenants with a client each, and what an outsider is told of them.

use super::report::Report;
use crate::client::{Client, Sent};
use crate::failure::Failure;
use crate::house::RELAY_TENANT;
use crate::running::Running;
use crate::serve::owner_account;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long any one call of the story may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Life of the log token that `auth.log_token` is.
const LOG_TOKEN_TTL_S: u64 = 86_400;

/// One tenant and its client.
pub struct Party {
    /// Its name in URLs.
    pub name: String,
    /// Its id.
    pub tenant: String,
    /// `svc_…`
    pub client_id: String,
    /// Shown in `auth` until the demo stops.
    pub client_secret: String,
    /// An access token, obtained over HTTP.
    pub token: String,
}

/// Everything that the scripted outsiders know.
pub struct Outsider {
    /// `public_url`.
    pub base: String,
    /// The tenant of the story.
    pub own: Party,
    /// Another tenant.
    pub other: Party,
    /// The tenant of the relay: who may invite its members.
    pub relay: Party,
    /// Reads the first tenant's log.
    pub log_token: String,
    /// The issuer's anchors, PEM.
    pub anchors: String,
}

impl Outsider {
    /// A client of the first tenant.
    pub fn client(&self) -> Result<Client, String> {
        Ok(Client::anonymous(&self.base, None, CALL_TIMEOUT)
            .map_err(|f| f.what)?
            .with_bearer(&self.own.token))
    }

    /// A client of the other tenant.
    pub fn stranger(&self) -> Result<Client, String> {
        Ok(Client::anonymous(&self.base, None, CALL_TIMEOUT)
            .map_err(|f| f.what)?
            .with_bearer(&self.other.token))
    }

    /// A client of the relay's tenant.
    pub fn relay(&self) -> Result<Client, String> {
        Ok(Client::anonymous(&self.base, None, CALL_TIMEOUT)
            .map_err(|f| f.what)?
            .with_bearer(&self.relay.token))
    }

    /// `I`
    pub fn issuer(&self) -> String {
        format!("{}/t/{}", self.base, self.own.name)
    }

    /// The base of the first tenant's log.
    pub fn ledger(&self) -> String {
        format!("{}/log/t/{}", self.base, self.own.name)
    }
}

/// Makes the tenants and their clients; from here on everything goes over HTTP.
pub async fn prepare(running: &Running) -> Result<Outsider, Failure> {
    let base = running.house.edge.config().base().to_owned();
    let mut parties = Vec::new();
    let tenants = [
        ("acme-bank", "Acme Bank (specimen)"),
        ("other-bank", "Other Bank (specimen)"),
        (RELAY_TENANT, "Relay"),
    ];
    for (name, title) in tenants {
        let tenant = running.house.tenant(name, title).await?;
        let (client_id, client_secret) = owner_account(&running.house, &tenant.id, "demo").await?;
        parties.push((name.to_owned(), tenant.id.to_string(), client_id, client_secret));
    }
    tokio::task::spawn_blocking(move || over_http(base, parties)).await.map_err(|fault| {
        Failure::new(crate::failure::Exit::Fault, "the demo broke off", fault.to_string(), "please report it")
    })?
}

fn over_http(base: String, parties: Vec<(String, String, String, String)>) -> Result<Outsider, Failure> {
    let anonymous = Client::anonymous(&base, None, CALL_TIMEOUT)?;
    let mut made = Vec::new();
    for (name, tenant, client_id, client_secret) in parties {
        let token = anonymous.access_token(&client_id, &client_secret)?;
        made.push(Party { name, tenant, client_id, client_secret, token });
    }
    let (Some(relay), Some(other), Some(own)) = (made.pop(), made.pop(), made.pop()) else {
        return Err(Failure::usage("three tenants are needed", ""));
    };
    let client = Client::anonymous(&base, None, CALL_TIMEOUT)?.with_bearer(&own.token);
    let issued = client.post(
        "/ledger/tokens",
        &json!({ "name": "demo", "ttl_s": LOG_TOKEN_TTL_S }),
        Sent::default(),
    )?;
    let log_token = issued.get("token").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (_, anchors) = anonymous.get_text(&format!("{base}/t/{}/trust/anchors.pem", own.name))?;
    Ok(Outsider { base, own, other, relay, log_token, anchors })
}

/// Fills the members that are known before the story begins.
pub fn describe(report: &mut Report, running: &Running, parties: &Outsider) {
    let base = &parties.base;
    let issuer = parties.issuer();
    let mut urls = Map::new();
    let mut url = |name: &str, value: String| urls.insert(name.to_owned(), Value::String(value));
    url("public", base.clone());
    url("api", format!("{base}/api/v1"));
    url("openapi", format!("{base}/openapi.json"));
    url("docs", format!("{base}/docs"));
    url("problems", format!("{base}/problems"));
    url("healthz", format!("{base}/healthz"));
    url("readyz", format!("{base}/readyz"));
    if let Some(address) = running.metrics {
        url("metrics", format!("http://{address}/metrics"));
    }
    url("issuer", issuer.clone());
    url("issuer_metadata", format!("{base}/.well-known/openid-credential-issuer/t/{}", parties.own.name));
    url("authorization_server", issuer.clone());
    url("openid_configuration", format!("{issuer}/idp/.well-known/openid-configuration"));
    url("jwks", format!("{issuer}/jwks"));
    url("status_list", format!("{issuer}/status/0"));
    url("ledger", parties.ledger());
    url("system_ledger", format!("{base}/log/system"));
    url("ledger_keys", format!("{}/keys", parties.ledger()));
    report.urls = urls;
    let auth = json!({
        "token_url": format!("{base}/oauth/token"),
        "client_id": parties.own.client_id,
        "client_secret": parties.own.client_secret,
        "log_token": parties.log_token,
        "other_tenant": { "client_id": parties.other.client_id, "client_secret": parties.other.client_secret },
    });
    report.auth = auth.as_object().cloned().unwrap_or_default();
    report.ids.insert("tenant".into(), parties.own.tenant.clone().into());
    report.ids.insert("other_tenant".into(), parties.other.tenant.clone().into());
    report.warn(
        "software-keys",
        "keys are software keys: whoever has the data folder has them (docs/threat-model.md)",
    );
    report.warn("no-witness", "no witness cosigns the logs: keep a checkpoint yourself to detect a fork");
}
