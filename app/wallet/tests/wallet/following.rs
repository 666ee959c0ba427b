//! A wallet and an identity provider whose keys move: the signed chain is followed, and nothing else.

use crate::server::{self, Asked, Reply};
use crate::world::{Authority, now, p256, sign};
use crypto::base64;
use crypto::jose::jws::Draft;
use crypto::jwk::Jwk;
use crypto::key::PrivateKey;
use seal::chain::{self, Break};
use seal::code::Sid;
use seal::code::claim::ClaimRefusal;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, MutexGuard};
use tessera_wallet::cli::Trouble;
use tessera_wallet::engine::{DoorFault, SigninError, Wallet};

/// What the provider has and says.
struct Keys {
    /// Signs answers.
    reply: PrivateKey,
    agreement: PrivateKey,
    chain: Vec<String>,
}

struct Provider {
    keys: Arc<Mutex<Keys>>,
    /// How often its metadata was asked for.
    looked: Arc<Mutex<usize>>,
    base: String,
}

impl Keys {
    fn jwk(key: &PrivateKey) -> Value {
        Jwk::from_key(&key.public()).to_value()
    }

    /// Set `number`, signed by `by`, of the keys that stand.
    fn says(&mut self, base: &str, number: u64, by: &PrivateKey, reply: &PrivateKey) {
        let claims = json!({
            "iss": format!("{base}/idp"), "iat": 1, "number": number,
            "agreement": {"kid": "s", "jwk": Keys::jwk(&self.agreement)},
            "reply": {"kid": "r", "jwk": Keys::jwk(reply)},
        });
        self.chain.push(sign(Draft::new(chain::TYP, claims.to_string()), by));
    }

    fn metadata(&self, base: &str) -> Value {
        let mut reply = Keys::jwk(&self.reply);
        reply["kid"] = "r".into();
        json!({
            "issuer": format!("{base}/idp"), "versions": ["seal/1"], "reply_jwks": {"keys": [reply]},
            "agreement": {"kid": "s", "jwk": Keys::jwk(&self.agreement)}, "key_chain": self.chain,
            "signers": [], "anchors": [], "limits": {"unanchored": true},
        })
    }

    /// A signed answer to the request that this proof came with.
    fn answers(&self, base: &str, proof: &str, mut content: Map<String, Value>) -> Vec<u8> {
        let claims = base64::url_decode(proof.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        content.insert("iss".to_owned(), format!("{base}/idp").into());
        content.insert("aud".to_owned(), "enr_1".into());
        content.insert("iat".to_owned(), now().as_second().into());
        content.insert("re".to_owned(), claims["jti"].clone());
        sign(Draft::new(seal::code::reply::TYP, Value::Object(content).to_string()), &self.reply).into_bytes()
    }
}

impl Provider {
    fn new() -> Provider {
        let keys = Keys { reply: p256(), agreement: p256(), chain: Vec::new() };
        let (keys, looked) = (Arc::new(Mutex::new(keys)), Arc::new(Mutex::new(0)));
        let (known, counted) = (Arc::clone(&keys), Arc::clone(&looked));
        let port = server::serve(move |asked| answer(&known.lock().unwrap(), &counted, &asked));
        let base = format!("http://127.0.0.1:{port}/t/x");
        let provider = Provider { keys, looked, base };
        let first = copy(&provider.keys().reply);
        provider.keys().says(&provider.base, 1, &first, &first);
        provider
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap()
    }

    /// Another reply key takes over; the one before said so.
    fn rotates(&self, number: u64) {
        let (mut keys, next) = (self.keys(), p256());
        let before = std::mem::replace(&mut keys.reply, copy(&next));
        keys.says(&self.base, number, &before, &next);
    }

    fn enrolled(&self) -> Wallet {
        let mut wallet = Wallet::in_memory(&Authority::new("A").pem()).unwrap().with_clock(Box::new(now));
        wallet.enrol(&self.base, None).unwrap();
        *self.looked.lock().unwrap() = 0;
        wallet
    }

    /// Claims a sign-in. What it answers is no sign-in, so a wallet that believes the signature refuses the form.
    fn heard(&self, wallet: &mut Wallet) -> Result<(), SigninError> {
        let uri = format!("{}/seal/s/{}", self.base, Sid::new([7; 16]));
        match wallet.claim(&uri) {
            Err(SigninError::Refused(ClaimRefusal::Form)) => Ok(()),
            Err(fault) => Err(fault),
            Ok(_) => panic!("an empty answer is no sign-in"),
        }
    }

    fn broken(&self, wallet: &mut Wallet) -> Break {
        match self.heard(wallet) {
            Err(SigninError::Door(DoorFault::Keys(broken))) => broken,
            other => panic!("{other:?}"),
        }
    }

    fn looked(&self) -> usize {
        *self.looked.lock().unwrap()
    }
}

fn answer(keys: &Keys, looked: &Mutex<usize>, asked: &Asked) -> Reply {
    let base = format!("http://{}/t/x", asked.host.as_deref().unwrap());
    let signed = |status, content: Value| {
        let content = content.as_object().unwrap().clone();
        Reply::of(status, keys.answers(&base, asked.proof.as_deref().unwrap(), content))
    };
    match (asked.method.as_str(), asked.path.strip_prefix("/t/x/seal/").unwrap()) {
        ("GET", "metadata") => {
            *looked.lock().unwrap() += 1;
            Reply::json(200, &keys.metadata(&base))
        }
        ("POST", "enrolments") => Reply::json(
            201,
            &json!({
                "enrolment": "enr_1", "challenge": base64::url_encode(&[1; 32]), "face_required": false,
                "expires_at": "2027-01-15T08:10:00Z",
            }),
        ),
        ("PUT", "enrolments/enr_1") => signed(
            201,
            json!({
                "binding": "enr_1", "handle": "K7QF-3M2P", "device": "AB12", "assurance": {},
                "expires_at": "2028-01-15T08:00:00Z",
            }),
        ),
        ("POST", path) if path.ends_with("/claim") => signed(200, json!({})),
        other => panic!("{other:?}"),
    }
}

fn copy(key: &PrivateKey) -> PrivateKey {
    PrivateKey::from_secret(key.alg(), key.to_secret().expose()).unwrap()
}

#[test]
fn a_wallet_follows_the_reply_key_over_two_rotations_and_then_asks_no_more() {
    let provider = Provider::new();
    let mut wallet = provider.enrolled();
    provider.heard(&mut wallet).unwrap();
    assert_eq!(provider.looked(), 0, "under the pinned key nothing is asked");
    provider.rotates(2);
    provider.heard(&mut wallet).unwrap();
    provider.rotates(3);
    provider.heard(&mut wallet).unwrap();
    provider.heard(&mut wallet).unwrap();
    assert_eq!(provider.looked(), 2, "once a rotation: what was believed is kept");
}

#[test]
fn a_wallet_that_slept_through_two_rotations_follows_both_at_once() {
    let provider = Provider::new();
    let mut wallet = provider.enrolled();
    provider.rotates(2);
    provider.rotates(3);
    provider.heard(&mut wallet).unwrap();
    assert_eq!(provider.looked(), 1);
}

#[test]
fn a_key_that_the_one_before_did_not_sign_is_refused_with_cause_and_fix_and_what_was_pinned_stays() {
    let provider = Provider::new();
    let mut wallet = provider.enrolled();
    let first = copy(&provider.keys().reply);
    let stranger = p256();
    {
        let mut keys = provider.keys();
        keys.reply = copy(&stranger);
        keys.says(&provider.base, 2, &stranger, &stranger);
    }
    assert_eq!(provider.broken(&mut wallet), Break::Link(2));
    // Nor without any set that names it.
    provider.keys().chain.truncate(1);
    assert_eq!(provider.broken(&mut wallet), Break::Reply);
    let fault = SigninError::Door(DoorFault::Keys(Break::Link(2)));
    let told = Trouble::from(fault).render(false);
    assert!(
        told.contains("wallet/keys-broken") && told.contains("set 2 of its keys is not signed"),
        "{told}"
    );
    assert!(told.contains("\n  cause  ") && told.contains("\n  fix    Try again after a minute"), "{told}");
    provider.keys().reply = first;
    provider.heard(&mut wallet).unwrap();
}

#[test]
fn a_provider_that_goes_back_to_an_earlier_set_is_refused() {
    let provider = Provider::new();
    let mut wallet = provider.enrolled();
    let first = copy(&provider.keys().reply);
    provider.rotates(2);
    provider.heard(&mut wallet).unwrap();
    let second = std::mem::replace(&mut provider.keys().reply, first);
    assert_eq!(provider.broken(&mut wallet), Break::Reply, "a retired key signs again");
    provider.keys().chain.truncate(1);
    assert_eq!(provider.broken(&mut wallet), Break::Rollback { told: 1, known: 2 });
    provider.keys().reply = second;
    provider.heard(&mut wallet).unwrap();
}
