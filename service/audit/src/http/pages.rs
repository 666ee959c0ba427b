//! The pages of this room's problems.

use edge::problem::Page;

/// The tenant has no such log.
pub(super) static UNKNOWN_LOG: Page = Page {
    code: "ledger/unknown-log",
    status: 404,
    title: "there is no such log",
    meaning: "Your tenant has no log with this id. A log of another tenant gives the same answer.",
    cause: "A misspelt id, or a log of another tenant.",
    fix: "Leave the log out to use your tenant's own, or read its id from the status.",
    command: "tessera ledger status",
};

/// A token that ended is revoked again.
pub(super) static TOKEN_ENDED: Page = Page {
    code: "ledger/token-ended",
    status: 409,
    title: "this log token has ended already",
    meaning: "The token was revoked before, or its time was over. It reads nothing.",
    cause: "A second revocation, or an expired token.",
    fix: "Nothing needs to be done.",
    command: "tessera ledger token list",
};

/// Sizes that admit no proof.
pub(super) static PROOF_RANGE: Page = Page {
    code: "ledger/proof-range",
    status: 422,
    title: "there is no proof between these sizes",
    meaning: "A consistency proof leads from a smaller size to a larger one, and the larger one is published.",
    cause: "The sizes are in the wrong order, or no checkpoint covers the larger one yet.",
    fix: "Give the sizes of two checkpoints, the older one first.",
    command: "tessera ledger checkpoint",
};

/// Rows are missing from the tree.
pub(super) static INCOMPLETE: Page = Page {
    code: "ledger/incomplete",
    status: 503,
    title: "the log lacks what this proof needs",
    meaning: "Rows of the tree are missing or changed, so that no proof can be made. What was signed stays provable with the \
              checkpoint that others hold.",
    cause: "A damaged or edited database.",
    fix: "Read /readyz for the check that failed, and put the newest database back.",
    command: "tessera ledger status",
};
