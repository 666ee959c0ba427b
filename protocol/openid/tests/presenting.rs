//! The wallet's machine against the verifier's reading and session: the whole way once, and every request a wallet refuses.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;

use credential::check::{Check, Outcome};
use credential::dcql::{self, Candidate, Format, Query, Reader};
use credential::presentation::{StatusAnswer, StatusPolicy};
use credential::sd_jwt::SdJwt;
use credential::status::{Bits, ListDraft, ListFault, ListToken, StatusList, StatusValue, VerifiedList};
use credential::trust::{Anchors, Context};
use crypto::jose::jws::{Draft, Jws};
use crypto::json::Limits;
use crypto::key::{Ecdh, PrivateKey};
use house::{Authority, Diploma, Signer, VCT, at, now, p256, sign, trusting};
use jiff::Timestamp;
use serde_json::{Value, json};
use tessera_openid::errand::{Answered, Errand};
use tessera_openid::vp::wallet::{
    AnswerFault, CheckedRequest, PresentationLink, RequestFault, Shown, acknowledged,
};
use tessera_openid::vp::{
    ClientId, ClientIdFault, ClientMetadata, Flow, Input, Judgement, Question, Reading, Reply, RequestObject,
    RequestUriMethod, ResponseMode, ResponseRules, Seal, Session, State, Verdict, WalletError, request,
    response, verdict,
};
use tessera_openid::wire::Reach;

/// A verifier with its certificate and one session, and a wallet with one diploma.
struct Scene {
    authority: Authority,
    verifier: Signer,
    response_key: Ecdh,
    key: PrivateKey,
    diploma: SdJwt,
}

impl Scene {
    fn new() -> Scene {
        let authority = Authority::new("Root of A");
        let key = p256();
        let signer = authority.signer("Signer of A");
        let text = Diploma { vct: VCT, holder: &key.public(), status: true }.issue(&signer);
        let diploma = SdJwt::parse(&text).unwrap().verify(&signer.key.public(), now()).unwrap();
        Scene {
            verifier: authority.signer("Verifier A"),
            response_key: Ecdh::generate(),
            authority,
            key,
            diploma,
        }
    }

    fn object(&self) -> RequestObject {
        RequestObject {
            client_id: ClientId::x509_hash(&self.verifier.der),
            response_uri: "https://v.example/t/a/vp/response/secret".to_owned(),
            nonce: "session-nonce".to_owned(),
            state: "session-state".to_owned(),
            issued_at: now(),
            expires_at: at(300),
            dcql_query: json!({"credentials": [{"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]},
                "claims": [{"path": ["degree"]}]}]}),
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

    fn link(&self) -> PresentationLink {
        let (id, get) = (self.object().client_id, RequestUriMethod::Get);
        let link = RequestObject::link(&id, "https://v.example/r", get, request::REQUEST_SCHEME);
        PresentationLink::parse(&link, Reach::Https).unwrap()
    }

    /// The request with one claim changed, or taken away by `null`, signed as a verifier would.
    fn changed(&self, name: &str, value: Value) -> String {
        let mut claims: Value = serde_json::from_slice(&self.object().draft().payload).unwrap();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        self.verifier.sign(Draft::new(request::REQUEST_TYP, claims.to_string()))
    }

    fn readers(&self) -> Anchors {
        self.authority.anchors(Context::Reader, &[])
    }

    fn check_at(
        &self,
        object: &str,
        anchors: &Anchors,
        now: Timestamp,
    ) -> Result<CheckedRequest, RequestFault> {
        let answer = Answered { status: 200, body: object.as_bytes() };
        trusting(anchors, |trust| CheckedRequest::check(&self.link(), answer, trust, Reach::Https, now))
    }

    fn check(&self, object: &str) -> Result<CheckedRequest, RequestFault> {
        self.check_at(object, &self.readers(), now())
    }

    fn checked(&self) -> CheckedRequest {
        self.check(&self.verifier.sign(self.object().draft())).unwrap()
    }

    /// What the wallet shows for `request`.
    fn shown(&self, request: &CheckedRequest) -> Shown {
        let candidate = Candidate {
            format: Format::SdJwtVc,
            kind: VCT,
            aka: Vec::new(),
            claims: self.diploma.claims(),
            has_holder_key: true,
            authority_key_ids: Vec::new(),
        };
        let picks = request.select(&[candidate]).unwrap();
        let presentation = self.diploma.present(&picks[0].paths).unwrap();
        let key_binding = sign(request.key_binding(&presentation, now()), &self.key);
        Shown { query: picks[0].query.clone(), presentation: presentation.bind(&key_binding) }
    }

    /// The list of the diploma, signed under the same root, its entry as `value` says.
    fn list(&self, value: StatusValue) -> VerifiedList {
        let uri = format!("{}/status/0", house::ISSUER);
        let mut list = StatusList::new(Bits::One, 1024).unwrap();
        list.set(7, value).unwrap();
        let draft = ListDraft {
            uri: &uri,
            issued_at: now(),
            expires_at: at(3600),
            ttl_s: 300,
            aggregation_uri: None,
        };
        let token = self.authority.signer("List of A").sign(draft.draft(&list));
        let anchors = self.authority.anchors(Context::Status, &[]);
        trusting(&anchors, |trust| ListToken::parse(&token).unwrap().verify(trust, now()).unwrap())
    }

    /// What the verifier makes of an answer, with the list it finds.
    fn judge(&self, errand: &Errand, found: &dyn Fn() -> StatusAnswer<'static>) -> Verdict {
        let object = self.object();
        let query = Query::parse(&object.dcql_query, Reader::Own).unwrap();
        let client_id = object.client_id.to_string();
        let question = Question {
            query: &query,
            client_id: &client_id,
            nonce: &object.nonce,
            requested_at: now(),
            transactions: &[],
        };
        let anchors = self.authority.anchors(Context::Issuer, &[VCT]);
        let reading = self.open(errand);
        let judgement = trusting(&anchors, |trust| verdict::examine(reading, &question, trust, at(1)));
        match judgement {
            Judgement::Done(verdict) => verdict,
            Judgement::Waiting(pending) => pending.conclude(|_| found(), &StatusPolicy::default(), at(1)),
        }
    }

    fn open(&self, errand: &Errand) -> Reading {
        let kid = ClientMetadata::kid(&self.response_key.public());
        let seal = Seal::Jwe { key: &self.response_key, kid: &kid };
        let rules = ResponseRules { seal, state: "session-state", state_required: true };
        response::open(&errand.body.as_ref().unwrap().1, &rules)
    }
}

#[test]
fn a_request_by_link_becomes_an_answer_that_the_verifier_opens() {
    let scene = Scene::new();
    let request = scene.checked();
    assert_eq!(request.client_id(), scene.object().client_id.to_string());
    assert_eq!(request.certificates().len(), 1);
    let errand = request.answer(&[scene.shown(&request)]).unwrap();
    assert_eq!(errand.url, scene.object().response_uri);
    let reading = scene.open(&errand);
    assert!(reading.checks.iter().all(|line| line.outcome == Outcome::Pass));
    let Reply::Answer(answer) = reading.reply else { panic!("{:?}", reading.reply) };
    let query = Query::parse(&scene.object().dcql_query, Reader::Own).unwrap();
    let presented = dcql::answer::presentations(&query, &answer.vp_token).unwrap();
    assert_eq!((presented.len(), presented[0].name.to_string().as_str()), (1, "d[0]"));
    let shown = SdJwt::parse(presented[0].text).unwrap();
    assert!(shown.has_key_binding());
    // Fewer claims than available: one of two disclosures is shown.
    assert_eq!(presented[0].text.matches('~').count(), 2);
    let kb = presented[0].text.rsplit('~').next().unwrap();
    let kb = Jws::parse(kb, &Limits { bytes_max: 4096, depth_max: 8 }).unwrap();
    kb.verify(&scene.key.public()).unwrap();
    let claims: Value = serde_json::from_slice(kb.payload()).unwrap();
    assert_eq!(claims["aud"], scene.object().client_id.to_string());
    assert_eq!(claims["nonce"], "session-nonce");
}

#[test]
fn no_match_and_a_holders_no_are_answered_alike_and_decline_the_session() {
    let scene = Scene::new();
    let request = scene.checked();
    assert!(request.select(&[]).is_err());
    let reading = scene.open(&request.decline().unwrap());
    let input = reading.reply.input().unwrap();
    assert_eq!(input, Input::WalletError(WalletError::AccessDenied));
    let (session, answer) = Session::new(at(300), Flow::CrossDevice).step(input, now());
    assert!(answer.is_ok());
    assert_eq!(session.state, State::Declined { error: WalletError::AccessDenied });
}

#[test]
fn an_answer_to_one_session_is_unreadable_in_another() {
    let (scene, other) = (Scene::new(), Scene::new());
    let request = scene.checked();
    let errand = request.answer(&[scene.shown(&request)]).unwrap();
    // The other session has another key, so another kid; with the kid copied it still would not decrypt.
    assert!(matches!(other.open(&errand).reply, Reply::Unreadable(Check::JweHeader)));
}

#[test]
fn an_answer_replayed_into_its_own_session_changes_nothing() {
    let (session, first) = Session::new(at(300), Flow::CrossDevice).step(Input::Accepted, now());
    assert!(first.is_ok());
    let (after, second) = session.step(Input::Accepted, now());
    assert!(second.is_err());
    assert_eq!(after, session);
}

#[test]
fn a_link_without_a_signed_request_behind_it_is_refused() {
    for link in [
        "openid4vp://?client_id=x509_hash%3Aa",
        "openid4vp://?request_uri=https%3A%2F%2Fv.example",
        "openid4vp://?client_id=a&request_uri=https%3A%2F%2Fv&request=x",
        "openid4vp://?client_id=a&client_id=b&request_uri=https%3A%2F%2Fv",
        "https://v.example/?client_id=a&request_uri=https%3A%2F%2Fv",
        "openid4vp://",
    ] {
        assert!(matches!(PresentationLink::parse(link, Reach::Https), Err(RequestFault::Link)), "{link}");
    }
    let plain = "openid4vp://?client_id=a&request_uri=http%3A%2F%2Fv.example";
    assert!(matches!(PresentationLink::parse(plain, Reach::Https), Err(RequestFault::Address { .. })));
}

#[test]
fn an_object_of_another_client_than_the_link_is_refused() {
    let scene = Scene::new();
    let other = ClientId::x509_hash(b"other").to_string();
    assert!(matches!(scene.check(&scene.changed("client_id", json!(other))), Err(RequestFault::OtherClient)));
    assert!(matches!(scene.check(&scene.changed("client_id", Value::Null)), Err(RequestFault::OtherClient)));
}

#[test]
fn a_client_identifier_of_another_prefix_is_refused_by_name() {
    let scene = Scene::new();
    for (prefix, fault) in [
        ("openid_federation:https://v.example", ClientIdFault::Unserved("openid_federation")),
        ("origin:https://v.example", ClientIdFault::Reserved),
        ("v.example", ClientIdFault::Unknown),
    ] {
        let link = PresentationLink { client_id: prefix.to_owned(), ..scene.link() };
        let object = scene.changed("client_id", json!(prefix));
        let answer = Answered { status: 200, body: object.as_bytes() };
        let refused = trusting(&scene.readers(), |trust| {
            CheckedRequest::check(&link, answer, trust, Reach::Https, now())
        });
        assert!(matches!(refused, Err(RequestFault::ClientId(found)) if found == fault), "{prefix}");
    }
}

#[test]
fn a_name_that_the_signers_certificate_does_not_bear_is_refused() {
    let scene = Scene::new();
    for id in ["x509_san_dns:v.example", "redirect_uri:https://v.example/t/a/vp/response/secret"] {
        let link = PresentationLink { client_id: id.to_owned(), ..scene.link() };
        let object = scene.changed("client_id", json!(id));
        let answer = Answered { status: 200, body: object.as_bytes() };
        let refused = trusting(&scene.readers(), |trust| {
            CheckedRequest::check(&link, answer, trust, Reach::Https, now())
        });
        assert!(matches!(refused, Err(RequestFault::OtherCertificate)), "{id}");
    }
}

#[test]
fn an_answer_goes_in_the_clear_only_where_the_request_says_so() {
    let scene = Scene::new();
    let object = scene.changed("response_mode", json!("direct_post"));
    let request = scene.check(&object).unwrap();
    let errand = request.answer(&[scene.shown(&request)]).unwrap();
    let body = &errand.body.as_ref().unwrap().1;
    let rules = ResponseRules { seal: Seal::Open, state: "session-state", state_required: true };
    let reading = response::open(body, &rules);
    let Reply::Answer(answer) = reading.reply else { panic!("{:?}", reading.reply) };
    assert_eq!(answer.vp_token["d"].as_array().unwrap().len(), 1);
    let no = request.decline().unwrap();
    let reading = response::open(&no.body.as_ref().unwrap().1, &rules);
    assert_eq!(reading.reply.input(), Some(Input::WalletError(WalletError::AccessDenied)));
    // To a session that wants it sealed the same text is no answer.
    assert!(matches!(scene.open(&errand).reply, Reply::Unreadable(Check::AnswerKind)));
}

#[test]
fn an_object_signed_by_another_certificate_or_key_is_refused() {
    let scene = Scene::new();
    let other = scene.authority.signer("Verifier B");
    let object = other.sign(scene.object().draft());
    assert!(matches!(scene.check(&object), Err(RequestFault::OtherCertificate)));
    // The right certificate over a signature by another key.
    let mixed = Signer { key: p256(), der: scene.verifier.der.clone() };
    assert!(matches!(scene.check(&mixed.sign(scene.object().draft())), Err(RequestFault::Signature)));
    let unsigned = sign(scene.object().draft(), &scene.verifier.key);
    assert!(matches!(scene.check(&unsigned), Err(RequestFault::Object)));
}

#[test]
fn a_verifier_under_no_anchor_or_under_one_for_issuers_is_refused() {
    let scene = Scene::new();
    let object = scene.verifier.sign(scene.object().draft());
    let stranger = Authority::new("Root of B").anchors(Context::Reader, &[]);
    assert!(matches!(scene.check_at(&object, &stranger, now()), Err(RequestFault::Untrusted(_))));
    let issuers = scene.authority.anchors(Context::Issuer, &["*"]);
    assert!(matches!(scene.check_at(&object, &issuers, now()), Err(RequestFault::Untrusted(_))));
}

#[test]
fn an_object_of_another_typ_is_refused() {
    let scene = Scene::new();
    let draft = Draft::new("JWT", scene.object().draft().payload);
    assert!(matches!(scene.check(&scene.verifier.sign(draft)), Err(RequestFault::Object)));
}

#[test]
fn a_request_out_of_its_time_is_refused() {
    let scene = Scene::new();
    let object = scene.verifier.sign(scene.object().draft());
    assert!(scene.check_at(&object, &scene.readers(), at(359)).is_ok());
    assert!(matches!(scene.check_at(&object, &scene.readers(), at(360)), Err(RequestFault::OutOfTime)));
    let ahead = scene.changed("iat", json!(at(61).as_second()));
    assert!(matches!(scene.check(&ahead), Err(RequestFault::OutOfTime)));
}

#[test]
fn a_request_without_nonce_or_response_uri_or_with_a_redirect_uri_is_refused() {
    let scene = Scene::new();
    for (name, value) in [
        ("nonce", Value::Null),
        ("nonce", json!("")),
        ("response_uri", Value::Null),
        ("redirect_uri", json!("https://v.example/back")),
        ("response_mode", json!("fragment")),
        ("response_mode", Value::Null),
        ("response_type", json!("code")),
        ("aud", json!("https://wallet.example")),
        ("scope", json!("diploma")),
        ("dcql_query", Value::Null),
        ("state", json!(7)),
        ("exp", json!("soon")),
    ] {
        let refused = scene.check(&scene.changed(name, value.clone()));
        assert!(matches!(refused, Err(RequestFault::Parameter(found)) if found == name), "{name} {value}");
    }
    let plain = scene.changed("response_uri", json!("http://v.example/r"));
    assert!(matches!(scene.check(&plain), Err(RequestFault::Address { member: "response_uri", .. })));
}

#[test]
fn transaction_data_of_an_unknown_type_is_refused() {
    let scene = Scene::new();
    let object = scene.changed("transaction_data", json!(["eyJ0eXBlIjoicGF5bWVudCJ9"]));
    assert!(matches!(scene.check(&object), Err(RequestFault::UnknownTransaction)));
}

#[test]
fn a_malformed_query_and_metadata_without_a_usable_key_are_refused() {
    let scene = Scene::new();
    let query = scene.changed("dcql_query", json!({"credentials": []}));
    assert!(matches!(scene.check(&query), Err(RequestFault::Query(_))));
    for metadata in [Value::Null, json!({}), json!({"jwks": {"keys": []}})] {
        let object = scene.changed("client_metadata", metadata);
        assert!(matches!(scene.check(&object), Err(RequestFault::NoEncryption)));
    }
}

#[test]
fn the_verifiers_acknowledgement_is_read_and_its_refusal_shown_by_code() {
    let ok = Answered { status: 200, body: br#"{"redirect_uri":"https://v.example/done"}"# };
    assert_eq!(acknowledged(ok).unwrap().redirect_uri.as_deref(), Some("https://v.example/done"));
    assert_eq!(acknowledged(Answered { status: 200, body: b"" }).unwrap().redirect_uri, None);
    let body = serde_json::to_vec(&response::refused()).unwrap();
    let refused = acknowledged(Answered { status: 400, body: &body }).unwrap_err();
    assert!(matches!(refused, AnswerFault::Peer(fault) if fault.code == "invalid_request"));
}

/// A list that lives as long as the test.
fn leaked(list: VerifiedList) -> impl Fn() -> StatusAnswer<'static> {
    let list: &'static VerifiedList = Box::leak(Box::new(list));
    move || StatusAnswer::List { list, fetched_at: now() }
}

#[test]
fn a_whole_answer_is_accepted_with_the_claims_that_were_asked_for_and_no_others() {
    let scene = Scene::new();
    let request = scene.checked();
    let errand = request.answer(&[scene.shown(&request)]).unwrap();
    let verdict = scene.judge(&errand, &leaked(scene.list(StatusValue::Valid)));
    assert_eq!(verdict.report.failure_value(), None);
    assert_eq!(verdict.input, Input::Accepted);
    let shown = &verdict.credentials["d"][0];
    assert_eq!(Value::Object(shown.claims.clone()), json!({"degree": "BSc"}));
    assert_eq!((shown.status, shown.holder_binding), ("valid", true));
    let ids: Vec<&str> = verdict.report.results().iter().map(|line| line.check.id()).collect();
    assert!(
        ids.starts_with(&["VP-001", "VP-002", "VP-003", "VP-004", "VP-005", "VP-006", "VP-007", "VP-010"])
    );
    assert_eq!(ids.last(), Some(&"VP-060"));
}

#[test]
fn a_revoked_credential_is_rejected_with_nothing_of_it_kept() {
    let scene = Scene::new();
    let request = scene.checked();
    let errand = request.answer(&[scene.shown(&request)]).unwrap();
    let verdict = scene.judge(&errand, &leaked(scene.list(StatusValue::Invalid)));
    assert_eq!(verdict.input, Input::Failed(Check::StatusValue));
    assert!(verdict.credentials.is_empty());
    assert_eq!(verdict.report.failure_value().unwrap()["code"], "status/revoked");
    let unreachable = scene.judge(&errand, &|| StatusAnswer::Fault(ListFault::Unreachable));
    assert_eq!(unreachable.input, Input::Failed(Check::StatusList));
}

#[test]
fn an_answer_with_a_stripped_key_binding_or_of_another_session_is_rejected_by_name() {
    let scene = Scene::new();
    let request = scene.checked();
    let shown = scene.shown(&request);
    let end = shown.presentation.rfind('~').unwrap() + 1;
    let stripped = Shown { query: shown.query.clone(), presentation: shown.presentation[..end].to_owned() };
    let list = leaked(scene.list(StatusValue::Valid));
    let verdict = scene.judge(&request.answer(&[stripped]).unwrap(), &list);
    assert_eq!(verdict.input, Input::Failed(Check::KeyBinding));

    let other = scene.check(&scene.changed("nonce", json!("nonce-of-another-session"))).unwrap();
    let verdict = scene.judge(&request.answer(&[scene.shown(&other)]).unwrap(), &list);
    assert_eq!(verdict.input, Input::Failed(Check::Nonce));
}

#[test]
fn an_answer_to_a_question_that_was_not_asked_is_rejected() {
    let scene = Scene::new();
    let request = scene.checked();
    let list = leaked(scene.list(StatusValue::Valid));
    let renamed = Shown { query: "other".to_owned(), ..scene.shown(&request) };
    let verdict = scene.judge(&request.answer(&[renamed]).unwrap(), &list);
    assert_eq!(verdict.input, Input::Failed(Check::AnswerShape));
    let twice = [scene.shown(&request), scene.shown(&request)];
    assert_eq!(scene.judge(&request.answer(&twice).unwrap(), &list).input, Input::Failed(Check::AnswerShape));
    assert_eq!(scene.judge(&request.answer(&[]).unwrap(), &list).input, Input::Failed(Check::AnswerShape));
}

#[test]
fn a_wallets_no_and_an_unreadable_answer_reach_the_session_as_such() {
    let scene = Scene::new();
    let request = scene.checked();
    let none = || StatusAnswer::NotWanted;
    let declined = scene.judge(&request.decline().unwrap(), &none);
    assert_eq!(declined.input, Input::WalletError(WalletError::AccessDenied));
    let garbage = Errand::post_form("https://v.example", "response=x".to_owned(), 1);
    assert_eq!(scene.judge(&garbage, &none).input, Input::Unreadable(Check::JweHeader));
}
