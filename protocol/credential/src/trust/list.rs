//! Lists of trusted entities (ETSI TS 119 602 V1.1.1), JSON, signed in compact form (JAdES baseline B).
//!
//! ```text
//! text ─parse─▶ Unverified<SignedList> ─verify(anchors of list signers, now)─▶ TrustList { sequence, entries } ─▶ anchors
//! ```
//! Read: entities, their services of the EU profiles (PID, PubEAA, wallet solutions, access and registration certificates) and the
//! certificates of those. A service of another kind, one that its list calls withdrawn, and one that is known by something else than a
//! certificate vouches for nobody and is counted. Names of entities are shown, never compared.
//!
//! Not done: pointers to other lists are not followed, histories of services are not read, and the signer's name is not compared with
//! the operator's (clause 6.8): whoever is trusted here to sign lists may name any operator.

use crypto::jose::jws::{self, Jws};
use crypto::json::{self, JsonError, Limits};
use crypto::x509::Certificate;
use crypto::x509::path::PathReason;
use crypto::{base64, hash};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{Context, Trust};
use crate::Unverified;

/// The revision that is read and written.
pub const SPEC_REVISION: &str = "ETSI TS 119 602 V1.1.1";
/// `typ` of a list that we publish.
pub const TYP: &str = "trustlist+jwt";
/// What operators write there; a signer of lists may sign other things too, and none of them is a list.
const TYPS: [&str; 4] = [TYP, "JOSE", "jose", "JWT"];
/// Bytes of a signed list: about 400 certificates; a row and a body of the API hold it.
pub const LIST_BYTES_MAX: usize = 768 << 10;
/// Certificates that one list may name: each becomes an anchor that every path check walks.
pub const CERTIFICATES_MAX: usize = 1_024;
/// Entities of a list.
const ENTITIES_MAX: usize = 4_096;
/// Services of an entity.
const SERVICES_MAX: usize = 64;
/// Levels of JSON: `LoTE`, list, entity, services, service, information, identity, certificates, certificate, and extensions.
const DEPTH_MAX: usize = 24;
/// Characters of a name that is kept: more helps nobody to know an entity.
const NAME_CHARS_MAX: usize = 200;
/// The rules by which a list is read (6.3.1); another number means other rules.
const VERSION: u64 = 1;
/// How far the clock of a list's signer may run ahead, seconds.
const CLOCK_SKEW_S: i64 = 300;
/// How each type of service of the EU profiles begins (annexes D to H).
const SERVICE_TYPE: &str = "http://uri.etsi.org/19602/SvcType/";

/// Why a list is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustListFault {
    /// Not a JWS in compact form of bounded size, or with a header member that changes how it is read.
    #[error("the list is not a compact JWS of at most {LIST_BYTES_MAX} bytes with plain headers")]
    Malformed,
    /// `typ` is that of something else.
    #[error("the list says that it is something else: typ is none of {TYPS:?}")]
    Typ,
    /// No readable `x5c`, or `x5t#S256` of another certificate.
    #[error("the list does not bring its signer's certificates")]
    Certificates,
    /// The certificates lead to no anchor for list signers.
    #[error("the signer leads to no anchor of the context list-signer: {0}")]
    Path(PathReason),
    /// The signature is not by that key.
    #[error("the list's signature does not verify")]
    Signature,
    /// The payload is no strict JSON.
    #[error("the list is not JSON: {0}")]
    Json(JsonError),
    /// A member is missing or malformed.
    #[error("{pointer} is missing or malformed")]
    Member {
        /// JSON Pointer below the list.
        pointer: String,
    },
    /// Rules that we do not know.
    #[error("LoTEVersionIdentifier is {0}; {VERSION} is read here")]
    Version(u64),
    /// `NextUpdate` has passed: a newer list should exist.
    #[error("the list should have been replaced by {0}")]
    Outdated(Timestamp),
    /// `ListIssueDateTime` lies ahead.
    #[error("the list was issued in the future, at {0}")]
    Early(Timestamp),
    /// More than we read.
    #[error("the list names more than {0}")]
    TooMany(&'static str),
}

/// A list whose form is sound. Nothing in it may be believed before [`Unverified::verify`].
#[derive(Debug)]
pub struct SignedList {
    jws: Jws,
}

/// A list that an anchor for list signers vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustList {
    /// `LoTESequenceNumber`: grows with each release.
    pub sequence: u64,
    /// `LoTEType`.
    pub kind: Option<String>,
    /// `SchemeOperatorName`, English if there is one.
    pub operator: String,
    /// `SchemeTerritory`.
    pub territory: Option<String>,
    /// `ListIssueDateTime`.
    pub issued_at: Timestamp,
    /// `NextUpdate`.
    pub next_update: Timestamp,
    /// What it vouches for.
    pub entries: Vec<ListEntry>,
    /// Services that vouch for nobody here.
    pub skipped: u64,
}

/// One certificate of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// Name of the entity, English if there is one.
    pub entity: String,
    /// What the certificate may vouch for.
    pub context: Context,
    /// The certificate.
    pub certificate: Certificate,
}

impl SignedList {
    /// Reads the compact form.
    ///
    /// # Errors
    /// [`TrustListFault::Malformed`], [`TrustListFault::Typ`].
    pub fn parse(text: &str) -> Result<Unverified<Self>, TrustListFault> {
        let limits = Limits { bytes_max: LIST_BYTES_MAX, depth_max: DEPTH_MAX };
        let jws = Jws::parse(text.trim_ascii(), &limits).map_err(|_| TrustListFault::Malformed)?;
        if jws.typ().is_some_and(|typ| !TYPS.contains(&typ)) {
            return Err(TrustListFault::Typ);
        }
        Ok(Unverified::new(Self { jws }))
    }
}

/// A list and under which anchor it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTrustList {
    /// The list.
    pub list: TrustList,
    /// SHA-256 of the anchor's certificate.
    pub anchor_sha256: [u8; 32],
}

impl Unverified<SignedList> {
    /// The list, if an anchor for list signers vouches for its signer and its dates hold at `now`.
    ///
    /// # Errors
    /// [`TrustListFault`].
    pub fn verify(self, trust: &Trust<'_>, now: Timestamp) -> Result<VerifiedTrustList, TrustListFault> {
        let jws = self.into_inner().jws;
        let chain = jws.x5c().map_err(|_| TrustListFault::Certificates)?;
        check_thumbprint(&jws, &chain[0])?;
        let judged =
            trust.judge(&chain, Context::ListSigner, now).map_err(|_| TrustListFault::Certificates)?;
        let vouched = judged.path().map_err(|fault| TrustListFault::Path(fault.reason))?;
        jws.verify(judged.signer()).map_err(|_| TrustListFault::Signature)?;
        let list = TrustList::read(jws.payload())?;
        if list.issued_at.duration_since(now) > SignedDuration::from_secs(CLOCK_SKEW_S) {
            return Err(TrustListFault::Early(list.issued_at));
        }
        if list.next_update <= now {
            return Err(TrustListFault::Outdated(list.next_update));
        }
        Ok(VerifiedTrustList { list, anchor_sha256: vouched.anchor_sha256 })
    }
}

impl Unverified<SignedList> {
    /// The list of a text that was verified when it was kept; dates and anchors are its keeper's business.
    ///
    /// # Errors
    /// As [`TrustList::read`].
    pub fn verified_before(self) -> Result<TrustList, TrustListFault> {
        TrustList::read(self.into_inner().jws.payload())
    }
}

/// `x5t#S256`, where a signer brings it beside `x5c`, names the same certificate.
fn check_thumbprint(jws: &Jws, leaf: &[u8]) -> Result<(), TrustListFault> {
    match jws.header().get("x5t#S256") {
        None => Ok(()),
        Some(Value::String(named)) if *named == base64::url_encode(&hash::sha256(leaf)) => Ok(()),
        Some(_) => Err(TrustListFault::Certificates),
    }
}

impl TrustList {
    /// Reads a payload whose signature somebody has checked: `{"LoTE": {…}}`, or the list itself.
    ///
    /// # Errors
    /// [`TrustListFault::Json`], [`TrustListFault::Member`], [`TrustListFault::Version`], [`TrustListFault::TooMany`].
    pub fn read(payload: &[u8]) -> Result<Self, TrustListFault> {
        let limits = Limits { bytes_max: LIST_BYTES_MAX, depth_max: DEPTH_MAX };
        let value = json::parse(payload, &limits).map_err(TrustListFault::Json)?;
        let list = value.get("LoTE").unwrap_or(&value);
        let scheme = Place::of(list, "").member("ListAndSchemeInformation")?;
        let version = scheme.number("LoTEVersionIdentifier")?;
        if version != VERSION {
            return Err(TrustListFault::Version(version));
        }
        let mut read = Self {
            sequence: scheme.number("LoTESequenceNumber")?,
            kind: scheme.optional_text("LoTEType")?,
            operator: scheme.name("SchemeOperatorName")?,
            territory: scheme.optional_text("SchemeTerritory")?,
            issued_at: scheme.time("ListIssueDateTime")?,
            next_update: scheme.time("NextUpdate")?,
            entries: Vec::new(),
            skipped: 0,
        };
        for entity in Place::of(list, "").items("TrustedEntitiesList", ENTITIES_MAX, "4,096 entities")? {
            read.add_entity(&entity)?;
        }
        Ok(read)
    }

    fn add_entity(&mut self, entity: &Place<'_>) -> Result<(), TrustListFault> {
        let name = entity.member("TrustedEntityInformation")?.name("TEName")?;
        for service in entity.items("TrustedEntityServices", SERVICES_MAX, "64 services of one entity")? {
            let service = service.member("ServiceInformation")?;
            match context(&service)? {
                Some(context) => self.add_service(&name, context, &service)?,
                None => self.skipped += 1,
            }
        }
        Ok(())
    }

    fn add_service(
        &mut self,
        entity: &str,
        context: Context,
        service: &Place<'_>,
    ) -> Result<(), TrustListFault> {
        let identity = service.member("ServiceDigitalIdentity")?;
        if identity.value.get("X509Certificates").is_none() {
            self.skipped += 1;
            return Ok(());
        }
        for object in identity.items("X509Certificates", CERTIFICATES_MAX, "1,024 certificates")? {
            let encoded = object.text("val")?;
            let der = base64::std_decode(&encoded).map_err(|_| object.fault("val"))?;
            let certificate = Certificate::parse(&der).map_err(|_| object.fault("val"))?;
            let entry = ListEntry { entity: entity.to_owned(), context, certificate };
            if !self
                .entries
                .iter()
                .any(|known| (known.context, &known.certificate) == (context, &entry.certificate))
            {
                self.entries.push(entry);
            }
        }
        if self.entries.len() > CERTIFICATES_MAX {
            return Err(TrustListFault::TooMany("1,024 certificates"));
        }
        Ok(())
    }
}

/// What the certificates of a service vouch for; nothing for one that is unknown or no longer stands.
fn context(service: &Place<'_>) -> Result<Option<Context>, TrustListFault> {
    // Lists of the EU profiles name only services that stand; where a status is written it must say so.
    let stands = match service.optional_text("ServiceStatus")? {
        None => true,
        Some(status) => {
            matches!(status.rsplit('/').next(), Some("notified" | "granted" | "recognisedatnationallevel"))
        }
    };
    let kind = service.optional_text("ServiceTypeIdentifier")?;
    let kind = kind.as_deref().and_then(|kind| kind.strip_prefix(SERVICE_TYPE));
    Ok(match kind.filter(|_| stands) {
        Some("PID/Issuance" | "PubEAA/Issuance") => Some(Context::Issuer),
        Some("WalletSolution/Issuance") => Some(Context::WalletProvider),
        Some("WRPAC/Issuance") => Some(Context::Reader),
        Some("PID/Revocation" | "PubEAA/Revocation" | "WalletSolution/Revocation") => Some(Context::Status),
        _ => None,
    })
}

/// A value of a list and where it stands, for faults that name their place.
struct Place<'a> {
    value: &'a Value,
    pointer: String,
}

impl<'a> Place<'a> {
    fn of(value: &'a Value, pointer: impl Into<String>) -> Self {
        Self { value, pointer: pointer.into() }
    }

    fn fault(&self, name: &str) -> TrustListFault {
        TrustListFault::Member { pointer: format!("{}/{name}", self.pointer) }
    }

    fn member(&self, name: &str) -> Result<Place<'a>, TrustListFault> {
        let found = self.value.get(name).filter(|value| value.is_object()).ok_or_else(|| self.fault(name))?;
        Ok(Place::of(found, format!("{}/{name}", self.pointer)))
    }

    fn items(&self, name: &str, max: usize, bound: &'static str) -> Result<Vec<Place<'a>>, TrustListFault> {
        let list = self.value.get(name).and_then(Value::as_array).ok_or_else(|| self.fault(name))?;
        if list.len() > max {
            return Err(TrustListFault::TooMany(bound));
        }
        let place = |(nth, value)| Place::of(value, format!("{}/{name}/{nth}", self.pointer));
        Ok(list.iter().enumerate().map(place).collect())
    }

    fn text(&self, name: &str) -> Result<String, TrustListFault> {
        self.optional_text(name)?.ok_or_else(|| self.fault(name))
    }

    fn optional_text(&self, name: &str) -> Result<Option<String>, TrustListFault> {
        match self.value.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.fault(name)),
        }
    }

    fn number(&self, name: &str) -> Result<u64, TrustListFault> {
        self.value.get(name).and_then(Value::as_u64).ok_or_else(|| self.fault(name))
    }

    fn time(&self, name: &str) -> Result<Timestamp, TrustListFault> {
        self.text(name)?.parse().map_err(|_| self.fault(name))
    }

    /// A text in several languages (6.1.4): the English one, else the first.
    fn name(&self, name: &str) -> Result<String, TrustListFault> {
        let list = self.value.get(name).and_then(Value::as_array).ok_or_else(|| self.fault(name))?;
        let is_english = |item: &&Value| {
            item.get("lang")
                .and_then(Value::as_str)
                .is_some_and(|lang| lang.to_ascii_lowercase().starts_with("en"))
        };
        let chosen = list.iter().find(is_english).or_else(|| list.first());
        let text = chosen.and_then(|item| item.get("value")).and_then(Value::as_str);
        text.map(|text| text.chars().take(NAME_CHARS_MAX).collect()).ok_or_else(|| self.fault(name))
    }
}

/// A list that a tenant publishes of itself.
#[derive(Clone, Debug)]
pub struct OwnList<'a> {
    /// `LoTESequenceNumber`.
    pub sequence: u64,
    /// Who publishes it and whom it names: one entity.
    pub operator: &'a str,
    /// `SchemeTerritory`, two letters.
    pub territory: Option<&'a str>,
    /// `ListIssueDateTime`.
    pub issued_at: Timestamp,
    /// `NextUpdate`.
    pub next_update: Timestamp,
    /// Where the list is served.
    pub uri: &'a str,
    /// The certificate that signs credentials' signers and those of their status lists.
    pub root_der: &'a [u8],
}

impl OwnList<'_> {
    /// What the list signer's key signs; the signer adds `alg` and `x5c`.
    pub fn draft(&self) -> jws::Draft {
        let lang = |text: &str| json!([{"lang": "en", "value": text}]);
        let uri = json!([{"lang": "en", "uriValue": self.uri}]);
        let mut scheme = Map::new();
        let mut put = |name: &str, value: Value| scheme.insert(name.to_owned(), value);
        put("LoTEVersionIdentifier", VERSION.into());
        put("LoTESequenceNumber", self.sequence.into());
        put("LoTEType", "http://uri.etsi.org/19602/LoTEType/local".into());
        put("SchemeOperatorName", lang(self.operator));
        if let Some(territory) = self.territory {
            put("SchemeTerritory", territory.into());
        }
        put("ListIssueDateTime", self.issued_at.to_string().into());
        put("NextUpdate", self.next_update.to_string().into());
        put("DistributionPoints", json!([self.uri]));
        let certificate = base64::std_encode(self.root_der);
        let service = |name: &str, kind: &str| {
            json!({"ServiceInformation": {
                "ServiceName": lang(name),
                "ServiceTypeIdentifier": format!("{SERVICE_TYPE}PubEAA/{kind}"),
                "ServiceDigitalIdentity": {"X509Certificates": [{"val": certificate}]},
            }})
        };
        let entity = json!({
            "TrustedEntityInformation": {"TEName": lang(self.operator), "TEInformationURI": uri},
            "TrustedEntityServices": [service("credentials", "Issuance"), service("status lists", "Revocation")],
        });
        let list = json!({"LoTE": {"ListAndSchemeInformation": scheme, "TrustedEntitiesList": [entity]}});
        jws::Draft::new(TYP, list.to_string()).with("iat", self.issued_at.as_second())
    }
}
