//! A small wallet: from an offer's link to a credential that passed every check, by the machines of `openid`.
//!
//! It holds nothing: what it needs to know of a credential is its place in the status list, which the server must keep for ever.

use super::client::{Answer, Client};
use credential::status::{ListToken, StatusReference, StatusValue};
use credential::trust::{Anchor, Anchors, Context, PathCache, Trust, TypePattern};
use crypto::jose::jws;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey};
use crypto::x509::{Certificate, pem};
use jiff::Timestamp;
use openid::errand::{Answered, Errand};
use openid::vci::wallet::{AcceptFault, Offered, PROOF_ALG, ReceivedCredential, Start};
use openid::wire::Reach;
use std::collections::BTreeMap;

/// The place of a credential, as the server may not alter it.
pub(crate) type Place = StatusReference;

/// Whom the wallet believes, from the first start on: a kill must not make it lose its issuer.
pub(crate) struct Holder {
    anchors: Anchors,
    cache: PathCache,
}

/// How one offer ended.
pub(crate) enum Redeemed {
    /// The credential was answered and passed every check.
    Held(Place),
    /// The server asked for a pause, or an answer did not come whole: nothing was acknowledged.
    Open,
    /// The server is gone.
    Gone,
    /// An answer that an honest wallet never gets.
    Strange(String),
}

/// Why the way from the offer ended early.
enum End {
    Gone,
    Paused,
    Refused(String),
}

impl Holder {
    /// Believes the tenant's own anchors.
    pub(crate) fn new(client: &Client) -> Result<Self, String> {
        let answer = client.get("/t/default/trust/anchors.pem")?;
        let ders = pem::decode_certificates(&answer.text).map_err(|fault| format!("no anchors: {fault}"))?;
        let mut anchors = Vec::new();
        for (nth, der) in ders.iter().enumerate() {
            let certificate = Certificate::parse(der).map_err(|fault| format!("anchor {nth}: {fault}"))?;
            let types = TypePattern::parse("*").into_iter().collect();
            let contexts = vec![Context::Issuer, Context::Status];
            anchors.push(Anchor { id: format!("anchor-{nth}"), certificate, contexts, types });
        }
        Ok(Self { anchors: Anchors::new(anchors), cache: PathCache::new() })
    }

    /// Redeems an offer.
    pub(crate) fn redeem(&self, client: &Client, offer_uri: &str) -> Redeemed {
        match self.received(client, offer_uri) {
            Ok(received) => match received.credential.status() {
                Ok(Some(place)) => Redeemed::Held(place),
                _ => Redeemed::Strange("a credential without a status".to_owned()),
            },
            Err(End::Paused) => Redeemed::Open,
            Err(End::Gone) => Redeemed::Gone,
            Err(End::Refused(fault)) => Redeemed::Strange(fault),
        }
    }

    fn received(&self, client: &Client, offer_uri: &str) -> Result<ReceivedCredential, End> {
        let offered = match Start::from_link(offer_uri, Reach::LoopbackHttp)? {
            Start::Offered(offered) => offered,
            Start::Fetch(errand) => Offered::fetched(ask(client, &errand)?.answered(), Reach::LoopbackHttp)?,
        };
        let answer = ask(client, &offered.errand())?;
        let known = offered.issuer(answer.answered())?;
        let answer = ask(client, &known.errand())?;
        let described = known.server(answer.answered())?;
        let answer = ask(client, &described.errand(None)?)?;
        let granted = described.token(answer.answered())?;
        let ready = match granted.errand() {
            Some(errand) => granted.nonce(ask(client, &errand)?.answered())?,
            None => granted.without_nonce(),
        };
        let key = PrivateKey::generate(KeyAlg::P256);
        let jwk = Jwk::from_key(&key.public());
        let input = ready.proof(&jwk, now()).with_alg(PROOF_ALG).signing_input();
        let signature =
            key.sign(PROOF_ALG, input.as_bytes()).map_err(|fault| End::Refused(fault.to_string()))?;
        let answer = ask(client, &ready.errand(&jws::assemble(&input, &signature)))?;
        Ok(ready.received(answer.answered(), &jwk, &self.trust(), now())?)
    }

    /// Compares published lists with what was acknowledged: `places` says of each whether its revocation was acknowledged
    /// (`Some(true)`), never asked for (`Some(false)`), or is open.
    pub(crate) fn lists(&self, client: &Client, places: &[(Place, Option<bool>)]) -> Result<(), String> {
        let mut lists = BTreeMap::new();
        for (place, revoked) in places {
            if !lists.contains_key(&place.uri) {
                let errand = Errand::get(&place.uri, "application/statuslist+jwt", 1 << 20);
                let answer = client.perform(&errand)?;
                let token = (answer.status == 200).then_some(answer.text).ok_or("a list is not served")?;
                let list = ListToken::parse(&token).and_then(|list| list.verify(&self.trust(), now()));
                let list = list.map_err(|fault| format!("{} does not verify: {fault}", place.uri))?;
                lists.insert(place.uri.clone(), list);
            }
            let value = lists[&place.uri].value(place.idx).map_err(|fault| fault.to_string())?;
            let fits = match revoked {
                Some(true) => value == StatusValue::Invalid,
                Some(false) => value == StatusValue::Valid,
                None => true,
            };
            if !fits {
                return Err(format!(
                    "{} says {value:?} of entry {}, whose revocation was {}",
                    place.uri,
                    place.idx,
                    if *revoked == Some(true) { "acknowledged" } else { "never asked for" }
                ));
            }
        }
        Ok(())
    }

    fn trust(&self) -> Trust<'_> {
        Trust { anchors: &self.anchors, cache: &self.cache, haip: false }
    }
}

impl Answer {
    fn answered(&self) -> Answered<'_> {
        Answered { status: self.status, body: self.text.as_bytes() }
    }
}

impl From<AcceptFault> for End {
    fn from(fault: AcceptFault) -> Self {
        End::Refused(fault.to_string())
    }
}

fn ask(client: &Client, errand: &Errand) -> Result<Answer, End> {
    match client.perform(errand) {
        Ok(answer) if matches!(answer.status, 429 | 503) => Err(End::Paused),
        Ok(answer) => Ok(answer),
        Err(_) => Err(End::Gone),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this program is outside of the house and asks the clock itself"
)]
fn now() -> Timestamp {
    Timestamp::now()
}
