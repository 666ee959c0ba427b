//! Three secrets of a tenant that never change: under them codes, pairwise subjects and anchors are made.
//!
//! They are random, 32 bytes, and rest under the field cipher, whose root is not in the database. Losing `k_pairwise` changes every
//! `sub`; that is why they are not derived from a key that rotates.

use crate::{Idp, store};
use ::store::{Ctx, Reason, StoreFault};
use crypto::random;
use crypto::secret::Secret;
use seal::handle::Handle;
use seal::person::{PersonId, pairwise_sub};
use std::sync::Arc;

/// Which secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// Under which codes are made.
    Code,
    /// Under which a person gets another `sub` at each sector.
    Pairwise,
    /// Under which documents are committed to, and handles kept.
    Anchor,
}

impl Name {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "k_code",
            Self::Pairwise => "k_pairwise",
            Self::Anchor => "k_anchor",
        }
    }
}

impl Idp {
    /// The secret, made at its first use.
    pub(crate) async fn secret(&self, ctx: &Ctx, name: Name) -> Result<Arc<Secret<[u8; 32]>>, StoreFault> {
        let text = name.as_str();
        if let Some(known) = self.remembered.secret(&ctx.tenant, text) {
            return Ok(known);
        }
        for _ in 0..2 {
            if let Some(sealed) = store::secret::sealed(&self.store, ctx, text).await? {
                let plain = self.store.opened(ctx, store::secret::field(text), &sealed).await?;
                let bytes: [u8; 32] = plain.expose().as_slice().try_into().map_err(|_| broken())?;
                let read = Arc::new(Secret::new(bytes));
                self.remembered.keep_secret(&ctx.tenant, text, &read);
                return Ok(read);
            }
            // Key material is not drawn from the request. Of two who make it at once the first one's stays.
            let fresh = Secret::new(random::array::<32>());
            let put = store::secret::put(&self.store, ctx, text, fresh.expose()).await?;
            self.store.housekeeping(ctx, Reason::Wrapping, vec![put]).await?;
        }
        Err(broken())
    }

    /// A person's name at a sector.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn pairwise(&self, ctx: &Ctx, sector: &str, person: &PersonId) -> Result<String, StoreFault> {
        Ok(pairwise_sub(&*self.secret(ctx, Name::Pairwise).await?, sector, person))
    }

    /// By what a handle is kept and found: keyed, as 40 bits could be tried out from a stolen table.
    pub(crate) async fn handle_mac(&self, ctx: &Ctx, handle: &Handle) -> Result<[u8; 32], StoreFault> {
        let key = self.secret(ctx, Name::Anchor).await?;
        Ok(crypto::hash::hmac_sha256(key.expose(), &[b"seal/1 handle", &handle.hash()]))
    }
}

fn broken() -> StoreFault {
    StoreFault::Sealed { place: "idp_secret.value".to_owned() }
}
