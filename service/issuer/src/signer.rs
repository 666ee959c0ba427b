//! Which keys this room signs with, and the refusal when one of them ends soon.

use ::store::Ctx;
use crypto::jose::jws::Draft;
use crypto::key::SignAlg;
use custody::{Custody, KeyRef, SignError, Signed, SignerInfo};
use jiff::Timestamp;

/// The key of credentials.
pub(crate) const CREDENTIAL_USE: &str = "jws:dc+sd-jwt";
/// The key of status lists.
pub(crate) const LIST_USE: &str = "jws:statuslist+jwt";
/// How credentials are signed.
pub(crate) const CREDENTIAL_ALG: SignAlg = SignAlg::Es256;
/// How wallets may sign their proofs.
pub(crate) const PROOF_ALGS: [SignAlg; 3] = [SignAlg::Es256, SignAlg::Es384, SignAlg::EdDsa];

/// The signer of `usage`, refused when it ends within `left_s`.
pub(crate) async fn usable(
    custody: &Custody,
    ctx: &Ctx,
    usage: &str,
    left_s: i64,
) -> Result<SignerInfo, SignError> {
    custody.usable(ctx, KeyRef::Use(usage), left_s).await
}

/// Signs something that lives until `until`.
pub(crate) async fn sign(
    custody: &Custody,
    ctx: &Ctx,
    usage: &str,
    draft: Draft,
    until: Timestamp,
) -> Result<Signed, SignError> {
    custody.sign_jws_until(ctx, KeyRef::Use(usage), draft, until).await
}
