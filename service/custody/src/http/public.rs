//! Public parts: of one key in five formats, of a tenant as a key set, of its anchors.

use axum::extract::State as Room;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use crypto::cbor;
use crypto::cose::key as cose_key;
use crypto::key::PublicKey;
use edge::problem::pages as common;
use edge::{Answer, Call, Door, Doors, Path, Permission, Problem, Query, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::TenantId;

use super::pages;
use super::versions::{CHAIN_MEDIA, text};
use crate::key::{Key, Version};
use crate::moves::pem;
use crate::rotation::JWKS_MAX_AGE_S;
use crate::{Context, Custody, jwks};

pub(super) fn doors() -> Doors<Custody> {
    Doors::new()
        .door(
            Door::get("/api/v1/keys/{id}/public")
                .operation("showPublicKey")
                .summary("The public part of a key, as jwk, jwks, pem, cose or raw")
                .who(Who::Role(Permission::KeysPublic))
                .query::<PublicQuery>()
                .answer::<Map<String, Value>>(200, "A JWK, or a set of them")
                .answer_of(200, "application/x-pem-file", "SubjectPublicKeyInfo in PEM")
                .answer_of(200, "application/cose-key", "A COSE_Key")
                .answer_of(200, "application/octet-stream", "The bare bytes")
                .problems(&[&pages::NOT_FOUND]),
            public,
        )
        .door(
            Door::get("/t/{tenant}/jwks")
                .operation("showTenantKeys")
                .summary("Public parts of the tenant's keys for JWS and COSE")
                .who(Who::Tenant)
                .answer::<KeySet>(200, "The set")
                .cors(),
            tenant_keys,
        )
        .door(
            Door::get("/oauth/jwks")
                .operation("showTokenKeys")
                .summary("Public parts of the keys that sign access tokens")
                .who(Who::Public)
                .answer::<KeySet>(200, "The set")
                .cors(),
            token_keys,
        )
        .door(
            Door::get("/.well-known/jwt-vc-issuer/t/{tenant}")
                .operation("showCredentialIssuerKeys")
                .summary("The keys that sign the tenant's credentials (SD-JWT VC)")
                .who(Who::Tenant)
                .answer::<VcIssuer>(200, "Issuer and set")
                .cors(),
            vc_issuer,
        )
        .door(
            Door::get("/t/{tenant}/trust/anchors.pem")
                .operation("showTenantAnchors")
                .summary("The tenant's own roots, in PEM")
                .who(Who::Tenant)
                .answer_of(200, CHAIN_MEDIA, "The certificates")
                .cors(),
            anchors,
        )
}

/// A set of public keys (RFC 7517).
#[derive(Debug, Serialize, JsonSchema)]
struct KeySet {
    /// The keys, with `kid` and what they are for.
    keys: Vec<Map<String, Value>>,
}

/// Metadata of an issuer of SD-JWT VCs.
#[derive(Debug, Serialize, JsonSchema)]
struct VcIssuer {
    /// The issuer's identifier.
    issuer: String,
    /// Its keys.
    jwks: KeySet,
}

/// Which public part, and how.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PublicQuery {
    /// `jwk` where nothing is said.
    #[serde(default)]
    format: Format,
    /// The version in use where nothing is said.
    version: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Jwk,
    Jwks,
    Pem,
    Cose,
    Raw,
}

/// `GET /api/v1/keys/{id}/public`.
async fn public(
    Room(custody): Room<Custody>,
    call: Call,
    Path(id): Path<String>,
    Query(query): Query<PublicQuery>,
) -> Result<Response, Problem> {
    let key = custody.key(&call.ctx, &id).await?;
    if matches!(query.format, Format::Jwks) {
        return Ok(Answer::ok(custody.key_set(&key, call.ctx.now)).into_response());
    }
    let number = query.version.or(key.in_use).unwrap_or(key.last_version);
    let version = key.version(number).ok_or_else(|| Problem::of(&pages::NOT_FOUND))?;
    written(&key, version, query.format)
}

fn written(key: &Key, version: &Version, format: Format) -> Result<Response, Problem> {
    match format {
        Format::Jwk | Format::Jwks => Ok(Answer::ok(jwks::jwk(key, version)).into_response()),
        Format::Pem => Ok(text(pem("PUBLIC KEY", &version.public.spki_der()), "application/x-pem-file")),
        Format::Raw => Ok(bytes(version.public.raw().to_vec(), "application/octet-stream")),
        Format::Cose => {
            let none = || {
                let rule = "cose is for elliptic curves and Ed25519";
                Problem::of(&common::INVALID_QUERY).at("?format", rule)
            };
            let encoded = cose(&version.public, &version.kid).ok_or_else(none)?;
            Ok(bytes(encoded, "application/cose-key"))
        }
    }
}

/// A COSE_Key with its `kid`.
fn cose(public: &PublicKey, kid: &str) -> Option<Vec<u8>> {
    let cbor::Value::Map(mut members) = cose_key::to_value(public)? else { return None };
    members.push((cbor::Value::int(2), cbor::Value::bytes(crypto::base64::url_decode(kid).ok()?)));
    Some(cbor::encode(&cbor::Value::Map(members)))
}

/// `GET /t/{tenant}/jwks`.
async fn tenant_keys(Room(custody): Room<Custody>, call: Call) -> Result<Response, Problem> {
    Ok(cached(Answer::ok(custody.jwks(&call.ctx).await?)))
}

/// `GET /oauth/jwks`.
async fn token_keys(Room(custody): Room<Custody>, call: Call) -> Result<Response, Problem> {
    Ok(cached(Answer::ok(custody.token_jwks(&call.ctx.for_tenant(TenantId::SYSTEM)).await?)))
}

/// `GET /.well-known/jwt-vc-issuer/t/{tenant}`.
async fn vc_issuer(Room(custody): Room<Custody>, call: Call) -> Result<Response, Problem> {
    Ok(cached(Answer::ok(custody.vc_issuer(&call.ctx, call.tenant_name()).await?)))
}

/// `GET /t/{tenant}/trust/anchors.pem`.
async fn anchors(Room(custody): Room<Custody>, call: Call) -> Result<Response, Problem> {
    let own = custody.anchors(&call.ctx, Context::Issuer, None).await?;
    let own = own.iter().filter(|anchor| anchor.is_own);
    let ders: Vec<&[u8]> = own.map(|anchor| anchor.certificate.der()).collect();
    Ok(text(crypto::x509::pem::encode_chain(&ders), CHAIN_MEDIA))
}

/// Others may keep it for an hour: a new version is published longer than that before it signs.
fn cached(answer: Answer<Value>) -> Response {
    answer.header(header::CACHE_CONTROL, &format!("public, max-age={JWKS_MAX_AGE_S}")).into_response()
}

fn bytes(body: Vec<u8>, media: &'static str) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
