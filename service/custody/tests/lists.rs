//! Lists of trusted entities: taken in, renewed, lost, and what must not happen to them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;

use std::slice::from_ref;
use std::sync::{Arc, Mutex};

use crypto::base64;
use crypto::jose::jws::{Draft, assemble, x5c_value};
use crypto::key::{KeyAlg, PrivateKey};
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Certificate, Name, NameParts, pem};
use edge::outbound::Client;
use house::House;
use http::StatusCode;
use serde_json::{Value, json};
use tenancy::Role;
use tessera_custody::trust_list::{Source, TrustListError};
use tessera_custody::{Context, Contexts, TrustLists};

const PID: &str = "urn:eudi:pid:*";

/// An authority with one signer under it.
struct Authority {
    root: Certificate,
    leaf: Vec<u8>,
    key: PrivateKey,
}

impl Authority {
    fn new(name: &str) -> Self {
        let [root_key, key] = [(); 2].map(|()| PrivateKey::generate(KeyAlg::P256));
        let named =
            |name: &str| Name::new(&NameParts { common_name: name.into(), ..NameParts::default() }).unwrap();
        let certified = |subject: &str, key: &PrivateKey, profile| {
            let draft = TbsDraft {
                subject: named(subject),
                issuer: named(name),
                issuer_key: root_key.public(),
                serial: [9; 16],
                not_before: "2026-11-01T00:00:00Z".parse().unwrap(),
                not_after: "2027-11-20T00:00:00Z".parse().unwrap(),
                public_key: key.public(),
                profile,
            };
            let alg = root_key.alg().default_sign_alg();
            let signed = draft.to_be_signed(alg).unwrap();
            build::assemble(&signed, alg, &root_key.sign(alg, &signed).unwrap()).unwrap()
        };
        let root = certified(name, &root_key, Profile::Ca { path_len: Some(0) });
        let leaf = certified("Signer", &key, Profile::Leaf(LeafNames::default()));
        Self { root: Certificate::parse(&root).unwrap(), leaf, key }
    }

    /// A signed list of this number that names these certificates as issuers of PIDs.
    fn list(&self, sequence: u64, named: &[&Certificate]) -> String {
        let certificates: Vec<Value> =
            named.iter().map(|it| json!({"val": base64::std_encode(it.der())})).collect();
        let name = json!([{"lang": "en", "value": "Specimen"}]);
        let service = |kind: &str| {
            json!({"ServiceInformation": {
                "ServiceName": name,
                "ServiceTypeIdentifier": format!("http://uri.etsi.org/19602/SvcType/PID/{kind}"),
                "ServiceDigitalIdentity": {"X509Certificates": certificates},
            }})
        };
        let list = json!({"LoTE": {
            "ListAndSchemeInformation": {
                "LoTEVersionIdentifier": 1, "LoTESequenceNumber": sequence, "SchemeOperatorName": name,
                "ListIssueDateTime": "2026-11-20T00:00:00Z", "NextUpdate": "2027-05-20T00:00:00Z",
            },
            "TrustedEntitiesList": [{
                "TrustedEntityInformation": {"TEName": name},
                "TrustedEntityServices": [service("Issuance"), service("Revocation")],
            }],
        }});
        let alg = self.key.alg().default_sign_alg();
        let draft = Draft::new("JOSE", list.to_string()).with("x5c", x5c_value(&[&self.leaf])).with_alg(alg);
        let input = draft.signing_input();
        assemble(&input, &self.key.sign(alg, input.as_bytes()).unwrap())
    }
}

/// A house whose tenant trusts an operator of lists, and a server where the operator puts them.
struct Place {
    house: House,
    lists: TrustLists,
    operator: Authority,
    pid: Authority,
    served: Arc<Mutex<(StatusCode, String)>>,
    uri: String,
}

impl Place {
    async fn new() -> Self {
        let house = House::new().await;
        let operator = Authority::new("Operator");
        let contexts = Contexts::of(&[Context::ListSigner]);
        house.custody.add_anchor(&house.ctx(), operator.root.clone(), contexts, vec![]).await.unwrap();
        let served = Arc::new(Mutex::new((StatusCode::NOT_FOUND, String::new())));
        let answers = served.clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let router = axum::Router::new()
            .route("/lote.jwt", axum::routing::get(async move || answers.lock().unwrap().clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let outbound = Client::new(&origin.parse().unwrap(), &[], &[]).unwrap();
        let lists = TrustLists::new(house.custody.clone(), outbound);
        let (uri, pid) = (format!("{origin}/lote.jwt"), Authority::new("PID"));
        Self { house, lists, operator, pid, served, uri }
    }

    fn serve(&self, list: String) {
        *self.served.lock().unwrap() = (StatusCode::OK, list);
    }

    async fn import(&self, list: String) -> Result<String, TrustListError> {
        let imported = self.lists.import(&self.house.ctx(), Source::Signed(list), vec![PID.into()]).await;
        imported.map(|(list, _)| list.id)
    }

    /// Certificates that the tenant believes as issuers of this type.
    async fn issuers(&self, kind: &str) -> Vec<Certificate> {
        let anchors =
            self.house.custody.anchors(&self.house.ctx(), Context::Issuer, Some(kind)).await.unwrap();
        anchors.into_iter().map(|anchor| anchor.certificate).collect()
    }
}

#[tokio::test]
async fn issuers_of_a_list_vouch_for_the_types_that_the_tenant_names_and_for_status_lists() {
    let place = Place::new().await;
    let id = place.import(place.operator.list(1, &[&place.pid.root])).await.unwrap();
    assert_eq!(place.issuers("urn:eudi:pid:de:1").await, from_ref(&place.pid.root));
    assert_eq!(place.issuers("urn:eudi:mdl:1").await, []);
    let ctx = place.house.ctx();
    let status = place.house.custody.anchors(&ctx, Context::Status, None).await.unwrap();
    assert!(status.iter().any(|anchor| anchor.list.as_deref() == Some(&id)));
    assert_eq!(
        place.house.custody.anchors(&ctx, Context::Reader, None).await.unwrap().len(),
        1,
        "the own root"
    );
    let elsewhere = place.house.inside(&place.house.other);
    let foreign = place.house.custody.anchors(&elsewhere, Context::Issuer, Some("urn:eudi:pid:1")).await;
    assert!(foreign.unwrap().is_empty(), "another tenant believes nothing of it");
    assert_eq!(place.house.count("trust-list-imported").await, 1);
}

#[tokio::test]
async fn a_removed_list_and_a_removed_operator_take_their_issuers_with_them() {
    let place = Place::new().await;
    let ctx = place.house.ctx();
    let id = place.import(place.operator.list(1, &[&place.pid.root])).await.unwrap();
    let all = place.house.custody.all_anchors(&ctx).await.unwrap();
    let operator = all.iter().find(|anchor| anchor.contexts.has(Context::ListSigner)).unwrap();
    place.house.custody.remove_anchor(&ctx, &operator.id).await.unwrap();
    assert_eq!(place.issuers("urn:eudi:pid:1").await, [], "nobody stands behind the list any more");
    let contexts = Contexts::of(&[Context::ListSigner]);
    place.house.custody.add_anchor(&ctx, place.operator.root.clone(), contexts, vec![]).await.unwrap();
    assert_eq!(place.issuers("urn:eudi:pid:1").await.len(), 1);
    place.lists.remove(&ctx, &id).await.unwrap();
    assert_eq!(place.issuers("urn:eudi:pid:1").await, []);
    assert!(matches!(place.lists.remove(&ctx, &id).await, Err(TrustListError::NotFound)));
    assert_eq!(place.house.count("trust-list-removed").await, 1);
}

#[tokio::test]
async fn an_anchor_of_a_list_is_not_removed_by_itself() {
    let place = Place::new().await;
    let ctx = place.house.ctx();
    place.import(place.operator.list(1, &[&place.pid.root])).await.unwrap();
    let all = place.house.custody.all_anchors(&ctx).await.unwrap();
    let listed = all.iter().find(|anchor| anchor.list.is_some()).unwrap();
    assert!(place.house.custody.remove_anchor(&ctx, &listed.id).await.is_err());
    assert_eq!(place.issuers("urn:eudi:pid:1").await.len(), 1);
}

#[tokio::test]
async fn an_older_release_never_comes_back_and_a_number_is_used_once() {
    let place = Place::new().await;
    let (ctx, other) = (place.house.ctx(), Authority::new("Withdrawn"));
    let old = place.operator.list(4, &[&place.pid.root, &other.root]);
    let id = place.import(old.clone()).await.unwrap();
    let newer = place.operator.list(5, &[&place.pid.root]);
    place.lists.renew(&ctx, &id, Some(newer.clone())).await.unwrap();
    assert_eq!(place.issuers("urn:eudi:pid:1").await, from_ref(&place.pid.root));
    for (text, found) in [(old, 4), (place.operator.list(5, &[&other.root]), 5)] {
        let refused = place.lists.renew(&ctx, &id, Some(text)).await.unwrap_err();
        assert_eq!(refused, TrustListError::NotNewer { known: 5, found });
    }
    let (_, committed) = place.lists.renew(&ctx, &id, Some(newer)).await.unwrap();
    assert!(committed.is_none(), "the same release again is no change");
    assert_eq!(place.issuers("urn:eudi:pid:1").await, from_ref(&place.pid.root));
    assert_eq!(place.house.count("trust-list-imported").await, 2);
}

#[tokio::test]
async fn another_operator_cannot_take_a_list_over() {
    let place = Place::new().await;
    let (ctx, rival) = (place.house.ctx(), Authority::new("Rival"));
    let contexts = Contexts::of(&[Context::ListSigner]);
    place.house.custody.add_anchor(&ctx, rival.root.clone(), contexts, vec![]).await.unwrap();
    let id = place.import(place.operator.list(1, &[&place.pid.root])).await.unwrap();
    let refused = place.lists.renew(&ctx, &id, Some(rival.list(9, &[&rival.root]))).await.unwrap_err();
    assert_eq!(refused, TrustListError::OtherSigner);
    assert_eq!(place.issuers("urn:eudi:pid:1").await, from_ref(&place.pid.root));
}

#[tokio::test]
async fn a_list_that_names_issuers_needs_their_types() {
    let place = Place::new().await;
    let list = place.operator.list(1, &[&place.pid.root]);
    for types in [vec![], vec!["a*b".to_owned()], vec![PID.to_owned(); 65]] {
        let refused = place.lists.import(&place.house.ctx(), Source::Signed(list.clone()), types).await;
        assert!(matches!(refused, Err(TrustListError::Form(_))));
    }
    let stranger = Authority::new("Stranger").list(1, &[]);
    assert!(matches!(place.import(stranger).await, Err(TrustListError::Refused(_))));
    assert!(place.lists.all(&place.house.ctx()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_at_an_address_is_fetched_every_day_and_a_fault_leaves_what_stood() {
    let place = Place::new().await;
    let (ctx, next) = (place.house.ctx(), Authority::new("Next"));
    let source = || Source::Uri(place.uri.clone());
    let missing = place.lists.import(&ctx, source(), vec![PID.into()]).await;
    assert!(matches!(missing, Err(TrustListError::Unreachable(_))));
    place.serve(place.operator.list(1, &[&place.pid.root]));
    let (list, _) = place.lists.import(&ctx, source(), vec![PID.into()]).await.unwrap();
    let again = place.lists.import(&ctx, source(), vec![PID.into()]).await;
    assert_eq!(again.unwrap_err(), TrustListError::Known);

    place.serve(place.operator.list(2, &[&next.root]));
    place.house.advance(23 * 3600);
    place.lists.tick(&place.house.system()).await.unwrap();
    assert_eq!(place.issuers("urn:eudi:pid:1").await, from_ref(&place.pid.root), "not yet a day");
    place.serve("no list".to_owned());
    place.house.advance(3600);
    place.lists.tick(&place.house.system()).await.unwrap();
    let known = place.lists.one(&place.house.ctx(), &list.id).await.unwrap();
    assert!(known.fault.unwrap().contains("compact JWS") && known.sequence == 1);
    assert_eq!(place.issuers("urn:eudi:pid:1").await, from_ref(&place.pid.root));

    place.serve(place.operator.list(2, &[&next.root]));
    place.house.advance(3600);
    place.lists.tick(&place.house.system()).await.unwrap();
    assert_eq!(place.issuers("urn:eudi:pid:1").await, from_ref(&next.root));
    let known = place.lists.one(&place.house.ctx(), &list.id).await.unwrap();
    assert_eq!((known.fault, known.sequence), (None, 2));
}

#[tokio::test]
async fn a_list_is_not_fetched_from_our_own_network() {
    let place = Place::new().await;
    for uri in [
        "http://127.0.0.1:1/lote.jwt",
        "https://10.0.0.1/lote.jwt",
        "http://example.com/lote.jwt",
        "file:///etc/passwd",
    ] {
        let source = Source::Uri(uri.to_owned());
        let refused = place.lists.import(&place.house.ctx(), source, vec![PID.into()]).await;
        assert!(matches!(refused, Err(TrustListError::Unreachable(_))), "{uri}");
    }
}

#[tokio::test]
async fn the_doors_say_what_a_list_is_and_refuse_with_their_own_codes() {
    let mut place = Place::new().await;
    place.house.router = place.house.edge.router(
        tessera_custody::http::doors(&place.house.custody)
            .and(tessera_custody::http::list_doors(&place.lists)),
    );
    let (house, list) = (&place.house, place.operator.list(1, &[&place.pid.root]));
    let admin = house.token(&house.tenant, &[Role::Admin]).await;
    let auditor = house.token(&house.tenant, &[Role::Auditor]).await;
    let body = json!({"signed": list, "types": [PID]});
    let path = "/api/v1/trust-lists";
    assert_eq!(house.post(path, &auditor, body.clone()).await.status, 403);
    let made = house.post(path, &admin, body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!(
        (&made["operator"], &made["anchors"], &made["sequence"]),
        (&json!("Specimen"), &json!(2), &json!(1))
    );
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(house.get(&one, &auditor).await.json(), made);
    assert_eq!(house.get(path, &auditor).await.json()["items"], json!([made]));
    let anchors = house.get("/api/v1/trust-anchors", &auditor).await.json();
    let listed = anchors["items"].as_array().unwrap().iter().filter(|it| it["list"] == made["id"]).count();
    assert_eq!(listed, 2);

    let code = async |body: Value| house.post(path, &admin, body).await.code();
    assert_eq!(code(json!({"types": []})).await, "api/invalid");
    assert_eq!(code(json!({"signed": list})).await, "api/invalid");
    assert_eq!(code(json!({"signed": "x.y.z", "types": [PID]})).await, "keys/trust-list-refused");
    assert_eq!(
        code(json!({"uri": "https://127.0.0.1/", "types": [PID]})).await,
        "keys/trust-list-unreachable"
    );
    let renew = format!("{one}/renew");
    assert_eq!(house.call("POST", &renew, &admin, None).await.code(), "api/invalid", "it has no address");
    let older = house.post(&renew, &admin, json!({"signed": place.operator.list(1, &[])})).await;
    assert_eq!(older.code(), "keys/trust-list-not-newer");
    let newer = house.post(&renew, &admin, json!({"signed": place.operator.list(2, &[])})).await.json();
    assert_eq!((&newer["anchors"], &newer["sequence"]), (&json!(0), &json!(2)));
    let other = house.token(&house.other, &[Role::Admin]).await;
    assert_eq!(house.get(&one, &other).await.status, 404, "another tenant's");
    assert_eq!(house.call("DELETE", &one, &admin, None).await.status, 204);
    assert_eq!(house.call("DELETE", &one, &admin, None).await.status, 404);
    assert!(house.edge.undeclared_problems().is_empty());
}

#[tokio::test]
async fn a_chain_is_tested_as_a_presentation_would_be() {
    let place = Place::new().await;
    let (house, root) = (&place.house, &place.operator.root);
    let token = house.token(&house.tenant, &[Role::Auditor]).await;
    let test = async |chain: &[&[u8]], context: &str, kind: Option<&str>| {
        let body = json!({"chain_pem": pem::encode_chain(chain), "context": context, "type": kind});
        let answered = house.post("/api/v1/trust-anchors/test", &token, body).await;
        assert_eq!(answered.status, 200, "{}", answered.text());
        let answer = answered.json();
        let words = [&answer["verdict"], &answer["reason"]].map(|it| it.as_str().unwrap_or("-").to_owned());
        (words.join(" "), answer)
    };
    let (signer, stranger) = (place.operator.leaf.as_slice(), place.pid.leaf.as_slice());
    let (words, answer) = test(&[signer], "list-signer", None).await;
    assert_eq!((words.as_str(), &answer["ends_at"]), ("vouched -", &json!("2027-11-20T00:00:00Z")));
    assert_eq!(answer["chain"][0]["subject"], "CN=Signer");
    assert_eq!(test(&[signer], "status", None).await.0, "refused wrong-context");
    assert_eq!(test(&[stranger], "list-signer", None).await.0, "refused no-anchor");
    assert_eq!(test(&[signer, root.der()], "list-signer", None).await.0, "vouched -", "HAIP would refuse it");
    assert_eq!(test(&[signer, stranger], "list-signer", None).await.0, "refused name-mismatch");

    place.import(place.operator.list(1, &[&place.pid.root])).await.unwrap();
    assert_eq!(test(&[stranger], "issuer", Some("urn:eudi:pid:1")).await.0, "vouched -");
    assert_eq!(test(&[stranger], "issuer", Some("urn:eudi:mdl:1")).await.0, "refused other-types");
    assert_eq!(test(&[stranger], "issuer", None).await.0, "vouched -");
    house.advance(400 * 86_400);
    let late = house.token(&house.tenant, &[Role::Auditor]).await;
    let body = json!({"chain_pem": pem::encode_chain(&[signer]), "context": "list-signer"});
    assert_eq!(house.post("/api/v1/trust-anchors/test", &late, body).await.json()["reason"], "expired");
    for (chain, context) in
        [("no pem", "issuer"), (&*pem::encode_chain(&[b"junk".as_slice()]), "issuer"), ("", "root")]
    {
        let body = json!({"chain_pem": chain, "context": context});
        assert_eq!(house.post("/api/v1/trust-anchors/test", &late, body).await.code(), "api/invalid");
    }
}
