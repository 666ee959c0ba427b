//! What somebody asks to have signed over HTTP: from the request's form to the bytes that are signed.
//!
//! ```text
//! Form ── accept ──▶ Order { container, profile, payload, … } ── draft(kid, chain) ──▶ Drafted { to_be_signed } ── finish(signature) ──▶ text
//! ```
//!
//! Invariants, by absence: no member takes a digest, no header member says which key verifies, and the payload is hashed by the
//! keeper, never by the caller. Pure.

use crypto::base64;
use crypto::cbor;
use crypto::cose::{self, Sign1Draft};
use crypto::jose::jws::{self, Draft};
use crypto::key::{KeyAlg, SignAlg};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::usage::{self, Container};

/// Bytes of one payload: credentials and messages are far smaller, and the keeper hashes it on the runtime.
pub const PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// Items of one batch: one event, one answer within a second for the slowest algorithm.
pub const ITEMS_MAX: usize = 256;
/// Bytes of the caller's header members, as they must fit the headers of whoever transports the JWS.
pub const HEADER_BYTES_MAX: usize = 4 * 1024;
/// Bytes of external data of a COSE_Sign1; it is hashed like the payload.
pub const AAD_BYTES_MAX: usize = 16 * 1024;

/// Header members that choose a key, change what is signed, or are ours to write.
const HEADERS_REFUSED: [&str; 13] =
    ["alg", "kid", "typ", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip", "enc"];

/// One thing to sign, as it arrived. `format` decides which of the members it may have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SignOrder")]
pub struct Form {
    /// `jws` or `cose_sign1`.
    pub format: String,
    /// JWS: the `typ` of its header, which the key's uses must cover.
    #[serde(default)]
    pub typ: Option<String>,
    /// COSE: the content type, which the key's uses must cover.
    #[serde(default)]
    pub content_type: Option<String>,
    /// JWS: an object, signed as compact JSON with its members in this order.
    #[serde(default)]
    pub payload: Option<Value>,
    /// The payload's bytes, base64url without padding.
    #[serde(default)]
    pub payload_b64: Option<String>,
    /// The algorithm, where the key has several.
    #[serde(default)]
    pub alg: Option<String>,
    /// JWS: further protected members.
    #[serde(default)]
    pub header: Option<Map<String, Value>>,
    /// JWS: put the key's certificates into the header.
    #[serde(default)]
    pub x5c: Option<bool>,
    /// Leave the payload out of what is answered.
    #[serde(default)]
    pub detached: Option<bool>,
    /// COSE: bytes that are signed but not carried, base64url without padding.
    #[serde(default)]
    pub external_aad_b64: Option<String>,
    /// COSE: begin with tag 18; true unless told.
    #[serde(default)]
    pub tagged: Option<bool>,
}

/// Why a thing is not signed. Nothing was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderRefusal {
    /// It asks for a signature over a digest.
    #[error("this door signs messages, which it hashes itself; it signs no digest")]
    RawDigest,
    /// A header member that only the signer writes, or that would choose another key.
    #[error("the header member {name} cannot be given")]
    Header {
        /// Which.
        name: String,
    },
    /// The payload is too large.
    #[error("a payload has at most {PAYLOAD_BYTES_MAX} bytes")]
    TooLarge,
    /// The key does not sign so.
    #[error("a {key} key does not sign that way in this container")]
    Alg {
        /// What the key is.
        key: KeyAlg,
    },
    /// The key is not for this.
    #[error("the uses of the key do not cover this")]
    Use,
    /// A member is missing, out of place or malformed.
    #[error("{pointer} {rule}")]
    Member {
        /// JSON pointer within the item.
        pointer: &'static str,
        /// Its rule.
        rule: &'static str,
    },
}

/// One thing to sign, checked as far as it can be without its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    what: What,
    payload: Vec<u8>,
    alg: Option<String>,
    detached: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Jws { typ: String, header: Map<String, Value>, x5c: bool },
    Cose { content_type: String, external_aad: Vec<u8>, tagged: bool },
}

/// An order with its key: what is signed, and what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Drafted {
    /// How it is signed.
    pub alg: SignAlg,
    /// The algorithm's name in the answer.
    pub alg_name: &'static str,
    /// The whole message; the keeper hashes it.
    pub to_be_signed: Vec<u8>,
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Jws { signing_input: String, detached: bool },
    Cose(Sign1Draft),
}

/// What is answered for one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A compact JWS.
    Jws(String),
    /// A COSE_Sign1.
    Cose(Vec<u8>),
}

/// What the key brings into a draft.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// What the key is.
    pub key: KeyAlg,
    /// The container of its uses.
    pub container: Container,
    /// The `kid` of its version.
    pub kid: &'a str,
    /// Its certificates, leaf first.
    pub chain: Option<&'a [Vec<u8>]>,
}

/// Whether an item asks for a signature over a digest, in any spelling that other signers take.
pub fn asks_for_digest(item: &Value) -> bool {
    let named = |name: &str| item.get(name).is_some();
    let format = item.get("format").and_then(Value::as_str);
    ["digest", "hash", "digest_b64", "hash_b64", "prehashed", "hash_algorithm"].into_iter().any(named)
        || format.is_some_and(|format| matches!(format, "raw" | "digest" | "hash" | "prehash"))
}

impl Order {
    /// Checks the form. `payload_text` is the text of an object payload as it stood in the request, already compact.
    ///
    /// # Errors
    /// [`OrderRefusal`].
    pub fn accept(form: Form, payload_text: Option<Vec<u8>>) -> Result<Order, OrderRefusal> {
        let payload = payload(&form, payload_text)?;
        let what = match form.format.as_str() {
            "jws" => jws_of(&form)?,
            "cose_sign1" => cose_of(&form)?,
            _ => return member("/format", "is jws or cose_sign1"),
        };
        Ok(Order { what, payload, alg: form.alg, detached: form.detached.unwrap_or(false) })
    }

    /// The container it asks for; of the two of a JWS the one that the key has.
    pub fn container(&self, key: Container) -> Container {
        match self.what {
            What::Jws { .. } if key == Container::JwsRs256 => Container::JwsRs256,
            What::Jws { .. } => Container::Jws,
            What::Cose { .. } => Container::Cose,
        }
    }

    /// What the key's uses must cover.
    pub fn profile(&self) -> &str {
        match &self.what {
            What::Jws { typ, .. } => typ,
            What::Cose { content_type, .. } => content_type,
        }
    }

    /// Whether it is something that a room alone signs.
    pub fn is_for_rooms(&self) -> bool {
        match &self.what {
            What::Jws { typ, .. } => usage::is_room_typ(typ),
            What::Cose { content_type, .. } => usage::is_room_content(content_type),
        }
    }

    /// The bytes to be signed by this key.
    ///
    /// # Errors
    /// [`OrderRefusal::Alg`], or [`OrderRefusal::Member`] for an `x5c` that the key has not.
    pub fn draft(self, by: &Signing<'_>) -> Result<Drafted, OrderRefusal> {
        let container = self.container(by.container);
        let alg = Alg::choose(self.alg.as_deref(), container, by.key)?;
        match self.what {
            What::Jws { typ, header, x5c } => {
                let mut draft = Draft { header: Map::new(), payload: self.payload };
                draft = draft.with("alg", alg.name).with("kid", by.kid).with("typ", typ);
                draft.header.extend(header);
                if x5c {
                    let chain = by.chain.ok_or(OrderRefusal::Member {
                        pointer: "/x5c",
                        rule: "asks for certificates, and the key has none",
                    })?;
                    draft = draft.with("x5c", jws::x5c_value(chain));
                }
                let signing_input = draft.signing_input();
                let to_be_signed = signing_input.clone().into_bytes();
                let shape = Shape::Jws { signing_input, detached: self.detached };
                Ok(Drafted { alg: alg.sign, alg_name: alg.name, to_be_signed, shape })
            }
            What::Cose { content_type, external_aad, tagged } => {
                let kid = base64::url_decode(by.kid).unwrap_or_else(|_| by.kid.as_bytes().to_vec());
                let draft = Sign1Draft {
                    protected: vec![
                        (cose::ALG, cbor::Value::int(alg.cose_id)),
                        (cose::CONTENT_TYPE, cbor::Value::text(content_type)),
                        (cose::KID, cbor::Value::bytes(kid)),
                    ],
                    unprotected: Vec::new(),
                    payload: self.payload,
                    external_aad,
                    detached: self.detached,
                    tagged,
                };
                let to_be_signed = draft.to_be_signed();
                Ok(Drafted { alg: alg.sign, alg_name: alg.name, to_be_signed, shape: Shape::Cose(draft) })
            }
        }
    }
}

impl Drafted {
    /// The signed object.
    pub fn finish(self, signature: &[u8]) -> Output {
        match self.shape {
            Shape::Cose(draft) => Output::Cose(draft.assemble(signature)),
            Shape::Jws { signing_input, detached: false } => {
                Output::Jws(jws::assemble(&signing_input, signature))
            }
            // RFC 7515, appendix F: the payload's place is empty.
            Shape::Jws { signing_input, detached: true } => {
                let header = signing_input.split('.').next().unwrap_or_default();
                Output::Jws(jws::assemble(&format!("{header}."), signature))
            }
        }
    }
}

/// An algorithm with its names.
struct Alg {
    sign: SignAlg,
    name: &'static str,
    cose_id: i64,
}

impl Alg {
    fn choose(asked: Option<&str>, container: Container, key: KeyAlg) -> Result<Alg, OrderRefusal> {
        let refused = OrderRefusal::Alg { key };
        let usual = |sign: SignAlg| Alg { sign, name: sign.jws_name(), cose_id: sign.cose_id() };
        // Names that fix the curve (RFC 9864) are written only when they are asked for.
        let exact = |sign: SignAlg, name| Alg { sign, name, cose_id: sign.cose_id_fully_specified() };
        let alg = match (asked, container) {
            (None, _) => usual(container.default_alg(key).ok_or(refused.clone())?),
            (Some("Ed25519"), _) => exact(SignAlg::EdDsa, "Ed25519"),
            (Some("ESP256"), Container::Cose) => exact(SignAlg::Es256, "ESP256"),
            (Some("ESP384"), Container::Cose) => exact(SignAlg::Es384, "ESP384"),
            (Some(name), _) => usual(SignAlg::from_jws_name(name).map_err(|_| refused.clone())?),
        };
        if container.allows(alg.sign) && alg.sign.fits(key) { Ok(alg) } else { Err(refused) }
    }
}

fn payload(form: &Form, text: Option<Vec<u8>>) -> Result<Vec<u8>, OrderRefusal> {
    let bytes = match (&form.payload, text, &form.payload_b64) {
        (Some(Value::Object(_)), Some(text), None) if form.format == "jws" => text,
        (Some(_), _, None) if form.format == "jws" => {
            return member("/payload", "is an object; other bytes go into payload_b64");
        }
        (Some(_), _, None) => return member("/payload", "is for a JWS; other bytes go into payload_b64"),
        (None, _, Some(encoded)) if encoded.len() > PAYLOAD_BYTES_MAX.div_ceil(3) * 4 => {
            return Err(OrderRefusal::TooLarge);
        }
        (None, _, Some(encoded)) => decode(encoded, "/payload_b64")?,
        (Some(_), _, Some(_)) => return member("/payload_b64", "and payload exclude each other"),
        (None, _, None) => return member("/payload_b64", "or payload is required"),
    };
    if bytes.len() > PAYLOAD_BYTES_MAX { Err(OrderRefusal::TooLarge) } else { Ok(bytes) }
}

fn jws_of(form: &Form) -> Result<What, OrderRefusal> {
    for (there, pointer) in [
        (form.content_type.is_some(), "/content_type"),
        (form.external_aad_b64.is_some(), "/external_aad_b64"),
        (form.tagged.is_some(), "/tagged"),
    ] {
        if there {
            return member(pointer, "is for cose_sign1");
        }
    }
    let typ =
        form.typ.clone().ok_or(OrderRefusal::Member { pointer: "/typ", rule: "is required for a JWS" })?;
    if !usage::is_media_type(&typ) {
        return member("/typ", "is a media type, as example+jwt");
    }
    let header = form.header.clone().unwrap_or_default();
    if let Some(name) = header.keys().find(|name| HEADERS_REFUSED.contains(&name.as_str())) {
        return Err(OrderRefusal::Header { name: name.clone() });
    }
    if serde_json::to_vec(&header).map_or(true, |text| text.len() > HEADER_BYTES_MAX) {
        return member("/header", "has at most 4096 bytes");
    }
    Ok(What::Jws { typ, header, x5c: form.x5c.unwrap_or(false) })
}

fn cose_of(form: &Form) -> Result<What, OrderRefusal> {
    for (there, pointer) in
        [(form.typ.is_some(), "/typ"), (form.header.is_some(), "/header"), (form.x5c.is_some(), "/x5c")]
    {
        if there {
            return member(pointer, "is for a JWS");
        }
    }
    let content_type = form
        .content_type
        .clone()
        .ok_or(OrderRefusal::Member { pointer: "/content_type", rule: "is required for cose_sign1" })?;
    if !usage::is_media_type(&content_type) {
        return member("/content_type", "is a media type, as application/cbor");
    }
    let external_aad = match &form.external_aad_b64 {
        Some(encoded) if encoded.len() > AAD_BYTES_MAX.div_ceil(3) * 4 => {
            return member("/external_aad_b64", "has at most 16384 bytes");
        }
        Some(encoded) => decode(encoded, "/external_aad_b64")?,
        None => Vec::new(),
    };
    Ok(What::Cose { content_type, external_aad, tagged: form.tagged.unwrap_or(true) })
}

fn decode(encoded: &str, pointer: &'static str) -> Result<Vec<u8>, OrderRefusal> {
    base64::url_decode(encoded)
        .map_err(|_| OrderRefusal::Member { pointer, rule: "is base64url without padding" })
}

const fn member<T>(pointer: &'static str, rule: &'static str) -> Result<T, OrderRefusal> {
    Err(OrderRefusal::Member { pointer, rule })
}

/// JSON text without the white space between its tokens; numbers, escapes and order stay as they were written.
pub fn compact(json: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            continue;
        } else {
            in_text = byte == b'"';
        }
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::jose::jws::Jws;
    use crypto::json::Limits;
    use crypto::key::PrivateKey;
    use proptest::prelude::*;
    use serde_json::json;

    const LIMITS: Limits = Limits { bytes_max: 1 << 20, depth_max: 32 };

    fn accept(form: &Value) -> Result<Order, OrderRefusal> {
        let text = form.get("payload").map(|payload| payload.to_string().into_bytes());
        Order::accept(serde_json::from_value(form.clone()).unwrap(), text)
    }

    fn signing(container: Container) -> Signing<'static> {
        Signing { key: KeyAlg::P256, container, kid: "AAEC", chain: None }
    }

    #[test]
    fn a_jws_carries_alg_kid_typ_and_the_callers_members_over_the_given_bytes() {
        let key = PrivateKey::generate(KeyAlg::P256);
        let order = accept(
            &json!({"format":"jws","typ":"example+jwt","payload":{"b":1,"a":[2]},"header":{"cty":"x"}}),
        );
        let drafted = order.unwrap().draft(&signing(Container::Jws)).unwrap();
        let signature = key.sign(drafted.alg, &drafted.to_be_signed).unwrap();
        let Output::Jws(text) = drafted.finish(&signature) else { panic!("no JWS") };
        let jws = Jws::parse(&text, &LIMITS).unwrap();
        jws.verify(&key.public()).unwrap();
        let names: Vec<&str> = jws.header().keys().map(String::as_str).collect();
        assert_eq!(names, ["alg", "kid", "typ", "cty"]);
        assert_eq!(jws.payload(), br#"{"b":1,"a":[2]}"#);
    }

    #[test]
    fn a_detached_jws_leaves_the_payloads_place_empty() {
        let order = accept(&json!({"format":"jws","typ":"t","payload_b64":"YWI","detached":true})).unwrap();
        let drafted = order.draft(&signing(Container::Jws)).unwrap();
        assert!(drafted.to_be_signed.ends_with(b".YWI"));
        let Output::Jws(text) = drafted.finish(b"sig") else { panic!("no JWS") };
        assert_eq!(text.split('.').nth(1), Some(""));
    }

    #[test]
    fn header_members_that_choose_a_key_or_change_what_is_signed_are_refused() {
        for name in HEADERS_REFUSED {
            let form = json!({"format":"jws","typ":"t","payload":{},"header":{name:"x"}});
            assert_eq!(accept(&form), Err(OrderRefusal::Header { name: name.to_owned() }));
        }
    }

    #[test]
    fn every_spelling_of_a_digest_is_seen() {
        for item in [
            json!({"format":"raw","payload_b64":"AA"}),
            json!({"format":"jws","digest":"AA"}),
            json!({"format":"jws","hash":"AA"}),
            json!({"hash":null}),
            json!({"format":"jws","typ":"t","payload":{},"prehashed":true}),
        ] {
            assert!(asks_for_digest(&item), "{item}");
        }
        assert!(!asks_for_digest(&json!({"format":"jws","typ":"t","payload":{"hash":"of the order"}})));
    }

    #[test]
    fn members_of_one_format_are_refused_in_the_other_with_their_place() {
        let cases = [
            (json!({"format":"jws","payload":{}}), "/typ"),
            (json!({"format":"jws","typ":"a b","payload":{}}), "/typ"),
            (json!({"format":"jws","typ":"t","payload":"text"}), "/payload"),
            (json!({"format":"jws","typ":"t","payload":{},"payload_b64":"AA"}), "/payload_b64"),
            (json!({"format":"jws","typ":"t"}), "/payload_b64"),
            (json!({"format":"jws","typ":"t","payload_b64":"AA=="}), "/payload_b64"),
            (json!({"format":"jws","typ":"t","payload_b64":"AB"}), "/payload_b64"),
            (json!({"format":"jws","typ":"t","payload":{},"tagged":true}), "/tagged"),
            (json!({"format":"jws","typ":"t","payload":{},"content_type":"a"}), "/content_type"),
            (json!({"format":"cose_sign1","content_type":"a/b","payload":{}}), "/payload"),
            (json!({"format":"cose_sign1","content_type":"a/b","payload_b64":"","typ":"t"}), "/typ"),
            (json!({"format":"cose_sign1","payload_b64":""}), "/content_type"),
            (json!({"format":"dsse","payload_b64":""}), "/format"),
        ];
        for (form, at) in cases {
            let Err(OrderRefusal::Member { pointer, .. }) = accept(&form) else { panic!("{form}") };
            assert_eq!(pointer, at, "{form}");
        }
    }

    #[test]
    fn a_payload_beyond_128_kib_is_refused() {
        let fits = base64::url_encode(&vec![0; PAYLOAD_BYTES_MAX]);
        assert!(accept(&json!({"format":"jws","typ":"t","payload_b64":fits})).is_ok());
        let long = base64::url_encode(&vec![0; PAYLOAD_BYTES_MAX + 1]);
        assert_eq!(
            accept(&json!({"format":"jws","typ":"t","payload_b64":long})),
            Err(OrderRefusal::TooLarge)
        );
        let wide = json!({"format":"jws","typ":"t","payload":{"a":"x".repeat(PAYLOAD_BYTES_MAX)}});
        assert_eq!(accept(&wide), Err(OrderRefusal::TooLarge));
    }

    #[test]
    fn an_algorithm_must_fit_key_and_container() {
        let draft = |alg: &str, key, container| {
            let format = if container == Container::Cose { "cose_sign1" } else { "jws" };
            let form = match container {
                Container::Cose => json!({"format":format,"content_type":"a/b","payload_b64":"","alg":alg}),
                _ => json!({"format":format,"typ":"t","payload":{},"alg":alg}),
            };
            accept(&form)
                .unwrap()
                .draft(&Signing { key, ..signing(container) })
                .map(|drafted| drafted.alg_name)
        };
        assert_eq!(draft("PS512", KeyAlg::Rsa2048, Container::Jws), Ok("PS512"));
        assert_eq!(draft("Ed25519", KeyAlg::Ed25519, Container::Jws), Ok("Ed25519"));
        assert_eq!(draft("ESP256", KeyAlg::P256, Container::Cose), Ok("ESP256"));
        assert_eq!(draft("RS256", KeyAlg::Rsa2048, Container::JwsRs256), Ok("RS256"));
        for (alg, key, container) in [
            ("RS256", KeyAlg::Rsa2048, Container::Jws),
            ("PS256", KeyAlg::Rsa2048, Container::JwsRs256),
            ("ES384", KeyAlg::P256, Container::Jws),
            ("ESP256", KeyAlg::P256, Container::Jws),
            ("HS256", KeyAlg::P256, Container::Jws),
            ("none", KeyAlg::P256, Container::Jws),
            ("RS256", KeyAlg::Rsa2048, Container::Cose),
        ] {
            assert_eq!(draft(alg, key, container), Err(OrderRefusal::Alg { key }), "{alg} {key}");
        }
    }

    #[test]
    fn compacting_takes_white_space_between_tokens_and_nothing_else() {
        let text = " { \"a b\" : [ 1.0 , 1e400 , \"x \\\" y \\\\\" ] ,\n\t\"c\" : 12345678901234567890123 } ";
        let expected = "{\"a b\":[1.0,1e400,\"x \\\" y \\\\\"],\"c\":12345678901234567890123}";
        assert_eq!(compact(text), expected.as_bytes());
    }

    #[test]
    fn x5c_is_given_only_where_the_key_has_certificates() {
        let form = json!({"format":"jws","typ":"t","payload":{},"x5c":true});
        let none = accept(&form).unwrap().draft(&signing(Container::Jws));
        assert!(matches!(none, Err(OrderRefusal::Member { pointer: "/x5c", .. })));
        let chain = [vec![1, 2, 3]];
        let some = accept(&form).unwrap().draft(&Signing { chain: Some(&chain), ..signing(Container::Jws) });
        let Shape::Jws { signing_input, .. } = some.unwrap().shape else { panic!("no JWS") };
        let header = base64::url_decode(signing_input.split('.').next().unwrap()).unwrap();
        assert!(String::from_utf8(header).unwrap().ends_with(r#""x5c":["AQID"]}"#));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_compacted_says_the_same_in_the_fewest_bytes(value in any_json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty), value.to_string().into_bytes());
        }

        #[test]
        fn any_text_is_compacted_without_a_panic(text: String) {
            let _ = compact(&text);
        }
    }
}
