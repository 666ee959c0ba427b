//! A unit of work: the row changes and the one event they mean.

use std::convert::Infallible;

use tlog::event::Event;

use crate::fault::StoreFault;
use crate::stmt::Stmt;

/// Statements of a unit: the longest use-case has a dozen; more would hold the writer.
pub const UNIT_STATEMENTS_MAX: usize = 64;

/// Bytes of a unit's texts and parameters: the largest body of a door is 1 MiB.
pub const UNIT_BYTES_MAX: usize = 1 << 20;

/// Statements of one housekeeping: 512 pending rows sequenced are 512 entries, 512 deletions, and their tiles.
pub const HOUSEKEEPING_STATEMENTS_MAX: usize = 2_048;

/// Bytes of one housekeeping: 512 leaves of 1 KiB twice, tiles of 8 KiB, with room to spare.
pub const HOUSEKEEPING_BYTES_MAX: usize = 4 << 20;

/// A refusal that a lost guard means. Its event is written in place of the unit's.
pub trait Refused {
    /// The event of this refusal.
    fn event(&self) -> Event;
}

impl Refused for Infallible {
    fn event(&self) -> Event {
        match *self {}
    }
}

/// Row changes, some of them guarded, and the one event they mean. `E` is what a lost guard means; a unit without
/// guards is a `Unit::<Infallible>`.
#[derive(Debug)]
#[must_use = "a unit does nothing until it is committed"]
pub struct Unit<E> {
    pub(crate) event: Event,
    pub(crate) policy: Option<[u8; 32]>,
    pub(crate) steps: Vec<Step>,
    pub(crate) lost: Vec<E>,
}

impl<E> Unit<E> {
    /// A unit that changes no row yet.
    pub fn new(event: Event) -> Unit<E> {
        Unit { event, policy: None, steps: Vec::new(), lost: Vec::new() }
    }

    /// The SHA-256 of the policy or configuration that decided; it stands in the leaf, of the refusal too.
    pub fn policy(mut self, sha256: [u8; 32]) -> Unit<E> {
        self.policy = Some(sha256);
        self
    }

    /// Adds a statement that may touch any number of rows.
    pub fn put(mut self, stmt: Stmt) -> Unit<E> {
        self.steps.push(Step { stmt, guard: None });
        self
    }

    /// Adds statements that may touch any number of rows.
    pub fn put_all(mut self, stmts: impl IntoIterator<Item = Stmt>) -> Unit<E> {
        self.steps.extend(stmts.into_iter().map(|stmt| Step { stmt, guard: None }));
        self
    }

    /// Adds a statement that must touch exactly one row; if it does not, nothing of the unit is done, the refusal's
    /// event is written, and the commit answers `Lost(lost)`. An INSERT that may meet a row says `ON CONFLICT DO
    /// NOTHING`.
    pub fn guard(mut self, stmt: Stmt, lost: E) -> Unit<E> {
        self.steps.push(Step { stmt, guard: Some(self.lost.len()) });
        self.lost.push(lost);
        self
    }
}

/// One statement, and which refusal it means if it must touch one row and does not.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) stmt: Stmt,
    pub(crate) guard: Option<usize>,
}

/// Why rows are written without an event: they decide nothing. Closed; a new reason needs a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Pending entries become tree entries, tiles, checkpoints: the log's own motion cannot be an event of the log.
    Sequencing,
    /// Rows past their time are deleted; that they would be was decided when they were written.
    Expiry,
    /// How far a reader of ours has come.
    Cursor,
    /// A step inside a sign-in or a request that has not succeeded or failed yet; the outcome has the event.
    SigninStep,
    /// Cells a relay takes in: an event each would log who is active.
    RelayIntake,
    /// A request's idempotency mark; the act itself has the event.
    IdempotencyMark,
    /// When a session was last seen.
    SessionSeen,
    /// Keys under keys: a tenant's first wrapping keys (`tenant-created` follows) and re-wrapping (`kek-rotated`,
    /// `root-rotated` stand at its end). No key that signs changes.
    Wrapping,
    /// A block of status indices is taken into memory; which credential gets which has the event.
    IndexBlock,
}

/// Refuses what is larger than it may be, before it waits.
pub(crate) fn bounded(steps: &[Step], statements_max: usize, bytes_max: usize) -> Result<usize, StoreFault> {
    let bytes = steps.iter().map(|step| step.stmt.bytes()).sum();
    if steps.len() > statements_max || bytes > bytes_max {
        return Err(StoreFault::UnitTooLarge { statements: steps.len(), bytes });
    }
    Ok(bytes)
}
