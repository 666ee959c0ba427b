//! From a request's link to an answer: what would be seen, the holder's word, and the one sending.

use super::held::claims_of;
use super::{Claim, Held, HeldState, Wallet, reach_of, sign};
use crate::http::{self, HttpFault};
use crate::record::{self, Delivery, HistoryEntry, ShownCredential};
use crate::vault::{Kind, VaultFault};
use credential::claims_path::ClaimsPath;
use credential::dcql::{Candidate, CredentialQuery, CredentialSet, Format, Meta, Pick};
use credential::sd_jwt::{PresentError as Unpresentable, Presentation, SdJwt};
use credential::trust::{CertificateFacts, Context};
use crypto::key::SignError;
use openid::errand::Errand;
use openid::vp::wallet::{
    AnswerFault, CheckedRequest, PresentationLink, RequestFault, Shown as Bound, acknowledged,
};
use openid::wire::{self, Reach};

/// The holder's own limits on what is shown.
#[derive(Debug, Clone, Default)]
pub struct Choice<'a> {
    /// Show this credential (its id or the beginning of it), where several would do.
    pub select: Option<&'a str>,
    /// Show these claims (`degree.type`, or all below `degree`) and no others: a request that needs more is declined.
    pub disclose: Option<Vec<String>>,
    /// Show also what the verifier asks for without insisting.
    pub optional: bool,
}

/// A request whose sender is known and trusted, and what would answer it.
#[derive(Debug)]
pub struct Request {
    checked: CheckedRequest,
    items: Vec<Item>,
    summary: RequestSummary,
    reach: Reach,
}

/// One credential that would be shown.
#[derive(Debug)]
struct Item {
    query: String,
    held: Held,
    paths: Vec<ClaimsPath>,
    shown: ShownItem,
}

/// What the holder is asked.
#[derive(Debug, Clone)]
pub struct RequestSummary {
    /// Client identifier of who asks.
    pub client_id: String,
    /// The certificates that vouch for who asks, signer first.
    pub verifier: Vec<CertificateFacts>,
    /// Subject of this wallet's anchor that they lead to.
    pub anchor: Option<String>,
    /// Host that the answer goes to.
    pub answer_to: String,
    /// Whether the answer is encrypted to them, beneath what TLS does.
    pub is_encrypted: bool,
    /// What is asked for, whether it can be shown or not.
    pub asks: Vec<Ask>,
    /// Which of it would be enough, best first; empty: all of it is wanted.
    pub enough: Vec<Enough>,
    /// What would be shown; empty when nothing fits.
    pub items: Vec<ShownItem>,
    /// The holder's own list forbids this claim, so that the answer can only be a no.
    pub beyond_choice: Option<String>,
    /// How many credentials are asked for without insisting and are left out.
    pub left_out: usize,
}

/// One credential that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Id of the query.
    pub query: String,
    /// The types, any of which will do; empty: any type.
    pub types: Vec<String>,
    /// The claims, with the values that they must have; empty: nothing that could be kept back.
    pub claims: Vec<String>,
    /// Combinations of these claims, any one of which will do, best first; empty: all of them are wanted.
    pub combinations: usize,
}

/// Credentials that serve one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enough {
    /// Ids of queries, one list for each way.
    pub options: Vec<Vec<String>>,
    /// Whether they insist.
    pub required: bool,
}

/// What one credential would show.
#[derive(Debug, Clone)]
pub struct ShownItem {
    /// Id of the query it answers.
    pub query: String,
    /// Its id in this wallet.
    pub credential: String,
    /// Its name, as its issuer has it.
    pub name: Option<String>,
    /// Its type.
    pub vct: String,
    /// Its issuer.
    pub issuer: String,
    /// Every claim that the verifier would see, taken from the very text that would be sent.
    pub claims: Vec<Claim>,
    /// This copy was shown to this verifier before, so that both showings can be linked.
    pub shown_before: bool,
}

/// What became of a request that was answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What the verifier got.
    pub outcome: Outcome,
    /// Client identifier of who asked.
    pub client_id: String,
    /// What was shown; empty unless delivered.
    pub shown: Vec<ShownItem>,
    /// Where the verifier sends its guest now; to be opened by the holder, never by the wallet.
    pub redirect_uri: Option<String>,
}

/// What the verifier got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The presentation.
    Delivered,
    /// `access_denied`: the holder said no.
    Declined,
    /// `access_denied`: nothing fitted. The verifier cannot tell it from a no.
    NoMatch,
}

/// Why a request got no answer, or its answer did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum PresentError {
    /// The peer could not be asked.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// The request fails a check: it is not answered at all, and nothing was shown.
    #[error(transparent)]
    Request(#[from] RequestFault),
    /// The answer was sent, and refused.
    #[error(transparent)]
    Answer(#[from] AnswerFault),
    /// The credential that the holder selected does not answer the request; nothing was sent.
    #[error("the selected credential does not answer this request")]
    SelectionUnfit,
    /// The credential has no such claim; nothing was sent.
    #[error(transparent)]
    Claims(#[from] Unpresentable),
    /// The key could not sign.
    #[error("the software key: {0}")]
    Sign(#[from] SignError),
    /// The wallet's file.
    #[error(transparent)]
    Vault(#[from] VaultFault),
}

impl Wallet {
    /// Checks a request, asks the holder by `consent` (also when nothing matches), answers it and keeps a line of history.
    ///
    /// # Errors
    /// [`PresentError`].
    pub fn present(
        &mut self,
        request_uri: &str,
        choice: &Choice<'_>,
        consent: &mut dyn FnMut(&RequestSummary) -> bool,
    ) -> Result<Answered, PresentError> {
        let request = self.request(request_uri, choice)?;
        if consent(request.summary()) { self.answer(request) } else { self.decline(request) }
    }

    /// Fetches and checks a request, and works out what would answer it. Nothing is sent.
    ///
    /// # Errors
    /// [`PresentError`].
    pub fn request(&self, request_uri: &str, choice: &Choice<'_>) -> Result<Request, PresentError> {
        let link = PresentationLink::parse(request_uri, Reach::LoopbackHttp)?;
        let reach = reach_of(&link.request_uri);
        let answer = self.client.perform(&link.errand())?;
        let checked = CheckedRequest::check(&link, answer.answered(), &self.trust(), reach, self.now())?;
        let (items, left_out) = self.plan(&checked, choice)?;
        let summary = self.summarise(&checked, &items, choice, left_out);
        Ok(Request { checked, items, summary, reach })
    }

    /// Shows what the holder agreed to. A request that nothing fits, or that needs more than the holder's list, is declined.
    ///
    /// # Errors
    /// [`PresentError`]; after [`PresentError::Answer`] the verifier has seen the presentation.
    pub fn answer(&mut self, request: Request) -> Result<Answered, PresentError> {
        if request.items.is_empty() || request.summary.beyond_choice.is_some() {
            return self.decline(request);
        }
        let errand = self.presentation(&request, Binding::Key)?;
        self.send(request, &errand, Outcome::Delivered)
    }

    /// Answers that nothing is shown.
    ///
    /// # Errors
    /// [`PresentError`].
    pub fn decline(&mut self, request: Request) -> Result<Answered, PresentError> {
        let errand = request.checked.decline()?;
        let outcome = if request.items.is_empty() { Outcome::NoMatch } else { Outcome::Declined };
        self.send(request, &errand, outcome)
    }

    /// The answer, encrypted to the verifier and not yet sent.
    pub(super) fn presentation(&self, request: &Request, binding: Binding) -> Result<Errand, PresentError> {
        let mut bound = Vec::with_capacity(request.items.len());
        for item in &request.items {
            let presentation = item.held.credential.present(&item.paths)?;
            let presentation = match binding {
                Binding::Key => self.bind(&request.checked, &item.held.id, presentation)?,
                Binding::Stripped => presentation.without_key_binding(),
            };
            bound.push(Bound { query: item.query.clone(), presentation });
        }
        Ok(request.checked.answer(&bound)?)
    }

    fn bind(
        &self,
        checked: &CheckedRequest,
        id: &str,
        presentation: Presentation,
    ) -> Result<String, PresentError> {
        let draft = checked.key_binding(&presentation, self.now());
        Ok(presentation.bind(&sign(draft, &self.key(id)?)?))
    }

    /// The one sending: history first, so that what left is never missing from it.
    fn send(
        &mut self,
        request: Request,
        errand: &Errand,
        outcome: Outcome,
    ) -> Result<Answered, PresentError> {
        let is_shown = outcome == Outcome::Delivered;
        let delivery = match outcome {
            Outcome::Delivered => Delivery::Sent,
            Outcome::Declined => Delivery::Declined,
            Outcome::NoMatch => Delivery::NoMatch,
        };
        let mut entry = HistoryEntry::new(&request.checked, delivery, self.now());
        if is_shown {
            entry.shown = request.items.iter().map(|item| item.shown.in_history()).collect();
        }
        let line = self.remember(&entry)?;
        let answer = self.client.perform(errand)?;
        let acknowledged = acknowledged(answer.answered());
        if is_shown {
            entry.outcome = if acknowledged.is_ok() { Delivery::Delivered } else { Delivery::Refused };
            self.vault.put(Kind::Shown, &line, &record::encode(&entry))?;
        }
        let redirect_uri = acknowledged?.redirect_uri;
        Ok(Answered {
            outcome,
            client_id: request.summary.client_id,
            shown: if is_shown { request.summary.items } else { Vec::new() },
            redirect_uri: redirect_uri.filter(|uri| wire::address(uri, request.reach).is_ok()),
        })
    }

    /// What would be shown, and how many optional parts are left out. Nothing at all when a required part is missing.
    fn plan(
        &self,
        checked: &CheckedRequest,
        choice: &Choice<'_>,
    ) -> Result<(Vec<Item>, usize), PresentError> {
        let mut usable: Vec<Held> =
            self.list()?.into_iter().filter(|held| held.state == HeldState::Usable).collect();
        let is_selected = |held: &Held| choice.select.is_some_and(|id| held.answers_to(id));
        // The first that fits is shown: the selected one, else the newest.
        usable.sort_by_key(|held| !is_selected(held));
        let candidates: Vec<Candidate<'_>> = usable.iter().map(candidate).collect();
        let picks = checked.select(&candidates).unwrap_or_default();
        let (wanted, left_out): (Vec<Pick>, Vec<Pick>) =
            picks.into_iter().partition(|pick| pick.required || choice.optional);
        let fits = wanted.iter().any(|pick| is_selected(&usable[pick.candidate]));
        if choice.select.is_some() && !fits {
            return Err(PresentError::SelectionUnfit);
        }
        let history = self.history()?;
        let mut items = Vec::with_capacity(wanted.len());
        for pick in wanted {
            // Opened anew, as two queries may be answered by one credential.
            let held = self.held(&usable[pick.candidate].id).map_err(|fault| match fault {
                super::WalletFault::Vault(fault) => fault,
                other => VaultFault::Broken(other.to_string()),
            })?;
            let shown = self.preview(&pick, &held, checked, &history)?;
            items.push(Item { query: pick.query, held, paths: pick.paths, shown });
        }
        Ok((items, left_out.len()))
    }

    /// What the verifier would see, read back from the text that would be sent: also claims that cannot be kept back.
    fn preview(
        &self,
        pick: &Pick,
        held: &Held,
        checked: &CheckedRequest,
        history: &[HistoryEntry],
    ) -> Result<ShownItem, PresentError> {
        let broken = || VaultFault::Broken(held.id.clone());
        let text = held.credential.present(&pick.paths)?.without_key_binding();
        let unverified = SdJwt::parse(&text).map_err(|_| broken())?;
        let chain = unverified.x5c().map_err(|_| broken())?;
        let now = self.now();
        let judged = self.trust().judge(&chain, Context::Issuer, now).map_err(|_| broken())?;
        let seen = unverified.verify(judged.signer(), now).map_err(|_| broken())?;
        let is_same = |entry: &HistoryEntry| {
            entry.client_id == checked.client_id()
                && entry.shown.iter().any(|shown| shown.credential == held.id)
        };
        Ok(ShownItem {
            query: pick.query.clone(),
            credential: held.id.clone(),
            name: held.name.clone(),
            vct: held.vct.clone(),
            issuer: held.issuer.clone(),
            claims: claims_of(seen.claims()),
            shown_before: history.iter().any(is_same),
        })
    }

    fn summarise(
        &self,
        checked: &CheckedRequest,
        items: &[Item],
        choice: &Choice<'_>,
        left_out: usize,
    ) -> RequestSummary {
        let items: Vec<ShownItem> = items.iter().map(|item| item.shown.clone()).collect();
        let claims = items.iter().flat_map(|item| &item.claims);
        let beyond = |allowed: &Vec<String>| claims.map(Claim::path).find(|path| !is_allowed(path, allowed));
        RequestSummary {
            client_id: checked.client_id().to_owned(),
            verifier: checked.certificates().to_vec(),
            anchor: self.anchor_of(checked.certificates()),
            answer_to: http::host_of(checked.response_uri()),
            is_encrypted: checked.is_encrypted(),
            asks: checked.query().credentials.iter().map(ask).collect(),
            enough: checked.query().credential_sets.iter().map(enough).collect(),
            beyond_choice: choice.disclose.as_ref().and_then(beyond),
            items,
            left_out,
        }
    }

    /// Subject of the anchor above a chain that was found sound.
    fn anchor_of(&self, chain: &[CertificateFacts]) -> Option<String> {
        let last = chain.last()?;
        let of = |anchor: &&credential::trust::Anchor| {
            let facts = CertificateFacts::of(&anchor.certificate);
            facts.sha256 == last.sha256 || (facts.key_id.is_some() && facts.key_id == last.authority_key_id)
        };
        self.anchors.list().iter().find(of).map(|anchor| anchor.certificate.subject().to_string())
    }
}

/// Whether the holder proves the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// As every honest wallet does.
    Key,
    /// Not at all: a copy in the hands of somebody who has no key. Every verifier must refuse it.
    Stripped,
}

impl Request {
    /// What the holder is asked.
    #[must_use]
    pub fn summary(&self) -> &RequestSummary {
        &self.summary
    }
}

impl ShownItem {
    fn in_history(&self) -> ShownCredential {
        ShownCredential {
            credential: self.credential.clone(),
            vct: self.vct.clone(),
            claims: self.claims.iter().map(Claim::path).collect(),
        }
    }
}

/// What a credential query asks, as its holder reads it.
fn ask(query: &CredentialQuery) -> Ask {
    let types = match &query.meta {
        Meta::Vct(types) => types.clone(),
        Meta::Doctype(doctype) => vec![doctype.clone()],
        Meta::Types(types) => types.iter().map(|one| one.join(" ")).collect(),
        Meta::Any => Vec::new(),
    };
    let claims = query.claims.iter().flatten().map(|claim| {
        let values: Vec<String> = claim.values.iter().map(ToString::to_string).collect();
        if values.is_empty() {
            claim.path.to_string()
        } else {
            format!("{} = {}", claim.path, values.join(" or "))
        }
    });
    Ask { query: query.id.clone(), types, claims: claims.collect(), combinations: query.claim_sets.len() }
}

fn enough(set: &CredentialSet) -> Enough {
    Enough { options: set.options.clone(), required: set.required }
}

fn candidate(held: &Held) -> Candidate<'_> {
    Candidate {
        format: Format::SdJwtVc,
        kind: &held.vct,
        aka: held.credential.aka_vcts().unwrap_or_default(),
        claims: held.value(),
        has_holder_key: true,
        authority_key_ids: held.authority_key_ids.clone(),
    }
}

/// Whether the holder's list names this claim or one that it stands in.
fn is_allowed(path: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|one| {
        path.strip_prefix(one.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_claims_allows_what_it_names_and_what_stands_inside() {
        let allowed = ["degree".to_owned(), "address.city".to_owned()];
        for (path, is) in [
            ("degree", true),
            ("degree.type", true),
            ("degree[0]", true),
            ("degrees", false),
            ("address", false),
        ] {
            assert_eq!(is_allowed(path, &allowed), is, "{path}");
        }
    }
}
