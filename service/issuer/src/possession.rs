//! Who stands at a wallet's door: proofs of possession (RFC 9449) and attestations of wallets.
//!
//! Threats: a token that is read from a log or a proxy, a proof or an attestation that is sent again, a proof that was made for another
//! door, a wallet that nobody vouches for. What is judged here is spent in the unit of whoever asked, so that a refused request costs
//! nothing and a second use is refused, in parallel too.

use crate::Issuer;
use crate::store;
use ::credential::trust::Trust;
use ::store::{Ctx, Stmt, StoreFault};
use jiff::Timestamp;
use openid::oauth::dpop::ProvedKey;
use openid::oauth::{AttestationFault, AttestationRules, AttestedClient, ClientAttestation};
use openid::vci::possession::DPOP_NONCE_KEY_LABEL;
use openid::vci::{Check, DpopRules, NonceKey, ShownToken};

/// What came with a token request beside its form. A header that came more than once is `Some("")`, which nothing reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presented<'a> {
    /// `DPoP`.
    pub dpop: Option<&'a str>,
    /// `OAuth-Client-Attestation`.
    pub attestation: Option<&'a str>,
    /// `OAuth-Client-Attestation-PoP`.
    pub attestation_pop: Option<&'a str>,
}

/// How an access token was shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The token and its scheme.
    pub access: ShownToken<'a>,
    /// `DPoP`, as in [`Presented`].
    pub dpop: Option<&'a str>,
}

/// A proof of some kind that must be spent, and what it means if it was spent before.
pub(crate) struct ToSpend {
    pub(crate) sha256: [u8; 32],
    pub(crate) until: Timestamp,
    pub(crate) check: Check,
}

impl ToSpend {
    pub(crate) fn stmt(&self) -> Stmt {
        store::spend(self.sha256, self.until.as_millisecond())
    }
}

impl From<&ProvedKey> for ToSpend {
    fn from(key: &ProvedKey) -> Self {
        Self { sha256: key.spent, until: key.expires_at, check: Check::DpopUnused }
    }
}

impl From<&AttestedClient> for ToSpend {
    fn from(client: &AttestedClient) -> Self {
        Self { sha256: client.spent, until: client.expires_at, check: Check::AttestationUnused }
    }
}

impl Issuer {
    /// A fresh nonce for DPoP proofs; nothing is stored.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn dpop_nonce(&self, ctx: &Ctx) -> Result<String, StoreFault> {
        Ok(self.dpop_nonces(ctx).await?.make(ctx.random(), ctx.now))
    }

    /// The key that the one `DPoP` header proves, for `door`, and with an access token if one came.
    pub(crate) async fn proved(
        &self,
        ctx: &Ctx,
        tenant: &str,
        door: &str,
        access_token: Option<&str>,
        header: &str,
    ) -> Result<Result<ProvedKey, Check>, StoreFault> {
        let nonces = self.dpop_nonces(ctx).await?;
        let url = format!("{}/vci/{door}", self.config.issuer(tenant));
        let is_nonce_required = self.config.dpop_nonce_required;
        let rules = DpopRules { url: &url, access_token, nonces: &nonces, is_nonce_required };
        Ok(rules.judge(header, ctx.now))
    }

    /// The wallet that its maker vouches for, if it says so. `client_id` is what the form says.
    pub(crate) async fn attested(
        &self,
        ctx: &Ctx,
        tenant: &str,
        presented: &Presented<'_>,
        client_id: Option<&str>,
    ) -> Result<Result<Option<AttestedClient>, Check>, StoreFault> {
        let read = match ClientAttestation::read(presented.attestation, presented.attestation_pop) {
            Ok(Some(read)) => read,
            Ok(None) if self.config.wallet_attestation_required => {
                return Ok(Err(AttestationFault::Missing.into()));
            }
            Ok(None) => return Ok(Ok(None)),
            Err(fault) => return Ok(Err(fault.into())),
        };
        let anchors = self.wallet_makers(ctx).await?;
        // The strict rules: an attestation has no reason to bring its anchor along.
        let trust = Trust { anchors: &anchors, cache: &self.paths, haip: true };
        let rules = AttestationRules { trust: &trust, issuer: &self.config.issuer(tenant), client_id };
        Ok(read.verify(&rules, ctx.now).map(Some).map_err(Check::from))
    }

    async fn dpop_nonces(&self, ctx: &Ctx) -> Result<NonceKey, StoreFault> {
        Ok(NonceKey::new(self.store.mac_key(ctx, DPOP_NONCE_KEY_LABEL).await?, ctx.tenant.as_str()))
    }
}
