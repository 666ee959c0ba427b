//! The wallets' doors of Seal. Every request but the first carries `Seal-Proof`; what a wallet acts upon is signed by the reply key.

use super::refusal;
use crate::enrolment::{Begun, Completion, Enrolment, State as EnrolmentState};
use crate::inbox::WAIT_S_MAX;
use crate::metadata::Metadata;
use crate::page;
use crate::provision::REPLY_USE;
use crate::signin::AssertionState;
use crate::{Idp, answer::Claim};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use crypto::base64;
use crypto::jose::jws::Jws;
use crypto::json::Limits;
use custody::KeyRef;
use edge::problem::pages;
use edge::{Answer, Body, Call, Done, Door, Doors, Path, Problem, Query, Raw, Who, strict};
use schemars::JsonSchema;
use seal::code::answer::BODY_BYTES_MAX;
use seal::code::claim::SERVICE_JWT_BYTES_MAX;
use seal::code::keys::read_point;
use seal::code::proof::{self, SealProof};
use seal::code::{FaceVerdict, Sid, reply};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tlog::event::Event;

/// Carries a wallet's proof of each request.
const SEAL_PROOF: HeaderName = HeaderName::from_static("seal-proof");
/// What a signed reply is.
const REPLY_MEDIA_TYPE: &str = "application/jwt";
/// Bytes of an attestation: a chain of five certificates.
const ATTESTATION_BYTES_MAX: usize = 24 << 10;
/// Bytes of a relay invite: what one cell carries.
const RELAY_BYTES_MAX: usize = 512;

/// What a browser without a wallet sees behind a link that is meant for one.
const HELP_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Open this with your wallet</title></head>\n\
<body><main><h1>Open this with your wallet</h1><p>This link is for a wallet that signs you in without a password. \
Scan the code on the first device with it, or open the link on the device that has it.</p></main></body>\n</html>\n";

pub(super) fn doors() -> Doors<Idp> {
    public().and(enrolling()).and(device()).and(sessions())
}

fn public() -> Doors<Idp> {
    let metadata = |path, operation| {
        Door::get(path)
            .operation(operation)
            .summary("What a wallet reads before it enrols: keys to pin, their chain, what is accepted")
            .who(Who::Tenant)
            .answer::<Metadata>(200, "the metadata")
            .problems(&[&page::SIGNER_EXPIRING])
            .cors()
    };
    let help = |path, operation| {
        Door::get(path)
            .operation(operation)
            .summary("The page behind a link that is meant for a wallet")
            .who(Who::Tenant)
            .answer_of(200, "text/html", "the page")
            .page()
    };
    Doors::new()
        .door(metadata("/t/{tenant}/seal/metadata", "fetchSealMetadata"), show_metadata)
        .door(metadata("/.well-known/tessera-seal/t/{tenant}", "fetchSealMetadataInserted"), show_metadata)
        .door(help("/t/{tenant}/seal/s/{sid}", "showClaimHelp"), help_page)
        .door(help("/t/{tenant}/seal/enrol", "showEnrolHelp"), help_page)
}

fn enrolling() -> Doors<Idp> {
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

fn device() -> Doors<Idp> {
    let at = |door: Door| door.who(Who::Tenant).problems(DEVICE_PROBLEMS).cors();
    Doors::new()
        .door(
            at(Door::get("/t/{tenant}/seal/enrolment"))
                .operation("showOwnEnrolment")
                .summary("The device's own enrolment, and devices of the same person that wait")
                .answer::<DeviceView>(200, "the enrolment"),
            show_device,
        )
        .door(
            at(Door::delete("/t/{tenant}/seal/enrolment"))
                .operation("endOwnEnrolment")
                .summary("Ends the device's own enrolment and every grant that it signed for")
                .empty(204, "it is revoked"),
            end_device,
        )
        .door(
            at(Door::post("/t/{tenant}/seal/enrolment/lock"))
                .operation("lockOwnEnrolment")
                .summary("Locks the device; an operator unlocks it")
                .empty(204, "it is locked"),
            lock_device,
        )
        .door(
            at(Door::post("/t/{tenant}/seal/enrolment/approve"))
                .operation("approveOtherEnrolment")
                .summary("Lets another device of the same person in at once")
                .body::<ApproveForm>(1 << 10)
                .empty(204, "it may sign in"),
            approve_device,
        )
        .door(
            at(Door::get("/t/{tenant}/seal/consents"))
                .operation("listOwnConsents")
                .summary("What the person agreed to, with the evidence, newest first")
                .answer::<ConsentsView>(200, "the consents"),
            list_consents,
        )
        .door(
            at(Door::delete("/t/{tenant}/seal/consents/{id}"))
                .operation("eraseOwnConsent")
                .summary("Erases the evidence of a consent")
                .empty(204, "it is erased"),
            erase_consent,
        )
        .door(
            at(Door::get("/t/{tenant}/seal/inbox"))
                .operation("readInbox")
                .summary("Sign-ins that wait for this device, by long poll")
                .query::<InboxQuery>()
                .answer::<InboxView>(200, "what waits"),
            read_inbox,
        )
}

fn sessions() -> Doors<Idp> {
    let at = |door: Door| door.who(Who::Tenant).problems(DEVICE_PROBLEMS).cors();
    Doors::new()
        .door(
            at(Door::post("/t/{tenant}/seal/sessions/{sid}/claim"))
                .operation("claimSignin")
                .summary("Claims a sign-in: the first device has it")
                .body::<EmptyForm>(1 << 10)
                .answer_of(200, REPLY_MEDIA_TYPE, "everything that both sides hash, signed")
                .problems(&[&page::ALREADY_CLAIMED, &page::RATE_LIMITED]),
            claim,
        )
        .door(
            at(Door::get("/t/{tenant}/seal/sessions/{sid}"))
                .operation("showClaimedSignin")
                .summary("Where a claimed sign-in stands")
                .answer_of(200, REPLY_MEDIA_TYPE, "its state, signed"),
            show_session,
        )
        .door(
            at(Door::post("/t/{tenant}/seal/sessions/{sid}/renew"))
                .operation("renewClaimedSignin")
                .summary("Asks for more time; nobody starts again")
                .answer_of(200, REPLY_MEDIA_TYPE, "the new end, signed"),
            renew,
        )
        .door(
            at(Door::post("/t/{tenant}/seal/sessions/{sid}/response"))
                .operation("answerSignin")
                .summary("Takes the answer of a wallet, once")
                .body::<ResponseForm>(BODY_BYTES_MAX)
                .answer_of(200, REPLY_MEDIA_TYPE, "the outcome, signed")
                .problems(&[&page::ASSERTION_PENDING]),
            respond,
        )
}

/// What any door of an enrolled device may answer.
pub(super) const DEVICE_PROBLEMS: &[&edge::Page] = &[
    &page::PROOF_INVALID,
    &page::ENROLMENT_REVOKED,
    &page::ENROLMENT_LOCKED,
    &page::ENROLMENT_WAITING,
    &page::NEEDS_OPERATOR,
    &page::UNKNOWN_SESSION,
    &page::OUT_OF_TURN,
    &page::SIGNER_EXPIRING,
];

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
    /// An invite of the wallet's relay, which the server joins.
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

/// Which device is approved.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ApproveForm {
    /// `enr_…`.
    enrolment: String,
}

/// Nothing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EmptyForm {}

/// An answer, for the OpenAPI document. Bytes are base64url.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the body is read by seal::code::answer; this describes it")]
struct ResponseForm {
    /// R in its canonical form.
    r: String,
    /// HMAC over R.
    tag: String,
    /// The DeviceKey's signature.
    sig: String,
    /// The sealed document; empty without one.
    doc: String,
}

/// How long the inbox may wait.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InboxQuery {
    /// Seconds, 0 to 25.
    #[schemars(range(max = 25))]
    wait: Option<u32>,
}

/// What waits.
#[derive(Serialize, JsonSchema)]
struct InboxView {
    sessions: Vec<WaitingView>,
}

/// A sign-in that waits.
#[derive(Serialize, JsonSchema)]
struct WaitingView {
    /// base64url.
    sid: String,
    /// What the wallet claims.
    claim_uri: String,
    /// When it ends.
    expires_at: String,
}

/// The device's own enrolment.
#[derive(Serialize, JsonSchema)]
struct DeviceView {
    /// `enr_…`.
    binding: String,
    /// `active`.
    state: &'static str,
    /// Four characters by which the person knows the device.
    device: String,
    /// `{level, anchor, device, flow}` of a sign-in by code.
    assurance: Value,
    /// When it ends.
    expires_at: String,
    /// Devices of the same person that wait: approve them, or tell an operator.
    waiting: Vec<Value>,
}

/// What a person agreed to.
#[derive(Serialize, JsonSchema)]
struct ConsentsView {
    /// `{id, relying_party, at, evidence}`.
    items: Vec<Value>,
}

/// A request that an enrolled device signed.
pub(super) struct Device {
    pub(super) call: Call,
    pub(super) enrolment: Enrolment,
    pub(super) proof: SealProof,
    body: Bytes,
}

impl FromRequest<Idp> for Device {
    type Rejection = Problem;

    async fn from_request(request: Request, idp: &Idp) -> Result<Self, Problem> {
        let (call, signed) = signed(request, idp).await?;
        let invalid = || Problem::of(&page::PROOF_INVALID);
        let unchecked = SealProof::parse(&signed.proof).map_err(|_| invalid())?;
        let id = unchecked.kid().ok_or_else(invalid)?.to_owned();
        let enrolment = idp.enrolment(&call.ctx, &id).await?.ok_or_else(invalid)?;
        let proof =
            unchecked.verify(&enrolment.dk, &signed.request(), call.ctx.now).map_err(|_| invalid())?;
        may_act(&enrolment, call.ctx.now_ms())?;
        Ok(Self { call, enrolment, proof, body: signed.body })
    }
}

/// A request that a DeviceKey signed which is not enrolled yet.
struct Newcomer {
    call: Call,
    proof: SealProof,
    body: Bytes,
}

impl FromRequest<Idp> for Newcomer {
    type Rejection = Problem;

    async fn from_request(request: Request, idp: &Idp) -> Result<Self, Problem> {
        let (call, signed) = signed(request, idp).await?;
        let unchecked = SealProof::parse(&signed.proof);
        let proof = unchecked.and_then(|it| it.verify_embedded(&signed.request(), call.ctx.now));
        let proof = proof.map_err(|_| Problem::of(&page::PROOF_INVALID))?;
        Ok(Self { call, proof, body: signed.body })
    }
}

/// A request with the header of its proof, whole.
struct SignedRequest {
    method: String,
    url: String,
    proof: String,
    body: Bytes,
}

impl SignedRequest {
    fn request(&self) -> proof::Request<'_> {
        proof::Request { method: &self.method, url: &self.url, body: &self.body }
    }
}

async fn signed(request: Request, idp: &Idp) -> Result<(Call, SignedRequest), Problem> {
    let (mut parts, body) = request.into_parts();
    let call = Call::from_request_parts(&mut parts, idp).await?;
    let proof = one_header(&parts.headers).ok_or_else(|| Problem::of(&page::PROOF_INVALID))?;
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let body = if parts.headers.contains_key(header::CONTENT_TYPE) {
        Raw::from_request(Request::from_parts(parts, body), idp).await?.bytes
    } else {
        Bytes::new()
    };
    let url = format!("{}{path}", idp.config().public_url);
    Ok((call, SignedRequest { method, url, proof, body }))
}

fn one_header(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(SEAL_PROOF).iter();
    let value = all.next()?.to_str().ok()?.to_owned();
    all.next().is_none().then_some(value)
}

fn may_act(enrolment: &Enrolment, now_ms: i64) -> Result<(), Problem> {
    match enrolment.state {
        EnrolmentState::Active if now_ms < enrolment.expires_at_ms => Ok(()),
        EnrolmentState::Active | EnrolmentState::Revoked => Err(Problem::of(&page::ENROLMENT_REVOKED)),
        EnrolmentState::Locked => Err(Problem::of(&page::ENROLMENT_LOCKED)),
        EnrolmentState::Waiting => Err(Problem::of(&page::ENROLMENT_WAITING)),
    }
}

/// A reply, signed by the key that the wallet pinned.
async fn replied(
    idp: &Idp,
    call: &Call,
    (enrolment, proof): (&str, &SealProof),
    (status, content): (StatusCode, Value),
) -> Result<Response, Problem> {
    let issuer = idp.config().issuer(call.tenant_name());
    let to = reply::Expected { issuer: &issuer, enrolment, jti: &proof.jti, now: call.ctx.now };
    let content = content.as_object().cloned().unwrap_or_else(Map::new);
    let draft = reply::draft(content, &to);
    let signed =
        idp.custody.sign_jws(&call.ctx, KeyRef::Use(REPLY_USE), draft).await.map_err(refusal::sign)?;
    Ok((status, [(header::CONTENT_TYPE, REPLY_MEDIA_TYPE)], signed.compact).into_response())
}

async fn show_metadata(State(idp): State<Idp>, call: Call) -> Result<Answer<Metadata>, Problem> {
    let told = idp.seal_metadata(&call.ctx, call.tenant_name()).await;
    Ok(Answer::ok(told.map_err(refusal::metadata)?))
}

async fn help_page() -> Html<&'static str> {
    Html(HELP_PAGE)
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
async fn refused(
    idp: &Idp,
    call: &Call,
    enrolment: Option<&str>,
    fault: crate::enrolment::EnrolError,
) -> Problem {
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
    if form.relay.as_ref().is_some_and(|relay| relay.len() > RELAY_BYTES_MAX) {
        return Err(fault("/relay", "has at most 512 bytes"));
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
        relay: form.relay,
    })
}

async fn show_device(State(idp): State<Idp>, device: Device) -> Result<Answer<DeviceView>, Problem> {
    let own = &device.enrolment;
    let others = idp.devices(&device.call.ctx, &own.person).await?;
    let waiting = others.iter().filter(|it| it.state == EnrolmentState::Waiting).map(|it| {
        json!({
            "enrolment": it.id, "device": it.mark(), "needs_operator": it.needs_operator,
            "waits_until": it.waits_until_ms.map(|ms| crate::signin::at(ms).to_string()),
        })
    });
    Ok(Answer::ok(DeviceView {
        binding: own.id.clone(),
        state: own.state.as_str(),
        device: own.mark(),
        assurance: own.assurance(seal::code::Acr::SealCode).to_value(),
        expires_at: crate::signin::at(own.expires_at_ms).to_string(),
        waiting: waiting.collect(),
    }))
}

async fn end_device(State(idp): State<Idp>, device: Device) -> Result<Done, Problem> {
    let by = Some((&device.enrolment, &device.proof));
    let ending = crate::enrolment::Ending::UserRequest;
    let done = idp.revoke_enrolment(&device.call.ctx, &device.enrolment.id, ending, by).await;
    Ok(Done(done.map_err(refusal::enrol)?))
}

async fn lock_device(State(idp): State<Idp>, device: Device) -> Result<Done, Problem> {
    let done = idp.lock_enrolment(&device.call.ctx, &device.enrolment, &device.proof).await;
    Ok(Done(done.map_err(refusal::enrol)?))
}

async fn approve_device(State(idp): State<Idp>, device: Device) -> Result<Done, Problem> {
    let form: ApproveForm = strict::read(&device.body, 1 << 10)?;
    let by = Some((&device.enrolment, &device.proof));
    let done = idp.approve_enrolment(&device.call.ctx, &form.enrolment, by).await;
    Ok(Done(done.map_err(refusal::enrol)?.1))
}

async fn list_consents(State(idp): State<Idp>, device: Device) -> Result<Answer<ConsentsView>, Problem> {
    let found = idp.consents_of(&device.call.ctx, &device.enrolment).await?;
    let item = |consent: crate::store::result::ConsentRow| {
        let evidence: Value = serde_json::from_slice(consent.evidence.expose()).unwrap_or(Value::Null);
        json!({
            "id": consent.id, "relying_party": consent.client_id,
            "at": crate::signin::at(consent.created_at_ms).to_string(), "evidence": evidence,
        })
    };
    Ok(Answer::ok(ConsentsView { items: found.into_iter().map(item).collect() }))
}

async fn erase_consent(
    State(idp): State<Idp>,
    Path((_, id)): Path<(String, String)>,
    device: Device,
) -> Result<Done, Problem> {
    let by = (&device.enrolment, &device.proof);
    let done = idp.erase_consent(&device.call.ctx, by, &id).await;
    Ok(Done(done.map_err(|fault| refusal::signin(fault).recorded())?))
}

async fn read_inbox(
    State(idp): State<Idp>,
    Query(query): Query<InboxQuery>,
    device: Device,
) -> Result<Answer<InboxView>, Problem> {
    let wait_s = query.wait.unwrap_or(0);
    if wait_s > WAIT_S_MAX {
        return Err(Problem::of(&pages::INVALID_QUERY).at("?wait", "is 0 to 25 seconds"));
    }
    let call = &device.call;
    let wait = Duration::from_secs(wait_s.into());
    let waits = idp.inbox((&call.ctx, call.edge().clock()), &device.enrolment, wait).await?;
    let base = idp.config().base(call.tenant_name());
    let view = |it: crate::inbox::Waits| WaitingView {
        claim_uri: format!("{base}/seal/s/{}", it.sid),
        sid: it.sid.to_string(),
        expires_at: it.expires_at.to_string(),
    };
    Ok(Answer::ok(InboxView { sessions: waits.into_iter().map(view).collect() }))
}

async fn claim(
    State(idp): State<Idp>,
    Path((_, sid)): Path<(String, String)>,
    device: Device,
) -> Result<Response, Problem> {
    let _: EmptyForm = strict::read(&device.body, 1 << 10)?;
    let by = (&device.enrolment, &device.proof);
    let claim = idp.claim(&device.call.ctx, &read_sid(&sid)?, by).await.map_err(refusal::signin)?;
    let content = claim_content(&claim);
    replied(&idp, &device.call, (&device.enrolment.id, &device.proof), (StatusCode::OK, content)).await
}

fn claim_content(claim: &Claim) -> Value {
    let seal = claim.party.service_seal.as_deref().unwrap_or_default();
    json!({
        "sid": claim.loaded.sid().to_string(), "ctx": claim.loaded.context.to_value(),
        "E": base64::url_encode(&claim.loaded.row.point), "kid_s": claim.loaded.row.kid_s,
        "service_seal": base64::url_encode(seal),
        "service_proof": service_proof(claim),
        "browser": claim.hint, "assertion": assertion(claim.assertion),
        "purpose": claim.party.metadata.purpose_text(),
    })
}

/// What the relying party signed, with the key that did, whose thumbprint stands in its seal.
fn service_proof(claim: &Claim) -> Value {
    let jwt = claim.request.proof_jwt.clone().unwrap_or_default();
    let limits = Limits { bytes_max: SERVICE_JWT_BYTES_MAX, depth_max: 8 };
    let signed = Jws::parse(&jwt, &limits).ok();
    let signer = |jws: &Jws| claim.party.jwks().into_iter().find(|jwk| jws.verify_jwk(jwk).is_ok());
    let mut proof = json!({ "kind": claim.request.proof_kind, "jwt": jwt });
    if let Some(jwk) = signed.as_ref().and_then(signer) {
        proof["jwk"] = jwk.to_value();
    }
    proof
}

async fn show_session(
    State(idp): State<Idp>,
    Path((_, sid)): Path<(String, String)>,
    device: Device,
) -> Result<Response, Problem> {
    let found = idp.claimed_state(&device.call.ctx, &read_sid(&sid)?, &device.enrolment).await;
    let (state, asserted) = found.map_err(refusal::signin)?;
    let content = json!({ "state": state, "assertion": assertion(asserted) });
    replied(&idp, &device.call, (&device.enrolment.id, &device.proof), (StatusCode::OK, content)).await
}

async fn renew(
    State(idp): State<Idp>,
    Path((_, sid)): Path<(String, String)>,
    device: Device,
) -> Result<Response, Problem> {
    let by = (&device.enrolment, &device.proof);
    let until = idp.renew_claimed(&device.call.ctx, &read_sid(&sid)?, by).await.map_err(refusal::signin)?;
    let content = json!({ "expires_at": until.to_string() });
    replied(&idp, &device.call, (&device.enrolment.id, &device.proof), (StatusCode::OK, content)).await
}

async fn respond(
    State(idp): State<Idp>,
    Path((_, sid)): Path<(String, String)>,
    device: Device,
) -> Result<Response, Problem> {
    let by = (&device.enrolment, &device.proof);
    let answered = idp.answer(&device.call.ctx, &read_sid(&sid)?, by, &device.body).await;
    let outcome = answered.map_err(refusal::signin)?;
    let content = json!({ "outcome": outcome.outcome, "reason": outcome.reason });
    replied(&idp, &device.call, (&device.enrolment.id, &device.proof), (StatusCode::OK, content)).await
}

fn read_sid(text: &str) -> Result<Sid, Problem> {
    Sid::parse(text).map_err(|_| Problem::of(&page::UNKNOWN_SESSION))
}

const fn assertion(state: AssertionState) -> &'static str {
    match state {
        AssertionState::None => "none",
        AssertionState::Required => "required",
        AssertionState::Done => "done",
    }
}
