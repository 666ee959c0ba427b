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

/// A place in a JSON value, one step below another; it costs nothing until it becomes part of a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pointer<'a> {
    Root,
    Member(&'a Pointer<'a>, &'a str),
    Index(&'a Pointer<'a>, usize),
}

impl Pointer<'_> {
    pub(crate) fn member<'b>(&'b self, name: &'b str) -> Pointer<'b> {
        Pointer::Member(self, name)
    }

    pub(crate) fn index(&self, index: usize) -> Pointer<'_> {
        Pointer::Index(self, index)
    }

    pub(crate) fn error(&self, detail: impl Into<String>) -> PointerError {
        PointerError { pointer: self.to_text(), detail: detail.into() }
    }

    /// `~` and `/` in names are escaped (RFC 6901, section 3).
    fn to_text(self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(parent, name) => {
                format!("{}/{}", parent.to_text(), name.replace('~', "~0").replace('/', "~1"))
            }
            Self::Index(parent, index) => format!("{}/{index}", parent.to_text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_slash_and_tilde_is_escaped() {
        let fault = Pointer::Root.member("a/b~c").index(3).error("no");
        assert_eq!(fault.under("/claims").pointer, "/claims/a~1b~0c/3");
    }
}
