//! R4: HTTP types stand only in `http.rs` (or `http/`), `edge` and the console. R6: a route exists only as a door of `edge`,
//! which carries its permission and its place in the OpenAPI document.

use super::Break;
use crate::tree::File;

/// R4 over `service/`.
pub fn http_stands_in_http(service: &[File]) -> Vec<Break> {
    let mut breaks = Vec::new();
    for file in service.iter().filter(|file| !file.is_test()) {
        if file.path.starts_with("service/edge/")
            || file.path.ends_with("/http.rs")
            || file.path.contains("/http/")
        {
            continue;
        }
        for (number, line) in file.code_lines() {
            let code = line.split("//").next().unwrap_or_default();
            if ["axum::", "StatusCode", "HeaderMap", "hyper::", " http::"]
                .iter()
                .any(|word| code.contains(word))
            {
                breaks.push(Break::at("R4", &file.path, number, "HTTP type outside http.rs"));
            }
        }
    }
    breaks
}

/// R6, the half that the text shows: nobody but `edge` builds a route. `app/tessera/tests/openapi.rs` shows the other half.
pub fn routes_are_doors(code: &[File]) -> Vec<Break> {
    let mut breaks = Vec::new();
    for file in code.iter().filter(|file| !file.is_test() && !file.path.starts_with("service/edge/")) {
        for (number, line) in file.code_lines() {
            if line.contains(".route(") || line.contains(".route_service(") || line.contains(".fallback(") {
                breaks.push(Break::at("R6", &file.path, number, "a route that is not a door of edge"));
            }
        }
    }
    breaks
}

/// Outbound connections leave through `edge::outbound` alone (in `service/`).
pub fn one_outbound_client(service: &[File]) -> Vec<Break> {
    let mut breaks = Vec::new();
    for file in
        service.iter().filter(|file| !file.is_test() && !file.path.starts_with("service/edge/src/outbound"))
    {
        for (number, line) in file.code_lines() {
            if ["ureq::", "reqwest::", "hyper::client", "TcpStream::connect"]
                .iter()
                .any(|word| line.contains(word))
            {
                breaks.push(Break::at(
                    "outbound",
                    &file.path,
                    number,
                    "an outbound connection outside edge::outbound",
                ));
            }
        }
    }
    breaks
}
