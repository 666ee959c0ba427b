//! What an approval leaves behind: the result that a code redeems, the consent, the receipt, the line of history, the event.

use crate::Idp;
use crate::answer::names;
use crate::document::Verified;
use crate::enrolment::{Enrolment, level_number};
use crate::person;
use crate::relying_party::RelyingParty;
use crate::result::Facts;
use crate::sealed_claims::Under;
use crate::secret::Name;
use crate::signin::{Asserted, Loaded, SigninError};
use crate::store;
use crate::store::result::{HistoryRow, NewResult};
use ::store::{Ctx, Stmt, StoreFault, id};
use crypto::hash;
use custody::{KeyRef, Signed};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use seal::code::answer::Approved;
use seal::code::keys::authorization_code;
use seal::consent::{self, Record};
use seal::handle::device_mark;
use serde_json::Value;
use tlog::event::{Event, KeyUse};

/// Everything that the unit of an approval keeps.
pub(crate) struct Approval {
    pub(crate) result: Stmt,
    pub(crate) consent: Option<Stmt>,
    pub(crate) history: HistoryRow,
    pub(crate) event: Event,
}

impl Idp {
    /// Signs the receipt and makes every row of an approval; nothing is written yet.
    pub(crate) async fn approval(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        (enrolment, person): (Option<&Enrolment>, &str),
        (approved, document, asserted): (Approved, Option<Verified>, Option<Asserted>),
        evidence: Value,
    ) -> Result<Approval, SigninError> {
        let party = self.party(ctx, &loaded.row.client_id).await?.ok_or(SigninError::NotFound)?;
        let request = loaded.row.request(&self.store, ctx).await?;
        let sub = self.pairwise(ctx, &party.metadata.sector, &person::bits(person)).await?;
        let record = self.record_of(ctx, loaded, &approved, (&party, &sub));
        let bytes = record.jcs().map_err(|_| SigninError::Malformed)?;
        let consent_hash = consent::hash_text(&bytes);
        let receipt = self.receipt(ctx, &record).await?;
        let assurance = enrolment.map(|it| it.assurance(approved.acr));
        let facts = Facts {
            person: person.to_owned(),
            sub,
            enrolment: enrolment.map(|it| &it.id).or(asserted.as_ref().map(|it| &it.enrolment)).cloned(),
            acr: approved.acr.as_str().to_owned(),
            amr: amr(enrolment.is_some(), asserted.as_ref()),
            auth_time_s: ctx.now.as_second(),
            granted: approved.granted.iter().map(|scope| scope.as_str().to_owned()).collect(),
            consent_hash: Some(consent_hash.clone()),
            assurance: assurance.map(|it| it.to_value()),
            receipt: Some(receipt.compact),
        };
        let today = ctx.now.to_zoned(TimeZone::UTC).date();
        let mut claims =
            document.map(|document| document.claims(&approved.granted, today)).unwrap_or_default();
        if let Some(assurance) = &facts.assurance
            && approved.granted.contains(seal::scope::Scope::TrustLevel)
        {
            claims.insert("assurance".to_owned(), assurance.clone());
        }
        let code = authorization_code(&*self.secret(ctx, Name::Code).await?, &loaded.sid(), &loaded.t0());
        let code_until = ctx.now + SignedDuration::from_secs(self.config.code_ttl_s.cast_signed());
        let facts_text = serde_json::to_string(&facts).expect("texts and values");
        let result = NewResult {
            code_sha256: Some(hash::sha256(code.expose().as_bytes())),
            facts: Some(facts_text.as_bytes()),
            claims: Some(Under::Code.seal(code.expose(), ctx.tenant.as_str(), &loaded.row.sid, &claims)),
            device: &enrolment.map(|it| device_mark(&it.dk)).unwrap_or_default(),
            code_until_ms: code_until.as_millisecond(),
            ..NewResult::of(loaded, "approved", "", request.expose())
        };
        let result = store::result::put(&self.store, ctx, &result).await?;
        let consent = self.consent_row(ctx, person, &record, (&bytes, evidence)).await?;
        let history = HistoryRow {
            acr: Some(facts.acr.clone()),
            consent_hash: Some(consent_hash),
            ..HistoryRow::of(loaded, "approved", "", ctx.now_ms())
        };
        let level = assurance.map_or(0, |it| level_number(it.level)).unsigned_abs();
        let event =
            approved_event(loaded, &approved, (person, &facts, level), (hash::sha256(&bytes), receipt.key));
        Ok(Approval { result, consent: Some(consent), history, event })
    }

    /// What the person agreed to, as the relying party can prove it.
    fn record_of(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        approved: &Approved,
        (party, sub): (&RelyingParty, &str),
    ) -> Record {
        Record {
            consent_id: id::new(ctx, "cns"),
            salt: ctx.random(),
            issuer: loaded.context.issuer.clone(),
            client_id: party.client_id.clone(),
            service_seal: loaded.context.service_seal,
            sub: sub.to_owned(),
            requested: loaded.context.scopes.clone(),
            granted: approved.granted.clone(),
            denied: approved.denied.clone(),
            purpose: party.metadata.purpose_text().to_owned(),
            consent_text: approved.response.consent_text,
            acr: approved.acr,
            at_s: ctx.now.as_second(),
        }
    }

    /// The relying party's receipt. A public key that outlives the consent keeps it provable.
    async fn receipt(&self, ctx: &Ctx, record: &Record) -> Result<Signed, SigninError> {
        let keep = SignedDuration::from_secs(self.config.consent_keep_d.cast_signed() * 86_400);
        let key = KeyRef::Use(crate::provision::REPLY_USE);
        Ok(self.custody.sign_jws_until(ctx, key, record.receipt(), ctx.now + keep).await?)
    }

    async fn consent_row(
        &self,
        ctx: &Ctx,
        person: &str,
        record: &Record,
        (bytes, mut evidence): (&[u8], Value),
    ) -> Result<Stmt, StoreFault> {
        evidence["record"] = String::from_utf8_lossy(bytes).into_owned().into();
        let until = ctx.now_ms() + self.config.consent_keep_d.cast_signed() * 86_400_000;
        let names = (record.consent_id.as_str(), person, record.client_id.as_str());
        store::result::put_consent(&self.store, ctx, names, evidence.to_string().as_bytes(), until).await
    }
}

/// Methods of a sign-in (RFC 8176): a software key, the code, two channels, a person who was present; and what an assertion adds.
fn amr(by_wallet: bool, asserted: Option<&Asserted>) -> Vec<String> {
    let mut methods: Vec<String> = Vec::new();
    if by_wallet {
        methods.extend(["swk", "otp", "mca", "user"].map(str::to_owned));
    }
    for method in asserted.iter().flat_map(|it| &it.amr) {
        if !methods.contains(method) {
            methods.push(method.clone());
        }
    }
    methods
}

fn approved_event(
    loaded: &Loaded,
    approved: &Approved,
    (person, facts, level): (&str, &Facts, u64),
    (consent_sha256, key_use): ([u8; 32], KeyUse),
) -> Event {
    Event::SigninApproved {
        person: person.to_owned(),
        consent_sha256,
        acr: approved.acr.rank().into(),
        level,
        signin: loaded.row.name(),
        relying_party: loaded.row.client_id.clone(),
        requested: names(&loaded.context.scopes),
        granted: names(&approved.granted),
        denied: names(&approved.denied),
        enrolment: facts.enrolment.clone(),
        key_use,
    }
}
