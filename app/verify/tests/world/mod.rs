//! A log of our own making, in a folder or behind a tiny server, to be edited by tests.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a test fails by panicking")]

use crypto::key::{PrivateKey, SignAlg};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use tessera_verify::log::{LogReport, LogRequest, OldCheckpoint};
use tessera_verify::source::Source;
use tlog::checkpoint::Checkpoint;
use tlog::entry::ActorKind;
use tlog::event::{Event, Leaf, Stamp};
use tlog::merkle::{Hash, leaf_hash, root_of};
use tlog::note::{KeyType, Note, VerifierKey, message_to_sign};
use tlog::tile::{Level, TilePath, encode_bundle, encode_hashes, levels_of};

pub(crate) const ORIGIN: &str = "h.example/log/t/acme";

/// Paths and bytes, as a server shows them.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) struct World {
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) ed25519: PrivateKey,
    pub(crate) mldsa44: PrivateKey,
}

impl World {
    pub(crate) fn of(size: u64) -> Self {
        Self {
            entries: (0..size).map(entry).collect(),
            ed25519: PrivateKey::generate(KeyType::Ed25519.key_alg()),
            mldsa44: PrivateKey::generate(KeyType::MlDsa44.key_alg()),
        }
    }

    pub(crate) fn keys(&self) -> Vec<VerifierKey> {
        vec![self.vkey(KeyType::Ed25519), self.vkey(KeyType::MlDsa44)]
    }

    pub(crate) fn vkey(&self, key_type: KeyType) -> VerifierKey {
        let private = if key_type == KeyType::MlDsa44 { &self.mldsa44 } else { &self.ed25519 };
        VerifierKey::new(ORIGIN, key_type, private.public()).unwrap()
    }

    pub(crate) fn leaves(&self) -> Vec<Hash> {
        self.entries.iter().map(|entry| leaf_hash(entry)).collect()
    }

    /// The signed checkpoint of the first `size` entries.
    pub(crate) fn checkpoint(&self, size: u64) -> Vec<u8> {
        self.sign(&[KeyType::Ed25519, KeyType::MlDsa44], size, root_of(&self.leaves()[..size as usize]))
    }

    pub(crate) fn sign(&self, types: &[KeyType], size: u64, root: Hash) -> Vec<u8> {
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root };
        let mut note = Note::unsigned(checkpoint.encode()).unwrap();
        for key_type in types {
            let message = message_to_sign(note.text(), *key_type, ORIGIN, 1_767_225_600).unwrap();
            let signature = match key_type {
                KeyType::MlDsa44 => self.mldsa44.sign(SignAlg::MlDsa44, &message),
                KeyType::Ed25519 | KeyType::CosignatureEd25519 => self.ed25519.sign(SignAlg::EdDsa, &message),
            };
            note.attach(&self.vkey(*key_type), 1_767_225_600, &signature.unwrap()).unwrap();
        }
        note.to_string().into_bytes()
    }

    /// Everything that a server shows at `size`.
    pub(crate) fn files(&self, size: u64) -> Files {
        let mut files = Files::from([("checkpoint".to_owned(), self.checkpoint(size))]);
        for (bundle, n) in self.entries[..size as usize].chunks(256).zip(0..) {
            let path = TilePath::at(Level::Entries, n, size).unwrap();
            files.insert(path.to_string(), encode_bundle(bundle.iter().map(Vec::as_slice)).unwrap());
        }
        let mut hashes = self.leaves()[..size as usize].to_vec();
        for level in 0..levels_of(size) as u8 {
            for (tile, n) in hashes.chunks(256).zip(0..) {
                let path = TilePath::at(Level::Hashes(level), n, size).unwrap();
                files.insert(path.to_string(), encode_hashes(tile));
            }
            hashes = hashes.chunks_exact(256).map(root_of).collect();
        }
        files
    }

    pub(crate) fn request<'a>(&self, source: &'a Source, keys: &'a [VerifierKey]) -> LogRequest<'a> {
        LogRequest { source, keys, old: Vec::new(), state: None }
    }

    pub(crate) fn old(&self, size: u64) -> OldCheckpoint {
        OldCheckpoint { name: format!("kept-{size}"), note: self.checkpoint(size) }
    }

    /// The report on these files, with every key, and older checkpoints of this world at these sizes.
    pub(crate) fn check(&self, files: &Files, old: &[u64], state: Option<u64>) -> LogReport {
        let folder = folder(files);
        let source = Source::Dir(folder.path().to_owned());
        let keys = self.keys();
        let mut request = self.request(&source, &keys);
        request.old = old.iter().map(|size| self.old(*size)).collect();
        request.state = state.map(|size| self.old(size));
        tessera_verify::log(&request, &mut |_, _| {}).unwrap()
    }
}

pub(crate) fn entry(index: u64) -> Vec<u8> {
    let mut event_id = [0; 16];
    event_id[8..].copy_from_slice(&index.to_be_bytes());
    let stamp = Stamp {
        event_id,
        salt: [2; 32],
        second: 1_767_225_600 + index,
        actor: ActorKind::System,
        policy: None,
    };
    Leaf::of(&Event::ServerStopped { uptime_s: index }, &stamp, None).unwrap().entry
}

pub(crate) fn folder(files: &Files) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    folder
}

pub(crate) fn write(folder: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// An answer of the tiny server to one path.
pub(crate) type Answer = Arc<dyn Fn(&str, &[String]) -> (String, Vec<u8>) + Send + Sync>;

/// A server on loopback that gives each path and its header lines to `answer`, for as long as the process lives.
pub(crate) fn serve(answer: Answer) -> u16 {
    serve_until(answer, usize::MAX)
}

fn serve_until(answer: Answer, answers_max: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || connection(stream, &answer, answers_max));
        }
    });
    port
}

/// Serves files as [`serve_files`], and drops each connection after so many answers.
pub(crate) fn serve_and_drop(files: Files, answers_max: usize) -> u16 {
    serve_until(file_answers(files), answers_max)
}

fn connection(stream: TcpStream, answer: &Answer, answers_max: usize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    for _ in 0..answers_max {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end() {
                "" => break,
                text => lines.push(text.to_owned()),
            }
        }
        let path = lines[0].split(' ').nth(1).unwrap_or_default().to_owned();
        let (head, body) = answer(&path, &lines[1..]);
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len());
        if writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&body)).is_err() {
            return;
        }
    }
}

/// Serves files under `/log/t/acme/`.
pub(crate) fn serve_files(files: Files) -> u16 {
    serve(file_answers(files))
}

fn file_answers(files: Files) -> Answer {
    Arc::new(move |path, _| {
        let found = path.strip_prefix("/log/t/acme/").and_then(|path| files.get(path));
        found.map_or_else(|| ("404 Not Found".into(), Vec::new()), |bytes| ("200 OK".into(), bytes.clone()))
    })
}
