//! A passkey in software, as an authenticator and its browser together: the browser writes the origin that it sees.

use crypto::base64::url_encode;
use crypto::cbor::{self, Value as Cbor};
use crypto::hash::sha256;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use serde_json::{Value, json};

/// User present, user verified (WebAuthn Level 3, 6.1).
const PRESENT_VERIFIED: u8 = 0x05;
/// The data goes on with the credential.
const WITH_CREDENTIAL: u8 = 0x40;

/// The passkey.
pub(super) struct Passkey {
    key: PrivateKey,
    id: [u8; 16],
    counter: u32,
}

impl Passkey {
    pub(super) fn new() -> Self {
        Self { key: PrivateKey::generate(KeyAlg::P256), id: crypto::random::array(), counter: 0 }
    }

    /// Registration, on the page of `origin`.
    pub(super) fn create(&self, challenge: &[u8], origin: &str, host: &str) -> Value {
        let public = self.key.public();
        let (x, y) = public.raw()[1..].split_at(32);
        // COSE_Key: EC2, ES256, P-256.
        let cose = Cbor::Map(vec![
            (Cbor::Uint(1), Cbor::Uint(2)),
            (Cbor::Uint(3), Cbor::Nint(-7)),
            (Cbor::Nint(-1), Cbor::Uint(1)),
            (Cbor::Nint(-2), Cbor::bytes(x)),
            (Cbor::Nint(-3), Cbor::bytes(y)),
        ]);
        let mut data = self.data(host, WITH_CREDENTIAL);
        data.extend([0; 16]);
        data.extend([0, 16]);
        data.extend(self.id);
        data.extend(cbor::encode(&cose));
        let object = cbor::encode(&Cbor::Map(vec![
            (Cbor::text("fmt"), Cbor::text("none")),
            (Cbor::text("attStmt"), Cbor::Map(Vec::new())),
            (Cbor::text("authData"), Cbor::bytes(data)),
        ]));
        json!({
            "clientDataJSON": url_encode(&client_data("webauthn.create", challenge, origin)),
            "attestationObject": url_encode(&object),
        })
    }

    /// An assertion, asked for by the page of `origin`.
    pub(super) fn assert(&mut self, challenge: &[u8], origin: &str, host: &str) -> Result<Value, String> {
        self.counter += 1;
        let (client_data, data) = (client_data("webauthn.get", challenge, origin), self.data(host, 0));
        let signed = [data.clone(), sha256(&client_data).to_vec()].concat();
        let raw = self.key.sign(SignAlg::Es256, &signed).map_err(|fault| fault.to_string())?;
        Ok(json!({
            "id": url_encode(&self.id), "clientDataJSON": url_encode(&client_data),
            "authenticatorData": url_encode(&data), "signature": url_encode(&der(&raw)), "userHandle": "",
        }))
    }

    fn data(&self, host: &str, more: u8) -> Vec<u8> {
        let mut data = sha256(host.as_bytes()).to_vec();
        data.push(PRESENT_VERIFIED | more);
        data.extend(self.counter.to_be_bytes());
        data
    }
}

fn client_data(kind: &str, challenge: &[u8], origin: &str) -> Vec<u8> {
    let challenge = url_encode(challenge);
    json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false })
        .to_string()
        .into_bytes()
}

/// ECDSA-Sig-Value, as authenticators write it.
fn der(raw: &[u8]) -> Vec<u8> {
    let int = |half: &[u8]| {
        let mut bytes: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        if bytes.first().is_none_or(|byte| byte & 0x80 != 0) {
            bytes.insert(0, 0);
        }
        let length = u8::try_from(bytes.len()).expect("33 bytes at most");
        [vec![2, length], bytes].concat()
    };
    let (r, s) = raw.split_at(raw.len() / 2);
    let both = [int(r), int(s)].concat();
    let length = u8::try_from(both.len()).expect("70 bytes at most");
    [vec![0x30, length], both].concat()
}
