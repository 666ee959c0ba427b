//! Enrolling: the challenge, and the device that brings its keys and its anchor.

use super::super::refusal;
use super::caller::{Newcomer, REPLY_MEDIA_TYPE, replied};
use crate::enrolment::{Begun, Completion, EnrolError, State as EnrolmentState};
use crate::{Idp, page};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use crypto::base64;
use edge::problem::pages;
use edge::{Answer, Body, Call, Door, Doors, Path, Problem, Who, strict};
use schemars::JsonSchema;
use seal::code::FaceVerdict;
use seal::code::answer::BODY_BYTES_MAX;
use seal::code::keys::read_point;
use seal::door::RELAY_BYTES_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tlog::event::Event;

/// Bytes of an attestation: a chain of five certificates.
const ATTESTATION_BYTES_MAX: usize = 24 << 10;

pub(super) fn doors() -> Doors<Idp> {
    Doors::new()
        .door(
            Door::post("/t/{tenant}/seal/enrolments")
                .operation("beginEnrolment")
                .summary("Gives a wallet the challenge of its enrolment")
                .who(Who::Tenant)
                .body::<BeginForm>(4 << 10)
                .answer::<BegunView>(201, "the challenge")
                .problems(&[&page::INVITE_INVALID])
                .cors(),
            begin,
        )
        .door(
            Door::put("/t/{tenant}/seal/enrolments/{id}")
                .operation("completeEnrolment")
                .summary("Enrols a device: its keys, its attestation, its anchor")
                .who(Who::Tenant)
                .body::<EnrolForm>(BODY_BYTES_MAX)
                .answer_of(201, REPLY_MEDIA_TYPE, "the enrolment, signed")
                .answer_of(202, REPLY_MEDIA_TYPE, "the enrolment of a second device, which waits, signed")
                .problems(&[
                    &page::PROOF_INVALID,
                    &page::INVITE_INVALID,
                    &page::ALREADY_ENROLLED,
                    &page::ANCHOR_UNTRUSTED,
                    &page::ANCHOR_REVOKED,
                    &page::DOCUMENT_MISMATCH,
                    &page::KEY_UNATTESTED,
                    &page::OUT_OF_TURN,
                    &page::SIGNER_EXPIRING,
                ])
                .cors(),
            complete,
        )
}

/// A wallet that wants to enrol.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BeginForm {
    /// The secret of an invite.
    #[serde(default)]
    #[schemars(length(max = 64))]
    invite: Option<String>,
    /// Name and version of the wallet.
    #[schemars(length(max = 100))]
    wallet: String,
}

/// The challenge of an enrolment.
#[derive(Serialize, JsonSchema)]
struct BegunView {
    /// `enr_…`.
    enrolment: String,
    /// 32 bytes, base64url.
    challenge: String,
    /// When it ends.
    expires_at: String,
    /// Whose documents are accepted.
    anchors_accepted: Vec<Value>,
    /// Whether a face must be matched.
    face_required: bool,
}

/// Keys, attestation and anchor of a device. Bytes are base64url.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EnrolForm {
    /// The DeviceKey: a point on P-256, uncompressed.
    dk: String,
    /// The agreement key: the same.
    d: String,
    /// Who vouches for the DeviceKey.
    attestation: Part,
    /// Who vouches for the person.
    anchor: Anchor,
    /// What the wallet says of a face.
    #[serde(default)]
    face: Option<Value>,
    /// Proof of possession of D.
    d_proof: String,
    /// An invite of the relay network that the metadata names, base64url: sign-ins are pushed to it.
    #[serde(default)]
    relay: Option<String>,
}

/// An attestation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Part {
    /// `none` in this version.
    format: String,
    /// Empty for `none`.
    #[serde(default)]
    data: String,
}

/// An anchor.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Anchor {
    /// `vds`, or `none` where that is allowed.
    kind: String,
    /// Empty for `none`.
    #[serde(default)]
    data: String,
}

async fn begin(
    State(idp): State<Idp>,
    call: Call,
    Body(form): Body<BeginForm>,
) -> Result<Answer<BegunView>, Problem> {
    if form.wallet.is_empty() || form.wallet.len() > 100 {
        return Err(Problem::of(&pages::INVALID).at("/wallet", "has 1 to 100 bytes"));
    }
    match idp.begin_enrolment(&call.ctx, form.invite.as_deref()).await {
        Ok(begun) => Ok(Answer::created(begun_view(&idp, &call, begun).await?)),
        Err(fault) => Err(refused(&idp, &call, None, fault).await),
    }
}

async fn begun_view(idp: &Idp, call: &Call, begun: Begun) -> Result<BegunView, Problem> {
    Ok(BegunView {
        enrolment: begun.enrolment,
        challenge: base64::url_encode(&begun.challenge),
        expires_at: begun.expires_at.to_string(),
        anchors_accepted: idp.accepted(&call.ctx).await.map_err(refusal::metadata)?,
        face_required: false,
    })
}

/// A refusal of an enrolment is an event, counted where strangers can cause it.
async fn refused(idp: &Idp, call: &Call, enrolment: Option<&str>, fault: EnrolError) -> Problem {
    if let Some(code) = fault.code() {
        let event =
            Event::EnrolmentRefused { enrolment: enrolment.map(str::to_owned), code: code.to_owned() };
        call.edge().flood().note(&idp.store, &call.ctx, event).await;
    }
    refusal::enrol(fault)
}

async fn complete(
    State(idp): State<Idp>,
    Path((_, id)): Path<(String, String)>,
    newcomer: Newcomer,
) -> Result<Response, Problem> {
    let call = &newcomer.call;
    let completion = completion(&newcomer.body)?;
    let done = idp.complete_enrolment(&call.ctx, &id, &newcomer.proof, &completion).await;
    let done = match done {
        Ok(done) => done,
        Err(fault) => return Err(refused(&idp, call, Some(&id), fault).await),
    };
    let made = &done.enrolment;
    let waits = made.state == EnrolmentState::Waiting;
    let mut content = json!({
        "binding": made.id, "handle": done.handle.to_string(), "device": made.mark(),
        "assurance": made.assurance(seal::code::Acr::SealCode).to_value(),
        "expires_at": crate::signin::at(made.expires_at_ms).to_string(),
    });
    if let Some(hello) = &done.hello {
        content["relay"] = base64::url_encode(hello).into();
    }
    if waits {
        content["state"] = "waiting".into();
        content["needs_operator"] = made.needs_operator.into();
        content["waits_until"] = made.waits_until_ms.map(|ms| crate::signin::at(ms).to_string()).into();
    }
    let status = if waits { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    replied(&idp, call, (&made.id, &newcomer.proof), (status, content)).await
}

fn completion(body: &[u8]) -> Result<Completion, Problem> {
    let form: EnrolForm = strict::read(body, BODY_BYTES_MAX)?;
    let fault = |pointer: &str, rule: &str| Problem::of(&pages::INVALID).at(pointer, rule);
    let bytes = |pointer: &str, text: &str, max: usize| {
        let found = base64::url_decode(text).ok().filter(|bytes| bytes.len() <= max);
        found.ok_or_else(|| fault(pointer, "is base64url within its bound"))
    };
    let point = |pointer: &str, text: &str| {
        let raw = bytes(pointer, text, 65)?;
        read_point(&raw).map_err(|_| fault(pointer, "is an uncompressed point on P-256"))
    };
    if let Some(face) = &form.face {
        FaceVerdict::from_value(face).map_err(|_| fault("/face", "is a face verdict"))?;
    }
    Ok(Completion {
        dk: point("/dk", &form.dk)?,
        d: point("/d", &form.d)?,
        attestation_data: bytes("/attestation/data", &form.attestation.data, ATTESTATION_BYTES_MAX)?,
        attestation_format: form.attestation.format,
        anchor_data: bytes("/anchor/data", &form.anchor.data, seal::code::document::DOCUMENT_BYTES_MAX)?,
        anchor_kind: form.anchor.kind,
        d_proof: bytes("/d_proof", &form.d_proof, 32)?
            .try_into()
            .map_err(|_| fault("/d_proof", "has 32 bytes"))?,
        relay: form.relay.as_deref().map(offered).transpose()?,
    })
}

/// The bytes of an offer of a relay contact.
pub(super) fn offered(text: &str) -> Result<Vec<u8>, Problem> {
    let found = base64::url_decode(text).ok().filter(|bytes| bytes.len() <= RELAY_BYTES_MAX);
    found.ok_or_else(|| Problem::of(&pages::INVALID).at("/relay", "is base64url within its bound"))
}
