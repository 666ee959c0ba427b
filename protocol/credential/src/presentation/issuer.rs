//! VP-010 to VP-019: the credential itself, its signer and its disclosures.

use std::sync::Arc;

use crypto::jose::jws::{Jws, JwsError};
use crypto::x509::path::{PathFault, PathReason};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Lines;
use crate::check::{Check, Detail};
use crate::sd_jwt::{self, DateFault, Dates, TYP};
use crate::trust::{Context, JudgeError, Judged, Trust};

/// An issuer-signed JWT whose form is sound.
pub(super) struct Signed {
    pub(super) jws: Jws,
    pub(super) payload: Map<String, Value>,
}

/// VP-010, VP-011 and the half of VP-012 that needs no key.
pub(super) fn check_form(lines: &mut Lines, jwt: &str) -> Option<Signed> {
    let malformed = |word| Detail::none().reason(word);
    let jws = match Jws::parse(jwt, &sd_jwt::limits()) {
        Ok(jws) => jws,
        Err(JwsError::UnsupportedAlg) => {
            lines.fail(Check::AlgFitsKey, "credential/unsupported-alg", Detail::none());
            lines.pass(Check::Parses, Detail::none());
            return None;
        }
        Err(_) => {
            lines.fail(Check::Parses, "credential/malformed", malformed("jwt"));
            return None;
        }
    };
    lines.judge(Check::Typ, jws.typ() == Some(TYP), "credential/wrong-typ", || {
        Detail::none().word("expected", TYP)
    });
    match sd_jwt::read_payload(&jws) {
        Some(payload) => {
            lines.pass(Check::Parses, Detail::none());
            Some(Signed { jws, payload })
        }
        None => {
            lines.fail(Check::Parses, "credential/malformed", malformed("payload"));
            None
        }
    }
}

/// VP-012 to VP-015 and VP-017. The signature is checked with the signer's key even when nobody vouches for it: then
/// the report says which of the two is wrong.
pub(super) fn check_signer(
    lines: &mut Lines,
    jws: &Jws,
    trust: &Trust<'_>,
    now: Timestamp,
) -> Option<Arc<Judged>> {
    let refuse = |lines: &mut Lines, detail: Detail| {
        lines.fail(Check::X5c, "credential/x5c-invalid", detail);
        None
    };
    let Ok(chain) = jws.x5c() else { return refuse(lines, Detail::none().reason("missing-or-malformed")) };
    let judged = match trust.judge(&chain, Context::Issuer, now) {
        Ok(judged) => judged,
        Err(JudgeError::Count) => return refuse(lines, Detail::none().reason("count")),
        Err(JudgeError::Certificate(nth)) => {
            return refuse(lines, Detail::none().reason("unreadable").number("certificate", nth as u64));
        }
    };
    lines.pass(Check::X5c, Detail::none().number("certificates", chain.len() as u64));
    check_path(lines, &judged);
    let fits = jws.alg().fits(judged.signer().alg());
    let detail =
        || Detail::none().word("alg", jws.alg().jws_name()).word("key", judged.signer().alg().as_str());
    lines.judge(Check::AlgFitsKey, fits, "credential/alg-key-mismatch", detail);
    if fits {
        let signed = jws.verify(judged.signer()).is_ok();
        lines.judge(Check::Signature, signed, "credential/bad-signature", Detail::none);
    }
    Some(judged)
}

/// VP-014 and VP-015.
pub(super) fn check_path(lines: &mut Lines, judged: &Judged) {
    let detail = || Detail::none().chain(judged.chain());
    match judged.path_anywhere() {
        Ok(()) => lines.pass(Check::Path, detail()),
        Err(fault) if is_anchor_fault(fault.reason) => {
            let detail = detail().reason(word(fault.reason)).number("certificate", fault.certificate as u64);
            lines.fail(Check::AnchorOutside, code(fault.reason), detail);
            return;
        }
        Err(fault) => lines.fail(Check::Path, code(fault.reason), path_detail(detail(), fault, judged)),
    }
    match judged.path() {
        Ok(vouched) if vouched.anchor_in_chain => {
            let code = code(PathReason::AnchorInChain);
            lines.warn(Check::AnchorOutside, code, Detail::none().reason("anchor-in-chain"));
        }
        _ => lines.pass(Check::AnchorOutside, Detail::none()),
    }
}

/// VP-016: the id of the anchor that vouches for credentials of this type.
pub(super) fn check_context(
    lines: &mut Lines,
    judged: Option<&Judged>,
    trust: &Trust<'_>,
    vct: Option<&str>,
) -> Option<String> {
    let judged = judged?;
    let refuse = |lines: &mut Lines, detail: Detail| {
        let detail = detail.reason("wrong-context").word("context", Context::Issuer.as_str());
        lines.fail(Check::Context, code(PathReason::WrongContext), detail);
        None
    };
    match judged.path() {
        Err(fault) if fault.reason == PathReason::WrongContext => {
            let detail = judged.nearest().map(|nearest| Detail::none().certificate("anchor", nearest));
            refuse(lines, detail.unwrap_or_default())
        }
        Err(_) => {
            lines.skip(Check::Context, "no-path");
            None
        }
        Ok(_) => match vct.and_then(|vct| judged.vouches_for(trust.anchors, Context::Issuer, vct)) {
            Some(anchor) => {
                lines.pass(Check::Context, Detail::none());
                Some(anchor.id.clone())
            }
            None => refuse(lines, Detail::none().word("vouches", "other-types")),
        },
    }
}

/// VP-018: the claims with every disclosure in its place.
pub(super) fn check_disclosures(
    lines: &mut Lines,
    payload: Map<String, Value>,
    disclosures: &[&str],
) -> Option<sd_jwt::Unfolded> {
    match sd_jwt::unfold(payload, disclosures) {
        Ok(unfolded) => {
            lines.pass(Check::Disclosures, Detail::none().number("disclosures", disclosures.len() as u64));
            Some(unfolded)
        }
        Err(fault) => {
            lines.fail(
                Check::Disclosures,
                "credential/disclosure-invalid",
                Detail::none().reason(fault.word()),
            );
            None
        }
    }
}

/// VP-019.
pub(super) fn check_dates(lines: &mut Lines, dates: &Result<Dates, DateFault>, now: Timestamp) {
    let fault = match dates {
        Ok(dates) => dates.check(now).err(),
        Err(fault) => Some(*fault),
    };
    let detail = || Detail::none().time("now", now);
    match fault {
        None => lines.pass(Check::Dates, Detail::none()),
        Some(DateFault::Expired) => lines.fail(Check::Dates, "credential/expired", detail()),
        Some(DateFault::NotYetValid) => lines.fail(Check::Dates, "credential/not-yet-valid", detail()),
        Some(DateFault::Malformed) => lines.fail(Check::Dates, "credential/dates-invalid", detail()),
    }
}

fn is_anchor_fault(reason: PathReason) -> bool {
    matches!(reason, PathReason::AnchorInChain | PathReason::SelfSignedLeaf)
}

fn path_detail(detail: Detail, fault: PathFault, judged: &Judged) -> Detail {
    let detail = detail.reason(word(fault.reason)).number("certificate", fault.certificate as u64);
    match judged.nearest() {
        Some(nearest) if fault.reason == PathReason::NoAnchor => detail.certificate("nearest", nearest),
        _ => detail,
    }
}

/// The reason's closed word.
pub(super) const fn word(reason: PathReason) -> &'static str {
    // `trust/` is six bytes.
    code(reason).split_at(6).1
}

const fn code(reason: PathReason) -> &'static str {
    match reason {
        PathReason::NoAnchor => "trust/no-anchor",
        PathReason::AnchorInChain => "trust/anchor-in-chain",
        PathReason::SelfSignedLeaf => "trust/self-signed-leaf",
        PathReason::WrongOrder => "trust/wrong-order",
        PathReason::NotACa => "trust/not-a-ca",
        PathReason::PathTooLong => "trust/path-too-long",
        PathReason::Expired => "trust/expired",
        PathReason::NotYetValid => "trust/not-yet-valid",
        PathReason::BadSignature => "trust/bad-signature",
        PathReason::WrongContext => "trust/wrong-context",
        PathReason::Eku => "trust/eku",
        PathReason::NameMismatch => "trust/name-mismatch",
    }
}
