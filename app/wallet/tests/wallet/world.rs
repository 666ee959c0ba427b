//! An authority, an issuer and a verifier behind loopback doors, made of the same protocol rooms as the house; each can be told
//! to misbehave.

use crate::server::{self, Asked, Reply};
use credential::credential_type::CredentialType;
use credential::dcql::{Query, Reader};
use credential::presentation::{StatusAnswer, StatusPolicy};
use credential::sd_jwt::{self, Subject, Validity};
use credential::status::{Bits, ListDraft, ListToken, StatusList, StatusReference, StatusValue};
use credential::trust::{Anchor, Anchors, Context, PathCache, Trust, TypePattern};
use crypto::jose::jws::{Draft, assemble, x5c_value};
use crypto::jwk::Jwk;
use crypto::key::{Ecdh, KeyAlg, PrivateKey, PublicKey, SignAlg};
use crypto::secret::Secret;
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Certificate, Name, NameParts, pem};
use jiff::Timestamp;
use openid::oauth::form::{FORM_BYTES_MAX, Form};
use openid::oauth::{AuthorizationServerMetadata, TokenResponse};
use openid::vci::{
    Check, CodeState, CredentialConfiguration, CredentialOffer, CredentialRequest, CredentialResponse,
    DpopRules, Grant, IssuerMetadata, NonceKey, NonceResponse, OfferLink, PreAuthorizedRequest, ProofRules,
    TxCode, TxCodeKey,
};
use openid::vp::{
    ClientId, ClientMetadata, Flow, Input, Judgement, Question, RequestObject, RequestUriMethod,
    ResponseMode, ResponseRules, Seal, Session, request, response, verdict,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tessera_wallet::engine::Wallet;

/// A claim's value that must be found nowhere.
pub(crate) const CANARY: &str = "canary-BSc";

pub(crate) fn now() -> Timestamp {
    at(0)
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn p256() -> PrivateKey {
    PrivateKey::generate(KeyAlg::P256)
}

pub(crate) fn sign(draft: Draft, key: &PrivateKey) -> String {
    let alg = key.alg().default_sign_alg();
    let input = draft.with_alg(alg).signing_input();
    assemble(&input, &key.sign(alg, input.as_bytes()).unwrap())
}

/// An authority and what it signs.
pub(crate) struct Authority {
    key: PrivateKey,
    name: Name,
    pub(crate) certificate: Certificate,
}

/// A key with its certificate.
pub(crate) struct Signer {
    pub(crate) key: PrivateKey,
    pub(crate) der: Vec<u8>,
}

fn certificate(subject: &Name, public_key: PublicKey, by: (&Name, &PrivateKey), profile: Profile) -> Vec<u8> {
    let (issuer, key) = by;
    let draft = TbsDraft {
        subject: subject.clone(),
        issuer: issuer.clone(),
        issuer_key: key.public(),
        serial: crypto::random::array(),
        not_before: Timestamp::from_second(946_684_800).unwrap(),
        not_after: at(86_400 * 10_000),
        public_key,
        profile,
    };
    let alg = key.alg().default_sign_alg();
    let signed = draft.to_be_signed(alg).unwrap();
    build::assemble(&signed, alg, &key.sign(alg, &signed).unwrap()).unwrap()
}

fn name(common: &str) -> Name {
    Name::new(&NameParts { country: None, organisation: None, common_name: common.to_owned() }).unwrap()
}

impl Authority {
    pub(crate) fn new(common: &str) -> Authority {
        let (key, name) = (p256(), name(common));
        let der = certificate(&name, key.public(), (&name, &key), Profile::Ca { path_len: Some(0) });
        Authority { certificate: Certificate::parse(&der).unwrap(), key, name }
    }

    pub(crate) fn signer(&self, common: &str) -> Signer {
        self.signer_for(
            common,
            LeafNames { san_uris: vec!["https://i.example".to_owned()], ..LeafNames::default() },
        )
    }

    pub(crate) fn signer_for(&self, common: &str, names: LeafNames) -> Signer {
        let key = p256();
        let der = certificate(&name(common), key.public(), (&self.name, &self.key), Profile::Leaf(names));
        Signer { key, der }
    }

    pub(crate) fn pem(&self) -> String {
        pem::encode_chain(&[self.certificate.der()])
    }

    fn anchors(&self) -> Anchors {
        let types = vec![TypePattern::parse("*").unwrap()];
        let contexts = vec![Context::Issuer, Context::Status];
        Anchors::new(vec![Anchor {
            id: "anc_1".to_owned(),
            certificate: self.certificate.clone(),
            contexts,
            types,
        }])
    }
}

impl Signer {
    pub(crate) fn sign(&self, draft: Draft) -> String {
        sign(draft.with("x5c", x5c_value(&[&self.der])), &self.key)
    }
}

/// Changes what a door answers.
pub(crate) type Spoil = Box<dyn Fn(Reply) -> Reply + Send + Sync>;

/// Changes the claims of a request.
pub(crate) type Change = Box<dyn Fn(&mut Value) + Send>;

/// What the peers know, and how they misbehave.
pub(crate) struct Peers {
    pub(crate) authority: Authority,
    pub(crate) issuer: Signer,
    pub(crate) list: Signer,
    pub(crate) verifier: Signer,
    response_key: Ecdh,
    /// `http://localhost:PORT`.
    pub(crate) origin: String,
    /// The credential is bound to this key instead of the wallet's.
    pub(crate) holder: Option<PublicKey>,
    /// It is of this type instead.
    pub(crate) vct: Option<String>,
    pub(crate) tx_code: bool,
    /// Tokens are bound to a key, by proofs that carry a nonce of ours; and it is told what was stored.
    pub(crate) bound: bool,
    /// The key that the last token was bound to.
    pub(crate) bound_to: Option<[u8; 32]>,
    code: CodeState,
    session: Session,
    pub(crate) revoked: bool,
    /// The request's claims are changed before they are signed.
    pub(crate) change: Option<Change>,
    /// What doors answer instead.
    pub(crate) spoils: HashMap<&'static str, Spoil>,
    /// Paths in the order asked.
    pub(crate) asked: Vec<String>,
    /// Claims that the verifier saw last.
    pub(crate) seen: Option<Value>,
    /// How the verifier judged last.
    pub(crate) input: Option<Input>,
}

/// The peers behind their doors.
#[derive(Clone)]
pub(crate) struct World(pub(crate) Arc<Mutex<Peers>>);

impl World {
    pub(crate) fn new() -> World {
        let authority = Authority::new("Root of A");
        let peers = Peers {
            issuer: authority.signer("Signer of A"),
            list: authority.signer("List of A"),
            verifier: authority.signer("Verifier A"),
            authority,
            response_key: Ecdh::generate(),
            origin: String::new(),
            holder: None,
            vct: None,
            tx_code: false,
            bound: false,
            bound_to: None,
            code: CodeState { expires_at: at(600), spent: false, tx_code: None },
            session: Session::new(at(300), Flow::CrossDevice),
            revoked: false,
            change: None,
            spoils: HashMap::new(),
            asked: Vec::new(),
            seen: None,
            input: None,
        };
        let world = World(Arc::new(Mutex::new(peers)));
        let shared = world.clone();
        let port = server::serve(move |asked| shared.0.lock().unwrap().answer(&asked));
        world.0.lock().unwrap().origin = format!("http://localhost:{port}");
        world
    }

    /// A wallet that trusts the authority and lives at the fixed moment.
    pub(crate) fn wallet(&self) -> Wallet {
        self.wallet_at(0)
    }

    pub(crate) fn wallet_at(&self, second: i64) -> Wallet {
        Wallet::in_memory(&self.with(|peers| peers.authority.pem()))
            .unwrap()
            .with_clock(Box::new(move || at(second)))
    }

    /// A wallet with one diploma.
    pub(crate) fn holder(&self) -> Wallet {
        let mut wallet = self.wallet();
        wallet.accept(&self.offer_link(), None, &mut |_| true).unwrap();
        wallet
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Peers) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    pub(crate) fn spoil(&self, path: &'static str, spoil: impl Fn(Reply) -> Reply + Send + Sync + 'static) {
        self.with(|peers| peers.spoils.insert(path, Box::new(spoil)));
    }

    /// Changes one claim of the request, or takes it away by null.
    pub(crate) fn change(&self, claim: &'static str, value: Value) {
        let change = move |claims: &mut Value| match &value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value.clone(),
        };
        self.with(|peers| peers.change = Some(Box::new(change)));
    }

    pub(crate) fn offer_link(&self) -> String {
        self.with(|peers| OfferLink::to(&format!("{}/offer", peers.origin)))
    }

    /// A link to a new request of the verifier.
    pub(crate) fn request_link(&self) -> String {
        self.with(|peers| {
            peers.session = Session::new(at(300), Flow::CrossDevice);
            RequestObject::link(
                &peers.object().client_id,
                &format!("{}/request", peers.origin),
                RequestUriMethod::Get,
                request::REQUEST_SCHEME,
            )
        })
    }

    /// How often a door was asked.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.with(|peers| peers.asked.iter().filter(|asked| *asked == path).count())
    }
}

impl Peers {
    pub(crate) fn identifier(&self) -> String {
        format!("{}/i", self.origin)
    }

    pub(crate) fn vct(&self) -> String {
        format!("{}/i/vct/diploma", self.origin)
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        self.asked.push(asked.path.clone());
        let reply = match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/offer") => Reply::json(200, &self.offer()),
            ("GET", "/.well-known/openid-credential-issuer/i") => Reply::json(200, &self.issuer_metadata()),
            ("GET", "/.well-known/oauth-authorization-server/i") => {
                let metadata =
                    AuthorizationServerMetadata::pre_authorized(&self.identifier(), self.door("token"));
                Reply::json(200, &if self.bound { metadata.with_dpop() } else { metadata })
            }
            ("POST", "/i/token") => self.token(asked),
            ("POST", "/i/nonce") => {
                Reply::json(200, &NonceResponse { c_nonce: nonces().make([1; 16], now()) })
            }
            ("POST", "/i/credential") => self.credential(asked),
            ("POST", "/i/notification") => Reply::of(204, ""),
            ("GET", "/i/status/0") => Reply::of(200, self.status_list()),
            ("GET", "/request") => Reply::of(200, self.request()),
            ("POST", "/response") => self.response(asked),
            _ => Reply::of(404, ""),
        };
        match self.spoils.get(asked.path.as_str()) {
            Some(spoil) => spoil(reply),
            None => reply,
        }
    }

    fn door(&self, name: &str) -> String {
        format!("{}/i/{name}", self.origin)
    }

    pub(crate) fn offer(&self) -> CredentialOffer {
        let tx_code = self.tx_code.then_some(TxCode { input_mode: None, length: Some(4), description: None });
        CredentialOffer::pre_authorized(
            &self.identifier(),
            &["diploma".to_owned()],
            "code".to_owned(),
            tx_code,
        )
    }

    pub(crate) fn issuer_metadata(&self) -> IssuerMetadata {
        let mut diploma =
            CredentialConfiguration::sd_jwt_vc(&self.vct(), "diploma", SignAlg::Es256, &[SignAlg::Es256]);
        let shown = json!({
            "display": [{"name": "Diploma", "locale": "en"}],
            "claims": [{"path": ["degree"], "display": [{"name": "Degree"}]}, {"path": ["given_name"]}],
        });
        diploma.credential_metadata = serde_json::from_value(shown).unwrap();
        IssuerMetadata {
            credential_issuer: self.identifier(),
            authorization_servers: Vec::new(),
            credential_endpoint: self.door("credential"),
            nonce_endpoint: Some(self.door("nonce")),
            notification_endpoint: self.bound.then(|| self.door("notification")),
            batch_credential_issuance: None,
            display: vec![json!({"name": "University of A"})],
            credential_configurations_supported: [("diploma".to_owned(), diploma)].into(),
        }
    }

    /// The key that a DPoP proof shows, or the answer that asks for another one with our nonce.
    fn proved(&self, asked: &Asked, access_token: Option<&str>) -> Result<[u8; 32], Reply> {
        let nonces = NonceKey::new(Secret::new([9; 32]), "a");
        let url = format!("{}{}", self.origin, asked.path);
        let rules = DpopRules { url: &url, access_token, nonces: &nonces, is_nonce_required: true };
        let header = asked.dpop.as_deref().ok_or(Check::DpopForm);
        header.and_then(|header| rules.judge(header, now())).map(|key| key.thumbprint).map_err(|check| {
            let status = if access_token.is_some() { 401 } else { 400 };
            let reply = Reply::json(status, &json!({"error": check.code().as_str()}));
            Reply { dpop_nonce: Some(nonces.make([1; 16], now())), ..reply }
        })
    }

    fn token(&mut self, asked: &Asked) -> Reply {
        if self.bound {
            match self.proved(asked, None) {
                Ok(key) => self.bound_to = Some(key),
                Err(reply) => return reply,
            }
        }
        let form = Form::parse(&asked.body, FORM_BYTES_MAX).unwrap();
        let key = TxCodeKey::new(Secret::new([7; 32]), "a");
        // Other issuers' codes are shorter than ours.
        let is_good = match self.tx_code {
            true => form.get("tx_code") == Some("4935") && !self.code.spent,
            false => {
                self.code.redeem(&PreAuthorizedRequest::read(&form).unwrap(), "off_1", &key, now()).is_ok()
            }
        };
        if !is_good {
            return Reply::json(400, &json!({"error": "invalid_grant"}));
        }
        self.code.spent = true;
        let token = "token".to_owned();
        let answer = match self.bound {
            true => TokenResponse::bound(token, 3_600, None),
            false => TokenResponse::bearer(token, 300, None),
        };
        Reply::json(200, &answer)
    }

    /// The next offer is a new one.
    pub(crate) fn renew_code(&mut self) {
        self.code.spent = false;
    }

    fn credential(&mut self, asked: &Asked) -> Reply {
        if self.bound {
            assert_eq!(asked.authorization.as_deref(), Some("DPoP token"));
            match self.proved(asked, Some("token")) {
                Ok(key) => assert_eq!(self.bound_to, Some(key)),
                Err(reply) => return reply,
            }
        } else {
            assert_eq!(asked.authorization.as_deref(), Some("Bearer token"));
        }
        let rules = ProofRules {
            issuer: self.identifier(),
            algs: vec![SignAlg::Es256],
            batch_size: 1,
            nonces: nonces(),
        };
        let grant = Grant {
            configuration_ids: vec!["diploma".to_owned()],
            client_id: None,
            token_expires_at: at(300),
            rounds_left: 1,
            copies_max: 1,
            rules,
        };
        let accepted = grant.accept(&CredentialRequest::parse(&asked.body).unwrap(), now()).unwrap();
        let holder = self.holder.clone().unwrap_or_else(|| accepted.keys[0].key().clone());
        let answer = CredentialResponse::of(vec![self.diploma(&holder)]);
        Reply::json(200, &answer.notified_by("n".to_owned()))
    }

    fn diploma(&self, holder: &PublicKey) -> String {
        let rules = json!([
            {"path": ["given_name"], "type": "string", "sd": "always"},
            {"path": ["degree"], "type": "string", "sd": "always"},
            {"path": ["year"], "type": "integer", "sd": "never"},
        ]);
        let kind = CredentialType::parse(&self.vct.clone().unwrap_or_else(|| self.vct()), &rules).unwrap();
        let Value::Object(claims) = json!({"given_name": "Ana", "degree": CANARY, "year": 2026}) else {
            unreachable!()
        };
        let status = StatusReference { uri: self.door("status/0"), idx: 7 };
        let subject = Subject {
            issuer: &self.identifier(),
            holder: &Jwk::from_key(holder),
            status: Some(&status),
            validity: Validity::whole_days(now(), 86_400 * 30, None).unwrap(),
        };
        let mut entropy = |out: &mut [u8]| crypto::random::fill(out);
        let draft = sd_jwt::issue(&kind.accept(&claims).unwrap(), &subject, &mut entropy).unwrap();
        draft.disclosures.assemble(&self.issuer.sign(draft.jws))
    }

    fn status_list(&self) -> String {
        let mut list = StatusList::new(Bits::One, 1024).unwrap();
        list.set(7, if self.revoked { StatusValue::Invalid } else { StatusValue::Valid }).unwrap();
        let uri = self.door("status/0");
        let draft = ListDraft {
            uri: &uri,
            issued_at: now(),
            expires_at: at(3600),
            ttl_s: 300,
            aggregation_uri: None,
        };
        self.list.sign(draft.draft(&list))
    }

    pub(crate) fn object(&self) -> RequestObject {
        RequestObject {
            client_id: ClientId::x509_hash(&self.verifier.der),
            response_uri: format!("{}/response", self.origin),
            nonce: "session-nonce".to_owned(),
            state: "session-state".to_owned(),
            issued_at: now(),
            expires_at: at(300),
            dcql_query: json!({"credentials": [{"id": "d", "format": "dc+sd-jwt",
                "meta": {"vct_values": [self.vct()]}, "claims": [{"path": ["degree"]}]}]}),
            client_metadata: ClientMetadata {
                response_key: Some(self.response_key.public()),
                sd_jwt_algs: vec!["ES256"],
                kb_jwt_algs: vec!["ES256"],
            },
            response_mode: ResponseMode::DirectPostJwt,
            transaction_data: Vec::new(),
            verifier_info: Vec::new(),
            wallet_nonce: None,
        }
    }

    /// What the verifier asked, as it was changed.
    fn claims(&self) -> Value {
        let mut claims: Value = serde_json::from_slice(&self.object().draft().payload).unwrap();
        if let Some(change) = &self.change {
            change(&mut claims);
        }
        claims
    }

    fn request(&self) -> String {
        self.verifier.sign(Draft::new(request::REQUEST_TYP, self.claims().to_string()))
    }

    fn response(&mut self, asked: &Asked) -> Reply {
        let object = self.object();
        let kid = ClientMetadata::kid(&self.response_key.public());
        let is_sealed = self.claims()["response_mode"] != "direct_post";
        let rules = ResponseRules {
            seal: if is_sealed { Seal::Jwe { key: &self.response_key, kid: &kid } } else { Seal::Open },
            state: "session-state",
            state_required: true,
        };
        let reading = response::open(&asked.body, &rules);
        let query = Query::parse(&self.claims()["dcql_query"], Reader::Own).unwrap();
        let client_id = object.client_id.to_string();
        let question = Question {
            query: &query,
            client_id: &client_id,
            nonce: &object.nonce,
            requested_at: now(),
            transactions: &[],
        };
        let (anchors, cache) = (self.authority.anchors(), PathCache::new());
        let trust = Trust { anchors: &anchors, cache: &cache, haip: true };
        let list = ListToken::parse(&self.status_list()).unwrap().verify(&trust, now()).unwrap();
        let verdict = match verdict::examine(reading, &question, &trust, at(1)) {
            Judgement::Done(verdict) => verdict,
            Judgement::Waiting(pending) => {
                let found = |_: &_| StatusAnswer::List { list: &list, fetched_at: now() };
                pending.conclude(found, &StatusPolicy::default(), at(1))
            }
        };
        self.seen = verdict.credentials.get("d").map(|shown| Value::Object(shown[0].claims.clone()));
        self.input = Some(verdict.input);
        let (session, outcome) = self.session.step(verdict.input, now());
        self.session = session;
        match outcome {
            Ok(_) if self.input == Some(Input::Accepted) => {
                Reply::json(200, &json!({"redirect_uri": format!("{}/done", self.origin)}))
            }
            Ok(_) if matches!(self.input, Some(Input::WalletError(_))) => Reply::of(200, "{}"),
            _ => Reply::json(400, &response::refused()),
        }
    }
}

fn nonces() -> NonceKey {
    NonceKey::new(Secret::new([7; 32]), "a")
}
