//! What each code means: the text of `docs/problems/verify/`, which a test compares with this table.
//!
//! The error line names the page in the project's own documents, never one on the server that is being checked: an
//! accused log must not explain its own fault.

/// A code that the verbs of this room end with, and its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Stable code, `verify/…`.
    pub code: &'static str,
    /// Exit code of the verb.
    pub exit: u8,
    /// One sentence.
    pub title: &'static str,
    /// What it means, and how it can come about.
    pub cause: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// Every code of this room.
pub const PAGES: &[Page] = &[
    Page {
        code: "verify/checkpoint-invalid",
        exit: 1,
        title: "The checkpoint is not signed by the keys that you gave",
        cause: "The log served a checkpoint that is malformed, belongs to another log, or lacks a valid signature of one \
                of the keys. Either the verifier key was mistyped or taken from a wrong place, or somebody else answers \
                in the place of the log.",
        fix: "Compare the key's fingerprint by another way (the console shows it, evidence carries it). If the key is \
              right, keep the checkpoint: it is evidence.",
    },
    Page {
        code: "verify/entry-mismatch",
        exit: 1,
        title: "An entry is not the one that was logged",
        cause: "The bytes of the entry do not have the hash that the tile states, or the bundle breaks off. An entry was \
                changed, removed, put in, or two were swapped, after they were logged.",
        fix: "Keep the bundle, the tile and the checkpoint: together they prove the fault. Ask who runs the log.",
    },
    Page {
        code: "verify/tile-mismatch",
        exit: 1,
        title: "A tile does not fit what stands below it",
        cause: "A hash in a higher tile is not the root of the entries that it stands for, or a tile has the wrong \
                length. Entries were changed together with their own tile, or the tile itself was damaged.",
        fix: "Keep the tile, the entries that the message names, and the checkpoint. Ask who runs the log.",
    },
    Page {
        code: "verify/tile-missing",
        exit: 1,
        title: "A part of the log that its checkpoint promises is not served",
        cause: "The checkpoint signs a size that needs this tile or bundle. The end of the log was cut off, or a file \
                was lost.",
        fix: "Try again once, in case the server was being changed. If it stays missing, keep the checkpoint.",
    },
    Page {
        code: "verify/root-mismatch",
        exit: 1,
        title: "Entries and tiles agree with one another, but not with what was signed",
        cause: "Somebody changed entries and every hash above them, but could not sign the new root. Old checkpoints \
                given with --old narrow down the place.",
        fix: "Keep everything that was fetched, and the checkpoint. Give older checkpoints with --old to find the place.",
    },
    Page {
        code: "verify/log-shrunk",
        exit: 1,
        title: "The log is smaller than it was",
        cause: "An older checkpoint shows more entries than the log serves now. The end was cut off, or an older copy \
                took the place of the log, as after a restore from an old backup.",
        fix: "Keep both checkpoints: two signed sizes in the wrong order prove the fault. Ask who runs the log.",
    },
    Page {
        code: "verify/log-forked",
        exit: 1,
        title: "The log shows you another history than the one that it had signed",
        cause: "The beginning of the log is not what the older checkpoint was signed for: history was rewritten and \
                signed again with the right key, or you are shown another log than others are.",
        fix: "Keep both checkpoints: no honest log signs two histories. Compare with other holders of checkpoints.",
    },
    Page {
        code: "verify/proof-invalid",
        exit: 1,
        title: "The proof file proves nothing",
        cause: "The entry in the file is not in the tree of its checkpoint, the detail is not the one that the entry \
                committed to, or the checkpoint is not signed by the keys that you gave.",
        fix: "Compare the key by another way, and ask for the proof again. If it stays bad, keep the file.",
    },
    Page {
        code: "verify/usage",
        exit: 2,
        title: "The command or a file that it names cannot be used",
        cause: "A verifier key, checkpoint, proof, token or CA file is missing, malformed, or of another log; or the URL \
                is plain http to another machine.",
        fix: "Mend what the message names.",
    },
    Page {
        code: "verify/refused",
        exit: 3,
        title: "The server refuses to show the log",
        cause: "The log is private and the read token is missing, wrong, revoked or expired; or there is no log at this \
                URL; or the server answers with a redirect, which is not followed.",
        fix: "Give a token with --bearer-file, and check the URL: /checkpoint must answer under it.",
    },
    Page {
        code: "verify/pruned",
        exit: 3,
        title: "The log no longer shows its beginning",
        cause: "The log states that entries before some index are no longer served. That is no fault, but a run from the \
                first entry is not possible.",
        fix: "Go on from a checkpoint that you verified before, with --state.",
    },
    Page {
        code: "verify/unreachable",
        exit: 4,
        title: "The log cannot be reached",
        cause: "No connection, no valid certificate, no answer in time, or a server that says that it cannot answer now.",
        fix: "Check host, port and certificate (--ca for your own authority), and try again.",
    },
];

/// The page of a code; every code of this room has one.
pub fn page(code: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.code == code)
}

impl Page {
    /// The page as Markdown.
    pub fn markdown(&self) -> String {
        let Self { code, exit, title, cause, fix } = self;
        format!("# {title}\n\n`{code}` · exit code {exit}\n\n**Cause.** {cause}\n\n**Fix.** {fix}\n")
    }
}
