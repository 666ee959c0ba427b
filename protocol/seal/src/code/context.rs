//! What a session is about, in the one form that both sides hash: T0.

use std::fmt;

use crypto::key::PublicKey;
use crypto::{base64, hash};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::frame;
use crate::scope::Scopes;
use crate::wire::{Members, jcs};

pub use crate::wire::WireError;

/// Most bytes of a context: its longest members are two addresses and eighteen scope names.
pub const CONTEXT_BYTES_MAX: usize = 8 * 1024;
/// Longest issuer, client id or origin, in bytes; as addresses elsewhere in the house.
const ADDRESS_BYTES_MAX: usize = 2048;
/// Longest tenant name, in bytes.
const TENANT_BYTES_MAX: usize = 128;
/// How often a session may be extended by its first life, so that nobody needs to start again (WCAG 2.2.1).
pub const LIVES_MAX: i64 = 12;

/// Names a session: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid([u8; 16]);

impl Sid {
    /// Of these bytes, which were drawn for it.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Of base64url text.
    ///
    /// # Errors
    /// [`WireError::Member`].
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let bytes = if text.len() > 22 { None } else { base64::url_decode(text).ok() };
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(WireError::Member("sid"))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// base64url, as paths and messages have it.
impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64::url_encode(&self.0))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({self})")
    }
}

/// The hash of a session's context, its point E and its sid. Every key, code and signature of the session depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct T0([u8; 32]);

impl T0 {
    /// As it was stored.
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The nonce under which a credential's holder signs (SD-JWT VC, mdoc): base64url of `H(frame("seal/1 vp", T0))`.
    pub fn presentation_nonce(&self) -> String {
        base64::url_encode(&hash::sha256(&frame("seal/1 vp", &[&self.0])))
    }
}

/// How sure the sign-in is, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Acr {
    /// The mutual code alone: a relay that works in real time defeats it.
    SealCode,
    /// A credential over OpenID4VP; ranks as the code does.
    SealVp,
    /// A WebAuthn assertion over T0 by the browser that signs in.
    Phr,
    /// As `phr`, with a key that is bound to attested hardware.
    Phrh,
}

impl Acr {
    /// Every class.
    pub const ALL: [Acr; 4] = [Acr::SealCode, Acr::SealVp, Acr::Phr, Acr::Phrh];

    /// The name in requests and tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Acr::SealCode => "seal:code",
            Acr::SealVp => "seal:vp",
            Acr::Phr => "phr",
            Acr::Phrh => "phrh",
        }
    }

    /// The class of that name.
    pub fn parse(name: &str) -> Option<Acr> {
        Acr::ALL.into_iter().find(|acr| acr.as_str() == name)
    }

    /// For comparisons: 0 for both of the relayable classes, 1 and 2 for the others.
    pub const fn rank(self) -> u8 {
        match self {
            Acr::SealCode | Acr::SealVp => 0,
            Acr::Phr => 1,
            Acr::Phrh => 2,
        }
    }

    /// Whether it is at least as sure as `asked`.
    pub const fn meets(self, asked: Acr) -> bool {
        self.rank() >= asked.rank()
    }
}

/// Where the sign-in began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A browser.
    Web,
    /// The back channel (CIBA), where a person reads the code to someone.
    Ciba,
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Mode::Web => "web",
            Mode::Ciba => "ciba",
        }
    }
}

/// What both sides agree on before any key is derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The tenant's name.
    pub tenant: String,
    /// The identity provider.
    pub issuer: String,
    /// The Relying Party.
    pub client_id: String,
    /// Origin of its redirect URI or assertion consumer.
    pub rp_origin: String,
    /// SHA-256 of its ServiceSeal's bytes.
    pub service_seal: [u8; 32],
    /// Atomic scopes asked for.
    pub scopes: Scopes,
    /// SHA-256 of the Relying Party's nonce or SAML request id; of the empty text if there is none.
    pub nonce: [u8; 32],
    /// SHA-256 of the browser's cookie value; of the empty text if there is none.
    pub browser: [u8; 32],
    /// The least class asked for.
    pub acr: Acr,
    /// Where it began.
    pub mode: Mode,
    /// Seconds since 1970.
    pub issued_at_s: i64,
    /// The last possible end, in seconds since 1970: [`LIVES_MAX`] times the session's life after its beginning.
    pub expires_at_s: i64,
}

impl Context {
    /// As it stands in a claim reply.
    pub fn to_value(&self) -> Value {
        let bytes = |bytes: &[u8]| base64::url_encode(bytes);
        json!({
            "v": "seal/1", "tenant": self.tenant, "issuer": self.issuer, "client_id": self.client_id,
            "rp_origin": self.rp_origin, "service_seal": bytes(&self.service_seal), "scopes": self.scopes.to_value(),
            "nonce": bytes(&self.nonce), "browser": bytes(&self.browser), "acr": self.acr.as_str(),
            "mode": self.mode.as_str(), "iat": self.issued_at_s, "exp": self.expires_at_s,
        })
    }

    /// The bytes that are hashed.
    ///
    /// # Errors
    /// [`WireError::NotCanonical`] when a text is not in NFC.
    pub fn jcs(&self) -> Result<Vec<u8>, WireError> {
        jcs(&self.to_value())
    }

    /// Reads a context out of strict JSON. Unknown members are refused: they would not be in the hash.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_value(value: &Value) -> Result<Context, WireError> {
        let mut members = Members::of(value, "ctx")?;
        members.exactly("v", "seal/1")?;
        let context = Context {
            tenant: members.text("tenant", TENANT_BYTES_MAX)?,
            issuer: members.text("issuer", ADDRESS_BYTES_MAX)?,
            client_id: members.text("client_id", ADDRESS_BYTES_MAX)?,
            rp_origin: members.text("rp_origin", ADDRESS_BYTES_MAX)?,
            service_seal: members.array("service_seal")?,
            scopes: Scopes::from_sorted(&members.value("scopes")?).ok_or(WireError::Member("scopes"))?,
            nonce: members.array("nonce")?,
            browser: members.array("browser")?,
            acr: Acr::parse(&members.text("acr", 16)?).ok_or(WireError::Member("acr"))?,
            mode: match members.text("mode", 8)?.as_str() {
                "web" => Mode::Web,
                "ciba" => Mode::Ciba,
                _ => return Err(WireError::Member("mode")),
            },
            issued_at_s: members.seconds("iat")?,
            expires_at_s: members.seconds("exp")?,
        };
        members.done()?;
        Ok(context)
    }

    /// Reads the bytes that [`Context::jcs`] wrote and no others.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn parse(bytes: &[u8]) -> Result<Context, WireError> {
        let members = crate::wire::object(bytes, CONTEXT_BYTES_MAX)?;
        let context = Context::from_value(&Value::Object(members))?;
        if context.jcs()? == bytes { Ok(context) } else { Err(WireError::NotCanonical) }
    }

    /// `T0 = H(frame("seal/1 ctx", JCS(ctx), E, sid))`.
    ///
    /// # Errors
    /// [`WireError::NotCanonical`] when a text is not in NFC.
    pub fn t0(&self, e: &PublicKey, sid: &Sid) -> Result<T0, WireError> {
        Ok(T0(hash::sha256(&frame("seal/1 ctx", &[&self.jcs()?, e.raw(), sid.as_bytes()]))))
    }

    /// Whether its last possible end has come.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.as_second() >= self.expires_at_s
    }
}
