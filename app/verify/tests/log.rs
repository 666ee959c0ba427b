//! `verify log` against sound logs and each kind of edited one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use tessera_verify::finding::{Finding, Pattern};
use tessera_verify::log::{LogError, OldCheckpoint};
use tessera_verify::source::{FetchFault, Source};
use tlog::checkpoint::OpenFault;
use tlog::merkle::root_of;
use tlog::note::{KeyType, VerifierKey, VerifyFault};
use tlog::tile::{decode_bundle, encode_bundle, encode_hashes};
use world::{Files, ORIGIN, World, entry, folder, serve, serve_files};

/// The bundle of `files` under `path`, changed.
fn edit_bundle(files: &mut Files, path: &str, width: usize, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let bundle = files[path].clone();
    let mut entries: Vec<Vec<u8>> =
        decode_bundle(&bundle, width).unwrap().iter().map(|e| e.to_vec()).collect();
    edit(&mut entries);
    files.insert(path.to_owned(), encode_bundle(entries.iter().map(Vec::as_slice)).unwrap());
}

#[test]
fn a_sound_log_of_any_size_verifies_with_all_its_older_checkpoints() {
    let world = World::of(700);
    for size in [0u64, 1, 2, 255, 256, 257, 512, 700] {
        let old: Vec<u64> =
            [0, 1, 100, 255, 256, 511, 512, 700].into_iter().filter(|old| *old <= size).collect();
        let report = world.check(&world.files(size), &old, None);
        assert_eq!(report.finding, None, "size {size}");
        assert_eq!((report.counts.entries, report.counts.foreign), (size, 0));
        assert!(report.old.iter().all(|old| old.recomputed == Some(true) && old.proof == Some(true)));
        assert_eq!(report.checkpoint.unwrap().signers().len(), 2);
    }
}

#[test]
fn a_sound_log_of_three_levels_verifies() {
    let world = World::of(66_000);
    let report = world.check(&world.files(66_000), &[65_536, 65_999], Some(65_537));
    assert_eq!(report.finding, None);
    assert_eq!((report.resumed_from, report.counts.entries), (Some(65_537), 463));
    assert_eq!(world.check(&world.files(66_000), &[300], None).finding, None);
}

#[test]
fn a_changed_entry_is_named_by_its_index_and_tile() {
    let world = World::of(300);
    let mut files = world.files(300);
    edit_bundle(&mut files, "tile/entries/000", 256, |entries| *entries[31].last_mut().unwrap() ^= 1);
    let finding = world.check(&files, &[], None).finding.unwrap();
    assert_eq!(finding.to_string(), "entry 31 does not match tile/0/000");
    assert_eq!((finding.code(), finding.index()), ("verify/entry-mismatch", Some(31)));
}

#[test]
fn a_changed_entry_with_its_tile_is_found_in_the_level_above() {
    let world = World::of(600);
    let mut files = world.files(600);
    let mut forged = world.leaves()[256..512].to_vec();
    edit_bundle(&mut files, "tile/entries/001", 256, |entries| {
        entries[7] = entry(9_999);
        forged[7] = tlog::merkle::leaf_hash(&entries[7]);
    });
    files.insert("tile/0/001".into(), encode_hashes(&forged));
    let finding = world.check(&files, &[], None).finding.unwrap();
    assert_eq!(finding.to_string(), "hash 1 of tile/1/000 is not the root of entries 256 to 511");
    assert_eq!(finding.index(), Some(256));
}

#[test]
fn a_log_changed_with_all_its_tiles_fails_against_its_signed_root_and_the_old_ones_narrow_the_place() {
    let world = World::of(600);
    let mut forged = World::of(600);
    forged.entries[280] = entry(9_999);
    let mut files = forged.files(600);
    files.insert("checkpoint".into(), world.checkpoint(600));
    let report = world.check(&files, &[100, 280, 300, 500], None);
    let Some(Finding::Root { after, before, .. }) = report.finding else { panic!("{:?}", report.finding) };
    assert_eq!((after, before), (280, 300));
    let recomputed: Vec<Option<bool>> = report.old.iter().map(|old| old.recomputed).collect();
    assert_eq!(recomputed, [Some(true), Some(true), Some(false), Some(false)]);
}

#[test]
fn a_deleted_entry_is_named() {
    let world = World::of(300);
    let mut files = world.files(300);
    let mut entries = world.entries.clone();
    entries.remove(31);
    let bundle = |entries: &[Vec<u8>]| encode_bundle(entries.iter().map(Vec::as_slice)).unwrap();
    files.insert("tile/entries/000".into(), bundle(&entries[..256]));
    files.insert("tile/entries/001.p/44".into(), bundle(&entries[256..]));
    let finding = world.check(&files, &[], None).finding.unwrap();
    assert_eq!(finding.index(), Some(31));
    assert!(matches!(finding, Finding::Entries { pattern: Pattern::Deleted, count: 225, .. }), "{finding}");
}

#[test]
fn an_entry_deleted_from_its_bundle_alone_is_named_as_the_place_where_it_breaks_off() {
    let world = World::of(300);
    let mut files = world.files(300);
    edit_bundle(&mut files, "tile/entries/001.p/44", 44, |entries| drop(entries.pop()));
    let finding = world.check(&files, &[], None).finding.unwrap();
    assert_eq!((finding.code(), finding.index()), ("verify/entry-mismatch", Some(299)));
}

#[test]
fn two_swapped_entries_are_named() {
    let world = World::of(300);
    let mut files = world.files(300);
    edit_bundle(&mut files, "tile/entries/000", 256, |entries| entries.swap(3, 70));
    let finding = world.check(&files, &[], None).finding.unwrap();
    assert_eq!(finding.to_string(), "entries 3, 70 do not match tile/0/000: the two are swapped");
}

#[test]
fn a_cut_tail_under_the_same_checkpoint_is_named_by_the_first_entry_that_is_missing() {
    let world = World::of(600);
    let mut files = world.files(600);
    files.retain(|path, _| !path.starts_with("tile/entries/002") && !path.starts_with("tile/0/002"));
    let finding = world.check(&files, &[], None).finding.unwrap();
    assert_eq!((finding.code(), finding.index()), ("verify/tile-missing", Some(512)));
    assert_eq!(finding.path(), Some("tile/entries/002.p/88"));
}

#[test]
fn an_older_copy_of_the_log_is_seen_as_shrunk_by_whoever_kept_a_newer_checkpoint() {
    let world = World::of(600);
    for (old, state) in [(&[100, 500][..], None), (&[][..], Some(500))] {
        let finding = world.check(&world.files(300), old, state).finding.unwrap();
        let shrunk = Finding::Shrunk { name: "kept-500".into(), was: 500, size: 300 };
        assert_eq!(finding, shrunk);
    }
}

#[test]
fn a_fork_signed_with_the_right_key_is_seen_by_whoever_kept_an_older_checkpoint() {
    let world = World::of(600);
    let mut fork = World { entries: world.entries.clone(), ..World::of(0) };
    fork.ed25519 = clone_of(&world.ed25519);
    fork.mldsa44 = clone_of(&world.mldsa44);
    fork.entries[150] = entry(9_999);
    let files = fork.files(600);
    assert_eq!(world.check(&files, &[], None).finding, None, "nobody can see it without an old checkpoint");
    assert_eq!(world.check(&files, &[100], None).finding, None, "the change comes after it");
    let forked = |was| Some(Finding::Forked { name: format!("kept-{was}"), was });
    assert_eq!(world.check(&files, &[100, 300, 400], None).finding, forked(300));
    assert_eq!(world.check(&files, &[], Some(300)).finding, forked(300));
    assert_eq!(world.check(&files, &[300], Some(200)).finding, forked(200));
    assert_eq!(world.check(&files, &[600], None).finding, forked(600), "two signed roots of one size");
}

fn clone_of(key: &crypto::key::PrivateKey) -> crypto::key::PrivateKey {
    crypto::key::PrivateKey::from_secret(key.alg(), key.to_secret().expose()).unwrap()
}

#[test]
fn a_log_signed_with_another_key_does_not_verify() {
    let (world, stranger) = (World::of(5), World::of(5));
    let finding = world.check(&stranger.files(5), &[], None).finding.unwrap();
    assert_eq!(finding, Finding::Checkpoint(OpenFault::Signature(VerifyFault::Unsigned)));
    assert_eq!(finding.code(), "verify/checkpoint-invalid");
}

#[test]
fn a_log_whose_post_quantum_signature_was_stripped_does_not_satisfy_who_asks_for_it() {
    let world = World::of(5);
    let mut files = world.files(5);
    files.insert("checkpoint".into(), world.sign(&[KeyType::Ed25519], 5, root_of(&world.leaves())));
    let finding = world.check(&files, &[], None).finding.unwrap();
    assert_eq!(finding, Finding::Checkpoint(OpenFault::Missing { name: ORIGIN.into(), type_byte: 6 }));
}

#[test]
fn a_tile_of_the_wrong_length_is_named() {
    let world = World::of(600);
    for (path, code) in [("tile/0/000", "verify/tile-mismatch"), ("tile/1/000.p/2", "verify/tile-mismatch")] {
        let mut files = world.files(600);
        files.get_mut(path).unwrap().pop();
        let finding = world.check(&files, &[], None).finding.unwrap();
        assert_eq!((finding.code(), finding.path(), finding.index()), (code, Some(path), Some(0)));
    }
    let mut files = world.files(600);
    files.insert("tile/0/000".into(), vec![0; 9_000]);
    assert_eq!(world.check(&files, &[], None).finding, Some(Finding::TooLong { path: "tile/0/000".into() }));
}

#[test]
fn every_flipped_byte_of_every_tile_bundle_and_checkpoint_is_found() {
    let world = World::of(259);
    let files = world.files(259);
    for (path, bytes) in &files {
        for place in (0..bytes.len()).step_by(1 + bytes.len() / 16) {
            let mut edited = files.clone();
            edited.get_mut(path).unwrap()[place] ^= 1;
            let report = world.check(&edited, &[], None);
            assert!(report.finding.is_some(), "byte {place} of {path}");
        }
    }
}

#[test]
fn a_run_goes_on_from_the_state_and_reads_only_what_is_new() {
    let world = World::of(700);
    for state in [1u64, 255, 256, 257, 300, 512, 700] {
        let report = world.check(&world.files(700), &[100], Some(state));
        assert_eq!(report.finding, None, "state {state}");
        assert_eq!((report.resumed_from, report.counts.entries), (Some(state), 700 - state));
        let recomputed = if state <= 100 { Some(true) } else { None };
        assert_eq!((report.old[0].recomputed, report.old[0].proof), (recomputed, Some(true)));
        assert_eq!(report.old.len(), 1, "the state is not listed among the old ones");
    }
    assert_eq!(world.check(&world.files(700), &[], Some(0)).resumed_from, None);
}

#[test]
fn a_change_after_the_state_is_found_and_so_is_one_in_the_tiles_before_it() {
    let world = World::of(700);
    let mut files = world.files(700);
    edit_bundle(&mut files, "tile/entries/002.p/188", 188, |entries| entries[180] = entry(1));
    assert_eq!(world.check(&files, &[], Some(600)).finding.unwrap().index(), Some(692));
    let mut files = world.files(700);
    files.get_mut("tile/1/000.p/2").unwrap()[0] ^= 1;
    assert!(matches!(world.check(&files, &[], Some(600)).finding, Some(Finding::Forked { was: 600, .. })));
}

#[test]
fn a_log_that_dropped_its_partial_tiles_once_they_were_full_verifies() {
    let world = World::of(600);
    let mut files = world.files(512);
    files.extend(world.files(400));
    files.retain(|path, _| !path.ends_with("001.p/144"));
    assert_eq!(world.check(&files, &[300], None).finding, None);
}

#[test]
fn entries_of_another_schema_are_counted_and_no_fault() {
    let mut world = World::of(10);
    world.entries[4] = b"something else".to_vec();
    let report = world.check(&world.files(10), &[], None);
    assert_eq!((report.finding, report.counts.foreign), (None, 1));
}

#[test]
fn an_old_checkpoint_of_another_log_or_key_is_no_verdict_but_an_error() {
    let (world, stranger) = (World::of(5), World::of(5));
    let folder = folder(&world.files(5));
    let (source, keys) = (Source::Dir(folder.path().to_owned()), world.keys());
    for note in [stranger.checkpoint(3), b"garbage".to_vec()] {
        let mut request = world.request(&source, &keys);
        request.old = vec![OldCheckpoint { name: "mine".into(), note }];
        let error = tessera_verify::log(&request, &mut |_, _| {}).unwrap_err();
        assert!(matches!(error, LogError::Old { ref name, .. } if name == "mine"), "{error}");
    }
    assert_eq!(tessera_verify::log(&world.request(&source, &[]), &mut |_, _| {}), Err(LogError::Keys));
    let foreign = VerifierKey::new("other.example/log", KeyType::Ed25519, stranger.ed25519.public()).unwrap();
    let two_logs = [keys[0].clone(), foreign];
    assert_eq!(tessera_verify::log(&world.request(&source, &two_logs), &mut |_, _| {}), Err(LogError::Keys));
}

fn fetch_fault(port: u16, token: Option<&str>) -> FetchFault {
    let world = World::of(0);
    let bearer = token.map(|token| crypto::secret::Secret::new(token.to_owned()));
    let source = Source::http(&format!("http://acme.localhost:{port}/log/t/acme/"), bearer, None).unwrap();
    let keys = world.keys();
    match tessera_verify::log(&world.request(&source, &keys), &mut |_, _| {}) {
        Err(LogError::Fetch(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_behind_a_server_verifies_over_a_name_under_localhost() {
    let world = World::of(700);
    let port = serve_files(world.files(700));
    let source = Source::http(&format!("http://acme.localhost:{port}/log/t/acme/"), None, None).unwrap();
    let keys = world.keys();
    let mut request = world.request(&source, &keys);
    request.old = vec![world.old(300)];
    let mut calls = Vec::new();
    let report = tessera_verify::log(&request, &mut |done, all| calls.push((done, all))).unwrap();
    assert_eq!(report.finding, None);
    assert_eq!(calls, [(0, 700), (256, 700), (512, 700), (700, 700)]);
}

#[test]
fn the_token_of_a_private_log_is_sent_and_without_it_the_server_refuses() {
    let world = World::of(3);
    let (files, keys) = (world.files(3), world.keys());
    let port = serve(std::sync::Arc::new(move |path, headers| {
        let known = headers.iter().any(|line| line.eq_ignore_ascii_case("authorization: Bearer tlr_secret"));
        match files.get(path.trim_start_matches("/log/t/acme/")) {
            _ if !known => ("401 Unauthorized\r\nWWW-Authenticate: Bearer".into(), Vec::new()),
            Some(bytes) => ("200 OK".into(), bytes.clone()),
            None => ("404 Not Found".into(), Vec::new()),
        }
    }));
    assert_eq!(fetch_fault(port, None), FetchFault::Refused { path: "checkpoint".into(), status: 401 });
    let token = crypto::secret::Secret::new("tlr_secret".to_owned());
    let source = Source::http(&format!("http://localhost:{port}/log/t/acme"), Some(token), None).unwrap();
    assert_eq!(tessera_verify::log(&world.request(&source, &keys), &mut |_, _| {}).unwrap().finding, None);
}

#[test]
fn a_redirect_is_not_followed() {
    let port = serve(std::sync::Arc::new(|path, _| match path {
        "/elsewhere" => panic!("the redirect was followed"),
        _ => ("302 Found\r\nLocation: /elsewhere".into(), Vec::new()),
    }));
    assert_eq!(fetch_fault(port, None), FetchFault::Refused { path: "checkpoint".into(), status: 302 });
}

#[test]
fn a_server_that_has_no_log_fails_or_is_gone_is_told_apart() {
    let port = serve_files(Files::new());
    assert_eq!(fetch_fault(port, None), FetchFault::Missing { path: "checkpoint".into() });
    let port = serve(std::sync::Arc::new(|_, _| ("500 Internal Server Error".into(), Vec::new())));
    assert!(matches!(fetch_fault(port, None), FetchFault::Unreachable { .. }));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(matches!(fetch_fault(closed, None), FetchFault::Unreachable { .. }));
}

#[test]
fn an_endless_answer_is_cut_at_its_bound() {
    let port = serve(std::sync::Arc::new(|_, _| ("200 OK".into(), vec![b'x'; 70_000])));
    let world = World::of(0);
    let source = Source::http(&format!("http://localhost:{port}/log"), None, None).unwrap();
    let keys = world.keys();
    let report = tessera_verify::log(&world.request(&source, &keys), &mut |_, _| {}).unwrap();
    assert_eq!(report.finding, Some(Finding::TooLong { path: "checkpoint".into() }));
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn the_public_log_verifies_with_all_its_historic_checkpoints() {
    let root = std::env::var_os("TESSERA_TEST_DATA").unwrap();
    let root = std::path::PathBuf::from(root).join("vectors/tlog");
    let vkey = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    let (source, keys) = (Source::Dir(root.clone()), [VerifierKey::parse(vkey).unwrap()]);
    let old = |size: u64| {
        let name = format!("checkpoint.{size}");
        OldCheckpoint { note: std::fs::read(root.join(&name)).unwrap(), name }
    };
    for state in (0..=15).map(Some).chain([None]) {
        let mut request = World::of(0).request(&source, &keys);
        request.old = (0..=15).map(old).collect();
        request.state = state.map(old);
        let report = tessera_verify::log(&request, &mut |_, _| {}).unwrap();
        assert_eq!(report.finding, None);
        assert!(report.old.iter().all(|old| old.proof == Some(true) && old.recomputed != Some(false)));
        assert_eq!(report.counts.entries, 15 - state.unwrap_or(0));
    }
}

#[test]
fn a_connection_that_the_server_drops_between_two_answers_is_opened_again() {
    let world = World::of(300);
    let (files, keys) = (world.files(300), world.keys());
    let port = world::serve_and_drop(files, 2);
    let source = Source::http(&format!("http://localhost:{port}/log/t/acme"), None, None).unwrap();
    assert_eq!(tessera_verify::log(&world.request(&source, &keys), &mut |_, _| {}).unwrap().finding, None);
}
