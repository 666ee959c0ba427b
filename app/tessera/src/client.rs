//! The CLI's client of our own HTTP API: bounded, without redirects, `*.localhost` mapped to loopback.

use crate::context::{Context, Login};
use crate::failure::{Exit, Failure};
use serde_json::Value;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Response;

/// The largest answer that a verb reads: lists are pages, the OpenAPI document is the largest.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// A connection to one server, with the caller's token.
pub struct Client {
    agent: Agent,
    base: String,
    bearer: Option<String>,
    tenant: Option<String>,
}

/// What a write adds to its request.
#[derive(Default, Clone, Copy)]
pub struct Sent<'a> {
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
}

impl Client {
    /// A client without a token, for public doors.
    pub fn anonymous(base: &str, ca_pem: Option<&[u8]>, timeout: Duration) -> Result<Self, Failure> {
        let agent = verify::http::agent(timeout, ca_pem).map_err(|fault| {
            Failure::usage(format!("the CA file cannot be used: {fault}"), "give a PEM file of certificates")
        })?;
        Ok(Self { agent, base: base.trim_end_matches('/').to_owned(), bearer: None, tenant: None })
    }

    /// A client for a context: a service account first obtains its access token.
    pub fn open(context: &Context, timeout: Duration) -> Result<Self, Failure> {
        let ca_pem = match &context.ca_file {
            Some(path) => Some(std::fs::read(path).map_err(|fault| {
                Failure::usage(
                    format!("{} cannot be read: {fault}", path.display()),
                    "log in again with --ca FILE",
                )
            })?),
            None => None,
        };
        let mut client = Self::anonymous(&context.url, ca_pem.as_deref(), timeout)?;
        client.bearer = Some(match &context.login {
            Login::Session { token } => token.clone(),
            Login::ServiceAccount { client_id, client_secret } => {
                client.access_token(client_id, client_secret)?
            }
        });
        Ok(client)
    }

    /// With a token that the caller has.
    pub fn with_bearer(mut self, token: &str) -> Self {
        self.bearer = Some(token.to_owned());
        self
    }

    /// Acting in another tenant, as only operators of the instance may.
    pub fn in_tenant(mut self, tenant: Option<&str>) -> Self {
        self.tenant = tenant.map(str::to_owned);
        self
    }

    /// `POST /oauth/token` (RFC 6749, 4.4).
    pub fn access_token(&self, client_id: &str, client_secret: &str) -> Result<String, Failure> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", client_secret),
        ];
        let answer = self.agent.post(format!("{}/oauth/token", self.base)).send_form(form);
        let (_, body) = self.read(answer)?;
        body.get("access_token").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
            Failure::new(
                Exit::Fault,
                "the token answer has no access_token",
                "",
                "check the server's version",
            )
        })
    }

    /// GET below `/api/v1`.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.read(self.authorised(self.agent.get(self.url(path))).call())?.1)
    }

    /// GET below `/api/v1`, as the text it is.
    pub fn get_text(&self, path: &str) -> Result<(u16, String), Failure> {
        let answer = self.authorised(self.agent.get(self.url(path))).call();
        self.read_text(answer)
    }

    /// POST of a JSON body below `/api/v1`.
    pub fn post(&self, path: &str, body: &Value, sent: Sent<'_>) -> Result<Value, Failure> {
        let mut request = self.authorised(self.agent.post(self.url(path))).content_type("application/json");
        if let Some(key) = sent.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        Ok(self.read(request.send(body.to_string()))?.1)
    }

    /// DELETE below `/api/v1`.
    pub fn delete(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.read(self.authorised(self.agent.delete(self.url(path))).call())?.1)
    }

    fn url(&self, path: &str) -> String {
        let whole = ["/api/", "/log/", "/once/", "/openapi", "/readyz"];
        if path.starts_with("http") {
            return path.to_owned();
        }
        if whole.iter().any(|prefix| path.starts_with(prefix)) {
            return format!("{}{path}", self.base);
        }
        format!("{}/api/v1{path}", self.base)
    }

    fn authorised<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        let request = match &self.bearer {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        match &self.tenant {
            Some(tenant) => request.header("tessera-tenant", tenant),
            None => request,
        }
    }

    fn read(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<(u16, Value), Failure> {
        let (status, text) = self.read_text(answer)?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    fn read_text(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<(u16, String), Failure> {
        let mut answer = answer.map_err(|fault| self.unreachable(&fault))?;
        let status = answer.status().as_u16();
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .map_err(|fault| self.unreachable(&fault))?;
        if status >= 400 {
            let body = serde_json::from_str(&text).unwrap_or(Value::Null);
            return Err(Failure::from_answer(status, &body));
        }
        Ok((status, text))
    }

    fn unreachable(&self, fault: &ureq::Error) -> Failure {
        Failure::new(
            Exit::Unreachable,
            format!("{} cannot be reached", self.base),
            fault.to_string(),
            "is the server running? see `tessera doctor --url URL`",
        )
    }
}
