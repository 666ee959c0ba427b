//! `docs/problems/wallet/` is what the table of pages says.

use std::path::Path;
use tessera_wallet::page::{PAGES, page};

#[test]
fn each_code_has_its_page_in_the_documents_and_no_page_is_left_over() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/problems/wallet");
    let file = |code: &str| folder.join(code.strip_prefix("wallet/").unwrap()).with_extension("md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(&folder).unwrap();
        for page in PAGES {
            std::fs::write(file(page.code), page.markdown()).unwrap();
        }
    }
    for page in PAGES {
        let text = std::fs::read_to_string(file(page.code)).unwrap_or_default();
        assert!(
            text == page.markdown(),
            "{} is stale: UPDATE_DOCS=1 cargo test -p tessera-wallet",
            page.code
        );
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), PAGES.len());
}

#[test]
fn codes_are_unique_and_end_with_the_exit_codes_of_the_verbs() {
    for known in PAGES {
        assert_eq!(page(known.code), Some(*known));
        assert!((1..=5).contains(&known.exit));
    }
}
