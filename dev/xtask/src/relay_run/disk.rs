//! What a thief of the relay's folder has: every byte of it is searched for what it must not say.

use super::program::Home;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Words that are looked for at most: each is a pass over the folder.
const WORDS_MAX: usize = 4_000;

/// Searches every file under `folder` for these words: as they are, and as hexadecimal and base64url texts of them.
pub(super) fn names_none_of(folder: &Path, words: &[Vec<u8>]) -> Result<u64, String> {
    if words.len() > WORDS_MAX {
        return Err(format!("{} words are more than {WORDS_MAX}", words.len()));
    }
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    let mut read = 0;
    for file in files {
        let bytes = fs::read(&file).map_err(|fault| format!("{}: {fault}", file.display()))?;
        read += bytes.len() as u64;
        for word in words {
            for form in [
                word.clone(),
                crypto::hex::encode(word).into_bytes(),
                crypto::base64::url_encode(word).into_bytes(),
            ] {
                if holds(&bytes, &form) {
                    return Err(format!("{} holds {}", file.display(), String::from_utf8_lossy(&form)));
                }
            }
        }
    }
    Ok(read)
}

/// Whether `needle` is somewhere in `bytes`; its first byte is looked for by itself, which is quick.
fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    let Some((&first, rest)) = needle.split_first() else { return false };
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == first) {
        at += found + 1;
        if bytes[at..].starts_with(rest) {
            return true;
        }
    }
    false
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<(), String> {
    for entry in fs::read_dir(folder).map_err(|fault| fault.to_string())? {
        let path = entry.map_err(|fault| fault.to_string())?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// `tessera relay inspect` of a relay that was ended: every column with its size law, rows of one size, bytes as good as random.
pub(super) fn inspected(home: &Home, storage: &str, url: &str) -> Result<String, String> {
    let told = home.does(&["relay", "inspect", "--storage", storage, "--relay", url, "-o", "json"])?;
    let is_lawful = told["rows_lawful"] == Value::Bool(true);
    let (rounds, bytes) = (&told["rounds"], told["bytes_of_rows"].as_u64().unwrap_or(1));
    let entropy = told["entropy_bits_per_byte"].as_f64().unwrap_or(0.0);
    if !is_lawful || bytes % 512 != 0 || bytes == 0 || entropy < 7.99 {
        return Err(format!("relay inspect: {told}"));
    }
    let columns = told["columns"].as_array().map_or(0, Vec::len);
    Ok(format!(
        "relay inspect: {columns} columns; last {rounds} rounds: all rows of 512 bytes, sorted, {entropy:.3} bits a byte"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_in_any_of_its_forms() {
        let folder = tempfile::tempdir().expect("a folder");
        let words = vec![b"a word".to_vec()];
        let put = |text: &str| fs::write(folder.path().join("file"), text).expect("it is ours");
        put("not this");
        assert_eq!(names_none_of(folder.path(), &words), Ok(8));
        for text in
            ["xxa word", "aa word", &crypto::hex::encode(b"a word"), &crypto::base64::url_encode(b"a word")]
        {
            put(text);
            assert!(names_none_of(folder.path(), &words).is_err(), "{text}");
        }
    }
}
