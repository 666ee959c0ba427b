//! The signed list as a CWT (Token Status List, 5.2): a COSE_Sign1 whose claims are numbers.

use crypto::cbor::{self, CborLimits, Value};
use crypto::cose::{self, Sign1, Sign1Draft};
use jiff::Timestamp;

use super::token::{Contents, ListDraft, ListFault};
use super::{Bits, StatusList, TOKEN_BYTES_MAX};
use crate::sd_jwt::Dates;

/// Media type of a list CWT, as its `type` header has it.
pub const CWT_TYP: &str = "application/statuslist+cwt";

/// Levels of CBOR in a token: claims, `status_list`, its members, and room for claims we do not know.
const DEPTH_MAX: usize = 8;
const LIMITS: CborLimits = CborLimits { bytes_max: TOKEN_BYTES_MAX, depth_max: DEPTH_MAX };

// Claim keys (RFC 8392, 3.1; Token Status List, 14.3).
const SUB: i64 = 2;
const EXP: i64 = 4;
const IAT: i64 = 6;
const STATUS_LIST: i64 = 65_533;
const TTL: i64 = 65_534;

impl ListDraft<'_> {
    /// What the list signer's key signs, with tag 18 and without 61; the signer adds the algorithm (protected) and its
    /// certificates (unprotected).
    pub fn draft_cwt(&self, list: &StatusList) -> Sign1Draft {
        let mut packed = vec![
            (Value::text("bits"), Value::Uint(list.bits().count().into())),
            (Value::text("lst"), Value::Bytes(list.compressed())),
        ];
        if let Some(uri) = self.aggregation_uri {
            packed.push((Value::text("aggregation_uri"), Value::text(uri)));
        }
        let claims = Value::Map(vec![
            (Value::int(SUB), Value::text(self.uri)),
            (Value::int(EXP), Value::int(self.expires_at.as_second())),
            (Value::int(IAT), Value::int(self.issued_at.as_second())),
            (Value::int(TTL), Value::Uint(self.ttl_s.into())),
            (Value::int(STATUS_LIST), Value::Map(packed)),
        ]);
        let protected = vec![(cose::TYPE, Value::text(CWT_TYP))];
        Sign1Draft { protected, tagged: true, ..Sign1Draft::new(cbor::encode(&claims)) }
    }
}

/// The signed object and its claims; nothing is inflated yet.
pub(super) fn parse(bytes: &[u8]) -> Result<(Sign1, Value), ListFault> {
    let signed = Sign1::parse(bytes, &LIMITS).map_err(|_| ListFault::Malformed)?;
    if signed.protected(&cose::TYPE).and_then(Value::as_text) != Some(CWT_TYP) {
        return Err(ListFault::Typ);
    }
    let claims = cbor::decode_any_order(signed.payload().ok_or(ListFault::Malformed)?, &LIMITS);
    let claims = claims.ok().filter(|claims| claims.as_map().is_some()).ok_or(ListFault::Malformed)?;
    Ok((signed, claims))
}

pub(super) fn contents(claims: &Value) -> Result<Contents, ListFault> {
    let date = |label| -> Result<Option<Timestamp>, ListFault> {
        let Some(value) = claims.get_int(label) else { return Ok(None) };
        let second = value.as_int().filter(|second| *second >= 0).ok_or(ListFault::Claims)?;
        Timestamp::from_second(second).map(Some).map_err(|_| ListFault::Claims)
    };
    let ttl_s = match claims.get_int(TTL) {
        None => None,
        Some(ttl) => Some(ttl.as_uint().filter(|ttl| *ttl > 0).ok_or(ListFault::Claims)?),
    };
    let packed = claims.get_int(STATUS_LIST).ok_or(ListFault::Claims)?;
    let subject = claims.get_int(SUB).and_then(Value::as_text).ok_or(ListFault::Claims)?;
    Ok(Contents {
        subject: subject.to_owned(),
        dates: Dates { issued_at: date(IAT)?, not_before: None, expires_at: date(EXP)? },
        ttl_s,
        bits: packed.get("bits").and_then(Value::as_uint).and_then(Bits::of).ok_or(ListFault::Claims)?,
        lst: packed.get("lst").and_then(Value::as_bytes).ok_or(ListFault::Claims)?.to_vec(),
    })
}
