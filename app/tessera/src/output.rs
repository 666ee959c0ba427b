//! What verbs print: tables for people, JSON for scripts; never a control character that came from elsewhere.

use clap::ValueEnum;
use serde_json::Value;

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    Table,
    /// The API's own JSON.
    Json,
}

/// The widest cell of a table; longer ones are cut, since ids and names fit in it.
const CELL_CHARS_MAX: usize = 72;

/// Prints an answer: an object as `name value` lines, a list (`items`) as columns.
pub fn print(format: Format, value: &Value) {
    match format {
        Format::Json => println!("{value:#}"),
        Format::Table => print!("{}", table(value)),
    }
}

/// The table of one answer.
pub fn table(value: &Value) -> String {
    match value.get("items").and_then(Value::as_array) {
        Some(items) => columns(items),
        None => members("", value),
    }
}

/// Text without control, escape and bidirectional characters (line feeds stay).
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => c,
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn members(prefix: &str, value: &Value) -> String {
    let Value::Object(members_of) = value else { return format!("{}\n", cell(value)) };
    let mut text = String::new();
    for (name, member) in members_of {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match member {
            Value::Object(inner) if !inner.is_empty() => text.push_str(&members(&path, member)),
            Value::Null => {}
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (nth, item) in items.iter().enumerate() {
                    text.push_str(&format!(
                        "{:<28} {}\n",
                        printable(&format!("{path}[{nth}]")),
                        in_line(item)
                    ));
                }
            }
            other => text.push_str(&format!("{:<28} {}\n", printable(&path), cell(other))),
        }
    }
    text
}

/// The plain members of an object on one line; what lies deeper is in the JSON.
fn in_line(value: &Value) -> String {
    let Value::Object(members) = value else { return cell(value) };
    let plain = members.iter().filter(|(_, v)| !v.is_object() && !v.is_array() && !v.is_null());
    plain.map(|(_, value)| cell(value)).collect::<Vec<_>>().join("  ")
}

fn columns(items: &[Value]) -> String {
    let Some(Value::Object(first)) = items.first() else { return "nothing\n".to_owned() };
    let names: Vec<&String> =
        first.iter().filter(|(_, v)| !v.is_object() && !v.is_array()).map(|(name, _)| name).collect();
    let cut = |text: String| text.chars().take(CELL_CHARS_MAX).collect::<String>();
    let mut rows: Vec<Vec<String>> = vec![names.iter().map(|name| name.to_uppercase()).collect()];
    rows.extend(items.iter().map(|item| names.iter().map(|name| cut(cell(&item[name.as_str()]))).collect()));
    let widths: Vec<usize> =
        (0..names.len()).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text).replace('\n', " "),
        Value::Null => "-".to_owned(),
        other => printable(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_becomes_columns_of_its_plain_members() {
        let text =
            table(&json!({"items": [{"id": "key_1", "state": "active", "uses": ["jws:*"]}], "next": null}));
        assert_eq!(text, "ID     STATE\nkey_1  active\n");
    }

    #[test]
    fn a_list_inside_an_answer_is_a_line_an_item() {
        let text = table(&json!({"checks": [{"id": "VP-001", "outcome": "pass", "detail": {}}]}));
        assert_eq!(text, format!("{:<28} VP-001  pass\n", "checks[0]"));
    }

    #[test]
    fn a_line_feed_in_a_cell_cannot_forge_a_row() {
        let text = table(&json!({"items": [{"label": "a\nkey_2  active"}]}));
        assert_eq!(text.lines().count(), 2);
    }
}
