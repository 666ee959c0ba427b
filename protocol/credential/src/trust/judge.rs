//! The verdict on a chain of certificates, and keeping it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crypto::hash;
use crypto::key::PublicKey;
use crypto::x509::Certificate;
use crypto::x509::path::{self, PathFault, PathReason, PathRules};
use jiff::Timestamp;

use super::{Anchor, Anchors, CertificateFacts, Context};

/// Certificates of one chain; `x5c` is bounded to the same number by the JOSE reader.
const CHAIN_MAX: usize = 5;
/// Verdicts kept: one for each signer in use. About 3 KiB each.
const KEPT_MAX: usize = 1024;

/// Everything that a verdict depends on but the chain and the time.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// The tenant's anchors.
    pub anchors: &'a Anchors,
    /// Kept verdicts; one may serve all tenants, as the set of anchors is part of its key.
    pub cache: &'a PathCache,
    /// Whether HAIP holds: then an anchor inside the chain and a self-signed leaf fail.
    pub haip: bool,
}

/// Why a chain cannot be judged at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JudgeError {
    /// None, or more than five.
    #[error("a chain has one to {CHAIN_MAX} certificates")]
    Count,
    /// This one is malformed or of a kind we do not read.
    #[error("certificate {0} of the chain cannot be read")]
    Certificate(usize),
}

/// A chain and what became of it.
#[derive(Debug)]
pub struct Judged {
    chain: Arc<[CertificateFacts]>,
    signer: PublicKey,
    /// Extended key usages of the signer; none: its certificate states none.
    usages: Option<Vec<String>>,
    path: Result<Vouched, PathFault>,
    /// With `wrong-context`: whether the path itself is sound.
    elsewhere: Option<Result<(), PathFault>>,
    nearest: Option<CertificateFacts>,
}

/// A path that ends at an anchor of the context asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// SHA-256 of the anchor's certificate; several anchors may share it.
    pub anchor_sha256: [u8; 32],
    /// Earliest end of the path's certificates.
    pub ends_at: Timestamp,
    /// The anchor was inside the chain: a fault with HAIP, here a warning.
    pub anchor_in_chain: bool,
}

impl Trust<'_> {
    /// Judges `chain` (DER, signer first) in `context`.
    ///
    /// # Errors
    /// [`JudgeError`] when there is nothing to judge; a chain that is not vouched for is a [`Judged`] too.
    pub fn judge(
        &self,
        chain: &[Vec<u8>],
        context: Context,
        now: Timestamp,
    ) -> Result<Arc<Judged>, JudgeError> {
        if chain.is_empty() || chain.len() > CHAIN_MAX {
            return Err(JudgeError::Count);
        }
        let key = self.key(chain, context);
        if let Some(kept) = self.cache.get(&key, now) {
            return Ok(kept);
        }
        let mut certificates = Vec::with_capacity(chain.len());
        for (nth, der) in chain.iter().enumerate() {
            certificates.push(Certificate::parse(der).map_err(|_| JudgeError::Certificate(nth))?);
        }
        let judged = Arc::new(self.judge_parsed(&certificates, context, now));
        if let Ok(vouched) = &judged.path {
            self.cache.keep(key, now, vouched.ends_at, &judged);
        }
        Ok(judged)
    }

    fn judge_parsed(&self, chain: &[Certificate], context: Context, now: Timestamp) -> Judged {
        let (inside, outside) = self.anchors.split(context);
        let rules = PathRules { haip: self.haip, other_contexts: &outside, ..PathRules::at(now) };
        let path = path::verify(chain, &inside, &rules).map(|path| Vouched {
            anchor_sha256: inside[path.anchor].sha256(),
            ends_at: path.ends_at,
            anchor_in_chain: path.anchor_in_chain,
        });
        let nearest = path.as_ref().err().and_then(|fault| {
            let list = if fault.reason == PathReason::WrongContext { &outside } else { &inside };
            fault.nearest.and_then(|nth| list.get(nth)).map(CertificateFacts::of)
        });
        let elsewhere =
            path.as_ref().err().filter(|fault| fault.reason == PathReason::WrongContext).map(|_| {
                let rules = PathRules { haip: self.haip, ..PathRules::at(now) };
                path::verify(chain, &outside, &rules).map(|_| ())
            });
        Judged {
            chain: chain.iter().map(CertificateFacts::of).collect(),
            signer: chain[0].public_key().clone(),
            usages: chain[0].ekus().map(<[String]>::to_vec),
            path,
            elsewhere,
            nearest,
        }
    }

    /// A verdict belongs to the anchors, the context, the mode and every byte of the chain.
    fn key(&self, chain: &[Vec<u8>], context: Context) -> [u8; 32] {
        let lengths: Vec<[u8; 8]> = chain.iter().map(|der| (der.len() as u64).to_be_bytes()).collect();
        let mode = [context as u8, u8::from(self.haip), chain.len() as u8];
        let mut parts: Vec<&[u8]> = vec![self.anchors.fingerprint(), &mode];
        for (length, der) in lengths.iter().zip(chain) {
            parts.push(length);
            parts.push(der);
        }
        hash::sha256_of(&parts)
    }
}

impl Judged {
    /// The certificates, signer first.
    pub fn chain(&self) -> &Arc<[CertificateFacts]> {
        &self.chain
    }

    /// The signer's key. To check a signature with it proves who signed only if [`Self::path`] is sound.
    pub fn signer(&self) -> &PublicKey {
        &self.signer
    }

    /// Whether the signer's certificate allows `usage`: it states this extended key usage or none at all. An authority that
    /// certifies signers of several kinds tells them apart so.
    pub(crate) fn may(&self, usage: &str) -> bool {
        self.usages.as_ref().is_none_or(|stated| stated.iter().any(|stated| stated == usage))
    }

    /// Whether it leads to an anchor of the context.
    pub fn path(&self) -> Result<&Vouched, PathFault> {
        self.path.as_ref().map_err(|fault| *fault)
    }

    /// As [`Self::path`], but whatever the context of the anchor.
    pub(crate) fn path_anywhere(&self) -> Result<(), PathFault> {
        match (&self.path, &self.elsewhere) {
            (Err(_), Some(elsewhere)) => *elsewhere,
            (Err(fault), None) => Err(*fault),
            (Ok(_), _) => Ok(()),
        }
    }

    /// With `no-anchor` and `wrong-context`: the anchor that is nearest by name or key.
    pub fn nearest(&self) -> Option<&CertificateFacts> {
        self.nearest.as_ref()
    }

    /// The anchor that vouches for a credential of type `kind`, or in another context for anything.
    pub fn vouches_for<'a>(&self, anchors: &'a Anchors, context: Context, kind: &str) -> Option<&'a Anchor> {
        let vouched = self.path.as_ref().ok()?;
        anchors.vouching(&vouched.anchor_sha256, context, kind)
    }
}

/// Sound verdicts, kept by chain until the first certificate of the path ends.
#[derive(Debug, Default)]
pub struct PathCache(Mutex<HashMap<[u8; 32], Kept>>);

#[derive(Debug)]
struct Kept {
    from: Timestamp,
    until: Timestamp,
    judged: Arc<Judged>,
}

impl PathCache {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn get(&self, key: &[u8; 32], now: Timestamp) -> Option<Arc<Judged>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(key)?;
        (found.from <= now && now < found.until).then(|| Arc::clone(&found.judged))
    }

    /// When it is full everything goes: signers are few, so that happens only under attack or after years.
    fn keep(&self, key: [u8; 32], from: Timestamp, until: Timestamp, judged: &Arc<Judged>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, Kept { from, until, judged: Arc::clone(judged) });
    }
}
