//! From an offer's link to a stored credential.

use super::possession::Prover;
use super::{HELD_MAX, Held, KEY_ALG, Wallet, new_id, reach_of, sign};
use crate::http::{Client, HttpFault};
use crate::record::{self, CredentialRecord};
use crate::vault::{Kind, VaultFault};
use credential::claims_path::ClaimsPath;
use crypto::jwk::Jwk;
use crypto::key::{PrivateKey, SignError};
use jiff::Timestamp;
use openid::vci::TxCode;
use openid::vci::wallet::{AcceptFault, Described, Granted, Offered, Ready, ReceivedCredential, Start};
use openid::wire::Reach;
use serde_json::Value;

/// Claims that an offer's summary lists; the credential's own reader bounds what comes.
const CLAIM_NAMES_MAX: usize = 100;
/// Bytes of a name that metadata gives and the wallet keeps.
const NAME_BYTES_MAX: usize = 256;

/// An offer that was looked at and not yet redeemed.
#[derive(Debug)]
pub struct Offer {
    pub(super) described: Described,
    summary: OfferSummary,
}

/// What the holder is asked about an offer. Every text is the issuer's own word; who vouches for it is checked when the
/// credential comes, before it is stored.
#[derive(Debug, Clone)]
pub struct OfferSummary {
    /// Identifier of the issuer: the address it was asked at.
    pub issuer: String,
    /// Its name.
    pub issuer_name: Option<String>,
    /// Id of what is offered.
    pub configuration_id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its type.
    pub vct: String,
    /// What it will say, as far as the issuer tells.
    pub claims: Vec<ClaimName>,
    /// Present when a transaction code is needed.
    pub tx_code: Option<TxCode>,
}

/// A claim that an issuer announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimName {
    /// Where it will stand, as `degree.type`.
    pub path: String,
    /// What the issuer calls it.
    pub name: Option<String>,
}

/// Why a wallet has no new credential. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The holder said no; nothing was redeemed.
    #[error("the offer was declined")]
    Declined,
    /// The wallet holds [`HELD_MAX`] credentials.
    #[error("this wallet holds {HELD_MAX} credentials already")]
    Full,
    /// A peer could not be asked.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// A check failed, or the issuer refused.
    #[error(transparent)]
    Check(#[from] AcceptFault),
    /// The key could not sign.
    #[error("the software key: {0}")]
    Sign(#[from] SignError),
    /// The wallet's file.
    #[error(transparent)]
    Vault(#[from] VaultFault),
}

impl Wallet {
    /// Looks at an offer, asks the holder by `consent`, redeems it and stores the credential.
    ///
    /// # Errors
    /// [`AcceptError`]; nothing was stored then, though the offer may be spent.
    pub fn accept(
        &mut self,
        offer_uri: &str,
        tx_code: Option<&str>,
        consent: &mut dyn FnMut(&OfferSummary) -> bool,
    ) -> Result<Held, AcceptError> {
        let offer = self.offer(offer_uri)?;
        if !consent(offer.summary()) {
            return Err(AcceptError::Declined);
        }
        self.redeem(offer, tx_code)
    }

    /// Looks at an offer: fetches it and both metadata documents, checks them, and spends nothing.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub fn offer(&self, offer_uri: &str) -> Result<Offer, AcceptError> {
        if self.vault.count(Kind::Credential)? >= HELD_MAX {
            return Err(AcceptError::Full);
        }
        let client = &self.client;
        let offered = offered(client, offer_uri)?;
        let answer = client.perform(&offered.errand())?;
        let known = offered.issuer(answer.answered())?;
        let answer = client.perform(&known.errand())?;
        let described = known.server(answer.answered())?;
        let summary = summarise(&described);
        Ok(Offer { described, summary })
    }

    /// Redeems an offer that the holder agreed to: a fresh software key, every check, then the file.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub fn redeem(&mut self, offer: Offer, tx_code: Option<&str>) -> Result<Held, AcceptError> {
        let Offer { described, summary } = offer;
        let mut prover = Prover::new(&self.client, described.takes_dpop());
        let ready = ready(&mut prover, described, tx_code, self.now())?;
        let (key, jwk) = fresh_key();
        let proof = sign(ready.proof(&jwk, self.now()), &key)?;
        let answer = prover.perform(ready.errand(&proof), self.now())?;
        let now = self.now();
        let received = ready.received(answer.answered(), &jwk, &self.trust(), now)?;
        let mut record = CredentialRecord::of(&received, now);
        record.issuer_name = summary.issuer_name;
        record.name = summary.name;
        record.trust_path = self.trust_path(&received);
        let (id, record) = (new_id("wcr"), record::encode(&record));
        let secret = key.to_secret();
        self.vault.put_all(&[(Kind::Credential, &id, &record), (Kind::Key, &id, secret.expose())])?;
        if let Some(errand) = received.stored() {
            // The credential is held whether or not its issuer hears of it.
            let _ = prover.perform(errand, now);
        }
        Ok(self.opened(id, &record)?)
    }

    /// Subjects of the certificates that vouch for a credential, its anchor last.
    fn trust_path(&self, received: &ReceivedCredential) -> Vec<String> {
        let mut path: Vec<String> = received.certificates().iter().map(|it| it.subject.clone()).collect();
        let anchor = self.anchors.list().iter().find(|anchor| anchor.id == received.anchor);
        let subject = anchor.map(|anchor| anchor.certificate.subject().to_string());
        path.extend(subject.filter(|subject| path.last() != Some(subject)));
        path
    }
}

impl Offer {
    /// What the holder is asked.
    #[must_use]
    pub fn summary(&self) -> &OfferSummary {
        &self.summary
    }
}

/// Token and nonce.
pub(super) fn ready(
    prover: &mut Prover,
    described: Described,
    tx_code: Option<&str>,
    now: Timestamp,
) -> Result<Ready, AcceptError> {
    let errand = described.errand(tx_code)?;
    let granted: Granted = described.token(prover.perform(errand, now)?.answered())?;
    match granted.errand() {
        Some(errand) => Ok(granted.nonce(prover.fetch(&errand)?.answered())?),
        None => Ok(granted.without_nonce()),
    }
}

/// One fresh software key for one copy.
pub(super) fn fresh_key() -> (PrivateKey, Jwk) {
    let key = PrivateKey::generate(KEY_ALG);
    let jwk = Jwk::from_key(&key.public());
    (key, jwk)
}

/// The offer behind a link. Plain http on this machine is for offers that come from it.
fn offered(client: &Client, link: &str) -> Result<Offered, AcceptError> {
    match Start::from_link(link, Reach::LoopbackHttp)? {
        Start::Offered(offered) => match Start::from_link(link, reach_of(&offered.errand().url))? {
            Start::Offered(offered) => Ok(offered),
            // The same link reads the same way twice.
            Start::Fetch(_) => Ok(offered),
        },
        Start::Fetch(errand) => {
            let answer = client.perform(&errand)?;
            let offered = Offered::fetched(answer.answered(), reach_of(&errand.url))?;
            Ok(Offered::fetched(answer.answered(), reach_of(&offered.errand().url))?)
        }
    }
}

fn summarise(described: &Described) -> OfferSummary {
    let (configuration_id, configuration) = described.configuration();
    let metadata = configuration.credential_metadata.as_ref();
    let claims = metadata.map_or(&[][..], |metadata| &metadata.claims);
    OfferSummary {
        issuer: described.issuer().credential_issuer.clone(),
        issuer_name: first_name(&described.issuer().display),
        configuration_id: configuration_id.to_owned(),
        name: metadata.and_then(|metadata| first_name(&metadata.display)),
        vct: configuration.vct.clone().unwrap_or_default(),
        claims: claims.iter().filter_map(claim_name).take(CLAIM_NAMES_MAX).collect(),
        tx_code: described.tx_code().cloned(),
    }
}

fn claim_name(claim: &Value) -> Option<ClaimName> {
    let path = ClaimsPath::parse(claim.get("path")?).ok()?.to_string();
    let name = claim.get("display").and_then(Value::as_array).and_then(|display| first_name(display));
    Some(ClaimName { path, name })
}

/// The first name of a list of names by language.
fn first_name(display: &[Value]) -> Option<String> {
    let name = display.iter().find_map(|one| one.get("name")?.as_str())?;
    (!name.is_empty() && name.len() <= NAME_BYTES_MAX).then(|| name.to_owned())
}
