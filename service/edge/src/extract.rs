//! What a handler is given: the call, and its body, form or query, read strictly.

use crate::browser::Browser;
use crate::door::{BodySpec, DoorSpec};
use crate::idempotency::Mark;
use crate::limit::{Class, Limited};
use crate::problem::{Problem, pages};
use crate::strict;
use crate::token::Principal;
use crate::{Edge, oauth::OauthAnswer};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use crypto::secret::Secret;
use http::{HeaderMap, header, request::Parts};
use http_body_util::{BodyExt, Limited as BoundedBody};
use openid::oauth::Form as OauthForm;
use serde::de::DeserializeOwned;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use store::Ctx;
use tenancy::{Roles, Tenant};

/// A body must be there within this time (L&O §8).
pub const BODY_TIMEOUT_S: u64 = 30;

/// Bytes of a query: ids, cursors and filters are short (L&O §8 bounds the whole URL at 8 KiB).
pub const QUERY_BYTES_MAX: usize = 4 << 10;

/// A call that came through its door: who, for whom, when.
#[derive(Clone, Debug)]
pub struct Call {
    /// Tenant, actor, time, request id, entropy.
    pub ctx: Ctx,
    /// Who calls, where the door asked for it or (at a log door) a token of ours came.
    pub principal: Option<Principal>,
    /// The tenant of the path, at doors under `/t/{tenant}`; at doors of the console the one that is acted in.
    pub tenant: Option<Arc<Tenant>>,
    /// At a log door, a bearer text that is no token of ours: the room looks for it among its own.
    pub bearer: Option<Arc<Secret<String>>>,
    /// The browser that a page is made for, at doors of the console.
    pub browser: Option<Browser>,
    /// The mark of `Idempotency-Key`: [`Mark::close`] goes into the act's own unit.
    pub mark: Option<Mark>,
    edge: Edge,
    address: Address,
}

/// Where the request came from; `Debug` shows nothing of it, since calls may stand in logs.
#[derive(Clone)]
struct Address(IpAddr);

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address(…)")
    }
}

impl Call {
    pub(crate) fn new(ctx: Ctx, edge: Edge, address: IpAddr) -> Self {
        Self {
            ctx,
            principal: None,
            tenant: None,
            bearer: None,
            browser: None,
            mark: None,
            edge,
            address: Address(address),
        }
    }

    /// The roles of whoever calls; none for a stranger.
    #[must_use]
    pub fn roles(&self) -> Roles {
        self.principal.as_ref().map_or(Roles::NONE, |principal| principal.roles)
    }

    /// The name of [`Call::tenant`]. At every other door the instance itself.
    #[must_use]
    pub fn tenant_name(&self) -> &str {
        self.tenant.as_ref().map_or("system", |tenant| tenant.name.as_str())
    }

    /// Counts one request of `key` in a class that only the room can key: the client at a token door, the session at a code
    /// door.
    ///
    /// # Errors
    /// 429 with the wait.
    pub fn limit(&self, class: Class, key: &str) -> Result<(), Problem> {
        self.edge.limits().actor(class, self.ctx.tenant.as_str(), key).map_err(limited)
    }

    /// The network of the caller (an IPv4 address, an IPv6 /64), for a room that counts sockets. It goes under a keyed hash and
    /// nowhere else.
    #[must_use]
    pub fn network(&self) -> Vec<u8> {
        crate::limit::network(self.address.0)
    }

    /// What every door shares.
    #[must_use]
    pub const fn edge(&self) -> &Edge {
        &self.edge
    }
}

/// 429 with `Retry-After`.
pub(crate) fn limited(limit: Limited) -> Problem {
    let wait = jiff::SignedDuration::try_from(limit.retry_after).unwrap_or(jiff::SignedDuration::MAX);
    // A fraction of a second would become 0: the caller would come too early.
    let whole = jiff::SignedDuration::from_secs(wait.as_secs() + i64::from(wait.subsec_nanos() > 0));
    Problem::of(&pages::RATE_LIMITED).retry_after(whole)
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unhung)
    }
}

/// A JSON body of the shape `T`: size before parse, depth, duplicates and unknown members refused with a pointer.
#[derive(Clone, Copy, Debug)]
pub struct Body<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (bytes, spec) = read(request, "application/json").await?;
        strict::read(&bytes, spec.bytes_max).map(Self)
    }
}

/// As [`Body`], for doors whose request may leave it out.
#[derive(Clone, Copy, Debug)]
pub struct MaybeBody<T>(pub Option<T>);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let absent = !request.headers().contains_key(header::CONTENT_TYPE);
        let door = door(&request)?;
        if absent {
            let spec = spec_of(&door, "application/json")?;
            let bytes = collect(request, spec.bytes_max).await?;
            return if bytes.is_empty() { Ok(Self(None)) } else { Err(wrong_media(&door)) };
        }
        let (bytes, spec) = read(request, "application/json").await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        strict::read(&bytes, spec.bytes_max).map(|value| Self(Some(value)))
    }
}

/// A form of an OAuth door: a parameter that comes twice or cannot be read is refused.
#[derive(Debug)]
pub struct Form(pub OauthForm);

impl<S: Sync> FromRequest<S> for Form {
    type Rejection = FormRefused;

    async fn from_request(request: Request, _state: &S) -> Result<Self, FormRefused> {
        let (bytes, spec) =
            read(request, "application/x-www-form-urlencoded").await.map_err(FormRefused::Problem)?;
        OauthForm::parse(&bytes, spec.bytes_max).map(Self).map_err(|fault| {
            FormRefused::Oauth(Box::new(OauthAnswer::from(openid::oauth::OauthError::from(fault))))
        })
    }
}

/// Why a form was not taken.
#[derive(Debug)]
pub enum FormRefused {
    /// Size, type or time.
    Problem(Problem),
    /// Its content.
    Oauth(Box<OauthAnswer>),
}

impl axum::response::IntoResponse for FormRefused {
    fn into_response(self) -> axum::response::Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Oauth(answer) => answer.into_response(),
        }
    }
}

/// A body of a media type that the door names, as it came.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The media type, without parameters, lower case.
    pub media: String,
    /// The bytes, within the door's bound.
    pub bytes: Bytes,
}

impl<S: Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let media = media_of(request.headers())
            .ok_or_else(|| door(&request).map_or_else(|p| p, |d| wrong_media(&d)))?;
        let (bytes, _) = read(request, &media).await?;
        Ok(Self { media, bytes })
    }
}

/// The parameters of the path as `T`: a text for one, a tuple for several.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(path) => Ok(Self(path.0)),
            Err(_) => Err(Problem::of(&pages::BAD_REQUEST).detail("the path cannot be read")),
        }
    }
}

/// The query of the shape `T`: unknown and repeated parameters are refused by name.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// Reads a query.
///
/// # Errors
/// `api/invalid-query` with `?name` and the rule.
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(Problem::of(&pages::INVALID_QUERY).detail("the query is longer than 4 KiB"));
    }
    let form = OauthForm::parse(text.as_bytes(), QUERY_BYTES_MAX)
        .map_err(|fault| Problem::of(&pages::INVALID_QUERY).detail(fault.to_string()))?;
    let pairs: Vec<(&str, &str)> =
        form.names().map(|name| (name, form.get(name).unwrap_or_default())).collect();
    let whole: serde_json::Value =
        pairs.iter().map(|(k, v)| ((*k).to_owned(), serde_json::Value::from(*v))).collect();
    let reader = serde::de::value::MapDeserializer::new(pairs.iter().map(|(k, v)| (*k, Word(v))));
    serde_path_to_error::deserialize(reader).map_err(
        |fault: serde_path_to_error::Error<serde::de::value::Error>| {
            let at = match fault.path().to_string() {
                path if path == "." => String::new(),
                path => format!("/{path}"),
            };
            let found = strict::fault_of(&at, &fault.inner().to_string(), &whole);
            let pointer = format!("?{}", found.pointer.trim_start_matches('/'));
            Problem::of(&pages::INVALID_QUERY)
                .detail(format!("{pointer}: {}", found.detail))
                .at(pointer, found.detail)
        },
    )
}

/// A word of a query, read as whatever its member is.
struct Word<'a>(&'a str);

macro_rules! words {
    ($($method:ident $visit:ident $type:ty, $expected:literal;)*) => {$(
        fn $method<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(serde::de::Error::custom(concat!("expected ", $expected))),
            }
        }
    )*};
}

impl<'de> serde::Deserializer<'de> for Word<'de> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_borrowed_str(self.0)
    }

    words! {
        deserialize_bool visit_bool bool, "true or false";
        deserialize_u8 visit_u8 u8, "a whole number up to 255";
        deserialize_u16 visit_u16 u16, "a whole number up to 65535";
        deserialize_u32 visit_u32 u32, "a whole number";
        deserialize_u64 visit_u64 u64, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
    }

    fn deserialize_option<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: serde::de::Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: serde::de::Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        use serde::de::IntoDeserializer;
        let word: serde::de::value::StrDeserializer<'_, Self::Error> = self.0.into_deserializer();
        word.deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl<'de> serde::de::IntoDeserializer<'de, serde::de::value::Error> for Word<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads the whole body of one of the door's media types.
async fn read(request: Request, media: &str) -> Result<(Bytes, BodySpec), Problem> {
    let door = door(&request)?;
    let came = media_of(request.headers());
    if came.as_deref() != Some(media) || is_encoded(request.headers()) {
        return Err(wrong_media(&door));
    }
    let spec = spec_of(&door, media)?;
    Ok((collect(request, spec.bytes_max).await?, spec))
}

/// The body, at most `bytes_max` bytes of it and within [`BODY_TIMEOUT_S`].
pub(crate) async fn collect(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let told =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if told.is_some_and(|length: u64| length > bytes_max as u64) {
        return Err(strict::too_large(bytes_max));
    }
    let body = BoundedBody::new(request.into_body(), bytes_max);
    match tokio::time::timeout(Duration::from_secs(BODY_TIMEOUT_S), body.collect()).await {
        Err(_) => Err(Problem::of(&pages::BODY_TIMEOUT)),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(fault)) if fault.is::<http_body_util::LengthLimitError>() => Err(strict::too_large(bytes_max)),
        Ok(Err(_)) => Err(Problem::of(&pages::BAD_REQUEST).detail("the body ended before its end")),
    }
}

fn door(request: &Request) -> Result<Arc<DoorSpec>, Problem> {
    request.extensions().get::<Arc<DoorSpec>>().cloned().ok_or_else(unhung)
}

fn spec_of(door: &DoorSpec, media: &str) -> Result<BodySpec, Problem> {
    door.bodies.iter().find(|body| body.media == media).copied().ok_or_else(|| wrong_media(door))
}

fn wrong_media(door: &DoorSpec) -> Problem {
    let takes: Vec<&str> = door.bodies.iter().map(|body| body.media).collect();
    Problem::of(&pages::UNSUPPORTED_MEDIA_TYPE).detail(format!("this door takes {}", takes.join(" or ")))
}

/// The media type, without parameters; none where the header is missing, comes twice, or names a charset other than UTF-8.
fn media_of(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(header::CONTENT_TYPE).iter();
    let (value, None) = (all.next()?, all.next()) else { return None };
    let text = value.to_str().ok()?.to_ascii_lowercase();
    let (media, parameters) = text.split_once(';').unwrap_or((&text, ""));
    let charset =
        parameters.split(';').filter_map(|parameter| parameter.trim().strip_prefix("charset=")).next();
    let utf8 = charset.is_none_or(|charset| charset.trim_matches('"') == "utf-8");
    utf8.then(|| media.trim().to_owned())
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity")
}

/// A handler outside a door: a defect of ours.
fn unhung() -> Problem {
    tracing::error!("a handler was called outside its door");
    Problem::of(&pages::FAULT)
}
