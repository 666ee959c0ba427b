//! What binds a device's signature to one request (ISO/IEC 18013-5, 9.1.5.1; OpenID4VP 1.0, B.2.6).

use crypto::cbor::Writer;
use crypto::hash;

use super::item::tagged;

/// `SessionTranscript` of an OpenID4VP request, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTranscript(Vec<u8>);

impl SessionTranscript {
    /// Of a request by redirect: the full client identifier, the nonce, where the answer goes, and the RFC 7638 thumbprint
    /// of the key that the answer is encrypted to; none when it is not.
    pub fn redirect(
        client_id: &str,
        nonce: &str,
        response_key: Option<&[u8; 32]>,
        response_uri: &str,
    ) -> Self {
        let mut info = Writer::default();
        info.array(4).text(client_id).text(nonce);
        thumbprint(&mut info, response_key).text(response_uri);
        Self::of("OpenID4VPHandover", &info.finish())
    }

    /// Of a request over the Digital Credentials API: the origin without the prefix `origin:`.
    pub fn dc_api(origin: &str, nonce: &str, response_key: Option<&[u8; 32]>) -> Self {
        let mut info = Writer::default();
        info.array(3).text(origin).text(nonce);
        thumbprint(&mut info, response_key);
        Self::of("OpenID4VPDCAPIHandover", &info.finish())
    }

    fn of(handover: &str, info: &[u8]) -> Self {
        let mut out = Writer::default();
        out.array(3).null().null().array(2).text(handover).bytes(&hash::sha256(info));
        Self(out.finish())
    }

    /// The CBOR.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `DeviceAuthenticationBytes` (ISO/IEC 18013-5, 9.1.3.4): what the device signs. `namespaces` is what stands inside
    /// tag 24, as sent.
    pub(super) fn device_authentication(&self, doctype: &str, namespaces: &[u8]) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.0.len() + doctype.len() + namespaces.len() + 40);
        out.array(4).text("DeviceAuthentication").raw(&self.0).text(doctype).raw(&tagged(namespaces));
        tagged(&out.finish())
    }
}

fn thumbprint<'w>(info: &'w mut Writer, key: Option<&[u8; 32]>) -> &'w mut Writer {
    match key {
        Some(key) => info.bytes(key),
        None => info.null(),
    }
}

#[cfg(test)]
mod tests {
    use crypto::hex;
    use crypto::jwk::Jwk;
    use serde_json::json;

    use super::*;

    /// The key of OpenID4VP 1.0, B.2.6.1 and B.2.6.2.
    fn response_key() -> [u8; 32] {
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "x": "DxiH5Q4Yx3UrukE2lWCErq8N8bqC9CHLLrAwLz5BmE0",
            "y": "XtLM4-3h5o3HUH0MHVJV0kyq0iBlrBwlh8qEDMZ4-Pc", "use": "enc", "alg": "ECDH-ES", "kid": "1",
        });
        Jwk::from_value(&jwk).unwrap().thumbprint()
    }

    const NONCE: &str = "exc7gBkxjx1rdc9udRrveKvSsJIq80avlXeLHhGwqtA";

    #[test]
    fn the_transcript_of_a_redirect_is_that_of_the_standard() {
        // OpenID4VP 1.0, B.2.6.1.
        let info = "847818783530395f73616e5f646e733a6578616d706c652e636f6d782b6578633767426b786a7831726463397564527276654b76\
                    53734a4971383061766c58654c4868477771744158204283ec927ae0f208daaa2d026a814f2b22dca52cf85ffa8f3f8626c6bd66\
                    9047781c68747470733a2f2f6578616d706c652e636f6d2f726573706f6e7365";
        let handover = "82714f70656e494434565048616e646f7665725820048bc053c00442af9b8eed494cefdd9d95240d254b046b11b68013722aad38ac";
        let transcript = SessionTranscript::redirect(
            "x509_san_dns:example.com",
            NONCE,
            Some(&response_key()),
            "https://example.com/response",
        );
        assert_eq!(SessionTranscript::of("OpenID4VPHandover", &hex::decode(info).unwrap()), transcript);
        assert_eq!(hex::encode(transcript.as_bytes()), format!("83f6f6{handover}"));
    }

    #[test]
    fn the_transcript_of_the_digital_credentials_api_is_that_of_the_standard() {
        // OpenID4VP 1.0, B.2.6.2.
        let info = "837368747470733a2f2f6578616d706c652e636f6d782b6578633767426b786a7831726463397564527276654b7653734a49713830\
                    61766c58654c4868477771744158204283ec927ae0f208daaa2d026a814f2b22dca52cf85ffa8f3f8626c6bd669047";
        let handover = "82764f70656e4944345650444341504948616e646f7665725820fbece366f4212f9762c74cfdbf83b8c69e371d5d68cea09cb4c48ca6\
                        daab761a";
        let transcript = SessionTranscript::dc_api("https://example.com", NONCE, Some(&response_key()));
        assert_eq!(SessionTranscript::of("OpenID4VPDCAPIHandover", &hex::decode(info).unwrap()), transcript);
        assert_eq!(hex::encode(transcript.as_bytes()), format!("83f6f6{handover}"));
    }

    #[test]
    fn an_answer_in_the_clear_has_no_thumbprint() {
        let info = hex::decode("846163616ef66172").unwrap();
        assert_eq!(
            SessionTranscript::redirect("c", "n", None, "r"),
            SessionTranscript::of("OpenID4VPHandover", &info)
        );
        let info = hex::decode("83616f616ef6").unwrap();
        assert_eq!(
            SessionTranscript::dc_api("o", "n", None),
            SessionTranscript::of("OpenID4VPDCAPIHandover", &info)
        );
    }
}
