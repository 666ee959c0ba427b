//! Versions of a key: rotated, moved, certified, destroyed.

use axum::extract::State as Room;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use edge::door::{BODY_BYTES_MAX, SMALL_BODY_BYTES_MAX};
use edge::idempotency::Mark;
use edge::problem::pages as common;
use edge::{Answer, Body, Call, Door, Doors, MaybeBody, Path, Permission, Problem, Raw, Who};
use schemars::JsonSchema;
use serde::Deserialize;

use super::keys::shown;
use super::pages;
use super::view::KeyView;
use crate::Custody;
use crate::moves::Rotate;
use crate::state::Verb;

const ADMIN: Who = Who::Role(Permission::KeysAdmin);
/// Media type of a chain (RFC 8555, 9.1).
pub(super) const CHAIN_MEDIA: &str = "application/pem-certificate-chain";
/// Characters of a reason: a line in a form. It is not kept: no event holds free text.
const REASON_CHARS_MAX: usize = 200;

pub(super) fn doors() -> Doors<Custody> {
    moves()
        .door(
            Door::post("/api/v1/keys/{id}/rotate")
                .operation("rotateKey")
                .summary("A new version takes over, now or ahead")
                .who(ADMIN)
                .optional_body::<RotateForm>(BODY_BYTES_MAX)
                .answer::<KeyView>(200, "The key")
                .problems(&[
                    &pages::NOT_FOUND,
                    &pages::STATE,
                    &pages::USE_REFUSED,
                    &pages::CERTIFICATE_AWAITED,
                    &pages::KEEPER_UNAVAILABLE,
                ])
                .idempotent(),
            rotate,
        )
        .door(
            Door::post("/api/v1/keys/{id}/versions/{version}/destroy")
                .operation("destroyKeyVersion")
                .summary("Destroys the private part of a version; in development only, as it asks for a second owner")
                .who(Who::Role(Permission::KeysDestroy))
                .body::<DestroyForm>(BODY_BYTES_MAX)
                .answer::<KeyView>(200, "The key")
                .problems(&[&pages::NOT_FOUND, &pages::STATE, &pages::USE_REFUSED, &pages::APPROVAL_REQUIRED])
                .idempotent(),
            destroy,
        )
        .door(
            Door::get("/api/v1/keys/{id}/versions/{version}/csr")
                .operation("showKeyCertificateRequest")
                .summary("The request for a certificate of a version, signed by it")
                .who(ADMIN)
                .answer_of(200, "application/x-pem-file", "The request in PEM")
                .problems(&[&pages::NOT_FOUND, &pages::STATE, &pages::USE_REFUSED, &pages::KEEPER_UNAVAILABLE]),
            csr,
        )
        .door(
            Door::put("/api/v1/keys/{id}/versions/{version}/certificate")
                .operation("putKeyCertificate")
                .summary("Takes the chain that an outside authority made for a version")
                .who(ADMIN)
                .raw(CHAIN_MEDIA, SMALL_BODY_BYTES_MAX)
                .answer::<KeyView>(200, "The key")
                .problems(&[&pages::NOT_FOUND, &pages::STATE, &pages::USE_REFUSED, &pages::CERTIFICATE_REFUSED]),
            put_certificate,
        )
}

/// One door for each verb of the table of states.
fn moves() -> Doors<Custody> {
    macro_rules! verb {
        ($doors:expr, $path:literal, $operation:literal, $summary:literal, $verb:expr) => {
            $doors.door(
                Door::post(concat!("/api/v1/keys/{id}/versions/{version}/", $path))
                    .operation($operation)
                    .summary($summary)
                    .who(ADMIN)
                    .optional_body::<MoveForm>(SMALL_BODY_BYTES_MAX)
                    .answer::<KeyView>(200, "The key")
                    .problems(&[
                        &pages::NOT_FOUND,
                        &pages::STATE,
                        &pages::USE_REFUSED,
                        &pages::CERTIFICATE_AWAITED,
                    ])
                    .idempotent(),
                async |room: Room<Custody>,
                       call: Call,
                       path: Path<(String, String)>,
                       body: MaybeBody<MoveForm>| { moved(room, call, path, body, $verb).await },
            )
        };
    }
    let doors = Doors::new();
    let doors =
        verb!(doors, "activate", "activateKeyVersion", "A pending version takes over", Verb::Activate);
    let doors = verb!(doors, "retire", "retireKeyVersion", "A version signs no more", Verb::Retire);
    let doors = verb!(doors, "freeze", "freezeKeyVersion", "A version stops signing for now", Verb::Freeze);
    let doors =
        verb!(doors, "unfreeze", "unfreezeKeyVersion", "A frozen version signs again", Verb::Unfreeze);
    verb!(doors, "compromise", "compromiseKeyVersion", "A version is believed no more", Verb::Compromise)
}

/// How a key is rotated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RotateForm {
    /// `compromised` gives the old version up at once; `scheduled` where nothing is said.
    #[serde(default)]
    reason: RotateReason,
    /// `ahead` publishes the new version and lets it take over later; `now` where nothing is said.
    #[serde(default)]
    activate: RotateWhen,
}

/// Why a key is rotated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RotateReason {
    /// In good order.
    #[default]
    Scheduled,
    /// Somebody else may know the private part.
    Compromised,
}

/// When the new version takes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RotateWhen {
    /// At once.
    #[default]
    Now,
    /// After `publish_ahead_s`.
    Ahead,
}

/// Why a version is moved.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MoveForm {
    /// For whoever reads the request; it is not kept.
    #[serde(default)]
    #[schemars(length(max = 200))]
    reason: Option<String>,
}

/// A version to destroy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DestroyForm {
    /// The `kid` of the version, so that nobody destroys another one by mistake.
    confirm: String,
    /// At once; in development only.
    #[serde(default)]
    now: bool,
}

/// `POST /api/v1/keys/{id}/rotate`.
async fn rotate(
    Room(custody): Room<Custody>,
    call: Call,
    Path(id): Path<String>,
    MaybeBody(body): MaybeBody<RotateForm>,
) -> Result<Answer<KeyView>, Problem> {
    let how = body.unwrap_or_default().how()?;
    let mark = call.mark.as_ref().map(Mark::close);
    let (key, committed) = custody.rotate(&call.ctx, &id, how, mark).await?;
    Ok(shown(Answer::ok, &key, call.ctx.now).event(&committed))
}

/// `POST /api/v1/keys/{id}/versions/{version}/VERB`.
async fn moved(
    Room(custody): Room<Custody>,
    call: Call,
    Path((id, version)): Path<(String, String)>,
    MaybeBody(body): MaybeBody<MoveForm>,
    verb: Verb,
) -> Result<Answer<KeyView>, Problem> {
    body.unwrap_or_default().check()?;
    let mark = call.mark.as_ref().map(Mark::close);
    let (key, committed) = custody.move_version(&call.ctx, &id, number(&version)?, verb, mark).await?;
    Ok(shown(Answer::ok, &key, call.ctx.now).event(&committed))
}

/// `POST /api/v1/keys/{id}/versions/{version}/destroy`.
async fn destroy(
    Room(custody): Room<Custody>,
    call: Call,
    Path((id, version)): Path<(String, String)>,
    Body(body): Body<DestroyForm>,
) -> Result<Answer<KeyView>, Problem> {
    let mark = call.mark.as_ref().map(Mark::close);
    let wish = (body.confirm.as_str(), body.now);
    let (key, committed) = custody.destroy(&call.ctx, &id, number(&version)?, wish, mark).await?;
    Ok(shown(Answer::ok, &key, call.ctx.now).event(&committed))
}

/// `GET /api/v1/keys/{id}/versions/{version}/csr`.
async fn csr(
    Room(custody): Room<Custody>,
    call: Call,
    Path((id, version)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let pem = custody.certificate_request(&call.ctx, &id, number(&version)?).await?;
    Ok(text(pem, "application/x-pem-file"))
}

/// `PUT /api/v1/keys/{id}/versions/{version}/certificate`.
async fn put_certificate(
    Room(custody): Room<Custody>,
    call: Call,
    Path((id, version)): Path<(String, String)>,
    raw: Raw,
) -> Result<Answer<KeyView>, Problem> {
    let pem = std::str::from_utf8(&raw.bytes)
        .map_err(|_| Problem::of(&pages::CERTIFICATE_REFUSED).detail("the body is not text"))?;
    let (key, committed) = custody.put_certificate(&call.ctx, &id, number(&version)?, pem).await?;
    Ok(shown(Answer::ok, &key, call.ctx.now).event(&committed))
}

impl RotateForm {
    fn how(&self) -> Result<Rotate, Problem> {
        match (self.reason, self.activate) {
            (RotateReason::Scheduled, RotateWhen::Now) => Ok(Rotate::Now),
            (RotateReason::Scheduled, RotateWhen::Ahead) => Ok(Rotate::Ahead),
            (RotateReason::Compromised, RotateWhen::Now) => Ok(Rotate::Compromised),
            (RotateReason::Compromised, RotateWhen::Ahead) => {
                Err(Problem::of(&common::INVALID).at("/activate", "is now when the reason is compromised"))
            }
        }
    }
}

impl MoveForm {
    fn check(&self) -> Result<(), Problem> {
        match &self.reason {
            Some(reason) if reason.chars().count() > REASON_CHARS_MAX => {
                Err(Problem::of(&common::INVALID).at("/reason", "has at most 200 characters"))
            }
            _ => Ok(()),
        }
    }
}

/// A version's number in a path; what is none names no version.
fn number(text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| Problem::of(&pages::NOT_FOUND))
}

/// Text of a media type.
pub(super) fn text(body: String, media: &'static str) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
