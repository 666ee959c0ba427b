//! The tutorial, word by word: every shell fence of the page runs in order, in an empty folder, as a reader would type it.
//!
//! Three things a reader does with the page are done here: where it says `…` stands what the command before has printed; a question
//! is answered (the passphrase by the wallet's own variable, the consent by `--yes`); the server of the first fence stays running.

use crate::program::root;
use crate::served::Served;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const PAGE: &str = "docs/tutorials/first-credential.md";
/// Where the page says that the server is.
const PAGES_BASE: &str = "http://localhost:8400";

/// A reader at a shell.
struct Reader<'a> {
    home: &'a Path,
    base: String,
    offer: String,
    request: String,
    credential: String,
    verification: String,
}

#[test]
#[ignore = "needs a shell with curl: run with --ignored"]
fn every_command_of_the_tutorial_does_what_the_page_says() {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let steps = fences(&page);
    let home = tempfile::tempdir().unwrap();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tessera"), bin.join("tessera")).unwrap();

    let [start, look, wallet, offer, accept, ask, present, revoke, log, outsider] =
        <[&str; 10]>::try_from(steps).unwrap_or_else(|steps| panic!("{} fences: {steps:#?}", steps.len()));
    assert_eq!(start.trim(), "tessera serve --dev");
    let served = Served::start(home.path(), &home.path().join("tessera-dev"));
    let mut reader = Reader::at(home.path(), &served.base);

    let seen = reader.runs(look);
    assert!(seen.contains("credential signer") && seen.contains("diploma"), "{seen}");
    reader.runs(wallet);
    reader.runs(offer);
    assert!(reader.offer.starts_with("openid-credential-offer://") && reader.credential.starts_with("crd_"));
    reader.runs(accept);
    reader.runs(ask);
    assert!(reader.request.starts_with("openid4vp://") && reader.verification.starts_with("ver_"));
    let seen = reader.runs(present);
    assert!(seen.contains("verified") && seen.contains("BSc") && !seen.contains("Specimen"), "{seen}");

    reader.runs(revoke);
    reader.runs(ask);
    let seen = reader.tries(present);
    assert!(seen.contains("wallet/peer-refused"), "{seen}");
    let seen = reader.runs("tessera verification show ver_…");
    assert!(seen.contains("VP-054"), "{seen}");

    let seen = reader.runs(log);
    assert!(seen.contains("proved") || seen.contains("entry"), "{seen}");
    let (token, check) = outsider.split_once('\n').unwrap();
    let made = reader.runs(token);
    let made: Value = serde_json::from_str(&made).unwrap_or_else(|fault| panic!("{fault}: {made}"));
    crate::program::private(&home.path().join("token.txt"), made["token"].as_str().unwrap());
    reader.runs(check);
    reader.runs("tessera ledger checkpoint > old");
    let seen = reader.runs(&format!("{} --old old", check.trim_end()));
    assert!(seen.contains("old"), "{seen}");
}

/// The page about a relay: its first fence stays running in a terminal of its own until the page says Ctrl-C.
#[test]
#[ignore = "needs a shell with grep, and some forty rounds of a second: run with --ignored"]
fn every_command_of_the_tutorial_about_a_relay_does_what_the_page_says() {
    let page = std::fs::read_to_string(root().join("docs/tutorials/first-relay.md")).unwrap();
    let [start, wallets, join, invite, online, codes, verify, write, answer, status, disk, privacy] =
        <[&str; 12]>::try_from(fences(&page)).unwrap_or_else(|fences| panic!("{} fences", fences.len()));
    let home = tempfile::tempdir().unwrap();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tessera"), bin.join("tessera")).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (mut relay, said) = relay_of(&start.replace("8100", &port), home.path());
    let link = said.split_whitespace().find(|word| word.starts_with("tessera:member/1#")).unwrap();

    let mut reader = Reader::at(home.path(), "");
    let mut runs = |fence: &str| {
        // The page's relay is at its usual port; here it is at a free one.
        let fence = fence
            .replace("tessera:member/1#…", link)
            .replace("relay status", &format!("relay status --relay http://localhost:{port}"))
            .replace("relay inspect", &format!("relay inspect --relay http://localhost:{port}"))
            .replace("--name Bo", "--name Bo --yes");
        reader.runs(&fence)
    };
    runs(wallets);
    assert!(runs(join).contains("epsilon 0 for messages"));
    assert!(runs(invite).contains("pending"));
    let both = |seen: &str, state: &str| seen.matches(state).count() == 2;
    let mut seen = String::new();
    // How the rounds of two wallets fall together is the machine's affair: a reader whose wallets are not there yet stays on.
    for _ in 0..6 {
        runs(online);
        seen = runs(codes);
        if both(&seen, "unverified") {
            break;
        }
    }
    let code = |seen: &str| -> Vec<String> {
        let is_code = |word: &&str| word.len() == 11 && word.split('-').all(|part| part.len() == 3);
        seen.split_whitespace().filter(is_code).map(str::to_owned).collect()
    };
    let found = code(&seen);
    assert!(found.len() == 2 && found[0] == found[1], "{seen}");
    runs(&verify.replace("123-456-789", &found[0]));
    assert!(runs(write).contains("hello Bo"));
    let seen = runs(answer);
    assert!(seen.contains("and hello to you") && seen.contains("verified"), "{seen}");
    assert!(runs(status).contains("trust_domains"));
    rustix::process::kill_process(rustix::process::Pid::from_child(&relay), rustix::process::Signal::INT)
        .unwrap();
    assert!(relay.wait().unwrap().success());
    let seen = runs(disk);
    assert!(seen.contains("rows_lawful") && seen.contains("no word of a letter"), "{seen}");
    assert!(runs(privacy).contains("that you are online, when, and from which address"));
}

/// Starts the relay of a fence; what it said until it served.
fn relay_of(fence: &str, home: &Path) -> (std::process::Child, String) {
    use std::io::BufRead;
    let mut words = fence.split_whitespace();
    assert_eq!(words.next(), Some("tessera"));
    let mut command = crate::program::tessera(home);
    let mut child = command.args(words).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(" Warning ") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "the relay ended: {said}");
    }
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    (child, said)
}

impl<'a> Reader<'a> {
    fn at(home: &'a Path, base: &str) -> Self {
        let none = String::new;
        Self {
            home,
            base: base.to_owned(),
            offer: none(),
            request: none(),
            credential: none(),
            verification: none(),
        }
    }

    /// Runs a fence that must succeed; what it printed.
    fn runs(&mut self, fence: &str) -> String {
        let (ok, told) = self.shell(fence);
        assert!(ok, "{fence}\n{told}");
        told
    }

    /// Runs a fence whose last command may refuse.
    fn tries(&mut self, fence: &str) -> String {
        self.shell(fence).1
    }

    fn shell(&mut self, fence: &str) -> (bool, String) {
        let script = self.filled(fence);
        let path = format!("{}:{}", self.home.join("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new("sh")
            .args(["-ec", &script])
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home)
            .env("XDG_CONFIG_HOME", self.home.join("config"))
            .env("XDG_DATA_HOME", self.home.join("data"))
            .env("TESSERA_WALLET_PASSPHRASE", "a specimen passphrase")
            .current_dir(self.home)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        self.remember(&printed);
        (output.status.success(), format!("{printed}{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The page's text with what the reader knows in the place of every `…`, and the consent given.
    fn filled(&self, fence: &str) -> String {
        let filled = fence
            .replace("openid-credential-offer://?credential_offer_uri=…", &self.offer)
            .replace("openid4vp://?client_id=…", &self.request)
            .replace("crd_…", &self.credential)
            .replace("ver_…", &self.verification)
            .replace(PAGES_BASE, &self.base)
            .replace("wallet accept ", "wallet accept --yes ")
            .replace("wallet present ", "wallet present --yes ")
            .replace("credential revoke ", "credential revoke --yes ");
        assert!(!filled.contains('…'), "nothing is known for: {filled}");
        filled
    }

    fn remember(&mut self, printed: &str) {
        let Ok(Value::Object(answer)) = serde_json::from_str::<Value>(printed) else { return };
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        self.offer = text("offer_uri").unwrap_or(std::mem::take(&mut self.offer));
        self.request = text("authorization_request_uri").unwrap_or(std::mem::take(&mut self.request));
        match text("id") {
            Some(id) if id.starts_with("crd_") => self.credential = id,
            Some(id) if id.starts_with("ver_") => self.verification = id,
            _ => {}
        }
    }
}

/// What stands between lines of three backquotes, in order.
fn fences(page: &str) -> Vec<&str> {
    page.split("```").skip(1).step_by(2).map(|fence| fence.trim_start_matches('\n')).collect()
}
