//! The authorization request (OpenID Connect Core 1.0, 3.1.2.1; RFC 9126): read from a form or a signed object, then judged.
//!
//! ```text
//! Form ─ Parameters::of_form ─┐
//! JAR  ─ RequestObject::verify ┴▶ Parameters ── judge(Client, Vocabulary) ──▶ CheckedRequest, or a RequestFault
//! ```
//! Unknown parameters are ignored; repeated ones never get here. Checks stand in the order in which a fault may be told: who asks
//! and where the browser goes come first, as nothing may be sent to an address that was not compared.

use super::acr::Acr;
use super::claims_request::{ClaimsRequest, Vocabulary};
use super::client::Client;
use super::redirect;
use crate::oauth::error::{ErrorCode, OauthError};
use crate::oauth::form::Form;
use crate::oauth::pkce::{self, CodeChallenge};
use crate::oauth::token::{SCOPE_BYTES_MAX, SCOPES_MAX};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most bytes of `state` and of `nonce`.
pub const ECHO_BYTES_MAX: usize = 1_024;

/// Most bytes of `login_hint` and of `ui_locales`.
pub const HINT_BYTES_MAX: usize = 1_024;

/// Most values of `acr_values`.
pub const ACR_VALUES_MAX: usize = 16;

/// Most seconds of `max_age`; more means nothing.
pub const MAX_AGE_S_MAX: u64 = 1 << 40;

/// `response_type` that is served.
pub const RESPONSE_TYPE: &str = "code";

/// The parameters that are understood; every other one is ignored.
pub const KNOWN: [&str; 18] = [
    "client_id",
    "response_type",
    "response_mode",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "acr_values",
    "claims",
    "ui_locales",
    "registration",
];

/// Parameters of a request, by name, unjudged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<&'static str, String>);

/// A request that passed every check; what the provider must remember until it answers and until the code is redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckedRequest {
    /// The relying party.
    pub client_id: String,
    /// Where the browser goes; registered.
    pub redirect_uri: String,
    /// Atomic scopes, sorted, each registered; `openid` among them.
    pub scopes: Vec<String>,
    /// Given back unchanged.
    pub state: Option<String>,
    /// Stands in the ID Token unchanged.
    pub nonce: Option<String>,
    /// `code_challenge`.
    pub code_challenge: Option<String>,
    /// The DPoP key that may redeem the code.
    pub dpop_jkt: Option<String>,
    /// Whether `prompt=none`: no page may be shown.
    pub is_silent: bool,
    /// Whether an earlier sign-in must not answer: `prompt` asks for a new one.
    pub wants_new: bool,
    /// Oldest that an earlier sign-in may be, in seconds.
    pub max_age_s: Option<u64>,
    /// Who probably signs in.
    pub login_hint: Option<String>,
    /// An ID Token of ours that names who must sign in; unverified.
    pub id_token_hint: Option<String>,
    /// The least `acr` that is asked for.
    pub acr: Acr,
    /// Whether less is an error.
    pub acr_is_essential: bool,
    /// What the `claims` parameter asked for.
    pub claims: ClaimsRequest,
    /// Languages, most wanted first.
    pub ui_locales: Vec<String>,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct RequestFault {
    /// What the relying party is told.
    pub error: OauthError,
    /// Where that may be said through the browser: none while the redirect URI was not compared.
    pub redirect: Option<Redirect>,
    /// What was asked for beyond the registration, in words of the request: for the event.
    pub overreach: Vec<String>,
}

/// Where an answer through the browser goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Registered.
    pub uri: String,
    /// Given back, if it is within its bound.
    pub state: Option<String>,
}

impl Parameters {
    /// The parameters of a form or a query.
    #[must_use]
    pub fn of_form(form: &Form) -> Parameters {
        let there = KNOWN.into_iter().filter_map(|name| Some((name, form.get(name)?.to_owned())));
        Parameters(there.collect())
    }

    /// Parameters by name; unknown ones are ignored.
    #[must_use]
    pub fn of_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Parameters {
        let known = |name: &str| KNOWN.into_iter().find(|known| *known == name);
        let there = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        Parameters(there.filter_map(|(name, value)| Some((known(&name)?, value))).collect())
    }

    /// A parameter that came with a value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether every parameter that stands here says the same in `object`: beside a signed request, nothing may say otherwise
    /// (RFC 9101, 6.3 takes the object alone; saying two things is an attack or a defect, so it is refused).
    #[must_use]
    pub fn agree_with(&self, object: &Parameters) -> bool {
        self.0.iter().all(|(name, value)| object.0.get(name) == Some(value))
    }

    /// Every check of a request.
    ///
    /// # Errors
    /// [`RequestFault`].
    pub fn judge(
        &self,
        client: &Client,
        vocabulary: &Vocabulary<'_>,
    ) -> Result<CheckedRequest, RequestFault> {
        let redirect = self.redirect(client)?;
        self.judge_rest(client, vocabulary, &redirect.uri).map_err(|(error, overreach)| RequestFault {
            error,
            redirect: Some(redirect),
            overreach,
        })
    }

    /// Who asks, and where the answer goes. Of everything that may be wrong here the browser's owner alone is told.
    fn redirect(&self, client: &Client) -> Result<Redirect, RequestFault> {
        let refuse = |description| RequestFault {
            error: OauthError::invalid_request(description),
            redirect: None,
            overreach: Vec::new(),
        };
        if self.get("client_id").is_some_and(|id| id != client.client_id) {
            return Err(refuse("client_id is another client's"));
        }
        let uri = self.get("redirect_uri").ok_or_else(|| refuse("redirect_uri is missing"))?;
        if !redirect::is_registered(client, uri) {
            return Err(refuse("redirect_uri is not registered for this client"));
        }
        let state = self.get("state").filter(|state| state.len() <= ECHO_BYTES_MAX).map(str::to_owned);
        Ok(Redirect { uri: uri.to_owned(), state })
    }

    fn judge_rest(
        &self,
        client: &Client,
        vocabulary: &Vocabulary<'_>,
        redirect_uri: &str,
    ) -> Result<CheckedRequest, (OauthError, Vec<String>)> {
        self.form_of_answer().map_err(plain)?;
        let claims = self.claims().map_err(plain)?;
        let scopes = self.scopes(client, vocabulary, &claims)?;
        let code_challenge = self.code_challenge(client).map_err(plain)?;
        let (is_silent, wants_new) = self.prompt().map_err(plain)?;
        let (acr, acr_is_essential) = self.acr(client, &claims).map_err(plain)?;
        let (max_age_s, dpop_jkt) = (self.max_age().map_err(plain)?, self.dpop_jkt().map_err(plain)?);
        let bounded = |name, max| self.bounded(name, max).map_err(plain);
        Ok(CheckedRequest {
            client_id: client.client_id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            scopes,
            state: bounded("state", ECHO_BYTES_MAX)?,
            nonce: bounded("nonce", ECHO_BYTES_MAX)?,
            code_challenge,
            dpop_jkt,
            is_silent,
            wants_new,
            max_age_s,
            login_hint: bounded("login_hint", HINT_BYTES_MAX)?,
            id_token_hint: bounded("id_token_hint", crate::oauth::access_token::TOKEN_BYTES_MAX)?,
            acr,
            acr_is_essential,
            claims,
            ui_locales: languages(bounded("ui_locales", HINT_BYTES_MAX)?.as_deref().unwrap_or_default()),
        })
    }

    fn form_of_answer(&self) -> Result<(), OauthError> {
        match self.get("response_type") {
            Some(RESPONSE_TYPE) => {}
            None => return Err(OauthError::invalid_request("response_type is missing")),
            Some(_) => {
                let text = "response_type code alone is served";
                return Err(OauthError::of(ErrorCode::UnsupportedResponseType, text));
            }
        }
        if self.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(OauthError::invalid_request("response_mode query alone is served"));
        }
        if self.get("registration").is_some() {
            return Err(OauthError::of(ErrorCode::RegistrationNotSupported, "registration is not served"));
        }
        Ok(())
    }

    fn claims(&self) -> Result<ClaimsRequest, OauthError> {
        let Some(text) = self.get("claims") else { return Ok(ClaimsRequest::default()) };
        ClaimsRequest::parse(text).ok_or_else(|| OauthError::invalid_request("claims cannot be read"))
    }

    /// Every word of `scope`, and every known claim's scope, must be registered.
    fn scopes(
        &self,
        client: &Client,
        vocabulary: &Vocabulary<'_>,
        claims: &ClaimsRequest,
    ) -> Result<Vec<String>, (OauthError, Vec<String>)> {
        let refuse = |text, beyond| (OauthError::of(ErrorCode::InvalidScope, text), beyond);
        let text = self.get("scope").unwrap_or_default();
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        if text.len() > SCOPE_BYTES_MAX || words.len() > SCOPES_MAX {
            return Err(refuse("scope is too long", Vec::new()));
        }
        let allowed: BTreeSet<String> = client
            .scopes
            .iter()
            .flat_map(|word| (vocabulary.atoms)(word))
            .chain(client.scopes.iter().cloned())
            .collect();
        let mut asked: BTreeSet<String> = words.iter().flat_map(|word| (vocabulary.atoms)(word)).collect();
        asked.extend(claims.scopes(vocabulary));
        let beyond: Vec<String> = asked.difference(&allowed).cloned().collect();
        if !beyond.is_empty() {
            return Err(refuse("a scope that is not registered for this client was asked for", beyond));
        }
        if !asked.contains("openid") {
            return Err(refuse("scope openid is missing", Vec::new()));
        }
        Ok(asked.into_iter().collect())
    }

    /// RFC 7636, S256 alone: a method that is missing means `plain` there.
    fn code_challenge(&self, client: &Client) -> Result<Option<String>, OauthError> {
        let Some(text) = self.get("code_challenge") else {
            let method_alone = self.get("code_challenge_method").is_some();
            return if client.needs_pkce() || method_alone {
                Err(OauthError::invalid_request("code_challenge is missing"))
            } else {
                Ok(None)
            };
        };
        if self.get("code_challenge_method") != Some(pkce::S256) {
            return Err(OauthError::invalid_request("code_challenge_method must be S256"));
        }
        let challenge = CodeChallenge::parse(text);
        let challenge =
            challenge.ok_or_else(|| OauthError::invalid_request("code_challenge is no SHA-256"))?;
        Ok(Some(challenge.to_text()))
    }

    /// Whether no page may be shown, and whether an earlier sign-in must not answer.
    fn prompt(&self) -> Result<(bool, bool), OauthError> {
        let words: Vec<&str> =
            self.get("prompt").unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
        let known = |word: &&str| ["none", "login", "consent", "select_account"].contains(word);
        let is_silent = words.contains(&"none");
        if !words.iter().all(known) || is_silent && words.len() > 1 {
            return Err(OauthError::invalid_request("prompt is not a list of its known values"));
        }
        Ok((is_silent, !words.is_empty() && !is_silent))
    }

    /// The least `acr` and whether it is essential. What the relying party is registered with binds, and no request lowers it.
    fn acr(&self, client: &Client, claims: &ClaimsRequest) -> Result<(Acr, bool), OauthError> {
        let unmet = || {
            OauthError::of(ErrorCode::UnmetAuthenticationRequirements, "no acr that is asked for is served")
        };
        let asked = claims.acr.as_ref();
        let essential = match asked.filter(|claim| claim.is_essential && claim.names_values) {
            Some(claim) => Some(claim.values.iter().min().copied().ok_or_else(unmet)?),
            None => None,
        };
        if let Some(floor) = essential.max(client.acr_min) {
            return Ok((floor, true));
        }
        let by_claim = asked.and_then(|claim| claim.values.first().copied());
        let by_values =
            self.get("acr_values").and_then(|text| text.split(' ').take(ACR_VALUES_MAX).find_map(Acr::parse));
        Ok((by_claim.or(by_values).unwrap_or(Acr::Code), false))
    }

    fn max_age(&self) -> Result<Option<u64>, OauthError> {
        let Some(text) = self.get("max_age") else { return Ok(None) };
        let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds <= MAX_AGE_S_MAX);
        seconds.map(Some).ok_or_else(|| OauthError::invalid_request("max_age is no number of seconds"))
    }

    /// RFC 9449, 10: a thumbprint.
    fn dpop_jkt(&self) -> Result<Option<String>, OauthError> {
        let Some(text) = self.get("dpop_jkt") else { return Ok(None) };
        let is_thumbprint = crypto::base64::url_decode(text).is_ok_and(|bytes| bytes.len() == 32);
        if is_thumbprint {
            Ok(Some(text.to_owned()))
        } else {
            Err(OauthError::invalid_request("dpop_jkt is no thumbprint"))
        }
    }

    fn bounded(&self, name: &'static str, bytes_max: usize) -> Result<Option<String>, OauthError> {
        match self.get(name) {
            Some(text) if text.len() > bytes_max => {
                Err(OauthError::invalid_request("a parameter is too long"))
            }
            text => Ok(text.map(str::to_owned)),
        }
    }
}

fn plain(error: OauthError) -> (OauthError, Vec<String>) {
    (error, Vec::new())
}

/// Language tags that are letters, digits and hyphens; what else stands there is ignored.
fn languages(text: &str) -> Vec<String> {
    let is_tag =
        |tag: &&str| !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    text.split(' ').filter(is_tag).take(ACR_VALUES_MAX).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::client::AuthMethod;
    use super::*;
    use crate::oauth::form::{FORM_BYTES_MAX, encode};
    use proptest::prelude::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn client() -> Client {
        Client {
            client_id: "rp_shop".to_owned(),
            redirect_uris: vec!["https://shop.example/cb".to_owned()],
            is_native: false,
            scopes: ["openid", "offline_access", "identity:basic"].map(str::to_owned).to_vec(),
            auth_method: AuthMethod::PrivateKeyJwt,
            require_par: true,
            require_pkce: true,
            acr_min: None,
        }
    }

    fn fields() -> Vec<(&'static str, &'static str)> {
        vec![
            ("client_id", "rp_shop"),
            ("response_type", "code"),
            ("redirect_uri", "https://shop.example/cb"),
            ("scope", "openid identity:basic"),
            ("state", "s"),
            ("nonce", "n"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("something_else", "ignored"),
        ]
    }

    fn with(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
        let mut all = fields();
        all.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        all.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        all
    }

    fn judge(client: &Client, fields: &[(&str, &str)]) -> Result<CheckedRequest, RequestFault> {
        let atoms = |word: &str| match word {
            "identity:basic" => vec!["identity:given_name".to_owned(), "identity:family_name".to_owned()],
            _ => vec![word.to_owned()],
        };
        let scope_of_claim = |claim: &str| match claim {
            "given_name" => Some("identity:given_name".to_owned()),
            "birthdate" => Some("identity:date_of_birth".to_owned()),
            _ => None,
        };
        let form = Form::parse(encode(fields).as_bytes(), FORM_BYTES_MAX).unwrap();
        Parameters::of_form(&form)
            .judge(client, &Vocabulary { atoms: &atoms, scope_of_claim: &scope_of_claim })
    }

    fn code(client: &Client, changes: &[(&'static str, &'static str)]) -> ErrorCode {
        judge(client, &with(changes)).unwrap_err().error.error
    }

    #[test]
    fn a_good_request_is_kept_with_its_scopes_atomic_and_sorted() {
        let checked = judge(&client(), &fields()).unwrap();
        assert_eq!(checked.scopes, ["identity:family_name", "identity:given_name", "openid"]);
        assert_eq!((checked.acr, checked.acr_is_essential), (Acr::Code, false));
        assert_eq!(checked.code_challenge.as_deref(), Some(CHALLENGE));
        let text = serde_json::to_string(&checked).unwrap();
        assert_eq!(serde_json::from_str::<CheckedRequest>(&text).unwrap(), checked);
    }

    #[test]
    fn a_scope_or_claim_beyond_the_registration_is_refused_and_named() {
        for changes in [
            [("scope", "openid identity:photo")],
            [("scope", "openid made:up")],
            [("claims", r#"{"userinfo":{"birthdate":null}}"#)],
            [("claims", r#"{"id_token":{"birthdate":{"essential":true}}}"#)],
        ] {
            let fault = judge(&client(), &with(&changes)).unwrap_err();
            assert_eq!(fault.error.error, ErrorCode::InvalidScope);
            assert_eq!(fault.overreach.len(), 1, "{changes:?}");
        }
        let claim = [("scope", "openid"), ("claims", r#"{"userinfo":{"given_name":null,"unknown":null}}"#)];
        assert_eq!(judge(&client(), &with(&claim)).unwrap().scopes, ["identity:given_name", "openid"]);
        for scope in ["", "identity:basic"] {
            let mut fields = with(&[("scope", "")]);
            fields.extend((!scope.is_empty()).then_some(("scope", scope)));
            assert_eq!(judge(&client(), &fields).unwrap_err().error.error, ErrorCode::InvalidScope);
        }
    }

    #[test]
    fn nobody_is_sent_to_an_address_that_was_not_compared() {
        for changes in [
            [("redirect_uri", "https://shop.example/cb/")],
            [("redirect_uri", "https://evil.example/cb")],
            [("redirect_uri", "")],
            [("client_id", "rp_other")],
        ] {
            let fault = judge(&client(), &with(&changes)).unwrap_err();
            assert_eq!((fault.error.error, fault.redirect), (ErrorCode::InvalidRequest, None));
        }
        let later = judge(&client(), &with(&[("scope", "openid x")])).unwrap_err().redirect.unwrap();
        assert_eq!((later.uri.as_str(), later.state.as_deref()), ("https://shop.example/cb", Some("s")));
    }

    #[test]
    fn a_challenge_that_is_missing_plain_or_malformed_is_refused() {
        let shop = client();
        assert_eq!(
            code(&shop, &[("code_challenge", ""), ("code_challenge_method", "")]),
            ErrorCode::InvalidRequest
        );
        for changes in [
            [("code_challenge_method", "plain")],
            [("code_challenge_method", "")],
            [("code_challenge", "short")],
            [("code_challenge", "")],
        ] {
            assert_eq!(code(&shop, &changes), ErrorCode::InvalidRequest, "{changes:?}");
        }
        let old = Client { require_pkce: false, ..client() };
        let without = with(&[("code_challenge", ""), ("code_challenge_method", "")]);
        assert_eq!(judge(&old, &without).unwrap().code_challenge, None);
        let public = Client { auth_method: AuthMethod::None, ..old };
        assert!(judge(&public, &without).is_err());
    }

    #[test]
    fn what_is_not_served_is_refused_by_the_code_of_the_standard() {
        let shop = client();
        for (name, value, expected) in [
            ("response_type", "token", ErrorCode::UnsupportedResponseType),
            ("response_type", "code id_token", ErrorCode::UnsupportedResponseType),
            ("response_type", "", ErrorCode::InvalidRequest),
            ("response_mode", "fragment", ErrorCode::InvalidRequest),
            ("registration", "{}", ErrorCode::RegistrationNotSupported),
            ("prompt", "none login", ErrorCode::InvalidRequest),
            ("prompt", "create", ErrorCode::InvalidRequest),
            ("max_age", "-1", ErrorCode::InvalidRequest),
            ("max_age", "soon", ErrorCode::InvalidRequest),
            ("dpop_jkt", "x", ErrorCode::InvalidRequest),
            ("claims", "x", ErrorCode::InvalidRequest),
        ] {
            assert_eq!(code(&shop, &[(name, value)]), expected, "{name}={value}");
        }
    }

    #[test]
    fn state_and_nonce_are_bounded_and_an_overlong_state_is_not_given_back() {
        let long: &'static str = Box::leak("x".repeat(ECHO_BYTES_MAX + 1).into_boxed_str());
        for name in ["state", "nonce", "login_hint"] {
            let fault = judge(&client(), &with(&[(name, long)])).unwrap_err();
            assert_eq!(fault.error.error, ErrorCode::InvalidRequest);
            assert!(name != "state" || fault.redirect.unwrap().state.is_none());
        }
        assert!(judge(&client(), &with(&[("state", &long[1..])])).is_ok());
    }

    #[test]
    fn no_request_lowers_the_acr_that_its_relying_party_is_registered_with() {
        let strict = Client { acr_min: Some(Acr::Phr), ..client() };
        let asked = |client: &Client, changes: &[(&'static str, &'static str)]| {
            let checked = judge(client, &with(changes)).unwrap();
            (checked.acr, checked.acr_is_essential)
        };
        assert_eq!(asked(&strict, &[("acr_values", "seal:code")]), (Acr::Phr, true));
        let essential = r#"{"id_token":{"acr":{"essential":true,"values":["phrh","phr"]}}}"#;
        assert_eq!(asked(&client(), &[("claims", essential)]), (Acr::Phr, true));
        let higher = r#"{"id_token":{"acr":{"essential":true,"value":"phrh"}}}"#;
        assert_eq!(asked(&strict, &[("claims", higher)]), (Acr::Phrh, true));
        assert_eq!(asked(&client(), &[("acr_values", "urn:else phrh phr")]), (Acr::Phrh, false));
        assert_eq!(asked(&client(), &[("claims", r#"{"id_token":{"acr":null}}"#)]), (Acr::Code, false));
        let unknown = r#"{"id_token":{"acr":{"essential":true,"value":"urn:else"}}}"#;
        assert_eq!(code(&client(), &[("claims", unknown)]), ErrorCode::UnmetAuthenticationRequirements);
    }

    #[test]
    fn beside_a_signed_request_nothing_may_say_otherwise() {
        let of = |pairs: &[(&str, &str)]| {
            Parameters::of_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        };
        let object = of(&[("scope", "openid"), ("state", "s")]);
        assert!(of(&[("scope", "openid")]).agree_with(&object));
        assert!(!of(&[("scope", "openid email")]).agree_with(&object));
        assert!(!of(&[("nonce", "n")]).agree_with(&object));
    }

    proptest! {
        #[test]
        fn no_parameters_make_the_judge_panic_and_what_passes_is_registered(
            values in proptest::collection::vec((0..KNOWN.len(), "[ -~]{0,40}"), 0..12)
        ) {
            let mut pairs: Vec<(String, String)> = fields().into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            pairs.extend(values.into_iter().map(|(at, value)| (KNOWN[at].to_owned(), value)));
            let atoms = |word: &str| vec![word.to_owned()];
            let vocabulary = Vocabulary { atoms: &atoms, scope_of_claim: &|_| None };
            if let Ok(checked) = Parameters::of_pairs(pairs).judge(&client(), &vocabulary) {
                prop_assert!(client().redirect_uris.contains(&checked.redirect_uri));
                prop_assert!(checked.scopes.iter().all(|scope| client().scopes.contains(scope)));
            }
        }
    }
}
