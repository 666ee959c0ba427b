//! Events as auditors read them: the leaf that everybody can check, and the detail that may be gone.
//!
//! ```text
//! audit_entry (or still pending) ──▶ Entry ──┐
//! store_event_detail ──opened──▶ detail ─────┴─▶ EventView ──▶ `details-read` first, then shown
//! ```
//! Invariant: readable details leave only after `details-read` is durable. Where it cannot be written (a quarantined log), the
//! leaves are shown without them. Showing the details of `details-read` itself raises none, or a reader who follows the log would
//! feed it for ever.

use ::store::{Ctx, EventDetail, EventId, StoreFault};
use crypto::cbor::{self, CborLimits, Value};
use crypto::hex;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use thiserror::Error;
use tlog::commitment::{DETAIL_BYTES_MAX, SaltedDetail};
use tlog::entry::{Entry, PublicField};
use tlog::event::{Event, FieldDoc, describe};
use tlog::merkle::leaf_hash;

use crate::log::Log;
use crate::{Audit, store};

/// Entries looked at for one page: a rare type in a long log gives short pages and a cursor, not a long wait.
const SCANNED_MAX: usize = 5_000;

/// Entries read at once while a page is filled.
const SCAN_STEP: u64 = 500;

/// Values within values that a detail may have; ours have three.
const DETAIL_DEPTH_MAX: usize = 8;

/// The event that tells of reading.
const READING: &str = "details-read";

/// Names an event within a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKey {
    /// By its place.
    Index(u64),
    /// By its id.
    Id(EventId),
}

/// Which events are listed, in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventQuery {
    /// Only this type.
    pub(crate) kind: Option<String>,
    /// Only from this second on.
    pub(crate) from_s: Option<u64>,
    /// Only before this second.
    pub(crate) to_s: Option<u64>,
    /// Only behind this index.
    pub(crate) after: Option<u64>,
    /// At most so many.
    pub(crate) limit: usize,
}

/// An event.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EventView {
    /// Its place in the log; null until it is sequenced.
    pub index: Option<u64>,
    /// `evt_…`.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The second of the request, RFC 3339.
    pub at: String,
    /// `done`, `refused`, `failed` or `timed-out`.
    pub outcome: String,
    /// What kind of party acted.
    pub actor_kind: String,
    /// Who, if known and not erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The log's reference of the person it is about, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What the leaf shows for ever, by name.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub public: Map<String, Json>,
    /// What can be erased, by name; absent once it is, or while it may not be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, serde_json::Value>>")]
    pub detail: Option<Map<String, Json>>,
    /// Whether the detail is gone: expired, or erased with its person.
    pub erased: bool,
    /// Hash of the leaf, hexadecimal.
    pub leaf_hash: String,
}

/// Why an event could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EventFault {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// An event with what may only be shown once the showing is recorded.
pub(crate) struct Opened {
    pub(crate) index: Option<u64>,
    pub(crate) leaf: Vec<u8>,
    pub(crate) entry: Entry,
    pub(crate) detail: Option<EventDetail>,
}

impl EventKey {
    /// Reads an index or `evt_…`.
    pub(crate) fn parse(text: &str) -> Option<EventKey> {
        match EventId::parse(text) {
            Some(id) => Some(EventKey::Id(id)),
            None => {
                let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let plain = plain && (text == "0" || !text.starts_with('0'));
                plain.then(|| text.parse().ok()).flatten().map(EventKey::Index)
            }
        }
    }
}

impl Audit {
    /// Events of a log in its order, with their details where they may be shown; and the index behind which the next page
    /// begins, if there is more to look at.
    pub(crate) async fn events(
        &self,
        ctx: &Ctx,
        log: &Log,
        query: &EventQuery,
        operation: &str,
    ) -> Result<(Vec<EventView>, Option<u64>), EventFault> {
        let size = log.head().edge.map_or_else(|| log.published_size(), |edge| edge.size());
        let mut at = query.after.map_or(0, |after| after.saturating_add(1));
        let (mut found, mut scanned) = (Vec::new(), 0);
        while at < size && found.len() < query.limit && scanned < SCANNED_MAX {
            let rows = store::entries(&self.store, &log.ctx(ctx), &log.id, at..at + SCAN_STEP.min(size - at))
                .await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                (at, scanned) = (row.index + 1, scanned + 1);
                let Ok(entry) = Entry::decode(&row.leaf) else { continue };
                if query.takes(&entry) {
                    found.push(self.opened(ctx, log, Some(row.index), row.leaf, entry).await?);
                }
                if found.len() == query.limit {
                    break;
                }
            }
        }
        let next = (at < size && at > 0).then(|| at - 1);
        Ok((self.shown(ctx, found, operation).await, next))
    }

    /// One event of a log, also while it waits for the sequencer.
    pub(crate) async fn event(
        &self,
        ctx: &Ctx,
        log: &Log,
        key: EventKey,
        operation: &str,
    ) -> Result<Option<EventView>, EventFault> {
        let Some(opened) = self.find(ctx, log, key).await? else { return Ok(None) };
        Ok(self.shown(ctx, vec![opened], operation).await.pop())
    }

    /// The detail of one event for its proof, once the showing is recorded.
    pub(crate) async fn detail_for_proof(
        &self,
        ctx: &Ctx,
        log: &Log,
        key: EventKey,
        operation: &str,
    ) -> Result<Option<SaltedDetail>, EventFault> {
        let Some(opened) = self.find(ctx, log, key).await? else { return Ok(None) };
        let may = self.record_reading(ctx, std::slice::from_ref(&opened), operation).await;
        Ok(opened.detail.and_then(|detail| detail.detail).filter(|_| may))
    }

    async fn find(&self, ctx: &Ctx, log: &Log, key: EventKey) -> Result<Option<Opened>, EventFault> {
        let placed = self.placed(&log.ctx(ctx), log, key).await?;
        let (index, leaf) = match (placed, key) {
            (Some((index, leaf)), _) => (Some(index), leaf),
            (None, EventKey::Id(id)) => match self.store.pending(ctx, &log.id, id).await? {
                Some(pending) => (None, pending.leaf),
                None => return Ok(None),
            },
            (None, EventKey::Index(_)) => return Ok(None),
        };
        // A leaf that does not decode was put there by hand; the tree shows it, the list does not.
        let Ok(entry) = Entry::decode(&leaf) else { return Ok(None) };
        Ok(Some(self.opened(ctx, log, index, leaf, entry).await?))
    }

    async fn opened(
        &self,
        ctx: &Ctx,
        log: &Log,
        index: Option<u64>,
        leaf: Vec<u8>,
        entry: Entry,
    ) -> Result<Opened, EventFault> {
        let detail =
            match self.store.detail(&log.ctx(ctx), &log.id, EventId(entry.event_id), entry.second).await {
                // A detail that does not open was changed by hand: the leaf is still what it is.
                Err(StoreFault::Sealed { .. }) => None,
                detail => detail?,
            };
        Ok(Opened { index, leaf, entry, detail })
    }

    async fn shown(&self, ctx: &Ctx, opened: Vec<Opened>, operation: &str) -> Vec<EventView> {
        let may = self.record_reading(ctx, &opened, operation).await;
        opened.into_iter().map(|opened| opened.view(may)).collect()
    }

    /// Records that details are shown; whether they may be.
    async fn record_reading(&self, ctx: &Ctx, opened: &[Opened], operation: &str) -> bool {
        let count =
            opened.iter().filter(|opened| opened.is_readable() && opened.entry.kind != READING).count();
        if count == 0 {
            return true;
        }
        let event = Event::DetailsRead { count: count as u64, operation: operation.to_owned() };
        match self.store.record(ctx, event).await {
            Ok(_) => true,
            Err(fault) => {
                tracing::warn!(%fault, "the reading of details could not be recorded: they are not shown");
                false
            }
        }
    }
}

impl EventQuery {
    fn takes(&self, entry: &Entry) -> bool {
        self.kind.as_ref().is_none_or(|kind| *kind == entry.kind)
            && self.from_s.is_none_or(|from| entry.second >= from)
            && self.to_s.is_none_or(|to| entry.second < to)
    }
}

impl Opened {
    /// Whether something of it names somebody or says more than the leaf.
    fn is_readable(&self) -> bool {
        self.detail.as_ref().is_some_and(|row| {
            row.actor.is_some() || row.detail.as_ref().is_some_and(|detail| detail.detail.len() > 1)
        })
    }

    fn view(self, may_show_detail: bool) -> EventView {
        let entry = &self.entry;
        let doc = describe(&entry.kind);
        let salted = self.detail.as_ref().and_then(|row| row.detail.as_ref());
        let row = self.detail.as_ref().filter(|_| may_show_detail);
        let detail = salted.filter(|_| may_show_detail);
        EventView {
            index: self.index,
            id: EventId(entry.event_id).to_string(),
            at: i64::try_from(entry.second)
                .ok()
                .and_then(|second| Timestamp::from_second(second).ok())
                .unwrap_or(Timestamp::UNIX_EPOCH)
                .to_string(),
            outcome: entry.outcome.as_str().to_owned(),
            actor_kind: entry.actor.as_str().to_owned(),
            actor: row.and_then(|row| row.actor.clone()),
            subject: row.and_then(|row| row.subject_ref).map(|reference| hex::encode(&reference)),
            public: public(entry, doc.map_or(&[], |doc| doc.leaf)),
            detail: detail.map(|salted| members(&salted.detail, doc.map_or(&[], |doc| doc.detail))),
            erased: salted.is_none(),
            leaf_hash: hex::encode(&leaf_hash(&self.leaf)),
            kind: self.entry.kind,
        }
    }
}

fn public(entry: &Entry, docs: &[FieldDoc]) -> Map<String, Json> {
    let json = |field: &PublicField| public_json(field);
    entry.public.iter().map(|(key, field)| (name_of(u64::from(*key), docs), json(field))).collect()
}

fn public_json(field: &PublicField) -> Json {
    match field {
        PublicField::Uint(number) => Json::from(*number),
        PublicField::Bytes(bytes) => Json::from(hex::encode(bytes)),
        PublicField::List(items) => items.iter().map(public_json).collect(),
    }
}

/// The members of a detail by name. What this build does not know keeps its number as name.
fn members(detail: &[u8], docs: &[FieldDoc]) -> Map<String, Json> {
    let limits = CborLimits { bytes_max: DETAIL_BYTES_MAX, depth_max: DETAIL_DEPTH_MAX };
    let Ok(Value::Map(pairs)) = cbor::decode(detail, &limits) else { return Map::new() };
    let named = |(key, value): (Value, Value)| Some((name_of(key.as_uint()?, docs), detail_json(value)));
    pairs.into_iter().filter_map(named).collect()
}

fn detail_json(value: Value) -> Json {
    match value {
        Value::Uint(number) => Json::from(number),
        Value::Nint(number) => Json::from(number),
        Value::Bytes(bytes) => Json::from(hex::encode(&bytes)),
        Value::Text(text) => Json::from(text),
        Value::Array(items) => items.into_iter().map(detail_json).collect(),
        Value::Map(pairs) => Json::Object(
            pairs
                .into_iter()
                .map(|(key, value)| {
                    let name = match key {
                        Value::Text(text) => text,
                        key => key.as_uint().map_or_else(String::new, |number| number.to_string()),
                    };
                    (name, detail_json(value))
                })
                .collect(),
        ),
        Value::Bool(bit) => Json::from(bit),
        Value::Tag(..) | Value::Null => Json::Null,
    }
}

fn name_of(key: u64, docs: &[FieldDoc]) -> String {
    let doc = docs.iter().find(|doc| u64::from(doc.key) == key);
    doc.map_or_else(|| key.to_string(), |doc| doc.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_named_by_its_index_or_its_id_in_one_spelling() {
        assert_eq!(EventKey::parse("0"), Some(EventKey::Index(0)));
        assert_eq!(EventKey::parse("29"), Some(EventKey::Index(29)));
        let id = EventId([7; 16]);
        assert_eq!(EventKey::parse(&id.to_string()), Some(EventKey::Id(id)));
        for text in
            ["", "029", "-1", "+1", "1.0", "evt_", "18446744073709551616", "ten_00000000000000000000000000"]
        {
            assert_eq!(EventKey::parse(text), None, "{text}");
        }
    }
}
