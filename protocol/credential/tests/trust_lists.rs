//! Lists of trusted entities: what is read of them, and what must not get in.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use crypto::base64;
use crypto::hash;
use crypto::jose::jws::Draft;
use crypto::x509::path::PathReason;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tessera_credential::trust::list::{OwnList, SignedList, TrustList, TrustListFault, VerifiedTrustList};
use tessera_credential::trust::{Anchors, Context, PathCache, Trust};
use world::{Root, Signer, now, sign};

const SERVICES: &str = "http://uri.etsi.org/19602/SvcType/";

/// The operator of a list, and one who is trusted for something else.
struct Scheme {
    operator: Signer,
    root: Root,
    anchors: Anchors,
}

impl Scheme {
    fn new() -> Self {
        let (root, other) = (Root::new("List Operator"), Root::new("University"));
        let anchors = Anchors::new(vec![
            root.anchor("anc_lists", &[Context::ListSigner], &[]),
            other.anchor("anc_other", &[Context::Status, Context::Reader], &[]),
        ]);
        Self { operator: root.signer("List Signer"), root, anchors }
    }

    fn verify(&self, text: &str) -> Result<VerifiedTrustList, TrustListFault> {
        self.verify_at(text, now())
    }

    fn verify_at(&self, text: &str, at: Timestamp) -> Result<VerifiedTrustList, TrustListFault> {
        let trust = Trust { anchors: &self.anchors, cache: &PathCache::new(), haip: false };
        SignedList::parse(text)?.verify(&trust, at)
    }
}

fn draft(list: &Value) -> Draft {
    Draft::new("JOSE", list.to_string())
}

fn service(kind: &str, root: &Root) -> Value {
    json!({"ServiceInformation": {
        "ServiceName": [{"lang": "en", "value": "service"}],
        "ServiceTypeIdentifier": format!("{SERVICES}{kind}"),
        "ServiceDigitalIdentity": {"X509Certificates": [{"val": base64::std_encode(root.certificate.der())}]},
    }})
}

fn list(services: &[Value]) -> Value {
    json!({"LoTE": {
        "ListAndSchemeInformation": {
            "LoTEVersionIdentifier": 1, "LoTESequenceNumber": 7,
            "LoTEType": "http://uri.etsi.org/19602/LoTEType/EUPIDProvidersList",
            "SchemeOperatorName": [{"lang": "de", "value": "Amt"}, {"lang": "en", "value": "Office"}],
            "SchemeTerritory": "EU",
            "ListIssueDateTime": "2026-11-20T00:00:00Z", "NextUpdate": "2027-05-20T00:00:00Z",
        },
        "TrustedEntitiesList": [{
            "TrustedEntityInformation": {"TEName": [{"lang": "fr", "value": "Ministère"}]},
            "TrustedEntityServices": services,
        }],
    }})
}

#[test]
fn a_list_names_anchors_for_what_its_services_do() {
    let (scheme, pid, wallet) = (Scheme::new(), Root::new("PID"), Root::new("Wallet"));
    let kinds = [
        ("PID/Issuance", &pid, Some(Context::Issuer)),
        ("PID/Revocation", &pid, Some(Context::Status)),
        ("PubEAA/Issuance", &wallet, Some(Context::Issuer)),
        ("WalletSolution/Issuance", &wallet, Some(Context::WalletProvider)),
        ("WRPAC/Issuance", &pid, Some(Context::Reader)),
        ("WRPRC/Issuance", &pid, None),
        ("PID/Issuance/More", &pid, None),
    ];
    let services: Vec<Value> = kinds.iter().map(|(kind, root, _)| service(kind, root)).collect();
    let verified = scheme.verify(&scheme.operator.sign(draft(&list(&services)))).unwrap();
    let found: Vec<_> = verified
        .list
        .entries
        .iter()
        .map(|entry| (entry.context, entry.certificate.sha256(), entry.entity.as_str()))
        .collect();
    let wanted: Vec<_> = kinds
        .iter()
        .filter_map(|(_, root, context)| Some(((*context)?, root.certificate.sha256(), "Ministère")))
        .collect();
    assert_eq!(found, wanted);
    let read = &verified.list;
    assert_eq!((read.sequence, read.operator.as_str(), read.skipped), (7, "Office", 2));
    assert_eq!(
        (read.territory.as_deref(), verified.anchor_sha256),
        (Some("EU"), scheme.root.certificate.sha256())
    );
}

#[test]
fn the_bare_form_is_read_too_and_a_certificate_named_twice_is_one_anchor() {
    let (scheme, pid) = (Scheme::new(), Root::new("PID"));
    let twice = [service("PID/Issuance", &pid), service("PubEAA/Issuance", &pid)];
    let bare = list(&twice)["LoTE"].clone();
    let verified = scheme.verify(&scheme.operator.sign(draft(&bare))).unwrap();
    assert_eq!(verified.list.entries.len(), 1);
}

#[test]
fn a_withdrawn_service_and_one_without_certificate_vouch_for_nobody() {
    let (scheme, pid) = (Scheme::new(), Root::new("PID"));
    let status = |word: &str| {
        let mut service = service("PubEAA/Issuance", &pid);
        service["ServiceInformation"]["ServiceStatus"] =
            format!("http://uri.etsi.org/19602/PubEAAProvidersList/SvcStatus/{word}").into();
        service
    };
    let mut keyless = service("PID/Issuance", &pid);
    keyless["ServiceInformation"]["ServiceDigitalIdentity"] = json!({"X509SKIs": ["AAAA"]});
    let names = |services: &[Value]| {
        let read = scheme.verify(&scheme.operator.sign(draft(&list(services)))).unwrap().list;
        (read.entries.len(), read.skipped)
    };
    assert_eq!(names(&[status("withdrawn"), status("suspended"), keyless]), (0, 3));
    assert_eq!(names(&[status("notified")]), (1, 0));
}

#[test]
fn a_list_that_nobody_trusted_signed_is_refused_with_the_reason() {
    let (scheme, pid) = (Scheme::new(), Root::new("PID"));
    let draft = || draft(&list(&[service("PID/Issuance", &pid)]));
    let refused = |text: &str| scheme.verify(text).unwrap_err();

    let stranger = Root::new("Stranger").signer("Signer");
    assert_eq!(refused(&stranger.sign(draft())), TrustListFault::Path(PathReason::NoAnchor));
    // Trusted, but for status lists and requests.
    let elsewhere =
        Anchors::new(vec![scheme.root.anchor("anc", &[Context::Status, Context::Issuer], &["*"])]);
    let trust = Trust { anchors: &elsewhere, cache: &PathCache::new(), haip: false };
    let signed = scheme.operator.sign(draft());
    let fault = SignedList::parse(&signed).unwrap().verify(&trust, now()).unwrap_err();
    assert_eq!(fault, TrustListFault::Path(PathReason::WrongContext));
    // The chain of the operator over the signature of somebody else.
    let forged = Signer { key: stranger.key, chain: scheme.operator.chain.clone() };
    assert_eq!(refused(&forged.sign(draft())), TrustListFault::Signature);
    assert_eq!(refused(&sign(draft(), &scheme.operator.key)), TrustListFault::Certificates);
    let (head, signature) = signed.rsplit_once('.').unwrap();
    let other = base64::url_encode(list(&[]).to_string().as_bytes());
    let header = head.split('.').next().unwrap();
    assert_eq!(refused(&format!("{header}.{other}.{signature}")), TrustListFault::Signature);
}

#[test]
fn another_thing_that_a_signer_of_lists_signed_is_no_list() {
    let scheme = Scheme::new();
    for typ in ["dc+sd-jwt", "statuslist+jwt", "at+jwt", ""] {
        let signed = scheme.operator.sign(Draft::new(typ, list(&[]).to_string()));
        assert_eq!(scheme.verify(&signed), Err(TrustListFault::Typ), "{typ}");
    }
}

#[test]
fn a_thumbprint_of_another_certificate_is_refused() {
    let scheme = Scheme::new();
    let with = |thumbprint: Value| {
        scheme.verify(&scheme.operator.sign(draft(&list(&[])).with("x5t#S256", thumbprint))).map(drop)
    };
    assert_eq!(with(base64::url_encode(&hash::sha256(&scheme.operator.chain[0])).into()), Ok(()));
    for other in [base64::url_encode(&hash::sha256(scheme.root.certificate.der())).into(), json!(7)] {
        assert_eq!(with(other), Err(TrustListFault::Certificates));
    }
}

#[test]
fn a_list_counts_from_its_issue_until_its_next_update() {
    let scheme = Scheme::new();
    let signed = scheme.operator.sign(draft(&list(&[])));
    let at = |text: &str| scheme.verify_at(&signed, text.parse().unwrap()).map(drop);
    assert_eq!(at("2026-11-19T23:56:00Z"), Ok(()), "clocks differ a little");
    assert!(matches!(at("2026-11-19T23:50:00Z"), Err(TrustListFault::Early(_))));
    assert_eq!(at("2027-05-19T23:59:59Z"), Ok(()));
    assert!(matches!(at("2027-05-20T00:00:00Z"), Err(TrustListFault::Outdated(_))));
}

#[test]
fn a_malformed_list_is_refused_at_its_place() {
    let pid = Root::new("PID");
    let good = list(&[service("PID/Issuance", &pid)]);
    let broken = |pointer: &str, value: Value| {
        let mut list = good.clone();
        *list.pointer_mut(&format!("/LoTE{pointer}")).unwrap() = value;
        TrustList::read(list.to_string().as_bytes()).unwrap_err()
    };
    let scheme = "/ListAndSchemeInformation";
    let information = "/TrustedEntitiesList/0/TrustedEntityServices/0/ServiceInformation";
    let identity = format!("{information}/ServiceDigitalIdentity");
    let certificate = format!("{identity}/X509Certificates/0/val");
    for (pointer, value) in [
        (format!("{scheme}/LoTESequenceNumber"), json!(-1)),
        (format!("{scheme}/SchemeOperatorName"), json!([])),
        (format!("{scheme}/NextUpdate"), json!("soon")),
        (format!("{scheme}/ListIssueDateTime"), json!(1_795_000_000)),
        ("/TrustedEntitiesList".to_owned(), json!({})),
        (information.to_owned(), json!([])),
        (format!("{information}/ServiceTypeIdentifier"), json!(1)),
        (identity.clone(), Value::Null),
        (format!("{identity}/X509Certificates"), json!("AAAA")),
        (certificate.clone(), json!("AAAA")),
        (certificate, json!("-----BEGIN CERTIFICATE-----")),
    ] {
        assert_eq!(broken(&pointer, value), TrustListFault::Member { pointer });
    }
    assert_eq!(broken(&format!("{scheme}/LoTEVersionIdentifier"), json!(2)), TrustListFault::Version(2));
    let many = vec![service("PID/Issuance", &pid); 65];
    assert!(matches!(TrustList::read(list(&many).to_string().as_bytes()), Err(TrustListFault::TooMany(_))));
    let twice = good.to_string().replacen("\"SchemeTerritory\"", "\"LoTEType\":\"x\",\"SchemeTerritory\"", 1);
    assert!(matches!(TrustList::read(twice.as_bytes()), Err(TrustListFault::Json(_))));
}

#[test]
fn what_a_tenant_publishes_is_read_back_as_an_issuer_and_its_status_lists() {
    let (scheme, root) = (Scheme::new(), Root::new("Tenant"));
    let own = OwnList {
        sequence: 3,
        operator: "Specimen University",
        territory: Some("DE"),
        issued_at: now(),
        next_update: now() + SignedDuration::from_hours(24 * 30),
        uri: "https://issuer.example/t/default/trust/lote.jwt",
        root_der: root.certificate.der(),
    };
    let verified = scheme.verify(&scheme.operator.sign(own.draft())).unwrap().list;
    let entries: Vec<_> =
        verified.entries.iter().map(|entry| (entry.context, entry.certificate.sha256())).collect();
    let sha256 = root.certificate.sha256();
    assert_eq!(entries, [(Context::Issuer, sha256), (Context::Status, sha256)]);
    assert_eq!((verified.sequence, verified.operator.as_str()), (3, "Specimen University"));
}
