//! Proofs of possession for one issuance: one fresh key, one proof for each errand, the server's latest nonce (RFC 9449).

use super::accept::fresh_key;
use super::{AcceptError, sign};
use crate::http::{Answer, Client, HttpFault};
use crypto::jwk::Jwk;
use crypto::key::PrivateKey;
use crypto::random;
use crypto::secret::Secret;
use jiff::Timestamp;
use openid::errand::Errand;
use openid::oauth::dpop::{self, Expected, PROOF_TEXT_BYTES_MAX};

/// Proves that the errands of one issuance come from one holder; where the server takes no proofs, sends them plainly. The key is
/// forgotten afterwards.
pub(super) struct Prover {
    client: Client,
    key: Option<(PrivateKey, Jwk)>,
    nonce: Option<String>,
}

impl Prover {
    /// With a fresh key if the server `takes_dpop`.
    pub(super) fn new(client: &Client, takes_dpop: bool) -> Prover {
        Prover { client: client.clone(), key: takes_dpop.then(fresh_key), nonce: None }
    }

    /// Performs an errand with a fresh proof; once more where the server asks for its nonce.
    pub(super) fn perform(&mut self, mut errand: Errand, now: Timestamp) -> Result<Answer, AcceptError> {
        errand.proof = self.proof(&errand, now)?;
        let answer = self.fetch(&errand)?;
        let asks = answer.answered().ok().is_err_and(|refusal| refusal.code == "use_dpop_nonce");
        if !asks || errand.proof.is_none() {
            return Ok(answer);
        }
        errand.proof = self.proof(&errand, now)?;
        Ok(self.fetch(&errand)?)
    }

    /// Performs an errand as it is, and keeps the nonce that comes with its answer.
    pub(super) fn fetch(&mut self, errand: &Errand) -> Result<Answer, HttpFault> {
        let answer = self.client.perform(errand)?;
        if let Some(nonce) = answer.dpop_nonce.as_ref().filter(|nonce| nonce.len() <= PROOF_TEXT_BYTES_MAX) {
            self.nonce = Some(nonce.clone());
        }
        Ok(answer)
    }

    fn proof(&self, errand: &Errand, now: Timestamp) -> Result<Option<(&'static str, String)>, AcceptError> {
        let Some((key, jwk)) = &self.key else { return Ok(None) };
        let token = errand.bearer.as_ref().map(|token| Secret::expose(token).as_str());
        let expected = Expected { method: "POST", url: &errand.url, access_token: token, nonces: &[] };
        let jti = crypto::base64::url_encode(&random::array::<16>());
        let draft = dpop::draft(jwk, &expected, &jti, self.nonce.as_deref(), now);
        Ok(Some(("DPoP", sign(draft, key)?)))
    }
}
