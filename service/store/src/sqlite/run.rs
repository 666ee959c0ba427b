//! How jobs run inside the writer's transaction, so that a fault of one is never another's.
//!
//! ```text
//! first group, ≤ 64 ── no savepoint ──▶ all went well
//!                                   └─▶ one must be undone: the transaction is, and begins anew; each runs in its own savepoint
//! group of ≤ 16 ────── one savepoint ─▶ all went well: released
//!                                   └─▶ one must be undone: the group is undone, then each runs in its own savepoint
//! ```
//! A savepoint keeps a copy of every page that is changed after it. What comes first needs none: before it there is nothing to
//! keep. What a unit sees and leaves is the same either way.

use std::sync::Arc;

use rusqlite::Connection;

use super::connect::{self, Trouble, Who};
use super::writer::{Job, KeepDone, KeepJob, UnitDone, UnitJob};
use crate::board::Board;
use crate::event::{Draft, Refusals};
use crate::fault::StoreFault;
use crate::ledger::Ledger;
use crate::unit::Step;

/// Jobs that share a savepoint: as many are run twice when one of them must be undone.
pub(crate) const GROUP_JOBS_MAX: usize = 16;

/// Jobs that begin a transaction without a savepoint: as many are run twice when one of them must be undone.
pub(crate) const FIRST_JOBS_MAX: usize = 64;

/// Jobs that get a savepoint of their own after one had to be undone: lost guards come in crowds.
const CAREFUL_JOBS: usize = 256;

/// What a job came to: done, or a fault of its own that left nothing behind.
pub(crate) type Outcome = Result<Done, StoreFault>;

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Unit(UnitDone),
    Keep(KeepDone),
}

/// Why a job that shares a savepoint cannot stay.
enum Setback {
    /// It must be undone, and with it the group.
    Undo,
    /// The transaction is lost.
    Trouble(Trouble),
}

impl From<Trouble> for Setback {
    fn from(trouble: Trouble) -> Setback {
        match trouble {
            Trouble::Unit(_) => Setback::Undo,
            trouble => Setback::Trouble(trouble),
        }
    }
}

/// Runs jobs on the writer's connection.
pub(crate) struct Runner {
    pub(crate) conn: Connection,
    pub(crate) ledger: Ledger,
    pub(crate) board: Arc<Board>,
    /// Jobs that still get a savepoint of their own.
    careful: usize,
}

impl Runner {
    pub(crate) fn new(conn: Connection, ledger: Ledger, board: Arc<Board>) -> Runner {
        Runner { conn, ledger, board, careful: 0 }
    }

    /// Jobs that the next group may have.
    pub(crate) fn group_max(&self, is_first: bool) -> usize {
        match (self.careful > 0, is_first) {
            (true, _) => 1,
            (false, true) => FIRST_JOBS_MAX,
            (false, false) => GROUP_JOBS_MAX,
        }
    }

    /// Runs the jobs that begin a transaction. An error means that the transaction is lost.
    pub(crate) fn first(&mut self, jobs: &[Job]) -> Result<Vec<Outcome>, Trouble> {
        if self.careful > 0 {
            return self.group(jobs);
        }
        let outcomes: Result<Vec<_>, _> = jobs.iter().map(|job| self.among_others(job)).collect();
        match outcomes {
            Ok(outcomes) => Ok(outcomes.into_iter().map(Ok).collect()),
            Err(Setback::Trouble(trouble)) => Err(trouble),
            Err(Setback::Undo) => {
                self.control("ROLLBACK")?;
                self.ledger.rolled_back(0);
                self.control("BEGIN IMMEDIATE")?;
                self.careful = CAREFUL_JOBS;
                jobs.iter().map(|job| self.alone(job)).collect()
            }
        }
    }

    /// Runs jobs one after the other. An error means that the transaction is lost.
    pub(crate) fn group(&mut self, jobs: &[Job]) -> Result<Vec<Outcome>, Trouble> {
        if let [job] = jobs {
            self.careful = self.careful.saturating_sub(1);
            return Ok(vec![self.alone(job)?]);
        }
        let mark = self.ledger.mark();
        self.control("SAVEPOINT jobs")?;
        let outcomes: Result<Vec<_>, _> = jobs.iter().map(|job| self.among_others(job)).collect();
        match outcomes {
            Ok(outcomes) => {
                self.control("RELEASE jobs")?;
                Ok(outcomes.into_iter().map(Ok).collect())
            }
            Err(Setback::Trouble(trouble)) => Err(trouble),
            Err(Setback::Undo) => {
                self.undo("jobs", mark)?;
                self.careful = CAREFUL_JOBS;
                jobs.iter().map(|job| self.alone(job)).collect()
            }
        }
    }

    /// Runs a job that shares its savepoint: it either stays as it is, or must be undone with its group.
    fn among_others(&mut self, job: &Job) -> Result<Done, Setback> {
        match job {
            Job::Unit(UnitJob { who, steps, draft, refusals, .. }) => {
                self.board.admit_any().map_err(|_| Setback::Undo)?;
                let ran = self.steps(who, steps)?;
                match ran.lost {
                    None => Ok(Done::Unit(self.written(who, draft, UnitDone::Committed(draft.event_id))?)),
                    // The guard came first and touched nothing: there is nothing to undo.
                    Some(guard) if ran.rows == 0 => {
                        Ok(Done::Unit(self.refused(who, refusals.as_ref(), guard)?))
                    }
                    Some(_) => Err(Setback::Undo),
                }
            }
            Job::Keep(KeepJob { who, steps, .. }) => {
                let ran = self.steps(who, steps)?;
                match ran.lost {
                    Some(_) if ran.rows > 0 => Err(Setback::Undo),
                    lost => Ok(Done::Keep(KeepDone { held: lost.is_none(), rows: ran.rows })),
                }
            }
        }
    }

    /// Runs a job in a savepoint of its own. The outer error means that the transaction is lost.
    fn alone(&mut self, job: &Job) -> Result<Outcome, Trouble> {
        let mark = self.ledger.mark();
        self.control("SAVEPOINT job")?;
        let done = match job {
            Job::Unit(UnitJob { who, steps, draft, refusals, .. }) => {
                self.unit_alone(who, steps, draft, refusals.as_ref(), mark).map(Done::Unit)
            }
            Job::Keep(KeepJob { who, steps, .. }) => self.keep_alone(who, steps, mark).map(Done::Keep),
        };
        match done {
            Ok(done) => {
                self.control("RELEASE job")?;
                Ok(Ok(done))
            }
            Err(Trouble::Unit(fault)) => {
                self.undo("job", mark)?;
                Ok(Err(fault))
            }
            Err(trouble) => Err(trouble),
        }
    }

    fn unit_alone(
        &mut self,
        who: &Who,
        steps: &[Step],
        draft: &Draft,
        refusals: Option<&Refusals>,
        mark: usize,
    ) -> Result<UnitDone, Trouble> {
        self.board.admit_any()?;
        match self.steps(who, steps)?.lost {
            None => self.written(who, draft, UnitDone::Committed(draft.event_id)),
            Some(guard) => {
                self.back_to("job", mark)?;
                self.refused(who, refusals, guard)
            }
        }
    }

    fn keep_alone(&mut self, who: &Who, steps: &[Step], mark: usize) -> Result<KeepDone, Trouble> {
        let ran = self.steps(who, steps)?;
        if ran.lost.is_some() {
            self.back_to("job", mark)?;
            return Ok(KeepDone { held: false, rows: 0 });
        }
        Ok(KeepDone { held: true, rows: ran.rows })
    }

    fn refused(&mut self, who: &Who, refusals: Option<&Refusals>, guard: usize) -> Result<UnitDone, Trouble> {
        let refusal = refusals.ok_or(StoreFault::Closed)?.draft(guard)?;
        self.written(who, &refusal, UnitDone::Lost(guard))
    }

    fn written(&mut self, who: &Who, draft: &Draft, done: UnitDone) -> Result<UnitDone, Trouble> {
        self.ledger.write(&self.conn, &self.board, who, draft)?;
        Ok(done)
    }

    /// Runs the statements in order, up to the first guard that is lost.
    fn steps(&mut self, who: &Who, steps: &[Step]) -> Result<Ran, Trouble> {
        let mut rows = 0;
        for Step { stmt, guard } in steps {
            let touched = connect::execute(&self.conn, who, stmt)? as u64;
            rows += touched;
            if guard.is_some() && touched != 1 {
                return Ok(Ran { lost: *guard, rows });
            }
            self.ledger.ran(stmt, touched);
        }
        Ok(Ran { lost: None, rows })
    }

    /// Undoes what was done since a savepoint, and drops it.
    fn undo(&mut self, savepoint: &'static str, mark: usize) -> Result<(), Trouble> {
        self.back_to(savepoint, mark)?;
        self.control(if savepoint == "job" { "RELEASE job" } else { "RELEASE jobs" })
    }

    /// Undoes what was done since a savepoint, and keeps it.
    fn back_to(&mut self, savepoint: &'static str, mark: usize) -> Result<(), Trouble> {
        // Some errors make SQLite roll back the whole transaction; then this fails, and the transaction is lost.
        self.control(if savepoint == "job" { "ROLLBACK TO job" } else { "ROLLBACK TO jobs" })?;
        self.ledger.rolled_back(mark);
        Ok(())
    }

    /// Runs a statement without tables or parameters. If it fails, that is no fault of a unit.
    pub(crate) fn control(&self, sql: &'static str) -> Result<(), Trouble> {
        let failed = |error: rusqlite::Error| match connect::trouble(sql, &error) {
            Trouble::Unit(fault) => Trouble::Transaction(fault),
            trouble => trouble,
        };
        let mut prepared = self.conn.prepare_cached(sql).map_err(failed)?;
        prepared.raw_execute().map(drop).map_err(failed)
    }
}

/// What statements did.
struct Ran {
    /// The number of the refusal that the first lost guard means.
    lost: Option<usize>,
    /// Rows touched, also by a guard that was lost because it touched several.
    rows: u64,
}
