//! Documents that people show: whose they are, who vouches for them, and what they say.
//!
//! ```text
//! bytes ─► parse ─► certificate of the signer ─► authority ─► signature over the received bytes ─► status, dates ─► Verified
//! ```
//! Our own seals count on the tenant's root alone and are looked up in our own table; seals of states count on the anchors that the
//! operator gave the context `vds` or `document-seal`. Nothing is fetched here.

use crate::{Idp, store};
use ::store::{Ctx, StoreFault};
use crypto::hash;
use crypto::secret::Secret;
use custody::Context;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use seal::anchor::{self, Identity};
use seal::code::Failure;
use seal::code::document::{Document, DocumentKind};
use seal::scope::{Scope, Scopes};
use seal::vds::icao::Vds;
use seal::vds::own::{OrganisationSeal, OwnSeal};
use seal::vds::signer::{SignerCertificate, SignerName};
use seal::vds::trust::{self, Authority, Rules, TrustFault};
use serde_json::{Map, Value, json};

/// A document that every check has passed.
pub(crate) struct Verified {
    /// What its enrolment remembers.
    pub(crate) commitment: [u8; 32],
    /// Last day of its life.
    pub(crate) expires_on: Date,
    /// The DeviceKey that it is bound to, if it names one.
    pub(crate) device_key: Option<[u8; 32]>,
    person: OrganisationSeal,
}

/// One line of an inspection.
pub(crate) struct Check {
    pub(crate) check: &'static str,
    pub(crate) ok: bool,
    pub(crate) code: Option<String>,
}

/// Why a document does not count.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    /// A check of it failed.
    #[error("{0}")]
    Failure(Failure),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Idp {
    /// Verifies a document that somebody shows.
    pub(crate) async fn verified(&self, ctx: &Ctx, document: &Document) -> Result<Verified, DocumentError> {
        let fail = |failure| Err(DocumentError::Failure(failure));
        if document.kind != DocumentKind::Vds {
            return fail(Failure::DocumentInvalid);
        }
        let mut checks = Vec::new();
        match self.judged(ctx, document.data.expose(), &mut checks).await? {
            Ok(verified) => Ok(verified),
            Err(failure) => fail(failure),
        }
    }

    /// The same, telling each check.
    pub(crate) async fn inspected(&self, ctx: &Ctx, bytes: &[u8]) -> Result<Vec<Check>, StoreFault> {
        let mut checks = Vec::new();
        let _ = self.judged(ctx, bytes, &mut checks).await?;
        Ok(checks)
    }

    async fn judged(
        &self,
        ctx: &Ctx,
        bytes: &[u8],
        checks: &mut Vec<Check>,
    ) -> Result<Result<Verified, Failure>, StoreFault> {
        let mut tell = |check, found: Result<(), String>| {
            checks.push(Check { check, ok: found.is_ok(), code: found.err() });
        };
        let unverified = match Vds::parse(bytes) {
            Ok(unverified) => unverified,
            Err(fault) => {
                tell("form", Err(fault.to_string()));
                return Ok(Err(Failure::DocumentInvalid));
            }
        };
        tell("form", Ok(()));
        let known = self.seal_trust(ctx).await?;
        let rules = Rules {
            now: ctx.now,
            stale_ok_d: u16::try_from(self.config.trust_stale_ok_d).unwrap_or(u16::MAX),
        };
        let signer = known.judge(unverified.signer(), unverified.signed_on(), &rules);
        tell("trust", signer.as_ref().map(drop).map_err(ToString::to_string));
        let Ok(signer) = signer else { return Ok(Err(Failure::DocumentUntrusted)) };
        let seal = match unverified.verify(signer.key()) {
            Ok(seal) => seal,
            Err(fault) => {
                tell("signature", Err(fault.to_string()));
                return Ok(Err(Failure::DocumentInvalid));
            }
        };
        tell("signature", Ok(()));
        let read = match OwnSeal::read(&seal) {
            Ok(OwnSeal::Organisation(person)) => Ok(person),
            Ok(OwnSeal::Service(_)) => Err("a seal of a service names no person".to_owned()),
            Err(fault) => Err(fault.to_string()),
        };
        tell("content", read.as_ref().map(drop).map_err(Clone::clone));
        let Ok(person) = read else { return Ok(Err(Failure::DocumentInvalid)) };
        let row = store::document_seal::of_hash(&self.store, ctx, hash::sha256(seal.bytes())).await?;
        let status = match (&row, &person.status) {
            (Some(row), _) if row.revoked_at_ms.is_some() => Err("revoked"),
            // A list elsewhere is not fetched: its answer cannot be learnt here.
            (None, Some(_)) => Err("unknown"),
            _ => Ok(()),
        };
        tell("status", status.map_err(ToOwned::to_owned));
        if status.is_err() {
            return Ok(Err(Failure::DocumentRevoked));
        }
        let today = ctx.now.to_zoned(TimeZone::UTC).date();
        let alive = today <= person.expires_on && seal.header().issued_on <= today;
        tell("dates", if alive { Ok(()) } else { Err("expired".to_owned()) });
        if !alive {
            return Ok(Err(Failure::DocumentExpired));
        }
        let header = seal.header();
        let identity = Identity::Document {
            kind: DocumentKind::Vds,
            country: &header.country,
            document_type: "organisation",
            number: &person.number,
            birth_date: &person.birth_date.to_string(),
        };
        let key = self.secret(ctx, crate::secret::Name::Anchor).await?;
        Ok(Ok(Verified {
            commitment: anchor::commitment(&key, &identity),
            expires_on: person.expires_on,
            device_key: person.device_key,
            person,
        }))
    }

    /// Whom the tenant believes about seals.
    async fn seal_trust(&self, ctx: &Ctx) -> Result<SealTrust, StoreFault> {
        let read = |der: &[u8]| SignerCertificate::parse(der).ok();
        let mut certificates: Vec<SignerCertificate> =
            self.custody.seal_certificates(ctx).await?.iter().filter_map(|der| read(der)).collect();
        let (mut authorities, mut signers) = (Vec::new(), Vec::new());
        for anchor in self.custody.all_anchors(ctx).await? {
            let wanted = anchor.contexts.has(Context::Vds) || anchor.contexts.has(Context::DocumentSeal);
            let Some(certificate) = read(anchor.certificate.der()) else { continue };
            if anchor.is_own || wanted && certificate.is_ca() {
                authorities.push(Authority { certificate, revoked: Vec::new(), next_update: None });
            } else if wanted {
                certificates.push(certificate.clone());
                signers.push(certificate);
            }
        }
        Ok(SealTrust { certificates, authorities, signers })
    }
}

/// Whom a tenant believes about seals.
struct SealTrust {
    /// Certificates of signers, our own among them.
    certificates: Vec<SignerCertificate>,
    /// Authorities above signers.
    authorities: Vec<Authority>,
    /// Signers that the operator named themselves.
    signers: Vec<SignerCertificate>,
}

impl SealTrust {
    /// The certificate that vouches for a seal: one under an authority, or one that the operator named.
    fn judge(&self, name: &SignerName, day: Date, rules: &Rules) -> Result<&SignerCertificate, TrustFault> {
        let found = trust::judge(name, day, &self.certificates, &self.authorities, rules);
        let Err(TrustFault::NoAnchor) = found else { return found };
        let noon =
            day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).map_err(|_| TrustFault::SignerDates)?.timestamp();
        let lives = |it: &&SignerCertificate| it.not_before() <= noon && noon <= it.not_after();
        let named = self.signers.iter().filter(|it| it.is_named(name));
        named.clone().find(lives).ok_or(if named.count() > 0 {
            TrustFault::SignerDates
        } else {
            TrustFault::NoAnchor
        })
    }
}

impl Verified {
    /// The claims of what was granted, computed at `today`. What the document does not say is left out.
    pub(crate) fn claims(&self, granted: &Scopes, today: Date) -> Map<String, Value> {
        let mut claims = Map::new();
        for scope in granted.iter() {
            if let (Some(value), Some(name)) = (self.claim(scope, today), scope.claims().first()) {
                claims.insert((*name).to_owned(), value);
            }
        }
        claims
    }

    fn claim(&self, scope: Scope, today: Date) -> Option<Value> {
        let person = &self.person;
        let age = || age_at(person.birth_date, today);
        let over = |years| age().map(|age| Value::from(age >= years));
        match scope {
            Scope::Name => Some(format!("{} {}", person.given_name, person.family_name).into()),
            Scope::GivenName => Some(person.given_name.as_str().into()),
            Scope::FamilyName => Some(person.family_name.as_str().into()),
            Scope::DateOfBirth => Some(person.birth_date.to_string().into()),
            Scope::Nationality => person.nationality.as_ref().map(|one| json!([one])),
            Scope::Document => Some(json!({
                "type": "organisation", "number": person.number, "expiry": person.expires_on.to_string(),
            })),
            Scope::Photo => person.face.as_ref().map(|face| data_uri(face).into()),
            Scope::AgeOver18 => over(18),
            Scope::AgeOver21 => over(21),
            Scope::AgeOver25 => over(25),
            Scope::IsEuCitizen => person.nationality.as_ref().map(|one| EU.contains(&one.as_str()).into()),
            Scope::AgeRange => age().map(|age| age_range(age).into()),
            Scope::NameInitial => initials(&person.given_name, &person.family_name).map(Value::from),
            Scope::TrustLevel | Scope::OfflineAccess | Scope::Email | Scope::Phone | Scope::Openid => None,
        }
    }
}

/// The member states, as travel documents write them (ICAO 9303-3).
const EU: [&str; 27] = [
    "AUT", "BEL", "BGR", "HRV", "CYP", "CZE", "DNK", "EST", "FIN", "FRA", "DEU", "GRC", "HUN", "IRL", "ITA",
    "LVA", "LTU", "LUX", "MLT", "NLD", "POL", "PRT", "ROU", "SVK", "SVN", "ESP", "SWE",
];

/// Whole years at a day; none before birth. Whoever is born on 29 February is a year older on 1 March.
fn age_at(birth: Date, today: Date) -> Option<i16> {
    let had_birthday = (today.month(), today.day()) >= (birth.month(), birth.day());
    let years = today.year() - birth.year() - i16::from(!had_birthday);
    (years >= 0).then_some(years)
}

/// Ten years that hold an age: `25-34`; below 18 and above 84 as one.
fn age_range(age: i16) -> String {
    match age {
        ..18 => "0-17".to_owned(),
        18..25 => "18-24".to_owned(),
        85.. => "85+".to_owned(),
        _ => {
            let from = 25 + (age - 25) / 10 * 10;
            format!("{from}-{}", from + 9)
        }
    }
}

fn initials(given: &str, family: &str) -> Option<String> {
    let first = |text: &str| text.chars().find(|letter| letter.is_alphabetic());
    Some(format!("{}. {}.", first(given)?, first(family)?))
}

fn data_uri(face: &Secret<Vec<u8>>) -> String {
    let media = if face.expose().starts_with(b"RIFF") { "image/webp" } else { "image/jpeg" };
    format!("data:{media};base64,{}", crypto::base64::std_encode(face.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn an_age_grows_on_the_birthday_and_never_before_birth() {
        let birth = day("2008-11-20");
        assert_eq!(age_at(birth, day("2026-11-19")), Some(17));
        assert_eq!(age_at(birth, day("2026-11-20")), Some(18));
        assert_eq!(age_at(birth, day("2008-11-19")), None);
        assert_eq!(age_at(day("2008-02-29"), day("2026-02-28")), Some(17));
        assert_eq!(age_at(day("2008-02-29"), day("2026-03-01")), Some(18));
    }

    #[test]
    fn age_ranges_meet_without_a_gap() {
        let ranges: Vec<String> = [0, 17, 18, 24, 25, 34, 35, 84, 85].map(age_range).into();
        assert_eq!(ranges, ["0-17", "0-17", "18-24", "18-24", "25-34", "25-34", "35-44", "75-84", "85+"]);
    }

    #[test]
    fn initials_are_letters() {
        assert_eq!(initials("Ana", "Ruiz").as_deref(), Some("A. R."));
        assert_eq!(initials("", "Ruiz"), None);
    }
}
