//! The verbs as a person and a script meet them.

use crate::server::Reply;
use crate::world::{CANARY, World, now};
use clap::Parser;
use crypto::secret::Secret;
use serde_json::{Value, json};
use std::path::PathBuf;
use tessera_wallet::cli::{Terminal, Trouble, Verb, perform};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

/// A folder with a passphrase, and peers.
struct Scene {
    world: World,
    folder: tempfile::TempDir,
}

/// What came of a verb.
struct Run {
    out: String,
    said: String,
    outcome: Result<(), Trouble>,
}

impl Scene {
    fn new() -> Scene {
        let scene = Scene { world: World::new(), folder: tempfile::tempdir().unwrap() };
        std::fs::write(scene.path("phrase"), "correct horse\n").unwrap();
        std::fs::write(scene.path("anchors.pem"), scene.world.with(|peers| peers.authority.pem())).unwrap();
        let anchors = scene.path("anchors.pem");
        scene.run(&["init", "--trust", anchors.to_str().unwrap()]).outcome.unwrap();
        scene
    }

    /// With one diploma.
    fn holding() -> Scene {
        let scene = Scene::new();
        let link = scene.world.offer_link();
        scene.run(&["accept", &link]).outcome.unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a verb with `--yes` and JSON answers.
    fn run(&self, args: &[&str]) -> Run {
        self.run_as(args, true, None, true)
    }

    fn run_as(&self, args: &[&str], yes: bool, typed: Option<&str>, json: bool) -> Run {
        let (home, phrase) = (self.path("home"), self.path("phrase"));
        let place = ["--home", home.to_str().unwrap(), "--passphrase-file", phrase.to_str().unwrap()];
        let line = Line::try_parse_from(["wallet"].iter().chain(args).chain(&place)).unwrap();
        let (mut out, mut said) = (Vec::new(), Vec::new());
        let outcome = perform(
            &line.verb,
            &mut Terminal {
                out: &mut out,
                said: &mut said,
                ask: &mut || typed.map(str::to_owned),
                passphrase: &mut |_| None,
                json,
                yes,
                clock: Some(now),
            },
        );
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { out: text(out), said: text(said), outcome }
    }

    /// The wallet's file.
    fn file(&self) -> Vec<u8> {
        std::fs::read(self.path("home").join("wallet.db")).unwrap()
    }
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }

    #[track_caller]
    fn trouble(&self) -> (&'static str, u8) {
        let trouble = self.outcome.as_ref().unwrap_err();
        assert_eq!(trouble.render(false).lines().count(), 4);
        (trouble.page.code, trouble.page.exit)
    }
}

#[test]
fn a_credential_is_accepted_listed_shown_presented_and_found_in_history() {
    let scene = Scene::holding();
    let listed = scene.run(&["list", "--check"]).json();
    let item = &listed["items"][0];
    assert_eq!(
        (item["name"].clone(), item["state"].clone(), item["status"].clone()),
        (json!("Diploma"), json!("usable"), json!("valid"))
    );
    let id = item["id"].as_str().unwrap();
    let shown = scene.run(&["show", id]).json();
    assert_eq!(shown["claims"], json!({"given_name": "Ana", "degree": CANARY, "year": 2026}));
    assert_eq!(
        (&shown["key"], &shown["trust_path"]),
        (&json!("software key"), &json!(["CN=Signer of A", "CN=Root of A"]))
    );
    let link = scene.world.request_link();
    let presented = scene.run(&["present", &link, "--select", id, "--disclose", "degree,year"]);
    assert_eq!(presented.json()["outcome"], "delivered");
    assert!(
        presented.said.contains("who asks   CN=Verifier A")
            && presented.said.contains(&format!("degree = {CANARY}"))
    );
    let history = scene.run(&["history"]).json();
    assert_eq!(history["items"][0]["outcome"], "delivered");
    assert_eq!(history["items"][0]["shown"][0]["credential"], id);
    scene.run(&["delete", id]).outcome.unwrap();
    assert_eq!(scene.run(&["list"]).json(), json!({"items": []}));
}

#[test]
fn no_claim_key_or_name_stands_in_the_file() {
    let scene = Scene::holding();
    let link = scene.world.request_link();
    scene.run(&["present", &link]).outcome.unwrap();
    let file = scene.file();
    let origin = scene.world.with(|peers| peers.origin.clone());
    for sought in
        [CANARY, "given_name", "Ana", "Diploma", "Verifier A", "Root of A", "degree", "eyJ", &origin]
    {
        assert!(
            !file.windows(sought.len()).any(|window| window == sought.as_bytes()),
            "{sought} is in the file"
        );
    }
}

#[test]
fn the_wrong_passphrase_opens_nothing() {
    let scene = Scene::holding();
    std::fs::write(scene.path("phrase"), "wrong horse").unwrap();
    for args in [&["list"][..], &["history"], &["show", "wcr"], &["trust", "list"]] {
        let run = scene.run(args);
        assert_eq!(run.trouble(), ("wallet/locked", 1));
        assert_eq!(run.out, "");
    }
}

#[test]
fn a_question_is_answered_by_yes_and_by_nothing_else() {
    let scene = Scene::new();
    let link = scene.world.offer_link();
    for typed in ["", "n", "no", "yess", "Y E S"] {
        let run = scene.run_as(&["accept", &link], false, Some(typed), true);
        assert_eq!(run.trouble(), ("wallet/declined", 1), "{typed:?}");
    }
    assert_eq!(scene.world.count("/i/token"), 0);
    let run = scene.run_as(&["accept", &link], false, Some("Yes\n"), true);
    assert!(run.outcome.is_ok() && run.said.ends_with("accept it? [y/N] "));
}

#[test]
fn where_nobody_can_be_asked_nothing_is_done() {
    let scene = Scene::holding();
    let before = scene.world.count("/response");
    let link = scene.world.request_link();
    let run = scene.run_as(&["present", &link], false, None, true);
    assert_eq!(run.trouble(), ("wallet/usage", 2));
    assert_eq!(scene.world.count("/response"), before);
}

#[test]
fn yes_never_overrides_a_failed_check() {
    let scene = Scene::holding();
    scene.world.change("nonce", Value::Null);
    let link = scene.world.request_link();
    assert_eq!(scene.run(&["present", &link]).trouble(), ("wallet/request-rejected", 1));
    assert_eq!(scene.world.count("/response"), 0);
    let stranger = crate::world::Authority::new("Root of B");
    scene.world.with(|peers| {
        peers.change = None;
        peers.verifier = stranger.signer("Verifier A");
        peers.issuer = stranger.signer("Signer of A");
        peers.renew_code();
    });
    let link = scene.world.request_link();
    assert_eq!(scene.run(&["present", &link]).trouble(), ("wallet/verifier-untrusted", 1));
    let link = scene.world.offer_link();
    assert_eq!(scene.run(&["accept", &link]).trouble(), ("wallet/issuer-untrusted", 1));
    assert_eq!(scene.run(&["list"]).json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn each_failure_has_its_code_and_exit_code() {
    let scene = Scene::holding();
    let nowhere = "openid4vp://?client_id=x&request_uri=http%3A%2F%2Flocalhost%3A1%2F";
    let cases: [(&[&str], (&str, u8)); 6] = [
        (&["accept", "nonsense"], ("wallet/usage", 2)),
        (&["present", "nonsense"], ("wallet/usage", 2)),
        (&["present", nowhere], ("wallet/unreachable", 4)),
        (&["show", "wcr_none"], ("wallet/not-held", 2)),
        (&["trust", "add", "/nonexistent"], ("wallet/usage", 2)),
        (&["init"], ("wallet/wallet-exists", 2)),
    ];
    for (args, expected) in cases {
        assert_eq!(scene.run(args).trouble(), expected, "{args:?}");
    }
    let spent = scene.world.offer_link();
    assert_eq!(scene.run(&["accept", &spent]).trouble(), ("wallet/peer-refused", 3));
    scene.world.spoil("/offer", |_| Reply::of(503, ""));
    assert_eq!(scene.run(&["accept", &spent]).trouble(), ("wallet/unreachable", 4));
    std::fs::remove_file(scene.path("home").join("wallet.db")).unwrap();
    assert_eq!(scene.run(&["list"]).trouble(), ("wallet/no-wallet", 2));
}

#[test]
fn nothing_shown_is_a_failure_to_a_script_whatever_the_reason() {
    let scene = Scene::new();
    let link = scene.world.request_link();
    let run = scene.run(&["present", &link]);
    assert_eq!(
        (run.trouble(), run.json()["outcome"].clone()),
        (("wallet/nothing-shown", 1), json!("no-match"))
    );
    let link = scene.world.offer_link();
    scene.run(&["accept", &link]).outcome.unwrap();
    let link = scene.world.request_link();
    let run = scene.run(&["present", &link, "--disclose", "degree"]);
    assert_eq!(
        (run.trouble(), run.json()["outcome"].clone()),
        (("wallet/nothing-shown", 1), json!("declined"))
    );
    assert!(run.said.contains("--disclose does not allow year"));
}

#[test]
fn escape_codes_of_an_issuer_never_reach_the_terminal() {
    let scene = Scene::new();
    let hostile = "Uni\u{1b}[2J\u{9b}31m\u{202e}\r\nissuer     https://trusted.example";
    let claim = hostile.to_owned();
    scene.world.spoil("/.well-known/openid-credential-issuer/i", move |reply| {
        let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
        body["display"] = json!([{ "name": claim }]);
        let shown = &mut body["credential_configurations_supported"]["diploma"]["credential_metadata"];
        shown["display"] = json!([{ "name": claim }]);
        shown["claims"] = json!([{ "path": [claim] }]);
        Reply::json(200, &body)
    });
    let link = scene.world.offer_link();
    let accepted = scene.run_as(&["accept", &link], true, None, false);
    accepted.outcome.as_ref().unwrap();
    let listed = scene.run_as(&["list"], true, None, false);
    let json = scene.run(&["list"]);
    for text in [&accepted.out, &accepted.said, &listed.out, &json.out] {
        let is_bad = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.chars().any(is_bad), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("issuer     https://trusted.example")), "{text}");
    }
    assert_eq!(json.json()["items"][0]["name"], hostile);
}

#[test]
fn a_transaction_code_is_asked_for_when_it_is_needed() {
    let scene = Scene::new();
    scene.world.with(|peers| peers.tx_code = true);
    let link = scene.world.offer_link();
    let run = scene.run_as(&["accept", &link], true, None, true);
    assert_eq!(run.trouble(), ("wallet/usage", 2));
    assert_eq!(scene.world.count("/i/token"), 0);
    let run = scene.run_as(&["accept", &link], true, Some("4935\n"), true);
    run.outcome.unwrap();
}

#[test]
fn an_empty_or_missing_passphrase_makes_no_wallet() {
    let scene = Scene::new();
    std::fs::write(scene.path("phrase"), "\n").unwrap();
    let home = scene.path("other");
    let line = Line::try_parse_from([
        "wallet",
        "init",
        "--home",
        home.to_str().unwrap(),
        "--passphrase-file",
        scene.path("phrase").to_str().unwrap(),
    ]);
    let made = |passphrase: Option<&str>, verb: &Verb| {
        let mut ask = |_: &str| passphrase.map(|text| Secret::new(text.to_owned()));
        let mut terminal = Terminal {
            out: &mut Vec::new(),
            said: &mut Vec::new(),
            ask: &mut || None,
            passphrase: &mut ask,
            json: false,
            yes: true,
            clock: None,
        };
        perform(verb, &mut terminal).map_err(|trouble| trouble.page.code)
    };
    assert_eq!(made(None, &line.unwrap().verb), Err("wallet/usage"));
    let asking = Line::try_parse_from(["wallet", "init", "--home", home.to_str().unwrap()]).unwrap();
    assert_eq!(made(None, &asking.verb), Err("wallet/usage"));
    assert!(!home.exists());
    assert_eq!(made(Some("typed twice alike"), &asking.verb), Ok(()));
}

#[test]
fn trust_is_listed_added_and_taken_away() {
    let scene = Scene::new();
    let other = scene.path("other.pem");
    std::fs::write(&other, crate::world::Authority::new("Root of B").pem()).unwrap();
    let added = scene.run(&["trust", "add", other.to_str().unwrap()]).json();
    assert_eq!(added, json!({"added": 1, "anchors": 2}));
    let listed = scene.run(&["trust", "list"]).json();
    let of_b =
        listed["items"].as_array().unwrap().iter().find(|item| item["subject"] == "CN=Root of B").unwrap();
    scene.run(&["trust", "remove", of_b["id"].as_str().unwrap()]).outcome.unwrap();
    assert_eq!(scene.run(&["trust", "list"]).json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn the_verbs_fit_into_a_program_with_its_own_global_options() {
    #[derive(Parser)]
    struct Program {
        #[arg(long, global = true)]
        url: Option<String>,
        #[arg(long, global = true)]
        token_file: Option<String>,
        #[arg(long, short = 'o', global = true)]
        output: Option<String>,
        #[arg(long, global = true)]
        yes: bool,
        #[arg(long, global = true)]
        context: Option<String>,
        #[command(subcommand)]
        verb: Verb,
    }
    <Program as clap::CommandFactory>::command().debug_assert();
    let program = Program::try_parse_from(["p", "list", "--yes", "-o", "json"]).unwrap();
    let Program { url, token_file, output, yes, context, verb } = program;
    assert!(yes && output.as_deref() == Some("json") && matches!(verb, Verb::List(_)));
    assert!(url.or(token_file).or(context).is_none());
}
