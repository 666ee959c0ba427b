//! Samples for `protocol/crypto`.

use crypto::base64::{std_encode, url_encode};
use crypto::cbor::{Value as Cbor, encode};
use crypto::cose::{Sign1Draft, key};
use crypto::jose::jwe::{Enc, encrypt_ecdh_es};
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey, PublicKey, SignAlg};
use crypto::x509::{Name, NameParts, pem};
use serde_json::json;
use tessera_fuzz::fixed::{AUTHORITY_DER, LEAF_DER, STRANGER_DER, parties};
use tessera_fuzz::input::sign;

use crate::{Seeds, texts};

pub fn all() -> Vec<Seeds> {
    vec![
        ("cbor", cbor()),
        ("json", json_texts()),
        ("base", texts(["", "AAEC_-8", "AAEC/+8=", "AA==", "00ffAb"])),
        ("jwk", keys().iter().map(|key| Jwk::from_key(key).to_value().to_string().into_bytes()).collect()),
        ("jws", jws()),
        ("jwe", jwe()),
        ("cose_sign1", cose_sign1()),
        ("cose_key", keys().iter().filter_map(key::to_value).map(|value| encode(&value)).collect()),
        ("certificate", vec![LEAF_DER.to_vec(), AUTHORITY_DER.to_vec()]),
        ("path", paths()),
        ("pem", pems()),
        ("spki_and_name", spki_and_name()),
    ]
}

/// One key of each kind.
pub fn keys() -> Vec<PublicKey> {
    let algs = [KeyAlg::P384, KeyAlg::Secp256k1, KeyAlg::Rsa2048, KeyAlg::MlDsa44];
    let mut keys: Vec<_> = algs.map(|alg| PrivateKey::generate(alg).public()).to_vec();
    keys.push(parties().leaf.public());
    keys.push(parties().log.public());
    keys
}

fn cbor() -> Vec<Vec<u8>> {
    let list = Cbor::Array(vec![
        Cbor::Null,
        Cbor::Bool(true),
        Cbor::Nint(-300),
        Cbor::Tag(18, Box::new(Cbor::Uint(70_000))),
    ]);
    let map = Cbor::Map(vec![
        (Cbor::Uint(0), Cbor::bytes([1, 2, 3])),
        (Cbor::text("a"), list.clone()),
        (Cbor::int(-7), Cbor::Map(vec![(Cbor::text(""), Cbor::Uint(u64::MAX))])),
    ]);
    // The same map with its keys in another order.
    vec![encode(&list), encode(&map), vec![0xa2, 0x61, b'b', 0x01, 0x00, 0x02]]
}

fn json_texts() -> Vec<Vec<u8>> {
    texts([
        r#"{"a":[1,-2,3.5e-7,18446744073709551615],"b":{"c":null,"d":true},"":"\u00e9\ud83d\ude00\n"}"#,
        r#"[[[[]]],{},"",0]"#,
        r#"{"a":1,"a":2}"#,
        " \"x\" ",
    ])
}

fn jws() -> Vec<Vec<u8>> {
    let x5c = json!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": "k", "x5c": [std_encode(LEAF_DER)]});
    let jwk = json!({"alg": "ES256", "jwk": Jwk::from_key(&parties().leaf.public()).to_value()});
    vec![
        format!("{x5c}\n{{\"a\":1}}").into_bytes(),
        format!("{jwk}\n").into_bytes(),
        b"{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"b64\":false}\nx".to_vec(),
        b"{\"alg\":\"none\"}\nx".to_vec(),
        sign(br#"{"alg":"EdDSA"}"#, b"{}", &parties().log).into_bytes(),
    ]
}

fn jwe() -> Vec<Vec<u8>> {
    let to = parties().response.public();
    let sealed = |enc, party| {
        encrypt_ecdh_es(&to, Some("k"), enc, party, party, b"{}").expect("a P-256 key").into_bytes()
    };
    let header =
        json!({"alg": "ECDH-ES", "enc": "A256GCM", "apu": "QQ", "epk": Jwk::from_key(&to).to_value()});
    vec![
        sealed(Enc::A128Gcm, None),
        sealed(Enc::A256Gcm, Some(&b"party"[..])),
        format!("{header}\nplain").into_bytes(),
    ]
}

fn cose_sign1() -> Vec<Vec<u8>> {
    let signed = |draft: Sign1Draft| {
        let draft = draft.with_alg(SignAlg::EdDsa);
        let signature = parties().log.sign(SignAlg::EdDsa, &draft.to_be_signed()).expect("its own algorithm");
        draft.assemble(&signature)
    };
    let chain = crypto::cose::x5chain_value(&[LEAF_DER]);
    vec![
        signed(Sign1Draft::new(b"payload")),
        signed(Sign1Draft {
            tagged: true,
            unprotected: vec![(33.into(), chain)],
            ..Sign1Draft::new(b"payload")
        }),
        signed(Sign1Draft { detached: true, ..Sign1Draft::new(b"payload") }),
        b"payload".to_vec(),
    ]
}

fn paths() -> Vec<Vec<u8>> {
    let packed = |chain: &[&[u8]]| {
        let length = |der: &[u8]| u16::try_from(der.len()).expect("a short certificate").to_be_bytes();
        chain.iter().flat_map(|der| [&length(der)[..], der].concat()).collect()
    };
    vec![
        packed(&[LEAF_DER]),
        packed(&[LEAF_DER, AUTHORITY_DER]),
        packed(&[LEAF_DER, STRANGER_DER]),
        packed(&[AUTHORITY_DER, AUTHORITY_DER]),
    ]
}

fn pems() -> Vec<Vec<u8>> {
    let chain = pem::encode_chain(&[LEAF_DER, AUTHORITY_DER]);
    let short = pem::encode_chain(&[[1, 2, 3]]);
    let crlf = short.replace('\n', "\r\n");
    [chain, format!("subject=x\n{short}"), crlf, short.replace("CERTIFICATE", "PRIVATE KEY")]
        .map(String::into_bytes)
        .to_vec()
}

fn spki_and_name() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = keys().iter().map(PublicKey::spki_der).collect();
    let parts = NameParts {
        country: Some("DE".to_owned()),
        organisation: Some("Org".to_owned()),
        common_name: "Name é".to_owned(),
    };
    seeds.push(Name::new(&parts).expect("a short name").der().to_vec());
    seeds.push(url_encode(b"no DER").into_bytes());
    seeds
}
