//! Single steps of the wallet, for those who test a house by doing what an honest wallet never does: the same doors, the same
//! bytes, sent twice, sent by many at once, or without a key binding. Nothing here breaks a rule of ours: the peer must refuse.

use super::accept::{fresh_key, ready};
use super::possession::Prover;
use super::{AcceptError, Choice, PresentError, ShownItem, Wallet, sign};
use crate::http::{Client, HttpFault};
use openid::errand::Errand;
use std::sync::Barrier;

pub use super::present::Binding;

/// Most sendings at once: each is a thread.
pub const PARALLEL_MAX: usize = 256;

/// A presentation that is built, encrypted and not sent.
#[derive(Debug)]
pub struct Prepared {
    /// The answer, to be sent by [`send`] as often as you like.
    pub errand: Errand,
    /// Client identifier of who asked.
    pub client_id: String,
    /// What it shows.
    pub shown: Vec<ShownItem>,
}

/// Builds the answer to a request without asking, sending or writing history.
///
/// # Errors
/// [`PresentError`]; [`PresentError::SelectionUnfit`] also when nothing fits at all.
pub fn prepare_presentation(
    wallet: &Wallet,
    request_uri: &str,
    choice: &Choice<'_>,
    binding: Binding,
) -> Result<Prepared, PresentError> {
    let request = wallet.request(request_uri, choice)?;
    if request.summary().items.is_empty() {
        return Err(PresentError::SelectionUnfit);
    }
    let errand = wallet.presentation(&request, binding)?;
    let summary = request.summary();
    Ok(Prepared { errand, client_id: summary.client_id.clone(), shown: summary.items.clone() })
}

/// The request that redeems an offer's code for a token, unsent.
///
/// # Errors
/// [`AcceptError`].
pub fn token_request(wallet: &Wallet, offer_uri: &str, tx_code: Option<&str>) -> Result<Errand, AcceptError> {
    Ok(wallet.offer(offer_uri)?.described.errand(tx_code)?)
}

/// Redeems an offer's code and takes a nonce; the request for the credential, with its one proof, is unsent. The key is
/// forgotten, so what it brings is of no use.
///
/// # Errors
/// [`AcceptError`].
pub fn credential_request(
    wallet: &Wallet,
    offer_uri: &str,
    tx_code: Option<&str>,
) -> Result<Errand, AcceptError> {
    // Without proofs: a bearer token is one that the same bytes show again.
    let mut plain = Prover::new(wallet.client(), false);
    let ready = ready(&mut plain, wallet.offer(offer_uri)?.described, tx_code, wallet.now())?;
    let (key, jwk) = fresh_key();
    let proof = sign(ready.proof(&jwk, wallet.now()), &key)?;
    Ok(ready.errand(&proof))
}

/// Sends an errand once; the HTTP status.
///
/// # Errors
/// [`HttpFault`].
pub fn send(client: &Client, errand: &Errand) -> Result<u16, HttpFault> {
    Ok(client.perform(errand)?.status)
}

/// Sends the same errand `times` times (at most [`PARALLEL_MAX`]) at the same moment; the status of each.
#[must_use]
pub fn send_in_parallel(client: &Client, errand: &Errand, times: usize) -> Vec<Result<u16, HttpFault>> {
    let times = times.min(PARALLEL_MAX);
    let start = Barrier::new(times);
    std::thread::scope(|scope| {
        let one = || {
            start.wait();
            send(client, errand)
        };
        let threads: Vec<_> = (0..times).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("sending does not panic")).collect()
    })
}
