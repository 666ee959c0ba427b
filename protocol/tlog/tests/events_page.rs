//! `docs/events.md` is what the catalogue says.

use std::path::Path;
use tessera_tlog::event::{CATALOGUE, describe, markdown};

#[test]
fn the_page_of_events_is_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        #[expect(clippy::disallowed_methods, reason = "the one writer of the generated page")]
        std::fs::write(&path, markdown()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == markdown(), "docs/events.md is stale: UPDATE_DOCS=1 cargo test -p tessera-tlog");
}

#[test]
fn every_event_can_be_looked_up_by_its_name() {
    for event in CATALOGUE {
        assert_eq!(describe(event.name), Some(event));
    }
    assert_eq!(describe("no-such-event"), None);
}
