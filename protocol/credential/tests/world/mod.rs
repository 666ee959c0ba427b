//! A small world for tests and benchmarks: a root, signers under it, a holder, and a verifier's session.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file and benchmark uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crypto::hash;
use crypto::jose::jws::{Draft, assemble, x5c_value};
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey};
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Certificate, Name, NameParts};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tessera_credential::check::{CheckResult, Outcome, PresentationName};
use tessera_credential::claims_path::ClaimsPath;
use tessera_credential::credential_type::CredentialType;
use tessera_credential::dcql::{CredentialQuery, Query, Reader};
use tessera_credential::presentation::{
    Concluded, Expected, StatusAnswer, StatusPolicy, Transaction, examine,
};
use tessera_credential::sd_jwt::{self, SdJwt, Subject, Validity};
use tessera_credential::status::{Bits, ListDraft, ListToken, StatusList, StatusReference, VerifiedList};
use tessera_credential::trust::{Anchor, Anchors, Context, PathCache, Trust, TypePattern};

pub const VCT: &str = "https://issuer.example/t/default/vct/diploma";
pub const ISSUER: &str = "https://issuer.example/t/default";
pub const LIST_URI: &str = "https://issuer.example/t/default/status/0";
pub const AUDIENCE: &str = "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk";
pub const NONCE: &str = "n-0S6_WzA2Mj";

pub fn now() -> Timestamp {
    "2026-11-20T17:03:09Z".parse().unwrap()
}

/// SHA-256 in counter mode: random enough for tests and the same in every run.
pub fn seeded(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut count = 0u64;
    move |out: &mut [u8]| {
        for chunk in out.chunks_mut(32) {
            count += 1;
            let block = hash::sha256_of(&[&seed.to_be_bytes(), &count.to_be_bytes()]);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// A certificate authority.
pub struct Root {
    pub key: PrivateKey,
    pub name: Name,
    pub certificate: Certificate,
}

/// A key with the chain that vouches for it.
pub struct Signer {
    pub key: PrivateKey,
    pub chain: Vec<Vec<u8>>,
}

pub struct Dates {
    pub from: &'static str,
    pub to: &'static str,
}

pub const LIFE: Dates = Dates { from: "2026-11-01T00:00:00Z", to: "2027-12-01T00:00:00Z" };

fn name(common_name: &str) -> Name {
    Name::new(&NameParts { common_name: common_name.into(), ..NameParts::default() }).unwrap()
}

fn certify(
    root: (&PrivateKey, &Name),
    subject: Name,
    key: &PrivateKey,
    profile: Profile,
    life: &Dates,
) -> Vec<u8> {
    let draft = TbsDraft {
        subject,
        issuer: root.1.clone(),
        issuer_key: root.0.public(),
        serial: [7; 16],
        not_before: life.from.parse().unwrap(),
        not_after: life.to.parse().unwrap(),
        public_key: key.public(),
        profile,
    };
    let alg = root.0.alg().default_sign_alg();
    let signed = draft.to_be_signed(alg).unwrap();
    build::assemble(&signed, alg, &root.0.sign(alg, &signed).unwrap()).unwrap()
}

impl Root {
    pub fn new(common_name: &str) -> Self {
        let (key, name) = (PrivateKey::generate(KeyAlg::P256), name(common_name));
        let der = certify((&key, &name), name.clone(), &key, Profile::Ca { path_len: Some(0) }, &LIFE);
        Self { key, name, certificate: Certificate::parse(&der).unwrap() }
    }

    pub fn signer(&self, common_name: &str) -> Signer {
        self.signer_with(common_name, KeyAlg::P256, &LIFE)
    }

    pub fn signer_with(&self, common_name: &str, alg: KeyAlg, life: &Dates) -> Signer {
        self.certified(common_name, alg, life, &[])
    }

    /// A signer whose certificate says what it is for.
    pub fn signer_for(&self, common_name: &str, usage: &str) -> Signer {
        self.certified(common_name, KeyAlg::P256, &LIFE, &[usage])
    }

    fn certified(&self, common_name: &str, alg: KeyAlg, life: &Dates, usages: &[&str]) -> Signer {
        let key = PrivateKey::generate(alg);
        let ekus = usages.iter().map(|usage| (*usage).to_owned()).collect();
        let profile =
            Profile::Leaf(LeafNames { san_uris: vec![ISSUER.into()], ekus, ..LeafNames::default() });
        let leaf = certify((&self.key, &self.name), name(common_name), &key, profile, life);
        Signer { key, chain: vec![leaf] }
    }

    pub fn anchor(&self, id: &str, contexts: &[Context], types: &[&str]) -> Anchor {
        let types = types.iter().map(|pattern| TypePattern::parse(pattern).unwrap()).collect();
        Anchor { id: id.into(), certificate: self.certificate.clone(), contexts: contexts.to_vec(), types }
    }
}

/// A leaf that signed itself.
pub fn self_signed() -> Signer {
    let (key, name) = (PrivateKey::generate(KeyAlg::P256), name("Self"));
    let der = certify((&key, &name), name.clone(), &key, Profile::Leaf(LeafNames::default()), &LIFE);
    Signer { key, chain: vec![der] }
}

impl Signer {
    /// What custody does: `alg` and `x5c` into the header, then the signature.
    pub fn sign(&self, draft: Draft) -> String {
        sign(draft.with("x5c", x5c_value(&self.chain)), &self.key)
    }
}

pub fn sign(draft: Draft, key: &PrivateKey) -> String {
    let alg = key.alg().default_sign_alg();
    let input = draft.with_alg(alg).signing_input();
    assemble(&input, &key.sign(alg, input.as_bytes()).unwrap())
}

/// Everybody in one struct.
pub struct World {
    pub root: Root,
    pub issuer: Signer,
    pub lists: Signer,
    pub holder: PrivateKey,
    pub kind: CredentialType,
    pub anchors: Anchors,
    pub cache: PathCache,
    pub haip: bool,
    pub query: CredentialQuery,
    pub transactions: Vec<Transaction>,
}

pub fn claims() -> Value {
    json!({
        "given_name": "Ana", "family_name": "Canary-7", "birthdate": "1999-02-28",
        "degree": {"type": "BSc", "grade": "1.3"}, "nationalities": ["DE", "FR"],
    })
}

pub fn rules() -> Value {
    json!([
        {"path": ["given_name"], "type": "string", "mandatory": true, "sd": "always"},
        {"path": ["family_name"], "type": "string", "sd": "always"},
        {"path": ["birthdate"], "type": "date", "sd": "always"},
        {"path": ["degree"], "type": "object", "sd": "always"},
        {"path": ["degree", "type"], "type": "string", "sd": "always"},
        {"path": ["degree", "grade"], "type": "string", "sd": "always"},
        {"path": ["nationalities"], "type": "array", "sd": "never"},
        {"path": ["nationalities", null], "type": "string", "sd": "always"},
    ])
}

pub fn query(credential: &Value) -> CredentialQuery {
    Query::parse(&json!({"credentials": [credential]}), Reader::Own).unwrap().credentials.remove(0)
}

pub fn asks(claims: &Value) -> Value {
    json!({"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": claims})
}

impl World {
    pub fn new() -> Self {
        let root = Root::new("Example University");
        Self {
            issuer: root.signer("Issuer"),
            lists: root.signer("Lists"),
            holder: PrivateKey::generate(KeyAlg::P256),
            kind: CredentialType::parse(VCT, &rules()).unwrap(),
            anchors: Anchors::new(vec![root.anchor("anc_own", &[Context::Issuer, Context::Status], &[VCT])]),
            cache: PathCache::new(),
            haip: true,
            query: query(&asks(&json!([{"path": ["given_name"]}, {"path": ["degree", "type"]}]))),
            transactions: Vec::new(),
            root,
        }
    }

    pub fn trust(&self) -> Trust<'_> {
        Trust { anchors: &self.anchors, cache: &self.cache, haip: self.haip }
    }

    pub fn reference(idx: u64) -> StatusReference {
        StatusReference { uri: LIST_URI.into(), idx }
    }

    /// The draft of a credential for the holder.
    pub fn draft(&self, claims: &Value, seed: u64) -> sd_jwt::Draft {
        let claims = claims.as_object().unwrap();
        let holder = Jwk::from_key(&self.holder.public());
        let status = Self::reference(412);
        let subject = Subject {
            issuer: ISSUER,
            holder: &holder,
            status: Some(&status),
            validity: Validity::whole_days(now(), 365 * 86_400, None).unwrap(),
        };
        sd_jwt::issue(&self.kind.accept(claims).unwrap(), &subject, &mut seeded(seed)).unwrap()
    }

    /// A good credential.
    pub fn credential(&self) -> String {
        let draft = self.draft(&claims(), 1);
        draft.disclosures.assemble(&self.issuer.sign(draft.jws))
    }

    /// A credential signed by the issuer over a payload of the test's own making.
    pub fn signed_payload(&self, payload: &str, disclosures: &[String]) -> String {
        let mut text = self.issuer.sign(Draft::new(sd_jwt::TYP, payload.as_bytes()));
        for disclosure in disclosures {
            text = format!("{text}~{disclosure}");
        }
        text + "~"
    }

    /// The payload every credential of this world starts from, as JSON.
    pub fn payload(&self) -> Value {
        json!({
            "vct": VCT, "iat": 1_795_132_800, "exp": 1_826_668_800, "_sd_alg": "sha-256",
            "cnf": {"jwk": Jwk::from_key(&self.holder.public()).to_value()},
            "given_name": "Ana", "degree": {"type": "BSc"},
        })
    }

    /// The holder shows `credential` with the claims that the query asks for.
    pub fn present(&self, credential: &str) -> String {
        self.present_paths(
            credential,
            &self.query.claims.iter().flatten().map(|it| it.path.clone()).collect::<Vec<_>>(),
        )
    }

    pub fn present_paths(&self, credential: &str, paths: &[ClaimsPath]) -> String {
        let unverified = SdJwt::parse(credential).unwrap();
        let held = unverified.verify(&self.issuer.key.public(), now()).unwrap();
        let presentation = held.present(paths).unwrap();
        let key_binding = sign(presentation.key_binding_draft(AUDIENCE, NONCE, now()), &self.holder);
        presentation.bind(&key_binding)
    }

    /// A text up to and with its last tilde, bound anew by the holder: what a dishonest holder can make of anything.
    pub fn bind(&self, bound: &str) -> String {
        self.bind_with(bound, AUDIENCE, NONCE, now())
    }

    pub fn bind_with(&self, bound: &str, audience: &str, nonce: &str, at: Timestamp) -> String {
        format!("{bound}{}", sign(key_binding(bound, audience, nonce, at), &self.holder))
    }

    pub fn list(&self, list: &StatusList, uri: &str) -> String {
        self.list_by(&self.lists, list, uri)
    }

    pub fn list_by(&self, signer: &Signer, list: &StatusList, uri: &str) -> String {
        signer.sign(list_draft(list, uri))
    }

    pub fn verified_list(&self, token: &str) -> VerifiedList {
        ListToken::parse(token).unwrap().verify(&self.trust(), now()).unwrap()
    }

    pub fn good_list(&self) -> VerifiedList {
        self.verified_list(&self.list(&StatusList::new(Bits::One, 131_072).unwrap(), LIST_URI))
    }

    pub fn expected(&self) -> Expected<'_> {
        Expected {
            query: &self.query,
            name: PresentationName { query: "d".into(), index: 0 },
            audience: AUDIENCE,
            nonce: NONCE,
            requested_at: now() - SignedDuration::from_secs(30),
            transactions: &self.transactions,
        }
    }

    /// Every check, with a good list.
    pub fn check(&self, presentation: &str) -> Concluded {
        self.check_with(presentation, &self.good_list())
    }

    pub fn check_with(&self, presentation: &str, list: &VerifiedList) -> Concluded {
        let answer = StatusAnswer::List { list, fetched_at: now() };
        self.check_answer(presentation, &answer, &StatusPolicy::default())
    }

    pub fn check_answer(
        &self,
        presentation: &str,
        answer: &StatusAnswer<'_>,
        policy: &StatusPolicy,
    ) -> Concluded {
        examine(presentation, &self.expected(), &self.trust(), now()).conclude(answer, policy, now())
    }

    /// The failed checks, `VP-017 credential/bad-signature reason`.
    pub fn failures(&self, presentation: &str) -> Vec<String> {
        let concluded = self.check(presentation);
        assert_eq!(
            concluded.presented.is_none(),
            concluded.results.iter().any(|it| it.outcome == Outcome::Fail)
        );
        failures(&concluded.results)
    }
}

pub fn list_draft(list: &StatusList, uri: &str) -> Draft {
    let draft = ListDraft {
        uri,
        issued_at: now(),
        expires_at: now() + SignedDuration::from_hours(12),
        ttl_s: 300,
        aggregation_uri: None,
    };
    draft.draft(list)
}

pub fn key_binding(bound: &str, audience: &str, nonce: &str, at: Timestamp) -> Draft {
    let sd_hash = crypto::base64::url_encode(&hash::sha256(bound.as_bytes()));
    let claims = json!({"iat": at.as_second(), "aud": audience, "nonce": nonce, "sd_hash": sd_hash});
    Draft::new(sd_jwt::KEY_BINDING_TYP, claims.to_string())
}

pub fn failures(results: &[CheckResult]) -> Vec<String> {
    let failed = results.iter().filter(|result| result.outcome == Outcome::Fail);
    let line = |result: &CheckResult| {
        let reason = result.detail.get("reason").unwrap_or_default();
        format!(
            "{} {} {}",
            result.check.id(),
            result.code.unwrap_or_default(),
            reason.as_str().unwrap_or_default()
        )
        .trim_end()
        .to_owned()
    };
    failed.map(line).collect()
}

/// A disclosure of the test's own making: its text and its digest.
pub fn disclosure(json: &Value) -> (String, String) {
    let text = crypto::base64::url_encode(json.to_string().as_bytes());
    let digest = crypto::base64::url_encode(&hash::sha256(text.as_bytes()));
    (text, digest)
}
