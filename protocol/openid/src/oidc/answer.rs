//! The answer through the browser (RFC 6749, 4.1.2; RFC 9207): a code or an error, with `state` and always with `iss`.

use super::request::Redirect;
use crate::oauth::error::{ErrorCode, OauthError};
use url::Url;

/// Where the browser is sent at the end. `Debug` does not show the code.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationAnswer {
    redirect: Redirect,
    issuer: String,
    outcome: Outcome,
}

#[derive(Clone, PartialEq, Eq)]
enum Outcome {
    Code(String),
    Error { code: ErrorCode, description: &'static str },
}

impl AuthorizationAnswer {
    /// Somebody signed in.
    #[must_use]
    pub fn code(redirect: Redirect, issuer: &str, code: String) -> AuthorizationAnswer {
        AuthorizationAnswer { redirect, issuer: issuer.to_owned(), outcome: Outcome::Code(code) }
    }

    /// Nobody did.
    #[must_use]
    pub fn error(redirect: Redirect, issuer: &str, error: &OauthError) -> AuthorizationAnswer {
        let outcome = Outcome::Error { code: error.error, description: error.description };
        AuthorizationAnswer { redirect, issuer: issuer.to_owned(), outcome }
    }

    /// The address, with the answer behind whatever query was registered (RFC 6749, 3.1.2).
    #[must_use]
    pub fn location(&self) -> String {
        let mut fields: Vec<(&str, &str)> = match &self.outcome {
            Outcome::Code(code) => vec![("code", code)],
            Outcome::Error { code, description } => {
                vec![("error", code.as_str()), ("error_description", *description)]
            }
        };
        fields.extend(self.redirect.state.as_deref().map(|state| ("state", state)));
        fields.push(("iss", &self.issuer));
        let query = crate::oauth::form::encode(&fields);
        let join = match Url::parse(&self.redirect.uri).ok().and_then(|url| url.query().map(str::is_empty)) {
            None => "?",
            Some(true) => "",
            Some(false) => "&",
        };
        format!("{}{join}{query}", self.redirect.uri)
    }
}

impl std::fmt::Debug for AuthorizationAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorizationAnswer").field("redirect", &self.redirect.uri).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.example/t/default/idp";

    fn redirect(uri: &str, state: Option<&str>) -> Redirect {
        Redirect { uri: uri.to_owned(), state: state.map(str::to_owned) }
    }

    #[test]
    fn every_answer_carries_the_issuer_and_the_state_as_it_came() {
        let answer =
            AuthorizationAnswer::code(redirect("https://a/cb", Some("a&b=é")), ISSUER, "c".to_owned());
        assert_eq!(
            answer.location(),
            "https://a/cb?code=c&state=a%26b%3D%C3%A9&iss=https%3A%2F%2Fidp.example%2Ft%2Fdefault%2Fidp"
        );
        assert!(!format!("{answer:?}").contains("code=c"));
        let error = OauthError::of(ErrorCode::AccessDenied, "no");
        let answer = AuthorizationAnswer::error(redirect("https://a/cb?x=1", None), ISSUER, &error);
        assert!(
            answer.location().starts_with("https://a/cb?x=1&error=access_denied&error_description=no&iss=")
        );
        let bare = AuthorizationAnswer::error(redirect("https://a/cb?", None), ISSUER, &error);
        assert!(bare.location().starts_with("https://a/cb?error="));
    }
}
