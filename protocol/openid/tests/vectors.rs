//! The examples of OpenID4VP 1.0, read in place: what the working group wrote must be read by us.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;

use credential::dcql::{Query, Reader};
use tessera_openid::vp::EncryptionChoice;
use tessera_openid::wire;

fn examples(folder: &str) -> Vec<(String, Vec<u8>)> {
    let root =
        std::env::var_os("TESSERA_TEST_DATA").expect("set TESSERA_TEST_DATA to the folder of public vectors");
    let folder = PathBuf::from(root).join("vectors/openid4vp").join(folder);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        #[expect(clippy::disallowed_methods, reason = "a test reads its vectors in place")]
        let bytes = fs::read(&path).unwrap();
        files.push((path.display().to_string(), bytes));
    }
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn every_example_query_is_read_by_a_wallet_and_by_us() {
    for (name, bytes) in examples("query_lang") {
        let value = wire::json(&bytes, bytes.len()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        for reader in [Reader::Wallet, Reader::Own] {
            let read = Query::parse(&value, reader);
            // Our own queries may name fewer things than a wallet must bear; the examples' `intent_to_retain` is one.
            assert!(read.is_ok() || reader == Reader::Own, "{name}: {read:?}");
        }
    }
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn no_example_of_client_metadata_breaks_the_choice_of_encryption() {
    for (name, bytes) in examples("client_metadata") {
        let value = wire::json(&bytes, bytes.len()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        // None of them carries a key, so there is nothing to encrypt to.
        assert!(EncryptionChoice::from_metadata(value.as_object().unwrap()).is_none(), "{name}");
    }
}
