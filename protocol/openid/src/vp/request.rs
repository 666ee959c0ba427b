//! The verifier's authorization request: a signed object behind a link (OpenID4VP 1.0, 5; RFC 9101).

use super::client_id::ClientId;
use super::client_metadata::ClientMetadata;
use crate::oauth::form;
use crypto::jose::jws::Draft;
use jiff::Timestamp;
use serde_json::{Value, json};

/// `typ` of a request object.
pub const REQUEST_TYP: &str = "oauth-authz-req+jwt";

/// Media type that the request door answers with.
pub const REQUEST_MEDIA_TYPE: &str = "application/oauth-authz-req+jwt";

/// Audience when the verifier does not know which wallet answers (OpenID4VP 1.0, 5.8).
pub const SELF_ISSUED: &str = "https://self-issued.me/v2";

/// Most bytes of a request object: a query of 32 KiB, certificates, keys.
pub const REQUEST_BYTES_MAX: usize = 128 * 1024;

/// Scheme that opens a wallet.
pub const REQUEST_SCHEME: &str = "openid4vp";

/// Most characters of a `wallet_nonce`; it travels back in the request object.
pub const WALLET_NONCE_CHARS_MAX: usize = 256;

/// How the answer comes back (OpenID4VP 1.0, 8.2 and 8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseMode {
    /// Encrypted, posted by the wallet.
    #[default]
    DirectPostJwt,
    /// In the clear inside TLS, posted by the wallet.
    DirectPost,
}

impl ResponseMode {
    /// Every mode that is served.
    pub const ALL: [ResponseMode; 2] = [ResponseMode::DirectPostJwt, ResponseMode::DirectPost];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ResponseMode::DirectPostJwt => "direct_post.jwt",
            ResponseMode::DirectPost => "direct_post",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<ResponseMode> {
        ResponseMode::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// How a wallet fetches the signed object (OpenID4VP 1.0, 5.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestUriMethod {
    /// As it was signed.
    #[default]
    Get,
    /// Signed for the wallet's nonce; a wallet that does not know this may still `GET`.
    Post,
}

impl RequestUriMethod {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RequestUriMethod::Get => "get",
            RequestUriMethod::Post => "post",
        }
    }
}

/// A request as the verifier makes it, once, when the session is made.
#[derive(Debug, Clone)]
pub struct RequestObject {
    /// Who asks.
    pub client_id: ClientId,
    /// Where the answer goes; carries a secret of the session.
    pub response_uri: String,
    /// Binds the answer's key bindings to this session; 32 random bytes, base64url.
    pub nonce: String,
    /// Binds the answer itself to this session; 16 random bytes, base64url.
    pub state: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// What is asked for; checked before by [`credential::dcql`].
    pub dcql_query: Value,
    /// How the answer comes back.
    pub response_mode: ResponseMode,
    /// How the answer is to be encrypted.
    pub client_metadata: ClientMetadata,
    /// What is to be authorised with it, each string as it is hashed (OpenID4VP 1.0, 8.4).
    pub transaction_data: Vec<String>,
    /// What others attest of us (OpenID4VP 1.0, 5.11).
    pub verifier_info: Vec<Value>,
    /// What a wallet sent to see that this object was made for it (OpenID4VP 1.0, 5.10).
    pub wallet_nonce: Option<String>,
}

impl RequestObject {
    /// The object to be signed; the signer adds `alg` and `x5c`, whose leaf must be the one `client_id` names. There is no
    /// `iss` and no `redirect_uri`.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let mut claims = self.parameters();
        claims["aud"] = json!(SELF_ISSUED);
        claims["iat"] = json!(self.issued_at.as_second());
        claims["exp"] = json!(self.expires_at.as_second());
        Draft::new(REQUEST_TYP, claims.to_string())
    }

    /// The parameters that a signed object and an open link have in common.
    fn parameters(&self) -> Value {
        let mut claims = json!({
            "client_id": self.client_id.to_string(),
            "response_type": "vp_token",
            "response_mode": self.response_mode.as_str(),
            "response_uri": self.response_uri,
            "nonce": self.nonce,
            "state": self.state,
            "dcql_query": self.dcql_query,
            "client_metadata": self.client_metadata.to_value(),
        });
        if !self.transaction_data.is_empty() {
            claims["transaction_data"] = json!(self.transaction_data);
        }
        if !self.verifier_info.is_empty() {
            claims["verifier_info"] = json!(self.verifier_info);
        }
        if let Some(nonce) = &self.wallet_nonce {
            claims["wallet_nonce"] = json!(nonce);
        }
        claims
    }

    /// The unsigned request as a link of its own (OpenID4VP 1.0, 5.7): structures travel as JSON texts.
    #[must_use]
    pub fn open_link(&self, scheme: &str) -> String {
        let parameters = self.parameters();
        let texts = parameters.as_object().into_iter().flatten().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.as_str(), text)
        });
        let texts: Vec<(&str, String)> = texts.collect();
        let pairs: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
        format!("{scheme}://?{}", form::encode(&pairs))
    }

    /// The link that opens a wallet of `scheme` and leads it to the signed object.
    #[must_use]
    pub fn link(client_id: &ClientId, request_uri: &str, method: RequestUriMethod, scheme: &str) -> String {
        let client_id = client_id.to_string();
        let mut fields = vec![("client_id", client_id.as_str()), ("request_uri", request_uri)];
        if method == RequestUriMethod::Post {
            fields.push(("request_uri_method", method.as_str()));
        }
        format!("{scheme}://?{}", form::encode(&fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::key::Ecdh;
    use serde_json::Map;

    fn request() -> RequestObject {
        RequestObject {
            client_id: ClientId::x509_hash(b"leaf"),
            response_uri: "https://v.example/t/a/vp/response/x".to_owned(),
            nonce: "n".to_owned(),
            state: "s".to_owned(),
            issued_at: Timestamp::from_second(1).unwrap(),
            expires_at: Timestamp::from_second(301).unwrap(),
            dcql_query: json!({"credentials": []}),
            client_metadata: ClientMetadata {
                response_key: Some(Ecdh::generate().public()),
                sd_jwt_algs: vec!["ES256"],
                kb_jwt_algs: vec!["ES256"],
            },
            response_mode: ResponseMode::DirectPostJwt,
            transaction_data: Vec::new(),
            verifier_info: Vec::new(),
            wallet_nonce: None,
        }
    }

    #[test]
    fn a_request_object_has_exactly_the_members_of_the_standard() {
        let draft = request().draft();
        assert_eq!(Value::Object(draft.header), json!({"typ": "oauth-authz-req+jwt"}));
        let claims: Map<String, Value> = serde_json::from_slice(&draft.payload).unwrap();
        let mut names: Vec<&str> = claims.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "aud",
                "client_id",
                "client_metadata",
                "dcql_query",
                "exp",
                "iat",
                "nonce",
                "response_mode",
                "response_type",
                "response_uri",
                "state"
            ]
        );
    }

    #[test]
    fn the_link_names_the_client_and_where_the_object_is() {
        let (id, get) = (request().client_id, RequestUriMethod::Get);
        let link = RequestObject::link(&id, "https://v.example/r", get, REQUEST_SCHEME);
        assert!(link.starts_with("openid4vp://?client_id=x509_hash%3A"), "{link}");
        assert!(link.ends_with("&request_uri=https%3A%2F%2Fv.example%2Fr"), "{link}");
    }

    #[test]
    fn what_is_set_on_demand_stands_in_the_object_and_in_an_open_link() {
        let mut asked = request();
        asked.client_id = ClientId::parse("redirect_uri:https://v.example/r").unwrap();
        asked.response_mode = ResponseMode::DirectPost;
        asked.client_metadata.response_key = None;
        asked.transaction_data = vec!["eyJ9".to_owned()];
        asked.verifier_info = vec![json!({"format": "jwt", "data": "e30.e30.AA"})];
        asked.wallet_nonce = Some("w".to_owned());
        let claims: Value = serde_json::from_slice(&asked.draft().payload).unwrap();
        assert_eq!(claims["response_mode"], "direct_post");
        assert_eq!(claims["transaction_data"], json!(["eyJ9"]));
        assert_eq!(
            (&claims["verifier_info"][0]["format"], &claims["wallet_nonce"]),
            (&json!("jwt"), &json!("w"))
        );
        assert!(claims["client_metadata"].get("jwks").is_none());
        let link = asked.open_link(REQUEST_SCHEME);
        let query = link.strip_prefix("openid4vp://?").unwrap();
        let read = form::Form::parse(query.as_bytes(), REQUEST_BYTES_MAX).unwrap();
        assert_eq!(read.get("client_id"), Some("redirect_uri:https://v.example/r"));
        assert_eq!(read.get("dcql_query"), Some("{\"credentials\":[]}"));
        assert_eq!((read.get("nonce"), read.get("exp")), (Some("n"), None));
    }
}
