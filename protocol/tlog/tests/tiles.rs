//! Tile paths, bundles, and trees grown into and read from tiles.

use proptest::prelude::*;
use std::collections::BTreeMap;
use tessera_tlog::merkle::{Frontier, Hash, leaf_hash, root_of};
use tessera_tlog::proof::{consistency_path, inclusion_path, verify_consistency, verify_inclusion};
use tessera_tlog::tile::{
    BundleFault, Edge, FullTile, Level, NodeReader, TilePath, decode_bundle, decode_hashes, encode_bundle,
    encode_hashes, levels_of, tiles_for_consistency, tiles_for_inclusion,
};

fn hashes(n: u64, width: Option<u8>) -> TilePath {
    TilePath { level: Level::Hashes(0), n, width }
}

#[test]
fn the_texts_example_of_a_path_is_read_and_written() {
    let path = TilePath::parse("tile/0/x001/x234/067").unwrap();
    assert_eq!(path, hashes(1_234_067, None));
    assert_eq!(path.to_string(), "tile/0/x001/x234/067");
    let path = TilePath::parse("tile/entries/x001/000.p/17").unwrap();
    assert_eq!(path, TilePath { level: Level::Entries, n: 1000, width: Some(17) });
    assert_eq!(
        TilePath::parse("tile/63/000"),
        Some(TilePath { level: Level::Hashes(63), n: 0, width: None })
    );
}

#[test]
fn a_path_with_level_64_is_refused() {
    assert_eq!(TilePath::parse("tile/64/000"), None);
    assert_eq!(TilePath::parse("tile/256/000"), None);
    assert_eq!(TilePath::parse("tile/18446744073709551616/000"), None);
}

#[test]
fn a_path_with_a_leading_zero_sign_or_space_is_refused() {
    let bad = [
        "tile/00/000",
        "tile/01/000",
        "tile/+1/000",
        "tile/-1/000",
        "tile/ 1/000",
        "tile/0/x000/001",
        "tile/0/x000/x000/001",
        "tile/0/000.p/01",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/+1",
        "tile/0/+01",
    ];
    for path in bad {
        assert_eq!(TilePath::parse(path), None, "{path}");
    }
}

#[test]
fn a_path_that_leaves_its_folder_is_refused() {
    let bad = [
        "tile/0/../000",
        "tile/../0/000",
        "tile/0/%2e%2e/000",
        "tile/0/%30%30%30",
        "tile/entries/..",
        "tile/0/000/..",
        "/tile/0/000",
        "tile//0/000",
        "tile/0//000",
        "tile/0/000/",
        "tile/0/000.p/",
        "tile/0/000.p/1/2",
        "tile/0/000.p/1.p/2",
        "tile/0/x001",
        "tile/0/x001/x002",
        "tile/0/001/002",
        "tile/0/1",
        "tile/0/0000",
        "tile/0",
        "tile/0/",
        "tile",
        "",
        "tile/0/000\0",
        "tile/0/٠٠٠",
        "tile/8/0/000",
        "TILE/0/000",
        "tile/Entries/000",
    ];
    for path in bad {
        assert_eq!(TilePath::parse(path), None, "{path}");
    }
}

#[test]
fn a_path_longer_than_its_bound_or_a_number_past_2_to_the_63_is_refused() {
    assert!(TilePath::parse("tile/0/x009/x223/x372/x036/x854/x775/807").is_some());
    assert_eq!(TilePath::parse("tile/0/x009/x223/x372/x036/x854/x775/808"), None);
    assert_eq!(TilePath::parse("tile/0/x018/x446/x744/x073/x709/x551/616"), None);
    assert_eq!(TilePath::parse(&format!("tile/0/{}000", "x001/".repeat(30))), None);
}

#[test]
fn a_tree_of_256_has_a_full_tile_and_one_of_width_1_above_it() {
    assert_eq!(TilePath::at(Level::Hashes(0), 0, 256), Some(hashes(0, None)));
    assert_eq!(TilePath::at(Level::Hashes(0), 1, 256), None);
    let above = TilePath { level: Level::Hashes(1), n: 0, width: Some(1) };
    assert_eq!(TilePath::at(Level::Hashes(1), 0, 256), Some(above));
    assert_eq!(TilePath::at(Level::Hashes(1), 0, 255), None);
    assert_eq!(TilePath::at(Level::Hashes(63), 0, u64::MAX), None);
}

#[test]
fn a_tree_of_70000_has_the_tiles_that_the_text_counts() {
    let width = |level, n| TilePath::at(Level::Hashes(level), n, 70_000).map(|path| path.width());
    assert_eq!((width(0, 272), width(0, 273), width(0, 274)), (Some(256), Some(112), None));
    assert_eq!((width(1, 0), width(1, 1), width(1, 2)), (Some(256), Some(17), None));
    assert_eq!((width(2, 0), width(2, 1), width(3, 0)), (Some(1), None, None));
}

#[test]
fn every_width_up_to_the_published_one_exists_and_none_beyond() {
    let path = |width| TilePath { level: Level::Entries, n: 1, width };
    assert!(path(Some(1)).exists_at(300) && path(Some(44)).exists_at(300));
    assert!(!path(Some(45)).exists_at(300) && !path(None).exists_at(300));
    assert!(path(Some(255)).exists_at(512) && path(None).exists_at(512));
    assert!(!path(Some(1)).exists_at(256) && !path(Some(1)).exists_at(0));
}

#[test]
fn a_bundle_gives_back_its_entries_and_nothing_else() {
    let entries: [&[u8]; 3] = [b"a", b"", b"ccc"];
    let bundle = encode_bundle(entries).unwrap();
    assert_eq!(bundle, b"\0\x01a\0\0\0\x03ccc");
    assert_eq!(decode_bundle(&bundle, 3).unwrap(), entries);
    assert_eq!(decode_bundle(&bundle, 2), Err(BundleFault::Trailing { surplus: 5 }));
    assert_eq!(decode_bundle(&bundle, 4), Err(BundleFault::Cut { place: 3 }));
    assert_eq!(decode_bundle(&bundle[..7], 3), Err(BundleFault::Cut { place: 2 }));
    assert_eq!(decode_bundle(&bundle, 257), Err(BundleFault::TooMuch));
    assert_eq!(encode_bundle([&[0u8; 65_536][..]]), Err(BundleFault::TooMuch));
    assert_eq!(encode_bundle([&b""[..]; 257]), Err(BundleFault::TooMuch));
}

#[test]
fn a_hash_tile_has_exactly_its_width() {
    let tile = encode_hashes(&[[1; 32], [2; 32]]);
    assert_eq!(decode_hashes(&tile, 2), Some(vec![[1; 32], [2; 32]]));
    assert_eq!(decode_hashes(&tile, 1), None);
    assert_eq!(decode_hashes(&tile[..63], 2), None);
    assert_eq!(decode_hashes(&[0; 257 * 32], 257), None);
}

/// A log that keeps only what a server keeps: full tiles and the right edge.
#[derive(Default)]
struct Storage {
    edge: Edge,
    full: BTreeMap<(u8, u64), Vec<Hash>>,
}

impl Storage {
    fn grown_to(size: u64) -> Self {
        let mut storage = Self::default();
        storage.grow(size);
        storage
    }

    fn grow(&mut self, size: u64) {
        let mut filled = Vec::new();
        for index in self.edge.size()..size {
            self.edge.push(leaf_hash(&index.to_be_bytes()), &mut filled);
        }
        for FullTile { level, n, hashes } in filled {
            assert_eq!(hashes.len(), 256);
            assert_eq!(self.full.insert((level, n), hashes), None, "a full tile never changes");
        }
    }

    fn tile(&self, path: TilePath) -> Option<Vec<Hash>> {
        let Level::Hashes(level) = path.level else { return None };
        match path.width {
            None => self.full.get(&(level, path.n)).cloned(),
            Some(width) => self.edge.partial(level).get(..usize::from(width)).map(<[Hash]>::to_vec),
        }
    }
}

#[test]
fn a_tree_grown_into_tiles_has_the_root_of_its_leaves() {
    let mut storage = Storage::default();
    let mut frontier = Frontier::new();
    for size in [1u64, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000] {
        for index in frontier.size()..size {
            frontier.push(leaf_hash(&index.to_be_bytes()));
        }
        storage.grow(size);
        assert_eq!(storage.edge.root(), frontier.root(), "size {size}");
        assert_eq!(storage.edge.frontier(), frontier);
        assert_eq!(storage.edge.levels().len(), levels_of(size));
        for level in 0..levels_of(size) as u8 {
            let whole = TilePath::at(Level::Hashes(level), storage.full_tiles(level), size);
            let width = whole.map_or(0, |path| path.width());
            assert_eq!(storage.edge.partial(level).len(), width, "level {level} of {size}");
        }
    }
    assert_eq!((storage.full_tiles(0), storage.full_tiles(1), storage.full_tiles(2)), (273, 1, 0));
}

impl Storage {
    fn full_tiles(&self, wanted: u8) -> u64 {
        self.full.keys().filter(|(level, _)| *level == wanted).count() as u64
    }
}

#[test]
fn an_edge_is_taken_up_from_the_last_entries_and_the_roots_of_full_tiles() {
    for size in [0u64, 1, 255, 256, 300, 65_536, 66_000] {
        let storage = Storage::grown_to(size);
        let mut levels = Vec::new();
        for level in 0..levels_of(size) as u8 {
            levels.push(match level {
                0 => (size - size % 256..size).map(|index| leaf_hash(&index.to_be_bytes())).collect(),
                _ => {
                    Edge::tiles_below(size, level).map(|n| root_of(&storage.full[&(level - 1, n)])).collect()
                }
            });
        }
        assert_eq!(Edge::from_levels(size, levels.clone()), Some(storage.edge), "size {size}");
        levels.push(vec![[0; 32]]);
        assert_eq!(Edge::from_levels(size, levels), None);
    }
}

#[test]
fn proofs_made_from_tiles_verify_and_read_only_the_tiles_named_before() {
    let size = 66_000;
    let storage = Storage::grown_to(size);
    let root = storage.edge.root();
    for index in [0u64, 1, 255, 256, 65_535, 65_536, 65_999] {
        let wanted = tiles_for_inclusion(index, size);
        let mut reader = NodeReader::new(size, |path| {
            assert!(wanted.contains(&path), "{path} was not named");
            storage.tile(path)
        });
        let path = inclusion_path(index, size, |height, at| reader.node(height, at)).unwrap();
        verify_inclusion(&leaf_hash(&index.to_be_bytes()), index, size, &path, &root).unwrap();
        assert!(wanted.len() <= 6, "{index} reads {} tiles", wanted.len());
    }
    for old in [1u64, 255, 256, 257, 65_535, 65_536, 65_537, 65_999, 66_000] {
        let wanted = tiles_for_consistency(old, size);
        let mut reader = NodeReader::new(size, |path| {
            assert!(wanted.contains(&path), "{path} was not named");
            storage.tile(path)
        });
        let path = consistency_path(old, size, |height, at| reader.node(height, at)).unwrap();
        verify_consistency(old, size, &path, &Storage::grown_to(old).edge.root(), &root).unwrap();
    }
}

#[test]
fn a_reader_over_missing_tiles_says_so() {
    let mut reader = NodeReader::new(300, |_| None);
    assert_eq!(reader.node(0, 0), None);
    let mut reader = NodeReader::new(300, |path: TilePath| Some(vec![[0; 32]; path.width()]));
    assert_eq!(reader.node(0, 300), None, "past the right edge");
    assert_eq!(reader.node(8, 1), None, "not a complete subtree");
    assert_eq!(reader.node(63, u64::MAX), None);
}

proptest! {
    #[test]
    fn every_path_is_read_as_it_was_written(level in 0u8..=63, entries: bool, n in 0..=i64::MAX as u64, width: u8) {
        let level = if entries { Level::Entries } else { Level::Hashes(level) };
        let path = TilePath { level, n, width: Some(width).filter(|w| *w > 0) };
        prop_assert!(path.to_string().len() <= 52);
        prop_assert_eq!(TilePath::parse(&path.to_string()), Some(path));
    }

    #[test]
    fn a_path_that_is_read_is_the_one_spelling(text in "tile/(entries|[0-9]{1,2})/(x?[0-9]{3}/){0,3}[0-9]{1,4}(\\.p/[0-9]{1,3})?") {
        if let Some(path) = TilePath::parse(&text) {
            prop_assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn every_bundle_gives_back_its_entries(entries: Vec<Vec<u8>>) {
        let bundle = encode_bundle(entries.iter().map(Vec::as_slice)).unwrap();
        let again = decode_bundle(&bundle, entries.len()).unwrap();
        prop_assert!(again.iter().eq(entries.iter()));
    }
}
