//! The rules of the house, kept: each test lists every place that breaks its rule.

use xtask::rules::{Break, bounds, dependencies, events, layers, sizes, sql, tcb, web, words};
use xtask::tree::{File, files};

fn kept(breaks: Vec<Break>) {
    let list: Vec<String> =
        breaks.into_iter().map(|b| format!("{} {}: {}", b.rule, b.place, b.what)).collect();
    assert!(list.is_empty(), "\n{}\n", list.join("\n"));
}

/// All code of the house but this checker, which must spell what it forbids.
fn code() -> Vec<File> {
    ["protocol", "service", "app"].into_iter().flat_map(|folder| files(folder, &[".rs"])).collect()
}

fn service() -> Vec<File> {
    files("service", &[".rs"])
}

#[test]
fn r1_dependencies_point_down_and_roles_never_look_sideways() {
    kept(layers::dependencies_point_down(&layers::metadata()));
}

#[test]
fn r2_protocol_rooms_do_no_io_and_read_no_clock() {
    kept(layers::protocol_is_pure(&layers::metadata()));
}

#[test]
fn r3_sql_stands_only_in_store_and_touches_its_own_tables() {
    kept(sql::sql_stands_in_store(&service()));
}

#[test]
fn r3_every_column_says_what_it_holds_and_how_it_is_erased() {
    kept(sql::columns_are_tagged());
}

#[test]
fn r4_http_types_stand_only_at_the_doors() {
    kept(web::http_stands_in_http(&service()));
}

#[test]
fn r5_the_checkers_dependency_list_is_committed() {
    kept(tcb::list_is_committed());
}

#[test]
fn r6_every_route_is_a_door_of_edge() {
    kept(web::routes_are_doors(&code()));
}

#[test]
fn outbound_connections_leave_through_one_client() {
    kept(web::one_outbound_client(&service()));
}

#[test]
fn r7_no_file_is_longer_than_800_lines() {
    kept(sizes::files_are_small(&code()));
}

#[test]
fn r8_every_bound_has_its_reason() {
    kept(bounds::bounds_have_reasons(&code()));
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = std::fs::read_to_string(xtask::tree::root().join("Cargo.toml")).unwrap();
    kept(dependencies::dependencies_have_reasons(&manifest));
}

#[test]
fn refused_crates_stay_out() {
    kept(dependencies::refused_crates_stay_out(&layers::metadata()));
}

#[test]
fn no_page_claims_what_no_test_shows() {
    let mut pages = files("", &[".md"]);
    pages.extend(code());
    kept(words::claims_are_shown(&pages));
}

#[test]
fn files_are_named_for_nouns() {
    kept(words::names_are_nouns(&code()));
}

#[test]
fn every_event_is_raised_by_a_room_and_asserted_by_a_test() {
    let declared = events::declared(&files("protocol/tlog/src/event", &[".rs"]));
    assert!(declared.len() > 60, "{}", declared.len());
    let rooms: Vec<File> =
        ["service", "app"].into_iter().flat_map(|folder| files(folder, &[".rs"])).collect();
    kept(events::events_are_raised(&declared, &rooms, events::EXCEPTIONS));
}

/// The rules themselves must be able to fail: each is shown a small breach.
mod breaches {
    use super::*;
    use xtask::rules::events::Exceptions;

    fn file(path: &str, text: &str) -> Vec<File> {
        vec![File { path: path.to_owned(), text: text.to_owned() }]
    }

    #[test]
    fn sql_in_a_use_case_is_seen() {
        let found = sql::sql_stands_in_store(&file(
            "service/issuer/src/offer.rs",
            "let s = \"SELECT id FROM issuer_offer\";",
        ));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_foreign_table_is_seen() {
        let found =
            sql::sql_stands_in_store(&file("service/issuer/src/store.rs", "\"SELECT id FROM custody_key\""));
        assert_eq!(found[0].what, "touches table custody_key, which is not issuer's");
    }

    #[test]
    fn an_http_type_in_a_use_case_is_seen() {
        assert_eq!(
            web::http_stands_in_http(&file("service/issuer/src/offer.rs", "use axum::Json;")).len(),
            1
        );
    }

    #[test]
    fn a_route_outside_edge_is_seen() {
        assert_eq!(
            web::routes_are_doors(&file("service/issuer/src/http.rs", "router.route(\"/x\", get(x))")).len(),
            1
        );
    }

    #[test]
    fn a_long_file_is_seen() {
        assert_eq!(sizes::files_are_small(&file("service/x/src/a.rs", &"x\n".repeat(801))).len(), 1);
    }

    #[test]
    fn a_bound_without_a_reason_is_seen() {
        assert_eq!(
            bounds::bounds_have_reasons(&file("service/x/src/a.rs", "pub const BODY_MAX: usize = 1;")).len(),
            1
        );
    }

    #[test]
    fn a_dependency_without_a_reason_is_seen() {
        assert_eq!(
            dependencies::dependencies_have_reasons("[workspace.dependencies]\nfoo = \"1\"\n").len(),
            1
        );
    }

    /// The breaks of one event `offer-made`, with this code, this test, and this list.
    fn of_event(code: &str, test: &str, not_yet: &[&str]) -> Vec<String> {
        let catalogue =
            file("protocol/tlog/src/event/x.rs", "    OfferMade = \"offer-made\", Done, Own, None {");
        let mut all = file("service/issuer/src/offer.rs", code);
        all.extend(file("service/issuer/tests/http/offers.rs", test));
        let exceptions = Exceptions { not_raised_yet: not_yet, in_the_making: &[] };
        let breaks = events::events_are_raised(&events::declared(&catalogue), &all, exceptions);
        breaks.into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn an_event_that_no_test_asserts_is_seen() {
        let raised = "let event = Event::OfferMade { id };";
        assert!(of_event(raised, "assert_eq!(house.events(), [\"offer-made\"]);", &[]).is_empty());
        for test in [
            "",
            "// assert_eq!(house.events(), []); \"offer-made\"",
            "let name = \"offer-made\"; assert!(true);",
            "assert!(text.contains(\"no offer-made here\"));",
        ] {
            let found = of_event(raised, test, &[]);
            assert_eq!(found, ["raises offer-made, which no test of the room asserts"], "{test}");
            assert_eq!(of_event(raised, test, &["offer-made"]), found, "no list excuses what is raised");
        }
    }

    #[test]
    fn an_event_that_nothing_raises_is_seen_unless_it_is_listed() {
        let test = "assert_eq!(house.events(), [\"offer-made\"]);";
        for code in ["", "// Event::OfferMade", "Event::OfferMadeTwice {}"] {
            assert_eq!(of_event(code, test, &[]), ["declares offer-made, which nothing raises"], "{code}");
            assert!(of_event(code, test, &["offer-made"]).is_empty());
        }
        assert_eq!(of_event("", "", &["offer-made", "offer-unmade"]), ["offer-unmade is no event"]);
    }

    #[test]
    fn an_exception_that_is_raised_and_asserted_must_go() {
        let test = "assert_eq!(house.events(), [\"offer-made\"]);";
        let found = of_event("Event::OfferMade { id }", test, &["offer-made"]);
        assert_eq!(found, ["offer-made is raised and asserted: take it off the list of exceptions"]);
        let declared = [events::Declared {
            name: "offer-made".to_owned(),
            variant: "OfferMade".to_owned(),
            path: "x.rs".to_owned(),
        }];
        let exceptions = Exceptions { not_raised_yet: &[], in_the_making: &["offer-made"] };
        let mut code = file("service/idp/src/offer.rs", "Event::OfferMade { id }");
        assert!(events::events_are_raised(&declared, &code, exceptions).is_empty());
        code.extend(file("service/idp/tests/offer.rs", test));
        assert_eq!(events::events_are_raised(&declared, &code, exceptions).len(), 1);
    }

    #[test]
    fn a_claim_that_no_test_shows_is_seen() {
        assert_eq!(words::claims_are_shown(&file("docs/x.md", "Our log is Tamper-Proof.")).len(), 1);
    }
}
