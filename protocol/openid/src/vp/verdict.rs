//! The verdict on a whole answer: what `response` opened, judged presentation by presentation by `credential`, put together.
//!
//! ```text
//! Reading + Question + Trust ─examine─▶ Judgement::Done(Verdict)      nothing to look up, or failed already
//!                                    └▶ Judgement::Waiting(Pending) ─ (the service fetches lists) ─ conclude ─▶ Verdict
//! Verdict ─ input ─▶ Session::step
//! ```
//! Invariant: a verdict holds credentials only if no check of the whole answer failed.

use super::response::{Reading, Reply};
use super::session::Input;
use super::transaction::{self, TransactionData};
use credential::check::{Check, CheckResult, Detail, Report};
use credential::dcql::Query;
use credential::dcql::answer;
use credential::presentation::{self, Examined, Expected, PresentedCredential, StatusAnswer, StatusPolicy};
use credential::status::StatusReference;
use credential::trust::Trust;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What the verifier stored when it asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What was asked for.
    pub query: &'a Query,
    /// Our full client identifier, prefix included: the audience of every key binding.
    pub client_id: &'a str,
    /// The session's nonce.
    pub nonce: &'a str,
    /// When the request was made.
    pub requested_at: Timestamp,
    /// What is to be authorised.
    pub transactions: &'a [TransactionData],
}

/// How far an answer is judged.
#[derive(Debug)]
pub enum Judgement {
    /// Nothing is left to look up.
    Done(Verdict),
    /// Status lists are wanted, or at least their absence must be judged.
    Waiting(Pending),
}

/// An answer after every check but those of status.
#[derive(Debug)]
pub struct Pending {
    report: Report,
    query: Query,
    examined: Vec<(String, Examined)>,
    transactions: Vec<TransactionData>,
}

/// An answer after every check.
#[derive(Debug)]
pub struct Verdict {
    /// Every check that was made.
    pub report: Report,
    /// What the session is told.
    pub input: Input,
    /// What was shown, by id of the credential query; empty unless [`Input::Accepted`].
    pub credentials: BTreeMap<String, Vec<PresentedCredential>>,
}

/// Judges an opened answer as far as that goes without status lists.
#[must_use]
pub fn examine(reading: Reading, question: &Question<'_>, trust: &Trust<'_>, now: Timestamp) -> Judgement {
    let mut report = Report::default();
    report.extend(reading.checks);
    let answer = match reading.reply {
        Reply::Answer(answer) => answer,
        Reply::Declined(error) => {
            return Judgement::Done(Verdict::without(report, Input::WalletError(error)));
        }
        Reply::Unreadable(check) => {
            return Judgement::Done(Verdict::without(report, Input::Unreadable(check)));
        }
        Reply::Failed(check) => return Judgement::Done(Verdict::without(report, Input::Failed(check))),
    };
    let presented = match answer::presentations(question.query, &answer.vp_token) {
        Ok(presented) => presented,
        Err(fault) => {
            report.extend([fault.result()]);
            return Judgement::Done(Verdict::without(report, Input::Failed(Check::AnswerShape)));
        }
    };
    report.extend([CheckResult::pass(Check::AnswerShape, Detail::none())]);
    let mut examined = Vec::with_capacity(presented.len());
    for one in presented {
        // `presentations` names known ids only.
        let Some(query) = question.query.credential(&one.name.query) else { continue };
        let transactions = transaction::of_credential(question.transactions, &query.id);
        let expected = Expected {
            query,
            name: one.name.clone(),
            audience: question.client_id,
            nonce: question.nonce,
            requested_at: question.requested_at,
            transactions: &transactions,
        };
        examined
            .push((String::from(&*one.name.query), presentation::examine(one.text, &expected, trust, now)));
    }
    let (query, transactions) = (question.query.clone(), question.transactions.to_vec());
    Judgement::Waiting(Pending { report, query, examined, transactions })
}

impl Pending {
    /// The lists to fetch: only of presentations that are valid so far, and only if policy wants them.
    pub fn status_wanted(&self, policy: &StatusPolicy) -> Vec<&StatusReference> {
        self.examined.iter().filter_map(|(_, one)| one.status_wanted(policy)).collect()
    }

    /// The last checks. `look_up` gives what was found for each reference of [`Pending::status_wanted`].
    #[must_use]
    pub fn conclude<'l>(
        self,
        mut look_up: impl FnMut(&StatusReference) -> StatusAnswer<'l>,
        policy: &StatusPolicy,
        now: Timestamp,
    ) -> Verdict {
        let mut report = self.report;
        let bound: Vec<(&str, &[[u8; 32]])> =
            self.examined.iter().map(|(id, one)| (id.as_str(), one.transactions())).collect();
        report.extend(transaction::check(&self.transactions, &bound));
        let mut credentials: BTreeMap<String, Vec<PresentedCredential>> = BTreeMap::new();
        for (id, examined) in self.examined {
            let found = examined.status_wanted(policy).map_or(StatusAnswer::NotWanted, &mut look_up);
            let concluded = examined.conclude(&found, policy, now);
            report.extend(concluded.results);
            if let Some(presented) = concluded.presented {
                credentials.entry(id).or_default().push(presented);
            }
        }
        let accepted: Vec<&str> = credentials.keys().map(String::as_str).collect();
        report.extend([answer::complete(&self.query, &accepted)]);
        let counted: Vec<String> =
            answer::counted(&self.query, &accepted).into_iter().map(str::to_owned).collect();
        let beside = credentials.len() - counted.len();
        if beside > 0 {
            let detail = Detail::none().number("credentials", beside as u64);
            report.extend([CheckResult::warn(Check::OverDisclosure, "query/over-disclosed", detail)]);
            credentials.retain(|id, _| counted.contains(id));
        }
        match report.failure().map(|failure| failure.check) {
            Some(check) => Verdict::without(report, Input::Failed(check)),
            None => Verdict { report, input: Input::Accepted, credentials },
        }
    }
}

impl Verdict {
    fn without(report: Report, input: Input) -> Verdict {
        Verdict { report, input, credentials: BTreeMap::new() }
    }
}
