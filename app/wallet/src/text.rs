//! Text that came from elsewhere, made fit for a terminal.

/// Characters of a name or value that is shown; longer ones are cut, since a screen is not a page.
pub const SHOWN_CHARS_MAX: usize = 200;

/// `text` without what could move a cursor, change colours, reverse a line or hide in it. Line feeds stay.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || is_plain(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// As [`printable`], on one line and cut to [`SHOWN_CHARS_MAX`] characters: a peer's text cannot forge a line of ours.
#[must_use]
pub fn line(text: &str) -> String {
    let mut shown: String = printable(text).replace('\n', " ").chars().take(SHOWN_CHARS_MAX).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// JSON with the same characters escaped, so that it may be printed as it stands. They can only be inside its texts.
#[must_use]
pub fn json(value: &serde_json::Value) -> String {
    let mut shown = String::new();
    for c in format!("{value:#}\n").chars() {
        if c == '\n' || is_plain(c) {
            shown.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    shown
}

/// Neither a control character (C0, C1, DEL), nor one that orders, joins or hides text: marks and embeddings of direction,
/// zero-width characters, line and paragraph separators, tags.
fn is_plain(c: char) -> bool {
    let hides = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_codes_and_marks_of_direction_are_replaced() {
        let hostile = "a\u{1b}[2Jb\u{9b}c\u{202e}d\u{2066}e\u{200f}f\u{e0041}g\rh\u{7f}";
        let shown = printable(hostile);
        assert_eq!(shown.replace(char::REPLACEMENT_CHARACTER, ""), "a[2Jbcdefgh");
        assert_eq!(printable("Zoë 学位 ok\n"), "Zoë 学位 ok\n");
    }

    #[test]
    fn a_line_feed_of_a_peer_makes_no_line_of_ours() {
        assert_eq!(line("Ana\nissuer trusted"), "Ana issuer trusted");
        assert_eq!(line(&"x".repeat(1000)).chars().count(), SHOWN_CHARS_MAX + 1);
    }

    #[test]
    fn printed_json_reads_back_as_the_same_value() {
        let value = serde_json::json!({"name": "a\u{9b}\u{202e}\u{1b}\u{e0041}é\n"});
        let shown = json(&value);
        assert!(shown.chars().all(|c| c == '\n' || is_plain(c)));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
