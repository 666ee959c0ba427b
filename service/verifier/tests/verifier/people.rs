//! Authorities, signers, credentials and a wallet, made with the protocol rooms alone.

use credential::claims_path::ClaimsPath;
use credential::credential_type::CredentialType;
use credential::sd_jwt::{self, SdJwt, Subject, Validity};
use credential::status::{Bits, ListDraft, StatusList, StatusReference, StatusValue};
use crypto::jose::jwe::{Enc, encrypt_ecdh_es};
use crypto::jose::jws::{Draft, Jws, assemble, x5c_value};
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey, PublicKey};
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Certificate, Name, NameParts};
use crypto::{base64, hash};
use jiff::{SignedDuration, Timestamp};
use openid::oauth::form;
use serde_json::{Value, json};

/// The moment at which every test begins.
pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";
/// The type that the outside university issues.
pub(crate) const VCT: &str = "https://university.example/vct/diploma";

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(crate) const LIFE: (&str, &str) = ("2026-11-01T00:00:00Z", "2027-12-01T00:00:00Z");

fn name(common_name: &str) -> Name {
    Name::new(&NameParts { common_name: common_name.into(), ..NameParts::default() }).unwrap()
}

fn certify(
    by: (&PrivateKey, &Name),
    subject: Name,
    public_key: PublicKey,
    profile: Profile,
    life: (&str, &str),
) -> Vec<u8> {
    let draft = TbsDraft {
        subject,
        issuer: by.1.clone(),
        issuer_key: by.0.public(),
        serial: crypto::random::array(),
        not_before: life.0.parse().unwrap(),
        not_after: life.1.parse().unwrap(),
        public_key,
        profile,
    };
    let alg = by.0.alg().default_sign_alg();
    let signed = draft.to_be_signed(alg).unwrap();
    build::assemble(&signed, alg, &by.0.sign(alg, &signed).unwrap()).unwrap()
}

/// A certificate authority.
pub(crate) struct Root {
    key: PrivateKey,
    name: Name,
    pub(crate) certificate: Certificate,
}

/// A key with the chain that vouches for it.
pub(crate) struct Signer {
    pub(crate) key: PrivateKey,
    pub(crate) chain: Vec<Vec<u8>>,
}

impl Root {
    pub(crate) fn new(common_name: &str) -> Self {
        let (key, name) = (PrivateKey::generate(KeyAlg::P256), name(common_name));
        let der = certify((&key, &name), name.clone(), key.public(), Profile::Ca { path_len: Some(1) }, LIFE);
        Self { certificate: Certificate::parse(&der).unwrap(), key, name }
    }

    pub(crate) fn signer(&self, common_name: &str) -> Signer {
        self.signer_with(common_name, KeyAlg::P256, LIFE)
    }

    pub(crate) fn signer_with(&self, common_name: &str, alg: KeyAlg, life: (&str, &str)) -> Signer {
        let key = PrivateKey::generate(alg);
        let leaf = certify(
            (&self.key, &self.name),
            name(common_name),
            key.public(),
            Profile::Leaf(LeafNames::default()),
            life,
        );
        Signer { key, chain: vec![leaf] }
    }

    /// An authority below this one, with its certificate.
    pub(crate) fn below(&self, common_name: &str, profile: Profile) -> Root {
        let (key, name) = (PrivateKey::generate(KeyAlg::P256), name(common_name));
        let der = certify((&self.key, &self.name), name.clone(), key.public(), profile, LIFE);
        Root { certificate: Certificate::parse(&der).unwrap(), key, name }
    }
}

/// A leaf that signed itself.
pub(crate) fn self_signed() -> Signer {
    let (key, name) = (PrivateKey::generate(KeyAlg::P256), name("Self"));
    let profile = Profile::Leaf(LeafNames::default());
    let der = certify((&key, &name), name.clone(), key.public(), profile, LIFE);
    Signer { key, chain: vec![der] }
}

impl Signer {
    pub(crate) fn sign(&self, draft: Draft) -> String {
        sign(draft.with("x5c", x5c_value(&self.chain)), &self.key)
    }

    /// A list of so many entries, one of them set.
    pub(crate) fn list(
        &self,
        uri: &str,
        entries: u32,
        idx: u64,
        value: StatusValue,
        at: Timestamp,
    ) -> String {
        let mut list = StatusList::new(Bits::Two, entries).unwrap();
        list.set(idx, value).unwrap();
        self.sign(list_draft(uri, &list, at, 300))
    }
}

pub(crate) fn list_draft(uri: &str, list: &StatusList, at: Timestamp, ttl_s: u32) -> Draft {
    let expires_at = at + SignedDuration::from_hours(12);
    ListDraft { uri, issued_at: at, expires_at, ttl_s, aggregation_uri: None }.draft(list)
}

pub(crate) fn sign(draft: Draft, key: &PrivateKey) -> String {
    let alg = key.alg().default_sign_alg();
    let input = draft.with_alg(alg).signing_input();
    assemble(&input, &key.sign(alg, input.as_bytes()).unwrap())
}

/// What a diploma may differ in.
pub(crate) struct Diploma<'a> {
    pub(crate) vct: &'a str,
    pub(crate) given_name: &'a str,
    pub(crate) status: Option<StatusReference>,
}

impl Diploma<'_> {
    /// The draft for `holder`; whoever signs the JWS issues it.
    pub(crate) fn draft(&self, holder: &PublicKey, at: Timestamp) -> sd_jwt::Draft {
        let rules = json!([
            {"path": ["given_name"], "type": "string", "sd": "always"},
            {"path": ["degree"], "type": "string", "sd": "always"},
            {"path": ["grade"], "type": "string", "sd": "always"},
        ]);
        let kind = CredentialType::parse(self.vct, &rules).unwrap();
        let Value::Object(claims) = json!({"given_name": self.given_name, "degree": "BSc", "grade": "1.3"})
        else {
            unreachable!()
        };
        let subject = Subject {
            issuer: "https://university.example",
            holder: &Jwk::from_key(holder),
            status: self.status.as_ref(),
            validity: Validity::whole_days(at, 86_400 * 30, None).unwrap(),
        };
        let mut entropy = |out: &mut [u8]| crypto::random::fill(out);
        sd_jwt::issue(&kind.accept(&claims).unwrap(), &subject, &mut entropy).unwrap()
    }

    pub(crate) fn issue(&self, holder: &PublicKey, signer: &Signer) -> String {
        let draft = self.draft(holder, now());
        draft.disclosures.assemble(&signer.sign(draft.jws))
    }
}

/// A signed request as whoever intercepts it can read it.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) claims: Value,
}

impl Asked {
    pub(crate) fn read(compact: &str) -> Self {
        let jws = Jws::parse(compact, &Limits { bytes_max: 128 << 10, depth_max: 16 }).unwrap();
        Self { claims: serde_json::from_slice(jws.payload()).unwrap() }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.claims[name].as_str().unwrap()
    }

    /// When it was made.
    pub(crate) fn made_at(&self) -> Timestamp {
        Timestamp::from_second(self.claims["iat"].as_i64().unwrap()).unwrap()
    }

    /// The path of the response door.
    pub(crate) fn response_path(&self) -> String {
        url::Url::parse(self.text("response_uri")).unwrap().path().to_owned()
    }

    pub(crate) fn kid(&self) -> &str {
        self.claims["client_metadata"]["jwks"]["keys"][0]["kid"].as_str().unwrap()
    }

    pub(crate) fn key(&self) -> PublicKey {
        Jwk::from_value(&self.claims["client_metadata"]["jwks"]["keys"][0]).unwrap().key().clone()
    }

    /// The form of an answer: this JSON, encrypted to the session's key.
    pub(crate) fn sealed(&self, plain: &Value) -> String {
        let plain = plain.to_string();
        let jwe = encrypt_ecdh_es(&self.key(), Some(self.kid()), Enc::A128Gcm, None, None, plain.as_bytes())
            .unwrap();
        form::encode(&[("response", &jwe)])
    }

    /// The form of an answer that shows these presentations for the query `d`.
    pub(crate) fn answer(&self, presentation: &str) -> String {
        self.sealed(&json!({"vp_token": {"d": [presentation]}, "state": self.text("state")}))
    }
}

/// A wallet that does whatever the test wants.
pub(crate) struct Wallet {
    pub(crate) key: PrivateKey,
}

impl Wallet {
    pub(crate) fn new() -> Self {
        Self { key: PrivateKey::generate(KeyAlg::P256) }
    }

    /// The credential with the claims `degree` and `given_name`, not bound yet: it ends with a tilde.
    pub(crate) fn disclose(credential: &str, signer: &PublicKey) -> String {
        Self::disclose_paths(credential, signer, &["given_name", "degree"])
    }

    pub(crate) fn disclose_paths(credential: &str, signer: &PublicKey, names: &[&str]) -> String {
        let held = SdJwt::parse(credential).unwrap().verify(signer, now()).unwrap();
        let paths: Vec<ClaimsPath> =
            names.iter().map(|name| ClaimsPath::parse(&json!([name])).unwrap()).collect();
        held.present(&paths).unwrap().without_key_binding()
    }

    /// A text up to and with its last tilde, bound to a session.
    pub(crate) fn bind(&self, text: &str, audience: &str, nonce: &str, at: Timestamp) -> String {
        format!("{text}{}", sign(key_binding(text, audience, nonce, at), &self.key))
    }

    pub(crate) fn bind_to(&self, text: &str, asked: &Asked) -> String {
        self.bind(text, asked.text("client_id"), asked.text("nonce"), asked.made_at())
    }
}

pub(crate) fn key_binding(text: &str, audience: &str, nonce: &str, at: Timestamp) -> Draft {
    let sd_hash = base64::url_encode(&hash::sha256(text.as_bytes()));
    let claims = json!({"iat": at.as_second(), "aud": audience, "nonce": nonce, "sd_hash": sd_hash});
    Draft::new(sd_jwt::KEY_BINDING_TYP, claims.to_string())
}
