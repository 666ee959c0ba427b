//! The tenant's anchors as the checks want them.

use ::store::{Ctx, StoreFault, TenantId};
use credential::trust::{Anchor, Anchors, Context, TypePattern};
use crypto::hash;
use custody::Custody;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tenants whose anchors are kept parsed: with ten anchors each about 30 MB. Beyond it the memory starts anew.
const TENANTS_MAX: usize = 1_024;

/// A tenant's anchors at one moment.
pub(crate) struct Believed {
    pub(crate) anchors: Anchors,
    /// Names this set: what was verified under another is verified again.
    pub(crate) fingerprint: [u8; 32],
}

impl Believed {
    fn of(list: Vec<Anchor>) -> Self {
        let described: Vec<String> = list.iter().map(described).collect();
        Self { fingerprint: hash::sha256(described.join("\n").as_bytes()), anchors: Anchors::new(list) }
    }
}

/// By tenant: the digest of the rows, and what they say.
type Known = HashMap<TenantId, ([u8; 32], Arc<Believed>)>;

/// What each tenant's anchors were parsed to, by what their rows said. Custody gives the rows as the last commit left them at every
/// use, so an anchor that is added or removed counts at once.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Known>);

impl Memory {
    /// Everything the tenant believes, for every context.
    pub(crate) async fn believed(&self, custody: &Custody, ctx: &Ctx) -> Result<Arc<Believed>, StoreFault> {
        let rows = custody.anchor_rows(ctx).await?;
        if let Some((digest, known)) = self.lock().get(&ctx.tenant)
            && digest == rows.digest()
        {
            return Ok(known.clone());
        }
        let believed = Arc::new(Believed::of(rows.parse()?.into_iter().map(anchor).collect()));
        let mut known = self.lock();
        if known.len() >= TENANTS_MAX {
            known.clear();
        }
        known.insert(ctx.tenant.clone(), (*rows.digest(), believed.clone()));
        Ok(believed)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pattern that does not read vouches for nothing: it is left out.
fn anchor(known: custody::Anchor) -> Anchor {
    Anchor {
        id: known.id,
        contexts: known.contexts.iter().filter_map(|context| Context::parse(context.as_str())).collect(),
        types: known.patterns.iter().filter_map(|pattern| TypePattern::parse(pattern).ok()).collect(),
        certificate: known.certificate,
    }
}

/// No part of a line holds a line break, so two sets never read alike.
fn described(anchor: &Anchor) -> String {
    let contexts: Vec<&str> = anchor.contexts.iter().map(|context| context.as_str()).collect();
    let types: Vec<&str> = anchor.types.iter().map(TypePattern::as_str).collect();
    let certificate = crypto::hex::encode(&anchor.certificate.sha256());
    format!("{}\t{certificate}\t{}\t{}", anchor.id, contexts.join(" "), types.join(" "))
}
