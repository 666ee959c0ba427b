//! Answers of the verbs as JSON, and the same as tables.

use crate::engine::{Answered, Held, Outcome, status};
use crate::record::HistoryEntry;
use crate::text::line;
use credential::status::StatusValue;
use credential::trust::Anchor;
use serde_json::{Value, json};
use std::path::Path;

/// Members of lists that no column has room for; `show` and JSON have them.
const LONG_MEMBERS: [&str; 3] = ["vct", "received_at", "client_id"];

type Status = Result<StatusValue, status::StatusFault>;

/// A new wallet.
pub(super) fn made(home: &Path, anchors: usize) -> Value {
    json!({ "home": home.display().to_string(), "anchors": anchors, "keys": "software keys" })
}

/// A list of anything.
pub(super) fn list(items: impl IntoIterator<Item = Value>) -> Value {
    json!({ "items": items.into_iter().collect::<Vec<Value>>() })
}

/// A line of `wallet list`.
pub(super) fn summary(held: &Held, status: Option<&Status>) -> Value {
    let mut value = json!({
        "id": held.id,
        "name": held.name.as_deref().unwrap_or(&held.configuration_id),
        "state": held.state.word(),
        "issuer": held.issuer,
        "vct": held.vct,
        "received_at": held.received_at.to_string(),
        "expires_at": held.expires_at.map(|at| at.to_string()),
    });
    if let Some(status) = status {
        value["status"] = status::word(status).into();
    }
    value
}

/// One credential, with its claims.
pub(super) fn credential(held: &Held, status: Option<&Status>) -> Value {
    let mut value = summary(held, status);
    value["issuer_name"] = held.issuer_name.as_deref().into();
    value["trust_path"] = held.trust_path.clone().into();
    value["key"] = "software key".into();
    value["status_list"] = held.status.as_ref().map(|at| json!({ "uri": at.uri, "idx": at.idx })).into();
    value["claims"] = Value::Object(held.dataset());
    value
}

/// What became of a request.
pub(super) fn answered(answered: &Answered) -> Value {
    let shown = answered.shown.iter().map(|item| {
        let claims: Vec<String> = item.claims.iter().map(|claim| claim.path()).collect();
        json!({ "credential": item.credential, "vct": item.vct, "claims": claims })
    });
    json!({
        "outcome": match answered.outcome {
            Outcome::Delivered => "delivered",
            Outcome::Declined => "declined",
            Outcome::NoMatch => "no-match",
        },
        "client_id": answered.client_id,
        "shown": shown.collect::<Vec<Value>>(),
        "redirect_uri": answered.redirect_uri,
    })
}

/// A line of history.
pub(super) fn history(entry: &HistoryEntry) -> Value {
    json!({
        "at": entry.at().to_string(),
        "outcome": entry.outcome,
        "answered_to": entry.answered_to,
        "verifier": entry.verifier.first(),
        "client_id": entry.client_id,
        "shown": entry.shown,
    })
}

/// A trust anchor.
pub(super) fn anchor(anchor: &Anchor) -> Value {
    let certificate = &anchor.certificate;
    json!({
        "id": anchor.id,
        "subject": certificate.subject().to_string(),
        "not_after": certificate.not_after().to_string(),
        "sha256": crypto::hex::encode(&certificate.sha256()),
    })
}

/// The table of one answer: columns for a list, `name value` lines for anything else.
pub(super) fn table(answer: &Value) -> String {
    match answer.get("items").and_then(Value::as_array) {
        Some(items) => columns(items),
        None => members("", answer),
    }
}

fn members(prefix: &str, value: &Value) -> String {
    let below = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    match value {
        Value::Null => String::new(),
        Value::Object(named) => named.iter().map(|(name, member)| members(&below(name), member)).collect(),
        Value::Array(listed) => listed.iter().map(|one| members(prefix, one)).collect(),
        leaf => format!("{:<20} {}\n", line(prefix), cell(leaf)),
    }
}

fn columns(items: &[Value]) -> String {
    let Some(Value::Object(first)) = items.first() else { return "nothing\n".to_owned() };
    let is_column = |name: &str, value: &Value| !value.is_object() && !LONG_MEMBERS.contains(&name);
    let names: Vec<&String> =
        first.iter().filter(|(name, value)| is_column(name, value)).map(|(name, _)| name).collect();
    let mut rows: Vec<Vec<String>> = vec![names.iter().map(|name| name.to_uppercase()).collect()];
    rows.extend(items.iter().map(|item| names.iter().map(|name| cell(&item[name.as_str()])).collect()));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let mut table = String::new();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        table.push_str(cells.join("  ").trim_end());
        table.push('\n');
    }
    table
}

/// A value on one line, without what a terminal would obey.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => line(text),
        Value::Null => "-".to_owned(),
        // What was shown, in history: the claims by path.
        Value::Array(shown) => {
            let paths = shown
                .iter()
                .flat_map(|one| one.get("claims").and_then(Value::as_array).into_iter().flatten());
            line(&paths.filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
        }
        other => line(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_becomes_columns_and_no_line_feed_of_a_peer_makes_a_row() {
        let text =
            table(&json!({"items": [{"id": "wcr_1", "name": "a\nwcr_2  trusted", "expires_at": null}]}));
        assert_eq!(text, "ID     NAME              EXPIRES_AT\nwcr_1  a wcr_2  trusted  -\n");
        assert_eq!(table(&json!({"items": []})), "nothing\n");
    }

    #[test]
    fn one_answer_becomes_a_line_for_each_leaf() {
        let text = table(&json!({"id": "wcr_1", "claims": {"degrees": [{"type": "BSc"}]}, "none": null}));
        assert_eq!(text, "id                   wcr_1\nclaims.degrees.type  BSc\n");
    }
}
