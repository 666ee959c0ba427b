//! The catalogue as a page for people: `docs/events.md`.

use super::{CATALOGUE, EventDoc, FieldDoc, LogChoice};
use std::fmt::Write as _;

const HEAD: &str = "# Events

Every security-relevant act is an entry in a log that outsiders can check. This page lists all of them. It is generated
from the catalogue in `protocol/tlog/src/event/`; a test fails when the two differ. To write it anew:
`UPDATE_DOCS=1 cargo test -p tessera-tlog`.

- **Leaf** fields are public for ever: numbers and bytes, never text, nothing that is constant for one person.
- **Detail** fields are encrypted at rest and can be erased; the entry holds a salted hash of them. They hold ids, codes
  and counts: no secret, no claim, no address.
- **Outcome** is fixed by the type, so anyone can count refusals. **Log** is the tenant's own log (for the instance
  itself, the house log), or the public system log.
- **Subject** names the kind of person an event may be about. Such an event carries a commitment that only the holder of
  that person's key can find; erasing the key makes it unlinkable.

Names are stable: a new meaning is a new name.
";

/// The text of `docs/events.md`.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    let mut room = "";
    for event in CATALOGUE {
        if event.room != room {
            room = event.room;
            let (first, rest) = room.split_at(1);
            write_to(&mut page, format_args!("\n## {}{rest}\n", first.to_uppercase()));
        }
        write_event(&mut page, event);
    }
    page
}

fn write_event(page: &mut String, event: &EventDoc) {
    let log = match event.log {
        LogChoice::Own => "own",
        LogChoice::System => "system",
    };
    let doc: Vec<&str> = event.doc.iter().map(|line| line.trim()).collect();
    let facts = format!("outcome {}, log {log}, data {}", event.outcome.as_str(), event.data.as_str());
    let subject = event.subject.map_or(String::new(), |kind| format!(", subject {kind}"));
    write_to(page, format_args!("\n### `{}`\n{}\n\n*{facts}{subject}*\n", event.name, doc.join(" ")));
    if !event.leaf.is_empty() || !event.detail.is_empty() {
        write_to(page, format_args!("\n| | key | field | type | meaning |\n|---|---|---|---|---|\n"));
    }
    write_fields(page, "leaf", event.leaf);
    write_fields(page, "detail", event.detail);
}

fn write_fields(page: &mut String, part: &str, fields: &[FieldDoc]) {
    for FieldDoc { key, name, ty, doc } in fields {
        let ty = plain_type(&ty.replace(' ', "").replace("[u8;", "[u8; "));
        write_to(page, format_args!("| {part} | {key} | `{name}` | {ty} | {doc} |\n"));
    }
}

/// A type in words that need no Rust.
fn plain_type(ty: &str) -> String {
    let inner_of = |outer| ty.strip_prefix(outer).and_then(|ty: &str| ty.strip_suffix('>'));
    if let Some(inner) = inner_of("Option<") {
        return format!("{}, if any", plain_type(inner));
    }
    if let Some(inner) = inner_of("Vec<") {
        return format!("list of {}", plain_type(inner));
    }
    match ty {
        "String" => "text",
        "[u8; 32]" => "32 bytes",
        "KeyUse" => "key use",
        _ => "number",
    }
    .to_owned()
}

fn write_to(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("writing to a String cannot fail");
}
