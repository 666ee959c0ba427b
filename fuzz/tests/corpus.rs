//! The corpora and the targets, without a fuzzer: on any compiler.

use std::fs;
use std::path::{Path, PathBuf};

use tessera_fuzz::TARGETS;
use tessera_fuzz::input::accepted_so_far;

/// Files of one corpus in the tree, and bytes of a file.
const FILES_MAX: usize = 20;
const FILE_BYTES_MAX: u64 = 4 * 1024;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_target_holds_for_its_corpus_and_accepts_some_of_it() {
    for (name, target) in TARGETS {
        let before = accepted_so_far();
        for file in files(&folder("corpus").join(name)) {
            println!("{}", file.display());
            target(&fs::read(file).unwrap());
        }
        assert!(accepted_so_far() > before, "no file of {name} passes all its checks");
    }
}

#[test]
fn every_target_has_a_binary_and_a_small_corpus_and_nothing_else_has() {
    let mut names: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    let stems = |folder: &Path| -> Vec<String> {
        files(folder).iter().map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(stems(&folder("fuzz_targets")), names);
    assert_eq!(stems(&folder("corpus")), names);
    for name in names {
        let files = files(&folder("corpus").join(&name));
        assert!((1..=FILES_MAX).contains(&files.len()), "{name} has {} files", files.len());
        for file in files {
            assert!(fs::metadata(&file).unwrap().len() <= FILE_BYTES_MAX, "{}", file.display());
        }
    }
}
