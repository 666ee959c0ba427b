//! A tenant's own log, as its operators look at it.

use ::store::{Ctx, LogId, StoreFault};

use crate::Audit;
use crate::status::{CheckpointView, LogStatus};

/// What stands of a tenant's log.
#[derive(Clone, Debug)]
pub struct LogLook {
    /// State, size, root and lag.
    pub status: LogStatus,
    /// Its verifier keys, Ed25519 first, as `name+id+key`.
    pub vkeys: Vec<String>,
    /// The newest checkpoints, newest first.
    pub checkpoints: Vec<CheckpointView>,
}

impl Audit {
    /// How the log of the tenant of `ctx` stands, with its last checkpoints; `None` for a tenant without one.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn look(&self, ctx: &Ctx, checkpoints: usize) -> Result<Option<LogLook>, StoreFault> {
        let Some(log) = self.log(&LogId::of(&ctx.tenant)) else { return Ok(None) };
        Ok(Some(LogLook {
            status: self.status_of(ctx.now, &log),
            vkeys: log.vkeys.iter().map(ToString::to_string).collect(),
            checkpoints: self.checkpoints(ctx, &log, u64::MAX, checkpoints).await?,
        }))
    }
}
