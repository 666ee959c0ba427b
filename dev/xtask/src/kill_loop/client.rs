//! A plain HTTP client of the API: every wait bounded, a status is an answer.

use openid::errand::{Errand, Method};
use serde_json::Value;
use std::time::Duration;
use ureq::Agent;

/// How long one request may take: a debug build under load on two cores answers far within it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest answer that is read: a page of 200 entries.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// A client with a token.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    bearer: String,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Tessera-Event`, of an act.
    pub(crate) event: Option<String>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

/// An agent that follows nothing and waits for nothing for ever.
pub(crate) fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(REQUEST_TIMEOUT))
        .build()
        .into()
}

/// `None` while nobody answers.
pub(crate) fn get_plain(agent: &Agent, url: &str) -> Option<(u16, String)> {
    let mut answer = agent.get(url).call().ok()?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().ok()?;
    Some((status, text))
}

impl Client {
    /// With the access token of a service account (RFC 6749, 4.4).
    pub(crate) fn open(base: &str, client_id: &str, client_secret: &str) -> Result<Self, String> {
        let agent = agent();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", client_secret),
        ];
        let answer = agent.post(format!("{base}/oauth/token")).send_form(form);
        let mut answer = answer.map_err(|fault| format!("no token: {fault}"))?;
        let text = answer.body_mut().read_to_string().map_err(|fault| format!("no token: {fault}"))?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        let bearer = body.get("access_token").and_then(Value::as_str);
        let bearer = bearer.ok_or_else(|| format!("no token: {}", answer.status()))?.to_owned();
        Ok(Self { agent, base: base.to_owned(), bearer })
    }

    /// `Err` says that no whole answer came: nothing was acknowledged.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, String> {
        let request = self.agent.get(self.url(path)).header("authorization", self.authorization());
        read(request.call())
    }

    /// As [`Client::get`], with a body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        let request = self.agent.post(self.url(path)).header("authorization", self.authorization());
        read(request.content_type("application/json").send(body.to_string()))
    }

    /// Performs what a wallet's machine asks for. Nothing of this client's own token goes with it.
    pub(crate) fn perform(&self, errand: &Errand) -> Result<Answer, String> {
        let bearer = errand.bearer.as_ref().map(|token| format!("Bearer {}", token.expose()));
        let answer = match (errand.method, &errand.body) {
            (Method::Get, _) => decorate(self.agent.get(&errand.url), errand, bearer).call(),
            (Method::Post, None) => decorate(self.agent.post(&errand.url), errand, bearer).send_empty(),
            (Method::Post, Some((media, body))) => {
                decorate(self.agent.post(&errand.url), errand, bearer).content_type(*media).send(&body[..])
            }
            (Method::Put | Method::Delete, _) => {
                return Err("no errand of issuing puts or deletes".to_owned());
            }
        };
        read(answer)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.bearer)
    }
}

fn decorate<B>(
    request: ureq::RequestBuilder<B>,
    errand: &Errand,
    bearer: Option<String>,
) -> ureq::RequestBuilder<B> {
    let request = request.header("accept", errand.accept);
    match bearer {
        Some(bearer) => request.header("authorization", bearer),
        None => request,
    }
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, String> {
    let mut answer = answer.map_err(|fault| fault.to_string())?;
    let status = answer.status().as_u16();
    let event = answer.headers().get("tessera-event").and_then(|value| value.to_str().ok());
    let event = event.map(str::to_owned);
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    Ok(Answer { status, event, text: body.map_err(|fault| fault.to_string())? })
}
