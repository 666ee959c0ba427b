//! The pages that a person who signs in meets. They work without a script, but for passkeys; nothing in them comes from anybody but
//! through askama's escaping.

use crate::authorize::Asking;
use askama::Template;
use crypto::hash;
use qrcode::{EcLevel, QrCode};
use std::fmt::Write;

/// The one stylesheet.
pub const STYLE: &str = include_str!("../assets/signin.css");
/// The one script.
pub const SCRIPT: &str = include_str!("../assets/signin.js");

/// Seconds after which a page without a script looks again.
const REFRESH_S: u32 = 3;
/// The same while somebody may be typing a handle.
const REFRESH_TYPING_S: u32 = 20;

/// Where the page's own files stand: their hash in the name, so that a cache may keep them for ever.
#[derive(Clone, Debug)]
pub struct Assets {
    /// Of the stylesheet.
    pub css: String,
    /// Of the script.
    pub js: String,
    /// Whether the page says that this is development.
    pub is_dev: bool,
}

/// A session as its page shows it.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// `open`, `claimed`, `approved`, `denied`, `failed` or `expired`.
    pub state: &'static str,
    /// Legal name of the relying party.
    pub service: String,
    /// Its origin.
    pub origin: String,
    /// The page itself.
    pub page_url: String,
    /// Of the session's doors.
    pub session_url: String,
    /// Of its hints.
    pub events_url: String,
    /// Changes whenever the page should.
    pub seen: String,
    /// Of the wallet.
    pub claim_uri: String,
    /// Goes with every POST of the page.
    pub form_token: String,
    /// What is asked for, in plain words.
    pub asked: Vec<String>,
    /// What is not.
    pub not_asked: String,
    /// The class that is asked for.
    pub acr: String,
    /// Whether that class can be relayed.
    pub is_relayable: bool,
    /// Four characters of the device.
    pub device: String,
}

/// What a passkey would sign.
#[derive(Clone, Debug)]
pub struct PasskeyView {
    /// base64url.
    pub challenge: String,
    /// Our host.
    pub rp_id: String,
    /// Credential ids, by spaces; empty for whichever the person has.
    pub allow: String,
}

/// The squares of a QR code as one SVG path.
#[derive(Clone, Debug, Default)]
pub struct Qr {
    side: usize,
    path: String,
}

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage<'a> {
    assets: &'a Assets,
    view: &'a SessionView,
    heading: &'static str,
    reason: &'static str,
    code: String,
    qr: Qr,
    passkey: Option<&'a PasskeyView>,
    refresh: Option<u32>,
    go_on: Option<String>,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage<'a> {
    assets: &'a Assets,
    what: &'a str,
    code: &'a str,
}

#[derive(Template)]
#[template(path = "passkeys.html")]
struct PasskeysPage<'a> {
    assets: &'a Assets,
    rp_id: &'a str,
    rp_name: &'a str,
    user: &'a str,
    url: &'a str,
}

impl Assets {
    /// The addresses under `public_url`.
    #[must_use]
    pub fn of(public_url: &str, is_dev: bool) -> Assets {
        let at = |text: &str, ending: &str| format!("{public_url}/idp-assets/{}", asset_name(text, ending));
        Assets { css: at(STYLE, "css"), js: at(SCRIPT, "js"), is_dev }
    }
}

/// The name of a file with the hash of its content in it.
fn asset_name(text: &str, ending: &str) -> String {
    format!("signin-{}.{ending}", crypto::hex::encode(&hash::sha256(text.as_bytes())[..8]))
}

/// The file of that name, with its media type.
#[must_use]
pub fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    if name == asset_name(STYLE, "css") {
        Some((STYLE, "text/css; charset=utf-8"))
    } else if name == asset_name(SCRIPT, "js") {
        Some((SCRIPT, "text/javascript; charset=utf-8"))
    } else {
        None
    }
}

/// The page of a session. `code`: the mutual code, once a wallet has claimed it. `goes_on`: whether the browser proved itself, so that
/// it need not be asked whether the device is its own.
#[must_use]
pub fn session(
    assets: &Assets,
    view: &SessionView,
    code: Option<&str>,
    passkey: Option<&PasskeyView>,
    goes_on: bool,
) -> String {
    let (heading, reason) = words(view.state);
    let qr = match code {
        Some(code) => Qr::of(code),
        None if view.state == "open" => Qr::of(&view.claim_uri),
        None => Qr::default(),
    };
    let refresh = match view.state {
        "open" => Some(REFRESH_TYPING_S),
        "claimed" => Some(REFRESH_S),
        _ => None,
    };
    let go_on = (goes_on && view.state == "approved").then(|| format!("{}/finish", view.session_url));
    let code = code.map(spaced).unwrap_or_default();
    written(&SessionPage { assets, view, heading, reason, code, qr, passkey, refresh, go_on })
}

/// The page for a request that cannot be served, from which nobody is sent anywhere.
#[must_use]
pub fn refused(assets: &Assets, what: &str, code: &str) -> String {
    written(&RefusedPage { assets, what, code })
}

/// The page on which a passkey is added.
#[must_use]
pub fn passkeys(assets: &Assets, rp_id: &str, issuer: &str, url: &str) -> String {
    written(&PasskeysPage { assets, rp_id, rp_name: issuer, user: "Sign-in", url })
}

/// Scopes in plain words, and what is not among them.
#[must_use]
pub fn asked(asking: &Asking, scopes: &[String]) -> (Vec<String>, String) {
    let mut asked: Vec<String> = SCOPE_WORDS
        .iter()
        .filter(|(scope, _)| scopes.iter().any(|it| it == scope))
        .map(|(_, words)| (*words).to_owned())
        .collect();
    if asked.is_empty() {
        asked.push("Only that it is you, under a name that no other service knows".to_owned());
    }
    if !asking.purpose.is_empty() {
        asked.push(format!("Its purpose, in its own words: {}", asking.purpose));
    }
    let not: Vec<&str> = NEVER_UNLESS
        .iter()
        .filter(|(scope, _)| !scopes.iter().any(|it| it == scope))
        .map(|(_, words)| *words)
        .collect();
    (asked, if not.is_empty() { "anything beyond these".to_owned() } else { not.join(", ") })
}

const SCOPE_WORDS: [(&str, &str); 17] = [
    ("identity:name", "Your full name"),
    ("identity:given_name", "Your given name"),
    ("identity:family_name", "Your family name"),
    ("identity:date_of_birth", "Your date of birth"),
    ("identity:nationality", "Your nationality"),
    ("identity:document", "Type, country, number and end of your document"),
    ("identity:photo", "Your photo"),
    ("identity:age_over_18", "Whether you are over 18"),
    ("identity:age_over_21", "Whether you are over 21"),
    ("identity:age_over_25", "Whether you are over 25"),
    ("identity:is_eu_citizen", "Whether you are a citizen of the European Union"),
    ("identity:age_range", "In which range your age is"),
    ("identity:name_initial", "Your initials"),
    ("identity:trust_level", "How sure your identity is"),
    ("email", "Your e-mail address"),
    ("phone", "Your telephone number"),
    ("offline_access", "To ask again while you are away"),
];

const NEVER_UNLESS: [(&str, &str); 4] = [
    ("identity:name", "your name"),
    ("identity:date_of_birth", "your date of birth"),
    ("identity:photo", "your photo"),
    ("identity:document", "your document's number"),
];

fn words(state: &str) -> (&'static str, &'static str) {
    match state {
        "open" => ("Sign in", ""),
        "claimed" => ("Your wallet is asking you", ""),
        "approved" => ("You are signed in", ""),
        "denied" => ("Sign-in refused", "Nobody was signed in: the request was refused."),
        "expired" => ("Too late", "Nobody answered in time. You can begin again at the service."),
        _ => {
            ("Sign-in failed", "A check failed, so nobody was signed in. You can begin again at the service.")
        }
    }
}

/// Six digits in two groups, as people read them.
fn spaced(code: &str) -> String {
    match code.split_at_checked(3) {
        Some((head, tail)) => format!("{head} {tail}"),
        None => code.to_owned(),
    }
}

fn written(page: &impl Template) -> String {
    page.render().unwrap_or_else(|fault| {
        tracing::error!(%fault, "a page could not be written");
        "<!doctype html><title>Fault</title><p>This page could not be written.</p>".to_owned()
    })
}

impl Qr {
    fn of(text: &str) -> Qr {
        let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else { return Qr::default() };
        let width = code.width();
        let mut path = String::new();
        // Four light squares around it: the standard's quiet zone.
        const QUIET: usize = 4;
        for (at, colour) in code.to_colors().into_iter().enumerate() {
            if colour == qrcode::Color::Dark {
                let _ = write!(path, "M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET);
            }
        }
        Qr { side: width + 2 * QUIET, path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(state: &'static str) -> SessionView {
        SessionView {
            state,
            service: "Shop <script>alert(1)</script>".to_owned(),
            origin: "https://shop.example".to_owned(),
            page_url: "/t/default/idp/sessions/x".to_owned(),
            session_url: "/t/default/idp/sessions/x".to_owned(),
            events_url: String::new(),
            seen: "open:none".to_owned(),
            claim_uri: "https://idp.example/t/default/seal/s/x".to_owned(),
            form_token: "t".to_owned(),
            asked: vec!["Your \"full\" name".to_owned()],
            not_asked: "your photo".to_owned(),
            acr: "seal:code".to_owned(),
            is_relayable: true,
            device: "7F3K".to_owned(),
        }
    }

    fn page(state: &'static str) -> String {
        let assets = Assets::of("https://idp.example", false);
        session(&assets, &view(state), (state == "claimed").then_some("711316"), None, false)
    }

    #[test]
    fn what_a_relying_party_is_called_is_text_and_never_markup() {
        for state in ["open", "claimed", "approved", "denied", "failed", "expired"] {
            let page = page(state);
            assert!(!page.contains("<script>alert"), "{state}");
            assert!(page.contains("Shop &#60;script&#62;") || page.contains("Shop &lt;script&gt;"), "{page}");
        }
    }

    #[test]
    fn no_page_carries_what_its_policy_would_stop() {
        let assets = Assets::of("https://idp.example", true);
        let passkeys = passkeys(&assets, "idp.example", "https://idp.example", "/t/default/idp/passkeys");
        for page in [page("open"), page("claimed"), page("approved"), refused(&assets, "no", "x"), passkeys] {
            for inline in [" style=", "<style", "javascript:", " onclick", " onload", "<script>"] {
                assert!(!page.contains(inline), "{inline} in {page}");
            }
            assert!(
                page.contains("lang=\"en\"") && page.contains("name=\"viewport\"") && page.contains("<main>")
            );
        }
    }

    #[test]
    fn the_code_is_shown_as_digits_and_as_squares_and_only_once_a_wallet_has_claimed() {
        assert!(page("claimed").contains("711 316"));
        assert!(page("claimed").contains("<path"));
        for state in ["open", "approved", "denied"] {
            assert!(!page(state).contains("711"));
        }
    }

    #[test]
    fn every_field_has_a_label_and_every_drawing_a_title() {
        let page = page("open");
        assert!(page.contains("<label for=\"handle\">") && page.contains("id=\"handle\""));
        assert!(page.contains("role=\"img\"") && page.contains("<title>Link to this sign-in"));
    }

    #[test]
    fn files_are_found_by_the_hash_of_their_content_alone() {
        let assets = Assets::of("", false);
        let name = assets.css.rsplit('/').next().unwrap();
        assert_eq!(asset(name).unwrap().0, STYLE);
        assert!(asset("signin.css").is_none());
        assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("eval("));
    }

    #[test]
    fn what_is_not_asked_for_is_said() {
        let asking = Asking { service: "Shop".into(), origin: String::new(), purpose: "Age check".into() };
        let (asked, not) = asked(&asking, &["openid".to_owned(), "identity:age_over_18".to_owned()]);
        assert_eq!(asked, ["Whether you are over 18", "Its purpose, in its own words: Age check"]);
        assert!(not.contains("your name") && not.contains("your photo"));
    }
}
