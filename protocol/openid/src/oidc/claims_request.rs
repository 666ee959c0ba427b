//! The `claims` parameter (OpenID Connect Core 1.0, 5.5), and the words that scopes are made of.

use super::acr::Acr;
use crate::wire;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most bytes of `claims`.
pub const CLAIMS_BYTES_MAX: usize = 8 * 1024;

/// Most claims in each of its two parts.
pub const CLAIMS_MAX: usize = 64;

/// What words mean to this provider; the vocabulary itself belongs to the sign-in protocol.
#[derive(Clone, Copy)]
pub struct Vocabulary<'a> {
    /// The atomic scopes of a word: itself, unless it names several.
    pub atoms: &'a dyn Fn(&str) -> Vec<String>,
    /// The atomic scope that carries a claim; `None` for a claim nobody here knows.
    pub scope_of_claim: &'a dyn Fn(&str) -> Option<String>,
}

/// What the parameter asks for, as far as it is understood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimsRequest {
    /// Names of claims asked for in userinfo.
    pub userinfo: Vec<String>,
    /// Names of claims asked for in the ID Token.
    pub id_token: Vec<String>,
    /// `claims.id_token.acr`: the values, and whether it is essential.
    pub acr: Option<AcrClaim>,
    /// `claims.id_token.sub.value` or `claims.userinfo.sub.value`: who alone may be signed in.
    pub sub: Option<String>,
}

/// How `acr` is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcrClaim {
    /// Values that are understood.
    pub values: Vec<Acr>,
    /// Whether values were named at all, understood or not.
    pub names_values: bool,
    /// Whether less is an error.
    pub is_essential: bool,
}

impl ClaimsRequest {
    /// Reads the parameter. What it does not know, it ignores (5.5).
    #[must_use]
    pub fn parse(text: &str) -> Option<ClaimsRequest> {
        match wire::json(text.as_bytes(), CLAIMS_BYTES_MAX) {
            Ok(value) => ClaimsRequest::of(&value),
            Err(_) => None,
        }
    }

    fn of(value: &Value) -> Option<ClaimsRequest> {
        let top = value.as_object()?;
        let part = |name: &str| match top.get(name) {
            None | Some(Value::Null) => Some(serde_json::Map::new()),
            Some(Value::Object(members)) if members.len() <= CLAIMS_MAX => Some(members.clone()),
            Some(_) => None,
        };
        let (userinfo, id_token) = (part("userinfo")?, part("id_token")?);
        let sub = [&id_token, &userinfo]
            .into_iter()
            .find_map(|members| wire::text(members.get("sub")?.get("value"), 256).map(str::to_owned));
        Some(ClaimsRequest {
            userinfo: userinfo.keys().cloned().collect(),
            acr: id_token.get("acr").map(acr_claim),
            id_token: id_token.keys().cloned().collect(),
            sub,
        })
    }

    /// The atomic scopes of every claim that is known.
    #[must_use]
    pub fn scopes(&self, vocabulary: &Vocabulary<'_>) -> Vec<String> {
        let names = self.userinfo.iter().chain(&self.id_token);
        names.filter_map(|name| (vocabulary.scope_of_claim)(name)).collect()
    }
}

fn acr_claim(asked: &Value) -> AcrClaim {
    let one = asked.get("value").into_iter();
    let several = asked.get("values").and_then(Value::as_array).into_iter().flatten();
    let named: Vec<&str> = one.chain(several).filter_map(Value::as_str).take(CLAIMS_MAX).collect();
    AcrClaim {
        values: named.iter().filter_map(|text| Acr::parse(text)).collect(),
        names_values: !named.is_empty(),
        is_essential: asked.get("essential").and_then(Value::as_bool).unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_parts_and_the_way_acr_is_asked_for_are_read() {
        let text = r#"{"userinfo":{"given_name":{"essential":true},"x":null},
            "id_token":{"birthdate":null,"acr":{"essential":true,"values":["phr","urn:else"]},"sub":{"value":"s-1"}}}"#;
        let asked = ClaimsRequest::parse(text).unwrap();
        assert_eq!(asked.userinfo, ["given_name", "x"]);
        assert_eq!(asked.id_token, ["birthdate", "acr", "sub"]);
        let acr = AcrClaim { values: vec![Acr::Phr], names_values: true, is_essential: true };
        assert_eq!((asked.acr, asked.sub.as_deref()), (Some(acr), Some("s-1")));
    }

    #[test]
    fn a_claims_parameter_of_another_shape_is_refused() {
        let many: serde_json::Map<String, Value> =
            (0..=CLAIMS_MAX).map(|n| (format!("c{n}"), Value::Null)).collect();
        let many = serde_json::json!({"userinfo": many}).to_string();
        for text in ["", "[]", "{", r#"{"userinfo":[]}"#, r#"{"id_token":1}"#, r#"{"a":1,"a":2}"#, &many] {
            assert_eq!(ClaimsRequest::parse(text), None, "{text}");
        }
        assert_eq!(ClaimsRequest::parse("{}"), Some(ClaimsRequest::default()));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[{}\\[\\]\":,a-z0-9]{0,60}") {
            let _ = ClaimsRequest::parse(&text);
        }
    }
}
