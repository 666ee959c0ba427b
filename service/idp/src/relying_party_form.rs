//! What somebody sends to register a relying party, and the rules it has to keep before anything is stored.

use crate::relying_party::{Metadata, RelyingParty};
use crypto::jwk::Jwk;
use schemars::JsonSchema;
use seal::code::Acr;
use seal::scope::Scopes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use url::{Host, Url};

/// Characters of a name that lists show: one line.
pub const NAME_CHARS_MAX: usize = 100;
/// Bytes of the legal name: it stands in the seal, which is read from a barcode.
pub const LEGAL_NAME_BYTES_MAX: usize = 200;
/// Origins: each is fetched when it is proved, and stands in the seal.
pub const ORIGINS_MAX: usize = 8;
/// Redirect addresses: one for each part of a service.
pub const REDIRECTS_MAX: usize = 16;
/// Bytes of an address, as browsers take.
pub const ADDRESS_BYTES_MAX: usize = 2_048;
/// Keys of one relying party: two in rotation for each of two algorithms.
pub const KEYS_MAX: usize = 4;
/// Languages of a purpose: those of the European Union, and some more.
pub const LANGUAGES_MAX: usize = 32;
/// Bytes of a purpose in one language: two sentences.
pub const PURPOSE_BYTES_MAX: usize = 300;

/// One place of a form and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer.
    pub pointer: String,
    /// The rule.
    pub rule: &'static str,
}

/// A relying party as somebody registers it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RelyingPartyForm")]
pub struct Form {
    /// 1 to 100 characters: what lists call it.
    pub name: String,
    /// What people read when they decide, 1 to 200 bytes; the name unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_name: Option<String>,
    /// 1 to 8 web origins, https (in development http on loopback).
    pub origins: Vec<String>,
    /// 1 to 16 addresses under the origins, compared exactly; of native applications also `http://127.0.0.1/…`.
    pub redirect_uris: Vec<String>,
    /// Where a browser may go after logout.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where logouts are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// The most that it may ask for.
    pub scopes: Vec<String>,
    /// What for, by language tag.
    #[serde(default)]
    pub purpose: BTreeMap<String, String>,
    /// `private_key_jwt`, `none`, `client_secret_basic` or `client_secret_post`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<String>,
    /// Its public keys (RFC 7517); not beside `jwks_uri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where its keys are published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// `oidc` or `fapi2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// `ES256`, `RS256`, `PS256` or `EdDSA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_alg: Option<String>,
    /// The same for userinfo; plain JSON without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_alg: Option<String>,
    /// OpenID Connect Core, 8.1: whose host is the sector of pairwise subjects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
    /// `seal:code`, `phr` or `phrh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr_min: Option<String>,
    /// Whether requests must be pushed; true unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_par: Option<bool>,
    /// Whether PKCE must be used; true unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_pkce: Option<bool>,
    /// Whether claims can be read again after a refresh.
    #[serde(default)]
    pub refresh_claims: bool,
    /// Whether it is a native application.
    #[serde(default)]
    pub native: bool,
    /// `request_object`, `client_assertion` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_proof: Option<String>,
    /// `fetch`, or `operator` who vouches for the origins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin_proof: Option<String>,
    /// Whether client assertions for the token address are taken, for old clients.
    #[serde(default)]
    pub assertion_aud_endpoint: bool,
}

/// The faults so far.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn unless(&mut self, holds: bool, pointer: impl Into<String>, rule: &'static str) {
        if !holds {
            self.0.push(Fault { pointer: pointer.into(), rule });
        }
    }
}

impl Form {
    /// What is registered now, as a form.
    pub fn of(party: &RelyingParty) -> Form {
        let known = party.metadata.clone();
        let jwks = (known.jwks_uri.is_none() && !party.keys.is_empty())
            .then(|| serde_json::json!({ "keys": party.keys }));
        Form {
            name: known.name,
            legal_name: Some(known.legal_name),
            origins: known.origins,
            redirect_uris: known.redirect_uris,
            post_logout_redirect_uris: known.post_logout_redirect_uris,
            backchannel_logout_uri: known.backchannel_logout_uri,
            scopes: known.scopes,
            purpose: known.purpose,
            auth_method: Some(known.auth_method),
            jwks,
            jwks_uri: known.jwks_uri,
            profile: Some(known.profile),
            id_token_alg: Some(known.id_token_alg),
            userinfo_alg: known.userinfo_alg,
            sector_identifier_uri: known.sector_identifier_uri,
            acr_min: Some(known.acr_min),
            require_par: Some(known.require_par),
            require_pkce: Some(known.require_pkce),
            refresh_claims: known.refresh_claims,
            native: known.native,
            service_proof: Some(known.service_proof),
            origin_proof: Some(known.origin_proof),
            assertion_aud_endpoint: known.assertion_aud_endpoint,
        }
    }

    /// The form with some members replaced; `null` takes one away (RFC 7396).
    ///
    /// # Errors
    /// [`Fault`] when a member is unknown or of another kind.
    pub fn changed(&self, change: &Map<String, Value>) -> Result<Form, Vec<Fault>> {
        let mut whole = match serde_json::json!(self) {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        for (name, value) in change {
            match value {
                Value::Null => whole.shift_remove(name),
                value => whole.insert(name.clone(), value.clone()),
            };
        }
        let fault = |_| {
            vec![Fault { pointer: String::new(), rule: "names a member that is unknown or of another kind" }]
        };
        serde_json::from_value(Value::Object(whole)).map_err(fault)
    }

    /// Checks every rule. `is_dev` lets origins be http on loopback.
    ///
    /// # Errors
    /// Every [`Fault`].
    pub fn accept(self, is_dev: bool) -> Result<(Metadata, Vec<Value>), Vec<Fault>> {
        let mut faults = Faults::default();
        let origins = self.origins(is_dev, &mut faults);
        self.addresses(&origins, is_dev, &mut faults);
        let keys = self.keys(&mut faults);
        let scopes = self.scopes(&mut faults);
        self.texts(&mut faults);
        let auth_method = self.auth_method.clone().unwrap_or_else(|| "private_key_jwt".to_owned());
        let service_proof = self.service_proof.clone().unwrap_or_else(|| {
            if auth_method == "private_key_jwt" { "client_assertion" } else { "none" }.to_owned()
        });
        self.words(&auth_method, &service_proof, &keys, &mut faults);
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        let metadata = Metadata {
            legal_name: self.legal_name.unwrap_or_else(|| self.name.clone()),
            name: self.name,
            origins,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            backchannel_logout_uri: self.backchannel_logout_uri,
            scopes: scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            purpose: self.purpose,
            auth_method,
            jwks_uri: self.jwks_uri,
            profile: self.profile.unwrap_or_else(|| "oidc".to_owned()),
            id_token_alg: self.id_token_alg.unwrap_or_else(|| "ES256".to_owned()),
            userinfo_alg: self.userinfo_alg,
            sector_identifier_uri: self.sector_identifier_uri,
            sector: String::new(),
            acr_min: self.acr_min.unwrap_or_else(|| Acr::SealCode.as_str().to_owned()),
            require_par: self.require_par.unwrap_or(true),
            require_pkce: self.require_pkce.unwrap_or(true),
            refresh_claims: self.refresh_claims,
            native: self.native,
            service_proof,
            origin_proof: self.origin_proof.unwrap_or_else(|| "fetch".to_owned()),
            assertion_aud_endpoint: self.assertion_aud_endpoint,
        };
        Ok((metadata, keys))
    }

    fn origins(&self, is_dev: bool, faults: &mut Faults) -> Vec<String> {
        faults.unless((1..=ORIGINS_MAX).contains(&self.origins.len()), "/origins", "has 1 to 8 origins");
        let mut origins = BTreeSet::new();
        for (index, text) in self.origins.iter().take(ORIGINS_MAX).enumerate() {
            let fits = origin_of(text, is_dev).is_some_and(|origin| origin == *text);
            faults.unless(
                fits,
                format!("/origins/{index}"),
                "is an https origin: scheme, host, port, no more",
            );
            origins.insert(text.clone());
        }
        faults.unless(origins.len() == self.origins.len().min(ORIGINS_MAX), "/origins", "names none twice");
        origins.into_iter().collect()
    }

    fn addresses(&self, origins: &[String], is_dev: bool, faults: &mut Faults) {
        let many = (1..=REDIRECTS_MAX).contains(&self.redirect_uris.len())
            && self.post_logout_redirect_uris.len() <= REDIRECTS_MAX;
        faults.unless(many, "/redirect_uris", "has 1 to 16 addresses");
        let under = |text: &str| {
            address_of(text, is_dev).is_some_and(|url| {
                let origin = url.origin().ascii_serialization();
                origins.contains(&origin) || (self.native && is_loopback_http(&url))
            })
        };
        let lists = [
            ("redirect_uris", &self.redirect_uris),
            ("post_logout_redirect_uris", &self.post_logout_redirect_uris),
        ];
        for (name, list) in lists {
            for (index, text) in list.iter().take(REDIRECTS_MAX).enumerate() {
                faults.unless(
                    under(text),
                    format!("/{name}/{index}"),
                    "is an address under one of the origins, without fragment",
                );
            }
        }
        for (name, address) in [
            ("jwks_uri", &self.jwks_uri),
            ("sector_identifier_uri", &self.sector_identifier_uri),
            ("backchannel_logout_uri", &self.backchannel_logout_uri),
        ] {
            let fits = address.as_ref().is_none_or(|text| address_of(text, is_dev).is_some());
            faults.unless(fits, format!("/{name}"), "is an https address without fragment");
        }
    }

    fn keys(&self, faults: &mut Faults) -> Vec<Value> {
        faults.unless(
            self.jwks.is_none() || self.jwks_uri.is_none(),
            "/jwks_uri",
            "does not stand beside jwks",
        );
        let Some(jwks) = &self.jwks else { return Vec::new() };
        match read_keys(jwks) {
            Some(keys) => keys,
            None => {
                faults.unless(false, "/jwks", "is a set of 1 to 4 different public keys that sign");
                Vec::new()
            }
        }
    }

    fn scopes(&self, faults: &mut Faults) -> Scopes {
        let mut all = Scopes::default();
        for (index, name) in self.scopes.iter().enumerate() {
            let single = !name.is_empty() && !name.contains(' ');
            match Scopes::expand(name) {
                Ok(scopes) if single => all = all.union(&scopes),
                _ => faults.unless(false, format!("/scopes/{index}"), "is a scope that we know"),
            }
        }
        let openid = all.contains(seal::scope::Scope::Openid);
        faults.unless(openid, "/scopes", "has openid");
        all
    }

    fn texts(&self, faults: &mut Faults) {
        let name = (1..=NAME_CHARS_MAX).contains(&self.name.chars().count()) && is_line(&self.name);
        faults.unless(name, "/name", "has 1 to 100 characters, none of them a control character");
        let legal = self.legal_name.as_deref().unwrap_or(&self.name);
        let fits = (1..=LEGAL_NAME_BYTES_MAX).contains(&legal.len()) && is_line(legal);
        faults.unless(fits, "/legal_name", "has 1 to 200 bytes, none of them a control character");
        faults.unless(self.purpose.len() <= LANGUAGES_MAX, "/purpose", "has at most 32 languages");
        for (language, text) in self.purpose.iter().take(LANGUAGES_MAX) {
            let tag = (2..=35).contains(&language.len())
                && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let fits = tag && (1..=PURPOSE_BYTES_MAX).contains(&text.len()) && is_line(text);
            faults.unless(fits, "/purpose", "has a text of 1 to 300 bytes for each language tag");
        }
    }

    fn words(&self, auth_method: &str, service_proof: &str, keys: &[Value], faults: &mut Faults) {
        let has_keys = !keys.is_empty() || self.jwks_uri.is_some();
        let one_of =
            |text: &Option<String>, words: &[&str]| text.as_deref().is_none_or(|text| words.contains(&text));
        let methods = ["private_key_jwt", "none", "client_secret_basic", "client_secret_post"];
        let algs = ["ES256", "RS256", "PS256", "EdDSA"];
        let fapi = self.profile.as_deref() == Some("fapi2");
        let lax = self.require_par == Some(false) || self.require_pkce == Some(false);
        let kinds = ["request_object", "client_assertion", "none"];
        let acrs = [Acr::SealCode.as_str(), Acr::Phr.as_str(), Acr::Phrh.as_str()];
        let by_assertion = service_proof != "client_assertion" || auth_method == "private_key_jwt";
        let rules = [
            (methods.contains(&auth_method), "/auth_method", "is one of the four methods"),
            (auth_method != "private_key_jwt" || has_keys, "/jwks", "is needed for private_key_jwt"),
            (one_of(&self.profile, &["oidc", "fapi2"]), "/profile", "is oidc or fapi2"),
            (one_of(&self.id_token_alg, &algs), "/id_token_alg", "is ES256, RS256, PS256 or EdDSA"),
            (one_of(&self.userinfo_alg, &algs), "/userinfo_alg", "is ES256, RS256, PS256 or EdDSA"),
            (one_of(&self.acr_min, &acrs), "/acr_min", "is seal:code, phr or phrh"),
            (one_of(&self.origin_proof, &["fetch", "operator"]), "/origin_proof", "is fetch or operator"),
            (kinds.contains(&service_proof), "/service_proof", "is request_object, client_assertion or none"),
            (service_proof == "none" || has_keys, "/service_proof", "needs keys"),
            (by_assertion, "/service_proof", "client_assertion goes with private_key_jwt"),
            (
                self.require_pkce != Some(false) || auth_method != "none",
                "/require_pkce",
                "is false only with a key or a secret",
            ),
            (
                !fapi || (auth_method == "private_key_jwt" && !lax),
                "/profile",
                "fapi2 asks for private_key_jwt, PAR and PKCE",
            ),
            (
                !fapi || self.id_token_alg.as_deref() != Some("RS256"),
                "/id_token_alg",
                "is not RS256 with fapi2",
            ),
        ];
        for (holds, pointer, rule) in rules {
            faults.unless(holds, pointer, rule);
        }
    }
}

/// 1 to 4 public keys that sign, none twice; each as we write it.
pub(crate) fn read_keys(jwks: &Value) -> Option<Vec<Value>> {
    let list = jwks.get("keys")?.as_array().filter(|list| (1..=KEYS_MAX).contains(&list.len()))?;
    let mut seen = BTreeSet::new();
    let mut keys = Vec::new();
    for value in list {
        let jwk =
            Jwk::from_value(value).ok().filter(|jwk| jwk.may_verify(jwk.key().alg().default_sign_alg()))?;
        if !seen.insert(jwk.thumbprint()) {
            return None;
        }
        let mut kept = jwk.to_value();
        // The names that its own JWTs use.
        for (name, text) in [("kid", jwk.stated_kid()), ("alg", jwk.stated_alg()), ("use", jwk.stated_use())]
        {
            if let Some(text) = text.filter(|text| text.len() <= 128) {
                kept[name] = text.into();
            }
        }
        keys.push(kept);
    }
    Some(keys)
}

/// The origin that a text is, in its one spelling.
pub(crate) fn origin_of(text: &str, is_dev: bool) -> Option<String> {
    let url = address_of(text, is_dev)?;
    Some(url.origin().ascii_serialization()).filter(|_| url.path() == "/" && url.query().is_none())
}

/// An address that we may send somebody to: https, or in development http on loopback; no user, no fragment.
fn address_of(text: &str, is_dev: bool) -> Option<Url> {
    let clean = text.len() <= ADDRESS_BYTES_MAX && !text.contains(['#', '\\', ' ', '*']) && is_line(text);
    let url = clean.then(|| Url::parse(text).ok()).flatten()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.host().is_some();
    let known = match url.scheme() {
        "https" => true,
        "http" => is_dev && is_loopback_http(&url) || is_loopback_address(&url),
        _ => false,
    };
    (plain && known).then_some(url)
}

/// `http` on this machine by name or address.
fn is_loopback_http(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && local
}

/// `http` on a loopback address (RFC 8252, 7.3): what native applications listen at.
fn is_loopback_address(url: &Url) -> bool {
    is_loopback_http(url) && !matches!(url.host(), Some(Host::Domain(_)))
}

fn is_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form {
            name: "Shop".to_owned(),
            origins: vec!["https://shop.example".to_owned()],
            redirect_uris: vec!["https://shop.example/cb".to_owned()],
            scopes: vec!["openid".to_owned(), "identity:age_verification".to_owned()],
            auth_method: Some("none".to_owned()),
            ..Form::default()
        }
    }

    fn faults(change: impl FnOnce(&mut Form)) -> Vec<String> {
        let mut form = form();
        change(&mut form);
        let faults = form.accept(false).err().unwrap_or_default();
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn a_form_gives_what_is_registered_and_reads_back() {
        let (metadata, keys) = form().accept(false).unwrap();
        assert_eq!(metadata.legal_name, "Shop");
        assert_eq!(metadata.scopes, ["identity:age_over_18", "openid"]);
        assert_eq!((metadata.service_proof.as_str(), metadata.origin_proof.as_str()), ("none", "fetch"));
        assert!(keys.is_empty() && metadata.require_par && metadata.require_pkce);
        assert_eq!(Metadata::from_text(&metadata.to_text()), Some(metadata));
    }

    #[test]
    fn an_address_that_is_not_under_an_origin_is_refused() {
        for uri in [
            "https://shop.example.evil/cb",
            "https://evil.example/cb",
            "http://shop.example/cb",
            "https://shop.example@evil.example/cb",
            "https://shop.example/cb#x",
            "https://shop.example:8443/cb",
            "https://*.shop.example/cb",
            "javascript:alert(1)",
            "/cb",
            "",
        ] {
            assert_eq!(
                faults(|form| form.redirect_uris = vec![uri.to_owned()]),
                ["/redirect_uris/0"],
                "{uri}"
            );
        }
    }

    #[test]
    fn an_origin_has_one_spelling() {
        for origin in [
            "https://shop.example/",
            "https://SHOP.example",
            "https://shop.example:443",
            "http://shop.example",
        ] {
            let found = faults(|form| form.origins = vec![origin.to_owned()]);
            assert!(found.contains(&"/origins/0".to_owned()), "{origin}: {found:?}");
        }
        assert_eq!(origin_of("http://localhost:4999", true).as_deref(), Some("http://localhost:4999"));
        assert_eq!(origin_of("http://localhost:4999", false), None);
    }

    #[test]
    fn what_weakens_a_request_needs_a_key_or_a_secret() {
        assert_eq!(faults(|form| form.require_pkce = Some(false)), ["/require_pkce"]);
        assert_eq!(faults(|form| form.profile = Some("fapi2".to_owned())), ["/profile"]);
        assert_eq!(
            faults(|form| form.auth_method = Some("private_key_jwt".to_owned())),
            ["/jwks", "/service_proof"]
        );
        assert_eq!(faults(|form| form.service_proof = Some("request_object".to_owned())), ["/service_proof"]);
        assert_eq!(faults(|form| form.auth_method = Some("tls_client_auth".to_owned())), ["/auth_method"]);
    }

    #[test]
    fn scopes_that_nobody_knows_are_refused_and_openid_must_be_there() {
        assert_eq!(faults(|form| form.scopes = vec!["identity:age_over_18".to_owned()]), ["/scopes"]);
        assert_eq!(faults(|form| form.scopes.push("identity:iris".to_owned())), ["/scopes/2"]);
        assert_eq!(faults(|form| form.scopes.push("email phone".to_owned())), ["/scopes/2"]);
    }
}
