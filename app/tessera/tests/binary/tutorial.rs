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
