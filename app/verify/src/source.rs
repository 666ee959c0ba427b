//! Where a log is read from: its doors, or a folder with the same paths.

use crate::http::HttpFault;
use crypto::secret::Secret;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

/// A request is given up after this; a bundle of the greatest size takes 4 s at 4 MB/s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A busy server (429, 503), or one that dropped the connection, is asked this often.
const TRIES_MAX: u32 = 5;

/// Longest wait before a busy server is asked again, whatever it says.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A place that serves the paths of c2sp.org/tlog-tiles.
pub enum Source {
    /// The doors of a server.
    Http {
        /// The client.
        agent: Box<Agent>,
        /// URL of the log without a slash at its end; `/checkpoint` and `/tile/…` follow.
        base: String,
        /// Read token of a private log.
        bearer: Option<Secret<String>>,
    },
    /// A folder that holds `checkpoint` and `tile/…`.
    Dir(PathBuf),
}

/// Why a path could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchFault {
    /// The place does not have it.
    #[error("{path} is not there")]
    Missing {
        /// The path in the log.
        path: String,
    },
    /// It is longer than anything valid can be.
    #[error("{path} is longer than it can be")]
    TooLong {
        /// The path in the log.
        path: String,
    },
    /// The server says no.
    #[error("the server refuses {path} with status {status}")]
    Refused {
        /// The path in the log.
        path: String,
        /// HTTP status.
        status: u16,
    },
    /// No answer, or one that says that the server cannot.
    #[error("{path} cannot be fetched: {why}")]
    Unreachable {
        /// The path in the log.
        path: String,
        /// The fault in words.
        why: String,
    },
    /// The folder cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// The path in the log.
        path: String,
        /// The fault in words.
        why: String,
    },
}

impl Source {
    /// The doors at a URL; `ca_pem` replaces this machine's authorities.
    pub fn http(url: &str, bearer: Option<Secret<String>>, ca_pem: Option<&[u8]>) -> Result<Self, HttpFault> {
        let base = crate::http::base_url(url)?;
        Ok(Self::Http { agent: Box::new(crate::http::agent(REQUEST_TIMEOUT, ca_pem)?), base, bearer })
    }

    /// Reads `path` (as `checkpoint`, `tile/0/000`), at most `bytes_max`.
    pub fn fetch(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, FetchFault> {
        match self {
            Self::Http { agent, base, bearer } => {
                let bearer = bearer.as_ref().map(|token| token.expose().as_str());
                fetch_http(agent, base, bearer, path, bytes_max)
            }
            Self::Dir(root) => fetch_file(root.join(path), path, bytes_max),
        }
    }
}

fn fetch_file(file: PathBuf, path: &str, bytes_max: usize) -> Result<Vec<u8>, FetchFault> {
    let unreadable = |fault: std::io::Error| match fault.kind() {
        std::io::ErrorKind::NotFound => FetchFault::Missing { path: path.to_owned() },
        _ => FetchFault::Unreadable { path: path.to_owned(), why: fault.to_string() },
    };
    let mut bytes = Vec::new();
    let mut bounded = File::open(file).map_err(unreadable)?.take(bytes_max as u64 + 1);
    bounded.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() <= bytes_max { Ok(bytes) } else { Err(FetchFault::TooLong { path: path.to_owned() }) }
}

fn fetch_http(
    agent: &Agent,
    base: &str,
    bearer: Option<&str>,
    path: &str,
    bytes_max: usize,
) -> Result<Vec<u8>, FetchFault> {
    let mut tries = 1;
    loop {
        let mut request = agent.get(format!("{base}/{path}")).header(header::ACCEPT_ENCODING, "identity");
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        match request.call() {
            Ok(answer) => match wait_before_next(&answer) {
                Some(wait) if tries < TRIES_MAX => std::thread::sleep(wait),
                _ => return read_answer(answer, path, bytes_max),
            },
            // A kept connection that the server has closed meanwhile: a new one may do.
            Err(ureq::Error::Io(fault)) if is_broken(&fault) && tries < TRIES_MAX => {}
            Err(fault) => return Err(unreachable(path, &fault)),
        }
        tries += 1;
    }
}

fn is_broken(fault: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(fault.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// How long a busy server asks to wait: `Retry-After` in seconds, at least one.
fn wait_before_next(answer: &Response<Body>) -> Option<Duration> {
    let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status());
    let after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    busy.then(|| Duration::from_secs(after.unwrap_or(1).max(1)).min(WAIT_MAX))
}

fn read_answer(mut answer: Response<Body>, path: &str, bytes_max: usize) -> Result<Vec<u8>, FetchFault> {
    let path = path.to_owned();
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(FetchFault::Missing { path }),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(FetchFault::Unreachable { path, why: format!("the server answers {status}") });
        }
        status => return Err(FetchFault::Refused { path, status: status.as_u16() }),
    }
    if answer.headers().get(header::CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        let why = "the server compresses what was asked for plain".to_owned();
        return Err(FetchFault::Unreachable { path, why });
    }
    // One byte more than allowed, so that a body of exactly the bound is not mistaken for a longer one.
    let body = answer.body_mut().with_config().limit(bytes_max as u64 + 1).read_to_vec();
    match body {
        Ok(bytes) if bytes.len() <= bytes_max => Ok(bytes),
        Ok(_) | Err(ureq::Error::BodyExceedsLimit(_)) => Err(FetchFault::TooLong { path }),
        Err(fault) => Err(unreachable(&path, &fault)),
    }
}

fn unreachable(path: &str, fault: &ureq::Error) -> FetchFault {
    FetchFault::Unreachable { path: path.to_owned(), why: fault.to_string() }
}
