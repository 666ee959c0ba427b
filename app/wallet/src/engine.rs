//! The wallet itself: what it holds, whom it trusts, and the two ways it speaks to others.
//!
//! ```text
//! Wallet::create | open | in_memory ─┬─ offer(link) ─► Offer ─(holder agrees)─► redeem ─► Held
//!                                    ├─ request(link) ─► Request ─(holder agrees)─► answer | decline ─► Answered
//!                                    └─ list, held, delete, history, trust
//! ```
//! Every decision is made by the machines of `openid`; this module carries their errands, keeps the keys and asks the holder.
//! Invariants: nothing is redeemed or shown before the holder was asked; nothing is stored that failed a check; a line of
//! history is written before anything leaves.

mod accept;
mod approve;
mod device;
mod enrol;
mod held;
mod keys;
mod passkey;
mod possession;
mod present;
pub mod relay;
pub mod status;
pub mod steps;

pub use accept::{AcceptError, ClaimName, Offer, OfferSummary};
pub use approve::{Claimed, Decided, SigninError, TYPINGS_MAX, browser_proves};
pub use device::{Device, DoorFault};
pub use enrol::{EnrolError, EnrolmentSummary};
pub use held::{Claim, Held, HeldState};
pub use passkey::PasskeyLink;
pub use present::{Answered, Ask, Choice, Enough, Outcome, PresentError, Request, RequestSummary, ShownItem};

use crate::anchor::{self, ANCHORS_MAX, AnchorFault};
use crate::http::{Client, HttpFault};
use crate::record::{self, HistoryEntry};
use crate::vault::{Kind, Vault, VaultFault};
use credential::trust::{Anchor, Anchors, PathCache, Trust};
use crypto::jose::jws::{self, Draft};
use crypto::key::{PrivateKey, SignError};
use crypto::secret::Secret;
use crypto::x509::Certificate;
use crypto::{hex, random};
use jiff::Timestamp;
use openid::vci::wallet::PROOF_ALG;
use openid::wire::Reach;
use std::path::Path;

/// Credentials of one wallet: each check of a request looks at all.
pub const HELD_MAX: usize = 1_000;
/// Lines of history that are kept; beyond, the oldest go.
pub const HISTORY_MAX: usize = 10_000;

/// Tells the time: the system's, or a test's.
pub type Clock = Box<dyn Fn() -> Timestamp + Send>;

/// An open wallet. One thread uses it at a time; [`Wallet::client`] may be cloned for more.
pub struct Wallet {
    vault: Vault,
    anchors: Anchors,
    cache: PathCache,
    client: Client,
    clock: Clock,
}

/// Why a wallet cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WalletFault {
    /// The file.
    #[error(transparent)]
    Vault(#[from] VaultFault),
    /// The anchors that were given.
    #[error("the trust anchors: {0}")]
    Anchors(#[from] AnchorFault),
    /// The client.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// No credential has this id, or several begin so.
    #[error("no one credential here has the id {0}")]
    NotHeld(String),
    /// No anchor has this id.
    #[error("no trust anchor here has the id {0}")]
    NoAnchor(String),
}

impl Wallet {
    /// Makes a wallet in `home` that trusts the certificates of these PEM texts.
    ///
    /// # Errors
    /// [`WalletFault`]; the anchors are read before anything is made.
    pub fn create(
        home: &Path,
        passphrase: &Secret<String>,
        anchors_pem: &[String],
    ) -> Result<Self, WalletFault> {
        for pem in anchors_pem {
            anchor::read(pem)?;
        }
        let mut wallet = Self::over(Vault::create(home, passphrase)?)?;
        for pem in anchors_pem {
            wallet.add_trust(pem)?;
        }
        Ok(wallet)
    }

    /// Opens the wallet in `home`.
    ///
    /// # Errors
    /// [`WalletFault`].
    pub fn open(home: &Path, passphrase: &Secret<String>) -> Result<Self, WalletFault> {
        Self::over(Vault::open(home, passphrase)?)
    }

    /// A wallet without a file and without a slow passphrase, for holders that end with their process.
    ///
    /// # Errors
    /// [`WalletFault`].
    pub fn in_memory(anchors_pem: &str) -> Result<Self, WalletFault> {
        let mut wallet = Self::over(Vault::in_memory()?)?;
        wallet.add_trust(anchors_pem)?;
        Ok(wallet)
    }

    fn over(vault: Vault) -> Result<Self, WalletFault> {
        let anchors = load_anchors(&vault)?;
        Ok(Self {
            vault,
            anchors,
            cache: PathCache::new(),
            client: Client::new(None)?,
            clock: Box::new(system_clock),
        })
    }

    /// The same wallet with another client, as one that trusts a further authority for https.
    #[must_use]
    pub fn with_client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    /// The same wallet with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The client that performs this wallet's errands.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whom this wallet believes, as the machines of `openid` ask for it.
    #[must_use]
    pub fn trust(&self) -> Trust<'_> {
        Trust { anchors: &self.anchors, cache: &self.cache, haip: false }
    }

    /// The trust anchors.
    #[must_use]
    pub fn anchors(&self) -> &[Anchor] {
        self.anchors.list()
    }

    /// Believes the certificates of a PEM text as well: as issuers, verifiers and signers of status lists. Returns how many were
    /// new.
    ///
    /// # Errors
    /// [`WalletFault`]; then none is added.
    pub fn add_trust(&mut self, anchors_pem: &str) -> Result<usize, WalletFault> {
        let mut fresh: Vec<Certificate> = Vec::new();
        for certificate in anchor::read(anchors_pem)? {
            let known = self.anchors.list().iter().map(|anchor| &anchor.certificate).chain(&fresh);
            if !known.map(Certificate::sha256).any(|sha256| sha256 == certificate.sha256()) {
                fresh.push(certificate);
            }
        }
        if self.anchors.list().len() + fresh.len() > ANCHORS_MAX {
            return Err(AnchorFault::TooMany.into());
        }
        let ids: Vec<String> = fresh.iter().map(|_| new_id("anc")).collect();
        let records: Vec<_> =
            ids.iter().zip(&fresh).map(|(id, it)| (Kind::Anchor, id.as_str(), it.der())).collect();
        self.vault.put_all(&records)?;
        self.anchors = load_anchors(&self.vault)?;
        Ok(fresh.len())
    }

    /// Believes this anchor no longer.
    ///
    /// # Errors
    /// [`WalletFault`].
    pub fn remove_trust(&mut self, id: &str) -> Result<(), WalletFault> {
        if !self.vault.delete(&[(Kind::Anchor, id)])? {
            return Err(WalletFault::NoAnchor(id.to_owned()));
        }
        self.anchors = load_anchors(&self.vault)?;
        Ok(())
    }

    /// Forgets a credential and its key, by its id or the beginning of it.
    ///
    /// # Errors
    /// [`WalletFault`].
    pub fn delete(&mut self, id: &str) -> Result<Held, WalletFault> {
        let held = self.held(id)?;
        self.vault.delete(&[(Kind::Key, &held.id), (Kind::Credential, &held.id)])?;
        Ok(held)
    }

    /// What was asked and shown, newest first.
    ///
    /// # Errors
    /// [`VaultFault`].
    pub fn history(&self) -> Result<Vec<HistoryEntry>, VaultFault> {
        let mut lines = self.dated_history()?;
        lines.reverse();
        Ok(lines.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The lines with their ids, oldest first.
    fn dated_history(&self) -> Result<Vec<(String, HistoryEntry)>, VaultFault> {
        let mut lines = Vec::new();
        for (id, bytes) in self.vault.list(Kind::Shown)? {
            let entry: HistoryEntry =
                record::decode(bytes.expose()).ok_or_else(|| VaultFault::Broken(id.clone()))?;
            lines.push((id, entry));
        }
        lines.sort_by_key(|(_, entry)| entry.at_ms);
        Ok(lines)
    }

    /// Writes a line of history, old ones making place; returns its id.
    fn remember(&mut self, entry: &HistoryEntry) -> Result<String, VaultFault> {
        if self.vault.count(Kind::Shown)? >= HISTORY_MAX {
            let oldest = self.dated_history()?.into_iter().next();
            if let Some((id, _)) = oldest {
                self.vault.delete(&[(Kind::Shown, &id)])?;
            }
        }
        let id = new_id("his");
        self.vault.put(Kind::Shown, &id, &record::encode(entry))?;
        Ok(id)
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The software key of a credential.
    fn key(&self, id: &str) -> Result<PrivateKey, VaultFault> {
        let broken = || VaultFault::Broken(format!("key {id}"));
        let secret = self.vault.load(Kind::Key, id)?.ok_or_else(broken)?;
        PrivateKey::from_secret(KEY_ALG, secret.expose()).map_err(|_| broken())
    }
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wallet({} anchors)", self.anchors.list().len())
    }
}

/// The kind of a wallet's keys, which [`PROOF_ALG`] signs with.
const KEY_ALG: crypto::key::KeyAlg = crypto::key::KeyAlg::P256;

/// Signs a draft with a software key.
fn sign(draft: Draft, key: &PrivateKey) -> Result<String, SignError> {
    let input = draft.with_alg(PROOF_ALG).signing_input();
    Ok(jws::assemble(&input, &key.sign(PROOF_ALG, input.as_bytes())?))
}

/// A random id: nobody learns from the file when a record was made, nor of what.
fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", hex::encode(&random::array::<8>()))
}

fn load_anchors(vault: &Vault) -> Result<Anchors, VaultFault> {
    let mut anchors = Vec::new();
    for (id, der) in vault.list(Kind::Anchor)? {
        let certificate =
            Certificate::parse(der.expose()).map_err(|_| VaultFault::Broken(format!("anchor {id}")))?;
        anchors.push(anchor::anchor(id, certificate));
    }
    Ok(Anchors::new(anchors))
}

/// How far the addresses that a peer names may reach, by the address that began it: only who was asked on this very machine by
/// plain http may send the wallet there. An issuer of the open net cannot make it knock at local doors.
fn reach_of(address: &str) -> Reach {
    if address.starts_with("http://") { Reach::LoopbackHttp } else { Reach::Https }
}

#[expect(clippy::disallowed_methods, reason = "app/ reads the clock for everybody below")]
fn system_clock() -> Timestamp {
    Timestamp::now()
}
