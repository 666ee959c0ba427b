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

/// Response mode of this build: the answer encrypted, posted by the wallet.
pub const DIRECT_POST_JWT: &str = "direct_post.jwt";

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
    /// How the answer is to be encrypted.
    pub client_metadata: ClientMetadata,
}

impl RequestObject {
    /// The object to be signed; the signer adds `alg` and `x5c`, whose leaf must be the one `client_id` names. There is no
    /// `iss` and no `redirect_uri`.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let claims = json!({
            "client_id": self.client_id.to_string(),
            "aud": SELF_ISSUED,
            "response_type": "vp_token",
            "response_mode": DIRECT_POST_JWT,
            "response_uri": self.response_uri,
            "nonce": self.nonce,
            "state": self.state,
            "iat": self.issued_at.as_second(),
            "exp": self.expires_at.as_second(),
            "dcql_query": self.dcql_query,
            "client_metadata": self.client_metadata.to_value(),
        });
        Draft::new(REQUEST_TYP, claims.to_string())
    }

    /// The link that opens a wallet of `scheme` and leads it to the signed object.
    #[must_use]
    pub fn link(client_id: &ClientId, request_uri: &str, scheme: &str) -> String {
        let query = form::encode(&[("client_id", &client_id.to_string()), ("request_uri", request_uri)]);
        format!("{scheme}://?{query}")
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
                response_key: Ecdh::generate().public(),
                sd_jwt_algs: vec!["ES256"],
                kb_jwt_algs: vec!["ES256"],
            },
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
        let link = RequestObject::link(&request().client_id, "https://v.example/r", REQUEST_SCHEME);
        assert!(link.starts_with("openid4vp://?client_id=x509_hash%3A"), "{link}");
        assert!(link.ends_with("&request_uri=https%3A%2F%2Fv.example%2Fr"), "{link}");
    }
}
