//! Canaries: what must not be found in the database, its write-ahead log, the guard, or what the process tells, is looked for there.

use crate::served::{Served, serve};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The grant of an offer (OpenID4VCI 1.0, 4.1.1).
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

type Canaries = Vec<(&'static str, String)>;

#[test]
fn no_claim_subject_secret_code_or_token_is_found_in_the_data_folder_or_the_log() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut command = serve(home.path(), &data);
    command.env("TESSERA_LOG", "trace");
    let mut served = Served::of(command).unwrap();
    let session = served.session(&data);
    let (mut canaries, credential) = of_the_issuer(&served, &session);
    canaries.extend(of_the_api(&served, &session));
    canaries.extend([
        ("session", session),
        ("first link", served.first_link.rsplit('/').next().unwrap().to_owned()),
        (
            "dev client's secret",
            fs::read_to_string(data.join("dev-client")).unwrap().split_once(' ').unwrap().1.to_owned(),
        ),
        ("root key", fs::read_to_string(data.join("root.key")).unwrap().trim().to_owned()),
    ]);
    assert!(canaries.iter().all(|(_, canary)| canary.len() >= 16), "{canaries:?}");
    // Looked for twice: in the write-ahead log of the open database, and in the closed one.
    look(&data, &canaries);
    let (status, told) = served.stop();
    assert!(status.success());
    look(&data, &canaries);
    let found = ["tessera.db", "tessera.db-wal"]
        .iter()
        .any(|name| fs::read(data.join(name)).is_ok_and(|bytes| holds(&bytes, credential.as_bytes())));
    assert!(found, "what does stand there is found");
    // The one-time link is told on stderr by design, while nobody has spent it; nothing else is.
    let told: String = told.lines().filter(|line| !line.starts_with(" First link ")).collect();
    assert!(told.contains("\"level\":\"TRACE\""), "the log was on");
    for (name, canary) in &canaries {
        assert!(!told.contains(canary.as_str()), "the {name} stands in the process's log");
    }
}

/// What an issuance uses: claim, subject, link, code, access token; and the credential's id, which is no secret.
fn of_the_issuer(served: &Served, session: &str) -> (Canaries, String) {
    let (claim, subject) = ("Kanarienvogel-71f0c2", "canary-person-93ab17");
    let offer = json!({
        "credential_configuration_id": "diploma",
        "claims": { "given_name": claim, "family_name": "Specimen", "degree": { "type": "BSc" } },
        "subject_ref": subject,
    });
    let offer = served.post("/api/v1/credentials/issue", session, &offer);
    assert_eq!(offer.status, 201, "{}", offer.text);
    let code = text(&offer.json["credential_offer"]["grants"][GRANT_TYPE]["pre-authorized_code"]);
    let link = text(&offer.json["credential_offer_uri"]);
    let form = [("grant_type", GRANT_TYPE), ("pre-authorized_code", &code)];
    let redeemed = served.form("/t/default/vci/token", &form);
    assert_eq!(redeemed.status, 200, "{}", redeemed.text);
    let access_token = text(&redeemed.json["access_token"]);
    // A second time is refused, and a wrong proof too: refusals are written down as well.
    assert_eq!(served.form("/t/default/vci/token", &form).status, 400);
    let wrong = json!({ "credential_configuration_id": "diploma", "proofs": { "jwt": ["e30.e30.e30"] } });
    assert!(served.post("/t/default/vci/credential", &access_token, &wrong).status >= 400);
    let canaries = vec![
        ("claim", claim.to_owned()),
        ("subject", subject.to_owned()),
        ("offer link", link.rsplit('/').next().unwrap().to_owned()),
        ("code", code),
        ("access token", access_token),
    ];
    (canaries, text(&offer.json["id"]))
}

/// What clients of the API use: a secret, a bearer, a log token, a request's link.
fn of_the_api(served: &Served, session: &str) -> Canaries {
    let account = json!({ "name": "canary", "roles": ["issuer-operator"] });
    let account = served.post("/api/v1/service-accounts", session, &account);
    assert_eq!(account.status, 201, "{}", account.text);
    let (id, client_secret) = (text(&account.json["id"]), text(&account.json["secret"]));
    let form = [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", &client_secret)];
    let bearer = text(&served.form("/oauth/token", &form).json["access_token"]);
    assert_eq!(served.get("/api/v1/credentials", &bearer).status, 200);
    let log = served.post("/api/v1/ledger/tokens", session, &json!({ "name": "canary", "ttl_s": 3_600 }));
    let query = json!({ "credentials": [{
        "id": "d",
        "format": "dc+sd-jwt",
        "meta": { "vct_values": [format!("{}/t/default/vct/diploma", served.base)] },
        "claims": [{ "path": ["degree"] }],
    }] });
    let asked = served.post("/api/v1/verification/request", session, &json!({ "dcql_query": query }));
    assert_eq!(asked.status, 201, "{}", asked.text);
    let request = text(&asked.json["authorization_request_uri"]);
    vec![
        ("client secret", client_secret),
        ("bearer's signature", bearer.rsplit('.').next().unwrap().to_owned()),
        ("bearer", bearer),
        ("log token", text(&log.json["token"])),
        ("request link", request.rsplit("%2F").next().unwrap().split('&').next().unwrap().to_owned()),
    ]
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Files that hold a secret by design: each 0600, and none part of the database.
const HOLDERS: [&str; 3] = ["root.key", "dev-client", "first-link"];

fn look(folder: &Path, canaries: &[(&str, String)]) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            look(&path, canaries);
            continue;
        }
        if HOLDERS.contains(&name.as_str()) {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for (what, canary) in canaries {
            assert!(!holds(&bytes, canary.as_bytes()), "the {what} stands in {}", path.display());
            if let Some(raw) = decoded(canary) {
                assert!(!holds(&bytes, &raw), "the {what}, decoded, stands in {}", path.display());
            }
        }
    }
}

fn holds(bytes: &[u8], canary: &[u8]) -> bool {
    bytes.windows(canary.len()).any(|window| window == canary)
}

/// The bytes that a canary spells in hexadecimal or base64url, where it does.
fn decoded(canary: &str) -> Option<Vec<u8>> {
    let bytes = crypto::hex::decode(canary).ok().or_else(|| crypto::base64::url_decode(canary).ok());
    bytes.filter(|bytes| bytes.len() >= 16)
}
