//! Whose data a unit touches.

use std::borrow::Cow;
use std::fmt;

use crate::ctx::Ctx;
use crate::id;

/// The name of a tenant: `ten_` and 26 characters, or `system` for the instance itself, whose acts stand in the
/// house log. It is the first column of every key of every tenant table, and the store alone fills it in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Cow<'static, str>);

impl TenantId {
    /// The instance itself: its acts stand in the house log.
    pub const SYSTEM: TenantId = TenantId(Cow::Borrowed("system"));

    /// Prefix of every tenant id but [`TenantId::SYSTEM`].
    pub const PREFIX: &'static str = "ten";

    /// A new tenant's id, 128 bits of `ctx`'s entropy.
    pub fn new(ctx: &Ctx) -> TenantId {
        TenantId(Cow::Owned(id::new(ctx, Self::PREFIX)))
    }

    /// Reads a tenant id; `None` for every text that [`TenantId::new`] cannot have made, but for `system`.
    pub fn parse(text: &str) -> Option<TenantId> {
        match text {
            "system" => Some(Self::SYSTEM),
            text if id::is(Self::PREFIX, text) => Some(TenantId(Cow::Owned(text.to_owned()))),
            _ => None,
        }
    }

    /// The id as it stands in rows, paths and tokens.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the instance itself.
    pub fn is_system(&self) -> bool {
        *self == Self::SYSTEM
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
