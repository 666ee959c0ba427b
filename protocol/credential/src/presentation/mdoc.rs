//! VP-030 to VP-036: one mdoc presentation, with the checks of signer and query that every format has.

use std::sync::Arc;

use crypto::cose::CoseError;
use jiff::Timestamp;

use super::{Examined, Expected, Found, IssuerFacts, Lines, PresentedCredential, issuer, query};
use crate::check::{Check, Detail};
use crate::claims_path::Step;
use crate::dcql::Meta;
use crate::mdoc::{
    self, DeviceResponse, FORMAT, ParseError, ResponseError, SIGNER_EKU, SecurityObject, SessionTranscript,
};
use crate::sd_jwt::{Placed, Unfolded};
use crate::trust::{Context, JudgeError, Judged, Trust};

/// The checks of [`examine_mdoc`], in order.
const EXAMINED: &[Check] = &[
    Check::AlgFitsKey,
    Check::X5c,
    Check::Path,
    Check::AnchorOutside,
    Check::Context,
    Check::TransactionData,
    Check::DeviceResponse,
    Check::DocType,
    Check::IssuerAuth,
    Check::Digests,
    Check::ValidityInfo,
    Check::DeviceSignature,
    Check::NoDeviceMac,
    Check::Type,
    Check::Claims,
    Check::Values,
    Check::TrustedAuthorities,
    Check::OverDisclosure,
];

/// Checks everything about `text`, a `DeviceResponse` in base64url, that needs no status list. Client identifier and nonce are
/// judged through `transcript`, which the verifier makes from the request that it stored.
pub fn examine_mdoc(
    text: &str,
    transcript: &SessionTranscript,
    expected: &Expected<'_>,
    trust: &Trust<'_>,
    now: Timestamp,
) -> Examined {
    let mut lines = Lines { results: Vec::with_capacity(Check::ALL.len()) };
    let found = match DeviceResponse::parse(text) {
        Ok(response) => {
            let elements = response.signed.items.len() as u64;
            let detail = Detail::none().number("elements", elements);
            lines.pass(
                Check::DeviceResponse,
                match response.device.elements {
                    0 => detail,
                    by_device => detail.number("elements_by_device_unread", by_device as u64),
                },
            );
            examine_response(&mut lines, &response, transcript, expected, trust, now)
        }
        Err(ResponseError::Document(ParseError::IssuerAuth(CoseError::UnsupportedAlg))) => {
            lines.pass(Check::DeviceResponse, Detail::none());
            lines.fail(Check::AlgFitsKey, "credential/unsupported-alg", Detail::none());
            Found::nothing(Vec::new())
        }
        Err(fault) => {
            lines.fail(Check::DeviceResponse, "mdoc/malformed", Detail::none().reason(fault.word()));
            Found::nothing(Vec::new())
        }
    };
    check_transactions(&mut lines, expected);
    if found.presented.is_none() && lines.is_valid() {
        // A part is missing that no check spoke of: whatever it is, nobody vouches for it.
        lines.fail(Check::DeviceResponse, "mdoc/malformed", Detail::none().reason("incomplete"));
    }
    lines.skip_missing(EXAMINED, "not-reached");
    let Found { presented, status, anchor_sha256, transactions } = found;
    let presented = presented.filter(|_| lines.is_valid());
    Examined {
        results: lines.results,
        name: expected.name.clone(),
        presented,
        status,
        anchor_sha256,
        transactions,
    }
}

fn examine_response(
    lines: &mut Lines,
    response: &DeviceResponse,
    transcript: &SessionTranscript,
    expected: &Expected<'_>,
    trust: &Trust<'_>,
    now: Timestamp,
) -> Found {
    let judged = check_signer(lines, response, trust, now);
    let object = check_issuer_auth(lines, response, judged.as_deref());
    check_device(lines, response, object.as_ref(), transcript);
    let Some(object) = object else { return Found::nothing(Vec::new()) };
    check_object(lines, response, &object, judged.as_deref(), now);
    let anchor = issuer::check_context(lines, judged.as_deref(), trust, Some(object.doctype()));
    let wanted = match &expected.query.meta {
        Meta::Doctype(wanted) => wanted == object.doctype(),
        meta => *meta == Meta::Any,
    };
    lines.judge(Check::Type, wanted, "query/wrong-type", || Detail::none().number("types_asked", 1));
    query::check_authorities(lines, expected.query, judged.as_deref());
    let asked = query::check_claims(lines, expected.query, Some(unfolded(response)));

    let anchor_sha256 = judged.as_deref().and_then(|judged| Some(judged.path().ok()?.anchor_sha256));
    let status = object.status().map(|reference| reference.cloned());
    let presented = (|| {
        let signer = judged.as_deref()?.chain().first()?;
        Some(PresentedCredential {
            format: FORMAT,
            kind: object.doctype().to_owned(),
            claims: asked?,
            status: "absent",
            holder_binding: true,
            valid_until: Some(object.valid_until()),
            issuer: IssuerFacts {
                subject: signer.subject.clone(),
                certificate_sha256: signer.sha256,
                anchor: anchor?,
            },
        })
    })();
    Found { presented, status, anchor_sha256, transactions: Vec::new() }
}

/// VP-012 to VP-015.
fn check_signer(
    lines: &mut Lines,
    response: &DeviceResponse,
    trust: &Trust<'_>,
    now: Timestamp,
) -> Option<Arc<Judged>> {
    let refuse = |lines: &mut Lines, detail: Detail| {
        lines.fail(Check::X5c, "credential/x5c-invalid", detail);
        None
    };
    let auth = &response.signed.auth;
    let Ok(chain) = auth.x5chain() else {
        return refuse(lines, Detail::none().reason("missing-or-malformed"));
    };
    let judged = match trust.judge(&chain, Context::Issuer, now) {
        Ok(judged) => judged,
        Err(JudgeError::Count) => return refuse(lines, Detail::none().reason("count")),
        Err(JudgeError::Certificate(nth)) => {
            return refuse(lines, Detail::none().reason("unreadable").number("certificate", nth as u64));
        }
    };
    lines.pass(Check::X5c, Detail::none().number("certificates", chain.len() as u64));
    issuer::check_path(lines, &judged);
    let detail =
        || Detail::none().word("alg", auth.alg().jws_name()).word("key", judged.signer().alg().as_str());
    let fits = mdoc::fits(auth, judged.signer());
    lines.judge(Check::AlgFitsKey, fits, "credential/alg-key-mismatch", detail);
    Some(judged)
}

/// VP-032: the signature is checked with the signer's key even when nobody vouches for it, so that the report says which of the
/// two is wrong. A certificate that states what it is for must state documents (ISO/IEC 18013-5, B.1.4).
fn check_issuer_auth(
    lines: &mut Lines,
    response: &DeviceResponse,
    judged: Option<&Judged>,
) -> Option<SecurityObject> {
    let auth = &response.signed.auth;
    let object = SecurityObject::read(auth);
    let signed = judged
        .map(|judged| mdoc::fits(auth, judged.signer()) && auth.verify(judged.signer(), b"", None).is_ok());
    let reason = match (&object, signed) {
        (Err(fault), _) => Some(fault.word()),
        (Ok(_), Some(false)) => Some("bad-signature"),
        (Ok(_), None) => Some("no-certificates"),
        (Ok(_), Some(true)) if !judged.is_some_and(|judged| judged.may(SIGNER_EKU)) => Some("signer-usage"),
        (Ok(_), Some(true)) => None,
    };
    lines.judge(Check::IssuerAuth, reason.is_none(), "mdoc/issuer-auth", || {
        Detail::none().reason(reason.unwrap_or_default())
    });
    object.ok()
}

/// VP-031, VP-033 and VP-034: what the security object says of this document.
fn check_object(
    lines: &mut Lines,
    response: &DeviceResponse,
    object: &SecurityObject,
    judged: Option<&Judged>,
    now: Timestamp,
) {
    lines.judge(Check::DocType, object.doctype() == response.doctype(), "mdoc/doctype", Detail::none);
    let items = &response.signed.items;
    let wrong = items.iter().filter(|item| !object.has_digest(item)).count();
    lines.judge(Check::Digests, wrong == 0, "mdoc/digest", || {
        Detail::none().number("wrong", wrong as u64).number("elements", items.len() as u64)
    });
    let signer = judged.and_then(|judged| judged.chain().first()).map(|it| (it.not_before, it.not_after));
    match object.check_dates(signer, now) {
        Ok(()) => lines.pass(Check::ValidityInfo, Detail::none()),
        Err(fault) => {
            let detail = Detail::none().reason(fault.word()).time("now", now);
            lines.fail(Check::ValidityInfo, "mdoc/validity", detail);
        }
    }
}

/// VP-035 and VP-036.
fn check_device(
    lines: &mut Lines,
    response: &DeviceResponse,
    object: Option<&SecurityObject>,
    transcript: &SessionTranscript,
) {
    let is_mac = response.device.is_mac();
    lines.judge(Check::NoDeviceMac, !is_mac, "mdoc/device-mac", Detail::none);
    let Some(object) = object else { return lines.skip(Check::DeviceSignature, "no-security-object") };
    if is_mac {
        return lines.skip(Check::DeviceSignature, "mac");
    }
    match response.device.check_signature(object.device_key(), transcript, response.doctype()) {
        Ok(()) => lines.pass(Check::DeviceSignature, Detail::none()),
        Err(word) => {
            lines.fail(Check::DeviceSignature, "mdoc/device-signature", Detail::none().reason(word));
        }
    }
}

/// VP-027: the profile of OpenID4VP binds transaction data in SD-JWTs; an mdoc authorises nothing here.
fn check_transactions(lines: &mut Lines, expected: &Expected<'_>) {
    let missing = expected.transactions.iter().filter(|transaction| transaction.required).count();
    if missing == 0 {
        return lines.skip(Check::TransactionData, "not-asked");
    }
    let detail = Detail::none().reason("missing").number("missing", missing as u64);
    lines.fail(Check::TransactionData, "key-binding/transaction-data", detail);
}

/// Elements as the claims of the formats that have disclosures: each is one.
fn unfolded(response: &DeviceResponse) -> Unfolded {
    let place = |namespace: &str, element: &str| Placed {
        place: vec![Step::Name(namespace.to_owned()), Step::Name(element.to_owned())],
    };
    let placed = response.signed.items.iter().map(|item| place(&item.namespace, &item.element)).collect();
    Unfolded { claims: response.signed.claims(), placed }
}
