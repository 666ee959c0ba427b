//! A development house as a program, a shop that sends people to it, and browsers.

use crypto::jose::jws::{self, Draft};
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use crypto::{base64, hash, random};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use ureq::Agent;

const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// A house that runs until it is dropped.
pub(crate) struct House {
    child: Child,
    pub(crate) port: u16,
    pub(crate) base: String,
    pub(crate) said: Arc<Mutex<String>>,
    pub(crate) agent: Agent,
}

/// A relying party that is registered.
pub(crate) struct Shop {
    client_id: String,
    issuer: String,
    dpop: PrivateKey,
    agent: Agent,
}

/// A browser that wants in.
pub(crate) struct Browser {
    agent: Agent,
    cookie: String,
    pub(crate) claim_uri: String,
    base: String,
    form_token: String,
}

impl House {
    pub(crate) fn start(home: &Path, port: u16) -> House {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .env_clear()
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .current_dir(home)
            .args(["serve", "--dev", "--data", "data", "--port", &port.to_string()])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains(" Push ") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "the house ended: {said}");
        }
        let address = said.split("plain http on ").nth(1).unwrap().split_whitespace().next().unwrap();
        let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
        let said = Arc::new(Mutex::new(said));
        let more = said.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                more.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        let agent = verify::http::agent(CALL_TIMEOUT, None).unwrap();
        House { child, port, base: format!("http://localhost:{port}"), said, agent }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn issuer(&self) -> String {
        format!("{}/t/default", self.base)
    }

    pub(crate) fn member_link(&self) -> String {
        let said = self.said.lock().unwrap().clone();
        said.split_whitespace().find(|word| word.starts_with("tessera:member/")).unwrap().to_owned()
    }

    /// Another member link, by the relay tenant's administrator.
    pub(crate) fn anchors(&self) -> String {
        let url = format!("{}/t/default/trust/anchors.pem", self.base);
        self.agent.get(url).call().unwrap().body_mut().read_to_string().unwrap()
    }

    /// A public blob of the relay.
    pub(crate) fn blob(&self, path: &str) -> Option<Vec<u8>> {
        let mut answer = self.agent.get(format!("{}{path}", self.base)).call().unwrap();
        (answer.status() == 200).then(|| answer.body_mut().read_to_vec().unwrap())
    }

    fn token(&self, home: &Path) -> String {
        let client = std::fs::read_to_string(home.join("data/dev-client")).unwrap();
        let (id, secret) = client.trim().split_once(' ').unwrap();
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        let answer = self.agent.post(format!("{}/oauth/token", self.base)).send_form(form).unwrap();
        read(answer)["access_token"].as_str().unwrap().to_owned()
    }

    /// What the identity provider says of its keys.
    pub(crate) fn metadata(&self) -> Value {
        read(self.agent.get(format!("{}/seal/metadata", self.issuer())).call().unwrap())
    }

    /// An administrator rotates the key that signs replies.
    pub(crate) fn rotates(&self, home: &Path, how: &Value) {
        let bearer = format!("Bearer {}", self.token(home));
        let keys = format!("{}/api/v1/keys", self.base);
        let all =
            self.agent.get(format!("{keys}?limit=200")).header("authorization", &bearer).call().unwrap();
        let all = read(all);
        let is_reply = |key: &&Value| key["label"] == "replies to wallets";
        let id = all["items"].as_array().unwrap().iter().find(is_reply).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let url = format!("{keys}/{id}/rotate");
        let rotate = || self.agent.post(&url).header("authorization", &bearer).send_json(how).unwrap();
        let mut answer = rotate();
        // A key rests for a second between two rotations.
        for _ in 0..20 {
            if answer.status() != 409 {
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
            answer = rotate();
        }
        read(answer);
    }

    pub(crate) fn shop(&self, home: &Path) -> Shop {
        let form = json!({
            "name": "Canary shop", "legal_name": "Canary shop of specimens", "origins": ["http://canary-shop.localhost:4999"],
            "redirect_uris": ["http://canary-shop.localhost:4999/cb"], "scopes": ["openid"], "auth_method": "none",
            "origin_proof": "operator",
        });
        let answer = self
            .agent
            .post(format!("{}/api/v1/relying-parties", self.base))
            .header("authorization", format!("Bearer {}", self.token(home)))
            .send_json(&form)
            .unwrap();
        Shop {
            client_id: read(answer)["id"].as_str().unwrap().to_owned(),
            issuer: format!("{}/idp", self.issuer()),
            dpop: PrivateKey::generate(KeyAlg::P256),
            agent: self.agent.clone(),
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shop {
    /// Somebody goes to sign in.
    pub(crate) fn visitor(&self) -> Browser {
        let challenge = base64::url_encode(&hash::sha256(
            b"a verifier of forty-three characters at least, as RFC 7636 wants",
        ));
        let form = [
            ("client_id", self.client_id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", "http://canary-shop.localhost:4999/cb"),
            ("scope", "openid"),
            ("state", "state-1"),
            ("nonce", "nonce-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let url = format!("{}/par", self.issuer);
        let answer = self.agent.post(&url).header("DPoP", self.proof(&url)).send_form(form).unwrap();
        let request_uri = read(answer)["request_uri"].as_str().unwrap().to_owned();
        let pairs = [("client_id", &self.client_id), ("request_uri", &request_uri)];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let url = format!("{}/authorize?{query}", self.issuer);
        let answer = self.agent.get(url).header("Accept", "application/json").call().unwrap();
        let set = answer.headers().get("set-cookie").unwrap().to_str().unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        let page = read(answer);
        let text = |name: &str| page[name].as_str().unwrap().to_owned();
        Browser {
            agent: self.agent.clone(),
            cookie,
            claim_uri: text("claim_uri"),
            base: text("state_url").strip_suffix("/state").unwrap().to_owned(),
            form_token: text("form_token"),
        }
    }

    fn proof(&self, url: &str) -> String {
        #[expect(clippy::disallowed_methods, reason = "a client's proof is made now")]
        let now = jiff::Timestamp::now().as_second();
        let jti = base64::url_encode(&random::array::<16>());
        let claims = json!({ "htm": "POST", "htu": url, "iat": now, "jti": jti });
        let draft = Draft::new("dpop+jwt", claims.to_string())
            .with_alg(SignAlg::Es256)
            .with("jwk", Jwk::from_key(&self.dpop.public()).to_value());
        let input = draft.signing_input();
        jws::assemble(&input, &self.dpop.sign(SignAlg::Es256, input.as_bytes()).unwrap())
    }
}

impl Browser {
    /// Names the wallet.
    pub(crate) fn names(&self, handle: &str) {
        let body = json!({ "handle": handle, "form_token": self.form_token });
        let request = self.agent.post(format!("{}/handle", self.base)).header("Cookie", &self.cookie);
        read(request.send_json(&body).unwrap());
    }

    pub(crate) fn state(&self) -> Value {
        let request = self.agent.get(format!("{}/state", self.base)).header("Cookie", &self.cookie);
        read(request.header("Accept", "application/json").call().unwrap())
    }
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> Value {
    let status = answer.status();
    let text = answer.body_mut().read_to_string().unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}
