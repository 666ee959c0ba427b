//! The one thing of a presentation that is fetched: its status list.

use axum::body::Bytes;
use axum::http::{HeaderValue, Method, StatusCode, header};
use credential::status::{ListFault, TOKEN_BYTES_MAX};
use edge::outbound::{Client, Limits, Outgoing};

/// Token Status List, 8.1: a verifier says which form it reads.
const LIST_MEDIA_TYPE: &str = "application/statuslist+jwt";

/// Fetches the token of a list. A redirect is not followed (`status/redirected`), as nobody vouches for where it leads.
///
/// # Errors
/// [`ListFault::Redirected`]; [`ListFault::Malformed`] for bytes that are no text; [`ListFault::Unreachable`] for all else, an
/// address that the outbound client does not go to among it.
pub(crate) async fn status_list(outbound: &Client, uri: &str) -> Result<String, ListFault> {
    let outgoing = Outgoing {
        method: Method::GET,
        url: uri.to_owned(),
        headers: vec![(header::ACCEPT, HeaderValue::from_static(LIST_MEDIA_TYPE))],
        body: Bytes::new(),
    };
    let answer = outbound.send(outgoing, Limits::of(TOKEN_BYTES_MAX)).await.map_err(|fault| {
        tracing::info!(%fault, "a status list was not fetched");
        ListFault::Unreachable
    })?;
    match answer.status {
        StatusCode::OK => String::from_utf8(answer.body.to_vec()).map_err(|_| ListFault::Malformed),
        status if status.is_redirection() => Err(ListFault::Redirected),
        _ => Err(ListFault::Unreachable),
    }
}
