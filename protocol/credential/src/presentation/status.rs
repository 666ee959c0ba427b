//! VP-050 to VP-054: whether the issuer still stands by the credential.

use jiff::{SignedDuration, Timestamp};

use super::Lines;
use crate::check::{Check, Detail};
use crate::sd_jwt::ClaimFault;
use crate::status::{ListFault, StatusReference, StatusValue, VerifiedList};

use super::issuer;

/// Whether a status is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusMode {
    /// If the credential names one.
    #[default]
    IfPresent,
    /// A credential without one is refused.
    Require,
    /// Never.
    Ignore,
}

impl StatusMode {
    /// `if_present`, `require`, `ignore`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "if_present" => Self::IfPresent,
            "require" => Self::Require,
            "ignore" => Self::Ignore,
            _ => return None,
        })
    }

    /// The reverse of [`Self::parse`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IfPresent => "if_present",
            Self::Require => "require",
            Self::Ignore => "ignore",
        }
    }
}

/// The verifier's rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusPolicy {
    /// Whether a status is looked at.
    pub mode: StatusMode,
    /// How long a list that is no longer fresh still counts, with a warning, seconds.
    pub grace_s: u32,
}

/// What the service found at the URI that [`super::Examined::status_wanted`] named.
#[derive(Debug)]
pub enum StatusAnswer<'a> {
    /// Nothing was wanted.
    NotWanted,
    /// A list, fetched or kept since.
    List {
        /// The list.
        list: &'a VerifiedList,
        /// When it came.
        fetched_at: Timestamp,
    },
    /// No list, and none is kept.
    Fault(ListFault),
}

/// What the credential says of its status, and under which anchor it stands.
pub(super) struct Asked<'a> {
    pub(super) reference: &'a Result<Option<StatusReference>, ClaimFault>,
    pub(super) anchor_sha256: Option<&'a [u8; 32]>,
}

/// Makes the checks; the word for the result says what is known.
pub(super) fn check(
    lines: &mut Lines,
    asked: &Asked<'_>,
    answer: &StatusAnswer<'_>,
    policy: &StatusPolicy,
    now: Timestamp,
) -> &'static str {
    if policy.mode == StatusMode::Ignore {
        lines.skip_missing(super::STATUS, "policy");
        return "ignored";
    }
    let reference = match asked.reference {
        Ok(Some(reference)) => reference,
        Ok(None) if policy.mode == StatusMode::Require => {
            lines.fail(Check::StatusList, "status/missing", Detail::none().reason("no-status"));
            return "absent";
        }
        Ok(None) => {
            lines.skip_missing(super::STATUS, "no-status");
            return "absent";
        }
        Err(_) => {
            lines.fail(Check::StatusList, "status/list-invalid", Detail::none().reason("reference"));
            return "unknown";
        }
    };
    let (list, fetched_at) = match answer {
        StatusAnswer::List { list, fetched_at } => (list, *fetched_at),
        StatusAnswer::Fault(fault) => {
            refuse(lines, *fault);
            return "unknown";
        }
        // A caller that forgot to fetch must not make a credential valid.
        StatusAnswer::NotWanted => {
            refuse(lines, ListFault::Unreachable);
            return "unknown";
        }
    };
    if !list.speaks_for(asked.anchor_sha256) {
        let detail = Detail::none().reason("wrong-context").chain(list.judged().chain());
        lines.fail(Check::StatusList, "status/list-untrusted", detail);
        return "unknown";
    }
    lines.pass(Check::StatusList, Detail::none());
    let same = list.subject() == reference.uri;
    lines.judge(Check::StatusSubject, same, "status/wrong-subject", Detail::none);
    check_fresh(lines, list, fetched_at, policy.grace_s, now);
    check_value(lines, list, reference.idx)
}

fn refuse(lines: &mut Lines, fault: ListFault) {
    let detail = Detail::none().reason(fault.word());
    let detail = match fault {
        ListFault::Path(reason) => detail.word("path", issuer::word(reason)),
        _ => detail,
    };
    lines.fail(Check::StatusList, fault.code(), detail);
}

fn check_fresh(lines: &mut Lines, list: &VerifiedList, fetched_at: Timestamp, grace_s: u32, now: Timestamp) {
    let fresh_until = list.fresh_until(fetched_at);
    let detail =
        Detail::none().time("fetched_at", fetched_at).time("fresh_until", fresh_until).time("now", now);
    if list.is_from_the_future(now) {
        lines.fail(Check::StatusFresh, "status/stale", detail.reason("issued-in-future"));
    } else if now < fresh_until {
        lines.pass(Check::StatusFresh, detail);
    } else if now.duration_since(fresh_until) < SignedDuration::from_secs(i64::from(grace_s)) {
        lines.warn(Check::StatusFresh, "status/stale", detail.reason("within-grace"));
    } else {
        lines.fail(Check::StatusFresh, "status/stale", detail.reason("too-old"));
    }
}

fn check_value(lines: &mut Lines, list: &VerifiedList, idx: u64) -> &'static str {
    let Ok(value) = list.value(idx) else {
        let detail = Detail::none().number("entries", list.entries());
        lines.fail(Check::StatusIndex, "status/index-out-of-range", detail);
        lines.skip(Check::StatusValue, "no-entry");
        return "unknown";
    };
    lines.pass(Check::StatusIndex, Detail::none());
    let (word, code) = match value {
        StatusValue::Valid => {
            lines.pass(Check::StatusValue, Detail::none());
            return "valid";
        }
        StatusValue::Invalid => ("revoked", "status/revoked"),
        StatusValue::Suspended => ("suspended", "status/suspended"),
        StatusValue::Other(_) => ("unknown", "status/unknown-value"),
    };
    lines.fail(Check::StatusValue, code, Detail::none().number("value", u64::from(value.number())));
    word
}
