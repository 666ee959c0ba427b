//! The tenant's anchors as the checks want them.

use ::store::{Ctx, StoreFault};
use credential::trust::{Anchor, Anchors, Context, TypePattern};
use crypto::hash;
use custody::Custody;

/// A tenant's anchors at one moment.
pub(crate) struct Believed {
    pub(crate) anchors: Anchors,
    /// Names this set: what was verified under another is verified again.
    pub(crate) fingerprint: [u8; 32],
}

/// Everything the tenant believes, for every context.
pub(crate) async fn believed(custody: &Custody, ctx: &Ctx) -> Result<Believed, StoreFault> {
    let list: Vec<Anchor> = custody.all_anchors(ctx).await?.into_iter().map(anchor).collect();
    let described: Vec<String> = list.iter().map(described).collect();
    Ok(Believed { fingerprint: hash::sha256(described.join("\n").as_bytes()), anchors: Anchors::new(list) })
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
