//! A small relying party and the browser of its visitor: what somebody else would write against our doors.

use crate::client::Sent;
use crate::demo::outsider::Outsider;
use crypto::jose::jws::{self, Draft, Jws};
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use crypto::{base64, hash, random};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};
use ureq::Agent;
use url::Url;

/// What the shop asks for.
pub(super) const SCOPES: &str = "openid identity:age_over_18";
/// Where it stands; nobody listens there, as the story ends at the callback's address.
const ORIGIN: &str = "http://shop.localhost:4999";
const CALLBACK: &str = "http://shop.localhost:4999/cb";
/// How long any one call may take, and how long a page may take to come.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the page is asked.
const POLL_EVERY: Duration = Duration::from_millis(50);
/// Bytes of an ID Token.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// The relying party.
pub(super) struct Shop {
    pub(super) client_id: String,
    issuer: String,
    agent: Agent,
    dpop: PrivateKey,
}

/// A request that was pushed.
pub(super) struct Asked {
    request_uri: String,
    verifier: String,
    nonce: String,
    state: String,
}

/// What the shop got.
pub(super) struct Tokens {
    access_token: String,
    /// Claims of the verified ID Token.
    pub(super) id_token: Value,
}

/// A sign-in page as JSON.
pub(super) struct Session {
    pub(super) claim_uri: String,
    state_url: String,
    form_token: String,
}

/// What the page shows.
pub(super) struct State {
    pub(super) state: String,
    pub(super) code: Option<String>,
    /// What a passkey must sign, where the page asks for one.
    pub(super) challenge: Option<Vec<u8>>,
    finish: Option<String>,
}

/// A browser with one cookie jar.
pub(super) struct Browser {
    agent: Agent,
    cookies: BTreeMap<String, String>,
}

impl Shop {
    pub(super) fn register(parties: &Outsider) -> Result<Self, String> {
        let form = json!({
            "name": "Shop (specimen)", "legal_name": "Shop of Specimens", "origins": [ORIGIN], "redirect_uris": [CALLBACK],
            "scopes": ["openid", "identity:age_over_18"], "auth_method": "none", "origin_proof": "operator",
            "purpose": { "en": "to sell what only adults may buy" },
        });
        let made = parties
            .client()?
            .post("/relying-parties", &form, Sent::default())
            .map_err(|failure| failure.what)?;
        Ok(Self {
            client_id: text(&made, "id")?,
            issuer: format!("{}/idp", parties.issuer()),
            agent: agent()?,
            dpop: PrivateKey::generate(KeyAlg::P256),
        })
    }

    /// RFC 9126. The error is the provider's `error`.
    pub(super) fn push(&self, scope: &str) -> Result<Asked, String> {
        self.push_with(scope, &[])
    }

    /// The same with further parameters.
    pub(super) fn push_with(&self, scope: &str, more: &[(&str, &str)]) -> Result<Asked, String> {
        let verifier = base64::url_encode(&random::array::<32>());
        let (nonce, state) = (token(), token());
        let challenge = base64::url_encode(&hash::sha256(verifier.as_bytes()));
        let mut form = vec![
            ("client_id", self.client_id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", scope),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        form.extend(more);
        let answer = self.post("par", &form)?;
        Ok(Asked { request_uri: text(&answer, "request_uri")?, verifier, nonce, state })
    }

    /// Where the browser is sent.
    pub(super) fn authorize(&self, asked: &Asked) -> String {
        let pairs = [("client_id", &self.client_id), ("request_uri", &asked.request_uri)];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("{}/authorize?{query}", self.issuer)
    }

    /// Redeems the code of a callback and verifies the ID Token.
    pub(super) fn redeem(&self, asked: &Asked, callback: &Url) -> Result<Tokens, String> {
        let given = |name: &str| {
            let found = callback.query_pairs().find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned()).ok_or_else(|| format!("the callback has no {name}"))
        };
        if given("state")? != asked.state || given("iss")? != self.issuer {
            return Err("the callback is of another request or issuer".to_owned());
        }
        let code = given("code")?;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", self.client_id.as_str()),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", &asked.verifier),
        ];
        let answer = self.post("token", &form)?;
        let id_token = self.verified(&text(&answer, "id_token")?, &asked.nonce)?;
        Ok(Tokens { access_token: text(&answer, "access_token")?, id_token })
    }

    pub(super) fn userinfo(&self, tokens: &Tokens) -> Result<Value, String> {
        let url = format!("{}/userinfo", self.issuer);
        let ath = base64::url_encode(&hash::sha256(tokens.access_token.as_bytes()));
        let answer = self
            .agent
            .get(&url)
            .header("Authorization", format!("DPoP {}", tokens.access_token))
            .header("DPoP", self.proof("GET", &url, Some(&ath))?)
            .call()
            .map_err(|fault| fault.to_string())?;
        read(answer)
    }

    fn post(&self, door: &str, form: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("{}/{door}", self.issuer);
        let answer = self
            .agent
            .post(&url)
            .header("DPoP", self.proof("POST", &url, None)?)
            .send_form(form.iter().copied())
            .map_err(|fault| fault.to_string())?;
        read(answer)
    }

    /// RFC 9449, 4.2.
    fn proof(&self, method: &str, url: &str, ath: Option<&str>) -> Result<String, String> {
        let mut claims =
            json!({ "htm": method, "htu": url, "iat": crate::now().as_second(), "jti": token() });
        if let Some(ath) = ath {
            claims["ath"] = ath.into();
        }
        let draft = Draft::new("dpop+jwt", claims.to_string())
            .with_alg(SignAlg::Es256)
            .with("jwk", Jwk::from_key(&self.dpop.public()).to_value());
        let input = draft.signing_input();
        let signature =
            self.dpop.sign(SignAlg::Es256, input.as_bytes()).map_err(|fault| fault.to_string())?;
        Ok(jws::assemble(&input, &signature))
    }

    /// OpenID Connect Core 1.0, 3.1.3.7.
    fn verified(&self, compact: &str, nonce: &str) -> Result<Value, String> {
        let limits = Limits { bytes_max: TOKEN_BYTES_MAX, depth_max: 8 };
        let jws = Jws::parse(compact, &limits).map_err(|_| "the ID Token is no JWS")?;
        let set =
            read(self.agent.get(format!("{}/jwks", self.issuer)).call().map_err(|fault| fault.to_string())?)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or("no keys")?;
        let named = keys.iter().find(|key| key.get("kid").and_then(Value::as_str) == jws.kid());
        let key =
            named.and_then(|key| Jwk::from_value(key).ok()).ok_or("the ID Token names no published key")?;
        jws.verify_jwk(&key).map_err(|_| "the signature of the ID Token does not hold")?;
        let claims: Value = serde_json::from_slice(jws.payload()).map_err(|fault| fault.to_string())?;
        let now = crate::now().as_second();
        let holds = claims["iss"] == self.issuer.as_str()
            && claims["aud"] == self.client_id.as_str()
            && claims["nonce"] == nonce
            && claims["exp"].as_i64().is_some_and(|end| end > now);
        if holds { Ok(claims) } else { Err("the ID Token is of another sign-in".to_owned()) }
    }
}

impl State {
    fn of(page: &Value) -> Self {
        let member = |name| page.get(name).and_then(Value::as_str).map(str::to_owned);
        let challenge = page.get("webauthn").and_then(|asked| asked.get("challenge")?.as_str());
        Self {
            state: member("state").unwrap_or_default(),
            code: member("code"),
            challenge: challenge.and_then(|text| base64::url_decode(text).ok()),
            finish: member("finish"),
        }
    }
}

impl Browser {
    pub(super) fn new() -> Result<Self, String> {
        Ok(Self { agent: agent()?, cookies: BTreeMap::new() })
    }

    /// Opens the sign-in page.
    pub(super) fn open(&mut self, url: &str) -> Result<Session, String> {
        let page = read(self.get(url)?)?;
        Ok(Session {
            claim_uri: text(&page, "claim_uri")?,
            state_url: text(&page, "state_url")?,
            form_token: text(&page, "form_token")?,
        })
    }

    /// What the page shows now.
    pub(super) fn state(&mut self, session: &Session) -> Result<State, String> {
        read(self.get(&session.state_url)?).map(|page| State::of(&page))
    }

    /// Posts to a door of the session, as its page does.
    pub(super) fn post(&mut self, session: &Session, door: &str, body: &Value) -> Result<State, String> {
        let base = session.state_url.strip_suffix("/state").ok_or("the session has no address")?;
        let mut body = body.clone();
        body["form_token"] = session.form_token.as_str().into();
        let request = self.agent.post(format!("{base}/{door}")).content_type("application/json");
        let request = match self.cookie() {
            Some(cookies) => request.header("Cookie", cookies),
            None => request,
        };
        let answer = request.send(body.to_string()).map_err(|fault| fault.to_string())?;
        read(answer).map(|page| State::of(&page))
    }

    /// Posts to a door outside any session.
    pub(super) fn post_to(&self, url: &str, body: &Value) -> Result<Value, String> {
        let request = self.agent.post(url).content_type("application/json");
        read(request.send(body.to_string()).map_err(|fault| fault.to_string())?)
    }

    /// Follows the end of the sign-in to the address that the shop is called back at.
    pub(super) fn finish(&mut self, session: &Session) -> Result<Url, String> {
        let start = Instant::now();
        let finish = loop {
            if let Some(finish) = self.state(session)?.finish {
                break finish;
            }
            if start.elapsed() > CALL_TIMEOUT {
                return Err("the sign-in never ended".to_owned());
            }
            sleep(POLL_EVERY);
        };
        let answer = self.get(&finish)?;
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        Url::parse(location.ok_or("the end leads nowhere")?).map_err(|fault| fault.to_string())
    }

    fn cookie(&self) -> Option<String> {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn get(&mut self, url: &str) -> Result<ureq::http::Response<ureq::Body>, String> {
        let request = self.agent.get(url).header("Accept", "application/json");
        let request = match self.cookie() {
            Some(cookies) => request.header("Cookie", cookies),
            None => request,
        };
        let answer = request.call().map_err(|fault| fault.to_string())?;
        for set in answer.headers().get_all("set-cookie") {
            let pair = set.to_str().ok().and_then(|line| line.split(';').next()?.split_once('='));
            if let Some((name, value)) = pair {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }
}

fn agent() -> Result<Agent, String> {
    verify::http::agent(CALL_TIMEOUT, None).map_err(|fault| fault.to_string())
}

/// The JSON of a success, or the `error` or `code` of a refusal.
fn read(mut answer: ureq::http::Response<ureq::Body>) -> Result<Value, String> {
    let body: Value = answer.body_mut().read_json().map_err(|fault| fault.to_string())?;
    if answer.status().is_success() {
        return Ok(body);
    }
    let named = ["error", "code"].iter().find_map(|name| body.get(*name)?.as_str());
    Err(named.unwrap_or("refused").to_owned())
}

fn text(value: &Value, name: &str) -> Result<String, String> {
    value
        .get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| format!("the answer has no {name}"))
}

fn token() -> String {
    base64::url_encode(&random::array::<16>())
}
