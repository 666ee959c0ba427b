//! Signed objects in compact form (RFC 7515).
//!
//! ```text
//!   Draft ── signing_input ──▶ (signed elsewhere) ── assemble ──▶ text
//!   text ── Jws::parse ──▶ Jws ── verify(key) ──▶ trust payload() from here on
//! ```
//!
//! Start at [`Jws::parse`].

use serde_json::{Map, Value};

use super::{HeaderError, read_header, text, write_json};
use crate::base64;
use crate::json::Limits;
use crate::jwk::{Jwk, JwkError};
use crate::key::{BadSignature, PublicKey, SignAlg};

/// Most certificates in an `x5c` header: leaf, three intermediates and one to spare.
pub const X5C_MAX: usize = 5;

/// A signed object before it is signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The protected header. Whoever signs adds `alg`, and `kid` or `x5c` as the profile has it.
    pub header: Map<String, Value>,
    /// The payload, as it will be signed.
    pub payload: Vec<u8>,
}

impl Draft {
    /// A draft with `typ` alone in its header.
    pub fn new(typ: &str, payload: impl Into<Vec<u8>>) -> Self {
        let header = Map::from_iter([("typ".to_owned(), Value::from(typ))]);
        Self { header, payload: payload.into() }
    }

    /// The same with `alg` first in its header; an `alg` that was there is replaced.
    #[must_use]
    pub fn with_alg(mut self, alg: SignAlg) -> Self {
        self.header.shift_remove("alg");
        self.header.shift_insert(0, "alg".to_owned(), Value::from(alg.jws_name()));
        self
    }

    /// The same with one more member in its header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// The bytes to be signed: `BASE64URL(header) "." BASE64URL(payload)`. Members stand as they do in the map.
    pub fn signing_input(&self) -> String {
        format!("{}.{}", write_json(&self.header), base64::url_encode(&self.payload))
    }
}

/// The compact object of a signing input and the signature over it.
pub fn assemble(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", base64::url_encode(signature))
}

/// The `x5c` member of a chain, leaf first: standard base64 of DER (RFC 7515, 4.1.6).
pub fn x5c_value(chain: &[impl AsRef<[u8]>]) -> Value {
    chain.iter().map(|der| Value::from(base64::std_encode(der.as_ref()))).collect()
}

/// Why a text is no JWS of the house.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Longer than the limit.
    #[error("longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// Not three parts of canonical base64url.
    #[error("not three parts of canonical base64url")]
    Form,
    /// The header is not acceptable.
    #[error("header: {0}")]
    Header(#[from] HeaderError),
    /// `alg` is `none`, a MAC, or no signature algorithm of the house.
    #[error("an algorithm that is not accepted")]
    UnsupportedAlg,
    /// `x5c` is not a list of one to five certificates in standard base64.
    #[error("x5c is not a list of one to {X5C_MAX} certificates")]
    X5c,
    /// `jwk` is not an acceptable public key.
    #[error("jwk: {0}")]
    Jwk(#[from] JwkError),
}

/// A signed object whose form is sound. Nothing in it may be believed before [`Jws::verify`].
#[derive(Debug, Clone, PartialEq)]
pub struct Jws {
    signing_input: String,
    header: Map<String, Value>,
    alg: SignAlg,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Jws {
    /// Reads the compact form. `limits.bytes_max` bounds the whole text; the depth of a header is bounded by the
    /// smaller of `limits.depth_max` and 8.
    ///
    /// # Errors
    /// [`JwsError`]. `alg` must name a signature ([`SignAlg::from_jws_name`]); `crit`, `b64` and `zip` must be
    /// absent; `typ` and `kid`, if there, must be text.
    pub fn parse(compact: &str, limits: &Limits) -> Result<Self, JwsError> {
        if compact.len() > limits.bytes_max {
            return Err(JwsError::TooLong { max: limits.bytes_max });
        }
        let (signing_input, signature) = compact.rsplit_once('.').ok_or(JwsError::Form)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::Form)?;
        let header = read_header(header, limits)?;
        let name = text(&header, "alg")?.ok_or(HeaderError::Member { name: "alg" })?;
        let alg = SignAlg::from_jws_name(name).map_err(|_| JwsError::UnsupportedAlg)?;
        text(&header, "typ")?;
        text(&header, "kid")?;
        // A fourth part would leave a dot in the payload, which is no base64url character.
        let decode = |part| base64::url_decode(part).map_err(|_| JwsError::Form);
        Ok(Self {
            payload: decode(payload)?,
            signature: decode(signature)?,
            signing_input: signing_input.to_owned(),
            header,
            alg,
        })
    }

    /// The protected header.
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The algorithm the header names.
    pub fn alg(&self) -> SignAlg {
        self.alg
    }

    /// The `typ` of the header.
    pub fn typ(&self) -> Option<&str> {
        self.header.get("typ").and_then(Value::as_str)
    }

    /// The `kid` of the header: a hint for looking a key up, never a reason to trust it.
    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The text that was signed.
    pub fn signing_input(&self) -> &str {
        &self.signing_input
    }

    /// The signature bytes.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Checks the signature under a key that the caller trusts. The key decides: the header's algorithm must fit it.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        key.verify(self.alg, self.signing_input.as_bytes(), &self.signature)
    }

    /// As [`Jws::verify`], under a JWK whose stated `alg`, `use` and `key_ops` bind too.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify_jwk(&self, jwk: &Jwk) -> Result<(), BadSignature> {
        if jwk.may_verify(self.alg) { self.verify(jwk.key()) } else { Err(BadSignature) }
    }

    /// The certificates of the header, leaf first, as DER; no path is checked here.
    ///
    /// # Errors
    /// [`JwsError::X5c`] when the member is missing, empty, longer than [`X5C_MAX`], or not standard base64.
    pub fn x5c(&self) -> Result<Vec<Vec<u8>>, JwsError> {
        let items = self.header.get("x5c").and_then(Value::as_array).ok_or(JwsError::X5c)?;
        if items.is_empty() || items.len() > X5C_MAX {
            return Err(JwsError::X5c);
        }
        let decode = |item: &Value| base64::std_decode(item.as_str()?).ok().filter(|der| !der.is_empty());
        items.iter().map(decode).collect::<Option<_>>().ok_or(JwsError::X5c)
    }

    /// The public key of the header's `jwk`, for proofs of possession, where the key is not trusted but learnt.
    ///
    /// # Errors
    /// [`JwsError::Header`] when it is missing, [`JwsError::Jwk`] when it is not acceptable.
    pub fn jwk(&self) -> Result<Jwk, JwsError> {
        let value = self.header.get("jwk").ok_or(HeaderError::Member { name: "jwk" })?;
        Ok(Jwk::from_value(value)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::json::JsonRule;
    use crate::key::{KeyAlg, PrivateKey};

    const LIMITS: Limits = Limits { bytes_max: 16 * 1024, depth_max: 8 };

    fn signed(key: &PrivateKey, draft: Draft) -> String {
        let alg = key.alg().default_sign_alg();
        let input = draft.with_alg(alg).signing_input();
        assemble(&input, &key.sign(alg, input.as_bytes()).unwrap())
    }

    fn parts(header: &str, payload: &[u8]) -> String {
        format!("{}.{}.AAAA", base64::url_encode(header.as_bytes()), base64::url_encode(payload))
    }

    fn refused(header: &str) -> JwsError {
        Jws::parse(&parts(header, b"{}"), &LIMITS).unwrap_err()
    }

    #[test]
    fn what_each_kind_of_key_signs_verifies_under_it_alone() {
        for alg in [KeyAlg::P256, KeyAlg::P384, KeyAlg::Secp256k1, KeyAlg::Ed25519, KeyAlg::Rsa2048] {
            let key = PrivateKey::generate(alg);
            let text = signed(&key, Draft::new("test+jwt", *b"{\"a\":1}").with("kid", "k"));
            let jws = Jws::parse(&text, &LIMITS).unwrap();
            assert_eq!(
                (jws.typ(), jws.kid(), jws.payload()),
                (Some("test+jwt"), Some("k"), &b"{\"a\":1}"[..])
            );
            assert_eq!(jws.header().keys().next().unwrap(), "alg");
            jws.verify(&key.public()).unwrap();
            jws.verify_jwk(&Jwk::from_key(&key.public())).unwrap();
            assert_eq!(jws.verify(&PrivateKey::generate(KeyAlg::P256).public()), Err(BadSignature));
        }
    }

    #[test]
    fn alg_none_macs_and_unknown_algorithms_are_refused_before_any_key_is_asked() {
        for alg in
            ["none", "None", "nOnE", "HS256", "HS384", "HS512", "ES512", "RS1", "ML-DSA-44", "", "ES256 "]
        {
            assert_eq!(refused(&json!({"alg": alg}).to_string()), JwsError::UnsupportedAlg, "{alg}");
        }
        for header in ["{}", "{\"alg\":null}", "{\"alg\":[\"ES256\"]}", "{\"Alg\":\"ES256\"}"] {
            assert_eq!(refused(header), JwsError::Header(HeaderError::Member { name: "alg" }), "{header}");
        }
    }

    #[test]
    fn an_es256_header_over_a_p384_key_is_refused() {
        let key = PrivateKey::generate(KeyAlg::P384);
        let input = Draft::new("t", *b"x").with_alg(SignAlg::Es256).signing_input();
        let signature = key.sign(SignAlg::Es384, input.as_bytes()).unwrap();
        let jws = Jws::parse(&assemble(&input, &signature), &LIMITS).unwrap();
        assert_eq!(jws.verify(&key.public()), Err(BadSignature));
    }

    #[test]
    fn crit_b64_and_zip_are_refused_whatever_they_hold() {
        for name in ["crit", "b64", "zip"] {
            for content in ["[]", "null", "true", "[\"exp\"]", "\"DEF\""] {
                let header = format!("{{\"alg\":\"ES256\",\"{name}\":{content}}}");
                assert_eq!(refused(&header), JwsError::Header(HeaderError::Forbidden { name }));
            }
        }
    }

    #[test]
    fn a_header_member_that_stands_twice_is_refused() {
        let JwsError::Header(HeaderError::Json(error)) = refused(r#"{"alg":"ES256","alg":"none"}"#) else {
            panic!("another error");
        };
        assert_eq!((error.pointer.as_str(), error.rule), ("/alg", JsonRule::DuplicateMember));
        assert!(matches!(
            refused(r#"{"alg":"ES256","jwk":{"x":"a","x":"b"}}"#),
            JwsError::Header(HeaderError::Json(_))
        ));
    }

    #[test]
    fn loose_base64url_is_refused_in_each_part() {
        let key = PrivateKey::generate(KeyAlg::P256);
        let text = signed(&key, Draft::new("t", *b"ab"));
        assert!(Jws::parse(&text, &LIMITS).is_ok());
        let [header, payload, signature]: [&str; 3] = text.split('.').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(payload, "YWI");
        for loose in [
            format!("{header}=.{payload}.{signature}"),
            format!("{header}.{payload}=.{signature}"),
            format!("{header}.{payload}.{signature}=="),
            format!("{header}.YWJ.{signature}"),
            format!("{header}.{payload}\n.{signature}"),
            format!(" {text}"),
            format!("{text}."),
            format!("{text}.AAAA"),
            format!("{header}.{payload}"),
            header.to_owned(),
            String::new(),
            "..".to_owned(),
        ] {
            assert!(Jws::parse(&loose, &LIMITS).is_err(), "{loose}");
        }
        let last = signature.chars().last().unwrap();
        for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
            let changed = format!("{}{other}", &text[..text.len() - 1]);
            let verified = Jws::parse(&changed, &LIMITS).is_ok_and(|jws| jws.verify(&key.public()).is_ok());
            assert_eq!(verified, other == last, "one text alone carries the signature");
        }
    }

    #[test]
    fn json_serialisation_deep_headers_and_long_texts_are_refused() {
        assert!(Jws::parse(r#"{"payload":"e30","protected":"e30","signature":"AA"}"#, &LIMITS).is_err());
        let deep = format!("{{\"alg\":\"ES256\",\"x\":{}0{}}}", "[".repeat(20), "]".repeat(20));
        assert!(matches!(refused(&deep), JwsError::Header(HeaderError::Json(_))));
        let long = "a".repeat(LIMITS.bytes_max + 1);
        assert_eq!(Jws::parse(&long, &LIMITS), Err(JwsError::TooLong { max: LIMITS.bytes_max }));
        assert_eq!(refused("[]"), JwsError::Header(HeaderError::NotAnObject));
        let typ = r#"{"alg":"ES256","typ":7}"#;
        assert_eq!(refused(typ), JwsError::Header(HeaderError::Member { name: "typ" }));
    }

    #[test]
    fn x5c_is_one_to_five_certificates_in_standard_base64() {
        let with = |x5c: Value| {
            let header = json!({"alg": "ES256", "x5c": x5c}).to_string();
            Jws::parse(&parts(&header, b""), &LIMITS).unwrap().x5c()
        };
        assert_eq!(with(x5c_value(&[vec![0xfb, 0xff], vec![1]])), Ok(vec![vec![0xfb, 0xff], vec![1]]));
        for bad in [
            json!([]),
            json!(null),
            json!("AQ=="),
            json!([1]),
            json!(["AQ"]),
            json!(["-_8="]),
            json!(["AQ== "]),
            json!([""]),
            json!(["AQ==", "AQ==", "AQ==", "AQ==", "AQ==", "AQ=="]),
        ] {
            assert_eq!(with(bad), Err(JwsError::X5c));
        }
    }

    #[test]
    fn a_jwk_in_the_header_is_learnt_but_never_with_a_private_member() {
        let key = PrivateKey::generate(KeyAlg::P256);
        let mut jwk = Jwk::from_key(&key.public()).to_value();
        let text = signed(&key, Draft::new("dpop+jwt", *b"{}").with("jwk", jwk.clone()));
        let jws = Jws::parse(&text, &LIMITS).unwrap();
        jws.verify_jwk(&jws.jwk().unwrap()).unwrap();
        jwk["d"] = json!("AA");
        let text = signed(&key, Draft::new("dpop+jwt", *b"{}").with("jwk", jwk));
        let refused = Jws::parse(&text, &LIMITS).unwrap().jwk();
        assert_eq!(refused, Err(JwsError::Jwk(JwkError::PrivateMember { name: "d" })));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[A-Za-z0-9_.=-]{0,64}|.{0,32}") {
            let _ = Jws::parse(&text, &LIMITS);
        }

        #[test]
        fn no_header_panics(header in ".{0,64}", payload: Vec<u8>) {
            let _ = Jws::parse(&parts(&header, &payload), &LIMITS).map(|jws| (jws.x5c(), jws.jwk()));
        }
    }
}
