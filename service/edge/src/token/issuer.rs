//! Outside issuers whose access tokens our API takes (`[[api.issuer]]`), with their keys by discovery.
//!
//! Keys are fetched once, kept for the time that the answer names within 5 minutes and 24 hours, and served stale for at most
//! 24 hours while the issuer does not answer. A `kid` that the set lacks asks again at most once per 10 seconds, whoever sends it:
//! a stranger's invented `kid` costs the issuer nothing more.

use super::{By, Principal, SKEW_S, Unknown};
use crate::Edge;
use crate::outbound::{self, Limits};
use crypto::key::SignAlg;
use jiff::{SignedDuration, Timestamp};
use openid::oauth::jwks::{JWKS_BYTES_MAX, LookupFault};
use openid::oauth::{AccessToken, Expected, Jwks, TokenFault};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Ctx, TenantId};
use tenancy::{Role, Roles};
use tlog::entry::ActorKind;

/// Issuers of one house; each is one discovery document and one key set in memory.
pub const ISSUERS_MAX: usize = 32;

/// Keys are kept at least this long, whatever the answer says.
const KEPT_S_MIN: i64 = 300;
/// Keys are kept this long where the answer says nothing.
const KEPT_S: i64 = 3_600;
/// Keys are kept at most this long, fresh or stale: a day without contact ends the trust.
const KEPT_S_MAX: i64 = 86_400;
/// An unknown `kid`, or a failed fetch, asks again at most this often.
const REFETCH_S: i64 = 10;
/// Bytes of a discovery document; the largest known has 8 KiB.
const DISCOVERY_BYTES_MAX: usize = 64 << 10;
/// Parts of a path to a claim, as `realm_access.roles`.
const CLAIM_PATH_PARTS_MAX: usize = 8;
/// Roles of one token that are looked at; Keycloak adds a few dozen of its own.
const TOKEN_ROLES_MAX: usize = 256;

/// One `[[api.issuer]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// `iss`, byte by byte; its discovery document stands under `/.well-known/openid-configuration`.
    pub url: String,
    /// What `aud` must name; our API's address where none is given.
    pub audience: Option<String>,
    /// Algorithms; ES256 and RS256's stronger kin where none are given.
    #[serde(default)]
    pub algs: Vec<String>,
    /// Path to the list of roles, as `realm_access.roles` (Keycloak).
    #[serde(default = "default_roles_claim")]
    pub roles_claim: String,
    /// Claim that names the tenant (its name or id), where `tenant` does not.
    pub tenant_claim: Option<String>,
    /// The one tenant that all its tokens are for.
    pub tenant: Option<String>,
    /// The issuer's role names and ours. A name that is not listed gives nothing.
    #[serde(default)]
    pub role_map: BTreeMap<String, Role>,
}

fn default_roles_claim() -> String {
    "realm_access.roles".to_owned()
}

/// Why the configuration of an issuer does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerFault {
    /// Too many.
    #[error("at most {ISSUERS_MAX} [[api.issuer]]")]
    TooMany,
    /// Not an address of ours to fetch.
    #[error("api.issuer.url {0}: {1}")]
    Url(String, String),
    /// An algorithm that is unknown or not offered here.
    #[error("api.issuer.algs: {0} is not one of ES256 ES384 EdDSA PS256 PS384 PS512 RS256")]
    Alg(String),
    /// Neither or both of tenant and tenant_claim.
    #[error("api.issuer {0}: exactly one of tenant and tenant_claim is needed")]
    Tenant(String),
    /// A path with too many or empty parts.
    #[error("api.issuer.roles_claim {0} is no path")]
    RolesClaim(String),
    /// Without a role map no token could do anything.
    #[error("api.issuer {0}: role_map is empty")]
    RoleMap(String),
    /// Two entries for one issuer, or our own address.
    #[error("api.issuer {0} is configured twice or is this house itself")]
    Twice(String),
}

/// The configured issuers. Cloning shares their keys.
#[derive(Clone, Debug, Default)]
pub struct Issuers(Arc<Vec<Issuer>>);

impl Issuers {
    /// Checks the configuration. `public_url` is ours.
    ///
    /// # Errors
    /// [`IssuerFault`].
    pub fn new(configs: Vec<IssuerConfig>, public_url: &str) -> Result<Self, IssuerFault> {
        if configs.len() > ISSUERS_MAX {
            return Err(IssuerFault::TooMany);
        }
        let mut issuers: Vec<Issuer> = Vec::new();
        for config in configs {
            let twice = issuers.iter().any(|known| known.config.url == config.url)
                || config.url == public_url.trim_end_matches('/');
            if twice {
                return Err(IssuerFault::Twice(config.url));
            }
            issuers.push(Issuer::new(config, public_url)?);
        }
        Ok(Self(Arc::new(issuers)))
    }

    /// The issuer of exactly this `iss`.
    pub(super) fn find(&self, iss: &str) -> Option<&Issuer> {
        self.0.iter().find(|issuer| issuer.config.url == iss)
    }

    /// For each issuer whether its keys are at hand: for readiness.
    #[must_use]
    pub fn states(&self, now: Timestamp) -> Vec<(String, bool)> {
        self.0
            .iter()
            .map(|issuer| {
                let keys = issuer.keys.lock().unwrap_or_else(PoisonError::into_inner);
                (issuer.config.url.clone(), keys.as_ref().is_none_or(|keys| keys.usable(now)))
            })
            .collect()
    }
}

/// One issuer with its keys.
#[derive(Debug)]
pub(super) struct Issuer {
    config: IssuerConfig,
    audience: String,
    algs: Vec<SignAlg>,
    keys: Mutex<Option<Keys>>,
    /// Held while a fetch runs, so that a thousand tokens with a new `kid` ask once.
    fetching: tokio::sync::Mutex<()>,
}

/// Keys as they were fetched.
#[derive(Clone, Debug)]
struct Keys {
    set: Arc<Jwks>,
    fetched_at: Timestamp,
    fresh_until: Timestamp,
    asked_at: Timestamp,
}

impl Keys {
    fn usable(&self, now: Timestamp) -> bool {
        now.duration_since(self.fetched_at) < SignedDuration::from_secs(KEPT_S_MAX)
    }
}

impl Issuer {
    fn new(config: IssuerConfig, public_url: &str) -> Result<Self, IssuerFault> {
        outbound::target(&config.url).map_err(|why| IssuerFault::Url(config.url.clone(), why.to_string()))?;
        if config.tenant.is_some() == config.tenant_claim.is_some() {
            return Err(IssuerFault::Tenant(config.url));
        }
        let parts = config.roles_claim.split('.');
        if parts.clone().count() > CLAIM_PATH_PARTS_MAX || parts.clone().any(str::is_empty) {
            return Err(IssuerFault::RolesClaim(config.roles_claim));
        }
        if config.role_map.is_empty() {
            return Err(IssuerFault::RoleMap(config.url));
        }
        let names: Vec<&str> = match config.algs.as_slice() {
            [] => vec!["ES256", "PS256", "EdDSA", "RS256"],
            named => named.iter().map(String::as_str).collect(),
        };
        let algs = names.iter().map(|name| alg(name)).collect::<Result<_, _>>()?;
        let audience =
            config.audience.clone().unwrap_or_else(|| format!("{}/api/v1", public_url.trim_end_matches('/')));
        Ok(Self { config, audience, algs, keys: Mutex::default(), fetching: tokio::sync::Mutex::default() })
    }

    pub(super) async fn principal(
        &self,
        edge: &Edge,
        ctx: &Ctx,
        token: AccessToken,
    ) -> Result<(Principal, Timestamp), Unknown> {
        let kid = token.kid().ok_or(TokenFault::Key(LookupFault::Unknown))?.to_owned();
        let keys = self.keys_for(edge, ctx.now, &kid).await?;
        let expected =
            Expected { issuer: &self.config.url, audience: &self.audience, algs: &self.algs, skew_s: SKEW_S };
        let verified = token.verify(&keys, &expected, ctx.now)?;
        let home = self.tenant(edge, ctx, &verified.claims).await?;
        let roles = roles_of(&verified.claims, &self.config.roles_claim, &self.config.role_map);
        let principal = Principal {
            kind: ActorKind::Service,
            // Two issuers may give two people one `sub`, and one may name somebody `svc_…`: the issuer stands in front.
            id: format!("{}#{}", self.config.url, verified.subject),
            home,
            roles,
            by: By::Outside { issuer: self.config.url.clone() },
        };
        Ok((principal, verified.expires_at))
    }

    /// The tenant that the token opens; never the system tenant, whose operators are ours alone.
    async fn tenant(&self, edge: &Edge, ctx: &Ctx, claims: &Map<String, Value>) -> Result<TenantId, Unknown> {
        let named = match (&self.config.tenant, &self.config.tenant_claim) {
            (Some(tenant), _) => tenant.as_str(),
            (None, Some(claim)) => at(claims, claim).and_then(Value::as_str).ok_or(Unknown::Nobody)?,
            (None, None) => return Err(Unknown::Nobody),
        };
        let found = match TenantId::parse(named) {
            Some(id) => edge.tenancy().tenant(ctx, &id).await?,
            None => edge.tenancy().tenant_named(ctx, named).await?,
        };
        match found {
            Some(tenant) if !tenant.id.is_system() => Ok(tenant.id),
            Some(_) | None => Err(Unknown::Nobody),
        }
    }

    /// The key set, fetched where it is missing, old, or lacks `kid`.
    async fn keys_for(&self, edge: &Edge, now: Timestamp, kid: &str) -> Result<Arc<Jwks>, Unknown> {
        if let Some(set) = self.known(now, kid) {
            return Ok(set);
        }
        let _one_at_a_time = self.fetching.lock().await;
        if let Some(set) = self.known(now, kid) {
            return Ok(set);
        }
        let fetched = fetch(edge, &self.config.url).await;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok((set, max_age_s)) => {
                let kept_s = max_age_s.unwrap_or(KEPT_S).clamp(KEPT_S_MIN, KEPT_S_MAX);
                *keys = Some(Keys {
                    set: Arc::new(set),
                    fetched_at: now,
                    fresh_until: now + SignedDuration::from_secs(kept_s),
                    asked_at: now,
                });
            }
            Err(why) => {
                tracing::warn!(issuer = self.config.url, why, "the issuer's keys cannot be fetched");
                match keys.as_mut() {
                    Some(keys) => keys.asked_at = now,
                    None => {
                        // An empty set that is past its day: only its `asked_at` counts.
                        *keys = Some(Keys {
                            set: Arc::default(),
                            fetched_at: Timestamp::MIN,
                            fresh_until: Timestamp::MIN,
                            asked_at: now,
                        });
                    }
                }
            }
        }
        keys.as_ref().filter(|keys| keys.usable(now)).map(|keys| keys.set.clone()).ok_or(Unknown::Keys)
    }

    /// The set at hand, if nothing asks for a fetch: it is fresh and has the `kid`, or the last fetch was a moment ago.
    fn known(&self, now: Timestamp, kid: &str) -> Option<Arc<Jwks>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.as_ref()?;
        let has = keys.set.keys().iter().any(|key| key.stated_kid() == Some(kid));
        let fresh = now < keys.fresh_until && has;
        let asked_just_now = now.duration_since(keys.asked_at) < SignedDuration::from_secs(REFETCH_S);
        if !fresh && !asked_just_now {
            return None;
        }
        Some(if keys.usable(now) { keys.set.clone() } else { Arc::default() })
    }
}

/// Discovery document, then key set; the second must stand on the issuer's own origin or wherever the operator allows.
async fn fetch(edge: &Edge, issuer: &str) -> Result<(Jwks, Option<i64>), String> {
    let base = issuer.trim_end_matches('/');
    let discovery = edge
        .outbound()
        .get(&format!("{base}/.well-known/openid-configuration"), Limits::of(DISCOVERY_BYTES_MAX))
        .await
        .map_err(|fault| fault.to_string())?;
    let limits = crypto::json::Limits { bytes_max: DISCOVERY_BYTES_MAX, depth_max: 16 };
    let document = crypto::json::parse(&discovery.body, &limits).map_err(|fault| fault.to_string())?;
    if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err("the discovery document names another issuer".to_owned());
    }
    let url = document.get("jwks_uri").and_then(Value::as_str).ok_or("no jwks_uri")?;
    let answer =
        edge.outbound().get(url, Limits::of(JWKS_BYTES_MAX)).await.map_err(|fault| fault.to_string())?;
    let set = Jwks::parse(&answer.body).map_err(|fault| fault.to_string())?;
    if set.keys().is_empty() {
        return Err("the key set has no key that we can use".to_owned());
    }
    Ok((set, answer.max_age_s))
}

fn alg(name: &str) -> Result<SignAlg, IssuerFault> {
    [
        SignAlg::Es256,
        SignAlg::Es384,
        SignAlg::EdDsa,
        SignAlg::Ps256,
        SignAlg::Ps384,
        SignAlg::Ps512,
        SignAlg::Rs256,
    ]
    .into_iter()
    .find(|alg| alg.jws_name() == name)
    .ok_or_else(|| IssuerFault::Alg(name.to_owned()))
}

/// The value at a dotted path.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = claims.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.as_object()?.get(part))
}

/// Our roles for the issuer's names; a value that is no list of texts gives none.
fn roles_of(claims: &Map<String, Value>, path: &str, map: &BTreeMap<String, Role>) -> Roles {
    let listed = at(claims, path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    listed.iter().take(TOKEN_ROLES_MAX).filter_map(|name| map.get(name.as_str()?).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config() -> IssuerConfig {
        serde_json::from_value(json!({
            "url": "https://id.example/realms/acme", "tenant": "acme", "role_map": {"tessera-admin": "admin"}
        }))
        .unwrap()
    }

    fn refused(change: impl FnOnce(&mut IssuerConfig)) -> IssuerFault {
        let mut config = config();
        change(&mut config);
        Issuers::new(vec![config], "https://tessera.example").unwrap_err()
    }

    #[test]
    fn a_keycloak_shaped_token_gives_the_mapped_roles_and_no_others() {
        let claims = json!({"realm_access": {"roles": ["offline_access", "tessera-admin", "owner", 7]}});
        let roles = roles_of(claims.as_object().unwrap(), "realm_access.roles", &config().role_map);
        assert_eq!(roles, Roles::of(&[Role::Admin]));
        for other in
            [json!({}), json!({"realm_access": "owner"}), json!({"realm_access": {"roles": "owner"}})]
        {
            assert!(
                roles_of(other.as_object().unwrap(), "realm_access.roles", &config().role_map).is_empty()
            );
        }
    }

    #[test]
    fn a_configuration_that_could_not_work_is_refused_at_start() {
        assert!(Issuers::new(vec![config()], "https://tessera.example").is_ok());
        assert!(matches!(refused(|c| c.url = "http://id.example".to_owned()), IssuerFault::Url(..)));
        assert!(matches!(refused(|c| c.algs = vec!["HS256".to_owned()]), IssuerFault::Alg(_)));
        assert!(matches!(refused(|c| c.algs = vec!["none".to_owned()]), IssuerFault::Alg(_)));
        assert!(matches!(refused(|c| c.tenant = None), IssuerFault::Tenant(_)));
        assert!(matches!(refused(|c| c.tenant_claim = Some("t".to_owned())), IssuerFault::Tenant(_)));
        assert!(matches!(refused(|c| c.roles_claim = "a..b".to_owned()), IssuerFault::RolesClaim(_)));
        assert!(matches!(refused(|c| c.role_map.clear()), IssuerFault::RoleMap(_)));
        assert!(matches!(refused(|c| c.url = "https://tessera.example".to_owned()), IssuerFault::Twice(_)));
    }
}
