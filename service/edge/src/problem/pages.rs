//! The pages of edge's own problems: what any door may answer before a room is asked.

/// Declares pages as statics, and `ALL` over them. Rooms write their own table with it, and hand each page to the doors that answer
/// it:
///
/// ```text
/// edge::problem_pages! { pub(crate) pages;
///     /// When it is answered.
///     NAME = 409 "room/code": "title", meaning "…", cause "…", fix "…", command "…";
/// }
/// ```
#[macro_export]
macro_rules! problem_pages {
    ($vis:vis pages; $($(#[$doc:meta])* $name:ident = $status:literal $code:literal: $title:literal,
        meaning $meaning:literal, cause $cause:literal, fix $fix:literal, command $command:literal;)*) => {
        $($(#[$doc])* $vis static $name: $crate::problem::Page = $crate::problem::Page {
            code: $code, status: $status, title: $title, meaning: $meaning, cause: $cause, fix: $fix, command: $command,
        };)*
        /// Every page of this table.
        #[allow(dead_code, reason = "a room may hand its pages to its doors one by one")]
        $vis static ALL: &[&$crate::problem::Page] = &[$(&$name),*];
    };
}
pub(crate) use problem_pages as pages;

pages! {
    pub pages;
    /// `Host` names no origin of ours.
    UNKNOWN_HOST = 421 "edge/unknown-host": "this host name is not ours",
        meaning "The request names a host that this program does not serve. This is also the wall against DNS rebinding.",
        cause "The Host header differs from the host of public_url, console_url and wallet_url.",
        fix "Use the origin that the detail names, or set server.public_url to the one you use.",
        command "tessera doctor";
    /// No door under this path.
    NO_SUCH_DOOR = 404 "api/no-such-door": "nothing is served under this path",
        meaning "No door has this path.",
        cause "A misspelt path, or a door of a role that this process does not run.",
        fix "Look for the door in /openapi.json.",
        command "tessera openapi";
    /// The door has other methods.
    METHOD_NOT_ALLOWED = 405 "api/method-not-allowed": "this path takes other methods",
        meaning "The path exists, but not with this method.",
        cause "A wrong method; the header Allow names those that the path takes.",
        fix "Use a method of the header Allow.",
        command "tessera openapi";
    /// The object does not exist, or not for this tenant.
    NOT_FOUND = 404 "api/not-found": "there is no such object",
        meaning "The object does not exist in your tenant. An object of another tenant gives the same answer.",
        cause "A misspelt id, an object that was deleted, or one of another tenant.",
        fix "List the collection to find the id.",
        command "";
    /// No token, or one that was refused; which check failed is not said.
    UNAUTHENTICATED = 401 "api/unauthenticated": "this door asks for a token",
        meaning "The request carries no bearer token, or one that is not accepted. Which check failed is not said.",
        cause "No token, an expired one, one of another issuer or audience, or a session that has ended.",
        fix "Get a new token, or log in again.",
        command "tessera login";
    /// The roles of the token do not carry the door's permission.
    FORBIDDEN = 403 "api/forbidden": "your roles do not allow this",
        meaning "You are known, and the object may be yours, but none of your roles carries the permission of this door.",
        cause "The role that this door asks for was not given to you.",
        fix "Ask an owner of the tenant for the role, or use another account.",
        command "tessera status";
    /// The request line or a header is not well formed.
    BAD_REQUEST = 400 "api/bad-request": "the request is not well formed",
        meaning "A header, a path segment or the request line cannot be read.",
        cause "A header that came twice, bytes that are not UTF-8, or a broken escape.",
        fix "Mend the place that errors names.",
        command "";
    /// The body is no JSON document.
    MALFORMED = 400 "api/malformed": "the body is not valid JSON",
        meaning "The body is not one JSON document in UTF-8.",
        cause "A syntax error, trailing bytes, or an empty body.",
        fix "Send one JSON document and nothing behind it.",
        command "";
    /// A member came twice.
    DUPLICATE_MEMBER = 400 "api/duplicate-member": "a member came twice",
        meaning "An object in the body names a member twice. Which one counts would depend on the reader, so neither does.",
        cause "The same name twice in one object.",
        fix "Name each member once; errors says where.",
        command "";
    /// Nested too deeply.
    TOO_DEEP = 400 "api/too-deep": "the body is nested too deeply",
        meaning "Arrays and objects may be nested 32 deep.",
        cause "A deeper nesting.",
        fix "Send a flatter body.",
        command "";
    /// The body does not have the form that the door asks for.
    INVALID = 422 "api/invalid": "the body does not have the form that this door asks for",
        meaning "The body is JSON, but a member is missing, unknown, of another type, or out of its range.",
        cause "See errors: each names the place and the rule.",
        fix "Mend the places that errors names; the form stands in /openapi.json.",
        command "tessera openapi";
    /// The query does not have the form that the door asks for.
    INVALID_QUERY = 422 "api/invalid-query": "the query does not have the form that this door asks for",
        meaning "A parameter of the query is unknown, came twice, or has a value out of its range.",
        cause "See errors: each names the parameter and the rule.",
        fix "Mend the parameters that errors names; they stand in /openapi.json.",
        command "tessera openapi";
    /// The content type is not the door's.
    UNSUPPORTED_MEDIA_TYPE = 415 "api/unsupported-media-type": "this door takes another content type",
        meaning "The header Content-Type is missing or names a type that the door does not take.",
        cause "A missing or foreign Content-Type, or a Content-Encoding.",
        fix "Send the type that the detail names, without Content-Encoding.",
        command "";
    /// Larger than the door's bound.
    BODY_TOO_LARGE = 413 "api/body-too-large": "the body is larger than this door takes",
        meaning "Each door has a bound for its body. It was read no further.",
        cause "A body beyond the bound that the detail names.",
        fix "Send less at once.",
        command "";
    /// The body came too slowly.
    BODY_TIMEOUT = 408 "api/body-timeout": "the body came too slowly",
        meaning "A body must be there within 30 seconds.",
        cause "A slow or interrupted connection.",
        fix "Send the request again.",
        command "";
    /// The same key with another body.
    IDEMPOTENCY_REUSE = 422 "api/idempotency-reuse": "this Idempotency-Key was used with another request",
        meaning "A key stands for one request. The first one keeps it for 24 hours.",
        cause "Another body, or another door, under the same key.",
        fix "Use a new key for a new request.",
        command "";
    /// The first request with this key still runs.
    IDEMPOTENCY_BUSY = 409 "api/idempotency-busy": "the first request with this Idempotency-Key is still running",
        meaning "The same request is being worked on. Nothing was done twice.",
        cause "A repeat before the first answer.",
        fix "Wait, then send the same request again.",
        command "";
    /// The act is done; its answer was lost.
    IDEMPOTENCY_DONE = 409 "api/idempotency-done": "the act of this Idempotency-Key was done, its answer is lost",
        meaning "The act is durable, but the program ended before its answer was kept. It was not done twice.",
        cause "The program stopped between the act and its answer.",
        fix "Read the object that the act made; the ledger names it.",
        command "tessera ledger list";
    /// Not 1–64 printable characters, or at a door that takes none.
    IDEMPOTENCY_KEY = 400 "api/idempotency-key": "the Idempotency-Key is not accepted",
        meaning "An Idempotency-Key is 1 to 64 printable ASCII characters, once, on a POST that names it in /openapi.json.",
        cause "A longer, empty, repeated or unprintable key.",
        fix "Use a random id as key.",
        command "";
    /// Too many requests.
    RATE_LIMITED = 429 "api/rate-limited": "too many requests",
        meaning "A limit of this door was reached. Nothing was done.",
        cause "More requests in a minute than the class of this door allows to one address, actor or tenant.",
        fix "Wait as long as the header Retry-After says.",
        command "";
    /// Too many requests in flight.
    OVERLOADED = 503 "api/overloaded": "the server has too much to do",
        meaning "More requests are in flight than this process takes. Nothing was done.",
        cause "A burst of requests, or a slow disk.",
        fix "Wait as long as the header Retry-After says.",
        command "tessera status";
    /// The request took too long.
    TIMED_OUT = 503 "api/timed-out": "the server took too long",
        meaning "The request was not finished within 60 seconds and was stopped. An act that was already durable stays.",
        cause "A slow disk, or a peer that did not answer.",
        fix "Look whether the act was done, then send the request again; an Idempotency-Key makes that safe.",
        command "tessera status";
    /// Our fault.
    FAULT = 500 "api/fault": "the server failed",
        meaning "A fault of this program. Its log names the request id.",
        cause "A defect, or a damaged store.",
        fix "Look into the log under the request id and report it.",
        command "tessera doctor";
    /// The store takes no writes.
    LEDGER_UNAVAILABLE = 503 "ledger/unavailable": "nothing can be recorded now, so nothing is done",
        meaning "No durable commit, no answer: an act that cannot be recorded is not done.",
        cause "A full disk, too many entries that wait for their checkpoint, or a store that is closing.",
        fix "Look at /readyz; free space on the disk.",
        command "tessera doctor";
    /// The tenant's log is quarantined.
    LEDGER_QUARANTINED = 503 "ledger/quarantined": "the log of this tenant is quarantined",
        meaning "A check at start found the log damaged or older than what was signed. Nothing is changed until an owner decides.",
        cause "A restored backup, an edited database or a lost guard.",
        fix "Read /readyz for the check that failed, then follow the page on recovery.",
        command "tessera doctor";
    /// Another origin's page posted this.
    CROSS_SITE = 403 "api/cross-site": "this page does not take requests from other sites",
        meaning "The browser says that another site sent this request.",
        cause "A form or script on another origin.",
        fix "Open the page itself and use its button.",
        command "";
    /// Nobody is signed in in this browser.
    SIGNED_OUT = 401 "console/signed-out": "nobody is signed in here",
        meaning "The console asks for an operator's session in this browser. Nothing was done.",
        cause "The session has ended: after 30 minutes without use, after 8 hours, or because somebody ended it.",
        fix "Sign in with a passkey or a one-time link, then do it again.",
        command "";
    /// A form without its token.
    FORM_TOKEN = 403 "console/form-token": "this form is too old, or not of this page",
        meaning "Each form of the console carries a token of its browser, its session and its tenant. This one's does not hold, so nothing was done.",
        cause "The page stood open too long, was made before you signed in or in another tenant, or another site sent the form.",
        fix "Go back to the page, load it again and send the form anew.",
        command "";
    /// No page for this code.
    NO_SUCH_PROBLEM = 404 "api/no-such-problem": "there is no problem with this code",
        meaning "No page has this code.",
        cause "A misspelt code, or one of another version.",
        fix "Look at the list under /problems.",
        command "";
}

/// Edge's pages and those of its tenancy doors, for `GET /problems`.
#[must_use]
pub(crate) fn table() -> super::Pages {
    let mut table = super::Pages::default();
    for page in ALL.iter().chain(super::oauth_pages::ALL).chain(super::tenancy_pages::ALL) {
        table.add(page);
    }
    table
}
