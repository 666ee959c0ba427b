//! From the fuzzer's bytes to the containers that parsers read.

use std::cell::Cell;

use ::crypto::base64;
use ::crypto::hash;
use ::crypto::jose::jws::assemble;
use ::crypto::key::PrivateKey;
use serde_json::Value;

/// Disclosures and records beyond this are cut off: more would only slow the fuzzer down.
const LINES_MAX: usize = 24;

thread_local! {
    static ACCEPTED: Cell<u64> = const { Cell::new(0) };
}

/// Called where an input passed every check of its target: a corpus without such an input would not reach what it is for.
pub fn accepted() {
    ACCEPTED.set(ACCEPTED.get() + 1);
}

/// How often [`accepted`] was called on this thread.
pub fn accepted_so_far() -> u64 {
    ACCEPTED.get()
}

/// The input as text.
pub fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The input cut at line feeds.
pub fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.splitn(LINES_MAX, |byte| *byte == b'\n').collect()
}

/// Two records, the second one after the first line feed.
pub fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    (&bytes[..at], bytes.get(at + 1..).unwrap_or_default())
}

/// Strict JSON within the limits of messages.
pub fn json(bytes: &[u8]) -> Option<Value> {
    ::crypto::json::parse(bytes, &::crypto::json::Limits { bytes_max: 64 * 1024, depth_max: 16 }).ok()
}

/// A compact JWS: `{header}\n{payload}` signed by `key` whatever the header says, or the input as it is.
pub fn signed(bytes: &[u8], key: &PrivateKey) -> Option<String> {
    if bytes.first() == Some(&b'{') {
        let (header, payload) = halves(bytes);
        Some(sign(header, payload, key))
    } else {
        text(bytes).map(str::to_owned)
    }
}

/// Signs as the key's own algorithm asks.
pub fn sign(header: &[u8], payload: &[u8], key: &PrivateKey) -> String {
    let input = format!("{}.{}", base64::url_encode(header), base64::url_encode(payload));
    let signature =
        key.sign(key.alg().default_sign_alg(), input.as_bytes()).expect("a key signs with its own algorithm");
    assemble(&input, &signature)
}

/// An SD-JWT: `{header}\n{payload}\n[disclosure]…`, the issuer's part signed by `issuer`. `"#2"` in the payload or in an
/// earlier disclosure stands for the digest of the disclosure of that number. A last line that begins with `!` is the payload
/// of a key binding by `holder`, in which `#h` stands for the digest of what it binds. Other input is taken as it is.
pub fn sd_jwt(bytes: &[u8], issuer: &PrivateKey, holder: &PrivateKey) -> Option<String> {
    if bytes.first() != Some(&b'{') {
        return text(bytes).map(str::to_owned);
    }
    let mut parts = lines(bytes);
    let binding = parts.pop_if(|last| last.first() == Some(&b'!'));
    let header = parts.remove(0);
    let mut texts: Vec<String> =
        parts.iter().map(|part| text(part).map(str::to_owned)).collect::<Option<_>>()?;
    if texts.is_empty() {
        return None;
    }
    let mut encoded = vec![String::new(); texts.len()];
    for nth in (0..texts.len()).rev() {
        // From the back, so that `#12` is not taken for `#1`.
        for later in (nth + 1..texts.len()).rev() {
            let digest = base64::url_encode(&hash::sha256(encoded[later].as_bytes()));
            texts[nth] = texts[nth].replace(&format!("#{later}"), &digest);
        }
        encoded[nth] = base64::url_encode(texts[nth].as_bytes());
    }
    let mut whole = sign(header, texts[0].as_bytes(), issuer);
    for disclosure in &encoded[1..] {
        whole = format!("{whole}~{disclosure}");
    }
    whole.push('~');
    if let Some(binding) = binding {
        let sd_hash = base64::url_encode(&hash::sha256(whole.as_bytes()));
        let payload = text(&binding[1..])?.replace("#h", &sd_hash);
        whole += &sign(br#"{"alg":"ES256","typ":"kb+jwt"}"#, payload.as_bytes(), holder);
    }
    Some(whole)
}

/// Whether a number with a fraction or an exponent is in it: those are not written back digit for digit.
pub fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_float),
        Value::Object(members) => members.values().any(has_float),
        _ => false,
    }
}
