//! The folder of public vectors, which is not part of the project.

/// The bytes of a file under `$TESSERA_TEST_DATA/vectors/`.
#[expect(clippy::disallowed_methods, reason = "a test reads its vectors; the code under test does no I/O")]
pub(crate) fn read(file: &str) -> Vec<u8> {
    let root =
        std::env::var("TESSERA_TEST_DATA").expect("TESSERA_TEST_DATA names the folder of public vectors");
    let path = format!("{root}/vectors/{file}");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
