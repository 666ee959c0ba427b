//! JSON pointers (RFC 6901): the place of a fault in a request.

use std::fmt;

/// One fault of an input and its place. A service renders it into the `errors` of a 422 problem.
///
/// `detail` is our own text: it names rules and bounds, never the value that broke them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointerError {
    /// Where, as a JSON pointer from the root of the value that was parsed: `/credentials/0/claims/2/path`.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl PointerError {
    /// The same fault seen from the request that carried the value at `prefix` (`/dcql_query`).
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

impl fmt::Display for PointerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.detail)
    }
}

/// A place in a JSON value, grown on the way down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pointer(String);

impl Pointer {
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// One member further down; `~` and `/` are escaped (RFC 6901, section 3).
    pub(crate) fn member(&self, name: &str) -> Self {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        Self(format!("{}/{escaped}", self.0))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    pub(crate) fn error(&self, detail: impl Into<String>) -> PointerError {
        PointerError { pointer: self.0.clone(), detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_slash_and_tilde_is_escaped() {
        let fault = Pointer::root().member("a/b~c").index(3).error("no");
        assert_eq!(fault.under("/claims").pointer, "/claims/a~1b~0c/3");
    }
}
