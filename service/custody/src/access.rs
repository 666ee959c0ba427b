//! Who used a key: read from the events themselves, whichever room wrote them.
//!
//! ```text
//! details of the tenant's log, newest first ── catalogue: which fields are key uses ── those of this key ──▶ Access
//! ```
//! What was erased or has expired with its detail is not listed; the leaf in the log stays.

use crypto::cbor::{self, CborLimits, Value};
use store::{Ctx, DetailQuery, EventDetail, EventId, LogId};
use tlog::commitment::DETAIL_BYTES_MAX;
use tlog::event::{EventDoc, describe};

use crate::Custody;
use crate::make::KeyError;

/// Events looked through for one page: what is older is behind the cursor.
const LOOKED_THROUGH_MAX: usize = 5_000;
/// Events read at a time.
const PAGE: usize = 500;

/// One use of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The event that tells of it.
    pub event: EventId,
    /// Its type, as `key-used` or `credential-issued`.
    pub event_type: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// Who asked for it, if known and not erased.
    pub actor: Option<String>,
    /// The request, if the event names it.
    pub request: Option<String>,
    /// The version that signed.
    pub version: u64,
    /// Signatures made; 0 for a refusal.
    pub count: u64,
    /// `done` or `refused`.
    pub outcome: &'static str,
}

/// A page of uses, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accesses {
    /// The uses.
    pub items: Vec<Access>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<(i64, EventId)>,
}

impl Custody {
    /// Uses of a key, newest first, behind `after`. A page may be shorter than `limit` and still have a next one.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], [`KeyError::Store`].
    pub async fn accesses(
        &self,
        ctx: &Ctx,
        key_id: &str,
        mut after: Option<(i64, EventId)>,
        limit: usize,
    ) -> Result<Accesses, KeyError> {
        self.key(ctx, key_id).await?;
        let (log, mut items) = (LogId::of(&ctx.tenant), Vec::new());
        for _ in 0..LOOKED_THROUGH_MAX / PAGE {
            let query = DetailQuery { after, ..DetailQuery::default() };
            let details = self.store().details(ctx, &log, &query, PAGE).await?;
            for detail in &details {
                after = Some((detail.at_ms, detail.event_id));
                items.extend(access(detail, key_id));
                if items.len() >= limit {
                    return Ok(Accesses { items, next: after });
                }
            }
            if details.len() < PAGE {
                return Ok(Accesses { items, next: None });
            }
        }
        Ok(Accesses { items, next: after })
    }
}

fn access(event: &EventDetail, key_id: &str) -> Option<Access> {
    let doc = describe(&event.event_type)?;
    let limits = CborLimits { bytes_max: DETAIL_BYTES_MAX, depth_max: 8 };
    let detail = cbor::decode(&event.detail.as_ref()?.detail, &limits).ok()?;
    let (version, count) = used(doc, &detail, key_id).or_else(|| refused(doc, &detail, key_id))?;
    Some(Access {
        event: event.event_id,
        event_type: event.event_type.clone(),
        at_ms: event.at_ms,
        actor: event.actor.clone(),
        request: field(doc, &detail, "request").and_then(Value::as_text).map(str::to_owned),
        version,
        count,
        outcome: doc.outcome.as_str(),
    })
}

/// Version and signatures, if a field of the event states a use of the key.
fn used(doc: &EventDoc, detail: &Value, key_id: &str) -> Option<(u64, u64)> {
    let stated = doc.detail.iter().filter(|field| field.ty.contains("KeyUse"));
    let values = stated.filter_map(|field| detail.get_int(field.key.into()));
    let one = |value: &Value| match value.as_array()? {
        [id, version, count] if id.as_text() == Some(key_id) => Some((version.as_uint()?, count.as_uint()?)),
        _ => None,
    };
    values
        .flat_map(|value| {
            one(value).into_iter().chain(value.as_array().into_iter().flatten().filter_map(one))
        })
        .next()
}

fn refused(doc: &EventDoc, detail: &Value, key_id: &str) -> Option<(u64, u64)> {
    let is_of_key = field(doc, detail, "key_id").and_then(Value::as_text) == Some(key_id);
    (doc.name == "key-use-refused" && is_of_key).then_some((0, 0))
}

fn field<'a>(doc: &EventDoc, detail: &'a Value, name: &str) -> Option<&'a Value> {
    let field = doc.detail.iter().find(|field| field.name == name)?;
    detail.get_int(field.key.into())
}

impl Access {
    /// Whether the use was refused.
    pub fn is_refused(&self) -> bool {
        self.count == 0
    }
}
