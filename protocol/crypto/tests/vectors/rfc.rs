//! Figures typed from RFCs.

use serde_json::{Value, json};
use tessera_crypto::base64::url_decode;
use tessera_crypto::cbor::CborLimits;
use tessera_crypto::cose::{KID, Sign1};
use tessera_crypto::hex;
use tessera_crypto::jose::jws::{Jws, JwsError, assemble};
use tessera_crypto::json::Limits;
use tessera_crypto::jwk::Jwk;
use tessera_crypto::key::{KeyAlg, PrivateKey, PublicKey, SignAlg};

const LIMITS: Limits = Limits { bytes_max: 8 * 1024, depth_max: 8 };

/// The payload of RFC 7515, appendix A.1 to A.3.
const CLAIMS: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn jwk(value: &Value) -> Jwk {
    Jwk::from_value(value).unwrap()
}

#[test]
fn the_thumbprint_is_that_of_rfc_7638_section_3_1() {
    let key = jwk(&json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV\
              4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7\
              d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF4\
              4-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"
    }));
    assert_eq!(key.kid(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(key.stated_kid(), Some("2011-04-29"));
}

#[test]
fn the_rs256_example_of_rfc_7515_appendix_a_2_verifies() {
    let key = jwk(&json!({"kty": "RSA", "e": "AQAB",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd\
              2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7W\
              TBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs9\
              1kzk2PAcDTW9gb54h4FRWyuXpoQ"}));
    let text = format!(
        "eyJhbGciOiJSUzI1NiJ9.{CLAIMS}.\
         cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7\
         t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi1\
         2jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGl\
         UPQGe77Rw"
    );
    Jws::parse(&text, &LIMITS).unwrap().verify_jwk(&key).unwrap();
}

#[test]
fn the_es256_example_of_rfc_7515_appendix_a_3_verifies() {
    let key = jwk(&json!({"kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}));
    let text = format!(
        "eyJhbGciOiJFUzI1NiJ9.{CLAIMS}.\
         DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let jws = Jws::parse(&text, &LIMITS).unwrap();
    jws.verify_jwk(&key).unwrap();
    assert!(jws.payload().starts_with(b"{\"iss\":\"joe\",\r\n"));
}

#[test]
fn the_examples_of_rfc_7515_that_are_not_offered_are_refused_by_algorithm() {
    // A.1: HS256. A.4: ES512. A.5: none.
    for text in [
        format!(
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        ),
        "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AAAA".to_owned(),
        format!("eyJhbGciOiJub25lIn0.{CLAIMS}."),
    ] {
        assert_eq!(Jws::parse(&text, &LIMITS), Err(JwsError::UnsupportedAlg));
    }
}

#[test]
fn the_eddsa_example_of_rfc_8037_appendix_a_4_is_made_and_verified() {
    let seed = url_decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let key = PrivateKey::from_secret(KeyAlg::Ed25519, &seed).unwrap();
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let text = assemble(input, &key.sign(SignAlg::EdDsa, input.as_bytes()).unwrap());
    assert_eq!(
        text,
        format!(
            "{input}.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        )
    );
    Jws::parse(&text, &LIMITS).unwrap().verify(&key.public()).unwrap();
    assert_eq!(Jwk::from_key(&key.public()).to_value()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
}

#[test]
fn signatures_of_ed25519_are_those_of_rfc_8032_section_7_1() {
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe\
             24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a\
             eeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2\
             8dc027beceea1ec40a",
        ),
    ];
    for (seed, public, message, signature) in cases {
        let [seed, public, message, signature] =
            [seed, public, message, signature].map(|text| hex::decode(text).unwrap());
        let key = PrivateKey::from_secret(KeyAlg::Ed25519, &seed).unwrap();
        assert_eq!(key.public().raw(), public);
        assert_eq!(key.sign(SignAlg::EdDsa, &message).unwrap(), signature);
        key.public().verify(SignAlg::EdDsa, &message, &signature).unwrap();
    }
}

#[test]
fn signatures_of_rfc_6979_appendix_a_2_verify() {
    let p256 = "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
                7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
    let p384 = "EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13\
                8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720";
    let cases = [
        (
            (KeyAlg::P256, SignAlg::Es256, p256),
            "sample",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            (KeyAlg::P256, SignAlg::Es256, p256),
            "test",
            "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367\
             019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
        ),
        (
            (KeyAlg::P384, SignAlg::Es384, p384),
            "sample",
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46\
             99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
        ),
        (
            (KeyAlg::P384, SignAlg::Es384, p384),
            "test",
            "8203B63D3C853E8D77227FB377BCF7B7B772E97892A80F36AB775D509D7A5FEB0542A7F0812998DA8F1DD3CA3CF023DB\
             DDD0760448D42D8A43AF45AF836FCE4DE8BE06B485E9B61B827C2F13173923E06A739F040649A667BF3B828246BAA5A5",
        ),
    ];
    for ((alg, sign_alg, point), message, signature) in cases {
        let key = PublicKey::from_raw(alg, [&[4][..], &hex::decode(point).unwrap()].concat()).unwrap();
        key.verify(sign_alg, message.as_bytes(), &hex::decode(signature).unwrap()).unwrap();
        assert!(key.verify(sign_alg, b"other", &hex::decode(signature).unwrap()).is_err());
    }
}

#[test]
fn the_single_signer_example_of_rfc_9052_appendix_c_2_1_verifies() {
    let bytes = hex::decode(
        "d28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d2\
         5a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36",
    );
    let object = Sign1::parse(&bytes.unwrap(), &CborLimits { bytes_max: 256, depth_max: 4 }).unwrap();
    let point = "bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff\
                 20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e";
    let key = PublicKey::from_raw(KeyAlg::P256, [&[4][..], &hex::decode(point).unwrap()].concat()).unwrap();
    object.verify(&key, b"", None).unwrap();
    assert_eq!(object.payload(), Some(&b"This is the content."[..]));
    assert_eq!(object.unprotected(&KID).and_then(|kid| kid.as_bytes()), Some(&b"11"[..]));
}
