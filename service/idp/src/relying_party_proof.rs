//! How a relying party proves that it holds its keys and its origins.
//!
//! ```text
//! challenge ─► one JWS per key ────────────────────────────────┐
//! challenge ─► ORIGIN/.well-known/tessera-service (fetched) ───┴─► proved ─► sealed
//! ```
//! Everything is fetched through edge's outbound client, before and never inside a check of a signature.

use crate::relying_party::{PartyError, PartyLost, RelyingParty, State, lost};
use crate::relying_party_form::{Fault, read_keys};
use crate::{Idp, store};
use ::store::{Ctx, Unit};
use crypto::base64;
use crypto::hash;
use crypto::jose::jws::Jws;
use crypto::json::{self, Limits};
use edge::outbound;
use serde_json::Value;
use tlog::event::Event;
use url::Url;

/// The `typ` of a proof.
pub const PROOF_TYP: &str = "seal-service-proof+jwt";
/// Where an origin shows that it knows the challenge.
pub const WELL_KNOWN: &str = "/.well-known/tessera-service";
/// Bytes of a proof: a key set's thumbprint, a challenge, eight origins.
pub const PROOF_BYTES_MAX: usize = 8 << 10;
/// Bytes of the file at an origin: ids and four thumbprints.
const SHOWN_BYTES_MAX: usize = 4 << 10;
/// Bytes of a key set: four RSA keys with certificates.
const JWKS_BYTES_MAX: usize = 64 << 10;
/// Bytes of a sector's list of addresses (OpenID Connect Core, 8.1).
const SECTOR_BYTES_MAX: usize = 64 << 10;
/// Seconds that a proof's clock may differ: as long as its challenge lives.
const PROOF_SKEW_S: i64 = 600;

/// Bits of what was proved, as they stand in the seal and in the event.
pub const PROVED_KEYS: u64 = 1;
/// The origins showed the challenge.
pub const PROVED_ORIGINS: u64 = 2;
/// An operator vouched for the origins.
pub const VOUCHED: u64 = 4;

impl RelyingParty {
    /// What it proved, as bits of its seal.
    pub fn proof_bits(&self) -> u64 {
        let keys = if self.keys.is_empty() { 0 } else { PROVED_KEYS };
        keys | if self.metadata.origin_proof == "operator" { VOUCHED } else { PROVED_ORIGINS }
    }
}

impl Idp {
    /// Takes the proofs of a relying party, looks at its origins, and seals it.
    ///
    /// # Errors
    /// [`PartyError`]; a proof that does not hold is an event, and the challenge stays.
    pub async fn prove(
        &self,
        ctx: &Ctx,
        tenant: &str,
        client_id: &str,
        proofs: &[String],
    ) -> Result<RelyingParty, PartyError> {
        let mut party = self.relying_party(ctx, client_id).await?.ok_or(PartyError::NotFound)?;
        if party.state == State::Proved {
            // Its seal alone was missing.
            return self.seal_party(ctx, tenant, party).await;
        }
        let waiting = store::relying_party::challenge(&self.store, ctx, client_id).await?;
        let challenge = waiting.ok_or(PartyError::NoChallenge)?.challenge;
        match self.proved(ctx, tenant, &mut party, &challenge, proofs).await {
            Ok(()) => {}
            Err(fault @ PartyError::Proof { .. }) => {
                let event = Event::RelyingPartyRefused {
                    relying_party: party.client_id.clone(),
                    code: "seal/proof-invalid".to_owned(),
                };
                self.store.record(ctx, event).await?;
                return Err(fault);
            }
            Err(fault) => return Err(fault),
        }
        party.state = State::Proved;
        let event = Event::RelyingPartyProved {
            proofs: party.proof_bits(),
            relying_party: party.client_id.clone(),
            keys: party.jwks().iter().map(crypto::jwk::Jwk::thumbprint).collect(),
        };
        let raced = || PartyLost::Raced { party: party.client_id.clone() };
        let unit = Unit::new(event)
            .guard(store::relying_party::spend_challenge(client_id, &challenge), raced())
            .guard(store::relying_party::change(&party), raced());
        self.store.commit(ctx, unit).await.map_err(lost)?;
        party.revision += 1;
        self.seal_party(ctx, tenant, party).await
    }

    async fn proved(
        &self,
        ctx: &Ctx,
        tenant: &str,
        party: &mut RelyingParty,
        challenge: &[u8; 32],
        proofs: &[String],
    ) -> Result<(), PartyError> {
        if let Some(uri) = &party.metadata.jwks_uri {
            party.keys = self.fetched_keys(uri).await?;
        }
        check_proofs(ctx, &self.config.issuer(tenant), party, challenge, proofs)?;
        if party.metadata.origin_proof == "fetch" {
            for origin in &party.metadata.origins {
                self.shown_at(origin, party, challenge).await?;
            }
        }
        Ok(())
    }

    /// The keys behind a `jwks_uri`.
    async fn fetched_keys(&self, uri: &str) -> Result<Vec<Value>, PartyError> {
        let fault = |rule| PartyError::Proof { pointer: "/jwks_uri".to_owned(), rule };
        let value = self.fetched(uri, JWKS_BYTES_MAX).await.map_err(fault)?;
        read_keys(&value).ok_or_else(|| fault("does not lead to 1 to 4 public keys that sign"))
    }

    /// Whether an origin shows the challenge and the thumbprints.
    async fn shown_at(
        &self,
        origin: &str,
        party: &RelyingParty,
        challenge: &[u8; 32],
    ) -> Result<(), PartyError> {
        let fault = |rule| PartyError::Proof { pointer: format!("{origin}{WELL_KNOWN}"), rule };
        let value = self.fetched(&format!("{origin}{WELL_KNOWN}"), SHOWN_BYTES_MAX).await.map_err(fault)?;
        let mut wanted: Vec<String> = party.jwks().iter().map(crypto::jwk::Jwk::kid).collect();
        let shown = value["jkt"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut shown: Vec<String> = shown.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        wanted.sort_unstable();
        shown.sort_unstable();
        let stated = value["challenge"].as_str().unwrap_or_default();
        if value["client_id"] != party.client_id.as_str() {
            return Err(fault("names another relying party"));
        }
        if !hash::equal(stated.as_bytes(), base64::url_encode(challenge).as_bytes()) {
            return Err(fault("shows another challenge"));
        }
        if wanted != shown {
            return Err(fault("shows other keys"));
        }
        Ok(())
    }

    /// Metadata with its sector: the host of the one redirect host, or of the list that names every redirect (Core, 8.1).
    pub(crate) async fn with_sector(
        &self,
        mut metadata: crate::relying_party::Metadata,
    ) -> Result<crate::relying_party::Metadata, PartyError> {
        let refuse =
            |pointer: &str, rule| PartyError::Form(vec![Fault { pointer: pointer.to_owned(), rule }]);
        let host = |text: &str| Url::parse(text).ok()?.host_str().map(str::to_owned);
        if let Some(uri) = &metadata.sector_identifier_uri {
            let list = self.fetched(uri, SECTOR_BYTES_MAX).await;
            let list = list.map_err(|rule| refuse("/sector_identifier_uri", rule))?;
            let named = |redirect: &String| {
                list.as_array().is_some_and(|list| list.iter().any(|one| one == redirect.as_str()))
            };
            if !metadata.redirect_uris.iter().all(named) {
                return Err(refuse("/sector_identifier_uri", "does not name every redirect address"));
            }
            metadata.sector = host(uri).unwrap_or_default();
            return Ok(metadata);
        }
        let sources = if metadata.native { &metadata.origins } else { &metadata.redirect_uris };
        let mut hosts: Vec<String> = sources.iter().filter_map(|text| host(text)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        match hosts.as_slice() {
            [one] => metadata.sector.clone_from(one),
            _ => {
                return Err(refuse("/sector_identifier_uri", "is needed where redirects have several hosts"));
            }
        }
        Ok(metadata)
    }

    /// Fetches strict JSON; a redirect is not followed, as nobody vouches for where it leads.
    async fn fetched(&self, url: &str, bytes_max: usize) -> Result<Value, &'static str> {
        let answer = self.outbound.get(url, outbound::Limits::of(bytes_max)).await.map_err(|fault| {
            tracing::info!(%fault, "a page of a relying party was not fetched");
            "cannot be fetched"
        })?;
        json::parse(&answer.body, &Limits { bytes_max, depth_max: 8 }).map_err(|_| "is not strict JSON")
    }
}

/// One proof for each key, each by its own key, over this challenge.
fn check_proofs(
    ctx: &Ctx,
    issuer: &str,
    party: &RelyingParty,
    challenge: &[u8; 32],
    proofs: &[String],
) -> Result<(), PartyError> {
    let fault = |index: usize, rule| PartyError::Proof { pointer: format!("/proofs/{index}"), rule };
    let mut open = party.jwks();
    for (index, compact) in proofs.iter().enumerate() {
        let limits = Limits { bytes_max: PROOF_BYTES_MAX, depth_max: 8 };
        let jws = Jws::parse(compact, &limits).map_err(|_| fault(index, "is not a JWS"))?;
        if jws.typ() != Some(PROOF_TYP) {
            return Err(fault(index, "has another type"));
        }
        let place = open.iter().position(|jwk| jws.verify_jwk(jwk).is_ok());
        open.remove(place.ok_or_else(|| fault(index, "is signed by none of the keys, or by one twice"))?);
        let claims = json::parse(jws.payload(), &limits).map_err(|_| fault(index, "is not strict JSON"))?;
        check_claims(ctx, issuer, party, challenge, &claims).map_err(|rule| fault(index, rule))?;
    }
    if open.is_empty() { Ok(()) } else { Err(fault(proofs.len(), "is missing: every key signs one")) }
}

fn check_claims(
    ctx: &Ctx,
    issuer: &str,
    party: &RelyingParty,
    challenge: &[u8; 32],
    claims: &Value,
) -> Result<(), &'static str> {
    if claims["iss"] != party.client_id.as_str() {
        return Err("is of another relying party");
    }
    if claims["aud"] != issuer {
        return Err("is for another identity provider");
    }
    let stated = claims["challenge"].as_str().unwrap_or_default();
    if !hash::equal(stated.as_bytes(), base64::url_encode(challenge).as_bytes()) {
        return Err("is over another challenge");
    }
    let mut origins: Vec<&str> =
        claims["origins"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    origins.sort_unstable();
    if origins != party.metadata.origins {
        return Err("names other origins");
    }
    let issued_at_s = claims["iat"].as_i64().unwrap_or_default();
    if ctx.now.as_second().abs_diff(issued_at_s) > PROOF_SKEW_S.unsigned_abs() {
        return Err("was made at another time");
    }
    Ok(())
}
