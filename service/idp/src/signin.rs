//! Sign-ins: the rows of the session machine, from the checked request to the result that a code redeems.
//!
//! ```text
//! /authorize ─ open_session(CheckedRequest, cookie) ─► row open ─► page asks session_state
//! wallet     ─ claim ─► claimed ─ answer ─► unit { guarded DELETE, result, consent, history, event }
//! page       ─ finish(sid, cookie) ─► Finished { request, code | error } ─► redirect
//! /token     ─ result_of_code(code) ─► Redeemable { request, facts, claims }, spent in the unit of the grant
//! ```
//! Claims and answers of wallets stand in [`crate::answer`], what they leave behind in [`crate::result`].

use crate::relying_party::RelyingParty;
use crate::store::signin::SigninRow;
use crate::{Idp, person, store};
use ::store::{Ctx, Reason, Stmt, StoreFault};
use crypto::hash;
use crypto::key::{Ecdh, KeyAlg, PublicKey};
use crypto::secret::Secret;
use custody::SignError;
use jiff::{SignedDuration, Timestamp};
use seal::code::signin::{Claimed, Open, Signin, Terms};
use seal::code::{Acr, Context, Effect, Input, KeySchedule, Mode, Parties, Refusal, Sid, T0};
use seal::handle::{Handle, device_mark};
use seal::person::PersonId;
use seal::scope::Scopes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Last possible life of a back-channel sign-in, seconds.
const CIBA_TTL_S_MAX: i64 = 120;
/// Characters of a browser's hint: a network prefix and a name.
pub const HINT_CHARS_MAX: usize = 120;

/// A request of a relying party after every check: client, redirect, scopes, proofs. Made by the OpenID Provider (or SAML).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckedRequest {
    /// `rp_…`.
    pub client_id: String,
    /// Origin of `redirect_uri`; for native relying parties their first origin.
    pub rp_origin: String,
    /// Where the browser goes at the end; registered, compared exactly.
    pub redirect_uri: String,
    /// Atomic, sorted, without duplicates, each registered for this relying party. `openid` is among them.
    pub scopes: Vec<String>,
    /// The relying party's nonce (or the ID of a SAML request).
    pub nonce: Option<String>,
    /// Given back unchanged.
    pub state: Option<String>,
    /// The least that is asked for: `seal:code`, `phr` or `phrh`.
    pub acr: String,
    /// Whether less is an error (`unmet_authentication_requirements`) instead of a lower true value.
    pub acr_essential: bool,
    /// `web` or `ciba`.
    pub mode: String,
    /// `request_object`, `client_assertion` or `none`.
    pub proof_kind: String,
    /// The JWT by which the relying party proved itself in this request.
    pub proof_jwt: Option<String>,
    /// A handle that the relying party knows, or its own `sub`: addressed at once, if it names somebody.
    pub login_hint: Option<String>,
    /// What the protocol must remember until its token call (code challenge, DPoP thumbprint, claims request, …); opaque here.
    pub own: Value,
}

/// The browser that opens a session.
pub struct Browser<'a> {
    /// The value of its cookie; empty without one (back channel).
    pub cookie: &'a str,
    /// What its person is told of it: network prefix, browser name. Coarse on purpose.
    pub hint: &'a str,
}

/// A session as its page shows it first.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Names the session.
    pub sid: Sid,
    /// What both sides hash.
    pub context: Context,
    /// E.
    pub point: PublicKey,
    /// The hash of it all; the challenge of an assertion.
    pub t0: T0,
    /// When it ends unless a wallet claims it.
    pub expires_at: Timestamp,
    /// Whether the class that is asked for needs the browser's assertion.
    pub assertion_needed: bool,
    /// Who asks.
    pub client_id: String,
}

/// How far the browser's assertion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionState {
    /// Not needed, not there.
    None,
    /// Needed, not there.
    Required,
    /// There.
    Done,
}

/// A session as its browser sees it.
#[derive(Debug)]
pub enum SessionState {
    /// No wallet has claimed it.
    Open {
        /// The session.
        opened: Box<Opened>,
        /// The browser's assertion.
        assertion: AssertionState,
    },
    /// A wallet has claimed it: the code may be shown.
    Claimed {
        /// The session.
        opened: Box<Opened>,
        /// `svc`: six digits for the wallet to read.
        code: Secret<String>,
        /// Four characters by which the person knows the device.
        device: String,
        /// The browser's assertion.
        assertion: AssertionState,
    },
    /// It is over.
    Ended {
        /// `approved`, `denied`, `failed` or `expired`.
        outcome: String,
        /// Why.
        reason: String,
        /// The device that answered; empty without one.
        device: String,
    },
}

/// An assertion of the browser that was verified: whose, and what it is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asserted {
    /// `per_…`.
    pub person: String,
    /// The device whose wallet added the passkey, `enr_…`.
    pub enrolment: String,
    /// `phr` or `phrh`.
    pub acr: String,
    /// Its own methods (RFC 8176).
    pub amr: Vec<String>,
}

/// Why a session does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SigninError {
    /// No such session, or no more.
    #[error("there is no such session")]
    NotFound,
    /// Another browser began it.
    #[error("another browser began this session")]
    OtherBrowser,
    /// The relying party is not active.
    #[error("the relying party is not active")]
    PartyInactive,
    /// The pushed request was opened before.
    #[error("the request was used before")]
    RequestSpent,
    /// Another wallet was first.
    #[error("another wallet has claimed the session")]
    AlreadyClaimed,
    /// The answer holds, but the browser's assertion is not there yet.
    #[error("the browser's assertion is not there yet")]
    AssertionPending,
    /// Not where this may happen.
    #[error("the session does not stand where this may happen")]
    OutOfTurn,
    /// The proof was seen before.
    #[error("the proof was used before")]
    Replayed,
    /// Too many claims of this enrolment.
    #[error("this enrolment claimed too often")]
    RateLimited,
    /// An answer that is none.
    #[error("the answer is malformed")]
    Malformed,
    /// The reply or agreement key could not be used.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl From<Refusal> for SigninError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Over => Self::NotFound,
            Refusal::AlreadyClaimed => Self::AlreadyClaimed,
            Refusal::AssertionPending => Self::AssertionPending,
            Refusal::OutOfTurn | Refusal::AssertionSpent | Refusal::RenewedTooOften => Self::OutOfTurn,
        }
    }
}

/// A loaded session: its row with what the machine needs.
pub(crate) struct Loaded {
    pub(crate) row: SigninRow,
    pub(crate) context: Context,
    pub(crate) machine: Signin,
    point: PublicKey,
}

impl Idp {
    /// Opens a session for a checked request. `request_sha256` names the request for reloads; `spend` are guards that consume it,
    /// so that two browsers cannot open one request.
    ///
    /// # Errors
    /// [`SigninError`]; no row exists then.
    pub async fn open_session(
        &self,
        ctx: &Ctx,
        tenant: &str,
        request: &CheckedRequest,
        (request_sha256, spend): ([u8; 32], Vec<Stmt>),
        browser: &Browser<'_>,
    ) -> Result<Opened, SigninError> {
        let party = self.party(ctx, &request.client_id).await?;
        let party = party.filter(|party| party.is_active(ctx.now_ms())).ok_or(SigninError::PartyInactive)?;
        let context = self.context(ctx, tenant, request, &party, hash::sha256(browser.cookie.as_bytes()))?;
        let (opened, put) = self.begun(ctx, request, (context, request_sha256, 0), browser.hint).await?;
        if !self.store.housekeeping_guarded(ctx, Reason::SigninStep, spend, vec![put]).await? {
            return Err(SigninError::RequestSpent);
        }
        if let Some(hint) = &request.login_hint {
            self.address(ctx, &opened, hint).await?;
        }
        Ok(opened)
    }

    /// The live session that this browser opened with this request: a reload finds it (FAPI 2.0, 5.3.2.2).
    ///
    /// # Errors
    /// [`SigninError`].
    pub async fn reopened(
        &self,
        ctx: &Ctx,
        request_sha256: &[u8; 32],
        cookie: &str,
    ) -> Result<Option<Opened>, SigninError> {
        let browser = hash::sha256(cookie.as_bytes());
        let row = store::signin::of_request(&self.store, ctx, request_sha256, &browser).await?;
        Ok(row.map(|row| loaded(row, self.config.session_ttl_s)).transpose()?.map(|it| it.opened()))
    }

    /// The session as its browser sees it, or how it ended.
    ///
    /// # Errors
    /// [`SigninError`].
    pub async fn session_state(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        cookie: &str,
    ) -> Result<SessionState, SigninError> {
        let Some(row) = store::signin::one(&self.store, ctx, sid.as_bytes()).await? else {
            let result = self.result_of(ctx, sid, cookie).await?;
            let (outcome, reason, device) = (result.outcome, result.reason, result.device);
            return Ok(SessionState::Ended { outcome, reason, device });
        };
        self.same_browser(&row.browser_sha256, cookie)?;
        if row.expires_at_ms <= ctx.now_ms() {
            let (outcome, reason) = ("expired".to_owned(), String::new());
            return Ok(SessionState::Ended { outcome, reason, device: String::new() });
        }
        let loaded = loaded(row, self.config.session_ttl_s)?;
        let assertion = match (loaded.row.asserted_person.is_some(), loaded.row.assertion_needed) {
            (true, _) => AssertionState::Done,
            (false, true) => AssertionState::Required,
            (false, false) => AssertionState::None,
        };
        let opened = Box::new(loaded.opened());
        match &loaded.row.enrolment {
            None => Ok(SessionState::Open { opened, assertion }),
            Some(enrolment) => {
                let enrolment = self.enrolment(ctx, enrolment).await?.ok_or(SigninError::NotFound)?;
                let keys = self.keys_of(ctx, &loaded, &enrolment).await?;
                let code = Secret::new(keys.service_code().expose().to_owned());
                Ok(SessionState::Claimed { opened, code, device: device_mark(&enrolment.dk), assertion })
            }
        }
    }

    /// A browser posts a handle. Whatever the handle, the answer and its time are the same.
    ///
    /// # Errors
    /// [`SigninError`].
    pub async fn post_handle(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        cookie: &str,
        handle: &str,
    ) -> Result<(), SigninError> {
        let loaded = self.browser_session(ctx, sid, cookie).await?;
        loaded.step(Input::Handle, ctx.now)?;
        self.address(ctx, &loaded.opened(), handle).await
    }

    /// A browser posts an assertion that was verified, or was found false: one try.
    ///
    /// # Errors
    /// [`SigninError`].
    pub async fn post_assertion(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        cookie: &str,
        asserted: Option<&Asserted>,
    ) -> Result<(), SigninError> {
        let loaded = self.browser_session(ctx, sid, cookie).await?;
        let whose = asserted.map(|asserted| person::bits(&asserted.person));
        let (next, effect) = loaded.machine.clone().step(Input::Asserted(whose), ctx.now);
        match (effect?, asserted) {
            (Some(Effect::End), _) => self.end_in_browser(ctx, &loaded, &next).await,
            (_, Some(asserted)) => {
                let facts = serde_json::to_string(asserted).expect("texts");
                let person = &asserted.person;
                let guard =
                    store::signin::assert(&self.store, ctx, sid.as_bytes(), facts.as_bytes(), person).await?;
                let mut others = vec![store::signin::unaddress_others(sid.as_bytes(), person)];
                if loaded.row.enrolment.is_none() {
                    others.extend(self.pushed(ctx, &loaded.opened(), Some(person)).await?);
                }
                if !self.store.housekeeping_guarded(ctx, Reason::SigninStep, vec![guard], others).await? {
                    return Err(SigninError::OutOfTurn);
                }
                self.ring(ctx);
                self.changed(&loaded.row.name());
                self.changed(person);
                Ok(())
            }
            (_, None) => Err(SigninError::OutOfTurn),
        }
    }

    /// More time: an open session begins anew with a new sid for the same request, a claimed one lasts longer.
    ///
    /// # Errors
    /// [`SigninError`].
    pub async fn renew(&self, ctx: &Ctx, sid: &Sid, cookie: &str) -> Result<Opened, SigninError> {
        let loaded = self.browser_session(ctx, sid, cookie).await?;
        let (next, effect) = loaded.machine.clone().step(Input::Renews, ctx.now);
        match effect? {
            Some(Effect::Extend) => {
                self.extend(ctx, &loaded, &next).await?;
                let expires_at = next.ends_at().unwrap_or(ctx.now);
                Ok(Opened { expires_at, ..loaded.opened() })
            }
            Some(Effect::Replace) => self.replace(ctx, &loaded, &next).await,
            _ => Err(SigninError::OutOfTurn),
        }
    }

    /// The browser gives up.
    ///
    /// # Errors
    /// [`SigninError`].
    pub async fn cancel(&self, ctx: &Ctx, sid: &Sid, cookie: &str) -> Result<(), SigninError> {
        let loaded = self.browser_session(ctx, sid, cookie).await?;
        let (next, effect) = loaded.machine.clone().step(Input::Cancels, ctx.now);
        effect?;
        self.end_in_browser(ctx, &loaded, &next).await
    }

    pub(crate) async fn extend(&self, ctx: &Ctx, loaded: &Loaded, next: &Signin) -> Result<(), SigninError> {
        let until_ms = next.ends_at().unwrap_or(ctx.now).as_millisecond().min(loaded.row.ends_at_ms);
        let guard = store::signin::extend(&loaded.row.sid, until_ms);
        if !self.store.housekeeping_guarded(ctx, Reason::SigninStep, vec![guard], Vec::new()).await? {
            return Err(SigninError::NotFound);
        }
        self.changed(&loaded.row.name());
        Ok(())
    }

    async fn replace(&self, ctx: &Ctx, loaded: &Loaded, next: &Signin) -> Result<Opened, SigninError> {
        let Signin::Open(Open { terms, renewals, .. }) = next else { return Err(SigninError::OutOfTurn) };
        let request = self.request_of(ctx, &loaded.row).await?;
        let hint = loaded.row.hint(&self.store, ctx).await?;
        let context = Context {
            issued_at_s: ctx.now.as_second(),
            expires_at_s: last_end(terms, loaded.context.mode).as_second(),
            ..loaded.context.clone()
        };
        let hint = String::from_utf8_lossy(hint.expose());
        let (opened, put) =
            self.begun(ctx, &request, (context, loaded.row.request_sha256, *renewals), &hint).await?;
        let guard = store::signin::drop(&loaded.row);
        if !self.store.housekeeping_guarded(ctx, Reason::SigninStep, vec![guard], vec![put]).await? {
            return Err(SigninError::NotFound);
        }
        self.changed(&loaded.row.name());
        Ok(opened)
    }

    /// A session of this browser that is not over.
    pub(crate) async fn browser_session(
        &self,
        ctx: &Ctx,
        sid: &Sid,
        cookie: &str,
    ) -> Result<Loaded, SigninError> {
        let row = store::signin::one(&self.store, ctx, sid.as_bytes()).await?;
        let row = row.filter(|row| row.expires_at_ms > ctx.now_ms()).ok_or(SigninError::NotFound)?;
        self.same_browser(&row.browser_sha256, cookie)?;
        loaded(row, self.config.session_ttl_s)
    }

    /// A session that is not over, for a wallet.
    pub(crate) async fn wallet_session(&self, ctx: &Ctx, sid: &Sid) -> Result<Loaded, SigninError> {
        let row = store::signin::one(&self.store, ctx, sid.as_bytes()).await?;
        let row = row.filter(|row| row.expires_at_ms > ctx.now_ms()).ok_or(SigninError::NotFound)?;
        loaded(row, self.config.session_ttl_s)
    }

    pub(crate) fn same_browser(&self, kept: &[u8; 32], cookie: &str) -> Result<(), SigninError> {
        let same = hash::equal(kept, &hash::sha256(cookie.as_bytes()));
        if same { Ok(()) } else { Err(SigninError::OtherBrowser) }
    }

    pub(crate) async fn request_of(&self, ctx: &Ctx, row: &SigninRow) -> Result<CheckedRequest, StoreFault> {
        read_request(row.request(&self.store, ctx).await?.expose())
    }

    /// Derives the keys of a session anew: s in custody, e from its row.
    pub(crate) async fn derived_keys(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        enrolment: &crate::enrolment::Enrolment,
    ) -> Result<KeySchedule, SigninError> {
        let broken = || StoreFault::Sealed { place: "idp_signin.ephemeral".to_owned() };
        let e = loaded.row.ephemeral(&self.store, ctx).await?;
        let e = Ecdh::from_secret(e.expose()).map_err(|_| broken())?;
        let tail = KeySchedule::tail(&e, &enrolment.d).map_err(|_| broken())?;
        let (kid, t0) = (&loaded.row.kid_s, loaded.t0());
        let derived = self.custody.agree_hkdf(ctx, kid, &enrolment.d, t0.as_bytes(), tail.expose()).await?;
        let e = loaded.point();
        let parties = Parties { s: &derived.public, e: &e, d: &enrolment.d, dk: &enrolment.dk };
        Ok(KeySchedule::from_prk(derived.prk, &parties))
    }

    /// Puts a session into the inbox of whoever has this handle, if limits allow. Nothing tells whether it did.
    async fn address(&self, ctx: &Ctx, opened: &Opened, handle: &str) -> Result<(), SigninError> {
        let sid = &opened.sid;
        // An unknown handle costs the same read and the same key.
        let parsed = Handle::parse(handle);
        let mac = self.handle_mac(ctx, &parsed.clone().unwrap_or(Handle::from_entropy([0; 5]))).await?;
        let found = store::enrolment::of_handle(&self.store, ctx, mac).await?;
        let person = found.filter(|it| parsed.is_some() && it.may_sign(ctx.now_ms())).map(|it| it.person);
        let read = store::enrolment::person(&self.store, ctx, person.as_deref().unwrap_or_default()).await?;
        let start = read.as_ref().map(|read| read.start(ctx.now_ms()));
        let (Some(read), Some(person::Start::Addressed { kept, pauses })) = (read, start) else {
            // A write of the same weight, or the time of the answer would tell a known handle from an unknown one.
            let mut nobody = vec![store::signin::address(sid.as_bytes(), None)];
            nobody.extend(self.pushed(ctx, opened, None).await?);
            self.store.housekeeping(ctx, Reason::SigninStep, nobody).await?;
            return Ok(());
        };
        let guards = vec![
            store::signin::address(sid.as_bytes(), Some(&read.id)),
            store::enrolment::count_start(&kept, &read),
        ];
        let mut others = vec![store::signin::unaddress_others(sid.as_bytes(), &read.id)];
        others.extend(self.pushed(ctx, opened, Some(&read.id)).await?);
        if !self.store.housekeeping_guarded(ctx, Reason::SigninStep, guards, others).await? {
            return Ok(());
        }
        self.ring(ctx);
        if pauses {
            let event = tlog::event::Event::HandlePaused {
                person: read.id.clone(),
                pause_s: kept.pause_s.unsigned_abs(),
            };
            self.store.record(ctx, event).await?;
        }
        self.changed(&read.id);
        Ok(())
    }

    fn context(
        &self,
        ctx: &Ctx,
        tenant: &str,
        request: &CheckedRequest,
        party: &RelyingParty,
        browser: [u8; 32],
    ) -> Result<Context, SigninError> {
        let mode = if request.mode == "ciba" { Mode::Ciba } else { Mode::Web };
        let asked = Acr::parse(&request.acr).ok_or(SigninError::Malformed)?;
        let least = party.metadata.acr_min();
        let terms = self.terms(ctx, false);
        Ok(Context {
            tenant: tenant.to_owned(),
            issuer: self.config.issuer(tenant),
            client_id: request.client_id.clone(),
            rp_origin: request.rp_origin.clone(),
            service_seal: hash::sha256(party.service_seal.as_deref().unwrap_or_default()),
            scopes: Scopes::expand(&request.scopes.join(" ")).map_err(|_| SigninError::Malformed)?,
            nonce: hash::sha256(request.nonce.as_deref().unwrap_or_default().as_bytes()),
            browser,
            acr: if least.rank() > asked.rank() { least } else { asked },
            mode,
            issued_at_s: ctx.now.as_second(),
            expires_at_s: last_end(&terms, mode).as_second(),
        })
    }

    fn terms(&self, ctx: &Ctx, assertion_needed: bool) -> Terms {
        Terms { life_s: self.config.session_ttl_s.cast_signed(), began_at: ctx.now, assertion_needed }
    }

    /// Draws sid and E and makes the row.
    async fn begun(
        &self,
        ctx: &Ctx,
        request: &CheckedRequest,
        (context, request_sha256, renewals): (Context, [u8; 32], u8),
        hint: &str,
    ) -> Result<(Opened, Stmt), SigninError> {
        let sid = Sid::new(ctx.random());
        let e = Ecdh::generate();
        let point = e.public();
        let t0 = context.t0(&point, &sid).map_err(|_| SigninError::Malformed)?;
        let text = context.jcs().map_err(|_| SigninError::Malformed)?;
        let text = String::from_utf8(text).map_err(|_| SigninError::Malformed)?;
        let last_end = Timestamp::from_second(context.expires_at_s).map_err(|_| SigninError::Malformed)?;
        let life = SignedDuration::from_secs(self.config.session_ttl_s.cast_signed());
        let expires_at = (ctx.now + life).min(last_end);
        let assertion_needed = context.acr.rank() > 0;
        let hint: String = hint.chars().filter(|it| !it.is_control()).take(HINT_CHARS_MAX).collect();
        let request_text = serde_json::to_string(request).expect("texts and values");
        let ephemeral = e.to_secret();
        let new = store::signin::NewSignin {
            sid: *sid.as_bytes(),
            client_id: &request.client_id,
            request: request_text.as_bytes(),
            request_sha256,
            context: &text,
            point: point.raw(),
            ephemeral: ephemeral.expose(),
            kid_s: &self.custody.agreement_key(ctx).await?.kid,
            t0: *t0.as_bytes(),
            browser_sha256: context.browser,
            hint: hint.as_bytes(),
            assertion_needed,
            renewals,
            expires_at_ms: expires_at.as_millisecond(),
            ends_at_ms: last_end.as_millisecond(),
        };
        let put = store::signin::put(&self.store, ctx, &new).await?;
        let client_id = request.client_id.clone();
        Ok((Opened { sid, context, point, t0, expires_at, assertion_needed, client_id }, put))
    }
}

impl Loaded {
    pub(crate) fn sid(&self) -> Sid {
        Sid::new(self.row.sid)
    }

    pub(crate) fn t0(&self) -> T0 {
        T0::from_stored(self.row.t0)
    }

    pub(crate) fn point(&self) -> PublicKey {
        self.point.clone()
    }

    fn opened(&self) -> Opened {
        Opened {
            sid: self.sid(),
            context: self.context.clone(),
            point: self.point(),
            t0: self.t0(),
            expires_at: at(self.row.expires_at_ms),
            assertion_needed: self.row.assertion_needed,
            client_id: self.row.client_id.clone(),
        }
    }

    /// The same session after the unit that gave it to a wallet.
    pub(crate) fn claimed_by(&mut self, enrolment: &crate::enrolment::Enrolment, next: Signin) {
        self.row.state = "claimed".to_owned();
        self.row.enrolment = Some(enrolment.id.clone());
        self.row.addressed = Some(enrolment.person.clone());
        self.machine = next;
    }

    /// The same session where the class is judged without an assertion.
    pub(crate) fn without_assertion(mut self) -> Loaded {
        self.row.assertion_needed = false;
        if let Signin::Claimed(claimed) = &mut self.machine {
            claimed.terms.assertion_needed = false;
        }
        self
    }

    fn step(&self, input: Input, now: Timestamp) -> Result<Option<Effect>, SigninError> {
        Ok(self.machine.clone().step(input, now).1?)
    }
}

/// The machine of a row, which this room alone writes.
pub(crate) fn loaded(row: SigninRow, life_s: u64) -> Result<Loaded, SigninError> {
    let broken = |column: &str| StoreFault::Sealed { place: format!("idp_signin.{column}") };
    // What stands in the row this room wrote in its canonical form; whoever reads it back need not prove that again.
    let context = serde_json::from_str(&row.context).ok().and_then(|value| Context::from_value(&value).ok());
    let context = context.ok_or_else(|| broken("ctx"))?;
    let point = PublicKey::from_raw(KeyAlg::P256, row.point.clone()).map_err(|_| broken("point"))?;
    let began_at = Timestamp::from_second(context.issued_at_s).map_err(|_| broken("ctx"))?;
    let terms = Terms { life_s: life_s.cast_signed(), began_at, assertion_needed: row.assertion_needed };
    let asserted: Option<PersonId> = row.asserted_person.as_deref().map(person::bits);
    let ends_at = at(row.expires_at_ms);
    let machine = match (row.state.as_str(), &row.enrolment) {
        ("claimed", Some(enrolment)) => {
            // The claim writes whose device it is.
            let person = row.addressed.as_deref().map(person::bits).ok_or_else(|| broken("addressed"))?;
            Signin::Claimed(Claimed { terms, ends_at, asserted, enrolment: enrolment.clone(), person })
        }
        _ => Signin::Open(Open { terms, ends_at, renewals: row.renewals, asserted }),
    };
    Ok(Loaded { row, context, machine, point })
}

/// The last possible end of a session.
fn last_end(terms: &Terms, mode: Mode) -> Timestamp {
    match mode {
        Mode::Web => terms.last_end(),
        Mode::Ciba => terms.began_at + SignedDuration::from_secs(CIBA_TTL_S_MAX),
    }
}

pub(crate) fn read_request(bytes: &[u8]) -> Result<CheckedRequest, StoreFault> {
    serde_json::from_slice(bytes).map_err(|_| StoreFault::Sealed { place: "idp_signin.request".to_owned() })
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MIN)
}
