//! The wallet's doors (OpenID4VCI 1.0) and the public documents of an issuer.

use super::refusal::{self, Refused};
use super::wire::Aggregation;
use crate::metadata::Document;
use crate::possession::{Presented, Shown};
use crate::{Issuer, page};
use ::store::StoreFault;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use edge::problem::pages;
use edge::{Answer, Call, Door, Doors, Form, Path, Problem, Raw, Who};
use openid::oauth::{AuthorizationServerMetadata, TokenResponse};
use openid::vci::notification::NOTIFICATION_BYTES_MAX;
use openid::vci::request::{CREDENTIAL_REQUEST_BYTES_MAX, access_token};
use openid::vci::{CredentialOffer, CredentialResponse, NonceResponse};

/// The header of a proof of possession (RFC 9449, 4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");
/// The header of an attestation of a wallet (attestation-based client authentication, draft 07, 6.1).
const ATTESTATION: HeaderName = HeaderName::from_static("oauth-client-attestation");
/// The header of the proof that goes with it.
const ATTESTATION_POP: HeaderName = HeaderName::from_static("oauth-client-attestation-pop");
/// Bytes of a token request: a code and a client id.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Status lists that one aggregation names; a tenant with more has a hundred million copies.
const LISTS_NAMED_MAX: usize = 1_000;
/// Seconds that a cache may keep a metadata document.
const METADATA_MAX_AGE: &str = "public, max-age=300";

pub(super) fn doors() -> Doors<Issuer> {
    issuing().and(telling()).and(documents())
}

fn issuing() -> Doors<Issuer> {
    Doors::new()
        .door(
            Door::get("/t/{tenant}/vci/offer/{secret}")
                .operation("fetchCredentialOffer")
                .summary("The offer object behind a link (OpenID4VCI 1.0, 4.1.3); reading does not spend it")
                .who(Who::Tenant)
                .answer_of(200, "application/json", "the offer object")
                .cors(),
            offer_object,
        )
        .door(
            Door::post("/t/{tenant}/vci/token")
                .operation("redeemCode")
                .summary("Redeems a pre-authorised code, once (OpenID4VCI 1.0, 6)")
                .who(Who::Tenant)
                .form::<TokenForm>(TOKEN_BYTES_MAX)
                .answer_of(200, "application/json", "an access token")
                .oauth()
                .cors(),
            token,
        )
        .door(
            Door::post("/t/{tenant}/vci/nonce")
                .operation("fetchNonce")
                .summary("A fresh nonce for key proofs (OpenID4VCI 1.0, 7)")
                .who(Who::Tenant)
                .answer_of(200, "application/json", "a nonce")
                .oauth()
                .cors(),
            nonce,
        )
        .door(
            Door::post("/t/{tenant}/vci/credential")
                .operation("fetchCredential")
                .summary("Issues what the access token allows (OpenID4VCI 1.0, 8)")
                .who(Who::Tenant)
                .raw("application/json", CREDENTIAL_REQUEST_BYTES_MAX)
                .answer_of(200, "application/json", "the credential")
                .problems(&[&page::SIGNER_EXPIRING, &page::SIGNER_UNAVAILABLE])
                .oauth()
                .cors(),
            issue,
        )
}

fn telling() -> Doors<Issuer> {
    Doors::new().door(
        Door::post("/t/{tenant}/vci/notification")
            .operation("notifyIssuer")
            .summary("What became of the credentials of one answer (OpenID4VCI 1.0, 11)")
            .who(Who::Tenant)
            .raw("application/json", NOTIFICATION_BYTES_MAX)
            .empty(204, "heard, the second time too")
            .oauth()
            .cors(),
        notify,
    )
}

fn documents() -> Doors<Issuer> {
    Doors::new()
        .door(
            Door::get("/.well-known/openid-credential-issuer/t/{tenant}")
                .operation("fetchIssuerMetadata")
                .summary("Credential issuer metadata (OpenID4VCI 1.0, 12.2)")
                .who(Who::Tenant)
                .answer_of(200, "application/json", "the metadata")
                .cors(),
            issuer_metadata,
        )
        .door(
            Door::get("/.well-known/oauth-authorization-server/t/{tenant}")
                .operation("fetchServerMetadata")
                .summary("Authorization server metadata (RFC 8414)")
                .who(Who::Tenant)
                .answer_of(200, "application/json", "the metadata")
                .cors(),
            server_metadata,
        )
        .door(
            Door::get("/t/{tenant}/status/{list}")
                .operation("fetchStatusList")
                .summary("A signed status list (Token Status List, 8)")
                .who(Who::Tenant)
                .answer_of(200, "application/statuslist+jwt", "the list")
                .empty(304, "the list is the one that the caller has")
                .problems(&[&page::TIME_NOT_SERVED, &page::SIGNER_EXPIRING, &page::SIGNER_UNAVAILABLE])
                .cors(),
            status_list,
        )
        .door(
            Door::get("/t/{tenant}/status")
                .operation("listPublishedStatusLists")
                .summary("The URIs of all status lists of an issuer")
                .who(Who::Tenant)
                .answer::<Aggregation>(200, "the URIs")
                .cors(),
            aggregation,
        )
}

/// The form of a token request, for the OpenAPI document.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form is read by openid::oauth::Form; this describes it")]
struct TokenForm {
    /// `urn:ietf:params:oauth:grant-type:pre-authorized_code`
    grant_type: String,
    /// The code of the offer.
    #[schemars(rename = "pre-authorized_code")]
    pre_authorized_code: String,
    /// The transaction code, where the offer asks for one.
    tx_code: Option<String>,
    /// The wallet's own name, if it has one.
    client_id: Option<String>,
}

/// What a wallet sent to prove who it is. Two of one kind are none that can be read: which one counted would depend on who reads.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut named = headers.get_all(name).iter();
    match (named.next(), named.next()) {
        (None, _) => None,
        (Some(value), None) => Some(value.to_str().unwrap_or_default()),
        (Some(_), Some(_)) => Some(""),
    }
}

/// The access token and how it is shown.
fn shown<'h>(headers: &'h HeaderMap, query: Option<&str>) -> Result<Shown<'h>, Refused> {
    let access = access_token(one(headers, &header::AUTHORIZATION), query)
        .map_err(|refusal| refusal::refused_resource(refusal, false))?;
    Ok(Shown { access, dpop: one(headers, &DPOP) })
}

/// A nonce for the next DPoP proof of a wallet that sends proofs.
async fn next_nonce(issuer: &Issuer, call: &Call, headers: &HeaderMap) -> Result<Option<String>, StoreFault> {
    match headers.contains_key(DPOP) {
        true => issuer.dpop_nonce(&call.ctx).await.map(Some),
        false => Ok(None),
    }
}

/// An answer with a nonce for the next DPoP proof.
fn answered<T: serde::Serialize>(body: T, nonce: Option<&str>) -> Answer<T> {
    match nonce {
        Some(nonce) => Answer::ok(body).header(refusal::DPOP_NONCE, nonce),
        None => Answer::ok(body),
    }
}

async fn offer_object(
    State(issuer): State<Issuer>,
    call: Call,
    Path((_, secret)): Path<(String, String)>,
) -> Result<Answer<CredentialOffer>, Problem> {
    match issuer.offer_object(&call.ctx, call.tenant_name(), &secret).await {
        Ok(offer) => Ok(Answer::ok(offer)),
        Err(crate::offer::OfferError::Store(fault)) => Err(fault.into()),
        Err(_) => Err(Problem::of(&pages::NOT_FOUND)),
    }
}

async fn token(
    State(issuer): State<Issuer>,
    call: Call,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Answer<TokenResponse>, Refused> {
    let presented = Presented {
        dpop: one(&headers, &DPOP),
        attestation: one(&headers, &ATTESTATION),
        attestation_pop: one(&headers, &ATTESTATION_POP),
    };
    let nonce = next_nonce(&issuer, &call, &headers).await?;
    let granted = issuer.grant(&call.ctx, call.tenant_name(), &form, &presented).await;
    Ok(answered(
        granted.map_err(|fault| refusal::grant(fault).with_dpop_nonce(nonce.as_deref()))?,
        nonce.as_deref(),
    ))
}

async fn nonce(State(issuer): State<Issuer>, call: Call) -> Result<Answer<NonceResponse>, Refused> {
    let nonce = issuer.nonce(&call.ctx).await?;
    let for_proofs = issuer.dpop_nonce(&call.ctx).await?;
    Ok(answered(nonce, Some(&for_proofs)))
}

async fn issue(
    State(issuer): State<Issuer>,
    call: Call,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Raw,
) -> Result<Answer<CredentialResponse>, Refused> {
    let shown = shown(&headers, query.as_deref())?;
    let nonce = next_nonce(&issuer, &call, &headers).await?;
    let issued = issuer.issue(&call.ctx, call.tenant_name(), &shown, &body.bytes).await;
    Ok(answered(
        issued.map_err(|fault| refusal::issue(fault).with_dpop_nonce(nonce.as_deref()))?,
        nonce.as_deref(),
    ))
}

async fn notify(
    State(issuer): State<Issuer>,
    call: Call,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Raw,
) -> Result<StatusCode, Refused> {
    let shown = shown(&headers, query.as_deref())?;
    let nonce = next_nonce(&issuer, &call, &headers).await?;
    let told = issuer.notify(&call.ctx, call.tenant_name(), &shown, &body.bytes).await;
    told.map_err(|fault| refusal::issue(fault).with_dpop_nonce(nonce.as_deref()))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn issuer_metadata(State(issuer): State<Issuer>, call: Call) -> Result<Answer<Document>, Problem> {
    let metadata = issuer.issuer_document(&call.ctx, call.tenant_name()).await?;
    Ok(Answer::ok(metadata).header(header::CACHE_CONTROL, METADATA_MAX_AGE))
}

async fn server_metadata(State(issuer): State<Issuer>, call: Call) -> Answer<AuthorizationServerMetadata> {
    Answer::ok(issuer.server_metadata(call.tenant_name())).header(header::CACHE_CONTROL, METADATA_MAX_AGE)
}

/// `Cache-Control: no-cache`: a cache that held the list for its ttl would double the delay of a revocation.
async fn status_list(
    State(issuer): State<Issuer>,
    call: Call,
    RawQuery(query): RawQuery,
    Path((_, list)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if query.as_deref().is_some_and(asks_for_a_time) {
        return Err(Problem::of(&page::TIME_NOT_SERVED));
    }
    let number = list_number(&list).ok_or_else(|| Problem::of(&pages::NOT_FOUND))?;
    let signed = issuer.status_list(&call.ctx, call.tenant_name(), number).await.map_err(refusal::list)?;
    let own: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "application/statuslist+jwt"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::ETAG, &signed.etag),
    ];
    if knows(&headers, &signed.etag) {
        return Ok((StatusCode::NOT_MODIFIED, own).into_response());
    }
    Ok((own, signed.token).into_response())
}

/// Whether a query has the parameter `time` (Token Status List, 8.4).
fn asks_for_a_time(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("time"))
}

/// The number of a list as its URI writes it: no sign and no leading zero, as a list's `sub` is compared byte by byte.
fn list_number(text: &str) -> Option<i64> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number.into())
}

/// Whether `If-None-Match` names this signature (RFC 9110, 13.1.2: weak comparison, any of a list, or `*`).
fn knows(headers: &HeaderMap, etag: &str) -> bool {
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == etag)
}

async fn aggregation(State(issuer): State<Issuer>, call: Call) -> Result<Answer<Aggregation>, Problem> {
    let rows = issuer.lists(&call.ctx, -1, LISTS_NAMED_MAX).await?;
    let uri = |row: crate::store::ListRow| issuer.config.list_uri(call.tenant_name(), row.list);
    Ok(Answer::ok(Aggregation { status_lists: rows.into_iter().map(uri).collect() }))
}
