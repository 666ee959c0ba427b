//! The relay's HTTP doors, as a member uses them. What comes back is believed only by its signatures.

use crate::http::{Client, HttpFault};
use crypto::base64;
use crypto::schnorr::{SchnorrSecret, Statement};
use crypto::secret::Secret;
use mailbox::label;
use mailbox::link::MemberLink;
use mailbox::network::{
    Epoch, Manifest, NetworkId, NetworkRejection, SIGNED_BYTES_MAX, SignedStatement, VerifiedEpoch,
    VerifiedManifest,
};
use mailbox::statement::{Expected, ROW_BYTES, RoundStatement, SignedRound, StatementRejection};
use openid::errand::Errand;
use openid::wire::{self, Reach};
use serde_json::Value;

/// Bytes of a JSON answer that holds no statement.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Why the relay cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RelayFault {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// An answer that says no.
    #[error("the relay answered {status} {code}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The problem's code, or nothing.
        code: String,
    },
    /// A statement that fails its checks.
    #[error("the relay's statement: {0}")]
    Statement(#[from] NetworkRejection),
    /// A round that fails its checks.
    #[error("the relay's round: {0}")]
    Round(#[from] StatementRejection),
    /// An answer of another shape.
    #[error("the relay's answer cannot be read")]
    Answer,
    /// The address is not in the manifest.
    #[error("{0} is no relay of this network")]
    Foreign(String),
    /// The link broke, or the relay closed it.
    #[error("the link to the relay: {0}")]
    Link(String),
}

/// The first manifest of a network, whose digest its id is. The address must be one of its relays.
pub(super) fn network(http: &Client, url: &str, id: NetworkId) -> Result<VerifiedManifest, RelayFault> {
    let body = get(http, url, "/relay/v1/network", SIGNED_BYTES_MAX)?;
    let manifest = Manifest::parse(SignedStatement::parse(&body)?)?.verify_first(id)?;
    let of_network = |known: &str| known.trim_end_matches('/') == url.trim_end_matches('/');
    let relays = &manifest.manifest().relays;
    if relays.iter().any(|relay| of_network(&relay.url)) || of_network(&manifest.manifest().token_issuer.url)
    {
        Ok(manifest)
    } else {
        Err(RelayFault::Foreign(crate::http::host_of(url)))
    }
}

/// The running epoch.
pub(super) fn epoch(
    http: &Client,
    url: &str,
    manifest: &VerifiedManifest,
) -> Result<VerifiedEpoch, RelayFault> {
    let body = get(http, url, "/relay/v1/epoch", SIGNED_BYTES_MAX)?;
    Ok(Epoch::parse(SignedStatement::parse(&body)?)?.verify(manifest)?)
}

/// Joins by a one-time link; the member's id.
pub(super) fn join(
    http: &Client,
    manifest: &VerifiedManifest,
    link: &MemberLink,
    seed: &Secret<[u8; 64]>,
    now_ms: u64,
) -> Result<String, RelayFault> {
    let issuer = &manifest.manifest().token_issuer;
    // The door reads no body: one that came all the same would end the connection after the answer, under the next request.
    let challenge = post(http, &issuer.url, "/relay/v1/challenges", None)?;
    let challenge = challenge.get("challenge").and_then(Value::as_str).ok_or(RelayFault::Answer)?;
    let challenge_bytes = base64::url_decode(challenge).map_err(|_| RelayFault::Answer)?;
    let key = SchnorrSecret::from_secret(seed);
    let statement = Statement {
        label: &label::label(&[b"schnorr/join"]),
        issuer: &issuer.identity.0,
        epoch: manifest.manifest().calendar().epoch_at(now_ms).unwrap_or(0),
        challenge: &challenge_bytes,
    };
    let proof = key.prove(&statement, &crypto::random::array());
    let joined = post(
        http,
        &issuer.url,
        "/relay/v1/join",
        Some(&serde_json::json!({
            "code": base64::url_encode(&link.code),
            "key": base64::url_encode(&key.public()),
            "challenge": challenge,
            "proof": base64::url_encode(&proof),
        })),
    )?;
    joined.get("member").and_then(Value::as_str).map(str::to_owned).ok_or(RelayFault::Answer)
}

/// One bucket of a round that was missed, checked against its statement; none where the relay has no such round.
pub(super) fn missed(
    http: &Client,
    url: &str,
    (round, bucket): (u64, u16),
    expected: Expected<'_>,
) -> Result<Option<Vec<u8>>, RelayFault> {
    let k = expected.cascade.len();
    let statement = match get(http, url, &format!("/relay/v1/rounds/0/{round}"), SignedRound::bytes(k)) {
        Err(RelayFault::Refused { status: 404 | 410, .. }) => return Ok(None),
        other => SignedRound::parse(&other?)?,
    };
    // The view of an epoch that is over is whatever its hops signed.
    let view = statement.unverified().view;
    let statement = checked(statement, round, &Expected { view, ..expected })?;
    let bytes_max = statement.rows as usize * ROW_BYTES;
    let rows = get(http, url, &format!("/relay/v1/buckets/0/{round}/{bucket}"), bytes_max)?;
    // One relay has one bucket, whose leaf is the root.
    statement.check_rows(bucket, &rows, &[])?;
    Ok(Some(rows))
}

/// A round that came over the link, checked.
pub(super) fn checked(
    signed: SignedRound,
    round: u64,
    expected: &Expected<'_>,
) -> Result<RoundStatement, RelayFault> {
    let statement = signed.verify(expected)?;
    if statement.round == round { Ok(statement) } else { Err(StatementRejection::Other.into()) }
}

fn get(http: &Client, url: &str, path: &str, bytes_max: usize) -> Result<Vec<u8>, RelayFault> {
    let url = address(url, path)?;
    let answer = http.perform(&Errand::get(&url, "*/*", bytes_max.max(ANSWER_BYTES_MAX)))?;
    if answer.status == 200 { Ok(answer.body) } else { Err(refused(answer.status, &answer.body)) }
}

fn post(http: &Client, url: &str, path: &str, body: Option<&Value>) -> Result<Value, RelayFault> {
    let url = address(url, path)?;
    let errand = match body {
        Some(body) => Errand::post(&url, "application/json", body.to_string().into_bytes(), ANSWER_BYTES_MAX),
        None => Errand::post_empty(&url, ANSWER_BYTES_MAX),
    };
    let answer = http.perform(&errand)?;
    if !(200..300).contains(&answer.status) {
        return Err(refused(answer.status, &answer.body));
    }
    serde_json::from_slice(&answer.body).map_err(|_| RelayFault::Answer)
}

fn address(url: &str, path: &str) -> Result<String, RelayFault> {
    let url = format!("{}{path}", url.trim_end_matches('/'));
    let fault = |fault| HttpFault::Address { host: crate::http::host_of(&url), fault };
    wire::address(&url, Reach::LoopbackHttp).map_err(fault)?;
    Ok(url)
}

fn refused(status: u16, body: &[u8]) -> RelayFault {
    let problem: Option<Value> = serde_json::from_slice(body).ok();
    let code = problem.as_ref().and_then(|problem| problem.get("code")?.as_str());
    let plain = |c: char| c.is_ascii_lowercase() || matches!(c, '/' | '-');
    let code = code.filter(|code| code.len() <= 64 && code.chars().all(plain)).unwrap_or_default();
    RelayFault::Refused { status, code: code.to_owned() }
}
