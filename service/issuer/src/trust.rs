//! Whom the tenant believes as a maker of wallets.

use crate::Issuer;
use ::credential::trust::{Anchor, Anchors, Context};
use ::store::{Ctx, StoreFault};

impl Issuer {
    /// The tenant's anchors for wallet attestations; an anchor for anything else vouches for no wallet, so none of them is here.
    pub(crate) async fn wallet_makers(&self, ctx: &Ctx) -> Result<Anchors, StoreFault> {
        let known = self.custody.anchors(ctx, custody::Context::WalletProvider, None).await?;
        let anchor = |known: custody::Anchor| Anchor {
            id: known.id,
            certificate: known.certificate,
            contexts: vec![Context::WalletProvider],
            types: Vec::new(),
        };
        Ok(Anchors::new(known.into_iter().map(anchor).collect()))
    }
}
