//! A sign-in, from its link to the signed decision of the person.
//!
//! ```text
//! link ─► claim ─► signed reply ─► checks ─► Claimed ─ (code from the page, choice) ─► answer | deny ─► signed reply
//! ```
//! Without the code that the browser shows, this module approves nothing: who never saw the page cannot be made to say yes to it.

use super::device::{Ask, Device, DoorFault};
use super::{Wallet, WalletFault, new_id};
use crate::record::{self, SigninRecord};
use crate::vault::{Kind, VaultFault};
use crypto::key::AgreeError;
use jiff::Timestamp;
use seal::code::Sid;
use seal::code::answer::{Answer, AnswerError, Answering, answer};
use seal::code::claim::{self, AssertionState, Claim, ClaimRefusal};
use seal::code::document::{Document, DocumentKind};
use seal::code::keys::{KeySchedule, Parties};
use seal::code::response::{Decision, DenyReason, FaceVerdict};
use seal::consent;
use seal::scope::{Scope, Scopes};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Codes that a person may type before the sign-in is refused: people slip.
pub const TYPINGS_MAX: usize = 3;
/// Lines of sign-ins that are kept; beyond, the oldest go.
const SIGNINS_MAX: usize = 10_000;
/// How often an answer is repeated while the browser's own proof is missing.
const PENDING_EVERY: Duration = Duration::from_millis(500);
/// Sessions of an inbox that are looked at: a person has one at a time.
const INBOX_MAX: usize = 16;

/// Why a sign-in is not decided here.
#[derive(Debug, thiserror::Error)]
pub enum SigninError {
    /// No enrolment of this wallet is for the link.
    #[error("the link is of no identity provider that this wallet is enrolled at")]
    NotEnrolled,
    /// Nobody wants in.
    #[error("no sign-in waits")]
    NothingWaits,
    /// A check failed: it is not shown.
    #[error("the sign-in fails a check: {0}")]
    Refused(#[from] ClaimRefusal),
    /// The scope was not asked for.
    #[error("{0} was not asked for")]
    NotAsked(String),
    /// The code is not the one of this sign-in.
    #[error("the code is not the one of this sign-in")]
    Code,
    /// The provider's keys are none.
    #[error(transparent)]
    Agree(#[from] AgreeError),
    /// The answer cannot be made.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The provider.
    #[error(transparent)]
    Door(#[from] DoorFault),
    /// The wallet.
    #[error(transparent)]
    Wallet(#[from] WalletFault),
}

/// A sign-in that may be shown to its person.
pub struct Claimed {
    device: Device,
    claim: Claim,
    keys: KeySchedule,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// `approved`, `denied` or `failed`.
    pub outcome: String,
    /// Why, where there is a reason.
    pub reason: String,
    /// What was granted.
    pub granted: Scopes,
}

impl Claimed {
    /// What is shown.
    #[must_use]
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The scopes that have a switch.
    #[must_use]
    pub fn choices(&self) -> Scopes {
        self.claim.context.scopes.without(&Scopes::from_iter([Scope::Openid]))
    }

    /// Whether the text is the code that the browser shows. Spaces between digits are how people write them.
    #[must_use]
    pub fn code_fits(&self, typed: &str) -> bool {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        self.keys.service_code().matches(&digits)
    }
}

impl Wallet {
    /// Claims the sign-in of a link.
    ///
    /// # Errors
    /// [`SigninError`]. A link of another provider is not asked at all.
    pub fn claim(&mut self, uri: &str) -> Result<Claimed, SigninError> {
        for device in self.devices()? {
            if let Ok(sid) = claim::read_uri(uri, device.issuer()) {
                return self.claim_at(device, sid);
            }
        }
        Err(SigninError::NotEnrolled)
    }

    /// Claims the sign-in that waits for this person, if one does, at any provider: one that was pushed, else whatever an inbox has.
    ///
    /// # Errors
    /// [`SigninError`].
    pub fn claim_next(&mut self) -> Result<Claimed, SigninError> {
        for uri in self.pushed_links()? {
            match self.claim(&uri) {
                // Answered already, or taken by another device.
                Err(SigninError::Door(DoorFault::Refused { status: 404 | 409, .. })) => {}
                other => return other,
            }
        }
        for device in self.devices()? {
            let (_, body) = device.ask(&self.client, &Ask::get("inbox?wait=0".to_owned()), (self.clock)())?;
            if let Some(uri) = waiting(&body)? {
                let sid = claim::read_uri(&uri, device.issuer())?;
                return self.claim_at(device, sid);
            }
        }
        Err(SigninError::NothingWaits)
    }

    fn claim_at(&mut self, mut device: Device, sid: Sid) -> Result<Claimed, SigninError> {
        let now = (self.clock)();
        let ask = Ask::post(format!("sessions/{sid}/claim"), &json!({}));
        let (content, renewed) = self.ask_signed(&device, &ask)?;
        device = renewed.unwrap_or(device);
        let claim = match claim::check(content.clone(), &sid, &device.pinned(), now) {
            // S or the key under the seals moved, while the reply key did not.
            Err(ClaimRefusal::AgreementKey | ClaimRefusal::Seal) => {
                device = self.renewed(&device)?;
                claim::check(content, &sid, &device.pinned(), now)?
            }
            other => other?,
        };
        let (dk, d) = (device.dk.public(), device.d.public());
        let parties = Parties { s: &claim.s, e: &claim.e, d: &d, dk: &dk };
        let keys = KeySchedule::wallet(&claim.t0, &parties, &device.d)?;
        Ok(Claimed { device, claim, keys })
    }

    /// Signs in, and lets the service have what is granted. The code proves that the person sees the page.
    ///
    /// # Errors
    /// [`SigninError`]; [`SigninError::Code`] sends nothing.
    pub fn approve(
        &mut self,
        claimed: &Claimed,
        code: &str,
        granted: &Scopes,
    ) -> Result<Decided, SigninError> {
        if !claimed.code_fits(code) {
            return Err(SigninError::Code);
        }
        if let Some(foreign) = granted.without(&claimed.choices()).iter().next() {
            return Err(SigninError::NotAsked(foreign.to_string()));
        }
        self.decide(claimed, Decision::Approve, granted)
    }

    /// Refuses, and signs that.
    ///
    /// # Errors
    /// [`SigninError`].
    pub fn deny(&mut self, claimed: &Claimed, reason: DenyReason) -> Result<Decided, SigninError> {
        self.decide(claimed, Decision::Deny(reason), &Scopes::default())
    }

    fn decide(
        &mut self,
        claimed: &Claimed,
        decision: Decision,
        granted: &Scopes,
    ) -> Result<Decided, SigninError> {
        let Claimed { device, claim, keys } = claimed;
        let openid = Scopes::from_iter([Scope::Openid]);
        let agreed = match decision {
            Decision::Approve => granted.union(&if claim.context.scopes.contains(Scope::Openid) {
                openid
            } else {
                Scopes::default()
            }),
            Decision::Deny(_) => Scopes::default(),
        };
        let document = document_for(device, &agreed)?;
        let text = consent::text(&claim.service.legal_name, &claim.purpose, &agreed);
        let answering = Answering {
            sid: claim.sid,
            t0: claim.t0,
            binding: &device.record.binding,
            keys,
            decision,
            denied: claim.context.scopes.without(&agreed),
            granted: agreed,
            consent_text: &text,
            face: FaceVerdict::none(),
            document: document.as_ref(),
            now: (self.clock)(),
        };
        let body = answer(&answering, &device.dk)?;
        // The line stands before anything leaves: history never knows less than the peer.
        let id = new_id("sig");
        let mut line = SigninRecord::new(claim, device.issuer(), decision, &answering.granted, answering.now);
        self.vault.put(Kind::Signin, &id, &record::encode(&line))?;
        let content = self.send_decision(claimed, &body)?;
        let said = |name| content.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let decided =
            Decided { outcome: said("outcome"), reason: said("reason"), granted: answering.granted };
        line.outcome.clone_from(&decided.outcome);
        self.vault.put(Kind::Signin, &id, &record::encode(&line))?;
        Ok(decided)
    }

    /// Sends an answer; the same bytes again while the browser's own proof is missing.
    fn send_decision(&mut self, claimed: &Claimed, body: &Answer) -> Result<Map<String, Value>, SigninError> {
        let ask = Ask::post(format!("sessions/{}/response", claimed.claim.sid), &body.to_value());
        loop {
            match self.ask_signed(&claimed.device, &ask) {
                Err(DoorFault::Refused { code, .. })
                    if code == "seal/assertion-pending" && !claimed.claim.context.is_over((self.clock)()) =>
                {
                    std::thread::sleep(PENDING_EVERY);
                }
                other => return Ok(other?.0),
            }
        }
    }

    /// What was signed in where, newest first.
    ///
    /// # Errors
    /// [`WalletFault`].
    pub fn signins(&self) -> Result<Vec<SigninRecord>, WalletFault> {
        let mut lines: Vec<SigninRecord> = self
            .vault
            .list(Kind::Signin)?
            .iter()
            .filter_map(|(_, bytes)| record::decode(bytes.expose()))
            .take(SIGNINS_MAX)
            .collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.at_ms));
        Ok(lines)
    }
}

impl From<VaultFault> for SigninError {
    fn from(fault: VaultFault) -> Self {
        Self::Wallet(fault.into())
    }
}

/// Whether the browser must prove itself too.
#[must_use]
pub fn browser_proves(claim: &Claim) -> bool {
    claim.assertion != AssertionState::None
}

/// The document, if anything granted needs one.
fn document_for(device: &Device, granted: &Scopes) -> Result<Option<Document>, SigninError> {
    if !granted.iter().any(Scope::needs_document) {
        return Ok(None);
    }
    let Some(kept) = &device.record.document else { return Ok(None) };
    let bytes = crypto::base64::url_decode(kept)
        .map_err(|_| VaultFault::Broken(format!("enrolment {}", device.record.binding)))?;
    Ok(Some(Document::new(DocumentKind::Vds, bytes)))
}

/// The first link of an inbox.
fn waiting(body: &[u8]) -> Result<Option<String>, DoorFault> {
    let unreadable = || DoorFault::Form("its inbox".to_owned());
    let inbox = openid::wire::json(body, 64 * 1024).map_err(|_| unreadable())?;
    let sessions = inbox.get("sessions").and_then(Value::as_array).ok_or_else(unreadable)?;
    let first = sessions.iter().take(INBOX_MAX).find_map(|one| one.get("claim_uri").and_then(Value::as_str));
    Ok(first.map(str::to_owned))
}

impl SigninRecord {
    fn new(claim: &Claim, issuer: &str, decision: Decision, granted: &Scopes, at: Timestamp) -> Self {
        Self {
            v: record::VERSION,
            at_ms: at.as_millisecond(),
            issuer: issuer.to_owned(),
            service: claim.service.legal_name.clone(),
            origin: claim.context.rp_origin.clone(),
            decision: match decision {
                Decision::Approve => "approve".to_owned(),
                Decision::Deny(reason) => reason.as_str().to_owned(),
            },
            granted: granted.iter().map(|scope| scope.as_str().to_owned()).collect(),
            outcome: "sent".to_owned(),
        }
    }
}
